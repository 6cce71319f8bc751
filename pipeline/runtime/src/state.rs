//! State as it stands on its topic: deltas and pieces of snapshots, chained so that a gap, a repeat or
//! a flipped bit is found.

use std::borrow::Cow;

use drawdown_log::Next;
use drawdown_wire::avro::{Fingerprint, SINGLE_OBJECT_HEADER_BYTES, put_header};
use drawdown_wire::messages::Bytes;
use drawdown_wire::state::{Frame, FrameInPlace, FrameKind};

/// A delta goes out in messages of at most this.
pub const STATE_DELTA_BYTES_MAX: usize = 512 * 1024;

/// The chain of a partition's deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) sequence: u64,
    pub(crate) checksum: u32,
    pub(crate) next: Next,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { sequence: 0, checksum: 0, next: Next::START }
    }
}

impl Chain {
    /// The frame of a snapshot's piece, a message of its own schema, taken after the chain's last step.
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
            from: self.next.0,
            next: self.next.0,
            rules_version,
            snapshot: 0,
            part: 0,
            last: after.is_none(),
            place: Bytes(place),
            place_after: Bytes(after.unwrap_or_default()),
            snapshots: Vec::new(),
            checksum: crc32c::crc32c(&payload),
            payload: Bytes(payload),
        }
    }

    /// The frames of the next step's delta, a value of the schema with this fingerprint.
    pub(crate) fn extend(
        &mut self,
        partition: u32,
        next: Next,
        rules_version: u32,
        schema: Fingerprint,
        delta: &[u8],
    ) -> Vec<Frame> {
        self.sequence = self.sequence.wrapping_add(1);
        let from = std::mem::replace(&mut self.next, next);
        let payloads = in_parts(schema, delta);
        let count = payloads.len();
        let mut frames = Vec::with_capacity(count);
        for (part, payload) in (0u32..).zip(payloads) {
            self.checksum = crc32c::crc32c_append(self.checksum, &payload);
            frames.push(Frame {
                kind: FrameKind::Delta,
                partition,
                sequence: self.sequence,
                from: from.0,
                next: next.0,
                rules_version,
                snapshot: 0,
                part,
                last: part as usize == count.saturating_sub(1),
                place: Bytes::default(),
                place_after: Bytes::default(),
                snapshots: Vec::new(),
                checksum: self.checksum,
                payload: Bytes(payload),
            });
        }
        frames
    }
}

/// A delta as a message of its schema, in parts; one that says nothing is nothing.
fn in_parts(schema: Fingerprint, delta: &[u8]) -> Vec<Vec<u8>> {
    if delta.is_empty() {
        return vec![Vec::new()];
    }
    let head = STATE_DELTA_BYTES_MAX.saturating_sub(SINGLE_OBJECT_HEADER_BYTES).min(delta.len());
    let (head, rest) = delta.split_at(head);
    let mut first = Vec::with_capacity(SINGLE_OBJECT_HEADER_BYTES.saturating_add(head.len()));
    put_header(&mut first, schema);
    first.extend_from_slice(head);
    std::iter::once(first).chain(rest.chunks(STATE_DELTA_BYTES_MAX).map(<[u8]>::to_vec)).collect()
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

/// What a frame asks for. Messages of state are large, and what lies in one is not moved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ask<'a> {
    Nothing,
    Apply(Cow<'a, [u8]>),
    /// Begin anew with an empty station, then load.
    Begin(&'a [u8]),
    Load(&'a [u8]),
    /// Load the last piece.
    Complete(&'a [u8]),
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

    pub(crate) fn take<'a>(&mut self, frame: FrameInPlace<'a>) -> Result<Ask<'a>, NotChained> {
        match frame.kind {
            FrameKind::Delta => self.delta(frame),
            FrameKind::Piece => self.piece(frame),
        }
    }

    fn delta<'a>(&mut self, frame: FrameInPlace<'a>) -> Result<Ask<'a>, NotChained> {
        let first = self.chain.is_none();
        if first && frame.sequence == 1 {
            self.phase = Phase::Complete;
        }
        // The first frame that is met begins the chain; what led to it is in a snapshot.
        let before = self.chain.unwrap_or(Chain {
            sequence: frame.sequence.wrapping_sub(1),
            checksum: 0,
            next: Next(frame.from),
        });
        let follows =
            frame.sequence == before.sequence.wrapping_add(1) && frame.part == self.expected_part;
        if !follows && !first {
            return Err(NotChained::Gap { after: before.sequence, found: frame.sequence });
        }
        let checksum = crc32c::crc32c_append(before.checksum, frame.payload);
        if checksum != frame.checksum && (!first || frame.sequence == 1) {
            return Err(NotChained::Damaged { sequence: frame.sequence });
        }
        let (sequence, next) = if frame.last {
            (frame.sequence, Next(frame.next))
        } else {
            (before.sequence, before.next)
        };
        self.chain = Some(Chain { sequence, checksum: frame.checksum, next });
        self.expected_part = if frame.last { 0 } else { frame.part.wrapping_add(1) };
        if self.phase == Phase::Waiting {
            return Ok(Ask::Nothing);
        }
        if frame.part == 0 && frame.last {
            return Ok(Ask::Apply(frame.payload.into()));
        }
        self.parts.extend_from_slice(frame.payload);
        Ok(if frame.last {
            Ask::Apply(std::mem::take(&mut self.parts).into())
        } else {
            Ask::Nothing
        })
    }

    fn piece<'a>(&mut self, frame: FrameInPlace<'a>) -> Result<Ask<'a>, NotChained> {
        let FrameInPlace { payload, place, last, .. } = frame;
        if crc32c::crc32c(payload) != frame.checksum {
            return Err(NotChained::Damaged { sequence: frame.sequence });
        }
        let expected = match &self.phase {
            Phase::Complete => return Ok(Ask::Nothing),
            Phase::Waiting => None,
            Phase::Loading(expected) => Some(expected),
        };
        // A snapshot begins, or begins again after one that was given up.
        let begins = place.is_empty();
        if !begins && expected.is_none_or(|expected| expected != place) {
            // The rest of a snapshot whose beginning is gone.
            return Ok(Ask::Nothing);
        }
        self.phase =
            if last { Phase::Complete } else { Phase::Loading(frame.place_after.to_vec()) };
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
