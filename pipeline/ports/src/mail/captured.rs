//! Mail that goes nowhere: kept to be looked at.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Delivery, Letter, Mailer, Sender, Sending};

/// Takes every letter, as a file in a folder or in memory. Clones share what was taken.
#[derive(Clone, Debug)]
pub struct Captured(Kept);

#[derive(Clone, Debug)]
enum Kept {
    InFolder { from: Sender, folder: Arc<Path> },
    InMemory(Arc<Mutex<Vec<Letter>>>),
}

impl Captured {
    /// Writes each letter into a folder as a file of its own, which any mail program opens. Their names
    /// begin with their times, so that a listing shows them in order.
    pub fn in_folder(from: Sender, folder: &Path) -> io::Result<Captured> {
        fs::create_dir_all(folder)?;
        Ok(Captured(Kept::InFolder { from, folder: folder.into() }))
    }

    pub fn in_memory() -> Captured {
        Captured(Kept::InMemory(Arc::default()))
    }

    /// What was taken in memory.
    pub fn letters(&self) -> Vec<Letter> {
        match &self.0 {
            Kept::InFolder { .. } => Vec::new(),
            Kept::InMemory(letters) => {
                letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
            }
        }
    }

    /// The files of a folder of captured letters, oldest first.
    pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "eml") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

impl Mailer for Captured {
    fn send<'a>(&'a self, letter: &'a Letter) -> Sending<'a> {
        let (Captured(kept), letter) = (self.clone(), letter.clone());
        match kept {
            Kept::InMemory(letters) => Box::pin(async move {
                if let Err(error) = letter.recipient() {
                    return Delivery::Refused { why: error.to_string() };
                }
                letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
                Delivery::Accepted
            }),
            Kept::InFolder { from, folder } => Box::pin(async move {
                let kept = tokio::task::spawn_blocking(move || keep(&letter, &from, &folder));
                kept.await.unwrap_or_else(|error| Delivery::Away { why: error.to_string() })
            }),
        }
    }
}

fn keep(letter: &Letter, from: &Sender, folder: &Path) -> Delivery {
    let written = match letter.written(from) {
        Ok(written) => written,
        Err(error) => return Delivery::Refused { why: error.to_string() },
    };
    match put(folder, &name_of(letter), &written.bytes) {
        Ok(()) => Delivery::Accepted,
        Err(error) => Delivery::Away { why: format!("{}: {error}", folder.display()) },
    }
}

/// Follows from the letter: one that comes twice is kept once.
fn name_of(letter: &Letter) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let id = letter.message_id.split('@').next().unwrap_or_default();
    let id: String = id.chars().map(|c| if kept(c) { c } else { '_' }).collect();
    let at = letter.at.to_string();
    let second = at.trim_end_matches('Z').split('.').next().unwrap_or_default();
    let second: String = second.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{second}Z-{id}.eml")
}

/// Whoever looks finds a whole letter or none.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(format!("{name}.part"));
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    File::open(folder)?.sync_all()
}
