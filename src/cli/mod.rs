//! What each command of the command line does.

mod ask;
mod audit;
mod backup;
mod clickhouse;
mod config;
mod documents;
mod folder;
mod ingest;
mod invoices;
mod outside;
mod rejects;
mod setup;
mod topics;
mod up;
mod worker;

pub use ask::ask;
pub use audit::audit_log;
pub use backup::{backup, restore};
pub use clickhouse::serve_clickhouse;
pub use config::show_config;
pub use documents::{check_prices, check_settings, load_prices, load_settings};
pub use ingest::ingest;
pub use invoices::{await_invoices, preview_invoices};
pub use rejects::{Selection, list_rejects, mend_reject, replay_rejects};
pub use setup::Setup;
pub use topics::{apply_topics, check_topics};
pub use up::{UpOptions, up};
pub use worker::end_when_asked;
pub use worker::{run_workers, run_workers_on};
