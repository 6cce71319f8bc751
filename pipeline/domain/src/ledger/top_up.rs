//! Cash comes in: top-ups by bank transfer, and the operator's adjustments (R7.1, R5.9).

use super::fact::{Cause, Journal, Moved};
use super::state::{Lot, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::{Adjust, SetQuota, TopUp};
use crate::ids::Text;
use crate::money::Amount;
use crate::refusal::Refusal;

/// The method of a top-up that needs no linked card.
const BANK_TRANSFER: &str = "bank_transfer";

impl Ledger {
    pub(super) fn top_up(
        &mut self,
        command: &TopUp,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        if !command.amount.is_positive() || !command.amount.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        if command.currency != wallet.currency {
            return Err(Refusal::CurrencyMismatch.into());
        }
        if wallet.partner_pays {
            return Err(Refusal::PartnerPays.into());
        }
        let minimum =
            self.settings.topup.minimum.get(&wallet.currency).copied().unwrap_or_default();
        if command.amount < minimum {
            return Err(Refusal::BelowMinimum.into());
        }
        if command.method.as_str() != BANK_TRANSFER || command.test.unwrap_or(false) {
            return Err(Refusal::MethodNotAllowed.into());
        }

        let moved = Moved {
            remark: command.remark.clone(),
            method: Some(command.method.clone()),
            ..Moved::of(number, Lot::OWN_CASH, command.amount, Cause::TopUp)
        };
        self.record(journal, moved)?;
        self.write_off(number, journal)
    }

    pub(super) fn adjust(
        &mut self,
        command: &Adjust,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        if command.amount.is_zero() || !command.amount.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        let Some(reason) = command.reason.clone() else { return Err(Refusal::Malformed.into()) };
        if wallet.own_cash.plus(command.amount)?.is_negative() {
            return Err(Refusal::InsufficientFunds.into());
        }

        self.receive_cash(number, command.amount, Cause::Adjustment, Some(reason), journal)
    }

    /// Adds to own cash, and pays what waited for it.
    pub(super) fn receive_cash(
        &mut self,
        wallet: WalletNumber,
        amount: Amount,
        cause: Cause,
        remark: Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        self.record(journal, Moved { remark, ..Moved::of(wallet, Lot::OWN_CASH, amount, cause) })?;
        self.write_off(wallet, journal)
    }

    pub(super) fn set_quota(
        &mut self,
        command: &SetQuota,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.wallet_of(&command.billing_account)?;
        if !wallet.is_ecosystem() {
            // A direct billing account has no quota.
            return Err(Refusal::NotFound.into());
        }
        if command.quota.is_negative() || !command.quota.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }

        let amount = command.quota.minus(wallet.quota)?;
        if !amount.is_zero() {
            self.record(journal, Moved::of(number, Lot::QUOTA, amount, Cause::QuotaSet))?;
        }
        Ok(())
    }
}
