//! Commits as frames: what the threads that hand them in prepare, so that the writer has little left
//! to do.
//!
//! Unknown topics, partitions and sizes beyond the bounds are refused here, before anything waits.

use std::collections::BTreeMap;

use super::catalogue::{Catalogue, Lane};
use super::layout::{Draft, Note, runs_bytes_max};
use super::published::{GroupKey, Published};
use crate::{Append, Error, Next};

/// The frame of a member's commit.
pub(super) fn commit(
    catalogue: &Catalogue,
    key: &GroupKey,
    read: &BTreeMap<u32, Next>,
    appends: &[Append],
    commit_bytes_max: usize,
) -> Result<Draft, Error> {
    let mut placed = Vec::with_capacity(appends.len());
    let mut known: Option<(&str, u32, Lane)> = None;
    for append in appends {
        let lane = match known {
            Some((topic, partition, lane))
                if topic == append.topic && partition == append.partition =>
            {
                lane
            }
            _ => catalogue.find(&append.topic, append.partition)?,
        };
        known = Some((&append.topic, append.partition, lane));
        placed.push((lane, append.value.as_slice()));
    }
    // Stable, so that the messages of a partition stay in their order.
    placed.sort_by_key(|(lane, _)| *lane);
    let values_bytes = placed.iter().map(|(_, value)| value.len()).sum();
    let partitions = placed.chunk_by(|(one, _), (other, _)| one == other).count();
    let bytes = runs_bytes_max(partitions, placed.len(), values_bytes);
    check_size(bytes, commit_bytes_max)?;
    let note = |(partition, next): (&u32, &Next)| position(key, *partition, *next);
    let mut draft = Draft::new(&read.iter().map(note).collect::<Vec<Note>>(), bytes);
    for own in placed.chunk_by(|(one, _), (other, _)| one == other) {
        if let Some((lane, _)) = own.first() {
            draft.add(*lane, catalogue.place(*lane), own.iter().map(|(_, value)| *value));
        }
    }
    Ok(draft)
}

/// The frame of messages from outside any group.
pub(super) fn append(
    catalogue: &Catalogue,
    lane: Lane,
    values: &[&[u8]],
    commit_bytes_max: usize,
) -> Result<Draft, Error> {
    let values_bytes = values.iter().map(|value| value.len()).sum();
    let bytes = runs_bytes_max(1, values.len(), values_bytes);
    check_size(bytes, commit_bytes_max)?;
    let mut draft = Draft::new(&[], bytes);
    draft.add(lane, catalogue.place(lane), values.iter().copied());
    Ok(draft)
}

fn check_size(bytes: usize, commit_bytes_max: usize) -> Result<(), Error> {
    if bytes <= commit_bytes_max {
        return Ok(());
    }
    Err(Error::Fatal(format!(
        "a commit of {bytes} bytes is larger than commit_bytes_max, {commit_bytes_max}"
    )))
}

/// The frame that says what partitions forget.
pub(super) fn forget(catalogue: &Catalogue, firsts: &[(Lane, i64)]) -> Draft {
    let note = |(lane, first): &(Lane, i64)| {
        let (topic, partition) = catalogue.place(*lane);
        Note::First { topic, partition, first: *first }
    };
    Draft::new(&firsts.iter().map(note).collect::<Vec<Note>>(), 0)
}

/// The first frame of a segment: all that must outlive the segments before it.
pub(super) fn checkpoint(catalogue: &Catalogue, published: &Published) -> Draft {
    let ends = published.lanes().map(|(lane, shown)| {
        let (topic, partition) = catalogue.place(lane);
        Note::Ends { topic, partition, first: shown.first, next: shown.next }
    });
    let positions = published.positions().flat_map(|(key, own)| {
        own.iter().map(|(partition, next)| position(key, *partition, *next))
    });
    Draft::new(&ends.chain(positions).collect::<Vec<Note>>(), 0)
}

fn position(key: &GroupKey, partition: u32, next: Next) -> Note {
    Note::Position { group: key.name.clone(), topic: key.topic, partition, next: next.0 }
}
