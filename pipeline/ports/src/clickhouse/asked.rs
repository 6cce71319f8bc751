//! What a request asks for: its parameters and headers.

use std::time::Duration;

use axum::http::{HeaderMap, Method, Uri, header};

use super::coding::Coding;
use super::exception::{BAD_ARGUMENTS, Exception, NOT_IMPLEMENTED};

/// A request without its body.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The statement, or its beginning: the body goes on with it.
    pub(super) query: String,
    pub(super) query_id: String,
    pub(super) database: Option<String>,
    pub(super) format: Option<String>,
    /// Every parameter that means nothing to this protocol is a setting of ClickHouse.
    pub(super) settings: Vec<(String, String)>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) session: Option<SessionAsked>,
    pub(super) body: Compressed,
    pub(super) answer: Compressed,
    /// The answer begins when it is whole, so that a late error is one.
    pub(super) waits_for_end: bool,
    /// As in ClickHouse, GET only reads.
    pub(super) only_reads: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionAsked {
    pub(super) name: String,
    pub(super) timeout: Duration,
    /// It must be there already.
    pub(super) check: bool,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compressed {
    pub(super) in_blocks: bool,
    pub(super) coding: Option<Coding>,
}

/// Who asks, as far as he says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

const SESSION_TIMEOUT: u64 = 60;
/// As ClickHouse has it.
const SESSION_TIMEOUT_MAX: u64 = 3_600;

impl Asked {
    pub(super) fn read(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        query_id: impl FnOnce() -> String,
    ) -> Result<(Asked, Credentials), Exception> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if text(header::CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("multipart/")) {
            let what = "External tables in multipart bodies are not served";
            return Err(Exception::new(NOT_IMPLEMENTED, what, "NOT_IMPLEMENTED"));
        }
        let mut asked = Asked {
            query: String::new(),
            query_id: String::new(),
            database: text("x-clickhouse-database").map(str::to_owned),
            format: text("x-clickhouse-format").map(str::to_owned),
            settings: Vec::new(),
            parameters: Vec::new(),
            session: None,
            body: Compressed::default(),
            answer: Compressed::default(),
            waits_for_end: false,
            only_reads: method == Method::GET || method == Method::HEAD,
        };
        let mut credentials = credentials(headers);
        let (mut session, mut timeout, mut check) = (None, None, false);
        let (mut http_compression, mut wanted_id) = (false, None);
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let (name, value) = (name.into_owned(), value.into_owned());
            match name.as_str() {
                "query" => asked.query.push_str(&value),
                "query_id" => wanted_id = Some(value).filter(|id| !id.is_empty()),
                "database" => asked.database = Some(value),
                "default_format" => asked.format = Some(value),
                "user" => credentials.user = value,
                "password" => credentials.password = value,
                "compress" => asked.answer.in_blocks = is_on(&value),
                "decompress" => asked.body.in_blocks = is_on(&value),
                "enable_http_compression" => http_compression = is_on(&value),
                "wait_end_of_query" => asked.waits_for_end = is_on(&value),
                "session_id" => session = Some(value).filter(|name| !name.is_empty()),
                "session_timeout" => timeout = Some(seconds(&value)?),
                "session_check" => check = is_on(&value),
                // They say how ClickHouse's server buffers, whose quota counts and which client it is:
                // here they mean nothing.
                "buffer_size"
                | "http_response_buffer_size"
                | "quota_key"
                | "stacktrace"
                | "client_protocol_version"
                | "close_session" => (),
                _ => match name.strip_prefix("param_") {
                    Some(parameter) => asked.parameters.push((parameter.to_owned(), value)),
                    None => asked.settings.push((name, value)),
                },
            }
        }
        asked.query_id = wanted_id.unwrap_or_else(query_id);
        asked.session = session.map(|name| SessionAsked {
            name,
            timeout: timeout.unwrap_or(Duration::from_secs(SESSION_TIMEOUT)),
            check,
        });
        if let Some(coding) = text(header::CONTENT_ENCODING.as_str()).filter(|it| *it != "identity")
        {
            asked.body.coding = Some(Coding::named(coding).ok_or_else(|| {
                let what = format!("Content-Encoding {coding} is not known");
                Exception::new(NOT_IMPLEMENTED, what, "NOT_IMPLEMENTED")
            })?);
        }
        let accepted = text(header::ACCEPT_ENCODING.as_str()).and_then(Coding::accepted);
        asked.answer.coding = accepted.filter(|_| http_compression && !asked.answer.in_blocks);
        Ok((asked, credentials))
    }
}

fn is_on(value: &str) -> bool {
    !matches!(value, "" | "0" | "false")
}

fn seconds(value: &str) -> Result<Duration, Exception> {
    match value.parse() {
        Ok(seconds) if seconds <= SESSION_TIMEOUT_MAX => Ok(Duration::from_secs(seconds)),
        _ => {
            let what = format!("session_timeout is at most {SESSION_TIMEOUT_MAX} seconds");
            Err(Exception::new(BAD_ARGUMENTS, what, "BAD_ARGUMENTS"))
        }
    }
}

fn credentials(headers: &HeaderMap) -> Credentials {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let basic = text(header::AUTHORIZATION.as_str())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(base64)
        .and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some((user, password)) = basic.as_deref().and_then(|pair| pair.split_once(':')) {
        return Credentials { user: user.to_owned(), password: password.to_owned() };
    }
    Credentials {
        user: text("x-clickhouse-user").unwrap_or("default").to_owned(),
        password: text("x-clickhouse-key").unwrap_or_default().to_owned(),
    }
}

/// Decodes base64 with its usual letters; none if it is not.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        uri: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Asked, Credentials), Exception> {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
        let headers = headers.collect::<HeaderMap>();
        Asked::read(&Method::POST, &uri.parse().unwrap(), &headers, || "made".to_owned())
    }

    #[test]
    fn what_the_protocol_does_not_know_is_a_setting() {
        let uri = "/?query=SELECT%201&max_threads=2&param_x=a%0Ab&database=d&default_format=JSON&wait_end_of_query=1";
        let (asked, credentials) = read(uri, &[]).unwrap();
        assert_eq!(asked.query, "SELECT 1");
        assert_eq!(asked.settings, [("max_threads".to_owned(), "2".to_owned())]);
        assert_eq!(asked.parameters, [("x".to_owned(), "a\nb".to_owned())]);
        assert_eq!((asked.database.as_deref(), asked.format.as_deref()), (Some("d"), Some("JSON")));
        assert!(asked.waits_for_end && !asked.only_reads);
        assert_eq!((asked.query_id.as_str(), credentials.user.as_str()), ("made", "default"));
    }

    #[test]
    fn compression_is_agreed_on_both_ways() {
        let headers = [("accept-encoding", "gzip, lz4"), ("content-encoding", "zstd")];
        let (asked, _) = read("/?enable_http_compression=1", &headers).unwrap();
        assert_eq!(asked.answer, Compressed { in_blocks: false, coding: Some(Coding::Lz4) });
        assert_eq!(asked.body.coding, Some(Coding::Zstd));
        let (asked, _) = read("/?compress=1&decompress=1", &headers[..1]).unwrap();
        assert_eq!(asked.answer, Compressed { in_blocks: true, coding: None });
        assert!(asked.body.in_blocks);
        assert_eq!(read("/", &[("content-encoding", "br")]).unwrap_err().code, NOT_IMPLEMENTED);
    }

    #[test]
    fn users_say_who_they_are_in_three_ways() {
        let expected = Credentials { user: "me".to_owned(), password: "s:1".to_owned() };
        let ways: [(&str, &[(&'static str, &str)]); 3] = [
            ("/?user=me&password=s%3A1", &[]),
            ("/", &[("x-clickhouse-user", "me"), ("x-clickhouse-key", "s:1")]),
            ("/", &[("authorization", "Basic bWU6czox")]),
        ];
        for (uri, headers) in ways {
            assert_eq!(read(uri, headers).unwrap().1, expected, "{uri}");
        }
        assert_eq!(base64("bWU6"), Some(b"me:".to_vec()));
        assert_eq!(base64("b*"), None);
    }
}
