//! Ends `make test`: names each real component and how many tests met it, with its own counts; fails if one
//! was met by none.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use drawdown_components::Tally;

#[allow(clippy::print_stderr)] // the command line talks to people
fn main() -> ExitCode {
    match report() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn report() -> anyhow::Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("say which folder")?.into();
    let tally = Tally::read(&folder)?;
    write!(std::io::stdout(), "\n{tally}")?;
    tally.check()
}
