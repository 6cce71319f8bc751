//! A full disk: commits are refused and pass, nothing half-written is seen, readers are served, and
//! it goes on once there is room.
//!
//! The child runs on a small file system of its own, in a mount namespace that ends with it; where
//! that is not allowed there is only the other test, in which a limit on the size of files is met.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_log::{Error, Log, Next};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::children::{Child, say};
use super::rig::{Hands, commit, config, decide, directory, join, scan};

const MESSAGE_BYTES: usize = 20_000;
const BALLAST_BYTES: usize = 2 << 20;
const MODE: &str = "DRAWDOWN_TEST_FULL";

fn open(path: &Path) -> Embedded {
    let config = config(path, &Hands::default());
    // Nothing stays in memory, so that readers show what the disk holds.
    let log = EmbeddedConfig { segment_bytes_max: 1 << 20, tail_bytes_max: 0, ..config };
    Embedded::open(log).unwrap()
}

/// The message of this number.
fn value(number: usize) -> Vec<u8> {
    (0..MESSAGE_BYTES).map(|byte| (byte * 7 + number) as u8).collect()
}

fn try_append(log: &Embedded, number: usize) -> Result<Next, Error> {
    let at = drawdown_domain::time::Timestamp::from_micros(7);
    log.append("ever", 0, at, &[&value(number)])
}

fn check(log: &Embedded, count: usize) {
    let found = scan(log, "ever", 0).unwrap();
    assert_eq!(found.len(), count);
    for (number, (offset, _, own)) in found.into_iter().enumerate() {
        assert_eq!(offset, number as i64);
        assert!(own == value(number), "message {number}");
    }
}

fn limit_files(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

pub(crate) fn fill(path: &Path) {
    let is_limit = std::env::var(MODE).unwrap() == "limit";
    let ballast = path.join("ballast");
    fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let path = path.join("log");
    let log = open(&path);
    let mut member = join(&log, "a");
    decide(&mut *member, commit(Next(0), &[])).unwrap();
    if is_limit {
        limit_files(Some(700_000));
    }
    let mut count = 0;
    let full = loop {
        match try_append(&log, count) {
            Ok(_) => count += 1,
            Err(why) => break why,
        }
        assert!(count < 10_000, "the disk never was full");
    };
    assert!(matches!(&full, Error::Passing(why) if why.contains("no room")), "{full:?}");
    check(&log, count);
    for _ in 0..3 {
        let refused = try_append(&log, count).unwrap_err();
        assert!(refused.is_passing(), "{refused:?}");
        let refused = decide(&mut *member, commit(Next(1), &[("ever", 1, &value(1))]));
        assert!(matches!(refused, Err(Error::Passing(_))), "{refused:?}");
    }
    check(&log, count);
    assert_eq!(scan(&log, "ever", 1).unwrap(), []);
    assert_eq!(log.committed(super::rig::GROUP, "brief", 0).unwrap(), Some(Next(0)));
    assert!(log.status().unwrap().refusing.is_some_and(|why| why.contains("no room")));
    // It can be opened while it is full, and is served.
    drop((member, log));
    let log = open(&path);
    check(&log, count);
    assert!(try_append(&log, count).unwrap_err().is_passing());
    // Many at once, of which some are refused together.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                (0..20).for_each(|_| assert!(try_append(&log, count).unwrap_err().is_passing()))
            });
        }
    });
    let mut member = join(&log, "a");
    say(&format!("full {count}"));
    if is_limit {
        limit_files(None);
    }
    fs::remove_file(ballast).unwrap();
    // The same commit succeeds now.
    decide(&mut *member, commit(Next(1), &[("ever", 1, &value(1))])).unwrap();
    for _ in 0..30 {
        assert_eq!(try_append(&log, count).unwrap(), Next(count as i64 + 1));
        count += 1;
    }
    check(&log, count);
    // A segment that found no room for its index has told so, if it tried in time.
    log.tidy().unwrap();
    let status = log.status().unwrap();
    assert_eq!((status.trouble, status.refusing), (None, None));
    drop((member, log));
    let log = open(&path);
    check(&log, count);
    assert_eq!(log.committed(super::rig::GROUP, "brief", 0).unwrap(), Some(Next(1)));
    say("went on");
}

fn check_child(child: Child) {
    let (said, well) = child.end();
    assert!(well, "{said:?}");
    let count: usize = said[0].strip_prefix("full ").unwrap().parse().unwrap();
    assert!(count > 20, "{count} messages before it was full");
    assert_eq!(said[1], "went on");
}

#[test]
fn a_full_disk_passes() {
    // The first word after the script is the script's own name, the rest is the child's command.
    let script = "mount -t tmpfs -o size=6m none \"$DRAWDOWN_TEST_DIRECTORY\" && exec \"$@\"";
    let probe = "mount -t tmpfs -o size=1m none /mnt";
    for isolated in [vec!["unshare", "--mount"], vec!["unshare", "--mount", "--map-root-user"]] {
        let probing = ["sh", "-c", probe];
        let mut words = isolated.iter().chain(&probing);
        let probed = Command::new(words.next().unwrap()).args(words).output();
        if !probed.is_ok_and(|probed| probed.status.success()) {
            continue;
        }
        let path = tempfile::tempdir().unwrap();
        let program: Vec<&str> =
            isolated.iter().chain(&["sh", "-c", script, "sh"]).copied().collect();
        return check_child(Child::start_through(&program, "fill", path.path(), &[(MODE, "disk")]));
    }
    println!("no mount namespace is to be had here: only the limit on files is tested");
}

#[test]
fn a_file_that_may_not_grow_passes() {
    let path = directory();
    // Without this the system ends a process that meets the limit.
    let program = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    check_child(Child::start_through(&program, "fill", path.path(), &[(MODE, "limit")]));
}

#[test]
fn a_directory_without_room_is_not_opened() {
    let path = Path::new("/dev/full/log");
    let config = config(path, &Hands::default());
    let refused = Embedded::open(EmbeddedConfig { absence_max: Duration::ZERO, ..config });
    assert!(refused.unwrap_err().to_string().contains("/dev/full/log"));
}
