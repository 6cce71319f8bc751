//! The fields of a command as they come: JSON, a form of our own pages, or the command line.

use drawdown_domain::commands::Command;
use drawdown_domain::vocabulary::{Record, Shape};
use serde_json::{Map, Value};

/// What is wrong with the fields of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFields {
    pub field: Option<String>,
    pub why: String,
}

/// The command called `name` with these fields; none if there is none of that name.
pub fn read(name: &str, fields: &Map<String, Value>) -> Option<Result<Command, NotFields>> {
    let read = |fields: Map<String, Value>| Command::read(name, Value::Object(fields));
    let outcome = read(fields.clone())?;
    Some(outcome.map_err(|error| {
        let why = error.to_string();
        let named = ["missing field `", "unknown field `"].iter().find_map(|start| {
            why.strip_prefix(start)?.split_once('`').map(|(field, _)| field.to_owned())
        });
        // Which value is wrong the error does not say; but a field that is wrong is wrong by itself.
        let wrong = || {
            fields.iter().find_map(|(field, value)| {
                let alone = Map::from_iter([(field.clone(), value.clone())]);
                let why = read(alone)?.err()?.to_string();
                (!why.starts_with("missing field")).then(|| field.clone())
            })
        };
        NotFields { field: named.or_else(wrong), why }
    }))
}

/// The fields of a form: texts become what the field is, an empty one is left out, and `a.b` is the
/// field `b` of `a`. A list is its items with commas between them; what has parts may be JSON.
pub fn of_form(name: &str, pairs: &[(String, String)]) -> Map<String, Value> {
    let described = Command::described().into_iter().find(|(known, _)| *known == name);
    let record = described.map(|(_, record)| record);
    let mut fields = Map::new();
    for (path, text) in pairs.iter().filter(|(_, text)| !text.is_empty()) {
        put(&mut fields, record.as_ref(), path, text);
    }
    fields
}

fn put(fields: &mut Map<String, Value>, record: Option<&Record>, path: &str, text: &str) {
    let shape = |name: &str| {
        let field = record?.fields.iter().find(|field| field.name == name)?;
        Some(match &field.shape {
            Shape::Optional(inner) => (**inner).clone(),
            other => other.clone(),
        })
    };
    match path.split_once('.') {
        Some((outer, inner)) => {
            let nested = match shape(outer) {
                Some(Shape::Record(record)) => Some(record),
                _ => None,
            };
            let value = fields.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(value) = value {
                put(value, nested.as_ref(), inner, text);
            }
        }
        None => {
            fields.insert(path.to_owned(), value_of(shape(path).as_ref(), text));
        }
    }
}

fn value_of(shape: Option<&Shape>, text: &str) -> Value {
    match shape {
        Some(Shape::Flag) => match text {
            "true" | "on" => Value::Bool(true),
            "false" => Value::Bool(false),
            other => other.into(),
        },
        Some(Shape::Number(meaning)) if *meaning != "month" => {
            text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
        }
        Some(Shape::List(_) | Shape::Record(_) | Shape::Map(_)) if text.starts_with(['[', '{']) => {
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
        Some(Shape::List(inner)) => {
            text.split(',').map(|item| value_of(Some(inner), item.trim())).collect()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(name: &str, fields: Value, field: Option<&str>) {
        let Value::Object(fields) = fields else { panic!("{fields}") };
        let found = read(name, &fields).unwrap().unwrap_err();
        assert_eq!(found.field.as_deref(), field, "{}", found.why);
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        check("close_account", json!({}), Some("account"));
        check("close_account", json!({ "acount": "a" }), Some("acount"));
        check("close_account", json!({ "account": "A B" }), Some("account"));
        let top_up =
            json!({ "billing_account": "b", "amount": "1", "currency": "EURO", "method": "m" });
        check("top_up", top_up, Some("currency"));
        check("set_quota", json!({ "billing_account": "b", "quota": 5 }), Some("quota"));
        assert!(read("fly", &Map::new()).is_none());
    }

    #[test]
    fn a_form_is_read_as_the_fields_are_declared() {
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let fields = of_form(
            "configure",
            &[
                pair("billing_account", "ba-acme"),
                pair("low_balance_alert.enabled", "on"),
                pair("low_balance_alert.threshold", "25.00"),
                pair("billing_email", ""),
                pair("auto_write_off", "false"),
            ],
        );
        let expected = json!({ "billing_account": "ba-acme", "auto_write_off": false,
            "low_balance_alert": { "enabled": true, "threshold": "25.00" } });
        assert_eq!(Value::Object(fields.clone()), expected);
        assert!(read("configure", &fields).unwrap().is_ok());
        let alert = pair("low_balance_alert", r#"{"enabled": true, "threshold": "20"}"#);
        let lines = of_form("credit_invoice", &[pair("lines", "1, 3"), pair("reason", "r")]);
        assert_eq!(Value::Object(lines), json!({ "lines": [1, 3], "reason": "r" }));
        let recipients = pair("recipients", r#"{"invoice": ["a@b.example"]}"#);
        let fields = of_form("configure", &[alert, recipients]);
        let expected = json!({ "low_balance_alert": { "enabled": true, "threshold": "20" },
            "recipients": { "invoice": ["a@b.example"] } });
        assert_eq!(Value::Object(fields), expected);
    }
}
