//! Which records have been counted: exact, by a 128 bit keyed hash of (account, source, id), each with
//! a hash of its content (R2.2).
//!
//! Recent identities are in a table in memory. A full table is put aside, becomes a run on disk once
//! the step that filled it and a later one are committed, and runs are merged, all by one thread beside; a lookup asks
//! the tables, and then the filters of the runs. The log holds the truth: every step appends what it
//! remembered to the `identities` topic, in the same commit as the lines, and a restored partition
//! reads only what its own runs do not hold yet.
//!
//! **Invariant:** an answer depends on what was remembered and on the day before which identities are
//! forgotten, never on where an entry is: a table becomes a run, and runs become one, without any
//! answer changing.
//!
//! **Invariant:** an entry that was forgotten stays so. Whoever remembers something from before that
//! day (its age was raised since) remembers it as of that day.

mod catalogue;
mod directory;
mod entry;
mod filter;
mod layout;
mod memory;
mod merging;
mod restoring;
mod run;
mod shelf;
mod shelves;
mod writing;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use drawdown_domain::time::Timestamp;
use drawdown_log::Next;
use drawdown_wire::identities::pack;

pub use entry::{Entry, Identity, Position, Told};
pub(crate) use entry::{Teller, day_of};
pub use restoring::Missing;
pub(crate) use restoring::stop;
pub use shelves::{IdentityOptions, Shelves};

use filter::Mask;
use memory::Table;
use merging::{each_entry, plan};
use run::Run;
use shelf::{Holder, Shelf, weights};
use shelves::Share;

/// What is known of an identity that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    New,
    Duplicate,
    Conflict,
}

/// What can be wrong with runs.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// What stands on this machine is not sound. It was thrown away, and is on the topic.
    #[error("remembered identities are damaged: {0}")]
    Damaged(String),
    /// It may work if it is tried again.
    #[error("{0}")]
    Failed(String),
    #[error(
        "{0} belongs to another installation or partition; give this one a directory of its own, or delete it"
    )]
    Foreign(String),
    /// Somebody else holds the shelf, or the process ends.
    #[error("it was given up")]
    Abandoned,
}

/// How much of what may be remembered is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// By all partitions of the process.
    pub remembered: u64,
    pub identities_max: u64,
    /// By this partition in tables.
    pub in_tables: u64,
    /// Filters and indexes of this partition's runs, and the runs themselves where there is no
    /// directory.
    pub run_bytes: u64,
    pub runs: usize,
    /// A run of this partition is being written.
    pub is_writing: bool,
}

/// A full table on its way to the shelf.
#[derive(Debug)]
struct Aside {
    table: Arc<Table>,
    /// Where the topic goes on behind it, once its last step is committed.
    next: Option<Next>,
    /// A later step was committed too.
    is_sure: bool,
}

type Answer = Result<Vec<Arc<Run>>, Trouble>;

/// What the thread was asked to do for this partition.
#[derive(Debug)]
struct Asked {
    answer: Receiver<Answer>,
    is_flush: bool,
}

/// There was trouble with the disk.
#[derive(Debug)]
struct LeftAlone {
    since: Instant,
    why: String,
}

/// After trouble with the disk it is left alone for so long.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// While runs cannot be written, the table grows to so many times its size.
const TABLES_WAITING_MAX: usize = 8;

/// The memory of one partition.
#[derive(Debug)]
pub struct Identities {
    shelves: Arc<Shelves>,
    partition: u32,
    shelf: Option<(Arc<Shelf>, Holder)>,
    table: Table,
    aside: Option<Aside>,
    /// Oldest first.
    runs: Vec<Arc<Run>>,
    /// Entries of an earlier day of use are forgotten.
    kept_from: i32,
    /// The same as it was last put out, as it was committed, and as it was when a later step was
    /// committed too: only what is forgotten for certain may be dropped from runs, for a step that is
    /// lost brings it back.
    kept_from_put_out: i32,
    kept_from_committed: i32,
    kept_from_for_sure: i32,
    /// The end of the chain as it was put out.
    reached: Position,
    /// So many entries of the table were put out.
    packed: usize,
    asked: Option<Asked>,
    left_alone: Option<LeftAlone>,
    share: Share,
}

/// About as much as an identity takes on the topic.
const PACKED_BYTES: usize = 32;

impl Identities {
    /// A memory that holds nothing yet, and stays in its table until it is restored.
    pub fn new(shelves: Arc<Shelves>, partition: u32) -> Identities {
        let share = shelves.share();
        Identities {
            shelves,
            partition,
            shelf: None,
            table: Table::default(),
            aside: None,
            runs: Vec::new(),
            kept_from: i32::MIN,
            kept_from_put_out: i32::MIN,
            kept_from_committed: i32::MIN,
            kept_from_for_sure: i32::MIN,
            reached: Position::default(),
            packed: 0,
            asked: None,
            left_alone: None,
            share,
        }
    }

    /// What is known of a record. Trouble means that a run that would have to be asked cannot be: it
    /// has been thrown away, and the partition must be restored.
    #[inline]
    pub fn look(&self, told: Told) -> Result<Known, Trouble> {
        Ok(match self.find(told.identity)? {
            None => Known::New,
            Some(entry) if entry.content == told.content => Known::Duplicate,
            Some(_) => Known::Conflict,
        })
    }

    /// Reads what [`Identities::look`] will, for many records at a time, so that the processor waits for
    /// all of it together.
    pub(crate) fn read_ahead(&self, identities: impl Iterator<Item = Identity> + Clone) {
        let aside = self.aside.as_ref().map(|aside| &*aside.table);
        for table in [Some(&self.table), aside].into_iter().flatten() {
            let seen = identities.clone().map(|identity| table.read_ahead(identity));
            std::hint::black_box(seen.fold(0, |all, seen| all ^ seen));
        }
        for run in &self.runs {
            let seen = identities.clone().map(|identity| run.read_ahead(identity));
            std::hint::black_box(seen.fold(0, |all, seen| all ^ seen));
        }
    }

    /// What was remembered under an identity, if it is not forgotten.
    #[inline]
    pub fn find(&self, identity: Identity) -> Result<Option<Entry>, Trouble> {
        let aside = self.aside.as_ref().map(|aside| &*aside.table);
        for table in [Some(&self.table), aside].into_iter().flatten() {
            if let Some(entry) = table.find(identity).filter(|entry| entry.day >= self.kept_from) {
                return Ok(Some(*entry));
            }
        }
        let mask = Mask::of(identity);
        for runs in self.runs.chunks(64) {
            let (mut hits, mut bit) = (0_u64, 1_u64);
            for run in runs {
                hits |= if run.may_hold(identity, &mask) { bit } else { 0 };
                bit = bit.wrapping_shl(1);
            }
            if hits != 0
                && let Some(entry) = self.read(runs, hits, identity)?
            {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Asks the runs whose filters do not say no. At most one of them has an entry that is not
    /// forgotten.
    #[cold]
    fn read(
        &self,
        runs: &[Arc<Run>],
        hits: u64,
        identity: Identity,
    ) -> Result<Option<Entry>, Trouble> {
        for (place, run) in runs.iter().enumerate() {
            if hits & (1 << place) == 0 {
                continue;
            }
            match run.find(identity) {
                Ok(Some(entry)) if entry.day >= self.kept_from => return Ok(Some(entry)),
                Ok(_) => {}
                Err(trouble) => {
                    self.throw_away();
                    return Err(trouble);
                }
            }
        }
        Ok(None)
    }

    /// All that is remembered and not forgotten, in the order of the identities.
    pub fn in_order(&self) -> Result<Vec<Entry>, Trouble> {
        let mut entries = Vec::new();
        for run in &self.runs {
            each_entry(run, |entry| entries.push(entry))?;
        }
        entries.extend(self.aside.iter().flat_map(|aside| aside.table.entries()));
        entries.extend(self.table.entries());
        entries.retain(|entry| entry.day >= self.kept_from);
        entries.sort_by_key(|entry| entry.identity);
        Ok(entries)
    }

    /// Remembers an identity that is new.
    #[inline]
    pub fn remember(&mut self, told: Told, used: Timestamp, offset: i64, index: u32) {
        let day = day_of(used).max(self.kept_from);
        let Told { identity, content } = told;
        self.table.push(Entry { identity, content, offset, index, day });
    }

    /// Forgets what was used before a day, for good.
    pub fn forget_before(&mut self, day: i32) {
        if day > self.kept_from {
            self.kept_from = day;
            self.count();
        }
    }

    pub fn kept_from(&self) -> i32 {
        self.kept_from
    }

    /// What is to be forgotten is, in a step that is committed.
    pub(crate) fn has_forgotten(&self) -> bool {
        self.kept_from_committed == self.kept_from
    }

    /// The end of the chain as it was put out: what the state has to know.
    pub fn reached(&self) -> Position {
        self.reached
    }

    /// About how much is to be packed.
    pub fn unsaid_bytes(&self) -> usize {
        self.table.len().saturating_sub(self.packed).saturating_mul(PACKED_BYTES)
    }

    /// What was remembered since this was last asked, packed for the topic: with it ends a step.
    pub fn take_packed(&mut self) -> Vec<Vec<u8>> {
        let messages = pack(&self.table.entries()[self.packed..], &mut self.reached);
        self.packed = self.table.len();
        self.kept_from_put_out = self.kept_from;
        if !messages.is_empty() {
            self.count();
        }
        if self.table.len() >= self.shelves.options().table_max {
            self.put_aside(None);
        }
        messages
    }

    /// The table goes aside, if there is room for it there.
    fn put_aside(&mut self, next: Option<Next>) {
        if self.aside.is_some() || self.shelf.is_none() {
            return;
        }
        self.table.to = self.reached;
        let next_table = self.shelves.empty_table(self.reached);
        let table = std::mem::replace(&mut self.table, next_table);
        self.packed = 0;
        self.aside = Some(Aside { table: Arc::new(table), next, is_sure: next.is_some() });
    }

    /// The last step is committed, and with it the one before it for good: a broker that dies may take
    /// the last one back. `next` says where the topic goes on behind it, or any place before that; if it
    /// cannot now, the next commit asks again.
    pub fn committed(&mut self, next: impl FnOnce() -> Option<Next>) {
        self.kept_from_for_sure =
            std::mem::replace(&mut self.kept_from_committed, self.kept_from_put_out);
        match &mut self.aside {
            Some(aside) if aside.next.is_none() => aside.next = next(),
            Some(aside) => aside.is_sure = true,
            None => {}
        }
    }

    /// Nothing can be remembered before a table is written, which only comes behind commits. Without new records nobody
    /// else would ask for one.
    pub fn waits_for_a_commit(&self) -> bool {
        let helps = match &self.aside {
            Some(aside) => aside.next.is_none() || !aside.is_sure,
            // It grew while another was being written.
            None => self.table.len() >= self.shelves.options().table_max,
        };
        helps && self.full().is_some()
    }

    /// Takes what the thread has done, and gives it the next thing to do.
    pub fn settle(&mut self) -> Result<(), Trouble> {
        let answer = match self.asked.as_ref().map(|asked| asked.answer.try_recv()) {
            Some(Ok(answer)) => answer,
            Some(Err(TryRecvError::Disconnected)) => {
                Err(Trouble::Failed("a run was not written: the thread has ended".to_owned()))
            }
            Some(Err(TryRecvError::Empty)) => return Ok(()),
            None => {
                self.ask();
                return Ok(());
            }
        };
        self.answered(answer)?;
        self.ask();
        Ok(())
    }

    fn answered(&mut self, answer: Answer) -> Result<(), Trouble> {
        let is_flush = self.asked.take().is_some_and(|asked| asked.is_flush);
        match answer {
            Ok(runs) => {
                self.runs = runs;
                self.left_alone = None;
                if is_flush && let Some(aside) = self.aside.take() {
                    self.shelves.take_back(aside.table);
                }
                self.count();
                Ok(())
            }
            Err(Trouble::Failed(why)) => {
                let partition = self.partition;
                tracing::warn!(
                    partition,
                    why,
                    in_tables = self.in_tables(),
                    "identities stay in memory; trying again"
                );
                self.left_alone = Some(LeftAlone { since: Instant::now(), why });
                Ok(())
            }
            Err(trouble) => {
                self.throw_away();
                Err(trouble)
            }
        }
    }

    /// What cannot be trusted is deleted: the next start reads the topic again.
    fn throw_away(&self) {
        if let Some((shelf, _)) = &self.shelf
            && let Err(why) = shelf.discard()
        {
            tracing::error!(partition = self.partition, %why, "damaged files of identities are still there");
        }
    }

    fn ask(&mut self) {
        let Some((shelf, holder)) = self.shelf.clone() else { return };
        if self.left_alone.as_ref().is_some_and(|own| own.since.elapsed() < TRY_AGAIN_AFTER) {
            return;
        }
        let kept_from = self.kept_from_for_sure;
        let due = self.aside.as_ref().filter(|aside| aside.is_sure);
        let due = due.and_then(|aside| Some((aside.table.clone(), aside.next?)));
        let is_flush = due.is_some();
        let (tell, answer) = sync_channel(1);
        let submitted = if let Some((table, next)) = due {
            self.shelves.submit(Box::new(move |_| {
                // Nobody listens when the partition has gone.
                let answer = shelf.flush(holder, &table, next, kept_from);
                drop(table);
                tell.send(answer).ok();
            }))
        } else if self.is_untidy() {
            self.shelves.submit(Box::new(move |ending| {
                tell.send(shelf.tidy(holder, kept_from, ending)).ok();
            }))
        } else {
            false
        };
        if submitted {
            self.asked = Some(Asked { answer, is_flush });
        }
    }

    fn is_untidy(&self) -> bool {
        let weights = weights(&self.runs, self.kept_from_for_sure);
        weights.iter().any(|own| own.kept == 0) || plan(&weights).is_some()
    }

    fn in_tables(&self) -> usize {
        self.table.len() + self.aside.as_ref().map_or(0, |aside| aside.table.len())
    }

    /// Brings the figures up to date, and says so when little room is left.
    fn count(&mut self) {
        let kept: u64 = self.runs.iter().map(|run| run.kept(self.kept_from)).sum();
        self.share.set(kept + self.in_tables() as u64);
        self.shelves.look_at_room();
    }

    pub fn fill(&self) -> Fill {
        Fill {
            remembered: self.shelves.remembered(),
            identities_max: self.shelves.options().identities_max,
            in_tables: self.in_tables() as u64,
            run_bytes: self.runs.iter().map(|run| run.memory_bytes()).sum(),
            runs: self.runs.len(),
            is_writing: self.asked.is_some(),
        }
    }

    /// Whether as many are remembered as may be.
    pub fn is_full(&self) -> bool {
        self.shelves.remembered() >= self.shelves.options().identities_max
    }

    /// Why nothing can be remembered at present; none if there is room. Nothing is ever forgotten before its time to
    /// make room.
    pub fn full(&self) -> Option<String> {
        let Fill { remembered, identities_max, in_tables, .. } = self.fill();
        if self.is_full() {
            return Some(format!(
                "identities_full: {remembered} identities are remembered, and metering.identities_max is {identities_max}; raise it and start again, or wait until the oldest are forgotten"
            ));
        }
        let tables_max = self.shelves.options().table_max.saturating_mul(TABLES_WAITING_MAX);
        (in_tables >= tables_max as u64).then(|| {
            let why = self.left_alone.as_ref().map_or("it is behind", |own| &own.why);
            format!(
                "identities_waiting: {in_tables} identities wait in memory until they can be written to disk: {why}"
            )
        })
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod model_tests;
#[cfg(test)]
#[path = "restoring_tests.rs"]
mod restoring_tests;
#[cfg(test)]
#[path = "rig_tests.rs"]
mod rig_tests;
