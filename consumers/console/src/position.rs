//! Read your own writes: how far the topics had come when a command was answered, as a token that the
//! caller carries, and the waiting until lists have come so far too.
//!
//! Rows of ledgers need no waiting: an outcome is visible when its step is committed, and a ledger
//! answers of what is committed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use drawdown_log::{Error, Log, Next};
use drawdown_wire::topics::{Topic, Topics};

/// The topics that a step of BALANCE or the REGISTRY says something on, which becomes rows of lists.
const TOPICS: [Topic; 6] = [
    Topic::Outcomes,
    Topic::Entries,
    Topic::Bills,
    Topic::Payments,
    Topic::Notices,
    Topic::Charges,
];

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How far a partition of each of [`TOPICS`] had come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    partition: u32,
    ends: [i64; TOPICS.len()],
}

impl Position {
    /// How far the topics have come now.
    pub(crate) fn now(log: &dyn Log, topics: &Topics, partition: u32) -> Result<Position, Error> {
        let mut ends = [0; TOPICS.len()];
        for (end, topic) in ends.iter_mut().zip(TOPICS) {
            *end = log.bounds(topics.name(topic), partition)?.stable.0;
        }
        Ok(Position { partition, ends })
    }

    pub(crate) fn token(&self) -> String {
        let mut token = self.partition.to_string();
        for end in self.ends {
            token.push_str(&format!(".{end}"));
        }
        token
    }

    pub(crate) fn parse(token: &str) -> Option<Position> {
        let mut numbers = token.split('.');
        let partition = numbers.next()?.parse().ok()?;
        let mut ends = [0; TOPICS.len()];
        for end in &mut ends {
            *end = numbers.next()?.parse().ok()?;
        }
        numbers.next().is_none().then_some(Position { partition, ends })
    }

    fn end(&self, topic: Topic) -> Option<Next> {
        let place = TOPICS.iter().position(|known| *known == topic)?;
        self.ends.get(place).map(|end| Next(*end))
    }
}

/// How far the lists are known to have come, by topic and partition.
#[derive(Debug, Default)]
pub(crate) struct Reached(Mutex<BTreeMap<(Topic, u32), Next>>);

impl Reached {
    /// Waits until the group that fills a topic's lists (`group`, with the topic's name) has read a topic up to a position; false if it has
    /// not within the time.
    pub(crate) fn wait(
        &self,
        log: &dyn Log,
        topics: &Topics,
        group: &str,
        topic: Topic,
        position: &Position,
        within: Duration,
    ) -> Result<bool, Error> {
        let Some(end) =
            position.end(topic).filter(|_| position.partition < topics.ledger_partitions)
        else {
            return Ok(true);
        };
        let key = (topic, position.partition);
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if known().is_some_and(|known| known >= end) {
            return Ok(true);
        }
        let deadline = Instant::now() + within;
        loop {
            let name = topics.name(topic);
            let group = format!("{group}.{}", topic.name());
            let read = log.committed(&group, name, position.partition)?.unwrap_or(Next::START);
            // Behind the last message there may be marks of the log's own, which nobody reads.
            if read >= end || is_empty(log, name, position.partition, read, end)? {
                let mut reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                reached.entry(key).and_modify(|known| *known = (*known).max(end)).or_insert(end);
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn is_empty(
    log: &dyn Log,
    topic: &str,
    partition: u32,
    from: Next,
    until: Next,
) -> Result<bool, Error> {
    let mut empty = true;
    log.scan(topic, partition, from, until, &mut |_| {
        empty = false;
        false
    })?;
    Ok(empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use drawdown_domain::time::Timestamp;
    use drawdown_log::{Commit, Faults, Membership, Memory};
    use drawdown_wire::topics::{DEFAULT_PLAN, TopicPlan};

    #[test]
    fn a_token_comes_back_as_it_was() {
        let position = Position { partition: 3, ends: [1, 0, 7, 0, 12, 9] };
        assert_eq!(Position::parse(&position.token()), Some(position));
        for wrong in ["", "1", "a.b", "1.2.3.4.5.6.7.8", "-1.1.1.1.1.1.1"] {
            assert_eq!(Position::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_list_is_waited_for_until_its_filler_has_read_so_far() {
        let plan = TopicPlan::parse(DEFAULT_PLAN).unwrap();
        let topics = Topics::new("", &plan);
        let names = Topic::ALL.iter().map(|topic| (topic.name(), plan.partitions(*topic)));
        let log = Memory::new(names, Faults::default());
        log.append("entries", 1, Timestamp::START, &[b"a", b"b"]).unwrap();
        let position = Position::now(&log, &topics, 1).unwrap();
        let reached = Reached::default();
        let wait = |reached: &Reached| {
            let within = Duration::ZERO;
            reached.wait(&log, &topics, "analytics", Topic::Entries, &position, within).unwrap()
        };
        assert!(!wait(&reached), "nothing is read yet");
        let membership = Membership {
            group: "analytics.entries".to_owned(),
            topic: "entries".to_owned(),
            instance: "1".to_owned(),
        };
        let mut member = log.join(&membership).unwrap();
        let change = member.poll(Duration::ZERO, &mut |_| ()).unwrap();
        assert!(change.is_some());
        let read = BTreeMap::from([(1, Next(2))]);
        member.commit(Commit { read, appends: Vec::new() }).unwrap();
        member.outcome(Duration::from_secs(5)).unwrap().unwrap();
        assert!(wait(&reached));
        assert_eq!(reached.0.lock().unwrap().len(), 1);
    }
}
