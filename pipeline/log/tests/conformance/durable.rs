//! What outlives the process.

use drawdown_log::Next;

use super::bed::{Bed, IN_PARTITIONS, OUT_PARTITIONS, await_messages, decide, read_from_start};

pub(crate) fn everything_is_there_after_a_restart(bed: &mut Bed) {
    let mut places = Vec::new();
    for number in 0..50 {
        places.push(bed.append("in", number % IN_PARTITIONS, &[&format!("{number}"), ""]));
    }
    let mut member = read_from_start(bed, "g", "in", "a");
    decide(&mut *member, bed.commit(&[(1, places[1])], &[("out", 3, "x"), ("lone", 0, "y")]))
        .unwrap();
    drop(member);
    bed.log().truncate(&bed.name("in"), 2, places[10]).unwrap();
    let cut = places[10];
    let all = |bed: &Bed| {
        let of = |(topic, partitions): (&'static str, u32)| {
            (0..partitions).map(move |partition| (topic, partition)).collect::<Vec<_>>()
        };
        let places = [("in", IN_PARTITIONS), ("out", OUT_PARTITIONS), ("lone", 1)];
        let places = places.into_iter().flat_map(of);
        let messages: Vec<_> = places
            .map(|(topic, partition)| {
                let bounds = bed.log().bounds(&bed.name(topic), partition).unwrap();
                // What was forgotten may be there again after a crash.
                let from = if (topic, partition) == ("in", 2) { cut } else { Next::START };
                let (found, _) = bed.scan_between(topic, partition, from, Next(i64::MAX));
                (found, bounds.stable, bounds.end)
            })
            .collect();
        let committed = |partition| bed.committed("g", "in", partition);
        (messages, (0..IN_PARTITIONS).map(committed).collect::<Vec<_>>())
    };
    let before = all(bed);
    assert_eq!(bed.values("in", 0).len(), 26);
    bed.restart();
    assert_eq!(all(bed), before);
    bed.restart();
    assert_eq!(all(bed), before);
    let mut member = read_from_start(bed, "g", "in", "a");
    let kept: usize = (0..IN_PARTITIONS).map(|partition| bed.values("in", partition).len()).sum();
    await_messages(&mut *member, kept);
}

pub(crate) fn offsets_go_on_after_a_restart_even_if_all_is_forgotten(bed: &mut Bed) {
    let next = bed.append("lone", 0, &["a", "b", "c"]);
    bed.log().truncate(&bed.name("lone"), 0, next).unwrap();
    assert!(bed.values("lone", 0).is_empty());
    bed.restart();
    assert!(bed.values("lone", 0).is_empty());
    assert!(bed.log().bounds(&bed.name("lone"), 0).unwrap().stable >= next);
    bed.append("lone", 0, &["d"]);
    bed.await_values("lone", 0, 1);
    let (found, _) = bed.scan_between("lone", 0, next, Next(i64::MAX));
    assert_eq!(found.len(), 1, "no offset is given twice");
}

pub(crate) fn positions_survive_any_number_of_restarts(bed: &mut Bed) {
    for round in 0..5 {
        let next = bed.append("in", 0, &["x"]);
        let mut member = read_from_start(bed, "g", "in", "a");
        decide(&mut *member, bed.commit(&[(0, next), (3, Next(round))], &[])).unwrap();
        drop(member);
        bed.restart();
        assert_eq!(bed.committed("g", "in", 0), Some(next));
        assert_eq!(bed.committed("g", "in", 3), Some(Next(round)));
        assert_eq!(bed.committed("g", "in", 1), None);
    }
}

/// Some commits are decided, the last one may be or not: it is there with all it said, or not. Whoever
/// looks has joined first, so that nothing of the former self can come any more.
pub(crate) fn commits_are_whole_after_a_restart(bed: &mut Bed) {
    let mut member = read_from_start(bed, "g", "in", "a");
    for round in 0..6_i64 {
        let value = round.to_string();
        let appends: Vec<(&str, u32, &str)> =
            (0..OUT_PARTITIONS).map(|partition| ("out", partition, value.as_str())).collect();
        member.commit(bed.commit(&[(0, Next(round))], &appends)).unwrap();
        drop(member);
        bed.restart();
        member = read_from_start(bed, "g", "in", "a");
        let took_place = bed.committed("g", "in", 0) == Some(Next(round));
        for partition in 0..OUT_PARTITIONS {
            let there = bed.read_decided("out", partition).iter().any(|read| read.value == value);
            assert_eq!(there, took_place, "{round} in {partition} does not fit the position");
        }
    }
}
