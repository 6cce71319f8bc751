//! Cash moves between the wallets of one enterprise, and back (R9.1, R9.2).

use super::fact::{Cause, Journal, Moved};
use super::state::{Lot, TransferredCash, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::{RevokeTransfer, Transfer};
use crate::ids::{Text, WalletId};
use crate::money::{Amount, Overflow};
use crate::refusal::Refusal;

impl Ledger {
    pub(super) fn transfer(
        &mut self,
        command: &Transfer,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (from, to) = self.both_ends(&command.from, &command.to)?;
        let (sender, receiver) = self.both_wallets(from, to)?;
        if !command.amount.is_positive() || !command.amount.is_payable(sender.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        if sender.currency != receiver.currency {
            return Err(Refusal::CurrencyMismatch.into());
        }
        if self.is_overdue(from)? {
            return Err(Refusal::Overdue.into());
        }
        if sender.partner_pays || receiver.partner_pays {
            return Err(Refusal::PartnerPays.into());
        }
        if sender.has_bad_debt() {
            return Err(Refusal::CreditNotAvailable.into());
        }
        if command.amount > self.transferable(from)? {
            return Err(Refusal::ExceedsTransferable.into());
        }

        let lot_there = TransferredCash { sender: from }.into();
        let (amount, remark) = (command.amount, &command.remark);
        self.move_cash(from, Lot::OWN_CASH, amount.negated()?, Cause::Transfer, remark, journal)?;
        self.move_cash(to, lot_there, amount, Cause::Transfer, remark, journal)?;
        self.write_off(to, journal)
    }

    pub(super) fn revoke_transfer(
        &mut self,
        command: &RevokeTransfer,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (from, to) = self.both_ends(&command.from, &command.to)?;
        let (_, receiver) = self.both_wallets(from, to)?;
        if !command.amount.is_positive() || !command.amount.is_payable(receiver.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        let revocable = self.revocable(from, to)?.ok_or(Refusal::NothingToRevoke)?;
        if command.amount > revocable {
            return Err(Refusal::ExceedsRevocable.into());
        }

        let lot_there = TransferredCash { sender: from }.into();
        let (amount, remark) = (command.amount, &command.remark);
        let back = amount.negated()?;
        self.move_cash(to, lot_there, back, Cause::Revocation, remark, journal)?;
        self.move_cash(from, Lot::OWN_CASH, amount, Cause::Revocation, remark, journal)?;
        self.write_off(from, journal)
    }

    /// Two direct wallets of one enterprise, and not the same.
    fn both_ends(
        &self,
        from: &WalletId,
        to: &WalletId,
    ) -> Result<(WalletNumber, WalletNumber), Refusal> {
        let (sender, wallet) = self.direct_wallet_of(from)?;
        if from == to {
            return Err(Refusal::Malformed);
        }
        let owner = wallet.owner;
        let (receiver, wallet) = self.wallet_within(wallet.enterprise, to)?;
        self.together(owner, wallet.owner)?;
        if wallet.is_ecosystem() {
            return Err(Refusal::NotForEcosystem);
        }
        Ok((sender, receiver))
    }

    fn both_wallets(
        &self,
        from: WalletNumber,
        to: WalletNumber,
    ) -> Result<(&Wallet, &Wallet), Refusal> {
        self.wallet(from).zip(self.wallet(to)).ok_or(Refusal::NotFound)
    }

    /// What of its transfers a sender may take back (R9.2); none: it never sent anything.
    pub(super) fn revocable(
        &self,
        from: WalletNumber,
        to: WalletNumber,
    ) -> Result<Option<Amount>, Overflow> {
        let Some(receiver) = self.wallet(to) else { return Ok(None) };
        let Some(lot) = receiver.transferred.iter().find(|lot| lot.sender == from) else {
            return Ok(None);
        };
        let available = self.available(receiver, to)?.rounded_down(receiver.currency)?;
        Ok(Some(lot.left.min(lot.net_sent).min(available).max(Amount::ZERO)))
    }

    /// Own cash that may leave (R9.1).
    pub(super) fn transferable(&self, number: WalletNumber) -> Result<Amount, Overflow> {
        let Some(wallet) = self.wallet(number) else { return Ok(Amount::ZERO) };
        let available = self.available(wallet, number)?;
        wallet.own_cash.min(available).max(Amount::ZERO).rounded_down(wallet.currency)
    }

    fn move_cash(
        &mut self,
        wallet: WalletNumber,
        lot: Lot,
        amount: Amount,
        cause: Cause,
        remark: &Option<Text>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let remark = remark.clone();
        self.record(journal, Moved { remark, ..Moved::of(wallet, lot, amount, cause) })?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
