//! Holds what was decided against what stands on a topic, message by message.

use anyhow::Context;
use drawdown_domain::time::Timestamp;
use drawdown_log::Next;
use drawdown_wire::avro::Cursor;
use drawdown_wire::messages::{
    Bills, Charges, Entries, InvoiceRuns, Invoices, PeriodsClosed, Rejects,
};
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use serde_json::Value;

use super::reader::{Held, Reader};
use super::report::Report;

/// Whoever adds up what stands on a topic.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&Held, &mut Report) -> anyhow::Result<()>;

/// A topic that is followed.
#[derive(Debug)]
pub(super) struct Follower {
    topic: Topic,
    reader: Reader,
    /// The next message is the next one that is decided. Before that stands what was decided before
    /// the oldest step that is known.
    aligned: bool,
    /// What stands before this was there before the state was asked for its end.
    fixed_end: Next,
}

impl Follower {
    pub(super) fn new(topic: Topic, reader: Reader) -> Follower {
        let fixed_end = reader.end();
        Follower { topic, reader, aligned: false, fixed_end }
    }

    /// Everything that was ever said will be decided again.
    pub(super) fn begin_at_the_start(&mut self) {
        self.aligned = self.reader.first == Next::START;
    }

    /// Nothing has been forgotten on the topic.
    pub(super) fn is_whole(&self) -> bool {
        self.reader.first == Next::START
    }

    /// Something was said that is not decided again.
    pub(super) fn lose_place(&mut self) {
        self.aligned = false;
    }

    /// This was decided to be said next.
    pub(super) fn expect(
        &mut self,
        expected: &[u8],
        report: &mut Report,
        visit: Visit<'_>,
    ) -> anyhow::Result<()> {
        self.align(expected, report, visit)?;
        let place = (self.reader.topic.clone(), self.reader.partition);
        if self.reader.peek(0)?.is_none() {
            self.reader.look_again()?;
        }
        let second = self.reader.peek(1)?.is_some_and(|second| second.value == expected);
        let Some(found) = self.reader.peek(0)? else {
            let what = format!("missing at the end: {}", shown(self.topic, expected));
            report.differs(&place.0, place.1, None, what);
            return Ok(());
        };
        let offset = Some(found.offset);
        if found.value == expected {
            return self.pass(report, visit);
        }
        if second {
            let what = format!("nobody decided this: {}", shown(self.topic, &found.value));
            report.differs(&place.0, place.1, offset, what);
            self.pass(report, visit)?;
            return self.pass(report, visit);
        }
        if order_of(self.topic, &found.value)? > order_of(self.topic, expected)? {
            let what = format!("missing before this: {}", shown(self.topic, expected));
            report.differs(&place.0, place.1, offset, what);
            return Ok(());
        }
        let what = unlike(self.topic, expected, &found.value);
        report.differs(&place.0, place.1, offset, what);
        self.pass(report, visit)
    }

    /// Goes to where a decided message stands, or should stand.
    fn align(
        &mut self,
        expected: &[u8],
        report: &mut Report,
        visit: Visit<'_>,
    ) -> anyhow::Result<()> {
        if self.aligned {
            return Ok(());
        }
        self.aligned = true;
        let order = order_of(self.topic, expected)?;
        while let Some(found) = self.reader.peek(0)? {
            if found.value == expected || order_of(self.topic, &found.value)? > order {
                break;
            }
            self.pass(report, visit)?;
        }
        Ok(())
    }

    fn pass(&mut self, report: &mut Report, visit: Visit<'_>) -> anyhow::Result<()> {
        match self.reader.pop()? {
            Some(held) => visit(&held, report),
            None => Ok(()),
        }
    }

    /// Nothing more was decided: what still stands there comes from nobody.
    pub(super) fn finish(&mut self, report: &mut Report, visit: Visit<'_>) -> anyhow::Result<()> {
        while let Some(found) = self.reader.peek(0)? {
            if Next(found.offset.0) >= self.fixed_end {
                break;
            }
            let (offset, value) = (found.offset, found.value.clone());
            if self.aligned {
                let what = format!("nobody decided this: {}", shown(self.topic, &value));
                report.differs(&self.reader.topic, self.reader.partition, Some(offset), what);
            }
            self.pass(report, visit)?;
        }
        Ok(())
    }
}

/// What a message says, item by item.
fn items(topic: Topic, message: &[u8]) -> anyhow::Result<Vec<Value>> {
    let (mut items, mut more) = (Vec::new(), Vec::new());
    match topic {
        Topic::Entries => {
            let Entries { entries } = schemas::ENTRIES.read(message)?;
            more.push(serde_json::to_value(entries)?);
        }
        Topic::Bills => {
            let Bills { issued, payments } = schemas::BILLS.read(message)?;
            more.extend([serde_json::to_value(issued)?, serde_json::to_value(payments)?]);
        }
        Topic::Charges => {
            let charges: Charges = schemas::CHARGES.read(message)?;
            items.push(serde_json::json!({
                "at": charges.at, "usage_partition": charges.usage_partition,
                "first_offset": charges.first_offset, "last_offset": charges.last_offset,
                "voids": charges.voids,
            }));
            more.push(serde_json::to_value(charges.rows().collect::<Vec<_>>())?);
        }
        Topic::PeriodClosed => {
            let PeriodsClosed { closed } = schemas::PERIODS_CLOSED.read(message)?;
            more.push(serde_json::to_value(closed)?);
        }
        Topic::InvoiceRuns => {
            let InvoiceRuns { runs } = schemas::INVOICE_RUNS.read(message)?;
            more.push(serde_json::to_value(runs)?);
        }
        Topic::Invoices => {
            let Invoices { invoices } = schemas::INVOICES.read(message)?;
            more.push(serde_json::to_value(invoices)?);
        }
        Topic::Rejects => {
            for reject in schemas::REJECTS.read::<Rejects>(message)?.rejects {
                items.push(serde_json::json!({
                    "usage_partition": reject.usage_partition, "offset": reject.offset,
                    "index": reject.index, "reason": reject.reason, "account": reject.account,
                    "source": reject.source, "id": reject.id, "at": reject.at,
                }));
            }
        }
        _ => items.push(Value::from(format!("{} bytes", message.len()))),
    }
    items.extend(more.into_iter().flat_map(|list| match list {
        Value::Array(list) => list,
        other => vec![other],
    }));
    Ok(items)
}

/// Where a message belongs in the order of its topic: the time of what it says first, or how many
/// identities there are with it. What is said later is never before it.
fn order_of(topic: Topic, message: &[u8]) -> anyhow::Result<Option<i64>> {
    if topic == Topic::Identities {
        // The number of the format comes first, then how many were remembered before.
        let mut cursor = Cursor::new(message);
        cursor.byte()?;
        return Ok(Some(cursor.long()?));
    }
    let items = items(topic, message).unwrap_or_default();
    let time = |item: &Value| {
        let text = item.get("at").or_else(|| item.get("issued_at"))?.as_str()?.to_owned();
        Some(text)
    };
    let Some(first) = items.iter().find_map(time) else { return Ok(None) };
    let time: Timestamp = first.parse().context("a time that is none")?;
    Ok(Some(time.as_micros()))
}

/// So much of a message is shown.
const ITEMS_SHOWN: usize = 3;

fn shown(topic: Topic, message: &[u8]) -> String {
    let Ok(items) = items(topic, message) else {
        return format!("{} bytes that cannot be read", message.len());
    };
    let some: Vec<String> = items.iter().take(ITEMS_SHOWN).map(Value::to_string).collect();
    let rest = items.len().saturating_sub(ITEMS_SHOWN);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{rest}", some.join(", "))
}

/// Where two messages differ.
fn unlike(topic: Topic, expected: &[u8], found: &[u8]) -> String {
    let (Ok(decided), Ok(read)) = (items(topic, expected), items(topic, found)) else {
        return format!("cannot be read; decided was {}", shown(topic, expected));
    };
    let longest = decided.len().max(read.len());
    let place = (0..longest).find(|place| decided.get(*place) != read.get(*place));
    let item = |items: &[Value]| {
        let item = place.and_then(|place| items.get(place));
        item.map_or("nothing".to_owned(), Value::to_string)
    };
    format!("found {}, decided {}", item(&read), item(&decided))
}
