//! The sandbox gateway's own book: what it was asked and what it decided, a line each, in the order of
//! decision. In a file several processes share it; each line is on the disk before anybody is answered.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use drawdown_domain::ids::{MethodId, Text};
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::symbols;
use drawdown_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

symbols! {
    /// What was asked for, or done with it later.
    pub enum BookedKind {
        Charge = "charge",
        Hold = "hold",
        /// What was held is given back.
        Release = "release",
        /// What was charged is given back.
        Return = "return",
    }
}

symbols! {
    /// What was decided.
    pub enum BookedAnswer {
        Succeeded = "succeeded",
        Declined = "declined",
        AuthenticationRequired = "authentication_required",
    }
}

/// A line of the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Booked {
    pub key: String,
    pub kind: BookedKind,
    pub method: MethodId,
    pub token: Text,
    pub amount: Amount,
    pub currency: Currency,
    pub answer: BookedAnswer,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the gateway knows it by.
    pub reference: String,
    /// When it was decided.
    pub at: Timestamp,
    /// The answer gets lost: nobody hears of it before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_from: Option<Timestamp>,
}

/// What stands in the book, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Pages {
    lines: u64,
    /// What was decided under each key.
    by_key: BTreeMap<String, Booked>,
    /// How often each method was asked for each kind of thing under a token.
    asked: BTreeMap<(MethodId, Text, BookedKind), u64>,
}

impl Pages {
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(super) fn asked(&self, method: &MethodId, token: &Text, kind: BookedKind) -> u64 {
        self.asked.get(&(method.clone(), token.clone(), kind)).copied().unwrap_or(0)
    }

    fn take(&mut self, booked: Booked) {
        self.lines = self.lines.saturating_add(1);
        let of = (booked.method.clone(), booked.token.clone(), booked.kind);
        let asked = self.asked.entry(of).or_insert(0);
        *asked = asked.saturating_add(1);
        self.by_key.entry(booked.key.clone()).or_insert(booked);
    }
}

/// The book.
#[derive(Debug)]
pub(super) struct Book {
    pages: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    pages: Pages,
    file: Option<Shared>,
}

/// A book that other processes write too.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    file: File,
    /// Up to here it has been read: a whole number of lines.
    read_to: u64,
}

impl Book {
    /// A book in memory.
    pub(super) fn in_memory() -> Book {
        Book { pages: Mutex::new(Open { pages: Pages::default(), file: None }) }
    }

    /// A book in a file, which is made if it is not there.
    pub(super) fn in_file(path: &Path) -> io::Result<Book> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        // The file itself must be there after a power cut, too.
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        let shared = Shared { path: path.to_owned(), file, read_to: 0 };
        let mut open = Open { pages: Pages::default(), file: Some(shared) };
        open.locked(|_, _| Ok(()))?;
        Ok(Book { pages: Mutex::new(open) })
    }

    /// What was decided under this key; if nothing was, what is decided now, for good.
    pub(super) fn decided(
        &self,
        key: &str,
        decide: impl FnOnce(&Pages) -> Vec<Booked>,
    ) -> io::Result<Option<Booked>> {
        let mut open = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        open.locked(|pages, file| {
            if !pages.by_key.contains_key(key) {
                let lines = decide(pages);
                file.map_or(Ok(()), |file| file.append(&lines))?;
                lines.into_iter().for_each(|booked| pages.take(booked));
            }
            Ok(pages.by_key.get(key).cloned())
        })
    }
}

impl Open {
    /// Does something while no other process can, with all that they have written so far.
    fn locked<T>(
        &mut self,
        work: impl FnOnce(&mut Pages, Option<&mut Shared>) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(shared) = &mut self.file else { return work(&mut self.pages, None) };
        shared.file.lock()?;
        let worked = shared
            .catch_up(&mut self.pages)
            .and_then(|()| work(&mut self.pages, Some(&mut *shared)));
        shared.file.unlock()?;
        worked
    }
}

impl Shared {
    fn catch_up(&mut self, pages: &mut Pages) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.read_to))?;
        let mut new = Vec::new();
        self.file.read_to_end(&mut new)?;
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let (lines, torn) = new.split_at(whole);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let booked = serde_json::from_slice(line).map_err(|error| {
                let path = self.path.display();
                let why = format!("{path}: what stands from byte {} on: {error}", self.read_to);
                io::Error::new(io::ErrorKind::InvalidData, why)
            })?;
            pages.take(booked);
            self.read_to = self.read_to.saturating_add(line.len() as u64);
        }
        if !torn.is_empty() {
            // Whoever wrote this was killed before it gave an answer.
            self.file.set_len(self.read_to)?;
        }
        Ok(())
    }

    fn append(&mut self, lines: &[Booked]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for booked in lines {
            serde_json::to_writer(&mut bytes, booked)?;
            bytes.push(b'\n');
        }
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        self.read_to = self.read_to.saturating_add(bytes.len() as u64);
        Ok(())
    }
}
