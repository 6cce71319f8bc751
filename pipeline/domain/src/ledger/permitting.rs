//! Whether whoever asks may have it (R11.1, R9.5): the rights of an account's root, of administrators, and
//! of those to whom roles were granted. Which rights a command needs stands in `rights`.

use super::state::{Account, AccountNumber, Membership, Wallet, WalletNumber};
use super::{Enterprise, EnterpriseNumber, Grant, Ledger};
use crate::commands::{Asked, Command, Subject};
use crate::ids::{AccountId, PrincipalId, ScopeId};
use crate::money::Amount;
use crate::refusal::Refusal;
use crate::rights::{self, Place, Right, Role};

/// How far somebody holds a right: the further, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Not,
    /// For amounts of up to so much at once.
    UpTo(Amount),
    Fully,
}

impl Ledger {
    /// Whether the principal may ask for this. The operator may do all.
    pub(super) fn permit(&self, asked: &Asked, command: &Command) -> Result<(), Refusal> {
        let who = &asked.principal;
        if *who == PrincipalId::operator() {
            return Ok(());
        }
        if rights::is_for_the_operator(command) {
            return Err(Refusal::NotPermitted);
        }
        let enterprise = self.enterprise_of(command.subject()).ok_or(Refusal::NotFound)?;
        let needs = rights::needs(command).into_iter();
        let held = needs.map(|(right, place)| self.held(who, right, place, enterprise)).min();
        match (held.unwrap_or(Held::Not), command) {
            (Held::Not, _) => Err(Refusal::NotPermitted),
            (Held::UpTo(most), Command::TopUp(top_up)) if top_up.amount > most => {
                Err(Refusal::OverRoleLimit)
            }
            (Held::UpTo(_) | Held::Fully, _) => Ok(()),
        }
    }

    /// The rights of a principal over a billing account or an account, for whoever shows them.
    pub fn rights_over(&self, who: &PrincipalId, subject: Subject<'_>) -> Option<Vec<Right>> {
        let enterprise = self.enterprise_of(subject)?;
        if *who == PrincipalId::operator() {
            return Some(Right::ALL.to_vec());
        }
        let place = match subject {
            Subject::Enterprise(id) => Place::Enterprise(id),
            Subject::Account(id) => Place::Account(id),
            Subject::Wallet(id) => Place::Wallet(id),
            Subject::Scope(id) => Place::Scope(id),
            Subject::RequestOf(id) => Place::RequestOf(id),
            Subject::RequestTo(id) => Place::RequestTo(id),
            Subject::Invoice(_) | Subject::Everyone => Place::Platform,
        };
        let held = |right: &Right| self.held(who, *right, place, enterprise) > Held::Not;
        Some(Right::ALL.iter().copied().filter(held).collect())
    }

    /// The enterprise that a command concerns, if it is one of this ledger.
    pub fn enterprise_of(&self, subject: Subject<'_>) -> Option<EnterpriseNumber> {
        match subject {
            Subject::Enterprise(id) => self.enterprise_named(id),
            Subject::Account(id) => Some(self.account(self.account_named(id)?)?.enterprise),
            Subject::Wallet(id) => Some(self.wallet(self.wallet_named(id)?)?.enterprise),
            Subject::Scope(id) => self.scope(id).map(|(enterprise, _)| enterprise),
            Subject::RequestOf(id) => Some(self.wallet(self.requests.of(id)?)?.enterprise),
            Subject::RequestTo(id) => Some(self.wallet(self.requests.to(id)?)?.enterprise),
            Subject::Invoice(_) | Subject::Everyone => None,
        }
    }

    /// What a scope names: an enterprise, or one wallet of it.
    pub(super) fn scope(&self, id: &ScopeId) -> Option<(EnterpriseNumber, Option<WalletNumber>)> {
        if let Some(enterprise) = self.enterprise_named(&id.enterprise()) {
            return Some((enterprise, None));
        }
        let number = self.wallet_named(&id.wallet())?;
        Some((self.wallet(number)?.enterprise, Some(number)))
    }

    fn held(
        &self,
        who: &PrincipalId,
        right: Right,
        place: Place<'_>,
        enterprise: EnterpriseNumber,
    ) -> Held {
        // Whatever a ledger can grant, this it cannot.
        if right == Right::Operate {
            return Held::Not;
        }
        match place {
            Place::Platform => Held::Not,
            Place::Enterprise(_) | Place::EnterpriseOf(_) => {
                self.held_over_all(who, right, enterprise)
            }
            Place::Membership(account) if who.is_root_of(account) => Held::Fully,
            Place::Membership(_) => self.held_over_all(who, right, enterprise),
            Place::Account(account) => self.held_over_account(who, right, account),
            Place::ActingAs(principal) => match principal.account() {
                account if self.account_named(&account).is_some() => {
                    self.held_over_account(who, right, &account)
                }
                _ => Held::Fully,
            },
            Place::PayerOf(account) => self.held_over_payer(who, right, account, enterprise),
            Place::UseOf(account) if who.is_root_of(account) => Held::Fully,
            Place::UseOf(account) => self.held_over_payer(who, right, account, enterprise),
            Place::Wallet(id) => match self.wallet_named(id) {
                Some(wallet) => self.held_over_wallet(who, right, wallet, enterprise),
                // Another ledger has it: the rule says so itself.
                None => Held::Fully,
            },
            Place::RequestOf(id) => {
                self.held_over_side(who, right, self.requests.of(id), enterprise)
            }
            Place::RequestTo(id) => {
                self.held_over_side(who, right, self.requests.to(id), enterprise)
            }
            Place::Scope(id) => match self.scope(id) {
                Some((_, Some(wallet))) => self.held_over_wallet(who, right, wallet, enterprise),
                Some((_, None)) => self.held_over_all(who, right, enterprise),
                None => Held::Not,
            },
        }
    }

    /// Over the billing account that pays for an account now.
    fn held_over_payer(
        &self,
        who: &PrincipalId,
        right: Right,
        account: &AccountId,
        enterprise: EnterpriseNumber,
    ) -> Held {
        let account = self.account_named(account).and_then(|number| self.account(number));
        let payer = account.map(|account| self.payer_now(account));
        payer.map_or(Held::Not, |payer| self.held_over_wallet(who, right, payer, enterprise))
    }

    /// Over the billing account on one side of a request.
    fn held_over_side(
        &self,
        who: &PrincipalId,
        right: Right,
        wallet: Option<WalletNumber>,
        enterprise: EnterpriseNumber,
    ) -> Held {
        wallet.map_or(Held::Not, |wallet| self.held_over_wallet(who, right, wallet, enterprise))
    }

    /// Over an enterprise: its management account, and those with a role for all of it.
    fn held_over_all(&self, who: &PrincipalId, right: Right, number: EnterpriseNumber) -> Held {
        let Some(enterprise) = self.enterprise(number) else { return Held::Not };
        if self.is_super_administrator(who, enterprise) {
            return Held::Fully;
        }
        enterprise.held_by_roles(who, right, |grant| grant.wallet.is_none())
    }

    fn held_over_account(&self, who: &PrincipalId, right: Right, id: &AccountId) -> Held {
        if who.is_root_of(id) {
            return Held::Fully;
        }
        let account = self.account_named(id).and_then(|number| self.account(number));
        match account.filter(|account| account.is_active() && right != Right::Join) {
            Some(account) => self.held_over_all(who, right, account.enterprise),
            None => Held::Not,
        }
    }

    fn held_over_wallet(
        &self,
        who: &PrincipalId,
        right: Right,
        number: WalletNumber,
        asked_in: EnterpriseNumber,
    ) -> Held {
        let found = self.wallet(number).and_then(|wallet| {
            Some((wallet, self.account(wallet.owner)?, self.enterprise(wallet.enterprise)?))
        });
        let Some((wallet, owner, enterprise)) = found else { return Held::Not };
        // One of another enterprise may be in another ledger just as well: the rule says so itself.
        if who.is_root_of(&owner.id) || wallet.enterprise != asked_in {
            return Held::Fully;
        }
        if !owner.is_active() {
            // Who left the enterprise is alone, but for those to whom he himself gave a role.
            return enterprise.held_by_roles(who, right, |grant| grant.wallet == Some(number));
        }
        let administers = right != Right::Grant && self.administers(who, wallet);
        if administers || self.is_super_administrator(who, enterprise) {
            return Held::Fully;
        }
        enterprise.held_by_roles(who, right, |grant| grant.wallet.is_none_or(|at| at == number))
    }

    fn administers(&self, who: &PrincipalId, wallet: &Wallet) -> bool {
        let accounts = wallet.administrators().iter().filter_map(|number| self.account(*number));
        accounts.filter(|account| account.is_active()).any(|account| who.is_root_of(&account.id))
    }

    fn is_super_administrator(&self, who: &PrincipalId, enterprise: &Enterprise) -> bool {
        enterprise.account_center
            && self.super_administrator(enterprise).is_some_and(|(_, id)| who.is_root_of(id))
    }

    /// The account that administers all wallets of an enterprise. One of that name elsewhere does not.
    pub(super) fn super_administrator<'a>(
        &self,
        enterprise: &'a Enterprise,
    ) -> Option<(AccountNumber, &'a AccountId)> {
        let id = enterprise.management_account.as_ref()?;
        let number = self.account_named(id)?;
        let own = self.enterprise_named(&enterprise.id)?;
        (self.account(number)?.enterprise == own).then_some((number, id))
    }

    /// Both are the same, or share an enterprise (R4.6).
    pub(super) fn together(&self, one: AccountNumber, other: AccountNumber) -> Result<(), Refusal> {
        let active = |number| self.account(number).is_some_and(Account::is_active);
        if one == other || active(one) && active(other) {
            return Ok(());
        }
        Err(Refusal::DifferentEnterprise)
    }
}

impl Account {
    /// It shares in its enterprise.
    pub fn is_active(&self) -> bool {
        self.membership == Membership::Active
    }
}

impl Grant {
    /// There is one of each.
    pub(super) fn key(&self) -> (&PrincipalId, Role, Option<WalletNumber>) {
        (&self.principal, self.role, self.wallet)
    }
}

impl Enterprise {
    /// The furthest that any of somebody's roles at some places goes.
    fn held_by_roles(&self, who: &PrincipalId, right: Right, at: impl Fn(&Grant) -> bool) -> Held {
        let grants = self.grants.iter().filter(|grant| grant.principal == *who && at(grant));
        let giving = grants.filter(|grant| grant.role.gives().contains(&right));
        giving
            .map(|grant| grant.top_up_limit.map_or(Held::Fully, Held::UpTo))
            .max()
            .unwrap_or(Held::Not)
    }
}

#[cfg(test)]
#[path = "permitting_tests.rs"]
mod tests;
