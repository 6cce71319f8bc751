//! Automatic write-off: how the wallet pays issued bills (R5.3, R5.4, R5.5).

use crate::BookKeeper;
use crate::calendar::Month;
use crate::coupons::Coupon;
use crate::exact::Exact;
use crate::ledger::Lot;
use crate::wallet::Wallet;

impl BookKeeper {
    /// Money or an asset has arrived, or a switch has been turned on: if automatic write-off is on, it runs (R5.3).
    pub(crate) fn write_off(&mut self, wallet: usize) {
        if self.wallets[wallet].auto_write_off && self.may_write_off(wallet) {
            self.write_off_at_most(wallet, None);
        }
    }

    /// Bills have been issued. With automatic write-off off, only what lies above the credit limit is paid (R5.4).
    pub(crate) fn write_off_after_issue(&mut self, wallet: usize) {
        let owner = &self.wallets[wallet];
        if !self.may_write_off(wallet) {
            return;
        }
        if owner.auto_write_off {
            self.write_off_at_most(wallet, None);
        } else {
            let above = &owner.unpaid_total() - &owner.credit_limit;
            self.write_off_at_most(wallet, Some(above));
        }
    }

    /// Nothing is written off while a billing account is frozen (R4.5) or its enterprise is being settled (R5.6).
    pub(crate) fn may_write_off(&self, wallet: usize) -> bool {
        !self.wallets[wallet].frozen && !self.is_settling(wallet)
    }

    /// Pays bills in the order of issue, all of them or together at most this much.
    fn write_off_at_most(&mut self, wallet: usize, mut at_most: Option<Exact>) {
        let unpaid: Vec<usize> = match self.wallets[wallet].holds_anything(self.dated) {
            true => self.wallets[wallet].not_in_flight(),
            false => Vec::new(),
        };
        for bill in unpaid {
            if !self.wallets[wallet].holds_anything(self.dated)
                || at_most.as_ref().is_some_and(|most| !most.is_positive())
            {
                break;
            }
            let mut rest = self.bills[bill].unpaid();
            if let Some(most) = &at_most {
                rest = rest.min(most.clone());
            }
            let issued = &self.bills[bill];
            let plan =
                self.wallets[wallet].plan_payment(&issued.product, issued.month, &rest, self.dated);
            for (lot, amount) in plan {
                self.pay_from_lot(bill, &lot, &amount, "bill");
                if let Some(most) = &mut at_most {
                    *most -= &amount;
                }
            }
        }
    }
}

impl Wallet {
    /// The unpaid bills in the order of issue, without those that a payment in flight is for (R6.3).
    pub fn not_in_flight(&self) -> Vec<usize> {
        self.unpaid.difference(&self.set_aside).copied().collect()
    }

    /// Whether there is anything at all to write off from.
    fn holds_anything(&self, dated: i64) -> bool {
        let pays =
            |coupon: &Coupon| coupon.cash && coupon.left.is_positive() && coupon.is_valid_at(dated);
        self.cash().is_positive()
            || self.credit_refund().is_positive()
            || self.coupons.values().any(pays)
    }

    /// What would pay this much of a bill, in the order of R5.3: cash coupons (soonest expiry first, then as coupons
    /// the smallest remainder, then id), credit refunds (oldest first), cash transferred in (oldest lot first), own
    /// cash.
    pub fn plan_payment(
        &self,
        product: &str,
        month: Month,
        amount: &Exact,
        dated: i64,
    ) -> Vec<(Lot, Exact)> {
        let mut cash_coupons: Vec<_> = self
            .coupons
            .iter()
            .filter(|(_, coupon)| coupon.cash && coupon.is_valid_at(dated))
            .filter(|(_, coupon)| coupon.is_in_scope(product, self.billed.get(&month)))
            .map(|(id, coupon)| (coupon.valid_until, coupon.left.clone(), id.clone()))
            .collect();
        cash_coupons.sort();
        let mut lots: Vec<Lot> =
            cash_coupons.into_iter().map(|(_, _, id)| Lot::CashCoupon(id)).collect();

        // A credit refund pays bills of its month and later ones, with `write_off_previous` all (R5.5).
        let refunds = self
            .credit_refunds
            .keys()
            .filter(|refund| self.write_off_previous || **refund <= month);
        lots.extend(refunds.map(|refund| Lot::CreditRefund(*refund)));
        lots.extend(self.received.iter().map(|received| Lot::CashFrom(received.sender.clone())));
        lots.push(Lot::OwnCash);

        let mut rest = amount.clone();
        let mut plan = Vec::new();
        for lot in lots {
            let part = self.held(&lot).min(rest.clone());
            if part.is_positive() {
                rest -= &part;
                plan.push((lot, part));
            }
        }
        plan
    }
}
