use drawdown_domain::vocabulary::{Field, Record, Shape};
use serde_json::Value;

use super::*;
use crate::avro::{Symbols, put_bytes, put_long, put_text, schema_of};
use crate::schemas;
use crate::usage::{NewUsage, packed_message, put_record, record_shape, single_message, tags_of};

/// A made-up schema of a time when a record had no unit, a colour instead, its time in front, and at
/// its end a note that was given up.
fn older(name: &str, wrap: impl Fn(Shape) -> Shape) -> Value {
    let Shape::Record(Record { name: record, doc, fields }) = record_shape() else { panic!() };
    let mut fields: Vec<Field> = fields.into_iter().filter(|field| field.name != "unit").collect();
    let time = fields.iter().position(|field| field.name == "time").unwrap();
    let time = fields.remove(time);
    fields.insert(0, time);
    fields.insert(3, Field::new("colour", "", Shape::Optional(Box::new(Shape::Text("text")))));
    fields.push(Field::new("note", "", Shape::Text("text")));
    let shape = Shape::Record(Record { name: record, doc, fields });
    schema_of(name, &wrap(shape), Symbols::Closed)
}

fn single() -> Plan {
    let writer = older("UsageRecord", |record| record);
    Plan::new(&writer, &schemas::USAGE_RECORD.json()).unwrap()
}

fn packed() -> Plan {
    let writer = older("UsageBatch", |record| {
        let records = Field::new("records", "", Shape::List(Box::new(record)));
        let doc = String::new();
        Shape::Record(Record { name: "UsageBatch", doc, fields: vec![records] })
    });
    Plan::new(&writer, &schemas::USAGE_BATCH.json()).unwrap()
}

fn sample<'a>(id: &'a str) -> NewUsage<'a> {
    NewUsage {
        source: "collector",
        id,
        account: "acme",
        product: "compute",
        meter: "hours",
        quantity: "1.1".parse().unwrap(),
        time: "2026-03-01T10:00:00Z".parse().unwrap(),
        region: Some("eu"),
        unit: None,
        tags: &[("a", "1"), ("b", "2")],
    }
}

/// The same record as the made-up version wrote it, with tags in another order.
fn put_older(to: &mut Vec<u8>, record: &NewUsage<'_>) {
    put_long(to, record.time.as_micros());
    put_text(to, record.source);
    put_text(to, record.id);
    put_long(to, 1);
    put_text(to, "red");
    for text in [record.account, record.product, record.meter] {
        put_text(to, text);
    }
    put_bytes(to, &record.quantity.raw().to_be_bytes());
    put_long(to, record.region.is_some().into());
    record.region.into_iter().for_each(|region| put_text(to, region));
    put_long(to, record.tags.len().try_into().unwrap());
    for (key, value) in record.tags.iter().rev() {
        put_text(to, key);
        put_text(to, value);
    }
    put_long(to, 0);
    put_text(to, "a note");
}

type Told = Vec<Result<(Vec<u8>, Vec<u8>, String), Malformed>>;

fn told<'a>(read: impl FnOnce(&mut dyn FnMut(u32, Read<'a>))) -> Told {
    let mut told = Vec::new();
    read(&mut |index, record| {
        assert_eq!(index as usize, told.len());
        told.push(record.usage().map(|record| {
            let all = format!("{record:?} {:?}", tags_of(&record));
            (record.identity.to_vec(), record.content.to_vec(), all)
        }));
    });
    told
}

fn present(message: &[u8]) -> Told {
    told(|visit| crate::usage::each_record(message, visit))
}

#[test]
fn r2_2_a_record_in_an_older_schema_has_the_same_bytes() {
    let mut value = Vec::new();
    put_older(&mut value, &sample("u-1"));
    let found = told(|visit| visit(0, read_single(&single(), &value)));
    assert_eq!(found, present(&single_message(&sample("u-1"))), "R2.2");

    let (mut older, mut newer) = (Vec::new(), Vec::new());
    put_long(&mut older, 2);
    for id in ["u-1", "u-2"] {
        put_older(&mut older, &sample(id));
        put_record(&mut newer, &sample(id));
    }
    put_long(&mut older, 0);
    let found = told(|visit| each_packed(&packed(), &older, visit));
    assert_eq!(found, present(&packed_message(2, &newer)), "R2.2");
}

#[test]
fn what_stands_before_a_cut_counts_in_an_older_schema_too() {
    let mut value = Vec::new();
    put_long(&mut value, 2);
    put_older(&mut value, &sample("u-1"));
    let first = value.len();
    put_older(&mut value, &sample("u-2"));
    let whole = value.len();
    for cut in first..=whole {
        let found = told(|visit| each_packed(&packed(), &value[..cut], visit));
        let records = if cut == whole { 2 } else { 1 };
        assert_eq!(found.iter().filter(|record| record.is_ok()).count(), records, "{cut}");
        assert!(found.len() == records + 1 && found[records].is_err(), "{cut}: {found:?}");
    }
    for cut in 0..first - 1 {
        let found = told(|visit| visit(0, read_single(&single(), &value[1..1 + cut])));
        assert!(found.len() == 1 && found[0].is_err(), "{cut}: {found:?}");
    }
    value.extend([0, 7]);
    let found = told(|visit| each_packed(&packed(), &value, visit));
    assert_eq!(found.last(), Some(&Err(Malformed::LeftOver)));
}

#[test]
fn a_schema_that_was_never_released_stays_unknown() {
    let mut message = Vec::new();
    let writer = older("UsageRecord", |record| record);
    crate::avro::put_header(&mut message, crate::avro::fingerprint(&writer));
    put_older(&mut message, &sample("u-1"));
    assert_eq!(present(&message), [Err(Malformed::UnknownFormat)]);
}
