//! `drawdown explain`: where an amount comes from, as an indented tree, by way of the API.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use drawdown_console::{counted, escaped};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::server::{Client, ServerOptions};
use super::show::get;

/// What `drawdown explain` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainOptions {
    #[command(flatten)]
    pub server: ServerOptions,
    /// A bill (ba-acme.7), an entry (ba-acme.e17 is entry 17 of ba-acme), a payment (ba-acme.p3), or the number of
    /// an invoice or credit note (SG-2026-000001).
    #[arg(value_name = "ID")]
    pub id: String,
    /// So many usage records are listed of each part; all are counted and added up.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub records: u32,
}

/// The answer of the API.
#[derive(Debug, Deserialize)]
struct Explanation {
    sums: u64,
    sums_wrong: u64,
    explained: Part,
}

/// A part of it, and what it is made of.
#[derive(Debug, Deserialize)]
struct Part {
    kind: String,
    name: Option<String>,
    what: String,
    amount: Option<String>,
    quantity: Option<String>,
    records: Option<i64>,
    #[serde(default)]
    facts: Map<String, Value>,
    parts_come_to: Option<String>,
    adds_up: Option<bool>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    parts: Vec<Part>,
    left_off: Option<i64>,
    #[serde(default)]
    beside: Vec<Part>,
}

/// Many questions are asked for an invoice.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// Prints how an amount came about. That a sum does not come out is an error.
pub fn explain(options: &ExplainOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut client = Client::new(&options.server.server, options.server.key.as_deref())?;
    let path = format!("/v1/explain/{}?records={}", escaped(&options.id), options.records);
    let answer = get(&mut client, &path, ANSWERED_WITHIN)?;
    let read: Explanation = serde_json::from_slice(&answer.body)
        .context("the answer cannot be read; is --server of this version?")?;
    let Explanation { sums, sums_wrong, explained } = &read;
    if options.server.json {
        writeln!(out, "{}", String::from_utf8_lossy(&answer.body))?;
    } else {
        let mut text = String::new();
        put(&mut text, explained, 0);
        write!(out, "{text}")?;
        if *sums_wrong == 0 {
            let all = if *sums == 1 { "it comes out" } else { "all come out" };
            writeln!(out, "{} checked, and {all}", counted(*sums, "sum"))?;
        }
    }
    if *sums_wrong > 0 {
        bail!("{sums_wrong} of {} of {} do not come out", counted(*sums, "sum"), options.id);
    }
    Ok(())
}

fn put(text: &mut String, part: &Part, depth: usize) {
    let pad = "  ".repeat(depth);
    put_line(text, &pad, &head(part));
    let below = format!("{pad}  ");
    for part in &part.parts {
        put(text, part, depth.saturating_add(1));
    }
    // Where none is listed, how many there are stands above.
    if let Some(left_off) = part.left_off.filter(|_| !part.parts.is_empty()) {
        put_line(text, &below, &format!("and {left_off} more"));
    }
    match (part.adds_up, part.parts_come_to.as_deref()) {
        (Some(true), Some(sum)) => put_line(text, &below, &format!("= {sum}, it adds up")),
        (Some(true), None) => put_line(text, &below, "= it adds up"),
        (Some(false), Some(sum)) => {
            put_line(text, &below, &format!("= {sum}, IT DOES NOT ADD UP"));
        }
        (Some(false), None) => put_line(text, &below, "= IT DOES NOT ADD UP"),
        (None, _) => {}
    }
    for note in &part.notes {
        put_line(text, &below, &format!("note: {note}"));
    }
    if !part.beside.is_empty() {
        put_line(text, &below, "beside it:");
    }
    for part in &part.beside {
        put(text, part, depth.saturating_add(2));
    }
}

/// A part on one line: what it is, its amount, its quantity, and where a usage record stands.
fn head(part: &Part) -> String {
    let mut head = match &part.name {
        Some(name) if ["bill", "entry", "invoice", "payment"].contains(&part.kind.as_str()) => {
            format!("{} {name}, {}", part.kind, part.what)
        }
        _ => part.what.clone(),
    };
    if let Some(amount) = &part.amount {
        head.push_str(&format!(": {amount}"));
        // Named once, at the top.
        if let Some(Value::String(currency)) = part.facts.get("currency") {
            head.push_str(&format!(" {currency}"));
        }
    }
    let count = part.records.filter(|_| part.kind == "charges");
    let count = count.map(|count| counted(count, "record"));
    let quantity = part.quantity.as_ref().map(|quantity| format!("quantity {quantity}"));
    let measured: Vec<String> = quantity.into_iter().chain(count).collect();
    if !measured.is_empty() {
        head.push_str(&format!(" ({})", measured.join(", ")));
    }
    if part.kind == "record" {
        let fact = |name: &str| match part.facts.get(name) {
            Some(Value::String(text)) => text.replace(".000000Z", "Z"),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let [time, partition, offset, index] = ["time", "partition", "offset", "index"].map(fact);
        head.push_str(&format!(" {time}, usage {partition}/{offset}/{index}"));
    }
    head
}

/// What others wrote must not move the cursor.
fn put_line(text: &mut String, pad: &str, line: &str) {
    text.push_str(pad);
    text.push_str(&line.replace(char::is_control, " "));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn r13_4_an_explanation_is_a_tree_with_sums() {
        let part: Part = serde_json::from_value(json!({
            "kind": "bill", "name": "ba.1", "what": "compute of acme", "amount": "1.24",
            "facts": { "currency": "USD" },
            "parts_come_to": "1.24", "adds_up": true,
            "parts": [
                { "kind": "charges", "what": "charges for hours", "amount": "1.234", "quantity": "2.468",
                  "records": 2, "adds_up": null, "parts": [
                    { "kind": "usage", "what": "2 usage records", "quantity": "2.4", "records": 2,
                      "adds_up": false, "left_off": 1, "notes": ["a\u{1b}b"], "parts": [
                        { "kind": "record", "what": "u1 of s", "quantity": "1", "adds_up": null,
                          "facts": { "time": "2026-03-01T00:00:00Z", "partition": 0, "offset": 3, "index": 1 } }] }] },
                { "kind": "rounding", "what": "rounding", "amount": "0.006", "adds_up": null }],
            "beside": [{ "kind": "paid", "what": "what of it is paid", "amount": "0", "adds_up": null }],
        }))
        .unwrap();
        let mut text = String::new();
        put(&mut text, &part, 0);
        let expected = "\
bill ba.1, compute of acme: 1.24 USD
  charges for hours: 1.234 (quantity 2.468, 2 records)
    2 usage records (quantity 2.4)
      u1 of s (quantity 1) 2026-03-01T00:00:00Z, usage 0/3/1
      and 1 more
      = IT DOES NOT ADD UP
      note: a b
  rounding: 0.006
  = 1.24, it adds up
  beside it:
    what of it is paid: 0
";
        assert_eq!(text, expected);
    }
}
