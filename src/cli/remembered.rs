//! What a caller's last command has moved, remembered between two calls of the command line: a list that
//! is shown next waits until it has come so far, as the API lets any client ask.

use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::server::{Answer, Client};

/// The header that carries how far the topics had come.
pub(super) const POSITION: &str = "drawdown-position";
/// By then every list has come so far, or the installation is another one.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// Where the position of a server is kept; none where nothing can be kept.
fn place(client: &Client) -> Option<PathBuf> {
    let folder = match std::env::var_os("XDG_STATE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    let server = format!("{:x}", Sha256::digest(client.server()));
    Some(folder.join("drawdown/positions").join(server))
}

/// Keeps the position that an answer brings. Where that is not possible lists may be a moment behind.
pub(super) fn keep(client: &Client, answer: &Answer) {
    let (Some(place), Some(position)) = (place(client), answer.header(POSITION)) else { return };
    let folder = place.parent().map(std::fs::create_dir_all);
    let kept = folder.unwrap_or(Ok(())).and_then(|()| std::fs::write(&place, position));
    if let Err(error) = kept {
        tracing::debug!(%error, "the position is not kept in {}", place.display());
    }
}

/// The position that was kept not long ago.
pub(super) fn last(client: &Client) -> Option<String> {
    let place = place(client)?;
    let written = std::fs::metadata(&place).and_then(|about| about.modified()).ok()?;
    // A time that is yet to come is a clock that was set back.
    let is_recent = written.elapsed().is_ok_and(|age| age < KEPT_FOR);
    std::fs::read_to_string(&place).ok().filter(|_| is_recent)
}

/// Forgets the position of a server, which means nothing to it.
pub(super) fn forget(client: &Client) {
    if let Some(place) = place(client)
        && let Err(error) = std::fs::remove_file(&place)
    {
        tracing::debug!(%error, "{} stays", place.display());
    }
}
