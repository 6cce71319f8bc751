//! The delta of a step: facts and accruals in the order in which they were decided, as `BalanceDelta` in
//! `wire::state` declares it.
//!
//! A run of facts alternates with a run of accruals. Accruals are by far the most frequent, so they are
//! written by hand: five numbers each. Before them stand the cuts: what was decided besides messages, and
//! after how many of them, so that the step can be decided again exactly.

use drawdown_domain::ledger::{AccountNumber, Accrued, Fact};
use drawdown_domain::money::from_twos_complement;
use drawdown_runtime::Stop;
use drawdown_wire::avro::{self, Cursor, Truncated, put_decimal, put_long};
use drawdown_wire::state::Cut;

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
    /// Whole runs, and perhaps the facts of one that is open.
    bytes: Vec<u8>,
    has_open_facts: bool,
    accruals: Vec<u8>,
    accrual_count: i64,
    messages: u32,
    idle: Vec<Cut>,
}

/// A block of one item begins, or a list ends.
const ONE: i64 = 1;
const END: i64 = 0;

impl DeltaWriter {
    pub(crate) fn fact(&mut self, fact: &Fact) {
        if !self.has_open_facts || self.accrual_count > 0 {
            self.close_run();
            put_long(&mut self.bytes, ONE);
            self.has_open_facts = true;
        }
        put_long(&mut self.bytes, ONE);
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
        let timers = u32::try_from(timers).unwrap_or(u32::MAX);
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
        put_decimal(to, accrued.quantity);
        put_decimal(to, accrued.charge);
        self.accrual_count += 1;
    }

    /// Closes the run that is open, if one is: accruals end it, or it has none.
    fn close_run(&mut self) {
        if !self.has_open_facts && self.accrual_count == 0 {
            return;
        }
        if !self.has_open_facts {
            put_long(&mut self.bytes, ONE);
        }
        put_long(&mut self.bytes, END);
        if self.accrual_count > 0 {
            put_long(&mut self.bytes, self.accrual_count);
            self.bytes.append(&mut self.accruals);
            self.accrual_count = 0;
        }
        put_long(&mut self.bytes, END);
        self.has_open_facts = false;
    }

    /// Moves what was collected behind `to`. A step in which nothing was decided leaves nothing.
    pub(crate) fn finish(&mut self, timers_per_message_max: usize, to: &mut Vec<u8>) {
        self.close_run();
        self.messages = 0;
        if self.bytes.is_empty() {
            return;
        }
        put_long(to, long(timers_per_message_max));
        if !self.idle.is_empty() {
            put_long(to, long(self.idle.len()));
        }
        for Cut { messages, timers } in self.idle.drain(..) {
            put_long(to, messages.into());
            put_long(to, timers.into());
        }
        put_long(to, END);
        to.append(&mut self.bytes);
        put_long(to, END);
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
    if delta.is_empty() {
        return Ok(());
    }
    let (_, mut cursor) = read_cuts(delta).map_err(unreadable)?;
    each_item(&mut cursor, &mut |cursor| {
        each_item(cursor, &mut |cursor| {
            let (fact, after): (Fact, &[u8]) =
                avro::decode_prefix(cursor.rest()).map_err(|error| {
                    Stop::Broken(format!("a fact of the ledger cannot be read: {error}"))
                })?;
            *cursor = Cursor::new(after);
            visit(Part::Fact(fact))
        })?;
        each_item(cursor, &mut |cursor| {
            visit(Part::Accrued(read_accrued(cursor).map_err(unreadable)?))
        })
    })?;
    if cursor.is_empty() { Ok(()) } else { Err(unreadable(Truncated)) }
}

/// Shows where each item of a list begins.
#[inline]
fn each_item<'a>(
    cursor: &mut Cursor<'a>,
    visit: &mut impl FnMut(&mut Cursor<'a>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    loop {
        let count = cursor.block().map_err(unreadable)?;
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            visit(cursor)?;
        }
    }
}

/// How a step was cut, and where the rest of its delta begins.
pub(crate) fn read_cuts(delta: &[u8]) -> Result<(Cuts, Cursor<'_>), Truncated> {
    let mut cursor = Cursor::new(delta);
    if delta.is_empty() {
        return Ok((Cuts::default(), cursor));
    }
    let timers_per_message_max = usize::try_from(cursor.long()?).map_err(|_| Truncated)?;
    let mut idle = Vec::new();
    loop {
        let cuts = cursor.block()?;
        if cuts == 0 {
            break;
        }
        for _ in 0..cuts {
            let mut count = || u32::try_from(cursor.long()?).map_err(|_| Truncated);
            idle.push(Cut { messages: count()?, timers: count()? });
        }
    }
    Ok((Cuts { timers_per_message_max: Some(timers_per_message_max), idle }, cursor))
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
    use drawdown_domain::ledger::{Cause, Lot, Moved, TimePassed, WalletNumber};
    use drawdown_domain::time::Timestamp;
    use drawdown_wire::avro::{Plan, fingerprint};
    use drawdown_wire::schemas::BALANCE_DELTA;
    use drawdown_wire::state::BalanceDelta;
    use serde_json::Value;

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
        let (cuts, _) = read_cuts(&delta).unwrap();
        let idle = vec![Cut { messages: 0, timers: 5 }, Cut { messages: 1, timers: 1 }];
        assert_eq!(cuts, Cuts { timers_per_message_max: Some(9), idle });
        let mut parts = Vec::new();
        each_part(&delta, &mut |part| {
            parts.push(part);
            Ok(())
        })
        .unwrap();
        assert_eq!(parts, [Part::Fact(fact)]);
    }

    /// What is written and read here by hand is what the declaration says.
    #[test]
    fn a_delta_is_a_value_of_its_schema() {
        let fact = |at| Fact::from(TimePassed { at: Timestamp::from_micros(at) });
        let accrued = |series| Accrued {
            account: AccountNumber(300),
            series,
            tab: 0,
            quantity: "1.5".parse().unwrap(),
            charge: "-0.000000000001".parse().unwrap(),
        };
        for order in ["", "f", "a", "ffa", "aff", "afaaf", "faafa"] {
            let (mut writer, mut expected, mut delta) =
                (DeltaWriter::default(), Vec::new(), Vec::new());
            writer.idle(1);
            for (part, number) in order.chars().zip(0u32..) {
                match part {
                    'f' => {
                        writer.fact(&fact(number.into()));
                        expected.push(Part::Fact(fact(number.into())));
                    }
                    _ => {
                        writer.accrued(&accrued(number));
                        expected.push(Part::Accrued(accrued(number)));
                    }
                }
            }
            writer.finish(7, &mut delta);
            let mut read = Vec::new();
            each_part(&delta, &mut |part| {
                read.push(part);
                Ok(())
            })
            .unwrap();
            assert_eq!(read, expected, "{order}");
            if order.is_empty() {
                continue;
            }
            let declared: BalanceDelta = avro::decode(&delta).unwrap();
            assert_eq!(declared.timers_per_message_max, 7);
            assert_eq!(declared.idle, [Cut { messages: 0, timers: 1 }]);
            let runs = declared.runs.into_iter().flat_map(|run| {
                let facts = run.facts.into_iter().map(Part::Fact);
                facts.chain(run.accruals.into_iter().map(Part::Accrued))
            });
            assert_eq!(runs.collect::<Vec<_>>(), expected, "{order}");
        }
    }

    /// The schema of a time when moved money had no remark.
    fn without_remarks(schema: &mut Value) {
        if schema["name"] == "Moved"
            && let Some(fields) = schema["fields"].as_array_mut()
        {
            fields.retain(|field| field["name"] != "remark");
        }
        match schema {
            Value::Array(items) => items.iter_mut().for_each(without_remarks),
            Value::Object(entries) => entries.values_mut().for_each(without_remarks),
            _ => {}
        }
    }

    #[test]
    fn a_delta_of_an_older_schema_is_read_part_by_part() {
        let moved = |remark: Option<&str>| {
            Fact::from(Moved {
                wallet: WalletNumber(3),
                lot: Lot::OWN_CASH,
                amount: "-1.5".parse().unwrap(),
                cause: Cause::Adjustment,
                bill: None,
                remark: remark.map(|text| text.parse().unwrap()),
                paid: None,
                method: None,
            })
        };
        let accrued = Accrued {
            account: AccountNumber(1),
            series: 2,
            tab: 3,
            quantity: "4".parse().unwrap(),
            charge: "0.5".parse().unwrap(),
        };
        let mut writer = DeltaWriter::default();
        writer.fact(&moved(Some("a gift")));
        writer.fact(&TimePassed { at: Timestamp::from_micros(7) }.into());
        writer.accrued(&accrued);
        writer.accrued(&accrued);
        writer.fact(&moved(None));
        let mut delta = Vec::new();
        writer.finish(9, &mut delta);
        let present = BALANCE_DELTA.json();
        let mut older = present.clone();
        without_remarks(&mut older);
        assert_ne!(fingerprint(&older), fingerprint(&present));
        let (mut written, mut read) = (Vec::new(), Vec::new());
        Plan::new(&present, &older).unwrap().rewrite(&delta, &mut written).unwrap();
        assert!(written.len() < delta.len());
        Plan::new(&older, &present).unwrap().rewrite(&written, &mut read).unwrap();
        let mut parts = Vec::new();
        each_part(&read, &mut |part| {
            parts.push(part);
            Ok(())
        })
        .unwrap();
        let (time, accrued) =
            (TimePassed { at: Timestamp::from_micros(7) }.into(), Part::Accrued(accrued));
        let (moved, time) = (Part::Fact(moved(None)), Part::Fact(time));
        assert_eq!(parts, [moved.clone(), time, accrued.clone(), accrued, moved]);
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
