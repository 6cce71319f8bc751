//! Schemas from the vocabulary's declarations, and their fingerprints.

use std::collections::BTreeSet;
use std::fmt;

use drawdown_domain::money::{Amount, shortest};
use drawdown_domain::time::{Month, Timestamp};
use drawdown_domain::vocabulary::{Field, Given, Record, Shape};
use serde_json::{Map, Value, json};

/// The fingerprint that names a schema in front of a single object: CRC-64-AVRO of its canonical form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What an enum's symbols are to a reader whose schema is older than the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbols {
    /// Nobody reads a symbol that came later than his schema.
    Closed,
    /// A symbol that came later is read as [`LATER_SYMBOL`].
    Open,
}

/// What a reader finds in place of a symbol that his schema does not have. It is never written.
pub const LATER_SYMBOL: &str = "unknown";

/// The named types that have been written out so far, and how enums are written.
struct Known {
    names: BTreeSet<&'static str>,
    symbols: Symbols,
}

/// The Avro schema of a declared shape, under `name`.
pub fn schema_of(name: &str, shape: &Shape, symbols: Symbols) -> Value {
    let mut known = Known { names: BTreeSet::new(), symbols };
    let schema = schema(shape, &mut known);
    let mut top = match schema {
        Value::Object(fields) => fields,
        other => Map::from_iter([("type".to_owned(), other)]),
    };
    if top.contains_key("name") {
        top.insert("name".to_owned(), name.into());
        top.insert("namespace".to_owned(), "drawdown".into());
    }
    Value::Object(top)
}

fn schema(shape: &Shape, known: &mut Known) -> Value {
    match shape {
        Shape::Flag => "boolean".into(),
        Shape::Number(_) => "long".into(),
        Shape::Instant => json!({ "type": "long", "logicalType": "timestamp-micros" }),
        Shape::Decimal => {
            json!({ "type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 12 })
        }
        Shape::Text(_) => "string".into(),
        Shape::Bytes => "bytes".into(),
        Shape::Optional(inner) => json!(["null", schema(inner, known)]),
        Shape::List(inner) => json!({ "type": "array", "items": schema(inner, known) }),
        Shape::Map(inner) => json!({ "type": "map", "values": schema(inner, known) }),
        Shape::Symbol { name, symbols } => {
            named(name, known, |known| enum_schema(name, symbols, known.symbols))
        }
        Shape::Record(record) => record_schema(record, known),
        Shape::OneOf { records, .. } => {
            records.iter().map(|record| record_schema(record, known)).collect()
        }
    }
}

/// A named type is written out where it first occurs and called by its name from then on.
fn named(name: &'static str, known: &mut Known, write: impl FnOnce(&mut Known) -> Value) -> Value {
    if known.names.insert(name) { write(known) } else { name.into() }
}

fn enum_schema(name: &str, declared: &[&str], symbols: Symbols) -> Value {
    let mut written: Vec<&str> = declared.to_vec();
    match symbols {
        Symbols::Closed => json!({ "type": "enum", "name": name, "symbols": written }),
        Symbols::Open => {
            written.push(LATER_SYMBOL);
            let doc = format!("{LATER_SYMBOL} stands for a symbol that came after this schema.");
            json!({
                "type": "enum", "name": name, "doc": doc, "symbols": written, "default": LATER_SYMBOL
            })
        }
    }
}

fn record_schema(record: &Record, known: &mut Known) -> Value {
    named(record.name, known, |known| {
        let fields: Vec<Value> =
            record.fields.iter().map(|field| field_schema(field, known)).collect();
        let mut schema = json!({ "type": "record", "name": record.name, "fields": fields });
        if let (false, Some(object)) = (record.doc.is_empty(), schema.as_object_mut()) {
            object.insert("doc".to_owned(), record.doc.clone().into());
        }
        schema
    })
}

fn field_schema(field: &Field, known: &mut Known) -> Value {
    let mut schema = json!({ "name": field.name, "type": schema(&field.shape, known) });
    if let Some(object) = schema.as_object_mut() {
        let doc = format!("{} {}", field.doc, form(&field.shape));
        if !doc.trim().is_empty() {
            object.insert("doc".to_owned(), doc.trim().into());
        }
        if let Some(default) = default_of(field) {
            object.insert("default".to_owned(), default);
        }
    }
    schema
}

/// What a reader takes for the field in a message of a schema that does not have it.
fn default_of(field: &Field) -> Option<Value> {
    match (&field.shape, field.default.as_ref()) {
        (Shape::Optional(_), _) => Some(Value::Null),
        (_, None) => None,
        (Shape::Flag, Some(Given::Flag(flag))) => Some((*flag).into()),
        (Shape::Number("month"), Some(Given::Text(text))) => {
            text.parse::<Month>().ok().map(|month| month.number().into())
        }
        (Shape::Number(_), Some(Given::Number(number))) => Some((*number).into()),
        (Shape::Instant, Some(Given::Text(text))) => {
            text.parse::<Timestamp>().ok().map(|at| at.as_micros().into())
        }
        // A default of bytes is text whose characters stand for a byte each.
        (Shape::Decimal, Some(Given::Text(text))) => text.parse::<Amount>().ok().map(|amount| {
            let bytes = amount.raw().to_be_bytes();
            shortest(&bytes).iter().copied().map(char::from).collect::<String>().into()
        }),
        (Shape::Text(_) | Shape::Symbol { .. }, Some(Given::Text(text))) => {
            Some(text.clone().into())
        }
        (Shape::List(_), Some(Given::Empty)) => Some(json!([])),
        (Shape::Map(_), Some(Given::Empty)) => Some(json!({})),
        _ => None,
    }
}

/// What a developer elsewhere must know of a field that the Avro type does not say.
fn form(shape: &Shape) -> &'static str {
    match shape {
        Shape::Optional(inner) | Shape::List(inner) | Shape::Map(inner) => form(inner),
        Shape::Number("minute") => "Counts minutes since 1970-01-01T00:00Z.",
        Shape::Number("month") => "Counts months since January 1970, which is 0.",
        Shape::Text("text") => "",
        Shape::Text("country") => "Two letters of ISO 3166.",
        Shape::Text("time zone") => "A name of the IANA time zone database.",
        Shape::Text("day") => "Year, month and day, such as 2026-04-01.",
        Shape::Text("invoice run") => "Day, currency and enterprise, such as 2026-04-01.usd.acme.",
        Shape::Text("span") => "A number and d, h, m, s, ms or us.",
        Shape::Text(_) => "1 to 64 of a-z 0-9 . _ -",
        Shape::Flag
        | Shape::Number(_)
        | Shape::Instant
        | Shape::Decimal
        | Shape::Bytes
        | Shape::Symbol { .. }
        | Shape::Record(_)
        | Shape::OneOf { .. } => "",
    }
}

/// The fingerprint of a schema, as Avro's specification computes it.
pub fn fingerprint(schema: &Value) -> Fingerprint {
    let mut canonical = String::new();
    put_canonical(&mut canonical, schema, "");
    Fingerprint(crc64_avro(canonical.as_bytes()))
}

/// Avro's parsing canonical form: full names, no docs or defaults, fields in a fixed order.
fn put_canonical(to: &mut String, schema: &Value, namespace: &str) {
    match schema {
        Value::String(name) if is_primitive(name) => put_json(to, name),
        Value::String(name) => put_json(to, &full_name(name, namespace)),
        Value::Array(cases) => put_list(to, cases, |to, case| put_canonical(to, case, namespace)),
        Value::Object(object) => put_object(to, object, namespace),
        Value::Null | Value::Bool(_) | Value::Number(_) => to.push_str("null"),
    }
}

fn put_object(to: &mut String, object: &Map<String, Value>, namespace: &str) {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let namespace = object.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
    let kind = text("type");
    if is_primitive(kind) || (object.get("type").is_some_and(|kind| !kind.is_string())) {
        return put_canonical(to, object.get("type").unwrap_or(&Value::Null), namespace);
    }
    to.push('{');
    if let Some(name) = object.get("name").and_then(Value::as_str) {
        to.push_str("\"name\":");
        put_json(to, &full_name(name, namespace));
        to.push(',');
    }
    to.push_str("\"type\":");
    put_json(to, kind);
    for key in ["fields", "symbols", "items", "values"] {
        let Some(part) = object.get(key) else { continue };
        to.push_str(",\"");
        to.push_str(key);
        to.push_str("\":");
        match (key, part) {
            ("fields", Value::Array(fields)) => put_list(to, fields, |to, field| {
                to.push_str("{\"name\":");
                put_json(to, field.get("name").and_then(Value::as_str).unwrap_or_default());
                to.push_str(",\"type\":");
                put_canonical(to, field.get("type").unwrap_or(&Value::Null), namespace);
                to.push('}');
            }),
            ("symbols", Value::Array(symbols)) => {
                put_list(to, symbols, |to, symbol| {
                    put_json(to, symbol.as_str().unwrap_or_default())
                });
            }
            _ => put_canonical(to, part, namespace),
        }
    }
    to.push('}');
}

fn put_list(to: &mut String, items: &[Value], put: impl Fn(&mut String, &Value)) {
    to.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            to.push(',');
        }
        put(to, item);
    }
    to.push(']');
}

fn put_json(to: &mut String, text: &str) {
    to.push_str(&Value::from(text).to_string());
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn is_primitive(name: &str) -> bool {
    matches!(name, "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string")
}

const CRC_EMPTY: u64 = 0xC15D_213A_A4D7_A795;

fn crc64_avro(bytes: &[u8]) -> u64 {
    bytes.iter().fold(CRC_EMPTY, |crc, byte| {
        let mut low = (crc ^ u64::from(*byte)) & 0xFF;
        for _ in 0..8 {
            low = (low >> 1) ^ (CRC_EMPTY & (low & 1).wrapping_neg());
        }
        (crc >> 8) ^ low
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_the_reference() {
        for schema in [
            json!("int"),
            json!({ "type": "record", "name": "a.b.C", "doc": "x", "fields": [
                { "name": "f", "type": ["null", { "type": "array", "items": "long" }], "default": null },
                { "name": "g", "type": "long" },
            ] }),
            json!({ "type": "record", "name": "C", "namespace": "n", "fields": [
                { "name": "e", "type": { "type": "enum", "name": "E", "symbols": ["A", "B"] } },
                { "name": "again", "type": "E" },
            ] }),
        ] {
            let reference = apache_avro::Schema::parse(&schema).unwrap();
            let expected = reference.fingerprint::<apache_avro::rabin::Rabin>();
            let expected: [u8; 8] = expected.bytes.try_into().unwrap();
            assert_eq!(fingerprint(&schema), Fingerprint(u64::from_le_bytes(expected)), "{schema}");
        }
    }

    /// The specification strips logical types, as Java does. The `apache-avro` crate keeps parts of
    /// them, so it cannot be the reference here.
    #[test]
    fn logical_types_do_not_count_in_canonical_form() {
        let decimal =
            json!({ "type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2 });
        assert_eq!(fingerprint(&decimal), fingerprint(&json!("bytes")));
        let instant = json!({ "type": "long", "logicalType": "timestamp-micros" });
        assert_eq!(fingerprint(&instant), fingerprint(&json!("long")));
    }
}
