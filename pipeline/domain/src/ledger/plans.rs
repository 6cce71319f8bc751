//! Plans: orders that are placed anew at the end of each period (R5.8). A period is a month of the billing
//! account's calendar, counted from the first order.

use super::fact::{Journal, PlanChanged};
use super::orders::Purchase;
use super::state::{AccountNumber, ProductNumber, Wallet, WalletNumber, WalletState};
use super::{Broken, Ledger, Undecided};
use crate::ids::{ID_BYTES_MAX, MethodId, OrderId};
use crate::money::Amount;
use crate::notices::NoticeKind;
use crate::record;
use crate::time::{Minute, Timestamp};

/// Later periods are orders of their own, called `NAME.2` and so on: so much of a name must be free.
const SUFFIX_MAX: usize = 6;

record! {
    /// An order that is placed anew when its period ends.
    pub struct Plan {
        /// The order of its first period.
        pub plan: OrderId,
        /// The order of its running one.
        pub order: OrderId,
        pub began: Timestamp,
        /// The running period, counted from one on.
        pub period: u32,
        pub renews_at: Minute,
        pub amount: Amount,
        pub account: AccountNumber,
        pub product: Option<ProductNumber>,
        /// What pays the rest; none: the billing account alone.
        pub method: Option<MethodId>,
    }
}

record! {
    /// The plans of a wallet, in the order in which they were begun.
    pub struct Plans {
        pub running: Vec<Plan>,
    }
}

impl Wallet {
    /// The plan whose running period was bought by this order.
    pub(super) fn plan_of(&self, order: &OrderId) -> Option<&Plan> {
        self.plans().iter().find(|plan| plan.order == *order)
    }

    fn plans(&self) -> &[Plan] {
        self.plans.as_deref().map_or(&[], |plans| &plans.running)
    }

    /// When plans are renewed: not while nothing may go out, nor while the method that pays has a payment in flight.
    pub(super) fn plans_renew_at(&self) -> impl Iterator<Item = Minute> {
        let open = self.state() == WalletState::Valid;
        let charging = self.paying.as_deref().is_some_and(|paying| paying.in_flight.is_some());
        let ready = move |plan: &&Plan| open && !(charging && plan.method.is_some());
        self.plans().iter().filter(ready).map(|plan| plan.renews_at)
    }
}

/// Whether the periods of a plan can be called after its first order.
pub(super) fn can_renew(order: &OrderId) -> bool {
    order.as_str().len() <= ID_BYTES_MAX - SUFFIX_MAX
}

impl Ledger {
    /// An order that was placed, or waits for its payment, is to be renewed.
    pub(super) fn begin_plan(
        &mut self,
        number: WalletNumber,
        purchase: Purchase,
        method: Option<MethodId>,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let Purchase { order, amount, account, product } = purchase;
        let (began, period) = (self.clock.now(), 1);
        let (plan, renews_at) = (order.clone(), Minute::END);
        let plan = Plan { plan, order, began, period, renews_at, amount, account, product, method };
        self.go_on_with(number, plan, journal)
    }

    /// An order that waited for its payment is bought. If a plan begins with it, the plan begins now.
    pub(super) fn begin_bought_plan(
        &mut self,
        number: WalletNumber,
        order: &OrderId,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let plan = self.wallet(number).and_then(|wallet| wallet.plan_of(order));
        match plan.filter(|plan| plan.period == 1).cloned() {
            Some(plan) => {
                let began = self.clock.now();
                self.go_on_with(number, Plan { began, ..plan }, journal)
            }
            None => Ok(()),
        }
    }

    /// The period after the running one begins when that ends. What passed while nothing could go out is left out.
    fn go_on_with(
        &mut self,
        number: WalletNumber,
        mut plan: Plan,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let zone = self.wallet(number).ok_or(Broken("an unknown wallet"))?.zone;
        let now = self.clock.now();
        let mut months = 1u32;
        while zone.months_after(plan.began, months) <= now {
            months = months.saturating_add(1);
        }
        plan.renews_at = zone.months_after(plan.began, months).full_minute();
        let name = plan.plan.clone();
        self.record(journal, PlanChanged { wallet: number, name, plan: Some(plan) })
    }

    /// Periods have ended: the next ones are bought, or the plan ends and its owner is told.
    pub(super) fn renew_plans(
        &mut self,
        number: WalletNumber,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        loop {
            let now = self.clock.now().minute();
            let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
            // A payment that one of them begins lets the others wait.
            let ready = wallet.plans_renew_at().any(|at| at <= now);
            let ended = |plan: &&Plan| plan.renews_at <= now;
            let Some(plan) = wallet.plans().iter().find(ended).filter(|_| ready).cloned() else {
                return Ok(());
            };
            self.renew(number, plan, journal)?;
        }
    }

    fn renew(
        &mut self,
        number: WalletNumber,
        plan: Plan,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let mut period = plan.period.saturating_add(1);
        let order = loop {
            let name: OrderId = compact_str::format_compact!("{}.{period}", plan.plan)
                .parse()
                .map_err(|_| Broken("a period of a plan without a name"))?;
            if !wallet.has_order(&name) {
                break name;
            }
            period = period.saturating_add(1);
        };
        let Plan { amount, account, product, .. } = plan;
        let closed = self.account(account).is_none_or(|account| account.closed_at.is_some());
        let purchase = Purchase { order: order.clone(), amount, account, product };
        let bought = match &plan.method {
            _ if closed => {
                return self.end_plan(number, &plan.order, journal).map_err(Undecided::from);
            }
            method => self.buy_by(number, purchase, method.as_ref(), journal),
        };
        match bought {
            Ok(()) => Ok(self.go_on_with(number, Plan { order, period, ..plan }, journal)?),
            Err(Undecided::Refused(_)) => {
                self.end_plan(number, &plan.order, journal)?;
                self.notice_plan(number, plan.plan, journal)
            }
            Err(broken) => Err(broken),
        }
    }

    /// The plan whose running period was bought by this order is not renewed.
    pub(super) fn end_plan(
        &mut self,
        number: WalletNumber,
        order: &OrderId,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let plan = self.wallet(number).and_then(|wallet| wallet.plan_of(order));
        match plan.map(|plan| plan.plan.clone()) {
            Some(name) => self.record(journal, PlanChanged { wallet: number, name, plan: None }),
            None => Ok(()),
        }
    }

    fn notice_plan(
        &mut self,
        number: WalletNumber,
        plan: OrderId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let noticed = self.next_notice(number, NoticeKind::PaymentFailed);
        Ok(self.record(journal, super::fact::Noticed { plan: Some(plan), ..noticed })?)
    }

    pub(super) fn apply_plan(&mut self, fact: &PlanChanged) -> Result<(), Broken> {
        self.retimed(fact.wallet, |wallet| {
            let mut running = wallet.plans.take().map_or_else(Vec::new, |plans| plans.running);
            match (running.iter_mut().find(|known| known.plan == fact.name), &fact.plan) {
                (Some(known), Some(plan)) => known.clone_from(plan),
                (None, Some(plan)) => running.push(plan.clone()),
                (_, None) => running.retain(|known| known.plan != fact.name),
            }
            wallet.plans = (!running.is_empty()).then(|| Box::new(Plans { running }));
            Ok(())
        })
    }
}

#[cfg(test)]
#[path = "plans_tests.rs"]
mod tests;
