//! Recent identities: a table in memory, in the order in which they were remembered.

use hashbrown::HashTable;

use super::entry::{Entry, Identity, Position};

/// Entries in their order, found by identity.
///
/// **Invariant:** the entries are what the chain holds between `from` and `to`, less what was already
/// forgotten when they were read back. `to` counts once the table is full and put aside.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) from: Position,
    pub(super) to: Position,
    entries: Vec<Entry>,
    places: HashTable<u32>,
}

impl Table {
    pub(super) fn new(from: Position) -> Table {
        Table { from, to: from, ..Table::default() }
    }

    /// A table that will become as full as the one before it: growing would cost each entry more than
    /// all else.
    pub(super) fn with_room_for(count: usize, from: Position) -> Table {
        let (entries, places) = (Vec::with_capacity(count), HashTable::with_capacity(count));
        Table { from, to: from, entries, places }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(super) fn find(&self, identity: Identity) -> Option<&Entry> {
        let entries = &self.entries;
        // The identity is a keyed hash itself: its bits need no further mixing.
        let place = self.places.find(identity.low, |place| {
            entries.get(*place as usize).is_some_and(|entry| entry.identity == identity)
        });
        entries.get(*place? as usize)
    }

    /// Adds an identity. If it is here already, that one has been forgotten, and the new one counts.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry) {
        let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(entry);
        let entries = &self.entries;
        let same = |known: &u32| {
            entries.get(*known as usize).is_some_and(|known| known.identity == entry.identity)
        };
        let hash = |known: &u32| entries.get(*known as usize).map_or(0, |own| own.identity.low);
        self.places.entry(entry.identity.low, same, hash).insert(place);
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
}
