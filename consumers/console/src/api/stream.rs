//! `GET /v1/stream/{view}/{id}`: rows as they come, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    let (revocations, asked_at) = (site.feed.revocations(), Instant::now());
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
    let watching = Watching { site, headers, view, id, watch, asked_at, revocations };
    Ok(Sse::new(events(first, watching)).keep_alive(alive).into_response())
}

/// What somebody may see is asked again before a row is told, if it was asked so long ago.
const PERMITTED_FOR: Duration = Duration::from_secs(10);

/// Somebody who watches a view.
struct Watching {
    site: Shared,
    /// Who they say they are.
    headers: HeaderMap,
    view: &'static str,
    id: String,
    watch: Watch,
    /// When it was last asked whether they may.
    asked_at: Instant,
    /// How many revocations of keys had been heard of before.
    revocations: u64,
}

impl Watching {
    /// Whether they still may: a key or a role may have been taken from them since.
    async fn still_may(&mut self) -> Result<(), Problem> {
        let (revocations, now) = (self.site.feed.revocations(), Instant::now());
        if self.revocations == revocations && now.duration_since(self.asked_at) < PERMITTED_FOR {
            return Ok(());
        }
        let who = asker(&self.site, &Method::GET, &self.headers).await?;
        may_see(&self.site, &who, self.view, Over::row(self.view, &self.id)).await?;
        (self.revocations, self.asked_at) = (revocations, now);
        Ok(())
    }
}

enum Stage {
    First(Shown, Watching),
    Following(Watching),
    Ended,
}

fn events(
    first: Option<Shown>,
    watching: Watching,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let view = watching.view;
    let begin = match first {
        Some(first) => Stage::First(first, watching),
        None => Stage::Following(watching),
    };
    let event = move |row: Arc<str>| Event::default().event(view).data(&*row);
    let end = |why: &str| Some((Ok(Event::default().event("end").data(why)), Stage::Ended));
    stream::unfold(begin, move |stage| async move {
        match stage {
            Stage::First(row, watching) => Some((Ok(event(row)), Stage::Following(watching))),
            Stage::Following(mut watching) => match watching.watch.rows.recv().await {
                Some(row) => match watching.still_may().await {
                    Ok(()) => Some((Ok(event(row)), Stage::Following(watching))),
                    Err(refused) => end(refused.detail()),
                },
                None => end(watching.watch.ended.get().copied().unwrap_or("it ended")),
            },
            Stage::Ended => None,
        }
    })
}
