//! With whom benefits and coupons are shared (R9.7): accounts by name, organisations, and a rule for new
//! ones.
//!
//! What was asked for stands with the benefit. What follows from it stands with each account, as spans of
//! minutes of use, because that is where usage looks for it.

use std::collections::BTreeMap;

use super::fact::{
    Journal, OrganisationChanged, ServedChanged, SharingChanged, SharingRuleChanged,
};
use super::state::{Account, AccountNumber, Enterprise, EnterpriseNumber, Wallet, WalletNumber};
use super::{Broken, Ledger, Undecided};
use crate::commands::{
    SHARED_WITH_MAX, SetOrganisation, SetSharingRule, ShareBenefit, UnshareBenefit,
};
use crate::ids::{AccountId, BenefitId, OrganisationId};
use crate::record;
use crate::refusal::Refusal;
use crate::time::{Minute, Span, Window};

record! {
    /// An account that a benefit is shared with by name, or that belongs to an organisation; from then on.
    #[derive(Copy, PartialOrd, Ord)]
    pub struct SharedAccount {
        pub account: AccountNumber,
        pub from: Minute,
    }
}

record! {
    /// An organisation that a benefit is shared with, from then on.
    pub struct SharedOrganisation {
        pub organisation: OrganisationId,
        pub from: Minute,
    }
}

record! {
    /// With whom a benefit is shared.
    #[derive(Default)]
    pub struct Sharing {
        pub accounts: Vec<SharedAccount>,
        pub organisations: Vec<SharedOrganisation>,
    }
}

record! {
    /// With whom every new benefit of a wallet is shared.
    #[derive(Default)]
    pub struct SharingRule {
        pub accounts: Vec<AccountNumber>,
        pub organisation: Option<OrganisationId>,
    }
}

record! {
    /// Some accounts of an enterprise that share benefits.
    pub struct Organisation {
        pub organisation: OrganisationId,
        /// In the order of their numbers.
        pub members: Vec<SharedAccount>,
    }
}

record! {
    /// Another wallet's benefit or coupon serves what an account uses in these minutes.
    pub struct Served {
        pub wallet: WalletNumber,
        pub benefit: BenefitId,
        pub valid: Window,
        /// It is a coupon: it pays bills, and covers nothing.
        pub coupon: bool,
    }
}

/// What is shared with an organisation, and by a rule, takes effect so much later.
const SHARED_AFTER: Span = Span::minutes(1);

impl Sharing {
    /// Both together; of what is in both, the one that begins sooner.
    pub(super) fn joined(mut self, other: Sharing) -> Sharing {
        for more in other.accounts {
            match self.accounts.iter_mut().find(|known| known.account == more.account) {
                Some(known) => known.from = known.from.min(more.from),
                None => self.accounts.push(more),
            }
        }
        for more in other.organisations {
            let same = |known: &&mut SharedOrganisation| known.organisation == more.organisation;
            match self.organisations.iter_mut().find(same) {
                Some(known) => known.from = known.from.min(more.from),
                None => self.organisations.push(more),
            }
        }
        self.accounts.sort_unstable();
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.organisations.is_empty()
    }

    fn is_with(&self, organisation: &OrganisationId) -> bool {
        self.organisations.iter().any(|known| known.organisation == *organisation)
    }

    fn without(mut self, account: AccountNumber) -> Sharing {
        self.accounts.retain(|known| known.account != account);
        self
    }
}

impl SharingRule {
    /// What it says of something new, from then on.
    fn sharing(&self, from: Minute) -> Sharing {
        let accounts =
            self.accounts.iter().map(|account| SharedAccount { account: *account, from });
        let organisation = self.organisation.clone();
        let organisations =
            organisation.map(|organisation| SharedOrganisation { organisation, from });
        Sharing { accounts: accounts.collect(), organisations: organisations.into_iter().collect() }
    }
}

impl Enterprise {
    pub(super) fn organisation(&self, id: &OrganisationId) -> Option<&Organisation> {
        self.organisations.iter().find(|known| known.organisation == *id)
    }
}

impl Wallet {
    /// With whom a benefit or coupon is shared; none if there is none of that name.
    pub(super) fn sharing_of(&self, id: &BenefitId) -> Option<Sharing> {
        match self.benefit(id) {
            Some(benefit) => Some(benefit.sharing.clone()),
            None => {
                let coupon = self.shareable_coupon(id)?;
                Some(coupon.sharing.as_deref().cloned().unwrap_or_default())
            }
        }
    }

    pub(super) fn rule(&self) -> SharingRule {
        self.benefits.as_deref().map(|benefits| benefits.rule.clone()).unwrap_or_default()
    }

    /// What of it is shared, with the minutes in which that is valid.
    fn shared(&self) -> impl Iterator<Item = (BenefitId, Window, &Sharing)> {
        let benefits = self.bought().iter();
        let benefits = benefits.map(|it| (it.benefit.clone(), it.valid, &it.sharing));
        let coupons = self.coupons.iter().filter_map(|coupon| {
            let sharing = coupon.sharing.as_deref()?;
            Some((BenefitId::from(&coupon.coupon), coupon.valid, sharing))
        });
        benefits.chain(coupons).filter(|(_, _, sharing)| !sharing.is_empty())
    }
}

impl Account {
    /// The minutes around `used` that no shared coupon's begin or end divides.
    pub(super) fn undivided_by_shared_coupons(&self, used: Minute) -> Window {
        let coupons = self.served.iter().filter(|served| served.coupon);
        coupons.fold(Window::ALWAYS, |window, served| window.undivided_by(served.valid, used))
    }
}

impl Ledger {
    pub(super) fn share_benefit(
        &mut self,
        command: &ShareBenefit,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.wallet_of(&command.billing_account)?;
        let accounts = command.accounts.as_deref().unwrap_or_default();
        if accounts.is_empty() && command.organisation.is_none() {
            return Err(Refusal::Malformed.into());
        }
        let id = &command.benefit;
        let before = wallet.sharing_of(id).ok_or(Refusal::NotFound)?;
        let (valid, money) = wallet.worth_of(id).ok_or(Refusal::NotFound)?;
        let named = self.sharing_asked(wallet, accounts, command.organisation.as_ref(), money)?;
        let sharing = before.joined(named);
        self.within_most(wallet.enterprise, &sharing)?;

        self.share(number, id, sharing, valid, journal)
    }

    pub(super) fn unshare_benefit(
        &mut self,
        command: &UnshareBenefit,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.wallet_of(&command.billing_account)?;
        let id = &command.benefit;
        let mut sharing = wallet.sharing_of(id).ok_or(Refusal::NotFound)?;
        let (valid, _) = wallet.worth_of(id).ok_or(Refusal::NotFound)?;
        if command.accounts.is_none() && command.organisation.is_none() {
            sharing = Sharing::default();
        }
        for named in command.accounts.iter().flatten() {
            let account = self.account_named(named).ok_or(Refusal::NotFound)?;
            let known = sharing.accounts.iter().position(|known| known.account == account);
            sharing.accounts.remove(known.ok_or(Refusal::NotFound)?);
        }
        if let Some(organisation) = &command.organisation {
            if !sharing.is_with(organisation) {
                return Err(Refusal::NotFound.into());
            }
            sharing.organisations.retain(|known| known.organisation != *organisation);
        }

        self.share(number, id, sharing, valid, journal)
    }

    pub(super) fn set_sharing_rule(
        &mut self,
        command: &SetSharingRule,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.wallet_of(&command.billing_account)?;
        let accounts = command.accounts.as_deref().unwrap_or_default();
        let named = self.sharing_asked(wallet, accounts, command.organisation.as_ref(), false)?;
        self.within_most(wallet.enterprise, &named)?;
        let rule = SharingRule {
            accounts: named.accounts.iter().map(|named| named.account).collect(),
            organisation: command.organisation.clone(),
        };

        if wallet.rule() != rule {
            self.record(journal, SharingRuleChanged { wallet: number, rule })?;
        }
        Ok(())
    }

    pub(super) fn set_organisation(
        &mut self,
        command: &SetOrganisation,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let number = self.enterprise_named(&command.enterprise).ok_or(Refusal::NotFound)?;
        let enterprise = self.enterprise(number).ok_or(Refusal::NotFound)?;
        if command.accounts.len() > SHARED_WITH_MAX {
            return Err(Refusal::TooManyAccounts.into());
        }
        let before = enterprise.organisation(&command.organisation);
        let from = self.clock.now().plus(SHARED_AFTER).full_minute();
        let mut members = Vec::with_capacity(command.accounts.len());
        for account in self.members_named(number, &command.accounts)? {
            let known = before
                .and_then(|known| known.members.iter().find(|member| member.account == account));
            members.push(known.copied().unwrap_or(SharedAccount { account, from }));
        }
        let organisation = Organisation { organisation: command.organisation.clone(), members };
        self.none_has_too_many(enterprise, &organisation)?;

        self.change_organisation(number, organisation, journal)?;
        Ok(())
    }

    /// Whether what is shared with an organisation, or will be by a rule, reaches too many if it is made up so.
    fn none_has_too_many(
        &self,
        enterprise: &Enterprise,
        organisation: &Organisation,
    ) -> Result<(), Refusal> {
        let mut after = enterprise.clone();
        after.put_organisation(organisation);
        let wallets = enterprise.wallets.iter().filter_map(|wallet| self.wallet(*wallet));
        for wallet in wallets {
            let rule = wallet.rule().sharing(Minute::START);
            let shared = wallet.shared().map(|(_, _, sharing)| sharing).chain([&rule]);
            for sharing in shared.filter(|it| it.is_with(&organisation.organisation)) {
                if reach_within(&after, sharing).len() > SHARED_WITH_MAX {
                    return Err(Refusal::TooManyAccounts);
                }
            }
        }
        Ok(())
    }

    /// What somebody wants to share with whom: accounts that are there, of this enterprise and in it, and an
    /// organisation. Money is shared in one currency only.
    pub(super) fn sharing_asked(
        &self,
        wallet: &Wallet,
        accounts: &[AccountId],
        organisation: Option<&OrganisationId>,
        money: bool,
    ) -> Result<Sharing, Refusal> {
        if accounts.len() > SHARED_WITH_MAX {
            return Err(Refusal::TooManyAccounts);
        }
        let enterprise = self.enterprise(wallet.enterprise).ok_or(Refusal::NotFound)?;
        if organisation.is_some_and(|id| enterprise.organisation(id).is_none()) {
            return Err(Refusal::NotFound);
        }
        let named = self.members_named(wallet.enterprise, accounts)?;
        for account in &named {
            self.together(wallet.owner, *account)?;
            let known = self.account(*account).ok_or(Refusal::NotFound)?;
            if money && known.currency != wallet.currency {
                return Err(Refusal::CurrencyMismatch);
            }
        }
        let now = self.clock.now();
        let (at_once, later) = (now.full_minute(), now.plus(SHARED_AFTER).full_minute());
        let named = named.into_iter().map(|account| SharedAccount { account, from: at_once });
        let organisations = organisation.cloned();
        let organisations =
            organisations.map(|organisation| SharedOrganisation { organisation, from: later });
        Ok(Sharing {
            accounts: named.collect(),
            organisations: organisations.into_iter().collect(),
        })
    }

    /// Active members of an enterprise by their names, in the order of their numbers.
    fn members_named(
        &self,
        enterprise: EnterpriseNumber,
        accounts: &[AccountId],
    ) -> Result<Vec<AccountNumber>, Refusal> {
        let mut named = Vec::with_capacity(accounts.len());
        for id in accounts {
            let found = self.account_named(id).and_then(|at| Some((at, self.account(at)?)));
            let (number, account) = found.ok_or(Refusal::DifferentEnterprise)?;
            if account.enterprise != enterprise || !account.is_active() {
                return Err(Refusal::DifferentEnterprise);
            }
            if account.closed_at.is_some() {
                return Err(Refusal::AccountClosed);
            }
            named.push(number);
        }
        named.sort_unstable();
        named.dedup();
        Ok(named)
    }

    /// What the rule of a wallet says of something that it gets now.
    pub(super) fn sharing_of_new(&self, wallet: &Wallet) -> Sharing {
        wallet.rule().sharing(self.clock.now().plus(SHARED_AFTER).full_minute())
    }

    pub(super) fn within_most(
        &self,
        enterprise: EnterpriseNumber,
        sharing: &Sharing,
    ) -> Result<(), Refusal> {
        match self.reach(enterprise, sharing).len() > SHARED_WITH_MAX {
            true => Err(Refusal::TooManyAccounts),
            false => Ok(()),
        }
    }

    /// Whom a sharing reaches, members of organisations included, each from when on.
    pub(super) fn reach(
        &self,
        enterprise: EnterpriseNumber,
        sharing: &Sharing,
    ) -> BTreeMap<AccountNumber, Minute> {
        let found = self.enterprise(enterprise);
        found.map(|enterprise| reach_within(enterprise, sharing)).unwrap_or_default()
    }

    /// Shares a benefit or coupon with these from now on, and with nobody else.
    pub(super) fn share(
        &mut self,
        wallet: WalletNumber,
        id: &BenefitId,
        sharing: Sharing,
        valid: Window,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(found) = self.wallet(wallet) else { return Ok(()) };
        let enterprise = found.enterprise;
        let before = found.sharing_of(id).unwrap_or_default();
        if before == sharing {
            return Ok(());
        }
        let reached = self.reach(enterprise, &before);
        let benefit = id.clone();
        self.record(journal, SharingChanged { wallet, benefit, sharing })?;
        self.serve(wallet, id, valid, reached.into_keys().collect(), journal)?;
        Ok(())
    }

    /// Tells accounts what serves them from now on: those whom a sharing reaches, and those whom it did.
    fn serve(
        &mut self,
        number: WalletNumber,
        id: &BenefitId,
        valid: Window,
        before: Vec<AccountNumber>,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let Some(wallet) = self.wallet(number) else { return Ok(()) };
        let now = self.clock.now().full_minute();
        let coupon = wallet.shareable_coupon(id).is_some();
        let sharing = wallet.sharing_of(id).unwrap_or_default();
        let reached = self.reach(wallet.enterprise, &sharing);
        let mut concerned = [before, reached.keys().copied().collect()].concat();
        concerned.sort_unstable();
        concerned.dedup();
        for number_of_account in concerned {
            let Some(account) = self.account(number_of_account) else { continue };
            let wanted = reached.get(&number_of_account);
            let wanted = wanted.map(|from| (*from).max(now).max(valid.from));
            let open = account.served.iter().find(|known| {
                known.wallet == number && known.benefit == *id && known.valid.until > now
            });
            let open = open.cloned();
            let ends = |known: &Served| Served {
                valid: Window { until: now.max(known.valid.from), ..known.valid },
                ..known.clone()
            };
            let (ended, begun) = match (open, wanted) {
                (Some(known), Some(from)) if known.valid.from <= from => (None, None),
                // It begins sooner than it would have.
                (Some(known), Some(from)) => (Some(ends(&known)), Some(from)),
                (Some(known), None) => (Some(ends(&known)), None),
                (None, wanted) => (None, wanted),
            };
            let begun = begun.filter(|from| *from < valid.until).map(|from| Served {
                wallet: number,
                benefit: id.clone(),
                valid: Window { from, ..valid },
                coupon,
            });
            for served in ended.into_iter().chain(begun) {
                if coupon {
                    self.cut_tabs_of(number_of_account, served.valid, now, |_| true, journal)?;
                }
                self.record(journal, ServedChanged { account: number_of_account, served })?;
            }
        }
        Ok(())
    }

    fn change_organisation(
        &mut self,
        number: EnterpriseNumber,
        organisation: Organisation,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let Some(enterprise) = self.enterprise(number) else { return Ok(()) };
        let before = enterprise.organisation(&organisation.organisation);
        let members = before.map(|before| before.members.clone()).unwrap_or_default();
        let before: Vec<AccountNumber> = members.iter().map(|member| member.account).collect();
        let concerned =
            self.shared_in(number, |sharing| sharing.is_with(&organisation.organisation));
        if members == organisation.members {
            return Ok(());
        }
        self.record(journal, OrganisationChanged { enterprise: number, organisation })?;
        for (wallet, benefit, valid) in concerned {
            self.serve(wallet, &benefit, valid, before.clone(), journal)?;
        }
        Ok(())
    }

    /// What the wallets of an enterprise share, of which that holds.
    fn shared_in(
        &self,
        enterprise: EnterpriseNumber,
        holds: impl Fn(&Sharing) -> bool,
    ) -> Vec<(WalletNumber, BenefitId, Window)> {
        let numbers = self.enterprise(enterprise).into_iter().flat_map(|it| it.wallets.iter());
        let wallets = numbers.filter_map(|number| Some((*number, self.wallet(*number)?)));
        let shared = wallets.flat_map(|(number, wallet)| {
            wallet.shared().map(move |(benefit, valid, sharing)| (number, benefit, valid, sharing))
        });
        let shared = shared.filter(|(_, _, _, sharing)| holds(sharing));
        shared.map(|(wallet, benefit, valid, _)| (wallet, benefit, valid)).collect()
    }

    /// Whoever leaves the enterprise shares nothing with it any more, nor it with him.
    pub(super) fn part_sharing(
        &mut self,
        leaves: AccountNumber,
        own: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(number) = self.account(leaves).map(|account| account.enterprise) else {
            return Ok(());
        };
        let organisations = self.enterprise(number).map(|it| it.organisations.clone());
        for mut organisation in organisations.unwrap_or_default() {
            let members = organisation.members.len();
            organisation.members.retain(|member| member.account != leaves);
            if organisation.members.len() < members {
                self.change_organisation(number, organisation, journal)?;
            }
        }
        for (wallet, benefit, valid) in self.shared_in(number, |_| true) {
            let sharing = self.wallet(wallet).and_then(|it| it.sharing_of(&benefit));
            let sharing = sharing.unwrap_or_default();
            let sharing = if wallet == own { Sharing::default() } else { sharing.without(leaves) };
            self.share(wallet, &benefit, sharing, valid, journal)?;
        }
        let wallets = self.enterprise(number).map(|it| it.wallets.clone()).unwrap_or_default();
        for wallet in wallets {
            let before = self.wallet(wallet).map(Wallet::rule).unwrap_or_default();
            let mut rule = before.clone();
            rule.accounts.retain(|account| *account != leaves);
            if wallet == own {
                rule = SharingRule::default();
            }
            if rule != before {
                self.record(journal, SharingRuleChanged { wallet, rule })?;
            }
        }
        Ok(())
    }

    pub(super) fn apply_sharing(&mut self, fact: &SharingChanged) -> Result<(), Broken> {
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        if let Some(benefit) = wallet.benefit_mut(&fact.benefit) {
            benefit.sharing.clone_from(&fact.sharing);
            return Ok(());
        }
        let mut coupons = wallet.coupons.iter_mut();
        let coupon = coupons.find(|known| fact.benefit.is_called(known.coupon.as_str()));
        coupon.ok_or(Broken("an unknown benefit"))?.sharing = Some(Box::new(fact.sharing.clone()));
        Ok(())
    }

    pub(super) fn apply_sharing_rule(&mut self, fact: &SharingRuleChanged) -> Result<(), Broken> {
        if let Some(wallet) = self.wallet_mut(fact.wallet)? {
            wallet.benefits_mut().rule.clone_from(&fact.rule);
        }
        Ok(())
    }

    pub(super) fn apply_organisation(&mut self, fact: &OrganisationChanged) -> Result<(), Broken> {
        match self.enterprises.get_mut(fact.enterprise.index()) {
            Some(enterprise) => {
                enterprise.put_organisation(&fact.organisation);
                Ok(())
            }
            None => self.absent("an unknown enterprise"),
        }
    }

    pub(super) fn apply_served(&mut self, fact: &ServedChanged) -> Result<(), Broken> {
        let oldest = self.oldest_minute_kept();
        let Some(account) = self.account_mut(fact.account)? else { return Ok(()) };
        let ServedChanged { served, .. } = fact;
        let key = |it: &Served| (it.wallet, it.benefit.clone(), it.valid.from);
        account.served.retain(|known| key(known) != key(served) && known.valid.until > oldest);
        if served.valid.from < served.valid.until {
            account.served.push(served.clone());
        }
        Ok(())
    }
}

impl Wallet {
    /// When a benefit or coupon is valid, and whether what it gives is money.
    fn worth_of(&self, id: &BenefitId) -> Option<(Window, bool)> {
        let benefit = self.benefit(id);
        let benefit =
            benefit.map(|it| (it.valid, it.kind == crate::commands::BenefitKind::SavingsPlan));
        benefit.or_else(|| Some((self.shareable_coupon(id)?.valid, true)))
    }
}

impl Enterprise {
    fn put_organisation(&mut self, organisation: &Organisation) {
        self.organisations.retain(|known| known.organisation != organisation.organisation);
        if !organisation.members.is_empty() {
            self.organisations.push(organisation.clone());
        }
        self.organisations.sort_by(|one, other| one.organisation.cmp(&other.organisation));
    }
}

fn reach_within(enterprise: &Enterprise, sharing: &Sharing) -> BTreeMap<AccountNumber, Minute> {
    let mut reached: BTreeMap<AccountNumber, Minute> = BTreeMap::new();
    let mut add = |account: AccountNumber, from: Minute| {
        let known = reached.entry(account).or_insert(from);
        *known = (*known).min(from);
    };
    sharing.accounts.iter().for_each(|named| add(named.account, named.from));
    for shared in &sharing.organisations {
        let organisation = enterprise.organisation(&shared.organisation);
        for member in organisation.into_iter().flat_map(|it| it.members.iter()) {
            add(member.account, member.from.max(shared.from));
        }
    }
    reached
}

#[cfg(test)]
#[path = "sharing_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "serving_tests.rs"]
mod serving_tests;
