//! Where the engine's library is, and whether it is the release this crate was written for.

use std::path::{Path, PathBuf};

/// The package of the npm registry that has it, and its release. Others lack functions, or have other
/// ones under the same names.
pub const PACKAGE: &str = "@chdb/lib-linux-x64-gnu@26.7.3-stable.1";
const FOLDER: &str = "chdb-26.7.3-stable.1";
const FILE: &str = "libchdb.so";
/// The size of that release's library. The installation checks the package's hash; this is to tell one
/// that is not whole, or another, without reading half a gigabyte at each start.
const BYTES: u64 = 566_330_096;

/// Why there is no library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLibrary {
    #[error(
        "the ClickHouse engine is not installed: {path} is missing; `make prepare` fetches it (libchdb.so of the npm package {PACKAGE}), or set clickhouse.library to where it is"
    )]
    Missing { path: String },
    #[error(
        "{path} is not the ClickHouse engine this version needs (libchdb.so of the npm package {PACKAGE}): it has {bytes} bytes and should have {BYTES}; remove it and run `make prepare`"
    )]
    Another { path: String, bytes: u64 },
    #[error("neither XDG_CACHE_HOME nor HOME is set, so set clickhouse.library")]
    NoCache,
}

/// The library: where the configuration says, or else in the cache.
pub fn find(configured: Option<&Path>) -> Result<PathBuf, NoLibrary> {
    let path = match configured {
        Some(path) => path.to_owned(),
        None => cache()?.join("drawdown").join(FOLDER).join(FILE),
    };
    let shown = || path.display().to_string();
    match std::fs::metadata(&path) {
        Err(_) => Err(NoLibrary::Missing { path: shown() }),
        Ok(found) if found.len() == BYTES => Ok(path),
        Ok(found) => Err(NoLibrary::Another { path: shown(), bytes: found.len() }),
    }
}

fn cache() -> Result<PathBuf, NoLibrary> {
    match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) => Ok(cache.into()),
        (None, Some(home)) => Ok(PathBuf::from(home).join(".cache")),
        (None, None) => Err(NoLibrary::NoCache),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_missing_or_another_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let missing = find(Some(&path)).unwrap_err().to_string();
        assert!(missing.contains("make prepare") && missing.contains("libchdb.so"), "{missing}");
        std::fs::write(&path, b"another").unwrap();
        let another = find(Some(&path)).unwrap_err().to_string();
        assert!(another.contains("7 bytes"), "{another}");
    }
}
