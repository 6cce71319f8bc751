//! A segment: one file of frames, its index, and reading runs out of it.
//!
//! Bytes that come from the disk are checked here before anybody sees them. Nothing here writes to
//! a segment that exists.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use super::Error;
use super::catalogue::{Catalogue, Lane};
use super::directory::{Directory, INDEX, Name, Numbers, trouble};
use super::index::{Entry, Filed, Growing, Summary};
use super::layout::{RunHeader, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentKind, values};
use super::walk::damaged;
use crate::{Message, Offset};

use drawdown_domain::time::Timestamp;

/// Runs of a partition this near to each other are read at once, with what lies between.
const GAP_BYTES_MAX: u64 = 16 << 10;

/// Consecutive messages of one partition, in bytes that many runs may share.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) first: i64,
    pub(super) count: u32,
    pub(super) at: i64,
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) start: u32,
    pub(super) length: u32,
}

impl Run {
    pub(super) fn next(&self) -> i64 {
        self.first.saturating_add(i64::from(self.count))
    }

    pub(super) fn own(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.start as usize + self.length as usize]
    }

    /// The messages of the run from offset `from` on.
    pub(super) fn messages(&self, partition: u32, from: i64) -> impl Iterator<Item = Message<'_>> {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(0);
        let at = Timestamp::from_micros(self.at);
        let offsets = self.first..self.next();
        let all = offsets.zip(values(self.own(), self.count));
        all.skip(skip).map(move |(offset, value)| Message {
            partition,
            offset: Offset(offset),
            at,
            value,
        })
    }
}

/// How much is taken at a time. The first message is taken whatever its size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Budget {
    pub(super) fn is_spent(&self) -> bool {
        self.messages == 0 || self.bytes == 0
    }

    pub(super) fn spend(&mut self, messages: usize, bytes: usize) {
        self.messages = self.messages.saturating_sub(messages);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Where the runs of a segment are found.
#[derive(Debug)]
enum State {
    /// It is being written, or its index has no file yet. Its own file is held open.
    Growing { file: Arc<File>, index: Growing },
    /// It is sealed. Its files are open only while somebody reads them.
    Filed(Filed),
}

#[derive(Debug)]
pub(super) struct Segment {
    name: Name,
    header: SegmentHeader,
    path: PathBuf,
    state: RwLock<State>,
    /// Held while the index gets its file: the keeper and a hasty writer may both want to.
    filing: Mutex<()>,
}

/// A segment as one reader has it open. Its files stay readable when they are deleted.
#[derive(Debug)]
pub(super) struct Opened {
    segment: Arc<Segment>,
    file: Arc<File>,
    index: Option<File>,
    /// The number of the entry where the reader is expected to go on.
    entry: usize,
}

/// A number that no other segment's bytes were written with, but by chance.
pub(super) fn salt() -> u32 {
    let random = RandomState::new().hash_one(std::process::id());
    (random ^ (random >> 32)) as u32
}

impl Segment {
    pub(super) fn new(
        directory: &Directory,
        name: Name,
        header: SegmentHeader,
        file: File,
        index: Growing,
    ) -> Segment {
        let path = directory.join(&name.to_text());
        let state = RwLock::new(State::Growing { file: Arc::new(file), index });
        Segment { name, header, path, state, filing: Mutex::default() }
    }

    /// Opens a segment that is there, without its index.
    pub(super) fn open(directory: &Directory, name: Name, write: bool) -> Result<Segment, Error> {
        let path = directory.join(&name.to_text());
        let file = File::options().read(true).write(write).open(&path);
        let file = file.map_err(|why| trouble("open", &path, &why))?;
        let mut head = vec![0; SEGMENT_HEADER_BYTES];
        let read = file.read_exact_at(&mut head, 0);
        let header = read.ok().and_then(|()| SegmentHeader::decode(&head));
        let header = header.ok_or_else(|| damaged(&path, 0, "this is no segment's header"))?;
        let kind = match name {
            Name::Journal(_) => SegmentKind::Journal,
            Name::Archive(_) => SegmentKind::Archive,
        };
        let numbers = Numbers { first: header.first, last: header.last };
        if header.kind != kind || numbers != name.numbers() {
            return Err(damaged(&path, 0, "its header belongs to a file of another name"));
        }
        Ok(Segment::new(directory, name, header, file, Growing::default()))
    }

    pub(super) fn name(&self) -> Name {
        self.name
    }

    pub(super) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segment's file.
    pub(super) fn file(&self) -> Result<Arc<File>, Error> {
        match &*self.state() {
            State::Growing { file, .. } => Ok(file.clone()),
            State::Filed(_) => {
                let file = File::open(&self.path);
                Ok(Arc::new(file.map_err(|why| trouble("open", &self.path, &why))?))
            }
        }
    }

    pub(super) fn file_bytes(&self) -> Result<u64, Error> {
        match &*self.state() {
            State::Growing { file, .. } => {
                let metadata = file.metadata();
                Ok(metadata.map_err(|why| trouble("inspect", &self.path, &why))?.len())
            }
            State::Filed(filed) => Ok(filed.segment_bytes),
        }
    }

    pub(super) fn is_filed(&self) -> bool {
        matches!(*self.state(), State::Filed(_))
    }

    /// Takes up runs that were written.
    pub(super) fn push(&self, runs: impl Iterator<Item = (Lane, Entry, i64)>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Growing { index, .. } = &mut *state {
            runs.for_each(|(lane, entry, at)| index.push(lane, entry, at));
        }
    }

    /// How many runs were pushed.
    pub(super) fn runs(&self) -> usize {
        match &*self.state() {
            State::Growing { index, .. } => index.runs(),
            State::Filed(_) => 0,
        }
    }

    pub(super) fn summary(&self, lane: Lane) -> Option<Summary> {
        match &*self.state() {
            State::Growing { index, .. } => index.summary(lane),
            State::Filed(filed) => filed.summary(lane),
        }
    }

    pub(super) fn summaries(&self) -> Vec<Summary> {
        match &*self.state() {
            State::Growing { index, .. } => index.summaries(),
            State::Filed(filed) => filed.summaries().to_vec(),
        }
    }

    fn index_name(&self) -> String {
        format!("{}.{INDEX}", self.name.to_text())
    }

    /// Uses the index's file if there is one that fits. Returns whether there is.
    pub(super) fn open_index(
        &self,
        directory: &Directory,
        catalogue: &Catalogue,
    ) -> Result<bool, Error> {
        let path = directory.join(&self.index_name());
        let Ok(file) = File::open(&path) else { return Ok(false) };
        let filed = Filed::open(&file, path.clone(), self.header.salt, catalogue);
        let Some(filed) = filed.map_err(|why| trouble("read", &path, &why))? else {
            return Ok(false);
        };
        let file_bytes = self.file_bytes()?;
        if filed.segment_bytes != file_bytes {
            let what = format!("it had {} bytes once", filed.segment_bytes);
            return Err(damaged(&self.path, file_bytes, &what));
        }
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::Filed(filed);
        Ok(true)
    }

    /// Writes the index of a sealed segment to its file and lets go of the one in memory.
    pub(super) fn file_index(
        &self,
        directory: &Directory,
        catalogue: &Catalogue,
    ) -> Result<(), Error> {
        let _alone = self.filing.lock().unwrap_or_else(PoisonError::into_inner);
        let file_bytes = self.file_bytes()?;
        let encoded = match &*self.state() {
            State::Growing { index, .. } => index.encode(catalogue, self.header.salt, file_bytes),
            State::Filed(_) => return Ok(()),
        };
        directory.replace(&self.index_name(), &[&encoded])?;
        if !self.open_index(directory, catalogue)? {
            let path = directory.join(&self.index_name());
            return Err(damaged(&path, 0, "it was written and reads differently"));
        }
        Ok(())
    }

    /// Deletes the files of a segment. Readers that have it open read on.
    pub(super) fn delete(directory: &Directory, name: Name) -> Result<(), Error> {
        let name = name.to_text();
        directory.remove(&name)?;
        directory.remove(&format!("{name}.{INDEX}"))
    }
}

impl Opened {
    pub(super) fn new(segment: Arc<Segment>) -> Result<Opened, Error> {
        let file = segment.file()?;
        let mut opened = Opened { segment, file, index: None, entry: 0 };
        opened.open_index()?;
        Ok(opened)
    }

    /// Opens the index's file as soon as there is one.
    fn open_index(&mut self) -> Result<(), Error> {
        if let (None, State::Filed(filed)) = (&self.index, &*self.segment.state()) {
            let file = File::open(&filed.path);
            self.index = Some(file.map_err(|why| trouble("open", &filed.path, &why))?);
        }
        Ok(())
    }

    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Whether the segment holds message `offset` of a lane.
    pub(super) fn holds(&self, lane: Lane, offset: i64) -> bool {
        let summary = self.segment.summary(lane);
        summary.is_some_and(|own| own.first <= offset && offset < own.next)
    }

    /// The entries of a lane from the run on that holds message `offset`.
    fn find(&mut self, lane: Lane, offset: i64) -> Result<(usize, Vec<Entry>), Error> {
        loop {
            self.open_index()?;
            match (&*self.segment.state(), &self.index) {
                (State::Growing { index, .. }, _) => return Ok(index.find(lane, offset)),
                (State::Filed(filed), Some(file)) => {
                    return filed.find(file, lane, offset, self.entry);
                }
                // The index got its file since it was looked for.
                (State::Filed(_), None) => {}
            }
        }
    }

    /// Reads runs of a lane, beginning with the one that holds offset `from`, up to offset `until`
    /// or as far as the budget goes.
    pub(super) fn read(
        &mut self,
        catalogue: &Catalogue,
        lane: Lane,
        (from, until): (i64, i64),
        mut budget: Budget,
    ) -> Result<Vec<Run>, Error> {
        let (number, entries) = self.find(lane, from)?;
        let mut runs = Vec::new();
        let mut rest = &entries[..entries.partition_point(|entry| entry.first < until)];
        while !rest.is_empty() && !budget.is_spent() {
            let (span, after) = rest.split_at(near(rest, &budget));
            rest = after;
            for run in self.read_span(catalogue, lane, span)? {
                budget.spend(run.count as usize, run.length as usize);
                runs.push(run);
            }
        }
        let expected = runs.first().is_some_and(|run| run.first <= from && from < run.next());
        if !expected {
            let what =
                format!("message {from} of {} is not where it was", catalogue.describe(lane));
            return Err(damaged(&self.segment.path, 0, &what));
        }
        // A reader goes on within the last of these or behind it.
        self.entry = number + runs.len() - 1;
        Ok(runs)
    }

    /// Reads runs that lie near each other, and checks each.
    fn read_span(
        &self,
        catalogue: &Catalogue,
        lane: Lane,
        span: &[Entry],
    ) -> Result<Vec<Run>, Error> {
        let (Some(first), Some(last)) = (span.first(), span.last()) else { return Ok(Vec::new()) };
        let begin = first.position;
        let end = u64::from(last.position) + u64::from(last.length);
        let length = usize::try_from(end - u64::from(begin)).unwrap_or(0);
        let bytes = read_at(&self.file, u64::from(begin), length);
        let bytes = bytes.map_err(|why| trouble("read", &self.segment.path, &why))?;
        let place = catalogue.place(lane);
        let bytes = Arc::new(bytes);
        let run = |entry: &Entry| {
            let start = entry.position - begin;
            let own = &bytes[start as usize..start as usize + entry.length as usize];
            let header = RunHeader::check(self.segment.header.salt, own).filter(|header| {
                (header.topic, header.partition) == place
                    && (header.first, header.count, header.length)
                        == (entry.first, entry.count, entry.length)
            });
            let Some(header) = header else {
                let what = format!("messages of {} are not sound", catalogue.describe(lane));
                return Err(damaged(&self.segment.path, u64::from(entry.position), &what));
            };
            let (first, count, at, length) = (header.first, header.count, header.at, entry.length);
            Ok(Run { first, count, at, bytes: bytes.clone(), start, length })
        };
        span.iter().map(run).collect()
    }
}

/// So many bytes of a file. They are not set to zero first.
fn read_at(file: &File, begin: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let place = begin + bytes.len() as u64;
        match pread(file, spare_capacity(&mut bytes), place) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
    // There may have been more room than was asked for.
    bytes.truncate(length);
    Ok(bytes)
}

/// How many of the first entries lie near enough to each other, and within the budget, to be read
/// at once: at least one.
fn near(entries: &[Entry], budget: &Budget) -> usize {
    let Some(first) = entries.first() else { return 0 };
    let mut end = u64::from(first.position) + u64::from(first.length);
    let mut messages = first.count as usize;
    let fits = |entry: &&Entry| {
        let gap = u64::from(entry.position).checked_sub(end);
        let bytes = end.saturating_sub(u64::from(first.position)) + u64::from(entry.length);
        let near = gap.is_some_and(|gap| gap <= GAP_BYTES_MAX)
            && messages < budget.messages
            && bytes <= budget.bytes as u64;
        end = u64::from(entry.position) + u64::from(entry.length);
        messages += entry.count as usize;
        near
    };
    1 + entries[1..].iter().take_while(fits).count()
}
