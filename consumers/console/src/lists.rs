//! Lists: from ClickHouse, over HTTP.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use drawdown_domain::vocabulary::{Field, Record, Shape};
use http_body_util::Full;
use serde_json::{Map, Value};

use crate::outside::{self, Away, escaped};
use crate::views::{List, View};

/// A row of a view.
pub type Row = Map<String, Value>;

/// Which rows of a view are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Fields and the values they must have.
    pub filters: Vec<(String, String)>,
    /// Only what stands behind this place in the order: the values of the fields that order the view.
    pub after: Option<Vec<String>>,
    pub rows_max: usize,
}

/// In which form a whole list is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Parquet,
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoList {
    #[error("{0}")]
    Malformed(String),
    #[error("lists cannot be read now: {0}")]
    Away(String),
    /// There is no ClickHouse where it should be.
    #[error("lists cannot be read now: ClickHouse at {address}: {why}")]
    Unreachable { address: String, why: String },
}

/// An answer that is still to come.
pub type Coming<'a, T> = Pin<Box<dyn Future<Output = Result<T, NoList>> + Send + 'a>>;

/// Whoever has the rows of list views.
pub trait Lists: Send + Sync + fmt::Debug {
    fn rows<'a>(
        &'a self,
        view: &'a View,
        list: &'a List,
        wanted: &'a Wanted,
    ) -> Coming<'a, Vec<Row>>;

    /// The rows as a file.
    fn export<'a>(
        &'a self,
        view: &'a View,
        list: &'a List,
        wanted: &'a Wanted,
        format: Format,
    ) -> Coming<'a, Body>;

    /// The rows that a question of our own comes to.
    fn asked<'a>(&'a self, query: &'a Query) -> Coming<'a, Vec<Row>>;
}

/// How to reach ClickHouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickHouse {
    /// Host and port of its HTTP interface.
    pub address: String,
    pub database: String,
    pub user: String,
    pub password: String,
    /// A query that takes longer is given up, by ClickHouse and by us.
    pub deadline: Duration,
}

const ANSWER_BYTES_MAX: usize = 64 << 20;
/// For the way there and back.
const DEADLINE_BEYOND: Duration = Duration::from_secs(2);

impl ClickHouse {
    /// Which installation fills the database; none: nobody has begun to.
    pub(crate) async fn owner(&self) -> Result<Option<String>, NoList> {
        let text = "SELECT installation FROM installation ORDER BY at, installation LIMIT 1";
        let query = Query { text: text.to_owned(), bound: Vec::new() };
        let rows = match self.ask(&query, "JSONEachRow").await {
            Ok(answer) => self.read(answer).await?,
            Err(NoList::Away(why)) if is_not_there(&why) => return Ok(None),
            Err(error) => return Err(error),
        };
        let owner = rows.first().and_then(|row| row.get("installation")?.as_str());
        Ok(owner.map(str::to_owned))
    }

    async fn read(
        &self,
        answer: axum::http::Response<hyper::body::Incoming>,
    ) -> Result<Vec<Row>, NoList> {
        let whole = outside::whole(answer, ANSWER_BYTES_MAX, self.deadline).await;
        let (_, body) = whole.map_err(|Away(why)| NoList::Away(why))?;
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let rows = lines.map(|line| {
            serde_json::from_slice(line).map_err(|error| {
                NoList::Away(format!("a row of ClickHouse's cannot be read: {error}"))
            })
        });
        rows.collect()
    }

    async fn ask(
        &self,
        query: &Query,
        format: &str,
    ) -> Result<axum::http::Response<hyper::body::Incoming>, NoList> {
        let mut path = format!(
            "/?database={}&max_execution_time={}&output_format_json_quote_decimals=1&output_format_json_quote_64bit_integers=0&date_time_output_format=iso",
            escaped(&self.database),
            self.deadline.as_secs().max(1),
        );
        for (number, (_, value)) in query.bound.iter().enumerate() {
            // A bound value is written as TSV would be.
            let value = value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
            path.push_str(&format!("&param_p{number}={}", escaped(&value)));
        }
        let text = format!("{} FORMAT {format}", query.text);
        let request = Request::post(path)
            .header("host", &self.address)
            .header("x-clickhouse-user", &self.user)
            .header("x-clickhouse-key", &self.password)
            .body(Full::from(text));
        let request = request.map_err(|error| NoList::Away(error.to_string()))?;
        let sent = outside::send(&self.address, request, self.deadline + DEADLINE_BEYOND).await;
        let counted = || metrics::counter!("drawdown_console_list_errors_total").increment(1);
        let away = |Away(why)| {
            counted();
            NoList::Away(format!("ClickHouse at {}: {why}", self.address))
        };
        let response = sent.map_err(|Away(why)| {
            counted();
            NoList::Unreachable { address: self.address.clone(), why }
        })?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let (status, body) =
            outside::whole(response, ANSWER_BYTES_MAX, self.deadline).await.map_err(away)?;
        let said = String::from_utf8_lossy(&body);
        let said = said.lines().next().unwrap_or_default();
        match status {
            // What cannot be read as the type it is compared with.
            StatusCode::BAD_REQUEST if is_about_a_value(said) => {
                Err(NoList::Malformed(said.to_owned()))
            }
            _ => Err(away(Away(format!("{status}: {said}")))),
        }
    }
}

/// ClickHouse's codes for a table or database that is not there.
fn is_not_there(said: &str) -> bool {
    said.contains("Code: 60.") || said.contains("Code: 81.")
}

/// The codes of ClickHouse for texts that are no numbers, dates or the like.
fn is_about_a_value(said: &str) -> bool {
    ["Code: 6.", "Code: 27.", "Code: 38.", "Code: 41.", "Code: 53.", "Code: 72.", "Code: 457."]
        .iter()
        .any(|code| said.starts_with(code))
}

impl Lists for ClickHouse {
    fn rows<'a>(
        &'a self,
        view: &'a View,
        list: &'a List,
        wanted: &'a Wanted,
    ) -> Coming<'a, Vec<Row>> {
        Box::pin(async move {
            let query = Query::new(view, list, wanted)?;
            let answer = self.ask(&query, "JSONEachRow").await?;
            self.read(answer).await
        })
    }

    fn export<'a>(
        &'a self,
        view: &'a View,
        list: &'a List,
        wanted: &'a Wanted,
        format: Format,
    ) -> Coming<'a, Body> {
        Box::pin(async move {
            let query = Query::new(view, list, wanted)?;
            let format = match format {
                Format::Csv => "CSVWithNames",
                Format::Parquet => "Parquet",
            };
            Ok(Body::new(self.ask(&query, format).await?.into_body()))
        })
    }

    fn asked<'a>(&'a self, query: &'a Query) -> Coming<'a, Vec<Row>> {
        Box::pin(async move { self.read(self.ask(query, "JSONEachRow").await?).await })
    }
}

/// A query with its values apart: nothing that anybody sent stands in its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub(crate) text: String,
    /// Type and value of each parameter.
    bound: Vec<(&'static str, String)>,
}

impl Query {
    fn new(view: &View, list: &List, wanted: &Wanted) -> Result<Query, NoList> {
        let record = (view.record)();
        // Names come from our own declarations, never from outside.
        let field = |name: &str| field_of(view, &record, name).map_err(NoList::Malformed);
        let mut query = Query { text: String::new(), bound: Vec::new() };
        let mut conditions = Vec::new();
        for (name, value) in &wanted.filters {
            let field = filtered(view, &record, name, value).map_err(NoList::Malformed)?;
            let kind = kind_of(&field.shape).ok_or_else(|| {
                NoList::Malformed(format!("{} cannot be filtered by {name}", view.name))
            })?;
            conditions.push(format!("`{}` = {}", field.name, query.bind(kind, value)));
        }
        if let Some(after) = &wanted.after {
            if after.len() != list.order.len() {
                return Err(NoList::Malformed("the cursor is of another list".to_owned()));
            }
            let mut places = Vec::new();
            for (name, value) in list.order.iter().zip(after) {
                places.push(query.bind(kind_of(&field(name)?.shape).unwrap_or("String"), value));
            }
            let sign = if list.descending { "<" } else { ">" };
            conditions.push(format!("({}) {sign} ({})", names(list.order, ""), places.join(", ")));
        }
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let direction = if list.descending { " DESC" } else { " ASC" };
        query.text = format!(
            "SELECT {} FROM {}{filter} ORDER BY {} LIMIT {}",
            // What else a table has is none of the view's.
            names(&record.fields.iter().map(|field| field.name).collect::<Vec<_>>(), ""),
            list.from,
            names(list.order, direction),
            wanted.rows_max
        );
        Ok(query)
    }

    /// What stands in the text for a value.
    pub(crate) fn bind(&mut self, kind: &'static str, value: &str) -> String {
        let number = self.bound.len();
        self.bound.push((kind, value.to_owned()));
        match kind {
            // A parameter of that type would not take RFC 3339.
            INSTANT => format!("parseDateTime64BestEffort({{p{number}:String}}, 6, 'UTC')"),
            kind => format!("{{p{number}:{kind}}}"),
        }
    }
}

fn field_of<'a>(view: &View, record: &'a Record, name: &str) -> Result<&'a Field, String> {
    record.fields.iter().find(|field| field.name == name).ok_or_else(|| {
        let known: Vec<&str> = record.fields.iter().map(|field| field.name).collect();
        format!("{} has no field {name}; there are {}", view.name, known.join(", "))
    })
}

/// The field by which rows are picked.
pub(crate) fn filtered<'a>(
    view: &View,
    record: &'a Record,
    name: &str,
    value: &str,
) -> Result<&'a Field, String> {
    let field = field_of(view, record, name)?;
    can_be(view, field, value).map(|()| field)
}

/// Refuses a value that a field never has: it would find nothing, which looks like an answer.
pub fn can_be(view: &View, field: &Field, value: &str) -> Result<(), String> {
    let (shape, can_lack) = match &field.shape {
        Shape::Optional(inner) => (&**inner, true),
        shape => (shape, false),
    };
    match shape {
        Shape::Symbol { symbols, .. } if !symbols.contains(&value) => match value {
            "" if can_lack => Ok(()),
            _ => {
                let (field, symbols) = (field.name, symbols.join(", "));
                Err(format!("{field} of {} is never {value}; it is {symbols}", view.name))
            }
        },
        _ => Ok(()),
    }
}

fn names(fields: &[&str], direction: &str) -> String {
    let names: Vec<String> = fields.iter().map(|field| format!("`{field}`{direction}")).collect();
    names.join(", ")
}

pub(crate) const TEXT: &str = "String";
pub(crate) const MONEY: &str = "Decimal(38, 12)";
pub(crate) const INSTANT: &str = "DateTime64(6, 'UTC')";

/// As which type a value is compared with a field; none if it cannot be.
fn kind_of(shape: &Shape) -> Option<&'static str> {
    match shape {
        Shape::Flag => Some("Bool"),
        Shape::Number("month") => Some("String"),
        Shape::Number(_) => Some("Int64"),
        Shape::Instant => Some(INSTANT),
        Shape::Decimal => Some(MONEY),
        Shape::Text(_) | Shape::Symbol { .. } => Some("String"),
        Shape::Optional(inner) => kind_of(inner),
        Shape::Bytes | Shape::List(_) | Shape::Map(_) | Shape::Record(_) | Shape::OneOf { .. } => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{Source, named};

    fn query(view: &str, wanted: &Wanted) -> Result<Query, NoList> {
        let view = named(view).unwrap();
        let Source::List(list) = view.source else { panic!("{view:?}") };
        Query::new(view, &list, wanted)
    }

    #[test]
    fn what_is_asked_for_is_bound_and_never_pasted() {
        let evil = "x' OR 1 = 1 --";
        let wanted = Wanted {
            filters: vec![("billing_account".to_owned(), evil.to_owned())],
            after: Some(vec!["2026-03-01T00:00:00Z".to_owned(), "ba".to_owned(), "7".to_owned()]),
            rows_max: 11,
        };
        let found = query("entries", &wanted).unwrap();
        assert_eq!(
            found.text,
            "SELECT `billing_account`, `number`, `at`, `asset`, `lot`, `before`, `amount`, `after`, `cause`, `bill`, `remark` FROM entries WHERE `billing_account` = {p0:String} AND (`at`, `billing_account`, `number`) < (parseDateTime64BestEffort({p1:String}, 6, 'UTC'), {p2:String}, {p3:Int64}) ORDER BY `at` DESC, `billing_account` DESC, `number` DESC LIMIT 11"
        );
        assert_eq!(found.bound[0].1, evil);
    }

    #[test]
    fn fields_that_are_not_there_are_named() {
        let wanted = |field: &str| Wanted {
            filters: vec![(field.to_owned(), "1".to_owned())],
            after: None,
            rows_max: 1,
        };
        for (view, field) in [("entries", "colour"), ("entries", "1; DROP"), ("invoices", "lines")]
        {
            let Err(NoList::Malformed(why)) = query(view, &wanted(field)) else {
                panic!("{field}")
            };
            assert!(why.contains(field), "{why}");
        }
        for (view, filter, why) in [
            (
                "bills",
                ("status", "foo"),
                "status of bills is never foo; it is unpaid, partly_paid, paid",
            ),
            (
                "payments",
                ("status", "Paid"),
                "status of payments is never Paid; it is pending, delayed, succeeded, declined",
            ),
        ] {
            let filters = vec![(filter.0.to_owned(), filter.1.to_owned())];
            let wanted = Wanted { filters, after: None, rows_max: 1 };
            assert_eq!(query(view, &wanted), Err(NoList::Malformed(why.to_owned())));
        }
        let short = Wanted { after: Some(vec![String::new()]), ..Wanted::default() };
        assert!(matches!(query("entries", &short), Err(NoList::Malformed(_))));
    }
}
