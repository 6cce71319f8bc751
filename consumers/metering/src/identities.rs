//! Which records have been counted: exact, by a 128 bit keyed hash of (account, source, id), each with
//! a hash of its content (R2.2).

use std::collections::VecDeque;
use std::hash::Hasher;

use drawdown_domain::time::{Span, Timestamp};
use drawdown_wire::avro::{Cursor, Truncated, put_long};
use hashbrown::HashMap;
use siphasher::sip128::{Hasher128, SipHasher24};

/// A record's identity and content, each as a hash under the installation's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) identity: u128,
    pub(crate) content: u64,
}

/// Hashes under the installation's key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teller {
    key: [u8; 16],
}

impl Teller {
    pub(crate) fn new(key: [u8; 16]) -> Teller {
        Teller { key }
    }

    #[inline]
    pub(crate) fn tell(&self, identity: &[u8], content: &[u8]) -> Told {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(identity);
        let identity = hasher.finish128().as_u128();
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(content);
        Told { identity, content: hasher.finish128().h1 }
    }
}

/// What is known of an identity that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    New,
    Duplicate,
    Conflict,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    content: u64,
    day: i64,
}

/// Remembered identities, forgotten by the day of use once that can no longer be accepted.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    entries: HashMap<u128, Entry, foldhash::fast::RandomState>,
    /// Identities by day of use, the oldest first.
    days: VecDeque<(i64, Vec<u128>)>,
    total: u64,
    /// What was remembered since the last step, to be put out.
    packed: Vec<u8>,
    packed_count: u64,
}

const DAY: i64 = 86_400_000_000;

impl Identities {
    #[inline]
    pub(crate) fn look(&self, told: Told) -> Known {
        match self.entries.get(&told.identity) {
            None => Known::New,
            Some(entry) if entry.content == told.content => Known::Duplicate,
            Some(_) => Known::Conflict,
        }
    }

    /// Remembers an identity that is new.
    pub(crate) fn remember(&mut self, told: Told, used: Timestamp, offset: i64, index: u32) {
        self.put(told, used);
        self.packed.extend_from_slice(&told.identity.to_le_bytes());
        self.packed.extend_from_slice(&told.content.to_le_bytes());
        put_long(&mut self.packed, used.as_micros());
        put_long(&mut self.packed, offset);
        put_long(&mut self.packed, index.into());
        self.packed_count += 1;
    }

    fn put(&mut self, told: Told, used: Timestamp) {
        let day = used.as_micros().div_euclid(DAY);
        self.entries.insert(told.identity, Entry { content: told.content, day });
        self.total += 1;
        let place = self.days.iter().rposition(|(known, _)| *known <= day);
        match place {
            Some(place) if self.days[place].0 == day => self.days[place].1.push(told.identity),
            Some(place) => self.days.insert(place + 1, (day, vec![told.identity])),
            None => self.days.push_front((day, vec![told.identity])),
        }
    }

    /// Forgets what was used so long before `now` that it is refused for its age.
    pub(crate) fn expire(&mut self, now: Timestamp, kept: Span) {
        let oldest = now.minus(kept).as_micros().div_euclid(DAY);
        while let Some((day, _)) = self.days.front() {
            if *day >= oldest {
                return;
            }
            let Some((day, identities)) = self.days.pop_front() else { return };
            for identity in identities {
                if self.entries.get(&identity).is_some_and(|entry| entry.day == day) {
                    self.entries.remove(&identity);
                }
            }
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// How much waits to be put out.
    pub(crate) fn packed_bytes(&self) -> usize {
        self.packed.len()
    }

    /// What was remembered since this was last asked, packed; none if nothing was.
    pub(crate) fn take_packed(&mut self) -> Option<Vec<u8>> {
        if self.packed_count == 0 {
            return None;
        }
        let mut message = Vec::with_capacity(self.packed.len() + 20);
        put_long(&mut message, i64::try_from(self.total).unwrap_or(i64::MAX));
        put_long(&mut message, i64::try_from(self.packed_count).unwrap_or(i64::MAX));
        message.append(&mut self.packed);
        self.packed_count = 0;
        Some(message)
    }

    /// Takes a packed message back in, if it lies within the first `total` identities.
    pub(crate) fn take_back(&mut self, message: &[u8], total: u64) -> Result<(), Truncated> {
        let mut cursor = Cursor::new(message);
        let total_after = u64::try_from(cursor.long()?).map_err(|_| Truncated)?;
        let count = cursor.long()?;
        if total_after > total {
            return Ok(());
        }
        for _ in 0..count {
            let identity = cursor.take(16)?.try_into().map_err(|_| Truncated)?;
            let content = cursor.take(8)?.try_into().map_err(|_| Truncated)?;
            let told = Told {
                identity: u128::from_le_bytes(identity),
                content: u64::from_le_bytes(content),
            };
            let used = Timestamp::from_micros(cursor.long()?);
            cursor.long()?;
            cursor.long()?;
            self.put(told, used);
        }
        self.total = total_after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(identity: u128, content: u64) -> Told {
        Told { identity, content }
    }

    #[test]
    fn r2_2_the_first_stands_and_other_content_conflicts() {
        let mut known = Identities::default();
        let used = Timestamp::from_micros(DAY * 10);
        assert_eq!(known.look(told(1, 1)), Known::New);
        known.remember(told(1, 1), used, 0, 0);
        assert_eq!(known.look(told(1, 1)), Known::Duplicate);
        assert_eq!(known.look(told(1, 2)), Known::Conflict);
        assert_eq!(known.look(told(2, 1)), Known::New);
    }

    #[test]
    fn r2_2_an_identity_is_kept_as_long_as_its_time_of_use_can_be_accepted() {
        let mut known = Identities::default();
        for day in [10, 8, 9, 10] {
            known.remember(told(day as u128, 0), Timestamp::from_micros(DAY * day), 0, 0);
        }
        let kept = Span::days(35);
        known.expire(Timestamp::from_micros(DAY * 44 - 1), kept);
        assert_eq!(known.look(told(8, 0)), Known::Duplicate);
        known.expire(Timestamp::from_micros(DAY * 44), kept);
        assert_eq!(known.look(told(8, 0)), Known::New);
        assert_eq!(known.look(told(9, 0)), Known::Duplicate);
    }

    #[test]
    fn what_was_packed_is_taken_back() {
        let mut known = Identities::default();
        known.remember(told(7, 70), Timestamp::from_micros(DAY), 3, 1);
        known.remember(told(8, 80), Timestamp::from_micros(DAY), 4, 0);
        let message = known.take_packed().unwrap();
        assert_eq!(known.take_packed(), None);
        let mut again = Identities::default();
        assert_eq!(again.take_back(&message, 1), Ok(()));
        assert_eq!((again.total(), again.look(told(7, 70))), (0, Known::New));
        assert_eq!(again.take_back(&message, 2), Ok(()));
        assert_eq!(again.look(told(7, 70)), Known::Duplicate);
        assert_eq!(again.total(), 2);
    }
}
