//! A wallet tops itself up when available credit falls to a percent of what a month usually costs (R6.7),
//! and the method of that is tested now and then (R7.2).

use super::apply::insert_tightly;
use super::fact::{Journal, RechargeChanged};
use super::payments::Charge;
use super::state::{BurnedMonth, Recharge, Wallet, WalletNumber};
use super::top_up::TESTED;
use super::{Broken, Ledger, Undecided};
use crate::commands::AutoRecharge;
use crate::money::{Amount, Overflow};
use crate::notices::NoticeKind;
use crate::payments::PaymentCause;
use crate::refusal::Refusal;
use crate::time::{Minute, Month, Timestamp};

/// What a month usually costs is the mean of so many.
const MONTHS: usize = 3;
/// With less history it is the daily burn so many times.
const DAYS: usize = 30;
const PERCENTS_MAX: usize = 10;

impl Recharge {
    /// The available credit at which it is topped up, for each percent.
    pub(super) fn levels(&self) -> impl Iterator<Item = (Amount, Result<Amount, Overflow>)> {
        self.percents.iter().map(|percent| {
            let level = self.typical.times(*percent).and_then(|level| level.rounded_half_even());
            (*percent, level.and_then(|level| level.share(1, 100)))
        })
    }
}

impl Wallet {
    /// Counts charges towards their months of use: this one and those that make the usual cost.
    pub(super) fn note_burned_months(
        &mut self,
        burned: &[super::Burned],
        now: Timestamp,
    ) -> Result<(), Broken> {
        for new in burned {
            let month = self.zone.month_of(new.hour.starts());
            let place = self.burned_months.partition_point(|known| known.month < month);
            match self.burned_months.get_mut(place).filter(|known| known.month == month) {
                Some(known) => known.charge = known.charge.plus(new.charge)?,
                None => {
                    let burned = BurnedMonth { month, charge: new.charge };
                    insert_tightly(&mut self.burned_months, place, burned);
                }
            }
        }
        let oldest = (0..MONTHS).fold(self.zone.month_of(now), |month, _| month.previous());
        self.burned_months.retain(|known| known.month >= oldest);
        Ok(())
    }
}

impl Ledger {
    /// What the owner asks for; none where it is switched off.
    pub(super) fn recharge_from_now_on(
        &self,
        number: WalletNumber,
        wallet: &Wallet,
        asked: &AutoRecharge,
    ) -> Result<Option<Recharge>, Undecided> {
        let percents = match &asked.percents {
            Some(percents) => percents.clone(),
            None => self.settings.recharge.percents.clone(),
        };
        let fits = |percent: &Amount| percent.is_positive() && *percent <= Amount::whole(100);
        if percents.is_empty() || percents.len() > PERCENTS_MAX || !percents.iter().all(fits) {
            return Err(Refusal::Malformed.into());
        }
        if !asked.amount.is_positive() || !asked.amount.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        if asked.amount < self.minimum_top_up(wallet.currency) {
            return Err(Refusal::BelowMinimum.into());
        }
        if self.is_for_banks_only(wallet.currency, asked.amount) {
            return Err(Refusal::MethodNotAllowed.into());
        }
        if !asked.enabled {
            return Ok(None);
        }
        let before = wallet.recharge.as_deref();
        let test_at = before.map_or_else(|| self.next_test(), |recharge| recharge.test_at);
        // A percent that was reached stays so, whatever amount it now brings.
        let spent = before.map(|recharge| recharge.spent.clone()).unwrap_or_default();
        let spent = spent.into_iter().filter(|percent| percents.contains(percent)).collect();
        // What a month usually costs is fixed till midnight, whatever else is set meanwhile.
        let (typical, fixed_until) = match before {
            Some(recharge) => (recharge.typical, recharge.fixed_until),
            None => (self.typical_month(number)?, next_midnight(wallet, self.clock.now())),
        };
        Ok(Some(Recharge { percents, amount: asked.amount, typical, fixed_until, spent, test_at }))
    }

    fn next_test(&self) -> Minute {
        self.clock.now().plus(self.settings.topup.test_every).full_minute()
    }

    /// What a month usually costs: the mean of the last three full ones, or the daily burn thirty times.
    fn typical_month(&self, number: WalletNumber) -> Result<Amount, Overflow> {
        let Some(wallet) = self.wallet(number) else { return Ok(Amount::ZERO) };
        let this = self.month_now(wallet);
        let oldest = (0..MONTHS).fold(this, |month, _| month.previous());
        let (mut charged, mut first) = (Amount::ZERO, wallet.first_charge);
        let full = |month: Month| (oldest..this).contains(&month);
        for burned in wallet.burned_months.iter().filter(|burned| full(burned.month)) {
            charged = charged.plus(burned.charge)?;
        }
        for (hour, exact) in self.open_hours(number) {
            if full(wallet.zone.month_of(hour.starts())) {
                charged = charged.plus(exact)?;
            }
            first = Some(first.map_or(hour, |first| first.min(hour)));
        }
        let known = first.is_some_and(|first| first <= wallet.zone.window_of(oldest).from);
        match known {
            true => charged.share(1, i64::try_from(MONTHS).unwrap_or(i64::MAX)),
            false => self.burn_per_day(number)?.many(DAYS),
        }
    }

    /// Local midnight: what a month usually costs is found anew.
    pub(super) fn fix_typical(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let Some(recharge) = wallet.recharge.as_deref() else { return Ok(()) };
        let recharge = Recharge {
            typical: self.typical_month(number)?,
            fixed_until: next_midnight(wallet, self.clock.now()),
            ..recharge.clone()
        };
        self.record(journal, RechargeChanged { wallet: number, recharge: Some(recharge) })?;
        Ok(())
    }

    /// Tops up once, however many percents were reached; those are armed again above them. While a series
    /// of declines goes on nothing is charged by itself, and it waits (R6.5). So it does for the answer to a payment of
    /// bills, which says what is left, until that is shown as delayed.
    pub(super) fn recharge(
        &mut self,
        number: WalletNumber,
        available: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let Some(recharge) = wallet.recharge.as_deref() else { return Ok(()) };
        let stopped = self.enterprise(wallet.enterprise).is_some_and(|known| known.recharge_frozen);
        let charged = wallet.paying.as_deref().is_some_and(|paying| {
            let asked = paying.in_flight.as_ref();
            paying.declined.is_some() || asked.is_some_and(|payment| payment.late_at.is_some())
        });
        let waits = stopped || charged || wallet.is_frozen();
        let (mut spent, mut fires) = (Vec::new(), false);
        for (percent, level) in recharge.levels() {
            let (level, known) = (level?, recharge.spent.contains(&percent));
            let reached = available <= level && recharge.typical.is_positive();
            let fires_now = reached && !known && !waits;
            fires |= fires_now;
            if fires_now || (known && available <= level) {
                spent.push(percent);
            }
        }
        if spent == recharge.spent {
            return Ok(());
        }
        let amount = recharge.amount;
        let method = wallet.active_method();
        let method = method.map(|method| method.method.clone());
        let recharge = Recharge { spent, ..recharge.clone() };
        self.record(journal, RechargeChanged { wallet: number, recharge: Some(recharge) })?;
        match (fires, method) {
            (false, _) => Ok(()),
            (true, Some(method)) => {
                let charge = Charge::of(PaymentCause::Recharge, method, amount);
                self.begin_charge(number, charge, journal)
            }
            (true, None) => {
                self.notice(number, NoticeKind::RechargeFailed, None, None, None, journal)
            }
        }
    }

    /// The method of an automatic recharge is tested; that there is none is a failure too.
    pub(super) fn test_method(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let Some(recharge) = wallet.recharge.as_deref() else { return Ok(()) };
        let method = wallet.active_method();
        let method = method.map(|method| method.method.clone());
        let recharge = Recharge { test_at: self.next_test(), ..recharge.clone() };
        let stopped = self.enterprise(wallet.enterprise).is_some_and(|known| known.recharge_frozen);
        self.record(journal, RechargeChanged { wallet: number, recharge: Some(recharge) })?;
        match method {
            // A test is a top-up, and has not failed where all of them are stopped (R11.3).
            _ if stopped => Ok(()),
            Some(method) => {
                self.begin_charge(number, Charge::of(PaymentCause::Test, method, TESTED), journal)
            }
            None => self.notice(number, NoticeKind::TestTopUpFailed, None, None, None, journal),
        }
    }
}

fn next_midnight(wallet: &Wallet, at: Timestamp) -> Minute {
    wallet.zone.day_of(at).1.full_minute()
}

#[cfg(test)]
#[path = "recharge_tests.rs"]
mod tests;
