//! Partitions that come: their stations as the last commit left them.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use drawdown_log::{Log, Membership, Next, Point, reach};

use super::snapshot::Snapshot;
use super::{Owned, Worker, WorkerOptions};
use crate::clock::Clock;
use crate::generations::newest_snapshot;
use crate::memory::give_back;
use crate::replay::Replay;
use crate::restore::read_to_end;
use crate::telemetry::{Restored, owns};
use crate::{Output, Progress, Station, Stop};

/// So many partitions are restored at a time at most: each reads ahead.
const SIDE_BY_SIDE_MAX: usize = 8;
/// So many are restored for each processor: one waits for the log while another is put together.
const FOR_EACH_PROCESSOR: usize = 2;

impl<S: Station> Worker<S> {
    pub(super) fn restore(&mut self, partitions: &[u32]) -> Result<(), Stop> {
        reach(Point::Restoring);
        let took = self.joined.map_or(Duration::ZERO, |joined| joined.elapsed());
        tracing::info!(consumer = %self.consumer, ?partitions, ?took, "assigned; restoring");
        give_back();
        let began = Instant::now();
        let restored = self.restored_side_by_side(partitions)?;
        let places = restored.iter().map(|(partition, owned)| (*partition, owned.next)).collect();
        self.owned.extend(restored);
        if let Some(member) = self.member.as_mut() {
            member.resume(&places)?;
        }
        owns(&self.consumer, self.owned.len());
        let took = began.elapsed();
        tracing::info!(consumer = %self.consumer, ?partitions, ?took, "restored; reading");
        Ok(())
    }

    /// Partitions have nothing to do with each other: they are restored on all processors.
    fn restored_side_by_side(&self, partitions: &[u32]) -> Result<BTreeMap<u32, Owned<S>>, Stop> {
        let restoring = Restoring {
            options: &self.options,
            log: &*self.log,
            clock: &self.clock,
            make: &*self.make,
            consumer: &self.consumer,
            progress: &self.progress,
            stands: self.stands().is_some(),
        };
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let side_by_side = processors.saturating_mul(FOR_EACH_PROCESSOR);
        let side_by_side = side_by_side.min(SIDE_BY_SIDE_MAX).min(partitions.len());
        let waiting = Mutex::new(partitions.iter());
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            std::iter::from_fn(next)
                .map(|partition| Ok((*partition, restoring.restored(*partition)?)))
                .collect::<Result<Vec<_>, Stop>>()
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..side_by_side).map(|_| scope.spawn(work)).collect();
            let mut restored = BTreeMap::new();
            for thread in threads {
                let panicked = |_| Stop::Broken("a thread that restored has panicked".to_owned());
                restored.extend(thread.join().map_err(panicked)??);
            }
            Ok(restored)
        })
    }
}

/// What it takes to restore a partition.
struct Restoring<'a, S> {
    options: &'a WorkerOptions,
    log: &'a dyn Log,
    clock: &'a Clock,
    make: &'a (dyn Fn(u32) -> S + Send + Sync),
    consumer: &'a Arc<str>,
    progress: &'a Progress,
    /// It is restored because somebody is away: that is no getting on.
    stands: bool,
}

impl<S: Station> Restoring<'_, S> {
    /// The station of a partition as its last commit left it.
    fn restored(&self, partition: u32) -> Result<Owned<S>, Stop> {
        let Membership { group, topic, .. } = &self.options.membership;
        let state_topic = &self.options.state_topic;
        let (began, mut bytes) = (Instant::now(), 0);
        let next = self.log.committed(group, topic, partition)?;
        let position = began.elapsed();
        let make = |partition| (self.make)(partition);
        let mut replay = Replay::new(&make, partition);
        let newest = newest_snapshot(self.log, state_topic, partition)?;
        // Steps that read nothing end where the one before them did, so the last delta is only found at
        // the end.
        read_to_end(self.log, state_topic, partition, newest, &mut |message| {
            match self.stands {
                true => self.progress.turned(),
                false => self.progress.note(),
            }
            bytes += message.value.len() as u64;
            match replay.take(message)? {
                Some(step) => replay.station.catch_up(&step.delta),
                None => Ok(()),
            }
        })?;
        let chain = replay.complete().unwrap_or_default();
        let whole = replay.has_begun().then_some(chain.next);
        if whole != next {
            self.mend_position(partition, next, whole)?;
        }
        let (mut station, met) = (replay.station, replay.snapshots);
        let state = began.elapsed().saturating_sub(position);
        station.restored()?;
        let rest = began.elapsed().saturating_sub(position + state);
        let (consumer, behind, next) = (self.consumer, whole != next, chain.next);
        let (snapshot, changes) = (met.bytes, met.delta_bytes);
        Restored {
            consumer,
            partition,
            next: next.0,
            bytes,
            snapshot,
            changes,
            position,
            state,
            rest,
        }
        .tell();
        let output = Output::default();
        let snapshot = Snapshot::after::<S>(met, self.clock.now());
        Ok(Owned {
            station,
            chain,
            next,
            output,
            dirty: behind,
            snapshot,
            passed_over: false,
            nothing_until: Next::START,
        })
    }

    /// The position differs from the state. State that is there was committed, with all else of its step:
    /// a position behind it was lost by the log, and is told again with the next step.
    fn mend_position(
        &self,
        partition: u32,
        position: Option<Next>,
        state: Option<Next>,
    ) -> Result<(), Stop> {
        let Membership { group, topic, .. } = &self.options.membership;
        if self.log.committed(group, topic, partition)? != position {
            let why = format!("another went on with {topic} {partition} meanwhile");
            return Err(Stop::Restore(why));
        }
        let place = |next: Option<Next>| next.map_or("nowhere".to_owned(), |it| it.0.to_string());
        let (read, ends) = (place(position), place(state));
        if state < position || state > Some(self.log.bounds(topic, partition)?.end) {
            let state_topic = &self.options.state_topic;
            return Err(Stop::Broken(format!(
                "{topic} {partition} was read up to {read}, but its state on {state_topic} ends at {ends}; one of \
                 these topics has lost messages, and going on would bill twice or not at all"
            )));
        }
        tracing::warn!(
            topic,
            partition,
            read,
            ends,
            "the position is lost, and taken from the state"
        );
        Ok(())
    }
}
