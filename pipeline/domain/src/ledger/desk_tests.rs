//! A ledger at a desk, for tests that are tables: a row is what happens, and what becomes of it.
//!
//! ```text
//! at 2026-03-01T01:00:00Z
//! use a p 500                               so much of a product is used by an account
//! takes_back a p 500 2026-03-01T00:00:00Z   -> not_found             what was used then is taken back
//! pay billing_account=ba-a amount=5.00      -> exceeds_outstanding
//! answers ba-a declined                     the gateway says so of the last payment
//! asked ba-a                                -> manual 5.00 visa      what gateways were asked for since
//! told ba-a                                 -> payment_failed        what people were told since
//! balance ba-a                              -> cash=95 available=95
//! ```

use serde_json::{Map, Value};

use super::{
    Accrued, Answer, Fact, Journal, Ledger, Line, Place, PricesArrived, PricesInForce,
    RegionNumber, SettingsChanged, Undecided, WalletNumber,
};
use crate::commands::{Asked, Command};
use crate::ids::PrincipalId;
use crate::money::{Amount, Currency};
use crate::payments::PaymentAnswer;
use crate::rating::{self, PriceBook};
use crate::time::Timestamp;

#[derive(Default)]
pub(super) struct Recorder(pub(super) Vec<Fact>);

impl Journal for Recorder {
    fn fact(&mut self, _: &Ledger, fact: &Fact) {
        self.0.push(fact.clone());
    }

    fn accrued(&mut self, _: &Ledger, _: &[Accrued], _: &Line) {}
}

pub(super) struct Desk {
    pub(super) ledger: Ledger,
    pub(super) recorder: Recorder,
    now: Timestamp,
    commands: u64,
    /// Up to where what was asked of gateways, and told to people, has been looked at.
    seen_asked: usize,
    seen_told: usize,
}

/// Takes the rows of a table, on a desk whose clock begins on the first of March.
pub(super) fn check(settings: &str, table: &str) -> Desk {
    let mut desk = Desk::new(settings);
    for (number, row) in table.lines().enumerate() {
        let row = row.trim();
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        let (what, expected) = row.split_once("->").unwrap_or((row, ""));
        let found = desk.take(what.trim());
        let expected = expected.trim();
        match what.split_whitespace().next() {
            Some("balance") => {
                let found: Value = serde_json::from_str(&found).unwrap();
                for (field, value) in pairs(expected) {
                    let known = &found[&field];
                    let same = match (known.as_str(), value.as_str()) {
                        (Some(known), Some(value)) => {
                            known.parse::<Amount>().ok() == value.parse::<Amount>().ok()
                        }
                        _ => *known == value,
                    };
                    assert!(same, "row {number}: {row}: {field} is {known}");
                }
            }
            _ => assert_eq!(found, expected, "row {number}: {row}"),
        }
    }
    desk.restored();
    desk
}

impl Desk {
    fn new(settings: &str) -> Desk {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let (ledger, recorder) = (Ledger::new(1), Recorder::default());
        let mut desk = Desk { ledger, recorder, now, commands: 0, seen_asked: 0, seen_told: 0 };
        let meter = |product: &str, currency: &str| {
            format!(
                r#"{{ product = "{product}", meter = "m", currency = "{currency}", model = "per_unit", unit_price = "0.01" }}"#
            )
        };
        let prices = [meter("p", "USD"), meter("q", "USD"), meter("p", "CNY"), meter("p", "EUR")];
        let entries = rating::parse(&format!("price = [{}]", prices.join(", "))).unwrap();
        let changes = PriceBook::default().changes(entries, now).unwrap();
        desk.ledger.pass(now, &mut desk.recorder).unwrap();
        let facts: [Fact; 3] = [
            SettingsChanged { document: settings.to_owned() }.into(),
            PricesArrived { changes }.into(),
            PricesInForce { loads: 1 }.into(),
        ];
        facts.into_iter().for_each(|fact| desk.ledger.take(fact, &mut desk.recorder).unwrap());
        desk.take("open_enterprise enterprise=e name=E country=US account_center=true");
        desk
    }

    /// What becomes of a row.
    pub(super) fn take(&mut self, row: &str) -> String {
        let (name, rest) = row.split_once(' ').unwrap_or((row, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (name, words.as_slice()) {
            ("at", [at]) => self.pass(at),
            ("use", [account, product, cents]) => self.use_some(account, product, cents),
            ("takes_back", [account, product, cents, used]) => {
                self.take_back(account, product, cents, used)
            }
            ("answers", [wallet, answer]) => self.answers(wallet, None, answer),
            ("answers", [wallet, payment, answer]) => self.answers(wallet, Some(payment), answer),
            ("claims", [wallet, amount, currency]) => self.claims(wallet, amount, currency),
            ("asked", [wallet]) => self.asked(wallet),
            ("settings", _) => {
                let document = rest.to_owned();
                self.ledger.take(SettingsChanged { document }.into(), &mut self.recorder).unwrap();
                String::new()
            }
            ("told", [wallet]) => self.told(wallet),
            ("methods", [wallet]) => self.methods(wallet),
            ("service", [account]) => {
                let account = self.ledger.account_named(&account.parse().unwrap()).unwrap();
                self.ledger.service(account).unwrap().state.to_string()
            }
            ("balance", [wallet]) => {
                let balance = self.ledger.balance(self.wallet(wallet)).unwrap().unwrap();
                serde_json::to_string(&balance).unwrap()
            }
            _ => self.ask(name, rest),
        }
    }

    fn wallet(&self, name: &str) -> WalletNumber {
        self.ledger.wallet_named(&name.parse().unwrap()).unwrap()
    }

    fn ask(&mut self, name: &str, fields: &str) -> String {
        self.commands += 1;
        let (number, principal) = (self.commands, PrincipalId::operator());
        let asked = Asked { number, principal, key: None, origin: None };
        let fields = Value::Object(pairs(fields).collect());
        let command = Command::read(name, fields).unwrap().unwrap();
        let before = self.recorder.0.len();
        let enterprise = self.ledger.enterprise_named(&"e".parse().unwrap());
        if let Some(enterprise) = enterprise {
            self.ledger.fire_for(enterprise, &mut self.recorder).unwrap();
        }
        match self.ledger.command(&asked, &command, &mut self.recorder) {
            Ok(Answer::Accepted) => String::new(),
            Ok(Answer::Later) => "later".to_owned(),
            Err(Undecided::Refused(refusal)) => {
                assert_eq!(self.recorder.0.len(), before, "a refusal changes nothing");
                refusal.code().to_owned()
            }
            Err(Undecided::Broken(broken)) => panic!("{name}: {broken}"),
        }
    }

    fn claims(&mut self, wallet: &str, amount: &str, currency: &str) -> String {
        let fields =
            serde_json::json!({ "billing_account": wallet, "amount": amount, "reference": "r" });
        let command = Command::read("claim_remittance", fields).unwrap().unwrap();
        let (number, principal) = (1, PrincipalId::operator());
        let asked = Asked { number, principal, key: None, origin: None };
        let currency: Option<Currency> = currency.parse().ok();
        match self.ledger.claimed(&asked, &command, currency, &mut self.recorder) {
            Ok(()) => String::new(),
            Err(undecided) => undecided.to_string(),
        }
    }

    /// Time goes on, from one due timer to the next.
    fn pass(&mut self, to: &str) -> String {
        let to: Timestamp = to.parse().unwrap();
        while let Some(due) = self.ledger.next_timer().filter(|due| *due <= to) {
            self.tick(due.max(self.now));
        }
        self.tick(to);
        String::new()
    }

    fn tick(&mut self, at: Timestamp) {
        self.now = at;
        self.ledger.pass(at, &mut self.recorder).unwrap();
        self.ledger.mark(0, at, &mut self.recorder).unwrap();
        while self.ledger.fire(usize::MAX, &mut self.recorder).unwrap().more {}
    }

    fn use_some(&mut self, account: &str, product: &str, cents: &str) -> String {
        let line = self.line(account, product, cents, self.now);
        self.ledger.line(&line, &mut self.recorder).unwrap();
        String::new()
    }

    fn take_back(&mut self, account: &str, product: &str, cents: &str, used: &str) -> String {
        let line = self.line(account, product, cents, used.parse().unwrap());
        match self.ledger.take_back(&line, None, &mut self.recorder) {
            Ok(()) => String::new(),
            Err(undecided) => undecided.to_string(),
        }
    }

    fn line(&self, account: &str, product: &str, cents: &str, used: Timestamp) -> Line {
        let account = self.ledger.account_named(&account.parse().unwrap()).unwrap();
        let meter = self.ledger.book().meter(&product.parse().unwrap(), &"m".parse().unwrap());
        Line {
            usage_partition: 0,
            account,
            meter: meter.unwrap(),
            region: RegionNumber::NONE,
            used: used.minute(),
            quantity: cents.parse().unwrap(),
            records: 1,
        }
    }

    fn answers(&mut self, wallet: &str, payment: Option<&str>, answer: &str) -> String {
        let number = self.wallet(wallet);
        let begun = self.ledger.wallet(number).unwrap().paying.as_deref().map_or(0, |p| p.begun);
        let payment = payment.map_or(begun, |payment| payment.parse().unwrap());
        let (answer, reason) = answer.split_once(':').unwrap_or((answer, ""));
        let answer: PaymentAnswer = answer.parse().unwrap();
        let reason = (!reason.is_empty()).then(|| reason.parse().unwrap());
        let before = self.recorder.0.len();
        let (ledger, recorder) = (&mut self.ledger, &mut self.recorder);
        ledger.payment_answered(number, payment, answer, reason, recorder).unwrap();
        let ended = self.recorder.0[before..].iter().find_map(|fact| match fact {
            Fact::LinkEnded(ended) => ended.refused,
            _ => None,
        });
        ended.map(|refused| refused.code().to_owned()).unwrap_or_default()
    }

    /// What gateways were asked for since the last time.
    fn asked(&mut self, wallet: &str) -> String {
        let number = self.wallet(wallet);
        let asked = self.recorder.0[self.seen_asked..].iter().filter_map(|fact| match fact {
            Fact::PaymentBegun(begun) if begun.wallet == number => {
                let payment = &begun.payment;
                Some(format!("{} {} {}", payment.cause, payment.amount, payment.method))
            }
            _ => None,
        });
        let asked = asked.collect::<Vec<_>>().join(", ");
        self.seen_asked = self.recorder.0.len();
        asked
    }

    fn told(&mut self, wallet: &str) -> String {
        let number = self.wallet(wallet);
        let told = self.recorder.0[self.seen_told..].iter().filter_map(|fact| match fact {
            Fact::Noticed(noticed) if noticed.wallet == number => Some(noticed.kind.to_string()),
            _ => None,
        });
        let told = told.collect::<Vec<_>>().join(", ");
        self.seen_told = self.recorder.0.len();
        told
    }

    fn methods(&self, wallet: &str) -> String {
        let methods = self.ledger.methods(self.wallet(wallet)).unwrap().payment_methods;
        let shown = methods.iter().map(|row| {
            format!("{}{} {}", if row.preferred { "*" } else { "" }, row.method, row.state)
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    /// What its facts make, and what its pieces make, is the ledger; and each fact is balanced (R1.3).
    fn restored(&self) {
        let pieces = |ledger: &Ledger| {
            let (mut pieces, mut place) = (Vec::new(), Some(Place::Shared));
            while let Some(at) = place {
                let (piece, after) = ledger.piece(at, 1);
                pieces.push(piece);
                place = after;
            }
            pieces
        };
        let mut loaded = Ledger::new(1);
        loaded.begin_load();
        pieces(&self.ledger).into_iter().for_each(|piece| loaded.load(piece).unwrap());
        loaded.loaded();
        assert_eq!(pieces(&loaded), pieces(&self.ledger));
        assert_eq!(loaded.next_timer(), self.ledger.next_timer());
        for fact in &self.recorder.0 {
            let postings = self.ledger.postings(fact).unwrap();
            let sum = Amount::sum(postings.iter().map(|posting| posting.debit)).unwrap();
            assert!(sum.is_zero(), "{fact:?}");
        }
    }
}

/// `name=value` by blanks; a value that is no JSON is text.
fn pairs(text: &str) -> impl Iterator<Item = (String, Value)> {
    let pairs: Map<String, Value> = text
        .split_whitespace()
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            let is_json = value.starts_with(['[', '{']) || matches!(value, "true" | "false");
            let json = if is_json { serde_json::from_str(value).unwrap() } else { value.into() };
            (name.to_owned(), json)
        })
        .collect();
    pairs.into_iter()
}
