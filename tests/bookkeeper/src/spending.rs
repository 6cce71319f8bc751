//! Isolated spend: an account asks before it spends, within a monthly cap and an allocated credit (R11.2).

use crate::BookKeeper;
use crate::calendar::{Month, full_minute_from};
use crate::exact::Exact;
use crate::fields::{Fields, NOT_FOUND, Refusal};
use crate::rights::Right;
use std::collections::BTreeMap;

/// What an account has been charged, was promised, and may spend.
#[derive(Debug, Default)]
pub struct Spending {
    by_month: BTreeMap<Month, Exact>,
    monthly_cap: Option<Exact>,
    /// How many percents of it were told, and of which month.
    told: Option<(Month, i64)>,
    /// The allocated credit, and all charges since it was allocated.
    credit: Option<(Exact, Exact)>,
    /// The oldest first.
    authorizations: Vec<Authorization>,
}

#[derive(Debug)]
struct Authorization {
    name: String,
    lapses_at: i64,
    left: Exact,
}

impl Spending {
    fn month(&self, month: Month) -> Exact {
        self.by_month.get(&month).cloned().unwrap_or_default()
    }

    fn authorized(&self) -> Exact {
        self.authorizations.iter().map(|authorization| &authorization.left).sum()
    }

    /// The percent of the cap that the month has reached and that was not told, the highest of several (R11.2).
    fn reached(&self, month: Month) -> Option<i64> {
        let cap = self.monthly_cap.as_ref()?;
        let told = self.told.filter(|(of, _)| *of == month).map_or(0, |(_, percent)| percent);
        let charged = self.month(month);
        let is_reached = |percent: &i64| {
            *percent > told && charged.is_positive() && charged >= cap.share(*percent, 100)
        };
        [100, 80].into_iter().find(is_reached)
    }

    /// What lapses is promised no longer, and its name is free again.
    fn lapse(&mut self, now: i64) {
        self.authorizations.retain(|authorization| now < authorization.lapses_at);
    }
}

impl BookKeeper {
    /// A charge counts in the month in which it is billed, whoever pays, and uses up the oldest authorization first.
    /// What is taken back gives no promise back. Whoever pays this charge is told.
    pub(crate) fn count_as_spent(
        &mut self,
        payer: usize,
        account: &str,
        month: Month,
        charge: &Exact,
    ) {
        let now = self.now;
        let spending = self.spending.entry(account.to_string()).or_default();
        spending.lapse(now);
        *spending.by_month.entry(month).or_default() += charge;
        if let Some((_, charged)) = &mut spending.credit {
            *charged += charge;
        }
        let mut rest = charge.clone();
        for authorization in &mut spending.authorizations {
            let part = authorization.left.clone().min(rest.clone()).at_least_zero();
            authorization.left -= &part;
            rest -= &part;
        }
        let Some(percent) = spending.reached(month).filter(|_| charge.is_positive()) else {
            return;
        };
        spending.told = Some((month, percent));
        self.tell(payer, "spend_cap");
    }

    /// Whoever pays says how much. What is not named stays; where nothing is named there is no allocation any more.
    pub(crate) fn allocate_spend(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let id = fields.text("account")?.to_string();
        let account = self.account(&id)?;
        let payer = account.payer_at(self.now);
        self.may(Right::Pay, payer)?;
        if account.closed_at.is_some() {
            return Err("account_closed");
        }
        let currency = self.wallets[payer].currency;
        let amount = |name: &str| match fields.has(name) {
            true => fields.amount_or_zero(name, currency).map(Some),
            false => Ok(None),
        };
        let (credit, monthly_cap) = (amount("credit")?, amount("monthly_cap")?);
        let spending = self.spending.entry(id).or_default();
        if credit.is_none() && monthly_cap.is_none() {
            (spending.credit, spending.monthly_cap) = (None, None);
        }
        if let Some(credit) = credit {
            spending.credit = Some((credit, Exact::zero()));
        }
        if monthly_cap.is_some() && spending.monthly_cap != monthly_cap {
            spending.monthly_cap = monthly_cap;
            spending.told = None;
        }
        Ok(())
    }

    /// Answers at once, from real-time figures.
    pub(crate) fn authorize(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let id = fields.text("account")?.to_string();
        let name = fields.new_id("authorization")?.to_string();
        let account = self.accounts.get(&id).ok_or(NOT_FOUND)?;
        let payer = account.payer_at(self.now);
        if self.is_it(&id).is_err() {
            self.may(Right::Spend, payer)?;
        }
        self.not_frozen(payer)?;
        if account.closed_at.is_some() {
            return Err("account_closed");
        }
        let estimate = fields.amount_or_zero("amount", self.wallets[payer].currency)?;
        let (is_overdue, is_suspended) = (self.is_overdue(payer), account.service.suspended);
        let month = self.wallets[payer].month_of(self.now);
        let lapses_at =
            full_minute_from(self.now.saturating_add(self.settings.authorizations_expire));
        let now = self.now;
        let spending = self.spending.entry(id).or_default();
        spending.lapse(now);
        if spending.authorizations.iter().any(|known| known.name == name) {
            return Err("already_exists");
        }
        if is_overdue {
            return Err("overdue");
        }
        if is_suspended {
            return Err("suspended");
        }
        let asked = &spending.authorized() + &estimate;
        let exceeds = |charged: &Exact, most: &Exact| &(charged + &asked) > most;
        if spending.monthly_cap.as_ref().is_some_and(|cap| exceeds(&spending.month(month), cap)) {
            return Err("over_monthly_cap");
        }
        if spending.credit.as_ref().is_some_and(|(credit, charged)| exceeds(charged, credit)) {
            return Err("over_allocated_credit");
        }
        spending.authorizations.push(Authorization { name, lapses_at, left: estimate });
        Ok(())
    }

    /// The allocation of an account, as the view `account` shows it; without one there is nothing to show.
    pub fn allocation(&self, account: &str) -> Option<BTreeMap<String, String>> {
        let spending = self.spending.get(account)?;
        let payer = &self.wallets[self.accounts.get(account)?.payer_at(self.now)];
        let month = payer.month_of(self.now);
        let open = spending.authorizations.iter().filter(|known| self.now < known.lapses_at);
        let authorized: Exact = open.map(|known| &known.left).sum();
        let charged = spending.month(month);
        let mut shown = BTreeMap::new();
        let mut left: Option<Exact> = None;
        let mut within = |most: &Exact, charged: &Exact| {
            let rest = (&(most - charged) - &authorized).at_least_zero();
            left = Some(left.take().map_or(rest.clone(), |left| left.min(rest.clone())));
        };
        if let Some(cap) = &spending.monthly_cap {
            within(cap, &charged);
            shown.insert("monthly_cap".to_string(), cap.to_string());
        }
        if let Some((credit, charged)) = &spending.credit {
            within(credit, charged);
            shown.insert("credit".to_string(), credit.to_string());
            shown.insert("credit_charged".to_string(), charged.to_string());
        }
        shown.insert("left".to_string(), left?.to_string());
        shown.insert("month".to_string(), month.to_string());
        shown.insert("month_charged".to_string(), charged.to_string());
        shown.insert("authorized".to_string(), authorized.to_string());
        Some(shown)
    }
}
