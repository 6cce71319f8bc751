//! The file that says which runs of a partition are in use, and how far they reach together.
//!
//! **Invariant:** a run counts if and only if it is named here. The file is replaced at once, after the
//! runs it names are synced and before those it no longer names are deleted.

use drawdown_log::Next;

use super::entry::Position;
use super::layout::{Owner, Unsound, u32_at, u64_at};

pub(super) const CATALOGUE: &str = "catalogue";
const MAGIC: [u8; 8] = *b"ddmtrcat";
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 64;
const LISTED_BYTES: usize = 32;

/// A run by the number in its name, and the part of the chain it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) number: u64,
    pub(super) from: Position,
    pub(super) to: Position,
}

/// What is in use, oldest run first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Catalogue {
    pub(super) owner: Owner,
    /// Everything up to here is in the runs, or forgotten.
    pub(super) reached: Position,
    /// Where the `identities` topic goes on behind that. Only a hint: what is read there says itself
    /// where it stands in the chain.
    pub(super) next: Next,
    /// The number of the next run.
    pub(super) number: u64,
    pub(super) runs: Vec<Listed>,
}

pub(super) fn run_name(number: u64) -> String {
    format!("{number:012}.run")
}

impl Catalogue {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.runs.len() * LISTED_BYTES + 4);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.owner.partition.to_le_bytes());
        bytes.extend_from_slice(&self.owner.key_check.to_le_bytes());
        bytes.extend_from_slice(&self.reached.total.to_le_bytes());
        bytes.extend_from_slice(&self.next.0.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.reached.checksum.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(self.runs.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.resize(HEADER_BYTES, 0);
        for run in &self.runs {
            bytes.extend_from_slice(&run.number.to_le_bytes());
            bytes.extend_from_slice(&run.from.total.to_le_bytes());
            bytes.extend_from_slice(&run.to.total.to_le_bytes());
            bytes.extend_from_slice(&run.from.checksum.to_le_bytes());
            bytes.extend_from_slice(&run.to.checksum.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Catalogue, Unsound> {
        let (own, checksum) = bytes.split_last_chunk::<4>().ok_or(Unsound::Damaged)?;
        let is_sound = own.len() >= HEADER_BYTES && crc32c::crc32c(own).to_le_bytes() == *checksum;
        if !is_sound || own.get(..8) != Some(&MAGIC) {
            return Err(Unsound::Damaged);
        }
        if u32_at(own, 8) != FORMAT {
            return Err(Unsound::Format(u32_at(own, 8)));
        }
        let listed = |bytes: &[u8]| Listed {
            number: u64_at(bytes, 0),
            from: Position { total: u64_at(bytes, 8), checksum: u32_at(bytes, 24) },
            to: Position { total: u64_at(bytes, 16), checksum: u32_at(bytes, 28) },
        };
        let runs: Vec<Listed> = own[HEADER_BYTES..].chunks(LISTED_BYTES).map(listed).collect();
        if runs.len() != u32_at(own, 52) as usize {
            return Err(Unsound::Damaged);
        }
        Ok(Catalogue {
            owner: Owner { partition: u32_at(own, 12), key_check: u64_at(own, 16) },
            reached: Position { total: u64_at(own, 24), checksum: u32_at(own, 48) },
            next: Next(u64_at(own, 32).cast_signed()),
            number: u64_at(own, 40),
            runs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_comes_back_and_a_flipped_or_torn_one_does_not() {
        let position = |total: u64| Position { total, checksum: total as u32 * 77 };
        let runs = (1..4)
            .map(|number| Listed {
                number,
                from: position(number * 10),
                to: position(number * 10 + 9),
            })
            .collect();
        let catalogue = Catalogue {
            owner: Owner { partition: 3, key_check: 0x1234_5678_9ABC_DEF0 },
            reached: position(50),
            next: Next(17),
            number: 4,
            runs,
        };
        let bytes = catalogue.encode();
        assert_eq!(Catalogue::decode(&bytes), Ok(catalogue));
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 0x20;
            assert!(Catalogue::decode(&flipped).is_err(), "{place}");
            assert!(Catalogue::decode(&bytes[..place]).is_err(), "{place}");
        }
    }
}
