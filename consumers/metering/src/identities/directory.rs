//! Small things about files: what went wrong, replacing one at once, making it durable.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use drawdown_log::{Point, reach};

use super::Trouble;

/// A file of this ending was not complete when its writer ended; it is deleted.
pub(super) const UNFINISHED: &str = "new";

pub(super) fn trouble(action: &str, path: &Path, why: &io::Error) -> Trouble {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let text = format!("cannot {action} {}: {why}", path.display());
    if matches!(why.kind(), StorageFull | QuotaExceeded | FileTooLarge) {
        Trouble::Failed(format!("there is no room on the disk: {text}"))
    } else {
        Trouble::Failed(text)
    }
}

/// Makes what was created, renamed or deleted in a directory durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    // The parent of a relative path of one word is an empty path.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

/// Makes a directory and those it lies in, as far as they are not there, durably.
pub(super) fn create(path: &Path) -> Result<(), Trouble> {
    let missing: Vec<&Path> = path.ancestors().take_while(|own| !own.is_dir()).collect();
    let created = fs::create_dir_all(path)
        .and_then(|()| missing.iter().filter_map(|own| own.parent()).try_for_each(sync_directory));
    created.map_err(|why| trouble("create", path, &why))
}

/// Writes a file so that after a crash either all of it is there under its name or what was before.
pub(super) fn replace(path: &Path, contents: &[u8]) -> Result<(), Trouble> {
    let unfinished = path.with_extension(UNFINISHED);
    reach(Point::CheckpointBegun);
    let written = write_synced(&unfinished, contents).and_then(|()| {
        reach(Point::CheckpointWritten);
        fs::rename(&unfinished, path)?;
        sync_directory(path.parent().unwrap_or(Path::new(".")))
    });
    written.map_err(|why| {
        // Whether this works or not: the next start deletes unfinished files.
        fs::remove_file(&unfinished).ok();
        trouble("write", path, &why)
    })
}

fn write_synced(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    let (first, rest) = contents.split_at(contents.len() / 2);
    file.write_all(first)?;
    reach(Point::CheckpointTorn);
    file.write_all(rest)?;
    file.sync_all()
}
