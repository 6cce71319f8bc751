//! What members and appends are refused, and that it changes nothing.

use std::time::Duration;

use drawdown_domain::time::Timestamp;
use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_log::{Commit, Error, Log, Membership, Next};

use super::rig::{Hands, append, commit, config, decide, directory, join, open, picture};

fn why(refused: Result<impl Sized, Error>) -> String {
    refused.err().expect("it was not refused").to_string()
}

#[test]
fn commits_that_say_nothing_or_too_much_are_refused() {
    let path = directory();
    let config = config(path.path(), &Hands::default());
    let log = Embedded::open(EmbeddedConfig { commit_bytes_max: 1_000, ..config }).unwrap();
    let mut member = join(&log, "a");
    let before = picture(&log).unwrap();
    assert!(why(member.commit(Commit::default())).contains("must move or confirm a position"));
    let unknown = Commit { read: [(9, Next(1))].into(), appends: Vec::new() };
    assert!(why(member.commit(unknown)).contains("no partition 9 of brief"));
    let large = commit(Next(1), &[("ever", 0, &[0; 600]), ("ever", 1, &[0; 600])]);
    assert!(why(member.commit(large)).contains("larger than commit_bytes_max, 1000"));
    let large = log.append("ever", 0, Timestamp::from_micros(1), &[&[0; 1_001]]);
    assert!(why(large).contains("larger than commit_bytes_max"));
    assert!(member.outcome(Duration::ZERO).is_none());
    assert_eq!(picture(&log).unwrap(), before);
    decide(&mut *member, commit(Next(0), &[("ever", 0, &[0; 900])])).unwrap();
}

#[test]
fn one_commit_is_under_way_at_most() {
    let path = directory();
    let log = open(path.path());
    let mut member = join(&log, "a");
    member.commit(commit(Next(0), &[])).unwrap();
    assert!(why(member.commit(commit(Next(0), &[]))).contains("under way"));
    member.outcome(Duration::MAX).unwrap().unwrap();
    decide(&mut *member, commit(Next(0), &[])).unwrap();
}

#[test]
fn what_a_member_does_not_own_it_cannot_commit_or_read() {
    let path = directory();
    let log = open(path.path());
    let mut one = join(&log, "a");
    let (group, topic) = (super::rig::GROUP.to_owned(), "brief".to_owned());
    let membership = Membership { group, topic, instance: "b".to_owned() };
    let mut other = log.join(&membership).unwrap();
    let refused = decide(&mut *other, commit(Next(0), &[("ever", 0, b"x")]));
    assert!(matches!(refused, Err(Error::Fenced(_))), "{refused:?}");
    assert!(why(other.resume(&[(0, Next::START)].into())).contains("not assigned"));
    one.release(&[0]).unwrap();
    let refused = decide(&mut *one, commit(Next(0), &[("ever", 0, b"x")]));
    assert!(matches!(refused, Err(Error::Fenced(_))), "{refused:?}");
    assert_eq!(log.bounds("ever", 0).unwrap().end, Next(0));
}

#[test]
fn a_place_that_is_forgotten_or_not_there_yet_is_refused() {
    let path = directory();
    let log = open(path.path());
    (0..10).for_each(|_| {
        append(&log, "brief", 0, b"x");
    });
    log.truncate("brief", 0, Next(5)).unwrap();
    let mut member = join(&log, "a");
    assert!(why(member.resume(&[(0, Next(11))].into())).contains("ends at 10"));
    member.resume(&[(0, Next(4))].into()).unwrap();
    let refused = why(member.poll(Duration::ZERO, &mut |_| ()));
    assert!(refused.contains("of brief/0 before 5 are forgotten"), "{refused}");
    member.resume(&[(0, Next::START)].into()).unwrap();
    let mut offsets = Vec::new();
    let mut collect = |messages: &[drawdown_log::Message<'_>]| {
        offsets.extend(messages.iter().map(|message| message.offset.0));
    };
    member.poll(Duration::ZERO, &mut collect).unwrap();
    assert_eq!(offsets, [5, 6, 7, 8, 9]);
    // A truncation beyond the end forgets what is there, and nothing that comes later.
    log.truncate("brief", 0, Next(1_000)).unwrap();
    assert_eq!(append(&log, "brief", 0, b"y"), Next(11));
    assert_eq!(log.bounds("brief", 0).unwrap().first, Next(10));
}

#[test]
fn a_member_that_was_away_too_long_is_told() {
    let path = directory();
    let config = config(path.path(), &Hands::default());
    let absence_max = Duration::from_millis(20);
    let log = Embedded::open(EmbeddedConfig { absence_max, ..config }).unwrap();
    let gone = join(&log, "a");
    drop(gone);
    let (group, topic) = (super::rig::GROUP.to_owned(), "brief".to_owned());
    let membership = Membership { group, topic, instance: "b".to_owned() };
    let mut other = log.join(&membership).unwrap();
    // One long poll: it is woken when the others' time is over.
    let mut assigned = Vec::new();
    while assigned.len() < 2 {
        match other.poll(Duration::from_secs(60), &mut |_| ()).unwrap() {
            Some(drawdown_log::Change::Assigned(more)) => assigned.extend(more),
            other => panic!("{other:?}"),
        }
    }
}

/// Who came back in time is not told later that it was away.
#[test]
fn a_member_that_came_back_in_time_stays() {
    let path = directory();
    let config = config(path.path(), &Hands::default());
    let absence_max = Duration::from_millis(300);
    let log = Embedded::open(EmbeddedConfig { absence_max, ..config }).unwrap();
    drop(join(&log, "a"));
    let mut member = join(&log, "a");
    std::thread::sleep(2 * absence_max);
    // It was dealt its partitions when it joined, and nothing changes.
    assert!(member.poll(Duration::ZERO, &mut |_| ()).unwrap().is_none());
    decide(&mut *member, commit(Next(0), &[("ever", 0, b"x")])).unwrap();
}
