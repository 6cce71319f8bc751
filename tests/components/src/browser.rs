//! A real browser: Debian's chromium, driven by playwright-core.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::cache;

const PLAYWRIGHT: &str = "1.65.1";

/// Runs a script of node that drives the browser, and returns what it printed. The script finds
/// playwright-core under `PLAYWRIGHT_CORE` and the browser under `CHROMIUM`; what its exit code and
/// standard error say is the error.
pub fn drive(script: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let folder = cache()?.join(format!("playwright-core-{PLAYWRIGHT}"));
    if !folder.join("complete").exists() {
        bail!("playwright-core {PLAYWRIGHT} is missing; `make prepare` installs it");
    }
    let chromium = Command::new("sh").args(["-c", "command -v chromium"]).output()?;
    if !chromium.status.success() {
        bail!("chromium is missing; `make prepare` installs it");
    }
    let chromium = String::from_utf8(chromium.stdout)?;
    let output = Command::new("node")
        .arg(script)
        .args(arguments)
        .env("PLAYWRIGHT_CORE", folder.join("node_modules/playwright-core"))
        .env("CHROMIUM", chromium.trim())
        .stdin(Stdio::null())
        .output()
        .context("node is missing; `make prepare` installs it")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{}\n{said}\n{}", script.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(said)
}
