//! `drawdown rehearse`: scenario files on a virtual clock in memory. The code that decides in
//! production decides here.

mod driver;
mod file;
mod matching;
mod pipeline;
mod views;

use std::path::Path;

pub use driver::Failure;
pub use pipeline::{Pipeline, Stage};
pub use views::{Row, Rows};

/// What became of a scenario file.
#[derive(Debug)]
pub struct Report {
    pub title: String,
    pub rules: Vec<String>,
    pub steps: usize,
    pub failures: Vec<Failure>,
    /// The proof over the scenario's log at its end.
    pub audit: crate::audit::Report,
}

/// Rehearses a scenario file on a stage. An error means that the file cannot be read or begun.
pub fn rehearse(path: &Path, stage: &Stage) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path)?;
    driver::run(&file::parse(&text)?, stage)
}
