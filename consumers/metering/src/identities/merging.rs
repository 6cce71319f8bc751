//! Which runs become one, and the merging itself.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Trouble;
use super::entry::Entry;
use super::layout::{BLOCK_BYTES, Block, Extent};
use super::run::Run;
use super::writing::Writer;

/// How many runs of about the same size become one.
const FAN_IN: usize = 4;
/// More runs than this would cost each new record too many looks.
const RUNS_MAX: usize = 6;
/// Blocks read at a time while merging.
const BLOCKS_AHEAD: usize = 64;

/// How many entries a run has, and how many of them are not forgotten yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) count: u64,
    pub(super) kept: u64,
}

/// Which neighbours to write anew as one, oldest first: one of which a third is forgotten; else as many
/// as there are of about the same size; else, where there are too many, those newest ones that gain
/// most by it. So an entry is written two or three times while a partition fills with fifty tables.
pub(super) fn plan(weights: &[Weight]) -> Option<Range<usize>> {
    let is_stale = |own: &Weight| {
        own.count > 0 && own.count.saturating_sub(own.kept).saturating_mul(3) >= own.count
    };
    if let Some(stale) = weights.iter().position(is_stale) {
        return Some(stale..stale + 1);
    }
    let sum_and_largest = |range: &Range<usize>| {
        let kept = || weights[range.clone()].iter().map(|own| own.kept);
        (kept().sum::<u64>(), kept().max().unwrap_or(0))
    };
    let windows = |count: usize| (0..=weights.len() - count).map(move |first| first..first + count);
    let is_even = |range: &Range<usize>| {
        let (sum, largest) = sum_and_largest(range);
        largest.saturating_mul(2) <= sum
    };
    if let Some(even) = (FAN_IN..=weights.len()).rev().flat_map(windows).find(is_even) {
        return Some(even);
    }
    let newest = (0..weights.len().saturating_sub(1)).map(|first| first..weights.len());
    let gain_less = |a: &Range<usize>, b: &Range<usize>| {
        let ((a_sum, a_largest), (b_sum, b_largest)) = (sum_and_largest(a), sum_and_largest(b));
        let share = |largest: u64, sum: u64| u128::from(largest) * u128::from(sum);
        share(a_largest, b_sum).cmp(&share(b_largest, a_sum))
    };
    newest.min_by(gain_less).filter(|_| weights.len() > RUNS_MAX)
}

/// The extent of what comes out of a merge.
pub(super) fn extent(runs: &[Arc<Run>], kept_from: i32) -> Option<Extent> {
    let whole = runs.iter().map(|run| run.header().extent).reduce(Extent::with)?;
    Some(Extent { first_day: whole.first_day.max(kept_from).min(whole.last_day), ..whole })
}

/// Reads a run from its first entry to its last.
struct Reader<'r> {
    run: &'r Run,
    bytes: Vec<u8>,
    next_block: usize,
    /// The entries of the block that is being read, the next one last.
    entries: Vec<Entry>,
    /// Where the next block begins in `bytes`.
    place: usize,
}

impl<'r> Reader<'r> {
    fn new(run: &'r Run) -> Reader<'r> {
        let entries = Vec::with_capacity(run.layout().block_entries());
        Reader { run, bytes: Vec::new(), next_block: 0, entries, place: 0 }
    }

    fn next(&mut self) -> Result<Option<Entry>, Trouble> {
        if self.entries.is_empty() {
            self.read_block()?;
        }
        Ok(self.entries.pop())
    }

    fn read_block(&mut self) -> Result<(), Trouble> {
        if self.place == self.bytes.len() {
            let left = self.run.header().blocks as usize - self.next_block;
            self.bytes.resize(left.min(BLOCKS_AHEAD) * BLOCK_BYTES, 0);
            self.run.read(self.next_block, &mut self.bytes)?;
            self.next_block += left.min(BLOCKS_AHEAD);
            self.place = 0;
        }
        let Some(bytes) = self.bytes.get(self.place..self.place + BLOCK_BYTES) else {
            return Ok(());
        };
        let block = Block::open(self.run.layout(), bytes).map_err(|why| self.run.damaged(&why))?;
        self.entries.extend(block.entries_reversed());
        self.place += BLOCK_BYTES;
        Ok(())
    }
}

/// Shows all entries of a run, in their order.
pub(super) fn each_entry(run: &Run, mut visit: impl FnMut(Entry)) -> Result<(), Trouble> {
    let mut reader = Reader::new(run);
    while let Some(entry) = reader.next()? {
        visit(entry);
    }
    Ok(())
}

/// Writes what is kept of the runs, oldest run first, to `writer`. Of equal identities the newest stays:
/// the others were forgotten when it came.
pub(super) fn merge(
    runs: &[Arc<Run>],
    kept_from: i32,
    ending: &AtomicBool,
    writer: &mut Writer,
) -> Result<(), Trouble> {
    let mut readers: Vec<Reader<'_>> = runs.iter().map(|run| Reader::new(run)).collect();
    let mut heads = Vec::with_capacity(readers.len());
    for reader in &mut readers {
        heads.push(reader.next()?);
    }
    let mut written = 0_u64;
    loop {
        let mut lowest: Option<Entry> = None;
        for head in heads.iter().flatten() {
            // Later readers are newer: they take the place of an equal one.
            if lowest.is_none_or(|lowest| head.identity <= lowest.identity) {
                lowest = Some(*head);
            }
        }
        let Some(lowest) = lowest else { return Ok(()) };
        for (head, reader) in heads.iter_mut().zip(&mut readers) {
            if head.is_some_and(|own| own.identity == lowest.identity) {
                *head = reader.next()?;
            }
        }
        if lowest.day >= kept_from {
            writer.push(lowest)?;
        }
        written = written.wrapping_add(1);
        if written.trailing_zeros() >= 12 && ending.load(Ordering::Relaxed) {
            return Err(Trouble::Abandoned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(weights: &[(u64, u64)], expected: Option<Range<usize>>) {
        let weights: Vec<Weight> =
            weights.iter().map(|(count, kept)| Weight { count: *count, kept: *kept }).collect();
        assert_eq!(plan(&weights), expected, "{weights:?}");
    }

    #[test]
    fn neighbours_of_about_the_same_size_become_one() {
        check(&[], None);
        check(&[(10, 10); 3], None);
        check(&[(10, 10); 4], Some(0..4));
        check(&[(90, 90), (10, 10), (10, 10), (10, 10)], None);
        check(&[(90, 90), (10, 10), (10, 10), (10, 10), (10, 10)], Some(1..5));
        check(
            &[(40, 40), (40, 40), (40, 40), (40, 40), (10, 10), (10, 10), (10, 10), (10, 10)],
            Some(0..8),
        );
    }

    #[test]
    fn what_is_forgotten_by_a_third_is_written_anew() {
        check(&[(90, 61), (10, 10)], None);
        check(&[(90, 60), (10, 10)], Some(0..1));
        check(&[(90, 90), (10, 0)], Some(1..2));
    }

    #[test]
    fn runs_stay_few_and_are_written_a_few_times() {
        let (mut weights, mut written) = (Vec::new(), 0);
        let mut most = 0;
        for _ in 0..10_000 {
            weights.push(Weight { count: 1, kept: 1 });
            while let Some(range) = plan(&weights) {
                let kept = weights[range.clone()].iter().map(|own| own.kept).sum();
                weights.splice(range, [Weight { count: kept, kept }]);
                written += kept;
            }
            most = most.max(weights.len());
        }
        assert!(most <= RUNS_MAX, "{most}");
        assert!(written < 10_000 * 12, "{written}");
    }
}
