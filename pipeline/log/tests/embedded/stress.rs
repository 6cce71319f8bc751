//! Everything at once: producers, members that come and go, forgetting and rewriting, on segments so
//! small that they are replaced under the readers all the time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_log::{Change, Log, Membership, Next};

use super::rig::{Hands, append, commit, config, decide, directory};

const MESSAGES: i64 = 4_000;

fn value(partition: u32, number: i64) -> Vec<u8> {
    let mut value = format!("{partition} {number} ").into_bytes();
    value.resize(value.len() + (number as usize * 7) % 90, b'x');
    value
}

/// Reads both partitions to their ends; now and then it leaves and comes back where it committed.
fn read_all(log: &Embedded, group: &str, turns: usize) {
    let (group, topic) = (group.to_owned(), "brief".to_owned());
    let mut places: BTreeMap<u32, Next> = (0..2).map(|own| (own, Next::START)).collect();
    while places.values().any(|next| next.0 < MESSAGES) {
        let instance = "a".to_owned();
        let membership = Membership { group: group.clone(), topic: topic.clone(), instance };
        let mut member = log.join(&membership).unwrap();
        let assigned = member.poll(Duration::ZERO, &mut |_| ()).unwrap();
        assert!(matches!(assigned, Some(Change::Assigned(all)) if all.len() == 2));
        member.resume(&places).unwrap();
        for _ in 0..turns {
            let wait = Duration::from_millis(5);
            let change = member.poll(wait, &mut |messages| {
                for message in messages {
                    let place = places.get_mut(&message.partition).unwrap();
                    assert_eq!(message.offset.0, place.0, "no message is skipped or comes twice");
                    assert!(message.value == value(message.partition, place.0));
                    *place = message.offset.next();
                }
            });
            assert_eq!(change.unwrap(), None);
        }
        decide(&mut *member, commit(places[&0], &[("other", 0, group.as_bytes())])).unwrap();
        assert_eq!(log.committed(&group, "brief", 0).unwrap(), Some(places[&0]));
    }
}

#[test]
fn readers_writers_and_the_keeper_do_not_disturb_each_other() {
    let path = directory();
    let open = || {
        let config = config(path.path(), &Hands::default());
        let config = EmbeddedConfig {
            segment_bytes_max: 12 << 10,
            tail_bytes_max: 4 << 10,
            queue_bytes_max: 2 << 10,
            poll_messages_max: 50,
            tidy_every: Duration::from_millis(1),
            ..config
        };
        Embedded::open(config).unwrap()
    };
    let log = open();
    let (done, truncated) = (AtomicBool::new(false), AtomicI64::new(0));
    thread::scope(|scope| {
        let (log, done, truncated) = (&log, &done, &truncated);
        let mut working = Vec::new();
        for partition in 0..2 {
            working.push(scope.spawn(move || {
                for number in 0..MESSAGES {
                    append(log, "brief", partition, &value(partition, number));
                }
            }));
        }
        for (group, turns) in [("one", 7), ("two", 40), ("three", 1_000)] {
            working.push(scope.spawn(move || read_all(log, group, turns)));
        }
        // What nobody reads is forgotten at once, so that its segments are rewritten.
        scope.spawn(move || {
            while !done.load(Ordering::Acquire) {
                append(log, "ever", 1, &[7; 900]);
                let end = log.bounds("ever", 1).unwrap().end;
                log.truncate("ever", 1, end).unwrap();
                truncated.store(end.0, Ordering::Release);
            }
        });
        scope.spawn(move || {
            while !done.load(Ordering::Acquire) {
                log.tidy().unwrap();
            }
        });
        working.into_iter().for_each(|working| working.join().unwrap());
        done.store(true, Ordering::Release);
    });
    assert_eq!(log.status().unwrap().trouble, None);
    drop(log);
    let log = open();
    read_all(&log, "after", 1_000);
    let bounds = log.bounds("ever", 1).unwrap();
    assert_eq!(bounds.first.0, truncated.load(Ordering::Acquire));
}
