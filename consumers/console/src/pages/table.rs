//! Tables of rows, and how values look.

use drawdown_domain::money::Currency;
use serde_json::Value;

use super::NoRows;
use super::markup::marked;
use super::money::{Rounding, is_negative, rounded};
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
    /// Each amount says its currency: there are several in the table.
    pub(super) says_currency: bool,
}

impl Column {
    pub(super) const fn with_currency(self) -> Column {
        Column { says_currency: true, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text that may be broken over lines on a phone, too.
    Long,
    /// A text that may be broken over lines, but not within a word or number.
    Phrase,
    /// A symbol, as words.
    Words,
    Money,
    /// Money that is left, rounded down.
    Left,
    /// Money that is spent and not billed, rounded up.
    Spent,
    /// Money that leads to where it comes from: what this other field is called is explained.
    Explained(&'static str),
    Time,
    Badge,
    /// Leads to the page of that billing account.
    Account,
    /// Leads to the invoice's PDF.
    Invoice,
    /// The subject of a mail, which leads to the letter that was captured.
    Letter,
}

pub(super) const fn column(field: &'static str, title: &'static str, kind: Kind) -> Column {
    Column {
        field,
        title,
        kind,
        number: matches!(kind, Kind::Money | Kind::Left | Kind::Spent | Kind::Explained(_)),
        extra: false,
        says_currency: false,
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
    /// Why no list can be read now, which a page says once for all its tables.
    pub(super) away: Option<String>,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(
        id: &'static str,
        title: &'static str,
        empty: &'static str,
        columns: &'static [Column],
        rows: Result<Vec<Row>, NoRows>,
    ) -> Table {
        let (mut trouble, mut away) = (None, None);
        let rows = rows.unwrap_or_else(|why| {
            match why {
                NoRows::Away(why) => away = Some(why),
                NoRows::Refused(why) => trouble = Some(why),
            }
            Vec::new()
        });
        let empty = if away.is_some() { NOT_KNOWN } else { empty };
        let cells = |row: Row| columns.iter().map(|column| cell(column, &row)).collect();
        let cells: Vec<Vec<Cell>> = rows.into_iter().map(cells).collect();
        let says_something = |place: usize| {
            cells.iter().any(|row| row.get(place).is_some_and(|cell| !cell.text.is_empty()))
        };
        let kept: Vec<bool> = (0..columns.len()).map(says_something).collect();
        let rows = cells.into_iter().map(|row| among(&kept, row)).collect();
        let columns = among(&kept, columns.to_vec());
        Table { id, title, refresh_on: "", export: None, empty, trouble, away, columns, rows }
    }

    pub(super) fn on(self, refresh_on: &'static str) -> Table {
        Table { refresh_on, ..self }
    }

    pub(super) fn exported(self, export: String) -> Table {
        Table { export: Some(export), ..self }
    }
}

/// What stands in the place of rows where no list can be read; the page says why.
pub(super) const NOT_KNOWN: &str = "Not known as long as lists cannot be read.";

/// Those of some things that are kept.
fn among<T>(kept: &[bool], things: Vec<T>) -> Vec<T> {
    things.into_iter().zip(kept).filter_map(|(thing, kept)| kept.then_some(thing)).collect()
}

/// What a page says above its tables where lists cannot be read, as HTML.
pub(super) fn banner<'a>(tables: impl IntoIterator<Item = &'a Table>) -> Option<String> {
    tables.into_iter().find_map(|table| table.away.as_deref()).map(marked)
}

/// Whether some amount of these tables leads to where it comes from.
pub(super) fn explains<'a>(tables: impl IntoIterator<Item = &'a Table>) -> bool {
    let is_explained = |column: &Column| matches!(column.kind, Kind::Explained(_));
    tables.into_iter().any(|table| table.columns.iter().any(is_explained))
}

fn cell(column: &Column, row: &Row) -> Cell {
    let text = text(row, column.field);
    let path = crate::outside::escaped(&text);
    let extra = column.extra;
    let plain = |text: String, class| Cell { text, class, link: None, extra };
    let linked = |text: String, link| {
        let link = Some(link).filter(|_| !text.is_empty());
        Cell { text, class: "text", link, extra }
    };
    let money = |rounding| {
        let currency = currency(row);
        let Ok(amount) = text.parse() else { return plain(text.clone(), "money") };
        let mut text = rounded(amount, currency, rounding);
        let class = if is_negative(&text) { "minus" } else { "money" };
        if let Some(currency) = currency.filter(|_| column.says_currency) {
            text.push_str(&format!(" {currency}"));
        }
        plain(text, class)
    };
    match column.kind {
        Kind::Text => plain(text, "text"),
        Kind::Long => plain(text, "long"),
        Kind::Phrase => plain(text, "phrase"),
        Kind::Words => plain(text.replace('_', " "), "words"),
        Kind::Time => plain(time(&text), "time"),
        Kind::Badge => plain(text, "badge"),
        Kind::Money => money(Rounding::Half),
        Kind::Left => money(Rounding::Down),
        Kind::Spent => money(Rounding::Up),
        Kind::Explained(id) => {
            let id = crate::outside::escaped(&self::text(row, id));
            let link = (!id.is_empty()).then(|| format!("/explain/{id}"));
            Cell { link, ..money(Rounding::Half) }
        }
        Kind::Account => linked(text, format!("/accounts/{path}")),
        Kind::Invoice => linked(text, format!("/v1/invoices/{path}.pdf")),
        Kind::Letter => {
            let file = crate::outside::escaped(&self::text(row, "letter"));
            let link = (!file.is_empty()).then(|| format!("/mail/{file}"));
            Cell { link, ..plain(text, "long") }
        }
    }
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

/// `2026-03-01T01:02:03.4Z` as `2026-03-01 01:02`.
pub(super) fn time(text: &str) -> String {
    let text = text.replace('T', " ");
    text.get(..16).map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::row;
    use super::*;

    #[test]
    fn a_column_that_says_nothing_is_left_out() {
        const COLUMNS: &[Column] = &[
            column("at", "Time", Kind::Time),
            column("amount", "Amount", Kind::Money).with_currency(),
            column("order", "Order", Kind::Text),
        ];
        let row = row(
            json!({ "at": "2026-03-01T01:02:03Z", "amount": "-12.5", "currency": "JPY", "order": null }),
        );
        let table = Table::new("t", "T", "", COLUMNS, Ok(vec![row]));
        let titles: Vec<&str> = table.columns.iter().map(|column| column.title).collect();
        assert_eq!(titles, ["Time", "Amount"]);
        let [_, amount] = &table.rows[0][..] else { panic!("{table:?}") };
        assert_eq!((amount.text.as_str(), amount.class), ("\u{2212}13 JPY", "minus"));
    }

    #[test]
    fn a_time_is_shown_to_the_minute() {
        assert_eq!(time("2026-03-01T01:02:03.4Z"), "2026-03-01 01:02");
        assert_eq!(time("soon"), "soon");
    }
}
