//! Damage to what was once safely on disk: refused by name, or harmless, and never silently another
//! content.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::rig::{
    Hands, Picture, append, commit, config, copy, decide, directory, files, join, journal, mark,
    open, picture, refusal, try_open,
};
use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_log::{Log, Next};

/// A log with sealed segments, archives and a segment that is written, and what it shows.
fn written() -> (TempDir, Picture) {
    let path = directory();
    let hands = Hands::default();
    let small = |path: &Path| {
        let config = EmbeddedConfig { segment_bytes_max: 1_500, ..config(path, &hands) };
        Embedded::open(config).unwrap()
    };
    let log = small(path.path());
    let mut member = join(&log, "a");
    for number in 0..16_u8 {
        let appends = [("ever", 1, &[number; 9][..]), ("ever", 2, b""), ("brief", 0, &[7; 60])];
        decide(&mut *member, commit(Next(number.into()), &appends)).unwrap();
    }
    log.truncate("brief", 0, Next(9)).unwrap();
    log.tidy().unwrap();
    append(&log, "other", 0, b"the end");
    assert!(files(path.path(), ".archive").len() == 1 && files(path.path(), ".journal").len() >= 3);
    let picture = picture(&log).unwrap();
    drop((member, log));
    (path, picture)
}

/// The log with this file changed is refused, or a read is, or it shows what it always showed.
/// Returns whether anything was refused.
fn check(
    original: &TempDir,
    picture_before: &Picture,
    file: &Path,
    content: &[u8],
    what: &str,
) -> bool {
    let path = directory();
    copy(original.path(), path.path());
    let name = file.file_name().unwrap().to_string_lossy();
    fs::write(path.path().join(&*name), content).unwrap();
    let stem = name.trim_end_matches(".index");
    let named = |why: String| assert!(why.contains(stem), "{what}: {why}");
    let log = match try_open(path.path()) {
        Ok(log) => log,
        Err(why) => {
            named(why.to_string());
            return true;
        }
    };
    match picture(&log) {
        Ok(shown) => assert_eq!(shown, *picture_before, "{what}"),
        Err(why) => {
            named(why.to_string());
            return true;
        }
    }
    false
}

/// Flips a bit in every byte of a file, and returns how often it was refused.
fn flip_each(original: &TempDir, picture: &Picture, file: &Path) -> (usize, usize) {
    let content = fs::read(file).unwrap();
    let mut refused = 0;
    for byte in 0..content.len() {
        let mut changed = content.clone();
        changed[byte] ^= 1 << (byte % 8);
        let what = format!("byte {byte} of {}", file.display());
        refused += usize::from(check(original, picture, file, &changed, &what));
    }
    (refused, content.len())
}

#[test]
fn a_flipped_bit_of_the_written_segment_is_refused() {
    let (original, picture) = written();
    let (refused, bytes) = flip_each(&original, &picture, &journal(original.path()));
    assert_eq!(refused, bytes, "the mark says that all of it was synced");
}

#[test]
fn a_flipped_bit_before_a_later_frame_is_refused_even_without_the_mark() {
    let (original, _) = written();
    let path = directory();
    copy(original.path(), path.path());
    let log = open(path.path());
    append(&log, "other", 0, b"one more");
    let bytes_before = fs::metadata(journal(path.path())).unwrap().len() as usize;
    append(&log, "other", 0, b"and one more");
    drop(log);
    fs::remove_file(mark(path.path())).unwrap();
    let content = fs::read(journal(path.path())).unwrap();
    for byte in 0..bytes_before {
        let mut changed = content.clone();
        changed[byte] ^= 1 << (byte % 8);
        fs::write(journal(path.path()), &changed).unwrap();
        let why = refusal(path.path());
        assert!(why.contains(".journal is damaged at byte"), "byte {byte}: {why}");
    }
}

#[test]
fn a_flipped_bit_of_a_sealed_segment_is_found_when_it_is_read() {
    let (original, picture) = written();
    let sealed = &files(original.path(), ".journal")[0];
    let (refused, bytes) = flip_each(&original, &picture, sealed);
    // What only a lost index would be made from again is not read: the headers of frames, notes, and
    // messages that are forgotten.
    assert!(refused * 10 > bytes, "{refused} of {bytes}");
    fs::remove_file(format!("{}.index", sealed.display())).unwrap();
    let (refused, bytes) = flip_each(&original, &picture, sealed);
    assert_eq!(refused, bytes, "without its index all of it is read");
}

#[test]
fn a_flipped_bit_of_an_archive_is_found_when_it_is_read() {
    let (original, picture) = written();
    let archive = &files(original.path(), ".archive")[0];
    flip_each(&original, &picture, archive);
    fs::remove_file(format!("{}.index", archive.display())).unwrap();
    let (refused, bytes) = flip_each(&original, &picture, archive);
    assert_eq!(refused, bytes, "without its index all of it is read");
}

#[test]
fn a_flipped_bit_of_a_small_file_is_refused_or_harmless() {
    let (original, picture) = written();
    let index: Vec<PathBuf> = files(original.path(), ".index");
    for file in [&index[0], &index[1], &original.path().join("format"), &mark(original.path())] {
        flip_each(&original, &picture, file);
    }
}

#[test]
fn a_shorter_sealed_segment_is_refused() {
    let (original, picture) = written();
    for sealed in [&files(original.path(), ".journal")[0], &files(original.path(), ".archive")[0]] {
        let content = fs::read(sealed).unwrap();
        for end in 0..content.len() {
            let what = format!("{} cut at {end}", sealed.display());
            assert!(check(&original, &picture, sealed, &content[..end], &what), "{what}");
        }
    }
}

#[test]
fn lost_files_are_refused_by_name_and_lost_indexes_are_made_again() {
    let (original, shown) = written();
    for file in files(original.path(), "") {
        let path = directory();
        copy(original.path(), path.path());
        let name = file.file_name().unwrap().to_str().unwrap();
        fs::remove_file(path.path().join(name)).unwrap();
        if name.ends_with(".index") || ["lock", "synced"].contains(&name) {
            assert_eq!(picture(&open(path.path())).unwrap(), shown, "without {name}");
            assert!(path.path().join(name).exists(), "{name} is there again");
        } else {
            let why = refusal(path.path());
            assert!(why.contains("missing"), "without {name}: {why}");
        }
    }
}

#[test]
fn a_lost_last_segment_is_refused_even_without_the_mark() {
    let (original, _) = written();
    fs::remove_file(journal(original.path())).unwrap();
    fs::remove_file(mark(original.path())).unwrap();
    let why = refusal(original.path());
    assert!(why.contains(".journal is missing"), "{why}");
}

#[test]
fn segments_of_another_backup_are_refused() {
    let (original, _) = written();
    let older = directory();
    copy(original.path(), older.path());
    let log = open(original.path());
    append(&log, "other", 0, b"later");
    drop(log);
    // The segment is older than the mark that lies beside it.
    fs::copy(journal(older.path()), journal(original.path())).unwrap();
    let why = refusal(original.path());
    assert!(why.contains("damaged"), "{why}");
}
