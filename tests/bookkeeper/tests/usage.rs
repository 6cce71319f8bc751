//! Section 2: usage records.

mod common;
use bookkeeper::{Usage, Verdict};
use common::{Case, PRICES, at};
use serde_json::json;

fn rejected(reason: &'static str) -> Verdict {
    Verdict::Rejected(reason)
}

#[test]
fn quantities_that_cannot_be_read_are_malformed() {
    // R2.1
    let mut case = Case::new();
    let wrong =
        ["", "x", "NaN", "1e3", "+1", ".5", "5.", "1000000000000000", "0.0000000000001", "1,5"];
    for quantity in wrong {
        let record = case.record("2026-03-01T00:00", "a", "unit/usd", quantity);
        assert_eq!(case.keeper.usage(record.time, &record), rejected("malformed"), "{quantity}");
    }
    for quantity in ["0", "-0", "007", "999999999999999.999999999999"] {
        let record = case.record("2026-03-01T00:00", "a", "unit/usd", quantity);
        assert_eq!(case.keeper.usage(record.time, &record), Verdict::Counted, "{quantity}");
    }
}

#[test]
fn names_that_are_empty_are_malformed() {
    // R2.1
    let mut case = Case::new();
    let clear: [fn(&mut Usage); 5] = [
        |record| record.source.clear(),
        |record| record.id.clear(),
        |record| record.account.clear(),
        |record| record.product.clear(),
        |record| record.meter.clear(),
    ];
    for clear in clear {
        let mut record = case.record("2026-03-01T00:00", "a", "unit/usd", "1");
        clear(&mut record);
        assert_eq!(case.keeper.usage(record.time, &record), rejected("malformed"));
    }
}

#[test]
fn the_first_reason_that_holds_is_given() {
    // R2.3: a record with every fault there is; each step mends the fault named before.
    let mut case = Case::with("", &format!("{PRICES}\n{LATER}"));
    case.accept(
        "2026-01-01T00:00",
        "open_enterprise",
        json!({ "enterprise": "acme", "name": "Acme", "country": "SG" }),
    );
    case.open("a", json!({}));
    case.open("closed", json!({}));
    case.accept("2026-01-01T00:00", "close_account", json!({ "account": "closed" }));
    let arrival = at("2026-03-10T12:00");
    let mut record = case.record("2026-01-10T00:00", "a", "later/x", "1");
    record.quantity = "-x".to_string();
    record.account = "nobody".to_string();
    record.product = "nothing".to_string();

    assert_eq!(case.keeper.usage(arrival, &record), rejected("malformed"));
    record.quantity = "-1".to_string();
    assert_eq!(case.keeper.usage(arrival, &record), rejected("unknown_account"));
    record.account = "closed".to_string();
    assert_eq!(case.keeper.usage(arrival, &record), rejected("account_closed"));
    record.account = "a".to_string();
    assert_eq!(case.keeper.usage(arrival, &record), rejected("unknown_meter"));
    record.product = "later".to_string();
    assert_eq!(case.keeper.usage(arrival, &record), rejected("no_price"));
    record.product = "unit".to_string();
    record.meter = "usd".to_string();
    assert_eq!(case.keeper.usage(arrival, &record), rejected("negative_quantity"));
    record.quantity = "1".to_string();
    assert_eq!(case.keeper.usage(arrival, &record), rejected("too_old"));
    record.time = at("2026-03-10T12:06");
    assert_eq!(case.keeper.usage(arrival, &record), rejected("in_the_future"));
    // No rejected record has claimed the identity.
    record.time = arrival;
    assert_eq!(case.keeper.usage(arrival, &record), Verdict::Counted);
    record.quantity = "2".to_string();
    assert_eq!(case.keeper.usage(arrival, &record), rejected("conflicting_duplicate"));
}

/// A price in another currency, in another region and of a later time: none of them holds for `a` in March.
const LATER: &str = r#"
[[price]]
product = "later"
meter = "x"
currency = "EUR"
model = "per_unit"
unit_price = "1"

[[price]]
product = "later"
meter = "x"
currency = "USD"
region = "north"
model = "per_unit"
unit_price = "1"

[[price]]
product = "later"
meter = "x"
currency = "USD"
model = "per_unit"
unit_price = "1"
effective_from = "2026-04-01T00:00:00Z"
"#;

#[test]
fn duplicates_are_dropped_and_conflicts_rejected() {
    // R2.2
    let mut case = Case::new();
    let record = case.record("2026-03-01T00:10", "a", "unit/usd", "5");
    assert_eq!(case.keeper.usage(record.time, &record), Verdict::Counted);
    assert_eq!(case.keeper.usage(record.time, &record), Verdict::Duplicate);
    let same = Usage { quantity: "5.0".to_string(), ..record.clone() };
    assert_eq!(case.keeper.usage(at("2026-03-05T00:00"), &same), Verdict::Duplicate);
    let others = [
        Usage { quantity: "6".to_string(), ..record.clone() },
        Usage { time: record.time + 1, ..record.clone() },
        Usage { region: Some("north".to_string()), ..record.clone() },
        Usage { unit: Some("h".to_string()), ..record.clone() },
        Usage { tags: [("k".to_string(), "v".to_string())].into(), ..record.clone() },
    ];
    for other in others {
        assert_eq!(
            case.keeper.usage(at("2026-03-05T00:00"), &other),
            rejected("conflicting_duplicate")
        );
    }
    let elsewhere = Usage { source: "other".to_string(), ..record.clone() };
    assert_eq!(case.keeper.usage(at("2026-03-05T00:00"), &elsewhere), Verdict::Counted);
    assert_eq!(case.keeper.charges_total()["a"], "10");
}

#[test]
fn an_identity_is_free_again_when_its_time_of_use_is_too_old() {
    // R2.2
    let mut case = Case::new();
    let record = case.record("2026-03-01T00:10", "a", "unit/usd", "5");
    assert_eq!(case.keeper.usage(record.time, &record), Verdict::Counted);
    let later = Usage { time: at("2026-04-05T00:00"), ..record.clone() };
    assert_eq!(
        case.keeper.usage(at("2026-04-05T00:10"), &later),
        rejected("conflicting_duplicate")
    );
    assert_eq!(case.keeper.usage(at("2026-04-05T00:10") + 1, &later), Verdict::Counted);
    assert_eq!(case.keeper.usage(at("2026-04-05T00:11"), &record), rejected("too_old"));
}

#[test]
fn age_is_judged_to_the_microsecond() {
    // R2.4
    let arrival = at("2026-03-10T12:00");
    let day = 24 * 3_600 * 1_000_000_i64;
    let cases = [
        (arrival - 35 * day, Verdict::Counted),
        (arrival - 35 * day - 1, rejected("too_old")),
        (arrival + 300_000_000, Verdict::Counted),
        (arrival + 300_000_001, rejected("in_the_future")),
    ];
    for (time, verdict) in cases {
        let mut case = Case::new();
        let mut record = case.record("2026-03-10T12:00", "a", "unit/usd", "1");
        record.time = time;
        assert_eq!(case.keeper.usage(arrival, &record), verdict);
    }
}

#[test]
fn a_closed_account_still_owes_what_it_used_before() {
    // R2.3
    let mut case = Case::new();
    case.accept("2026-03-01T10:00", "close_account", json!({ "account": "a" }));
    let mut record = case.record("2026-03-01T10:00", "a", "unit/usd", "1");
    assert_eq!(case.keeper.usage(at("2026-03-01T10:00"), &record), rejected("account_closed"));
    record.time = at("2026-03-01T10:03");
    assert_eq!(case.keeper.usage(at("2026-03-01T10:00:30Z"), &record), rejected("account_closed"));
    record.time = at("2026-03-01T09:59");
    assert_eq!(case.keeper.usage(at("2026-03-01T10:01"), &record), Verdict::Counted);
}

#[test]
fn a_time_ahead_counts_as_the_minute_of_arrival() {
    // R2.4: the month is March, and so is the price version.
    let mut case = Case::new();
    case.uses_late("2026-03-31T23:58:30Z", "2026-04-01T00:02", "a", "storage/gb", "150");
    case.uses("2026-03-31T23:59", "a", "storage/gb", "10");
    case.pass("2026-04-01T00:00");
    assert_eq!(case.keeper.charges_total()["a"], "6");
    assert_eq!(case.keeper.bills()[0].month, "2026-03");
}

#[test]
fn late_usage_joins_the_cycle_it_arrives_in_at_the_price_of_its_time() {
    // R2.4: used in March, arrived in April: the quantity is March's, the bill April's.
    let mut case = Case::new();
    case.uses("2026-03-31T20:00", "a", "storage/gb", "100");
    case.uses_late("2026-04-02T10:30", "2026-03-31T21:00", "a", "storage/gb", "50");
    case.pass("2026-04-02T11:00");
    let bills = case.keeper.bills();
    assert_eq!((bills[1].amount.as_str(), bills[1].month.as_str()), ("5", "2026-04"));
    assert_eq!(bills[1].cycle_end, at("2026-04-02T11:00"));
}

#[test]
fn arriving_exactly_at_the_end_is_after_the_end() {
    // R2.4
    let mut case = Case::new();
    case.uses_late("2026-03-01T02:00", "2026-03-01T01:59", "a", "unit/usd", "1");
    case.pass("2026-03-01T02:30");
    assert!(case.keeper.bills().is_empty());
    case.pass("2026-03-01T03:00");
    assert_eq!(case.keeper.bills()[0].cycle_end, at("2026-03-01T03:00"));
}

#[test]
fn grace_lets_late_usage_join_the_cycle_of_its_time() {
    // R2.4
    let mut case = Case::with_settings("bills.grace = \"10m\"");
    case.uses("2026-03-31T23:30", "a", "unit/usd", "1");
    case.uses("2026-04-01T00:05", "a", "unit/usd", "10");
    case.uses_late("2026-04-01T00:09:59Z", "2026-03-31T23:45", "a", "unit/usd", "2");
    case.shows("ba-a", &[("unsettled_previous", "3"), ("unsettled_current", "10")]);
    case.uses_late("2026-04-01T00:10", "2026-03-31T23:46", "a", "unit/usd", "20");
    let bills = case.keeper.bills();
    assert_eq!((bills[0].amount.as_str(), bills[0].month.as_str()), ("3", "2026-03"));
    assert_eq!(
        (bills[0].cycle_end, bills[0].issued_at),
        (at("2026-04-01T00:00"), at("2026-04-01T00:10"))
    );
    case.pass("2026-04-01T01:10");
    assert_eq!(case.amounts(), ["3", "30"]);
}
