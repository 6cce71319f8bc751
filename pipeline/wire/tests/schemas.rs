//! `schemas/` holds what other systems see. It is made from the declarations in Rust, which are the
//! only source, and held against them here.
//!
//! `UPDATE_SCHEMAS=1 cargo test -p drawdown-wire --test schemas` rewrites it after a change.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

mod schemas {
    mod avro_files;
    mod evolution;
    mod examples;
    mod folder;
    mod printing;
    mod readable;
    mod released;
    mod sampling;
}
