use std::thread;

use super::*;

fn frame(bytes: usize) -> Work {
    let mut draft = Draft::new(&[], bytes);
    draft.bytes.resize(bytes, 0);
    Work::Frame { draft, at: None, origin: None, forget: Vec::new() }
}

#[test]
fn a_full_queue_blocks_until_the_writer_takes() {
    let queue = Arc::new(Queue::new(1_000));
    queue.push(frame(900)).unwrap();
    let own = queue.clone();
    let blocked = thread::spawn(move || own.push(frame(200)).map(|_| ()));
    // Whether the other thread is at the queue yet or not, nothing more may get in.
    assert_eq!(queue.waiting(), (1, 900));
    thread::yield_now();
    assert_eq!(queue.waiting(), (1, 900));
    assert_eq!(queue.take(5_000).unwrap().len(), 1);
    blocked.join().unwrap().unwrap();
    assert_eq!(queue.waiting(), (1, 200));
}

#[test]
fn an_empty_queue_takes_what_is_larger_than_itself() {
    let queue = Queue::new(1_000);
    queue.push(frame(5_000)).unwrap();
    assert_eq!(queue.waiting(), (1, 5_000));
}

#[test]
fn groups_are_bounded_and_a_roll_comes_alone() {
    let queue = Queue::new(10_000);
    for work in [frame(300), frame(300), frame(300), Work::Roll, frame(3_000)] {
        queue.push(work).unwrap();
    }
    let mut sizes = Vec::new();
    for _ in 0..4 {
        sizes.push(queue.take(700).unwrap().len());
    }
    assert_eq!(sizes, [2, 1, 1, 1]);
}

#[test]
fn what_waits_when_the_writer_dies_is_answered() {
    let queue = Queue::new(10_000);
    let pending = queue.push(frame(10)).unwrap();
    let taken = queue.push(frame(10)).unwrap();
    drop(queue.take(1));
    queue.abandon();
    assert!(matches!(pending.wait_for_ever(), Err(Error::Fatal(_))));
    assert!(matches!(taken.wait_for_ever(), Err(Error::Fatal(_))));
    assert!(queue.push(frame(10)).is_err());
    queue.settle();
}

#[test]
fn a_closed_queue_is_emptied_first() {
    let queue = Queue::new(10_000);
    queue.push(frame(10)).unwrap();
    queue.close();
    assert!(queue.push(frame(10)).is_err());
    assert_eq!(queue.take(100).unwrap().len(), 1);
    assert!(queue.take(100).is_none());
}
