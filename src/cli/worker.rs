//! `drawdown worker`: consumers, each on a thread of its own, until the process is asked to end.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use drawdown_analytics::Filler;
use drawdown_balance::Balance;
use drawdown_console::{Console, Question};
use drawdown_log::{Error, Log};
use drawdown_runtime::{Progress, Station, Worker};
use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::sync::oneshot;

use super::Setup;
use super::setup::duration;
use crate::serve::{Shown, answer, answer_of_registry, listen, serve};

/// How long a consumer waits for messages before it looks up.
const WAIT: Duration = Duration::from_millis(5);
/// The same for what fills ClickHouse, where nobody waits for milliseconds.
const FILLER_WAIT: Duration = Duration::from_millis(50);
/// Questions that wait for the ledgers; more are refused.
const QUESTIONS_MAX: usize = 1_000;
/// How long requests that are under way are waited for at the end.
const SERVER_ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How often the watchdog looks.
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// The watch itself was not woken for so long.
const STOOD_STILL: Duration = Duration::from_secs(5);

const NAMES: [&str; 8] =
    ["metering", "registry", "balance", "payments", "alerts", "invoices", "analytics", "console"];

/// How long a broker may take to answer before a worker says that it waits for it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// Whoever waits for a broker looks so often whether it is to end.
const LOOKED_EVERY: Duration = Duration::from_millis(50);

/// The threads of a process's consumers.
struct Crew {
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
    progress: Vec<(String, Progress)>,
}

/// Runs consumers by name until the process is asked to end, or one of them cannot go on.
pub fn run_workers(setup: &Setup, names: &[String]) -> anyhow::Result<()> {
    if let Some(other) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("there is no consumer {other}; there are {}", NAMES.join(", "));
    }
    setup.secret()?;
    let end = end_when_asked()?;
    let address = &setup.config.worker().http;
    let listener = if address.is_empty() { None } else { Some(listen(address)?) };
    if setup.is_on_kafka() && !await_topics(setup, &end)? {
        return Ok(());
    }
    run_workers_on(setup, setup.log_of_workers()?, names, listener, end, &mut || Ok(()))
}

/// A flag that is set once the process is asked to end.
pub fn end_when_asked() -> anyhow::Result<Arc<AtomicBool>> {
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, end.clone())?;
    }
    Ok(end)
}

/// Runs consumers on a log that others of this process may use too; `begun` is called once all of them run.
pub fn run_workers_on(
    setup: &Setup,
    log: Arc<dyn Log>,
    names: &[String],
    listener: Option<TcpListener>,
    end: Arc<AtomicBool>,
    begun: &mut dyn FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let has_console = names.iter().any(|name| name == "console");
    if has_console && listener.is_none() {
        bail!("worker.http is empty: the console needs an address, such as 127.0.0.1:8080");
    }
    let mut shown = Shown::new()?;
    let installation = setup.installation(log.clone())?;
    let mut crew = Crew { end, threads: Vec::new(), progress: Vec::new() };
    for name in names {
        match name.as_str() {
            "metering" => crew.start(name, installation.metering(), |_| Ok(()))?,
            "registry" => {
                let (ask, questions) = sync_channel(QUESTIONS_MAX);
                shown.registry = Some(ask);
                crew.start(name, installation.registry(), move |worker| {
                    match questions.try_recv() {
                        Ok(first) => answer_of_registry(worker, first, questions.try_iter()),
                        Err(_) => Ok(()),
                    }
                })?;
            }
            "balance" => {
                let (ask, questions) = sync_channel(QUESTIONS_MAX);
                shown.ledgers = Some(ask);
                crew.start(name, installation.balance(), move |worker| {
                    answer_all(worker, &questions)
                })?;
            }
            "payments" => {
                crew.start(name, installation.payments(setup.payments()?), |_| Ok(()))?;
            }
            "alerts" => crew.start(name, installation.alerts(setup.alerts()?), |_| Ok(()))?,
            "invoices" => {
                crew.start(name, installation.invoices(setup.invoices()?), |_| Ok(()))?;
            }
            "analytics" => {
                for filler in setup.analytics(log.clone())?.fillers()? {
                    crew.start_filler(filler)?;
                }
            }
            // It begins once all others of this process are known.
            "console" => {}
            other => bail!("there is no consumer {other}"),
        }
    }
    if has_console {
        shown.console =
            Some(Arc::new(setup.console(log, shown.ledgers.clone(), shown.registry.clone())?));
    }
    let Some(listener) = listener else {
        begun()?;
        return crew.watch(duration(setup.config.worker().watchdog));
    };
    shown.progress = crew.progress.clone();
    let (tell, told) = oneshot::channel();
    let console = shown.console.clone();
    let server = serve(listener, shown, told)?;
    begun()?;
    let outcome = crew.watch(duration(setup.config.worker().watchdog));
    // The server is gone if it could not serve.
    tell.send(()).ok();
    finish(server, console);
    outcome
}

/// Lets requests that are under way come to their end, but not for long.
fn finish(server: JoinHandle<()>, console: Option<Arc<Console>>) {
    let deadline = Instant::now() + SERVER_ENDS_WITHIN;
    while !server.is_finished() {
        if Instant::now() > deadline {
            return tracing::warn!("requests that were under way are cut off");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    if let Some(console) = console.and_then(Arc::into_inner) {
        console.join();
    }
}

/// Whether the broker's topics are as planned; if they are not, that is an error. A broker that does not answer is
/// waited for, as workers and brokers may be started in any order, until the process is asked to end.
fn await_topics(setup: &Setup, end: &AtomicBool) -> anyhow::Result<bool> {
    let asker = Arc::new(setup.kafka_answering_within(ANSWERS_WITHIN)?);
    let details = setup.details()?;
    loop {
        let (asker, details) = (asker.clone(), details.clone());
        let asked = std::thread::Builder::new().name("topics".to_owned());
        let asked = asked.spawn(move || asker.differences(&details))?;
        while !asked.is_finished() {
            // What is under way ends with the process.
            if end.load(Ordering::Acquire) {
                return Ok(false);
            }
            std::thread::sleep(LOOKED_EVERY);
        }
        match asked.join().unwrap_or_else(|_| Err(Error::Fatal("a thread panicked".to_owned()))) {
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
                let Some(first) = differences.first() else { return Ok(true) };
                bail!(
                    "the broker's topics differ from the plan in {} places, the first: {first}; missing topics are made by `drawdown topics apply`, `drawdown topics check` lists all",
                    differences.len()
                );
            }
        }
    }
}

fn answer_all(worker: &mut Worker<Balance>, questions: &Receiver<Question>) -> anyhow::Result<()> {
    match questions.try_recv() {
        Ok(first) => answer(worker, first, questions.try_iter()),
        Err(_) => Ok(()),
    }
}

impl Crew {
    /// Runs a worker on a thread; `between` is called between two turns.
    fn start<S: Station + 'static>(
        &mut self,
        name: &str,
        mut worker: Worker<S>,
        mut between: impl FnMut(&mut Worker<S>) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.run(name, worker.progress(), move |end| {
            while !end.load(Ordering::Acquire) {
                worker.turn(WAIT)?;
                between(&mut worker)?;
            }
            Ok(worker.stop()?)
        })
    }

    /// Fills what a topic becomes in ClickHouse, on a thread.
    fn start_filler(&mut self, mut filler: Filler) -> anyhow::Result<()> {
        let name = format!("analytics.{}", filler.topic().name());
        self.run(&name, filler.progress(), move |end| {
            while !end.load(Ordering::Acquire) {
                filler.turn(FILLER_WAIT)?;
            }
            filler.stop();
            Ok(())
        })
    }

    fn run(
        &mut self,
        name: &str,
        progress: Progress,
        work: impl FnOnce(&AtomicBool) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.progress.push((name.to_owned(), progress));
        let (end, named) = (self.end.clone(), name.to_owned());
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let outcome = work(&end);
            // One consumer that cannot go on ends the process: a supervisor starts it again, and nobody
            // mistakes a half-working one for a healthy one.
            end.store(true, Ordering::Release);
            outcome.with_context(|| format!("{named} cannot go on"))
        });
        self.threads.push(thread.with_context(|| format!("no thread for {name}"))?);
        Ok(())
    }

    /// Waits for all consumers to end. A call into the log may hang for good; then the process must end
    /// without it, and what was not committed is done again.
    fn watch(self, stuck_for_max: Duration) -> anyhow::Result<()> {
        let mut ending_since = None;
        // A console by itself has no thread here, and goes on until it is asked to end.
        let goes_on = || self.threads.is_empty() && !self.end.load(Ordering::Acquire);
        let mut looked = Instant::now();
        while goes_on() || !self.threads.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(WATCH_EVERY);
            if looked.elapsed() > STOOD_STILL {
                // The whole process was stopped, perhaps with its machine: then nobody in it is stuck.
                let seconds = looked.elapsed().as_secs();
                tracing::warn!(seconds, "this process stood still, and goes on");
                self.progress.iter().for_each(|(_, progress)| progress.note());
            }
            looked = Instant::now();
            if self.end.load(Ordering::Acquire) {
                let since = *ending_since.get_or_insert_with(Instant::now);
                if since.elapsed() > stuck_for_max {
                    bail!(
                        "the consumers did not end in time; what was not committed will be done again"
                    );
                }
                continue;
            }
            let stuck =
                self.progress.iter().find(|(_, progress)| progress.stuck_for() > stuck_for_max);
            if let Some((name, progress)) = stuck {
                bail!(
                    "{name} has been stuck for {} seconds; ending, so that it starts anew",
                    progress.stuck_for().as_secs()
                );
            }
        }
        let mut failed = None;
        for thread in self.threads {
            let outcome =
                thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a consumer has panicked")));
            failed = failed.or(outcome.err());
        }
        failed.map_or(Ok(()), Err)
    }
}
