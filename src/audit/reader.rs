//! Reads a partition in order and a little ahead, in bounded memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use drawdown_domain::time::Timestamp;
use drawdown_log::{Log, Message, Next, Offset};

use super::sources::Heard;

/// So much is read ahead.
const AHEAD_BYTES: usize = 4 << 20;
/// Longer than any transaction may stay undecided.
const DECIDED_WITHIN: Duration = Duration::from_secs(120);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// A message that was read.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) offset: Offset,
    pub(super) at: Timestamp,
    pub(super) value: Vec<u8>,
}

impl Held {
    pub(super) fn message(&self, partition: u32) -> Message<'_> {
        Message { partition, offset: self.offset, at: self.at, value: &self.value }
    }
}

/// A place in a partition, from which it is read up to where it ended when that was asked.
#[derive(Debug)]
pub(super) struct Reader {
    log: Arc<dyn Log>,
    pub(super) topic: String,
    pub(super) partition: u32,
    /// The oldest message that is kept.
    pub(super) first: Next,
    next: Next,
    end: Next,
    ahead: VecDeque<Held>,
    /// Hears every message that is taken.
    pub(super) heard: Option<Heard>,
}

impl Reader {
    pub(super) fn new(log: Arc<dyn Log>, topic: &str, partition: u32) -> anyhow::Result<Reader> {
        let bounds = log.bounds(topic, partition)?;
        let (topic, ahead) = (topic.to_owned(), VecDeque::new());
        Ok(Reader {
            log,
            topic,
            partition,
            first: bounds.first,
            next: bounds.first,
            end: bounds.end,
            ahead,
            heard: None,
        })
    }

    pub(super) fn end(&self) -> Next {
        self.end
    }

    /// Asks anew where the partition ends.
    pub(super) fn look_again(&mut self) -> anyhow::Result<()> {
        self.end = self.log.bounds(&self.topic, self.partition)?.end;
        Ok(())
    }

    /// The message that comes after `skipped` others; none at the end.
    pub(super) fn peek(&mut self, skipped: usize) -> anyhow::Result<Option<&Held>> {
        let deadline = Instant::now() + DECIDED_WITHIN;
        while self.ahead.len() <= skipped && self.next < self.end {
            let (mut bytes, ahead) = (0, &mut self.ahead);
            let before = self.next;
            self.next = self.log.scan(
                &self.topic,
                self.partition,
                self.next,
                self.end,
                &mut |message| {
                    let Message { offset, at, value, .. } = message;
                    bytes += value.len();
                    ahead.push_back(Held { offset, at, value: value.to_vec() });
                    bytes < AHEAD_BYTES
                },
            )?;
            if self.next == before {
                if Instant::now() > deadline {
                    bail!(
                        "{} {} is undecided between {} and {}",
                        self.topic,
                        self.partition,
                        self.next.0,
                        self.end.0
                    );
                }
                std::thread::sleep(LOOK_AGAIN_AFTER);
            }
        }
        Ok(self.ahead.get(skipped))
    }

    pub(super) fn pop(&mut self) -> anyhow::Result<Option<Held>> {
        self.peek(0)?;
        let held = self.ahead.pop_front();
        if let (Some(heard), Some(held)) = (&mut self.heard, &held) {
            heard.take(held);
        }
        Ok(held)
    }

    /// The messages from `from` up to `until`; none if some of them are no longer kept.
    pub(super) fn between(&mut self, from: Next, until: Next) -> anyhow::Result<Option<Vec<Held>>> {
        let mut found = Vec::new();
        if from >= until {
            return Ok(Some(found));
        }
        if until > self.end {
            self.look_again()?;
        }
        while let Some(held) = self.peek(0)? {
            if Next(held.offset.0) >= until {
                break;
            }
            let before = Next(held.offset.0) < from;
            found.extend(self.pop()?.filter(|_| !before));
        }
        Ok((from >= self.first).then_some(found))
    }
}
