//! Pay for me (R10): which requests there are, what two ledgers say to each other about them, and the side of
//! whoever asks. The payer's side stands in `approving`: what becomes of a request is decided there alone, so
//! that approving, cancelling and expiring have one order.

use std::collections::BTreeMap;

use super::fact::{Cause, Fact, Journal, Moved, RequestChanged, RequestOpened, SaidAcross};
use super::state::{Lot, Wallet, WalletNumber, WalletState};
use super::{Answer, Broken, Ledger, Undecided};
use crate::commands::{Asked, CancelPaymentRequest, Command, RequestPayment};
use crate::ids::{EnterpriseId, RequestId, Text, WalletId};
use crate::money::Amount;
use crate::notices::NoticeKind;
use crate::refusal::Refusal;
use crate::requests::{
    Addressee, CancelAnswered, CancelWanted, Crossing, Direction, MoneyAnswered, MoneySent,
    PaymentRequest, Request, RequestMade, RequestStatus, RequestTerms, RequestTold, Word,
};

/// Whose wallets stand on the two sides of each request.
#[derive(Debug, Default)]
pub(super) struct Sides {
    asked: BTreeMap<RequestId, WalletNumber>,
    to_pay: BTreeMap<RequestId, WalletNumber>,
}

impl Sides {
    /// The wallet that has asked.
    pub(super) fn of(&self, request: &RequestId) -> Option<WalletNumber> {
        self.asked.get(request).copied()
    }

    /// The wallet that is asked.
    pub(super) fn to(&self, request: &RequestId) -> Option<WalletNumber> {
        self.to_pay.get(request).copied()
    }

    pub(super) fn note_all(&mut self, number: WalletNumber, wallet: &Wallet) {
        for direction in [Direction::Asked, Direction::ToPay] {
            for request in wallet.requests(direction) {
                self.note(direction, request.terms.request.clone(), number);
            }
        }
    }

    fn note(&mut self, direction: Direction, request: RequestId, wallet: WalletNumber) {
        let side = match direction {
            Direction::Asked => &mut self.asked,
            Direction::ToPay => &mut self.to_pay,
        };
        side.insert(request, wallet);
    }
}

/// What became of a command that had to wait for another ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub asked: Asked,
    pub refused: Option<Refusal>,
}

/// How one side of a request changes.
pub(super) struct Change {
    pub(super) status: RequestStatus,
    pub(super) reason: Option<Text>,
    pub(super) in_flight: Amount,
    pub(super) payment: Option<u64>,
}

impl Change {
    /// To a status in which nothing is on its way.
    pub(super) fn to(status: RequestStatus, reason: Option<Text>) -> Change {
        Change { status, reason, in_flight: Amount::ZERO, payment: None }
    }
}

impl Ledger {
    /// Decides whether somebody is asked to pay. None: the registry knew of nobody.
    pub fn requested(
        &mut self,
        asked: &Asked,
        command: &Command,
        payer: Option<&Addressee>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        self.permit(asked, command)?;
        self.admit(command)?;
        let Command::RequestPayment(command) = command else {
            return Err(Refusal::Malformed.into());
        };
        self.request_payment(command, payer, journal)
    }

    fn request_payment(
        &mut self,
        command: &RequestPayment,
        payer: Option<&Addressee>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.requester)?;
        let payer = payer.ok_or(Refusal::NotFound)?;
        if payer.billing_account == wallet.id {
            return Err(Refusal::Malformed.into());
        }
        if !command.amount.is_positive() || !command.amount.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        if payer.currency != wallet.currency {
            return Err(Refusal::CurrencyMismatch.into());
        }
        if wallet.partner_pays {
            return Err(Refusal::PartnerPays.into());
        }
        if let Some(rejected) = &command.resends {
            wallet.may_resend(rejected)?;
        }
        let enterprise = self.enterprise(wallet.enterprise).ok_or(Refusal::NotFound)?;

        let RequestPayment { request, service, amount, note, resends, .. } = command.clone();
        let terms = RequestTerms {
            request,
            requester: wallet.id.clone(),
            requester_enterprise: enterprise.id.clone(),
            payer: payer.clone(),
            service,
            amount,
            note,
            resends,
            asked_at: self.clock.now(),
        };
        let (wallet, direction) = (number, Direction::Asked);
        let request = Box::new(Request::of(terms.clone(), None));
        self.record(journal, RequestOpened { wallet, direction, request })?;
        self.say_to_payer(&terms.clone(), RequestMade { terms: Box::new(terms) }, journal)
    }

    /// The payer's ledger knows whether it can still be taken back.
    pub(super) fn cancel_request(
        &mut self,
        asked: &Asked,
        command: &CancelPaymentRequest,
        journal: &mut dyn Journal,
    ) -> Result<Answer, Undecided> {
        let number = self.requests.of(&command.request).ok_or(Refusal::NotFound)?;
        let request = self.request(number, Direction::Asked, &command.request)?;
        if !request.is_pending() {
            return Err(Refusal::NotPending.into());
        }

        let (asked, reason) = (asked.clone(), command.reason.clone());
        self.say_to_payer(&request.terms.clone(), CancelWanted { asked, reason }, journal)?;
        Ok(Answer::Later)
    }

    /// Another ledger has said something about a request, or this one to itself. The answer to a command that
    /// waited for it, if one did.
    pub fn hear(
        &mut self,
        crossing: Crossing,
        journal: &mut dyn Journal,
    ) -> Result<Option<Answered>, Broken> {
        let Crossing { billing_account, request, word } = crossing;
        let heard = self.hear_word(&billing_account, &request, word, journal);
        let heard = heard.and_then(|answered| self.judge_touched(journal).map(|()| answered));
        heard.map_err(super::timers::broken)
    }

    fn hear_word(
        &mut self,
        wallet: &WalletId,
        request: &RequestId,
        word: Word,
        journal: &mut dyn Journal,
    ) -> Result<Option<Answered>, Undecided> {
        let number = self.wallet_named(wallet).ok_or(Broken("a word about an unknown wallet"))?;
        match word {
            Word::RequestMade(RequestMade { terms }) => {
                self.request_made(number, *terms, journal)?
            }
            Word::CancelWanted(CancelWanted { asked, reason }) => {
                self.cancel_wanted(number, request, asked, reason, journal)?;
            }
            Word::CancelAnswered(CancelAnswered { asked, cancelled, reason }) => {
                if cancelled {
                    let change = Change::to(RequestStatus::Cancelled, reason);
                    self.change_request(number, Direction::Asked, request, change, journal)?;
                }
                let refused = (!cancelled).then_some(Refusal::NotPending);
                return Ok(Some(Answered { asked, refused }));
            }
            Word::RequestTold(RequestTold { status, reason, in_flight }) => {
                let change = Change { in_flight, ..Change::to(status, reason) };
                self.change_request(number, Direction::Asked, request, change, journal)?;
                self.tell_status(number, Direction::Asked, request, journal)?;
            }
            Word::MoneySent(MoneySent { amount }) => {
                self.take_money(number, request, amount, journal)?;
            }
            Word::MoneyAnswered(MoneyAnswered { taken, reason }) => {
                self.money_answered(number, request, taken, reason, journal)?;
            }
        }
        Ok(None)
    }

    /// The money is here: it pays the bills, oldest first, and the rest is own cash (R10.2). A wallet that was
    /// closed meanwhile takes nothing.
    fn take_money(
        &mut self,
        number: WalletNumber,
        id: &RequestId,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let terms = self.request(number, Direction::Asked, id)?.terms.clone();
        let closed = self.wallet(number).map(Wallet::state) == Some(WalletState::Deregistered);
        let reason = closed.then(|| Text::fitting("the billing account is deregistered"));
        if !closed {
            let remark = Some(Text::fitting(id.as_str()));
            let moved = Moved::of(number, Lot::OWN_CASH, amount, Cause::PaymentRequest);
            self.record(journal, Moved { remark, ..moved })?;
        }
        let status = if closed { RequestStatus::Failed } else { RequestStatus::Paid };
        let change = Change::to(status, reason.clone());
        self.change_request(number, Direction::Asked, id, change, journal)?;
        self.tell_status(number, Direction::Asked, id, journal)?;
        self.say_to_payer(&terms, MoneyAnswered { taken: !closed, reason }, journal)?;
        if closed {
            return Ok(());
        }
        self.pay_oldest(number, amount, journal)?;
        self.write_off(number, journal)
    }

    /// Pays bills from own cash, whatever the switch says: that is what it was given for.
    fn pay_oldest(
        &mut self,
        number: WalletNumber,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        if wallet.is_frozen() || self.is_settling(wallet) {
            return Ok(());
        }
        let set_aside: Vec<u64> = wallet.bills_in_flight().collect();
        let free = wallet.unpaid.iter().filter(|bill| !set_aside.contains(&bill.number));
        let owed: Vec<(u64, Amount)> = free.map(|bill| (bill.number, bill.owed())).collect();
        let mut left = amount;
        for (bill, owed) in owed {
            let paid = owed.min(left);
            if paid.is_positive() {
                self.pay(number, bill, Lot::OWN_CASH, paid, journal)?;
                left = left.minus(paid)?;
            }
        }
        Ok(())
    }

    pub(super) fn request(
        &self,
        number: WalletNumber,
        direction: Direction,
        id: &RequestId,
    ) -> Result<&Request, Broken> {
        let known = self.wallet(number).map(|wallet| wallet.requests(direction));
        let mut known = known.unwrap_or_default().iter();
        known.rfind(|known| known.terms.request == *id).ok_or(Broken("an unknown request to pay"))
    }

    pub(super) fn change_request(
        &mut self,
        wallet: WalletNumber,
        direction: Direction,
        id: &RequestId,
        change: Change,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let (request, Change { status, reason, in_flight, payment }) = (id.clone(), change);
        let changed =
            RequestChanged { wallet, direction, request, status, reason, in_flight, payment };
        self.record(journal, changed)
    }

    /// Tells the people of one side how a request stands.
    pub(super) fn tell_status(
        &mut self,
        number: WalletNumber,
        direction: Direction,
        id: &RequestId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let row = self.payment_request(number, direction, id);
        let kind = match self.request(number, direction, id)?.status {
            RequestStatus::Pending => NoticeKind::PaymentRequestNew,
            RequestStatus::Approved => NoticeKind::PaymentRequestApproved,
            RequestStatus::Rejected => NoticeKind::PaymentRequestRejected,
            RequestStatus::Cancelled => NoticeKind::PaymentRequestCancelled,
            RequestStatus::Expired => NoticeKind::PaymentRequestExpired,
            RequestStatus::Paid => NoticeKind::PaymentRequestPaid,
            RequestStatus::Failed => NoticeKind::PaymentRequestFailed,
        };
        self.notice_request(number, kind, row, journal)
    }

    fn say_to_payer(
        &mut self,
        terms: &RequestTerms,
        word: impl Into<Word>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (to, wallet) = (terms.payer.enterprise.clone(), terms.payer.billing_account.clone());
        self.say(to, wallet, terms.request.clone(), word.into(), journal)
    }

    pub(super) fn say_to_requester(
        &mut self,
        terms: &RequestTerms,
        word: impl Into<Word>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (to, wallet) = (terms.requester_enterprise.clone(), terms.requester.clone());
        self.say(to, wallet, terms.request.clone(), word.into(), journal)
    }

    fn say(
        &mut self,
        to: EnterpriseId,
        billing_account: WalletId,
        request: RequestId,
        word: Word,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let crossing = Box::new(Crossing { billing_account, request, word });
        self.record(journal, SaidAcross { to, crossing })?;
        Ok(())
    }

    /// A row of the view `payment_requests`.
    pub fn payment_request(
        &self,
        number: WalletNumber,
        direction: Direction,
        id: &RequestId,
    ) -> Option<PaymentRequest> {
        let request = self.request(number, direction, id).ok()?;
        let Request { terms, status, reason, changed_at, in_flight, .. } = request.clone();
        Some(PaymentRequest {
            request: terms.request,
            billing_account: self.wallet(number)?.id.clone(),
            direction,
            requester: terms.requester,
            payer: terms.payer.account,
            service: terms.service,
            amount: terms.amount,
            currency: terms.payer.currency,
            note: terms.note,
            resends: terms.resends,
            status,
            reason,
            in_flight,
            asked_at: terms.asked_at,
            at: changed_at,
        })
    }

    pub(super) fn apply_request(&mut self, fact: &Fact) -> Result<(), Broken> {
        let now = self.clock.now();
        match fact {
            Fact::RequestOpened(RequestOpened { wallet, direction, request }) => {
                if self.wallet(*wallet).is_some() {
                    self.requests.note(*direction, request.terms.request.clone(), *wallet);
                }
                self.retimed(*wallet, |wallet| {
                    wallet.requests_mut(*direction).push((**request).clone());
                    Ok(())
                })
            }
            Fact::RequestChanged(fact) => self.retimed(fact.wallet, |wallet| {
                let known = wallet.request_mut(fact.direction, &fact.request)?;
                known.status = fact.status;
                known.reason.clone_from(&fact.reason);
                (known.in_flight, known.payment) = (fact.in_flight, fact.payment);
                (known.changed_at, known.expires_at) = (now, None);
                Ok(())
            }),
            Fact::RequestFunded(fact) => self.retimed(fact.wallet, |wallet| {
                let known = wallet.request_mut(Direction::ToPay, &fact.request)?;
                known.in_flight = known.in_flight.plus(fact.amount)?;
                known.changed_at = now;
                Ok(())
            }),
            _ => Err(Broken("a fact about something else than requests to pay")),
        }
    }
}

impl Wallet {
    /// Whether a request that was rejected may be made anew: once, unless that came to nothing as well.
    fn may_resend(&self, rejected: &RequestId) -> Result<(), Refusal> {
        let asked = self.requests(Direction::Asked);
        let known = asked.iter().find(|request| request.terms.request == *rejected);
        if known.is_none_or(|known| known.status != RequestStatus::Rejected) {
            return Err(Refusal::NotFound);
        }
        let again = asked.iter().filter(|other| other.terms.resends.as_ref() == Some(rejected));
        let mut lasting = again.filter(|other| other.may_be_paid());
        if lasting.next().is_some() { Err(Refusal::AlreadyExists) } else { Ok(()) }
    }

    /// Money that it sent to others, or that others sent to it, is on its way (R10.4).
    pub(super) fn awaits_money(&self) -> bool {
        let sides = [Direction::Asked, Direction::ToPay];
        let mut requests = sides.into_iter().flat_map(|direction| self.requests(direction));
        requests.any(|request| request.status == RequestStatus::Approved)
    }

    fn request_mut(
        &mut self,
        direction: Direction,
        id: &RequestId,
    ) -> Result<&mut Request, Broken> {
        let mut known = self.requests_mut(direction).iter_mut();
        known.rfind(|known| known.terms.request == *id).ok_or(Broken("an unknown request to pay"))
    }
}

impl Request {
    /// It was paid, or can still be.
    fn may_be_paid(&self) -> bool {
        match self.status {
            RequestStatus::Pending | RequestStatus::Approved | RequestStatus::Paid => true,
            RequestStatus::Rejected
            | RequestStatus::Cancelled
            | RequestStatus::Expired
            | RequestStatus::Failed => false,
        }
    }
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
