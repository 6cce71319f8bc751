//! A broker, an installation on it, and worker processes that can be killed.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use drawdown::cli::{self, Setup};
use drawdown_components::{Cluster, free_port};
use drawdown_log::Point;
use drawdown_runtime::clock::Clock;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::kills::TABLE_MAX;
use super::site::{STARTS_AT, Site, await_that};
use crate::end_to_end::console::client::Client;
use crate::end_to_end::turn;

/// How a rig is set up.
#[derive(Clone, Copy, Debug)]
pub struct RigOptions {
    /// Which consumers run in which process.
    pub workers: &'static [&'static [&'static str]],
    /// An hour of the installation's time passes in so many seconds.
    pub hour_seconds: u32,
    pub usage_partitions: u32,
    /// With several each has a copy of everything.
    pub brokers: usize,
    pub transaction_timeout_seconds: u64,
    pub session_timeout_seconds: u64,
    /// Where the mail server listens, if anything reaches the outside.
    pub mail_port: Option<u16>,
    /// Where ClickHouse is.
    pub clickhouse: Option<u16>,
    /// Where a schema registry is.
    pub schema_registry: Option<u16>,
}

impl Default for RigOptions {
    /// Two of each consumer that has several partitions, so that these move when one dies for long.
    fn default() -> RigOptions {
        RigOptions {
            workers: &[&["metering", "balance"], &["metering", "registry", "balance"]],
            hour_seconds: 10,
            usage_partitions: 4,
            brokers: 1,
            transaction_timeout_seconds: 3,
            session_timeout_seconds: 3,
            mail_port: None,
            clickhouse: None,
            schema_registry: None,
        }
    }
}

pub struct Rig {
    pub brokers: Cluster,
    options: RigOptions,
    folder: TempDir,
    site: Site,
    workers: Vec<Option<Child>>,
    /// Where a console listens, if one of the workers is one.
    console_port: u16,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Rig {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Rig {
    pub fn start(options: RigOptions) -> Rig {
        let turn = turn::take();
        let brokers = Cluster::start(options.brokers).unwrap();
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
        let clickhouse = options.clickhouse.map_or_else(String::new, |port| {
            format!("[clickhouse]\nurl = \"http://127.0.0.1:{port}\"\n[analytics]\ninsert_after = \"100ms\"\ndeadline = \"10s\"\n")
        });
        let config = format!(
            "[installation]\nsecret = \"{}\"\ntopics = \"{}\"\n[kafka]\nbootstrap = \"{}\"\nreplication = {}\ntransaction_timeout = \"{}s\"\nsession_timeout = \"{}s\"\n\
             [worker]\nclock = \"{} {} {}\"\nsnapshot_after_bytes = 10000\nhttp = \"\"\ndata = \"{}\"\n\
             [metering]\nidentities_table_max = {TABLE_MAX}\n{clickhouse}",
            "5a".repeat(32),
            folder.path().join("topics.toml").display(),
            brokers.bootstrap(),
            options.brokers,
            options.transaction_timeout_seconds,
            options.session_timeout_seconds,
            fast.factor,
            fast.shown,
            fast.real,
            folder.path().join("local").display()
        );
        let outside = options.mail_port.map_or(String::new(), |port| {
            format!(
                "[payments]\nsandbox_book = \"{}\"\n[console]\ndemo_key = \"demo\"\n\
                 [mail]\ndelivery = \"smtp\"\nsecurity = \"none\"\nport = {port}\n",
                folder.path().join("book.jsonl").display()
            )
        });
        let schemas = options.schema_registry.map_or(String::new(), |port| {
            format!("[schema_registry]\nurl = \"http://127.0.0.1:{port}\"\n")
        });
        let config = config + &outside + &schemas;
        let path = folder.path().join("drawdown.toml");
        fs::write(&path, config).unwrap();
        let setup = Setup::read(Some(&path), &[]).unwrap();
        cli::apply_topics(&setup, &mut std::io::sink()).unwrap();
        let log = setup.log().unwrap();
        let workers = options.workers.iter().map(|_| None).collect();
        let site = Site { setup, log, clock };
        let console_port = free_port().unwrap();
        let mut rig = Rig { brokers, options, folder, site, workers, console_port, _turn: turn };
        for worker in 0..rig.workers() {
            rig.restart(worker);
        }
        rig
    }

    pub fn workers(&self) -> usize {
        self.options.workers.len()
    }

    pub fn console(&self) -> Client {
        Client { port: self.console_port }
    }

    /// The sandbox gateway's own book.
    pub fn book(&self) -> String {
        fs::read_to_string(self.folder.path().join("book.jsonl")).unwrap_or_default()
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
        if self.options.workers[worker].contains(&"console") {
            command.arg("--set").arg(format!("worker.http=127.0.0.1:{}", self.console_port));
        }
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
            let lines: Vec<&str> = text.lines().rev().take(40).collect();
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

    /// Waits until all usage that was sent has been billed and everything is at rest, then asks the
    /// workers to end, so that they leave nothing undecided.
    pub fn come_to_rest(&mut self) {
        self.site.wait_for_rest();
        let all: Vec<usize> = (0..self.workers()).collect();
        self.end(&all);
    }

    /// Asks workers to end, and waits until they have.
    pub fn end(&mut self, workers: &[usize]) {
        for worker in workers {
            let child = self.workers[*worker].as_ref().unwrap();
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            kill_process(pid, Signal::TERM).unwrap();
        }
        for worker in workers {
            let what = format!("worker {worker} ended");
            await_that(&what, Duration::from_secs(30), || self.ended(*worker).is_some());
            assert!(self.ended(*worker).unwrap().success(), "worker {worker} ended badly");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.said());
        }
        for worker in 0..self.workers() {
            self.kill(worker);
        }
    }
}
