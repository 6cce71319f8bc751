//! Mail: what was sent, and captured letters to read.

mod message;

use std::io;
use std::path::PathBuf;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::response::{Html, IntoResponse, Response};

use self::message::Letter;
use super::table::{Cell, Column, Kind, Table, column, extra};
use super::{NoPage, look, rows, shown};
use crate::api::{Shared, apart};
use crate::problem::Problem;

/// So many captured letters are listed.
const LISTED_MAX: usize = 200;
const LETTER_BYTES_MAX: u64 = 32 << 20;

const LETTERS: &[Column] = &[
    extra("date", "Date", Kind::Text),
    extra("to", "To", Kind::Text),
    column("subject", "Subject", Kind::Long),
];

const MAILS: &[Column] = &[
    column("at", "Time", Kind::Time),
    extra("to", "To", Kind::Text),
    extra("kind", "Kind", Kind::Words),
    column("subject", "Subject", Kind::Long),
    column("state", "State", Kind::Badge),
    extra("billing_account", "Billing account", Kind::Account),
];

#[derive(Template)]
#[template(path = "mail.html")]
struct Mail {
    here: &'static str,
    letters: Table,
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
    let mails = rows(&site, &headers, "mail", &[("limit", "100")]).await;
    let folder = site.options.mails.clone();
    let captured = match folder {
        Some(folder) => apart(move || captured(&folder)).await?.map_err(|error| error.to_string()),
        None => Ok(Vec::new()),
    };
    let (captured, trouble) = match captured {
        Ok(captured) => (captured, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let mut letters = Table::new(
        "letters",
        "Captured letters",
        "No letter is captured here.",
        LETTERS,
        trouble.map_or(Ok(Vec::new()), Err),
    );
    letters.rows = captured.into_iter().map(|(file, letter)| cells(&file, &letter)).collect();
    let mails = Table::new("mails", "Sent", "No mail was sent yet.", MAILS, mails);
    Ok(shown(&Mail { here: "mail", letters, mails }))
}

fn cells(file: &str, letter: &Letter) -> Vec<Cell> {
    let cell = |text: &str, class, extra| Cell { text: text.to_owned(), class, link: None, extra };
    let link = Some(format!("/mail/{}", crate::outside::escaped(file)));
    vec![
        cell(&letter.date, "time", true),
        cell(&letter.to, "text", true),
        Cell { link, ..cell(&letter.subject, "long", false) },
    ]
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
    let letter = found(&site, &file).await?;
    let html =
        letter.html.as_ref().map(|_| format!("/mail/{}/html", crate::outside::escaped(&file)));
    Ok(shown(&OneLetter { here: "mail", letter, html }))
}

/// What a letter's own HTML may do: look as it says, and nothing else.
const LETTER_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'";

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
