//! `drawdown topics`: the broker's topics against the plan.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::bail;
use drawdown_log::Error;
use drawdown_log::kafka::Kafka;

use super::Setup;

/// Prints where the broker differs from the plan, and where readers wait for what nobody ends; an error
/// if there is either.
pub fn check_topics(setup: &Setup, out: &mut dyn Write) -> anyhow::Result<()> {
    if is_there(setup, out)? { compare(setup, &setup.kafka()?, out) } else { Ok(()) }
}

fn compare(setup: &Setup, kafka: &Kafka, out: &mut dyn Write) -> anyhow::Result<()> {
    let details = setup.details()?;
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

/// So long is a broker waited for that may not be there; one that is has longer to do what it is asked.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Whether there are topics to ask for. A broker that does not answer is an error that says where it should be.
fn is_there(setup: &Setup, out: &mut dyn Write) -> anyhow::Result<bool> {
    if !setup.is_on_kafka() {
        let engine = &setup.config.log().engine;
        writeln!(
            out,
            "log.engine is {engine}: there is no broker, and there are no topics to make"
        )?;
        return Ok(false);
    }
    match setup.kafka_answering_within(ANSWERS_WITHIN)?.answers() {
        Err(Error::Passing(why)) => {
            let bootstrap = &setup.config.kafka().bootstrap;
            bail!(
                "no broker answers at {bootstrap} (kafka.bootstrap): {why}\n  Start one there, or say where it is: --set kafka.bootstrap=HOST:PORT"
            )
        }
        answered => Ok(answered.map(|()| true)?),
    }
}

/// So long may a broker take until every partition of a new topic has a leader.
const LED_WITHIN: Duration = Duration::from_secs(60);
const LOOKED_EVERY: Duration = Duration::from_millis(500);

/// Makes the topics that are missing, then checks all, once they can be asked for.
pub fn apply_topics(setup: &Setup, out: &mut dyn Write) -> anyhow::Result<()> {
    if !is_there(setup, out)? {
        return Ok(());
    }
    let kafka = setup.kafka()?;
    let made = kafka.create(&setup.details()?, setup.config.kafka().replication)?;
    for topic in &made {
        writeln!(out, "made {topic}")?;
    }
    let deadline = Instant::now() + LED_WITHIN;
    while !made.is_empty() && kafka.left_open().is_err() && Instant::now() < deadline {
        std::thread::sleep(LOOKED_EVERY);
    }
    compare(setup, &kafka, out)
}
