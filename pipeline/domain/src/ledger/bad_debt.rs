//! Bad debt: a bill was unpaid for so long after its month that there is neither credit nor transfer until
//! the operator forgives it (R9.1, R9.3).

use super::fact::{BadDebtChanged, Journal};
use super::state::{BadDebt, WalletNumber};
use super::timers::Timer;
use super::{Broken, Ledger, Undecided};
use crate::commands::LiftBadDebt;
use crate::refusal::Refusal;
use crate::time::{Minute, Month};

impl Ledger {
    pub(super) fn lift_bad_debt(
        &mut self,
        command: &LiftBadDebt,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (wallet, found) = self.wallet_of(&command.billing_account)?;
        let known = found.governing.as_deref().and_then(|governing| governing.bad_debt);
        let bad_debt = known.filter(|bad_debt| !bad_debt.lifted).ok_or(Refusal::NotFound)?;

        let bad_debt = BadDebt { lifted: true, ..bad_debt };
        self.record(journal, BadDebtChanged { wallet, bad_debt })?;
        Ok(())
    }

    /// When the bills of a month become bad debt, if they are still unpaid.
    pub(super) fn bad_debt_at(&self, number: WalletNumber, month: Month) -> Option<Minute> {
        // A partner's wallet owes its partner.
        let wallet = self.wallet(number).filter(|wallet| !wallet.is_ecosystem())?;
        let known = wallet.governing.as_deref().and_then(|governing| governing.bad_debt);
        let after = self.settings.overdue.bad_debt_after;
        let later = known.is_none_or(|known| month > known.month);
        later.then(|| wallet.zone.days_after(month, after).full_minute())
    }

    /// Something of a month was paid: once all of it is, nothing of it becomes bad debt.
    pub(super) fn forget_bad_debt_of(&mut self, number: WalletNumber, month: Month) {
        let all = |wallet: &super::Wallet| !wallet.unpaid.iter().any(|bill| bill.month == month);
        if self.wallet(number).is_some_and(all)
            && let Some(at) = self.bad_debt_at(number, month)
        {
            self.due.remove(at, Timer::BadDebt, number);
        }
    }

    /// The bills of a month are bad debt, and those of earlier months with them: nothing more is waited for.
    pub(super) fn unwatch_bad_debt(&mut self, number: WalletNumber, last: Month) {
        let Some(wallet) = self.wallet(number) else { return };
        let months = wallet.unpaid.iter().map(|bill| bill.month).filter(|month| *month <= last);
        let waits: Vec<Minute> =
            months.filter_map(|month| self.bad_debt_at(number, month)).collect();
        waits.into_iter().for_each(|at| self.due.remove(at, Timer::BadDebt, number));
    }

    /// The bills of some month have been unpaid for too long, unless they were paid meanwhile.
    pub(super) fn find_bad_debt(
        &mut self,
        at: Minute,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        self.due.remove(at, Timer::BadDebt, number);
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let known = wallet.governing.as_deref().and_then(|governing| governing.bad_debt);
        let now = self.clock.now();
        let after = self.settings.overdue.bad_debt_after;
        let months = wallet.unpaid.iter().map(|bill| bill.month);
        let bad = months.filter(|month| wallet.zone.days_after(*month, after) <= now).max();
        match bad.filter(|month| known.is_none_or(|known| *month > known.month)) {
            Some(month) => {
                let bad_debt = BadDebt { month, lifted: false };
                self.record(journal, BadDebtChanged { wallet: number, bad_debt })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "bad_debt_tests.rs"]
mod tests;
