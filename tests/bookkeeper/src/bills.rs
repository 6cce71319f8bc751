//! Bills: issuing them (R1.2, R5.1) and paying them from a lot.

use crate::BookKeeper;
use crate::calendar::Month;
use crate::exact::Exact;
use crate::ledger::{Lot, Place};
use crate::passing::Due;
use crate::wallet::{Kind, OpenCharges, Remark, Wallet};

/// What paid a part of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaidBy {
    Lot(Lot),
    /// The coupon of another wallet that is shared with the bill's account (R9.7).
    Shared(usize, String),
    /// A payment by a method, at this position (R6.4).
    Method(usize),
    /// A negative bill, at this position (R5.7).
    Correction(usize),
    /// A refund of the order whose bill this is (R5.8).
    Refund,
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub by: PaidBy,
    pub amount: Exact,
    /// What of it has been given back since, and is covered by a correction or a refund instead.
    pub returned: Exact,
}

/// A bill as issued. Its amount never changes.
#[derive(Clone, Debug)]
pub struct IssuedBill {
    pub wallet: usize,
    pub account: String,
    pub product: String,
    pub month: Month,
    /// The end of its cycle; for an order the time of its issue.
    pub cycle_end: i64,
    pub issued_at: i64,
    pub order: Option<String>,
    /// It is over the tax of an invoice (R12.5).
    pub is_tax: bool,
    /// It takes a part of an invoice back (R12.2).
    pub is_credit: bool,
    /// It stands on an invoice, or never will.
    pub invoiced: bool,
    /// What a negative bill undid of what coupons had paid (R12.3).
    pub coupons_undone: Exact,
    pub amount: Exact,
    pub paid: Exact,
    pub payments: Vec<Payment>,
}

impl IssuedBill {
    /// The last instant that it covers: it may have been issued before its cycle ended (R3.5).
    pub fn last_covered(&self) -> i64 {
        match &self.order {
            Some(_) => self.issued_at,
            None => self.issued_at.min(self.cycle_end.saturating_sub(1)),
        }
    }

    pub fn unpaid(&self) -> Exact {
        &self.amount - &self.paid
    }
}

impl BookKeeper {
    /// The name of a bill: its billing account's, and its number among that one's bills.
    pub(crate) fn bill_name(&self, bill: usize) -> String {
        let owner = &self.wallets[self.bills[bill].wallet];
        let number = owner.issued.partition_point(|earlier| *earlier < bill) + 1;
        format!("{}.{number}", owner.name)
    }

    /// Issues the bills of one cycle: all amounts first, because all of them count for a coupon's `minimum`, then
    /// bill by bill, by account and then product (R5.2).
    pub(crate) fn issue_cycle(&mut self, wallet: usize, cycle_end: i64) {
        let Some(cycle) = self.wallets[wallet].open.remove(&cycle_end) else { return };
        let month = cycle.month;
        let mut amounts = Vec::new();
        for ((account, product), charges) in cycle.charges {
            let amount = self.close_charges(wallet, month, &account, &product, &charges);
            amounts.push((account, product, charges, amount));
        }
        for (account, product, charges, amount) in amounts {
            let bill = self.enter_bill(IssuedBill {
                wallet,
                account: account.clone(),
                product: product.clone(),
                month,
                cycle_end,
                issued_at: self.now,
                order: None,
                amount,
                is_tax: false,
                is_credit: false,
                invoiced: false,
                coupons_undone: Exact::zero(),
                paid: Exact::zero(),
                payments: Vec::new(),
            });
            let open = Place::OpenCharges(wallet);
            let currency = self.wallets[wallet].currency;
            self.ledger.move_money(currency, Place::Bill(bill), open, &self.bills[bill].amount);
            let parts =
                self.open_parts.remove(&(wallet, cycle_end, account.clone(), product.clone()));
            self.bill_parts.insert(bill, parts.unwrap_or_default());
            self.wallets[wallet].usage_bills.entry((account, product)).or_default().push(bill);
            self.settle_at_issue(bill, &charges);
        }
    }

    /// What a cycle's charges are billed with: the rounded sum of the month so far, less what has been billed of it
    /// (R1.2).
    fn close_charges(
        &mut self,
        wallet: usize,
        month: Month,
        account: &str,
        product: &str,
        charges: &OpenCharges,
    ) -> Exact {
        let owner = &mut self.wallets[wallet];
        let amount = owner.would_bill(account, product, month, charges);
        let so_far =
            owner.months.entry((account.to_string(), product.to_string(), month)).or_default();
        so_far.exact += &charges.total;
        so_far.billed += &amount;
        let held_back = &charges.total - &amount;
        self.ledger.move_money(
            owner.currency,
            Place::Rounding,
            Place::OpenCharges(wallet),
            &held_back,
        );
        self.count_as_billed(wallet, month, product, &amount);
        amount
    }

    /// Counts an amount for the `minimum` of coupons (R5.2).
    pub(crate) fn count_as_billed(
        &mut self,
        wallet: usize,
        month: Month,
        product: &str,
        amount: &Exact,
    ) {
        let products = self.wallets[wallet].billed.entry(month).or_default();
        *products.entry(product.to_string()).or_default() += amount;
    }

    /// Enters a bill among those issued; what is unpaid of it counts from now on.
    pub(crate) fn enter_bill(&mut self, bill: IssuedBill) -> usize {
        let position = self.bills.len();
        self.wallets[bill.wallet].issued.push(position);
        if bill.amount.is_positive() {
            let owner = &mut self.wallets[bill.wallet];
            owner.unpaid.insert(position);
            *owner.unpaid_by_month.entry(bill.month).or_default() += &bill.amount;
            let due = Due::BadDebt { wallet: bill.wallet, month: bill.month };
            let at = self.bad_debt_at(bill.wallet, bill.month);
            self.falls_due(at, due);
            let overdue_at = self.overdue_at(bill.wallet, bill.month);
            self.falls_due(overdue_at, Due::Judgement { wallet: bill.wallet });
        }
        self.bills.push(bill);
        position
    }

    /// What happens to a usage bill as it is issued: a partner's quota takes it, a negative one undoes payments, and
    /// coupons pay the others.
    fn settle_at_issue(&mut self, bill: usize, charges: &OpenCharges) {
        let wallet = self.bills[bill].wallet;
        if self.wallets[wallet].kind == Kind::Ecosystem {
            self.consume_quota(bill);
        } else if self.bills[bill].amount.is_negative() {
            self.undo_payments(bill);
        } else {
            self.pay_with_coupons(bill, &charges.by_time);
        }
    }

    /// The bill of an ecosystem billing account moves from unbilled to consumed (R4.3). The partner settles it, so
    /// nothing of it is unpaid here, however far below zero the rest of the quota lies.
    pub(crate) fn consume_quota(&mut self, bill: usize) {
        let wallet = self.bills[bill].wallet;
        let amount = self.bills[bill].amount.clone();
        if amount.is_negative() {
            self.change_asset(
                wallet,
                &Lot::Quota,
                &-&amount,
                Place::Bill(bill),
                "bill_reversed",
                Remark::Bill(bill),
            );
            self.bills[bill].paid = amount.clone();
        } else {
            self.pay_from_lot(bill, &Lot::Quota, &amount, "bill");
        }
        self.wallets[wallet].quota_consumed += &amount;
    }

    /// A lot pays a part of a bill.
    pub(crate) fn pay_from_lot(
        &mut self,
        bill: usize,
        lot: &Lot,
        amount: &Exact,
        cause: &'static str,
    ) {
        let wallet = self.bills[bill].wallet;
        self.change_asset(wallet, lot, &-amount, Place::Bill(bill), cause, Remark::Bill(bill));
        self.mark_paid(bill, PaidBy::Lot(lot.clone()), amount);
    }

    /// Notes that a part of a bill is paid. Where the money came from has been entered by the caller.
    pub(crate) fn mark_paid(&mut self, bill: usize, by: PaidBy, amount: &Exact) {
        if amount.is_zero() {
            return;
        }
        let issued = &mut self.bills[bill];
        issued.paid += amount;
        issued.payments.push(Payment { by, amount: amount.clone(), returned: Exact::zero() });
        let owner = &mut self.wallets[issued.wallet];
        *owner.unpaid_by_month.entry(issued.month).or_default() -= amount;
        if issued.unpaid().is_zero() {
            owner.unpaid.remove(&bill);
        }
    }
}

impl Wallet {
    /// What these charges of a cycle would be billed with now (R1.2).
    pub fn would_bill(
        &self,
        account: &str,
        product: &str,
        month: Month,
        charges: &OpenCharges,
    ) -> Exact {
        let key = (account.to_string(), product.to_string(), month);
        let so_far = self.months.get(&key).cloned().unwrap_or_default();
        let exact = &so_far.exact + &charges.total;
        &exact.round_half_away(self.currency.places) - &so_far.billed
    }
}
