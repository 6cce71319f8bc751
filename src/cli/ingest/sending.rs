//! Records on their way: onto the log, or to the API. Threads send while the next records are read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use drawdown_log::Log;
use drawdown_runtime::clock::Clock;
use drawdown_wire::topics::{Topic, Topics};
use drawdown_wire::usage::packing::{Pack, Packs};
use drawdown_wire::usage::put_json;
use hyper::body::Bytes;
use serde::Deserialize;

use crate::cli::problem::Problem;
use crate::cli::server::{Answer, Asking, Client, Unanswered};

/// Threads that wait for the log or the API at once.
const CARRIERS: usize = 4;
/// Batches that wait for a carrier.
const WAITING_MAX: usize = 4;
/// So much is appended to a partition with one call.
const APPENDED_BYTES_MAX: usize = 2 << 20;
/// So much is posted at once.
const POSTED_BYTES_MAX: usize = 1 << 20;
/// Whoever does not take anything for so long will not.
const GIVES_UP_AFTER: Duration = Duration::from_secs(60);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// A record that the other side does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) place: u64,
    pub(super) why: String,
}

/// What carriers say.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Records that are there for good.
    pub(super) sent: AtomicU64,
    pub(super) refused: Mutex<Vec<Refused>>,
    /// A carrier has given up.
    ended: AtomicBool,
}

/// What is sent at once.
enum Batch {
    Log { partition: u32, packs: Vec<Pack> },
    Post { body: Vec<u8>, places: Vec<u64> },
}

/// Where records go.
pub(super) enum Destination {
    Log { log: Arc<dyn Log>, topics: Topics, clock: Clock },
    Server { server: String, key: Option<String> },
}

/// Takes records, and hands them to carriers.
pub(super) struct Sending {
    open: Open,
    batches: Option<SyncSender<Batch>>,
    carriers: Vec<JoinHandle<anyhow::Result<()>>>,
    pub(super) told: Arc<Told>,
}

/// What is not full yet.
enum Open {
    Log { packs: Packs, full: BTreeMap<u32, Vec<Pack>> },
    Post { body: Vec<u8>, places: Vec<u64> },
}

impl Sending {
    pub(super) fn start(to: &Destination) -> anyhow::Result<Sending> {
        let (batches, waiting) = sync_channel(WAITING_MAX);
        let (waiting, told) = (Arc::new(Mutex::new(waiting)), Arc::<Told>::default());
        let mut carriers = Vec::new();
        for number in 0..CARRIERS {
            let carrier = Carrier::new(to, waiting.clone(), told.clone())?;
            let thread = std::thread::Builder::new().name(format!("send-{number}"));
            carriers.push(thread.spawn(move || carrier.run())?);
        }
        let open = match to {
            Destination::Log { topics, .. } => {
                Open::Log { packs: Packs::new(topics.usage_partitions), full: BTreeMap::new() }
            }
            Destination::Server { .. } => Open::Post { body: Vec::new(), places: Vec::new() },
        };
        Ok(Sending { open, batches: Some(batches), carriers, told })
    }

    /// Takes a record in its canonical form. After an error the reason is what `finish` returns.
    pub(super) fn take(&mut self, place: u64, record: &[u8]) -> anyhow::Result<()> {
        let batch = match &mut self.open {
            Open::Log { packs, full } => {
                let Some((partition, pack)) = packs.push(record)? else { return Ok(()) };
                let waiting = full.entry(partition).or_default();
                waiting.push(pack);
                if waiting.iter().map(Pack::bytes).sum::<usize>() < APPENDED_BYTES_MAX {
                    return Ok(());
                }
                Batch::Log { partition, packs: std::mem::take(waiting) }
            }
            Open::Post { body, places } => {
                put_json(body, record)?;
                places.push(place);
                if body.len() < POSTED_BYTES_MAX {
                    return Ok(());
                }
                Batch::Post { body: std::mem::take(body), places: std::mem::take(places) }
            }
        };
        self.hand_on(batch)
    }

    /// Hands on what is not full yet.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        let rest: Vec<Batch> = match &mut self.open {
            Open::Log { packs, full } => {
                for (partition, pack) in packs.finish() {
                    full.entry(partition).or_default().push(pack);
                }
                let full = std::mem::take(full).into_iter();
                full.map(|(partition, packs)| Batch::Log { partition, packs }).collect()
            }
            Open::Post { body, places } => {
                vec![Batch::Post { body: std::mem::take(body), places: std::mem::take(places) }]
            }
        };
        rest.into_iter().filter(|batch| !batch.is_empty()).try_for_each(|batch| self.hand_on(batch))
    }

    fn hand_on(&self, batch: Batch) -> anyhow::Result<()> {
        match &self.batches {
            Some(batches) if !self.told.ended.load(Ordering::Acquire) => batches.send(batch).ok(),
            _ => None,
        }
        .context("nothing is sent any more")
    }

    /// Waits until all that was handed on is there for good.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.batches = None;
        let mut outcome = Ok(());
        for carrier in self.carriers.drain(..) {
            let carried = carrier.join().unwrap_or_else(|_| bail!("a thread has panicked"));
            outcome = outcome.and(carried);
        }
        outcome
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        match self {
            Batch::Log { packs, .. } => packs.is_empty(),
            Batch::Post { places, .. } => places.is_empty(),
        }
    }
}

struct Carrier {
    waiting: Arc<Mutex<Receiver<Batch>>>,
    told: Arc<Told>,
    way: Way,
}

enum Way {
    Log { log: Arc<dyn Log>, topic: String, clock: Clock },
    Server(Box<Client>),
}

impl Carrier {
    fn new(
        to: &Destination,
        waiting: Arc<Mutex<Receiver<Batch>>>,
        told: Arc<Told>,
    ) -> anyhow::Result<Carrier> {
        let way = match to {
            Destination::Log { log, topics, clock } => Way::Log {
                log: log.clone(),
                topic: topics.name(Topic::Usage).to_owned(),
                clock: clock.clone(),
            },
            Destination::Server { server, key } => {
                Way::Server(Box::new(Client::new(server, key.as_deref())?))
            }
        };
        Ok(Carrier { waiting, told, way })
    }

    /// Sends what comes. One carrier that gives up ends it for all.
    fn run(mut self) -> anyhow::Result<()> {
        loop {
            let batch = {
                let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.recv()
            };
            let Ok(batch) = batch else { return Ok(()) };
            if self.told.ended.load(Ordering::Acquire) {
                return Ok(());
            }
            self.carry(batch).inspect_err(|_| self.told.ended.store(true, Ordering::Release))?;
        }
    }

    fn carry(&mut self, batch: Batch) -> anyhow::Result<()> {
        let count = match (&mut self.way, batch) {
            (Way::Log { log, topic, clock }, Batch::Log { partition, packs }) => {
                append(&**log, topic, clock, partition, &packs)?;
                packs.iter().map(Pack::count).sum::<usize>() as u64
            }
            (Way::Server(client), Batch::Post { body, places }) => {
                let refused = post(client, body.into())?;
                let count = (places.len() as u64).saturating_sub(refused.len() as u64);
                let refused = refused.into_iter().map(|Malformed { line, why }| Refused {
                    place: places.get(line.saturating_sub(1)).copied().unwrap_or_default(),
                    why,
                });
                let mut told = self.told.refused.lock().unwrap_or_else(PoisonError::into_inner);
                told.extend(refused);
                count
            }
            _ => bail!("a batch has come to a carrier of another kind"),
        };
        self.told.sent.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }
}

/// Appends, and tries again for a while what may pass: what is there twice is counted once.
fn append(
    log: &dyn Log,
    topic: &str,
    clock: &Clock,
    partition: u32,
    packs: &[Pack],
) -> anyhow::Result<()> {
    let messages: Vec<Vec<u8>> = packs.iter().map(Pack::message).collect();
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let deadline = Instant::now() + GIVES_UP_AFTER;
    loop {
        match log.append(topic, partition, clock.now(), &messages) {
            Ok(_) => return Ok(()),
            Err(error) if error.is_passing() && Instant::now() < deadline => {
                tracing::warn!(%error, "usage cannot be appended; trying again");
                std::thread::sleep(TRY_AGAIN_AFTER);
            }
            Err(error) => return Err(error).context("usage cannot be appended to the log"),
        }
    }
}

/// What the API says of usage.
#[derive(Debug, Default, Deserialize)]
struct Taken {
    #[serde(default)]
    malformed: Vec<Malformed>,
}

#[derive(Debug, Deserialize)]
struct Malformed {
    line: usize,
    why: String,
}

/// Posts, and tries again when it is told to; the records that the other side cannot read.
fn post(client: &mut Client, body: Bytes) -> anyhow::Result<Vec<Malformed>> {
    let headers = [("content-type", "application/x-ndjson")];
    let deadline = Instant::now() + GIVES_UP_AFTER;
    loop {
        let asking = Asking {
            method: "POST",
            path: "/v1/usage",
            headers: &headers,
            body: &body,
            within: ANSWERED_WITHIN,
        };
        let (error, after) = match client.ask(asking) {
            Ok(answer) if matches!(answer.status, 200 | 400) => return taken(client, &answer),
            Ok(answer) => {
                let problem = Problem::of(client, &answer);
                if !problem.may_pass() {
                    return Err(problem.into());
                }
                let after = answer.header("retry-after").and_then(|after| after.parse().ok());
                (anyhow::Error::from(problem), after.map(Duration::from_secs))
            }
            Err(error @ Unanswered::Lost { .. }) => (error.into(), None),
            // A server that has never been there will not come.
            Err(error @ Unanswered::Unreachable { .. }) => return Err(error.into()),
        };
        if Instant::now() >= deadline {
            return Err(error);
        }
        std::thread::sleep(after.unwrap_or(TRY_AGAIN_AFTER));
    }
}

fn taken(client: &Client, answer: &Answer) -> anyhow::Result<Vec<Malformed>> {
    match serde_json::from_slice::<Taken>(&answer.body) {
        // It is a problem document too where nothing at all could be read.
        Ok(taken) if answer.status == 200 || !taken.malformed.is_empty() => Ok(taken.malformed),
        _ => Err(Problem::of(client, answer).into()),
    }
}
