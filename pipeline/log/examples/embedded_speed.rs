//! How fast the embedded log is on this machine, beside the bare disk in the same run.
//!
//! `cargo run --release -p drawdown-log --example embedded_speed [directory]`

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use drawdown_domain::time::Timestamp;
use drawdown_log::embedded::{Embedded, EmbeddedConfig, Topic};
use drawdown_log::{Append, Change, Commit, Log, Member, Membership, Next};

const PARTITIONS: u32 = 16;

fn main() {
    let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("embedded-speed-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    println!("bare disk: write and fdatasync of one file");
    for bytes in [4 << 10, 64 << 10, 1 << 20, 8 << 20] {
        bare(&directory, bytes);
    }
    println!("append: durable on return");
    for (producers, size, batch) in [
        (1, 4 << 10, 1),
        (4, 4 << 10, 1),
        (4, 16 << 10, 1),
        (4, 4 << 10, 64),
        (4, 16 << 10, 64),
        (8, 16 << 10, 64),
        (4, 16 << 10, 256),
        (4, 100, 1_000),
    ] {
        append(&directory, producers, size, batch);
    }
    println!("commit: one member, 4 messages of 1 KiB to 4 partitions and a position");
    commits(&directory);
    println!("poll: one member, {PARTITIONS} partitions, every byte looked at");
    for (size, in_run, total) in [
        (100, 1, 16 << 20),
        (100, 100, 256 << 20),
        (1_000, 100, 256 << 20),
        (16 << 10, 1, 256 << 20),
        (16 << 10, 64, 256 << 20),
    ] {
        polls(&directory, size, in_run, total);
    }
    println!("commit beside readers: 4 members, each commits what it read of the others");
    together(&directory);
    std::fs::remove_dir_all(&directory).unwrap();
}

fn open(directory: &Path, tail_bytes_max: usize) -> Embedded {
    let topic = |name: &str| Topic { name: name.to_owned(), partitions: PARTITIONS, keep: None };
    let clock = Arc::new(|| Timestamp::from_micros(0));
    let topics = [topic("usage"), topic("out")];
    let config = EmbeddedConfig::new(directory.join("log"), topics, clock);
    Embedded::open(EmbeddedConfig { tail_bytes_max, ..config }).unwrap()
}

fn discard(directory: &Path, log: Embedded) {
    drop(log);
    std::fs::remove_dir_all(directory.join("log")).unwrap();
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 1_000).min(times.len() - 1)];
    format!("p50 {:.2?} p99 {:.2?} p99.9 {:.2?}", at(500), at(990), at(999))
}

fn bare(directory: &Path, bytes: usize) {
    let path = directory.join("bare");
    let mut file = File::create(&path).unwrap();
    let content = vec![7; bytes];
    let rounds = ((256 << 20) / bytes).min(500);
    let (began, mut times) = (Instant::now(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        file.write_all(&content).unwrap();
        file.sync_data().unwrap();
        times.push(began.elapsed());
    }
    let rate = (bytes * rounds) as f64 / began.elapsed().as_secs_f64() / 1e6;
    println!("  {bytes:>8} bytes: {rate:>6.0} MB/s, {}", percentiles(times));
    std::fs::remove_file(path).unwrap();
}

fn append(directory: &Path, producers: u32, size: usize, batch: usize) {
    let log = open(directory, 64 << 20);
    let value = vec![7; size];
    let deadline = Instant::now() + Duration::from_secs(3);
    let began = Instant::now();
    let times: Vec<Duration> = thread::scope(|scope| {
        let producer = |number: u32| {
            let (log, value) = (&log, &value);
            scope.spawn(move || {
                let values = vec![value.as_slice(); batch];
                let mut times = Vec::new();
                while Instant::now() < deadline {
                    let began = Instant::now();
                    log.append("usage", number, Timestamp::from_micros(1), &values).unwrap();
                    times.push(began.elapsed());
                }
                times
            })
        };
        let threads: Vec<_> = (0..producers).map(producer).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let messages = times.len() * batch;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "  {producers} producers, {batch:>4} messages of {size:>5} bytes: {:>6.0} MB/s, {:>9.0} messages/s, {}",
        (messages * size) as f64 / seconds / 1e6,
        messages as f64 / seconds,
        percentiles(times)
    );
    discard(directory, log);
}

fn join(log: &Embedded, instance: &str) -> Box<dyn Member> {
    join_group(log, "speed", instance)
}

fn join_group(log: &Embedded, group: &str, instance: &str) -> Box<dyn Member> {
    let (group, topic) = (group.to_owned(), "usage".to_owned());
    let mut member = log.join(&Membership { group, topic, instance: instance.to_owned() }).unwrap();
    if let Some(Change::Assigned(all)) = member.poll(Duration::ZERO, &mut |_| ()).unwrap() {
        let places = all.into_iter().map(|partition| (partition, Next::START));
        member.resume(&places.collect()).unwrap();
    }
    member
}

fn commits(directory: &Path) {
    let log = open(directory, 64 << 20);
    let mut member = join(&log, "one");
    let mut times = Vec::new();
    for _ in 0..2_000 {
        let append =
            |partition| Append { topic: "out".to_owned(), partition, value: vec![7; 1 << 10] };
        let commit = Commit {
            read: BTreeMap::from([(0, Next::START)]),
            appends: (0..4).map(append).collect(),
        };
        let began = Instant::now();
        member.commit(commit).unwrap();
        member.outcome(Duration::MAX).unwrap().unwrap();
        times.push(began.elapsed());
    }
    println!("  {}", percentiles(times));
    drop(member);
    discard(directory, log);
}

/// Fills the log with so many bytes in runs of so many messages, and reads it from memory and from
/// the segments, before and after it was opened again.
fn polls(directory: &Path, size: usize, in_run: usize, total: usize) {
    let value = vec![7; size];
    let log = open(directory, 4 * total);
    let mut writer = join(&log, "one");
    let rounds = total / size / in_run / PARTITIONS as usize;
    for _ in 0..rounds {
        let append = |partition| {
            let append = Append { topic: "usage".to_owned(), partition, value: value.clone() };
            std::iter::repeat_n(append, in_run)
        };
        let appends = (0..PARTITIONS).flat_map(append).collect();
        writer.commit(Commit { read: BTreeMap::from([(0, Next::START)]), appends }).unwrap();
        writer.outcome(Duration::MAX).unwrap().unwrap();
    }
    drop(writer);
    let messages = rounds * in_run * PARTITIONS as usize;
    read_all(&log, messages, &format!("{size:>5} bytes, runs of {in_run:>3}, from memory"));
    drop(log);
    let began = Instant::now();
    let log = open(directory, 0);
    let opened = began.elapsed();
    read_all(&log, messages, &format!("{size:>5} bytes, runs of {in_run:>3}, from segments"));
    println!("    {} MiB opened in {opened:.2?}", log.status().unwrap().disk_bytes >> 20);
    discard(directory, log);
}

fn read_all(log: &Embedded, messages: usize, what: &str) {
    let mut member = join(log, "one");
    let (mut seen, mut bytes, mut sum) = (0_usize, 0_usize, 0_u64);
    let began = Instant::now();
    while seen < messages {
        member
            .poll(Duration::ZERO, &mut |batch| {
                seen += batch.len();
                for message in batch {
                    bytes += message.value.len();
                    sum += message.value.iter().map(|byte| u64::from(*byte)).sum::<u64>();
                }
            })
            .unwrap();
    }
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(sum, bytes as u64 * 7, "all bytes as they went");
    println!(
        "  {what:<40}: {:>6.0} MB/s, {:>11.0} messages/s",
        bytes as f64 / seconds / 1e6,
        messages as f64 / seconds
    );
}

/// Members of four groups read what two producers append, and commit it on.
fn together(directory: &Path) {
    let log = open(directory, 64 << 20);
    let until = Instant::now() + Duration::from_secs(3);
    let (times, appended): (Vec<Vec<Duration>>, u64) = thread::scope(|scope| {
        let committers: Vec<_> = (0..4)
            .map(|number| {
                let mut member = join_group(&log, &format!("speed-{number}"), "one");
                scope.spawn(move || {
                    let mut times = Vec::new();
                    while Instant::now() < until {
                        let mut commit = Commit::default();
                        member
                            .poll(Duration::from_millis(10), &mut |batch| {
                                for message in batch {
                                    commit.read.insert(message.partition, message.offset.next());
                                    let (topic, value) = ("out".to_owned(), message.value.to_vec());
                                    let partition = message.partition;
                                    commit.appends.push(Append { topic, partition, value });
                                }
                            })
                            .unwrap();
                        if commit.read.is_empty() {
                            continue;
                        }
                        let began = Instant::now();
                        member.commit(commit).unwrap();
                        member.outcome(Duration::MAX).unwrap().unwrap();
                        times.push(began.elapsed());
                    }
                    times
                })
            })
            .collect();
        let producers: Vec<_> = (0..2)
            .map(|partition| {
                let log = &log;
                scope.spawn(move || {
                    let mut appended = 0;
                    while Instant::now() < until {
                        let at = Timestamp::from_micros(1);
                        log.append("usage", partition, at, &[[7; 4_096].as_slice(); 8]).unwrap();
                        appended += 8 * 4_096;
                    }
                    appended
                })
            })
            .collect();
        let appended = producers.into_iter().map(|thread| thread.join().unwrap()).sum();
        (committers.into_iter().map(|thread| thread.join().unwrap()).collect(), appended)
    });
    println!(
        "  {:.0} MB/s in, five times that written, {}",
        appended as f64 / 3e6,
        percentiles(times.into_iter().flatten().collect())
    );
    discard(directory, log);
}
