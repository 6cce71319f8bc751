//! What appending and scanning promise.

use drawdown_domain::time::Timestamp;
use drawdown_log::{Commit, Error, Next, Offset};

use super::bed::{Bed, decide, eventually, read_from_start};

fn sorted(found: &[(Offset, String)]) -> bool {
    found.is_sorted_by(|(one, _), (other, _)| one < other)
}

pub(crate) fn messages_of_a_partition_come_in_their_order(bed: &mut Bed) {
    let mut expected = [Vec::new(), Vec::new()];
    for round in 0..50 {
        for (partition, expected) in (0..).zip(&mut expected) {
            let values: Vec<String> =
                (0..round % 4).map(|value| format!("{partition}-{round}-{value}")).collect();
            let borrowed: Vec<&str> = values.iter().map(String::as_str).collect();
            bed.append("in", partition, &borrowed);
            expected.extend(values);
        }
    }
    for (partition, expected) in (0..).zip(&expected) {
        assert_eq!(bed.await_values("in", partition, expected.len()), *expected);
        assert!(sorted(&bed.scan("in", partition)));
    }
    assert!(bed.values("in", 2).is_empty());
}

pub(crate) fn an_append_returns_where_to_go_on(bed: &mut Bed) {
    let behind_two = bed.append("lone", 0, &["a", "b"]);
    let behind_three = bed.append("lone", 0, &["c"]);
    bed.await_values("lone", 0, 3);
    let values = |from| {
        let (found, _) = bed.scan_between("lone", 0, from, Next(i64::MAX));
        found.into_iter().map(|(_, value)| value).collect::<Vec<String>>()
    };
    assert_eq!(values(behind_two), ["c"]);
    assert!(values(behind_three).is_empty());
    assert_eq!(bed.append("lone", 0, &[]), behind_three, "nothing moves nothing");
}

pub(crate) fn a_scan_keeps_to_its_bounds_and_stops_when_told(bed: &mut Bed) {
    for value in 0..20 {
        bed.append("lone", 0, &[&format!("{value}")]);
    }
    bed.await_values("lone", 0, 20);
    let all = bed.scan("lone", 0);
    for from in 0..all.len() {
        for until in from..all.len() {
            let (first, end) = (all[from].0, all[until].0);
            let (found, stopped) = bed.scan_between("lone", 0, Next(first.0), Next(end.0));
            assert_eq!(found, all[from..until]);
            let (rest, _) = bed.scan_between("lone", 0, stopped, Next(i64::MAX));
            assert_eq!(rest, all[until..], "a scan goes on where another stopped");
        }
    }
    for count in 1..all.len() {
        let mut seen = 0;
        let (from, until) = (Next::START, Next(i64::MAX));
        let stopped = bed.log().scan(&bed.name("lone"), 0, from, until, &mut |_| {
            seen += 1;
            seen < count
        });
        assert_eq!(seen, count);
        let (rest, _) = bed.scan_between("lone", 0, stopped.unwrap(), until);
        assert_eq!(rest, all[count..], "what the visitor saw is not shown again");
    }
}

pub(crate) fn bounds_enclose_the_messages(bed: &mut Bed) {
    let bounds = |partition| bed.log().bounds(&bed.name("in"), partition).unwrap();
    let empty = bounds(0);
    assert_eq!((empty.first, empty.stable), (empty.end, empty.end));
    let next = bed.append("in", 0, &["a", "b", "c"]);
    let bounds = eventually("the messages within the bounds", || {
        let bounds = bounds(0);
        (bounds.stable >= next).then_some(bounds)
    });
    assert!(bounds.first < next && bounds.stable <= bounds.end);
    let found = bed.scan("in", 0);
    assert!(
        found.iter().all(|(offset, _)| bounds.first.0 <= offset.0 && offset.0 < bounds.stable.0)
    );
}

pub(crate) fn truncated_messages_are_gone_and_the_others_stay(bed: &mut Bed) {
    let mut places = Vec::new();
    for value in 0..10 {
        places.push(bed.append("in", 1, &[&format!("{value}")]));
        bed.append("in", 2, &["other"]);
    }
    bed.await_values("in", 1, 10);
    let topic = bed.name("in");
    for (before, expected) in [(places[3], 4..10), (places[1], 4..10), (places[8], 9..10)] {
        bed.log().truncate(&topic, 1, before).unwrap();
        let expected: Vec<String> = expected.map(|value| value.to_string()).collect();
        eventually("only the messages behind the cut", || {
            (bed.values("in", 1) == expected).then_some(())
        });
        let first = bed.log().bounds(&topic, 1).unwrap().first;
        assert!(first >= before);
    }
    assert_eq!(bed.values("in", 2).len(), 10, "other partitions are not touched");
    let mut member = read_from_start(bed, "truncated", "in", "a");
    let mut seen = Vec::new();
    eventually("the kept messages", || {
        let collect = &mut |messages: &[drawdown_log::Message<'_>]| {
            seen.extend(messages.iter().map(|message| (message.partition, message.offset)));
        };
        member.poll(std::time::Duration::from_millis(20), collect).unwrap();
        (seen.len() >= 11).then_some(())
    });
    assert_eq!(seen.iter().filter(|(partition, _)| *partition == 1).count(), 1);
}

pub(crate) fn empty_and_large_messages_come_as_they_went(bed: &mut Bed) {
    let sizes = [0, 1, 1 << 20, 0, 65_536, (1 << 20) - 1, 7];
    let values: Vec<Vec<u8>> = (0..)
        .zip(sizes)
        .map(|(number, size)| (0..size).map(|byte| (byte * 31 + number) as u8).collect())
        .collect();
    for value in &values {
        let at = Timestamp::from_micros(1);
        bed.log().append(&bed.name("lone"), 0, at, &[value]).unwrap();
    }
    let mut member = read_from_start(bed, "large", "lone", "a");
    let mut commit = Commit::default();
    commit.read.insert(0, Next::START);
    for value in &values {
        let (topic, value) = (bed.name("out"), value.clone());
        commit.appends.push(drawdown_log::Append { topic, partition: 5, value });
    }
    decide(&mut *member, commit).unwrap();
    for (topic, partition) in [("lone", 0), ("out", 5)] {
        eventually("all values as they went", || {
            let mut found = Vec::new();
            let (from, until) = (Next::START, Next(i64::MAX));
            let scanned =
                bed.log().scan(&bed.name(topic), partition, from, until, &mut |message| {
                    found.push(message.value.to_vec());
                    true
                });
            scanned.unwrap();
            (found.len() == values.len()).then(|| assert!(found == values, "{topic}"))
        });
    }
    let mut found = Vec::new();
    eventually("all values in polls", || {
        let collect = &mut |messages: &[drawdown_log::Message<'_>]| {
            found.extend(messages.iter().map(|message| message.value.to_vec()));
        };
        member.poll(std::time::Duration::from_millis(20), collect).unwrap();
        (found.len() == values.len()).then(|| assert!(found == values))
    });
}

pub(crate) fn what_does_not_exist_is_named(bed: &mut Bed) {
    let check = |what: &str, result: Result<(), Error>| {
        let why = result.expect_err(what).to_string();
        assert!(why.contains("nowhere") || why.contains("99"), "{what}: {why}");
    };
    let (log, lone, at) = (bed.log(), bed.name("lone"), Timestamp::from_micros(1));
    let nowhere = bed.name("nowhere");
    for (topic, partition) in [(&nowhere, 0), (&lone, 99)] {
        check("append", log.append(topic, partition, at, &[b"x"]).map(|_| ()));
        check("bounds", log.bounds(topic, partition).map(|_| ()));
        check("truncate", log.truncate(topic, partition, Next(1)));
        let scanned = log.scan(topic, partition, Next::START, Next(9), &mut |_| true);
        check("scan", scanned.map(|_| ()));
    }
    check("join", bed.try_join("g", "nowhere", "a").map(|_| ()));
}

pub(crate) fn partitions_are_told(bed: &mut Bed) {
    for (topic, count) in bed.topics() {
        assert_eq!(bed.log().partitions(topic).unwrap(), *count, "{topic}");
    }
    assert_eq!(bed.log().partitions("nowhere").unwrap(), 0);
}
