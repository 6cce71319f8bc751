//! `kill -9` at each named point between a wish and its result: the gateway's own book holds each charge
//! once, and the ledger hears of each once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // tests, all of it

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown_domain::money::Currency;
use drawdown_domain::payments::{MethodKind, PaymentAnswer, PaymentCause};
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::{Log, Membership, Next, Point};
use drawdown_payments::Payments;
use drawdown_ports::payments::{Booked, BookedAnswer, Sandbox};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::errands::{Errands, Outside, OutsideOptions};
use drawdown_runtime::{Worker, WorkerOptions, read_to_end};
use drawdown_wire::messages::{
    LedgerInput, LedgerMessage, PaymentAnswered, PaymentWish, PaymentWishes,
};
use drawdown_wire::schemas;
use drawdown_wire::topics::{DEFAULT_PLAN, TopicPlan, Topics};

const FOLDER: &str = "DRAWDOWN_TEST_FOLDER";
const CLOCK: &str = "DRAWDOWN_TEST_CLOCK";
const PARTITIONS: u32 = 2;
const TOKENS: [&str; 5] = [
    "tok_ok",
    "tok_ok_then_declined",
    "tok_declined_once",
    "tok_unknown_then_ok",
    "tok_unknown_then_declined",
];

fn log(folder: &Path, clock: &Clock) -> Embedded {
    let topic =
        |name: &str| embedded::Topic { name: name.to_owned(), partitions: PARTITIONS, keep: None };
    let topics = ["payment_wishes", "ledger", "payments_state"].map(topic);
    let clock = clock.clone();
    let config = EmbeddedConfig::new(folder.join("log"), topics, Arc::new(move || clock.now()));
    Embedded::open(config).unwrap()
}

fn worker(log: Arc<Embedded>, clock: &Clock, book: &Path) -> Worker<Errands<Payments>> {
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
    let topics = Topics::new("", &TopicPlan::parse(DEFAULT_PLAN).unwrap());
    let payments = Payments::new(topics, Arc::new(Sandbox::with_book(book).unwrap()));
    let outside = OutsideOptions {
        consumer: "payments",
        deadline: Duration::from_secs(10),
        in_flight_max: 8,
        open_per_partition_max: 1_000,
    };
    let outside = Outside::new(payments, outside).unwrap();
    let make = move |partition| Errands::new(outside.clone(), partition);
    Worker::new(options, log, clock.clone(), make)
}

/// Not a test: the process that is killed, or that comes to an end when every wish is answered.
#[test]
#[ignore = "is started by the other test"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let clock: Clock = std::env::var(CLOCK).unwrap().parse().unwrap();
    let log = Arc::new(log(folder, &clock));
    let mut worker = worker(log.clone(), &clock, &folder.join("sandbox.jsonl"));
    let deadline = Instant::now() + Duration::from_secs(60);
    while !worker.has_read_all().unwrap() || worker.stations().any(|errands| errands.open() > 0) {
        assert!(Instant::now() < deadline, "not every wish is answered");
        worker.turn(Duration::from_millis(1)).unwrap();
    }
    worker.stop().unwrap();
}

fn run(folder: &Path, clock: &str, armed: Option<String>) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "child"]).env(FOLDER, folder).env(CLOCK, clock);
    command.envs(armed.map(|armed| ("DRAWDOWN_KILL_AT", armed)));
    command.output().unwrap().status
}

/// Wishes for both partitions, each method with its own way to answer.
fn want(folder: &Path, clock: &Clock, round: usize) -> Vec<String> {
    let log = log(folder, clock);
    let mut names = Vec::new();
    for partition in 0..PARTITIONS {
        let wishes = TOKENS.iter().map(|token| PaymentWish {
            payment: format!("p-{round}-{partition}-{token}"),
            billing_account: "ba-acme".parse().unwrap(),
            at: clock.now(),
            cause: PaymentCause::Threshold,
            method: format!("visa-{round}-{partition}").parse().unwrap(),
            kind: MethodKind::Card,
            token: token.parse().unwrap(),
            amount: "1000.00".parse().unwrap(),
            currency: Currency::Usd,
            authenticated: false,
        });
        let wishes: Vec<PaymentWish> = wishes.collect();
        names.extend(wishes.iter().map(|wish| wish.payment.clone()));
        let message = schemas::PAYMENT_WISHES.message(&PaymentWishes { wishes });
        log.append("payment_wishes", partition, clock.now(), &[&message]).unwrap();
    }
    names
}

fn answers(folder: &Path, clock: &Clock) -> Vec<PaymentAnswered> {
    let (log, mut found) = (log(folder, clock), Vec::new());
    for partition in 0..PARTITIONS {
        read_to_end(&log, "ledger", partition, Next::START, &mut |message| {
            let message: LedgerMessage = schemas::LEDGER.read(message.value).unwrap();
            let LedgerInput::PaymentAnswered(answered) = message.input else { panic!() };
            assert!(answered.payment.split('-').nth(2) == Some(&partition.to_string()));
            found.push(answered);
            Ok(())
        })
        .unwrap();
    }
    found
}

#[test]
fn r6_4_a_kill_at_any_point_charges_nothing_twice_and_loses_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    // A minute in a tenth of a second.
    let clock = Clock::fast(600, start);
    let Clock::Fast(fast) = &clock else { unreachable!() };
    let text = format!("{} {} {}", fast.factor, fast.shown, fast.real);
    let points = [
        Point::Read,
        Point::Decided,
        Point::FrameWritten,
        Point::FrameSynced,
        Point::Committed,
        Point::Performing,
        Point::Performed,
    ];
    let (mut wanted, mut kills) = (Vec::new(), 0);
    for point in points {
        // All there is to read is read at once.
        for times in 1..=if point == Point::Read { 1 } else { 3 } {
            wanted.extend(want(folder.path(), &clock, kills));
            let armed = format!("{}:{times}", point.name());
            let ended = run(folder.path(), &text, Some(armed));
            assert_eq!(ended.signal(), Some(9), "{} was not reached {times} times", point.name());
            kills += 1;
        }
    }
    assert!(run(folder.path(), &text, None).success(), "the rest is not done");
    wanted.sort();
    let book = std::fs::read_to_string(folder.path().join("sandbox.jsonl")).unwrap();
    let booked: Vec<Booked> =
        book.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut charged: Vec<String> = booked.iter().map(|booked| booked.key.clone()).collect();
    charged.sort();
    assert_eq!(charged, wanted, "each charge once in the gateway's book");
    let decided: BTreeMap<&str, BookedAnswer> =
        booked.iter().map(|booked| (booked.key.as_str(), booked.answer)).collect();
    let answers = answers(folder.path(), &clock);
    for answered in &answers {
        let expected = match answered.answer {
            PaymentAnswer::Succeeded => BookedAnswer::Succeeded,
            PaymentAnswer::Declined => BookedAnswer::Declined,
            PaymentAnswer::AuthenticationRequired => BookedAnswer::AuthenticationRequired,
            PaymentAnswer::Unauthenticated | PaymentAnswer::AwaitsApproval => {
                panic!("{answered:?} is no answer to a charge")
            }
        };
        assert_eq!(decided[answered.payment.as_str()], expected, "{}", answered.payment);
    }
    let mut told: Vec<String> = answers.into_iter().map(|answered| answered.payment).collect();
    told.sort();
    assert_eq!(told, wanted, "each answer once on the ledger");
    println!("{kills} kills, {} payments: charged once, answered once", wanted.len());
}
