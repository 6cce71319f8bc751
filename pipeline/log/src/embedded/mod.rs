//! The log on one machine: one journal on disk, written by one thread, read by any number.
//!
//! ```text
//!  commits, appends ──> queue ──> writer ──> journal segment ──> sealed segments, archives
//!                                    │  one sync a group              ▲           │
//!                                    ▼                                │           ▼
//!                               published ──> members, scans      keeper      lagging readers
//! ```
//!
//! All topics and all positions of groups share one journal, so that one sync makes everything
//! durable that waits, and a commit is one frame: it is there or it is not. Read in this order:
//! `layout` (bytes), `catalogue` (topics), `directory` (small files), `walk` and `recover`
//! (opening), `index` and `segment` (reading from disk), `published` (what readers see), `drafts`,
//! `queue` and `writer` (committing), `groups`, `reader` and `member` (consuming), `keeper` and
//! `archive` (forgetting).
//!
//! # What is promised
//! - What was answered is on disk, and comes back after any crash.
//! - Readers see a commit once it is on disk: all of it at once, or nothing.
//! - A torn end is cut off; damage is refused with the file and the position. Nothing that was
//!   answered is ever cut off, but in the one case that `walk` names.
//! - A full disk refuses commits and passes; any other failure to write stops the writer until the
//!   log is opened again. Readers go on in both cases.
//! - Memory is bounded by the configuration, whatever readers and writers do.
//!
//! **Invariant:** only the writer appends to the journal and changes what is published; only the
//! keeper deletes files of an open log; neither reads a clock but the one that is configured.

mod archive;
mod catalogue;
mod directory;
mod drafts;
mod groups;
mod index;
mod keeper;
mod layout;
mod member;
mod published;
mod queue;
mod reader;
mod recover;
mod segment;
mod walk;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drawdown_domain::time::{Span, Timestamp};

use crate::{Bounds, Error, Log, Member, Membership, Message, Next};
use catalogue::{Catalogue, NAME_BYTES_MAX};
use directory::Directory;
use groups::Group;
use keeper::Keeper;
use member::EmbeddedMember;
use published::{GroupKey, Published};
use queue::{Queue, Work};
use reader::{Cursor, show_until};
use recover::{Recovered, recover};
use segment::Budget;

/// Says what time it is, for messages whose sender does not.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A topic of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    /// Once the topic exists, this cannot change.
    pub partitions: u32,
    /// Messages are kept at least so long; none keeps them for ever.
    pub keep: Option<Span>,
}

/// How a log is opened. What has no bound here has none that is needed.
#[derive(Clone)]
pub struct EmbeddedConfig {
    /// Where the log lives. One process at a time holds it.
    pub directory: PathBuf,
    pub topics: Vec<Topic>,
    pub clock: Clock,
    /// A segment is sealed before it grows beyond this.
    pub segment_bytes_max: u64,
    /// A segment is sealed when it is so old, so that what is in it can be forgotten.
    pub segment_span_max: Span,
    /// So much of the newest messages stays in memory for readers.
    pub tail_bytes_max: usize,
    /// Commits beyond this wait outside the queue.
    pub queue_bytes_max: usize,
    /// So much is written with one sync.
    pub group_bytes_max: usize,
    /// A larger commit is refused.
    pub commit_bytes_max: usize,
    /// One poll shows at most so much, but at least one message.
    pub poll_messages_max: usize,
    pub poll_bytes_max: usize,
    /// How long the partitions of a member that is gone wait for its instance to come back.
    pub absence_max: Duration,
    /// How often old messages are looked for.
    pub tidy_every: Duration,
}

impl EmbeddedConfig {
    pub fn new(
        directory: impl Into<PathBuf>,
        topics: impl IntoIterator<Item = Topic>,
        clock: Clock,
    ) -> EmbeddedConfig {
        EmbeddedConfig {
            directory: directory.into(),
            topics: topics.into_iter().collect(),
            clock,
            segment_bytes_max: 256 << 20,
            segment_span_max: Span::days(1),
            tail_bytes_max: 128 << 20,
            queue_bytes_max: 64 << 20,
            group_bytes_max: 2 << 20,
            commit_bytes_max: 64 << 20,
            poll_messages_max: 16_384,
            poll_bytes_max: 1 << 20,
            absence_max: Duration::from_secs(10),
            tidy_every: Duration::from_secs(10),
        }
    }

    /// Places in a segment are 32-bit numbers.
    fn check(&self) -> Result<(), Error> {
        let group = self.group_bytes_max.max(self.commit_bytes_max) as u64;
        let largest = self.segment_bytes_max.saturating_add(group.saturating_mul(2));
        if self.segment_bytes_max == 0 || largest > u64::from(u32::MAX) {
            return Err(Error::Fatal(format!(
                "segment_bytes_max of {} with commits and groups of up to {group} bytes is out of \
                 bounds: together they must stay below 4 GiB",
                self.segment_bytes_max
            )));
        }
        let sizes = [self.poll_messages_max, self.poll_bytes_max, self.group_bytes_max];
        if sizes.contains(&0) || self.tidy_every.is_zero() {
            return Err(Error::Fatal(
                "poll_messages_max, poll_bytes_max and group_bytes_max must be above zero"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for EmbeddedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics: Vec<&str> = self.topics.iter().map(|topic| topic.name.as_str()).collect();
        f.debug_struct("EmbeddedConfig")
            .field("directory", &self.directory)
            .field("topics", &topics)
            .finish_non_exhaustive()
    }
}

/// How the log is doing, for metrics and people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub segments: usize,
    pub disk_bytes: u64,
    pub tail_bytes: usize,
    pub queued_commits: usize,
    pub queued_bytes: usize,
    /// Why the latest commits were refused: the disk is full, or the log must be opened again.
    pub refusing: Option<String>,
    /// What keeps the directory from being tidied, if something does.
    pub trouble: Option<String>,
}

/// What the threads of a log share.
#[derive(Debug)]
struct Shared {
    config: EmbeddedConfig,
    directory: Directory,
    catalogue: Catalogue,
    published: RwLock<Published>,
    queue: Queue,
    groups: Mutex<HashMap<GroupKey, Arc<Group>>>,
    keeper: Keeper,
    /// Why the writer refused the latest group, if it did.
    refusing: Mutex<Option<String>>,
}

impl Shared {
    fn published(&self) -> RwLockReadGuard<'_, Published> {
        self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn published_mut(&self) -> RwLockWriteGuard<'_, Published> {
        self.published.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn group(&self, name: &str, topic: &str) -> Result<Arc<Group>, Error> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Error::Fatal(format!(
                "\"{name}\" is no group's name: it has 1 to {NAME_BYTES_MAX} bytes"
            )));
        }
        let topic = self.catalogue.number(topic)?;
        let key = GroupKey { name: name.to_owned(), topic };
        let partitions = self.catalogue.partitions_of(topic);
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let group = groups.entry(key).or_insert_with_key(|key| {
            Arc::new(Group::new(key.clone(), partitions, self.config.absence_max))
        });
        Ok(group.clone())
    }
}

/// The log and its threads, which end with the last handle or member.
#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.keeper.stop();
        join(self.keeper.take());
        self.shared.queue.close();
        join(self.writer.take());
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    // A thread that panicked has told so itself, and has answered who waited for it.
    thread.map(JoinHandle::join).transpose().ok();
}

/// Answers everybody when the writer ends, even by a panic.
struct Farewell<'s>(&'s Shared);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

/// A durable log in a directory, shared by clones.
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedded({})", self.inner.shared.config.directory.display())
    }
}

impl Embedded {
    /// Opens the log, which is made if it is not there, and puts in order what a crash left.
    pub fn open(config: EmbeddedConfig) -> Result<Embedded, Error> {
        config.check()?;
        let Recovered { directory, catalogue, published, writer } = recover(&config)?;
        let shared = Arc::new(Shared {
            queue: Queue::new(config.queue_bytes_max),
            config,
            directory,
            catalogue,
            published: RwLock::new(published),
            groups: Mutex::default(),
            keeper: Keeper::default(),
            refusing: Mutex::default(),
        });
        let mut inner = Inner { shared: shared.clone(), writer: None, keeper: None };
        let own = shared.clone();
        let writing = thread::Builder::new().name("log-writer".to_owned()).spawn(move || {
            let farewell = Farewell(&own);
            writer.run(farewell.0);
        });
        inner.writer = Some(writing.map_err(|why| no_thread(&why))?);
        let keeping = thread::Builder::new().name("log-keeper".to_owned());
        let keeping = keeping.spawn(move || Keeper::run(&shared));
        inner.keeper = Some(keeping.map_err(|why| no_thread(&why))?);
        Ok(Embedded { inner: Arc::new(inner) })
    }

    fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    /// Forgets what is too old and gives disk space back now, as happens from time to time anyway.
    pub fn tidy(&self) -> Result<(), Error> {
        keeper::tidy(self.shared())
    }

    pub fn status(&self) -> Result<Status, Error> {
        let shared = self.shared();
        let (segments, tail_bytes) = {
            let published = shared.published();
            (published.segments(), published.tail_bytes())
        };
        let (queued_commits, queued_bytes) = shared.queue.waiting();
        let mut disk_bytes = 0_u64;
        for segment in segments.iter() {
            disk_bytes = disk_bytes.saturating_add(segment.file_bytes()?);
        }
        Ok(Status {
            segments: segments.len(),
            disk_bytes,
            tail_bytes,
            queued_commits,
            queued_bytes,
            refusing: shared.refusing.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            trouble: shared.keeper.trouble(),
        })
    }

    /// Writes to another file from now on, to see what its errors do.
    #[cfg(test)]
    fn swap(&self, file: std::fs::File) {
        self.shared().queue.push(Work::Swap(file)).unwrap().wait_for_ever().unwrap();
    }
}

fn no_thread(why: &std::io::Error) -> Error {
    Error::Fatal(format!("a thread of the log cannot be started: {why}"))
}

impl Log for Embedded {
    fn join(&self, membership: &Membership) -> Result<Box<dyn Member>, Error> {
        Ok(Box::new(EmbeddedMember::join(&self.inner, membership)?))
    }

    fn append(
        &self,
        topic: &str,
        partition: u32,
        at: Timestamp,
        values: &[&[u8]],
    ) -> Result<Next, Error> {
        let shared = self.shared();
        let lane = shared.catalogue.find(topic, partition)?;
        if values.is_empty() {
            return Ok(Next(shared.published().lane(lane).next));
        }
        let bytes_max = shared.config.commit_bytes_max;
        let draft = drafts::append(&shared.catalogue, lane, values, bytes_max)?;
        let at = Some(at.as_micros());
        let work = Work::Frame { draft, at, origin: None, forget: Vec::new() };
        shared.queue.push(work)?.wait_for_ever()
    }

    fn scan(
        &self,
        topic: &str,
        partition: u32,
        from: Next,
        until: Next,
        visit: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<Next, Error> {
        let shared = self.shared();
        let lane = shared.catalogue.find(topic, partition)?;
        let first = shared.published().lane(lane).first;
        let mut cursor = [Cursor::new(partition, lane, from.max(Next(first)))];
        let config = &shared.config;
        let budget = Budget { messages: config.poll_messages_max, bytes: config.poll_bytes_max };
        while cursor[0].next < until.0 {
            let taken = shared.gather(&mut cursor, 0, budget)?;
            if taken.is_empty() || !show_until(&mut cursor[0], &taken, until.0, visit) {
                break;
            }
        }
        Ok(Next(cursor[0].next))
    }

    fn bounds(&self, topic: &str, partition: u32) -> Result<Bounds, Error> {
        let shared = self.shared();
        let lane = shared.catalogue.find(topic, partition)?;
        let published = shared.published();
        let shown = published.lane(lane);
        let end = Next(shown.next);
        Ok(Bounds { first: Next(shown.first), stable: end, end })
    }

    fn committed(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Next>, Error> {
        let shared = self.shared();
        shared.catalogue.find(topic, partition)?;
        let key = GroupKey { name: group.to_owned(), topic: shared.catalogue.number(topic)? };
        shared.queue.settle();
        Ok(shared.published().position(&key, partition))
    }

    fn truncate(&self, topic: &str, partition: u32, before: Next) -> Result<(), Error> {
        let shared = self.shared();
        let lane = shared.catalogue.find(topic, partition)?;
        let (first, next) = {
            let published = shared.published();
            (published.lane(lane).first, published.lane(lane).next)
        };
        let before = before.0.min(next);
        if before <= first { Ok(()) } else { keeper::forget(shared, vec![(lane, before)]) }
    }

    fn partitions(&self, topic: &str) -> Result<u32, Error> {
        let catalogue = &self.shared().catalogue;
        Ok(catalogue.number(topic).map_or(0, |number| catalogue.partitions_of(number)))
    }

    fn commits_pay_after(&self) -> Duration {
        Duration::from_millis(2)
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod failure_tests;
