//! Payment methods: linked, preferred, taken away (R7.4).

use super::fact::{Journal, LinkBegun, LinkEnded, MethodPreferred, MethodUnlinked};
use super::state::{InFlight, Linking, Method, Paying, Wallet, WalletNumber};
use super::{Answer, Broken, Ledger, Undecided};
use crate::commands::{Asked, LinkPaymentMethod, PreferPaymentMethod, UnlinkPaymentMethod};
use crate::ids::{MethodId, Text};
use crate::money::{Amount, Currency};
use crate::payments::{MethodKind, MethodState, PaymentAnswer};
use crate::refusal::Refusal;
use crate::time::{Minute, Month};

/// What is held and given back to see whether a method can pay.
pub const HELD: (Amount, Currency) = (Amount::ONE, Currency::Usd);

impl Method {
    /// Whether it can pay: a card is inactive after its last month.
    pub fn is_active(&self, now: Month) -> bool {
        self.state == MethodState::Active && self.expires.is_none_or(|last| now <= last)
    }
}

impl Wallet {
    /// The method that is charged, if it can pay.
    pub fn active_method(&self, now: Month) -> Option<&Method> {
        let paying = self.paying.as_deref()?;
        let preferred = paying.preferred.as_ref()?;
        let found = paying.methods.iter().find(|method| method.method == *preferred);
        found.filter(|method| method.is_active(now))
    }

    pub(super) fn paying_mut(&mut self) -> &mut Paying {
        self.paying.get_or_insert_with(|| {
            Box::new(Paying {
                methods: Vec::new(),
                preferred: None,
                linking: Vec::new(),
                begun: 0,
                in_flight: None,
                declined: None,
                turned_down: Vec::new(),
                sweep_at: Minute::END,
                sweep_waits: false,
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
        let brands = &self.settings.topup.card_brands;
        let brand = command.brand.as_ref().map(Text::as_str);
        let taken = brand.is_none_or(|brand| brands.iter().any(|known| known == brand));
        if command.kind == MethodKind::Card && !taken {
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
        };
        let payment = known.map_or(0, |paying| paying.begun).saturating_add(1);
        let linking = Linking { payment, method, begun_at: now, asked: asked.clone() };
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
            PaymentAnswer::Succeeded => None,
            PaymentAnswer::AuthenticationRequired => Some(Refusal::AuthenticationRequired),
            PaymentAnswer::Declined if reason.as_ref().is_some_and(says_expired) => {
                Some(Refusal::CardExpired)
            }
            PaymentAnswer::Declined => Some(Refusal::PreauthorisationFailed),
        };
        self.record(journal, LinkEnded { wallet, linking, refused, reason })?;
        Ok(())
    }

    pub(super) fn prefer_method(
        &mut self,
        command: &PreferPaymentMethod,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        let month = wallet.zone.month_of(self.clock.now());
        let found = wallet.method(&command.method).ok_or(Refusal::NotFound)?;
        if !found.is_active(month) {
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
        let in_flight = wallet.paying.as_deref().and_then(|paying| paying.in_flight.as_ref());
        if in_flight.is_some_and(|payment| payment.method == command.method) {
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

    fn preferred(&self) -> Option<&MethodId> {
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
    /// A link is answered: the method is there, or is not.
    pub(super) fn end_link(&mut self, fact: &LinkEnded, month_ends: Minute) -> Result<(), Broken> {
        let place = self.linking.iter().position(|linking| linking.payment == fact.linking.payment);
        let linking = self.linking.remove(place.ok_or(Broken("a link nobody asked for"))?);
        if fact.refused.is_some() {
            return Ok(());
        }
        let method = Method { state: MethodState::Active, ..linking.method };
        // The first one linked is preferred.
        self.preferred.get_or_insert_with(|| method.method.clone());
        self.methods.push(method);
        self.sweep_at = self.sweep_at.min(month_ends);
        Ok(())
    }
}

/// Gateways say so in their answer.
fn says_expired(reason: &Text) -> bool {
    reason.as_str() == "expired_card"
}
