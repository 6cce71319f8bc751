//! Asks for a command by way of the log, and waits for its outcome.

use std::time::{Duration, Instant};

use anyhow::bail;
use drawdown_domain::commands::Command;
use drawdown_domain::ids::{PrincipalId, Text};
use drawdown_log::{Log, Next};
use drawdown_runtime::clock::Clock;
use drawdown_wire::messages::{CommandMessage, Outcome, Outcomes};
use drawdown_wire::schemas;
use drawdown_wire::topics::{Topic, Topics};

const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Asks as the operator, and waits for the answer. For what the registry decides by itself look on the
/// first partition of outcomes; a ledger answers on its own.
pub fn ask(
    log: &dyn Log,
    topics: &Topics,
    clock: &Clock,
    key: Option<Text>,
    command: Command,
) -> anyhow::Result<Outcome> {
    let outcomes = topics.name(Topic::Outcomes);
    let mut places = Vec::new();
    for partition in 0..topics.ledger_partitions {
        places.push(log.bounds(outcomes, partition)?.stable);
    }
    let (principal, origin) = (PrincipalId::operator(), Some(Text::fitting("command line")));
    let message = CommandMessage { principal, key, origin, command };
    let message = schemas::COMMAND.message(&message);
    let next = log.append(topics.name(Topic::Commands), 0, clock.now(), &[&message])?;
    let number = u64::try_from(next.0.saturating_sub(1))?;
    let deadline = Instant::now() + ANSWERED_WITHIN;
    loop {
        for (place, partition) in places.iter_mut().zip(0u32..) {
            let mut found = None;
            *place = log.scan(outcomes, partition, *place, Next(i64::MAX), &mut |message| {
                found = outcome_of(message.value, number);
                found.is_none()
            })?;
            if let Some(outcome) = found {
                return Ok(outcome);
            }
        }
        if Instant::now() > deadline {
            bail!(
                "no answer for {} seconds; are a registry and a balance worker running (`drawdown worker registry balance`)? The command is in the log and will be decided",
                ANSWERED_WITHIN.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn outcome_of(message: &[u8], number: u64) -> Option<Outcome> {
    let outcomes: Outcomes = schemas::OUTCOMES.read(message).ok()?;
    outcomes.outcomes.into_iter().find(|outcome| outcome.command == number)
}
