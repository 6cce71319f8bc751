//! Memory is bounded however far readers lag and however fast writers are.

use std::path::Path;
use std::time::Duration;

use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_log::{Change, Log, Membership, Next};

use super::children::{Child, say};
use super::rig::{Hands, append, config, directory};

const MESSAGE_BYTES: usize = 8 << 10;
const MESSAGES: usize = 12_000;
const TAIL_BYTES_MAX: usize = 1 << 20;

/// The most memory this process ever had.
fn memory_bytes_max() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// Writes far more than may stay in memory, and reads all of it with members that have yet to begin.
pub(crate) fn lag(path: &Path) {
    let config = config(path, &Hands::default());
    let log = Embedded::open(EmbeddedConfig {
        tail_bytes_max: TAIL_BYTES_MAX,
        segment_bytes_max: 16 << 20,
        poll_bytes_max: 256 << 10,
        ..config
    })
    .unwrap();
    let value = vec![7; MESSAGE_BYTES];
    for number in 0..MESSAGES {
        append(&log, "brief", number as u32 % 2, &value);
        assert!(log.status().unwrap().tail_bytes <= TAIL_BYTES_MAX);
    }
    let mut members = Vec::new();
    for group in ["one", "two", "three"] {
        let (group, topic) = (group.to_owned(), "brief".to_owned());
        let mut member = log.join(&Membership { group, topic, instance: "a".to_owned() }).unwrap();
        let assigned = member.poll(Duration::ZERO, &mut |_| ()).unwrap();
        let Some(Change::Assigned(all)) = assigned else { panic!("{assigned:?}") };
        let places = all.into_iter().map(|partition| (partition, Next::START)).collect();
        member.resume(&places).unwrap();
        members.push((member, 0));
    }
    while members.iter().any(|(_, seen)| *seen < MESSAGES) {
        for (member, seen) in &mut members {
            let (mut bytes, before) = (0, *seen);
            member
                .poll(Duration::ZERO, &mut |messages| {
                    *seen += messages.len();
                    bytes += messages.iter().map(|message| message.value.len()).sum::<usize>();
                    assert!(messages.iter().all(|message| message.value == value));
                })
                .unwrap();
            assert!(bytes <= (256 << 10) + 2 * MESSAGE_BYTES, "{bytes} bytes in one poll");
            assert!(*seen > before || *seen == MESSAGES, "each poll goes on");
        }
    }
    say(&memory_bytes_max().to_string());
}

#[test]
fn readers_that_lag_take_bounded_memory() {
    let path = directory();
    let (said, well) = Child::start("lag", path.path(), &[]).end();
    assert!(well);
    let bytes: usize = said[0].parse().unwrap();
    assert!(bytes < 48 << 20, "{bytes} bytes for a log of {} bytes", MESSAGES * MESSAGE_BYTES);
}

#[test]
fn a_poll_is_bounded_and_fair() {
    let path = directory();
    for tail_bytes_max in [0, 1 << 20] {
        let config = config(path.path(), &Hands::default());
        let log = Embedded::open(EmbeddedConfig {
            tail_bytes_max,
            poll_messages_max: 10,
            poll_bytes_max: 1_000,
            ..config
        })
        .unwrap();
        // One partition has much more than the other.
        for _ in 0..200 {
            append(&log, "brief", 0, b"much");
        }
        append(&log, "brief", 1, b"little");
        append(&log, "brief", 1, &[7; 5_000]);
        let mut member = super::rig::join(&log, "a");
        let mut polls: Vec<Vec<u32>> = Vec::new();
        for _ in 0..3 {
            let mut own = Vec::new();
            let mut collect = |messages: &[drawdown_log::Message<'_>]| {
                own.extend(messages.iter().map(|message| message.partition));
            };
            assert_eq!(member.poll(Duration::ZERO, &mut collect).unwrap(), None);
            polls.push(own);
        }
        for own in &polls {
            assert!(own.len() <= 10, "{polls:?}");
        }
        let little = polls.iter().flatten().filter(|partition| **partition == 1).count();
        assert!(little >= 2, "the small one is served beside the large one: {polls:?}");
        drop((member, log));
    }
}
