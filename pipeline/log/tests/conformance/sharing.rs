//! How the members of a group share the partitions of a topic.

use std::collections::BTreeSet;
use std::time::Duration;

use drawdown_log::{Change, Next};

use super::bed::{Bed, IN_PARTITIONS, Passer, await_messages, decide, eventually, read_from_start};

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

pub(crate) fn a_revoked_partition_is_handed_over_when_it_is_released(bed: &mut Bed) {
    append(bed, 0, 8);
    let mut one = read_from_start(bed, "g", "in", "a");
    let read = await_messages(&mut *one, 8);
    let mut other = bed.join("g", "in", "b");
    let told = |change: Option<Change>| match change {
        Some(Change::Revoked(partitions)) => Some(partitions),
        _ => None,
    };
    let mut early = Vec::new();
    let revoked = eventually("a revocation", || {
        early.extend(other.poll(Duration::from_millis(1), &mut |_| ()).unwrap());
        told(one.poll(Duration::from_millis(1), &mut |_| ()).unwrap())
    });
    assert_eq!(revoked.len(), 2);
    for _ in 0..20 {
        early.extend(other.poll(Duration::from_millis(1), &mut |_| ()).unwrap());
    }
    assert_eq!(early, [], "nothing is assigned before it is released");
    // What was done with them may still be committed.
    let places: Vec<(u32, Next)> = revoked
        .iter()
        .map(|partition| {
            let last = read.iter().rfind(|read| read.partition == *partition).unwrap();
            (*partition, last.offset.next())
        })
        .collect();
    decide(&mut *one, bed.commit(&places, &[])).unwrap();
    one.release(&revoked).unwrap();
    let mut assigned = Vec::new();
    eventually("the assignment of what was released", || {
        one.poll(Duration::from_millis(1), &mut |_| ()).unwrap();
        if let Some(Change::Assigned(more)) =
            other.poll(Duration::from_millis(1), &mut |_| ()).unwrap()
        {
            assigned.extend(more);
        }
        (assigned.len() == revoked.len()).then_some(())
    });
    assigned.sort();
    assert_eq!(assigned, revoked);
    for (partition, next) in &places {
        assert_eq!(bed.committed("g", "in", *partition), Some(*next));
    }
    other.resume(&places.into_iter().collect()).unwrap();
    append(bed, 8, 8);
    let read = await_messages(&mut *other, 4);
    assert!(read.iter().all(|read| assigned.contains(&read.partition)));
    assert!(read.iter().all(|read| read.value.parse::<usize>().unwrap() >= 8));
    await_messages(&mut *one, 4);
}
