//! What becomes of wishes: each gateway's answer reaches the ledger that wished, once, with the step's
//! time, and what is not known is asked again until it is.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::sync::Arc;
use std::time::Duration;

use drawdown_domain::money::Currency;
use drawdown_domain::payments::{MethodKind, PaymentAnswer, PaymentCause};
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Faults, Log, Membership, Memory, Next};
use drawdown_payments::Payments;
use drawdown_ports::payments::Sandbox;
use drawdown_runtime::clock::Clock;
use drawdown_runtime::errands::{Errands, Outside};
use drawdown_runtime::{Turn, Worker, WorkerOptions, read_to_end};
use drawdown_wire::messages::{
    LedgerInput, LedgerMessage, PaymentAnswered, PaymentWish, PaymentWishes,
};
use drawdown_wire::schemas;
use drawdown_wire::topics::{DEFAULT_PLAN, Topic, TopicPlan, Topics};

fn at(seconds: i64) -> Timestamp {
    "2026-03-01T00:00:00Z".parse::<Timestamp>().unwrap().plus(Span::micros(seconds * 1_000_000))
}

fn topics() -> Topics {
    Topics::new("", &TopicPlan::parse(DEFAULT_PLAN).unwrap())
}

fn log() -> Memory {
    Memory::new([("payment_wishes", 2), ("ledger", 2), ("payments_state", 2)], Faults::default())
}

fn worker(log: &Memory, clock: &Clock, sandbox: &Sandbox) -> Worker<Errands<Payments>> {
    let options = WorkerOptions {
        membership: Membership {
            group: "payments".to_owned(),
            topic: "payment_wishes".to_owned(),
            instance: "1".to_owned(),
        },
        state_topic: "payments_state".to_owned(),
        rules_version: 1,
        commit_interval: Duration::ZERO,
        step_bytes_max: 1 << 20,
        snapshot_after_bytes: 1 << 10,
        state_kept_for: Some(Span::ZERO),
    };
    let outside = Outside::at_once(Payments::new(topics(), Arc::new(sandbox.clone())), "payments");
    let make = move |partition| Errands::new(outside.clone(), partition);
    Worker::new(options, Arc::new(log.clone()), clock.clone(), make)
}

fn wish(payment: &str, token: &str, cause: PaymentCause) -> PaymentWish {
    PaymentWish {
        payment: payment.to_owned(),
        billing_account: "ba-acme".parse().unwrap(),
        at: at(0),
        cause,
        method: "visa-1".parse().unwrap(),
        kind: MethodKind::Card,
        token: token.parse().unwrap(),
        authenticated: false,
        amount: "1000.00".parse().unwrap(),
        currency: Currency::Usd,
    }
}

fn want(log: &Memory, partition: u32, wishes: Vec<PaymentWish>) {
    let message = schemas::PAYMENT_WISHES.message(&PaymentWishes { wishes });
    log.append(topics().name(Topic::PaymentWishes), partition, at(0), &[&message]).unwrap();
}

fn answers(log: &Memory, partition: u32) -> Vec<(Timestamp, PaymentAnswered)> {
    let mut found = Vec::new();
    read_to_end(log, "ledger", partition, Next::START, &mut |message| {
        let LedgerMessage { at, input } = schemas::LEDGER.read(message.value).unwrap();
        let LedgerInput::PaymentAnswered(answered) = input else { panic!("{input:?}") };
        found.push((at, answered));
        Ok(())
    })
    .unwrap();
    found
}

fn settle(worker: &mut Worker<Errands<Payments>>) {
    while worker.turn(Duration::ZERO).unwrap() == Turn::Worked {}
}

/// What is answered at once: the answer, with its reason.
fn check(token: &str, cause: PaymentCause, answer: PaymentAnswer, reason: Option<&str>) {
    let (log, clock) = (log(), Clock::manual(at(5)));
    want(&log, 1, vec![wish("p-1", token, cause)]);
    settle(&mut worker(&log, &clock, &Sandbox::in_memory()));
    assert_eq!(answers(&log, 0), [], "{token}");
    let answers = answers(&log, 1);
    let [(told_at, answered)] = answers.as_slice() else { panic!("{token}: {answers:?}") };
    assert_eq!(*told_at, at(5));
    let found = answered.reason.as_ref().map(|reason| reason.as_str());
    assert_eq!((answered.answer, found), (answer, reason), "{token}");
    assert_eq!((answered.payment.as_str(), answered.billing_account.as_str()), ("p-1", "ba-acme"));
    assert!(answered.reference.as_ref().unwrap().as_str().starts_with("sandbox-"));
}

#[test]
fn r6_4_each_answer_reaches_the_ledger_that_wished() {
    use PaymentAnswer::{AuthenticationRequired, Declined, Succeeded};
    check("tok_ok", PaymentCause::Threshold, Succeeded, None);
    check("tok_ok_then_declined", PaymentCause::MonthEnd, Declined, Some("card_declined"));
    check("tok_ok_then_declined", PaymentCause::Preauthorisation, Succeeded, None);
    check("tok_expired", PaymentCause::Preauthorisation, Declined, Some("card_expired"));
    let where_to = Some("https://sandbox.invalid/authenticate/sandbox-1");
    check("tok_3ds", PaymentCause::Preauthorisation, AuthenticationRequired, where_to);
    check("tok_authentication_at_charge", PaymentCause::Retry, AuthenticationRequired, where_to);
}

#[test]
fn r6_4_a_lost_answer_is_asked_for_until_it_is_known_one_minute_later() {
    for (token, expected) in [
        ("tok_unknown_then_ok", PaymentAnswer::Succeeded),
        ("tok_unknown_then_declined", PaymentAnswer::Declined),
    ] {
        let (log, clock, sandbox) = (log(), Clock::manual(at(0)), Sandbox::in_memory());
        want(&log, 0, vec![wish("p-1", token, PaymentCause::Threshold)]);
        settle(&mut worker(&log, &clock, &sandbox));
        clock.set(at(59));
        // Another process goes on with it.
        let mut worker = worker(&log, &clock, &sandbox);
        settle(&mut worker);
        assert_eq!(answers(&log, 0), []);
        assert_eq!(worker.station(0).unwrap().next_try(), Some(at(60)));
        clock.set(at(60));
        settle(&mut worker);
        let answers = answers(&log, 0);
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].0, answers[0].1.answer), (at(60), expected));
        assert_eq!(worker.station(0).unwrap().open(), 0);
    }
}

#[test]
fn wishes_of_one_message_are_each_answered() {
    let (log, clock) = (log(), Clock::manual(at(0)));
    let wishes = (0..50)
        .map(|number| wish(&format!("p-{number}"), "tok_declined_once", PaymentCause::Threshold));
    want(&log, 0, wishes.collect());
    settle(&mut worker(&log, &clock, &Sandbox::in_memory()));
    let answers = answers(&log, 0);
    let declined =
        answers.iter().filter(|(_, said)| said.answer == PaymentAnswer::Declined).count();
    assert_eq!((answers.len(), declined), (50, 1));
}
