//! HTTP of the simplest kind, to servers of this machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context;

/// Asks a server of the loopback interface; its status and what it said.
pub fn ask(
    port: u16,
    verb: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    within: Duration,
) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), within)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    // By HTTP/1.0 an answer ends with its connection, and never comes in chunks.
    let mut head = format!("{verb} {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole)?;
    let end = whole.windows(4).position(|four| four == b"\r\n\r\n").context("no answer")?;
    let answer = whole.split_off(end + 4);
    let head = String::from_utf8_lossy(&whole);
    let status = head.split_whitespace().nth(1).context("no status")?.parse()?;
    Ok((status, answer))
}
