//! Payments by a method: from the gateway's answer to what it pays (R6.3, R6.4).

use crate::BookKeeper;
use crate::bills::PaidBy;
use crate::calendar::{MINUTE, full_minute_from};
use crate::currency::Currency;
use crate::exact::Exact;
use crate::ledger::{Lot, Place};
use crate::orders::PendingOrder;
use crate::passing::Due;
use crate::plans::Renewal;
use crate::sandbox::{Answer, Token};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    /// Its outcome has been unknown for long (R6.4).
    Delayed,
    Succeeded,
    Declined,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Delayed => "delayed",
            Status::Succeeded => "succeeded",
            Status::Declined => "declined",
        }
    }
}

/// What a payment is for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// So much of each of these bills, which are set aside until the result is known (R6.3).
    Bills(Vec<(usize, Exact)>),
    /// An order that is bought once the payment has succeeded (R5.8).
    Order(PendingOrder),
    /// The part of a payment for somebody else that the balance does not cover (R10.2).
    Request { id: String, by_balance: Exact },
    /// Cash, with this remark (R7.1).
    TopUp(String),
    /// A test or a pre-authorisation: no money stays anywhere (R7.2, R7.4).
    NoMoney,
}

/// A payment by a method.
#[derive(Clone, Debug)]
pub struct MethodPayment {
    pub wallet: usize,
    pub cause: &'static str,
    pub method: String,
    pub amount: Exact,
    pub currency: Currency,
    pub at: i64,
    pub status: Status,
    /// What the gateway will say when it is asked again.
    pub lost_succeeds: bool,
    pub purpose: Purpose,
}

impl MethodPayment {
    pub fn is_under_way(&self) -> bool {
        matches!(self.status, Status::Pending | Status::Delayed)
    }

    /// Of these one is in flight for each billing account at most (R6.3).
    pub fn is_of_bills(&self) -> bool {
        matches!(self.purpose, Purpose::Bills(_) | Purpose::Order(_) | Purpose::Request { .. })
    }
}

impl BookKeeper {
    /// Charges a linked method. An answer that is not lost comes behind all else that happens at once.
    pub(crate) fn charge_method(
        &mut self,
        wallet: usize,
        cause: &'static str,
        method: &str,
        amount: Exact,
        purpose: Purpose,
    ) {
        let number = self.payments.len();
        let owner = &mut self.wallets[wallet];
        let mut answer = Answer::Declined;
        if let Some(linked) = owner.methods.iter_mut().find(|linked| linked.name == method) {
            answer = linked.token.charge(linked.charges);
            linked.charges += 1;
        }
        let payment = MethodPayment {
            wallet,
            cause,
            method: method.to_string(),
            amount,
            currency: owner.currency,
            at: self.now,
            status: Status::Pending,
            lost_succeeds: answer == Answer::Lost { succeeds: true },
            purpose,
        };
        if payment.is_of_bills() {
            owner.in_flight = Some(number);
        }
        if let Purpose::Bills(parts) = &payment.purpose {
            owner.set_aside = parts.iter().map(|(bill, _)| *bill).collect();
        }
        self.payments.push(payment);
        match answer {
            Answer::Succeeded => self.answering.push_back((number, true)),
            Answer::Declined => self.answering.push_back((number, false)),
            Answer::Lost { .. } => {
                self.falls_due(self.now.saturating_add(MINUTE), Due::Answer { payment: number });
                let delayed = full_minute_from(self.now.saturating_add(self.settings.pending_for));
                self.falls_due(delayed, Due::Delayed { payment: number });
            }
        }
    }

    /// The gateway is asked again and knows now (R6.4).
    pub(crate) fn ask_again(&mut self, payment: usize) {
        if self.payments[payment].is_under_way() {
            self.answer_is_known(payment, self.payments[payment].lost_succeeds);
            self.settlement_may_be_over(payment);
        }
    }

    pub(crate) fn show_as_delayed(&mut self, payment: usize) {
        if self.payments[payment].status == Status::Pending {
            self.payments[payment].status = Status::Delayed;
            self.tell(self.payments[payment].wallet, "payment_delayed");
        }
    }

    /// A notice from the gateway about the payment at this position in the view `payments`. Money that was really
    /// received is booked once, however late, early or often the gateway says so (R6.4).
    pub fn gateway(&mut self, at: i64, payment: usize, succeeded: bool) {
        self.pass(at);
        self.hear(payment, succeeded);
        self.hear_what_was_asked();
    }

    /// The gateways answer what they were asked a moment ago, one after the other.
    pub(crate) fn hear_what_was_asked(&mut self) {
        while let Some((payment, succeeded)) = self.answering.pop_front() {
            self.hear(payment, succeeded);
        }
    }

    fn hear(&mut self, payment: usize, succeeded: bool) {
        let Some(known) = self.payments.get(payment) else { return };
        let is_late = known.status == Status::Declined && succeeded;
        if known.is_under_way() || is_late {
            self.answer_is_known(payment, succeeded);
            self.settlement_may_be_over(payment);
        }
        self.look_after_everyone();
        self.judge_everyone();
        self.judge_near_due_that_waited();
    }

    fn settlement_may_be_over(&mut self, payment: usize) {
        let owner = &self.wallets[self.payments[payment].wallet];
        if owner.settles == Some(payment) {
            let enterprise = owner.enterprise.clone();
            self.end_settlement_if_over(&enterprise);
        }
    }

    fn answer_is_known(&mut self, payment: usize, succeeded: bool) {
        let wallet = self.payments[payment].wallet;
        let is_late = !self.payments[payment].is_under_way();
        self.payments[payment].status =
            if succeeded { Status::Succeeded } else { Status::Declined };
        let owner = &mut self.wallets[wallet];
        if owner.in_flight == Some(payment) {
            owner.in_flight = None;
            owner.set_aside.clear();
        }
        if succeeded {
            self.book(payment, is_late);
        } else {
            self.return_what_was_held(payment);
        }
        // What a negative bill waits for comes before anything is written off (R5.7).
        self.undo_what_waits(wallet);
        self.write_off(wallet);
        self.tell_result(payment, succeeded);
        if !succeeded {
            self.begin_or_go_on_with_tries(payment);
        }
        self.charge_what_is_due(wallet, true);
    }

    /// Money has come in: it pays its bills as far as they are unpaid, the rest is own cash (R6.4).
    fn book(&mut self, payment: usize, is_late: bool) {
        let MethodPayment { wallet, amount, purpose, .. } = self.payments[payment].clone();
        match purpose {
            Purpose::Bills(parts) => {
                let mut rest = amount;
                for (bill, part) in parts {
                    let pays = self.bills[bill].unpaid().min(part);
                    self.pay_by_method(bill, payment, &pays);
                    rest -= &pays;
                }
                self.change_asset(wallet, &Lot::OwnCash, &rest, Place::World, "payment", "");
            }
            Purpose::Order(order) if !is_late => self.buy_with_method(wallet, payment, order),
            Purpose::Request { id, .. } if !is_late => self.deliver(&id, &amount),
            // Declined, and paid after all.
            Purpose::Order(_) | Purpose::Request { .. } => {
                self.change_asset(wallet, &Lot::OwnCash, &amount, Place::World, "payment", "");
            }
            Purpose::TopUp(remark) => {
                self.change_asset(wallet, &Lot::OwnCash, &amount, Place::World, "top_up", &remark);
            }
            Purpose::NoMoney => {}
        }
    }

    /// A method pays a part of a bill: money of the outside world, so no asset changes.
    pub(crate) fn pay_by_method(&mut self, bill: usize, payment: usize, amount: &Exact) {
        let currency = self.wallets[self.bills[bill].wallet].currency;
        self.ledger.move_money(currency, Place::World, Place::Bill(bill), amount);
        self.mark_paid(bill, PaidBy::Method(payment), amount);
    }

    /// Declined: what was set aside for an order is free again, also an expired coupon, which pays nothing any more.
    fn return_what_was_held(&mut self, payment: usize) {
        let wallet = self.payments[payment].wallet;
        match self.payments[payment].purpose.clone() {
            Purpose::Order(order) => {
                for (lot, part) in &order.held {
                    self.change_asset(wallet, lot, part, Place::Held(wallet), "held", &order.id);
                }
                if let Renewal::Of(plan) = &order.renewal {
                    self.end_plan(wallet, plan);
                }
            }
            Purpose::Request { id, .. } => self.request_has_failed(&id),
            _ => {}
        }
    }

    fn tell_result(&mut self, payment: usize, succeeded: bool) {
        let MethodPayment { wallet, cause, .. } = self.payments[payment];
        let kind = match (cause, succeeded) {
            ("test", true) => return,
            ("test", false) => "test_top_up_failed",
            ("recharge", false) => "recharge_failed",
            (_, true) => "payment_succeeded",
            (_, false) => "payment_failed",
        };
        self.tell(wallet, kind);
        // Where to go, if the charge asked its owner to prove who he is (R7.4).
        let method = self.wallets[wallet].method(&self.payments[payment].method);
        let asks = method.is_some_and(|method| method.token == Token::AuthenticationAtCharge);
        if asks && !succeeded {
            self.tell(wallet, "authentication_required");
        }
    }
}
