//! The settings of a billing account.

use super::fact::{Configured, Journal};
use super::state::{CycleChange, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::Configure;
use crate::refusal::Refusal;
use crate::time::Cycle;

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
        let switches_off = command.auto_write_off == Some(false);
        if switches_off && wallet.limit.is_zero() {
            return Err(Refusal::WriteOffRequired.into());
        }

        let configured = Configured {
            auto_write_off: command.auto_write_off.unwrap_or(wallet.auto_write_off),
            write_off_previous: command.write_off_previous.unwrap_or(wallet.write_off_previous),
            cycle: command.bill_cycle.map(|cycle| self.cycle_change(wallet, cycle)),
            ..Configured::of(number, wallet)
        };
        self.record(journal, configured)?;
        // A switch that allows a payment sets it off (R5.3).
        self.write_off(number, journal)
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

impl Configured {
    fn of(number: WalletNumber, wallet: &Wallet) -> Configured {
        Configured {
            wallet: number,
            auto_write_off: wallet.auto_write_off,
            write_off_previous: wallet.write_off_previous,
            cycle: None,
        }
    }
}
