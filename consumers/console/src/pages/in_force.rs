//! What is in force for everybody: prices and settings.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use askama::Template;

use super::table::{Column, Kind, Table, column, extra};
use super::{NoPage, look, shown};
use crate::Row;
use crate::api::{Shared, rows_of};
use crate::views::named;

const PRICES: &[Column] = &[
    column("product", "Product", Kind::Text),
    column("meter", "Meter", Kind::Text),
    extra("region", "Region", Kind::Text),
    column("currency", "Currency", Kind::Text),
    extra("model", "Model", Kind::Words),
    column("price", "Price", Kind::Long),
    extra("holds_from", "From", Kind::Time),
    extra("holds_until", "Until", Kind::Time),
];

const SETTINGS: &[Column] = &[
    column("setting", "Setting", Kind::Long),
    column("value", "Value", Kind::Long),
    extra("is_default", "", Kind::Words),
];

#[derive(Template)]
#[template(path = "prices.html")]
struct InForce {
    here: &'static str,
    prices: Table,
    settings: Table,
}

pub(super) async fn in_force(
    State(site): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look(&site, &headers, "prices").await?;
    let (prices, settings) = tokio::join!(kept(&site, "prices"), kept(&site, "settings"));
    let settings = settings.map(|mut rows| {
        for row in &mut rows {
            let is_default = row.get("is_default") == Some(&true.into());
            let word = if is_default { "default" } else { "set" };
            row.insert("is_default".to_owned(), word.into());
        }
        rows
    });
    let empty = "No price book was loaded yet: drawdown prices load FILE.";
    Ok(shown(&InForce {
        here: "prices",
        prices: Table::new("prices", "Prices in force and to come", empty, PRICES, prices),
        settings: Table::new("settings", "Settings in force", "", SETTINGS, settings),
    }))
}

async fn kept(site: &Shared, view: &str) -> Result<Vec<Row>, String> {
    let view = named(view).ok_or_else(|| format!("there is no view {view}"))?;
    rows_of(site, view).await.map_err(|problem| problem.detail().to_owned())
}
