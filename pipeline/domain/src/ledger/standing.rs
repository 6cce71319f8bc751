//! How a wallet stands, judged after every change of its money: whether it is overdue, whether services run,
//! whether its owner is warned (R8.1 to R8.5).
//!
//! A judgement finds the same whenever it is made again: it changes nothing until something else does. So
//! it may be made too often, and it is made only when a wallet's *headroom* is spent: the least charge
//! that could change it. What time alone changes has a timer.

use super::fact::{FallChanged, Journal, OverdueChanged};
use super::state::{Account, AccountNumber, Fall, InFlight, Wallet, WalletNumber};
use super::timers::Timer;
use super::{Ledger, Undecided};
use crate::money::{Amount, Overflow};
use crate::notices::NoticeKind;
use crate::payments::PaymentCause;
use crate::time::{Minute, Timestamp};

/// Why a wallet is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Something about it has changed.
    Change,
    /// A timer has fired, perhaps again in a ledger that was restored since: so what charges never bring about and
    /// time alone does, without a timer of its own, is not found.
    Timer,
    /// Charges have come to its headroom. When that is noticed depends on when the ledger was last restored:
    /// so nothing may be found that was so before the last of them, or that time has brought about, which its
    /// timer finds.
    Charge,
}

impl Ledger {
    /// Judges every wallet whose money has changed since this was last asked.
    pub(super) fn judge_touched(&mut self, journal: &mut dyn Journal) -> Result<(), Undecided> {
        while let Some(wallet) = self.touched.pop_front() {
            self.judge(wallet, Occasion::Change, journal)?;
        }
        Ok(())
    }

    /// In the order of R3.6: payments, then overdue, services, notices.
    pub(super) fn judge(
        &mut self,
        number: WalletNumber,
        occasion: Occasion,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        self.cure(number, journal)?;
        self.charge_at_threshold(number, journal)?;
        self.charge_what_waited(number, journal)?;
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let available = self.available(wallet, number)?;
        self.recharge(number, available, journal)?;
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let overdue = match occasion {
            Occasion::Change | Occasion::Timer => self.is_overdue_with(wallet, available),
            Occasion::Charge => self.is_known_overdue(wallet, available),
        };
        self.judge_overdue(number, overdue, journal)?;
        for account in self.paid_for(number).to_vec() {
            self.judge_services((number, account), available, overdue, occasion, journal)?;
        }
        self.judge_low_balance(number, (available, overdue), occasion, journal)?;
        self.judge_runway(number, available, occasion, journal)?;
        self.judge_near_due_that_waited(number, journal)?;
        let headroom = self.headroom_of(number, available)?;
        if let Some(known) = self.headroom.get_mut(number.index()) {
            *known = headroom;
        }
        // What was decided just now has touched the wallet again, and is judged already.
        self.touched.retain(|touched| *touched != number);
        Ok(())
    }

    /// Whether an account has a new payer whose timer has not fired yet: until then charges do not judge it.
    pub(super) fn waits_for_payer(
        &self,
        number: WalletNumber,
        account: &Account,
        occasion: Occasion,
    ) -> bool {
        let since = || account.payer_at(self.clock.now().minute()).1.from;
        occasion == Occasion::Charge && self.due.contains(since(), Timer::PayerBegins, number)
    }

    /// Whether a wallet is overdue, as it is now (R8.1).
    pub(super) fn is_overdue(&self, number: WalletNumber) -> Result<bool, Overflow> {
        let Some(wallet) = self.wallet(number) else { return Ok(false) };
        Ok(self.is_overdue_with(wallet, self.available(wallet, number)?))
    }

    pub(super) fn is_overdue_with(&self, wallet: &Wallet, available: Amount) -> bool {
        let now = self.clock.now();
        if wallet.is_carried_by_method() {
            let Some(paying) = wallet.paying.as_deref() else { return false };
            let retries = |payment: &InFlight| payment.cause == PaymentCause::Retry;
            let declined = paying.declined.as_ref();
            return declined.is_some_and(|declined| declined.retry_at.is_none())
                && !paying.in_flight.as_ref().is_some_and(retries);
        }
        available.is_negative()
            || wallet.limit.is_positive()
                && self.unpaid_too_long_at(wallet).is_some_and(|at| now >= at)
    }

    /// The same, but that a bill has been unpaid for too long counts only once its timer has found it.
    fn is_known_overdue(&self, wallet: &Wallet, available: Amount) -> bool {
        let by_time_alone = !wallet.is_carried_by_method() && !available.is_negative();
        let told = || wallet.telling.as_deref().is_some_and(|telling| telling.overdue);
        self.is_overdue_with(wallet, available) && (!by_time_alone || told())
    }

    /// When the oldest unpaid bill will have been unpaid for too long.
    pub(super) fn unpaid_too_long_at(&self, wallet: &Wallet) -> Option<Timestamp> {
        let month = wallet.unpaid.iter().map(|bill| bill.month).min()?;
        Some(wallet.zone.days_after(month, self.settings.overdue.after))
    }

    fn judge_overdue(
        &mut self,
        number: WalletNumber,
        overdue: bool,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let told = wallet.telling.as_deref().is_some_and(|telling| telling.overdue);
        if told == overdue {
            return Ok(());
        }
        self.record(journal, OverdueChanged { wallet: number, overdue })?;
        if overdue {
            self.notice(number, NoticeKind::Overdue, None, None, None, journal)?;
        }
        Ok(())
    }

    /// Warns the owner of a low balance: at once, then at the same local time on the following days, and
    /// once more when it has recovered (R8.5).
    fn judge_low_balance(
        &mut self,
        number: WalletNumber,
        (available, overdue): (Amount, bool),
        occasion: Occasion,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let Some(telling) = wallet.telling.as_deref() else { return Ok(()) };
        let fall = telling.fall.clone();
        let alert = telling.low_balance_alert.filter(|alert| alert.enabled);
        let below = alert.is_some_and(|alert| available < alert.threshold);
        let now = self.clock.now();
        if alert.is_some() && telling.set_with == Some(available) {
            return self.go_on_with_series(number, below, overdue, occasion, journal);
        }
        if telling.set_with.is_some() {
            let fall = fall.clone();
            self.record(journal, FallChanged { wallet: number, fall, set_with: None })?;
        }
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        match (below, fall) {
            (true, None) => self.tell_low_balance(number, 0, overdue, journal),
            (true, Some(fall)) if fall.recovered => {
                let today = fall.told_at.is_some_and(|told| same_day(wallet, told, now));
                if today {
                    // Never two in one local day: told tomorrow at this time, if it is still below.
                    let next_at = (!overdue).then(|| next_day(wallet, now));
                    let fall = Fall { told: 0, next_at, recovered: false, ..fall };
                    self.change_fall(number, fall, journal)
                } else {
                    self.tell_low_balance(number, 0, overdue, journal)
                }
            }
            (true, Some(fall)) if overdue && fall.next_at.is_some() => {
                // Being overdue is told by itself, and ends the series.
                self.change_fall(number, Fall { next_at: None, ..fall }, journal)
            }
            (true, Some(fall))
                if occasion != Occasion::Charge
                    && fall.next_at.is_some_and(|next| next.starts() <= now) =>
            {
                self.tell_low_balance(number, fall.told, overdue, journal)
            }
            (false, Some(fall)) if !fall.recovered => {
                let told = fall.told > 0;
                let fall = Fall { next_at: None, recovered: true, ..fall };
                self.change_fall(number, fall, journal)?;
                if told && alert.is_some() {
                    self.notice(number, NoticeKind::Recovered, None, None, None, journal)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The balance has not changed since the alert was set: where it lies counts at the next change, and a series goes
    /// on till then, silent at or above the threshold.
    fn go_on_with_series(
        &mut self,
        number: WalletNumber,
        below: bool,
        overdue: bool,
        occasion: Occasion,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let Some(fall) = wallet.telling.as_deref().and_then(|telling| telling.fall.clone()) else {
            return Ok(());
        };
        let Some(next) = fall.next_at else { return Ok(()) };
        let now = self.clock.now();
        if overdue {
            return self.change_fall(number, Fall { next_at: None, ..fall }, journal);
        }
        if occasion == Occasion::Charge || next.starts() > now {
            return Ok(());
        }
        if below {
            return self.tell_low_balance(number, fall.told, overdue, journal);
        }
        let next_at = Some(next_day(wallet, now));
        self.change_fall(number, Fall { next_at, ..fall }, journal)
    }

    fn change_fall(
        &mut self,
        number: WalletNumber,
        fall: Fall,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let telling = self.wallet(number).and_then(|wallet| wallet.telling.as_deref());
        let set_with = telling.and_then(|telling| telling.set_with);
        self.record(journal, FallChanged { wallet: number, fall: Some(fall), set_with })?;
        Ok(())
    }

    fn tell_low_balance(
        &mut self,
        number: WalletNumber,
        told: u32,
        overdue: bool,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let now = self.clock.now();
        if overdue {
            let fall = Fall { told, told_at: None, next_at: None, recovered: false };
            return self.change_fall(number, fall, journal);
        }
        let told = told.saturating_add(1);
        let more = told < self.settings.alerts.low_balance_days;
        let next_at = more.then(|| next_day(wallet, now));
        let fall = Fall { told, told_at: Some(now), next_at, recovered: false };
        self.change_fall(number, fall, journal)?;
        self.notice(number, NoticeKind::LowBalance, None, None, Some(told), journal)
    }

    /// The least charge that could change how a wallet is judged. Charges that add up to less change
    /// nothing but the balance.
    fn headroom_of(&self, number: WalletNumber, available: Amount) -> Result<Amount, Overflow> {
        let Some(wallet) = self.wallet(number) else { return Ok(Amount::MAX) };
        let mut headroom = Amount::MAX;
        let mut floor = |floor: Amount| -> Result<(), Overflow> {
            // Below a floor nothing more happens until the wallet is filled, which is judged by itself.
            if available >= floor {
                headroom = headroom.min(available.minus(floor)?);
            }
            Ok(())
        };
        floor(Amount::ZERO)?;
        let telling = wallet.telling.as_deref();
        if let Some(alert) = telling.and_then(|telling| telling.low_balance_alert) {
            floor(alert.threshold)?;
        }
        if telling.is_some_and(|telling| telling.set_with.is_some()) {
            // The next charge is the change at which being below counts.
            floor(available)?;
        }
        for account in self.paid_for(number).iter().filter_map(|account| self.account(*account)) {
            if let Some((at, _)) = self.service_floor(wallet, account) {
                floor(at)?;
            }
        }
        if let Some(debt) = wallet.delayed_suspension.and_then(|delayed| delayed.debt) {
            floor(debt.negated()?)?;
        }
        if let Some(recharge) = wallet.recharge.as_deref() {
            for (_, level) in recharge.levels() {
                floor(level?)?;
            }
        }
        if let Some(runway) = self.runway_headroom(number, wallet, available)? {
            headroom = headroom.min(runway);
        }
        headroom = headroom.min(self.left_to_a_minimum(number, wallet)?);
        if let Some(threshold) = self.threshold(number) {
            let (owed, parts) = self.owed_after_write_off(number)?;
            // Each bill may be rounded up by less than a minor unit.
            let rounding = wallet.currency.minor_unit().many(parts.saturating_add(1))?;
            let left = threshold.minus(owed)?.minus(rounding)?;
            headroom = headroom.min(left.max(Amount::ZERO));
        }
        Ok(headroom)
    }

    /// A charge has come: whether the wallet must be judged for it. One that lowers what is owed always
    /// counts, because it may end what others began.
    #[inline]
    pub(super) fn spend_headroom(&mut self, number: WalletNumber, charge: Amount) -> bool {
        let Some(headroom) = self.headroom.get_mut(number.index()) else { return false };
        match headroom.minus(charge) {
            Ok(left) if left.is_positive() && !charge.is_negative() => {
                *headroom = left;
                false
            }
            _ => true,
        }
    }

    /// The accounts that a wallet pays for, or has paid for.
    pub(super) fn paid_for(&self, number: WalletNumber) -> &[AccountNumber] {
        self.payees.get(number.index()).map(|payees| payees.as_slice()).unwrap_or_default()
    }

    /// A wallet pays for an account from a minute on, and another one no more.
    pub(super) fn note_payer(
        &mut self,
        wallet: WalletNumber,
        account: AccountNumber,
        from: Minute,
        before: Option<WalletNumber>,
    ) {
        // While metering lags, what falls due has not happened, though its time has come.
        if from.starts() > self.clock.timers_fire_until() {
            for judged in before.into_iter().chain([wallet]) {
                self.due.insert(from, Timer::PayerBegins, judged);
            }
        }
        if self.payees.len() <= wallet.index() {
            self.payees.resize_with(wallet.index().saturating_add(1), Default::default);
        }
        // In the order of their numbers, whenever they came: they are judged in it.
        if let Some(payees) = self.payees.get_mut(wallet.index())
            && let Err(place) = payees.binary_search(&account)
        {
            payees.insert(place, account);
        }
    }
}

pub(super) fn same_day(wallet: &Wallet, one: Timestamp, other: Timestamp) -> bool {
    wallet.zone.day_of(one) == wallet.zone.day_of(other)
}

/// The same local time on the next day.
fn next_day(wallet: &Wallet, at: Timestamp) -> Minute {
    wallet.zone.same_time_next_day(at).full_minute()
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "low_balance_tests.rs"]
mod low_balance_tests;
