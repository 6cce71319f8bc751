//! Coupons: granted, in scope or not, and what they would pay of a bill (R5.2).

use smallvec::SmallVec;

use super::fact::{Cause, CouponOpened, Journal, Moved, SharedCouponPaid, TabCut};
use super::payments::paid_bill;
use super::state::{
    AccountNumber, Bill, CashCouponLot, Coupon, CouponLot, Lot, ProductNumber, SharedCouponLot,
    Tab, Wallet, WalletNumber,
};
use super::{Broken, Ledger, Undecided};
use crate::commands::GrantCoupon;
use crate::ids::{BenefitId, CouponId, ProductId, Text};
use crate::money::{Amount, Overflow};
use crate::refusal::Refusal;
use crate::time::{Minute, Month, Window};

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
    pub(super) coupon: CouponId,
    /// Whose it is, if another wallet shares it.
    pub(super) holder: Option<WalletNumber>,
    pub(super) amount: Amount,
}

/// A coupon that may pay a bill, and the minutes of use whose charges it may pay.
struct Usable<'a> {
    coupon: &'a Coupon,
    holder: Option<WalletNumber>,
    valid: Window,
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
    fn own_coupons(&self) -> impl Iterator<Item = Usable<'_>> {
        let own = self.coupons.iter().filter(|coupon| !coupon.cash);
        own.map(|coupon| Usable { coupon, holder: None, valid: coupon.valid })
    }

    /// The minutes around `used` that no coupon's begin or end divides.
    pub(super) fn undivided_by_coupons(&self, used: Minute) -> Window {
        let coupons = self.coupons.iter().filter(|coupon| !coupon.cash);
        coupons.fold(Window::ALWAYS, |window, coupon| window.undivided_by(coupon.valid, used))
    }
}

impl Ledger {
    pub(super) fn grant_coupon(
        &mut self,
        command: &GrantCoupon,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let valid = Window {
            from: command.valid_from.full_minute(),
            until: command.valid_until.full_minute(),
        };
        if valid.until <= valid.from {
            return Err(Refusal::Malformed.into());
        }
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        let minimum = command.minimum.unwrap_or_default();
        if !command.amount.is_positive()
            || !command.amount.is_payable(wallet.currency)
            || minimum.is_negative()
        {
            return Err(Refusal::InvalidAmount.into());
        }
        let id = BenefitId::from(&command.coupon);
        if wallet.coupons.iter().any(|coupon| coupon.coupon == command.coupon)
            || wallet.benefit(&id).is_some()
        {
            return Err(Refusal::AlreadyExists.into());
        }

        let coupon = Coupon {
            coupon: command.coupon.clone(),
            cash: command.cash.unwrap_or(false),
            amount: command.amount,
            left: Amount::ZERO,
            products: command.products.clone().unwrap_or_default(),
            minimum,
            valid,
            sharing: None,
        };
        let (lot, cash) = (coupon.lot(), coupon.cash);
        let sharing = self.sharing_of_new(wallet);
        if !cash {
            self.cut_tabs(number, coupon.valid, journal)?;
        }
        self.record(journal, CouponOpened { wallet: number, coupon })?;
        let amount = command.amount;
        self.record(journal, Moved::of(number, lot, amount, Cause::Grant))?;
        if !cash {
            self.share(number, &id, sharing, valid, journal)?;
        }
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
            self.cut_tabs_of(account, valid, ahead, |tab| tab.wallet == number, journal)?;
        }
        Ok(())
    }

    /// Cuts the open tabs of an account that a coupon concerns, not earlier than `ahead`.
    pub(super) fn cut_tabs_of(
        &mut self,
        account: AccountNumber,
        valid: Window,
        ahead: Minute,
        concerns: impl Fn(&Tab) -> bool,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let tabs = self.account(account).map(|account| account.tabs.clone()).unwrap_or_default();
        for (tab, place) in tabs.iter().zip(0u32..).filter(|(tab, _)| concerns(tab)) {
            let edges = [valid.from, valid.until].into_iter();
            let inside = edges.filter(|edge| tab.used.from < *edge && *edge < tab.used.until);
            let cut = inside.map(|edge| edge.max(ahead)).min().filter(|cut| *cut < tab.used.until);
            if let Some(until) = cut {
                self.record(journal, TabCut { account, tab: place, until })?;
            }
        }
        Ok(())
    }

    /// What the coupons of a wallet itself pay of a bill that is being issued, or would pay. What others share
    /// with it is not counted on: somebody else may use that up before.
    pub(super) fn coupons_for(
        &self,
        wallet: &Wallet,
        bill: &Bill,
        parts: &Parts,
        precision: Precision,
    ) -> Result<Vec<CouponPayment>, Overflow> {
        self.paid_by(wallet.own_coupons().collect(), wallet, bill, parts, precision)
    }

    /// The coupons that other wallets share with the account of a bill. They serve usage only (R9.7).
    fn shared_coupons(&self, payer: WalletNumber, wallet: &Wallet, bill: &Bill) -> Vec<Usable<'_>> {
        let account = self.account(bill.account).filter(|_| bill.order.is_none());
        let served = account.into_iter().flat_map(|account| account.served.iter());
        let shared = served.filter(|it| it.coupon && it.wallet != payer);
        let usable = shared.filter_map(|served| {
            let holder = self.wallet(served.wallet)?;
            let coupon = holder.shareable_coupon(&served.benefit)?;
            let pays = holder.currency == wallet.currency && !holder.is_frozen();
            pays.then_some(Usable { coupon, holder: Some(served.wallet), valid: served.valid })
        });
        usable.collect()
    }

    /// What these coupons pay of a bill of a wallet, own before shared.
    fn paid_by(
        &self,
        mut usable: Vec<Usable<'_>>,
        wallet: &Wallet,
        bill: &Bill,
        parts: &Parts,
        precision: Precision,
    ) -> Result<Vec<CouponPayment>, Overflow> {
        let mut payments: Vec<CouponPayment> = Vec::new();
        if usable.is_empty() || !bill.amount.is_positive() {
            return Ok(payments);
        }
        let product = bill.product.and_then(|product| self.book.product(product));
        usable.retain(|it| it.coupon.left.is_positive() && it.coupon.in_scope(product));
        usable.sort_by(|one, other| one.rank().cmp(&other.rank()));
        let mut owed = bill.owed();
        let mut open = parts.clone();
        open.sort_by_key(|(used, _)| used.from);
        for Usable { coupon, holder, valid } in usable {
            if !owed.is_positive() {
                break;
            }
            if self.spent_in_scope(wallet, bill.month, coupon)? < coupon.minimum {
                continue;
            }
            let eligible = match eligible(valid, &open, parts.len())? {
                None => owed,
                Some(some) if precision == Precision::Exact => some,
                Some(some) => some.rounded_down(wallet.currency)?,
            };
            // One that is shared for several spans of time pays for each.
            let same =
                |paid: &&CouponPayment| (paid.holder, &paid.coupon) == (holder, &coupon.coupon);
            let paid = Amount::sum(payments.iter().filter(same).map(|paid| paid.amount))?;
            let amount = coupon.left.minus(paid)?.min(owed).min(eligible);
            if !amount.is_positive() {
                continue;
            }
            cover(&mut open, valid, amount)?;
            owed = owed.minus(amount)?;
            payments.push(CouponPayment { coupon: coupon.coupon.clone(), holder, amount });
        }
        Ok(payments)
    }

    /// The least charge that could bring a coupon to its minimum. From then on it covers what it did not before, so
    /// that with a charge more is available.
    pub(super) fn left_to_a_minimum(
        &self,
        payer: WalletNumber,
        wallet: &Wallet,
    ) -> Result<Amount, Overflow> {
        let waits = |coupon: &&Coupon| coupon.left.is_positive() && coupon.minimum.is_positive();
        let coupons = wallet.own_coupons().map(|it| it.coupon).filter(waits);
        let coupons: SmallVec<[&Coupon; 2]> = coupons.collect();
        let mut left = Amount::MAX;
        if coupons.is_empty() {
            return Ok(left);
        }
        let (mut rehearsed, mut bills) = (wallet.clone(), 1usize);
        for cycle in &wallet.open_cycles {
            for (bill, _) in self.would_be_billed(payer, cycle.ends)? {
                rehearsed.note_spent(&bill)?;
                bills = bills.saturating_add(1);
            }
        }
        for coupon in coupons {
            // In a month that has only begun.
            left = left.min(coupon.minimum);
            for month in rehearsed.spent.iter().map(|spent| spent.month) {
                let spent = self.spent_in_scope(&rehearsed, month, coupon)?;
                let missing = coupon.minimum.minus(spent)?;
                left = if missing.is_positive() { left.min(missing) } else { left };
            }
        }
        // Each of these bills may be rounded up by less than a minor unit, and further ones to at most twice their
        // charges.
        let rounding = wallet.currency.minor_unit().many(bills)?;
        left.minus(rounding)?.max(Amount::ZERO).share(1, 2)
    }

    /// What the charges of a month in the scope of a coupon come to.
    pub(super) fn spent_in_scope(
        &self,
        wallet: &Wallet,
        month: Month,
        coupon: &Coupon,
    ) -> Result<Amount, Overflow> {
        let in_scope = |product: Option<ProductNumber>| {
            coupon.in_scope(product.and_then(|product| self.book.product(product)))
        };
        let spent =
            wallet.spent.iter().filter(|spent| spent.month == month && in_scope(spent.product));
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
        let shared = self.shared_coupons(payer, wallet, bill);
        let usable = wallet.own_coupons().chain(shared).collect();
        for payment in self.paid_by(usable, wallet, bill, parts, Precision::Payable)? {
            let CouponPayment { coupon, holder, amount } = payment;
            match holder {
                None => {
                    self.pay(payer, bill.number, CouponLot { coupon }.into(), amount, journal)?;
                }
                Some(holder) => {
                    let lot = SharedCouponLot { holder, coupon };
                    self.pay_with_shared(payer, bill, lot, amount, journal)?;
                }
            }
        }
        Ok(())
    }

    fn pay_with_shared(
        &mut self,
        payer: WalletNumber,
        bill: &Bill,
        lot: SharedCouponLot,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        self.move_shared(payer, bill.number, &lot, amount.negated()?, journal)?;
        let paid = paid_bill(bill);
        let paid = SharedCouponPaid { wallet: payer, bill: bill.number, lot, amount, paid };
        self.record(journal, paid)?;
        Ok(())
    }

    /// The entry of a shared coupon's holder: it paid a bill of another wallet, or has that back.
    pub(super) fn move_shared(
        &mut self,
        payer: WalletNumber,
        bill: u64,
        lot: &SharedCouponLot,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let bill = self.wallet(payer).map(|payer| payer.bill_name(bill));
        let remark = bill.map(|bill| Text::fitting(&format!("bill {bill}")));
        let own = CouponLot { coupon: lot.coupon.clone() }.into();
        let moved = Moved::of(lot.holder, own, amount, Cause::Shared);
        self.record(journal, Moved { remark, ..moved })?;
        Ok(())
    }
}

impl Usable<'_> {
    fn rank(&self) -> (bool, (Minute, Amount, &str)) {
        (self.holder.is_some(), self.coupon.rank())
    }
}

/// A part counts for a coupon when it lies wholly within its validity: tabs are cut where a coupon
/// begins or ends, so a part is divided only by a coupon that was granted after it began.
fn within(part: Window, valid: Window) -> bool {
    valid.from <= part.from && part.until <= valid.until
}

/// The charges that a coupon may pay and no other has; none if it may pay every charge of the bill, and
/// so what rounding adds as well.
fn eligible(valid: Window, open: &Parts, parts: usize) -> Result<Option<Amount>, Overflow> {
    let inside = open.iter().filter(|(used, _)| within(*used, valid));
    if inside.clone().count() == parts {
        return Ok(None);
    }
    Amount::sum(inside.map(|(_, exact)| *exact)).map(Some)
}

/// Takes what a coupon pays from the charges it covers, the earliest use first, which leaves most to
/// the coupons that expire later.
fn cover(open: &mut Parts, valid: Window, mut amount: Amount) -> Result<(), Overflow> {
    for (used, exact) in open.iter_mut() {
        if within(*used, valid) && exact.is_positive() {
            let taken = amount.min(*exact);
            *exact = exact.minus(taken)?;
            amount = amount.minus(taken)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "coupons_tests.rs"]
mod tests;
