//! What stands on the topics that others read, added up by itself.

use std::collections::HashMap;

use drawdown_balance::Part;
use drawdown_domain::fx::converted;
use drawdown_domain::ids::WalletId;
use drawdown_domain::invoices::{Invoice, InvoiceType};
use drawdown_domain::ledger::{AccountNumber, Balance, Fact, Ledger, ProductNumber, WalletNumber};
use drawdown_domain::money::{Amount, Overflow};
use drawdown_domain::time::{Month, Span, Timestamp, Zone};
use drawdown_log::{Next, Offset};
use drawdown_wire::messages::{
    Balances, BillPayment, Bills, Charges, Entries, Entry, Invoices, IssuedBill,
};
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;

use super::Job;
use super::reader::Held;
use super::report::{Figure, Report};

/// What usage of a product cost an account in a month, and who pays.
pub(super) type MonthKey = (WalletNumber, AccountNumber, ProductNumber, Month);

/// By asset and lot, what the last entry left there.
pub(super) type Lots = HashMap<(String, String), Amount>;

#[derive(Debug, Default)]
pub(super) struct WalletEntries {
    pub(super) number: u64,
    pub(super) lots: Lots,
}

#[derive(Debug, Default)]
pub(super) struct Views {
    pub(super) entries: HashMap<WalletId, WalletEntries>,
    /// Bills that are not settled yet: what is owed, and what has been paid.
    pub(super) open_bills: HashMap<String, (Amount, Amount)>,
    pub(super) bills_issued: HashMap<WalletId, u64>,
    pub(super) billed: HashMap<MonthKey, Amount>,
    pub(super) charged: HashMap<MonthKey, Amount>,
    /// When the first charges that are kept were decided.
    pub(super) charges_since: Option<Timestamp>,
    /// The latest row of each wallet.
    pub(super) balances: HashMap<WalletId, (Timestamp, Offset, Balance)>,
    /// All balances that were ever told are kept.
    pub(super) all_balances: bool,
    /// When something last changed each wallet's balance.
    pub(super) touched: Vec<Timestamp>,
    pub(super) set_aside: u64,
}

/// Where a message stands.
struct At<'a> {
    topic: &'a str,
    partition: u32,
    offset: Offset,
}

impl At<'_> {
    fn differs(&self, report: &mut Report, what: String) {
        report.differs(self.topic, self.partition, Some(self.offset), what);
    }
}

impl Views {
    /// Notes whose balance a part of a delta changes: by what it books, and not only by what the balance
    /// consumer itself holds for a change.
    pub(super) fn note(&mut self, ledger: &Ledger, part: &Part) {
        match part {
            Part::Fact(fact) => {
                self.set_aside += u64::from(matches!(fact, Fact::SetAside(_)));
                let booked = ledger.postings(fact).unwrap_or_default();
                for wallet in
                    booked.iter().map(|posting| posting.wallet).chain(fact.changes_balance_of())
                {
                    self.touch(ledger, wallet);
                }
            }
            Part::Accrued(accrued) => {
                let account = ledger.account(accrued.account);
                let tab = account.and_then(|account| account.tabs.get(accrued.tab as usize));
                if let Some(tab) = tab {
                    self.touch(ledger, tab.wallet);
                }
            }
        }
    }

    fn touch(&mut self, ledger: &Ledger, wallet: WalletNumber) {
        if wallet.index() >= self.touched.len() {
            self.touched.resize(wallet.index() + 1, Timestamp::START);
        }
        self.touched[wallet.index()] = ledger.clock().now();
    }

    /// Adds up a message of a topic.
    pub(super) fn take(
        &mut self,
        topic: Topic,
        ledger: &Ledger,
        name: &str,
        partition: u32,
        held: &Held,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let at = At { topic: name, partition, offset: held.offset };
        let read = match topic {
            Topic::Entries => self.take_entries(&at, &held.value, report),
            Topic::Bills => self.take_bills(&at, ledger, &held.value, report),
            Topic::Charges => self.take_charges(&at, ledger, &held.value, report),
            Topic::Invoices => self.take_invoices(&at, &held.value, report),
            // What is closed is drafted, and what is asked for and paid crosses: both stand among the facts.
            Topic::PeriodClosed | Topic::PaymentRequests | Topic::InvoiceRuns => Ok(()),
            other => anyhow::bail!("{} is not added up", other.name()),
        };
        if let Err(error) = read {
            at.differs(report, format!("cannot be read: {error:#}"));
        }
        Ok(())
    }

    fn take_entries(
        &mut self,
        at: &At<'_>,
        message: &[u8],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let Entries { entries } = schemas::ENTRIES.read(message)?;
        report.count(Figure::EntriesRead, entries.len() as u64);
        for entry in &entries {
            for what in self.take_entry(entry)? {
                at.differs(report, what);
            }
        }
        Ok(())
    }

    fn take_entry(&mut self, entry: &Entry) -> Result<Vec<String>, Overflow> {
        let mut wrong = Vec::new();
        let known = self.entries.entry(entry.billing_account.clone()).or_default();
        let name = format!("entry {} of {}", entry.number, entry.billing_account);
        if entry.number != known.number + 1 {
            wrong.push(format!("{name} follows entry {}", known.number));
        }
        known.number = entry.number;
        if entry.before.plus(entry.amount)? != entry.after {
            let Entry { before, amount, after, .. } = entry;
            wrong.push(format!("{name}: {before} and {amount} make {after}"));
        }
        let lot = known.lots.entry((entry.asset.clone(), entry.lot.clone())).or_default();
        if *lot != entry.before {
            wrong.push(format!(
                "{name} says there was {} of {} {}, the one before left {lot}",
                entry.before, entry.asset, entry.lot
            ));
        }
        *lot = entry.after;
        if lot.is_zero() {
            known.lots.remove(&(entry.asset.clone(), entry.lot.clone()));
        }
        Ok(wrong)
    }

    fn take_bills(
        &mut self,
        at: &At<'_>,
        ledger: &Ledger,
        message: &[u8],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let Bills { issued, payments } = schemas::BILLS.read(message)?;
        report.count(Figure::BillsRead, issued.len() as u64);
        for bill in &issued {
            for what in self.take_bill(ledger, bill)? {
                at.differs(report, what);
            }
        }
        for payment in &payments {
            if let Some(what) = self.take_payment(payment)? {
                at.differs(report, what);
            }
        }
        Ok(())
    }

    fn take_bill(&mut self, ledger: &Ledger, bill: &IssuedBill) -> anyhow::Result<Vec<String>> {
        let mut wrong = Vec::new();
        let number = bill.bill.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
        let number: u64 = number.unwrap_or(0);
        let last = self.bills_issued.entry(bill.billing_account.clone()).or_default();
        if number != *last + 1 {
            wrong.push(format!("bill {} follows bill {last}", bill.bill));
        }
        *last = number;
        if !bill.amount.is_zero() {
            self.open_bills.insert(bill.bill.clone(), (bill.amount, Amount::ZERO));
        }
        // What a credit note takes back of charges leaves them and their bills as they were.
        let Some(product) = bill.product.as_ref().filter(|_| bill.credit_note.is_none()) else {
            return Ok(wrong);
        };
        let product = match &bill.invoice {
            Some(_) => Some(ProductNumber::TAX),
            None => ledger.book().product_named(product),
        };
        let (wallet, account, product) = (
            ledger.wallet_named(&bill.billing_account),
            ledger.account_named(&bill.account),
            product,
        );
        let (Some(wallet), Some(account), Some(product)) = (wallet, account, product) else {
            wrong.push(format!("bill {} names what is not in the ledger", bill.bill));
            return Ok(wrong);
        };
        let orders = ledger.wallet(wallet).map(|wallet| wallet.orders.as_slice());
        if orders.unwrap_or_default().iter().all(|order| order.bill != number) {
            let billed = self.billed.entry((wallet, account, product, bill.month)).or_default();
            *billed = billed.plus(bill.amount)?;
        }
        Ok(wrong)
    }

    fn take_payment(&mut self, payment: &BillPayment) -> Result<Option<String>, Overflow> {
        let Some((amount, paid)) = self.open_bills.get_mut(&payment.bill) else {
            return Ok(Some(format!(
                "{} is paid for {}, which is not owed",
                payment.amount, payment.bill
            )));
        };
        *paid = paid.plus(payment.amount)?;
        let (amount, paid) = (*amount, *paid);
        if paid == amount {
            self.open_bills.remove(&payment.bill);
        } else if paid > amount {
            return Ok(Some(format!("{paid} is paid for {} of {amount}", payment.bill)));
        }
        Ok(None)
    }

    fn take_charges(
        &mut self,
        at: &At<'_>,
        ledger: &Ledger,
        message: &[u8],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let charges: Charges = schemas::CHARGES.read(message)?;
        self.charges_since.get_or_insert(charges.at);
        for charge in charges.rows() {
            report.count(Figure::ChargesRead, 1);
            let wallet = ledger.wallet_named(&charge.billing_account);
            let account = ledger.account_named(&charge.account);
            let product = ledger.book().product_named(&charge.product);
            let (Some(wallet), Some(account), Some(product)) = (wallet, account, product) else {
                let what = format!("a charge of {} names what is not there", charge.account);
                at.differs(report, what);
                continue;
            };
            let zone = ledger.wallet(wallet).map_or(Zone::UTC, |wallet| wallet.zone);
            let month = zone.month_of(charge.cycle_end.minus(Span::micros(1)));
            let sum = self.charged.entry((wallet, account, product, month)).or_default();
            *sum = sum.plus(charge.charge)?;
        }
        Ok(())
    }

    fn take_invoices(
        &mut self,
        at: &At<'_>,
        message: &[u8],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let Invoices { invoices } = schemas::INVOICES.read(message)?;
        report.count(Figure::InvoicesRead, invoices.len() as u64);
        for invoice in &invoices {
            for what in adds_up(invoice)? {
                at.differs(report, format!("invoice {}: {what}", invoice.number));
            }
            if let Some(what) = report.numbers.take(invoice) {
                at.differs(report, what);
            }
        }
        Ok(())
    }

    /// Reads the latest balances. Called before anybody asks where the state ends, so that each of them
    /// was told by a step that is known.
    pub(super) fn read_balances(
        &mut self,
        job: &Job<'_>,
        partition: u32,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut reader = job.reader(Topic::Balances, partition)?;
        self.all_balances = reader.first == Next::START;
        while let Some(held) = reader.pop()? {
            match schemas::BALANCES.read::<Balances>(&held.value) {
                Ok(Balances { at, balances }) => {
                    for balance in balances {
                        let wallet = balance.billing_account.clone();
                        self.balances.insert(wallet, (at, held.offset, balance));
                    }
                }
                Err(error) => {
                    let what = format!("cannot be read: {error}");
                    report.differs(&reader.topic, partition, Some(held.offset), what);
                }
            }
        }
        Ok(())
    }
}

/// What of an invoice does not add up by itself.
fn adds_up(invoice: &Invoice) -> Result<Vec<String>, Overflow> {
    let Invoice { net, tax_rate, tax, total, currency, .. } = invoice;
    let mut wrong = Vec::new();
    let lines = Amount::sum(invoice.lines.iter().map(|line| line.amount))?;
    if lines != *net {
        wrong.push(format!("its lines come to {lines}, its net is {net}"));
    }
    let expected = net.times(*tax_rate)?.rounded_half_even()?.rounded_half_away(*currency)?;
    // Credit notes of one invoice are taxed so that together they come to its tax.
    let by_command = invoice.reason.is_some();
    let apart = if by_command { currency.minor_unit() } else { Amount::ZERO };
    let drift = tax.minus(expected)?;
    if drift.max(drift.negated()?) > apart {
        wrong.push(format!("{tax_rate} of {net} is {expected}, its tax is {tax}"));
    }
    wrong.extend(settles(invoice)?);
    if net.plus(*tax)? != *total {
        wrong.push(format!("{net} and {tax} make {total}"));
    }
    if total.is_negative() != (invoice.r#type == InvoiceType::CreditNote) {
        wrong.push(format!("it is {} over {total}", invoice.r#type));
    }
    Ok(wrong)
}

/// What of an invoice's figures in the currency of settlement does not follow from its rate (R12.6).
fn settles(invoice: &Invoice) -> Result<Option<String>, Overflow> {
    let Invoice { settled_net, settled_tax, settled_total, .. } = *invoice;
    let known = settled_net.zip(settled_tax).zip(settled_total);
    let (settlement, ((net, tax), total)) = match (invoice.settlement(), known) {
        (Some(settlement), Some(known)) => (settlement, known),
        (None, None) if invoice.settlement_currency.is_none() => return Ok(None),
        _ => return Ok(Some("it says in part how it is settled".to_owned())),
    };
    // Credit notes of one invoice come together to what it is settled at.
    let by_command = invoice.reason.is_some();
    let apart = if by_command { settlement.currency.minor_unit() } else { Amount::ZERO };
    for (what, amount, is) in [("net", invoice.net, net), ("tax", invoice.tax, tax)] {
        let expected = converted(amount, settlement.rate, settlement.currency)?;
        let drift = is.minus(expected)?;
        if drift.max(drift.negated()?) > apart {
            let rate = settlement.rate;
            return Ok(Some(format!(
                "{what} {amount} at {rate} is {expected}, it is settled at {is}"
            )));
        }
    }
    let sum = net.plus(tax)?;
    Ok((sum != total).then(|| format!("{net} and {tax} make {sum}, it is settled at {total}")))
}
