//! The overview: all of it at a glance, the lowest balances first.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use drawdown_domain::money::Amount;

use super::account::standing;
use super::charts::{Bar, Unit, bars};
use super::markup::escape;
use super::payments::is_check;
use super::table::{Column, Kind, Table, banner, column, explains, extra, text};
use super::{NoPage, NoRows, look, rows, shown};
use crate::Row;
use crate::api::Shared;
use crate::numbers::count;

/// So many of the lowest balances are listed.
const BALANCES_LISTED: &str = "50";

const BALANCES: &[Column] = &[
    column("billing_account", "Billing account", Kind::Account),
    column("available", "Available", Kind::Left).with_currency(),
    extra("cash", "Cash", Kind::Money).with_currency(),
    extra("unsettled", "Unsettled", Kind::Spent).with_currency(),
    column("state", "State", Kind::Badge),
];

/// So many of the latest payments are listed.
const PAYMENTS_LISTED: usize = 8;

const PAYMENTS: &[Column] = &[
    column("at", "Time", Kind::Time),
    column("billing_account", "Billing account", Kind::Account),
    column("amount", "Amount", Kind::Explained("payment")).with_currency(),
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

impl Overview {
    fn banner(&self) -> Option<String> {
        banner([&self.balances, &self.payments, &self.mails])
    }

    fn explains(&self) -> bool {
        explains([&self.payments])
    }
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
        rows(&site, &headers, "balances", &[("limit", BALANCES_LISTED)]),
        rows(&site, &headers, "payments", &[("limit", "100")]),
        rows(&site, &headers, "mail", &[("limit", "8")]),
        rows(&site, &headers, "usage_by_day", &[("limit", "30")]),
    );
    let balances = balances.map(by_currency);
    let payments = payments.map(|mut rows| {
        rows.retain(|row| !is_check(row));
        rows.truncate(PAYMENTS_LISTED);
        rows
    });
    let figures = figures(days.as_deref().ok(), balances.as_deref().ok(), payments.as_deref().ok());
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
            days.as_ref().err().map_or("Nothing was used yet.", NoRows::beside_banner),
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

/// Balances of one currency together, the lowest first: those of different ones cannot be compared.
fn by_currency(mut balances: Vec<Row>) -> Vec<Row> {
    let amount = |row: &Row, field| text(row, field).parse::<Amount>().unwrap_or_default();
    balances.sort_by_cached_key(|row| (text(row, "currency"), amount(row, "available")));
    for row in &mut balances {
        let parts = ["unsettled_current", "unsettled_previous"].map(|field| amount(row, field));
        let unsettled = Amount::sum(parts).unwrap_or_default().to_string();
        row.insert("unsettled".to_owned(), unsettled.into());
        let standing = standing(row).pop().unwrap_or_default();
        row.insert("state".to_owned(), standing.into());
    }
    balances
}

fn figures(
    days: Option<&[Row]>,
    balances: Option<&[Row]>,
    payments: Option<&[Row]>,
) -> Vec<Figure> {
    let figure = |name, value: Option<String>, note: String| Figure {
        name,
        value: value.unwrap_or_else(|| "\u{2014}".to_owned()),
        note,
    };
    let number_of = |rows: Option<&[Row]>, is_meant: fn(&Row) -> bool| {
        rows.map(|rows| rows.iter().filter(|row| is_meant(row)).count().to_string())
    };
    let today = days.and_then(<[Row]>::first);
    let listed = balances.map(|rows| rows.len().to_string());
    let are_all = listed.as_deref() != Some(BALANCES_LISTED);
    let (accounts, of_accounts) = match listed {
        Some(listed) if are_all => (Some(listed.clone()), format!("of {listed}")),
        Some(listed) => (Some(format!("{listed}+")), format!("of the lowest {listed}")),
        None => (None, String::new()),
    };
    let of_payments = payments.map(|rows| match rows.len() {
        PAYMENTS_LISTED => format!("of the latest {PAYMENTS_LISTED}"),
        count => format!("of {count}"),
    });
    let below_zero = number_of(balances, |row| text(row, "available").starts_with('-'));
    let declined = number_of(payments, |row| text(row, "status") == "declined");
    vec![
        figure(
            "Usage records of the latest day",
            today.map(|row| count(&text(row, "records"))),
            today.map_or_else(String::new, |row| format!("used on {}", text(row, "day"))),
        ),
        figure("Billing accounts", accounts, String::new()),
        figure("Below zero", below_zero, of_accounts),
        figure("Payments declined", declined, of_payments.unwrap_or_default()),
    ]
}

pub(super) fn or_nothing(chart: String, nothing: &str) -> String {
    if chart.is_empty() { format!("<p class=\"empty\">{}</p>", escape(nothing)) } else { chart }
}
