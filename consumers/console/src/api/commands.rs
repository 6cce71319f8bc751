//! `POST /v1/do/{command}`: onto the log, and its outcome back.

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use drawdown_domain::commands::{Command, CreateKey};
use drawdown_domain::ids::{PrincipalId, Text};
use drawdown_domain::refusal::Refusal;
use drawdown_wire::keys;
use drawdown_wire::messages::{CommandMessage, Outcome};
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use serde_json::{Map, Value, json};

use super::{IDEMPOTENCY_KEY, Origin, POSITION, Shared, apart, asker};
use crate::feed::Decided;
use crate::fields::{self, NotFields};
use crate::position::Position;
use crate::problem::Problem;
use crate::views::{Source, named};
use crate::{Site, Wanted};

pub(super) async fn command(
    State(site): State<Shared>,
    Path(name): Path<String>,
    Extension(Origin(origin)): Extension<Origin>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let who = asker(&site, &Method::POST, &headers).await?;
    let fields = given(&name, &headers, &body)?;
    let mut command = understood(&name, &fields)?;
    let (key, generated) = key_of(&site, &headers)?;
    let secret = match &mut command {
        Command::CreateKey(command) => key_made(&site, &who, &key, command)?,
        _ => None,
    };
    let message = CommandMessage { principal: who, key: Some(key.clone()), origin, command };
    let asked = ask(&site, message).await?;
    let mut response = match asked {
        Asked::Decided(decided, position) => {
            answered(&site, &decided, position.as_ref(), secret.as_deref()).await?
        }
        Asked::Waiting(number) => {
            let place = format!("/v1/show/commands/{number}");
            let mut body = json!({ "command": number, "name": name, "key": key, "status": "waiting",
                "outcome": place });
            if let Some(secret) = secret {
                body["secret"] = secret.into();
            }
            let mut response = answer(StatusCode::ACCEPTED, &body);
            if let Ok(place) = HeaderValue::from_str(&place) {
                response.headers_mut().insert(LOCATION, place);
            }
            response
        }
    };
    if let Ok(key) = HeaderValue::from_str(key.as_str()) {
        response.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
    if generated {
        let note = HeaderValue::from_static("generated");
        response.headers_mut().insert("drawdown-idempotency-key", note);
    }
    Ok(response)
}

/// Makes the key that a command asks for, unless it brings the hash of one.
fn key_made(
    site: &Site,
    who: &PrincipalId,
    key: &Text,
    command: &mut CreateKey,
) -> Result<Option<String>, Problem> {
    // What the configuration names nobody else acts as; the registry does not know of it.
    if site.options.keys.name(&command.principal) && *who != PrincipalId::operator() {
        let why =
            format!("the configuration has a key of {}; take another name", command.principal);
        return Err(Problem::refused(Refusal::AlreadyExists, Some(&why)));
    }
    match &site.options.secret {
        Some(secret) => Ok(keys::make(command, secret, who, key.as_str())),
        None if command.hash.is_some() => Ok(None),
        None => Err(Problem::malformed("no key can be made here; bring the hash of your own")
            .with("field", "hash")),
    }
}

/// The fields of a body: JSON, or a form.
fn given(name: &str, headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().map(str::trim) {
        Some("application/x-www-form-urlencoded") => {
            let pairs = serde_urlencoded::from_bytes::<Vec<(String, String)>>(body);
            let pairs = pairs
                .map_err(|error| Problem::malformed(format!("the form cannot be read: {error}")))?;
            Ok(fields::of_form(name, &pairs))
        }
        Some("application/json" | "") | None => match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(Problem::malformed("the body must be a JSON object of the fields")),
            Err(error) => Err(Problem::malformed(format!("the body is not JSON: {error}"))),
        },
        Some(other) => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("{other} is not understood here; send application/json"),
        )),
    }
}

fn understood(name: &str, fields: &Map<String, Value>) -> Result<Command, Problem> {
    match fields::read(name, fields) {
        Some(Ok(command)) => Ok(command),
        Some(Err(NotFields { field, why })) => {
            let problem = Problem::malformed(why);
            Err(match field {
                Some(field) => problem.with("field", field),
                None => problem,
            })
        }
        None => {
            let known = Command::NAMES.join(", ");
            Err(Problem::not_found(format!("there is no command {name}; there are {known}")))
        }
    }
}

/// The caller's key, or one made here, under which the caller can repeat what he is answered with.
fn key_of(site: &Site, headers: &HeaderMap) -> Result<(Text, bool), Problem> {
    let wrong = || {
        Problem::malformed("Idempotency-Key must be a text of at most 1000 bytes")
            .with("field", "Idempotency-Key")
    };
    let (key, generated) = match headers.get(&IDEMPOTENCY_KEY) {
        Some(key) => (key.to_str().map_err(|_| wrong())?.to_owned(), false),
        None => (format!("made-{}", site.ids.next()), true),
    };
    match key.parse::<Text>() {
        Ok(key) if !key.as_str().is_empty() => Ok((key, generated)),
        _ => Err(wrong()),
    }
}

/// What has become of a command so far.
enum Asked {
    Decided(Box<Decided>, Option<Position>),
    /// It is on the log under this number, and will be decided.
    Waiting(u64),
}

/// Puts a command on the log, and waits for its outcome.
async fn ask(site: &Shared, message: CommandMessage) -> Result<Asked, Problem> {
    let too_many = |_| Problem::busy("too many commands wait for their outcomes");
    let _place = site.commands.try_acquire().map_err(too_many)?;
    let message = schemas::COMMAND.message(&message);
    let own = site.clone();
    let appended = apart(move || {
        let topic = own.topics.name(Topic::Commands);
        own.log.append(topic, 0, own.clock.now(), &[&message])
    });
    let next = appended.await?.map_err(|error| {
        metrics::counter!("drawdown_console_append_errors_total").increment(1);
        Problem::unavailable(format!(
            "the log does not take it now: {error}; ask again with the same Idempotency-Key"
        ))
    })?;
    let number = u64::try_from(next.0.saturating_sub(1)).unwrap_or_default();
    let outcome = site.feed.outcome(number);
    let Ok(Ok(decided)) = tokio::time::timeout(site.options.command_answered_within, outcome).await
    else {
        site.feed.give_up(number);
        return Ok(Asked::Waiting(number));
    };
    let (own, partition) = (site.clone(), decided.partition);
    let position = apart(move || Position::now(&*own.log, &own.topics, partition)).await?;
    let position = position.inspect_err(|error| {
        tracing::warn!(%error, "how far the topics have come is not known; lists may be behind");
    });
    Ok(Asked::Decided(Box::new(decided), position.ok()))
}

/// The outcome as its caller gets it: of a command that repeats another, the answer of that.
async fn answered(
    site: &Shared,
    decided: &Decided,
    position: Option<&Position>,
    secret: Option<&str>,
) -> Result<Response, Problem> {
    let outcome = &decided.outcome;
    let first = match outcome.repeats {
        Some(first) => Some(first_answer(site, first).await?),
        None => None,
    };
    let mut response = respond(outcome, first.as_ref(), secret);
    if let Some(token) = position.and_then(|position| HeaderValue::from_str(&position.token()).ok())
    {
        let cookie = format!(
            "drawdown-position={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=300",
            token.to_str().unwrap_or_default()
        );
        response.headers_mut().insert(POSITION, token);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

/// The answer that a repeated command had: from the latest outcomes, or from the audit trail. Where neither can say
/// it, nobody is told that a command was accepted which may have been refused.
async fn first_answer(site: &Shared, number: u64) -> Result<Outcome, Problem> {
    if let Some(decided) = site.feed.lately(number) {
        return Ok(decided.outcome);
    }
    let unknown = || {
        Problem::unavailable(format!(
            "this repeats command {number}, which is decided; what was answered cannot be read now, ask again"
        ))
        .with("repeats", number)
    };
    let view = named("commands").ok_or_else(unknown)?;
    let Source::List(list) = view.source else { return Err(unknown()) };
    let filters = vec![("command".to_owned(), number.to_string())];
    let wanted = Wanted { filters, after: None, rows_max: 1 };
    let rows = site.lists.rows(view, &list, &wanted).await.map_err(|error| {
        tracing::warn!(%error, number, "the first answer of a repeated command cannot be read");
        unknown()
    })?;
    let row = rows.into_iter().next().ok_or_else(unknown)?;
    serde_json::from_value(Value::Object(row)).map_err(|error| {
        tracing::warn!(%error, number, "the first answer of a repeated command is no outcome");
        unknown()
    })
}

fn respond(outcome: &Outcome, first: Option<&Outcome>, secret: Option<&str>) -> Response {
    let says = first.unwrap_or(outcome);
    if let Some(refusal) = says.refused {
        return Problem::refused(refusal, says.detail.as_deref())
            .with("command", outcome.command)
            .with("repeats", outcome.repeats)
            .into_response();
    }
    let mut body = json!({
        "command": outcome.command,
        "name": outcome.name,
        "key": outcome.key,
        "at": says.at,
        "status": "accepted",
        "detail": says.detail,
        "repeats": outcome.repeats,
    });
    if let Some(secret) = secret {
        body["secret"] = secret.into();
    }
    answer(StatusCode::OK, &body)
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
