//! R6, R7.4: payments by a method, and what goes on around one in flight.

#![allow(clippy::unwrap_used)]

mod common;
use common::Case;
use serde_json::{Value, json};

fn link(case: &mut Case, time: &str, method: &str, kind: &str, token: &str) {
    let fields =
        json!({ "billing_account": "ba-a", "method": method, "kind": kind, "token": token });
    case.accept(time, "link_payment_method", fields);
}

fn prefer(case: &mut Case, time: &str, method: &str) {
    case.accept(
        time,
        "prefer_payment_method",
        json!({ "billing_account": "ba-a", "method": method }),
    );
}

fn pay(further: Value) -> Value {
    let mut fields = json!({ "billing_account": "ba-a" });
    for (name, value) in further.as_object().into_iter().flatten() {
        fields[name] = value.clone();
    }
    fields
}

/// The payments that move money, as `cause amount status`.
fn payments(case: &Case) -> Vec<String> {
    let all = case.keeper.payments().into_iter().filter(|shown| shown.cause != "preauthorisation");
    all.map(|shown| format!("{} {} {}", shown.cause, shown.amount, shown.status)).collect()
}

/// What was told of payments.
fn told(case: &Case) -> Vec<String> {
    let all = case.keeper.notices().into_iter().map(|notice| notice.kind);
    all.filter(|kind| kind.starts_with("payment_")).collect()
}

#[test]
fn the_worked_case_of_the_threshold() {
    // R6.8: 300 an hour, cash 500; 0.40 accrues before the result.
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_unknown_then_ok");
    case.top_up("2026-03-02T00:00", "ba-a", "500");
    for (hour, owed) in [(1, "0"), (2, "100"), (3, "400"), (4, "700")] {
        case.uses(&format!("2026-03-02T0{}:30", hour - 1), "a", "unit/usd", "300");
        case.pass(&format!("2026-03-02T0{hour}:00"));
        assert_eq!(case.keeper.due("ba-a").unwrap()["owed"], owed);
    }
    case.uses("2026-03-02T04:30", "a", "unit/usd", "299.99");
    assert!(payments(&case).is_empty());
    case.uses("2026-03-02T04:30:01Z", "a", "unit/usd", "0.01");
    assert_eq!(payments(&case), ["threshold 1000 pending"]);
    case.uses("2026-03-02T04:30:30Z", "a", "unit/usd", "0.40");
    case.pass("2026-03-02T05:00");
    assert_eq!(payments(&case), ["threshold 1000 succeeded"]);
    assert_eq!(case.keeper.due("ba-a").unwrap()["owed"], "0.4");
    assert_eq!(told(&case), ["payment_succeeded"]);
}

#[test]
fn what_write_off_would_pay_is_not_owed_and_the_limit_does_not_count() {
    // R6.1: with write-off on cash lowers what is owed; off, what is below the limit rests and is owed.
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_ok");
    case.top_up("2026-03-02T00:00", "ba-a", "500");
    case.limit("2026-03-02T00:00", "ba-a", "2000");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "1499.99");
    assert!(payments(&case).is_empty());
    case.configure("2026-03-02T00:40", "ba-a", "auto_write_off", json!(false));
    case.uses("2026-03-02T00:45", "a", "unit/usd", "0");
    assert_eq!(payments(&case), ["threshold 1499.99 succeeded"]);
    case.shows("ba-a", &[("cash", "500"), ("available", "2500")]);
}

#[test]
fn coupons_lower_what_is_owed() {
    // R6.1
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_ok");
    case.coupon("2026-03-02T00:00", "k", "10", json!({}));
    case.uses("2026-03-02T00:30", "a", "unit/usd", "1009.99");
    assert!(payments(&case).is_empty());
    case.uses("2026-03-02T00:31", "a", "unit/usd", "0.01");
    assert_eq!(payments(&case), ["threshold 1000 succeeded"]);
    assert_eq!(case.left("k"), "0");
}

#[test]
fn paypal_is_charged_at_its_own_threshold() {
    // R6.1: 500 if unset, from 8 to 500.
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "p", "paypal", "tok_ok");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "499.99");
    assert!(payments(&case).is_empty());
    for wrong in ["7.99", "500.01"] {
        case.refuse(
            "2026-03-02T00:31",
            "configure",
            json!({ "billing_account": "ba-a", "auto_pay_threshold": wrong }),
            "invalid_amount",
        );
    }
    case.configure("2026-03-02T00:31", "ba-a", "auto_pay_threshold", json!("8.00"));
    assert_eq!(payments(&case), ["threshold 499.99 succeeded"]);
    case.uses("2026-03-02T00:32", "a", "unit/usd", "8");
    assert_eq!(payments(&case).len(), 2);
}

#[test]
fn alipay_is_charged_at_the_end_of_a_month_only() {
    // R6.1, R6.2
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "p", "alipay", "tok_ok");
    case.uses("2026-03-31T10:30", "a", "unit/usd", "5000");
    case.pass("2026-03-31T23:59");
    assert!(payments(&case).is_empty());
    case.pass("2026-04-01T00:00");
    assert_eq!(payments(&case), ["month_end 5000 succeeded"]);
}

#[test]
fn a_month_that_ends_while_a_payment_is_in_flight_is_made_good() {
    // R6.2, R6.3
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_unknown_then_ok");
    case.uses("2026-03-31T23:59:30Z", "a", "unit/usd", "1000");
    case.uses("2026-03-31T23:59:40Z", "a", "unit/usd", "3");
    case.pass("2026-04-01T00:00:29Z");
    assert_eq!(payments(&case), ["threshold 1000 pending"]);
    case.pass("2026-04-01T00:00:30Z");
    assert_eq!(payments(&case), ["threshold 1000 succeeded", "month_end 3 pending"]);
    case.pass("2026-04-01T00:10");
    assert_eq!(payments(&case), ["threshold 1000 succeeded", "month_end 3 succeeded"]);
}

#[test]
fn bills_in_flight_are_set_aside() {
    // R6.3: cash pays other bills, and the declined one when it returns.
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_unknown_then_declined");
    case.uses("2026-03-02T00:59:30Z", "a", "unit/usd", "1000");
    case.uses("2026-03-02T00:59:40Z", "a", "unit/usd", "20");
    case.top_up("2026-03-02T00:59:50Z", "ba-a", "50");
    case.pass("2026-03-02T01:00");
    assert_eq!(case.paid(), ["0", "20"]);
    case.shows("ba-a", &[("cash", "30"), ("available", "-970"), ("overdue", "false")]);
    case.refuse("2026-03-02T01:00:10Z", "pay", pay(json!({})), "payment_in_progress");
    case.pass("2026-03-02T01:00:30Z");
    assert_eq!(case.paid(), ["30", "20"]);
    assert_eq!(told(&case), ["payment_failed"]);
}

#[test]
fn the_tries_count_from_the_first_decline_and_then_it_is_overdue() {
    // R6.5, R8.1: each time for all then owed; nothing else is charged, also not after the last try.
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_ok_then_declined");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "1000");
    case.uses("2026-03-02T10:30", "a", "unit/usd", "2000");
    case.pass("2026-03-07T00:29:59Z");
    case.shows("ba-a", &[("overdue", "false")]);
    case.pass("2026-03-07T00:30");
    case.shows("ba-a", &[("overdue", "true")]);
    case.pass("2026-04-10T00:00");
    assert_eq!(
        payments(&case),
        [
            "threshold 1000 declined",
            "retry 3000 declined",
            "retry 3000 declined",
            "retry 3000 declined"
        ]
    );
    assert_eq!(told(&case), ["payment_failed"; 4]);
    // Another card is charged at once, and the month that ended meanwhile is done with it.
    link(&mut case, "2026-04-10T00:00", "d", "card", "tok_ok");
    prefer(&mut case, "2026-04-10T00:01", "d");
    assert_eq!(payments(&case).last().unwrap(), "manual 3000 succeeded");
    case.shows("ba-a", &[("overdue", "false"), ("available", "0")]);
}

#[test]
fn money_that_pays_what_was_declined_cures() {
    // R6.5: what came due meanwhile is charged then.
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_declined_once");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "1000");
    case.uses("2026-03-02T00:40", "a", "unit/usd", "1500");
    case.top_up("2026-03-02T00:50", "ba-a", "999");
    assert_eq!(payments(&case), ["threshold 1000 declined"]);
    case.top_up("2026-03-02T00:51", "ba-a", "21");
    assert_eq!(payments(&case), ["threshold 1000 declined", "threshold 1480 succeeded"]);
    case.pass("2026-03-20T00:00");
    assert_eq!(payments(&case).len(), 2);
}

#[test]
fn a_payment_by_hand_cures_only_if_it_pays_what_was_declined() {
    // R6.5, R6.6
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_declined_once");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "1000");
    case.accept("2026-03-02T00:40", "pay", pay(json!({ "amount": "400.00" })));
    case.pass("2026-03-03T00:30");
    assert_eq!(
        payments(&case),
        ["threshold 1000 declined", "manual 400 succeeded", "retry 600 succeeded"]
    );
    case.pass("2026-03-20T00:00");
    assert_eq!(payments(&case).len(), 3);
}

#[test]
fn a_negative_bill_passes_over_what_is_in_flight() {
    // R5.7: it undoes it when the result is known, before anything is written off.
    for (token, cash, paid) in
        [("tok_unknown_then_ok", "100", "1000"), ("tok_unknown_then_declined", "0", "100")]
    {
        let mut case = Case::new();
        link(&mut case, "2026-03-02T00:00", "c", "card", token);
        let mut record = case.record("2026-03-02T00:30", "a", "unit/usd", "100");
        record.id = "void".to_string();
        case.keeper.usage(record.time, &record);
        case.uses("2026-03-02T00:59:30Z", "a", "unit/usd", "900");
        case.accept(
            "2026-03-02T00:59:40Z",
            "void_usage",
            json!({ "account": "a", "source": "test", "id": "void" }),
        );
        case.pass("2026-03-02T01:00");
        assert_eq!(case.amounts(), ["1000", "-100"]);
        assert_eq!(case.paid(), ["0", "-100"]);
        case.shows("ba-a", &[("unsettled_current", "900"), ("available", "-900")]);
        case.pass("2026-03-02T01:02");
        assert_eq!(case.paid()[0], paid);
        case.shows("ba-a", &[("cash", cash)]);
    }
}

#[test]
fn a_late_success_pays_what_is_still_unpaid_and_the_rest_is_cash() {
    // R6.4: declined, partly paid by a top-up, and paid after all.
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_ok_then_declined");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "1000");
    case.top_up("2026-03-02T00:40", "ba-a", "300");
    let last = case.keeper.payments().len() - 1;
    for _ in 0..2 {
        case.keeper.gateway(common::at("2026-03-02T00:50"), last, true);
        case.shows("ba-a", &[("cash", "300"), ("available", "300")]);
    }
    case.pass("2026-03-20T00:00");
    assert_eq!(payments(&case), ["threshold 1000 succeeded"]);
}

#[test]
fn an_unknown_outcome_is_shown_as_delayed() {
    // R6.4
    let mut case = Case::with_settings("payments.pending_for = \"30s\"");
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_unknown_then_ok");
    case.uses("2026-03-02T00:30:10Z", "a", "unit/usd", "1000");
    case.pass("2026-03-02T00:30:59Z");
    assert_eq!(payments(&case), ["threshold 1000 pending"]);
    case.pass("2026-03-02T00:31");
    assert_eq!(payments(&case), ["threshold 1000 delayed"]);
    case.pass("2026-03-02T00:33");
    assert_eq!(payments(&case), ["threshold 1000 succeeded"]);
    assert_eq!(told(&case), ["payment_delayed", "payment_succeeded"]);
}

#[test]
fn an_order_by_a_method_can_be_refunded_to_it_or_to_cash() {
    // R5.8
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_ok");
    case.top_up("2026-03-02T00:00", "ba-a", "30");
    let order =
        json!({ "billing_account": "ba-a", "order": "o", "amount": "100.00", "method": "c" });
    case.accept("2026-03-02T00:10", "place_order", order);
    case.shows("ba-a", &[("cash", "0"), ("available", "0")]);
    let refund = |amount: &str, to: &str| json!({ "billing_account": "ba-a", "order": "o", "amount": amount, "to": to });
    case.accept("2026-03-02T00:20", "refund_order", refund("50", "original"));
    case.shows("ba-a", &[("cash", "0")]);
    case.accept("2026-03-02T00:20", "refund_order", refund("40", "cash"));
    case.shows("ba-a", &[("cash", "40")]);
    case.accept("2026-03-02T00:20", "refund_order", refund("10", "original"));
    case.shows("ba-a", &[("cash", "50")]);
}

#[test]
fn a_test_top_up_never_touches_the_wallet() {
    // R7.2
    let mut case = Case::new();
    link(&mut case, "2026-03-02T00:00", "c", "card", "tok_declined_once");
    let test = |amount: &str| {
        json!({
            "billing_account": "ba-a", "amount": amount, "currency": "USD", "method": "c", "test": true,
        })
    };
    case.refuse("2026-03-02T00:00", "top_up", test("20.00"), "invalid_amount");
    case.accept("2026-03-02T00:00", "top_up", test("1.00"));
    case.accept("2026-03-02T00:00", "top_up", test("1.00"));
    assert_eq!(payments(&case), ["test 1 declined", "test 1 succeeded"]);
    case.shows("ba-a", &[("cash", "0")]);
}

#[test]
fn a_card_pays_once_more_for_the_month_in_which_it_expires() {
    // R6.3, R7.4
    let mut case = Case::new();
    let card = |name: &str| {
        json!({
            "billing_account": "ba-a", "method": name, "kind": "card", "token": "tok_ok", "expires": "2026-03",
        })
    };
    case.accept("2026-02-20T00:00", "link_payment_method", card("c"));
    case.refuse("2026-03-02T00:00", "link_payment_method", card("d"), "card_expired");
    case.uses("2026-03-31T23:30", "a", "unit/usd", "7");
    case.pass("2026-04-01T00:00");
    assert_eq!(payments(&case), ["month_end 7 succeeded"]);
    let methods = case.keeper.payment_methods("ba-a");
    assert_eq!(methods, [("c".to_string(), "inactive".to_string(), true)]);
    case.uses("2026-04-02T00:30", "a", "unit/usd", "1");
    case.shows("ba-a", &[("overdue", "true")]);
}
