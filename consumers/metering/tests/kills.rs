//! `kill -9` at each named point while identities are written and merged: whatever it leaves behind, the
//! next start gives the answers of the whole history.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use drawdown_domain::time::Timestamp;
use drawdown_log::{Faults, Log, Memory, Next, Point};
use drawdown_metering::identities::{
    Identities, Identity, IdentityOptions, Known, Position, Shelves, Told,
};

const DIRECTORY: &str = "DRAWDOWN_TEST_IDENTITIES";
const STEPS: u64 = 60;
const A_STEP: u64 = 40;
const DAY_MICROS: i64 = 86_400_000_000;

fn told(number: u64) -> Told {
    let mix = |number: u64| (number ^ (number >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let high = mix(mix(number).rotate_left(17));
    Told { identity: Identity { high, low: mix(high) }, content: number }
}

fn identities(directory: Option<&Path>) -> Identities {
    let directory = directory.map(Path::to_owned);
    let options = IdentityOptions { directory, table_max: 100, ..IdentityOptions::default() };
    Identities::new(Arc::new(Shelves::new(options, &[3; 16])), 0)
}

fn log() -> Memory {
    Memory::new([("identities", 1)], Faults::default())
}

/// The first day that is kept after a step.
fn kept_from(step: u64) -> i32 {
    i32::try_from(step / 2).unwrap()
}

/// The same history each time, step by step. `settle` is called after each step.
fn play(identities: &mut Identities, log: &Memory, settle: &mut dyn FnMut(&mut Identities)) {
    identities.restore(log, "identities", Position::default()).unwrap();
    for step in 0..STEPS {
        identities.forget_before(kept_from(step));
        for number in step * A_STEP..(step + 1) * A_STEP {
            let day = i64::try_from(step + number % 7).unwrap();
            identities.remember(told(number), Timestamp::from_micros(day * DAY_MICROS), 5, 0);
        }
        let packed = identities.take_packed();
        let values: Vec<&[u8]> = packed.iter().map(Vec::as_slice).collect();
        log.append("identities", 0, Timestamp::START, &values).unwrap();
        identities.committed(|| Some(log.bounds("identities", 0).unwrap().end));
        settle(identities);
    }
}

/// Not a test: the process that is killed.
#[test]
#[ignore = "is started by the other test"]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    play(&mut identities(Some(Path::new(&directory))), &log(), &mut |identities| {
        identities.settle().unwrap();
        while identities.fill().is_writing {
            std::thread::yield_now();
            identities.settle().unwrap();
        }
    });
}

fn killed(directory: &Path, point: Point, times: u32) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "child"]).env(DIRECTORY, directory);
    command.env("DRAWDOWN_KILL_AT", format!("{}:{times}", point.name()));
    !command.output().unwrap().status.success()
}

#[test]
fn r2_2_a_kill_at_any_point_changes_no_answer() {
    let log = log();
    let mut whole = identities(None);
    play(&mut whole, &log, &mut |identities| identities.settle().unwrap());
    let points = [
        Point::RunTorn,
        Point::RunSealed,
        Point::RunsMerged,
        Point::CheckpointBegun,
        Point::CheckpointTorn,
        Point::CheckpointWritten,
    ];
    for point in points {
        for times in [1, 2, 5] {
            let folder = tempfile::tempdir().unwrap();
            assert!(killed(folder.path(), point, times), "{} was not reached", point.name());
            let mut restored = identities(Some(folder.path()));
            restored.forget_before(whole.kept_from());
            restored.restore(&log, "identities", whole.reached()).unwrap();
            for number in 0..STEPS * A_STEP + 100 {
                let identity = told(number).identity;
                let (found, expected) = (restored.find(identity), whole.find(identity));
                assert_eq!(found.unwrap(), expected.unwrap(), "{} {number}", point.name());
            }
            assert_eq!(restored.look(told(STEPS * A_STEP - 1)).unwrap(), Known::Duplicate);
        }
    }
    assert!(log.bounds("identities", 0).unwrap().end > Next::START);
}
