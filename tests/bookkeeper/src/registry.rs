//! Enterprises, accounts and who pays for them (R4.6, R9.4).

use crate::BookKeeper;
use crate::calendar::{full_minute_from, read_zone};
use crate::currency::Currency;
use crate::exact::Exact;
use crate::fields::{CURRENCY_MISMATCH, Fields, MALFORMED, NOT_FOUND, Refusal};
use crate::membership::Membership;
use crate::passing::Due;
use crate::rights::Right;
use crate::services::Service;
use crate::tax_ids;
use crate::wallet::{Kind, Wallet};
use jiff::tz::TimeZone;

/// A verified legal entity; everything that shares money lies inside one.
pub struct Enterprise {
    pub country: String,
    /// Its tax number (R12.4).
    pub tax_id: Option<String>,
    pub account_center: bool,
    pub management_account: Option<String>,
    /// What the credit limits of all its billing accounts may come to together (R9.3).
    pub credit_total: Option<Exact>,
    /// Top-ups and automatic recharge are stopped (R11.3).
    pub recharge_frozen: bool,
    /// All its bills are being settled (R5.6).
    pub settling: bool,
}

/// An identity that uses services.
pub struct Account {
    pub enterprise: String,
    pub closed_at: Option<i64>,
    pub email: String,
    pub prepaid: bool,
    pub region: Option<String>,
    pub service: Service,
    pub membership: Membership,
    /// The payer of before the first change: the account's own billing account.
    first_payer: usize,
    /// The changes of payer, by the full minute from which each holds.
    payers: Vec<(i64, usize)>,
}

impl Account {
    /// The billing account that pays for what is used at this time. Usage from before the account was opened goes
    /// to its own billing account.
    pub fn payer_at(&self, time: i64) -> usize {
        let begun = self.payers.iter().rev().find(|(from, _)| *from <= time);
        begun.map_or(self.first_payer, |(_, payer)| *payer)
    }

    /// From then on its own billing account pays, if this one pays for it then, or whoever does. Says whether that
    /// changes anything.
    pub fn pays_for_itself_from(
        &mut self,
        now: i64,
        from: i64,
        payer: usize,
        always: bool,
    ) -> bool {
        let is_other = |paying: usize| paying != self.first_payer && (always || paying == payer);
        let pays_then = is_other(self.payer_at(from));
        let pays_later =
            self.payers.iter().any(|(begins, paying)| *begins > now && is_other(*paying));
        if !pays_then && !pays_later {
            return false;
        }
        self.payers.retain(|(begins, _)| *begins <= now && *begins != from);
        self.payers.push((from, self.first_payer));
        true
    }

    /// The billing account that was opened with it.
    pub fn own_wallet(&self) -> usize {
        self.first_payer
    }

    /// From when until when this billing account pays for it; without an end if none is known.
    pub fn paid_by(&self, payer: usize) -> Vec<(i64, Option<i64>)> {
        let mut from = i64::MIN;
        let mut payers = vec![];
        let mut present = self.first_payer;
        for (begins, next) in &self.payers {
            payers.push((present, from, Some(*begins)));
            (from, present) = (*begins, *next);
        }
        payers.push((present, from, None));
        let earlier = |to: Option<i64>| match (to, self.closed_at) {
            (Some(to), Some(closed)) => Some(to.min(closed)),
            (to, closed) => to.or(closed),
        };
        payers.retain(|(by, _, _)| *by == payer);
        payers.into_iter().map(|(_, from, to)| (from, earlier(to))).collect()
    }
}

impl BookKeeper {
    pub(crate) fn enterprise(&self, id: &str) -> Result<&Enterprise, Refusal> {
        self.enterprises.get(id).ok_or(NOT_FOUND)
    }

    pub(crate) fn account(&self, id: &str) -> Result<&Account, Refusal> {
        self.accounts.get(id).ok_or(NOT_FOUND)
    }

    pub(crate) fn open_enterprise(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let id = fields.new_id("enterprise")?;
        fields.text("name")?;
        let country = fields.text("country")?.to_string();
        let tax_id = fields.optional_text("tax_id")?.map(str::to_string);
        fields.optional_text("language")?;
        let management_account = fields.optional_text("management_account")?.map(str::to_string);
        let account_center = fields.flag("account_center")?.unwrap_or(false);
        let credit_total = match fields.has("credit_total") {
            true => Some(fields.amount_or_zero("credit_total", Currency::of_country(&country))?),
            false => None,
        };
        if self.enterprises.contains_key(id) {
            return Err("already_exists");
        }
        if tax_id.as_ref().is_some_and(|number| !tax_ids::is_valid(&country, number)) {
            return Err("tax_id_invalid");
        }
        self.enterprises.insert(
            id.to_string(),
            Enterprise {
                country,
                tax_id,
                account_center,
                management_account,
                credit_total,
                recharge_frozen: false,
                settling: false,
            },
        );
        Ok(())
    }

    /// A number that is entered later holds for later invoices (R12.4).
    pub(crate) fn set_tax_id(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let id = fields.text("enterprise")?;
        let number = fields.text("tax_id")?;
        self.enterprise(id)?;
        self.may_change_enterprise(id)?;
        let enterprise = self.enterprises.get_mut(id).ok_or(NOT_FOUND)?;
        if !tax_ids::is_valid(&enterprise.country, number) {
            return Err("tax_id_invalid");
        }
        enterprise.tax_id = Some(number.to_string());
        Ok(())
    }

    /// Opening an account opens its own billing account (R4.6).
    pub(crate) fn open_account(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let id = fields.new_id("account")?;
        let enterprise = fields.text("enterprise")?;
        let email = fields.text("email")?.to_string();
        let region = fields.optional_text("region")?.map(str::to_string);
        fields.optional_text("partner")?;
        let billing_account = match fields.has("billing_account") {
            true => fields.new_id("billing_account")?.to_string(),
            false => format!("ba-{id}"),
        };
        let prepaid = match fields.text("mode")? {
            "prepaid" => true,
            "postpaid" => false,
            _ => return Err(MALFORMED),
        };
        let kind = match fields.optional_text("kind")? {
            None | Some("direct") => Kind::Direct,
            Some("ecosystem") => Kind::Ecosystem,
            Some(_) => return Err(MALFORMED),
        };
        let partner_pays = fields.flag("partner_pays")?.unwrap_or(false);
        let zone = match fields.optional_text("time_zone")? {
            None => TimeZone::UTC,
            Some(name) => read_zone(name).ok_or(MALFORMED)?,
        };
        let named = fields
            .optional_text("currency")?
            .map(|code| Currency::find(code).ok_or(MALFORMED))
            .transpose()?;
        let currency = named.unwrap_or(Currency::of_country(&self.enterprise(enterprise)?.country));
        self.may_govern(enterprise)?;
        // Their roots would act as the platform.
        let is_reserved = ["operator", "unknown"].contains(&id) || self.is_name_of_a_key(id);
        if is_reserved
            || self.accounts.contains_key(id)
            || self.wallet_numbers.contains_key(&billing_account)
        {
            return Err("already_exists");
        }
        let number = self.wallets.len();
        self.wallet_numbers.insert(billing_account.clone(), number);
        let (owner, enterprise) = (id.to_string(), enterprise.to_string());
        let mut wallet = Wallet::new(
            billing_account,
            enterprise.clone(),
            owner,
            kind,
            currency,
            zone,
            self.settings.cycle,
        );
        wallet.partner_pays = partner_pays;
        let month_end = wallet.end_of_month(self.now);
        self.wallets.push(wallet);
        self.begin_invoices(number);
        self.falls_due(month_end, Due::MonthEnd { wallet: number });
        let account = Account {
            enterprise,
            closed_at: None,
            email,
            prepaid,
            region,
            service: Service::new(number, self.now),
            membership: Membership::Active,
            first_payer: number,
            payers: Vec::new(),
        };
        self.accounts.insert(id.to_string(), account);
        Ok(())
    }

    pub(crate) fn close_account(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let now = self.now;
        let id = fields.text("account")?;
        self.may_decide_for(id, self.account(id)?)?;
        let account = self.accounts.get_mut(id).ok_or(NOT_FOUND)?;
        if account.closed_at.is_some() {
            return Err("account_closed");
        }
        account.closed_at = Some(now);
        Ok(())
    }

    /// The change holds from a full minute on; a later command replaces a change that has not begun (R9.4).
    pub(crate) fn change_payer(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let id = fields.text("account")?;
        let payer_name = fields.text("billing_account")?;
        let effective_at = fields.optional_time("effective_at")?;
        let account = self.account(id)?;
        let payer = *self.wallet_numbers.get(payer_name).ok_or(NOT_FOUND)?;
        self.may_decide_for(id, account)?;
        self.wallet_number(payer_name)?;
        if account.closed_at.is_some() {
            return Err("account_closed");
        }
        if !self.enterprise(&account.enterprise)?.account_center {
            return Err("account_center_off");
        }
        if !self.is_with(payer, id) {
            return Err("different_enterprise");
        }
        // Nobody lets another one pay.
        self.may(Right::Pay, payer)?;
        if self.wallets[payer].currency != self.wallets[account.payer_at(self.now)].currency {
            return Err(CURRENCY_MISMATCH);
        }
        let now = self.now;
        if effective_at.is_some_and(|time| time < now) {
            return Err("in_the_past");
        }
        let from = full_minute_from(effective_at.unwrap_or(now));
        let account = self.accounts.get_mut(id).ok_or(NOT_FOUND)?;
        account.payers.retain(|(begins, _)| *begins <= now);
        // Two changes that begin with the same minute: the one commanded later holds.
        account.payers.retain(|(begins, _)| *begins != from);
        account.payers.push((from, payer));
        self.falls_due(from, Due::Judgement { wallet: payer });
        Ok(())
    }

    /// Refuses an amount in another currency than the billing account's (R1.5).
    pub(crate) fn same_currency(&self, wallet: usize, code: &str) -> Result<(), Refusal> {
        if self.wallets[wallet].currency.code == code { Ok(()) } else { Err(CURRENCY_MISMATCH) }
    }
}
