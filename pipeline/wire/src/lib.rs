//! Bytes to domain and back: what travels on which topic, and how it is written.
//!
//! **Invariant:** nothing here decides; a message is understood or refused whole.

pub mod avro;
pub mod charges;
pub mod content;
pub mod identities;
pub mod keys;
pub mod lines;
pub mod messages;
pub mod partition;
pub mod released;
pub mod schemas;
pub mod signature;
pub mod state;
pub mod topics;
pub mod usage;
