//! The overview: all of it at a glance, the lowest balances first.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::account::is_check;
use super::charts::{Bar, Unit, bars, escape};
use super::table::{Column, Kind, Table, column, count, extra, text};
use super::{NoPage, look, rows, shown};
use crate::Row;
use crate::api::Shared;

const BALANCES: &[Column] = &[
    column("billing_account", "Billing account", Kind::Account),
    column("available", "Available", Kind::Money),
    extra("cash", "Cash", Kind::Money),
    extra("unsettled_current", "Unsettled", Kind::Money),
    extra("currency", "Currency", Kind::Text),
    column("state", "State", Kind::Badge),
];

const PAYMENTS: &[Column] = &[
    column("at", "Time", Kind::Time),
    column("billing_account", "Billing account", Kind::Account),
    column("amount", "Amount", Kind::Explained("payment")),
    extra("cause", "Cause", Kind::Words),
    column("status", "Status", Kind::Badge),
];

const MAILS: &[Column] = &[
    column("at", "Time", Kind::Time),
    extra("to", "To", Kind::Text),
    column("subject", "Subject", Kind::Long),
    column("state", "State", Kind::Badge),
];

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    here: &'static str,
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
    look(&site, &headers, "overview").await?;
    let (balances, payments, mails, days) = tokio::join!(
        rows(&site, &headers, "balances", &[("limit", "50")]),
        rows(&site, &headers, "payments", &[("limit", "100")]),
        rows(&site, &headers, "mail", &[("limit", "8")]),
        rows(&site, &headers, "usage_by_day", &[("limit", "30")]),
    );
    let payments = payments.map(|mut rows| {
        rows.retain(|row| !is_check(row));
        rows.truncate(8);
        rows
    });
    let figures = figures(days.as_deref(), balances.as_deref(), payments.as_deref());
    let used = days.as_deref().unwrap_or_default().iter().rev().map(|row| Bar {
        name: text(row, "day"),
        amount: text(row, "records").parse().unwrap_or_default(),
    });
    let chart = bars("Usage records by day of use", &used.collect::<Vec<_>>(), Unit::Count);
    let page = Overview {
        here: "overview",
        figures,
        chart: or_nothing(
            chart,
            days.as_ref().err().map_or("Nothing was used yet.", String::as_str),
        ),
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
    days: Result<&[Row], &String>,
    balances: Result<&[Row], &String>,
    payments: Result<&[Row], &String>,
) -> Vec<Figure> {
    let unknown = || "\u{2014}".to_owned();
    let today = days.ok().and_then(<[Row]>::first);
    let negative =
        |rows: &[Row]| rows.iter().filter(|row| text(row, "available").starts_with('-')).count();
    let declined =
        |rows: &[Row]| rows.iter().filter(|row| text(row, "status") == "declined").count();
    vec![
        Figure {
            name: "Usage records of the latest day",
            value: today.map_or_else(unknown, |row| count(&text(row, "records"))),
            note: today.map_or_else(String::new, |row| format!("used on {}", text(row, "day"))),
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
            name: "Payments declined",
            value: payments.map_or_else(|_| unknown(), |rows| declined(rows).to_string()),
            note: payments
                .map_or_else(|_| String::new(), |rows| format!("of the latest {}", rows.len())),
        },
    ]
}

pub(super) fn or_nothing(chart: String, nothing: &str) -> String {
    if chart.is_empty() { format!("<p class=\"empty\">{}</p>", escape(nothing)) } else { chart }
}
