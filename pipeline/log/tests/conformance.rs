//! What every engine of the log must do, told as tests that know no engine.
//!
//! A new engine adds a function that starts it, and a line at the end. Cases assume nothing that only
//! some engines can give: offsets may have gaps, and what was committed may become visible a little
//! later, so they wait for a condition up to a deadline.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

mod conformance {
    pub(crate) mod bed;
    pub(crate) mod commits;
    pub(crate) mod durable;
    pub(crate) mod faults;
    pub(crate) mod members;
    pub(crate) mod reading;
    pub(crate) mod sharing;
}

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use conformance::bed::{Bed, Powers, eventually};
use conformance::durable::everything_is_there_after_a_restart;
use conformance::faults::pass_on_through_faults;
use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::time::Timestamp;
use drawdown_log::embedded::{Embedded, EmbeddedConfig, Topic};
use drawdown_log::kafka::{Kafka, KafkaConfig, TopicDetails};
use drawdown_log::{Faults, Log, Memory};

/// One test for each case, on a log of its own.
macro_rules! cases {
    ($start:path, $module:ident: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::conformance::$module::$case(&mut $start());
            }
        )*
    };
}

macro_rules! suite {
    ($engine:ident, $start:path $(, $durable:ident)?) => {
        mod $engine {
            cases! { $start, reading:
                messages_of_a_partition_come_in_their_order
                an_append_returns_where_to_go_on
                a_scan_keeps_to_its_bounds_and_stops_when_told
                bounds_enclose_the_messages
                truncated_messages_are_gone_and_the_others_stay
                empty_and_large_messages_come_as_they_went
                what_does_not_exist_is_named
                partitions_are_told
            }
            cases! { $start, commits:
                a_commit_is_all_there_with_its_position
                a_commit_over_many_partitions_is_all_there
                a_commit_keeps_the_order_of_its_messages
                no_reader_sees_half_a_commit
                a_commit_that_fails_reaches_nobody
                positions_of_groups_are_apart
                a_position_may_be_confirmed_without_messages
                without_a_commit_there_is_no_outcome
                a_commit_is_refused_while_another_is_under_way
                what_many_members_commit_is_all_there_once
            }
            cases! { $start, members:
                a_member_reads_all_that_is_there_and_all_that_comes
                a_member_resumes_at_any_place
                a_member_goes_back_while_it_reads
                a_waiting_member_is_woken
                a_former_instance_is_fenced
                what_a_fenced_member_left_undone_is_read_again
                a_member_is_stopped_before_it_skips_what_is_forgotten
            }
            cases! { $start, faults:
                a_commit_under_way_when_its_instance_joins_again_is_whole
                each_message_is_passed_on_once_whatever_becomes_of_commits
            }
            cases! { $start, sharing:
                two_members_share_and_each_message_is_processed_once
                members_come_and_go_and_each_message_is_processed_once
                an_instance_gets_its_partitions_back
                a_revoked_partition_is_handed_over_when_it_is_released
            }
            $(suite!(@$durable $start);)?
        }
    };
    (@durable $start:path) => {
        cases! { $start, durable:
            everything_is_there_after_a_restart
            offsets_go_on_after_a_restart_even_if_all_is_forgotten
            positions_survive_any_number_of_restarts
            commits_are_whole_after_a_restart
        }
    };
}

pub(crate) fn start_memory() -> Bed {
    memory_bed(Faults::default())
}

fn memory_bed(faults: Faults) -> Bed {
    let start = move |topics: &[(String, u32)]| -> Arc<dyn Log> {
        let topics = topics.iter().map(|(name, partitions)| (name.as_str(), *partitions));
        Arc::new(Memory::new(topics, faults))
    };
    let powers = Powers { shows_commits_at_once: true, hands_over_what_is_left: false };
    Bed::new(powers, Box::new(start))
}

pub(crate) fn start_embedded() -> Bed {
    embedded_bed(|config| config)
}

/// The same engine, with segments and memory so small that everything is read from disk.
pub(crate) fn start_embedded_small() -> Bed {
    embedded_bed(|config| EmbeddedConfig {
        segment_bytes_max: 8 << 10,
        tail_bytes_max: 0,
        queue_bytes_max: 1 << 10,
        poll_messages_max: 3,
        poll_bytes_max: 100,
        tidy_every: Duration::from_millis(1),
        ..config
    })
}

fn embedded_bed(tune: fn(EmbeddedConfig) -> EmbeddedConfig) -> Bed {
    let directory = tempfile::tempdir().unwrap();
    let start = move |topics: &[(String, u32)]| -> Arc<dyn Log> {
        let topic = |(name, partitions): &(String, u32)| Topic {
            name: name.clone(),
            partitions: *partitions,
            keep: None,
        };
        let clock = Arc::new(|| Timestamp::from_micros(1));
        let config = EmbeddedConfig::new(directory.path(), topics.iter().map(topic), clock);
        let absence_max = Duration::from_millis(100);
        Arc::new(Embedded::open(tune(EmbeddedConfig { absence_max, ..config })).unwrap())
    };
    let powers = Powers { shows_commits_at_once: true, hands_over_what_is_left: true };
    Bed::new(powers, Box::new(start))
}

/// One broker for all cases: their topics and groups have names of their own.
static BROKER: LazyLock<Broker> =
    LazyLock::new(|| Broker::start(BrokerOptions::default()).unwrap());

pub(crate) fn start_kafka() -> Bed {
    let start = |topics: &[(String, u32)]| kafka(&BROKER.shared().bootstrap(), topics);
    let powers = Powers { shows_commits_at_once: false, hands_over_what_is_left: true };
    Bed::new(powers, Box::new(start))
}

fn kafka(bootstrap: &str, topics: &[(String, u32)]) -> Arc<dyn Log> {
    let details = |(name, partitions): &(String, u32)| TopicDetails {
        name: name.clone(),
        partitions: *partitions,
        keep: None,
        dated_by_log: false,
        message_bytes_max: 10_485_760,
    };
    let kafka = Kafka::new(KafkaConfig {
        transaction_timeout: Duration::from_secs(5),
        session_timeout: Duration::from_secs(3),
        call_timeout: Duration::from_secs(10),
        topics: topics.iter().map(|(name, _)| name.clone()).collect(),
        ..KafkaConfig::new(bootstrap)
    });
    let kafka = kafka.unwrap();
    kafka.create(&topics.iter().map(details).collect::<Vec<_>>(), 1).unwrap();
    Arc::new(kafka)
}

/// What the memory engine can be told to do to commits, a simulation must be able to survive.
#[test]
fn faults_of_the_memory_engine_lose_and_double_nothing() {
    let mut failed = 0;
    for seed in 0..300 {
        failed += pass_on_through_faults(&mut memory_bed(Faults {
            seed,
            answer_lost_per_mille: 150,
            commit_lost_per_mille: 150,
            visible_late_per_mille: 400,
        }));
    }
    assert!(failed > 300, "only {failed} commits failed");
}

/// The broker itself is killed and started again, where other engines only open their files anew.
#[test]
fn everything_is_there_after_a_restart_of_the_broker() {
    let (mut broker, mut starts) = (None, 0);
    let start = move |topics: &[(String, u32)]| -> Arc<dyn Log> {
        starts += 1;
        match &mut broker {
            None => broker = Some(Broker::start(BrokerOptions::default()).unwrap()),
            Some(broker) if starts == 2 => broker.restart().unwrap(),
            Some(_) => {}
        }
        let log = kafka(&broker.as_ref().unwrap().bootstrap(), topics);
        // A broker answers before it leads its partitions again.
        for (topic, partitions) in topics {
            for partition in 0..*partitions {
                eventually("a leader", || log.bounds(topic, partition).ok());
            }
        }
        log
    };
    let powers = Powers { shows_commits_at_once: false, hands_over_what_is_left: true };
    everything_is_there_after_a_restart(&mut Bed::new(powers, Box::new(start)));
}

suite!(memory, crate::start_memory);
suite!(kafka, crate::start_kafka, durable);
suite!(embedded, crate::start_embedded, durable);
mod small {
    suite!(embedded, crate::start_embedded_small, durable);
}
