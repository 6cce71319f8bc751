//! `make bench`: what drawdown does in a second beside its peers, each figure verified to the last cent.
//!
//! Everything runs on this machine, one after the other, on the same broker and the same bytes. A run
//! whose total is wrong ends the bench: a fast wrong answer is worth nothing.

#![allow(clippy::print_stdout, clippy::print_stderr)] // it prints a table, and how far it is

mod alone;
mod answers;
mod ingestion;
mod latency;
mod memory;
mod peers;
mod postgres;
mod remembered;
mod restore;
mod site;
mod sizes;
mod table;
mod usage;

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::kafka::{Kafka, KafkaConfig, TopicDetails};
use drawdown_wire::topics::{DEFAULT_PLAN, Topic, TopicPlan};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use latency::ITS_ACCOUNTS;
use peers::Streams;
use site::{Figures, STARTS_AT, Setting, Site};
use table::{Row, Table, median};
use usage::{Made, Maker, Plan, Spread};

/// Measures on this machine and prints a table. With QUICK=1 in the environment it takes minutes, and
/// its figures are rough.
#[derive(Parser)]
#[command(after_help = "Example: cargo run --release -p drawdown-bench -- g1 g1p g2")]
struct Arguments {
    /// Accounts that are opened.
    #[arg(long)]
    accounts: Option<u32>,
    /// Records of each timed run.
    #[arg(long)]
    records: Option<u64>,
    /// Identities that metering remembers in g13.
    #[arg(long)]
    ids: Option<u64>,
    /// Runs of each row, of which the median counts.
    #[arg(long)]
    runs: Option<usize>,
    /// Partitions of usage and of ledger.
    #[arg(long, default_value_t = PARTITIONS)]
    partitions: u32,
    /// What to measure; `sweep` is every way to set up Kafka Streams.
    #[arg(default_values = ROWS)]
    rows: Vec<String>,
}

/// How large everything is.
#[derive(Clone, Debug)]
struct Scale {
    accounts: u32,
    records: u64,
    ids: u64,
    runs: usize,
    plan: TopicPlan,
    rows: Vec<String>,
    /// Nobody has asked for anything smaller.
    is_whole: bool,
}

const PARTITIONS: u32 = 16;

const ROWS: [&str; 15] = [
    "g1",
    "g1-zipf",
    "g1p",
    "g3",
    "g4",
    "g5",
    "g6",
    "g7",
    "g10",
    "g11",
    "g12",
    "g13",
    "hot",
    "partitions",
    "flat",
];

/// Not part of a bench.
const SWEEP: &str = "sweep";

impl Scale {
    fn read() -> anyhow::Result<Scale> {
        let arguments = Arguments::parse();
        let quick = std::env::var_os("QUICK").is_some();
        let mut plan = TopicPlan::parse(DEFAULT_PLAN).map_err(anyhow::Error::msg)?;
        plan.usage_partitions = arguments.partitions;
        plan.ledger_partitions = arguments.partitions;
        let is_row = |row: &&String| ROWS.contains(&row.as_str()) || *row == SWEEP;
        if let Some(other) = arguments.rows.iter().find(|row| !is_row(row)) {
            bail!("there is no row {other}; there are {}", ROWS.join(", "));
        }
        // A tenth of them has to be more than those that only load is of.
        if arguments.accounts.is_some_and(|accounts| accounts / 10 <= ITS_ACCOUNTS) {
            bail!("--accounts must be more than {}", ITS_ACCOUNTS * 10);
        }
        let whole = (1_000_000, 10_000_000, 200_000_000, 3);
        let usual = if quick { (100_000, 2_000_000, 20_000_000, 1) } else { whole };
        let accounts = arguments.accounts.unwrap_or(usual.0);
        let records = arguments.records.unwrap_or(usual.1);
        let ids = arguments.ids.unwrap_or(usual.2);
        let runs = arguments.runs.unwrap_or(usual.3);
        let is_whole =
            (accounts, records, ids, runs) == whole && arguments.partitions == PARTITIONS;
        Ok(Scale { accounts, records, ids, runs, plan, rows: arguments.rows, is_whole })
    }

    fn title(&self) -> &'static str {
        match self.rows == [SWEEP] {
            true => "Kafka Streams, each way to set it up",
            false => "What drawdown does in a second",
        }
    }

    fn has(&self, row: &str) -> bool {
        self.rows.iter().any(|asked| asked == row)
    }

    fn usage(&self, row: &str, seed: u64) -> Plan {
        Plan {
            records: self.records,
            accounts: self.accounts.saturating_sub(ITS_ACCOUNTS).max(1),
            first: ITS_ACCOUNTS,
            spread: if row == "g1-zipf" { Spread::Zipf } else { Spread::Uniform },
            packed: if matches!(row, "g1p" | "g4" | "g12") { 100 } else { 1 },
            age: Span::ZERO,
            seed,
        }
    }

    fn topics(&self, prefix: &str) -> Vec<TopicDetails> {
        let all = Topic::ALL.iter().map(|topic| TopicDetails {
            name: format!("{prefix}{}", topic.name()),
            partitions: self.plan.partitions(*topic),
            keep: None,
            dated_by_log: false,
            message_bytes_max: 10_485_760,
        });
        all.collect()
    }

    fn embedded_topics(&self) -> Vec<embedded::Topic> {
        let topics = self.topics("").into_iter().map(|topic| embedded::Topic {
            name: topic.name,
            partitions: topic.partitions,
            keep: None,
        });
        topics.collect()
    }
}

/// Rows that are measured one after the other, in a process of their own: what others left in its memory and on its
/// threads would be told as theirs.
struct Part {
    name: &'static str,
    rows: &'static [&'static str],
    measure: fn(&Scale, &mut Table) -> anyhow::Result<()>,
}

const PARTS: [Part; 8] = [
    Part {
        name: "kafka",
        rows: &["g1", "g1-zipf", "g1p", "g3", "g5", "g10", "g11", "hot", "partitions"],
        measure: on_kafka,
    },
    Part { name: "embedded", rows: &["g4", "g5", "g10", "g11"], measure: on_the_embedded_log },
    Part { name: "restore", rows: &["g6"], measure: restore::measure },
    Part { name: "memory", rows: &["g7"], measure: memory::measure },
    Part { name: "alone", rows: &["g12"], measure: alone::measure },
    Part { name: "remembered", rows: &["g13"], measure: remembered::measure },
    Part { name: "accounts", rows: &["flat"], measure: sizes::accounts },
    Part { name: "sweep", rows: &[SWEEP], measure: sweep },
];

/// Set for the process that measures a part.
const PART: &str = "DRAWDOWN_BENCH_PART";

impl Part {
    /// Measures it in another process, which is this program again.
    fn measured(&self, table: &mut Table) -> anyhow::Result<()> {
        // What it leaves behind if it is killed, which can be tens of gigabytes, goes with this folder.
        let folder = tempfile::tempdir()?;
        let mut process = Process::new(std::env::current_exe()?);
        process.args(std::env::args_os().skip(1)).env(PART, self.name).env("TMPDIR", folder.path());
        let measured = process.stderr(Stdio::inherit()).output()?;
        let (ended, says) = (measured.status, measured.stdout);
        if !says.is_empty() {
            table.append(&says)?;
        }
        anyhow::ensure!(ended.success(), "what measures {} ended with {ended}", self.name);
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let scale = Scale::read()?;
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env()?,
        )
        .init();
    let mut table = Table::new(scale.title());
    if let Ok(part) = std::env::var(PART) {
        let part = PARTS.iter().find(|known| known.name == part).context("no such part")?;
        let measured = (part.measure)(&scale, &mut table);
        table.hand_over()?;
        return measured;
    }
    let is_asked = |part: &&Part| part.rows.iter().any(|row| scale.has(row));
    let measured = PARTS.iter().filter(is_asked).try_for_each(|part| part.measured(&mut table));
    print!("{table}");
    measured?;
    // What is measured in full is what the documents show.
    if scale.rows == ROWS && scale.is_whole {
        table.write_to(&docs(), "benchmark")?;
    }
    if scale.rows == [SWEEP] && scale.is_whole {
        table.write_to(&docs(), "kafka-streams")?;
    }
    Ok(())
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// What each account has used so far, in thousandths by meter: prices go by the month's quantity.
type Quantities = Vec<[u64; 2]>;

fn on_kafka(scale: &Scale, table: &mut Table) -> anyhow::Result<()> {
    let broker = Broker::start(BrokerOptions::default())?;
    let local = tempfile::tempdir()?;
    let site = kafka_site(scale, &broker, "bench.", local.path())?;
    table.note(&format!(
        "{} accounts opened in {:.1} s",
        scale.accounts,
        site.open_accounts(scale.accounts)?
    ));
    let mut quantities: Quantities = vec![[0; 2]; scale.accounts as usize];
    let mut rates = Vec::new();
    for (row, what, reach, cpu) in [
        ("g1", "Kafka, one record a message, uniform", "500 k/s", Some("1.3")),
        ("g1-zipf", "Kafka, one record a message, Zipf(1.0)", "500 k/s", None),
        ("g1p", "Kafka, 100 records a message", "2 M/s", Some("0.7")),
    ] {
        if !scale.has(row) {
            continue;
        }
        let figures = runs(scale, row, &site, &mut quantities)?;
        let rate = median(figures.iter().map(|figures| figures.rate));
        rates.push((row, rate));
        table.push(Row::rate(row, what, reach, figures.iter().map(|figures| figures.rate)));
        table.push(Row::cpu(
            "g2",
            what,
            cpu.unwrap_or("-"),
            figures.iter().map(|f| f.cpu_per_million),
        ));
        let broker = figures.iter().map(|figures| figures.broker_cpu_per_million);
        table.push(Row::cpu("", "  the broker's, apart", "-", broker));
    }
    let rate = rates.iter().find(|(row, _)| *row == "g1").map_or(200_000.0, |(_, rate)| *rate);
    if scale.has("g5") {
        latency::measure(&site, rate / 2.0, "Kafka", "150 ms", table)?;
    }
    if scale.has("hot") {
        sizes::hot(scale, &site, &mut quantities, table)?;
    }
    if scale.has("partitions") {
        sizes::partitions(scale, &broker, table)?;
    }
    if scale.has("g10") {
        ingestion::measure(scale, &site, &mut quantities, "Kafka", "300 k/s", table)?;
    }
    if scale.has("g11") {
        answers::measure(&site, scale.accounts, rate / 2.0, "Kafka", "100 ms", table)?;
    }
    if scale.has("g3") {
        beside_peers(scale, &broker, &rates, table)?;
    }
    Ok(())
}

/// An installation on the broker, with topics of its own.
fn kafka_site(scale: &Scale, broker: &Broker, prefix: &str, local: &Path) -> anyhow::Result<Site> {
    let kafka = Kafka::new(as_set_up(&broker.bootstrap(), prefix))?;
    kafka.create(&scale.topics(prefix), 1)?;
    let setting = Setting::new(&scale.plan, prefix)?.keeping(local);
    Ok(setting.site(Arc::new(kafka)).beside_broker(broker.process_id()))
}

/// As an installation sets it up.
fn as_set_up(bootstrap: &str, prefix: &str) -> KafkaConfig {
    let uncompressed = Topic::UNCOMPRESSED.map(|topic| format!("{prefix}{}", topic.name())).into();
    KafkaConfig { uncompressed, ..KafkaConfig::new(bootstrap) }
}

/// Fills and runs a row as often as it is to be measured.
fn runs(
    scale: &Scale,
    row: &str,
    site: &Site,
    quantities: &mut Quantities,
) -> anyhow::Result<Vec<Figures>> {
    let mut figures = Vec::new();
    for run in 0..scale.runs {
        let seed = row.bytes().map(u64::from).sum::<u64>() * 100 + run as u64;
        let made = fill(&scale.usage(row, seed), site, quantities)?;
        let figure = site.run(&made)?;
        eprintln!("{row} {}/{}: {figure}", run + 1, scale.runs);
        figures.push(figure);
    }
    Ok(figures)
}

fn fill(plan: &Plan, site: &Site, quantities: &mut Quantities) -> anyhow::Result<Made> {
    let from: Timestamp = STARTS_AT.parse().context("a time")?;
    let mut maker = Maker::new(*plan, from, std::mem::take(quantities));
    let made =
        maker.append_all(&*site.log, site.name(Topic::Usage), site.topics.usage_partitions)?;
    *quantities = maker.into_quantities();
    Ok(made)
}

/// The same job by whom a user would take in our place, on the same broker and records.
fn beside_peers(
    scale: &Scale,
    broker: &Broker,
    rates: &[(&str, f64)],
    table: &mut Table,
) -> anyhow::Result<()> {
    let ours = rates.iter().find(|(row, _)| *row == "g1").map(|(_, rate)| *rate);
    let times =
        |rate: f64| ours.map_or("-".to_owned(), |ours| format!("ours is {:.1}x", ours / rate));
    let kafka = Kafka::new(as_set_up(&broker.bootstrap(), "bench."))?;
    let made = peer_usage(scale, &kafka)?;
    let mut add = |what: &str, rate: f64, cpu_seconds: f64| {
        table.push(Row::rate("g3", what, &times(rate), [rate]));
        table.push(Row::cpu("", "  its CPU", "-", [cpu_seconds / (made.records as f64 / 1e6)]));
    };
    // As `docs/kafka-streams.md` has it the second is the fastest of all, and the last the fastest that keeps its state
    // on the disk.
    for (hops, store, commit_ms, cache_mb) in [
        (1, "rocksdb", 100, None),
        (1, "memory", 100, None),
        (2, "rocksdb", 100, None),
        (1, "rocksdb", 1_000, Some(1)),
    ] {
        let peer = Streams { hops, store, commit_ms, threads: 2, cache_mb };
        let said =
            peer.verified(&broker.bootstrap(), PEER_USAGE, scale.plan.usage_partitions, &made)?;
        add(&peer.to_string(), said.rate, said.cpu_seconds);
    }
    let said = postgres::run(&kafka, PEER_USAGE, scale.plan.usage_partitions)?;
    site::check(said.charged, &made)?;
    add(postgres::NAME, made.records as f64 / said.seconds, said.cpu_seconds);
    Ok(())
}

/// Each way to set up Kafka Streams.
fn sweep(scale: &Scale, table: &mut Table) -> anyhow::Result<()> {
    let broker = Broker::start(BrokerOptions::default())?;
    let kafka = Kafka::new(as_set_up(&broker.bootstrap(), "bench."))?;
    let made = peer_usage(scale, &kafka)?;
    for peer in Streams::sweep() {
        let said =
            peer.verified(&broker.bootstrap(), PEER_USAGE, scale.plan.usage_partitions, &made)?;
        let cpu = said.cpu_seconds / (made.records as f64 / 1e6);
        table.push(Row::rate("g3", &peer.to_string(), "-", [said.rate]));
        table.push(Row::cpu("", "  its CPU", "-", [cpu]));
    }
    Ok(())
}

const PEER_USAGE: &str = "peer.usage";

fn peer_usage(scale: &Scale, kafka: &Kafka) -> anyhow::Result<Made> {
    let partitions = scale.plan.usage_partitions;
    let input =
        TopicDetails { name: PEER_USAGE.to_owned(), partitions, ..scale.topics("").remove(0) };
    kafka.create(&[input], 1)?;
    let from: Timestamp = STARTS_AT.parse().context("a time")?;
    let quantities = vec![[0; 2]; scale.accounts as usize];
    let plan = Plan { records: scale.records.min(PEER_RECORDS_MAX), ..scale.usage("g1", 1) };
    Maker::new(plan, from, quantities).append_all(kafka, PEER_USAGE, partitions)
}

const PEER_RECORDS_MAX: u64 = 4_000_000;

/// Makes the messages, and then sends them as several of our own ingestions would: a batch is sent once one
/// before it is on disk. Sending, metering and booking take place at the same time, in one process.
fn embedded_run(plan: &Plan, site: &Site, quantities: &mut Quantities) -> anyhow::Result<Figures> {
    let from: Timestamp = STARTS_AT.parse().context("a time")?;
    let mut maker = Maker::new(*plan, from, std::mem::take(quantities));
    let mut batches = Vec::new();
    let made = maker.make(site.topics.usage_partitions, |batch| {
        batches.push(batch);
        Ok(())
    })?;
    *quantities = maker.into_quantities();
    let waiting = Mutex::new(batches.into_iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let send = || -> anyhow::Result<()> {
        while let Some(batch) = next() {
            batch.append(&*site.log, site.name(Topic::Usage), from)?;
        }
        Ok(())
    };
    site.run_beside(&made, || {
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(send)).collect();
            senders.into_iter().try_for_each(|sender| {
                sender.join().map_err(|_| anyhow::anyhow!("a sender panicked"))?
            })
        })
    })
}

/// So many batches are on their way to the disk at a time.
const SENDERS: usize = 4;

fn on_the_embedded_log(scale: &Scale, table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let config =
        EmbeddedConfig::new(folder.path(), scale.embedded_topics(), Arc::new(|| Timestamp::START));
    let site = Site::new(Arc::new(Embedded::open(config)?), &scale.plan)?;
    site.open_accounts(scale.accounts)?;
    let mut quantities: Quantities = vec![[0; 2]; scale.accounts as usize];
    if scale.has("g4") {
        let mut figures = Vec::new();
        for run in 0..scale.runs {
            let plan = scale.usage("g4", 400 + run as u64);
            let figure = embedded_run(&plan, &site, &mut quantities)?;
            eprintln!("g4 {}/{}: {figure}", run + 1, scale.runs);
            figures.push(figure);
        }
        let what = "embedded, sent, on disk and booked";
        table.push(Row::rate("g4", what, "2 M/s", figures.iter().map(|figures| figures.rate)));
        let cpu = figures.iter().map(|figures| figures.cpu_per_million);
        table.push(Row::cpu("", "  its CPU, all of it", "-", cpu));
        let (began, records) = (Instant::now(), scale.records * scale.runs as u64);
        let report = site.audit()?;
        anyhow::ensure!(report.differences() == 0, "the audit finds differences:\n{report}");
        let rate = records as f64 / began.elapsed().as_secs_f64();
        table.push(Row::rate("", "  all of it decided again by audit", "-", [rate]));
    }
    if scale.has("g5") {
        latency::measure(&site, 200_000.0, "embedded", "10 ms", table)?;
    }
    if scale.has("g10") {
        ingestion::measure(scale, &site, &mut quantities, "embedded", "500 k/s", table)?;
    }
    if scale.has("g11") {
        answers::measure(&site, scale.accounts, 200_000.0, "embedded", "10 ms", table)?;
    }
    drop(folder);
    Ok(())
}

/// How long something is let run before it is looked at.
const SETTLES: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_of_a_part() {
        for row in ROWS.iter().chain(&[SWEEP]) {
            assert!(PARTS.iter().any(|part| part.rows.contains(row)), "{row}");
        }
    }
}
