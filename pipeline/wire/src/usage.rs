//! Usage records as they come: Avro one at a time or packed, or JSON. Whatever the form, the same
//! record has the same canonical bytes, from which its identity and its content are told (R2.1, R2.2).

mod foreign;
mod json;
mod older;
pub mod packing;

use std::borrow::Cow;

use drawdown_domain::money::{Amount, from_twos_complement, shortest};
use drawdown_domain::time::Timestamp;
use drawdown_domain::usage::{
    NAME_BYTES_MAX, QUANTITY_LIMIT, RECORD_ID_BYTES_MAX, SOURCE_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX,
};
use drawdown_domain::vocabulary::{Field, Record, Shape};

pub use foreign::{NotUsage, Writer, split_registered};
pub use json::{from_json, put_json};

use crate::avro::{
    self, Cursor, Fingerprint, NotResolved, Truncated, put_decimal, put_long, put_text,
};
use crate::schemas;

/// A usage record in its canonical form, borrowed from the message it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    pub source: &'a str,
    pub id: &'a str,
    pub account: &'a str,
    pub product: &'a str,
    pub meter: &'a str,
    pub quantity: Amount,
    pub time: Timestamp,
    pub region: Option<&'a str>,
    pub unit: Option<&'a str>,
    /// Canonical bytes of source, id and account.
    pub identity: &'a [u8],
    /// Canonical bytes of everything else.
    pub content: &'a [u8],
}

/// Why a record is `malformed`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error(transparent)]
    Truncated(#[from] Truncated),
    #[error("a text is not UTF-8")]
    NotText,
    #[error("{0} is empty")]
    Empty(&'static str),
    #[error("{0} is too long")]
    TooLong(&'static str),
    #[error("the quantity has more than 15 digits before the point or more than 12 after it")]
    Quantity,
    #[error("more than {TAGS_MAX} tags")]
    TooManyTags,
    #[error("a tag is given twice")]
    TagTwice,
    #[error("bytes are left over behind the record")]
    LeftOver,
    #[error("the message is neither Avro of a known schema nor a JSON object")]
    UnknownFormat,
    #[error(
        "the message names a schema by its number, and no registry is known (schema_registry.url)"
    )]
    NoRegistry,
    #[error("{0}")]
    Json(String),
    /// It has the schema of an older version.
    #[error(transparent)]
    Older(#[from] NotResolved),
}

/// The schema of one record; of a packed message it is an array of them.
///
/// A field that joins this record stands behind the others and has a default, and the canonical content
/// holds it only where it says something else: otherwise a record that is sent again after an upgrade
/// would not be known as a repeat. The released examples hold canonical bytes fast.
pub fn record_shape() -> Shape {
    let text = || Shape::Text("text");
    let field = Field::new;
    Shape::Record(Record {
        name: "UsageRecord",
        doc: "One measured fact. (account, source, id) is its identity.".to_owned(),
        fields: vec![
            field("source", "Who measured it.", text()),
            field(
                "id",
                "Unique within the source and account; the same again is a repeat.",
                text(),
            ),
            field("account", "Who used it.", text()),
            field("product", "What was used.", text()),
            field("meter", "What was measured of it.", text()),
            field("quantity", "At least zero; up to 15 digits before the point.", Shape::Decimal),
            field("time", "When it was used.", Shape::Instant),
            field("region", "Where it was used.", Shape::Optional(Box::new(text()))),
            field("unit", "What the quantity counts.", Shape::Optional(Box::new(text()))),
            field("tags", "By which spend can be told apart.", Shape::Map(Box::new(text()))),
        ],
    })
}

pub fn packed_shape() -> Shape {
    Shape::Record(Record {
        name: "UsageBatch",
        doc: "Many usage records in one message: far cheaper to carry.".to_owned(),
        fields: vec![Field::new("records", "", Shape::List(Box::new(record_shape())))],
    })
}

/// The fingerprint of a single record's message.
pub fn single_fingerprint() -> Fingerprint {
    schemas::USAGE_RECORD.fingerprint()
}

/// The fingerprint of a packed message.
pub fn packed_fingerprint() -> Fingerprint {
    schemas::USAGE_BATCH.fingerprint()
}

/// A record of a message from outside, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read<'a> {
    /// As it stands in the message it is canonical.
    Plain(Usage<'a>),
    /// It was written otherwise; these are its canonical bytes.
    Rewritten(Vec<u8>),
    Malformed(Malformed),
}

impl Read<'_> {
    #[inline]
    pub fn usage(&self) -> Result<Cow<'_, Usage<'_>>, Malformed> {
        match self {
            Read::Plain(usage) => Ok(Cow::Borrowed(usage)),
            Read::Rewritten(bytes) => {
                decode(&mut Cursor::new(bytes)).map(|(usage, _)| Cow::Owned(usage))
            }
            Read::Malformed(why) => Err(why.clone()),
        }
    }

    /// Appends the canonical bytes.
    pub fn put_canonical(&self, to: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Read::Plain(usage) => {
                to.extend_from_slice(usage.identity);
                to.extend_from_slice(usage.content);
            }
            Read::Rewritten(bytes) => to.extend_from_slice(bytes),
            Read::Malformed(why) => return Err(why.clone()),
        }
        Ok(())
    }

    /// Whether it ended before it was whole: what follows cannot be told apart from it.
    pub fn is_truncated(&self) -> bool {
        matches!(self, Read::Malformed(Malformed::Truncated(_)))
    }

    /// The same, with bytes of its own.
    fn owned<'any>(self) -> Read<'any> {
        match self {
            Read::Plain(usage) => Read::Rewritten([usage.identity, usage.content].concat()),
            Read::Rewritten(bytes) => Read::Rewritten(bytes),
            Read::Malformed(why) => Read::Malformed(why),
        }
    }
}

/// Shows each record of a message from outside, with its place in the message. A message that cannot
/// be read is shown once, as malformed; so is what follows a malformed record in a packed one.
#[inline]
pub fn each_record<'a>(message: &'a [u8], mut visit: impl FnMut(u32, Read<'a>)) {
    match avro::split_header(message) {
        Some((fingerprint, value)) if fingerprint == single_fingerprint() => {
            visit(0, read_single(value));
        }
        Some((fingerprint, value)) if fingerprint == packed_fingerprint() => {
            each_packed(value, visit);
        }
        Some((fingerprint, value)) => each_older(fingerprint, value, &mut visit),
        None => visit(0, read_json(message)),
    }
}

#[cold]
fn read_json<'a>(message: &[u8]) -> Read<'a> {
    if message.first() != Some(&b'{') {
        let is_registered = split_registered(message).is_some();
        let why = if is_registered { Malformed::NoRegistry } else { Malformed::UnknownFormat };
        return Read::Malformed(why);
    }
    from_json(message).map_or_else(Read::Malformed, |bytes| read_single(&bytes).owned())
}

#[cold]
fn each_older<'a>(fingerprint: Fingerprint, value: &[u8], visit: &mut dyn FnMut(u32, Read<'a>)) {
    if let Some(plan) = schemas::USAGE_RECORD.older(fingerprint) {
        visit(0, older::read_single(plan, value));
    } else if let Some(plan) = schemas::USAGE_BATCH.older(fingerprint) {
        older::each_packed(plan, value, visit);
    } else {
        visit(0, Read::Malformed(Malformed::UnknownFormat));
    }
}

#[inline]
fn read_single(value: &[u8]) -> Read<'_> {
    let mut cursor = Cursor::new(value);
    let read = read(&mut cursor);
    if cursor.is_empty() || read.is_truncated() {
        read
    } else {
        Read::Malformed(Malformed::LeftOver)
    }
}

#[inline]
fn each_packed<'a>(value: &'a [u8], mut visit: impl FnMut(u32, Read<'a>)) {
    let mut cursor = Cursor::new(value);
    let mut index = 0u32;
    loop {
        let count = match cursor.block() {
            Ok(0) => {
                if !cursor.is_empty() {
                    visit(index, Read::Malformed(Malformed::LeftOver));
                }
                return;
            }
            Ok(count) => count,
            Err(truncated) => return visit(index, Read::Malformed(truncated.into())),
        };
        for _ in 0..count {
            let read = read(&mut cursor);
            // What follows cannot be told apart from it.
            let readable = !read.is_truncated();
            visit(index, read);
            if !readable {
                return;
            }
            index = index.saturating_add(1);
        }
    }
}

/// The record under the cursor.
#[inline]
fn read<'a>(cursor: &mut Cursor<'a>) -> Read<'a> {
    match decode(cursor) {
        Ok((record, true)) => Read::Plain(record),
        Ok((record, false)) => canonical(&record).map_or_else(Read::Malformed, Read::Rewritten),
        Err(why) => Read::Malformed(why),
    }
}

/// The record under the cursor, and whether its bytes are canonical: shortest numbers, tags sorted in
/// one block.
fn decode<'a>(cursor: &mut Cursor<'a>) -> Result<(Usage<'a>, bool), Malformed> {
    let start = cursor.rest();
    let mut plain = true;
    let source = text(cursor, &mut plain)?;
    let id = text(cursor, &mut plain)?;
    let account = text(cursor, &mut plain)?;
    let who = Texts::between(start, cursor);
    let rest = cursor.rest();
    let product = text(cursor, &mut plain)?;
    let meter = text(cursor, &mut plain)?;
    let what = Texts::between(rest, cursor);
    let quantity = raw(cursor, &mut plain)?;
    let (time, shortest_time) = cursor.long_shortest()?;
    let place = cursor.rest();
    let region = optional(cursor, &mut plain)?;
    let unit = optional(cursor, &mut plain)?;
    let place = Texts::between(place, cursor);
    plain &= shortest_time & tags(cursor)?;
    let content = consumed(rest, cursor);

    // All of the record has been read: what is wrong from here on leaves the next one readable.
    let quantity = checked_quantity(quantity, &mut plain)?;
    let place_of = |field, found: Option<Found<'a>>| {
        found.map(|found| place.checked(field, found, NAME_BYTES_MAX)).transpose()
    };
    let record = Usage {
        source: who.checked("source", source, SOURCE_BYTES_MAX)?,
        id: who.checked("id", id, RECORD_ID_BYTES_MAX)?,
        account: who.checked("account", account, NAME_BYTES_MAX)?,
        product: what.checked("product", product, NAME_BYTES_MAX)?,
        meter: what.checked("meter", meter, NAME_BYTES_MAX)?,
        quantity,
        time: Timestamp::from_micros(time),
        region: place_of("region", region)?,
        unit: place_of("unit", unit)?,
        identity: who.bytes,
        content,
    };
    Ok((record, plain))
}

fn consumed<'a>(start: &'a [u8], cursor: &Cursor<'a>) -> &'a [u8] {
    let length = start.len() - cursor.rest().len();
    start.get(..length).unwrap_or_default()
}

/// Bytes that should be a text.
#[derive(Clone, Copy)]
struct Found<'a> {
    bytes: &'a [u8],
    /// How many bytes of the message stand behind it.
    behind: usize,
}

/// Texts that stand in a row, each behind its length. They are checked at once: lengths are mostly
/// small enough to look like text too.
struct Texts<'a> {
    bytes: &'a [u8],
    text: Option<&'a str>,
    behind: usize,
}

impl<'a> Texts<'a> {
    #[inline]
    fn between(start: &'a [u8], end: &Cursor<'a>) -> Texts<'a> {
        let bytes = consumed(start, end);
        Texts { bytes, text: std::str::from_utf8(bytes).ok(), behind: end.rest().len() }
    }

    #[inline]
    fn checked(
        &self,
        field: &'static str,
        found: Found<'a>,
        bytes_max: usize,
    ) -> Result<&'a str, Malformed> {
        let Found { bytes, behind } = found;
        if bytes.is_empty() {
            return Err(Malformed::Empty(field));
        }
        if bytes.len() > bytes_max {
            return Err(Malformed::TooLong(field));
        }
        let until = (self.bytes.len() + self.behind).saturating_sub(behind);
        let among = |text: &'a str| text.get(until.saturating_sub(bytes.len())..until);
        match self.text.and_then(among) {
            Some(text) => Ok(text),
            None => std::str::from_utf8(bytes).map_err(|_| Malformed::NotText),
        }
    }
}

#[inline]
fn raw<'a>(cursor: &mut Cursor<'a>, plain: &mut bool) -> Result<&'a [u8], Truncated> {
    let (length, shortest) = cursor.long_shortest()?;
    *plain &= shortest;
    cursor.take(usize::try_from(length).map_err(|_| Truncated)?)
}

#[inline]
fn text<'a>(cursor: &mut Cursor<'a>, plain: &mut bool) -> Result<Found<'a>, Truncated> {
    let bytes = raw(cursor, plain)?;
    Ok(Found { bytes, behind: cursor.rest().len() })
}

#[inline]
fn optional<'a>(cursor: &mut Cursor<'a>, plain: &mut bool) -> Result<Option<Found<'a>>, Truncated> {
    let (case, shortest) = cursor.long_shortest()?;
    *plain &= shortest;
    match case {
        0 => Ok(None),
        1 => text(cursor, plain).map(Some),
        _ => Err(Truncated),
    }
}

/// Passes over the tags; true if they are fit, sorted and in one block, as canonical ones are.
fn tags(cursor: &mut Cursor<'_>) -> Result<bool, Malformed> {
    let mut plain = true;
    let mut last: Option<&[u8]> = None;
    let mut blocks = 0;
    let mut left = TAGS_MAX as u64;
    loop {
        let before = cursor.rest();
        let count = cursor.block()?;
        plain &= before.first().is_some_and(|byte| byte & 1 == 0);
        // Up to 63 a count takes one byte, and then two.
        let count_bytes = before.len() - cursor.rest().len();
        plain &= count_bytes == 1 + usize::from(count > 63);
        if count == 0 {
            return Ok(plain && blocks <= 1);
        }
        blocks += 1;
        plain &= count <= left;
        left = left.saturating_sub(count);
        for _ in 0..count {
            let key = raw(cursor, &mut plain)?;
            let value = raw(cursor, &mut plain)?;
            plain &= last.is_none_or(|last| last < key) && is_tag(key, value);
            last = Some(key);
        }
    }
}

/// Whether a tag is fit to be kept. What is wrong with one that is not is told where it is rewritten.
fn is_tag(key: &[u8], value: &[u8]) -> bool {
    let fits = !key.is_empty() && key.len() <= TAG_BYTES_MAX && value.len() <= TAG_BYTES_MAX;
    fits && is_text(key) && is_text(value)
}

/// Nearly all text is ASCII, which is seen in a fraction of the time.
#[inline]
fn is_text(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

#[inline]
fn checked<'a>(
    field: &'static str,
    bytes: &'a [u8],
    bytes_max: usize,
) -> Result<&'a str, Malformed> {
    if bytes.is_empty() {
        return Err(Malformed::Empty(field));
    }
    if bytes.len() > bytes_max {
        return Err(Malformed::TooLong(field));
    }
    std::str::from_utf8(bytes).map_err(|_| Malformed::NotText)
}

#[inline]
fn checked_quantity(bytes: &[u8], plain: &mut bool) -> Result<Amount, Malformed> {
    let quantity = from_twos_complement(bytes).ok_or(Malformed::Quantity)?;
    if quantity >= QUANTITY_LIMIT || quantity.raw() <= -QUANTITY_LIMIT.raw() {
        return Err(Malformed::Quantity);
    }
    *plain &= shortest(&quantity.raw().to_be_bytes()).len() == bytes.len();
    Ok(quantity)
}

/// A record to be written: what [`put_record`] takes.
#[derive(Clone, Copy, Debug)]
pub struct NewUsage<'a> {
    pub source: &'a str,
    pub id: &'a str,
    pub account: &'a str,
    pub product: &'a str,
    pub meter: &'a str,
    pub quantity: Amount,
    pub time: Timestamp,
    pub region: Option<&'a str>,
    pub unit: Option<&'a str>,
    /// Sorted by key, each key once.
    pub tags: &'a [(&'a str, &'a str)],
}

/// Appends a record in its canonical form.
pub fn put_record(to: &mut Vec<u8>, record: &NewUsage<'_>) {
    for text in [record.source, record.id, record.account, record.product, record.meter] {
        put_text(to, text);
    }
    put_decimal(to, record.quantity);
    put_long(to, record.time.as_micros());
    for optional in [record.region, record.unit] {
        put_long(to, i64::from(optional.is_some()));
        if let Some(text) = optional {
            put_text(to, text);
        }
    }
    if !record.tags.is_empty() {
        put_long(to, i64::try_from(record.tags.len()).unwrap_or(i64::MAX));
        for (key, value) in record.tags {
            put_text(to, key);
            put_text(to, value);
        }
    }
    put_long(to, 0);
}

/// The canonical bytes of source, id and account.
pub fn identity_of(source: &str, id: &str, account: &str) -> Vec<u8> {
    let mut identity = Vec::with_capacity(64);
    [source, id, account].iter().for_each(|text| put_text(&mut identity, text));
    identity
}

/// A message of one record.
pub fn single_message(record: &NewUsage<'_>) -> Vec<u8> {
    let mut message = Vec::with_capacity(256);
    avro::put_header(&mut message, single_fingerprint());
    put_record(&mut message, record);
    message
}

/// A packed message of `count` records that were written one behind the other.
pub fn packed_message(count: usize, records: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(records.len().saturating_add(24));
    avro::put_header(&mut message, packed_fingerprint());
    if count > 0 {
        put_long(&mut message, i64::try_from(count).unwrap_or(i64::MAX));
        message.extend_from_slice(records);
    }
    put_long(&mut message, 0);
    message
}

/// The canonical bytes of a record that was written otherwise.
#[cold]
fn canonical(record: &Usage<'_>) -> Result<Vec<u8>, Malformed> {
    let mut tags = tags_of(record)?;
    tags.sort_unstable();
    if tags.windows(2).any(|pair| pair.first().map(|tag| tag.0) == pair.last().map(|tag| tag.0)) {
        return Err(Malformed::TagTwice);
    }
    let mut bytes = Vec::new();
    put_record(
        &mut bytes,
        &NewUsage {
            source: record.source,
            id: record.id,
            account: record.account,
            product: record.product,
            meter: record.meter,
            quantity: record.quantity,
            time: record.time,
            region: record.region,
            unit: record.unit,
            tags: &tags,
        },
    );
    Ok(bytes)
}

/// The tags of a record, as they were written.
pub fn tags_of<'a>(record: &Usage<'a>) -> Result<Vec<(&'a str, &'a str)>, Malformed> {
    let mut cursor = Cursor::new(record.content);
    let mut plain = true;
    for _ in 0..3 {
        raw(&mut cursor, &mut plain)?;
    }
    cursor.long()?;
    optional(&mut cursor, &mut plain)?;
    optional(&mut cursor, &mut plain)?;
    let mut tags = Vec::new();
    loop {
        let count = cursor.block()?;
        if count == 0 {
            return Ok(tags);
        }
        for _ in 0..count {
            let key = checked("a tag's name", cursor.bytes()?, TAG_BYTES_MAX)?;
            let value = cursor.bytes()?;
            if value.len() > TAG_BYTES_MAX {
                return Err(Malformed::TooLong("a tag's value"));
            }
            tags.push((key, std::str::from_utf8(value).map_err(|_| Malformed::NotText)?));
            if tags.len() > TAGS_MAX {
                return Err(Malformed::TooManyTags);
            }
        }
    }
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
