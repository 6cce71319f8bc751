//! The rows that messages become, by table and month: what one insert each brings to ClickHouse.

use std::collections::BTreeMap;

use bytes::Bytes;
use drawdown_domain::time::{Month, Timestamp, Zone};
use serde::Serialize;

use crate::native::{Block, Layout, RowWriter};

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub partition: u32,
    pub offset: i64,
}

/// The rows of a table that belong to one of its months.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Lines { text: Vec<u8>, rows: u64 },
    Columns(Block),
}

impl Part {
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Part::Lines { rows, .. } => *rows,
            Part::Columns(block) => block.rows,
        }
    }

    pub(crate) const fn format(&self) -> &'static str {
        match self {
            Part::Lines { .. } => "JSONEachRow",
            Part::Columns(_) => "Native",
        }
    }

    pub(crate) fn finish(self) -> Vec<Bytes> {
        match self {
            Part::Lines { text, .. } => vec![text.into()],
            Part::Columns(block) => block.finish(),
        }
    }
}

/// A table's part of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartKey {
    pub(crate) table: &'static str,
    /// By which column a row belongs to a month.
    pub(crate) by: &'static str,
    pub(crate) month: Month,
}

/// Collects rows.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    parts: BTreeMap<PartKey, Part>,
    /// The month of the last row, which is that of the next one nearly always.
    month: Option<(Timestamp, Timestamp, Month)>,
    /// A record that could not be written: then no row is to be inserted.
    broken: Option<String>,
}

/// A table whose rows are records, written as lines of JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    pub(crate) table: &'static str,
    pub(crate) by: &'static str,
}

/// A table whose rows are written as columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    pub(crate) table: &'static str,
    pub(crate) by: &'static str,
    pub(crate) layout: Layout,
}

impl Rows {
    fn month_of(&mut self, at: Timestamp) -> Month {
        match self.month {
            Some((from, until, month)) if from <= at && at < until => month,
            _ => {
                let month = Zone::UTC.month_of(at);
                let (from, until) = Zone::UTC.bounds_of(month);
                self.month = Some((from, until, month));
                month
            }
        }
    }

    /// Adds a record as a row, with its place on the topic.
    pub(crate) fn line<T: Serialize>(
        &mut self,
        to: Lines,
        at: Timestamp,
        place: Place,
        index: u32,
        row: &T,
    ) {
        let key = PartKey { table: to.table, by: to.by, month: self.month_of(at) };
        let part = self.parts.entry(key);
        let part = part.or_insert_with(|| Part::Lines { text: Vec::new(), rows: 0 });
        let Part::Lines { text, rows } = part else { return };
        if let Err(error) = serde_json::to_writer(&mut *text, row) {
            self.broken.get_or_insert(format!("a row of {}: {error}", to.table));
            return;
        }
        // The object goes on.
        text.pop();
        let Place { partition, offset } = place;
        text.extend_from_slice(
            format!(",\"_partition\":{partition},\"_offset\":{offset},\"_index\":{index}}}\n")
                .as_bytes(),
        );
        *rows += 1;
    }

    /// Begins a row of columns.
    #[inline]
    pub(crate) fn row(&mut self, to: Columns, at: Timestamp) -> Option<RowWriter<'_>> {
        let key = PartKey { table: to.table, by: to.by, month: self.month_of(at) };
        let part = self.parts.entry(key).or_insert_with(|| Part::Columns(Block::new(to.layout)));
        match part {
            Part::Columns(block) => Some(block.row()),
            Part::Lines { .. } => None,
        }
    }

    /// All of them, unless something could not be written.
    pub(crate) fn parts(self) -> Result<BTreeMap<PartKey, Part>, String> {
        self.broken.map_or(Ok(self.parts), Err)
    }
}
