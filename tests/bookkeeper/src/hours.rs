//! What was covered in an hour of use, and what was not: a void takes what was not covered first, then gives back
//! coverage, the latest first (R9.8).

use crate::BookKeeper;
use crate::calendar::hour_of;
use crate::exact::Exact;
use crate::usage::QuantityKey;

/// One quantity in one hour of use.
pub type HourKey = (QuantityKey, i64);

/// What one benefit covered of one record.
#[derive(Clone, Debug)]
pub struct Portion {
    pub benefit: usize,
    /// The hour of use on the benefit's clock.
    pub hour: i64,
    pub covered: Exact,
    pub drawn: Exact,
}

/// One hour of use.
#[derive(Clone, Debug, Default)]
pub struct HourOfUse {
    /// What was not covered, by the end and the number of the cycle that it joined; only until something is covered.
    by_cycle: Vec<((i64, u64), Exact)>,
    /// What was not covered, once something was.
    uncovered: Exact,
    /// What was covered, in order.
    portions: Vec<Portion>,
}

impl BookKeeper {
    fn hour_key(&self, key: &QuantityKey, time: i64) -> HourKey {
        (key.clone(), hour_of(&self.wallets[key.wallet].zone, time))
    }

    /// Notes what a record adds to its hour. To what was not covered belongs, from before the first that was, what is
    /// in cycles that are open then.
    pub(crate) fn note_in_hour(
        &mut self,
        key: &QuantityKey,
        time: i64,
        cycle: (i64, u64),
        enters: &Exact,
        portions: Vec<Portion>,
    ) {
        let open = &self.wallets[key.wallet].open;
        let is_open =
            |(end, number): &(i64, u64)| open.get(end).is_some_and(|cycle| cycle.number == *number);
        let hour = (key.clone(), hour_of(&self.wallets[key.wallet].zone, time));
        let hour = self.hours.entry(hour).or_default();
        if hour.portions.is_empty() && portions.is_empty() {
            match hour.by_cycle.last_mut() {
                Some((last, quantity)) if *last == cycle => *quantity += enters,
                _ => hour.by_cycle.push((cycle, enters.clone())),
            }
            return;
        }
        for (cycle, quantity) in std::mem::take(&mut hour.by_cycle) {
            if is_open(&cycle) {
                hour.uncovered += &quantity;
            }
        }
        hour.uncovered += enters;
        hour.portions.extend(portions);
    }

    /// Takes a quantity out of its hour, and gives what of it leaves the month's quantity: what is not given back as
    /// coverage.
    pub(crate) fn take_out_of_hour(&mut self, key: &QuantityKey, time: i64, all: &Exact) -> Exact {
        let hour = self.hour_key(key, time);
        let Some(hour) = self.hours.get_mut(&hour) else { return all.clone() };
        if hour.portions.is_empty() {
            // The latest first, as it would be once something was covered.
            let mut rest = all.clone();
            for (_, quantity) in hour.by_cycle.iter_mut().rev() {
                let part = rest.clone().min(quantity.clone());
                *quantity -= &part;
                rest -= &part;
            }
            return all.clone();
        }
        let uncovered = all.clone().min(hour.uncovered.clone());
        hour.uncovered -= &uncovered;
        let mut rest = all - &uncovered;
        for portion in hour.portions.iter_mut().rev() {
            let part = rest.clone().min(portion.covered.clone());
            if !part.is_positive() {
                continue;
            }
            // With its last unit all that it drew has come back.
            let drawn = portion.drawn.part_of(&part, &portion.covered);
            portion.covered -= &part;
            portion.drawn -= &drawn;
            rest -= &part;
            self.benefits[portion.benefit].use_up(portion.hour, &-&part, &-&drawn);
        }
        &uncovered + &rest
    }
}
