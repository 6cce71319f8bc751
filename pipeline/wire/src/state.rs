//! What stands on the state topics: deltas and pieces of snapshots, and the frames that carry them.
//!
//! A frame names the schema of frames, and what it carries names its own: once for a whole delta or
//! piece, never for each fact. So state is read across versions as messages are.

use drawdown_domain::ledger::{Accrued, Fact, Piece, WalletNumber};
use drawdown_domain::registry::{RegistryFact, RegistryPiece};
use drawdown_domain::time::Timestamp;
use drawdown_domain::{one_of, record, symbols};
use serde::Deserialize;

use crate::messages::{AccountRouted, AccountShut, Bytes, Catalogue, SettingsInForce};

symbols! {
    /// What a state message holds.
    pub enum FrameKind {
        Delta = "delta",
        Piece = "piece",
    }
}

record! {
    /// A snapshot that is kept whole.
    #[derive(Copy)]
    pub struct Generation {
        /// Where it begins on the state topic, or a little before.
        pub begins: i64,
        /// When it began.
        pub at: Timestamp,
    }
}

record! {
    /// A message on a state topic.
    pub struct Frame {
        pub kind: FrameKind,
        /// The input partition whose state this is.
        pub partition: u32,
        /// Counts the steps of this partition; a piece names the step it belongs to.
        pub sequence: u64,
        /// Where input was read from, and where to go on after it.
        pub from: i64,
        pub next: i64,
        /// The rules that decided.
        pub rules_version: u32,
        /// Where the newest whole snapshot begins: what stands before it is not needed to restore.
        pub snapshot: i64,
        /// Which message of its step this is, and whether it is the last.
        pub part: u32,
        pub last: bool,
        /// For a piece: its place in the snapshot, and the place after it.
        pub place: Bytes,
        pub place_after: Bytes,
        /// For the last piece: the snapshots that are kept, this one last.
        pub snapshots: Vec<Generation>,
        /// CRC-32C over the chain so far and this payload.
        pub checksum: u32,
        /// A delta, or part of one, or a piece: a message of its own schema.
        pub payload: Bytes,
    }
}

/// A [`Frame`] as it lies in its message, for those who read many.
#[derive(Clone, Debug, Deserialize)]
pub struct FrameInPlace<'a> {
    pub kind: FrameKind,
    pub partition: u32,
    pub sequence: u64,
    pub from: i64,
    pub next: i64,
    pub rules_version: u32,
    pub snapshot: i64,
    pub part: u32,
    pub last: bool,
    pub place: &'a [u8],
    pub place_after: &'a [u8],
    pub snapshots: Vec<Generation>,
    pub checksum: u32,
    pub payload: &'a [u8],
}

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

record! {
    /// A counted record, as it stands on the topic.
    pub struct RereadRecord {
        /// When its message came to this partition.
        pub arrived: Timestamp,
        /// A message that holds this record alone.
        pub message: Bytes,
    }
}

record! {
    /// A record that is to be taken back was read again. So this can be decided again when it is no longer kept.
    pub struct RecordReread {
        /// None: it was no longer kept.
        pub record: Option<RereadRecord>,
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
        RecordReread,
    }
}

record! {
    /// What a step of METERING decided. Each fact is a block of its own.
    pub struct MeteringDelta {
        pub facts: Vec<MeteringFact>,
    }
}

record! {
    /// A piece of METERING's state: itself a run of facts.
    pub struct MeteringPiece {
        pub facts: Vec<MeteringFact>,
    }
}

record! {
    /// What a step of the REGISTRY decided. Each fact is a block of its own.
    pub struct RegistryDelta {
        pub facts: Vec<RegistryFact>,
    }
}

record! {
    /// A piece of the REGISTRY's state.
    pub struct RegistryPart {
        pub piece: RegistryPiece,
        /// The place after it, as the registry writes places; none behind the last.
        pub after: Option<Bytes>,
    }
}

record! {
    /// Between two messages BALANCE was idle, and timers fired.
    #[derive(Copy)]
    pub struct Cut {
        /// The messages of the step that had been taken before.
        pub messages: u32,
        /// The timers that did something.
        pub timers: u32,
    }
}

record! {
    /// Facts, then accruals.
    pub struct Run {
        pub facts: Vec<Fact>,
        pub accruals: Vec<Accrued>,
    }
}

record! {
    /// What a step of BALANCE decided, in the order in which it was decided. Each run, and each fact of
    /// a run, is a block of its own.
    pub struct BalanceDelta {
        /// Due timers that could fire after each message.
        pub timers_per_message_max: u64,
        /// What was decided besides messages, so that the step can be decided again exactly.
        pub idle: Vec<Cut>,
        pub runs: Vec<Run>,
    }
}

record! {
    /// A piece of BALANCE's state.
    pub struct BalancePiece {
        pub part: Piece,
        /// With the last piece: the wallets whose changed balance has not been told yet.
        pub untold: Vec<WalletNumber>,
    }
}

record! {
    /// A wish came: it is to be performed outside.
    pub struct ErrandBegun {
        pub at: Timestamp,
        /// Its name, unique for ever: the outside knows it by this, however often it is tried.
        pub key: String,
        /// A message of the input's schema that holds this wish alone.
        pub wish: Bytes,
    }
}

record! {
    /// A wish was tried, and it is not known what came of it, or the outside was away.
    pub struct ErrandTried {
        pub at: Timestamp,
        pub key: String,
        /// When it is tried next.
        pub next_at: Timestamp,
    }
}

record! {
    /// The outside has answered; the answer is among what the step says.
    pub struct ErrandEnded {
        pub at: Timestamp,
        pub key: String,
    }
}

one_of! {
    /// What can happen to a wish.
    pub enum ErrandFact { ErrandBegun, ErrandTried, ErrandEnded }
}

record! {
    /// What a step of PAYMENTS, ALERTS or INVOICES decided. Each fact is a block of its own.
    pub struct ErrandsDelta {
        pub facts: Vec<ErrandFact>,
    }
}

record! {
    /// A wish that is not answered yet.
    pub struct OpenErrand {
        pub key: String,
        /// A message of the input's schema that holds this wish alone.
        pub wish: Bytes,
        pub since: Timestamp,
        pub tries: u32,
        pub next_at: Timestamp,
    }
}

record! {
    /// A piece of the state of PAYMENTS, ALERTS or INVOICES.
    pub struct ErrandsPiece {
        pub at: Timestamp,
        pub open: Vec<OpenErrand>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avro;

    #[test]
    fn a_frame_says_the_same_in_place() {
        let snapshots = vec![Generation { begins: 9, at: Timestamp::from_micros(10) }];
        let frame = Frame {
            kind: FrameKind::Piece,
            partition: 1,
            sequence: 2,
            from: 3,
            next: 4,
            rules_version: 5,
            snapshot: 6,
            part: 7,
            last: true,
            place: Bytes(vec![8]),
            place_after: Bytes(vec![8, 8]),
            snapshots,
            checksum: 11,
            payload: Bytes(vec![12; 200]),
        };
        let written = avro::encode(&frame);
        let read: FrameInPlace<'_> = avro::decode(&written).unwrap();
        let FrameInPlace { kind, partition, sequence, from, next, rules_version, snapshot, .. } =
            read;
        let FrameInPlace { part, last, place, place_after, checksum, payload, .. } = read;
        let again = Frame {
            kind,
            partition,
            sequence,
            from,
            next,
            rules_version,
            snapshot,
            part,
            last,
            place: Bytes(place.to_vec()),
            place_after: Bytes(place_after.to_vec()),
            snapshots: read.snapshots,
            checksum,
            payload: Bytes(payload.to_vec()),
        };
        assert_eq!(again, frame);
    }
}
