//! Negative bills (R5.7), and giving money back to the lot it came from.

use crate::BookKeeper;
use crate::bills::{PaidBy, Payment};
use crate::calendar::Month;
use crate::exact::Exact;
use crate::ledger::{Lot, Place};
use crate::wallet::Remark;

impl BookKeeper {
    /// A negative bill undoes the usage bills of its account and product: first what is unpaid of them, latest bill
    /// first, then payments, latest bill first and within a bill in reverse order. Bills of orders are left alone:
    /// an order is undone by its refund.
    pub(crate) fn undo_payments(&mut self, negative: usize) {
        let rest = -&self.bills[negative].amount;
        self.bills[negative].paid = self.bills[negative].amount.clone();
        self.undo(negative, rest);
    }

    /// The result of a payment is known: what waited for it is undone now.
    pub(crate) fn undo_what_waits(&mut self, wallet: usize) {
        for (negative, (_, rest)) in std::mem::take(&mut self.wallets[wallet].waiting) {
            self.undo(negative, rest);
        }
    }

    /// Undoes so much. Bills in flight are passed over; what only they could give waits for the result (R5.7).
    fn undo(&mut self, negative: usize, mut rest: Exact) {
        let wallet = self.bills[negative].wallet;
        let currency = self.wallets[wallet].currency;
        rest = self.undo_unpaid_parts(negative, rest);
        let key = (self.bills[negative].account.clone(), self.bills[negative].product.clone());
        let candidates = match self.bills[negative].is_credit {
            true => self.bills_of(wallet, &key, self.bills[negative].month),
            false => self.wallets[wallet].usage_bills.get(&key).cloned().unwrap_or_default(),
        };
        let mut in_flight = false;
        for bill in candidates.into_iter().rev() {
            if self.wallets[wallet].set_aside.contains(&bill) {
                in_flight = true;
            } else if rest.is_positive() {
                rest = self.undo_payments_of(negative, bill, rest);
            }
        }
        if in_flight && rest.is_positive() {
            let month = self.bills[negative].month;
            self.wallets[wallet].waiting.insert(negative, (month, rest));
            return;
        }
        // What is promised in writing is given, also where nothing is left to undo.
        if self.bills[negative].is_tax || self.bills[negative].is_credit {
            let cause = if self.bills[negative].is_tax { "tax_returned" } else { "credit_note" };
            let from = Place::Bill(negative);
            self.change_asset(wallet, &Lot::OwnCash, &rest, from, cause, "");
            return;
        }
        // Nothing is left to undo only where rounding kept earlier charges of other months from being billed at all:
        // what was never billed is not given back.
        self.ledger.move_money(currency, Place::Bill(negative), Place::Rounding, &rest);
    }

    /// All bills of an account and product that ask for something, in the order of issue: a credit note takes back
    /// orders of its month as well (R12.2).
    fn bills_of(
        &self,
        wallet: usize,
        (account, product): &(String, String),
        month: Month,
    ) -> Vec<usize> {
        let is_meant = |bill: &usize| {
            let bill = &self.bills[*bill];
            bill.account == *account
                && bill.product == *product
                && bill.amount.is_positive()
                && !bill.is_tax
                && (bill.order.is_none() || bill.month == month)
        };
        self.wallets[wallet].issued.iter().copied().filter(is_meant).collect()
    }

    fn undo_unpaid_parts(&mut self, negative: usize, mut rest: Exact) -> Exact {
        let wallet = self.bills[negative].wallet;
        let currency = self.wallets[wallet].currency;
        for bill in self.wallets[wallet].not_in_flight().into_iter().rev() {
            if !rest.is_positive() {
                break;
            }
            let (this, that) = (&self.bills[bill], &self.bills[negative]);
            let is_spared = this.order.is_some() && !(that.is_credit && this.month == that.month);
            if is_spared || this.account != that.account || this.product != that.product {
                continue;
            }
            let part = this.unpaid().min(rest.clone());
            self.ledger.move_money(currency, Place::Bill(negative), Place::Bill(bill), &part);
            self.mark_paid(bill, PaidBy::Correction(negative), &part);
            if let Some(order) = self.bills[bill].order.clone() {
                self.note_refund(wallet, &order, &part);
            }
            rest -= &part;
        }
        rest
    }

    fn undo_payments_of(&mut self, negative: usize, bill: usize, mut rest: Exact) -> Exact {
        let wallet = self.bills[bill].wallet;
        for position in (0..self.bills[bill].payments.len()).rev() {
            let payment = &mut self.bills[bill].payments[position];
            let (holder, lot) = match payment.by.clone() {
                PaidBy::Lot(lot) => (wallet, lot),
                PaidBy::Shared(holder, id) => (holder, Lot::Coupon(id)),
                // What a method paid becomes own cash.
                PaidBy::Method(_) => (wallet, Lot::OwnCash),
                PaidBy::Correction(_) | PaidBy::Refund => continue,
            };
            let part = (&payment.amount - &payment.returned).min(rest.clone());
            if !part.is_positive() {
                continue;
            }
            payment.returned += &part;
            if let Lot::Coupon(_) = lot {
                self.bills[negative].coupons_undone += &part;
            }
            // The bill stays paid: what the lot had paid of it, the negative bill pays now.
            let correction = Payment {
                by: PaidBy::Correction(negative),
                amount: part.clone(),
                returned: Exact::zero(),
            };
            self.bills[bill].payments.push(correction);
            // What a credit note takes back of an order is refunded, and cannot be once more (R12.2).
            let order = self.bills[bill].order.clone();
            if let Some(order) = &order {
                self.note_refund(wallet, order, &part);
            }
            let (cause, remark) = match order {
                Some(order) => ("refund", Remark::from(order.as_str())),
                None if holder != wallet => ("shared", Remark::Bill(bill)),
                None => ("bill_reversed", Remark::Bill(bill)),
            };
            self.give_back(holder, &lot, &part, Place::Bill(negative), cause, remark);
            rest -= &part;
        }
        rest
    }

    /// Returns money to the lot that paid. What an expired coupon or cash coupon paid lapses.
    pub(crate) fn give_back(
        &mut self,
        wallet: usize,
        lot: &Lot,
        amount: &Exact,
        from: Place,
        cause: &'static str,
        remark: impl Into<Remark>,
    ) {
        if self.wallets[wallet].has_expired(lot, self.dated) {
            let currency = self.wallets[wallet].currency;
            self.ledger.move_money(currency, from, Place::World, amount);
        } else {
            self.change_asset(wallet, lot, amount, from, cause, remark);
        }
    }
}
