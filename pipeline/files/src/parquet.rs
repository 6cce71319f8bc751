//! Parquet: a column for each field, in groups of rows; read from the end of the file, where it says what
//! is where.

#[path = "parquet_guards.rs"]
mod guards;

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::column::reader::ColumnReader;
use ::parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader};
use ::parquet::file::serialized_reader::SerializedFileReader;
use ::parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use bytes::Bytes;
use drawdown_domain::money::{Amount, PLACES, from_twos_complement};
use drawdown_domain::time::Timestamp;
use drawdown_wire::usage::{NewUsage, put_record};
use guards::{Ending, column_reader};

use crate::{NotRead, Visit};

pub(crate) const MAGIC: [u8; 4] = *b"PAR1";
/// So many records of each column are held at a time.
const ROWS: usize = 8_192;

const NEEDED: [&str; 5] = ["source", "id", "account", "product", "meter"];
const OPTIONAL: [&str; 2] = ["region", "unit"];
const QUANTITY: &str = "quantity";
const TIME: &str = "time";
const TAGS: &str = "tags";
const TAG: &str = "tag.";

fn refused(why: impl Into<String>) -> NotRead {
    NotRead::Refused(why.into())
}

/// Shows each record, by its number in the file.
pub fn read<R: ChunkReader + 'static>(file: R, visit: Visit<'_>) -> Result<(), NotRead> {
    let reader = guarded(|| SerializedFileReader::new(Ending(file)))
        .map_err(|why| refused(format!("it is no whole Parquet file: {why}")))?;
    let columns = Columns::of(reader.metadata().file_metadata().schema_descr()).map_err(refused)?;
    let (mut number, mut record) = (0_u64, Vec::with_capacity(256));
    for group in 0..reader.num_row_groups() {
        let damaged = |number: u64| {
            move |why| {
                refused(format!(
                    "what is behind record {number} cannot be read; the file is damaged there: {why}"
                ))
            }
        };
        let group = guarded(|| reader.get_row_group(group)).map_err(damaged(number))?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
        let mut table = guarded(|| Table::of(&columns, &*group)).map_err(damaged(number))?;
        let mut left = rows;
        while left > 0 {
            let count = left.min(ROWS);
            guarded(|| table.fill(count)).map_err(damaged(number))?;
            for _ in 0..count {
                number = number.saturating_add(1);
                record.clear();
                match table.put_next(&mut record) {
                    Ok(()) => visit(number, Ok(&record))?,
                    Err(why) => visit(number, Err(why))?,
                }
            }
            left = left.saturating_sub(count);
        }
    }
    Ok(())
}

/// The library panics at some of what a damaged file may say. What it was about is dropped with it.
fn guarded<T>(read: impl FnOnce() -> ParquetResult<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("what it says of itself cannot be".to_owned()),
    }
}

/// Which column holds what, by their places among the leaves of the schema.
struct Columns {
    needed: [usize; 5],
    optional: [Option<usize>; 2],
    quantity: (usize, Quantity),
    time: (usize, Time),
    /// Sorted by name.
    tags: Vec<(String, usize)>,
    /// Keys and values of a map.
    map: Option<(usize, usize)>,
}

/// How a quantity is written.
#[derive(Clone, Copy)]
enum Quantity {
    Text,
    /// A whole number of units that have so many places.
    Places(u32),
}

/// How a time is written.
#[derive(Clone, Copy)]
enum Time {
    Text,
    Millis,
    Micros,
    Nanos,
    /// A day and the nanoseconds in it.
    DayAndNanos,
}

impl Columns {
    fn of(schema: &SchemaDescriptor) -> Result<Columns, String> {
        let (mut tags, mut entries) = (Vec::new(), Vec::new());
        let mut places: Vec<(&str, usize)> = Vec::new();
        for (place, column) in schema.columns().iter().enumerate() {
            let path = column.path().parts();
            let name = path.first().map_or("", String::as_str);
            if name == TAGS && path.len() == 3 {
                entries.push(place);
                continue;
            }
            if path.len() > 1 || column.max_rep_level() > 0 {
                return Err(format!(
                    "its column {:?} is nested; a field is a column, and tags are columns tag.NAME or a map called tags",
                    column.path().string()
                ));
            }
            if places.iter().any(|(other, _)| *other == name) {
                return Err(format!("it has two columns called {name}"));
            }
            match name.strip_prefix(TAG) {
                Some(tag) if !tag.is_empty() => tags.push((tag.to_owned(), place)),
                _ if NEEDED.contains(&name) || OPTIONAL.contains(&name) => {}
                _ if name == QUANTITY || name == TIME => {}
                _ => {
                    let known = NEEDED.iter().chain(&[QUANTITY, TIME]).chain(&OPTIONAL);
                    return Err(format!(
                        "its column {name:?} means nothing; there are {}, and tags as columns tag.NAME or a map called tags",
                        known.copied().collect::<Vec<_>>().join(", ")
                    ));
                }
            }
            places.push((name, place));
        }
        tags.sort_unstable();
        let optional =
            |wanted: &str| places.iter().find(|(name, _)| *name == wanted).map(|(_, place)| *place);
        let place = |wanted: &str| optional(wanted).ok_or(format!("it has no column {wanted}"));
        let mut needed = [0; NEEDED.len()];
        for (slot, name) in needed.iter_mut().zip(NEEDED) {
            *slot = place(name)?;
        }
        let (quantity, time) = (place(QUANTITY)?, place(TIME)?);
        let map = match *entries {
            [] => None,
            [key, value] if is_map(&schema.column(key), &schema.column(value)) => {
                Some((key, value))
            }
            _ => return Err("its column tags is no map of texts".to_owned()),
        };
        let columns = Columns {
            needed,
            optional: OPTIONAL.map(optional),
            quantity: (quantity, Quantity::of(&schema.column(quantity))?),
            time: (time, Time::of(&schema.column(time))?),
            tags,
            map,
        };
        let texts = columns.needed.iter().chain(columns.optional.iter().flatten());
        for place in texts.chain(columns.tags.iter().map(|(_, place)| place)) {
            let column = schema.column(*place);
            if !is_text(&column) {
                let (name, is) = (column.name(), column.physical_type());
                return Err(format!("its column {name} is {is}; write it as a string"));
            }
        }
        Ok(columns)
    }
}

fn is_text(column: &ColumnDescriptor) -> bool {
    column.physical_type() == Physical::BYTE_ARRAY && decimal_places(column).is_none()
}

/// Whether these are the entries of a map, as the format has them: a repeated group of both.
fn is_map(key: &ColumnDescriptor, value: &ColumnDescriptor) -> bool {
    let is_in_step = key.max_rep_level() == 1 && value.max_rep_level() == 1;
    let group = |column: &ColumnDescriptor| column.path().parts().get(1).cloned();
    let is_optional = key.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
    is_in_step && group(key) == group(value) && is_text(key) && is_text(value) && !is_optional
}

/// How many places a decimal has; none for what is no decimal.
fn decimal_places(column: &ColumnDescriptor) -> Option<u32> {
    match column.logical_type_ref() {
        Some(LogicalType::Decimal(decimal)) => u32::try_from(decimal.scale).ok(),
        _ if column.converted_type() == ConvertedType::DECIMAL => {
            u32::try_from(column.type_scale()).ok()
        }
        _ => None,
    }
}

impl Quantity {
    fn of(column: &ColumnDescriptor) -> Result<Quantity, String> {
        let places = decimal_places(column);
        match (column.physical_type(), places) {
            (Physical::BYTE_ARRAY, None) => Ok(Quantity::Text),
            (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, Some(places)) => {
                Ok(Quantity::Places(places))
            }
            (Physical::INT32 | Physical::INT64, places) if !is_unsigned(column) => {
                Ok(Quantity::Places(places.unwrap_or(0)))
            }
            (Physical::FLOAT | Physical::DOUBLE, _) => Err(
                "its column quantity is a binary fraction, which says no exact figure; write it as DECIMAL or as a string"
                    .to_owned(),
            ),
            (other, _) => Err(format!(
                "its column quantity is {other}; write it as DECIMAL, a whole number or a string"
            )),
        }
    }

    /// A number of units with their places as an amount; none if it has more places or is too large.
    fn amount(places: u32, units: i128) -> Option<Amount> {
        let more = PLACES.checked_sub(places);
        let raw = match more {
            Some(more) => units.checked_mul(10_i128.checked_pow(more)?)?,
            None => {
                let factor = 10_i128.checked_pow(places.checked_sub(PLACES)?)?;
                if units.checked_rem(factor)? != 0 {
                    return None;
                }
                units.checked_div(factor)?
            }
        };
        Some(Amount::from_raw(raw))
    }
}

fn is_unsigned(column: &ColumnDescriptor) -> bool {
    use ConvertedType::{UINT_8, UINT_16, UINT_32, UINT_64};
    match column.logical_type_ref() {
        Some(LogicalType::Integer(integer)) => !integer.is_signed,
        _ => matches!(column.converted_type(), UINT_8 | UINT_16 | UINT_32 | UINT_64),
    }
}

impl Time {
    fn of(column: &ColumnDescriptor) -> Result<Time, String> {
        match (column.physical_type(), column.logical_type_ref(), column.converted_type()) {
            (Physical::INT64, Some(LogicalType::Timestamp(stamp)), _) => {
                if !stamp.is_adjusted_to_u_t_c {
                    return Err(
                        "its column time is of no time zone; write it as a timestamp in UTC"
                            .to_owned(),
                    );
                }
                Ok(match stamp.unit {
                    TimeUnit::MILLIS => Time::Millis,
                    TimeUnit::MICROS => Time::Micros,
                    TimeUnit::NANOS => Time::Nanos,
                })
            }
            (Physical::INT64, None, ConvertedType::TIMESTAMP_MILLIS) => Ok(Time::Millis),
            (Physical::INT64, None, ConvertedType::TIMESTAMP_MICROS) => Ok(Time::Micros),
            (Physical::INT96, ..) => Ok(Time::DayAndNanos),
            (Physical::BYTE_ARRAY, ..) if is_text(column) => Ok(Time::Text),
            (other, ..) => Err(format!(
                "its column time is {other} and no timestamp; write it as a timestamp in UTC or as a string"
            )),
        }
    }
}

/// A group of rows, so far as it is read.
struct Table<'a> {
    columns: &'a Columns,
    needed: [Column; 5],
    optional: [Option<Column>; 2],
    quantity: Column,
    time: Column,
    tags: Vec<(&'a str, Column)>,
    map: Option<(Column, Column)>,
}

impl<'a> Table<'a> {
    fn of(columns: &'a Columns, group: &dyn RowGroupReader) -> ParquetResult<Table<'a>> {
        let column = |place: usize| Column::of(group, place);
        let [source, id, account, product, meter] = columns.needed;
        let [region, unit] = columns.optional;
        let mut tags = Vec::with_capacity(columns.tags.len());
        for (name, place) in &columns.tags {
            tags.push((name.as_str(), column(*place)?));
        }
        let map =
            columns.map.map(|(key, value)| Ok::<_, ParquetError>((column(key)?, column(value)?)));
        Ok(Table {
            columns,
            needed: [
                column(source)?,
                column(id)?,
                column(account)?,
                column(product)?,
                column(meter)?,
            ],
            optional: [region.map(column).transpose()?, unit.map(column).transpose()?],
            quantity: column(columns.quantity.0)?,
            time: column(columns.time.0)?,
            tags,
            map: map.transpose()?,
        })
    }

    /// Reads the next rows of every column.
    fn fill(&mut self, rows: usize) -> ParquetResult<()> {
        let plain = self.needed.iter_mut().chain(self.optional.iter_mut().flatten());
        let plain = plain.chain([&mut self.quantity, &mut self.time]);
        plain
            .chain(self.tags.iter_mut().map(|(_, column)| column))
            .try_for_each(|c| c.fill(rows))?;
        if let Some((key, value)) = &mut self.map {
            key.fill(rows)?;
            value.fill(rows)?;
            if key.repetitions != value.repetitions {
                return Err(ParquetError::General("keys and values of tags differ".to_owned()));
            }
        }
        Ok(())
    }

    /// Appends the next row as a record in its canonical form.
    fn put_next(&mut self, to: &mut Vec<u8>) -> Result<(), String> {
        // Every column goes on by a row, whatever is wrong with it.
        let needed = self.needed.each_mut().map(Column::next_text);
        let optional =
            self.optional.each_mut().map(|column| column.as_mut().map(Column::next_text));
        let quantity = self.quantity.next_quantity(self.columns.quantity.1);
        let time = self.time.next_time(self.columns.time.1);
        let mut tags = Vec::new();
        for (name, column) in &mut self.tags {
            tags.push((*name, column.next_text()));
        }
        let entries = match &mut self.map {
            Some((keys, values)) => next_entries(keys, values),
            None => Vec::new(),
        };

        let mut texts = [""; NEEDED.len()];
        for ((slot, text), name) in texts.iter_mut().zip(needed).zip(NEEDED) {
            *slot = text?.ok_or_else(|| format!("it has no {name}"))?;
        }
        let [source, id, account, product, meter] = texts;
        let [region, unit] = optional.map(|text| text.transpose().map(Option::flatten));
        let mut pairs = Vec::with_capacity(tags.len().saturating_add(entries.len()));
        for (name, value) in tags {
            // Where nothing stands there is no tag.
            if let Some(value) = value?.filter(|value| !value.is_empty()) {
                pairs.push((name, value));
            }
        }
        for entry in entries {
            pairs.extend(entry?);
        }
        pairs.sort_unstable();
        if let Some([(name, _), _]) = pairs.array_windows().find(|[(a, _), (b, _)]| a == b) {
            return Err(format!("it has two tags {name:?}"));
        }
        let record = NewUsage {
            source,
            id,
            account,
            product,
            meter,
            quantity: quantity?,
            time: time?,
            region: region?.filter(|text| !text.is_empty()),
            unit: unit?.filter(|text| !text.is_empty()),
            tags: &pairs,
        };
        put_record(to, &record);
        Ok(())
    }
}

/// The tags of the next row that a map holds.
fn next_entries<'a>(
    keys: &'a mut Column,
    values: &'a mut Column,
) -> Vec<Result<Option<(&'a str, &'a str)>, String>> {
    let begins = keys.level;
    let is_of_row = |level: &usize| {
        *level == begins || keys.repetitions.get(*level).is_some_and(|repeats| *repeats > 0)
    };
    let levels = (begins..keys.repetitions.len()).take_while(is_of_row).count();
    let (keys, values) = (keys.take(levels), values.take(levels));
    let entry = |(key, value): (Option<&'a [u8]>, Option<&'a [u8]>)| {
        let (Some(key), Some(value)) = (key, value) else { return Ok(None) };
        Ok(Some((text(key)?, text(value)?)))
    };
    keys.zip(values).map(entry).collect()
}

/// A column of a group of rows: what is read of it, and how far that is used.
struct Column {
    reader: ColumnReader,
    /// What a level must be if a value stands there.
    there: i16,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    values: Values,
    level: usize,
    value: usize,
}

enum Values {
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
    Short(Vec<i32>),
    Long(Vec<i64>),
    Days(Vec<Int96>),
}

impl Column {
    fn of(group: &dyn RowGroupReader, place: usize) -> ParquetResult<Column> {
        let chunk = group.metadata().column(place);
        let there = chunk.column_descr().max_def_level();
        let begins =
            chunk.dictionary_page_offset().unwrap_or_default().min(chunk.data_page_offset());
        if begins < 0 || chunk.compressed_size() < 0 {
            return Err(ParquetError::General("a column begins before its file".to_owned()));
        }
        let reader = column_reader(group, place)?;
        let values = match &reader {
            ColumnReader::ByteArrayColumnReader(_) => Values::Bytes(Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(_) => Values::Fixed(Vec::new()),
            ColumnReader::Int32ColumnReader(_) => Values::Short(Vec::new()),
            ColumnReader::Int64ColumnReader(_) => Values::Long(Vec::new()),
            ColumnReader::Int96ColumnReader(_) => Values::Days(Vec::new()),
            _ => return Err(ParquetError::General("a column is of no type of a field".to_owned())),
        };
        let (definitions, repetitions) = (Vec::new(), Vec::new());
        Ok(Column { reader, there, definitions, repetitions, values, level: 0, value: 0 })
    }

    /// Forgets the rows that were read, and reads the next.
    fn fill(&mut self, rows: usize) -> ParquetResult<()> {
        self.definitions.clear();
        self.repetitions.clear();
        (self.level, self.value) = (0, 0);
        let mut read = 0_usize;
        while read < rows {
            let wanted = rows.saturating_sub(read);
            let (definitions, repetitions) = (&mut self.definitions, &mut self.repetitions);
            macro_rules! from {
                ($reader:ident, $values:ident) => {{
                    if read == 0 {
                        $values.clear();
                    }
                    $reader.read_records(wanted, Some(definitions), Some(repetitions), $values)
                }};
            }
            let (records, ..) = match (&mut self.reader, &mut self.values) {
                (ColumnReader::ByteArrayColumnReader(reader), Values::Bytes(values)) => {
                    from!(reader, values)
                }
                (ColumnReader::FixedLenByteArrayColumnReader(reader), Values::Fixed(values)) => {
                    from!(reader, values)
                }
                (ColumnReader::Int32ColumnReader(reader), Values::Short(values)) => {
                    from!(reader, values)
                }
                (ColumnReader::Int64ColumnReader(reader), Values::Long(values)) => {
                    from!(reader, values)
                }
                (ColumnReader::Int96ColumnReader(reader), Values::Days(values)) => {
                    from!(reader, values)
                }
                _ => Ok((0, 0, 0)),
            }?;
            if records == 0 {
                return Err(ParquetError::EOF("a column has fewer rows than its group".to_owned()));
            }
            read = read.saturating_add(records);
        }
        Ok(())
    }

    /// Which value the next level has; none where nothing stands.
    fn next(&mut self) -> Option<usize> {
        let is_there = self.there == 0 || self.definitions.get(self.level) == Some(&self.there);
        self.level = self.level.saturating_add(1);
        let value = self.value;
        self.value = value.saturating_add(is_there.into());
        is_there.then_some(value)
    }

    fn bytes(&self, value: usize) -> Option<&[u8]> {
        match &self.values {
            Values::Bytes(values) => values.get(value).map(ByteArray::data),
            Values::Fixed(values) => values.get(value).map(|value| value.data()),
            _ => None,
        }
    }

    fn next_text(&mut self) -> Result<Option<&str>, String> {
        let Some(value) = self.next() else { return Ok(None) };
        self.bytes(value).map(text).transpose()
    }

    fn next_quantity(&mut self, quantity: Quantity) -> Result<Amount, String> {
        let value = self.next().ok_or("it has no quantity")?;
        let units = match (quantity, &self.values) {
            (Quantity::Text, _) => {
                let text = text(self.bytes(value).unwrap_or_default())?;
                return text.parse().map_err(|why| format!("quantity {text:?}: {why}"));
            }
            (_, Values::Short(values)) => values.get(value).copied().map(i128::from),
            (_, Values::Long(values)) => values.get(value).copied().map(i128::from),
            _ => self.bytes(value).and_then(from_twos_complement).map(Amount::raw),
        };
        let places = match quantity {
            Quantity::Places(places) => places,
            Quantity::Text => 0,
        };
        units.and_then(|units| Quantity::amount(places, units)).ok_or_else(|| {
            format!("its quantity has more than {PLACES} decimal places or is too large")
        })
    }

    fn next_time(&mut self, time: Time) -> Result<Timestamp, String> {
        let value = self.next().ok_or("it has no time")?;
        let number = match &self.values {
            Values::Long(values) => values.get(value).copied(),
            _ => None,
        };
        let micros = match time {
            Time::Text => {
                let text = text(self.bytes(value).unwrap_or_default())?;
                return text.parse().map_err(|why| format!("time {text:?}: {why}"));
            }
            Time::Millis => number.and_then(|millis| millis.checked_mul(1_000)),
            Time::Micros => number,
            Time::Nanos => number.map(|nanos| nanos.div_euclid(1_000)),
            Time::DayAndNanos => match &self.values {
                Values::Days(values) => values.get(value).and_then(micros_of),
                _ => None,
            },
        };
        micros.map(Timestamp::from_micros).ok_or_else(|| "its time is out of range".to_owned())
    }

    /// The next of a repeated column: what stands on so many levels.
    fn take(&mut self, levels: usize) -> impl Iterator<Item = Option<&[u8]>> {
        let there: Vec<Option<usize>> = (0..levels).map(|_| self.next()).collect();
        let column: &Column = self;
        there.into_iter().map(|value| value.and_then(|value| column.bytes(value)))
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "a field is not UTF-8".to_owned())
}

/// A Julian day and the nanoseconds in it, as older programs write an instant.
fn micros_of(days: &Int96) -> Option<i64> {
    const DAY_OF_1970: i64 = 2_440_588;
    const MICROS_A_DAY: i64 = 86_400_000_000;
    let [low, high, day] = *days.data() else { return None };
    let nanos = (u64::from(high) << 32) | u64::from(low);
    let micros = i64::try_from(nanos.div_euclid(1_000)).ok()?;
    let day = i64::from(day.cast_signed()).checked_sub(DAY_OF_1970)?;
    day.checked_mul(MICROS_A_DAY)?.checked_add(micros)
}

/// A file in which blocks are read here and there; counts what is read.
#[derive(Debug)]
pub(crate) struct Blocks {
    file: File,
    bytes: u64,
    read: Arc<AtomicU64>,
}

impl Blocks {
    pub(crate) fn new(file: File, bytes: u64, read: Arc<AtomicU64>) -> Blocks {
        Blocks { file, bytes, read }
    }

    fn at(&self, start: u64) -> ParquetResult<File> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(file)
    }
}

impl Length for Blocks {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Blocks {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> ParquetResult<BufReader<File>> {
        // Of this only the head of a page is taken.
        Ok(BufReader::with_capacity(1_024, self.at(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let ends = start.checked_add(length as u64);
        if ends.is_none_or(|ends| ends > self.bytes) {
            let why = format!("{length} bytes at {start} are not in it");
            return Err(ParquetError::EOF(why));
        }
        let mut bytes = Vec::with_capacity(length);
        self.at(start)?.take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF("it became shorter while it was read".to_owned()));
        }
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(bytes.into())
    }
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
