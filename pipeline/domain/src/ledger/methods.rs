//! Payment methods: linked, preferred, taken away (R7.4).

use super::fact::{
    Journal, LinkBegun, LinkEnded, MethodChanged, MethodPreferred, MethodUnlinked, ProductChecked,
};
use super::payments::Charge;
use super::state::{InFlight, Linking, Method, Paying, Wallet, WalletNumber};
use super::{Answer, Broken, Ledger, Undecided};
use crate::commands::{
    Asked, FinishAuthentication, LinkPaymentMethod, PreferPaymentMethod, UnlinkPaymentMethod,
};
use crate::ids::{MethodId, Text};
use crate::money::{Amount, Currency};
use crate::payments::{MethodKind, MethodState, PaymentAnswer, PaymentCause};
use crate::rating::MeterNumber;
use crate::refusal::Refusal;
use crate::time::Minute;

/// So many methods of a billing account wait for their owner to prove who he is; the oldest is forgotten.
const AUTHENTICATING_MAX: usize = 10;

/// What is held and given back to see whether a method can pay.
pub const HELD: (Amount, Currency) = (Amount::ONE, Currency::Usd);

impl Method {
    /// Whether it can pay.
    pub fn is_active(&self) -> bool {
        self.state == MethodState::Active
    }
}

impl Wallet {
    /// The method that is charged, if it can pay.
    pub fn active_method(&self) -> Option<&Method> {
        let paying = self.paying.as_deref()?;
        let preferred = paying.preferred.as_ref()?;
        let found = paying.methods.iter().find(|method| method.method == *preferred);
        found.filter(|method| method.is_active())
    }

    /// Whether its default method carries it: it can pay, or is being charged. A card that expires while it is charged
    /// carries it until the answer (R8.1, R8.2).
    pub(super) fn is_carried_by_method(&self) -> bool {
        let is_charged = |paying: &Paying| {
            let charged = paying.in_flight.as_ref().map(|payment| &payment.method);
            charged.is_some() && charged == paying.preferred.as_ref()
        };
        self.active_method().is_some() || self.paying.as_deref().is_some_and(is_charged)
    }

    /// Whether it is not known yet that a method can pay (R7.6): nothing is charged by itself before that.
    pub(super) fn is_being_checked(&self, method: &Method) -> bool {
        let others = self.paying.as_deref().map(|paying| paying.others.as_slice());
        others.unwrap_or_default().iter().any(|payment| {
            payment.cause == PaymentCause::Preauthorisation && payment.method == method.method
        })
    }

    pub(super) fn paying_mut(&mut self) -> &mut Paying {
        self.paying.get_or_insert_with(|| {
            Box::new(Paying {
                methods: Vec::new(),
                preferred: None,
                linking: Vec::new(),
                authenticating: Vec::new(),
                begun: 0,
                in_flight: None,
                others: Vec::new(),
                declined: None,
                turned_down: Vec::new(),
                sweep_at: Minute::END,
                sweep_waits: false,
                order: None,
            })
        })
    }
}

impl Ledger {
    /// The gateway is asked whether the method can pay; whoever asked waits for its answer.
    pub(super) fn link_method(
        &mut self,
        asked: &Asked,
        command: &LinkPaymentMethod,
        journal: &mut dyn Journal,
    ) -> Result<Answer, Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        let known = wallet.paying.as_deref();
        let linked = known.is_some_and(|paying| {
            paying.methods.iter().any(|method| method.method == command.method)
                || paying.linking.iter().any(|linking| linking.method.method == command.method)
        });
        if linked {
            return Err(Refusal::AlreadyExists.into());
        }
        if !self.takes_brand(command.kind, command.brand.as_ref()) {
            return Err(Refusal::MethodNotAllowed.into());
        }
        let now = self.clock.now();
        if command.expires.is_some_and(|last| last <= wallet.zone.month_of(now)) {
            return Err(Refusal::CardExpired.into());
        }

        let method = Method {
            method: command.method.clone(),
            kind: command.kind,
            token: command.token.clone(),
            brand: command.brand.clone(),
            expires: command.expires,
            state: MethodState::Pending,
            linked_at: now,
            payment: 0,
            checked: Vec::new(),
        };
        self.begin_link(number, method, asked, false, journal)
    }

    /// The owner has proven to the gateway who he is: it is asked once more to hold something.
    pub(super) fn finish_authentication(
        &mut self,
        asked: &Asked,
        command: &FinishAuthentication,
        journal: &mut dyn Journal,
    ) -> Result<Answer, Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        let waiting = wallet.paying.as_deref().map(|paying| paying.authenticating.as_slice());
        let mut waiting = waiting.unwrap_or_default().iter();
        let method = waiting.find(|method| method.method == command.method);
        let method = method.ok_or(Refusal::NotFound)?.clone();
        let month = self.month_now(wallet);
        if method.expires.is_some_and(|last| last <= month) {
            return Err(Refusal::CardExpired.into());
        }

        self.begin_link(number, method, asked, true, journal)
    }

    fn begin_link(
        &mut self,
        number: WalletNumber,
        method: Method,
        asked: &Asked,
        authenticated: bool,
        journal: &mut dyn Journal,
    ) -> Result<Answer, Undecided> {
        let now = self.clock.now();
        let paying = self.wallet(number).and_then(|wallet| wallet.paying.as_deref());
        let payment = paying.map_or(0, |paying| paying.begun).saturating_add(1);
        let method = Method { payment, linked_at: now, ..method };
        let asked = asked.clone();
        let linking = Linking { payment, method, begun_at: now, asked, authenticated };
        self.record(journal, LinkBegun { wallet: number, linking })?;
        Ok(Answer::Later)
    }

    /// The gateway has answered whether a method that is being linked can pay.
    pub(super) fn link_answered(
        &mut self,
        wallet: WalletNumber,
        linking: Linking,
        answer: PaymentAnswer,
        reason: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let refused = match answer {
            PaymentAnswer::Succeeded | PaymentAnswer::AwaitsApproval => None,
            PaymentAnswer::Unauthenticated => self
                .demands_authentication(wallet, &linking.method)
                .then_some(Refusal::AuthenticationRequired),
            PaymentAnswer::AuthenticationRequired => Some(Refusal::AuthenticationRequired),
            PaymentAnswer::Declined if reason.as_ref().is_some_and(says_expired) => {
                Some(Refusal::CardExpired)
            }
            PaymentAnswer::Declined => Some(Refusal::PreauthorisationFailed),
        };
        let state = match answer {
            PaymentAnswer::AwaitsApproval => MethodState::Pending,
            _ => MethodState::Active,
        };
        let method = linking.method.method.clone();
        self.record(journal, LinkEnded { wallet, linking, refused, reason, state })?;
        self.charge_if_preferred(wallet, &method, journal)
    }

    /// A method can pay from now on: as the preferred one, the first that is linked is, it pays at once what an earlier
    /// one could not (R6.5).
    fn charge_if_preferred(
        &mut self,
        number: WalletNumber,
        method: &MethodId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        match wallet.preferred() == Some(method) {
            true => self.charge_new_method(number, journal),
            false => Ok(()),
        }
    }

    /// Whether cards are linked only with strong authentication, where the enterprise is registered.
    fn demands_authentication(&self, number: WalletNumber, method: &Method) -> bool {
        let country = self
            .wallet(number)
            .and_then(|wallet| Some(self.enterprise(wallet.enterprise)?.country));
        let countries = &self.settings.methods.strong_authentication;
        method.kind == MethodKind::Card && country.is_some_and(|known| countries.contains(&known))
    }

    /// The owner of a method that was linked has approved that it is charged, or will not.
    pub(super) fn agreement_answered(
        &mut self,
        wallet: WalletNumber,
        method: MethodId,
        answer: PaymentAnswer,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let state = match answer {
            PaymentAnswer::Succeeded | PaymentAnswer::Unauthenticated => MethodState::Active,
            PaymentAnswer::Declined => MethodState::Inactive,
            PaymentAnswer::AwaitsApproval | PaymentAnswer::AuthenticationRequired => return Ok(()),
        };
        self.record(journal, MethodChanged { wallet, method: method.clone(), state })?;
        self.charge_if_preferred(wallet, &method, journal)
    }

    /// A method can pay no longer.
    pub(super) fn deactivate(
        &mut self,
        wallet: WalletNumber,
        method: MethodId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let state = MethodState::Inactive;
        self.record(journal, MethodChanged { wallet, method, state })?;
        Ok(())
    }

    /// With PayPal preferred, the first use of each product makes sure that the method could pay for it
    /// (R7.6).
    #[inline]
    pub(super) fn check_first_use(
        &mut self,
        number: WalletNumber,
        meter: MeterNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number).filter(|wallet| wallet.paying.is_some()) else {
            return Ok(());
        };
        let Some(product) = self.book.product_of(meter) else { return Ok(()) };
        let method = wallet.active_method();
        let Some(method) = method.filter(|method| {
            method.kind == MethodKind::Paypal && !method.checked.contains(&product)
        }) else {
            return Ok(());
        };
        let method = method.method.clone();
        self.record(journal, ProductChecked { wallet: number, method: method.clone(), product })?;
        let charge = Charge::of(PaymentCause::Preauthorisation, method, HELD.0);
        self.begin_charge(number, charge, journal)
    }

    /// Cards whose last month is over can pay no longer (R7.4).
    pub(super) fn expire_cards(
        &mut self,
        number: WalletNumber,
        at: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let over = |method: &&Method| wallet.expires_at(method).is_some_and(|end| end <= at);
        let methods = wallet.paying.as_deref().map(|paying| paying.methods.as_slice());
        let over: Vec<MethodId> = methods
            .unwrap_or_default()
            .iter()
            .filter(over)
            .map(|method| method.method.clone())
            .collect();
        over.into_iter().try_for_each(|method| self.deactivate(number, method, journal))
    }

    pub(super) fn prefer_method(
        &mut self,
        command: &PreferPaymentMethod,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        let found = wallet.method(&command.method).ok_or(Refusal::NotFound)?;
        if !found.is_active() {
            return Err(Refusal::NoMethod.into());
        }

        let (method, before) = (Some(command.method.clone()), wallet.preferred());
        if method.as_ref() == before {
            return Ok(());
        }
        self.record(journal, MethodPreferred { wallet: number, method })?;
        self.charge_new_method(number, journal)
    }

    pub(super) fn unlink_method(
        &mut self,
        command: &UnlinkPaymentMethod,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        wallet.method(&command.method).ok_or(Refusal::NotFound)?;
        let paying = wallet.paying.as_deref().into_iter();
        let mut open = paying.flat_map(|paying| paying.in_flight.iter().chain(&paying.others));
        if open.any(|payment| payment.method == command.method) {
            return Err(Refusal::MethodInUse.into());
        }

        let was_preferred = wallet.preferred() == Some(&command.method);
        let (wallet, method) = (number, command.method.clone());
        self.record(journal, MethodUnlinked { wallet, method })?;
        if !was_preferred {
            return Ok(());
        }
        // Then the longest linked one is preferred.
        let next = self.wallet(number).and_then(|wallet| wallet.longest_linked()).cloned();
        self.record(journal, MethodPreferred { wallet, method: next })?;
        self.charge_new_method(number, journal)
    }

    pub(super) fn apply_method(
        &mut self,
        number: WalletNumber,
        change: impl FnOnce(&mut Paying) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.retimed(number, |wallet| change(wallet.paying_mut()))
    }
}

impl Wallet {
    pub fn method(&self, id: &MethodId) -> Option<&Method> {
        self.paying.as_deref()?.methods.iter().find(|method| method.method == *id)
    }

    /// When a card can pay no longer; none for what does not expire, or can pay no longer already.
    pub(super) fn expires_at(&self, method: &Method) -> Option<Minute> {
        let last = method.expires.filter(|_| method.state != MethodState::Inactive)?;
        Some(self.zone.window_of(last).until)
    }

    pub(super) fn preferred(&self) -> Option<&MethodId> {
        self.paying.as_deref()?.preferred.as_ref()
    }

    fn longest_linked(&self) -> Option<&MethodId> {
        Some(&self.paying.as_deref()?.methods.first()?.method)
    }

    /// The bills that a payment in flight is for (R6.3).
    pub(super) fn bills_in_flight(&self) -> impl Iterator<Item = u64> {
        let in_flight = self.paying.as_deref().and_then(|paying| paying.in_flight.as_ref());
        in_flight.into_iter().flat_map(|payment: &InFlight| payment.shares.iter().map(|s| s.bill))
    }
}

impl Paying {
    pub(super) fn method_mut(&mut self, id: &MethodId) -> Result<&mut Method, Broken> {
        let found = self.methods.iter_mut().find(|method| method.method == *id);
        found.ok_or(Broken("a method that is not linked"))
    }

    /// A link is answered: the method is there, or is not.
    pub(super) fn end_link(&mut self, fact: &LinkEnded, month_ends: Minute) -> Result<(), Broken> {
        let place = self.linking.iter().position(|linking| linking.payment == fact.linking.payment);
        let linking = self.linking.remove(place.ok_or(Broken("a link nobody asked for"))?);
        let method = Method { state: fact.state, ..linking.method };
        if fact.refused == Some(Refusal::AuthenticationRequired) {
            if self.authenticating.len() >= AUTHENTICATING_MAX {
                self.authenticating.remove(0);
            }
            self.authenticating.push(method);
            return Ok(());
        }
        if fact.refused.is_some() {
            return Ok(());
        }
        // The first one linked is preferred.
        self.preferred.get_or_insert_with(|| method.method.clone());
        self.methods.push(method);
        self.sweep_at = self.sweep_at.min(month_ends);
        Ok(())
    }
}

/// Gateways say so in their answer.
fn says_expired(reason: &Text) -> bool {
    matches!(reason.as_str(), "expired_card" | "card_expired")
}

#[cfg(test)]
#[path = "methods_tests.rs"]
mod tests;
