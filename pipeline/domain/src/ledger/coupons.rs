//! Coupons: granted, in scope or not, and what they would pay of a bill (R5.2).

use super::fact::{Cause, CouponOpened, Journal, Moved, TabCut};
use super::state::{
    Bill, CashCouponLot, Coupon, CouponLot, Lot, ProductNumber, Wallet, WalletNumber,
};
use super::{Ledger, Undecided};
use crate::commands::GrantCoupon;
use crate::ids::ProductId;
use crate::money::{Amount, Overflow};
use crate::refusal::Refusal;
use crate::time::{Minute, Window};

/// The exact charges of a bill, by the minutes of use they lie in.
pub(super) type Parts = Vec<(Window, Amount)>;

/// To which decimal a coupon pays part of a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// Whole minor units, as money is paid.
    Payable,
    /// All decimals, as charges are estimated before they are billed (R4.2).
    Exact,
}

/// What one coupon pays of one bill.
pub(super) struct CouponPayment {
    pub(super) coupon: crate::ids::CouponId,
    pub(super) amount: Amount,
}

impl Coupon {
    pub(super) fn in_scope(&self, product: Option<&ProductId>) -> bool {
        self.products.is_empty() || product.is_some_and(|product| self.products.contains(product))
    }

    pub(super) fn lot(&self) -> Lot {
        let coupon = self.coupon.clone();
        if self.cash { CashCouponLot { coupon }.into() } else { CouponLot { coupon }.into() }
    }

    /// Soonest expiry first, then the smallest remainder, then the id.
    pub(super) fn rank(&self) -> (Minute, Amount, &str) {
        (self.valid.until, self.left, self.coupon.as_str())
    }
}

impl Wallet {
    /// The minutes around `used` that no coupon's begin or end divides.
    pub(super) fn undivided_by_coupons(&self, used: Minute) -> Window {
        let mut window = Window::ALWAYS;
        for coupon in self.coupons.iter().filter(|coupon| !coupon.cash) {
            for edge in [coupon.valid.from, coupon.valid.until] {
                if edge <= used {
                    window.from = window.from.max(edge);
                } else {
                    window.until = window.until.min(edge);
                }
            }
        }
        window
    }
}

impl Ledger {
    pub(super) fn grant_coupon(
        &mut self,
        command: &GrantCoupon,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        let minimum = command.minimum.unwrap_or_default();
        let valid = Window {
            from: command.valid_from.full_minute(),
            until: command.valid_until.full_minute(),
        };
        if !command.amount.is_positive()
            || !command.amount.is_payable(wallet.currency)
            || minimum.is_negative()
        {
            return Err(Refusal::InvalidAmount.into());
        }
        if wallet.coupons.iter().any(|coupon| coupon.coupon == command.coupon) {
            return Err(Refusal::AlreadyExists.into());
        }
        if valid.until <= valid.from {
            return Err(Refusal::Malformed.into());
        }

        let coupon = Coupon {
            coupon: command.coupon.clone(),
            cash: command.cash.unwrap_or(false),
            amount: command.amount,
            left: Amount::ZERO,
            products: command.products.clone().unwrap_or_default(),
            minimum,
            valid,
        };
        let lot = coupon.lot();
        if !coupon.cash {
            self.cut_tabs(number, coupon.valid, journal)?;
        }
        self.record(journal, CouponOpened { wallet: number, coupon })?;
        let amount = command.amount;
        self.record(journal, Moved::of(number, lot, amount, Cause::Grant))?;
        self.write_off(number, journal)
    }

    /// Cuts the open tabs of a wallet where a new coupon begins or ends. Everything on them was used
    /// before now, so an edge that lies ahead divides nothing; one that lies behind cannot be drawn any
    /// more, and such a tab is not in the coupon's scope.
    fn cut_tabs(
        &mut self,
        number: WalletNumber,
        valid: Window,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let cycles =
            self.wallet(number).map(|wallet| wallet.open_cycles.clone()).unwrap_or_default();
        let ahead = Minute::from_number(self.clock.now().minute().number().saturating_add(1));
        for account in cycles.iter().flat_map(|cycle| cycle.accounts.iter().copied()) {
            let tabs =
                self.account(account).map(|account| account.tabs.clone()).unwrap_or_default();
            for (tab, place) in tabs.iter().zip(0u32..).filter(|(tab, _)| tab.wallet == number) {
                let edges = [valid.from, valid.until].into_iter();
                let inside = edges.filter(|edge| tab.used.from < *edge && *edge < tab.used.until);
                let cut =
                    inside.map(|edge| edge.max(ahead)).min().filter(|cut| *cut < tab.used.until);
                if let Some(until) = cut {
                    self.record(journal, TabCut { account, tab: place, until })?;
                }
            }
        }
        Ok(())
    }

    /// What the coupons of a wallet pay of a bill that is being issued. `spent` is what the month's
    /// bills in question have come to, this one included.
    pub(super) fn coupons_for(
        &self,
        wallet: &Wallet,
        bill: &Bill,
        parts: &Parts,
        precision: Precision,
    ) -> Result<Vec<CouponPayment>, Overflow> {
        let mut payments = Vec::new();
        if wallet.coupons.is_empty() || !bill.amount.is_positive() {
            return Ok(payments);
        }
        let product = bill.product.and_then(|product| self.book.product(product));
        let mut usable: Vec<&Coupon> = wallet
            .coupons
            .iter()
            .filter(|coupon| !coupon.cash && coupon.left.is_positive() && coupon.in_scope(product))
            .collect();
        usable.sort_by(|a, b| a.rank().cmp(&b.rank()));
        let mut owed = bill.owed();
        let mut open = parts.clone();
        open.sort_by_key(|(used, _)| used.from);
        for coupon in usable {
            if !owed.is_positive() {
                break;
            }
            if self.spent_in_scope(wallet, bill, coupon)? < coupon.minimum {
                continue;
            }
            let eligible = match eligible(coupon, &open, parts.len())? {
                None => owed,
                Some(some) if precision == Precision::Exact => some,
                Some(some) => some.rounded_down(wallet.currency)?,
            };
            let amount = coupon.left.min(owed).min(eligible);
            if !amount.is_positive() {
                continue;
            }
            cover(&mut open, coupon, amount)?;
            owed = owed.minus(amount)?;
            payments.push(CouponPayment { coupon: coupon.coupon.clone(), amount });
        }
        Ok(payments)
    }

    fn spent_in_scope(
        &self,
        wallet: &Wallet,
        bill: &Bill,
        coupon: &Coupon,
    ) -> Result<Amount, Overflow> {
        let in_scope = |product: Option<ProductNumber>| {
            coupon.in_scope(product.and_then(|product| self.book.product(product)))
        };
        let spent = wallet
            .spent
            .iter()
            .filter(|spent| spent.month == bill.month && in_scope(spent.product));
        Amount::sum(spent.map(|spent| spent.amount))
    }

    /// Pays an issued bill from coupons.
    pub(super) fn pay_with_coupons(
        &mut self,
        payer: WalletNumber,
        bill: &Bill,
        parts: &Parts,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(payer) else { return Ok(()) };
        for payment in self.coupons_for(wallet, bill, parts, Precision::Payable)? {
            let lot = CouponLot { coupon: payment.coupon }.into();
            self.pay(payer, bill.number, lot, payment.amount, journal)?;
        }
        Ok(())
    }
}

/// A part counts for a coupon when it lies wholly within its validity: tabs are cut where a coupon
/// begins or ends, so a part is divided only by a coupon that was granted after it began.
fn within(part: Window, valid: Window) -> bool {
    valid.from <= part.from && part.until <= valid.until
}

/// The charges that a coupon may pay and no other has; none if it may pay every charge of the bill, and
/// so what rounding adds as well.
fn eligible(coupon: &Coupon, open: &Parts, parts: usize) -> Result<Option<Amount>, Overflow> {
    let inside = open.iter().filter(|(used, _)| within(*used, coupon.valid));
    if inside.clone().count() == parts {
        return Ok(None);
    }
    Amount::sum(inside.map(|(_, exact)| *exact)).map(Some)
}

/// Takes what a coupon pays from the charges it covers, the earliest use first, which leaves most to
/// the coupons that expire later.
fn cover(open: &mut Parts, coupon: &Coupon, mut amount: Amount) -> Result<(), Overflow> {
    for (used, exact) in open.iter_mut() {
        if within(*used, coupon.valid) && exact.is_positive() {
            let taken = amount.min(*exact);
            *exact = exact.minus(taken)?;
            amount = amount.minus(taken)?;
        }
    }
    Ok(())
}
