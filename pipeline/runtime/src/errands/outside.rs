//! Where tries take place: on a thread beside, a bounded number at a time, for all partitions of a
//! worker; or, for rehearsals, at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use drawdown_domain::time::Timestamp;
use drawdown_log::{Point, reach};
use metrics::{counter, gauge};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};

use super::circuit::Circuit;
use super::{Attempt, Errand, Tried};

/// How the outside is dealt with.
#[derive(Clone, Debug)]
pub struct OutsideOptions {
    /// Who deals with it, in logs and metrics.
    pub consumer: &'static str,
    /// A try that has not come to an end by then is given up, and what came of it is not known.
    pub deadline: Duration,
    /// So many tries are under way at a time at most, over all partitions.
    pub in_flight_max: usize,
    /// With so many open wishes a partition takes no more.
    pub open_per_partition_max: usize,
}

/// The outside as the stations of one worker share it.
pub struct Outside<E: Errand> {
    errand: Arc<E>,
    options: OutsideOptions,
    /// None: tries take place at once, where they are asked for.
    beside: Option<Beside>,
    circuit: Mutex<Circuit>,
    lanes: Mutex<BTreeMap<u32, SharedLane<E::Answer>>>,
}

/// The thread beside. It ends with the last who could ask it for something.
struct Beside {
    runtime: Handle,
    in_flight: Arc<Semaphore>,
    _ends: oneshot::Sender<()>,
}

impl<E: Errand> fmt::Debug for Outside<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outside({})", self.options.consumer)
    }
}

impl<E: Errand> Outside<E> {
    /// Tries take place on a thread beside.
    pub fn new(errand: E, options: OutsideOptions) -> std::io::Result<Arc<Outside<E>>> {
        let (ends, ended) = oneshot::channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let name = format!("{}-outside", options.consumer);
        std::thread::Builder::new().name(name).spawn(move || {
            // An error says that the other end is gone, and that is all it waits for.
            drop(runtime.block_on(ended));
            // A call that hangs is not waited for: its outcome counts as unknown.
            runtime.shutdown_background();
        })?;
        let consumer = options.consumer;
        gauge!("drawdown_outside_away", "consumer" => consumer).set(0.0);
        for outcome in ["done", "again", "away"] {
            let labels = [("consumer", consumer), ("outcome", outcome)];
            counter!("drawdown_outside_tries_total", &labels).increment(0);
        }
        let in_flight = Arc::new(Semaphore::new(options.in_flight_max.max(1)));
        let beside = Beside { runtime: handle, in_flight, _ends: ends };
        Ok(Outside::made(errand, options, Some(beside)))
    }

    /// Tries take place where they are asked for, and must come to an end at once: for rehearsals, whose
    /// outside is made up.
    pub fn at_once(errand: E, consumer: &'static str) -> Arc<Outside<E>> {
        let options = OutsideOptions {
            consumer,
            deadline: Duration::ZERO,
            in_flight_max: 1,
            open_per_partition_max: usize::MAX,
        };
        Outside::made(errand, options, None)
    }

    fn made(errand: E, options: OutsideOptions, beside: Option<Beside>) -> Arc<Outside<E>> {
        Arc::new(Outside {
            errand: Arc::new(errand),
            options,
            beside,
            circuit: Mutex::default(),
            lanes: Mutex::default(),
        })
    }

    pub(super) fn errand(&self) -> &E {
        &self.errand
    }

    pub(super) fn options(&self) -> &OutsideOptions {
        &self.options
    }

    /// The lane of a partition, for a new owner: what is waiting there for a former one is not begun any
    /// more, what is under way or has ended is the new one's.
    pub(super) fn lane(&self, partition: u32) -> Owner<E::Answer> {
        let mut lanes = locked(&self.lanes);
        let lane = lanes.entry(partition).or_insert_with(|| Arc::new(Mutex::new(Lane::default())));
        let mut state = locked(lane);
        state.change_owner();
        Owner { number: state.owner, lane: lane.clone() }
    }

    /// Whether a try may begin.
    pub(super) fn lets(&self, now: Timestamp) -> bool {
        self.beside.is_none() || locked(&self.circuit).lets(self.options.consumer, now)
    }

    /// Begins a try, or comes to its end at once.
    pub(super) fn begin(&self, owner: &Owner<E::Answer>, attempt: Attempt<E::Wish>) {
        // What a former owner began is not begun again: what comes of it comes to this one.
        if !locked(&owner.lane).wait(&attempt.key) {
            return;
        }
        let (errand, lane, number) = (self.errand.clone(), owner.lane.clone(), owner.number);
        let Some(beside) = &self.beside else {
            let Some(mut under_way) = UnderWay::begun(lane, number, &attempt) else { return };
            let trying = pin!(errand.perform(&attempt));
            under_way.tried = Some(match trying.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(tried) => tried,
                Poll::Pending => again("it does not answer at once"),
            });
            return;
        };
        let (in_flight, deadline) = (beside.in_flight.clone(), self.options.deadline);
        beside.runtime.spawn(async move {
            let Ok(_permit) = in_flight.acquire().await else { return };
            let Some(mut under_way) = UnderWay::begun(lane, number, &attempt) else { return };
            reach(Point::Performing);
            let tried = tokio::time::timeout(deadline, errand.perform(&attempt)).await;
            reach(Point::Performed);
            let why = || format!("there was no answer within {} s", deadline.as_secs_f32());
            under_way.tried = Some(tried.unwrap_or_else(|_| Tried::Away { why: why() }));
        });
    }

    /// Takes note of what came of a try.
    pub(super) fn note(&self, key: &str, number: u32, tried: &Tried<E::Answer>, now: Timestamp) {
        if self.beside.is_none() {
            return;
        }
        let consumer = self.options.consumer;
        let (outcome, why) = match tried {
            Tried::Done(_) => ("done", None),
            Tried::Again { why, .. } => ("again", Some(why)),
            Tried::Away { why } => ("away", Some(why)),
        };
        counter!("drawdown_outside_tries_total", "consumer" => consumer, "outcome" => outcome)
            .increment(1);
        if let Some(why) = why {
            tracing::warn!(consumer, key, number, error = why, "a try came to nothing yet");
        }
        let mut circuit = locked(&self.circuit);
        if matches!(tried, Tried::Away { .. }) {
            if circuit.found_nobody(consumer, now) {
                gauge!("drawdown_outside_away", "consumer" => consumer).set(1.0);
                tracing::error!(consumer, "the outside is away; it is tried now and then");
            }
        } else if circuit.found_somebody() {
            gauge!("drawdown_outside_away", "consumer" => consumer).set(0.0);
            tracing::info!(consumer, "the outside is back");
        }
    }
}

fn again<A>(why: &str) -> Tried<A> {
    Tried::Again { why: why.to_owned(), after: None }
}

/// Nothing here panics while it holds a lock, and if it did, what it left behind is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tries of one partition. It outlives its owners: one that is restored after a lost commit gets
/// what the former one had asked for, and asks for nothing twice.
#[derive(Debug)]
struct Lane<A> {
    owner: u64,
    /// Not begun yet. Forgotten when the owner changes.
    waiting: BTreeSet<String>,
    under_way: BTreeSet<String>,
    /// What came of tries, until that is committed.
    ended: BTreeMap<String, EndedTry<A>>,
}

type SharedLane<A> = Arc<Mutex<Lane<A>>>;

impl<A> Default for Lane<A> {
    fn default() -> Lane<A> {
        let (waiting, under_way) = (BTreeSet::new(), BTreeSet::new());
        Lane { owner: 0, waiting, under_way, ended: BTreeMap::new() }
    }
}

impl<A> Lane<A> {
    /// A try is to begin; false if one has begun already, or what came of it is not committed.
    fn wait(&mut self, key: &str) -> bool {
        !self.under_way.contains(key)
            && !self.ended.contains_key(key)
            && self.waiting.insert(key.to_owned())
    }

    fn change_owner(&mut self) {
        self.owner = self.owner.saturating_add(1);
        self.waiting.clear();
        self.ended.values_mut().for_each(|ended| ended.taken = false);
    }
}

#[derive(Clone, Debug)]
struct EndedTry<A> {
    number: u32,
    tried: Tried<A>,
    taken: bool,
}

/// A station's hold on the lane of its partition.
#[derive(Debug)]
pub(super) struct Owner<A> {
    number: u64,
    lane: SharedLane<A>,
}

impl<A: Clone> Owner<A> {
    /// What came of tries since it was last asked: the key, which try it was, and what came of it.
    pub(super) fn ended(&self) -> Vec<(String, u32, Tried<A>)> {
        let mut lane = locked(&self.lane);
        let new = lane.ended.iter_mut().filter(|(_, ended)| !ended.taken);
        let took = new.map(|(key, ended)| {
            ended.taken = true;
            (key.clone(), ended.number, ended.tried.clone())
        });
        took.collect()
    }

    /// What came of this wish is committed, or concerns nobody.
    pub(super) fn forget(&self, key: &str) {
        locked(&self.lane).ended.remove(key);
    }

    /// How many tries are under way.
    pub(super) fn under_way(&self) -> usize {
        locked(&self.lane).under_way.len()
    }

    /// How many tries wait to be begun, are under way, or have ended and are not taken yet. These count
    /// so that nobody goes on without having heard that the outside is away.
    pub(super) fn in_hand(&self) -> usize {
        let lane = locked(&self.lane);
        let ended = lane.ended.values().filter(|ended| !ended.taken).count();
        lane.waiting.len().saturating_add(lane.under_way.len()).saturating_add(ended)
    }
}

impl<A> Owner<A> {
    /// Nothing that is still waiting is begun any more.
    pub(super) fn leave(&self) {
        let mut lane = locked(&self.lane);
        if lane.owner == self.number {
            lane.change_owner();
        }
    }
}

impl<A> Drop for Owner<A> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A try that is under way: however it ends, its end is in the lane.
struct UnderWay<A> {
    lane: SharedLane<A>,
    key: String,
    number: u32,
    tried: Option<Tried<A>>,
}

impl<A> UnderWay<A> {
    /// None if whoever asked for it is gone.
    fn begun<W>(lane: SharedLane<A>, owner: u64, attempt: &Attempt<W>) -> Option<UnderWay<A>> {
        let key = attempt.key.clone();
        {
            let mut lane = locked(&lane);
            if lane.owner != owner || !lane.waiting.remove(&key) {
                return None;
            }
            lane.under_way.insert(key.clone());
        }
        Some(UnderWay { lane, key, number: attempt.number, tried: None })
    }
}

impl<A> Drop for UnderWay<A> {
    fn drop(&mut self) {
        let (key, number) = (std::mem::take(&mut self.key), self.number);
        let tried = self.tried.take().unwrap_or_else(|| again("the try was cut off"));
        let mut lane = locked(&self.lane);
        lane.under_way.remove(&key);
        lane.ended.insert(key, EndedTry { number, tried, taken: false });
    }
}
