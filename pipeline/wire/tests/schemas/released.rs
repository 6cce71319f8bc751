//! `schemas/released/<version>`: the schemas and examples of every version that was released. What was
//! written then must be readable now, and others who read with a schema of then must be able to go on.
//!
//! `make release-schemas VERSION=x` adds a version. One that is not out yet may be written again.

use std::collections::BTreeMap;

use apache_avro::Schema as Reference;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use drawdown_domain::money::Amount;
use drawdown_domain::time::Month;
use drawdown_domain::vocabulary::{Field, Given, Record, Shape};
use drawdown_wire::avro::{Fingerprint, Plan, fingerprint};
use drawdown_wire::schemas::{self, Audience, Schema};
use serde_json::{Value, json};

use super::examples::{by_us, canonical, completed};
use super::readable::{from_avro, from_hex, only_entry};
use super::{folder, printing};

const TABLE: &str = "src/released.rs";

/// Adds a version if the environment names one; otherwise the list that is compiled in is held against
/// the folder.
#[test]
fn release_schemas() {
    if let Some(version) = std::env::var_os("RELEASE_SCHEMAS") {
        let version = version.into_string().unwrap();
        assert!(number_of(&version).len() == 3, "a version is three numbers: {version}");
        for schema in schemas::ALL {
            let (name, below) = (schema.name, format!("released/{version}"));
            folder::write(&format!("{below}/avro/{name}.avsc"), &printing::schema(&schema.json()));
            let examples = printing::examples(&completed(schema), &schema.shape());
            folder::write(&format!("{below}/examples/{name}.json"), &examples);
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    let source = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = source.split_once("released! {").unwrap();
    let (_, after) = rest.split_once("}\n").unwrap();
    let expected = format!("{before}released! {{\n{}}}\n{after}", table());
    if std::env::var_os("RELEASE_SCHEMAS").is_some() {
        std::fs::write(&path, expected).unwrap();
    } else {
        assert!(
            source == expected,
            "{TABLE} is not what schemas/released holds; the list in it should be:\n{}",
            table()
        );
    }
}

/// Each version with the schemas that differ from all before.
fn table() -> String {
    let mut known: BTreeMap<Fingerprint, String> = BTreeMap::new();
    let mut table = String::new();
    for version in versions() {
        let mut new = Vec::new();
        for (name, schema) in schemas_of(&version) {
            if known.insert(fingerprint(&schema), name.clone()).is_none() {
                new.push(name);
            }
        }
        table.push_str(&format!("    \"{version}\":\n"));
        new.iter().for_each(|name| table.push_str(&format!("        {name}\n")));
        table.push_str("    ;\n");
    }
    table
}

fn number_of(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap()).collect()
}

fn versions() -> Vec<String> {
    let mut versions = folder::names_in("released");
    versions.sort_by_key(|version| number_of(version));
    versions
}

fn schemas_of(version: &str) -> Vec<(String, Value)> {
    let below = format!("released/{version}/avro");
    let files = folder::names_in(&below).into_iter().map(|file| {
        let text = folder::read(&format!("{below}/{file}")).unwrap();
        (file.trim_end_matches(".avsc").to_owned(), serde_json::from_str(&text).unwrap())
    });
    files.collect()
}

fn present(name: &str) -> &'static Schema {
    schemas::ALL.iter().find(|schema| schema.name == name).unwrap_or_else(|| {
        panic!("{name} was released, and messages of it may still come: it cannot go")
    })
}

#[test]
fn what_was_released_can_be_read_and_old_readers_can_go_on() {
    for version in versions() {
        for (name, released) in schemas_of(&version) {
            let schema = present(&name);
            assert_reads(&format!("{name} of {version}"), &released, &schema.json());
            if schema.audience == Audience::Readers {
                let what = format!("{name}, by a reader who has {version},");
                assert_reads(&what, &schema.json(), &released);
            }
        }
    }
}

/// Whatever the writer can say, the reader understands: by our own judgement and by that of others.
fn assert_reads(what: &str, writer: &Value, reader: &Value) {
    let refusals = Plan::new(writer, reader).unwrap().refusals();
    assert!(refusals.is_empty(), "{what} cannot always be read: {refusals:?}");
    let (writer, reader) = (Reference::parse(writer).unwrap(), Reference::parse(reader).unwrap());
    let judged = SchemaCompatibility::can_read(&writer, &reader);
    assert!(judged == Ok(Compatibility::Full), "{what} cannot always be read: {judged:?}");
}

/// The envelope is looked for on every message of a topic, before anything else is known of it.
#[test]
fn the_envelope_of_control_records_never_changes() {
    for version in versions() {
        for (_, released) in schemas_of(&version).iter().filter(|(name, _)| name == "Signed") {
            assert_eq!(fingerprint(released), schemas::SIGNED.fingerprint(), "{version}");
        }
    }
}

#[test]
fn what_a_released_example_said_it_says_today() {
    for version in versions() {
        for (name, released) in schemas_of(&version) {
            let schema = present(&name);
            let text = folder::read(&format!("released/{version}/examples/{name}.json")).unwrap();
            let examples: Vec<Value> = serde_json::from_str(&text).unwrap();
            for (place, example) in examples.iter().enumerate() {
                let what = format!("{name} {place} of {version}");
                let message = from_hex(example["message"].as_str().unwrap());
                let expected = today(&schema.shape(), &example["value"]);
                assert_eq!(by_us(schema, &message), expected, "{what}");
                assert_eq!(canonical(schema, &message), example["canonical"], "{what}");
                // The reference finds the case of a union by what fits, not by its name.
                if !has_cases(&schema.shape()) {
                    let theirs = by_reference(&released, schema, &message[10..]);
                    assert_eq!(theirs, expected, "{what}");
                }
            }
        }
    }
}

fn by_reference(writer: &Value, schema: &Schema, value: &[u8]) -> Value {
    let writer = Reference::parse(&without_decimals(writer)).unwrap();
    let reader = Reference::parse(&without_decimals(&schema.json())).unwrap();
    let reading = apache_avro::reader::datum::GenericDatumReader::builder(&writer)
        .reader_schema(&reader)
        .build()
        .unwrap();
    let mut rest = value;
    from_avro(&schema.shape(), reading.read_value(&mut rest).unwrap())
}

/// The schema with plain bytes for decimals: where the reference has two schemas it refuses decimals
/// that are shorter than their precision asks for.
pub(super) fn without_decimals(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(without_decimals).collect(),
        Value::Object(object) if object.get("logicalType") == Some(&json!("decimal")) => {
            json!("bytes")
        }
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| match key.as_str() {
                "default" => (key.clone(), value.clone()),
                _ => (key.clone(), without_decimals(value)),
            })
            .collect(),
        scalar => scalar.clone(),
    }
}

fn has_cases(shape: &Shape) -> bool {
    match shape {
        Shape::Optional(inner) | Shape::List(inner) | Shape::Map(inner) => has_cases(inner),
        Shape::Record(record) => record.fields.iter().any(|field| has_cases(&field.shape)),
        Shape::OneOf { .. } => true,
        _ => false,
    }
}

/// What was said then, as it would be said today: without fields that are gone, with the defaults of
/// those that came.
fn today(shape: &Shape, json: &Value) -> Value {
    match (shape, json) {
        (Shape::Optional(_), Value::Null) => Value::Null,
        (Shape::Optional(inner), value) => today(inner, value),
        (Shape::List(inner), Value::Array(items)) => {
            items.iter().map(|item| today(inner, item)).collect()
        }
        (Shape::Record(record), value) => record_today(record, value),
        (Shape::OneOf { records, .. }, value) => {
            let (name, fields) = only_entry(value);
            let record = records.iter().find(|record| record.name == name).unwrap();
            json!({ name: record_today(record, fields) })
        }
        (_, scalar) => scalar.clone(),
    }
}

fn record_today(record: &Record, json: &Value) -> Value {
    let fields = record.fields.iter().map(|field| {
        let said = json.get(field.name).map(|value| today(&field.shape, value));
        (field.name.to_owned(), said.unwrap_or_else(|| default_of(field)))
    });
    Value::Object(fields.collect())
}

fn default_of(field: &Field) -> Value {
    match (&field.shape, field.default.as_ref()) {
        (Shape::Optional(_), None) => Value::Null,
        (Shape::Decimal, Some(Given::Text(text))) => {
            text.parse::<Amount>().unwrap().to_string().into()
        }
        (Shape::Number("month"), Some(Given::Text(text))) => {
            text.parse::<Month>().unwrap().number().into()
        }
        (Shape::Map(_), Some(Given::Empty)) => json!({}),
        (_, Some(Given::Empty)) => json!([]),
        (_, Some(Given::Flag(flag))) => (*flag).into(),
        (_, Some(Given::Number(number))) => (*number).into(),
        (_, Some(Given::Text(text))) => text.clone().into(),
        (shape, None) => panic!("{} came without a default: {shape:?}", field.name),
    }
}
