//! What a consumer can rely on when commits go wrong: that it may drop everything, join again and go
//! on from what the log says.

use std::collections::VecDeque;

use drawdown_log::{Commit, Error, Member, Next};

use super::bed::{Bed, Read, await_assigned, collect, decide, eventually, read_from_start};

/// The former self's commit is under way, nobody waits for its outcome, and the present self asks how
/// far it came.
pub(crate) fn a_commit_under_way_when_its_instance_joins_again_is_whole(bed: &mut Bed) {
    let mut former = read_from_start(bed, "g", "in", "a");
    for round in 1..=4 {
        let value = round.to_string();
        let appends = [("out", 0, value.as_str()), ("lone", 0, value.as_str())];
        former.commit(bed.commit(&[(0, Next(round))], &appends)).unwrap();
        let mut present = read_from_start(bed, "g", "in", "a");
        let took_place = bed.committed("g", "in", 0) == Some(Next(round));
        let outcome = eventually("an outcome", || former.outcome(std::time::Duration::ZERO));
        assert!(took_place || outcome.is_err(), "it was told of a commit that did not take place");
        let late = decide(&mut *former, bed.commit(&[(0, Next(99))], &[("out", 0, "late")]));
        assert!(late.is_err(), "the former instance committed");
        drop(former);
        for topic in ["out", "lone"] {
            let there = bed.read_decided(topic, 0).iter().any(|read| read.value == value);
            assert_eq!(there, took_place, "{topic} does not fit the position in round {round}");
        }
        let confirm = bed.commit(&[(0, Next(round))], &[]);
        decide(&mut *present, confirm).unwrap();
        assert_eq!(bed.committed("g", "in", 0), Some(Next(round)));
        former = present;
    }
    assert!(!bed.values("out", 0).contains(&"late".to_owned()));
}

const MESSAGES: usize = 24;
const MESSAGES_PER_COMMIT: usize = 3;

pub(crate) fn each_message_is_passed_on_once_whatever_becomes_of_commits(bed: &mut Bed) {
    pass_on_through_faults(bed);
}

/// Passes every message of `lone` on to `out`, and now and then is not told what became of a commit,
/// or meets its former self. Returns how many commits it was told to have failed.
pub(crate) fn pass_on_through_faults(bed: &mut Bed) -> usize {
    let expected: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    for value in &expected {
        bed.append("lone", 0, &[value]);
    }
    let (mut failed, mut commits) = (0, 0);
    while bed.read_decided("out", 0).len() < MESSAGES {
        let mut runner = Runner::restore(bed, &expected);
        while let Some(commit) = runner.next_commit() {
            commits += 1;
            if commits % 4 == 2 {
                runner.member.commit(commit).unwrap();
                break;
            }
            if commits % 4 == 0 {
                let mut former = std::mem::replace(&mut runner, Runner::restore(bed, &expected));
                let fenced = decide(&mut *former.member, commit).unwrap_err();
                assert!(matches!(fenced, Error::Fenced(_) | Error::Uncommitted(_)), "{fenced}");
            } else if let Err(error) = decide(&mut *runner.member, commit) {
                assert!(matches!(error, Error::Uncommitted(_)), "{error}");
                failed += 1;
                break;
            }
        }
    }
    let passed: Vec<String> =
        bed.read_decided("out", 0).into_iter().map(|read| read.value).collect();
    assert_eq!(passed, expected, "each once and in order");
    failed
}

struct Runner<'b> {
    bed: &'b Bed,
    member: Box<dyn Member>,
    waiting: VecDeque<Read>,
    left: usize,
}

impl<'b> Runner<'b> {
    /// Joins, and finds what its former self said and how far it read to be of one piece.
    fn restore(bed: &'b Bed, expected: &[String]) -> Runner<'b> {
        let mut member = bed.join("g", "lone", "a");
        assert_eq!(await_assigned(&mut *member), [0]);
        let next = bed.committed("g", "lone", 0).unwrap_or(Next::START);
        let passed = bed.read_decided("out", 0).len();
        let before = bed.scan_between("lone", 0, Next::START, next).0.len();
        assert_eq!(passed, before, "what was said and how far was read do not fit");
        member.resume(&[(0, next)].into()).unwrap();
        Runner { bed, member, waiting: VecDeque::new(), left: expected.len() - passed }
    }

    /// Passes the next messages on; none if all were.
    fn next_commit(&mut self) -> Option<Commit> {
        let count = self.left.min(MESSAGES_PER_COMMIT);
        eventually("messages", || {
            let mut read = Vec::new();
            let wait = std::time::Duration::from_millis(20);
            if self.waiting.len() < count {
                let change =
                    self.member.poll(wait, &mut |messages| collect(messages, &mut read)).unwrap();
                assert_eq!(change, None);
                self.waiting.extend(read);
            }
            (self.waiting.len() >= count).then_some(())
        });
        let passed: Vec<Read> = self.waiting.drain(..count).collect();
        self.left -= count;
        let next = passed.last()?.offset.next();
        let appends: Vec<(&str, u32, &str)> =
            passed.iter().map(|read| ("out", 0, read.value.as_str())).collect();
        Some(self.bed.commit(&[(0, next)], &appends))
    }
}
