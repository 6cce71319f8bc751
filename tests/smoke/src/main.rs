//! `make smoke`: what `make run` promises, asserted from outside on the binary that it runs: by API, SMTP and
//! SQL, from generated usage only. Prints each promise with the time at which it was kept.

mod promises;
mod site;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use promises::{PROMISES, Promise};
use site::Site;

/// From the start of the process, for all that a visitor is to see.
const KEPT_WITHIN: Duration = Duration::from_secs(120);
/// From the second start, for all that was there before.
const BACK_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);

fn main() -> anyhow::Result<()> {
    let program: PathBuf =
        std::env::args_os().nth(1).context("say where the program drawdown is")?.into();
    let mut out = std::io::stdout();
    let mut site = Site::start(&program)?;
    writeln!(out, "drawdown up --demo --clock 600, seen from outside:")?;
    if let Err(error) = keep(&site, PROMISES, KEPT_WITHIN, &mut out) {
        bail!("{error:#}\n{}", site.said()?);
    }
    let before = promises::found(&site)?;
    site.stop()?;
    writeln!(out, "    it ended in order, and is started again:")?;
    site.resume()?;
    let back = |site: &Site| promises::is_back(site, &before);
    let again: Promise = ("all that was there is there again", &back);
    if let Err(error) = keep(&site, &[again], BACK_WITHIN, &mut out) {
        bail!("{error:#}\n{}", site.said()?);
    }
    site.stop()
}

/// Looks at all promises in turn until each was seen kept, and says when that was. One that is not is an
/// error, with what was found in its place.
fn keep(
    site: &Site,
    promises: &[Promise<'_>],
    within: Duration,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut open: Vec<_> = promises.iter().map(|promise| (*promise, String::new())).collect();
    while !open.is_empty() {
        let mut still = Vec::new();
        for ((name, look), _) in open {
            // What cannot be asked yet may be a moment later.
            match look(site) {
                Ok(seen) => {
                    let seconds = site.up_for().as_secs_f64();
                    writeln!(out, "{seconds:6.1} s  {name}: {seen}")?;
                    if site.up_for() > within {
                        bail!("that was too late: {} s were promised", within.as_secs());
                    }
                }
                Err(error) => still.push(((name, look), format!("{error:#}"))),
            }
        }
        open = still;
        if !open.is_empty() && site.up_for() > within {
            let missing: Vec<String> =
                open.iter().map(|((name, _), why)| format!("{name}: {why}")).collect();
            bail!("not kept within {} s:\n  {}", within.as_secs(), missing.join("\n  "));
        }
        if !open.is_empty() {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    Ok(())
}
