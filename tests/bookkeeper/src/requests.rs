//! Pay for me: somebody is asked to pay, and does (R10).

use crate::BookKeeper;
use crate::calendar::full_minute_from;
use crate::exact::Exact;
use crate::fields::{CURRENCY_MISMATCH, Fields, MALFORMED, NOT_FOUND, Refusal};
use crate::ledger::{Lot, Place};
use crate::passing::Due;
use crate::payments::Purpose;
use crate::rights::Right;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Approved,
    Rejected,
    Cancelled,
    Expired,
    Paid,
    Failed,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Approved => "approved",
            State::Rejected => "rejected",
            State::Cancelled => "cancelled",
            State::Expired => "expired",
            State::Paid => "paid",
            State::Failed => "failed",
        }
    }
}

pub struct Request {
    pub requester: usize,
    pub payer: usize,
    pub amount: Exact,
    pub state: State,
    resends: Option<String>,
    /// What has left the payer's cash and has not reached the requester.
    pub on_the_way: Exact,
}

impl BookKeeper {
    pub(crate) fn request_payment(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let id = fields.new_id("request")?.to_string();
        let requester_name = fields.text("requester")?;
        let payer_name = fields.text("payer")?;
        fields.text("service")?;
        fields.optional_text("note")?;
        let resends = fields.optional_text("resends")?.map(str::to_string);
        let requester = *self.wallet_numbers.get(requester_name).ok_or(NOT_FOUND)?;
        if self.requests.contains_key(&id) {
            return Err("already_exists");
        }
        let payer = self.find_payer(payer_name)?;
        self.may(Right::Pay, requester)?;
        self.direct_wallet(requester_name)?;
        if requester == payer {
            return Err(MALFORMED);
        }
        let (asks, pays) = (&self.wallets[requester], &self.wallets[payer]);
        let amount = fields.amount("amount", asks.currency)?;
        if asks.currency != pays.currency {
            return Err(CURRENCY_MISMATCH);
        }
        if asks.partner_pays {
            return Err("partner_pays");
        }
        if let Some(earlier) = &resends {
            let known = self.requests.get(earlier).ok_or(NOT_FOUND)?;
            if known.requester != requester || known.state != State::Rejected {
                return Err(NOT_FOUND);
            }
            let repeats = |other: &&Request| other.resends.as_ref() == Some(earlier);
            let goes_on = [State::Pending, State::Approved, State::Paid];
            if self.requests.values().filter(repeats).any(|other| goes_on.contains(&other.state)) {
                return Err("already_exists");
            }
        }
        let expires = full_minute_from(self.now.saturating_add(self.settings.expire_after));
        self.falls_due(expires, Due::RequestExpires { request: id.clone() });
        let on_the_way = Exact::zero();
        let state = State::Pending;
        let request = Request { requester, payer, amount, state, resends, on_the_way };
        self.requests.insert(id.clone(), request);
        self.set_request(&id, State::Pending, Exact::zero());
        Ok(())
    }

    /// The billing account that was opened with the account of this name or e-mail address.
    fn find_payer(&self, name: &str) -> Result<usize, Refusal> {
        if !name.contains('@') {
            return Ok(self.account(name)?.own_wallet());
        }
        let of_mail: Vec<usize> = self
            .accounts
            .values()
            .filter(|account| account.email.to_lowercase() == name.to_lowercase())
            .map(|account| account.own_wallet())
            .collect();
        match of_mail.as_slice() {
            [] => Err(NOT_FOUND),
            [wallet] => Ok(*wallet),
            _ => Err("payer_ambiguous"),
        }
    }

    pub(crate) fn approve_payment_request(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let id = fields.text("request")?.to_string();
        let named = fields.optional_text("method")?;
        let request = self.requests.get(&id).ok_or(NOT_FOUND)?;
        let (payer, amount) = (request.payer, request.amount.clone());
        let owner = &self.wallets[payer];
        self.may(Right::Pay, payer)?;
        self.wallet_number(&owner.name)?;
        self.not_frozen(payer)?;
        self.direct_wallet(&owner.name)?;
        if request.state != State::Pending {
            return Err("not_pending");
        }
        let method = named.map(|name| owner.method(name).ok_or(NOT_FOUND)).transpose()?;
        if self.is_overdue(payer) {
            return Err("overdue");
        }
        if owner.partner_pays || self.wallets[request.requester].partner_pays {
            return Err("partner_pays");
        }
        // Of the balance own cash pays, as far as it is available (R10.2).
        let by_balance = owner.transferable().min(amount.clone());
        let rest = &amount - &by_balance;
        if rest.is_positive() {
            let method = method.ok_or("insufficient_funds")?;
            if owner.in_flight.is_some() {
                return Err("payment_in_progress");
            }
            if !owner.is_active(method, self.dated) {
                return Err("no_method");
            }
        }
        let method = method.map(|method| method.name.clone());
        let to = Place::OnTheWay(payer);
        self.change_asset(payer, &Lot::OwnCash, &-&by_balance, to, "payment_request", &id);
        self.set_request(&id, State::Approved, by_balance.clone());
        match method {
            Some(method) if rest.is_positive() => {
                let purpose = Purpose::Request { id, by_balance };
                self.charge_method(payer, "payment_request", &method, rest, purpose);
            }
            _ => self.deliver(&id, &Exact::zero()),
        }
        Ok(())
    }

    /// Both sides are told of what is paid, has failed or expired, of the rest the other side (R10.3).
    fn set_request(&mut self, id: &str, state: State, on_the_way: Exact) {
        let Some(request) = self.requests.get_mut(id) else { return };
        (request.state, request.on_the_way) = (state, on_the_way);
        let (requester, payer) = (request.requester, request.payer);
        let (kind, tells): (_, &[usize]) = match state {
            State::Pending => ("payment_request_new", &[payer]),
            State::Approved => ("payment_request_approved", &[requester]),
            State::Rejected => ("payment_request_rejected", &[requester]),
            State::Cancelled => ("payment_request_cancelled", &[payer]),
            State::Expired => ("payment_request_expired", &[requester, payer]),
            State::Paid => ("payment_request_paid", &[requester, payer]),
            State::Failed => ("payment_request_failed", &[requester, payer]),
        };
        for wallet in tells {
            self.tell(*wallet, kind);
        }
    }

    /// All the money is there: what left the payer's cash, and what a method has paid. It reaches the requester; if
    /// that one is closed for good, it returns to the payer whole (R10.4).
    pub(crate) fn deliver(&mut self, id: &str, by_method: &Exact) {
        let Some(request) = self.requests.get(id) else { return };
        let (requester, payer) = (request.requester, request.payer);
        let on_the_way = request.on_the_way.clone();
        let way = Place::OnTheWay(payer);
        let currency = self.wallets[payer].currency;
        self.ledger.move_money(currency, Place::World, way.clone(), by_method);
        let amount = &on_the_way + by_method;
        let reached = self.wallets[requester].deregistered_at.is_none();
        let (receiver, state) =
            if reached { (requester, State::Paid) } else { (payer, State::Failed) };
        self.change_asset(receiver, &Lot::OwnCash, &amount, way, "payment_request", id);
        self.set_request(id, state, Exact::zero());
        if reached {
            self.pay_requesters_bills(requester, &amount);
        }
        self.write_off(receiver);
    }

    /// It pays issued bills, the oldest first, whatever the write-off switch says, but for those in flight; while
    /// nothing is written off there at all it stays own cash (R10.2).
    fn pay_requesters_bills(&mut self, wallet: usize, amount: &Exact) {
        if !self.may_write_off(wallet) {
            return;
        }
        let mut rest = amount.clone();
        for bill in self.wallets[wallet].not_in_flight() {
            let part = self.bills[bill].unpaid().min(rest.clone());
            if part.is_positive() {
                self.pay_from_lot(bill, &Lot::OwnCash, &part, "bill");
                rest -= &part;
            }
        }
    }

    /// The payer's method was declined: the part of the balance returns (R10.2).
    pub(crate) fn request_has_failed(&mut self, id: &str) {
        let Some(request) = self.requests.get(id) else { return };
        let (payer, part) = (request.payer, request.on_the_way.clone());
        let from = Place::OnTheWay(payer);
        self.change_asset(payer, &Lot::OwnCash, &part, from, "payment_request", id);
        self.set_request(id, State::Failed, Exact::zero());
    }

    /// Only pending ones can be rejected, cancelled, or expire.
    pub(crate) fn end_request(&mut self, fields: &Fields, state: State) -> Result<(), Refusal> {
        let id = fields.text("request")?;
        let request = self.requests.get(id).ok_or(NOT_FOUND)?;
        let asked = if state == State::Rejected { request.payer } else { request.requester };
        self.may(Right::Pay, asked)?;
        self.wallet_number(&self.wallets[asked].name)?;
        if request.state != State::Pending {
            return Err("not_pending");
        }
        self.set_request(id, state, Exact::zero());
        Ok(())
    }

    pub(crate) fn request_expires(&mut self, id: &str) {
        if self.requests.get(id).is_some_and(|request| request.state == State::Pending) {
            self.set_request(id, State::Expired, Exact::zero());
        }
    }
}
