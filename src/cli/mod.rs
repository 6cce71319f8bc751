//! What each command of the command line does.

mod ask;
mod audit;
mod backup;
mod clickhouse;
mod command;
mod config;
mod documents;
mod folder;
mod ingest;
mod outside;
mod problem;
mod rejects;
mod server;
mod setup;
mod show;
mod table;
mod topics;
mod up;
mod vocabulary;
mod worker;

pub use ask::ask;
pub use audit::audit_log;
pub use backup::{backup, restore};
pub use clickhouse::serve_clickhouse;
pub use command::{DoOptions, do_command};
pub use config::{show_config, show_version};
pub use documents::{check_prices, check_settings, load_prices, load_settings};
pub use ingest::{IngestOptions, ingest};
pub use rejects::{Selection, list_rejects, mend_reject, replay_rejects};
pub use server::ServerOptions;
pub use setup::Setup;
pub use show::{ShowOptions, show};
pub use topics::{apply_topics, check_topics};
pub use up::{UpOptions, up};
pub use worker::end_when_asked;
pub use worker::{run_workers, run_workers_on};
