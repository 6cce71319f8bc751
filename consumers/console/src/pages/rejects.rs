//! Usage that could not be used, the latest first, with what was wrong with it.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;

use super::table::{Column, Kind, Table, column, extra};
use super::{NoPage, NoRows, look, shown};
use crate::Row;
use crate::api::{Shared, apart};
use crate::rejects;

/// So many are listed; `drawdown rejects list` has all.
const LISTED_MAX: usize = 200;

const REJECTS: &[Column] = &[
    column("at", "Time", Kind::Time),
    column("reason", "Reason", Kind::Words),
    column("detail", "What was wrong", Kind::Phrase),
    extra("account", "Account", Kind::Text),
    extra("usage", "Record", Kind::Long),
    extra("reject", "Reject", Kind::Text),
];

#[derive(Template)]
#[template(path = "rejects.html")]
struct Page {
    here: &'static str,
    rejects: Table,
}

pub(super) async fn rejects(
    State(site): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look(&site, &headers, "rejects").await?;
    let found = apart(move || latest(&site)).await?;
    let empty = "All usage that came could be used.";
    let rejects = Table::new("rejects", "Rejects", empty, REJECTS, found);
    Ok(shown(&Page { here: "rejects", rejects }))
}

fn latest(site: &Shared) -> Result<Vec<Row>, NoRows> {
    let all = rejects::all(&*site.log, &site.topics);
    let mut all = all.map_err(|error| NoRows::Refused(error.to_string()))?;
    all.sort_by_key(|reject| std::cmp::Reverse(reject.at));
    all.truncate(LISTED_MAX);
    let row = |shown: Value| match shown {
        Value::Object(mut row) => {
            row.insert("usage".to_owned(), in_short(row.get("record")).into());
            Some(row)
        }
        _ => None,
    };
    Ok(all.iter().filter_map(|reject| row(rejects::shown(reject))).collect())
}

/// What a record says, in a line: `compute vcpu_hours 1, u1 of meter`.
fn in_short(record: Option<&Value>) -> String {
    let field = |name: &str| Some(record?.get(name)?.as_str()?.to_owned());
    let used = ["product", "meter", "quantity"].into_iter().filter_map(field);
    let used = used.collect::<Vec<_>>().join(" ");
    let id = field("id").zip(field("source")).map(|(id, source)| format!("{id} of {source}"));
    [Some(used), id]
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}
