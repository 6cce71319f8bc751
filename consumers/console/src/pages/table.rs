//! Tables of rows, and how values look.

use drawdown_domain::money::{Amount, Currency};
use serde_json::Value;

use crate::Row;

/// A column of a table: which field, and how it looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) field: &'static str,
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    pub(super) number: bool,
    /// Not worth its room on a phone.
    pub(super) extra: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text that may be broken over lines on a phone, too.
    Long,
    /// A symbol, as words.
    Words,
    Money,
    /// Money that leads to where it comes from: what this other field is called is explained.
    Explained(&'static str),
    Time,
    Badge,
    /// Leads to the page of that billing account.
    Account,
    /// Leads to the invoice's PDF.
    Invoice,
}

pub(super) const fn column(field: &'static str, title: &'static str, kind: Kind) -> Column {
    Column {
        field,
        title,
        kind,
        number: matches!(kind, Kind::Money | Kind::Explained(_)),
        extra: false,
    }
}

/// A column that a phone leaves out.
pub(super) const fn extra(field: &'static str, title: &'static str, kind: Kind) -> Column {
    Column { extra: true, ..column(field, title, kind) }
}

#[derive(Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) class: &'static str,
    pub(super) link: Option<String>,
    pub(super) extra: bool,
}

impl Cell {
    /// A symbol as words.
    pub(super) fn shown(&self) -> String {
        self.text.replace('_', " ")
    }
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// The view whose rows make it out of date.
    pub(super) refresh_on: &'static str,
    pub(super) export: Option<String>,
    pub(super) empty: &'static str,
    pub(super) trouble: Option<String>,
    pub(super) columns: &'static [Column],
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(
        id: &'static str,
        title: &'static str,
        empty: &'static str,
        columns: &'static [Column],
        rows: Result<Vec<Row>, String>,
    ) -> Table {
        let (rows, trouble) = match rows {
            Ok(rows) => (rows, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let cells = |row: Row| columns.iter().map(|column| cell(column, &row)).collect();
        let rows = rows.into_iter().map(cells).collect();
        Table { id, title, refresh_on: "", export: None, empty, trouble, columns, rows }
    }

    pub(super) fn on(self, refresh_on: &'static str) -> Table {
        Table { refresh_on, ..self }
    }

    pub(super) fn exported(self, export: String) -> Table {
        Table { export: Some(export), ..self }
    }
}

fn cell(column: &Column, row: &Row) -> Cell {
    let text = text(row, column.field);
    let path = crate::outside::escaped(&text);
    let extra = column.extra;
    let plain = |text: String, class| Cell { text, class, link: None, extra };
    let linked = |text: String, link| Cell { text, class: "text", link: Some(link), extra };
    match column.kind {
        Kind::Text => plain(text, "text"),
        Kind::Long => plain(text, "long"),
        Kind::Words => plain(text.replace('_', " "), "words"),
        Kind::Time => plain(time(&text), "time"),
        Kind::Badge => plain(text, "badge"),
        Kind::Money => plain(money(&text, currency(row)), sign(&text)),
        Kind::Explained(id) => {
            let id = crate::outside::escaped(&self::text(row, id));
            let link = (!id.is_empty()).then(|| format!("/explain/{id}"));
            Cell { text: money(&text, currency(row)), class: sign(&text), link, extra }
        }
        Kind::Account => linked(text, format!("/accounts/{path}")),
        Kind::Invoice => linked(text, format!("/v1/invoices/{path}.pdf")),
    }
}

fn sign(amount: &str) -> &'static str {
    if amount.starts_with('-') { "minus" } else { "money" }
}

/// A field's value as text; nothing for what is not there.
pub(super) fn text(row: &Row, field: &str) -> String {
    match row.get(field) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

pub(super) fn currency(row: &Row) -> Option<Currency> {
    let code = row.get("currency")?.as_str()?;
    Currency::ALL.into_iter().find(|currency| currency.code() == code)
}

/// An amount to the currency's minor unit, its thousands apart; without a currency to the cent.
pub(super) fn money(text: &str, currency: Option<Currency>) -> String {
    let Ok(amount) = text.parse::<Amount>() else { return text.to_owned() };
    let currency = currency.unwrap_or(Currency::Usd);
    let digits = if currency.minor_unit() == Amount::ONE { 0 } else { 2 };
    let rounded = amount.rounded_half_away(currency).unwrap_or(amount).to_string();
    let (whole, part) = rounded.split_once('.').unwrap_or((&rounded, ""));
    let mut grouped = count(whole);
    if digits > 0 {
        grouped.push_str(&format!(".{part:0<digits$}"));
    }
    grouped
}

/// A whole number, its thousands apart.
pub(super) fn count(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("\u{2212}", digits));
    let mut grouped = String::from(sign);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `2026-03-01T01:02:03.4Z` as `2026-03-01 01:02`.
pub(super) fn time(text: &str) -> String {
    let text = text.replace('T', " ");
    text.get(..16).map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_to_its_minor_unit() {
        assert_eq!(money("1234567.5", Some(Currency::Usd)), "1,234,567.50");
        assert_eq!(money("-0.005", Some(Currency::Usd)), "\u{2212}0.01");
        assert_eq!(money("999", None), "999.00");
        assert_eq!(money("1234.6", Some(Currency::Jpy)), "1,235");
        assert_eq!(money("n/a", None), "n/a");
    }

    #[test]
    fn a_time_is_shown_to_the_minute() {
        assert_eq!(time("2026-03-01T01:02:03.4Z"), "2026-03-01 01:02");
        assert_eq!(time("soon"), "soon");
    }
}
