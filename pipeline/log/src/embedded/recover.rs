//! Opening a directory: what a crash left is put in order, what is damaged is refused by name.
//!
//! Sealed segments were complete and synced before the next one had its name, so nothing in them may
//! be missing. Only the last journal segment can have a torn end, which is cut off. See `walk` for
//! how the two are told apart.

use std::cmp::Reverse;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::catalogue::{Catalogue, Lane};
use super::directory::trouble;
use super::directory::{Directory, FORMAT_FILE, INDEX, MARK, Mark, Name, Synced, UNFINISHED};
use super::drafts;
use super::index::Entry;
use super::layout::{Frame, Note};
use super::published::{GroupKey, Published};
use super::segment::Segment;
use super::walk::{damaged, walk};
use super::writer::{Writer, begin_segment};
use super::{EmbeddedConfig, Error};
use crate::Next;

const REWRITE_BYTES: usize = 1 << 20;

/// A directory that is in order and taken hold of.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) directory: Directory,
    pub(super) catalogue: Catalogue,
    pub(super) published: Published,
    pub(super) writer: Writer,
}

/// The segments that count, in their order, and those that a later one replaced.
struct Sorted {
    kept: Vec<Name>,
    replaced: Vec<Name>,
}

/// Where the writer goes on in the last segment.
struct Place {
    begin: u64,
    end: u64,
    sequence: u64,
}

pub(super) fn recover(config: &EmbeddedConfig) -> Result<Recovered, Error> {
    let directory = Directory::take(&config.directory)?;
    let Sorted { kept, replaced } = sort(&directory)?;
    let mark = directory.read(MARK)?;
    let is_new = kept.is_empty() && mark.is_none();
    let catalogue = catalogue(&directory, config, is_new)?;
    let mut published = Published::new(catalogue.lanes());
    let mark = mark.and_then(|bytes| Synced::decode(&bytes)).unwrap_or_default();
    let last = kept.last().map_or(0, |name| name.numbers().last);
    let is_sealed = match kept.last() {
        Some(Name::Journal(_)) => mark.segment > last || has_index(&directory, last)?,
        Some(Name::Archive(_)) => true,
        None => !is_new,
    };
    if is_sealed {
        let number = mark.segment.max(last.saturating_add(1));
        let missing = directory.join(&Name::Journal(number).to_text());
        return Err(Error::Fatal(format!(
            "{} is missing: restore it from a backup",
            missing.display()
        )));
    }
    let mut segments = Vec::with_capacity(kept.len());
    for name in &kept[..kept.len().saturating_sub(1)] {
        segments.push(Arc::new(sealed(&directory, &catalogue, *name)?));
    }
    let writer = if is_new {
        let now = (config.clock)().as_micros();
        let checkpoint = drafts::checkpoint(&catalogue, &published);
        let (segment, begin) = begin_segment(&directory, 1, 1, now, checkpoint)?;
        continue_with(&directory, &published, segment, Place { begin, end: begin, sequence: 2 })?
    } else {
        let (segment, place) = active(&directory, &catalogue, &mut published, last, mark)?;
        continue_with(&directory, &published, segment, place)?
    };
    segments.push(writer.segment.clone());
    check_chain(&directory, &catalogue, &published, &segments)?;
    published.set_segments(segments);
    replaced.iter().try_for_each(|name| Segment::delete(&directory, *name))?;
    Ok(Recovered { directory, catalogue, published, writer })
}

/// The names of the segments; what is unfinished, or the index of nothing, is deleted.
fn sort(directory: &Directory) -> Result<Sorted, Error> {
    let names = directory.names()?;
    let mut segments: Vec<Name> = names.iter().filter_map(|name| Name::parse(name)).collect();
    for name in &names {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let stray = ending == INDEX
            && !Name::parse(stem).is_some_and(|segment| segments.contains(&segment));
        if ending == UNFINISHED || stray {
            directory.remove(name)?;
        }
    }
    segments.sort_by_key(|name| (name.numbers().first, Reverse(name.numbers().last)));
    let replaces = |name: &Name, other: &Name| {
        let newer = name.numbers() != other.numbers() || matches!(name, Name::Archive(_));
        name != other && newer && name.numbers().contains(other.numbers())
    };
    let (replaced, kept): (Vec<Name>, Vec<Name>) =
        segments.iter().partition(|other| segments.iter().any(|name| replaces(name, other)));
    for pair in kept.windows(2) {
        if pair[1].numbers().first <= pair[0].numbers().last {
            let path = directory.join(&pair[1].to_text());
            return Err(damaged(&path, 0, "it overlaps the segment before it"));
        }
    }
    Ok(Sorted { kept, replaced })
}

/// Whether a journal segment has an index on disk: it gets one only after the next one was begun.
fn has_index(directory: &Directory, number: u64) -> Result<bool, Error> {
    let name = format!("{}.{INDEX}", Name::Journal(number).to_text());
    Ok(directory.names()?.contains(&name))
}

/// The topics, as far as the directory knows them, and those that are configured.
fn catalogue(
    directory: &Directory,
    config: &EmbeddedConfig,
    is_new: bool,
) -> Result<Catalogue, Error> {
    let path = directory.join(FORMAT_FILE);
    let mut catalogue = match directory.read(FORMAT_FILE)? {
        Some(text) => {
            Catalogue::from_text(&String::from_utf8_lossy(&text), &path.display().to_string())?
        }
        None if is_new => Catalogue::default(),
        None => {
            return Err(Error::Fatal(format!(
                "{} is missing, without which the segments beside it cannot be read: restore it \
                 from a backup",
                path.display()
            )));
        }
    };
    let has_new = catalogue.configure(&config.topics)?;
    if has_new || is_new {
        directory.replace(FORMAT_FILE, &[catalogue.to_text().as_bytes()])?;
    }
    Ok(catalogue)
}

/// A segment that is not written any more, with its index.
fn sealed(directory: &Directory, catalogue: &Catalogue, name: Name) -> Result<Segment, Error> {
    let segment = Segment::open(directory, name, false)?;
    if segment.open_index(directory, catalogue)? {
        return Ok(segment);
    }
    let walked =
        walk(&*segment.file()?, segment.path(), segment.header(), &mut |position, frame| {
            segment.push(entries(catalogue, &segment, position, frame)?.into_iter());
            Ok(())
        })?;
    if !walked.is_whole() {
        return Err(damaged(segment.path(), walked.end, "no sound frame begins here"));
    }
    match segment.file_index(directory, catalogue) {
        // It is tried again later; until then the index stays in memory.
        Err(why) if why.is_passing() => Ok(segment),
        filed => filed.map(|()| segment),
    }
}

fn entries(
    catalogue: &Catalogue,
    segment: &Segment,
    position: u64,
    frame: &Frame,
) -> Result<Vec<(Lane, Entry, i64)>, Error> {
    let entry = |(start, run): &(u32, super::layout::RunHeader)| {
        let lane = catalogue.lane(run.topic, run.partition).ok_or_else(|| {
            damaged(segment.path(), position, "it has messages of a topic that nobody knows")
        })?;
        let position = u32::try_from(position).unwrap_or(u32::MAX).saturating_add(*start);
        let (first, length, count) = (run.first, run.length, run.count);
        Ok((lane, Entry { first, position, length, count }, run.at))
    };
    frame.runs.iter().map(entry).collect()
}

/// The segment that is written: what it says is taken up, and its torn end is cut off.
fn active(
    directory: &Directory,
    catalogue: &Catalogue,
    published: &mut Published,
    number: u64,
    mark: Synced,
) -> Result<(Segment, Place), Error> {
    let segment = Segment::open(directory, Name::Journal(number), true)?;
    let mut begin = 0;
    let walked =
        walk(&*segment.file()?, segment.path(), segment.header(), &mut |position, frame| {
            if begin == 0 {
                begin = position + u64::from(frame.header.length);
            }
            take_up(catalogue, published, &segment, position, frame)
        })?;
    // The header and the checkpoint were synced before the segment had its name.
    let marked = if mark.segment == number { mark.position } else { 0 };
    let synced = walked.synced.max(marked).max(begin);
    if begin == 0 || walked.end < synced {
        let what = format!("up to byte {synced} it was safely on disk once");
        return Err(damaged(segment.path(), walked.end, &what));
    }
    settle(&segment, synced, walked.end)?;
    Ok((segment, Place { begin, end: walked.end, sequence: walked.sequence }))
}

fn take_up(
    catalogue: &Catalogue,
    published: &mut Published,
    segment: &Segment,
    position: u64,
    frame: &Frame,
) -> Result<(), Error> {
    let unknown = || damaged(segment.path(), position, "it speaks of a topic that nobody knows");
    let lane = |topic: u16, partition: u32| catalogue.lane(topic, partition).ok_or_else(unknown);
    let runs = entries(catalogue, segment, position, frame)?;
    for (lane, entry, _) in &runs {
        if entry.first != published.lane(*lane).next {
            let what = format!(
                "{} goes on at {} and not at {}",
                catalogue.describe(*lane),
                entry.first,
                published.lane(*lane).next
            );
            return Err(damaged(segment.path(), position, &what));
        }
        published.recover(*lane, entry.next());
    }
    segment.push(runs.into_iter());
    for note in &frame.notes {
        match note {
            Note::Position { group, topic, partition, next } => {
                lane(*topic, *partition)?;
                let key = GroupKey { name: group.clone(), topic: *topic };
                published.set_position(&key, *partition, Next(*next));
            }
            Note::First { topic, partition, first } => {
                published.forget(lane(*topic, *partition)?, *first);
            }
            Note::Ends { topic, partition, first, next } => {
                published.set_ends(lane(*topic, *partition)?, *first, *next);
            }
        }
    }
    Ok(())
}

/// Cuts off what lies behind `end`, and writes what lies between `synced` and `end` again. After a
/// sync that failed, the system may hold those bytes in memory alone and believe them written.
fn settle(segment: &Segment, synced: u64, end: u64) -> Result<(), Error> {
    let file = segment.file()?;
    let settled = file.set_len(end).and_then(|()| {
        let mut position = synced;
        while position < end {
            let length = usize::try_from(end - position).unwrap_or(usize::MAX).min(REWRITE_BYTES);
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, position)?;
            file.write_all_at(&bytes, position)?;
            position += length as u64;
        }
        file.sync_all()
    });
    settled.map_err(|why| trouble("settle", segment.path(), &why))
}

fn continue_with(
    directory: &Directory,
    published: &Published,
    segment: Segment,
    Place { begin, end, sequence }: Place,
) -> Result<Writer, Error> {
    let synced = Synced { segment: segment.header().first, position: end };
    Ok(Writer {
        file: segment.file()?,
        segment: Arc::new(segment),
        begin,
        end,
        sequence,
        nexts: published.lanes().map(|(_, shown)| shown.next).collect(),
        mark: Mark::create(directory, synced)?,
        broken: None,
    })
}

/// Whether the segments hold every kept message of every partition: this finds out a segment that is
/// missing.
fn check_chain(
    directory: &Directory,
    catalogue: &Catalogue,
    published: &Published,
    segments: &[Arc<Segment>],
) -> Result<(), Error> {
    let mut reached: Vec<i64> = published.lanes().map(|(_, shown)| shown.first).collect();
    for segment in segments {
        for summary in segment.summaries() {
            let reached = &mut reached[summary.lane.index()];
            if summary.first <= *reached {
                *reached = summary.next.max(*reached);
            } else if summary.next > *reached {
                return Err(gap(directory, catalogue, summary.lane, *reached, summary.first));
            }
        }
    }
    for (lane, shown) in published.lanes() {
        let reached = reached[lane.index()];
        if reached < shown.next {
            return Err(gap(directory, catalogue, lane, reached, shown.next));
        }
        if reached > shown.next {
            return Err(Error::Fatal(format!(
                "{} in {} ends at {} and has messages up to {reached}: the last segments do not \
                 belong to the others, restore them from one backup",
                catalogue.describe(lane),
                directory.join("").display(),
                shown.next
            )));
        }
    }
    Ok(())
}

fn gap(directory: &Directory, catalogue: &Catalogue, lane: Lane, from: i64, until: i64) -> Error {
    Error::Fatal(format!(
        "messages {from} to {} of {} are in no segment of {}: a segment is missing, restore it from \
         a backup",
        until.saturating_sub(1),
        catalogue.describe(lane),
        directory.join("").display()
    ))
}
