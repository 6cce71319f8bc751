//! The log is one seam with three engines: `kafka` and `embedded` are durable, `memory` is for
//! rehearsals and simulation.
//!
//! A [`Log`] holds topics of numbered partitions. A [`Member`] of a group reads the partitions of one
//! topic that it owns and, in one atomic [`Commit`], says how far it has read and what it appends
//! elsewhere. Either all of a commit is seen by others or nothing.
//!
//! **Invariant:** readers see committed messages only, in the order of their offsets. Nothing in this
//! crate knows what a message means.

pub mod embedded;
pub mod kafka;
mod memory;
mod points;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use memory::{Faults, Memory};
pub use points::{Point, reach};

use drawdown_domain::time::Timestamp;

/// The place of a message in its partition. Offsets grow; they may have gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

/// The place from which a reader goes on: one past the last message it is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Next(pub i64);

impl Next {
    pub const START: Next = Next(0);
}

impl Offset {
    /// Where to go on once this message is done.
    pub fn next(self) -> Next {
        Next(self.0.saturating_add(1))
    }
}

/// One message as it is read.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub partition: u32,
    pub offset: Offset,
    /// When the log took it.
    pub at: Timestamp,
    pub value: &'a [u8],
}

/// One message to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    pub topic: String,
    pub partition: u32,
    pub value: Vec<u8>,
}

/// What one step of a member comes to: everything in it becomes visible, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// How far each partition has been read. Never empty: every commit moves or confirms a position,
    /// so that a fenced member is found out.
    pub read: BTreeMap<u32, Next>,
    pub appends: Vec<Append>,
}

/// A change of what a member owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These partitions are the member's from now on. It reads them once [`Member::resume`] is called.
    Assigned(Vec<u32>),
    /// These partitions are to be given up. The member may still commit what it has done with them;
    /// others get them once [`Member::release`] is called.
    Revoked(Vec<u32>),
}

/// Why an engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It may work if it is tried again.
    #[error("{0}")]
    Passing(String),
    /// It is not known whether the commit took place, or it surely did not. The member must be
    /// dropped, joined anew, and the state restored.
    #[error("the commit's outcome is unknown or it failed: {0}")]
    Uncommitted(String),
    /// Another member took over. Drop this one.
    #[error("another member took over: {0}")]
    Fenced(String),
    /// Somebody has to look: the log is damaged, full, misconfigured or refuses us.
    #[error("{0}")]
    Fatal(String),
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Error::Passing(_))
    }
}

/// Who joins: members of one group share the partitions of `topic`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub group: String,
    pub topic: String,
    /// Stable over restarts: the same instance gets its partitions back and fences its former self.
    pub instance: String,
}

/// What is known of a partition's ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest message that is kept.
    pub first: Next,
    /// Up to here everything is decided: committed or aborted.
    pub stable: Next,
    /// One past the last message, those of open commits included.
    pub end: Next,
}

/// A log, shared by all threads of a process.
pub trait Log: Send + Sync + fmt::Debug {
    /// Joins a group.
    fn join(&self, membership: &Membership) -> Result<Box<dyn Member>, Error>;

    /// Appends messages to a partition from outside any group; they are durable on return. Returns
    /// where to go on reading behind the last of them. `at` counts only where the log does not set
    /// the time itself.
    fn append(
        &self,
        topic: &str,
        partition: u32,
        at: Timestamp,
        values: &[&[u8]],
    ) -> Result<Next, Error>;

    /// Reads committed messages of a partition from `from` up to `until`, as far as they are there,
    /// and returns where it stopped. The visitor ends the scan early by returning false.
    fn scan(
        &self,
        topic: &str,
        partition: u32,
        from: Next,
        until: Next,
        visit: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<Next, Error>;

    fn bounds(&self, topic: &str, partition: u32) -> Result<Bounds, Error>;

    /// How far a group has committed a partition, once no commit of it is pending; none if never.
    fn committed(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Next>, Error>;

    /// Forgets messages before `before`, which nobody will read again. Where the log is on another
    /// machine some of them may be back after a crash of that, as they were and in their order.
    fn truncate(&self, topic: &str, partition: u32, before: Next) -> Result<(), Error>;

    /// How many partitions a topic has: none if it does not exist.
    fn partitions(&self, topic: &str) -> Result<u32, Error>;

    /// How long whoever commits waits for more, where nothing more is there: what a commit costs is well spent then.
    fn commits_pay_after(&self) -> Duration;
}

/// One member of a group. Owned by one thread.
pub trait Member: Send + fmt::Debug {
    /// Waits up to `wait` for messages, and shows them in the order of their offsets within each
    /// partition, partitions in runs. A change of what the member owns is returned instead.
    fn poll(
        &mut self,
        wait: Duration,
        visit: &mut dyn FnMut(&[Message<'_>]),
    ) -> Result<Option<Change>, Error>;

    /// Begins to read all partitions that were assigned, each from its place, or goes on from another
    /// place in some that are read already.
    fn resume(&mut self, from: &BTreeMap<u32, Next>) -> Result<(), Error>;

    /// Gives up revoked partitions.
    fn release(&mut self, partitions: &[u32]) -> Result<(), Error>;

    /// Begins a commit. At most one is under way, until its outcome is taken; the next may be prepared
    /// meanwhile.
    fn commit(&mut self, commit: Commit) -> Result<(), Error>;

    /// Waits up to `wait` for the commit that is under way: none while it is undecided.
    fn outcome(&mut self, wait: Duration) -> Option<Result<(), Error>>;
}
