//! An installation to be measured: a log, accounts on it, and its consumers on threads of their own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use drawdown::installation::Installation;
use drawdown_balance::Balance;
use drawdown_console::{Console, ConsoleOptions, Lists, Rows};
use drawdown_domain::commands::Command;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::ledger::ProductNumber;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use drawdown_log::{Log, Next};
use drawdown_metering::Metering;
use drawdown_metering::identities::{Fill, IdentityOptions};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Station, Worker};
use drawdown_wire::messages::CommandMessage;
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{Topic, TopicPlan, Topics};
use serde_json::{Value, json};

use crate::usage::{ACCOUNTS_PER_ENTERPRISE, Made, PRICES, account_name};

/// A few minutes into an hour, so that no hour ends while something is timed; and at the end of a month, so that what was
/// used a month before is of the same.
pub(crate) const STARTS_AT: &str = "2026-03-31T12:05:00Z";
const SETTLES_WITHIN: Duration = Duration::from_secs(1_200);
const WAIT: Duration = Duration::from_millis(5);
const COMMANDS_PER_APPEND: usize = 2_000;

pub(crate) struct Site {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) topics: Topics,
    clock: Clock,
    installation: Installation,
    broker: Option<u32>,
}

/// A timed run, from the first record read to the last one booked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) rate: f64,
    pub(crate) cpu_per_million: f64,
    pub(crate) broker_cpu_per_million: f64,
    restore_seconds: [f64; 2],
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [metering, balance] = self.restore_seconds;
        write!(
            f,
            "{:.0} k/s, {:.2} CPU-s/M and {:.2} of the broker, restored in {metering:.2} and {balance:.2} s",
            self.rate / 1e3,
            self.cpu_per_million,
            self.broker_cpu_per_million
        )
    }
}

/// What stays of an installation while its processes come and go.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    topics: Topics,
    prefix: String,
    clock: Clock,
    /// Where identities are kept beside the log.
    pub(crate) local: Option<PathBuf>,
}

impl Setting {
    pub(crate) fn new(plan: &TopicPlan, prefix: &str) -> anyhow::Result<Setting> {
        let start: Timestamp = STARTS_AT.parse().context("a time")?;
        Ok(Setting {
            topics: Topics::new(prefix, plan),
            prefix: prefix.to_owned(),
            clock: Clock::fast(1, start),
            local: None,
        })
    }

    pub(crate) fn keeping(self, local: &Path) -> Setting {
        Setting { local: Some(local.to_owned()), ..self }
    }

    pub(crate) fn site(&self, log: Arc<dyn Log>) -> Site {
        let Setting { topics, prefix, clock, local } = self.clone();
        let secret = Secret::new([7; 32]);
        let usual = Installation::new(log.clone(), topics.clone(), secret, clock.clone());
        let identities = IdentityOptions { directory: local, ..usual.identities.clone() };
        let installation = Installation { group_prefix: prefix, identities, ..usual };
        Site { log, topics, clock, installation, broker: None }
    }
}

impl Site {
    pub(crate) fn new(log: Arc<dyn Log>, plan: &TopicPlan) -> anyhow::Result<Site> {
        Ok(Setting::new(plan, "")?.site(log))
    }

    /// The broker is the process whose use of the processors is told apart.
    pub(crate) fn beside_broker(self, broker: Option<u32>) -> Site {
        Site { broker, ..self }
    }

    pub(crate) fn name(&self, topic: Topic) -> &str {
        self.topics.name(topic)
    }

    fn ask(&self, waiting: &mut Vec<Vec<u8>>, name: &str, fields: Value) -> anyhow::Result<()> {
        waiting.push(command(name, fields)?);
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
            // As nearly all customers of a platform: far from being told that credit runs out.
            self.ask(&mut waiting, "top_up", paid_in(account, "1000000"))?;
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
        let partitions = self.log.partitions(name)?;
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

    /// Its API, which shows no lists and no rows.
    pub(crate) fn console(
        &self,
        rows: Rows,
        lists: Arc<dyn Lists>,
        options: ConsoleOptions,
    ) -> anyhow::Result<Console> {
        let prefix = self.installation.group_prefix.clone();
        let options = ConsoleOptions { group_prefix: prefix, ..options };
        let (log, topics, clock) = (self.log.clone(), self.topics.clone(), self.clock.clone());
        Ok(Console::start(log, topics, clock, rows, lists, options)?)
    }

    /// Proves from the log that the books are right.
    pub(crate) fn audit(&self) -> anyhow::Result<drawdown::audit::Report> {
        drawdown::audit::audit(&self.installation, &|_, _, _| ())
    }

    /// Restores metering and balance, then runs them until all usage is booked.
    pub(crate) fn run(&self, made: &Made) -> anyhow::Result<Figures> {
        self.run_beside(made, || Ok(()))
    }

    /// Restores metering and balance, then runs them beside `work`, which sends the usage, and on until
    /// all of it is booked.
    pub(crate) fn run_beside(
        &self,
        made: &Made,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Figures> {
        let (metering, restore_metering) = self.restored(self.installation.metering())?;
        let (balance, restore_balance) = self.restored(self.installation.balance())?;
        let before = charged(&balance, &self.topics)?;
        let (began, cpu, broker_cpu) = (Instant::now(), cpu_seconds(), self.broker_seconds());
        let (balance, ()) = self.drive(metering, balance, work)?;
        let seconds = began.elapsed().as_secs_f64();
        let (cpu, broker_cpu) = (cpu_seconds() - cpu, self.broker_seconds() - broker_cpu);
        check(charged(&balance, &self.topics)?.minus(before)?, made)?;
        let millions = made.records as f64 / 1e6;
        Ok(Figures {
            rate: made.records as f64 / seconds,
            cpu_per_million: cpu / millions,
            broker_cpu_per_million: broker_cpu / millions,
            restore_seconds: [restore_metering, restore_balance],
        })
    }

    /// What time it is there.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The same installation at another time.
    pub(crate) fn at(&self, time: Timestamp) -> Site {
        let clock = Clock::fast(1, time);
        let installation = Installation { clock: clock.clone(), ..self.installation.clone() };
        let (log, topics) = (self.log.clone(), self.topics.clone());
        Site { log, topics, clock, installation, broker: self.broker }
    }

    /// Runs all that decides beside `work`, and on until all usage is booked.
    pub(crate) fn beside<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let (registry, _) = self.restored(self.installation.registry())?;
        let (metering, _) = self.restored(self.installation.metering())?;
        let (balance, _) = self.restored(self.installation.balance())?;
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let registry = scope.spawn(|| drive(registry, &end));
            let worked = self.drive(metering, balance, work);
            end.store(true, Ordering::Release);
            joined(registry, "the registry")?;
            Ok(worked?.1)
        })
    }

    /// Meters all usage that stands on the log, alone; how many seconds of its processor that took.
    pub(crate) fn meter(&self) -> anyhow::Result<f64> {
        let (worker, _) = self.restored(self.installation.metering())?;
        let (_, seconds) = self.alone(worker, "metering", Topic::Usage)?;
        Ok(seconds)
    }

    /// Books all that metering has counted, alone; the same, and what was booked.
    pub(crate) fn book(&self) -> anyhow::Result<(f64, Amount)> {
        let (worker, _) = self.restored(self.installation.balance())?;
        let before = charged(&worker, &self.topics)?;
        let (worker, seconds) = self.alone(worker, "balance", Topic::Ledger)?;
        Ok((seconds, charged(&worker, &self.topics)?.minus(before)?))
    }

    /// Asks for so many commands and lets the registry pass them on; then decides them alone: in how many seconds.
    pub(crate) fn decide(&self, commands: u32, accounts: u32) -> anyhow::Result<f64> {
        let mut waiting = Vec::new();
        for number in 0..commands {
            self.ask(&mut waiting, "top_up", top_up(number, accounts))?;
        }
        self.send(&mut waiting)?;
        let (registry, _) = self.restored(self.installation.registry())?;
        self.alone(registry, "registry", Topic::Commands)?;
        let (balance, _) = self.restored(self.installation.balance())?;
        let (_, seconds) = self.alone(balance, "balance", Topic::Ledger)?;
        Ok(seconds)
    }

    fn alone<S: Station>(
        &self,
        mut worker: Worker<S>,
        group: &str,
        topic: Topic,
    ) -> anyhow::Result<(Worker<S>, f64)> {
        let began = thread_seconds();
        let end = AtomicBool::new(false);
        let worker = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let read = self.wait_until_read(group, topic, &end);
                end.store(true, Ordering::Release);
                read
            });
            let mut turned = Ok(());
            while turned.is_ok() && !end.load(Ordering::Acquire) {
                turned = worker.turn(WAIT).map(|_| ());
            }
            end.store(true, Ordering::Release);
            turned?;
            anyhow::ensure!(worker.come_to_rest()?, "the last commit was lost");
            waiting.join().map_err(|_| anyhow::anyhow!("nobody waited"))??;
            Ok(worker)
        })?;
        Ok((worker, thread_seconds() - began))
    }

    fn wait_until_booked(&self, end: &AtomicBool) -> anyhow::Result<()> {
        self.wait_until_read("metering", Topic::Usage, end)?;
        self.wait_until_read("balance", Topic::Ledger, end)
    }

    /// Drives both beside `work`, and on until all usage is booked.
    fn drive<T>(
        &self,
        metering: Worker<Metering>,
        balance: Worker<Balance>,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<(Worker<Balance>, T)> {
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let metering = scope.spawn(|| drive(metering, &end));
            let balance = scope.spawn(|| drive(balance, &end));
            let worked = work();
            let read = self.wait_until_booked(&end);
            end.store(true, Ordering::Release);
            metering.join().map_err(|_| anyhow::anyhow!("metering panicked"))??;
            let balance = balance.join().map_err(|_| anyhow::anyhow!("balance panicked"))??;
            read?;
            Ok((balance, worked?))
        })
    }

    fn broker_seconds(&self) -> f64 {
        self.broker.map_or(0.0, cpu_seconds_of)
    }

    /// How many accounts metering restores, and in how many seconds.
    pub(crate) fn restored_metering(&self) -> anyhow::Result<(usize, f64)> {
        let (worker, seconds) = self.restored(self.installation.metering())?;
        Ok((worker.stations().map(Metering::accounts).sum(), seconds))
    }

    /// What metering remembers, by partition.
    pub(crate) fn remembered(&self) -> anyhow::Result<Vec<Fill>> {
        let (worker, _) = self.restored(self.installation.metering())?;
        Ok(worker.stations().map(Metering::fill).collect())
    }

    /// The same for the ledgers.
    pub(crate) fn restored_balance(&self) -> anyhow::Result<(usize, f64)> {
        let (worker, seconds) = self.restored(self.installation.balance())?;
        Ok((worker.stations().map(|station| station.ledger().accounts().len()).sum(), seconds))
    }

    /// Brings metering and the ledgers back beside each other, with usage waiting: how many seconds after
    /// `began` each has committed a step, and all that was ever booked once this was.
    pub(crate) fn come_back(&self, began: Instant) -> anyhow::Result<([f64; 2], Amount)> {
        let end = AtomicBool::new(false);
        let came = |group: &str, topic| self.await_step(group, topic, began, &end);
        std::thread::scope(|scope| {
            let metering = scope.spawn(|| drive(self.installation.metering(), &end));
            let balance =
                scope.spawn(|| charged(&drive(self.installation.balance(), &end)?, &self.topics));
            let booked = scope.spawn(|| came("balance", Topic::Ledger));
            let seconds = came("metering", Topic::Usage)
                .and_then(|metering| Ok([metering, joined(booked, "the one who waits")?]));
            let read = self.wait_until_booked(&end);
            end.store(true, Ordering::Release);
            joined(metering, "metering")?;
            let booked = joined(balance, "balance")?;
            read?;
            Ok((seconds?, booked))
        })
    }

    /// How many seconds after `began` a group has committed its reading of some partition.
    fn await_step(
        &self,
        group: &str,
        topic: Topic,
        began: Instant,
        end: &AtomicBool,
    ) -> anyhow::Result<f64> {
        let (name, group) =
            (self.name(topic), format!("{}{group}", self.installation.group_prefix));
        let before = self.log.committed(&group, name, 0)?;
        while self.log.committed(&group, name, 0)? == before {
            if end.load(Ordering::Acquire) || began.elapsed() > SETTLES_WITHIN {
                bail!("{group} commits nothing");
            }
            std::thread::sleep(WAIT);
        }
        Ok(began.elapsed().as_secs_f64())
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

/// A command of the operator's, as it stands on the log.
pub(crate) fn command(name: &str, fields: Value) -> anyhow::Result<Vec<u8>> {
    let command = Command::read(name, fields).context("no such command")??;
    let principal = PrincipalId::operator();
    let message = CommandMessage { principal, key: None, origin: None, command };
    Ok(schemas::COMMAND.message(&message))
}

/// The fields of the `number`-th of many top-ups, which go to all accounts in turn.
pub(crate) fn top_up(number: u32, accounts: u32) -> Value {
    // Neighbours are of one enterprise, which one ledger owns.
    paid_in(number.wrapping_mul(7_919) % accounts, "20")
}

fn paid_in(account: u32, amount: &str) -> Value {
    let billing_account = format!("ba-{}", account_name(account));
    json!({ "billing_account": billing_account, "amount": amount, "currency": "USD", "method": "bank_transfer" })
}

fn joined<T>(thread: ScopedJoinHandle<'_, anyhow::Result<T>>, who: &str) -> anyhow::Result<T> {
    thread.join().map_err(|_| anyhow::anyhow!("{who} panicked"))?
}

/// Turns a worker until it is told to end, and commits what it has.
fn drive<S: Station>(mut worker: Worker<S>, end: &AtomicBool) -> anyhow::Result<Worker<S>> {
    while !end.load(Ordering::Acquire) {
        // One that fails ends all.
        worker.turn(WAIT).inspect_err(|_| end.store(true, Ordering::Release))?;
    }
    anyhow::ensure!(worker.come_to_rest()?, "the last commit was lost");
    Ok(worker)
}

/// A run that booked anything but what its usage costs is worth nothing.
pub(crate) fn check(booked: Amount, made: &Made) -> anyhow::Result<()> {
    if booked != made.costs {
        bail!("{booked} was booked, but the usage costs {}", made.costs);
    }
    Ok(())
}

/// All that was ever charged, over all ledgers: what is on tabs, and what bills hold.
fn charged(balance: &Worker<Balance>, topics: &Topics) -> anyhow::Result<Amount> {
    let mut charged = Amount::ZERO;
    for partition in 0..topics.ledger_partitions {
        let station = balance.station(partition).context("a partition without an owner")?;
        for account in station.ledger().accounts() {
            let open = account.tabs.iter().map(|tab| tab.exact);
            let billed = account.months.iter().filter(|it| it.product != ProductNumber::TAX);
            for exact in open.chain(billed.map(|months| months.exact)) {
                charged = charged.plus(exact)?;
            }
        }
    }
    Ok(charged)
}

/// What this process has used of the processors so far.
pub(crate) fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    process_seconds(&text)
}

/// What this thread has used.
fn thread_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    nanos.unwrap_or_default() / 1e9
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
