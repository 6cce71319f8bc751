//! What becomes of bills that nobody pays.

use super::super::Ledger;
use super::super::asking::Asking;
use super::super::desk_tests::check;
use super::super::timers::Timer;
use crate::time::Timestamp;

/// R9.1, R9.3: 90 days after its month an unpaid bill is bad debt, until the operator lifts it.
#[test]
fn r9_1_neither_credit_nor_transfers_after_bad_debt() {
    Asking::with_members().table(
        r#"
        use | a | 5
        at | 2026-06-29T23:59:59Z
        operator | set_credit_limit | billing_account = "ba-a", limit = "100" | ok
        operator | confirm_contract | billing_account = "ba-a" | ok
        operator | lift_bad_debt | billing_account = "ba-a" | not_found
        at | 2026-06-30T00:00:00Z
        operator | set_credit_limit | billing_account = "ba-a", limit = "50" | credit_not_available
        operator | set_credit_limit | billing_account = "ba-a", limit = "-1" | invalid_amount
        # Paid, it was bad debt all the same.
        operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        a | transfer | from = "ba-a", to = "ba-b", amount = "5" | credit_not_available
        # The receiver's does not count.
        operator | top_up | billing_account = "ba-b", amount = "50", currency = "USD", method = "bank_transfer" | ok
        b | transfer | from = "ba-b", to = "ba-a", amount = "5" | ok
        boss | lift_bad_debt | billing_account = "ba-a" | not_permitted
        operator | lift_bad_debt | billing_account = "ba-a" | ok
        operator | lift_bad_debt | billing_account = "ba-a" | not_found
        a | transfer | from = "ba-a", to = "ba-b", amount = "5" | ok
        operator | set_credit_limit | billing_account = "ba-a", limit = "50" | ok
        "#,
    );
}

/// R9.1: lifted, it stays so until the bills of a later month are bad debt.
#[test]
fn r9_1_only_another_month_makes_bad_debt_again() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        use | a | 5
        at | 2026-04-10T00:00:00Z
        use | a | 5
        at | 2026-06-30T00:00:00Z
        operator | lift_bad_debt | billing_account = "ba-a" | ok
        at | 2026-07-29T23:59:59Z
        operator | lift_bad_debt | billing_account = "ba-a" | not_found
        at | 2026-07-30T00:00:00Z
        operator | lift_bad_debt | billing_account = "ba-a" | ok
        "#,
    );
    // A setting, and paid in time.
    asking.settings("overdue.bad_debt_after = \"10d\"");
    asking.table(
        r#"
        use | b | 5
        at | 2026-08-01T00:00:00Z
        operator | top_up | billing_account = "ba-b", amount = "50", currency = "USD", method = "bank_transfer" | ok
        use | c | 5
        at | 2026-08-11T00:00:00Z
        operator | lift_bad_debt | billing_account = "ba-b" | not_found
        operator | lift_bad_debt | billing_account = "ba-c" | not_found
        at | 2026-09-11T00:00:00Z
        operator | lift_bad_debt | billing_account = "ba-c" | ok
        "#,
    );
}

/// R9.1: one bill of a month that is paid keeps no other of it from being bad debt, whatever else is paid.
#[test]
fn r9_1_what_is_left_of_a_month_is_bad_debt() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        use a p 2000
        at 2026-03-01T01:00:00Z
        use a p 500
        at 2026-03-01T02:00:00Z
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        balance ba-a                    -> cash=0 unsettled_current=5
        at 2026-06-29T23:59:59Z
        lift_bad_debt billing_account=ba-a -> not_found
        at 2026-06-30T00:00:00Z
        lift_bad_debt billing_account=ba-a
        ",
    );
}

/// R9.1: bills of a month after bad debt was lifted become bad debt in their turn; those of the month itself never
/// again, though a timer was set for them by another setting.
#[test]
fn r9_1_lifted_bad_debt_comes_back_with_a_later_month_alone() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        use a p 500
        at 2026-03-01T01:00:00Z
        settings overdue.bad_debt_after=\"10d\"
        use a p 500
        at 2026-04-10T23:59:59Z
        lift_bad_debt billing_account=ba-a -> not_found
        at 2026-04-11T00:00:00Z
        lift_bad_debt billing_account=ba-a
        settings overdue.bad_debt_after=\"90d\"
        at 2026-06-30T00:00:00Z
        lift_bad_debt billing_account=ba-a -> not_found
        use a p 500
        at 2026-09-28T23:59:59Z
        lift_bad_debt billing_account=ba-a -> not_found
        at 2026-09-29T00:00:00Z
        lift_bad_debt billing_account=ba-a
        ",
    );
}

/// R9.1: a ledger that is made of what another has decided waits for no bad debt that was found already.
#[test]
fn r9_1_bad_debt_that_was_found_is_waited_for_no_more() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | set_credit_limit | billing_account = "ba-a", limit = "50" | ok
        operator | confirm_contract | billing_account = "ba-a" | ok
        a | place_order | billing_account = "ba-a", order = "o", amount = "20" | ok
        at | 2026-06-30T00:00:00Z
        operator | lift_bad_debt | billing_account = "ba-a" | ok
        "#,
    );
    let at = "2026-06-30T00:00:00Z".parse::<Timestamp>().unwrap().minute();
    let wallet = asking.ledger.wallet_named(&"ba-a".parse().unwrap()).unwrap();
    let (mut made, mut waited) = (Ledger::new(1), false);
    for fact in &asking.facts.0 {
        made.apply(fact).unwrap();
        waited |= made.due.contains(at, Timer::BadDebt, wallet);
    }
    let waits = [&made, &asking.ledger].map(|it| it.due.contains(at, Timer::BadDebt, wallet));
    assert_eq!((waited, waits), (true, [false, false]), "R9.1");
}
