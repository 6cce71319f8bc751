//! Where a statement's text ends and the rows of an `INSERT` begin. Rows go to the engine by themselves,
//! so this has to be known before the engine sees either.

/// What a text turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement<'a> {
    /// Anything that has no rows of its own.
    Plain {
        /// Its result can be taken piece by piece.
        is_select: bool,
        /// It may change something.
        may_write: bool,
        /// The format it asks for itself.
        format: Option<&'a str>,
    },
    /// More than one statement, which this protocol does not have.
    Several,
    /// An `INSERT` whose rows follow.
    Insert {
        /// All before `FORMAT` or `VALUES`.
        head: &'a [u8],
        format: &'a str,
        /// The rows that stand in the text already.
        rows: &'a [u8],
    },
}

/// Looks at a text, which may end in the middle of rows.
pub(super) fn statement(text: &[u8]) -> Statement<'_> {
    let mut words = Words { text, place: 0, depth: 0 };
    let first = words.next();
    let is = |word: Option<&Word<'_>>, name: &str| word.is_some_and(|word| word.is(name));
    if is(first.as_ref(), "insert") {
        return insert(text, words);
    }
    const READS: [&str; 9] =
        ["select", "with", "from", "show", "describe", "desc", "explain", "exists", "check"];
    // A select may stand in parentheses; its words are then not seen here.
    let is_select = match &first {
        Some(word) => ["select", "with", "from"].iter().any(|name| word.is(name)),
        None => text.trim_ascii_start().first() == Some(&b'('),
    };
    let reads = READS.iter().any(|name| is(first.as_ref(), name)) || is_select;
    let sets = ["set", "use"].iter().any(|name| is(first.as_ref(), name));
    let (mut format, mut previous) = (None, first);
    for word in words {
        match &previous {
            Some(previous) if previous.is(";") && !word.is(";") => return Statement::Several,
            Some(previous) if previous.is("format") && !word.is(";") => {
                format = std::str::from_utf8(word.text).ok();
            }
            _ => (),
        }
        previous = Some(word);
    }
    Statement::Plain { is_select, may_write: !(reads || sets), format }
}

fn insert<'a>(text: &'a [u8], mut words: Words<'a>) -> Statement<'a> {
    let plain = Statement::Plain { is_select: false, may_write: true, format: None };
    // What is inserted into may be called anything.
    let mut target = words.next();
    for introduction in ["into", "table", "function"] {
        if target.as_ref().is_some_and(|word| word.is(introduction)) {
            target = words.next();
        }
    }
    while words.skip_dot() {
        words.next();
    }
    while let Some(word) = words.next() {
        if ["select", "with", "watch", "infile"].iter().any(|name| word.is(name)) {
            return plain;
        }
        if word.is("values") {
            let rows = &text[words.place..];
            return Statement::Insert { head: &text[..word.from], format: "Values", rows };
        }
        if word.is("format") {
            let Some(format) = words.next() else { return plain };
            let rows = behind_format(&text[words.place..]);
            let Ok(format) = std::str::from_utf8(format.text) else { return plain };
            return Statement::Insert { head: &text[..word.from], format, rows };
        }
    }
    plain
}

/// Blanks and one end of line belong to the statement; everything else to the rows.
fn behind_format(rest: &[u8]) -> &[u8] {
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\x0c')).count();
    let rest = &rest[blanks..];
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
    rest.strip_prefix(b"\n").unwrap_or(rest)
}

/// A word outside parentheses, or a semicolon.
#[derive(Debug)]
struct Word<'a> {
    text: &'a [u8],
    from: usize,
}

impl Word<'_> {
    fn is(&self, name: &str) -> bool {
        self.text.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The words of a statement outside parentheses, strings and comments; quoted names are words too.
#[derive(Debug)]
struct Words<'a> {
    text: &'a [u8],
    place: usize,
    depth: usize,
}

impl<'a> Words<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.place..).unwrap_or_default()
    }

    /// Goes on behind the next `end`.
    fn skip_past(&mut self, end: &[u8]) {
        let rest = self.rest();
        let found = rest.windows(end.len()).position(|window| window == end);
        self.place += found.map_or(rest.len(), |place| place + end.len());
    }

    /// Goes on behind a string or quoted name; a quote in it is doubled or escaped.
    fn skip_quoted(&mut self, quote: u8) {
        self.place += 1;
        while let Some(byte) = self.text.get(self.place) {
            self.place += 1;
            match *byte {
                b'\\' => self.place += 1,
                byte if byte == quote && self.text.get(self.place) == Some(&quote) => {
                    self.place += 1;
                }
                byte if byte == quote => return,
                _ => (),
            }
        }
        self.place = self.text.len();
    }

    /// `$tag$ ... $tag$`; a dollar that begins nothing is passed over.
    fn skip_here_document(&mut self) {
        let rest = self.rest();
        let tag = rest[1..].iter().position(|byte| *byte == b'$').map(|end| &rest[..end + 2]);
        let is_tag = |tag: &&[u8]| {
            tag[1..tag.len() - 1].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        match tag.filter(is_tag) {
            Some(tag) => {
                self.place += tag.len();
                self.skip_past(tag);
            }
            None => self.place += 1,
        }
    }

    /// Whether a dot comes next, as between a database and a table.
    fn skip_dot(&mut self) -> bool {
        let blanks = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let is_dot = self.text.get(self.place + blanks) == Some(&b'.');
        if is_dot {
            self.place += blanks + 1;
        }
        is_dot
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        while let Some(byte) = self.text.get(self.place) {
            let from = self.place;
            match *byte {
                b'-' if self.rest().starts_with(b"--") => self.skip_past(b"\n"),
                b'#' => self.skip_past(b"\n"),
                b'/' if self.rest().starts_with(b"/*") => self.skip_past(b"*/"),
                b'\'' => self.skip_quoted(b'\''),
                quote @ (b'"' | b'`') => {
                    self.skip_quoted(quote);
                    if self.depth == 0 {
                        return Some(Word { text: &self.text[from..self.place], from });
                    }
                }
                b'$' => self.skip_here_document(),
                b';' => {
                    self.place += 1;
                    return Some(Word { text: b";", from });
                }
                b'(' | b'[' | b'{' => {
                    self.depth += 1;
                    self.place += 1;
                }
                b')' | b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.place += 1;
                }
                byte if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => {
                    let is_part = |byte: &&u8| {
                        byte.is_ascii_alphanumeric() || **byte == b'_' || **byte >= 0x80
                    };
                    self.place += self.rest().iter().take_while(is_part).count();
                    if self.depth == 0 {
                        return Some(Word { text: &self.text[from..self.place], from });
                    }
                }
                _ => self.place += 1,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_insert(text: &[u8], head: &str, format: &str, rows: &[u8]) {
        let expected = Statement::Insert { head: head.as_bytes(), format, rows };
        assert_eq!(statement(text), expected, "{}", String::from_utf8_lossy(text));
    }

    #[track_caller]
    fn check_plain(text: &str, is_select: bool, may_write: bool, format: Option<&str>) {
        let expected = Statement::Plain { is_select, may_write, format };
        assert_eq!(statement(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn rows_begin_behind_the_format() {
        check_insert(
            b"INSERT INTO t FORMAT RowBinary\n\n\n\n",
            "INSERT INTO t ",
            "RowBinary",
            b"\n\n\n",
        );
        check_insert(b"insert into t(a) format TSV \r\n1", "insert into t(a) ", "TSV", b"1");
        check_insert(b"INSERT INTO t(a) VALUES (1)", "INSERT INTO t(a) ", "Values", b" (1)");
        check_insert(b"INSERT INTO t FORMAT Native", "INSERT INTO t ", "Native", b"");
        check_insert(b"INSERT INTO t FORMAT CSV select", "INSERT INTO t ", "CSV", b"select");
    }

    #[test]
    fn names_strings_and_comments_are_no_keywords() {
        check_insert(b"INSERT INTO values VALUES (1)", "INSERT INTO values ", "Values", b" (1)");
        check_insert(
            b"INSERT INTO `select`.`a``b` (format, \"values\") FORMAT CSV\n1",
            "INSERT INTO `select`.`a``b` (format, \"values\") ",
            "CSV",
            b"1",
        );
        check_insert(
            b"/* select */ INSERT INTO t -- values\n SETTINGS a='it''s \\' format x', b=1 FORMAT CSV\n",
            "/* select */ INSERT INTO t -- values\n SETTINGS a='it''s \\' format x', b=1 ",
            "CSV",
            b"",
        );
        check_plain("SELECT 'format x', $a$ format JSON $a$ FROM t", true, false, None);
    }

    #[test]
    fn an_insert_without_rows_is_plain() {
        check_plain("INSERT INTO t SELECT 1", false, true, None);
        check_plain("INSERT INTO FUNCTION file('x') SELECT 1", false, true, None);
        check_plain("INSERT INTO t", false, true, None);
        check_plain("INSERT", false, true, None);
    }

    #[test]
    fn what_is_asked_is_told_apart() {
        check_plain("  select 1 format JSON", true, false, Some("JSON"));
        check_plain("(select 1)", true, false, None);
        check_plain("WITH 1 AS x SELECT x", true, false, None);
        check_plain("SHOW TABLES", false, false, None);
        check_plain("SET max_threads = 1", false, false, None);
        check_plain("DROP TABLE t", false, true, None);
        check_plain("", false, true, None);
        check_plain("select '", true, false, None);
        check_plain("select $", true, false, None);
        check_plain("/*", false, true, None);
    }

    #[test]
    fn several_statements_are_seen() {
        assert_eq!(statement(b"SELECT 1; DROP TABLE t"), Statement::Several);
        assert_eq!(statement(b"SELECT (1;); DROP TABLE t"), Statement::Several);
        check_plain("SELECT 1 FORMAT CSV;; -- that is all", true, false, Some("CSV"));
        check_plain("SELECT ';' AS x", true, false, None);
    }
}
