//! What each command of the command line does.

mod ask;
mod audit;
mod config;
mod ingest;
mod prices;
mod setup;
mod topics;
mod worker;

pub use ask::ask;
pub use audit::audit_log;
pub use config::show_config;
pub use ingest::ingest;
pub use prices::{check_prices, load_prices};
pub use setup::Setup;
pub use topics::{apply_topics, check_topics};
pub use worker::{run_workers, run_workers_on};
