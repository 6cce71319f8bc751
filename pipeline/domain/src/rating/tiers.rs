//! What each tier of a `graduated` price comes to, so that an invoice has a line for it (R12.3).
//!
//! The other models price a month's quantity as a whole, and so does a price of one tier: they are not split.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::model::{Graduated, Model, Tier, graduated};
use crate::money::{Amount, Overflow};

/// So many tiers a price may have, so that a number of one is a byte.
pub(super) const TIERS_MAX: usize = u8::MAX as usize;

/// A tier of a price that is split, from 1 on; 0 stands for none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct TierNumber(pub u8);

impl TierNumber {
    pub const NONE: TierNumber = TierNumber(0);

    /// As others see it.
    pub fn shown(self) -> Option<u8> {
        (self != TierNumber::NONE).then_some(self.0)
    }
}

/// What a change of a month's quantity is of one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierPart {
    pub tier: TierNumber,
    pub quantity: Amount,
    pub charge: Amount,
}

impl Model {
    /// The tiers that two quantities of a month have reached; none for a price that is not split.
    #[inline]
    pub fn tiers_reached(&self, one: Amount, other: Amount) -> (TierNumber, TierNumber) {
        match self.split_tiers() {
            Some(tiers) => (reached(tiers, one), reached(tiers, other)),
            None => (TierNumber::NONE, TierNumber::NONE),
        }
    }

    /// What each tier has of a change from one quantity to another, of which all together are the change and
    /// what it costs (R3.2).
    ///
    /// What the tiers up to one come to is rounded as P(Q) is, and a tier has what it adds to that: so its
    /// amount is a function of Q, a part is never negative where Q grows, and no grouping of records matters.
    pub fn split(&self, from: Amount, to: Amount) -> Result<SmallVec<[TierPart; 4]>, Overflow> {
        let mut parts = SmallVec::new();
        let Some(tiers) = self.split_tiers() else { return Ok(parts) };
        let lowest = usize::from(reached(tiers, from.min(to)).0);
        let highest = usize::from(reached(tiers, from.max(to)).0);
        // Tiers below the lowest have all of both.
        let (mut quantity_below, mut charge_below) = (Amount::ZERO, Amount::ZERO);
        for number in lowest..=highest {
            let until = tiers.get(..number).unwrap_or(tiers);
            let ends = until.last().and_then(|tier| tier.up_to).unwrap_or(Amount::MAX);
            let quantity = to.min(ends).minus(from.min(ends))?;
            let charge = graduated(until, to)?.minus(graduated(until, from)?)?;
            let part = TierPart {
                tier: numbered(number),
                quantity: quantity.minus(quantity_below)?,
                charge: charge.minus(charge_below)?,
            };
            (quantity_below, charge_below) = (quantity, charge);
            if !part.quantity.is_zero() || !part.charge.is_zero() {
                parts.push(part);
            }
        }
        Ok(parts)
    }

    #[inline]
    fn split_tiers(&self) -> Option<&[Tier]> {
        match self {
            Model::Graduated(Graduated { tiers }) if tiers.len() > 1 => Some(tiers),
            Model::Graduated(_)
            | Model::PerUnit(_)
            | Model::Volume(_)
            | Model::Package(_)
            | Model::Flat(_) => None,
        }
    }
}

/// The tier in which a quantity ends. `up_to` is inclusive; without a quantity it is the first.
#[inline]
fn reached(tiers: &[Tier], quantity: Amount) -> TierNumber {
    let place = tiers.iter().position(|tier| tier.up_to.is_none_or(|up_to| quantity <= up_to));
    numbered(place.map_or(tiers.len(), |place| place.saturating_add(1)))
}

#[inline]
fn numbered(number: usize) -> TierNumber {
    TierNumber(u8::try_from(number).unwrap_or(u8::MAX))
}

#[cfg(test)]
#[path = "tiers_tests.rs"]
mod tests;
