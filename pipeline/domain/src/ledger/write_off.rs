//! Issued bills are paid: by coupons at issue, then by automatic write-off from the wallet (R5.3,
//! R5.4, R5.5). Nothing here decides whether a wallet may spend; only in which order it does.

use super::coupons::Parts;
use super::fact::{Cause, Journal, Moved};
use super::payments::paid_bill;
use super::reversal::Correction;
use super::state::{Bill, Coupon, Lot, RefundedCredit, TransferredCash, Wallet, WalletNumber};
use super::{Broken, Ledger, Undecided};
use crate::money::Amount;
use crate::time::Window;

impl Ledger {
    /// What follows the issue of bills, in the order of issue: coupons, then write-off.
    pub(super) fn settle_issued(
        &mut self,
        payer: WalletNumber,
        issued: &[(Bill, Parts)],
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let by_partner = self.wallet(payer).is_some_and(Wallet::is_ecosystem);
        for (bill, parts) in issued {
            if bill.amount.is_negative() {
                let correction = Correction { bill: bill.clone(), rest: None };
                self.correct(payer, &correction, journal)?;
            } else if by_partner && bill.amount.is_positive() {
                // No write-off: issuing it is what moves it to consumed (R4.3), whatever waits here.
                self.pay(payer, bill.number, Lot::QUOTA, bill.amount, journal)?;
            } else {
                self.pay_with_coupons(payer, bill, parts, journal)?;
            }
        }
        self.write_off_issued(payer, journal)
    }

    /// Pays so much of a bill from a lot.
    pub(super) fn pay(
        &mut self,
        payer: WalletNumber,
        number: u64,
        lot: Lot,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let unpaid =
            self.wallet(payer).and_then(|w| w.unpaid.iter().find(|bill| bill.number == number));
        let bill = unpaid.ok_or(Broken("a bill that is not owed cannot be paid"))?;
        let paid = paid_bill(bill);
        let moved = Moved::of(payer, lot, amount.negated()?, Cause::Bill);
        self.record(journal, Moved { bill: Some(number), paid: Some(paid), ..moved })?;
        Ok(())
    }

    /// Money or an asset has arrived, or a switch was turned on: if automatic write-off is on, pays what
    /// can be paid, oldest bill first.
    pub(super) fn write_off(
        &mut self,
        payer: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let automatic = self
            .wallet(payer)
            .is_some_and(|wallet| wallet.auto_write_off && !self.is_settling(wallet));
        if automatic { self.pay_unpaid(payer, Amount::MAX, journal) } else { Ok(()) }
    }

    /// Bills were issued. With automatic write-off off they rest on the credit limit, and only what
    /// exceeds it is paid, oldest bill first (R5.4).
    pub(super) fn write_off_issued(
        &mut self,
        payer: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        match self.wallet(payer) {
            // Nothing is written off while a settlement goes on, not even this (R5.6).
            Some(wallet) if self.is_settling(wallet) => Ok(()),
            Some(wallet) if !wallet.auto_write_off => {
                let above = wallet.owed().minus(wallet.limit)?;
                self.pay_unpaid(payer, above, journal)
            }
            _ => self.write_off(payer, journal),
        }
    }

    fn pay_unpaid(
        &mut self,
        payer: WalletNumber,
        mut allowance: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(payer) else { return Ok(()) };
        // Nothing goes out of it (R4.5). A bill that a partner settles moves nothing of ours.
        if wallet.is_frozen() && !wallet.is_ecosystem() {
            return Ok(());
        }
        // What a payment in flight is for is set aside (R6.3).
        let set_aside: Vec<u64> = wallet.bills_in_flight().collect();
        let numbers = wallet.unpaid.iter().map(|bill| bill.number);
        let numbers: Vec<u64> = numbers.filter(|number| !set_aside.contains(number)).collect();
        for number in numbers {
            while allowance.is_positive() {
                let Some(wallet) = self.wallet(payer) else { return Ok(()) };
                let Some(bill) = wallet.unpaid.iter().find(|bill| bill.number == number) else {
                    break;
                };
                let Some((lot, available)) = self.next_lot(wallet, bill) else { break };
                let amount = bill.owed().min(available).min(allowance);
                self.pay(payer, number, lot, amount, journal)?;
                if allowance != Amount::MAX {
                    allowance = allowance.minus(amount)?;
                }
            }
        }
        Ok(())
    }

    /// The lot that pays a bill next, and how much it holds: cash coupons, credit refunds, cash
    /// transferred in, own cash (R5.3).
    pub(super) fn next_lot(&self, wallet: &Wallet, bill: &Bill) -> Option<(Lot, Amount)> {
        if wallet.is_ecosystem() {
            return Some((Lot::QUOTA, bill.owed()));
        }
        let product = bill.product.and_then(|product| self.book.product(product));
        let is_reached = |coupon: &Coupon| {
            let spent = self.spent_in_scope(wallet, bill.month, coupon);
            spent.is_ok_and(|spent| spent >= coupon.minimum)
        };
        let cash_coupon = wallet
            .coupons
            .iter()
            .filter(|coupon| coupon.cash && coupon.left.is_positive())
            .filter(|coupon| self.is_valid_now(coupon.valid))
            .filter(|coupon| coupon.in_scope(product) && is_reached(coupon))
            .min_by(|a, b| a.rank().cmp(&b.rank()));
        if let Some(coupon) = cash_coupon {
            return Some((coupon.lot(), coupon.left));
        }
        let refund = wallet
            .refunds
            .iter()
            .find(|refund| wallet.write_off_previous || refund.month <= bill.month);
        if let Some(refund) = refund {
            return Some((RefundedCredit { month: refund.month }.into(), refund.left));
        }
        if let Some(lot) = wallet.transferred.iter().find(|lot| lot.left.is_positive()) {
            return Some((TransferredCash { sender: lot.sender }.into(), lot.left));
        }
        wallet.own_cash.is_positive().then_some((Lot::OWN_CASH, wallet.own_cash))
    }

    /// Whether a cash coupon of this validity pays. To the bills of an instant one that expires then still does, one
    /// that begins then not yet (R3.6).
    fn is_valid_now(&self, valid: Window) -> bool {
        let now = self.clock.now().minute();
        match self.billed_as_of {
            Some(before) => (valid.from <= before || valid.from < now) && before < valid.until,
            None => valid.contains(now),
        }
    }
}

#[cfg(test)]
#[path = "write_off_tests.rs"]
mod tests;
