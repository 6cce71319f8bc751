//! The fuzzer: `make fuzz DECODER=csv MINUTES=30`.

#![no_main]

use std::io::Write;
use std::panic::{catch_unwind, set_hook};
use std::sync::{LazyLock, Mutex, PoisonError};

use drawdown_fuzz::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("DECODER").unwrap_or_default();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let found = TARGETS.iter().find(|target| target.name == wanted);
    *found.unwrap_or_else(|| panic!("DECODER is {wanted:?}; it can be {}", names.join(", ")))
});

/// What the last panic said. The fuzzer's own hook would end the process at any, and some are caught: see
/// `drawdown_files::parquet`.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn run(bytes: &[u8]) {
    if catch_unwind(|| (TARGET.run)(bytes)).is_err() {
        let said = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        drop(writeln!(std::io::stderr(), "{said}"));
        std::process::abort();
    }
}

libfuzzer_sys::fuzz_target!(
    init: {
        LazyLock::force(&TARGET);
        set_hook(Box::new(|panic| {
            *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
        }));
    },
    |bytes: &[u8]| run(bytes)
);
