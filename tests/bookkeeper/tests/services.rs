//! R8.1 to R8.5: services that stop and go on, and what owners are told.

#![allow(clippy::unwrap_used)]

mod common;
use common::Case;
use serde_json::json;

fn state(case: &Case, account: &str) -> String {
    case.keeper.service(account).unwrap().0
}

fn told(case: &Case) -> Vec<String> {
    let kinds = ["overdue", "suspended", "resumed"];
    let all = case.keeper.notices().into_iter();
    all.filter(|notice| kinds.contains(&notice.kind.as_str()))
        .map(|notice| format!("{} {}", notice.billing_account, notice.kind))
        .collect()
}

#[test]
fn prepaid_stops_at_zero_and_a_new_account_starts_running() {
    // R8.2, R8.4
    let mut case = Case::new();
    assert_eq!(state(&case, "a"), "running");
    case.top_up("2026-03-02T00:00", "ba-a", "20");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "19.99");
    assert_eq!(state(&case, "a"), "running");
    case.uses("2026-03-02T00:31", "a", "unit/usd", "0.01");
    assert_eq!(state(&case, "a"), "suspended");
    case.uses("2026-03-02T00:32", "a", "unit/usd", "1");
    case.top_up("2026-03-02T00:40", "ba-a", "20");
    assert_eq!(state(&case, "a"), "running");
    assert_eq!(told(&case), ["ba-a suspended", "ba-a overdue", "ba-a resumed"]);
}

#[test]
fn postpaid_with_neither_limit_nor_method_stops_below_the_buffer() {
    // R8.2
    let mut case = Case::with_settings("suspension.buffer = { USD = \"5\" }");
    case.open("b", json!({ "mode": "postpaid" }));
    case.top_up("2026-03-02T00:00", "ba-b", "20");
    case.uses("2026-03-02T00:30", "b", "unit/usd", "15");
    assert_eq!(state(&case, "b"), "running");
    case.uses("2026-03-02T00:31", "b", "unit/usd", "0.01");
    assert_eq!(state(&case, "b"), "suspended");
    // With a limit only being overdue stops.
    case.limit("2026-03-02T00:40", "ba-b", "10");
    assert_eq!(state(&case, "b"), "running");
    case.uses("2026-03-02T00:50", "b", "unit/usd", "14.99");
    assert_eq!(state(&case, "b"), "running");
    case.uses("2026-03-02T00:51", "b", "unit/usd", "0.01");
    assert_eq!(state(&case, "b"), "suspended");
}

#[test]
fn an_unpaid_bill_makes_overdue_by_time_alone() {
    // R8.1, R8.2: 15 local days after the month.
    let mut case = Case::new();
    case.open("b", json!({ "mode": "postpaid" }));
    case.limit("2026-03-01T00:00", "ba-b", "100");
    case.configure("2026-03-01T00:00", "ba-b", "auto_write_off", json!(false));
    case.uses("2026-03-10T00:30", "b", "unit/usd", "10");
    case.pass("2026-04-15T23:59");
    assert_eq!(state(&case, "b"), "running");
    case.pass("2026-04-16T00:00");
    assert_eq!(state(&case, "b"), "suspended");
    assert_eq!(told(&case), ["ba-b overdue", "ba-b suspended"]);
}

#[test]
fn another_payer_judges_by_his_figures() {
    // R8.2
    let mut case = Case::new();
    case.open("b", json!({}));
    case.top_up("2026-03-02T00:00", "ba-b", "50");
    case.top_up("2026-03-02T00:00", "ba-a", "20");
    case.uses("2026-03-02T00:30", "a", "unit/usd", "20");
    assert_eq!(state(&case, "a"), "suspended");
    let change = json!({ "account": "a", "billing_account": "ba-b" });
    case.accept("2026-03-02T00:40:10Z", "change_payer", change);
    assert_eq!(state(&case, "a"), "suspended");
    case.pass("2026-03-02T00:41");
    assert_eq!(state(&case, "a"), "running");
    assert_eq!(told(&case), ["ba-a suspended", "ba-b resumed"]);
}

#[test]
fn a_low_balance_is_told_five_times_at_the_same_time_of_day() {
    // R8.5, R8.7: also where a clock is shifted on the way.
    let mut case = Case::new();
    case.open("b", json!({ "mode": "postpaid", "time_zone": "America/New_York" }));
    case.top_up("2026-03-06T00:00", "ba-b", "100");
    case.configure(
        "2026-03-06T00:00",
        "ba-b",
        "low_balance_alert",
        json!({ "enabled": true, "threshold": "100.00" }),
    );
    case.uses("2026-03-06T15:00", "b", "unit/usd", "1");
    case.pass("2026-03-20T00:00");
    let times: Vec<String> = case
        .keeper
        .notices()
        .iter()
        .filter(|notice| notice.kind == "low_balance")
        .map(|notice| jiff::Timestamp::from_microsecond(notice.at).unwrap().to_string())
        .collect();
    assert_eq!(
        times,
        [
            "2026-03-06T15:00:00Z",
            "2026-03-07T15:00:00Z",
            "2026-03-08T14:00:00Z",
            "2026-03-09T14:00:00Z",
            "2026-03-10T14:00:00Z"
        ]
    );
}
