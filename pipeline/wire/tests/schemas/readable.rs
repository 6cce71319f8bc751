//! A message's value as readable JSON, by the shape of its schema.
//!
//! A record is an object, one of several records an object with one key, the record's name; a decimal
//! and a time are text, bytes are hexadecimal, and what may be missing is null.

use apache_avro::types::Value as Avro;
use drawdown_domain::money::{Amount, from_twos_complement, shortest};
use drawdown_domain::time::{Month, Timestamp};
use drawdown_domain::vocabulary::{Record, Shape};
use drawdown_wire::avro::{put_bytes, put_long, put_text};
use serde_json::{Map, Value, json};

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty(), "an odd number of digits: {text}");
    pairs.iter().map(|[high, low]| high << 4 | low).collect()
}

/// Appends the value that `json` stands for, as the specification of Avro says.
pub(crate) fn encode(shape: &Shape, json: &Value, to: &mut Vec<u8>) {
    match shape {
        Shape::Flag => to.push(json.as_bool().unwrap().into()),
        Shape::Number(_) => put_long(to, json.as_i64().unwrap()),
        Shape::Instant => {
            put_long(to, json.as_str().unwrap().parse::<Timestamp>().unwrap().as_micros());
        }
        Shape::Decimal => {
            let amount: Amount = json.as_str().unwrap().parse().unwrap();
            put_bytes(to, shortest(&amount.raw().to_be_bytes()));
        }
        Shape::Text(_) => put_text(to, json.as_str().unwrap()),
        Shape::Bytes => put_bytes(to, &from_hex(json.as_str().unwrap())),
        Shape::Optional(inner) => {
            put_long(to, i64::from(!json.is_null()));
            if !json.is_null() {
                encode(inner, json, to);
            }
        }
        Shape::List(inner) => {
            let items = json.as_array().unwrap();
            put_block(to, items.len());
            items.iter().for_each(|item| encode(inner, item, to));
            put_end(to);
        }
        Shape::Map(inner) => {
            let entries = json.as_object().unwrap();
            put_block(to, entries.len());
            for (key, value) in sorted(entries) {
                put_text(to, key);
                encode(inner, value, to);
            }
            put_end(to);
        }
        Shape::Symbol { symbols, .. } => {
            let place = symbols.iter().position(|symbol| json == symbol).unwrap();
            put_long(to, place.try_into().unwrap());
        }
        Shape::Record(record) => encode_record(record, json, to),
        Shape::OneOf { records, .. } => {
            let (name, fields) = only_entry(json);
            let place = records.iter().position(|record| record.name == name).unwrap();
            put_long(to, place.try_into().unwrap());
            encode_record(&records[place], fields, to);
        }
    }
}

fn put_block(to: &mut Vec<u8>, count: usize) {
    if count > 0 {
        put_long(to, count.try_into().unwrap());
    }
}

fn put_end(to: &mut Vec<u8>) {
    put_long(to, 0);
}

fn encode_record(record: &Record, json: &Value, to: &mut Vec<u8>) {
    for field in &record.fields {
        encode(&field.shape, &json[field.name], to);
    }
}

fn sorted(entries: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

pub(crate) fn only_entry(json: &Value) -> (&str, &Value) {
    let entries = json.as_object().unwrap();
    assert_eq!(entries.len(), 1, "one of several has one key: {json}");
    entries.iter().next().map(|(key, value)| (key.as_str(), value)).unwrap()
}

/// What the reference implementation has read.
pub(crate) fn from_avro(shape: &Shape, value: Avro) -> Value {
    match (shape, value) {
        (Shape::Flag, Avro::Boolean(flag)) => flag.into(),
        (Shape::Number(_), Avro::Long(number)) => number.into(),
        (Shape::Instant, Avro::TimestampMicros(micros)) => {
            Timestamp::from_micros(micros).to_string().into()
        }
        (Shape::Decimal, Avro::Decimal(decimal)) => {
            decimal_text(&Vec::<u8>::try_from(&decimal).unwrap())
        }
        (Shape::Decimal, Avro::Bytes(bytes)) => decimal_text(&bytes),
        (Shape::Text(_), Avro::String(text)) => text.into(),
        (Shape::Bytes, Avro::Bytes(bytes)) => hex(&bytes).into(),
        (Shape::Optional(_), Avro::Union(0, value)) if *value == Avro::Null => Value::Null,
        (Shape::Optional(inner), Avro::Union(1, value)) => from_avro(inner, *value),
        (Shape::List(inner), Avro::Array(items)) => {
            items.into_iter().map(|item| from_avro(inner, item)).collect()
        }
        (Shape::Map(inner), Avro::Map(entries)) => {
            entries.into_iter().map(|(key, value)| (key, from_avro(inner, value))).collect()
        }
        (Shape::Symbol { .. }, Avro::Enum(_, symbol)) => symbol.into(),
        (Shape::Record(record), value @ Avro::Record(_)) => record_from_avro(record, value),
        (Shape::OneOf { records, .. }, Avro::Union(case, value)) => {
            let record = &records[case as usize];
            json!({ record.name: record_from_avro(record, *value) })
        }
        (shape, value) => panic!("{value:?} is not {shape:?}"),
    }
}

fn decimal_text(bytes: &[u8]) -> Value {
    from_twos_complement(bytes).unwrap().to_string().into()
}

fn record_from_avro(record: &Record, value: Avro) -> Value {
    let Avro::Record(fields) = value else { panic!("{value:?} is not {}", record.name) };
    assert_eq!(fields.len(), record.fields.len());
    let fields = record.fields.iter().zip(fields).map(|(field, (name, value))| {
        assert_eq!(field.name, name);
        (name, from_avro(&field.shape, value))
    });
    Value::Object(fields.collect())
}

/// What serde makes of a value of ours.
pub(crate) fn from_ours(shape: &Shape, json: Value) -> Value {
    match (shape, json) {
        // Months are text where people read them.
        (Shape::Number("month"), Value::String(month)) => {
            month.parse::<Month>().unwrap().number().into()
        }
        // Two's complement, as on the wire.
        (Shape::Number(_), Value::Number(number)) => {
            number.as_i64().unwrap_or_else(|| number.as_u64().unwrap().cast_signed()).into()
        }
        (Shape::Bytes, Value::Array(bytes)) => {
            let bytes: Vec<u8> =
                bytes.iter().map(|byte| byte.as_u64().unwrap().try_into().unwrap()).collect();
            hex(&bytes).into()
        }
        (Shape::Optional(_), Value::Null) => Value::Null,
        (Shape::Optional(inner), value) => from_ours(inner, value),
        (Shape::List(inner), Value::Array(items)) => {
            items.into_iter().map(|item| from_ours(inner, item)).collect()
        }
        (Shape::Record(record), value) => record_from_ours(record, value),
        // Commands go by the names of the API, which are those of their records in other letters.
        (Shape::OneOf { records, .. }, value) => {
            let (name, fields) = only_entry(&value);
            let name = name.replace('_', "");
            let record =
                records.iter().find(|record| record.name.eq_ignore_ascii_case(&name)).unwrap();
            json!({ record.name: record_from_ours(record, fields.clone()) })
        }
        (_, scalar) => scalar,
    }
}

fn record_from_ours(record: &Record, value: Value) -> Value {
    let Value::Object(mut fields) = value else { panic!("{value} is not {}", record.name) };
    let read = record.fields.iter().map(|field| {
        let value = fields.remove(field.name).unwrap();
        (field.name.to_owned(), from_ours(&field.shape, value))
    });
    let read = Value::Object(read.collect());
    assert!(fields.is_empty(), "{} does not declare {fields:?}", record.name);
    read
}
