//! The delta of a step: facts and accruals in the order in which they were decided.
//!
//! A run of facts alternates with a run of accruals. Accruals are by far the most frequent, so they
//! are written without names or tags: five numbers each. Before them stand the cuts: what was decided
//! besides messages, and after how many of them, so that the step can be decided again exactly.

use drawdown_domain::ledger::{AccountNumber, Accrued, Fact};
use drawdown_domain::money::{from_twos_complement, shortest};
use drawdown_runtime::Stop;
use drawdown_wire::avro::{self, Cursor, Truncated, put_bytes, put_long};

/// Stands where a run's length would: cuts follow.
const CUTS: i64 = -1;

/// Between two messages the station was idle, and timers fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The messages of the step that had been taken before.
    pub(crate) messages: usize,
    /// The timers that did something.
    pub(crate) timers: usize,
}

/// How a step was cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cuts {
    /// How many timers could fire after each message, if it is known.
    pub(crate) timers_per_message_max: Option<usize>,
    pub(crate) idle: Vec<Cut>,
}

/// Collects a delta.
#[derive(Debug, Default)]
pub(crate) struct DeltaWriter {
    bytes: Vec<u8>,
    accruals: Vec<u8>,
    accrual_count: i64,
    messages: usize,
    idle: Vec<Cut>,
}

impl DeltaWriter {
    pub(crate) fn fact(&mut self, fact: &Fact) {
        self.close_accruals();
        put_long(&mut self.bytes, 0);
        avro::encode_into(&mut self.bytes, fact);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + self.accruals.len()
    }

    /// A message is done with.
    pub(crate) fn message(&mut self) {
        self.messages += 1;
    }

    /// So many timers fired while nothing came.
    pub(crate) fn idle(&mut self, timers: usize) {
        match self.idle.last_mut() {
            // Nothing came between, so two slices are the same as one.
            Some(last) if last.messages == self.messages => last.timers += timers,
            _ => self.idle.push(Cut { messages: self.messages, timers }),
        }
    }

    #[inline]
    pub(crate) fn accrued(&mut self, accrued: &Accrued) {
        let to = &mut self.accruals;
        put_long(to, accrued.account.0.into());
        put_long(to, accrued.series.into());
        put_long(to, accrued.tab.into());
        put_bytes(to, shortest(&accrued.quantity.raw().to_be_bytes()));
        put_bytes(to, shortest(&accrued.charge.raw().to_be_bytes()));
        self.accrual_count += 1;
    }

    fn close_accruals(&mut self) {
        if self.accrual_count > 0 {
            put_long(&mut self.bytes, self.accrual_count);
            self.bytes.append(&mut self.accruals);
            self.accrual_count = 0;
        }
    }

    /// Moves what was collected behind `to`. A step in which nothing was decided leaves nothing.
    pub(crate) fn finish(&mut self, timers_per_message_max: usize, to: &mut Vec<u8>) {
        self.close_accruals();
        self.messages = 0;
        if self.bytes.is_empty() {
            return;
        }
        put_long(to, CUTS);
        put_long(to, long(timers_per_message_max));
        put_long(to, long(self.idle.len()));
        for Cut { messages, timers } in self.idle.drain(..) {
            put_long(to, long(messages));
            put_long(to, long(timers));
        }
        to.append(&mut self.bytes);
    }
}

fn long(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What a delta is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Fact(Fact),
    Accrued(Accrued),
}

/// Shows every part of a delta, in order.
#[inline]
pub fn each_part(
    delta: &[u8],
    visit: &mut impl FnMut(Part) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let (_, mut rest) = read_cuts(delta).map_err(unreadable)?;
    while !rest.is_empty() {
        let mut cursor = Cursor::new(rest);
        let accruals = cursor.long().map_err(unreadable)?;
        if accruals == 0 {
            let (fact, after): (Fact, &[u8]) =
                avro::decode_prefix(cursor.rest()).map_err(|error| {
                    Stop::Broken(format!("a fact of the ledger cannot be read: {error}"))
                })?;
            visit(Part::Fact(fact))?;
            rest = after;
            continue;
        }
        for _ in 0..accruals {
            visit(Part::Accrued(read_accrued(&mut cursor).map_err(unreadable)?))?;
        }
        rest = cursor.rest();
    }
    Ok(())
}

/// How a step was cut, and the rest of its delta.
pub(crate) fn read_cuts(delta: &[u8]) -> Result<(Cuts, &[u8]), Truncated> {
    let mut cursor = Cursor::new(delta);
    if delta.is_empty() || cursor.long()? != CUTS {
        return Ok((Cuts::default(), delta));
    }
    let mut count = || usize::try_from(cursor.long()?).map_err(|_| Truncated);
    let timers_per_message_max = Some(count()?);
    let mut idle = Vec::new();
    for _ in 0..count()? {
        idle.push(Cut { messages: count()?, timers: count()? });
    }
    Ok((Cuts { timers_per_message_max, idle }, cursor.rest()))
}

pub(crate) fn unreadable(_: Truncated) -> Stop {
    Stop::Broken("a delta of the ledger cannot be read".to_owned())
}

#[inline]
fn read_accrued(cursor: &mut Cursor<'_>) -> Result<Accrued, Truncated> {
    let small = |value: i64| u32::try_from(value).map_err(|_| Truncated);
    Ok(Accrued {
        account: AccountNumber(small(cursor.long()?)?),
        series: small(cursor.long()?)?,
        tab: small(cursor.long()?)?,
        quantity: from_twos_complement(cursor.bytes()?).ok_or(Truncated)?,
        charge: from_twos_complement(cursor.bytes()?).ok_or(Truncated)?,
    })
}

#[cfg(test)]
mod tests {
    use drawdown_domain::ledger::TimePassed;
    use drawdown_domain::time::Timestamp;

    use super::*;

    #[test]
    fn cuts_stand_before_what_was_decided_and_slices_in_a_row_are_one() {
        let fact: Fact = TimePassed { at: Timestamp::from_micros(7) }.into();
        let mut writer = DeltaWriter::default();
        writer.idle(2);
        writer.idle(3);
        writer.message();
        writer.fact(&fact);
        writer.idle(1);
        let mut delta = Vec::new();
        writer.finish(9, &mut delta);
        let (cuts, rest) = read_cuts(&delta).unwrap();
        let idle = vec![Cut { messages: 0, timers: 5 }, Cut { messages: 1, timers: 1 }];
        assert_eq!(cuts, Cuts { timers_per_message_max: Some(9), idle });
        let mut parts = Vec::new();
        let mut collect = |part| {
            parts.push(part);
            Ok(())
        };
        each_part(&delta, &mut collect).unwrap();
        each_part(rest, &mut collect).unwrap();
        assert_eq!(parts, [Part::Fact(fact.clone()), Part::Fact(fact)]);
    }

    #[test]
    fn a_step_that_decides_nothing_leaves_nothing() {
        let mut writer = DeltaWriter::default();
        writer.message();
        let mut delta = Vec::new();
        writer.finish(9, &mut delta);
        assert_eq!(delta, b"");
    }
}
