//! The living specification: every file under `tests/scenarios` comes out as it says, on every log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drawdown::audit::Figure;
use drawdown::rehearse::{Stage, rehearse};
use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::time::Timestamp;
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::kafka::{Kafka, KafkaConfig, TopicDetails};
use drawdown_wire::topics::{Topic, Topics};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn check(mut stage: impl FnMut() -> Stage) {
    let mut failed = String::new();
    for file in files() {
        let stage = stage();
        match rehearse(&file, &stage) {
            Ok(report) => {
                // Without snapshots all steps are kept, and all are decided again.
                let again = [Figure::MeteringSteps, Figure::RegistrySteps, Figure::BalanceSteps];
                if !stage.restarts && again.iter().any(|figure| report.audit.figure(*figure) == 0) {
                    failed.push_str(&format!("{}: nothing was decided again\n", file.display()));
                }
                for failure in report.failures {
                    failed.push_str(&format!("{}: {failure}\n", file.display()));
                }
            }
            Err(error) => failed.push_str(&format!("{}: {error:#}\n", file.display())),
        }
    }
    assert!(failed.is_empty(), "\n{failed}");
}

#[test]
fn every_scenario_comes_out_as_it_says_in_memory() {
    check(|| Stage::memory().unwrap());
}

/// Deltas, snapshots taken bit by bit, and what they leave of the state topics are enough to rebuild
/// every consumer at any point.
#[test]
fn every_scenario_comes_out_as_it_says_with_restarts_after_every_step() {
    check(|| Stage { restarts: true, ..Stage::memory().unwrap() });
}

#[test]
fn every_scenario_comes_out_as_it_says_on_the_embedded_log() {
    let mut folder = None;
    check(|| {
        let folder = folder.insert(tempfile::tempdir().unwrap());
        let plan = Stage::plan().unwrap();
        let topics = Topics::new("", &plan);
        let all = Topic::ALL.iter().map(|topic| embedded::Topic {
            name: topics.name(*topic).to_owned(),
            partitions: plan.partitions(*topic),
            keep: None,
        });
        let config = EmbeddedConfig::new(folder.path(), all, Arc::new(|| Timestamp::START));
        let log = Arc::new(Embedded::open(config).unwrap());
        Stage { log, topics, restarts: true, timers_per_message_max: usize::MAX }
    });
}

#[test]
fn every_scenario_comes_out_as_it_says_on_kafka() {
    let broker = Broker::start(BrokerOptions::default()).unwrap();
    let kafka = Arc::new(Kafka::new(KafkaConfig::new(&broker.bootstrap())).unwrap());
    let mut count = 0;
    check(|| {
        count += 1;
        let plan = Stage::plan().unwrap();
        let topics = Topics::new(&format!("scenario{count}."), &plan);
        let details: Vec<TopicDetails> = Topic::ALL
            .iter()
            .map(|topic| TopicDetails {
                name: topics.name(*topic).to_owned(),
                partitions: plan.partitions(*topic),
                keep: Some(Duration::from_secs(3_600 * 24 * 365 * 100)),
                dated_by_log: false,
                message_bytes_max: 10_485_760,
            })
            .collect();
        kafka.create(&details, 1).unwrap();
        Stage { log: kafka.clone(), topics, restarts: false, timers_per_message_max: usize::MAX }
    });
}
