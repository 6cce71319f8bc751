//! Credit limits (R9.3).

use super::fact::{Journal, LimitChanged};
use super::state::WalletNumber;
use super::{EnterpriseNumber, Ledger, Undecided};
use crate::commands::{ConfirmContract, SetCreditLimit};
use crate::money::{Amount, Overflow};
use crate::notices::NoticeKind;
use crate::refusal::Refusal;

impl Ledger {
    pub(super) fn set_credit_limit(
        &mut self,
        command: &SetCreditLimit,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        if command.limit.is_negative() || !command.limit.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        if wallet.partner_pays {
            return Err(Refusal::PartnerPays.into());
        }
        if wallet.has_bad_debt() {
            return Err(Refusal::CreditNotAvailable.into());
        }
        let lowered = command.limit < wallet.limit;
        let available = self.available(wallet, number)?.minus(wallet.limit)?.plus(command.limit)?;
        if lowered && available.is_negative() {
            return Err(Refusal::LimitInUse.into());
        }
        let total =
            self.enterprise(wallet.enterprise).and_then(|enterprise| enterprise.credit_total);
        let others = self.limits_of_others(wallet.enterprise, number)?;
        if total.is_some_and(|total| others.plus(command.limit).is_ok_and(|sum| sum > total)) {
            return Err(Refusal::ExceedsEntityCredit.into());
        }

        // Once a contract is confirmed, every later limit takes effect at once.
        let first = !wallet.contract_confirmed && !command.limit.is_zero();
        let (limit, pending) =
            if first { (Amount::ZERO, Some(command.limit)) } else { (command.limit, None) };
        if !wallet.contract_confirmed && pending.is_none() && wallet.limit_pending.is_none() {
            // None where none was or waits: nothing happens, and nobody is told.
            return Ok(());
        }
        self.change_limit(number, limit, pending, journal)
    }

    pub(super) fn confirm_contract(
        &mut self,
        command: &ConfirmContract,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.direct_wallet_of(&command.billing_account)?;
        let limit = wallet.limit_pending.ok_or(Refusal::NotFound)?;

        self.change_limit(number, limit, None, journal)
    }

    fn change_limit(
        &mut self,
        wallet: WalletNumber,
        limit: Amount,
        pending: Option<Amount>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        self.record(journal, LimitChanged { wallet, limit, pending })?;
        self.notice(wallet, NoticeKind::CreditLimit, None, None, None, journal)?;
        if limit.is_zero() && pending.is_none() {
            self.require_write_off(wallet, journal)?;
        }
        self.write_off(wallet, journal)
    }

    /// The credit limits of an enterprise's other wallets in the same currency, those that wait for a contract included.
    pub(super) fn limits_of_others(
        &self,
        enterprise: EnterpriseNumber,
        but: WalletNumber,
    ) -> Result<Amount, Overflow> {
        let wallets = self.enterprise(enterprise).map(|e| e.wallets.as_slice()).unwrap_or_default();
        let currency = self.wallet(but).map(|wallet| wallet.currency);
        let others = wallets.iter().filter(|number| **number != but);
        let limits = others.filter_map(|number| self.wallet(*number));
        let limits = limits.filter(|wallet| Some(wallet.currency) == currency);
        Amount::sum(limits.map(|wallet| wallet.limit_pending.unwrap_or(wallet.limit)))
    }
}

#[cfg(test)]
#[path = "credit_tests.rs"]
mod tests;
