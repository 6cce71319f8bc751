//! Rows about one wallet, for whoever looks: computed from the state, never stored.

use super::keys::KeyRow;
use super::sharing::Organisation;
use super::spending::Allocation;
use super::state::{Account, AccountNumber, Enterprise, Grant, Membership, WalletNumber};
use super::{EnterpriseNumber, Ledger};
use crate::commands::Mode;
use crate::ids::{
    AccountId, Country, EnterpriseId, OrganisationId, PrincipalId, RegionId, Text, WalletId,
};
use crate::money::{Amount, Currency, Overflow};
use crate::rights::Role;
use crate::time::Timestamp;
use crate::{record, symbols};

record! {
    /// The view `due`: what is owed on issued bills, and how that would be paid now.
    pub struct Due {
        pub billing_account: WalletId,
        pub currency: Currency,
        /// Unpaid parts of issued bills.
        pub owed: Amount,
        /// What the billing account itself could pay of it.
        pub covered_by_balance: Amount,
        pub remainder: Amount,
    }
}

record! {
    /// The view `runway`: how long what is available lasts.
    pub struct RunwayRow {
        pub billing_account: WalletId,
        pub currency: Currency,
        pub available: Amount,
        /// Charges a day, by use in the last seven days.
        pub burn_per_day: Amount,
        /// None without burn.
        pub days_left: Option<Amount>,
        pub empty_on: Option<Timestamp>,
    }
}

record! {
    /// A role that somebody has.
    pub struct RoleRow {
        pub principal: PrincipalId,
        pub role: Role,
        /// The billing account or enterprise it is for.
        pub scope: String,
        pub top_up_limit: Option<Amount>,
    }
}

record! {
    /// The view `account`.
    pub struct AccountRow {
        pub account: AccountId,
        pub enterprise: EnterpriseId,
        pub email: Text,
        pub mode: Mode,
        pub region: Option<RegionId>,
        pub currency: Currency,
        /// Whether it shares in its enterprise.
        pub state: AccountState,
        /// The billing account that pays for it.
        pub payer: WalletId,
        /// The one that will, and from when on.
        pub next_payer: Option<WalletId>,
        pub next_payer_from: Option<Timestamp>,
        /// The roles it was given in its enterprise.
        pub roles: Vec<RoleRow>,
        /// The billing accounts it administers.
        pub administers: Vec<WalletId>,
        /// What it may spend; none: no more is said than its payer's standing allows.
        pub allocation: Option<Allocation>,
    }
}

symbols! {
    /// How an account stands.
    pub enum AccountState {
        Active = "active",
        Invited = "invited",
        Ended = "ended",
        Closed = "closed",
    }
}

record! {
    /// A member of an enterprise, or one that was.
    pub struct Member {
        pub account: AccountId,
        pub state: AccountState,
    }
}

record! {
    /// Some accounts of an enterprise that share benefits.
    pub struct OrganisationRow {
        pub organisation: OrganisationId,
        pub accounts: Vec<AccountId>,
    }
}

record! {
    /// The view `enterprise`.
    pub struct EnterpriseRow {
        pub enterprise: EnterpriseId,
        pub name: Text,
        pub country: Country,
        pub tax_id: Option<Text>,
        pub account_center: bool,
        pub management_account: Option<AccountId>,
        pub members: Vec<Member>,
        /// Regular administrators of its billing accounts.
        pub administrators: Vec<AccountId>,
        pub roles: Vec<RoleRow>,
        /// The keys that open the API, in the order in which they were made.
        pub keys: Vec<KeyRow>,
        pub credit_total: Option<Amount>,
        pub recharge_frozen: bool,
        pub organisations: Vec<OrganisationRow>,
    }
}

impl Ledger {
    /// The view `account`.
    pub fn account_row(&self, number: AccountNumber) -> Option<AccountRow> {
        let account = self.account(number)?;
        let enterprise = self.enterprise(account.enterprise)?;
        let now = self.clock.now().minute();
        let next = account.payers.iter().find(|payer| payer.from > now);
        let id = |wallet: WalletNumber| Some(self.wallet(wallet)?.id.clone());
        let administers = enterprise.wallets.iter().filter(|wallet| {
            self.wallet(**wallet).is_some_and(|known| known.administrators().contains(&number))
        });
        let own = |grant: &&Grant| grant.principal.is_root_of(&account.id);
        Some(AccountRow {
            account: account.id.clone(),
            enterprise: enterprise.id.clone(),
            email: account.email.clone(),
            mode: account.mode,
            region: account.region.clone(),
            currency: account.currency,
            state: account.state(),
            payer: id(account.payer_at(now).0)?,
            next_payer: next.and_then(|payer| id(payer.wallet)),
            next_payer_from: next.map(|payer| payer.from.starts()),
            roles: enterprise
                .grants
                .iter()
                .filter(own)
                .map(|it| self.role_row(enterprise, it))
                .collect(),
            administers: administers.filter_map(|wallet| id(*wallet)).collect(),
            allocation: self.allocation(account).ok()?,
        })
    }

    /// The view `enterprise`.
    pub fn enterprise_row(&self, number: EnterpriseNumber) -> Option<EnterpriseRow> {
        let enterprise = self.enterprise(number)?;
        let wallets = || enterprise.wallets.iter().filter_map(|wallet| self.wallet(*wallet));
        // Each was opened with a billing account of its own.
        let owners = wallets().filter_map(|wallet| self.account(wallet.owner));
        let members = owners.map(|it| Member { account: it.id.clone(), state: it.state() });
        let mut administrators: Vec<AccountNumber> =
            wallets().flat_map(|wallet| wallet.administrators()).copied().collect();
        administrators.sort_unstable();
        administrators.dedup();
        let administrators = administrators.iter().filter_map(|number| self.account(*number));
        Some(EnterpriseRow {
            enterprise: enterprise.id.clone(),
            name: enterprise.name.clone(),
            country: enterprise.country,
            tax_id: enterprise.tax_id.clone(),
            account_center: enterprise.account_center,
            management_account: enterprise.management_account.clone(),
            members: members.collect(),
            administrators: administrators.map(|account| account.id.clone()).collect(),
            roles: enterprise.grants.iter().map(|it| self.role_row(enterprise, it)).collect(),
            keys: self.key_rows(enterprise),
            credit_total: enterprise.credit_total,
            recharge_frozen: enterprise.recharge_frozen,
            organisations: enterprise
                .organisations
                .iter()
                .map(|it| self.organisation_row(it))
                .collect(),
        })
    }

    fn organisation_row(&self, organisation: &Organisation) -> OrganisationRow {
        let members = organisation.members.iter();
        let members = members.filter_map(|member| self.account(member.account));
        OrganisationRow {
            organisation: organisation.organisation.clone(),
            accounts: members.map(|account| account.id.clone()).collect(),
        }
    }

    fn role_row(&self, enterprise: &Enterprise, grant: &Grant) -> RoleRow {
        let wallet = grant.wallet.and_then(|wallet| self.wallet(wallet));
        RoleRow {
            principal: grant.principal.clone(),
            role: grant.role,
            scope: wallet.map_or(enterprise.id.to_string(), |wallet| wallet.id.to_string()),
            top_up_limit: grant.top_up_limit,
        }
    }

    pub fn due(&self, number: WalletNumber) -> Option<Result<Due, Overflow>> {
        let wallet = self.wallet(number)?;
        let due = || {
            let (owed, mut after) = (wallet.owed(), wallet.clone());
            // Even where nothing is written off by itself, it could be.
            after.auto_write_off = true;
            self.write_off_copy(&mut after, number)?;
            let remainder = after.owed();
            Ok(Due {
                billing_account: wallet.id.clone(),
                currency: wallet.currency,
                owed,
                covered_by_balance: owed.minus(remainder)?,
                remainder,
            })
        };
        Some(due())
    }

    pub fn runway_row(&self, number: WalletNumber) -> Option<Result<RunwayRow, Overflow>> {
        let wallet = self.wallet(number)?;
        let row = || {
            let available = self.available(wallet, number)?;
            let runway = self.runway(number, available)?;
            Ok(RunwayRow {
                billing_account: wallet.id.clone(),
                currency: wallet.currency,
                available,
                burn_per_day: runway.burn_per_day,
                days_left: runway.days_left,
                empty_on: runway.empty_on,
            })
        };
        Some(row())
    }
}

impl Account {
    /// How it stands: closed, or its membership.
    pub fn state(&self) -> AccountState {
        match self.membership {
            _ if self.closed_at.is_some() => AccountState::Closed,
            Membership::Active => AccountState::Active,
            Membership::Invited => AccountState::Invited,
            Membership::Ended => AccountState::Ended,
        }
    }
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
