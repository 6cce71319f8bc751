//! Whether what was found is what was expected: amounts as numbers, times as instants, `"*"` as
//! present.

use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use serde_json::Value;

pub(super) fn matches(expected: &toml::Value, found: Option<&Value>) -> bool {
    let Some(found) = found else { return false };
    match (expected, found) {
        (toml::Value::String(any), found) if any == "*" => !found.is_null(),
        (toml::Value::String(expected), Value::String(found)) => same_text(expected, found),
        (toml::Value::String(expected), Value::Number(found)) => *expected == found.to_string(),
        (toml::Value::Integer(expected), Value::Number(found)) => found.as_i64() == Some(*expected),
        (toml::Value::Boolean(expected), Value::Bool(found)) => expected == found,
        (toml::Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(e, f)| matches(e, Some(f)))
        }
        (toml::Value::Table(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| matches(value, found.get(key)))
        }
        _ => false,
    }
}

fn same_text(expected: &str, found: &str) -> bool {
    if expected == found {
        return true;
    }
    if let (Ok(expected), Ok(found)) = (expected.parse::<Amount>(), found.parse::<Amount>()) {
        return expected == found;
    }
    matches!((expected.parse::<Timestamp>(), found.parse::<Timestamp>()), (Ok(e), Ok(f)) if e == f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_numbers_times_are_instants_and_a_star_is_anything() {
        let check = |expected: &str, found: Value, same: bool| {
            let expected: toml::Value =
                toml::from_str::<toml::Table>(&format!("x = {expected}")).unwrap()["x"].clone();
            assert_eq!(matches(&expected, Some(&found)), same, "{expected} {found}");
        };
        check("\"80.00\"", "80".into(), true);
        check("\"80.00\"", "80.01".into(), false);
        check("\"2026-03-01T00:00:00Z\"", "2026-03-01T01:00:00+01:00".into(), true);
        check("\"*\"", "x".into(), true);
        check("\"*\"", Value::Null, false);
        check("3", 3.into(), true);
        check("true", false.into(), false);
        check("{ a = \"1.0\" }", serde_json::json!({ "a": "1", "b": 2 }), true);
        assert!(!matches(&toml::Value::Integer(1), None));
    }
}
