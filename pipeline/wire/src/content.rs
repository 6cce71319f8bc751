//! What a command says, as bytes that stay the same while its schema grows: under one idempotency key
//! only the same may be asked again (R11.5), across upgrades too.
//!
//! Fields stand by name, as people write them. One that says nothing, or what is taken where nothing is
//! said, is left out: so a field that joins changes nothing for whoever does not use it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use drawdown_domain::commands::Command;
use drawdown_domain::vocabulary::{Field, Given, Record, Shape};
use serde_json::{Map, Value};

use crate::avro::{put_bytes, put_long, put_text};

static RECORDS: LazyLock<BTreeMap<&'static str, Record>> =
    LazyLock::new(|| Command::described().into_iter().collect());

/// All that a command says.
pub fn content_of(command: &Command) -> Vec<u8> {
    let mut content = Vec::with_capacity(128);
    put_text(&mut content, command.name());
    // A command is an object with one key, its name.
    let fields = serde_json::to_value(command).ok();
    let fields = fields.as_ref().and_then(|value| value.get(command.name()));
    if let (Some(record), Some(Value::Object(fields))) = (RECORDS.get(command.name()), fields) {
        put_record(&mut content, record, fields);
    }
    content
}

fn put_record(to: &mut Vec<u8>, record: &Record, json: &Map<String, Value>) {
    let said =
        |field: &&Field| json.get(field.name).is_some_and(|value| !says_nothing(field, value));
    let mut fields: Vec<&Field> = record.fields.iter().filter(said).collect();
    fields.sort_by_key(|field| field.name);
    put_long(to, i64::try_from(fields.len()).unwrap_or(i64::MAX));
    for field in fields {
        put_text(to, field.name);
        put_value(to, &field.shape, &json[field.name]);
    }
}

/// Whether this is what is taken where the field is missing.
fn says_nothing(field: &Field, value: &Value) -> bool {
    match (&field.default, value) {
        (_, Value::Null) => true,
        (Some(Given::Flag(given)), Value::Bool(flag)) => flag == given,
        (Some(Given::Number(given)), Value::Number(number)) => number.as_i64() == Some(*given),
        (Some(Given::Text(given)), Value::String(text)) => text == given,
        (Some(Given::Empty), Value::Array(items)) => items.is_empty(),
        (Some(Given::Empty), Value::Object(entries)) => entries.is_empty(),
        _ => false,
    }
}

fn put_value(to: &mut Vec<u8>, shape: &Shape, value: &Value) {
    match (shape, value) {
        (Shape::Optional(inner), value) => put_value(to, inner, value),
        (Shape::Record(record), Value::Object(fields)) => put_record(to, record, fields),
        (Shape::List(inner), Value::Array(items)) => {
            put_long(to, i64::try_from(items.len()).unwrap_or(i64::MAX));
            items.iter().for_each(|item| put_value(to, inner, item));
        }
        // Scalars, as people write them.
        (_, Value::String(text)) => put_text(to, text),
        (_, other) => put_bytes(to, other.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(name: &str, fields: Value) -> Vec<u8> {
        content_of(&Command::read(name, fields).unwrap().unwrap())
    }

    /// R11.5: once a version is out these bytes stand for good, so that a repeat is known across upgrades.
    #[test]
    fn r11_5_what_a_command_says_is_held_fast() {
        let fields = json!({ "billing_account": "ba-a", "amount": "20.00", "currency": "USD",
            "method": "bank_transfer" });
        let expected = "\u{c}top_up\u{8}\
            \u{c}amount\u{4}20\
            \u{1e}billing_account\u{8}ba-a\
            \u{10}currency\u{6}USD\
            \u{c}method\u{1a}bank_transfer";
        assert_eq!(String::from_utf8(content("top_up", fields)).unwrap(), expected);
    }

    /// R11.5: what is said in other words is the same, whatever is said besides is not.
    #[test]
    fn r11_5_only_what_is_said_counts() {
        let order = |product: Value, account: Value| {
            content(
                "place_order",
                json!({ "billing_account": "ba-a", "order": "o", "amount": "1.10",
                "product": product, "account": account }),
            )
        };
        assert_ne!(order(json!("x"), Value::Null), order(Value::Null, json!("x")));
        assert_ne!(order(json!("x"), Value::Null), order(json!("y"), Value::Null));
        let cycle =
            |cycle| content("configure", json!({ "billing_account": "b", "bill_cycle": cycle }));
        assert_ne!(cycle("hour"), cycle("day"));
    }

    /// R11.5: fields that join, wherever they stand, change nothing for who does not use them.
    #[test]
    fn r11_5_a_schema_that_grows_changes_no_content() {
        let field = |name, shape, default| Field { default, ..Field::new(name, "", shape) };
        let text = || Shape::Text("text");
        let record = |fields| Record { name: "TopUp", doc: String::new(), fields };
        let older = record(vec![field("to", text(), None), field("sum", Shape::Decimal, None)]);
        let newer = record(vec![
            field("weight", Shape::Number("number"), Some(Given::Number(1))),
            field("sum", Shape::Decimal, None),
            field("loud", Shape::Flag, Some(Given::Flag(false))),
            field("to", text(), None),
            field("tags", Shape::List(Box::new(text())), Some(Given::Empty)),
            field("note", Shape::Optional(Box::new(text())), None),
        ]);
        let put = |record: &Record, json: Value| {
            let mut content = Vec::new();
            put_record(&mut content, record, json.as_object().unwrap());
            content
        };
        let before = put(&older, json!({ "to": "a", "sum": "1" }));
        let unused =
            json!({ "to": "a", "sum": "1", "weight": 1, "loud": false, "tags": [], "note": null });
        assert_eq!(put(&newer, unused.clone()), before);
        for (name, value) in [("weight", json!(2)), ("loud", json!(true)), ("note", json!("x"))] {
            let mut used = unused.clone();
            used[name] = value;
            assert_ne!(put(&newer, used), before, "{name}");
        }
    }
}
