//! A member of a group: reads the partitions it owns, and commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Inner;
use super::drafts;
use super::groups::{Group, Told};
use super::published::Bell;
use super::queue::{Origin, Pending, Work};
use super::reader::{Cursor, show};
use super::segment::Budget;
use crate::{Change, Commit, Error, Member, Membership, Message, Next};

/// Longer than anybody waits, and short enough to be added to any instant.
const WAIT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[derive(Debug)]
pub(super) struct EmbeddedMember {
    inner: Arc<Inner>,
    membership: Membership,
    group: Arc<Group>,
    epoch: u64,
    bell: Arc<Bell>,
    told: Told,
    /// Where it is in each partition that it reads, by partition.
    cursors: Vec<Cursor>,
    /// The number of the cursor that comes first in the next poll.
    turn: usize,
    under_way: Option<Pending>,
}

impl EmbeddedMember {
    pub(super) fn join(inner: &Arc<Inner>, membership: &Membership) -> Result<Self, Error> {
        let group = inner.shared.group(&membership.group, &membership.topic)?;
        let bell = Arc::new(Bell::default());
        let epoch = group.join(&membership.instance, &bell);
        Ok(EmbeddedMember {
            inner: inner.clone(),
            membership: membership.clone(),
            group,
            epoch,
            bell,
            told: Told::default(),
            cursors: Vec::new(),
            turn: 0,
            under_way: None,
        })
    }

    fn stop_reading(&mut self, partitions: &[u32]) {
        let mut published = self.inner.shared.published_mut();
        self.cursors.retain(|cursor| {
            let stays = !partitions.contains(&cursor.partition);
            if !stays {
                published.deafen(cursor.lane, &self.bell);
            }
            stays
        });
    }

    fn change(&mut self) -> Result<Option<Change>, Error> {
        let change = self.group.change(&self.membership.instance, self.epoch, &mut self.told)?;
        if let Some(Change::Revoked(lost)) = &change {
            self.stop_reading(lost);
        }
        Ok(change)
    }
}

impl Member for EmbeddedMember {
    fn poll(
        &mut self,
        wait: Duration,
        visit: &mut dyn FnMut(&[Message<'_>]),
    ) -> Result<Option<Change>, Error> {
        let begun = Instant::now();
        let deadline = begun.checked_add(wait.min(WAIT_MAX)).unwrap_or(begun);
        let config = &self.inner.shared.config;
        let budget = Budget { messages: config.poll_messages_max, bytes: config.poll_bytes_max };
        loop {
            self.bell.hush();
            if let Some(change) = self.change()? {
                return Ok(Some(change));
            }
            let taken = self.inner.shared.gather(&mut self.cursors, self.turn, budget)?;
            if !taken.is_empty() {
                self.turn = show(&mut self.cursors, &taken, visit);
                return Ok(None);
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            let expulsion = self.group.next_expulsion();
            self.bell.wait_until(expulsion.map_or(deadline, |at| at.min(deadline)));
        }
    }

    fn resume(&mut self, from: &BTreeMap<u32, Next>) -> Result<(), Error> {
        let shared = &self.inner.shared;
        let mut resumed = Vec::with_capacity(from.len());
        for (partition, next) in from {
            let lane = shared.catalogue.find(&self.membership.topic, *partition)?;
            if !self.told.held.contains(partition) {
                return Err(Error::Fatal(format!(
                    "{} is to be read by a member that it was not assigned to",
                    shared.catalogue.describe(lane)
                )));
            }
            let end = shared.published().lane(lane).next;
            if next.0 > end {
                return Err(Error::Fatal(format!(
                    "{} ends at {end}, and a reader would go on at {}",
                    shared.catalogue.describe(lane),
                    next.0
                )));
            }
            resumed.push(Cursor::new(*partition, lane, *next));
        }
        let mut published = shared.published_mut();
        for cursor in resumed {
            published.listen(cursor.lane, &self.bell);
            self.cursors.retain(|known| known.partition != cursor.partition);
            let place = self.cursors.partition_point(|known| known.partition < cursor.partition);
            self.cursors.insert(place, cursor);
        }
        Ok(())
    }

    fn release(&mut self, partitions: &[u32]) -> Result<(), Error> {
        self.stop_reading(partitions);
        self.group.release(self.epoch, partitions, &mut self.told);
        Ok(())
    }

    fn commit(&mut self, commit: Commit) -> Result<(), Error> {
        let shared = &self.inner.shared;
        if self.under_way.is_some() {
            return Err(Error::Fatal("a commit of this member is under way already".to_owned()));
        }
        if commit.read.is_empty() {
            return Err(Error::Fatal("a commit must move or confirm a position".to_owned()));
        }
        for partition in commit.read.keys() {
            shared.catalogue.find(&self.membership.topic, *partition)?;
        }
        self.group.check_member(&self.membership.instance, self.epoch)?;
        let Commit { read, appends } = commit;
        let bytes_max = shared.config.commit_bytes_max;
        let draft =
            drafts::commit(&shared.catalogue, self.group.key(), &read, &appends, bytes_max)?;
        drop(appends);
        let origin = Some(Origin { group: self.group.clone(), epoch: self.epoch, read });
        let work = Work::Frame { draft, at: None, origin, forget: Vec::new() };
        self.under_way = Some(shared.queue.push(work)?);
        Ok(())
    }

    fn outcome(&mut self, wait: Duration) -> Option<Result<(), Error>> {
        let answer = self.under_way.as_ref()?.wait(wait.min(WAIT_MAX))?;
        self.under_way = None;
        Some(answer.map(|_| ()))
    }
}

impl Drop for EmbeddedMember {
    fn drop(&mut self) {
        let owned: Vec<u32> = self.cursors.iter().map(|cursor| cursor.partition).collect();
        self.stop_reading(&owned);
        self.group.leave(&self.membership.instance, self.epoch);
    }
}
