//! Whether what stands on the topics for others adds up to what the ledger holds.

use std::collections::HashMap;

use anyhow::Context;
use drawdown_domain::ledger::{
    AccountNumber, Balance, Ledger, MonthBills, ProductNumber, WalletNumber,
};
use drawdown_domain::money::{Amount, Overflow};
use drawdown_domain::time::{Month, Span, Timestamp, Zone};
use drawdown_wire::topics::Topic;

use super::Job;
use super::books::wallets_of;
use super::report::{Figure, Report};
use super::views::{Lots, MonthKey, Views, WalletEntries};

/// So long a balance may wait for its turn to be told while a flood lasts.
const WAITS_MAX: Span = Span::minutes(60);

impl Views {
    /// All messages have been taken: what they add up to. `whole` names those of them that are
    /// kept from the first on.
    pub(super) fn finish(
        &self,
        job: &Job<'_>,
        partition: u32,
        ledger: &Ledger,
        whole: &[Topic],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let topics = &job.installation.topics;
        let tell = |topic: Topic, wrong: Vec<String>, report: &mut Report| {
            for what in wrong {
                report.differs(topics.name(topic), partition, None, what);
            }
        };
        report.count(Figure::SetAside, self.set_aside);
        for number in wallets_of(ledger) {
            if whole.contains(&Topic::Entries) {
                let wrong = self.compare_entries(ledger, number);
                report.count(Figure::WalletsProven, u64::from(wrong.is_empty()));
                tell(Topic::Entries, wrong, report);
            }
            if whole.contains(&Topic::Bills) {
                tell(Topic::Bills, self.compare_bills(ledger, number), report);
            }
        }
        if whole.contains(&Topic::Bills) {
            tell(Topic::Bills, self.compare_open_bills(ledger), report);
        }
        let (months, wrong) = self.compare_months(ledger, whole)?;
        report.count(Figure::MonthsProven, months);
        tell(Topic::Charges, wrong, report);
        let wrong = self.compare_balances(job, ledger, report)?;
        tell(Topic::Balances, wrong, report);
        Ok(())
    }

    /// Whether a wallet holds what its entries left.
    fn compare_entries(&self, ledger: &Ledger, number: WalletNumber) -> Vec<String> {
        let Some(wallet) = ledger.wallet(number) else { return Vec::new() };
        let mut held = Lots::new();
        let mut hold = |asset: &str, lot: String, amount: Amount| {
            if !amount.is_zero() {
                held.insert((asset.to_owned(), lot), amount);
            }
        };
        hold("cash", "own".to_owned(), wallet.own_cash);
        for lot in &wallet.transferred {
            let sender = ledger.wallet(lot.sender).map(|sender| sender.id.to_string());
            hold("cash", sender.unwrap_or_default(), lot.left);
        }
        for refund in &wallet.refunds {
            hold("credit_refund", refund.month.to_string(), refund.left);
        }
        for coupon in &wallet.coupons {
            let asset = if coupon.cash { "cash_coupon" } else { "coupon" };
            hold(asset, coupon.coupon.to_string(), coupon.left);
        }
        let quota = wallet.quota.minus(wallet.quota_consumed).unwrap_or_default();
        hold("quota", "quota".to_owned(), quota);
        let none = WalletEntries::default();
        let said = self.entries.get(&wallet.id).unwrap_or(&none);
        let mut wrong = Vec::new();
        if said.number != wallet.entries_made {
            wrong.push(format!(
                "{} has {} entries, its ledger made {}",
                wallet.id, said.number, wallet.entries_made
            ));
        }
        let all = held.keys().chain(said.lots.keys().filter(|lot| !held.contains_key(*lot)));
        for lot in all {
            let (holds, left) = (held.get(lot), said.lots.get(lot));
            if holds != left {
                let (holds, left) =
                    (holds.copied().unwrap_or_default(), left.copied().unwrap_or_default());
                let (asset, lot) = lot;
                wrong.push(format!(
                    "{}: entries leave {left} of {asset} {lot}, the ledger holds {holds}",
                    wallet.id
                ));
            }
        }
        wrong
    }

    /// Whether the bills a wallet owes are those whose payments do not make up for them.
    fn compare_bills(&self, ledger: &Ledger, number: WalletNumber) -> Vec<String> {
        let Some(wallet) = ledger.wallet(number) else { return Vec::new() };
        let mut wrong = Vec::new();
        let issued = self.bills_issued.get(&wallet.id).copied().unwrap_or(0);
        if issued != wallet.bills_issued {
            wrong.push(format!(
                "{} has {issued} bills, its ledger issued {}",
                wallet.id, wallet.bills_issued
            ));
        }
        for bill in &wallet.unpaid {
            let name = format!("{}.{}", wallet.id, bill.number);
            let found = self.open_bills.get(&name).copied().unwrap_or_default();
            if found != (bill.amount, bill.paid) {
                let (amount, paid) = found;
                wrong.push(format!(
                    "{paid} of {amount} is paid for {name}, in the ledger {} of {}",
                    bill.paid, bill.amount
                ));
            }
        }
        wrong
    }

    /// Whether what the topic leaves open is owed.
    fn compare_open_bills(&self, ledger: &Ledger) -> Vec<String> {
        let is_owed = |name: &str| {
            let (wallet, number) = name.rsplit_once('.')?;
            let wallet = ledger.wallet(ledger.wallet_named(&wallet.parse().ok()?)?)?;
            let number: u64 = number.parse().ok()?;
            wallet.unpaid.iter().find(|bill| bill.number == number)
        };
        let settled = self.open_bills.iter().filter(|(name, _)| is_owed(name).is_none());
        let wrong = settled.map(|(name, (amount, paid))| {
            format!("{paid} of {amount} is paid for {name}, in the ledger all of it")
        });
        wrong.collect()
    }

    /// Whether charges are what months and open tabs hold, and bills are months but for rounding.
    fn compare_months(
        &self,
        ledger: &Ledger,
        whole: &[Topic],
    ) -> anyhow::Result<(u64, Vec<String>)> {
        let (mut exact, mut billed) =
            (HashMap::<MonthKey, Amount>::new(), HashMap::<MonthKey, Amount>::new());
        let mut open = HashMap::<MonthKey, Amount>::new();
        for (account, number) in ledger.accounts().iter().zip(0u32..) {
            let number = AccountNumber(number);
            // A bill that was paid long after its month brought that back with its payment alone.
            let only_paid = |months: &MonthBills| {
                let sums = (months.exact, months.billed);
                months.month < ledger.oldest_month_kept() && sums == (Amount::ZERO, Amount::ZERO)
            };
            for months in account.months.iter().filter(|months| !only_paid(months)) {
                let key = (months.wallet, number, months.product, months.month);
                exact.insert(key, months.exact);
                billed.insert(key, months.billed);
            }
            for tab in &account.tabs {
                let zone = ledger.wallet(tab.wallet).map_or(Zone::UTC, |wallet| wallet.zone);
                let month = zone.month_of(tab.ends.starts().minus(Span::micros(1)));
                let product = ledger.book().product_of(tab.meter);
                let product = product.context("a tab's meter is of no product")?;
                let sum = open.entry((tab.wallet, number, product, month)).or_default();
                *sum = sum.plus(tab.exact)?;
            }
        }
        let mut keys: Vec<&MonthKey> = exact.keys().chain(open.keys()).collect();
        keys.extend(self.charged.keys().chain(self.billed.keys()));
        keys.sort();
        keys.dedup();
        let all_bills = whole.contains(&Topic::Bills);
        let all_charges = whole.contains(&Topic::Charges);
        let (mut proven, mut wrong) = (0, Vec::new());
        for key in keys {
            let of = |sums: &HashMap<MonthKey, Amount>| sums.get(key).copied().unwrap_or_default();
            let Some(wallet) = ledger.wallet(key.0) else { continue };
            let name = self.month_name(ledger, key);
            let all_kept = all_charges || self.began_after_the_oldest_charge(key.3);
            // No charges make a tax.
            let charged = (all_kept && key.2 != ProductNumber::TAX).then(|| of(&self.charged));
            // A month that has left the state has no open tabs, and its bills are still known.
            let in_state = exact.contains_key(key) || open.contains_key(key);
            let known = of(&exact).plus(of(&open))?;
            if let Some(charged) = charged.filter(|charged| in_state && *charged != known) {
                wrong.push(format!("{name}: charges come to {charged}, in the ledger to {known}"));
            }
            let due = match (in_state, charged) {
                (true, _) => of(&exact),
                (false, Some(charged)) => charged,
                (false, None) => continue,
            };
            let due = due.rounded_half_away(wallet.currency)?;
            let bills = if all_bills { of(&self.billed) } else { of(&billed) };
            if bills != due || (in_state && of(&billed) != due) {
                wrong.push(format!(
                    "{name}: bills come to {bills}, in the ledger to {}, and round to {due}",
                    of(&billed)
                ));
            }
            proven += 1;
        }
        Ok((proven, wrong))
    }

    /// Whether all charges of a month are still kept, though some of earlier ones are not.
    fn began_after_the_oldest_charge(&self, month: Month) -> bool {
        let begins = Zone::UTC.window_of(month).from.starts();
        self.charges_since.is_some_and(|since| begins.minus(Span::days(2)) > since)
    }

    fn month_name(&self, ledger: &Ledger, key: &MonthKey) -> String {
        let (wallet, account, product, month) = key;
        let wallet = ledger.wallet(*wallet).map(|wallet| wallet.id.to_string());
        let account = ledger.account(*account).map(|account| account.id.to_string());
        let product = match *product {
            ProductNumber::TAX => Some("tax".to_owned()),
            product => ledger.book().product(product).map(ToString::to_string),
        };
        format!(
            "{} {} {} {month}",
            wallet.unwrap_or_default(),
            account.unwrap_or_default(),
            product.unwrap_or_default()
        )
    }

    /// Whether the latest row of every wallet at rest is its balance.
    fn compare_balances(
        &self,
        job: &Job<'_>,
        ledger: &Ledger,
        report: &mut Report,
    ) -> anyhow::Result<Vec<String>> {
        let mut wrong = Vec::new();
        // Those that wait longest are told first, and a wallet waits from its opening on.
        let wallets = wallets_of(ledger).filter_map(|number| ledger.wallet(number));
        let told = wallets.filter(|wallet| self.balances.contains_key(&wallet.id));
        let newest_told = told.map(|wallet| wallet.opened_at).max().unwrap_or(Timestamp::START);
        for number in wallets_of(ledger) {
            let Some(wallet) = ledger.wallet(number) else { continue };
            let touched = self.touched.get(number.index()).copied().unwrap_or(Timestamp::START);
            let Some((at, offset, said)) = self.balances.get(&wallet.id) else {
                // In a flood a balance may wait for its turn.
                let waits_long = touched.plus(WAITS_MAX) < ledger.clock().now();
                let is_late = wallet.opened_at < newest_told || waits_long || job.told_at_once;
                match is_late {
                    _ if !self.all_balances => {}
                    true => wrong.push(format!("{} has no balance", wallet.id)),
                    false => report.count(Figure::BalancesMoving, 1),
                }
                continue;
            };
            let at_rest = *at > touched || (*at == touched && job.told_at_once);
            if !at_rest {
                report.count(Figure::BalancesMoving, 1);
                continue;
            }
            report.count(Figure::BalancesCompared, 1);
            let Some(known) = ledger.balance(number).transpose()? else { continue };
            let (said_fields, known_fields) = (lasting(said)?, lasting(&known)?);
            for ((field, said), (_, known)) in said_fields.iter().zip(&known_fields) {
                if said != known {
                    wrong.push(format!(
                        "{} at {}: {field} is {said}, in the ledger {known}",
                        wallet.id, offset.0
                    ));
                }
            }
        }
        Ok(wrong)
    }
}

/// What does not change by time alone.
fn lasting(balance: &Balance) -> Result<[(&'static str, Amount); 12], Overflow> {
    Ok([
        ("cash", balance.cash),
        ("cash_transferred_in", balance.cash_transferred_in),
        ("credit_limit", balance.credit_limit),
        ("credit_limit_pending", balance.credit_limit_pending),
        ("credit_refund", balance.credit_refund),
        ("unsettled", balance.unsettled_current.plus(balance.unsettled_previous)?),
        ("available", balance.available),
        ("quota", balance.quota),
        ("quota_consumed", balance.quota_consumed),
        ("unbilled", balance.unbilled),
        ("transferable", balance.transferable),
        ("in_flight", balance.in_flight),
    ])
}
