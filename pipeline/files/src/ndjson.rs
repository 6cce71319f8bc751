//! NDJSON: a record a line.

use std::io::BufRead;

use drawdown_wire::usage::from_json;

use crate::{NotRead, Visit};

/// A longer line is no record.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// Shows the record of each line that is not empty.
pub fn read(input: &mut dyn BufRead, visit: Visit<'_>) -> Result<(), NotRead> {
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        number = number.saturating_add(1);
        line.clear();
        let is_whole = next(input, &mut line)?;
        if line.is_empty() && is_whole {
            return Ok(());
        }
        let text = line.trim_ascii();
        if !is_whole {
            visit(number, Err(format!("the line is longer than {LINE_BYTES_MAX} bytes")))?;
        } else if !text.is_empty() {
            match from_json(text) {
                Ok(record) => visit(number, Ok(&record))?,
                Err(why) => visit(number, Err(why.to_string()))?,
            }
        }
    }
}

/// Reads up to the end of a line, that included, and passes over what is too long to be kept; whether
/// nothing was.
fn next(input: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<bool, NotRead> {
    let mut is_whole = true;
    loop {
        let seen = input.fill_buf()?;
        if seen.is_empty() {
            return Ok(is_whole);
        }
        let end = seen.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(seen.len(), |place| place.saturating_add(1));
        if line.len().saturating_add(taken) > LINE_BYTES_MAX {
            is_whole = false;
        } else if let Some(part) = seen.get(..taken) {
            line.extend_from_slice(part);
        }
        input.consume(taken);
        if end.is_some() {
            return Ok(is_whole);
        }
    }
}
