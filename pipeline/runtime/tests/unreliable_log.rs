//! A worker on a log that loses answers and commits, shows them late and now and then is not to be
//! had: what it says and knows is what it would have been without any of that.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Bounds, Error, Faults, Log, Member, Membership, Memory, Message, Next};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Input, Output, Station, Stop, Turn, Worker, WorkerOptions, read_to_end};
use drawdown_wire::schemas::{self, Schema};

/// A log that answers some calls with an error that passes.
#[derive(Debug)]
struct Unreliable {
    memory: Memory,
    calls: AtomicU64,
    /// How often in a hundred; the seed says which calls.
    fails_per_cent: u64,
    seed: u64,
    failed: AtomicU64,
    /// What is answered first to whoever asks for positions: another goes on while it is on its way.
    old_answers: Mutex<Vec<Next>>,
}

impl Unreliable {
    fn new(memory: Memory, fails_per_cent: u64, seed: u64) -> Arc<Unreliable> {
        Arc::new(Unreliable {
            memory,
            calls: AtomicU64::new(0),
            fails_per_cent,
            seed,
            failed: AtomicU64::new(0),
            old_answers: Mutex::default(),
        })
    }

    fn call(&self) -> Result<(), Error> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ (self.seed << 7));
        if (mixed >> 40) % 100 < self.fails_per_cent {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return Err(Error::Passing("the broker is away".to_owned()));
        }
        Ok(())
    }
}

impl Log for Unreliable {
    fn join(&self, membership: &Membership) -> Result<Box<dyn Member>, Error> {
        self.call()?;
        self.memory.join(membership)
    }

    fn append(
        &self,
        topic: &str,
        partition: u32,
        at: Timestamp,
        values: &[&[u8]],
    ) -> Result<Next, Error> {
        self.memory.append(topic, partition, at, values)
    }

    fn scan(
        &self,
        topic: &str,
        partition: u32,
        from: Next,
        until: Next,
        visit: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<Next, Error> {
        self.call()?;
        self.memory.scan(topic, partition, from, until, visit)
    }

    fn bounds(&self, topic: &str, partition: u32) -> Result<Bounds, Error> {
        self.call()?;
        self.memory.bounds(topic, partition)
    }

    fn committed(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Next>, Error> {
        self.call()?;
        if let Some(old) = self.old_answers.lock().unwrap().pop() {
            return Ok(Some(old));
        }
        self.memory.committed(group, topic, partition)
    }

    fn truncate(&self, topic: &str, partition: u32, before: Next) -> Result<(), Error> {
        self.call()?;
        self.memory.truncate(topic, partition, before)
    }

    fn partitions(&self, topic: &str) -> Result<u32, Error> {
        self.memory.partitions(topic)
    }

    fn commits_pay_after(&self) -> Duration {
        self.memory.commits_pay_after()
    }
}

/// Adds up what it reads, and says each sum.
struct Adder {
    sum: u64,
    partition: u32,
}

impl Station for Adder {
    // Never read by them: it is this version's own.
    const DELTA: &'static Schema = &schemas::METERING_DELTA;
    const PIECE: &'static Schema = &schemas::METERING_PIECE;
    const PIECES_KEEP_THEIR_ORDER: bool = false;

    fn take(&mut self, input: Input<'_>, output: &mut Output) -> Result<(), Stop> {
        for message in input.messages {
            self.sum += u64::from_le_bytes(message.value.try_into().unwrap());
            output.append("sums", self.partition, self.sum.to_le_bytes().to_vec());
            output.delta().extend(self.sum.to_le_bytes());
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
        Ok(())
    }

    fn apply(&mut self, delta: &[u8]) -> Result<(), Stop> {
        if let Some(last) = delta.chunks(8).last() {
            self.sum = u64::from_le_bytes(last.try_into().unwrap());
        }
        Ok(())
    }

    fn piece(&self, _place: &[u8], _bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        (self.sum.to_le_bytes().to_vec(), None)
    }

    fn load(&mut self, piece: &[u8]) -> Result<(), Stop> {
        self.apply(piece)
    }

    fn restored(&mut self) -> Result<(), Stop> {
        Ok(())
    }
}

const MESSAGES: u64 = 60;
const PARTITIONS: u32 = 2;

fn worker(log: Arc<Unreliable>) -> Worker<Adder> {
    let options = WorkerOptions {
        membership: Membership {
            group: "adders".to_owned(),
            topic: "numbers".to_owned(),
            instance: "1".to_owned(),
        },
        state_topic: "state".to_owned(),
        rules_version: 1,
        commit_interval: Duration::ZERO,
        step_bytes_max: 1 << 20,
        snapshot_after_bytes: 40,
        state_kept_for: Some(Span::ZERO),
    };
    let clock = Clock::manual(Timestamp::from_micros(1));
    let make = |partition| Adder { sum: 0, partition };
    Worker::new(options, log, clock, make)
}

/// Runs one worker over all messages, and returns how often the log was not to be had.
fn check(faults: Faults, fails_per_cent: u64) -> u64 {
    let topics = [("numbers", PARTITIONS), ("sums", PARTITIONS), ("state", PARTITIONS)];
    let memory = Memory::new(topics, faults);
    let log = Unreliable::new(memory.clone(), fails_per_cent, faults.seed);
    let mut worker = worker(log.clone());
    for number in 1..=MESSAGES {
        for partition in 0..PARTITIONS {
            let value = (number + u64::from(partition)).to_le_bytes();
            memory.append("numbers", partition, Timestamp::from_micros(1), &[&value]).unwrap();
        }
        worker.turn(Duration::ZERO).unwrap();
        // What a worker at rest holds is what others can see, and a lost commit is no error of it.
        if number % 20 == 0 && worker.come_to_rest().unwrap() {
            for Adder { sum, partition } in worker.stations() {
                let seen = sums(&memory, *partition).last().copied();
                assert_eq!(*sum, seen.unwrap_or(0), "{faults:?}, {fails_per_cent}");
            }
        }
    }
    let expected = |partition: u32| -> Vec<u64> {
        let sum = |number: u64| number * (number + 1) / 2 + number * u64::from(partition);
        (1..=MESSAGES).map(sum).collect()
    };
    for partition in 0..PARTITIONS {
        let mut turns = 0;
        let mut found = sums(&memory, partition);
        while found.len() < MESSAGES as usize {
            assert!(turns < 500, "the worker does not come to the end");
            turns += 1;
            worker.turn(Duration::ZERO).unwrap();
            found = sums(&memory, partition);
        }
        assert_eq!(found, expected(partition), "{faults:?}, {fails_per_cent}");
    }
    log.failed.load(Ordering::Relaxed)
}

fn sums(memory: &Memory, partition: u32) -> Vec<u64> {
    let mut found = Vec::new();
    read_to_end(memory, "sums", partition, Next::START, &mut |message| {
        found.push(u64::from_le_bytes(message.value.try_into().unwrap()));
        Ok(())
    })
    .unwrap();
    found
}

#[test]
fn a_worker_goes_on_from_what_is_committed_whenever_the_log_was_not_to_be_had() {
    let mut failed = 0;
    for seed in 1..=5 {
        failed += check(Faults { seed, ..Faults::default() }, 8);
    }
    assert!(failed > 20, "the log was not to be had only {failed} times");
}

#[test]
fn a_worker_survives_what_the_memory_engine_can_do_to_commits() {
    for seed in 0..200 {
        let faults = Faults {
            seed,
            answer_lost_per_mille: 100,
            commit_lost_per_mille: 100,
            visible_late_per_mille: 300,
        };
        check(faults, 0);
    }
}

#[test]
fn a_position_is_asked_for_again_or_taken_from_the_state_and_one_without_its_state_is_refused() {
    let topics = [("numbers", 1), ("sums", 1), ("state", 1)];
    let log = Unreliable::new(Memory::new(topics, Faults::default()), 0, 0);
    let send = |worker: &mut Worker<Adder>| {
        log.memory.append("numbers", 0, Timestamp::START, &[&1_u64.to_le_bytes()]).unwrap();
        while worker.turn(Duration::ZERO).unwrap() == Turn::Worked {}
    };
    let mut first = worker(log.clone());
    send(&mut first);
    let old = log.memory.committed("adders", "numbers", 0).unwrap().unwrap();
    send(&mut first);
    drop(first);

    log.old_answers.lock().unwrap().push(old);
    send(&mut worker(log.clone()));
    assert_eq!(sums(&log.memory, 0), [1, 2, 3]);

    // The log lost the position of a commit: what was committed with it knows better.
    log.old_answers.lock().unwrap().extend([old, old]);
    let mut behind = worker(log.clone());
    while behind.turn(Duration::ZERO).unwrap() == Turn::Worked {}
    drop(behind);
    send(&mut worker(log.clone()));
    assert_eq!(sums(&log.memory, 0), [1, 2, 3, 4]);

    log.old_answers.lock().unwrap().extend([Next(9), Next(9)]);
    let refused = worker(log.clone()).turn(Duration::ZERO).unwrap_err().to_string();
    assert!(refused.contains("was read up to 9, but its state on state ends at 4"), "{refused}");
}
