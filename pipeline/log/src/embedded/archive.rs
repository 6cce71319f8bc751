//! Copying forward: what is kept of old segments goes, partition by partition, into one archive
//! that takes their place, so that the rest can go.
//!
//! The archive is complete and synced before it has its name, and its name says which segments it
//! replaces: after a crash either it is not there, or they are deleted at the next start.

use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::Shared;
use super::catalogue::Lane;
use super::directory::{Name, Numbers, UNFINISHED, trouble};
use super::index::{Entry, Growing};
use super::layout::{Draft, RunHeader, SegmentHeader, SegmentKind};
use super::segment::{Budget, Opened, Segment, salt};
use super::walk::damaged;
use crate::Error;

/// So much is copied at a time.
const FRAME_BYTES_TARGET: usize = 1 << 20;

/// So many segments are open at a time to be copied from.
const MERGE_COUNT_MAX: usize = 64;

/// What a segment holds, in bytes of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) bytes: u64,
    pub(super) kept: u64,
}

/// Which neighbouring segments to replace by one, if any are worth it: those of which half or more
/// is forgotten, as many as fit into one; else some small ones, so that there are few files.
pub(super) fn plan(weights: &[Weight], segment_bytes_max: u64) -> Option<Range<usize>> {
    let is_thin = |weight: &Weight| weight.kept < weight.bytes && weight.kept * 2 <= weight.bytes;
    if let Some(first) = weights.iter().position(is_thin) {
        let fitting = fitting(&weights[first..], segment_bytes_max);
        let thin = weights[first..first + fitting.max(1)].iter().take_while(|own| is_thin(own));
        return Some(first..first + thin.count());
    }
    (0..weights.len()).find_map(|first| {
        let fitting = fitting(&weights[first..], segment_bytes_max);
        let longest = (2..=fitting).rev();
        longest.map(|count| first..first + count).find(|range| is_worth_it(&weights[range.clone()]))
    })
}

/// How many of the first segments fit into one.
fn fitting(weights: &[Weight], segment_bytes_max: u64) -> usize {
    let mut kept = 0_u64;
    let fits = |weight: &&Weight| {
        kept = kept.saturating_add(weight.kept);
        kept <= segment_bytes_max
    };
    weights.iter().take(MERGE_COUNT_MAX).take_while(fits).count()
}

/// Whether what comes out is at least twice as large as the largest that goes in. So a message is
/// copied a few times in its life, and not whenever something small comes beside it.
fn is_worth_it(weights: &[Weight]) -> bool {
    let largest = weights.iter().map(|weight| weight.kept).max().unwrap_or(0);
    let all: u64 = weights.iter().map(|weight| weight.kept).sum();
    largest.saturating_mul(2) <= all
}

/// An archive that is being written.
struct Archive<'s> {
    shared: &'s Shared,
    header: SegmentHeader,
    path: &'s Path,
    file: File,
    draft: Draft,
    entries: Vec<(Lane, Entry, i64)>,
    position: u64,
    sequence: u64,
    index: Growing,
}

/// Writes the archive of these segments, with what lies at or behind the first offset of each lane.
/// A run that is not sound is not copied: the segment stays, and the error says where.
pub(super) fn write(
    shared: &Shared,
    sources: &[Arc<Segment>],
    firsts: &[i64],
) -> Result<Segment, Error> {
    let numbers = |own: &Arc<Segment>| own.name().numbers();
    let (Some(oldest), Some(newest)) = (sources.first().map(numbers), sources.last().map(numbers))
    else {
        return Err(Error::Fatal("an archive of nothing was asked for".to_owned()));
    };
    let name = Name::Archive(Numbers { first: oldest.first, last: newest.last });
    let path = shared.directory.join(&format!("{}.{UNFINISHED}", name.to_text()));
    match fill(shared, sources, firsts, name, &path) {
        Ok(segment) => Ok(segment),
        Err(why) => {
            // Whether this works or not: the next start deletes unfinished files.
            fs::remove_file(&path).ok();
            Err(why)
        }
    }
}

fn fill(
    shared: &Shared,
    sources: &[Arc<Segment>],
    firsts: &[i64],
    name: Name,
    path: &Path,
) -> Result<Segment, Error> {
    let Numbers { first, last } = name.numbers();
    let begun_at = (shared.config.clock)().as_micros();
    let kind = SegmentKind::Archive;
    let header = SegmentHeader { kind, salt: salt(), first, last, sequence: 1, begun_at };
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path);
    let mut archive = Archive {
        shared,
        header,
        path,
        file: file.map_err(|why| trouble("create", path, &why))?,
        draft: Draft::new(&[], FRAME_BYTES_TARGET),
        entries: Vec::new(),
        position: 0,
        sequence: 1,
        index: Growing::default(),
    };
    archive.append(&header.encode())?;
    let opened = sources.iter().map(|source| Opened::new(source.clone()));
    let mut opened = opened.collect::<Result<Vec<Opened>, Error>>()?;
    for lane in (0..shared.catalogue.lanes()).map(Lane) {
        for source in &mut opened {
            archive.copy_lane(source, lane, firsts[lane.index()])?;
        }
    }
    archive.flush()?;
    archive.finish(name)
}

impl Archive<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(bytes);
        written.map_err(|why| trouble("write", self.path, &why))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn copy_lane(&mut self, source: &mut Opened, lane: Lane, first: i64) -> Result<(), Error> {
        let segment = source.segment().clone();
        let Some(summary) = segment.summary(lane) else { return Ok(()) };
        let mut from = summary.first.max(first);
        let budget = Budget { messages: usize::MAX, bytes: FRAME_BYTES_TARGET };
        while from < summary.next {
            let catalogue = &self.shared.catalogue;
            let range = (from, summary.next);
            for run in source.read(catalogue, lane, range, budget)? {
                let own = run.own();
                let header = RunHeader::check(segment.header().salt, own);
                let header = header.ok_or_else(|| damaged(segment.path(), 0, "a run changed"))?;
                self.draft.copy(lane, own, &header);
                let start = self.draft.bytes.len() - own.len();
                let position = u32::try_from(start).unwrap_or(u32::MAX);
                let (first, length, count) = (run.first, run.length, run.count);
                self.entries.push((lane, Entry { first, position, length, count }, run.at));
                from = run.next();
            }
            if self.draft.bytes.len() >= FRAME_BYTES_TARGET {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes the frame that was put together.
    fn flush(&mut self) -> Result<(), Error> {
        if self.draft.runs.is_empty() {
            return Ok(());
        }
        let mut draft = std::mem::replace(&mut self.draft, Draft::new(&[], FRAME_BYTES_TARGET));
        draft.seal(self.header.salt, self.sequence, self.position);
        self.sequence += 1;
        let begin = u32::try_from(self.position).unwrap_or(u32::MAX);
        for (lane, mut entry, at) in self.entries.drain(..) {
            entry.position = entry.position.saturating_add(begin);
            self.index.push(lane, entry, at);
        }
        self.append(&draft.bytes)
    }

    /// Gives the archive its name. From then on it counts, and its sources do not. If there is no
    /// room for its index, that stays in memory until it is tried again.
    fn finish(self, name: Name) -> Result<Segment, Error> {
        let directory = &self.shared.directory;
        let path = directory.join(&name.to_text());
        let synced = self.file.sync_all().and_then(|()| fs::rename(self.path, &path));
        synced.map_err(|why| trouble("finish", &path, &why))?;
        directory.sync()?;
        let segment = Segment::new(directory, name, self.header, self.file, self.index);
        match segment.file_index(directory, &self.shared.catalogue) {
            Err(why) if !why.is_passing() => Err(why),
            _ => Ok(segment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(weights: &[(u64, u64)], expected: Option<Range<usize>>) {
        let weights: Vec<Weight> =
            weights.iter().map(|(bytes, kept)| Weight { bytes: *bytes, kept: *kept }).collect();
        assert_eq!(plan(&weights, 800), expected, "{weights:?}");
    }

    #[test]
    fn segments_that_hold_little_are_rewritten_together() {
        check(&[], None);
        check(&[(800, 800), (800, 401)], None);
        check(&[(800, 800), (800, 400)], Some(1..2));
        check(&[(800, 10), (800, 20), (800, 800), (800, 5)], Some(0..2));
        check(&[(800, 400), (800, 400), (800, 400)], Some(0..2));
        check(&[(0, 0), (800, 700)], None);
    }

    #[test]
    fn small_neighbours_are_merged() {
        check(&[(100, 100); 1], None);
        check(&[(100, 100); 7], Some(0..7));
        check(&[(100, 100); 9], Some(0..8));
        check(&[(500, 500), (400, 400)], None);
        check(&[(400, 400), (400, 400)], Some(0..2));
        check(&[(800, 800), (90, 90), (90, 90), (90, 90)], Some(1..4));
        check(&[(400, 400), (90, 90)], None);
        check(&[(400, 400), (200, 200), (200, 200), (100, 100)], Some(0..3));
    }

    #[test]
    fn small_segments_without_end_stay_few_and_are_copied_a_few_times() {
        let (mut weights, mut copied) = (Vec::new(), 0);
        for _ in 0..10_000 {
            weights.push(Weight { bytes: 10, kept: 10 });
            while let Some(range) = plan(&weights, 8_000) {
                let kept = weights[range.clone()].iter().map(|own| own.kept).sum();
                weights.splice(range, [Weight { bytes: kept, kept }]);
                copied += kept;
            }
        }
        assert!(weights.len() < 30, "{}", weights.len());
        assert!(copied < 10_000 * 10 * 10, "{copied}");
    }
}
