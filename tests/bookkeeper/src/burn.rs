//! What a billing account burns (R8.6), and what a month usually costs it (R6.7).

use crate::calendar::{DAY, HOUR, Month, hour_of, start_of_month};
use crate::exact::Exact;
use crate::wallet::Wallet;

/// How many hours back the daily burn looks.
const BURN_HOURS: i64 = 168;
/// How many full months make a typical one.
const TYPICAL_MONTHS: usize = 3;

impl Wallet {
    /// Keeps a charge for the hour of its use.
    pub fn burned(&mut self, time: i64, charge: &Exact) {
        let hour = hour_of(&self.zone, time);
        *self.charges_by_hour.entry(hour).or_default() += charge;
        self.first_charge = Some(self.first_charge.map_or(hour, |first| first.min(hour)));
    }

    /// Charges by time of use in the last 168 hours over seven days, or over the exact days since the hour of the first
    /// charge if those are fewer, but at least one (R8.6).
    pub fn daily_burn(&self, now: i64) -> Exact {
        let Some(first) = self.first_charge else { return Exact::zero() };
        let from = now.saturating_sub(BURN_HOURS * HOUR);
        let charges: Exact = self.charges_by_hour.range(from..=now).map(|(_, charge)| charge).sum();
        let over = now.saturating_sub(first).clamp(DAY, BURN_HOURS * HOUR);
        charges.share(DAY, over)
    }

    /// The mean of the last three full months; with less history thirty times the daily burn (R6.7).
    pub fn usual_month(&self, now: i64) -> Exact {
        let mut months: Vec<Month> = vec![self.month_of(now)];
        for _ in 0..TYPICAL_MONTHS {
            months.extend(months.last().map(|month| month.before()));
        }
        let starts: Vec<i64> =
            months.iter().rev().map(|month| start_of_month(&self.zone, *month)).collect();
        let (Some(from), Some(until)) = (starts.first(), starts.last()) else {
            return Exact::zero();
        };
        if self.first_charge.is_some_and(|first| first <= *from) {
            let charges: Exact =
                self.charges_by_hour.range(*from..*until).map(|(_, charge)| charge).sum();
            return charges.share(1, TYPICAL_MONTHS as i64);
        }
        self.daily_burn(now).share(30, 1)
    }
}
