//! Money that comes in, and the operator's adjustments of cash (R5.9, R7.1).

use crate::BookKeeper;
use crate::exact::Exact;
use crate::fields::{Fields, INVALID_AMOUNT, Refusal};
use crate::ledger::{Lot, Place};
use crate::payments::Purpose;
use crate::rights::Right;

impl BookKeeper {
    /// A top-up by bank transfer is booked at once, one by a linked method when the gateway has answered, exactly and
    /// without fee (R7.1). A test goes through the method and back, without touching the wallet (R7.2).
    pub(crate) fn top_up(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let code = fields.text("currency")?;
        let method = fields.text("method")?;
        let remark = fields.optional_text("remark")?.unwrap_or("");
        let test = fields.flag("test")?.unwrap_or(false);
        let wallet = self.asked_wallet(wallet_name, Right::Pay)?;
        if self.recharge_is_frozen(wallet) {
            return Err("recharge_frozen");
        }
        self.direct_wallet(wallet_name)?;
        let currency = self.wallets[wallet].currency;
        let amount = fields.amount("amount", currency)?;
        self.same_currency(wallet, code)?;
        self.within_role_limit(wallet, &amount)?;
        if self.wallets[wallet].partner_pays {
            return Err("partner_pays");
        }
        if test && amount != Exact::whole(1) {
            return Err(INVALID_AMOUNT);
        }
        if !test
            && self.settings.minimum_top_up.get(currency.code).is_some_and(|least| amount < *least)
        {
            return Err("below_minimum");
        }
        if test || method != "bank_transfer" {
            self.may_top_up_by(wallet, method, &amount)?;
            let (cause, purpose) = match test {
                true => ("test", Purpose::NoMoney),
                false => ("top_up", Purpose::TopUp(remark.to_string())),
            };
            self.charge_method(wallet, cause, method, amount, purpose);
            return Ok(());
        }
        self.change_asset(wallet, &Lot::OwnCash, &amount, Place::World, "top_up", remark);
        self.write_off(wallet);
        Ok(())
    }

    fn may_top_up_by(&self, wallet: usize, method: &str, amount: &Exact) -> Result<(), Refusal> {
        let owner = &self.wallets[wallet];
        let linked = owner.method(method).ok_or("method_not_allowed")?;
        let by_bank_only = self.settings.bank_only_above.get(owner.currency.code);
        if by_bank_only.is_some_and(|most| amount > most) {
            return Err("method_not_allowed");
        }
        if !owner.is_active(linked, self.dated) {
            return Err("no_method");
        }
        Ok(())
    }

    /// Own cash is paid out, at most what is transferable (R7.7).
    pub(crate) fn withdraw(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let reason = fields.optional_text("reason")?.unwrap_or("");
        let wallet = self.asked_wallet(wallet_name, Right::Pay)?;
        self.not_frozen(wallet)?;
        self.direct_wallet(wallet_name)?;
        let amount = fields.amount("amount", self.wallets[wallet].currency)?;
        if self.is_overdue(wallet) {
            return Err("overdue");
        }
        if amount > self.wallets[wallet].transferable() {
            return Err("exceeds_transferable");
        }
        self.change_asset(wallet, &Lot::OwnCash, &-&amount, Place::World, "withdrawal", reason);
        Ok(())
    }

    /// The operator adjusts own cash, up or down, never below zero (R5.9). The reason is the remark of the entry.
    pub(crate) fn adjust(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let reason = fields.text("reason")?;
        let wallet = self.direct_wallet(wallet_name)?;
        let owner = &self.wallets[wallet];
        let amount = fields.signed_amount("amount", owner.currency)?;
        if amount.is_zero() {
            return Err(INVALID_AMOUNT);
        }
        if (&owner.own_cash + &amount).is_negative() {
            return Err("insufficient_funds");
        }
        self.change_asset(wallet, &Lot::OwnCash, &amount, Place::World, "adjustment", reason);
        if amount.is_positive() {
            self.write_off(wallet);
        }
        Ok(())
    }
}
