//! The states of a billing account: frozen, and closed for good (R4.5).

use crate::BookKeeper;
use crate::calendar::DAY;
use crate::fields::{Fields, NOT_FOUND, Refusal};
use crate::rights::{OPERATOR, Right};
use crate::wallet::Kind;

/// How long a billing account must have paid for nobody.
const PAID_FOR_NOBODY: i64 = 35 * DAY;

impl BookKeeper {
    /// A billing account that something is to be taken out of: not a frozen one.
    pub(crate) fn not_frozen(&self, wallet: usize) -> Result<(), Refusal> {
        if self.wallets[wallet].frozen { Err("frozen") } else { Ok(()) }
    }

    pub(crate) fn freeze_billing_account(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet = self.asked_wallet(fields.text("billing_account")?, Right::Own)?;
        self.not_frozen(wallet)?;
        self.wallets[wallet].frozen = true;
        self.wallets[wallet].frozen_by_operator = self.asking == OPERATOR;
        Ok(())
    }

    /// What waited runs: bills are written off, then what came due is charged. What the operator has frozen only the
    /// operator sets free.
    pub(crate) fn unfreeze_billing_account(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet = self.asked_wallet(fields.text("billing_account")?, Right::Own)?;
        let owner = &self.wallets[wallet];
        if owner.frozen && owner.frozen_by_operator && self.asking != OPERATOR {
            return Err("not_permitted");
        }
        if !self.wallets[wallet].frozen {
            return Err(NOT_FOUND);
        }
        self.wallets[wallet].frozen = false;
        self.write_off_after_issue(wallet);
        self.charge_what_is_due(wallet, true);
        Ok(())
    }

    /// Final, and only with nothing owed, nothing left, and 35 days after it last paid for an account.
    pub(crate) fn deregister_billing_account(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet = self.asked_wallet(fields.text("billing_account")?, Right::Own)?;
        self.not_frozen(wallet)?;
        let pays_or_paid = self.paid_until(wallet).is_none_or(|until| {
            until.is_some_and(|until| self.now.saturating_sub(until) < PAID_FOR_NOBODY)
        });
        if pays_or_paid
            || self.owes_something(wallet)
            || self.holds_something(wallet)
            || self.has_something_to_invoice(wallet)
        {
            return Err("not_empty");
        }
        self.wallets[wallet].deregistered_at = Some(self.now);
        Ok(())
    }

    /// Until when it paid for accounts: nothing, if it still does or will; no time, if it never did.
    fn paid_until(&self, wallet: usize) -> Option<Option<i64>> {
        let mut until = None;
        for account in self.accounts.values() {
            for (from, to) in account.paid_by(wallet) {
                let to = to?;
                if to > self.now {
                    return None;
                }
                if to > from {
                    until = until.max(Some(to));
                }
            }
        }
        Some(until)
    }

    fn owes_something(&self, wallet: usize) -> bool {
        let owner = &self.wallets[wallet];
        let under_way = |payment: &crate::payments::MethodPayment| {
            payment.wallet == wallet && payment.is_under_way()
        };
        let waits_for_money = |request: &crate::requests::Request| {
            request.state == crate::requests::State::Approved && request.requester == wallet
        };
        self.requests.values().any(waits_for_money)
            || !owner.unpaid.is_empty()
            || !owner.open.is_empty()
            || self.payments.iter().any(under_way)
    }

    fn holds_something(&self, wallet: usize) -> bool {
        let owner = &self.wallets[wallet];
        let is_valid = |coupon: &crate::coupons::Coupon| {
            coupon.left.is_positive() && !coupon.has_expired(self.dated)
        };
        self.has_a_valid_benefit(wallet)
            || owner.kind == Kind::Direct
                && (owner.cash().is_positive()
                    || owner.credit_refund().is_positive()
                    || owner.coupons.values().any(is_valid))
    }

    /// Whether a bill or a top-up belongs to a period whose invoice is still to come (R12.1).
    fn has_something_to_invoice(&self, wallet: usize) -> bool {
        let owner = &self.wallets[wallet];
        if owner.kind == Kind::Ecosystem {
            return false;
        }
        let is_top_up = |entry: &&crate::views::Entry| {
            entry.billing_account == owner.name && ["top_up", "remittance"].contains(&&*entry.cause)
        };
        owner.issued.iter().any(|bill| !self.bills[*bill].invoiced)
            || self.entries.iter().filter(is_top_up).any(|entry| entry.at >= owner.invoiced_until)
    }
}
