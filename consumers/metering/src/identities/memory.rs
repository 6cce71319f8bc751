//! Recent identities: a table in memory, in the order in which they were remembered.

use super::entry::{Entry, Identity, Position};

/// Entries in their order, found by identity.
///
/// The slots hold the place of an entry and some bits of its identity, so that a new record costs one
/// cache line of them: a general hash table takes two, and this is the hottest place there is.
///
/// **Invariant:** the entries are what the chain holds between `from` and `to`, less what was already
/// forgotten when they were read back. `to` counts once the table is full and put aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) from: Position,
    pub(super) to: Position,
    entries: Vec<Entry>,
    /// A power of two of them, at most half of them taken. Zero is free, else the lower half is one more
    /// than the place, the upper half a tag.
    slots: Vec<u64>,
}

const SLOTS_MIN: usize = 16;
const PLACE_BITS: u32 = 32;

/// The identity is a keyed hash itself: its bits need no further mixing. The slot goes by the lowest,
/// the tag by the highest of its lower half.
fn tag(identity: Identity) -> u64 {
    identity.low >> PLACE_BITS
}

impl Table {
    pub(super) fn new(from: Position) -> Table {
        Table { from, to: from, ..Table::default() }
    }

    /// A table that will become as full as the one before it: growing would cost each entry more than
    /// all else.
    pub(super) fn with_room_for(count: usize, from: Position) -> Table {
        let slots = vec![0; count.saturating_mul(2).next_power_of_two().max(SLOTS_MIN)];
        Table { from, to: from, entries: Vec::with_capacity(count), slots }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The slot of an identity: the one that holds it, or the free one where it would go. None while
    /// there are no slots.
    #[inline]
    fn slot(&self, identity: Identity) -> Option<(usize, Option<&Entry>)> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = identity.low as usize & mask;
        loop {
            let slot = *self.slots.get(at)?;
            if slot == 0 {
                return Some((at, None));
            }
            if slot >> PLACE_BITS == tag(identity)
                && let Some(entry) = self.entries.get((slot as u32).wrapping_sub(1) as usize)
                && entry.identity == identity
            {
                return Some((at, Some(entry)));
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    pub(super) fn find(&self, identity: Identity) -> Option<&Entry> {
        self.slot(identity)?.1
    }

    /// Adds an identity. If it is here already, that one has been forgotten, and the new one counts.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        if self.entries.len() * 2 > self.slots.len() {
            self.index();
        } else {
            self.place(entry.identity, self.entries.len());
        }
    }

    /// Adds an identity that nobody looks for before [`Table::index`] is called: most tables that are
    /// read back become runs first.
    #[inline]
    pub(super) fn put(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// From here on all that was added is found.
    pub(super) fn index(&mut self) {
        let slots = self.entries.len().saturating_mul(2).next_power_of_two();
        self.slots = vec![0; slots.max(SLOTS_MIN)];
        for place in 0..self.entries.len() {
            self.place(self.entries[place].identity, place + 1);
        }
    }

    /// Puts a place, counted from one, into its slot.
    #[inline]
    fn place(&mut self, identity: Identity, place: usize) {
        if let Some((at, _)) = self.slot(identity)
            && let Some(slot) = self.slots.get_mut(at)
        {
            *slot = (tag(identity) << PLACE_BITS) | place as u64;
        }
    }

    /// What is kept, sorted by identity, the last one of each.
    pub(super) fn sorted(&self, kept_from: i32) -> Vec<Entry> {
        let is_kept = |entry: &&Entry| entry.day >= kept_from;
        let mut sorted: Vec<Entry> = self.entries.iter().rev().filter(is_kept).copied().collect();
        sorted.sort_by_key(|entry| entry.identity);
        sorted.dedup_by_key(|entry| entry.identity);
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_identities_counts() {
        let mut table = Table::new(Position::default());
        let identity = |low| Identity { high: 9 - low, low };
        for (low, day) in [(3, 5), (1, 9), (2, 5), (3, 9)] {
            let (content, offset) = (day as u64, 0);
            table.push(Entry { identity: identity(low), content, offset, index: 0, day });
        }
        assert_eq!(table.find(identity(3)).unwrap().day, 9);
        assert_eq!(table.find(identity(4)), None);
        let days: Vec<(u64, i32)> =
            table.sorted(0).iter().map(|entry| (entry.identity.low, entry.day)).collect();
        assert_eq!(days, [(3, 9), (2, 5), (1, 9)]);
        assert_eq!(table.sorted(6).len(), 2);
    }

    #[test]
    fn identities_that_share_a_slot_and_a_tag_are_told_apart() {
        for room in [0, 1_000] {
            let mut table = Table::with_room_for(room, Position::default());
            let identity = |number: u64| Identity { high: number, low: (number % 5) << 40 };
            for number in 0..1_000 {
                assert_eq!(table.find(identity(number)), None);
                let (content, offset, index, day) = (number, 0, 0, 1);
                table.push(Entry { identity: identity(number), content, offset, index, day });
            }
            let found = |number| table.find(identity(number)).map(|entry| entry.content);
            assert!((0..1_000).all(|number| found(number) == Some(number)));
            assert_eq!(found(1_000), None);
        }
    }
}
