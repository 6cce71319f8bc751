//! Charges that happen by themselves: at a threshold (R6.1), at the end of a month (R6.2), again after a decline
//! (R6.5), and what waits while a payment is in flight (R6.3).

use crate::BookKeeper;
use crate::calendar::full_minute_from;
use crate::exact::Exact;
use crate::methods::MethodKind;
use crate::passing::Due;
use crate::payments::{MethodPayment, Purpose};
use crate::wallet::Wallet;
use std::collections::BTreeSet;

/// What goes on from a first decline until it is cured (R6.5).
#[derive(Clone, Debug)]
pub struct Declines {
    /// Which series of this billing account it is, so that the tries of an earlier one are known as such.
    pub number: usize,
    /// The bills whose payment was declined.
    bills: BTreeSet<usize>,
    /// The tries made so far.
    made: usize,
    /// The tries whose time has come and that wait for something.
    waiting: usize,
}

impl BookKeeper {
    /// What is owed at which the default method is charged (R6.1). Without a figure only the month's end charges.
    fn threshold(&self, wallet: usize) -> Option<Exact> {
        let owner = &self.wallets[wallet];
        let code = owner.currency.code;
        match owner.paying_method(self.dated)?.kind {
            MethodKind::Card => self.settings.card_threshold.get(code).cloned(),
            MethodKind::Paypal => {
                let (_, most) = self.settings.paypal_threshold.get(code)?;
                Some(owner.auto_pay_threshold.clone().unwrap_or(most.clone()))
            }
            MethodKind::Alipay | MethodKind::Unionpay => None,
        }
    }

    fn threshold_is_reached(&self, wallet: usize) -> bool {
        let Some(threshold) = self.threshold(wallet) else { return false };
        // More than this cannot be owed; only if it is enough, all is worked out.
        if self.wallets[wallet].owed_at_most() < threshold {
            return false;
        }
        let mut trial = self.trial();
        trial.issue_early(wallet);
        trial.wallets[wallet].unpaid_total() >= threshold
    }

    /// All open cycles are issued, and write-off runs.
    fn issue_early(&mut self, wallet: usize) {
        let open: Vec<i64> = self.wallets[wallet].open.keys().copied().collect();
        for cycle_end in &open {
            self.issue_cycle(wallet, *cycle_end);
        }
        if open.is_empty() {
            self.write_off(wallet);
        } else {
            self.write_off_after_issue(wallet);
        }
    }

    /// Charges the default method all that is owed. Whatever else was due for that is done with it.
    fn charge_all(&mut self, wallet: usize, cause: &'static str) {
        self.wallets[wallet].month_end_waits = false;
        let Some(method) = self.wallets[wallet].paying_method(self.dated) else { return };
        let method = method.name.clone();
        let mut trial = self.trial();
        trial.issue_early(wallet);
        if !trial.wallets[wallet].unpaid_total().is_positive() {
            return;
        }
        self.issue_early(wallet);
        let parts: Vec<(usize, Exact)> = self.wallets[wallet]
            .unpaid
            .iter()
            .map(|bill| (*bill, self.bills[*bill].unpaid()))
            .collect();
        let amount: Exact = parts.iter().map(|(_, part)| part).sum();
        if amount.is_positive() {
            self.charge_method(wallet, cause, &method, amount, Purpose::Bills(parts));
        }
    }

    /// A month has ended (R6.2).
    pub(crate) fn month_has_ended(&mut self, wallet: usize) {
        if self.wallets[wallet].paying_method(self.dated).is_some() {
            self.wallets[wallet].month_end_waits = true;
        }
    }

    /// The time of a try has come (R6.5).
    pub(crate) fn try_is_due(&mut self, wallet: usize, series: usize) {
        if let Some(declines) = &mut self.wallets[wallet].declines
            && declines.number == series
        {
            declines.waiting += 1;
        }
    }

    pub(crate) fn default_method_changed(&mut self, wallet: usize) {
        let owner = &mut self.wallets[wallet];
        owner.newly_preferred = owner.declines.is_some() && owner.preferred.is_some();
        self.charge_what_is_due(wallet, true);
    }

    /// Charges what has come due, if it can be charged now. The threshold is tested when something has changed that
    /// R6.1 names.
    pub(crate) fn charge_what_is_due(&mut self, wallet: usize, test_threshold: bool) {
        // Also where nothing may be charged now.
        let cured = self.is_cured(wallet);
        if cured {
            self.wallets[wallet].declines = None;
            self.wallets[wallet].newly_preferred = false;
        }
        if !self.can_be_charged(wallet) {
            return;
        }
        let owner = &mut self.wallets[wallet];
        if let Some(declines) = &mut owner.declines {
            // Only a newly preferred method and the tries charge anything until that is cured (R6.5).
            if std::mem::take(&mut owner.newly_preferred) {
                self.charge_all(wallet, "manual");
            } else if declines.waiting > 0 {
                declines.made += std::mem::take(&mut declines.waiting);
                self.charge_all(wallet, "retry");
            }
            return;
        }
        if (test_threshold || cured) && self.threshold_is_reached(wallet) {
            self.charge_all(wallet, "threshold");
        } else if self.wallets[wallet].month_end_waits {
            self.charge_all(wallet, "month_end");
        }
    }

    /// Whether a payment of bills could begin by itself: none is in flight (R6.3), and the billing account is neither
    /// frozen (R4.5) nor being settled (R5.6).
    fn can_be_charged(&self, wallet: usize) -> bool {
        let owner = &self.wallets[wallet];
        owner.in_flight.is_none() && !owner.frozen && !self.is_settling(wallet)
    }

    /// What was declined is paid, by whatever (R6.5).
    fn is_cured(&self, wallet: usize) -> bool {
        let is_paid = |bill: &usize| self.bills[*bill].unpaid().is_zero();
        let declines = self.wallets[wallet].declines.as_ref();
        declines.is_some_and(|declines| declines.bills.iter().all(is_paid))
    }

    /// A payment was declined. Those of a threshold and of a month's end begin a series of tries, which count from
    /// the first decline, each on its own; within a series their bills join it. A try whose own bills have undone all
    /// that was declined before begins one, too.
    pub(crate) fn begin_or_go_on_with_tries(&mut self, payment: usize) {
        if self.is_cured(self.payments[payment].wallet) {
            self.wallets[self.payments[payment].wallet].declines = None;
        }
        let MethodPayment { wallet, cause, ref purpose, .. } = self.payments[payment];
        let Purpose::Bills(parts) = purpose else { return };
        let bills: BTreeSet<usize> = parts.iter().map(|(bill, _)| *bill).collect();
        let owner = &mut self.wallets[wallet];
        match &mut owner.declines {
            Some(declines) if cause == "retry" => declines.bills.extend(bills),
            Some(_) => {}
            None if ["threshold", "month_end", "retry"].contains(&cause) => {
                owner.series += 1;
                let number = owner.series;
                owner.declines = Some(Declines { number, bills, made: 0, waiting: 0 });
                for after in self.settings.retry_after.clone() {
                    let due = Due::Try { wallet, series: number, after };
                    // What falls due by itself does so at a full minute.
                    self.falls_due(full_minute_from(self.now.saturating_add(after)), due);
                }
            }
            None => {}
        }
    }

    /// Whether the tries after a decline have run out (R6.5, R8.1).
    pub(crate) fn tries_have_run_out(&self, wallet: usize) -> bool {
        let owner = &self.wallets[wallet];
        let last_is_unknown =
            owner.in_flight.is_some_and(|payment| self.payments[payment].cause == "retry");
        owner.declines.as_ref().is_some_and(|declines| {
            declines.made >= self.settings.retry_after.len() && !last_is_unknown
        })
    }

    /// Something has happened. Money may have come that pays what was declined: then what came due meanwhile is
    /// charged. Available credit may have fallen (R6.7).
    pub(crate) fn look_after_everyone(&mut self) {
        self.renew_what_waits();
        for wallet in 0..self.wallets.len() {
            if self.wallets[wallet].declines.is_some() && self.is_cured(wallet) {
                self.charge_what_is_due(wallet, true);
            }
            self.recharge_if_low(wallet);
        }
    }
}

impl Wallet {
    /// The unpaid bills and what the open cycles would bill, before coupons and write-off.
    fn owed_at_most(&self) -> Exact {
        let mut owed = self.unpaid_total();
        for cycle in self.open.values() {
            for ((account, product), charges) in &cycle.charges {
                owed += &self.would_bill(account, product, cycle.month, charges).at_least_zero();
            }
        }
        owed
    }
}
