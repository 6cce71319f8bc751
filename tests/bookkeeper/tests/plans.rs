//! R5.8: plans renew by the month.

#![allow(clippy::unwrap_used)]

mod common;
use common::{Case, at};
use serde_json::{Value, json};

fn order(case: &mut Case, time: &str, further: Value) {
    let mut fields = json!({
        "billing_account": "ba-a", "order": "plan", "amount": "10.00", "renews": true,
    });
    for (name, value) in further.as_object().unwrap() {
        fields[name] = value.clone();
    }
    case.accept(time, "place_order", fields);
}

fn orders(case: &Case) -> Vec<String> {
    case.keeper.orders("ba-a").into_iter().map(|order| order.order).collect()
}

fn link(case: &mut Case, time: &str, token: &str) {
    let fields =
        json!({ "billing_account": "ba-a", "method": "c", "kind": "card", "token": token });
    case.accept(time, "link_payment_method", fields);
}

#[test]
fn months_are_counted_from_the_first_order() {
    let mut case = Case::new();
    case.top_up("2026-01-31T10:00", "ba-a", "100");
    order(&mut case, "2026-01-31T10:00", json!({}));
    case.pass("2026-06-01T00:00");
    let issued: Vec<i64> = case.keeper.bills().iter().map(|bill| bill.issued_at).collect();
    let days = ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"];
    assert_eq!(issued, days.map(|day| at(&format!("{day}T10:00"))));
    assert_eq!(orders(&case), ["plan", "plan.2", "plan.3", "plan.4", "plan.5"]);
    let next = case.keeper.orders("ba-a").pop().unwrap().renews_at;
    assert_eq!(next, Some(at("2026-06-30T10:00")));
}

#[test]
fn giving_back_the_running_period_ends_it() {
    for (given_back, renewed) in [("plan", 3), ("plan.2", 2)] {
        let mut case = Case::new();
        case.top_up("2026-01-10T10:00", "ba-a", "100");
        order(&mut case, "2026-01-10T10:00", json!({}));
        case.pass("2026-02-11T00:00");
        let refund = json!({
            "billing_account": "ba-a", "order": given_back, "amount": "1.00", "to": "cash",
        });
        case.accept("2026-02-11T00:00", "refund_order", refund);
        case.pass("2026-03-20T00:00");
        assert_eq!(orders(&case).len(), renewed, "{given_back}");
        assert!(case.keeper.notices().iter().all(|notice| notice.kind != "payment_failed"));
    }
}

#[test]
fn a_declined_payment_ends_it() {
    let mut case = Case::new();
    link(&mut case, "2026-01-10T10:00", "tok_ok_then_declined");
    case.refuse(
        "2026-01-10T10:00",
        "place_order",
        json!({ "billing_account": "ba-a", "order": "p".repeat(59), "amount": "1.00", "renews": true }),
        "malformed",
    );
    case.top_up("2026-01-10T10:00", "ba-a", "20");
    // Nothing is left to charge, so it is bought at once; later the card pays a part, and is declined.
    order(&mut case, "2026-01-10T10:00", json!({ "method": "c", "amount": "15.00" }));
    assert_eq!(orders(&case), ["plan"]);
    case.pass("2026-02-10T10:00");
    case.shows("ba-a", &[("cash", "5"), ("in_flight", "0")]);
    case.top_up("2026-02-10T11:00", "ba-a", "100");
    case.pass("2026-04-10T11:00");
    assert_eq!(orders(&case), ["plan"]);
    let told =
        case.keeper.notices().iter().filter(|notice| notice.kind == "payment_failed").count();
    assert_eq!(told, 1);
}

#[test]
fn it_waits_while_the_billing_account_is_frozen() {
    let mut case = Case::new();
    case.top_up("2026-01-10T10:00", "ba-a", "100");
    order(&mut case, "2026-01-10T10:00", json!({}));
    case.accept("2026-02-01T00:00", "freeze_billing_account", json!({ "billing_account": "ba-a" }));
    case.pass("2026-03-20T00:00");
    assert_eq!(orders(&case).len(), 1);
    case.accept(
        "2026-03-20T00:00",
        "unfreeze_billing_account",
        json!({ "billing_account": "ba-a" }),
    );
    // One period, not two, and the next is on the tenth again.
    assert_eq!(orders(&case).len(), 2);
    case.pass("2026-04-10T09:59");
    assert_eq!(orders(&case).len(), 2);
    case.pass("2026-04-10T10:00");
    assert_eq!(orders(&case).len(), 3);
}

#[test]
fn it_waits_for_the_result_of_a_payment_of_bills() {
    let mut case = Case::new();
    link(&mut case, "2026-01-10T10:00", "tok_unknown_then_ok");
    order(&mut case, "2026-01-10T10:00", json!({ "method": "c" }));
    case.pass("2026-01-10T10:01");
    assert_eq!(orders(&case), ["plan"]);
    case.uses("2026-02-10T10:00:30Z", "a", "unit/usd", "1000");
    case.pass("2026-02-10T10:01");
    assert_eq!(orders(&case), ["plan"]);
    case.pass("2026-02-10T10:01:30Z");
    case.pass("2026-02-10T10:03");
    assert_eq!(orders(&case), ["plan", "plan.2"]);
}
