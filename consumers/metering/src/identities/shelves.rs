//! What the partitions of a process share: the directory, the capacity, and one thread that writes and
//! merges runs.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use metrics::gauge;

use super::Trouble;
use super::directory::create;
use super::entry::Position;
use super::layout::Owner;
use super::memory::Table;
use super::shelf::Shelf;

/// How much is remembered, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityOptions {
    /// A directory that no other process uses; without one everything stays in memory.
    pub directory: Option<PathBuf>,
    /// So many may be remembered by all partitions of the process together.
    pub identities_max: u64,
    /// A table in memory of so many becomes a run.
    pub table_max: usize,
}

impl Default for IdentityOptions {
    fn default() -> IdentityOptions {
        IdentityOptions { directory: None, identities_max: IDENTITIES_MAX, table_max: TABLE_MAX }
    }
}

/// What 24 GiB hold easily: 0.8 GB of filters, and 14 GB on disk.
const IDENTITIES_MAX: u64 = 400_000_000;
/// 13 MB a partition.
const TABLE_MAX: usize = 256 * 1024;
/// More than these would be memory that is seldom used.
const SPARE_MAX: usize = 4;
/// More jobs than partitions usually have at a time.
const JOBS_MAX: usize = 64;

type Job = Box<dyn FnOnce(&AtomicBool) + Send>;

/// The shelves of a process.
pub struct Shelves {
    options: IdentityOptions,
    key_check: u64,
    /// Held while the directory is used.
    lock: Mutex<Option<File>>,
    shelves: Mutex<BTreeMap<u32, Arc<Shelf>>>,
    remembered: Arc<AtomicU64>,
    /// It was said that little room is left.
    is_alarmed: AtomicBool,
    upkeep: Mutex<Option<Upkeep>>,
    /// Tables that have become runs.
    spare: Mutex<Vec<Table>>,
}

impl fmt::Debug for Shelves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelves({:?})", self.options)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelves {
    /// `key` is the one that identities are hashed with: files of another one are refused.
    pub fn new(options: IdentityOptions, key: &[u8; 16]) -> Shelves {
        let mut hasher = siphasher::sip::SipHasher24::new_with_key(key);
        std::hash::Hasher::write(&mut hasher, b"runs of remembered identities");
        Shelves {
            options,
            key_check: std::hash::Hasher::finish(&hasher),
            lock: Mutex::default(),
            shelves: Mutex::default(),
            remembered: Arc::default(),
            is_alarmed: AtomicBool::new(false),
            upkeep: Mutex::default(),
            spare: Mutex::default(),
        }
    }

    /// A table with room for as many as one holds, from which the chain goes on at `from`. Memory that was
    /// used before costs less than half of what new memory does.
    pub(super) fn empty_table(&self, from: Position) -> Table {
        let spare = locked(&self.spare).pop();
        match spare {
            Some(table) => table.emptied(from),
            None => Table::with_room_for(self.options.table_max, from),
        }
    }

    /// A table that nobody needs any more.
    pub(super) fn take_back(&self, table: Arc<Table>) {
        let mut spare = locked(&self.spare);
        if spare.len() < SPARE_MAX && table.len() <= self.options.table_max.saturating_mul(2) {
            spare.extend(Arc::into_inner(table));
        }
    }

    pub fn options(&self) -> &IdentityOptions {
        &self.options
    }

    /// How many all partitions of the process remember.
    pub fn remembered(&self) -> u64 {
        self.remembered.load(Ordering::Relaxed)
    }

    /// Says once that little room is left, and again when that happens again.
    pub(super) fn look_at_room(&self) {
        let (remembered, most) = (self.remembered(), self.options.identities_max);
        gauge!("drawdown_identities_remembered").set(remembered as f64);
        gauge!("drawdown_identities_max").set(most as f64);
        let is_alarming = remembered.saturating_mul(5) >= most.saturating_mul(4);
        let was_alarmed = self.is_alarmed.swap(is_alarming, Ordering::Relaxed);
        if is_alarming && !was_alarmed {
            tracing::warn!(
                remembered,
                identities_max = most,
                "metering remembers four fifths of what it may; at the full number it stops taking usage: raise metering.identities_max"
            );
        }
    }

    pub(super) fn share(&self) -> Share {
        Share { of: self.remembered.clone(), own: 0 }
    }

    pub(super) fn shelf(&self, partition: u32) -> Arc<Shelf> {
        let mut shelves = locked(&self.shelves);
        let make = || {
            let owner = Owner { partition, key_check: self.key_check };
            Arc::new(Shelf::new(owner, self.directory_of(partition)))
        };
        shelves.entry(partition).or_insert_with(make).clone()
    }

    /// A partition's directory. If there is none to be had everything stays in memory: that takes more
    /// of it and is slower to start, and is as exact.
    fn directory_of(&self, partition: u32) -> Option<PathBuf> {
        let directory = self.options.directory.as_ref()?;
        let own = directory.join(partition.to_string());
        let held = self.hold(directory).and_then(|is_held| create(&own).map(|()| is_held));
        match held {
            Ok(true) => Some(own),
            Ok(false) => {
                tracing::warn!(partition, directory = %directory.display(), "another process uses the directory; identities stay in memory");
                None
            }
            Err(why) => {
                tracing::warn!(partition, %why, "identities stay in memory");
                None
            }
        }
    }

    /// Whether the directory is this process's own. Another one that has it may be a former self that
    /// hangs.
    fn hold(&self, directory: &Path) -> Result<bool, Trouble> {
        let mut lock = locked(&self.lock);
        if lock.is_some() {
            return Ok(true);
        }
        create(directory)?;
        let path = directory.join("lock");
        let failed = |why: &dyn fmt::Display| {
            Trouble::Failed(format!("cannot lock {}: {why}", path.display()))
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(|why| failed(&why))?;
        match file.try_lock() {
            Ok(()) => *lock = Some(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(why)) => return Err(failed(&why)),
        }
        Ok(lock.is_some())
    }

    /// Hands a job to the thread; false if it has too many, or cannot be started.
    pub(super) fn submit(&self, job: Job) -> bool {
        let mut upkeep = locked(&self.upkeep);
        if upkeep.is_none() {
            *upkeep = Upkeep::start();
        }
        upkeep.as_ref().is_some_and(|upkeep| upkeep.submit(job))
    }
}

/// Before the directory is let go the thread has ended: nobody writes to it any more.
impl Drop for Shelves {
    fn drop(&mut self) {
        drop(locked(&self.upkeep).take());
        if let Some(lock) = locked(&self.lock).take() {
            // A process that is just being started by another thread may have the file open too.
            lock.unlock().ok();
        }
    }
}

/// One partition's part of what is remembered; given back when the partition goes.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<AtomicU64>,
    own: u64,
}

impl Share {
    pub(super) fn set(&mut self, count: u64) {
        // Wraps around, and so adds and takes away alike.
        self.of.fetch_add(count.wrapping_sub(self.own), Ordering::Relaxed);
        self.own = count;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// The thread that writes and merges runs.
struct Upkeep {
    jobs: Option<SyncSender<Job>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    fn start() -> Option<Upkeep> {
        let (jobs, to_do) = sync_channel(JOBS_MAX);
        let ending = Arc::new(AtomicBool::new(false));
        let seen = ending.clone();
        let thread = std::thread::Builder::new()
            .name("identities".to_owned())
            .spawn(move || work(&to_do, &seen))
            .inspect_err(|why| tracing::warn!(%why, "no thread to write runs of identities"))
            .ok()?;
        Some(Upkeep { jobs: Some(jobs), ending, thread: Some(thread) })
    }

    fn submit(&self, job: Job) -> bool {
        match self.jobs.as_ref().map(|jobs| jobs.try_send(job)) {
            Some(Ok(())) => true,
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => false,
        }
    }
}

fn work(jobs: &Receiver<Job>, ending: &AtomicBool) {
    while let Ok(job) = jobs.recv() {
        if !ending.load(Ordering::Relaxed) {
            job(ending);
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported there; what it held is built anew from the topic.
            thread.join().ok();
        }
    }
}
