//! Runs a request on a connection, on a thread that may wait.

use std::io::{self, Read};
use std::time::Instant;

use super::answer::Answer;
use super::asked::Asked;
use super::coding::block_reader;
use super::engine::Connection;
use super::exception::{
    BAD_ARGUMENTS, CANNOT_DECOMPRESS, Exception, NETWORK_ERROR, QUERY_IS_TOO_LARGE, READONLY,
};
use super::pieces::Pieces;
use super::sessions::Sessions;
use super::statement::{Statement, statement};

/// A statement without the rows that follow it is not longer. The engine has a limit of its own below
/// this, `max_query_size`.
const STATEMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Of a body whose beginning is a statement, so much is looked at.
const LOOKED_AT: u64 = 1024 * 1024;
const ROWS_BYTES: usize = 256 * 1024;
const DEFAULT_FORMAT: &str = "TabSeparated";

type Body = Box<dyn Read + Send>;

/// Runs a request, and answers it.
pub(super) fn run(sessions: &Sessions, asked: &Asked, body: Body, mut answer: Answer) {
    let outcome = sessions.take(asked.session.as_ref()).and_then(|mut connection| {
        let outcome = run_on(&mut connection, asked, body, &mut answer);
        if asked.session.is_some() {
            leave(&mut connection, asked);
        }
        // Before the answer ends: whoever has it may ask again at once.
        sessions.put_back(asked.session.as_ref(), connection);
        outcome
    });
    match outcome {
        // A client that is gone is nobody's mistake.
        Ok(()) => drop(answer.finish()),
        Err(exception) => {
            tracing::debug!(query_id = asked.query_id, %exception, "refused");
            answer.fail(&exception);
        }
    }
}

fn run_on(
    connection: &mut Connection,
    asked: &Asked,
    body: Body,
    answer: &mut Answer,
) -> Result<(), Exception> {
    prepare(connection, asked)?;
    let mut body = opened(asked, body)?;
    let (text, is_whole) = text_of(asked, &mut body)?;
    let format = asked.format.as_deref().unwrap_or(DEFAULT_FORMAT);
    match statement(&text) {
        Statement::Several => {
            let what = "Multi-statements are not allowed";
            Err(Exception::new(QUERY_IS_TOO_LARGE, what, "SYNTAX_ERROR"))
        }
        Statement::Insert { .. } | Statement::Plain { may_write: true, .. } if asked.only_reads => {
            let what = "A GET request only reads; send this with POST";
            Err(Exception::new(READONLY, what, "READONLY"))
        }
        Statement::Insert { head, format, rows } => {
            insert(connection, asked, (head, format), rows, body, answer)
        }
        Statement::Plain { .. } if !is_whole => {
            let what = format!("A statement has at most {STATEMENT_BYTES_MAX} bytes");
            Err(Exception::new(QUERY_IS_TOO_LARGE, what, "SYNTAX_ERROR"))
        }
        Statement::Plain { is_select: true, format: own, .. }
            if let Some(mut pieces) = Pieces::of(own.unwrap_or(format), &text, asked) =>
        {
            answer.format(own.unwrap_or(format));
            let mut selected = connection.select(&text, format, &asked.parameters)?;
            while let Some(chunk) = selected.fetch()? {
                answer.write(pieces.next(chunk.bytes()))?;
            }
            Ok(())
        }
        Statement::Plain { format: own, .. } => {
            answer.format(own.unwrap_or(format));
            let began = Instant::now();
            let result = connection.query(&text, format, &asked.parameters)?;
            answer.summary(result.written(), began.elapsed());
            answer.write(result.bytes())
        }
    }
}

/// The request's database and settings.
fn prepare(connection: &mut Connection, asked: &Asked) -> Result<(), Exception> {
    if let Some(database) = asked.database.as_ref().filter(|name| !name.is_empty()) {
        connection.query(
            format!("USE {}", quoted(database, '`')).as_bytes(),
            DEFAULT_FORMAT,
            &[],
        )?;
    }
    let mut set = Vec::new();
    for (name, value) in &asked.settings {
        check_name(name)?;
        set.push(format!("{name} = {}", quoted(value, '\'')));
    }
    if !set.is_empty() {
        connection.query(format!("SET {}", set.join(", ")).as_bytes(), DEFAULT_FORMAT, &[])?;
    }
    Ok(())
}

/// A session's next request finds it as this one did: the settings of the request were for it alone, and
/// what a select that was given up has put out is not said with the next answer.
fn leave(connection: &mut Connection, asked: &Asked) {
    let names = asked.settings.iter().filter(|(name, _)| check_name(name).is_ok());
    let defaults: Vec<_> = names.map(|(name, _)| format!("{name} = DEFAULT")).collect();
    if !defaults.is_empty() {
        let reset = format!("SET {}", defaults.join(", "));
        // A setting that there is not has not been set either.
        connection.query(reset.as_bytes(), DEFAULT_FORMAT, &[]).ok();
    }
    connection.query(b"SELECT 1 FORMAT Null", DEFAULT_FORMAT, &[]).ok();
}

fn check_name(name: &str) -> Result<(), Exception> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    if !name.is_empty() && name.bytes().all(is_name) {
        return Ok(());
    }
    Err(Exception::new(BAD_ARGUMENTS, format!("{name:?} is no setting"), "BAD_ARGUMENTS"))
}

fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for letter in text.chars() {
        if letter == quote || letter == '\\' {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push(quote);
    quoted
}

fn opened(asked: &Asked, body: Body) -> Result<Body, Exception> {
    let body = match asked.body.coding {
        Some(coding) => coding.reader(body).map_err(unreadable)?,
        None => body,
    };
    Ok(if asked.body.in_blocks { block_reader(body) } else { body })
}

fn unreadable(error: io::Error) -> Exception {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Exception::new(
            CANNOT_DECOMPRESS,
            format!("The body cannot be read: {error}"),
            "CANNOT_DECOMPRESS",
        ),
        _ => Exception::new(
            NETWORK_ERROR,
            format!("The body ends too soon: {error}"),
            "NETWORK_ERROR",
        ),
    }
}

/// The statement, with what comes behind it as far as that has been read, and whether that is all.
fn text_of(asked: &Asked, body: &mut Body) -> Result<(Vec<u8>, bool), Exception> {
    let mut text = asked.query.clone().into_bytes();
    if matches!(statement(&text), Statement::Insert { rows, .. } if rows.trim_ascii().is_empty()) {
        return Ok((text, false));
    }
    if !text.is_empty() {
        text.push(b'\n');
    }
    loop {
        let read = body.by_ref().take(LOOKED_AT).read_to_end(&mut text).map_err(unreadable)?;
        if read == 0 {
            return Ok((text, true));
        }
        let is_insert = matches!(statement(&text), Statement::Insert { .. });
        if is_insert || text.len() >= STATEMENT_BYTES_MAX {
            return Ok((text, false));
        }
    }
}

fn insert(
    connection: &mut Connection,
    asked: &Asked,
    (head, format): (&[u8], &str),
    rows: &[u8],
    mut body: Body,
    answer: &mut Answer,
) -> Result<(), Exception> {
    let began = Instant::now();
    let mut inserting = connection.insert(head, format, &asked.parameters)?;
    if !rows.is_empty() {
        inserting.append(rows)?;
    }
    let mut buffer = vec![0; ROWS_BYTES];
    loop {
        let read = body.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        inserting.append(&buffer[..read])?;
    }
    let written = inserting.finish()?;
    answer.summary(written.written(), began.elapsed());
    Ok(())
}
