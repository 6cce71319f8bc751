//! How the members of a group share the partitions of a topic.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drawdown_log::{Change, Commit, Next};

use super::bed::{Bed, IN_PARTITIONS, Passer, await_messages, decide, eventually, read_from_start};

/// Just long enough for an engine to notice what has happened.
const SHORT: Duration = Duration::from_millis(1);

/// Appends so many messages, each with its number, beginning at `first`.
fn append(bed: &Bed, first: usize, count: usize) {
    for number in first..first + count {
        bed.append("in", number as u32 % IN_PARTITIONS, &[&format!("{number}")]);
    }
}

fn passed_on(bed: &Bed) -> Vec<String> {
    (0..IN_PARTITIONS).flat_map(|partition| bed.values("out", partition)).collect()
}

/// All messages came out, each once, in the order of its partition.
fn check_passed_on(bed: &Bed, count: usize) {
    for partition in 0..IN_PARTITIONS {
        let of = |number: &usize| *number as u32 % IN_PARTITIONS == partition;
        let expected: Vec<String> =
            (0..count).filter(of).map(|number| number.to_string()).collect();
        assert_eq!(bed.values("out", partition), expected, "partition {partition}");
    }
}

/// Gives each a turn until so many messages came out.
fn run_until(bed: &Bed, passers: &mut [Passer<'_>], count: usize) {
    eventually(&format!("{count} messages passed on"), || {
        passers.iter_mut().for_each(Passer::turn);
        (passed_on(bed).len() >= count).then_some(())
    });
}

/// Gives each a turn until they own so many partitions each.
fn run_until_shared(passers: &mut [Passer<'_>], counts: &[usize]) {
    eventually(&format!("{counts:?} partitions each"), || {
        passers.iter_mut().for_each(Passer::turn);
        let owned: Vec<usize> = passers.iter().map(|passer| passer.owned.len()).collect();
        (owned == counts).then_some(())
    });
    let all: BTreeSet<u32> =
        passers.iter().flat_map(|passer| passer.owned.keys().copied()).collect();
    assert_eq!(all.len(), IN_PARTITIONS as usize, "no partition has two owners");
}

pub(crate) fn two_members_share_and_each_message_is_processed_once(bed: &mut Bed) {
    append(bed, 0, 40);
    let mut passers = vec![Passer::join(bed, "g", "a")];
    run_until(bed, &mut passers, 10);
    passers.push(Passer::join(bed, "g", "b"));
    run_until_shared(&mut passers, &[2, 2]);
    append(bed, 40, 40);
    run_until(bed, &mut passers, 80);
    append(bed, 80, 1);
    run_until(bed, &mut passers, 81);
    check_passed_on(bed, 81);
}

pub(crate) fn members_come_and_go_and_each_message_is_processed_once(bed: &mut Bed) {
    let mut passers = vec![Passer::join(bed, "g", "a"), Passer::join(bed, "g", "b")];
    run_until_shared(&mut passers, &[2, 2]);
    append(bed, 0, 40);
    run_until(bed, &mut passers, 20);
    passers.push(Passer::join(bed, "g", "c"));
    eventually("a share for the third", || {
        passers.iter_mut().for_each(Passer::turn);
        let owned: Vec<usize> = passers.iter().map(|passer| passer.owned.len()).collect();
        (owned.iter().sum::<usize>() == 4 && owned[2] > 0).then_some(())
    });
    append(bed, 40, 40);
    run_until(bed, &mut passers, 80);
    passers.truncate(1);
    if bed.powers.hands_over_what_is_left {
        run_until_shared(&mut passers, &[4]);
    } else {
        passers.extend([Passer::join(bed, "g", "b"), Passer::join(bed, "g", "c")]);
    }
    append(bed, 80, 40);
    run_until(bed, &mut passers, 120);
    check_passed_on(bed, 120);
}

pub(crate) fn an_instance_gets_its_partitions_back(bed: &mut Bed) {
    let mut passers = vec![Passer::join(bed, "g", "a"), Passer::join(bed, "g", "b")];
    run_until_shared(&mut passers, &[2, 2]);
    let own: Vec<u32> = passers[1].owned.keys().copied().collect();
    let others: Vec<u32> = passers[0].owned.keys().copied().collect();
    passers.truncate(1);
    passers.push(Passer::join(bed, "g", "b"));
    append(bed, 0, 40);
    run_until(bed, &mut passers, 40);
    assert_eq!(passers[1].owned.keys().copied().collect::<Vec<u32>>(), own);
    assert_eq!(passers[0].owned.keys().copied().collect::<Vec<u32>>(), others);
    check_passed_on(bed, 40);
}

/// An engine may take back more than it gives to others: it assigns the rest anew.
pub(crate) fn a_revoked_partition_is_handed_over_when_it_is_released(bed: &mut Bed) {
    append(bed, 0, 8);
    let mut one = read_from_start(bed, "g", "in", "a");
    let read = await_messages(&mut *one, 8);
    let mut other = bed.join("g", "in", "b");
    let mut early = Vec::new();
    let revoked = eventually("a revocation", || {
        early.extend(other.poll(SHORT, &mut |_| ()).unwrap());
        match one.poll(SHORT, &mut |_| ()).unwrap() {
            Some(Change::Revoked(partitions)) => Some(partitions),
            _ => None,
        }
    });
    assert!(revoked.len() >= 2, "{revoked:?}");
    for _ in 0..20 {
        early.extend(other.poll(SHORT, &mut |_| ()).unwrap());
    }
    assert_eq!(early, [], "nothing is assigned before it is released");
    // What was done with them may still be committed.
    let last = |partition: &u32| read.iter().rfind(|read| read.partition == *partition).unwrap();
    let places: BTreeMap<u32, Next> =
        revoked.iter().map(|own| (*own, last(own).offset.next())).collect();
    decide(&mut *one, Commit { read: places.clone(), appends: Vec::new() }).unwrap();
    one.release(&revoked).unwrap();
    let mut kept: BTreeSet<u32> = (0..IN_PARTITIONS).filter(|own| !revoked.contains(own)).collect();
    let mut handed_over = BTreeSet::new();
    eventually("an owner for each partition", || {
        for (member, owned) in [(&mut one, &mut kept), (&mut other, &mut handed_over)] {
            if let Some(change) = member.poll(SHORT, &mut |_| ()).unwrap() {
                let Change::Assigned(more) = change else { panic!("{change:?}") };
                let place = |own: &u32| (*own, bed.committed("g", "in", *own).unwrap());
                assert!(more.iter().all(|own| place(own).1 == places[own]));
                member.resume(&more.iter().map(place).collect()).unwrap();
                owned.extend(more);
            }
        }
        (kept.len() + handed_over.len() == IN_PARTITIONS as usize).then_some(())
    });
    assert_eq!((kept.len(), handed_over.len()), (2, 2));
    assert!(kept.is_disjoint(&handed_over));
    append(bed, 8, 8);
    for (member, owned) in [(&mut one, kept), (&mut other, handed_over)] {
        let read = await_messages(&mut **member, 4);
        assert!(read.iter().all(|read| owned.contains(&read.partition)));
        assert!(read.iter().all(|read| read.value.parse::<usize>().unwrap() >= 8));
    }
}
