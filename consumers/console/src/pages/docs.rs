//! The API's documentation, from its own description.

use askama::Template;
use axum::http::HeaderMap;
use axum::response::Response;
use drawdown_domain::refusal::Refusal;
use serde_json::{Map, Value};

use super::markup::marked;
use super::{origin, shown};
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
    /// A call, as one would type it in a shell.
    example: String,
    fields: Vec<Field>,
}

impl Operation {
    fn has_meanings(&self) -> bool {
        self.fields.iter().any(|field| !field.doc.is_empty())
    }
}

struct Field {
    name: String,
    kind: String,
    doc: String,
    required: bool,
}

pub(super) async fn docs(headers: HeaderMap) -> Response {
    let document = document();
    let origin = origin(&headers);
    let group = |name, tag| Group { name, operations: operations(&document, tag, &origin) };
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

fn operations(document: &Value, tag: &str, origin: &str) -> Vec<Operation> {
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
        example: example(document, operation, verb, &format!("{origin}{path}")),
        fields: fields(document, operation),
    });
    operations.collect()
}

/// Where the fields of a command are described.
const COMMAND: &str = "/requestBody/content/application~1json/schema/$ref";

/// A view of something that is there in the demonstration of the README, or a command with the fields that it needs.
fn example(document: &Value, operation: &Value, verb: &str, url: &str) -> String {
    let key = "-H \"authorization: Bearer $KEY\"";
    if verb == "get" {
        return format!("curl {key} {}", url.replace("{id}", "ba-acme"));
    }
    match operation.pointer(COMMAND).and_then(|name| referred(document, name.as_str()?)) {
        Some(schema) => format!(
            "curl -X POST {url} \\\n  {key} -H \"content-type: application/json\" \\\n  -d '{}'",
            sample("", schema)
        ),
        None => String::new(),
    }
}

fn referred<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    document.pointer(name.trim_start_matches('#'))
}

/// A value that fits a schema; of a record the fields that it needs.
fn sample(name: &str, schema: &Value) -> Value {
    let is = |field: &str, value: &str| schema.get(field).is_some_and(|known| known == value);
    if let Some(given) = schema.pointer("/examples/0").or_else(|| schema.pointer("/enum/0")) {
        return given.clone();
    }
    if let Some(first) = schema.pointer("/oneOf/0") {
        return sample(name, first);
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let required = schema.get("required").and_then(Value::as_array);
        let is_needed = |name: &str| required.is_some_and(|names| names.iter().any(|n| n == name));
        let needed = properties.iter().filter(|(name, _)| is_needed(name));
        return needed.map(|(name, schema)| (name.clone(), sample(name, schema))).collect();
    }
    if let Some(item) = schema.get("items") {
        return Value::Array(vec![sample(name, item)]);
    }
    let text = match name {
        _ if is("type", "boolean") => return true.into(),
        _ if is("type", "integer") => return 1.into(),
        _ if is("type", "object") => return Value::Object(Map::new()),
        _ if is("format", "date-time") => "2027-01-01T00:00:00Z",
        _ if is("format", "date") => "2027-01-01",
        _ if is("pattern", "^[A-Z]{2}$") => "SG",
        _ if is("title", "billing account") => "ba-acme",
        _ if is("title", "account") => "acme",
        _ if is("title", "payment method") => "visa-acme",
        _ if is("title", "time zone") => "UTC",
        _ if is("title", "span") => "1d",
        "run" => "2026-04-01.usd.acme",
        other => return other.replace('_', "-").into(),
    };
    text.into()
}

/// Of a command what it takes, of a view what its rows hold.
fn fields(document: &Value, operation: &Value) -> Vec<Field> {
    let places = [
        COMMAND,
        "/responses/200/content/application~1json/schema/$ref",
        "/responses/200/content/application~1json/schema/properties/rows/items/$ref",
    ];
    let reference = places.iter().find_map(|place| operation.pointer(place)?.as_str());
    let Some(schema) = reference.and_then(|name| referred(document, name)) else {
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

#[cfg(test)]
mod tests {
    use drawdown_domain::commands::Command;

    use super::*;
    use crate::fields;

    #[test]
    fn every_example_is_a_command() {
        let document = document();
        let mut wrong = String::new();
        for name in Command::NAMES {
            let operation = &document["paths"][format!("/v1/do/{name}")]["post"];
            let reference = operation.pointer(COMMAND).unwrap().as_str().unwrap();
            let Value::Object(given) = sample("", referred(&document, reference).unwrap()) else {
                panic!("{name}")
            };
            if let Err(error) = fields::read(name, &given).unwrap() {
                wrong.push_str(&format!("{name}: {} in {}\n", error.why, Value::Object(given)));
            }
        }
        assert_eq!(wrong, "");
    }
}
