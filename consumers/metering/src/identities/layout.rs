//! The bytes of a run's file: a header, blocks of entries sorted by identity, and behind them the
//! index, the filter and the days of use.
//!
//! | where | what |
//! |---|---|
//! | first 4,096 bytes | the header, with its checksum |
//! | then blocks of 4,096 bytes | checksum, count, up to 120 entries of 34 bytes |
//! | then 8 bytes a block | the upper half of the block's first identity |
//! | then 64 bytes a line | the filter |
//! | then 12 bytes a day | how many entries were used on it |
//!
//! All numbers are little-endian; checksums are CRC-32C.

use std::collections::BTreeMap;

use super::entry::{Entry, Identity, Position};
use super::filter::{Filter, LINE_BYTES};

pub(super) const BLOCK_BYTES: usize = 4_096;
const BLOCK_HEADER_BYTES: usize = 8;
const ENTRY_BYTES: usize = 34;
pub(super) const BLOCK_ENTRIES: usize = (BLOCK_BYTES - BLOCK_HEADER_BYTES) / ENTRY_BYTES;
pub(super) const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"ddmtrrun";
const HEADER_BYTES: usize = 104;
const DAY_BYTES: usize = 12;
/// A message has fewer bytes, and so fewer records, than fit here.
const INDEX_BITS: u32 = 24;

pub(super) fn u16_at(bytes: &[u8], place: usize) -> u16 {
    u16::from_le_bytes(taken(bytes, place))
}

pub(super) fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(taken(bytes, place))
}

pub(super) fn u64_at(bytes: &[u8], place: usize) -> u64 {
    u64::from_le_bytes(taken(bytes, place))
}

/// Bytes beyond the end count as zero: whoever needs to know checks lengths and checksums first.
#[inline]
fn taken<const N: usize>(bytes: &[u8], place: usize) -> [u8; N] {
    bytes.get(place..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

/// Whose files these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) partition: u32,
    /// Follows from the installation's secret.
    pub(super) key_check: u64,
}

/// Where a run's entries lie: offsets and days are held as distances from the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) first_offset: i64,
    pub(super) last_offset: i64,
    pub(super) first_day: i32,
    pub(super) last_day: i32,
}

impl Extent {
    pub(super) fn of(entries: &[Entry]) -> Option<Extent> {
        let one = |entry: &Entry| Extent {
            first_offset: entry.offset,
            last_offset: entry.offset,
            first_day: entry.day,
            last_day: entry.day,
        };
        entries.iter().map(one).reduce(Extent::with)
    }

    pub(super) fn with(self, other: Extent) -> Extent {
        Extent {
            first_offset: self.first_offset.min(other.first_offset),
            last_offset: self.last_offset.max(other.last_offset),
            first_day: self.first_day.min(other.first_day),
            last_day: self.last_day.max(other.last_day),
        }
    }

    /// Whether entries can be held as distances: a trillion messages and 179 years fit.
    pub(super) fn fits(self) -> bool {
        let offsets = i128::from(self.last_offset) - i128::from(self.first_offset);
        let days = i64::from(self.last_day) - i64::from(self.first_day);
        offsets < 1 << (64 - INDEX_BITS) && days <= i64::from(u16::MAX)
    }
}

/// The first block of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) owner: Owner,
    /// The part of the chain that the run stands for.
    pub(super) from: Position,
    pub(super) to: Position,
    pub(super) count: u64,
    pub(super) extent: Extent,
    pub(super) blocks: u32,
    pub(super) lines: u32,
    pub(super) days: u32,
    /// Over everything behind the blocks.
    pub(super) tail_checksum: u32,
}

/// Why bytes are no sound part of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsound {
    #[error("it is cut off or damaged")]
    Damaged,
    #[error("it has the format {0}, which this version does not know")]
    Format(u32),
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BLOCK_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.owner.partition.to_le_bytes());
        bytes.extend_from_slice(&self.owner.key_check.to_le_bytes());
        bytes.extend_from_slice(&self.from.total.to_le_bytes());
        bytes.extend_from_slice(&self.to.total.to_le_bytes());
        bytes.extend_from_slice(&self.from.checksum.to_le_bytes());
        bytes.extend_from_slice(&self.to.checksum.to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&self.extent.first_offset.to_le_bytes());
        bytes.extend_from_slice(&self.extent.last_offset.to_le_bytes());
        bytes.extend_from_slice(&self.extent.first_day.to_le_bytes());
        bytes.extend_from_slice(&self.extent.last_day.to_le_bytes());
        for number in [self.blocks, self.lines, self.days, self.tail_checksum] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.resize(HEADER_BYTES - 4, 0);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.resize(BLOCK_BYTES, 0);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Header, Unsound> {
        let own = bytes.get(..HEADER_BYTES - 4).ok_or(Unsound::Damaged)?;
        let is_sound = crc32c::crc32c(own) == u32_at(bytes, HEADER_BYTES - 4);
        if own.get(..8) != Some(&MAGIC) || !is_sound {
            return Err(Unsound::Damaged);
        }
        if u32_at(own, 8) != FORMAT {
            return Err(Unsound::Format(u32_at(own, 8)));
        }
        Ok(Header {
            owner: Owner { partition: u32_at(own, 12), key_check: u64_at(own, 16) },
            from: Position { total: u64_at(own, 24), checksum: u32_at(own, 40) },
            to: Position { total: u64_at(own, 32), checksum: u32_at(own, 44) },
            count: u64_at(own, 48),
            extent: Extent {
                first_offset: u64_at(own, 56).cast_signed(),
                last_offset: u64_at(own, 64).cast_signed(),
                first_day: u32_at(own, 72).cast_signed(),
                last_day: u32_at(own, 76).cast_signed(),
            },
            blocks: u32_at(own, 80),
            lines: u32_at(own, 84),
            days: u32_at(own, 88),
            tail_checksum: u32_at(own, 92),
        })
    }

    pub(super) fn tail_begins(&self) -> u64 {
        (u64::from(self.blocks) + 1) * BLOCK_BYTES as u64
    }

    fn tail_bytes(&self) -> u64 {
        u64::from(self.blocks) * 8
            + u64::from(self.lines) * LINE_BYTES as u64
            + u64::from(self.days) * DAY_BYTES as u64
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.tail_begins() + self.tail_bytes()
    }
}

/// What stands behind the blocks, and in memory while the run is in use.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) index: Vec<u64>,
    pub(super) filter: Filter,
    pub(super) days: BTreeMap<i32, u64>,
}

impl Tail {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.index.len() * 8 + self.filter.bytes() + 1_024);
        for first in &self.index {
            bytes.extend_from_slice(&first.to_le_bytes());
        }
        self.filter.encode(&mut bytes);
        for (day, count) in &self.days {
            bytes.extend_from_slice(&day.to_le_bytes());
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(header: &Header, bytes: &[u8]) -> Result<Tail, Unsound> {
        if bytes.len() as u64 != header.tail_bytes()
            || crc32c::crc32c(bytes) != header.tail_checksum
        {
            return Err(Unsound::Damaged);
        }
        let (index, rest) = bytes.split_at(header.blocks as usize * 8);
        let (filter, days) = rest.split_at(header.lines as usize * LINE_BYTES);
        let day = |bytes: &[u8]| (u32_at(bytes, 0).cast_signed(), u64_at(bytes, 4));
        Ok(Tail {
            index: index.chunks_exact(8).map(|bytes| u64_at(bytes, 0)).collect(),
            filter: Filter::decode(filter),
            days: days.chunks_exact(DAY_BYTES).map(day).collect(),
        })
    }
}

/// Appends a whole block of entries.
pub(super) fn put_block(to: &mut Vec<u8>, extent: &Extent, entries: &[Entry]) {
    let begin = to.len();
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(&u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
    for entry in entries {
        let offset = entry.offset.wrapping_sub(extent.first_offset).cast_unsigned();
        let place = (offset << INDEX_BITS) | u64::from(entry.index);
        let day = u16::try_from(entry.day.wrapping_sub(extent.first_day)).unwrap_or(u16::MAX);
        to.extend_from_slice(&entry.identity.high.to_le_bytes());
        to.extend_from_slice(&entry.identity.low.to_le_bytes());
        to.extend_from_slice(&entry.content.to_le_bytes());
        to.extend_from_slice(&place.to_le_bytes());
        to.extend_from_slice(&day.to_le_bytes());
    }
    to.resize(begin + BLOCK_BYTES, 0);
    let checksum = crc32c::crc32c(&to[begin + 4..]);
    to[begin..begin + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// A block whose checksum was verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Block<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Block<'a>, Unsound> {
        let count = u32_at(bytes, 4) as usize;
        let is_sound = bytes.len() == BLOCK_BYTES
            && crc32c::crc32c(&bytes[4..]) == u32_at(bytes, 0)
            && count <= BLOCK_ENTRIES;
        if is_sound { Ok(Block { bytes, count }) } else { Err(Unsound::Damaged) }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    fn identity(&self, place: usize) -> Identity {
        let at = BLOCK_HEADER_BYTES + place * ENTRY_BYTES;
        Identity { high: u64_at(self.bytes, at), low: u64_at(self.bytes, at + 8) }
    }

    pub(super) fn entry(&self, extent: &Extent, place: usize) -> Entry {
        let at = BLOCK_HEADER_BYTES + place * ENTRY_BYTES;
        let packed = u64_at(self.bytes, at + 24);
        Entry {
            identity: self.identity(place),
            content: u64_at(self.bytes, at + 16),
            offset: extent.first_offset.wrapping_add((packed >> INDEX_BITS).cast_signed()),
            index: (packed & ((1 << INDEX_BITS) - 1)) as u32,
            day: extent.first_day.wrapping_add(u16_at(self.bytes, at + 32).into()),
        }
    }

    pub(super) fn find(&self, extent: &Extent, identity: Identity) -> Option<Entry> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.identity(middle) < identity { low = middle + 1 } else { high = middle }
        }
        let found = low < self.count && self.identity(low) == identity;
        found.then(|| self.entry(extent, low))
    }
}
