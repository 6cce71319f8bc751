//! R5.8: orders and their refunds.

mod common;
use common::Case;
use serde_json::{Value, json};

fn order(id: &str, amount: &str) -> Value {
    json!({ "billing_account": "ba-a", "order": id, "amount": amount, "product": "plan" })
}

fn refund(id: &str, amount: &str, to: &str) -> Value {
    json!({ "billing_account": "ba-a", "order": id, "amount": amount, "to": to })
}

#[test]
fn an_order_is_paid_by_coupons_and_then_the_wallet() {
    // R5.8
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "10", json!({ "products": ["plan"] }));
    case.coupon("2026-03-01T00:00", "k", "5", json!({ "cash": true }));
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    case.accept("2026-03-01T00:10", "place_order", order("o", "40"));
    assert_eq!((case.left("c"), case.left("k")), ("0".to_string(), "0".to_string()));
    case.shows("ba-a", &[("cash", "75"), ("available", "75")]);
    let bills = case.keeper.bills();
    assert_eq!(
        (bills[0].order.as_deref(), bills[0].account.as_str(), bills[0].month.as_str()),
        (Some("o"), "a", "2026-03")
    );
    assert_eq!((bills[0].amount.as_str(), bills[0].paid.as_str()), ("40", "40"));
}

#[test]
fn without_funds_nothing_is_bought() {
    // R5.8
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "39.99");
    case.coupon("2026-03-01T00:00", "c", "10", json!({ "minimum": "100" }));
    case.refuse("2026-03-01T00:10", "place_order", order("o", "40"), "insufficient_funds");
    assert!(case.keeper.bills().is_empty());
    case.shows("ba-a", &[("cash", "39.99")]);
    // The refused order did not count for the minimum either.
    case.accept("2026-03-01T00:10", "place_order", order("o", "39.99"));
    assert_eq!(case.left("c"), "10");
}

#[test]
fn with_a_limit_the_rest_may_stay_unpaid() {
    // R5.8: 20 cash, limit 50, 15 used and not yet billed: 55 are available.
    let mut case = Case::new();
    case.limit("2026-03-01T00:00", "ba-a", "50");
    case.adjust("2026-03-01T00:00", "ba-a", "20");
    case.uses("2026-03-01T00:05", "a", "unit/usd", "15");
    case.refuse("2026-03-01T00:10", "place_order", order("o", "55.01"), "insufficient_funds");
    case.accept("2026-03-01T00:10", "place_order", order("o", "55"));
    case.shows(
        "ba-a",
        &[("cash", "0"), ("available", "0"), ("unsettled_current", "50"), ("overdue", "false")],
    );
    assert_eq!(case.paid(), ["20"]);
    case.top_up("2026-03-01T00:20", "ba-a", "35");
    assert_eq!(case.paid(), ["55"]);
}

#[test]
fn a_coupon_spent_on_an_order_no_longer_covers_usage() {
    // R4.2, R5.8: limit 50; usage 10 is covered by the coupon, until the order takes the coupon.
    let mut case = Case::new();
    case.limit("2026-03-01T00:00", "ba-a", "50");
    case.coupon("2026-03-01T00:00", "c", "10", json!({}));
    case.uses("2026-03-01T00:05", "a", "unit/usd", "10");
    case.shows("ba-a", &[("available", "50")]);
    case.refuse("2026-03-01T00:10", "place_order", order("o", "50.01"), "insufficient_funds");
    case.accept("2026-03-01T00:10", "place_order", order("o", "50"));
    case.shows("ba-a", &[("available", "0")]);
}

#[test]
fn an_order_counts_for_the_minimum_of_coupons() {
    // R5.2, R5.8
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    case.coupon("2026-03-01T00:00", "c", "10", json!({ "minimum": "40" }));
    case.accept("2026-03-01T00:10", "place_order", order("o", "40"));
    case.shows("ba-a", &[("cash", "70")]);
}

#[test]
fn a_refund_to_cash_gives_coupons_back_to_coupons() {
    // R5.8
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "10", json!({}));
    case.coupon("2026-03-01T00:00", "k", "5", json!({ "cash": true }));
    case.accept("2026-03-01T00:00", "refund_order", refund("elsewhere", "4", "credit"));
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    case.accept("2026-03-01T00:10", "place_order", order("o", "40"));
    case.shows("ba-a", &[("cash", "79"), ("credit_refund", "0")]);
    case.accept("2026-03-01T00:20", "refund_order", refund("o", "21", "cash"));
    case.shows("ba-a", &[("cash", "100"), ("credit_refund", "0")]);
    case.accept("2026-03-01T00:20", "refund_order", refund("o", "19", "cash"));
    case.shows("ba-a", &[("cash", "100"), ("credit_refund", "4")]);
    assert_eq!((case.left("c"), case.left("k")), ("10".to_string(), "5".to_string()));
    case.refuse("2026-03-01T00:20", "refund_order", refund("o", "0.01", "cash"), "invalid_amount");
    // What was invoiced stays invoiced.
    assert_eq!((case.amounts(), case.paid()), (vec!["40".to_string()], vec!["40".to_string()]));
}

#[test]
fn what_an_expired_coupon_paid_is_lost() {
    // R5.8
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "10", json!({}));
    case.adjust("2026-03-01T00:00", "ba-a", "30");
    case.accept("2026-03-01T00:10", "place_order", order("o", "40"));
    case.accept("2026-04-01T00:00", "refund_order", refund("o", "40", "cash"));
    case.shows("ba-a", &[("cash", "30")]);
    assert_eq!(case.left("c"), "0");
}

#[test]
fn an_order_on_credit_can_be_refunded_as_a_credit_refund() {
    // R5.5, R5.8
    let mut case = Case::new();
    case.limit("2026-03-01T00:00", "ba-a", "50");
    case.adjust("2026-03-01T00:00", "ba-a", "10");
    case.accept("2026-03-01T00:10", "place_order", order("paid", "10"));
    case.refuse(
        "2026-03-01T00:10",
        "refund_order",
        refund("paid", "10", "credit"),
        "method_not_allowed",
    );
    case.accept("2026-03-01T00:10", "place_order", order("o", "30"));
    case.accept("2026-03-01T00:20", "refund_order", refund("o", "30", "credit"));
    // The refund of this month pays the order's bill at once.
    case.shows("ba-a", &[("credit_refund", "0"), ("unsettled_current", "0"), ("available", "50")]);
    assert_eq!(case.paid(), ["10", "30"]);

    case.accept("2026-03-01T00:30", "place_order", order("march", "30"));
    case.accept("2026-04-01T00:00", "refund_order", refund("march", "30", "credit"));
    case.shows(
        "ba-a",
        &[("credit_refund", "30"), ("unsettled_previous", "30"), ("available", "50")],
    );
}

#[test]
fn a_refund_to_cash_never_pays_out_what_was_never_paid() {
    // R5.8: 10 of the order were paid, 30 rest on the limit.
    let mut case = Case::new();
    case.limit("2026-03-01T00:00", "ba-a", "50");
    case.adjust("2026-03-01T00:00", "ba-a", "10");
    case.accept("2026-03-01T00:10", "place_order", order("o", "40"));
    case.accept("2026-03-01T00:20", "refund_order", refund("o", "35", "cash"));
    case.shows("ba-a", &[("cash", "5"), ("unsettled_current", "0"), ("available", "55")]);
}

#[test]
fn the_cash_of_a_sender_comes_back_as_the_senders() {
    // R5.8, R9.2
    let mut case = Case::new();
    case.open("b", json!({}));
    case.adjust("2026-03-01T00:00", "ba-b", "50");
    case.accept(
        "2026-03-01T00:00",
        "transfer",
        json!({ "from": "ba-b", "to": "ba-a", "amount": "50" }),
    );
    case.accept("2026-03-01T00:10", "place_order", order("o", "50"));
    case.accept("2026-03-01T00:20", "refund_order", refund("o", "50", "cash"));
    case.shows("ba-a", &[("cash", "50"), ("cash_transferred_in", "50"), ("transferable", "0")]);
}

#[test]
fn the_operator_vouches_for_an_order_of_elsewhere() {
    // R5.8
    let mut case = Case::new();
    case.accept("2026-03-01T00:00", "refund_order", refund("x", "7", "cash"));
    case.accept("2026-03-01T00:00", "refund_order", refund("y", "3", "credit"));
    case.refuse("2026-03-01T00:00", "refund_order", refund("z", "3", "original"), "not_found");
    case.shows("ba-a", &[("cash", "7"), ("credit_refund", "3")]);
}

#[test]
fn an_ecosystem_order_takes_quota_and_gives_it_back() {
    // R4.1, R5.8
    let mut case = Case::new();
    case.open("e", json!({ "kind": "ecosystem" }));
    case.accept(
        "2026-03-01T00:00",
        "set_quota",
        json!({ "billing_account": "ba-e", "quota": "50" }),
    );
    let of = |amount: &str| json!({ "billing_account": "ba-e", "order": "o", "amount": amount });
    case.refuse("2026-03-01T00:00", "place_order", of("50.01"), "insufficient_funds");
    case.accept("2026-03-01T00:00", "place_order", of("50"));
    case.shows("ba-e", &[("quota_consumed", "50"), ("available", "0")]);
    let back =
        |to: &str| json!({ "billing_account": "ba-e", "order": "o", "amount": "20", "to": to });
    case.refuse("2026-03-01T00:00", "refund_order", back("cash"), "not_for_ecosystem");
    case.accept("2026-03-01T00:00", "refund_order", back("original"));
    case.shows("ba-e", &[("quota_consumed", "30"), ("available", "20")]);
}
