//! A broker, an installation on it, and worker processes that can be killed.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown::audit;
use drawdown::cli::{self, Setup};
use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::commands::Command as Asked;
use drawdown_domain::time::Span;
use drawdown_log::{Log, Next, Point};
use drawdown_runtime::clock::Clock;
use drawdown_wire::topics::Topic;
use serde_json::{Value, json};
use tempfile::TempDir;

/// An hour of the installation's time passes in so many seconds.
const HOUR_SECONDS: u32 = 10;
pub const STARTS_AT: &str = "2026-03-01T00:00:00Z";
pub const ENTERPRISES: usize = 12;
pub const ACCOUNTS: usize = 120;
pub const ZONES: [&str; 3] = ["UTC", "Asia/Kolkata", "America/New_York"];

pub const PRICES: &str = r#"
price = [
  { product = "compute", meter = "hours", currency = "USD", model = "per_unit", unit_price = "0.0004" },
  { product = "compute", meter = "calls", currency = "USD", model = "graduated", aggregate = "count", tiers = [{ up_to = "500", unit_price = "0.001" }, { up_to = "2000", unit_price = "0.0007" }, { unit_price = "0.0003" }] },
  { product = "storage", meter = "gigabytes", currency = "USD", region = "eu", model = "volume", tiers = [{ up_to = "2000", unit_price = "0.002" }, { unit_price = "0.001" }] },
  { product = "storage", meter = "gigabytes", currency = "USD", model = "package", package = "100", amount = "0.07" },
]
"#;

pub struct Rig {
    _broker: Broker,
    folder: TempDir,
    pub setup: Setup,
    pub log: Arc<dyn Log>,
    pub clock: Clock,
    workers: Vec<Option<Child>>,
}

/// Which consumers run in which process: two of each, so that partitions move when one dies for long.
const WORKERS: [&[&str]; 2] = [&["metering", "balance"], &["metering", "registry", "balance"]];

impl Rig {
    pub fn start() -> Rig {
        let broker = Broker::start(BrokerOptions::default()).unwrap();
        let folder = TempDir::with_prefix("drawdown-faults-").unwrap();
        let clock = Clock::fast(3_600 / HOUR_SECONDS, STARTS_AT.parse().unwrap());
        let Clock::Fast(fast) = &clock else { unreachable!() };
        let plan =
            drawdown_wire::topics::DEFAULT_PLAN.replace("_partitions = 16", "_partitions = 4");
        fs::write(folder.path().join("topics.toml"), plan).unwrap();
        let config = format!(
            "[installation]\nsecret = \"{}\"\ntopics = \"{}\"\n[kafka]\nbootstrap = \"{}\"\ntransaction_timeout = \"3s\"\nsession_timeout = \"3s\"\n\
             [worker]\nclock = \"{} {} {}\"\nsnapshot_after_bytes = 10000\n",
            "5a".repeat(32),
            folder.path().join("topics.toml").display(),
            broker.bootstrap(),
            fast.factor,
            fast.shown,
            fast.real
        );
        let path = folder.path().join("drawdown.toml");
        fs::write(&path, config).unwrap();
        let setup = Setup::read(Some(&path), &[]).unwrap();
        cli::apply_topics(&setup, &mut std::io::sink()).unwrap();
        let log = setup.log().unwrap();
        let workers = WORKERS.iter().map(|_| None).collect();
        let mut rig = Rig { _broker: broker, folder, setup, log, clock, workers };
        for worker in 0..rig.workers() {
            rig.restart(worker);
        }
        rig
    }

    pub fn workers(&self) -> usize {
        WORKERS.len()
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("drawdown.toml")
    }

    fn spawn(&self, worker: usize, kill_at: Option<String>) -> Child {
        let output =
            fs::File::options().create(true).append(true).open(self.output(worker)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg("worker").args(WORKERS[worker]).arg("--config").arg(self.config());
        command.arg("--set").arg(format!("installation.instance={worker}"));
        if let Some(kill_at) = kill_at {
            command.env("DRAWDOWN_KILL_AT", kill_at);
        }
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap()
    }

    fn output(&self, worker: usize) -> PathBuf {
        self.folder.path().join(format!("worker{worker}.log"))
    }

    /// What the workers said last.
    pub fn said(&self) -> String {
        let tail = |worker| {
            let text = fs::read_to_string(self.output(worker)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(15).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        (0..self.workers()).map(|worker| format!("worker {worker}:\n{}\n", tail(worker))).collect()
    }

    pub fn restart(&mut self, worker: usize) {
        self.kill(worker);
        self.workers[worker] = Some(self.spawn(worker, None));
    }

    /// Lets a worker run until it kills itself at a point; false if it does not get there in time.
    pub fn kill_at(&mut self, worker: usize, point: Point, count: u64) -> bool {
        self.kill(worker);
        let mut child = self.spawn(worker, Some(format!("{}:{count}", point.name())));
        let deadline = Instant::now() + Duration::from_secs(12);
        while Instant::now() < deadline {
            if child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.workers[worker] = Some(child);
        false
    }

    pub fn kill(&mut self, worker: usize) {
        if let Some(mut child) = self.workers[worker].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn ask(&self, name: &str, fields: Value) {
        let command = Asked::read(name, fields).unwrap().unwrap();
        let outcome = cli::ask(&*self.log, &self.setup.topics, &self.clock, None, command);
        let outcome = outcome.unwrap_or_else(|error| panic!("{error}\n{}", self.said()));
        assert_eq!(outcome.refused, None, "{name}: {outcome:?}");
    }

    pub fn open_accounts(&self) {
        self.ask("load_prices", json!({ "document": PRICES }));
        for enterprise in 0..ENTERPRISES {
            self.ask(
                "open_enterprise",
                json!({ "enterprise": format!("e{enterprise}"), "name": "E", "country": "SG" }),
            );
        }
        for account in 0..ACCOUNTS {
            self.ask("open_account", json!({ "account": format!("a{account}"), "enterprise": format!("e{}", account % ENTERPRISES),
                "email": "x@y.example", "currency": "USD", "mode": "postpaid", "time_zone": ZONES[account % 3] }));
            if account % 4 != 0 {
                self.ask("top_up", json!({ "billing_account": format!("ba-a{account}"), "amount": "40", "currency": "USD",
                    "method": "bank_transfer" }));
            }
        }
    }

    /// Waits until all usage that was sent has been billed and everything is at rest, then ends the
    /// workers.
    pub fn come_to_rest(&mut self) {
        let billed = self.clock.now().plus(Span::minutes(75));
        while self.clock.now() < billed {
            std::thread::sleep(Duration::from_millis(100));
        }
        self.wait_until_read();
        for worker in 0..self.workers() {
            self.kill(worker);
        }
    }

    /// Proves from the log that the books are right.
    pub fn audit(&self) -> audit::Report {
        let installation = self.setup.installation(self.log.clone()).unwrap();
        audit::audit(&installation, &|_, _, _| ()).unwrap()
    }

    /// Waits until everything that stands on the input topics now has been read and committed.
    fn wait_until_read(&self) {
        let deadline = Instant::now() + Duration::from_secs(120);
        for (group, topic) in
            [("metering", Topic::Usage), ("registry", Topic::Commands), ("balance", Topic::Ledger)]
        {
            let name = self.setup.topics.name(topic);
            let group = format!("{}{group}", self.setup.config.installation().prefix);
            for partition in 0..self.setup.plan.partitions(topic) {
                let target = self.log.bounds(name, partition).unwrap().stable;
                while !self.has_read(&group, name, partition, target) {
                    assert!(
                        Instant::now() < deadline,
                        "{name} {partition} is not read to {target:?}\n{}",
                        self.said()
                    );
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }

    fn has_read(&self, group: &str, topic: &str, partition: u32, target: Next) -> bool {
        let committed = self.log.committed(group, topic, partition).unwrap().unwrap_or(Next::START);
        let mut unread = false;
        self.log
            .scan(topic, partition, committed, target, &mut |_| {
                unread = true;
                false
            })
            .unwrap();
        !unread
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for worker in 0..self.workers() {
            self.kill(worker);
        }
    }
}
