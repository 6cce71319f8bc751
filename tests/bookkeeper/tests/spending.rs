//! Isolated spend (R11.2).

#![allow(clippy::unwrap_used)]

mod common;
use common::Case;
use serde_json::{Value, json};

fn ask(name: &str, amount: &str) -> Value {
    json!({ "account": "a", "amount": amount, "authorization": name })
}

fn rich() -> Case {
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "10000");
    case
}

fn shows(case: &Case, expected: &[(&str, &str)]) {
    let found = case.keeper.allocation("a").unwrap();
    let found: Vec<_> = expected.iter().map(|(name, _)| (*name, found[*name].as_str())).collect();
    assert_eq!(found, expected);
}

fn allocate(case: &mut Case, time: &str, credit: Option<&str>, cap: Option<&str>) {
    let fields = json!({ "account": "a", "credit": credit, "monthly_cap": cap });
    case.accept(time, "allocate_spend", fields);
}

#[test]
fn every_refusal_of_an_authorization_in_order() {
    // R11.2: a cap of 100, of which 10 is promised, and a credit of 50.
    let mut case = rich();
    allocate(&mut case, "2026-03-01T00:00", Some("50"), Some("100"));
    case.accept("2026-03-01T00:00", "authorize", ask("first", "10"));
    let table = [
        (json!({ "account": "x", "amount": "-1" }), "malformed"),
        (json!({ "account": "x", "amount": "-1", "authorization": "first" }), "not_found"),
        (ask("first", "-1"), "invalid_amount"),
        (ask("first", "0.001"), "invalid_amount"),
        (ask("first", "91"), "already_exists"),
        (ask("second", "90.01"), "over_monthly_cap"),
        (ask("second", "90"), "over_allocated_credit"),
        (ask("second", "40.01"), "over_allocated_credit"),
    ];
    for (fields, code) in table {
        case.refuse("2026-03-01T00:10", "authorize", fields, code);
    }
    case.accept("2026-03-01T00:10", "authorize", ask("second", "40"));
    case.accept("2026-03-01T00:10", "authorize", ask("nothing", "0"));
}

#[test]
fn who_is_frozen_closed_overdue_or_suspended_gets_nothing() {
    // R11.2, without an allocation too: prepaid services stop at zero, below it is overdue.
    let mut case = Case::new();
    case.adjust("2026-03-01T00:00", "ba-a", "20");
    case.accept("2026-03-01T00:00", "authorize", ask("one", "5000"));
    case.uses("2026-03-01T00:10", "a", "unit/usd", "20");
    case.refuse("2026-03-01T00:10", "authorize", ask("two", "1"), "suspended");
    case.uses("2026-03-01T00:20", "a", "unit/usd", "1");
    case.refuse("2026-03-01T00:20", "authorize", ask("two", "1"), "overdue");
    case.refuse("2026-03-01T00:20", "authorize", ask("one", "1"), "already_exists");
    case.accept("2026-03-01T00:20", "freeze_billing_account", json!({ "billing_account": "ba-a" }));
    case.refuse("2026-03-01T00:20", "authorize", ask("two", "-1"), "frozen");
    case.accept(
        "2026-03-01T00:20",
        "unfreeze_billing_account",
        json!({ "billing_account": "ba-a" }),
    );
    case.accept("2026-03-01T00:20", "close_account", json!({ "account": "a" }));
    case.refuse("2026-03-01T00:20", "authorize", ask("two", "-1"), "account_closed");
    let more = json!({ "account": "a", "credit": "1" });
    case.refuse("2026-03-01T00:20", "allocate_spend", more, "account_closed");
}

#[test]
fn usage_uses_up_the_oldest_promise_and_the_rest_lapses() {
    // R11.2
    let mut case = rich();
    allocate(&mut case, "2026-03-01T00:00", None, Some("100"));
    case.accept("2026-03-01T00:00", "authorize", ask("one", "30"));
    case.accept("2026-03-01T12:00", "authorize", ask("two", "70"));
    case.refuse("2026-03-01T12:00", "authorize", ask("three", "0.01"), "over_monthly_cap");
    case.uses("2026-03-01T12:30", "a", "unit/usd", "40");
    shows(&case, &[("month_charged", "40"), ("authorized", "60"), ("left", "0")]);
    // Nothing is left of the first, so its end gives nothing back; its name is taken till then.
    case.refuse("2026-03-01T23:59:59Z", "authorize", ask("one", "0"), "already_exists");
    case.refuse("2026-03-02T00:00", "authorize", ask("one", "0.01"), "over_monthly_cap");
    case.refuse("2026-03-02T11:59:59Z", "authorize", ask("one", "0.01"), "over_monthly_cap");
    case.refuse("2026-03-02T12:00", "authorize", ask("one", "60.01"), "over_monthly_cap");
    case.accept("2026-03-02T12:00", "authorize", ask("one", "60"));
}

#[test]
fn a_cap_begins_anew_each_month_and_a_credit_does_not() {
    // R11.2: before coupons, without orders and tax; what is late counts in the month of its bill.
    let mut case =
        Case::with_settings("tax.rates = { SG = \"0.10\" }\nauthorizations.expire_after = \"1h\"");
    case.adjust("2026-03-01T00:00", "ba-a", "10000");
    case.coupon("2026-03-01T00:00", "c", "5", json!({}));
    case.uses("2026-03-05T00:10", "a", "unit/usd", "10");
    allocate(&mut case, "2026-03-05T00:20", Some("60"), Some("100"));
    shows(&case, &[("month_charged", "10"), ("credit_charged", "0"), ("left", "60")]);
    let order = json!({ "billing_account": "ba-a", "order": "o", "amount": "90" });
    case.accept("2026-03-06T00:00", "place_order", order);
    let record = case.record("2026-03-07T00:10", "a", "unit/usd", "20");
    case.keeper.usage(common::at("2026-03-07T00:10"), &record);
    shows(&case, &[("month_charged", "30"), ("credit_charged", "20"), ("left", "40")]);
    case.accept("2026-03-07T00:10", "authorize", ask("one", "15"));
    let void = json!({ "account": "a", "source": "test", "id": record.id });
    case.accept("2026-03-07T00:20", "void_usage", void);
    shows(&case, &[("month_charged", "10"), ("credit_charged", "0"), ("authorized", "15")]);
    case.pass("2026-04-01T00:00");
    shows(&case, &[("month", "2026-04"), ("month_charged", "0"), ("left", "60")]);
    case.uses_late("2026-04-01T00:10", "2026-03-31T12:00", "a", "unit/usd", "7");
    shows(&case, &[("month_charged", "7"), ("credit_charged", "7"), ("left", "53")]);
    // A credit that is allocated again counts from then on; the cap stays.
    allocate(&mut case, "2026-04-01T00:10", Some("20"), None);
    shows(&case, &[("credit_charged", "0"), ("left", "20"), ("monthly_cap", "100")]);
    allocate(&mut case, "2026-04-01T00:10", None, None);
    assert_eq!(case.keeper.allocation("a"), None);
}

#[test]
fn whoever_pays_is_told_at_80_and_100_percent() {
    // R11.2: each once a month; where one charge reaches both, once.
    let mut case = rich();
    allocate(&mut case, "2026-03-01T00:00", None, Some("100"));
    let told = |case: &Case| {
        let all = case.keeper.notices().into_iter();
        all.filter(|notice| notice.kind == "spend_cap").count()
    };
    for (time, more, times) in [
        ("2026-03-01T00:10", "79.99", 0),
        ("2026-03-01T00:20", "0.01", 1),
        ("2026-03-01T00:30", "19.99", 1),
        ("2026-03-01T00:40", "0.01", 2),
        ("2026-03-01T00:50", "50", 2),
        ("2026-04-01T00:10", "150", 3),
        ("2026-04-01T00:20", "1", 3),
    ] {
        case.uses(time, "a", "unit/usd", more);
        assert_eq!(told(&case), times, "{time}");
    }
    // A cap that is set again begins anew.
    allocate(&mut case, "2026-04-01T00:30", None, Some("200"));
    case.uses("2026-04-01T00:40", "a", "unit/usd", "9");
    assert_eq!(told(&case), 4);
}

#[test]
fn whoever_pays_says_how_much() {
    // R11.2, R9.4
    let mut case = rich();
    case.open("b", json!({}));
    case.adjust("2026-03-01T00:00", "ba-b", "100");
    let time = "2026-03-01T00:00";
    let credit = || json!({ "account": "a", "credit": "5" });
    assert_eq!(case.ask(time, "a", "allocate_spend", credit()), Ok(()));
    let payer = json!({ "account": "a", "billing_account": "ba-b" });
    case.accept(time, "change_payer", payer);
    assert_eq!(case.ask(time, "a", "allocate_spend", credit()), Err("not_permitted".to_string()));
    assert_eq!(case.ask(time, "b", "allocate_spend", credit()), Ok(()));
    assert_eq!(case.ask(time, "a", "authorize", ask("one", "5")), Ok(()));
}
