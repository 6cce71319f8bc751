//! The real components that tests meet: found, started, stopped. A component that is missing is a
//! failure with its name, never a skip.

mod browser;
mod clickhouse;
mod http;
mod kafka;
mod pdf;
mod registry;
mod smtp;
mod tally;

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, bail};

pub use browser::drive;
pub use clickhouse::{ClickHouse, clickhouse_connect};
pub use http::ask;
pub use kafka::{Broker, BrokerOptions, Cluster};
pub use pdf::pdf_text;
pub use registry::{SchemaRegistry, confluent_kafka};
pub use smtp::{Accepted, Behaviour, CREDENTIALS, MailServer, Part, Security};
pub use tally::{Component, Tally};

/// The Python that has a package: `tests/components/install` puts it there.
fn python(package: &str, version: &str) -> anyhow::Result<PathBuf> {
    let folder = cache()?.join(format!("{package}-{version}"));
    if !folder.join("complete").exists() {
        bail!("{package} {version} is missing; `make prepare` installs it");
    }
    Ok(folder.join("bin/python"))
}

/// Where components are kept between runs, outside the checkout.
fn cache() -> anyhow::Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    let cache = base.join("drawdown");
    std::fs::create_dir_all(&cache)?;
    Ok(cache)
}

/// A port of the loopback interface that nobody uses, and that nobody gets before it is listened on: it is asked for once
/// in this process, and lies below those that connections get by themselves.
pub fn free_port() -> anyhow::Result<u16> {
    const PORTS: Range<u32> = 12_000..32_000;
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Processes that run at once begin far from each other.
    let first = std::process::id().wrapping_mul(499);
    for _ in PORTS {
        let next = first.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + next % (PORTS.end - PORTS.start))?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of 127.0.0.1 between {} and {} is free", PORTS.start, PORTS.end)
}
