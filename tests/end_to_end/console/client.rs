//! HTTP as a customer's program speaks it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(30);

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub port: u16,
}

impl Client {
    fn begin(self, verb: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        let mut request = format!("{verb} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n", self.port);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = body.len();
        request.push_str(&format!("content-length: {length}\r\nconnection: close\r\n\r\n"));
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        stream
    }

    pub fn send(self, verb: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut whole = Vec::new();
        self.begin(verb, path, headers, body).read_to_end(&mut whole).unwrap();
        let whole = String::from_utf8_lossy(&whole);
        let (head, body) = whole.split_once("\r\n\r\n").unwrap();
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The status, if a server answers at all: for those that are being killed.
    pub fn try_send(
        self,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<u16> {
        drawdown_components::ask(self.port, verb, path, headers, body, WITHIN)
            .ok()
            .map(|(status, _)| status)
    }

    pub fn get(self, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", "Bearer demo")], b"")
    }

    pub fn post(self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let key = ("authorization", "Bearer demo");
        let headers: Vec<_> = headers.iter().copied().chain([key]).collect();
        self.send("POST", path, &headers, body.as_bytes())
    }

    pub fn command(self, name: &str, key: &str, fields: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.post(&format!("/v1/do/{name}"), &headers, &fields.to_string())
    }

    /// A stream of events, as lines.
    pub fn stream(self, path: &str, key: &str) -> impl Iterator<Item = String> + use<> {
        let stream = self.begin("GET", path, &[("authorization", &format!("Bearer {key}"))], b"");
        BufReader::new(stream).lines().map(Result::unwrap)
    }
}
