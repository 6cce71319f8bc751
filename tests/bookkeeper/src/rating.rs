//! Usage turned into money: the price of a month's quantity (R3.2, R3.3).

use crate::exact::{Exact, Wide};
use crate::price_book::{Model, Tier};

/// What the records of one month have come to, for one (billing account, account, product, meter, region, price
/// version), and what they have cost so far.
#[derive(Clone, Debug, Default)]
pub struct MonthQuantity {
    pub quantity: Exact,
    pub records: u64,
    pub charged: Exact,
}

impl MonthQuantity {
    /// Adds a record, of which so much enters the quantity, and gives the charge: what the month costs with it less what it cost without (R3.2).
    pub fn add(&mut self, enters: &Exact, model: &Model) -> Exact {
        self.records += 1;
        self.quantity += enters;
        self.cost(model)
    }

    /// Takes a record back, of which so much leaves the quantity, and gives the charge: never more than nothing, but for tiers that are not reached any more
    /// (R2.5).
    pub fn remove(&mut self, leaves: &Exact, model: &Model) -> Exact {
        self.records -= 1;
        self.quantity -= leaves;
        self.cost(model)
    }

    fn cost(&mut self, model: &Model) -> Exact {
        let costs = price_of(model, &self.quantity, self.records);
        let charge = &costs - &self.charged;
        self.charged = costs;
        charge
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
