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

/// The views that the registry has, and no ledger.
pub const OF_THE_REGISTRY: &[&str] = &["remittances"];

/// Where the ledgers are kept, and the registry. Each place is asked until one has the row.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// To the thread of this process that owns ledgers, if there is one.
    pub here: Option<SyncSender<Question>>,
    /// To the thread of this process that is the registry, if there is one.
    pub registry: Option<SyncSender<Question>>,
    /// Host and port of workers that own some.
    pub elsewhere: Vec<String>,
}

/// Nobody answered who may have the row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(String);

const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// A price book may be large.
const ANSWER_BYTES_MAX: usize = 16 << 20;

impl Rows {
    /// A place that does not answer may be the one that has the row, so its silence is no answer; but
    /// another's row is.
    pub(crate) async fn ask(&self, view: &str, of: &str) -> Result<Answer, Unanswered> {
        let mut answer = Answer::NotHere;
        let mut silent = None;
        let here = match OF_THE_REGISTRY.contains(&view) {
            true => &self.registry,
            false => &self.here,
        };
        if let Some(here) = here {
            match ask_here(here, view, of).await {
                Ok(Answer::NotHere) => {}
                Ok(found) => return Ok(found),
                Err(why) => silent = Some(why),
            }
        } else if self.elsewhere.is_empty() {
            return Err(Unanswered(format!(
                "no worker is known that has {view}; console.workers names them"
            )));
        }
        for worker in &self.elsewhere {
            match ask_elsewhere(worker, view, of).await {
                Ok(Answer::Row(row)) => return Ok(Answer::Row(row)),
                Ok(Answer::NotHere) => {}
                Ok(no_view) => answer = no_view,
                Err(why) => silent = Some(Unanswered(format!("{worker}: {why}"))),
            }
        }
        silent.map_or(Ok(answer), Err)
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

async fn ask_elsewhere(worker: &str, view: &str, of: &str) -> Result<Answer, Away> {
    let path = format!("/v1/show/{}/{}", outside::escaped(view), outside::escaped(of));
    let (status, body) = outside::get(worker, &path, ANSWER_BYTES_MAX, ANSWERED_WITHIN).await?;
    understood(status, &body)
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
