//! Usage from files: each record in its canonical form, or why it is none, with its place.

#![forbid(unsafe_code)]

pub mod avro;
pub mod csv;
pub mod ndjson;
pub mod parquet;
mod source;

pub use self::source::{Format, Source};

/// Shown each record in its canonical form, or why it is none, with its line or number.
pub type Visit<'a> = &'a mut dyn FnMut(u64, Result<&[u8], String>) -> Result<(), NotRead>;

/// Why a file is not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// It is not of its format.
    #[error("{0}")]
    Refused(String),
    #[error("it cannot be read: {0}")]
    Input(#[from] std::io::Error),
    /// Whoever is shown the records wants no more of them.
    #[error("{0:#}")]
    Stopped(anyhow::Error),
}

#[cfg(test)]
mod tests;
