//! Refunds of orders (R5.8). A refund is done at once, as no gateway takes part in it here.

use crate::BookKeeper;
use crate::bills::PaidBy;
use crate::exact::Exact;
use crate::fields::{Fields, INVALID_AMOUNT, MALFORMED, Refusal};
use crate::ledger::{Lot, Place};
use crate::wallet::Kind;

/// Where a refund goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Destination {
    /// To whatever paid.
    Original,
    Cash,
    Credit,
}

impl BookKeeper {
    pub(crate) fn refund_order(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let id = fields.text("order")?.to_string();
        let to = match fields.text("to")? {
            "original" => Destination::Original,
            "cash" => Destination::Cash,
            "credit" => Destination::Credit,
            _ => return Err(MALFORMED),
        };
        let wallet = self.wallet_number(wallet_name)?;
        let owner = &self.wallets[wallet];
        if owner.kind == Kind::Ecosystem && to != Destination::Original {
            return Err("not_for_ecosystem");
        }
        let amount = fields.amount("amount", owner.currency)?;
        match self.orders.get(&(wallet, id.clone())) {
            Some(order) => {
                if &order.refunded + &amount > self.bills[order.bill].amount {
                    return Err(INVALID_AMOUNT);
                }
                if to == Destination::Credit && !order.on_credit {
                    return Err("method_not_allowed");
                }
                let bill = order.bill;
                self.refund_own(wallet, &id, bill, &amount, to);
                if self.orders[&(wallet, id.clone())].refunded == self.bills[bill].amount {
                    self.give_up_benefit(wallet, &id);
                }
            }
            None => self.refund_of_elsewhere(wallet, &id, &amount, to)?,
        }
        self.write_off(wallet);
        Ok(())
    }

    /// The operator vouches for an order of the platform's own system: the whole amount goes where it is asked to.
    fn refund_of_elsewhere(
        &mut self,
        wallet: usize,
        id: &str,
        amount: &Exact,
        to: Destination,
    ) -> Result<(), Refusal> {
        let lot = match to {
            Destination::Original => return Err("not_found"),
            Destination::Cash => Lot::OwnCash,
            Destination::Credit => self.refund_lot_of_now(wallet),
        };
        self.change_asset(wallet, &lot, amount, Place::World, "refund", id);
        Ok(())
    }

    pub(crate) fn note_refund(&mut self, wallet: usize, id: &str, amount: &Exact) {
        if let Some(order) = self.orders.get_mut(&(wallet, id.to_string())) {
            order.refunded += amount;
        }
    }

    fn refund_lot_of_now(&self, wallet: usize) -> Lot {
        Lot::CreditRefund(self.wallets[wallet].month_of(self.now))
    }

    /// Takes the order's bill back from its end: first what is unpaid of it, then its payments in reverse order, so
    /// that what coupons paid comes last.
    fn refund_own(
        &mut self,
        wallet: usize,
        id: &str,
        bill: usize,
        amount: &Exact,
        to: Destination,
    ) {
        self.note_refund(wallet, id, amount);
        let mut rest = amount.clone();
        let unpaid = self.bills[bill].unpaid().min(rest.clone());
        if unpaid.is_positive() {
            rest -= &unpaid;
            if to == Destination::Credit {
                // The bill stays as it is: a credit refund lowers what is unsettled, never what is invoiced (R5.5).
                let lot = self.refund_lot_of_now(wallet);
                self.change_asset(wallet, &lot, &unpaid, Place::World, "refund", id);
            } else {
                let currency = self.wallets[wallet].currency;
                self.ledger.move_money(currency, Place::World, Place::Bill(bill), &unpaid);
                self.mark_paid(bill, PaidBy::Refund, &unpaid);
            }
        }
        for position in (0..self.bills[bill].payments.len()).rev() {
            let payment = &mut self.bills[bill].payments[position];
            let by = payment.by.clone();
            if !matches!(by, PaidBy::Lot(_) | PaidBy::Method(_)) {
                continue;
            }
            let part = (&payment.amount - &payment.returned).min(rest.clone());
            if !part.is_positive() {
                continue;
            }
            rest -= &part;
            payment.returned += &part;
            self.refund_payment(wallet, id, bill, &by, &part, to);
        }
    }

    /// Gives back what one lot or a method paid. Only cash can become something else, and only a credit refund: what coupons,
    /// cash coupons and credit refunds paid never becomes cash, and the cash of a sender stays that sender's.
    fn refund_payment(
        &mut self,
        wallet: usize,
        id: &str,
        bill: usize,
        by: &PaidBy,
        part: &Exact,
        to: Destination,
    ) {
        let goes_to = match (by, to) {
            // The gateway pays it back: none of it is in the wallet.
            (PaidBy::Method(_), Destination::Original) => None,
            (
                PaidBy::Method(_) | PaidBy::Lot(Lot::OwnCash | Lot::CashFrom(_)),
                Destination::Credit,
            ) => Some(self.refund_lot_of_now(wallet)),
            (PaidBy::Lot(lot), _) => Some(lot.clone()),
            _ => Some(Lot::OwnCash),
        };
        self.bills[bill].payments.push(crate::bills::Payment {
            by: PaidBy::Refund,
            amount: part.clone(),
            returned: Exact::zero(),
        });
        if let Some(lot) = &goes_to {
            self.give_back(wallet, lot, part, Place::World, "refund", id);
        }
        if goes_to == Some(Lot::Quota) {
            self.wallets[wallet].quota_consumed -= part;
        }
    }
}
