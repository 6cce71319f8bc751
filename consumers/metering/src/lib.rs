//! METERING: checks usage records, drops duplicates exactly, counts, and passes on.
//!
//! It never prices: it knows no month, zone, price or payer. What it counts goes to the ledgers as
//! lines; what cannot be used goes to the rejects, whole.

mod accounts;
mod catalogue;
pub mod identities;
mod measured;
mod places;
mod registered;
mod rejecting;
mod station;
mod voiding;
mod window;

pub use registered::SchemaRegistry;
pub use station::{Metering, MeteringOptions, identity_key};
