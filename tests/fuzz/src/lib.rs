//! Every decoder of foreign bytes, and what must hold whatever the bytes are: it ends, it does not panic, and what
//! it lets through is what everybody after it takes for granted.

#![allow(clippy::unwrap_used, clippy::expect_used)] // what must hold is asserted

mod ledger;
mod log;
mod texts;
mod usage;

/// A decoder with its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The folder of `corpus` in which its inputs are kept.
    pub name: &'static str,
    /// Panics if something does not hold.
    pub run: fn(&[u8]),
    /// Inputs that are understood, for a fuzzer to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$(Target {
            name: stringify!($name),
            run: $module::$name,
            seeds: $module::seeds::$name,
        }),*]
    };
}

pub const TARGETS: &[Target] = targets![
    usage::messages,
    usage::json,
    usage::ndjson,
    usage::csv,
    usage::avro,
    usage::parquet,
    usage::foreign_schemas,
    ledger::commands,
    ledger::schemas,
    ledger::packed,
    texts::price_books,
    texts::settings,
    texts::plain,
    log::segments,
];
