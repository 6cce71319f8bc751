//! The data folder of `drawdown up`: everything of one machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The layout of the folder, which stands in its file `format`.
pub(super) const FORMAT: &str = "1";

/// A data folder that nobody else uses as long as this is held.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    /// Held open, and locked.
    _format: File,
}

impl DataFolder {
    /// Opens a folder, and makes it if it is not there.
    pub(super) fn open_or_make(path: &Path) -> anyhow::Result<DataFolder> {
        std::fs::create_dir_all(path)
            .with_context(|| format!("{} cannot be made", path.display()))?;
        let made = OpenOptions::new().write(true).create_new(true).open(path.join("format"));
        match made {
            Ok(mut format) => format.write_all(FORMAT.as_bytes())?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).context(format!("{}", path.display())),
        }
        DataFolder::open(path)
    }

    /// Opens a folder that is there. One that is in use, or of another layout, is refused.
    pub(super) fn open(path: &Path) -> anyhow::Result<DataFolder> {
        let name = path.display();
        let mut format =
            OpenOptions::new().read(true).write(true).open(path.join("format")).with_context(
                || format!("{name} is no data folder: it has no file called format"),
            )?;
        match format.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "{name} is in use by another drawdown; end that first, or take another folder"
                )
            }
            Err(TryLockError::Error(error)) => return Err(error).context(format!("{name}")),
        }
        let mut found = String::new();
        format.read_to_string(&mut found)?;
        if found.trim() != FORMAT {
            bail!(
                "{name} has the layout {}, and this version knows layout {FORMAT}; take the version that wrote it, or another folder",
                found.trim()
            );
        }
        Ok(DataFolder { path: path.to_owned(), _format: format })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Something in it.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The secret of this installation, made at the first start.
    pub(super) fn secret(&self) -> anyhow::Result<String> {
        self.random("secret")
    }

    /// The operator's key for the API, made at the first start.
    pub(super) fn key(&self) -> anyhow::Result<String> {
        self.random("key")
    }

    /// Sixty-four hexadecimal digits that nobody can guess, kept in a file only its owner can read.
    fn random(&self, name: &str) -> anyhow::Result<String> {
        let path = self.at(name);
        match std::fs::read_to_string(&path) {
            Ok(secret) => return Ok(secret.trim().to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(format!("{}", path.display())),
        }
        let mut bytes = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(secret.as_bytes())?;
        file.sync_all()?;
        Ok(secret)
    }
}
