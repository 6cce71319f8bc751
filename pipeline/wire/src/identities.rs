//! Remembered identities as they stand on the `identities` topic, packed.
//!
//! **Invariant:** each message names the place in the chain before it and the checksum after it, so
//! that a gap, a repeat and another history are found by whoever reads on.

use crate::avro::{Cursor, Truncated, put_long};

const FORMAT: u8 = 1;
/// Far below what any broker takes as one message.
const MESSAGE_BYTES_MAX: usize = 512 * 1024;
/// About as much as an entry takes, and seldom less.
const ENTRY_BYTES: usize = 32;

/// The 128 bit keyed hash of (account, source, id). Runs are sorted by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub high: u64,
    pub low: u64,
}

/// A remembered identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub identity: Identity,
    pub content: u64,
    /// Where the record stands on the usage topic: a void rereads it from there.
    pub offset: i64,
    pub index: u32,
    /// The day of use, from which follows how long it is kept.
    pub day: i32,
}

/// A place in the chain of everything a partition has ever remembered: how many identities lie before
/// it, and a checksum over them. Two histories that differ have different places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub total: u64,
    pub checksum: u32,
}

/// Packs entries that follow `position`, which goes on behind them.
pub fn pack(entries: &[Entry], position: &mut Position) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let mut rest = entries;
    while !rest.is_empty() {
        let room = rest.len().saturating_mul(ENTRY_BYTES).min(MESSAGE_BYTES_MAX + ENTRY_BYTES);
        let (mut body, mut count, mut offset) = (Vec::with_capacity(room), 0_usize, 0_i64);
        for entry in rest {
            if body.len() >= MESSAGE_BYTES_MAX {
                break;
            }
            body.extend_from_slice(&entry.identity.high.to_le_bytes());
            body.extend_from_slice(&entry.identity.low.to_le_bytes());
            body.extend_from_slice(&entry.content.to_le_bytes());
            put_long(&mut body, entry.day.into());
            put_long(&mut body, entry.offset.wrapping_sub(offset));
            put_long(&mut body, entry.index.into());
            offset = entry.offset;
            count += 1;
        }
        rest = &rest[count..];
        let checksum = crc32c::crc32c_append(position.checksum, &body);
        let mut message = Vec::with_capacity(body.len() + 32);
        message.push(FORMAT);
        put_long(&mut message, i64::try_from(position.total).unwrap_or(i64::MAX));
        message.extend_from_slice(&position.checksum.to_le_bytes());
        message.extend_from_slice(&checksum.to_le_bytes());
        put_long(&mut message, i64::try_from(count).unwrap_or(i64::MAX));
        message.append(&mut body);
        *position = Position { total: position.total + count as u64, checksum };
        messages.push(message);
    }
    messages
}

/// Why a message of the topic cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPacked {
    #[error("it has the format {0}, which this version does not know")]
    Format(u8),
    #[error("it does not match its checksum")]
    Damaged,
    #[error(transparent)]
    Truncated(#[from] Truncated),
}

/// A message whose entries have not been looked at yet.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    pub before: Position,
    pub after: Position,
    count: u64,
    body: &'a [u8],
}

impl<'a> Packed<'a> {
    pub fn open(message: &'a [u8]) -> Result<Packed<'a>, NotPacked> {
        let mut cursor = Cursor::new(message);
        let format = cursor.byte()?;
        if format != FORMAT {
            return Err(NotPacked::Format(format));
        }
        let total = u64::try_from(cursor.long()?).map_err(|_| Truncated)?;
        let checksum = u32_of(&mut cursor)?;
        let checksum_after = u32_of(&mut cursor)?;
        let count = u64::try_from(cursor.long()?).map_err(|_| Truncated)?;
        let after = Position { total: total.saturating_add(count), checksum: checksum_after };
        Ok(Packed { before: Position { total, checksum }, after, count, body: cursor.rest() })
    }

    /// Shows the entries in their order, once their checksum is verified.
    pub fn each(&self, visit: &mut dyn FnMut(Entry)) -> Result<(), NotPacked> {
        if crc32c::crc32c_append(self.before.checksum, self.body) != self.after.checksum {
            return Err(NotPacked::Damaged);
        }
        let (mut cursor, mut offset) = (Cursor::new(self.body), 0_i64);
        for _ in 0..self.count {
            let identity = Identity { high: u64_of(&mut cursor)?, low: u64_of(&mut cursor)? };
            let content = u64_of(&mut cursor)?;
            let day = i32::try_from(cursor.long()?).map_err(|_| Truncated)?;
            offset = offset.wrapping_add(cursor.long()?);
            let index = u32::try_from(cursor.long()?).map_err(|_| Truncated)?;
            visit(Entry { identity, content, offset, index, day });
        }
        if cursor.is_empty() { Ok(()) } else { Err(NotPacked::Damaged) }
    }
}

fn u32_of(cursor: &mut Cursor<'_>) -> Result<u32, Truncated> {
    Ok(u32::from_le_bytes(cursor.take(4)?.try_into().map_err(|_| Truncated)?))
}

fn u64_of(cursor: &mut Cursor<'_>) -> Result<u64, Truncated> {
    Ok(u64::from_le_bytes(cursor.take(8)?.try_into().map_err(|_| Truncated)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Entry {
        let identity = Identity { high: number.wrapping_mul(0x9E37_79B9_7F4A_7C15), low: number };
        let offset = number as i64 * 3 - 50;
        Entry { identity, content: number + 7, offset, index: number as u32 % 5, day: 20_000 }
    }

    fn unpacked(message: &[u8]) -> Result<Vec<Entry>, NotPacked> {
        let mut entries = Vec::new();
        Packed::open(message)?.each(&mut |entry| entries.push(entry))?;
        Ok(entries)
    }

    #[test]
    fn what_is_packed_comes_back_in_chained_messages() {
        let entries: Vec<Entry> = (0..50_000).map(entry).collect();
        let mut position = Position::default();
        let messages = pack(&entries, &mut position);
        assert!(messages.len() > 1);
        let (mut back, mut at) = (Vec::new(), Position::default());
        for message in &messages {
            assert!(message.len() < MESSAGE_BYTES_MAX + 100);
            let packed = Packed::open(message).unwrap();
            assert_eq!(packed.before, at);
            at = packed.after;
            back.extend(unpacked(message).unwrap());
        }
        assert_eq!((back, at, at.total), (entries, position, 50_000));
        assert_eq!(pack(&[], &mut position), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_flipped_bit_in_the_entries_is_found() {
        let mut position = Position { total: 5, checksum: 9 };
        let message = pack(&[entry(1), entry(2)], &mut position).remove(0);
        for place in 2..message.len() {
            let mut flipped = message.clone();
            flipped[place] ^= 4;
            assert!(unpacked(&flipped).is_err(), "{place}");
        }
        for length in 0..message.len() {
            assert!(unpacked(&message[..length]).is_err(), "{length}");
        }
    }
}
