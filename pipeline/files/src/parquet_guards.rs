//! What the library believes of a damaged file, and has to be told before it reads it.

use std::io::{self, Read};

use ::parquet::basic::{Encoding, Type as Physical};
use ::parquet::column::page::{Page, PageMetadata, PageReader};
use ::parquet::column::reader::{ColumnReader, get_column_reader};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::reader::{ChunkReader, Length, RowGroupReader};
use ::parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};
use bytes::Bytes;

/// A file whose end is told once, and then insisted on: the library passes over a list that says it has a thousand
/// million entries without asking whether the file has them.
pub(super) struct Ending<R>(pub(super) R);

/// What is read of it.
pub(super) struct UpToEnd<R> {
    inner: R,
    is_at_end: bool,
}

impl<R: Length> Length for Ending<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Ending<R> {
    type T = UpToEnd<R::T>;

    fn get_read(&self, start: u64) -> ParquetResult<UpToEnd<R::T>> {
        Ok(UpToEnd { inner: self.0.get_read(start)?, is_at_end: false })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.0.get_bytes(start, length)
    }
}

impl<R: Read> Read for UpToEnd<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(to)?;
        if read == 0 && !to.is_empty() && std::mem::replace(&mut self.is_at_end, true) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

/// The reader of a column whose pages are looked at first.
pub(super) fn column_reader(
    group: &dyn RowGroupReader,
    place: usize,
) -> ParquetResult<ColumnReader> {
    let column = group.metadata().column(place).column_descr_ptr();
    let pages = group.get_column_page_reader(place)?;
    Ok(get_column_reader(column.clone(), Box::new(Pages { inner: pages, column })))
}

/// The pages of a column. The library makes room for as many values as a page says, and as their lengths, which are
/// written as differences behind their number, before it looks whether they are there: an allocation that fails ends the
/// process.
struct Pages {
    inner: Box<dyn PageReader>,
    column: ColumnDescPtr,
}

impl Iterator for Pages {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<ParquetResult<Page>> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let page = self.inner.get_next_page()?;
        match page.as_ref().map(|page| has_room(&self.column, page)) {
            Some(false) => {
                Err(ParquetError::General("a page has fewer values than it says".to_owned()))
            }
            _ => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> ParquetResult<bool> {
        self.inner.at_record_boundary()
    }
}

/// Whether a page has room for as many values as it says.
pub(super) fn has_room(column: &ColumnDescriptor, page: &Page) -> bool {
    if page.num_values() > VALUES_MAX {
        return false;
    }
    let lists = match (page, page.encoding()) {
        (Page::DictionaryPage { buf, num_values, .. }, _) => {
            // A text has its length before it. Only what has the same length everywhere can be shorter.
            let least = match column.physical_type() {
                Physical::FIXED_LEN_BYTE_ARRAY => 1,
                _ => size_of::<u32>(),
            };
            return *num_values as usize <= buf.len().div_euclid(least);
        }
        (_, Encoding::DELTA_LENGTH_BYTE_ARRAY) => 1,
        // What a text shares with the one before it, and how long its rest is.
        (_, Encoding::DELTA_BYTE_ARRAY) => 2,
        _ => return true,
    };
    let mut rest = values(column, page);
    for _ in 0..lists {
        rest = rest.and_then(|values| pass_differences(values, page.num_values()));
    }
    rest.is_some()
}

/// The values of a page of data, which stand behind their levels.
fn values<'a>(column: &ColumnDescriptor, page: &'a Page) -> Option<&'a [u8]> {
    match page {
        Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
            let repetitions = (column.max_rep_level(), *rep_level_encoding);
            let definitions = (column.max_def_level(), *def_level_encoding);
            let mut rest = &buf[..];
            for (max, encoding) in [repetitions, definitions] {
                if max > 0 {
                    rest = rest.get(bytes_of_levels(max, encoding, *num_values, rest)?..)?;
                }
            }
            Some(rest)
        }
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
            buf.get(def_levels_byte_len.checked_add(*rep_levels_byte_len)? as usize..)
        }
        Page::DictionaryPage { .. } => None,
    }
}

/// How long levels are, which are written one way or another.
fn bytes_of_levels(max: i16, encoding: Encoding, count: u32, bytes: &[u8]) -> Option<usize> {
    if encoding == Encoding::RLE {
        let (length, _) = bytes.split_first_chunk()?;
        return (u32::from_le_bytes(*length) as usize).checked_add(length.len());
    }
    let bits = u64::from(max.unsigned_abs().checked_ilog2()?.checked_add(1)?);
    usize::try_from(u64::from(count).checked_mul(bits)?.div_ceil(8)).ok()
}

/// No page that is of use has more: of texts that are not there, as many take 2 GB.
const VALUES_MAX: u32 = 1 << 26;

/// No program writes larger blocks; in a block in which all are the same, a byte stands for so many.
const BLOCK_MAX: u64 = 4_096;

/// Passes over numbers that are written as differences, to what is behind them. None if they are not all there, or more
/// than there may be.
fn pass_differences(bytes: &[u8], most: u32) -> Option<&[u8]> {
    let (block, rest) = take_number(bytes)?;
    let (minis, rest) = take_number(rest)?;
    let (count, rest) = take_number(rest)?;
    let (_first, mut rest) = take_number(rest)?;
    let values_of_mini = block.checked_div(minis)?;
    if block > BLOCK_MAX || values_of_mini == 0 || count > u64::from(most) {
        return None;
    }
    let mut left = count.saturating_sub(1);
    while left > 0 {
        let (_least, behind) = take_number(rest)?;
        let (widths, mut values) = behind.split_at_checked(usize::try_from(minis).ok()?)?;
        for bits in widths.iter().map(|bits| u64::from(*bits)) {
            if left == 0 {
                // Whatever is said of numbers that are not there.
                break;
            }
            let bytes = bits.checked_mul(values_of_mini)?.div_euclid(8);
            // The last numbers may end before their block does.
            let bytes = usize::try_from(bytes).ok()?.min(values.len());
            values = values.get(bytes..)?;
            left = left.saturating_sub(values_of_mini);
        }
        rest = values;
    }
    Some(rest)
}

/// A number in bytes of seven bits, the least first.
fn take_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let last = bytes.iter().take(10).position(|byte| *byte < 0x80)?;
    let (number, rest) = bytes.split_at_checked(last.checked_add(1)?)?;
    let of = |number: u64, byte: &u8| (number << 7) | u64::from(byte & 0x7f);
    Some((number.iter().rev().fold(0, of), rest))
}
