//! What facts about who may do what, who belongs and what still works do to the state. Decided elsewhere:
//! in `states`, `membership`, `administering` and `bad_debt`.

use super::fact::{
    AdministratorsChanged, BadDebtChanged, Fact, KeyCreated, KeyRevoked, MembershipChanged,
    RechargeFrozen, RoleGranted, RoleRevoked, TaxIdChanged, WalletRenamed, WalletStateChanged,
};
use super::state::{ApiKey, Enterprise, Grant};
use super::{Broken, EnterpriseNumber, Ledger};

impl Ledger {
    pub(super) fn apply_governing(&mut self, fact: &Fact) -> Result<(), Broken> {
        match fact {
            Fact::MembershipChanged(MembershipChanged { account, membership }) => {
                if let Some(account) = self.account_mut(*account)? {
                    account.membership = *membership;
                }
                Ok(())
            }
            Fact::TaxIdChanged(TaxIdChanged { enterprise, tax_id }) => {
                if let Some(enterprise) = self.enterprise_mut(*enterprise)? {
                    enterprise.tax_id = Some(tax_id.clone());
                }
                Ok(())
            }
            Fact::RechargeFrozen(RechargeFrozen { enterprise: number, frozen }) => {
                if let Some(enterprise) = self.enterprise_mut(*number)? {
                    enterprise.recharge_frozen = *frozen;
                }
                Ok(())
            }
            Fact::RoleGranted(RoleGranted { enterprise, grant }) => {
                if let Some(enterprise) = self.enterprise_mut(*enterprise)? {
                    enterprise.put_grant(grant.clone());
                }
                Ok(())
            }
            Fact::RoleRevoked(fact) => {
                if let Some(enterprise) = self.enterprise_mut(fact.enterprise)? {
                    enterprise.drop_grant(fact);
                }
                Ok(())
            }
            Fact::KeyCreated(fact) => {
                let KeyCreated { enterprise, key } = &**fact;
                if let Some(enterprise) = self.enterprise_mut(*enterprise)? {
                    enterprise.keys.push(key.clone());
                }
                Ok(())
            }
            Fact::KeyRevoked(KeyRevoked { enterprise, principal, at }) => {
                if let Some(enterprise) = self.enterprise_mut(*enterprise)? {
                    let in_force =
                        |key: &&mut ApiKey| key.is_in_force() && key.principal == *principal;
                    let revoked = enterprise.keys.iter_mut().filter(in_force);
                    revoked.for_each(|key| key.revoked_at = Some(*at));
                }
                Ok(())
            }
            Fact::WalletRenamed(WalletRenamed { wallet, name }) => {
                if let Some(wallet) = self.wallet_mut(*wallet)? {
                    wallet.governing_mut().name = Some(name.clone());
                }
                Ok(())
            }
            // A frozen wallet's retries wait, which is for its timers to know.
            Fact::WalletStateChanged(WalletStateChanged { wallet, state, frozen_by }) => self
                .retimed(*wallet, |wallet| {
                    let governing = wallet.governing_mut();
                    governing.state = *state;
                    governing.frozen_by.clone_from(frozen_by);
                    Ok(())
                }),
            Fact::AdministratorsChanged(AdministratorsChanged { wallet, administrators }) => {
                if let Some(wallet) = self.wallet_mut(*wallet)? {
                    wallet.governing_mut().administrators.clone_from(administrators);
                }
                Ok(())
            }
            Fact::BadDebtChanged(BadDebtChanged { wallet, bad_debt }) => {
                self.unwatch_bad_debt(*wallet, bad_debt.month);
                if let Some(wallet) = self.wallet_mut(*wallet)? {
                    wallet.governing_mut().bad_debt = Some(*bad_debt);
                }
                Ok(())
            }
            _ => Err(Broken("a fact about something else than governing")),
        }
    }

    fn enterprise_mut(
        &mut self,
        number: EnterpriseNumber,
    ) -> Result<Option<&mut Enterprise>, Broken> {
        match self.enterprises.get_mut(number.index()) {
            None if !self.loading => Err(Broken("an unknown enterprise")),
            found => Ok(found),
        }
    }
}

impl Enterprise {
    fn put_grant(&mut self, grant: Grant) {
        match self.grants.binary_search_by(|known| known.key().cmp(&grant.key())) {
            Ok(place) => self.grants[place] = grant,
            Err(place) => self.grants.insert(place, grant),
        }
    }

    fn drop_grant(&mut self, fact: &RoleRevoked) {
        let key = (&fact.principal, fact.role, fact.wallet);
        self.grants.retain(|known| known.key() != key);
    }
}

#[cfg(test)]
#[path = "governing_tests.rs"]
mod tests;
