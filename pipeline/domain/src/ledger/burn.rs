//! How fast a wallet is used up, how long it lasts, and what costs most (R8.5, R8.6).

use super::apply::insert_tightly;
use super::state::{AccountNumber, Burned, Wallet, WalletNumber};
use super::{Broken, Ledger};
use crate::money::{Amount, Overflow};
use crate::notices::MeterCost;
use crate::rating::MeterNumber;
use crate::time::{Cycle, Minute, Span, Timestamp};

/// Burn is what was used in so many hours.
const HOURS: i64 = 168;
const DAY: Span = Span::days(1);

/// How long what is available lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runway {
    pub burn_per_day: Amount,
    /// In days, two places, rounded down, never negative; none without burn.
    pub days_left: Option<Amount>,
    pub empty_on: Option<Timestamp>,
}

impl Wallet {
    /// The hour of use that a minute lies in.
    pub(super) fn hour_of(&self, minute: Minute) -> Minute {
        self.zone.cycle_of(Cycle::Hour, minute.starts()).0.minute()
    }

    /// Counts charges towards their hours of use, and forgets the hours that are over.
    pub(super) fn note_burned(&mut self, burned: &[Burned], now: Timestamp) -> Result<(), Broken> {
        for new in burned {
            self.first_charge =
                Some(self.first_charge.map_or(new.hour, |first| first.min(new.hour)));
            self.was_charged |= !new.charge.is_zero();
            let place = self.burn.partition_point(|known| known.hour < new.hour);
            match self.burn.get_mut(place).filter(|known| known.hour == new.hour) {
                Some(known) => known.charge = known.charge.plus(new.charge)?,
                None => insert_tightly(&mut self.burn, place, *new),
            }
        }
        self.note_burned_months(burned, now)?;
        let oldest = burns_since(now);
        let over = self.burn.partition_point(|known| known.hour.starts() < oldest);
        self.burn.drain(..over);
        Ok(())
    }
}

impl Ledger {
    /// What is charged in a day, by what was used in the last seven, or since the first charge.
    pub fn burn_per_day(&self, number: WalletNumber) -> Result<Amount, Overflow> {
        let Some(wallet) = self.wallet(number) else { return Ok(Amount::ZERO) };
        let now = self.clock.now();
        let (since, mut first) = (burns_since(now), wallet.first_charge);
        let counted = wallet.burn.iter().filter(|burned| burned.hour.starts() >= since);
        let mut charged = Amount::sum(counted.map(|burned| burned.charge))?;
        for (hour, exact) in self.open_hours(number) {
            if hour.starts() >= since {
                charged = charged.plus(exact)?;
            }
            first = Some(first.map_or(hour, |first| first.min(hour)));
        }
        let Some(first) = first else { return Ok(Amount::ZERO) };
        let known_for = now.since(first.starts()).min(Span::days(7)).max(DAY);
        charged.share(DAY.as_micros(), known_for.as_micros())
    }

    /// How long available credit lasts at the present burn.
    pub fn runway(&self, number: WalletNumber, available: Amount) -> Result<Runway, Overflow> {
        let burn_per_day = self.burn_per_day(number)?;
        if !burn_per_day.is_positive() {
            return Ok(Runway { burn_per_day, days_left: None, empty_on: None });
        }
        let left = available.max(Amount::ZERO);
        let exact = left.ratio(burn_per_day)?;
        let lasts = exact.share(DAY.as_micros(), 1)?;
        let micros = i64::try_from(lasts.whole_part()).unwrap_or(i64::MAX);
        let empty_on = Some(self.clock.now().plus(Span::micros(micros)));
        Ok(Runway { burn_per_day, days_left: Some(exact.two_places_down()), empty_on })
    }

    /// The costliest meters of this month, at most `most`, the costliest first.
    pub fn costliest(&self, number: WalletNumber, most: usize) -> Vec<MeterCost> {
        let Some(wallet) = self.wallet(number) else { return Vec::new() };
        let month = wallet.zone.month_of(self.clock.now());
        let mut meters: Vec<(Amount, AccountNumber, MeterNumber)> = Vec::new();
        for number_of_account in self.paid_for(number) {
            let Some(account) = self.account(*number_of_account) else { continue };
            let of_month = account.series.iter().filter(|s| (s.wallet, s.month) == (number, month));
            for series in of_month {
                // What cannot be priced was set aside, and is in no month's quantity.
                let charge = self.cost_of(series).unwrap_or_default();
                let known = meters.iter_mut().find(|(_, account, meter)| {
                    (*account, *meter) == (*number_of_account, series.meter)
                });
                match known {
                    Some((charged, _, _)) => *charged = charged.plus(charge).unwrap_or(*charged),
                    None => meters.push((charge, *number_of_account, series.meter)),
                }
            }
        }
        meters.retain(|(charged, _, _)| charged.is_positive());
        meters.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.0.cmp(&b.2.0)));
        let shown = meters.into_iter().take(most).filter_map(|(charge, account, meter)| {
            let (product, meter) = self.book.names(meter)?;
            let account = self.account(account)?.id.clone();
            Some(MeterCost { account, product: product.clone(), meter: meter.clone(), charge })
        });
        shown.collect()
    }

    /// What is on a wallet's open tabs, each with its hour of use.
    pub(super) fn open_hours(
        &self,
        number: WalletNumber,
    ) -> impl Iterator<Item = (Minute, Amount)> {
        let wallet = self.wallet(number);
        self.open_tabs_of(number).flat_map(move |(account, cycle)| {
            let tabs = self.account(account).map_or(&[][..], |account| account.tabs.as_slice());
            let own = tabs.iter().filter(move |tab| (tab.wallet, tab.ends) == (number, cycle));
            own.filter_map(move |tab| Some((wallet?.hour_of(tab.used.from), tab.exact)))
        })
    }

    /// Which accounts have charges on which open cycles of a wallet.
    fn open_tabs_of(&self, number: WalletNumber) -> impl Iterator<Item = (AccountNumber, Minute)> {
        let cycles = self.wallet(number).into_iter().flat_map(|wallet| wallet.open_cycles.iter());
        cycles.flat_map(|cycle| cycle.accounts.iter().map(|account| (*account, cycle.ends)))
    }
}

fn burns_since(now: Timestamp) -> Timestamp {
    now.minus(Span::micros(DAY.as_micros().saturating_mul(HOURS).saturating_div(24)))
}

#[cfg(test)]
#[path = "burn_tests.rs"]
mod tests;
