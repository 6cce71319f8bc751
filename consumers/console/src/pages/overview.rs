//! The overview: all of it at a glance, the lowest balances first.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use drawdown_domain::money::Amount;

use super::charts::{Bar, bars};
use super::table::{Column, Kind, Table, column, text, time};
use super::{NoPage, look, rows, shown};
use crate::Row;
use crate::api::Shared;

const BALANCES: &[Column] = &[
    column("billing_account", "Billing account", Kind::Account),
    column("available", "Available", Kind::Money),
    column("cash", "Cash", Kind::Money),
    column("unsettled_current", "Unsettled", Kind::Money),
    column("currency", "Currency", Kind::Text),
    column("state", "State", Kind::Badge),
];

const PAYMENTS: &[Column] = &[
    column("at", "Time", Kind::Time),
    column("billing_account", "Billing account", Kind::Account),
    column("amount", "Amount", Kind::Money),
    column("cause", "Cause", Kind::Text),
    column("status", "Status", Kind::Badge),
];

const MAILS: &[Column] = &[
    column("at", "Time", Kind::Time),
    column("to", "To", Kind::Text),
    column("subject", "Subject", Kind::Text),
    column("state", "State", Kind::Badge),
];

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    here: &'static str,
    now: String,
    figures: Vec<Figure>,
    chart: String,
    balances: Table,
    payments: Table,
    mails: Table,
}

struct Figure {
    name: &'static str,
    value: String,
    note: String,
}

pub(super) async fn overview(
    State(site): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look(&site, &headers, "overview")?;
    let some = [("limit", "12")];
    let (balances, payments, mails, days) = tokio::join!(
        rows(&site, &headers, "balances", &[("limit", "50")]),
        rows(&site, &headers, "payments", &some),
        rows(&site, &headers, "mail", &some),
        rows(&site, &headers, "spend_by_day", &[("limit", "1000")]),
    );
    let days = by_day(days.as_deref().unwrap_or_default());
    let figures = figures(&days, balances.as_deref(), payments.as_deref());
    let spend: Vec<Bar> = days
        .iter()
        .map(|(name, (amount, _))| Bar { name: name.clone(), amount: *amount })
        .collect();
    let page = Overview {
        here: "overview",
        now: time(&site.clock.now().to_string()),
        figures,
        chart: or_nothing(bars("Spend by day", &spend, None), "Nothing was spent yet."),
        balances: Table::new(
            "balances",
            "Lowest balances",
            "No billing account has been opened yet.",
            BALANCES,
            balances,
        ),
        payments: Table::new("payments", "Recent payments", "No payment yet.", PAYMENTS, payments),
        mails: Table::new("mails", "Recent mail", "No mail yet.", MAILS, mails),
    };
    Ok(shown(&page))
}

fn figures(
    days: &BTreeMap<String, (Amount, u64)>,
    balances: Result<&[Row], &String>,
    payments: Result<&[Row], &String>,
) -> Vec<Figure> {
    let unknown = || "\u{2014}".to_owned();
    let today = days.last_key_value();
    let negative =
        |rows: &[Row]| rows.iter().filter(|row| text(row, "available").starts_with('-')).count();
    let declined =
        |rows: &[Row]| rows.iter().filter(|row| text(row, "status") == "declined").count();
    vec![
        Figure {
            name: "Records priced, latest day",
            value: today.map_or_else(unknown, |(_, (_, records))| records.to_string()),
            note: today.map_or_else(String::new, |(day, _)| day.clone()),
        },
        Figure {
            name: "Billing accounts",
            value: balances.map_or_else(
                |_| unknown(),
                |rows| match rows.len() {
                    50 => "50+".to_owned(),
                    count => count.to_string(),
                },
            ),
            note: String::new(),
        },
        Figure {
            name: "Below zero",
            value: balances.map_or_else(|_| unknown(), |rows| negative(rows).to_string()),
            note: "of the lowest 50".to_owned(),
        },
        Figure {
            name: "Declined",
            value: payments.map_or_else(|_| unknown(), |rows| declined(rows).to_string()),
            note: "of the latest payments".to_owned(),
        },
    ]
}

/// Charges and records of each day over all billing accounts, the last thirty days.
pub(super) fn by_day(rows: &[Row]) -> BTreeMap<String, (Amount, u64)> {
    let mut days: BTreeMap<String, (Amount, u64)> = BTreeMap::new();
    for row in rows {
        let charge: Amount = text(row, "charge").parse().unwrap_or_default();
        let records: u64 = text(row, "records").parse().unwrap_or_default();
        let day = days.entry(text(row, "day")).or_default();
        *day = (day.0.plus(charge).unwrap_or(Amount::MAX), day.1.saturating_add(records));
    }
    while days.len() > 30 {
        days.pop_first();
    }
    days
}

pub(super) fn or_nothing(chart: String, nothing: &str) -> String {
    if chart.is_empty() { format!("<p class=\"empty\">{nothing}</p>") } else { chart }
}
