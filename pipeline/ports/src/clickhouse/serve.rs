//! ClickHouse's HTTP protocol over the engine.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::answer::{Answer, Head, set};
use super::asked::{Asked, Credentials};
use super::body::{AnswerBody, RequestBody, pass_on, pieces};
use super::engine::{Connection, Engine, NoEngine};
use super::exception::{AUTHENTICATION_FAILED, Exception, TOO_MANY_SIMULTANEOUS_QUERIES};
use super::listener::BoundedListener;
use super::run::run;
use super::sessions::Sessions;

/// The bounds of a shared.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The password of the user `default`; none: whoever reaches the address may ask.
    pub password: Option<String>,
    /// More clients wait until they are accepted.
    pub connections_max: usize,
    /// More queries wait, and are refused in the end.
    pub queries_max: usize,
    pub queries_wait_max: Duration,
    /// What the engine may hold in memory; none: most of the machine's.
    pub memory_bytes_max: Option<u64>,
    /// A client that sends or takes nothing for so long is given up.
    pub stalls_for_max: Duration,
    /// Queries under way may end within this when the server is to stop.
    pub stops_within: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            password: None,
            connections_max: 256,
            queries_max: 32,
            queries_wait_max: Duration::from_secs(30),
            memory_bytes_max: None,
            stalls_for_max: Duration::from_secs(60),
            stops_within: Duration::from_secs(20),
        }
    }
}

/// The engine over a folder, and how it is served.
#[derive(Debug)]
pub struct Server {
    shared: Shared,
    /// Keeps the engine running between requests.
    first: Connection,
}

/// What every request meets.
#[derive(Debug)]
struct Shared {
    options: ServerOptions,
    sessions: Sessions,
    queries: Semaphore,
    time_zone: String,
}

impl Server {
    /// Opens the engine over a folder, which is made if it is not there.
    pub fn open(library: &Path, data: &Path, options: ServerOptions) -> Result<Server, NoEngine> {
        let mut settings = Vec::new();
        if let Some(bytes) = options.memory_bytes_max {
            settings.push(("max_server_memory_usage", bytes.to_string()));
        }
        let (engine, mut first) = Engine::open(library, data, &settings)?;
        let time_zone = first.query(b"SELECT timezone()", "TabSeparatedRaw", &[]);
        let time_zone =
            time_zone.map(|zone| String::from_utf8_lossy(zone.bytes()).trim().to_owned());
        let shared = Shared {
            queries: Semaphore::new(options.queries_max),
            options,
            sessions: Sessions::new(engine),
            time_zone: time_zone.unwrap_or_else(|_| "UTC".to_owned()),
        };
        Ok(Server { shared, first })
    }

    /// Serves until `end`, and then until what is under way has ended.
    pub async fn serve(
        self,
        listener: TcpListener,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let Server { shared, first } = self;
        let (options, shared) = (shared.options.clone(), Arc::new(shared));
        let router = Router::new()
            .route("/ping", get(ok))
            .route("/replicas_status", get(ok))
            .route("/", get(answer).post(answer))
            .with_state(shared.clone());
        let listener = BoundedListener::new(listener, options.connections_max);
        let (ending, ended) = oneshot::channel();
        let end = async move {
            end.await;
            ending.send(()).ok();
        };
        let served = axum::serve(listener, router).with_graceful_shutdown(end).into_future();
        let too_late = async {
            ended.await.ok();
            tokio::time::sleep(options.stops_within).await;
        };
        tokio::select! {
            served = served => served?,
            () = too_late => tracing::warn!("some queries did not end in time and are given up"),
        }
        // The engine ends in order with its last connection.
        shared.sessions.clear();
        drop(first);
        Ok(())
    }
}

impl Shared {
    fn check(&self, credentials: &Credentials) -> Result<(), Exception> {
        let Some(password) = &self.options.password else { return Ok(()) };
        // Compared in a time that tells nothing: by hashes under a key that is new each time.
        let key = RandomState::new();
        let is_right = key.hash_one(password) == key.hash_one(&credentials.password);
        if credentials.user == "default" && is_right {
            return Ok(());
        }
        let what = format!(
            "{}: Authentication failed: password is incorrect, or there is no user with such name",
            credentials.user
        );
        Err(Exception::new(AUTHENTICATION_FAILED, what, "AUTHENTICATION_FAILED"))
    }

    fn headers(&self, query_id: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        set(&mut headers, "x-clickhouse-query-id", query_id);
        set(&mut headers, "x-clickhouse-timezone", &self.time_zone);
        set(&mut headers, "x-clickhouse-server-display-name", "drawdown");
        headers
    }
}

async fn ok() -> &'static str {
    "Ok.\n"
}

/// An id that no other query has.
fn new_query_id() -> String {
    let random = (RandomState::new().hash_one(1), RandomState::new().hash_one(2));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        random.0 >> 32,
        (random.0 >> 16) & 0xffff,
        random.0 & 0xfff,
        random.1 >> 52,
        random.1 & 0xffff_ffff_ffff
    )
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.query().unwrap_or_default().is_empty() && parts.method == axum::http::Method::GET {
        return ok().await.into_response();
    }
    let asked = Asked::read(&parts.method, &parts.uri, &parts.headers, new_query_id)
        .and_then(|(asked, credentials)| shared.check(&credentials).map(|()| asked));
    let asked = match asked {
        Ok(asked) => asked,
        Err(exception) => return refusal(&exception, shared.headers("")),
    };
    let headers = shared.headers(&asked.query_id);
    let permit = timeout(shared.options.queries_wait_max, shared.queries.acquire()).await;
    let Ok(Ok(permit)) = permit else {
        let what = format!("{} queries run already", shared.options.queries_max);
        let name = "TOO_MANY_SIMULTANEOUS_QUERIES";
        return refusal(&Exception::new(TOO_MANY_SIMULTANEOUS_QUERIES, what, name), headers);
    };
    permit.forget();
    let (to_head, head) = oneshot::channel();
    let (to_body, answer_body) = pieces();
    let stalls_for_max = shared.options.stalls_for_max;
    let answer = Answer::new(&asked, headers, to_head, to_body, stalls_for_max);
    let (to_run, request_body) = pieces();
    let reading = tokio::spawn(pass_on(body, to_run, stalls_for_max));
    let running = shared.clone();
    tokio::task::spawn_blocking(move || {
        match answer {
            Ok(answer) => {
                let body = Box::new(RequestBody::new(request_body));
                run(&running.sessions, &asked, body, answer);
            }
            Err(error) => tracing::warn!(%error, "no answer can be made"),
        }
        running.queries.add_permits(1);
        reading.abort();
    });
    match head.await {
        Ok(Head { status, headers }) => {
            (status, headers, Body::new(AnswerBody::new(answer_body))).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn refusal(exception: &Exception, mut headers: HeaderMap) -> Response {
    set(&mut headers, "x-clickhouse-exception-code", &exception.code.to_string());
    (exception.status(), headers, format!("{}\n", exception.text)).into_response()
}

/// The address a server listens on.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}
