//! What falls due by itself, and in which order it happens (R3.6).

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use super::fact::{Journal, Marked, TimePassed};
use super::standing::Occasion;
use super::state::{EnterpriseNumber, Wallet, WalletNumber};
use super::{Broken, Ledger, Undecided};
use crate::requests::Direction;
use crate::time::{Minute, Month, Span, Timestamp};

/// What falls due at one instant happens in this order (R3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The bills of a cycle.
    CycleEnds,
    /// A cash coupon begins to be valid, which is the arrival of an asset (R5.3).
    CashCouponBegins,
    /// All that is owed is charged at the end of a month (R6.2).
    MonthEnds,
    /// A declined payment is tried again (R6.5).
    Retry,
    /// The method of an automatic recharge is tested (R7.2).
    TestTopUp,
    /// The invoice over what was billed (R12.1).
    PeriodEnds,
    /// What is decided of an invoice run is issued, or held (R12.1).
    RunJudged,
    /// An invoice that is held may be issued now (R12.6).
    HeldInvoice,
    /// A payment has been in flight for long (R6.4).
    PaymentLate,
    /// It begins to pay for an account, whose services are judged by its figures from now on, or ends to (R9.4).
    PayerBegins,
    /// The oldest unpaid bill has been so for too long (R8.1).
    UnpaidTooLong,
    /// Unpaid bills become bad debt (R9.1).
    BadDebt,
    /// Services have run on for as long as they may (R8.3).
    SuspensionDue,
    /// A low balance is told again (R8.5).
    LowBalance,
    /// Local midnight: what a month usually costs is found anew (R6.7).
    Midnight,
    /// A card's last month is over (R7.4).
    CardExpires,
    /// Nobody has said whether he pays for somebody (R10.1).
    RequestExpires,
    /// The period of a plan, after which the next one is bought (R5.8).
    PlanPeriodEnds,
}

/// What firing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fired {
    /// How many timers did something.
    pub timers: usize,
    /// More are due.
    pub more: bool,
}

/// What falls due when. Derived from the wallets, never stored.
#[derive(Debug, Default)]
pub(super) struct Due {
    timers: BTreeMap<(Minute, Timer), BTreeSet<WalletNumber>>,
}

impl Due {
    pub(super) fn insert(&mut self, at: Minute, timer: Timer, wallet: WalletNumber) {
        self.timers.entry((at, timer)).or_default().insert(wallet);
    }

    pub(super) fn remove(&mut self, at: Minute, timer: Timer, wallet: WalletNumber) {
        if let Some(wallets) = self.timers.get_mut(&(at, timer)) {
            wallets.remove(&wallet);
            if wallets.is_empty() {
                self.timers.remove(&(at, timer));
            }
        }
    }

    /// Everything that a wallet waits for.
    pub(super) fn insert_all(&mut self, number: WalletNumber, wallet: &Wallet) {
        for (at, timer) in wallet.timers() {
            self.insert(at, timer, number);
        }
    }

    /// When the first falls due. Cheaper than to ask whose it is.
    fn earliest(&self) -> Option<(Minute, Timer)> {
        self.timers.first_key_value().map(|(first, _)| *first)
    }

    fn first(&self) -> Option<(Minute, Timer, WalletNumber)> {
        let ((at, timer), wallets) = self.timers.first_key_value()?;
        Some((*at, *timer, *wallets.first()?))
    }

    pub(super) fn contains(&self, at: Minute, timer: Timer, wallet: WalletNumber) -> bool {
        self.timers.get(&(at, timer)).is_some_and(|wallets| wallets.contains(&wallet))
    }
}

impl Wallet {
    /// What this wallet waits for, or has waited for.
    fn timers(&self) -> impl Iterator<Item = (Minute, Timer)> {
        let cycles = self.open_cycles.iter().map(|cycle| (cycle.ends, Timer::CycleEnds));
        let cash_coupons = self.coupons.iter().filter(|coupon| coupon.cash);
        let cash_coupons = cash_coupons.map(|coupon| (coupon.valid.from, Timer::CashCouponBegins));
        let ends = self.periods().iter().map(|period| self.period_ends(period));
        let periods = ends.map(|at| (at, Timer::PeriodEnds));
        let held = self.held_drafts().map(|at| (at, Timer::HeldInvoice));
        let unapproved = self.unapproved_drafts().map(|at| (at, Timer::RunJudged));
        let invoices = periods.chain(held).chain(unapproved);
        cycles.chain(cash_coupons).chain(invoices).chain(self.own_timers())
    }

    /// What follows from how it pays and whom it tells.
    pub(super) fn own_timers(&self) -> impl Iterator<Item = (Minute, Timer)> + use<> {
        let mut own = SmallVec::<[(Minute, Timer); 8]>::new();
        if let Some(paying) = self.paying.as_deref() {
            own.push((paying.sweep_at, Timer::MonthEnds));
            // While something is in flight, or nothing may go out, it waits.
            let declined = paying
                .declined
                .as_ref()
                .filter(|_| paying.in_flight.is_none() && !self.is_frozen());
            own.extend(declined.and_then(|d| d.retry_at).map(|at| (at, Timer::Retry)));
            let open = paying.in_flight.iter().chain(&paying.others);
            own.extend(open.filter_map(|payment| Some((payment.late_at?, Timer::PaymentLate))));
            let expire = paying.methods.iter().filter_map(|method| self.expires_at(method));
            own.extend(expire.map(|at| (at, Timer::CardExpires)));
        }
        if let Some(recharge) = self.recharge.as_deref() {
            own.push((recharge.test_at, Timer::TestTopUp));
            own.push((recharge.fixed_until, Timer::Midnight));
        }
        if let Some(delayed) = self.delayed_suspension {
            let until = self.delays.iter().map(|delay| delayed.until(delay.since));
            own.extend(until.map(|at| (at, Timer::SuspensionDue)));
        }
        let expire = self.requests(Direction::ToPay).iter().filter_map(|it| it.expires_at);
        own.extend(expire.map(|at| (at, Timer::RequestExpires)));
        own.extend(self.plans_renew_at().map(|at| (at, Timer::PlanPeriodEnds)));
        let low = self.telling.as_deref().and_then(|telling| telling.fall.as_ref()?.next_at);
        own.extend(low.map(|at| (at, Timer::LowBalance)));
        own.into_iter().filter(|(at, _)| *at != Minute::END)
    }
}

impl Ledger {
    /// Time goes on to `at`. Due timers do not fire yet: [`Ledger::fire`] does that.
    pub fn pass(&mut self, at: Timestamp, journal: &mut dyn Journal) -> Result<(), Broken> {
        if at <= self.clock.now() {
            return Ok(());
        }
        self.record(journal, TimePassed { at })
    }

    /// Metering says how far it has come with a usage partition.
    pub fn mark(
        &mut self,
        usage_partition: u32,
        until: Timestamp,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        if until <= self.clock.mark(usage_partition) {
            return Ok(());
        }
        self.record(journal, Marked { usage_partition, until })
    }

    /// Fires due timers of all wallets until `most` of them have done something. One that finds nothing
    /// to do is not counted: which of those there are depends on when the ledger was last restored, and
    /// a slice must end at the same fact whenever it is decided again.
    pub fn fire(&mut self, most: usize, journal: &mut dyn Journal) -> Result<Fired, Broken> {
        let mut timers = 0usize;
        loop {
            let due = self.due.earliest().filter(|(at, timer)| self.is_due(*at, *timer));
            let Some((at, timer, wallet)) = due.and_then(|_| self.due.first()) else {
                return Ok(Fired { timers, more: false });
            };
            if timers >= most {
                return Ok(Fired { timers, more: true });
            }
            let recorded = self.recorded;
            self.fire_one(at, timer, wallet, journal)?;
            if self.recorded != recorded {
                timers = timers.saturating_add(1);
            }
        }
    }

    /// Whenever a bill of this wallet will have been unpaid for too long, it is judged.
    pub(super) fn watch_unpaid(&mut self, number: WalletNumber) {
        let Some(wallet) = self.wallet(number) else { return };
        let mut months: Vec<Month> = wallet.unpaid.iter().map(|bill| bill.month).collect();
        months.dedup();
        months.into_iter().for_each(|month| self.watch_unpaid_of(number, month));
    }

    /// The same for the bills of one month: the oldest may be paid while others are not. That they are paid
    /// by then does no harm.
    pub(super) fn watch_unpaid_of(&mut self, number: WalletNumber, month: Month) {
        if let Some(at) = self.bad_debt_at(number, month) {
            self.due.insert(at, Timer::BadDebt, number);
        }
        let wallet = self.wallet(number).filter(|wallet| wallet.limit.is_positive());
        let at = wallet.map(|wallet| wallet.zone.days_after(month, self.settings.overdue.after));
        if let Some(at) = at {
            self.due.insert(at.full_minute(), Timer::UnpaidTooLong, number);
        }
    }

    fn unpaid_timer(&self, number: WalletNumber) -> Option<Minute> {
        let wallet = self.wallet(number).filter(|wallet| wallet.limit.is_positive())?;
        self.unpaid_too_long_at(wallet).map(Timestamp::full_minute)
    }

    /// Fires what is due for one enterprise, before anything of it is decided.
    pub fn fire_for(
        &mut self,
        enterprise: EnterpriseNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        if !self.due.earliest().is_some_and(|(at, timer)| self.is_due(at, timer)) {
            return Ok(());
        }
        let wallets = self.enterprise(enterprise).map(|e| e.wallets.clone()).unwrap_or_default();
        for wallet in wallets {
            while let Some((at, timer)) = self.first_due_of(wallet) {
                self.fire_one(at, timer, wallet, journal)?;
            }
        }
        Ok(())
    }

    pub(super) fn first_due_of(&self, number: WalletNumber) -> Option<(Minute, Timer)> {
        let unpaid = self.unpaid_timer(number).map(|at| (at, Timer::UnpaidTooLong));
        let payees = self.paid_for(number).iter().filter_map(|account| self.account(*account));
        let begins = payees.flat_map(|account| account.payers.iter()).map(|payer| payer.from);
        let begins = begins.map(|from| (from, Timer::PayerBegins));
        let months = self.wallet(number)?.unpaid.iter().map(|bill| bill.month);
        let bad_debt = months.filter_map(|month| self.bad_debt_at(number, month));
        let bad_debt = bad_debt.map(|at| (at, Timer::BadDebt));
        let waits = self.wallet(number)?.timers().chain(unpaid).chain(begins).chain(bad_debt);
        let due = waits.filter(|(at, timer)| {
            self.is_due(*at, *timer) && self.due.contains(*at, *timer, number)
        });
        due.min()
    }

    /// When the next timer will be due, for whoever drives a virtual clock.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.due.earliest().map(|(at, timer)| self.due_at(at, timer))
    }

    fn due_at(&self, at: Minute, timer: Timer) -> Timestamp {
        match timer {
            Timer::CycleEnds | Timer::PeriodEnds => at.starts().plus(self.settings.bills.grace),
            _ => at.starts(),
        }
    }

    /// Its time has come, and the bills that go before it may be issued.
    fn is_due(&self, at: Minute, timer: Timer) -> bool {
        let at = self.due_at(at, timer);
        at <= self.clock.now() && at.quarter() <= self.clock.gate()
    }

    pub(super) fn fire_one(
        &mut self,
        at: Minute,
        timer: Timer,
        wallet: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let fired = match timer {
            Timer::CycleEnds => self.end_cycle(wallet, at, journal),
            Timer::PeriodEnds => self.end_period(wallet, at, journal).map_err(Undecided::from),
            Timer::RunJudged => self.judge_run(wallet, at, journal).map_err(Undecided::from),
            Timer::HeldInvoice => {
                self.due.remove(at, timer, wallet);
                self.settle_held(wallet, at, journal).map_err(Undecided::from)
            }
            Timer::CashCouponBegins => {
                self.due.remove(at, timer, wallet);
                self.write_off(wallet, journal)
            }
            Timer::MonthEnds => self
                .sweep(wallet, at, journal)
                .and_then(|()| self.judge_near_due_that_waited(wallet, journal)),
            Timer::Retry => self
                .retry(wallet, journal)
                .and_then(|()| self.judge_near_due_that_waited(wallet, journal)),
            Timer::TestTopUp => self.test_method(wallet, journal),
            Timer::PaymentLate => self.delay(wallet, journal),
            Timer::Midnight => self.fix_typical(wallet, journal),
            Timer::CardExpires => self.expire_cards(wallet, at, journal),
            Timer::RequestExpires => self.expire_requests(wallet, journal),
            Timer::PlanPeriodEnds => self.renew_plans(wallet, journal),
            Timer::UnpaidTooLong | Timer::PayerBegins => {
                self.due.remove(at, timer, wallet);
                // What was paid or replaced meanwhile leaves its timer behind, but not in a ledger that was
                // restored since.
                match self.still_waits(at, timer, wallet) {
                    true => self.judge(wallet, Occasion::Timer, journal),
                    false => Ok(()),
                }
            }
            Timer::BadDebt => self.find_bad_debt(at, wallet, journal).map_err(Undecided::from),
            Timer::SuspensionDue | Timer::LowBalance => {
                self.judge(wallet, Occasion::Timer, journal)
            }
        };
        fired.and_then(|()| self.judge_touched(journal)).map_err(broken)
    }
}

impl Ledger {
    /// A cycle ends: its bills are issued and paid, and then credit must cover the next ones.
    fn end_cycle(
        &mut self,
        wallet: WalletNumber,
        at: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let before = self.due_at(at, Timer::CycleEnds).minus(Span::micros(1));
        self.billed_as_of = Some(before.minute());
        let billed = self.bill_cycle(wallet, at, journal);
        self.billed_as_of = None;
        billed?;
        self.judge_touched(journal)?;
        self.judge_near_due(wallet, at, journal)
    }

    /// Whether a wallet waits for this still.
    fn still_waits(&self, at: Minute, timer: Timer, number: WalletNumber) -> bool {
        let Some(wallet) = self.wallet(number) else { return false };
        if timer == Timer::PayerBegins {
            let payees = self.paid_for(number).iter().filter_map(|account| self.account(*account));
            let mut changes = payees.flat_map(|account| {
                let begin = account.payers.iter().filter(|payer| payer.from == at);
                begin.flat_map(|payer| [Some(payer.wallet), account.payer_before(at)])
            });
            return changes.any(|judged| judged == Some(number));
        }
        let too_long = |month| wallet.zone.days_after(month, self.settings.overdue.after);
        wallet.limit.is_positive()
            && wallet.unpaid.iter().any(|bill| too_long(bill.month).full_minute() == at)
    }
}

/// A timer asks nobody's leave: what would be a refusal elsewhere is a broken ledger here.
pub(super) fn broken(undecided: Undecided) -> Broken {
    match undecided {
        Undecided::Broken(broken) => broken,
        Undecided::Refused(_) => Broken("an amount left its range while a timer fired"),
    }
}

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
