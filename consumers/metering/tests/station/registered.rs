//! Usage in Confluent's wire format, whose schemas are in a registry.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use drawdown_domain::time::{Span, Timestamp};
use drawdown_metering::SchemaRegistry;
use drawdown_runtime::Stop;
use drawdown_wire::messages::{Bytes, PassedOn};
use drawdown_wire::usage::Writer;
use serde_json::json;

use super::rig::{BEGINS, Rig, used_at};

/// A registry that may be away, and counts how often it is asked.
#[derive(Debug, Default)]
struct Known {
    schemas: Mutex<BTreeMap<u32, String>>,
    is_away: Mutex<bool>,
    asked: Mutex<usize>,
}

impl SchemaRegistry for Known {
    fn schema(&self, number: u32) -> Result<Option<String>, String> {
        *self.asked.lock().unwrap() += 1;
        match *self.is_away.lock().unwrap() {
            true => Err("it is away".to_owned()),
            false => Ok(self.schemas.lock().unwrap().get(&number).cloned()),
        }
    }
}

fn begins() -> Timestamp {
    BEGINS.parse().unwrap()
}

fn registered(number: u32, value: &[u8]) -> Vec<u8> {
    [&[0][..], &number.to_be_bytes(), value].concat()
}

/// The record of the rig's meter, without the header of our own encoding.
fn value() -> Vec<u8> {
    used_at(BEGINS)[10..].to_vec()
}

fn rig() -> (Arc<Known>, Rig) {
    let registry = Arc::new(Known::default());
    registry.schemas.lock().unwrap().insert(7, Writer::schema().to_string());
    (registry.clone(), Rig::with(Some(registry)))
}

/// R2.1, R2.2: it is passed on as the record it is, and counts once, in whatever form it comes again.
#[test]
fn r2_2_a_record_whose_schema_is_in_a_registry_is_the_same_record() {
    let (registry, mut rig) = rig();
    assert!(rig.take(begins(), &registered(7, &value())).is_empty());
    assert_eq!(rig.metering.remembered().unwrap().len(), 0, "it counts where it arrives");
    for round in 1..=3 {
        let passed_on = rig.passed_on.pop().unwrap();
        assert!(rig.take(begins(), &passed_on).is_empty());
        assert_eq!(rig.metering.duplicates(), round - 1);
        assert!(rig.take(begins(), &registered(7, &value())).is_empty());
    }
    assert!(rig.take(begins(), &used_at(BEGINS)).is_empty());
    assert_eq!((rig.metering.duplicates(), rig.metering.remembered().unwrap().len()), (3, 1));
    assert_eq!(*registry.asked.lock().unwrap(), 1, "a schema never changes");
}

/// R2.3: what cannot be read is rejected whole, and counts when it is sent again and can.
#[test]
fn r2_3_a_schema_that_nobody_knows_yet_is_no_loss() {
    let (registry, mut rig) = rig();
    let message = registered(8, &value());
    let rejected = rig.take(begins(), &message);
    assert_eq!((rejected.len(), rejected[0].reason.code()), (1, "malformed"));
    assert_eq!(rejected[0].detail.as_deref(), Some("the registry knows no schema 8"));
    assert_eq!(rejected[0].message.0, message);
    let other = json!({ "type": "record", "name": "Invoice", "fields": [] });
    registry.schemas.lock().unwrap().insert(9, other.to_string());
    let why = rig.take(begins(), &registered(9, &value()))[0].detail.clone().unwrap();
    assert!(why.contains("the schema 9 of the registry") && why.contains("Invoice"), "{why}");
    let why = rig.take(begins(), &registered(7, &value()[1..]))[0].detail.clone();
    assert!(why.is_some());

    registry.schemas.lock().unwrap().insert(8, Writer::schema().to_string());
    let at = begins().plus(Span::days(2));
    let again = PassedOn { at, first_arrival: begins(), message: Bytes(message) };
    assert!(rig.control(at, again).is_empty());
    let passed_on = rig.passed_on.pop().unwrap();
    assert!(rig.take(at, &passed_on).is_empty());
    assert_eq!(rig.metering.remembered().unwrap().len(), 1);
}

#[test]
fn a_registry_that_is_away_is_waited_for() {
    let (registry, mut rig) = rig();
    *registry.is_away.lock().unwrap() = true;
    let stopped = rig.try_take(begins(), &registered(7, &value()));
    assert!(matches!(&stopped, Err(Stop::Away(_))), "{stopped:?}");
    *registry.is_away.lock().unwrap() = false;
    assert!(rig.take(begins(), &registered(7, &value())).is_empty());
    assert_eq!(rig.passed_on.len(), 1);
}

#[test]
fn without_a_registry_it_is_said_what_is_missing() {
    let mut rig = Rig::new();
    let rejected = rig.take(begins(), &registered(7, &value()));
    assert!(rejected[0].detail.as_ref().unwrap().contains("schema_registry.url"), "{rejected:?}");
}
