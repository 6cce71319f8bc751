//! Isolated spend (R11.2): what an account may spend of its payer's money, asked for before it is spent.
//!
//! What was authorized and has not been used stands with the account, by the minute in which it lapses. That
//! is all there is to a lapse: nothing fires, and whoever adds up leaves out what lies in the past.

use std::collections::VecDeque;

use super::fact::{Accrued, Authorized, CapNeared, Journal, SpendAllocated};
use super::state::{Account, AccountNumber, ProductNumber, WalletNumber};
use super::{Broken, Ledger, Undecided};
use crate::commands::{AllocateSpend, Authorize};
use crate::ids::{AccountId, AuthorizationId};
use crate::money::{Amount, Overflow};
use crate::notices::CapReached;
use crate::record;
use crate::refusal::Refusal;
use crate::time::{Minute, Month, Timestamp};

record! {
    /// What an account may spend, and what it was authorized to.
    pub struct Spending {
        pub credit: Option<AllocatedCredit>,
        pub monthly_cap: Option<MonthlyCap>,
        /// What was authorized and is not used, the oldest first; none of it is zero.
        pub open: VecDeque<OpenAuthorizations>,
        /// The names of the last authorizations, the oldest first.
        pub names: VecDeque<AuthorizationName>,
    }
}

record! {
    /// The most that charges may come to from an instant on.
    #[derive(Copy)]
    pub struct AllocatedCredit {
        pub amount: Amount,
        /// When it was allocated.
        pub since: Timestamp,
        /// What has been charged since.
        pub charged: Amount,
    }
}

record! {
    /// The most that the charges of a month may come to.
    #[derive(Copy)]
    pub struct MonthlyCap {
        pub amount: Amount,
        /// What was told of it last.
        pub told: Option<CapTold>,
    }
}

record! {
    /// That charges have come to so much of a cap was told.
    #[derive(Copy)]
    pub struct CapTold {
        pub month: Month,
        pub percent: u32,
    }
}

record! {
    /// What is left of the authorizations that lapse in a minute.
    #[derive(Copy)]
    pub struct OpenAuthorizations {
        pub lapses_at: Minute,
        pub amount: Amount,
    }
}

record! {
    /// A name that is taken until its authorization lapses.
    pub struct AuthorizationName {
        pub authorization: AuthorizationId,
        pub lapses_at: Minute,
    }
}

record! {
    /// What an account may spend, as the view `account` shows it.
    pub struct Allocation {
        /// None: it has only a cap.
        pub credit: Option<Amount>,
        /// When the credit was allocated.
        pub credit_since: Option<Timestamp>,
        /// What has been charged since.
        pub credit_charged: Option<Amount>,
        /// None: it has only a credit.
        pub monthly_cap: Option<Amount>,
        pub month: Month,
        /// The charges of this month, before coupons.
        pub month_charged: Amount,
        /// What is authorized and not used yet.
        pub authorized: Amount,
        /// What can still be authorized.
        pub left: Amount,
    }
}

/// Whoever pays is told when a month's charges have come to so many percent of the cap.
const TOLD_AT_PERCENT: [u32; 2] = [80, 100];

/// So many names of an account are remembered, so that what is asked twice is not set aside twice.
const NAMES_MAX: usize = 1_000;

/// How much more an account may be charged, on the bills that are collected until then, before there is
/// anything to tell of its cap.
#[derive(Debug)]
pub(super) struct CapRoom {
    wallet: WalletNumber,
    ends: Minute,
    left: Amount,
}

impl Spending {
    fn new() -> Spending {
        Spending { credit: None, monthly_cap: None, open: VecDeque::new(), names: VecDeque::new() }
    }

    /// What is authorized and not used.
    fn authorized(&self, now: Timestamp) -> Result<Amount, Overflow> {
        let open = self.open.iter().filter(|open| open.lapses_at.starts() > now);
        Amount::sum(open.map(|open| open.amount))
    }

    fn is_taken(&self, name: &AuthorizationId, now: Timestamp) -> bool {
        let mut names = self.names.iter().filter(|known| known.lapses_at.starts() > now);
        names.any(|known| known.authorization == *name)
    }

    /// A charge counts against the credit, and uses up the oldest authorization first. What lowers charges gives
    /// no authorization back.
    pub(super) fn charge(&mut self, charge: Amount, now: Timestamp) -> Result<(), Overflow> {
        if let Some(credit) = &mut self.credit {
            credit.charged = credit.charged.plus(charge)?;
        }
        let mut left = charge;
        while left.is_positive()
            && let Some(oldest) = self.open.front_mut()
        {
            if oldest.lapses_at.starts() > now {
                let used = oldest.amount.min(left);
                oldest.amount = oldest.amount.minus(used)?;
                left = left.minus(used)?;
                if oldest.amount.is_positive() {
                    break;
                }
            }
            self.open.pop_front();
        }
        Ok(())
    }

    fn authorize(&mut self, fact: &Authorized, now: Timestamp) -> Result<(), Overflow> {
        while self.open.front().is_some_and(|open| open.lapses_at.starts() <= now) {
            self.open.pop_front();
        }
        let is_over = |known: &AuthorizationName| known.lapses_at.starts() <= now;
        while self.names.len() >= NAMES_MAX || self.names.front().is_some_and(is_over) {
            self.names.pop_front();
        }
        let Authorized { authorization, amount, lapses_at, .. } = fact;
        let name =
            AuthorizationName { authorization: authorization.clone(), lapses_at: *lapses_at };
        self.names.push_back(name);
        match self.open.back_mut().filter(|newest| newest.lapses_at == *lapses_at) {
            Some(newest) => newest.amount = newest.amount.plus(*amount)?,
            None if amount.is_zero() => {}
            None => {
                self.open.push_back(OpenAuthorizations { lapses_at: *lapses_at, amount: *amount });
            }
        }
        Ok(())
    }
}

impl Ledger {
    /// Whoever pays for an account now.
    pub(super) fn payer_now(&self, account: &Account) -> WalletNumber {
        account.payer_at(self.clock.now().minute()).0
    }

    fn account_open(&self, id: &AccountId) -> Result<(AccountNumber, &Account), Refusal> {
        let number = self.account_named(id).ok_or(Refusal::NotFound)?;
        let account = self.account(number).ok_or(Refusal::NotFound)?;
        if account.closed_at.is_some() {
            return Err(Refusal::AccountClosed);
        }
        Ok((number, account))
    }

    pub(super) fn allocate_spend(
        &mut self,
        command: &AllocateSpend,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, account) = self.account_open(&command.account)?;
        let mut asked = command.credit.into_iter().chain(command.monthly_cap);
        let fits = |amount: Amount| !amount.is_negative() && amount.is_payable(account.currency);
        if !asked.all(fits) {
            return Err(Refusal::InvalidAmount.into());
        }

        let before = account.spending.as_deref();
        let (since, charged) = (self.clock.now(), Amount::ZERO);
        let credit = command.credit.map(|amount| AllocatedCredit { amount, since, charged });
        let cap_before = before.and_then(|spending| spending.monthly_cap);
        let monthly_cap = command.monthly_cap.map(|amount| {
            // Of another cap nothing has been told yet.
            let same = cap_before.filter(|known| known.amount == amount);
            same.unwrap_or(MonthlyCap { amount, told: None })
        });
        let (credit, monthly_cap) = match (credit, monthly_cap) {
            (None, None) => (None, None),
            (credit, cap) => {
                (credit.or_else(|| before.and_then(|it| it.credit)), cap.or(cap_before))
            }
        };
        self.record(journal, SpendAllocated { account: number, credit, monthly_cap })?;
        Ok(())
    }

    pub(super) fn authorize(
        &mut self,
        command: &Authorize,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, account) = self.account_open(&command.account)?;
        let (now, amount) = (self.clock.now(), command.amount);
        let spending = account.spending.as_deref();
        if spending.is_some_and(|spending| spending.is_taken(&command.authorization, now)) {
            return Err(Refusal::AlreadyExists.into());
        }
        if amount.is_negative() || !amount.is_payable(account.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        let payer = self.wallet(self.payer_now(account)).ok_or(Refusal::NotFound)?;
        // Judged with every change: to add everything up anew would take as long as the payer has accounts.
        if payer.telling.as_deref().is_some_and(|telling| telling.overdue) {
            return Err(Refusal::Overdue.into());
        }
        if account.services.is_some_and(|services| services.stopped.is_some()) {
            return Err(Refusal::Suspended.into());
        }
        if let Some(spending) = spending {
            let wanted = spending.authorized(now)?.plus(amount)?;
            if let Some(cap) = spending.monthly_cap {
                let charged = self.month_charges(account, payer.zone.month_of(now))?;
                if charged.plus(wanted)? > cap.amount {
                    return Err(Refusal::OverMonthlyCap.into());
                }
            }
            if let Some(credit) = spending.credit
                && credit.charged.plus(wanted)? > credit.amount
            {
                return Err(Refusal::OverAllocatedCredit.into());
            }
        }

        let lapses_at = now.plus(self.settings.authorizations.expire_after).full_minute();
        let authorization = command.authorization.clone();
        self.record(journal, Authorized { account: number, authorization, amount, lapses_at })?;
        Ok(())
    }

    /// What an account was charged in a month, whoever paid: what its bills hold, and what the next ones will.
    /// Neither orders nor taxes are charges.
    fn month_charges(&self, account: &Account, month: Month) -> Result<Amount, Overflow> {
        let is_tax = |product: ProductNumber| product == ProductNumber::TAX;
        let billed = account.months.iter().filter(|it| it.month == month && !is_tax(it.product));
        let mut charged = Amount::sum(billed.map(|billed| billed.exact))?;
        // An account that is billed seldom has many tabs of one cycle.
        let mut cycle = None;
        for tab in &account.tabs {
            let of_month = match cycle {
                Some((wallet, ends, of_month)) if (wallet, ends) == (tab.wallet, tab.ends) => {
                    of_month
                }
                _ => {
                    let payer = self.wallet(tab.wallet);
                    payer.is_some_and(|payer| payer.month_billed(tab.ends) == month)
                }
            };
            cycle = Some((tab.wallet, tab.ends, of_month));
            if of_month {
                charged = charged.plus(tab.exact)?;
            }
        }
        Ok(charged)
    }

    /// What an account may spend; none if nothing was allocated.
    pub(super) fn allocation(&self, account: &Account) -> Result<Option<Allocation>, Overflow> {
        let payer = self.wallet(self.payer_now(account));
        let Some((spending, payer)) = account.spending.as_deref().zip(payer) else {
            return Ok(None);
        };
        let (credit, cap) = (spending.credit, spending.monthly_cap);
        let now = self.clock.now();
        let month = payer.zone.month_of(now);
        let month_charged = self.month_charges(account, month)?;
        let authorized = spending.authorized(now)?;
        let under_cap = cap.map(|cap| cap.amount.minus(month_charged)).transpose()?;
        let of_credit = credit.map(|credit| credit.amount.minus(credit.charged)).transpose()?;
        let Some(least) = under_cap.into_iter().chain(of_credit).min() else { return Ok(None) };
        Ok(Some(Allocation {
            credit: credit.map(|credit| credit.amount),
            credit_since: credit.map(|credit| credit.since),
            credit_charged: credit.map(|credit| credit.charged),
            monthly_cap: cap.map(|cap| cap.amount),
            month,
            month_charged,
            authorized,
            left: least.minus(authorized)?.max(Amount::ZERO),
        }))
    }

    /// After a charge: whoever pays is told when the month has come near the account's cap, or to it.
    #[inline]
    pub(super) fn watch_cap(
        &mut self,
        accrued: &Accrued,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let spending = self.account(accrued.account).and_then(|it| it.spending.as_deref());
        match spending.and_then(|spending| spending.monthly_cap) {
            Some(cap) => self.use_cap_room(accrued, cap, journal),
            None => Ok(()),
        }
    }

    fn use_cap_room(
        &mut self,
        accrued: &Accrued,
        cap: MonthlyCap,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Accrued { account: number, charge, .. } = *accrued;
        let account = self.account(number);
        let tab = account.and_then(|account| account.tabs.get(accrued.tab as usize));
        let (wallet, ends) =
            tab.map(|tab| (tab.wallet, tab.ends)).ok_or(Broken("a tab out of place"))?;
        // Only what is charged comes near a cap: what lowers charges makes room, and tells nobody.
        if !charge.is_positive() {
            if charge.is_negative() {
                self.cap_rooms.remove(&number);
            }
            return Ok(());
        }
        let known = self.cap_rooms.get_mut(&number);
        if let Some(room) = known.filter(|room| (room.wallet, room.ends) == (wallet, ends)) {
            room.left = room.left.minus(charge)?;
            if room.left.is_positive() {
                return Ok(());
            }
        }
        self.judge_cap((number, cap), wallet, ends, journal)
    }

    /// Judges the month in which a charge is billed. That may be the one before, while metering lags.
    fn judge_cap(
        &mut self,
        (number, cap): (AccountNumber, MonthlyCap),
        wallet: WalletNumber,
        ends: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (Some(account), Some(payer)) = (self.account(number), self.wallet(wallet)) else {
            return Ok(());
        };
        let month = payer.month_billed(ends);
        let charged = self.month_charges(account, month)?;
        let told = match cap.told {
            Some(told) if told.month == month => told.percent,
            // Of a month that is over nothing is told behind what was told of the next.
            Some(told) if told.month > month => u32::MAX,
            Some(_) | None => 0,
        };
        let (mut reached, mut left) = (told, Amount::MAX);
        for percent in TOLD_AT_PERCENT.into_iter().filter(|percent| *percent > told) {
            let level = cap.amount.share(percent.into(), 100)?;
            if charged.is_positive() && charged >= level {
                reached = percent;
            } else {
                left = left.min(level.minus(charged)?);
            }
        }
        let account = account.id.clone();
        self.cap_rooms.insert(number, CapRoom { wallet, ends, left });
        if reached == told {
            return Ok(());
        }
        let told = CapTold { month, percent: reached };
        self.record(journal, CapNeared { account: number, told })?;
        let (percent, monthly_cap) = (reached, cap.amount);
        let cap = CapReached { account, month, percent, monthly_cap, charged };
        self.notice_cap(wallet, cap, journal)
    }

    pub(super) fn apply_allocation(&mut self, fact: &SpendAllocated) -> Result<(), Broken> {
        self.cap_rooms.remove(&fact.account);
        if let Some(account) = self.account_mut(fact.account)? {
            let spending = account.spending_mut();
            (spending.credit, spending.monthly_cap) = (fact.credit, fact.monthly_cap);
        }
        Ok(())
    }

    pub(super) fn apply_authorized(&mut self, fact: &Authorized) -> Result<(), Broken> {
        let now = self.clock.now();
        if let Some(account) = self.account_mut(fact.account)? {
            account.spending_mut().authorize(fact, now)?;
        }
        Ok(())
    }

    pub(super) fn apply_cap_neared(&mut self, fact: &CapNeared) -> Result<(), Broken> {
        if let Some(account) = self.account_mut(fact.account)? {
            let cap = account.spending_mut().monthly_cap.as_mut();
            cap.ok_or(Broken("no cap that could be near"))?.told = Some(fact.told);
        }
        Ok(())
    }
}

impl Account {
    fn spending_mut(&mut self) -> &mut Spending {
        self.spending.get_or_insert_with(|| Box::new(Spending::new()))
    }
}

#[cfg(test)]
#[path = "spending_tests.rs"]
mod tests;
