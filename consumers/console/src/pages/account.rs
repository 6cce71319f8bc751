//! A billing account: its pages' head, and its bills, invoices, requests to pay and runway.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use drawdown_domain::money::Amount;
use serde_json::Value;

use super::charts::{self, Bar, Unit};
use super::money::money;
use super::overview::or_nothing;
use super::payments::payments;
use super::table::{Column, Kind, Table, banner, column, currency, explains, extra, text, time};
use super::wallet::{Forms, Wallet, lasts};
use super::{NoPage, NoRows, look_at, rows, shown};
use crate::Row;
use crate::api::{Shared, row};
use crate::problem::Problem;
use crate::views::named;

const BILLS: &[Column] = &[
    column("issued_at", "Issued", Kind::Time),
    extra("bill", "Bill", Kind::Text),
    extra("account", "Account", Kind::Text),
    column("product", "Product", Kind::Text),
    extra("order", "Order", Kind::Text),
    column("amount", "Amount", Kind::Explained("bill")).with_currency(),
    extra("paid", "Paid", Kind::Money).with_currency(),
    column("status", "Status", Kind::Badge),
];

const INVOICES: &[Column] = &[
    extra("issued_at", "Issued", Kind::Time),
    column("number", "Number", Kind::Invoice),
    extra("type", "Type", Kind::Words),
    extra("net", "Net", Kind::Money).with_currency(),
    extra("tax", "Tax", Kind::Money).with_currency(),
    column("total", "Total", Kind::Explained("number")).with_currency(),
    extra("paid", "Paid", Kind::Money).with_currency(),
    extra("open", "Open", Kind::Money).with_currency(),
    column("status", "Status", Kind::Badge),
];

const REQUESTS: &[Column] = &[
    extra("asked_at", "Asked", Kind::Time),
    column("request", "Request", Kind::Text),
    column("direction", "Side", Kind::Words),
    extra("requester", "Requester", Kind::Text),
    extra("payer", "Payer", Kind::Text),
    extra("service", "For", Kind::Text),
    column("amount", "Amount", Kind::Money),
    extra("in_flight", "In flight", Kind::Money),
    column("status", "Status", Kind::Badge),
    extra("reason", "Reason", Kind::Long),
];

const REQUEST_TOTALS: &[Column] = &[
    column("direction", "Side", Kind::Words),
    column("status", "Status", Kind::Badge),
    column("requests", "Requests", Kind::Text),
    column("total", "Total", Kind::Money),
    extra("total_in_flight", "In flight", Kind::Money),
];

/// A page of a billing account: its head, and what the tab shows.
#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct Account {
    here: &'static str,
    pub(super) id: String,
    pub(super) balance: Row,
    /// How it stands, in a word or two.
    pills: Vec<String>,
    tab: &'static str,
    tabs: Vec<(&'static str, String)>,
    payments_page: String,
    /// What is owed, as a sentence.
    owed: Option<String>,
    pub(super) wallet: Option<Wallet>,
    pub(super) charts: Vec<Chart>,
    /// Why a chart has no list to show, as HTML.
    away: Option<String>,
    pub(super) tables: Vec<Table>,
    /// Says where the payments are that are no entries.
    pub(super) names_payments: bool,
    pub(super) forms: Option<Forms>,
}

pub(super) struct Chart {
    id: &'static str,
    title: &'static str,
    svg: String,
}

impl Account {
    /// Of a billing account that is not there, there is no page.
    pub(super) async fn new(
        site: &Shared,
        id: &str,
        tab: &'static str,
    ) -> Result<Account, Problem> {
        let balance = kept(site, "balance", id).await?;
        let due = kept(site, "due", id).await.ok();
        let path = crate::outside::escaped(id);
        let at = |end: &str| format!("/accounts/{path}{end}");
        let tabs = [
            ("Wallet", ""),
            ("Bills", "/bills"),
            ("Payments", "/payments"),
            ("Invoices", "/invoices"),
            ("Requests", "/requests"),
            ("Runway", "/runway"),
        ];
        Ok(Account {
            here: "",
            id: id.to_owned(),
            pills: standing(&balance),
            tab,
            tabs: tabs.map(|(name, end)| (name, at(end))).to_vec(),
            payments_page: at("/payments"),
            owed: due.and_then(|due| owed(&due)),
            wallet: None,
            charts: Vec::new(),
            away: None,
            tables: Vec::new(),
            names_payments: false,
            forms: None,
            balance,
        })
    }

    fn banner(&self) -> Option<String> {
        self.away.clone().or_else(|| banner(&self.tables))
    }

    fn explains(&self) -> bool {
        explains(&self.tables)
    }
}

/// How a billing account stands, in a word or two: who is overdue is not called valid.
pub(super) fn standing(balance: &Row) -> Vec<String> {
    let is_overdue = balance.get("overdue") == Some(&true.into());
    let state = Some(text(balance, "state")).filter(|state| !(is_overdue && state == "valid"));
    state.into_iter().chain(is_overdue.then(|| "overdue".to_owned())).collect()
}

/// What is owed on bills, and what of it the balance could pay.
fn owed(due: &Row) -> Option<String> {
    let (currency, code) = (currency(due), text(due, "currency"));
    let amount = |field| money(&text(due, field), currency);
    let is_zero = |field| text(due, field) == "0";
    if is_zero("owed") {
        return None;
    }
    let owed = format!("{} {code} is owed", amount("owed"));
    Some(match (is_zero("covered_by_balance"), is_zero("remainder")) {
        (_, true) => format!("{owed}, and the balance covers it."),
        (true, false) => format!("{owed}, and the balance covers none of it."),
        (false, false) => {
            let (covered, rest) = (amount("covered_by_balance"), amount("remainder"));
            format!("{owed}; the balance covers {covered} of it, and {rest} remains.")
        }
    })
}

/// A row that a ledger keeps.
pub(super) async fn kept(site: &Shared, view: &str, id: &str) -> Result<Row, Problem> {
    let view = named(view).ok_or_else(|| Problem::not_found(format!("there is no view {view}")))?;
    match row(site, view, id).await? {
        Value::Object(row) => Ok(row),
        other => Err(Problem::unavailable(format!("{other} is no row"))),
    }
}

/// Rows that are all in the billing account's currency, and do not say so.
pub(super) fn with_currency(
    rows: Result<Vec<Row>, NoRows>,
    code: &str,
) -> Result<Vec<Row>, NoRows> {
    rows.map(|mut rows| {
        for row in &mut rows {
            row.entry("currency").or_insert_with(|| code.into());
        }
        rows
    })
}

pub(super) async fn tab(
    State(site): State<Shared>,
    Path((id, tab)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look_at(&site, &headers, &id).await?;
    match tab.as_str() {
        "bills" => bills(&site, &id, &headers).await,
        "payments" => payments(&site, &id, &headers).await,
        "invoices" => invoices(&site, &id, &headers).await,
        "requests" => requests(&site, &id, &headers).await,
        "runway" => runway(&site, &id, &headers).await,
        other => Err(Problem::not_found(format!("there is no page {other} of {id}")).into()),
    }
}

async fn bills(site: &Shared, id: &str, headers: &HeaderMap) -> Result<Response, NoPage> {
    let mut page = Account::new(site, id, "Bills").await?;
    let bills = rows(site, headers, "bills", &[("billing_account", id), ("limit", "100")]).await;
    let export = format!("/v1/show/bills/{}?format=csv", crate::outside::escaped(id));
    let bills = Table::new("bills", "Bills", "No bill was issued yet.", BILLS, bills);
    page.tables = vec![bills.on("bills").exported(export)];
    Ok(shown(&page))
}

async fn invoices(site: &Shared, id: &str, headers: &HeaderMap) -> Result<Response, NoPage> {
    let mut page = Account::new(site, id, "Invoices").await?;
    let of = [("billing_account", id), ("limit", "100")];
    let invoices = rows(site, headers, "invoices", &of).await;
    let empty = "No invoice yet: they come on the 1st and the 16th, for the half-month before.";
    let invoices = Table::new("invoices", "Invoices", empty, INVOICES, invoices);
    page.tables = vec![invoices.on("invoices")];
    Ok(shown(&page))
}

/// Pay for me, on both sides (R10.3).
async fn requests(site: &Shared, id: &str, headers: &HeaderMap) -> Result<Response, NoPage> {
    let mut page = Account::new(site, id, "Requests").await?;
    let of = [("billing_account", id), ("limit", "100")];
    let (totals, requests) = tokio::join!(
        rows(site, headers, "payment_request_totals", &of),
        rows(site, headers, "payment_requests", &of),
    );
    let empty = "Nobody was asked to pay yet.";
    let export = format!("/v1/show/payment_requests/{}?format=csv", crate::outside::escaped(id));
    page.tables = vec![
        Table::new("totals", "Totals", empty, REQUEST_TOTALS, totals).on("payment_requests"),
        Table::new("requests", "Requests to pay", empty, REQUESTS, requests)
            .on("payment_requests")
            .exported(export),
    ];
    Ok(shown(&page))
}

async fn runway(site: &Shared, id: &str, headers: &HeaderMap) -> Result<Response, NoPage> {
    let mut page = Account::new(site, id, "Runway").await?;
    let of = [("billing_account", id), ("limit", "30")];
    let days = rows(site, headers, "spend_by_day", &of).await;
    let left = kept(site, "runway", id).await.ok();
    page.wallet = Some(Wallet::new(&page.balance, left.as_ref()));
    let currency = currency(&page.balance);
    let runs_out = left.as_ref().and_then(|left| runs_out(&page.balance, left));
    let lasts = runs_out.map_or_else(String::new, |runs_out| runs_out.drawn());
    let bars: Vec<Bar> = days.as_deref().unwrap_or_default().iter().rev().map(bar).collect();
    let burn = charts::bars("Burn by day", &bars, Unit::Money(currency));
    let nothing = days.as_ref().err().map_or("Nothing was used yet.", NoRows::beside_banner);
    page.away = days.as_ref().err().and_then(NoRows::banner);
    page.charts = vec![
        Chart {
            id: "lasts-chart",
            title: "How long it lasts",
            svg: or_nothing(lasts, "There is nothing that could run out, or nothing that uses it."),
        },
        Chart { id: "burn-chart", title: "Burn by day", svg: or_nothing(burn, nothing) },
    ];
    Ok(shown(&page))
}

fn bar(day: &Row) -> Bar {
    Bar { name: text(day, "day"), amount: text(day, "charge").parse().unwrap_or_default() }
}

/// How what is available runs out, if it does.
fn runs_out(balance: &Row, left: &Row) -> Option<charts::Runway> {
    let available: Amount = text(balance, "available").parse().ok()?;
    let days: Amount = text(left, "days_left").parse().ok()?;
    let empty_on = time(&text(left, "empty_on")).get(..10)?.to_owned();
    let (currency, lasts) = (currency(balance), lasts(days));
    available.is_positive().then_some(charts::Runway { available, currency, lasts, empty_on })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::row;
    use super::*;

    #[test]
    fn what_is_owed_is_a_sentence() {
        let check = |amount: &str, covered: &str, remainder: &str, expected: Option<&str>| {
            let due = json!({ "currency": "USD", "owed": amount, "covered_by_balance": covered,
                "remainder": remainder });
            assert_eq!(owed(&row(due)).as_deref(), expected);
        };
        check("0", "0", "0", None);
        check("20.38", "20.38", "0", Some("20.38 USD is owed, and the balance covers it."));
        check("20.38", "0", "20.38", Some("20.38 USD is owed, and the balance covers none of it."));
        let part = "20.38 USD is owed; the balance covers 5.00 of it, and 15.38 remains.";
        check("20.38", "5", "15.38", Some(part));
    }

    #[test]
    fn who_is_overdue_is_not_called_valid() {
        let check = |state: &str, overdue: bool, expected: &[&str]| {
            assert_eq!(standing(&row(json!({ "state": state, "overdue": overdue }))), expected);
        };
        check("valid", false, &["valid"]);
        check("valid", true, &["overdue"]);
        check("frozen", true, &["frozen", "overdue"]);
    }
}
