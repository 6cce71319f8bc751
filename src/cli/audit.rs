//! `drawdown audit`: the proof over the configured log, as a table.

use std::cell::Cell;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use drawdown_runtime::Step;

use super::Setup;
use crate::audit::{audit, audit_tables};

/// How often a long run says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Prints the proof to `out`, its verdict last, and its progress to `progress`; an error if anything differs.
pub fn audit_log(
    setup: &Setup,
    out: &mut dyn Write,
    progress: &mut dyn Write,
) -> anyhow::Result<()> {
    let log = if setup.is_on_kafka() {
        setup.log()?
    } else {
        let directory = &setup.config.embedded().directory;
        if !Path::new(directory).exists() {
            bail!("embedded.directory {directory} does not exist: there is nothing to audit");
        }
        setup.log().context("an embedded log is audited while no worker holds it")?
    };
    let installation = setup.installation(log)?;
    let (told, steps) = (Cell::new(Instant::now()), Cell::new(0u64));
    let progress = std::cell::RefCell::new(progress);
    let report = audit(&installation, &|topic: &str, partition: u32, step: &Step| {
        steps.set(steps.get() + 1);
        if told.get().elapsed() >= TELL_EVERY {
            told.set(Instant::now());
            let line =
                format!("{topic} {partition}: at step {}, {} in all", step.sequence, steps.get());
            // Nobody may be listening any more; the proof does not depend on it.
            drop(writeln!(progress.borrow_mut(), "{line}"));
        }
    })?;
    writeln!(out, "{report}\n")?;
    let (of_tables, agrees) = match audit_tables(&installation, &setup.store())? {
        Some(tables) => {
            writeln!(out, "{tables}")?;
            let agrees = match tables.behind() {
                0 => ", and ClickHouse says the same",
                _ => ", and ClickHouse says the same as far as it has come",
            };
            (tables.differences(), agrees)
        }
        None => {
            writeln!(out, "ClickHouse: this installation has put nothing there")?;
            (0, "")
        }
    };
    match report.differences() + of_tables {
        0 => Ok(writeln!(out, "\nThe books are right: the log differs nowhere{agrees}.")?),
        count => {
            bail!("the books differ in {count} places; each is named above with where it stands")
        }
    }
}
