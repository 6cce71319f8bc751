//! The answer to a request, written by the thread that runs it.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::asked::Asked;
use super::body::Piece;
use super::coding::Encoder;
use super::exception::{Exception, NETWORK_ERROR};

/// Status and headers, which go out with the first bytes.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// Of an answer that is to be whole before it begins, so much is held back; a longer one begins.
const HELD_BACK_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Answer {
    runtime: Handle,
    /// Until the head is out.
    head: Option<oneshot::Sender<Head>>,
    body: mpsc::Sender<Piece>,
    encoder: Encoder,
    headers: HeaderMap,
    /// With it an exception in the middle of a body is told from data.
    tag: String,
    held_back: Option<Vec<u8>>,
    /// A client that takes nothing for so long is given up.
    stalls_for_max: Duration,
}

fn gone() -> Exception {
    Exception::new(NETWORK_ERROR, "The client takes no more of the answer", "NETWORK_ERROR")
}

fn broken(error: io::Error) -> Exception {
    Exception::new(
        NETWORK_ERROR,
        format!("The answer cannot be compressed: {error}"),
        "NETWORK_ERROR",
    )
}

impl Answer {
    pub(super) fn new(
        asked: &Asked,
        mut headers: HeaderMap,
        head: oneshot::Sender<Head>,
        body: mpsc::Sender<Piece>,
        stalls_for_max: Duration,
    ) -> io::Result<Answer> {
        let tag = tag();
        if let Some(coding) = asked.answer.coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        set(&mut headers, "x-clickhouse-exception-tag", &tag);
        Ok(Answer {
            runtime: Handle::current(),
            head: Some(head),
            body,
            encoder: Encoder::new(asked.answer.coding, asked.answer.in_blocks)?,
            headers,
            tag,
            held_back: asked.waits_for_end.then(Vec::new),
            stalls_for_max,
        })
    }

    /// Names the format of what follows.
    pub(super) fn format(&mut self, format: &str) {
        set(&mut self.headers, "x-clickhouse-format", format);
        let kind = match format {
            "JSON" | "JSONStrings" | "JSONCompact" | "JSONCompactStrings" | "JSONColumns" => {
                "application/json; charset=UTF-8"
            }
            "JSONEachRow" | "JSONCompactEachRow" => "application/x-ndjson; charset=UTF-8",
            "CSV" | "CSVWithNames" => "text/csv; charset=UTF-8; header=present",
            "TSV" | "TabSeparated" | "TabSeparatedWithNames" => {
                "text/tab-separated-values; charset=UTF-8"
            }
            "XML" => "application/xml; charset=UTF-8",
            _ if format.starts_with("RowBinary") || matches!(format, "Native" | "Parquet") => {
                "application/octet-stream"
            }
            _ => "text/plain; charset=UTF-8",
        };
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }

    /// Says how much was inserted.
    pub(super) fn summary(&mut self, (rows, bytes): (u64, u64), elapsed: Duration) {
        let summary = format!(
            "{{\"read_rows\":\"0\",\"read_bytes\":\"0\",\"written_rows\":\"{rows}\",\"written_bytes\":\"{bytes}\",\"total_rows_to_read\":\"0\",\"result_rows\":\"{rows}\",\"result_bytes\":\"{bytes}\",\"elapsed_ns\":\"{}\"}}",
            elapsed.as_nanos()
        );
        set(&mut self.headers, "x-clickhouse-summary", &summary);
    }

    pub(super) fn write(&mut self, data: &[u8]) -> Result<(), Exception> {
        match &mut self.held_back {
            Some(held) if held.len() + data.len() <= HELD_BACK_MAX => {
                held.extend_from_slice(data);
                Ok(())
            }
            Some(_) => {
                self.release()?;
                self.send(data)
            }
            None => self.send(data),
        }
    }

    /// The answer is whole.
    pub(super) fn finish(mut self) -> Result<(), Exception> {
        self.release()?;
        self.begin(StatusCode::OK)?;
        let last = std::mem::replace(&mut self.encoder, Encoder::Plain).finish().map_err(broken)?;
        self.pass_data(last)
    }

    /// The answer is an exception, or ends with one.
    pub(super) fn fail(mut self, exception: &Exception) {
        // Whoever asked may be gone: then nobody wants to know.
        if self.head.is_some() {
            self.held_back = None;
            set(&mut self.headers, "x-clickhouse-exception-code", &exception.code.to_string());
            self.headers
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
            let text = format!("{}\n", exception.text);
            let said = self.begin(exception.status()).and_then(|()| self.send(text.as_bytes()));
            said.and_then(|()| self.finish()).ok();
            return;
        }
        let (tag, length) = (&self.tag, exception.text.len() + 1);
        let end = format!(
            "\r\n__exception__\r\n{tag}\r\n{}\n{length} {tag}\r\n__exception__\r\n",
            exception.text
        );
        // Whoever does not look for the tag sees that the body is not whole.
        let said = self.send(end.as_bytes());
        said.and_then(|()| self.pass(Err(io::Error::other("the query failed")))).ok();
    }

    fn release(&mut self) -> Result<(), Exception> {
        match self.held_back.take() {
            Some(held) if !held.is_empty() => self.send(&held),
            _ => Ok(()),
        }
    }

    fn send(&mut self, data: &[u8]) -> Result<(), Exception> {
        self.begin(StatusCode::OK)?;
        let encoded = self.encoder.encode(data).map_err(broken)?;
        self.pass_data(encoded)
    }

    fn begin(&mut self, status: StatusCode) -> Result<(), Exception> {
        let Some(head) = self.head.take() else { return Ok(()) };
        let headers = std::mem::take(&mut self.headers);
        head.send(Head { status, headers }).map_err(|_| gone())
    }

    fn pass_data(&mut self, data: Vec<u8>) -> Result<(), Exception> {
        if data.is_empty() { Ok(()) } else { self.pass(Ok(Bytes::from(data))) }
    }

    fn pass(&mut self, piece: Piece) -> Result<(), Exception> {
        let sent = timeout(self.stalls_for_max, self.body.send(piece));
        match self.runtime.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(gone()),
        }
    }
}

/// Sets a header, if its value may stand in one.
pub(super) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Sixteen letters that nobody can guess.
fn tag() -> String {
    let random = u128::from(RandomState::new().hash_one(1)) << 64
        | u128::from(RandomState::new().hash_one(2));
    (0..16).map(|place| char::from(b'a' + ((random >> (place * 8)) as u8) % 26)).collect()
}
