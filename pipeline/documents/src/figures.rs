//! An invoice as its reader sees it: words and figures in one language, ready to be placed on a page.

use drawdown_domain::ids::{AccountId, Country};
use drawdown_domain::invoices::{Invoice, InvoiceLine, InvoiceType, LineKind, TaxNote};
use drawdown_domain::money::{Amount, Overflow};
use drawdown_domain::payments::BANK_TRANSFER;
use drawdown_domain::time::{Span, Timestamp};
use serde::Serialize;

use crate::labels::Labels;
use crate::language::{Language, country};

/// All that stands on an invoice.
#[derive(Debug, Serialize)]
pub(crate) struct Figures<'a> {
    title: &'static str,
    number: &'a str,
    paper: &'static str,
    language: &'static str,
    region: Option<&'static str>,
    right_to_left: bool,
    /// Families, the first that has a sign is taken.
    fonts: [&'static str; 3],
    labels: &'static Labels,
    /// Year, month and day of the issue, for the document's properties.
    issued_on: (i16, u8, u8),
    issued: String,
    period: String,
    zone: String,
    corrects: Option<&'a str>,
    /// In the words of whoever asked for it.
    reason: Option<&'a str>,
    billing_account: &'a str,
    issuer: Party<'a>,
    customer: Party<'a>,
    currency: &'static str,
    accounts: Vec<OfAccount<'a>>,
    /// What belongs to no account.
    others: Vec<Line>,
    net: String,
    tax_rate: Option<String>,
    tax: String,
    note: Option<String>,
    /// What the line for rounding is, if there is one.
    rounding_note: Option<&'static str>,
    total: String,
    /// None: it is shown as it was issued.
    paying: Option<Paying>,
    settled: Option<Settled>,
    top_ups: Vec<TopUp<'a>>,
}

/// What was paid of it by a day.
#[derive(Debug, Serialize)]
struct Paying {
    paid: String,
    open: String,
    as_of: String,
}

/// What is paid of an invoice at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidSoFar {
    pub paid: Amount,
    pub open: Amount,
    pub at: Timestamp,
}

/// What an invoice comes to in the currency it is settled in.
#[derive(Clone, Debug, Serialize)]
pub struct Settled {
    /// `1 USD = 0.9 EUR`.
    pub rate: String,
    /// With the currency: `EUR 90.00`.
    pub net: String,
    pub tax: String,
    pub total: String,
}

/// One of the two whom an invoice is between.
#[derive(Debug, Serialize)]
struct Party<'a> {
    name: String,
    address: Option<&'a str>,
    country: Option<String>,
    tax_id: Option<&'a str>,
}

/// The lines of an account.
#[derive(Debug, Serialize)]
struct OfAccount<'a> {
    account: &'a str,
    sum: String,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    what: String,
    /// Whether `what` consists of names, which are read from the left.
    is_name: bool,
    /// What else there is to say, and which of it is a word.
    region: Option<String>,
    tier: Option<String>,
    remark: Option<&'static str>,
    quantity: Option<Quantity>,
    amount: String,
}

/// A quantity, and what it lacks to the longest fraction of its column: so that points stand in a line.
#[derive(Debug, Serialize)]
struct Quantity {
    written: String,
    blank: String,
}

#[derive(Debug, Serialize)]
struct TopUp<'a> {
    date: String,
    method: &'a str,
    amount: String,
}

impl<'a> Figures<'a> {
    pub(crate) fn of(
        invoice: &'a Invoice,
        paid: Option<PaidSoFar>,
    ) -> Result<Figures<'a>, Overflow> {
        let language = Language::of(invoice);
        let (labels, (tag, region)) = (Labels::of(language), language.tag());
        let money = |amount| language.money(amount, invoice.currency);
        let day = |at: Timestamp| language.day(invoice.time_zone.date_of(at));
        let issued = invoice.time_zone.date_of(invoice.issued_at);
        let mut figures = Figures {
            title: title(invoice, language),
            number: &invoice.number,
            paper: paper(invoice.country),
            language: tag,
            region,
            right_to_left: language.is_right_to_left(),
            fonts: ["Noto Sans", "Noto Sans Arabic", language.ideographs()],
            labels,
            issued_on: (issued.year(), issued.month(), issued.of_month()),
            issued: day(invoice.issued_at),
            period: period(invoice, language),
            zone: labels.zone.replace("{zone}", invoice.time_zone.name()),
            corrects: invoice.corrects.as_deref(),
            reason: invoice.reason.as_ref().map(|text| text.as_str()),
            billing_account: invoice.billing_account.as_str(),
            issuer: issuer(invoice, language),
            customer: Party {
                name: invoice.enterprise_name.to_string(),
                address: None,
                country: Some(country(invoice.country, language)),
                tax_id: invoice.tax_id.as_ref().map(|text| text.as_str()),
            },
            currency: invoice.currency.code(),
            accounts: Vec::new(),
            others: Vec::new(),
            net: money(invoice.net),
            tax_rate: (invoice.tax_note == TaxNote::Rated)
                .then(|| language.percent(invoice.tax_rate)),
            tax: money(invoice.tax),
            note: note(invoice, language),
            rounding_note: (invoice.lines.iter().any(|line| line.kind == LineKind::Rounding))
                .then_some(labels.rounding_note),
            total: money(invoice.total),
            paying: paid.map(|so_far| Paying {
                paid: money(so_far.paid),
                open: money(so_far.open),
                as_of: labels.as_of.replace("{day}", &day(so_far.at)),
            }),
            settled: settled(invoice, language),
            top_ups: Vec::with_capacity(invoice.top_ups.len()),
        };
        figures.put_lines(invoice, language)?;
        for top_up in &invoice.top_ups {
            let method = match top_up.method.as_ref().map(|method| method.as_str()) {
                Some(BANK_TRANSFER) => labels.bank_transfer,
                other => other.unwrap_or_default(),
            };
            let (date, amount) = (day(top_up.at), money(top_up.amount));
            figures.top_ups.push(TopUp { date, method, amount });
        }
        Ok(figures)
    }

    /// Lines are sorted by account; each account is a part of its own, with its sum.
    fn put_lines(&mut self, invoice: &'a Invoice, language: Language) -> Result<(), Overflow> {
        let places = invoice.lines.iter().filter_map(|line| line.quantity).map(places_of);
        let places_max = places.max().unwrap_or(0);
        let line = |line| written(line, language, invoice, places_max);
        let belongs = |line: &InvoiceLine, account: Option<&AccountId>| {
            line.account.as_ref() == account && account.is_some()
        };
        let mut lines = invoice.lines.as_slice();
        while let Some(first) = lines.first() {
            let account = first.account.as_ref();
            let count = lines.iter().take_while(|line| belongs(line, account)).count().max(1);
            let (own, rest) = lines.split_at(count);
            match account {
                Some(account) => {
                    let sum = Amount::sum(own.iter().map(|line| line.amount))?;
                    self.accounts.push(OfAccount {
                        account: account.as_str(),
                        sum: language.money(sum, invoice.currency),
                        lines: own.iter().map(line).collect(),
                    });
                }
                None => self.others.extend(own.iter().map(line)),
            }
            lines = rest;
        }
        Ok(())
    }
}

/// What it is called: an invoice or a credit note.
pub(crate) fn title(invoice: &Invoice, language: Language) -> &'static str {
    let labels = Labels::of(language);
    match invoice.r#type {
        InvoiceType::Invoice => labels.invoice,
        InvoiceType::CreditNote => labels.credit_note,
    }
}

/// The period, from its first day to its last.
pub(crate) fn period(invoice: &Invoice, language: Language) -> String {
    let day = |at: Timestamp| language.day(invoice.time_zone.date_of(at));
    let last = invoice.until.minus(Span::micros(1));
    format!("{} – {}", day(invoice.from), day(last))
}

/// The figures of another currency, if it is settled in one.
pub(crate) fn settled(invoice: &Invoice, language: Language) -> Option<Settled> {
    let currency = invoice.settlement_currency?;
    let rate = language.number(invoice.settlement_rate?);
    let money = |amount| format!("{currency} {}", language.money(amount, currency));
    Some(Settled {
        rate: format!("1 {} = {rate} {currency}", invoice.currency),
        net: money(invoice.settled_net?),
        tax: money(invoice.settled_tax?),
        total: money(invoice.settled_total?),
    })
}

/// An issuer without a name is called by its country.
fn issuer(invoice: &Invoice, language: Language) -> Party<'_> {
    let (name, address) = (&invoice.issuer_name, &invoice.issuer_address);
    let registered = country(invoice.issuer_country, language);
    Party {
        name: name.as_ref().map_or_else(|| registered.clone(), ToString::to_string),
        address: address.as_ref().map(|text| text.as_str()),
        country: name.is_some().then_some(registered),
        tax_id: invoice.issuer_tax_id.as_ref().map(|text| text.as_str()),
    }
}

/// Why there is no tax.
fn note(invoice: &Invoice, language: Language) -> Option<String> {
    let labels = Labels::of(language);
    match invoice.tax_note {
        TaxNote::Rated => None,
        TaxNote::NotListed => {
            Some(labels.not_listed.replace("{country}", &country(invoice.country, language)))
        }
        TaxNote::ReverseCharge => Some(labels.reverse_charge.to_owned()),
    }
}

fn written(line: &InvoiceLine, language: Language, invoice: &Invoice, places_max: usize) -> Line {
    let labels = Labels::of(language);
    let names = [
        line.product.as_ref().map(|name| name.as_str()),
        line.meter.as_ref().map(|name| name.as_str()),
    ];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    let order = line.order.as_ref().map_or("", |order| order.as_str());
    let (what, is_name, remark) = match line.kind {
        LineKind::Usage => (names.join(" / "), true, None),
        LineKind::Adjustment => (names.join(" / "), true, Some(labels.adjustment)),
        LineKind::Order if names.is_empty() => (order.to_owned(), true, Some(labels.order)),
        LineKind::Order => (format!("{} / {order}", names.join(" / ")), true, Some(labels.order)),
        LineKind::Coupons => (labels.coupons.to_owned(), false, None),
        LineKind::Rounding => (labels.rounding.to_owned(), false, None),
    };
    Line {
        what,
        is_name,
        region: line.region.as_ref().map(ToString::to_string),
        tier: line.tier.map(|tier| tier_in_words(tier, labels)),
        remark,
        quantity: line.quantity.map(|quantity| Quantity {
            written: language.number(quantity),
            blank: blank(places_of(quantity), places_max),
        }),
        amount: language.money(line.amount, invoice.currency),
    }
}

/// Which tier of its price a line is.
pub(crate) fn tier_in_words(tier: u8, labels: &Labels) -> String {
    labels.tier.replace("{tier}", &tier.to_string())
}

fn places_of(quantity: Amount) -> usize {
    quantity.to_string().split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

/// Digits, and a point if there is none, which are not shown but take their place.
fn blank(places: usize, places_max: usize) -> String {
    let point = if places == 0 && places_max > 0 { "." } else { "" };
    format!("{point}{}", "0".repeat(places_max.saturating_sub(places)))
}

/// North America has paper of its own.
fn paper(country: Country) -> &'static str {
    match country.as_str() {
        "US" | "CA" | "MX" => "us-letter",
        _ => "a4",
    }
}
