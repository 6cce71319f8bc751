//! Values made up by shape, until everything a schema can say has been said once.

use std::collections::BTreeSet;

use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use drawdown_domain::vocabulary::{Record, Shape};
use serde_json::{Map, Value, json};

/// As many items of a list as there is something new to show, up to these.
const ITEMS_MAX: usize = 3;

/// What examples have shown so far, such as `Entry.bill: null`.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    features: BTreeSet<String>,
    decimals: usize,
}

/// Decimals that are easily got wrong. The longest has the 38 digits that the schemas allow.
const DECIMALS: &[&str] = &[
    "12.5",
    "-0.000000000001",
    "0",
    "99999999999999999999999999.999999999999",
    "-99999999999999999999999999.999999999999",
    "0.000000000128",
    "-128",
];

/// The same within the bounds of a usage record's quantity.
const QUANTITIES: &[&str] = &["1.5", "0", "999999999999999.999999999999", "0.000000000001"];

impl Shown {
    /// Notes all that a value shows.
    pub(crate) fn note(&mut self, shape: &Shape, json: &Value, place: &str) {
        if let Some(feature) = feature(shape, json, place) {
            self.features.insert(feature);
        }
        match (shape, json) {
            (_, Value::Null) => {}
            (Shape::Optional(inner), value) => self.note(inner, value, place),
            (Shape::List(inner), Value::Array(items)) => {
                items.iter().for_each(|item| self.note(inner, item, place));
            }
            (Shape::Record(record), value) => self.note_record(record, value),
            (Shape::OneOf { records, .. }, value) => {
                let (name, fields) = super::readable::only_entry(value);
                let record = records.iter().find(|record| record.name == name).unwrap();
                self.note_record(record, fields);
            }
            _ => {}
        }
    }

    fn note_record(&mut self, record: &Record, json: &Value) {
        for field in &record.fields {
            let place = format!("{}.{}", record.name, field.name);
            self.note(&field.shape, &json[field.name], &place);
        }
    }

    /// What a schema can say and no example has said.
    pub(crate) fn missing(&self, shape: &Shape, place: &str) -> Vec<String> {
        let own = sayable(shape, place).into_iter().filter(|said| !self.features.contains(said));
        let mut missing: Vec<String> = own.collect();
        for (place, inner) in inside(shape, place) {
            missing.extend(self.missing(inner, &place));
        }
        missing
    }

    fn wants(&self, shape: &Shape, place: &str) -> bool {
        !self.missing(shape, place).is_empty()
    }

    /// A value that says something new, if there still is anything.
    pub(crate) fn sample(&mut self, shape: &Shape, place: &str) -> Value {
        let value = match shape {
            Shape::Optional(inner) => match self.says(shape, &Value::Null, place) {
                true if !self.wants(inner, place) => Value::Null,
                _ => self.sample(inner, place),
            },
            Shape::List(inner) => self.sample_list(shape, inner, place),
            Shape::Map(_) if self.says(shape, &json!({}), place) => json!({}),
            Shape::Map(inner) => {
                let project = self.sample(inner, place);
                let team = match &**inner {
                    Shape::Text(_) => "größe".into(),
                    inner => self.sample(inner, place),
                };
                json!({ "project": project, "team": team })
            }
            Shape::Record(record) => self.sample_record(record),
            Shape::OneOf { records, .. } => {
                let record = self.next_record(shape, records, place);
                let fields = self.sample_record(record);
                json!({ record.name: fields })
            }
            Shape::Flag => self.says(shape, &json!(true), place).into(),
            Shape::Decimal => {
                let choices = if place == "UsageRecord.quantity" { QUANTITIES } else { DECIMALS };
                self.decimals += 1;
                choices[(self.decimals - 1) % choices.len()].into()
            }
            Shape::Symbol { symbols, .. } => symbols[symbols.len() - 1].into(),
            Shape::Number(meaning) => number(meaning, place).into(),
            Shape::Instant => "2026-03-01T10:00:00.000001Z".into(),
            Shape::Text(meaning) => text(meaning, place).into(),
            Shape::Bytes => "00ff".into(),
        };
        if let Some(feature) = feature(shape, &value, place) {
            self.features.insert(feature);
        }
        value
    }

    /// Whether a value would say something new.
    fn says(&self, shape: &Shape, value: &Value, place: &str) -> bool {
        feature(shape, value, place).is_some_and(|feature| !self.features.contains(&feature))
    }

    fn sample_list(&mut self, shape: &Shape, inner: &Shape, place: &str) -> Value {
        let nothing_new = !self.wants(inner, place) && !self.says(shape, &json!([0]), place);
        if nothing_new && self.says(shape, &json!([]), place) {
            return json!([]);
        }
        let mut items = vec![self.sample(inner, place)];
        while items.len() < ITEMS_MAX && self.wants(inner, place) {
            items.push(self.sample(inner, place));
        }
        items.into()
    }

    fn sample_record(&mut self, record: &Record) -> Value {
        let mut fields = Map::new();
        for field in &record.fields {
            let place = format!("{}.{}", record.name, field.name);
            fields.insert(field.name.to_owned(), self.sample(&field.shape, &place));
        }
        fields.into()
    }

    /// The first case that was never shown, or that has something new in it, or simply the first.
    fn next_record<'a>(&self, shape: &Shape, records: &'a [Record], place: &str) -> &'a Record {
        let new = |record: &&Record| {
            self.says(shape, &json!({ record.name: {} }), place)
                || self.wants(&Shape::Record((*record).clone()), place)
        };
        records.iter().find(new).unwrap_or(&records[0])
    }

    /// A value that keeps what `json` says where the shape still has a place for it.
    pub(crate) fn fit(&mut self, shape: &Shape, json: &Value, place: &str) -> Value {
        match (shape, json) {
            (Shape::Flag, Value::Bool(_)) | (Shape::Optional(_), Value::Null) => json.clone(),
            (Shape::Number(_), Value::Number(_)) => json.clone(),
            (Shape::Text(_) | Shape::Bytes, Value::String(_)) => json.clone(),
            (Shape::Instant, Value::String(text)) => {
                text.parse::<Timestamp>().unwrap().to_string().into()
            }
            (Shape::Decimal, Value::String(text)) => {
                text.parse::<Amount>().unwrap().to_string().into()
            }
            (Shape::Symbol { symbols, .. }, Value::String(symbol))
                if symbols.iter().any(|known| known == symbol) =>
            {
                json.clone()
            }
            (Shape::Optional(inner), value) => self.fit(inner, value, place),
            (Shape::List(inner), Value::Array(items)) => {
                items.iter().map(|item| self.fit(inner, item, place)).collect()
            }
            (Shape::Map(inner), Value::Object(entries)) => entries
                .iter()
                .map(|(key, value)| (key.clone(), self.fit(inner, value, place)))
                .collect(),
            (Shape::Record(record), Value::Object(fields)) => self.fit_record(record, fields),
            (Shape::OneOf { records, .. }, Value::Object(cases)) => {
                let known =
                    records.iter().find_map(|record| Some((record, cases.get(record.name)?)));
                match known {
                    Some((record, Value::Object(fields))) => {
                        json!({ record.name: self.fit_record(record, fields) })
                    }
                    _ => self.sample(shape, place),
                }
            }
            _ => self.sample(shape, place),
        }
    }

    fn fit_record(&mut self, record: &Record, json: &Map<String, Value>) -> Value {
        let mut fields = Map::new();
        for field in &record.fields {
            let place = format!("{}.{}", record.name, field.name);
            let value = match json.get(field.name) {
                Some(value) => self.fit(&field.shape, value, &place),
                None => self.sample(&field.shape, &place),
            };
            fields.insert(field.name.to_owned(), value);
        }
        fields.into()
    }
}

/// The shapes inside a shape, each with its place.
fn inside<'a>(shape: &'a Shape, place: &str) -> Vec<(String, &'a Shape)> {
    let fields = |records: &'a [Record]| {
        let fields = records.iter().flat_map(|record| {
            record.fields.iter().map(|field| (format!("{}.{}", record.name, field.name), field))
        });
        fields.map(|(place, field)| (place, &field.shape)).collect()
    };
    match shape {
        Shape::Optional(inner) | Shape::List(inner) | Shape::Map(inner) => {
            vec![(place.to_owned(), inner)]
        }
        Shape::Record(record) => fields(std::slice::from_ref(record)),
        Shape::OneOf { records, .. } => fields(records),
        _ => Vec::new(),
    }
}

/// Everything that values of a shape can say at its own level.
fn sayable(shape: &Shape, place: &str) -> Vec<String> {
    let both =
        |one: &str, other: &str| vec![format!("{place}: {one}"), format!("{place}: {other}")];
    match shape {
        Shape::Flag => both("true", "false"),
        Shape::Optional(_) => both("null", "not null"),
        Shape::List(_) | Shape::Map(_) => both("empty", "not empty"),
        Shape::OneOf { records, .. } => {
            records.iter().map(|record| format!("{place}: {}", record.name)).collect()
        }
        _ => Vec::new(),
    }
}

fn feature(shape: &Shape, json: &Value, place: &str) -> Option<String> {
    let said = match (shape, json) {
        (Shape::Flag, Value::Bool(flag)) => flag.to_string(),
        (Shape::Optional(_), Value::Null) => "null".to_owned(),
        (Shape::Optional(_), _) => "not null".to_owned(),
        (Shape::List(_), Value::Array(items)) if items.is_empty() => "empty".to_owned(),
        (Shape::Map(_), Value::Object(entries)) if entries.is_empty() => "empty".to_owned(),
        (Shape::List(_) | Shape::Map(_), _) => "not empty".to_owned(),
        (Shape::OneOf { .. }, value) => super::readable::only_entry(value).0.to_owned(),
        _ => return None,
    };
    Some(format!("{place}: {said}"))
}

fn number(meaning: &str, place: &str) -> i64 {
    match (meaning, place) {
        ("minute", _) => 29_539_800,
        ("month", _) => 674,
        (_, "CountedLine.minute") => -3,
        _ => 7,
    }
}

fn text(meaning: &str, place: &str) -> String {
    let field = place.rsplit('.').next().unwrap_or(place);
    let known = match (meaning, field) {
        ("country", _) => "SG",
        ("time zone", _) => "Asia/Singapore",
        ("span", _) => "35d",
        ("day", _) => "2026-04-01",
        ("invoice run", _) => "2026-04-01.usd.acme-group",
        ("enterprise", _) => "acme-group",
        ("account", _) | (_, "account") => "acme",
        ("billing account", _) => "ba-acme",
        ("payment method", _) => "bank_transfer",
        ("principal", _) => "operator",
        ("product", _) | (_, "product") => "compute",
        ("meter", _) | (_, "meter") => "vcpu_hours",
        ("region", _) | (_, "region" | "regions") => "eu-1",
        ("coupon", _) => "welcome",
        ("order", _) => "order-1",
        ("benefit", _) => "storage-1",
        ("organisation", _) => "research",
        (_, "source") => "collector-1",
        (_, "email") => "billing@acme.example",
        (_, "document") => "usage.max_age = \"40d\"\n",
        (_, "bill") => "ba-acme.1",
        _ => return field.replace('_', " "),
    };
    known.to_owned()
}
