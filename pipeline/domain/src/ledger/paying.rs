//! What is owed is charged to the preferred method: at a threshold, at the end of a month, again after a
//! decline (R6.1 to R6.5). One payment is in flight at most; its outcome comes from the gateway.

use super::fact::{
    BillPaid, Cause, Cured, Fact, Journal, LinkBegun, MethodPreferred, MethodUnlinked, MonthSwept,
    Moved, PaidBill, PaymentBegun, PaymentDelayed, PaymentEnded, RetryPassed,
};
use super::orders::spend;
use super::state::{
    Bill, Declined, InFlight, Lot, MethodPaid, Paying, Share, Wallet, WalletNumber,
};
use super::{Broken, Ledger, Undecided};
use crate::ids::Text;
use crate::money::{Amount, Overflow};
use crate::notices::NoticeKind;
use crate::payments::{MethodKind, Payment, PaymentAnswer, PaymentCause, PaymentStatus};
use crate::time::{Minute, Timestamp};

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
        answered.map_err(super::timers::broken)
    }

    fn answered(
        &mut self,
        wallet: WalletNumber,
        payment: u64,
        answer: PaymentAnswer,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(paying) = self.wallet(wallet).and_then(|wallet| wallet.paying.as_deref()) else {
            return Ok(());
        };
        if let Some(linking) = paying.linking.iter().find(|linking| linking.payment == payment) {
            self.link_answered(wallet, linking.clone(), answer, reason, journal)?;
            return self.judge_touched(journal);
        }
        let in_flight = paying.in_flight.clone().filter(|known| known.payment == payment);
        let turned_down = paying.turned_down.iter().find(|known| known.payment == payment).cloned();
        match (in_flight, turned_down, answer) {
            (Some(paid), _, PaymentAnswer::Succeeded) => {
                self.succeeded(wallet, &paid, reason, journal)?;
            }
            (None, Some(paid), PaymentAnswer::Succeeded) => {
                self.succeeded(wallet, &paid, reason, journal)?;
            }
            (Some(payment), _, _) => self.declined(wallet, &payment, answer, reason, journal)?,
            (None, _, _) => {}
        }
        self.judge_touched(journal)
    }

    /// Books money that was received: to its bills as far as they are unpaid, the rest as cash.
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
            let amount = bill.owed().min(left);
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
        self.cure(number, true, journal)?;
        self.notice_payment(number, payment, PaymentStatus::Succeeded, None, journal)?;
        if left.is_positive() {
            self.record(journal, Moved::of(number, Lot::OWN_CASH, left, Cause::Payment))?;
        }
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
        self.notice_payment(number, payment, PaymentStatus::Declined, reason, journal)?;
        // Its bills return in order, and are paid from what has come meanwhile.
        self.write_off(number, journal)
    }

    /// When a payment that is declined now is tried again, counted from the first decline.
    fn next_retry(&self, number: WalletNumber, payment: &InFlight) -> Option<Minute> {
        let declined = self.wallet(number)?.paying.as_deref()?.declined.as_ref();
        let first = declined.map_or(self.clock.now(), |declined| declined.first_at);
        let tried = match (declined, payment.cause) {
            (Some(declined), PaymentCause::Retry) => declined.retries.saturating_add(1),
            (Some(declined), _) => declined.retries,
            (None, _) => 0,
        };
        self.retry_after(first, tried)
    }

    /// When it is tried again after so many retries. A newly preferred method may be declined later than
    /// the next try would have been.
    fn retry_after(&self, first: Timestamp, retries: u32) -> Option<Minute> {
        let after = self.settings.payments.retry_after.get(retries as usize)?;
        Some(first.plus(*after).max(self.clock.now()).full_minute())
    }

    /// Ends a series of declines once all that was declined is paid, or a payment got through.
    pub(super) fn cure(
        &mut self,
        number: WalletNumber,
        succeeded: bool,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let declined = wallet.paying.as_deref().and_then(|paying| paying.declined.as_ref());
        let Some(declined) = declined else { return Ok(()) };
        let unpaid = wallet.unpaid.iter().any(|bill| declined.bills.contains(&bill.number));
        if succeeded || !unpaid {
            self.record(journal, Cured { wallet: number })?;
        }
        Ok(())
    }

    /// Charges all that is owed as soon as it comes to the threshold (R6.1): the open cycles are issued,
    /// write-off runs, and what is left is charged.
    pub(super) fn charge_at_threshold(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(threshold) = self.threshold(number) else { return Ok(()) };
        if !self.may_charge(number) || self.owed_after_write_off(number)?.0 < threshold {
            return Ok(());
        }
        let cycles = self.wallet(number).map(|wallet| wallet.open_cycles.clone());
        let mut ends: Vec<Minute> =
            cycles.unwrap_or_default().iter().map(|cycle| cycle.ends).collect();
        ends.sort_unstable();
        for ends in ends {
            self.bill_cycle(number, ends, journal)?;
        }
        self.begin_payment(number, PaymentCause::Threshold, journal)
    }

    /// At the end of a month all that is owed is charged, however small (R6.2).
    pub(super) fn sweep(
        &mut self,
        number: WalletNumber,
        at: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let next = month_end(wallet, at.starts());
        let waits = !self.may_charge(number);
        self.record(journal, MonthSwept { wallet: number, next, waits })?;
        if waits { Ok(()) } else { self.begin_payment(number, PaymentCause::MonthEnd, journal) }
    }

    /// A month's end that had to wait is made good.
    pub(super) fn charge_what_waited(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let paying = self.wallet(number).and_then(|wallet| wallet.paying.as_deref());
        if paying.is_some_and(|paying| paying.sweep_waits) && self.may_charge(number) {
            self.begin_payment(number, PaymentCause::MonthEnd, journal)?;
        }
        Ok(())
    }

    /// A declined payment is tried again, for all that is owed by now.
    pub(super) fn retry(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let Some(declined) = wallet.paying.as_deref().and_then(|paying| paying.declined.as_ref())
        else {
            return Ok(());
        };
        if wallet.active_method(wallet.zone.month_of(self.clock.now())).is_none() {
            let next = self.retry_after(declined.first_at, declined.retries.saturating_add(1));
            self.record(journal, RetryPassed { wallet: number, retry_at: next })?;
            return Ok(());
        }
        self.begin_payment(number, PaymentCause::Retry, journal)
    }

    /// After a decline a newly preferred method is charged at once all that is owed (R6.5).
    pub(super) fn charge_new_method(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        match self.wallet(number).and_then(|wallet| wallet.paying.as_deref()) {
            Some(Paying { in_flight: None, declined: Some(_), .. }) if !self.is_frozen(number) => {
                self.begin_payment(number, PaymentCause::Manual, journal)
            }
            _ => Ok(()),
        }
    }

    /// A payment has been in flight for long: it is shown as delayed, and the operator told (R6.4).
    pub(super) fn delay(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let paying = self.wallet(number).and_then(|wallet| wallet.paying.as_deref());
        let in_flight = paying.and_then(|paying| paying.in_flight.clone());
        let Some(payment) = in_flight.filter(|payment| payment.late_at.is_some()) else {
            return Ok(());
        };
        self.record(journal, PaymentDelayed { wallet: number, payment: payment.payment })?;
        self.notice_payment(number, &payment, PaymentStatus::Delayed, None, journal)
    }

    /// Nothing is in flight, nothing was declined, and a method can pay.
    fn may_charge(&self, number: WalletNumber) -> bool {
        let Some(wallet) = self.wallet(number) else { return false };
        let free = matches!(
            wallet.paying.as_deref(),
            Some(Paying { in_flight: None, declined: None, .. })
        );
        free && !wallet.is_frozen()
            && wallet.active_method(wallet.zone.month_of(self.clock.now())).is_some()
    }

    /// From what owed amount on a wallet is charged; none if it never is by amount.
    pub(super) fn threshold(&self, number: WalletNumber) -> Option<Amount> {
        let wallet = self.wallet(number)?;
        let method = wallet.active_method(wallet.zone.month_of(self.clock.now()))?;
        let settings = &self.settings.payments;
        match method.kind {
            MethodKind::Card => settings.card_threshold.get(&wallet.currency).copied(),
            MethodKind::Paypal => {
                let (_, most) = settings.paypal_threshold.get(&wallet.currency)?;
                Some(wallet.auto_pay_threshold.unwrap_or(*most))
            }
            MethodKind::Alipay | MethodKind::Unionpay => None,
        }
    }

    /// What would be owed if the open cycles were billed now and coupons and write-off paid what they can,
    /// and how many bills that takes. The credit limit does not count.
    pub(super) fn owed_after_write_off(
        &self,
        number: WalletNumber,
    ) -> Result<(Amount, usize), Overflow> {
        let Some(wallet) = self.wallet(number) else { return Ok((Amount::ZERO, 0)) };
        let mut after = wallet.clone();
        let mut parts = 0_usize;
        for bill in self.would_be_issued(number)? {
            parts = parts.saturating_add(1);
            after.unpaid.push_back(bill);
        }
        self.write_off_copy(&mut after, number)?;
        Ok((after.owed(), parts))
    }

    /// Writes off from a copy of a wallet, to see what would be left.
    pub(super) fn write_off_copy(
        &self,
        copy: &mut Wallet,
        number: WalletNumber,
    ) -> Result<(), Overflow> {
        let above = copy.owed().minus(copy.limit)?;
        let mut allowance = if copy.auto_write_off { Amount::MAX } else { above };
        let set_aside: Vec<u64> = copy.bills_in_flight().collect();
        for place in 0..copy.unpaid.len() {
            while allowance.is_positive() {
                let Some(bill) = copy.unpaid.get(place) else { break };
                if !bill.owed().is_positive() || set_aside.contains(&bill.number) {
                    break;
                }
                let Some((lot, available)) = self.next_lot(copy, bill) else { break };
                let amount = bill.owed().min(available).min(allowance);
                spend(copy, number, lot, amount)?;
                if let Some(bill) = copy.unpaid.get_mut(place) {
                    bill.paid = bill.paid.plus(amount)?;
                }
                if allowance != Amount::MAX {
                    allowance = allowance.minus(amount)?;
                }
            }
        }
        Ok(())
    }

    /// Asks the gateway for all that is owed on issued bills. Nothing, if nothing is.
    fn begin_payment(
        &mut self,
        number: WalletNumber,
        cause: PaymentCause,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let now = self.clock.now();
        let Some(method) = wallet.active_method(wallet.zone.month_of(now)) else { return Ok(()) };
        let shares: Vec<Share> =
            wallet.unpaid.iter().map(|b| Share { bill: b.number, amount: b.owed() }).collect();
        let amount = Amount::sum(shares.iter().map(|share| share.amount))?;
        if !amount.is_positive() {
            return Ok(());
        }
        let begun = wallet.paying.as_deref().map_or(0, |paying| paying.begun);
        let payment = InFlight {
            payment: begun.saturating_add(1),
            cause,
            method: method.method.clone(),
            amount,
            begun_at: now,
            late_at: Some(now.plus(self.settings.payments.pending_for).full_minute()),
            shares,
        };
        self.record(journal, PaymentBegun { wallet: number, payment })?;
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
        let kind = match status {
            PaymentStatus::Succeeded => NoticeKind::PaymentSucceeded,
            PaymentStatus::Delayed => NoticeKind::PaymentDelayed,
            PaymentStatus::Pending | PaymentStatus::Declined => NoticeKind::PaymentFailed,
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
            currency: wallet.currency,
            method: payment.method.clone(),
            begun_at: payment.begun_at,
            at: self.clock.now(),
            reason,
            bills: payment.shares.iter().map(|share| wallet.bill_name(share.bill)).collect(),
        })
    }

    pub(super) fn apply_paying(&mut self, fact: &Fact) -> Result<(), Broken> {
        match fact {
            Fact::LinkBegun(LinkBegun { wallet, linking }) => {
                self.apply_method(*wallet, |paying| {
                    paying.begun = linking.payment;
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
            Fact::PaymentBegun(PaymentBegun { wallet, payment }) => {
                self.apply_method(*wallet, |paying| {
                    paying.begun = payment.payment;
                    if let Some(declined) = &mut paying.declined {
                        declined.retry_at = None;
                    }
                    // All that is owed is charged with it.
                    paying.sweep_waits = false;
                    paying.in_flight = Some(payment.clone());
                    Ok(())
                })
            }
            Fact::PaymentDelayed(PaymentDelayed { wallet, .. }) => {
                self.apply_method(*wallet, |paying| {
                    let in_flight = paying.in_flight.as_mut();
                    in_flight.ok_or(Broken("a delayed payment that is not in flight"))?.late_at =
                        None;
                    Ok(())
                })
            }
            Fact::BillPaid(BillPaid { wallet, bill, payment, amount, paid }) => {
                let lot: Lot = MethodPaid { payment: *payment }.into();
                if let Some(wallet) = self.wallet_mut(*wallet)? {
                    wallet.pay(*bill, &lot, *amount, paid)?;
                }
                self.forget_bad_debt_of(*wallet, paid.month);
                self.note_payment(*wallet, &lot, *amount, paid)
            }
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
                    paying.sweep_waits |= *waits;
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
    fn end_payment(&mut self, fact: &PaymentEnded, now: Timestamp) -> Result<(), Broken> {
        let ended = match self.in_flight.take() {
            Some(payment) if payment.payment == fact.payment.payment => payment,
            other => {
                // One that was turned down has been paid after all.
                self.in_flight = other;
                self.turned_down.retain(|payment| payment.payment != fact.payment.payment);
                return Ok(());
            }
        };
        if fact.answer == PaymentAnswer::Succeeded {
            return Ok(());
        }
        let before = self.declined.take();
        let again = ended.cause == PaymentCause::Retry;
        self.declined = Some(Declined {
            first_at: before.as_ref().map_or(now, |declined| declined.first_at),
            retries: before.map_or(0, |d| d.retries.saturating_add(u32::from(again))),
            bills: ended.shares.iter().map(|share| share.bill).collect(),
            retry_at: fact.retry_at,
        });
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
fn month_end(wallet: &Wallet, at: Timestamp) -> Minute {
    wallet.zone.window_of(wallet.zone.month_of(at)).until
}
