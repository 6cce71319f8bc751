//! What payment methods paid for a billing account, the methods themselves, and the checks that they can pay.

use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;

use super::account::{Account, kept};
use super::table::{Column, Kind, Table, column, extra, text};
use super::{NoPage, NoRows, rows, shown};
use crate::Row;
use crate::api::Shared;

const PAYMENTS: &[Column] = &[
    column("at", "Time", Kind::Time),
    extra("payment", "Payment", Kind::Text),
    extra("cause", "Cause", Kind::Words),
    extra("method", "Method", Kind::Text),
    column("amount", "Amount", Kind::Explained("payment")).with_currency(),
    column("status", "Status", Kind::Badge),
    extra("reason", "Reason", Kind::Long),
];

const METHODS: &[Column] = &[
    column("method", "Method", Kind::Text),
    column("kind", "Kind", Kind::Words),
    extra("brand", "Brand", Kind::Words),
    extra("expires", "Expires", Kind::Text),
    extra("linked_at", "Linked", Kind::Time),
    column("preferred", "Preferred", Kind::Words),
    column("state", "State", Kind::Badge),
];

const CHECKS: &[Column] = &[
    column("at", "Time", Kind::Time),
    extra("payment", "Payment", Kind::Text),
    column("cause", "Cause", Kind::Words),
    extra("method", "Method", Kind::Text),
    column("amount", "Held", Kind::Money).with_currency(),
    column("status", "Status", Kind::Badge),
    extra("reason", "Reason", Kind::Long),
];

pub(super) async fn payments(
    site: &Shared,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, NoPage> {
    let mut page = Account::new(site, id, "Payments").await?;
    let of = [("billing_account", id), ("limit", "100")];
    let payments = rows(site, headers, "payments", &of).await;
    let (checks, paying) = match payments {
        Ok(rows) => {
            let (checks, paying) = rows.into_iter().partition(is_check);
            (Ok(checks), Ok(paying))
        }
        Err(why) => (Err(why.clone()), Err(why)),
    };
    let methods = linked(site, id).await.map(|mut rows| {
        for row in &mut rows {
            let is_preferred = row.get("preferred") == Some(&true.into());
            row.insert("preferred".to_owned(), if is_preferred { "yes" } else { "" }.into());
        }
        rows
    });
    let export = format!("/v1/show/payments/{}?format=csv", crate::outside::escaped(id));
    let unlinked = "No payment method is linked: bills are paid from the balance.";
    let unchecked = "No method was checked yet.";
    page.tables = vec![
        Table::new("payments", "Payments", "No payment yet.", PAYMENTS, paying)
            .on("payments")
            .exported(export),
        Table::new("methods", "Payment methods", unlinked, METHODS, methods).on("payments"),
        Table::new("checks", "Checks of methods: held and given back", unchecked, CHECKS, checks)
            .on("payments"),
    ];
    Ok(shown(&page))
}

/// The payment methods of a billing account.
pub(super) async fn linked(site: &Shared, id: &str) -> Result<Vec<Row>, NoRows> {
    let row = kept(site, "payment_methods", id).await?;
    let methods = row.get("payment_methods").and_then(Value::as_array).into_iter().flatten();
    Ok(methods.filter_map(Value::as_object).cloned().collect())
}

/// Whether a payment only shows that a method can pay (R7.2, R7.4).
pub(super) fn is_check(row: &Row) -> bool {
    matches!(text(row, "cause").as_str(), "test" | "preauthorisation")
}
