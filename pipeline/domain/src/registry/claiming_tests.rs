//! What is claimed, kept and let go, and for how long the registry knows it.

use super::load::SomeIds;
use super::*;
use serde_json::{Value, json};

/// A registry that is asked one thing after another, by the operator.
#[derive(Default)]
struct Asking {
    registry: Registry,
    commands: u64,
    facts: Vec<RegistryFact>,
}

impl Asking {
    /// Two enterprises, two accounts of `e` and one of `f`.
    fn with_accounts() -> Asking {
        let mut asking = Asking::default();
        for enterprise in ["e", "f"] {
            let fields = json!({ "enterprise": enterprise, "name": "E", "country": "SG" });
            asking.forwarded("open_enterprise", fields);
        }
        for (account, enterprise) in [("a", "e"), ("b", "e"), ("x", "f")] {
            asking.forwarded("open_account", account_of(account, enterprise, "a@b.example", None));
        }
        asking
    }

    fn ask(&mut self, name: &str, fields: Value) -> Admission {
        let (command, principal) =
            (Command::read(name, fields).unwrap().unwrap(), PrincipalId::operator());
        self.commands += 1;
        let number = self.commands;
        let key = Some(KeyHash(0, number));
        let asked =
            Asked { number, key, content: number, principal: &principal, command: &command };
        self.registry.ask(asked, &mut |fact| self.facts.push(fact.clone()))
    }

    /// The number of a command that a ledger is to decide.
    fn forwarded(&mut self, name: &str, fields: Value) -> u64 {
        let admission = self.ask(name, fields);
        assert!(matches!(admission, Admission::Forward(_)), "{name}: {admission:?}");
        self.commands
    }

    /// The code of what is refused.
    fn refused(&mut self, name: &str, fields: Value) -> &'static str {
        match self.ask(name, fields) {
            Admission::Refused(refusal, _) => refusal.code(),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn settle(&mut self, command: u64, kept: bool) {
        self.registry.settle(command, kept, &mut |fact| self.facts.push(fact.clone()));
    }

    fn pass(&mut self, at: Timestamp) {
        self.registry.pass(at, &mut |fact| self.facts.push(fact.clone()));
    }

    /// How many claims a command has made.
    fn claims(&self, command: u64) -> usize {
        let made = |fact: &&RegistryFact| matches!(fact, RegistryFact::Claimed(claimed) if claimed.command == command);
        self.facts.iter().filter(made).count()
    }
}

fn account_of(account: &str, enterprise: &str, email: &str, wallet: Option<&str>) -> Value {
    json!({
        "account": account, "enterprise": enterprise, "email": email, "mode": "prepaid", "billing_account": wallet
    })
}

fn link(wallet: &str) -> Value {
    json!({ "billing_account": wallet, "method": "visa", "kind": "card", "token": "t" })
}

fn unlink(wallet: &str) -> Value {
    json!({ "billing_account": wallet, "method": "visa" })
}

/// R7.5: a card is its billing account's from when it is asked for until its ledger refuses it or lets it go.
#[test]
fn r7_5_a_method_is_kept_or_let_go_as_its_ledger_decides() {
    let mut asking = Asking::with_accounts();
    let refused = asking.forwarded("link_payment_method", link("ba-a"));
    assert_eq!(asking.refused("link_payment_method", link("ba-b")), "method_in_use");
    asking.settle(refused, false);
    let linked = asking.forwarded("link_payment_method", link("ba-b"));
    asking.settle(linked, true);
    assert_eq!(asking.refused("link_payment_method", link("ba-a")), "method_in_use");
    // What is linked already claims nothing again.
    let again = asking.forwarded("link_payment_method", link("ba-b"));
    assert_eq!((asking.claims(linked), asking.claims(again)), (1, 0));
    // Only whose it is can let it go.
    let other = asking.forwarded("unlink_payment_method", unlink("ba-a"));
    let own = asking.forwarded("unlink_payment_method", unlink("ba-b"));
    assert_eq!((asking.claims(other), asking.claims(own)), (0, 1));
    assert_eq!(asking.refused("unlink_payment_method", unlink("ba-none")), "not_found");
    asking.settle(own, false);
    assert_eq!(asking.refused("link_payment_method", link("ba-a")), "method_in_use");
    let own = asking.forwarded("unlink_payment_method", unlink("ba-b"));
    assert_eq!(asking.refused("link_payment_method", link("ba-a")), "method_in_use");
    asking.settle(own, true);
    asking.forwarded("link_payment_method", link("ba-a"));
}

/// R7.5: that a closed billing account wants its card off does not make the cool-down longer.
#[test]
fn r7_5_a_method_cools_down_whatever_its_closed_billing_account_asks() {
    let mut asking = Asking::with_accounts();
    let begins: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    asking.pass(begins);
    let linked = asking.forwarded("link_payment_method", link("ba-a"));
    asking.settle(linked, true);
    let closed =
        asking.forwarded("deregister_billing_account", json!({ "billing_account": "ba-a" }));
    asking.settle(closed, true);
    let own = asking.forwarded("unlink_payment_method", unlink("ba-a"));
    asking.settle(own, false);
    assert_eq!(asking.refused("link_payment_method", link("ba-b")), "method_in_use");
    asking.pass(begins.plus(Span::days(30)));
    asking.forwarded("link_payment_method", link("ba-b"));
}

/// R11.5: keys are known for 35 days and then forgotten, the oldest first.
#[test]
fn r11_5_keys_are_forgotten_once_they_are_too_old() {
    let mut asking = Asking::default();
    let kept = KEYS_KEPT.as_micros();
    let known = |asking: &Asking| (asking.registry.keys.len(), asking.registry.keys_by_age.len());
    for at in [0, 5] {
        asking.pass(Timestamp::from_micros(at));
        asking.refused("freeze_billing_account", json!({ "billing_account": "ba-none" }));
    }
    for (at, expected) in [(kept, 2), (kept + 1, 1), (kept + 5, 1), (kept + 6, 0)] {
        asking.pass(Timestamp::from_micros(at));
        assert_eq!(known(&asking), (expected, expected), "R11.5: {at}");
    }
}

#[test]
fn time_that_does_not_go_on_is_no_fact() {
    let mut asking = Asking::default();
    for (at, now, facts) in [(5, 5, 1), (5, 5, 1), (4, 5, 1), (6, 6, 2)] {
        asking.pass(Timestamp::from_micros(at));
        assert_eq!(asking.registry.now(), Timestamp::from_micros(now));
        assert_eq!(asking.facts.len(), facts, "{at}");
    }
}

#[test]
fn an_account_is_opened_under_names_that_are_free_and_with_an_address() {
    let mut asking = Asking::with_accounts();
    for (account, wallet, email, code) in [
        ("a", Some("ba-new"), "a@b", "already_exists"),
        ("n", Some("ba-x"), "a@b", "already_exists"),
        ("n", None, "ab", "malformed"),
        ("n", None, "@b", "malformed"),
        ("n", None, "a@", "malformed"),
        ("n", None, "a b@c", "malformed"),
        ("n", None, "a@b c", "malformed"),
        ("n", None, "a@b@c", "malformed"),
    ] {
        let fields = account_of(account, "e", email, wallet);
        assert_eq!(asking.refused("open_account", fields), code, "{account} {wallet:?} {email}");
    }
    let long = "n".repeat(62);
    let fields = account_of(&long, "e", "a@b", None);
    assert_eq!(asking.refused("open_account", fields), "malformed");
    asking.forwarded("open_account", account_of(&long, "e", "a@b", Some("ba-new")));
    asking.forwarded("open_account", account_of("n", "e", "a@b", None));
}

/// R11.1: a role claims the name of whoever is nobody's yet.
#[test]
fn r11_1_a_role_claims_a_name_that_is_nobodys() {
    let mut asking = Asking::with_accounts();
    let hash = "0".repeat(64);
    let key = json!({ "principal": "ci", "role": "auditor", "scope": "e", "hash": hash });
    let made = asking.forwarded("create_key", key);
    assert_eq!(asking.claims(made), 1);
    for (principal, scope, claims) in [
        ("books", "e", 1),
        ("books", "ba-a", 1),
        ("books", "f", 0),
        ("ci", "e", 1),
        ("ci", "ba-x", 0),
        ("a", "e", 0),
        ("x", "e", 0),
        ("operator", "e", 0),
        ("unknown", "e", 0),
    ] {
        let fields = json!({ "principal": principal, "role": "auditor", "scope": scope });
        let granted = asking.forwarded("grant_role", fields);
        assert_eq!(asking.claims(granted), claims, "R11.1: {principal} over {scope}");
    }
}

/// R12.2: a number that is given makes the registry forget what its issuer can no longer take back, and
/// nothing else.
#[test]
fn r12_2_an_invoice_is_known_while_it_can_be_taken_back() {
    let mut asking = Asking::default();
    let document = "invoices.credit_within = \"10d\"";
    assert!(matches!(
        asking.ask("load_settings", json!({ "document": document })),
        Admission::Settings(_)
    ));
    let germany: Country = "DE".parse().unwrap();
    for (at, issuer, known) in [
        ("2026-03-01T00:00:00Z", Country::SINGAPORE, vec!["SG 1"]),
        ("2026-03-01T00:00:00Z", germany, vec!["DE 1", "SG 1"]),
        ("2026-03-02T00:00:00Z", Country::SINGAPORE, vec!["DE 1", "SG 1", "SG 2"]),
        ("2026-03-11T00:00:00Z", germany, vec!["DE 1", "DE 2", "SG 1", "SG 2"]),
        ("2026-03-11T00:00:01Z", germany, vec!["DE 2", "DE 3", "SG 1", "SG 2"]),
        ("2026-03-11T00:00:01Z", Country::SINGAPORE, vec!["DE 2", "DE 3", "SG 2", "SG 3"]),
    ] {
        asking.pass(at.parse().unwrap());
        let kind = InvoiceType::Invoice;
        let asks = Numberless { ledger: 1, invoice: 7, issuer_country: issuer, kind };
        asking.registry.number(asks, &mut |_| {});
        let found = asking.registry.invoices.keys().map(|key| format!("{} {}", key.0, key.2));
        assert_eq!(found.collect::<Vec<_>>(), known, "R12.2: {issuer} {at}");
    }
}

/// R3.1: what is loaded is in force, and a document that makes no sense changes nothing.
#[test]
fn r3_1_prices_and_settings_are_those_that_were_loaded() {
    let mut asking = Asking::default();
    let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    asking.pass(now);
    let price = |from: &str| {
        let document = format!(
            "[[price]]\nproduct = \"p\"\nmeter = \"m\"\ncurrency = \"USD\"\nmodel = \"per_unit\"\n\
             unit_price = \"1\"\neffective_from = {from:?}\n"
        );
        json!({ "document": document })
    };
    let loaded = |admission: Admission| match admission {
        Admission::Prices(changes) => changes.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(loaded(asking.ask("load_prices", price("2026-01-01T00:00:00Z"))), 1);
    assert_eq!(loaded(asking.ask("load_prices", price("2026-01-01T00:00:00Z"))), 0);
    assert_eq!(asking.registry.book().loads(), 2);
    assert_eq!(asking.refused("load_prices", price("2026-03-01T00:09:00Z")), "in_the_past");
    assert_eq!(asking.refused("load_prices", json!({ "document": "[[prise]]" })), "malformed");
    assert_eq!(asking.registry.book().loads(), 2);
    let document = "usage.max_age = \"40d\"";
    let settings = asking.ask("load_settings", json!({ "document": document }));
    assert_eq!(settings, Admission::Settings(document.to_owned()));
    assert_eq!(asking.refused("load_settings", json!({ "document": "usage = 1" })), "malformed");
    assert_eq!(asking.registry.settings().usage.max_age, Span::days(40));
}

/// R7.3: a transfer is listed with whose it is and how far it has come.
#[test]
fn r7_3_a_transfer_is_found_by_its_reference_and_by_its_claim() {
    let mut asking = Asking::with_accounts();
    let reference: Text = "r".parse().unwrap();
    assert_eq!(asking.registry.remittance(&reference), None);
    let received = json!({ "reference": "r", "amount": "5", "currency": "USD", "remark": "hello" });
    assert_eq!(asking.ask("receive_remittance", received), Admission::Done);
    let row = |asking: &Asking| {
        let row = asking.registry.remittance(&reference).unwrap().row();
        let figures = (row.amount.to_string(), row.currency, row.remark.unwrap().to_string());
        assert_eq!(figures, ("5".to_owned(), Currency::Usd, "hello".to_owned()));
        (row.billing_account.map(|wallet| wallet.to_string()), row.status)
    };
    assert_eq!(row(&asking), (None, "unclaimed".to_owned()));
    let claim = json!({ "billing_account": "ba-a", "reference": "r", "amount": "5" });
    let carried = Admission::Carry("e".parse().unwrap(), Currency::Usd);
    assert_eq!(asking.ask("claim_remittance", claim), carried);
    let (claimed, own) = (asking.commands, Some("ba-a".to_owned()));
    assert_eq!(row(&asking), (own.clone(), "in_flight".to_owned()));
    assert_eq!(asking.registry.remittance_claimed_by(claimed), Some(&reference));
    assert_eq!(asking.registry.remittance_claimed_by(claimed - 2), None);
    asking.settle(claimed, true);
    assert_eq!(row(&asking), (own, "claimed".to_owned()));
    assert_eq!(asking.registry.remittance_claimed_by(claimed), None);
}

/// A piece holds as many things as are asked for, at least one, and says where the next one begins.
#[test]
fn a_piece_holds_no_more_than_is_asked_for() {
    let asking = Asking::with_accounts();
    let enterprises = |most| {
        let (piece, after) = asking.registry.piece(&Place::Enterprises(None), most);
        let RegistryPiece::SomeIds(SomeIds { enterprises }) = piece else { panic!("{piece:?}") };
        (enterprises.len(), after.unwrap())
    };
    let behind = |id: &str| Place::Enterprises(id.parse().ok());
    assert_eq!(enterprises(0), (1, behind("e")));
    assert_eq!(enterprises(1), (1, behind("e")));
    assert_eq!(enterprises(2), (2, Place::Accounts(None)));
    assert_eq!(enterprises(3), (2, Place::Accounts(None)));
}
