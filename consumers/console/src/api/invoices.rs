//! `GET /v1/invoices/{number}.pdf`: an invoice as it was made.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use drawdown_domain::ids::PrincipalId;

use super::{Shared, apart, asker};
use crate::Wanted;
use crate::permits::{Over, may_see};
use crate::problem::Problem;
use crate::views::{Source, named};

const FILE_BYTES_MAX: u64 = 32 << 20;

pub(super) async fn invoice(
    State(site): State<Shared>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let who = asker(&site, &Method::GET, &headers)?;
    let missing = || Problem::not_found(format!("there is no invoice {file}"));
    let number = file.strip_suffix(".pdf").filter(|number| is_number(number));
    let number = number.ok_or_else(missing)?;
    let payer = payer(&site, &who, number).await?;
    let over = payer.as_deref().map_or(Over::All, |payer| Over::row("invoices", payer));
    may_see(&site, &who, "invoices", over).await?;
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

/// Whose invoice it is. The operator sees all of them, also where no list says so.
async fn payer(site: &Shared, who: &PrincipalId, number: &str) -> Result<Option<String>, Problem> {
    let view = named("invoices").filter(|_| *who != PrincipalId::operator());
    let Some(view) = view else { return Ok(None) };
    let Source::List(list) = &view.source else { return Ok(None) };
    let filters = vec![("number".to_owned(), number.to_owned())];
    let wanted = Wanted { filters, after: None, rows_max: 1 };
    let found = site.lists.rows(view, list, &wanted).await;
    let found = found.map_err(|error| Problem::unavailable(error.to_string()))?;
    let payer = found.first().and_then(|row| row.get("billing_account")?.as_str());
    Ok(payer.map(str::to_owned))
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
