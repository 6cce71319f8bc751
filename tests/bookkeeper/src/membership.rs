//! Membership in an enterprise (R4.6).

use crate::BookKeeper;
use crate::calendar::full_minute_from;
use crate::fields::{Fields, NOT_FOUND, Refusal};
use crate::passing::Due;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    Invited,
    Active,
    Ended,
}

impl BookKeeper {
    pub(crate) fn is_active(&self, account: &str) -> bool {
        self.accounts.get(account).is_some_and(|known| known.membership == Membership::Active)
    }

    /// Whether these two are active members of one enterprise: whose a billing account is, and an account.
    pub(crate) fn is_with(&self, wallet: usize, account: &str) -> bool {
        let owner = &self.wallets[wallet];
        let is_in = |known: &crate::registry::Account| known.enterprise == owner.enterprise;
        owner.owner == account
            || self.accounts.get(account).is_some_and(is_in)
                && self.is_active(&owner.owner)
                && self.is_active(account)
    }

    /// The account that a command about membership names, if whoever asks may, and how it stands.
    fn member(
        &self,
        fields: &Fields,
        may: impl Fn(&BookKeeper, &str, &str) -> Result<(), Refusal>,
    ) -> Result<(String, Membership), Refusal> {
        let id = fields.text("account")?;
        let enterprise = fields.optional_text("enterprise")?;
        let account = self.account(id)?;
        if let Some(enterprise) = enterprise {
            self.enterprise(enterprise)?;
        }
        may(self, id, &account.enterprise)?;
        if enterprise.is_some_and(|enterprise| account.enterprise != enterprise) {
            return Err("different_enterprise");
        }
        Ok((id.to_string(), account.membership))
    }

    fn set_membership(&mut self, account: &str, membership: Membership) {
        if let Some(known) = self.accounts.get_mut(account) {
            known.membership = membership;
        }
    }

    pub(crate) fn invite_account(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let (account, membership) =
            self.member(fields, |keeper, _, enterprise| keeper.may_govern(enterprise))?;
        if self.account(&account)?.closed_at.is_some() {
            return Err("account_closed");
        }
        if membership != Membership::Ended {
            return Err("already_exists");
        }
        self.set_membership(&account, Membership::Invited);
        Ok(())
    }

    pub(crate) fn accept_invitation(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let (account, membership) =
            self.member(fields, |keeper, account, _| keeper.is_it(account))?;
        if self.account(&account)?.closed_at.is_some() {
            return Err("account_closed");
        }
        if membership != Membership::Invited {
            return Err(NOT_FOUND);
        }
        self.set_membership(&account, Membership::Active);
        Ok(())
    }

    /// Whoever leaves pays for his own account from the next full minute on, those that he paid for pay for
    /// themselves, and all sharing with him and by him ends. The management account stays.
    pub(crate) fn end_membership(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let (leaves, membership) = self.member(fields, BookKeeper::is_it_or_governs)?;
        let account = self.account(&leaves)?;
        let (own, enterprise) = (account.own_wallet(), account.enterprise.clone());
        if self.enterprise(&enterprise)?.management_account.as_ref() == Some(&leaves) {
            return Err("super_administrator");
        }
        if membership == Membership::Ended {
            return Err(NOT_FOUND);
        }
        self.set_membership(&leaves, Membership::Ended);
        let from = full_minute_from(self.now);
        let mut payers = Vec::new();
        for (id, account) in &mut self.accounts {
            if (*id == leaves || account.own_wallet() != own)
                && account.pays_for_itself_from(self.now, from, own, *id == leaves)
            {
                payers.push(account.own_wallet());
            }
        }
        for wallet in payers {
            self.falls_due(from, Due::Judgement { wallet });
        }
        self.end_administration_of(&leaves, own);
        self.end_sharing_of(&leaves, own, &enterprise, from);
        Ok(())
    }
}
