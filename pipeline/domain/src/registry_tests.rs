//! Who comes first, what repeats, and a registry taken apart while it goes on.

use super::*;
use crate::commands::{
    ClaimRemittance, CreditInvoice, Mode, ReceiveRemittance, RequestPayment, TopUp,
};
use crate::invoices::invoice_number;
use crate::money::{Amount, Currency};

fn asked(number: u64, key: Option<u64>, content: u64, command: &Command) -> Asked<'_> {
    asked_by(OPERATOR.get_or_init(PrincipalId::operator), number, key, content, command)
}

static OPERATOR: std::sync::OnceLock<PrincipalId> = std::sync::OnceLock::new();

fn asked_by<'a>(
    principal: &'a PrincipalId,
    number: u64,
    key: Option<u64>,
    content: u64,
    command: &'a Command,
) -> Asked<'a> {
    Asked { number, key: key.map(|key| KeyHash(0, key)), content, principal, command }
}

fn open(enterprise: &str) -> Command {
    opened(enterprise).into()
}

fn opened(enterprise: &str) -> OpenEnterprise {
    OpenEnterprise {
        enterprise: enterprise.parse().unwrap(),
        name: "E".parse().unwrap(),
        country: "SG".parse().unwrap(),
        tax_id: None,
        language: None,
        account_center: None,
        management_account: None,
        credit_total: None,
    }
}

fn account(account: &str, enterprise: &str) -> Command {
    account_at(account, enterprise, "a@b.example")
}

fn account_at(account: &str, enterprise: &str, email: &str) -> Command {
    OpenAccount {
        account: account.parse().unwrap(),
        enterprise: enterprise.parse().unwrap(),
        email: email.parse().unwrap(),
        currency: None,
        time_zone: None,
        billing_account: None,
        mode: Mode::Prepaid,
        region: None,
        kind: None,
        partner: None,
        partner_pays: None,
    }
    .into()
}

fn top_up(wallet: &str) -> Command {
    TopUp {
        billing_account: wallet.parse().unwrap(),
        amount: Amount::whole(100),
        currency: Currency::Usd,
        method: "bank_transfer".parse().unwrap(),
        remark: None,
        test: None,
    }
    .into()
}

fn numberless(invoice: u64, kind: InvoiceType) -> Numberless {
    Numberless { ledger: 1, invoice, issuer_country: Country::SINGAPORE, kind }
}

/// R12.2: one after the other in each series; the year is that of the issuer's zone.
#[test]
fn r12_2_numbers_are_gapless_by_issuer_year_and_kind() {
    let mut registry = Registry::default();
    let document = "tax.issuer_zone = \"Asia/Singapore\"".to_owned();
    registry.ask(asked(1, None, 0, &LoadSettings { document }.into()), &mut |_| {});
    let (germany, note) = ("DE".parse().unwrap(), InvoiceType::CreditNote);
    for (at, issuer, kind, expected) in [
        ("2026-12-31T15:59:58Z", Country::SINGAPORE, InvoiceType::Invoice, "SG-2026-000001"),
        ("2026-12-31T15:59:58Z", Country::SINGAPORE, note, "CN-SG-2026-000001"),
        ("2026-12-31T15:59:58Z", germany, InvoiceType::Invoice, "DE-2026-000001"),
        ("2026-12-31T15:59:59Z", Country::SINGAPORE, InvoiceType::Invoice, "SG-2026-000002"),
        ("2026-12-31T16:00:00Z", Country::SINGAPORE, InvoiceType::Invoice, "SG-2027-000001"),
        ("2026-12-31T16:00:00Z", Country::SINGAPORE, note, "CN-SG-2027-000001"),
        ("2027-01-05T00:00:00Z", Country::SINGAPORE, InvoiceType::Invoice, "SG-2027-000002"),
    ] {
        registry.pass(at.parse().unwrap(), &mut |_| {});
        let asks = Numberless { issuer_country: issuer, ..numberless(7, kind) };
        assert_eq!(registry.number(asks, &mut |_| {}), expected, "{at}");
    }
}

/// R12.2: a number leads to the ledger that has the invoice, while that can be taken back.
#[test]
fn r12_2_a_credit_note_goes_to_whoever_has_the_invoice() {
    let mut registry = Registry::default();
    let document = "invoices.credit_within = \"10d\"".to_owned();
    registry.ask(asked(1, None, 0, &LoadSettings { document }.into()), &mut |_| {});
    registry.pass("2026-03-01T00:00:00Z".parse().unwrap(), &mut |_| {});
    registry.number(numberless(7, InvoiceType::Invoice), &mut |_| {});
    registry.number(numberless(8, InvoiceType::CreditNote), &mut |_| {});
    let ask = |registry: &mut Registry, number: &str| {
        let invoice = number.parse().unwrap();
        let reason = "r".parse().unwrap();
        let command = CreditInvoice { invoice, lines: None, amount: None, reason }.into();
        registry.ask(asked(2, None, 0, &command), &mut |_| {})
    };
    let (found, nowhere) =
        (Admission::Invoice { ledger: 1, invoice: 7 }, Admission::Refused(Refusal::NotFound, None));
    for number in ["SG-2026-000002", "CN-SG-2026-000001", "SG-2026-1", "DE-2026-000001"] {
        assert_eq!(ask(&mut registry, number), nowhere, "{number}");
    }
    assert_eq!(ask(&mut registry, "SG-2026-000001"), found);
    registry.pass("2026-03-11T00:00:00Z".parse().unwrap(), &mut |_| {});
    assert_eq!(ask(&mut registry, "SG-2026-000001"), found);
    registry.pass("2026-03-11T00:00:01Z".parse().unwrap(), &mut |_| {});
    assert_eq!(ask(&mut registry, "SG-2026-000001"), nowhere);
    // It is forgotten with the next number; numbers go on.
    let next = registry.number(numberless(9, InvoiceType::Invoice), &mut |_| {});
    assert_eq!((next.as_str(), registry.invoices.len()), ("SG-2026-000002", 1));
}

#[test]
fn r12_2_a_number_has_at_least_six_digits() {
    let number = |count| invoice_number(Country::SINGAPORE, 2026, InvoiceType::Invoice, count);
    assert_eq!(number(999_999), "SG-2026-999999");
    assert_eq!(number(1_000_000), "SG-2026-1000000");
}

#[test]
fn r11_5_a_repeated_key_gets_the_first_answer_and_another_content_is_refused() {
    let mut registry = Registry::default();
    let mut ask = |number, key, content, at: i64| {
        registry.pass(Timestamp::from_micros(at), &mut |_| {});
        registry.ask(asked(number, Some(key), content, &top_up("ba-a")), &mut |_| {})
    };
    let kept = KEYS_KEPT.as_micros();
    assert_eq!(ask(1, 7, 70, 0), Admission::Refused(Refusal::NotFound, None));
    assert_eq!(ask(2, 7, 70, 5), Admission::Repeats(1));
    assert_eq!(ask(3, 7, 71, 6), Admission::Refused(Refusal::KeyReused, None));
    assert_eq!(ask(4, 7, 70, kept), Admission::Repeats(1));
    assert_eq!(ask(5, 7, 71, kept + 1), Admission::Refused(Refusal::NotFound, None));
}

#[test]
fn ids_are_claimed_once_and_released_if_the_ledger_refuses() {
    let mut registry = Registry::default();
    let mut ask =
        |number, command: &Command| registry.ask(asked(number, None, 0, command), &mut |_| {});
    let taken = Admission::Refused(Refusal::AlreadyExists, None);
    assert_eq!(ask(1, &account("a", "e")), Admission::Refused(Refusal::NotFound, None));
    assert_eq!(ask(2, &open("e")), Admission::Forward("e".parse().unwrap()));
    assert_eq!(ask(3, &open("e")), taken);
    assert_eq!(ask(4, &account("a", "e")), Admission::Forward("e".parse().unwrap()));
    assert_eq!(ask(5, &account("a", "e")), taken);
    assert_eq!(ask(6, &top_up("ba-a")), Admission::Forward("e".parse().unwrap()));
    registry.settle(4, false, &mut |_| {});
    let mut ask =
        |number, command: &Command| registry.ask(asked(number, None, 0, command), &mut |_| {});
    assert_eq!(ask(7, &top_up("ba-a")), Admission::Refused(Refusal::NotFound, None));
    assert_eq!(ask(8, &account("a", "e")), Admission::Forward("e".parse().unwrap()));
}

/// R11.1: what is for the operator alone needs no ledger to be refused.
#[test]
fn r11_1_others_are_refused_what_is_for_the_operator() {
    let mut registry = Registry::default();
    let (boss, load) = ("boss".parse().unwrap(), LoadSettings { document: String::new() }.into());
    let mut ask = |who: &PrincipalId, number, command: &Command| {
        registry.ask(asked_by(who, number, None, 0, command), &mut |_| {})
    };
    let refused = Admission::Refused(Refusal::NotPermitted, None);
    assert_eq!(ask(&boss, 1, &open("e")), refused);
    assert_eq!(ask(&boss, 2, &load), refused);
    assert_eq!(
        ask(&PrincipalId::operator(), 3, &open("e")),
        Admission::Forward("e".parse().unwrap())
    );
    assert_eq!(ask(&boss, 4, &account("a", "e")), Admission::Forward("e".parse().unwrap()));
}

/// R11.1: an account's root acts under its name, so none may be called as the operator is.
#[test]
fn r11_1_no_account_is_called_as_the_operator_is() {
    let mut registry = Registry::default();
    registry.ask(asked(1, None, 0, &open("e")), &mut |_| {});
    for name in ["operator", "unknown"] {
        let command = account(name, "e");
        let found = registry.ask(asked(2, None, 0, &command), &mut |_| {});
        assert!(matches!(found, Admission::Refused(Refusal::AlreadyExists, Some(_))), "{found:?}");
    }
}

/// R9.5, R4.6, R11.1: what a command names besides must be somewhere; a scope is an enterprise or else a
/// billing account.
#[test]
fn r9_5_what_is_named_besides_must_be_known() {
    let mut registry = Registry::default();
    for (number, command) in (1..).zip([open("e"), open("f"), account("a", "e"), account("x", "f")])
    {
        registry.ask(asked(number, None, 0, &command), &mut |_| {});
    }
    let mut check = |name: &str, fields: serde_json::Value, expected: Option<&str>| {
        let command = Command::read(name, fields).unwrap().unwrap();
        let expected = match expected {
            Some(enterprise) => Admission::Forward(enterprise.parse().unwrap()),
            None => Admission::Refused(Refusal::NotFound, None),
        };
        assert_eq!(registry.ask(asked(9, None, 0, &command), &mut |_| {}), expected, "{command:?}");
    };
    let admins =
        |accounts: &[&str]| serde_json::json!({ "billing_account": "ba-a", "accounts": accounts });
    check("grant_admin", admins(&["a", "x"]), Some("e"));
    check("grant_admin", admins(&["a", "nobody"]), None);
    check("revoke_admin", admins(&["nobody"]), None);
    // So many are refused anyway, whoever they are.
    check("grant_admin", admins(&["nobody"; 21]), Some("e"));
    let invited =
        |enterprise: &str| serde_json::json!({ "account": "a", "enterprise": enterprise });
    check("invite_account", invited("f"), Some("e"));
    check("invite_account", invited("g"), None);
    let role =
        |scope: &str| serde_json::json!({ "principal": "p", "role": "auditor", "scope": scope });
    check("grant_role", role("f"), Some("f"));
    check("grant_role", role("ba-a"), Some("e"));
    check("revoke_role", role("ba-nobody"), None);
}

#[test]
fn the_registry_is_what_its_facts_make_it() {
    let (mut registry, mut replayed) = (Registry::default(), Registry::default());
    let mut facts = Vec::new();
    for (number, command) in
        (1..).zip([open("e"), account("a", "e"), account("b", "e"), top_up("ba-a")])
    {
        registry.pass(Timestamp::from_micros(number), &mut |fact| facts.push(fact.clone()));
        let number = number as u64;
        registry.ask(asked(number, Some(number), number, &command), &mut |fact| {
            facts.push(fact.clone())
        });
    }
    registry.settle(3, false, &mut |fact| facts.push(fact.clone()));
    facts.iter().for_each(|fact| replayed.apply(fact));
    assert_eq!(dump(&replayed), dump(&registry));
}

/// All that a registry holds, one thing a piece.
fn dump(registry: &Registry) -> Vec<(RegistryPiece, Option<Place>)> {
    let (mut pieces, mut place) = (Vec::new(), Some(Place::Shared));
    while let Some(at) = place {
        pieces.push(registry.piece(&at, 1));
        place = pieces.last().and_then(|(_, after)| after.clone());
    }
    pieces
}

fn received(reference: &str, units: i64) -> Command {
    ReceiveRemittance {
        reference: reference.parse().unwrap(),
        amount: Amount::whole(units),
        currency: Currency::Usd,
        remark: None,
    }
    .into()
}

fn claim(wallet: &str, reference: &str, units: i64) -> Command {
    ClaimRemittance {
        billing_account: wallet.parse().unwrap(),
        reference: reference.parse().unwrap(),
        amount: Amount::whole(units),
    }
    .into()
}

/// R7.3: a transfer that names nobody waits, and is claimed by reference and exact amount, once.
#[test]
fn r7_3_every_refusal_of_remittances_in_its_order() {
    let mut registry = Registry::default();
    let mut number = 0;
    let mut ask = |registry: &mut Registry, command: Command| {
        number += 1;
        registry.ask(asked(number, None, 0, &command), &mut |_| {})
    };
    let carry = Admission::Carry("e".parse().unwrap(), Currency::Usd);
    let refused = |refusal| Admission::Refused(refusal, None);
    for command in [open("e"), account("a", "e"), account("b", "e")] {
        ask(&mut registry, command);
    }
    for (command, expected) in [
        (received("r", 0), refused(Refusal::InvalidAmount)),
        (received("r", 30), Admission::Done),
        (received("r", 0), refused(Refusal::AlreadyExists)),
        (claim("ba-nobody", "r", 30), refused(Refusal::NotFound)),
        (claim("ba-a", "x", 30), refused(Refusal::NotFound)),
        (claim("ba-a", "r", 29), refused(Refusal::NotFound)),
        (claim("ba-a", "r", 30), carry.clone()),
        // On its way it is nobody else's, and for any other amount it was never there.
        (claim("ba-b", "r", 31), refused(Refusal::NotFound)),
        (claim("ba-b", "r", 30), refused(Refusal::AlreadyClaimed)),
    ] {
        assert_eq!(ask(&mut registry, command.clone()), expected, "{command:?}");
    }
    let whereabouts =
        |registry: &Registry| registry.remittances().next().map(Remittance::whereabouts);
    assert_eq!(whereabouts(&registry), Some(Whereabouts::OnTheWay));
    // Its ledger will not have it: it waits again, for somebody else.
    registry.settle(10, false, &mut |_| {});
    assert_eq!(whereabouts(&registry), Some(Whereabouts::Unclaimed));
    assert_eq!(ask(&mut registry, claim("ba-b", "r", 30)), carry);
    registry.settle(13, true, &mut |_| {});
    assert_eq!(whereabouts(&registry), Some(Whereabouts::Arrived));
    assert_eq!(ask(&mut registry, claim("ba-b", "r", 30)), refused(Refusal::AlreadyClaimed));
    let nameless = received("", 30);
    assert!(matches!(
        ask(&mut registry, nameless),
        Admission::Refused(Refusal::Malformed, Some(_))
    ));
}

fn link(wallet: &str, method: &str) -> Command {
    LinkPaymentMethod {
        billing_account: wallet.parse().unwrap(),
        method: method.parse().unwrap(),
        kind: crate::payments::MethodKind::Card,
        token: "t".parse().unwrap(),
        brand: None,
        expires: None,
    }
    .into()
}

fn request(request: &str, requester: &str, payer: &str) -> Command {
    RequestPayment {
        request: request.parse().unwrap(),
        requester: requester.parse().unwrap(),
        payer: payer.parse().unwrap(),
        service: "s".parse().unwrap(),
        amount: Amount::whole(1),
        note: None,
        resends: None,
    }
    .into()
}

fn close(wallet: &str) -> Command {
    DeregisterBillingAccount { billing_account: wallet.parse().unwrap() }.into()
}

/// R7.5: a card serves one billing account, and that of a closed one no other until it has cooled down.
#[test]
fn r7_5_a_method_is_free_once_its_closed_billing_account_has_cooled_down() {
    let mut registry = Registry::default();
    let mut number = 0;
    let mut ask = |registry: &mut Registry, at: Timestamp, command: Command| {
        number += 1;
        registry.pass(at, &mut |_| {});
        let admission = registry.ask(asked(number, None, 0, &command), &mut |_| {});
        (number, admission)
    };
    let begins: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let in_use = Admission::Refused(Refusal::MethodInUse, None);
    let forward = Admission::Forward("e".parse().unwrap());
    let cards = ["visa", "visa-2"];
    for command in [open("e"), account("a", "e"), account("b", "e")] {
        assert_eq!(ask(&mut registry, begins, command).1, forward);
    }
    for card in cards {
        assert_eq!(ask(&mut registry, begins, link("ba-a", card)).1, forward);
    }
    assert_eq!(ask(&mut registry, begins, link("ba-b", "visa")).1, in_use);
    let not_found = Admission::Refused(Refusal::NotFound, None);
    assert_eq!(ask(&mut registry, begins, close("ba-nobody")).1, not_found);

    let long_after = begins.plus(Span::days(100));
    let (refused, admission) = ask(&mut registry, begins, close("ba-a"));
    assert_eq!(admission, forward);
    registry.settle(refused, false, &mut |_| {});
    assert_eq!(ask(&mut registry, long_after, link("ba-b", "visa")).1, in_use);
    let (closed, _) = ask(&mut registry, long_after, close("ba-a"));
    registry.settle(closed, true, &mut |_| {});
    let cool = long_after.plus(Span::days(30));
    let before = cool.minus(Span::micros(1));
    for (at, wallet, expected) in
        [(before, "ba-b", &in_use), (cool, "ba-b", &forward), (cool, "ba-a", &in_use)]
    {
        for card in cards {
            assert_eq!(
                ask(&mut registry, at, link(wallet, card)).1,
                *expected,
                "{card} of {wallet}"
            );
        }
    }
}

/// R10.1: whoever is asked is found by account or e-mail address, in any enterprise; a name is used once.
/// Its ledger could not tell an account of another ledger from none.
#[test]
fn r5_8_an_order_for_an_account_that_is_nowhere() {
    let mut registry = Registry::default();
    let mut number = 0;
    let mut ask = |command: Command| {
        number += 1;
        registry.ask(asked(number, None, 0, &command), &mut |_| {})
    };
    for command in [
        open("e"),
        open("f"),
        account_at("a", "e", "a@e.example"),
        account_at("x", "f", "x@f.example"),
    ] {
        ask(command);
    }
    let order = |account: &str| {
        let fields = serde_json::json!({ "billing_account": "ba-a", "order": "o", "amount": "1", "account": account });
        Command::read("place_order", fields).unwrap().unwrap()
    };
    assert_eq!(ask(order("none")), Admission::Refused(Refusal::NotFound, None));
    assert_eq!(ask(order("x")), Admission::Forward("e".parse().unwrap()));
}

#[test]
fn r10_1_every_refusal_of_a_request_that_concerns_all_enterprises() {
    let mut registry = Registry::default();
    let mut number = 0;
    let mut ask = |registry: &mut Registry, command: Command| {
        number += 1;
        registry.ask(asked(number, None, 0, &command), &mut |_| {})
    };
    for command in [
        open("e"),
        open("f"),
        account_at("a", "e", "a@e.example"),
        account_at("x", "f", "Pay@F.example"),
        account_at("y", "f", "both@f.example"),
        account_at("z", "e", "Both@f.example"),
    ] {
        ask(&mut registry, command);
    }
    let refused = |refusal| Admission::Refused(refusal, None);
    let to = |account: &str, enterprise: &str| {
        let addressee = Addressee {
            account: account.parse().unwrap(),
            billing_account: format!("ba-{account}").parse().unwrap(),
            enterprise: enterprise.parse().unwrap(),
            currency: Currency::Sgd,
        };
        Admission::Ask("e".parse().unwrap(), addressee)
    };
    for (command, expected) in [
        (request("r", "ba-none", "none"), refused(Refusal::NotFound)),
        (request("r", "ba-a", "none"), refused(Refusal::NotFound)),
        (request("r", "ba-a", "Not An Id"), refused(Refusal::NotFound)),
        (request("r", "ba-a", "none@f.example"), refused(Refusal::NotFound)),
        (request("r", "ba-a", "@"), refused(Refusal::NotFound)),
        (request("r", "ba-a", "BOTH@f.example"), refused(Refusal::PayerAmbiguous)),
        (request("r", "ba-a", "x"), to("x", "f")),
        (request("r", "ba-a", "none"), refused(Refusal::AlreadyExists)),
        (request("s", "ba-a", "pay@f.example"), to("x", "f")),
    ] {
        assert_eq!(ask(&mut registry, command.clone()), expected, "{command:?}");
    }
    let on = |name: &str, request: &str| {
        Command::read(name, serde_json::json!({ "request": request })).unwrap().unwrap()
    };
    let forward = |enterprise: &str| Admission::Forward(enterprise.parse().unwrap());
    for (name, enterprise) in [
        ("cancel_payment_request", "e"),
        ("approve_payment_request", "f"),
        ("reject_payment_request", "f"),
    ] {
        assert_eq!(ask(&mut registry, on(name, "r")), forward(enterprise), "{name}");
        assert_eq!(ask(&mut registry, on(name, "none")), refused(Refusal::NotFound), "{name}");
    }
    // Its ledger would not have it made: the name is free, and an account that is not opened has no address.
    registry.settle(13, false, &mut |_| {});
    registry.settle(6, false, &mut |_| {});
    assert_eq!(ask(&mut registry, on("cancel_payment_request", "r")), refused(Refusal::NotFound));
    assert_eq!(ask(&mut registry, request("r", "ba-a", "both@f.example")), to("y", "f"));
}

fn key(principal: &str, scope: &str, hash: &str) -> Command {
    let mut fields =
        serde_json::json!({ "principal": principal, "role": "auditor", "scope": scope });
    if !hash.is_empty() {
        fields["hash"] = hash.into();
    }
    Command::read("create_key", fields).unwrap().unwrap()
}

fn grant(principal: &str, scope: &str) -> Command {
    let fields = serde_json::json!({ "principal": principal, "role": "auditor", "scope": scope });
    Command::read("grant_role", fields).unwrap().unwrap()
}

/// R11.1: nobody acts in the name of another enterprise's keys and accounts, now or later.
#[test]
fn r11_1_every_refusal_of_a_key_that_concerns_all_enterprises() {
    let mut registry = Registry::default();
    let mut number = 0;
    let mut ask = |registry: &mut Registry, command: Command| {
        number += 1;
        let admission = registry.ask(asked(number, None, 0, &command), &mut |_| {});
        match admission {
            Admission::Forward(enterprise) => enterprise.to_string(),
            Admission::Refused(refusal, _) => refusal.code().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    for command in [open("e"), open("f"), account("a", "e"), account("x", "f")] {
        ask(&mut registry, command);
    }
    let hash = "0123456789abcdef".repeat(4);
    for (command, expected) in [
        (key("ci", "none", ""), "malformed"),
        (key("ci", "none", &hash[1..]), "malformed"),
        (key("ci", "none", &hash.replace('a', "A")), "malformed"),
        (key("operator", "none", &hash), "not_found"),
        (key("operator", "e", &hash), "already_exists"),
        (key("unknown", "ba-a", &hash), "already_exists"),
        (key("x", "ba-a", &hash), "different_enterprise"),
        // 12 and 13.
        (key("a", "ba-a", &hash), "e"),
        (key("ci", "ba-a", &hash), "e"),
        (key("ci", "ba-x", &hash), "already_exists"),
        // Whether there is one already its ledger says: 15.
        (key("ci", "e", &hash), "e"),
        // Whoever opens this account would act as whom the key names.
        (account("ci", "f"), "already_exists"),
        // A role can be given to whoever that is.
        (grant("ci", "f"), "f"),
    ] {
        assert_eq!(ask(&mut registry, command.clone()), expected, "{command:?}");
    }
    // One of two was made: the name stays, for good.
    registry.settle(13, false, &mut |_| {});
    assert_eq!(ask(&mut registry, key("ci", "f", &hash)), "already_exists");
    registry.settle(15, true, &mut |_| {});
    assert_eq!(ask(&mut registry, key("ci", "f", &hash)), "already_exists");
    // None was made: the name is free.
    assert_eq!(ask(&mut registry, key("feed", "e", &hash)), "e");
    registry.settle(20, false, &mut |_| {});
    assert_eq!(ask(&mut registry, key("feed", "f", &hash)), "f");
    // Who was given a role is nobody's to act as in another enterprise, but if that came to nothing.
    assert_eq!(ask(&mut registry, grant("books", "f")), "f");
    assert_eq!(ask(&mut registry, key("books", "e", &hash)), "already_exists");
    registry.settle(22, false, &mut |_| {});
    assert_eq!(ask(&mut registry, key("books", "e", &hash)), "e");
}

/// A short life in which every kind of fact happens.
fn life() -> Vec<RegistryFact> {
    let (mut registry, mut facts) = (Registry::default(), Vec::new());
    let mut tell = |fact: &RegistryFact| facts.push(fact.clone());
    let commands = [
        open("f"),
        open("e"),
        account("b", "e"),
        account("a", "f"),
        received("s", 5),
        received("r", 6),
        claim("ba-a", "r", 6),
        link("ba-a", "visa"),
        close("ba-a"),
        request("q", "ba-a", "b"),
        request("p", "ba-a", "a@b.example"),
        request("p", "ba-a", "b"),
        key("ci", "ba-a", &"0".repeat(64)),
        grant("feed", "ba-a"),
        key("ci", "f", &"2".repeat(64)),
    ];
    for (number, command) in (1..).zip(&commands) {
        registry.pass(Timestamp::from_micros(number), &mut tell);
        let key = 100 - number as u64;
        registry.ask(asked(number as u64, Some(key), 0, command), &mut tell);
        if number == 3 {
            registry.settle(1, true, &mut tell);
        }
    }
    registry.settle(3, false, &mut tell);
    registry.number(numberless(1, InvoiceType::Invoice), &mut tell);
    registry.number(numberless(2, InvoiceType::CreditNote), &mut tell);
    registry.number(numberless(3, InvoiceType::Invoice), &mut tell);
    registry.pass(Timestamp::from_micros(KEYS_KEPT.as_micros() + 3), &mut tell);
    registry.settle(7, true, &mut tell);
    registry.settle(8, false, &mut tell);
    registry.settle(10, true, &mut tell);
    registry.settle(4, true, &mut tell);
    registry.settle(8, true, &mut tell);
    registry.settle(9, true, &mut tell);
    registry.settle(15, true, &mut tell);
    registry.settle(14, false, &mut tell);
    registry.settle(13, false, &mut tell);
    facts
}

#[test]
fn pieces_taken_at_any_moments_make_the_same_registry() {
    let life = life();
    let stages: Vec<Registry> = (0..=life.len())
        .map(|facts| {
            let mut registry = Registry::default();
            life[..facts].iter().for_each(|fact| registry.apply(fact));
            registry
        })
        .collect();
    let expected = dump(stages.last().unwrap());
    // The number of facts between two pieces, all the same or one long pause somewhere.
    for pause in 0..4 {
        for long_pause_after in 0..20 {
            for begin in 0..=life.len() {
                let (mut registry, mut applied) = (Registry::default(), begin);
                let (mut place, mut pieces) = (Some(Place::Shared), 0);
                while let Some(at) = place {
                    let (piece, after) = stages[applied].piece(&at, 1);
                    registry.load(piece, after.clone()).unwrap();
                    place = after;
                    let facts = if pieces == long_pause_after { life.len() } else { pause };
                    let until = applied.saturating_add(facts).min(life.len());
                    life[applied..until].iter().for_each(|fact| registry.apply(fact));
                    (applied, pieces) = (until, pieces + 1);
                }
                life[applied..].iter().for_each(|fact| registry.apply(fact));
                let what =
                    format!("from {begin}, {pause} facts apart, pause after {long_pause_after}");
                assert_eq!(dump(&registry), expected, "{what}");
            }
        }
    }
}

/// What is refused here says what it concerns.
#[test]
fn a_refusal_names_what_it_is_about() {
    let mut registry = Registry::default();
    registry.ask(asked(1, None, 1, &open("e")), &mut |_| {});
    registry.ask(asked(2, None, 2, &account("a", "e")), &mut |_| {});
    let nowhere = OpenEnterprise { country: "ZZ".parse().unwrap(), ..opened("z") }.into();
    let transfer = crate::commands::Transfer {
        from: "ba-a".parse().unwrap(),
        to: "ba-b".parse().unwrap(),
        amount: Amount::ONE,
        remark: None,
    };
    let claim = ClaimRemittance {
        billing_account: "ba-a".parse().unwrap(),
        reference: "r".parse().unwrap(),
        amount: Amount::whole(5),
    };
    for (command, code, why) in [
        (nowhere, "malformed", "ISO 3166 knows no country ZZ"),
        (
            account_at("b", "e", "finance"),
            "malformed",
            "finance is no e-mail address: it looks like finance@acme.example",
        ),
        (
            account_at("b", "e", "@b"),
            "malformed",
            "@b is no e-mail address: it looks like finance@acme.example",
        ),
        (open("e"), "already_exists", "there is an enterprise e"),
        (account("a", "e"), "already_exists", "there is an account a"),
        (account("b", "f"), "not_found", "there is no enterprise f"),
        (top_up("ba-x"), "not_found", "there is no billing account ba-x"),
        (transfer.into(), "not_found", "there is no billing account ba-b"),
        (claim.into(), "not_found", "no transfer r of exactly 5 waits"),
    ] {
        let asked = asked(9, None, 9, &command);
        let Admission::Refused(refusal, detail) = registry.ask(asked, &mut |_| {}) else {
            panic!("{command:?}")
        };
        let said = detail.or_else(|| registry.why(&asked, refusal));
        assert_eq!((refusal.code(), said.as_deref()), (code, Some(why)), "{command:?}");
    }
    registry.ask(asked(20, Some(7), 1, &top_up("ba-a")), &mut |_| {});
    let other = top_up("ba-a");
    let again = asked(21, Some(7), 2, &other);
    let refused = registry.ask(again, &mut |_| {});
    assert_eq!(refused, Admission::Refused(Refusal::KeyReused, None));
    let why = registry.why(&again, Refusal::KeyReused).unwrap();
    assert_eq!(why, "the key was used for command 20, which asked for something else");
}
