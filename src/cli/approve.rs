//! `drawdown invoices approve`: the runs of a day that wait for somebody's approval, by way of the API.

use std::io::Write;

use anyhow::Context;
use drawdown_domain::runs::RunId;
use drawdown_domain::time::Day;
use serde_json::{Map, Value};

use super::command::{Asked, DoOptions, do_command};
use super::server::{Client, ServerOptions};
use super::show::all_rows;

/// Approves each of them as it stands now, or the one that is named.
pub fn approve_invoices(
    server: &ServerOptions,
    as_of: Day,
    run: Option<RunId>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let runs = match run {
        Some(run) => vec![run.to_string()],
        None => waiting(server, as_of, out)?,
    };
    if runs.is_empty() {
        return Ok(writeln!(out, "no invoice run of {as_of} waits for approval")?);
    }
    for run in runs {
        let fields = Map::from_iter([("run".to_owned(), Value::from(run))]);
        let asked = Asked { name: "approve_invoice_run".to_owned(), fields };
        let options = DoOptions { server: server.clone(), idempotency_key: None, asked };
        do_command(&options, out)?;
    }
    Ok(())
}

/// Shows those that wait, a line each.
fn waiting(server: &ServerOptions, as_of: Day, out: &mut dyn Write) -> anyhow::Result<Vec<String>> {
    let mut client = Client::new(&server.server, server.key.as_deref())?;
    let filters = [format!("day={as_of}"), "held_for=approval".to_owned()];
    let mut runs = Vec::new();
    for row in all_rows(&mut client, "/v1/show/invoice_runs", &filters)? {
        let text = |field: &str| row.get(field).map(said).context("a row of a run lacks a field");
        let (run, held, total) = (text("run")?, text("held")?, text("total")?);
        if !server.json {
            writeln!(out, "{run}: {held} invoices are held, all of it comes to {total}")?;
        }
        runs.push(run);
    }
    Ok(runs)
}

fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
