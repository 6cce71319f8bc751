//! What can be looked at.

use crate::BookKeeper;
use crate::exact::Exact;
use crate::ledger::Place;
use crate::wallet::Kind;
use std::collections::BTreeMap;

/// A bill as issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Its name: the billing account's, and its number among that one's bills.
    pub bill: String,
    pub billing_account: String,
    pub account: String,
    pub product: String,
    /// The month it belongs to, as `2026-03`.
    pub month: String,
    /// The end of its cycle; for an order the time of its issue.
    pub cycle_end: i64,
    pub issued_at: i64,
    /// The order, if it is the bill of one.
    pub order: Option<String>,
    pub amount: String,
    pub paid: String,
}

/// A payment by a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub billing_account: String,
    pub cause: String,
    pub method: String,
    pub amount: String,
    pub currency: String,
    /// `pending`, `delayed`, `succeeded` or `declined`.
    pub status: String,
    /// When the gateway was first asked.
    pub at: i64,
}

/// What the owner of a billing account was told, once however many recipients there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub billing_account: String,
    pub kind: String,
    pub at: i64,
}

/// A change of an asset (R4.4). Before and after are those of the lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub number: u64,
    pub at: i64,
    pub billing_account: String,
    pub asset: String,
    pub lot: String,
    pub before: String,
    pub amount: String,
    pub after: String,
    pub cause: String,
    pub remark: String,
}

impl BookKeeper {
    /// The view `balance`, as of the instant up to which time has passed.
    pub fn balance(&self, billing_account: &str) -> Option<BTreeMap<String, String>> {
        let wallet = *self.wallet_numbers.get(billing_account)?;
        let owner = &self.wallets[wallet];
        let mut view = BTreeMap::new();
        let mut show = |name: &str, value: String| {
            view.insert(name.to_string(), value);
        };
        show("currency", owner.currency.code.to_string());
        show("state", "valid".to_string());
        show("available", owner.available().to_string());
        show("overdue", self.is_overdue(wallet).to_string());
        match owner.kind {
            Kind::Ecosystem => {
                show("quota", owner.quota.to_string());
                show("quota_consumed", owner.quota_consumed.to_string());
                show("unbilled", owner.unbilled().to_string());
            }
            Kind::Direct => {
                let this_month = owner.month_of(self.dated);
                let (mut current, mut previous) = (Exact::zero(), Exact::zero());
                for (month, unsettled) in owner.unsettled() {
                    let sum = if month < this_month { &mut previous } else { &mut current };
                    *sum += &unsettled;
                }
                show("cash", owner.cash().to_string());
                show("cash_transferred_in", owner.cash_transferred_in().to_string());
                show("credit_limit", owner.credit_limit.to_string());
                show(
                    "credit_limit_pending",
                    owner.pending_limit.clone().unwrap_or_default().to_string(),
                );
                show("credit_refund", owner.credit_refund().to_string());
                show("unsettled_current", current.to_string());
                show("unsettled_previous", previous.to_string());
                show("transferable", owner.transferable().to_string());
                let held = self.ledger.balance(owner.currency, Place::Held(wallet));
                show("in_flight", held.to_string());
            }
        }
        Some(view)
    }

    /// The view `due`: what is owed of issued bills, and what the balance covers of it.
    pub fn due(&self, billing_account: &str) -> Option<BTreeMap<String, String>> {
        let wallet = *self.wallet_numbers.get(billing_account)?;
        let (owed, covered) = self.due_now(wallet);
        let remainder = &owed - &covered;
        let figures = [("owed", owed), ("covered_by_balance", covered), ("remainder", remainder)];
        Some(
            figures
                .into_iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        )
    }

    /// Every payment by a method, in order.
    pub fn payments(&self) -> Vec<Payment> {
        let show = |payment: &crate::payments::MethodPayment| Payment {
            billing_account: self.wallets[payment.wallet].name.clone(),
            cause: payment.cause.to_string(),
            method: payment.method.clone(),
            amount: payment.amount.to_string(),
            currency: payment.currency.code.to_string(),
            status: payment.status.name().to_string(),
            at: payment.at,
        };
        self.payments.iter().map(show).collect()
    }

    /// The methods of a billing account, the longest linked first: name, state, and whether it is preferred.
    pub fn payment_methods(&self, billing_account: &str) -> Vec<(String, String, bool)> {
        let Some(wallet) = self.wallet_numbers.get(billing_account) else { return Vec::new() };
        let owner = &self.wallets[*wallet];
        let show = |method: &crate::methods::Method| {
            let state = if owner.is_active(method, self.dated) { "active" } else { "inactive" };
            let preferred = owner.preferred.as_ref() == Some(&method.name);
            (method.name.clone(), state.to_string(), preferred)
        };
        owner.methods.iter().map(show).collect()
    }

    /// What owners were told, in order.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.clone()
    }

    /// Every bill issued, in the order of issue.
    pub fn bills(&self) -> Vec<Bill> {
        let mut numbers = vec![0; self.wallets.len()];
        let mut name = |wallet: usize| {
            numbers[wallet] += 1;
            format!("{}.{}", self.wallets[wallet].name, numbers[wallet])
        };
        let show = |bill: &crate::bills::IssuedBill| Bill {
            bill: name(bill.wallet),
            billing_account: self.wallets[bill.wallet].name.clone(),
            account: bill.account.clone(),
            product: bill.product.clone(),
            month: bill.month.to_string(),
            cycle_end: bill.cycle_end,
            issued_at: bill.issued_at,
            order: bill.order.clone(),
            amount: bill.amount.to_string(),
            paid: bill.paid.to_string(),
        };
        self.bills.iter().map(show).collect()
    }

    /// Every change of an asset, in order.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.clone()
    }

    /// The exact charges of each account so far.
    pub fn charges_total(&self) -> BTreeMap<String, String> {
        self.charged_by_account
            .iter()
            .map(|(account, total)| (account.clone(), total.to_string()))
            .collect()
    }

    /// The coupons and cash coupons of a billing account by id, with what is left of each.
    pub fn coupons(&self, billing_account: &str) -> Vec<(String, String)> {
        let Some(wallet) = self.wallet_numbers.get(billing_account) else { return Vec::new() };
        self.wallets[*wallet]
            .coupons
            .iter()
            .map(|(id, coupon)| (id.clone(), coupon.left.to_string()))
            .collect()
    }
}
