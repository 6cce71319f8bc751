//! Bank transfers that name no account wait until their owner claims them (R7.3).

use crate::BookKeeper;
use crate::currency::Currency;
use crate::exact::Exact;
use crate::fields::{CURRENCY_MISMATCH, Fields, INVALID_AMOUNT, MALFORMED, NOT_FOUND, Refusal};
use crate::ledger::{Lot, Place};
use crate::rights::Right;

pub struct Remittance {
    pub amount: Exact,
    pub currency: Currency,
    pub claimed: bool,
}

impl BookKeeper {
    /// A reference is unique for ever.
    pub(crate) fn receive_remittance(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let reference = fields.text("reference")?.to_string();
        fields.optional_text("remark")?;
        let currency = Currency::find(fields.text("currency")?).ok_or(MALFORMED)?;
        if !fields.has("amount") {
            return Err(MALFORMED);
        }
        if self.remittances.contains_key(&reference) {
            return Err("already_exists");
        }
        let amount = fields.amount("amount", currency)?;
        self.ledger.move_money(currency, Place::World, Place::Unclaimed, &amount);
        self.remittances.insert(reference, Remittance { amount, currency, claimed: false });
        Ok(())
    }

    /// By reference and exact amount, once. What its ledger refuses waits again.
    pub(crate) fn claim_remittance(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let reference = fields.text("reference")?;
        if !fields.has("amount") {
            return Err(MALFORMED);
        }
        let read = fields.optional_text("amount").ok().flatten().and_then(Exact::read);
        let (amount, _) = read.ok_or(INVALID_AMOUNT)?;
        let wallet = self.asked_wallet(wallet_name, Right::Pay)?;
        let remittance = self.remittances.get(reference).ok_or(NOT_FOUND)?;
        if remittance.amount != amount {
            return Err(NOT_FOUND);
        }
        if remittance.claimed {
            return Err("already_claimed");
        }
        self.direct_wallet(wallet_name)?;
        if remittance.currency != self.wallets[wallet].currency {
            return Err(CURRENCY_MISMATCH);
        }
        if let Some(remittance) = self.remittances.get_mut(reference) {
            remittance.claimed = true;
        }
        let from = Place::Unclaimed;
        self.change_asset(wallet, &Lot::OwnCash, &amount, from, "remittance", reference);
        self.write_off(wallet);
        Ok(())
    }
}
