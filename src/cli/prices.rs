//! `drawdown prices`: checks and loads price books.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use drawdown_domain::commands::LoadPrices;
use drawdown_domain::rating;

use super::Setup;
use super::ask::ask;

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Says whether a file is a price book by itself.
pub fn check_prices(file: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let entries = rating::parse(&read(file)?).with_context(|| file.display().to_string())?;
    let count = entries.len();
    rating::PriceBook::default()
        .changes(entries, drawdown_domain::time::Timestamp::START)
        .with_context(|| file.display().to_string())?;
    writeln!(out, "{} prices", count)?;
    Ok(())
}

/// Loads a price book.
pub fn load_prices(setup: &Setup, file: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    check_prices(file, out)?;
    let command = LoadPrices { document: read(file)? };
    let outcome = ask(&*setup.log()?, &setup.topics, &setup.clock()?, None, command.into())?;
    match outcome.refused {
        None => Ok(writeln!(out, "loaded")?),
        Some(refusal) => bail!("{refusal}: {}", outcome.detail.unwrap_or_default()),
    }
}
