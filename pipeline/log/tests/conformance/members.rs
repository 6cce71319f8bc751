//! What a member alone in its group can rely on.

use std::thread;
use std::time::{Duration, Instant};

use drawdown_log::{Error, Next};

use super::bed::{
    Bed, IN_PARTITIONS, Read, await_assigned, await_messages, decide, eventually, read_from_start,
};

/// The messages of each partition in the order in which they came.
fn by_partition(read: &[Read]) -> Vec<Vec<&Read>> {
    let of = |partition| read.iter().filter(|read| read.partition == partition).collect();
    (0..IN_PARTITIONS).map(of).collect()
}

pub(crate) fn a_member_reads_all_that_is_there_and_all_that_comes(bed: &mut Bed) {
    for number in 0..40 {
        bed.append("in", number % IN_PARTITIONS, &[&format!("{number}"), "again"]);
    }
    let mut member = bed.join("g", "in", "a");
    let mut assigned = await_assigned(&mut *member);
    assigned.sort();
    assert_eq!(assigned, (0..IN_PARTITIONS).collect::<Vec<u32>>());
    let places = assigned.into_iter().map(|partition| (partition, Next::START)).collect();
    member.resume(&places).unwrap();
    let mut read = await_messages(&mut *member, 80);
    for number in 40..60 {
        bed.append("in", number % IN_PARTITIONS, &[&format!("{number}"), "again"]);
    }
    read.extend(await_messages(&mut *member, 40));
    assert_eq!(read.len(), 120);
    for (partition, own) in (0..).zip(by_partition(&read)) {
        let found: Vec<_> = own.iter().map(|read| (read.offset, read.value.clone())).collect();
        assert_eq!(found, bed.scan("in", partition), "polls and scans show the same");
        assert_eq!(found.len(), 30);
    }
}

pub(crate) fn a_member_resumes_at_any_place(bed: &mut Bed) {
    for number in 0..12 {
        bed.append("lone", 0, &[&format!("{number}")]);
    }
    bed.await_values("lone", 0, 12);
    let all = bed.scan("lone", 0);
    for (number, (offset, _)) in all.iter().enumerate() {
        let mut member = bed.join(&format!("g{number}"), "lone", "a");
        assert_eq!(await_assigned(&mut *member), [0]);
        member.resume(&[(0, Next(offset.0))].into()).unwrap();
        let read = await_messages(&mut *member, all.len() - number);
        let found: Vec<_> = read.into_iter().map(|read| (read.offset, read.value)).collect();
        assert_eq!(found, all[number..]);
    }
    // Behind the last message nothing is shown until something comes.
    let end = all.last().unwrap().0.next();
    let mut member = bed.join("end", "lone", "a");
    await_assigned(&mut *member);
    member.resume(&[(0, end)].into()).unwrap();
    bed.append("lone", 0, &["new"]);
    let read = await_messages(&mut *member, 1);
    assert_eq!(read[0].value, "new");
}

pub(crate) fn a_member_goes_back_while_it_reads(bed: &mut Bed) {
    for number in 0..40 {
        bed.append("in", number % IN_PARTITIONS, &[&format!("{number}")]);
    }
    let mut member = read_from_start(bed, "g", "in", "a");
    await_messages(&mut *member, 40);
    let all = bed.scan("in", 1);
    for (back, (offset, _)) in all.iter().enumerate() {
        member.resume(&[(1, Next(offset.0)), (2, Next::START)].into()).unwrap();
        let read = await_messages(&mut *member, all.len() - back + 10);
        let of = |partition| read.iter().filter(move |read| read.partition == partition);
        let found: Vec<_> = of(1).map(|read| (read.offset, read.value.clone())).collect();
        assert_eq!(found, all[back..]);
        assert_eq!(of(2).count(), 10);
    }
    // The others are read on.
    for partition in 0..IN_PARTITIONS {
        bed.append("in", partition, &["new"]);
    }
    let read = await_messages(&mut *member, IN_PARTITIONS as usize);
    assert!(read.iter().all(|read| read.value == "new"), "{read:?}");
}

pub(crate) fn a_waiting_member_is_woken(bed: &mut Bed) {
    let mut member = read_from_start(bed, "g", "lone", "a");
    let wait = Duration::from_secs(30);
    let (log, topic) = (bed.log(), bed.name("lone"));
    for number in 0..20_u8 {
        let began = Instant::now();
        thread::scope(|scope| {
            let at = drawdown_domain::time::Timestamp::from_micros(1);
            let topic = &topic;
            let append = move || log.append(topic, 0, at, &[&[number]]).unwrap();
            let appending = scope.spawn(append);
            let mut seen = Vec::new();
            eventually("the message", || {
                member
                    .poll(wait, &mut |messages| {
                        seen.extend(messages.iter().map(|message| message.value.to_vec()));
                    })
                    .unwrap();
                (!seen.is_empty()).then_some(())
            });
            assert_eq!(seen, [[number]]);
            appending.join().unwrap();
        });
        assert!(began.elapsed() < wait, "the poll waited though there was a message");
    }
}

pub(crate) fn a_former_instance_is_fenced(bed: &mut Bed) {
    let next = bed.append("in", 0, &["x"]);
    let mut former = read_from_start(bed, "g", "in", "a");
    decide(&mut *former, bed.commit(&[(0, Next::START)], &[])).unwrap();
    let mut present = read_from_start(bed, "g", "in", "a");
    let fenced = decide(&mut *former, bed.commit(&[(0, next)], &[("out", 0, "former")]));
    let fenced = fenced.expect_err("the former instance committed");
    assert!(matches!(fenced, Error::Fenced(_) | Error::Uncommitted(_)), "{fenced}");
    assert_eq!(bed.committed("g", "in", 0), Some(Next::START));
    decide(&mut *present, bed.commit(&[(0, next)], &[("out", 0, "present")])).unwrap();
    assert_eq!(bed.await_values("out", 0, 1), ["present"]);
    // That the former one goes does not disturb the present one.
    drop(former);
    decide(&mut *present, bed.commit(&[(0, next)], &[("out", 0, "later")])).unwrap();
    assert_eq!(bed.await_marker("out", 0), ["present", "later"]);
    assert_eq!(bed.committed("g", "in", 0), Some(next));
}

pub(crate) fn what_a_fenced_member_left_undone_is_read_again(bed: &mut Bed) {
    bed.append("lone", 0, &["a", "b", "c", "d"]);
    let mut former = read_from_start(bed, "g", "lone", "a");
    let read = await_messages(&mut *former, 4);
    decide(&mut *former, bed.commit(&[(0, read[1].offset.next())], &[])).unwrap();
    let mut present = bed.join("g", "lone", "a");
    assert_eq!(await_assigned(&mut *present), [0]);
    let place = bed.committed("g", "lone", 0).unwrap();
    present.resume(&[(0, place)].into()).unwrap();
    assert_eq!(await_messages(&mut *present, 2), read[2..]);
}

/// Messages were forgotten that the group has not read: going on behind them would lose them in
/// silence.
pub(crate) fn a_member_is_stopped_before_it_skips_what_is_forgotten(bed: &mut Bed) {
    let first = bed.append("lone", 0, &["a", "b"]);
    let kept = bed.append("lone", 0, &["c", "d"]);
    bed.append("lone", 0, &["e"]);
    bed.await_values("lone", 0, 5);
    bed.log().truncate(&bed.name("lone"), 0, kept).unwrap();
    let mut member = bed.join("g", "lone", "a");
    await_assigned(&mut *member);
    member.resume(&[(0, first)].into()).unwrap();
    let stopped = eventually("a reason", || {
        member.poll(Duration::from_millis(20), &mut |read| panic!("skipped to {read:?}")).err()
    });
    assert!(matches!(stopped, Error::Fatal(_)), "{stopped:?}");
}
