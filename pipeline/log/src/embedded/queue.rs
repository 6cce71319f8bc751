//! The bounded queue between the threads that hand in commits and the one that writes.
//!
//! A full queue blocks who hands in: that is the back-pressure. What was handed in is decided in its
//! order, and always answered, even if the writer dies.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::catalogue::Lane;
use super::groups::Group;
use super::layout::Draft;
use super::published::GroupKey;
use crate::{Error, Next};

/// The answer to a request, once there is one.
#[derive(Debug, Default)]
struct Slot {
    answer: Mutex<Option<Result<Next, Error>>>,
    given: Condvar,
}

/// The writer's side of an answer.
#[derive(Debug)]
pub(super) struct Reply {
    slot: Option<Arc<Slot>>,
}

/// The asker's side of an answer.
#[derive(Debug)]
pub(super) struct Pending {
    slot: Arc<Slot>,
}

impl Reply {
    pub(super) fn pair() -> (Reply, Pending) {
        let slot = Arc::new(Slot::default());
        (Reply { slot: Some(slot.clone()) }, Pending { slot })
    }

    pub(super) fn answer(mut self, answer: Result<Next, Error>) {
        self.give(answer);
    }

    fn give(&mut self, answer: Result<Next, Error>) {
        if let Some(slot) = self.slot.take() {
            *slot.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            slot.given.notify_all();
        }
    }
}

/// A request that is dropped undecided is answered too, so that nobody waits for ever.
impl Drop for Reply {
    fn drop(&mut self) {
        self.give(Err(Error::Fatal("the log's writer ended before it decided".to_owned())));
    }
}

impl Pending {
    /// The answer, if it comes within `wait`. It can be taken once.
    pub(super) fn wait(&self, wait: Duration) -> Option<Result<Next, Error>> {
        let slot = self.slot.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.slot.given.wait_timeout_while(slot, wait, |answer| answer.is_none());
        let (mut slot, _) = waited.unwrap_or_else(PoisonError::into_inner);
        slot.take()
    }

    pub(super) fn wait_for_ever(&self) -> Result<Next, Error> {
        let slot = self.slot.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.slot.given.wait_while(slot, |answer| answer.is_none());
        let mut slot = waited.unwrap_or_else(PoisonError::into_inner);
        slot.take().unwrap_or_else(|| Err(Error::Fatal("there was no answer".to_owned())))
    }
}

/// Whose commit it is, and how far it says that member has read.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) group: Arc<Group>,
    pub(super) epoch: u64,
    pub(super) read: BTreeMap<u32, Next>,
}

impl Origin {
    pub(super) fn key(&self) -> &GroupKey {
        self.group.key()
    }
}

#[derive(Debug)]
pub(super) enum Work {
    /// A frame for the journal.
    Frame {
        draft: Draft,
        /// When the messages came; none if the writer is to say.
        at: Option<i64>,
        /// Whose commit it is; none for appends from outside any group.
        origin: Option<Origin>,
        /// Partitions that are to forget what lies before an offset.
        forget: Vec<(Lane, i64)>,
    },
    /// Begin a new segment.
    Roll,
    /// Write to another file from now on, to see what its errors do.
    #[cfg(test)]
    Swap(std::fs::File),
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) work: Work,
    pub(super) reply: Reply,
}

impl Request {
    fn bytes(&self) -> usize {
        match &self.work {
            Work::Frame { draft, .. } => draft.bytes.len(),
            _ => 0,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Request>,
    waiting_bytes: usize,
    /// How many requests were handed in, and how many of them are decided, in the same order.
    handed_in: u64,
    decided: u64,
    is_closed: bool,
    writer_sleeps: bool,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    drained: Condvar,
    settled: Condvar,
    bytes_max: usize,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Queue {
        Queue {
            state: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            settled: Condvar::new(),
            bytes_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands in a request, waiting while the queue is full. An empty queue takes any request.
    pub(super) fn push(&self, work: Work) -> Result<Pending, Error> {
        let (reply, pending) = Reply::pair();
        let request = Request { work, reply };
        let bytes = request.bytes();
        let full = |state: &mut State| {
            !state.is_closed
                && !state.waiting.is_empty()
                && state.waiting_bytes.saturating_add(bytes) > self.bytes_max
        };
        let waited = self.drained.wait_while(self.lock(), full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return Err(Error::Fatal("the log is closed".to_owned()));
        }
        state.waiting_bytes += bytes;
        state.handed_in += 1;
        state.waiting.push_back(request);
        if state.writer_sleeps {
            self.filled.notify_one();
        }
        Ok(pending)
    }

    /// All that waits, up to so many bytes; what is no frame comes alone. Waits until there is
    /// something; none once the queue is closed and empty.
    pub(super) fn take(&self, bytes_max: usize) -> Option<Vec<Request>> {
        let mut state = self.lock();
        state.writer_sleeps = true;
        let waited =
            self.filled.wait_while(state, |state| state.waiting.is_empty() && !state.is_closed);
        state = waited.unwrap_or_else(PoisonError::into_inner);
        state.writer_sleeps = false;
        let (mut taken, mut bytes) = (Vec::new(), 0_usize);
        while let Some(request) = state.waiting.front() {
            let is_frame = matches!(request.work, Work::Frame { .. });
            bytes = bytes.saturating_add(request.bytes());
            if !taken.is_empty() && (!is_frame || bytes > bytes_max) {
                break;
            }
            taken.extend(state.waiting.pop_front());
            if !is_frame {
                break;
            }
        }
        let taken_bytes: usize = taken.iter().map(Request::bytes).sum();
        state.waiting_bytes = state.waiting_bytes.saturating_sub(taken_bytes);
        drop(state);
        self.drained.notify_all();
        (!taken.is_empty()).then_some(taken)
    }

    /// So many more of the requests that were taken are decided.
    pub(super) fn decide(&self, count: usize) {
        let mut state = self.lock();
        state.decided = state.decided.saturating_add(count as u64);
        drop(state);
        self.settled.notify_all();
    }

    /// Waits until all that was handed in before is decided.
    pub(super) fn settle(&self) {
        let state = self.lock();
        let target = state.handed_in;
        let waited = self.settled.wait_while(state, |state| state.decided < target);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes nothing more. What waits is still written.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// The writer is gone: nothing that waits will be decided any more.
    pub(super) fn abandon(&self) {
        self.close();
        let mut state = self.lock();
        state.decided = u64::MAX;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.settled.notify_all();
        drop(waiting);
    }

    /// How many requests wait, and how many bytes they are.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        (state.waiting.len(), state.waiting_bytes)
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
