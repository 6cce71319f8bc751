//! Takes a scenario step by step.

use std::fmt;

use anyhow::{Context, bail};
use drawdown_domain::commands::{Command, LoadPrices, LoadSettings};
use drawdown_domain::ids::Text;
use drawdown_domain::money::Amount;
use drawdown_domain::payments::PaymentAnswer;
use drawdown_domain::time::Timestamp;
use drawdown_wire::messages::{CommandMessage, PaymentAnswered};
use serde_json::Value;
use toml::Table;

use super::Report;
use super::file::{Action, Scenario, Step};
use super::matching::matches;
use super::pipeline::{Pipeline, Stage, operator};
use super::views::{Row, Rows, single};
use crate::audit;

/// A step that did not come out as the scenario says.
#[derive(Debug)]
pub struct Failure {
    pub line: usize,
    pub what: String,
    pub expected: String,
    pub found: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}: {}: expected {}, found {}",
            self.line, self.what, self.expected, self.found
        )
    }
}

struct Driver {
    pipeline: Pipeline,
    rows: Rows,
    failures: Vec<Failure>,
}

pub(super) fn run(scenario: &Scenario, stage: &Stage) -> anyhow::Result<Report> {
    let start = scenario.steps.first().map_or(Timestamp::from_micros(0), |step| step.at);
    let mut driver = Driver {
        pipeline: Pipeline::new(stage, start),
        rows: Rows::default(),
        failures: Vec::new(),
    };
    driver.pipeline.advance(start)?;
    if let Some(document) = scenario.settings.clone() {
        driver.prepare(start, LoadSettings { document }.into(), "the settings")?;
    }
    if let Some(document) = scenario.prices.clone() {
        driver.prepare(start, LoadPrices { document }.into(), "the prices")?;
    }
    for step in &scenario.steps {
        let line = || format!("the step in line {}", step.line);
        driver.step(step).with_context(line)?;
        driver.pipeline.between_steps().with_context(line)?;
    }
    let audit = driver.audit()?;
    Ok(Report {
        title: scenario.title.clone(),
        rules: scenario.rules.clone(),
        steps: scenario.steps.len(),
        failures: driver.failures,
        audit,
    })
}

impl Driver {
    fn prepare(&mut self, at: Timestamp, command: Command, what: &str) -> anyhow::Result<()> {
        let message =
            CommandMessage { principal: operator(), key: None, origin: rehearsal(), command };
        let number = self.pipeline.command(at, message)?;
        let outcome = self.rows.outcome(number, &self.pipeline)?;
        match (&outcome.refused, &outcome.detail) {
            (None, _) => Ok(()),
            (Some(refusal), detail) => {
                bail!("{what}: {refusal}: {}", detail.clone().unwrap_or_default())
            }
        }
    }

    /// Whatever a scenario tells, its log must prove itself.
    fn audit(&mut self) -> anyhow::Result<audit::Report> {
        let report = self.pipeline.audit()?;
        let found = report.found().iter().map(|difference| Failure {
            line: 0,
            what: "audit at the end".to_owned(),
            expected: "no differences".to_owned(),
            found: difference.to_string(),
        });
        self.failures.extend(found);
        Ok(report)
    }

    fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        self.pipeline.advance(step.at)?;
        match &step.action {
            Action::Wait => Ok(()),
            Action::Usage { record, rejected } => self.usage(step, record, rejected.as_deref()),
            Action::Do { command, fields, by, key, refused } => {
                let by = by.as_deref();
                self.command(step, command, fields, by, key.as_deref(), refused.as_deref())
            }
            Action::Gateway { payment, says } => self.gateway(step, payment, *says),
            Action::Expect { view, of, expected } => self.expect(step, view, of, expected),
        }
    }

    fn fail(
        &mut self,
        step: &Step,
        what: impl Into<String>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        let (expected, found) = (expected.to_string(), found.to_string());
        self.failures.push(Failure { line: step.line, what: what.into(), expected, found });
    }

    fn usage(&mut self, step: &Step, record: &Table, rejected: Option<&str>) -> anyhow::Result<()> {
        let mut record = record.clone();
        record.entry("time").or_insert_with(|| step.at.to_string().into());
        let account =
            record.get("account").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let before = self.rows.rejects(&self.pipeline)?;
        self.pipeline.usage(step.at, &account, serde_json::to_string(&record)?.as_bytes())?;
        let found = self.rows.rejected(before, &self.pipeline)?.map(str::to_owned);
        let as_expected = match (rejected, &found) {
            (None, None) => true,
            (Some("*"), Some(_)) => true,
            (expected, found) => expected == found.as_deref(),
        };
        if !as_expected {
            self.fail(
                step,
                "usage",
                rejected.unwrap_or("counted"),
                found.as_deref().unwrap_or("counted"),
            );
        }
        Ok(())
    }

    fn command(
        &mut self,
        step: &Step,
        name: &str,
        fields: &Table,
        by: Option<&str>,
        key: Option<&str>,
        refused: Option<&str>,
    ) -> anyhow::Result<()> {
        let read = Command::read(name, fields.clone())
            .with_context(|| format!("there is no command {name}"))?;
        let found = match read {
            // What cannot even be read never reaches the pipeline: the API refuses it.
            Err(error) => Some(("malformed".to_owned(), error.to_string())),
            Ok(mut command) => {
                let principal = by.map(str::parse).transpose()?.unwrap_or_else(operator);
                let key: Option<Text> = key.map(str::parse).transpose()?;
                if let Command::CreateKey(command) = &mut command {
                    let line = step.line.to_string();
                    let asked_under = key.as_ref().map_or(line.as_str(), Text::as_str);
                    self.pipeline.make_key(command, &principal, asked_under);
                }
                let message = CommandMessage { principal, key, origin: rehearsal(), command };
                let number = self.pipeline.command(step.at, message)?;
                let outcome = self.rows.outcome(number, &self.pipeline)?;
                let detail = outcome.detail.clone().unwrap_or_default();
                outcome.refused.map(|refusal| (refusal.code().to_owned(), detail))
            }
        };
        let as_expected = match (refused, &found) {
            (None, None) => true,
            (Some("*"), Some(_)) => true,
            (expected, found) => expected == found.as_ref().map(|(code, _)| code.as_str()),
        };
        if !as_expected {
            let shown =
                found.map_or("accepted".to_owned(), |(code, detail)| format!("{code} {detail}"));
            self.fail(step, name, refused.unwrap_or("accepted"), shown.trim());
        }
        Ok(())
    }

    fn gateway(&mut self, step: &Step, payment: &str, says: PaymentAnswer) -> anyhow::Result<()> {
        let row = self.rows.payment(payment, &self.pipeline)?;
        let field = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let answered = PaymentAnswered {
            billing_account: field("billing_account").parse()?,
            payment: field("payment"),
            answer: says,
            reason: None,
            reference: None,
        };
        self.pipeline.gateway_says(step.at, answered)
    }

    fn expect(
        &mut self,
        step: &Step,
        view: &str,
        of: &str,
        expected: &Table,
    ) -> anyhow::Result<()> {
        match single(view, of, &self.pipeline) {
            Ok(Some(row)) => {
                self.expect_row(step, &format!("{view} of {of}"), expected, Some(&row))
            }
            Ok(None) => {
                let rows = self.rows.list(view, of, &self.pipeline)?;
                if view == "payment_requests" && is_a_row(expected) {
                    self.expect_request(step, of, expected, &rows);
                } else {
                    self.expect_rows(step, view, expected, rows)?;
                }
            }
            Err(error) => self.fail(step, format!("{view} of {of}"), "a row", error),
        }
        Ok(())
    }

    fn expect_row(&mut self, step: &Step, what: &str, expected: &Table, row: Option<&Row>) {
        for (field, value) in expected {
            let found = row.and_then(|row| row.get(field));
            if !matches(value, found) {
                let shown = found.map_or("nothing".to_owned(), Value::to_string);
                self.fail(step, format!("{what}: {field}"), value, shown);
            }
        }
    }

    /// A request by its name: each of its two sides that the fields say, or both.
    fn expect_request(&mut self, step: &Step, of: &str, expected: &Table, rows: &[Row]) {
        let side = expected.get("direction");
        let meant = |row: &&Row| side.is_none_or(|side| matches(side, row.get("direction")));
        let sides: Vec<&Row> = rows.iter().filter(meant).collect();
        let what = format!("payment_requests of {of}");
        if sides.is_empty() {
            return self.fail(step, what, "a request", "none");
        }
        sides.into_iter().for_each(|row| self.expect_row(step, &what, expected, Some(row)));
    }

    fn expect_rows(
        &mut self,
        step: &Step,
        view: &str,
        expected: &Table,
        mut rows: Vec<Row>,
    ) -> anyhow::Result<()> {
        if let Some(selected) = expected.get("where").and_then(toml::Value::as_table) {
            rows.retain(|row| selected.iter().all(|(field, value)| matches(value, row.get(field))));
        }
        for (key, value) in expected {
            match (key.as_str(), value) {
                ("where", _) => {}
                ("count", toml::Value::Integer(count)) => {
                    if i64::try_from(rows.len()) != Ok(*count) {
                        let shown = serde_json::to_string(&rows)?;
                        self.fail(
                            step,
                            format!("{view}: count"),
                            count,
                            format!("{}: {shown}", rows.len()),
                        );
                    }
                }
                ("last", toml::Value::Table(fields)) => {
                    self.expect_row(step, &format!("last of {view}"), fields, rows.last());
                }
                ("sum", toml::Value::Table(fields)) => {
                    for (field, value) in fields {
                        let found = Value::from(sum(&rows, field)?.to_string());
                        if !matches(value, Some(&found)) {
                            self.fail(step, format!("{view}: sum of {field}"), value, found);
                        }
                    }
                }
                (other, _) => {
                    bail!("{other} means nothing for a list; use where, count, last or sum")
                }
            }
        }
        Ok(())
    }
}

/// Whether fields of one row are expected, and not something of a list.
fn is_a_row(expected: &Table) -> bool {
    !expected.keys().any(|key| ["where", "count", "last", "sum"].contains(&key.as_str()))
}

fn sum(rows: &[Row], field: &str) -> anyhow::Result<Amount> {
    let amounts = rows.iter().map(|row| {
        let text =
            row.get(field).and_then(Value::as_str).with_context(|| format!("no amount {field}"))?;
        Ok(text.parse::<Amount>()?)
    });
    let amounts: anyhow::Result<Vec<Amount>> = amounts.collect();
    Ok(Amount::sum(amounts?)?)
}

/// From where a scenario's commands come.
fn rehearsal() -> Option<Text> {
    Some(Text::fitting("rehearsal"))
}
