//! `make bench`: what drawdown does in a second, each figure verified to the last cent.

#![allow(clippy::print_stdout)] // it prints a table

mod site;
mod usage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::time::Timestamp;
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::kafka::{Kafka, KafkaConfig, TopicDetails};
use drawdown_wire::topics::{DEFAULT_PLAN, Topic, TopicPlan};

use site::{STARTS_AT, Site, cpu_seconds, cpu_seconds_of, forget_memory_peak, memory_peak_mib};
use usage::{Maker, Plan, Spread};

/// Measures on this machine and prints a table.
#[derive(Parser)]
struct Arguments {
    /// Accounts that are opened.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u32,
    /// Records of each timed run.
    #[arg(long, default_value_t = 10_000_000)]
    records: u64,
    /// Partitions of usage and of ledger.
    #[arg(long, default_value_t = 16)]
    partitions: u32,
    /// Audits the embedded log of g4 afterwards.
    #[arg(long)]
    audit: bool,
    /// Rows to measure: g1, g1-zipf, g1p, g4.
    #[arg(default_values = ["g1", "g1-zipf", "g1p", "g4"])]
    rows: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .init();
    let mut plan = TopicPlan::parse(DEFAULT_PLAN).map_err(anyhow::Error::msg)?;
    plan.usage_partitions = arguments.partitions;
    plan.ledger_partitions = arguments.partitions;
    let kafka_rows: Vec<&String> =
        arguments.rows.iter().filter(|row| !row.starts_with("g4")).collect();
    if !kafka_rows.is_empty() {
        let broker = Broker::start(BrokerOptions::default())?;
        let kafka = Arc::new(Kafka::new({
            let mut config = KafkaConfig::new(&broker.bootstrap());
            if std::env::var_os("KDEBUG").is_some() {
                config.properties.insert("debug".to_owned(), "cgrp,eos".to_owned());
                config.properties.insert("log_level".to_owned(), "7".to_owned());
            }
            config
        })?);
        kafka.create(&details(&plan, "bench."), 1)?;
        let site = Site::new(kafka, &plan, "bench.")?;
        println!(
            "{} accounts opened in {:.1} s",
            arguments.accounts,
            site.open_accounts(arguments.accounts)?
        );
        let mut quantities = vec![[0; 2]; arguments.accounts as usize];
        for row in kafka_rows {
            measure(&arguments, row, &site, broker.process_id(), &mut quantities)?;
        }
    }
    if arguments.rows.iter().any(|row| row == "g4") {
        let folder = tempfile::tempdir()?;
        let topics = details(&plan, "").into_iter().map(|topic| embedded::Topic {
            name: topic.name,
            partitions: topic.partitions,
            keep: None,
        });
        let config = EmbeddedConfig::new(folder.path(), topics, Arc::new(|| Timestamp::START));
        let site = Site::new(Arc::new(Embedded::open(config)?), &plan, "")?;
        println!(
            "{} accounts opened in {:.1} s",
            arguments.accounts,
            site.open_accounts(arguments.accounts)?
        );
        let mut quantities = vec![[0; 2]; arguments.accounts as usize];
        measure(&arguments, "g4", &site, None, &mut quantities)?;
        if arguments.audit {
            measure_audit(&site, arguments.records)?;
        }
    }
    Ok(())
}

fn measure(
    arguments: &Arguments,
    row: &str,
    site: &Site,
    broker: Option<u32>,
    quantities: &mut Vec<[u64; 2]>,
) -> anyhow::Result<()> {
    let plan = Plan {
        records: arguments.records,
        accounts: arguments.accounts,
        spread: if row == "g1-zipf" { Spread::Zipf } else { Spread::Uniform },
        packed: if row == "g1p" || row == "g4" { 100 } else { 1 },
        seed: row.bytes().map(u64::from).sum(),
    };
    let from: Timestamp = STARTS_AT.parse().context("a time")?;
    let mut maker = Maker::new(plan, from, std::mem::take(quantities));
    let began = Instant::now();
    let made = maker.append_all(&*site.log, site.name(Topic::Usage), arguments.partitions)?;
    *quantities = maker.into_quantities();
    let filled = began.elapsed().as_secs_f64();
    let broker_before = broker.map(cpu_seconds_of);
    let run = site.run(&made)?;
    let broker_cpu =
        broker.map(cpu_seconds_of).zip(broker_before).map_or(0.0, |(after, before)| after - before);
    let millions = made.records as f64 / 1e6;
    println!(
        "{row}: {:.0} records/s ({} records of {:.0} bytes, {} repeats, filled in {filled:.1} s), {:.2} CPU-s per million, broker {:.2}; restored in {:.2} and {:.2} s; {} booked",
        made.records as f64 / run.seconds,
        made.records,
        made.bytes as f64 / made.records as f64,
        made.repeats,
        run.cpu_seconds / millions,
        broker_cpu / millions,
        run.restore_seconds[0],
        run.restore_seconds[1],
        made.costs
    );
    Ok(())
}

/// How long the proof takes over all that the site's log holds.
fn measure_audit(site: &Site, records: u64) -> anyhow::Result<()> {
    forget_memory_peak()?;
    let (before, began, cpu) = (memory_peak_mib()?, Instant::now(), cpu_seconds());
    let report = site.audit()?;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!("{report}");
    println!(
        "audit: {:.0} records/s ({records} records in {seconds:.1} s), {:.2} CPU-s per million, {} MiB at most ({before} MiB before)",
        records as f64 / seconds,
        cpu / (records as f64 / 1e6),
        memory_peak_mib()?
    );
    anyhow::ensure!(report.differences() == 0, "the books differ");
    Ok(())
}

fn details(plan: &TopicPlan, prefix: &str) -> Vec<TopicDetails> {
    let all = Topic::ALL.iter().map(|topic| TopicDetails {
        name: format!("{prefix}{}", topic.name()),
        partitions: plan.partitions(*topic),
        keep: Some(Duration::from_secs(3_600 * 24 * 365 * 10)),
        dated_by_log: false,
        message_bytes_max: 10_485_760,
    });
    all.collect()
}
