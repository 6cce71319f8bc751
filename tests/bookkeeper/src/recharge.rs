//! Automatic recharge (R6.7), its tests (R7.2), and stopping top-ups under an enterprise (R11.3).

use crate::BookKeeper;
use crate::calendar::{Cycle, end_of_cycle, full_minute_from};
use crate::exact::Exact;
use crate::fields::{Fields, MALFORMED, Refusal};
use crate::passing::Due;
use crate::payments::{Purpose, Status};
use std::collections::BTreeSet;

/// How many percents there can be.
const PERCENTS: usize = 10;

/// Automatic recharge while it is switched on.
#[derive(Clone, Debug)]
pub struct Recharge {
    amount: Exact,
    percents: BTreeSet<Exact>,
    /// The percents that have not been spent since available credit was above them.
    armed: BTreeSet<Exact>,
    /// What a month usually costs, fixed at local midnight.
    usual: Exact,
    /// The how manieth time it was switched on, so that what fell due for an earlier time is known as such.
    pub number: usize,
}

/// What `configure` asks for.
pub enum Wanted {
    Off,
    On { amount: Exact, percents: BTreeSet<Exact> },
}

impl BookKeeper {
    /// Reads the setting `auto_recharge`. Its amount is a top-up (R7.1).
    pub(crate) fn wanted_recharge(
        &self,
        wallet: usize,
        fields: &Fields,
    ) -> Result<Option<Wanted>, Refusal> {
        let known = ["enabled", "percents", "amount"];
        let Some(inner) = fields.inner("auto_recharge", &known)? else { return Ok(None) };
        let enabled = inner.flag("enabled")?.ok_or(MALFORMED)?;
        let currency = self.wallets[wallet].currency;
        let mut percents = BTreeSet::new();
        for text in inner.texts("percents")? {
            let (percent, _) = Exact::read(&text).ok_or(MALFORMED)?;
            if !percent.is_positive() || percent > Exact::whole(100) {
                return Err(MALFORMED);
            }
            percents.insert(percent);
        }
        if percents.len() > PERCENTS {
            return Err(MALFORMED);
        }
        let amount = inner.amount("amount", currency)?;
        let code = currency.code;
        if self.settings.minimum_top_up.get(code).is_some_and(|least| amount < *least) {
            return Err("below_minimum");
        }
        if self.settings.bank_only_above.get(code).is_some_and(|most| amount > *most) {
            return Err("method_not_allowed");
        }
        if percents.is_empty() {
            percents = self.settings.recharge_percents.iter().cloned().collect();
        }
        Ok(Some(if enabled { Wanted::On { amount, percents } } else { Wanted::Off }))
    }

    /// Switched on, all percents are armed, and the usual cost is that of the moment. While it stays on, a percent
    /// that is new is armed.
    pub(crate) fn set_recharge(&mut self, wallet: usize, wanted: Wanted) {
        let now = self.now;
        let owner = &mut self.wallets[wallet];
        let (amount, percents) = match wanted {
            Wanted::Off => {
                owner.recharge = None;
                return;
            }
            Wanted::On { amount, percents } => (amount, percents),
        };
        if let Some(recharge) = &mut owner.recharge {
            let new: Vec<Exact> = percents.difference(&recharge.percents).cloned().collect();
            recharge.armed.extend(new);
            recharge.armed.retain(|percent| percents.contains(percent));
            recharge.percents = percents;
            recharge.amount = amount;
            return;
        }
        owner.recharges += 1;
        let number = owner.recharges;
        let usual = owner.usual_month(now);
        let armed = percents.clone();
        owner.recharge = Some(Recharge { amount, percents, armed, usual, number });
        let midnight = end_of_cycle(&owner.zone, Cycle::Day, now);
        self.falls_due(midnight, Due::UsualCost { wallet, number });
        let test = full_minute_from(now.saturating_add(self.settings.test_every));
        self.falls_due(test, Due::TestTopUp { wallet, number });
    }

    /// Local midnight fixes what a month usually costs.
    pub(crate) fn fix_usual_cost(&mut self, wallet: usize, number: usize) {
        let now = self.now;
        let owner = &mut self.wallets[wallet];
        let usual = owner.usual_month(now);
        let midnight = end_of_cycle(&owner.zone, Cycle::Day, now);
        if let Some(recharge) = &mut owner.recharge
            && recharge.number == number
        {
            recharge.usual = usual;
            if midnight > now {
                self.falls_due(midnight, Due::UsualCost { wallet, number });
            }
        }
    }

    /// Tops up when available credit is at or below an armed percent of the usual cost, for whatever reason. Several
    /// that are crossed at once are one recharge; while something declined is not cured it waits, and for the answer
    /// to a payment of bills until that is shown as delayed.
    pub(crate) fn recharge_if_low(&mut self, wallet: usize) {
        loop {
            let owner = &mut self.wallets[wallet];
            if owner.recharge.is_none() {
                return;
            }
            let available = owner.available();
            let Some(recharge) = &mut owner.recharge else { return };
            let burns = recharge.usual.is_positive();
            let mut crossed = BTreeSet::new();
            for percent in &recharge.percents {
                let level = recharge.usual.times(percent).round_half_even().share(1, 100);
                if available > level {
                    recharge.armed.insert(percent.clone());
                } else if burns && recharge.armed.contains(percent) {
                    crossed.insert(percent.clone());
                }
            }
            let is_pending = |payment: usize| self.payments[payment].status == Status::Pending;
            let waits =
                owner.declines.is_some() || owner.frozen || owner.in_flight.is_some_and(is_pending);
            if crossed.is_empty() || waits || self.recharge_is_frozen(wallet) {
                return;
            }
            let owner = &mut self.wallets[wallet];
            let Some(recharge) = &mut owner.recharge else { return };
            recharge.armed.retain(|percent| !crossed.contains(percent));
            let amount = recharge.amount.clone();
            match owner.paying_method(self.dated).map(|method| method.name.clone()) {
                Some(method) => {
                    let purpose = Purpose::TopUp("recharge".to_string());
                    self.charge_method(wallet, "recharge", &method, amount, purpose);
                }
                None => self.tell(wallet, "recharge_failed"),
            }
        }
    }

    /// Every 90 days a test goes through the default method (R7.2). That no method can pay is a failure.
    pub(crate) fn test_the_method(&mut self, wallet: usize, number: usize) {
        let owner = &self.wallets[wallet];
        if owner.recharge.as_ref().is_none_or(|recharge| recharge.number != number) {
            return;
        }
        let method = owner.paying_method(self.dated).map(|method| method.name.clone());
        let next = full_minute_from(self.now.saturating_add(self.settings.test_every));
        self.falls_due(next, Due::TestTopUp { wallet, number });
        if self.recharge_is_frozen(wallet) {
            return;
        }
        match method {
            Some(method) => {
                self.charge_method(wallet, "test", &method, Exact::whole(1), Purpose::NoMoney);
            }
            None => self.tell(wallet, "test_top_up_failed"),
        }
    }

    pub(crate) fn recharge_is_frozen(&self, wallet: usize) -> bool {
        let enterprise = self.enterprises.get(&self.wallets[wallet].enterprise);
        enterprise.is_some_and(|enterprise| enterprise.recharge_frozen)
    }

    /// One call stops top-ups and automatic recharge under the whole enterprise, one allows them again (R11.3).
    pub(crate) fn freeze_recharge(&mut self, fields: &Fields, frozen: bool) -> Result<(), Refusal> {
        let id = fields.text("enterprise")?;
        self.enterprise(id)?;
        self.may_stop_top_ups(id)?;
        let enterprise = self.enterprises.get_mut(id).ok_or("not_found")?;
        match (enterprise.recharge_frozen, frozen) {
            (true, true) => return Err("recharge_frozen"),
            (false, false) => return Err("not_found"),
            _ => enterprise.recharge_frozen = frozen,
        }
        Ok(())
    }
}
