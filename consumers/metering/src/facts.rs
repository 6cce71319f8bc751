//! What can happen to a metering partition, as its deltas and pieces hold it.

use drawdown_domain::time::Timestamp;
use drawdown_domain::{one_of, record};
use drawdown_wire::messages::{AccountRouted, AccountShut, Catalogue, SettingsInForce};

record! {
    /// Time went on.
    pub struct TimeMoved {
        pub at: Timestamp,
    }
}

record! {
    /// A quarter of an hour was closed: later arrivals are late for what ended then.
    pub struct QuarterClosed {
        pub until: Timestamp,
    }
}

record! {
    /// So many identities have been remembered since the partition began.
    pub struct Remembered {
        pub total: u64,
        /// Over all of them, as they stand on their topic.
        pub checksum: u32,
        /// Those used before this day, counted from 1970, are forgotten.
        pub kept_from_day: i64,
    }
}

one_of! {
    /// What can happen to a metering partition.
    pub enum MeteringFact {
        TimeMoved,
        QuarterClosed,
        Remembered,
        AccountRouted,
        AccountShut,
        Catalogue,
        SettingsInForce,
    }
}

record! {
    /// A piece of the state: itself a run of facts.
    pub struct MeteringPiece {
        pub facts: Vec<MeteringFact>,
    }
}
