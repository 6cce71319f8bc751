//! A real browser: Debian's chromium, driven by playwright-core.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::cache;
use crate::tally::{self, Component, Counts};

const PLAYWRIGHT: &str = "1.65.1";
/// Says how many actions and frames the traces of a folder hold.
const COUNT: &str = r#"
import glob, json, sys, zipfile
counts = {"actions": 0, "frames": 0}
kinds = {"before": "actions", "screencast-frame": "frames"}
for path in glob.glob(sys.argv[1] + "/*.zip"):
    with zipfile.ZipFile(path) as trace:
        for name in trace.namelist():
            if name.endswith((".trace",)):
                for line in trace.read(name).splitlines():
                    kind = kinds.get(json.loads(line)["type"])
                    if kind:
                        counts[kind] += 1
print(json.dumps(counts))
"#;

/// Runs a script of node that drives the browser, and returns what it printed. The script finds
/// playwright-core under `PLAYWRIGHT_CORE`, the browser under `CHROMIUM`, and under `KEPT` the folder for
/// its pictures and traces; what its exit code and standard error say is the error.
pub fn drive(script: &Path, arguments: &[&str], kept: &Path) -> anyhow::Result<String> {
    let folder = cache()?.join(format!("playwright-core-{PLAYWRIGHT}"));
    if !folder.join("complete").exists() {
        bail!("playwright-core {PLAYWRIGHT} is missing; `make prepare` installs it");
    }
    let chromium = Command::new("sh").args(["-c", "command -v chromium"]).output()?;
    if !chromium.status.success() {
        bail!("chromium is missing; `make prepare` installs it");
    }
    let chromium = String::from_utf8(chromium.stdout)?;
    // What an earlier run left is nothing that this one has seen.
    if kept.exists() {
        std::fs::remove_dir_all(kept)?;
    }
    std::fs::create_dir_all(kept)?;
    let instance = kept.display().to_string();
    tally::met(Component::Browser, &instance);
    let output = Command::new("node")
        .arg(script)
        .args(arguments)
        .env("PLAYWRIGHT_CORE", folder.join("node_modules/playwright-core"))
        .env("CHROMIUM", chromium.trim())
        .env("KEPT", kept)
        .stdin(Stdio::null())
        .output()
        .context("node is missing; `make prepare` installs it")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{}\n{said}\n{}", script.display(), String::from_utf8_lossy(&output.stderr));
    }
    tally::counted(Component::Browser, &instance, traced(kept));
    tally::kept(Component::Browser, &instance, kept);
    Ok(said)
}

/// What the browser did, by its own traces.
fn traced(kept: &Path) -> anyhow::Result<Counts> {
    let output = Command::new("python3").args(["-c", COUNT]).arg(kept).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
