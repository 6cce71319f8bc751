//! The double entry behind everything (R1.3): money is never made or lost, it only moves from one place to another.

use crate::calendar::Month;
use crate::currency::Currency;
use crate::exact::Exact;
use std::collections::BTreeMap;

/// One arrival of an asset in a wallet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lot {
    /// The billing account's own cash.
    OwnCash,
    /// The cash that this billing account sent.
    CashFrom(String),
    /// The credit refunds that arose in this month.
    CreditRefund(Month),
    Coupon(String),
    CashCoupon(String),
    /// What is left of an ecosystem billing account's quota.
    Quota,
}

impl Lot {
    /// The name of the asset in the list of entries.
    pub fn asset(&self) -> &'static str {
        match self {
            Lot::OwnCash | Lot::CashFrom(_) => "cash",
            Lot::CreditRefund(_) => "credit_refund",
            Lot::Coupon(_) => "coupon",
            Lot::CashCoupon(_) => "cash_coupon",
            Lot::Quota => "quota",
        }
    }

    /// The name of the lot in the list of entries.
    pub fn name(&self) -> String {
        match self {
            Lot::OwnCash => "own".to_string(),
            Lot::CashFrom(sender) => sender.clone(),
            Lot::CreditRefund(month) => month.to_string(),
            Lot::Coupon(id) | Lot::CashCoupon(id) => id.clone(),
            Lot::Quota => "quota".to_string(),
        }
    }
}

/// Where money can be. The number of a wallet is its position among the billing accounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Customers' banks, and whoever delivers what is used.
    World,
    /// The partner of an ecosystem billing account.
    Partner,
    /// What has left one wallet and not reached another.
    InFlight,
    /// Bank transfers that nobody has claimed (R7.3).
    Unclaimed,
    /// What has left this wallet to pay for somebody else and has not reached it (R10.4).
    OnTheWay(usize),
    /// What a wallet has set aside for an order whose payment is in flight (R5.8).
    Held(usize),
    /// What rounding has held back or added.
    Rounding,
    /// The charges of a wallet that no bill contains yet. Below zero by what has been charged.
    OpenCharges(usize),
    Lot(usize, Lot),
    /// The bill at this position. Below zero by what is unpaid.
    Bill(usize),
}

/// What every place holds.
#[derive(Debug, Default)]
pub struct Ledger {
    balances: BTreeMap<(Currency, Place), Exact>,
}

impl Ledger {
    /// Moves money. A negative amount moves it the other way.
    pub fn move_money(&mut self, currency: Currency, from: Place, to: Place, amount: &Exact) {
        if amount.is_zero() {
            return;
        }
        *self.balances.entry((currency, from)).or_default() -= amount;
        *self.balances.entry((currency, to)).or_default() += amount;
    }

    pub fn balance(&self, currency: Currency, place: Place) -> Exact {
        self.balances.get(&(currency, place)).cloned().unwrap_or_default()
    }

    pub fn balances(&self) -> &BTreeMap<(Currency, Place), Exact> {
        &self.balances
    }
}
