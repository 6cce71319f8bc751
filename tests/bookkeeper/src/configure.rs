//! The owner's switches that concern money (R5.1, R5.3, R5.4, R5.5).

use crate::BookKeeper;
use crate::calendar::Cycle;
use crate::currency::Currency;
use crate::exact::Exact;
use crate::fields::{Fields, INVALID_AMOUNT, MALFORMED, Refusal};
use crate::rights::Right;
use crate::wallet::Kind;

impl BookKeeper {
    /// All that is asked for holds, or nothing. The settings of the contract that are not treated here are accepted
    /// and change nothing.
    pub(crate) fn configure(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let schedule = self.wanted_schedule(fields)?;
        has_all(
            fields,
            "auto_recharge",
            &["enabled", "percents", "amount"],
            &["enabled", "amount"],
        )?;
        has_all(fields, "low_balance_alert", &["enabled", "threshold"], &["enabled", "threshold"])?;
        let hours = match fields.inner("delayed_suspension", &["hours", "debt"])? {
            Some(delay) => delay.whole("hours")?,
            None => None,
        };
        if hours.is_some_and(|hours| hours < 0) {
            return Err(MALFORMED);
        }
        let wallet = self.asked_wallet(fields.text("billing_account")?, Right::Change)?;
        let auto_write_off = fields.flag("auto_write_off")?;
        let write_off_previous = fields.flag("write_off_previous")?;
        let cycle = fields
            .optional_text("bill_cycle")?
            .map(|name| Cycle::read(name).ok_or(MALFORMED))
            .transpose()?;
        let owner = &self.wallets[wallet];
        if owner.kind == Kind::Ecosystem
            && ["auto_write_off", "write_off_previous", "auto_pay_threshold", "invoice_schedule"]
                .iter()
                .any(|name| fields.has(name))
        {
            return Err("not_for_ecosystem");
        }
        let threshold = match fields.has("auto_pay_threshold") {
            true => Some(self.pay_threshold(fields, owner.currency)?),
            false => None,
        };
        let recharge = match owner.kind {
            Kind::Ecosystem if fields.has("auto_recharge") => return Err("not_for_ecosystem"),
            _ => self.wanted_recharge(wallet, fields)?,
        };
        let alert = self.wanted_alert(wallet, fields)?;
        let delay = self.wanted_delay(wallet, fields)?;
        if auto_write_off == Some(true) && self.is_settling(wallet) {
            return Err("settlement_in_progress");
        }
        if auto_write_off == Some(false) && !owner.credit_limit.is_positive() {
            return Err("write_off_required");
        }

        let now = self.now;
        let owner = &mut self.wallets[wallet];
        if let Some(cycle) = cycle {
            owner.set_cycle(now, cycle);
        }
        let turned_on = |before: bool, wanted: Option<bool>| !before && wanted == Some(true);
        let runs = turned_on(owner.auto_write_off, auto_write_off)
            || turned_on(owner.write_off_previous, write_off_previous);
        owner.auto_write_off = auto_write_off.unwrap_or(owner.auto_write_off);
        owner.write_off_previous = write_off_previous.unwrap_or(owner.write_off_previous);
        if runs {
            self.write_off(wallet);
        }
        if schedule.is_some() {
            self.wallets[wallet].monthly_invoices = schedule;
        }
        if let Some(threshold) = alert {
            self.set_alert(wallet, threshold);
        }
        if let Some(delay) = delay {
            self.wallets[wallet].delayed_suspension = delay;
        }
        if let Some(wanted) = recharge {
            self.set_recharge(wallet, wanted);
        }
        if threshold.is_some() {
            self.wallets[wallet].auto_pay_threshold = threshold;
            self.charge_what_is_due(wallet, true);
        }
        Ok(())
    }

    /// At which amount owed PayPal is charged: within the bounds of the currency (R6.1).
    fn pay_threshold(&self, fields: &Fields, currency: Currency) -> Result<Exact, Refusal> {
        let threshold = fields.amount("auto_pay_threshold", currency)?;
        match self.settings.paypal_threshold.get(currency.code) {
            Some((least, most)) if *least <= threshold && threshold <= *most => Ok(threshold),
            _ => Err(INVALID_AMOUNT),
        }
    }
}

/// A setting with fields of its own has all that are not optional (CONTRACT.md).
fn has_all(fields: &Fields, name: &str, known: &[&str], needed: &[&str]) -> Result<(), Refusal> {
    let Some(inner) = fields.inner(name, known)? else { return Ok(()) };
    if needed.iter().all(|name| inner.has(name)) { Ok(()) } else { Err(MALFORMED) }
}
