//! Time passes: what falls due happens, in the order of R3.6.

use crate::BookKeeper;
use crate::calendar::{Month, latest};
use std::collections::BTreeSet;

/// Something that happens by itself. The order of the variants is the order within one instant (R3.6): bills and
/// coupons, then write-off (which follows the bills directly), then payments, then overdue, then what begins or expires,
/// and last what comes from outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The bills of a wallet's cycle with this end are issued (R5.1).
    Bills { wallet: usize, cycle_end: i64 },
    /// A try after a decline: which series of the wallet, and how long after its beginning (R6.5).
    Try { wallet: usize, series: usize, after: i64 },
    /// All that a wallet owes is charged (R6.2).
    MonthEnd { wallet: usize },
    /// The invoice of a wallet for the half-month that ends here (R12.1).
    Invoice { wallet: usize, end: i64 },
    /// It is seen whether bills of this month are still unpaid, which is bad debt (R9.1).
    BadDebt { wallet: usize, month: Month },
    /// Something may be judged otherwise from now on, by time alone (R8.1, R8.3, R9.4).
    Judgement { wallet: usize },
    /// A low balance is told again (R8.5).
    LowBalance { wallet: usize },
    /// A cash coupon begins to be valid: an asset that can pay has arrived (R5.3).
    CashCouponBegins { wallet: usize },
    /// Local midnight fixes what a month usually costs, for automatic recharge that was switched on so many times (R6.7).
    UsualCost { wallet: usize, number: usize },
    /// A test top-up of automatic recharge (R7.2).
    TestTopUp { wallet: usize, number: usize },
    /// A plan renews (R5.8).
    Renewal { wallet: usize, plan: String },
    /// A request that nobody has answered (R10.1).
    RequestExpires { request: String },
    /// The gateway is asked again about a payment whose answer was lost (R6.4).
    Answer { payment: usize },
    /// A payment whose outcome is still unknown is shown as delayed (R6.4).
    Delayed { payment: usize },
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
            let (mut billed, mut ended) = (BTreeSet::new(), Vec::new());
            for due in &dues {
                if let Due::Bills { wallet, cycle_end } = due {
                    // One whose bills were all issued before ends unnoticed.
                    if self.wallets[*wallet].open.contains_key(cycle_end) {
                        ended.push((*wallet, *cycle_end));
                    }
                    self.issue_cycle(*wallet, *cycle_end);
                    billed.insert(*wallet);
                }
            }
            for wallet in &billed {
                self.write_off_after_issue(*wallet);
            }
            self.charge_at_this_instant(&billed, &dues);
            for due in &dues {
                if let Due::BadDebt { wallet, month } = due {
                    self.judge_bad_debt(*wallet, *month);
                }
            }
            self.judge_everyone();
            for (wallet, cycle_end) in ended {
                self.cycle_has_ended(wallet, cycle_end);
            }
            for due in &dues {
                if let Due::LowBalance { wallet } = due {
                    self.low_balance_is_due(*wallet);
                }
            }
            // What bills have done to credit is seen before a new usual cost is, which begins last.
            for due in &dues {
                if let Due::UsualCost { wallet, .. } = due {
                    self.recharge_if_low(*wallet);
                }
            }
            self.dated = self.dated.max(self.now);
            for due in &dues {
                match due {
                    Due::CashCouponBegins { wallet } => self.write_off(*wallet),
                    Due::UsualCost { wallet, number } => self.fix_usual_cost(*wallet, *number),
                    Due::TestTopUp { wallet, number } => self.test_the_method(*wallet, *number),
                    Due::Renewal { wallet, plan } => self.renewal_is_due(*wallet, plan),
                    Due::RequestExpires { request } => self.request_expires(request),
                    Due::Answer { payment } => self.ask_again(*payment),
                    Due::Delayed { payment } => self.show_as_delayed(*payment),
                    _ => {}
                }
            }
            self.look_after_everyone();
            self.judge_everyone();
            self.invoices_of_this_instant(&dues);
            self.judge_near_due_that_waited();
            self.hear_what_was_asked();
        }
        self.now = self.now.max(until);
        self.dated = self.dated.max(self.now);
    }

    /// The threshold where bills were issued, tries, and the end of a month (R6.1, R6.2, R6.5).
    fn charge_at_this_instant(&mut self, billed: &BTreeSet<usize>, dues: &BTreeSet<Due>) {
        let mut due = BTreeSet::new();
        for other in dues {
            match other {
                Due::Try { wallet, series, .. } => {
                    self.try_is_due(*wallet, *series);
                    due.insert(*wallet);
                }
                Due::MonthEnd { wallet } => {
                    self.month_has_ended(*wallet);
                    due.insert(*wallet);
                    let next = self.wallets[*wallet].end_of_month(self.now);
                    if next > self.now {
                        self.falls_due(next, Due::MonthEnd { wallet: *wallet });
                    }
                }
                _ => {}
            }
        }
        for wallet in billed.union(&due) {
            self.charge_what_is_due(*wallet, billed.contains(wallet));
        }
    }

    /// Each is issued once its number is given out, after what else happens at its instant.
    fn invoices_of_this_instant(&mut self, dues: &BTreeSet<Due>) {
        let due = |due: &Due| match due {
            Due::Invoice { wallet, end } => Some((*wallet, *end)),
            _ => None,
        };
        for (wallet, end) in dues.iter().filter_map(due) {
            self.invoice(wallet, end);
        }
        for (wallet, _) in dues.iter().filter_map(due) {
            self.charge_what_is_due(wallet, true);
        }
        self.look_after_everyone();
        self.judge_everyone();
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
