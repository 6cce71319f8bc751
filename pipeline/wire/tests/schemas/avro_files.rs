//! `schemas/avro`: one file a schema.

use std::collections::BTreeMap;

use drawdown_domain::vocabulary::{Record, Shape};
use drawdown_wire::schemas;

use super::{folder, printing};

#[test]
fn every_schema_has_its_file_and_no_file_is_left_over() {
    let expected: Vec<(String, String)> = schemas::ALL
        .iter()
        .map(|schema| (format!("{}.avsc", schema.name), printing::schema(&schema.json())))
        .collect();
    folder::check("avro", &expected);
}

/// What a fingerprint names must be what others make of the file.
#[test]
fn every_file_can_be_read_by_others() {
    for schema in schemas::ALL {
        let text = printing::schema(&schema.json());
        let parsed = apache_avro::Schema::parse_str(&text);
        let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", schema.name));
        assert_eq!(parsed.name().unwrap().to_string(), format!("drawdown.{}", schema.name));
        let read_back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(drawdown_wire::avro::fingerprint(&read_back), schema.fingerprint());
    }
}

/// A named type is written out once and then called by its name: two types of one name would be taken
/// for each other.
#[test]
fn one_name_is_one_type() {
    for schema in schemas::ALL {
        let mut known = BTreeMap::new();
        collect(&schema.shape(), &mut known, schema.name);
    }
}

fn collect(shape: &Shape, known: &mut BTreeMap<&'static str, Shape>, schema: &str) {
    let mut meet = |name: &'static str, shape: &Shape| {
        let before = known.insert(name, shape.clone());
        assert!(
            before.is_none_or(|before| &before == shape),
            "{schema} has two types called {name}; give one of them another name"
        );
    };
    let records: &[Record] = match shape {
        Shape::Optional(inner) | Shape::List(inner) | Shape::Map(inner) => {
            return collect(inner, known, schema);
        }
        Shape::Symbol { name, .. } => return meet(name, shape),
        Shape::Record(record) => std::slice::from_ref(record),
        Shape::OneOf { records, .. } => records,
        Shape::Flag
        | Shape::Number(_)
        | Shape::Instant
        | Shape::Decimal
        | Shape::Text(_)
        | Shape::Bytes => return,
    };
    for record in records {
        meet(record.name, &Shape::Record(record.clone()));
    }
    for field in records.iter().flat_map(|record| &record.fields) {
        collect(&field.shape, known, schema);
    }
}
