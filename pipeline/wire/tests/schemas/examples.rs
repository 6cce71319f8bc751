//! `schemas/examples`: for each schema messages in hexadecimal beside what they say, for developers
//! in any language who want to check an encoder or a decoder.

use drawdown_domain::vocabulary::Shape;
use drawdown_wire::avro::{self, put_header};
use drawdown_wire::schemas::{self, Schema};
use drawdown_wire::usage::{Usage, each_record, tags_of};
use drawdown_wire::{messages, state};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::readable::{self, from_hex, hex};
use super::sampling::Shown;
use super::{folder, printing};

/// More than enough to say everything that a schema can say.
const EXAMPLES_MAX: usize = 200;

#[test]
fn every_schema_has_examples_of_all_it_can_say() {
    let expected: Vec<(String, String)> = schemas::ALL
        .iter()
        .map(|schema| (file_of(schema), printing::examples(&completed(schema), &schema.shape())))
        .collect();
    folder::check("examples", &expected);
}

#[test]
fn every_example_is_read_alike_by_us_and_by_others() {
    for schema in schemas::ALL {
        // What is being rewritten beside this cannot be read.
        let examples = if folder::updates() { completed(schema) } else { read(schema).unwrap() };
        let parsed = apache_avro::Schema::parse(&schema.json()).unwrap();
        for (place, example) in examples.as_array().unwrap().iter().enumerate() {
            let message = from_hex(example["message"].as_str().unwrap());
            let (fingerprint, value) = avro::split_header(&message).unwrap();
            assert_eq!(fingerprint, schema.fingerprint(), "{} {place}", schema.name);
            let theirs = by_apache_avro(&parsed, &schema.shape(), value);
            assert_eq!(theirs, example["value"], "{} {place}", schema.name);
            assert_eq!(by_us(schema, &message), example["value"], "{} {place}", schema.name);
            assert_eq!(canonical(schema, &message), example["canonical"], "{place}");
        }
    }
}

fn file_of(schema: &Schema) -> String {
    format!("{}.json", schema.name)
}

fn read(schema: &Schema) -> Option<Value> {
    let text = folder::read(&format!("examples/{}", file_of(schema)))?;
    Some(serde_json::from_str(&text).unwrap())
}

/// The examples there are, mended where the schema has changed, and as many more as are needed to
/// show all that the schema can say.
pub(crate) fn completed(schema: &Schema) -> Value {
    let shape = schema.shape();
    let mut shown = Shown::default();
    let kept = read(schema).unwrap_or_else(|| json!([]));
    let kept = kept.as_array().unwrap();
    let mut values: Vec<Value> =
        kept.iter().map(|example| shown.fit(&shape, &example["value"], schema.name)).collect();
    values.iter().for_each(|value| shown.note(&shape, value, schema.name));
    while values.is_empty() || !shown.missing(&shape, schema.name).is_empty() {
        assert!(values.len() < EXAMPLES_MAX, "{:?}", shown.missing(&shape, schema.name));
        values.push(shown.sample(&shape, schema.name));
    }
    let examples = values.into_iter().enumerate().map(|(place, value)| {
        let mut message = Vec::new();
        put_header(&mut message, schema.fingerprint());
        readable::encode(&shape, &value, &mut message);
        let mut example = json!({ "value": value, "message": hex(&message) });
        let about = kept.get(place).and_then(|example| example.get("about"));
        for (key, value) in [("about", about), ("canonical", Some(&canonical(schema, &message)))] {
            if let Some(value) = value.filter(|value| !value.is_null()) {
                example[key] = value.clone();
            }
        }
        example
    });
    examples.collect()
}

pub(crate) fn by_apache_avro(schema: &apache_avro::Schema, shape: &Shape, value: &[u8]) -> Value {
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(schema).build().unwrap();
    let mut rest = value;
    let read = reader.read_value(&mut rest).unwrap();
    assert!(rest.is_empty(), "bytes are left over");
    readable::from_avro(shape, read)
}

/// What our own decoder makes of a message, which our encoder must turn into the same bytes again.
pub(crate) fn by_us(schema: &Schema, message: &[u8]) -> Value {
    match schema.name {
        "UsageRecord" => usage_records(message).pop().unwrap(),
        "UsageBatch" => json!({ "records": usage_records(message) }),
        "UsageControl" => json!({ "control": declared::<messages::UsageControl>(schema, message) }),
        "CommandControl" => {
            json!({ "control": declared::<messages::CommandControl>(schema, message) })
        }
        "Command" => declared::<messages::CommandMessage>(schema, message),
        "Signed" => declared::<messages::Signed>(schema, message),
        "LedgerMessage" => declared::<messages::LedgerMessage>(schema, message),
        "Outcomes" => declared::<messages::Outcomes>(schema, message),
        "Charges" => declared::<messages::Charges>(schema, message),
        "Entries" => declared::<messages::Entries>(schema, message),
        "Bills" => declared::<messages::Bills>(schema, message),
        "Balances" => declared::<messages::Balances>(schema, message),
        "Rejects" => declared::<messages::Rejects>(schema, message),
        "PaymentWishes" => declared::<messages::PaymentWishes>(schema, message),
        "Payments" => declared::<messages::Payments>(schema, message),
        "PaymentRequests" => declared::<messages::PaymentRequests>(schema, message),
        "Notices" => declared::<messages::Notices>(schema, message),
        "Services" => declared::<messages::Services>(schema, message),
        "PeriodsClosed" => declared::<messages::PeriodsClosed>(schema, message),
        "InvoiceRuns" => declared::<messages::InvoiceRuns>(schema, message),
        "Invoices" => declared::<messages::Invoices>(schema, message),
        "Mails" => declared::<messages::Mails>(schema, message),
        "Frame" => declared::<state::Frame>(schema, message),
        "MeteringDelta" => declared::<state::MeteringDelta>(schema, message),
        "MeteringPiece" => declared::<state::MeteringPiece>(schema, message),
        "RegistryDelta" => declared::<state::RegistryDelta>(schema, message),
        "RegistryPart" => declared::<state::RegistryPart>(schema, message),
        "BalanceDelta" => declared::<state::BalanceDelta>(schema, message),
        "BalancePiece" => declared::<state::BalancePiece>(schema, message),
        "ErrandsDelta" => declared::<state::ErrandsDelta>(schema, message),
        "ErrandsPiece" => declared::<state::ErrandsPiece>(schema, message),
        other => panic!("say here which type {other} is"),
    }
}

fn declared<T: Serialize + DeserializeOwned>(schema: &Schema, message: &[u8]) -> Value {
    let read: T = schema.read(message).unwrap_or_else(|error| panic!("{}: {error}", schema.name));
    let value = schema.value(message).unwrap();
    assert_eq!(avro::encode(&read), *value, "{}", schema.name);
    let json = serde_json::to_value(&read).unwrap();
    match schema.shape() {
        // A choice stands in a record of one field.
        Shape::Record(record) if record.fields[0].name == "control" => {
            readable::from_ours(&record.fields[0].shape, json)
        }
        shape => readable::from_ours(&shape, json),
    }
}

fn usage_records(message: &[u8]) -> Vec<Value> {
    let mut records = Vec::new();
    each_record(message, |_, record| records.push(usage_record(&record.usage().unwrap())));
    records
}

fn usage_record(record: &Usage<'_>) -> Value {
    let tags = tags_of(record).unwrap().into_iter();
    let tags: Value = tags.map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
    json!({
        "source": record.source, "id": record.id, "account": record.account,
        "product": record.product, "meter": record.meter,
        "quantity": record.quantity, "time": record.time,
        "region": record.region, "unit": record.unit,
        "tags": tags,
    })
}

/// The canonical bytes by which repeats of usage records are known. Once released they stand for
/// good, so examples hold them fast.
pub(crate) fn canonical(schema: &Schema, message: &[u8]) -> Value {
    if !schema.name.starts_with("Usage") || schema.name == "UsageControl" {
        return Value::Null;
    }
    let mut records = Vec::new();
    each_record(message, |_, record| {
        let read = record.usage().unwrap();
        let Usage { identity, content, .. } = *read;
        records.push(json!({ "identity": hex(identity), "content": hex(content) }));
    });
    records.into()
}
