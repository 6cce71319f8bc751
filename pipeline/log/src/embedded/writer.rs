//! The one thread that writes. It takes all that waits, gives each commit its place, writes them
//! with one sync, shows them to the readers, and answers.
//!
//! Between groups everything in the journal up to `end` is synced and published, and nothing lies
//! behind it. A group that cannot be written because the disk is full is taken back, and the next
//! one may succeed. After any other failure it is not known what the disk holds: the writer refuses
//! everything until the log is opened again, which reads it back.

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::{Arc, PoisonError};

use rustix::io::pwritev;

use super::Shared;
use super::catalogue::Lane;
use super::directory::{Directory, Mark, Name, Synced, is_full, trouble};
use super::drafts;
use super::index::{Entry, Growing};
use super::layout::{Draft, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentKind};
use super::queue::{Origin, Reply, Request, Work};
use super::segment::{Run, Segment, salt};
use crate::{Error, Next, Point, reach};

/// A segment of so many runs is sealed, so that the index in memory stays small.
const RUNS_PER_SEGMENT_MAX: usize = 1 << 20;

/// So many segments may wait for the index to get its file before the writer does it itself.
const UNFILED_MAX: usize = 3;

/// The system takes at most so many pieces in one write.
const SLICES_MAX: usize = 1_024;

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) segment: Arc<Segment>,
    /// The segment's file.
    pub(super) file: Arc<File>,
    /// Where the segment's checkpoint ends.
    pub(super) begin: u64,
    /// Everything before is synced and published.
    pub(super) end: u64,
    /// The number of the next frame.
    pub(super) sequence: u64,
    /// One past the last message of each lane.
    pub(super) nexts: Vec<i64>,
    pub(super) mark: Mark,
    /// Why nothing is written any more.
    pub(super) broken: Option<String>,
}

/// A frame that has its place.
struct Staged {
    draft: Draft,
    at: i64,
    position: u64,
    /// The offset of the first message of each run.
    firsts: Vec<i64>,
    origin: Option<Origin>,
    forget: Vec<(Lane, i64)>,
    reply: Reply,
}

impl Staged {
    /// Where a reader goes on behind the last message.
    fn next(&self) -> Next {
        let last = self.draft.runs.last().zip(self.firsts.last());
        Next(last.map_or(0, |(run, first)| first.saturating_add(i64::from(run.count))))
    }

    fn entries(&self) -> impl Iterator<Item = (Lane, Entry, i64)> {
        self.draft.runs.iter().zip(&self.firsts).map(|(run, first)| {
            let position =
                u32::try_from(self.position).unwrap_or(u32::MAX).saturating_add(run.start);
            let (length, count) = (run.length, run.count);
            (run.lane, Entry { first: *first, position, length, count }, self.at)
        })
    }
}

/// How a group failed to reach the disk.
enum Failure {
    Write(io::Error),
    Sync(io::Error),
}

/// Begins the segment `number` with a checkpoint. It is complete on disk before it has its name.
pub(super) fn begin_segment(
    directory: &Directory,
    number: u64,
    sequence: u64,
    begun_at: i64,
    mut checkpoint: Draft,
) -> Result<(Segment, u64), Error> {
    let kind = SegmentKind::Journal;
    let header =
        SegmentHeader { kind, salt: salt(), first: number, last: number, sequence, begun_at };
    checkpoint.seal(header.salt, sequence, 0);
    let name = Name::Journal(number);
    let file = directory.replace(&name.to_text(), &[&header.encode(), &checkpoint.bytes])?;
    reach(Point::SegmentBegun);
    let end = (SEGMENT_HEADER_BYTES + checkpoint.bytes.len()) as u64;
    Ok((Segment::new(directory, name, header, file, Growing::default()), end))
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self, shared: &Shared) {
        while let Some(requests) = shared.queue.take(shared.config.group_bytes_max) {
            let count = requests.len();
            self.write(shared, requests);
            shared.queue.decide(count);
        }
        self.mark.sync();
    }

    fn write(&mut self, shared: &Shared, requests: Vec<Request>) {
        let mut staged = Vec::with_capacity(requests.len());
        let now = (shared.config.clock)().as_micros();
        for Request { work, reply } in requests {
            if let Some(why) = &self.broken {
                reply.answer(Err(Error::Fatal(why.clone())));
                continue;
            }
            match work {
                Work::Frame { draft, at, origin, forget } => {
                    let owned = origin.as_ref().map_or(Ok(()), |origin| {
                        origin.group.check_owner(origin.epoch, &origin.read)
                    });
                    let at = at.unwrap_or(now);
                    let (position, firsts) = (0, Vec::new());
                    match owned {
                        Ok(()) => staged.push(Staged {
                            draft,
                            at,
                            position,
                            firsts,
                            origin,
                            forget,
                            reply,
                        }),
                        Err(why) => reply.answer(Err(why)),
                    }
                }
                Work::Roll => reply.answer(self.roll(shared).map(|()| Next::START)),
                #[cfg(test)]
                Work::Swap(file) => {
                    self.file = Arc::new(file);
                    reply.answer(Ok(Next::START));
                }
            }
        }
        if !staged.is_empty() {
            self.write_group(shared, staged);
        }
    }

    fn write_group(&mut self, shared: &Shared, mut staged: Vec<Staged>) {
        let bytes: u64 = staged.iter().map(|frame| frame.draft.bytes.len() as u64).sum();
        let full = self.end.saturating_add(bytes) > shared.config.segment_bytes_max;
        let full = full || self.segment.runs() > RUNS_PER_SEGMENT_MAX;
        if full
            && self.end > self.begin
            && let Err(why) = self.roll(shared)
        {
            return refuse(shared, staged, &why);
        }
        let (end, sequence) = (self.end, self.sequence);
        self.place(&mut staged);
        if let Err(failure) = self.store(&staged, end) {
            self.take_back(&staged, sequence);
            let why = self.give_up(failure);
            return refuse(shared, staged, &why);
        }
        self.end = end + bytes;
        self.mark.set(Synced { segment: self.segment.header().first, position: self.end });
        *shared.refusing.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.publish(shared, staged);
    }

    /// Gives every frame and every run its place.
    fn place(&mut self, staged: &mut [Staged]) {
        let mut position = self.end;
        for frame in staged {
            frame.position = position;
            for number in 0..frame.draft.runs.len() {
                let run = frame.draft.runs[number];
                let next = &mut self.nexts[run.lane.index()];
                frame.draft.place(&run, *next, frame.at);
                frame.firsts.push(*next);
                *next = next.saturating_add(i64::from(run.count));
            }
            frame.draft.seal(self.segment.header().salt, self.sequence, self.end);
            self.sequence += 1;
            position += frame.draft.bytes.len() as u64;
        }
    }

    fn take_back(&mut self, staged: &[Staged], sequence: u64) {
        self.sequence = sequence;
        for frame in staged.iter().rev() {
            for (run, first) in frame.draft.runs.iter().zip(&frame.firsts).rev() {
                self.nexts[run.lane.index()] = *first;
            }
        }
    }

    /// Writes the group at `position`, in two pieces so that a test can end the process between
    /// them, and syncs it.
    fn store(&self, staged: &[Staged], position: u64) -> Result<(), Failure> {
        let Some((last, others)) = staged.split_last() else { return Ok(()) };
        let (half, rest) = last.draft.bytes.split_at(last.draft.bytes.len() / 2);
        let mut slices: Vec<IoSlice<'_>> =
            others.iter().map(|frame| IoSlice::new(&frame.draft.bytes)).collect();
        slices.push(IoSlice::new(half));
        let file = &self.file;
        write_all(file, &mut slices, position).map_err(Failure::Write)?;
        reach(Point::FrameTorn);
        let torn_at = last.position + half.len() as u64;
        write_all(file, &mut [IoSlice::new(rest)], torn_at).map_err(Failure::Write)?;
        reach(Point::FrameWritten);
        file.sync_data().map_err(Failure::Sync)?;
        reach(Point::FrameSynced);
        Ok(())
    }

    /// Cuts off what a failed group left behind. Only after a full disk can the writer go on: once a
    /// sync failed, the system may have dropped pages that it never wrote and call the next sync a
    /// success.
    fn give_up(&mut self, failure: Failure) -> Error {
        let cut = self.file.set_len(self.end);
        let path = self.segment.path();
        let error = match (&failure, &cut) {
            (Failure::Write(why), Ok(())) if is_full(why) => return trouble("write", path, why),
            (Failure::Write(why), Ok(())) => trouble("write", path, why),
            (Failure::Write(_), Err(why)) => trouble("shorten", path, why),
            (Failure::Sync(why), _) => trouble("sync", path, why),
        };
        let why = format!("{error}. The log takes nothing more until it is opened again");
        self.broken = Some(why.clone());
        Error::Fatal(why)
    }

    /// Seals the segment and begins the next one. If the disk is full this one stays in use; after
    /// any other failure the next one may be there already, so this one must not go on.
    fn roll(&mut self, shared: &Shared) -> Result<(), Error> {
        let number = self.segment.header().first + 1;
        let now = (shared.config.clock)().as_micros();
        let checkpoint = drafts::checkpoint(&shared.catalogue, &shared.published());
        let begun = begin_segment(&shared.directory, number, self.sequence, now, checkpoint);
        let begun = begun.and_then(|(segment, end)| Ok((segment.file()?, segment, end)));
        let (file, segment, end) = begun.inspect_err(|why| {
            if !why.is_passing() {
                self.broken = Some(why.to_string());
            }
        })?;
        (self.segment, self.file) = (Arc::new(segment), file);
        (self.begin, self.end) = (end, end);
        self.sequence += 1;
        self.mark.set(Synced { segment: number, position: end });
        shared.published_mut().push_segment(self.segment.clone());
        shared.keeper.nudge();
        file_oldest(shared);
        Ok(())
    }

    /// Shows a synced group to the readers, all of it at once, and answers.
    fn publish(&self, shared: &Shared, staged: Vec<Staged>) {
        self.segment.push(staged.iter().flat_map(Staged::entries));
        let mut bells = Vec::new();
        let mut replies = Vec::with_capacity(staged.len());
        let mut published = shared.published_mut();
        for frame in staged {
            replies.push((frame.next(), frame.reply));
            let bytes = Arc::new(frame.draft.bytes);
            for (run, first) in frame.draft.runs.iter().zip(frame.firsts) {
                let (count, start, length) = (run.count, run.start, run.length);
                let bytes = bytes.clone();
                published.push(run.lane, Run { first, count, at: frame.at, bytes, start, length });
                published.collect_bells(run.lane, &mut bells);
            }
            if let Some(origin) = &frame.origin {
                for (partition, next) in &origin.read {
                    published.set_position(origin.key(), *partition, *next);
                }
            }
            frame.forget.into_iter().for_each(|(lane, first)| published.forget(lane, first));
        }
        let evicted = published.evict(shared.config.tail_bytes_max);
        drop(published);
        reach(Point::Committed);
        bells.iter().for_each(|bell| bell.ring());
        replies.into_iter().for_each(|(next, reply)| reply.answer(Ok(next)));
        drop(evicted);
    }
}

fn refuse(shared: &Shared, staged: Vec<Staged>, why: &Error) {
    *shared.refusing.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_string());
    for frame in staged {
        frame.reply.answer(Err(match why {
            Error::Passing(why) => Error::Passing(why.clone()),
            why => Error::Fatal(why.to_string()),
        }));
    }
}

/// Indexes get their files in the background; if that lags, the writer does it for the oldest.
fn file_oldest(shared: &Shared) {
    let segments = shared.published().segments();
    let mut unfiled = segments.iter().filter(|segment| !segment.is_filed());
    if let Some(oldest) = unfiled.next()
        && unfiled.count() >= UNFILED_MAX
        && let Err(why) = oldest.file_index(&shared.directory, &shared.catalogue)
    {
        shared.keeper.note(&why);
    }
}

fn write_all(file: &File, mut slices: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
    while !slices.is_empty() {
        let some = slices.len().min(SLICES_MAX);
        match pwritev(file, &slices[..some], position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                position += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
    Ok(())
}
