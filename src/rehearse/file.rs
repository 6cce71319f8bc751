//! A scenario file: settings, prices, and steps.

use anyhow::{Context, bail};
use drawdown_domain::payments::PaymentAnswer;
use drawdown_domain::time::Timestamp;
use toml::{Spanned, Table, Value};

/// A scenario as it is read.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) title: String,
    pub(super) rules: Vec<String>,
    /// The `[settings]`, as a document of their own.
    pub(super) settings: Option<String>,
    /// The `[[price]]` tables, as a document of their own.
    pub(super) prices: Option<String>,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) at: Timestamp,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Wait,
    Usage {
        record: Table,
        rejected: Option<String>,
    },
    Do {
        command: String,
        fields: Table,
        by: Option<String>,
        key: Option<String>,
        refused: Option<String>,
    },
    /// A gateway says something of its own accord.
    Gateway {
        /// Its name, or `last`.
        payment: String,
        says: PaymentAnswer,
    },
    Expect {
        view: String,
        of: String,
        expected: Table,
    },
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    #[serde(default)]
    rules: Vec<String>,
    settings: Option<Table>,
    #[serde(default)]
    price: Vec<Table>,
    #[serde(default)]
    step: Vec<Spanned<Table>>,
}

pub(super) fn parse(text: &str) -> anyhow::Result<Scenario> {
    let written: Written = toml::from_str(text)?;
    let prices = match written.price.is_empty() {
        true => None,
        false => {
            let prices = written.price.into_iter().map(Value::Table).collect();
            Some(toml::to_string(&Table::from_iter([("price".to_owned(), Value::Array(prices))]))?)
        }
    };
    let mut steps: Vec<Step> = Vec::with_capacity(written.step.len());
    for table in written.step {
        let before = text.get(..table.span().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let step =
            step(line, table.into_inner()).with_context(|| format!("the step in line {line}"))?;
        if steps.last().is_some_and(|last| last.at > step.at) {
            bail!("the step in line {line} lies before the one above it; times never go back");
        }
        steps.push(step);
    }
    let settings = written.settings.map(|settings| toml::to_string(&settings)).transpose()?;
    Ok(Scenario { title: written.title, rules: written.rules, settings, prices, steps })
}

fn step(line: usize, mut table: Table) -> anyhow::Result<Step> {
    let at = text(&mut table, "at")?.context("at is missing")?.parse()?;
    let (usage, gateway) = (table.remove("usage"), table.remove("gateway"));
    let action = match (text(&mut table, "do")?, usage, text(&mut table, "expect")?, gateway) {
        (Some(command), None, None, None) if command == "wait" => Action::Wait,
        (Some(command), None, None, None) => Action::Do {
            command,
            by: text(&mut table, "by")?,
            key: text(&mut table, "idempotency_key")?,
            refused: text(&mut table, "refused")?,
            fields: std::mem::take(&mut table),
        },
        (None, Some(Value::Table(record)), None, None) => {
            Action::Usage { record, rejected: text(&mut table, "rejected")? }
        }
        (None, None, Some(view), None) => Action::Expect {
            view,
            of: text(&mut table, "of")?.context("of is missing")?,
            expected: std::mem::take(&mut table),
        },
        (None, None, None, Some(Value::Table(mut notice))) => {
            let payment = text(&mut notice, "payment")?.context("payment is missing")?;
            let says = text(&mut notice, "says")?.context("says is missing")?;
            let says = says.parse().with_context(|| format!("a gateway does not say {says}"))?;
            Action::Gateway { payment, says }
        }
        _ => bail!("a step says do, or usage, or expect, or gateway"),
    };
    if let Some(unknown) = table.keys().next() {
        bail!("{unknown} means nothing in this step");
    }
    Ok(Step { line, at, action })
}

fn text(table: &mut Table, key: &str) -> anyhow::Result<Option<String>> {
    match table.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => bail!("{key} must be text, not {other}"),
    }
}
