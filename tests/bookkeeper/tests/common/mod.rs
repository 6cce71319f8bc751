//! What all tests share: a book-keeper with short ways to feed it and to look at it.
#![allow(dead_code, clippy::unwrap_used)]

use bookkeeper::{Bill, BookKeeper, Usage, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Compute by the hour at 0.50, in USD and JPY; storage graduated, traffic by volume, both as in R3.4.
pub const PRICES: &str = r#"
[[price]]
product = "compute"
meter = "hours"
currency = "USD"
model = "per_unit"
unit_price = "0.50"

[[price]]
product = "storage"
meter = "gb"
currency = "USD"
model = "graduated"
tiers = [{ up_to = "100", unit_price = "0" }, { up_to = "1000", unit_price = "0.10" }, { unit_price = "0.05" }]

[[price]]
product = "traffic"
meter = "gb"
currency = "USD"
model = "volume"
tiers = [{ up_to = "100", unit_price = "0" }, { up_to = "1000", unit_price = "0.10" }, { unit_price = "0.05" }]

[[price]]
product = "unit"
meter = "usd"
currency = "USD"
model = "per_unit"
unit_price = "1"

[[price]]
product = "unit"
meter = "usd"
currency = "JPY"
model = "per_unit"
unit_price = "1"
"#;

pub struct Case {
    pub keeper: BookKeeper,
    records: u64,
}

pub fn at(text: &str) -> i64 {
    let full = match text.len() {
        16 => format!("{text}:00Z"),
        _ => text.to_string(),
    };
    full.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

impl Case {
    pub fn with(settings: &str, prices: &str) -> Case {
        Case { keeper: BookKeeper::new(settings, prices).unwrap(), records: 0 }
    }

    /// The enterprise `acme` with the account centre on, and its account `a` with billing account `ba-a` in USD,
    /// opened on 1 January 2026.
    pub fn new() -> Case {
        Case::with_settings("")
    }

    pub fn with_settings(settings: &str) -> Case {
        let mut case = Case::with(settings, PRICES);
        case.accept(
            "2026-01-01T00:00",
            "open_enterprise",
            json!({ "enterprise": "acme", "name": "Acme", "country": "SG", "account_center": true }),
        );
        case.open("a", json!({}));
        case
    }

    /// Opens an account of `acme`, in USD unless the further fields say otherwise.
    pub fn open(&mut self, account: &str, further: Value) {
        let mut fields = json!({
            "account": account, "enterprise": "acme", "email": "a@acme.example", "currency": "USD", "mode": "prepaid",
        });
        for (name, value) in further.as_object().unwrap() {
            fields[name] = value.clone();
        }
        self.accept("2026-01-01T00:00", "open_account", fields);
    }

    pub fn send(&mut self, time: &str, name: &str, fields: Value) -> Result<(), String> {
        self.keeper.command(at(time), "operator", None, name, &fields)
    }

    /// The same, asked for by somebody else than the operator.
    pub fn ask(&mut self, time: &str, by: &str, name: &str, fields: Value) -> Result<(), String> {
        let answer = self.keeper.command(at(time), by, None, name, &fields);
        assert_eq!(self.keeper.check(), Ok(()), "after {name} {fields}");
        answer
    }

    pub fn accept(&mut self, time: &str, name: &str, fields: Value) {
        assert_eq!(self.send(time, name, fields.clone()), Ok(()), "{name} {fields}");
        assert_eq!(self.keeper.check(), Ok(()), "after {name} {fields}");
    }

    pub fn refuse(&mut self, time: &str, name: &str, fields: Value, code: &str) {
        assert_eq!(self.send(time, name, fields.clone()), Err(code.to_string()), "{name} {fields}");
        assert_eq!(self.keeper.check(), Ok(()), "after {name} {fields}");
    }

    pub fn top_up(&mut self, time: &str, billing_account: &str, amount: &str) {
        let fields = json!({
            "billing_account": billing_account, "amount": amount, "currency": "USD", "method": "bank_transfer",
        });
        self.accept(time, "top_up", fields);
    }

    pub fn adjust(&mut self, time: &str, billing_account: &str, amount: &str) {
        self.accept(
            time,
            "adjust",
            json!({ "billing_account": billing_account, "amount": amount, "reason": "test" }),
        );
    }

    /// A confirmed credit limit.
    pub fn limit(&mut self, time: &str, billing_account: &str, limit: &str) {
        self.accept(
            time,
            "set_credit_limit",
            json!({ "billing_account": billing_account, "limit": limit }),
        );
        self.accept(time, "confirm_contract", json!({ "billing_account": billing_account }));
    }

    pub fn configure(&mut self, time: &str, billing_account: &str, setting: &str, value: Value) {
        self.accept(
            time,
            "configure",
            json!({ "billing_account": billing_account, setting: value }),
        );
    }

    /// A coupon for `ba-a`, valid for all of March 2026 unless the further fields say otherwise.
    pub fn coupon(&mut self, time: &str, coupon: &str, amount: &str, further: Value) {
        let mut fields = json!({
            "billing_account": "ba-a", "coupon": coupon, "amount": amount,
            "valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-04-01T00:00:00Z",
        });
        for (name, value) in further.as_object().unwrap() {
            fields[name] = value.clone();
        }
        self.accept(time, "grant_coupon", fields);
    }

    /// A new record of one account, used and arriving at this time.
    pub fn record(&mut self, time: &str, account: &str, what: &str, quantity: &str) -> Usage {
        self.records += 1;
        let (product, meter) = what.split_once('/').unwrap();
        Usage {
            source: "test".to_string(),
            id: format!("r{}", self.records),
            account: account.to_string(),
            product: product.to_string(),
            meter: meter.to_string(),
            quantity: quantity.to_string(),
            time: at(time),
            region: None,
            unit: None,
            tags: BTreeMap::new(),
        }
    }

    pub fn uses(&mut self, time: &str, account: &str, what: &str, quantity: &str) {
        self.uses_late(time, time, account, what, quantity);
    }

    /// Usage of one time that arrives at another.
    pub fn uses_late(
        &mut self,
        arrival: &str,
        time: &str,
        account: &str,
        what: &str,
        quantity: &str,
    ) {
        let record = self.record(time, account, what, quantity);
        assert_eq!(self.keeper.usage(at(arrival), &record), Verdict::Counted);
        assert_eq!(self.keeper.check(), Ok(()));
    }

    pub fn pass(&mut self, time: &str) {
        self.keeper.pass(at(time));
        assert_eq!(self.keeper.check(), Ok(()));
    }

    pub fn shows(&self, billing_account: &str, expected: &[(&str, &str)]) {
        let balance = self.keeper.balance(billing_account).unwrap();
        let found: Vec<_> =
            expected.iter().map(|(name, _)| (*name, balance[*name].as_str())).collect();
        assert_eq!(found, expected);
    }

    /// The bills so far as (account, product, amount, paid).
    pub fn bills(&self) -> Vec<(String, String, String, String)> {
        let show = |bill: Bill| (bill.account, bill.product, bill.amount, bill.paid);
        self.keeper.bills().into_iter().map(show).collect()
    }

    pub fn amounts(&self) -> Vec<String> {
        self.keeper.bills().into_iter().map(|bill| bill.amount).collect()
    }

    pub fn paid(&self) -> Vec<String> {
        self.keeper.bills().into_iter().map(|bill| bill.paid).collect()
    }

    pub fn left(&self, coupon: &str) -> String {
        let coupons = self.keeper.coupons("ba-a");
        coupons.into_iter().find(|(id, _)| id == coupon).unwrap().1
    }

    /// The causes and amounts of the entries of one asset at one billing account.
    pub fn moves(&self, billing_account: &str, asset: &str) -> Vec<(String, String)> {
        let entries = self.keeper.entries().into_iter();
        let wanted = entries
            .filter(|entry| entry.billing_account == billing_account && entry.asset == asset);
        wanted.map(|entry| (entry.cause, entry.amount)).collect()
    }
}
