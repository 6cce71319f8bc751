//! The real components that tests meet: found, started, stopped. A component that is missing is a
//! failure with its name, never a skip.

mod browser;
mod clickhouse;
mod http;
mod kafka;
mod pdf;
mod smtp;
mod tally;

use std::path::PathBuf;

use anyhow::Context;

pub use browser::drive;
pub use clickhouse::{ClickHouse, clickhouse_connect};
pub use http::ask;
pub use kafka::{Broker, BrokerOptions};
pub use pdf::pdf_text;
pub use smtp::{Accepted, Behaviour, CREDENTIALS, MailServer, Part, Security};
pub use tally::{Component, Tally};

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

/// A port of the loopback interface that nobody uses.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
