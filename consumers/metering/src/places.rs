//! Where things stand in a list, by their hash.
//!
//! The slots hold the place of a thing and some bits of its hash, so that finding nothing costs one
//! cache line and finding something one more, that of the thing itself: a general hash table takes one
//! more for each, and there is no hotter place than this.

/// A power of two of slots, at most half of them taken. Zero is free, else the lower half is one more
/// than the place, the upper half a tag: the upper half of the hash. The slot goes by its lower half.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    slots: Vec<u64>,
    taken: usize,
}

const SLOTS_MIN: usize = 16;
const PLACE_BITS: u32 = 32;

impl Places {
    /// As many can be put as will come: growing would cost each more than all else.
    pub(crate) fn with_room_for(count: usize) -> Places {
        let slots = vec![0; count.saturating_mul(2).next_power_of_two().max(SLOTS_MIN)];
        Places { slots, taken: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.slots.fill(0);
        self.taken = 0;
    }

    /// The slot of what has this hash: the one that holds it, or the free one where it would go. None
    /// while there are no slots.
    #[inline]
    fn slot(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<(usize, Option<usize>)> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = *self.slots.get(at)?;
            if slot == 0 {
                return Some((at, None));
            }
            let place = (slot as u32).wrapping_sub(1) as usize;
            if slot >> PLACE_BITS == hash >> PLACE_BITS && is_it(place) {
                return Some((at, Some(place)));
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        self.slot(hash, is_it)?.1
    }

    /// Where something with this hash may stand. It need not be right: it is for those who read ahead.
    #[inline]
    pub(crate) fn guess(&self, hash: u64) -> usize {
        let mask = self.slots.len().wrapping_sub(1);
        let slot = self.slots.get(hash as usize & mask).copied().unwrap_or_default();
        (slot as u32).wrapping_sub(1) as usize
    }

    /// Puts down where something stands, instead of where it stood before.
    #[inline]
    pub(crate) fn put(
        &mut self,
        hash: u64,
        place: usize,
        is_it: impl Fn(usize) -> bool,
        hash_of: impl Fn(usize) -> u64,
    ) {
        if (self.taken + 1) * 2 > self.slots.len() {
            self.grow(hash_of);
        }
        if let Some((at, known)) = self.slot(hash, is_it)
            && let Some(slot) = self.slots.get_mut(at)
        {
            *slot = (hash >> PLACE_BITS << PLACE_BITS) | (place as u64 + 1);
            self.taken += usize::from(known.is_none());
        }
    }

    #[cold]
    fn grow(&mut self, hash_of: impl Fn(usize) -> u64) {
        let larger = vec![0; (self.slots.len() * 2).max(SLOTS_MIN)];
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot == 0 {
                continue;
            }
            let hash = hash_of((slot as u32).wrapping_sub(1) as usize);
            if let Some((at, _)) = self.slot(hash, |_| false)
                && let Some(free) = self.slots.get_mut(at)
            {
                *free = slot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_that_share_a_slot_and_a_tag_are_told_apart() {
        for room in [0, 1_000] {
            let hash_of = |place: usize| (place as u64 % 5) << 40;
            let mut places = Places::with_room_for(room);
            for place in 0..1_000 {
                assert_eq!(places.find(hash_of(place), |known| known == place), None);
                places.put(hash_of(place), place, |known| known == place, hash_of);
            }
            assert!((0..1_000).all(|it| places.find(hash_of(it), |at| at == it) == Some(it)));
            assert_eq!(places.find(hash_of(1_000), |known| known == 1_000), None);
        }
    }

    #[test]
    fn what_is_put_again_has_moved() {
        let mut places = Places::default();
        places.put(7, 0, |_| true, |_| 7);
        places.put(7, 1, |_| true, |_| 7);
        assert_eq!((places.find(7, |_| true), places.guess(7), places.taken), (Some(1), 1, 1));
        assert_eq!(Places::default().find(7, |_| true), None);
        assert!(Places::default().guess(7) > 1 << 31);
    }
}
