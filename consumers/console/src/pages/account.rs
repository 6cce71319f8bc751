//! A billing account: its wallet, bills, invoices, requests to pay and runway.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use drawdown_domain::money::Amount;
use serde_json::Value;

use super::charts::{Bar, Unit, bars, runway};
use super::overview::or_nothing;
use super::table::{Column, Kind, Table, column, currency, extra, money, text, time};
use super::{NoPage, look_at, rows, shown};
use crate::Row;
use crate::api::{Shared, row};
use crate::problem::Problem;
use crate::views::named;

/// What of a balance the wallet shows.
const ASSETS: &[(&str, &str)] = &[
    ("cash", "Cash"),
    ("cash_transferred_in", "Transferred in"),
    ("credit_limit", "Credit limit"),
    ("credit_refund", "Credit refunds"),
    ("unsettled_current", "Unsettled this month"),
    ("unsettled_previous", "Unsettled earlier"),
    ("transferable", "Transferable"),
    ("in_flight", "In flight"),
];

const ENTRIES: &[Column] = &[
    column("at", "Time", Kind::Time),
    extra("asset", "Asset", Kind::Words),
    column("cause", "Cause", Kind::Words),
    column("amount", "Amount", Kind::Explained("entry")),
    extra("after", "After", Kind::Money),
    extra("remark", "Remark", Kind::Text),
];

const MONTHS: &[Column] = &[
    column("month", "Month", Kind::Text),
    column("money_in", "In", Kind::Money),
    column("money_out", "Out", Kind::Money),
];

const BILLS: &[Column] = &[
    column("issued_at", "Issued", Kind::Time),
    extra("bill", "Bill", Kind::Text),
    extra("account", "Account", Kind::Text),
    column("product", "Product", Kind::Text),
    extra("order", "Order", Kind::Text),
    column("amount", "Amount", Kind::Explained("bill")),
    extra("paid", "Paid", Kind::Money),
    column("status", "Status", Kind::Badge),
];

const INVOICES: &[Column] = &[
    extra("issued_at", "Issued", Kind::Time),
    column("number", "Number", Kind::Invoice),
    extra("type", "Type", Kind::Words),
    extra("net", "Net", Kind::Money),
    extra("tax", "Tax", Kind::Money),
    column("total", "Total", Kind::Explained("number")),
    extra("paid", "Paid", Kind::Money),
    column("open", "Open", Kind::Money),
    extra("currency", "Currency", Kind::Text),
    column("status", "Status", Kind::Badge),
];

const PAYMENTS: &[Column] = &[
    column("at", "Time", Kind::Time),
    extra("payment", "Payment", Kind::Text),
    extra("cause", "Cause", Kind::Words),
    column("amount", "Amount", Kind::Explained("payment")),
    column("status", "Status", Kind::Badge),
    extra("reason", "Reason", Kind::Text),
];

const METHODS: &[Column] = &[
    column("method", "Method", Kind::Text),
    column("kind", "Kind", Kind::Words),
    extra("brand", "Brand", Kind::Words),
    extra("expires", "Expires", Kind::Text),
    extra("linked_at", "Linked", Kind::Time),
    column("preferred", "", Kind::Words),
    column("state", "State", Kind::Badge),
];

const CHECKS: &[Column] = &[
    column("at", "Time", Kind::Time),
    extra("payment", "Payment", Kind::Text),
    column("cause", "Cause", Kind::Words),
    extra("method", "Method", Kind::Text),
    column("amount", "Held and given back", Kind::Money),
    column("status", "Status", Kind::Badge),
    extra("reason", "Reason", Kind::Text),
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
    extra("reason", "Reason", Kind::Text),
];

const REQUEST_TOTALS: &[Column] = &[
    column("direction", "Side", Kind::Words),
    column("status", "Status", Kind::Badge),
    column("requests", "Requests", Kind::Text),
    column("total", "Total", Kind::Money),
    extra("total_in_flight", "In flight", Kind::Money),
];

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    here: &'static str,
    id: String,
    state: String,
    tab: &'static str,
    tabs: Vec<(&'static str, String)>,
    wallet: Option<Wallet>,
    trouble: Option<String>,
    chart: String,
    chart_title: &'static str,
    tables: Vec<Table>,
    settings: Option<Settings>,
}

struct Wallet {
    currency: String,
    available: String,
    available_raw: String,
    runway: String,
    assets: Vec<Asset>,
}

struct Asset {
    field: &'static str,
    name: &'static str,
    value: String,
}

struct Settings {
    currency: String,
    /// How money can be paid in.
    methods: Vec<String>,
}

impl Account {
    fn new(id: &str, tab: &'static str, balance: &Row) -> Account {
        let path = crate::outside::escaped(id);
        let tabs = [
            ("Wallet", ""),
            ("Bills", "/bills"),
            ("Invoices", "/invoices"),
            ("Requests", "/requests"),
            ("Runway", "/runway"),
        ];
        Account {
            here: "",
            id: id.to_owned(),
            state: text(balance, "state"),
            tab,
            tabs: tabs.map(|(name, end)| (name, format!("/accounts/{path}{end}"))).to_vec(),
            wallet: None,
            trouble: None,
            chart: String::new(),
            chart_title: "",
            tables: Vec::new(),
            settings: None,
        }
    }
}

/// A row that a ledger keeps.
async fn kept(site: &Shared, view: &str, id: &str) -> Result<Row, Problem> {
    let view = named(view).ok_or_else(|| Problem::not_found(format!("there is no view {view}")))?;
    match row(site, view, id).await? {
        Value::Object(row) => Ok(row),
        other => Err(Problem::unavailable(format!("{other} is no row"))),
    }
}

pub(super) async fn wallet(
    State(site): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look_at(&site, &headers, &id).await?;
    let balance = kept(&site, "balance", &id).await?;
    let left = kept(&site, "runway", &id).await;
    let of = [("billing_account", id.as_str()), ("limit", "20")];
    let (entries, months) = tokio::join!(
        rows(&site, &headers, "entries", &of),
        rows(&site, &headers, "money_by_month", &of),
    );
    let entries = entries.map(|mut rows| {
        for row in &mut rows {
            let name = format!("{id}.e{}", text(row, "number"));
            row.insert("entry".to_owned(), name.into());
        }
        rows
    });
    let code = text(&balance, "currency");
    let export = format!("/v1/show/entries/{}?format=csv", crate::outside::escaped(&id));
    let tables = vec![
        Table::new(
            "entries",
            "Entries",
            "Nothing moved yet.",
            ENTRIES,
            with_currency(entries, &code),
        )
        .on("entries")
        .exported(export),
        Table::new(
            "months",
            "Money by month",
            "Nothing moved yet.",
            MONTHS,
            with_currency(months, &code),
        )
        .on("entries"),
    ];
    let mut page = Account::new(&id, "Wallet", &balance);
    page.wallet = Some(wallet_of(&balance, left.ok().as_ref()));
    page.tables = tables;
    let methods = linked(&site, &id).await.unwrap_or_default();
    let usable = methods.iter().filter(|row| text(row, "state") == "active");
    let names = std::iter::once("bank_transfer".to_owned());
    let methods = names.chain(usable.map(|row| text(row, "method"))).collect();
    page.settings = Some(Settings { currency: code, methods });
    Ok(shown(&page))
}

/// Its payment methods.
async fn linked(site: &Shared, id: &str) -> Result<Vec<Row>, String> {
    let row = kept(site, "payment_methods", id).await;
    let row = row.map_err(|problem| problem.detail().to_owned())?;
    let methods = row.get("payment_methods").and_then(Value::as_array).into_iter().flatten();
    Ok(methods.filter_map(Value::as_object).cloned().collect())
}

/// Rows that are all in the billing account's currency, and do not say so.
fn with_currency(rows: Result<Vec<Row>, String>, code: &str) -> Result<Vec<Row>, String> {
    rows.map(|mut rows| {
        for row in &mut rows {
            row.entry("currency").or_insert_with(|| code.into());
        }
        rows
    })
}

/// Whether nothing is available that a runway could be measured by.
fn is_spent(balance: &Row) -> bool {
    let available: Result<Amount, _> = text(balance, "available").parse();
    available.is_ok_and(|available| !available.is_positive())
}

fn wallet_of(balance: &Row, left: Option<&Row>) -> Wallet {
    let currency = currency(balance);
    let shown = |field: &str| money(&text(balance, field), currency);
    let runway = match left
        .map(|left| (text(left, "burn_per_day"), text(left, "days_left"), text(left, "empty_on")))
    {
        Some((burn, ..)) if is_spent(balance) && !burn.is_empty() => {
            format!("Nothing is left, at {} a day", money(&burn, currency))
        }
        Some((burn, days, date)) if !days.is_empty() => format!(
            "Lasts {days} days at {} a day, until {}",
            money(&burn, currency),
            time(&date).get(..10).unwrap_or_default()
        ),
        _ => "No burn yet".to_owned(),
    };
    Wallet {
        currency: text(balance, "currency"),
        available: shown("available"),
        available_raw: text(balance, "available"),
        runway,
        assets: ASSETS
            .iter()
            .map(|(field, name)| Asset { field, name, value: shown(field) })
            .collect(),
    }
}

pub(super) async fn tab(
    State(site): State<Shared>,
    Path((id, tab)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look_at(&site, &headers, &id).await?;
    // Of a billing account that is not there, there is no page.
    let balance = kept(&site, "balance", &id).await?;
    match tab.as_str() {
        "bills" => Ok(bills(&site, &id, &balance, &headers).await),
        "invoices" => Ok(invoices(&site, &id, &balance, &headers).await),
        "requests" => Ok(requests(&site, &id, &balance, &headers).await),
        "runway" => Ok(runway_of(&site, &id, &balance, &headers).await),
        other => Err(Problem::not_found(format!("there is no page {other} of {id}")).into()),
    }
}

async fn bills(site: &Shared, id: &str, balance: &Row, headers: &HeaderMap) -> Response {
    let of = [("billing_account", id), ("limit", "100")];
    let (bills, payments) =
        tokio::join!(rows(site, headers, "bills", &of), rows(site, headers, "payments", &of),);
    let mut page = Account::new(id, "Bills", balance);
    let currency = currency(balance);
    if let Ok(due) = kept(site, "due", id).await {
        page.trouble = Some(text(&due, "owed")).filter(|owed| owed != "0").map(|owed| {
            let (covered, rest) = (text(&due, "covered_by_balance"), text(&due, "remainder"));
            format!(
                "Owed {}; the balance covers {}, {} remains",
                money(&owed, currency),
                money(&covered, currency),
                money(&rest, currency)
            )
        });
    }
    let export = format!("/v1/show/bills/{}?format=csv", crate::outside::escaped(id));
    let checks = payments.clone().map(|rows| rows.into_iter().filter(is_check).collect());
    let payments = payments.map(|rows| rows.into_iter().filter(|row| !is_check(row)).collect());
    let unchecked = "No method was checked yet.";
    let methods = linked(site, id).await.map(|mut rows| {
        for row in &mut rows {
            let preferred = row.get("preferred") == Some(&true.into());
            row.insert("preferred".to_owned(), if preferred { "preferred" } else { "" }.into());
        }
        rows
    });
    let unlinked = "No payment method is linked: bills are paid from the balance.";
    page.tables = vec![
        Table::new("bills", "Bills", "No bill was issued yet.", BILLS, bills)
            .on("bills")
            .exported(export),
        Table::new("payments", "Payments", "No payment yet.", PAYMENTS, payments).on("payments"),
        Table::new("methods", "Payment methods", unlinked, METHODS, methods).on("payments"),
        Table::new("checks", "Checks of methods, which move no money", unchecked, CHECKS, checks)
            .on("payments"),
    ];
    shown(&page)
}

/// Whether a payment only shows that a method can pay (R7.2, R7.4).
pub(super) fn is_check(row: &Row) -> bool {
    matches!(text(row, "cause").as_str(), "test" | "preauthorisation")
}

async fn invoices(site: &Shared, id: &str, balance: &Row, headers: &HeaderMap) -> Response {
    let of = [("billing_account", id), ("limit", "100")];
    let invoices = rows(site, headers, "invoices", &of).await;
    let mut page = Account::new(id, "Invoices", balance);
    let empty = "No invoice yet: they come on the 1st and the 16th, for the half-month before.";
    page.tables =
        vec![Table::new("invoices", "Invoices", empty, INVOICES, invoices).on("invoices")];
    shown(&page)
}

/// Pay for me, on both sides (R10.3).
async fn requests(site: &Shared, id: &str, balance: &Row, headers: &HeaderMap) -> Response {
    let of = [("billing_account", id), ("limit", "100")];
    let (totals, requests) = tokio::join!(
        rows(site, headers, "payment_request_totals", &of),
        rows(site, headers, "payment_requests", &of),
    );
    let mut page = Account::new(id, "Requests", balance);
    let empty = "Nobody was asked to pay yet.";
    let export = format!("/v1/show/payment_requests/{}?format=csv", crate::outside::escaped(id));
    page.tables = vec![
        Table::new("totals", "Totals", empty, REQUEST_TOTALS, totals).on("payment_requests"),
        Table::new("requests", "Requests to pay", empty, REQUESTS, requests)
            .on("payment_requests")
            .exported(export),
    ];
    shown(&page)
}

async fn runway_of(site: &Shared, id: &str, balance: &Row, headers: &HeaderMap) -> Response {
    let of = [("billing_account", id), ("limit", "30")];
    let days = rows(site, headers, "spend_by_day", &of).await;
    let left = kept(site, "runway", id).await;
    let mut page = Account::new(id, "Runway", balance);
    page.wallet = Some(wallet_of(balance, left.as_ref().ok()));
    let currency = currency(balance);
    let mut charts = String::new();
    if let Ok(left) = &left {
        let date = time(&text(left, "empty_on"));
        let available: Result<Amount, _> = text(left, "available").parse();
        let days: Result<Amount, _> = text(left, "days_left").parse();
        if let (Ok(available), Ok(days), Some(date)) = (available, days, date.get(..10))
            && available.is_positive()
        {
            charts.push_str(&runway(available, days, date));
        }
    }
    let days = days.map(|rows| {
        let bars = rows.iter().rev().map(|row| Bar {
            name: text(row, "day"),
            amount: text(row, "charge").parse().unwrap_or_default(),
        });
        bars.collect::<Vec<_>>()
    });
    let burned = days.as_deref().unwrap_or_default();
    charts.push_str(&bars("Burn by day", burned, Unit::Money(currency)));
    page.trouble = days.err();
    page.chart = or_nothing(charts, "Nothing was used yet.");
    page.chart_title = "Burn by day, and how long it lasts";
    shown(&page)
}
