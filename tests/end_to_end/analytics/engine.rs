//! One ClickHouse engine for all tests that only use it, each with a database of its own.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use drawdown_analytics::StoreOptions;
use drawdown_components::ClickHouse;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_drawdown");

static SHARED: LazyLock<ClickHouse> =
    LazyLock::new(|| ClickHouse::start(Path::new(PROGRAM)).unwrap());
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// A database of the shared engine that nobody else uses.
pub fn database() -> StoreOptions {
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    of(SHARED.shared(), &format!("of_test_{number}"))
}

/// A database of an engine.
pub fn of(engine: &ClickHouse, database: &str) -> StoreOptions {
    StoreOptions {
        url: engine.url(),
        user: "default".to_owned(),
        password: String::new(),
        database: database.to_owned(),
        deadline: Duration::from_secs(60),
    }
}
