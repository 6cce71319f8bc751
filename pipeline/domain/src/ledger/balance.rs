//! What a wallet's balance shows (R4.2, R4.3): computed from the state, never stored.

use super::Ledger;
use super::coupons::Precision;
use super::cycles::Collected;
use super::state::{AccountNumber, Bill, Wallet, WalletNumber, WalletState};
use crate::commands::{AutoRecharge, DelayedSuspension, Kind, LowBalanceAlert};
use crate::ids::{AccountId, CouponId, Text, WalletId};
use crate::money::{Amount, Currency, Overflow};
use crate::record;
use crate::time::Timestamp;
use crate::time::{Minute, Month};

record! {
    /// The view `balance`.
    pub struct Balance {
        pub billing_account: WalletId,
        pub currency: Currency,
        pub state: WalletState,
        /// Own cash and cash transferred in.
        pub cash: Amount,
        /// Cash that other billing accounts sent.
        pub cash_transferred_in: Amount,
        /// How far it may go below what it holds.
        pub credit_limit: Amount,
        /// A first limit that waits for its contract.
        pub credit_limit_pending: Amount,
        /// What was refunded on credit.
        pub credit_refund: Amount,
        /// Charges and unpaid bills of this month.
        pub unsettled_current: Amount,
        /// Charges and unpaid bills of earlier months.
        pub unsettled_previous: Amount,
        /// What is left to spend; may be negative.
        pub available: Amount,
        /// What a partner has granted; zero for others.
        pub quota: Amount,
        pub quota_consumed: Amount,
        /// Charges that a partner has not been billed yet.
        pub unbilled: Amount,
        /// Whether a bill is unpaid for too long.
        pub overdue: bool,
        /// Own cash that may be sent on.
        pub transferable: Amount,
        /// Money that is set aside: on its way to somebody else, or for an order whose payment is under way.
        pub in_flight: Amount,
    }
}

record! {
    /// The view `billing_account`.
    pub struct BillingAccount {
        pub billing_account: WalletId,
        /// What it is shown by.
        pub name: Text,
        /// No other billing account has it.
        pub number: u64,
        pub enterprise: crate::ids::EnterpriseId,
        pub owner: AccountId,
        pub kind: Kind,
        pub state: WalletState,
        pub opened_at: Timestamp,
        pub currency: Currency,
        pub time_zone: crate::time::Zone,
        pub auto_write_off: bool,
        pub write_off_previous: bool,
        pub bill_cycle: crate::time::Cycle,
        pub invoice_schedule: crate::settings::Schedule,
        /// The currency in which this month's invoices are settled.
        pub settlement_currency: Currency,
        /// That from next month on, if it is another one.
        pub settlement_currency_next: Option<Currency>,
        /// None: the owner was never asked to be warned.
        pub low_balance_alert: Option<LowBalanceAlert>,
        /// None: it does not top itself up.
        pub auto_recharge: Option<AutoRecharge>,
        /// None: services stop at once.
        pub delayed_suspension: Option<DelayedSuspension>,
        /// The accounts it pays for now.
        pub payer_of: Vec<AccountId>,
        /// Its regular administrators. The management account administers it as well.
        pub administrators: Vec<AccountId>,
    }
}

impl Ledger {
    pub fn billing_account(&self, number: WalletNumber) -> Option<BillingAccount> {
        let wallet = self.wallet(number)?;
        let now = self.clock.now().minute();
        let id = |account: &AccountNumber| Some(self.account(*account)?.id.clone());
        let paid_for = self.paid_for(number).iter().filter(|account| {
            let account = self.account(**account).filter(|account| account.closed_at.is_none());
            account.is_some_and(|account| account.payer_at(now).0 == number)
        });
        let month = wallet.zone.month_of(self.clock.now());
        let settled_in = wallet.settled_in(month);
        let settled_next = wallet.settled_in(month.next());
        Some(BillingAccount {
            billing_account: wallet.id.clone(),
            name: wallet.name(),
            number: wallet.number,
            enterprise: self.enterprise(wallet.enterprise)?.id.clone(),
            owner: self.account(wallet.owner)?.id.clone(),
            kind: wallet.kind,
            state: wallet.state(),
            opened_at: wallet.opened_at,
            currency: wallet.currency,
            time_zone: wallet.zone,
            auto_write_off: wallet.auto_write_off && !self.is_settling(wallet),
            write_off_previous: wallet.write_off_previous,
            bill_cycle: wallet.cycle_length(self.clock.now(), self.settings.bills.cycle),
            invoice_schedule: self.schedule_of(wallet),
            settlement_currency: settled_in,
            settlement_currency_next: Some(settled_next).filter(|next| *next != settled_in),
            low_balance_alert: wallet.telling.as_deref().and_then(|it| it.low_balance_alert),
            auto_recharge: wallet.recharge.as_deref().map(|recharge| AutoRecharge {
                enabled: true,
                percents: Some(recharge.percents.clone()),
                amount: recharge.amount,
            }),
            delayed_suspension: wallet.delayed_suspension,
            payer_of: paid_for.filter_map(id).collect(),
            administrators: wallet.administrators().iter().filter_map(id).collect(),
        })
    }

    /// Reads what these balances ask for, so that the processor waits for all of it together.
    pub fn read_ahead_balances(&self, wallets: &[WalletNumber]) {
        let wallets = || wallets.iter().filter_map(|number| self.wallet(*number));
        let lengths = wallets().map(|wallet| {
            let lots = wallet.transferred.len() ^ wallet.refunds.len() ^ wallet.coupons.len();
            let amounts = wallet.own_cash.raw() ^ wallet.limit.raw() ^ wallet.quota.raw();
            lots ^ wallet.unpaid.len() ^ wallet.id.as_str().len() ^ amounts as usize
        });
        std::hint::black_box(lengths.fold(0, |all, seen| all ^ seen));
        let accounts = || {
            let cycles = wallets().filter_map(|wallet| wallet.open_cycles.first());
            cycles.filter_map(|cycle| self.account(*cycle.accounts.first()?))
        };
        std::hint::black_box(accounts().fold(0, |all, account| all ^ account.tabs.len()));
        let tabs = accounts().filter_map(|account| account.tabs.last());
        std::hint::black_box(tabs.fold(0, |all, tab| all ^ tab.wallet.0));
    }

    pub fn balance(&self, number: WalletNumber) -> Option<Result<Balance, Overflow>> {
        self.wallet(number).map(|wallet| self.balance_of(wallet, number))
    }

    fn balance_of(&self, wallet: &Wallet, number: WalletNumber) -> Result<Balance, Overflow> {
        let (current, previous) = self.unsettled(wallet, number)?;
        let available = Self::available_beside(wallet, current.plus(previous)?)?;
        let transferable =
            wallet.own_cash.min(available).max(Amount::ZERO).rounded_down(wallet.currency)?;
        Ok(Balance {
            billing_account: wallet.id.clone(),
            currency: wallet.currency,
            state: wallet.state(),
            cash: wallet.cash(),
            cash_transferred_in: wallet.transferred_in(),
            credit_limit: wallet.limit,
            credit_limit_pending: wallet.limit_pending.unwrap_or_default(),
            credit_refund: wallet.credit_refunds(),
            unsettled_current: current,
            unsettled_previous: previous,
            available,
            quota: wallet.quota,
            quota_consumed: wallet.quota_consumed,
            unbilled: if wallet.is_ecosystem() { current.plus(previous)? } else { Amount::ZERO },
            overdue: self.is_overdue_with(wallet, available),
            transferable,
            in_flight: wallet.in_flight().plus(wallet.held()?)?,
        })
    }

    /// Available credit, in real time; may be negative (R4.3).
    pub(super) fn available(
        &self,
        wallet: &Wallet,
        number: WalletNumber,
    ) -> Result<Amount, Overflow> {
        let (current, previous) = self.unsettled(wallet, number)?;
        Self::available_beside(wallet, current.plus(previous)?)
    }

    fn available_beside(wallet: &Wallet, unsettled: Amount) -> Result<Amount, Overflow> {
        if wallet.is_ecosystem() {
            return wallet.quota.minus(wallet.quota_consumed)?.minus(unsettled);
        }
        wallet.cash().plus(wallet.limit)?.plus(wallet.credit_refunds())?.minus(unsettled)
    }

    /// What is unsettled of this month and of earlier ones (R4.2).
    fn unsettled(
        &self,
        wallet: &Wallet,
        number: WalletNumber,
    ) -> Result<(Amount, Amount), Overflow> {
        let this = wallet.zone.month_of(self.clock.now());
        let (mut current, mut previous) = (Amount::ZERO, Amount::ZERO);
        let mut add = |month: Month, amount: Amount| -> Result<(), Overflow> {
            let sum = if month < this { &mut previous } else { &mut current };
            *sum = sum.plus(amount)?;
            Ok(())
        };
        for bill in
            wallet.unpaid.iter().chain(wallet.corrections.iter().map(|waiting| &waiting.bill))
        {
            add(bill.month, bill.owed())?;
        }
        if wallet.open_cycles.is_empty() {
            return Ok((current, previous));
        }
        let covered = self.covered_by_coupons(wallet, number)?;
        for cycle in &wallet.open_cycles {
            let month = wallet.month_billed(cycle.ends);
            add(month, self.open_charges(cycle.ends, &cycle.accounts, number)?)?;
        }
        for (month, amount) in covered {
            add(month, amount.negated()?)?;
        }
        Ok((current, previous))
    }

    fn open_charges(
        &self,
        ends: Minute,
        accounts: &[super::AccountNumber],
        payer: WalletNumber,
    ) -> Result<Amount, Overflow> {
        let accounts = accounts.iter().filter_map(|number| self.account(*number));
        let tabs = accounts.flat_map(|account| account.tabs.iter());
        Amount::sum(tabs.filter(|tab| tab.wallet == payer && tab.ends == ends).map(|tab| tab.exact))
    }

    /// What coupons would pay if every open cycle were billed now, by month.
    fn covered_by_coupons(
        &self,
        wallet: &Wallet,
        payer: WalletNumber,
    ) -> Result<Vec<(Month, Amount)>, Overflow> {
        if wallet.coupons.iter().all(|coupon| coupon.cash || !coupon.left.is_positive()) {
            return Ok(Vec::new());
        }
        // A rehearsal on a copy of this wallet alone: bills are issued and coupons pay them.
        let mut rehearsed = wallet.clone();
        let mut covered = Vec::new();
        for cycle in &wallet.open_cycles {
            let would_be = self.would_be_billed(payer, cycle.ends)?;
            for (bill, _) in &would_be {
                rehearsed.note_spent(bill)?;
            }
            for (bill, part) in would_be {
                // Nothing is rounded before it is issued: coupons cover exact charges here.
                let bill = Bill { amount: part.exact, ..bill };
                for payment in self.coupons_for(&rehearsed, &bill, &part.parts, Precision::Exact)? {
                    rehearsed.spend_coupon(&payment.coupon, payment.amount)?;
                    covered.push((bill.month, payment.amount));
                }
            }
        }
        Ok(covered)
    }

    /// The bills that would be issued if every open cycle were billed now, less what coupons would pay.
    pub(super) fn would_be_issued(&self, payer: WalletNumber) -> Result<Vec<Bill>, Overflow> {
        let Some(wallet) = self.wallet(payer) else { return Ok(Vec::new()) };
        let mut rehearsed = wallet.clone();
        let mut bills = Vec::new();
        for cycle in &wallet.open_cycles {
            let would_be = self.would_be_billed(payer, cycle.ends)?;
            for (bill, _) in &would_be {
                rehearsed.note_spent(bill)?;
            }
            for (mut bill, part) in would_be {
                let paid = self.coupons_for(&rehearsed, &bill, &part.parts, Precision::Payable)?;
                for payment in paid {
                    rehearsed.spend_coupon(&payment.coupon, payment.amount)?;
                    bill.paid = bill.paid.plus(payment.amount)?;
                }
                bills.push(bill);
            }
        }
        Ok(bills)
    }

    /// The bills that would be issued if this cycle were billed now, and what they are over.
    pub(super) fn would_be_billed(
        &self,
        payer: WalletNumber,
        ends: Minute,
    ) -> Result<Vec<(Bill, Collected)>, Overflow> {
        let collected = self.collect(payer, ends).map_err(|_| Overflow)?;
        let bills = collected.into_iter().map(|part| {
            let bill = self.bill_over(payer, ends, &part).map_err(|_| Overflow)?;
            Ok((bill, part))
        });
        bills.collect()
    }
}

impl Wallet {
    /// What it is shown by.
    pub(super) fn name(&self) -> Text {
        let named = self.governing.as_deref().and_then(|governing| governing.name.clone());
        named.unwrap_or_else(|| Text::fitting(self.id.as_str()))
    }

    /// Spends from a coupon of a copy, to see what would be left.
    fn spend_coupon(&mut self, coupon: &CouponId, amount: Amount) -> Result<(), Overflow> {
        if let Some(known) = self.coupons.iter_mut().find(|known| known.coupon == *coupon) {
            known.left = known.left.minus(amount)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "balance_tests.rs"]
mod tests;
