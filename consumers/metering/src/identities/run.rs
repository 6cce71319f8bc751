//! A run: immutable, sorted by identity, on disk or, where there is no directory, in memory.
//!
//! **Invariant:** header and tail were verified when the run was opened, a block is verified each time
//! it is read: no answer comes from bytes that are not sound.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::Trouble;
use super::entry::{Entry, Identity};
use super::filter::{Filter, LINE_BYTES, Mask};
use super::layout::{BLOCK_BYTES, Block, Header, Layout, Owner, Tail, Unsound};

/// Where a run's bytes are.
#[derive(Debug)]
pub(super) enum Bytes {
    File(File),
    Memory(Vec<u8>),
}

impl Bytes {
    fn read(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        match self {
            Bytes::File(file) => file.read_exact_at(into, place),
            Bytes::Memory(bytes) => {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                let end = place.saturating_add(into.len());
                let found = bytes.get(place..end).ok_or(ErrorKind::UnexpectedEof)?;
                into.copy_from_slice(found);
                Ok(())
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) name: String,
    path: PathBuf,
    bytes: Bytes,
    header: Header,
    layout: Layout,
    index: Vec<u64>,
    filter: Filter,
    days: BTreeMap<i32, u64>,
}

impl Run {
    pub(super) fn new(
        name: String,
        path: PathBuf,
        bytes: Bytes,
        (header, layout): (Header, Layout),
        tail: Tail,
    ) -> Run {
        let Tail { index, filter, days } = tail;
        Run { name, path, bytes, header, layout, index, filter, days }
    }

    /// Opens a run's file and verifies all but its blocks.
    pub(super) fn open(name: &str, path: &Path, owner: Owner) -> Result<Run, Trouble> {
        let damaged =
            |why: &dyn std::fmt::Display| Trouble::Damaged(format!("{}: {why}", path.display()));
        let file = File::open(path).map_err(|why| damaged(&why))?;
        let length = file.metadata().map_err(|why| damaged(&why))?.len();
        let bytes = Bytes::File(file);
        let mut head = vec![0; BLOCK_BYTES];
        bytes.read(0, &mut head).map_err(|why| damaged(&why))?;
        let header = Header::decode(&head).map_err(|why| damaged(&why))?;
        if header.owner != owner {
            return Err(Trouble::Foreign(path.display().to_string()));
        }
        if length != header.file_bytes() {
            return Err(damaged(&Unsound::Damaged));
        }
        let layout = header.extent.layout().ok_or_else(|| damaged(&Unsound::Damaged))?;
        let tail_bytes = usize::try_from(length - header.tail_begins()).unwrap_or(usize::MAX);
        let mut tail = vec![0; tail_bytes];
        bytes.read(header.tail_begins(), &mut tail).map_err(|why| damaged(&why))?;
        let tail = Tail::decode(&header, &tail).map_err(|why| damaged(&why))?;
        Ok(Run::new(name.to_owned(), path.to_owned(), bytes, (header, layout), tail))
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn count(&self) -> u64 {
        self.header.count
    }

    /// How many of the entries were used on or after a day.
    pub(super) fn kept(&self, kept_from: i32) -> u64 {
        self.days.range(kept_from..).map(|(_, count)| count).sum()
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        let tail = self.index.len() * 8 + self.header.lines as usize * LINE_BYTES;
        let held = match &self.bytes {
            Bytes::File(_) => 0,
            Bytes::Memory(bytes) => bytes.len(),
        };
        (tail + held) as u64
    }

    #[inline]
    pub(super) fn may_hold(&self, identity: Identity, mask: &Mask) -> bool {
        self.filter.may_hold(identity, mask)
    }

    #[inline]
    pub(super) fn read_ahead(&self, identity: Identity) -> u64 {
        self.filter.read_ahead(identity)
    }

    /// Reads the block in which the identity must be if it is here.
    #[cold]
    pub(super) fn find(&self, identity: Identity) -> Result<Option<Entry>, Trouble> {
        // Two blocks only if the first identity of one shares its upper half with what is sought.
        let after = self.index.partition_point(|first| *first <= identity.high);
        let before = self.index.partition_point(|first| *first < identity.high);
        let mut bytes = [0; BLOCK_BYTES];
        for block in before.saturating_sub(1)..after {
            self.read(block, &mut bytes)?;
            let block = Block::open(&self.layout, &bytes).map_err(|why| self.damaged(&why))?;
            if let Some(entry) = block.find(identity) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Reads whole blocks from the one with this number on.
    pub(super) fn read(&self, block: usize, into: &mut [u8]) -> Result<(), Trouble> {
        let place = (block as u64 + 1).saturating_mul(BLOCK_BYTES as u64);
        self.bytes.read(place, into).map_err(|why| self.damaged(&why))
    }

    pub(super) fn damaged(&self, why: &dyn std::fmt::Display) -> Trouble {
        Trouble::Damaged(format!("{}: {why}", self.path.display()))
    }
}
