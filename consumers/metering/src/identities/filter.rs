//! Whether a run may hold an identity: one cache line of memory says no for nearly all it does not.
//!
//! A filter is an array of lines of 512 bits. The upper half of an identity chooses the line, the lower
//! half sets one bit in each of its eight words. Measured with 100 M identities in 8 partitions: a line
//! read costs what a binary fuse filter's three reads cost for a single run, and half of them for
//! several; it is built in the order of the run without any table beside it, where a fuse filter needs
//! all keys in memory at once and 160 ns for each. Which bits an identity sets is worked out once for all
//! runs, and the line grows with the identity, so that building runs through memory in order.

use super::entry::Identity;
use super::layout::u64_at;

const WORDS: usize = 8;
pub(super) const LINE_BYTES: usize = WORDS * 8;

#[repr(align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line([u64; WORDS]);

/// What an identity sets in its line, in any filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask(Line);

impl Mask {
    #[inline]
    pub(super) fn of(identity: Identity) -> Mask {
        let mut words = [0; WORDS];
        let mut bits = identity.low;
        for word in &mut words {
            *word = 1 << (bits & 63);
            bits >>= 6;
        }
        Mask(Line(words))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    lines: Vec<Line>,
}

/// Small runs get more bits: they cost little, and one of several runs answers wrongly less often. With
/// 14 bits one in 530 does, with 20 one in 3,900.
const SMALL: u64 = 1_000_000;
const BITS: u64 = 14;
const BITS_SMALL: u64 = 20;

impl Filter {
    /// A filter for about so many identities.
    pub(super) fn with_room_for(count: u64) -> Filter {
        let bits = if count < SMALL { BITS_SMALL } else { BITS };
        let lines = count.saturating_mul(bits).div_ceil(LINE_BYTES as u64 * 8).max(1);
        Filter { lines: vec![Line([0; WORDS]); usize::try_from(lines).unwrap_or(usize::MAX)] }
    }

    #[inline]
    fn place(&self, identity: Identity) -> usize {
        // Below the number of lines, as the upper half is below two to the sixty-fourth.
        ((u128::from(identity.high) * self.lines.len() as u128) >> 64) as usize
    }

    pub(super) fn add(&mut self, identity: Identity) {
        let (place, mask) = (self.place(identity), Mask::of(identity));
        if let Some(line) = self.lines.get_mut(place) {
            for (word, bit) in line.0.iter_mut().zip(mask.0.0) {
                *word |= bit;
            }
        }
    }

    /// False only if the identity was never added. Without branches, so that the processor reads the
    /// lines of several filters at the same time.
    #[inline]
    pub(super) fn may_hold(&self, identity: Identity, mask: &Mask) -> bool {
        let Some(line) = self.lines.get(self.place(identity)) else { return true };
        let mut missing = 0;
        for (word, bit) in line.0.iter().zip(&mask.0.0) {
            missing |= bit & !word;
        }
        missing == 0
    }

    /// Reads what [`Filter::may_hold`] will.
    #[inline]
    pub(super) fn read_ahead(&self, identity: Identity) -> u64 {
        self.lines.get(self.place(identity)).map_or(0, |line| line.0[0])
    }

    pub(super) fn lines(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.lines.len() * LINE_BYTES
    }

    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        for word in self.lines.iter().flat_map(|line| line.0) {
            to.extend_from_slice(&word.to_le_bytes());
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Filter {
        let line = |bytes: &[u8]| Line(std::array::from_fn(|word| u64_at(bytes, word * 8)));
        Filter { lines: bytes.chunks_exact(LINE_BYTES).map(line).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: u64) -> Identity {
        let mix = |number: u64| {
            let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        };
        let high = mix(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Identity { high, low: mix(high ^ 0x1234_5678_9ABC_DEF1) }
    }

    #[test]
    fn nothing_added_is_denied_and_few_others_are_not() {
        let mut filter = Filter::with_room_for(100_000);
        for number in 0..100_000 {
            filter.add(identity(number));
        }
        let mut bytes = Vec::new();
        filter.encode(&mut bytes);
        assert_eq!(bytes.len(), filter.bytes());
        let filter = Filter::decode(&bytes);
        let holds = |number| filter.may_hold(identity(number), &Mask::of(identity(number)));
        assert!((0..100_000).all(holds));
        let wrong = (100_000..1_100_000).filter(|number| holds(*number)).count();
        assert!(wrong < 500, "{wrong} of a million");
    }

    #[test]
    fn the_ends_of_the_range_have_lines() {
        let mut filter = Filter::with_room_for(1_000);
        for high in [0, 1, u64::MAX - 1, u64::MAX] {
            let identity = Identity { high, low: high };
            filter.add(identity);
            assert!(filter.may_hold(identity, &Mask::of(identity)));
        }
    }
}
