//! Orders are given back: to which lots, with which entries.

use super::super::asking::Asking;
use super::super::{Book, Fact};
use super::*;

/// What was refunded: lot, amount, whether it names a bill, and its remark.
fn refunded(asking: &Asking) -> Vec<String> {
    let moved = asking.facts.0.iter().filter_map(|fact| match fact {
        Fact::Moved(moved) if moved.cause == Cause::Refund => Some(moved),
        _ => None,
    });
    let said = moved.map(|it| {
        let lot = match &it.lot {
            Lot::OwnCash(_) => "cash",
            Lot::CouponLot(_) => "coupon",
            Lot::RefundedCredit(_) => "credit",
            other => panic!("{other:?}"),
        };
        format!("{lot} {} {:?} {}", it.amount, it.bill, it.remark.as_ref().unwrap().as_str())
    });
    said.collect()
}

/// R5.8, R4.4: an order is given back from its end, and each entry names its order and the bill that was paid; one of
/// the platform's own system has no bill here.
#[test]
fn r5_8_the_entries_of_a_refund_name_its_order() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | adjust | billing_account = "ba-a", amount = "100", reason = "r" | ok
        operator | grant_coupon | billing_account = "ba-a", coupon = "k", amount = "20", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | ok
        operator | place_order | billing_account = "ba-a", order = "first", amount = "1" | ok
        operator | place_order | billing_account = "ba-a", order = "o", amount = "50" | ok
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "50.01", to = "original" | invalid_amount
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "1", to = "credit" | method_not_allowed
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "40", to = "original" | ok
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "10", to = "cash" | ok
        operator | refund_order | billing_account = "ba-a", order = "o", amount = "0.01", to = "cash" | invalid_amount
        operator | refund_order | billing_account = "ba-a", order = "foreign", amount = "1", to = "original" | not_found
        operator | refund_order | billing_account = "ba-a", order = "foreign", amount = "7", to = "cash" | ok
        operator | refund_order | billing_account = "ba-a", order = "foreign", amount = "8", to = "credit" | ok
        see | balance ba-a | cash = "107", credit_refund = "8"
        "#,
    );
    let expected = [
        "cash 31 Some(2) o",
        "coupon 9 Some(2) o",
        "coupon 10 Some(2) o",
        "cash 7 None foreign",
        "credit 8 None foreign",
    ];
    assert_eq!(refunded(&asking), expected);
}

/// R5.5: a refund to credit lowers what is unsettled, never what is invoiced.
#[test]
fn r5_5_what_a_refund_to_credit_pays_is_invoiced_all_the_same() {
    let mut asking = Asking::with_members();
    asking.table(
        r#"
        operator | refund_order | billing_account = "ba-a", order = "elsewhere", amount = "30", to = "credit" | ok
        use | a | 10
        see | balance ba-a | credit_refund = "30", unsettled_current = "10"
        at | 2026-03-01T01:00:00Z
        see | balance ba-a | credit_refund = "20", unsettled_current = "0"
        "#,
    );
    let used = Amount::whole(10);
    assert_eq!(asking.booked("ba-a", Book::ToInvoice), (used, used));
}
