//! What the outside sees, row by row: read from the topics as every other reader does.

use std::collections::BTreeMap;

use anyhow::Context;
use drawdown_domain::invoices::Invoice;
use drawdown_domain::ledger::Ledger;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Zone;
use drawdown_log::Next;
use drawdown_runtime::read_to_end;
use drawdown_wire::messages::{
    Bills, Charges, Entries, InvoiceRuns, Invoices, Mails, Notices, Outcome, Outcomes,
    PaymentRequests, Payments, Rejects,
};
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use serde_json::{Map, Value, json};

use super::pipeline::Pipeline;
use crate::views::{self, BillNow};

/// A row of a view.
pub type Row = Map<String, Value>;

/// The rows that have been read so far; each topic when it is asked for, up to its end.
#[derive(Debug, Default)]
pub struct Rows {
    places: BTreeMap<(Topic, u32), Next>,
    entries: Vec<Row>,
    bills: Vec<BillNow>,
    charges: Vec<Row>,
    covered: Vec<Row>,
    invoice_runs: Vec<Row>,
    invoices: Vec<Invoice>,
    rejects: Vec<Row>,
    payments: Vec<Row>,
    payment_requests: Vec<Row>,
    payment_request_history: Vec<Row>,
    messages: Vec<Row>,
    mail: Vec<Row>,
    outcomes: Vec<Outcome>,
}

impl Rows {
    /// Reads what has become visible since the last time.
    fn read(&mut self, topic: Topic, pipeline: &Pipeline) -> anyhow::Result<()> {
        let name = pipeline.topics().name(topic);
        for partition in 0..pipeline.log().partitions(name)? {
            let from = self.places.get(&(topic, partition)).copied().unwrap_or(Next::START);
            let mut messages = Vec::new();
            let next = read_to_end(pipeline.log(), name, partition, from, &mut |message| {
                messages.push(message.value.to_vec());
                Ok(())
            })?;
            self.places.insert((topic, partition), next);
            for message in messages {
                self.take(topic, &message)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, topic: Topic, message: &[u8]) -> anyhow::Result<()> {
        match topic {
            Topic::Entries => {
                let entries: Entries = schemas::ENTRIES.read(message)?;
                self.entries.extend(rows(&entries.entries)?);
            }
            Topic::Bills => {
                let bills: Bills = schemas::BILLS.read(message)?;
                let issued = bills.issued.into_iter();
                self.bills.extend(issued.map(|bill| BillNow { bill, paid: Amount::ZERO }));
                for payment in &bills.payments {
                    let bill = self.bills.iter_mut().find(|now| now.bill.bill == payment.bill);
                    let bill = bill.context("a payment for a bill that was not issued")?;
                    bill.paid = bill.paid.plus(payment.amount)?;
                }
            }
            Topic::Charges => {
                let charges: Charges = schemas::CHARGES.read(message)?;
                self.charges.extend(rows(&charges.rows().collect::<Vec<_>>())?);
                self.covered.extend(rows(&charges.coverage().collect::<Vec<_>>())?);
            }
            Topic::InvoiceRuns => {
                let InvoiceRuns { runs } = schemas::INVOICE_RUNS.read(message)?;
                for run in rows(&runs)? {
                    put(&mut self.invoice_runs, run, &["run"]);
                }
            }
            Topic::Invoices => {
                let Invoices { invoices } = schemas::INVOICES.read(message)?;
                self.invoices.extend(invoices);
            }
            Topic::Rejects => {
                let rejects: Rejects = schemas::REJECTS.read(message)?;
                self.rejects.extend(rows(&rejects.rejects)?);
            }
            Topic::Payments => {
                let payments: Payments = schemas::PAYMENTS.read(message)?;
                for payment in rows(&payments.payments)? {
                    put(&mut self.payments, payment, &["payment"]);
                }
            }
            Topic::PaymentRequests => {
                let message: PaymentRequests = schemas::PAYMENT_REQUESTS.read(message)?;
                for request in rows(&message.requests)? {
                    self.payment_request_history.push(request.clone());
                    put(&mut self.payment_requests, request, &["request", "direction"]);
                }
            }
            Topic::Notices => {
                let notices: Notices = schemas::NOTICES.read(message)?;
                self.messages.extend(rows(&notices.notices)?);
            }
            Topic::Mails => {
                let mails: Mails = schemas::MAILS.read(message)?;
                self.mail.extend(rows(&mails.mails)?);
            }
            Topic::Outcomes => {
                let outcomes: Outcomes = schemas::OUTCOMES.read(message)?;
                self.outcomes.extend(outcomes.outcomes);
            }
            other => anyhow::bail!("{} holds no rows", other.name()),
        }
        Ok(())
    }

    /// What became of a command; of a repeated one, its first answer.
    pub fn outcome(&mut self, command: u64, pipeline: &Pipeline) -> anyhow::Result<&Outcome> {
        self.read(Topic::Outcomes, pipeline)?;
        let of = |command| self.outcomes.iter().find(|outcome| outcome.command == command);
        let outcome = of(command).context("no outcome")?;
        outcome.repeats.map_or(Some(outcome), of).context("no outcome of what was repeated")
    }

    /// The last reason for which a record was rejected, if there is one among the rows from `after` on.
    pub fn rejected(&mut self, after: usize, pipeline: &Pipeline) -> anyhow::Result<Option<&str>> {
        self.read(Topic::Rejects, pipeline)?;
        let last = self.rejects.get(after..).and_then(<[Row]>::last);
        Ok(last.and_then(|row| row.get("reason")?.as_str()))
    }

    /// How many records have been rejected.
    pub fn rejects(&mut self, pipeline: &Pipeline) -> anyhow::Result<usize> {
        self.read(Topic::Rejects, pipeline)?;
        Ok(self.rejects.len())
    }

    /// A payment by its name, or the last one.
    pub fn payment(&mut self, name: &str, pipeline: &Pipeline) -> anyhow::Result<&Row> {
        self.read(Topic::Payments, pipeline)?;
        let found = match name {
            "last" => self.payments.last(),
            name => self.payments.iter().find(|row| row.get("payment") == Some(&json!(name))),
        };
        found.with_context(|| format!("there is no payment {name}"))
    }

    /// The rows of a list view that concern `of`.
    pub fn list(&mut self, view: &str, of: &str, pipeline: &Pipeline) -> anyhow::Result<Vec<Row>> {
        let mut read = |topic| self.read(topic, pipeline);
        let all = match view {
            "entries" => read(Topic::Entries).map(|()| self.entries.clone())?,
            "bills" => {
                read(Topic::Bills)?;
                self.bills.iter().map(bill).collect::<anyhow::Result<_>>()?
            }
            "refunds" => {
                read(Topic::Entries)?;
                let refunds = self.entries.iter();
                let refunds = refunds.filter(|entry| entry.get("cause") == Some(&json!("refund")));
                refunds.map(refund).collect::<anyhow::Result<_>>()?
            }
            "spend" => {
                read(Topic::Bills)?;
                spend(&self.bills)?
            }
            "spend_by" => {
                read(Topic::Charges)?;
                spend_by(&self.charges)?
            }
            "charges" => read(Topic::Charges).map(|()| self.charges.clone())?,
            "covered" => read(Topic::Charges).map(|()| self.covered.clone())?,
            "invoice_runs" => read(Topic::InvoiceRuns).map(|()| self.invoice_runs.clone())?,
            "invoices" => {
                read(Topic::Bills)?;
                self.read(Topic::Invoices, pipeline)?;
                let rows = self.invoices.iter().map(|it| row(&views::invoice(it, &self.bills)?));
                rows.collect::<anyhow::Result<_>>()?
            }
            "rejects" => read(Topic::Rejects).map(|()| self.rejects.clone())?,
            "payments" => read(Topic::Payments).map(|()| self.payments.clone())?,
            "payment_requests" => {
                read(Topic::PaymentRequests).map(|()| self.payment_requests.clone())?
            }
            "payment_request_history" => {
                read(Topic::PaymentRequests).map(|()| self.payment_request_history.clone())?
            }
            "messages" => read(Topic::Notices).map(|()| self.messages.clone())?,
            "mail" => read(Topic::Mails).map(|()| self.mail.clone())?,
            "commands" => read(Topic::Outcomes).and_then(|()| rows(&self.outcomes))?,
            held if views::HELD.contains(&held) => return self::held(held, of, pipeline),
            "remittances" => remittances(pipeline)?,
            other => anyhow::bail!("there is no view {other}"),
        };
        let concerns = |row: &Row| {
            let keys = ["billing_account", "account", "principal", "enterprise", "request"];
            of == "all" || keys.iter().any(|key| row.get(*key).and_then(Value::as_str) == Some(of))
        };
        Ok(all.into_iter().filter(concerns).collect())
    }
}

/// Puts a row in the place of the one with the same keys.
fn put(all: &mut Vec<Row>, row: Row, keys: &[&str]) {
    let same = |known: &&mut Row| keys.iter().all(|key| known.get(*key) == row.get(*key));
    match all.iter_mut().find(same) {
        Some(known) => *known = row,
        None => all.push(row),
    }
}

fn remittances(pipeline: &Pipeline) -> anyhow::Result<Vec<Row>> {
    let known = pipeline.registries().flat_map(|registry| registry.remittances());
    known.map(|remittance| row(&remittance.row())).collect()
}

/// A row of the view `bills`.
fn bill(now: &BillNow) -> anyhow::Result<Row> {
    let status = match now.paid {
        paid if now.bill.amount.is_negative() || paid >= now.bill.amount => "paid",
        paid if paid.is_positive() => "partly_paid",
        _ => "unpaid",
    };
    let mut row = row(&now.bill)?;
    row.insert("paid".to_owned(), now.paid.to_string().into());
    row.insert("status".to_owned(), status.into());
    Ok(row)
}

/// A row of the view `refunds`.
fn refund(entry: &Row) -> anyhow::Result<Row> {
    let field = |name: &str| entry.get(name).cloned().unwrap_or_default();
    row(&json!({ "billing_account": field("billing_account"), "number": field("number"),
        "at": field("at"), "order": field("remark"), "asset": field("asset"), "lot": field("lot"),
        "amount": field("amount"), "status": "done" }))
}

/// What each month came to, and what of it is due.
fn spend(bills: &[BillNow]) -> anyhow::Result<Vec<Row>> {
    let mut months = BTreeMap::new();
    for BillNow { bill, paid } in bills {
        let key = (bill.month, bill.billing_account.clone(), bill.currency);
        let [net, tax, due] = months.entry(key).or_insert([Amount::ZERO; 3]);
        let into = if bill.invoice.is_none() { net } else { tax };
        *into = into.plus(bill.amount)?;
        *due = due.plus(bill.amount.minus(*paid)?.max(Amount::ZERO))?;
    }
    let rows = months.into_iter().map(|((month, billing_account, currency), [net, tax, due])| {
        row(&json!({ "billing_account": billing_account, "month": month, "currency": currency,
            "net": net, "tax": tax, "total": net.plus(tax)?, "due": due }))
    });
    rows.collect()
}

/// Charges by the month of use, account, product and region.
fn spend_by(charges: &[Row]) -> anyhow::Result<Vec<Row>> {
    let mut sums = BTreeMap::new();
    for charge in charges {
        let text = |field: &str| charge.get(field).and_then(Value::as_str).unwrap_or_default();
        let month = Zone::UTC.month_of(text("used").parse()?);
        let of = ["billing_account", "account", "product", "region"].map(|it| text(it).to_owned());
        let (sum, records) = sums.entry((month, of)).or_insert((Amount::ZERO, 0_i64));
        *sum = sum.plus(text("charge").parse()?)?;
        *records += charge.get("records").and_then(Value::as_i64).unwrap_or_default();
    }
    let rows = sums.into_iter().map(|((month, of), (charge, records))| {
        let [billing_account, account, product, region] = of;
        row(&json!({ "billing_account": billing_account, "month": month, "account": account,
            "product": product, "region": region, "charge": charge, "records": records }))
    });
    rows.collect()
}

fn rows<T: serde::Serialize>(items: &[T]) -> anyhow::Result<Vec<Row>> {
    items.iter().map(row).collect()
}

fn row<T: serde::Serialize>(item: &T) -> anyhow::Result<Row> {
    match serde_json::to_value(item)? {
        Value::Object(row) => Ok(row),
        other => anyhow::bail!("{other} is no row"),
    }
}

/// What a billing account holds: a list here, and one row elsewhere.
fn held(view: &str, of: &str, pipeline: &Pipeline) -> anyhow::Result<Vec<Row>> {
    let ledgers: Vec<&Ledger> = pipeline.ledgers().collect();
    let found = views::one(view, of, &ledgers)?.context("not_found")?;
    let listed = found.get(view).and_then(Value::as_array).context("a view without its list")?;
    rows(listed)
}

/// A view of one thing.
pub(super) fn single(view: &str, of: &str, pipeline: &Pipeline) -> anyhow::Result<Option<Row>> {
    if view == "audit" {
        let report = pipeline.audit()?;
        let found: Vec<String> = report.found().iter().map(ToString::to_string).collect();
        return Ok(Some(row(&json!({ "differences": report.differences(), "found": found }))?));
    }
    if views::HELD.contains(&view) {
        return Ok(None);
    }
    let ledgers: Vec<&Ledger> = pipeline.ledgers().collect();
    match views::one(view, of, &ledgers) {
        Ok(found) => Ok(Some(row(&found.context("not_found")?)?)),
        Err(_) => Ok(None),
    }
}
