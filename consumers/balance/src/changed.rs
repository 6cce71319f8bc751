//! Which wallets have a balance that is to be told: each at most once in a round.

use std::collections::VecDeque;

use drawdown_domain::ledger::{Accrued, Fact, Ledger, WalletNumber};

/// Wallets that have changed since they were last told, the longest waiting first.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    waiting: VecDeque<WalletNumber>,
    /// Which wallets wait, a bit each.
    waits: Vec<u64>,
    /// How many of those that wait belong to the present round.
    round: usize,
}

impl Changed {
    #[inline]
    pub(crate) fn touch(&mut self, wallet: WalletNumber) {
        let (word, bit) = (wallet.index() >> 6, 1u64 << (wallet.index() & 63));
        if word >= self.waits.len() {
            self.waits.resize(word + 1, 0);
        }
        if self.waits[word] & bit == 0 {
            self.waits[word] |= bit;
            self.waiting.push_back(wallet);
        }
    }

    /// The balance that a fact changes.
    pub(crate) fn touch_by(&mut self, fact: &Fact) {
        if let Some(wallet) = fact.changes_balance_of() {
            self.touch(wallet);
        }
    }

    /// The balance that an accrual changes. While a ledger is loaded its account may not be there yet;
    /// what changed until the last piece was taken stands in that piece.
    pub(crate) fn touch_by_accrual(&mut self, ledger: &Ledger, accrued: &Accrued) {
        let account = ledger.account(accrued.account);
        let series = account.and_then(|account| account.series.get(accrued.series as usize));
        if let Some(series) = series {
            self.touch(series.wallet);
        }
    }

    /// All that wait, the longest waiting first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = WalletNumber> {
        self.waiting.iter().copied()
    }

    /// Goes on with those that waited when the last piece of a snapshot was taken. Only that one names any; what
    /// was touched before is among them, or has been told.
    pub(crate) fn resume(&mut self, untold: Vec<WalletNumber>) {
        if !untold.is_empty() {
            *self = Changed::default();
            untold.into_iter().for_each(|wallet| self.touch(wallet));
        }
    }

    /// Whether everything of the present round has been told.
    pub(crate) fn round_is_over(&self) -> bool {
        self.round == 0
    }

    /// Begins a round: all that waits now. What changes from now on belongs to the next one.
    pub(crate) fn begin_round(&mut self) {
        self.round = self.waiting.len();
    }

    /// The next wallet of the round to be told.
    pub(crate) fn next(&mut self) -> Option<WalletNumber> {
        self.round = self.round.checked_sub(1)?;
        let wallet = self.waiting.pop_front()?;
        self.waits[wallet.index() >> 6] &= !(1u64 << (wallet.index() & 63));
        Some(wallet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_longest_comes_first_after_a_restore_too() {
        let mut changed = Changed::default();
        changed.touch(WalletNumber(9));
        changed.resume(Vec::new());
        changed.resume(vec![WalletNumber(70), WalletNumber(9)]);
        changed.touch(WalletNumber(3));
        let waiting: Vec<_> = changed.waiting().map(|wallet| wallet.0).collect();
        assert_eq!(waiting, [70, 9, 3]);
    }

    #[test]
    fn a_wallet_that_keeps_changing_is_told_once_a_round() {
        let mut changed = Changed::default();
        for wallet in [3, 70, 3] {
            changed.touch(WalletNumber(wallet));
        }
        assert!(changed.round_is_over());
        changed.begin_round();
        assert_eq!(changed.next(), Some(WalletNumber(3)));
        changed.touch(WalletNumber(3));
        assert_eq!(changed.next(), Some(WalletNumber(70)));
        assert_eq!((changed.next(), changed.round_is_over()), (None, true));
        changed.begin_round();
        assert_eq!((changed.next(), changed.next()), (Some(WalletNumber(3)), None));
    }
}
