//! What owners are told of a balance that runs low, and of being overdue (R8.1, R8.5).

use crate::BookKeeper;
use crate::calendar::{day_of, full_minute_from, same_time_tomorrow};
use crate::exact::Exact;
use crate::fields::{Fields, MALFORMED, Refusal};
use crate::passing::Due;

/// The low-balance alert of a billing account (R8.5).
#[derive(Clone, Debug, Default)]
pub struct LowBalance {
    /// The threshold, if the alert is on.
    threshold: Option<Exact>,
    /// Available credit at the last change that was judged.
    judged: Option<Exact>,
    /// It has fallen below the threshold and has not recovered.
    fallen: bool,
    /// How often that was told.
    told: u32,
    /// When it is told next, if the series goes on.
    next: Option<i64>,
    /// The local day on which it was told last.
    told_on: Option<i64>,
}

impl BookKeeper {
    /// Reads the setting `low_balance_alert`: a threshold if it is to be on.
    pub(crate) fn wanted_alert(
        &self,
        wallet: usize,
        fields: &Fields,
    ) -> Result<Option<Option<Exact>>, Refusal> {
        let known = ["enabled", "threshold"];
        let Some(inner) = fields.inner("low_balance_alert", &known)? else { return Ok(None) };
        let enabled = inner.flag("enabled")?.ok_or(MALFORMED)?;
        let threshold = inner.amount_or_zero("threshold", self.wallets[wallet].currency)?;
        Ok(Some(enabled.then_some(threshold)))
    }

    /// Switched off, a series ends, and the next fall is a new one.
    pub(crate) fn set_alert(&mut self, wallet: usize, threshold: Option<Exact>) {
        let alert = &mut self.wallets[wallet].low_balance;
        if threshold.is_none() {
            alert.fallen = false;
            alert.told = 0;
            alert.next = None;
        }
        alert.threshold = threshold;
    }

    /// Being overdue is told once for each episode, alert on or off, and ends the series of low balance (R8.5).
    pub(crate) fn tell_overdue(&mut self, wallet: usize, overdue: bool) {
        if overdue && !self.wallets[wallet].overdue_told {
            self.tell(wallet, "overdue");
        }
        self.wallets[wallet].overdue_told = overdue;
        if overdue {
            self.wallets[wallet].low_balance.next = None;
        }
    }

    /// Judged when the balance changes: a fall begins a series, unless it begins with being overdue; a recovery after
    /// at least one notice is told.
    pub(crate) fn judge_low_balance(&mut self, wallet: usize, available: &Exact, overdue: bool) {
        let now = self.now;
        let owner = &mut self.wallets[wallet];
        let alert = &mut owner.low_balance;
        if alert.judged.as_ref() == Some(available) {
            return;
        }
        // What it was opened with is no change.
        let is_first = alert.judged.is_none() && available.is_zero();
        alert.judged = Some(available.clone());
        let Some(threshold) = &alert.threshold else { return };
        let below = available < threshold;
        if is_first || below == alert.fallen {
            return;
        }
        alert.fallen = below;
        alert.next = None;
        let told = std::mem::take(&mut alert.told);
        if !below {
            if told > 0 {
                self.tell(wallet, "recovered");
            }
        } else if !overdue {
            // Never two in one local day: a new fall is told on the next one.
            if alert.told_on == Some(day_of(&owner.zone, now)) {
                self.tell_low_balance_tomorrow(wallet);
            } else {
                self.tell_low_balance(wallet);
            }
        }
    }

    fn tell_low_balance(&mut self, wallet: usize) {
        self.tell(wallet, "low_balance");
        let owner = &mut self.wallets[wallet];
        owner.low_balance.told += 1;
        owner.low_balance.told_on = Some(day_of(&owner.zone, self.now));
        if owner.low_balance.told < self.settings.low_balance_days {
            self.tell_low_balance_tomorrow(wallet);
        }
    }

    fn tell_low_balance_tomorrow(&mut self, wallet: usize) {
        let owner = &mut self.wallets[wallet];
        let next = full_minute_from(same_time_tomorrow(&owner.zone, self.now));
        owner.low_balance.next = Some(next);
        self.falls_due(next, Due::LowBalance { wallet });
    }

    /// The time of day has come at which it is told again, if available credit is still below the threshold.
    pub(crate) fn low_balance_is_due(&mut self, wallet: usize) {
        let alert = &self.wallets[wallet].low_balance;
        if alert.next != Some(self.now) {
            return;
        }
        let available = self.wallets[wallet].available();
        if alert.threshold.as_ref().is_some_and(|threshold| available < *threshold) {
            self.wallets[wallet].low_balance.next = None;
            self.tell_low_balance(wallet);
        } else {
            self.tell_low_balance_tomorrow(wallet);
        }
    }
}
