//! Cash comes in and goes out: top-ups by bank transfer or a linked method, transfers that somebody claims,
//! withdrawals, and the operator's adjustments (R7.1 to R7.3, R7.7, R5.9).

use super::fact::{Cause, Journal, Moved};
use super::payments::Charge;
use super::state::{Lot, Method, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::{Adjust, ClaimRemittance, SetQuota, TopUp, Withdraw};
use crate::ids::Text;
use crate::money::{Amount, Currency};
use crate::payments::{BANK_TRANSFER, MethodKind, PaymentCause};
use crate::refusal::Refusal;

/// What goes through a method and back to test it (R7.2).
pub(super) const TESTED: Amount = Amount::ONE;

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
        let test = command.test.unwrap_or(false);
        if test && command.amount != TESTED {
            return Err(Refusal::InvalidAmount.into());
        }
        if !test && command.amount < self.minimum_top_up(wallet.currency) {
            return Err(Refusal::BelowMinimum.into());
        }
        if command.method.as_str() == BANK_TRANSFER {
            if test {
                return Err(Refusal::MethodNotAllowed.into());
            }
            return self.receive_transfer(number, command, journal);
        }
        let method = wallet.method(&command.method).ok_or(Refusal::MethodNotAllowed)?;
        if !self.takes_by_method(wallet, method, command.amount) {
            return Err(Refusal::MethodNotAllowed.into());
        }
        if !method.is_active() {
            return Err(Refusal::NoMethod.into());
        }

        let cause = if test { PaymentCause::Test } else { PaymentCause::TopUp };
        let charge = Charge::of(cause, command.method.clone(), command.amount);
        let charge = Charge { by_hand: true, remark: command.remark.clone(), ..charge };
        self.begin_charge(number, charge, journal)
    }

    /// The smallest top-up in a currency.
    pub(super) fn minimum_top_up(&self, currency: Currency) -> Amount {
        self.settings.topup.minimum.get(&currency).copied().unwrap_or_default()
    }

    /// Larger top-ups come by bank transfer only.
    pub(super) fn is_for_banks_only(&self, currency: Currency, amount: Amount) -> bool {
        let most = self.settings.topup.bank_only_above.get(&currency);
        most.is_some_and(|most| amount > *most)
    }

    fn takes_by_method(&self, wallet: &Wallet, method: &Method, amount: Amount) -> bool {
        self.takes_brand(method.kind, method.brand.as_ref())
            && !self.is_for_banks_only(wallet.currency, amount)
    }

    /// Whether cards of a brand are taken.
    pub(super) fn takes_brand(&self, kind: MethodKind, brand: Option<&Text>) -> bool {
        let brands = &self.settings.topup.card_brands;
        let known = |brand: &Text| brands.iter().any(|known| known == brand.as_str());
        kind != MethodKind::Card || brand.is_none_or(known)
    }

    /// A transfer by a bank has arrived when it is told.
    fn receive_transfer(
        &mut self,
        number: WalletNumber,
        command: &TopUp,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let moved = Moved {
            remark: command.remark.clone(),
            method: Some(command.method.clone()),
            ..Moved::of(number, Lot::OWN_CASH, command.amount, Cause::TopUp)
        };
        self.record(journal, moved)?;
        self.write_off(number, journal)
    }

    /// A transfer that named nobody has been claimed, and is on its way here.
    pub(super) fn claim_remittance(
        &mut self,
        command: &ClaimRemittance,
        currency: Option<Currency>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        let currency = currency.ok_or(Refusal::NotFound)?;
        if currency != wallet.currency {
            return Err(Refusal::CurrencyMismatch.into());
        }

        let moved = Moved {
            remark: Some(command.reference.clone()),
            method: BANK_TRANSFER.parse().ok(),
            ..Moved::of(number, Lot::OWN_CASH, command.amount, Cause::Remittance)
        };
        self.record(journal, moved)?;
        self.write_off(number, journal)
    }

    pub(super) fn withdraw(
        &mut self,
        command: &Withdraw,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        if !command.amount.is_positive() || !command.amount.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        if self.is_overdue(number)? {
            return Err(Refusal::Overdue.into());
        }
        if command.amount > self.transferable(number)? {
            return Err(Refusal::ExceedsTransferable.into());
        }

        let out = command.amount.negated()?;
        let moved = Moved::of(number, Lot::OWN_CASH, out, Cause::Withdrawal);
        self.record(journal, Moved { remark: command.reason.clone(), ..moved })?;
        Ok(())
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

#[cfg(test)]
#[path = "top_up_tests.rs"]
mod tests;
