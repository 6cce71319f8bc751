//! A whole installation in one process: the embedded log, workers on threads, and the console; its lists
//! come from the real ClickHouse engine, which is filled meanwhile.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use drawdown::cli::printed;
use drawdown::installation::Installation;
use drawdown::rehearse::Stage;
use drawdown::serve::{answer, answer_of_registry};
use drawdown_analytics::{
    Analytics, AnalyticsOptions, MIGRATIONS, Store, StoreOptions, group_of, migrate,
};
use drawdown_balance::Balance;
use drawdown_console::{ClickHouse, Console, ConsoleOptions, Form, Keys, Printer, Question, Rows};
use drawdown_documents::{FOLDERS, Fonts, Press, e_invoice};
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::{Log, Next};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Station, Worker};
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{Topic, Topics};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::client::Client;
use crate::end_to_end::analytics::engine;

pub const WITHIN: Duration = Duration::from_secs(30);
const WAIT: Duration = Duration::from_millis(5);
/// It is woken by what comes.
const FILLER_WAIT: Duration = Duration::from_millis(100);

pub struct Rig {
    pub client: Client,
    pub clock: Clock,
    pub log: Arc<dyn Log>,
    /// Where its lists are.
    pub store: StoreOptions,
    topics: Topics,
    pub folder: TempDir,
    /// Whoever holds this alone holds up the workers.
    pub turns: Arc<RwLock<()>>,
    end: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What the workers and the console of one process share.
struct Site {
    log: Arc<dyn Log>,
    topics: Topics,
    clock: Clock,
    end: Arc<AtomicBool>,
    turns: Arc<RwLock<()>>,
    folder: TempDir,
}

impl Rig {
    pub fn new() -> Rig {
        Rig::with(|_| ())
    }

    /// With other limits than the usual ones.
    pub fn with(change: impl FnOnce(&mut ConsoleOptions)) -> Rig {
        let folder = TempDir::with_prefix("drawdown-console-").unwrap();
        let plan = Stage::plan().unwrap();
        let topics = Topics::new("", &plan);
        let all = Topic::ALL.iter().map(|topic| embedded::Topic {
            name: topics.name(*topic).to_owned(),
            partitions: plan.partitions(*topic),
            keep: None,
        });
        let clock = Clock::Real;
        let now = clock.clone();
        let config =
            EmbeddedConfig::new(folder.path().join("log"), all, Arc::new(move || now.now()));
        let log: Arc<dyn Log> = Arc::new(Embedded::open(config).unwrap());
        let installation =
            Installation::new(log.clone(), topics.clone(), Secret::new([7; 32]), clock.clone());
        let (end, turns) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (ask, questions) = sync_channel(1_000);
        let (ask_registry, of_registry) = sync_channel(1_000);
        let workers = vec![
            run(installation.metering(), &end, &turns, |_| ()),
            run(installation.registry(), &end, &turns, move |worker| {
                if let Ok(first) = of_registry.try_recv() {
                    answer_of_registry(worker, first, of_registry.try_iter()).unwrap();
                }
            }),
            run(installation.balance(), &end, &turns, answering(questions)),
        ];
        let site = Site { log, topics, clock, end, turns, folder };
        let rows = Rows { here: Some(ask), registry: Some(ask_registry), elsewhere: Vec::new() };
        Rig::served(site, workers, rows, engine::database(), change)
    }

    /// What a rehearsal has left on its log, to be looked at: nothing is decided any more.
    pub fn over(stage: &Stage, clock: Clock) -> Rig {
        let Stage { log, topics, .. } = stage.clone();
        let folder = TempDir::with_prefix("drawdown-console-").unwrap();
        let secret = Secret::new([7; 32]);
        let installation = Installation::new(log.clone(), topics.clone(), secret, clock.clone());
        let (end, turns) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (ask, questions) = sync_channel(1_000);
        let workers = vec![run(installation.balance(), &end, &turns, answering(questions))];
        let site = Site { log, topics, clock, end, turns, folder };
        let rows = Rows { here: Some(ask), registry: None, elsewhere: Vec::new() };
        let rig = Rig::served(site, workers, rows, engine::database(), |_| ());
        rig.await_lists();
        rig
    }

    /// Serves the console over what runs, and fills its lists meanwhile.
    fn served(
        site: Site,
        mut workers: Vec<JoinHandle<()>>,
        rows: Rows,
        store: StoreOptions,
        change: impl FnOnce(&mut ConsoleOptions),
    ) -> Rig {
        let Site { log, topics, clock, end, turns, folder } = site;
        let keys = Keys::new(&hashes(), Some("demo")).unwrap();
        let mut options = ConsoleOptions::new(keys, "", "1");
        options.mails = Some(made(&folder, "mails"));
        options.secret = Some(Secret::new([7; 32]));
        let fonts = Fonts::find(&FOLDERS.map(PathBuf::from)).unwrap();
        let press = Press::new(fonts);
        options.printer = Some(Printer::new(move |invoice, form, settled| match form {
            Form::Pdf => printed(&press, invoice, settled).map_err(|error| error.to_string()),
            Form::Xml => {
                e_invoice(invoice).map(String::into_bytes).map_err(|error| error.to_string())
            }
        }));
        options.lists_group = Some("analytics".to_owned());
        options.lists_wait = WITHIN;
        change(&mut options);
        make_tables(Store::new(store.clone()));
        let lists = Arc::new(ClickHouse {
            address: store.url.trim_start_matches("http://").to_owned(),
            database: store.database.clone(),
            user: store.user.clone(),
            password: store.password.clone(),
            deadline: WITHIN,
        });
        let analytics = AnalyticsOptions::new(store.clone());
        workers.extend(fill(&Analytics::new(analytics, log.clone(), topics.clone()), &end));
        let console =
            Console::start(log.clone(), topics.clone(), clock.clone(), rows, lists, options)
                .unwrap();
        let (port, server) = serve(console);
        Rig {
            client: Client { port },
            clock,
            log,
            topics,
            store,
            folder,
            turns,
            end,
            workers,
            server: Some(server),
        }
    }

    /// Asks for a command that must be accepted.
    pub fn done(&self, name: &str, fields: &Value) {
        let key = format!("{name} {fields}");
        let answer = self.client.command(name, &key.chars().take(200).collect::<String>(), fields);
        assert_eq!(answer.status, 200, "{name} {fields}: {}", answer.body);
    }

    /// An enterprise with an account, a price and some money.
    pub fn opened(&self, account: &str, cash: &str) {
        self.done(
            "open_enterprise",
            &json!({ "enterprise": account, "name": account, "country": "SG" }),
        );
        self.done(
            "open_account",
            &json!({ "account": account, "enterprise": account,
            "email": "finance@acme.example", "currency": "USD", "mode": "prepaid" }),
        );
        self.done(
            "top_up",
            &json!({ "billing_account": format!("ba-{account}"), "amount": cash,
            "currency": "USD", "method": "bank_transfer" }),
        );
    }

    pub fn priced(&self) {
        let book = "[[price]]\nproduct = \"compute\"\nmeter = \"vcpu_hours\"\ncurrency = \"USD\"\nmodel = \"per_unit\"\nunit_price = \"0.50\"\n";
        self.done("load_prices", &json!({ "document": book }));
    }

    pub fn row(&self, view: &str, of: &str) -> Value {
        let answer = self.client.get(&format!("/v1/show/{view}/{of}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Waits until the lists show all that is on the log.
    pub fn await_lists(&self) {
        let deadline = Instant::now() + WITHIN;
        let plan = Stage::plan().unwrap();
        for topic in LISTED {
            let (name, group) = (self.topics.name(topic), group_of("", topic));
            for partition in 0..plan.partitions(topic) {
                let end = self.log.bounds(name, partition).unwrap().stable;
                let read = || self.log.committed(&group, name, partition).unwrap();
                while read().unwrap_or(Next::START) < end {
                    assert!(Instant::now() < deadline, "{name} {partition} is not listed");
                    std::thread::sleep(WAIT);
                }
            }
        }
        // Of usage the last controls may stay unread: what was charged says how many records there are.
        let whole = "SELECT (SELECT sumIf(records, voids IS NULL) FROM charges) <= (SELECT count() FROM usage)";
        while !self.sql(whole).lines().any(|line| line.trim() == "1") {
            assert!(Instant::now() < deadline, "usage is not listed");
            std::thread::sleep(WAIT);
        }
    }

    /// Asks ClickHouse itself: what a customer's own tools may do, and whoever tidies up.
    pub fn sql(&self, text: &str) -> String {
        let path = format!("/?database={}", self.store.database);
        let port = self.store.url.rsplit_once(':').unwrap().1.parse().unwrap();
        let answer = Client { port }.send("POST", &path, &[], text.as_bytes());
        assert_eq!(answer.status, 200, "{text}: {}", answer.body);
        answer.body
    }

    /// Asks for a list until it has so many rows.
    pub fn await_rows(&self, path: &str, count: usize) {
        let deadline = Instant::now() + WITHIN;
        loop {
            let answer = self.client.get(path);
            assert_eq!(answer.status, 200, "{}", answer.body);
            if answer.json()["rows"].as_array().unwrap().len() == count {
                return;
            }
            assert!(Instant::now() < deadline, "{}", answer.body);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks for a row until it is as expected.
    pub fn await_row(&self, view: &str, of: &str, expected: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + WITHIN;
        loop {
            let row = self.row(view, of);
            if expected(&row) {
                return row;
            }
            assert!(Instant::now() < deadline, "{row}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The topics that an explanation is made of.
const LISTED: [Topic; 6] = [
    Topic::Charges,
    Topic::Bills,
    Topic::Entries,
    Topic::Payments,
    Topic::Invoices,
    Topic::Outcomes,
];

/// Answers for the ledgers between two steps.
fn answering(questions: Receiver<Question>) -> impl FnMut(&mut Worker<Balance>) + Send + 'static {
    move |worker| {
        if let Ok(first) = questions.try_recv() {
            answer(worker, first, questions.try_iter()).unwrap();
        }
    }
}

/// Keys of others than the operator: each is called as its principal is.
fn hashes() -> BTreeMap<String, String> {
    let hash = |name: &str| {
        let hash = Sha256::digest(format!("{name}-key").as_bytes());
        hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    ["acme", "books", "eyes", "feed", "other"].map(|name| (name.to_owned(), hash(name))).into()
}

fn made(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn run<S: Station + 'static>(
    mut worker: Worker<S>,
    end: &Arc<AtomicBool>,
    turns: &Arc<RwLock<()>>,
    mut between: impl FnMut(&mut Worker<S>) + Send + 'static,
) -> JoinHandle<()> {
    let (end, turns) = (end.clone(), turns.clone());
    std::thread::spawn(move || {
        while !end.load(Ordering::Acquire) {
            let _turn = turns.read().unwrap();
            worker.turn(WAIT).unwrap();
            between(&mut worker);
        }
        worker.stop().unwrap();
    })
}

/// Before anybody asks: whoever fills them makes them too, but not at once.
fn make_tables(store: Store) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(migrate(&store, MIGRATIONS)).unwrap();
}

/// Fills ClickHouse on threads.
fn fill(analytics: &Arc<Analytics>, end: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
    let fillers = analytics.fillers().unwrap().into_iter().map(|mut filler| {
        let end = end.clone();
        std::thread::spawn(move || {
            while !end.load(Ordering::Acquire) {
                filler.turn(FILLER_WAIT).unwrap();
            }
            filler.stop();
        })
    });
    fillers.collect()
}

fn serve(console: Console) -> (u16, (oneshot::Sender<()>, JoinHandle<()>)) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = oneshot::channel();
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let console = Arc::new(console);
        let (router, ended) = (console.router(), console.clone());
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let stop = async move {
                told.await.ok();
                ended.stop();
            };
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).with_graceful_shutdown(stop).await.unwrap();
        });
        drop(runtime);
        Arc::into_inner(console).unwrap().join();
    });
    (port, (tell, server))
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some((tell, server)) = self.server.take() {
            tell.send(()).unwrap();
            server.join().unwrap();
        }
        self.end.store(true, Ordering::Release);
        for worker in self.workers.drain(..) {
            worker.join().unwrap();
        }
    }
}
