//! Plans: orders that renew by the month (R5.8).

use crate::BookKeeper;
use crate::calendar::{full_minute_from, months_later};
use crate::exact::Exact;
use crate::passing::Due;

/// How an order belongs to a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It renews nothing.
    None,
    /// It is the first of a plan.
    First,
    /// It is a later one of the plan of this name.
    Of(String),
}

/// A plan, called as its first order.
pub struct Plan {
    account: String,
    product: String,
    amount: Exact,
    method: Option<String>,
    /// When the first order was bought.
    begun: i64,
    /// How many orders it has made, and the last of them.
    periods: u32,
    pub running: String,
    pub renews_at: i64,
    /// Its time to renew has come.
    waits: bool,
    pub ended: bool,
}

/// What every order of a plan is for.
pub struct Terms {
    pub account: String,
    pub product: String,
    pub amount: Exact,
    pub method: Option<String>,
}

impl BookKeeper {
    /// An order has been bought. The next renewal is at the first month's end, counted from the first order, that is
    /// still to come.
    pub(crate) fn plan_goes_on(&mut self, wallet: usize, id: &str, renewal: Renewal, terms: Terms) {
        let name = match renewal {
            Renewal::None => return,
            Renewal::First => {
                let Terms { account, product, amount, method } = terms;
                let plan = Plan {
                    account,
                    product,
                    amount,
                    method,
                    begun: self.now,
                    periods: 0,
                    running: id.to_string(),
                    renews_at: self.now,
                    waits: false,
                    ended: false,
                };
                self.plans.insert((wallet, id.to_string()), plan);
                id.to_string()
            }
            Renewal::Of(name) => name,
        };
        let zone = self.wallets[wallet].zone.clone();
        let Some(plan) = self.plans.get_mut(&(wallet, name.clone())) else { return };
        plan.periods += 1;
        plan.running = id.to_string();
        let mut months = 1;
        let ends = |months| full_minute_from(months_later(&zone, plan.begun, months));
        while ends(months) <= self.now {
            months += 1;
        }
        plan.renews_at = ends(months);
        let at = plan.renews_at;
        self.falls_due(at, Due::Renewal { wallet, plan: name });
    }

    pub(crate) fn renewal_is_due(&mut self, wallet: usize, name: &str) {
        if let Some(plan) = self.plans.get_mut(&(wallet, name.to_string())) {
            plan.waits = !plan.ended;
        }
    }

    /// Renews what is due, unless its billing account is frozen, or it is paid by a method while a payment of bills is
    /// in flight.
    pub(crate) fn renew_what_waits(&mut self) {
        let waits: Vec<(usize, String)> = self
            .plans
            .iter()
            .filter(|((wallet, _), plan)| {
                let owner = &self.wallets[*wallet];
                let is_blocked = owner.frozen || plan.method.is_some() && owner.in_flight.is_some();
                plan.waits && !is_blocked
            })
            .map(|(key, _)| key.clone())
            .collect();
        for (wallet, name) in waits {
            let in_flight = self.wallets[wallet].in_flight.is_some();
            let Some(plan) = self.plans.get_mut(&(wallet, name.clone())) else { continue };
            if plan.method.is_some() && in_flight {
                continue;
            }
            plan.waits = false;
            self.renew(wallet, &name);
        }
    }

    /// What would refuse the order ends the plan, and its owner is told. It ends silently with its account, and where
    /// anything of its running period was given back.
    fn renew(&mut self, wallet: usize, name: &str) {
        let key = (wallet, name.to_string());
        let Some(plan) = self.plans.get(&key) else { return };
        let is_closed = |account: &crate::registry::Account| account.closed_at.is_some();
        let running = self.orders.get(&(wallet, plan.running.clone()));
        if self.wallets[wallet].deregistered_at.is_some()
            || self.accounts.get(&plan.account).is_none_or(is_closed)
            || running.is_none_or(|order| order.refunded.is_positive())
        {
            return self.end_plan(wallet, name);
        }
        let id = format!("{name}.{}", plan.periods + 1);
        let (account, product) = (plan.account.clone(), plan.product.clone());
        let (amount, method) = (plan.amount.clone(), plan.method.clone());
        let renewal = Renewal::Of(name.to_string());
        let is_taken = self.orders.contains_key(&(wallet, id.clone()));
        let bought = !is_taken
            && self.buy(wallet, id, account, product, amount, method.as_deref(), renewal).is_ok();
        if !bought {
            self.end_plan(wallet, name);
            self.tell(wallet, "payment_failed");
        }
    }

    pub(crate) fn end_plan(&mut self, wallet: usize, name: &str) {
        if let Some(plan) = self.plans.get_mut(&(wallet, name.to_string())) {
            plan.ended = true;
        }
    }
}
