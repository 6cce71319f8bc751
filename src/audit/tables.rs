//! ClickHouse against the log: as many rows in each table as the topics carry, in the same places, and the same
//! sums. What is read is what stands there, without `FINAL`.
//!
//! What a message holds is counted in `expected`, from the messages themselves and from what METERING lists as
//! counted, not by what filled the tables.

mod expected;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context;
use drawdown_analytics::{Store, group_of};
use drawdown_domain::money::Amount;
use drawdown_log::Next;
use drawdown_wire::topics::Topic;

use super::report::{Difference, Place};
use crate::installation::Installation;
use expected::Expected;

/// A table, whence its rows come, and which of its columns are summed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) topic: Topic,
    pub(super) sums: &'static [&'static str],
}

const fn table(name: &'static str, topic: Topic, sums: &'static [&'static str]) -> Table {
    Table { name, topic, sums }
}

/// Every table but those of ANALYTICS' own.
pub(super) const TABLES: &[Table] = &[
    table("entries", Topic::Entries, &["amount", "after"]),
    table("bills_issued", Topic::Bills, &["amount"]),
    table("bill_payments", Topic::Bills, &["amount"]),
    table("charges", Topic::Charges, &["quantity", "charge", "records"]),
    table("covered", Topic::Charges, &["quantity", "drawn"]),
    table("balance", Topic::Balances, &["cash", "available"]),
    table("payments", Topic::Payments, &["amount"]),
    table("payment_requests", Topic::PaymentRequests, &["amount", "in_flight"]),
    table("invoice_runs", Topic::InvoiceRuns, &["net", "tax", "total"]),
    table("invoices", Topic::Invoices, &["net", "tax", "total"]),
    table("services", Topic::Services, &[]),
    table("commands", Topic::Outcomes, &["command"]),
    table("remittances", Topic::Outcomes, &["amount"]),
    table("messages", Topic::Notices, &[]),
    table("mail", Topic::Mails, &["tries"]),
    table("rejects", Topic::Rejects, &[]),
    table("usage", Topic::Usage, &["quantity"]),
];

/// What rows come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    /// Of the places of all of them on their partition, whatever their order.
    pub(super) places: u64,
    pub(super) sums: Vec<Amount>,
}

/// A table that was compared.
#[derive(Clone, Debug)]
struct Proven {
    table: &'static str,
    /// What was summed up, by partition, and compared beside the rows.
    sums: &'static [&'static str],
    rows: u64,
    /// Messages that ClickHouse does not have yet.
    behind: u64,
}

/// What comparing came to.
#[derive(Clone, Debug, Default)]
pub struct TablesReport {
    proven: Vec<Proven>,
    differences: Vec<Difference>,
}

/// Compares as far as ANALYTICS has come; none if it has never worked for this installation.
pub fn audit_tables(
    installation: &Installation,
    store: &Store,
) -> anyhow::Result<Option<TablesReport>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = TablesReport::default();
    let mut topics = BTreeMap::<Topic, Vec<Table>>::new();
    for table in TABLES {
        topics.entry(table.topic).or_default().push(*table);
    }
    let mut worked = false;
    for (topic, tables) in topics {
        let spans = spans(installation, topic)?;
        worked |= spans.values().any(|span| span.committed);
        let mut behind = 0;
        let mut expected = BTreeMap::new();
        for (partition, span) in &spans {
            let counted = Expected::read(installation, topic, &tables, *partition, span)?;
            behind += counted.behind;
            expected.insert(*partition, counted.sums);
        }
        for (number, table) in tables.iter().enumerate() {
            // Where nothing was ever inserted there may be no table, and nobody to ask.
            let found = match spans.values().any(|span| span.committed) {
                true => runtime.block_on(ask(store, table, &spans))?,
                false => BTreeMap::new(),
            };
            let expected = expected.iter().map(|(partition, sums)| (*partition, &sums[number]));
            report.compare(installation, table, behind, expected, &found);
        }
    }
    report.proven.sort_by_key(|proven| TABLES.iter().position(|table| table.name == proven.table));
    Ok(worked.then_some(report))
}

/// From where to where a partition is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The oldest message that is kept.
    pub(super) first: Next,
    /// Where ANALYTICS has come to.
    pub(super) until: Next,
    /// How far it can come.
    pub(super) end: Next,
    /// It has ever come to anything.
    committed: bool,
}

fn spans(installation: &Installation, topic: Topic) -> anyhow::Result<BTreeMap<u32, Span>> {
    let Installation { log, topics, group_prefix, .. } = installation;
    let name = topics.name(topic);
    let count = log.partitions(name)?;
    let mut spans = BTreeMap::new();
    for partition in 0..count {
        let bounds = log.bounds(name, partition)?;
        let position = log.committed(&group_of(group_prefix, topic), name, partition)?;
        let until = position.unwrap_or(bounds.first).max(bounds.first);
        // Nothing is stored of usage that METERING has not decided about, so it is not waited for either.
        let decided = match topic {
            Topic::Usage => {
                let metering = format!("{group_prefix}metering");
                log.committed(&metering, name, partition)?.unwrap_or(bounds.first)
            }
            _ => bounds.stable,
        };
        let end = bounds.stable.min(decided);
        let (first, committed) = (bounds.first, position.is_some());
        spans.insert(partition, Span { first, until, end, committed });
    }
    Ok(spans)
}

async fn ask(
    store: &Store,
    table: &Table,
    spans: &BTreeMap<u32, Span>,
) -> anyhow::Result<BTreeMap<u32, Sum>> {
    let mut sums = String::new();
    for column in table.sums {
        sums.push_str(&format!(", toString(sum(toDecimal256({column}, 12)))"));
    }
    let spans = spans.iter().map(|(partition, span)| {
        let (first, until) = (span.first.0, span.until.0);
        format!("(_partition = {partition} AND _offset >= {first} AND _offset < {until})")
    });
    let spans: Vec<String> = spans.collect();
    let query = format!(
        "SELECT _partition, count(), sum(intHash64(toUInt64(_offset) * 1000003 + _index)), arrayStringConcat([''{sums}], ' ') FROM `{}` WHERE {} GROUP BY _partition",
        table.name,
        spans.join(" OR ")
    );
    let rows = store.rows::<(u32, u64, u64, String)>(&query).await.with_context(|| {
        format!(
            "ClickHouse's table {} cannot be read; the engine of `drawdown up` is started by `drawdown clickhouse --data DIR/clickhouse`",
            table.name
        )
    })?;
    let mut found = BTreeMap::new();
    for (partition, rows, places, sums) in rows {
        let sums = sums.split_whitespace().map(str::parse);
        let sums = sums.collect::<Result<_, _>>().context("a sum of ClickHouse's")?;
        found.insert(partition, Sum { rows, places, sums });
    }
    Ok(found)
}

impl TablesReport {
    fn compare<'a>(
        &mut self,
        installation: &Installation,
        table: &Table,
        behind: u64,
        expected: impl Iterator<Item = (u32, &'a Sum)>,
        found: &BTreeMap<u32, Sum>,
    ) {
        let nothing = Sum { sums: vec![Amount::ZERO; table.sums.len()], ..Sum::default() };
        let mut rows = 0;
        for (partition, expected) in expected {
            let found = found.get(&partition).unwrap_or(&nothing);
            rows += found.rows;
            if found != expected {
                let topic = installation.topics.name(table.topic).to_owned();
                self.differences.push(Difference {
                    place: Place { topic, partition, offset: None },
                    what: format!(
                        "ClickHouse's table {} has {}, the log {}",
                        table.name,
                        shown(table, found),
                        shown(table, expected)
                    ),
                });
            }
        }
        self.proven.push(Proven { table: table.name, sums: table.sums, rows, behind });
    }

    /// How many differences there are.
    pub fn differences(&self) -> usize {
        self.differences.len()
    }

    pub fn found(&self) -> &[Difference] {
        &self.differences
    }

    /// Rows of a table that were compared.
    pub fn rows(&self, table: &str) -> u64 {
        let proven = self.proven.iter().find(|proven| proven.table == table);
        proven.map_or(0, |proven| proven.rows)
    }

    /// Messages that ClickHouse does not have yet.
    pub fn behind(&self) -> u64 {
        self.proven.iter().map(|proven| proven.behind).sum()
    }
}

fn shown(table: &Table, sum: &Sum) -> String {
    let mut text = format!("{} rows", sum.rows);
    for (name, sum) in table.sums.iter().zip(&sum.sums) {
        text.push_str(&format!(", {name} {sum}"));
    }
    // Equal sums of other rows.
    text.push_str(&format!(", places {:016x}", sum.places));
    text
}

impl fmt::Display for TablesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:16} {:>14} {:>16}  sums compared", "table", "rows", "messages behind")?;
        for Proven { table, sums, rows, behind } in &self.proven {
            let line = format!("{table:16} {rows:>14} {behind:>16}  {}", sums.join(", "));
            writeln!(f, "{}", line.trim_end())?;
        }
        if self.behind() > 0 {
            writeln!(
                f,
                "\nWhat is behind stands on the log, and analytics puts it there when it runs again."
            )?;
        }
        writeln!(f)?;
        for difference in &self.differences {
            writeln!(f, "difference: {difference}")?;
        }
        write!(f, "differences of ClickHouse: {}", self.differences.len())
    }
}
