//! What a visitor is promised to see, each as a look from outside: what was seen, or why it is not there yet.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, bail, ensure};
use drawdown_components::pdf_text;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::site::Site;

/// Its name, and how it is looked at.
pub(crate) type Promise<'a> = (&'static str, &'a dyn Fn(&Site) -> anyhow::Result<String>);

pub(crate) const PROMISES: &[Promise<'static>] = &[
    ("the console answers", &console),
    ("bills", &bills),
    ("a charge at a threshold, in the gateway's own book", &threshold_charge),
    ("a mail about a low balance, at the mail server", &low_balance_mail),
    ("an invoice, whose PDF shows its figures", &invoice),
    ("equal totals by API, command line and SQL", &equal_totals),
];

fn console(site: &Site) -> anyhow::Result<String> {
    let page = String::from_utf8(site.get("/")?)?;
    ensure!(page.contains("Aurora Labs") || page.contains("ba-aurora"), "it shows nobody");
    Ok(format!("{} bytes of overview", page.len()))
}

fn bills(site: &Site) -> anyhow::Result<String> {
    let bills = site.rows("bills", "", "")?;
    let billed: BTreeSet<&str> =
        bills.iter().filter_map(|bill| bill["billing_account"].as_str()).collect();
    ensure!(billed.len() >= 3, "{} bills of {} billing accounts", bills.len(), billed.len());
    Ok(format!("{} of {} billing accounts", bills.len(), billed.len()))
}

/// A payment that the ledger began at a threshold stands in the sandbox's book as a charge that succeeded.
fn threshold_charge(site: &Site) -> anyhow::Result<String> {
    let book = fs::read_to_string(site.data().join("sandbox/book.ndjson"))?;
    let booked: Vec<Value> =
        book.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("the book")?;
    let payments = site.rows("payments", "", "cause=threshold&status=succeeded")?;
    for payment in &payments {
        let charged = booked.iter().find(|line| {
            line["kind"] == "charge"
                && line["answer"] == "succeeded"
                && line["key"] == payment["payment"]
                && amount(&line["amount"]).ok() == amount(&payment["amount"]).ok()
        });
        if let Some(line) = charged {
            let (amount, currency) = (text(&line["amount"]), text(&line["currency"]));
            return Ok(format!("{amount} {currency} from {}", text(&line["method"])));
        }
    }
    bail!("{} threshold payments, {} lines in the book", payments.len(), booked.len())
}

fn low_balance_mail(site: &Site) -> anyhow::Result<String> {
    let mails = site.mails.accepted()?;
    let low = mails.iter().find(|mail| mail.subject.starts_with("Low balance"));
    let low = low.with_context(|| format!("{} other mails", mails.len()))?;
    ensure!(low.text.is_some() && low.html.is_some(), "it lacks a text");
    Ok(format!("“{}” to {}", low.subject, low.to.join(", ")))
}

/// The figures of the view stand in the text of the PDF.
fn invoice(site: &Site) -> anyhow::Result<String> {
    let invoices = site.rows("invoices", "", "")?;
    let with_tax = |invoice: &&Value| amount(&invoice["tax"]).is_ok_and(|tax| !tax.is_zero());
    let invoice = invoices.iter().find(with_tax);
    let invoice = invoice.with_context(|| format!("{} invoices", invoices.len()))?;
    let number = text(&invoice["number"]);
    let pdf = site.get(&format!("/v1/invoices/{number}.pdf"))?;
    let path = site.folder.path().join(format!("{number}.pdf"));
    fs::write(&path, pdf)?;
    let shown = pdf_text(&path)?;
    let mut digits: String = shown.chars().filter(|letter| !letter.is_whitespace()).collect();
    // Points and commas are those of the invoice's language.
    digits.retain(|letter| !matches!(letter, ',' | '.'));
    ensure!(digits.contains(number), "{number} is not in it: {shown}");
    for field in ["net", "tax", "total"] {
        let figure = amount(&invoice[field])?;
        let decimals = if invoice["currency"] == "JPY" { 0 } else { 2 };
        let figure = format!("{figure:.decimals$}");
        ensure!(
            digits.contains(&figure.replace('.', "")),
            "its {field}, {figure}, is not in it: {shown}"
        );
    }
    let (total, currency) = (text(&invoice["total"]), text(&invoice["currency"]));
    Ok(format!("{number} over {total} {currency}"))
}

/// For every billing account: cash as the ledger has it, as the command line shows it, and as the entries in
/// ClickHouse add up to it; what was billed likewise.
fn equal_totals(site: &Site) -> anyhow::Result<String> {
    let mut compared = 0;
    for row in site.rows("balances", "", "")? {
        let of = text(&row["billing_account"]).to_owned();
        let shown = amount(&site.shown("balance", &of)?["cash"])?;
        let api = amount(&site.row("balance", &of)?["cash"])?;
        let sql = site.number(&format!(
            "SELECT sum(amount) FROM entries WHERE billing_account = '{of}' AND asset = 'cash'"
        ))?;
        ensure!(
            api == sql && api == shown,
            "cash of {of}: {api} by API, {shown} shown, {sql} by SQL"
        );
        // No bill is taken back, so that those of the past do not change while all three are asked.
        let until =
            site.sql(&format!("SELECT max(issued_at) FROM bills WHERE billing_account = '{of}'"))?;
        let until = until.first().and_then(|row| row.first()).context("no bills")?.clone();
        let number = site.number(&format!(
            "SELECT count() FROM bills WHERE billing_account = '{of}' AND issued_at <= '{until}'"
        ))?;
        let sql = site.number(&format!(
            "SELECT sum(amount) FROM bills WHERE billing_account = '{of}' AND issued_at <= '{until}'"
        ))?;
        let listed = site.rows("bills", &of, "")?;
        let skipped = listed.len().saturating_sub(usize::try_from(number)?);
        let oldest = listed.get(skipped..).unwrap_or_default();
        let api =
            oldest.iter().map(|bill| amount(&bill["amount"])).sum::<anyhow::Result<Decimal>>()?;
        ensure!(api == sql, "bills of {of}: {api} by API, {sql} by SQL");
        compared += 1;
    }
    ensure!(compared >= 6, "only {compared} billing accounts");
    Ok(format!("{compared} billing accounts"))
}

/// What was there before a stop.
pub(crate) struct Found {
    bills: Decimal,
    commands: Decimal,
    invoices: Decimal,
    accounts: Vec<String>,
}

pub(crate) fn found(site: &Site) -> anyhow::Result<Found> {
    let accounts = site.rows("balances", "", "")?;
    Ok(Found {
        bills: site.number("SELECT count() FROM bills")?,
        commands: site.number("SELECT count() FROM commands")?,
        invoices: site.number("SELECT count() FROM invoices")?,
        accounts: accounts.iter().map(|row| text(&row["billing_account"]).to_owned()).collect(),
    })
}

pub(crate) fn is_back(site: &Site, before: &Found) -> anyhow::Result<String> {
    for account in &before.accounts {
        site.row("balance", account)?;
    }
    let now = found(site)?;
    ensure!(
        now.bills >= before.bills
            && now.commands >= before.commands
            && now.invoices >= before.invoices
            && now.accounts.len() >= before.accounts.len(),
        "{} bills of {}, {} commands of {}",
        now.bills,
        before.bills,
        now.commands,
        before.commands
    );
    let accounts = before.accounts.len();
    Ok(format!("{} bills, {} commands, the balances of {accounts}", now.bills, now.commands))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn amount(value: &Value) -> anyhow::Result<Decimal> {
    text(value).parse().with_context(|| format!("{value} is no amount"))
}
