//! A broker, an installation on it, and worker processes that can be killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown::cli::{self, Setup};
use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::commands::Command as Asked;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Error, Log, Message, Next, Point};
use drawdown_runtime::clock::Clock;
use drawdown_wire::messages::{CommandMessage, LedgerInput, LedgerMessage, Outcomes};
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::check::decoded;

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

/// How a rig is set up.
#[derive(Clone, Copy, Debug)]
pub struct RigOptions {
    /// Which consumers run in which process.
    pub workers: &'static [&'static [&'static str]],
    /// An hour of the installation's time passes in so many seconds.
    pub hour_seconds: u32,
    pub usage_partitions: u32,
    pub transaction_timeout_seconds: u64,
    pub session_timeout_seconds: u64,
}

impl Default for RigOptions {
    /// Two of each consumer that has several partitions, so that these move when one dies for long.
    fn default() -> RigOptions {
        RigOptions {
            workers: &[&["metering", "balance"], &["metering", "registry", "balance"]],
            hour_seconds: 10,
            usage_partitions: 4,
            transaction_timeout_seconds: 3,
            session_timeout_seconds: 3,
        }
    }
}

pub struct Rig {
    pub broker: Broker,
    options: RigOptions,
    folder: TempDir,
    pub setup: Setup,
    pub log: Arc<dyn Log>,
    pub clock: Clock,
    workers: Vec<Option<Child>>,
}

impl Rig {
    pub fn start(options: RigOptions) -> Rig {
        let broker = Broker::start(BrokerOptions::default()).unwrap();
        let folder = TempDir::with_prefix("drawdown-faults-").unwrap();
        let clock = Clock::fast(3_600 / options.hour_seconds, STARTS_AT.parse().unwrap());
        let Clock::Fast(fast) = &clock else { unreachable!() };
        let plan = drawdown_wire::topics::DEFAULT_PLAN
            .replace(
                "usage_partitions = 16",
                &format!("usage_partitions = {}", options.usage_partitions),
            )
            .replace("ledger_partitions = 16", "ledger_partitions = 4");
        fs::write(folder.path().join("topics.toml"), plan).unwrap();
        let config = format!(
            "[installation]\nsecret = \"{}\"\ntopics = \"{}\"\n[kafka]\nbootstrap = \"{}\"\ntransaction_timeout = \"{}s\"\nsession_timeout = \"{}s\"\n\
             [worker]\nclock = \"{} {} {}\"\nsnapshot_after_bytes = 10000\nhttp = \"\"\ndata = \"{}\"\n",
            "5a".repeat(32),
            folder.path().join("topics.toml").display(),
            broker.bootstrap(),
            options.transaction_timeout_seconds,
            options.session_timeout_seconds,
            fast.factor,
            fast.shown,
            fast.real,
            folder.path().join("local").display()
        );
        let path = folder.path().join("drawdown.toml");
        fs::write(&path, config).unwrap();
        let setup = Setup::read(Some(&path), &[]).unwrap();
        cli::apply_topics(&setup, &mut std::io::sink()).unwrap();
        let log = setup.log().unwrap();
        let workers = options.workers.iter().map(|_| None).collect();
        let mut rig = Rig { broker, options, folder, setup, log, clock, workers };
        for worker in 0..rig.workers() {
            rig.restart(worker);
        }
        rig
    }

    pub fn workers(&self) -> usize {
        self.options.workers.len()
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("drawdown.toml")
    }

    /// Starts a worker, with a variable that makes it end or freeze itself.
    fn spawn(&self, worker: usize, armed: Option<(&str, String)>) -> Child {
        let output =
            fs::File::options().create(true).append(true).open(self.output(worker)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg("worker").args(self.options.workers[worker]).arg("--config").arg(self.config());
        command.arg("--set").arg(format!("installation.instance={worker}"));
        command.envs(armed);
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
            let text = self.said_by(worker);
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
        let mut child =
            self.spawn(worker, Some(("DRAWDOWN_KILL_AT", format!("{}:{count}", point.name()))));
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

    /// Lets a worker run until it freezes itself at a point.
    pub fn freeze_at(&mut self, worker: usize, point: Point, count: u64) {
        self.kill(worker);
        let armed = ("DRAWDOWN_FREEZE_AT", format!("{}:{count}", point.name()));
        let child = self.spawn(worker, Some(armed));
        let status = format!("/proc/{}/stat", child.id());
        self.workers[worker] = Some(child);
        await_that(&format!("worker {worker} frozen"), Duration::from_secs(60), || {
            // The state stands behind the name, which is in parentheses.
            let text = fs::read_to_string(&status).unwrap();
            text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        });
    }

    /// Lets a frozen worker go on.
    pub fn wake(&self, worker: usize) {
        let child = self.workers[worker].as_ref().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::CONT).unwrap();
    }

    /// How a worker ended, if it has.
    pub fn ended(&mut self, worker: usize) -> Option<ExitStatus> {
        self.workers[worker].as_mut().and_then(|child| child.try_wait().unwrap())
    }

    /// All that a worker ever said.
    pub fn said_by(&self, worker: usize) -> String {
        fs::read_to_string(self.output(worker)).unwrap_or_default()
    }

    pub fn kill(&mut self, worker: usize) {
        if let Some(mut child) = self.workers[worker].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks for commands, and waits until all are decided.
    fn ask(&self, commands: Vec<(&str, Value)>) {
        let mut undecided = BTreeMap::new();
        for (name, fields) in commands {
            let command = Asked::read(name, fields.clone()).unwrap().unwrap();
            let message = CommandMessage { principal: PrincipalId::operator(), key: None, command };
            let message = schemas::COMMAND.message(&message);
            let topic = self.setup.topics.name(Topic::Commands);
            let next = self.log.append(topic, 0, self.clock.now(), &[&message]).unwrap();
            undecided.insert(next.0 as u64 - 1, (name, fields));
        }
        let outcomes = self.setup.topics.name(Topic::Outcomes);
        let mut places = vec![Next::START; self.setup.plan.partitions(Topic::Outcomes) as usize];
        await_that("the decision of all commands", Duration::from_secs(120), || {
            for (place, partition) in places.iter_mut().zip(0u32..) {
                let visit = &mut |message: Message<'_>| {
                    for outcome in decoded::<Outcomes>(&message).outcomes {
                        let asked = undecided.remove(&outcome.command);
                        assert_eq!(outcome.refused, None, "{asked:?}");
                    }
                    true
                };
                let until = Next(i64::MAX);
                *place = self.log.scan(outcomes, partition, *place, until, visit).unwrap();
            }
            undecided.is_empty()
        });
    }

    /// Each wave of commands builds on what the one before has opened.
    pub fn open_accounts(&self) {
        let mut commands = vec![("load_prices", json!({ "document": PRICES }))];
        for enterprise in 0..ENTERPRISES {
            let enterprise = format!("e{enterprise}");
            let fields = json!({ "enterprise": enterprise, "name": "E", "country": "SG" });
            commands.push(("open_enterprise", fields));
        }
        self.ask(commands);
        let open = |account| {
            (
                "open_account",
                json!({ "account": format!("a{account}"), "enterprise": format!("e{}", account % ENTERPRISES),
                "email": "x@y.example", "currency": "USD", "mode": "postpaid", "time_zone": ZONES[account % 3] }),
            )
        };
        self.ask((0..ACCOUNTS).map(open).collect());
        let top_up = |account| {
            (
                "top_up",
                json!({ "billing_account": format!("ba-a{account}"), "amount": "40", "currency": "USD",
                "method": "bank_transfer" }),
            )
        };
        self.ask((0..ACCOUNTS).filter(|account| account % 4 != 0).map(top_up).collect());
    }

    /// How far each consumer has read each partition of its input.
    pub fn positions(&self) -> Result<BTreeMap<(String, u32), Next>, Error> {
        let mut positions = BTreeMap::new();
        for (group, topic) in GROUPS {
            let name = self.setup.topics.name(topic);
            let group = format!("{}{group}", self.setup.config.installation().prefix);
            for partition in 0..self.setup.plan.partitions(topic) {
                let next = self.log.committed(&group, name, partition)?;
                positions.insert((group.clone(), partition), next.unwrap_or(Next::START));
            }
        }
        Ok(positions)
    }

    /// Lets so many minutes of the installation's time pass.
    pub fn let_pass(&self, minutes: i32) {
        let until = self.clock.now().plus(Span::minutes(minutes));
        while self.clock.now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until all usage that was sent has been billed and everything is at rest, then ends the
    /// workers.
    pub fn come_to_rest(&mut self) {
        let sent_before = self.clock.now();
        self.let_pass(75);
        self.wait_until_marked(sent_before.plus(Span::minutes(60)));
        self.wait_until_read();
        for worker in 0..self.workers() {
            self.kill(worker);
        }
    }

    /// Waits until every partition of usage has told every ledger that it is past this time.
    fn wait_until_marked(&self, time: Timestamp) {
        let topic = self.setup.topics.name(Topic::Ledger);
        let usage_partitions = self.setup.plan.partitions(Topic::Usage) as usize;
        for partition in 0..self.setup.plan.partitions(Topic::Ledger) {
            let (mut next, mut past) = (Next::START, BTreeSet::new());
            let what = format!("all usage past {time} for ledger {partition}");
            await_that(&what, Duration::from_secs(120), || {
                let visit = &mut |message: Message<'_>| {
                    if let LedgerInput::Mark(mark) = decoded::<LedgerMessage>(&message).input
                        && mark.until >= time
                    {
                        past.insert(mark.usage_partition);
                    }
                    true
                };
                next = self.log.scan(topic, partition, next, Next(i64::MAX), visit).unwrap();
                past.len() == usage_partitions
            });
        }
    }

    /// Waits until everything that stands on the input topics now has been read and committed.
    fn wait_until_read(&self) {
        let deadline = Instant::now() + Duration::from_secs(120);
        for (group, topic) in GROUPS {
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

/// Each consumer and its input.
const GROUPS: [(&str, Topic); 3] =
    [("metering", Topic::Usage), ("registry", Topic::Commands), ("balance", Topic::Ledger)];

/// Waits for a condition, up to a deadline.
pub fn await_that(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "there never was: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for worker in 0..self.workers() {
            self.kill(worker);
        }
    }
}
