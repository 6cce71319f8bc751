//! What a worker tells of itself: one struct for each event, which makes both the log line and the
//! metric. Told for each step or rarer, never for each record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram};

/// A worker is there. What it counts begins at nothing, so that the first time counts as a change, too.
pub(crate) fn begins(consumer: &Arc<str>) {
    let labels = || [("consumer", consumer.clone())];
    counter!("drawdown_steps_total", &labels()).increment(0);
    counter!("drawdown_messages_read_total", &labels()).increment(0);
    counter!("drawdown_messages_written_total", &labels()).increment(0);
    counter!("drawdown_bytes_written_total", &labels()).increment(0);
    counter!("drawdown_steps_lost_total", &labels()).increment(0);
    counter!("drawdown_log_away_total", &labels()).increment(0);
    counter!("drawdown_restores_total", &labels()).increment(0);
    owns(consumer, 0);
}

/// A step is committed.
#[derive(Debug)]
pub(crate) struct StepCommitted<'a> {
    pub(crate) consumer: &'a Arc<str>,
    pub(crate) messages: u64,
    pub(crate) appends: usize,
    pub(crate) bytes: usize,
    pub(crate) took: Duration,
}

impl StepCommitted<'_> {
    pub(crate) fn tell(&self) {
        let consumer = || ("consumer", self.consumer.clone());
        counter!("drawdown_steps_total", &[consumer()]).increment(1);
        counter!("drawdown_messages_read_total", &[consumer()]).increment(self.messages);
        counter!("drawdown_messages_written_total", &[consumer()]).increment(self.appends as u64);
        counter!("drawdown_bytes_written_total", &[consumer()]).increment(self.bytes as u64);
        histogram!("drawdown_commit_seconds", &[consumer()]).record(self.took);
        tracing::trace!(consumer = %self.consumer, messages = self.messages, appends = self.appends,
            bytes = self.bytes, took = ?self.took, "a step is committed");
    }
}

/// A step is lost: what it read will be read again.
#[derive(Debug)]
pub(crate) struct StepLost<'a> {
    pub(crate) consumer: &'a Arc<str>,
    pub(crate) why: &'a str,
}

impl StepLost<'_> {
    pub(crate) fn tell(&self) {
        counter!("drawdown_steps_lost_total", "consumer" => self.consumer.clone()).increment(1);
        tracing::warn!(consumer = %self.consumer, error = self.why,
            "the commit's outcome is unknown; restoring");
    }
}

/// The log cannot be reached or does not answer.
#[derive(Debug)]
pub(crate) struct LogAway<'a> {
    pub(crate) consumer: &'a Arc<str>,
    pub(crate) why: &'a str,
}

impl LogAway<'_> {
    pub(crate) fn tell(&self) {
        counter!("drawdown_log_away_total", "consumer" => self.consumer.clone()).increment(1);
        tracing::warn!(consumer = %self.consumer, error = self.why,
            "the log is not to be had; trying again");
    }
}

/// A partition's state is there again.
#[derive(Debug)]
pub(crate) struct Restored<'a> {
    pub(crate) consumer: &'a Arc<str>,
    pub(crate) partition: u32,
    pub(crate) next: i64,
    /// Read from its state topic; its newest snapshot, and what has changed since that began.
    pub(crate) bytes: u64,
    pub(crate) snapshot: u64,
    pub(crate) changes: u64,
    /// Until its position was known, then until its state was read, then until the rest was there.
    pub(crate) position: Duration,
    pub(crate) state: Duration,
    pub(crate) rest: Duration,
}

impl Restored<'_> {
    pub(crate) fn tell(&self) {
        let consumer = || ("consumer", self.consumer.clone());
        counter!("drawdown_restores_total", &[consumer()]).increment(1);
        for (part, took) in
            [("position", self.position), ("state", self.state), ("rest", self.rest)]
        {
            histogram!("drawdown_restore_seconds", &[consumer(), ("part", part.into())])
                .record(took);
        }
        tracing::debug!(consumer = %self.consumer, partition = self.partition, next = self.next,
            bytes = self.bytes, snapshot = self.snapshot, changes = self.changes,
            position = ?self.position, state = ?self.state, rest = ?self.rest, "restored");
    }
}

/// How much of its input a worker owns.
pub(crate) fn owns(consumer: &Arc<str>, partitions: usize) {
    gauge!("drawdown_partitions_owned", "consumer" => consumer.clone()).set(partitions as f64);
}

/// Shows from outside whether a worker gets on.
#[derive(Clone, Debug)]
pub struct Progress {
    began: Instant,
    /// Milliseconds since then at which it last got on.
    got_on: Arc<AtomicU64>,
    /// The same for a turn that ended at all, be it in vain.
    turned: Arc<AtomicU64>,
    /// Why it does not get on, if it knows.
    why: Arc<Mutex<Option<String>>>,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress {
            began: Instant::now(),
            got_on: Arc::default(),
            turned: Arc::default(),
            why: Arc::default(),
        }
    }
}

impl Progress {
    /// The worker gets on.
    pub fn note(&self) {
        self.turned();
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.got_on.store(self.turned.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The worker tries, and is not stuck in a call.
    pub fn turned(&self) {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.turned.store(passed, Ordering::Relaxed);
    }

    /// The worker tries in vain.
    pub fn stands(&self, why: &str) {
        self.turned();
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    /// Why it does not get on, if it knows.
    pub fn why(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn since(&self, at: &AtomicU64) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(at.load(Ordering::Relaxed)))
    }

    /// How long the worker has stood still, whatever it tried.
    pub fn still_for(&self) -> Duration {
        self.since(&self.got_on)
    }

    /// How long the worker has been in one and the same call.
    pub fn stuck_for(&self) -> Duration {
        self.since(&self.turned)
    }
}
