//! The thread that keeps the directory small: it gives sealed segments their index files, forgets
//! what is too old, deletes segments that hold nothing any more, and copies forward what is kept
//! out of those that hold little.
//!
//! It never changes a segment. What must be forgotten goes through the writer, so that it is on disk
//! before anything is deleted. Its failures do no harm but that the directory stays larger; they are
//! told in the log's status and tried again.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use drawdown_domain::time::Timestamp;

use super::Shared;
use super::archive;
use super::catalogue::Lane;
use super::directory::Name;
use super::drafts;
use super::queue::Work;
use super::segment::Segment;
use crate::{Error, Point, reach};

#[derive(Debug, Default)]
struct State {
    is_nudged: bool,
    is_stopped: bool,
    /// A segment is damaged or the disk fails: nothing is rewritten or deleted until the log is
    /// opened again, which finds out how things are.
    is_halted: bool,
    trouble: Option<String>,
}

/// How the thread is told what to do, and tells what went wrong.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    state: Mutex<State>,
    wake: Condvar,
    /// Held while the directory is tidied.
    tidying: Mutex<()>,
}

impl Keeper {
    /// A segment was sealed.
    pub(super) fn nudge(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_nudged = true;
        self.wake.notify_all();
    }

    pub(super) fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_stopped = true;
        self.wake.notify_all();
    }

    pub(super) fn note(&self, why: &Error) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.trouble = Some(why.to_string());
    }

    /// What went wrong the last time, if something did.
    pub(super) fn trouble(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    /// Waits for a nudge or until the directory is to be tidied; false once the log is closed.
    fn wait_until(&self, due: Instant) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut State| !state.is_nudged && !state.is_stopped;
        let left = due.saturating_duration_since(Instant::now());
        let waited = self.wake.wait_timeout_while(state, left, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_nudged = false;
        !state.is_stopped
    }

    pub(super) fn run(shared: &Shared) {
        let mut due = Instant::now();
        loop {
            let now = Instant::now();
            if now >= due {
                due = now.checked_add(shared.config.tidy_every).unwrap_or(now);
            }
            let goes_on = shared.keeper.wait_until(due);
            let is_due = goes_on && Instant::now() >= due;
            if let Err(why) = if is_due { tidy(shared) } else { file_now(shared) } {
                shared.keeper.note(&why);
            }
            if !goes_on {
                return;
            }
        }
    }
}

fn file_now(shared: &Shared) -> Result<(), Error> {
    let _alone = shared.keeper.tidying.lock().unwrap_or_else(PoisonError::into_inner);
    file_indexes(shared)
}

/// Gives sealed segments their index files.
fn file_indexes(shared: &Shared) -> Result<(), Error> {
    let file = |segment: &Arc<Segment>| segment.file_index(&shared.directory, &shared.catalogue);
    sealed(shared).iter().try_for_each(file)
}

/// Does everything that there is to do.
pub(super) fn tidy(shared: &Shared) -> Result<(), Error> {
    let _alone = shared.keeper.tidying.lock().unwrap_or_else(PoisonError::into_inner);
    let tidied = tidy_alone(shared);
    let mut state = shared.keeper.state.lock().unwrap_or_else(PoisonError::into_inner);
    state.trouble = tidied.as_ref().err().map(Error::to_string);
    tidied
}

fn tidy_alone(shared: &Shared) -> Result<(), Error> {
    let now = (shared.config.clock)();
    roll_if_old(shared, now)?;
    file_indexes(shared)?;
    forget_expired(shared, now)?;
    let keeper = || shared.keeper.state.lock().unwrap_or_else(PoisonError::into_inner);
    if keeper().is_halted {
        let former = keeper().trouble.clone().unwrap_or_default();
        return Err(Error::Fatal(former));
    }
    let shrunk = shrink(shared);
    keeper().is_halted = matches!(shrunk, Err(Error::Fatal(_)));
    shrunk
}

fn shrink(shared: &Shared) -> Result<(), Error> {
    delete_empty(shared)?;
    while let Some(range) = archive::plan(&weigh(shared), shared.config.segment_bytes_max) {
        rewrite(shared, range)?;
    }
    Ok(())
}

/// All segments but the one that is written.
fn sealed(shared: &Shared) -> Vec<Arc<Segment>> {
    let segments = shared.published().segments();
    segments.iter().take(segments.len().saturating_sub(1)).cloned().collect()
}

/// Messages are forgotten with the segment they are in, so a segment must not stay open for long.
fn roll_if_old(shared: &Shared, now: Timestamp) -> Result<(), Error> {
    let segments = shared.published().segments();
    let Some(last) = segments.last() else { return Ok(()) };
    let age = now.since(Timestamp::from_micros(last.header().begun_at));
    if last.runs() > 0 && age >= shared.config.segment_span_max {
        shared.queue.push(Work::Roll)?.wait_for_ever()?;
    }
    Ok(())
}

/// Forgets, partition by partition, the oldest sealed segments whose messages are all too old.
fn forget_expired(shared: &Shared, now: Timestamp) -> Result<(), Error> {
    let mut forget: Vec<(Lane, i64)> = Vec::new();
    let sealed = sealed(shared);
    for lane in (0..shared.catalogue.lanes()).map(Lane) {
        let Some(keep) = shared.catalogue.keep(lane) else { continue };
        let oldest = now.minus(keep).as_micros();
        let summaries = sealed.iter().filter_map(|segment| segment.summary(lane));
        let expired = summaries.take_while(|summary| summary.at_max < oldest).last();
        let first = shared.published().lane(lane).first;
        forget.extend(
            expired.filter(|expired| expired.next > first).map(|expired| (lane, expired.next)),
        );
    }
    if forget.is_empty() { Ok(()) } else { self::forget(shared, forget) }
}

/// Makes partitions forget what lies before an offset, durably.
pub(super) fn forget(shared: &Shared, forget: Vec<(Lane, i64)>) -> Result<(), Error> {
    let draft = drafts::forget(&shared.catalogue, &forget);
    let work = Work::Frame { draft, at: None, origin: None, forget };
    shared.queue.push(work)?.wait_for_ever().map(|_| ())
}

/// How much each sealed segment holds, and how much of it is kept.
fn weigh(shared: &Shared) -> Vec<archive::Weight> {
    let sealed = sealed(shared);
    let published = shared.published();
    let weight = |segment: &Arc<Segment>| {
        let summaries = segment.summaries();
        let kept = summaries.iter().filter(|own| own.next > published.lane(own.lane).first);
        archive::Weight {
            bytes: summaries.iter().map(|own| own.bytes).sum(),
            kept: kept.map(|own| own.bytes).sum(),
        }
    };
    sealed.iter().map(weight).collect()
}

fn delete_empty(shared: &Shared) -> Result<(), Error> {
    let weights = weigh(shared);
    let (mut stay, mut go): (Vec<Arc<Segment>>, Vec<Name>) = (Vec::new(), Vec::new());
    for (segment, weight) in sealed(shared).into_iter().zip(weights) {
        if weight.kept == 0 {
            go.push(segment.name());
        } else {
            stay.push(segment);
        }
    }
    if go.is_empty() { Ok(()) } else { replace_sealed(shared, stay, &go) }
}

/// Puts an archive in the place of a range of sealed segments.
fn rewrite(shared: &Shared, range: std::ops::Range<usize>) -> Result<(), Error> {
    let sealed = sealed(shared);
    let firsts = shared.published().lanes().map(|(_, shown)| shown.first).collect::<Vec<i64>>();
    let archive = archive::write(shared, &sealed[range.clone()], &firsts)?;
    let name = archive.name();
    let go: Vec<Name> =
        sealed[range.clone()].iter().map(|own| own.name()).filter(|own| *own != name).collect();
    let mut stay = sealed;
    stay.splice(range, [Arc::new(archive)]);
    replace_sealed(shared, stay, &go)
}

/// Readers see the new list of segments first; then the files that are in it no more are deleted.
fn replace_sealed(shared: &Shared, mut stay: Vec<Arc<Segment>>, go: &[Name]) -> Result<(), Error> {
    {
        // The writer may have sealed more segments meanwhile; they stay behind the others.
        let mut published = shared.published_mut();
        let newest = stay.last().map(|segment| segment.name().numbers().last);
        let newest = newest.max(go.iter().map(|name| name.numbers().last).max()).unwrap_or(0);
        let segments = published.segments();
        stay.extend(segments.iter().filter(|own| own.name().numbers().first > newest).cloned());
        published.set_segments(stay);
    }
    for name in go {
        reach(Point::SegmentDropped);
        Segment::delete(&shared.directory, *name)?;
    }
    Ok(())
}
