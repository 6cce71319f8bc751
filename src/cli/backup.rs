//! `drawdown backup` and `drawdown restore`: a data folder, copied file by file and proven by checksums.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

use super::folder::DataFolder;

/// What a backup holds, a line each: checksum, size, path.
const MANIFEST: &str = "MANIFEST";
/// ClickHouse's part of the folder: it is filled again from the log, and is not copied.
const ENGINE: &str = "clickhouse";
const BUFFER_BYTES: usize = 1024 * 1024;

/// Copies a data folder that nobody uses into a new folder.
pub fn backup(data: &Path, to: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let folder = DataFolder::open(data)?;
    ensure!(!to.exists(), "{} is there already; a backup goes into a new folder", to.display());
    let mut files = Vec::new();
    list(folder.path(), Path::new(""), &mut files)?;
    files.sort();
    let (mut manifest, mut bytes) = (String::new(), 0);
    for file in &files {
        let (sum, size) = copy(&folder.at(name(file)?), &to.join(file))?;
        manifest.push_str(&format!("{sum} {size} {}\n", name(file)?));
        bytes += size;
    }
    // The manifest comes last: a backup without one is none.
    let path = to.join(MANIFEST);
    let mut written = File::create(&path).with_context(|| format!("{}", path.display()))?;
    written.write_all(manifest.as_bytes())?;
    written.sync_all()?;
    writeln!(out, "{} files, {bytes} bytes copied to {}", files.len(), to.display())?;
    Ok(())
}

/// Makes a data folder from a backup, after it has been proven whole.
pub fn restore(from: &Path, data: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    ensure!(
        !data.exists(),
        "{} is there already; a backup is restored to a new folder",
        data.display()
    );
    let path = from.join(MANIFEST);
    let manifest = std::fs::read_to_string(&path)
        .with_context(|| format!("{} is no whole backup: {MANIFEST} is missing", from.display()))?;
    let mut files = Vec::new();
    for line in manifest.lines() {
        files.push(Entry::parse(line).with_context(|| format!("{}: {line}", path.display()))?);
    }
    for Entry { sum, size, file } in &files {
        let found = checksum(&from.join(file), &mut std::io::sink())?;
        ensure!(
            found == (sum.clone(), *size),
            "{} is damaged: its checksum is not that of {MANIFEST}; nothing was restored",
            from.join(file).display()
        );
    }
    // The file that makes it a data folder comes last, so that a half-restored one is none.
    let (format, others): (Vec<&Entry>, Vec<&Entry>) =
        files.iter().partition(|entry| entry.file == Path::new("format"));
    for entry in others.into_iter().chain(format) {
        copy(&from.join(&entry.file), &data.join(&entry.file))?;
    }
    writeln!(out, "{} files restored to {}", files.len(), data.display())?;
    Ok(())
}

/// A line of the manifest.
struct Entry {
    sum: String,
    size: u64,
    file: PathBuf,
}

impl Entry {
    fn parse(line: &str) -> anyhow::Result<Entry> {
        let mut parts = line.splitn(3, ' ');
        let mut next = || parts.next().context("not a line of a manifest");
        let (sum, size, file) = (next()?.to_owned(), next()?.parse()?, PathBuf::from(next()?));
        let within = file.components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(within, "a path that leads out of the backup");
        Ok(Entry { sum, size, file })
    }
}

/// Every file below a folder, by its path from there.
fn list(folder: &Path, below: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let (path, kind) = (below.join(entry.file_name()), entry.file_type()?);
        if path == Path::new(ENGINE) {
            continue;
        }
        if kind.is_dir() {
            list(folder, &path, files)?;
        } else if kind.is_file() {
            files.push(path);
        } else {
            bail!("{} is neither a file nor a folder", folder.join(path).display());
        }
    }
    Ok(())
}

fn name(file: &Path) -> anyhow::Result<&str> {
    let name = file.to_str().filter(|name| !name.contains('\n'));
    name.with_context(|| format!("{}: such a name cannot be backed up", file.display()))
}

/// Copies a file and makes it durable; its checksum and size.
fn copy(from: &Path, to: &Path) -> anyhow::Result<(String, u64)> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
    }
    let mut copy = File::create(to).with_context(|| format!("{}", to.display()))?;
    let copied = checksum(from, &mut copy)?;
    copy.set_permissions(std::fs::metadata(from)?.permissions())?;
    copy.sync_all()?;
    Ok(copied)
}

fn checksum(from: &Path, to: &mut dyn Write) -> anyhow::Result<(String, u64)> {
    let mut file = File::open(from).with_context(|| format!("{}", from.display()))?;
    let (mut hash, mut size) = (Sha256::new(), 0_u64);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("{}", from.display()))?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
        to.write_all(bytes)?;
        size += read as u64;
    }
    Ok((format!("{:x}", hash.finalize()), size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(folder: &Path) {
        drop(DataFolder::open_or_make(folder).unwrap());
        std::fs::create_dir_all(folder.join("log")).unwrap();
        std::fs::write(folder.join("log/1.journal"), b"usage").unwrap();
        std::fs::create_dir_all(folder.join(ENGINE)).unwrap();
        std::fs::write(folder.join(ENGINE).join("rows"), b"made of usage").unwrap();
    }

    #[test]
    fn what_was_backed_up_comes_back() {
        let temporary = tempfile::tempdir().unwrap();
        let [data, copy, back] = ["data", "copy", "back"].map(|name| temporary.path().join(name));
        made(&data);
        let secret = DataFolder::open(&data).unwrap().secret().unwrap();
        backup(&data, &copy, &mut std::io::sink()).unwrap();
        restore(&copy, &back, &mut std::io::sink()).unwrap();
        let folder = DataFolder::open(&back).unwrap();
        assert_eq!(folder.secret().unwrap(), secret);
        assert_eq!(std::fs::read(folder.at("log/1.journal")).unwrap(), b"usage");
        assert!(!folder.at(ENGINE).exists(), "it is filled again");
        let again = backup(&data, &copy, &mut std::io::sink()).unwrap_err();
        assert!(again.to_string().contains("is there already"), "{again}");
    }

    #[test]
    fn a_folder_in_use_a_damaged_copy_and_another_layout_are_refused_by_name() {
        let temporary = tempfile::tempdir().unwrap();
        let [data, copy, back] = ["data", "copy", "back"].map(|name| temporary.path().join(name));
        made(&data);
        let held = DataFolder::open(&data).unwrap();
        let error = backup(&data, &copy, &mut std::io::sink()).unwrap_err();
        assert!(error.to_string().contains("is in use"), "{error}");
        drop(held);

        backup(&data, &copy, &mut std::io::sink()).unwrap();
        std::fs::write(copy.join("log/1.journal"), b"usagE").unwrap();
        let error = restore(&copy, &back, &mut std::io::sink()).unwrap_err();
        assert!(error.to_string().contains("is damaged") && !back.exists(), "{error}");

        std::fs::write(data.join("format"), "2").unwrap();
        let error = DataFolder::open(&data).unwrap_err();
        assert!(error.to_string().contains("has the layout 2"), "{error}");
    }
}
