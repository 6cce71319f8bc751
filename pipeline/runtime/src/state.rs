//! State as it stands on its topic: deltas and pieces of snapshots, chained so that a gap, a repeat or
//! a flipped bit is found.

use drawdown_domain::{record, symbols};
use drawdown_log::Next;
use drawdown_wire::messages::Bytes;

/// A delta goes out in messages of at most this.
pub const STATE_DELTA_BYTES_MAX: usize = 512 * 1024;

symbols! {
    /// What a state message holds.
    pub enum FrameKind {
        Delta = "delta",
        Piece = "piece",
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
        /// Which message of its step this is, and whether it is the last.
        pub part: u32,
        pub last: bool,
        /// For a piece: its place in the snapshot, and the place after it.
        pub place: Bytes,
        pub place_after: Bytes,
        /// CRC-32C over the chain so far and this payload.
        pub checksum: u32,
        pub payload: Bytes,
    }
}

/// The chain of a partition's deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Chain {
    pub(crate) sequence: u64,
    pub(crate) checksum: u32,
    pub(crate) next: i64,
}

impl Chain {
    /// The frame of a snapshot's piece, taken after the chain's last step.
    pub(crate) fn piece(
        &self,
        partition: u32,
        rules_version: u32,
        place: Vec<u8>,
        payload: Vec<u8>,
        after: Option<Vec<u8>>,
    ) -> Frame {
        Frame {
            kind: FrameKind::Piece,
            partition,
            sequence: self.sequence,
            from: self.next,
            next: self.next,
            rules_version,
            part: 0,
            last: after.is_none(),
            place: Bytes(place),
            place_after: Bytes(after.unwrap_or_default()),
            checksum: crc32c::crc32c(&payload),
            payload: Bytes(payload),
        }
    }

    /// The frames of the next step's delta.
    pub(crate) fn extend(
        &mut self,
        partition: u32,
        next: Next,
        rules_version: u32,
        delta: &[u8],
    ) -> Vec<Frame> {
        self.sequence = self.sequence.wrapping_add(1);
        let from = self.next;
        self.next = next.0;
        let parts: Vec<&[u8]> = if delta.is_empty() {
            vec![&[]]
        } else {
            delta.chunks(STATE_DELTA_BYTES_MAX).collect()
        };
        let count = parts.len();
        let mut frames = Vec::with_capacity(count);
        for (part, payload) in (0u32..).zip(parts) {
            self.checksum = crc32c::crc32c_append(self.checksum, payload);
            frames.push(Frame {
                kind: FrameKind::Delta,
                partition,
                sequence: self.sequence,
                from,
                next: next.0,
                rules_version,
                part,
                last: part as usize == count.saturating_sub(1),
                place: Bytes::default(),
                place_after: Bytes::default(),
                checksum: self.checksum,
                payload: Bytes(payload.to_vec()),
            });
        }
        frames
    }
}

/// Why frames do not follow each other.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotChained {
    #[error("step {found} follows step {after}: state is missing between them")]
    Gap { after: u64, found: u64 },
    #[error("step {sequence} does not match its checksum: the state topic is damaged")]
    Damaged { sequence: u64 },
}

/// Puts the frames of a partition together again, in the order in which they stand on the topic.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    chain: Option<Chain>,
    parts: Vec<u8>,
    expected_part: u32,
    phase: Phase,
}

/// How far the state has been put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// No snapshot has begun yet: deltas are only followed.
    #[default]
    Waiting,
    /// Pieces and deltas alternate; the next piece is the one at this place.
    Loading(Vec<u8>),
    /// All there is; pieces of later snapshots say nothing new.
    Complete,
}

/// What a frame asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Nothing,
    Apply(Vec<u8>),
    /// Begin anew with an empty station, then load.
    Begin(Vec<u8>),
    Load(Vec<u8>),
    /// Load the last piece.
    Complete(Vec<u8>),
}

impl Assembler {
    /// The chain after all that was taken, if the state is complete.
    pub(crate) fn complete(&self) -> Option<Chain> {
        self.chain.filter(|_| self.phase == Phase::Complete)
    }

    /// Whether any state was met.
    pub(crate) fn has_begun(&self) -> bool {
        self.chain.is_some() || self.phase != Phase::Waiting
    }

    pub(crate) fn take(&mut self, frame: Frame) -> Result<Ask, NotChained> {
        match frame.kind {
            FrameKind::Delta => self.delta(frame),
            FrameKind::Piece => self.piece(frame),
        }
    }

    fn delta(&mut self, frame: Frame) -> Result<Ask, NotChained> {
        let first = self.chain.is_none();
        if first && frame.sequence == 1 {
            self.phase = Phase::Complete;
        }
        // The first frame that is met begins the chain; what led to it is in a snapshot.
        let before = self.chain.unwrap_or(Chain {
            sequence: frame.sequence.wrapping_sub(1),
            checksum: 0,
            next: frame.from,
        });
        let follows =
            frame.sequence == before.sequence.wrapping_add(1) && frame.part == self.expected_part;
        if !follows && !first {
            return Err(NotChained::Gap { after: before.sequence, found: frame.sequence });
        }
        let checksum = crc32c::crc32c_append(before.checksum, &frame.payload.0);
        if checksum != frame.checksum && (!first || frame.sequence == 1) {
            return Err(NotChained::Damaged { sequence: frame.sequence });
        }
        self.parts.extend_from_slice(&frame.payload.0);
        let (sequence, next) =
            if frame.last { (frame.sequence, frame.next) } else { (before.sequence, before.next) };
        self.chain = Some(Chain { sequence, checksum: frame.checksum, next });
        self.expected_part = if frame.last { 0 } else { frame.part.wrapping_add(1) };
        if !frame.last {
            return Ok(Ask::Nothing);
        }
        let delta = std::mem::take(&mut self.parts);
        Ok(if self.phase == Phase::Waiting { Ask::Nothing } else { Ask::Apply(delta) })
    }

    fn piece(&mut self, frame: Frame) -> Result<Ask, NotChained> {
        let (payload, place, last) = (frame.payload.0, frame.place.0, frame.last);
        if crc32c::crc32c(&payload) != frame.checksum {
            return Err(NotChained::Damaged { sequence: frame.sequence });
        }
        let expected = match &self.phase {
            Phase::Complete => return Ok(Ask::Nothing),
            Phase::Waiting => None,
            Phase::Loading(expected) => Some(expected),
        };
        // A snapshot begins, or begins again after one that was given up.
        let begins = place.is_empty();
        if !begins && expected != Some(&place) {
            // The rest of a snapshot whose beginning is gone.
            return Ok(Ask::Nothing);
        }
        self.phase = if last { Phase::Complete } else { Phase::Loading(frame.place_after.0) };
        Ok(match (begins, last) {
            (true, _) => Ask::Begin(payload),
            (false, true) => Ask::Complete(payload),
            (false, false) => Ask::Load(payload),
        })
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
