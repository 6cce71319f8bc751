//! Records that are not added up: what the largest, the last, or the different ones are of (R3.3).
//!
//! They are rare, and stand beside the lines: those know nothing of them.

use std::collections::BTreeMap;

use compact_str::CompactString;
use drawdown_domain::rating::{Distinct, Largest, Latest, Moment, Value, ValueCount};
use drawdown_domain::time::{Minute, Timestamp};
use drawdown_wire::messages::MeasuredLine;
use drawdown_wire::usage::{Usage, tags_of};

use crate::catalogue::Measure;
use crate::identities::Teller;

/// What a line is of, within its ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) account: u32,
    pub(crate) meter: u32,
    pub(crate) region: Option<CompactString>,
    pub(crate) used: Minute,
}

#[derive(Debug, Default)]
struct Said {
    records: u32,
    values: BTreeMap<Value, u32>,
}

/// What was measured in a step, for one ledger.
#[derive(Debug, Default)]
pub(crate) struct MeasuredLines {
    lines: BTreeMap<Place, Said>,
    bytes: usize,
}

/// About as much as a line takes, and each value of it beside its id.
const LINE_BYTES: usize = 24;
const VALUE_BYTES: usize = 24;

impl MeasuredLines {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// About how much has been collected so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts a record. What it says counts once with all that say the same.
    pub(crate) fn push(&mut self, place: Place, value: Option<Value>) {
        self.bytes += LINE_BYTES;
        let said = self.lines.entry(place).or_default();
        // A step has fewer records than could be counted.
        said.records = said.records.saturating_add(1);
        let Some(value) = value else { return };
        self.bytes += VALUE_BYTES;
        if let Value::Latest(latest) = &value {
            self.bytes += latest.used.id.len();
        }
        let records = said.values.entry(value).or_default();
        *records = records.saturating_add(1);
    }

    /// The lines; none are left.
    pub(crate) fn take(&mut self) -> Vec<MeasuredLine> {
        self.bytes = 0;
        let lines = std::mem::take(&mut self.lines).into_iter();
        lines.map(|(place, said)| line(place, said)).collect()
    }
}

fn line(Place { account, meter, region, used }: Place, said: Said) -> MeasuredLine {
    let values = said.values.into_iter();
    MeasuredLine {
        account,
        meter,
        region: region.map(Into::into),
        used,
        records: said.records,
        values: values.map(|(value, records)| ValueCount { value, records }).collect(),
    }
}

/// The time of use that counts: the minute of its arrival if it was ahead of that (R2.4).
pub(crate) fn moment(used: Timestamp, arrived: Timestamp) -> Timestamp {
    if used > arrived { arrived.minute().starts() } else { used }
}

/// What a record says; nothing if it lacks the tag. `used` is the time of use that counts.
pub(crate) fn value_of(
    measure: &Measure,
    record: &Usage<'_>,
    used: Timestamp,
    teller: &Teller,
) -> Option<Value> {
    let quantity = record.quantity;
    Some(match measure {
        Measure::Max => Largest { quantity }.into(),
        Measure::Last => {
            let used = Box::new(Moment { time: used, id: record.id.into() });
            Latest { used, quantity }.into()
        }
        Measure::Unique(tag) => {
            // The tags of a record that was read are fit.
            let tags = tags_of(record).unwrap_or_default();
            let (_, value) = tags.into_iter().find(|(name, _)| *name == tag.as_str())?;
            let hash = teller.tell(value.as_bytes(), &[]).identity;
            Distinct { high: hash.high.cast_signed(), low: hash.low.cast_signed() }.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use drawdown_wire::usage::{NewUsage, each_record, single_message};

    use super::*;

    const AT: &str = "2026-03-01T00:10:20Z";

    /// Id, quantity and tags.
    type Record<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    fn check(measure: &Measure, records: &[Record<'_>], expected: &str) {
        let teller = Teller::new([7; 16]);
        let used: Timestamp = AT.parse().unwrap();
        let mut lines = MeasuredLines::default();
        for (id, quantity, tags) in records {
            let quantity = quantity.parse().unwrap();
            let message = single_message(&NewUsage {
                source: "s",
                id,
                account: "a",
                product: "p",
                meter: "m",
                quantity,
                time: used,
                region: None,
                unit: None,
                tags,
            });
            each_record(&message, |_, read| {
                let value = value_of(measure, &read.usage().unwrap(), used, &teller);
                let used = used.minute();
                lines.push(Place { account: 3, meter: 1, region: None, used }, value);
            });
        }
        let taken = lines.take();
        let [line] = &taken[..] else { panic!("{taken:?}") };
        assert_eq!(line.records as usize, records.len());
        let values = line.values.iter().map(|count| match &count.value {
            Value::Largest(value) => format!("{}x{}", value.quantity, count.records),
            Value::Latest(value) => {
                format!("{}@{}x{}", value.quantity, value.used.id, count.records)
            }
            Value::Distinct(_) => format!("x{}", count.records),
        });
        assert_eq!(values.collect::<Vec<_>>().join(" "), expected);
        assert!(lines.is_empty() && lines.bytes() == 0);
    }

    /// R3.3: records of a minute that say the same are one value with their count.
    #[test]
    fn r3_3_a_minutes_records_are_its_values_with_counts() {
        let none: &[(&str, &str)] = &[];
        check(
            &Measure::Max,
            &[("1", "5", none), ("2", "3.0", none), ("3", "5.00", none)],
            "3x1 5x2",
        );
        check(
            &Measure::Last,
            &[("9", "5", none), ("10", "3", none), ("9", "5", none)],
            "3@10x1 5@9x2",
        );
        let unique = Measure::Unique("user".parse().unwrap());
        let (ann, bob, team) = (("user", "ann"), ("user", "bob"), ("team", "ann"));
        check(
            &unique,
            &[("1", "1", &[ann]), ("2", "1", &[team, ann]), ("3", "1", &[team]), ("4", "1", none)],
            "x2",
        );
        check(&unique, &[("1", "1", &[ann]), ("2", "1", &[bob])], "x1 x1");
    }
}
