//! Where transactions are open, and where one is that nobody will end any more.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::Kafka;
use crate::{Bounds, Error, Log, Next};

/// A transaction that readers of a partition wait for, though its time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOpen {
    pub topic: String,
    pub partition: u32,
    /// Where readers wait.
    pub at: Next,
}

impl fmt::Display for LeftOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeftOpen { topic, partition, at } = self;
        write!(f, "{topic} {partition}: readers wait at {} for a transaction that is over", at.0)
    }
}

/// How often a broker looks for transactions whose time is up, and a little more.
const ABORTED_WITHIN: Duration = Duration::from_secs(12);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

impl Kafka {
    /// The partitions that commits append to in which something is neither committed nor aborted now,
    /// with their bounds.
    pub fn undecided(&self) -> Result<BTreeMap<(String, u32), Bounds>, Error> {
        let mut undecided = BTreeMap::new();
        for topic in &self.config.topics {
            for partition in 0..self.partitions(topic)? {
                let bounds = self.bounds(topic, partition)?;
                if bounds.stable < bounds.end {
                    undecided.insert((topic.clone(), partition), bounds);
                }
            }
        }
        Ok(undecided)
    }

    /// Transactions that the broker has ended or forgotten without telling the partition. If something
    /// is undecided now, this looks for as long as a transaction may take.
    pub fn left_open(&self) -> Result<Vec<LeftOpen>, Error> {
        let mut undecided = self.undecided()?;
        let deadline = Instant::now() + self.config.transaction_timeout + ABORTED_WITHIN;
        while !undecided.is_empty() && Instant::now() < deadline {
            std::thread::sleep(LOOK_AGAIN_AFTER);
            let mut moved = Vec::new();
            for ((topic, partition), before) in &undecided {
                if self.bounds(topic, *partition)?.stable > before.stable {
                    moved.push((topic.clone(), *partition));
                }
            }
            undecided.retain(|place, _| !moved.contains(place));
        }
        let left_open = |((topic, partition), bounds): ((String, u32), Bounds)| LeftOpen {
            topic,
            partition,
            at: bounds.stable,
        };
        Ok(undecided.into_iter().map(left_open).collect())
    }
}
