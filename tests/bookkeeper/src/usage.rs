//! Usage records: which count, which are dropped and which are rejected (section 2), and their charges.

use crate::BookKeeper;
use crate::calendar::{Month, is_known, minute_of};
use crate::exact::Exact;
use crate::fields::is_id;
use crate::ledger::Place;
use crate::lines::PartKey;
use crate::passing::Due;
use crate::price_book::Aggregate;
use crate::rating::{Says, by_tier};
use crate::wallet::OpenCycle;
use std::collections::BTreeMap;

/// One measured fact (R2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub source: String,
    pub id: String,
    pub account: String,
    pub product: String,
    pub meter: String,
    pub quantity: String,
    /// The time of use.
    pub time: i64,
    pub region: Option<String>,
    pub unit: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// What became of a usage record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Counted,
    /// The same record has been counted before; it is dropped (R2.2).
    Duplicate,
    /// It cannot be used; this is the first reason that holds (R2.3).
    Rejected(&'static str),
}

/// The account, source and id of a record (R2.1).
pub type Identity = (String, String, String);

/// What one month's quantity is kept for (R3.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuantityKey {
    pub wallet: usize,
    pub account: String,
    pub product: String,
    pub meter: String,
    pub region: Option<String>,
    pub price: usize,
    pub month: Month,
}

/// What a record that can be used means.
#[derive(Clone)]
pub struct Judged {
    pub quantity: Exact,
    /// The time of use that counts: one ahead of the clock counts as the minute of arrival (R2.4).
    pub time: i64,
    pub wallet: usize,
    pub price: usize,
}

/// A record that has been counted, and as what.
pub struct CountedRecord {
    pub record: Usage,
    pub judged: Judged,
    /// It was taken back (R2.5).
    pub voided: bool,
}

impl BookKeeper {
    /// A usage record arrives. Everything due up to then happens first.
    pub fn usage(&mut self, arrival: i64, record: &Usage) -> Verdict {
        self.pass(arrival);
        let judged = match self.judge(record) {
            Ok(judged) => judged,
            Err(reason) => return Verdict::Rejected(reason),
        };
        let identity = (record.account.clone(), record.source.clone(), record.id.clone());
        if let Some(first) = self.identities.get(&identity)
            && self.now.saturating_sub(first.record.time) <= self.settings.max_age
        {
            // An identity is taken for as long as its time of use can be accepted (R2.2).
            return match is_same(&first.record, record) {
                true => Verdict::Duplicate,
                false => Verdict::Rejected("conflicting_duplicate"),
            };
        }
        self.count(record, &judged);
        let wallet = judged.wallet;
        let counted = CountedRecord { record: record.clone(), judged, voided: false };
        self.identities.insert(identity, counted);
        self.look_after_everyone();
        self.judge_wallet(wallet);
        self.judge_runway(wallet, true);
        self.hear_what_was_asked();
        Verdict::Counted
    }

    /// Finds the first reason not to use a record, in the order of R2.3, or what it means.
    fn judge(&self, record: &Usage) -> Result<Judged, &'static str> {
        let arrival = self.now;
        let (quantity, _) = Exact::read(&record.quantity).ok_or("malformed")?;
        let names = [&record.source, &record.id, &record.account, &record.product, &record.meter];
        if names.iter().any(|name| name.is_empty()) || !is_known(record.time) {
            return Err("malformed");
        }
        let account = self.accounts.get(&record.account).ok_or("unknown_account")?;
        if account.closed_at.is_some_and(|closed_at| closed_at <= record.time.min(arrival)) {
            return Err("account_closed");
        }
        let time = if record.time > arrival { minute_of(arrival) } else { record.time };
        let of_meter =
            self.prices.of_meter(&record.product, &record.meter).ok_or("unknown_meter")?;
        let wallet = account.payer_at(time);
        let currency = self.wallets[wallet].currency.code;
        let price = self
            .prices
            .find(of_meter, record.region.as_deref(), currency, time)
            .filter(|_| record.region.as_deref().is_none_or(is_id))
            .ok_or("no_price")?;
        if quantity.is_negative() {
            return Err("negative_quantity");
        }
        if arrival.saturating_sub(record.time) > self.settings.max_age {
            return Err("too_old");
        }
        if record.time.saturating_sub(arrival) > self.settings.max_ahead {
            return Err("in_the_future");
        }
        Ok(Judged { quantity, time, wallet, price })
    }

    /// The record changes its month's quantity, and what that costs is charged (R3.2).
    fn count(&mut self, record: &Usage, judged: &Judged) {
        self.check_first_use(judged.wallet, &record.product);
        let key = self.quantity_key(record, judged);
        let month = self.quantities.get(&key).cloned().unwrap_or_default();
        let mut says = self.says(record, judged);
        if let Says::More(quantity) = says {
            let (enters, portions) = self.cover(record, judged, &month, quantity);
            let tab = self.tab(judged.wallet, judged.time);
            self.note_in_hour(&key, judged.time, tab, &enters, portions);
            says = Says::More(enters);
        }
        let price = self.prices.price(judged.price);
        let month = self.quantities.entry(key).or_default();
        let before = month.quantity.clone();
        let charge = month.add(says, &price.model);
        let parts = by_tier(&price.model, &before, &month.quantity, &charge);
        self.charge(record, judged, charge, parts);
    }

    /// What a record says of its month's quantity, without what is covered of it (R3.3).
    pub(crate) fn says(&self, record: &Usage, judged: &Judged) -> Says {
        let price = self.prices.price(judged.price);
        let quantity = judged.quantity.clone();
        match price.aggregate {
            Aggregate::Sum => Says::More(quantity),
            Aggregate::Count => Says::More(Exact::whole(1)),
            Aggregate::Max => Says::AtLeast(quantity),
            Aggregate::Last => Says::Is(judged.time, record.id.clone(), quantity),
            Aggregate::Unique => {
                let value = price.tag.as_ref().and_then(|tag| record.tags.get(tag));
                Says::Value(value.cloned())
            }
        }
    }

    pub(crate) fn quantity_key(&self, record: &Usage, judged: &Judged) -> QuantityKey {
        QuantityKey {
            wallet: judged.wallet,
            account: record.account.clone(),
            product: record.product.clone(),
            meter: record.meter.clone(),
            region: record.region.clone(),
            price: judged.price,
            month: self.wallets[judged.wallet].month_of(judged.time),
        }
    }

    /// The cycle that usage of this time joins now, opened if need be: its end, and which opening it is.
    pub(crate) fn tab(&mut self, wallet: usize, time: i64) -> (i64, u64) {
        let cycle_end = self.cycle_to_join(wallet, time);
        let due = self.now.max(cycle_end.saturating_add(self.settings.grace));
        let owner = &mut self.wallets[wallet];
        if let Some(cycle) = owner.open.get(&cycle_end) {
            return (cycle_end, cycle.number);
        }
        let month = owner.month_of(cycle_end.saturating_sub(1));
        owner.cycles_opened += 1;
        let number = owner.cycles_opened;
        owner.open.insert(cycle_end, OpenCycle { number, month, charges: BTreeMap::new() });
        self.falls_due(due, Due::Bills { wallet, cycle_end });
        (cycle_end, number)
    }

    /// What a change of a month's quantity costs joins a cycle of the payer (R2.4).
    /// The parts say what it is for, by tier.
    pub(crate) fn charge(
        &mut self,
        record: &Usage,
        judged: &Judged,
        charge: Exact,
        parts: Vec<(Option<usize>, Exact, Exact)>,
    ) {
        let wallet = judged.wallet;
        let (cycle_end, _) = self.tab(wallet, judged.time);
        let begins = self.piece_of_hour(wallet, &record.account, judged.time);
        let is_late = cycle_end != self.wallets[wallet].end_of_cycle(judged.time);
        let open = (wallet, cycle_end, record.account.clone(), record.product.clone());
        let open = self.open_parts.entry(open).or_default();
        for (tier, quantity, amount) in parts {
            let (meter, region) = (record.meter.clone(), record.region.clone());
            let part = open.entry(PartKey { is_late, meter, region, tier }).or_default();
            part.quantity += &quantity;
            part.amount += &amount;
        }
        let owner = &mut self.wallets[wallet];
        let Some(cycle) = owner.open.get_mut(&cycle_end) else { return };
        let charges =
            cycle.charges.entry((record.account.clone(), record.product.clone())).or_default();
        charges.total += &charge;
        *charges.by_time.entry(begins).or_default() += &charge;
        let month = cycle.month;
        owner.burned(judged.time, &charge);
        let currency = owner.currency;
        self.ledger.move_money(currency, Place::OpenCharges(wallet), Place::World, &charge);
        *self.charged_by_account.entry(record.account.clone()).or_default() += &charge;
        self.count_as_spent(wallet, &record.account, month, &charge);
        self.charge_what_is_due(wallet, true);
    }

    /// The end of the cycle whose bill the money joins: that of the time of use while it can still be joined, else
    /// that of the arrival (R2.4).
    fn cycle_to_join(&self, wallet: usize, time: i64) -> i64 {
        let of_use = self.wallets[wallet].end_of_cycle(time);
        if self.now < of_use.saturating_add(self.settings.grace) {
            return of_use;
        }
        self.wallets[wallet].end_of_cycle(self.now)
    }
}

/// Whether two records of one identity say the same. A quantity is the same when it is the same number.
fn is_same(first: &Usage, second: &Usage) -> bool {
    let number = |usage: &Usage| Exact::read(&usage.quantity).map(|(number, _)| number);
    let without_quantity = |usage: &Usage| Usage { quantity: String::new(), ..usage.clone() };
    number(first) == number(second) && without_quantity(first) == without_quantity(second)
}
