//! The loop: read a topic, cut it into blocks, insert them, and commit how far it has come.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use drawdown_domain::time::Timestamp;
use drawdown_log::{Bounds, Change, Commit, Error, Log, Member, Membership, Next, Point, reach};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Progress, Stop};
use drawdown_wire::topics::{Topic, Topics};
use futures_util::future::join_all;
use metrics::{counter, gauge};
use tokio::runtime::{Builder, Runtime};

use crate::blocks::{Claim, Lane, newest};
use crate::counting::{Counting, Places};
use crate::held::{Held, Kind};
use crate::migrations::{MIGRATIONS, claim, migrate};
use crate::outage::Outage;
use crate::projecting::{self, PROJECTIONS};
use crate::store::{Store, StoreOptions, Trouble};

/// What ANALYTICS is told.
#[derive(Clone, Debug)]
pub struct AnalyticsOptions {
    pub store: StoreOptions,
    /// Names the installation for ever; the database of another one is refused. None: whoever's it is.
    pub installation: Option<String>,
    /// Precedes the names of groups.
    pub group_prefix: String,
    /// Names this process among those that share the work; stable over restarts.
    pub instance: String,
    /// How long rows of a partition that is not quiet wait for others to be inserted with.
    pub insert_after: Duration,
    /// A partition whose messages have come to this is inserted at once.
    pub block_bytes_max: usize,
    /// So much of a topic is kept in memory at most while ClickHouse is slow or away.
    pub kept_bytes_max: usize,
}

impl AnalyticsOptions {
    /// The usual limits.
    pub fn new(store: StoreOptions) -> AnalyticsOptions {
        AnalyticsOptions {
            store,
            installation: None,
            group_prefix: String::new(),
            instance: "1".to_owned(),
            insert_after: Duration::from_secs(1),
            block_bytes_max: 8 << 20,
            kept_bytes_max: 32 << 20,
        }
    }
}

/// The group that reads a topic; `prefix` precedes the names of an installation's groups.
pub fn group_of(prefix: &str, topic: Topic) -> String {
    format!("{prefix}analytics.{}", topic.name())
}

/// What the fillers of a process share.
#[derive(Debug)]
pub struct Analytics {
    options: AnalyticsOptions,
    log: Arc<dyn Log>,
    topics: Topics,
    outage: Outage,
    /// Whether the tables are made.
    is_migrated: Mutex<bool>,
    /// Tells this process from all others, former ones among them.
    name: String,
}

impl Analytics {
    pub fn new(options: AnalyticsOptions, log: Arc<dyn Log>, topics: Topics) -> Arc<Analytics> {
        let began = Clock::Real.now().as_micros();
        let name = format!("{}.{}.{began}", options.instance, std::process::id());
        let (outage, is_migrated) = (Outage::default(), Mutex::new(false));
        Arc::new(Analytics { options, log, topics, outage, is_migrated, name })
    }

    /// A filler for each topic.
    pub fn fillers(self: &Arc<Self>) -> std::io::Result<Vec<Filler>> {
        let topics = PROJECTIONS.iter().map(|(topic, _)| *topic).chain([Topic::Usage]);
        topics.map(|topic| Filler::new(self.clone(), topic)).collect()
    }
}

/// Reads one topic into ClickHouse.
pub struct Filler {
    shared: Arc<Analytics>,
    topic: Topic,
    store: Store,
    runtime: Runtime,
    member: Option<Box<dyn Member>>,
    /// Assigned, and where to begin is not known yet.
    unplaced: Vec<u32>,
    held: BTreeMap<u32, Held>,
    /// Nothing is tried before this: what is wrong does not pass by itself.
    rests_until: Option<Instant>,
    progress: Progress,
}

impl fmt::Debug for Filler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filler({})", self.topic.name())
    }
}

/// After trouble that does not pass by itself.
const REST: Duration = Duration::from_secs(15);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);
const COMMITTED_WITHIN: Duration = Duration::from_secs(30);

/// What keeps a filler from going on.
enum Halt {
    Trouble(Trouble),
    Log(Error),
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Halt {
        Halt::Trouble(trouble)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Log(error)
    }
}

impl Filler {
    fn new(shared: Arc<Analytics>, topic: Topic) -> std::io::Result<Filler> {
        Ok(Filler {
            store: Store::new(shared.options.store.clone()),
            runtime: Builder::new_current_thread().enable_all().build()?,
            shared,
            topic,
            member: None,
            unplaced: Vec::new(),
            held: BTreeMap::new(),
            rests_until: None,
            progress: Progress::default(),
        })
    }

    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// Shows from outside whether it gets on.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// One round of the loop. Only what the log cannot recover from ends it: ClickHouse is waited for.
    pub fn turn(&mut self, wait: Duration) -> Result<(), Stop> {
        match self.try_turn(wait) {
            Ok(()) => {
                if self.waits_for_nothing() {
                    self.progress.note();
                } else {
                    self.progress.turned();
                }
            }
            Err(Halt::Trouble(trouble)) => self.troubled(&trouble),
            Err(Halt::Log(Error::Passing(why) | Error::Uncommitted(why))) => {
                tracing::warn!(topic = self.topic.name(), error = why, "reading anew");
                self.progress.turned();
                self.forget();
                std::thread::sleep(TRY_AGAIN_AFTER);
            }
            Err(Halt::Log(error)) => return Err(error.into()),
        }
        Ok(())
    }

    /// All that it has read is in ClickHouse, and that is all there is to read for now.
    pub fn is_idle(&self) -> bool {
        let has_all = |(partition, held): (&u32, &Held)| {
            let bounds = self.shared.log.bounds(self.topic_name(), *partition);
            held.is_empty() && bounds.is_ok_and(|bounds| held.next >= bounds.stable)
        };
        self.unplaced.is_empty() && !self.held.is_empty() && self.held.iter().all(has_all)
    }

    /// Nothing has waited longer than it should.
    fn waits_for_nothing(&self) -> bool {
        let AnalyticsOptions { insert_after, block_bytes_max, .. } = &self.shared.options;
        let patience = insert_after.saturating_mul(2);
        let waits = |held: &Held| held.waits_too_long(*block_bytes_max, patience);
        self.unplaced.is_empty() && !self.held.values().any(waits)
    }

    fn troubled(&mut self, trouble: &Trouble) {
        let why = trouble.to_string();
        self.progress.stands(&why);
        match trouble {
            Trouble::Passing(_) => {
                tracing::debug!(
                    topic = self.topic.name(),
                    error = why,
                    "ClickHouse did not take it"
                );
                self.shared.outage.found_nobody(&why);
            }
            Trouble::Permanent(_) => {
                tracing::error!(
                    topic = self.topic.name(),
                    error = why,
                    "nothing gets into ClickHouse"
                );
                self.rests_until = Instant::now().checked_add(REST);
            }
            Trouble::Overtaken(_) => {
                tracing::warn!(topic = self.topic.name(), error = why, "reading anew");
                self.forget();
            }
        }
    }

    /// Drops all that is not in ClickHouse; it is read again.
    fn forget(&mut self) {
        self.member = None;
        self.held.clear();
        self.unplaced.clear();
    }

    fn try_turn(&mut self, wait: Duration) -> Result<(), Halt> {
        self.join()?;
        self.poll(wait)?;
        self.place()?;
        self.read_again()?;
        self.fill()
    }

    fn topic_name(&self) -> &str {
        self.shared.topics.name(self.topic)
    }

    fn join(&mut self) -> Result<(), Error> {
        if self.member.is_none() {
            let options = &self.shared.options;
            let membership = Membership {
                group: group_of(&options.group_prefix, self.topic),
                topic: self.topic_name().to_owned(),
                instance: options.instance.clone(),
            };
            self.member = Some(self.shared.log.join(&membership)?);
        }
        Ok(())
    }

    fn poll(&mut self, wait: Duration) -> Result<(), Error> {
        let Some(member) = self.member.as_mut() else { return Ok(()) };
        let bytes_max = self.shared.options.kept_bytes_max;
        let held = &mut self.held;
        let mut bytes: usize = held.values().map(|held| held.bytes).sum();
        let change = member.poll(wait, &mut |messages| {
            for message in messages {
                if let Some(held) = held.get_mut(&message.partition) {
                    let before = held.bytes;
                    // One message is taken always: it may be larger than all the room there is.
                    held.take(message, bytes < bytes_max || before == 0);
                    bytes += held.bytes.saturating_sub(before);
                }
            }
        })?;
        match change {
            Some(Change::Assigned(partitions)) => self.unplaced.extend(partitions),
            Some(Change::Revoked(partitions)) => {
                self.held.retain(|partition, _| !partitions.contains(partition));
                self.unplaced.retain(|partition| !partitions.contains(partition));
                member.release(&partitions)?;
            }
            None => {}
        }
        Ok(())
    }

    /// Goes back to messages that were passed over, once half of the room is free again.
    fn read_again(&mut self) -> Result<(), Error> {
        let bytes: usize = self.held.values().map(|held| held.bytes).sum();
        if bytes > self.shared.options.kept_bytes_max / 2 {
            return Ok(());
        }
        let passed_over = self.held.iter_mut().filter(|(_, held)| held.passed_over);
        let places: BTreeMap<u32, Next> = passed_over
            .map(|(partition, held)| {
                held.passed_over = false;
                (*partition, held.next)
            })
            .collect();
        match self.member.as_mut() {
            Some(member) if !places.is_empty() => member.resume(&places),
            _ => Ok(()),
        }
    }

    /// Whether ClickHouse may be asked now.
    fn may_ask(&mut self) -> bool {
        if self.rests_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        self.rests_until = None;
        self.shared.outage.lets()
    }

    /// Finds out where to begin in partitions that were assigned.
    fn place(&mut self) -> Result<(), Halt> {
        if self.unplaced.is_empty() || !self.may_ask() {
            return Ok(());
        }
        self.make_tables()?;
        let known = self.runtime.block_on(newest(&self.store, self.topic))?;
        self.shared.outage.found_somebody();
        let mut places = BTreeMap::new();
        for partition in self.unplaced.clone() {
            let claim = known.get(&partition).copied();
            let (next, block) = self.begins(partition, claim)?;
            let kind = self.kind(partition, claim.map_or(0, |claim| claim.beside));
            self.held.insert(partition, Held::new(partition, kind, next, block));
            places.insert(partition, next);
        }
        self.unplaced.clear();
        match self.member.as_mut() {
            Some(member) => Ok(member.resume(&places)?),
            None => Ok(()),
        }
    }

    fn make_tables(&self) -> Result<(), Trouble> {
        let shared = &self.shared;
        let mut is_migrated = shared.is_migrated.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_migrated {
            if let Some(installation) = &shared.options.installation {
                self.runtime.block_on(claim(&self.store, installation))?;
            }
            self.runtime.block_on(migrate(&self.store, MIGRATIONS))?;
            *is_migrated = true;
        }
        Ok(())
    }

    fn kind(&self, partition: u32, beside: i64) -> Kind {
        if let Some(project) = projecting::of(self.topic) {
            return Kind::Plain(project);
        }
        let topics = &self.shared.topics;
        let places = Places {
            metering_group: format!("{}metering", self.shared.options.group_prefix),
            usage: topics.name(Topic::Usage).to_owned(),
            identities: topics.name(Topic::Identities).to_owned(),
            partition,
        };
        Kind::Usage(Counting::new(places, beside))
    }

    /// Where a partition is read from, and the block that may be there in part. ClickHouse says so and not the
    /// group's position, which a broker forgets and which knows nothing of a database that was dropped.
    fn begins(&self, partition: u32, claim: Option<Claim>) -> Result<(Next, Option<Claim>), Halt> {
        let (log, name) = (&self.shared.log, self.topic_name());
        let Bounds { first, end, .. } = log.bounds(name, partition)?;
        let Some(claim) = claim else { return Ok((first, None)) };
        let behind = Next(claim.last.saturating_add(1));
        let what = format!("{name} {partition}");
        if behind > end {
            return Err(Trouble::Permanent(format!(
                "ClickHouse has {what} up to {}, and it ends at {}: the log is another one; use another database, or drop this one",
                claim.last, end.0
            ))
            .into());
        }
        let group = group_of(&self.shared.options.group_prefix, self.topic);
        let is_filled = log.committed(&group, name, partition)?.is_some_and(|next| next >= behind);
        let from = if is_filled { behind } else { Next(claim.first) };
        if first > from {
            // Of what is never silent, this is a loss. Elsewhere all may have been deleted that ClickHouse has.
            if self.topic == Topic::Usage || !is_filled {
                return Err(Trouble::Permanent(format!(
                    "ClickHouse lags behind what is kept: it has {what} up to {}, and the log begins at {}; drop the database, and it is filled again from what there is",
                    from.0.saturating_sub(1),
                    first.0
                ))
                .into());
            }
            tracing::warn!(
                topic = name,
                partition,
                from = from.0,
                kept = first.0,
                "the log begins later"
            );
        }
        Ok((from.max(first), (!is_filled).then_some(claim)))
    }

    /// Inserts what is due, and commits.
    fn fill(&mut self) -> Result<(), Halt> {
        let (bytes_max, after) =
            (self.shared.options.block_bytes_max, self.shared.options.insert_after);
        let mut due: Vec<(u32, &mut Held)> = Vec::new();
        for (partition, held) in &mut self.held {
            if held.is_due(bytes_max, after) && is_ready(&*self.shared.log, held, bytes_max, after)?
            {
                due.push((*partition, held));
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let rests = self.rests_until.is_some_and(|until| Instant::now() < until);
        if rests || !self.shared.outage.lets() {
            return Ok(());
        }
        self.rests_until = None;
        let (store, topic, filler) = (&self.store, self.topic, self.shared.name.as_str());
        let filling = due.into_iter().map(|(partition, held)| async move {
            let lane = Lane { store, topic, partition, filler };
            (partition, fill_block(lane, held, bytes_max).await)
        });
        let outcomes = self.runtime.block_on(join_all(filling));
        let (mut read, mut trouble) = (BTreeMap::new(), None);
        for (partition, outcome) in outcomes {
            match outcome {
                Ok(Some(next)) => drop(read.insert(partition, next)),
                Ok(None) => {}
                Err(why) => trouble = Some(why),
            }
        }
        if !read.is_empty() {
            self.shared.outage.found_somebody();
            reach(Point::BlockFilled);
            self.commit(read)?;
        }
        trouble.map_or(Ok(()), |why| Err(why.into()))
    }

    /// The position, for whoever wants to know how far ClickHouse is.
    fn commit(&mut self, read: BTreeMap<u32, Next>) -> Result<(), Error> {
        let Some(member) = self.member.as_mut() else { return Ok(()) };
        member.commit(Commit { read, appends: Vec::new() })?;
        let outcome = member.outcome(COMMITTED_WITHIN);
        outcome.unwrap_or_else(|| Err(Error::Uncommitted("there was no answer".to_owned())))?;
        let kept: usize = self.held.values().map(|held| held.bytes).sum();
        let topic = self.topic.name();
        counter!("drawdown_analytics_commits_total", "topic" => topic).increment(1);
        gauge!("drawdown_analytics_kept_bytes", "topic" => topic).set(kept as f64);
        Ok(())
    }

    /// Leaves the group. What is not in ClickHouse is read again.
    pub fn stop(&mut self) {
        self.forget();
    }
}

/// Whether a block can be filled; of usage, what was counted of it is read for that.
fn is_ready(
    log: &dyn Log,
    held: &mut Held,
    bytes_max: usize,
    after: Duration,
) -> Result<bool, Error> {
    if let Kind::Usage(counting) = &mut held.kind {
        counting.look(log)?;
    }
    let wanted = match held.block {
        Some((claim, _)) if held.has(claim) => Some(claim),
        Some(_) => None,
        None => held.cut(bytes_max).map(|(claim, _)| claim),
    };
    let Some(Claim { first, last, .. }) = wanted else { return Ok(false) };
    if let Kind::Usage(counting) = &mut held.kind {
        counting.read(log, first, last)?;
    }
    let is_new = held.block.is_none();
    Ok(!is_new || held.is_worth(Claim { first, last, beside: 0 }, bytes_max, after))
}

/// Fills one block of a partition. Returns how far that is; nothing if somebody else cut it longer.
async fn fill_block(
    lane: Lane<'_>,
    held: &mut Held,
    bytes_max: usize,
) -> Result<Option<Next>, Trouble> {
    let (claim, sure) = match held.block {
        Some(block) => block,
        None => {
            let Some((wanted, at)): Option<(Claim, Timestamp)> = held.cut(bytes_max) else {
                return Ok(None);
            };
            let block = lane.claim(wanted, at).await?;
            held.block = Some(block);
            block
        }
    };
    if !held.has(claim) {
        return Ok(None);
    }
    let rows = held.rows(claim)?;
    // From here on some of it may be there.
    held.block = Some((claim, None));
    lane.fill(claim, rows, sure).await?;
    held.filled(claim);
    Ok(Some(Next(claim.last.saturating_add(1))))
}
