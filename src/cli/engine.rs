//! The ClickHouse engine beside `drawdown up`: a process of its own, so that what analysts ask cannot hurt
//! billing. One that ends is started again, with its data and on its port.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use drawdown_ports::clickhouse::library;

use super::Setup;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// One that ends at once is not started again at once.
const START_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// It writes down what it holds, and then is ended.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// How the engine's process is started.
#[derive(Debug)]
struct Engine {
    library: PathBuf,
    data: PathBuf,
    port: u16,
}

/// Runs the engine until `end` is set, on a thread of its own.
pub(super) fn run_engine(
    library: PathBuf,
    data: &Path,
    port: u16,
    end: Arc<AtomicBool>,
) -> anyhow::Result<JoinHandle<()>> {
    let engine = Engine { library, data: data.to_owned(), port };
    let thread = std::thread::Builder::new().name("clickhouse".to_owned());
    thread.spawn(move || engine.keep_up(&end)).context("no thread for the ClickHouse engine")
}

/// The engine's library, if this machine has it.
pub(super) fn engine_library(setup: &Setup) -> Result<PathBuf, library::NoLibrary> {
    let configured = &setup.config.clickhouse().library;
    library::find((!configured.is_empty()).then(|| Path::new(configured)))
}

/// The wanted port of this machine's loopback; if another has it, one that is free.
pub(super) fn free_port(wanted: u16) -> anyhow::Result<u16> {
    let bound = TcpListener::bind(("127.0.0.1", wanted))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
        .context("no port is free for the ClickHouse engine")?;
    Ok(bound.local_addr()?.port())
}

impl Engine {
    fn keep_up(&self, end: &AtomicBool) {
        let mut running: Option<Child> = None;
        let mut started: Option<Instant> = None;
        while !end.load(Ordering::Acquire) {
            if let Some(child) = &mut running {
                match child.try_wait() {
                    Ok(None) => {}
                    Ok(Some(how)) => {
                        tracing::error!(%how, "the ClickHouse engine has ended; it is started again");
                        running = None;
                    }
                    Err(error) => {
                        tracing::error!(%error, "the ClickHouse engine cannot be watched")
                    }
                }
            } else if started.is_none_or(|at| at.elapsed() >= START_AGAIN_AFTER) {
                started = Some(Instant::now());
                match self.start() {
                    Ok(child) => running = Some(child),
                    Err(error) => {
                        tracing::error!(%error, "the ClickHouse engine cannot be started")
                    }
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
        if let Some(child) = running {
            finish(child);
        }
    }

    /// It ends when its input does: so it never outlives this process, however that ends. What it says comes through us,
    /// because on a terminal of its own the engine says much that means nothing.
    fn start(&self) -> anyhow::Result<Child> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["clickhouse", "--ends-with-input", "--data"])
            .arg(&self.data)
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--set", &format!("clickhouse.library={}", self.library.display())])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut said) = child.stderr.take() {
            std::thread::Builder::new()
                .name("clickhouse-says".to_owned())
                // Where nobody hears us, nobody hears it either.
                .spawn(move || drop(std::io::copy(&mut said, &mut std::io::stderr())))?;
        }
        Ok(child)
    }
}

fn finish(mut child: Child) {
    drop(child.stdin.take());
    let deadline = Instant::now() + ENDS_WITHIN;
    while let Ok(None) = child.try_wait() {
        if Instant::now() > deadline {
            tracing::warn!("the ClickHouse engine does not end; it is ended");
            // One that has ended meanwhile need not be.
            child.kill().ok();
            child.wait().ok();
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
