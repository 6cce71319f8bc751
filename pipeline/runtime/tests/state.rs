//! State across versions and snapshots: what an older version wrote is read, what is not known is
//! refused, and old snapshots are kept for audits without being read.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use drawdown_domain::time::{Span, Timestamp};
use drawdown_domain::vocabulary::Described;
use drawdown_log::{Faults, Log, Membership, Memory, Next};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Input, Output, Replay, Station, Stop, Turn, Worker, WorkerOptions};
use drawdown_wire::avro::{self, fingerprint};
use drawdown_wire::released::plans_of;
use drawdown_wire::schemas::{self, Audience, Schema};
use drawdown_wire::state::{Frame, FrameKind};

mod older {
    drawdown_domain::record! {
        pub struct Sum {
            pub sum: u64,
            pub bulk: String,
        }
    }
}

mod present {
    drawdown_domain::record! {
        pub struct Sum {
            pub note: Option<String>,
            pub sum: u64,
            pub bulk: String,
            pub weight: u64 = 7,
        }
    }
}

static OLDER: Schema = Schema::new(
    "Sum",
    Audience::Ours,
    older::Sum::shape,
    || fingerprint(&OLDER.json()),
    BTreeMap::new,
);
static PRESENT: Schema = Schema::new(
    "Sum",
    Audience::Ours,
    present::Sum::shape,
    || fingerprint(&PRESENT.json()),
    || plans_of([OLDER.json()], &PRESENT.json()),
);

/// How a version writes and reads its state.
trait Version: Send + 'static {
    const SCHEMA: &'static Schema;
    /// About so many bytes.
    fn write(sum: u64, bytes: usize) -> Vec<u8>;
    /// The sum and, if it knows of it, the weight.
    fn read(state: &[u8]) -> (u64, u64);
}

struct Older;

impl Version for Older {
    const SCHEMA: &'static Schema = &OLDER;

    fn write(sum: u64, bytes: usize) -> Vec<u8> {
        avro::encode(&older::Sum { sum, bulk: "x".repeat(bytes) })
    }

    fn read(state: &[u8]) -> (u64, u64) {
        (avro::decode::<older::Sum>(state).unwrap().sum, 0)
    }
}

struct Present;

impl Version for Present {
    const SCHEMA: &'static Schema = &PRESENT;

    fn write(sum: u64, bytes: usize) -> Vec<u8> {
        let bulk = "x".repeat(bytes);
        avro::encode(&present::Sum { note: None, sum, bulk, weight: 8 })
    }

    fn read(state: &[u8]) -> (u64, u64) {
        let present::Sum { sum, weight, .. } = avro::decode(state).unwrap();
        (sum, weight)
    }
}

/// Adds up what it reads.
#[derive(Default)]
struct Adder<V> {
    sum: u64,
    weight: u64,
    changed: bool,
    version: PhantomData<V>,
}

impl<V: Version> Station for Adder<V> {
    const DELTA: &'static Schema = V::SCHEMA;
    const PIECE: &'static Schema = V::SCHEMA;
    const PIECES_KEEP_THEIR_ORDER: bool = true;

    fn take(&mut self, input: Input<'_>, _output: &mut Output) -> Result<(), Stop> {
        for message in input.messages {
            self.sum += u64::from_le_bytes(message.value.try_into().unwrap());
            self.changed = true;
        }
        Ok(())
    }

    fn idle(&mut self, _now: Timestamp, _output: &mut Output) -> Result<bool, Stop> {
        Ok(false)
    }

    fn time(&self) -> Timestamp {
        Timestamp::START
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), Stop> {
        if std::mem::take(&mut self.changed) {
            output.delta().extend(V::write(self.sum, 0));
        }
        Ok(())
    }

    fn apply(&mut self, delta: &[u8]) -> Result<(), Stop> {
        if !delta.is_empty() {
            (self.sum, self.weight) = V::read(delta);
        }
        Ok(())
    }

    fn piece(&self, _place: &[u8], _bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        (V::write(self.sum, 0), None)
    }

    fn load(&mut self, piece: &[u8]) -> Result<(), Stop> {
        self.apply(piece)
    }

    fn restored(&mut self) -> Result<(), Stop> {
        Ok(())
    }
}

struct Site {
    log: Memory,
    clock: Clock,
    state_kept_for: Option<Span>,
    sent: u64,
}

impl Site {
    fn new(state_kept_for: Option<Span>) -> Site {
        let log = Memory::new([("numbers", 1), ("state", 1)], Faults::default());
        let clock = Clock::manual("2026-03-01T00:00:00Z".parse().unwrap());
        Site { log, clock, state_kept_for, sent: 0 }
    }

    fn worker<V: Version>(&self) -> Worker<Adder<V>> {
        self.worker_of(|| Adder { sum: 0, weight: 0, changed: false, version: PhantomData })
    }

    fn worker_of<S: Station>(&self, make: impl Fn() -> S + Send + Sync + 'static) -> Worker<S> {
        let (group, topic, instance) = ("adders".into(), "numbers".into(), "1".into());
        let options = WorkerOptions {
            membership: Membership { group, topic, instance },
            state_topic: "state".to_owned(),
            rules_version: 1,
            commit_interval: Duration::ZERO,
            step_bytes_max: 1 << 20,
            snapshot_after_bytes: 40,
            state_kept_for: self.state_kept_for,
        };
        Worker::new(options, Arc::new(self.log.clone()), self.clock.clone(), move |_| make())
    }

    /// So many numbers, a step each.
    fn send<S: Station>(&mut self, worker: &mut Worker<S>, count: u64) {
        for _ in 0..count {
            self.sent += 1;
            let value = self.sent.to_le_bytes();
            self.log.append("numbers", 0, self.clock.now(), &[&value]).unwrap();
            settle(worker).unwrap();
        }
    }

    fn sum(&self) -> u64 {
        self.sent * (self.sent + 1) / 2
    }

    fn frames(&self) -> Vec<(Next, Frame)> {
        let (mut frames, end) = (Vec::new(), self.log.bounds("state", 0).unwrap().end);
        self.log
            .scan("state", 0, Next::START, end, &mut |message| {
                let frame = schemas::FRAME.read(message.value).unwrap();
                frames.push((Next(message.offset.0), frame));
                true
            })
            .unwrap();
        frames
    }
}

fn settle<S: Station>(worker: &mut Worker<S>) -> Result<(), Stop> {
    while worker.turn(Duration::ZERO)? == Turn::Worked {}
    Ok(())
}

fn is_whole(frame: &Frame) -> bool {
    frame.kind == FrameKind::Piece && frame.last
}

#[test]
fn state_of_an_older_schema_is_read_and_of_an_unknown_one_refused_by_name() {
    // Without snapshots, with one that is the last word, and with steps behind it.
    for count in [1, 4, 9] {
        let mut site = Site::new(None);
        let mut worker = site.worker::<Older>();
        site.send(&mut worker, count);
        drop(worker);
        let mut worker = site.worker::<Present>();
        settle(&mut worker).unwrap();
        let station = worker.station(0).unwrap();
        assert_eq!((station.sum, station.weight), (site.sum(), 7), "{count}");
        site.send(&mut worker, count);
        drop(worker);
        let mut worker = site.worker::<Present>();
        settle(&mut worker).unwrap();
        let station = worker.station(0).unwrap();
        assert_eq!((station.sum, station.weight), (site.sum(), 8), "{count}");
        drop(worker);
        // The older version does not know what came after it.
        let refused = settle(&mut site.worker::<Older>()).unwrap_err().to_string();
        let unknown = format!("{:?}", PRESENT.fingerprint());
        for word in ["not a Sum of this version", &unknown, "(state offset", "start that one again"]
        {
            assert!(refused.contains(word), "{refused}");
        }
    }
}

#[test]
fn old_snapshots_are_kept_for_their_time_and_only_the_newest_is_read() {
    let keep = Span::minutes(60);
    let mut site = Site::new(Some(keep));
    let mut worker = site.worker::<Present>();
    for minute in 0..300 {
        site.send(&mut worker, 1);
        site.clock.set(site.clock.now().plus(Span::minutes(1)));
        if minute % 50 == 0 {
            // What a worker knows of snapshots outlives it.
            worker = site.worker::<Present>();
        }
        let frames = site.frames();
        let whole: Vec<&(Next, Frame)> = frames.iter().filter(|(_, own)| is_whole(own)).collect();
        let Some((_, newest)) = whole.last() else { continue };
        // Of all that time there is a snapshot to begin with, and little more: what is needless is
        // deleted a step later, and a worker that begins waits for the next snapshot.
        let first = &frames[0].1;
        let minutes_kept = i64::try_from(newest.sequence - first.sequence).unwrap();
        assert!(minutes_kept <= 85, "{minute}: {minutes_kept}");
        assert!(first.sequence == 1 || minutes_kept >= 60, "{minute}: {minutes_kept}");
        assert!(newest.snapshots.len() <= 34, "{}", newest.snapshots.len());
    }
    drop(worker);
    // From the oldest snapshot on every step is there.
    let make = |_| Adder::<Present> { sum: 0, weight: 0, changed: false, version: PhantomData };
    let mut replay = Replay::new(&make, 0);
    let mut steps = Vec::new();
    let end = site.log.bounds("state", 0).unwrap().end;
    site.log
        .scan("state", 0, Next::START, end, &mut |message| {
            if let Some(step) = replay.take(message).unwrap() {
                replay.station.apply(&step.delta).unwrap();
                steps.push(step.sequence);
            }
            true
        })
        .unwrap();
    assert_eq!(replay.station.sum, site.sum());
    assert!(steps.len() >= 60 && steps.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{steps:?}");

    // Damage before the newest snapshot is not met when a worker comes back, damage behind it is.
    let newest = Next(site.frames().last().unwrap().1.snapshot);
    for (is_before, comes_back) in [(true, true), (false, false)] {
        let copy = Site { log: site.log.clone(), clock: site.clock.clone(), ..Site::new(None) };
        let copy = Site { log: damaged(&copy.log, newest, is_before), ..copy };
        let mut worker = copy.worker::<Present>();
        let came_back = settle(&mut worker);
        assert_eq!(came_back.is_ok(), comes_back, "{is_before}: {came_back:?}");
        if comes_back {
            assert_eq!(worker.station(0).unwrap().sum, site.sum());
        }
    }
}

/// A copy of the log whose state is damaged everywhere before, or from, a place on.
fn damaged(log: &Memory, place: Next, before: bool) -> Memory {
    let copy = Memory::new([("numbers", 1), ("state", 1)], Faults::default());
    for topic in ["numbers", "state"] {
        let bounds = log.bounds(topic, 0).unwrap();
        // Offsets are those of the original.
        for _ in 0..bounds.first.0 {
            copy.append(topic, 0, Timestamp::START, &[b"gone"]).unwrap();
        }
        log.scan(topic, 0, bounds.first, bounds.end, &mut |message| {
            let is_hit = topic == "state" && (Next(message.offset.0) < place) == before;
            let mut value = message.value.to_vec();
            if let Some(last) = value.last_mut().filter(|_| is_hit) {
                *last ^= 1;
            }
            copy.append(topic, 0, message.at, &[&value]).unwrap();
            true
        })
        .unwrap();
        copy.truncate(topic, 0, bounds.first).unwrap();
    }
    let read = log.committed("adders", "numbers", 0).unwrap().unwrap();
    let (group, topic, instance) = ("adders".into(), "numbers".into(), "1".into());
    let mut member = copy.join(&Membership { group, topic, instance }).unwrap();
    let commit = drawdown_log::Commit { read: [(0, read)].into(), appends: Vec::new() };
    member.commit(commit).unwrap();
    member.outcome(Duration::ZERO).unwrap().unwrap();
    copy
}

/// Holds a megabyte, of which a step changes some.
#[derive(Default)]
struct Heap {
    changed: usize,
}

const HEAP_BYTES: usize = 1 << 20;

impl Station for Heap {
    const DELTA: &'static Schema = &PRESENT;
    const PIECE: &'static Schema = &PRESENT;
    const PIECES_KEEP_THEIR_ORDER: bool = true;

    fn take(&mut self, input: Input<'_>, _output: &mut Output) -> Result<(), Stop> {
        self.changed += input.messages.iter().map(|message| message.value.len()).sum::<usize>();
        Ok(())
    }

    fn idle(&mut self, _now: Timestamp, _output: &mut Output) -> Result<bool, Stop> {
        Ok(false)
    }

    fn time(&self) -> Timestamp {
        Timestamp::START
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), Stop> {
        output.delta().resize(std::mem::take(&mut self.changed), 0);
        Ok(())
    }

    fn apply(&mut self, _delta: &[u8]) -> Result<(), Stop> {
        Ok(())
    }

    fn piece(&self, place: &[u8], bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        let from = place.try_into().map_or(0, usize::from_le_bytes);
        let until = HEAP_BYTES.min(from + bytes_max);
        let after = (until < HEAP_BYTES).then(|| until.to_le_bytes().to_vec());
        (vec![0; until - from], after)
    }

    fn load(&mut self, _piece: &[u8]) -> Result<(), Stop> {
        Ok(())
    }

    fn restored(&mut self) -> Result<(), Stop> {
        Ok(())
    }
}

/// Behind the newest snapshot stand twice as many changes as it has bytes, and half as many while the next one goes out.
#[test]
fn changes_behind_a_snapshot_are_two_and_a_half_times_as_large_at_most() {
    const CHANGED: usize = 20_000;
    let mut site = Site::new(None);
    let (group, topic, instance) = ("heaps".into(), "numbers".into(), "1".into());
    let options = WorkerOptions {
        membership: Membership { group, topic, instance },
        state_topic: "state".to_owned(),
        rules_version: 1,
        commit_interval: Duration::ZERO,
        step_bytes_max: 1 << 20,
        snapshot_after_bytes: 1 << 16,
        state_kept_for: site.state_kept_for.take(),
    };
    let log = Arc::new(site.log.clone());
    let mut worker = Worker::new(options, log, site.clock.clone(), |_| Heap::default());
    let (mut behind, mut most, mut whole) = (0, 0, 0);
    let mut at = Next::START;
    for _ in 0..800 {
        site.log.append("numbers", 0, site.clock.now(), &[&[0; CHANGED]]).unwrap();
        settle(&mut worker).unwrap();
        let end = site.log.bounds("state", 0).unwrap().end;
        let mut since_begun = 0;
        at = site
            .log
            .scan("state", 0, at, end, &mut |message| {
                let frame: Frame = schemas::FRAME.read(message.value).unwrap();
                match frame.kind {
                    FrameKind::Delta => behind += frame.payload.0.len(),
                    FrameKind::Piece if frame.last => {
                        most = most.max(behind);
                        whole += 1;
                        since_begun = frame.snapshots.last().unwrap().begins;
                    }
                    FrameKind::Piece => {}
                }
                true
            })
            .unwrap();
        if since_begun > 0 {
            behind = 0;
            site.log
                .scan("state", 0, Next(since_begun), end, &mut |message| {
                    let frame: Frame = schemas::FRAME.read(message.value).unwrap();
                    if frame.kind == FrameKind::Delta {
                        behind += frame.payload.0.len();
                    }
                    true
                })
                .unwrap();
        }
    }
    assert!(whole > 5, "{whole}");
    let times = most as f64 / HEAP_BYTES as f64;
    assert!((2.4..2.6).contains(&times), "{times}");
}

/// Counts numbers, by how much is left of each when it is divided by this.
const SLOTS: u64 = 32;
/// In a piece the slot is so many times its number.
const IN_A_PIECE: u64 = 1_000_000;

/// A piece has one slot. Only what of it is loaded counts.
struct Slots<V, const KEEP_THEIR_ORDER: bool> {
    counts: Vec<u64>,
    changed: Option<u64>,
    version: PhantomData<V>,
}

impl<V, const KEEP_THEIR_ORDER: bool> Slots<V, KEEP_THEIR_ORDER> {
    fn new() -> Self {
        Slots { counts: vec![0; SLOTS as usize], changed: None, version: PhantomData }
    }
}

impl<V: Version, const KEEP_THEIR_ORDER: bool> Station for Slots<V, KEEP_THEIR_ORDER> {
    const DELTA: &'static Schema = V::SCHEMA;
    const PIECE: &'static Schema = V::SCHEMA;
    const PIECES_KEEP_THEIR_ORDER: bool = KEEP_THEIR_ORDER;

    fn take(&mut self, input: Input<'_>, _output: &mut Output) -> Result<(), Stop> {
        for message in input.messages {
            let slot = u64::from_le_bytes(message.value.try_into().unwrap()) % SLOTS;
            self.counts[slot as usize] += 1;
            assert_eq!(self.changed.replace(slot), None, "a step has one message");
        }
        Ok(())
    }

    fn idle(&mut self, _now: Timestamp, _output: &mut Output) -> Result<bool, Stop> {
        Ok(false)
    }

    fn time(&self) -> Timestamp {
        Timestamp::START
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), Stop> {
        output
            .delta()
            .extend(self.changed.take().map(|slot| V::write(slot, 0)).unwrap_or_default());
        Ok(())
    }

    fn apply(&mut self, delta: &[u8]) -> Result<(), Stop> {
        let (slot, _) = V::read(delta);
        if let Some(count) = self.counts.get_mut(slot as usize) {
            *count += 1;
        }
        Ok(())
    }

    fn piece(&self, place: &[u8], _bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        let slot = place.first().copied().unwrap_or_default();
        let after = slot + 1;
        let piece = u64::from(slot) * IN_A_PIECE + self.counts[slot as usize];
        // Two in a step.
        (V::write(piece, 4_096), (u64::from(after) < SLOTS).then(|| vec![after]))
    }

    fn load(&mut self, piece: &[u8]) -> Result<(), Stop> {
        let (piece, _) = V::read(piece);
        if piece < IN_A_PIECE {
            self.counts.clear();
        }
        assert_eq!(self.counts.len() as u64, piece / IN_A_PIECE);
        self.counts.push(piece % IN_A_PIECE);
        Ok(())
    }

    fn restored(&mut self) -> Result<(), Stop> {
        assert_eq!(self.counts.len() as u64, SLOTS);
        Ok(())
    }
}

/// Some workers one after the other, each of which ends after three steps, while a snapshot takes sixteen: how many
/// pieces there were, how many of them begin a snapshot, and how many end one.
fn ends_early<V: Version, const KEEP_THEIR_ORDER: bool>(site: &mut Site) -> [usize; 3] {
    let already = site.frames().len();
    for _ in 0..8 {
        let mut worker = site.worker_of(Slots::<V, KEEP_THEIR_ORDER>::new);
        settle(&mut worker).unwrap();
        let expected: Vec<u64> = (0..SLOTS)
            .map(|slot| (1..=site.sent).filter(|it| it % SLOTS == slot).count() as u64)
            .collect();
        assert_eq!(worker.station(0).unwrap().counts, expected);
        site.send(&mut worker, 3);
    }
    let frames = site.frames();
    let pieces = || frames[already..].iter().filter(|(_, it)| it.kind == FrameKind::Piece);
    let begun = pieces().filter(|(_, piece)| piece.place.0.is_empty()).count();
    [pieces().count(), begun, pieces().filter(|(_, piece)| piece.last).count()]
}

#[test]
fn whoever_restores_goes_on_with_the_snapshot_of_its_former_self() {
    let mut site = Site::new(None);
    assert_eq!(ends_early::<Present, true>(&mut site), [SLOTS as usize, 1, 1]);
    // What is read now begins with it.
    assert_ne!(site.frames().last().unwrap().1.snapshot, 0);
    assert_eq!(ends_early::<Present, true>(&mut site), [0, 0, 0]);
}

#[test]
fn a_snapshot_is_begun_anew_where_its_pieces_may_be_others_now() {
    let mut site = Site::new(None);
    let [_, begun, whole] = ends_early::<Older, false>(&mut site);
    assert!(begun > 1 && whole == 0, "{begun} {whole}");
    // This would go on with its own, but that was of another schema.
    assert_eq!(ends_early::<Present, true>(&mut site), [SLOTS as usize, 1, 1]);
}
