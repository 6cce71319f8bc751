//! The demonstration: some companies, live usage, and people who pay when they are asked to.

mod plan;
mod traffic;

use anyhow::{Context, bail};
use drawdown_domain::commands::{Command, LoadPrices, LoadSettings};
use drawdown_domain::ids::{PrincipalId, Text};
use drawdown_domain::time::Timestamp;
use drawdown_log::{Log, Next};
use drawdown_wire::messages::{CommandMessage, Outcome, Outcomes};
use drawdown_wire::schemas;
use drawdown_wire::topics::{Topic, Topics};

pub use traffic::Traffic;

use plan::{COMPANIES, PRICES, SETTINGS};

/// When the clock of a new demonstration begins: the evening before an invoice day.
pub const BEGINS: &str = "2026-03-31T18:00:00Z";

/// Whether nothing has been asked for yet.
pub fn is_new(log: &dyn Log, topics: &Topics) -> anyhow::Result<bool> {
    Ok(log.bounds(topics.name(Topic::Commands), 0)?.end == Next::START)
}

/// Asks for everything the demonstration begins with, all of it or nothing; how many commands that are.
pub fn prepare(log: &dyn Log, topics: &Topics, at: Timestamp) -> anyhow::Result<usize> {
    let mut commands: Vec<Command> = vec![
        LoadSettings { document: SETTINGS.to_owned() }.into(),
        LoadPrices { document: PRICES.to_owned() }.into(),
    ];
    for (name, fields) in COMPANIES.iter().flat_map(|company| company.commands()) {
        commands.push(read(name, fields)?);
    }
    let messages: Vec<Vec<u8>> = commands
        .into_iter()
        .zip(1_u64..)
        .map(|(command, number)| message(command, &format!("demo-{number}")))
        .collect::<anyhow::Result<_>>()?;
    let all: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    log.append(topics.name(Topic::Commands), 0, at, &all)?;
    Ok(all.len())
}

fn read(name: &str, fields: serde_json::Value) -> anyhow::Result<Command> {
    let command = Command::read(name, fields).with_context(|| format!("no command {name}"))?;
    command.with_context(|| format!("{name} of the demonstration"))
}

fn ask(
    log: &dyn Log,
    topics: &Topics,
    at: Timestamp,
    command: Command,
    key: &str,
) -> anyhow::Result<()> {
    log.append(topics.name(Topic::Commands), 0, at, &[&message(command, key)?])?;
    Ok(())
}

fn message(command: Command, key: &str) -> anyhow::Result<Vec<u8>> {
    let key: Text = key.parse()?;
    let (principal, origin) = (PrincipalId::operator(), Some(Text::fitting("demonstration")));
    let message = CommandMessage { principal, key: Some(key), origin, command };
    Ok(schemas::COMMAND.message(&message))
}

/// How many commands have been decided. One that was refused is an error: the demonstration needs all.
pub fn decided(log: &dyn Log, topics: &Topics) -> anyhow::Result<usize> {
    let (topic, mut found) = (topics.name(Topic::Outcomes), Vec::<Outcome>::new());
    for partition in 0..topics.ledger_partitions {
        let end = log.bounds(topic, partition)?.stable;
        log.scan(topic, partition, Next::START, end, &mut |message| {
            if let Ok(Outcomes { outcomes, .. }) = schemas::OUTCOMES.read(message.value) {
                found.extend(outcomes);
            }
            true
        })?;
    }
    if let Some(refused) = found.iter().find(|outcome| outcome.refused.is_some()) {
        bail!("{} was refused: {:?} {:?}", refused.name, refused.refused, refused.detail);
    }
    Ok(found.len())
}
