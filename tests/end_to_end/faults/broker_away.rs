//! The broker killed and started again under load.

use std::time::{Duration, Instant};

use super::check;
use super::load::Load;
use super::rig::{Rig, RigOptions};

/// Transactions outlive the absence. A lone broker (Kafka 4.3.0) that finds transactions expired while it
/// starts ends them without telling the partitions they wrote to, whose readers then wait for ever.
const OPTIONS: RigOptions = RigOptions {
    workers: &[&["metering", "balance"], &["metering", "registry", "balance"]],
    hour_seconds: 10,
    usage_partitions: 4,
    transaction_timeout_seconds: 40,
    session_timeout_seconds: 3,
};

/// R1.3, R2.2, R5.1: workers and producers go on by themselves, and nothing is lost or doubled.
#[test]
#[ignore = "one run of three ends with bills of the last cycle missing; not understood yet"]
fn a_broker_that_is_killed_and_comes_back_costs_nothing_but_time() {
    let began = Instant::now();
    let mut rig = Rig::start(OPTIONS);
    rig.open_accounts();
    let load = Load::start(&rig, 21);
    rig.let_pass(20);
    let before = rig.positions().unwrap();
    rig.broker.kill().unwrap();
    let killed = Instant::now();
    rig.broker.resume().unwrap();
    let back = killed.elapsed();
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        for worker in 0..rig.workers() {
            let ended = rig.ended(worker);
            assert!(ended.is_none(), "worker {worker} ended: {ended:?}\n{}", rig.said());
        }
        let behind = rig.positions().map(|now| {
            now.into_iter().filter(|(place, next)| *next <= before[place]).collect::<Vec<_>>()
        });
        if matches!(&behind, Ok(behind) if behind.is_empty()) {
            break;
        }
        assert!(Instant::now() < deadline, "no progress: {behind:?}\n{}", rig.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    let away = (back.as_secs_f64(), (killed.elapsed() - back).as_secs_f64());
    println!("the broker was away for {:.1} s, all went on {:.1} s later", away.0, away.1);
    rig.let_pass(20);
    let sent = load.stop();
    rig.come_to_rest();
    let books = check::compare(&rig, &sent);
    println!("{books}\n{:.0} s", began.elapsed().as_secs_f64());
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
}
