//! Kafka Streams doing the same job on the same broker, beside us.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use drawdown_domain::money::Amount;
use serde_json::Value;

use crate::site::check;
use crate::usage::Made;

/// How the peer is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) hops: u32,
    pub(crate) store: &'static str,
    pub(crate) commit_ms: u32,
    pub(crate) threads: u32,
    /// Of the record cache; none is what the peer chooses by its commits.
    pub(crate) cache_mb: Option<u32>,
}

impl Streams {
    /// What `make bench-sweep` tries: hops and stores with two threads, one hop with fewer and more of them, and one hop on
    /// RocksDB with smaller and larger caches.
    pub(crate) fn sweep() -> Vec<Streams> {
        let usual =
            Streams { hops: 1, store: "rocksdb", commit_ms: 100, threads: 2, cache_mb: None };
        let mut sweep = Vec::new();
        for commit_ms in [100, 1_000] {
            for store in ["rocksdb", "memory"] {
                for hops in [1, 2] {
                    sweep.push(Streams { hops, store, commit_ms, ..usual });
                }
                for threads in [1, 4] {
                    sweep.push(Streams { store, commit_ms, threads, ..usual });
                }
            }
            for cache_mb in [1, 32, 256] {
                sweep.push(Streams { commit_ms, cache_mb: Some(cache_mb), ..usual });
            }
        }
        sweep
    }
}

impl fmt::Display for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Streams { hops, store, commit_ms, threads, cache_mb } = self;
        write!(f, "Kafka Streams, {hops} hop, {store}, {commit_ms} ms, {threads} threads")?;
        cache_mb.map_or(Ok(()), |cache_mb| write!(f, ", {cache_mb} MB of cache"))
    }
}

/// What the peer says of its run.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) rate: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) charged: Amount,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/kafka-streams")
}

/// Builds the peer, if it is not built yet.
fn build() -> anyhow::Result<()> {
    if folder().join("target/kafka-streams-peer.jar").exists() {
        return Ok(());
    }
    let built = Command::new("mvn")
        .args(["-q", "-B", "-DskipTests", "package"])
        .current_dir(folder())
        // What this process puts out is read by another.
        .stdout(std::io::stderr())
        .status()
        .context("Maven (mvn) is missing; it builds the peer")?;
    if !built.success() {
        bail!("the peer in {} cannot be built", folder().display());
    }
    Ok(())
}

impl Streams {
    /// Runs the peer, and refuses a result that is not what the usage costs.
    pub(crate) fn verified(
        &self,
        bootstrap: &str,
        input: &str,
        partitions: u32,
        made: &Made,
    ) -> anyhow::Result<Said> {
        build()?;
        let said = self.run(bootstrap, input, partitions, made.records)?;
        check(said.charged, made).with_context(|| self.to_string())?;
        Ok(said)
    }

    /// Runs the peer over a filled topic, until all of it is booked and committed.
    fn run(
        &self,
        bootstrap: &str,
        input: &str,
        partitions: u32,
        records: u64,
    ) -> anyhow::Result<Said> {
        let state = tempfile::tempdir()?;
        let Streams { hops, store, commit_ms, threads, cache_mb } = self;
        let cache = cache_mb.map_or("usual".to_owned(), |cache_mb| cache_mb.to_string());
        let name = format!("streams-{hops}-{store}-{commit_ms}-{threads}-{cache}");
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
            .args(["--threads", &threads.to_string(), "--state-dir"])
            .arg(state.path())
            .args(cache_mb.iter().flat_map(|mb| ["--cache-mb".to_owned(), mb.to_string()]))
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
                .parse()?,
        })
    }
}
