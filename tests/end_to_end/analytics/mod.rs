//! What stands in ClickHouse is what the log says, each row once.

pub mod engine;
mod proxy;

mod made;
mod storm;
