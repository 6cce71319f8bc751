//! A usage record as JSON: plain, or as the data of a CloudEvent.

use std::collections::BTreeMap;

use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use serde::Deserialize;

use super::{Malformed, NewUsage, put_record};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    source: String,
    id: String,
    account: String,
    product: String,
    meter: String,
    quantity: Amount,
    time: Timestamp,
    region: Option<String>,
    unit: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// CloudEvents 1.0, structured mode. The envelope names source, id and time; the data names the rest.
/// Attributes that mean nothing here are passed over, as the specification asks.
#[derive(Deserialize)]
struct CloudEvent {
    source: String,
    id: String,
    time: Timestamp,
    /// Who used it, unless the data says so.
    subject: Option<String>,
    data: Data,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    account: Option<String>,
    product: String,
    meter: String,
    quantity: Amount,
    region: Option<String>,
    unit: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Peek {
    specversion: Option<serde::de::IgnoredAny>,
}

/// The canonical bytes of a record written as JSON.
pub fn from_json(json: &[u8]) -> Result<Vec<u8>, Malformed> {
    let invalid = |error: serde_json::Error| Malformed::Json(error.to_string());
    let peek: Peek = serde_json::from_slice(json).map_err(invalid)?;
    if peek.specversion.is_none() {
        return Ok(canonical(&serde_json::from_slice(json).map_err(invalid)?));
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

fn canonical(record: &Plain) -> Vec<u8> {
    let tags: Vec<(&str, &str)> =
        record.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut bytes = Vec::with_capacity(256);
    put_record(
        &mut bytes,
        &NewUsage {
            source: &record.source,
            id: &record.id,
            account: &record.account,
            product: &record.product,
            meter: &record.meter,
            quantity: record.quantity,
            time: record.time,
            region: record.region.as_deref(),
            unit: record.unit.as_deref(),
            tags: &tags,
        },
    );
    bytes
}
