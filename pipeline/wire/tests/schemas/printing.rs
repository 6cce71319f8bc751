//! JSON as people read it: what fits stands on one line, and a schema's keys stand in the order in
//! which one explains a schema, whatever order the map in memory has.

use drawdown_domain::vocabulary::{Record, Shape};
use serde_json::{Map, Value};

const LINE_CHARACTERS_MAX: usize = 100;

/// The keys of a schema that have a fixed place; all others follow by name.
const SCHEMA_KEYS: &[&str] = &[
    "name",
    "type",
    "logicalType",
    "precision",
    "scale",
    "namespace",
    "default",
    "doc",
    "items",
    "values",
    "symbols",
    "fields",
];

const EXAMPLE_KEYS: &[&str] = &["about", "value", "message", "canonical"];

/// The place of a key among the keys of its object.
type Rank<'a> = &'a dyn Fn(&Map<String, Value>, &str) -> usize;

/// A schema as text.
pub(crate) fn schema(value: &Value) -> String {
    let mut text = String::new();
    put(&mut text, value, 0, 0, &|_, key| place_in(SCHEMA_KEYS, key));
    text.push('\n');
    text
}

/// Examples as text: the fields of a record in the order of their declaration, in which they are
/// encoded.
pub(crate) fn examples(value: &Value, shape: &Shape) -> String {
    let mut declared = vec![EXAMPLE_KEYS.to_vec()];
    collect_fields(shape, &mut declared);
    let rank = |object: &Map<String, Value>, key: &str| {
        let is_it = |fields: &&Vec<&str>| {
            object.len() <= fields.len() && object.keys().all(|key| fields.contains(&key.as_str()))
        };
        declared.iter().find(is_it).map_or(0, |fields| place_in(fields, key))
    };
    let mut text = String::new();
    put(&mut text, value, 0, 0, &rank);
    text.push('\n');
    text
}

fn place_in(keys: &[&str], key: &str) -> usize {
    keys.iter().position(|known| *known == key).unwrap_or(keys.len())
}

fn collect_fields(shape: &Shape, declared: &mut Vec<Vec<&'static str>>) {
    let records: &[Record] = match shape {
        Shape::Optional(inner) | Shape::List(inner) | Shape::Map(inner) => {
            return collect_fields(inner, declared);
        }
        Shape::Record(record) => std::slice::from_ref(record),
        Shape::OneOf { records, .. } => records,
        _ => return,
    };
    for record in records {
        declared.push(record.fields.iter().map(|field| field.name).collect());
        record.fields.iter().for_each(|field| collect_fields(&field.shape, declared));
    }
}

/// Appends a value whose line has `used` characters already.
fn put(to: &mut String, value: &Value, depth: usize, used: usize, rank: Rank<'_>) {
    let line = on_one_line(value, rank);
    if used + line.chars().count() <= LINE_CHARACTERS_MAX {
        return to.push_str(&line);
    }
    let indent = "  ".repeat(depth + 1);
    match value {
        Value::Array(items) => {
            to.push_str("[\n");
            for (place, item) in items.iter().enumerate() {
                to.push_str(&indent);
                // One more for the comma that may follow.
                put(to, item, depth + 1, indent.len() + 1, rank);
                to.push_str(if place + 1 < items.len() { ",\n" } else { "\n" });
            }
            to.push_str(&"  ".repeat(depth));
            to.push(']');
        }
        Value::Object(_) => {
            let entries = sorted(value, rank);
            to.push_str("{\n");
            for (place, (key, item)) in entries.iter().enumerate() {
                let key = format!("{indent}{}: ", Value::from(*key));
                to.push_str(&key);
                put(to, item, depth + 1, key.chars().count() + 1, rank);
                to.push_str(if place + 1 < entries.len() { ",\n" } else { "\n" });
            }
            to.push_str(&"  ".repeat(depth));
            to.push('}');
        }
        _ => to.push_str(&line),
    }
}

fn on_one_line(value: &Value, rank: Rank<'_>) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| on_one_line(item, rank)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(object) if object.is_empty() => "{}".to_owned(),
        Value::Object(_) => {
            let entries: Vec<String> = sorted(value, rank)
                .into_iter()
                .map(|(key, item)| format!("{}: {}", Value::from(key), on_one_line(item, rank)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

fn sorted<'a>(value: &'a Value, rank: Rank<'_>) -> Vec<(&'a str, &'a Value)> {
    let object = value.as_object().unwrap();
    let mut entries: Vec<(&str, &Value)> =
        object.iter().map(|(key, item)| (key.as_str(), item)).collect();
    entries.sort_by_key(|(key, _)| (rank(object, key), *key));
    entries
}

#[test]
fn what_fits_stands_on_one_line() {
    let field = serde_json::json!({ "doc": "d", "type": "long", "name": "n" });
    assert_eq!(schema(&field), "{ \"name\": \"n\", \"type\": \"long\", \"doc\": \"d\" }\n");
    let long = serde_json::json!({ "type": "x".repeat(90), "name": ["n"] });
    assert_eq!(
        schema(&long),
        format!("{{\n  \"name\": [\"n\"],\n  \"type\": \"{}\"\n}}\n", "x".repeat(90))
    );
}
