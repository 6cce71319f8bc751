//! `GET /v1/show/{view}` and `/v1/show/{view}/{id}`: rows and lists.

use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use drawdown_domain::ids::PrincipalId;
use drawdown_wire::topics::Topic;
use serde_json::{Value, json};

use super::{POSITION, Shared, apart, asker};
use crate::keys::cookie;
use crate::lists::{Format, NoList, filtered};
use crate::permits::{Over, may_see, only_the_operator};
use crate::position::Position;
use crate::problem::Problem;
use crate::rows::Answer;
use crate::views::{self, List, Source, View, named};
use crate::{Row, Wanted};

const ROWS: usize = 100;
const ROWS_MAX: usize = 1_000;
const EXPORTED_ROWS_MAX: usize = 1_000_000;

pub(super) async fn show(
    State(site): State<Shared>,
    Path((name, id)): Path<(String, String)>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let who = asker(&site, &Method::GET, &headers).await?;
    let view = known(&name)?;
    if view.source == Source::Everywhere {
        let why = format!("no {name} is called {id}: they come all at once, /v1/show/{name}");
        return Err(Problem::not_found(why));
    }
    let Source::List(list) = &view.source else {
        may_see(&site, &who, view.name, Over::row(view.name, &id)).await?;
        if let Some((field, _)) = query.first() {
            let detail = format!("{name} is one row and takes no {field}");
            return Err(Problem::malformed(detail).with("field", field.as_str()));
        }
        return Ok(json(&row(&site, view, &id).await?));
    };
    if name == "commands" {
        return one_command(&site, &who, view, list, &id).await;
    }
    let mut query = query;
    query.push((list.of.to_owned(), id));
    may_see(&site, &who, view.name, Over::rows(&query)).await?;
    listed(&site, view, list, &query, &headers).await
}

pub(super) async fn list(
    State(site): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let who = asker(&site, &Method::GET, &headers).await?;
    let view = known(&name)?;
    if view.source == Source::Everywhere {
        only_the_operator(&who, view.name)?;
        return everywhere(&site, view, &query).await;
    }
    let own = |(name, value): &(String, String)| name == "principal" && value == who.as_str();
    // Everybody sees what he asked for himself.
    if view.name != "commands" || !query.iter().any(own) {
        may_see(&site, &who, view.name, Over::rows(&query)).await?;
    }
    match &view.source {
        Source::List(list) => listed(&site, view, list, &query, &headers).await,
        Source::Ledger | Source::Everywhere => {
            Err(Problem::malformed(format!("{name} is of one thing: /v1/show/{name}/<id>")))
        }
    }
}

/// Rows that every ledger has, all on one page.
async fn everywhere(
    site: &Shared,
    view: &View,
    query: &[(String, String)],
) -> Result<Response, Problem> {
    let wanted = wanted(query)?;
    let record = (view.record)();
    for (name, value) in &wanted.filters {
        filtered(view, &record, name, value)
            .map_err(|why| Problem::malformed(why).with("field", name.as_str()))?;
    }
    if query.iter().any(|(name, value)| name == "format" && value != "json") {
        return Err(Problem::malformed("it comes as JSON only").with("field", "format"));
    }
    let mut rows = rows_of(site, view).await?;
    rows.retain(|row| {
        wanted.filters.iter().all(|(name, value)| match row.get(name) {
            Some(Value::String(text)) => text == value,
            Some(other) => serde_json::from_str::<Value>(value).is_ok_and(|asked| asked == *other),
            None => false,
        })
    });
    Ok(json(&json!({ "rows": rows, "next": null })))
}

/// All rows of a view that every ledger has.
pub(crate) async fn rows_of(site: &Shared, view: &View) -> Result<Vec<Row>, Problem> {
    match row(site, view, "all").await? {
        Value::Array(rows) => Ok(rows
            .into_iter()
            .filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None })
            .collect()),
        other => Err(Problem::unavailable(format!("{other} are no rows"))),
    }
}

fn known(name: &str) -> Result<&'static View, Problem> {
    named(name).ok_or_else(|| {
        let known: Vec<&str> = views::ALL.iter().map(|view| view.name).collect();
        Problem::not_found(format!("there is no view {name}; there are {}", known.join(", ")))
    })
}

/// The row of a view that a ledger keeps.
pub(crate) async fn row(site: &Shared, view: &View, id: &str) -> Result<Value, Problem> {
    match site.rows.ask(view.name, id).await {
        Ok(Answer::Row(row)) => Ok(row),
        Ok(Answer::NotHere) => Err(Problem::not_found(format!("no {} is called {id}", view.name))),
        Ok(Answer::NoSuchView(why)) => Err(Problem::not_found(why)),
        Err(why) => Err(Problem::unavailable(why.to_string())),
    }
}

/// A command's outcome, soon after it was decided and for ever.
async fn one_command(
    site: &Shared,
    who: &PrincipalId,
    view: &View,
    list: &List,
    id: &str,
) -> Result<Response, Problem> {
    let number: u64 = id.parse().map_err(|_| {
        Problem::malformed(format!("{id} is no number of a command")).with("field", "command")
    })?;
    // Everybody sees what became of his own.
    let own = |principal: Option<&str>| principal == Some(who.as_str());
    if let Some(decided) = site.feed.lately(number) {
        if !own(Some(decided.outcome.principal.as_str())) {
            may_see(site, who, view.name, Over::All).await?;
        }
        return Ok(json(&serde_json::to_value(decided.outcome).unwrap_or_default()));
    }
    let filters = vec![(list.of.to_owned(), number.to_string())];
    let wanted = Wanted { filters, after: None, rows_max: 1 };
    let found = site.lists.rows(view, list, &wanted).await.map_err(problem)?;
    match found.into_iter().next() {
        Some(row) => {
            if !own(row.get("principal").and_then(Value::as_str)) {
                may_see(site, who, view.name, Over::All).await?;
            }
            Ok(json(&Value::Object(row)))
        }
        None => Err(Problem::not_found(format!("command {number} is not decided, or not known"))),
    }
}

/// Some rows of a list, and the cursor of those behind them.
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    pub(crate) next: Option<String>,
}

/// The rows of a list that a query asks for.
pub(crate) async fn page(
    site: &Shared,
    view: &View,
    list: &List,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Page, Problem> {
    let mut wanted = wanted(query)?;
    wait_for_lists(site, list.topic, headers).await?;
    let rows_max = wanted.rows_max;
    wanted.rows_max = rows_max.saturating_add(1);
    let mut rows = site.lists.rows(view, list, &wanted).await.map_err(problem)?;
    let more = rows.len() > rows_max;
    rows.truncate(rows_max);
    let last = rows.last().filter(|_| more);
    Ok(Page { next: last.map(|row| cursor_behind(list, row)), rows })
}

async fn listed(
    site: &Shared,
    view: &View,
    list: &List,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let format = query.iter().find(|(name, _)| name == "format").map(|(_, value)| value.as_str());
    let (format, kind) = match format {
        None | Some("json") => {
            let Page { rows, next } = page(site, view, list, query, headers).await?;
            return Ok(json(&json!({ "rows": rows, "next": next })));
        }
        Some("csv") => (Format::Csv, "text/csv; charset=utf-8"),
        Some("parquet") => (Format::Parquet, "application/vnd.apache.parquet"),
        Some(other) => {
            let detail = format!("format is {other}; it can be json, csv or parquet");
            return Err(Problem::malformed(detail).with("field", "format"));
        }
    };
    let mut wanted = wanted(query)?;
    if !query.iter().any(|(name, _)| name == "limit") {
        wanted.rows_max = EXPORTED_ROWS_MAX;
    }
    wait_for_lists(site, list.topic, headers).await?;
    let body = site.lists.export(view, list, &wanted, format).await.map_err(problem)?;
    let ending = if format == Format::Csv { "csv" } else { "parquet" };
    let name = format!("attachment; filename=\"{}.{ending}\"", view.name);
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, body).into_response())
}

fn wanted(query: &[(String, String)]) -> Result<Wanted, Problem> {
    let mut wanted = Wanted { filters: Vec::new(), after: None, rows_max: ROWS };
    for (name, value) in query {
        match name.as_str() {
            "format" => {}
            "limit" => {
                let rows = value.parse().ok().filter(|rows| (1..=ROWS_MAX).contains(rows));
                wanted.rows_max = rows.ok_or_else(|| {
                    Problem::malformed(format!("limit is a number from 1 to {ROWS_MAX}"))
                        .with("field", "limit")
                })?;
            }
            "cursor" => {
                let after = after(value);
                wanted.after = Some(after.ok_or_else(|| {
                    Problem::malformed("the cursor is none that was given out")
                        .with("field", "cursor")
                })?);
            }
            _ => wanted.filters.push((name.clone(), value.clone())),
        }
    }
    Ok(wanted)
}

/// The place behind a row: the values by which the list is ordered, as one word.
fn cursor_behind(list: &List, row: &Row) -> String {
    let values = list.order.iter().map(|field| match row.get(*field) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    });
    let values: Vec<String> = values.collect();
    let json = serde_json::to_vec(&values).unwrap_or_default();
    json.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn after(cursor: &str) -> Option<Vec<String>> {
    if !cursor.is_ascii() || !cursor.len().is_multiple_of(2) {
        return None;
    }
    let bytes = (0..cursor.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(cursor.get(place..place.checked_add(2)?)?, 16).ok());
    serde_json::from_slice(&bytes.collect::<Option<Vec<u8>>>()?).ok()
}

/// A read sees the caller's own last accepted command: lists are waited for.
pub(super) async fn wait_for_lists(
    site: &Shared,
    topic: Topic,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let Some(group) = site.options.lists_group.clone() else { return Ok(()) };
    let header = headers.get(&POSITION).and_then(|token| token.to_str().ok());
    let token = header.or_else(|| cookie(headers, "drawdown-position"));
    let Some(position) = token.and_then(Position::parse) else { return Ok(()) };
    let site = site.clone();
    let waited = apart(move || {
        let within = site.options.lists_wait;
        site.reached.wait(&*site.log, &site.topics, &group, topic, &position, within)
    });
    match waited.await? {
        Ok(true) => Ok(()),
        Ok(false) => Err(Problem::unavailable(
            "the list does not show your last command yet; ask again, or without drawdown-position",
        )),
        Err(error) => Err(Problem::unavailable(format!("the log does not answer: {error}"))),
    }
}

pub(crate) fn problem(error: NoList) -> Problem {
    match error {
        NoList::Malformed(why) => Problem::malformed(why),
        NoList::Away(_) => {
            let why = error.to_string();
            Problem::unavailable(why.as_str()).with("help", why)
        }
        NoList::Unreachable { ref address, .. } => {
            let help = format!(
                "Lists need ClickHouse at {address}, which does not answer: `drawdown clickhouse` runs one, and `drawdown worker analytics` fills it."
            );
            Problem::unavailable(error.to_string()).with("help", help)
        }
    }
}

fn json(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let Some(View { source: Source::List(list), .. }) = named("bills") else { panic!() };
        let Value::Object(row) = json!({ "issued_at": "2026-03-01T01:00:00Z", "bill": "b-ä\"1" })
        else {
            panic!()
        };
        let cursor = cursor_behind(list, &row);
        let expected = vec!["2026-03-01T01:00:00Z".to_owned(), "b-ä\"1".to_owned()];
        assert_eq!(after(&cursor), Some(expected));
        for wrong in ["x", "zz", "5b", "é"] {
            assert_eq!(after(wrong), None, "{wrong}");
        }
    }
}
