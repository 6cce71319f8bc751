//! Usage on its way to the log: a bounded queue, and threads that append what waits in it together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use drawdown_log::Log;
use drawdown_runtime::clock::Clock;
use drawdown_wire::topics::{Topic, Topics};
use drawdown_wire::usage::packing::Pack;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Threads that append; each has partitions of its own, so that all of them can wait for the disk or
/// the broker at once. They do little else.
const CARRIERS_MAX: u32 = 32;
/// So much is appended with one call.
const CARRIED_BYTES_MAX: usize = 4 << 20;

/// A request's records of one partition.
struct Part {
    partition: u32,
    pack: Pack,
    request: Arc<Request>,
}

/// A request whose parts are under way. Its place in the queue is given back with the last of them.
struct Request {
    waiting: AtomicUsize,
    failed: Mutex<Option<String>>,
    tell: Mutex<Option<oneshot::Sender<Result<(), String>>>>,
    _place: OwnedSemaphorePermit,
}

impl Request {
    fn carried(&self, outcome: Result<(), String>) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = failed.take().or(outcome.err());
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            let tell = self.tell.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(tell) = tell {
                // Whoever asked may have gone; the records are counted all the same.
                tell.send(failed.take().map_or(Ok(()), Err)).ok();
            }
        }
    }
}

/// Why usage was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// Nothing of it was taken.
    #[error("the queue is full")]
    Full,
    /// Perhaps part of it was taken; sent again, what was counted is known.
    #[error("{0}")]
    Unsure(String),
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Intake {
    carriers: Vec<Sender<Part>>,
    /// Bytes that may still be taken; what bounds the channels.
    room: Arc<Semaphore>,
}

impl Intake {
    pub(crate) fn start(
        log: &Arc<dyn Log>,
        topics: &Topics,
        clock: &Clock,
        bytes_max: usize,
    ) -> std::io::Result<(Intake, Vec<JoinHandle<()>>)> {
        let (mut carriers, mut threads) = (Vec::new(), Vec::new());
        for number in 0..topics.usage_partitions.clamp(1, CARRIERS_MAX) {
            let (send, parts) = channel();
            let (log, clock) = (log.clone(), clock.clone());
            let topic = topics.name(Topic::Usage).to_owned();
            let thread = std::thread::Builder::new().name(format!("usage-{number}"));
            threads.push(thread.spawn(move || carry_all(&*log, &topic, &clock, &parts))?);
            carriers.push(send);
        }
        let room = Arc::new(Semaphore::new(bytes_max.min(Semaphore::MAX_PERMITS)));
        Ok((Intake { carriers, room }, threads))
    }

    /// Takes records and returns once the log has them durably.
    pub(crate) async fn take(&self, packs: Vec<(u32, Pack)>) -> Result<(), NotTaken> {
        if packs.is_empty() {
            return Ok(());
        }
        let bytes = packs.iter().map(|(_, pack)| pack.bytes()).sum::<usize>();
        let bytes = u32::try_from(bytes).map_err(|_| NotTaken::Full)?;
        let place = self.room.clone().try_acquire_many_owned(bytes).map_err(|_| {
            metrics::counter!("drawdown_usage_refused_total").increment(1);
            NotTaken::Full
        })?;
        let (tell, told) = oneshot::channel();
        let request = Arc::new(Request {
            waiting: AtomicUsize::new(packs.len()),
            failed: Mutex::default(),
            tell: Mutex::new(Some(tell)),
            _place: place,
        });
        let stopped = || NotTaken::Unsure("the server stops".to_owned());
        for (partition, pack) in packs {
            let number = (partition as usize).checked_rem(self.carriers.len()).unwrap_or(0);
            let carrier = self.carriers.get(number).ok_or_else(stopped)?;
            let part = Part { partition, pack, request: request.clone() };
            carrier.send(part).map_err(|_| stopped())?;
        }
        drop(request);
        match told.await {
            Ok(outcome) => outcome.map_err(NotTaken::Unsure),
            Err(_) => Err(stopped()),
        }
    }
}

/// Appends what waits, all that there is at a time.
fn carry_all(log: &dyn Log, topic: &str, clock: &Clock, parts: &Receiver<Part>) {
    while let Ok(first) = parts.recv() {
        let mut bytes = first.pack.bytes();
        let mut together: BTreeMap<u32, Vec<Part>> = BTreeMap::new();
        together.entry(first.partition).or_default().push(first);
        while bytes < CARRIED_BYTES_MAX
            && let Ok(part) = parts.try_recv()
        {
            bytes = bytes.saturating_add(part.pack.bytes());
            together.entry(part.partition).or_default().push(part);
        }
        for (partition, parts) in together {
            carry(log, topic, clock, partition, parts);
        }
    }
}

fn carry(log: &dyn Log, topic: &str, clock: &Clock, partition: u32, parts: Vec<Part>) {
    let mut requests = Vec::with_capacity(parts.len());
    let mut packs: Vec<Pack> = Vec::new();
    for Part { pack, request, .. } in parts {
        requests.push(request);
        match packs.last_mut() {
            Some(last) => {
                if let Err(pack) = last.absorb(pack) {
                    packs.push(pack);
                }
            }
            None => packs.push(pack),
        }
    }
    let messages: Vec<Vec<u8>> = packs.iter().map(Pack::message).collect();
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let outcome = log.append(topic, partition, clock.now(), &messages);
    let outcome = outcome.map(|_| ()).map_err(|error| {
        metrics::counter!("drawdown_usage_append_errors_total").increment(1);
        tracing::warn!(topic, partition, %error, "usage cannot be appended");
        error.to_string()
    });
    for request in requests {
        request.carried(outcome.clone());
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
