//! An engine under test, and what the cases do with it again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use drawdown_domain::time::Timestamp;
use drawdown_log::{Append, Change, Commit, Error, Log, Member, Membership, Message, Next, Offset};

/// No engine needs longer for anything that a case waits for.
const DEADLINE: Duration = Duration::from_secs(60);

/// How long a poll waits for messages.
const POLL: Duration = Duration::from_millis(20);

/// What an engine can do beyond what all must.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Powers {
    /// A commit becomes visible in all partitions at the same moment.
    pub(crate) shows_commits_at_once: bool,
    /// The partitions of a member that is gone for good go to the others after a while.
    pub(crate) hands_over_what_is_left: bool,
}

type Start = Box<dyn FnMut(&[(String, u32)]) -> Arc<dyn Log>>;

/// A log with the topics `in` of 4 partitions, `out` of 48 and `lone` of 1, whose names are its own.
pub(crate) struct Bed {
    pub(crate) powers: Powers,
    start: Start,
    topics: Vec<(String, u32)>,
    suffix: String,
    log: Option<Arc<dyn Log>>,
}

pub(crate) const IN_PARTITIONS: u32 = 4;
pub(crate) const OUT_PARTITIONS: u32 = 48;

impl Bed {
    pub(crate) fn new(powers: Powers, mut start: Start) -> Bed {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let suffix = format!("-{}-{number}", std::process::id());
        let topics = [("in", IN_PARTITIONS), ("out", OUT_PARTITIONS), ("lone", 1)];
        let topics: Vec<(String, u32)> =
            topics.iter().map(|(name, count)| (format!("{name}{suffix}"), *count)).collect();
        let log = Some(start(&topics));
        Bed { powers, start, topics, suffix, log }
    }

    /// A name of this bed alone, as a log may be shared with others.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    pub(crate) fn topics(&self) -> &[(String, u32)] {
        &self.topics
    }

    pub(crate) fn log(&self) -> &dyn Log {
        self.log.as_deref().unwrap()
    }

    /// Lets go of the log and opens it again. All members must be gone.
    pub(crate) fn restart(&mut self) {
        let log = self.log.take().unwrap();
        assert_eq!(Arc::strong_count(&log), 1);
        drop(log);
        self.log = Some((self.start)(&self.topics));
    }

    pub(crate) fn append(&self, topic: &str, partition: u32, values: &[&str]) -> Next {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        let at = Timestamp::from_micros(1);
        self.log().append(&self.name(topic), partition, at, &values).unwrap()
    }

    pub(crate) fn join(&self, group: &str, topic: &str, instance: &str) -> Box<dyn Member> {
        self.try_join(group, topic, instance).unwrap()
    }

    pub(crate) fn try_join(
        &self,
        group: &str,
        topic: &str,
        instance: &str,
    ) -> Result<Box<dyn Member>, Error> {
        let (group, topic) = (self.name(group), self.name(topic));
        self.log().join(&Membership { group, topic, instance: instance.to_owned() })
    }

    pub(crate) fn committed(&self, group: &str, topic: &str, partition: u32) -> Option<Next> {
        self.log().committed(&self.name(group), &self.name(topic), partition).unwrap()
    }

    /// The offsets and values that are there.
    pub(crate) fn scan(&self, topic: &str, partition: u32) -> Vec<(Offset, String)> {
        self.scan_between(topic, partition, Next::START, Next(i64::MAX)).0
    }

    pub(crate) fn scan_between(
        &self,
        topic: &str,
        partition: u32,
        from: Next,
        until: Next,
    ) -> (Vec<(Offset, String)>, Next) {
        let mut found = Vec::new();
        let stopped = self
            .log()
            .scan(&self.name(topic), partition, from, until, &mut |message| {
                assert_eq!(message.partition, partition);
                found.push((message.offset, text(&message)));
                true
            })
            .unwrap();
        (found, stopped)
    }

    /// All that is there, once everything before its present end is decided.
    pub(crate) fn read_decided(&self, topic: &str, partition: u32) -> Vec<Read> {
        let topic = self.name(topic);
        let end = self.log().bounds(&topic, partition).unwrap().end;
        let (mut read, mut next) = (Vec::new(), Next::START);
        eventually("the decision over all that is there", || {
            let visit = &mut |message: Message<'_>| {
                collect(&[message], &mut read);
                true
            };
            next = self.log().scan(&topic, partition, next, end, visit).unwrap();
            (next >= end).then_some(())
        });
        read
    }

    pub(crate) fn values(&self, topic: &str, partition: u32) -> Vec<String> {
        self.scan(topic, partition).into_iter().map(|(_, value)| value).collect()
    }

    /// Waits until so many messages are there.
    pub(crate) fn await_values(&self, topic: &str, partition: u32, count: usize) -> Vec<String> {
        eventually(&format!("{count} messages in {topic}/{partition}"), || {
            Some(self.values(topic, partition)).filter(|values| values.len() >= count)
        })
    }

    /// Appends a message and waits until it is there: whatever was committed before is decided.
    pub(crate) fn await_marker(&self, topic: &str, partition: u32) -> Vec<String> {
        self.append(topic, partition, &["marker"]);
        let mut values = eventually("the marker", || {
            let values = self.values(topic, partition);
            values.last().is_some_and(|value| value == "marker").then_some(values)
        });
        values.pop();
        values
    }

    pub(crate) fn commit(&self, read: &[(u32, Next)], appends: &[(&str, u32, &str)]) -> Commit {
        let append = |(topic, partition, value): &(&str, u32, &str)| Append {
            topic: self.name(topic),
            partition: *partition,
            value: value.as_bytes().to_vec(),
        };
        Commit {
            read: read.iter().copied().collect(),
            appends: appends.iter().map(append).collect(),
        }
    }
}

pub(crate) fn text(message: &Message<'_>) -> String {
    String::from_utf8(message.value.to_vec()).unwrap()
}

/// Looks until there is something, up to a deadline.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "there never was: {what}");
        thread::yield_now();
    }
}

/// Commits and waits for the outcome.
pub(crate) fn decide(member: &mut dyn Member, commit: Commit) -> Result<(), Error> {
    member.commit(commit)?;
    eventually("an outcome", || member.outcome(POLL))
}

/// Polls until partitions are assigned, and returns them.
pub(crate) fn await_assigned(member: &mut dyn Member) -> Vec<u32> {
    eventually("an assignment", || match member.poll(POLL, &mut |_| ()).unwrap() {
        Some(Change::Assigned(partitions)) => Some(partitions),
        Some(change) => panic!("not an assignment: {change:?}"),
        None => None,
    })
}

/// Joins, and reads all that is assigned from the start.
pub(crate) fn read_from_start(
    bed: &Bed,
    group: &str,
    topic: &str,
    instance: &str,
) -> Box<dyn Member> {
    let mut member = bed.join(group, topic, instance);
    let assigned = await_assigned(&mut *member);
    let places = assigned.into_iter().map(|partition| (partition, Next::START)).collect();
    member.resume(&places).unwrap();
    member
}

/// One message as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) partition: u32,
    pub(crate) offset: Offset,
    pub(crate) value: String,
}

/// Polls until so many messages came.
pub(crate) fn await_messages(member: &mut dyn Member, count: usize) -> Vec<Read> {
    let mut read = Vec::new();
    eventually(&format!("{count} messages"), || {
        let change = member.poll(POLL, &mut |messages| collect(messages, &mut read)).unwrap();
        assert_eq!(change, None);
        (read.len() >= count).then_some(())
    });
    read
}

pub(crate) fn collect(messages: &[Message<'_>], read: &mut Vec<Read>) {
    read.extend(messages.iter().map(|message| Read {
        partition: message.partition,
        offset: message.offset,
        value: text(message),
    }));
}

/// A consumer as small as can be: it passes every message of `in` on to `out`, same partition, and
/// commits that before it polls again.
pub(crate) struct Passer<'b> {
    bed: &'b Bed,
    group: &'static str,
    pub(crate) member: Box<dyn Member>,
    pub(crate) owned: BTreeMap<u32, Next>,
    /// All that it was ever told.
    pub(crate) changes: Vec<Change>,
}

impl<'b> Passer<'b> {
    pub(crate) fn join(bed: &'b Bed, group: &'static str, instance: &str) -> Passer<'b> {
        let member = bed.join(group, "in", instance);
        Passer { bed, group, member, owned: BTreeMap::new(), changes: Vec::new() }
    }

    /// Polls once and does what is to be done.
    pub(crate) fn turn(&mut self) {
        let mut read = Vec::new();
        let change = self.member.poll(POLL, &mut |messages| collect(messages, &mut read)).unwrap();
        self.changes.extend(change.clone());
        match change {
            Some(Change::Assigned(partitions)) => self.take_up(&partitions),
            Some(Change::Revoked(partitions)) => {
                partitions.iter().for_each(|partition| {
                    self.owned.remove(partition);
                });
                self.member.release(&partitions).unwrap();
            }
            None if read.is_empty() => {}
            None => self.pass_on(&read),
        }
    }

    fn take_up(&mut self, partitions: &[u32]) {
        let place = |partition: &u32| {
            let next = self.bed.committed(self.group, "in", *partition);
            (*partition, next.unwrap_or(Next::START))
        };
        let places: BTreeMap<u32, Next> = partitions.iter().map(place).collect();
        self.member.resume(&places).unwrap();
        self.owned.extend(places);
    }

    fn pass_on(&mut self, read: &[Read]) {
        let mut commit = Commit::default();
        for Read { partition, offset, value } in read {
            let next = self.owned.get_mut(partition).expect("messages of owned partitions only");
            assert!(*offset >= Offset(next.0), "{partition} {offset:?} comes twice");
            *next = offset.next();
            commit.read.insert(*partition, *next);
            let (topic, value) = (self.bed.name("out"), value.as_bytes().to_vec());
            commit.appends.push(Append { topic, partition: *partition, value });
        }
        decide(&mut *self.member, commit).unwrap();
    }
}
