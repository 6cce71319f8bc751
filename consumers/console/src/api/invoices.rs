//! `GET /v1/invoices/{number}.pdf`: an invoice as it was made.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};

use super::{Shared, allowed, apart};
use crate::problem::Problem;

const FILE_BYTES_MAX: u64 = 32 << 20;

pub(super) async fn invoice(
    State(site): State<Shared>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    allowed(&site, &Method::GET, &headers, "invoices")?;
    let missing = || Problem::not_found(format!("there is no invoice {file}"));
    let number = file.strip_suffix(".pdf").filter(|number| is_number(number));
    let number = number.ok_or_else(missing)?;
    let folder = site.options.invoices.clone().ok_or_else(|| {
        Problem::not_found("no folder of invoices is configured here (console.invoices)")
    })?;
    let path = folder.join(format!("{number}.pdf"));
    let read = apart(move || -> std::io::Result<Option<Vec<u8>>> {
        match std::fs::metadata(&path) {
            Ok(found) if found.len() <= FILE_BYTES_MAX => std::fs::read(&path).map(Some),
            Ok(_) => Err(std::io::Error::other("the file is too large")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    });
    let bytes = read
        .await?
        .map_err(|error| Problem::unavailable(format!("the invoice cannot be read: {error}")))?;
    let name = format!("inline; filename=\"{number}.pdf\"");
    let headers = [(CONTENT_TYPE, "application/pdf".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, Bytes::from(bytes.ok_or_else(missing)?)).into_response())
}

/// A number names a file of the folder and nothing beside it.
fn is_number(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::is_number;

    #[test]
    fn a_number_is_no_path() {
        assert!(is_number("SG-2026-000001"));
        for wrong in ["", ".", "..", "../x", "a/b", ".hidden", "a\\b", "a b"] {
            assert!(!is_number(wrong), "{wrong}");
        }
    }
}
