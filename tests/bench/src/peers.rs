//! Kafka Streams doing the same job on the same broker, beside us.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

/// How the peer is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) hops: u32,
    pub(crate) store: &'static str,
    pub(crate) commit_ms: u32,
}

/// What the peer says of its run.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) rate: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) charged: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/kafka-streams")
}

/// Builds the peer, if it is not built yet.
pub(crate) fn build() -> anyhow::Result<()> {
    if folder().join("target/kafka-streams-peer.jar").exists() {
        return Ok(());
    }
    let built = Command::new("mvn")
        .args(["-q", "-B", "-DskipTests", "package"])
        .current_dir(folder())
        .status()
        .context("Maven (mvn) is missing; it builds the peer")?;
    if !built.success() {
        bail!("the peer in {} cannot be built", folder().display());
    }
    Ok(())
}

impl Streams {
    /// Runs the peer over a filled topic, until all of it is booked and committed.
    pub(crate) fn run(
        &self,
        bootstrap: &str,
        input: &str,
        partitions: u32,
        records: u64,
    ) -> anyhow::Result<Said> {
        let state = tempfile::tempdir()?;
        let name = format!("streams-{}-{}-{}", self.hops, self.store, self.commit_ms);
        let output = Command::new("java")
            .args(["-Xms3g", "-Xmx3g", "-XX:+UseParallelGC", "-cp"])
            .arg("target/kafka-streams-peer.jar:target/libs/*")
            .args(["peer.Peer", "--bootstrap", bootstrap, "--application-id", &name])
            .args([
                "--input",
                input,
                "--output",
                &format!("{name}-balances"),
                "--store",
                self.store,
            ])
            .args(["--partitions", &partitions.to_string(), "--records", &records.to_string()])
            .args(["--hops", &self.hops.to_string(), "--commit-ms", &self.commit_ms.to_string()])
            .args(["--threads", "2", "--state-dir"])
            .arg(state.path())
            .current_dir(folder())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("java is missing")?;
        if !output.status.success() {
            bail!("{name} has failed");
        }
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().last().context("the peer said nothing")?;
        let said: Value = serde_json::from_str(line)?;
        let number = |key: &str| said.get(key).and_then(Value::as_f64).context(key.to_owned());
        Ok(Said {
            rate: number("rate")?,
            cpu_seconds: number("cpu_seconds")?,
            charged: said
                .get("total_charged")
                .and_then(Value::as_str)
                .context("total_charged")?
                .to_owned(),
        })
    }
}
