//! The API: which path does what, and what holds for every request.

mod commands;
mod explain;
mod invoices;
mod rejects;
mod show;
mod stream;
mod usage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue, USER_AGENT};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use drawdown_domain::ids::{PrincipalId, Text};

pub(crate) use explain::{RECORDS_MAX, records as records_asked};
pub(crate) use show::{page, problem, row, rows_of};

use crate::keys::{Asker, holder};
use crate::problem::Problem;
use crate::{Site, description, pages};

pub(crate) type Shared = Arc<Site>;

/// The largest command; price books are documents.
const COMMAND_BYTES_MAX: usize = 8 << 20;
/// A caller's own name for a request is kept if it is no longer.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// So much is kept of what a caller says of his program.
const AGENT_CHARACTERS_MAX: usize = 120;

pub(crate) const POSITION: HeaderName = HeaderName::from_static("drawdown-position");
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) fn router(site: Shared) -> Router {
    let usage_limit = DefaultBodyLimit::max(site.options.usage_body_bytes_max);
    Router::new()
        .route("/v1/do/{command}", post(commands::command))
        .route("/v1/show/{view}", get(show::list))
        .route("/v1/show/{view}/{id}", get(show::show))
        .route("/v1/stream/{view}/{id}", get(stream::stream))
        .route("/v1/explain/{id}", get(explain::explain))
        .route("/v1/invoices/{file}", get(invoices::invoice))
        .route("/v1/rejects", get(rejects::list))
        .route("/v1/rejects/replay", post(rejects::replay))
        .route("/v1/rejects/mend", post(rejects::mend))
        .layer(DefaultBodyLimit::max(COMMAND_BYTES_MAX))
        .route("/v1/usage", post(usage::usage).layer(usage_limit))
        .route("/openapi.json", get(description::openapi))
        .merge(pages::router())
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(site.clone(), around))
        .with_state(site)
}

async fn not_found(request: Request) -> Response {
    let path = request.uri().path();
    let is_for_programs = path.starts_with("/v1/");
    if is_for_programs || !pages::is_browser(request.headers()) {
        let detail = format!("there is nothing at {path}; /docs lists what there is");
        return Problem::not_found(detail).into_response();
    }
    pages::page_of(Problem::not_found(format!("There is no page at {path}.")))
}

async fn wrong_method(request: Request) -> Problem {
    let detail = format!("{} is not for {}", request.uri().path(), request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// What holds for every request: a name, a deadline, a metric, and headers for browsers.
async fn around(State(site): State<Shared>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let given = request.headers().get(&REQUEST_ID).cloned();
    let id = given.filter(|id| id.len() <= REQUEST_ID_BYTES_MAX && id.to_str().is_ok());
    let id = id.or_else(|| HeaderValue::from_str(&site.ids.next()).ok());
    if let Some(id) = &id {
        request.headers_mut().insert(REQUEST_ID, id.clone());
    }
    let origin = Origin(origin_of(&request));
    request.extensions_mut().insert(origin);
    let method = request.method().clone();
    let kind = kind_of(request.uri().path());
    let within = site.options.request_within.max(site.options.command_answered_within * 2);
    let mut response = match tokio::time::timeout(within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("it takes too long").into_response(),
    };
    let labels = [("path", kind.to_owned()), ("status", response.status().as_str().to_owned())];
    metrics::counter!("drawdown_http_requests_total", &labels).increment(1);
    metrics::histogram!("drawdown_http_seconds", "path" => kind).record(began.elapsed());
    tracing::debug!(%method, kind, status = response.status().as_u16(), took = ?began.elapsed(), "answered");
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in FOR_BROWSERS {
        headers.entry(*name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// From where a request comes, as the audit trail keeps it (R11.4).
#[derive(Clone, Debug)]
pub(crate) struct Origin(pub(crate) Option<Text>);

/// The address of whoever is connected, and what program he says he uses.
fn origin_of(request: &Request) -> Option<Text> {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = address.map(|ConnectInfo(address)| address.ip().to_string());
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent = agent.map(|agent| agent.chars().take(AGENT_CHARACTERS_MAX).collect::<String>());
    let parts: Vec<String> = address.into_iter().chain(agent).collect();
    (!parts.is_empty()).then(|| Text::fitting(&parts.join(" ")))
}

/// Nothing from elsewhere, nothing inline, and nobody frames us.
const FOR_BROWSERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// The path without what differs from request to request.
fn kind_of(path: &str) -> &'static str {
    ["/v1/do", "/v1/show", "/v1/stream", "/v1/usage", "/v1/explain", "/v1/invoices", "/v1/rejects"]
        .into_iter()
        .find(|kind| path.starts_with(kind))
        .unwrap_or("page")
}

/// Who asks. What he may is another question.
pub(crate) async fn asker(
    site: &Site,
    method: &Method,
    headers: &HeaderMap,
) -> Result<PrincipalId, Problem> {
    let who = match site.options.keys.who(method, headers) {
        Asker::Known(who) => Some(who),
        Asker::Holder { key, visitor } => holder(site, key).await?.or(visitor),
        Asker::Nobody => None,
    };
    who.ok_or_else(|| {
        let how = match headers.contains_key(AUTHORIZATION) {
            true => "nobody holds the key that was sent; `create_key` makes keys, `console.keys` names some from the beginning, and each is sent as `Authorization: Bearer <key>`",
            false => "no key was sent; send one as `Authorization: Bearer <key>`",
        };
        Problem::new(StatusCode::UNAUTHORIZED, "not_authenticated", how)
    })
}

/// Does what waits for the disk or a broker where it holds up nobody.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::unavailable(format!("it could not be done: {error}")))
}

/// Between two rows of silence a watcher hears so often that the connection lives.
pub(crate) const ALIVE_EVERY: Duration = Duration::from_secs(15);
