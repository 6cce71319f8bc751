//! Pay for me, on the side of whoever is asked (R10.2): approved, rejected, expired, and the money that goes.
//! It leaves own cash at once, and is on its way until the requester's ledger says that it has it.

use super::fact::{Cause, Journal, Moved, RequestFunded, RequestOpened};
use super::payments::Charge;
use super::requests::Change;
use super::state::{Lot, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::{ApprovePaymentRequest, Asked, RejectPaymentRequest};
use crate::ids::{RequestId, Text};
use crate::money::Amount;
use crate::payments::PaymentCause;
use crate::refusal::Refusal;
use crate::requests::{
    CancelAnswered, Direction, MoneySent, Request, RequestStatus, RequestTerms, RequestTold,
};

const SIDE: Direction = Direction::ToPay;

impl Ledger {
    pub(super) fn approve_request(
        &mut self,
        command: &ApprovePaymentRequest,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let id = &command.request;
        let number = self.requests.to(id).ok_or(Refusal::NotFound)?;
        let wallet = self.wallet(number).ok_or(Refusal::NotFound)?;
        if wallet.is_ecosystem() {
            return Err(Refusal::NotForEcosystem.into());
        }
        let request = self.request(number, SIDE, id)?;
        if !request.is_pending() {
            return Err(Refusal::NotPending.into());
        }
        let named = command.method.as_ref();
        let named = named.map(|id| wallet.method(id).ok_or(Refusal::NotFound)).transpose()?;
        if self.is_overdue(number)? {
            return Err(Refusal::Overdue.into());
        }
        if wallet.partner_pays {
            return Err(Refusal::PartnerPays.into());
        }
        let terms = request.terms.clone();
        let by_balance = self.transferable(number)?.min(terms.amount);
        let rest = terms.amount.minus(by_balance)?;
        let in_flight = wallet.paying.as_deref().and_then(|paying| paying.in_flight.as_ref());
        let method = match (rest.is_positive(), named) {
            (false, _) => None,
            (true, None) => return Err(Refusal::InsufficientFunds.into()),
            (true, Some(_)) if in_flight.is_some() => {
                return Err(Refusal::PaymentInProgress.into());
            }
            (true, Some(method)) if !method.is_active() => return Err(Refusal::NoMethod.into()),
            (true, Some(method)) => Some(method.method.clone()),
        };

        if by_balance.is_positive() {
            self.move_for_request(number, id, by_balance.negated()?, journal)?;
        }
        let payment = match method {
            Some(method) => Some(self.charge_for_request(number, method, rest, journal)?),
            None => None,
        };
        let status = RequestStatus::Approved;
        let change = Change { in_flight: by_balance, payment, ..Change::to(status, None) };
        self.change_request(number, SIDE, id, change, journal)?;
        let told = RequestTold { status, reason: None, in_flight: by_balance };
        self.say_to_requester(&terms, told, journal)?;
        if payment.is_some() { Ok(()) } else { self.send_money(&terms, journal) }
    }

    pub(super) fn reject_request(
        &mut self,
        command: &RejectPaymentRequest,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let number = self.requests.to(&command.request).ok_or(Refusal::NotFound)?;
        let request = self.request(number, SIDE, &command.request)?;
        if !request.is_pending() {
            return Err(Refusal::NotPending.into());
        }

        let terms = request.terms.clone();
        self.end_request(number, &terms, RequestStatus::Rejected, command.reason.clone(), journal)
    }

    /// Somebody asks: the answer is open until it expires.
    pub(super) fn request_made(
        &mut self,
        wallet: WalletNumber,
        terms: RequestTerms,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let id = terms.request.clone();
        let expires_at = terms.asked_at.plus(self.settings.requests.expire_after).full_minute();
        let request = Box::new(Request::of(terms, Some(expires_at)));
        self.record(journal, RequestOpened { wallet, direction: SIDE, request })?;
        self.tell_status(wallet, SIDE, &id, journal)
    }

    /// Whoever asked wants to take it back, which may be too late.
    pub(super) fn cancel_wanted(
        &mut self,
        number: WalletNumber,
        id: &RequestId,
        asked: Asked,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let request = self.request(number, SIDE, id)?;
        let (terms, cancelled) = (request.terms.clone(), request.is_pending());
        if cancelled {
            let change = Change::to(RequestStatus::Cancelled, reason.clone());
            self.change_request(number, SIDE, id, change, journal)?;
            self.tell_status(number, SIDE, id, journal)?;
        }
        self.say_to_requester(&terms, CancelAnswered { asked, cancelled, reason }, journal)
    }

    /// Nobody has said whether he pays, for long.
    pub(super) fn expire_requests(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let now = self.clock.now();
        let requests = self.wallet(number).map(|wallet| wallet.requests(SIDE));
        let over = |request: &&Request| request.expires_at.is_some_and(|at| at.starts() <= now);
        let over = requests.unwrap_or_default().iter().filter(over);
        let over: Vec<RequestTerms> = over.map(|request| request.terms.clone()).collect();
        for terms in over {
            self.end_request(number, &terms, RequestStatus::Expired, None, journal)?;
            self.tell_status(number, SIDE, &terms.request, journal)?;
        }
        Ok(())
    }

    /// The request for which a payment is, while it waits for that.
    pub(super) fn request_paid_by(&self, number: WalletNumber, payment: u64) -> Option<RequestId> {
        let requests = self.wallet(number)?.requests(SIDE).iter();
        let mut waiting = requests.filter(|request| request.status == RequestStatus::Approved);
        let found = waiting.find(|request| request.payment == Some(payment))?;
        Some(found.terms.request.clone())
    }

    /// The payer's method has paid its part: all of it is there, and goes.
    pub(super) fn fund_request(
        &mut self,
        wallet: WalletNumber,
        id: &RequestId,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let request = id.clone();
        self.record(journal, RequestFunded { wallet, request, amount })?;
        let terms = self.request(wallet, SIDE, id)?.terms.clone();
        self.send_money(&terms, journal)
    }

    /// The payer's method has not paid: what the balance paid returns.
    pub(super) fn fail_request(
        &mut self,
        number: WalletNumber,
        id: &RequestId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let terms = self.request(number, SIDE, id)?.terms.clone();
        self.call_back(number, id, journal)?;
        let declined = Some(Text::fitting("the payment was declined"));
        self.end_request(number, &terms, RequestStatus::Failed, declined, journal)?;
        self.tell_status(number, SIDE, id, journal)
    }

    /// The requester's ledger has the money, or does not take it.
    pub(super) fn money_answered(
        &mut self,
        number: WalletNumber,
        id: &RequestId,
        taken: bool,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        if taken {
            let change = Change::to(RequestStatus::Paid, None);
            self.change_request(number, SIDE, id, change, journal)?;
            return self.tell_status(number, SIDE, id, journal);
        }
        self.call_back(number, id, journal)?;
        let change = Change::to(RequestStatus::Failed, reason);
        self.change_request(number, SIDE, id, change, journal)?;
        self.tell_status(number, SIDE, id, journal)?;
        self.write_off(number, journal)
    }

    fn charge_for_request(
        &mut self,
        number: WalletNumber,
        method: crate::ids::MethodId,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<u64, Undecided> {
        let charge = Charge::of(PaymentCause::PaymentRequest, method, amount);
        self.begin_charge(number, Charge { by_hand: true, ..charge }, journal)?;
        let paying = self.wallet(number).and_then(|wallet| wallet.paying.as_deref());
        Ok(paying.map_or(0, |paying| paying.begun))
    }

    fn send_money(
        &mut self,
        terms: &RequestTerms,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        self.say_to_requester(terms, MoneySent { amount: terms.amount }, journal)
    }

    /// What was on its way becomes own cash again. The change of status that follows says that nothing is on
    /// its way any more.
    fn call_back(
        &mut self,
        number: WalletNumber,
        id: &RequestId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let back = self.request(number, SIDE, id)?.in_flight;
        if back.is_positive() { self.move_for_request(number, id, back, journal) } else { Ok(()) }
    }

    fn move_for_request(
        &mut self,
        number: WalletNumber,
        id: &RequestId,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let moved = Moved::of(number, Lot::OWN_CASH, amount, Cause::PaymentRequest);
        let remark = Some(Text::fitting(id.as_str()));
        self.record(journal, Moved { remark, ..moved })?;
        Ok(())
    }

    /// It comes to nothing, and its requester is told.
    fn end_request(
        &mut self,
        number: WalletNumber,
        terms: &RequestTerms,
        status: RequestStatus,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let change = Change::to(status, reason.clone());
        self.change_request(number, SIDE, &terms.request, change, journal)?;
        let told = RequestTold { status, reason, in_flight: Amount::ZERO };
        self.say_to_requester(terms, told, journal)
    }
}
