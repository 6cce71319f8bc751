//! Mail: what was sent, with the letters that were captured to be read.

mod message;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

use self::message::Letter;
use super::table::{Column, Kind, Table, column, extra, text, time};
use super::{NoPage, NoRows, look, rows, shown};
use crate::Row;
use crate::api::{Shared, apart};
use crate::problem::Problem;

/// So many captured letters are listed.
const LISTED_MAX: usize = 200;
const LETTER_BYTES_MAX: u64 = 32 << 20;

const MAILS: &[Column] = &[
    extra("written", "Written", Kind::Time),
    column("at", "Sent", Kind::Time),
    extra("to", "To", Kind::Text),
    column("subject", "Subject", Kind::Letter),
    column("state", "State", Kind::Badge),
    extra("billing_account", "Billing account", Kind::Account),
];

#[derive(Template)]
#[template(path = "mail.html")]
struct Mail {
    here: &'static str,
    banner: Option<String>,
    mails: Table,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct OneLetter {
    here: &'static str,
    letter: Letter,
    html: Option<String>,
}

pub(super) async fn letters(
    State(site): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look(&site, &headers, "mail").await?;
    let limit = LISTED_MAX.to_string();
    let mails = rows(&site, &headers, "mail", &[("limit", limit.as_str())]).await;
    let captured = match site.options.mails.clone() {
        Some(folder) => apart(move || captured(&folder)).await?.unwrap_or_else(|error| {
            tracing::warn!(%error, "captured letters cannot be read");
            Vec::new()
        }),
        None => Vec::new(),
    };
    let banner = mails.as_ref().err().and_then(NoRows::banner);
    // Letters are files, and there even where no list is.
    let mails = match mails {
        Err(NoRows::Away(_)) => Ok(with_letters(Vec::new(), captured)),
        mails => mails.map(|mails| with_letters(mails, captured)),
    };
    let mails =
        Table::new("mails", "Mail, the latest first", "No mail was sent yet.", MAILS, mails);
    Ok(shown(&Mail { here: "mail", banner, mails }))
}

/// Mails that were sent, each with its captured letter if there is one, and letters that no list has yet.
fn with_letters(mut mails: Vec<Row>, captured: Vec<(String, Letter)>) -> Vec<Row> {
    let mut place = BTreeMap::new();
    for (number, mail) in mails.iter().enumerate() {
        place.insert(text(mail, "mail"), number);
    }
    for (file, letter) in captured {
        let said = [("letter", file), ("written", letter.date)];
        match place.get(&letter.id).and_then(|number| mails.get_mut(*number)) {
            Some(mail) => mail.extend(said.map(field)),
            None => {
                let state = ("state", "captured".to_owned());
                let alone = [("to", letter.to), ("subject", letter.subject), state];
                mails.push(said.into_iter().chain(alone).map(field).collect());
            }
        }
    }
    let latest = |mail: &Row| text(mail, "at").max(text(mail, "written"));
    mails.sort_by_cached_key(|mail| Reverse(latest(mail)));
    mails.truncate(LISTED_MAX);
    mails
}

fn field((name, text): (&str, String)) -> (String, Value) {
    (name.to_owned(), text.into())
}

/// The latest letters of a folder, the newest first: their names begin with their times.
fn captured(folder: &std::path::Path) -> io::Result<Vec<(String, Letter)>> {
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // It is made with the first letter.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".eml") {
            names.push(name);
        }
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    names.truncate(LISTED_MAX);
    let letter = |name: String| {
        let letter = Letter::read(&read(&folder.join(&name))?);
        Ok((name, letter))
    };
    names.into_iter().map(letter).collect()
}

fn read(path: &std::path::Path) -> io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > LETTER_BYTES_MAX {
        return Err(io::Error::other("the letter is too large to be shown"));
    }
    std::fs::read(path)
}

async fn found(site: &Shared, file: &str) -> Result<Letter, Problem> {
    let missing = || Problem::not_found(format!("there is no letter {file}"));
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !file.ends_with(".eml") || file.starts_with('.') || !file.bytes().all(fits) {
        return Err(missing());
    }
    let folder: PathBuf = site.options.mails.clone().ok_or_else(missing)?;
    let path = folder.join(file);
    let bytes = apart(move || read(&path)).await?;
    match bytes {
        Ok(bytes) => Ok(Letter::read(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
        Err(error) => Err(Problem::unavailable(format!("the letter cannot be read: {error}"))),
    }
}

pub(super) async fn letter(
    State(site): State<Shared>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look(&site, &headers, "mail").await?;
    let mut letter = found(&site, &file).await?;
    letter.date = time(&letter.date);
    let html =
        letter.html.as_ref().map(|_| format!("/mail/{}/html", crate::outside::escaped(&file)));
    Ok(shown(&OneLetter { here: "mail", letter, html }))
}

/// What a letter's own HTML may do: look as it says, and nothing else.
/// Our page may measure it.
const LETTER_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-same-origin; frame-ancestors 'self'";

pub(super) async fn html(
    State(site): State<Shared>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look(&site, &headers, "mail").await?;
    let html = found(&site, &file).await?.html;
    let html = html.ok_or_else(|| Problem::not_found("the letter is text alone"))?;
    let mut response = Html(html).into_response();
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(LETTER_POLICY));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_mail_stands_once_with_its_letter() {
        let sent = json!({ "mail": "ba-acme.n1.0@localhost", "subject": "Low", "at": "2026-03-01T00:01:00Z", "state": "sent" });
        let Value::Object(sent) = sent else { panic!() };
        let letter = |id: &str, date: &str| Letter {
            id: id.to_owned(),
            date: date.to_owned(),
            ..Letter::default()
        };
        let captured = vec![
            ("b.eml".to_owned(), letter("ba-acme.n2.0@localhost", "2026-03-02T00:00:00Z")),
            ("a.eml".to_owned(), letter("ba-acme.n1.0@localhost", "2026-03-01T00:00:00Z")),
        ];
        let mails = with_letters(vec![sent], captured);
        let shown: Vec<_> =
            mails.iter().map(|mail| (text(mail, "letter"), text(mail, "state"))).collect();
        let pair = |file: &str, state: &str| (file.to_owned(), state.to_owned());
        assert_eq!(shown, [pair("b.eml", "captured"), pair("a.eml", "sent")]);
    }
}
