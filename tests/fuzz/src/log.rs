//! The embedded log: a segment on disk.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drawdown_domain::time::Timestamp;
use drawdown_log::embedded::{Embedded, EmbeddedConfig, Topic};
use drawdown_log::{Log, Next};

const TOPIC: &str = "t";
const SEGMENT: &str = "000000000001.journal";

fn open(directory: &Path) -> Result<Embedded, drawdown_log::Error> {
    let topic = Topic { name: TOPIC.to_owned(), partitions: 2, keep: None };
    let clock = Arc::new(|| Timestamp::START);
    let mut config = EmbeddedConfig::new(directory, [topic], clock);
    config.tail_bytes_max = 1 << 20;
    config.tidy_every = Duration::from_secs(3_600);
    Embedded::open(config)
}

fn all(log: &Embedded) -> Result<Vec<Vec<u8>>, drawdown_log::Error> {
    let mut all = Vec::new();
    for partition in 0..2 {
        let bounds = log.bounds(TOPIC, partition)?;
        log.scan(TOPIC, partition, bounds.first, bounds.stable, &mut |message| {
            all.push(message.value.to_vec());
            true
        })?;
    }
    Ok(all)
}

/// A log whose only segment is this is refused, or opened: then it takes what is appended, and has that and all it had
/// when it is opened again.
pub(crate) fn segments(bytes: &[u8]) {
    // In memory, where there is such a place: a fuzzer opens thousands.
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let folder = folder.unwrap();
    open(folder.path()).unwrap();
    fs::write(folder.path().join(SEGMENT), bytes).unwrap();
    let Ok(log) = open(folder.path()) else { return };
    let Ok(mut before) = all(&log) else { return };
    let next = log.append(TOPIC, 1, Timestamp::from_micros(1), &[b"appended"]).unwrap();
    assert!(next > Next::START);
    drop(log);
    before.push(b"appended".to_vec());
    assert_eq!(all(&open(folder.path()).unwrap()).unwrap(), before);
}

pub(crate) mod seeds {
    use super::*;

    pub(crate) fn segments() -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path()).unwrap();
        log.append(TOPIC, 0, Timestamp::from_micros(1), &[b"a", b"b"]).unwrap();
        log.append(TOPIC, 1, Timestamp::from_micros(2), &[b""]).unwrap();
        drop(log);
        vec![fs::read(folder.path().join(SEGMENT)).unwrap()]
    }
}
