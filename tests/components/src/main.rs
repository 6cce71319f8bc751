//! `drawdown-components tally FOLDER` ends `make test`: it names each real component and how many tests met it, with its
//! own counts, and fails if one was met by none. `drawdown-components kafka PORT` is `make kafka`: a broker to try
//! drawdown on, until Ctrl-C.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use drawdown_components::{Broker, BrokerOptions, Tally};
use signal_hook::consts::{SIGINT, SIGTERM};

const LOOKED_EVERY: Duration = Duration::from_millis(100);

#[allow(clippy::print_stderr)] // the command line talks to people
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["tally", folder] => tally(Path::new(folder)),
        ["kafka", port] => kafka(port.parse().context("a port is a number such as 9092")?),
        _ => bail!("it takes: tally FOLDER, or: kafka PORT"),
    }
}

fn tally(folder: &Path) -> anyhow::Result<()> {
    let tally = Tally::read(folder)?;
    write!(std::io::stdout(), "\n{tally}")?;
    tally.check()
}

/// Runs a broker until it is asked to end.
fn kafka(port: u16) -> anyhow::Result<()> {
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, end.clone())?;
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("127.0.0.1:{port} cannot be used, perhaps by another broker"))?;
    let mut broker = Broker::start(BrokerOptions { port: Some(port), ..Default::default() })?;
    writeln!(
        std::io::stdout(),
        "Kafka answers at {}; Ctrl-C ends it, and what is on it goes with it",
        broker.address()
    )?;
    while !end.load(Ordering::Acquire) {
        if !broker.is_running()? {
            bail!("the broker has ended by itself");
        }
        std::thread::sleep(LOOKED_EVERY);
    }
    broker.stop()
}
