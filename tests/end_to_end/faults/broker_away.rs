//! The broker killed and started again under load, once with a worker in the middle of a commit.

use std::time::{Duration, Instant};

use drawdown_log::Point;

use super::check;
use super::kills::{seed, tally, wanted};
use super::load::Load;
use super::rig::{Rig, RigOptions};
use crate::end_to_end::random::Random;

const BACK_WITHIN: Duration = Duration::from_secs(120);

/// R1.3, R2.2, R5.1: workers and producers go on by themselves, and nothing is lost or doubled, though
/// a lone broker forgets to end transactions that were open or being ended when it was killed.
#[test]
fn a_broker_that_is_killed_and_comes_back_costs_nothing_but_time() {
    let began = Instant::now();
    let mut rig = Rig::start(RigOptions::default());
    rig.open_accounts();
    let load = Load::start(&rig, 21);
    rig.let_pass(20);
    kill_and_resume(&mut rig, 0, None);
    rig.let_pass(20);
    kill_and_resume(&mut rig, 0, Some(0));
    rig.let_pass(20);
    let sent = load.stop();
    rig.come_to_rest();
    let books = check::compare(&rig, &sent);
    println!("{books}\n{:.0} s", began.elapsed().as_secs_f64());
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
}

/// R1.3, R2.2, R5.1: of three brokers any may be killed, again and again, every other time with a worker about to end a
/// transaction.
#[test]
fn killed_brokers_of_three_lose_and_double_nothing() {
    let began = Instant::now();
    let kills = wanted("BROKER_KILLS", 2);
    let mut rig = Rig::start(RigOptions { brokers: 3, ..RigOptions::default() });
    rig.open_accounts();
    let load = Load::start(&rig, seed());
    let mut random = Random(seed());
    for kill in 0..kills {
        let broker = random.below(rig.brokers.size() as u64) as usize;
        let worker = (kill % 2 == 1).then(|| kill / 2 % rig.workers());
        kill_and_resume(&mut rig, broker, worker);
        std::thread::sleep(Duration::from_millis(random.below(2_000)));
    }
    let sent = load.stop();
    rig.come_to_rest();
    let books = check::compare(&rig, &sent);
    println!("{kills} kills\n{books}\nseed {}, {:.0} s", seed(), began.elapsed().as_secs_f64());
    tally("broker-kills", kills, &books);
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
}

/// Kills a broker, together with a worker that is about to end a transaction if one is named, starts
/// both again, and waits until all partitions are read on.
fn kill_and_resume(rig: &mut Rig, broker: usize, with_worker: Option<usize>) {
    let before = rig.positions().unwrap();
    if let Some(worker) = with_worker {
        rig.freeze_at(worker, Point::OffsetsSent, 12);
    }
    rig.brokers.broker(broker).kill().unwrap();
    let killed = Instant::now();
    if let Some(worker) = with_worker {
        rig.restart(worker);
    }
    rig.brokers.broker(broker).resume().unwrap();
    let back = killed.elapsed();
    let deadline = Instant::now() + BACK_WITHIN;
    loop {
        for worker in 0..rig.workers() {
            let ended = rig.ended(worker);
            assert!(ended.is_none(), "worker {worker} ended: {ended:?}");
        }
        let behind = rig.positions().map(|now| {
            now.into_iter().filter(|(place, next)| *next <= before[place]).collect::<Vec<_>>()
        });
        if matches!(&behind, Ok(behind) if behind.is_empty()) {
            break;
        }
        assert!(Instant::now() < deadline, "no progress: {behind:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    println!(
        "the broker was away for {:.1} s, all went on {:.1} s later",
        back.as_secs_f64(),
        (killed.elapsed() - back).as_secs_f64()
    );
}
