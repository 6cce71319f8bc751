//! The API as the command line asks it: HTTP over one connection that is kept, each request with a
//! deadline.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_native_tls::native_tls;

/// Where `drawdown up` serves the API unless told otherwise.
pub(super) const USUAL_SERVER: &str = "http://127.0.0.1:8080";

const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Whom to ask, and as whom.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerOptions {
    /// Where the API is.
    #[arg(long, global = true, env = "DRAWDOWN_SERVER", default_value = USUAL_SERVER,
        value_name = "URL", help_heading = "Server")]
    pub server: String,
    /// The key that it knows you by: what `drawdown up` prints, or one that `create_key` made.
    #[arg(
        long,
        global = true,
        env = "DRAWDOWN_KEY",
        hide_env_values = true,
        help_heading = "Server"
    )]
    pub key: Option<String>,
    /// Prints JSON, as the API gives it.
    #[arg(long, global = true, help_heading = "Server")]
    pub json: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unanswered {
    /// Nothing was sent.
    #[error(
        "{server} cannot be reached: {why}\n  Is it running (`drawdown up`)? Another one is named with --server or DRAWDOWN_SERVER."
    )]
    Unreachable { server: String, why: String },
    /// What was sent may have been done.
    #[error("{server} does not answer: {why}")]
    Lost { server: String, why: String },
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: &'a Bytes,
    pub(super) within: Duration,
}

/// A connection to the API, made when it is needed.
#[derive(Debug)]
pub(super) struct Client {
    server: String,
    host: String,
    port: u16,
    is_tls: bool,
    /// Precedes every path.
    base: String,
    key: Option<String>,
    runtime: tokio::runtime::Runtime,
    connection: Option<SendRequest<Full<Bytes>>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Client {
    pub(super) fn new(server: &str, key: Option<&str>) -> anyhow::Result<Client> {
        let wrong = || anyhow::anyhow!("--server is {server}; it looks like {USUAL_SERVER}");
        let uri: Uri = server.parse().map_err(|_| wrong())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let host = uri.host().ok_or_else(wrong)?;
        if uri.query().is_some() {
            return Err(wrong());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Client {
            server: server.trim_end_matches('/').to_owned(),
            // An address of version 6 stands in brackets in a URL, and nowhere else.
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            is_tls,
            base: uri.path().trim_end_matches('/').to_owned(),
            key: key.map(str::to_owned),
            runtime,
            connection: None,
        })
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Sends a request and waits for all of its answer.
    pub(super) fn ask(&mut self, asking: Asking<'_>) -> Result<Answer, Unanswered> {
        let (response, server) = (self.begin(asking)?, self.server.clone());
        let (head, body) = response.into_parts();
        let whole = Limited::new(body, ANSWER_BYTES_MAX).collect();
        let whole = async { tokio::time::timeout(asking.within, whole).await };
        let lost = |why: String| Unanswered::Lost { server: server.clone(), why };
        let body = self.runtime.block_on(whole);
        let body = body.map_err(|_| lost("its answer does not end in time".to_owned()))?;
        let body = body.map_err(|error| lost(error.to_string()))?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Shows the lines of an answer as they come, until it ends or the visitor has seen enough. An answer
    /// that is no success is returned whole.
    pub(super) fn each_line(
        &mut self,
        asking: Asking<'_>,
        visit: &mut dyn FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<Answer>> {
        let response = self.begin(asking)?;
        let (head, mut body) = response.into_parts();
        let (mut seen, is_well) = (Vec::new(), head.status.is_success());
        while let Some(frame) = self.runtime.block_on(body.frame()) {
            let lost =
                |error| Unanswered::Lost { server: self.server.clone(), why: format!("{error}") };
            let Ok(bytes) = frame.map_err(lost)?.into_data() else { continue };
            seen.extend_from_slice(&bytes);
            while let Some(end) = seen.iter().position(|byte| *byte == b'\n').filter(|_| is_well) {
                let line: Vec<u8> = seen.drain(..=end).collect();
                visit(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']))?;
            }
        }
        let answer = || Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: Bytes::from(seen),
        };
        Ok((!is_well).then(answer))
    }

    fn begin(&mut self, asking: Asking<'_>) -> Result<Response<Incoming>, Unanswered> {
        let server = self.server.clone();
        let lost = |why: String| Unanswered::Lost { server: server.clone(), why };
        let request = self.request(asking).map_err(&lost)?;
        // One that was closed meanwhile is found out before anything is sent on it.
        let kept = self
            .connection
            .take()
            .and_then(|mut kept| self.runtime.block_on(kept.ready()).is_ok().then_some(kept));
        let mut connection = match kept {
            Some(kept) => kept,
            None => self
                .runtime
                .block_on(self.connect())
                .map_err(|why| Unanswered::Unreachable { server: server.clone(), why })?,
        };
        let within = asking.within;
        let answered = self.runtime.block_on(async {
            tokio::time::timeout(within, connection.send_request(request)).await
        });
        let seconds = within.as_secs();
        let answered = answered.map_err(|_| lost(format!("nothing came in {seconds} seconds")))?;
        let response = answered.map_err(|error| lost(error.to_string()))?;
        self.connection = Some(connection);
        Ok(response)
    }

    fn request(&self, asking: Asking<'_>) -> Result<Request<Full<Bytes>>, String> {
        let method: Method = asking.method.parse().map_err(|_| asking.method.to_owned())?;
        let request =
            Request::builder().method(method).uri(format!("{}{}", self.base, asking.path));
        let mut request = request
            .header("host", self.host_header())
            .header("user-agent", concat!("drawdown/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = &self.key {
            let bearer = HeaderValue::from_str(&format!("Bearer {key}"));
            let mut bearer = bearer.map_err(|_| "the key is no plain text".to_owned())?;
            bearer.set_sensitive(true);
            request = request.header("authorization", bearer);
        }
        for (name, value) in asking.headers {
            request = request.header(*name, *value);
        }
        request.body(Full::from(asking.body.clone())).map_err(|error| error.to_string())
    }

    fn host_header(&self) -> String {
        let host = &self.host;
        if host.contains(':') {
            format!("[{host}]:{}", self.port)
        } else {
            format!("{host}:{}", self.port)
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let connect = TcpStream::connect((self.host.as_str(), self.port));
        let stream = tokio::time::timeout(CONNECTS_WITHIN, connect).await;
        let stream = stream.map_err(|_| "nobody is there in time".to_owned())?;
        let stream = stream.map_err(|error| error.to_string())?;
        // Small requests wait for nothing.
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let stream: Box<dyn Stream> = if self.is_tls {
            let connector = native_tls::TlsConnector::new().map_err(|error| error.to_string())?;
            let connector = tokio_native_tls::TlsConnector::from(connector);
            let secured =
                tokio::time::timeout(CONNECTS_WITHIN, connector.connect(&self.host, stream));
            let secured = secured.await.map_err(|_| "TLS is not agreed on in time".to_owned())?;
            Box::new(secured.map_err(|error| format!("TLS: {error}"))?)
        } else {
            Box::new(stream)
        };
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| error.to_string())?;
        tokio::spawn(async move {
            // Whoever waits for an answer is told of a broken connection there.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
        Ok(sender)
    }
}
