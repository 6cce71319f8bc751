//! Money that comes in and goes out (R7.1 to R7.3, R7.7).

use super::super::desk_tests::{Desk, check};
use super::super::{Cause, Fact};

const ACCOUNTS: &str = "
    open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
    open_account account=c enterprise=e email=c@x.example currency=CNY mode=postpaid
    open_account account=d enterprise=e email=d@x.example currency=USD mode=postpaid partner=p partner_pays=true
    open_account account=b enterprise=e email=b@x.example currency=USD mode=postpaid kind=ecosystem partner=p
";

const CARDS: &str = "
    link_payment_method billing_account=ba-a method=visa kind=card token=t brand=visa expires=2026-05 -> later
    answers ba-a succeeded
    link_payment_method billing_account=ba-c method=union kind=unionpay token=t -> later
    answers ba-c succeeded
    asked ba-a ->
";

fn money(settings: &str, table: &str) -> Desk {
    check(settings, &format!("{ACCOUNTS}{CARDS}{table}"))
}

#[test]
fn r7_1_every_refusal_in_its_order() {
    money(
        "",
        "
        top_up billing_account=ba-x amount=0.001 currency=EUR method=cash     -> not_found
        top_up billing_account=ba-b amount=0.001 currency=EUR method=cash     -> not_for_ecosystem
        top_up billing_account=ba-d amount=0.001 currency=EUR method=cash     -> invalid_amount
        top_up billing_account=ba-d amount=0.00 currency=EUR method=cash      -> invalid_amount
        top_up billing_account=ba-d amount=1.00 currency=EUR method=cash      -> currency_mismatch
        top_up billing_account=ba-d amount=1.00 currency=USD method=cash      -> partner_pays
        top_up billing_account=ba-a amount=19.99 currency=USD method=cash     -> below_minimum
        top_up billing_account=ba-a amount=20.00 currency=USD method=cash     -> method_not_allowed
        top_up billing_account=ba-a amount=20.00 currency=USD method=union    -> method_not_allowed
        top_up billing_account=ba-a amount=20.00 currency=USD method=visa
        top_up billing_account=ba-c amount=50000.01 currency=CNY method=union -> method_not_allowed
        top_up billing_account=ba-c amount=50000.01 currency=CNY method=bank_transfer
        top_up billing_account=ba-c amount=50000.00 currency=CNY method=union
        at 2026-06-01T00:00:00Z
        top_up billing_account=ba-a amount=20.00 currency=USD method=visa     -> no_method
        ",
    );
}

#[test]
fn r7_1_a_brand_that_is_no_longer_taken_pays_no_more() {
    money(
        "",
        "
        settings topup.card_brands=[\"mastercard\"]
        link_payment_method billing_account=ba-a method=m kind=card token=t brand=visa   -> method_not_allowed
        top_up billing_account=ba-a amount=20.00 currency=USD method=visa                -> method_not_allowed
        ",
    );
}

/// R7.1. R7.4: a method is in use while a top-up by it is in flight.
#[test]
fn r7_1_it_is_pending_until_booked_and_then_exact() {
    money(
        "",
        "
        top_up billing_account=ba-a amount=20.55 currency=USD method=visa remark=april
        asked ba-a                  -> top_up 20.55 visa
        balance ba-a                -> cash=0
        top_up billing_account=ba-a amount=30.00 currency=USD method=visa
        unlink_payment_method billing_account=ba-a method=visa -> method_in_use
        # Payments for no bills can be in flight side by side, and beside one of bills.
        answers ba-a succeeded
        balance ba-a                -> cash=30
        told ba-a                   -> payment_succeeded
        at 2026-03-01T00:30:00Z
        told ba-a                   -> payment_delayed
        answers ba-a 2 succeeded
        answers ba-a 2 succeeded
        told ba-a                   -> payment_succeeded
        balance ba-a                -> cash=50.55
        unlink_payment_method billing_account=ba-a method=visa
        ",
    );
}

/// R6.4: a top-up that was declined and paid after all is booked, once. A decline begins no series (R6.5).
#[test]
fn r6_4_a_declined_top_up_that_was_paid_after_all_becomes_cash() {
    money(
        "",
        "
        top_up billing_account=ba-a amount=20.00 currency=USD method=visa
        answers ba-a declined
        told ba-a                   -> payment_failed
        at 2026-03-10T00:00:00Z
        asked ba-a                  -> top_up 20 visa
        answers ba-a succeeded
        answers ba-a succeeded
        balance ba-a                -> cash=20
        ",
    );
}

#[test]
fn r7_2_a_test_goes_through_the_method_and_never_touches_the_wallet() {
    money(
        "",
        "
        top_up billing_account=ba-a amount=20.00 currency=USD method=visa test=true         -> invalid_amount
        top_up billing_account=ba-a amount=1.00 currency=USD method=bank_transfer test=true -> method_not_allowed
        top_up billing_account=ba-a amount=1.00 currency=USD method=visa test=true
        asked ba-a                  -> test 1 visa
        answers ba-a succeeded
        balance ba-a                -> cash=0
        told ba-a                   ->
        top_up billing_account=ba-a amount=1.00 currency=USD method=visa test=true
        answers ba-a declined
        told ba-a                   -> test_top_up_failed
        answers ba-a succeeded
        balance ba-a                -> cash=0
        ",
    );
}

#[test]
fn r7_3_a_claim_is_taken_by_a_direct_wallet_of_its_currency() {
    money(
        "",
        "
        use a p 500
        at 2026-03-01T01:00:00Z
        claims ba-x 30.00 USD       -> not_found
        claims ba-b 30.00 EUR       -> not_for_ecosystem
        claims ba-a 30.00 none      -> not_found
        claims ba-a 30.00 EUR       -> currency_mismatch
        claims ba-a 30.00 USD
        balance ba-a                -> cash=25 available=25
        ",
    );
}

#[test]
fn r7_7_own_cash_can_be_withdrawn_as_far_as_it_is_transferable() {
    money(
        "",
        "
        top_up billing_account=ba-a amount=50.00 currency=USD method=bank_transfer
        transfer from=ba-a to=ba-d amount=20.00   -> partner_pays
        withdraw billing_account=ba-x amount=0.001 -> not_found
        withdraw billing_account=ba-b amount=0.001 -> not_for_ecosystem
        withdraw billing_account=ba-a amount=0.001 -> invalid_amount
        withdraw billing_account=ba-a amount=0.00  -> invalid_amount
        withdraw billing_account=ba-a amount=50.01 -> exceeds_transferable
        use a p 1000
        withdraw billing_account=ba-a amount=40.01 -> exceeds_transferable
        withdraw billing_account=ba-a amount=30.00 reason=moved
        balance ba-a                               -> cash=20 available=10
        unlink_payment_method billing_account=ba-a method=visa
        use a p 1001
        withdraw billing_account=ba-a amount=1.00  -> overdue
        ",
    );
}

/// R9.1: what can be transferred is rounded down, whatever of a cent the open cycle has come to.
#[test]
fn r9_1_the_transferable_amount_is_rounded_down() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        open_account account=c enterprise=e email=c@x.example currency=USD mode=postpaid
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        use a p 0.4
        balance ba-a                    -> available=19.996 transferable=19.99
        transfer from=ba-a to=ba-c amount=20.00 -> exceeds_transferable
        transfer from=ba-a to=ba-c amount=19.99
        balance ba-a                    -> available=0.006 overdue=false
        ",
    );
}

/// R5.9: the operator adjusts own cash with a reason, and never below zero: what others sent is not his to take.
#[test]
fn r5_9_every_refusal_of_an_adjustment_in_its_order() {
    let desk = money(
        "",
        "
        open_account account=s enterprise=e email=s@x.example currency=USD mode=postpaid
        top_up billing_account=ba-s amount=50 currency=USD method=bank_transfer
        transfer from=ba-s to=ba-a amount=30.00
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        adjust billing_account=ba-x amount=0.001      -> not_found
        adjust billing_account=ba-b amount=0.001      -> not_for_ecosystem
        adjust billing_account=ba-a amount=0.001      -> invalid_amount
        adjust billing_account=ba-a amount=0.00       -> invalid_amount
        adjust billing_account=ba-a amount=-20.01     -> malformed
        adjust billing_account=ba-a amount=-20.01 reason=mistake -> insufficient_funds
        adjust billing_account=ba-a amount=-20.00 reason=mistake
        balance ba-a                -> cash=30 cash_transferred_in=30
        adjust billing_account=ba-a amount=5.00 reason=goodwill
        balance ba-a                -> cash=35 cash_transferred_in=30
        ",
    );
    // Why stands with the entry.
    let reasons = desk.recorder.0.iter().filter_map(|fact| match fact {
        Fact::Moved(moved) if moved.cause == Cause::Adjustment => {
            moved.remark.as_ref().map(|it| it.as_str())
        }
        _ => None,
    });
    assert_eq!(reasons.collect::<Vec<_>>(), ["mistake", "goodwill"], "R5.9");
}

/// R7.1, R7.3, R7.7, R9.1: whatever moves cash says by which method it came, and what was remarked on it.
#[test]
fn r7_1_every_movement_keeps_its_remark_and_its_method() {
    let desk = money(
        "",
        "
        open_account account=s enterprise=e email=s@x.example currency=USD mode=postpaid
        top_up billing_account=ba-a amount=30.00 currency=USD method=bank_transfer remark=may
        top_up billing_account=ba-a amount=20.00 currency=USD method=visa remark=june
        answers ba-a succeeded
        claims ba-a 10.00 USD
        withdraw billing_account=ba-a amount=5.00 reason=moved
        transfer from=ba-a to=ba-s amount=8.00 remark=rent
        revoke_transfer from=ba-a to=ba-s amount=3.00 remark=mistake
        ",
    );
    let moved = desk.recorder.0.iter().filter_map(|fact| match fact {
        Fact::Moved(moved) => {
            let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
            let method = text(moved.method.as_ref().map(|it| it.as_str()));
            let remark = text(moved.remark.as_ref().map(|it| it.as_str()));
            Some(format!("{:?} {} {method} {remark}", moved.cause, moved.amount))
        }
        _ => None,
    });
    let expected = [
        "TopUp 30 bank_transfer may",
        "TopUp 20 visa june",
        "Remittance 10 bank_transfer r",
        "Withdrawal -5 - moved",
        "Transfer -8 - rent",
        "Transfer 8 - rent",
        "Revocation -3 - mistake",
        "Revocation 3 - mistake",
    ];
    assert_eq!(moved.collect::<Vec<_>>(), expected);
}

/// R4.1: a quota is nothing or more, payable in its currency, and of whoever settles with a partner alone.
#[test]
fn r4_1_every_refusal_of_a_quota() {
    money(
        "",
        "
        set_quota billing_account=ba-x quota=-1     -> not_found
        set_quota billing_account=ba-a quota=-1     -> not_found
        set_quota billing_account=ba-b quota=-1     -> invalid_amount
        set_quota billing_account=ba-b quota=0.001  -> invalid_amount
        set_quota billing_account=ba-b quota=0.01
        balance ba-b                -> quota=0.01 available=0.01
        set_quota billing_account=ba-b quota=0
        balance ba-b                -> quota=0 available=0
        ",
    );
}
