//! R4.5, R5.6, R6.7, R11.3: what stands still, and what goes on by itself.

#![allow(clippy::unwrap_used)]

mod common;
use common::Case;
use serde_json::json;

fn link(case: &mut Case, time: &str, token: &str) {
    let fields =
        json!({ "billing_account": "ba-a", "method": "c", "kind": "card", "token": token });
    case.accept(time, "link_payment_method", fields);
}

fn payments(case: &Case) -> Vec<String> {
    let all = case.keeper.payments().into_iter().filter(|shown| shown.cause != "preauthorisation");
    all.map(|shown| format!("{} {} {}", shown.cause, shown.amount, shown.status)).collect()
}

#[test]
fn a_settlement_that_is_declined_begins_no_tries() {
    // R5.6, R6.5
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "tok_unknown_then_declined");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "10");
    case.accept("2026-03-02T01:10", "settle_enterprise", json!({ "enterprise": "acme" }));
    case.top_up("2026-03-02T01:10:10Z", "ba-a", "20");
    case.uses("2026-03-02T01:10:20Z", "a", "unit/usd", "1");
    case.shows("ba-a", &[("cash", "20"), ("unsettled_current", "11")]);
    case.pass("2026-03-02T01:11");
    case.shows("ba-a", &[("cash", "10"), ("unsettled_current", "1")]);
    case.pass("2026-03-20T00:00");
    assert_eq!(payments(&case), ["manual 10 declined"]);
}

#[test]
fn a_frozen_account_waits_with_its_tries() {
    // R4.5, R6.5: two tries came due, and are made by one charge.
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "tok_declined_once");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "1000");
    let ba = json!({ "billing_account": "ba-a" });
    case.accept("2026-03-02T01:00", "freeze_billing_account", ba.clone());
    for (name, fields) in
        [("pay", ba.clone()), ("withdraw", json!({ "billing_account": "ba-a", "amount": "1" }))]
    {
        case.refuse("2026-03-02T01:00", name, fields, "frozen");
    }
    case.pass("2026-03-05T12:00");
    assert_eq!(payments(&case), ["threshold 1000 declined"]);
    case.accept("2026-03-05T12:00", "unfreeze_billing_account", ba);
    assert_eq!(payments(&case), ["threshold 1000 declined", "retry 1000 succeeded"]);
}

#[test]
fn a_recharge_waits_while_top_ups_are_stopped() {
    // R6.7, R11.3
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "tok_ok");
    case.top_up("2026-03-02T00:00", "ba-a", "100");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "10");
    case.configure(
        "2026-03-02T00:30",
        "ba-a",
        "auto_recharge",
        json!({ "enabled": true, "amount": "50.00" }),
    );
    let acme = json!({ "enterprise": "acme" });
    case.accept("2026-03-02T00:40", "freeze_recharge", acme.clone());
    case.uses("2026-03-02T00:45", "a", "unit/usd", "40");
    assert!(payments(&case).is_empty());
    case.accept("2026-03-02T00:50", "unfreeze_recharge", acme);
    assert_eq!(payments(&case), ["recharge 50 succeeded"]);
    case.shows("ba-a", &[("available", "100")]);
}

#[test]
fn three_full_months_make_the_usual_cost() {
    // R6.7: 300, 600 and 900 in three months, then nothing: 20% of 600 are 120.
    let mut case = Case::new();
    link(&mut case, "2026-01-01T00:00", "tok_ok");
    case.top_up("2026-01-01T00:00", "ba-a", "2000");
    for (time, quantity) in
        [("2026-01-01T00:00", "300"), ("2026-02-10T00:00", "600"), ("2026-03-10T00:00", "900")]
    {
        case.uses(time, "a", "unit/usd", quantity);
    }
    case.configure(
        "2026-04-20T00:00",
        "ba-a",
        "auto_recharge",
        json!({ "enabled": true, "amount": "50.00" }),
    );
    case.uses("2026-04-20T01:00", "a", "unit/usd", "79.99");
    assert!(payments(&case).is_empty());
    case.uses("2026-04-20T01:01", "a", "unit/usd", "0.01");
    assert_eq!(payments(&case), ["recharge 50 succeeded"]);
}
