//! What falls due when, for whom, and what waits until bills that go before it are issued (R3.6).

use super::super::asking::Asking;
use super::super::fact::Fact;
use super::super::{Declined, InFlight, WalletState};
use super::*;
use crate::money::Amount;
use crate::payments::PaymentCause;

const A: WalletNumber = WalletNumber(1);
const B: WalletNumber = WalletNumber(2);
const X: WalletNumber = WalletNumber(5);

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// Time passes and metering goes with it, but nothing fires.
fn comes(asking: &mut Asking, time: &str) {
    asking.ledger.pass(at(time), &mut asking.facts).unwrap();
    asking.ledger.mark(0, at(time), &mut asking.facts).unwrap();
}

/// Whose bills were issued so far.
fn billed(asking: &Asking) -> Vec<WalletNumber> {
    let facts = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::BillIssued(issued) => Some(issued.wallet),
        _ => None,
    });
    facts.collect()
}

/// R5.1: bills wait for metering; they are issued in slices, none of which tells the others.
#[test]
fn r5_1_what_is_due_fires_in_slices_once_metering_has_come() {
    let mut asking = Asking::with_members();
    asking.table("use | a | 1\n use | x | 1");
    let fire = |asking: &mut Asking, most| {
        let fired = asking.ledger.fire(most, &mut asking.facts).unwrap();
        (fired.timers, fired.more)
    };
    assert_eq!(asking.ledger.next_timer(), Some(at("2026-03-01T01:00:00Z")));
    comes(&mut asking, "2026-03-01T00:59:59Z");
    assert_eq!(fire(&mut asking, 9), (0, false));
    asking.ledger.pass(at("2026-03-01T01:00:00Z"), &mut asking.facts).unwrap();
    assert_eq!(fire(&mut asking, 9), (0, false));
    comes(&mut asking, "2026-03-01T01:00:00Z");
    assert_eq!((fire(&mut asking, 0), billed(&asking)), ((0, true), vec![]));
    assert_eq!((fire(&mut asking, 1), billed(&asking)), ((1, true), vec![A]));
    assert_eq!((fire(&mut asking, 1), billed(&asking)), ((1, false), vec![A, X]));
    // Neither time nor metering goes back, or is told twice.
    let told = asking.facts.0.len();
    for earlier in ["2026-03-01T01:00:00Z", "2026-03-01T00:30:00Z"] {
        comes(&mut asking, earlier);
    }
    assert_eq!(asking.facts.0.len(), told);
    assert_eq!(asking.ledger.clock().now(), at("2026-03-01T01:00:00Z"));
    assert_eq!(asking.ledger.clock().mark(0), at("2026-03-01T01:00:00Z"));
}

/// R2.4: bills and periods wait for their grace, and nothing else does.
#[test]
fn r2_4_a_cycle_ends_after_its_grace() {
    let mut asking = Asking::with_members();
    asking.settings("bills.grace = \"10m\"");
    asking.table("use | a | 1\n at | 2026-03-01T01:09:59Z");
    assert_eq!(asking.ledger.next_timer(), Some(at("2026-03-01T01:10:00Z")));
    assert_eq!(billed(&asking), []);
    asking.table("at | 2026-03-01T01:10:00Z");
    assert_eq!(billed(&asking), [A]);
    let due = [Timer::CycleEnds, Timer::PeriodEnds, Timer::MonthEnds, Timer::UnpaidTooLong];
    let due = due.map(|timer| asking.ledger.due_at(at("2026-03-01T01:00:00Z").minute(), timer));
    let (late, once) = (at("2026-03-01T01:10:00Z"), at("2026-03-01T01:00:00Z"));
    assert_eq!(due, [late, late, once, once]);
}

/// What is due for one enterprise fires before anything of it is decided, and for no other.
#[test]
fn what_is_due_for_an_enterprise_fires_for_it_alone() {
    let mut asking = Asking::with_members();
    asking.table("use | a | 1\n use | x | 1\n use | b | 1");
    let fire = |asking: &mut Asking, enterprise| {
        let enterprise = EnterpriseNumber(enterprise);
        asking.ledger.fire_for(enterprise, &mut asking.facts).unwrap();
    };
    comes(&mut asking, "2026-03-01T00:59:59Z");
    fire(&mut asking, 0);
    assert_eq!(billed(&asking), []);
    assert_eq!(asking.ledger.first_due_of(A), None);
    comes(&mut asking, "2026-03-01T01:00:00Z");
    let due = Some((at("2026-03-01T01:00:00Z").minute(), Timer::CycleEnds));
    assert_eq!([A, X].map(|wallet| asking.ledger.first_due_of(wallet)), [due, due]);
    fire(&mut asking, 0);
    assert_eq!(billed(&asking), [A, B]);
    assert_eq!([A, X].map(|wallet| asking.ledger.first_due_of(wallet)), [None, due]);
    fire(&mut asking, 1);
    assert_eq!(billed(&asking), [A, B, X]);
}

/// R8.1, R9.1, R9.4: what follows from unpaid bills and from payers to come is due for their wallets, too.
#[test]
fn r8_1_what_time_alone_brings_is_due_for_its_wallet() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | set_credit_limit | billing_account = "ba-a", limit = "100" | ok
        operator | confirm_contract | billing_account = "ba-a" | ok
        use | a | 5
        boss | change_payer | account = "c", billing_account = "ba-b", effective_at = "2026-04-10T00:00:00Z" | ok
        at | 2026-04-09T00:00:00Z
        "#,
    );
    let due = |asking: &Asking, wallet| {
        let due = asking.ledger.first_due_of(wallet);
        due.map(|(minute, timer)| (minute.starts().to_string(), timer))
    };
    let first = |time: &str, timer| Some((format!("{time}T00:00:00Z"), timer));
    let fire = |asking: &mut Asking| {
        asking.ledger.fire_for(EnterpriseNumber(0), &mut asking.facts).unwrap();
    };
    assert_eq!([A, B].map(|wallet| due(&asking, wallet)), [None, None]);
    comes(&mut asking, "2026-04-10T00:00:00Z");
    assert_eq!(due(&asking, B), first("2026-04-10", Timer::PayerBegins));
    fire(&mut asking);
    comes(&mut asking, "2026-04-15T23:59:59Z");
    assert_eq!([A, B].map(|wallet| due(&asking, wallet)), [None, None]);
    comes(&mut asking, "2026-04-16T00:00:00Z");
    assert_eq!(due(&asking, A), first("2026-04-16", Timer::UnpaidTooLong));
    fire(&mut asking);
    let overdue = |fact: &Fact| matches!(fact, Fact::OverdueChanged(now) if now.overdue);
    assert!(asking.facts.0.iter().any(overdue));
    // The same month's bills are bad debt 90 days after it.
    comes(&mut asking, "2026-06-29T23:59:59Z");
    fire(&mut asking);
    assert_eq!(due(&asking, A), None);
    comes(&mut asking, "2026-06-30T00:00:00Z");
    assert_eq!(due(&asking, A), first("2026-06-30", Timer::BadDebt));
    fire(&mut asking);
    assert!(asking.ledger.wallet(A).unwrap().has_bad_debt());
}

/// What was paid or replaced meanwhile leaves its timer behind: it does nothing, and is not counted.
#[test]
fn a_timer_that_nobody_waits_for_any_more_does_nothing() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | set_credit_limit | billing_account = "ba-a", limit = "100" | ok
        operator | confirm_contract | billing_account = "ba-a" | ok
        use | a | 5
        boss | change_payer | account = "c", billing_account = "ba-b", effective_at = "2026-04-16T00:00:00Z" | ok
        at | 2026-04-15T00:00:00Z
        "#,
    );
    let (unpaid, begins) = (Timer::UnpaidTooLong, Timer::PayerBegins);
    let waits = |asking: &Asking, day: &str, timer, wallet| {
        asking.ledger.still_waits(at(&format!("{day}T00:00:00Z")).minute(), timer, wallet)
    };
    let c = WalletNumber(3);
    let cases = [
        ("2026-04-16", unpaid, A, true),
        ("2026-04-17", unpaid, A, false),
        ("2026-04-16", unpaid, B, false),
        ("2026-04-16", begins, B, true),
        // Whoever has paid so far is judged, too.
        ("2026-04-16", begins, c, true),
        ("2026-04-17", begins, B, false),
        ("2026-04-17", begins, c, false),
        ("2026-04-16", begins, A, false),
        ("2026-04-16", begins, WalletNumber(99), false),
    ];
    for (day, timer, wallet, expected) in cases {
        assert_eq!(waits(&asking, day, timer, wallet), expected, "{day} {timer:?} {wallet:?}");
    }
    asking.table(
        r#"
        boss | change_payer | account = "c", billing_account = "ba-a", effective_at = "2026-04-20T00:00:00Z" | ok
        operator | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "bank_transfer" | ok
        "#,
    );
    assert!(!waits(&asking, "2026-04-16", unpaid, A));
    assert!(!waits(&asking, "2026-04-16", begins, B));
    // Without a limit nobody waits for an unpaid bill.
    asking.ledger.wallets[1].limit = Amount::ZERO;
    asking.ledger.wallets[2].limit = Amount::ZERO;
    asking.table("use | b | 5\n at | 2026-04-16T01:00:00Z");
    assert!(!asking.ledger.wallet(B).unwrap().unpaid.is_empty());
    assert!(!waits(&asking, "2026-05-16", unpaid, B));
    asking.ledger.wallets[2].limit = Amount::ONE;
    assert!(waits(&asking, "2026-05-16", unpaid, B));
}

/// Which of those there are depends on when the ledger was last restored: none of them makes a slice longer.
#[test]
fn a_timer_that_is_left_behind_is_not_counted() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        boss | change_payer | account = "c", billing_account = "ba-b", effective_at = "2026-03-01T00:05:00Z" | ok
        boss | change_payer | account = "c", billing_account = "ba-b", effective_at = "2026-03-01T00:09:00Z" | ok
        "#,
    );
    comes(&mut asking, "2026-03-01T00:05:00Z");
    let told = asking.facts.0.len();
    assert_eq!(asking.ledger.next_timer(), Some(at("2026-03-01T00:05:00Z")));
    let fired = asking.ledger.fire(1, &mut asking.facts).unwrap();
    assert_eq!((fired.timers, fired.more), (0, false));
    assert_eq!(asking.facts.0.len(), told);
    assert_eq!(asking.ledger.next_timer(), Some(at("2026-03-01T00:09:00Z")));
}

/// R6.3, R4.5: a declined payment is tried again unless another is in flight, or nothing may go out.
#[test]
fn r6_3_a_retry_waits_for_what_is_in_flight() {
    let asking = Asking::with_members();
    let minute = at("2026-03-02T00:00:00Z").minute();
    let in_flight = || InFlight {
        payment: 2,
        cause: PaymentCause::Manual,
        method: "visa".parse().unwrap(),
        amount: Amount::ONE,
        begun_at: Timestamp::START,
        late_at: Some(minute),
        shares: Vec::new(),
        by_hand: true,
        remark: None,
    };
    let (valid, frozen) = (WalletState::Valid, WalletState::Frozen);
    for (state, payment, expected) in [
        (valid, None, vec![Timer::Retry]),
        (frozen, None, vec![]),
        (valid, Some(in_flight()), vec![Timer::PaymentLate]),
        (frozen, Some(in_flight()), vec![Timer::PaymentLate]),
    ] {
        let mut wallet = asking.ledger.wallet(A).unwrap().clone();
        wallet.governing_mut().state = state;
        let paying = wallet.paying_mut();
        paying.in_flight = payment;
        paying.declined = Some(Declined {
            first_at: Timestamp::START,
            retries: 0,
            bills: Vec::new(),
            retry_at: Some(minute),
        });
        let waits: Vec<_> = wallet.own_timers().collect();
        let expected: Vec<_> = expected.into_iter().map(|timer| (minute, timer)).collect();
        assert_eq!(waits, expected, "{state}");
    }
}
