//! A schema as it is read from its file: what its values consist of.

use std::collections::BTreeMap;

use serde_json::Value;

use super::primitive::{put_bytes, put_long, put_text};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Flag,
    Int,
    Long,
    /// For a decimal with its scale.
    Bytes(Option<u64>),
    Text,
    List(Box<Type>),
    Map(Box<Type>),
    Enum(Symbols),
    Record(Fields),
    Union(Vec<Type>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Symbols {
    pub(super) name: String,
    pub(super) symbols: Vec<String>,
    /// Stands for symbols that are not among these.
    pub(super) default: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) name: String,
    pub(super) fields: Vec<FieldType>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldType {
    pub(super) name: String,
    pub(super) shape: Type,
    pub(super) default: Option<Value>,
}

/// Why a text is no schema that we can read by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASchema {
    #[error("{0} is no type that our schemas have")]
    UnknownType(String),
    #[error("{part} is missing in {schema}")]
    Missing { part: &'static str, schema: String },
    #[error("{default} is no default of its field")]
    Default { default: String },
}

impl Type {
    pub(super) fn parse(schema: &Value) -> Result<Type, NotASchema> {
        parse(schema, &mut BTreeMap::new())
    }

    /// Whether values of both can be the same, at first sight: then the parts decide.
    pub(super) fn is_kind_of(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Enum(one), Type::Enum(other)) => one.name == other.name,
            (Type::Record(one), Type::Record(other)) => one.name == other.name,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// `named` are the types that were written out so far. A type inside itself is not among them, so
/// that no schema is endless.
fn parse(schema: &Value, named: &mut BTreeMap<String, Type>) -> Result<Type, NotASchema> {
    match schema {
        Value::String(name) => by_name(name, named),
        Value::Array(cases) => {
            cases.iter().map(|case| parse(case, named)).collect::<Result<_, _>>().map(Type::Union)
        }
        Value::Object(_) => parse_object(schema, named),
        other => Err(NotASchema::UnknownType(other.to_string())),
    }
}

fn by_name(name: &str, named: &BTreeMap<String, Type>) -> Result<Type, NotASchema> {
    Ok(match name {
        "null" => Type::Null,
        "boolean" => Type::Flag,
        "int" => Type::Int,
        "long" => Type::Long,
        "bytes" => Type::Bytes(None),
        "string" => Type::Text,
        _ => named
            .get(unqualified(name))
            .cloned()
            .ok_or_else(|| NotASchema::UnknownType(name.to_owned()))?,
    })
}

fn parse_object(schema: &Value, named: &mut BTreeMap<String, Type>) -> Result<Type, NotASchema> {
    let part = |part: &'static str| {
        schema.get(part).ok_or_else(|| NotASchema::Missing { part, schema: schema.to_string() })
    };
    match part("type")?.as_str() {
        Some("array") => Ok(Type::List(Box::new(parse(part("items")?, named)?))),
        Some("map") => Ok(Type::Map(Box::new(parse(part("values")?, named)?))),
        Some("enum") => {
            let parsed = Type::Enum(Symbols {
                name: name_of(part("name")?),
                symbols: list(part("symbols")?).iter().map(text).collect(),
                default: schema.get("default").map(text),
            });
            named.insert(name_of(part("name")?), parsed.clone());
            Ok(parsed)
        }
        Some("record") => {
            let fields = list(part("fields")?).iter().map(|field| parse_field(field, named));
            let fields = fields.collect::<Result<_, _>>()?;
            let parsed = Type::Record(Fields { name: name_of(part("name")?), fields });
            named.insert(name_of(part("name")?), parsed.clone());
            Ok(parsed)
        }
        Some("bytes") => Ok(Type::Bytes(schema.get("scale").and_then(Value::as_u64))),
        _ => parse(part("type")?, named),
    }
}

fn parse_field(field: &Value, named: &mut BTreeMap<String, Type>) -> Result<FieldType, NotASchema> {
    let part = |part: &'static str| {
        field.get(part).ok_or_else(|| NotASchema::Missing { part, schema: field.to_string() })
    };
    Ok(FieldType {
        name: text(part("name")?),
        shape: parse(part("type")?, named)?,
        default: field.get("default").cloned(),
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn name_of(value: &Value) -> String {
    unqualified(value.as_str().unwrap_or_default()).to_owned()
}

fn unqualified(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Appends a default, as its field would be encoded.
pub(super) fn put_default(
    to: &mut Vec<u8>,
    shape: &Type,
    default: &Value,
) -> Result<(), NotASchema> {
    let wrong = || NotASchema::Default { default: default.to_string() };
    match (shape, default) {
        (Type::Null, Value::Null) => {}
        (Type::Flag, Value::Bool(flag)) => to.push(u8::from(*flag)),
        (Type::Int | Type::Long, Value::Number(number)) => {
            put_long(to, number.as_i64().ok_or_else(wrong)?);
        }
        (Type::Text, Value::String(text)) => put_text(to, text),
        (Type::Bytes(_), Value::String(text)) => {
            let bytes = text.chars().map(u8::try_from).collect::<Result<Vec<u8>, _>>();
            put_bytes(to, &bytes.map_err(|_| wrong())?);
        }
        (Type::List(inner), Value::Array(items)) => {
            put_block(to, items.len());
            items.iter().try_for_each(|item| put_default(to, inner, item))?;
            put_long(to, 0);
        }
        (Type::Map(inner), Value::Object(entries)) => {
            put_block(to, entries.len());
            for (key, value) in entries {
                put_text(to, key);
                put_default(to, inner, value)?;
            }
            put_long(to, 0);
        }
        (Type::Enum(symbols), Value::String(symbol)) => {
            let place = symbols.symbols.iter().position(|known| known == symbol);
            put_long(to, long(place.ok_or_else(wrong)?));
        }
        (Type::Record(record), Value::Object(entries)) => {
            for field in &record.fields {
                let value = entries.get(&field.name).or(field.default.as_ref());
                put_default(to, &field.shape, value.ok_or_else(wrong)?)?;
            }
        }
        // The default of a union is one of its first case.
        (Type::Union(cases), value) => {
            put_long(to, 0);
            put_default(to, cases.first().ok_or_else(wrong)?, value)?;
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

/// Begins a block of items, unless there are none.
fn put_block(to: &mut Vec<u8>, count: usize) {
    if count > 0 {
        put_long(to, long(count));
    }
}

pub(super) fn long(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
