//! CONSOLE: the HTTP API and the pages.
//!
//! It decides nothing and keeps nothing: commands and usage go to the log, rows come from whoever owns
//! the ledgers, lists from ClickHouse, and what is live from the topics.

mod api;
mod description;
mod explaining;
mod feed;
pub mod fields;
mod intake;
mod keys;
mod lists;
mod numbers;
mod outside;
mod own;
mod pages;
mod permits;
mod position;
mod printer;
mod problem;
pub mod rejects;
mod rows;
mod views;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use drawdown_log::Log;
use drawdown_runtime::clock::Clock;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::Topics;
use tokio::sync::Semaphore;

pub use feed::WATCHED;
pub use keys::{Keys, NotAKey};
pub use lists::{ClickHouse, Coming, Format, Lists, NoList, Query, Row, Wanted, can_be};
pub use numbers::counted;
pub use outside::escaped;
pub use own::OwnLists;
pub use printer::{Form, PaidSoFar, Printer};
pub use rows::{Answer, OF_THE_REGISTRY, Question, Rows, Unanswered};
pub use views::{ALL as VIEWS, Bill, List, MoneyOfMonth, Source, SpendOfDay, UsageOfDay, View};

use feed::Feed;
use intake::Intake;
use keys::Holders;
use permits::Senders;
use position::Reached;

/// What the console is told.
#[derive(Clone, Debug)]
pub struct ConsoleOptions {
    pub keys: Keys,
    /// Precedes the names of its groups, which follow the topics.
    pub group_prefix: String,
    /// Different for each process.
    pub instance: String,
    /// The group that fills the lists: a read waits for it. None: lists are never behind.
    pub lists_group: Option<String>,
    /// Makes a PDF of an invoice. None: there are none.
    pub printer: Option<Printer>,
    /// Where captured mails are put.
    pub mails: Option<PathBuf>,
    /// Signs rejects that are sent again. None: none are sent from here.
    pub secret: Option<Secret>,
    /// A command that is not decided by then is answered with where to look.
    pub command_answered_within: Duration,
    pub commands_in_flight_max: usize,
    /// Usage that is taken and not yet on the log; beyond it there is 429.
    pub usage_queue_bytes_max: usize,
    /// The largest body of usage.
    pub usage_body_bytes_max: usize,
    /// Any other request is given up then.
    pub request_within: Duration,
    /// How long a read waits until lists show the caller's last command.
    pub lists_wait: Duration,
}

impl ConsoleOptions {
    /// The usual limits.
    pub fn new(keys: Keys, group_prefix: &str, instance: &str) -> ConsoleOptions {
        ConsoleOptions {
            keys,
            group_prefix: group_prefix.to_owned(),
            instance: instance.to_owned(),
            lists_group: None,
            printer: None,
            mails: None,
            secret: None,
            command_answered_within: Duration::from_secs(10),
            commands_in_flight_max: 256,
            usage_queue_bytes_max: 64 << 20,
            usage_body_bytes_max: 8 << 20,
            request_within: Duration::from_secs(30),
            lists_wait: Duration::from_secs(5),
        }
    }
}

/// The console cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Log(#[from] drawdown_log::Error),
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) options: ConsoleOptions,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) topics: Topics,
    pub(crate) clock: Clock,
    pub(crate) rows: Rows,
    pub(crate) lists: Arc<dyn Lists>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) intake: Intake,
    pub(crate) reached: Reached,
    pub(crate) commands: Semaphore,
    pub(crate) ids: Ids,
    pub(crate) senders: Senders,
    pub(crate) holders: Holders,
}

/// Names for requests and for keys that callers did not choose.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Of this start of this process.
    process: u64,
    next: AtomicU64,
}

impl Ids {
    fn new() -> Ids {
        use std::hash::{BuildHasher, RandomState};
        Ids { process: RandomState::new().hash_one("drawdown"), next: AtomicU64::new(1) }
    }

    pub(crate) fn next(&self) -> String {
        format!("{:016x}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What the pages say that this is.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Its counters without labels.
const COUNTED: &[&str] = &[
    "drawdown_console_append_errors_total",
    "drawdown_console_follow_errors_total",
    "drawdown_console_list_errors_total",
    "drawdown_console_slow_watchers_total",
    "drawdown_console_unreadable_total",
    "drawdown_usage_accepted_total",
    "drawdown_usage_append_errors_total",
    "drawdown_usage_malformed_total",
    "drawdown_usage_refused_total",
];

/// The console of one process.
#[derive(Debug)]
pub struct Console {
    site: Arc<Site>,
    threads: Vec<JoinHandle<()>>,
}

impl Console {
    /// Begins to follow the topics. `rows` says who keeps the ledgers, `lists` who has lists.
    pub fn start(
        log: Arc<dyn Log>,
        topics: Topics,
        clock: Clock,
        rows: Rows,
        lists: Arc<dyn Lists>,
        options: ConsoleOptions,
    ) -> Result<Console, Error> {
        // What it counts begins at nothing, so that the first time counts as a change, too.
        for counted in COUNTED {
            metrics::counter!(*counted).increment(0);
        }
        let feed = Arc::new(Feed::default());
        let group = format!("{}console", options.group_prefix);
        let mut threads = feed::follow(&log, &topics, &group, &options.instance, &feed)?;
        let bytes_max = options.usage_queue_bytes_max;
        let (intake, carriers) = Intake::start(&log, &topics, &clock, bytes_max)?;
        threads.extend(carriers);
        let commands = Semaphore::new(options.commands_in_flight_max);
        let (reached, ids) = (Reached::default(), Ids::new());
        let (senders, holders) = (Senders::default(), Holders::default());
        let site = Site {
            options,
            log,
            topics,
            clock,
            rows,
            lists,
            feed,
            intake,
            reached,
            commands,
            ids,
            senders,
            holders,
        };
        Ok(Console { site: Arc::new(site), threads })
    }

    /// Everything it answers.
    pub fn router(&self) -> Router {
        api::router(self.site.clone())
    }

    /// Ends all that watch, so that a server can stop in order.
    pub fn stop(&self) {
        self.site.feed.stop();
    }

    /// Waits until all its threads have ended, once nobody serves its router any more.
    pub fn join(self) {
        self.site.feed.stop();
        drop(self.site);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the console has panicked");
            }
        }
    }
}
