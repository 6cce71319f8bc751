//! Usage turned into money: the price of a month's quantity (R3.2, R3.3).

use crate::exact::{Exact, Wide};
use crate::price_book::{Model, Tier};
use std::collections::BTreeMap;

/// What a record says of its month's quantity (R3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// So much more.
    More(Exact),
    /// It is at least this much.
    AtLeast(Exact),
    /// At this time, by the record of this id, it is this much.
    Is(i64, String, Exact),
    /// It has this value of the tag, if any.
    Value(Option<String>),
}

/// What the records of one month have come to, for one (billing account, account, product, meter, region, price
/// version), and what they have cost so far.
#[derive(Clone, Debug, Default)]
pub struct MonthQuantity {
    pub quantity: Exact,
    pub records: u64,
    pub charged: Exact,
    /// How often each was said, where records do not add up.
    largest: BTreeMap<Exact, u64>,
    last: BTreeMap<(i64, String, Exact), u64>,
    values: BTreeMap<String, u64>,
}

impl MonthQuantity {
    /// Adds a record, and gives the charge: what the month costs with it less what it cost without (R3.2).
    pub fn add(&mut self, says: Says, model: &Model) -> Exact {
        self.records += 1;
        match says {
            Says::More(quantity) => {
                self.quantity += &quantity;
                return self.cost(model);
            }
            Says::AtLeast(quantity) => *self.largest.entry(quantity).or_default() += 1,
            Says::Is(time, id, quantity) => {
                *self.last.entry((time, id, quantity)).or_default() += 1;
            }
            Says::Value(Some(value)) => *self.values.entry(value).or_default() += 1,
            Says::Value(None) => {}
        }
        self.count_again();
        self.cost(model)
    }

    /// Takes a record back, and gives the charge: never more than nothing, but for tiers that are not reached any more
    /// (R2.5).
    pub fn remove(&mut self, says: Says, model: &Model) -> Exact {
        self.records -= 1;
        match says {
            Says::More(quantity) => {
                self.quantity -= &quantity;
                return self.cost(model);
            }
            Says::AtLeast(quantity) => take_one(&mut self.largest, &quantity),
            Says::Is(time, id, quantity) => take_one(&mut self.last, &(time, id, quantity)),
            Says::Value(Some(value)) => take_one(&mut self.values, &value),
            Says::Value(None) => {}
        }
        self.count_again();
        self.cost(model)
    }

    /// The quantity where records do not add up. Of two records with one id and time the larger counts.
    fn count_again(&mut self) {
        let largest = self.largest.keys().next_back().cloned();
        let last = self.last.keys().next_back().map(|(_, _, quantity)| quantity.clone());
        let values = Exact::whole(self.values.len() as u64);
        self.quantity = largest.or(last).unwrap_or(values);
    }

    fn cost(&mut self, model: &Model) -> Exact {
        let costs = price_of(model, &self.quantity, self.records);
        let charge = &costs - &self.charged;
        self.charged = costs;
        charge
    }
}

fn take_one<Key: Ord>(said: &mut BTreeMap<Key, u64>, what: &Key) {
    if let Some(times) = said.get_mut(what) {
        *times -= 1;
        if *times == 0 {
            said.remove(what);
        }
    }
}

/// P(Q), rounded to twelve places. Without a record nothing costs anything; a quantity of zero enters no tier and
/// starts no block, but a `flat` price is due with the first record whatever its quantity.
pub fn price_of(model: &Model, quantity: &Exact, records: u64) -> Exact {
    if records == 0 {
        return Exact::zero();
    }
    if let Model::Flat(amount) = model {
        return amount.clone();
    }
    if quantity.is_zero() {
        return Exact::zero();
    }
    match model {
        Model::Flat(amount) => amount.clone(),
        Model::PerUnit(unit_price) => quantity.times(unit_price).round_half_even(),
        Model::Package { size, amount } => {
            quantity.started_blocks(size).times(amount).round_half_even()
        }
        Model::Graduated(tiers) => graduated(tiers, quantity).round_half_even(),
        Model::Volume(tiers) => volume(tiers, quantity).round_half_even(),
    }
}

/// A change of a month's quantity and what it costs, by tier from 1 where each of several tiers is priced by itself
/// (R12.3). Tiers that nothing changes in are left out. The parts come to the whole charge, to the last place.
pub fn by_tier(
    model: &Model,
    before: &Exact,
    after: &Exact,
    charge: &Exact,
) -> Vec<(Option<usize>, Exact, Exact)> {
    let tiers = match model {
        Model::Graduated(tiers) if tiers.len() > 1 => tiers,
        _ => return vec![(None, after - before, charge.clone())],
    };
    let (before, after) = (in_tiers(tiers, before), in_tiers(tiers, after));
    let changes = before.iter().zip(&after).enumerate().map(|(tier, (before, after))| {
        (Some(tier + 1), &after.0 - &before.0, &after.1 - &before.1)
    });
    changes.filter(|(_, quantity, amount)| !quantity.is_zero() || !amount.is_zero()).collect()
}

/// What of a quantity lies in each tier, and what that costs.
fn in_tiers(tiers: &[Tier], quantity: &Exact) -> Vec<(Exact, Exact)> {
    let mut below = Exact::zero();
    let mut cost_below = Exact::zero();
    let mut parts = Vec::new();
    for (position, tier) in tiers.iter().enumerate() {
        let up_to = tier.up_to.as_ref().unwrap_or(quantity).min(quantity).clone();
        let part = (&up_to - &below).at_least_zero();
        let cost = graduated(&tiers[..=position], &up_to).round_half_even();
        parts.push((part, &cost - &cost_below));
        (below, cost_below) = (up_to, cost);
    }
    parts
}

/// Each tier prices the part of the quantity that lies in it; its flat amount is due when the tier is entered.
fn graduated(tiers: &[Tier], quantity: &Exact) -> Wide {
    let mut total = Wide::default();
    let mut below = Exact::zero();
    for tier in tiers {
        if *quantity <= below {
            break;
        }
        let end = match &tier.up_to {
            Some(up_to) => up_to.min(quantity),
            None => quantity,
        };
        total += (end - &below).times(&tier.unit_price);
        total += tier.flat.widen();
        below = end.clone();
    }
    total
}

/// The tier that the quantity reaches prices all of it.
fn volume(tiers: &[Tier], quantity: &Exact) -> Wide {
    let mut total = Wide::default();
    let reached =
        tiers.iter().find(|tier| tier.up_to.as_ref().is_none_or(|up_to| quantity <= up_to));
    if let Some(tier) = reached {
        total += quantity.times(&tier.unit_price);
        total += tier.flat.widen();
    }
    total
}
