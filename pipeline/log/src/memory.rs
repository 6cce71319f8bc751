//! The log in memory: for rehearsals, which need it exact and immediate, and for simulation, which
//! needs it late, torn over partitions and unreliable, from a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drawdown_domain::time::Timestamp;

use crate::{Bounds, Change, Commit, Error, Log, Member, Membership, Message, Next, Offset};

/// How often, in a thousand, something goes wrong. All zero: nothing ever does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub seed: u64,
    /// A commit takes place, and its member is not told.
    pub answer_lost_per_mille: u16,
    /// A commit does not take place, and its member is not told.
    pub commit_lost_per_mille: u16,
    /// A commit becomes visible later, at another time in each partition: once somebody has looked at
    /// that partition a few times.
    pub visible_late_per_mille: u16,
}

/// A log in memory, shared by clones.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Mutex<Shared>>,
    /// Something may have come for those who wait.
    came: Arc<Condvar>,
}

struct Shared {
    topics: BTreeMap<String, Vec<Partition>>,
    /// By group, topic and partition.
    committed: BTreeMap<(String, String, u32), Next>,
    members: BTreeMap<String, Group>,
    faults: Faults,
    random: u64,
}

#[derive(Default)]
struct Partition {
    first: i64,
    messages: VecDeque<Stored>,
    /// Messages below this are visible.
    visible: i64,
    /// How often somebody has to look until the others are.
    looks_until_visible: u64,
}

/// A commit that is visible late is so after at most as many looks.
const LATE_LOOKS_MAX: u64 = 8;

struct Stored {
    at: Timestamp,
    value: Arc<[u8]>,
}

#[derive(Default)]
struct Group {
    /// Instance and epoch of each member; a newer epoch fences an older one.
    members: BTreeMap<String, u64>,
    /// The epoch of the member that each partition belongs to, until that member gives it up or is
    /// fenced.
    owners: BTreeMap<u32, u64>,
    /// Counts changes of members and owners.
    generation: u64,
    epochs: u64,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} topics)", self.lock().topics.len())
    }
}

impl Memory {
    /// A log with these topics, each with so many partitions.
    pub fn new<'a>(topics: impl IntoIterator<Item = (&'a str, u32)>, faults: Faults) -> Memory {
        let partitions = |count: u32| (0..count).map(|_| Partition::default()).collect();
        let topics = topics.into_iter().map(|(name, count)| (name.to_owned(), partitions(count)));
        let shared = Shared {
            topics: topics.collect(),
            committed: BTreeMap::new(),
            members: BTreeMap::new(),
            faults,
            random: faults.seed,
        };
        Memory { shared: Arc::new(Mutex::new(shared)), came: Arc::default() }
    }

    /// Makes all that is committed visible, as time would.
    pub fn settle(&self) {
        for partition in self.lock().topics.values_mut().flatten() {
            partition.show_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Partition {
    fn end(&self) -> i64 {
        self.first.saturating_add(i64::try_from(self.messages.len()).unwrap_or(i64::MAX))
    }

    fn at(&self, offset: i64) -> Option<&Stored> {
        self.messages.get(usize::try_from(offset.checked_sub(self.first)?).ok()?)
    }

    fn push(&mut self, at: Timestamp, value: Arc<[u8]>, late_looks: u64) {
        self.messages.push_back(Stored { at, value });
        self.looks_until_visible = late_looks;
        if late_looks == 0 {
            self.show_all();
        }
    }

    fn show_all(&mut self) {
        self.visible = self.end();
        self.looks_until_visible = 0;
    }

    /// Somebody looks at what is visible: time goes on.
    fn look(&mut self) {
        if self.visible < self.end() {
            match self.looks_until_visible.checked_sub(1) {
                Some(left) if left > 0 => self.looks_until_visible = left,
                _ => self.show_all(),
            }
        }
    }

    /// Where a reader really begins. One at the very start begins with the oldest message that is kept;
    /// any other must not skip messages in silence.
    fn begin(&self, next: Next) -> Result<Next, Error> {
        match next {
            next if next.0 >= self.first => Ok(next),
            Next::START => Ok(Next(self.first)),
            Next(next) => Err(Error::Fatal(format!(
                "the messages before {} are forgotten, and a reader would go on at {next}",
                self.first
            ))),
        }
    }
}

impl Shared {
    /// SplitMix64: small, seeded, and good enough to choose faults.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn chance(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && self.random() % 1_000 < u64::from(per_mille)
    }

    fn partition(&mut self, topic: &str, partition: u32) -> Result<&mut Partition, Error> {
        let known = self.topics.get_mut(topic).and_then(|known| known.get_mut(partition as usize));
        known.ok_or_else(|| Error::Fatal(format!("there is no partition {partition} of {topic}")))
    }

    /// Applies all of a commit, or nothing if it names a partition that is not there.
    fn apply(&mut self, membership: &Membership, commit: Commit) -> Result<(), Error> {
        for append in &commit.appends {
            self.partition(&append.topic, append.partition)?;
        }
        for partition in commit.read.keys() {
            self.partition(&membership.topic, *partition)?;
        }
        let late_per_mille = self.faults.visible_late_per_mille;
        let mut late_looks: BTreeMap<(String, u32), u64> = BTreeMap::new();
        for append in commit.appends {
            let place = (append.topic.clone(), append.partition);
            let late_looks = match late_looks.get(&place) {
                Some(known) => *known,
                None => {
                    let late = self.chance(late_per_mille);
                    let looks = if late { 1 + self.random() % LATE_LOOKS_MAX } else { 0 };
                    *late_looks.entry(place).or_insert(looks)
                }
            };
            let partition = self.partition(&append.topic, append.partition)?;
            partition.push(Timestamp::START, append.value.into(), late_looks);
        }
        let Membership { group, topic, .. } = membership;
        for (partition, next) in commit.read {
            self.committed.insert((group.clone(), topic.clone(), partition), next);
        }
        Ok(())
    }
}

impl Group {
    /// Lets a member in, and its former self out with all it owned.
    fn join(&mut self, instance: &str) -> u64 {
        self.epochs = self.epochs.wrapping_add(1);
        self.generation = self.generation.wrapping_add(1);
        if let Some(former) = self.members.insert(instance.to_owned(), self.epochs) {
            self.owners.retain(|_, owner| *owner != former);
        }
        self.epochs
    }

    fn release(&mut self, epoch: u64, partitions: &[u32]) {
        self.generation = self.generation.wrapping_add(1);
        self.owners.retain(|partition, owner| *owner != epoch || !partitions.contains(partition));
    }

    /// Partitions are dealt out in turn to the members in the order of their names.
    fn share(&self, instance: &str, partitions: u32) -> BTreeSet<u32> {
        let own = self.members.keys().position(|known| known == instance);
        let members = self.members.len().max(1);
        let mine = |partition: &u32| own == (*partition as usize).checked_rem(members);
        (0..partitions).filter(mine).collect()
    }
}

impl Log for Memory {
    fn join(&self, membership: &Membership) -> Result<Box<dyn Member>, Error> {
        let mut shared = self.lock();
        let count = shared.topics.get(&membership.topic).map(Vec::len);
        let count =
            count.ok_or_else(|| Error::Fatal(format!("there is no topic {}", membership.topic)))?;
        let group = shared.members.entry(membership.group.clone()).or_default();
        let epoch = group.join(&membership.instance);
        Ok(Box::new(MemoryMember {
            log: self.clone(),
            membership: membership.clone(),
            partitions: u32::try_from(count).unwrap_or(u32::MAX),
            epoch,
            generation: 0,
            owned: BTreeSet::new(),
            places: BTreeMap::new(),
            outcome: None,
        }))
    }

    fn append(
        &self,
        topic: &str,
        partition: u32,
        at: Timestamp,
        values: &[&[u8]],
    ) -> Result<Next, Error> {
        let mut shared = self.lock();
        let place = shared.partition(topic, partition)?;
        for value in values {
            place.push(at, (*value).into(), 0);
        }
        self.came.notify_all();
        Ok(Next(place.end()))
    }

    fn scan(
        &self,
        topic: &str,
        partition: u32,
        from: Next,
        until: Next,
        visit: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<Next, Error> {
        let mut offset = {
            let mut shared = self.lock();
            let place = shared.partition(topic, partition)?;
            place.look();
            from.0.max(place.first)
        };
        while offset < until.0 {
            let (at, value) = {
                let mut shared = self.lock();
                let place = shared.partition(topic, partition)?;
                match place.at(offset).filter(|_| offset < place.visible) {
                    Some(stored) => (stored.at, stored.value.clone()),
                    None => break,
                }
            };
            let message = Message { partition, offset: Offset(offset), at, value: &value };
            offset = offset.saturating_add(1);
            if !visit(message) {
                break;
            }
        }
        Ok(Next(offset))
    }

    fn bounds(&self, topic: &str, partition: u32) -> Result<Bounds, Error> {
        let mut shared = self.lock();
        let place = shared.partition(topic, partition)?;
        place.look();
        Ok(Bounds { first: Next(place.first), stable: Next(place.visible), end: Next(place.end()) })
    }

    fn committed(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Next>, Error> {
        let key = (group.to_owned(), topic.to_owned(), partition);
        Ok(self.lock().committed.get(&key).copied())
    }

    fn truncate(&self, topic: &str, partition: u32, before: Next) -> Result<(), Error> {
        let mut shared = self.lock();
        let place = shared.partition(topic, partition)?;
        while place.first < before.0.min(place.visible) && place.messages.pop_front().is_some() {
            place.first = place.first.saturating_add(1);
        }
        Ok(())
    }

    fn partitions(&self, topic: &str) -> Result<u32, Error> {
        let count = self.lock().topics.get(topic).map_or(0, Vec::len);
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn commits_pay_after(&self) -> Duration {
        Duration::from_millis(2)
    }
}

/// A message that was taken: its partition, offset, time and value.
type Taken = (u32, i64, Timestamp, Arc<[u8]>);

struct MemoryMember {
    log: Memory,
    membership: Membership,
    partitions: u32,
    epoch: u64,
    generation: u64,
    owned: BTreeSet<u32>,
    places: BTreeMap<u32, Next>,
    outcome: Option<Result<(), Error>>,
}

impl fmt::Debug for MemoryMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryMember({} of {})", self.membership.instance, self.membership.group)
    }
}

impl MemoryMember {
    fn group<'s>(&self, shared: &'s mut Shared) -> Result<&'s mut Group, Error> {
        let group = shared.members.get_mut(&self.membership.group);
        group
            .filter(|group| group.members.get(&self.membership.instance) == Some(&self.epoch))
            .ok_or_else(|| Error::Fenced(format!("{} joined again", self.membership.instance)))
    }

    /// What has to be given up, or else what is free and belongs to this member's share.
    fn change(&mut self, shared: &mut Shared) -> Result<Option<Change>, Error> {
        let group = self.group(shared)?;
        if group.generation == self.generation {
            return Ok(None);
        }
        let share = group.share(&self.membership.instance, self.partitions);
        let lost: Vec<u32> = self.owned.difference(&share).copied().collect();
        if !lost.is_empty() {
            return Ok(Some(Change::Revoked(lost)));
        }
        let is_free = |partition: &&u32| !group.owners.contains_key(*partition);
        let gained: Vec<u32> = share.difference(&self.owned).filter(is_free).copied().collect();
        group.owners.extend(gained.iter().map(|partition| (*partition, self.epoch)));
        self.generation = group.generation;
        self.owned.extend(&gained);
        Ok((!gained.is_empty()).then_some(Change::Assigned(gained)))
    }

    /// Takes what has come, unless partitions come or go.
    fn take(
        &mut self,
        shared: &mut Shared,
        taken: &mut Vec<Taken>,
    ) -> Result<Option<Change>, Error> {
        const MESSAGES_MAX: usize = 1_000;
        if let Some(change) = self.change(shared)? {
            return Ok(Some(change));
        }
        for (partition, next) in &mut self.places {
            let place = shared.partition(&self.membership.topic, *partition)?;
            place.look();
            *next = place.begin(*next)?;
            while taken.len() < MESSAGES_MAX && next.0 < place.visible {
                let Some(stored) = place.at(next.0) else { break };
                taken.push((*partition, next.0, stored.at, stored.value.clone()));
                *next = Offset(next.0).next();
            }
        }
        Ok(None)
    }
}

impl Member for MemoryMember {
    fn poll(
        &mut self,
        wait: Duration,
        visit: &mut dyn FnMut(&[Message<'_>]),
    ) -> Result<Option<Change>, Error> {
        let mut taken = Vec::new();
        {
            let log = self.log.clone();
            let mut shared = log.lock();
            if let Some(change) = self.take(&mut shared, &mut taken)? {
                return Ok(Some(change));
            }
            if taken.is_empty() && !wait.is_zero() {
                let waited = log.came.wait_timeout(shared, wait);
                let (mut shared, _) = waited.unwrap_or_else(PoisonError::into_inner);
                if let Some(change) = self.take(&mut shared, &mut taken)? {
                    return Ok(Some(change));
                }
            }
        }
        if !taken.is_empty() {
            let messages: Vec<Message<'_>> = taken
                .iter()
                .map(|(partition, offset, at, value)| Message {
                    partition: *partition,
                    offset: Offset(*offset),
                    at: *at,
                    value,
                })
                .collect();
            visit(&messages);
        }
        Ok(None)
    }

    fn resume(&mut self, from: &BTreeMap<u32, Next>) -> Result<(), Error> {
        self.places.extend(from.iter().map(|(partition, next)| (*partition, *next)));
        Ok(())
    }

    fn release(&mut self, partitions: &[u32]) -> Result<(), Error> {
        for partition in partitions {
            self.owned.remove(partition);
            self.places.remove(partition);
        }
        if let Ok(group) = self.group(&mut self.log.clone().lock()) {
            group.release(self.epoch, partitions);
        }
        Ok(())
    }

    fn commit(&mut self, commit: Commit) -> Result<(), Error> {
        let mut shared = self.log.lock();
        self.group(&mut shared)?;
        if self.outcome.is_some() {
            return Err(Error::Fatal("a commit of this member is under way already".to_owned()));
        }
        let faults = shared.faults;
        let lost = shared.chance(faults.commit_lost_per_mille);
        if !lost {
            shared.apply(&self.membership, commit)?;
            self.log.came.notify_all();
        }
        let untold = lost || shared.chance(faults.answer_lost_per_mille);
        self.outcome = Some(if untold {
            Err(Error::Uncommitted("no answer came".to_owned()))
        } else {
            Ok(())
        });
        Ok(())
    }

    fn outcome(&mut self, _wait: Duration) -> Option<Result<(), Error>> {
        self.outcome.take()
    }
}
