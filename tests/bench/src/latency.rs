//! How long a record takes from being sent to its charge being visible to others, under load.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use drawdown_domain::money::Amount;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_wire::messages::Charges;
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use drawdown_wire::usage::{NewUsage, single_message};

use crate::SETTLES;
use crate::answers::Watch;
use crate::site::{STARTS_AT, Site};
use crate::table::{Row, Table};
use crate::usage::{Maker, Plan, Spread, account_name};

const MEASURED_FOR: Duration = Duration::from_secs(20);
const PROBE_EVERY: Duration = Duration::from_millis(10);
/// Load comes from so many accounts, and as many others have their records timed: metering folds records
/// of one account and minute, and a folded probe would not be known again.
const ACCOUNTS: u32 = 1_000;
/// Both together: no other row has usage of these.
pub(crate) const ITS_ACCOUNTS: u32 = 2 * ACCOUNTS;

/// Sends at `rate` beside the consumers, times records one by one, and adds the row.
pub(crate) fn measure(
    site: &Site,
    rate: f64,
    engine: &str,
    reach: &str,
    table: &mut Table,
) -> anyhow::Result<()> {
    let end = AtomicBool::new(false);
    let sent: Mutex<BTreeMap<Amount, Instant>> = Mutex::default();
    let mut seen = Vec::new();
    site.beside(|| {
        std::thread::scope(|scope| {
            let load = scope.spawn(|| load(site, rate, &end));
            let probes = scope.spawn(|| probe(site, &sent, &end));
            let watched = watch(site, &sent, &mut seen);
            end.store(true, Ordering::Release);
            load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
            probes.join().map_err(|_| anyhow::anyhow!("the probes panicked"))??;
            watched
        })
    })?;
    anyhow::ensure!(!seen.is_empty(), "no probe was seen on `charges` of {engine}");
    seen.sort();
    let at = |share: f64| {
        let place = (seen.len() as f64 * share) as usize;
        seen.get(place.min(seen.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    let found = format!("{:.1?} p50, {:.1?} p99 of {}", at(0.5), at(0.99), seen.len());
    let what = format!("{engine}, usage to charge visible, at {:.0} k/s", rate / 1e3);
    table.push(Row::new("g5", &what, found, &format!("{reach} p99")));
    Ok(())
}

/// Packed usage at a steady rate.
pub(crate) fn load(site: &Site, rate: f64, end: &AtomicBool) -> anyhow::Result<()> {
    let from: Timestamp = STARTS_AT.parse().context("a time")?;
    let (began, mut sent, mut seed) = (Instant::now(), 0.0, 7_000);
    while !end.load(Ordering::Acquire) {
        if began.elapsed().as_secs_f64() * rate < sent {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let records = (rate / 100.0) as u64;
        let spread = Spread::Uniform;
        let (accounts, first, age) = (ACCOUNTS, 0, Span::ZERO);
        let plan = Plan { records, accounts, first, spread, packed: 100, age, seed };
        let mut maker = Maker::new(plan, from, vec![[0; 2]; ACCOUNTS as usize]);
        maker.append_all(&*site.log, site.name(Topic::Usage), site.topics.usage_partitions)?;
        sent += records as f64;
        seed += 1;
    }
    Ok(())
}

/// Single records, each with a quantity of its own by which its charge is known.
fn probe(
    site: &Site,
    sent: &Mutex<BTreeMap<Amount, Instant>>,
    end: &AtomicBool,
) -> anyhow::Result<()> {
    let time: Timestamp = STARTS_AT.parse().context("a time")?;
    let mut number = 0_u32;
    while !end.load(Ordering::Acquire) {
        number += 1;
        let account = account_name(ACCOUNTS + number % ACCOUNTS);
        let partition = partition_of(account.as_bytes(), site.topics.usage_partitions);
        let quantity = Amount::from_raw(1_000_000_000_000_000 + i128::from(number));
        let id = format!("probe-{number}");
        let usage = NewUsage {
            source: "probe",
            id: &id,
            account: &account,
            product: "compute",
            meter: "calls",
            quantity,
            time,
            region: None,
            unit: None,
            tags: &[],
        };
        let now = Instant::now();
        sent.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?.insert(quantity, now);
        let message = single_message(&usage);
        site.log.append(site.name(Topic::Usage), partition, time, &[&message])?;
        std::thread::sleep(PROBE_EVERY);
    }
    Ok(())
}

/// Reads charges as any other reader would, and notes how old each probe is.
fn watch(
    site: &Site,
    sent: &Mutex<BTreeMap<Amount, Instant>>,
    seen: &mut Vec<Duration>,
) -> anyhow::Result<()> {
    let mut watched = Watch::new(site, Topic::Charges)?;
    let began = Instant::now();
    while began.elapsed() < MEASURED_FOR {
        for (at, message) in watched.poll(site, Duration::from_millis(5))? {
            let charges: Charges = schemas::CHARGES.read(&message)?;
            let sent = sent.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
            let lines = charges.groups.iter().flat_map(|group| &group.lines);
            let own = lines.filter_map(|line| sent.get(&line.quantity));
            if began.elapsed() > SETTLES {
                seen.extend(own.map(|sent| at.duration_since(*sent)));
            }
        }
    }
    Ok(())
}
