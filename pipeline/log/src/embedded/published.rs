//! What readers see: everything that is committed and durable, and nothing else.
//!
//! The writer publishes whole groups of commits under one lock, so that no reader meets half of a
//! commit. The most recent runs stay in memory, in the bytes in which they were written; older ones
//! are found in the segments. No reading from the disk and no waiting happens under the lock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::catalogue::Lane;
use super::segment::{Budget, Run, Segment};
use crate::Next;

/// What a run in memory takes beside its bytes.
const RUN_OVERHEAD_BYTES: usize = 128;

/// Wakes one waiting thread, be it that messages came or that its group changed. A ring before the
/// thread waits is not lost.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    wake: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if !*rung {
            *rung = true;
            self.wake.notify_all();
        }
    }

    /// Forgets earlier rings: what they announced is about to be looked at.
    pub(super) fn hush(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    pub(super) fn wait_until(&self, deadline: Instant) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        // Who waits looks again whatever woke it, so it does not matter what did.
        drop(self.wake.wait_timeout_while(rung, left, |rung| !*rung));
    }
}

/// One partition, as readers see it.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The oldest message that is kept.
    pub(super) first: i64,
    /// One past the last message.
    pub(super) next: i64,
    recent: VecDeque<Run>,
    bells: Vec<Arc<Bell>>,
}

impl Shown {
    /// The recent runs from offset `from` on, as many as the budget allows; none if the message at
    /// `from` is not in memory.
    pub(super) fn recent(&self, from: i64, mut budget: Budget) -> Vec<Run> {
        let after = self.recent.partition_point(|run| run.first <= from);
        let mut runs = Vec::new();
        for run in self.recent.iter().skip(after.saturating_sub(1)) {
            if budget.is_spent() || (runs.is_empty() && run.first > from) {
                break;
            }
            budget.spend(run.count as usize, run.length as usize);
            runs.push(run.clone());
        }
        runs
    }
}

/// A group's name and the number of the topic it reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GroupKey {
    pub(super) name: String,
    pub(super) topic: u16,
}

#[derive(Debug)]
pub(super) struct Published {
    lanes: Vec<Shown>,
    /// Oldest first; the last one is being written.
    segments: Arc<Vec<Arc<Segment>>>,
    positions: HashMap<GroupKey, BTreeMap<u32, Next>>,
    /// The recent runs of all lanes in the order in which they came, with the bytes of each.
    order: VecDeque<(Lane, usize)>,
    tail_bytes: usize,
}

impl Published {
    pub(super) fn new(lanes: u32) -> Published {
        Published {
            lanes: (0..lanes).map(|_| Shown::default()).collect(),
            segments: Arc::default(),
            positions: HashMap::new(),
            order: VecDeque::new(),
            tail_bytes: 0,
        }
    }

    pub(super) fn lane(&self, lane: Lane) -> &Shown {
        &self.lanes[lane.index()]
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = (Lane, &Shown)> {
        (0..).map(Lane).zip(&self.lanes)
    }

    pub(super) fn tail_bytes(&self) -> usize {
        self.tail_bytes
    }

    /// Shows a run that was written.
    pub(super) fn push(&mut self, lane: Lane, run: Run) {
        let shown = &mut self.lanes[lane.index()];
        let bytes = run.length as usize + RUN_OVERHEAD_BYTES;
        shown.next = run.next();
        shown.recent.push_back(run);
        self.order.push_back((lane, bytes));
        self.tail_bytes += bytes;
    }

    /// Takes up a run that was found on the disk.
    pub(super) fn recover(&mut self, lane: Lane, next: i64) {
        self.lanes[lane.index()].next = next;
    }

    pub(super) fn set_ends(&mut self, lane: Lane, first: i64, next: i64) {
        let shown = &mut self.lanes[lane.index()];
        (shown.first, shown.next) = (first, next);
    }

    /// Forgets messages before `first`. What was forgotten stays so.
    pub(super) fn forget(&mut self, lane: Lane, first: i64) {
        let shown = &mut self.lanes[lane.index()];
        shown.first = shown.first.max(first.min(shown.next));
    }

    /// Lets go of the oldest runs in memory beyond so many bytes. They are returned so that their
    /// memory is freed after the lock.
    pub(super) fn evict(&mut self, tail_bytes_max: usize) -> Vec<Run> {
        let mut evicted = Vec::new();
        while self.tail_bytes > tail_bytes_max
            && let Some((lane, bytes)) = self.order.pop_front()
        {
            self.tail_bytes = self.tail_bytes.saturating_sub(bytes);
            evicted.extend(self.lanes[lane.index()].recent.pop_front());
        }
        evicted
    }

    pub(super) fn position(&self, key: &GroupKey, partition: u32) -> Option<Next> {
        self.positions.get(key).and_then(|own| own.get(&partition)).copied()
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = (&GroupKey, &BTreeMap<u32, Next>)> {
        self.positions.iter()
    }

    pub(super) fn set_position(&mut self, key: &GroupKey, partition: u32, next: Next) {
        match self.positions.get_mut(key) {
            Some(own) => own.insert(partition, next),
            None => self.positions.entry(key.clone()).or_default().insert(partition, next),
        };
    }

    pub(super) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        self.segments.clone()
    }

    pub(super) fn set_segments(&mut self, segments: Vec<Arc<Segment>>) {
        self.segments = Arc::new(segments);
    }

    pub(super) fn push_segment(&mut self, segment: Arc<Segment>) {
        Arc::make_mut(&mut self.segments).push(segment);
    }

    /// From now on `bell` rings when messages of `lane` come.
    pub(super) fn listen(&mut self, lane: Lane, bell: &Arc<Bell>) {
        self.deafen(lane, bell);
        self.lanes[lane.index()].bells.push(bell.clone());
    }

    pub(super) fn deafen(&mut self, lane: Lane, bell: &Arc<Bell>) {
        self.lanes[lane.index()].bells.retain(|known| !Arc::ptr_eq(known, bell));
    }

    /// Adds the bells of a lane's listeners to those that are to be rung.
    pub(super) fn collect_bells(&self, lane: Lane, bells: &mut Vec<Arc<Bell>>) {
        for bell in &self.lanes[lane.index()].bells {
            if !bells.iter().any(|known| Arc::ptr_eq(known, bell)) {
                bells.push(bell.clone());
            }
        }
    }
}
