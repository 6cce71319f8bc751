//! Payments through a gateway, as they stand: begun, answered, delayed, shown. Why and when something is
//! charged is decided elsewhere; what a gateway says is booked here, once, however late, early or often it
//! says so (R6.4).

use super::fact::{
    BillPaid, Cause, Cured, Fact, Journal, LinkBegun, MethodPreferred, MethodUnlinked, MonthSwept,
    Moved, OrderBegun, OrderEnded, PaidBill, PaymentBegun, PaymentDelayed, PaymentEnded,
    RetryPassed,
};
use super::methods::HELD;
use super::state::{
    Bill, Declined, InFlight, Lot, MethodPaid, Paying, Share, Wallet, WalletNumber,
};
use super::{Broken, Ledger, Undecided};
use crate::ids::{MethodId, Text};
use crate::money::Amount;
use crate::notices::NoticeKind;
use crate::payments::{MethodState, Payment, PaymentAnswer, PaymentCause, PaymentStatus, Purpose};
use crate::time::{Minute, Timestamp};

/// What a gateway is to be asked for.
pub(super) struct Charge {
    pub(super) cause: PaymentCause,
    pub(super) method: MethodId,
    pub(super) amount: Amount,
    pub(super) shares: Vec<Share>,
    pub(super) by_hand: bool,
    pub(super) remark: Option<Text>,
}

impl Charge {
    /// A charge for no bills.
    pub(super) fn of(cause: PaymentCause, method: MethodId, amount: Amount) -> Charge {
        Charge { cause, method, amount, shares: Vec::new(), by_hand: false, remark: None }
    }
}

impl Ledger {
    /// What a gateway said of a payment, or of a link. What is known already changes nothing: answers come
    /// twice, late, and for what was booked long ago (R6.4).
    pub fn payment_answered(
        &mut self,
        wallet: WalletNumber,
        payment: u64,
        answer: PaymentAnswer,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let answered = self.answered(wallet, payment, answer, reason, journal);
        answered.and_then(|()| self.judge_touched(journal)).map_err(super::timers::broken)
    }

    fn answered(
        &mut self,
        wallet: WalletNumber,
        number: u64,
        answer: PaymentAnswer,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(paying) = self.wallet(wallet).and_then(|wallet| wallet.paying.as_deref()) else {
            return Ok(());
        };
        if let Some(linking) = paying.linking.iter().find(|linking| linking.payment == number) {
            return self.link_answered(wallet, linking.clone(), answer, reason, journal);
        }
        let pending = |method: &&super::Method| {
            method.payment == number && method.state == MethodState::Pending
        };
        if let Some(method) = paying.methods.iter().find(pending) {
            return self.agreement_answered(wallet, method.method.clone(), answer, journal);
        }
        let open = paying.payment(number).cloned();
        let turned_down = paying.turned_down.iter().find(|known| known.payment == number).cloned();
        match (open, turned_down, answer) {
            (Some(paid), _, PaymentAnswer::Succeeded | PaymentAnswer::Unauthenticated)
            | (None, Some(paid), PaymentAnswer::Succeeded | PaymentAnswer::Unauthenticated) => {
                self.succeeded(wallet, &paid, reason, journal)
            }
            (Some(payment), _, PaymentAnswer::Declined | PaymentAnswer::AuthenticationRequired) => {
                self.declined(wallet, &payment, answer, reason, journal)
            }
            // Nobody need approve a charge: whether it was made is still not known.
            (Some(_), _, PaymentAnswer::AwaitsApproval) | (None, _, _) => Ok(()),
        }
    }

    /// Books money that was received: to its bills as far as they are unpaid, the rest as cash. What only
    /// showed that the method works has gone back.
    fn succeeded(
        &mut self,
        number: WalletNumber,
        payment: &InFlight,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let mut left = payment.amount;
        for share in &payment.shares {
            let Some(wallet) = self.wallet(number) else { return Ok(()) };
            let Some(bill) = wallet.unpaid.iter().find(|bill| bill.number == share.bill) else {
                continue;
            };
            let amount = bill.owed().min(share.amount).min(left);
            left = left.minus(amount)?;
            let paid = paid_bill(bill);
            let (bill, payment) = (share.bill, payment.payment);
            self.record(journal, BillPaid { wallet: number, bill, payment, amount, paid })?;
        }
        let ended = PaymentEnded {
            wallet: number,
            payment: payment.clone(),
            answer: PaymentAnswer::Succeeded,
            reason,
            retry_at: None,
        };
        self.record(journal, ended)?;
        if let Some(order) = self.order_waiting_for(number, payment.payment) {
            self.buy_held(number, order, payment.amount, journal)?;
            self.notice_payment(number, payment, PaymentStatus::Succeeded, None, journal)?;
            return self.write_off_issued(number, journal);
        }
        if let Some(request) = self.request_paid_by(number, payment.payment) {
            self.notice_payment(number, payment, PaymentStatus::Succeeded, None, journal)?;
            return self.fund_request(number, &request, payment.amount, journal);
        }
        // What a request to pay no longer waits for is its payer's.
        let cause = match payment.cause.purpose() {
            Purpose::Proof => return Ok(()),
            Purpose::Cash => Cause::TopUp,
            Purpose::Bills | Purpose::Request => Cause::Payment,
        };
        self.notice_payment(number, payment, PaymentStatus::Succeeded, None, journal)?;
        if left.is_positive() {
            let (remark, method) = match cause {
                Cause::TopUp => (payment.remark.clone(), Some(payment.method.clone())),
                _ => (None, None),
            };
            let moved = Moved::of(number, Lot::OWN_CASH, left, cause);
            self.record(journal, Moved { remark, method, ..moved })?;
        }
        self.correct_what_waited(number, journal)?;
        self.settlement_answered(number, payment, journal)?;
        self.write_off(number, journal)
    }

    fn declined(
        &mut self,
        number: WalletNumber,
        payment: &InFlight,
        answer: PaymentAnswer,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let retry_at = self.next_retry(number, payment);
        let ended = PaymentEnded {
            wallet: number,
            payment: payment.clone(),
            answer,
            reason: reason.clone(),
            retry_at,
        };
        self.record(journal, ended)?;
        if payment.cause == PaymentCause::Preauthorisation {
            self.deactivate(number, payment.method.clone(), journal)?;
        }
        let told = reason.clone();
        self.notice_payment(number, payment, PaymentStatus::Declined, told, journal)?;
        if answer == PaymentAnswer::AuthenticationRequired {
            let row = self.payment_row(number, payment, PaymentStatus::Declined, reason);
            let kind = NoticeKind::AuthenticationRequired;
            self.notice(number, kind, None, row, None, journal)?;
        }
        if let Some(order) = self.order_waiting_for(number, payment.payment) {
            self.release(number, &order, journal)?;
        }
        if let Some(request) = self.request_paid_by(number, payment.payment) {
            self.fail_request(number, &request, journal)?;
        }
        // Its bills return in order, and are paid from what has come meanwhile.
        self.correct_what_waited(number, journal)?;
        self.settlement_answered(number, payment, journal)?;
        self.write_off(number, journal)
    }

    /// Puts a charge on the log, for the gateway to be asked.
    pub(super) fn begin_charge(
        &mut self,
        number: WalletNumber,
        charge: Charge,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let now = self.clock.now();
        let paying = self.wallet(number).and_then(|wallet| wallet.paying.as_deref());
        let begun = paying.map_or(0, |paying| paying.begun);
        let Charge { cause, method, amount, shares, by_hand, remark } = charge;
        let payment = InFlight {
            payment: begun.saturating_add(1),
            cause,
            method,
            amount,
            begun_at: now,
            late_at: Some(now.plus(self.settings.payments.pending_for).full_minute()),
            shares,
            by_hand,
            remark,
        };
        self.record(journal, PaymentBegun { wallet: number, payment })?;
        Ok(())
    }

    /// A payment has been in flight for long: it is shown as delayed, and the operator told (R6.4).
    pub(super) fn delay(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let now = self.clock.now();
        let paying = self.wallet(number).and_then(|wallet| wallet.paying.as_deref());
        let late = |payment: &&InFlight| payment.late_at.is_some_and(|at| at.starts() <= now);
        let late: Vec<InFlight> = paying
            .into_iter()
            .flat_map(|paying| paying.in_flight.iter().chain(&paying.others))
            .filter(late)
            .cloned()
            .collect();
        for payment in late {
            self.record(journal, PaymentDelayed { wallet: number, payment: payment.payment })?;
            self.notice_payment(number, &payment, PaymentStatus::Delayed, None, journal)?;
        }
        Ok(())
    }

    fn notice_payment(
        &mut self,
        number: WalletNumber,
        payment: &InFlight,
        status: PaymentStatus,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let kind = match (status, payment.cause) {
            (PaymentStatus::Succeeded, _) => NoticeKind::PaymentSucceeded,
            (PaymentStatus::Delayed, _) => NoticeKind::PaymentDelayed,
            (_, PaymentCause::Recharge) => NoticeKind::RechargeFailed,
            (_, PaymentCause::Test) => NoticeKind::TestTopUpFailed,
            (PaymentStatus::Pending | PaymentStatus::Declined, _) => NoticeKind::PaymentFailed,
        };
        let row = self.payment_row(number, payment, status, reason);
        self.notice(number, kind, None, row, None, journal)
    }

    /// A payment as the outside sees it.
    pub fn payment_row(
        &self,
        number: WalletNumber,
        payment: &InFlight,
        status: PaymentStatus,
        reason: Option<Text>,
    ) -> Option<Payment> {
        let wallet = self.wallet(number)?;
        Some(Payment {
            payment: wallet.payment_name(payment.payment),
            billing_account: wallet.id.clone(),
            status,
            cause: payment.cause,
            amount: payment.amount,
            currency: match payment.cause {
                PaymentCause::Preauthorisation => HELD.1,
                _ => wallet.currency,
            },
            method: payment.method.clone(),
            begun_at: payment.begun_at,
            at: self.clock.now(),
            reason,
            bills: payment.shares.iter().map(|share| wallet.bill_name(share.bill)).collect(),
        })
    }

    pub(super) fn apply_paying(&mut self, fact: &Fact) -> Result<(), Broken> {
        match fact {
            Fact::LinkBegun(fact) => {
                let LinkBegun { wallet, linking } = &**fact;
                self.apply_method(*wallet, |paying| {
                    paying.begun = linking.payment;
                    let method = &linking.method.method;
                    paying.authenticating.retain(|known| known.method != *method);
                    paying.linking.push(linking.clone());
                    Ok(())
                })
            }
            Fact::LinkEnded(fact) => {
                let now = self.clock.now();
                self.retimed(fact.wallet, |wallet| {
                    let month_ends = month_end(wallet, now);
                    wallet.paying_mut().end_link(fact, month_ends)
                })
            }
            Fact::MethodUnlinked(MethodUnlinked { wallet, method }) => {
                self.apply_method(*wallet, |paying| {
                    paying.methods.retain(|known| known.method != *method);
                    Ok(())
                })
            }
            Fact::MethodPreferred(MethodPreferred { wallet, method }) => {
                self.apply_method(*wallet, |paying| {
                    paying.preferred.clone_from(method);
                    Ok(())
                })
            }
            Fact::MethodChanged(fact) => self.apply_method(fact.wallet, |paying| {
                paying.method_mut(&fact.method)?.state = fact.state;
                Ok(())
            }),
            Fact::ProductChecked(fact) => self.apply_method(fact.wallet, |paying| {
                paying.method_mut(&fact.method)?.checked.push(fact.product);
                Ok(())
            }),
            Fact::PaymentBegun(fact) => {
                let PaymentBegun { wallet, payment } = &**fact;
                self.apply_method(*wallet, |paying| {
                    paying.begin_payment(payment);
                    Ok(())
                })
            }
            Fact::PaymentDelayed(PaymentDelayed { wallet, payment }) => {
                self.apply_method(*wallet, |paying| {
                    let mut open = paying.in_flight.iter_mut().chain(&mut paying.others);
                    let late = open.find(|known| known.payment == *payment);
                    late.ok_or(Broken("a delayed payment that is not in flight"))?.late_at = None;
                    Ok(())
                })
            }
            Fact::BillPaid(BillPaid { wallet, bill, payment, amount, paid }) => {
                let lot: Lot = MethodPaid { payment: *payment }.into();
                if let Some(wallet) = self.wallet_mut(*wallet)? {
                    wallet.pay(*bill, &lot, *amount, paid)?;
                }
                self.forget_bad_debt_of(*wallet, paid.month);
                self.note_payment(*wallet, *bill, &lot, *amount, paid)
            }
            Fact::OrderBegun(fact) => {
                let OrderBegun { wallet, order } = &**fact;
                self.apply_method(*wallet, |paying| {
                    paying.order = Some(order.clone());
                    Ok(())
                })
            }
            Fact::HeldPaid(fact) => self.apply_held(fact),
            Fact::OrderEnded(OrderEnded { wallet, .. }) => self.apply_method(*wallet, |paying| {
                paying.order = None;
                Ok(())
            }),
            Fact::PaymentEnded(fact) => {
                let now = self.clock.now();
                self.apply_method(fact.wallet, |paying| paying.end_payment(fact, now))
            }
            Fact::Cured(Cured { wallet }) => self.apply_method(*wallet, |paying| {
                paying.declined = None;
                Ok(())
            }),
            Fact::MonthSwept(MonthSwept { wallet, next, waits }) => {
                self.apply_method(*wallet, |paying| {
                    paying.sweep_at = *next;
                    paying.sweep_waits = *waits;
                    Ok(())
                })
            }
            Fact::RetryPassed(RetryPassed { wallet, retry_at }) => {
                self.apply_method(*wallet, |paying| {
                    let declined =
                        paying.declined.as_mut().ok_or(Broken("nothing was declined"))?;
                    declined.retries = declined.retries.saturating_add(1);
                    declined.retry_at = *retry_at;
                    Ok(())
                })
            }
            _ => Err(Broken("a fact about something else than paying")),
        }
    }
}

impl Paying {
    /// A payment whose outcome is not known.
    pub fn payment(&self, number: u64) -> Option<&InFlight> {
        let mut open = self.in_flight.iter().chain(&self.others);
        open.find(|payment| payment.payment == number)
    }

    fn begin_payment(&mut self, payment: &InFlight) {
        self.begun = payment.payment;
        if !matches!(payment.cause.purpose(), Purpose::Bills | Purpose::Request) {
            self.others.push(payment.clone());
            return;
        }
        if let (PaymentCause::Retry, Some(declined)) = (payment.cause, &mut self.declined) {
            declined.retry_at = None;
        }
        // All that is owed is charged with it, unless somebody chose what.
        self.sweep_waits &= payment.by_hand;
        self.in_flight = Some(payment.clone());
    }

    fn end_payment(&mut self, fact: &PaymentEnded, now: Timestamp) -> Result<(), Broken> {
        let number = fact.payment.payment;
        let open = self.in_flight.take_if(|known| known.payment == number).or_else(|| {
            let place = self.others.iter().position(|known| known.payment == number)?;
            Some(self.others.remove(place))
        });
        let Some(ended) = open else {
            // One that was turned down has been paid after all.
            self.turned_down.retain(|payment| payment.payment != number);
            return Ok(());
        };
        let purpose = ended.cause.purpose();
        if fact.answer == PaymentAnswer::Succeeded || purpose == Purpose::Proof {
            return Ok(());
        }
        if purpose == Purpose::Bills && !ended.by_hand {
            let before = self.declined.take();
            let again = ended.cause == PaymentCause::Retry;
            self.declined = Some(Declined {
                first_at: before.as_ref().map_or(now, |declined| declined.first_at),
                retries: before.map_or(0, |d| d.retries.saturating_add(u32::from(again))),
                bills: ended.shares.iter().map(|share| share.bill).collect(),
                retry_at: fact.retry_at,
            });
        }
        self.turned_down.push(ended);
        Ok(())
    }
}

impl Wallet {
    /// The name of a payment; the gateway knows it by this too.
    pub fn payment_name(&self, number: u64) -> String {
        format!("{}.p{number}", self.id)
    }

    /// The number of a payment that is called `name`.
    pub fn payment_number(&self, name: &str) -> Option<u64> {
        name.strip_prefix(self.id.as_str())?.strip_prefix(".p")?.parse().ok()
    }

    /// The name of a bill.
    pub fn bill_name(&self, number: u64) -> String {
        format!("{}.{number}", self.id)
    }
}

/// What of a bill its payments must remember.
pub(super) fn paid_bill(bill: &Bill) -> PaidBill {
    PaidBill {
        account: bill.account,
        product: bill.product,
        month: bill.month,
        order: bill.order.clone(),
    }
}

/// The end of the month that `at` lies in.
pub(super) fn month_end(wallet: &Wallet, at: Timestamp) -> Minute {
    wallet.zone.window_of(wallet.zone.month_of(at)).until
}

#[cfg(test)]
#[path = "payments_tests.rs"]
mod tests;
