//! `GET /v1/stream/{view}/{id}`: rows as they come, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};

use super::{ALIVE_EVERY, Shared, asker, row};
use crate::feed::{Shown, WATCHED, Watch};
use crate::permits::{Over, may_see};
use crate::problem::Problem;
use crate::views::{Source, named};

/// A view that a ledger keeps begins with the row as it is now; then rows follow, as the view's name says.
pub(super) async fn stream(
    State(site): State<Shared>,
    Path((name, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let who = asker(&site, &Method::GET, &headers).await?;
    let Some((view, _)) = WATCHED.iter().find(|(view, _)| *view == name) else {
        let known: Vec<&str> = WATCHED.iter().map(|(view, _)| *view).collect();
        let detail = format!("{name} cannot be watched; there are {}", known.join(", "));
        return Err(Problem::not_found(detail));
    };
    may_see(&site, &who, view, Over::row(view, &id)).await?;
    let too_many = || Problem::busy("too many watch, or the server stops");
    // First watched, then read: what happens in between is shown twice rather than never.
    let watch = site.feed.watch(view, &id).ok_or_else(too_many)?;
    let first = match named(view).filter(|view| view.source == Source::Ledger) {
        Some(view) => Some(Shown::from(row(&site, view, &id).await?.to_string())),
        None => None,
    };
    let alive = KeepAlive::new().interval(ALIVE_EVERY);
    Ok(Sse::new(events(view, first, watch)).keep_alive(alive).into_response())
}

enum Stage {
    First(Shown, Watch),
    Following(Watch),
    Ended,
}

fn events(
    view: &'static str,
    first: Option<Shown>,
    watch: Watch,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let begin = match first {
        Some(first) => Stage::First(first, watch),
        None => Stage::Following(watch),
    };
    let event = move |row: Arc<str>| Event::default().event(view).data(&*row);
    stream::unfold(begin, move |stage| async move {
        match stage {
            Stage::First(row, watch) => Some((Ok(event(row)), Stage::Following(watch))),
            Stage::Following(mut watch) => match watch.rows.recv().await {
                Some(row) => Some((Ok(event(row)), Stage::Following(watch))),
                None => {
                    let why = watch.ended.get().copied().unwrap_or("it ended");
                    Some((Ok(Event::default().event("end").data(why)), Stage::Ended))
                }
            },
            Stage::Ended => None,
        }
    })
}
