//! `drawdown config`: what is in force, or all there is; and `drawdown version`.

use std::io::Write;

use drawdown_domain::ledger::RULES_VERSION;
use drawdown_runtime::config::reference;

use super::Setup;
use super::folder::FORMAT;

/// Prints what is in force, secrets masked; or with `all_there_is` the reference.
pub fn show_config(setup: &Setup, all_there_is: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if all_there_is {
        for known in reference() {
            writeln!(out, "{}.{} = {}", known.section, known.key, known.default)?;
            writeln!(out, "    {}", known.doc)?;
        }
        return Ok(());
    }
    for (name, value) in setup.config.in_force() {
        writeln!(out, "{name} = {value}")?;
    }
    Ok(())
}

/// Says which version this is, also of what it decides by and of what it keeps.
pub fn show_version(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "drawdown {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "rules    {RULES_VERSION}, by which an audit decides again")?;
    writeln!(out, "data     layout {FORMAT} of the folder of `drawdown up`")?;
    writeln!(out, "built    for {} on {}", std::env::consts::OS, std::env::consts::ARCH)?;
    Ok(())
}
