//! A ledger taken apart while it goes on, at every possible moment, is the ledger it was.

use serde_json::{Value, json};

use super::super::recording::{Recorded, Recorder, pieces};
use super::super::{
    AccountNumber, Fact, Ledger, Line, PricesArrived, PricesInForce, RegionNumber, SettingsChanged,
    WalletNumber,
};
use super::{Broken, EnterpriseNumber, Piece, Place};
use crate::commands::{Asked, Command};
use crate::ids::PrincipalId;
use crate::money::{Amount, Currency};
use crate::payments::PaymentAnswer;
use crate::rating::{self, MeterNumber, PriceBook};
use crate::requests::Addressee;
use crate::time::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A ledger with prices, and all that it has told.
struct Told {
    ledger: Ledger,
    recorder: Recorder,
    heard: usize,
}

impl Told {
    fn begin() -> Told {
        let mut told = Told { ledger: Ledger::new(1), recorder: Recorder::default(), heard: 0 };
        let begins = at("2026-03-01T00:00:00Z");
        let entries = rating::parse(
            r#"price = [{ product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" }]"#,
        );
        let changes = PriceBook::default().changes(entries.unwrap(), begins).unwrap();
        told.ledger.pass(begins, &mut told.recorder).unwrap();
        told.take(PricesArrived { changes });
        told.take(PricesInForce { loads: 1 });
        told
    }

    fn take(&mut self, fact: impl Into<Fact>) {
        self.ledger.take(fact.into(), &mut self.recorder).unwrap();
    }

    fn ask(&mut self, name: &str, fields: Value) {
        let asked =
            Asked { number: 1, principal: PrincipalId::operator(), key: None, origin: None };
        let command = Command::read(name, fields).unwrap().unwrap();
        self.ledger.command(&asked, &command, &mut self.recorder).unwrap();
    }

    fn link(&mut self, method: &str, answer: PaymentAnswer) {
        let fields =
            json!({ "billing_account": "ba-a", "method": method, "kind": "paypal", "token": "t" });
        self.ask("link_payment_method", fields);
        let begun = self.ledger.wallet(WalletNumber(0)).unwrap().paying.as_deref().unwrap().begun;
        self.answer(begun, answer);
    }

    fn answer(&mut self, payment: u64, answer: PaymentAnswer) {
        let (ledger, recorder) = (&mut self.ledger, &mut self.recorder);
        ledger.payment_answered(WalletNumber(0), payment, answer, None, recorder).unwrap();
    }

    fn open(&mut self, account: &str, enterprise: &str) {
        let fields = json!({ "account": account, "enterprise": enterprise, "email": "x@y.example", "currency": "USD", "mode": "postpaid" });
        self.ask("open_account", fields);
    }

    fn use_some(&mut self, account: u32) {
        let line = Line {
            usage_partition: 0,
            account: AccountNumber(account),
            meter: MeterNumber(0),
            region: RegionNumber::NONE,
            used: self.ledger.clock().now().minute(),
            quantity: Amount::whole(2),
            records: 1,
        };
        self.ledger.line(&line, &mut self.recorder).unwrap();
    }

    /// `b` asks `a` to pay.
    fn request(&mut self, request: &str, amount: &str) {
        let asked =
            Asked { number: 1, principal: PrincipalId::operator(), key: None, origin: None };
        let fields = json!({ "request": request, "requester": "ba-b", "payer": "a", "service": "s", "amount": amount });
        let command = Command::read("request_payment", fields).unwrap().unwrap();
        let payer = Addressee {
            account: "a".parse().unwrap(),
            billing_account: "ba-a".parse().unwrap(),
            enterprise: "e".parse().unwrap(),
            currency: Currency::Usd,
        };
        self.ledger.requested(&asked, &command, Some(&payer), &mut self.recorder).unwrap();
        self.hear();
    }

    /// What was said across is heard.
    fn hear(&mut self) {
        while let Some(recorded) = self.recorder.0.get(self.heard) {
            self.heard += 1;
            let Recorded::Fact(fact) = recorded else { continue };
            let Fact::SaidAcross(said) = &**fact else { continue };
            let crossing = (*said.crossing).clone();
            self.ledger.hear(crossing, &mut self.recorder).unwrap();
        }
    }

    fn pass(&mut self, to: &str) {
        self.ledger.pass(at(to), &mut self.recorder).unwrap();
        self.ledger.mark(0, at(to), &mut self.recorder).unwrap();
        while self.ledger.fire(usize::MAX, &mut self.recorder).unwrap().more {}
    }
}

/// A short life in which everything that a piece can hold is opened, used and billed.
fn billed() -> Vec<Recorded> {
    let mut told = Told::begin();
    for enterprise in ["e", "f"] {
        let fields = json!({ "enterprise": enterprise, "name": "E", "country": "SG", "account_center": true });
        told.ask("open_enterprise", fields);
    }
    for (account, enterprise) in [("a", "e"), ("b", "e"), ("c", "f")] {
        told.open(account, enterprise);
    }
    told.ask("top_up", json!({ "billing_account": "ba-a", "amount": "50", "currency": "USD", "method": "bank_transfer" }));
    told.ask("transfer", json!({ "from": "ba-a", "to": "ba-b", "amount": "20" }));
    told.ask("change_payer", json!({ "account": "b", "billing_account": "ba-a" }));
    (0..3).for_each(|account| told.use_some(account));
    told.pass("2026-03-01T01:00:00Z");
    told.recorder.0
}

/// Another, in which a wallet pays by a method, tops itself up, and is settled.
fn paying() -> Vec<Recorded> {
    let mut told = Told::begin();
    told.ask("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "SG" }));
    told.open("a", "e");
    told.link("visa", PaymentAnswer::AwaitsApproval);
    told.ask("set_credit_limit", json!({ "billing_account": "ba-a", "limit": "100" }));
    told.ask("confirm_contract", json!({ "billing_account": "ba-a" }));
    told.use_some(0);
    told.ask(
        "configure",
        json!({
            "billing_account": "ba-a",
            "auto_recharge": { "enabled": true, "amount": "50", "percents": ["20"] },
        }),
    );
    told.pass("2026-03-01T01:00:00Z");
    told.answer(1, PaymentAnswer::Succeeded);
    told.ask("settle_enterprise", json!({ "enterprise": "e" }));
    told.answer(2, PaymentAnswer::Succeeded);
    told.ask("top_up", json!({ "billing_account": "ba-a", "amount": "50", "currency": "USD", "method": "bank_transfer" }));
    let order = |name: &str| json!({ "billing_account": "ba-a", "order": name, "amount": "500", "method": "visa" });
    told.ask("place_order", order("o"));
    told.answer(3, PaymentAnswer::Declined);
    told.ask("place_order", order("o"));
    told.answer(4, PaymentAnswer::Succeeded);
    told.recorder.0
}

/// Another, in which something is invoiced and taxed.
fn invoiced() -> Vec<Recorded> {
    let mut told = Told::begin();
    told.take(SettingsChanged { document: "tax.rates = { SG = \"0.1\" }".to_owned() });
    told.ask("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "SG" }));
    told.open("a", "e");
    told.ask("grant_coupon", json!({ "billing_account": "ba-a", "coupon": "k", "amount": "1", "valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-06-01T00:00:00Z" }));
    told.use_some(0);
    told.pass("2026-03-16T00:00:00Z");
    let draft = told.ledger.wallets()[0].drafts()[0].draft;
    let Told { ledger, recorder, .. } = &mut told;
    ledger.number_invoice(draft, "SG-2026-000001", ledger.clock().now(), recorder).unwrap();
    told.use_some(0);
    told.ask("top_up", json!({ "billing_account": "ba-a", "amount": "50", "currency": "USD", "method": "bank_transfer" }));
    told.pass("2026-04-01T00:00:00Z");
    told.recorder.0
}

/// Another, in which it is said who may do what, who belongs and what still works.
fn governed() -> Vec<Recorded> {
    let mut told = Told::begin();
    told.ask("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "SG", "account_center": true, "management_account": "a" }));
    told.open("a", "e");
    told.open("b", "e");
    told.use_some(1);
    told.ask("grant_admin", json!({ "billing_account": "ba-a", "accounts": ["b"] }));
    let role = |role: &str, scope: &str| json!({ "principal": "p", "role": role, "scope": scope });
    told.ask("grant_role", role("finance_admin", "ba-b"));
    told.ask("grant_role", role("auditor", "e"));
    told.ask("revoke_role", role("finance_admin", "ba-b"));
    let key = |principal: &str, hash: &str| json!({ "principal": principal, "role": "auditor", "scope": "ba-b", "hash": hash.repeat(64) });
    told.ask("create_key", key("ci", "1"));
    told.ask("create_key", key("feed", "2"));
    let role = json!({ "principal": "ci", "role": "auditor", "scope": "ba-b" });
    told.ask("revoke_key", role);
    told.ask("freeze_recharge", json!({ "enterprise": "e" }));
    told.ask("set_tax_id", json!({ "enterprise": "e", "tax_id": "SG1" }));
    told.ask("rename_billing_account", json!({ "billing_account": "ba-b", "name": "N" }));
    told.ask("change_payer", json!({ "account": "b", "billing_account": "ba-a" }));
    told.ask("end_membership", json!({ "account": "b" }));
    told.take(SettingsChanged { document: "overdue.bad_debt_after = \"1d\"".to_owned() });
    told.pass("2026-03-01T01:00:00Z");
    told.ask("freeze_billing_account", json!({ "billing_account": "ba-b" }));
    told.pass("2026-04-02T00:00:00Z");
    told.recorder.0
}

/// Another, in which somebody is asked to pay, and what is sent crosses to the same ledger.
fn requested() -> Vec<Recorded> {
    let mut told = Told::begin();
    for (enterprise, account) in [("e", "a"), ("f", "b")] {
        told.ask(
            "open_enterprise",
            json!({ "enterprise": enterprise, "name": "E", "country": "SG" }),
        );
        told.open(account, enterprise);
    }
    told.link("visa", PaymentAnswer::Succeeded);
    told.ask("top_up", json!({ "billing_account": "ba-a", "amount": "50", "currency": "USD", "method": "bank_transfer" }));
    told.request("r", "60");
    told.request("s", "5");
    told.ask("approve_payment_request", json!({ "request": "r", "method": "visa" }));
    told.answer(2, PaymentAnswer::Succeeded);
    told.hear();
    told.pass("2026-03-31T00:00:00Z");
    told.recorder.0
}

/// Another, in which benefits and coupons are bought, shared, drawn on and given back.
fn covered() -> Vec<Recorded> {
    let mut told = Told::begin();
    told.ask("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "SG", "account_center": true, "management_account": "a" }));
    told.open("a", "e");
    told.open("b", "e");
    told.ask("top_up", json!({ "billing_account": "ba-a", "amount": "50", "currency": "USD", "method": "bank_transfer" }));
    told.ask(
        "set_organisation",
        json!({ "enterprise": "e", "organisation": "o", "accounts": ["b"] }),
    );
    told.ask("set_sharing_rule", json!({ "billing_account": "ba-a", "organisation": "o" }));
    told.ask("buy_benefit", json!({ "billing_account": "ba-a", "benefit": "plan", "kind": "savings_plan", "product": "p", "commitment": "1", "discount": "0.5", "price": "5", "valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-03-02T00:00:00Z" }));
    told.ask("grant_coupon", json!({ "billing_account": "ba-a", "coupon": "k", "amount": "1", "valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-06-01T00:00:00Z" }));
    told.use_some(0);
    told.pass("2026-03-01T00:10:00Z");
    told.use_some(1);
    told.pass("2026-03-01T01:00:00Z");
    told.use_some(1);
    told.ask("end_membership", json!({ "account": "b" }));
    told.recorder.0
}

/// Another, in which an account spends what it was allocated, and asks before it does.
fn allocated() -> Vec<Recorded> {
    let mut told = Told::begin();
    let settings = "authorizations.expire_after = \"1h\"";
    told.take(SettingsChanged { document: settings.to_owned() });
    told.ask("open_enterprise", json!({ "enterprise": "e", "name": "E", "country": "SG" }));
    told.open("a", "e");
    told.open("b", "e");
    told.ask("top_up", json!({ "billing_account": "ba-a", "amount": "50", "currency": "USD", "method": "bank_transfer" }));
    let authorize = |name: &str, amount: &str| json!({ "account": "a", "authorization": name, "amount": amount });
    told.ask("authorize", authorize("j", "3"));
    told.ask("allocate_spend", json!({ "account": "a", "credit": "100", "monthly_cap": "5" }));
    told.use_some(0);
    told.use_some(0);
    told.ask("authorize", authorize("k", "1"));
    told.pass("2026-03-01T01:00:00Z");
    told.ask("allocate_spend", json!({ "account": "a", "credit": "50" }));
    told.use_some(0);
    told.ask("allocate_spend", json!({ "account": "a", "monthly_cap": "20" }));
    told.ask("authorize", authorize("k", "5"));
    told.pass("2026-03-01T02:30:00Z");
    told.ask("authorize", authorize("k", "10"));
    told.use_some(0);
    told.ask("allocate_spend", json!({ "account": "a" }));
    told.recorder.0
}

/// All that a ledger holds.
fn dump(ledger: &Ledger) -> (Vec<Piece>, Option<Timestamp>) {
    (pieces(ledger), ledger.next_timer())
}

/// The ledger as it was after each fact.
fn stages(life: &[Recorded]) -> Vec<Ledger> {
    (0..=life.len())
        .map(|facts| {
            let mut ledger = Ledger::new(1);
            life[..facts].iter().for_each(|recorded| recorded.apply_to(&mut ledger));
            ledger
        })
        .collect()
}

#[test]
fn pieces_taken_at_any_moments_make_the_same_ledger() {
    for life in [governed(), billed(), invoiced(), paying(), requested(), covered(), allocated()] {
        check(&life);
    }
}

/// What differs, each thing on a line.
fn differences(
    (found, timer): &(Vec<Piece>, Option<Timestamp>),
    (expected, expected_timer): &(Vec<Piece>, Option<Timestamp>),
) -> String {
    let mut differ = format!("next timer {timer:?}, expected {expected_timer:?}");
    for (found, expected) in
        found.iter().zip(expected).filter(|(found, expected)| found != expected)
    {
        differ.push_str(&format!("\n{found:?}\n{expected:?}"));
    }
    differ
}

/// Of the moments at which the four pieces are taken: all that are at most two different ones, so that every piece meets
/// every fact between itself and the next, and of the others one in some dozens.
fn is_tried(moments: [usize; 4]) -> bool {
    let [shared, enterprises, accounts, wallets] = moments;
    let changes = moments.windows(2).filter(|two| two[0] != two[1]).count();
    changes <= 1 || (shared * 31 + enterprises * 17 + accounts * 7 + wallets) % 41 == 0
}

fn check(life: &[Recorded]) {
    let stages = stages(life);
    let expected = dump(stages.last().unwrap());
    let sides = format!("{:?}", stages.last().unwrap().requests);
    let later = |from: usize| from..=life.len();
    let mut loads = 0;
    for shared in later(0) {
        for enterprises in later(shared) {
            for accounts in later(enterprises) {
                for wallets in later(accounts) {
                    let moments = [shared, enterprises, accounts, wallets];
                    if !is_tried(moments) {
                        continue;
                    }
                    let ledger = put_together(life, &stages, moments);
                    assert_eq!(format!("{:?}", ledger.requests), sides);
                    let found = dump(&ledger);
                    assert!(
                        found == expected,
                        "pieces after {moments:?} facts: {}",
                        differences(&found, &expected)
                    );
                    loads += 1;
                }
            }
        }
    }
    println!("{} facts, {loads} ways to take the ledger apart", life.len());
}

/// A ledger loaded from pieces that were taken after so many facts each, which took every fact behind the first.
fn put_together(life: &[Recorded], stages: &[Ledger], moments: [usize; 4]) -> Ledger {
    let places = [Place::Shared, Place::Enterprises(0), Place::Accounts(0), Place::Wallets(0)];
    let mut ledger = Ledger::new(1);
    ledger.begin_load();
    let mut told = moments[0];
    for (place, moment) in places.into_iter().zip(moments) {
        life[told..moment].iter().for_each(|fact| fact.apply_to(&mut ledger));
        // What was covered comes between accounts and wallets.
        if place == Place::Wallets(0) {
            ledger.load(stages[moment].piece(Place::Coverage(None), usize::MAX).0).unwrap();
        }
        ledger.load(stages[moment].piece(place, usize::MAX).0).unwrap();
        told = moment;
    }
    ledger.loaded();
    life[told..].iter().for_each(|fact| fact.apply_to(&mut ledger));
    ledger
}

/// Pieces follow each other without a gap, whatever their size, and the last has none behind it.
#[test]
fn pieces_follow_each_other() {
    let asking = super::super::asking::Asking::with_members();
    let ledger = &asking.ledger;
    let after = |place, most| ledger.piece(place, most).1;
    let cases = [
        (Place::Shared, 1, Some(Place::Enterprises(0))),
        (Place::Enterprises(0), 1, Some(Place::Enterprises(1))),
        (Place::Enterprises(1), 1, Some(Place::Accounts(0))),
        (Place::Enterprises(0), 2, Some(Place::Accounts(0))),
        (Place::Accounts(0), 2, Some(Place::Accounts(2))),
        (Place::Accounts(2), 3, Some(Place::Accounts(5))),
        (Place::Accounts(5), 3, Some(Place::Values(None))),
        (Place::Accounts(0), 6, Some(Place::Values(None))),
        (Place::Accounts(9), 3, Some(Place::Values(None))),
        (Place::Values(None), 1, Some(Place::Coverage(None))),
        (Place::Coverage(None), 1, Some(Place::Wallets(0))),
        (Place::Wallets(3), 2, Some(Place::Wallets(5))),
        (Place::Wallets(5), 1, None),
    ];
    for (place, most, expected) in cases {
        assert_eq!(after(place.clone(), most), expected, "{place:?} {most}");
    }
    let Piece::SomeAccounts(some) = ledger.piece(Place::Accounts(2), 3).0 else { panic!() };
    let names: Vec<&str> = some.accounts.iter().map(|account| account.id.as_str()).collect();
    assert_eq!((some.from, names), (2, vec!["b", "c", "boss-f"]));
}

/// What lies behind what is there comes with a later piece while a ledger is loaded; else numbers have no gap.
#[test]
fn a_number_out_of_turn_is_refused() {
    let whole = super::super::asking::Asking::with_members().ledger;
    let mut ledger = Ledger::new(1);
    let piece = |from, most| whole.piece(Place::Wallets(from), most).0;
    ledger.begin_load();
    assert_eq!(ledger.load(piece(1, 1)), Err(Broken("a piece out of turn")));
    assert_eq!(ledger.load(piece(0, 2)), Ok(()));
    // What a fact has brought meanwhile is there already.
    assert_eq!(ledger.load(piece(1, 2)), Ok(()));
    let names: Vec<&str> = ledger.wallets().iter().map(|wallet| wallet.id.as_str()).collect();
    assert_eq!(names, ["ba-boss", "ba-a", "ba-b"]);
    let wallet = |number: u32| whole.wallet(WalletNumber(number)).unwrap().clone();
    assert_eq!(ledger.add_wallet(WalletNumber(5), wallet(5)), Ok(()));
    assert_eq!(ledger.wallets().len(), 3);
    assert_eq!(ledger.add_wallet(WalletNumber(3), wallet(3)), Ok(()));
    assert_eq!(ledger.wallets().len(), 4);
    let out_of_turn = Err(Broken("a number out of turn"));
    assert_eq!(ledger.add_wallet(WalletNumber(3), wallet(3)), out_of_turn);
    ledger.loaded();
    assert_eq!(ledger.add_wallet(WalletNumber(5), wallet(5)), out_of_turn);
    let account = whole.account(AccountNumber(0)).unwrap().clone();
    assert_eq!(ledger.add_account(AccountNumber(1), account.clone()), out_of_turn);
    assert_eq!(ledger.add_account(AccountNumber(0), account), Ok(()));
    let enterprise = whole.enterprises()[0].clone();
    assert_eq!(ledger.add_enterprise(EnterpriseNumber(1), enterprise.clone()), out_of_turn);
    assert_eq!(ledger.add_enterprise(EnterpriseNumber(0), enterprise), Ok(()));
}

/// Whoever has bought a benefit is known to hold one, and nobody else.
#[test]
fn a_loaded_ledger_knows_who_holds_benefits() {
    let mut asking = super::super::asking::Asking::with_members();
    asking.table(
        r#"
        operator | top_up | billing_account = "ba-a", amount = "50", currency = "USD", method = "bank_transfer" | ok
        a | buy_benefit | billing_account = "ba-a", benefit = "k", kind = "storage_package", product = "p", quantity = "100", price = "5", valid_from = "2026-03-01T00:00:00Z", valid_until = "2026-04-01T00:00:00Z" | ok
        "#,
    );
    let mut loaded = Ledger::new(1);
    loaded.begin_load();
    pieces(&asking.ledger).into_iter().for_each(|piece| loaded.load(piece).unwrap());
    loaded.loaded();
    for ledger in [&asking.ledger, &loaded] {
        let holders: Vec<_> = ledger.holders.iter().copied().collect();
        assert_eq!(holders, [WalletNumber(1)]);
    }
}
