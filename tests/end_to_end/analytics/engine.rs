//! One ClickHouse engine for all tests that only use it, each with a database of its own.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use drawdown_analytics::StoreOptions;
use drawdown_components::{ClickHouse, ask};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_drawdown");

static SHARED: LazyLock<ClickHouse> =
    LazyLock::new(|| ClickHouse::start(Path::new(PROGRAM)).unwrap());
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// A database of the shared engine that nobody else uses.
pub fn database() -> StoreOptions {
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    of(SHARED.shared(), &format!("of_test_{number}"))
}

/// What the shared engine answers to a query.
pub fn answer(query: &str) -> Vec<u8> {
    let (within, port) = (Duration::from_secs(60), SHARED.shared().port());
    let (status, answer) = ask(port, "POST", "/", &[], query.as_bytes(), within).unwrap();
    assert_eq!(status, 200, "{query}: {}", String::from_utf8_lossy(&answer));
    answer
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
