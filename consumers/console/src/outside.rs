//! HTTP to workers and to ClickHouse: one request a connection, each with a deadline.

use std::time::Duration;

use axum::http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Who was asked did not answer, or not in a way that can be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Away(pub(crate) String);

const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

fn away(error: impl std::fmt::Display) -> Away {
    Away(error.to_string())
}

/// Sends a request; the answer's head has come when this returns, and its body is still to be read.
pub(crate) async fn send(
    address: &str,
    request: Request<Full<Bytes>>,
    within: Duration,
) -> Result<Response<Incoming>, Away> {
    let connect = tokio::time::timeout(CONNECTS_WITHIN, TcpStream::connect(address));
    let stream = connect.await.map_err(|_| Away("it cannot be reached in time".to_owned()))?;
    let io = TokioIo::new(stream.map_err(away)?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(away)?;
    tokio::spawn(async move {
        // Whoever reads the body is told of a broken connection there.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
    let answer = tokio::time::timeout(within, sender.send_request(request));
    answer.await.map_err(|_| Away("it does not answer in time".to_owned()))?.map_err(away)
}

/// A request for what stands at a path.
pub(crate) async fn get(
    address: &str,
    path: &str,
    bytes_max: usize,
    within: Duration,
) -> Result<(StatusCode, Bytes), Away> {
    let request = Request::get(path).header("host", address).body(Full::default());
    let response = send(address, request.map_err(away)?, within).await?;
    whole(response, bytes_max, within).await
}

/// The whole of an answer.
pub(crate) async fn whole(
    response: Response<Incoming>,
    bytes_max: usize,
    within: Duration,
) -> Result<(StatusCode, Bytes), Away> {
    let status = response.status();
    let body = Limited::new(response.into_body(), bytes_max).collect();
    let body = tokio::time::timeout(within, body);
    let body = body.await.map_err(|_| Away("its answer does not end in time".to_owned()))?;
    Ok((status, body.map_err(away)?.to_bytes()))
}

/// A text as one segment of a path, or as one value of a query.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_passes_for_something_else() {
        assert_eq!(escaped("ba-acme.x_1"), "ba-acme.x_1");
        assert_eq!(escaped("../a b?c&d=é"), "..%2Fa%20b%3Fc%26d%3D%C3%A9");
    }
}
