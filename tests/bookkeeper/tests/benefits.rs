//! R9.8, R2.5: what benefits cover, and what a void does with it.

#![allow(clippy::unwrap_used)]

mod common;
use common::Case;
use serde_json::{Value, json};

fn buy(case: &mut Case, kind: &str, further: Value) {
    let mut fields = json!({
        "billing_account": "ba-a", "benefit": kind.replace('_', "-"), "kind": kind, "product": "unit",
        "price": "1.00", "valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-04-01T00:00:00Z",
    });
    for (name, value) in further.as_object().unwrap() {
        fields[name] = value.clone();
    }
    case.accept("2026-03-01T00:00", "buy_benefit", fields);
}

fn uses(case: &mut Case, time: &str, id: &str, quantity: &str) {
    let mut record = case.record(time, "a", "unit/usd", quantity);
    record.id = id.to_string();
    case.keeper.usage(record.time, &record);
    assert_eq!(case.keeper.check(), Ok(()));
}

fn void(case: &mut Case, time: &str, id: &str) {
    case.accept(time, "void_usage", json!({ "account": "a", "source": "test", "id": id }));
}

fn covered(case: &Case) -> [String; 2] {
    let [_, covered, drawn, _] = case.keeper.benefits("ba-a").remove(0);
    [covered, drawn]
}

#[test]
fn a_void_takes_what_was_not_covered_of_its_hour_first() {
    let mut case = Case::new();
    case.top_up("2026-03-01T00:00", "ba-a", "100");
    buy(&mut case, "reserved_instance", json!({ "quantity": "5" }));
    uses(&mut case, "2026-03-01T00:10", "one", "4");
    uses(&mut case, "2026-03-01T00:20", "two", "4");
    uses(&mut case, "2026-03-01T01:10", "three", "7");
    case.shows("ba-a", &[("cash", "96"), ("unsettled_current", "2")]);
    // Of the first hour three were not covered, and one of the four comes back as coverage.
    void(&mut case, "2026-03-01T01:20", "one");
    assert_eq!(covered(&case), ["9", "9"]);
    case.shows("ba-a", &[("unsettled_current", "-1")]);
    void(&mut case, "2026-03-01T01:30", "two");
    assert_eq!(covered(&case), ["5", "5"]);
    case.shows("ba-a", &[("unsettled_current", "-1")]);
    // What came back is there for that hour of use.
    case.uses_late("2026-03-01T01:40", "2026-03-01T00:50", "a", "unit/usd", "6");
    assert_eq!(covered(&case), ["10", "10"]);
    case.shows("ba-a", &[("unsettled_current", "0")]);
}

#[test]
fn what_was_billed_before_anything_was_covered_is_not_of_that_hour() {
    let mut case = Case::new();
    case.top_up("2026-03-01T00:00", "ba-a", "100");
    uses(&mut case, "2026-03-01T00:10", "one", "4");
    case.pass("2026-03-01T01:00");
    buy_later(&mut case);
    case.uses_late("2026-03-01T01:20", "2026-03-01T00:50", "a", "unit/usd", "6");
    case.shows("ba-a", &[("unsettled_current", "1")]);
    // One was not covered, and three come back from the package.
    void(&mut case, "2026-03-01T01:30", "one");
    assert_eq!(covered(&case), ["2", "2"]);
    case.shows("ba-a", &[("unsettled_current", "0")]);
}

fn buy_later(case: &mut Case) {
    let fields = json!({
        "billing_account": "ba-a", "benefit": "p", "kind": "storage_package", "product": "unit", "quantity": "5",
        "price": "1.00", "valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-04-01T00:00:00Z",
    });
    case.accept("2026-03-01T01:10", "buy_benefit", fields);
}

#[test]
fn what_a_plan_drew_comes_back_in_the_same_part() {
    let mut case = Case::new();
    case.top_up("2026-03-01T00:00", "ba-a", "100");
    buy(&mut case, "savings_plan", json!({ "commitment": "10", "discount": "0.3" }));
    uses(&mut case, "2026-03-01T00:10", "one", "3");
    assert_eq!(covered(&case), ["3", "2.1"]);
    uses(&mut case, "2026-03-01T00:20", "two", "1");
    assert_eq!(covered(&case), ["4", "2.8"]);
    void(&mut case, "2026-03-01T00:30", "one");
    assert_eq!(covered(&case), ["1", "0.7"]);
    void(&mut case, "2026-03-01T00:30", "two");
    assert_eq!(covered(&case), ["0", "0"]);
    case.shows("ba-a", &[("unsettled_current", "0")]);
}

#[test]
fn with_everything_taken_back_nothing_is_covered_and_nothing_costs() {
    // Whatever the order.
    for step in [1, 3, 7, 9] {
        let mut case = Case::new();
        case.top_up("2026-03-01T00:00", "ba-a", "100");
        buy(&mut case, "savings_plan", json!({ "commitment": "7.77", "discount": "0.17" }));
        for number in 0..20 {
            let time = format!("2026-03-01T0{}:{}0", number / 5, number % 5);
            uses(&mut case, &time, &format!("n{number}"), &format!("{}.37", number % 4));
        }
        for number in 0..20 {
            void(&mut case, "2026-03-01T05:00", &format!("n{}", (number * step + 2) % 20));
        }
        assert_eq!(covered(&case), ["0", "0"]);
        assert_eq!(case.keeper.charges_total()["a"], "0");
        case.pass("2026-03-01T06:00");
        case.shows("ba-a", &[("cash", "99"), ("unsettled_current", "0")]);
    }
}
