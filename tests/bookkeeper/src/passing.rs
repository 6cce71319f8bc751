//! Time passes: what falls due happens, in the order of R3.6.

use crate::BookKeeper;
use crate::calendar::{Month, latest};
use std::collections::BTreeSet;

/// Something that happens by itself. The order of the variants is the order within one instant (R3.6): bills and
/// coupons, then write-off (which follows the bills directly), then overdue, then what begins or expires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The bills of a wallet's cycle with this end are issued (R5.1).
    Bills { wallet: usize, cycle_end: i64 },
    /// It is seen whether bills of this month are still unpaid, which is bad debt (R9.1).
    BadDebt { wallet: usize, month: Month },
    /// A cash coupon begins to be valid: an asset that can pay has arrived (R5.3).
    CashCouponBegins { wallet: usize },
}

impl BookKeeper {
    /// Everything that falls due up to and at this instant happens. Time never goes back, and ends where the calendar
    /// does.
    pub fn pass(&mut self, until: i64) {
        let until = until.min(latest());
        while let Some((instant, dues)) = self.next_due(until) {
            self.now = self.now.max(instant);
            // What begins or expires at an instant does so last, so the bills still see what was just before.
            self.dated = self.dated.max(self.now.saturating_sub(1));
            let mut billed = BTreeSet::new();
            for due in &dues {
                if let Due::Bills { wallet, cycle_end } = due {
                    self.issue_cycle(*wallet, *cycle_end);
                    billed.insert(*wallet);
                }
            }
            for wallet in billed {
                self.write_off_after_issue(wallet);
            }
            for due in &dues {
                if let Due::BadDebt { wallet, month } = due {
                    self.judge_bad_debt(*wallet, *month);
                }
            }
            self.dated = self.dated.max(self.now);
            for due in &dues {
                if let Due::CashCouponBegins { wallet } = due {
                    self.write_off(*wallet);
                }
            }
        }
        self.now = self.now.max(until);
        self.dated = self.dated.max(self.now);
    }

    fn next_due(&mut self, until: i64) -> Option<(i64, BTreeSet<Due>)> {
        let first = self.due.first_entry()?;
        if *first.key() > until { None } else { Some(first.remove_entry()) }
    }

    /// Lets something happen at this instant, or at once when the instant has passed.
    pub(crate) fn falls_due(&mut self, at: i64, due: Due) {
        self.due.entry(at.max(self.now)).or_default().insert(due);
    }
}
