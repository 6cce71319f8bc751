//! How long credit lasts, and what is told of that (R8.6, R8.8).

use crate::BookKeeper;
use crate::calendar::{DAY, HOUR, day_of};
use crate::exact::Exact;
use crate::wallet::{Kind, Wallet};

/// The hours before a cycle's end that say what a cycle costs (R8.8).
const HOURS_BEFORE: i64 = 7;

/// What is told of how long credit lasts.
#[derive(Clone, Debug, Default)]
pub struct Lasting {
    /// It lasts too few days, and has not recovered.
    short: bool,
    /// That is still to be told.
    untold: bool,
    told_on: Option<i64>,
    /// Available credit and the number of bills when it was last looked at.
    seen: Option<(Exact, usize)>,
    /// It was told that it would not cover the next cycles.
    near_due: bool,
    /// The end of a cycle of which that is judged once the payment under way is answered.
    near_due_waits: Option<i64>,
}

impl Wallet {
    /// For how many days available credit lasts: two places, down, never negative. Without a burn there is no end.
    pub fn days_left(&self, now: i64) -> Option<Exact> {
        let burn = self.daily_burn(now);
        let left = self.available().at_least_zero();
        burn.is_positive().then(|| Exact::whole(1).part_of(&left, &burn).round_down(2))
    }
}

impl BookKeeper {
    /// Whether R8.2 judges any account by its available credit itself.
    fn judges_credit_directly(&self, wallet: usize) -> bool {
        let owner = &self.wallets[wallet];
        let is_carried = owner.credit_limit.is_positive() || self.is_carried_by_method(wallet);
        let is_direct = |account: &crate::registry::Account| {
            account.closed_at.is_none()
                && account.payer_at(self.dated) == wallet
                && (owner.kind == Kind::Ecosystem || account.prepaid || !is_carried)
        };
        self.accounts.values().any(is_direct)
    }

    /// A fall is found with a charge; that credit lasts longer again when something else changes it. Told at most once
    /// a local day: a fall on a day on which one was told is told on the next one, if it still lasts too short.
    pub(crate) fn judge_runway(&mut self, wallet: usize, by_charge: bool) {
        let owner = &self.wallets[wallet];
        let seen = Some((owner.available(), owner.issued.len()));
        if !by_charge && owner.lasting.seen == seen {
            return;
        }
        let is_short = match owner.days_left(self.now) {
            Some(days) => days < Exact::whole(self.settings.runway_days),
            None => false,
        };
        let today = day_of(&owner.zone, self.now);
        let is_direct = self.judges_credit_directly(wallet);
        let lasting = &mut self.wallets[wallet].lasting;
        lasting.seen = seen;
        if by_charge && is_short && is_direct && !lasting.short {
            (lasting.short, lasting.untold) = (true, true);
        } else if !by_charge && !is_short {
            (lasting.short, lasting.untold) = (false, false);
        }
        if lasting.untold && is_short && is_direct && lasting.told_on != Some(today) {
            lasting.untold = false;
            lasting.told_on = Some(today);
            self.tell(wallet, "runway");
        }
    }

    /// At a cycle's end, or once the payment is answered that begins there: a gateway takes a while, so that is after all
    /// else that happens at its instant.
    pub(crate) fn cycle_has_ended(&mut self, wallet: usize, cycle_end: i64) {
        let begins_now = |payment: &crate::payments::MethodPayment| {
            payment.wallet == wallet && payment.at == self.now && payment.is_of_bills()
        };
        if self.payments.iter().rev().take_while(|it| it.at == self.now).any(begins_now)
            || self.wallets[wallet].in_flight.is_some()
        {
            self.wallets[wallet].lasting.near_due_waits = Some(cycle_end);
        } else {
            self.judge_near_due(wallet, cycle_end);
        }
    }

    /// At a cycle's end: whether available credit would cover some more cycles. A cycle costs the mean of the hours
    /// of use in the seven hours before its end, times the hours of the next one.
    fn judge_near_due(&mut self, wallet: usize, cycle_end: i64) {
        let owner = &self.wallets[wallet];
        let from = cycle_end.saturating_sub(HOURS_BEFORE * HOUR);
        let charges: Exact =
            owner.charges_by_hour.range(from..cycle_end).map(|(_, charge)| charge).sum();
        let next_end = owner.end_of_cycle(cycle_end);
        let length = next_end.saturating_sub(owner.start_of_cycle(cycle_end));
        let cycle = charges.share(length, HOURS_BEFORE * HOUR);
        let cycles = cycle.share(self.settings.near_due_cycles, 1);
        let is_near = owner.available() < cycles;
        let is_direct = self.judges_credit_directly(wallet);
        let lasting = &mut self.wallets[wallet].lasting;
        lasting.near_due_waits = None;
        if !is_near {
            lasting.near_due = false;
        } else if is_direct && !std::mem::replace(&mut lasting.near_due, true) {
            self.tell(wallet, "near_due");
        }
    }

    pub(crate) fn judge_near_due_that_waited(&mut self) {
        for wallet in 0..self.wallets.len() {
            let owner = &self.wallets[wallet];
            let waits = owner.lasting.near_due_waits.filter(|_| owner.in_flight.is_none());
            if let Some(cycle_end) = waits {
                self.judge_near_due(wallet, cycle_end);
            }
        }
    }

    /// The view `runway`: the daily burn, the days left, and when nothing is left.
    pub fn runway(&self, billing_account: &str) -> Option<(String, Option<String>, Option<i64>)> {
        let owner = &self.wallets[*self.wallet_numbers.get(billing_account)?];
        let days = owner.days_left(self.now);
        let at = days.as_ref().and_then(|days| {
            let hundredths: i64 = days.share(100, 1).to_string().parse().ok()?;
            Some(self.now.saturating_add(hundredths.saturating_mul(DAY / 100)))
        });
        let burn = owner.daily_burn(self.now).to_string();
        Some((burn, days.map(|days| days.to_string()), at))
    }
}
