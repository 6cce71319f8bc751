//! `drawdown config`: what is in force, or all there is.

use std::io::Write;

use drawdown_runtime::config::reference;

use super::Setup;

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
