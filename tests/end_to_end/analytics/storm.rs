//! ANALYTICS killed and frozen at every point of a block, two at once, ClickHouse killed and away, answers lost,
//! repeats sent: every table is equal to the log, and `usage` has the records that are billed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use drawdown::audit::{TablesReport, audit_tables};
use drawdown_components::ClickHouse;
use drawdown_log::Point;

use super::engine::PROGRAM;
use super::proxy::Proxy;
use crate::end_to_end::faults::check;
use crate::end_to_end::faults::load::{Load, Sent};
use crate::end_to_end::faults::rig::{Rig, RigOptions};
use crate::end_to_end::faults::site::await_that;
use crate::end_to_end::random::Random;

/// Where a worker that fills ClickHouse is killed.
const POINTS: [Point; 7] = [
    Point::BlockClaimed,
    Point::Inserting,
    Point::Inserted,
    Point::BlockFilled,
    Point::Begun,
    Point::OffsetsSent,
    Point::Committed,
];
/// The worker that bills; the other two fill ClickHouse.
const BILLING: usize = 0;
const FILLING: [usize; 2] = [1, 2];

fn options(clickhouse: u16) -> RigOptions {
    RigOptions {
        workers: &[&["metering", "registry", "balance"], &["analytics"], &["analytics"]],
        session_timeout_seconds: 6,
        clickhouse: Some(clickhouse),
        ..RigOptions::default()
    }
}

/// Everything as far as it is inserted; none while an answer of ClickHouse is lost.
fn compared(rig: &Rig) -> Option<TablesReport> {
    let installation = rig.setup.installation(rig.log.clone()).unwrap();
    let compared = audit_tables(&installation, &rig.setup.store());
    compared.inspect_err(|why| println!("not compared: {why:#}")).ok().flatten()
}

/// How many rows of a table or view are in ClickHouse.
fn rows(rig: &Rig, table: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = rig.setup.store();
    let counted = format!("SELECT count() FROM {table}");
    let counted = runtime.block_on(store.rows::<u64>(&counted));
    counted.unwrap()[0]
}

/// Lets ClickHouse get everything, and ends the workers.
fn come_to_rest(rig: &mut Rig) -> TablesReport {
    rig.wait_for_rest();
    rig.end(&[BILLING]);
    let mut report = None;
    await_that("all of the log in ClickHouse", Duration::from_secs(120), || {
        let Some(compared) = compared(rig) else { return false };
        let is_whole = compared.behind() == 0 && compared.rows("usage") > 0;
        report = Some(compared);
        is_whole
    });
    rig.end(&FILLING);
    report.unwrap()
}

fn compare(rig: &Rig, report: &TablesReport, sent: &Sent) {
    println!("{report}");
    assert!(report.found().is_empty(), "{:?}", report.found());
    let books = check::compare(rig, sent);
    println!("{books}");
    assert_eq!(books.differences, Vec::<String>::new());
    assert!(sent.repeats * 25 > sent.records, "R2.2: repeats were sent");
    assert_eq!(report.rows("usage"), books.counted(), "R2.2: the records that are billed");
    assert!(books.voided() > 0, "R2.5: records were taken back");
    let standing = books.counted() - books.voided();
    assert_eq!(rows(rig, "usage_standing"), standing, "R2.5: those that are billed still");
    for table in
        ["entries", "bills_issued", "bill_payments", "charges", "balance", "commands", "rejects"]
    {
        assert!(report.rows(table) > 0, "{table} is empty");
    }
}

#[test]
fn every_table_is_equal_to_the_log_whoever_is_killed_whenever() {
    let mut engine = ClickHouse::start(Path::new(PROGRAM)).unwrap();
    let proxy = Proxy::start(engine.port(), 40);
    let mut rig = Rig::start(options(proxy.port()));
    rig.open_accounts();
    let load = Load::start(&rig, 1);
    let (mut random, mut met) = (Random(1), BTreeMap::<&str, u32>::new());
    for (kill, point) in POINTS.into_iter().chain(POINTS).enumerate() {
        let victim = FILLING[kill % 2];
        // On a busy machine it may not come to so many of them in time, but it comes to one.
        let count = 1 + random.below(20);
        if rig.kill_at(victim, point, count) || rig.kill_at(victim, point, 1) {
            *met.entry(point.name()).or_default() += 1;
        }
        if kill % 5 == 2 {
            engine.kill().unwrap();
            rig.restart(victim);
            // Long enough for all to find nobody a few times.
            rig.let_pass(10);
            engine.resume().unwrap();
        } else {
            rig.restart(victim);
        }
    }
    let sent = load.stop();
    let report = come_to_rest(&mut rig);
    println!("kills by point: {met:?}; answers lost: {}", proxy.lost());
    assert!(proxy.lost() > 5, "{} answers were lost", proxy.lost());
    for point in POINTS {
        assert!(met.contains_key(point.name()), "{} was not met: {met:?}", point.name());
    }
    compare(&rig, &report, &sent);
}

/// A worker that is frozen within a block wakes when another has long gone on.
#[test]
fn a_worker_that_was_frozen_adds_nothing() {
    let engine = ClickHouse::start(Path::new(PROGRAM)).unwrap();
    let mut rig = Rig::start(options(engine.port()));
    rig.open_accounts();
    let load = Load::start(&rig, 2);
    for (point, count) in [(Point::Inserting, 9), (Point::BlockClaimed, 12)] {
        rig.freeze_at(FILLING[0], point, count);
        let before = rows(&rig, "charges");
        await_that("the other worker has gone on", Duration::from_secs(60), || {
            rows(&rig, "charges") > before + 500
        });
        rig.wake(FILLING[0]);
        // Woken, it finds out and ends, or goes on as a new member; either way it is started anew.
        rig.let_pass(20);
        rig.restart(FILLING[0]);
    }
    let sent = load.stop();
    let report = come_to_rest(&mut rig);
    compare(&rig, &report, &sent);
}
