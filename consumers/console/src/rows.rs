//! Rows of one thing, from whoever owns its ledger: committed state only.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::outside::{self, Away};

/// A question about a row, and where the answer goes. It is answered between two steps.
#[derive(Debug)]
pub struct Question {
    pub view: String,
    pub of: String,
    pub answer: oneshot::Sender<Answer>,
}

/// What a ledger's owner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Row(Value),
    /// None of its ledgers knows it.
    NotHere,
    NoSuchView(String),
}

/// Where the ledgers are kept.
#[derive(Clone, Debug)]
pub enum Rows {
    /// All of them by one thread of this process.
    Here(SyncSender<Question>),
    /// By workers with these addresses. Each is asked until one has the row.
    Elsewhere(Vec<String>),
}

/// Nobody answered who may have the row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(String);

const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 1 << 20;

impl Rows {
    pub(crate) async fn ask(&self, view: &str, of: &str) -> Result<Answer, Unanswered> {
        match self {
            Rows::Here(ledgers) => ask_here(ledgers, view, of).await,
            Rows::Elsewhere(workers) => ask_elsewhere(workers, view, of).await,
        }
    }
}

async fn ask_here(
    ledgers: &SyncSender<Question>,
    view: &str,
    of: &str,
) -> Result<Answer, Unanswered> {
    let (answer, answered) = oneshot::channel();
    let question = Question { view: view.to_owned(), of: of.to_owned(), answer };
    if ledgers.try_send(question).is_err() {
        return Err(Unanswered("too many questions wait for the ledgers".to_owned()));
    }
    match tokio::time::timeout(ANSWERED_WITHIN, answered).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(Unanswered("the ledgers do not answer now".to_owned())),
    }
}

/// A worker that does not answer may be the one that has the row, so its silence is no answer; but
/// another's row is.
async fn ask_elsewhere(workers: &[String], view: &str, of: &str) -> Result<Answer, Unanswered> {
    let mut answer = Answer::NotHere;
    let mut silent = None;
    for worker in workers {
        let path = format!("/v1/show/{}/{}", outside::escaped(view), outside::escaped(of));
        let asked = outside::get(worker, &path, ANSWER_BYTES_MAX, ANSWERED_WITHIN).await;
        match asked.and_then(|(status, body)| understood(status, &body)) {
            Ok(Answer::Row(row)) => return Ok(Answer::Row(row)),
            Ok(Answer::NotHere) => {}
            Ok(no_view) => answer = no_view,
            Err(why) => silent = Some(format!("{worker}: {why}")),
        }
    }
    match silent {
        Some(why) => Err(Unanswered(format!("a worker does not answer now ({why})"))),
        None if workers.is_empty() => Err(Unanswered(
            "no worker is known that keeps ledgers; console.workers names them".to_owned(),
        )),
        None => Ok(answer),
    }
}

fn understood(status: StatusCode, body: &[u8]) -> Result<Answer, Away> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Away(error.to_string()))?;
    match status {
        StatusCode::OK => Ok(Answer::Row(body)),
        StatusCode::NOT_FOUND if body.get("code") == Some(&"no_such_view".into()) => {
            let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
            Ok(Answer::NoSuchView(detail.to_owned()))
        }
        StatusCode::NOT_FOUND => Ok(Answer::NotHere),
        other => Err(Away(format!("it answers {other}"))),
    }
}
