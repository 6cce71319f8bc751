//! The step loop: read, decide, commit; restore when partitions come or a commit's outcome is unknown.

mod restoring;
mod snapshot;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown_domain::time::Span;
use drawdown_log::{
    Append, Bounds, Change, Commit, Error, Log, Member, Membership, Message, Next, Point, reach,
};
use drawdown_wire::schemas;

use crate::clock::Clock;
use crate::memory::give_back;
use crate::state::Chain;
use crate::telemetry::{LogAway, StepCommitted, StepLost, begins, owns};
use crate::{Held, Input, Output, Progress, Station, Stop};
use snapshot::{BYTES_OF_STEP_MIN, FASTER, Snapshot, next_piece};

/// What a worker is told.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    pub membership: Membership,
    /// The topic of its state.
    pub state_topic: String,
    pub rules_version: u32,
    /// How long a step is collected before it is committed, if messages keep coming: so long, and twice as long as the
    /// last commit took. Zero: not at all.
    pub commit_interval: Duration,
    /// A step that has come to this is committed at once.
    pub step_bytes_max: usize,
    /// A snapshot begins when the deltas since the last one began have come to this, and to twice its size. So the changes
    /// that are to be read behind a snapshot come to two and a half times its size at most, if that is more than this.
    pub snapshot_after_bytes: u64,
    /// How long state is kept that a snapshot has made needless to restore, so that it can be audited;
    /// none: for ever.
    pub state_kept_for: Option<Span>,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something was read or decided, or is not committed yet.
    Worked,
    /// There is nothing to do.
    Idle,
}

struct Owned<S> {
    station: S,
    chain: Chain,
    /// Where reading has come to, decided or not.
    next: Next,
    output: Output,
    /// Something was read or decided since the last commit began.
    dirty: bool,
    snapshot: Snapshot,
    /// Messages were passed over because the station could not take them; they are read again from
    /// `next` on once it can.
    passed_over: bool,
    /// Up to here nothing stands behind `next` but what nobody reads.
    nothing_until: Next,
}

impl<S: Station> Owned<S> {
    /// Why somebody has to make room before it takes what it passed over.
    fn stands(&self) -> Option<String> {
        match self.station.holds().filter(|_| self.passed_over) {
            Some(Held::Stands(why)) => Some(why),
            _ => None,
        }
    }
}

/// Runs the stations of one consumer for the partitions it owns.
pub struct Worker<S> {
    options: WorkerOptions,
    log: Arc<dyn Log>,
    clock: Clock,
    make: Box<dyn Fn(u32) -> S + Send + Sync>,
    member: Option<Box<dyn Member>>,
    /// When it last began to join its group.
    joined: Option<Instant>,
    owned: BTreeMap<u32, Owned<S>>,
    /// When the oldest decision that is not yet committed was made.
    collecting_since: Option<Instant>,
    last_commit: Duration,
    /// The last look for messages found none, and no station has more to do at once.
    is_level: bool,
    /// A station has more to do at once.
    has_more: bool,
    /// The commit that is under way.
    underway: Option<Underway>,
    /// What it is called in logs and metrics.
    consumer: Arc<str>,
    progress: Progress,
    /// Read since the last commit began.
    messages: u64,
    /// Who was needed and away, as was found at this moment.
    away: Option<(String, Instant)>,
}

/// What is known of a commit while it is under way.
#[derive(Clone, Copy, Debug)]
struct Underway {
    began: Instant,
    messages: u64,
    appends: usize,
    bytes: usize,
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Worker({} of {})",
            self.options.membership.instance, self.options.membership.group
        )
    }
}

impl<S: Station> Worker<S> {
    pub fn new(
        options: WorkerOptions,
        log: Arc<dyn Log>,
        clock: Clock,
        make: impl Fn(u32) -> S + Send + Sync + 'static,
    ) -> Worker<S> {
        // The group's name without the installation's prefix.
        let consumer = options.membership.group.rsplit('.').next().unwrap_or_default().into();
        begins(&consumer);
        Worker {
            options,
            log,
            clock,
            make: Box::new(make),
            member: None,
            joined: None,
            owned: BTreeMap::new(),
            collecting_since: None,
            last_commit: Duration::ZERO,
            is_level: false,
            has_more: false,
            underway: None,
            consumer,
            progress: Progress::default(),
            messages: 0,
            away: None,
        }
    }

    /// Shows from outside whether this worker gets on.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// The station of a partition, if this worker owns it.
    pub fn station(&self, partition: u32) -> Option<&S> {
        self.owned.get(&partition).map(|owned| &owned.station)
    }

    /// The stations of all partitions this worker owns.
    pub fn stations(&self) -> impl Iterator<Item = &S> {
        self.owned.values().map(|owned| &owned.station)
    }

    /// Whether all that is visible of the input has been read and committed.
    pub fn has_read_all(&mut self) -> Result<bool, Stop> {
        let topic = &self.options.membership.topic;
        let partitions = self.log.partitions(topic)?;
        for partition in 0..partitions {
            let Some(owned) = self.owned.get_mut(&partition) else { return Ok(false) };
            // What stands behind the last message may be markers that nobody reads; what is not decided
            // yet may still come.
            let Bounds { stable, end, .. } = self.log.bounds(topic, partition)?;
            if stable < end {
                return Ok(false);
            }
            let from = owned.next.max(owned.nothing_until);
            let mut more = false;
            if from < stable {
                self.log.scan(topic, partition, from, stable, &mut |_| {
                    more = true;
                    false
                })?;
            }
            if more {
                return Ok(false);
            }
            owned.nothing_until = stable;
        }
        Ok(true)
    }

    /// One round of the loop.
    pub fn turn(&mut self, wait: Duration) -> Result<Turn, Stop> {
        let turned = self.try_turn(wait);
        Ok(self.recovered(turned)?.unwrap_or(Turn::Worked))
    }

    /// Commits what is decided, so that what the stations hold has surely happened: true if it has. If
    /// the commit was lost, the worker restores instead, as after any turn.
    pub fn come_to_rest(&mut self) -> Result<bool, Stop> {
        let drained = self.drain();
        Ok(self.recovered(drained)?.is_some())
    }

    /// What came of something, or none if all that is not committed had to be dropped for it.
    fn recovered<T>(&mut self, outcome: Result<T, Stop>) -> Result<Option<T>, Stop> {
        match outcome {
            Err(Stop::Log(Error::Uncommitted(why))) => {
                StepLost { consumer: &self.consumer, why: &why }.tell();
            }
            Err(Stop::Restore(why)) => tracing::warn!(worker = ?self, why, "restoring"),
            Err(Stop::Away(why)) => {
                tracing::warn!(worker = ?self, why, "trying again");
                self.away = Some((why, Instant::now()));
                std::thread::sleep(TRY_AGAIN_AFTER);
            }
            Err(Stop::Log(Error::Passing(why))) => {
                LogAway { consumer: &self.consumer, why: &why }.tell();
                std::thread::sleep(TRY_AGAIN_AFTER);
            }
            other => {
                match self.stands() {
                    Some(why) => self.progress.stands(&why),
                    None => self.progress.note(),
                }
                return other.map(Some);
            }
        }
        // Part of a step or of an assignment may be done and part not: only what is committed counts.
        self.progress.turned();
        self.forget();
        Ok(None)
    }

    /// Why it does not get on, though the log is there. Whoever is away is asked again and again, with a restart
    /// between, and what comes before that message is taken each time.
    fn stands(&self) -> Option<String> {
        let away = self.away.as_ref().filter(|(_, at)| at.elapsed() < ASKED_AGAIN_WITHIN);
        away.map(|(why, _)| why.clone()).or_else(|| self.owned.values().find_map(Owned::stands))
    }

    fn try_turn(&mut self, wait: Duration) -> Result<Turn, Stop> {
        self.join()?;
        let mut worked = self.poll(wait.min(self.patience()))?;
        self.has_more = self.idle()?;
        self.is_level &= !self.has_more;
        worked |= self.has_more;
        worked |= self.finish_commit(Duration::ZERO)?;
        worked |= self.begin_commit()?;
        worked |= self.underway.is_some() || self.collecting_since.is_some();
        Ok(if worked { Turn::Worked } else { Turn::Idle })
    }

    /// Commits what is decided and leaves the group.
    pub fn stop(&mut self) -> Result<(), Stop> {
        self.let_end(|_| true)?;
        self.drain()?;
        self.forget();
        Ok(())
    }

    fn join(&mut self) -> Result<(), Stop> {
        if self.member.is_none() {
            self.joined = Some(Instant::now());
            self.member = Some(self.log.join(&self.options.membership)?);
        }
        Ok(())
    }

    /// Drops all that is not committed, and everything that stood on it.
    fn forget(&mut self) {
        self.member = None;
        self.owned.clear();
        self.underway = None;
        self.collecting_since = None;
        self.messages = 0;
    }

    fn poll(&mut self, wait: Duration) -> Result<bool, Stop> {
        self.read_again()?;
        if self.underway.is_some() && self.collected_bytes() >= self.options.step_bytes_max {
            // The next step is full, and cannot go out before the last one is decided.
            return self.finish_commit(wait);
        }
        let Some(member) = self.member.as_mut() else { return Ok(false) };
        let (owned, mut took, mut stop) = (&mut self.owned, 0, None);
        let change = member.poll(wait, &mut |messages| {
            reach(Point::Read);
            if stop.is_none() {
                match take(owned, messages) {
                    Ok(some) => took += some,
                    Err(why) => stop = Some(why),
                }
            }
        })?;
        if let Some(stop) = stop {
            return Err(stop);
        }
        self.is_level = took == 0;
        if took > 0 {
            self.messages += took;
            self.collecting_since.get_or_insert_with(Instant::now);
            self.check_time()?;
        }
        match change {
            Some(Change::Assigned(partitions)) => self.restore(&partitions)?,
            Some(Change::Revoked(partitions)) => self.release(&partitions)?,
            None => return Ok(took > 0),
        }
        Ok(true)
    }

    /// Time on the log that is far ahead of this machine's clock would bill and expire before its time.
    fn check_time(&self) -> Result<(), Stop> {
        let now = self.clock.now();
        let ahead = |owned: &&Owned<S>| owned.station.time() > now.plus(AHEAD_MAX);
        match self.owned.values().find(ahead) {
            None => Ok(()),
            Some(owned) => Err(Stop::Broken(format!(
                "{} is at {}, but this machine's clock shows {now}: set the clocks of the machines that \
                 write to the log, or this one's, and start again",
                self.options.membership.topic,
                owned.station.time()
            ))),
        }
    }

    /// Goes back to the messages that were passed over, where the station takes again.
    fn read_again(&mut self) -> Result<(), Stop> {
        let mut places = BTreeMap::new();
        for (partition, owned) in &mut self.owned {
            if owned.passed_over && owned.station.holds().is_none() {
                tracing::info!(partition, "messages are taken again");
                places.insert(*partition, owned.next);
                owned.passed_over = false;
            }
        }
        match self.member.as_mut() {
            Some(member) if !places.is_empty() => Ok(member.resume(&places)?),
            _ => Ok(()),
        }
    }

    fn idle(&mut self) -> Result<bool, Stop> {
        let now = self.clock.now();
        let mut more = false;
        for owned in self.owned.values_mut() {
            let before = owned.output.bytes();
            more |= owned.station.idle(now, &mut owned.output)?;
            owned.dirty |= owned.output.bytes() != before || owned.output.urgent;
            if owned.dirty {
                self.collecting_since.get_or_insert_with(Instant::now);
            }
        }
        Ok(more)
    }

    fn finish_commit(&mut self, wait: Duration) -> Result<bool, Stop> {
        let (Some(underway), Some(member)) = (self.underway, self.member.as_mut()) else {
            return Ok(false);
        };
        let Some(outcome) = member.outcome(wait) else { return Ok(false) };
        self.underway = None;
        outcome?;
        reach(Point::Committed);
        for owned in self.owned.values_mut() {
            owned.station.committed()?;
        }
        self.forget_needless()?;
        let Underway { began, messages, appends, bytes } = underway;
        self.last_commit = began.elapsed();
        let (consumer, took) = (&self.consumer, self.last_commit);
        StepCommitted { consumer, messages, appends, bytes, took }.tell();
        Ok(true)
    }

    fn collected_bytes(&self) -> usize {
        self.owned.values().map(|owned| owned.output.bytes() + owned.station.unsaid_bytes()).sum()
    }

    /// How long a step is collected. If nothing more is there to collect, it goes out as soon as that pays.
    fn interval(&self, is_level: bool) -> Duration {
        match self.options.commit_interval {
            Duration::ZERO => Duration::ZERO,
            interval => {
                let least = if is_level { self.log.commits_pay_after() } else { interval };
                let last = self.last_commit.saturating_mul(2).min(LAST_COMMIT_MAX);
                least.min(interval).max(last)
            }
        }
    }

    /// How long it may wait for messages before it looks after its commits again.
    fn patience(&self) -> Duration {
        match (self.underway, self.collecting_since) {
            (Some(underway), _) => UNDERWAY_WAIT.max(underway.began.elapsed() / 8),
            (None, _) if self.has_more => Duration::ZERO,
            (None, Some(since)) => self.interval(true).saturating_sub(since.elapsed()),
            (None, None) => Duration::MAX,
        }
    }

    fn is_due(&self) -> bool {
        let Some(since) = self.collecting_since else { return false };
        since.elapsed() >= self.interval(self.is_level)
            || self.collected_bytes() >= self.options.step_bytes_max
            || self.owned.values().any(|owned| owned.output.urgent)
    }

    fn begin_commit(&mut self) -> Result<bool, Stop> {
        if self.underway.is_some() || !self.is_due() {
            return Ok(false);
        }
        self.commit()?;
        Ok(true)
    }

    /// Begins to commit all that was read and decided. None may be under way.
    fn commit(&mut self) -> Result<(), Stop> {
        self.collecting_since = None;
        let commit = self.step()?;
        let Some(member) = self.member.as_mut() else { return Ok(()) };
        reach(Point::Decided);
        let bytes = commit.appends.iter().map(|append| append.value.len()).sum();
        let (appends, messages) = (commit.appends.len(), std::mem::take(&mut self.messages));
        member.commit(commit)?;
        self.underway = Some(Underway { began: Instant::now(), messages, appends, bytes });
        Ok(())
    }

    /// Everything that was read and decided since the last commit, as one commit.
    fn step(&mut self) -> Result<Commit, Stop> {
        let mut commit = Commit::default();
        for (partition, owned) in self.owned.iter_mut().filter(|(_, owned)| owned.dirty) {
            owned.station.finish(&mut owned.output)?;
            let output = std::mem::take(&mut owned.output);
            owned.dirty = false;
            commit.read.insert(*partition, owned.next);
            commit.appends.extend(output.appends);
            let version = self.options.rules_version;
            let (schema, delta) = (S::DELTA.fingerprint(), &output.delta);
            let mut frames = owned.chain.extend(*partition, owned.next, version, schema, delta);
            owned.snapshot.delta_bytes += output.delta.len() as u64;
            let (now, changed) = (self.clock.now(), output.delta.len());
            let mut left = changed.saturating_mul(FASTER).max(BYTES_OF_STEP_MIN);
            while left > 0 {
                let piece = next_piece(&*self.log, &self.options, *partition, now, left, owned)?;
                let Some(piece) = piece else { break };
                left = if piece.last { 0 } else { left.saturating_sub(piece.payload.0.len()) };
                frames.push(piece);
            }
            for mut frame in frames {
                frame.snapshot = owned.snapshot.whole.newest().0;
                commit.appends.push(Append {
                    topic: self.options.state_topic.clone(),
                    partition: *partition,
                    value: schemas::FRAME.message(&frame),
                });
            }
        }
        Ok(commit)
    }

    /// Commits what is decided, and waits for it.
    fn drain(&mut self) -> Result<(), Stop> {
        self.wait_for_commit()?;
        if self.owned.values().any(|owned| owned.dirty) {
            self.commit()?;
            self.wait_for_commit()?;
        }
        self.collecting_since = None;
        Ok(())
    }

    fn wait_for_commit(&mut self) -> Result<(), Stop> {
        while self.underway.is_some() {
            self.finish_commit(Duration::from_secs(1))?;
        }
        Ok(())
    }

    /// Waits for what is under way outside for partitions that are about to be given up.
    fn let_end(&mut self, leaves: impl Fn(u32) -> bool) -> Result<(), Stop> {
        let began = Instant::now();
        loop {
            let leaving = self.owned.iter_mut().filter(|(partition, _)| leaves(**partition));
            let under_way = leaving.filter_map(|(_, owned)| owned.station.leaves().then_some(()));
            let under_way = under_way.count() > 0;
            self.idle()?;
            if !under_way || began.elapsed() > LEAVES_WITHIN {
                return Ok(());
            }
            std::thread::sleep(LOOKS_EVERY);
        }
    }

    fn release(&mut self, partitions: &[u32]) -> Result<(), Stop> {
        self.let_end(|partition| partitions.contains(&partition))?;
        self.drain()?;
        for partition in partitions {
            self.owned.remove(partition);
        }
        owns(&self.consumer, self.owned.len());
        if let Some(member) = self.member.as_mut() {
            member.release(partitions)?;
        }
        give_back();
        Ok(())
    }
}

/// Time on the log may be this far ahead of the worker's clock.
const AHEAD_MAX: Span = Span::minutes(5);

/// How long partitions that are given up wait at most for what is under way outside. What takes longer is
/// asked for again by whoever comes next.
const LEAVES_WITHIN: Duration = Duration::from_secs(60);
const LOOKS_EVERY: Duration = Duration::from_millis(2);

/// The end of a commit is noticed this late at most while nothing else comes, or by an eighth of its time.
const UNDERWAY_WAIT: Duration = Duration::from_millis(1);
/// A commit that took longer than this makes the next step wait no longer.
const LAST_COMMIT_MAX: Duration = Duration::from_secs(1);

/// How long a worker rests when the log is not to be had.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Who was found away longer ago than this has been there since, or is not needed any more.
const ASKED_AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// Hands messages to the stations of their partitions, run by run; returns how many were taken.
fn take<S: Station>(
    owned: &mut BTreeMap<u32, Owned<S>>,
    messages: &[Message<'_>],
) -> Result<u64, Stop> {
    let mut took = 0;
    for run in messages.chunk_by(|a, b| a.partition == b.partition) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let Some(owned) = owned.get_mut(&first.partition) else { continue };
        if owned.passed_over {
            continue;
        }
        if let Some(held) = owned.station.holds() {
            let partition = first.partition;
            match held {
                Held::Waits(why) => tracing::warn!(partition, why, "no messages are taken"),
                Held::Stands(why) => tracing::error!(partition, why, "no messages are taken"),
            }
            owned.passed_over = true;
            continue;
        }
        owned.station.take(Input { messages: run }, &mut owned.output)?;
        owned.next = last.offset.next();
        owned.dirty = true;
        took += run.len() as u64;
    }
    Ok(took)
}
