//! Section 9 (R9.1 to R9.4): money inside an enterprise.

mod common;
use common::Case;
use serde_json::{Value, json};

fn a_to_b(amount: &str) -> Value {
    json!({ "from": "ba-a", "to": "ba-b", "amount": amount })
}

fn pair() -> Case {
    let mut case = Case::new();
    case.open("b", json!({}));
    case
}

#[test]
fn own_cash_can_be_transferred_as_far_as_available() {
    // R9.1: own 100, received 30, 20.005 used: 100 is own, 109.995 available.
    let mut case = pair();
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    case.adjust("2026-03-01T00:00", "ba-b", "30");
    case.accept(
        "2026-03-01T00:00",
        "transfer",
        json!({ "from": "ba-b", "to": "ba-a", "amount": "30" }),
    );
    case.shows("ba-a", &[("cash", "130"), ("cash_transferred_in", "30"), ("transferable", "100")]);
    case.uses("2026-03-01T00:10", "a", "unit/usd", "50.005");
    case.shows("ba-a", &[("available", "79.995"), ("transferable", "79.99")]);
    case.refuse("2026-03-01T00:10", "transfer", a_to_b("80"), "exceeds_transferable");
    case.accept("2026-03-01T00:10", "transfer", a_to_b("79.99"));
    case.shows(
        "ba-b",
        &[("cash", "79.99"), ("cash_transferred_in", "79.99"), ("transferable", "0")],
    );
}

#[test]
fn a_transfer_pays_the_receivers_bills() {
    // R5.3, R9.1
    let mut case = pair();
    case.uses("2026-03-01T00:10", "b", "unit/usd", "30");
    case.pass("2026-03-01T01:00");
    case.adjust("2026-03-01T01:00", "ba-a", "100");
    case.accept("2026-03-01T01:00", "transfer", a_to_b("40"));
    case.shows("ba-b", &[("cash", "10"), ("unsettled_current", "0")]);
    assert_eq!(case.paid(), ["30"]);
}

#[test]
fn the_worked_case_of_revocation() {
    // R9.2: A sends B 100 (B has 50 own); B pays 120: own 30 left, revocable 0. Had B paid 60: 40.
    for (pays, left, revocable) in [("120", "30", "0"), ("60", "90", "40")] {
        let mut case = pair();
        case.adjust("2026-03-01T00:00", "ba-a", "100");
        case.adjust("2026-03-01T00:00", "ba-b", "50");
        case.accept("2026-03-01T00:00", "transfer", a_to_b("100"));
        case.uses("2026-03-01T00:10", "b", "unit/usd", pays);
        case.pass("2026-03-01T01:00");
        case.shows("ba-b", &[("cash", left)]);
        let one_more = if revocable == "0" { "0.01" } else { "40.01" };
        case.refuse("2026-03-01T01:00", "revoke_transfer", a_to_b(one_more), "exceeds_revocable");
        if revocable != "0" {
            case.accept("2026-03-01T01:00", "revoke_transfer", a_to_b(revocable));
            case.shows("ba-b", &[("cash", "50"), ("cash_transferred_in", "0")]);
            case.shows("ba-a", &[("cash", "40"), ("cash_transferred_in", "0")]);
        }
    }
}

#[test]
fn revocation_leaves_the_receiver_what_it_owes() {
    // R9.2: available is 100 less 70 used.
    let mut case = pair();
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    case.refuse("2026-03-01T00:00", "revoke_transfer", a_to_b("1"), "nothing_to_revoke");
    case.accept("2026-03-01T00:00", "transfer", a_to_b("100"));
    case.uses("2026-03-01T00:10", "b", "unit/usd", "70");
    case.refuse("2026-03-01T00:10", "revoke_transfer", a_to_b("30.01"), "exceeds_revocable");
    case.accept("2026-03-01T00:10", "revoke_transfer", a_to_b("30"));
    case.shows("ba-b", &[("available", "0"), ("overdue", "false")]);
    case.refuse(
        "2026-03-01T00:10",
        "revoke_transfer",
        json!({ "from": "ba-b", "to": "ba-a", "amount": "1" }),
        "nothing_to_revoke",
    );
}

#[test]
fn no_more_is_revoked_than_was_sent() {
    // R9.2: what comes back to the sender's lot later does not raise it above what was sent less what was revoked.
    let mut case = pair();
    case.adjust("2026-03-01T00:00", "ba-a", "100");
    for amount in ["60", "40"] {
        case.accept("2026-03-01T00:00", "transfer", a_to_b(amount));
    }
    case.accept("2026-03-01T00:00", "revoke_transfer", a_to_b("70"));
    case.refuse("2026-03-01T00:00", "revoke_transfer", a_to_b("30.01"), "exceeds_revocable");
    case.accept("2026-03-01T00:00", "revoke_transfer", a_to_b("30"));
    case.refuse("2026-03-01T00:00", "revoke_transfer", a_to_b("0.01"), "exceeds_revocable");
}

#[test]
fn who_is_overdue_does_not_transfer() {
    // R8.1, R9.1: with a limit, a bill unpaid fifteen days after its month makes overdue.
    let mut case = pair();
    case.limit("2026-02-01T00:00", "ba-a", "100");
    case.configure("2026-02-01T00:00", "ba-a", "auto_write_off", json!(false));
    case.adjust("2026-02-01T00:00", "ba-a", "100");
    case.uses("2026-02-10T00:10", "a", "unit/usd", "10");
    case.accept("2026-03-15T23:59:59Z", "transfer", a_to_b("1"));
    case.refuse("2026-03-16T00:00", "transfer", a_to_b("1"), "overdue");
    case.shows("ba-a", &[("overdue", "true"), ("available", "189")]);
    case.configure("2026-03-16T00:00", "ba-a", "auto_write_off", json!(true));
    case.accept("2026-03-16T00:00", "transfer", a_to_b("1"));
}

#[test]
fn bad_debt_ends_transfers_and_credit_until_it_is_lifted() {
    // R9.1, R9.3: the bill of January is unpaid ninety days after its month, on 1 May.
    let mut case = pair();
    case.uses("2026-01-10T00:10", "a", "unit/usd", "10");
    case.pass("2026-04-30T00:00");
    let limit = json!({ "billing_account": "ba-a", "limit": "100" });
    case.accept("2026-05-01T23:59:59Z", "set_credit_limit", limit.clone());
    case.pass("2026-05-02T00:00");
    case.adjust("2026-05-02T00:00", "ba-a", "100");
    case.refuse("2026-05-02T00:00", "transfer", a_to_b("1"), "credit_not_available");
    case.refuse("2026-05-02T00:00", "set_credit_limit", limit.clone(), "credit_not_available");
    case.accept("2026-05-02T00:00", "lift_bad_debt", json!({ "billing_account": "ba-a" }));
    case.accept("2026-05-02T00:00", "transfer", a_to_b("1"));
    case.accept("2026-05-02T00:00", "set_credit_limit", limit);
}

#[test]
fn the_first_limit_waits_for_the_contract() {
    // R9.3
    let mut case = Case::new();
    let limit = |amount: &str| json!({ "billing_account": "ba-a", "limit": amount });
    let confirm = json!({ "billing_account": "ba-a" });
    case.refuse("2026-03-01T00:00", "confirm_contract", confirm.clone(), "not_found");
    case.accept("2026-03-01T00:00", "set_credit_limit", limit("50"));
    case.shows(
        "ba-a",
        &[("credit_limit", "0"), ("credit_limit_pending", "50"), ("available", "0")],
    );
    case.accept("2026-03-01T00:00", "confirm_contract", confirm.clone());
    case.shows(
        "ba-a",
        &[("credit_limit", "50"), ("credit_limit_pending", "0"), ("available", "50")],
    );
    case.accept("2026-03-01T00:00", "set_credit_limit", limit("80"));
    case.shows("ba-a", &[("credit_limit", "80"), ("available", "80")]);
    case.uses("2026-03-01T00:10", "a", "unit/usd", "30");
    case.refuse("2026-03-01T00:10", "set_credit_limit", limit("29.99"), "limit_in_use");
    case.accept("2026-03-01T00:10", "set_credit_limit", limit("30"));
    case.refuse("2026-03-01T00:10", "confirm_contract", confirm, "not_found");
}

#[test]
fn the_limits_of_an_enterprise_stay_within_its_total() {
    // R9.3
    let mut case = Case::new();
    let total =
        json!({ "enterprise": "small", "name": "Small", "country": "US", "credit_total": "100" });
    case.accept("2026-01-01T00:00", "open_enterprise", total);
    for account in ["s", "t"] {
        case.open(account, json!({ "enterprise": "small" }));
    }
    let limit = |to: &str, amount: &str| json!({ "billing_account": to, "limit": amount });
    case.accept("2026-03-01T00:00", "set_credit_limit", limit("ba-s", "60"));
    case.refuse(
        "2026-03-01T00:00",
        "set_credit_limit",
        limit("ba-t", "40.01"),
        "exceeds_entity_credit",
    );
    case.accept("2026-03-01T00:00", "set_credit_limit", limit("ba-t", "40"));
    case.refuse(
        "2026-03-01T00:00",
        "set_credit_limit",
        limit("ba-s", "60.01"),
        "exceeds_entity_credit",
    );
}

#[test]
fn usage_goes_to_the_payer_of_its_time_of_use() {
    // R9.4, R3.1: the change is asked for at 10:00:30 and holds from 10:01 on.
    let mut case = pair();
    case.accept(
        "2026-03-01T10:00:30Z",
        "change_payer",
        json!({ "account": "a", "billing_account": "ba-b" }),
    );
    case.uses_late("2026-03-01T10:30", "2026-03-01T10:00:59Z", "a", "unit/usd", "1");
    case.uses_late("2026-03-01T10:30", "2026-03-01T10:01", "a", "unit/usd", "2");
    case.shows("ba-a", &[("unsettled_current", "1")]);
    case.shows("ba-b", &[("unsettled_current", "2")]);
    case.pass("2026-03-01T11:00");
    case.uses_late("2026-03-02T10:30", "2026-03-01T10:00", "a", "unit/usd", "4");
    case.shows("ba-a", &[("unsettled_current", "5")]);
}

#[test]
fn a_later_command_replaces_a_pending_change() {
    // R9.4
    let mut case = pair();
    case.open("c", json!({}));
    let change = |payer: &str, time: &str| json!({ "account": "a", "billing_account": payer, "effective_at": time });
    case.accept("2026-03-01T10:00", "change_payer", change("ba-b", "2026-03-05T00:00:00Z"));
    case.accept("2026-03-01T10:00", "change_payer", change("ba-c", "2026-03-10T00:00:00Z"));
    for (time, amount) in [("2026-03-07T00:00", "1"), ("2026-03-10T00:00", "2")] {
        case.uses(time, "a", "unit/usd", amount);
    }
    case.shows("ba-a", &[("unsettled_current", "1")]);
    case.shows("ba-b", &[("unsettled_current", "0")]);
    case.shows("ba-c", &[("unsettled_current", "2")]);
    case.refuse(
        "2026-03-10T00:01",
        "change_payer",
        change("ba-b", "2026-03-10T00:00:59Z"),
        "in_the_past",
    );
    case.accept("2026-03-10T00:01", "change_payer", change("ba-b", "2026-03-10T00:01:00Z"));
}

#[test]
fn months_quantities_are_kept_by_payer() {
    // R3.2: the free tier of storage is each payer's own.
    let mut case = pair();
    case.uses("2026-03-01T10:00", "a", "storage/gb", "100");
    case.accept(
        "2026-03-01T10:30",
        "change_payer",
        json!({ "account": "a", "billing_account": "ba-b" }),
    );
    case.uses("2026-03-01T10:40", "a", "storage/gb", "100");
    assert_eq!(case.keeper.charges_total()["a"], "0");
}

#[test]
fn who_may_pay_for_an_account() {
    // R9.4
    let mut case = pair();
    let other = json!({ "enterprise": "other", "name": "Other", "country": "SG" });
    case.accept("2026-01-01T00:00", "open_enterprise", other);
    case.open("o", json!({ "enterprise": "other" }));
    case.open("p", json!({ "enterprise": "other" }));
    case.open("y", json!({ "currency": "JPY" }));
    let change =
        |account: &str, payer: &str| json!({ "account": account, "billing_account": payer });
    let cases = [
        ("o", "ba-p", "account_center_off"),
        ("a", "ba-o", "different_enterprise"),
        ("a", "ba-y", "currency_mismatch"),
        ("x", "ba-a", "not_found"),
        ("a", "ba-x", "not_found"),
    ];
    for (account, payer, code) in cases {
        case.refuse("2026-03-01T00:00", "change_payer", change(account, payer), code);
    }
}
