//! Metering stopped for hours, of one partition and of all, and everything stopped.

use std::time::{Duration, Instant};

use super::check;
use super::load::Load;
use super::rig::{Rig, RigOptions};
use super::site::await_that;

const HOUR: i32 = 60;

/// Who dies keeps its partitions for as long as this test takes, so that nobody meters them.
const OPTIONS: RigOptions = RigOptions {
    workers: &[&["metering"], &["metering"], &["registry", "balance"]],
    hour_seconds: 4,
    usage_partitions: 2,
    brokers: 1,
    transaction_timeout_seconds: 3,
    session_timeout_seconds: 120,
    mail_port: None,
    clickhouse: None,
    schema_registry: None,
};

/// The partitions that a worker said last that it reads.
fn reads(rig: &Rig, worker: usize) -> Vec<String> {
    let said = rig.said_by(worker);
    let line = said.lines().rfind(|line| line.contains("restored; reading")).unwrap_or_default();
    let listed = line.split_once("partitions=[").and_then(|(_, rest)| rest.split_once(']'));
    let listed = listed.map_or("", |(listed, _)| listed).split(", ");
    listed.filter(|partition| !partition.is_empty()).map(str::to_owned).collect()
}

/// R2.4, R5.1: metering that lags by less than `bills.wait` costs no record and moves no amount from
/// one bill to another; nor does a stop of everything, however long.
#[test]
fn metering_that_stops_for_hours_changes_no_bill() {
    let began = Instant::now();
    let mut rig = Rig::start(OPTIONS);
    rig.open_accounts();
    await_that("each metering worker reading a partition", Duration::from_secs(60), || {
        let (first, second) = (reads(&rig, 0), reads(&rig, 1));
        first.len() == 1 && second.len() == 1 && first != second
    });
    let load = Load::well_partitioned(&rig, 31);
    rig.let_pass(HOUR / 2);
    for (stopped, hours) in [(&[0][..], 2), (&[0, 1], 1), (&[0, 1, 2], 3)] {
        stopped.iter().for_each(|worker| rig.kill(*worker));
        let before = rig.positions().unwrap();
        rig.let_pass(HOUR * hours);
        let after = rig.positions().unwrap();
        let still = after.iter().filter(|(place, next)| before[*place] == **next).count();
        let expected = match stopped.len() {
            1 => 1,
            2 => 2,
            _ => before.len(),
        };
        assert_eq!(still, expected, "partitions that were not read meanwhile");
        println!("stopped: {stopped:?} for {hours} hours, {still} partitions stood still");
        stopped.iter().for_each(|worker| rig.restart(*worker));
        rig.let_pass(HOUR);
    }
    let sent = load.stop();
    rig.come_to_rest();
    let books = check::compare(&rig, &sent);
    println!("{books}\n{:.0} s", began.elapsed().as_secs_f64());
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
}
