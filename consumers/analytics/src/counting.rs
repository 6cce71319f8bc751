//! Which records of a partition of usage were counted: METERING lists them on `identities`, in their order.
//!
//! **Invariant:** a message's records are taken only once METERING has committed that it is past the message,
//! and all that it listed by then is read.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use drawdown_log::{Error, Log, Next};
use drawdown_wire::identities::Packed;

use crate::blocks::Claim;
use crate::projecting::Listed;

/// Each look is a few calls to a broker.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where to look.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) metering_group: String,
    pub(crate) usage: String,
    pub(crate) identities: String,
    pub(crate) partition: u32,
}

#[derive(Debug)]
pub(crate) struct Counting {
    places: Places,
    /// METERING has counted all messages before this.
    limit: i64,
    /// When that was last asked.
    looked: Option<Instant>,
    /// METERING had come here, and its list is whole once this much of it can be read.
    undecided: Option<(i64, Next)>,
    /// So much of its list holds what lies before the limit.
    listed_until: Next,
    /// What is to be read next of the list.
    next: Next,
    /// Read and not needed yet, each with where its message stands.
    listed: VecDeque<(Listed, i64)>,
}

impl Counting {
    /// From what stands at `beside` on, or from the beginning of what is kept.
    pub(crate) fn new(places: Places, beside: i64) -> Counting {
        Counting {
            places,
            limit: 0,
            looked: None,
            undecided: None,
            listed_until: Next::START,
            next: Next(beside),
            listed: VecDeque::new(),
        }
    }

    /// What stands before this is counted or never will be.
    pub(crate) fn limit(&self) -> i64 {
        self.limit
    }

    /// Where reading has to begin to find everything that is still needed.
    pub(crate) fn beside(&self) -> i64 {
        self.listed.front().map_or(self.next.0, |(_, at)| *at)
    }

    /// Looks how far METERING has come, if it was not just asked.
    pub(crate) fn look(&mut self, log: &dyn Log) -> Result<(), Error> {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let Places { metering_group, usage, identities, partition } = &self.places;
        if self.undecided.is_none() {
            let counted = log.committed(metering_group, usage, *partition)?.unwrap_or(Next::START);
            if counted.0 <= self.limit {
                return Ok(());
            }
            // All that this commit listed was appended before it was one.
            self.undecided = Some((counted.0, log.bounds(identities, *partition)?.end));
        }
        if let Some((limit, end)) = self.undecided
            && log.bounds(identities, *partition)?.stable >= end
        {
            (self.limit, self.listed_until, self.undecided) = (limit, end, None);
        }
        Ok(())
    }

    /// Reads the list as far as a block needs it.
    pub(crate) fn read(&mut self, log: &dyn Log, first: i64, last: i64) -> Result<(), Error> {
        let Places { identities, partition, .. } = &self.places;
        if self.next >= self.listed_until || self.reaches_beyond(last) {
            return Ok(());
        }
        let (listed, mut wrong) = (&mut self.listed, None);
        let next =
            log.scan(identities, *partition, self.next, self.listed_until, &mut |message| {
                let at = message.offset.0;
                let read = Packed::open(message.value).and_then(|packed| {
                    packed.each(&mut |entry| {
                        let counted = Listed { offset: entry.offset, index: entry.index };
                        if entry.offset >= first {
                            listed.push_back((counted, at));
                        }
                    })
                });
                wrong = read.err().map(|why| format!("{identities} {partition} at {at}: {why}"));
                wrong.is_none() && listed.back().is_none_or(|(listed, _)| listed.offset <= last)
            })?;
        match wrong {
            Some(why) => Err(Error::Fatal(why)),
            None => {
                self.next = next;
                Ok(())
            }
        }
    }

    fn reaches_beyond(&self, last: i64) -> bool {
        self.listed.back().is_some_and(|(listed, _)| listed.offset > last)
    }

    /// The counted records of a block.
    pub(crate) fn listed(&self, claim: Claim) -> VecDeque<Listed> {
        let listed = self.listed.iter().map(|(listed, _)| *listed);
        let behind = listed.skip_while(|listed| listed.offset < claim.first);
        behind.take_while(|listed| listed.offset <= claim.last).collect()
    }

    /// Nothing up to here is needed any more.
    pub(crate) fn forget(&mut self, last: i64) {
        while self.listed.front().is_some_and(|(listed, _)| listed.offset <= last) {
            self.listed.pop_front();
        }
    }
}
