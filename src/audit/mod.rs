//! `drawdown audit`: proves from the log alone that the books are right.
//!
//! Every step that its input is kept for is decided again, by the code that decided it and with the
//! same cuts, and must come out the same byte for byte: `again`. What was decided is booked as double
//! entry and held against the state: `books`. What stands on the topics for others must be what was
//! decided, message by message (`follow`), and is added up by itself (`views`, `agreement`).
//! Nothing is written, and nothing but the log is read; but for `tables`, which holds ClickHouse against it.

mod again;
mod agreement;
mod books;
mod crossings;
mod follow;
mod ledgers;
mod numbers;
mod reader;
mod remittances;
mod report;
mod sources;
mod speakers;
mod tables;
mod views;

use drawdown_runtime::Step;
use drawdown_wire::topics::Topic;

pub use report::{Difference, Figure, Place, Report};
pub use tables::{TablesReport, audit_tables};

use crate::installation::Installation;
use reader::Reader;
use sources::{Sayings, Source};

/// What an audit is told.
#[derive(Debug)]
struct Job<'a> {
    installation: &'a Installation,
    /// Balances are told at once, as they are where nobody ticks.
    told_at_once: bool,
    progress: Progress<'a>,
}

/// Hears how far an audit has come.
pub struct Progress<'a>(&'a dyn Fn(&str, u32, &Step<'_>));

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

impl Job<'_> {
    fn reader(&self, topic: Topic, partition: u32) -> anyhow::Result<Reader> {
        let Installation { log, topics, .. } = self.installation;
        Reader::new(log.clone(), topics.name(topic), partition)
    }

    fn tell(&self, topic: Topic, partition: u32, step: &Step<'_>) {
        (self.progress.0)(self.installation.topics.name(topic), partition, step);
    }
}

/// Audits an installation's log. `progress` hears of every step.
pub fn audit(
    installation: &Installation,
    progress: &dyn Fn(&str, u32, &Step<'_>),
) -> anyhow::Result<Report> {
    let told_at_once = installation.clock.tick_every().is_none();
    let job = Job { installation, told_at_once, progress: Progress(progress) };
    let topics = &installation.topics;
    let metering = (0..topics.usage_partitions).map(Source::Metering);
    let sources: Vec<Source> = std::iter::once(Source::Registry).chain(metering).collect();
    let mut oldest = Vec::new();
    for ledger in 0..topics.ledger_partitions {
        oldest.push(sources::oldest_signs(job.reader(Topic::Ledger, ledger)?, &sources)?);
    }
    let kept_from = |source: Source| -> Vec<Option<i64>> {
        oldest.iter().map(|signs| signs.get(&source).copied()).collect()
    };
    let (mut report, mut sayings) = (Report::default(), Sayings::new());
    let (invoices, entries) = (topics.name(Topic::Invoices), topics.name(Topic::Entries));
    for source in sources {
        let (saying, proven) = speakers::audit_source(&job, source, &kept_from(source))?;
        report.add(proven, invoices, entries)?;
        sayings.insert(source, saying);
    }
    for ledger in 0..topics.ledger_partitions {
        let (proven, unlike) = ledgers::audit_ledger(&job, ledger, &sayings)?;
        report.add(proven, invoices, entries)?;
        for source in unlike {
            speakers::locate(&job, source, ledger, &kept_from(source), &sayings, &mut report)?;
        }
    }
    let crossed = report.crossings.arrived();
    report.count(Figure::MoneyCrossed, crossed);
    for what in report.crossings.unlike() {
        report.differs(topics.name(Topic::PaymentRequests), 0, None, what);
    }
    for what in report.remittances.unlike() {
        report.differs(topics.name(Topic::RegistryState), 0, None, what);
    }
    let gaps = report.numbers.gaps();
    if gaps.is_empty() {
        report.count(Figure::InvoicesNumbered, report.numbers.count());
    }
    for what in gaps {
        report.differs(invoices, 0, None, what);
    }
    Ok(report)
}
