//! Whether metering is as fast with the identities of a month behind it as with few: they get there as any do, through
//! the pipeline.

use std::path::Path;
use std::time::Instant;

use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::time::Span;
use drawdown_metering::identities::Fill;

use crate::site::check;
use crate::table::{Row, Table, median};
use crate::usage::Plan;
use crate::{Quantities, Scale, fill, kafka_site, runs};

/// They are spread over so many days, all of one month.
const DAYS: u64 = 30;
/// Of so few accounts that metering has little else to do.
const ACCOUNTS: u32 = 1_000;
const SEED: u64 = 1_000_000;
/// The slowest of so many is told.
const RESTARTS: usize = 20;
/// Of each restart, so that all partitions have something to commit.
const FIRST_STEP_RECORDS: u64 = 1_000;

/// On a broker of its own, whose hour does not end meanwhile.
pub(crate) fn measure(scale: &Scale, table: &mut Table) -> anyhow::Result<()> {
    let (broker, local) = (Broker::start(BrokerOptions::default())?, tempfile::tempdir()?);
    let site = &kafka_site(scale, &broker, "bench.", local.path())?;
    site.open_accounts(scale.accounts)?;
    let quantities: &mut Quantities = &mut vec![[0; 2]; scale.accounts as usize];
    let few = runs(scale, "g1", site, quantities)?;
    let few = median(few.iter().map(|figures| figures.rate));
    let (began, at_a_time) = (Instant::now(), scale.records);
    let mut seed = SEED;
    let mut fresh = |records, age| {
        seed += 1;
        Plan { records, accounts: ACCOUNTS, packed: 100, age, ..scale.usage("g13", seed) }
    };
    let times = scale.ids.div_ceil(at_a_time);
    for time in 0..times {
        // Oldest first, as they come in life.
        let age = Span::minutes((DAYS * 24 * 60 * (times - time) / times) as i32);
        // One in twenty is a repeat.
        let made = fill(&fresh(at_a_time * 20 / 19, age), site, quantities)?;
        eprintln!("g13 remembers, {} of {times}: {}", time + 1, site.run(&made)?);
    }
    let filled = began.elapsed().as_secs_f64();
    let count = remembered(&site.remembered()?);
    anyhow::ensure!(count >= scale.ids, "{count} identities are remembered, not {}", scale.ids);
    table.note(&format!("{count} identities remembered over {DAYS} days, after {filled:.0} s"));
    let figures = runs(scale, "g13", site, quantities)?;
    let rates = || figures.iter().map(|figures| figures.rate);
    let what = format!("Kafka, with {} M identities behind it", count / 1_000_000);
    table.push(Row::rate("g13", &what, "-", rates()));
    let share = format!("{:.0}%", median(rates()) / few * 100.0);
    table.push(Row::new("", "  of the rate with few", share, "80%"));
    let fills = site.remembered()?;
    let count = remembered(&fills);
    let in_memory: u64 = fills.iter().map(|fill| fill.run_bytes).sum();
    let per = |bytes: u64| format!("{:.1} B", bytes as f64 / count as f64);
    table.push(Row::new("g7", "METERING, an identity in memory", per(in_memory), "2 B"));
    table.push(Row::new(
        "g7",
        "METERING, an identity on disk",
        per(size_of(local.path())?),
        "36 B",
    ));
    let (mut seconds, mut before) = (Vec::new(), None);
    for _ in 0..RESTARTS {
        let made = fill(&fresh(FIRST_STEP_RECORDS, Span::ZERO), site, quantities)?;
        let (took, booked) = site.come_back(Instant::now())?;
        seconds.push(took);
        if let Some(before) = before.replace(booked) {
            check(booked.minus(before)?, &made)?;
        }
    }
    let slowest = |who: usize| seconds.iter().map(|each| each[who]).fold(0.0, f64::max);
    let found = format!("METERING {:.2} s, BALANCE {:.2} s", slowest(0), slowest(1));
    let what = format!(
        "  the first commit after a restart with all of them and {} accounts, slowest of {RESTARTS}",
        scale.accounts
    );
    table.push(Row::new("", &what, found, "3 s"));
    Ok(())
}

/// By all partitions of the process.
fn remembered(fills: &[Fill]) -> u64 {
    fills.first().map_or(0, |fill| fill.remembered)
}

/// What a folder takes on the disk.
fn size_of(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += if found.is_dir() { size_of(&entry.path())? } else { found.len() };
    }
    Ok(bytes)
}
