//! Counted lines, the bulk of what the ledgers read: written and read by hand, equal to the declared
//! [`crate::messages::Lines`] byte for byte.

use drawdown_domain::money::{Amount, from_twos_complement};
use drawdown_domain::time::{Minute, Timestamp};

use crate::avro::{Cursor, Truncated, put_decimal, put_long, put_text};
use crate::messages::CountedLine;

/// The place of `Lines` among the cases of `LedgerInput`.
const LINES_CASE: i64 = 0;

/// Collects the lines of one step for one ledger. What is used of the same meter by the same account in
/// the same minute becomes one line, as far as that is cheap to see.
#[derive(Debug, Default)]
pub struct LinesBuilder {
    base: Option<Minute>,
    regions: Vec<String>,
    lines: Vec<CountedLine>,
    /// By a hash of what a line is of: where the last such line stands, below more bits of its hash, so
    /// that another line seldom has to be looked at. It may be an earlier message's.
    places: Vec<u32>,
}

/// Lines that may be found again. A power of two.
const PLACES: usize = 2_048;
const LINE_BITS: u32 = 16;
/// Lines behind these are not found again: nobody collects as many.
const LINES_FOUND: usize = 1 << LINE_BITS;
/// About as much as a line takes.
const LINE_BYTES: usize = 14;

impl LinesBuilder {
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// About how much has been collected so far.
    pub fn bytes(&self) -> usize {
        self.lines.len().saturating_mul(LINE_BYTES)
    }

    /// The number under which a region goes in this message.
    pub fn region(&mut self, region: Option<&str>) -> u32 {
        let Some(region) = region else { return 0 };
        let known = self.regions.iter().position(|known| known == region);
        let place = known.unwrap_or_else(|| {
            self.regions.push(region.to_owned());
            self.regions.len() - 1
        });
        u32::try_from(place + 1).unwrap_or(u32::MAX)
    }

    #[inline]
    pub fn push(
        &mut self,
        account: u32,
        meter: u32,
        region: u32,
        used: Minute,
        quantity: Amount,
        records: u32,
    ) {
        let base = *self.base.get_or_insert(used);
        let minute = i64::from(used.number()) - i64::from(base.number());
        let line = CountedLine { account, meter, region, minute, quantity, records };
        if self.places.is_empty() {
            self.places.resize(PLACES, u32::MAX);
        }
        let hash = hash_of(&line);
        let Some(place) = self.places.get_mut(hash as usize & (PLACES - 1)) else { return };
        if *place >> LINE_BITS == hash >> LINE_BITS
            && let Some(known) = self.lines.get_mut(*place as usize & (LINES_FOUND - 1))
            && is_of_the_same(known, &line)
            && let Ok(sum) = known.quantity.plus(quantity)
            && let Some(count) = known.records.checked_add(records)
        {
            (known.quantity, known.records) = (sum, count);
            return;
        }
        if self.lines.len() < LINES_FOUND {
            *place = (hash >> LINE_BITS << LINE_BITS) | self.lines.len() as u32;
        }
        self.lines.push(line);
    }

    /// The message, without its header; the builder is empty afterwards.
    pub fn finish(
        &mut self,
        to: &mut Vec<u8>,
        at: Timestamp,
        usage_partition: u32,
        first: i64,
        last: i64,
    ) {
        put_long(to, at.as_micros());
        put_long(to, LINES_CASE);
        put_long(to, usage_partition.into());
        put_long(to, first);
        put_long(to, last);
        put_long(to, self.base.unwrap_or(Minute::START).number().into());
        if !self.regions.is_empty() {
            put_long(to, i64::try_from(self.regions.len()).unwrap_or(i64::MAX));
            for region in &self.regions {
                put_text(to, region);
            }
        }
        put_long(to, 0);
        if !self.lines.is_empty() {
            put_long(to, i64::try_from(self.lines.len()).unwrap_or(i64::MAX));
            to.reserve(self.bytes());
            for line in &self.lines {
                put_long(to, line.account.into());
                put_long(to, line.meter.into());
                put_long(to, line.region.into());
                put_long(to, line.minute);
                put_decimal(to, line.quantity);
                put_long(to, line.records.into());
            }
        }
        put_long(to, 0);
        self.base = None;
        self.regions.clear();
        self.lines.clear();
    }
}

#[inline]
fn hash_of(line: &CountedLine) -> u32 {
    let mixed = u64::from(line.account)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(u64::from(line.meter).wrapping_mul(0xC2B2_AE3D_27D4_EB4F))
        .wrapping_add(u64::from(line.region) << 40)
        .wrapping_add(line.minute as u64)
        .wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed ^ (mixed >> 32)) as u32
}

#[inline]
fn is_of_the_same(one: &CountedLine, other: &CountedLine) -> bool {
    (one.account, one.meter, one.region, one.minute)
        == (other.account, other.meter, other.region, other.minute)
}

/// What stands before the lines of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinesHeader<'a> {
    pub at: Timestamp,
    pub usage_partition: u32,
    pub first_offset: i64,
    pub last_offset: i64,
    pub base: Minute,
    pub regions: Vec<&'a str>,
}

/// Begins to read a ledger message, if it is one of lines: the header, and a cursor at the lines.
pub fn open_lines(value: &[u8]) -> Result<Option<(LinesHeader<'_>, Cursor<'_>)>, Truncated> {
    let mut cursor = Cursor::new(value);
    let at = Timestamp::from_micros(cursor.long()?);
    if cursor.long()? != LINES_CASE {
        return Ok(None);
    }
    let usage_partition = small(&mut cursor)?;
    let first_offset = cursor.long()?;
    let last_offset = cursor.long()?;
    let base = Minute::from_number(small(&mut cursor)?);
    let mut regions = Vec::new();
    loop {
        let count = cursor.block()?;
        if count == 0 {
            break;
        }
        for _ in 0..count {
            regions.push(cursor.text()?);
        }
    }
    Ok(Some((
        LinesHeader { at, usage_partition, first_offset, last_offset, base, regions },
        cursor,
    )))
}

/// Shows each line under the cursor; `minute` is counted from the header's base.
#[inline]
pub fn each_line<E: From<Truncated>>(
    mut cursor: Cursor<'_>,
    mut visit: impl FnMut(CountedLine) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        let count = cursor.block()?;
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            visit(CountedLine {
                account: small(&mut cursor)?,
                meter: small(&mut cursor)?,
                region: small(&mut cursor)?,
                minute: cursor.long()?,
                quantity: from_twos_complement(cursor.bytes()?).ok_or(Truncated)?,
                records: small(&mut cursor)?,
            })?;
        }
    }
}

#[inline]
fn small(cursor: &mut Cursor<'_>) -> Result<u32, Truncated> {
    u32::try_from(cursor.long()?).map_err(|_| Truncated)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::avro::{decode, encode};
    use crate::messages::{LedgerInput, LedgerMessage, Lines};

    proptest! {
        /// Written and read by hand is written and read by declaration.
        #[test]
        fn lines_are_as_declared(
            rows in proptest::collection::vec((0u32..3, 0u32..2, 0usize..3, 4_000_000u32..4_000_002, any::<i64>(), 1u32..9), 0..20),
            at in any::<i64>(), first in any::<i64>(), last in any::<i64>(),
        ) {
            let names = [None, Some("eu"), Some("us")];
            let mut builder = LinesBuilder::default();
            let mut declared = Lines {
                usage_partition: 7, first_offset: first, last_offset: last,
                base: Minute::START, regions: Vec::new(), lines: Vec::new(),
            };
            for (account, meter, region, used, quantity, records) in &rows {
                let quantity = Amount::from_raw((*quantity).into());
                let region = builder.region(names[*region]);
                if declared.lines.is_empty() {
                    declared.base = Minute::from_number(*used);
                }
                builder.push(*account, *meter, region, Minute::from_number(*used), quantity, *records);
                let minute = i64::from(*used) - i64::from(declared.base.number());
                let line = CountedLine { account: *account, meter: *meter, region, minute, quantity, records: *records };
                // Few lines have places of their own, so all that can be put together are.
                let same = declared.lines.iter_mut().find(|known| is_of_the_same(known, &line));
                match same.filter(|known| known.records.checked_add(*records).is_some()) {
                    Some(known) => {
                        known.quantity = known.quantity.plus(quantity).unwrap();
                        known.records += records;
                    }
                    None => declared.lines.push(line),
                }
            }
            declared.regions = builder.regions.clone();
            let mut bytes = Vec::new();
            builder.finish(&mut bytes, Timestamp::from_micros(at), 7, first, last);
            let message = LedgerMessage { at: Timestamp::from_micros(at), input: LedgerInput::Lines(declared.clone()) };
            prop_assert_eq!(&bytes, &encode(&message));
            prop_assert_eq!(&decode::<LedgerMessage>(&bytes).unwrap(), &message);
            let (header, cursor) = open_lines(&bytes).unwrap().unwrap();
            prop_assert_eq!(header.regions.len(), declared.regions.len());
            let mut lines = Vec::new();
            each_line::<Truncated>(cursor, |line| { lines.push(line); Ok(()) }).unwrap();
            prop_assert_eq!(lines, declared.lines);
        }
    }
}
