//! What a commit promises.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use drawdown_log::{Append, Commit, Error, Next};

use super::bed::{Bed, OUT_PARTITIONS, await_assigned, decide, eventually, read_from_start};

pub(crate) fn a_commit_is_all_there_with_its_position(bed: &mut Bed) {
    let next = bed.append("in", 3, &["x"]);
    let mut member = read_from_start(bed, "g", "in", "a");
    assert_eq!(bed.committed("g", "in", 3), None);
    let commit = bed.commit(&[(3, next)], &[("out", 1, "one"), ("lone", 0, "two")]);
    decide(&mut *member, commit).unwrap();
    assert_eq!(bed.committed("g", "in", 3), Some(next));
    assert_eq!(bed.committed("g", "in", 2), None);
    assert_eq!(bed.await_values("out", 1, 1), ["one"]);
    assert_eq!(bed.await_values("lone", 0, 1), ["two"]);
}

pub(crate) fn a_commit_over_many_partitions_is_all_there(bed: &mut Bed) {
    let mut member = read_from_start(bed, "g", "in", "a");
    for round in 0..5 {
        let value = format!("{round}");
        let mut appends: Vec<(&str, u32, &str)> =
            (0..OUT_PARTITIONS).map(|partition| ("out", partition, value.as_str())).collect();
        appends.extend((0..4).map(|partition| ("in", partition, value.as_str())));
        let read: Vec<(u32, Next)> = (0..4).map(|partition| (partition, Next(round))).collect();
        decide(&mut *member, bed.commit(&read, &appends)).unwrap();
    }
    let expected: Vec<String> = (0..5).map(|round| round.to_string()).collect();
    for partition in 0..OUT_PARTITIONS {
        assert_eq!(bed.await_values("out", partition, 5), expected, "{partition}");
    }
    for partition in 0..4 {
        assert_eq!(bed.committed("g", "in", partition), Some(Next(4)));
    }
}

pub(crate) fn a_commit_keeps_the_order_of_its_messages(bed: &mut Bed) {
    let mut member = read_from_start(bed, "g", "in", "a");
    let values: Vec<String> = (0..300).map(|value| value.to_string()).collect();
    let appends: Vec<(&str, u32, &str)> =
        (0..).zip(&values).map(|(number, value)| ("out", number % 3, value.as_str())).collect();
    decide(&mut *member, bed.commit(&[(0, Next::START)], &appends)).unwrap();
    for partition in 0..3 {
        let expected: Vec<&String> = values.iter().skip(partition).step_by(3).collect();
        let found = bed.await_values("out", partition as u32, 100);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    }
}

/// One thread commits to two partitions while others look at both.
pub(crate) fn no_reader_sees_half_a_commit(bed: &mut Bed) {
    const COMMITS: usize = 200;
    let mut member = read_from_start(bed, "g", "in", "a");
    let done = AtomicBool::new(false);
    let (log, out, at_once) = (bed.log(), bed.name("out"), bed.powers.shows_commits_at_once);
    let count = |partition| {
        let mut count = 0;
        let (from, until) = (Next::START, Next(i64::MAX));
        log.scan(&out, partition, from, until, &mut |_| {
            count += 1;
            true
        })
        .unwrap();
        count
    };
    thread::scope(|scope| {
        let watch = || {
            while !done.load(Ordering::Acquire) {
                let (first, second) = (count(0), count(1));
                assert!(
                    !at_once || first <= second,
                    "the second half was missing: {first} {second}"
                );
                let (second, first) = (count(1), count(0));
                assert!(
                    !at_once || second <= first,
                    "the first half was missing: {second} {first}"
                );
            }
        };
        let watching = [scope.spawn(watch), scope.spawn(watch)];
        for number in 0..COMMITS {
            let append = |partition| {
                let value = number.to_string().into_bytes();
                Append { topic: out.clone(), partition, value }
            };
            let read = [(0, Next::START)].into();
            let appends = vec![append(0), append(1)];
            decide(&mut *member, Commit { read, appends }).unwrap();
        }
        done.store(true, Ordering::Release);
        watching.into_iter().for_each(|watching| watching.join().unwrap());
    });
    let expected: Vec<String> = (0..COMMITS).map(|number| number.to_string()).collect();
    for partition in 0..2 {
        assert_eq!(bed.await_values("out", partition, COMMITS), expected);
    }
}

/// The commit names a partition that is not there, behind others that are.
pub(crate) fn a_commit_that_fails_reaches_nobody(bed: &mut Bed) {
    let next = bed.append("in", 0, &["x"]);
    let mut member = read_from_start(bed, "g", "in", "a");
    let appends = [("out", 1, "never"), ("lone", 0, "never"), ("lone", 99, "never")];
    decide(&mut *member, bed.commit(&[(0, next)], &appends)).unwrap_err();
    drop(member);
    assert!(bed.await_marker("out", 1).is_empty());
    assert!(bed.await_marker("lone", 0).is_empty());
    assert_eq!(bed.committed("g", "in", 0), None);
}

pub(crate) fn positions_of_groups_are_apart(bed: &mut Bed) {
    let next = bed.append("in", 0, &["x"]);
    let mut one = read_from_start(bed, "one", "in", "a");
    let mut other = read_from_start(bed, "other", "in", "a");
    decide(&mut *one, bed.commit(&[(0, next)], &[])).unwrap();
    assert_eq!(bed.committed("other", "in", 0), None);
    decide(&mut *other, bed.commit(&[(0, Next::START)], &[])).unwrap();
    assert_eq!(bed.committed("one", "in", 0), Some(next));
    assert_eq!(bed.committed("other", "in", 0), Some(Next::START));
}

pub(crate) fn a_position_may_be_confirmed_without_messages(bed: &mut Bed) {
    let next = bed.append("in", 0, &["x"]);
    let mut member = read_from_start(bed, "g", "in", "a");
    for place in [next, next, Next::START, next] {
        decide(&mut *member, bed.commit(&[(0, place)], &[])).unwrap();
        assert_eq!(bed.committed("g", "in", 0), Some(place));
    }
}

pub(crate) fn without_a_commit_there_is_no_outcome(bed: &mut Bed) {
    let mut member = bed.join("g", "in", "a");
    await_assigned(&mut *member);
    assert!(member.outcome(std::time::Duration::ZERO).is_none());
    decide(&mut *member, bed.commit(&[(0, Next::START)], &[])).unwrap();
    assert!(member.outcome(std::time::Duration::ZERO).is_none());
}

pub(crate) fn a_commit_is_refused_while_another_is_under_way(bed: &mut Bed) {
    let mut member = read_from_start(bed, "g", "in", "a");
    member.commit(bed.commit(&[(0, Next(1))], &[("out", 0, "first")])).unwrap();
    let second = member.commit(bed.commit(&[(0, Next(2))], &[("out", 0, "second")]));
    assert!(matches!(second, Err(Error::Fatal(_))), "{second:?}");
    eventually("an outcome", || member.outcome(std::time::Duration::ZERO)).unwrap();
    assert_eq!(bed.await_marker("out", 0), ["first"]);
    assert_eq!(bed.committed("g", "in", 0), Some(Next(1)));
}

pub(crate) fn what_many_members_commit_is_all_there_once(bed: &mut Bed) {
    const MEMBERS: usize = 4;
    const COMMITS: usize = 50;
    let groups = ["one", "two", "three", "four"];
    let mut members: Vec<_> =
        groups.iter().map(|group| read_from_start(bed, group, "in", "a")).collect();
    let out = bed.name("out");
    thread::scope(|scope| {
        for (member, group) in members.iter_mut().zip(groups) {
            let out = &out;
            scope.spawn(move || {
                for number in 0..COMMITS {
                    let value = format!("{group} {number}").into_bytes();
                    let append =
                        |partition| Append { topic: out.clone(), partition, value: value.clone() };
                    let read = [(0, Next::START)].into();
                    let appends = vec![append(7), append(8)];
                    decide(&mut **member, Commit { read, appends }).unwrap();
                }
            });
        }
    });
    for partition in [7, 8] {
        let values = bed.await_values("out", partition, MEMBERS * COMMITS);
        assert_eq!(values.len(), MEMBERS * COMMITS);
        assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), values.len());
        for group in groups {
            let own: Vec<&String> =
                values.iter().filter(|value| value.split(' ').next() == Some(group)).collect();
            let expected: Vec<String> =
                (0..COMMITS).map(|number| format!("{group} {number}")).collect();
            assert_eq!(own, expected.iter().collect::<Vec<_>>(), "a member's commits in order");
        }
    }
    eventually("all positions", || {
        groups.iter().all(|group| bed.committed(group, "in", 0) == Some(Next::START)).then_some(())
    });
}
