//! The outside as our consumers meet it. Nothing here knows the log, and nothing decides about money:
//! what is asked for was decided before, and what comes of it is decided upon after.

pub mod clickhouse;
pub mod mail;
pub mod payments;
