//! Who may do what: roots, management accounts, administrators (R9.5) and roles (R11.1, R11.3).

#![allow(clippy::unwrap_used)]

mod common;
use common::Case;
use serde_json::{Value, json};

const NOON: &str = "2026-03-01T12:00";

fn refused(code: &str) -> Result<(), String> {
    Err(code.to_string())
}

/// `acme` with the management account `boss`, the accounts `a` and `b`, and `adm`, who administers `ba-a`; `other`
/// with the management account `rival`; and one principal for each role.
fn town() -> Case {
    let mut case = Case::with("", common::PRICES);
    for (enterprise, management) in [("acme", "boss"), ("other", "rival")] {
        let fields = json!({
            "enterprise": enterprise, "name": "Name", "country": "US", "account_center": true,
            "management_account": management,
        });
        case.accept("2026-01-01T00:00", "open_enterprise", fields);
    }
    for account in ["boss", "a", "b", "adm", "left"] {
        case.open(account, json!({}));
    }
    case.open("rival", json!({ "enterprise": "other" }));
    for billing_account in ["ba-a", "ba-b"] {
        case.adjust("2026-01-01T00:00", billing_account, "100");
    }
    let administrators = json!({ "billing_account": "ba-a", "accounts": ["adm"] });
    case.accept("2026-01-01T00:00", "grant_admin", administrators);
    let roles = [
        ("fin", "finance_admin", "ba-a"),
        ("fin-all", "finance_admin", "acme"),
        ("edit", "billing_editor", "ba-a"),
        ("view", "finance_viewer", "acme"),
        ("bills", "billing_viewer", "acme"),
        ("agent", "isolated_spender", "ba-a"),
        ("brake", "freezer", "acme"),
        ("plat", "platform", "acme"),
        ("eyes", "auditor", "acme"),
    ];
    for (principal, role, scope) in roles {
        let fields = json!({ "principal": principal, "role": role, "scope": scope });
        case.accept("2026-01-01T00:00", "grant_role", fields);
    }
    let leaves = json!({ "account": "left" });
    case.accept("2026-01-01T00:00", "end_membership", leaves.clone());
    case.accept("2026-01-01T00:00", "invite_account", leaves);
    let asks = json!({ "request": "r1", "requester": "ba-a", "payer": "b", "service": "s", "amount": "5" });
    case.accept("2026-01-01T00:00", "request_payment", asks);
    let card =
        json!({ "billing_account": "ba-a", "method": "m", "kind": "card", "token": "tok_ok" });
    case.accept("2026-01-01T00:00", "link_payment_method", card);
    case.coupon("2026-01-01T00:00", "c", "5", json!({}));
    case.uses("2026-03-01T11:30", "a", "unit/usd", "1");
    case
}

const ALL: [&str; 17] = [
    "operator", "nobody", "rival", "boss", "a", "b", "adm", "left", "fin", "fin-all", "edit",
    "view", "bills", "agent", "brake", "plat", "eyes",
];

#[test]
fn every_command_asks_for_a_right() {
    // R11.1, R9.5
    let pay = ["boss", "a", "adm", "fin", "fin-all"].as_slice();
    let change = ["boss", "a", "adm", "fin", "fin-all", "edit"].as_slice();
    let own = ["boss", "a", "adm"].as_slice();
    let govern = ["boss"].as_slice();
    let ba = |further: Value| {
        let mut fields = json!({ "billing_account": "ba-a" });
        for (name, value) in further.as_object().unwrap() {
            fields[name] = value.clone();
        }
        fields
    };
    let role = json!({ "principal": "x", "role": "auditor", "scope": "ba-a" });
    let everywhere = json!({ "principal": "x", "role": "auditor", "scope": "acme" });
    let of_payer = ["boss", "b", "fin-all"].as_slice();
    let table: Vec<(&str, Value, &[&str])> = vec![
        ("open_enterprise", json!({ "enterprise": "new", "name": "New", "country": "US" }), &[]),
        ("set_tax_id", json!({ "enterprise": "acme", "tax_id": "1" }), &["boss", "fin-all"]),
        (
            "open_account",
            json!({ "account": "new", "enterprise": "acme", "email": "n@acme.example", "mode": "prepaid" }),
            govern,
        ),
        ("close_account", json!({ "account": "a" }), &["boss", "a"]),
        ("invite_account", json!({ "account": "a" }), govern),
        ("accept_invitation", json!({ "account": "left" }), &["left"]),
        ("end_membership", json!({ "account": "a" }), &["boss", "a"]),
        ("change_payer", json!({ "account": "a", "billing_account": "ba-a" }), &["boss", "a"]),
        ("change_payer", json!({ "account": "a", "billing_account": "ba-b" }), govern),
        ("rename_billing_account", ba(json!({ "name": "Mine" })), change),
        ("freeze_billing_account", ba(json!({})), own),
        ("unfreeze_billing_account", ba(json!({})), own),
        ("deregister_billing_account", ba(json!({})), own),
        ("grant_admin", ba(json!({ "accounts": ["b"] })), &["boss", "a"]),
        ("revoke_admin", ba(json!({ "accounts": ["adm"] })), &["boss", "a"]),
        ("grant_role", role.clone(), &["boss", "a"]),
        ("revoke_role", role, &["boss", "a"]),
        ("grant_role", everywhere, govern),
        (
            "top_up",
            ba(json!({ "amount": "50", "currency": "USD", "method": "bank_transfer" })),
            pay,
        ),
        ("withdraw", ba(json!({ "amount": "1" })), pay),
        ("adjust", ba(json!({ "amount": "1", "reason": "r" })), &[]),
        ("set_quota", ba(json!({ "quota": "1" })), &[]),
        ("receive_remittance", json!({ "reference": "x", "amount": "1", "currency": "USD" }), &[]),
        ("claim_remittance", ba(json!({ "reference": "x", "amount": "1" })), pay),
        ("set_credit_limit", ba(json!({ "limit": "1" })), &[]),
        ("confirm_contract", ba(json!({})), pay),
        ("lift_bad_debt", ba(json!({})), &[]),
        (
            "grant_coupon",
            ba(json!({
                "coupon": "d", "amount": "1", "valid_from": "2026-03-01T00:00:00Z",
                "valid_until": "2026-04-01T00:00:00Z",
            })),
            &[],
        ),
        ("place_order", ba(json!({ "order": "o", "amount": "1" })), pay),
        ("refund_order", ba(json!({ "order": "o", "amount": "1", "to": "cash" })), &[]),
        ("configure", ba(json!({ "bill_cycle": "day" })), change),
        ("transfer", json!({ "from": "ba-a", "to": "ba-b", "amount": "1" }), pay),
        ("transfer", json!({ "from": "ba-b", "to": "ba-a", "amount": "1" }), of_payer),
        ("revoke_transfer", json!({ "from": "ba-a", "to": "ba-b", "amount": "1" }), pay),
        (
            "link_payment_method",
            ba(json!({ "method": "n", "kind": "card", "token": "tok_ok" })),
            change,
        ),
        ("finish_authentication", ba(json!({ "method": "n" })), change),
        ("prefer_payment_method", ba(json!({ "method": "m" })), change),
        ("unlink_payment_method", ba(json!({ "method": "m" })), change),
        ("pay", ba(json!({})), pay),
        ("settle_enterprise", json!({ "enterprise": "acme" }), &["boss", "fin-all"]),
        (
            "request_payment",
            json!({ "request": "r2", "requester": "ba-a", "payer": "b", "service": "s", "amount": "5" }),
            pay,
        ),
        ("approve_payment_request", json!({ "request": "r1" }), of_payer),
        ("reject_payment_request", json!({ "request": "r1" }), of_payer),
        ("cancel_payment_request", json!({ "request": "r1" }), pay),
        (
            "buy_benefit",
            ba(json!({
                "benefit": "p", "kind": "storage_package", "product": "unit", "quantity": "1", "price": "1",
                "valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-04-01T00:00:00Z",
            })),
            pay,
        ),
        ("share_benefit", ba(json!({ "benefit": "c", "accounts": ["b"] })), pay),
        ("unshare_benefit", ba(json!({ "benefit": "c" })), pay),
        ("set_sharing_rule", ba(json!({ "accounts": ["b"] })), pay),
        (
            "set_organisation",
            json!({ "enterprise": "acme", "organisation": "team", "accounts": ["b"] }),
            govern,
        ),
        ("allocate_spend", json!({ "account": "a", "credit": "5" }), pay),
        (
            "authorize",
            json!({ "account": "a", "amount": "1", "authorization": "x" }),
            &["boss", "a", "adm", "fin", "fin-all", "agent"],
        ),
        ("freeze_recharge", json!({ "enterprise": "acme" }), &["boss", "brake"]),
        ("unfreeze_recharge", json!({ "enterprise": "acme" }), &["boss", "brake"]),
        ("void_usage", json!({ "account": "a", "source": "test", "id": "r1" }), &["plat"]),
        ("credit_invoice", json!({ "invoice": "none", "amount": "1", "reason": "r" }), &[]),
    ];
    // Who may not is asked first, so that what others do changes nothing of the answer.
    for (name, fields, permitted) in table {
        let may = |by: &str| by == "operator" || permitted.contains(&by);
        let mut case = town();
        for by in ALL.into_iter().filter(|by| !may(by)) {
            let answer = case.ask(NOON, by, name, fields.clone());
            assert_eq!(answer, refused("not_permitted"), "{name} {fields} by {by}");
        }
        for by in ALL.into_iter().filter(|by| may(by)) {
            let mut case = town();
            let answer = case.ask(NOON, by, name, fields.clone());
            assert_ne!(answer, refused("not_permitted"), "{name} {fields} by {by}");
        }
    }
}

#[test]
fn what_is_nowhere_is_not_found_before_anybody_is_refused() {
    // R11.1
    let mut case = town();
    let table = [
        (
            "top_up",
            json!({ "billing_account": "ba-x", "amount": "50", "currency": "USD", "method": "bank_transfer" }),
        ),
        ("transfer", json!({ "from": "ba-a", "to": "ba-x", "amount": "1" })),
        ("grant_role", json!({ "principal": "x", "role": "auditor", "scope": "ba-x" })),
        ("grant_admin", json!({ "billing_account": "ba-x", "accounts": ["b"] })),
        ("freeze_recharge", json!({ "enterprise": "none" })),
    ];
    for (name, fields) in table {
        assert_eq!(case.ask(NOON, "nobody", name, fields), refused("not_found"), "{name}");
    }
}

#[test]
fn a_grant_is_checked_and_its_scope_is_an_enterprise_first() {
    // R11.1: each step mends the fault named before.
    let mut case = town();
    let role = |role: &str, scope: &str, limit: &str| json!({ "principal": "x", "role": role, "scope": scope, "top_up_limit": limit });
    let table = [
        ("nobody", role("owner", "ba-x", "-1"), "malformed"),
        ("nobody", role("finance_admin", "ba-x", "-1"), "not_found"),
        ("nobody", role("finance_admin", "ba-a", "-1"), "not_permitted"),
        ("a", role("finance_admin", "ba-a", "-1"), "invalid_amount"),
        ("a", role("finance_admin", "ba-a", "1.001"), "invalid_amount"),
        ("boss", role("finance_admin", "acme", "1.001"), "invalid_amount"),
    ];
    for (by, fields, code) in table {
        assert_eq!(case.ask(NOON, by, "grant_role", fields), refused(code));
    }
    // The name of another enterprise's billing account is no way into this one.
    let sly = json!({
        "account": "sly", "enterprise": "other", "email": "s@other.example", "mode": "prepaid",
        "billing_account": "acme",
    });
    case.accept(NOON, "open_account", sly);
    let all = json!({ "principal": "sly", "role": "finance_admin", "scope": "acme" });
    assert_eq!(case.ask(NOON, "sly", "grant_role", all), refused("not_permitted"));
}

fn top_up(billing_account: &str, amount: &str) -> Value {
    json!({
        "billing_account": billing_account, "amount": amount, "currency": "USD", "method": "bank_transfer",
    })
}

#[test]
fn a_grant_may_carry_a_limit_for_a_top_up() {
    // R11.1
    let mut case = town();
    let grant = |scope: &str, limit: Value| json!({ "principal": "x", "role": "finance_admin", "scope": scope, "top_up_limit": limit });
    assert_eq!(case.ask(NOON, "a", "grant_role", grant("ba-a", json!("100"))), Ok(()));
    assert_eq!(case.ask(NOON, "x", "top_up", top_up("ba-a", "100")), Ok(()));
    assert_eq!(case.ask(NOON, "x", "top_up", top_up("ba-a", "100.01")), refused("over_role_limit"));
    assert_eq!(case.ask(NOON, "x", "top_up", top_up("ba-b", "100")), refused("not_permitted"));
    // It is no limit of anything else, and another grant may go further.
    let all = json!({ "from": "ba-a", "to": "ba-b", "amount": "150" });
    assert_eq!(case.ask(NOON, "x", "transfer", all), Ok(()));
    assert_eq!(case.ask(NOON, "boss", "grant_role", grant("acme", json!("200"))), Ok(()));
    assert_eq!(case.ask(NOON, "x", "top_up", top_up("ba-a", "200")), Ok(()));
    assert_eq!(case.ask(NOON, "x", "top_up", top_up("ba-a", "200.01")), refused("over_role_limit"));
    // Granted again without one there is none.
    assert_eq!(case.ask(NOON, "a", "grant_role", grant("ba-a", json!(null))), Ok(()));
    assert_eq!(case.ask(NOON, "x", "top_up", top_up("ba-a", "200.01")), Ok(()));
    // The amount is read before, what top-ups ask for is judged after.
    assert_eq!(
        case.ask(NOON, "a", "grant_role", grant("ba-b", json!("1"))),
        refused("not_permitted")
    );
    assert_eq!(case.ask(NOON, "b", "grant_role", grant("ba-b", json!("1"))), Ok(()));
    let revoked = json!({ "principal": "x", "role": "finance_admin", "scope": "acme" });
    assert_eq!(case.ask(NOON, "boss", "revoke_role", revoked), Ok(()));
    assert_eq!(case.ask(NOON, "x", "top_up", top_up("ba-b", "1.001")), refused("invalid_amount"));
    assert_eq!(case.ask(NOON, "x", "top_up", top_up("ba-b", "2")), refused("over_role_limit"));
    assert_eq!(case.ask(NOON, "x", "top_up", top_up("ba-b", "1")), refused("below_minimum"));
}

#[test]
fn a_revoked_role_is_gone_at_once() {
    // R11.1
    let mut case = town();
    let role = json!({ "principal": "fin", "role": "finance_admin", "scope": "ba-a" });
    let other = json!({ "principal": "fin", "role": "auditor", "scope": "ba-a" });
    assert_eq!(case.ask(NOON, "fin", "top_up", top_up("ba-a", "50")), Ok(()));
    assert_eq!(case.ask(NOON, "a", "revoke_role", other), refused("not_found"));
    assert_eq!(case.ask(NOON, "a", "revoke_role", role.clone()), Ok(()));
    assert_eq!(case.ask(NOON, "fin", "top_up", top_up("ba-a", "50")), refused("not_permitted"));
    assert_eq!(case.ask(NOON, "a", "revoke_role", role), refused("not_found"));
}

#[test]
fn administrators_and_who_makes_them() {
    // R9.5, R9.6: each step mends the fault named before.
    let mut case = town();
    let named = |billing_account: &str, accounts: Value| json!({ "billing_account": billing_account, "accounts": accounts });
    let many = vec!["nobody"; 21];
    let table = [
        ("nobody", named("ba-x", json!([])), "malformed"),
        ("nobody", named("ba-x", json!(["nobody"])), "not_found"),
        ("nobody", named("ba-a", json!(["nobody"])), "not_found"),
        ("nobody", named("ba-a", json!(many.clone())), "not_permitted"),
        ("b", named("ba-a", json!(["b"])), "not_permitted"),
        ("adm", named("ba-a", json!(["b"])), "not_permitted"),
        ("boss", named("ba-a", json!(many)), "too_many_accounts"),
        ("boss", named("ba-a", json!(["boss"])), "super_administrator"),
        ("boss", named("ba-a", json!(["rival"])), "different_enterprise"),
        ("boss", named("ba-a", json!(["left"])), "different_enterprise"),
    ];
    for (by, fields, code) in table {
        assert_eq!(case.ask(NOON, by, "grant_admin", fields), refused(code));
    }
    let desk = named("ba-a", json!(["b"]));
    assert_eq!(case.ask(NOON, "boss", "revoke_admin", desk.clone()), refused("not_found"));
    let boss = named("ba-a", json!(["boss"]));
    assert_eq!(case.ask(NOON, "boss", "revoke_admin", boss), refused("super_administrator"));
    assert_eq!(case.ask(NOON, "boss", "grant_admin", desk.clone()), Ok(()));
    assert_eq!(case.ask(NOON, "b", "top_up", top_up("ba-a", "50")), Ok(()));
    assert_eq!(case.ask(NOON, "boss", "revoke_admin", desk), Ok(()));
    assert_eq!(case.ask(NOON, "b", "top_up", top_up("ba-a", "50")), refused("not_permitted"));
}

#[test]
fn who_leaves_administers_nothing_any_more() {
    // R4.6, R9.5: nor does anybody administer what is his, but he himself.
    let mut case = town();
    for account in ["adm", "a"] {
        let case = &mut town();
        case.accept(NOON, "end_membership", json!({ "account": account }));
        for role in ["invite_account", "accept_invitation"] {
            case.accept(NOON, role, json!({ "account": account }));
        }
        assert_eq!(case.ask(NOON, "adm", "top_up", top_up("ba-a", "50")), refused("not_permitted"));
    }
    case.accept(NOON, "end_membership", json!({ "account": "a" }));
    for by in ["boss", "adm", "fin-all"] {
        assert_eq!(case.ask(NOON, by, "top_up", top_up("ba-a", "50")), refused("not_permitted"));
    }
    for by in ["a", "fin"] {
        assert_eq!(case.ask(NOON, by, "top_up", top_up("ba-a", "50")), Ok(()));
    }
}

#[test]
fn without_the_account_centre_the_management_account_has_its_own_only() {
    // R11.1
    let mut case = Case::with("", common::PRICES);
    let acme = json!({ "enterprise": "acme", "name": "Acme", "country": "US", "management_account": "boss" });
    case.accept("2026-01-01T00:00", "open_enterprise", acme);
    for account in ["boss", "a"] {
        case.open(account, json!({}));
    }
    assert_eq!(case.ask(NOON, "boss", "top_up", top_up("ba-boss", "50")), Ok(()));
    assert_eq!(case.ask(NOON, "boss", "top_up", top_up("ba-a", "50")), refused("not_permitted"));
    let admin = json!({ "billing_account": "ba-a", "accounts": ["boss"] });
    case.refuse(NOON, "grant_admin", admin, "account_center_off");
}

#[test]
fn what_the_operator_freezes_only_the_operator_sets_free() {
    // R4.5
    let mut case = town();
    let ba = || json!({ "billing_account": "ba-a" });
    assert_eq!(case.ask(NOON, "a", "freeze_billing_account", ba()), Ok(()));
    assert_eq!(case.ask(NOON, "boss", "unfreeze_billing_account", ba()), Ok(()));
    assert_eq!(case.ask(NOON, "boss", "unfreeze_billing_account", ba()), refused("not_found"));
    case.accept(NOON, "freeze_billing_account", ba());
    for by in ["a", "boss", "adm"] {
        let answer = case.ask(NOON, by, "unfreeze_billing_account", ba());
        assert_eq!(answer, refused("not_permitted"), "{by}");
    }
    case.accept(NOON, "unfreeze_billing_account", ba());
}

#[test]
fn nobody_lets_another_one_pay() {
    // R9.4: over both the account and the new payer.
    let mut case = town();
    let change = |payer: &str| json!({ "account": "a", "billing_account": payer });
    assert_eq!(
        case.ask(NOON, "a", "change_payer", change("ba-rival")),
        refused("different_enterprise")
    );
    assert_eq!(case.ask(NOON, "a", "change_payer", change("ba-b")), refused("not_permitted"));
    assert_eq!(case.ask(NOON, "b", "change_payer", change("ba-b")), refused("not_permitted"));
    assert_eq!(case.ask(NOON, "boss", "change_payer", change("ba-b")), Ok(()));
}

#[test]
fn a_freezer_stops_top_ups_under_the_whole_enterprise() {
    // R11.3: whoever asks; bill payments, remittances and adjustments go on.
    let mut case = town();
    let acme = || json!({ "enterprise": "acme" });
    assert_eq!(case.ask(NOON, "brake", "unfreeze_recharge", acme()), refused("not_found"));
    assert_eq!(case.ask(NOON, "brake", "freeze_recharge", acme()), Ok(()));
    assert_eq!(case.ask(NOON, "brake", "freeze_recharge", acme()), refused("recharge_frozen"));
    let other = json!({ "enterprise": "other" });
    assert_eq!(case.ask(NOON, "brake", "freeze_recharge", other), refused("not_permitted"));
    for by in ["operator", "boss", "a"] {
        let answer = case.ask(NOON, by, "top_up", top_up("ba-a", "50"));
        assert_eq!(answer, refused("recharge_frozen"), "{by}");
    }
    assert_eq!(case.ask(NOON, "nobody", "top_up", top_up("ba-a", "50")), refused("not_permitted"));
    case.adjust(NOON, "ba-a", "1");
    let remittance = json!({ "reference": "x", "amount": "1", "currency": "USD" });
    case.accept(NOON, "receive_remittance", remittance);
    let claim = json!({ "billing_account": "ba-a", "reference": "x", "amount": "1" });
    assert_eq!(case.ask(NOON, "a", "claim_remittance", claim), Ok(()));
    assert_eq!(case.ask(NOON, "boss", "unfreeze_recharge", acme()), Ok(()));
    assert_eq!(case.ask(NOON, "a", "top_up", top_up("ba-a", "50")), Ok(()));
}
