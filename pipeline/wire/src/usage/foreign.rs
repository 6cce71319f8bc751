//! Usage records of others: written with a schema that stands in their file or in a registry.

use serde_json::Value;

use super::{Read, each_packed, older, record_shape, single_fingerprint};
use crate::avro::{self, NotASchema, Plan, Symbols, schema_of};
use crate::schemas;

/// How records of a schema are read as usage records.
#[derive(Debug)]
pub struct Writer {
    /// None: the schema is the present one.
    plans: Option<Plans>,
}

#[derive(Debug)]
struct Plans {
    one: Plan,
    array: Plan,
}

/// A schema whose values are no usage records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUsage {
    #[error(transparent)]
    NotASchema(#[from] NotASchema),
    #[error(
        "it is a schema of {0}; usage records are called UsageRecord (schemas/avro/UsageRecord.avsc)"
    )]
    Name(String),
    #[error("the field {field} is {found}; it must be {expected}")]
    Field { field: &'static str, found: String, expected: String },
    #[error("a field holds a record of its own; the fields of a usage record are plain")]
    Nested,
    #[error("it cannot be read as UsageRecord: {0}")]
    Refused(String),
}

impl Writer {
    pub fn new(schema: &Value) -> Result<Writer, NotUsage> {
        let present = schemas::USAGE_RECORD.json();
        check_names(schema)?;
        for field in ["quantity", "time"] {
            check_logical_type(schema, &present, field)?;
        }
        let list = |items: &Value| serde_json::json!({ "type": "array", "items": items });
        let one = Plan::new(schema, &present)?;
        let array = Plan::new(&list(schema), &list(&present))?;
        if let Some(why) = one.refusals().into_iter().next() {
            return Err(NotUsage::Refused(why));
        }
        let is_present = avro::fingerprint(schema) == single_fingerprint();
        Ok(Writer { plans: (!is_present).then_some(Plans { one, array }) })
    }

    /// The one record that a value is.
    pub fn read<'a>(&self, value: &'a [u8]) -> Read<'a> {
        match &self.plans {
            None => super::read_single(value),
            Some(plans) => older::read_single(&plans.one, value),
        }
    }

    /// Shows each record of an Avro array of them. What follows a record that is cut off cannot be read.
    pub fn each<'a>(&self, array: &'a [u8], mut visit: impl FnMut(u32, Read<'a>)) {
        match &self.plans {
            None => each_packed(array, visit),
            Some(plans) => older::each_packed(&plans.array, array, &mut visit),
        }
    }

    /// The schema that whoever writes such files takes.
    pub fn schema() -> Value {
        schema_of("UsageRecord", &record_shape(), Symbols::Closed)
    }
}

/// The number of a schema in its registry, and the value, of a message in Confluent's wire format.
#[inline]
pub fn split_registered(message: &[u8]) -> Option<(u32, &[u8])> {
    let (0, rest) = message.split_first()? else { return None };
    let (number, value) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), value))
}

/// One record type, of the right name: types that hold each other could be of any size.
fn check_names(schema: &Value) -> Result<(), NotUsage> {
    let name = schema.get("name").and_then(Value::as_str).unwrap_or("something else");
    if name.rsplit('.').next() != Some("UsageRecord") {
        return Err(NotUsage::Name(name.to_owned()));
    }
    if records_in(schema) > 1 { Err(NotUsage::Nested) } else { Ok(()) }
}

fn records_in(schema: &Value) -> usize {
    let own = usize::from(schema.get("type").and_then(Value::as_str) == Some("record"));
    let parts: usize = match schema {
        Value::Array(parts) => parts.iter().map(records_in).sum(),
        Value::Object(parts) => parts.values().map(records_in).sum(),
        _ => 0,
    };
    own.saturating_add(parts)
}

/// A number means what its logical type says: read as another one it would be another number.
fn check_logical_type(schema: &Value, present: &Value, name: &'static str) -> Result<(), NotUsage> {
    let found = type_of(schema, name);
    let expected = type_of(present, name).unwrap_or(&Value::Null);
    let alike = |part: &str| found.and_then(|found| found.get(part)) == expected.get(part);
    if ["type", "logicalType", "scale"].into_iter().all(alike) {
        return Ok(());
    }
    let found = found.map_or_else(|| "missing".to_owned(), Value::to_string);
    Err(NotUsage::Field { field: name, found, expected: expected.to_string() })
}

fn type_of<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = schema.get("fields")?.as_array()?;
    fields.iter().find(|field| field.get("name").is_some_and(|is| is == name))?.get("type")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::avro::put_long;
    use crate::usage::{from_json, tags_of};

    fn array(records: &[Vec<u8>]) -> Vec<u8> {
        let mut array = Vec::new();
        put_long(&mut array, i64::try_from(records.len()).unwrap());
        records.iter().for_each(|record| array.extend_from_slice(record));
        put_long(&mut array, 0);
        array
    }

    fn record(id: &str) -> Vec<u8> {
        let json = json!({ "source": "s", "id": id, "account": "a", "product": "p", "meter": "m",
            "quantity": "1.5", "time": "2026-03-01T00:00:00Z", "tags": { "k": "v" } });
        from_json(json.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_present_schema_is_read_as_it_stands() {
        let writer = Writer::new(&Writer::schema()).unwrap();
        let (array, mut seen) = (array(&[record("1"), record("2")]), Vec::new());
        writer.each(&array, |index, read| {
            seen.push((index, read.usage().unwrap().id.to_owned()));
        });
        assert_eq!(seen, [(0, "1".to_owned()), (1, "2".to_owned())]);
    }

    #[test]
    fn fields_may_stand_in_another_order_and_others_beside_them() {
        let schema = json!({ "type": "record", "name": "com.acme.UsageRecord", "fields": [
            { "name": "time", "type": { "type": "long", "logicalType": "timestamp-micros" } },
            { "name": "colour", "type": "string" },
            { "name": "quantity", "type": { "type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 12 } },
            { "name": "source", "type": "string" }, { "name": "id", "type": "string" },
            { "name": "account", "type": "string" }, { "name": "product", "type": "string" },
            { "name": "meter", "type": "string" },
            { "name": "tags", "type": { "type": "map", "values": "string" } },
        ] });
        let mut bytes = Vec::new();
        put_long(&mut bytes, 1_000_000);
        crate::avro::put_text(&mut bytes, "red");
        crate::avro::put_bytes(&mut bytes, &[1]);
        for text in ["s", "1", "a", "p", "m"] {
            crate::avro::put_text(&mut bytes, text);
        }
        put_long(&mut bytes, 0);
        let writer = Writer::new(&schema).unwrap();
        let (mut seen, array) = (0, array(&[bytes.clone()]));
        let mut check = |read: Read<'_>| {
            let usage = read.usage().unwrap();
            assert_eq!((usage.meter, usage.time.as_micros()), ("m", 1_000_000));
            assert_eq!((usage.region, tags_of(&usage).unwrap()), (None, vec![]));
            seen += 1;
        };
        writer.each(&array, |_, read| check(read));
        check(writer.read(&bytes));
        assert_eq!(seen, 2);
        for (value, why) in [
            (&bytes[..bytes.len() - 1], "the value is cut off"),
            (&[&bytes[..], &[0]].concat(), "bytes are left over behind the record"),
        ] {
            let read = writer.read(value);
            assert!(read.usage().is_err(), "{why}");
        }
    }

    #[test]
    fn a_schema_that_would_be_misread_is_refused() {
        let changed = |field: &str, shape: Value| {
            let mut schema = Writer::schema();
            for known in schema["fields"].as_array_mut().unwrap() {
                if known["name"] == field {
                    known["type"] = shape.clone();
                }
            }
            Writer::new(&schema).unwrap_err().to_string()
        };
        let millis = json!({ "type": "long", "logicalType": "timestamp-millis" });
        assert!(changed("time", millis).contains("timestamp-micros"));
        assert!(changed("time", json!("long")).contains("timestamp-micros"));
        assert!(changed("quantity", json!("string")).contains("\"scale\":12"));
        let cents =
            json!({ "type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2 });
        assert!(changed("quantity", cents).contains("\"scale\":12"));
        assert!(changed("source", json!("long")).contains("cannot be read as"));
        let nested = json!({ "type": "record", "name": "Inner", "fields": [] });
        assert!(changed("region", nested).contains("plain"));
        let other = json!({ "type": "record", "name": "Invoice", "fields": [] });
        assert!(Writer::new(&other).unwrap_err().to_string().contains("Invoice"));
        assert!(Writer::new(&json!("string")).is_err());
    }
}
