//! When services stop and go on again (R8.2, R8.3, R8.4).

use crate::BookKeeper;
use crate::calendar::{HOUR, full_minute_from};
use crate::exact::Exact;
use crate::fields::{Fields, MALFORMED, Refusal};
use crate::passing::Due;
use crate::wallet::Kind;

/// The services of one account.
#[derive(Clone, Debug)]
pub struct Service {
    pub suspended: bool,
    pub since: i64,
    /// From when on services would have stopped, without delay (R8.3).
    would_stop_since: Option<i64>,
    /// By whose figures it was judged last.
    payer: usize,
    /// Its payer's figures are those it was opened with: it is not judged yet.
    is_new: bool,
}

impl Service {
    /// A new account starts running.
    pub fn new(payer: usize, now: i64) -> Service {
        Service { suspended: false, since: now, would_stop_since: None, payer, is_new: true }
    }
}

/// How long services run on, once they would stop (R8.3).
#[derive(Clone, Debug)]
pub struct Delay {
    hours: Option<i64>,
    debt: Option<Exact>,
}

impl BookKeeper {
    /// Reads the setting `delayed_suspension`; an empty one switches it off.
    pub(crate) fn wanted_delay(
        &self,
        wallet: usize,
        fields: &Fields,
    ) -> Result<Option<Option<Delay>>, Refusal> {
        let known = ["hours", "debt"];
        let Some(inner) = fields.inner("delayed_suspension", &known)? else { return Ok(None) };
        let hours = inner.whole("hours")?;
        if hours.is_some_and(|hours| hours < 0) {
            return Err(MALFORMED);
        }
        let debt = match inner.has("debt") {
            true => Some(inner.amount_or_zero("debt", self.wallets[wallet].currency)?),
            false => None,
        };
        let is_empty = hours.is_none() && debt.is_none();
        Ok(Some(if is_empty { None } else { Some(Delay { hours, debt }) }))
    }

    /// Something may have changed at this billing account: overdue, services and notices are judged, in this order
    /// (R3.6).
    pub(crate) fn judge_wallet(&mut self, wallet: usize) {
        let mut paid_for = Vec::new();
        for (id, account) in &self.accounts {
            if account.closed_at.is_none() && account.payer_at(self.dated) == wallet {
                paid_for.push(id.clone());
            }
        }
        self.judge_payer(wallet, &paid_for);
    }

    fn judge_payer(&mut self, wallet: usize, paid_for: &[String]) {
        if self.wallets[wallet].deregistered_at.is_some() {
            return;
        }
        let available = self.wallets[wallet].available();
        let overdue = self.is_overdue(wallet);
        self.tell_overdue(wallet, overdue);
        for account in paid_for {
            self.judge_service(wallet, account, &available, overdue);
        }
        self.judge_low_balance(wallet, &available, overdue);
    }

    pub(crate) fn judge_everyone(&mut self) {
        let mut paid_for = vec![Vec::new(); self.wallets.len()];
        for (id, account) in &self.accounts {
            if account.closed_at.is_none() {
                paid_for[account.payer_at(self.dated)].push(id.clone());
            }
        }
        for (wallet, paid_for) in paid_for.iter().enumerate() {
            self.judge_payer(wallet, paid_for);
            self.judge_runway(wallet, false);
        }
    }

    fn judge_service(&mut self, wallet: usize, id: &str, available: &Exact, overdue: bool) {
        let now = self.now;
        let stops = self.would_stop(wallet, id, available, overdue);
        let owner = &self.wallets[wallet];
        let is_as_opened = available.is_zero()
            && !owner.has_entries
            && owner.charges_by_hour.values().all(Exact::is_zero);
        let Some(account) = self.accounts.get_mut(id) else { return };
        let service = &mut account.service;
        if service.payer != wallet {
            // Another payer begins anew (R8.3).
            service.payer = wallet;
            service.would_stop_since = None;
            service.is_new = false;
        }
        if service.is_new && is_as_opened {
            return;
        }
        service.is_new = false;
        if !stops {
            service.would_stop_since = None;
            if service.suspended {
                (service.suspended, service.since) = (false, now);
                self.tell(wallet, "resumed");
            }
            return;
        }
        let since = *service.would_stop_since.get_or_insert(now);
        let mut stops_now = true;
        let mut later = None;
        if let Some(delay) = &self.wallets[wallet].delayed_suspension {
            let ends = delay
                .hours
                .map(|hours| full_minute_from(since.saturating_add(hours.saturating_mul(HOUR))));
            let is_over = ends.is_some_and(|ends| ends <= now);
            let too_deep = delay.debt.as_ref().is_some_and(|debt| *available < -debt);
            stops_now = is_over || too_deep;
            later = ends.filter(|ends| *ends > now);
        }
        if !service.suspended && stops_now {
            (service.suspended, service.since) = (true, now);
            self.tell(wallet, "suspended");
        } else if let Some(ends) = later {
            self.falls_due(ends, Due::Judgement { wallet });
        }
    }

    /// Whether services stop by these figures, without any delay (R8.2).
    fn would_stop(&self, wallet: usize, id: &str, available: &Exact, overdue: bool) -> bool {
        let owner = &self.wallets[wallet];
        let Some(account) = self.accounts.get(id) else { return false };
        if owner.kind == Kind::Ecosystem {
            return available.is_negative();
        }
        if account.prepaid {
            return !available.is_positive();
        }
        if owner.credit_limit.is_positive() || self.is_carried_by_method(wallet) {
            return overdue;
        }
        let by_region = account.region.as_ref().and_then(|name| self.settings.buffer.get(name));
        let buffer = by_region.or_else(|| self.settings.buffer.get(owner.currency.code)).cloned();
        let unnamed = if owner.currency.code == "CNY" { 100 } else { 0 };
        *available < buffer.unwrap_or_else(|| Exact::whole(unnamed))
    }
}
