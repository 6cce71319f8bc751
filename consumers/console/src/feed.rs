//! What comes on the topics, as it comes: outcomes for those who wait for them, rows for those who
//! watch.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use drawdown_log::{Change, Error, Log, Member, Membership, Next};
use drawdown_wire::messages::{
    Balances, Bills, Entries, Invoices, Mails, Notices, Outcome, Outcomes, PaymentRequests,
    Payments, Services,
};
use drawdown_wire::schemas::{self, Unreadable};
use drawdown_wire::topics::{Topic, Topics};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

/// So many of the latest outcomes are kept, for those who ask a little later.
const OUTCOMES_KEPT: usize = 10_000;
/// So many rows may wait for one watcher; one that is slower is let go of.
pub(crate) const ROWS_PER_WATCHER_MAX: usize = 256;
pub(crate) const WATCHERS_MAX: usize = 2_000;

const WAIT: Duration = Duration::from_millis(100);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The views that can be watched, each with the topic whose messages bring its rows.
pub const WATCHED: &[(&str, Topic)] = &[
    ("balance", Topic::Balances),
    ("entries", Topic::Entries),
    ("bills", Topic::Bills),
    ("payments", Topic::Payments),
    ("payment_requests", Topic::PaymentRequests),
    ("service", Topic::Services),
    ("messages", Topic::Notices),
    ("mail", Topic::Mails),
    ("invoices", Topic::Invoices),
];

/// An outcome, and the partition of `outcomes` it stands on: that of the ledger which decided.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) outcome: Outcome,
    pub(crate) partition: u32,
}

/// A row for a watcher, written once for all of them.
pub(crate) type Shown = Arc<str>;

#[derive(Debug)]
struct Watcher {
    rows: mpsc::Sender<Shown>,
    /// Why it gets no more.
    ended: Arc<OnceLock<&'static str>>,
}

/// What a watcher holds.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) rows: mpsc::Receiver<Shown>,
    pub(crate) ended: Arc<OnceLock<&'static str>>,
}

#[derive(Debug, Default)]
struct Latest {
    outcomes: HashMap<u64, Decided>,
    order: VecDeque<u64>,
    waiting: HashMap<u64, Vec<oneshot::Sender<Decided>>>,
}

/// Hands out what comes.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    latest: Mutex<Latest>,
    /// By view and the thing that is watched.
    watchers: Mutex<HashMap<(&'static str, String), Vec<Watcher>>>,
    stopping: AtomicBool,
    /// Keys that were revoked since the process began.
    revocations: AtomicU64,
}

impl Feed {
    /// What became of a command, now or when it is decided.
    pub(crate) fn outcome(&self, command: u64) -> oneshot::Receiver<Decided> {
        let (tell, told) = oneshot::channel();
        let mut latest = lock(&self.latest);
        match latest.outcomes.get(&command).cloned() {
            // The receiver is in this function's hands.
            Some(decided) => drop(tell.send(decided)),
            None => {
                let waiting = latest.waiting.entry(command).or_default();
                waiting.retain(|other| !other.is_closed());
                waiting.push(tell);
            }
        }
        told
    }

    /// What became of a command, if it was decided lately.
    pub(crate) fn lately(&self, command: u64) -> Option<Decided> {
        lock(&self.latest).outcomes.get(&command).cloned()
    }

    /// Nobody waits for it any more.
    pub(crate) fn give_up(&self, command: u64) {
        let mut latest = lock(&self.latest);
        if let Some(waiting) = latest.waiting.get_mut(&command) {
            waiting.retain(|other| !other.is_closed());
            if waiting.is_empty() {
                latest.waiting.remove(&command);
            }
        }
    }

    /// How many keys were revoked as far as is known: who remembers whose a key is asks again when that has changed.
    pub(crate) fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::Acquire)
    }

    fn decided(&self, partition: u32, outcomes: Vec<Outcome>) {
        let revokes =
            |outcome: &&Outcome| outcome.name == "revoke_key" && outcome.refused.is_none();
        let revoked = outcomes.iter().filter(revokes).count();
        // Before whoever asked for it is told.
        self.revocations.fetch_add(revoked as u64, Ordering::Release);
        let mut latest = lock(&self.latest);
        for outcome in outcomes {
            let command = outcome.command;
            let decided = Decided { outcome, partition };
            for waiting in latest.waiting.remove(&command).unwrap_or_default() {
                // Whoever waited may have gone.
                waiting.send(decided.clone()).ok();
            }
            if latest.outcomes.insert(command, decided).is_none() {
                latest.order.push_back(command);
            }
            if latest.order.len() > OUTCOMES_KEPT
                && let Some(oldest) = latest.order.pop_front()
            {
                latest.outcomes.remove(&oldest);
            }
        }
    }

    /// Watches a thing; none if there are too many who watch, or the process ends.
    pub(crate) fn watch(&self, view: &'static str, of: &str) -> Option<Watch> {
        let mut watchers = lock(&self.watchers);
        for own in watchers.values_mut() {
            own.retain(|watcher| !watcher.rows.is_closed());
        }
        watchers.retain(|_, own| !own.is_empty());
        let count: usize = watchers.values().map(Vec::len).sum();
        if count >= WATCHERS_MAX || self.stopping.load(Ordering::Acquire) {
            return None;
        }
        let (tell, rows) = mpsc::channel(ROWS_PER_WATCHER_MAX);
        let ended = Arc::new(OnceLock::new());
        let watcher = Watcher { rows: tell, ended: ended.clone() };
        watchers.entry((view, of.to_owned())).or_default().push(watcher);
        metrics::gauge!("drawdown_console_watchers").set(count.saturating_add(1) as f64);
        Some(Watch { rows, ended })
    }

    fn is_watched(&self, view: &'static str) -> bool {
        lock(&self.watchers).keys().any(|(watched, _)| *watched == view)
    }

    /// Shows a row to whoever watches its thing.
    fn show(&self, view: &'static str, of: &str, row: &impl Serialize) {
        let mut watchers = lock(&self.watchers);
        let Some(own) = watchers.get_mut(&(view, of.to_owned())) else { return };
        let row = match serde_json::to_string(row) {
            Ok(row) => Shown::from(row),
            Err(error) => return tracing::error!(view, of, %error, "a row cannot be shown"),
        };
        own.retain(|watcher| match watcher.rows.try_send(row.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                watcher.ended.get_or_init(|| "too slow: rows waited and were not taken");
                metrics::counter!("drawdown_console_slow_watchers_total").increment(1);
                false
            }
        });
    }

    /// Ends all who watch.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        for watcher in lock(&self.watchers).drain().flat_map(|(_, own)| own) {
            watcher.ended.get_or_init(|| "the server stops; come again");
        }
    }

    fn take(&self, topic: Topic, partition: u32, message: &[u8]) -> Result<(), Unreadable> {
        let id = |wallet: &drawdown_domain::ids::WalletId| wallet.as_str().to_owned();
        macro_rules! rows {
            ($view:literal, $schema:ident: $type:ty, $field:ident, $of:expr) => {{
                let message: $type = schemas::$schema.read(message)?;
                for row in &message.$field {
                    self.show($view, &($of)(row), row);
                }
            }};
        }
        match topic {
            Topic::Outcomes => {
                let outcomes: Outcomes = schemas::OUTCOMES.read(message)?;
                self.decided(partition, outcomes.outcomes);
            }
            Topic::Balances => {
                rows!("balance", BALANCES: Balances, balances, |row: &drawdown_domain::ledger::Balance| id(&row.billing_account));
            }
            Topic::Entries => {
                rows!("entries", ENTRIES: Entries, entries, |row: &drawdown_wire::messages::Entry| id(&row.billing_account));
            }
            Topic::Bills => {
                rows!("bills", BILLS: Bills, issued, |row: &drawdown_wire::messages::IssuedBill| id(&row.billing_account));
            }
            Topic::Payments => {
                rows!("payments", PAYMENTS: Payments, payments, |row: &drawdown_domain::payments::Payment| id(&row.billing_account));
            }
            Topic::PaymentRequests => {
                rows!("payment_requests", PAYMENT_REQUESTS: PaymentRequests, requests, |row: &drawdown_domain::requests::PaymentRequest| id(&row.billing_account));
            }
            Topic::Services => {
                rows!("service", SERVICES: Services, services, |row: &drawdown_domain::notices::Service| row.account.as_str().to_owned());
            }
            Topic::Notices => {
                rows!("messages", NOTICES: Notices, notices, |row: &drawdown_domain::notices::Notice| id(&row.billing_account));
            }
            Topic::Mails => {
                rows!("mail", MAILS: Mails, mails, |row: &drawdown_wire::messages::Mail| id(&row.billing_account));
            }
            Topic::Invoices => {
                rows!("invoices", INVOICES: Invoices, invoices, |row: &drawdown_domain::invoices::Invoice| id(&row.billing_account));
            }
            other => tracing::error!(topic = other.name(), "nobody watches this topic"),
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows one topic on a thread: all partitions, from where they end now.
#[derive(Debug)]
struct Follower {
    log: Arc<dyn Log>,
    membership: Membership,
    topic: Topic,
    view: Option<&'static str>,
    feed: Arc<Feed>,
    /// Where reading goes on.
    places: BTreeMap<u32, Next>,
}

/// Begins to follow all topics that are watched. What is appended after this is seen.
pub(crate) fn follow(
    log: &Arc<dyn Log>,
    topics: &Topics,
    group: &str,
    instance: &str,
    feed: &Arc<Feed>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let watched = WATCHED.iter().map(|(view, topic)| (Some(*view), *topic));
    let mut threads = Vec::new();
    for (view, topic) in watched.chain([(None, Topic::Outcomes)]) {
        let name = topics.name(topic).to_owned();
        let mut places = BTreeMap::new();
        for partition in 0..topics.ledger_partitions {
            places.insert(partition, log.bounds(&name, partition)?.stable);
        }
        // A group of its own for each process, because each sees everything, and for each topic, because two of
        // one instance in one group would fence each other.
        let membership = Membership {
            group: format!("{group}-{instance}.{}", topic.name()),
            topic: name,
            instance: instance.to_owned(),
        };
        let follower =
            Follower { log: log.clone(), membership, topic, view, feed: feed.clone(), places };
        let thread = std::thread::Builder::new().name(format!("follow-{}", topic.name()));
        let thread = thread
            .spawn(move || follower.run())
            .map_err(|error| Error::Fatal(format!("no thread to follow in: {error}")))?;
        threads.push(thread);
    }
    Ok(threads)
}

impl Follower {
    fn run(mut self) {
        let mut member = None;
        while !self.feed.stopping.load(Ordering::Acquire) {
            if let Err(error) = self.turn(&mut member) {
                metrics::counter!("drawdown_console_follow_errors_total").increment(1);
                tracing::warn!(topic = self.topic.name(), %error, "the topic cannot be followed now; trying again");
                member = None;
                std::thread::sleep(TRY_AGAIN_AFTER);
            }
        }
    }

    fn turn(&mut self, member: &mut Option<Box<dyn Member>>) -> Result<(), Error> {
        let member = match member {
            Some(member) => member,
            None => member.insert(self.log.join(&self.membership)?),
        };
        let Follower { feed, places, topic, view, .. } = self;
        let change = member.poll(WAIT, &mut |messages| {
            let skips = view.is_some_and(|view| !feed.is_watched(view));
            for message in messages {
                places.insert(message.partition, message.offset.next());
                if skips {
                    continue;
                }
                if let Err(error) = feed.take(*topic, message.partition, message.value) {
                    metrics::counter!("drawdown_console_unreadable_total").increment(1);
                    tracing::error!(topic = topic.name(), partition = message.partition,
                        offset = message.offset.0, %error, "a message cannot be shown");
                }
            }
        })?;
        match change {
            Some(Change::Assigned(partitions)) => {
                let known = |partition: &u32| {
                    (*partition, places.get(partition).copied().unwrap_or(Next::START))
                };
                member.resume(&partitions.iter().map(known).collect())
            }
            Some(Change::Revoked(partitions)) => member.release(&partitions),
            None => Ok(()),
        }
    }
}
