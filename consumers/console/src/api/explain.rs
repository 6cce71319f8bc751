//! `GET /v1/explain/{id}`: where an amount comes from (R13.4).

use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use drawdown_wire::topics::Topic;
use serde_json::json;

use super::show::wait_for_lists;
use super::{Shared, asker};
use crate::explaining;
use crate::problem::Problem;

/// So many usage records are listed of each part unless told otherwise.
const RECORDS: usize = 10;
pub(crate) const RECORDS_MAX: usize = 1_000;

/// What is read of the lists.
const READ: [Topic; 7] = [
    Topic::Entries,
    Topic::Bills,
    Topic::Payments,
    Topic::PaymentRequests,
    Topic::Charges,
    Topic::Invoices,
    Topic::Outcomes,
];

pub(super) async fn explain(
    State(site): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let who = asker(&site, &Method::GET, &headers).await?;
    let records_max = records(&query)?;
    for topic in READ {
        wait_for_lists(&site, topic, &headers).await?;
    }
    let explained = explaining::explain(&site, &who, &id, records_max).await?;
    let (sums, wrong) = explained.tried();
    let answer = json!({ "id": id, "sums": sums, "sums_wrong": wrong, "explained": explained });
    Ok(([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response())
}

/// How many records of each part are asked for.
pub(crate) fn records(query: &[(String, String)]) -> Result<usize, Problem> {
    let mut records = RECORDS;
    for (name, value) in query {
        let number = value.parse::<usize>().ok().filter(|number| *number <= RECORDS_MAX);
        records = match (name.as_str(), number) {
            ("records", Some(number)) => number,
            ("records", None) => {
                let why = format!("records is a number up to {RECORDS_MAX}");
                return Err(Problem::malformed(why).with("field", "records"));
            }
            (other, _) => {
                let why = format!("an explanation takes records, and no {other}");
                return Err(Problem::malformed(why).with("field", other));
            }
        };
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_understood_or_named() {
        let given = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(records(&[]).unwrap(), RECORDS);
        assert_eq!(records(&given("records", "0")).unwrap(), 0);
        assert_eq!(records(&given("records", "1000")).unwrap(), 1_000);
        for (name, value) in [("records", "1001"), ("records", "x"), ("recrods", "5")] {
            let problem = records(&given(name, value)).unwrap_err();
            assert!(problem.detail().contains(name), "{}", problem.detail());
        }
    }
}
