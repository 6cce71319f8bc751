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
    pub(crate) mod members;
    pub(crate) mod reading;
    pub(crate) mod sharing;
}

use std::sync::Arc;
use std::time::Duration;

use conformance::bed::{Bed, Powers};
use drawdown_domain::time::Timestamp;
use drawdown_log::embedded::{Embedded, EmbeddedConfig, Topic};
use drawdown_log::{Faults, Log, Memory};

/// One test for each case, on a log of its own.
macro_rules! cases {
    ($start:path, $module:ident: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                let mut bed = $start();
                if !bed.powers.gaps.contains(&stringify!($case)) {
                    $crate::conformance::$module::$case(&mut bed);
                }
            }
        )*
    };
}

macro_rules! suite {
    ($engine:ident, $start:path) => {
        mod $engine {
            cases! { $start, reading:
                messages_of_a_partition_come_in_their_order
                an_append_returns_where_to_go_on
                a_scan_keeps_to_its_bounds_and_stops_when_told
                bounds_enclose_the_messages
                truncated_messages_are_gone_and_the_others_stay
                empty_and_large_messages_come_as_they_went
                what_does_not_exist_is_named
                all_topics_are_listed
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
                what_many_members_commit_is_all_there_once
            }
            cases! { $start, members:
                a_member_reads_all_that_is_there_and_all_that_comes
                a_member_resumes_at_any_place
                a_waiting_member_is_woken
                a_former_instance_is_fenced
                what_a_fenced_member_left_undone_is_read_again
            }
            cases! { $start, sharing:
                two_members_share_and_each_message_is_processed_once
                members_come_and_go_and_each_message_is_processed_once
                an_instance_gets_its_partitions_back
                a_revoked_partition_is_handed_over_when_it_is_released
            }
        }
    };
    ($engine:ident, $start:path, durable) => {
        suite!($engine, $start);
        mod durable_cases {
            mod $engine {
                cases! { $start, durable:
                    everything_is_there_after_a_restart
                    offsets_go_on_after_a_restart_even_if_all_is_forgotten
                    positions_survive_any_number_of_restarts
                    commits_are_whole_after_a_restart
                }
            }
        }
    };
}

pub(crate) fn start_memory() -> Bed {
    let start = |topics: &[(String, u32)]| -> Arc<dyn Log> {
        let topics = topics.iter().map(|(name, partitions)| (name.as_str(), *partitions));
        Arc::new(Memory::new(topics, Faults::default()))
    };
    let powers = Powers {
        shows_commits_at_once: true,
        hands_over_what_is_left: false,
        gaps: &[
            // It applies a commit up to the append that names no partition.
            "a_commit_that_fails_reaches_nobody",
            // It assigns partitions that their former owner has not released.
            "a_revoked_partition_is_handed_over_when_it_is_released",
            // A member that resumes at the start of a truncated partition reads nothing.
            "truncated_messages_are_gone_and_the_others_stay",
        ],
    };
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
    let powers = Powers { shows_commits_at_once: true, ..Powers::default() };
    Bed::new(powers, Box::new(start))
}

suite!(memory, crate::start_memory);
suite!(embedded, crate::start_embedded, durable);
mod small {
    suite!(embedded, crate::start_embedded_small, durable);
}
