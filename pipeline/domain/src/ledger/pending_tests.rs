//! Orders by a chosen method: every refusal, in its order, and what becomes of them.

use super::super::asking::Asking;
use super::super::desk_tests::check;
use super::super::{Book, Cause, Fact};
use crate::money::Amount;

fn linked() -> Asking {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "30", currency = "USD", method = "bank_transfer" | ok
        operator | link_payment_method | billing_account = "ba-a", method = "visa", kind = "card", token = "t", expires = "2029-12" | ok
        answer | ba-a | succeeded
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | ok
        "#,
    );
    asking
}

/// R5.8: what coupons and wallet do not cover is charged; bought once that succeeds. R6.3: meanwhile nothing
/// else spends it.
#[test]
fn r5_8_an_order_is_bought_once_its_payment_succeeds() {
    let mut asking = linked();
    asking.table(
        r#"
        a | place_order | billing_account = "ba-a", order = "o", amount = "100", account = "x" | different_enterprise
        a | place_order | billing_account = "ba-a", order = "o", amount = "100", account = "of-another-ledger" | different_enterprise
        a | place_order | billing_account = "ba-a", order = "o", amount = "100", method = "none" | method_not_allowed
        a | place_order | billing_account = "ba-a", order = "o", amount = "100", method = "bank_transfer" | method_not_allowed
        a | place_order | billing_account = "ba-a", order = "o", amount = "100", method = "visa" | ok
        see | balance ba-a | cash = "0", available = "0", in_flight = "35"
        a | place_order | billing_account = "ba-a", order = "o", amount = "100", method = "visa" | already_exists
        a | place_order | billing_account = "ba-a", order = "p", amount = "100", method = "visa" | payment_in_progress
        a | pay | billing_account = "ba-a" | payment_in_progress
        use | a | 7
        at | 2026-03-01T01:00:00Z
        # The bill of the hour cannot take what is set aside.
        see | balance ba-a | cash = "0", unsettled_current = "7"
        answer | ba-a | succeeded
        see | balance ba-a | cash = "0", unsettled_current = "7"
        # Said twice, it is booked once.
        answer | ba-a | succeeded
        see | balance ba-a | cash = "0"
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "65", to = "original" | ok
        # What the method paid comes back as cash, which pays the bill.
        see | balance ba-a | cash = "58", unsettled_current = "0"
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "35", to = "original" | ok
        see | balance ba-a | cash = "88"
        # All of it is covered by now: nothing is charged.
        a | place_order | billing_account = "ba-a", order = "q", amount = "93", method = "visa" | ok
        see | balance ba-a | cash = "0"
        "#,
    );
}

/// R5.8, R6.4: declined, nothing is bought, and what was set aside is free again; paid after all, it is cash.
#[test]
fn r5_8_an_order_whose_payment_is_declined_is_not_bought() {
    let mut asking = linked();
    asking.table(
        r#"
        a | place_order | billing_account = "ba-a", order = "o", amount = "100", method = "visa" | ok
        use | a | 7
        at | 2026-03-01T01:00:00Z
        answer | ba-a | declined
        # The coupon is back, but bills are paid from coupons at their issue only.
        see | balance ba-a | cash = "23", unsettled_current = "0"
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "1", to = "original" | not_found
        answer | ba-a | succeeded
        see | balance ba-a | cash = "88"
        a | place_order | billing_account = "ba-a", order = "o", amount = "93", method = "visa" | ok
        see | balance ba-a | cash = "0"
        operator | unlink_payment_method | billing_account = "ba-a", method = "visa" | ok
        a | place_order | billing_account = "ba-a", order = "p", amount = "1", method = "visa" | method_not_allowed
        "#,
    );
}

/// R5.8: with a credit limit the rest of an order may stay unpaid while available credit stays at zero or above.
#[test]
fn r5_8_the_limit_carries_an_order_down_to_nothing() {
    Asking::with_members().table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "20", currency = "USD", method = "bank_transfer" | ok
        operator | set_credit_limit | billing_account = "ba-a", limit = "50" | ok
        operator | confirm_contract | billing_account = "ba-a" | ok
        a | place_order | billing_account = "ba-a", order = "o", amount = "70.01" | insufficient_funds
        a | place_order | billing_account = "ba-a", order = "o", amount = "70" | ok
        see | balance ba-a | cash = "0", unsettled_current = "50", available = "0"
        "#,
    );
}

/// R1.3, R12.3: what a coupon pays of an order that waited for its method is on no invoice, by the facts and by the
/// state alike.
#[test]
fn r1_3_what_a_coupon_pays_of_a_waiting_order_is_not_to_be_invoiced() {
    let mut asking = linked();
    asking.table(
        r#"
        a | place_order | billing_account = "ba-a", order = "o", amount = "100", method = "visa" | ok
        answer | ba-a | succeeded
        "#,
    );
    let due = Amount::whole(95);
    assert_eq!(asking.booked("ba-a", Book::ToInvoice), (due, due), "R1.3");
}

/// R5.8, R6.5: an order that was declined begins no series of tries: what else is owed waits for its own time. What is
/// set aside and freed names the order it was for.
#[test]
fn r6_5_a_declined_order_is_not_tried_again() {
    let desk = check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        link_payment_method billing_account=ba-a method=visa kind=card token=t expires=2029-12 -> later
        answers ba-a succeeded
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        place_order billing_account=ba-a order=o amount=50 method=visa
        asked ba-a                  -> order 30 visa
        balance ba-a                -> cash=0 in_flight=20
        answers ba-a declined
        balance ba-a                -> cash=20 in_flight=0
        place_order billing_account=ba-a order=q amount=50 method=visa
        asked ba-a                  -> order 30 visa
        answers ba-a succeeded
        balance ba-a                -> cash=0 in_flight=0 unsettled_current=0
        use a p 500
        at 2026-03-20T00:00:00Z
        asked ba-a                  ->
        balance ba-a                -> unsettled_current=5
        at 2026-04-01T00:00:00Z
        asked ba-a                  -> month_end 5 visa
        ",
    );
    let declined = desk.recorder.0.iter().find_map(|fact| match fact {
        Fact::PaymentEnded(ended) => Some((ended.payment.by_hand, ended.retry_at)),
        _ => None,
    });
    assert_eq!(declined, Some((true, None)), "R6.5");
    let held = desk.recorder.0.iter().filter_map(|fact| match fact {
        Fact::Moved(moved) if moved.cause == Cause::Held => {
            Some((moved.amount, moved.remark.as_ref().map_or("", |it| it.as_str())))
        }
        _ => None,
    });
    let (out, back) = (Amount::whole(-20), Amount::whole(20));
    assert_eq!(held.collect::<Vec<_>>(), [(out, "o"), (back, "o"), (out, "q")]);
}
