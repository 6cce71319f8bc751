//! A partition's memory as its last commit left it: from the runs on this machine, and from the topic
//! what they do not hold.
//!
//! **Invariant:** what is restored reaches exactly the place in the chain that the state names, by an
//! unbroken chain of checksums. The only thing that may be missing is what the topic has deleted for
//! its age, which is forgotten by then.

use std::sync::Arc;

use drawdown_log::{Log, Message, Next};
use drawdown_runtime::{Stop, read_to_end};
use drawdown_wire::identities::Packed;

use super::entry::Position;
use super::memory::Table;
use super::shelf::Held;
use super::{Identities, Trouble};

/// While a partition is read back, a table of so many tables' worth becomes a run: fewer and larger
/// ones are written faster.
const TABLES_AT_ONCE: usize = 4;

/// Identities that the state counts are on no topic.
#[derive(Debug, thiserror::Error)]
#[error(
    "{topic} holds {found} of {expected} remembered identities; without the others duplicates would be counted"
)]
pub struct Missing {
    pub topic: String,
    pub found: u64,
    pub expected: u64,
}

/// How reading the topic came out.
enum Read {
    Whole,
    /// What there was to begin with does not lead to what the topic says.
    Unconnected(String),
}

impl Identities {
    /// Takes back everything up to `reached` that was not used before the day told.
    pub fn restore(&mut self, log: &dyn Log, topic: &str, reached: Position) -> Result<(), Stop> {
        self.kept_from_put_out = self.kept_from;
        self.kept_from_committed = self.kept_from;
        self.kept_from_for_sure = self.kept_from;
        let shelf = self.shelves.shelf(self.partition);
        let (holder, held) = shelf.open().map_err(stop)?;
        if held.reached.total > reached.total {
            return Err(Stop::Broken(format!(
                "the identities of partition {} on this machine go up to {}, its state up to {}: the log was lost or is another one; give this one a directory of its own, or delete these",
                self.partition, held.reached.total, reached.total
            )));
        }
        self.shelf = Some((shelf.clone(), holder));
        let places = [held.next, Next::START];
        let is_held = held.reached.total > 0;
        for next in places.into_iter().filter(|_| is_held) {
            self.begin(held.clone());
            match self.read_on(log, topic, next, reached)? {
                Read::Whole => return self.end(),
                Read::Unconnected(why) if next == Next::START => {
                    tracing::warn!(
                        partition = self.partition,
                        why,
                        "the identities on this machine are not those of the topic; they are read from there"
                    );
                }
                Read::Unconnected(_) => {}
            }
            // What was flushed meanwhile stands on a shelf that is not to be trusted either.
            self.wait()?;
        }
        let holder = shelf.discard().map_err(stop)?;
        self.shelf = Some((shelf, holder));
        self.begin(Held::default());
        match self.read_on(log, topic, Next::START, reached)? {
            Read::Whole => self.end(),
            Read::Unconnected(why) => Err(Stop::Broken(why)),
        }
    }

    fn begin(&mut self, held: Held) {
        self.reached = held.reached;
        self.runs = held.runs;
        self.table = Table::new(self.reached);
        (self.aside, self.asked, self.packed) = (None, None, 0);
    }

    /// All has been read back: from here on it is found.
    fn end(&mut self) -> Result<(), Stop> {
        self.wait()?;
        self.table.index();
        if let Some(aside) = &mut self.aside {
            // It could not be written yet.
            Arc::make_mut(&mut aside.table).index();
        }
        self.packed = self.table.len();
        self.count();
        tracing::debug!(
            partition = self.partition,
            total = self.reached.total,
            runs = self.runs.len(),
            in_tables = self.table.len(),
            "identities are restored"
        );
        Ok(())
    }

    fn read_on(
        &mut self,
        log: &dyn Log,
        topic: &str,
        from: Next,
        until: Position,
    ) -> Result<Read, Stop> {
        let is_empty = self.reached.total == 0;
        // What stands before the first message that is left was deleted for its age.
        let is_cut = is_empty && log.bounds(topic, self.partition)?.first > Next::START;
        let (mut unconnected, mut is_first) = (None, true);
        read_to_end(log, topic, self.partition, from, &mut |message| {
            if unconnected.is_none() {
                let may_begin = is_first && is_cut;
                unconnected = self.take_back(topic, message, until, may_begin)?;
                is_first = false;
            }
            Ok(())
        })?;
        if let Some(why) = unconnected {
            return Ok(Read::Unconnected(why));
        }
        if is_cut && is_first {
            // Everything was deleted for its age.
            (self.reached, self.table) = (until, Table::new(until));
        }
        if self.reached == until {
            return Ok(Read::Whole);
        }
        let (found, expected) = (self.reached.total, until.total);
        let missing = Missing { topic: topic.to_owned(), found, expected };
        Ok(Read::Unconnected(missing.to_string()))
    }

    /// Takes one message back; says why if it does not follow what is there.
    fn take_back(
        &mut self,
        topic: &str,
        message: Message<'_>,
        until: Position,
        may_begin: bool,
    ) -> Result<Option<String>, Stop> {
        let at = |why: &dyn std::fmt::Display| {
            Stop::Broken(format!("{topic} {} at {}: {why}", self.partition, message.offset.0))
        };
        let packed = Packed::open(message.value).map_err(|why| at(&why))?;
        if packed.after.total <= self.reached.total || packed.after.total > until.total {
            return Ok(None);
        }
        if may_begin && packed.before.total > 0 {
            self.reached = packed.before;
            self.table = Table::new(packed.before);
        }
        if packed.before != self.reached {
            return Ok(Some(
                at(&format!("{:?} does not follow {:?}", packed.before, self.reached)).to_string(),
            ));
        }
        let (table, kept_from) = (&mut self.table, self.kept_from);
        let each = packed.each(&mut |entry| {
            if entry.day >= kept_from {
                table.put(entry);
            }
        });
        each.map_err(|why| Stop::Broken(format!("{topic} at {}: {why}", message.offset.0)))?;
        self.reached = packed.after;
        self.packed = self.table.len();
        if self.table.len() >= self.shelves.options().table_max.saturating_mul(TABLES_AT_ONCE) {
            self.wait()?;
            self.put_aside(Some(message.offset.next()));
            self.settle().map_err(stop)?;
        }
        Ok(None)
    }

    /// Waits until the run that is being written is there. If that fails, what it was to hold stays
    /// in memory.
    fn wait(&mut self) -> Result<(), Stop> {
        let Some(asked) = &self.asked else { return Ok(()) };
        let ended = |_| Err(Trouble::Failed("the thread that writes runs has ended".to_owned()));
        let answer = asked.answer.recv().unwrap_or_else(ended);
        self.answered(answer).map_err(stop)
    }
}

/// What trouble means for the station: damage is repaired by restoring once more, without the files.
pub(crate) fn stop(trouble: Trouble) -> Stop {
    match trouble {
        Trouble::Damaged(why) => Stop::Restore(why),
        Trouble::Abandoned => Stop::Restore(trouble.to_string()),
        Trouble::Failed(_) | Trouble::Foreign(_) => Stop::Broken(trouble.to_string()),
    }
}
