//! The living specification: every file under `tests/scenarios` comes out as it says, on every log.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drawdown::audit::Figure;
use drawdown::rehearse::{Stage, rehearse};
use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::commands::Command;
use drawdown_domain::refusal::Refusal;
use drawdown_domain::time::Timestamp;
use drawdown_domain::usage::Reject;
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::kafka::{Kafka, KafkaConfig, TopicDetails};
use drawdown_wire::topics::{Topic, TopicPlan, Topics};

use crate::end_to_end::turn;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Rehearses every file on a stage of its own, a few at a time: on a real log most of it is waiting.
fn check(stage: impl Fn(usize) -> Stage + Sync) {
    let files = files();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(String::new()));
    let fail = |text: String| failed.lock().unwrap().push_str(&text);
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(number) else { return };
                    let name = file.display();
                    let stage = stage(number);
                    match rehearse(file, &stage) {
                        Ok(report) => {
                            // Without snapshots all steps are kept, and all are decided again.
                            let again = [
                                Figure::MeteringSteps,
                                Figure::RegistrySteps,
                                Figure::BalanceSteps,
                            ];
                            let none = |figure: &Figure| report.audit.figure(*figure) == 0;
                            if !stage.restarts && again.iter().any(none) {
                                fail(format!("{name}: nothing was decided again\n"));
                            }
                            for failure in report.failures {
                                fail(format!("{name}: {failure}\n"));
                            }
                        }
                        Err(error) => fail(format!("{name}: {error:#}\n")),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "\n{failed}");
}

const AT_A_TIME: usize = 8;

#[test]
fn every_scenario_comes_out_as_it_says_in_memory() {
    check(|_| Stage::memory().unwrap());
}

/// Whatever can be refused or rejected is so in one of the files at least, and every command is given. Prices stand
/// in the files themselves.
#[test]
fn every_code_and_every_command_stands_in_a_scenario() {
    let all = files().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
    let all = all.collect::<Vec<_>>().join("\n");
    let refused = Refusal::ALL.iter().map(|refusal| format!("refused = \"{}\"", refusal.code()));
    let rejected = Reject::ALL.iter().map(|reject| format!("rejected = \"{}\"", reject.code()));
    let given = Command::NAMES.iter().filter(|name| **name != "load_prices");
    let given = given.map(|name| format!("do = \"{name}\""));
    let missing = refused.chain(rejected).chain(given).filter(|line| !all.contains(line));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0]);
}

/// Deltas, snapshots taken bit by bit, and what they leave of the state topics are enough to rebuild
/// every consumer at any point.
#[test]
fn every_scenario_comes_out_as_it_says_with_restarts_after_every_step() {
    check(|_| Stage { restarts: true, ..Stage::memory().unwrap() });
}

#[test]
fn every_scenario_comes_out_as_it_says_on_the_embedded_log() {
    let folder = tempfile::tempdir().unwrap();
    check(|number| {
        let folder = folder.path().join(number.to_string());
        let plan = Stage::plan().unwrap();
        let topics = Topics::new("", &plan);
        let all = Topic::ALL.iter().map(|topic| embedded::Topic {
            name: topics.name(*topic).to_owned(),
            partitions: plan.partitions(*topic),
            keep: None,
        });
        let config = EmbeddedConfig::new(folder, all, Arc::new(|| Timestamp::START));
        Stage {
            log: Arc::new(Embedded::open(config).unwrap()),
            topics,
            data: None,
            restarts: true,
            timers_per_message_max: usize::MAX,
        }
    });
}

#[test]
fn every_scenario_comes_out_as_it_says_on_kafka() {
    let _turn = turn::take();
    let broker = Broker::start(BrokerOptions::default()).unwrap();
    check(|number| {
        // One of its own for each: a scan of one waits for no other's.
        let kafka = Kafka::new(KafkaConfig::new(&broker.bootstrap())).unwrap();
        let plan = Stage::plan().unwrap();
        let topics = Topics::new(&format!("scenario{number}."), &plan);
        create_topics(&kafka, &topics, &plan);
        let (data, restarts, timers_per_message_max) = (None, false, usize::MAX);
        Stage { log: Arc::new(kafka), topics, data, restarts, timers_per_message_max }
    });
}

/// Creates the topics of an installation whose time lies in the past: nothing is too old for them.
pub fn create_topics(kafka: &Kafka, topics: &Topics, plan: &TopicPlan) {
    let details = Topic::ALL.iter().map(|topic| TopicDetails {
        name: topics.name(*topic).to_owned(),
        partitions: plan.partitions(*topic),
        keep: Some(Duration::from_secs(3_600 * 24 * 365 * 100)),
        dated_by_log: false,
        message_bytes_max: 10_485_760,
    });
    kafka.create(&details.collect::<Vec<_>>(), 1).unwrap();
}
