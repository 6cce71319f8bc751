//! Section 1: money.

mod common;
use common::{Case, at};
use serde_json::json;

#[test]
fn rounding_never_drifts() {
    // R1.2, the worked case: three cycles of 0.004 USD give bills 0.00, 0.01, 0.00.
    let mut case = Case::new();
    for hour in ["01", "02", "03"] {
        case.uses(&format!("2026-03-01T{hour}:30"), "a", "unit/usd", "0.004");
    }
    case.pass("2026-03-01T04:00");
    assert_eq!(case.amounts(), ["0", "0.01", "0"]);
}

#[test]
fn what_rounding_holds_back_is_not_owed() {
    // R1.2, R4.2
    let mut case = Case::new();
    case.uses("2026-03-01T01:30", "a", "unit/usd", "0.004");
    case.shows("ba-a", &[("unsettled_current", "0.004"), ("available", "-0.004")]);
    case.pass("2026-03-01T02:00");
    case.shows("ba-a", &[("unsettled_current", "0"), ("available", "0")]);
    // It joins the next bill of that month, but not of the next month.
    case.uses("2026-04-01T01:30", "a", "unit/usd", "0.004");
    case.pass("2026-04-01T02:00");
    assert_eq!(case.amounts(), ["0", "0"]);
}

#[test]
fn rounding_is_kept_by_account_and_product() {
    // R1.2
    let mut case = Case::new();
    case.uses("2026-03-01T01:10", "a", "unit/usd", "0.004");
    case.uses("2026-03-01T01:20", "a", "compute/hours", "0.008");
    case.pass("2026-03-01T02:00");
    assert_eq!(case.amounts(), ["0", "0"]);
}

#[test]
fn yen_have_no_minor_unit() {
    // R1.1
    let mut case = Case::new();
    case.open("j", json!({ "currency": "JPY" }));
    case.uses("2026-03-01T01:30", "j", "unit/usd", "10.5");
    case.pass("2026-03-01T02:00");
    assert_eq!(case.amounts(), ["11"]);
    let yen = |amount| json!({ "billing_account": "ba-j", "amount": amount, "currency": "JPY", "method": "bank_transfer" });
    case.refuse("2026-03-01T02:00", "top_up", yen("100.5"), "invalid_amount");
    case.accept("2026-03-01T02:00", "top_up", yen("100"));
    case.shows("ba-j", &[("cash", "89"), ("currency", "JPY")]);
}

#[test]
fn the_currency_is_the_countrys_by_default() {
    // R1.4
    for (country, currency) in
        [("SG", "SGD"), ("JP", "JPY"), ("DE", "EUR"), ("US", "USD"), ("BR", "USD")]
    {
        let mut case = Case::with("", "");
        case.accept(
            "2026-01-01T00:00",
            "open_enterprise",
            json!({ "enterprise": "e", "name": "E", "country": country }),
        );
        let fields = json!({ "account": "x", "enterprise": "e", "email": "x@e.example", "mode": "postpaid" });
        case.accept("2026-01-01T00:00", "open_account", fields);
        case.shows("ba-x", &[("currency", currency)]);
    }
}

#[test]
fn amounts_are_never_clamped() {
    // R1.5
    let mut case = Case::new();
    let wrong = [
        json!("NaN"),
        json!("inf"),
        json!("-20"),
        json!("20.001"),
        json!("1e3"),
        json!(""),
        json!("0"),
        json!(100),
        json!("1000000000000000"),
        json!("20.0.0"),
        json!(" 20"),
    ];
    for amount in wrong {
        let fields = json!({ "billing_account": "ba-a", "amount": amount, "currency": "USD", "method": "bank_transfer" });
        case.refuse("2026-03-01T00:00", "top_up", fields, "invalid_amount");
    }
    let euros = json!({ "billing_account": "ba-a", "amount": "20", "currency": "EUR", "method": "bank_transfer" });
    case.refuse("2026-03-01T00:00", "top_up", euros, "currency_mismatch");
    case.shows("ba-a", &[("cash", "0")]);
    assert!(case.keeper.entries().is_empty());
}

#[test]
fn the_largest_quantity_at_the_largest_price_is_exact() {
    // R1.1, R2.1, R3.1
    let prices = r#"
        [[price]]
        product = "p"
        meter = "m"
        currency = "USD"
        model = "per_unit"
        unit_price = "999999.999999999999"
    "#;
    let mut case = Case::with("", prices);
    case.accept(
        "2026-01-01T00:00",
        "open_enterprise",
        json!({ "enterprise": "acme", "name": "E", "country": "US" }),
    );
    case.open("a", json!({}));
    case.uses("2026-03-01T01:30", "a", "p/m", "999999999999999.999999999999");
    assert_eq!(case.keeper.charges_total()["a"], "999999999999999998999.999999");
    case.pass("2026-03-01T02:00");
    assert_eq!(case.amounts(), ["999999999999999999000"]);
}

#[test]
fn no_time_makes_it_fail() {
    // R1.5, R2.1: the ends of time are as good as any other.
    let mut case = Case::new();
    let mut record = case.record("2026-03-01T00:00", "a", "unit/usd", "1");
    for time in [i64::MIN, i64::MAX] {
        record.time = time;
        case.keeper.usage(at("2026-03-01T00:00"), &record);
    }
    case.uses("2026-03-01T00:30", "a", "unit/usd", "1");
    case.keeper.pass(i64::MAX);
    record.time = at("2026-03-01T00:00");
    case.keeper.usage(i64::MAX, &record);
    assert_eq!(case.keeper.check(), Ok(()));
}
