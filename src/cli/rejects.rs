//! `drawdown rejects`: usage that could not be used is listed, mended and sent again (R2.3). Through the API of
//! what runs, or with a configuration straight on its log.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use drawdown_console::rejects::{self, Chosen, Desk, Mending, SentAgain};
use drawdown_console::{counted, escaped};
use hyper::body::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Setup;
use super::at::At;
use super::problem::Problem;
use super::server::{Asking, Client, ServerOptions};

/// Which rejects are meant.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Selection {
    /// Only those with this reason, such as unknown_account.
    #[arg(long)]
    pub reason: Option<String>,
    /// Only those of this account.
    #[arg(long)]
    pub account: Option<String>,
}

impl Selection {
    fn chosen(&self, names: &[String]) -> Chosen {
        let (reason, account) = (self.reason.clone(), self.account.clone());
        Chosen { rejects: names.to_vec(), reason, account }
    }
}

/// All rejects are read for an answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// Lists rejects, oldest first in each partition, a line or a JSON object each.
pub fn list_rejects(
    at: &At,
    selection: &Selection,
    as_json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (found, more) = match at {
        At::Log(setup) => {
            let chosen = selection.chosen(&[]);
            let all = rejects::all(&*setup.log()?, &setup.topics)?;
            let known = all.iter().filter(|reject| chosen.takes(reject));
            (known.map(rejects::shown).collect(), false)
        }
        At::Server(server) => {
            let given = [("reason", &selection.reason), ("account", &selection.account)];
            let given = given
                .into_iter()
                .filter_map(|(name, value)| Some(format!("{name}={}", escaped(value.as_deref()?))));
            let query = given.collect::<Vec<_>>().join("&");
            let answer: Value = ask(server, "GET", &format!("/v1/rejects?{query}"), &Value::Null)?;
            let found = answer["rejects"].as_array().cloned();
            let found = found.context("the answer has no rejects; is --server of this version?")?;
            (found, answer["more"] == true)
        }
    };
    if as_json {
        return found.iter().try_for_each(|reject| Ok(writeln!(out, "{reject}")?));
    }
    for reject in &found {
        let text = |field: &str| reject[field].as_str().unwrap_or("-").to_owned();
        let names = ["reject", "at", "reason", "account", "source", "id"].map(text);
        let detail = reject["detail"].as_str().unwrap_or_default();
        writeln!(out, "{}\t{detail}", names.join("\t"))?;
    }
    let count = counted(found.len() as u64, "reject");
    match more {
        false => writeln!(out, "{count}")?,
        true => writeln!(out, "{count}; there are more: choose by reason or account")?,
    }
    Ok(())
}

/// Sends rejects again as they were: for what has changed around them, an account that was opened, say.
pub fn replay_rejects(
    at: &At,
    names: &[String],
    selection: &Selection,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let chosen = selection.chosen(names);
    let SentAgain { sent } = match at {
        At::Log(setup) => on_log(setup, |desk| desk.replay(&chosen))?,
        At::Server(server) => ask(server, "POST", "/v1/rejects/replay", &json!(chosen))?,
    };
    Ok(writeln!(
        out,
        "{} sent again; what was counted meanwhile is known, and what cannot be used yet, or came first longer ago than rejects.replay_for, is rejected again",
        counted(sent, "record")
    )?)
}

/// Mends one reject and sends it.
pub fn mend_reject(
    at: &At,
    name: &str,
    record: Option<&str>,
    given: &[String],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let record = record.map(serde_json::from_str).transpose();
    let record = record.context("--record is no JSON object")?;
    let mut fields = Map::new();
    for field in given {
        let (key, value) = field.split_once('=').context("--field looks like quantity=5")?;
        fields.insert(key.to_owned(), value.into());
    }
    let mending = Mending { reject: name.to_owned(), record, fields };
    match at {
        At::Log(setup) => on_log(setup, |desk| desk.mend(&mending))?,
        At::Server(server) => {
            ask::<Value>(server, "POST", "/v1/rejects/mend", &json!(mending))?;
        }
    }
    Ok(writeln!(out, "{name} is mended and sent")?)
}

fn on_log<T>(
    setup: &Setup,
    work: impl FnOnce(&Desk<'_>) -> Result<T, rejects::NotSent>,
) -> anyhow::Result<T> {
    let (log, secret, now) = (setup.log()?, setup.secret()?, setup.clock()?.now());
    Ok(work(&Desk { log: &*log, topics: &setup.topics, secret: &secret, now })?)
}

fn ask<T: DeserializeOwned>(
    server: &ServerOptions,
    method: &str,
    path: &str,
    body: &Value,
) -> anyhow::Result<T> {
    let mut client = Client::new(&server.server, server.key.as_deref())?;
    let body = match body {
        Value::Null => Bytes::new(),
        body => Bytes::from(body.to_string()),
    };
    let headers = [("content-type", "application/json")];
    let asking = Asking { method, path, headers: &headers, body: &body, within: ANSWERED_WITHIN };
    let answer = client.ask(asking)?;
    if answer.status != 200 {
        return Err(Problem::of(&client, &answer).into());
    }
    serde_json::from_slice(&answer.body)
        .context("the answer cannot be read; is --server of this version?")
}
