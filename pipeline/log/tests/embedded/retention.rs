//! Forgetting: what is too old goes, and its room on the disk; what is kept for ever stays, with its
//! offsets and times, through archives and restarts.

use std::path::Path;
use std::time::Duration;

use drawdown_domain::time::Span;
use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_log::{Log, Next};

use super::rig::{
    GROUP, HOUR, Hands, Shown, bytes, commit, config, decide, directory, files, join, scan,
};

fn open(path: &Path, hands: &Hands) -> Embedded {
    let config = config(path, hands);
    Embedded::open(EmbeddedConfig {
        segment_bytes_max: 16 << 10,
        tail_bytes_max: 4 << 10,
        ..config
    })
    .unwrap()
}

/// Appends a small message to keep and a large one to forget, as the clock says.
fn append(log: &Embedded, hands: &Hands, number: usize) {
    let value = format!("{number}").into_bytes();
    log.append("ever", number as u32 % 3, hands.now(), &[&value]).unwrap();
    log.append("brief", 0, hands.now(), &[&[7; 700]]).unwrap();
}

fn kept(log: &Embedded) -> Vec<Vec<Shown>> {
    (0..3).map(|partition| scan(log, "ever", partition).unwrap()).collect()
}

#[test]
fn what_is_too_old_goes_and_the_rest_stays() {
    let (path, hands) = (directory(), Hands::default());
    let log = open(path.path(), &hands);
    let mut member = join(&log, "a");
    for number in 0..200 {
        append(&log, &hands, number);
        hands.advance(Span::minutes(1));
    }
    decide(&mut *member, commit(Next(150), &[])).unwrap();
    let before = kept(&log);
    let bytes_before = bytes(path.path());
    log.tidy().unwrap();
    // It is minute 200; what came before minute 140 is forgotten, by segments of some 20 minutes.
    let first = log.bounds("brief", 0).unwrap().first.0;
    assert!((100..=140).contains(&first), "{first}");
    let rest = scan(&log, "brief", 0).unwrap();
    assert_eq!((rest[0].0, rest.len() as i64), (first, 200 - first));
    assert_eq!(rest[0].1, Span::minutes(first as i32).as_micros());
    assert_eq!(kept(&log), before, "what is kept for ever");
    assert!(bytes(path.path()) * 3 < bytes_before * 2, "{bytes_before} to {}", bytes(path.path()));
    assert_eq!(log.status().unwrap().trouble, None);
    drop((member, log));
    let log = open(path.path(), &hands);
    assert_eq!(kept(&log), before);
    assert_eq!(scan(&log, "brief", 0).unwrap(), rest);
    assert_eq!(log.committed(GROUP, "brief", 0).unwrap(), Some(Next(150)));
    append(&log, &hands, 200);
    assert_eq!(scan(&log, "brief", 0).unwrap().last().unwrap().0, 200, "offsets go on");
}

#[test]
fn a_long_life_takes_little_room_and_few_files() {
    let (path, hands) = (directory(), Hands::default());
    let mut number = 0;
    for round in 0..30 {
        let log = open(path.path(), &hands);
        for _ in 0..120 {
            append(&log, &hands, number);
            number += 1;
            hands.advance(Span::minutes(1));
        }
        log.tidy().unwrap();
        let status = log.status().unwrap();
        // An hour of large messages, some segments' worth more, and what is kept.
        let room = 60 * 750 + 3 * (16 << 10) + number as u64 * 60;
        assert!(status.disk_bytes < room, "round {round}: {status:?}, expected below {room}");
        assert!(status.segments < 25, "round {round}: {status:?}");
        assert_eq!(status.trouble, None);
    }
    let log = open(path.path(), &hands);
    for (partition, own) in kept(&log).into_iter().enumerate() {
        assert_eq!(own.len(), number / 3);
        for (offset, (found, at, value)) in own.into_iter().enumerate() {
            let number = offset * 3 + partition;
            assert_eq!(found, offset as i64);
            assert_eq!(at, Span::minutes(number as i32).as_micros());
            assert_eq!(value, number.to_string().into_bytes());
        }
    }
}

#[test]
fn a_quiet_log_is_forgotten_as_well() {
    let (path, hands) = (directory(), Hands::default());
    let config = config(path.path(), &hands);
    let log = Embedded::open(EmbeddedConfig { segment_span_max: HOUR, ..config }).unwrap();
    append(&log, &hands, 0);
    for _ in 0..3 {
        hands.advance(HOUR.plus(Span::minutes(1)));
        log.tidy().unwrap();
    }
    assert_eq!(scan(&log, "brief", 0).unwrap(), []);
    assert_eq!(scan(&log, "ever", 0).unwrap().len(), 1);
}

#[test]
fn readers_go_on_while_segments_are_replaced() {
    let (path, hands) = (directory(), Hands::default());
    let config = config(path.path(), &hands);
    let log = Embedded::open(EmbeddedConfig {
        segment_bytes_max: 16 << 10,
        tail_bytes_max: 0,
        poll_messages_max: 7,
        ..config
    })
    .unwrap();
    for number in 0..300 {
        let value = format!("{number}").into_bytes();
        log.append("brief", 1, hands.now(), &[&value]).unwrap();
        log.append("ever", 0, hands.now(), &[&[7; 700]]).unwrap();
    }
    let mut member = join(&log, "a");
    let mut seen = Vec::new();
    let mut truncated = 0;
    while seen.len() < 300 {
        member
            .poll(Duration::ZERO, &mut |messages| {
                seen.extend(messages.iter().map(|message| message.value.to_vec()));
            })
            .unwrap();
        truncated += 10;
        log.truncate("ever", 0, Next(truncated)).unwrap();
        log.tidy().unwrap();
    }
    let expected: Vec<Vec<u8>> = (0..300).map(|number| number.to_string().into_bytes()).collect();
    assert_eq!(seen, expected);
    assert!(log.status().unwrap().segments < 8, "{:?}", log.status());
    assert!(!files(path.path(), ".archive").is_empty());
}

#[test]
fn a_damaged_message_is_not_copied_and_its_segment_stays() {
    let (path, hands) = (directory(), Hands::default());
    let log = open(path.path(), &hands);
    for number in 0..60 {
        append(&log, &hands, number);
    }
    let sealed = files(path.path(), ".journal").remove(1);
    let mut content = std::fs::read(&sealed).unwrap();
    // The last byte of the segment is of a small or a large message; all of them are damaged.
    for byte in content.iter_mut().skip(1_000).step_by(50) {
        *byte ^= 1;
    }
    std::fs::write(&sealed, content).unwrap();
    log.truncate("brief", 0, Next(60)).unwrap();
    let why = log.tidy().unwrap_err().to_string();
    assert!(why.contains(&*sealed.file_name().unwrap().to_string_lossy()), "{why}");
    assert_eq!(log.status().unwrap().trouble, Some(why.clone()));
    assert!(sealed.exists());
    assert!(log.tidy().unwrap_err().to_string().contains(&why), "it is not tried again and again");
    append(&log, &hands, 60);
}
