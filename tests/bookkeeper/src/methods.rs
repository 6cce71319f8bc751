//! Payment methods: linking, preferring and unlinking them (R7.4, R7.5), and the check of a first use (R7.6).

use crate::BookKeeper;
use crate::calendar::{Month, month_of};
use crate::currency::Currency;
use crate::exact::Exact;
use crate::fields::{Fields, MALFORMED, NOT_FOUND, Refusal};
use crate::payments::{MethodPayment, Purpose, Status};
use crate::rights::Right;
use crate::sandbox::Token;
use crate::wallet::Wallet;
use std::collections::BTreeSet;

/// How many links that wait for strong authentication are kept.
const UNFINISHED: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    Card,
    Paypal,
    Alipay,
    Unionpay,
}

impl MethodKind {
    fn read(text: &str) -> Option<MethodKind> {
        match text {
            "card" => Some(MethodKind::Card),
            "paypal" => Some(MethodKind::Paypal),
            "alipay" => Some(MethodKind::Alipay),
            "unionpay" => Some(MethodKind::Unionpay),
            _ => None,
        }
    }

    /// Whether it serves one billing account only (R7.5).
    fn serves_one(self) -> bool {
        matches!(self, MethodKind::Card | MethodKind::Paypal)
    }
}

/// A method that is linked, or a link that waits for strong authentication.
#[derive(Clone, Debug)]
pub struct Method {
    pub name: String,
    pub kind: MethodKind,
    pub token: Token,
    pub brand: Option<String>,
    /// The last month in which a card pays.
    pub expires: Option<Month>,
    /// A check has failed, which makes it inactive for good (R7.6).
    pub failed: bool,
    /// How often it has been charged.
    pub charges: usize,
    /// The products whose first use has been checked (R7.6).
    checked: BTreeSet<String>,
}

impl Wallet {
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// Only an active method pays: a card until the end of its expiry month.
    pub fn is_active(&self, method: &Method, dated: i64) -> bool {
        let this_month = month_of(&self.zone, dated);
        !method.failed && method.expires.is_none_or(|last| this_month <= last)
    }

    /// The active default method, if there is one.
    pub fn paying_method(&self, dated: i64) -> Option<&Method> {
        let preferred = self.method(self.preferred.as_deref()?)?;
        self.is_active(preferred, dated).then_some(preferred)
    }
}

impl BookKeeper {
    pub(crate) fn link_payment_method(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let method = Method {
            name: fields.new_id("method")?.to_string(),
            kind: MethodKind::read(fields.text("kind")?).ok_or(MALFORMED)?,
            token: Token::read(fields.text("token")?).ok_or(MALFORMED)?,
            brand: fields.optional_text("brand")?.map(str::to_string),
            expires: fields
                .optional_text("expires")?
                .map(|text| Month::read(text).ok_or(MALFORMED))
                .transpose()?,
            failed: false,
            charges: 0,
            checked: BTreeSet::new(),
        };
        let wallet = self.asked_wallet(wallet_name, Right::Change)?;
        self.link(wallet, method, false)
    }

    /// Who has proven to the gateway who he is goes on with the link that was refused.
    pub(crate) fn finish_authentication(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let name = fields.text("method")?;
        let wallet = self.asked_wallet(wallet_name, Right::Change)?;
        self.is_free(wallet, name)?;
        self.direct_wallet(wallet_name)?;
        let waits = &self.wallets[wallet].unfinished_links;
        let position = waits.iter().position(|link| link.name == name).ok_or(NOT_FOUND)?;
        let method = self.wallets[wallet].unfinished_links.remove(position);
        self.link(wallet, method, true)
    }

    /// One card or PayPal account serves one billing account; that of a closed one is free after a cool-down (R7.5).
    fn is_free(&self, wallet: usize, name: &str) -> Result<(), Refusal> {
        for (number, other) in self.wallets.iter().enumerate() {
            let is_free = other.deregistered_at.is_some_and(|closed_at| {
                self.now.saturating_sub(closed_at) >= self.settings.cool_down
            });
            let is_linked = other.method(name).is_some_and(|method| method.kind.serves_one());
            if number != wallet && is_linked && !is_free {
                return Err("method_in_use");
            }
        }
        Ok(())
    }

    fn link(&mut self, wallet: usize, method: Method, authenticated: bool) -> Result<(), Refusal> {
        if method.kind.serves_one() {
            self.is_free(wallet, &method.name)?;
        }
        let owner = &self.wallets[wallet];
        self.direct_wallet(&owner.name)?;
        if owner.method(&method.name).is_some() {
            return Err("already_exists");
        }
        let is_taken = |brand: &String| self.settings.card_brands.contains(brand);
        if method.kind == MethodKind::Card && !method.brand.iter().all(is_taken) {
            return Err("method_not_allowed");
        }
        if method.expires.is_some_and(|last| last <= owner.month_of(self.dated)) {
            return Err("card_expired");
        }
        let answer = method.token.link(authenticated);
        self.preauthorise(wallet, &method.name, answer.is_ok());
        if answer == Err("authentication_required") {
            let waits = &mut self.wallets[wallet].unfinished_links;
            waits.retain(|link| link.name != method.name);
            waits.push(method);
            if waits.len() > UNFINISHED {
                waits.remove(0);
            }
            return answer;
        }
        answer?;
        let owner = &mut self.wallets[wallet];
        let name = method.name.clone();
        owner.unfinished_links.retain(|link| link.name != name);
        owner.methods.push(method);
        if owner.preferred.is_none() {
            owner.preferred = Some(name);
            self.default_method_changed(wallet);
        }
        Ok(())
    }

    /// 1.00 USD is held and given back, whatever the currency of the billing account. No money moves.
    fn preauthorise(&mut self, wallet: usize, method: &str, held: bool) {
        self.payments.push(MethodPayment {
            wallet,
            cause: "preauthorisation",
            method: method.to_string(),
            amount: Exact::whole(1),
            currency: Currency::of_country("US"),
            at: self.now,
            status: if held { Status::Succeeded } else { Status::Declined },
            lost_succeeds: false,
            purpose: Purpose::NoMoney,
        });
    }

    fn wallet_and_method<'a>(&self, fields: &Fields<'a>) -> Result<(usize, &'a str), Refusal> {
        let (wallet_name, name) = (fields.text("billing_account")?, fields.text("method")?);
        self.asked_wallet(wallet_name, Right::Change)?;
        Ok((self.direct_wallet(wallet_name)?, name))
    }

    pub(crate) fn prefer_payment_method(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let (wallet, name) = self.wallet_and_method(fields)?;
        let owner = &self.wallets[wallet];
        let method = owner.method(name).ok_or(NOT_FOUND)?;
        if !owner.is_active(method, self.dated) {
            return Err("no_method");
        }
        if owner.preferred.as_deref() != Some(name) {
            self.wallets[wallet].preferred = Some(name.to_string());
            self.default_method_changed(wallet);
        }
        Ok(())
    }

    /// Unlinking the preferred one prefers the longest linked.
    pub(crate) fn unlink_payment_method(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let (wallet, name) = self.wallet_and_method(fields)?;
        self.wallets[wallet].method(name).ok_or(NOT_FOUND)?;
        let is_used = |payment: &MethodPayment| {
            payment.wallet == wallet && payment.method == name && payment.is_under_way()
        };
        if self.payments.iter().any(is_used) {
            return Err("method_in_use");
        }
        let owner = &mut self.wallets[wallet];
        owner.methods.retain(|method| method.name != name);
        if owner.preferred.as_deref() == Some(name) {
            owner.preferred = owner.methods.first().map(|method| method.name.clone());
            self.default_method_changed(wallet);
        }
        Ok(())
    }

    /// With PayPal preferred, the first use of each product is checked; failing, the method becomes inactive (R7.6).
    pub(crate) fn check_first_use(&mut self, wallet: usize, product: &str) {
        let owner = &mut self.wallets[wallet];
        let Some(name) = owner.paying_method(self.dated).map(|method| method.name.clone()) else {
            return;
        };
        let Some(method) = owner.methods.iter_mut().find(|method| method.name == name) else {
            return;
        };
        if method.kind != MethodKind::Paypal || !method.checked.insert(product.to_string()) {
            return;
        }
        let holds = method.token.holds();
        method.failed = !holds;
        self.preauthorise(wallet, &name, holds);
        if !holds {
            self.tell(wallet, "payment_failed");
        }
    }
}
