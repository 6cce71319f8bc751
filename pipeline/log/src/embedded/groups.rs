//! Who shares the partitions of a topic: members of a group within this process.
//!
//! Partitions are dealt out in turn to the members in the order of their names. A partition goes to
//! its next owner only once the former one gave it up, was fenced, or stayed away too long; so no
//! two members ever work on it. Nothing here touches messages or the disk: after a restart the
//! members join anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::published::{Bell, GroupKey};
use crate::{Change, Error, Next};

#[derive(Debug)]
struct Joined {
    /// A newer epoch of the same instance fences an older one.
    epoch: u64,
    bell: Arc<Bell>,
    /// Since when the member is gone without another of its instance having joined.
    absent_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct State {
    members: BTreeMap<String, Joined>,
    /// The epoch of the member that each partition belongs to, until that member gives it up.
    owners: BTreeMap<u32, u64>,
    epochs: u64,
}

#[derive(Debug)]
pub(super) struct Group {
    key: GroupKey,
    partitions: u32,
    /// How long the partitions of a member that is gone wait for its instance to come back.
    absence_max: Duration,
    state: Mutex<State>,
    /// Counts changes of members and owners. A member that has seen the current count has nothing
    /// to look at.
    changes: AtomicU64,
    some_are_absent: AtomicBool,
}

/// What a member has been told of its partitions.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) held: BTreeSet<u32>,
    /// Those of the held ones that are to be given up.
    pub(super) revoked: BTreeSet<u32>,
    seen: u64,
}

impl Group {
    pub(super) fn new(key: GroupKey, partitions: u32, absence_max: Duration) -> Group {
        Group {
            key,
            partitions,
            absence_max,
            state: Mutex::default(),
            changes: AtomicU64::new(1),
            some_are_absent: AtomicBool::new(false),
        }
    }

    pub(super) fn key(&self) -> &GroupKey {
        &self.key
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody looks again at what is theirs.
    fn changed(&self, state: &State) {
        self.changes.fetch_add(1, Ordering::Release);
        let absent = state.members.values().any(|member| member.absent_since.is_some());
        self.some_are_absent.store(absent, Ordering::Release);
        state.members.values().for_each(|member| member.bell.ring());
    }

    /// Lets an instance in and returns its epoch. A former member of that instance is fenced: it
    /// owns nothing from now on.
    pub(super) fn join(&self, instance: &str, bell: &Arc<Bell>) -> u64 {
        let mut state = self.lock();
        state.epochs += 1;
        let epoch = state.epochs;
        let joined = Joined { epoch, bell: bell.clone(), absent_since: None };
        if let Some(former) = state.members.insert(instance.to_owned(), joined) {
            state.owners.retain(|_, owner| *owner != former.epoch);
            former.bell.ring();
        }
        self.changed(&state);
        epoch
    }

    /// The member is gone. Its partitions wait a while for another of its instance.
    pub(super) fn leave(&self, instance: &str, epoch: u64) {
        let mut state = self.lock();
        let own = state.members.get_mut(instance).filter(|member| member.epoch == epoch);
        if let Some(own) = own {
            own.absent_since = Some(Instant::now());
            self.changed(&state);
        }
    }

    fn expel_absent(&self, state: &mut State) {
        let now = Instant::now();
        let expired = |member: &Joined| {
            member
                .absent_since
                .is_some_and(|since| now.saturating_duration_since(since) >= self.absence_max)
        };
        let gone: Vec<u64> = state
            .members
            .values()
            .filter(|member| expired(member))
            .map(|gone| gone.epoch)
            .collect();
        if !gone.is_empty() {
            state.members.retain(|_, member| !gone.contains(&member.epoch));
            state.owners.retain(|_, owner| !gone.contains(owner));
            self.changed(state);
        }
    }

    /// When the next member that is gone will have stayed away too long.
    pub(super) fn next_expulsion(&self) -> Option<Instant> {
        if !self.some_are_absent.load(Ordering::Acquire) {
            return None;
        }
        let state = self.lock();
        let absent = state.members.values().filter_map(|member| member.absent_since);
        absent.min().and_then(|since| since.checked_add(self.absence_max))
    }

    /// What a member should own. `members` holds its name.
    fn share(&self, state: &State, instance: &str) -> BTreeSet<u32> {
        let own = state.members.keys().position(|name| name == instance);
        let members = state.members.len().max(1);
        (0..self.partitions)
            .filter(|partition| own == Some(*partition as usize % members))
            .collect()
    }

    /// Whether this member, which may since have been fenced, has partitions to take up or give up.
    pub(super) fn change(
        &self,
        instance: &str,
        epoch: u64,
        told: &mut Told,
    ) -> Result<Option<Change>, Error> {
        let changes = self.changes.load(Ordering::Acquire);
        if changes == told.seen && !self.some_are_absent.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut state = self.lock();
        self.expel_absent(&mut state);
        check_epoch(&state, instance, epoch)?;
        let share = self.share(&state, instance);
        let lost: Vec<u32> =
            told.held.iter().filter(|held| !share.contains(held)).copied().collect();
        let lost: Vec<u32> =
            lost.into_iter().filter(|partition| told.revoked.insert(*partition)).collect();
        if !lost.is_empty() {
            return Ok(Some(Change::Revoked(lost)));
        }
        let is_free = |partition: &u32| !state.owners.contains_key(partition);
        let gained: Vec<u32> = share.into_iter().filter(is_free).collect();
        if !gained.is_empty() {
            state.owners.extend(gained.iter().map(|partition| (*partition, epoch)));
            told.held.extend(&gained);
            return Ok(Some(Change::Assigned(gained)));
        }
        told.seen = self.changes.load(Ordering::Acquire);
        Ok(None)
    }

    /// A member gives up partitions.
    pub(super) fn release(&self, epoch: u64, partitions: &[u32], told: &mut Told) {
        let mut state = self.lock();
        for partition in partitions {
            told.held.remove(partition);
            told.revoked.remove(partition);
            if state.owners.get(partition) == Some(&epoch) {
                state.owners.remove(partition);
            }
        }
        self.changed(&state);
    }

    /// Whether a member may still commit that it read these partitions.
    pub(super) fn check_owner(&self, epoch: u64, read: &BTreeMap<u32, Next>) -> Result<(), Error> {
        let state = self.lock();
        let foreign = read.keys().find(|partition| state.owners.get(partition) != Some(&epoch));
        match foreign {
            None => Ok(()),
            Some(partition) => Err(Error::Fenced(format!(
                "partition {partition} is no longer this member's in the group {}",
                self.key.name
            ))),
        }
    }

    pub(super) fn check_member(&self, instance: &str, epoch: u64) -> Result<(), Error> {
        check_epoch(&self.lock(), instance, epoch)
    }
}

fn check_epoch(state: &State, instance: &str, epoch: u64) -> Result<(), Error> {
    match state.members.get(instance) {
        Some(member) if member.epoch == epoch => Ok(()),
        Some(_) => Err(Error::Fenced(format!("{instance} joined again"))),
        None => Err(Error::Fenced(format!("{instance} was away too long"))),
    }
}
