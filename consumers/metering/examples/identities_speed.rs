//! How fast identities are looked up and remembered, what they take, and how fast they are restored.
//!
//! `cargo run --release -p drawdown-metering --example identities_speed -- [millions] [directory]`
//! remembers so many (20 by default, up to 200 or more) with times of use spread over 40 days, in 16
//! partitions, steps of 20,000, each partition's records in runs of 500.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::float_arithmetic)] // an experiment

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown_domain::time::Timestamp;
use drawdown_log::embedded::{Embedded, EmbeddedConfig, Topic};
use drawdown_log::{Log, Next};
use drawdown_metering::identities::{Identities, Identity, IdentityOptions, Known, Shelves, Told};

const PARTITIONS: u32 = 16;
const RUN: u64 = 500;
const STEP: u64 = 20_000;
const DAY_MICROS: i64 = 86_400_000_000;
const KEY: [u8; 16] = [5; 16];
const TOPIC: &str = "identities";

fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn told(number: u64) -> Told {
    let high = mix(number);
    Told { identity: Identity { high, low: mix(high ^ 0x55AA) }, content: number }
}

fn rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// User and system time of the calling thread: other work on the machine does not count.
fn thread_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
}

fn disk_bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let bytes = |entry: fs::DirEntry| match entry.metadata().unwrap() {
        own if own.is_dir() => disk_bytes(&entry.path()),
        own => own.len(),
    };
    entries.map(bytes).sum()
}

struct Bench {
    log: Arc<dyn Log>,
    options: IdentityOptions,
    partitions: Vec<Identities>,
    remembered: u64,
    spent: Duration,
    spent_cpu: Duration,
}

impl Bench {
    fn restore(&mut self, places: &[(drawdown_metering::identities::Position, i32)]) {
        self.partitions.clear();
        let shelves = Arc::new(Shelves::new(self.options.clone(), &KEY));
        for (partition, (position, kept_from)) in (0..PARTITIONS).zip(places) {
            let mut identities = Identities::new(shelves.clone(), partition);
            identities.forget_before(*kept_from);
            identities.restore(&*self.log, TOPIC, *position).unwrap();
            self.partitions.push(identities);
        }
    }

    fn step(&mut self) {
        let begun = (Instant::now(), thread_cpu());
        let last = self.remembered + STEP;
        while self.remembered < last {
            let partition = (self.remembered / RUN) % u64::from(PARTITIONS);
            let identities = &mut self.partitions[partition as usize];
            for number in self.remembered..self.remembered + RUN {
                let told = told(number);
                assert_eq!(identities.look(told).unwrap(), Known::New);
                let day = (mix(number ^ 0xF00D) % 40) as i64;
                let used = Timestamp::from_micros((20_000 + day) * DAY_MICROS);
                identities.remember(told, used, (number / 100) as i64, (number % 100) as u32);
            }
            self.remembered += RUN;
        }
        self.spent += begun.0.elapsed();
        self.spent_cpu += thread_cpu() - begun.1;
    }

    fn commit(&mut self) {
        for (partition, identities) in (0..).zip(&mut self.partitions) {
            let packed = identities.take_packed();
            let values: Vec<&[u8]> = packed.iter().map(Vec::as_slice).collect();
            self.log.append(TOPIC, partition, Timestamp::from_micros(1), &values).unwrap();
            let log = &self.log;
            identities.committed(|| Some(log.bounds(TOPIC, partition).unwrap().end));
            identities.settle().unwrap();
        }
    }

    fn rest(&mut self) {
        let settle = |own: &mut Identities| {
            own.settle().unwrap();
            own.fill().is_writing
        };
        while self.partitions.iter_mut().filter_map(|own| settle(own).then_some(())).count() > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn report(&mut self, of: u64) {
        let runs: usize = self.partitions.iter().map(|own| own.fill().runs).sum();
        println!(
            "{:4} M remembered: {:4.0} ns a record ({:4.0} of CPU), {:.1} runs a partition, {} MB resident",
            self.remembered / 1_000_000,
            self.spent.as_nanos() as f64 / of as f64,
            self.spent_cpu.as_nanos() as f64 / of as f64,
            runs as f64 / f64::from(PARTITIONS),
            rss_bytes() >> 20,
        );
        (self.spent, self.spent_cpu) = (Duration::ZERO, Duration::ZERO);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let millions: u64 = arguments.next().map_or(20, |text| text.parse().unwrap());
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("identities-speed-{}", std::process::id()));
    let topic = Topic { name: TOPIC.to_owned(), partitions: PARTITIONS, keep: None };
    let clock = Arc::new(|| Timestamp::from_micros(1));
    let config = EmbeddedConfig {
        tail_bytes_max: 1 << 20,
        ..EmbeddedConfig::new(folder.join("log"), [topic], clock)
    };
    let log: Arc<dyn Log> = Arc::new(Embedded::open(config).unwrap());
    let directory = folder.join("local");
    let options =
        IdentityOptions { directory: Some(directory.clone()), ..IdentityOptions::default() };
    let mut bench = Bench {
        log,
        options,
        partitions: Vec::new(),
        remembered: 0,
        spent: Duration::ZERO,
        spent_cpu: Duration::ZERO,
    };
    let places = [(Default::default(), 0); PARTITIONS as usize];
    bench.restore(&places);
    let empty = rss_bytes();
    let mut reported = 0;
    while bench.remembered < millions * 1_000_000 {
        bench.step();
        bench.commit();
        if bench.remembered - reported >= 2_000_000 && bench.remembered % 10_000_000 == 2_000_000 {
            bench.report(2_000_000.min(bench.remembered));
        }
        if bench.remembered.is_multiple_of(10_000_000) {
            bench.rest();
            reported = bench.remembered;
            (bench.spent, bench.spent_cpu) = (Duration::ZERO, Duration::ZERO);
        }
    }
    bench.rest();
    let fills: Vec<_> = bench.partitions.iter().map(|own| own.fill()).collect();
    let in_tables: u64 = fills.iter().map(|own| own.in_tables).sum();
    let run_bytes: u64 = fills.iter().map(|own| own.run_bytes).sum();
    let in_runs = (bench.remembered - in_tables) as f64;
    println!(
        "{in_tables} in tables; in runs: {:.2} bytes of memory an identity, {:.2} on disk; resident {} MB more than empty",
        run_bytes as f64 / in_runs,
        disk_bytes(&directory) as f64 / in_runs,
        (rss_bytes() - empty) >> 20
    );
    let places: Vec<_> =
        bench.partitions.iter().map(|own| (own.reached(), own.kept_from())).collect();
    for (what, is_local) in
        [("this machine and the topic's tail", true), ("the topic alone", false)]
    {
        bench.partitions.clear();
        if !is_local {
            fs::remove_dir_all(&directory).unwrap();
        }
        let begun = Instant::now();
        bench.restore(&places);
        let seconds = begun.elapsed().as_secs_f64();
        let millions = bench.remembered as f64 / 1e6;
        println!("restored from {what} in {seconds:.2} s: {:.1} M a second", millions / seconds);
        assert_eq!(bench.partitions[0].look(told(3)).unwrap(), Known::Duplicate);
    }
    bench.rest();
    let begun = Instant::now();
    let again = 200_000;
    for number in 0..again {
        let number = mix(number) % bench.remembered;
        let partition = (number / RUN) % u64::from(PARTITIONS);
        let known = bench.partitions[partition as usize].look(told(number)).unwrap();
        assert_eq!(known, Known::Duplicate);
    }
    println!("an old duplicate is found in {} ns", begun.elapsed().as_nanos() / u128::from(again));
    assert!(bench.log.bounds(TOPIC, 0).unwrap().end > Next::START);
    bench.partitions.clear();
    drop(bench);
    fs::remove_dir_all(folder).unwrap();
}
