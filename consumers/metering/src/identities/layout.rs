//! The bytes of a run's file: a header, blocks of entries sorted by identity, and behind them the
//! index, the filter and the days of use.
//!
//! | where | what |
//! |---|---|
//! | first 4,096 bytes | the header, with its checksum |
//! | then blocks of 4,096 bytes | checksum, count, entries |
//! | then 8 bytes a block | the upper half of the block's first identity |
//! | then 64 bytes a line | the filter |
//! | then 12 bytes a day | how many entries were used on it |
//!
//! An entry is 24 bytes of identity and content, then the place of its record and its day of use, as
//! distances from the run's lowest and in as many bytes as the run's highest need: mostly 4 and 1.
//!
//! All numbers are little-endian; checksums are CRC-32C.

use std::collections::BTreeMap;

use super::entry::{Entry, Identity, Position};
use super::filter::{Filter, LINE_BYTES};

pub(super) const BLOCK_BYTES: usize = 4_096;
const BLOCK_HEADER_BYTES: usize = 8;
const TOLD_BYTES: usize = 24;
pub(super) const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"ddmtrrun";
const HEADER_BYTES: usize = 104;
const PLACE_BYTES_MAX: usize = 8;
const DAY_BYTES: usize = 12;

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
    pub(super) last_index: u32,
    pub(super) first_day: i32,
    pub(super) last_day: i32,
}

/// How entries with such an extent are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    extent: Extent,
    index_bits: u32,
    place_bytes: usize,
    day_bytes: usize,
}

impl Extent {
    pub(super) fn of(entries: &[Entry]) -> Option<Extent> {
        let one = |entry: &Entry| Extent {
            first_offset: entry.offset,
            last_offset: entry.offset,
            last_index: entry.index,
            first_day: entry.day,
            last_day: entry.day,
        };
        entries.iter().map(one).reduce(Extent::with)
    }

    pub(super) fn with(self, other: Extent) -> Extent {
        Extent {
            first_offset: self.first_offset.min(other.first_offset),
            last_offset: self.last_offset.max(other.last_offset),
            last_index: self.last_index.max(other.last_index),
            first_day: self.first_day.min(other.first_day),
            last_day: self.last_day.max(other.last_day),
        }
    }

    /// How to lay entries out; none if they lie too far apart. A trillion messages of sixteen million
    /// records each fit, and so do 179 years.
    pub(super) fn layout(self) -> Option<Layout> {
        let offsets = i128::from(self.last_offset) - i128::from(self.first_offset);
        let days = i64::from(self.last_day) - i64::from(self.first_day);
        let index_bits = u32::BITS - self.last_index.leading_zeros();
        let place_bits = index_bits + i128::BITS - offsets.leading_zeros();
        let place_bytes = place_bits.div_ceil(8) as usize;
        let day_bytes = if days <= i64::from(u8::MAX) { 1 } else { 2 };
        let fits = place_bytes <= PLACE_BYTES_MAX && days <= i64::from(u16::MAX);
        fits.then_some(Layout { extent: self, index_bits, place_bytes, day_bytes })
    }
}

impl Layout {
    fn entry_bytes(&self) -> usize {
        TOLD_BYTES + self.place_bytes + self.day_bytes
    }

    /// How many entries a block holds.
    pub(super) fn block_entries(&self) -> usize {
        (BLOCK_BYTES - BLOCK_HEADER_BYTES) / self.entry_bytes()
    }

    /// Appends a whole block of entries.
    pub(super) fn put_block(&self, to: &mut Vec<u8>, entries: &[Entry]) {
        let begin = to.len();
        to.extend_from_slice(&[0; 4]);
        to.extend_from_slice(&u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
        for entry in entries {
            let offset = entry.offset.wrapping_sub(self.extent.first_offset).cast_unsigned();
            let place = (offset << self.index_bits) | u64::from(entry.index);
            let day = entry.day.wrapping_sub(self.extent.first_day).cast_unsigned();
            to.extend_from_slice(&entry.identity.high.to_le_bytes());
            to.extend_from_slice(&entry.identity.low.to_le_bytes());
            to.extend_from_slice(&entry.content.to_le_bytes());
            to.extend_from_slice(&place.to_le_bytes()[..self.place_bytes]);
            to.extend_from_slice(&day.to_le_bytes()[..self.day_bytes]);
        }
        to.resize(begin + BLOCK_BYTES, 0);
        let checksum = crc32c::crc32c(&to[begin + 4..]);
        to[begin..begin + 4].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// The lowest bytes of a number.
fn lowest_at(bytes: &[u8], place: usize, count: usize) -> u64 {
    let own = bytes.get(place..place + count).unwrap_or_default();
    own.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
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
        let Header { blocks, lines, days, tail_checksum, .. } = *self;
        for number in [blocks, lines, days, tail_checksum, self.extent.last_index] {
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
                last_index: u32_at(own, 96),
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

/// A block whose checksum was verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    count: usize,
    layout: &'a Layout,
}

impl<'a> Block<'a> {
    pub(super) fn open(layout: &'a Layout, bytes: &'a [u8]) -> Result<Block<'a>, Unsound> {
        let count = u32_at(bytes, 4) as usize;
        let is_sound = bytes.len() == BLOCK_BYTES
            && crc32c::crc32c(&bytes[4..]) == u32_at(bytes, 0)
            && count <= layout.block_entries();
        if is_sound { Ok(Block { bytes, count, layout }) } else { Err(Unsound::Damaged) }
    }

    /// The last entry first.
    pub(super) fn entries_reversed(self) -> impl Iterator<Item = Entry> {
        (0..self.count).rev().map(move |place| self.entry(place))
    }

    fn begins(&self, place: usize) -> usize {
        BLOCK_HEADER_BYTES + place * self.layout.entry_bytes()
    }

    fn identity(&self, place: usize) -> Identity {
        let at = self.begins(place);
        Identity { high: u64_at(self.bytes, at), low: u64_at(self.bytes, at + 8) }
    }

    fn entry(&self, place: usize) -> Entry {
        let (at, Layout { extent, index_bits, place_bytes, day_bytes }) =
            (self.begins(place), *self.layout);
        let record = lowest_at(self.bytes, at + TOLD_BYTES, place_bytes);
        let day = lowest_at(self.bytes, at + TOLD_BYTES + place_bytes, day_bytes);
        let offset = record.checked_shr(index_bits).unwrap_or(0).cast_signed();
        Entry {
            identity: self.identity(place),
            content: u64_at(self.bytes, at + 16),
            offset: extent.first_offset.wrapping_add(offset),
            index: (record & ((1 << index_bits) - 1)) as u32,
            day: extent.first_day.wrapping_add(day as i32),
        }
    }

    pub(super) fn find(&self, identity: Identity) -> Option<Entry> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.identity(middle) < identity { low = middle + 1 } else { high = middle }
        }
        let found = low < self.count && self.identity(low) == identity;
        found.then(|| self.entry(low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, offset: i64, index: u32, day: i32) -> Entry {
        let identity = Identity { high: number, low: number * 3 };
        Entry { identity, content: number * 7, offset, index, day }
    }

    fn check(last_offset: i64, last_index: u32, last_day: i32, bytes: usize) {
        let ends = [entry(1, -5, 0, -9), entry(2, last_offset, last_index, last_day)];
        let layout = Extent::of(&ends).unwrap().layout().unwrap();
        assert_eq!(layout.entry_bytes(), bytes);
        let all: Vec<Entry> = (0..layout.block_entries())
            .map(|place| Entry {
                identity: Identity { high: place as u64, low: 0 },
                ..ends[place % 2]
            })
            .collect();
        let mut block = Vec::new();
        layout.put_block(&mut block, &all);
        let block = Block::open(&layout, &block).unwrap();
        let mut back: Vec<Entry> = block.entries_reversed().collect();
        back.reverse();
        assert_eq!(back, all);
        assert!(all.iter().all(|entry| block.find(entry.identity) == Some(*entry)));
        assert_eq!(block.find(Identity { high: 0, low: 1 }), None);
    }

    #[test]
    fn entries_take_as_many_bytes_as_the_run_needs() {
        check(-5, 0, -9, 25);
        check(250, 0, 246, 26);
        check(251, 0, 247, 28);
        check(1_000_000, 99, 30, 29);
        check((1 << 40) - 6, (1 << 24) - 1, 65_526, 34);
        check(i64::MAX - 5, 0, 0, 33);
    }

    #[test]
    fn what_lies_too_far_apart_has_no_layout() {
        let layout = |last: Entry| Extent::of(&[entry(1, -5, 0, 0), last]).unwrap().layout();
        assert_eq!(layout(entry(2, 1 << 40, 1 << 23, 0)), None);
        assert_eq!(layout(entry(2, 0, 0, 65_536)), None);
    }
}
