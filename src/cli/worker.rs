//! `drawdown worker`: consumers, each on a thread of its own, until the process is asked to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail};
use drawdown_log::Error;
use drawdown_runtime::{Station, Worker};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::Setup;

/// How long a consumer waits for messages before it looks up.
const WAIT: Duration = Duration::from_millis(5);

const NAMES: [&str; 3] = ["metering", "registry", "balance"];

/// How long a broker may take to answer before a worker says that it waits for it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Runs consumers by name until the process is asked to end, or one of them cannot go on.
pub fn run_workers(setup: &Setup, names: &[String]) -> anyhow::Result<()> {
    if let Some(other) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("there is no consumer {other}; there are {}", NAMES.join(", "));
    }
    let installation = setup.installation(Arc::new(setup.kafka()?))?;
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, end.clone())?;
    }
    check_topics(setup, &end)?;
    let mut threads = Vec::new();
    for name in names {
        threads.push(match name.as_str() {
            "metering" => spawn(name, installation.metering(), &end)?,
            "registry" => spawn(name, installation.registry(), &end)?,
            "balance" => spawn(name, installation.balance(), &end)?,
            other => bail!("there is no consumer {other}"),
        });
    }
    let mut failed = None;
    for thread in threads {
        let outcome =
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a consumer has panicked")));
        failed = failed.or(outcome.err());
    }
    failed.map_or(Ok(()), Err)
}

/// Refuses a broker whose topics are not as planned. One that does not answer is waited for: workers
/// and brokers may be started in any order.
fn check_topics(setup: &Setup, end: &AtomicBool) -> anyhow::Result<()> {
    let asker = setup.kafka_answering_within(ANSWERS_WITHIN)?;
    let details = setup.details()?;
    while !end.load(Ordering::Acquire) {
        match asker.differences(&details) {
            Err(Error::Passing(why)) => {
                let bootstrap = &setup.config.kafka().bootstrap;
                tracing::warn!(
                    why,
                    "no broker answers at {bootstrap} (kafka.bootstrap); trying again"
                );
                std::thread::sleep(TRY_AGAIN_AFTER);
            }
            differences => {
                let differences = differences?;
                let Some(first) = differences.first() else { return Ok(()) };
                bail!(
                    "the broker's topics differ from the plan in {} places, the first: {first}; missing topics are made by `drawdown topics apply`, `drawdown topics check` lists all",
                    differences.len()
                );
            }
        }
    }
    Ok(())
}

fn spawn<S: Station + 'static>(
    name: &str,
    mut worker: Worker<S>,
    end: &Arc<AtomicBool>,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let (end, named) = (end.clone(), name.to_owned());
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let outcome = run(&mut worker, &end);
        // One consumer that cannot go on ends the process: a supervisor starts it again, and nobody
        // mistakes a half-working one for a healthy one.
        end.store(true, Ordering::Release);
        outcome.with_context(|| format!("{named} cannot go on"))
    });
    thread.with_context(|| format!("no thread for {name}"))
}

fn run<S: Station>(worker: &mut Worker<S>, end: &AtomicBool) -> anyhow::Result<()> {
    while !end.load(Ordering::Acquire) {
        worker.turn(WAIT)?;
    }
    Ok(worker.stop()?)
}
