//! ANALYTICS: every topic that others may read becomes rows in ClickHouse, each once.
//!
//! A [`Filler`] reads one topic and is run by a thread of its own. What a message becomes is a plain function
//! (`projecting`); how rows come to be in ClickHouse once stands in `blocks`. ClickHouse is a projection: it
//! decides nothing, and a database that is dropped is filled again from the log.

mod blocks;
mod counting;
mod filler;
mod held;
mod migrations;
mod native;
mod outage;
mod projecting;
mod rows;
mod store;

pub use filler::{Analytics, AnalyticsOptions, Filler, group_of};
pub use migrations::{MIGRATIONS, Migration, claim, migrate};
pub use store::{Store, StoreOptions, Trouble};
