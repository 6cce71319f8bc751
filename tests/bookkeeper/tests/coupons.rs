//! R5.2: coupons.

mod common;
use common::Case;
use serde_json::json;

#[test]
fn soonest_expiry_then_smallest_remainder_then_id() {
    // R5.2
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "late", "1", json!({ "valid_until": "2026-05-01T00:00:00Z" }));
    case.coupon("2026-03-01T00:00", "big", "4", json!({}));
    case.coupon("2026-03-01T00:00", "twin-b", "3", json!({}));
    case.coupon("2026-03-01T00:00", "twin-a", "3", json!({}));
    case.coupon("2026-03-01T00:00", "soon", "2", json!({ "valid_until": "2026-03-20T00:00:00Z" }));
    case.uses("2026-03-01T00:30", "a", "unit/usd", "12.50");
    case.pass("2026-03-01T01:00");
    let order: Vec<_> = case
        .keeper
        .entries()
        .into_iter()
        .filter(|entry| entry.cause == "bill" && entry.asset == "coupon")
        .collect();
    let order: Vec<_> =
        order.iter().map(|entry| (entry.lot.as_str(), entry.amount.as_str())).collect();
    assert_eq!(
        order,
        [("soon", "-2"), ("twin-a", "-3"), ("twin-b", "-3"), ("big", "-4"), ("late", "-0.5")]
    );
}

#[test]
fn a_coupon_is_valid_by_time_of_use_even_if_expired_since() {
    // R5.2: valid until 00:40; the use of 00:30 is covered, that of 00:40 is not, though the bill is of 01:00.
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "10", json!({ "valid_until": "2026-03-01T00:40:00Z" }));
    case.uses("2026-03-01T00:30", "a", "unit/usd", "3.50");
    case.uses("2026-03-01T00:40", "a", "unit/usd", "2");
    case.shows("ba-a", &[("unsettled_current", "2")]);
    case.pass("2026-03-01T01:00");
    assert_eq!((case.paid(), case.left("c")), (vec!["3.5".to_string()], "6.5".to_string()));
    case.uses_late("2026-03-03T00:30", "2026-03-01T00:20", "a", "unit/usd", "4");
    case.pass("2026-03-03T01:00");
    assert_eq!(case.left("c"), "2.5");
}

#[test]
fn a_coupon_begins_with_a_full_minute() {
    // R3.1
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "10", json!({ "valid_from": "2026-03-01T00:30:10Z" }));
    case.uses("2026-03-01T00:30:59Z", "a", "unit/usd", "3");
    case.uses("2026-03-01T00:31", "a", "unit/usd", "4");
    case.pass("2026-03-01T01:00");
    assert_eq!(case.left("c"), "6");
}

#[test]
fn never_more_than_the_eligible_charges() {
    // R5.2: where a part of a bill is eligible, that part is rounded down; where all of it is, all of it is paid.
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "10", json!({ "valid_until": "2026-03-01T00:40:00Z" }));
    case.uses("2026-03-01T00:30", "a", "unit/usd", "1.009");
    case.uses("2026-03-01T00:50", "a", "unit/usd", "1.007");
    case.pass("2026-03-01T01:00");
    assert_eq!((case.amounts(), case.paid()), (vec!["2.02".to_string()], vec!["1".to_string()]));
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "10", json!({}));
    case.uses("2026-03-01T00:30", "a", "unit/usd", "1.006");
    case.pass("2026-03-01T01:00");
    assert_eq!((case.amounts(), case.paid()), (vec!["1.01".to_string()], vec!["1.01".to_string()]));
}

#[test]
fn two_coupons_do_not_pay_the_same_charge() {
    // R5.2: both are valid at 00:10 only, where 3 was used; 5 was used later.
    let mut case = Case::new();
    for coupon in ["c", "d"] {
        case.coupon(
            "2026-03-01T00:00",
            coupon,
            "2",
            json!({ "valid_until": "2026-03-01T00:20:00Z" }),
        );
    }
    case.uses("2026-03-01T00:10", "a", "unit/usd", "3");
    case.uses("2026-03-01T00:30", "a", "unit/usd", "5");
    case.pass("2026-03-01T01:00");
    assert_eq!(
        (case.left("c"), case.left("d"), case.paid()),
        ("0".into(), "1".into(), vec!["3".to_string()])
    );
}

#[test]
fn a_coupon_takes_the_earliest_use_first_and_leaves_the_rest_to_others() {
    // R5.2: `early` is valid for both uses, `late` from 00:20 on; together they pay all.
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "early", "3", json!({ "valid_until": "2026-03-02T00:00:00Z" }));
    case.coupon("2026-03-01T00:00", "late", "3", json!({ "valid_from": "2026-03-01T00:20:00Z" }));
    case.uses("2026-03-01T00:10", "a", "unit/usd", "3");
    case.uses("2026-03-01T00:30", "a", "unit/usd", "3");
    case.pass("2026-03-01T01:00");
    assert_eq!(case.paid(), ["6"]);
}

#[test]
fn a_coupon_may_be_for_some_products() {
    // R5.2
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "10", json!({ "products": ["compute", "storage"] }));
    case.uses("2026-03-01T00:30", "a", "unit/usd", "5");
    case.uses("2026-03-01T00:30", "a", "compute/hours", "6");
    case.shows("ba-a", &[("unsettled_current", "5")]);
    case.pass("2026-03-01T01:00");
    assert_eq!(
        (case.paid(), case.left("c")),
        (vec!["3".to_string(), "0".to_string()], "7".to_string())
    );
}

#[test]
fn the_minimum_counts_the_month_with_all_bills_of_the_instant() {
    // R5.2: `compute` is taken before `unit`, but both bills count. Before coupons: what coupons paid counts as well.
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "100", json!({ "minimum": "10" }));
    case.uses("2026-03-01T00:30", "a", "unit/usd", "4");
    case.pass("2026-03-01T01:00");
    assert_eq!(case.left("c"), "100");
    case.uses("2026-03-01T01:30", "a", "compute/hours", "2");
    case.shows("ba-a", &[("unsettled_current", "5")]);
    case.uses("2026-03-01T01:30", "a", "unit/usd", "5");
    case.shows("ba-a", &[("unsettled_current", "4")]);
    case.pass("2026-03-01T02:00");
    assert_eq!(case.paid(), ["0", "1", "5"]);
    case.uses("2026-03-01T02:30", "a", "unit/usd", "1");
    case.pass("2026-03-01T03:00");
    assert_eq!(case.left("c"), "93");
}

#[test]
fn the_minimum_counts_products_in_scope_and_this_month_only() {
    // R5.2
    let mut case = Case::new();
    let further =
        json!({ "minimum": "10", "products": ["unit"], "valid_until": "2026-05-01T00:00:00Z" });
    case.coupon("2026-03-01T00:00", "c", "100", further);
    case.uses("2026-03-01T00:30", "a", "unit/usd", "9.99");
    case.uses("2026-03-01T00:30", "a", "compute/hours", "100");
    case.pass("2026-03-01T01:00");
    case.uses("2026-04-01T00:30", "a", "unit/usd", "9.99");
    case.pass("2026-04-01T01:00");
    assert_eq!(case.left("c"), "100");
    case.uses("2026-04-01T01:30", "a", "unit/usd", "0.01");
    case.pass("2026-04-01T02:00");
    assert_eq!(case.left("c"), "99.99");
}

#[test]
fn bills_of_one_instant_are_taken_by_account_then_product() {
    // R5.2
    let mut case = Case::new();
    case.open("b", json!({}));
    let change = json!({ "account": "b", "billing_account": "ba-a" });
    case.accept("2026-03-01T00:00", "change_payer", change);
    case.coupon("2026-03-01T00:00", "c", "5", json!({}));
    case.uses("2026-03-01T00:20", "b", "compute/hours", "6");
    case.uses("2026-03-01T00:30", "a", "unit/usd", "3");
    case.uses("2026-03-01T00:40", "a", "storage/gb", "110");
    case.pass("2026-03-01T01:00");
    let bill = |account: &str, product: &str, amount: &str, paid: &str| {
        (account.to_string(), product.to_string(), amount.to_string(), paid.to_string())
    };
    let expected = [
        bill("a", "storage", "1", "1"),
        bill("a", "unit", "3", "3"),
        bill("b", "compute", "3", "1"),
    ];
    assert_eq!(case.bills(), expected);
}

#[test]
fn a_coupon_pays_at_issue_only() {
    // R5.2
    let mut case = Case::new();
    case.uses("2026-03-01T00:30", "a", "unit/usd", "3");
    case.pass("2026-03-01T01:00");
    case.coupon("2026-03-01T01:00", "c", "5", json!({}));
    case.pass("2026-03-01T03:00");
    assert_eq!((case.left("c"), case.paid()), ("5".to_string(), vec!["0".to_string()]));
}
