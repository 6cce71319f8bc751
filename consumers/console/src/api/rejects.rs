//! `/v1/rejects/...`: usage that could not be used is listed with its records, mended and sent again (R2.3).
//! It comes from the log itself, so that it works without ClickHouse.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Shared, apart, asker};
use crate::permits::only_the_operator;
use crate::problem::Problem;
use crate::rejects::{self, Chosen, Desk, Mending, NotSent};

/// One answer holds no more.
const LISTED_MAX: usize = 10_000;

/// Some rejects, each with its record.
pub(super) async fn list(
    State(site): State<Shared>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    only_the_operator(&asker(&site, &Method::GET, &headers).await?, "rejects")?;
    let mut chosen = Chosen::default();
    for (name, value) in query {
        match name.as_str() {
            "reason" => chosen.reason = Some(value),
            "account" => chosen.account = Some(value),
            other => {
                let why = format!("rejects are chosen by reason and account, not by {other}");
                return Err(Problem::malformed(why).with("field", other));
            }
        }
    }
    let found = apart(move || rejects::all(&*site.log, &site.topics)).await?.map_err(problem)?;
    let mut found = found.iter().filter(|reject| chosen.takes(reject)).map(rejects::shown);
    let some: Vec<Value> = found.by_ref().take(LISTED_MAX).collect();
    Ok(said(&json!({ "rejects": some, "more": found.next().is_some() })))
}

/// Sends rejects again as they are.
pub(super) async fn replay(
    State(site): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    only_the_operator(&asker(&site, &Method::POST, &headers).await?, "rejects")?;
    let chosen: Chosen = read(&body)?;
    let done = at_desk(site, move |desk| desk.replay(&chosen)).await?;
    Ok(said(&json!(done)))
}

/// Changes a reject and sends it.
pub(super) async fn mend(
    State(site): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    only_the_operator(&asker(&site, &Method::POST, &headers).await?, "rejects")?;
    let mending: Mending = read(&body)?;
    let name = mending.reject.clone();
    at_desk(site, move |desk| desk.mend(&mending)).await?;
    Ok(said(&json!({ "reject": name, "status": "sent" })))
}

async fn at_desk<T: Send + 'static>(
    site: Shared,
    work: impl FnOnce(&Desk<'_>) -> Result<T, NotSent> + Send + 'static,
) -> Result<T, Problem> {
    let Some(secret) = site.options.secret.clone() else {
        return Err(Problem::not_found("no rejects are sent from here"));
    };
    let done = apart(move || {
        let (log, topics, now) = (&*site.log, &site.topics, site.clock.now());
        work(&Desk { log, topics, secret: &secret, now })
    });
    done.await?.map_err(problem)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::malformed(format!("the body cannot be read: {error}")))
}

fn problem(error: NotSent) -> Problem {
    match error {
        NotSent::Unknown(_) => Problem::not_found(error.to_string()),
        NotSent::Malformed(_) => Problem::malformed(error.to_string()),
        NotSent::Unreadable(_) | NotSent::Log(_) => Problem::unavailable(error.to_string()),
    }
}

fn said(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
