//! Many records in few messages: records gathered by the partition of their account.

use std::collections::BTreeMap;

use super::{Malformed, packed_message, read_single};
use crate::partition::partition_of;

/// So much goes into one message at most.
pub const RECORDS_PER_MESSAGE_MAX: usize = 500;
pub const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// Records of one partition, in their canonical form, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pack {
    count: usize,
    records: Vec<u8>,
}

impl Pack {
    /// Adds a record in its canonical form.
    pub fn push(&mut self, record: &[u8]) {
        self.count += 1;
        self.records.extend_from_slice(record);
    }

    /// Adds another pack, as long as both make one message.
    pub fn absorb(&mut self, other: Pack) -> Result<(), Pack> {
        let count = self.count.saturating_add(other.count);
        let bytes = self.records.len().saturating_add(other.records.len());
        if count > RECORDS_PER_MESSAGE_MAX || bytes > MESSAGE_BYTES_MAX {
            return Err(other);
        }
        self.count = count;
        self.records.extend_from_slice(&other.records);
        Ok(())
    }

    /// Whether it is to be sent before anything else is added.
    pub fn is_full(&self) -> bool {
        self.count >= RECORDS_PER_MESSAGE_MAX || self.records.len() >= MESSAGE_BYTES_MAX
    }

    /// How many records it holds.
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn bytes(&self) -> usize {
        self.records.len()
    }

    pub fn message(&self) -> Vec<u8> {
        packed_message(self.count, &self.records)
    }
}

/// Packs under way, one for each partition.
#[derive(Clone, Debug)]
pub struct Packs {
    partitions: u32,
    open: BTreeMap<u32, Pack>,
}

impl Packs {
    pub fn new(partitions: u32) -> Packs {
        Packs { partitions, open: BTreeMap::new() }
    }

    /// Takes a record in its canonical form; a pack that it fills is to be sent.
    pub fn push(&mut self, record: &[u8]) -> Result<Option<(u32, Pack)>, Malformed> {
        let partition = partition_of(account_of(record)?, self.partitions);
        let pack = self.open.entry(partition).or_default();
        pack.push(record);
        let full = pack.is_full();
        Ok(if full { self.open.remove_entry(&partition) } else { None })
    }

    /// All that is not full yet.
    pub fn finish(&mut self) -> impl Iterator<Item = (u32, Pack)> + use<> {
        std::mem::take(&mut self.open).into_iter()
    }
}

/// Whether METERING will be able to read a record in its canonical form, as far as that can be told
/// from the record alone.
pub fn check(record: &[u8]) -> Result<(), Malformed> {
    read_single(record).usage().map(|_| ())
}

/// The account of a record in its canonical form: its third text.
pub fn account_of(record: &[u8]) -> Result<&[u8], Malformed> {
    let mut cursor = crate::avro::Cursor::new(record);
    cursor.bytes()?;
    cursor.bytes()?;
    Ok(cursor.bytes()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{each_record, from_json};

    fn record(account: &str, id: usize) -> Vec<u8> {
        let json = format!(
            r#"{{"source":"s","id":"{id}","account":"{account}","product":"p","meter":"m","quantity":"1","time":"2026-03-01T00:00:00Z"}}"#
        );
        from_json(json.as_bytes()).unwrap()
    }

    fn records_of(pack: &Pack) -> usize {
        let mut count = 0;
        each_record(&pack.message(), |_, read| {
            read.usage().unwrap();
            count += 1;
        });
        count
    }

    #[test]
    fn a_pack_is_sent_when_it_is_full_and_the_rest_at_the_end() {
        let mut packs = Packs::new(4);
        let mut sent = Vec::new();
        for id in 0..RECORDS_PER_MESSAGE_MAX + 3 {
            sent.extend(packs.push(&record("acme", id)).unwrap());
        }
        sent.extend(packs.finish());
        let place = partition_of(b"acme", 4);
        let found: Vec<_> =
            sent.iter().map(|(partition, pack)| (*partition, records_of(pack))).collect();
        assert_eq!(found, [(place, RECORDS_PER_MESSAGE_MAX), (place, 3)]);
        assert_eq!(packs.finish().count(), 0);
    }

    #[test]
    fn packs_join_while_they_make_one_message() {
        let pack = |records: usize| {
            let mut pack = Pack::default();
            (0..records).for_each(|id| pack.push(&record("acme", id)));
            pack
        };
        let mut first = pack(400);
        assert_eq!(first.absorb(pack(100)), Ok(()));
        assert_eq!(records_of(&first), 500);
        assert_eq!(first.absorb(pack(1)), Err(pack(1)));
    }

    #[test]
    fn what_metering_would_reject_as_malformed_is_known_beforehand() {
        assert_eq!(check(&record("acme", 1)), Ok(()));
        let long = "x".repeat(10_000);
        assert!(matches!(check(&record(&long, 1)), Err(Malformed::TooLong(_))));
        assert!(matches!(check(&record("", 1)), Err(Malformed::Empty(_))));
    }
}
