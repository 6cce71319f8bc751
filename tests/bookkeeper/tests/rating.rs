//! Section 3: rating.

mod common;
use bookkeeper::{BookKeeper, Verdict};
use common::{Case, at};
use serde_json::json;

fn with_prices(prices: &str) -> Case {
    let mut case = Case::with("", prices);
    let acme =
        json!({ "enterprise": "acme", "name": "Acme", "country": "SG", "account_center": true });
    case.accept("2026-01-01T00:00", "open_enterprise", acme);
    case.open("a", json!({}));
    case
}

fn price(model: &str) -> String {
    format!("[[price]]\nproduct = \"p\"\nmeter = \"m\"\ncurrency = \"USD\"\n{model}\n")
}

/// What each of these month's quantities costs, built up record by record.
fn costs(model: &str, quantities: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for quantity in quantities {
        let mut case = with_prices(&price(model));
        case.uses("2026-03-01T01:30", "a", "p/m", quantity);
        found.push(case.keeper.charges_total()["a"].clone());
    }
    found
}

const TIERS: &str = r#"tiers = [{ up_to = "100", unit_price = "0" }, { up_to = "1000", unit_price = "0.10" }, { unit_price = "0.05" }]"#;

#[test]
fn the_worked_case_of_the_models() {
    // R3.4
    let quantities = ["50", "150", "1200"];
    assert_eq!(costs(&format!("model = \"graduated\"\n{TIERS}"), &quantities), ["0", "5", "100"]);
    assert_eq!(costs(&format!("model = \"volume\"\n{TIERS}"), &quantities), ["0", "15", "60"]);
    let package = "model = \"package\"\npackage = \"100\"\namount = \"7\"";
    assert_eq!(costs(package, &quantities), ["7", "14", "84"]);
}

#[test]
fn the_end_of_a_tier_belongs_to_it() {
    // R3.2
    let quantities = ["100", "100.5", "1000", "1000.5"];
    assert_eq!(
        costs(&format!("model = \"graduated\"\n{TIERS}"), &quantities),
        ["0", "0.05", "90", "90.025"]
    );
    assert_eq!(
        costs(&format!("model = \"volume\"\n{TIERS}"), &quantities),
        ["0", "10.05", "100", "50.025"]
    );
    let package = "model = \"package\"\npackage = \"100\"\namount = \"7\"";
    assert_eq!(
        costs(package, &["0", "0.000000000001", "100", "100.000000000001"]),
        ["0", "7", "7", "14"]
    );
}

#[test]
fn a_tier_may_carry_a_flat_amount() {
    // R3.2
    let tiers = r#"tiers = [{ up_to = "10", unit_price = "1", flat = "3" }, { unit_price = "0.5", flat = "2" }]"#;
    assert_eq!(
        costs(&format!("model = \"graduated\"\n{tiers}"), &["0", "1", "10", "12"]),
        ["0", "4", "13", "16"]
    );
    assert_eq!(
        costs(&format!("model = \"volume\"\n{tiers}"), &["0", "1", "10", "12"]),
        ["0", "4", "13", "8"]
    );
}

#[test]
fn a_flat_price_is_due_once_at_the_first_record_of_the_month() {
    // R3.2
    let mut case = with_prices(&price("model = \"flat\"\namount = \"9.99\""));
    case.uses("2026-03-01T01:30", "a", "p/m", "0");
    case.uses("2026-03-02T01:30", "a", "p/m", "5");
    assert_eq!(case.keeper.charges_total()["a"], "9.99");
    case.uses("2026-04-02T01:30", "a", "p/m", "5");
    assert_eq!(case.keeper.charges_total()["a"], "19.98");
}

#[test]
fn any_grouping_of_records_costs_the_same() {
    // R3.2: a price that does not divide evenly, in one record and in many.
    let model = "model = \"per_unit\"\nunit_price = \"0.333333333333\"";
    let mut many = with_prices(&price(model));
    for minute in 10..40 {
        many.uses(&format!("2026-03-01T01:{minute}"), "a", "p/m", "0.7");
    }
    assert_eq!([many.keeper.charges_total()["a"].clone()], costs(model, &["21"])[..]);
}

#[test]
fn records_can_be_counted() {
    // R3.3
    let mut case =
        with_prices(&price("model = \"per_unit\"\nunit_price = \"2\"\naggregate = \"count\""));
    case.uses("2026-03-01T01:30", "a", "p/m", "0");
    case.uses("2026-03-01T01:31", "a", "p/m", "100");
    assert_eq!(case.keeper.charges_total()["a"], "4");
}

const REGIONS: &str = r#"
[[price]]
product = "p"
meter = "m"
currency = "USD"
model = "per_unit"
unit_price = "1"

[[price]]
product = "p"
meter = "m"
currency = "USD"
region = "north"
model = "per_unit"
unit_price = "2"
effective_from = "2026-03-01T00:00:00Z"

[[price]]
product = "p"
meter = "m"
currency = "USD"
region = "north"
model = "graduated"
tiers = [{ up_to = "5", unit_price = "3" }, { unit_price = "1" }]
effective_from = "2026-03-02T00:00:30Z"
"#;

#[test]
fn the_price_is_that_of_region_and_time_of_use() {
    // R3.1
    let mut case = with_prices(REGIONS);
    let cases = [
        ("2026-02-28T23:59:59Z", Some("north"), "1"),
        ("2026-03-01T00:00:00Z", Some("north"), "2"),
        ("2026-03-01T00:00:00Z", Some("south"), "1"),
        ("2026-03-01T00:00:00Z", None, "1"),
        ("2026-03-02T00:00:59Z", Some("north"), "2"),
        ("2026-03-02T00:01:00Z", Some("north"), "3"),
    ];
    let mut before = 0;
    for (time, region, costs) in cases {
        let mut record = case.record(time, "a", "p/m", "1");
        record.region = region.map(str::to_string);
        assert_eq!(case.keeper.usage(at("2026-03-02T12:00"), &record), Verdict::Counted);
        let total: i64 = case.keeper.charges_total()["a"].parse().unwrap();
        assert_eq!((total - before).to_string(), costs, "{time} {region:?}");
        before = total;
    }
}

#[test]
fn quantities_are_kept_by_region_and_price_version() {
    // R3.2: the graduated version begins with an empty month.
    let mut case = with_prices(REGIONS);
    for time in ["2026-03-01T12:00", "2026-03-02T12:00", "2026-03-02T13:00"] {
        let mut record = case.record(time, "a", "p/m", "5");
        record.region = Some("north".to_string());
        assert_eq!(case.keeper.usage(record.time, &record), Verdict::Counted);
    }
    assert_eq!(case.keeper.charges_total()["a"], "30");
}

#[test]
fn a_price_book_that_contradicts_itself_is_refused() {
    // R3.1
    let unit = "model = \"per_unit\"\nunit_price = \"1\"";
    let twice = price(unit) + &price("model = \"flat\"\namount = \"1\"");
    let error = BookKeeper::new("", &twice).err().unwrap();
    assert!(error.contains("price 2") && error.contains("price 1"), "{error}");
    // The same full minute, though written as two times.
    let dated = |time: &str| price(&format!("{unit}\neffective_from = \"{time}\""));
    let same_minute = dated("2026-03-01T00:00:10Z") + &dated("2026-03-01T00:01:00Z");
    assert!(BookKeeper::new("", &same_minute).is_err());
    assert!(
        BookKeeper::new("", &(dated("2026-03-01T00:00:00Z") + &dated("2026-03-01T00:00:01Z")))
            .is_ok()
    );

    let wrong = [
        "model = \"per_unit\"",
        "model = \"per_unit\"\nunit_price = 1.5",
        "model = \"per_unit\"\nunit_price = \"-1\"",
        "model = \"per_unit\"\nunit_price = \"1000000\"",
        "model = \"per_unit\"\nunit_price = \"0.0000000000001\"",
        "model = \"per_unit\"\nunit_price = \"1\"\ncolour = \"red\"",
        "model = \"per_unit\"\nunit_price = \"1\"\neffective_from = \"tomorrow\"",
        "model = \"package\"\npackage = \"0\"\namount = \"7\"",
        "model = \"graduated\"\ntiers = []",
        "model = \"graduated\"\ntiers = [{ up_to = \"5\", unit_price = \"1\" }]",
        "model = \"graduated\"\ntiers = [{ unit_price = \"1\" }, { unit_price = \"1\" }]",
        "model = \"volume\"\ntiers = [{ up_to = \"5\", unit_price = \"1\" }, { up_to = \"5\", unit_price = \"1\" }, { unit_price = \"1\" }]",
        "model = \"auction\"\namount = \"7\"",
    ];
    for model in wrong {
        assert!(BookKeeper::new("", &price(model)).is_err(), "{model}");
    }
}

#[test]
fn months_are_those_of_the_billing_account() {
    // R3.5: 16:30 UTC on the last of March is April in Singapore and still March in New York.
    let mut case = with_prices(&price(&format!("model = \"graduated\"\n{TIERS}")));
    case.open("s", json!({ "time_zone": "Asia/Singapore" }));
    case.open("n", json!({ "time_zone": "America/New_York" }));
    for account in ["s", "n"] {
        case.uses_late("2026-03-31T16:30", "2026-03-31T15:30", account, "p/m", "150");
        case.uses("2026-03-31T16:30", account, "p/m", "150");
    }
    case.pass("2026-03-31T17:00");
    assert_eq!(
        (case.keeper.charges_total()["s"].as_str(), case.keeper.charges_total()["n"].as_str()),
        ("10", "20")
    );
    let bills = case.keeper.bills();
    assert_eq!((bills[0].month.as_str(), bills[1].month.as_str()), ("2026-04", "2026-03"));
}

#[test]
fn days_and_months_can_be_the_cycle() {
    // R3.5, R5.1: a day in Singapore ends at 16:00 UTC; the last one of a month belongs to that month.
    let mut case = Case::with_settings("bills.cycle = \"day\"");
    case.open("s", json!({ "time_zone": "Asia/Singapore" }));
    case.uses("2026-03-31T15:59", "s", "unit/usd", "1");
    case.pass("2026-03-31T16:00");
    assert_eq!(case.keeper.bills()[0].month, "2026-03");

    let mut case = Case::with_settings("bills.cycle = \"month\"");
    case.uses("2026-03-10T12:00", "a", "unit/usd", "1");
    case.uses("2026-03-20T12:00", "a", "unit/usd", "1");
    case.pass("2026-04-01T00:00");
    assert_eq!(case.amounts(), ["2"]);
}

#[test]
fn a_new_cycle_length_holds_from_the_end_of_the_open_cycle() {
    // R5.1
    let mut case = Case::new();
    case.configure("2026-03-10T10:30", "ba-a", "bill_cycle", json!("day"));
    case.uses("2026-03-10T10:40", "a", "unit/usd", "1");
    case.uses("2026-03-10T11:10", "a", "unit/usd", "2");
    case.uses("2026-03-10T23:10", "a", "unit/usd", "4");
    case.pass("2026-03-11T00:00");
    let ends: Vec<_> =
        case.keeper.bills().iter().map(|bill| (bill.cycle_end, bill.amount.clone())).collect();
    let expected =
        [(at("2026-03-10T11:00"), "1".to_string()), (at("2026-03-11T00:00"), "6".to_string())];
    assert_eq!(ends, expected);
}
