//! Any sequence of commits, truncations, restarts and crashes against a model: after each crash the
//! log is what the model says, with the last commit that was under way whole or absent.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use drawdown_domain::time::Span;
use drawdown_log::embedded::{Embedded, EmbeddedConfig};
use drawdown_log::{Append, Commit, Log, Next};
use proptest::prelude::*;

use super::rig::{
    HOUR, Hands, Picture, TOPICS, config, decide, directory, join, journal, mark, picture,
};

/// Where a message goes: the number of a partition over all topics.
type Lane = usize;

#[derive(Clone, Debug)]
enum Step {
    Append {
        lane: Lane,
        sizes: Vec<usize>,
    },
    Commit {
        appends: Vec<(Lane, usize)>,
        position: i64,
    },
    Truncate {
        lane: Lane,
        percent: i64,
    },
    Advance {
        minutes: i32,
    },
    Tidy,
    Restart,
    /// A commit is torn, and the log opened again.
    Crash {
        appends: Vec<(Lane, usize)>,
        tear: Tear,
    },
}

/// What the crash leaves of the last commit, in thousandths of its bytes.
#[derive(Clone, Debug)]
enum Tear {
    Nothing,
    Cut(usize),
    Fill { from: usize, to: usize, with: u8 },
    Behind(Vec<u8>),
}

const LANES: usize = 6;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lane = 0..LANES;
    let size = prop_oneof![4 => 0..40_usize, 1 => 300..900_usize];
    let appends = prop::collection::vec((lane.clone(), size.clone()), 0..8);
    let tear = prop_oneof![
        Just(Tear::Nothing),
        (0..1_000_usize).prop_map(Tear::Cut),
        (0..1_000_usize, 0..=1_000_usize, prop_oneof![Just(0), any::<u8>()])
            .prop_map(|(from, to, with)| Tear::Fill { from, to, with }),
        prop::collection::vec(any::<u8>(), 1..200).prop_map(Tear::Behind),
    ];
    let step = prop_oneof![
        6 => (lane.clone(), prop::collection::vec(size, 0..5))
            .prop_map(|(lane, sizes)| Step::Append { lane, sizes }),
        6 => (appends.clone(), 0..1_000_i64)
            .prop_map(|(appends, position)| Step::Commit { appends, position }),
        2 => (lane, 0..=100_i64).prop_map(|(lane, percent)| Step::Truncate { lane, percent }),
        2 => (1..50_i32).prop_map(|minutes| Step::Advance { minutes }),
        2 => Just(Step::Tidy),
        1 => Just(Step::Restart),
        3 => (appends, tear).prop_map(|(appends, tear)| Step::Crash { appends, tear }),
    ];
    prop::collection::vec(step, 1..40)
}

fn places() -> Vec<(&'static str, u32)> {
    TOPICS.iter().flat_map(|(name, count)| (0..*count).map(|own| (*name, own))).collect()
}

/// The oldest kept offset of a lane, and the times and values of all messages that ever were in it.
type Lived = (i64, Vec<(i64, Vec<u8>)>);

/// What the log must show.
#[derive(Clone, Debug, Default)]
struct Model {
    lanes: Vec<Lived>,
    position: Option<Next>,
    written: usize,
}

impl Model {
    fn value(&mut self, size: usize) -> Vec<u8> {
        self.written += 1;
        let seed = self.written;
        (0..size).map(|byte| (byte * 13 + seed * 7) as u8).collect()
    }

    fn push(&mut self, lane: Lane, at: i64, value: Vec<u8>) {
        self.lanes[lane].1.push((at, value));
    }

    fn check(&self, shown: &Picture) {
        for (place, (first, all)) in places().iter().zip(&self.lanes) {
            let kept: Vec<(i64, i64, Vec<u8>)> = (0..)
                .zip(all)
                .filter(|(offset, _)| offset >= first)
                .map(|(offset, (at, value))| (offset, *at, value.clone()))
                .collect();
            assert_eq!(shown.messages[place], kept, "{place:?}");
            let bounds = shown.bounds[place];
            assert_eq!((bounds.first.0, bounds.end.0), (*first, all.len() as i64), "{place:?}");
        }
        assert_eq!(shown.positions[0], self.position);
    }

    /// Takes up what the log forgot by itself, if it may.
    fn allow_forgetting(&mut self, log: &Embedded, hands: &Hands) {
        for ((topic, partition), (first, all)) in places().into_iter().zip(&mut self.lanes) {
            let found = log.bounds(topic, partition).unwrap().first.0;
            assert!(found >= *first, "nothing comes back");
            for (at, _) in &all[*first as usize..found as usize] {
                let oldest = hands.now().minus(HOUR).as_micros();
                assert!(topic == "brief" && *at < oldest, "a message was forgotten too early");
            }
            *first = found;
        }
    }
}

fn open(path: &Path, hands: &Hands) -> Embedded {
    let config = config(path, hands);
    let small = EmbeddedConfig { segment_bytes_max: 3_000, tail_bytes_max: 1_000, ..config };
    Embedded::open(small).unwrap()
}

/// Commits to the log and returns the model as it is then.
fn commit(log: &Embedded, model: &Model, now: i64, appends: &[(Lane, usize)], next: Next) -> Model {
    let mut model = model.clone();
    let mut commit = Commit { read: [(0, next)].into(), appends: Vec::new() };
    for (lane, size) in appends {
        let (topic, partition) = places()[*lane];
        let value = model.value(*size);
        model.push(*lane, now, value.clone());
        commit.appends.push(Append { topic: topic.to_owned(), partition, value });
    }
    decide(&mut *join(log, "a"), commit).unwrap();
    model.position = Some(next);
    model
}

/// The bytes of the last frame of the journal, which was `bytes_before` long before it if it is the
/// same file still.
fn last_frame(path: &Path, before: &(std::path::PathBuf, usize)) -> (Vec<u8>, usize) {
    let content = fs::read(journal(path)).unwrap();
    let begin = if journal(path) == before.0 {
        before.1
    } else {
        // Behind the header and the checkpoint, whose length stands in its own header.
        let length: [u8; 4] = content[72..76].try_into().unwrap();
        64 + u32::from_le_bytes(length) as usize
    };
    (content, begin)
}

/// Tears the last commit, and returns whether it is still whole.
fn tear(path: &Path, before: &(std::path::PathBuf, usize), tear: &Tear) -> bool {
    let (whole, begin) = last_frame(path, before);
    let place = |thousandths: usize| begin + (whole.len() - begin) * thousandths / 1_000;
    let mut torn = whole.clone();
    match tear {
        Tear::Nothing => {}
        Tear::Cut(at) => torn.truncate(place(*at)),
        Tear::Fill { from, to, with } => {
            torn[place(*from.min(to))..place(*from.max(to))].fill(*with);
        }
        Tear::Behind(bytes) => torn.extend(bytes),
    }
    fs::write(journal(path), &torn).unwrap();
    torn.starts_with(&whole)
}

fn run(steps: &[Step]) {
    let (path, hands) = (directory(), Hands::default());
    let mut log = Some(open(path.path(), &hands));
    let mut model = Model { lanes: vec![Default::default(); LANES], ..Model::default() };
    for step in steps {
        let now = hands.now();
        let own = log.take().unwrap();
        let own = match step {
            Step::Append { lane, sizes } => {
                let (topic, partition) = places()[*lane];
                let values: Vec<Vec<u8>> = sizes.iter().map(|size| model.value(*size)).collect();
                let borrowed: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
                own.append(topic, partition, now, &borrowed).unwrap();
                values.into_iter().for_each(|value| model.push(*lane, now.as_micros(), value));
                own
            }
            Step::Commit { appends, position } => {
                model = commit(&own, &model, now.as_micros(), appends, Next(*position));
                own
            }
            Step::Truncate { lane, percent } => {
                let (topic, partition) = places()[*lane];
                let (first, all) = &mut model.lanes[*lane];
                *first = (*first).max(all.len() as i64 * percent / 100);
                own.truncate(topic, partition, Next(*first)).unwrap();
                own
            }
            Step::Advance { minutes } => {
                hands.advance(Span::minutes(*minutes));
                own
            }
            Step::Tidy => {
                own.tidy().unwrap();
                model.allow_forgetting(&own, &hands);
                own
            }
            Step::Restart => {
                drop(own);
                open(path.path(), &hands)
            }
            Step::Crash { appends, tear: kind } => {
                let synced = fs::read(mark(path.path())).unwrap();
                let written = journal(path.path());
                let before = (written.clone(), fs::metadata(&written).unwrap().len() as usize);
                let after = commit(&own, &model, now.as_micros(), appends, Next(1_000));
                drop(own);
                if tear(path.path(), &before, kind) {
                    model = after;
                }
                fs::write(mark(path.path()), synced).unwrap();
                open(path.path(), &hands)
            }
        };
        model.check(&picture(&own).unwrap());
        log = Some(own);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_crash_the_log_is_what_the_model_says(steps in steps()) {
        run(&steps);
    }
}

/// The names of the lanes are those of the topics.
#[test]
fn the_model_knows_all_partitions() {
    let by_place: BTreeMap<_, _> = places().into_iter().zip(0..).collect();
    assert_eq!(by_place.len(), LANES);
}
