//! What is refused with which code, and the idempotency key (R11.5).

mod common;
use common::{Case, at};
use serde_json::{Value, json};

/// An enterprise with `a` and `b` (direct), `e` (ecosystem), `p` (a partner pays) and `y` (in yen), and another
/// enterprise with `o`. `ba-a` has 100 of cash, the coupon `c` of June and the order `o1` of 10.
fn town() -> Case {
    let mut case = Case::new();
    case.open("b", json!({}));
    case.open("e", json!({ "kind": "ecosystem", "partner": "reseller" }));
    case.open("p", json!({ "partner": "reseller", "partner_pays": true }));
    case.open("y", json!({ "currency": "JPY" }));
    let other = json!({ "enterprise": "other", "name": "Other", "country": "SG" });
    case.accept("2026-01-01T00:00", "open_enterprise", other);
    case.open("o", json!({ "enterprise": "other" }));
    case.open("gone", json!({}));
    case.accept("2026-01-01T00:00", "close_account", json!({ "account": "gone" }));
    case.adjust("2026-01-01T00:00", "ba-a", "110");
    let summer =
        json!({ "valid_from": "2026-06-01T00:00:00Z", "valid_until": "2026-07-01T00:00:00Z" });
    case.coupon("2026-01-01T00:00", "c", "5", summer);
    case.accept(
        "2026-01-01T00:00",
        "place_order",
        json!({ "billing_account": "ba-a", "order": "o1", "amount": "10" }),
    );
    case
}

#[test]
fn every_refusal_and_its_code() {
    let account = |id: &str| json!({ "account": id, "enterprise": "acme", "email": "x@acme.example", "mode": "prepaid" });
    let with = |mut fields: Value, name: &str, value: Value| {
        fields[name] = value;
        fields
    };
    let enterprise = json!({ "enterprise": "new", "name": "New", "country": "SG" });
    let top_up = json!({ "billing_account": "ba-a", "amount": "50", "currency": "USD", "method": "bank_transfer" });
    let coupon = json!({
        "billing_account": "ba-a", "coupon": "d", "amount": "5",
        "valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-04-01T00:00:00Z",
    });
    let order = json!({ "billing_account": "ba-a", "order": "o2", "amount": "10" });
    let refund = json!({ "billing_account": "ba-a", "order": "o1", "amount": "10", "to": "cash" });
    let transfer = json!({ "from": "ba-a", "to": "ba-b", "amount": "10" });
    let limit = json!({ "billing_account": "ba-a", "limit": "10" });
    let table = [
        ("load_prices", json!({ "document": "" }), "not_supported"),
        ("open_enterprise", json!(null), "malformed"),
        ("open_enterprise", json!({ "enterprise": "new", "name": "New" }), "malformed"),
        ("open_enterprise", with(enterprise.clone(), "enterprise", json!("New")), "malformed"),
        ("open_enterprise", with(enterprise.clone(), "colour", json!("red")), "malformed"),
        ("open_enterprise", with(enterprise.clone(), "account_center", json!("yes")), "malformed"),
        (
            "open_enterprise",
            with(enterprise.clone(), "credit_total", json!("-1")),
            "invalid_amount",
        ),
        ("open_enterprise", with(enterprise, "enterprise", json!("acme")), "already_exists"),
        ("open_account", with(account("new"), "account", json!("a b")), "malformed"),
        ("open_account", with(account("new"), "account", json!("x".repeat(65))), "malformed"),
        ("open_account", with(account("new"), "mode", json!("free")), "malformed"),
        ("open_account", with(account("new"), "kind", json!("odd")), "malformed"),
        ("open_account", with(account("new"), "currency", json!("XXX")), "malformed"),
        ("open_account", with(account("new"), "time_zone", json!("Mars/Base")), "malformed"),
        ("open_account", with(account("new"), "enterprise", json!("nobody")), "not_found"),
        ("open_account", account("a"), "already_exists"),
        ("open_account", with(account("new"), "billing_account", json!("ba-a")), "already_exists"),
        ("close_account", json!({ "account": "nobody" }), "not_found"),
        ("close_account", json!({ "account": "gone" }), "account_closed"),
        ("change_payer", json!({ "account": "gone", "billing_account": "ba-a" }), "account_closed"),
        (
            "change_payer",
            json!({ "account": "a", "billing_account": "ba-b", "effective_at": "soon" }),
            "malformed",
        ),
        ("top_up", with(top_up.clone(), "billing_account", json!("ba-x")), "not_found"),
        ("top_up", with(top_up.clone(), "billing_account", json!("ba-e")), "not_for_ecosystem"),
        ("top_up", with(top_up.clone(), "amount", json!("50.001")), "invalid_amount"),
        ("top_up", with(top_up.clone(), "currency", json!("EUR")), "currency_mismatch"),
        ("top_up", with(top_up.clone(), "amount", json!("1")), "below_minimum"),
        ("top_up", with(top_up.clone(), "method", json!("card-1")), "method_not_allowed"),
        ("top_up", with(top_up, "test", json!(true)), "invalid_amount"),
        (
            "adjust",
            json!({ "billing_account": "ba-e", "amount": "1", "reason": "r" }),
            "not_for_ecosystem",
        ),
        (
            "adjust",
            json!({ "billing_account": "ba-a", "amount": "0", "reason": "r" }),
            "invalid_amount",
        ),
        (
            "adjust",
            json!({ "billing_account": "ba-a", "amount": "-100.01", "reason": "r" }),
            "insufficient_funds",
        ),
        ("set_quota", json!({ "billing_account": "ba-a", "quota": "1" }), "not_found"),
        ("set_quota", json!({ "billing_account": "ba-e", "quota": "-1" }), "invalid_amount"),
        (
            "grant_coupon",
            with(coupon.clone(), "billing_account", json!("ba-e")),
            "not_for_ecosystem",
        ),
        ("grant_coupon", with(coupon.clone(), "amount", json!("0")), "invalid_amount"),
        ("grant_coupon", with(coupon.clone(), "minimum", json!("-1")), "invalid_amount"),
        (
            "grant_coupon",
            with(coupon.clone(), "valid_until", json!("2026-03-01T00:00:00Z")),
            "malformed",
        ),
        ("grant_coupon", with(coupon.clone(), "products", json!("compute")), "malformed"),
        ("grant_coupon", with(coupon, "coupon", json!("c")), "already_exists"),
        ("set_credit_limit", json!({ "billing_account": "ba-a" }), "malformed"),
        (
            "set_credit_limit",
            with(limit.clone(), "billing_account", json!("ba-e")),
            "not_for_ecosystem",
        ),
        ("set_credit_limit", with(limit.clone(), "billing_account", json!("ba-p")), "partner_pays"),
        ("set_credit_limit", with(limit, "limit", json!("-1")), "invalid_amount"),
        ("confirm_contract", json!({ "billing_account": "ba-a" }), "not_found"),
        (
            "configure",
            json!({ "billing_account": "ba-a", "auto_write_off": false }),
            "write_off_required",
        ),
        (
            "configure",
            json!({ "billing_account": "ba-e", "auto_write_off": true }),
            "not_for_ecosystem",
        ),
        ("configure", json!({ "billing_account": "ba-a", "bill_cycle": "week" }), "malformed"),
        ("place_order", with(order.clone(), "billing_account", json!("ba-x")), "not_found"),
        ("place_order", with(order.clone(), "account", json!("nobody")), "not_found"),
        ("place_order", with(order.clone(), "order", json!("o1")), "already_exists"),
        ("place_order", with(order.clone(), "account", json!("gone")), "account_closed"),
        ("place_order", with(order.clone(), "account", json!("o")), "different_enterprise"),
        ("place_order", with(order.clone(), "amount", json!("0")), "invalid_amount"),
        ("place_order", with(order.clone(), "amount", json!("100.01")), "insufficient_funds"),
        ("place_order", with(order, "method", json!("card-1")), "method_not_allowed"),
        ("refund_order", with(refund.clone(), "to", json!("gold")), "malformed"),
        ("refund_order", with(refund.clone(), "amount", json!("10.01")), "invalid_amount"),
        ("refund_order", with(refund, "to", json!("credit")), "method_not_allowed"),
        ("transfer", with(transfer.clone(), "to", json!("ba-x")), "not_found"),
        ("transfer", with(transfer.clone(), "to", json!("ba-e")), "not_for_ecosystem"),
        ("transfer", with(transfer.clone(), "to", json!("ba-a")), "malformed"),
        ("transfer", with(transfer.clone(), "to", json!("ba-o")), "different_enterprise"),
        ("transfer", with(transfer.clone(), "amount", json!("-1")), "invalid_amount"),
        ("transfer", with(transfer.clone(), "to", json!("ba-y")), "currency_mismatch"),
        ("transfer", with(transfer.clone(), "to", json!("ba-p")), "partner_pays"),
        ("transfer", with(transfer.clone(), "amount", json!("100.01")), "exceeds_transferable"),
        ("revoke_transfer", transfer, "nothing_to_revoke"),
    ];
    let mut case = town();
    let before = case.keeper.entries().len();
    for (name, fields, code) in table {
        case.refuse("2026-03-01T00:00", name, fields, code);
    }
    assert_eq!(case.keeper.entries().len(), before);
}

#[test]
fn a_refused_setting_changes_nothing_of_the_command() {
    let mut case = Case::new();
    let both = json!({ "billing_account": "ba-a", "bill_cycle": "month", "auto_write_off": false });
    case.refuse("2026-03-01T00:00", "configure", both, "write_off_required");
    case.uses("2026-03-01T02:30", "a", "unit/usd", "1");
    case.pass("2026-03-01T03:00");
    assert_eq!(case.amounts(), ["1"]);
}

#[test]
fn overdue_refuses_what_costs_money() {
    // R8.1
    let mut case = town();
    case.uses("2026-03-01T00:30", "a", "unit/usd", "100.01");
    let order = json!({ "billing_account": "ba-a", "order": "o2", "amount": "1" });
    case.refuse("2026-03-01T00:40", "place_order", order, "overdue");
    case.refuse(
        "2026-03-01T00:40",
        "transfer",
        json!({ "from": "ba-a", "to": "ba-b", "amount": "1" }),
        "overdue",
    );
}

#[test]
fn a_key_gives_the_first_answer_and_nothing_else() {
    // R11.5
    let mut case = Case::new();
    let clerk = json!({ "principal": "bob", "role": "finance_admin", "scope": "ba-a" });
    case.accept("2026-03-01T00:00", "grant_role", clerk);
    let of = |amount: &str| json!({ "billing_account": "ba-a", "amount": amount, "currency": "USD", "method": "bank_transfer" });
    let (fields, other, too_little) = (of("50"), of("51"), of("5"));
    let mut send = |time: &str, principal: &str, key: &str, name: &str, fields: &Value| {
        case.keeper.command(at(time), principal, Some(key), name, fields)
    };
    assert_eq!(send("2026-03-01T00:00", "a", "k1", "top_up", &fields), Ok(()));
    assert_eq!(send("2026-03-02T00:00", "a", "k1", "top_up", &fields), Ok(()));
    assert_eq!(
        send("2026-03-02T00:00", "a", "k1", "top_up", &other),
        Err("key_reused".to_string())
    );
    assert_eq!(
        send("2026-03-02T00:00", "a", "k1", "adjust", &fields),
        Err("key_reused".to_string())
    );
    // The same key of someone else is another key; a refusal is an answer too.
    assert_eq!(
        send("2026-03-02T00:00", "bob", "k2", "top_up", &too_little),
        Err("below_minimum".to_string())
    );
    assert_eq!(send("2026-03-02T00:00", "bob", "k1", "top_up", &fields), Ok(()));
    assert_eq!(
        send("2026-03-02T00:00", "bob", "k2", "top_up", &too_little),
        Err("below_minimum".to_string())
    );
    // Kept for 35 days.
    assert_eq!(send("2026-04-05T00:00", "a", "k1", "top_up", &fields), Ok(()));
    case.shows("ba-a", &[("cash", "100")]);
    assert_eq!(
        case.keeper.command(at("2026-04-05T00:00") + 1, "a", Some("k1"), "top_up", &other),
        Ok(())
    );
    case.shows("ba-a", &[("cash", "151")]);
}
