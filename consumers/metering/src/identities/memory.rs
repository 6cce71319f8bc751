//! Recent identities: a table in memory, in the order in which they were remembered.

use super::entry::{Entry, Identity, Position};
use crate::places::Places;

/// Entries in their order, found by identity, which is a keyed hash itself: its bits need no further
/// mixing.
///
/// **Invariant:** the entries are what the chain holds between `from` and `to`, less what was already
/// forgotten when they were read back. `to` counts once the table is full and put aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) from: Position,
    pub(super) to: Position,
    entries: Vec<Entry>,
    places: Places,
}

impl Table {
    pub(super) fn new(from: Position) -> Table {
        Table { from, to: from, ..Table::default() }
    }

    /// A table that will become as full as the one before it.
    pub(super) fn with_room_for(count: usize, from: Position) -> Table {
        let (entries, places) = (Vec::with_capacity(count), Places::with_room_for(count));
        Table { from, to: from, entries, places }
    }

    /// This table without its entries.
    pub(super) fn emptied(mut self, from: Position) -> Table {
        self.entries.clear();
        self.places.clear();
        (self.from, self.to) = (from, from);
        self
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(super) fn find(&self, identity: Identity) -> Option<&Entry> {
        let is_it =
            |place: usize| self.entries.get(place).is_some_and(|known| known.identity == identity);
        self.entries.get(self.places.find(identity.low, is_it)?)
    }

    /// Reads what [`Table::find`] will of an identity that is not here.
    #[inline]
    pub(super) fn read_ahead(&self, identity: Identity) -> usize {
        self.places.guess(identity.low)
    }

    /// Adds an identity. If it is here already, that one has been forgotten, and the new one counts.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry) {
        let place = self.entries.len();
        self.entries.push(entry);
        let entries = &self.entries;
        let is_it = |place: usize| entries.get(place).is_some_and(|e| e.identity == entry.identity);
        let hash_of = |place: usize| entries.get(place).map_or(0, |entry| entry.identity.low);
        self.places.put(entry.identity.low, place, is_it, hash_of);
    }

    /// Adds an identity that nobody looks for before [`Table::index`] is called: most tables that are
    /// read back become runs first.
    #[inline]
    pub(super) fn put(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// From here on all that was added is found.
    pub(super) fn index(&mut self) {
        let entries = &self.entries;
        let mut places = Places::with_room_for(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            let is_it =
                |place: usize| entries.get(place).is_some_and(|e| e.identity == entry.identity);
            places.put(entry.identity.low, place, is_it, |_| 0);
        }
        self.places = places;
    }

    /// What is kept, sorted by identity, the last one of each. Identities are evenly spread: dealt out by their first bits
    /// first, only a few are to be sorted at a time, which takes a third of sorting all.
    pub(super) fn sorted(&self, kept_from: i32) -> Vec<Entry> {
        let kept = || self.entries.iter().rev().filter(|entry| entry.day >= kept_from);
        let deals = (self.entries.len() / DEALT).next_power_of_two().max(2);
        let deal = |entry: &Entry| (entry.identity.high >> (64 - deals.ilog2())) as usize;
        // Where each deal begins, and in the end where the next one does.
        let mut places = vec![0; deals + 1];
        kept().for_each(|entry| places[deal(entry) + 1] += 1);
        for number in 1..places.len() {
            places[number] += places[number - 1];
        }
        let mut sorted = vec![Entry::default(); places[deals]];
        for entry in kept() {
            let place = &mut places[deal(entry)];
            sorted[*place] = *entry;
            *place += 1;
        }
        let mut begins = 0;
        for ends in &places[..deals] {
            sorted[begins..*ends].sort_by_key(|entry| entry.identity);
            begins = *ends;
        }
        sorted.dedup_by_key(|entry| entry.identity);
        sorted
    }
}

/// About so many entries are sorted at a time.
const DEALT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_sorted_whatever_their_first_bits() {
        for shift in [0, 7, 60] {
            let mut table = Table::new(Position::default());
            for number in 0..10_000_u64 {
                let mixed = (number % 6_000).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let identity = Identity { high: mixed >> shift, low: number % 6_000 };
                table.put(Entry { identity, content: number, ..Entry::default() });
            }
            let sorted = table.sorted(0);
            assert_eq!(sorted.len(), 6_000);
            assert!(sorted.windows(2).all(|pair| pair[0].identity < pair[1].identity));
            for entry in sorted {
                let (first, last) = (entry.identity.low, entry.identity.low + 6_000);
                assert_eq!(entry.content, if last < 10_000 { last } else { first });
            }
        }
    }

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
}
