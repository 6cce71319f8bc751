//! What the tests of the embedded engine do again and again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::embedded::{Embedded, EmbeddedConfig, Topic};
use drawdown_log::{Append, Bounds, Change, Commit, Error, Log, Member, Membership, Next};
use tempfile::TempDir;

pub(crate) const GROUP: &str = "group";

/// The topics of all tests, with their numbers of partitions. `brief` is kept for an hour.
pub(crate) const TOPICS: [(&str, u32); 3] = [("brief", 2), ("ever", 3), ("other", 1)];

pub(crate) const HOUR: Span = Span::minutes(60);

/// A directory in memory where there is such a thing, as most tests sync thousands of times.
pub(crate) fn directory() -> TempDir {
    let fast = Path::new("/dev/shm");
    if fast.is_dir() { tempfile::tempdir_in(fast).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// A clock that stands still until it is told otherwise.
#[derive(Clone, Default)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn advance(&self, span: Span) {
        self.0.fetch_add(span.as_micros(), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) fn config(path: &Path, hands: &Hands) -> EmbeddedConfig {
    let topic = |(name, partitions): &(&str, u32)| Topic {
        name: (*name).to_owned(),
        partitions: *partitions,
        keep: (*name == "brief").then_some(HOUR),
    };
    let hands = hands.clone();
    let clock = Arc::new(move || hands.now());
    let config = EmbeddedConfig::new(path, TOPICS.iter().map(topic), clock);
    // Tests tidy when they want to.
    EmbeddedConfig { tidy_every: Duration::from_secs(3_600), ..config }
}

pub(crate) fn open(path: &Path) -> Embedded {
    try_open(path).unwrap()
}

pub(crate) fn try_open(path: &Path) -> Result<Embedded, Error> {
    Embedded::open(config(path, &Hands::default()))
}

/// Why the log cannot be opened.
pub(crate) fn refusal(path: &Path) -> String {
    let why = try_open(path).expect_err("it was opened");
    assert!(matches!(why, Error::Fatal(_)), "{why:?}");
    why.to_string()
}

pub(crate) fn append(log: &Embedded, topic: &str, partition: u32, value: &[u8]) -> Next {
    log.append(topic, partition, Timestamp::from_micros(7), &[value]).unwrap()
}

/// Joins the group of `brief` and takes up all of it from the oldest messages on.
pub(crate) fn join(log: &Embedded, instance: &str) -> Box<dyn Member> {
    let (group, topic) = (GROUP.to_owned(), "brief".to_owned());
    let mut member = log.join(&Membership { group, topic, instance: instance.to_owned() }).unwrap();
    match member.poll(Duration::ZERO, &mut |_| ()).unwrap() {
        Some(Change::Assigned(all)) => {
            let places = all.into_iter().map(|partition| (partition, Next::START));
            member.resume(&places.collect()).unwrap();
        }
        other => panic!("{other:?}"),
    }
    member
}

pub(crate) fn decide(member: &mut dyn Member, commit: Commit) -> Result<(), Error> {
    member.commit(commit)?;
    member.outcome(Duration::MAX).unwrap()
}

pub(crate) fn commit(next: Next, appends: &[(&str, u32, &[u8])]) -> Commit {
    let append = |(topic, partition, value): &(&str, u32, &[u8])| Append {
        topic: (*topic).to_owned(),
        partition: *partition,
        value: value.to_vec(),
    };
    Commit { read: [(0, next)].into(), appends: appends.iter().map(append).collect() }
}

/// A message: offset, time, value.
pub(crate) type Shown = (i64, i64, Vec<u8>);

/// All that a log shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Picture {
    pub(crate) messages: BTreeMap<(&'static str, u32), Vec<Shown>>,
    pub(crate) bounds: BTreeMap<(&'static str, u32), Bounds>,
    pub(crate) positions: Vec<Option<Next>>,
}

pub(crate) fn scan(log: &Embedded, topic: &str, partition: u32) -> Result<Vec<Shown>, Error> {
    let mut found = Vec::new();
    log.scan(topic, partition, Next::START, Next(i64::MAX), &mut |message| {
        found.push((message.offset.0, message.at.as_micros(), message.value.to_vec()));
        true
    })?;
    Ok(found)
}

pub(crate) fn picture(log: &Embedded) -> Result<Picture, Error> {
    let mut picture = Picture::default();
    for (topic, partitions) in TOPICS {
        for partition in 0..partitions {
            let own = scan(log, topic, partition)?;
            picture.messages.insert((topic, partition), own);
            picture.bounds.insert((topic, partition), log.bounds(topic, partition)?);
        }
    }
    for partition in 0..2 {
        picture.positions.push(log.committed(GROUP, "brief", partition)?);
    }
    Ok(picture)
}

/// The files of a kind, in the order of their names.
pub(crate) fn files(path: &Path, ending: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut own: Vec<PathBuf> =
        all.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    own.sort();
    own
}

/// The segment that is written.
pub(crate) fn journal(path: &Path) -> PathBuf {
    files(path, ".journal").pop().unwrap()
}

pub(crate) fn mark(path: &Path) -> PathBuf {
    path.join("synced")
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for file in files(from, "") {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// All bytes of the directory.
pub(crate) fn bytes(path: &Path) -> u64 {
    files(path, "").iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}
