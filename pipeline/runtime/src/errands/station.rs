//! The station that all consumers share who perform wishes outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use drawdown_domain::time::{MICROS_PER_SECOND, Span, Timestamp};
use drawdown_wire::avro;
use drawdown_wire::messages::Bytes;
use drawdown_wire::schemas::{self, Schema};
use drawdown_wire::state::{
    ErrandBegun, ErrandEnded, ErrandFact, ErrandTried, ErrandsDelta, ErrandsPiece, OpenErrand,
};
use metrics::gauge;

use super::backoff::backoff;
use super::outside::{Outside, Owner};
use super::{Attempt, Ended, Errand, Tried, Wanted};
use crate::{Held, Input, Output, Station, Stop};

/// The open wishes of one partition.
pub struct Errands<E: Errand> {
    partition: u32,
    outside: Arc<Outside<E>>,
    /// None until all is restored: nothing is performed before.
    owner: Option<Owner<E::Answer>>,
    now: Timestamp,
    open: BTreeMap<String, Open<E::Wish>>,
    /// Which of them are to be tried, and when: those that are committed and not in hand.
    due: BTreeSet<(Timestamp, String)>,
    /// What happened to these is in the step that is being collected, or in the one before, which is
    /// being committed.
    collected: Vec<String>,
    committing: Vec<String>,
    /// It has more open wishes than it should.
    full: bool,
    leaving: bool,
    told_at: Timestamp,
}

struct Open<W> {
    wish: W,
    message: Bytes,
    since: Timestamp,
    tries: u32,
    next_at: Timestamp,
}

/// How often the metrics are told while nothing happens.
const TELL_EVERY: Span = Span::micros(MICROS_PER_SECOND);

impl<E: Errand> fmt::Debug for Errands<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errands({} open of {:?} {})", self.open.len(), self.outside, self.partition)
    }
}

impl<E: Errand> Errands<E> {
    pub fn new(outside: Arc<Outside<E>>, partition: u32) -> Errands<E> {
        Errands {
            partition,
            outside,
            owner: None,
            now: Timestamp::START,
            open: BTreeMap::new(),
            due: BTreeSet::new(),
            collected: Vec::new(),
            committing: Vec::new(),
            full: false,
            leaving: false,
            told_at: Timestamp::START,
        }
    }

    /// When a wish is to be tried next.
    pub fn next_try(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// How many wishes are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    fn happens(&mut self, fact: &ErrandFact, output: &mut Output) -> Result<(), Stop> {
        avro::put_long(output.delta(), 1);
        avro::encode_into(output.delta(), fact);
        self.apply_fact(fact)
    }

    fn apply_fact(&mut self, fact: &ErrandFact) -> Result<(), Stop> {
        match fact {
            ErrandFact::ErrandBegun(ErrandBegun { at, key, wish }) => {
                self.now = self.now.max(*at);
                let open = OpenErrand {
                    key: key.clone(),
                    wish: wish.clone(),
                    since: *at,
                    tries: 0,
                    next_at: *at,
                };
                self.opened(open)?;
            }
            ErrandFact::ErrandTried(ErrandTried { at, key, next_at }) => {
                self.now = self.now.max(*at);
                if let Some(open) = self.open.get_mut(key) {
                    open.tries = open.tries.saturating_add(1);
                    open.next_at = *next_at;
                }
            }
            ErrandFact::ErrandEnded(ErrandEnded { at, key }) => {
                self.now = self.now.max(*at);
                self.open.remove(key);
            }
        }
        self.weigh();
        Ok(())
    }

    /// Once full it takes more only when half of that is done: going back on the log has its price.
    fn weigh(&mut self) {
        let most = self.outside.options().open_per_partition_max;
        let still = if self.full { most.div_euclid(2) } else { most };
        self.full = self.open.len() > still;
    }

    fn opened(&mut self, open: OpenErrand) -> Result<(), Stop> {
        let OpenErrand { key, wish: message, since, tries, next_at } = open;
        let mut wishes = self.wishes(&message.0)?;
        let Some(Wanted { wish, .. }) = wishes.pop().filter(|_| wishes.is_empty()) else {
            return Err(Stop::Broken(format!("{key} is kept beside others")));
        };
        self.open.insert(key, Open { wish, message, since, tries, next_at });
        Ok(())
    }

    fn wishes(&self, message: &[u8]) -> Result<Vec<Wanted<E::Wish>>, Stop> {
        let unreadable = |error| Stop::Broken(format!("a wish of ours cannot be read: {error}"));
        self.outside.errand().wishes(message).map_err(unreadable)
    }

    /// Takes what came of tries.
    fn take_ended(&mut self, output: &mut Output) -> Result<(), Stop> {
        let ended = self.owner.as_ref().map(Owner::ended).unwrap_or_default();
        let mut answered = Vec::new();
        for (key, number, tried) in ended {
            let Some(open) = self.open.get(&key).filter(|open| number == open.tries + 1) else {
                // A former self has said so, and nobody knew whether it was committed. It was.
                self.owner.iter().for_each(|owner| owner.forget(&key));
                continue;
            };
            self.outside.note(&key, number, &tried, self.now);
            self.due.remove(&(open.next_at, key.clone()));
            let (at, tries) = (self.now, number);
            let after = match tried {
                Tried::Done(answer) => {
                    answered.push(Ended {
                        key: key.clone(),
                        wish: open.wish.clone(),
                        answer,
                        tries,
                    });
                    None
                }
                Tried::Again { after, .. } => Some(after.unwrap_or_else(|| backoff(&key, tries))),
                Tried::Away { .. } => Some(backoff(&key, tries)),
            };
            let fact = match after {
                None => ErrandEnded { at, key: key.clone() }.into(),
                Some(after) => ErrandTried { at, key: key.clone(), next_at: at.plus(after) }.into(),
            };
            self.happens(&fact, output)?;
            self.collected.push(key);
        }
        if !answered.is_empty() {
            self.outside.errand().tell(self.partition, self.now, &answered, output);
        }
        Ok(())
    }

    /// Begins tries that are due, as many as may be in hand.
    fn begin_due(&mut self) {
        let Some(owner) = self.owner.as_ref().filter(|_| !self.leaving) else { return };
        let in_flight_max = self.outside.options().in_flight_max;
        while let Some((at, key)) = self.due.first()
            && *at <= self.now
            && owner.in_hand() < in_flight_max
            && self.outside.lets(self.now)
        {
            let (at, key) = (*at, key.clone());
            self.due.remove(&(at, key.clone()));
            let Some(open) = self.open.get(&key) else { continue };
            let attempt = Attempt {
                key,
                wish: open.wish.clone(),
                number: open.tries.saturating_add(1),
                since: open.since,
                at: self.now,
            };
            self.outside.begin(owner, attempt);
        }
    }

    fn tell(&mut self) {
        self.told_at = self.now;
        let oldest = self.open.values().map(|open| open.since).min();
        let age = oldest.map_or(0, |oldest| self.now.since(oldest).as_micros().max(0));
        self.tell_open(self.open.len(), age as f64 / MICROS_PER_SECOND as f64);
    }

    fn tell_open(&self, open: usize, oldest_seconds: f64) {
        let labels = || {
            let consumer = self.outside.options().consumer;
            [("consumer", consumer.to_owned()), ("partition", self.partition.to_string())]
        };
        gauge!("drawdown_wishes_open", &labels()).set(open as f64);
        gauge!("drawdown_wishes_oldest_seconds", &labels()).set(oldest_seconds);
    }
}

impl<E: Errand> Drop for Errands<E> {
    fn drop(&mut self) {
        if self.owner.is_some() {
            self.tell_open(0, 0.0);
        }
    }
}

impl<E: Errand> Station for Errands<E> {
    const DELTA: &'static Schema = &schemas::ERRANDS_DELTA;
    const PIECE: &'static Schema = &schemas::ERRANDS_PIECE;
    const PIECES_KEEP_THEIR_ORDER: bool = true;

    fn take(&mut self, input: Input<'_>, output: &mut Output) -> Result<(), Stop> {
        for message in input.messages {
            for Wanted { key, at, message, .. } in self.wishes(message.value)? {
                if self.open.contains_key(&key) {
                    continue;
                }
                let fact = ErrandBegun { at, key: key.clone(), wish: Bytes(message) };
                self.happens(&fact.into(), output)?;
                self.collected.push(key);
            }
        }
        Ok(())
    }

    fn idle(&mut self, now: Timestamp, output: &mut Output) -> Result<bool, Stop> {
        self.now = self.now.max(now);
        self.begin_due();
        self.take_ended(output)?;
        if self.now >= self.told_at.plus(TELL_EVERY) {
            self.tell();
        }
        Ok(false)
    }

    fn time(&self) -> Timestamp {
        self.now
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), Stop> {
        if !output.delta().is_empty() {
            avro::put_long(output.delta(), 0);
        }
        self.committing.append(&mut self.collected);
        Ok(())
    }

    fn committed(&mut self) -> Result<(), Stop> {
        for key in std::mem::take(&mut self.committing) {
            self.owner.iter().for_each(|owner| owner.forget(&key));
            if let Some(open) = self.open.get(&key) {
                self.due.insert((open.next_at, key));
            }
        }
        Ok(())
    }

    fn holds(&self) -> Option<Held> {
        let consumer = self.outside.options().consumer;
        let why = || {
            Held::Waits(format!(
                "{} wishes of {consumer} are open: the outside is slow or away",
                self.open.len()
            ))
        };
        self.full.then(why)
    }

    fn leaves(&mut self) -> bool {
        self.leaving = true;
        self.owner.as_ref().is_some_and(|owner| {
            owner.leave();
            owner.under_way() > 0
        })
    }

    fn apply(&mut self, delta: &[u8]) -> Result<(), Stop> {
        if delta.is_empty() {
            return Ok(());
        }
        let unreadable = |error| Stop::Broken(format!("a delta of wishes cannot be read: {error}"));
        let ErrandsDelta { facts } = avro::decode(delta).map_err(unreadable)?;
        facts.iter().try_for_each(|fact| self.apply_fact(fact))
    }

    fn piece(&self, place: &[u8], bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        let from = std::str::from_utf8(place).unwrap_or_default().to_owned();
        let (mut piece, mut bytes) = (ErrandsPiece { at: self.now, open: Vec::new() }, 0);
        for (key, open) in self.open.range(from..) {
            if bytes > bytes_max {
                return (avro::encode(&piece), Some(key.clone().into_bytes()));
            }
            bytes += key.len().saturating_add(open.message.0.len());
            piece.open.push(OpenErrand {
                key: key.clone(),
                wish: open.message.clone(),
                since: open.since,
                tries: open.tries,
                next_at: open.next_at,
            });
        }
        (avro::encode(&piece), None)
    }

    fn load(&mut self, piece: &[u8]) -> Result<(), Stop> {
        let unreadable = |error| Stop::Broken(format!("a piece of wishes cannot be read: {error}"));
        let ErrandsPiece { at, open } = avro::decode(piece).map_err(unreadable)?;
        self.now = self.now.max(at);
        open.into_iter().try_for_each(|open| self.opened(open))
    }

    fn restored(&mut self) -> Result<(), Stop> {
        self.owner = Some(self.outside.lane(self.partition));
        self.due = self.open.iter().map(|(key, open)| (open.next_at, key.clone())).collect();
        self.weigh();
        Ok(())
    }
}
