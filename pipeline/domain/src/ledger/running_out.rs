//! Owners are told that credit runs out: when it lasts too few days (R8.6), and when at the end of a cycle
//! it would not cover the next ones (R8.8). Only where available credit itself stops services.

use super::fact::{Journal, NearDueChanged, RunwayChanged};
use super::standing::{Occasion, same_day};
use super::state::{RunwayAlert, Wallet, WalletNumber};
use super::timers::Timer;
use super::{Ledger, Undecided};
use crate::money::{Amount, Overflow};
use crate::notices::NoticeKind;
use crate::time::{Minute, Span};

/// Near due is judged by the use of so many hours.
const HOURS: i32 = 7;
const MINUTES_PER_HOUR: i32 = 60;

impl Ledger {
    /// Whether services of some account stop by what is available, and not only by being overdue, at this minute.
    fn is_judged_by_credit(
        &self,
        number: WalletNumber,
        wallet: &Wallet,
        minute: Minute,
        occasion: Occasion,
    ) -> bool {
        let accounts = self.paid_for(number).iter().filter_map(|account| self.account(*account));
        let mut paid = accounts
            .filter(|account| account.closed_at.is_none() && account.payer_at(minute).0 == number)
            .filter(|account| !self.waits_for_payer(number, account, occasion));
        paid.any(|account| self.service_floor(wallet, account).is_some())
    }

    /// Warns when available credit lasts too few days, at most once a local day. Charges only ever make it
    /// last less: that it lasts longer again is noted when something else changes.
    pub(super) fn judge_runway(
        &mut self,
        number: WalletNumber,
        available: Amount,
        occasion: Occasion,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let told = wallet.telling.as_deref().and_then(|telling| telling.runway);
        let is_over = told.is_none_or(|told| told.recovered);
        if (occasion != Occasion::Change && !is_over)
            || !self.is_judged_by_credit(number, wallet, self.clock.now().minute(), occasion)
        {
            return Ok(());
        }
        let short = self.is_short(number, available)?;
        let now = self.clock.now();
        match (short, told) {
            (true, told) if is_over => {
                if told.is_some_and(|told| same_day(wallet, told.told_at, now)) {
                    // Told on another day, if it still lasts too short then.
                    return Ok(());
                }
                let alert = RunwayAlert { told_at: now, recovered: false };
                self.record(journal, RunwayChanged { wallet: number, alert })?;
                self.notice(number, NoticeKind::Runway, None, None, None, journal)
            }
            (false, Some(told)) if !told.recovered => {
                let alert = RunwayAlert { recovered: true, ..told };
                self.record(journal, RunwayChanged { wallet: number, alert })?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn is_short(&self, number: WalletNumber, available: Amount) -> Result<bool, Overflow> {
        Ok(available.max(Amount::ZERO) < self.burn_until_alert(number)?)
    }

    /// The least charge that could make credit last too short; none where nobody would be told. A charge
    /// lowers what is available by itself, and raises the burn by as much a day at most; without charges the
    /// burn only ever falls.
    pub(super) fn runway_headroom(
        &self,
        number: WalletNumber,
        wallet: &Wallet,
        available: Amount,
    ) -> Result<Option<Amount>, Overflow> {
        let told = wallet.telling.as_deref().and_then(|telling| telling.runway);
        let (now, occasion) = (self.clock.now().minute(), Occasion::Change);
        if told.is_some_and(|told| !told.recovered)
            || !self.is_judged_by_credit(number, wallet, now, occasion)
        {
            return Ok(None);
        }
        let left = available.max(Amount::ZERO).minus(self.burn_until_alert(number)?)?;
        let days = i64::from(self.settings.runway.alert_days).saturating_add(1);
        left.max(Amount::ZERO).share(1, days).map(Some)
    }

    /// What the days that credit should last cost at the present burn.
    fn burn_until_alert(&self, number: WalletNumber) -> Result<Amount, Overflow> {
        self.burn_per_day(number)?.many(self.settings.runway.alert_days as usize)
    }

    /// At the end of a cycle: whether credit would cover the next ones at the mean of the last seven hours.
    /// Told once, until it would.
    pub(super) fn judge_near_due(
        &mut self,
        number: WalletNumber,
        ended: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let told = wallet.telling.as_deref().is_some_and(|telling| telling.near_due);
        let waited = wallet.telling.as_deref().and_then(|telling| telling.near_due_waits);
        // Who carries it now may not be able to once that is answered.
        if self.is_being_charged(number, wallet, ended) {
            let waits = Some(ended);
            if waits != waited {
                self.record(journal, NearDueChanged { wallet: number, near: told, waits })?;
            }
            return Ok(());
        }
        // A payer who begins now does so last (R3.6).
        let before = ended.starts().minus(Span::micros(1)).minute();
        let counts = told || self.is_judged_by_credit(number, wallet, before, Occasion::Change);
        // What was told is over only once credit covers the cycles again, also where nothing is told meanwhile.
        let near =
            counts && self.available(wallet, number)? < self.next_cycles(number, wallet, ended)?;
        if near == told && waited.is_none() {
            return Ok(());
        }
        self.record(journal, NearDueChanged { wallet: number, near, waits: None })?;
        match near && !told {
            true => self.notice(number, NoticeKind::NearDue, None, None, None, journal),
            false => Ok(()),
        }
    }

    /// Judges a cycle's end that has waited for a payment, if the wait is over.
    pub(super) fn judge_near_due_that_waited(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let telling = self.wallet(number).and_then(|wallet| wallet.telling.as_deref());
        match telling.and_then(|telling| telling.near_due_waits) {
            Some(ended) => self.judge_near_due(number, ended, journal),
            None => Ok(()),
        }
    }

    /// Whether its bills are being charged, or will be at this cycle's end: payments go before notices (R3.6).
    fn is_being_charged(&self, number: WalletNumber, wallet: &Wallet, ended: Minute) -> bool {
        let is_to_come = |timer| self.due.contains(ended, timer, number);
        let in_flight = wallet.paying.as_deref().is_some_and(|paying| paying.in_flight.is_some());
        in_flight || is_to_come(Timer::MonthEnds) || is_to_come(Timer::Retry)
    }

    /// What the next cycles would cost, if they were as the last hours.
    fn next_cycles(
        &self,
        number: WalletNumber,
        wallet: &Wallet,
        ended: Minute,
    ) -> Result<Amount, Overflow> {
        let until = ended.starts();
        let span = Span::minutes(MINUTES_PER_HOUR.saturating_mul(HOURS));
        let since = until.minus(span);
        let within = |hour: Minute| (since..until).contains(&hour.starts());
        let billed = wallet.burn.iter().filter(|burned| within(burned.hour));
        let billed = Amount::sum(billed.map(|burned| burned.charge))?;
        let open = self.open_hours(number).filter(|(hour, _)| within(*hour));
        let used = billed.plus(Amount::sum(open.map(|(_, exact)| exact))?)?;
        let (begins, ends) =
            wallet.zone.cycle_of(wallet.cycle_length(until, self.settings.bills.cycle), until);
        let cycle = ends.since(begins).as_micros();
        let cycles = self.settings.alerts.near_due_cycles as usize;
        used.share(cycle, span.as_micros())?.many(cycles)
    }
}

#[cfg(test)]
#[path = "running_out_tests.rs"]
mod tests;
