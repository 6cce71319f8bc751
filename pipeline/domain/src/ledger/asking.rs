//! For tests: tables of who asks for what and what becomes of it, a line each.
//!
//! - `at | 2026-03-01T02:00:00Z`: time goes on to then, and what falls due happens.
//! - `use | account | quantity`: so much is used, at 1 USD each.
//! - `answer | billing account | succeeded`: the gateway answers the last payment.
//! - `number | invoices`: those that wait for their numbers get them.
//! - `see | view of | fields`: the row of a view says this.
//! - `principal | command | fields | outcome`: `ok`, or the code of a refusal.

use serde_json::Value;

use super::{
    AccountNumber, Accrued, Fact, Journal, Ledger, Line, PricesArrived, PricesInForce,
    RegionNumber, SettingsChanged, Undecided,
};
use crate::commands::{Asked, Command, CreditInvoice};
use crate::money::Amount;
use crate::rating::{self, MeterNumber, PriceBook};
use crate::time::Timestamp;

/// Facts in the order of their decision; accruals are left out.
#[derive(Default)]
pub(super) struct Facts(pub(super) Vec<Fact>);

impl Journal for Facts {
    fn fact(&mut self, _: &Ledger, fact: &Fact) {
        self.0.push(fact.clone());
    }

    fn accrued(&mut self, _: &Ledger, _: &Accrued, _: &Line) {}
}

/// A ledger that is asked.
pub(super) struct Asking {
    pub(super) ledger: Ledger,
    pub(super) facts: Facts,
    commands: u64,
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
        let mut asking =
            Asking { ledger: Ledger::new(1), facts: Facts::default(), commands: 0, numbered: 0 };
        let entries = rating::parse(
            r#"price = [{ product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" }]"#,
        );
        let begins: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let changes = PriceBook::default().changes(entries.unwrap(), begins).unwrap();
        asking.take(PricesArrived { changes });
        asking.take(PricesInForce { loads: 1 });
        asking
    }

    pub(super) fn with_members() -> Asking {
        let mut asking = Asking::new();
        asking.table(MEMBERS);
        asking
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
            ["use", account, quantity] => self.use_some(account, quantity),
            ["answer", wallet, answer] => {
                let wallet = self.ledger.wallet_named(&wallet.parse().unwrap()).unwrap();
                let paying = self.ledger.wallet(wallet).unwrap().paying.as_deref();
                let (payment, answer) = (paying.unwrap().begun, answer.parse().unwrap());
                let facts = &mut self.facts;
                self.ledger.payment_answered(wallet, payment, answer, None, facts).unwrap();
                self.fire();
            }
            ["number", "invoices"] => self.number_invoices(),
            ["see", view, fields] => return self.see(view, fields),
            [who, name, fields, expected] => {
                let found = self.ask(who, name, fields);
                return if found == expected { Ok(()) } else { Err(found) };
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
        let facts = &mut self.facts;
        let outcome = match &command {
            // The registry knows by what its ledger knows an invoice.
            Command::CreditInvoice(CreditInvoice { invoice, .. }) => {
                let wallets = self.ledger.wallets().iter();
                let mut issued =
                    wallets.filter_map(|it| it.invoicing.as_ref()).flat_map(|it| &it.issued);
                let known = issued.find(|it| it.number == invoice.as_str()).map(|it| it.draft);
                self.ledger.credited(&asked, &command, known, facts)
            }
            command => self.ledger.command(&asked, command, facts).map(|_| ()),
        };
        let outcome = match outcome {
            Ok(()) => "ok".to_owned(),
            Err(Undecided::Refused(refusal)) => refusal.code().to_owned(),
            Err(Undecided::Broken(broken)) => panic!("{name} {fields}: {broken}"),
        };
        self.fire();
        outcome
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
    }

    fn use_some(&mut self, account: &str, quantity: &str) {
        let AccountNumber(number) = self.ledger.account_named(&account.parse().unwrap()).unwrap();
        let line = Line {
            usage_partition: 0,
            account: AccountNumber(number),
            meter: MeterNumber(0),
            region: RegionNumber::NONE,
            used: self.ledger.clock().now().minute(),
            quantity: quantity.parse().unwrap(),
            records: 1,
        };
        self.ledger.line(&line, &mut self.facts).unwrap();
    }

    fn number_invoices(&mut self) {
        let wallets = self.ledger.wallets().iter();
        let drafts: Vec<u64> = wallets.flat_map(|it| it.drafts()).map(|it| it.draft).collect();
        for draft in drafts {
            self.numbered += 1;
            let (now, number) =
                (self.ledger.clock().now(), format!("SG-2026-{:06}", self.numbered));
            self.ledger.number_invoice(draft, &number, now, &mut self.facts).unwrap();
        }
        self.fire();
    }

    fn see(&self, view: &str, fields: &str) -> Result<(), String> {
        let (view, of) = view.split_once(' ').unwrap();
        let wallet = || self.ledger.wallet_named(&of.parse().unwrap()).unwrap();
        let account = || self.ledger.account_named(&of.parse().unwrap()).unwrap();
        let row = match view {
            "balance" => serde_json::to_value(self.ledger.balance(wallet()).unwrap().unwrap()),
            "billing_account" => serde_json::to_value(self.ledger.billing_account(wallet())),
            "account" => serde_json::to_value(self.ledger.account_row(account())),
            "enterprise" => {
                let enterprise = self.ledger.enterprise_named(&of.parse().unwrap()).unwrap();
                serde_json::to_value(self.ledger.enterprise_row(enterprise))
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
fn table(fields: &str) -> toml::Table {
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
