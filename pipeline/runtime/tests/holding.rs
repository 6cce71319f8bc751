//! A station that cannot take messages for a while, or loses what it stands on.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drawdown_domain::time::Timestamp;
use drawdown_log::{Faults, Log, Membership, Memory, Next};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Held, Input, Output, Station, Stop, Turn, Worker, WorkerOptions};
use drawdown_wire::schemas::{self, Schema};

/// What a test and the stations of a worker share.
#[derive(Clone, Default)]
struct Shared {
    holds: Arc<AtomicBool>,
    loses: Arc<AtomicBool>,
    misses: Arc<AtomicBool>,
    committed: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// Puts every message out; its state is nothing.
struct Echo {
    shared: Shared,
    taken: Vec<Vec<u8>>,
    put_out: Vec<Vec<u8>>,
}

impl Station for Echo {
    // Never read by them: it is this version's own.
    const DELTA: &'static Schema = &schemas::METERING_DELTA;
    const PIECE: &'static Schema = &schemas::METERING_PIECE;
    const PIECES_KEEP_THEIR_ORDER: bool = false;

    fn take(&mut self, input: Input<'_>, output: &mut Output) -> Result<(), Stop> {
        if self.shared.loses.swap(false, Ordering::Relaxed) {
            return Err(Stop::Restore("its files are damaged".to_owned()));
        }
        for message in input.messages {
            if message.value == b"needs" && self.shared.misses.load(Ordering::Relaxed) {
                return Err(Stop::Away("the registry of schemas is away".to_owned()));
            }
            output.append("out", 0, message.value.to_vec());
            self.taken.push(message.value.to_vec());
        }
        Ok(())
    }

    fn idle(&mut self, _now: Timestamp, _output: &mut Output) -> Result<bool, Stop> {
        Ok(false)
    }

    fn time(&self) -> Timestamp {
        Timestamp::START
    }

    fn finish(&mut self, _output: &mut Output) -> Result<(), Stop> {
        self.put_out.append(&mut self.taken);
        Ok(())
    }

    fn committed(&mut self) -> Result<(), Stop> {
        self.shared.committed.lock().unwrap().append(&mut self.put_out);
        Ok(())
    }

    fn holds(&self) -> Option<Held> {
        self.shared.holds.load(Ordering::Relaxed).then(|| Held::Stands("full".to_owned()))
    }

    fn apply(&mut self, _delta: &[u8]) -> Result<(), Stop> {
        Ok(())
    }

    fn piece(&self, _place: &[u8], _bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        (Vec::new(), None)
    }

    fn load(&mut self, _piece: &[u8]) -> Result<(), Stop> {
        Ok(())
    }

    fn restored(&mut self) -> Result<(), Stop> {
        Ok(())
    }
}

fn started() -> (Memory, Shared, Worker<Echo>) {
    started_committing(Duration::ZERO)
}

fn started_committing(commit_interval: Duration) -> (Memory, Shared, Worker<Echo>) {
    let log = Memory::new([("in", 1), ("out", 1), ("state", 1)], Faults::default());
    let (group, topic, instance) = ("echo".to_owned(), "in".to_owned(), "1".to_owned());
    let options = WorkerOptions {
        membership: Membership { group, topic, instance },
        state_topic: "state".to_owned(),
        rules_version: 1,
        commit_interval,
        step_bytes_max: 1 << 20,
        snapshot_after_bytes: 1 << 20,
        state_kept_for: None,
    };
    let (shared, clock) = (Shared::default(), Clock::manual(Timestamp::START));
    let make = shared.clone();
    let worker = Worker::new(options, Arc::new(log.clone()), clock, move |_| Echo {
        shared: make.clone(),
        taken: Vec::new(),
        put_out: Vec::new(),
    });
    (log, shared, worker)
}

fn send(log: &Memory, text: &str) {
    log.append("in", 0, Timestamp::START, &[text.as_bytes()]).unwrap();
}

fn settle(worker: &mut Worker<Echo>) {
    while worker.turn(Duration::ZERO).unwrap() == Turn::Worked {}
}

/// Turns until its partition is there to be read.
fn settle_assignment(worker: &mut Worker<Echo>) {
    while worker.station(0).is_none() {
        worker.turn(Duration::ZERO).unwrap();
    }
}

fn out(log: &Memory) -> Vec<String> {
    let (mut all, end) = (Vec::new(), log.bounds("out", 0).unwrap().end);
    log.scan("out", 0, Next::START, end, &mut |message| {
        all.push(String::from_utf8(message.value.to_vec()).unwrap());
        true
    })
    .unwrap();
    all
}

/// Nobody waits for messages that do not come, neither for the interval nor for as long as a turn may.
#[test]
fn a_step_goes_out_as_soon_as_all_that_is_there_is_in_it() {
    let (log, _, mut worker) = started_committing(Duration::from_secs(3_600));
    settle_assignment(&mut worker);
    for count in 1..4 {
        send(&log, "a");
        send(&log, "b");
        let began = Instant::now();
        while out(&log).len() < count * 2 {
            worker.turn(Duration::from_secs(5)).unwrap();
            assert!(began.elapsed() < Duration::from_secs(4), "{:?}", out(&log));
        }
    }
}

#[test]
fn a_step_is_collected_for_its_interval_while_messages_keep_coming() {
    let (log, _, mut worker) = started_committing(Duration::from_secs(3_600));
    settle_assignment(&mut worker);
    for _ in 0..100 {
        send(&log, "a");
        assert_eq!(worker.turn(Duration::ZERO).unwrap(), Turn::Worked);
        std::thread::sleep(Duration::from_micros(200));
    }
    assert_eq!(out(&log).len(), 0);
    settle(&mut worker);
    assert_eq!(out(&log).len(), 100);
}

#[test]
fn what_a_station_could_not_take_is_taken_later_once_and_in_order() {
    let (log, shared, mut worker) = started();
    send(&log, "a");
    settle(&mut worker);
    shared.holds.store(true, Ordering::Relaxed);
    for text in ["b", "c"] {
        send(&log, text);
        settle(&mut worker);
    }
    assert_eq!(out(&log), ["a"]);
    assert!(!worker.has_read_all().unwrap());
    assert_eq!(worker.progress().why().as_deref(), Some("full"));
    shared.holds.store(false, Ordering::Relaxed);
    send(&log, "d");
    settle(&mut worker);
    assert_eq!(out(&log), ["a", "b", "c", "d"]);
    assert!(worker.has_read_all().unwrap());
    assert_eq!(worker.progress().why(), None);
    assert_eq!(*shared.committed.lock().unwrap(), [b"a", b"b", b"c", b"d"]);
}

#[test]
fn a_station_that_lost_what_it_stands_on_is_restored_and_loses_nothing() {
    let (log, shared, mut worker) = started();
    send(&log, "a");
    settle(&mut worker);
    shared.loses.store(true, Ordering::Relaxed);
    send(&log, "b");
    settle(&mut worker);
    assert_eq!(out(&log), ["a", "b"]);
}

#[test]
fn who_is_needed_and_away_is_waited_for_and_named() {
    let (log, shared, mut worker) = started();
    shared.misses.store(true, Ordering::Relaxed);
    for text in ["a", "needs", "b"] {
        send(&log, text);
    }
    for _ in 0..10 {
        worker.turn(Duration::ZERO).unwrap();
    }
    assert!(!out(&log).contains(&"needs".to_owned()));
    assert!(worker.progress().still_for() > Duration::from_millis(100), "it got on");
    assert_eq!(worker.progress().why().as_deref(), Some("the registry of schemas is away"));
    shared.misses.store(false, Ordering::Relaxed);
    settle(&mut worker);
    assert_eq!(out(&log), ["a", "needs", "b"]);
}
