//! `kill -9` at any moment, and at each named point: what was acknowledged is there, and a commit is
//! there with all it said or not at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_log::{Change, Commit, Log, Member, Membership, Next, Point};

use super::children::{Child, say};
use super::rig::{Hands, append, commit, config, decide, directory, open, scan};

const COMMITTERS: i64 = 3;

fn small(path: &Path) -> Embedded {
    let config = config(path, &Hands::default());
    Embedded::open(EmbeddedConfig { segment_bytes_max: 16 << 10, ..config }).unwrap()
}

/// Opens the log and holds it.
pub(crate) fn hold(path: &Path) {
    let _log = open(path);
    say("opened");
    loop {
        thread::park();
    }
}

fn group(committer: i64) -> String {
    format!("committer-{committer}")
}

fn joined(log: &Embedded, committer: i64) -> Box<dyn Member> {
    let (group, topic) = (group(committer), "brief".to_owned());
    let mut member = log.join(&Membership { group, topic, instance: "a".to_owned() }).unwrap();
    let assigned = member.poll(Duration::ZERO, &mut |_| ()).unwrap();
    assert!(matches!(assigned, Some(Change::Assigned(all)) if all.len() == 2));
    member
}

/// Commits the numbers from where it stopped on to three partitions at once, and says each when it
/// is acknowledged; beside it others do the same, and one appends.
pub(crate) fn commit_for_ever(path: &Path) {
    let log = small(path);
    thread::scope(|scope| {
        for committer in 0..COMMITTERS {
            let log = &log;
            scope.spawn(move || {
                let mut member = joined(log, committer);
                let position = log.committed(&group(committer), "brief", 0).unwrap();
                for number in position.unwrap_or(Next::START).0.. {
                    let mut value = format!("{committer} {number} ").into_bytes();
                    value.resize(value.len() + (number as usize * 37) % 300, b'x');
                    let appends: Vec<(&str, u32, &[u8])> =
                        (0..3).map(|partition| ("ever", partition, value.as_slice())).collect();
                    decide(&mut *member, commit(Next(number + 1), &appends)).unwrap();
                    say(&format!("{committer} {number}"));
                }
            });
        }
        let begun = scan(&log, "other", 0).unwrap().len();
        for number in begun.. {
            append(&log, "other", 0, number.to_string().as_bytes());
            say(&format!("{COMMITTERS} {number}"));
        }
    });
}

/// The numbers of each committer in a partition, in their order.
fn numbers(log: &Embedded, partition: u32) -> BTreeMap<i64, Vec<i64>> {
    let mut numbers: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (_, _, value) in scan(log, "ever", partition).unwrap() {
        let text = String::from_utf8(value).unwrap();
        let mut words = text.split(' ').map(|word| word.parse::<i64>());
        let (committer, number) = (words.next().unwrap().unwrap(), words.next().unwrap().unwrap());
        numbers.entry(committer).or_default().push(number);
    }
    numbers
}

/// `said` is the last number of each committer that was acknowledged.
fn check(path: &Path, said: &BTreeMap<i64, i64>) {
    let log = small(path);
    let found = numbers(&log, 0);
    assert_eq!(numbers(&log, 1), found);
    assert_eq!(numbers(&log, 2), found);
    for committer in 0..COMMITTERS {
        let own = found.get(&committer).cloned().unwrap_or_default();
        let count = own.len() as i64;
        assert_eq!(own, (0..count).collect::<Vec<i64>>(), "each number once, in order");
        let position = log.committed(&group(committer), "brief", 0).unwrap();
        assert_eq!(position.unwrap_or(Next::START), Next(count), "the position goes with them");
        let acknowledged = said.get(&committer).copied().unwrap_or(-1);
        assert!(
            acknowledged < count,
            "{committer}: {acknowledged} was acknowledged, {count} found"
        );
    }
    let appended = scan(&log, "other", 0).unwrap();
    let expected: Vec<Vec<u8>> =
        (0..appended.len()).map(|number| number.to_string().into_bytes()).collect();
    assert_eq!(appended.into_iter().map(|(_, _, value)| value).collect::<Vec<_>>(), expected);
    let acknowledged = said.get(&COMMITTERS).copied().unwrap_or(-1);
    assert!(acknowledged < expected.len() as i64);
}

fn hear(said: &mut BTreeMap<i64, i64>, line: &str) {
    let (committer, number) = line.split_once(' ').unwrap();
    said.insert(committer.parse().unwrap(), number.parse().unwrap());
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    let path = directory();
    let mut said = BTreeMap::new();
    for round in 0..30_usize {
        let mut child = Child::start("commit", path.path(), &[]);
        // So many acknowledgements, and a little more, so that it dies at another place each time.
        for _ in 0..(round * 97) % 400 {
            hear(&mut said, &child.line().expect("the child went on"));
        }
        thread::sleep(Duration::from_micros((round as u64 * 709) % 3_000));
        let rest = child.kill_and_hear();
        rest.iter().for_each(|line| hear(&mut said, line));
        check(path.path(), &said);
    }
    assert!(said.values().all(|number| *number > 100), "{said:?}");
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_each_point() {
    let path = directory();
    let mut said = BTreeMap::new();
    let points = [
        Point::FrameTorn,
        Point::FrameWritten,
        Point::FrameSynced,
        Point::Committed,
        Point::SegmentBegun,
    ];
    for point in points {
        for count in [1, 2, 7] {
            let kill = format!("{}:{count}", point.name());
            let child = Child::start("commit", path.path(), &[("DRAWDOWN_KILL_AT", &kill)]);
            let (rest, well) = child.end();
            assert!(!well, "the child was killed at {kill}");
            rest.iter().for_each(|line| hear(&mut said, line));
            check(path.path(), &said);
        }
    }
}

/// Appends, forgets and tidies, and says how many messages are to be kept for ever.
pub(crate) fn forget_for_ever(path: &Path) {
    let log = small(path);
    let mut kept = scan(&log, "ever", 0).unwrap().len();
    loop {
        for _ in 0..50 {
            append(&log, "ever", 0, kept.to_string().as_bytes());
            kept += 1;
            say(&format!("0 {kept}"));
            append(&log, "brief", 0, &[7; 1_500]);
        }
        let end = log.bounds("brief", 0).unwrap().end;
        log.truncate("brief", 0, end).unwrap();
        say(&format!("1 {}", end.0));
        log.tidy().unwrap();
    }
}

#[test]
fn a_kill_while_segments_are_replaced_loses_nothing() {
    let path = directory();
    let mut said = BTreeMap::from([(0, 0), (1, 0)]);
    for count in 1..=20 {
        let kill = format!("{}:{count}", Point::SegmentDropped.name());
        let child = Child::start("forget", path.path(), &[("DRAWDOWN_KILL_AT", &kill)]);
        let (rest, well) = child.end();
        assert!(!well, "the child was killed at {kill}");
        rest.iter().for_each(|line| hear(&mut said, line));
        let log = small(path.path());
        let kept = scan(&log, "ever", 0).unwrap();
        assert!(kept.len() as i64 >= said[&0]);
        for (number, (offset, _, value)) in kept.iter().enumerate() {
            assert_eq!(*offset, number as i64);
            assert_eq!(*value, number.to_string().into_bytes());
        }
        assert!(log.bounds("brief", 0).unwrap().first >= Next(said[&1]));
    }
    let log = small(path.path());
    let end = log.bounds("brief", 0).unwrap().end;
    log.truncate("brief", 0, end).unwrap();
    log.tidy().unwrap();
    assert!(log.status().unwrap().segments < 20, "{:?}", log.status());
}

#[test]
fn a_commit_that_says_nothing_survives_as_well() {
    let path = directory();
    let log = open(path.path());
    let mut member = joined(&log, 0);
    decide(&mut *member, Commit { read: [(1, Next(3))].into(), appends: Vec::new() }).unwrap();
    drop((member, log));
    assert_eq!(open(path.path()).committed(&group(0), "brief", 1).unwrap(), Some(Next(3)));
}
