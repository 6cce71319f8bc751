//! The fuzzer: `make fuzz DECODER=csv MINUTES=30`.

#![no_main]

use std::sync::LazyLock;

use drawdown_fuzz::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("DECODER").unwrap_or_default();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let found = TARGETS.iter().find(|target| target.name == wanted);
    *found.unwrap_or_else(|| panic!("DECODER is {wanted:?}; it can be {}", names.join(", ")))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
