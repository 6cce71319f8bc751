//! The settings of a billing account.

use super::converting::SettlementChange;
use super::fact::{Configured, InvoicingConfigured, Journal, RechargeChanged, TellingConfigured};
use super::state::{CycleChange, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::{Configure, DelayedSuspension, Recipients};
use crate::fx::SETTLEMENT;
use crate::money::Amount;
use crate::notices::NoticeKind;
use crate::refusal::Refusal;
use crate::time::{Cycle, Timestamp};

impl Ledger {
    pub(super) fn configure(
        &mut self,
        command: &Configure,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.wallet_of(&command.billing_account)?;
        let switches = command.auto_write_off.is_some() || command.write_off_previous.is_some();
        if switches && wallet.is_ecosystem() {
            return Err(Refusal::NotForEcosystem.into());
        }
        let charges = command.auto_recharge.is_some() || command.auto_pay_threshold.is_some();
        if charges && wallet.is_ecosystem() {
            return Err(Refusal::NotForEcosystem.into());
        }
        let invoicing = invoicing_from_now_on(self.clock.now(), number, wallet, command)?;
        if command.auto_write_off == Some(true) && self.is_settling(wallet) {
            return Err(Refusal::SettlementInProgress.into());
        }
        let switches_off = command.auto_write_off == Some(false);
        if switches_off && wallet.limit.is_zero() {
            return Err(Refusal::WriteOffRequired.into());
        }

        if let Some(threshold) = command.auto_pay_threshold {
            let span = self.settings.payments.paypal_threshold.get(&wallet.currency);
            let within = span.is_some_and(|(least, most)| (*least..=*most).contains(&threshold));
            if !within || !threshold.is_payable(wallet.currency) {
                return Err(Refusal::InvalidAmount.into());
            }
        }
        let alert = command.low_balance_alert;
        let fits = |amount: Amount| !amount.is_negative() && amount.is_payable(wallet.currency);
        if alert.is_some_and(|alert| !fits(alert.threshold)) {
            return Err(Refusal::InvalidAmount.into());
        }
        let delayed = command.delayed_suspension.or(wallet.delayed_suspension);
        if !fits(delayed.and_then(|delayed| delayed.debt).unwrap_or_default()) {
            return Err(Refusal::InvalidAmount.into());
        }
        let recharge = command.auto_recharge.as_ref();
        let recharge = recharge.map(|asked| self.recharge_from_now_on(number, wallet, asked));
        let recharge = recharge.transpose()?;
        let told = self.told_from_now_on(number, wallet, command)?;

        let configured = Configured {
            auto_write_off: command.auto_write_off.unwrap_or(wallet.auto_write_off),
            write_off_previous: command.write_off_previous.unwrap_or(wallet.write_off_previous),
            cycle: command.bill_cycle.map(|cycle| self.cycle_change(wallet, cycle)),
            auto_pay_threshold: command.auto_pay_threshold.or(wallet.auto_pay_threshold),
            delayed_suspension: delayed.filter(DelayedSuspension::delays),
            ..Configured::of(number, wallet)
        };
        self.record(journal, configured)?;
        if let Some(told) = told {
            self.record(journal, told)?;
        }
        if let Some(recharge) = recharge {
            self.record(journal, RechargeChanged { wallet: number, recharge })?;
        }
        if let Some(invoicing) = invoicing {
            self.record(journal, invoicing)?;
        }
        // A switch that allows a payment sets it off (R5.3).
        self.write_off(number, journal)
    }

    /// Whom the owner wants told, if the command says so.
    fn told_from_now_on(
        &self,
        number: WalletNumber,
        wallet: &Wallet,
        command: &Configure,
    ) -> Result<Option<TellingConfigured>, Undecided> {
        let Configure { low_balance_alert, billing_email, recipients, .. } = command;
        if low_balance_alert.is_none() && billing_email.is_none() && recipients.is_none() {
            return Ok(None);
        }
        let before = wallet.telling.as_deref();
        let alert_before = before.and_then(|telling| telling.low_balance_alert);
        let alert = low_balance_alert.or(alert_before);
        let set_with = match alert == alert_before {
            true => before.and_then(|telling| telling.set_with),
            false => Some(self.available(wallet, number)?),
        };
        let mut named = before.map(|telling| telling.recipients.clone()).unwrap_or_default();
        for (kind, mails) in recipients.iter().flatten() {
            let kind: NoticeKind = kind.parse().map_err(|_| Refusal::Malformed)?;
            named.retain(|known| known.kind != kind);
            if !mails.is_empty() {
                named.push(Recipients { kind, mails: mails.clone() });
            }
        }
        Ok(Some(TellingConfigured {
            wallet: number,
            low_balance_alert: alert,
            billing_email: billing_email
                .clone()
                .or_else(|| before.and_then(|telling| telling.billing_email.clone())),
            recipients: named,
            set_with,
        }))
    }

    /// The open cycle ends as it would have; the next one has the new length.
    fn cycle_change(&self, wallet: &Wallet, cycle: Cycle) -> CycleChange {
        let open = wallet.cycle_at(self.clock.now(), self.settings.bills.cycle);
        CycleChange { from: open.until, cycle }
    }

    /// Without a credit limit automatic write-off is on (R5.4).
    pub(super) fn require_write_off(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let Some(wallet) = self.wallet(number).filter(|wallet| !wallet.auto_write_off) else {
            return Ok(());
        };
        let configured = Configured { auto_write_off: true, ..Configured::of(number, wallet) };
        self.record(journal, configured)?;
        Ok(())
    }
}

/// How the owner wants invoices, if the command says so. Another currency holds from next month on (R12.6).
fn invoicing_from_now_on(
    now: Timestamp,
    number: WalletNumber,
    wallet: &Wallet,
    command: &Configure,
) -> Result<Option<InvoicingConfigured>, Refusal> {
    let (currency, schedule) = (command.settlement_currency, command.invoice_schedule);
    if currency.is_none() && schedule.is_none() {
        return Ok(None);
    }
    if wallet.is_ecosystem() {
        return Err(Refusal::NotForEcosystem);
    }
    let can_be = |currency| SETTLEMENT.contains(&currency) || currency == wallet.currency;
    if currency.is_some_and(|currency| !can_be(currency)) {
        return Err(Refusal::Malformed);
    }
    let from = wallet.zone.month_of(now).next();
    let settlement = currency.map(|currency| SettlementChange { from, currency });
    Ok(Some(InvoicingConfigured { wallet: number, settlement, schedule }))
}

impl Configured {
    fn of(number: WalletNumber, wallet: &Wallet) -> Configured {
        Configured {
            wallet: number,
            auto_write_off: wallet.auto_write_off,
            write_off_previous: wallet.write_off_previous,
            cycle: None,
            auto_pay_threshold: wallet.auto_pay_threshold,
            delayed_suspension: wallet.delayed_suspension,
        }
    }
}

#[cfg(test)]
#[path = "configure_tests.rs"]
mod tests;
