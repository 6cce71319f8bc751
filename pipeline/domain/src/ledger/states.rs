//! Whether a billing account works (R4.5): named, frozen, let go again, closed for good.

use super::fact::{Journal, WalletRenamed, WalletStateChanged};
use super::state::{Account, Wallet, WalletNumber, WalletState};
use super::{Ledger, Undecided};
use crate::commands::{
    Asked, Authorize, BuyBenefit, Command, DeregisterBillingAccount, FreezeBillingAccount, Pay,
    PlaceOrder, RenameBillingAccount, RevokeTransfer, ShareBenefit, Subject, Transfer,
    UnfreezeBillingAccount, Withdraw,
};
use crate::ids::{PrincipalId, WalletId};
use crate::refusal::Refusal;
use crate::time::{Span, Timestamp};

/// A wallet can be closed when it has paid for nobody for so long: late usage may come until then.
const IDLE_BEFORE_CLOSING: Span = Span::days(35);

impl Ledger {
    /// Nothing is done with a wallet that was closed, nothing goes out of one that is frozen, and nobody tops
    /// up where that is stopped, whoever asks.
    pub(super) fn admit(&self, command: &Command) -> Result<(), Refusal> {
        let Some(enterprise) = self.enterprise_of(command.subject()) else { return Ok(()) };
        // One of another enterprise may be in another ledger just as well: the rule says so itself.
        let within = |id: &WalletId| {
            let wallet = self.wallet(self.wallet_named(id)?)?;
            (wallet.enterprise == enterprise).then_some(wallet)
        };
        let subject = match command.subject() {
            Subject::Wallet(id) => within(id),
            Subject::Scope(id) => self.scope(id).and_then(|(_, wallet)| self.wallet(wallet?)),
            Subject::RequestOf(id) => self.requests.of(id).and_then(|wallet| self.wallet(wallet)),
            Subject::RequestTo(id) => self.requests.to(id).and_then(|wallet| self.wallet(wallet)),
            Subject::Enterprise(_)
            | Subject::Account(_)
            | Subject::Invoice(_)
            | Subject::Everyone => None,
        };
        let other = command.other_wallet().and_then(within);
        let closed = |wallet: &Wallet| wallet.state() == WalletState::Deregistered;
        if subject.into_iter().chain(other).any(closed) {
            return Err(Refusal::Deregistered);
        }
        let taken_from = match command {
            Command::ApprovePaymentRequest(_) => subject,
            Command::Authorize(Authorize { account, .. }) => {
                let account = self.account_named(account).and_then(|number| self.account(number));
                account.and_then(|account| self.wallet(self.payer_now(account)))
            }
            command => takes_from(command).and_then(within),
        };
        if taken_from.is_some_and(Wallet::is_frozen) {
            return Err(Refusal::Frozen);
        }
        let stopped = self.enterprise(enterprise).is_some_and(|known| known.recharge_frozen);
        if stopped && matches!(command, Command::TopUp(_)) {
            return Err(Refusal::RechargeFrozen);
        }
        Ok(())
    }

    pub(super) fn rename_wallet(
        &mut self,
        command: &RenameBillingAccount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (wallet, _) = self.wallet_of(&command.billing_account)?;
        if command.name.as_str().is_empty() {
            return Err(Refusal::Malformed.into());
        }

        self.record(journal, WalletRenamed { wallet, name: command.name.clone() })?;
        Ok(())
    }

    pub(super) fn freeze_wallet(
        &mut self,
        asked: &Asked,
        command: &FreezeBillingAccount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (wallet, found) = self.wallet_of(&command.billing_account)?;
        if found.is_frozen() {
            return Err(Refusal::Frozen.into());
        }

        let frozen_by = Some(asked.principal.clone());
        self.record(journal, WalletStateChanged { wallet, state: WalletState::Frozen, frozen_by })?;
        Ok(())
    }

    pub(super) fn unfreeze_wallet(
        &mut self,
        asked: &Asked,
        command: &UnfreezeBillingAccount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (wallet, found) = self.wallet_of(&command.billing_account)?;
        if !found.is_frozen() {
            return Err(Refusal::NotFound.into());
        }
        // What the operator has frozen nobody else sets free.
        let operator = PrincipalId::operator();
        let frozen_by = found.governing.as_deref().and_then(|known| known.frozen_by.as_ref());
        if frozen_by == Some(&operator) && asked.principal != operator {
            return Err(Refusal::NotPermitted.into());
        }

        let valid = WalletStateChanged { wallet, state: WalletState::Valid, frozen_by: None };
        self.record(journal, valid)?;
        // What waited runs, in the order of R3.6: write-off here, payments as the wallet is judged.
        self.write_off_issued(wallet, journal)?;
        self.charge_method_preferred_since(wallet, journal)
    }

    pub(super) fn deregister_wallet(
        &mut self,
        command: &DeregisterBillingAccount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (wallet, found) = self.wallet_of(&command.billing_account)?;
        if found.is_frozen() {
            return Err(Refusal::Frozen.into());
        }
        if !self.is_empty(found) || self.paid_lately(wallet) {
            return Err(Refusal::NotEmpty.into());
        }

        let (state, frozen_by) = (WalletState::Deregistered, None);
        self.record(journal, WalletStateChanged { wallet, state, frozen_by })?;
        Ok(())
    }

    /// After a decline, a method that was preferred while nothing could go out is charged now (R6.5).
    fn charge_method_preferred_since(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let wallet = self.wallet(number);
        let paying = wallet.and_then(|wallet| wallet.paying.as_deref());
        let tried = paying.and_then(|paying| paying.turned_down.last()).map(|last| &last.method);
        let preferred = paying.and_then(|paying| paying.preferred.as_ref());
        if tried.is_some() && preferred.is_some() && tried != preferred {
            self.charge_new_method(number, journal)?;
        }
        Ok(())
    }

    /// Nothing is owed, under way, on its way from or to somebody else, or still to be invoiced, and nothing is left that could pay. A quota is its
    /// partner's.
    fn is_empty(&self, wallet: &Wallet) -> bool {
        let now = self.clock.now().minute();
        let usable = |coupon: &super::Coupon| coupon.left.is_positive() && coupon.valid.until > now;
        let under_way = wallet.paying.as_deref().is_some_and(|paying| {
            paying.in_flight.is_some() || !paying.others.is_empty() || !paying.linking.is_empty()
        });
        let billed =
            wallet.periods().iter().any(|it| !it.lines.is_empty() || !it.orders.is_empty());
        wallet.unpaid.is_empty()
            && wallet.open_cycles.is_empty()
            && wallet.cash().is_zero()
            && wallet.refunds.is_empty()
            && !wallet.coupons.iter().any(usable)
            && !wallet.bought().iter().any(|benefit| benefit.valid.until > now)
            && !under_way
            && !wallet.awaits_money()
            && !billed
            && wallet.drafts().is_empty()
    }

    pub(super) fn paid_lately(&self, number: WalletNumber) -> bool {
        let since = self.clock.now().minus(IDLE_BEFORE_CLOSING);
        let payees = self.paid_for(number).iter().filter_map(|account| self.account(*account));
        payees.filter_map(|payee| payee.paid_by_until(number)).any(|until| until > since)
    }
}

impl Account {
    /// Until when a wallet pays, or has paid, for its use; none if it never did.
    fn paid_by_until(&self, wallet: WalletNumber) -> Option<Timestamp> {
        let ends = self.payers.iter().skip(1).map(|payer| payer.from.starts());
        let ends = ends.chain([Timestamp::END]);
        let own = self.payers.iter().zip(ends).filter(|(payer, _)| payer.wallet == wallet);
        let closed = self.closed_at.unwrap_or(Timestamp::END);
        own.map(|(_, until)| until.min(closed)).max()
    }
}

/// The wallet out of which a command would take something.
fn takes_from(command: &Command) -> Option<&WalletId> {
    match command {
        Command::Transfer(Transfer { from: wallet, .. })
        | Command::RevokeTransfer(RevokeTransfer { to: wallet, .. })
        | Command::PlaceOrder(PlaceOrder { billing_account: wallet, .. })
        | Command::BuyBenefit(BuyBenefit { billing_account: wallet, .. })
        | Command::ShareBenefit(ShareBenefit { billing_account: wallet, .. })
        | Command::Pay(Pay { billing_account: wallet, .. })
        | Command::Withdraw(Withdraw { billing_account: wallet, .. }) => Some(wallet),
        _ => None,
    }
}

#[cfg(test)]
#[path = "states_tests.rs"]
mod tests;
