//! How a billing account stands: whether it is overdue (R8.1).

use super::Ledger;
use super::state::WalletNumber;
use crate::money::Overflow;

impl Ledger {
    /// Whether a wallet is overdue, as it is now.
    pub(super) fn is_overdue(&self, number: WalletNumber) -> Result<bool, Overflow> {
        let Some(wallet) = self.wallet(number) else { return Ok(false) };
        if self.available(wallet, number)?.is_negative() {
            return Ok(true);
        }
        if !wallet.limit.is_positive() {
            return Ok(false);
        }
        let now = self.clock.now();
        let unpaid_since = wallet.unpaid.iter().map(|bill| bill.month).min();
        Ok(unpaid_since
            .is_some_and(|month| now >= wallet.zone.days_after(month, self.settings.overdue.after)))
    }
}
