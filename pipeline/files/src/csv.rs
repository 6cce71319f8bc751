//! CSV: a record a line, the first line names the columns.

use std::io::BufRead;

use csv_core::ReadRecordResult;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use drawdown_wire::usage::{NewUsage, put_record};

use crate::{NotRead, Visit};

const NEEDED: [&str; 7] = ["source", "id", "account", "product", "meter", "quantity", "time"];
const OPTIONAL: [&str; 2] = ["region", "unit"];
const TAG: &str = "tag.";
/// A longer record is none: somebody has opened a quote and not closed it.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// Which column holds what.
#[derive(Debug)]
struct Columns {
    needed: [usize; 7],
    optional: [Option<usize>; 2],
    /// Sorted by name.
    tags: Vec<(String, usize)>,
    count: usize,
}

/// Shows the record of each line behind the header.
pub fn read(input: &mut dyn BufRead, visit: Visit<'_>) -> Result<(), NotRead> {
    let delimiter = delimiter(input)?;
    let mut rows = Rows::new(input, delimiter);
    if rows.next()?.is_none() {
        return Err(NotRead::Refused("it is empty; its first line names the columns".to_owned()));
    }
    let columns = Columns::of(&rows).map_err(NotRead::Refused)?;
    let mut record = Vec::with_capacity(256);
    while let Some(line) = rows.next()? {
        record.clear();
        match columns.put(&mut record, &rows) {
            Ok(()) => visit(line, Ok(&record))?,
            Err(why) => visit(line, Err(why))?,
        }
    }
    Ok(())
}

/// The rows of a table, one at a time.
struct Rows<'a> {
    input: &'a mut dyn BufRead,
    parser: csv_core::Reader,
    /// How many lines were read to their end.
    lines: u64,
    /// The fields of the present row, one behind the other, and where each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl<'a> Rows<'a> {
    fn new(input: &'a mut dyn BufRead, delimiter: u8) -> Rows<'a> {
        let parser = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        Rows { input, parser, lines: 0, text: vec![0; 4_096], ends: vec![0; 64], count: 0 }
    }

    /// Reads a row, and returns the line it begins on; none at the end.
    fn next(&mut self) -> Result<Option<u64>, NotRead> {
        self.pass_empty_lines()?;
        let line = self.lines.saturating_add(1);
        let (mut written, mut ended) = (0, 0);
        loop {
            let seen = self.input.fill_buf()?;
            let text = self.text.get_mut(written..).unwrap_or_default();
            let ends = self.ends.get_mut(ended..).unwrap_or_default();
            let (result, taken, bytes, fields) = self.parser.read_record(seen, text, ends);
            self.lines = self.lines.saturating_add(newlines(seen.get(..taken).unwrap_or_default()));
            self.input.consume(taken);
            written = written.saturating_add(bytes);
            ended = ended.saturating_add(fields);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.text.len() < RECORD_BYTES_MAX => {
                    self.text.resize(self.text.len().saturating_mul(2), 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < RECORD_BYTES_MAX => {
                    self.ends.resize(self.ends.len().saturating_mul(2), 0);
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err(NotRead::Refused(format!(
                        "line {line}: a record of more than {RECORD_BYTES_MAX} bytes begins here; is there a quote that nobody closes?"
                    )));
                }
                ReadRecordResult::Record => {
                    self.count = ended;
                    return Ok(Some(line));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn pass_empty_lines(&mut self) -> Result<(), NotRead> {
        loop {
            let seen = self.input.fill_buf()?;
            let is_end = |byte: &&u8| matches!(**byte, b'\n' | b'\r');
            let empty = seen.iter().take_while(is_end).count();
            let is_done = empty < seen.len() || seen.is_empty();
            self.lines = self.lines.saturating_add(newlines(seen.get(..empty).unwrap_or_default()));
            self.input.consume(empty);
            if is_done {
                return Ok(());
            }
        }
    }

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).map(|place| self.field(place))
    }

    fn field(&self, place: usize) -> &[u8] {
        let end = |place: usize| self.ends.get(place).copied().unwrap_or_default();
        let begins = place.checked_sub(1).map_or(0, end);
        self.text.get(begins..end(place)).unwrap_or_default()
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What stands most often between the names of the columns.
fn delimiter(input: &mut dyn BufRead) -> Result<u8, NotRead> {
    let seen = input.fill_buf()?;
    let header = seen.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| header.iter().filter(|byte| *byte == delimiter).count();
    // Of equals the last one counts.
    Ok([b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b','))
}

impl Columns {
    fn of(header: &Rows<'_>) -> Result<Columns, String> {
        let mut names = Vec::new();
        for name in header.fields() {
            let name =
                std::str::from_utf8(name).map_err(|_| "its header is not UTF-8".to_owned())?;
            // Some programs begin a file with a byte order mark.
            names.push(name.trim_start_matches('\u{feff}').trim());
        }
        let mut tags = Vec::new();
        for (place, name) in names.iter().enumerate() {
            if names.iter().filter(|other| *other == name).count() > 1 {
                return Err(format!("it has two columns called {name}"));
            }
            match name.strip_prefix(TAG) {
                Some(tag) if !tag.is_empty() => tags.push((tag.to_owned(), place)),
                _ if NEEDED.contains(name) || OPTIONAL.contains(name) => {}
                _ => {
                    return Err(format!(
                        "its column {name:?} means nothing; there are {}, and tags as tag.NAME",
                        NEEDED.iter().chain(&OPTIONAL).copied().collect::<Vec<_>>().join(", ")
                    ));
                }
            }
        }
        tags.sort_unstable();
        let place = |wanted: &str| names.iter().position(|name| *name == wanted);
        let mut needed = [0; NEEDED.len()];
        for (slot, name) in needed.iter_mut().zip(NEEDED) {
            *slot = place(name).ok_or_else(|| {
                format!("it has no column {name}; its first line names the columns")
            })?;
        }
        Ok(Columns { needed, optional: OPTIONAL.map(place), tags, count: names.len() })
    }

    /// Appends a row as a record in its canonical form.
    fn put(&self, to: &mut Vec<u8>, row: &Rows<'_>) -> Result<(), String> {
        if row.count != self.count {
            return Err(format!("it has {} fields, the header {}", row.count, self.count));
        }
        let text = |place: usize| {
            std::str::from_utf8(row.field(place)).map_err(|_| "a field is not UTF-8")
        };
        let [source, id, account, product, meter, quantity, time] = self.needed;
        let [region, unit] = self.optional;
        let optional = |place: Option<usize>| {
            let text = place.map(text).transpose()?;
            Ok::<_, &str>(text.filter(|text| !text.is_empty()))
        };
        let (quantity, time) = (text(quantity)?, text(time)?);
        let mut tags = Vec::with_capacity(self.tags.len());
        for (name, place) in &self.tags {
            // Where nothing stands there is no tag.
            let value = text(*place)?;
            if !value.is_empty() {
                tags.push((name.as_str(), value));
            }
        }
        let record = NewUsage {
            source: text(source)?,
            id: text(id)?,
            account: text(account)?,
            product: text(product)?,
            meter: text(meter)?,
            quantity: quantity
                .parse::<Amount>()
                .map_err(|why| format!("quantity {quantity:?}: {why}"))?,
            time: time.parse::<Timestamp>().map_err(|why| format!("time {time:?}: {why}"))?,
            region: optional(region)?,
            unit: optional(unit)?,
            tags: &tags,
        };
        put_record(to, &record);
        Ok(())
    }
}
