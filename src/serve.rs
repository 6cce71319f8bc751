//! What a worker shows over HTTP: its metrics, its health, and the rows of the partitions it owns.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use drawdown_balance::Balance;
use drawdown_domain::ledger::Ledger;
use drawdown_runtime::{Progress, Worker};
use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tokio::sync::oneshot;

use drawdown_console::{Answer, Console, OF_THE_REGISTRY, Question};
use drawdown_registry::Registry;

use crate::views;

/// A worker that has not got on for so long stands still.
const STILL_FOR_MAX: Duration = Duration::from_secs(30);
/// A question that is not answered within this is given up.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// Requests that wait for the disk or a broker at a time.
const BLOCKING_THREADS_MAX: usize = 64;

/// What the service shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The consumers of this process, by name.
    pub progress: Vec<(String, Progress)>,
    /// To the thread that owns the ledgers, if it runs in this process.
    pub ledgers: Option<SyncSender<Question>>,
    /// To the thread that is the registry, if it runs in this process.
    pub registry: Option<SyncSender<Question>>,
    /// The console, if it runs in this process.
    pub console: Option<Arc<Console>>,
    metrics: PrometheusHandle,
}

impl Shown {
    /// Installs the recorder of metrics for this process.
    pub fn new() -> anyhow::Result<Shown> {
        let metrics =
            PrometheusBuilder::new().install_recorder().context("metrics cannot be recorded")?;
        let (ledgers, registry, console) = (None, None, None);
        Ok(Shown { progress: Vec::new(), ledgers, registry, console, metrics })
    }
}

/// Takes the address, so that one that is taken is known before anything starts.
pub fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let parsed: SocketAddr = address.parse().with_context(|| {
        format!("worker.http is {address}; an address looks like 127.0.0.1:9464")
    })?;
    TcpListener::bind(parsed).with_context(|| {
        format!("worker.http: {address} cannot be used; set another one, or none with worker.http=")
    })
}

/// Serves on a thread of its own until `end` is told, and what is under way then is finished.
pub fn serve(
    listener: TcpListener,
    shown: Shown,
    end: oneshot::Receiver<()>,
) -> anyhow::Result<JoinHandle<()>> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()?;
    let console = shown.console.clone();
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        let ended = async move {
            // Told or dropped: either way the process ends.
            end.await.ok();
            if let Some(console) = console {
                console.stop();
            }
        };
        let served = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let service = router(shown).into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).with_graceful_shutdown(ended).await
        });
        if let Err(error) = served {
            tracing::error!(%error, "metrics, health and views are served no more");
        }
    })?;
    Ok(thread)
}

fn router(shown: Shown) -> Router {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(health));
    match &shown.console {
        Some(console) => router.with_state(shown.clone()).merge(console.router()),
        None => router.route("/v1/show/{view}/{of}", get(show)).with_state(shown),
    }
}

async fn metrics(State(shown): State<Shown>) -> String {
    for (consumer, progress) in &shown.progress {
        let still_for = progress.still_for().as_secs_f64();
        gauge!("drawdown_still_seconds", "consumer" => consumer.clone()).set(still_for);
    }
    shown.metrics.render()
}

/// Red when a consumer stands still.
async fn health(State(shown): State<Shown>) -> Response {
    let (mut healthy, mut consumers) = (true, serde_json::Map::new());
    for (name, progress) in &shown.progress {
        let still_for = progress.still_for();
        healthy &= still_for < STILL_FOR_MAX;
        let mut shown = json!({ "still_for_seconds": still_for.as_secs() });
        if let Some(why) = progress.why() {
            shown["why"] = why.into();
        }
        consumers.insert(name.clone(), shown);
    }
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = if healthy { "healthy" } else { "a consumer stands still; see the log for why" };
    let body = json!({ "status": text, "consumers": consumers });
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn show(State(shown): State<Shown>, Path((view, of)): Path<(String, String)>) -> Response {
    let keeper = match OF_THE_REGISTRY.contains(&view.as_str()) {
        true => &shown.registry,
        false => &shown.ledgers,
    };
    let Some(keeper) = keeper else {
        return problem(StatusCode::NOT_FOUND, "not_found", "that is not kept in this process");
    };
    let (answer, answered) = oneshot::channel();
    if keeper.try_send(Question { view, of, answer }).is_err() {
        return problem(StatusCode::TOO_MANY_REQUESTS, "busy", "too many questions at once");
    }
    match tokio::time::timeout(ANSWERED_WITHIN, answered).await {
        Ok(Ok(Answer::Row(row))) => {
            ([(CONTENT_TYPE, "application/json")], row.to_string()).into_response()
        }
        Ok(Ok(Answer::NotHere)) => problem(
            StatusCode::NOT_FOUND,
            "not_found",
            "no ledger of this process has it; another worker may",
        ),
        Ok(Ok(Answer::NoSuchView(why))) => problem(StatusCode::NOT_FOUND, "no_such_view", &why),
        Ok(Err(_)) | Err(_) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "busy", "the ledgers do not answer now")
        }
    }
}

/// An error as RFC 9457 has it.
fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = json!({ "title": status.canonical_reason(), "status": status.as_u16(),
        "code": code, "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

/// Answers questions from the registry, if a worker owns it.
pub fn answer_of_registry(
    worker: &mut Worker<Registry>,
    first: Question,
    more: impl Iterator<Item = Question>,
) -> anyhow::Result<()> {
    // As with ledgers: only what is committed is told.
    if !worker.come_to_rest()? {
        return Ok(());
    }
    for question in std::iter::once(first).chain(more) {
        let state = worker.stations().next().map(Registry::state);
        let answer = match (question.view.as_str(), state) {
            (_, None) => Answer::NotHere,
            ("remittances", Some(state)) => {
                let rows = state.remittances().map(|known| serde_json::to_value(known.row()));
                Answer::Row(rows.collect::<Result<Vec<_>, _>>()?.into())
            }
            (other, Some(_)) => Answer::NoSuchView(format!("the registry has no {other}")),
        };
        // Whoever asked may have gone.
        question.answer.send(answer).ok();
    }
    Ok(())
}

/// Answers questions from the ledgers a worker owns.
pub fn answer(
    worker: &mut Worker<Balance>,
    first: Question,
    more: impl Iterator<Item = Question>,
) -> anyhow::Result<()> {
    // What is decided and not committed yet must not be told: it may never have happened.
    // After a lost commit nobody is answered: whoever asks again finds what is restored.
    if !worker.come_to_rest()? {
        return Ok(());
    }
    for question in std::iter::once(first).chain(more) {
        let ledgers: Vec<&Ledger> = worker.stations().map(Balance::ledger).collect();
        let Question { view, of, .. } = &question;
        let answer = if views::EVERYWHERE.contains(&view.as_str()) {
            let rows = views::everywhere(view, &ledgers);
            rows.map_or(Answer::NotHere, |rows| Answer::Row(rows.into()))
        } else {
            match views::one(view, of, &ledgers) {
                Ok(Some(row)) => Answer::Row(row),
                Ok(None) => Answer::NotHere,
                Err(why) => Answer::NoSuchView(why.to_string()),
            }
        };
        // Whoever asked may have gone.
        question.answer.send(answer).ok();
    }
    Ok(())
}
