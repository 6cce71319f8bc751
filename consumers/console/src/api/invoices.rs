//! `GET /v1/invoices/{number}.pdf` and `.xml`: an issued invoice, made when it is asked for. It never changes; the
//! PDF says beside it what is paid.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use drawdown_domain::invoices::{Invoice, InvoiceType};
use drawdown_domain::vocabulary::DescribedRecord;
use serde_json::Value;

use super::show::problem;
use super::{Shared, apart, asker};
use crate::permits::{Over, may_see};
use crate::printer::{Form, PaidSoFar};
use crate::problem::Problem;
use crate::views::{Source, named};
use crate::{Row, Wanted};

pub(super) async fn invoice(
    State(site): State<Shared>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let who = asker(&site, &Method::GET, &headers).await?;
    let missing = || Problem::not_found(format!("there is no invoice {file}"));
    let named = Form::ALL.into_iter().find_map(|form| {
        let number = file.strip_suffix(form.ending()).filter(|number| is_number(number))?;
        Some((number, form))
    });
    let (number, form) = named.ok_or_else(missing)?;
    let printer = site.options.printer.clone();
    let printer = printer.ok_or_else(|| Problem::not_found("no documents are made here"))?;
    let invoice = issued(&site, number).await?;
    // Whether there is one is nobody's business but theirs who may see it.
    let payer = invoice.as_ref().map(|(invoice, _)| invoice.billing_account.as_str());
    let over = payer.map_or(Over::All, |payer| Over::row("invoices", payer));
    may_see(&site, &who, "invoices", over).await?;
    let (invoice, paid) = invoice.ok_or_else(missing)?;
    let made = apart(move || printer.print(&invoice, form, paid)).await?;
    let bytes = made.map_err(|why| Problem::unavailable(format!("it cannot be made: {why}")))?;
    let name = format!("inline; filename=\"{number}{}\"", form.ending());
    let headers = [(CONTENT_TYPE, form.media_type().to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, Bytes::from(bytes)).into_response())
}

/// The invoice of that number, whole, and what of it is paid; of a credit note nothing is.
async fn issued(
    site: &Shared,
    number: &str,
) -> Result<Option<(Invoice, Option<PaidSoFar>)>, Problem> {
    let Some((view, Source::List(list))) = named("invoices").map(|view| (view, &view.source))
    else {
        return Ok(None);
    };
    let filters = vec![("number".to_owned(), number.to_owned())];
    let wanted = Wanted { filters, after: None, rows_max: 1 };
    let found = site.lists.rows(view, list, &wanted).await.map_err(problem)?;
    let Some(row) = found.into_iter().next() else { return Ok(None) };
    let amount = |field: &str| row.get(field)?.as_str()?.parse().ok();
    let paid = amount("paid").zip(amount("open"));
    let paid = paid.map(|(paid, open)| PaidSoFar { paid, open, at: site.clock.now() });
    let invoice = read(row)?;
    let paid = paid.filter(|_| invoice.r#type == InvoiceType::Invoice);
    Ok(Some((invoice, paid)))
}

/// A row of ClickHouse's says more than the invoice does: where on the log it stands.
fn read(mut row: Row) -> Result<Invoice, Problem> {
    let known = Invoice::record().fields;
    row.retain(|name, _| known.iter().any(|field| field.name == name));
    serde_json::from_value(Value::Object(row))
        .map_err(|error| Problem::unavailable(format!("the invoice cannot be read: {error}")))
}

/// Numbers are all that names invoices, and what a header may hold.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::is_number;

    #[test]
    fn a_number_is_nothing_else() {
        assert!(is_number("SG-2026-000001") && is_number("CN-SG-2026-000001"));
        for wrong in ["", ".", "..", "../x", "a/b", "a\"b", "a b", "SG-2026-000001.pdf"] {
            assert!(!is_number(wrong), "{wrong}");
        }
    }
}
