//! `drawdown clickhouse`, met by clients that nobody here wrote.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "clickhouse/crate_client.rs"]
mod crate_client;
#[path = "clickhouse/process.rs"]
mod process;
#[path = "clickhouse/protocol.rs"]
mod protocol;
#[path = "clickhouse/python_client.rs"]
mod python_client;

use std::path::Path;
use std::sync::LazyLock;

use drawdown_components::ClickHouse;

const PROGRAM: &str = env!("CARGO_BIN_EXE_drawdown");

/// One engine for all tests that only use it, each with tables of its own.
static SHARED: LazyLock<ClickHouse> =
    LazyLock::new(|| ClickHouse::start(Path::new(PROGRAM)).unwrap());

fn url() -> String {
    SHARED.shared().url()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
