//! A negative bill undoes the payments of its account and product's latest bills (R5.7).

use super::fact::{
    BillReduced, Cause, CorrectionWaits, Journal, Moved, PaymentUndone, SharedCouponReturned,
};
use super::state::{Bill, BillsPaid, Lot, ProductNumber, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::money::Amount;
use crate::record;
use crate::time::Month;

record! {
    /// A negative bill that undoes others.
    pub struct Correction {
        /// Over what it has yet to undo.
        pub bill: Bill,
        /// What it finds nothing to undo for becomes own cash with this cause, as a document promised it. None: it is
        /// a bill of usage, which lapses, as rounding never billed it.
        pub rest: Option<Cause>,
    }
}

impl Ledger {
    /// Undoes what a negative bill can undo now. While some of the bills it could undo are in flight, the rest
    /// waits for the result.
    pub(super) fn correct(
        &mut self,
        payer: WalletNumber,
        correction: &Correction,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Correction { bill: negative, rest } = correction;
        let left = self.reverse(payer, negative, journal)?;
        let Some(wallet) = self.wallet(payer) else { return Ok(()) };
        let waits = left.is_positive() && wallet.is_in_flight(negative);
        let waited = wallet.corrections.iter().any(|known| known.bill.number == negative.number);
        if waits || waited {
            let amount = if waits { left.negated()? } else { Amount::ZERO };
            let bill = Bill { amount, ..negative.clone() };
            let correction = Correction { bill, rest: *rest };
            self.record(journal, CorrectionWaits { wallet: payer, correction })?;
        }
        match rest.filter(|_| left.is_positive() && !waits) {
            Some(cause) => {
                let moved = Moved::of(payer, Lot::OWN_CASH, left, cause);
                self.record(journal, Moved { bill: Some(negative.number), ..moved })?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The result of a payment is known: what waited for it is undone.
    pub(super) fn correct_what_waited(
        &mut self,
        payer: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(payer) else { return Ok(()) };
        if wallet.bills_in_flight().next().is_some() {
            return Ok(());
        }
        // What coupons get back is on the invoice of the period in which they do.
        let now = wallet.zone.half_month_of(self.clock.now());
        for Correction { bill, rest } in wallet.corrections.clone() {
            let half = bill.half.max(now);
            self.correct(payer, &Correction { bill: Bill { half, ..bill }, rest }, journal)?;
        }
        Ok(())
    }

    /// First unpaid parts, latest bill first; then payments, latest first, each back to the lot that
    /// paid. Says what is left.
    fn reverse(
        &mut self,
        payer: WalletNumber,
        negative: &Bill,
        journal: &mut dyn Journal,
    ) -> Result<Amount, Undecided> {
        let mut left = negative.amount.negated()?;
        left = self.reduce_unpaid(payer, negative, left, journal)?;
        while left.is_positive() {
            let Some((product, month, payment)) = self.latest_payment(payer, negative) else {
                break;
            };
            let amount = payment.amount.min(left);
            left = left.minus(amount)?;
            let (wallet, account, lot, half) =
                (payer, negative.account, payment.lot.clone(), negative.half);
            let undone = PaymentUndone { wallet, account, product, month, amount, lot, half };
            self.record(journal, undone)?;
            self.give_back(payer, negative.number, payment.lot, amount, journal)?;
        }
        Ok(left)
    }

    fn reduce_unpaid(
        &mut self,
        payer: WalletNumber,
        negative: &Bill,
        mut left: Amount,
        journal: &mut dyn Journal,
    ) -> Result<Amount, Undecided> {
        let unpaid = self.wallet(payer).map(|wallet| wallet.unpaid.clone()).unwrap_or_default();
        let of_same =
            |bill: &&Bill| (bill.account, bill.product) == (negative.account, negative.product);
        // What is in flight is passed over: it may be paid already.
        let in_flight =
            self.wallet(payer).map(|wallet| wallet.bills_in_flight().collect::<Vec<_>>());
        let open = |bill: &&Bill| {
            bill.order.is_none()
                && !in_flight.as_ref().is_some_and(|set| set.contains(&bill.number))
        };
        for bill in unpaid.iter().rev().filter(of_same).filter(open) {
            let amount = bill.owed().min(left);
            if !amount.is_positive() {
                break;
            }
            left = left.minus(amount)?;
            let reduced =
                BillReduced { wallet: payer, bill: bill.number, by: negative.number, amount };
            self.record(journal, reduced)?;
        }
        Ok(left)
    }

    fn latest_payment(
        &self,
        payer: WalletNumber,
        negative: &Bill,
    ) -> Option<(ProductNumber, Month, BillsPaid)> {
        let product = negative.product?;
        let account = self.account(negative.account)?;
        let months = account.months.iter().filter(|months| {
            (months.wallet, months.product) == (payer, product) && !months.payments.is_empty()
        });
        let latest = months.max_by_key(|months| months.payments.last().map(|paid| paid.bill))?;
        Some((product, latest.month, latest.payments.last()?.clone()))
    }

    /// Returns money to the lot that paid. What an expired coupon paid lapses; a lot that is gone
    /// from the wallet becomes own cash.
    fn give_back(
        &mut self,
        payer: WalletNumber,
        bill: u64,
        lot: Lot,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(payer) else { return Ok(()) };
        if self.has_expired(wallet, &lot) {
            return Ok(());
        }
        if let Lot::SharedCouponLot(lot) = &lot {
            let returned = SharedCouponReturned { wallet: payer, lot: lot.clone(), amount };
            self.record(journal, returned)?;
            return self.move_shared(payer, bill, lot, amount, journal);
        }
        // What a method paid becomes own cash.
        let lot = if matches!(lot, Lot::MethodPaid(_)) { Lot::OWN_CASH } else { lot };
        let bill = Some(bill);
        let moved = Moved { bill, ..Moved::of(payer, lot, amount, Cause::BillReversed) };
        self.record(journal, moved)?;
        Ok(())
    }

    /// Whether `lot` is a coupon that can no longer pay anything.
    pub(super) fn has_expired(&self, wallet: &Wallet, lot: &Lot) -> bool {
        let (holder, coupon) = match lot {
            Lot::CouponLot(lot) => (Some(wallet), &lot.coupon),
            Lot::CashCouponLot(lot) => (Some(wallet), &lot.coupon),
            Lot::SharedCouponLot(lot) => (self.wallet(lot.holder), &lot.coupon),
            Lot::OwnCash(_)
            | Lot::TransferredCash(_)
            | Lot::RefundedCredit(_)
            | Lot::QuotaLot(_)
            | Lot::MethodPaid(_) => return false,
        };
        let known = holder.and_then(|it| it.coupons.iter().find(|known| known.coupon == *coupon));
        let now = self.billed_as_of.unwrap_or_else(|| self.clock.now().minute());
        known.is_none_or(|known| known.valid.until <= now)
    }
}

impl Wallet {
    /// Whether a payment of bills is in flight that a negative one could undo.
    fn is_in_flight(&self, negative: &Bill) -> bool {
        self.bills_in_flight().any(|number| {
            let bill = self.unpaid.iter().find(|bill| bill.number == number);
            bill.is_some_and(|bill| {
                bill.order.is_none()
                    && (bill.account, bill.product) == (negative.account, negative.product)
            })
        })
    }
}
