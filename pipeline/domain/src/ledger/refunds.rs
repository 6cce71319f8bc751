//! An order is given back, or part of it (R5.8): from its end, so that what coupons paid comes last.

use super::fact::{BillReduced, Cause, Journal, Moved, OrderRefunded};
use super::state::{Lot, Order, PaidFrom, RefundedCredit, WalletNumber};
use super::{Broken, Ledger, Undecided};
use crate::commands::{RefundOrder, RefundTo};
use crate::ids::{BenefitId, Text};
use crate::money::Amount;
use crate::refusal::Refusal;

impl Ledger {
    pub(super) fn refund_order(
        &mut self,
        command: &RefundOrder,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        if !command.amount.is_positive() || !command.amount.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        let known = wallet.orders.iter().find(|order| order.order == command.order).cloned();
        let Some(order) = known else {
            return self.refund_foreign(number, command, journal);
        };
        if order.refunded.plus(command.amount)? > order.amount {
            return Err(Refusal::InvalidAmount.into());
        }
        if command.to == RefundTo::Credit && order.on_credit.is_zero() {
            return Err(Refusal::MethodNotAllowed.into());
        }

        let (wallet, amount) = (number, command.amount);
        let refunded = OrderRefunded { wallet, order: command.order.clone(), amount };
        self.record(journal, refunded)?;
        self.give_back_order(number, &order, command, journal)?;
        self.end_plan(number, &order.order, journal)?;
        if order.refunded.plus(amount)? == order.amount {
            self.end_benefit(number, BenefitId::from(&order.order), journal)?;
        }
        self.write_off(number, journal)
    }

    /// An order of the platform's own system, for which the operator vouches.
    fn refund_foreign(
        &mut self,
        number: WalletNumber,
        command: &RefundOrder,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let lot = match command.to {
            RefundTo::Original => return Err(Refusal::NotFound.into()),
            RefundTo::Cash => Lot::OWN_CASH,
            RefundTo::Credit => self.refund_lot(number)?,
        };

        let remark = Some(Text::fitting(command.order.as_str()));
        let moved = Moved::of(number, lot, command.amount, Cause::Refund);
        self.record(journal, Moved { remark, ..moved })?;
        self.write_off(number, journal)
    }

    /// First what is still unpaid, then payments in reverse order, past what was refunded before.
    pub(super) fn give_back_order(
        &mut self,
        number: WalletNumber,
        order: &Order,
        command: &RefundOrder,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let unpaid = self
            .wallet(number)
            .and_then(|w| w.unpaid.iter().find(|bill| bill.number == order.bill));
        let unpaid = unpaid.map(super::Bill::owed).unwrap_or_default();
        let to_credit = command.to == RefundTo::Credit;
        let mut passed = order.refunded;
        let mut left = command.amount;
        if to_credit {
            // The unpaid part stays; the refund may pay it.
            let already = passed.min(unpaid);
            passed = passed.minus(already)?;
            let amount = unpaid.minus(already)?.min(left);
            left = left.minus(amount)?;
            let lot = self.refund_lot(number)?;
            self.give_back_to(number, order, lot, amount, journal)?;
        } else {
            let amount = unpaid.min(left);
            left = left.minus(amount)?;
            if amount.is_positive() {
                let (wallet, bill) = (number, order.bill);
                self.record(journal, BillReduced { wallet, bill, by: bill, amount })?;
            }
        }
        for PaidFrom { lot, amount: paid } in order.payments.iter().rev() {
            let already = passed.min(*paid);
            passed = passed.minus(already)?;
            let amount = paid.minus(already)?.min(left);
            left = left.minus(amount)?;
            let cash =
                matches!(lot, Lot::OwnCash(_) | Lot::TransferredCash(_) | Lot::MethodPaid(_));
            let lot = if to_credit && cash { self.refund_lot(number)? } else { lot.clone() };
            self.give_back_to(number, order, lot, amount, journal)?;
        }
        Ok(())
    }

    /// Returns so much to a lot, unless it is a coupon that has expired.
    fn give_back_to(
        &mut self,
        number: WalletNumber,
        order: &Order,
        lot: Lot,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        // What a method paid comes back as own cash.
        let lot = if matches!(lot, Lot::MethodPaid(_)) { Lot::OWN_CASH } else { lot };
        let expired = self.wallet(number).is_none_or(|wallet| self.has_expired(wallet, &lot));
        if amount.is_positive() && !expired {
            let (bill, remark) = (Some(order.bill), Some(Text::fitting(order.order.as_str())));
            let moved = Moved::of(number, lot, amount, Cause::Refund);
            self.record(journal, Moved { bill, remark, ..moved })?;
        }
        Ok(())
    }

    /// The lot of this month's credit refunds.
    fn refund_lot(&self, number: WalletNumber) -> Result<Lot, Broken> {
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        Ok(RefundedCredit { month: wallet.zone.month_of(self.clock.now()) }.into())
    }
}

#[cfg(test)]
#[path = "refunds_tests.rs"]
mod tests;
