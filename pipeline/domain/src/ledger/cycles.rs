//! At the end of a cycle its charges become bills (R5.1), rounded so that rounding never drifts
//! (R1.2), and the bills are paid.

use super::coupons::Parts;
use super::fact::{BillIssued, BilledLine, CycleBilled, Journal};
use super::state::{AccountNumber, Bill, Burned, ProductNumber, Tab, WalletNumber};
use super::{Broken, Ledger};
use crate::money::{Amount, Overflow};
use crate::time::{Minute, Span};

/// The tabs of one account and product that a bill will hold.
pub(super) struct Collected {
    pub(super) account: AccountNumber,
    pub(super) product: ProductNumber,
    pub(super) exact: Amount,
    pub(super) parts: Parts,
    pub(super) lines: Vec<BilledLine>,
}

impl Collected {
    fn first(account: AccountNumber, product: ProductNumber, tab: &Tab) -> Collected {
        Collected {
            account,
            product,
            exact: tab.exact,
            parts: vec![(tab.used, tab.exact)],
            lines: vec![BilledLine::of(tab)],
        }
    }

    fn add(&mut self, tab: &Tab) -> Result<(), Overflow> {
        self.exact = self.exact.plus(tab.exact)?;
        // What was used in the same minutes is paid by the same coupons.
        match self.parts.iter_mut().find(|(used, _)| *used == tab.used) {
            Some((_, exact)) => *exact = exact.plus(tab.exact)?,
            None => self.parts.push((tab.used, tab.exact)),
        }
        let line = BilledLine::of(tab);
        match self.lines.iter_mut().find(|known| known.key() == line.key()) {
            Some(known) => known.add(&line),
            None => {
                self.lines.push(line);
                Ok(())
            }
        }
    }
}

impl BilledLine {
    fn of(tab: &Tab) -> BilledLine {
        let Tab { meter, region, adjustment, quantity, exact, tier, .. } = *tab;
        BilledLine { meter, region, adjustment, quantity, exact, tier }
    }
}

impl Ledger {
    /// Issues the bills of one wallet's cycle, and pays them.
    pub(super) fn bill_cycle(
        &mut self,
        payer: WalletNumber,
        ends: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let collected = self.collect(payer, ends)?;
        let mut issued = Vec::with_capacity(collected.len());
        for part in collected {
            let bill = self.bill_over(payer, ends, &part)?;
            let (exact, burned) = (part.exact, self.burned(payer, &part)?);
            issued.push((bill.clone(), part.parts));
            let issued =
                BillIssued { lines: part.lines, ..BillIssued::of(payer, bill, exact, ends) };
            self.record(journal, BillIssued { burned, ..issued })?;
        }
        self.record(journal, CycleBilled { wallet: payer, ends })?;
        let settled = self.settle_issued(payer, &issued, journal);
        settled.map_err(super::timers::broken)
    }

    /// Everything on the tabs of a wallet's cycle, by account and then product (R5.2).
    pub(super) fn collect(
        &self,
        payer: WalletNumber,
        ends: Minute,
    ) -> Result<Vec<Collected>, Broken> {
        let wallet = self.wallet(payer).ok_or(Broken("an unknown wallet"))?;
        let cycle = wallet.open_cycles.iter().find(|cycle| cycle.ends == ends);
        let accounts = cycle.map(|cycle| cycle.accounts.as_slice()).unwrap_or_default();
        let mut collected: Vec<Collected> = Vec::with_capacity(accounts.len());
        for number in accounts {
            let account = self.account(*number).ok_or(Broken("an unknown account"))?;
            let from = collected.len();
            for tab in account.tabs.iter().filter(|tab| tab.wallet == payer && tab.ends == ends) {
                let product = self.book.product_of(tab.meter);
                let product = product.ok_or(Broken("a meter without product"))?;
                let of_account = collected.get_mut(from..).unwrap_or_default();
                match of_account.iter_mut().find(|part| part.product == product) {
                    Some(part) => part.add(tab)?,
                    None => collected.push(Collected::first(*number, product, tab)),
                }
            }
        }
        if collected.len() > 1 {
            collected.sort_by(|a, b| self.bill_order(a).cmp(&self.bill_order(b)));
        }
        Ok(collected)
    }

    /// The charges of a bill by their hour of use.
    fn burned(&self, payer: WalletNumber, part: &Collected) -> Result<Vec<Burned>, Broken> {
        let wallet = self.wallet(payer).ok_or(Broken("an unknown wallet"))?;
        let mut burned: Vec<Burned> = Vec::with_capacity(part.parts.len());
        for (used, charge) in &part.parts {
            let hour = wallet.hour_of(used.from);
            match burned.iter_mut().find(|known| known.hour == hour) {
                Some(known) => known.charge = known.charge.plus(*charge)?,
                None => burned.push(Burned { hour, charge: *charge }),
            }
        }
        Ok(burned)
    }

    fn bill_order(&self, part: &Collected) -> (Option<&str>, Option<&str>) {
        let account = self.account(part.account).map(|account| account.id.as_str());
        (account, self.book.product(part.product).map(|product| product.as_str()))
    }

    /// A bill is the rounded sum of all charges of its month so far, less what was billed (R1.2).
    pub(super) fn bill_over(
        &self,
        payer: WalletNumber,
        ends: Minute,
        part: &Collected,
    ) -> Result<Bill, Broken> {
        let wallet = self.wallet(payer).ok_or(Broken("an unknown wallet"))?;
        let account = self.account(part.account).ok_or(Broken("an unknown account"))?;
        // A bill belongs to the month and the invoice period of its last covered instant (R3.5), which is now
        // if it is issued before its cycle ends.
        let month = wallet.month_billed(ends);
        let covered = ends.starts().minus(Span::micros(1)).min(self.clock.now());
        let so_far = account.months.iter().find(|months| {
            (months.wallet, months.product, months.month) == (payer, part.product, month)
        });
        let (exact, billed) =
            so_far.map_or_else(Default::default, |months| (months.exact, months.billed));
        let due = exact.plus(part.exact)?.rounded_half_away(wallet.currency)?;
        Ok(Bill {
            number: wallet.bills_issued.saturating_add(1),
            account: part.account,
            product: Some(part.product),
            month,
            amount: due.minus(billed)?,
            paid: Amount::ZERO,
            issued_at: self.clock.now(),
            order: None,
            half: wallet.zone.half_month_of(covered),
        })
    }
}

#[cfg(test)]
#[path = "cycles_tests.rs"]
mod tests;
