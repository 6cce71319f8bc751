//! Real processes on a real broker, killed at every named point and at random, with records in flight;
//! afterwards the books must be those of the book-keeper.

mod check;
mod load;
mod rig;

use std::time::{Duration, Instant};

use drawdown_log::Point;

use load::Load;
use rig::Rig;

use crate::end_to_end::random::Random;

/// Points that a worker on Kafka reaches.
const POINTS: [Point; 8] = [
    Point::Read,
    Point::Decided,
    Point::Begun,
    Point::Sent,
    Point::OffsetsSent,
    Point::Committed,
    Point::SnapshotChunk,
    Point::Restoring,
];

/// How often a worker reaches a point before it dies there. Some points it reaches seldom.
fn times(point: Point, random: &mut Random) -> u64 {
    match point {
        Point::SnapshotChunk | Point::Restoring => 1,
        _ => 1 + random.below(8),
    }
}

fn kills_wanted() -> usize {
    std::env::var("KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// R1.3, R2.2, R5.1: nothing is lost and nothing counted twice, whoever is killed whenever.
#[test]
fn killed_workers_on_kafka_lose_and_double_nothing() {
    let seed = std::env::var("FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut random = Random(seed);
    let began = Instant::now();
    let mut rig = Rig::start();
    rig.open_accounts();
    let load = Load::start(&rig, seed);
    let mut killed_at = std::collections::BTreeMap::<&str, usize>::new();
    for kill in 0..kills_wanted() {
        let victim = kill % rig.workers();
        // Every third kill comes from outside, at no particular point.
        let point = (kill % 3 != 2).then(|| POINTS[(kill / 3 * 2 + kill % 3) % POINTS.len()]);
        let name = match point {
            Some(point) if rig.kill_at(victim, point, times(point, &mut random)) => point.name(),
            _ => {
                std::thread::sleep(Duration::from_millis(random.below(300)));
                rig.kill(victim);
                "random"
            }
        };
        *killed_at.entry(name).or_default() += 1;
        rig.restart(victim);
    }
    let sent = load.stop();
    rig.come_to_rest();
    let books = check::compare(&rig, &sent);
    println!("kills by point: {killed_at:?}");
    println!("{books}");
    println!("seed {seed}, {:.0} s", began.elapsed().as_secs_f64());
    if kills_wanted() >= 48 {
        for point in POINTS {
            assert!(
                killed_at.get(point.name()).copied().unwrap_or(0) >= 2,
                "{} was not met twice",
                point.name()
            );
        }
    }
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
    let report = rig.audit();
    println!("{report}");
    assert_eq!(report.differences(), 0, "{report}");
}
