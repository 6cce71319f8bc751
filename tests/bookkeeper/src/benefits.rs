//! Benefits: quantities and prices bought beforehand, own and shared (R9.7, R9.8).

use crate::BookKeeper;
use crate::calendar::{MINUTE, full_minute_from, hour_of};
use crate::exact::Exact;
use crate::fields::{Fields, INVALID_AMOUNT, MALFORMED, NOT_FOUND, Refusal};
use crate::hours::Portion;
use crate::membership::Membership;
use crate::plans::Renewal;
use crate::price_book::Model;
use crate::rating::{MonthQuantity, price_of};
use crate::rights::Right;
use crate::sharing::{SHARED_AT_MOST, Sharing};
use crate::usage::{Judged, Usage};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    StoragePackage,
    ReservedInstance,
    SavingsPlan,
}

#[derive(Clone, Debug)]
pub struct Benefit {
    pub wallet: usize,
    pub name: String,
    kind: Kind,
    product: String,
    /// Without one it is for every meter of its product.
    meter: Option<String>,
    /// The quantity in all or for each hour, or what is committed for each hour.
    size: Exact,
    discount: Exact,
    valid_from: i64,
    pub valid_until: i64,
    /// From when on its holder has his money back.
    pub given_up_from: Option<i64>,
    /// What it has covered, and what that has drawn on it: quantity, or money of a plan.
    pub covered: Exact,
    pub drawn: Exact,
    /// What was used of each hour.
    used: BTreeMap<i64, Exact>,
    pub sharing: Sharing,
}

/// With whom every new benefit is shared.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    accounts: BTreeSet<String>,
    organisations: BTreeSet<String>,
}

impl Benefit {
    fn is_valid_at(&self, time: i64) -> bool {
        self.valid_from <= time
            && time < self.valid_until
            && self.given_up_from.is_none_or(|from| time < from)
    }

    /// What is left for usage in this hour.
    pub fn left(&self, hour: i64) -> Exact {
        match self.kind {
            Kind::StoragePackage => &self.size - &self.covered,
            _ => &self.size - &self.used.get(&hour).cloned().unwrap_or_default(),
        }
    }

    pub fn use_up(&mut self, hour: i64, covered: &Exact, drawn: &Exact) {
        let used = if self.kind == Kind::SavingsPlan { drawn } else { covered };
        self.covered += covered;
        self.drawn += used;
        *self.used.entry(hour).or_default() += used;
    }
}

impl BookKeeper {
    /// Buying is an order by the benefit's name, whose product is the benefit's.
    pub(crate) fn buy_benefit(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let name = fields.new_id("benefit")?.to_string();
        let kind = match fields.text("kind")? {
            "storage_package" => Kind::StoragePackage,
            "reserved_instance" => Kind::ReservedInstance,
            "savings_plan" => Kind::SavingsPlan,
            _ => return Err(MALFORMED),
        };
        let product = fields.text("product")?.to_string();
        let meter = fields.optional_text("meter")?.map(str::to_string);
        let (has_quantity, has_commitment) = (fields.has("quantity"), fields.has("commitment"));
        let is_plan = kind == Kind::SavingsPlan;
        let valid_from = full_minute_from(fields.time("valid_from")?);
        let valid_until = fields.time("valid_until")?;
        let (accounts, organisation) = self.named(fields)?;
        let wallet = self.asked_wallet(wallet_name, Right::Pay)?;
        self.not_frozen(wallet)?;
        let taken = self.orders.contains_key(&(wallet, name.clone()))
            || self.benefit(wallet, &name).is_some()
            || self.wallets[wallet].coupons.contains_key(&name);
        if taken {
            return Err("already_exists");
        }
        if has_commitment != is_plan
            || has_quantity == is_plan
            || fields.has("discount") && !is_plan
            || valid_until <= valid_from
        {
            return Err(MALFORMED);
        }
        self.has_quantity_in_parts(&product, meter.as_deref())?;
        let size = decimal(fields, if is_plan { "commitment" } else { "quantity" })?;
        if !size.is_positive() {
            return Err(INVALID_AMOUNT);
        }
        let discount = match fields.has("discount") {
            true => decimal(fields, "discount")?,
            false => Exact::zero(),
        };
        if discount.is_negative() || discount >= Exact::whole(1) {
            return Err(INVALID_AMOUNT);
        }
        let price = fields.amount("price", self.wallets[wallet].currency)?;
        if valid_until <= self.now {
            return Err("in_the_past");
        }
        let mut benefit = Benefit {
            wallet,
            name: name.clone(),
            kind,
            product: product.clone(),
            meter,
            size,
            discount,
            valid_from,
            valid_until,
            given_up_from: None,
            covered: Exact::zero(),
            drawn: Exact::zero(),
            used: BTreeMap::new(),
            sharing: Sharing::default(),
        };
        let is_money = kind == Kind::SavingsPlan;
        let sharing = &mut benefit.sharing;
        if !accounts.is_empty() || organisation.is_some() {
            self.share(wallet, is_money, sharing, &accounts, organisation.as_deref())?;
        }
        self.share_by_rule(wallet, is_money, sharing);
        if sharing.with(self.now).len() > SHARED_AT_MOST {
            return Err("too_many_accounts");
        }
        let owner = self.wallets[wallet].owner.clone();
        self.buy(wallet, name, owner, product, price, None, Renewal::None)?;
        self.benefits.push(benefit);
        Ok(())
    }

    /// A meter whose quantity is a sum, or, without a meter, a product that stands in the price book.
    fn has_quantity_in_parts(&self, product: &str, meter: Option<&str>) -> Result<(), Refusal> {
        let Some(meter) = meter else {
            return if self.prices.has_product(product) { Ok(()) } else { Err(NOT_FOUND) };
        };
        let prices = self.prices.of_meter(product, meter).ok_or(NOT_FOUND)?;
        let has_parts = |price: &usize| self.prices.price(*price).aggregate.has_parts();
        if prices.iter().all(has_parts) { Ok(()) } else { Err(MALFORMED) }
    }

    /// The accounts and the organisation that a command names. Accounts that are nowhere are refused first.
    fn named(&self, fields: &Fields) -> Result<(Vec<String>, Option<String>), Refusal> {
        let organisation = fields.optional_text("organisation")?.map(str::to_string);
        let accounts = fields.texts("accounts")?;
        if accounts.len() <= SHARED_AT_MOST {
            for account in &accounts {
                self.account(account)?;
            }
        }
        Ok((accounts, organisation))
    }

    fn benefit(&self, wallet: usize, name: &str) -> Option<usize> {
        self.benefits.iter().position(|benefit| benefit.wallet == wallet && benefit.name == name)
    }

    /// A wallet that something valid is left in (R4.5).
    pub(crate) fn has_a_valid_benefit(&self, wallet: usize) -> bool {
        self.benefits.iter().any(|benefit| {
            benefit.wallet == wallet
                && benefit.valid_until > self.dated
                && benefit.given_up_from.is_none_or(|from| from > self.dated)
        })
    }

    /// Who has all his money back has no benefit from the next full minute on.
    pub(crate) fn give_up_benefit(&mut self, wallet: usize, order: &str) {
        let from = full_minute_from(self.now);
        if let Some(position) = self.benefit(wallet, order) {
            self.benefits[position].given_up_from.get_or_insert(from);
        }
    }

    fn can_share(&self, wallet: usize, account: &str, is_money: bool) -> Result<(), Refusal> {
        let holder = &self.wallets[wallet];
        let other = self.account(account)?;
        if !self.is_with(wallet, account) || !self.is_active(account) {
            return Err("different_enterprise");
        }
        if other.closed_at.is_some() {
            return Err("account_closed");
        }
        // Only what is money has a currency.
        if is_money && self.wallets[other.payer_at(self.now)].currency != holder.currency {
            return Err("currency_mismatch");
        }
        Ok(())
    }

    /// A rule shares what is new a minute after it was bought.
    pub(crate) fn share_by_rule(&self, wallet: usize, is_money: bool, sharing: &mut Sharing) {
        let from = full_minute_from(self.now.saturating_add(MINUTE));
        let Some(rule) = self.rules.get(&wallet) else { return };
        for account in &rule.accounts {
            if self.can_share(wallet, account, is_money).is_ok() {
                sharing.add(account, None, from);
            }
        }
        for organisation in &rule.organisations {
            self.share_with_organisation(wallet, sharing, organisation, from);
        }
    }

    /// Named accounts share at once, an organisation after a minute.
    fn share(
        &self,
        wallet: usize,
        is_money: bool,
        sharing: &mut Sharing,
        accounts: &[String],
        organisation: Option<&str>,
    ) -> Result<(), Refusal> {
        if accounts.len() > SHARED_AT_MOST {
            return Err("too_many_accounts");
        }
        if let Some(organisation) = organisation {
            self.members_of(wallet, organisation).ok_or(NOT_FOUND)?;
        }
        // Each reason is looked for in all of them before the next one.
        for reason in ["different_enterprise", "account_closed", "currency_mismatch"] {
            let refused = |account: &String| self.can_share(wallet, account, is_money);
            if accounts.iter().any(|account| refused(account) == Err(reason)) {
                return Err(reason);
            }
        }
        let now = full_minute_from(self.now);
        for account in accounts {
            sharing.add(account, None, now);
        }
        if let Some(organisation) = organisation {
            let from = full_minute_from(self.now.saturating_add(MINUTE));
            self.share_with_organisation(wallet, sharing, organisation, from);
        }
        if sharing.with(now).len() > SHARED_AT_MOST {
            return Err("too_many_accounts");
        }
        Ok(())
    }

    fn members_of(&self, wallet: usize, organisation: &str) -> Option<&BTreeSet<String>> {
        let enterprise = self.wallets[wallet].enterprise.clone();
        self.organisations.get(&(enterprise, organisation.to_string()))
    }

    fn share_with_organisation(
        &self,
        wallet: usize,
        sharing: &mut Sharing,
        organisation: &str,
        from: i64,
    ) {
        sharing.organisations.insert(organisation.to_string());
        for account in self.members_of(wallet, organisation).into_iter().flatten() {
            sharing.add(account, Some(organisation), from);
        }
    }

    /// How a benefit or a coupon of this name is shared, and whether it is money. A cash coupon is cash.
    fn sharing(&mut self, wallet: usize, name: &str) -> Option<(&mut Sharing, bool)> {
        if let Some(position) = self.benefit(wallet, name) {
            let benefit = &mut self.benefits[position];
            let is_money = benefit.kind == Kind::SavingsPlan;
            return Some((&mut benefit.sharing, is_money));
        }
        let coupon = self.wallets[wallet].coupons.get_mut(name)?;
        if coupon.cash { None } else { Some((&mut coupon.sharing, true)) }
    }

    pub(crate) fn share_benefit(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let name = fields.text("benefit")?;
        let (accounts, organisation) = self.named(fields)?;
        let wallet_name = fields.text("billing_account")?;
        let wallet = self.asked_wallet(wallet_name, Right::Pay)?;
        self.not_frozen(wallet)?;
        if accounts.is_empty() && organisation.is_none() {
            return Err(MALFORMED);
        }
        let (sharing, is_money) = self.sharing(wallet, name).ok_or(NOT_FOUND)?;
        let mut new = sharing.clone();
        self.share(wallet, is_money, &mut new, &accounts, organisation.as_deref())?;
        if let Some((sharing, _)) = self.sharing(wallet, name) {
            *sharing = new;
        }
        Ok(())
    }

    /// From the next full minute on. Naming nobody ends all sharing.
    pub(crate) fn unshare_benefit(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let name = fields.text("benefit")?;
        let (accounts, organisation) = self.named(fields)?;
        let wallet = self.asked_wallet(fields.text("billing_account")?, Right::Pay)?;
        let from = full_minute_from(self.now);
        let (sharing, _) = self.sharing(wallet, name).ok_or(NOT_FOUND)?;
        if accounts.iter().any(|account| !sharing.is_by_name(account, from))
            || organisation.iter().any(|name| !sharing.organisations.contains(name))
        {
            return Err(NOT_FOUND);
        }
        if accounts.is_empty() && organisation.is_none() {
            sharing.organisations.clear();
            sharing.end(from, |_| true);
        }
        sharing
            .end(from, |share| share.organisation.is_none() && accounts.contains(&share.account));
        if let Some(organisation) = organisation {
            sharing.organisations.remove(&organisation);
            sharing.end(from, |share| share.organisation.as_ref() == Some(&organisation));
        }
        Ok(())
    }

    pub(crate) fn set_sharing_rule(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let (accounts, organisation) = self.named(fields)?;
        let wallet = self.asked_wallet(fields.text("billing_account")?, Right::Pay)?;
        if accounts.len() > SHARED_AT_MOST {
            return Err("too_many_accounts");
        }
        if let Some(organisation) = &organisation {
            self.members_of(wallet, organisation).ok_or(NOT_FOUND)?;
        }
        for account in &accounts {
            self.can_share(wallet, account, false)?;
        }
        let accounts: BTreeSet<String> = accounts.into_iter().collect();
        let organisations: BTreeSet<String> = organisation.into_iter().collect();
        let mut all = accounts.clone();
        for organisation in &organisations {
            all.extend(self.members_of(wallet, organisation).into_iter().flatten().cloned());
        }
        if all.len() > SHARED_AT_MOST {
            return Err("too_many_accounts");
        }
        self.rules.insert(wallet, Rule { accounts, organisations });
        Ok(())
    }

    /// Who joins is served a minute later, who leaves no longer from the next full minute on.
    pub(crate) fn set_organisation(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let enterprise = fields.text("enterprise")?.to_string();
        let name = fields.new_id("organisation")?.to_string();
        self.enterprise(&enterprise)?;
        let (accounts, _) = self.named(fields)?;
        self.may_govern(&enterprise)?;
        if accounts.len() > SHARED_AT_MOST {
            return Err("too_many_accounts");
        }
        for account in &accounts {
            let known = self.account(account)?;
            if known.enterprise != enterprise || known.membership != Membership::Active {
                return Err("different_enterprise");
            }
            if self.account(account)?.closed_at.is_some() {
                return Err("account_closed");
            }
        }
        let members: BTreeSet<String> = accounts.into_iter().collect();
        let (leaves, joins) =
            (full_minute_from(self.now), full_minute_from(self.now.saturating_add(MINUTE)));
        let is_in = |wallet: usize| self.wallets[wallet].enterprise == enterprise;
        let all = self.benefits.iter().map(|benefit| (benefit.wallet, &benefit.sharing));
        let coupons = self.wallets.iter().enumerate().flat_map(|(number, wallet)| {
            wallet.coupons.values().map(move |coupon| (number, &coupon.sharing))
        });
        for (wallet, sharing) in all.chain(coupons) {
            let mut new = sharing.clone();
            new.set_members(&name, &members, leaves, joins);
            if is_in(wallet) && new.with(leaves).len() > SHARED_AT_MOST {
                return Err("too_many_accounts");
            }
        }
        let wallets: Vec<bool> = (0..self.wallets.len()).map(is_in).collect();
        for benefit in self.benefits.iter_mut().filter(|benefit| wallets[benefit.wallet]) {
            benefit.sharing.set_members(&name, &members, leaves, joins);
        }
        for (_, wallet) in
            self.wallets.iter_mut().enumerate().filter(|(number, _)| wallets[*number])
        {
            for coupon in wallet.coupons.values_mut() {
                coupon.sharing.set_members(&name, &members, leaves, joins);
            }
        }
        if members.is_empty() {
            self.organisations.remove(&(enterprise, name));
        } else {
            self.organisations.insert((enterprise, name), members);
        }
        Ok(())
    }

    /// Who leaves the enterprise is out of its organisations, rules and shares, and what he shared ends.
    pub(crate) fn end_sharing_of(&mut self, leaves: &str, own: usize, enterprise: &str, from: i64) {
        for ((of, _), members) in &mut self.organisations {
            if of == enterprise {
                members.remove(leaves);
            }
        }
        self.organisations.retain(|_, members| !members.is_empty());
        for rule in self.rules.values_mut() {
            rule.accounts.remove(leaves);
        }
        self.rules.remove(&own);
        let benefits = self.benefits.iter_mut().map(|all| (all.wallet, &mut all.sharing));
        let coupons = self.wallets.iter_mut().enumerate().flat_map(|(number, wallet)| {
            wallet.coupons.values_mut().map(move |coupon| (number, &mut coupon.sharing))
        });
        for (holder, sharing) in benefits.chain(coupons) {
            if holder == own {
                sharing.organisations.clear();
            }
            sharing.end(from, |share| holder == own || share.account == leaves);
        }
    }

    /// Covers what benefits cover of a record, own before shared, soonest expiry first. Gives what of its quantity
    /// enters the month's quantity, and what covered the rest.
    pub(crate) fn cover(
        &mut self,
        record: &Usage,
        judged: &Judged,
        month: &MonthQuantity,
        quantity: Exact,
    ) -> (Exact, Vec<Portion>) {
        let price = self.prices.price(judged.price);
        let mut portions = Vec::new();
        // A flat fee is for no quantity.
        if matches!(price.model, Model::Flat(_)) {
            return (quantity, portions);
        }
        let mut usable: Vec<(bool, i64, String, usize)> = Vec::new();
        for (position, benefit) in self.benefits.iter().enumerate() {
            let is_meant = benefit.product == record.product
                && benefit.meter.as_ref().is_none_or(|meter| *meter == record.meter);
            let is_own = benefit.wallet == judged.wallet
                || self.wallets[benefit.wallet].owner == record.account;
            let serves = is_own || benefit.sharing.serves(&record.account, judged.time);
            if is_meant && serves && benefit.is_valid_at(judged.time) {
                usable.push((!is_own, benefit.valid_until, benefit.name.clone(), position));
            }
        }
        usable.sort();
        let mut rest = quantity.clone();
        let mut enters = Exact::zero();
        for (_, _, _, position) in usable {
            let benefit = &mut self.benefits[position];
            let hour = hour_of(&self.wallets[benefit.wallet].zone, judged.time);
            let left = benefit.left(hour);
            if benefit.kind != Kind::SavingsPlan {
                let covered = rest.clone().min(left).at_least_zero();
                benefit.use_up(hour, &covered, &Exact::zero());
                rest -= &covered;
                portions.push(Portion { benefit: position, hour, covered, drawn: Exact::zero() });
                continue;
            }
            if matches!(price.model, Model::Package { .. }) {
                continue;
            }
            // What costs nothing enters the quantity and is not covered.
            let entered = &month.quantity + &enters;
            let free = free_part(&price.model, &entered)
                .map_or(rest.clone(), |free| free.min(rest.clone()));
            enters += &free;
            rest -= &free;
            let before = &month.quantity + &enters;
            let costs = &price_of(&price.model, &(&before + &rest), 1)
                - &price_of(&price.model, &before, 1);
            let full = (&Exact::whole(1) - &benefit.discount).times(&costs).round_half_even();
            if !full.is_positive() || !left.is_positive() {
                continue;
            }
            let (covered, drawn) = match full <= left {
                true => (rest.clone(), full),
                false => (rest.part_of(&left, &full), left),
            };
            benefit.use_up(hour, &covered, &drawn);
            rest -= &covered;
            portions.push(Portion { benefit: position, hour, covered, drawn });
        }
        portions.retain(|portion| portion.covered.is_positive());
        (&enters + &rest, portions)
    }
}

/// How much more can be used at no price, from this quantity on; without an end if nothing more costs anything.
fn free_part(model: &Model, from: &Exact) -> Option<Exact> {
    match model {
        Model::PerUnit(price) if price.is_zero() => None,
        Model::Graduated(tiers) | Model::Volume(tiers) => {
            let mut reached = from.clone();
            for tier in tiers {
                let end = tier.up_to.clone();
                if end.as_ref().is_some_and(|end| *end <= reached) {
                    continue;
                }
                if !tier.unit_price.is_zero() || !tier.flat.is_zero() {
                    return Some(&reached - from);
                }
                reached = end?;
            }
            None
        }
        _ => Some(Exact::zero()),
    }
}

/// A decimal of up to twelve places.
fn decimal(fields: &Fields, name: &str) -> Result<Exact, Refusal> {
    let text = fields.optional_text(name).map_err(|_| INVALID_AMOUNT)?;
    text.and_then(Exact::read).map(|(value, _)| value).ok_or(INVALID_AMOUNT)
}
