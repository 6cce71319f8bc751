//! A billing account's wallet: what it holds, and the one way in which that changes (R4.1, R4.4).

use crate::BookKeeper;
use crate::alerts::LowBalance;
use crate::automatic::Declines;
use crate::calendar::{Cycle, Month, day_of, end_of_cycle, hour_of, month_of, start_of_month};
use crate::coupons::Coupon;
use crate::currency::Currency;
use crate::exact::Exact;
use crate::fields::{NOT_FOUND, Refusal};
use crate::ledger::{Lot, Place};
use crate::methods::Method;
use crate::recharge::Recharge;
use crate::runway::Lasting;
use crate::services::Delay;
use crate::views::Entry;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Direct,
    /// It settles with a partner and holds a quota.
    Ecosystem,
}

/// What is noted with a change of an asset: a text, or the bill that it concerns.
pub enum Remark {
    Text(String),
    Bill(usize),
}

impl From<&str> for Remark {
    fn from(text: &str) -> Remark {
        Remark::Text(text.to_string())
    }
}

impl From<&String> for Remark {
    fn from(text: &String) -> Remark {
        Remark::Text(text.clone())
    }
}

/// The cash one sender sent. There is one such lot for each sender, as old as the sender's first transfer.
#[derive(Clone, Debug)]
pub struct Received {
    pub sender: String,
    pub balance: Exact,
    /// What was sent, less what was revoked (R9.2).
    pub sent_less_revoked: Exact,
}

/// What one account used of one product in an open cycle.
#[derive(Clone, Debug, Default)]
pub struct OpenCharges {
    pub total: Exact,
    /// The charges by hour of use, which decides which coupons are valid for them (R5.2). A coupon divides an hour from
    /// its grant on.
    pub by_time: BTreeMap<i64, Exact>,
}

/// A cycle whose bills have not been issued; by account, then product, the order in which bills are issued.
#[derive(Clone, Debug)]
pub struct OpenCycle {
    /// The how manieth of its billing account it is.
    pub number: u64,
    pub month: Month,
    pub charges: BTreeMap<(String, String), OpenCharges>,
}

/// The closed cycles of one (account, product, month) (R1.2).
#[derive(Clone, Debug, Default)]
pub struct MonthSoFar {
    pub exact: Exact,
    pub billed: Exact,
}

/// A billing account.
#[derive(Clone)]
pub struct Wallet {
    pub name: String,
    pub enterprise: String,
    pub owner: String,
    pub kind: Kind,
    pub currency: Currency,
    pub zone: TimeZone,
    pub partner_pays: bool,

    /// An asset of it has changed (R4.4).
    pub has_entries: bool,
    pub own_cash: Exact,
    /// In the order of the senders' first transfers.
    pub received: Vec<Received>,
    pub credit_limit: Exact,
    pub pending_limit: Option<Exact>,
    pub contract_confirmed: bool,
    pub credit_refunds: BTreeMap<Month, Exact>,
    /// Coupons and cash coupons.
    pub coupons: BTreeMap<String, Coupon>,
    pub quota: Exact,
    pub quota_consumed: Exact,

    pub auto_write_off: bool,
    pub write_off_previous: bool,
    pub bad_debt: bool,
    /// Nothing goes out (R4.5).
    pub frozen: bool,
    pub frozen_by_operator: bool,
    /// The bill cycles by the instant from which each holds.
    cycles: Vec<(i64, Cycle)>,

    /// What is told of a low balance (R8.5), and whether it was told that it is overdue (R8.1).
    pub low_balance: LowBalance,
    pub overdue_told: bool,
    /// What is told of how long credit lasts (R8.6, R8.8).
    pub lasting: Lasting,
    /// How long services run on (R8.3).
    pub delayed_suspension: Option<Delay>,
    /// Whether invoices are monthly, if that is set (R12.1), and up to when they have been made.
    pub monthly_invoices: Option<bool>,
    pub invoiced_until: i64,
    /// Automatic recharge while it is on, and how often it was switched on (R6.7).
    pub recharge: Option<Recharge>,
    pub recharges: usize,
    /// Its payment of the settlement that goes on (R5.6).
    pub settles: Option<usize>,
    /// When it was closed for good (R4.5).
    pub deregistered_at: Option<i64>,
    /// Charges by the hour of use, and the earliest time of use (R8.6).
    pub charges_by_hour: BTreeMap<i64, Exact>,
    pub first_charge: Option<i64>,
    /// The linked methods, the longest linked first (R7.4).
    pub methods: Vec<Method>,
    /// The name of the default method.
    pub preferred: Option<String>,
    /// Links that wait for strong authentication.
    pub unfinished_links: Vec<Method>,
    /// At which amount owed PayPal is charged, if set (R6.1).
    pub auto_pay_threshold: Option<Exact>,
    /// The payment of bills that is in flight, and the bills it is for (R6.3).
    pub in_flight: Option<usize>,
    pub set_aside: BTreeSet<usize>,
    /// The negative bills that wait for the result of a payment, and with how much (R5.7).
    pub waiting: BTreeMap<usize, (Month, Exact)>,
    /// What goes on since a decline (R6.5), and how many such series there have been.
    pub declines: Option<Declines>,
    pub series: usize,
    /// After a decline another method was preferred, which has not been charged yet (R6.5).
    pub newly_preferred: bool,
    /// A month has ended and its charge has not been made yet (R6.2).
    pub month_end_waits: bool,

    /// The open cycles by their end, and how many have been opened.
    pub open: BTreeMap<i64, OpenCycle>,
    pub cycles_opened: u64,
    pub months: BTreeMap<(String, String, Month), MonthSoFar>,
    /// What bills came to by month and product: the month's charges of a coupon's `minimum` (R5.2).
    pub billed: BTreeMap<Month, BTreeMap<String, Exact>>,
    /// All its bills, in the order of issue.
    pub issued: Vec<usize>,
    /// The bills with an unpaid part, in the order of issue.
    pub unpaid: BTreeSet<usize>,
    pub unpaid_by_month: BTreeMap<Month, Exact>,
    /// The usage bills of each (account, product), in the order of issue.
    pub usage_bills: BTreeMap<(String, String), Vec<usize>>,
}

impl Wallet {
    /// An empty billing account that no partner pays for.
    pub fn new(
        name: String,
        enterprise: String,
        owner: String,
        kind: Kind,
        currency: Currency,
        zone: TimeZone,
        cycle: Cycle,
    ) -> Wallet {
        Wallet {
            name,
            enterprise,
            owner,
            kind,
            currency,
            zone,
            partner_pays: false,
            has_entries: false,
            own_cash: Exact::zero(),
            received: Vec::new(),
            credit_limit: Exact::zero(),
            pending_limit: None,
            contract_confirmed: false,
            credit_refunds: BTreeMap::new(),
            coupons: BTreeMap::new(),
            quota: Exact::zero(),
            quota_consumed: Exact::zero(),
            auto_write_off: true,
            write_off_previous: false,
            bad_debt: false,
            frozen: false,
            frozen_by_operator: false,
            cycles: vec![(i64::MIN, cycle)],
            low_balance: LowBalance::default(),
            overdue_told: false,
            lasting: Lasting::default(),
            delayed_suspension: None,
            monthly_invoices: None,
            invoiced_until: 0,
            recharge: None,
            recharges: 0,
            settles: None,
            deregistered_at: None,
            charges_by_hour: BTreeMap::new(),
            first_charge: None,
            methods: Vec::new(),
            preferred: None,
            unfinished_links: Vec::new(),
            auto_pay_threshold: None,
            in_flight: None,
            set_aside: BTreeSet::new(),
            waiting: BTreeMap::new(),
            declines: None,
            series: 0,
            newly_preferred: false,
            month_end_waits: false,
            open: BTreeMap::new(),
            cycles_opened: 0,
            months: BTreeMap::new(),
            billed: BTreeMap::new(),
            issued: Vec::new(),
            unpaid: BTreeSet::new(),
            unpaid_by_month: BTreeMap::new(),
            usage_bills: BTreeMap::new(),
        }
    }

    pub fn month_of(&self, instant: i64) -> Month {
        month_of(&self.zone, instant)
    }

    /// The end of the month in which this instant lies.
    pub fn end_of_month(&self, instant: i64) -> i64 {
        end_of_cycle(&self.zone, Cycle::Month, instant)
    }

    fn cycle_at(&self, instant: i64) -> Cycle {
        let begun = self.cycles.iter().rev().find(|(from, _)| *from <= instant);
        begun.map_or(Cycle::Hour, |(_, cycle)| *cycle)
    }

    /// The end of the cycle in which this instant lies (R5.1).
    pub fn end_of_cycle(&self, instant: i64) -> i64 {
        end_of_cycle(&self.zone, self.cycle_at(instant), instant)
    }

    /// The beginning of the cycle in which this instant lies.
    pub fn start_of_cycle(&self, instant: i64) -> i64 {
        match self.cycle_at(instant) {
            Cycle::Hour => hour_of(&self.zone, instant),
            Cycle::Day => day_of(&self.zone, instant),
            Cycle::Month => start_of_month(&self.zone, self.month_of(instant)),
        }
    }

    /// The cycle that is open ends as it would have; the next one has the new length.
    pub fn set_cycle(&mut self, now: i64, cycle: Cycle) {
        let from = self.end_of_cycle(now);
        self.cycles.retain(|(begins, _)| *begins < from);
        self.cycles.push((from, cycle));
    }

    /// The beginning of the hour that this time lies in, or of its piece where coupons divide it (R5.2).
    pub fn piece_of_hour(&self, time: i64) -> i64 {
        let hour = hour_of(&self.zone, time);
        let ends = self.coupons.values().filter(|coupon| !coupon.cash).flat_map(Coupon::ends);
        ends.filter(|end| *end <= time).max().unwrap_or(hour).max(hour)
    }

    pub fn cash_transferred_in(&self) -> Exact {
        self.received.iter().map(|received| &received.balance).sum()
    }

    pub fn cash(&self) -> Exact {
        &self.own_cash + &self.cash_transferred_in()
    }

    pub fn credit_refund(&self) -> Exact {
        self.credit_refunds.values().sum()
    }

    pub fn unpaid_total(&self) -> Exact {
        self.unpaid_by_month.values().sum()
    }

    pub fn received_from(&self, sender: &str) -> Option<&Received> {
        self.received.iter().find(|received| received.sender == sender)
    }

    /// What this lot holds.
    pub fn held(&self, lot: &Lot) -> Exact {
        let held = match lot {
            Lot::OwnCash => Some(&self.own_cash),
            Lot::CashFrom(sender) => self.received_from(sender).map(|received| &received.balance),
            Lot::CreditRefund(month) => self.credit_refunds.get(month),
            Lot::Coupon(id) | Lot::CashCoupon(id) => {
                self.coupons.get(id).map(|coupon| &coupon.left)
            }
            Lot::Quota => return &self.quota - &self.quota_consumed,
        };
        held.cloned().unwrap_or_default()
    }

    /// Whether money in this lot can no longer be used, as judged at this instant.
    pub fn has_expired(&self, lot: &Lot, dated: i64) -> bool {
        match lot {
            Lot::Coupon(id) | Lot::CashCoupon(id) => {
                self.coupons.get(id).is_some_and(|coupon| coupon.has_expired(dated))
            }
            _ => false,
        }
    }

    /// Changes what a lot holds. Outside a trial on a copy this happens in `BookKeeper::change_asset` only.
    pub fn change(&mut self, lot: &Lot, amount: &Exact) {
        match lot {
            Lot::OwnCash => self.own_cash += amount,
            Lot::CashFrom(sender) => {
                match self.received.iter_mut().find(|received| received.sender == *sender) {
                    Some(received) => received.balance += amount,
                    None => self.received.push(Received {
                        sender: sender.clone(),
                        balance: amount.clone(),
                        sent_less_revoked: Exact::zero(),
                    }),
                }
            }
            Lot::CreditRefund(month) => *self.credit_refunds.entry(*month).or_default() += amount,
            Lot::Coupon(id) | Lot::CashCoupon(id) => {
                if let Some(coupon) = self.coupons.get_mut(id) {
                    coupon.left += amount;
                }
            }
            // The quota itself and what is consumed of it are kept apart by whoever changes them.
            Lot::Quota => {}
        }
    }
}

impl BookKeeper {
    /// The billing account of this name, unless it is closed for good.
    pub(crate) fn wallet_number(&self, name: &str) -> Result<usize, Refusal> {
        let number = self.wallet_numbers.get(name).copied().ok_or(NOT_FOUND)?;
        match self.wallets[number].deregistered_at {
            Some(_) => Err("deregistered"),
            None => Ok(number),
        }
    }

    /// The billing account of this name if it is a direct one (R4.1).
    pub(crate) fn direct_wallet(&self, name: &str) -> Result<usize, Refusal> {
        let number = self.wallet_number(name)?;
        match self.wallets[number].kind {
            Kind::Direct => Ok(number),
            Kind::Ecosystem => Err("not_for_ecosystem"),
        }
    }

    /// Changes an asset by this amount, which comes from (or, below zero, goes to) another place. Every change of an
    /// asset happens here, so each is an entry and a balanced movement (R1.3, R4.4).
    pub(crate) fn change_asset(
        &mut self,
        wallet: usize,
        lot: &Lot,
        amount: &Exact,
        other: Place,
        cause: &'static str,
        remark: impl Into<Remark>,
    ) {
        if amount.is_zero() {
            return;
        }
        let (remark, bill) = match remark.into() {
            Remark::Text(text) => (text, None),
            Remark::Bill(bill) => (String::new(), Some(self.bill_name(bill))),
        };
        let before = self.wallets[wallet].held(lot);
        self.wallets[wallet].change(lot, amount);
        self.wallets[wallet].has_entries = true;
        let currency = self.wallets[wallet].currency;
        self.ledger.move_money(currency, other, Place::Lot(wallet, lot.clone()), amount);
        self.entries.push(Entry {
            number: self.entries.len() as u64 + 1,
            at: self.now,
            billing_account: self.wallets[wallet].name.clone(),
            asset: lot.asset().to_string(),
            lot: lot.name(),
            before: before.to_string(),
            amount: amount.to_string(),
            after: (&before + amount).to_string(),
            cause: cause.to_string(),
            remark,
            bill,
        });
    }
}
