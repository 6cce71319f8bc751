//! Credit limits (R9.3) and the quota of ecosystem billing accounts (R4.1).

use crate::BookKeeper;
use crate::exact::Exact;
use crate::fields::{Fields, NOT_FOUND, Refusal};
use crate::ledger::{Lot, Place};
use crate::rights::Right;
use crate::wallet::Kind;

impl BookKeeper {
    /// The first limit waits for the contract; later ones take effect at once (R9.3).
    pub(crate) fn set_credit_limit(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet = self.direct_wallet(fields.text("billing_account")?)?;
        let owner = &self.wallets[wallet];
        let limit = fields.amount_or_zero("limit", owner.currency)?;
        if owner.partner_pays {
            return Err("partner_pays");
        }
        if owner.bad_debt {
            return Err("credit_not_available");
        }
        self.within_enterprise_total(wallet, &limit)?;
        if limit < owner.credit_limit {
            let available = &(&owner.available() - &owner.credit_limit) + &limit;
            if available.is_negative() {
                return Err("limit_in_use");
            }
        }
        let owner = &mut self.wallets[wallet];
        if !owner.contract_confirmed {
            let waits = if limit.is_zero() { None } else { Some(limit) };
            let waited = std::mem::replace(&mut owner.pending_limit, waits);
            // That what waited is withdrawn is told as well; where nothing waits, nothing has happened.
            if waited.is_some() || owner.pending_limit.is_some() {
                self.tell(wallet, "credit_limit");
            }
            return Ok(());
        }
        owner.credit_limit = limit;
        self.tell(wallet, "credit_limit");
        self.without_limit_write_off_is_on(wallet);
        Ok(())
    }

    /// The limits of an enterprise together stay within its total, by currency; a limit that waits counts as well,
    /// for confirming it must not break the total.
    fn within_enterprise_total(&self, wallet: usize, limit: &Exact) -> Result<(), Refusal> {
        let owner = &self.wallets[wallet];
        let Some(total) = &self.enterprise(&owner.enterprise)?.credit_total else { return Ok(()) };
        let mut together = limit.clone();
        for (number, other) in self.wallets.iter().enumerate() {
            if number != wallet
                && other.enterprise == owner.enterprise
                && other.currency == owner.currency
            {
                together += other.pending_limit.as_ref().unwrap_or(&other.credit_limit);
            }
        }
        if together > *total { Err("exceeds_entity_credit") } else { Ok(()) }
    }

    pub(crate) fn confirm_contract(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        self.asked_wallet(wallet_name, Right::Pay)?;
        let wallet = self.direct_wallet(wallet_name)?;
        let owner = &mut self.wallets[wallet];
        let limit = owner.pending_limit.take().ok_or(NOT_FOUND)?;
        owner.contract_confirmed = true;
        owner.credit_limit = limit;
        self.tell(wallet, "credit_limit");
        Ok(())
    }

    /// Without a credit limit automatic write-off is on and stays on (R5.4, R9.3).
    fn without_limit_write_off_is_on(&mut self, wallet: usize) {
        let owner = &mut self.wallets[wallet];
        if owner.credit_limit.is_zero() && !owner.auto_write_off {
            owner.auto_write_off = true;
            self.write_off(wallet);
        }
    }

    /// The partner sets how much may be consumed. Only an ecosystem billing account has a quota.
    pub(crate) fn set_quota(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet = self.wallet_number(fields.text("billing_account")?)?;
        let owner = &self.wallets[wallet];
        if owner.kind != Kind::Ecosystem {
            return Err(NOT_FOUND);
        }
        let quota = fields.amount_or_zero("quota", owner.currency)?;
        let change = &quota - &owner.quota;
        self.change_asset(wallet, &Lot::Quota, &change, Place::Partner, "quota_set", "");
        self.wallets[wallet].quota = quota;
        Ok(())
    }
}
