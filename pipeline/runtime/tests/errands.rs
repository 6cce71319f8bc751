//! Wishes performed outside: each under its key, not before its arrival is committed, until it is
//! answered; and its answer is said once, whatever happens to commits.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Faults, Log, Membership, Memory, Next};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::errands::{
    Attempt, Ended, Errand, Errands, Outside, OutsideOptions, Tried, Wanted,
};
use drawdown_runtime::{Output, Turn, Worker, WorkerOptions, read_to_end};
use drawdown_wire::schemas::Unreadable;

const PARTITIONS: u32 = 2;

/// What the outside does with a try.
type Says = Arc<dyn Fn(&Attempt<String>) -> Option<Tried<String>> + Send + Sync>;

/// An outside that keeps a list of what it was asked. A message is a list of keys.
#[derive(Clone)]
struct Counter {
    log: Memory,
    says: Says,
    asked: Arc<Mutex<Vec<Attempt<String>>>>,
}

impl Errand for Counter {
    type Wish = String;
    type Answer = String;

    fn wishes(&self, message: &[u8]) -> Result<Vec<Wanted<String>>, Unreadable> {
        let text = std::str::from_utf8(message).map_err(|_| Unreadable::Foreign)?;
        let wanted = |key: &str| Wanted {
            key: key.to_owned(),
            at: at(0),
            wish: format!("do {key}"),
            message: key.as_bytes().to_vec(),
        };
        Ok(text.split_whitespace().map(wanted).collect())
    }

    async fn perform(&self, attempt: &Attempt<String>) -> Tried<String> {
        assert_eq!(attempt.wish, format!("do {}", attempt.key));
        // Its arrival is committed. A key begins with where it stands.
        let mut place = attempt.key.split('-');
        let mut number = || place.next().unwrap().parse::<u32>().unwrap();
        let (partition, offset) = (number(), number());
        let read = self.log.committed("counters", "wishes", partition).unwrap();
        assert!(read > Some(Next(offset.into())), "{} is not committed", attempt.key);
        self.asked.lock().unwrap().push(attempt.clone());
        match (self.says)(attempt) {
            Some(tried) => tried,
            None => std::future::pending().await,
        }
    }

    fn tell(
        &self,
        partition: u32,
        at: Timestamp,
        ended: &[Ended<String, String>],
        output: &mut Output,
    ) {
        assert!(at >= self::at(0));
        for Ended { key, wish, answer, tries } in ended {
            assert_eq!(*wish, format!("do {key}"));
            output.append("answers", partition, format!("{key}: {answer} {tries}").into_bytes());
        }
    }
}

impl Counter {
    fn new(
        log: &Memory,
        says: impl Fn(&Attempt<String>) -> Option<Tried<String>> + Send + Sync + 'static,
    ) -> Counter {
        Counter { log: log.clone(), says: Arc::new(says), asked: Arc::default() }
    }

    fn asked(&self) -> Vec<Attempt<String>> {
        self.asked.lock().unwrap().clone()
    }

    /// How often each key was tried.
    fn tries(&self) -> BTreeMap<String, usize> {
        let mut tries = BTreeMap::new();
        for attempt in self.asked() {
            *tries.entry(attempt.key).or_insert(0) += 1;
        }
        tries
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000_000_000).plus(Span::micros(seconds * 1_000_000))
}

fn log(faults: Faults) -> Memory {
    Memory::new([("wishes", PARTITIONS), ("answers", PARTITIONS), ("state", PARTITIONS)], faults)
}

fn options() -> OutsideOptions {
    OutsideOptions {
        consumer: "counter",
        deadline: Duration::from_secs(30),
        in_flight_max: 4,
        open_per_partition_max: 1_000,
    }
}

fn worker(
    log: &Memory,
    clock: &Clock,
    outside: &Arc<Outside<Counter>>,
) -> Worker<Errands<Counter>> {
    worker_called("1", log, clock, outside)
}

fn worker_called(
    instance: &str,
    log: &Memory,
    clock: &Clock,
    outside: &Arc<Outside<Counter>>,
) -> Worker<Errands<Counter>> {
    let options = WorkerOptions {
        membership: Membership {
            group: "counters".to_owned(),
            topic: "wishes".to_owned(),
            instance: instance.to_owned(),
        },
        state_topic: "state".to_owned(),
        rules_version: 1,
        commit_interval: Duration::ZERO,
        step_bytes_max: 1 << 20,
        snapshot_after_bytes: 200,
        state_kept_for: Some(Span::ZERO),
    };
    let outside = outside.clone();
    let make = move |partition| Errands::new(outside.clone(), partition);
    Worker::new(options, Arc::new(log.clone()), clock.clone(), make)
}

fn wish(log: &Memory, partition: u32, keys: &str) {
    log.append("wishes", partition, at(0), &[keys.as_bytes()]).unwrap();
}

fn answers(log: &Memory) -> Vec<String> {
    let mut found = Vec::new();
    for partition in 0..PARTITIONS {
        read_to_end(log, "answers", partition, Next::START, &mut |message| {
            found.push(String::from_utf8(message.value.to_vec()).unwrap());
            Ok(())
        })
        .unwrap();
    }
    found.sort();
    found
}

/// Turns until the condition holds.
fn until(worker: &mut Worker<Errands<Counter>>, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "there never was: {what}");
        worker.turn(Duration::from_millis(1)).unwrap();
    }
}

/// Turns until nothing is left to do at this time.
fn settle(worker: &mut Worker<Errands<Counter>>) {
    while worker.turn(Duration::ZERO).unwrap() == Turn::Worked {}
}

fn done() -> Option<Tried<String>> {
    Some(Tried::Done("yes".to_owned()))
}

fn again(after: Option<Span>) -> Option<Tried<String>> {
    Some(Tried::Again { why: "not yet".to_owned(), after })
}

fn away() -> Option<Tried<String>> {
    Some(Tried::Away { why: "nobody there".to_owned() })
}

#[test]
fn each_wish_is_performed_once_and_answered_once_whatever_happens_to_commits() {
    for seed in 0..60 {
        let faults = Faults {
            seed,
            answer_lost_per_mille: 100,
            commit_lost_per_mille: 100,
            visible_late_per_mille: 200,
        };
        let log = log(faults);
        let counter = Counter::new(&log, |_| done());
        let outside = Outside::new(counter.clone(), options()).unwrap();
        let mut worker = worker(&log, &Clock::manual(at(0)), &outside);
        for number in 0..20 {
            wish(&log, 0, &format!("0-{number}-a 0-{number}-b"));
            wish(&log, 1, &format!("1-{number}-c"));
            worker.turn(Duration::ZERO).unwrap();
        }
        until(&mut worker, "60 answers", || answers(&log).len() >= 60);
        let mut expected: Vec<String> = (0..20)
            .flat_map(|number| {
                ["0-_-a", "0-_-b", "1-_-c"].map(|key| key.replace('_', &number.to_string()))
            })
            .map(|key| format!("{key}: yes 1"))
            .collect();
        expected.sort();
        assert_eq!(answers(&log), expected, "{faults:?}");
        let tries = counter.tries();
        assert!(
            tries.values().all(|tries| *tries == 1) && tries.len() == 60,
            "{faults:?} {tries:?}"
        );
    }
}

#[test]
fn what_is_not_known_is_asked_again_under_the_same_key_ever_more_seldom_through_restarts() {
    let log = log(Faults::default());
    let counter =
        Counter::new(&log, |attempt| if attempt.number < 12 { again(None) } else { done() });
    let outside = Outside::at_once(counter.clone(), "counter");
    let clock = Clock::manual(at(0));
    wish(&log, 0, "0-0-k");
    let mut seconds = 0;
    while answers(&log).is_empty() {
        assert!(seconds < 3_600, "{:?}", counter.asked());
        // Each second a worker that knows nothing but what is on the log.
        let mut worker = worker(&log, &clock, &outside);
        settle(&mut worker);
        seconds += 1;
        clock.set(at(seconds));
    }
    assert_eq!(answers(&log), ["0-0-k: yes 12"]);
    let asked = counter.asked();
    let numbers: Vec<u32> = asked.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    assert!(asked.iter().all(|attempt| attempt.since == at(0)));
    for (pair, most) in asked.windows(2).zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
        let waited = pair[1].at.since(pair[0].at).as_micros();
        // Workers look once a second.
        let (least, most) = (most * 500_000, (most + 1) * 1_000_000);
        assert!((least..=most).contains(&waited), "{waited} of {most}");
    }
}

#[test]
fn an_outside_that_says_when_to_ask_again_is_asked_then() {
    let log = log(Faults::default());
    let minute = Some(Span::minutes(1));
    let says =
        move |attempt: &Attempt<String>| if attempt.number == 1 { again(minute) } else { done() };
    let counter = Counter::new(&log, says);
    let outside = Outside::at_once(counter.clone(), "counter");
    let clock = Clock::manual(at(0));
    let mut worker = worker(&log, &clock, &outside);
    wish(&log, 0, "0-0-k");
    settle(&mut worker);
    assert_eq!(worker.station(0).unwrap().next_try(), Some(at(60)));
    clock.set(at(59));
    settle(&mut worker);
    assert_eq!(answers(&log), [""; 0]);
    clock.set(at(60));
    settle(&mut worker);
    assert_eq!(answers(&log), ["0-0-k: yes 2"]);
    assert_eq!(worker.station(0).unwrap().open(), 0);
}

#[test]
fn a_try_that_does_not_come_to_an_end_is_given_up_and_tried_again() {
    let log = log(Faults::default());
    let counter = Counter::new(&log, |attempt| if attempt.number == 1 { None } else { done() });
    let options = OutsideOptions { deadline: Duration::from_millis(20), ..options() };
    let outside = Outside::new(counter.clone(), options).unwrap();
    let clock = Clock::fast(100, at(0));
    let mut worker = worker(&log, &clock, &outside);
    wish(&log, 0, "0-0-k");
    until(&mut worker, "an answer", || answers(&log) == ["0-0-k: yes 2"]);
}

#[test]
fn a_try_that_panics_is_tried_again() {
    let log = log(Faults::default());
    let says = |attempt: &Attempt<String>| {
        assert!(attempt.number > 1, "this one breaks");
        done()
    };
    let counter = Counter::new(&log, says);
    let outside = Outside::new(counter, options()).unwrap();
    let mut worker = worker(&log, &Clock::fast(100, at(0)), &outside);
    wish(&log, 0, "0-0-k");
    until(&mut worker, "an answer", || answers(&log) == ["0-0-k: yes 2"]);
}

#[test]
fn an_outside_that_is_away_is_not_hammered() {
    let log = log(Faults::default());
    let back = Arc::new(Mutex::new(false));
    let is_back = back.clone();
    let counter =
        Counter::new(&log, move |_| if *is_back.lock().unwrap() { done() } else { away() });
    let outside = Outside::new(counter.clone(), options()).unwrap();
    let clock = Clock::manual(at(0));
    let mut worker = worker(&log, &clock, &outside);
    let keys: Vec<String> = (0..500).map(|number| format!("0-0-{number}")).collect();
    wish(&log, 0, &keys.join(" "));
    // A quarter of an hour of asking each second.
    for second in 0..900 {
        clock.set(at(second));
        for _ in 0..3 {
            worker.turn(Duration::ZERO).unwrap();
        }
    }
    let asked = counter.asked().len();
    let times: Vec<i64> = counter
        .asked()
        .iter()
        .map(|attempt| attempt.at.since(at(0)).as_micros() / 1_000_000)
        .collect();
    assert!((5..40).contains(&asked), "{times:?}");
    *back.lock().unwrap() = true;
    let mut seconds = 900;
    until(&mut worker, "all answers", || {
        seconds += 1;
        clock.set(at(seconds));
        answers(&log).len() == 500
    });
}

#[test]
fn a_worker_that_is_asked_to_end_waits_for_what_is_under_way() {
    let log = log(Faults::default());
    let counter = Counter::new(&log, |_| {
        std::thread::sleep(Duration::from_millis(50));
        done()
    });
    let outside = Outside::new(counter.clone(), options()).unwrap();
    let clock = Clock::manual(at(0));
    let mut first = worker(&log, &clock, &outside);
    let keys: Vec<String> = (0..30).map(|number| format!("0-0-{number}")).collect();
    wish(&log, 0, &keys.join(" "));
    until(&mut first, "a try", || !counter.asked().is_empty());
    first.stop().unwrap();
    let (asked, answered) = (counter.asked().len(), answers(&log).len());
    assert!(asked < 30 && answered == asked, "{asked} tried, {answered} answered");
    drop(first);
    // Another process, which knows nothing but what is on the log.
    let outside = Outside::new(counter.clone(), options()).unwrap();
    let mut second = worker(&log, &clock, &outside);
    until(&mut second, "all answers", || answers(&log).len() == 30);
    assert!(counter.tries().values().all(|tries| *tries == 1), "{:?}", counter.tries());
}

#[test]
fn a_partition_with_too_many_open_wishes_takes_no_more_until_half_of_them_are_done() {
    let log = log(Faults::default());
    let opened = Arc::new(Mutex::new(false));
    let is_open = opened.clone();
    let counter =
        Counter::new(&log, move |_| if *is_open.lock().unwrap() { done() } else { again(None) });
    let options = OutsideOptions { open_per_partition_max: 10, ..options() };
    let outside = Outside::new(counter, options).unwrap();
    let clock = Clock::manual(at(0));
    let mut worker = worker(&log, &clock, &outside);
    for number in 0..30 {
        wish(&log, 0, &format!("0-{number}-k"));
        for _ in 0..3 {
            worker.turn(Duration::ZERO).unwrap();
        }
    }
    assert_eq!(worker.station(0).unwrap().open(), 11);
    *opened.lock().unwrap() = true;
    let mut seconds = 0;
    until(&mut worker, "all answers", || {
        seconds += 1;
        clock.set(at(seconds));
        answers(&log).len() == 30
    });
}

#[test]
fn a_partition_that_goes_to_another_worker_takes_no_try_with_it() {
    let log = log(Faults::default());
    let slow = |_: &Attempt<String>| {
        std::thread::sleep(Duration::from_millis(20));
        done()
    };
    let counter = Counter::new(&log, slow);
    let outside = || Outside::new(counter.clone(), options()).unwrap();
    let clock = Clock::manual(at(0));
    let mut first = worker_called("1", &log, &clock, &outside());
    for partition in 0..PARTITIONS {
        let keys: Vec<String> = (0..20).map(|number| format!("{partition}-0-{number}")).collect();
        wish(&log, partition, &keys.join(" "));
    }
    until(&mut first, "tries on both partitions", || {
        ["0", "1"]
            .iter()
            .all(|partition| counter.tries().keys().any(|key| key.starts_with(partition)))
    });
    // Another process joins, with a thread of its own for what it does outside.
    let mut second = worker_called("2", &log, &clock, &outside());
    until(&mut first, "all answers", || {
        second.turn(Duration::ZERO).unwrap();
        answers(&log).len() == 40
    });
    assert_eq!((first.stations().count(), second.stations().count()), (1, 1));
    assert!(counter.tries().values().all(|tries| *tries == 1), "{:?}", counter.tries());
}
