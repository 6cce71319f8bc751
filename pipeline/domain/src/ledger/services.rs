//! Whether services of accounts run, by the figures of whoever pays for them (R8.2 to R8.4).

use super::fact::{Journal, ServiceChanged, SuspensionDelayed};
use super::standing::Occasion;
use super::state::{Account, AccountNumber, Services, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::{DelayedSuspension, Mode};
use crate::money::Amount;
use crate::notices::{NoticeKind, ServiceCause};
use crate::settings::SuspensionSettings;
use crate::time::{Minute, Span, Timestamp};

const MINUTES_PER_HOUR: i64 = 60;

impl DelayedSuspension {
    /// Whether it delays anything.
    pub(super) fn delays(&self) -> bool {
        self.hours.is_some() || self.debt.is_some()
    }

    /// Until when services run on that would have stopped at `since`; for ever, if only debt ends it.
    pub(super) fn until(&self, since: Timestamp) -> Minute {
        let Some(hours) = self.hours else { return Minute::END };
        let minutes = i64::from(hours).saturating_mul(MINUTES_PER_HOUR);
        let span = minutes.saturating_mul(crate::time::MICROS_PER_MINUTE);
        since.plus(Span::micros(span)).full_minute()
    }
}

impl Ledger {
    pub(super) fn judge_services(
        &mut self,
        (wallet, account): (WalletNumber, AccountNumber),
        available: Amount,
        overdue: bool,
        occasion: Occasion,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let minute = self.clock.now().minute();
        let Some(found) = self.account(account) else { return Ok(()) };
        if self.waits_for_payer(wallet, found, occasion) {
            return Ok(());
        }
        let found = Some(found)
            .filter(|found| found.closed_at.is_none() && found.payer_at(minute).0 == wallet);
        // Somebody else pays, or nobody: what was delayed here is over.
        let Some(found) = found else { return self.end_delay(wallet, account, journal) };
        if self.is_as_opened((wallet, account), found, available) {
            return Ok(());
        }
        let before = found.services.and_then(|services| services.stopped);
        let stops = self.stops(wallet, found, available, overdue);
        let runs_on = stops.is_some()
            && before.is_none()
            && self.runs_on((wallet, account), available, occasion, journal)?;
        if !runs_on {
            // A recovery starts it anew, and so does the end of it.
            self.end_delay(wallet, account, journal)?;
        }
        let stopped = stops.filter(|_| !runs_on);
        if before.is_some() == stopped.is_some() {
            return Ok(());
        }
        let services = Services { since: self.clock.now(), stopped };
        self.record(journal, ServiceChanged { account, wallet, services })?;
        let kind = if stopped.is_some() { NoticeKind::Suspended } else { NoticeKind::Resumed };
        self.notice(wallet, kind, Some(account), None, None, journal)
    }

    /// Whether the figures by which an account is judged are still those that its own wallet was opened with: what
    /// is set or linked, granted as a limit that waits, or used for nothing changes none of them (R8.2).
    fn is_as_opened(
        &self,
        (payer, number): (WalletNumber, AccountNumber),
        account: &Account,
        available: Amount,
    ) -> bool {
        let Some(wallet) = self.wallet(payer) else { return false };
        let now = self.clock.now().minute();
        available.is_zero()
            && wallet.entries_made == 0
            && !wallet.was_charged
            && !wallet.contract_confirmed
            && wallet.delays.iter().all(|delay| delay.account != number)
            && account.services.is_none()
            && account
                .payers
                .iter()
                .filter(|known| known.from <= now)
                .all(|known| known.wallet == payer)
    }

    /// Why services of an account stop by the figures of its payer; none if they run (R8.2).
    fn stops(
        &self,
        number: WalletNumber,
        account: &Account,
        available: Amount,
        overdue: bool,
    ) -> Option<ServiceCause> {
        match self.service_floor(self.wallet(number)?, account) {
            Some((floor, cause)) => (available < floor).then_some(cause),
            None => overdue.then_some(ServiceCause::Overdue),
        }
    }

    /// The available credit below which services of an account stop, and why; none where only being overdue
    /// stops them.
    pub(super) fn service_floor(
        &self,
        wallet: &Wallet,
        account: &Account,
    ) -> Option<(Amount, ServiceCause)> {
        if wallet.is_ecosystem() {
            return Some((Amount::ZERO, ServiceCause::QuotaUsed));
        }
        if account.mode == Mode::Prepaid {
            // At zero already.
            return Some((Amount::SMALLEST, ServiceCause::NoCredit));
        }
        if wallet.limit.is_positive() || wallet.is_carried_by_method() {
            return None;
        }
        let buffers = &self.settings.suspension.buffer;
        let of_region = account.region.as_ref().and_then(|region| buffers.get(region.as_str()));
        let named = of_region.or_else(|| buffers.get(wallet.currency.code())).copied();
        let buffer =
            named.unwrap_or_else(|| SuspensionSettings::buffer_of_unnamed(wallet.currency));
        Some((buffer, ServiceCause::BelowBuffer))
    }

    /// Whether services that would stop run on for a while (R8.3). Notes since when.
    fn runs_on(
        &mut self,
        (number, account): (WalletNumber, AccountNumber),
        available: Amount,
        occasion: Occasion,
        journal: &mut dyn Journal,
    ) -> Result<bool, Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(false) };
        let Some(delayed) = wallet.delayed_suspension else { return Ok(false) };
        let now = self.clock.now();
        let known = wallet.delays.iter().find(|delay| delay.account == account);
        let since = known.map_or(now, |delay| delay.since);
        let floor = delayed.debt.map(Amount::negated).transpose()?;
        // That its time is over is found by its timer.
        let has_time =
            delayed.until(since).starts() > now || known.is_some() && occasion == Occasion::Charge;
        let runs_on = has_time && floor.is_none_or(|floor| available >= floor);
        if runs_on && known.is_none() {
            let since = Some(now);
            self.record(journal, SuspensionDelayed { wallet: number, account, since })?;
        }
        Ok(runs_on)
    }

    fn end_delay(
        &mut self,
        wallet: WalletNumber,
        account: AccountNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let delays = self.wallet(wallet).map(|wallet| wallet.delays.as_slice());
        if delays.unwrap_or_default().iter().any(|delay| delay.account == account) {
            self.record(journal, SuspensionDelayed { wallet, account, since: None })?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "services_tests.rs"]
mod tests;
