//! The directory and its small files: who holds it, names, replacing a file at once, and the mark
//! of how far the journal is safely on disk.
//!
//! Nothing here knows what a segment holds.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::Error;
use super::layout::{put, u32_at, u64_at};

const LOCK: &str = "lock";
pub(super) const FORMAT_FILE: &str = "format";
pub(super) const MARK: &str = "synced";
/// A file of this ending was not complete when its writer ended; it is deleted.
pub(super) const UNFINISHED: &str = "new";
/// Behind the name of a segment: the file that says where each partition's runs lie in it.
pub(super) const INDEX: &str = "index";

/// What went wrong with a file, in words and as a kind: a full disk and too many open files pass, the
/// rest does not.
pub(super) fn trouble(action: &str, path: &Path, why: &io::Error) -> Error {
    let text = format!("cannot {action} {}: {why}", path.display());
    let crowded = [Errno::MFILE, Errno::NFILE].map(|own| Some(own.raw_os_error()));
    if is_full(why) {
        Error::Passing(format!("there is no room on the disk: {text}"))
    } else if crowded.contains(&why.raw_os_error()) {
        Error::Passing(text)
    } else {
        Error::Fatal(text)
    }
}

pub(super) fn is_full(why: &io::Error) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(why.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The numbers of the journal segments whose messages a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Numbers {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Numbers {
    pub(super) fn contains(self, other: Numbers) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// The name of a segment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Journal(u64),
    Archive(Numbers),
}

impl Name {
    pub(super) fn numbers(self) -> Numbers {
        match self {
            Name::Journal(number) => Numbers { first: number, last: number },
            Name::Archive(numbers) => numbers,
        }
    }

    pub(super) fn to_text(self) -> String {
        match self {
            Name::Journal(number) => format!("{number:012}.journal"),
            Name::Archive(Numbers { first, last }) => format!("{first:012}-{last:012}.archive"),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Name> {
        let name = if let Some(number) = text.strip_suffix(".journal") {
            Name::Journal(number.parse().ok()?)
        } else {
            let (first, last) = text.strip_suffix(".archive")?.split_once('-')?;
            Name::Archive(Numbers { first: first.parse().ok()?, last: last.parse().ok()? })
        };
        (name.to_text() == text).then_some(name)
    }
}

/// The directory of a log, held by this process alone while this value lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    lock: File,
}

impl Directory {
    /// Takes hold of the directory, which is made if it is not there.
    pub(super) fn take(path: &Path) -> Result<Directory, Error> {
        create(path).map_err(|why| trouble("create", path, &why))?;
        let lock_path = path.join(LOCK);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|why| trouble("open", &lock_path, &why))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut lock)),
            Err(TryLockError::Error(why)) => return Err(trouble("lock", &lock_path, &why)),
        }
        let holder = format!("{}\n", std::process::id());
        // On a full disk this may fail; then a second process is told less.
        lock.set_len(0).and_then(|()| lock.write_all(holder.as_bytes())).ok();
        Ok(Directory { path: path.to_owned(), lock })
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names of all files.
    pub(super) fn names(&self) -> Result<Vec<String>, Error> {
        let listed = fs::read_dir(&self.path).and_then(|entries| {
            let name = |entry: io::Result<fs::DirEntry>| {
                Ok(entry?.file_name().to_string_lossy().into_owned())
            };
            entries.map(name).collect()
        });
        listed.map_err(|why| trouble("list", &self.path, &why))
    }

    /// Makes what was created, renamed or deleted in the directory durable.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let synced = sync_directory(&self.path);
        synced.map_err(|why| trouble("sync", &self.path, &why))
    }

    /// Writes a file so that after a crash either all of it is there under its name or nothing, and
    /// returns it open for reading and writing. If this fails because the disk is full, what had the
    /// name is untouched; after any other failure it is not known.
    pub(super) fn replace(&self, name: &str, contents: &[&[u8]]) -> Result<File, Error> {
        let path = self.join(name);
        let unfinished = self.join(&format!("{name}.{UNFINISHED}"));
        let written = write_synced(&unfinished, contents)
            .and_then(|file| fs::rename(&unfinished, &path).map(|()| file));
        match written {
            Ok(file) => match self.sync() {
                Ok(()) => Ok(file),
                Err(why) => Err(Error::Fatal(why.to_string())),
            },
            Err(why) => {
                // Whether this works or not: the next start deletes unfinished files.
                fs::remove_file(&unfinished).ok();
                Err(trouble("write", &path, &why))
            }
        }
    }

    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
            Err(why) => Err(trouble("read", &path, &why)),
        }
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.join(name);
        match fs::remove_file(&path) {
            Err(why) if why.kind() != ErrorKind::NotFound => Err(trouble("delete", &path, &why)),
            _ => Ok(()),
        }
    }
}

/// Makes a directory and those it lies in, as far as they are not there, durably.
fn create(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|own| !own.is_dir()).collect();
    fs::create_dir_all(path)?;
    missing.iter().filter_map(|own| own.parent()).try_for_each(sync_directory)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    // The parent of a relative path of one word is an empty path.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

/// Closing the file alone might not let go: a process that is just being started by another thread
/// has it open too, until it becomes another program.
impl Drop for Directory {
    fn drop(&mut self) {
        self.lock.unlock().ok();
    }
}

fn held(path: &Path, lock: &mut File) -> Error {
    let mut holder = String::new();
    let holder = match lock.read_to_string(&mut holder) {
        Ok(_) if !holder.trim().is_empty() => format!("the process {}", holder.trim()),
        _ => "another process".to_owned(),
    };
    Error::Fatal(format!(
        "the log in {} is in use by {holder}: stop it first, or give this one a directory of its own",
        path.display()
    ))
}

fn write_synced(path: &Path, contents: &[&[u8]]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(true).open(path)?;
    contents.iter().try_for_each(|content| file.write_all(content))?;
    file.sync_all()?;
    Ok(file)
}

/// Up to where the journal was safely on disk when the mark was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Synced {
    pub(super) segment: u64,
    pub(super) position: u64,
}

const MARK_BYTES: usize = 24;

impl Synced {
    pub(super) fn encode(self) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        put(&mut bytes, 4, &self.segment.to_le_bytes());
        put(&mut bytes, 12, &self.position.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[4..]);
        put(&mut bytes, 0, &checksum.to_le_bytes());
        bytes
    }

    /// None if the mark is torn: then nothing is known from it.
    pub(super) fn decode(bytes: &[u8]) -> Option<Synced> {
        let sound = bytes.len() == MARK_BYTES && u32_at(bytes, 0) == crc32c::crc32c(&bytes[4..]);
        sound.then(|| Synced { segment: u64_at(bytes, 4), position: u64_at(bytes, 12) })
    }
}

/// The mark's file. It is overwritten after every sync and not synced itself: it survives the death
/// of the process, and after a loss of power it is some older mark, which is true as well.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

impl Mark {
    /// The mark in its file, which is written over if it is there: that needs no room.
    pub(super) fn create(directory: &Directory, synced: Synced) -> Result<Mark, Error> {
        let found = OpenOptions::new().write(true).open(directory.join(MARK));
        let whole = |file: &File| file.metadata().is_ok_and(|own| own.len() == MARK_BYTES as u64);
        let file = match found.ok().filter(whole) {
            Some(file) => file,
            None => directory.replace(MARK, &[&synced.encode()])?,
        };
        let mark = Mark { file };
        mark.set(synced);
        Ok(mark)
    }

    /// A mark that cannot be written stays at its older place, which is true as well.
    pub(super) fn set(&self, synced: Synced) {
        self.file.write_all_at(&synced.encode(), 0).ok();
    }

    /// Makes the mark durable, where there is time for it.
    pub(super) fn sync(&self) {
        self.file.sync_data().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_went() {
        let names =
            [Name::Journal(7), Name::Archive(Numbers { first: 1, last: 1_234_567_890_123 })];
        for name in names {
            assert_eq!(Name::parse(&name.to_text()), Some(name));
        }
        for text in ["7.journal", "000000000007.journal.new", "x.archive", "lock"] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_torn_mark_says_nothing() {
        let whole = Synced { segment: 3, position: 4_096 }.encode();
        assert_eq!(Synced::decode(&whole), Some(Synced { segment: 3, position: 4_096 }));
        for byte in 0..whole.len() {
            let mut changed = whole;
            changed[byte] ^= 0x10;
            assert_eq!(Synced::decode(&changed), None);
        }
    }
}
