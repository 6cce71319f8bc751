//! `POST /v1/usage`: CloudEvents or NDJSON, packed for the log. Answered once the log has it.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use drawdown_domain::ids::PrincipalId;
use drawdown_wire::usage::packing::{Packs, account_of, check};
use drawdown_wire::usage::{Malformed, from_json};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{Shared, apart, asker};
use crate::intake::NotTaken;
use crate::permits::may_send;
use crate::problem::Problem;

/// So many malformed records of one request are told of one by one.
const TOLD_MAX: usize = 1_000;
/// A larger body is read where that holds up no other request.
const READ_HERE_BYTES_MAX: usize = 16 * 1024;

pub(super) async fn usage(
    State(site): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let who = asker(&site, &Method::POST, &headers).await?;
    // The operator may send for everybody, and is asked nothing.
    let accounts = (who != PrincipalId::operator()).then(BTreeSet::new);
    let partitions = site.topics.usage_partitions;
    let read = if body.len() > READ_HERE_BYTES_MAX {
        apart(move || read(&headers, &body, partitions, accounts)).await??
    } else {
        read(&headers, &body, partitions, accounts)?
    };
    let Read { packs, accepted, malformed, told, accounts } = read;
    if let Some(accounts) = &accounts {
        may_send(&site, &who, accounts).await?;
    }
    if accepted == 0 && malformed > 0 {
        return Err(Problem::malformed(first_of(&told)).with("malformed", told));
    }
    match site.intake.take(packs).await {
        Ok(()) => {}
        Err(NotTaken::Full) => {
            return Err(Problem::busy(
                "more usage waits than is taken at a time; nothing of this was taken",
            ));
        }
        Err(NotTaken::Unsure(why)) => {
            return Err(Problem::unavailable(format!(
                "the log does not take it now: {why}; send all of it again, what was counted is known"
            )));
        }
    }
    metrics::counter!("drawdown_usage_accepted_total").increment(accepted);
    metrics::counter!("drawdown_usage_malformed_total").increment(malformed);
    let body = json!({ "accepted": accepted, "malformed_count": malformed, "malformed": told });
    Ok((StatusCode::OK, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}

fn first_of(told: &[Value]) -> String {
    let why = told.first().and_then(|record| record.get("why")).and_then(Value::as_str);
    why.unwrap_or("no record can be read").to_owned()
}

/// What a request holds.
struct Read {
    packs: Vec<(u32, drawdown_wire::usage::packing::Pack)>,
    accepted: u64,
    malformed: u64,
    told: Vec<Value>,
    /// Of whom they are, where that has to be known.
    accounts: Option<BTreeSet<String>>,
}

/// Reads the records of a request, each by itself: one that is malformed holds up no other.
fn read(
    headers: &HeaderMap,
    body: &[u8],
    partitions: u32,
    accounts: Option<BTreeSet<String>>,
) -> Result<Read, Problem> {
    let mut packs = Packs::new(partitions);
    let mut read =
        Read { packs: Vec::new(), accepted: 0, malformed: 0, told: Vec::new(), accounts };
    let mut take = |place: &str, number: u64, record: Result<Vec<u8>, Malformed>| {
        let checked = record.and_then(|record| check(&record).map(|()| record));
        let noted = checked.and_then(|record| {
            if let Some(accounts) = &mut read.accounts {
                accounts.insert(String::from_utf8_lossy(account_of(&record)?).into_owned());
            }
            packs.push(&record)
        });
        match noted {
            Ok(full) => {
                read.accepted = read.accepted.saturating_add(1);
                read.packs.extend(full);
            }
            Err(why) => {
                read.malformed = read.malformed.saturating_add(1);
                if read.told.len() < TOLD_MAX {
                    read.told.push(json!({ place: number, "why": why.to_string() }));
                }
            }
        }
    };
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if headers.contains_key("ce-specversion") {
        take("index", 0, binary(headers, body)?);
    } else {
        match kind {
            "application/cloudevents+json" | "application/json" => {
                take("index", 0, from_json(body))
            }
            "application/cloudevents-batch+json" => {
                let events: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| {
                    Problem::malformed(format!("the body is no JSON array: {error}"))
                })?;
                for (number, event) in (0..).zip(events) {
                    take("index", number, from_json(event.get().as_bytes()));
                }
            }
            "application/x-ndjson" => {
                for (number, line) in (1..).zip(body.split(|byte| *byte == b'\n')) {
                    if !line.trim_ascii().is_empty() {
                        take("line", number, from_json(line));
                    }
                }
            }
            other => {
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "unsupported_media_type",
                    format!(
                        "{other} is not understood here; send application/cloudevents+json, application/cloudevents-batch+json, application/x-ndjson, or a CloudEvent in binary mode"
                    ),
                ));
            }
        }
    }
    read.packs.extend(packs.finish());
    Ok(read)
}

/// A CloudEvent in binary mode: its attributes are headers, its data is the body.
fn binary(headers: &HeaderMap, body: &[u8]) -> Result<Result<Vec<u8>, Malformed>, Problem> {
    let data: Value = serde_json::from_slice(body)
        .map_err(|error| Problem::malformed(format!("the data is not JSON: {error}")))?;
    let mut event = Map::from_iter([("data".to_owned(), data)]);
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else { continue };
        let value = value.to_str().ok().and_then(unescaped).ok_or_else(|| {
            Problem::malformed(format!("the header {name} is no text")).with("field", name.as_str())
        })?;
        event.insert(attribute.to_owned(), value.into());
    }
    Ok(from_json(Value::Object(event).to_string().as_bytes()))
}

/// Headers carry what is not plain ASCII percent-encoded.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_any_text() {
        assert_eq!(unescaped("Euro%20%E2%82%AC%20%F0%9F%98%80").as_deref(), Some("Euro € 😀"));
        assert_eq!(unescaped("plain").as_deref(), Some("plain"));
        for wrong in ["%", "%2", "%zz", "%FF"] {
            assert_eq!(unescaped(wrong), None, "{wrong}");
        }
    }
}
