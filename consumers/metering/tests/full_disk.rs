//! No room on a worker's disk for the memory of duplicates: nothing more is taken and it is said why,
//! nothing is forgotten, and it goes on once there is room.
//!
//! The child runs on a small file system of its own, in a mount namespace that ends with it; where that
//! is not allowed there is only the other test, in which a limit on the size of files is met.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown_domain::time::Timestamp;
use drawdown_log::{Faults, Log, Memory};
use drawdown_metering::identities::{
    Identities, Identity, IdentityOptions, Known, Position, Shelves, Told,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const DIRECTORY: &str = "DRAWDOWN_TEST_IDENTITIES";
const MODE: &str = "DRAWDOWN_TEST_FULL";
const A_STEP: u64 = 500;
const TABLE: usize = 2_000;
const BALLAST_BYTES: usize = 3 << 20;
const FILE_BYTES_MAX: u64 = 200_000;
const WITHIN: Duration = Duration::from_secs(30);

fn told(number: u64) -> Told {
    let mix = |number: u64| (number ^ (number >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let high = mix(mix(number).rotate_left(17));
    Told { identity: Identity { high, low: mix(high) }, content: number }
}

fn identities(directory: &Path) -> Identities {
    let directory = Some(directory.to_owned());
    let options = IdentityOptions { directory, table_max: TABLE, ..IdentityOptions::default() };
    Identities::new(Arc::new(Shelves::new(options, &[3; 16])), 0)
}

struct Partition {
    log: Memory,
    identities: Identities,
    count: u64,
}

impl Partition {
    /// A step of new records, as the station takes them.
    fn step(&mut self) {
        for number in self.count..self.count + A_STEP {
            assert_eq!(self.identities.look(told(number)).unwrap(), Known::New);
            self.identities.remember(told(number), Timestamp::from_micros(0), 5, 0);
        }
        self.count += A_STEP;
        let packed = self.identities.take_packed();
        let values: Vec<&[u8]> = packed.iter().map(Vec::as_slice).collect();
        self.log.append("identities", 0, Timestamp::START, &values).unwrap();
        self.identities.committed(|| Some(self.log.bounds("identities", 0).unwrap().end));
        self.identities.settle().unwrap();
    }

    fn settle_until(&mut self, is_so: impl Fn(&Identities) -> bool) {
        let deadline = Instant::now() + WITHIN;
        while !is_so(&self.identities) {
            assert!(Instant::now() < deadline, "{:?}", self.identities.fill());
            self.identities.settle().unwrap();
            std::thread::yield_now();
        }
    }

    fn check(&self) {
        for number in 0..self.count {
            assert_eq!(self.identities.look(told(number)).unwrap(), Known::Duplicate, "{number}");
        }
        assert_eq!(self.identities.look(told(self.count)).unwrap(), Known::New);
    }
}

fn limit_files(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

/// Not a test: the process whose disk is full.
#[test]
#[ignore = "is started by the other tests"]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let (directory, is_limit) = (Path::new(&directory), std::env::var(MODE).unwrap() == "limit");
    let ballast = directory.join("ballast");
    fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let log = Memory::new([("identities", 1)], Faults::default());
    let mut own = Partition { log, identities: identities(directory), count: 0 };
    own.identities.restore(&own.log, "identities", Position::default()).unwrap();
    if is_limit {
        limit_files(Some(FILE_BYTES_MAX));
    }
    let why = loop {
        match own.identities.full() {
            Some(why) => break why,
            None => own.step(),
        }
        // Whatever can be written is: only a full disk lets many wait.
        let waits = |own: &Identities| own.fill().is_writing;
        own.settle_until(|identities| !waits(identities));
        assert!(own.count < 10_000_000, "the disk never was full");
    };
    for word in ["identities_waiting", "no room on the disk", "cannot write"] {
        assert!(why.contains(word), "{why}");
    }
    assert!(own.identities.fill().runs > 0, "nothing was ever written");
    own.check();
    // Who comes back while it is full has it all as well.
    let (count, reached) = (own.count, own.identities.reached());
    own.identities = identities(directory);
    own.identities.restore(&own.log, "identities", reached).unwrap();
    own.check();

    if is_limit {
        limit_files(None);
    }
    fs::remove_file(ballast).unwrap();
    own.settle_until(|identities| identities.full().is_none());
    // What waits is written once a later step is committed too.
    own.step();
    own.step();
    own.settle_until(|identities| identities.fill().in_tables < TABLE as u64);
    own.check();
    let reached = own.identities.reached();
    own.identities = identities(directory);
    own.identities.restore(&own.log, "identities", reached).unwrap();
    own.check();
    println!("went on after {count}");
}

fn check_child(program: &[&str], mode: &str) {
    let folder = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).arg(own);
    command.args(["--ignored", "--exact", "child", "--nocapture"]);
    let output = command.env(DIRECTORY, folder.path()).env(MODE, mode).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("went on after"), "{said}\n{errors}");
}

/// R2.2: nothing is forgotten to make room.
#[test]
fn r2_2_a_full_disk_passes() {
    let script = format!("mount -t tmpfs -o size=6m none \"${DIRECTORY}\" && exec \"$@\"");
    for isolated in [vec!["unshare", "--mount"], vec!["unshare", "--mount", "--map-root-user"]] {
        let probing = ["sh", "-c", "mount -t tmpfs -o size=1m none /mnt"];
        let probed = Command::new(isolated[0]).args(&isolated[1..]).args(probing).output();
        if probed.is_ok_and(|probed| probed.status.success()) {
            let program: Vec<&str> =
                isolated.iter().copied().chain(["sh", "-c", script.as_str(), "sh"]).collect();
            return check_child(&program, "disk");
        }
    }
    println!("no mount namespace is to be had here: only the limit on files is tested");
}

/// R2.2: the same where a file may not grow.
#[test]
fn r2_2_a_file_that_may_not_grow_passes() {
    // Without this the system ends a process that meets the limit.
    check_child(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"], "limit");
}
