//! What may stand on a machine when a partition comes: all of it, some, none, damaged or another one's.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use drawdown_domain::time::Timestamp;
use drawdown_log::{Faults, Log, Memory, Next};
use drawdown_runtime::Stop;

use super::rig_tests::{KEY, Rig, TABLE_MAX, TOPIC, noon, options, told};
use super::*;

/// How many messages of the topic a restart reads: those that are gone are not missed.
fn needs_only_the_tail(rig: &mut Rig) -> bool {
    let end = rig.log.bounds(TOPIC, 1).unwrap().end;
    rig.log.truncate(TOPIC, 1, Next(end.0 - 4)).unwrap();
    rig.restart().is_ok()
}

#[test]
fn a_restart_reads_only_what_the_runs_do_not_hold() {
    let mut rig = Rig::new(false);
    rig.fill(0..400);
    assert!(rig.identities.fill().runs > 0);
    assert!(needs_only_the_tail(&mut rig));
    rig.check();
    assert!(rig.identities.fill().in_tables < 20);
}

#[test]
fn the_topic_alone_gives_the_same_answers() {
    let mut rig = Rig::new(false);
    rig.fill(0..400);
    rig.forget_before(120);
    rig.step(false);
    rig.rest();
    let expected = rig.identities.reached();
    fs::remove_dir_all(rig.files()).unwrap();
    rig.restart().unwrap();
    assert_eq!(rig.identities.reached(), expected);
    rig.check();
}

#[test]
fn a_flipped_bit_or_a_torn_file_is_found_and_rebuilt() {
    let mut rig = Rig::new(false);
    rig.fill(0..300);
    let files = rig.copy();
    assert!(files.len() >= 2);
    for (path, contents) in &files {
        let places = (0..contents.len()).step_by(contents.len().div_ceil(16));
        for place in places {
            let mut flipped = contents.clone();
            flipped[place] ^= 1;
            for damaged in [&flipped[..], &contents[..place]] {
                rig.put_back(&files);
                fs::write(path, damaged).unwrap();
                rig.restart().unwrap();
                rig.check();
            }
        }
        rig.put_back(&files);
        fs::remove_file(path).unwrap();
        rig.restart().unwrap();
        rig.check();
    }
}

#[test]
fn what_a_crash_left_behind_is_deleted() {
    let mut rig = Rig::new(false);
    rig.fill(0..100);
    let known = rig.file_names();
    for name in ["000000000900.run", "000000000901.run.new", "catalogue.new"] {
        fs::write(rig.files().join(name), b"half").unwrap();
    }
    rig.restart().unwrap();
    assert_eq!(rig.file_names(), known);
    rig.check();
}

#[test]
fn files_of_an_earlier_owner_are_gone_on_from() {
    let mut rig = Rig::new(false);
    rig.fill(0..100);
    let files = rig.copy();
    rig.fill(100..300);
    rig.put_back(&files);
    rig.restart().unwrap();
    rig.check();
    rig.fill(300..400);
    rig.restart().unwrap();
    rig.check();
}

#[test]
fn files_of_another_history_are_not_used() {
    let mut rig = Rig::new(false);
    rig.fill(0..100);
    let files = rig.copy();
    let mut other = Rig::new(false);
    // The same number of identities, and later more: others.
    other.fill(1_000..1_250);
    let files: Vec<_> = files
        .into_iter()
        .map(|(path, bytes)| (other.files().join(path.file_name().unwrap()), bytes))
        .collect();
    other.put_back(&files);
    other.restart().unwrap();
    other.check();
    assert_eq!(other.identities.find(told(5, 0).identity).unwrap(), None);
}

#[test]
fn files_ahead_of_the_state_are_refused_by_name() {
    let mut rig = Rig::new(false);
    rig.fill(0..50);
    let before = rig.committed.clone();
    rig.fill(50..100);
    rig.committed = before;
    match rig.restart() {
        Err(Stop::Broken(why)) => assert!(why.contains("the log was lost"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(rig.files().join("catalogue").exists());
}

/// A broker that dies may take the last commit back: files that held it would then be refused.
#[test]
fn files_hold_nothing_of_the_last_step() {
    let mut rig = Rig::new(false);
    for number in 0..TABLE_MAX as u64 {
        rig.record(number, 0, 100);
    }
    rig.step(false);
    rig.rest();
    assert!(rig.identities.runs.is_empty());
    rig.step(false);
    rig.rest();
    assert_eq!(rig.identities.runs.len(), 1);
    rig.check();
}

#[test]
fn files_of_another_installation_or_partition_are_refused_and_left_alone() {
    let mut rig = Rig::new(false);
    rig.fill(0..100);
    let (log, position) = (rig.log.clone(), rig.identities.reached());
    let folder = &rig.folder;
    drop(rig.identities);
    let restore = |key: &[u8; 16], partition| {
        let shelves = Arc::new(Shelves::new(options(Some(folder.path().to_owned())), key));
        Identities::new(shelves, partition).restore(&log, TOPIC, position)
    };
    assert!(matches!(restore(&[8; 16], 1), Err(Stop::Broken(_))));
    let (own, other) = (folder.path().join("1"), folder.path().join("0"));
    fs::rename(&own, &other).unwrap();
    assert!(matches!(restore(&KEY, 0), Err(Stop::Broken(_))));
    fs::rename(&other, &own).unwrap();
    assert!(restore(&KEY, 1).is_ok());
}

#[test]
fn a_gap_in_the_topic_is_never_passed_over() {
    let mut rig = Rig::new(true);
    rig.fill(0..60);
    let mut values = Vec::new();
    let end = rig.log.bounds(TOPIC, 1).unwrap().end;
    rig.log
        .scan(TOPIC, 1, Next::START, end, &mut |message| {
            values.push(message.value.to_vec());
            true
        })
        .unwrap();
    for lost in 0..values.len() {
        rig.log = Memory::new([(TOPIC, 2)], Faults::default());
        for (_, value) in values.iter().enumerate().filter(|(place, _)| *place != lost) {
            rig.log.append(TOPIC, 1, Timestamp::START, &[value]).unwrap();
        }
        assert!(matches!(rig.restart(), Err(Stop::Broken(_))), "{lost}");
    }
}

#[test]
fn what_the_topic_deleted_for_its_age_is_not_missed() {
    let mut rig = Rig::new(true);
    rig.fill(0..100);
    rig.forget_before(106);
    rig.step(false);
    for first in [15, i64::MAX] {
        let end = rig.log.bounds(TOPIC, 1).unwrap().end;
        rig.log.truncate(TOPIC, 1, Next(first.min(end.0))).unwrap();
        if first == i64::MAX {
            rig.forget_before(200);
            rig.step(false);
        }
        rig.restart().unwrap();
        rig.check();
    }
    rig.fill(100..140);
    rig.restart().unwrap();
    rig.check();
}

/// Waits until the thread had its chance, at most for as long as no test should take.
fn wait_for(identities: &mut Identities, is_so: impl Fn(&Identities) -> bool) {
    let begun = Instant::now();
    while !is_so(identities) {
        identities.settle().unwrap();
        assert!(begun.elapsed().as_secs() < 30);
        std::thread::yield_now();
    }
}

#[test]
fn while_nothing_can_be_written_it_goes_on_in_memory_up_to_a_bound() {
    let mut rig = Rig::new(false);
    rig.fill(0..40);
    let hidden = rig.folder.path().join("hidden");
    fs::rename(rig.files(), &hidden).unwrap();
    let mut number = 40;
    while rig.identities.full().is_none() {
        rig.record(number, 1, 130);
        rig.step(false);
        number += 1;
    }
    assert!(rig.identities.full().unwrap().starts_with("identities_waiting"));
    assert!(number < 40 + 100);
    rig.check();
    fs::rename(&hidden, rig.files()).unwrap();
    wait_for(&mut rig.identities, |own| own.aside.is_none());
    assert_eq!(rig.identities.full(), None);
    rig.check();
    rig.restart().unwrap();
    rig.check();
}

/// The log cannot say where it stands, or a table grows while another is written: nobody takes records any more, so it asks
/// for commits itself.
#[test]
fn it_asks_for_commits_until_all_that_is_in_the_way_is_written() {
    let mut rig = Rig::new(false);
    let most = 8 * TABLE_MAX as u64;
    for number in 0..most {
        rig.record(number, 1, 130);
    }
    rig.step(false);
    rig.identities.aside.as_mut().unwrap().next = None;
    assert!(rig.identities.waits_for_a_commit());
    for number in most..3 * most {
        rig.record(number, 1, 130);
    }
    rig.step(false);
    let mut commits = 0;
    while rig.identities.full().is_some() {
        rig.rest();
        assert_eq!(rig.identities.waits_for_a_commit(), rig.identities.full().is_some());
        rig.step(false);
        commits += 1;
    }
    assert!(commits > 2, "{commits} commits");
    assert!(!rig.identities.waits_for_a_commit());
    rig.check();
}

#[test]
fn capacity_is_that_of_the_process_and_is_given_back() {
    let options = IdentityOptions { identities_max: 20, ..options(None) };
    let shelves = Arc::new(Shelves::new(options, &KEY));
    let log = Memory::new([(TOPIC, 2)], Faults::default());
    let mut own = [0, 1].map(|partition| Identities::new(shelves.clone(), partition));
    for identities in &mut own {
        identities.restore(&log, TOPIC, Position::default()).unwrap();
        for number in 0..10 {
            assert_eq!(identities.full(), None);
            identities.remember(told(number, 0), noon(10), 1, 0);
        }
        identities.take_packed();
    }
    assert_eq!(own[0].fill().remembered, 20);
    assert!(own[0].full().unwrap().starts_with("identities_full"));
    let [first, second] = own;
    drop(second);
    assert_eq!((first.full(), first.fill().remembered), (None, 10));
}

#[test]
fn a_second_process_with_the_same_directory_keeps_to_memory() {
    let mut rig = Rig::new(false);
    rig.fill(0..50);
    let files = rig.copy();
    let shelves = Arc::new(Shelves::new(options(Some(rig.folder.path().to_owned())), &KEY));
    let mut second = Identities::new(shelves, 1);
    second.restore(&rig.log, TOPIC, rig.identities.reached()).unwrap();
    for number in 0..50 {
        let identity = told(number, 0).identity;
        assert_eq!(second.find(identity).unwrap(), rig.identities.find(identity).unwrap());
    }
    assert_eq!(rig.copy(), files);
}
