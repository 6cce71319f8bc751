//! A usage record as JSON: plain, or as the data of a CloudEvent.

use std::borrow::Cow;
use std::collections::BTreeMap;

use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Malformed, NewUsage, decode, put_record, tags_of};
use crate::avro::Cursor;

/// A text that stays where it is unless something in it is escaped.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    #[serde(borrow)]
    source: Text<'a>,
    id: Text<'a>,
    account: Text<'a>,
    product: Text<'a>,
    meter: Text<'a>,
    quantity: Amount,
    time: Timestamp,
    region: Option<Text<'a>>,
    unit: Option<Text<'a>>,
    #[serde(default)]
    tags: BTreeMap<Text<'a>, Text<'a>>,
}

/// CloudEvents 1.0, structured mode. The envelope names source, id and time; the data names the rest.
/// Attributes that mean nothing here are passed over, as the specification asks.
#[derive(Deserialize)]
struct CloudEvent<'a> {
    #[serde(borrow)]
    source: Text<'a>,
    id: Text<'a>,
    time: Timestamp,
    /// Who used it, unless the data says so.
    subject: Option<Text<'a>>,
    data: Data<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data<'a> {
    #[serde(borrow)]
    account: Option<Text<'a>>,
    product: Text<'a>,
    meter: Text<'a>,
    quantity: Amount,
    region: Option<Text<'a>>,
    unit: Option<Text<'a>>,
    #[serde(default)]
    tags: BTreeMap<Text<'a>, Text<'a>>,
}

#[derive(Deserialize)]
struct Peek {
    specversion: Option<serde::de::IgnoredAny>,
}

/// The canonical bytes of a record written as JSON.
pub fn from_json(json: &[u8]) -> Result<Vec<u8>, Malformed> {
    let invalid = |error: serde_json::Error| Malformed::Json(error.to_string());
    // Most are plain, and no CloudEvent can be: then one look is enough.
    let not_plain = match serde_json::from_slice::<Plain<'_>>(json) {
        Ok(record) => return Ok(canonical(&record)),
        Err(error) => error,
    };
    let peek: Peek = serde_json::from_slice(json).map_err(invalid)?;
    if peek.specversion.is_none() {
        return Err(invalid(not_plain));
    }
    let event: CloudEvent = serde_json::from_slice(json).map_err(invalid)?;
    let data = event.data;
    let account = data.account.or(event.subject);
    Ok(canonical(&Plain {
        source: event.source,
        id: event.id,
        account: account.ok_or_else(|| {
            Malformed::Json("neither data.account nor subject is there".to_owned())
        })?,
        product: data.product,
        meter: data.meter,
        quantity: data.quantity,
        time: event.time,
        region: data.region,
        unit: data.unit,
        tags: data.tags,
    }))
}

fn canonical(record: &Plain<'_>) -> Vec<u8> {
    let tags: Vec<(&str, &str)> =
        record.tags.iter().map(|(key, value)| (&*key.0, &*value.0)).collect();
    let mut bytes = Vec::with_capacity(256);
    put_record(
        &mut bytes,
        &NewUsage {
            source: &record.source.0,
            id: &record.id.0,
            account: &record.account.0,
            product: &record.product.0,
            meter: &record.meter.0,
            quantity: record.quantity,
            time: record.time,
            region: record.region.as_ref().map(|text| &*text.0),
            unit: record.unit.as_ref().map(|text| &*text.0),
            tags: &tags,
        },
    );
    bytes
}

/// A record as it is written in JSON.
#[derive(Serialize)]
struct Written<'a> {
    source: &'a str,
    id: &'a str,
    account: &'a str,
    product: &'a str,
    meter: &'a str,
    quantity: Amount,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<&'a str, &'a str>,
}

/// Appends a record, given by its canonical bytes, as JSON on one line.
pub fn put_json(to: &mut Vec<u8>, record: &[u8]) -> Result<(), Malformed> {
    let (usage, _) = decode(&mut Cursor::new(record))?;
    let written = Written {
        source: usage.source,
        id: usage.id,
        account: usage.account,
        product: usage.product,
        meter: usage.meter,
        quantity: usage.quantity,
        time: usage.time,
        region: usage.region,
        unit: usage.unit,
        tags: tags_of(&usage)?.into_iter().collect(),
    };
    serde_json::to_writer(&mut *to, &written)
        .map_err(|error| Malformed::Json(error.to_string()))?;
    to.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_from_json_as_it_was() {
        for json in [
            r#"{"source":"s","id":"1","account":"a","product":"p","meter":"m","quantity":"-1.5","time":"2026-03-01T00:00:00.000001Z"}"#,
            r#"{"source":"s\n\"ü","id":"1","account":"a","product":"p","meter":"m","quantity":"0","time":"2026-03-01T00:00:00Z","region":"r","unit":"h","tags":{"k\u0041":"v","b":""}}"#,
        ] {
            let record = from_json(json.as_bytes()).unwrap();
            let mut again = Vec::new();
            put_json(&mut again, &record).unwrap();
            assert_eq!(from_json(&again).unwrap(), record, "{json}");
            assert_eq!(again.pop(), Some(b'\n'));
            assert!(!again.contains(&b'\n'));
        }
    }
}
