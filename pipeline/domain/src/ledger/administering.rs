//! Who administers a billing account, who has which role, and what is said for a whole enterprise (R9.5,
//! R11.1, R11.3).

use super::fact::{
    AdministratorsChanged, Journal, RechargeFrozen, RoleGranted, RoleRevoked, TaxIdChanged,
};
use super::state::{AccountNumber, Grant, WalletNumber};
use super::{EnterpriseNumber, Ledger, Undecided};
use crate::commands::{
    ADMINS_A_CALL_MAX, GrantAdmin, GrantRole, RevokeAdmin, RevokeRole, SetTaxId,
};
use crate::ids::{AccountId, EnterpriseId, WalletId};
use crate::money::Amount;
use crate::refusal::Refusal;
use crate::tax_ids::TaxId;

impl Ledger {
    pub(super) fn grant_admin(
        &mut self,
        command: &GrantAdmin,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let GrantAdmin { billing_account, accounts } = command;
        let (wallet, named) = self.administration(billing_account, accounts)?;
        let owner = self.wallet(wallet).ok_or(Refusal::NotFound)?.owner;
        for account in &named {
            self.together(owner, *account)?;
            if self.account(*account).is_some_and(|account| account.closed_at.is_some()) {
                return Err(Refusal::AccountClosed.into());
            }
        }

        let before = self.wallet(wallet).map(|found| found.administrators()).unwrap_or_default();
        let mut administrators = [before, &named].concat();
        administrators.sort_unstable();
        administrators.dedup();
        self.change_administrators(wallet, administrators, journal)
    }

    pub(super) fn revoke_admin(
        &mut self,
        command: &RevokeAdmin,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let RevokeAdmin { billing_account, accounts } = command;
        let (wallet, named) = self.administration(billing_account, accounts)?;
        let before = self.wallet(wallet).map(|found| found.administrators()).unwrap_or_default();
        if named.iter().any(|account| !before.contains(account)) {
            return Err(Refusal::NotFound.into());
        }

        let stays = |account: &AccountNumber| !named.contains(account);
        let administrators = before.iter().copied().filter(stays).collect();
        self.change_administrators(wallet, administrators, journal)
    }

    /// The wallet and the accounts that are named with it: not too many, of its enterprise, and not the one
    /// that administers everything anyway.
    fn administration(
        &self,
        wallet: &WalletId,
        accounts: &[AccountId],
    ) -> Result<(WalletNumber, Vec<AccountNumber>), Refusal> {
        let (number, wallet) = self.wallet_of(wallet)?;
        let enterprise = self.enterprise(wallet.enterprise).ok_or(Refusal::NotFound)?;
        if accounts.is_empty() {
            return Err(Refusal::Malformed);
        }
        if accounts.len() > ADMINS_A_CALL_MAX {
            return Err(Refusal::TooManyAccounts);
        }
        if enterprise.management_account.as_ref().is_some_and(|id| accounts.contains(id)) {
            return Err(Refusal::SuperAdministrator);
        }
        if !enterprise.account_center {
            return Err(Refusal::AccountCenterOff);
        }
        let within = |id: &AccountId| {
            let number = self.account_named(id)?;
            (self.account(number)?.enterprise == wallet.enterprise).then_some(number)
        };
        let named: Option<Vec<AccountNumber>> = accounts.iter().map(within).collect();
        Ok((number, named.ok_or(Refusal::DifferentEnterprise)?))
    }

    fn change_administrators(
        &mut self,
        wallet: WalletNumber,
        administrators: Vec<AccountNumber>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let before = self.wallet(wallet).map(|found| found.administrators()).unwrap_or_default();
        if before != administrators {
            self.record(journal, AdministratorsChanged { wallet, administrators })?;
        }
        Ok(())
    }

    pub(super) fn grant_role(
        &mut self,
        command: &GrantRole,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (enterprise, wallet) = self.scope(&command.scope).ok_or(Refusal::NotFound)?;
        let limit = command.top_up_limit;
        self.limit_is_payable(wallet, limit)?;

        let (principal, role) = (command.principal.clone(), command.role);
        let grant = Grant { principal, role, wallet, top_up_limit: limit };
        self.record(journal, RoleGranted { enterprise, grant })?;
        Ok(())
    }

    /// Whether a role can have this limit on top-ups there.
    pub(super) fn limit_is_payable(
        &self,
        wallet: Option<WalletNumber>,
        limit: Option<Amount>,
    ) -> Result<(), Refusal> {
        let currency = wallet.and_then(|wallet| self.wallet(wallet)).map(|found| found.currency);
        let payable = |limit: Amount| currency.is_none_or(|currency| limit.is_payable(currency));
        match limit {
            Some(limit) if limit.is_negative() || !payable(limit) => Err(Refusal::InvalidAmount),
            _ => Ok(()),
        }
    }

    pub(super) fn revoke_role(
        &mut self,
        command: &RevokeRole,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (enterprise, wallet) = self.scope(&command.scope).ok_or(Refusal::NotFound)?;
        let (principal, role) = (command.principal.clone(), command.role);
        let grants = self.enterprise(enterprise).map(|found| found.grants.as_slice());
        let key = (&principal, role, wallet);
        if !grants.unwrap_or_default().iter().any(|grant| grant.key() == key) {
            return Err(Refusal::NotFound.into());
        }

        self.record(journal, RoleRevoked { enterprise, principal, role, wallet })?;
        Ok(())
    }

    pub(super) fn freeze_recharge(
        &mut self,
        enterprise: &EnterpriseId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (enterprise, frozen) = self.recharge_freeze_of(enterprise)?;
        if frozen {
            return Err(Refusal::RechargeFrozen.into());
        }

        self.record(journal, RechargeFrozen { enterprise, frozen: true })?;
        Ok(())
    }

    pub(super) fn unfreeze_recharge(
        &mut self,
        enterprise: &EnterpriseId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (enterprise, frozen) = self.recharge_freeze_of(enterprise)?;
        if !frozen {
            return Err(Refusal::NotFound.into());
        }

        self.record(journal, RechargeFrozen { enterprise, frozen: false })?;
        // What could not be recharged meanwhile is recharged now.
        let wallets = self.enterprise(enterprise).map(|known| known.wallets.clone());
        for wallet in wallets.unwrap_or_default() {
            if self.wallet(wallet).is_some_and(|wallet| wallet.recharge.is_some()) {
                self.touch(wallet);
            }
        }
        Ok(())
    }

    /// An enterprise, and whether recharge is frozen there.
    fn recharge_freeze_of(&self, id: &EnterpriseId) -> Result<(EnterpriseNumber, bool), Refusal> {
        let number = self.enterprise_named(id).ok_or(Refusal::NotFound)?;
        let enterprise = self.enterprise(number).ok_or(Refusal::NotFound)?;
        Ok((number, enterprise.recharge_frozen))
    }

    pub(super) fn set_tax_id(
        &mut self,
        command: &SetTaxId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let enterprise = self.enterprise_named(&command.enterprise).ok_or(Refusal::NotFound)?;
        let country = self.enterprise(enterprise).ok_or(Refusal::NotFound)?.country;
        TaxId::read(country, command.tax_id.as_str()).map_err(Refusal::from)?;

        self.record(journal, TaxIdChanged { enterprise, tax_id: command.tax_id.clone() })?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "administering_tests.rs"]
mod tests;
