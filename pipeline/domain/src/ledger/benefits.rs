//! Benefits: usage that is paid for beforehand (R9.8). Buying one is an order; what it covers stands in
//! `coverage`, with whom it is shared in `sharing`.

use super::fact::{BenefitBought, BenefitEnded, Journal};
use super::orders::Purchase;
use super::sharing::{Sharing, SharingRule};
use super::state::{AccountNumber, Coupon, ProductNumber, Wallet, WalletNumber};
use super::{Broken, Ledger, Undecided};
use crate::commands::{BenefitKind, BuyBenefit};
use crate::ids::{AccountId, BenefitId, CouponId, MeterId, OrganisationId, ProductId, WalletId};
use crate::money::Amount;
use crate::rating::{Aggregate, MeterNumber};
use crate::record;
use crate::refusal::Refusal;
use crate::time::{Timestamp, Window};

record! {
    /// A benefit that was bought.
    pub struct Benefit {
        pub benefit: BenefitId,
        pub kind: BenefitKind,
        pub product: ProductNumber,
        /// None: every meter of the product.
        pub meter: Option<MeterNumber>,
        /// What there is to draw on: of a storage package in all, else in each hour of use.
        pub amount: Amount,
        /// The fraction by which a savings plan lowers prices.
        pub discount: Amount,
        pub price: Amount,
        pub valid: Window,
        /// What it has covered.
        pub covered: Amount,
        /// What was drawn on it for that: quantity, or money of a savings plan.
        pub drawn: Amount,
        pub sharing: Sharing,
    }
}

record! {
    /// The benefits of a wallet.
    pub struct Benefits {
        /// In the order in which they were bought.
        pub bought: Vec<Benefit>,
        /// With whom new ones are shared.
        pub rule: SharingRule,
    }
}

record! {
    /// The view `benefits`.
    pub struct BenefitsRow {
        pub billing_account: WalletId,
        /// The accounts that everything new is shared with.
        pub rule_accounts: Vec<AccountId>,
        /// The organisation that everything new is shared with.
        pub rule_organisation: Option<OrganisationId>,
        /// In the order in which they were bought.
        pub benefits: Vec<BenefitRow>,
        /// Coupons that are shared.
        pub shared_coupons: Vec<SharedCouponRow>,
    }
}

record! {
    /// A coupon that is shared.
    pub struct SharedCouponRow {
        pub coupon: CouponId,
        pub left: Amount,
        pub valid_until: Timestamp,
        /// The accounts that it is shared with, members of organisations included.
        pub accounts: Vec<AccountId>,
        pub organisations: Vec<OrganisationId>,
    }
}

record! {
    /// A benefit, as the view `benefits` shows it.
    pub struct BenefitRow {
        pub billing_account: WalletId,
        pub benefit: BenefitId,
        pub kind: BenefitKind,
        pub product: ProductId,
        /// None: every meter of the product.
        pub meter: Option<MeterId>,
        /// What a storage package covers in all, and a reserved instance in each hour of use.
        pub quantity: Option<Amount>,
        /// What a savings plan has to spend in each hour of use.
        pub commitment: Option<Amount>,
        pub discount: Option<Amount>,
        pub price: Amount,
        pub valid_from: Timestamp,
        pub valid_until: Timestamp,
        /// What it has covered so far.
        pub covered: Amount,
        /// What that has drawn on it: quantity, or money of a savings plan.
        pub drawn: Amount,
        /// What of a storage package is left; of the others, what is left in this hour.
        pub left: Amount,
        /// The accounts that it is shared with, members of organisations included.
        pub accounts: Vec<AccountId>,
        pub organisations: Vec<OrganisationId>,
    }
}

/// What a benefit gives has fewer digits before the point than this (R1.5, R2.1).
const AMOUNT_LIMIT: Amount = Amount::whole(1_000_000_000_000_000);

impl Benefit {
    /// Whether it covers usage of a meter at all.
    pub(super) fn is_for(&self, product: ProductNumber, meter: MeterNumber) -> bool {
        self.product == product && self.meter.is_none_or(|own| own == meter)
    }

    /// Whether it can be drawn on anew in each hour of use.
    pub(super) fn is_hourly(&self) -> bool {
        match self.kind {
            BenefitKind::StoragePackage => false,
            BenefitKind::ReservedInstance | BenefitKind::SavingsPlan => true,
        }
    }
}

impl Wallet {
    /// The benefits that were bought for it.
    pub fn bought(&self) -> &[Benefit] {
        self.benefits.as_deref().map(|benefits| benefits.bought.as_slice()).unwrap_or_default()
    }

    pub(super) fn benefit(&self, id: &BenefitId) -> Option<&Benefit> {
        self.bought().iter().find(|known| known.benefit == *id)
    }

    pub(super) fn benefit_mut(&mut self, id: &BenefitId) -> Option<&mut Benefit> {
        self.benefits.as_deref_mut()?.bought.iter_mut().find(|known| known.benefit == *id)
    }

    /// A coupon that can be shared like a benefit.
    pub(super) fn shareable_coupon(&self, id: &BenefitId) -> Option<&Coupon> {
        self.coupons.iter().find(|known| !known.cash && id.is_called(known.coupon.as_str()))
    }

    pub(super) fn benefits_mut(&mut self) -> &mut Benefits {
        self.benefits.get_or_insert_with(|| {
            Box::new(Benefits { bought: Vec::new(), rule: SharingRule::default() })
        })
    }
}

impl Ledger {
    pub(super) fn buy_benefit(
        &mut self,
        command: &BuyBenefit,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.wallet_of(&command.billing_account)?;
        let id = &command.benefit;
        let taken = wallet.has_order(&id.order())
            || wallet.coupons.iter().any(|coupon| id.is_called(coupon.coupon.as_str()));
        if taken {
            return Err(Refusal::AlreadyExists.into());
        }
        let benefit = self.benefit_asked(command)?;
        let money = benefit.kind == BenefitKind::SavingsPlan;
        let fits = |amount: Amount| amount.is_positive() && amount.is_payable(wallet.currency);
        if !fits(command.price)
            || !benefit.amount.is_positive()
            || benefit.amount >= AMOUNT_LIMIT
            || benefit.discount.is_negative()
            || benefit.discount >= Amount::whole(1)
        {
            return Err(Refusal::InvalidAmount.into());
        }
        if benefit.valid.until <= self.clock.now().minute() {
            return Err(Refusal::InThePast.into());
        }
        let named = self.sharing_asked(
            wallet,
            command.accounts.as_deref().unwrap_or_default(),
            command.organisation.as_ref(),
            money,
        )?;
        let sharing = self.sharing_of_new(wallet).joined(named);
        self.within_most(wallet.enterprise, &sharing)?;
        let (owner, valid) = (wallet.owner, benefit.valid);
        let purchase = Purchase {
            order: id.order(),
            amount: command.price,
            account: owner,
            product: Some(benefit.product),
        };
        let order = self.order_of(number, purchase)?;

        self.buy(number, order, journal)?;
        self.record(journal, BenefitBought { wallet: number, benefit })?;
        self.share(number, id, sharing, valid, journal)
    }

    /// The benefit that somebody wants to buy, shared with nobody yet.
    fn benefit_asked(&self, command: &BuyBenefit) -> Result<Benefit, Refusal> {
        let BuyBenefit { kind, quantity, commitment, discount, .. } = *command;
        let valid = Window {
            from: command.valid_from.full_minute(),
            until: command.valid_until.full_minute(),
        };
        if valid.until <= valid.from {
            return Err(Refusal::Malformed);
        }
        let amount = match (kind, quantity, commitment, discount) {
            (BenefitKind::SavingsPlan, None, Some(commitment), _) => commitment,
            (
                BenefitKind::StoragePackage | BenefitKind::ReservedInstance,
                Some(quantity),
                None,
                None,
            ) => quantity,
            _ => return Err(Refusal::Malformed),
        };
        let product = self.book.product_named(&command.product).ok_or(Refusal::NotFound)?;
        let meter = command.meter.as_ref();
        let meter =
            meter.map(|meter| self.book.meter(&command.product, meter).ok_or(Refusal::NotFound));
        let meter = meter.transpose()?;
        // Nobody pays for what can cover nothing.
        let aggregate = meter.and_then(|meter| self.book.aggregate(meter));
        if aggregate.is_some_and(|aggregate| !adds_up(*aggregate)) {
            return Err(Refusal::Malformed);
        }
        Ok(Benefit {
            benefit: command.benefit.clone(),
            kind,
            product,
            meter,
            amount,
            discount: discount.unwrap_or_default(),
            price: command.price,
            valid,
            covered: Amount::ZERO,
            drawn: Amount::ZERO,
            sharing: Sharing::default(),
        })
    }

    /// A benefit whose order was given back covers no later usage.
    pub(super) fn end_benefit(
        &mut self,
        number: WalletNumber,
        id: BenefitId,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let until = self.clock.now().full_minute();
        let known = self.wallet(number).and_then(|wallet| wallet.benefit(&id));
        if known.is_some_and(|known| known.valid.until > until) {
            self.record(journal, BenefitEnded { wallet: number, benefit: id, until })?;
        }
        Ok(())
    }

    pub(super) fn apply_benefit(
        &mut self,
        BenefitBought { wallet: number, benefit }: &BenefitBought,
    ) -> Result<(), Broken> {
        if let Some(wallet) = self.wallet_mut(*number)? {
            wallet.benefits_mut().bought.push(benefit.clone());
            self.holders.insert(*number);
        }
        Ok(())
    }

    pub(super) fn apply_benefit_end(
        &mut self,
        BenefitEnded { wallet, benefit, until }: &BenefitEnded,
    ) -> Result<(), Broken> {
        if let Some(wallet) = self.wallet_mut(*wallet)? {
            let known = wallet.benefit_mut(benefit).ok_or(Broken("an unknown benefit"))?;
            known.valid.until = *until;
        }
        Ok(())
    }

    /// The view `benefits`.
    pub fn benefits(&self, number: WalletNumber) -> Option<BenefitsRow> {
        let wallet = self.wallet(number)?;
        let rows =
            wallet.bought().iter().filter_map(|benefit| self.benefit_row(number, wallet, benefit));
        let rule = wallet.rule();
        let coupons = wallet.coupons.iter().filter_map(|coupon| {
            let sharing = coupon.sharing.as_deref().filter(|sharing| !sharing.is_empty())?;
            let (accounts, organisations) = self.shared_with(wallet, sharing);
            Some(SharedCouponRow {
                coupon: coupon.coupon.clone(),
                left: coupon.left,
                valid_until: coupon.valid.until.starts(),
                accounts,
                organisations,
            })
        });
        Some(BenefitsRow {
            billing_account: wallet.id.clone(),
            rule_accounts: self.names_of(rule.accounts.iter()),
            rule_organisation: rule.organisation,
            benefits: rows.collect(),
            shared_coupons: coupons.collect(),
        })
    }

    fn names_of<'a>(&self, accounts: impl Iterator<Item = &'a AccountNumber>) -> Vec<AccountId> {
        accounts.filter_map(|account| Some(self.account(*account)?.id.clone())).collect()
    }

    fn shared_with(
        &self,
        wallet: &Wallet,
        sharing: &Sharing,
    ) -> (Vec<AccountId>, Vec<OrganisationId>) {
        let reached = self.reach(wallet.enterprise, sharing);
        let organisations = sharing.organisations.iter().map(|it| it.organisation.clone());
        (self.names_of(reached.keys()), organisations.collect())
    }

    fn benefit_row(
        &self,
        number: WalletNumber,
        wallet: &Wallet,
        benefit: &Benefit,
    ) -> Option<BenefitRow> {
        let now = self.clock.now().minute();
        let money = benefit.kind == BenefitKind::SavingsPlan;
        let left = self.left_of(number, benefit, benefit.drawn_from(wallet, now)).ok()?;
        let (accounts, organisations) = self.shared_with(wallet, &benefit.sharing);
        Some(BenefitRow {
            billing_account: wallet.id.clone(),
            benefit: benefit.benefit.clone(),
            kind: benefit.kind,
            product: self.book.product(benefit.product)?.clone(),
            meter: match benefit.meter {
                Some(meter) => Some(self.book.names(meter)?.1.clone()),
                None => None,
            },
            quantity: (!money).then_some(benefit.amount),
            commitment: money.then_some(benefit.amount),
            discount: money.then_some(benefit.discount),
            price: benefit.price,
            valid_from: benefit.valid.from.starts(),
            valid_until: benefit.valid.until.starts(),
            covered: benefit.covered,
            drawn: benefit.drawn,
            left,
            accounts,
            organisations,
        })
    }
}

/// Whether a month's quantity is the sum of what its records add, so that part of it can be covered.
pub(super) fn adds_up(aggregate: Aggregate) -> bool {
    match aggregate {
        Aggregate::Sum | Aggregate::Count => true,
        Aggregate::Max | Aggregate::Last | Aggregate::Unique => false,
    }
}

#[cfg(test)]
#[path = "benefits_tests.rs"]
mod tests;
