//! Owners are warned of a low balance (R8.5), and what a judgement goes by: headroom, payers to come, bills unpaid for too
//! long.

use super::super::asking::Asking;
use super::super::desk_tests::{Desk, check};
use super::super::fact::PayerChanged;
use super::super::{Bill, Declined, Fact, Method, ProductNumber};
use super::*;
use crate::payments::{MethodKind, MethodState};
use crate::time::{HalfMonth, Month};

const A: WalletNumber = WalletNumber(1);
const B: WalletNumber = WalletNumber(2);

fn whole(amount: i64) -> Amount {
    Amount::whole(amount)
}

/// A prepaid account with so much, and an alert below 100.
fn alerted(units: u32, table: &str) -> Desk {
    check(
        "runway.alert_days = 0",
        &format!(
            r#"
            open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
            top_up billing_account=ba-a amount={units} currency=USD method=bank_transfer
            configure billing_account=ba-a low_balance_alert={{"enabled":true,"threshold":"100.00"}}
            {table}
            "#
        ),
    )
}

/// Which of a series each warning was.
fn places(desk: &Desk) -> Vec<u32> {
    let noticed = desk.recorder.0.iter().filter_map(|fact| match fact {
        Fact::Noticed(noticed) => noticed.of_series,
        _ => None,
    });
    noticed.collect()
}

/// R8.7: five mails at the same time of day, one when it has recovered, and another series with the next fall.
#[test]
fn r8_7_a_fall_is_told_on_five_days() {
    let desk = alerted(
        109,
        "
        use a p 900
        told ba-a                   ->
        at 2026-03-01T10:00:00Z
        use a p 1
        told ba-a                   -> low_balance
        # Changes between tell nothing, and end nothing.
        adjust billing_account=ba-a amount=-1 reason=r
        use a p 1
        at 2026-03-02T09:59:59Z
        told ba-a                   ->
        at 2026-03-02T10:00:00Z
        told ba-a                   -> low_balance
        at 2026-03-05T09:59:59Z
        told ba-a                   -> low_balance, low_balance
        at 2026-03-05T10:00:00Z
        told ba-a                   -> low_balance
        at 2026-03-06T23:00:00Z
        adjust billing_account=ba-a amount=-1 reason=r
        told ba-a                   ->
        adjust billing_account=ba-a amount=2.01 reason=r
        told ba-a                   ->
        adjust billing_account=ba-a amount=50.01 reason=r
        told ba-a                   -> recovered
        adjust billing_account=ba-a amount=1 reason=r
        told ba-a                   ->
        at 2026-03-08T10:00:00Z
        adjust billing_account=ba-a amount=-60 reason=r
        told ba-a                   -> low_balance
        at 2026-03-09T10:00:00Z
        told ba-a                   -> low_balance
        ",
    );
    assert_eq!(places(&desk), [1, 2, 3, 4, 5, 1, 2]);
}

/// R8.5: never two in one local day: a new fall is told the next day at its time of day, if it is still below.
#[test]
fn r8_5_a_new_fall_of_the_same_day_is_told_the_next_day() {
    let desk = alerted(
        101,
        "
        at 2026-03-01T10:00:00Z
        adjust billing_account=ba-a amount=-2 reason=r
        told ba-a                   -> low_balance
        adjust billing_account=ba-a amount=2 reason=r
        told ba-a                   -> recovered
        at 2026-03-01T12:00:00Z
        adjust billing_account=ba-a amount=-2 reason=r
        at 2026-03-02T11:59:59Z
        told ba-a                   ->
        at 2026-03-02T12:00:00Z
        told ba-a                   -> low_balance
        adjust billing_account=ba-a amount=2 reason=r
        told ba-a                   -> recovered
        # Nobody was told of this fall, and nobody is of its end.
        adjust billing_account=ba-a amount=-2 reason=r
        adjust billing_account=ba-a amount=2 reason=r
        at 2026-03-03T12:00:00Z
        told ba-a                   ->
        adjust billing_account=ba-a amount=-2 reason=r
        told ba-a                   -> low_balance
        # An alert that is switched off tells nothing any more.
        configure billing_account=ba-a low_balance_alert={\"enabled\":false,\"threshold\":\"100.00\"}
        adjust billing_account=ba-a amount=1 reason=r
        at 2026-03-05T00:00:00Z
        told ba-a                   ->
        ",
    );
    assert_eq!(places(&desk), [1, 1, 1]);
    // Half past midnight in Tokyo is another day there.
    check(
        "runway.alert_days = 0",
        r#"
        open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid time_zone=Asia/Tokyo
        top_up billing_account=ba-a amount=101 currency=USD method=bank_transfer
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"100.00"}
        at 2026-03-01T14:30:00Z
        adjust billing_account=ba-a amount=-2 reason=r
        adjust billing_account=ba-a amount=2 reason=r
        told ba-a                   -> low_balance, recovered
        at 2026-03-01T15:30:00Z
        adjust billing_account=ba-a amount=-2 reason=r
        told ba-a                   -> low_balance
        "#,
    );
}

/// R8.5: being overdue is told by itself, and ends the series.
#[test]
fn r8_5_being_overdue_ends_the_series() {
    let desk = alerted(
        101,
        "
        at 2026-03-01T10:00:00Z
        adjust billing_account=ba-a amount=-2 reason=r
        told ba-a                   -> low_balance
        use a p 10000
        told ba-a                   -> overdue, suspended
        # What else is told is that the next cycles are not covered (R8.8).
        at 2026-03-03T00:00:00Z
        told ba-a                   -> near_due
        # Still below the threshold: the series stays over.
        adjust billing_account=ba-a amount=51 reason=r
        told ba-a                   -> resumed
        at 2026-03-04T00:00:00Z
        told ba-a                   ->
        adjust billing_account=ba-a amount=60 reason=r
        told ba-a                   -> recovered
        # At once from above the threshold to below zero: one mail, and none of a recovery from it.
        use a p 12000
        told ba-a                   -> overdue, suspended
        at 2026-03-05T00:00:00Z
        adjust billing_account=ba-a amount=120 reason=r
        told ba-a                   -> resumed
        at 2026-03-06T00:00:00Z
        adjust billing_account=ba-a amount=-20 reason=r
        adjust billing_account=ba-a amount=20 reason=r
        told ba-a                   -> low_balance, recovered
        # A second fall of the day that goes below zero is told on no later day either.
        use a p 12000
        told ba-a                   -> overdue, suspended
        adjust billing_account=ba-a amount=60 reason=r
        told ba-a                   -> resumed
        at 2026-03-08T00:00:00Z
        told ba-a                   ->
        ",
    );
    assert_eq!(places(&desk), [1, 1]);
}

/// R8.5: while the balance is what it was when the alert was set, a series goes on, silent at or above the threshold.
#[test]
fn r8_5_a_series_goes_on_while_only_the_threshold_changes() {
    let desk = alerted(
        101,
        r#"
        at 2026-03-01T10:00:00Z
        adjust billing_account=ba-a amount=-2 reason=r
        told ba-a                   -> low_balance
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"99.00"}
        at 2026-03-02T10:00:00Z
        told ba-a                   ->
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"99.01"}
        told ba-a                   ->
        at 2026-03-03T09:59:59Z
        told ba-a                   ->
        at 2026-03-03T10:00:00Z
        told ba-a                   -> low_balance
        at 2026-03-04T10:00:00Z
        told ba-a                   -> low_balance
        "#,
    );
    assert_eq!(places(&desk), [1, 2, 3]);
    // A bill that has been unpaid for too long ends it.
    check(
        "runway.alert_days = 0",
        r#"
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        set_credit_limit billing_account=ba-a limit=100
        confirm_contract billing_account=ba-a
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"90.00"}
        use a p 500
        at 2026-04-15T10:00:00Z
        told ba-a                   -> credit_limit, credit_limit
        use a p 600
        told ba-a                   -> low_balance
        configure billing_account=ba-a low_balance_alert={"enabled":true,"threshold":"95.00"}
        at 2026-04-17T00:00:00Z
        told ba-a                   -> overdue, suspended
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        told ba-a                   -> resumed, recovered
        "#,
    );
}

/// R8.4: whatever a command touches is judged.
#[test]
fn r8_4_both_sides_of_a_transfer_are_judged() {
    check(
        "runway.alert_days = 0",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=prepaid
        open_account account=b enterprise=e email=a@x.example currency=USD mode=prepaid
        top_up billing_account=ba-a amount=50 currency=USD method=bank_transfer
        use b p 100
        service b                   -> suspended
        service a                   -> running
        transfer from=ba-a to=ba-b amount=50
        service b                   -> running
        service a                   -> suspended
        ",
    );
}

/// The least charge that could change something: down to zero, or to a threshold that lies below.
#[test]
fn headroom_is_what_is_left_to_the_next_floor() {
    let mut ledger = alerted(150, "").ledger;
    // As it is once the balance has changed since the alert was set.
    let set_with = None;
    ledger.apply(&FallChanged { wallet: WalletNumber(0), fall: None, set_with }.into()).unwrap();
    // A runway would be too short a last place before nothing is left.
    let cases = [
        (150, "50"),
        (101, "1"),
        (100, "0"),
        (99, "98.999999999999"),
        (1, "0.999999999999"),
        (0, "0"),
    ];
    for (available, expected) in cases {
        let found = ledger.headroom_of(WalletNumber(0), whole(available));
        assert_eq!(found, Ok(expected.parse().unwrap()), "{available}");
    }
    assert_eq!(ledger.headroom_of(WalletNumber(7), whole(5)), Ok(Amount::MAX));

    ledger.headroom[0] = whole(10);
    // What is charged, whether that calls for a judgement, and what is left then.
    for (charge, judged, left) in [(4, false, 6), (5, false, 1), (0, false, 1), (1, true, 1)] {
        let charged = ledger.spend_headroom(WalletNumber(0), whole(charge));
        assert_eq!((charged, ledger.headroom[0]), (judged, whole(left)), "{charge}");
    }
    assert!(ledger.spend_headroom(WalletNumber(0), whole(2)));
    assert!(ledger.spend_headroom(WalletNumber(0), whole(-1)));
    assert!(!ledger.spend_headroom(WalletNumber(7), whole(1)));
}

/// R9.4, R3.6: a payer who begins later is waited for, also while metering lags; until his timer has fired no charge
/// judges his account.
#[test]
fn r9_4_a_payer_who_begins_is_waited_for() {
    let cases = [
        // Metering has come to 00:00: what falls due may happen up to 00:14.
        ("2026-03-01T00:10:00Z", "2026-03-01T00:10:00Z", false),
        ("2026-03-01T00:10:00Z", "2026-03-01T00:11:00Z", true),
        ("2026-03-01T00:20:00Z", "2026-03-01T00:14:00Z", false),
        ("2026-03-01T00:20:00Z", "2026-03-01T00:15:00Z", true),
        ("2026-03-01T00:20:00Z", "2026-03-01T00:21:00Z", true),
    ];
    for (now, from, waits) in cases {
        let asking = Asking::with_members();
        let (mut ledger, mut facts) = (asking.ledger, asking.facts);
        ledger.pass(now.parse().unwrap(), &mut facts).unwrap();
        let from: Timestamp = from.parse().unwrap();
        let account = AccountNumber(1);
        let changed = PayerChanged { account, wallet: B, from: from.minute() };
        ledger.apply(&changed.into()).unwrap();
        let waited = |wallet| ledger.due.contains(from.minute(), Timer::PayerBegins, wallet);
        let found = (waited(A), waited(B), waited(WalletNumber(3)));
        assert_eq!(found, (waits, waits, false), "at {now} from {from} on");
        assert_eq!(ledger.paid_for(B), [account, AccountNumber(2)]);
        assert_eq!(ledger.paid_for(WalletNumber(9)), []);
    }
    let mut asking = Asking::with_members();
    asking.table(
        r#"operator | change_payer | account = "a", billing_account = "ba-b", effective_at = "2026-03-01T00:05:00Z" | ok"#,
    );
    let waits = |asking: &Asking, wallet, occasion| {
        asking.ledger.waits_for_payer(wallet, &asking.ledger.accounts[1], occasion)
    };
    assert!(!waits(&asking, B, Occasion::Charge));
    asking.ledger.pass("2026-03-01T00:05:00Z".parse().unwrap(), &mut asking.facts).unwrap();
    assert!(waits(&asking, B, Occasion::Charge) && waits(&asking, A, Occasion::Charge));
    assert!(!waits(&asking, WalletNumber(3), Occasion::Charge));
    assert!(!waits(&asking, B, Occasion::Change) && !waits(&asking, B, Occasion::Timer));
    asking.table("at | 2026-03-01T00:05:00Z");
    asking.ledger.fire(usize::MAX, &mut asking.facts).unwrap();
    assert!(!waits(&asking, B, Occasion::Charge));
}

/// A wallet with a limit, and a bill of February.
fn owing() -> Wallet {
    let mut wallet = Asking::with_members().ledger.wallets[1].clone();
    wallet.limit = whole(100);
    let month: Month = "2026-02".parse().unwrap();
    wallet.unpaid.push_back(Bill {
        number: 1,
        account: AccountNumber(1),
        product: Some(ProductNumber(0)),
        month,
        amount: whole(10),
        paid: Amount::ZERO,
        issued_at: Timestamp::START,
        order: None,
        half: HalfMonth::first_of(month),
    });
    wallet
}

/// R8.1: with a limit a bill may be unpaid for 15 days after its month; what time alone has brought about is known only
/// once it was told.
#[test]
fn r8_1_a_bill_unpaid_for_too_long_makes_overdue() {
    let mut ledger = Asking::with_members().ledger;
    let limited = owing();
    let unlimited = Wallet { limit: Amount::ZERO, ..owing() };
    let mut told = owing();
    told.telling_mut().overdue = true;
    let mut told_unlimited = told.clone();
    told_unlimited.limit = Amount::ZERO;
    let (before, after) = ("2026-03-15T23:59:59Z", "2026-03-16T00:00:00Z");
    // When, whose, with what available: whether it is overdue, and known to be.
    let cases = [
        (before, &limited, 5, false, false),
        (after, &limited, 5, true, false),
        (after, &limited, 0, true, false),
        (after, &limited, -1, true, true),
        (before, &limited, -1, true, true),
        (after, &told, 5, true, true),
        (before, &told, 5, false, false),
        (after, &unlimited, 5, false, false),
        (after, &unlimited, -1, true, true),
        (after, &told_unlimited, 5, false, false),
    ];
    for (now, wallet, available, overdue, known) in cases {
        ledger.clock.now = now.parse().unwrap();
        let available = whole(available);
        let found = ledger.is_overdue_with(wallet, available);
        assert_eq!(found, overdue, "{now} {available} {}", wallet.limit);
        let found = ledger.is_known_overdue(wallet, available);
        assert_eq!(found, known, "known: {now} {available} {}", wallet.limit);
    }
    assert_eq!(ledger.unpaid_too_long_at(&limited), Some(after.parse().unwrap()));
    let paid = Wallet { unpaid: Default::default(), ..owing() };
    assert_eq!(ledger.unpaid_too_long_at(&paid), None);
}

/// R8.1: whoever pays by a method is overdue when its last try was declined, and none is on its way.
#[test]
fn r8_1_a_method_carries_its_owner_until_the_last_try() {
    let ledger = Asking::with_members().ledger;
    let mut wallet = owing();
    let paying = wallet.paying_mut();
    paying.preferred = Some("visa".parse().unwrap());
    paying.methods.push(Method {
        method: "visa".parse().unwrap(),
        kind: MethodKind::Card,
        token: "t".parse().unwrap(),
        brand: None,
        expires: None,
        state: MethodState::Active,
        linked_at: Timestamp::START,
        payment: 1,
        checked: Vec::new(),
    });
    let declined =
        |retry_at| Declined { first_at: Timestamp::START, retries: 0, bills: vec![], retry_at };
    let in_flight = |cause| super::super::InFlight {
        payment: 2,
        cause,
        method: "visa".parse().unwrap(),
        amount: whole(10),
        begun_at: Timestamp::START,
        late_at: None,
        shares: Vec::new(),
        by_hand: false,
        remark: None,
    };
    let last = || Some(declined(None));
    let cases = [
        (None, None, false),
        (Some(declined(Some(Minute::END))), None, false),
        (last(), None, true),
        (last(), Some(in_flight(PaymentCause::Retry)), false),
        (last(), Some(in_flight(PaymentCause::Manual)), true),
    ];
    for (declined, in_flight, overdue) in cases {
        let paying = wallet.paying_mut();
        (paying.declined, paying.in_flight) = (declined, in_flight);
        for available in [5, -1] {
            let available = whole(available);
            let found = ledger.is_overdue_with(&wallet, available);
            assert_eq!(found, overdue, "{:?}", wallet.paying);
            assert_eq!(ledger.is_known_overdue(&wallet, available), overdue);
        }
    }
}
