//! Reading a segment from its first byte on, and telling what a crash may have torn from damage.
//!
//! Only what follows the last sync can be torn, in any way: missing, zeroes, whole pages of it in
//! any order, old blocks of the disk. What was synced cannot, so a fault in it is damage, and damage
//! is never cut off. How far a segment was synced is known from three sources, each of them a lower
//! bound: the mark beside the journal; each frame, which says how far the segment was synced when it
//! was written; and frames behind the fault, which say it as well. If the fault lies before the
//! highest of these it is damage. If not, the frame at the fault belongs to the last group that was
//! written, and nobody was told that it is safe, unless the mark is old (a loss of power) and in the
//! same moment the disk lost what it had confirmed: that one case looks the same as a torn frame.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Error;
use super::directory::trouble;
use super::layout::{FRAME_HEADER_BYTES, FRAME_MAGIC, Frame, FrameHeader};
use super::layout::{SEGMENT_HEADER_BYTES, SegmentHeader};

const CHUNK_BYTES: usize = 1 << 20;

/// What was found in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// Sound frames fill the segment up to here.
    pub(super) end: u64,
    /// The number of the frame that would follow.
    pub(super) sequence: u64,
    /// The furthest that a sound frame says was synced, be it before or behind a fault.
    pub(super) synced: u64,
    pub(super) file_bytes: u64,
}

impl Walk {
    pub(super) fn is_whole(&self) -> bool {
        self.end == self.file_bytes
    }
}

pub(super) fn damaged(path: &Path, position: u64, what: &str) -> Error {
    Error::Fatal(format!(
        "{} is damaged at byte {position}: {what}. Nothing was changed; restore the file from a backup",
        path.display()
    ))
}

/// Part of a file, read ahead.
struct Window<'f> {
    file: &'f File,
    file_bytes: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Up to `length` bytes from `position` on, fewer at the end of the file.
    fn get(&mut self, position: u64, length: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.file_bytes.saturating_sub(position)).unwrap_or(usize::MAX);
        let length = length.min(left);
        let inside = position >= self.start
            && position + length as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            self.bytes.resize(length.max(CHUNK_BYTES).min(left), 0);
            self.start = position;
            self.file.read_exact_at(&mut self.bytes, position)?;
        }
        let from = usize::try_from(position - self.start).unwrap_or(usize::MAX);
        Ok(&self.bytes[from..from + length])
    }
}

/// Shows every sound frame of a segment up to the first fault.
pub(super) fn walk(
    file: &File,
    path: &Path,
    header: &SegmentHeader,
    each: &mut dyn FnMut(u64, &Frame) -> Result<(), Error>,
) -> Result<Walk, Error> {
    let unread = |why: io::Error| trouble("read", path, &why);
    let file_bytes = file.metadata().map_err(unread)?.len();
    let mut window = Window { file, file_bytes, start: 0, bytes: Vec::new() };
    let mut end = SEGMENT_HEADER_BYTES as u64;
    let mut walk = Walk { end, sequence: header.sequence, synced: 0, file_bytes };
    while end < file_bytes {
        let head = window.get(end, FRAME_HEADER_BYTES).map_err(unread)?;
        let Some(found) = FrameHeader::decode(header.salt, head) else { break };
        let bytes = window.get(end, found.length as usize).map_err(unread)?;
        let Some(frame) = Frame::check(header.salt, bytes) else { break };
        if frame.header.sequence != walk.sequence || frame.header.synced > end {
            break;
        }
        each(end, &frame)?;
        walk.synced = walk.synced.max(frame.header.synced);
        walk.sequence = walk.sequence.saturating_add(1);
        end = end.saturating_add(u64::from(frame.header.length));
        walk.end = end;
    }
    if !walk.is_whole() {
        let behind = synced_behind(&mut window, walk.end, header.salt).map_err(unread)?;
        walk.synced = walk.synced.max(behind);
    }
    Ok(walk)
}

/// The furthest that any frame's header behind `from` says was synced, wherever it lies: behind a
/// fault it is not known where frames begin.
fn synced_behind(window: &mut Window<'_>, from: u64, salt: u32) -> io::Result<u64> {
    let mut synced = 0;
    let mut position = from;
    while position < window.file_bytes {
        let bytes = window.get(position, CHUNK_BYTES)?;
        for start in 0..bytes.len() {
            if bytes[start..].starts_with(&FRAME_MAGIC)
                && let Some(found) = FrameHeader::decode(salt, &bytes[start..])
                && found.synced <= position + start as u64
            {
                synced = synced.max(found.synced);
            }
        }
        // The next chunk overlaps by a header, so that none is cut in two.
        let step = bytes.len().saturating_sub(FRAME_HEADER_BYTES - 1).max(1);
        position = position.saturating_add(step as u64);
    }
    Ok(synced)
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
