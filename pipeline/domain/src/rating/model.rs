//! A price is a function P(Q) of the month's quantity, so any grouping of records costs the same in
//! total (R3.2).

use crate::money::{Amount, Overflow, Product};
use crate::{one_of, record, symbols};

symbols! {
    /// How records make the month's quantity (R3.3).
    pub enum Aggregate {
        Sum = "sum",
        Count = "count",
        /// The largest quantity.
        Max = "max",
        /// The quantity of the last record, by time of use; ties by id.
        Last = "last",
        /// How many values of a tag there are.
        Unique = "unique",
    }
}

record! {
    /// One step of a `graduated` or `volume` price.
    pub struct Tier {
        /// The last quantity in this tier; the last tier has no end.
        pub up_to: Option<Amount>,
        pub unit_price: Amount,
        pub flat: Amount,
    }
}

record! {
    /// Every unit costs the same.
    pub struct PerUnit {
        pub unit_price: Amount,
    }
}

record! {
    /// Each tier by itself.
    pub struct Graduated {
        pub tiers: Vec<Tier>,
    }
}

record! {
    /// The tier reached prices all of the quantity.
    pub struct Volume {
        pub tiers: Vec<Tier>,
    }
}

record! {
    /// Started blocks of `size` count whole.
    pub struct Package {
        pub size: Amount,
        pub amount: Amount,
    }
}

record! {
    /// Once, at the first record of the month.
    pub struct Flat {
        pub amount: Amount,
    }
}

one_of! {
    /// The price function of a month's quantity.
    pub enum Model { PerUnit, Graduated, Volume, Package, Flat }
}

impl Model {
    /// P(Q), exact to twelve places.
    ///
    /// For [`Model::Flat`] the quantity is the number of records, whatever the meter's aggregate.
    #[inline]
    pub fn price(&self, quantity: Amount) -> Result<Amount, Overflow> {
        match self {
            Model::PerUnit(price) => quantity.times(price.unit_price)?.rounded_half_even(),
            Model::Graduated(price) => graduated(&price.tiers, quantity),
            Model::Volume(price) => volume(&price.tiers, quantity),
            Model::Package(package) => {
                quantity.blocks_of(package.size)?.times(package.amount)?.rounded_half_even()
            }
            Model::Flat(price) => {
                Ok(if quantity.is_positive() { price.amount } else { Amount::ZERO })
            }
        }
    }

    /// What a month costs more that goes from one quantity to another: the one price less the other.
    #[inline]
    pub fn change(&self, from: Amount, to: Amount) -> Result<Amount, Overflow> {
        match self {
            Model::Graduated(price) => graduated_change(&price.tiers, from, to),
            _ => self.price(to)?.minus(self.price(from)?),
        }
    }

    /// Up to which quantity nothing more is charged; the quantity itself where the next unit costs something.
    pub fn free_until(&self, quantity: Amount) -> Amount {
        let (Model::Graduated(Graduated { tiers }) | Model::Volume(Volume { tiers })) = self else {
            return quantity;
        };
        let mut until = quantity;
        let mut from = Amount::ZERO;
        for tier in tiers {
            let ends = tier.up_to.unwrap_or(Amount::MAX);
            let entered = tier.flat.is_zero() || quantity > from;
            if until < ends {
                if !tier.unit_price.is_zero() || !entered {
                    break;
                }
                until = ends;
            }
            from = ends;
        }
        until
    }

    /// Whether it is sold in blocks, of which a started one counts whole.
    pub fn is_in_blocks(&self) -> bool {
        matches!(self, Model::Package(_))
    }

    /// Whether the quantity is a number of records whatever the meter's aggregate says.
    #[inline]
    pub fn counts_records(&self) -> bool {
        matches!(self, Model::Flat(_))
    }
}

/// Each tier by itself, rounded once; of the first tiers of a price alone: what they come to.
pub(super) fn graduated(tiers: &[Tier], quantity: Amount) -> Result<Amount, Overflow> {
    let mut total = Product::ZERO;
    let mut begins = Amount::ZERO;
    for tier in tiers {
        if quantity <= begins {
            break;
        }
        total = total.plus(tier.part_of(begins, quantity)?)?;
        begins = tier.ends();
    }
    total.rounded_half_even()
}

/// What all of a tier costs that two quantities share is worked out once.
fn graduated_change(tiers: &[Tier], from: Amount, to: Amount) -> Result<Amount, Overflow> {
    let (mut before, mut after) = (Product::ZERO, Product::ZERO);
    let mut begins = Amount::ZERO;
    for tier in tiers {
        if from.max(to) <= begins {
            break;
        }
        let (mut of_one, mut of_other) = (Product::ZERO, Product::ZERO);
        if from > begins {
            of_one = tier.part_of(begins, from)?;
        }
        if from.min(to) >= tier.ends() {
            of_other = of_one;
        } else if to > begins {
            of_other = tier.part_of(begins, to)?;
        }
        (before, after) = (before.plus(of_one)?, after.plus(of_other)?);
        begins = tier.ends();
    }
    after.rounded_half_even()?.minus(before.rounded_half_even()?)
}

impl Tier {
    fn ends(&self) -> Amount {
        self.up_to.unwrap_or(Amount::MAX)
    }

    /// What it comes to for its part of a quantity, of which some is beyond where it begins.
    #[inline]
    fn part_of(&self, begins: Amount, quantity: Amount) -> Result<Product, Overflow> {
        let part = quantity.min(self.ends()).minus(begins)?;
        part.times(self.unit_price)?.plus(self.flat.into())
    }
}

fn volume(tiers: &[Tier], quantity: Amount) -> Result<Amount, Overflow> {
    if !quantity.is_positive() {
        return Ok(Amount::ZERO);
    }
    let reached = tiers.iter().find(|tier| tier.up_to.is_none_or(|up_to| quantity <= up_to));
    match reached {
        Some(tier) => quantity.times(tier.unit_price)?.plus(tier.flat.into())?.rounded_half_even(),
        None => Ok(Amount::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    fn tiers(rows: &[(&str, &str, &str)]) -> Vec<Tier> {
        rows.iter()
            .map(|(up_to, unit_price, flat)| Tier {
                up_to: (!up_to.is_empty()).then(|| amount(up_to)),
                unit_price: amount(unit_price),
                flat: amount(flat),
            })
            .collect()
    }

    fn graduated_model(rows: &[(&str, &str, &str)]) -> Model {
        Model::Graduated(Graduated { tiers: tiers(rows) })
    }

    fn volume_model(rows: &[(&str, &str, &str)]) -> Model {
        Model::Volume(Volume { tiers: tiers(rows) })
    }

    fn check(model: &Model, rows: &[(&str, &str)]) {
        for (quantity, price) in rows {
            assert_eq!(model.price(amount(quantity)), Ok(amount(price)), "{model:?} at {quantity}");
        }
    }

    const CASE: &[(&str, &str, &str)] =
        &[("100", "0", "0"), ("1000", "0.10", "0"), ("", "0.05", "0")];

    #[test]
    fn r3_4_the_worked_case() {
        check(&graduated_model(CASE), &[("50", "0"), ("150", "5"), ("1200", "100")]);
        check(&volume_model(CASE), &[("50", "0"), ("150", "15"), ("1200", "60")]);
        let package = Package { size: amount("100"), amount: amount("7") };
        check(&Model::Package(package), &[("50", "7"), ("150", "14"), ("1200", "84")]);
    }

    #[test]
    fn r3_2_up_to_is_inclusive() {
        check(
            &graduated_model(CASE),
            &[("100", "0"), ("101", "0.1"), ("1000", "90"), ("1001", "90.05")],
        );
        check(&volume_model(CASE), &[("100", "0"), ("1000", "100"), ("1001", "50.05")]);
    }

    #[test]
    fn r3_2_a_tier_may_carry_a_flat_amount() {
        let rows = &[("10", "1", "5"), ("", "0.5", "2")];
        check(&graduated_model(rows), &[("0", "0"), ("1", "6"), ("10", "15"), ("12", "18")]);
        check(&volume_model(rows), &[("0", "0"), ("1", "6"), ("10", "15"), ("12", "8")]);
    }

    #[test]
    fn r9_8_what_costs_nothing_more_is_known() {
        let check = |model: &Model, rows: &[(&str, &str)]| {
            for (quantity, until) in rows {
                assert_eq!(
                    model.free_until(amount(quantity)),
                    amount(until),
                    "{model:?} at {quantity}"
                );
            }
        };
        let rows = &[("0", "100"), ("99.5", "100"), ("100", "100"), ("250", "250")];
        check(&graduated_model(CASE), rows);
        check(&volume_model(CASE), rows);
        // A tier's flat amount is due with its first unit.
        let entered = &[("10", "0", "5"), ("20", "0", "0"), ("", "1", "0")];
        check(&graduated_model(entered), &[("0", "0"), ("1", "20"), ("15", "20"), ("20", "20")]);
        check(&Model::PerUnit(PerUnit { unit_price: amount("1") }), &[("7", "7")]);
        // At the end of a tier that costs something, the next one counts, and that has no end.
        let later = &[("10", "1", "0"), ("", "0", "0")];
        let endless = Amount::MAX.to_string();
        check(&graduated_model(later), &[("9", "9"), ("10", &endless), ("11", &endless)]);
        check(&volume_model(&[("", "0", "5")]), &[("0", "0"), ("1", &endless)]);
    }

    #[test]
    fn r3_2_only_a_package_is_in_blocks_and_only_a_flat_price_counts_records() {
        let (one, tiers) = (Amount::ONE, || tiers(CASE));
        for (model, in_blocks, counts) in [
            (Model::from(PerUnit { unit_price: one }), false, false),
            (Graduated { tiers: tiers() }.into(), false, false),
            (Volume { tiers: tiers() }.into(), false, false),
            (Package { size: one, amount: one }.into(), true, false),
            (Flat { amount: one }.into(), false, true),
        ] {
            let found = (model.is_in_blocks(), model.counts_records());
            assert_eq!(found, (in_blocks, counts), "R3.2: {model:?}");
        }
    }

    #[test]
    fn r3_2_flat_is_charged_once_and_per_unit_each_time() {
        check(
            &Model::Flat(Flat { amount: amount("9.99") }),
            &[("0", "0"), ("1", "9.99"), ("5000", "9.99")],
        );
        check(
            &Model::PerUnit(PerUnit { unit_price: amount("0.000000000001") }),
            &[("0.4", "0"), ("0.5", "0"), ("1.5", "0.000000000002")],
        );
    }
}
