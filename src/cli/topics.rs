//! `drawdown topics`: the broker's topics against the plan.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::bail;
use drawdown_log::Error;
use drawdown_log::kafka::TopicDetails;

use super::Setup;
use super::worker::ANSWERS_WITHIN;

/// Prints where the broker differs from the plan, and where readers wait for what nobody ends; an error
/// if there is either.
pub fn check_topics(setup: &Setup, out: &mut dyn Write) -> anyhow::Result<()> {
    let details = setup.details()?;
    if !is_there(setup, &details, out)? {
        return Ok(());
    }
    let kafka = setup.kafka()?;
    let differences = kafka.differences(&details)?;
    for difference in &differences {
        writeln!(out, "{difference}")?;
    }
    if !differences.is_empty() {
        bail!(
            "the broker's topics differ from the plan in {} places; missing topics are made by `drawdown topics apply`, others must be changed on the broker",
            differences.len()
        );
    }
    writeln!(out, "{} topics are as planned", details.len())?;
    let left_open = kafka.left_open()?;
    for left_open in &left_open {
        writeln!(out, "{left_open}")?;
    }
    if !left_open.is_empty() {
        bail!(
            "readers of {} partitions wait for ever: start every worker again under the name it had (installation.instance), which ends what it has left open; for one that is gone for good, `kafka-transactions.sh abort` does",
            left_open.len()
        );
    }
    Ok(())
}

/// Whether there are topics to ask for. A broker that does not answer soon is an error that says where it should be.
fn is_there(setup: &Setup, details: &[TopicDetails], out: &mut dyn Write) -> anyhow::Result<bool> {
    if !setup.is_on_kafka() {
        let engine = &setup.config.log().engine;
        writeln!(
            out,
            "log.engine is {engine}: there is no broker, and there are no topics to make"
        )?;
        return Ok(false);
    }
    match setup.kafka_answering_within(ANSWERS_WITHIN)?.differences(details) {
        Err(Error::Passing(why)) => {
            let bootstrap = &setup.config.kafka().bootstrap;
            bail!(
                "no broker answers at {bootstrap} (kafka.bootstrap): {why}\n  Start one there, or say where it is: --set kafka.bootstrap=HOST:PORT"
            )
        }
        asked => Ok(asked.map(|_| true)?),
    }
}

/// So long may a broker take until every partition of a new topic has a leader.
const LED_WITHIN: Duration = Duration::from_secs(60);
const LOOKED_EVERY: Duration = Duration::from_millis(500);

/// Makes the topics that are missing, then checks all, once they can be asked for.
pub fn apply_topics(setup: &Setup, out: &mut dyn Write) -> anyhow::Result<()> {
    let details = setup.details()?;
    if !is_there(setup, &details, out)? {
        return Ok(());
    }
    let kafka = setup.kafka()?;
    let made = kafka.create(&details, setup.config.kafka().replication)?;
    for topic in &made {
        writeln!(out, "made {topic}")?;
    }
    let deadline = Instant::now() + LED_WITHIN;
    while !made.is_empty() && kafka.left_open().is_err() && Instant::now() < deadline {
        std::thread::sleep(LOOKED_EVERY);
    }
    check_topics(setup, out)
}
