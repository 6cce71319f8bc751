//! The API's documentation, from its own description.

use askama::Template;
use axum::response::Response;
use drawdown_domain::refusal::Refusal;
use serde_json::Value;

use super::markup::marked;
use super::shown;
use crate::description::document;

#[derive(Template)]
#[template(path = "docs.html")]
struct Docs {
    here: &'static str,
    groups: Vec<Group>,
    codes: Vec<(&'static str, String)>,
}

struct Group {
    name: &'static str,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    verb: String,
    path: String,
    summary: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: String,
    doc: String,
    required: bool,
}

pub(super) async fn docs() -> Response {
    let document = document();
    let group = |name, tag| Group { name, operations: operations(&document, tag) };
    shown(&Docs {
        here: "docs",
        groups: vec![
            group("Commands", "commands"),
            group("Views", "views"),
            group("Usage", "usage"),
        ],
        codes: Refusal::ALL
            .iter()
            .map(|refusal| (refusal.code(), marked(refusal.help().trim())))
            .collect(),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn operations(document: &Value, tag: &str) -> Vec<Operation> {
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    let verbs = paths.flat_map(|(path, verbs)| {
        let verbs = verbs.as_object().into_iter().flatten();
        verbs.map(move |(verb, operation)| (path, verb, operation))
    });
    let tagged =
        verbs.filter(|(_, _, operation)| operation.pointer("/tags/0") == Some(&tag.into()));
    let operations = tagged.map(|(path, verb, operation)| Operation {
        id: text(&operation["operationId"]),
        verb: verb.clone(),
        path: path.clone(),
        summary: marked(&text(&operation["summary"])),
        fields: fields(document, operation),
    });
    operations.collect()
}

/// Of a command what it takes, of a view what its rows hold.
fn fields(document: &Value, operation: &Value) -> Vec<Field> {
    let places = [
        "/requestBody/content/application~1json/schema/$ref",
        "/responses/200/content/application~1json/schema/$ref",
        "/responses/200/content/application~1json/schema/properties/rows/items/$ref",
    ];
    let reference = places.iter().find_map(|place| operation.pointer(place)?.as_str());
    let Some(schema) = reference.and_then(|name| document.pointer(name.trim_start_matches('#')))
    else {
        return Vec::new();
    };
    let required = schema.get("required").and_then(Value::as_array);
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let fields = properties.map(|(name, property)| Field {
        name: name.clone(),
        kind: kind(property),
        doc: marked(&text(&property["description"])),
        required: required.is_some_and(|names| names.contains(&name.as_str().into())),
    });
    fields.collect()
}

fn kind(property: &Value) -> String {
    if let Some(symbols) = property.get("enum").and_then(Value::as_array) {
        return symbols.iter().map(text).collect::<Vec<_>>().join(", ");
    }
    if let Some(title) = property.get("title").and_then(Value::as_str) {
        return title.to_owned();
    }
    let named = match property.get("type") {
        Some(Value::Array(types)) => types.first().map(text).unwrap_or_default(),
        other => other.map(text).unwrap_or_default(),
    };
    let decimal =
        property.get("pattern").and_then(Value::as_str).is_some_and(|p| p.contains("\\."));
    match (named.as_str(), property.get("format").and_then(Value::as_str)) {
        (_, Some("date-time")) => "time".to_owned(),
        ("string", _) if decimal => "decimal, as text".to_owned(),
        ("string", _) => "text".to_owned(),
        ("array", _) => property
            .get("items")
            .map_or_else(|| "list".to_owned(), |items| format!("list of {}", kind(items))),
        (other, _) => other.to_owned(),
    }
}
