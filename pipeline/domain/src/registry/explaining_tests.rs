//! What a refusal says, word by word: whoever reads it has nothing else to go by.

use super::super::KeyHash;
use super::*;
use serde_json::{Value, json};

fn command(name: &str, fields: Value) -> Command {
    Command::read(name, fields).unwrap().unwrap()
}

/// Two enterprises, two accounts of `e` with the same address, one of `f`, a card, a transfer that is claimed
/// and one that waits, and a request.
fn registry() -> Registry {
    let mut registry = Registry::default();
    let account = |account: &str, enterprise: &str, email: &str| {
        let fields = json!({ "account": account, "enterprise": enterprise, "email": email, "mode": "prepaid" });
        command("open_account", fields)
    };
    let enterprise = |id: &str| {
        command("open_enterprise", json!({ "enterprise": id, "name": "E", "country": "SG" }))
    };
    let received = |reference: &str| {
        let fields = json!({ "reference": reference, "amount": "5", "currency": "USD" });
        command("receive_remittance", fields)
    };
    for (number, command) in (1..).zip([
        enterprise("e"),
        enterprise("f"),
        account("a", "e", "pay@e.example"),
        account("b", "e", "pay@e.example"),
        account("x", "f", "x@f.example"),
        link("ba-a"),
        received("r"),
        command("claim_remittance", claim("r")),
        request("q", "x"),
    ]) {
        ask(&mut registry, number, &command, &PrincipalId::operator());
    }
    registry
}

fn link(wallet: &str) -> Command {
    let fields =
        json!({ "billing_account": wallet, "method": "visa", "kind": "card", "token": "t" });
    command("link_payment_method", fields)
}

fn claim(reference: &str) -> Value {
    json!({ "billing_account": "ba-b", "reference": reference, "amount": "5" })
}

fn request(request: &str, payer: &str) -> Command {
    let fields = json!({ "request": request, "requester": "ba-a", "payer": payer, "service": "s", "amount": "1" });
    command("request_payment", fields)
}

/// What is refused, and what is said about it.
fn ask(
    registry: &mut Registry,
    number: u64,
    command: &Command,
    principal: &PrincipalId,
) -> Option<(&'static str, Option<String>)> {
    let key = Some(KeyHash(0, number));
    let asked = Asked { number, key, content: number, principal, command };
    match registry.ask(asked, &mut |_| {}) {
        super::super::Admission::Refused(refusal, detail) => {
            Some((refusal.code(), detail.or_else(|| registry.why(&asked, refusal))))
        }
        _ => None,
    }
}

#[test]
fn a_refusal_says_what_is_taken_or_nowhere() {
    let mut registry = registry();
    let open = |account: &str, wallet: Option<&str>| {
        let fields = json!({
            "account": account, "enterprise": "e", "email": "n@e.example", "mode": "prepaid", "billing_account": wallet
        });
        command("open_account", fields)
    };
    let members = json!({ "billing_account": "ba-a", "accounts": ["a", "nobody"] });
    let received = json!({ "reference": "r", "amount": "5", "currency": "USD" });
    let credit = json!({ "invoice": "SG-2026-000001", "reason": "r" });
    let scope = json!({ "principal": "p", "role": "auditor", "scope": "none" });
    for (number, (command, code, why)) in (20..).zip([
        (open("a", Some("ba-new")), "already_exists", "there is an account a"),
        (
            open("n", Some("ba-x")),
            "already_exists",
            "there is a billing account ba-x; name another one",
        ),
        (
            command("receive_remittance", received),
            "already_exists",
            "a transfer r was received before",
        ),
        (request("q", "x"), "already_exists", "there is a payment request q"),
        (
            command("invite_account", json!({ "account": "a", "enterprise": "g" })),
            "not_found",
            "there is no enterprise g",
        ),
        (
            command("invite_account", json!({ "account": "nobody", "enterprise": "g" })),
            "not_found",
            "there is no account nobody",
        ),
        (command("grant_admin", members), "not_found", "there is no account nobody"),
        (
            command("credit_invoice", credit),
            "not_found",
            "there is no invoice SG-2026-000001 of the last 400d",
        ),
        (
            command("cancel_payment_request", json!({ "request": "none" })),
            "not_found",
            "there is no payment request none",
        ),
        (command("grant_role", scope), "not_found", "there is no auditor of p over none"),
        (request("s", "nobody"), "not_found", "no account is called nobody, or has that address"),
    ]) {
        let found = ask(&mut registry, number, &command, &PrincipalId::operator());
        assert_eq!(found, Some((code, Some(why.to_owned()))), "{command:?}");
    }
}

#[test]
fn a_refusal_says_why_money_and_methods_do_not_move() {
    let mut registry = registry();
    let received = |amount: &str| {
        let fields = json!({ "reference": "n", "amount": amount, "currency": "USD" });
        command("receive_remittance", fields)
    };
    let finish = json!({ "billing_account": "ba-b", "method": "visa" });
    for (number, (command, code, why)) in (20..).zip([
        (received("0"), "invalid_amount", "0 is not more than zero"),
        (received("-1"), "invalid_amount", "-1 is not more than zero"),
        (received("0.001"), "invalid_amount", "0.001 has too many decimals: USD is paid in 0.01"),
        (command("claim_remittance", claim("r")), "already_claimed", "the transfer r is claimed"),
        (
            request("s", "pay@e.example"),
            "payer_ambiguous",
            "several accounts have the address pay@e.example; name one",
        ),
        (link("ba-b"), "method_in_use", "visa serves another billing account"),
        (
            command("finish_authentication", finish),
            "method_in_use",
            "visa serves another billing account",
        ),
    ]) {
        let found = ask(&mut registry, number, &command, &PrincipalId::operator());
        assert_eq!(found, Some((code, Some(why.to_owned()))), "{command:?}");
    }
    registry.pass("2026-03-01T00:00:00Z".parse().unwrap(), &mut |_| {});
    let close = command("deregister_billing_account", json!({ "billing_account": "ba-a" }));
    assert_eq!(ask(&mut registry, 40, &close, &PrincipalId::operator()), None);
    registry.settle(40, true, &mut |_| {});
    let found = ask(&mut registry, 41, &link("ba-b"), &PrincipalId::operator());
    let why = "visa served a billing account that was closed; it is free at 2026-03-31T00:00:00Z";
    assert_eq!(found, Some(("method_in_use", Some(why.to_owned()))));
}

/// R11.1: what is for the operator says so; of anything else only its ledger knows why.
#[test]
fn r11_1_a_refusal_says_whom_a_command_is_for() {
    let mut registry = registry();
    let (boss, load) =
        ("boss".parse().unwrap(), command("load_settings", json!({ "document": "" })));
    let why = "boss may not load_settings: it is for the operator".to_owned();
    assert_eq!(ask(&mut registry, 20, &load, &boss), Some(("not_permitted", Some(why))));
    let unlink =
        command("unlink_payment_method", json!({ "billing_account": "ba-a", "method": "amex" }));
    let freeze = command("freeze_billing_account", json!({ "billing_account": "ba-a" }));
    let why = |command: &Command, refusal| {
        let asked = Asked { number: 30, key: None, content: 30, principal: &boss, command };
        registry.why(&asked, refusal)
    };
    assert_eq!(why(&freeze, Refusal::NotPermitted), None);
    assert_eq!(why(&freeze, Refusal::NotFound), None);
    assert_eq!(why(&freeze, Refusal::AlreadyExists), None);
    assert_eq!(why(&freeze, Refusal::MethodInUse), None);
    assert_eq!(why(&freeze, Refusal::KeyReused), None);
    assert_eq!(why(&freeze, Refusal::Frozen), None);
    let missing = why(&unlink, Refusal::NotFound);
    assert_eq!(missing.as_deref(), Some("ba-a has no payment method amex"));
}
