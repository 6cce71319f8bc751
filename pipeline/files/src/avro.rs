//! Avro object container files: a schema, and blocks of records.

use std::io::{BufRead, Read};

use drawdown_wire::avro::put_long;
use drawdown_wire::usage::{Read as Record, Writer};
use serde_json::Value;

use crate::{NotRead, Visit};

pub(crate) const MAGIC: [u8; 4] = *b"Obj\x01";
const SYNC_BYTES: usize = 16;
const SCHEMA_BYTES_MAX: u64 = 1 << 20;
const METADATA_ENTRIES_MAX: usize = 1_000;
/// Of a block as it stands in the file, and of what is in it.
const BLOCK_BYTES_MAX: u64 = 64 << 20;
const UNPACKED_BYTES_MAX: u64 = 256 << 20;

#[derive(Clone, Copy, Debug)]
enum Codec {
    None,
    Deflate,
    Zstandard,
}

struct Header {
    writer: Writer,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
}

fn refused(why: impl Into<String>) -> NotRead {
    NotRead::Refused(why.into())
}

/// Shows each record, by its number in the file.
pub fn read(input: &mut dyn BufRead, visit: Visit<'_>) -> Result<(), NotRead> {
    let header = header(input)?;
    let (mut packed, mut array, mut record) = (Vec::new(), Vec::new(), Vec::with_capacity(256));
    let mut before = 0_u64;
    while !input.fill_buf()?.is_empty() {
        let damaged = |what: &str| {
            refused(format!("the block behind record {before} {what}; the file is damaged there"))
        };
        let count = long(input)?.and_then(|count| u64::try_from(count).ok());
        let count = count.ok_or_else(|| damaged("says no number of records"))?;
        let bytes = long(input)?.and_then(|bytes| u64::try_from(bytes).ok());
        let bytes = bytes.filter(|bytes| *bytes <= BLOCK_BYTES_MAX);
        let bytes = bytes.ok_or_else(|| damaged("has no length that a block could have"))?;
        packed.clear();
        input.take(bytes).read_to_end(&mut packed)?;
        let mut sync = [0; SYNC_BYTES];
        if packed.len() as u64 != bytes || exact(input, &mut sync)?.is_none() {
            return Err(damaged("is cut off"));
        }
        if sync != header.sync {
            return Err(damaged("does not end with the file's marker"));
        }
        // The records of a block are an array without its beginning and its end.
        array.clear();
        put_long(&mut array, i64::try_from(count).map_err(|_| damaged("says no number"))?);
        unpack(header.codec, &packed, &mut array).map_err(|why| damaged(&why))?;
        if count > 0 {
            put_long(&mut array, 0);
        }
        let mut outcome = Ok(());
        header.writer.each(&array, |index, read| {
            let index = u64::from(index);
            if index >= count && outcome.is_ok() {
                outcome = Err(damaged(&format!("holds more than the {count} records it says")));
            } else if outcome.is_ok() {
                let number = before.saturating_add(index).saturating_add(1);
                outcome = show(number, before.saturating_add(count), &read, &mut record, visit);
            }
        });
        outcome?;
        before = before.saturating_add(count);
    }
    Ok(())
}

fn show(
    number: u64,
    last: u64,
    read: &Record<'_>,
    record: &mut Vec<u8>,
    visit: Visit<'_>,
) -> Result<(), NotRead> {
    record.clear();
    match read.put_canonical(record) {
        Ok(()) => visit(number, Ok(record)),
        Err(why) if read.is_truncated() && number < last => {
            visit(number, Err(format!("{why}; so records {number} to {last} cannot be told apart")))
        }
        Err(why) => visit(number, Err(why.to_string())),
    }
}

fn header(input: &mut dyn BufRead) -> Result<Header, NotRead> {
    let mut magic = [0; MAGIC.len()];
    if exact(input, &mut magic)?.is_none() || magic != MAGIC {
        return Err(refused("it is no Avro object container file (those begin with Obj and 01)"));
    }
    let cut_off = || refused("its header is cut off or damaged");
    let (mut schema, mut codec, mut entries) = (None, None, 0);
    loop {
        let count = long(input)?.ok_or_else(cut_off)?;
        if count < 0 {
            // The length of what follows, for readers that pass over it.
            long(input)?.ok_or_else(cut_off)?;
        }
        if count == 0 {
            break;
        }
        for _ in 0..count.unsigned_abs() {
            entries += 1;
            if entries > METADATA_ENTRIES_MAX {
                return Err(cut_off());
            }
            let name = bytes(input)?.ok_or_else(cut_off)?;
            let value = bytes(input)?.ok_or_else(cut_off)?;
            match name.as_slice() {
                b"avro.schema" => schema = Some(value),
                b"avro.codec" => codec = Some(value),
                _ => {}
            }
        }
    }
    let schema = schema.ok_or_else(|| refused("it names no schema"))?;
    let schema: Value = serde_json::from_slice(&schema)
        .map_err(|error| refused(format!("its schema is no JSON: {error}")))?;
    let writer = Writer::new(&schema).map_err(|why| refused(format!("its schema: {why}")))?;
    let codec = match codec.as_deref() {
        None | Some(b"null" | b"") => Codec::None,
        Some(b"deflate") => Codec::Deflate,
        Some(b"zstandard") => Codec::Zstandard,
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            return Err(refused(format!(
                "its codec is {other}; write it with null, deflate or zstandard"
            )));
        }
    };
    let mut sync = [0; SYNC_BYTES];
    exact(input, &mut sync)?.ok_or_else(cut_off)?;
    Ok(Header { writer, codec, sync })
}

fn unpack(codec: Codec, packed: &[u8], to: &mut Vec<u8>) -> Result<(), String> {
    let unpacked: &mut dyn Read = match codec {
        Codec::None => {
            to.extend_from_slice(packed);
            return Ok(());
        }
        Codec::Deflate => &mut flate2::bufread::DeflateDecoder::new(packed),
        Codec::Zstandard => &mut zstd::stream::read::Decoder::with_buffer(packed)
            .map_err(|error| format!("cannot be unpacked: {error}"))?,
    };
    let taken = unpacked.take(UNPACKED_BYTES_MAX).read_to_end(to);
    let taken = taken.map_err(|error| format!("cannot be unpacked: {error}"))?;
    match taken as u64 >= UNPACKED_BYTES_MAX {
        true => Err("is too large".to_owned()),
        false => Ok(()),
    }
}

/// A number as Avro writes it; none if the input ends or it is none.
fn long(input: &mut dyn BufRead) -> Result<Option<i64>, NotRead> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        if exact(input, &mut byte)?.is_none() {
            return Ok(None);
        }
        let [byte] = byte;
        if shift == 63 && byte > 1 {
            return Ok(None);
        }
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            #[allow(clippy::cast_possible_wrap)] // the lowest bit is the sign
            return Ok(Some((value >> 1) as i64 ^ -((value & 1) as i64)));
        }
    }
    Ok(None)
}

fn bytes(input: &mut dyn BufRead) -> Result<Option<Vec<u8>>, NotRead> {
    let count = long(input)?.and_then(|count| u64::try_from(count).ok());
    let Some(count) = count.filter(|count| *count <= SCHEMA_BYTES_MAX) else { return Ok(None) };
    let mut bytes = Vec::new();
    input.take(count).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == count).then_some(bytes))
}

/// Fills `to`; none if the input ends before that.
fn exact(input: &mut dyn BufRead, to: &mut [u8]) -> Result<Option<()>, NotRead> {
    match input.read_exact(to) {
        Ok(()) => Ok(Some(())),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}
