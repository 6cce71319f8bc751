//! An account stays with its enterprise for life, but shares in it only while it is an active member (R4.6).

use super::fact::{AdministratorsChanged, Journal, MembershipChanged, RoleRevoked};
use super::state::{Account, AccountNumber, Membership, WalletNumber};
use super::{Broken, Ledger, Undecided};
use crate::commands::{AcceptInvitation, EndMembership, InviteAccount};
use crate::ids::{AccountId, EnterpriseId};
use crate::refusal::Refusal;

impl Ledger {
    pub(super) fn invite_account(
        &mut self,
        command: &InviteAccount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let account = self.member(&command.account, command.enterprise.as_ref())?;
        let known = self.account(account).ok_or(Refusal::NotFound)?;
        if known.closed_at.is_some() {
            return Err(Refusal::AccountClosed.into());
        }
        if known.membership != Membership::Ended {
            return Err(Refusal::AlreadyExists.into());
        }

        self.record(journal, MembershipChanged { account, membership: Membership::Invited })?;
        Ok(())
    }

    pub(super) fn accept_invitation(
        &mut self,
        command: &AcceptInvitation,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let account = self.member(&command.account, command.enterprise.as_ref())?;
        let known = self.account(account).ok_or(Refusal::NotFound)?;
        if known.closed_at.is_some() {
            return Err(Refusal::AccountClosed.into());
        }
        if known.membership != Membership::Invited {
            return Err(Refusal::NotFound.into());
        }

        self.record(journal, MembershipChanged { account, membership: Membership::Active })?;
        Ok(())
    }

    pub(super) fn end_membership(
        &mut self,
        command: &EndMembership,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let account = self.member(&command.account, command.enterprise.as_ref())?;
        let known = self.account(account).ok_or(Refusal::NotFound)?;
        if known.membership == Membership::Ended {
            return Err(Refusal::NotFound.into());
        }
        let enterprise = self.enterprise(known.enterprise);
        let manages = enterprise.and_then(|enterprise| enterprise.management_account.as_ref());
        if manages == Some(&command.account) {
            return Err(Refusal::SuperAdministrator.into());
        }

        let own = known.own_wallet();
        self.record(journal, MembershipChanged { account, membership: Membership::Ended })?;
        if let Some(own) = own {
            self.part_payers(account, own, journal)?;
            self.part_administrators(account, own, journal)?;
            self.part_roles(account, own, journal)?;
            self.part_sharing(account, own, journal)?;
        }
        Ok(())
    }

    /// An account, which the enterprise must be that of, if one is named.
    fn member(
        &self,
        id: &AccountId,
        enterprise: Option<&EnterpriseId>,
    ) -> Result<AccountNumber, Refusal> {
        let number = self.account_named(id).ok_or(Refusal::NotFound)?;
        let own = self.account(number).map(|account| account.enterprise);
        let own = own.and_then(|own| self.enterprise(own)).map(|own| &own.id);
        if enterprise.is_some_and(|named| Some(named) != own) {
            return Err(Refusal::DifferentEnterprise);
        }
        Ok(number)
    }

    /// Whoever leaves pays for himself from the next full minute on, and for nobody else.
    fn part_payers(
        &mut self,
        leaves: AccountNumber,
        own: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let from = self.clock.now().full_minute();
        let mut payees: Vec<AccountNumber> = self.paid_for(own).to_vec();
        payees.push(leaves);
        payees.sort_unstable();
        payees.dedup();
        for account in payees {
            let Some(payee) = self.account(account) else { continue };
            let Some(wallet) = payee.own_wallet() else { continue };
            let apart =
                |payer: WalletNumber| if account == leaves { payer != own } else { payer == own };
            let mut later = payee.payers.iter().filter(|payer| payer.from > from);
            if apart(payee.payer_at(from).0) || later.any(|payer| apart(payer.wallet)) {
                self.pay_from(account, wallet, from, journal)?;
            }
        }
        Ok(())
    }

    /// Whoever leaves administers nothing but his own, and nobody else that.
    fn part_administrators(
        &mut self,
        leaves: AccountNumber,
        own: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let enterprise = self.account(leaves).and_then(|known| self.enterprise(known.enterprise));
        let wallets = enterprise.map(|enterprise| enterprise.wallets.clone()).unwrap_or_default();
        for wallet in wallets {
            let before =
                self.wallet(wallet).map(|found| found.administrators()).unwrap_or_default();
            let stays = |account: &AccountNumber| wallet != own && *account != leaves;
            let administrators: Vec<_> = before.iter().copied().filter(stays).collect();
            if administrators.len() != before.len() {
                self.record(journal, AdministratorsChanged { wallet, administrators })?;
            }
        }
        Ok(())
    }

    /// The roles that he had over others end with his membership.
    fn part_roles(
        &mut self,
        leaves: AccountNumber,
        own: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let Some(known) = self.account(leaves) else { return Ok(()) };
        let (enterprise, id) = (known.enterprise, known.id.clone());
        let grants = self.enterprise(enterprise).map(|found| found.grants.clone());
        let others = grants
            .into_iter()
            .flatten()
            .filter(|grant| grant.principal.is_root_of(&id) && grant.wallet != Some(own));
        for grant in others {
            let super::Grant { principal, role, wallet, .. } = grant;
            self.record(journal, RoleRevoked { enterprise, principal, role, wallet })?;
        }
        Ok(())
    }
}

impl Account {
    /// The wallet that was opened with it.
    pub(super) fn own_wallet(&self) -> Option<WalletNumber> {
        self.payers.first().map(|payer| payer.wallet)
    }
}

#[cfg(test)]
#[path = "membership_tests.rs"]
mod tests;
