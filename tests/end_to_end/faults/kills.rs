//! Workers killed at every named point and at random.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use drawdown_log::Point;

use super::check::{self, Books};
use super::load::Load;
use super::rig::{Rig, RigOptions};

use crate::end_to_end::random::Random;

/// Points that a worker on Kafka reaches.
const POINTS: [Point; 14] = [
    Point::Read,
    Point::Decided,
    Point::Begun,
    Point::Sent,
    Point::OffsetsSent,
    Point::Committed,
    Point::SnapshotChunk,
    Point::Restoring,
    Point::RunTorn,
    Point::RunSealed,
    Point::RunsMerged,
    Point::CheckpointBegun,
    Point::CheckpointTorn,
    Point::CheckpointWritten,
];

/// Remembered identities are written to the disk many times in so short a test.
pub const TABLE_MAX: usize = 40;

/// How many kills: enough for every point, or as many as are asked for.
pub fn kills_wanted() -> usize {
    wanted("KILLS", 60)
}

/// How often a fault is to happen: as a variable says, or so often.
pub fn wanted(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

pub fn seed() -> u64 {
    std::env::var("FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Where kills are to happen, and where they did.
pub struct Kills {
    points: &'static [Point],
    random: Random,
    met: BTreeMap<&'static str, usize>,
}

impl Kills {
    pub fn new(points: &'static [Point]) -> Kills {
        Kills { points, random: Random(seed()), met: BTreeMap::new() }
    }

    /// Where the next one is to happen and at which time it is reached; every third comes from outside,
    /// at no particular point.
    pub fn next_point(&mut self, kill: usize) -> (Option<Point>, u64) {
        if kill % 3 == 2 {
            return (None, 0);
        }
        let point = self.points[(kill / 3 * 2 + kill % 3) % self.points.len()];
        let times = match point {
            // These are reached seldom.
            Point::SnapshotChunk
            | Point::Restoring
            | Point::RunTorn
            | Point::RunSealed
            | Point::RunsMerged
            | Point::CheckpointBegun
            | Point::CheckpointTorn
            | Point::CheckpointWritten => 1,
            _ => 1 + self.random.below(8),
        };
        (Some(point), times)
    }

    /// How long to wait before a kill at no particular point.
    pub fn some_time(&mut self) -> Duration {
        Duration::from_millis(self.random.below(300))
    }

    pub fn count(&mut self, point: Option<Point>) {
        *self.met.entry(point.map_or("random", Point::name)).or_default() += 1;
    }

    /// Every point was met twice, if there were kills enough for that.
    pub fn check(&self) {
        if kills_wanted() < 48 {
            return;
        }
        for point in self.points {
            let met = self.met.get(point.name()).copied().unwrap_or(0);
            assert!(met >= 2, "{} was not met twice: {self}", point.name());
        }
    }
}

/// Adds a run to the tally that `make soak` keeps, if one is kept.
pub fn tally(fault: &str, times: usize, books: &Books) {
    let Some(path) = std::env::var_os("SOAK_TALLY") else { return };
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    let (records, differences) = (books.records_on_the_log(), books.differences.len());
    writeln!(file, "{fault} {times} {records} {differences}").unwrap();
}

impl fmt::Display for Kills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kills by point: {:?}", self.met)
    }
}

/// R1.3, R2.2, R5.1: nothing is lost and nothing counted twice, whoever is killed whenever.
#[test]
fn killed_workers_on_kafka_lose_and_double_nothing() {
    let began = Instant::now();
    let mut rig = Rig::start(RigOptions::default());
    rig.open_accounts();
    let load = Load::start(&rig, seed());
    let mut kills = Kills::new(&POINTS);
    for kill in 0..kills_wanted() {
        let victim = kill % rig.workers();
        let (point, times) = kills.next_point(kill);
        let met = point.filter(|point| rig.kill_at(victim, *point, times));
        if met.is_none() {
            std::thread::sleep(kills.some_time());
            rig.kill(victim);
        }
        kills.count(met);
        rig.restart(victim);
    }
    let sent = load.stop();
    rig.come_to_rest();
    let books = check::compare(&rig, &sent);
    println!("{kills}\n{books}\nseed {}, {:.0} s", seed(), began.elapsed().as_secs_f64());
    tally("kafka-kills", kills_wanted(), &books);
    kills.check();
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
}
