//! At the end of a cycle its charges become bills (R5.1), rounded so that rounding never drifts
//! (R1.2), and the bills are paid.

use super::coupons::Parts;
use super::fact::{BillIssued, CycleBilled, Journal};
use super::state::{AccountNumber, Bill, Burned, ProductNumber, WalletNumber};
use super::{Broken, Ledger};
use crate::money::Amount;
use crate::time::{Minute, Span};

/// The tabs of one account and product that a bill will hold.
pub(super) struct Collected {
    pub(super) account: AccountNumber,
    pub(super) product: ProductNumber,
    pub(super) exact: Amount,
    pub(super) parts: Parts,
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
            self.record(journal, BillIssued { wallet: payer, bill, exact, ends, burned })?;
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
                let known =
                    collected.iter_mut().skip(from).find(|part| part.product == tab.product);
                match known {
                    Some(part) => {
                        part.exact = part.exact.plus(tab.exact)?;
                        part.parts.push((tab.used, tab.exact));
                    }
                    None => collected.push(Collected {
                        account: *number,
                        product: tab.product,
                        exact: tab.exact,
                        parts: vec![(tab.used, tab.exact)],
                    }),
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
        // A bill belongs to the month of its last covered instant (R3.5).
        let month = wallet.zone.month_of(ends.starts().minus(Span::micros(1)));
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
        })
    }
}
