//! Section 4: the wallet.

mod common;
use common::{Case, at};
use serde_json::json;

#[test]
fn the_example_of_the_contract() {
    let mut case = Case::new();
    case.top_up("2026-03-01T00:00", "ba-a", "100.00");
    case.uses("2026-03-01T01:30", "a", "compute/hours", "40");
    case.shows(
        "ba-a",
        &[
            ("cash", "100"),
            ("unsettled_current", "20"),
            ("available", "80"),
            ("transferable", "80"),
        ],
    );
    case.pass("2026-03-01T02:00");
    case.shows(
        "ba-a",
        &[("cash", "80"), ("unsettled_current", "0"), ("available", "80"), ("transferable", "80")],
    );
}

#[test]
fn the_worked_case_of_available_credit() {
    // R4.3: cash 100, limit 50, refund 5, unsettled 30 and 20: 105.
    let mut case = Case::new();
    case.limit("2026-02-01T00:00", "ba-a", "50");
    case.configure("2026-02-01T00:00", "ba-a", "auto_write_off", json!(false));
    case.uses("2026-02-10T00:30", "a", "unit/usd", "20");
    case.uses("2026-03-10T00:30", "a", "unit/usd", "30");
    case.top_up("2026-03-10T02:00", "ba-a", "100");
    let refund =
        json!({ "billing_account": "ba-a", "order": "elsewhere-1", "amount": "5", "to": "credit" });
    case.accept("2026-03-10T02:00", "refund_order", refund);
    case.shows(
        "ba-a",
        &[
            ("cash", "100"),
            ("credit_limit", "50"),
            ("credit_refund", "5"),
            ("unsettled_current", "30"),
            ("unsettled_previous", "20"),
            ("available", "105"),
            ("transferable", "100"),
        ],
    );
}

#[test]
fn coupons_lower_what_is_unsettled_but_are_not_in_available_credit() {
    // R4.2, R4.3
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "5", json!({}));
    case.shows("ba-a", &[("available", "0")]);
    case.uses("2026-03-01T00:30", "a", "unit/usd", "5.004");
    case.shows("ba-a", &[("unsettled_current", "0.004"), ("available", "-0.004")]);
    assert_eq!(case.left("c"), "5");
    case.pass("2026-03-01T01:00");
    assert_eq!(
        (case.amounts(), case.paid(), case.left("c")),
        (vec!["5".into()], vec!["5".into()], "0".to_string())
    );
}

#[test]
fn cash_coupons_are_not_in_available_credit_and_do_not_lower_what_is_unsettled() {
    // R4.2, R4.3
    let mut case = Case::new();
    case.coupon("2026-03-01T00:00", "c", "5", json!({ "cash": true }));
    case.uses("2026-03-01T00:30", "a", "unit/usd", "3");
    case.shows("ba-a", &[("unsettled_current", "3"), ("available", "-3")]);
    case.pass("2026-03-01T01:00");
    case.shows("ba-a", &[("unsettled_current", "0"), ("available", "0"), ("cash", "0")]);
    assert_eq!(case.left("c"), "2");
}

#[test]
fn the_new_month_begins_after_the_bills_of_the_old_one() {
    // R3.6, R4.2
    let mut case = Case::new();
    case.uses("2026-03-31T23:30", "a", "unit/usd", "7");
    case.pass("2026-03-31T23:59:59Z");
    case.shows("ba-a", &[("unsettled_current", "7"), ("unsettled_previous", "0")]);
    case.pass("2026-04-01T00:00");
    case.shows("ba-a", &[("unsettled_current", "0"), ("unsettled_previous", "7")]);
}

#[test]
fn an_ecosystem_billing_account_consumes_a_quota() {
    // R4.1, R4.3
    let mut case = Case::new();
    case.open("e", json!({ "kind": "ecosystem", "partner": "p" }));
    case.accept(
        "2026-03-01T00:00",
        "set_quota",
        json!({ "billing_account": "ba-e", "quota": "100" }),
    );
    case.uses("2026-03-01T00:30", "e", "unit/usd", "30.004");
    case.shows(
        "ba-e",
        &[
            ("quota", "100"),
            ("quota_consumed", "0"),
            ("unbilled", "30.004"),
            ("available", "69.996"),
        ],
    );
    case.pass("2026-03-01T01:00");
    case.shows(
        "ba-e",
        &[("quota_consumed", "30"), ("unbilled", "0"), ("available", "70"), ("overdue", "false")],
    );
    assert_eq!(case.paid(), ["30"]);
    case.uses("2026-03-01T01:30", "e", "unit/usd", "71");
    case.pass("2026-03-01T02:00");
    case.shows("ba-e", &[("quota_consumed", "101"), ("available", "-1"), ("overdue", "true")]);
    case.accept(
        "2026-03-01T02:00",
        "set_quota",
        json!({ "billing_account": "ba-e", "quota": "150" }),
    );
    case.shows("ba-e", &[("available", "49")]);
    let moves = case.moves("ba-e", "quota");
    let amounts: Vec<_> =
        moves.iter().map(|(cause, amount)| (cause.as_str(), amount.as_str())).collect();
    assert_eq!(
        amounts,
        [("quota_set", "100"), ("bill", "-30"), ("bill", "-71"), ("quota_set", "50")]
    );
}

#[test]
fn a_cheaper_tier_gives_quota_back() {
    // R3.2, R4.3
    let mut case = Case::new();
    case.open("e", json!({ "kind": "ecosystem" }));
    case.accept(
        "2026-03-01T00:00",
        "set_quota",
        json!({ "billing_account": "ba-e", "quota": "200" }),
    );
    case.uses("2026-03-01T00:30", "e", "traffic/gb", "1000");
    case.uses("2026-03-01T01:30", "e", "traffic/gb", "200");
    case.pass("2026-03-01T02:00");
    assert_eq!(case.amounts(), ["100", "-40"]);
    case.shows("ba-e", &[("quota_consumed", "60"), ("available", "140")]);
}

#[test]
fn every_change_is_an_entry() {
    // R4.4
    let mut case = Case::new();
    let remark = json!({
        "billing_account": "ba-a", "amount": "100", "currency": "USD", "method": "bank_transfer", "remark": "spring",
    });
    case.accept("2026-03-01T00:00", "top_up", remark);
    case.uses("2026-03-01T00:30", "a", "unit/usd", "30");
    case.pass("2026-03-01T01:00");
    let entries = case.keeper.entries();
    assert_eq!(entries.len(), 2);
    let (first, second) = (&entries[0], &entries[1]);
    assert_eq!(
        (first.number, first.at, first.remark.as_str()),
        (1, at("2026-03-01T00:00"), "spring")
    );
    assert_eq!(
        (first.asset.as_str(), first.lot.as_str(), first.cause.as_str()),
        ("cash", "own", "top_up")
    );
    assert_eq!(
        (first.before.as_str(), first.amount.as_str(), first.after.as_str()),
        ("0", "100", "100")
    );
    assert_eq!(
        (second.number, second.at, second.cause.as_str()),
        (2, at("2026-03-01T01:00"), "bill")
    );
    assert_eq!(
        (second.before.as_str(), second.amount.as_str(), second.after.as_str()),
        ("100", "-30", "70")
    );
}

#[test]
fn the_operator_adjusts_own_cash_never_below_zero() {
    // R5.9
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "30");
    case.adjust("2026-03-01T00:00", "ba-a", "-10.50");
    let down = |amount| json!({ "billing_account": "ba-a", "amount": amount, "reason": "error" });
    case.refuse("2026-03-01T00:00", "adjust", down("-19.51"), "insufficient_funds");
    case.accept("2026-03-01T00:00", "adjust", down("-19.50"));
    case.shows("ba-a", &[("cash", "0")]);
    case.refuse(
        "2026-03-01T00:00",
        "adjust",
        json!({ "billing_account": "ba-a", "amount": "1" }),
        "malformed",
    );
}

#[test]
fn a_top_up_has_a_minimum() {
    // R7.1
    let mut case = Case::new();
    case.open("s", json!({ "currency": "SGD" }));
    let by_transfer = |billing_account, amount, currency| json!({ "billing_account": billing_account, "amount": amount, "currency": currency, "method": "bank_transfer" });
    case.refuse("2026-03-01T00:00", "top_up", by_transfer("ba-a", "19.99", "USD"), "below_minimum");
    case.accept("2026-03-01T00:00", "top_up", by_transfer("ba-a", "20.00", "USD"));
    case.accept("2026-03-01T00:00", "top_up", by_transfer("ba-s", "0.01", "SGD"));
    let mut case = Case::with_settings("topup.minimum = { SGD = \"10\" }");
    case.accept("2026-03-01T00:00", "top_up", by_transfer("ba-a", "0.01", "USD"));
}
