//! The bytes on disk: segment headers, frames, runs and notes, and the checksums over them.
//!
//! A segment is a header and then frames. A frame is one commit: a header, notes (positions of
//! groups, first and next offsets of partitions) and runs. A run is consecutive messages of one
//! partition: a header, the length of each value, the values. Numbers are little-endian.
//!
//! Every byte lies under a checksum. Those of headers begin with the segment's salt, a random
//! number: blocks of a deleted segment that a crash brings back to light, and values that imitate a
//! frame, are never taken for frames. The checksum over the values has no salt, so that the threads
//! that hand in commits compute it, before the commit has its place.
//!
//! Nothing in here does input or output, or knows which partition numbers exist.

use super::catalogue::Lane;

/// The number of this layout. A directory of another number is refused.
pub(super) const FORMAT: u32 = 1;

pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
pub(super) const FRAME_HEADER_BYTES: usize = 48;
pub(super) const RUN_HEADER_BYTES: usize = 40;

/// What a length in front of a value takes.
pub(super) const VALUE_OVERHEAD_BYTES: usize = 4;

/// Values beyond this begin a new run, so that a reader that takes a little at a time need not read
/// and check many megabytes for it.
const RUN_BYTES_TARGET: usize = 1 << 20;

const SEGMENT_MAGIC: &[u8; 8] = b"drawdown";
pub(super) const FRAME_MAGIC: [u8; 4] = *b"FrmD";

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

pub(super) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    u64_at(bytes, at).cast_signed()
}

pub(super) fn put(bytes: &mut [u8], at: usize, number: &[u8]) {
    bytes[at..at + number.len()].copy_from_slice(number);
}

/// What so many values of so many partitions take in a frame, at most.
pub(super) fn runs_bytes_max(partitions: usize, values: usize, values_bytes: usize) -> usize {
    let content = values * VALUE_OVERHEAD_BYTES + values_bytes;
    content + (partitions + content / RUN_BYTES_TARGET) * RUN_HEADER_BYTES
}

/// A length that is known to fit, because commits and segments are bounded far below 4 GiB.
pub(super) fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A checksum that begins with a segment's salt.
pub(super) fn salted(salt: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(salt, bytes)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SegmentKind {
    /// What the writer wrote, in its order.
    Journal = 1,
    /// What was copied forward out of older segments, partition by partition.
    Archive = 2,
}

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) kind: SegmentKind,
    pub(super) salt: u32,
    /// The numbers of the journal segments whose messages this one holds; a journal's own number.
    pub(super) first: u64,
    pub(super) last: u64,
    /// The number of its first frame.
    pub(super) sequence: u64,
    /// When it was begun, in microseconds.
    pub(super) begun_at: i64,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        put(&mut bytes, 0, SEGMENT_MAGIC);
        put(&mut bytes, 12, &FORMAT.to_le_bytes());
        put(&mut bytes, 16, &(self.kind as u32).to_le_bytes());
        put(&mut bytes, 20, &self.salt.to_le_bytes());
        put(&mut bytes, 24, &self.first.to_le_bytes());
        put(&mut bytes, 32, &self.last.to_le_bytes());
        put(&mut bytes, 40, &self.sequence.to_le_bytes());
        put(&mut bytes, 48, &self.begun_at.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[12..]);
        put(&mut bytes, 8, &checksum.to_le_bytes());
        bytes
    }

    /// None if these are not the first bytes of a segment of this format.
    pub(super) fn decode(bytes: &[u8]) -> Option<SegmentHeader> {
        let whole = bytes.get(..SEGMENT_HEADER_BYTES)?;
        let kind = match u32_at(whole, 16) {
            1 => SegmentKind::Journal,
            2 => SegmentKind::Archive,
            _ => return None,
        };
        let sound = whole.starts_with(SEGMENT_MAGIC)
            && u32_at(whole, 8) == crc32c::crc32c(&whole[12..])
            && u32_at(whole, 12) == FORMAT;
        sound.then(|| SegmentHeader {
            kind,
            salt: u32_at(whole, 20),
            first: u64_at(whole, 24),
            last: u64_at(whole, 32),
            sequence: u64_at(whole, 40),
            begun_at: i64_at(whole, 48),
        })
    }
}

/// The first bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Of the whole frame, this header included.
    pub(super) length: u32,
    pub(super) runs: u32,
    pub(super) notes_bytes: u32,
    notes_checksum: u32,
    /// Frames of a segment are numbered without gaps, and the next segment goes on.
    pub(super) sequence: u64,
    /// Up to this byte the segment was safely on disk when the frame was written. What lies before
    /// cannot have been torn by a crash.
    pub(super) synced: u64,
}

impl FrameHeader {
    fn encode(&self, salt: u32, bytes: &mut [u8]) {
        put(bytes, 0, &FRAME_MAGIC);
        put(bytes, 8, &self.length.to_le_bytes());
        put(bytes, 12, &self.runs.to_le_bytes());
        put(bytes, 16, &self.notes_bytes.to_le_bytes());
        put(bytes, 20, &self.notes_checksum.to_le_bytes());
        put(bytes, 24, &self.sequence.to_le_bytes());
        put(bytes, 32, &self.synced.to_le_bytes());
        put(bytes, 40, &[0; 8]);
        let checksum = salted(salt, &bytes[8..FRAME_HEADER_BYTES]);
        put(bytes, 4, &checksum.to_le_bytes());
    }

    /// None if these are not the first bytes of a frame of the segment with this salt.
    pub(super) fn decode(salt: u32, bytes: &[u8]) -> Option<FrameHeader> {
        let header = bytes.get(..FRAME_HEADER_BYTES)?;
        let sound = header[..4] == FRAME_MAGIC && u32_at(header, 4) == salted(salt, &header[8..]);
        sound.then(|| FrameHeader {
            length: u32_at(header, 8),
            runs: u32_at(header, 12),
            notes_bytes: u32_at(header, 16),
            notes_checksum: u32_at(header, 20),
            sequence: u64_at(header, 24),
            synced: u64_at(header, 32),
        })
    }
}

/// The first bytes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunHeader {
    /// Of the whole run, this header included.
    pub(super) length: u32,
    pub(super) count: u32,
    values_checksum: u32,
    pub(super) topic: u16,
    pub(super) partition: u32,
    /// The offset of the first message; those of the others follow without gaps.
    pub(super) first: i64,
    /// When the log took the messages, in microseconds.
    pub(super) at: i64,
}

impl RunHeader {
    fn decode(salt: u32, bytes: &[u8]) -> Option<RunHeader> {
        let header = bytes.get(..RUN_HEADER_BYTES)?;
        let sound = u32_at(header, 0) == salted(salt, &header[4..]);
        sound.then(|| RunHeader {
            values_checksum: u32_at(header, 4),
            length: u32_at(header, 8),
            count: u32_at(header, 12),
            topic: u16::try_from(u32_at(header, 16)).unwrap_or(u16::MAX),
            partition: u32_at(header, 20),
            first: i64_at(header, 24),
            at: i64_at(header, 32),
        })
    }

    /// The header of the run at the front of `bytes`, if all of the run is there and sound.
    pub(super) fn check(salt: u32, bytes: &[u8]) -> Option<RunHeader> {
        let header = RunHeader::decode(salt, bytes)?;
        let run = bytes.get(..header.length as usize)?;
        let content = run.get(RUN_HEADER_BYTES..)?;
        let lengths = content.get(..(header.count as usize).checked_mul(VALUE_OVERHEAD_BYTES)?)?;
        let total: usize = lengths
            .chunks_exact(VALUE_OVERHEAD_BYTES)
            .map(|length| u32_at(length, 0) as usize)
            .sum();
        let sound = crc32c::crc32c(content) == header.values_checksum
            && total == content.len() - lengths.len();
        sound.then_some(header)
    }
}

/// The values of a sound run of `count` messages.
pub(super) fn values(run: &[u8], count: u32) -> impl Iterator<Item = &[u8]> {
    let lengths_end = RUN_HEADER_BYTES + count as usize * VALUE_OVERHEAD_BYTES;
    let (lengths, mut rest) = (&run[RUN_HEADER_BYTES..lengths_end], &run[lengths_end..]);
    lengths.chunks_exact(VALUE_OVERHEAD_BYTES).map(move |length| {
        let (value, after) = rest.split_at(u32_at(length, 0) as usize);
        rest = after;
        value
    })
}

/// What a frame that was read and found sound says.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) header: FrameHeader,
    pub(super) notes: Vec<Note>,
    /// Where each run begins in the frame.
    pub(super) runs: Vec<(u32, RunHeader)>,
}

impl Frame {
    /// The frame that `bytes` are, if every byte of it is sound.
    pub(super) fn check(salt: u32, bytes: &[u8]) -> Option<Frame> {
        let header = FrameHeader::decode(salt, bytes)?;
        if bytes.len() != header.length as usize {
            return None;
        }
        let mut start = FRAME_HEADER_BYTES.checked_add(header.notes_bytes as usize)?;
        let notes = bytes.get(FRAME_HEADER_BYTES..start)?;
        if crc32c::crc32c(notes) != header.notes_checksum {
            return None;
        }
        let mut runs = Vec::new();
        for _ in 0..header.runs {
            let run = RunHeader::check(salt, bytes.get(start..)?)?;
            runs.push((narrow(start), run));
            start = start.checked_add(run.length as usize)?;
        }
        (start == bytes.len()).then_some(())?;
        Some(Frame { header, notes: Note::decode_all(notes)?, runs })
    }
}

/// A run of a frame that is being put together.
#[derive(Clone, Copy, Debug)]
pub(super) struct DraftRun {
    pub(super) lane: Lane,
    pub(super) start: u32,
    pub(super) length: u32,
    pub(super) count: u32,
}

/// A frame that is being put together: complete but for what only its place decides.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) bytes: Vec<u8>,
    pub(super) runs: Vec<DraftRun>,
    notes_bytes: u32,
    notes_checksum: u32,
}

impl Draft {
    /// A frame with these notes that is about to take so many bytes of runs.
    pub(super) fn new(notes: &[Note], runs_bytes: usize) -> Draft {
        let mut encoded = Vec::new();
        notes.iter().for_each(|note| note.encode(&mut encoded));
        let mut bytes = Vec::with_capacity(FRAME_HEADER_BYTES + encoded.len() + runs_bytes);
        bytes.resize(FRAME_HEADER_BYTES, 0);
        bytes.extend_from_slice(&encoded);
        let (notes_bytes, notes_checksum) = (narrow(encoded.len()), crc32c::crc32c(&encoded));
        Draft { bytes, runs: Vec::new(), notes_bytes, notes_checksum }
    }

    /// Adds messages of one partition, in runs of bounded size.
    pub(super) fn add<'v>(
        &mut self,
        lane: Lane,
        (topic, partition): (u16, u32),
        values: impl Iterator<Item = &'v [u8]> + Clone,
    ) {
        let mut values = values.peekable();
        while values.peek().is_some() {
            let start = self.bytes.len();
            let mut rest = values.clone();
            let (mut count, mut values_bytes) = (0_usize, 0_usize);
            self.bytes.resize(start + RUN_HEADER_BYTES, 0);
            while values_bytes < RUN_BYTES_TARGET
                && let Some(value) = rest.next()
            {
                self.bytes.extend_from_slice(&narrow(value.len()).to_le_bytes());
                count += 1;
                values_bytes += value.len() + VALUE_OVERHEAD_BYTES;
            }
            values.by_ref().take(count).for_each(|value| self.bytes.extend_from_slice(value));
            self.finish_run(lane, (topic, partition), start, narrow(count));
        }
    }

    fn finish_run(&mut self, lane: Lane, (topic, partition): (u16, u32), start: usize, count: u32) {
        let run = &mut self.bytes[start..];
        let length = narrow(run.len());
        let checksum = crc32c::crc32c(&run[RUN_HEADER_BYTES..]);
        put(run, 4, &checksum.to_le_bytes());
        put(run, 8, &length.to_le_bytes());
        put(run, 12, &count.to_le_bytes());
        put(run, 16, &u32::from(topic).to_le_bytes());
        put(run, 20, &partition.to_le_bytes());
        self.runs.push(DraftRun { lane, start: narrow(start), length, count });
    }

    /// Adds a sound run of another segment as it is.
    pub(super) fn copy(&mut self, lane: Lane, run: &[u8], header: &RunHeader) {
        let (start, length) = (narrow(self.bytes.len()), narrow(run.len()));
        self.bytes.extend_from_slice(run);
        self.runs.push(DraftRun { lane, start, length, count: header.count });
    }

    /// Says where a run's messages lie in their partition, and when the log took them.
    pub(super) fn place(&mut self, run: &DraftRun, first: i64, at: i64) {
        let header = &mut self.bytes[run.start as usize..];
        put(header, 24, &first.to_le_bytes());
        put(header, 32, &at.to_le_bytes());
    }

    /// Completes the frame for its place in a segment. It can be done again for another place.
    pub(super) fn seal(&mut self, salt: u32, sequence: u64, synced: u64) {
        for run in &self.runs {
            let header = &mut self.bytes[run.start as usize..];
            let checksum = salted(salt, &header[4..RUN_HEADER_BYTES]);
            put(header, 0, &checksum.to_le_bytes());
        }
        let header = FrameHeader {
            length: narrow(self.bytes.len()),
            runs: narrow(self.runs.len()),
            notes_bytes: self.notes_bytes,
            notes_checksum: self.notes_checksum,
            sequence,
            synced,
        };
        header.encode(salt, &mut self.bytes);
    }
}

/// What a frame says beside its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// A group goes on at `next` in this partition.
    Position { group: String, topic: u16, partition: u32, next: i64 },
    /// Messages before `first` are forgotten.
    First { topic: u16, partition: u32, first: i64 },
    /// The kept messages of this partition when the segment was begun.
    Ends { topic: u16, partition: u32, first: i64, next: i64 },
}

impl Note {
    fn encode(&self, bytes: &mut Vec<u8>) {
        let (tag, topic, partition) = match self {
            Note::Position { topic, partition, .. } => (1, topic, partition),
            Note::First { topic, partition, .. } => (2, topic, partition),
            Note::Ends { topic, partition, .. } => (3, topic, partition),
        };
        bytes.push(tag);
        bytes.extend_from_slice(&topic.to_le_bytes());
        bytes.extend_from_slice(&partition.to_le_bytes());
        match self {
            Note::Position { group, next, .. } => {
                bytes.extend_from_slice(&next.to_le_bytes());
                bytes.extend_from_slice(&narrow(group.len()).to_le_bytes());
                bytes.extend_from_slice(group.as_bytes());
            }
            Note::First { first, .. } => bytes.extend_from_slice(&first.to_le_bytes()),
            Note::Ends { first, next, .. } => {
                bytes.extend_from_slice(&first.to_le_bytes());
                bytes.extend_from_slice(&next.to_le_bytes());
            }
        }
    }

    fn decode_all(mut bytes: &[u8]) -> Option<Vec<Note>> {
        let mut notes = Vec::new();
        while let Some(head) = bytes.split_off(..7) {
            let tag = head[0];
            let topic = u16::from_le_bytes([head[1], head[2]]);
            let partition = u32_at(head, 3);
            let number = i64_at(bytes.split_off(..8)?, 0);
            notes.push(match tag {
                1 => {
                    let length = u32_at(bytes.split_off(..4)?, 0) as usize;
                    let group = str::from_utf8(bytes.split_off(..length)?).ok()?.to_owned();
                    Note::Position { group, topic, partition, next: number }
                }
                2 => Note::First { topic, partition, first: number },
                3 => {
                    let next = i64_at(bytes.split_off(..8)?, 0);
                    Note::Ends { topic, partition, first: number, next }
                }
                _ => return None,
            });
        }
        bytes.is_empty().then_some(notes)
    }
}
