//! The commands of the vocabulary as arguments of the command line: flags, help and examples are made
//! from what is declared once.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction};
use drawdown_domain::vocabulary::{Field, Record, Shape};

/// A flag for each field, and for each part of a field that has parts.
pub(super) fn flags(record: &Record) -> Vec<Arg> {
    let mut flags = Vec::new();
    for field in &record.fields {
        flags.push(flag(field.name.to_owned(), field, !is_optional(field)));
        if let Shape::Record(parts) = shape(field) {
            // Who gives the parts need not give the whole.
            if let Some(whole) = flags.pop() {
                flags.push(whole.required(false));
            }
            let name = |part: &Field| format!("{}.{}", field.name, part.name);
            flags.extend(parts.fields.iter().map(|part| flag(name(part), part, false)));
        }
    }
    flags
}

fn flag(name: String, field: &Field, required: bool) -> Arg {
    let shape = shape(field);
    let dashed = name.replace('_', "-");
    // The flags that every command has keep their names.
    let long = match name.as_str() {
        "config" | "set" | "server" | "key" | "json" | "idempotency-key" | "help" => {
            format!("field.{name}")
        }
        _ => name.clone(),
    };
    let mut flag = Arg::new(name.clone()).long(long).required(required).help(help(field));
    if dashed != name {
        flag = flag.alias(dashed);
    }
    flag = flag.value_name(kind(shape)).action(ArgAction::Append).allow_hyphen_values(true);
    match shape {
        Shape::Flag => flag
            .num_args(0..=1)
            .default_missing_value("true")
            .allow_hyphen_values(false)
            .value_parser(PossibleValuesParser::new(["true", "false"])),
        Shape::Symbol { symbols, .. } => flag.value_parser(PossibleValuesParser::new(symbols)),
        _ => flag,
    }
}

fn help(field: &Field) -> String {
    let how = match shape(field) {
        Shape::List(_) => " Several: with commas between them, or the flag again.",
        Shape::Map(_) => " As KEY=VALUE, and the flag again for more, or as JSON.",
        Shape::Record(_) => " As JSON, or part by part.",
        _ => "",
    };
    let doc = if field.doc.is_empty() { said(field) } else { field.doc.clone() };
    format!("{doc}{how}").trim().to_owned()
}

/// What a field without a comment of its own says by its name.
fn said(field: &Field) -> String {
    let words = field.name.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// What stands behind a flag, in capitals.
fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Flag => "true|false".to_owned(),
        Shape::Number("month") => "YYYY-MM".to_owned(),
        Shape::Number(_) => "NUMBER".to_owned(),
        Shape::Instant => "TIME".to_owned(),
        Shape::Decimal => "AMOUNT".to_owned(),
        Shape::Text(meaning) => meaning.to_uppercase().replace([' ', '-'], "_"),
        Shape::Symbol { name, .. } => screaming(name),
        Shape::List(inner) => format!("{},...", kind(inner)),
        Shape::Optional(inner) => kind(inner),
        Shape::Map(inner) => format!("KEY={}", kind(inner)),
        Shape::Record(_) | Shape::OneOf { .. } => "JSON".to_owned(),
        Shape::Bytes => "BYTES".to_owned(),
    }
}

fn screaming(name: &str) -> String {
    let mut kind = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kind.is_empty() {
            kind.push('_');
        }
        kind.extend(letter.to_uppercase());
    }
    kind
}

pub(super) fn is_optional(field: &Field) -> bool {
    matches!(field.shape, Shape::Optional(_))
}

/// The shape of a field, whether it may be left out or not.
pub(super) fn shape(field: &Field) -> &Shape {
    match &field.shape {
        Shape::Optional(inner) => inner,
        other => other,
    }
}

/// A command as one would type it, with the fields that it needs.
pub(super) fn example(name: &str, record: &Record) -> String {
    let mut line = format!("drawdown do {name}");
    let needed = |field: &&Field| !is_optional(field);
    let mut shown: Vec<&Field> = record.fields.iter().filter(needed).collect();
    // A command whose fields may mostly be left out does nothing without one of them, nor does this one.
    if shown.len() <= 1 || name == "credit_invoice" {
        let mut others = record.fields.iter().filter(|field| is_optional(field));
        let with_parts = |field: &&Field| matches!(shape(field), Shape::Record(_));
        shown.extend(others.clone().find(with_parts).or_else(|| others.next()));
    }
    for field in shown {
        match shape(field) {
            Shape::Record(parts) => {
                for part in &parts.fields {
                    line.push_str(&format!(
                        " --{}.{} {}",
                        field.name,
                        part.name,
                        value(name, part)
                    ));
                }
            }
            _ => line.push_str(&format!(" --{} {}", field.name, value(name, field))),
        }
    }
    line
}

/// A value that a field could have.
fn value(command: &str, field: &Field) -> String {
    let text = match (field.name, shape(field)) {
        ("document", _) => match command {
            "load_settings" => "@settings.toml",
            _ => "@prices.toml",
        },
        ("method", _) if command == "top_up" => "bank_transfer",
        ("to", Shape::Text("billing account")) => "ba-acme-dev",
        ("valid_until", _) => "2027-01-01T00:00:00Z",
        (name, Shape::Text("text")) if name.contains("mail") => "finance@acme.example",
        ("name", _) => "'Acme Ltd'",
        ("token", _) => "tok_ok",
        ("payer", _) => "finance@globex.example",
        ("tax_id", _) => "DE136695976",
        ("invoice", _) => "SG-2026-000001",
        ("schedule", _) => "monthly",
        (_, shape) => return of_shape(shape).unwrap_or_else(|| field.name.replace('_', "-")),
    };
    text.to_owned()
}

fn of_shape(shape: &Shape) -> Option<String> {
    let text = match shape {
        Shape::Flag => "true",
        Shape::Number("month") => "2029-12",
        Shape::Number(_) => "1",
        Shape::Instant => "2026-12-01T00:00:00Z",
        Shape::Decimal => "100.00",
        Shape::Text("billing account") => "ba-acme",
        Shape::Text("account" | "enterprise") => "acme",
        Shape::Text("country") => "SG",
        Shape::Text("coupon") => "welcome",
        Shape::Text("order") => "order-1",
        Shape::Text("benefit") => "storage-1",
        Shape::Text("organisation") => "research",
        Shape::Text("payment method") => "visa-1",
        Shape::Text("payment request") => "request-1",
        Shape::Text("authorization") => "job-1",
        Shape::Text("product") => "compute",
        Shape::Text("meter") => "vcpu_hours",
        Shape::Text("principal") => "ann",
        Shape::Text("region") => "eu-1",
        Shape::Text("span") => "48h",
        Shape::Text("time zone") => "Asia/Singapore",
        Shape::Text("day") => "2026-04-01",
        Shape::Text("invoice run") => "2026-04-01.usd.acme",
        Shape::Symbol { name: "Currency", .. } => "USD",
        Shape::Symbol { symbols, .. } => return symbols.first().map(|first| (*first).to_owned()),
        Shape::List(inner) | Shape::Optional(inner) => return of_shape(inner),
        _ => return None,
    };
    Some(text.to_owned())
}
