//! What is owed is charged to the preferred method: at a threshold, at the end of a month, again after a
//! decline (R6.1 to R6.5). One payment of bills is in flight at most; its outcome comes from the gateway.

use super::fact::{Cured, Journal, MonthSwept, RetryPassed};
use super::orders::spend;
use super::payments::{Charge, month_end};
use super::state::{InFlight, Paying, Share, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::money::{Amount, Overflow};
use crate::payments::{MethodKind, PaymentCause, Purpose};
use crate::time::{Minute, Month, Timestamp};

impl Ledger {
    /// When a payment that is declined now is tried again, counted from the first decline. What somebody
    /// asked for, and what pays no bills, is not.
    pub(super) fn next_retry(&self, number: WalletNumber, payment: &InFlight) -> Option<Minute> {
        if payment.by_hand || payment.cause.purpose() != Purpose::Bills {
            return None;
        }
        let declined = self.wallet(number)?.paying.as_deref()?.declined.as_ref();
        let first = declined.map_or(self.clock.now(), |declined| declined.first_at);
        let tried = match (declined, payment.cause) {
            (Some(declined), PaymentCause::Retry) => declined.retries.saturating_add(1),
            (Some(declined), _) => declined.retries,
            (None, _) => 0,
        };
        self.retry_after(first, tried)
    }

    /// When it is tried again after so many retries. A newly preferred method may be declined later than
    /// the next try would have been.
    fn retry_after(&self, first: Timestamp, retries: u32) -> Option<Minute> {
        let after = self.settings.payments.retry_after.get(retries as usize)?;
        Some(first.plus(*after).max(self.clock.now()).full_minute())
    }

    /// Ends a series of declines once all that was declined is paid, as it is by a try that succeeds.
    pub(super) fn cure(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let declined = wallet.paying.as_deref().and_then(|paying| paying.declined.as_ref());
        let Some(declined) = declined else { return Ok(()) };
        let unpaid = wallet.unpaid.iter().any(|bill| declined.bills.contains(&bill.number));
        if !unpaid {
            self.record(journal, Cured { wallet: number })?;
        }
        Ok(())
    }

    /// Charges all that is owed as soon as it comes to the threshold (R6.1): the open cycles are issued,
    /// write-off runs, and what is left is charged.
    pub(super) fn charge_at_threshold(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(threshold) = self.threshold(number) else { return Ok(()) };
        if !self.may_charge(number) || self.owed_after_write_off(number)?.0 < threshold {
            return Ok(());
        }
        self.charge_all(number, PaymentCause::Threshold, journal)
    }

    /// Charges all that is owed, what the open cycles have come to included: their bills are issued. Nothing, if
    /// nothing is owed.
    fn charge_all(
        &mut self,
        number: WalletNumber,
        cause: PaymentCause,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        if !self.owed_after_write_off(number)?.0.is_positive() {
            return Ok(());
        }
        let cycles = self.wallet(number).map(|wallet| wallet.open_cycles.clone());
        for cycle in cycles.unwrap_or_default() {
            self.bill_cycle(number, cycle.ends, journal)?;
        }
        self.begin_payment(number, cause, journal)
    }

    /// At the end of a month all that is owed is charged, however small (R6.2). What is in an open cycle by then
    /// was used after it.
    pub(super) fn sweep(
        &mut self,
        number: WalletNumber,
        at: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let next = month_end(wallet, at.starts());
        let waits = !self.may_charge(number);
        self.record(journal, MonthSwept { wallet: number, next, waits })?;
        if waits { Ok(()) } else { self.begin_payment(number, PaymentCause::MonthEnd, journal) }
    }

    /// A month's end that had to wait is made good.
    pub(super) fn charge_what_waited(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let waits = |ledger: &Ledger| {
            let paying = ledger.wallet(number)?.paying.as_deref()?;
            paying.sweep_waits.then_some(paying.sweep_at)
        };
        if waits(self).is_none() || !self.may_charge(number) {
            return Ok(());
        }
        self.charge_all(number, PaymentCause::MonthEnd, journal)?;
        match waits(self) {
            // Nothing was owed.
            Some(next) => {
                Ok(self.record(journal, MonthSwept { wallet: number, next, waits: false })?)
            }
            None => Ok(()),
        }
    }

    /// A declined payment is tried again, for all that is owed by now.
    pub(super) fn retry(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let Some(declined) = wallet.paying.as_deref().and_then(|paying| paying.declined.as_ref())
        else {
            return Ok(());
        };
        let is_owed = self.owed_after_write_off(number)?.0.is_positive();
        // A try at a time when nothing is owed or no method can pay is passed: its timer must not stay due.
        if !is_owed || wallet.active_method().is_none() {
            let next = self.retry_after(declined.first_at, declined.retries.saturating_add(1));
            self.record(journal, RetryPassed { wallet: number, retry_at: next })?;
            return Ok(());
        }
        self.charge_all(number, PaymentCause::Retry, journal)
    }

    /// After a decline a newly preferred method is charged at once all that is owed (R6.5).
    pub(super) fn charge_new_method(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let waits = matches!(
            wallet.paying.as_deref(),
            Some(Paying { in_flight: None, declined: Some(_), .. })
        );
        if !waits || wallet.is_frozen() || wallet.active_method().is_none() {
            return Ok(());
        }
        self.charge_all(number, PaymentCause::Manual, journal)
    }

    /// Something can be charged by itself: nothing is in flight, nothing was declined, and a method can pay.
    fn may_charge(&self, number: WalletNumber) -> bool {
        let Some(wallet) = self.wallet(number) else { return false };
        let free = matches!(
            wallet.paying.as_deref(),
            Some(Paying { in_flight: None, declined: None, .. })
        );
        free && !wallet.is_frozen()
            && !self.is_settling(wallet)
            && wallet.active_method().is_some_and(|method| !wallet.is_being_checked(method))
    }

    /// From what owed amount on a wallet is charged; none if it never is by amount.
    pub(super) fn threshold(&self, number: WalletNumber) -> Option<Amount> {
        let wallet = self.wallet(number)?;
        let method = wallet.active_method()?;
        let settings = &self.settings.payments;
        match method.kind {
            MethodKind::Card => settings.card_threshold.get(&wallet.currency).copied(),
            MethodKind::Paypal => {
                let (_, most) = settings.paypal_threshold.get(&wallet.currency)?;
                Some(wallet.auto_pay_threshold.unwrap_or(*most))
            }
            MethodKind::Alipay | MethodKind::Unionpay => None,
        }
    }

    /// What would be owed if the open cycles were billed now and coupons and write-off paid what they can,
    /// and how many bills that takes. The credit limit does not count.
    pub(super) fn owed_after_write_off(
        &self,
        number: WalletNumber,
    ) -> Result<(Amount, usize), Overflow> {
        let Some(wallet) = self.wallet(number) else { return Ok((Amount::ZERO, 0)) };
        let mut after = wallet.clone();
        let mut parts = 0_usize;
        for bill in self.would_be_issued(number)? {
            parts = parts.saturating_add(1);
            after.unpaid.push_back(bill);
        }
        self.write_off_copy(&mut after, number)?;
        Ok((after.owed(), parts))
    }

    /// Writes off from a copy of a wallet, to see what would be left.
    pub(super) fn write_off_copy(
        &self,
        copy: &mut Wallet,
        number: WalletNumber,
    ) -> Result<(), Overflow> {
        let above = copy.owed().minus(copy.limit)?;
        let mut allowance = if copy.auto_write_off { Amount::MAX } else { above };
        let set_aside: Vec<u64> = copy.bills_in_flight().collect();
        for place in 0..copy.unpaid.len() {
            while allowance.is_positive() {
                let Some(bill) = copy.unpaid.get(place) else { break };
                if !bill.owed().is_positive() || set_aside.contains(&bill.number) {
                    break;
                }
                let Some((lot, available)) = self.next_lot(copy, bill) else { break };
                let amount = bill.owed().min(available).min(allowance);
                spend(copy, number, lot, amount)?;
                if let Some(bill) = copy.unpaid.get_mut(place) {
                    bill.paid = bill.paid.plus(amount)?;
                }
                if allowance != Amount::MAX {
                    allowance = allowance.minus(amount)?;
                }
            }
        }
        Ok(())
    }

    /// Asks the gateway for all that is owed on issued bills. Nothing, if nothing is.
    fn begin_payment(
        &mut self,
        number: WalletNumber,
        cause: PaymentCause,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let Some(method) = wallet.active_method() else { return Ok(()) };
        let shares: Vec<Share> =
            wallet.unpaid.iter().map(|b| Share { bill: b.number, amount: b.owed() }).collect();
        let amount = Amount::sum(shares.iter().map(|share| share.amount))?;
        if !amount.is_positive() {
            return Ok(());
        }
        let charge = Charge { shares, ..Charge::of(cause, method.method.clone(), amount) };
        self.begin_charge(number, charge, journal)
    }

    /// The month that it is for a wallet, which says whether its cards can pay.
    pub(super) fn month_now(&self, wallet: &Wallet) -> Month {
        wallet.zone.month_of(self.clock.now())
    }
}

#[cfg(test)]
#[path = "paying_tests.rs"]
mod tests;
