//! ClickHouse's Native format, column by column: the cheapest for ClickHouse by far, for the tables that get
//! nearly all rows.

use bytes::Bytes;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;

/// What a column holds. ClickHouse turns it into the column's own type, such as `LowCardinality`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    OptionalText,
    Number32,
    OptionalNumber32,
    Number64,
    Flag,
    Instant,
    Decimal,
    /// Texts by texts.
    Map,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Kind::Text => "String",
            Kind::OptionalText => "Nullable(String)",
            Kind::Number32 => "UInt32",
            Kind::OptionalNumber32 => "Nullable(UInt32)",
            Kind::Number64 => "Int64",
            Kind::Flag => "Bool",
            Kind::Instant => "DateTime64(6, 'UTC')",
            Kind::Decimal => "Decimal(38, 12)",
            Kind::Map => "Map(String, String)",
        }
    }
}

/// The names of a table's columns, and what they hold.
pub(crate) type Layout = &'static [(&'static str, Kind)];

#[derive(Clone, Debug, Default)]
struct Column {
    /// Which values are missing, or where each value's parts end.
    before: Vec<u8>,
    values: Vec<u8>,
    /// The second half of a map.
    behind: Vec<u8>,
    /// Parts so far.
    parts: u64,
}

/// Rows of one table.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    layout: Layout,
    columns: Vec<Column>,
    pub(crate) rows: u64,
}

/// Writes a row, one value a column in their order.
pub(crate) struct RowWriter<'a> {
    columns: std::slice::IterMut<'a, Column>,
}

impl Block {
    pub(crate) fn new(layout: Layout) -> Block {
        Block { layout, columns: vec![Column::default(); layout.len()], rows: 0 }
    }

    #[inline]
    pub(crate) fn row(&mut self) -> RowWriter<'_> {
        self.rows += 1;
        RowWriter { columns: self.columns.iter_mut() }
    }

    /// The block as it is sent.
    pub(crate) fn finish(self) -> Vec<Bytes> {
        let mut pieces = Vec::with_capacity(self.columns.len() * 2 + 1);
        let mut head = Vec::with_capacity(16);
        put_length(&mut head, self.layout.len() as u64);
        put_length(&mut head, self.rows);
        for ((name, kind), column) in self.layout.iter().zip(self.columns) {
            put_text(&mut head, name);
            put_text(&mut head, kind.name());
            pieces.push(Bytes::from(std::mem::take(&mut head)));
            let parts = [column.before, column.values, column.behind];
            pieces.extend(parts.into_iter().filter(|part| !part.is_empty()).map(Bytes::from));
        }
        pieces
    }
}

impl RowWriter<'_> {
    #[inline]
    fn next(&mut self, write: impl FnOnce(&mut Column)) {
        if let Some(column) = self.columns.next() {
            write(column);
        }
    }

    #[inline]
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.next(|column| put_text(&mut column.values, text));
        self
    }

    #[inline]
    pub(crate) fn optional(&mut self, text: Option<&str>) -> &mut Self {
        self.next(|column| {
            column.before.push(u8::from(text.is_none()));
            put_text(&mut column.values, text.unwrap_or_default());
        });
        self
    }

    #[inline]
    pub(crate) fn number32(&mut self, number: u32) -> &mut Self {
        self.next(|column| column.values.extend_from_slice(&number.to_le_bytes()));
        self
    }

    #[inline]
    pub(crate) fn optional_number32(&mut self, number: Option<u32>) -> &mut Self {
        self.next(|column| {
            column.before.push(u8::from(number.is_none()));
            column.values.extend_from_slice(&number.unwrap_or_default().to_le_bytes());
        });
        self
    }

    #[inline]
    pub(crate) fn number64(&mut self, number: i64) -> &mut Self {
        self.next(|column| column.values.extend_from_slice(&number.to_le_bytes()));
        self
    }

    #[inline]
    pub(crate) fn flag(&mut self, flag: bool) -> &mut Self {
        self.next(|column| column.values.push(u8::from(flag)));
        self
    }

    #[inline]
    pub(crate) fn instant(&mut self, at: Timestamp) -> &mut Self {
        self.number64(at.as_micros())
    }

    #[inline]
    pub(crate) fn decimal(&mut self, amount: Amount) -> &mut Self {
        self.next(|column| column.values.extend_from_slice(&amount.raw().to_le_bytes()));
        self
    }

    #[inline]
    pub(crate) fn map(&mut self, entries: &[(&str, &str)]) -> &mut Self {
        self.next(|column| {
            column.parts += entries.len() as u64;
            column.before.extend_from_slice(&column.parts.to_le_bytes());
            for (key, value) in entries {
                put_text(&mut column.values, key);
                put_text(&mut column.behind, value);
            }
        });
        self
    }
}

#[inline]
fn put_length(to: &mut Vec<u8>, mut length: u64) {
    while length >= 0x80 {
        to.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    to.push(length as u8);
}

#[inline]
fn put_text(to: &mut Vec<u8>, text: &str) {
    put_length(to, text.len() as u64);
    to.extend_from_slice(text.as_bytes());
}
