//! `drawdown ingest`: usage from files, packed and sent. Safe to repeat: what was counted is known.

mod progress;
mod sending;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, bail};
use drawdown_console::counted;
use drawdown_files::{Format, NotRead, Source};
use drawdown_wire::usage::packing::check;

use self::progress::{Progress, rate};
use self::sending::{Destination, Sending};
use super::Setup;
use super::server::USUAL_SERVER;

/// What `drawdown ingest` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct IngestOptions {
    /// Files, or `-` for standard input. What gzip or zstd have packed is unpacked.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// How records are written; told by the ending of a file, or its first bytes, unless given.
    #[arg(long)]
    pub format: Option<Format>,
    /// Sends through the API there; without it and without a configuration through the one that
    /// DRAWDOWN_SERVER names, else http://127.0.0.1:8080.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The key for the API.
    #[arg(long, env = "DRAWDOWN_KEY", hide_env_values = true)]
    pub key: Option<String>,
}

impl IngestOptions {
    /// Which API to send through: none, if usage goes straight onto the log of a configuration.
    fn server(&self, is_configured: bool) -> Option<String> {
        match &self.server {
            Some(server) => Some(server.clone()),
            None if is_configured => None,
            None => Some(std::env::var("DRAWDOWN_SERVER").unwrap_or(USUAL_SERVER.to_owned())),
        }
    }
}

/// How fast fewer records than these were sent says nothing.
const RATED_FROM: u64 = 10_000;

/// What became of the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    sent: u64,
    malformed: u64,
}

/// Sends usage from files.
pub fn ingest(
    config: Option<&Path>,
    set: &[String],
    options: &IngestOptions,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let to = match options.server(config.is_some() || !set.is_empty()) {
        Some(server) => Destination::Server { server, key: options.key.clone() },
        None => {
            let setup = Setup::read(config, set)?;
            let (log, clock) = (setup.log()?, setup.clock()?);
            Destination::Log { log, topics: setup.topics, clock }
        }
    };
    let began = Instant::now();
    let (mut totals, mut failed) = (Totals::default(), Vec::new());
    for file in &options.files {
        match send(file, options.format, &to, &mut totals, out) {
            Ok(()) => {}
            // Others may be sent all the same.
            Err(Failed::File(why)) => failed.push(why),
            Err(Failed::All(why)) => {
                return Err(why.context(format!(
                    "{} sent before; send all again, what was counted is known",
                    counted(totals.sent, "record")
                )));
            }
        }
    }
    let Totals { sent, malformed } = totals;
    let sent = match sent {
        RATED_FROM.. => rate(sent, began.elapsed()),
        _ => counted(sent, "record"),
    };
    let hint = match totals.sent {
        0 => "",
        _ => "; `drawdown rejects list` shows those that cannot be counted",
    };
    writeln!(out, "{sent} sent, {malformed} malformed{hint}")?;
    if malformed > 0 {
        failed.push(
            "what is malformed is no usage record; mend it and send the files again, what was counted is known"
                .to_owned(),
        );
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

/// What goes no further.
enum Failed {
    /// This file.
    File(String),
    All(anyhow::Error),
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Failed {
        Failed::All(error.into())
    }
}

fn send(
    file: &Path,
    format: Option<Format>,
    to: &Destination,
    totals: &mut Totals,
    out: &mut dyn Write,
) -> Result<(), Failed> {
    let named = |why: &NotRead| format!("{}: {why}", file.display());
    let source = Source::open(file, format).map_err(|why| Failed::File(named(&why)))?;
    let (name, place_is) = (source.name.clone(), source.place());
    let mut sending = Sending::start(to).map_err(Failed::All)?;
    let told = sending.told.clone();
    let mut progress = Progress::new(&name, source.bytes, source.read.clone());
    let mut malformed = 0_u64;
    let read = source.read(&mut |place, record| {
        progress.record()?;
        match record
            .and_then(|record| check(record).map(|()| record).map_err(|why| why.to_string()))
        {
            Ok(record) => sending.take(place, record).map_err(NotRead::Stopped),
            Err(why) => {
                malformed = malformed.saturating_add(1);
                let said = progress
                    .beside(|| writeln!(out, "{name} {place_is} {place}: malformed: {why}"));
                Ok(said?)
            }
        }
    });
    let flushed = sending.flush();
    let finished = sending.finish();
    progress.end();
    let refused = std::mem::take(&mut *told.refused.lock().unwrap_or_else(PoisonError::into_inner));
    for sending::Refused { place, why } in &refused {
        writeln!(out, "{name} {place_is} {place}: malformed: {why}")?;
    }
    totals.sent = totals.sent.saturating_add(told.sent.load(Ordering::Relaxed));
    let refused = u64::try_from(refused.len()).unwrap_or(u64::MAX);
    totals.malformed = totals.malformed.saturating_add(malformed).saturating_add(refused);
    // Why nothing is sent any more is known by whoever sent.
    finished
        .and(flushed)
        .with_context(|| format!("{name} is not sent to its end"))
        .map_err(Failed::All)?;
    match read {
        Ok(()) => Ok(()),
        Err(NotRead::Stopped(why)) => Err(Failed::All(why)),
        Err(why) => Err(Failed::File(named(&why))),
    }
}
