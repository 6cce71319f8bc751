//! Who may do what: roots, management accounts, administrators (R9.5) and roles (R11.1).

use crate::BookKeeper;
use crate::currency::Currency;
use crate::exact::Exact;
use crate::fields::{Fields, MALFORMED, NOT_FOUND, Refusal};
use std::collections::{BTreeMap, BTreeSet};

/// Whoever runs all this may do everything.
pub const OPERATOR: &str = "operator";

const NOT_PERMITTED: Refusal = "not_permitted";

/// How many accounts one call makes administrators (R9.5).
const ADMINISTRATORS: usize = 20;

/// What only the operator may do: nobody gives himself money or credit, or takes his bills back.
pub const OPERATORS: [&str; 9] = [
    "open_enterprise",
    "adjust",
    "set_quota",
    "grant_coupon",
    "set_credit_limit",
    "lift_bad_debt",
    "refund_order",
    "receive_remittance",
    "credit_invoice",
];

/// What a command asks for over a billing account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To let it pay, owe or promise.
    Pay,
    /// To change its settings.
    Change,
    /// To freeze or close it, and to say for whom it pays. No role has it.
    Own,
    /// To say who has a role there. Administrators do not (R9.5).
    Grant,
    /// To ask whether an account that it pays for may spend (R11.2).
    Spend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    FinanceAdmin,
    BillingEditor,
    FinanceViewer,
    BillingViewer,
    IsolatedSpender,
    Freezer,
    Platform,
    Auditor,
}

impl Role {
    fn read(text: &str) -> Option<Role> {
        match text {
            "finance_admin" => Some(Role::FinanceAdmin),
            "billing_editor" => Some(Role::BillingEditor),
            "finance_viewer" => Some(Role::FinanceViewer),
            "billing_viewer" => Some(Role::BillingViewer),
            "isolated_spender" => Some(Role::IsolatedSpender),
            "freezer" => Some(Role::Freezer),
            "platform" => Some(Role::Platform),
            "auditor" => Some(Role::Auditor),
            _ => None,
        }
    }

    fn has(self, right: Right) -> bool {
        match right {
            Right::Pay => self == Role::FinanceAdmin,
            Right::Change => matches!(self, Role::FinanceAdmin | Role::BillingEditor),
            Right::Spend => matches!(self, Role::FinanceAdmin | Role::IsolatedSpender),
            Right::Own | Right::Grant => false,
        }
    }
}

/// Where somebody has a role. An enterprise's name comes before that of a billing account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Wallet(usize),
    /// All billing accounts of its active members.
    Enterprise(String),
}

/// Who was given what.
#[derive(Default)]
pub struct Granted {
    /// The roles, each perhaps with a limit for a top-up.
    pub roles: BTreeMap<Grant, Option<Exact>>,
    /// Those that came with a key.
    pub keys: BTreeSet<Grant>,
    /// The enterprise in which each principal first had a role, and those that ever had a key.
    pub names: BTreeMap<String, String>,
    pub with_keys: BTreeSet<String>,
    /// Billing accounts and their regular administrators.
    administrators: BTreeSet<(usize, String)>,
}

/// The principal, the role, and where.
pub type Grant = (String, Role, Scope);

impl BookKeeper {
    /// Whether whoever asks has this right over a billing account.
    pub(crate) fn may(&self, right: Right, wallet: usize) -> Result<(), Refusal> {
        let has_it = |(role, _): &(Role, &Option<Exact>)| role.has(right);
        if self.is_its_own(right, wallet) || self.roles_at(wallet).iter().any(has_it) {
            return Ok(());
        }
        Err(NOT_PERMITTED)
    }

    /// Whether the operator, its root, the management account or an administrator asks.
    fn is_its_own(&self, right: Right, wallet: usize) -> bool {
        let owner = &self.wallets[wallet];
        if self.asking == OPERATOR || self.asking == owner.owner {
            return true;
        }
        let administers = self.granted.administrators.contains(&(wallet, self.asking.clone()));
        self.is_active(&owner.owner)
            && (self.governs(&owner.enterprise) || administers && right != Right::Grant)
    }

    /// The roles that whoever asks has over a billing account.
    fn roles_at(&self, wallet: usize) -> Vec<(Role, &Option<Exact>)> {
        let owner = &self.wallets[wallet];
        let is_here = |scope: &Scope| match scope {
            Scope::Wallet(number) => *number == wallet,
            Scope::Enterprise(name) => *name == owner.enterprise && self.is_active(&owner.owner),
        };
        let mut roles = Vec::new();
        for ((principal, role, scope), limit) in &self.granted.roles {
            if *principal == self.asking && is_here(scope) {
                roles.push((*role, limit));
            }
        }
        roles
    }

    fn has_role_in(&self, role: Role, enterprise: &str) -> bool {
        let key = (self.asking.clone(), role, Scope::Enterprise(enterprise.to_string()));
        self.granted.roles.contains_key(&key)
    }

    /// Whether whoever asks is the operator, or an enterprise's management account while the account centre is on.
    fn governs(&self, enterprise: &str) -> bool {
        if self.asking == OPERATOR {
            return true;
        }
        let Some(known) = self.enterprises.get(enterprise) else { return false };
        let is_in = |account: &crate::registry::Account| account.enterprise == enterprise;
        known.account_center
            && known.management_account.as_ref() == Some(&self.asking)
            && self.accounts.get(&self.asking).is_some_and(is_in)
    }

    pub(crate) fn may_govern(&self, enterprise: &str) -> Result<(), Refusal> {
        if self.governs(enterprise) { Ok(()) } else { Err(NOT_PERMITTED) }
    }

    /// Who may change every billing account of an enterprise changes its tax data, too (R11.1).
    pub(crate) fn may_change_enterprise(&self, enterprise: &str) -> Result<(), Refusal> {
        let changes = [Role::FinanceAdmin, Role::BillingEditor];
        match changes.into_iter().any(|role| self.has_role_in(role, enterprise)) {
            true => Ok(()),
            false => self.may_govern(enterprise),
        }
    }

    /// Who may let every billing account of an enterprise pay settles it (R5.6).
    pub(crate) fn may_pay_for_enterprise(&self, enterprise: &str) -> Result<(), Refusal> {
        match self.has_role_in(Role::FinanceAdmin, enterprise) {
            true => Ok(()),
            false => self.may_govern(enterprise),
        }
    }

    /// Whether whoever asks is this account itself, or governs its enterprise.
    pub(crate) fn is_it_or_governs(&self, account: &str, enterprise: &str) -> Result<(), Refusal> {
        if self.asking == account { Ok(()) } else { self.may_govern(enterprise) }
    }

    /// Who pays for an account, and when it is closed, it says itself, or whoever governs its enterprise while it is in
    /// it. Who administers its billing account does not (R9.4, R9.5).
    pub(crate) fn may_decide_for(
        &self,
        id: &str,
        account: &crate::registry::Account,
    ) -> Result<(), Refusal> {
        match self.asking == id || self.is_active(id) && self.governs(&account.enterprise) {
            true => Ok(()),
            false => self.is_it(id),
        }
    }

    pub(crate) fn is_it(&self, account: &str) -> Result<(), Refusal> {
        match self.asking == account || self.asking == OPERATOR {
            true => Ok(()),
            false => Err(NOT_PERMITTED),
        }
    }

    /// A freezer of the enterprise, too (R11.3).
    pub(crate) fn may_stop_top_ups(&self, enterprise: &str) -> Result<(), Refusal> {
        match self.has_role_in(Role::Freezer, enterprise) {
            true => Ok(()),
            false => self.may_govern(enterprise),
        }
    }

    /// The platform that sends usage takes it back.
    pub(crate) fn may_send_usage(&self, account: &str) -> Result<(), Refusal> {
        let known = self.account(account)?;
        let is_platform = |(role, _): &(Role, &Option<Exact>)| *role == Role::Platform;
        let is_given = self.has_role_in(Role::Platform, &known.enterprise)
            || self.roles_at(known.own_wallet()).iter().any(is_platform);
        if self.asking == OPERATOR || is_given { Ok(()) } else { Err(NOT_PERMITTED) }
    }

    /// A grant may carry a limit for each top-up; the highest one counts, and none is none.
    pub(crate) fn within_role_limit(&self, wallet: usize, amount: &Exact) -> Result<(), Refusal> {
        if self.is_its_own(Right::Pay, wallet) {
            return Ok(());
        }
        let allows = |(role, limit): &(Role, &Option<Exact>)| {
            role.has(Right::Pay) && limit.as_ref().is_none_or(|limit| amount <= limit)
        };
        match self.roles_at(wallet).iter().any(allows) {
            true => Ok(()),
            false => Err("over_role_limit"),
        }
    }

    /// The billing account of this name, if whoever asks has this right over it and it is not closed for good.
    pub(crate) fn asked_wallet(&self, name: &str, right: Right) -> Result<usize, Refusal> {
        let wallet = *self.wallet_numbers.get(name).ok_or(NOT_FOUND)?;
        self.may(right, wallet)?;
        self.wallet_number(name)
    }

    /// The principal, the role and the scope of a grant, if whoever asks may say who has a role there.
    pub(crate) fn wanted_role(&self, fields: &Fields) -> Result<Grant, Refusal> {
        let principal = fields.text("principal")?.to_string();
        let role = Role::read(fields.text("role")?).ok_or(MALFORMED)?;
        let name = fields.text("scope")?;
        if self.enterprises.contains_key(name) {
            self.may_govern(name)?;
            return Ok((principal, role, Scope::Enterprise(name.to_string())));
        }
        let wallet = self.asked_wallet(name, Right::Grant)?;
        Ok((principal, role, Scope::Wallet(wallet)))
    }

    /// Granted again, a role has the new limit.
    pub(crate) fn grant_role(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let key = self.wanted_role(fields)?;
        let limit = self.wanted_limit(fields, &key.2)?;
        let enterprise = self.enterprise_of(&key.2);
        self.granted.names.entry(key.0.clone()).or_insert(enterprise);
        self.granted.roles.insert(key, limit);
        Ok(())
    }

    pub(crate) fn enterprise_of(&self, scope: &Scope) -> String {
        match scope {
            Scope::Wallet(wallet) => self.wallets[*wallet].enterprise.clone(),
            Scope::Enterprise(name) => name.clone(),
        }
    }

    /// In the currency of the billing account, or the usual one of the enterprise's country.
    pub(crate) fn wanted_limit(
        &self,
        fields: &Fields,
        scope: &Scope,
    ) -> Result<Option<Exact>, Refusal> {
        let currency = match scope {
            Scope::Wallet(wallet) => self.wallets[*wallet].currency,
            Scope::Enterprise(name) => Currency::of_country(&self.enterprise(name)?.country),
        };
        match fields.has("top_up_limit") {
            true => fields.amount_or_zero("top_up_limit", currency).map(Some),
            false => Ok(None),
        }
    }

    pub(crate) fn revoke_role(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let key = self.wanted_role(fields)?;
        self.granted.roles.remove(&key).map(|_| ()).ok_or(NOT_FOUND)
    }

    /// The management account makes others administrators of one billing account, and no others any more (R9.5).
    pub(crate) fn set_admins(&mut self, fields: &Fields, granted: bool) -> Result<(), Refusal> {
        let name = fields.text("billing_account")?;
        let accounts = fields.texts("accounts")?;
        if accounts.is_empty() {
            return Err(MALFORMED);
        }
        let wallet = *self.wallet_numbers.get(name).ok_or(NOT_FOUND)?;
        if accounts.len() <= ADMINISTRATORS {
            for account in &accounts {
                self.account(account)?;
            }
        }
        let id = self.wallets[wallet].enterprise.clone();
        // Its root has every right over it (R11.1); else whoever governs the enterprise, while the owner is in it.
        let owner = &self.wallets[wallet].owner;
        if self.asking != *owner {
            self.may_govern(&id)?;
            if !self.is_active(owner) && self.asking != OPERATOR {
                return Err(NOT_PERMITTED);
            }
        }
        self.wallet_number(name)?;
        if accounts.len() > ADMINISTRATORS {
            return Err("too_many_accounts");
        }
        let enterprise = self.enterprise(&id)?;
        if !enterprise.account_center {
            return Err("account_center_off");
        }
        if accounts.iter().any(|account| enterprise.management_account.as_ref() == Some(account)) {
            return Err("super_administrator");
        }
        let all = &self.granted.administrators;
        if granted && accounts.iter().any(|account| !self.is_with(wallet, account)) {
            return Err("different_enterprise");
        }
        let is_closed = |account: &String| self.accounts[account].closed_at.is_some();
        if granted && accounts.iter().any(is_closed) {
            return Err("account_closed");
        }
        let is_one = |account: &String| all.contains(&(wallet, account.clone()));
        if !granted && !accounts.iter().all(is_one) {
            return Err(NOT_FOUND);
        }
        for account in accounts {
            match granted {
                true => self.granted.administrators.insert((wallet, account)),
                false => self.granted.administrators.remove(&(wallet, account)),
            };
        }
        Ok(())
    }

    /// Who leaves the enterprise administers nothing any more, and nobody what is his.
    pub(crate) fn end_administration_of(&mut self, leaves: &str, own: usize) {
        self.granted.administrators.retain(|(wallet, account)| account != leaves && *wallet != own);
    }

    /// A name that its administrators may change (R4.5). It is money to nobody.
    pub(crate) fn rename_billing_account(&self, fields: &Fields) -> Result<(), Refusal> {
        fields.text("name")?;
        self.asked_wallet(fields.text("billing_account")?, Right::Change)?;
        Ok(())
    }
}
