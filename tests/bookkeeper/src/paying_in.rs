//! Money that comes in, and the operator's adjustments of cash (R5.9, R7.1).

use crate::BookKeeper;
use crate::fields::{Fields, INVALID_AMOUNT, Refusal};
use crate::ledger::{Lot, Place};

impl BookKeeper {
    /// A top-up by bank transfer is booked at once, exactly and without fee (R7.1).
    pub(crate) fn top_up(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let code = fields.text("currency")?;
        let method = fields.text("method")?;
        let remark = fields.optional_text("remark")?.unwrap_or("");
        let test = fields.flag("test")?.unwrap_or(false);
        let wallet = self.direct_wallet(wallet_name)?;
        let currency = self.wallets[wallet].currency;
        let amount = fields.amount("amount", currency)?;
        self.same_currency(wallet, code)?;
        if test || method != "bank_transfer" {
            return Err("not_supported");
        }
        if self.settings.minimum_top_up.get(currency.code).is_some_and(|least| amount < *least) {
            return Err("below_minimum");
        }
        self.change_asset(wallet, &Lot::OwnCash, &amount, Place::World, "top_up", remark);
        self.write_off(wallet);
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
