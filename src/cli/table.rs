//! Rows for people: a table of many, a block of one.

use drawdown_domain::money::Currency;
use drawdown_domain::vocabulary::{Record, Shape};
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use super::vocabulary::shape;

type Row = Map<String, Value>;

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    /// Numbers, with their points below each other.
    Right,
}

struct Column {
    name: String,
    side: Side,
    width: usize,
    cells: Vec<String>,
}

/// So many blanks stand between two columns.
const BETWEEN: usize = 2;

/// Where a table stands: on a terminal so wide, or for another program.
pub(super) fn width_of_terminal() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A table with a header. Unless columns are chosen those are left out that say nothing in any row, or
/// have parts, and the last ones for which there is no room: which, is said.
pub(super) fn table(
    record: &Record,
    chosen: &[String],
    rows: &[Row],
    room: Option<usize>,
) -> (String, Vec<String>) {
    if rows.is_empty() {
        return (String::new(), Vec::new());
    }
    let fields = record.fields.iter().filter(|field| {
        chosen.is_empty() && rows.iter().any(|row| says_something(row.get(field.name)))
    });
    let names = fields.map(|field| field.name.to_owned()).chain(chosen.iter().cloned());
    let mut columns: Vec<Column> = names.map(|name| column(record, name, rows)).collect();
    let mut too_many = Vec::new();
    if let Some(room) = room.filter(|_| chosen.is_empty()) {
        let mut taken = 0_usize;
        let fitting = columns.iter().take_while(|column| {
            let before = taken;
            taken = taken.saturating_add(column.width).saturating_add(BETWEEN);
            before == 0 || taken.saturating_sub(BETWEEN) <= room
        });
        let fitting = fitting.count();
        too_many = columns.drain(fitting..).map(|column| column.name).collect();
    }
    let mut text = String::new();
    put_line(&mut text, &columns, |column| &column.name);
    for number in 0..rows.len() {
        put_line(&mut text, &columns, |column| column.cells.get(number).map_or("", |cell| cell));
    }
    (text, too_many)
}

fn says_something(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Object(_)) => false,
        Some(Value::Array(items)) => !items.is_empty() && !items.iter().any(Value::is_object),
        Some(_) => true,
    }
}

fn column(record: &Record, name: String, rows: &[Row]) -> Column {
    let cells = rows.iter().map(|row| in_its_places(record, row, &name, cell(row.get(&name))));
    let mut cells: Vec<String> = cells.collect();
    let shape = record.fields.iter().find(|field| field.name == name).map(|field| &field.shape);
    let side = if shape.is_some_and(is_number) { Side::Right } else { Side::Left };
    if side == Side::Right {
        let places = |cell: &String| cell.split_once('.').map_or(0, |(_, places)| places.len() + 1);
        let places_max = cells.iter().map(places).max().unwrap_or(0);
        for cell in &mut cells {
            let missing = places_max.saturating_sub(places(cell));
            cell.push_str(&" ".repeat(missing));
        }
    }
    let width = cells.iter().map(|cell| cell.width()).max().unwrap_or(0).max(name.width());
    Column { name, side, width, cells }
}

fn is_number(shape: &Shape) -> bool {
    match shape {
        Shape::Optional(inner) => is_number(inner),
        Shape::Number(meaning) => !matches!(*meaning, "month" | "half-month" | "minute"),
        Shape::Decimal => true,
        _ => false,
    }
}

fn put_line<'a>(text: &mut String, columns: &'a [Column], of: impl Fn(&'a Column) -> &'a str) {
    let mut line = String::new();
    for column in columns {
        let cell = of(column);
        let space = " ".repeat(column.width.saturating_sub(cell.width()));
        match column.side {
            Side::Left => line.extend([cell, &space]),
            Side::Right => line.extend([space.as_str(), cell]),
        }
        line.extend([" "; BETWEEN]);
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Decimals that are no money, or not of the row's currency.
const NOT_OF_THE_CURRENCY: [&str; 8] = [
    "quantity",
    "drawn",
    "days_left",
    "tax_rate",
    "settlement_rate",
    "settled_net",
    "settled_tax",
    "settled_total",
];

/// Money with the places of its currency at least, where the row says which that is. What has more of them is not
/// billed yet, and keeps them.
fn in_its_places(record: &Record, row: &Row, name: &str, text: String) -> String {
    let currency = row.get("currency").and_then(Value::as_str);
    let Some(currency) = currency.and_then(|code| code.parse::<Currency>().ok()) else {
        return text;
    };
    let field = record.fields.iter().find(|field| field.name == name);
    let is_decimal = field.is_some_and(|field| *shape(field) == Shape::Decimal);
    if !is_decimal || text.is_empty() || NOT_OF_THE_CURRENCY.contains(&name) {
        return text;
    }
    with_places(text, currency)
}

/// An amount with the places of a currency at least.
pub(super) fn with_places(mut text: String, currency: Currency) -> String {
    let places = |text: &str| text.split_once('.').map(|(_, places)| places.len());
    let wanted = places(&currency.minor_unit().to_string()).unwrap_or(0);
    let found = places(&text);
    if found.is_none() && wanted > 0 {
        text.push('.');
    }
    text.push_str(&"0".repeat(wanted.saturating_sub(found.unwrap_or(0))));
    text
}

/// A value as people read it.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        // What others wrote must not move the cursor.
        Some(Value::String(text)) => text.replace(char::is_control, " "),
        Some(Value::Array(items))
            if !items.iter().any(|item| item.is_object() || item.is_array()) =>
        {
            items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
    }
}

/// The fields of a row below each other, as they are declared; of one with parts, the parts.
pub(super) fn block(record: &Record, row: &Row) -> String {
    let fields = declared(record, row);
    let width = fields.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let line = |(name, value): &(String, String)| {
        let space = " ".repeat(width.saturating_sub(name.width()));
        format!("{}\n", format!("{name}{space}  {value}").trim_end())
    };
    fields.iter().map(line).collect()
}

/// What of a row is not as it was.
pub(super) fn changes(record: &Record, before: &Row, now: &Row) -> String {
    let (before, now) = (declared(record, before), declared(record, now));
    let changed: Vec<String> = now
        .into_iter()
        .filter(|field| !before.contains(field))
        .map(|(name, value)| {
            let was = before.iter().find(|(known, _)| *known == name);
            let was = was.map(|(_, was)| format!(" (was {was})")).unwrap_or_default();
            format!("{name} {value}{was}")
        })
        .collect();
    if changed.is_empty() { String::new() } else { format!("{}\n", changed.join(", ")) }
}

/// A row on one line.
pub(super) fn line(record: &Record, row: &Row) -> String {
    let said = declared(record, row).into_iter().filter(|(_, value)| !value.is_empty());
    said.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

/// The fields of a row in the order of their declaration, and behind them what is not declared here.
fn declared(record: &Record, row: &Row) -> Vec<(String, String)> {
    let mut fields = flat(row);
    for (name, value) in &mut fields {
        *value = in_its_places(record, row, name, std::mem::take(value));
    }
    let place = |name: &str| record.fields.iter().position(|field| field.name == name);
    fields.sort_by_key(|(path, _)| {
        let name = path.split_once('.').map_or(path.as_str(), |(name, _)| name);
        place(path).or_else(|| place(name)).unwrap_or(usize::MAX)
    });
    fields
}

fn flat(row: &Row) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (name, value) in row {
        match value {
            Value::Object(parts) if !parts.is_empty() => {
                let parts = flat(parts).into_iter();
                fields.extend(parts.map(|(part, value)| (format!("{name}.{part}"), value)));
            }
            value => fields.push((name.clone(), cell(Some(value)))),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use drawdown_domain::vocabulary::Field;
    use serde_json::json;

    use super::*;

    fn rows(rows: Value) -> Vec<Row> {
        serde_json::from_value(rows).unwrap()
    }

    fn record() -> Record {
        let field = |name, shape| Field::new(name, "", shape);
        let fields = vec![
            field("bill", Shape::Text("text")),
            field("amount", Shape::Decimal),
            field("count", Shape::Number("number")),
            field("product", Shape::Optional(Box::new(Shape::Text("product")))),
            field("lines", Shape::List(Box::new(Shape::Flag))),
        ];
        Record { name: "Bill", doc: String::new(), fields }
    }

    #[test]
    fn numbers_stand_with_their_points_below_each_other() {
        let rows = rows(json!([
            { "bill": "b1", "amount": "5", "count": 7, "product": null, "lines": [{ "a": 1 }] },
            { "bill": "長い名前", "amount": "-1200.25", "count": 1234, "product": null },
            { "bill": "b3", "amount": "0.5", "count": 12, "product": null },
        ]));
        let expected = "\
bill        amount  count
b1            5         7
長い名前  -1200.25   1234
b3            0.5      12
";
        assert_eq!(table(&record(), &[], &rows, None).0, expected);
        let chosen = ["count".to_owned(), "bill".to_owned()];
        let expected = "count  bill\n    7  b1\n 1234  長い名前\n   12  b3\n";
        assert_eq!(table(&record(), &chosen, &rows, Some(3)), (expected.to_owned(), Vec::new()));
        assert_eq!(table(&record(), &[], &[], None).0, "");
    }

    #[test]
    fn money_has_the_places_of_its_currency() {
        let mut record = record();
        record.fields.push(Field::new("quantity", "", Shape::Decimal));
        let shown = |amount: &str, currency: Value| {
            let row = json!([{ "amount": amount, "currency": currency, "quantity": "5" }]);
            table(&record, &["amount".to_owned(), "quantity".to_owned()], &rows(row), None).0
        };
        let amount = |amount, currency| {
            let table = shown(amount, currency);
            assert!(table.ends_with("         5\n"), "what is no money stays: {table}");
            table.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
        };
        for (given, currency, expected) in [
            ("5", json!("USD"), "5.00"),
            ("42.4", json!("USD"), "42.40"),
            ("-0.96", json!("USD"), "-0.96"),
            ("817.3880867904", json!("EUR"), "817.3880867904"),
            ("5000", json!("JPY"), "5000"),
            ("42.4", Value::Null, "42.4"),
        ] {
            assert_eq!(amount(given, currency), expected);
        }
        let row = rows(json!([{ "amount": "5", "currency": "USD" }]));
        assert_eq!(block(&record, &row[0]), "amount    5.00\ncurrency  USD\n");
    }

    #[test]
    fn columns_without_room_on_a_terminal_are_named() {
        let rows = rows(json!([{ "bill": "b1", "amount": "5", "count": 7 }]));
        let shown = |room| table(&record(), &[], &rows, Some(room));
        assert_eq!(shown(19), ("bill  amount  count\nb1         5      7\n".to_owned(), vec![]));
        let (text, without) = shown(18);
        assert_eq!(
            (text.as_str(), without),
            ("bill  amount\nb1         5\n", vec!["count".to_owned()])
        );
        assert_eq!(shown(1).0, "bill\nb1\n", "the first column is always there");
    }

    #[test]
    fn a_row_is_a_block_with_the_parts_of_its_fields() {
        let row = rows(json!([{ "amount": "5", "bill": "b1", "lines": ["a", "b"],
            "alert": { "enabled": true, "threshold": "20" },
            "note": "two\nlines\u{1b}[2J", "none": null }]));
        let expected = "\
bill             b1
amount           5
lines            a,b
alert.enabled    true
alert.threshold  20
none
note             two lines [2J
";
        assert_eq!(block(&record(), &row[0]), expected);
    }

    #[test]
    fn only_what_changed_is_said() {
        let rows = rows(json!([{ "bill": "1", "amount": "2" }, { "bill": "1", "amount": "3" }]));
        assert_eq!(changes(&record(), &rows[0], &rows[1]), "amount 3 (was 2)\n");
        assert_eq!(changes(&record(), &rows[0], &rows[0]), "");
        assert_eq!(line(&record(), &rows[0]), "bill 1, amount 2");
    }
}
