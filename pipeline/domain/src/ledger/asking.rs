//! For tests: tables of who asks for what and what becomes of it, a line each.
//!
//! - `at | 2026-03-01T02:00:00Z`: time goes on to then, and what falls due happens.
//! - `use | account | quantity`: so much is used, at 1 USD each; with `product/meter` behind it, of that
//!   meter; with `@time` behind that, it was used then.
//! - `void | account | quantity | product/meter@time`: such a record is taken back.
//! - `answer | billing account | succeeded`: the gateway answers the last payment.
//! - `number | invoices`: those that wait for nothing but their numbers get them.
//! - `hold | messages`: what ledgers say to each other stays on its way, until `let | messages` go on. The one
//!   ledger here plays both.
//! - `see | view of | fields`: the row of a view says this.
//! - `principal | command | fields | outcome`: `ok`, or the code of a refusal; behind it perhaps why.

use serde_json::Value;

use std::collections::VecDeque;

use super::{
    AccountNumber, Accrued, Answer, Book, Fact, Journal, Ledger, Line, Posting, PricesArrived,
    PricesInForce, RegionNumber, SettingsChanged, Undecided,
};
use crate::commands::{Asked, Command, CreditInvoice};
use crate::money::Amount;
use crate::rating::{self, PriceBook};
use crate::requests::{Addressee, Crossing, Direction};
use crate::time::Timestamp;

/// Facts in the order of their decision; accruals are left out.
#[derive(Default)]
pub(super) struct Facts(pub(super) Vec<Fact>);

impl Journal for Facts {
    fn fact(&mut self, _: &Ledger, fact: &Fact) {
        self.0.push(fact.clone());
    }

    fn accrued(&mut self, _: &Ledger, _: &[Accrued], _: &Line) {}
}

/// A ledger that is asked.
pub(super) struct Asking {
    pub(super) ledger: Ledger,
    pub(super) facts: Facts,
    commands: u64,
    /// How many facts were looked through for what they say to another ledger.
    looked_through: usize,
    on_its_way: VecDeque<Crossing>,
    holds: bool,
    /// What became of the last command that waited for an answer.
    answered: Option<String>,
    /// Why the last command was refused.
    why: Option<String>,
    numbered: u64,
}

/// The enterprise `e` with its account centre on, managed by `boss`, with `a`, `b` and `c`; `f` has `boss-f`
/// and `x`.
const MEMBERS: &str = r#"
    at | 2026-03-01T00:00:00Z
    operator | open_enterprise | enterprise = "e", name = "E", country = "US", account_center = true, management_account = "boss" | ok
    operator | open_enterprise | enterprise = "f", name = "F", country = "US", account_center = true, management_account = "boss-f" | ok
    operator | open_account | account = "boss", enterprise = "e", email = "x@y.example", mode = "postpaid" | ok
    operator | open_account | account = "a", enterprise = "e", email = "x@y.example", mode = "postpaid" | ok
    operator | open_account | account = "b", enterprise = "e", email = "x@y.example", mode = "postpaid" | ok
    operator | open_account | account = "c", enterprise = "e", email = "x@y.example", mode = "postpaid" | ok
    operator | open_account | account = "boss-f", enterprise = "f", email = "x@y.example", mode = "postpaid" | ok
    operator | open_account | account = "x", enterprise = "f", email = "x@y.example", mode = "postpaid" | ok
"#;

impl Asking {
    pub(super) fn new() -> Asking {
        Asking::with_prices(
            r#"price = [{ product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" }]"#,
        )
    }

    pub(super) fn with_prices(document: &str) -> Asking {
        let mut asking = Asking {
            ledger: Ledger::new(1),
            facts: Facts::default(),
            commands: 0,
            numbered: 0,
            looked_through: 0,
            on_its_way: VecDeque::new(),
            holds: false,
            answered: None,
            why: None,
        };
        let entries = rating::parse(document);
        let begins: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let changes = PriceBook::default().changes(entries.unwrap(), begins).unwrap();
        asking.take(PricesArrived { changes });
        asking.take(PricesInForce { loads: 1 });
        asking
    }

    pub(super) fn with_members() -> Asking {
        let mut asking = Asking::new();
        asking.members();
        asking
    }

    pub(super) fn members(&mut self) {
        self.table(MEMBERS);
    }

    pub(super) fn settings(&mut self, document: &str) {
        self.take(SettingsChanged { document: document.to_owned() });
    }

    fn take(&mut self, fact: impl Into<Fact>) {
        self.ledger.take(fact.into(), &mut self.facts).unwrap();
    }

    /// Takes a table line by line; names those that come out otherwise.
    #[track_caller]
    pub(super) fn table(&mut self, table: &str) {
        let lines = table.lines().map(str::trim);
        let mut wrong = String::new();
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Err(found) = self.line(line) {
                wrong.push_str(&format!("{line}\n    found: {found}\n"));
            }
        }
        assert!(wrong.is_empty(), "\n{wrong}");
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells[..] {
            ["at", at] => self.pass(at.parse().unwrap()),
            ["use", account, quantity] => self.use_some(account, quantity, "p/m"),
            ["use", account, quantity, what] => self.use_some(account, quantity, what),
            ["void", account, quantity, what] => {
                let line = self.line_of(account, quantity, what);
                let taken = self.ledger.take_back(&line, None, &mut self.facts);
                assert!(taken.is_ok(), "{taken:?}");
            }
            ["answer", wallet, answer] => {
                let wallet = self.ledger.wallet_named(&wallet.parse().unwrap()).unwrap();
                let paying = self.ledger.wallet(wallet).unwrap().paying.as_deref();
                let (payment, answer) = (paying.unwrap().begun, answer.parse().unwrap());
                let facts = &mut self.facts;
                self.ledger.payment_answered(wallet, payment, answer, None, facts).unwrap();
                self.fire();
            }
            ["number", "invoices"] => self.number_invoices(),
            ["hold", "messages"] => self.holds = true,
            ["let", "messages"] => {
                self.holds = false;
                self.carry();
            }
            ["see", view, fields] => return self.see(view, fields),
            [who, name, fields, expected] => {
                let found = self.ask(who, name, fields);
                return if found == expected { Ok(()) } else { Err(found) };
            }
            [who, name, fields, expected, why] => {
                let found = self.ask(who, name, fields);
                let found = (found.as_str(), self.why.as_deref().unwrap_or_default());
                return if found == (expected, why) { Ok(()) } else { Err(format!("{found:?}")) };
            }
            _ => panic!("{line}: what does that mean?"),
        }
        Ok(())
    }

    pub(super) fn ask(&mut self, who: &str, name: &str, fields: &str) -> String {
        self.commands += 1;
        let principal = who.parse().unwrap();
        let asked = Asked { number: self.commands, principal, key: None, origin: None };
        let command = Command::read(name, table(fields)).expect(name);
        let command = command.unwrap_or_else(|error| panic!("{name} {fields}: {error}"));
        let decided = match &command {
            Command::RequestPayment(request) => {
                let payer = self.addressee(request.payer.as_str());
                let requested =
                    self.ledger.requested(&asked, &command, payer.as_ref(), &mut self.facts);
                requested.map(|()| Answer::Accepted)
            }
            // The registry knows by what its ledger knows an invoice.
            Command::CreditInvoice(CreditInvoice { invoice, .. }) => {
                let wallets = self.ledger.wallets().iter();
                let mut issued =
                    wallets.filter_map(|it| it.invoicing.as_ref()).flat_map(|it| &it.issued);
                let known = issued.find(|it| it.number == invoice.as_str()).map(|it| it.draft);
                let credited = self.ledger.credited(&asked, &command, known, &mut self.facts);
                credited.map(|()| Answer::Accepted)
            }
            command => self.ledger.command(&asked, command, &mut self.facts),
        };
        let outcome = match decided {
            Ok(Answer::Accepted) => "ok".to_owned(),
            Ok(Answer::Later) => "ok".to_owned(),
            Err(Undecided::Refused(refusal)) => {
                self.why = self.ledger.why(&asked, &command, refusal);
                refusal.code().to_owned()
            }
            Err(Undecided::Broken(broken)) => panic!("{name} {fields}: {broken}"),
        };
        self.fire();
        match command {
            // The other side says what becomes of it.
            Command::CancelPaymentRequest(_) if outcome == "ok" => {
                self.answered.take().unwrap_or("later".to_owned())
            }
            _ => outcome,
        }
    }

    /// Whom the registry would find.
    fn addressee(&self, payer: &str) -> Option<Addressee> {
        let number = self.ledger.account_named(&payer.parse().ok()?)?;
        let wallet = self.ledger.wallets().iter().find(|wallet| wallet.owner == number)?;
        Some(Addressee {
            account: payer.parse().ok()?,
            billing_account: wallet.id.clone(),
            enterprise: self.ledger.enterprise(wallet.enterprise)?.id.clone(),
            currency: wallet.currency,
        })
    }

    /// What was said to another ledger is heard.
    fn carry(&mut self) {
        loop {
            for fact in &self.facts.0[self.looked_through..] {
                if let Fact::SaidAcross(said) = fact {
                    self.on_its_way.push_back((*said.crossing).clone());
                }
            }
            self.looked_through = self.facts.0.len();
            if self.holds {
                return;
            }
            let Some(crossing) = self.on_its_way.pop_front() else { return };
            let answered = self.ledger.hear(crossing, &mut self.facts).unwrap();
            let outcome = |refused: Option<crate::refusal::Refusal>| {
                refused.map_or("ok", crate::refusal::Refusal::code).to_owned()
            };
            self.answered = answered.map(|it| outcome(it.refused)).or(self.answered.take());
        }
    }

    fn pass(&mut self, at: Timestamp) {
        while let Some(due) = self.ledger.next_timer().filter(|due| *due <= at) {
            self.pass_to(due);
        }
        self.pass_to(at);
    }

    fn pass_to(&mut self, at: Timestamp) {
        self.ledger.pass(at, &mut self.facts).unwrap();
        self.ledger.mark(0, at, &mut self.facts).unwrap();
        self.fire();
    }

    fn fire(&mut self) {
        while self.ledger.fire(usize::MAX, &mut self.facts).unwrap().more {}
        self.carry();
    }

    fn use_some(&mut self, account: &str, quantity: &str, what: &str) {
        let line = self.line_of(account, quantity, what);
        self.ledger.line(&line, &mut self.facts).unwrap();
    }

    fn line_of(&self, account: &str, quantity: &str, what: &str) -> Line {
        let (what, at) = what.split_once('@').unwrap_or((what, ""));
        let (product, meter) = what.split_once('/').unwrap();
        let (product, meter) = (product.parse().unwrap(), meter.parse().unwrap());
        let now = self.ledger.clock().now();
        let used = if at.is_empty() { now } else { at.parse().unwrap() };
        let AccountNumber(number) = self.ledger.account_named(&account.parse().unwrap()).unwrap();
        Line {
            usage_partition: 0,
            account: AccountNumber(number),
            meter: self.ledger.book().meter(&product, &meter).unwrap(),
            region: RegionNumber::NONE,
            used: used.minute(),
            quantity: quantity.parse().unwrap(),
            records: 1,
        }
    }

    fn number_invoices(&mut self) {
        let wallets = self.ledger.wallets().iter();
        let waiting = wallets.flat_map(|it| it.drafts()).filter(|it| it.held_for().is_none());
        let drafts: Vec<u64> = waiting.map(|it| it.draft).collect();
        for draft in drafts {
            self.numbered += 1;
            let (now, number) =
                (self.ledger.clock().now(), format!("SG-2026-{:06}", self.numbered));
            self.ledger.number_invoice(draft, &number, now, &mut self.facts).unwrap();
        }
        self.fire();
    }

    /// What the facts have booked in a book of a wallet, and what its state says of it.
    pub(super) fn booked(&self, wallet: &str, book: Book) -> (Amount, Amount) {
        let wallet = self.ledger.wallet_named(&wallet.parse().unwrap()).unwrap();
        let total = |postings: &mut dyn Iterator<Item = Posting>| {
            let of_book = postings.filter(|it| it.wallet == wallet && it.book == book);
            Amount::sum(of_book.map(|it| it.debit)).unwrap()
        };
        let mut told = self.facts.0.iter().flat_map(|fact| self.ledger.postings(fact).unwrap());
        let mut stands = self.ledger.books_of(wallet).unwrap().into_iter();
        (total(&mut told), total(&mut stands))
    }

    fn see(&self, view: &str, fields: &str) -> Result<(), String> {
        let (view, of) = view.split_once(' ').unwrap();
        let wallet = || self.ledger.wallet_named(&of.parse().unwrap()).unwrap();
        let account = || self.ledger.account_named(&of.parse().unwrap()).unwrap();
        let row = match view {
            "balance" => serde_json::to_value(self.ledger.balance(wallet()).unwrap().unwrap()),
            "billing_account" => serde_json::to_value(self.ledger.billing_account(wallet())),
            "account" => serde_json::to_value(self.ledger.account_row(account())),
            direction @ ("asked" | "to_pay") => {
                let (direction, id) = (direction.parse().unwrap(), of.parse().unwrap());
                let sides = &self.ledger.requests;
                let wallet = match direction {
                    Direction::Asked => sides.of(&id),
                    Direction::ToPay => sides.to(&id),
                };
                let row = |wallet| self.ledger.payment_request(wallet, direction, &id);
                serde_json::to_value(wallet.and_then(row))
            }
            "enterprise" => {
                let enterprise = self.ledger.enterprise_named(&of.parse().unwrap()).unwrap();
                serde_json::to_value(self.ledger.enterprise_row(enterprise))
            }
            "due" => serde_json::to_value(self.ledger.due(wallet()).unwrap().unwrap()),
            "runway" => serde_json::to_value(self.ledger.runway_row(wallet()).unwrap().unwrap()),
            "service" => serde_json::to_value(self.ledger.service(account())),
            "coupons" => serde_json::to_value(self.ledger.coupons(wallet())),
            "orders" => serde_json::to_value(self.ledger.orders(wallet())),
            "payment_methods" => serde_json::to_value(self.ledger.methods(wallet())),
            "benefit" => {
                let (wallet, benefit) = of.split_once('/').unwrap();
                let wallet = self.ledger.wallet_named(&wallet.parse().unwrap()).unwrap();
                let rows = self.ledger.benefits(wallet).unwrap().benefits.into_iter();
                let mut of_name = rows.filter(|row| row.benefit.is_called(benefit));
                serde_json::to_value(of_name.next())
            }
            other => panic!("{other}: there is no such view"),
        };
        let row = row.unwrap();
        let fits = |(field, value): (&String, &Value)| says(&said(&row[field]), value);
        let expected = serde_json::to_value(table(fields)).unwrap();
        let expected = expected.as_object().unwrap();
        match expected.iter().all(fits) {
            true => Ok(()),
            false => Err(row.to_string()),
        }
    }
}

/// Fields as an inline table writes them.
pub(super) fn table(fields: &str) -> toml::Table {
    let text = format!("it = {{ {fields} }}");
    let read: toml::Table =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{fields}: {error}"));
    read["it"].as_table().unwrap().clone()
}

/// A value without what is not said.
fn said(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(said).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name.clone(), said(value))).collect())
        }
        other => other.clone(),
    }
}

fn says(found: &Value, expected: &Value) -> bool {
    let amount = |value: &Value| value.as_str()?.parse::<Amount>().ok();
    found == expected || amount(found).is_some_and(|found| Some(found) == amount(expected))
}
