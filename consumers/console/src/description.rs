//! The API described: OpenAPI 3.1, made from the vocabulary and never by hand.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use drawdown_domain::commands::Command;
use drawdown_domain::refusal::Refusal;
use drawdown_domain::vocabulary::{Record, Shape};
use serde_json::{Map, Value, json};

use crate::feed::WATCHED;
use crate::printer::Form;
use crate::views::{ALL, List, Source, View};

/// `GET /openapi.json`.
pub(crate) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], document().to_string()).into_response()
}

/// The whole description.
pub(crate) fn document() -> Value {
    let mut schemas = Map::new();
    schemas.insert("Problem".to_owned(), problem());
    schemas.insert("Decided".to_owned(), decided());
    let mut paths = Map::new();
    for (name, record) in Command::described() {
        schemas.insert(record.name.to_owned(), object(&record));
        paths.insert(format!("/v1/do/{name}"), json!({ "post": command(name, &record) }));
    }
    for view in ALL {
        let record = (view.record)();
        let row = format!("{}Row", record.name);
        schemas.insert(row.clone(), object(&record));
        match &view.source {
            Source::Ledger => {
                paths.insert(
                    format!("/v1/show/{}/{{id}}", view.name),
                    json!({ "get": one(view, &row) }),
                );
            }
            Source::Everywhere => {
                let path = format!("/v1/show/{}", view.name);
                paths.insert(path, json!({ "get": everywhere(view, &row) }));
            }
            Source::List(list) => {
                let get = |of| json!({ "get": many(view, list, &record, &row, of) });
                paths.insert(format!("/v1/show/{}", view.name), get(false));
                paths.insert(format!("/v1/show/{}/{{id}}", view.name), get(true));
            }
        }
    }
    paths.insert("/v1/stream/{view}/{id}".to_owned(), json!({ "get": stream() }));
    paths.insert("/v1/usage".to_owned(), json!({ "post": usage(&mut schemas) }));
    for (path, verb, operation) in rejects() {
        paths.insert(path.to_owned(), json!({ verb: operation }));
    }
    paths.insert("/v1/explain/{id}".to_owned(), json!({ "get": explanation(&mut schemas) }));
    for form in Form::ALL {
        let path = format!("/v1/invoices/{{number}}{}", form.ending());
        paths.insert(path, json!({ "get": invoice(form) }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "drawdown",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A billing pipeline: usage in, balances out, exactly once.",
            "description": "Amounts are decimal numbers as text. Times are RFC 3339. Errors are problem documents (RFC 9457) whose `code` is stable.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "security": [{ "key": [] }],
        "tags": [
            { "name": "commands", "description": "What can be asked for." },
            { "name": "views", "description": "What can be looked at." },
            { "name": "usage", "description": "What was used." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn body(kind: &str, schema: &Value) -> Value {
    json!({ kind: { "schema": schema } })
}

fn failed(why: &str) -> Value {
    json!({ "description": why, "content": body("application/problem+json", &reference("Problem")) })
}

fn path_parameter(name: &str, doc: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": doc,
        "schema": { "type": "string" } })
}

fn command(name: &str, record: &Record) -> Value {
    json!({
        "operationId": name,
        "tags": ["commands"],
        "summary": record.doc,
        "parameters": [{
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Repeated with the same key, a command gets its first answer and does nothing else; for 35 days. Without one the server makes one and answers with it.",
            "schema": { "type": "string", "maxLength": 1_000 },
        }],
        "requestBody": { "required": true, "content": body("application/json", &reference(record.name)) },
        "responses": {
            "200": { "description": "Accepted: it has happened.",
                "content": body("application/json", &reference("Decided")) },
            "202": { "description": "Not decided yet; Location says where its outcome will be. A key that `create_key` made is shown here (`secret`), and opens nothing before that is accepted." },
            "default": failed("Refused, or not understood."),
        },
    })
}

fn one(view: &View, row: &str) -> Value {
    json!({
        "operationId": format!("show_{}", view.name),
        "tags": ["views"],
        "summary": view.doc,
        "parameters": [path_parameter("id", "What it is a view of.")],
        "responses": {
            "200": { "description": "As it is now.", "content": body("application/json", &reference(row)) },
            "default": failed("There is no such thing, or nobody can say now."),
        },
    })
}

/// Where an amount comes from (R13.4).
fn explanation(schemas: &mut Map<String, Value>) -> Value {
    let decimal = |doc: &str| json!({ "type": "string", "description": doc });
    let parts =
        |doc: &str| json!({ "type": "array", "items": reference("Explained"), "description": doc });
    let explained = json!({ "type": "object", "required": ["kind", "what", "adds_up"], "properties": {
        "kind": { "type": "string", "description": "`invoice`, `line`, `bill`, `charges`, `rounding`, `usage`, `record` and so on." },
        "name": { "type": "string", "description": "By which it is found, and often explained by itself." },
        "what": { "type": "string", "description": "What it is, in words." },
        "amount": decimal("In the currency of the billing account."),
        "quantity": decimal("What was used."),
        "records": { "type": "integer", "description": "How many usage records it is made of." },
        "facts": { "type": "object", "description": "What else is known of it." },
        "parts_come_to": decimal("What the amounts of its parts come to."),
        "adds_up": { "type": ["boolean", "null"], "description": "Whether its parts come to it; null: it has none, or nothing can be said." },
        "notes": { "type": "array", "items": { "type": "string" }, "description": "What else is to be said." },
        "parts": parts("What it is made of."),
        "left_off": { "type": "integer", "description": "Parts that are counted and not listed." },
        "beside": parts("What belongs to it and is no part of its sum."),
    } });
    schemas.insert("Explained".to_owned(), explained);
    schemas.insert(
        "Explanation".to_owned(),
        json!({ "type": "object", "required": ["id", "sums", "sums_wrong", "explained"], "properties": {
            "id": { "type": "string", "description": "What was asked for." },
            "sums": { "type": "integer", "description": "How many sums were made." },
            "sums_wrong": { "type": "integer", "description": "How many of them do not come out." },
            "explained": reference("Explained"),
        } }),
    );
    json!({
        "operationId": "explain",
        "tags": ["views"],
        "summary": "Where an amount comes from, back to the usage records.",
        "parameters": [
            path_parameter("id", "A bill (`ba-acme.7`), an entry (`ba-acme.e17`), a payment (`ba-acme.p3`) or the number of an invoice."),
            { "name": "records", "in": "query", "required": false,
                "description": "So many usage records are listed of each part; all are counted.",
                "schema": { "type": "integer", "minimum": 0, "maximum": 1_000, "default": 10 } },
        ],
        "responses": {
            "200": { "description": "The parts it is made of, added up again on each level.",
                "content": body("application/json", &reference("Explanation")) },
            "default": failed("There is no such thing, it may not be seen, or nobody can say now."),
        },
    })
}

fn everywhere(view: &View, row: &str) -> Value {
    json!({
        "operationId": format!("list_{}", view.name),
        "tags": ["views"],
        "summary": view.doc,
        "responses": {
            "200": { "description": "All rows.", "content": body("application/json", &page_of(row)) },
            "default": failed("There is no such thing, or nobody can say now."),
        },
    })
}

fn page_of(row: &str) -> Value {
    json!({ "type": "object", "required": ["rows", "next"], "properties": {
        "rows": { "type": "array", "items": reference(row) },
        "next": { "type": ["string", "null"], "description": "The cursor of the next page." },
    } })
}

fn many(view: &View, list: &List, record: &Record, row: &str, of: bool) -> Value {
    let query = |name: &str, doc: &str, schema: Value| json!({ "name": name, "in": "query", "required": false, "description": doc, "schema": schema });
    let mut parameters = vec![
        query(
            "limit",
            "Rows at a time.",
            json!({ "type": "integer", "minimum": 1, "maximum": 1_000, "default": 100 }),
        ),
        query("cursor", "`next` of the page before.", json!({ "type": "string" })),
        query(
            "format",
            "Other than `json`: everything, as a file.",
            json!({ "enum": ["json", "csv", "parquet"] }),
        ),
    ];
    if of {
        parameters.push(path_parameter("id", &format!("Its `{}`.", list.of)));
    }
    for field in record.fields.iter().filter(|field| is_plain(&field.shape)) {
        if !(of && field.name == list.of) {
            parameters.push(query(
                field.name,
                "Only rows with this value.",
                json!({ "type": "string" }),
            ));
        }
    }
    let page = page_of(row);
    let suffix = if of { "_of" } else { "" };
    json!({
        "operationId": format!("list_{}{suffix}", view.name),
        "tags": ["views"],
        "summary": view.doc,
        "parameters": parameters,
        "responses": {
            "200": { "description": "Rows in order.", "content": {
                "application/json": { "schema": page },
                "text/csv": { "schema": { "type": "string" } },
                "application/vnd.apache.parquet": { "schema": { "type": "string", "format": "binary" } },
            } },
            "default": failed("Not understood, or nobody can say now."),
        },
    })
}

fn is_plain(shape: &Shape) -> bool {
    match shape {
        Shape::Flag
        | Shape::Number(_)
        | Shape::Instant
        | Shape::Decimal
        | Shape::Text(_)
        | Shape::Symbol { .. } => true,
        Shape::Optional(inner) => is_plain(inner),
        Shape::Bytes | Shape::List(_) | Shape::Map(_) | Shape::Record(_) | Shape::OneOf { .. } => {
            false
        }
    }
}

fn stream() -> Value {
    let views: Vec<&str> = WATCHED.iter().map(|(view, _)| *view).collect();
    json!({
        "operationId": "stream",
        "tags": ["views"],
        "summary": "Rows of one thing as they come, as server-sent events; each event is called as the view.",
        "parameters": [
            { "name": "view", "in": "path", "required": true, "schema": { "enum": views } },
            path_parameter("id", "A billing account; for `service` an account."),
        ],
        "responses": {
            "200": { "description": "Until the reader goes, or is too slow; the last event, `end`, says why.",
                "content": body("text/event-stream", &json!({ "type": "string" })) },
            "default": failed("There is no such thing, or too many watch."),
        },
    })
}

fn usage(schemas: &mut Map<String, Value>) -> Value {
    let Shape::Record(record) = drawdown_wire::usage::record_shape() else { return Value::Null };
    schemas.insert("UsageRecord".to_owned(), object(&record));
    let event = json!({ "type": "object", "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": { "type": "string" }, "source": { "type": "string" }, "type": { "type": "string" },
            "time": { "type": "string", "format": "date-time" },
            "subject": { "type": "string", "description": "The account, unless the data says so." },
            "data": { "type": "object", "description": "The other fields of a usage record." },
        } });
    schemas.insert("UsageEvent".to_owned(), event);
    json!({
        "operationId": "send_usage",
        "tags": ["usage"],
        "summary": "Takes usage, and answers once the log has it durably. Safe to repeat: (account, source, id) counts once.",
        "requestBody": { "required": true, "content": {
            "application/cloudevents+json": { "schema": reference("UsageEvent") },
            "application/cloudevents-batch+json": { "schema": { "type": "array", "items": reference("UsageEvent") } },
            "application/x-ndjson": { "schema": reference("UsageRecord") },
            "application/json": { "schema": reference("UsageRecord") },
        } },
        "responses": {
            "200": { "description": "What is not malformed is on the log. What cannot be used shows in the view `rejects`." },
            "429": failed("Too much waits; nothing was taken. Come again as Retry-After says."),
            "default": failed("All of it is malformed, or the log does not take it now."),
        },
    })
}

/// Usage that could not be used: listed with its records, sent again, mended.
fn rejects() -> [(&'static str, &'static str, Value); 3] {
    let text = json!({ "type": "string" });
    let query =
        |name: &str| json!({ "name": name, "in": "query", "required": false, "schema": text });
    let chosen = json!({ "type": "object", "properties": {
        "rejects": { "type": "array", "items": text, "description": "By name; without any, those that are chosen, else all." },
        "reason": text, "account": text,
    } });
    let mending = json!({ "type": "object", "required": ["reject"], "properties": {
        "reject": text,
        "record": { "type": "object", "description": "The whole record, in place of what came." },
        "fields": { "type": "object", "description": "Fields of it that change." },
    } });
    let object = json!({ "type": "object" });
    let operation = |id: &str, summary: &str, body_of: Option<&Value>| {
        let mut operation = json!({
            "operationId": id, "tags": ["usage"], "summary": summary,
            "responses": {
                "200": { "description": "Done.", "content": body("application/json", &object) },
                "default": failed("Not understood, or not there."),
            },
        });
        if let Some(schema) = body_of {
            operation["requestBody"] =
                json!({ "required": true, "content": body("application/json", schema) });
        }
        operation
    };
    let mut list = operation(
        "list_rejects_with_records",
        "Usage that could not be used, each with its record, from the log itself.",
        None,
    );
    list["parameters"] = json!([query("reason"), query("account")]);
    let again = "Sends rejects again as they are: for what has changed around them.";
    [
        ("/v1/rejects", "get", list),
        ("/v1/rejects/replay", "post", operation("replay_rejects", again, Some(&chosen))),
        (
            "/v1/rejects/mend",
            "post",
            operation("mend_reject", "Changes a reject and sends it.", Some(&mending)),
        ),
    ]
}

fn invoice(form: Form) -> Value {
    let (operation, summary) = match form {
        Form::Pdf => ("invoice", "An invoice as a PDF."),
        Form::Xml => ("e_invoice", "An invoice as an e-invoice: EN 16931, in UBL 2.1."),
    };
    json!({
        "operationId": operation,
        "tags": ["views"],
        "summary": summary,
        "parameters": [path_parameter("number", "The invoice's number.")],
        "responses": {
            "200": { "description": "The invoice.",
                "content": body(form.media_type(), &json!({ "type": "string", "format": "binary" })) },
            "default": failed("There is no such invoice, or the list of them is behind."),
        },
    })
}

fn problem() -> Value {
    json!({ "type": "object", "required": ["type", "title", "status", "code", "detail"], "properties": {
        "type": { "type": "string" },
        "title": { "type": "string" },
        "status": { "type": "integer" },
        "code": { "type": "string", "description": "Stable, for programs.", "examples": codes() },
        "detail": { "type": "string" },
        "help": { "type": "string", "description": "What it means and what to do." },
        "field": { "type": "string", "description": "The field that is wrong." },
    } })
}

fn codes() -> Vec<&'static str> {
    Refusal::ALL.iter().map(|refusal| refusal.code()).collect()
}

fn decided() -> Value {
    json!({ "type": "object", "required": ["command", "name", "key", "at", "status"], "properties": {
        "command": { "type": "integer", "description": "Its number, as in the view `commands`." },
        "name": { "type": "string" },
        "key": { "type": "string" },
        "at": { "type": "string", "format": "date-time", "description": "When it was decided." },
        "status": { "const": "accepted" },
        "detail": { "type": ["string", "null"] },
        "repeats": { "type": ["integer", "null"], "description": "The command whose answer this is." },
        "secret": { "type": "string", "description": "The key that `create_key` made. Nobody can look it up later." },
    } })
}

fn object(record: &Record) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in &record.fields {
        let mut schema = schema(&field.shape);
        if !field.doc.is_empty()
            && let Value::Object(schema) = &mut schema
        {
            schema.insert("description".to_owned(), field.doc.clone().into());
        }
        properties.insert(field.name.to_owned(), schema);
        if !matches!(field.shape, Shape::Optional(_)) {
            required.push(field.name);
        }
    }
    let mut object = json!({ "type": "object", "properties": properties, "required": required,
        "additionalProperties": false });
    if !record.doc.is_empty()
        && let Value::Object(object) = &mut object
    {
        object.insert("description".to_owned(), record.doc.clone().into());
    }
    object
}

/// A shape as JSON Schema.
fn schema(shape: &Shape) -> Value {
    match shape {
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Number("month") => json!({ "type": "string", "pattern": "^\\d{4}-\\d{2}$" }),
        Shape::Number(_) => json!({ "type": "integer" }),
        Shape::Instant => json!({ "type": "string", "format": "date-time" }),
        Shape::Decimal => json!({ "type": "string", "pattern": "^-?\\d+(\\.\\d{1,12})?$",
            "examples": ["100.00"] }),
        Shape::Text("text") => {
            json!({ "type": "string", "maxLength": drawdown_domain::ids::TEXT_BYTES_MAX })
        }
        Shape::Text("country") => json!({ "type": "string", "pattern": "^[A-Z]{2}$" }),
        Shape::Text("day") => json!({ "type": "string", "format": "date" }),
        Shape::Text("invoice run") => json!({ "type": "string",
            "pattern": "^\\d{4}-\\d{2}-\\d{2}\\.[a-z]{3}\\.[a-z0-9._-]{1,64}$" }),
        Shape::Text(meaning @ ("time zone" | "span")) => {
            json!({ "type": "string", "title": meaning })
        }
        Shape::Text(meaning) => json!({ "type": "string", "title": meaning,
            "pattern": "^[a-z0-9._-]{1,64}$" }),
        Shape::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
        Shape::Optional(inner) => match schema(inner) {
            Value::Object(mut inner) => {
                if let Some(Value::String(kind)) = inner.get("type") {
                    let kind = json!([kind, "null"]);
                    inner.insert("type".to_owned(), kind);
                }
                Value::Object(inner)
            }
            other => other,
        },
        Shape::List(item) => json!({ "type": "array", "items": schema(item) }),
        Shape::Map(item) => json!({ "type": "object", "additionalProperties": schema(item) }),
        Shape::Symbol { symbols, .. } => json!({ "enum": symbols }),
        Shape::Record(record) => object(record),
        Shape::OneOf { records, .. } => {
            let records: Vec<Value> = records.iter().map(object).collect();
            json!({ "oneOf": records })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_every_view_is_described() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let operation = |path: &str, verb: &str| {
            let found = paths.get(path).and_then(|path| path.get(verb));
            found.unwrap_or_else(|| panic!("{verb} {path} is missing")).clone()
        };
        for name in Command::NAMES {
            let post = operation(&format!("/v1/do/{name}"), "post");
            let schema = &post["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let name = schema.as_str().unwrap().rsplit('/').next().unwrap();
            assert!(document["components"]["schemas"][name]["properties"].is_object(), "{name}");
        }
        for view in ALL {
            if view.source != Source::Everywhere {
                operation(&format!("/v1/show/{}/{{id}}", view.name), "get");
            }
            if matches!(view.source, Source::List(_) | Source::Everywhere) {
                operation(&format!("/v1/show/{}", view.name), "get");
            }
        }
        let explained = operation("/v1/explain/{id}", "get");
        assert_eq!(explained["operationId"], "explain", "R13.4");
        for (view, _) in WATCHED {
            let views = &operation("/v1/stream/{view}/{id}", "get")["parameters"][0]["schema"];
            assert!(views["enum"].as_array().unwrap().contains(&json!(view)), "{view}");
        }
    }

    #[test]
    fn references_lead_somewhere_and_operations_have_names_of_their_own() {
        fn each<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a str, &'a Value)) {
            match value {
                Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                    visit(name, value);
                    each(value, visit);
                }),
                Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
                _ => {}
            }
        }
        let document = document();
        let (mut names, mut references) = (Vec::new(), 0);
        each(&document, &mut |name, value| match name {
            "$ref" => {
                references += 1;
                let pointer = value.as_str().unwrap().trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{value}");
            }
            "operationId" => names.push(value.to_string()),
            _ => {}
        });
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(references > count);
    }

    #[test]
    fn what_may_be_left_out_is_not_required() {
        let document = document();
        let account = &document["components"]["schemas"]["OpenAccount"];
        let required = account["required"].as_array().unwrap();
        assert!(required.contains(&json!("mode")) && !required.contains(&json!("region")));
        assert_eq!(account["properties"]["mode"]["enum"], json!(["prepaid", "postpaid"]));
        assert_eq!(account["properties"]["partner_pays"]["type"], json!(["boolean", "null"]));
    }
}
