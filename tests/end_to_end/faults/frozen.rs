//! A worker frozen between sending its offsets and ending its transaction.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use drawdown_log::{Next, Point};
use drawdown_wire::topics::Topic;

use super::check;
use super::kills::{seed, tally, wanted};
use super::load::Load;
use super::rig::{Rig, RigOptions};
use super::site::await_that;
use crate::end_to_end::random::Random;

const FROZEN: usize = 0;
const SUCCESSOR: usize = 1;

/// The partitions go to another long before the broker aborts what is open.
const OPTIONS: RigOptions = RigOptions {
    workers: &[&["metering", "balance"], &["metering", "registry", "balance"]],
    hour_seconds: 10,
    usage_partitions: 4,
    brokers: 1,
    transaction_timeout_seconds: 10,
    session_timeout_seconds: 3,
    mail_port: None,
    clickhouse: None,
    schema_registry: None,
};

/// A partition whose position depends on a transaction that is neither committed nor aborted. Whoever
/// asks for it waits; so does a thread of this test.
struct Open {
    consumer: &'static str,
    partition: u32,
    asking: JoinHandle<()>,
}

/// Asks for all positions. The frozen worker's stay open until the broker aborts its transaction.
fn ask_for_positions(rig: &Rig) -> Vec<Open> {
    let mut asked = Vec::new();
    for (consumer, topic) in [("metering", Topic::Usage), ("balance", Topic::Ledger)] {
        let group = format!("{}{consumer}", rig.setup.config.installation().prefix);
        for partition in 0..rig.setup.plan.partitions(topic) {
            let (log, group) = (rig.log.clone(), group.clone());
            let topic = rig.setup.topics.name(topic).to_owned();
            let ask = move || log.committed(&group, &topic, partition).map(|_| ()).unwrap();
            asked.push(Open { consumer, partition, asking: std::thread::spawn(ask) });
        }
    }
    asked
}

/// Whether the successor said something of the partition since it had said so much.
fn said(rig: &Rig, from: usize, what: &str, open: &Open) -> bool {
    let consumer = format!("consumer={} ", open.consumer);
    rig.said_by(SUCCESSOR)[from..].lines().any(|line| {
        let partitions = line.split_once("partitions=[").map(|(_, rest)| rest);
        let partitions = partitions.and_then(|rest| rest.split_once(']')).map(|(list, _)| list);
        let mut listed = partitions.unwrap_or_default().split(", ");
        line.contains(what)
            && line.contains(&consumer)
            && listed.any(|own| own == open.partition.to_string())
    })
}

/// R1.3, R2.2: who takes over waits until what the frozen one left open is decided; when that one wakes
/// it changes nothing any more.
#[test]
fn a_frozen_worker_is_waited_for_and_fenced_when_it_wakes() {
    let began = Instant::now();
    let mut rig = Rig::start(OPTIONS);
    rig.open_accounts();
    let load = Load::start(&rig, 11);
    rig.let_pass(20);
    let from = rig.said_by(SUCCESSOR).len();
    rig.freeze_at(FROZEN, Point::OffsetsSent, 12);
    let frozen_at = Instant::now();
    let mut asked = ask_for_positions(&rig);
    let mut found = None;
    let what = "a partition assigned to another while its position is open";
    await_that(what, Duration::from_secs(30), || {
        let is_open = |open: &Open| !open.asking.is_finished();
        found = asked
            .iter()
            .position(|open| said(&rig, from, "assigned; restoring", open) && is_open(open));
        found.is_some()
    });
    let open = asked.swap_remove(found.expect("one was found"));
    let what = format!("{} {}", open.consumer, open.partition);
    let assigned = frozen_at.elapsed();
    let mut decided = None;
    await_that("the successor reading", Duration::from_secs(60), || {
        if open.asking.is_finished() {
            decided.get_or_insert_with(|| frozen_at.elapsed());
        }
        said(&rig, from, "restored; reading", &open)
    });
    let reading = frozen_at.elapsed();
    println!(
        "{what}: assigned to another {assigned:.1?}, position decided {decided:.1?}, read {reading:.1?} after its owner froze"
    );
    // The transaction began a moment before its worker froze.
    let timeout = Duration::from_secs(OPTIONS.transaction_timeout_seconds);
    assert!(assigned + Duration::from_secs(2) < timeout, "nobody had to wait");
    assert!(reading + Duration::from_secs(1) > timeout, "{what} was not waited for");

    let before_waking = rig.said_by(FROZEN).len();
    rig.wake(FROZEN);
    await_that("the woken one fenced", Duration::from_secs(60), || {
        let said = &rig.said_by(FROZEN)[before_waking..];
        rig.ended(FROZEN).is_some() || said.contains("the commit's outcome is unknown")
    });
    rig.let_pass(20);
    // Its consumers are fenced one after the other; the broker may refuse one of them its name for good.
    let ended = rig.ended(FROZEN);
    let said = rig.said_by(FROZEN)[before_waking..].to_owned();
    println!("the woken one: {ended:?}\n{said}");
    if let Some(status) = ended {
        assert_eq!(status.code(), Some(1));
        assert!(said.contains("FENCED_INSTANCE_ID"), "{said}");
        assert!(said.contains("cannot go on"), "{said}");
        rig.restart(FROZEN);
    }
    let sent = load.stop();
    rig.come_to_rest();
    let books = check::compare(&rig, &sent);
    println!("{books}\n{:.0} s", began.elapsed().as_secs_f64());
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
}

const GOES_ON_WITHIN: Duration = Duration::from_secs(120);

/// R1.3, R2.2: however often it happens, at whatever commit. Half of them wake while what they left open may still be
/// decided either way, half when others have long gone on.
#[test]
fn frozen_workers_lose_and_double_nothing() {
    let began = Instant::now();
    let freezes = wanted("FREEZES", 2);
    // Whoever is frozen, another goes on with all that it did.
    const ALL: &[&str] = &["metering", "registry", "balance"];
    let mut rig = Rig::start(RigOptions { workers: &[ALL, ALL], ..RigOptions::default() });
    rig.open_accounts();
    let load = Load::start(&rig, seed());
    let mut random = Random(seed());
    let mut ended_by_themselves = 0;
    for freeze in 0..freezes {
        let frozen = freeze % rig.workers();
        let before = rig.positions().unwrap();
        rig.freeze_at(frozen, Point::OffsetsSent, 1 + random.below(20));
        if freeze % 4 < 2 {
            std::thread::sleep(Duration::from_millis(random.below(4_000)));
        } else {
            await_that("others going on", GOES_ON_WITHIN, || went_on(&rig, &before));
        }
        let asleep = rig.positions().ok();
        rig.wake(frozen);
        let before = asleep.unwrap_or(before);
        await_that("all going on", GOES_ON_WITHIN, || {
            if rig.ended(frozen).is_some_and(|status| status.code() == Some(1)) {
                ended_by_themselves += 1;
                rig.restart(frozen);
            }
            went_on(&rig, &before)
        });
    }
    let sent = load.stop();
    rig.come_to_rest();
    let books = check::compare(&rig, &sent);
    println!(
        "{freezes} freezes, after which {ended_by_themselves} ended and were started again\n{books}\nseed {}, {:.0} s",
        seed(),
        began.elapsed().as_secs_f64()
    );
    tally("freezes", freezes, &books);
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
}

/// Whether all partitions were read further.
fn went_on(rig: &Rig, before: &BTreeMap<(String, u32), Next>) -> bool {
    rig.positions().is_ok_and(|now| now.iter().all(|(place, next)| *next > before[place]))
}
