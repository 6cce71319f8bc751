//! An installation to be measured: a log, accounts on it, and its consumers on threads of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use drawdown::installation::Installation;
use drawdown_balance::Balance;
use drawdown_domain::commands::Command;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use drawdown_log::{Log, Next};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Station, Worker};
use drawdown_wire::messages::CommandMessage;
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{Topic, TopicPlan, Topics};
use serde_json::{Value, json};

use crate::usage::{ACCOUNTS_PER_ENTERPRISE, Made, PRICES, account_name};

/// A few minutes into an hour, so that no hour ends while something is timed.
pub(crate) const STARTS_AT: &str = "2026-03-10T12:05:00Z";
const SETTLES_WITHIN: Duration = Duration::from_secs(1_200);
const WAIT: Duration = Duration::from_millis(5);
const COMMANDS_PER_APPEND: usize = 2_000;

pub(crate) struct Site {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) topics: Topics,
    pub(crate) clock: Clock,
    installation: Installation,
}

/// A timed run, from the first record read to the last one booked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) restore_seconds: [f64; 2],
}

impl Site {
    pub(crate) fn new(log: Arc<dyn Log>, plan: &TopicPlan, prefix: &str) -> anyhow::Result<Site> {
        let topics = Topics::new(prefix, plan);
        let start: Timestamp = STARTS_AT.parse().context("a time")?;
        let clock = Clock::fast(1, start);
        let installation = Installation {
            group_prefix: prefix.to_owned(),
            ..Installation::new(log.clone(), topics.clone(), Secret::new([7; 32]), clock.clone())
        };
        Ok(Site { log, topics, clock, installation })
    }

    pub(crate) fn name(&self, topic: Topic) -> &str {
        self.topics.name(topic)
    }

    fn ask(&self, waiting: &mut Vec<Vec<u8>>, name: &str, fields: Value) -> anyhow::Result<()> {
        let command = Command::read(name, fields).context("no such command")??;
        let message = CommandMessage { principal: PrincipalId::operator(), key: None, command };
        waiting.push(schemas::COMMAND.message(&message));
        if waiting.len() >= COMMANDS_PER_APPEND {
            self.send(waiting)?;
        }
        Ok(())
    }

    fn send(&self, waiting: &mut Vec<Vec<u8>>) -> anyhow::Result<()> {
        let messages: Vec<&[u8]> = waiting.iter().map(Vec::as_slice).collect();
        self.log.append(self.name(Topic::Commands), 0, self.clock.now(), &messages)?;
        waiting.clear();
        Ok(())
    }

    /// Opens accounts by commands, as an operator would, and waits until every consumer knows them.
    pub(crate) fn open_accounts(&self, accounts: u32) -> anyhow::Result<f64> {
        let began = Instant::now();
        let mut waiting = Vec::new();
        self.ask(&mut waiting, "load_prices", json!({ "document": PRICES }))?;
        for account in 0..accounts {
            let enterprise = format!("e{}", account.div_euclid(ACCOUNTS_PER_ENTERPRISE));
            if account % ACCOUNTS_PER_ENTERPRISE == 0 {
                let fields = json!({ "enterprise": enterprise, "name": "Bench", "country": "US" });
                self.ask(&mut waiting, "open_enterprise", fields)?;
            }
            let fields = json!({ "account": account_name(account), "enterprise": enterprise,
                "email": "billing@bench.example", "currency": "USD", "mode": "postpaid" });
            self.ask(&mut waiting, "open_account", fields)?;
        }
        self.send(&mut waiting)?;
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let registry = scope.spawn(|| drive(self.installation.registry(), &end));
            let metering = scope.spawn(|| drive(self.installation.metering(), &end));
            let balance = scope.spawn(|| drive(self.installation.balance(), &end));
            // Commands, then what they say to the ledgers, then what the ledgers say to metering, which
            // may again be told to the registry.
            let mut outcome = Ok(());
            for (group, topic) in [
                ("registry", Topic::Commands),
                ("balance", Topic::Ledger),
                ("metering", Topic::Usage),
                ("registry", Topic::Commands),
            ] {
                outcome = outcome.and_then(|()| self.wait_until_read(group, topic, &end));
            }
            end.store(true, Ordering::Release);
            for thread in
                [registry.join().is_err(), metering.join().is_err(), balance.join().is_err()]
            {
                if thread {
                    bail!("a consumer has failed while accounts were opened");
                }
            }
            outcome
        })?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Waits until what stands on a topic now has been read and committed.
    fn wait_until_read(&self, group: &str, topic: Topic, end: &AtomicBool) -> anyhow::Result<()> {
        let name = self.name(topic);
        let partitions = self.log.partitions()?.get(name).copied().unwrap_or(0);
        let group = format!("{}{group}", self.installation.group_prefix);
        let deadline = Instant::now() + SETTLES_WITHIN;
        for partition in 0..partitions {
            let target = self.log.bounds(name, partition)?.stable;
            while !self.has_read(&group, name, partition, target)? {
                if end.load(Ordering::Acquire) || Instant::now() > deadline {
                    bail!("{name} {partition} is not read to its end");
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    fn has_read(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        target: Next,
    ) -> anyhow::Result<bool> {
        let at = self.log.committed(group, topic, partition)?.unwrap_or(Next::START);
        if at >= target {
            return Ok(true);
        }
        // What is left may be nothing but the markers of transactions.
        let mut more = false;
        self.log.scan(topic, partition, at, target, &mut |_| {
            more = true;
            false
        })?;
        Ok(!more)
    }

    /// Proves from the log that the books are right.
    pub(crate) fn audit(&self) -> anyhow::Result<drawdown::audit::Report> {
        drawdown::audit::audit(&self.installation, &|_, _, _| ())
    }

    /// Restores metering and balance, then runs them until all usage is booked.
    pub(crate) fn run(&self, made: &Made) -> anyhow::Result<Run> {
        let (metering, restore_metering) = self.restored(self.installation.metering())?;
        let (balance, restore_balance) = self.restored(self.installation.balance())?;
        let before = charged(&balance, &self.topics)?;
        let end = AtomicBool::new(false);
        let (began, cpu) = (Instant::now(), cpu_seconds());
        let (seconds, cpu_seconds, balance) = std::thread::scope(|scope| {
            let metering = scope.spawn(|| drive(metering, &end));
            let balance = scope.spawn(|| drive(balance, &end));
            let read = self
                .wait_until_read("metering", Topic::Usage, &end)
                .and_then(|()| self.wait_until_read("balance", Topic::Ledger, &end));
            let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
            end.store(true, Ordering::Release);
            let metering = metering.join().map_err(|_| anyhow::anyhow!("metering panicked"))?;
            let balance = balance.join().map_err(|_| anyhow::anyhow!("balance panicked"))?;
            metering?;
            let balance = balance?;
            read?;
            Ok::<_, anyhow::Error>((seconds, cpu, balance))
        })?;
        let after = charged(&balance, &self.topics)?;
        let booked = after.minus(before)?;
        if booked != made.costs {
            bail!("{booked} was booked, but the usage costs {}", made.costs);
        }
        Ok(Run { seconds, cpu_seconds, restore_seconds: [restore_metering, restore_balance] })
    }

    /// Turns a worker until it has restored all partitions.
    fn restored<S: Station>(&self, mut worker: Worker<S>) -> anyhow::Result<(Worker<S>, f64)> {
        let began = Instant::now();
        while worker.station(0).is_none() {
            worker.turn(WAIT)?;
            if began.elapsed() > SETTLES_WITHIN {
                bail!("{worker:?} gets no partitions");
            }
        }
        Ok((worker, began.elapsed().as_secs_f64()))
    }
}

/// Turns a worker until it is told to end, and commits what it has.
fn drive<S: Station>(mut worker: Worker<S>, end: &AtomicBool) -> anyhow::Result<Worker<S>> {
    while !end.load(Ordering::Acquire) {
        // One that fails ends all.
        worker.turn(WAIT).inspect_err(|_| end.store(true, Ordering::Release))?;
    }
    worker.drain()?;
    Ok(worker)
}

/// All that was ever charged, over all ledgers.
fn charged(balance: &Worker<Balance>, topics: &Topics) -> anyhow::Result<Amount> {
    let mut charged = Amount::ZERO;
    for partition in 0..topics.ledger_partitions {
        let station = balance.station(partition).context("a partition without an owner")?;
        for account in station.ledger().accounts() {
            for series in &account.series {
                charged = charged.plus(series.charged)?;
            }
        }
    }
    Ok(charged)
}

/// What this process has held of memory at most, since that was last forgotten.
pub(crate) fn memory_peak_mib() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()).context("no VmHWM")?;
    Ok(kib.parse::<u64>()? / 1024)
}

pub(crate) fn forget_memory_peak() -> anyhow::Result<()> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}

/// What this process has used of the processors so far.
pub(crate) fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    process_seconds(&text)
}

/// What another process has used.
pub(crate) fn cpu_seconds_of(process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    process_seconds(&text)
}

fn process_seconds(stat: &str) -> f64 {
    // The name may hold spaces; the fields begin behind its closing parenthesis.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    ticks as f64 / 100.0
}
