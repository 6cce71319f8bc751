//! Writing a run: entries come sorted, and go out block by block.
//!
//! **Invariant:** a file has its name only once all of it is synced; what a crash leaves half written
//! has a name that the next start deletes.

use std::fs::{self, File};
use std::io::Write;
use std::mem;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use drawdown_log::{Point, reach};

use super::Trouble;
use super::directory::{UNFINISHED, sync_directory, trouble};
use super::entry::{Entry, Position};
use super::filter::Filter;
use super::layout::{BLOCK_BYTES, Extent, Header, Layout, Owner, Tail};
use super::run::{Bytes, Run};

/// So much is written at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// What a run is to be.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) owner: Owner,
    pub(super) from: Position,
    pub(super) to: Position,
    pub(super) extent: Extent,
    /// About how many entries will come.
    pub(super) expected: u64,
    pub(super) name: String,
    /// None: the run stays in memory.
    pub(super) directory: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) struct Writer {
    plan: Plan,
    layout: Layout,
    path: PathBuf,
    unfinished: PathBuf,
    file: Option<File>,
    chunk: Vec<u8>,
    block: Vec<Entry>,
    count: u64,
    index: Vec<u64>,
    filter: Filter,
    /// From the first of the extent on.
    days: Vec<u64>,
    is_torn: bool,
}

impl Writer {
    pub(super) fn begin(plan: Plan) -> Result<Writer, Trouble> {
        let too_wide = || Trouble::Failed(format!("{:?} is too wide for one run", plan.extent));
        let layout = plan.extent.layout().ok_or_else(too_wide)?;
        let directory = plan.directory.clone().unwrap_or_default();
        let path = directory.join(&plan.name);
        let unfinished = directory.join(format!("{}.{UNFINISHED}", plan.name));
        let file = match &plan.directory {
            None => None,
            Some(_) => {
                let file = File::options()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(&unfinished);
                Some(file.map_err(|why| trouble("create", &unfinished, &why))?)
            }
        };
        let filter = Filter::with_room_for(plan.expected);
        let days = plan.extent.last_day.abs_diff(plan.extent.first_day) as usize + 1;
        let mut writer = Writer {
            plan,
            layout,
            path,
            unfinished,
            file,
            chunk: Vec::new(),
            block: Vec::with_capacity(layout.block_entries()),
            count: 0,
            index: Vec::new(),
            filter,
            days: vec![0; days],
            is_torn: false,
        };
        // The header comes last: until then the file is no run.
        writer.chunk.resize(BLOCK_BYTES, 0);
        Ok(writer)
    }

    /// Adds the next entry; its identity is above all before it.
    pub(super) fn push(&mut self, entry: Entry) -> Result<(), Trouble> {
        if self.block.is_empty() {
            self.index.push(entry.identity.high);
        }
        self.filter.add(entry.identity);
        self.days[entry.day.abs_diff(self.plan.extent.first_day) as usize] += 1;
        self.count += 1;
        self.block.push(entry);
        if self.block.len() == self.layout.block_entries() { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<(), Trouble> {
        self.layout.put_block(&mut self.chunk, &self.block);
        self.block.clear();
        if self.chunk.len() >= CHUNK_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Trouble> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(&self.chunk);
        written.map_err(|why| trouble("write", &self.unfinished, &why))?;
        self.chunk.clear();
        if !mem::replace(&mut self.is_torn, true) {
            reach(Point::RunTorn);
        }
        Ok(())
    }

    /// Completes the run and gives it its name; none if nothing came.
    pub(super) fn seal(mut self) -> Result<Option<Run>, Trouble> {
        if self.count == 0 {
            return Ok(None);
        }
        if !self.block.is_empty() {
            self.end_block()?;
        }
        let (index, filter) =
            (mem::take(&mut self.index), mem::replace(&mut self.filter, Filter::with_room_for(0)));
        let days = (self.plan.extent.first_day..).zip(self.days.drain(..));
        let tail = Tail { index, filter, days: days.filter(|(_, count)| *count > 0).collect() };
        let tail_bytes = tail.encode();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let header = Header {
            owner: self.plan.owner,
            from: self.plan.from,
            to: self.plan.to,
            count: self.count,
            extent: self.plan.extent,
            blocks: number(tail.index.len()),
            lines: number(tail.filter.lines()),
            days: number(tail.days.len()),
            tail_checksum: crc32c::crc32c(&tail_bytes),
        };
        self.chunk.extend_from_slice(&tail_bytes);
        self.write()?;
        let bytes = match self.file.take() {
            None => {
                let mut bytes = mem::take(&mut self.chunk);
                bytes[..BLOCK_BYTES].copy_from_slice(&header.encode());
                bytes.truncate(usize::try_from(header.tail_begins()).unwrap_or(usize::MAX));
                bytes.shrink_to_fit();
                Bytes::Memory(bytes)
            }
            Some(file) => {
                self.name_file(&file, &header)?;
                Bytes::File(file)
            }
        };
        let (name, path) = (self.plan.name.clone(), self.path.clone());
        Ok(Some(Run::new(name, path, bytes, (header, self.layout), tail)))
    }

    fn name_file(&self, file: &File, header: &Header) -> Result<(), Trouble> {
        let named = file
            .write_all_at(&header.encode(), 0)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&self.unfinished, &self.path))
            .and_then(|()| sync_directory(self.path.parent().unwrap_or(Path::new("."))));
        named.map_err(|why| trouble("finish", &self.path, &why))?;
        reach(Point::RunSealed);
        Ok(())
    }
}

/// What was not completed takes no room. A run that has its name is not touched: its unfinished name
/// is gone.
impl Drop for Writer {
    fn drop(&mut self) {
        if self.plan.directory.is_some() {
            fs::remove_file(&self.unfinished).ok();
        }
    }
}
