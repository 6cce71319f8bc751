//! Who may open a directory, and with what.

use std::fs;

use drawdown_log::embedded::{Embedded, EmbeddedConfig, Topic};
use drawdown_log::{Log, Next};

use super::children::Child;
use super::rig::{Hands, append, config, directory, open, picture, refusal, scan};

#[test]
fn a_directory_is_held_by_one_at_a_time() {
    let path = directory();
    let log = open(path.path());
    let why = refusal(path.path());
    let holder = format!("in use by the process {}", std::process::id());
    assert!(why.contains(&holder), "{why}");
    assert!(why.contains("stop it first, or give this one a directory of its own"), "{why}");
    drop(log);
    open(path.path());
}

#[test]
fn a_directory_that_another_process_holds_is_refused() {
    let path = directory();
    let mut child = Child::start("hold", path.path(), &[]);
    assert_eq!(child.line().as_deref(), Some("opened"));
    let why = refusal(path.path());
    assert!(why.contains(&format!("in use by the process {}", child.id())), "{why}");
    child.kill();
    open(path.path());
}

#[test]
fn members_keep_the_log_open() {
    let path = directory();
    let log = open(path.path());
    let member = super::rig::join(&log, "a");
    drop(log);
    refusal(path.path());
    drop(member);
    open(path.path());
}

#[test]
fn another_format_is_refused_by_its_number() {
    let path = directory();
    drop(open(path.path()));
    let file = path.path().join("format");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("format 1", "format 2")).unwrap();
    let why = refusal(path.path());
    assert!(why.contains("this log is of format 2, and this program writes format 1"), "{why}");
}

#[test]
fn topics_may_come_but_not_change() {
    let path = directory();
    let log = open(path.path());
    append(&log, "ever", 2, b"kept");
    drop(log);
    let with = |name: &str, partitions: u32| {
        let config = config(path.path(), &Hands::default());
        let topic = Topic { name: name.to_owned(), partitions, keep: None };
        Embedded::open(EmbeddedConfig { topics: vec![topic], ..config })
    };
    let log = with("new", 5).unwrap();
    append(&log, "new", 4, b"x");
    assert_eq!(scan(&log, "ever", 2).unwrap().len(), 1, "a topic that is not named stays");
    assert_eq!(log.partitions("new").unwrap(), 5);
    drop(log);
    let why = with("new", 6).unwrap_err().to_string();
    assert!(why.contains("new has 5 partitions and cannot be given 6"), "{why}");
    let log = open(path.path());
    assert_eq!(scan(&log, "new", 4).unwrap().len(), 1);
}

#[test]
fn bounds_that_do_not_work_are_refused() {
    let path = directory();
    let base = || config(path.path(), &Hands::default());
    for config in [
        EmbeddedConfig { segment_bytes_max: 0, ..base() },
        EmbeddedConfig { segment_bytes_max: 4 << 30, ..base() },
        EmbeddedConfig { commit_bytes_max: 2 << 30, ..base() },
        EmbeddedConfig { poll_messages_max: 0, ..base() },
        EmbeddedConfig { poll_bytes_max: 0, ..base() },
        EmbeddedConfig { group_bytes_max: 0, ..base() },
        EmbeddedConfig { tidy_every: std::time::Duration::ZERO, ..base() },
    ] {
        assert!(Embedded::open(config).is_err());
    }
}

#[test]
fn what_a_dying_process_left_unfinished_is_deleted() {
    let path = directory();
    let log = open(path.path());
    append(&log, "ever", 0, b"x");
    let before = picture(&log).unwrap();
    drop(log);
    let names =
        ["000000000002.journal.new", "000000000001-000000000001.archive.new", "7.journal.index"];
    for name in names {
        fs::write(path.path().join(name), b"half").unwrap();
    }
    let log = open(path.path());
    assert_eq!(picture(&log).unwrap(), before);
    assert_eq!(append(&log, "ever", 0, b"y"), Next(2));
    for name in names {
        assert!(!path.path().join(name).exists(), "{name}");
    }
}
