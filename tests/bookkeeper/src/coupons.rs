//! Coupons (R5.2): which pay, in which order, and how much of what.

use crate::BookKeeper;
use crate::bills::PaidBy;
use crate::calendar::full_minute_from;
use crate::exact::Exact;
use crate::fields::{Fields, MALFORMED, Refusal};
use crate::ledger::{Lot, Place};
use crate::passing::Due;
use crate::sharing::Sharing;
use crate::wallet::{OpenCycle, Wallet};
use std::collections::{BTreeMap, BTreeSet};

/// A coupon or a cash coupon.
#[derive(Clone, Debug)]
pub struct Coupon {
    pub left: Exact,
    pub cash: bool,
    /// The products it can pay; none named means all.
    products: BTreeSet<String>,
    minimum: Exact,
    valid_from: i64,
    pub valid_until: i64,
    /// With whom it is shared (R9.7).
    pub sharing: Sharing,
}

impl Coupon {
    /// Whether it has begun and not expired at this instant.
    pub fn is_valid_at(&self, time: i64) -> bool {
        self.valid_from <= time && time < self.valid_until
    }

    /// Where it begins and where it ends.
    pub fn ends(&self) -> [i64; 2] {
        [self.valid_from, self.valid_until]
    }

    pub fn has_expired(&self, dated: i64) -> bool {
        self.valid_until <= dated
    }

    /// Whether it can pay this product in a month that came to this much by product (R5.2).
    pub fn is_in_scope(&self, product: &str, month: Option<&BTreeMap<String, Exact>>) -> bool {
        let covers = |product: &str| self.products.is_empty() || self.products.contains(product);
        let charges: Exact = month
            .into_iter()
            .flatten()
            .filter(|(product, _)| covers(product))
            .map(|(_, amount)| amount)
            .sum();
        covers(product) && charges >= self.minimum
    }
}

/// Something coupons may pay: a bill at its issue, or what a bill would be.
pub struct Payable<'a> {
    pub product: &'a str,
    pub amount: Exact,
    /// The charges in it, by time of use.
    pub by_time: &'a BTreeMap<i64, Exact>,
    /// The places of the minor unit when it is a bill; none for exact charges not yet billed.
    pub places: Option<u32>,
}

/// What each coupon pays: soonest expiry first, then the smallest remainder, then id. A coupon pays at most the
/// charges whose time of use lies in its validity and that no coupon before it has paid. When it is valid for every
/// charge of a bill it may pay all of the bill; when it is valid for some, those are rounded down to the minor unit.
pub fn plan_coupons(
    coupons: &BTreeMap<String, Coupon>,
    payable: &Payable,
    month: Option<&BTreeMap<String, Exact>>,
) -> Vec<(String, Exact)> {
    let own: Vec<(&String, &Coupon)> = coupons.iter().collect();
    let plan = plan_own_and_shared(&own, &[], "", payable, month);
    plan.into_iter().map(|(_, id, pays)| (id, pays)).collect()
}

/// The same with coupons of others that are shared with this account: own before shared (R5.2, R9.7). A shared coupon
/// serves usage from when the sharing took effect. Each part says whose coupon pays it, if it is not an own one.
fn plan_own_and_shared(
    own: &[(&String, &Coupon)],
    shared: &[(usize, &String, &Coupon)],
    account: &str,
    payable: &Payable,
    month: Option<&BTreeMap<String, Exact>>,
) -> Vec<(Option<usize>, String, Exact)> {
    let own = own.iter().map(|(id, coupon)| (None, *id, *coupon));
    let shared = shared.iter().map(|(holder, id, coupon)| (Some(*holder), *id, *coupon));
    let mut usable: Vec<(Option<usize>, &String, &Coupon)> = own
        .chain(shared)
        .filter(|(_, _, coupon)| {
            !coupon.cash && coupon.left.is_positive() && coupon.is_in_scope(payable.product, month)
        })
        .collect();
    if usable.is_empty() || !payable.amount.is_positive() {
        return Vec::new();
    }
    usable.sort_by_key(|(holder, id, coupon)| {
        (holder.is_some(), coupon.valid_until, coupon.left.clone(), (*id).clone())
    });

    let mut rest = payable.amount.clone();
    let mut charges: Vec<(i64, Exact)> =
        payable.by_time.iter().map(|(time, charge)| (*time, charge.clone())).collect();
    let mut plan = Vec::new();
    for (holder, id, coupon) in usable {
        let is_valid_at = |time: i64| {
            coupon.is_valid_at(time) && (holder.is_none() || coupon.sharing.serves(account, time))
        };
        let valid_for_all = charges.iter().all(|(time, _)| is_valid_at(*time));
        let eligible: Exact =
            charges.iter().filter(|(time, _)| is_valid_at(*time)).map(|(_, charge)| charge).sum();
        let at_most = match (valid_for_all, payable.places) {
            (true, _) => rest.clone(),
            (false, Some(places)) => eligible.at_least_zero().round_down(places).min(rest.clone()),
            (false, None) => eligible.at_least_zero().min(rest.clone()),
        };
        let pays = at_most.min(coupon.left.clone());
        if !pays.is_positive() {
            continue;
        }
        rest -= &pays;
        take_from_earliest(&mut charges, is_valid_at, &pays);
        plan.push((holder, id.clone(), pays));
    }
    plan
}

/// Marks charges as paid by this coupon, earliest use first. Coupons come by expiry, so taking the earliest leaves
/// most to those that follow.
fn take_from_earliest(
    charges: &mut [(i64, Exact)],
    is_valid_at: impl Fn(i64) -> bool,
    pays: &Exact,
) {
    let mut rest = pays.clone();
    for (time, charge) in charges {
        if is_valid_at(*time) && charge.is_positive() {
            let part = rest.clone().min(charge.clone());
            *charge -= &part;
            rest -= &part;
        }
    }
}

/// The exact charges of an open cycle less what coupons would pay of them (R4.2), the coupons being used up on the
/// way. `month` is what the cycle's month came to so far, and then with the bills the cycle would make.
pub fn unsettled_of_cycle(
    wallet: &Wallet,
    cycle: &OpenCycle,
    coupons: &mut BTreeMap<String, Coupon>,
    month: &mut BTreeMap<String, Exact>,
) -> Exact {
    let mut unsettled: Exact = cycle.charges.values().map(|charges| &charges.total).sum();
    if coupons.is_empty() {
        return unsettled;
    }
    for ((account, product), charges) in &cycle.charges {
        let bill = wallet.would_bill(account, product, cycle.month, charges);
        *month.entry(product.clone()).or_default() += &bill;
    }
    for ((_, product), charges) in &cycle.charges {
        let payable = Payable {
            product,
            amount: charges.total.clone(),
            by_time: &charges.by_time,
            places: None,
        };
        for (id, pays) in plan_coupons(coupons, &payable, Some(month)) {
            unsettled -= &pays;
            if let Some(coupon) = coupons.get_mut(&id) {
                coupon.left -= &pays;
            }
        }
    }
    unsettled
}

impl BookKeeper {
    /// The beginning of the hour of use, or of its piece where a coupon of the payer, or one that is shared with the
    /// account, divides it.
    pub(crate) fn piece_of_hour(&self, wallet: usize, account: &str, time: i64) -> i64 {
        let mut begins = self.wallets[wallet].piece_of_hour(time);
        for (holder, other) in self.wallets.iter().enumerate() {
            for coupon in other.coupons.values().filter(|coupon| !coupon.cash) {
                let shares = coupon.sharing.shares.iter().filter(|share| share.account == account);
                for share in shares.filter(|_| holder != wallet) {
                    let ends = coupon.ends().into_iter().chain([share.from, share.until]);
                    begins = ends.filter(|end| *end <= time).fold(begins, i64::max);
                }
            }
        }
        begins
    }

    /// Coupons pay a bill at its issue (R5.2), own ones and then those that are shared with its account (R9.7).
    pub(crate) fn pay_with_coupons(&mut self, bill: usize, by_time: &BTreeMap<i64, Exact>) {
        let issued = &self.bills[bill];
        let wallet = &self.wallets[issued.wallet];
        let payable = Payable {
            product: &issued.product,
            amount: issued.unpaid(),
            by_time,
            places: Some(wallet.currency.places),
        };
        let own: Vec<(&String, &Coupon)> = wallet.coupons.iter().collect();
        let mut shared = Vec::new();
        for (holder, other) in self.wallets.iter().enumerate() {
            if holder != issued.wallet && other.currency == wallet.currency && !other.frozen {
                let all = other.coupons.iter().map(|(id, coupon)| (holder, id, coupon));
                shared.extend(all.filter(|(_, _, coupon)| !coupon.sharing.shares.is_empty()));
            }
        }
        let month = wallet.billed.get(&issued.month);
        let plan = plan_own_and_shared(&own, &shared, &issued.account, &payable, month);
        for (holder, id, pays) in plan {
            let Some(holder) = holder else {
                self.pay_from_lot(bill, &Lot::Coupon(id), &pays, "bill");
                continue;
            };
            let lot = Lot::Coupon(id.clone());
            let to = Place::Bill(bill);
            let remark = format!("bill {}", self.bill_name(bill));
            self.change_asset(holder, &lot, &-&pays, to, "shared", remark.as_str());
            self.mark_paid(bill, PaidBy::Shared(holder, id), &pays);
        }
    }

    pub(crate) fn grant_coupon(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let name = fields.text("billing_account")?;
        let id = fields.new_id("coupon")?.to_string();
        let cash = fields.flag("cash")?.unwrap_or(false);
        let products: BTreeSet<String> = fields.texts("products")?.into_iter().collect();
        let valid_from = full_minute_from(fields.time("valid_from")?);
        let valid_until = fields.time("valid_until")?;
        if valid_until <= valid_from {
            return Err(MALFORMED);
        }
        let wallet = self.direct_wallet(name)?;
        let currency = self.wallets[wallet].currency;
        let amount = fields.amount("amount", currency)?;
        let minimum = match fields.has("minimum") {
            true => fields.amount_or_zero("minimum", currency)?,
            false => Exact::zero(),
        };
        if self.wallets[wallet].coupons.contains_key(&id) {
            return Err("already_exists");
        }
        let mut sharing = Sharing::default();
        if !cash {
            self.share_by_rule(wallet, true, &mut sharing);
        }
        let left = Exact::zero();
        let coupon = Coupon { left, cash, products, minimum, valid_from, valid_until, sharing };
        self.wallets[wallet].coupons.insert(id.clone(), coupon);
        let lot = if cash { Lot::CashCoupon(id) } else { Lot::Coupon(id) };
        self.change_asset(wallet, &lot, &amount, Place::World, "grant", "");
        if cash && valid_from > self.now {
            self.falls_due(valid_from, Due::CashCouponBegins { wallet });
        }
        self.write_off(wallet);
        Ok(())
    }
}
