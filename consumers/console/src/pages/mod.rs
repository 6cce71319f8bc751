//! The pages: made here from rows, and kept live by a little script. Without rows they say why.

mod account;
mod charts;
mod docs;
mod explain;
mod in_force;
mod letters;
mod markup;
mod money;
mod overview;
mod payments;
mod rejects;
mod send;
mod table;
mod wallet;

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use markup::marked;
use table::NOT_KNOWN;

use crate::Row;
use crate::api::{Shared, asker, page, rows_of};
use crate::keys::KEY_COOKIE;
use crate::keys::holder;
use crate::permits::{Over, may_see, only_the_operator};
use crate::problem::Problem;
use crate::views::{Source, named};

pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(overview::overview))
        .route("/accounts/{id}", get(wallet::wallet))
        .route("/accounts/{id}/{tab}", get(account::tab))
        .route("/explain/{id}", get(explain::page))
        .route("/mail", get(letters::letters))
        .route("/mail/{file}", get(letters::letter))
        .route("/mail/{file}/html", get(letters::html))
        .route("/prices", get(in_force::in_force))
        .route("/rejects", get(rejects::rejects))
        .route("/now", get(now))
        .route("/send", get(send::form).post(send::form))
        .route("/send/usage", axum::routing::post(send::usage))
        .route("/docs", get(docs::docs))
        .route("/login", get(login_form).post(login))
        .route("/assets/app.css", get(|| asset("text/css; charset=utf-8", CSS)))
        .route("/assets/app.js", get(|| asset("text/javascript; charset=utf-8", JS)))
        .route("/assets/mark.svg", get(|| asset("image/svg+xml", MARK)))
}

const CSS: &str = include_str!("../../assets/app.css");
const JS: &str = include_str!("../../assets/app.js");
const MARK: &str = include_str!("../../assets/mark.svg");

async fn asset(kind: &'static str, content: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], content).into_response()
}

/// A page that cannot be shown.
pub(super) enum NoPage {
    LogIn,
    Wrong(Problem),
}

impl From<Problem> for NoPage {
    fn from(problem: Problem) -> NoPage {
        match problem.status() {
            StatusCode::UNAUTHORIZED => NoPage::LogIn,
            _ => NoPage::Wrong(problem),
        }
    }
}

impl IntoResponse for NoPage {
    fn into_response(self) -> Response {
        match self {
            NoPage::LogIn => see_other("/login"),
            NoPage::Wrong(problem) => {
                let status = problem.status();
                let title = status.canonical_reason().unwrap_or("Error").to_owned();
                let why = match NoRows::from(problem) {
                    NoRows::Away(why) | NoRows::Refused(why) => marked(&why),
                };
                (status, shown(&Wrong { here: "", title, why })).into_response()
            }
        }
    }
}

/// The time by which everything here happens: on a demonstration's clock it is not the day's.
async fn now(State(site): State<Shared>) -> Response {
    let now = json!({ "now": site.clock.now(), "is_real": site.clock.is_real() });
    ([(CONTENT_TYPE, "application/json")], now.to_string()).into_response()
}

/// Whether a browser opens a page: it prefers one to a document for programs.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// By which address the caller reached us.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}

/// A problem as a page.
pub(crate) fn page_of(problem: Problem) -> Response {
    NoPage::Wrong(problem).into_response()
}

#[derive(Template)]
#[template(path = "wrong.html")]
struct Wrong {
    here: &'static str,
    title: String,
    /// As HTML.
    why: String,
}

pub(super) fn shown(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn see_other(place: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response()
}

/// For pages that show what concerns everybody.
pub(super) async fn look(site: &Shared, headers: &HeaderMap, what: &str) -> Result<(), NoPage> {
    let who = asker(site, &Method::GET, headers).await?;
    only_the_operator(&who, what)?;
    Ok(())
}

/// For the pages of one billing account, which show all of it.
pub(super) async fn look_at(site: &Shared, headers: &HeaderMap, id: &str) -> Result<(), NoPage> {
    let who = asker(site, &Method::GET, headers).await?;
    may_see(site, &who, "billing_account", Over::row("billing_account", id)).await?;
    Ok(())
}

/// Why there are no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoRows {
    /// No list can be read now: a page says so once.
    Away(String),
    Refused(String),
}

impl NoRows {
    /// What is said where the rows would stand.
    pub(super) fn beside_banner(&self) -> &str {
        match self {
            NoRows::Away(_) => NOT_KNOWN,
            NoRows::Refused(why) => why,
        }
    }

    /// What the page says once.
    pub(super) fn banner(&self) -> Option<String> {
        match self {
            NoRows::Away(why) => Some(marked(why)),
            NoRows::Refused(_) => None,
        }
    }
}

impl From<Problem> for NoRows {
    fn from(problem: Problem) -> NoRows {
        match problem.help().filter(|_| problem.status() == StatusCode::SERVICE_UNAVAILABLE) {
            Some(help) => NoRows::Away(help.to_owned()),
            None => NoRows::Refused(problem.detail().to_owned()),
        }
    }
}

/// Rows of a list view, or why there are none.
pub(super) async fn rows(
    site: &Shared,
    headers: &HeaderMap,
    view: &str,
    query: &[(&str, &str)],
) -> Result<Vec<Row>, NoRows> {
    let view = named(view).ok_or_else(|| NoRows::Refused(format!("there is no view {view}")))?;
    let Source::List(list) = &view.source else {
        return Err(NoRows::Refused(format!("{} is no list", view.name)));
    };
    let query: Vec<(String, String)> =
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(page(site, view, list, &query, headers).await?.rows)
}

/// All rows of a view that whoever asks for it gets at once.
pub(super) async fn everywhere(site: &Shared, view: &str) -> Result<Vec<Row>, NoRows> {
    let view = named(view).ok_or_else(|| NoRows::Refused(format!("there is no view {view}")))?;
    Ok(rows_of(site, view).await?)
}

#[derive(Template)]
#[template(path = "login.html")]
struct LogIn {
    here: &'static str,
    wrong: bool,
}

async fn login_form() -> Response {
    shown(&LogIn { here: "login", wrong: false })
}

#[derive(Deserialize)]
struct Given {
    key: String,
}

async fn login(State(site): State<Shared>, Form(Given { key }): Form<Given>) -> Response {
    let holder = match holder(&site, &key).await {
        Ok(holder) => holder,
        Err(problem) => return NoPage::Wrong(problem).into_response(),
    };
    if holder.is_none() {
        return (StatusCode::UNAUTHORIZED, shown(&LogIn { here: "login", wrong: true }))
            .into_response();
    }
    let fits =
        key.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b';' | b',' | b'"' | b'\\'));
    if !fits {
        let why = "a key with such characters cannot be kept by a browser; use the API with it";
        return NoPage::Wrong(Problem::malformed(why)).into_response();
    }
    let cookie = format!("{KEY_COOKIE}={key}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200");
    ([(SET_COOKIE, cookie)], see_other("/")).into_response()
}

#[cfg(test)]
mod testing {
    use serde_json::Value;

    use crate::Row;

    pub(super) fn row(fields: Value) -> Row {
        let Value::Object(row) = fields else { panic!("{fields}") };
        row
    }
}
