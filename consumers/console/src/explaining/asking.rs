//! Questions to ClickHouse, and the reading of its rows.

use drawdown_domain::money::{Amount, Currency};
use serde_json::Value;

use crate::Row;
use crate::api::{Shared, problem};
use crate::lists::Query;
use crate::problem::Problem;
use crate::rows::Answer;

/// The rows that a question comes to. Its text is made by `write`, which binds the values in it.
pub(super) async fn ask(
    site: &Shared,
    write: impl FnOnce(&mut Query) -> String,
) -> Result<Vec<Row>, Problem> {
    let mut query = Query::default();
    query.text = write(&mut query);
    site.lists.asked(&query).await.map_err(problem)
}

/// The one row that a question comes to, if there is one.
pub(super) async fn ask_one(
    site: &Shared,
    write: impl FnOnce(&mut Query) -> String,
) -> Result<Option<Row>, Problem> {
    Ok(ask(site, write).await?.into_iter().next())
}

/// The currency of a billing account, as its ledger says; none: there is no such one.
pub(super) async fn currency(site: &Shared, wallet: &str) -> Result<Option<Currency>, Problem> {
    let row = match site.rows.ask("balance", wallet).await {
        Ok(Answer::Row(Value::Object(row))) => row,
        Ok(Answer::NotHere) => return Ok(None),
        Ok(Answer::Row(_) | Answer::NoSuchView(_)) => {
            return Err(Problem::unavailable("its ledger does not say how it stands"));
        }
        Err(why) => return Err(Problem::unavailable(why.to_string())),
    };
    let currency: Result<Currency, _> = row.text("currency")?.parse();
    Ok(Some(currency.map_err(|_| unreadable("currency", "it is no currency"))?))
}

fn unreadable(field: &str, why: &str) -> Problem {
    Problem::unavailable(format!("a row cannot be read: {field}: {why}"))
}

/// An instant as people read it: without a fraction that says nothing.
pub(super) fn short(instant: &str) -> String {
    instant.replace(".000000Z", "Z")
}

/// The fields of a row.
pub(super) trait Read {
    fn text(&self, field: &str) -> Result<String, Problem>;
    /// None: it is null or empty.
    fn optional(&self, field: &str) -> Option<String>;
    fn amount(&self, field: &str) -> Result<Amount, Problem>;
    fn number(&self, field: &str) -> Result<i64, Problem>;
    fn flag(&self, field: &str) -> Result<bool, Problem>;
    fn rows(&self, field: &str) -> Result<Vec<Row>, Problem>;
}

impl Read for Row {
    fn text(&self, field: &str) -> Result<String, Problem> {
        let text = self.get(field).and_then(|value| value.as_str());
        text.map(str::to_owned).ok_or_else(|| unreadable(field, "it is no text"))
    }

    fn optional(&self, field: &str) -> Option<String> {
        let text = self.get(field).and_then(|value| value.as_str());
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn amount(&self, field: &str) -> Result<Amount, Problem> {
        let text = self.text(field)?;
        text.parse().map_err(|_| unreadable(field, "it is no amount"))
    }

    fn number(&self, field: &str) -> Result<i64, Problem> {
        let number = self.get(field).and_then(|value| value.as_i64());
        number.ok_or_else(|| unreadable(field, "it is no number"))
    }

    fn flag(&self, field: &str) -> Result<bool, Problem> {
        match self.get(field) {
            Some(Value::Bool(flag)) => Ok(*flag),
            // A comparison is a number there.
            Some(Value::Number(number)) => Ok(number.as_i64() != Some(0)),
            _ => Err(unreadable(field, "it is no flag")),
        }
    }

    fn rows(&self, field: &str) -> Result<Vec<Row>, Problem> {
        let items = self.get(field).and_then(|value| value.as_array());
        let items = items.ok_or_else(|| unreadable(field, "it is no list"))?;
        let rows = items.iter().map(|item| item.as_object().cloned());
        rows.collect::<Option<_>>().ok_or_else(|| unreadable(field, "it is no list of rows"))
    }
}
