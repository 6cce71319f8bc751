//! Numbers, bytes and text as Avro writes them.

use drawdown_domain::money::{Amount, shortest};

/// The input ended, or a number in it is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the input is cut off or holds a number out of range")]
pub struct Truncated;

/// Appends a number: zigzag, then seven bits a byte, lowest first.
#[inline]
pub fn put_long(to: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

#[inline]
pub fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_long(to, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    to.extend_from_slice(bytes);
}

/// Appends an exact decimal, as the shortest bytes that mean it.
#[inline]
pub fn put_decimal(to: &mut Vec<u8>, amount: Amount) {
    let length = shortest(&amount.raw().to_be_bytes()).len();
    to.push((length << 1) as u8);
    let end = to.len() + length;
    // Sixteen bytes are copied faster than a number of them that has to be looked at.
    let first = (16 - length) << 3;
    to.extend_from_slice(&(amount.raw() << first).to_be_bytes());
    to.truncate(end);
}

#[inline]
pub fn put_text(to: &mut Vec<u8>, text: &str) {
    put_bytes(to, text.as_bytes());
}

/// Reads forward through bytes it does not own.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub fn byte(&mut self) -> Result<u8, Truncated> {
        let (first, rest) = self.rest.split_first().ok_or(Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    pub fn long(&mut self) -> Result<i64, Truncated> {
        self.long_shortest().map(|(value, _)| value)
    }

    /// The same where most numbers are a byte, and many are read: a longer one is a call away.
    #[inline]
    pub fn long_mostly_a_byte(&mut self) -> Result<i64, Truncated> {
        #[inline(never)]
        fn longer(cursor: &mut Cursor<'_>) -> Result<i64, Truncated> {
            cursor.long()
        }
        match self.rest.split_first() {
            Some((first, rest)) if *first < 0x80 => {
                self.rest = rest;
                Ok(zigzag(u64::from(*first)))
            }
            _ => longer(self),
        }
    }

    /// A number, and whether it was written in the fewest bytes.
    #[inline]
    pub fn long_shortest(&mut self) -> Result<(i64, bool), Truncated> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok((zigzag(u64::from(first)), true));
        }
        let mut value = u64::from(first & 0x7F);
        let mut shift = 7u32;
        loop {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(Truncated);
            }
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok((zigzag(value), byte != 0));
            }
            shift += 7;
            if shift > 63 {
                return Err(Truncated);
            }
        }
    }

    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], Truncated> {
        let count = usize::try_from(self.long_mostly_a_byte()?).map_err(|_| Truncated)?;
        self.take(count)
    }

    #[inline]
    pub fn text(&mut self) -> Result<&'a str, Truncated> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Truncated)
    }

    /// How many items the next block of an array or map holds; zero at its end.
    #[inline]
    pub fn block(&mut self) -> Result<u64, Truncated> {
        let count = self.long_mostly_a_byte()?;
        if count < 0 {
            // A block may say how many bytes it takes, so that readers can pass over it.
            self.long()?;
        }
        // An item takes at least a byte, so a count beyond the input is a lie.
        let count = count.unsigned_abs();
        if count > self.rest.len() as u64 { Err(Truncated) } else { Ok(count) }
    }
}

#[inline]
fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_round_trip(value in any::<i64>(), shift in 0u32..64) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            put_long(&mut bytes, value);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.long_shortest(), Ok((value, true)));
            prop_assert!(cursor.is_empty());
            prop_assert_eq!(Cursor::new(&bytes).long_mostly_a_byte(), Ok(value));
        }

        #[test]
        fn decimals_are_their_shortest_bytes(raw in any::<i128>(), shift in 0u32..127) {
            let amount = Amount::from_raw(raw >> shift);
            let (mut fast, mut plain) = (vec![1], vec![1]);
            put_decimal(&mut fast, amount);
            put_bytes(&mut plain, shortest(&amount.raw().to_be_bytes()));
            prop_assert_eq!(fast, plain);
        }

        #[test]
        fn any_input_ends_in_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut cursor = Cursor::new(&bytes);
            while cursor.bytes().is_ok() {}
        }
    }

    #[test]
    fn what_is_longer_than_needed_is_seen() {
        assert_eq!(Cursor::new(&[0x82, 0x00]).long_shortest(), Ok((1, false)));
        assert_eq!(Cursor::new(&[0x80, 0x01]).long_shortest(), Ok((64, true)));
        assert_eq!(Cursor::new(&[0xFF; 11]).long(), Err(Truncated));
        let too_large = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02];
        assert_eq!(Cursor::new(&too_large).long(), Err(Truncated));
    }
}
