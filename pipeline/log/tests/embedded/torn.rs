//! What a crash can leave behind the last sync, at every byte: it is cut off. The same missing from
//! what was synced: it is refused.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::rig::{
    Picture, append, commit, copy, decide, directory, join, journal, mark, open, picture, refusal,
};
use drawdown_log::Next;

/// A log before and after its last commit.
struct Written {
    path: TempDir,
    before: Picture,
    before_bytes: usize,
    /// The mark as it was before the last commit: what is on disk after a crash before its sync.
    before_mark: Vec<u8>,
    after: Picture,
    after_mark: Vec<u8>,
    content: Vec<u8>,
}

fn written() -> Written {
    let path = directory();
    let log = open(path.path());
    append(&log, "brief", 0, b"first");
    let mut member = join(&log, "a");
    decide(&mut *member, commit(Next(1), &[("ever", 1, b"one"), ("other", 0, b"")])).unwrap();
    let before = picture(&log).unwrap();
    let before_bytes = fs::read(journal(path.path())).unwrap().len();
    let before_mark = fs::read(mark(path.path())).unwrap();
    decide(
        &mut *member,
        commit(Next(2), &[("ever", 1, b"two"), ("ever", 2, b"three"), ("brief", 1, b"four")]),
    )
    .unwrap();
    let after = picture(&log).unwrap();
    let after_mark = fs::read(mark(path.path())).unwrap();
    drop((member, log));
    let content = fs::read(journal(path.path())).unwrap();
    Written { path, before, before_bytes, before_mark, after, after_mark, content }
}

impl Written {
    /// A copy of the log with another journal and another mark.
    fn with(&self, content: &[u8], synced: Option<&[u8]>) -> TempDir {
        let path = directory();
        copy(self.path.path(), path.path());
        fs::write(journal(path.path()), content).unwrap();
        match synced {
            Some(synced) => fs::write(mark(path.path()), synced).unwrap(),
            None => fs::remove_file(mark(path.path())).unwrap(),
        }
        path
    }

    /// The log shows what it held before the last commit, and goes on.
    fn check_cut(&self, content: &[u8], synced: Option<&[u8]>, what: &str) {
        let path = self.with(content, synced);
        let log = open(path.path());
        assert_eq!(picture(&log).unwrap(), self.before, "{what}");
        check_goes_on(path.path(), log, what);
    }
}

fn check_goes_on(path: &Path, log: drawdown_log::embedded::Embedded, what: &str) {
    let next = append(&log, "ever", 1, b"again");
    let then = picture(&log).unwrap();
    let (offset, _, value) = then.messages[&("ever", 1)].last().unwrap().clone();
    assert_eq!((offset + 1, value), (next.0, b"again".to_vec()), "{what}");
    drop(log);
    assert_eq!(picture(&open(path)).unwrap(), then, "{what}");
}

#[test]
fn a_last_frame_that_is_cut_short_anywhere_is_cut_off() {
    let written = written();
    for end in written.before_bytes..written.content.len() {
        let content = &written.content[..end];
        written.check_cut(content, Some(&written.before_mark), &format!("cut at {end}"));
        written.check_cut(content, None, &format!("cut at {end}, no mark"));
    }
}

#[test]
fn a_last_frame_with_zeroes_or_other_bytes_anywhere_is_cut_off() {
    let written = written();
    for from in written.before_bytes..written.content.len() {
        for fill in [0, 0xA5] {
            let mut content = written.content.clone();
            content[from..].fill(fill);
            content.extend([fill; 5_000]);
            if content.starts_with(&written.content) {
                continue;
            }
            let what = format!("{fill} from {from} on");
            written.check_cut(&content, Some(&written.before_mark), &what);
            // Its end reached the disk before its beginning.
            let mut content = written.content.clone();
            content[written.before_bytes..=from].fill(fill);
            let what = format!("{fill} up to {from}");
            written.check_cut(&content, Some(&written.before_mark), &what);
        }
    }
}

#[test]
fn a_last_frame_with_a_flipped_bit_anywhere_is_cut_off() {
    let written = written();
    for byte in written.before_bytes..written.content.len() {
        let mut content = written.content.clone();
        content[byte] ^= 1 << (byte % 8);
        let what = format!("flipped at {byte}");
        written.check_cut(&content, Some(&written.before_mark), &what);
    }
}

#[test]
fn bytes_behind_the_last_frame_are_cut_off() {
    let written = written();
    for garbage in [&[0][..], &[0; 100_000], &[0xFF; 47], &written.content[..]] {
        let mut content = written.content.clone();
        content.extend_from_slice(garbage);
        let path = written.with(&content, Some(&written.after_mark));
        let log = open(path.path());
        assert_eq!(picture(&log).unwrap(), written.after);
        check_goes_on(path.path(), log, "garbage");
        assert!(fs::read(journal(path.path())).unwrap().starts_with(&written.content));
    }
}

#[test]
fn a_whole_last_frame_without_a_mark_is_kept() {
    let written = written();
    for synced in [Some(&written.before_mark[..]), Some(&[0; 24]), Some(b"short"), None] {
        let path = written.with(&written.content, synced);
        assert_eq!(picture(&open(path.path())).unwrap(), written.after);
    }
}

#[test]
fn what_the_mark_says_was_synced_is_never_cut_off() {
    let written = written();
    for end in 0..written.content.len() {
        let path = written.with(&written.content[..end], Some(&written.after_mark));
        let why = refusal(path.path());
        assert!(why.contains("000000000001.journal is damaged at byte"), "cut at {end}: {why}");
        assert_eq!(fs::read(journal(path.path())).unwrap(), written.content[..end], "untouched");
    }
}
