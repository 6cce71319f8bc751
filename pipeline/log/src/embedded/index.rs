//! Where the runs of each partition lie in one segment: in memory while the segment is written, in
//! a file beside it once it is sealed, of which only a summary per partition stays in memory.
//!
//! An index says nothing that its segment does not: a lost or damaged one is made again. So a
//! reader trusts no entry further than to look where it points; the run there must confirm it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::Error;
use super::catalogue::{Catalogue, Lane};
use super::directory::trouble;
use super::layout::{FORMAT, i64_at, narrow, put, salted, u32_at, u64_at};

const MAGIC: &[u8; 8] = b"drawindx";
const HEADER_BYTES: usize = 40;
const SUMMARY_BYTES: usize = 56;
const ENTRY_BYTES: usize = 24;

/// So many entries are read at a time.
const CHUNK_ENTRIES: usize = 256;

/// Where a run lies in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first: i64,
    pub(super) position: u32,
    pub(super) length: u32,
    pub(super) count: u32,
}

impl Entry {
    pub(super) fn next(&self) -> i64 {
        self.first.saturating_add(i64::from(self.count))
    }

    fn encode(&self, salt: u32) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        put(&mut bytes, 4, &self.first.to_le_bytes());
        put(&mut bytes, 12, &self.position.to_le_bytes());
        put(&mut bytes, 16, &self.length.to_le_bytes());
        put(&mut bytes, 20, &self.count.to_le_bytes());
        let checksum = salted(salt, &bytes[4..]);
        put(&mut bytes, 0, &checksum.to_le_bytes());
        bytes
    }

    fn decode(salt: u32, bytes: &[u8]) -> Option<Entry> {
        let sound = u32_at(bytes, 0) == salted(salt, &bytes[4..ENTRY_BYTES]);
        sound.then(|| Entry {
            first: i64_at(bytes, 4),
            position: u32_at(bytes, 12),
            length: u32_at(bytes, 16),
            count: u32_at(bytes, 20),
        })
    }
}

/// What a segment holds of one partition. Its offsets have no gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) lane: Lane,
    pub(super) first: i64,
    pub(super) next: i64,
    /// When the log took the latest of the messages, in microseconds.
    pub(super) at_max: i64,
    pub(super) bytes: u64,
    entries: u32,
    /// Where the entries begin in the index's file.
    position: u64,
}

#[derive(Debug, Default)]
struct LaneEntries {
    entries: Vec<Entry>,
    at_max: i64,
    bytes: u64,
}

impl LaneEntries {
    fn summary(&self, lane: Lane, position: u64) -> Option<Summary> {
        let (first, last) = (self.entries.first()?, self.entries.last()?);
        Some(Summary {
            lane,
            first: first.first,
            next: last.next(),
            at_max: self.at_max,
            bytes: self.bytes,
            entries: narrow(self.entries.len()),
            position,
        })
    }
}

/// The index of a segment that is being written, or was not yet given a file.
#[derive(Debug, Default)]
pub(super) struct Growing {
    lanes: Vec<LaneEntries>,
    runs: usize,
}

impl Growing {
    pub(super) fn push(&mut self, lane: Lane, entry: Entry, at: i64) {
        if self.lanes.len() <= lane.index() {
            self.lanes.resize_with(lane.index() + 1, LaneEntries::default);
        }
        let own = &mut self.lanes[lane.index()];
        own.at_max = if own.entries.is_empty() { at } else { own.at_max.max(at) };
        own.bytes = own.bytes.saturating_add(u64::from(entry.length));
        own.entries.push(entry);
        self.runs += 1;
    }

    pub(super) fn runs(&self) -> usize {
        self.runs
    }

    pub(super) fn summary(&self, lane: Lane) -> Option<Summary> {
        self.lanes.get(lane.index()).and_then(|own| own.summary(lane, 0))
    }

    pub(super) fn summaries(&self) -> Vec<Summary> {
        let lanes = (0..).map(Lane).zip(&self.lanes);
        lanes.filter_map(|(lane, own)| own.summary(lane, 0)).collect()
    }

    /// Some entries of a lane, beginning with the run that holds `offset`, and the number of the
    /// first.
    pub(super) fn find(&self, lane: Lane, offset: i64) -> (usize, Vec<Entry>) {
        let Some(own) = self.lanes.get(lane.index()) else { return (0, Vec::new()) };
        let after = own.entries.partition_point(|entry| entry.first <= offset);
        let number = after.saturating_sub(1);
        (number, own.entries.iter().skip(number).take(CHUNK_ENTRIES).copied().collect())
    }

    /// The file of this index, for a segment of that salt and size.
    pub(super) fn encode(&self, catalogue: &Catalogue, salt: u32, segment_bytes: u64) -> Vec<u8> {
        let summaries = self.summaries();
        let head_bytes = HEADER_BYTES + summaries.len() * SUMMARY_BYTES;
        let mut bytes = vec![0; head_bytes];
        bytes.reserve_exact(self.runs * ENTRY_BYTES);
        for (number, summary) in summaries.iter().enumerate() {
            let position = bytes.len() as u64;
            let (topic, partition) = catalogue.place(summary.lane);
            let own = &mut bytes[HEADER_BYTES + number * SUMMARY_BYTES..];
            put(own, 0, &u32::from(topic).to_le_bytes());
            put(own, 4, &partition.to_le_bytes());
            put(own, 8, &summary.first.to_le_bytes());
            put(own, 16, &summary.next.to_le_bytes());
            put(own, 24, &summary.at_max.to_le_bytes());
            put(own, 32, &summary.bytes.to_le_bytes());
            put(own, 40, &summary.entries.to_le_bytes());
            put(own, 48, &position.to_le_bytes());
            for entry in &self.lanes[summary.lane.index()].entries {
                bytes.extend_from_slice(&entry.encode(salt));
            }
        }
        put(&mut bytes, 0, MAGIC);
        put(&mut bytes, 12, &FORMAT.to_le_bytes());
        put(&mut bytes, 16, &salt.to_le_bytes());
        put(&mut bytes, 20, &narrow(summaries.len()).to_le_bytes());
        put(&mut bytes, 24, &segment_bytes.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[12..head_bytes]);
        put(&mut bytes, 8, &checksum.to_le_bytes());
        bytes
    }
}

/// The index of a sealed segment, in its file. Who reads entries opens that file; it is not held
/// open, as there may be thousands of segments.
#[derive(Debug)]
pub(super) struct Filed {
    pub(super) path: PathBuf,
    salt: u32,
    /// By lane.
    summaries: Vec<Summary>,
    pub(super) segment_bytes: u64,
}

impl Filed {
    /// None if the file is not the whole index of the segment with this salt.
    pub(super) fn open(
        file: &File,
        path: PathBuf,
        salt: u32,
        catalogue: &Catalogue,
    ) -> io::Result<Option<Filed>> {
        let file_bytes = file.metadata()?.len();
        let mut head = vec![0; HEADER_BYTES];
        if file_bytes < HEADER_BYTES as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut head, 0)?;
        let count = u32_at(&head, 20) as usize;
        let head_bytes = HEADER_BYTES.saturating_add(count.saturating_mul(SUMMARY_BYTES));
        let own = head.starts_with(MAGIC)
            && u32_at(&head, 12) == FORMAT
            && u32_at(&head, 16) == salt
            && head_bytes as u64 <= file_bytes;
        if !own {
            return Ok(None);
        }
        head.resize(head_bytes, 0);
        file.read_exact_at(&mut head, 0)?;
        if u32_at(&head, 8) != crc32c::crc32c(&head[12..]) {
            return Ok(None);
        }
        let summary = |own: &[u8]| {
            let topic = u16::try_from(u32_at(own, 0)).ok()?;
            Some(Summary {
                lane: catalogue.lane(topic, u32_at(own, 4))?,
                first: i64_at(own, 8),
                next: i64_at(own, 16),
                at_max: i64_at(own, 24),
                bytes: u64_at(own, 32),
                entries: u32_at(own, 40),
                position: u64_at(own, 48),
            })
        };
        let summaries: Option<Vec<Summary>> =
            head[HEADER_BYTES..].chunks_exact(SUMMARY_BYTES).map(summary).collect();
        let Some(mut summaries) = summaries else { return Ok(None) };
        summaries.sort_by_key(|summary| summary.lane);
        let entries: u64 = summaries.iter().map(|summary| u64::from(summary.entries)).sum();
        let whole = head_bytes as u64 + entries * ENTRY_BYTES as u64;
        let segment_bytes = u64_at(&head, 24);
        Ok((whole == file_bytes).then_some(Filed { path, salt, summaries, segment_bytes }))
    }

    pub(super) fn summary(&self, lane: Lane) -> Option<Summary> {
        let own = self.summaries.binary_search_by_key(&lane, |summary| summary.lane);
        own.ok().map(|own| self.summaries[own])
    }

    pub(super) fn summaries(&self) -> &[Summary] {
        &self.summaries
    }

    fn entries(
        &self,
        file: &File,
        summary: &Summary,
        from: usize,
        count: usize,
    ) -> Result<Vec<Entry>, Error> {
        let count = count.min((summary.entries as usize).saturating_sub(from));
        let mut bytes = vec![0; count * ENTRY_BYTES];
        let position = summary.position + (from * ENTRY_BYTES) as u64;
        let read = file.read_exact_at(&mut bytes, position);
        read.map_err(|why| trouble("read", &self.path, &why))?;
        let entry = |own: &[u8]| Entry::decode(self.salt, own);
        let entries: Option<Vec<Entry>> = bytes.chunks_exact(ENTRY_BYTES).map(entry).collect();
        entries.ok_or_else(|| {
            Error::Fatal(format!(
                "{} is damaged: delete it and start again, it will be made anew from its segment",
                self.path.display()
            ))
        })
    }

    /// The number of the run that holds `offset`, which lies in this segment.
    fn search(&self, file: &File, summary: &Summary, offset: i64) -> Result<usize, Error> {
        let (mut low, mut high) = (0, summary.entries as usize);
        while high - low > CHUNK_ENTRIES {
            let middle = low + (high - low) / 2;
            let entries = self.entries(file, summary, middle, 1)?;
            if entries.first().is_some_and(|entry| entry.first <= offset) {
                low = middle;
            } else {
                high = middle;
            }
        }
        let entries = self.entries(file, summary, low, high - low)?;
        let after = entries.partition_point(|entry| entry.first <= offset);
        Ok(low + after.saturating_sub(1))
    }

    /// Some entries of a lane, beginning with the run that holds `offset`, and the number of the
    /// first. A reader that goes on where it stopped gives the number it expects as a hint. `file`
    /// is the index's own.
    pub(super) fn find(
        &self,
        file: &File,
        lane: Lane,
        offset: i64,
        hint: usize,
    ) -> Result<(usize, Vec<Entry>), Error> {
        let Some(summary) = self.summary(lane) else { return Ok((0, Vec::new())) };
        let holds = |entry: &Entry| entry.first <= offset && offset < entry.next();
        let mut hinted = self.entries(file, &summary, hint, CHUNK_ENTRIES)?;
        if let Some(skipped) = hinted.iter().position(holds) {
            return Ok((hint + skipped, hinted.split_off(skipped)));
        }
        let number = self.search(file, &summary, offset)?;
        Ok((number, self.entries(file, &summary, number, CHUNK_ENTRIES)?))
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
