//! What a writer does whose disk fails in other ways than by being full.

use std::collections::BTreeMap;
use std::fs::File;

use super::*;
use crate::Commit;

fn config(directory: &std::path::Path) -> EmbeddedConfig {
    let topic = Topic { name: "usage".to_owned(), partitions: 2, keep: None };
    EmbeddedConfig::new(directory, [topic], Arc::new(|| Timestamp::from_micros(7)))
}

fn append(log: &Embedded, value: &[u8]) -> Result<Next, Error> {
    log.append("usage", 0, Timestamp::from_micros(1), &[value])
}

fn values(log: &Embedded) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    log.scan("usage", 0, Next::START, Next(i64::MAX), &mut |message| {
        values.push(message.value.to_vec());
        true
    })
    .unwrap();
    values
}

/// The log refuses everything once `file` stands in for the journal, and is whole when it is opened
/// again.
fn check(file: File, reason: &str) {
    let directory = tempfile::tempdir().unwrap();
    let log = Embedded::open(config(directory.path())).unwrap();
    let membership =
        Membership { group: "g".to_owned(), topic: "usage".to_owned(), instance: "a".to_owned() };
    let mut member = log.join(&membership).unwrap();
    member.poll(Duration::ZERO, &mut |_| ()).unwrap();
    append(&log, b"before").unwrap();
    log.swap(file);
    let refused = append(&log, b"lost").unwrap_err();
    assert!(matches!(&refused, Error::Fatal(why) if why.contains(reason)), "{refused}");
    let refused = append(&log, b"later").unwrap_err();
    assert!(matches!(&refused, Error::Fatal(why) if why.contains("opened again")), "{refused}");
    let read = BTreeMap::from([(0, Next(1))]);
    member.commit(Commit { read, appends: Vec::new() }).unwrap();
    assert!(matches!(member.outcome(Duration::MAX), Some(Err(Error::Fatal(_)))));
    assert_eq!(values(&log), [b"before"], "readers are served");
    assert!(log.status().unwrap().refusing.is_some_and(|why| why.contains(reason)));
    assert_eq!(log.committed("g", "usage", 0).unwrap(), None);
    drop((member, log));
    let log = Embedded::open(config(directory.path())).unwrap();
    assert_eq!(values(&log), [b"before"]);
    assert_eq!(append(&log, b"after").unwrap(), Next(2));
}

#[test]
fn after_a_failed_sync_nothing_is_pretended() {
    // This device takes every write and refuses to be synced.
    check(File::options().write(true).open("/dev/null").unwrap(), "cannot sync");
}

#[test]
fn after_a_failed_write_nothing_is_pretended() {
    check(File::open("/dev/null").unwrap(), "cannot");
}
