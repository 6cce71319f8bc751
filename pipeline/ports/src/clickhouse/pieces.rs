//! Results that come block by block: the engine writes each block of a streamed result as a result of its own.

use super::asked::Asked;

/// Formats whose results, one behind the other, are the result of all their rows.
const ROW_AFTER_ROW: [&str; 16] = [
    "TabSeparated",
    "TSV",
    "TabSeparatedRaw",
    "TSVRaw",
    "CSV",
    "JSONEachRow",
    "JSONLines",
    "NDJSON",
    "JSONStringsEachRow",
    "JSONCompactEachRow",
    "JSONCompactStringsEachRow",
    "TSKV",
    "LineAsString",
    "RowBinary",
    "Native",
    "Null",
];
/// Formats that begin with names, and perhaps types, and go on row after row.
const NAMED: [(&str, Head); 10] = [
    ("TabSeparatedWithNames", Head::Lines(1)),
    ("TSVWithNames", Head::Lines(1)),
    ("TabSeparatedWithNamesAndTypes", Head::Lines(2)),
    ("TSVWithNamesAndTypes", Head::Lines(2)),
    ("CSVWithNames", Head::QuotedLines(1)),
    ("CSVWithNamesAndTypes", Head::QuotedLines(2)),
    ("JSONCompactEachRowWithNames", Head::Lines(1)),
    ("JSONCompactEachRowWithNamesAndTypes", Head::Lines(2)),
    ("RowBinaryWithNames", Head::Texts(1)),
    ("RowBinaryWithNamesAndTypes", Head::Texts(2)),
];

/// What stands before the first row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Nothing,
    /// So many lines.
    Lines(usize),
    /// The same, where an end of a line inside quotes is none.
    QuotedLines(usize),
    /// A number of columns, then so many texts for each.
    Texts(usize),
}

/// Puts the pieces of a result together.
#[derive(Debug)]
pub(super) struct Pieces {
    head: Head,
    /// What the first block begins with, once that has come.
    known: Option<Vec<u8>>,
}

impl Pieces {
    /// None for formats that must come whole: those with brackets, a footer, or a width that all rows share.
    pub(super) fn of(format: &str, text: &[u8], asked: &Asked) -> Option<Pieces> {
        // Some settings of formats add names or brackets.
        let is_set = asked.settings.iter().any(|(name, _)| name.contains("format_"))
            || text.windows(7).any(|bytes| bytes == b"format_");
        if is_set {
            return None;
        }
        let is = |known: &&str| known.eq_ignore_ascii_case(format);
        let head = match NAMED.iter().find(|(known, _)| is(known)) {
            Some((_, head)) => *head,
            None => ROW_AFTER_ROW.iter().any(is).then_some(Head::Nothing)?,
        };
        Some(Pieces { head, known: None })
    }

    /// What of a block goes out.
    pub(super) fn next<'a>(&mut self, block: &'a [u8]) -> &'a [u8] {
        match &self.known {
            Some(known) => block.strip_prefix(known.as_slice()).unwrap_or(block),
            None => {
                self.known =
                    Some(block.get(..self.head.length(block)).unwrap_or_default().to_vec());
                block
            }
        }
    }
}

impl Head {
    fn length(self, block: &[u8]) -> usize {
        match self {
            Head::Nothing => 0,
            Head::Lines(lines) | Head::QuotedLines(lines) => {
                let (mut ended, mut quoted) = (0, false);
                let last = block.iter().position(|byte| {
                    quoted ^= *byte == b'"' && matches!(self, Head::QuotedLines(_));
                    ended += usize::from(*byte == b'\n' && !quoted);
                    ended == lines
                });
                last.map_or(0, |last| last.saturating_add(1))
            }
            Head::Texts(rounds) => {
                let mut rest = block;
                let skip = |rest: &mut &[u8]| {
                    let columns = number(rest)?;
                    for _ in 0..columns.checked_mul(rounds)? {
                        let length = number(rest)?;
                        *rest = rest.get(length..)?;
                    }
                    Some(())
                };
                match skip(&mut rest) {
                    Some(()) => block.len().saturating_sub(rest.len()),
                    None => 0,
                }
            }
        }
    }
}

/// A number in groups of seven bits, the lowest first.
fn number(from: &mut &[u8]) -> Option<usize> {
    let mut number = 0usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: Head, blocks: &[&[u8]], whole: &[u8]) {
        let mut together = Pieces { head, known: None };
        let found: Vec<u8> =
            blocks.iter().flat_map(|block| together.next(block)).copied().collect();
        assert_eq!(found, whole);
    }

    #[test]
    fn names_stand_before_the_first_row_only() {
        check(Head::Nothing, &[b"1\n", b"1\n"], b"1\n1\n");
        let quoted = Head::QuotedLines(1);
        check(quoted, &[b"\"a\nb\"\n1\n", b"\"a\nb\"\n2\n"], b"\"a\nb\"\n1\n2\n");
        check(Head::Lines(1), &[b"a\"\n1\n", b"a\"\n2\n"], b"a\"\n1\n2\n");
        check(Head::Lines(2), &[b"a\nInt8\n1\n", b"a\nInt8\n2\n"], b"a\nInt8\n1\n2\n");
        check(
            Head::Texts(2),
            &[b"\x01\x01a\x04Int8\x07", b"\x01\x01a\x04Int8\x08"],
            b"\x01\x01a\x04Int8\x07\x08",
        );
        // A block that is cut off is not looked behind.
        check(Head::Texts(1), &[b"\x02\x01a", b"x"], b"\x02\x01ax");
    }
}
