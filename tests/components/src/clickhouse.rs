//! The real ClickHouse engine, in a process of its own as `drawdown clickhouse` serves it, and the
//! client of ClickHouse that most people use.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http::ask;
use crate::tally::{self, Component, Counts, Shared};
use crate::{free_port, python};

const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// An engine that is asked what it counted and does not answer by then is not asked again.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const EVENTS: &str =
    "SELECT event, value FROM system.events WHERE event IN ('Query', 'InsertedRows') FORMAT TSV";

/// A running engine, stopped when dropped.
#[derive(Debug)]
pub struct ClickHouse {
    /// The program `drawdown`.
    program: PathBuf,
    folder: TempDir,
    port: u16,
    password: Option<String>,
    process: Option<Running>,
}

/// The engine's process, and another that ends it should this one end without doing so.
#[derive(Debug)]
struct Running {
    engine: Child,
    watcher: Child,
}

const WATCHER: &str = "read -r _; kill -9 \"$0\"; rm -rf \"$1\"";

impl ClickHouse {
    pub fn start(program: &Path) -> anyhow::Result<ClickHouse> {
        ClickHouse::start_with(program, None)
    }

    /// Asks for a password, if there is one.
    pub fn start_with(program: &Path, password: Option<&str>) -> anyhow::Result<ClickHouse> {
        let mut clickhouse = ClickHouse {
            program: program.to_owned(),
            folder: TempDir::with_prefix("drawdown-clickhouse-")?,
            port: free_port()?,
            password: password.map(str::to_owned),
            process: None,
        };
        clickhouse.resume()?;
        Ok(clickhouse)
    }

    /// Where it is asked. Whoever wants to know has met it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    pub fn port(&self) -> u16 {
        tally::met(Component::ClickHouse, &self.instance());
        self.port
    }

    /// For an engine that several tests share, which nobody stops.
    pub fn shared(&'static self) -> &'static ClickHouse {
        tally::ask_at_end(self);
        self
    }

    /// An engine that starts again counts anew.
    fn instance(&self) -> String {
        self.process.as_ref().map_or(0, |running| running.engine.id()).to_string()
    }

    /// The engine's own counters.
    fn events(&self) -> anyhow::Result<Counts> {
        let password = self.password.as_deref().unwrap_or_default();
        let headers = [("x-clickhouse-user", "default"), ("x-clickhouse-key", password)];
        let (status, said) =
            ask(self.port, "POST", "/", &headers, EVENTS.as_bytes(), ANSWERS_WITHIN)?;
        let said = String::from_utf8(said)?;
        if status != 200 {
            bail!("the engine says {said}");
        }
        let mut counts = Counts::new();
        for (event, count) in said.lines().filter_map(|line| line.split_once('\t')) {
            let what = if event == "Query" { "queries" } else { "rows inserted" };
            counts.insert(what.to_owned(), count.parse()?);
        }
        Ok(counts)
    }

    /// Starts it again after [`ClickHouse::kill`] or [`ClickHouse::stop`], with its data, on its port.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        let said = self.folder.path().join("output.log");
        let output = fs::File::options().create(true).append(true).open(&said)?;
        let mut command = Command::new(&self.program);
        command
            .arg("clickhouse")
            .arg("--data")
            .arg(self.folder.path().join("data"))
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(output);
        if let Some(password) = &self.password {
            command.env("DRAWDOWN_CLICKHOUSE_PASSWORD", password);
        }
        let mut engine = command.spawn().with_context(|| self.program.display().to_string())?;
        let watcher = Command::new("sh")
            .args(["-c", WATCHER, &engine.id().to_string()])
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = engine.stdout.take().context("no output")?;
        self.process = Some(Running { engine, watcher });
        // It says a line once it listens and the engine runs; none if it ends before.
        let (say, up) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            say.send(lines.next().is_some()).ok();
            lines.for_each(drop);
        });
        if up.recv_timeout(STARTS_WITHIN) != Ok(true) {
            bail!("the ClickHouse engine does not start: {}", fs::read_to_string(said)?);
        }
        Ok(())
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.end(Signal::KILL).map(drop)
    }

    /// Ends it in order; whether it ended well.
    pub fn stop(&mut self) -> anyhow::Result<bool> {
        self.end(Signal::TERM)
    }

    fn end(&mut self, signal: Signal) -> anyhow::Result<bool> {
        self.count();
        let Some(Running { mut engine, mut watcher }) = self.process.take() else {
            return Ok(true);
        };
        // First the watcher, which would otherwise end whoever gets the engine's number next.
        watcher.kill()?;
        watcher.wait()?;
        let pid = Pid::from_raw(i32::try_from(engine.id())?).context("no process id")?;
        kill_process(pid, signal)?;
        Ok(engine.wait()?.success())
    }
}

impl Shared for ClickHouse {
    fn count(&self) {
        if tally::is_kept() && self.process.is_some() {
            tally::counted(Component::ClickHouse, &self.instance(), self.events());
        }
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        // One that has ended already need not be ended.
        drop(self.kill());
    }
}

/// A Python that has `clickhouse-connect`, as the installation put it.
pub fn clickhouse_connect() -> anyhow::Result<PathBuf> {
    let client = python("clickhouse-connect", "1.12.0")?;
    tally::met(Component::ClickHouseConnect, "");
    Ok(client)
}
