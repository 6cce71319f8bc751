//! How a billing account stands: unsettled, available, overdue, bad debt (R4.2, R4.3, R8.1, R9.1).

use crate::BookKeeper;
use crate::calendar::{Month, after_month};
use crate::coupons::unsettled_of_cycle;
use crate::exact::Exact;
use crate::fields::{Fields, NOT_FOUND, Refusal};
use crate::wallet::{Kind, Wallet};
use std::collections::BTreeMap;

impl Wallet {
    /// What is unsettled, by month (R4.2): unpaid parts of bills and the exact charges of open cycles less what
    /// coupons would pay of them.
    pub fn unsettled(&self) -> BTreeMap<Month, Exact> {
        let mut unsettled = self.unpaid_by_month.clone();
        let mut coupons = match self.open.is_empty() {
            true => BTreeMap::new(),
            false => self.coupons.clone(),
        };
        coupons.retain(|_, coupon| !coupon.cash && coupon.left.is_positive());
        let mut billed: BTreeMap<Month, BTreeMap<String, Exact>> = BTreeMap::new();
        for cycle in self.open.values() {
            let month = billed
                .entry(cycle.month)
                .or_insert_with(|| self.billed.get(&cycle.month).cloned().unwrap_or_default());
            *unsettled.entry(cycle.month).or_default() +=
                &unsettled_of_cycle(self, cycle, &mut coupons, month);
        }
        // A negative bill that waits for the result of a payment lowers it already (R5.7).
        for (month, waits) in self.waiting.values() {
            *unsettled.entry(*month).or_default() -= waits;
        }
        unsettled
    }

    /// The exact charges that no bill contains yet.
    pub fn unbilled(&self) -> Exact {
        self.open
            .values()
            .flat_map(|cycle| cycle.charges.values())
            .map(|charges| &charges.total)
            .sum()
    }

    /// Available credit (R4.3); it may be below zero.
    pub fn available(&self) -> Exact {
        match self.kind {
            Kind::Ecosystem => &(&self.quota - &self.quota_consumed) - &self.unbilled(),
            Kind::Direct => {
                let unsettled: Exact = self.unsettled().values().sum();
                let assets = &(&self.cash() + &self.credit_limit) + &self.credit_refund();
                &assets - &unsettled
            }
        }
    }

    /// What may be transferred to others (R9.1).
    pub fn transferable(&self) -> Exact {
        self.own_cash.clone().min(self.available()).at_least_zero().round_down(self.currency.places)
    }
}

impl BookKeeper {
    /// Overdue (R8.1). With an active default method: when the tries after a decline have run out. Without one:
    /// available credit below zero or, with a credit limit, a bill unpaid some days after its month.
    pub(crate) fn is_overdue(&self, wallet: usize) -> bool {
        let owner = &self.wallets[wallet];
        if self.is_carried_by_method(wallet) {
            return self.tries_have_run_out(wallet);
        }
        if owner.available().is_negative() {
            return true;
        }
        let unpaid_too_long = |month: &Month| {
            after_month(&owner.zone, *month, self.settings.overdue_after) <= self.now
        };
        owner.credit_limit.is_positive()
            && owner
                .unpaid_by_month
                .iter()
                .any(|(month, unpaid)| unpaid.is_positive() && unpaid_too_long(month))
    }

    /// Whether the default method is active, or being charged: one that expires meanwhile carries until the answer
    /// (docs/decisions.md, 8.1).
    pub(crate) fn is_carried_by_method(&self, wallet: usize) -> bool {
        let owner = &self.wallets[wallet];
        let charged = owner.in_flight.map(|payment| &self.payments[payment].method);
        owner.paying_method(self.dated).is_some()
            || charged.is_some() && charged == owner.preferred.as_ref()
    }

    /// When a bill of this month that is still unpaid makes overdue (R8.1).
    pub(crate) fn overdue_at(&self, wallet: usize, month: Month) -> i64 {
        after_month(&self.wallets[wallet].zone, month, self.settings.overdue_after)
    }

    /// When a bill of this month that is still unpaid becomes bad debt (R9.1).
    pub(crate) fn bad_debt_at(&self, wallet: usize, month: Month) -> i64 {
        after_month(&self.wallets[wallet].zone, month, self.settings.bad_debt_after)
    }

    pub(crate) fn judge_bad_debt(&mut self, wallet: usize, month: Month) {
        let owner = &mut self.wallets[wallet];
        if owner.unpaid_by_month.get(&month).is_some_and(Exact::is_positive) {
            owner.bad_debt = true;
        }
    }

    /// The operator lifts what bad debt forbids, until a bill is bad debt again (R9.1).
    pub(crate) fn lift_bad_debt(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet = self.wallet_number(fields.text("billing_account")?)?;
        match std::mem::take(&mut self.wallets[wallet].bad_debt) {
            true => Ok(()),
            false => Err(NOT_FOUND),
        }
    }
}
