//! The whole pipeline in one thread, on a log in memory and a clock that stands still until it is set.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use drawdown_alerts::Alerts;
use drawdown_balance::Balance;
use drawdown_domain::commands::CreateKey;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::ledger::Ledger;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Faults, Log, Memory};
use drawdown_metering::Metering;
use drawdown_metering::identities::{Entry, IdentityOptions};
use drawdown_payments::Payments;
use drawdown_ports::mail::Captured;
use drawdown_ports::payments::Sandbox;
use drawdown_post::{Post, PostOptions};
use drawdown_registry::Registry;
use drawdown_runtime::clock::Clock;
use drawdown_runtime::errands::{Errands, Outside};
use drawdown_runtime::{Station, Turn, Worker};
use drawdown_wire::keys;
use drawdown_wire::messages::{
    CommandControl, CommandMessage, LedgerMessage, PaymentAnswered, Tick, TimeOnly, UsageControl,
};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{DEFAULT_PLAN, Topic, TopicPlan, Topics};

use crate::audit;
use crate::installation::Installation;

/// Where a rehearsal takes place: a log whose topics exist and are empty, and whose messages are dated
/// by whoever writes them.
#[derive(Clone, Debug)]
pub struct Stage {
    pub log: Arc<dyn Log>,
    pub topics: Topics,
    /// Where the consumers keep what they would otherwise read from the log; none: in memory.
    pub data: Option<PathBuf>,
    /// Every consumer is restarted after every step.
    pub restarts: bool,
    /// Due timers that fire at a time.
    pub timers_per_message_max: usize,
}

impl Stage {
    /// The plan of a rehearsal's topics: the usual one with few partitions.
    pub fn plan() -> anyhow::Result<TopicPlan> {
        let plan = TopicPlan::parse(DEFAULT_PLAN).map_err(anyhow::Error::msg)?;
        Ok(TopicPlan { usage_partitions: 2, ledger_partitions: 2, ..plan })
    }

    /// In memory.
    pub fn memory() -> anyhow::Result<Stage> {
        let plan = Stage::plan()?;
        let names = Topic::ALL.iter().map(|topic| (topic.name(), plan.partitions(*topic)));
        let log = Arc::new(Memory::new(names, Faults::default()));
        Ok(Stage {
            log,
            topics: Topics::new("", &plan),
            data: None,
            restarts: false,
            timers_per_message_max: usize::MAX,
        })
    }
}

/// The whole pipeline in one thread.
#[derive(Debug)]
pub struct Pipeline {
    installation: Installation,
    restarts: bool,
    metering: Worker<Metering>,
    registry: Worker<Registry>,
    balance: Worker<Balance>,
    payments: Worker<Errands<Payments>>,
    alerts: Worker<Errands<Post<Alerts>>>,
    outside: OutsideWorld,
}

/// What stays while consumers die and come back.
#[derive(Debug)]
struct OutsideWorld {
    gateway: Sandbox,
    mail: Captured,
}

impl Pipeline {
    pub fn new(stage: &Stage, start: Timestamp) -> Pipeline {
        let Stage { log, topics, data, restarts, timers_per_message_max } = stage.clone();
        let usual = IdentityOptions::default();
        let group_prefix = topics.name(Topic::Usage).trim_end_matches("usage").to_owned();
        let installation = Installation {
            group_prefix,
            commit_interval: Duration::ZERO,
            // Where nothing is restored the state is kept whole, so that an audit begins with the first
            // step.
            snapshot_after_bytes: if restarts { 1 << 10 } else { u64::MAX },
            // Small, so that what happens to a large memory of duplicates happens in a rehearsal too.
            identities: IdentityOptions { directory: data, table_max: 16, ..usual },
            timers_per_message_max,
            balances_per_step_max: usize::MAX,
            ..Installation::new(log, topics, Secret::new([7; 32]), Clock::manual(start))
        };
        let outside = OutsideWorld { gateway: Sandbox::in_memory(), mail: Captured::in_memory() };
        Pipeline {
            metering: installation.metering(),
            registry: installation.registry(),
            balance: installation.balance(),
            payments: payments(&installation, &outside),
            alerts: alerts(&installation, &outside),
            outside,
            installation,
            restarts,
        }
    }

    /// Proves from the log that the books are right.
    pub fn audit(&self) -> anyhow::Result<audit::Report> {
        audit::audit(&self.installation, &|_, _, _| ())
    }

    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    pub fn log(&self) -> &dyn Log {
        &*self.installation.log
    }

    pub fn topics(&self) -> &Topics {
        &self.installation.topics
    }

    /// Between two steps: on a stage with restarts every consumer dies and comes back, and must be what
    /// it was.
    pub fn between_steps(&mut self) -> anyhow::Result<()> {
        if !self.restarts {
            return Ok(());
        }
        let before = self.dumps()?;
        self.metering = self.installation.metering();
        self.registry = self.installation.registry();
        self.balance = self.installation.balance();
        self.payments = payments(&self.installation, &self.outside);
        self.alerts = alerts(&self.installation, &self.outside);
        self.settle()?;
        if self.dumps()? != before {
            bail!("a consumer that was restored is not what it was");
        }
        Ok(())
    }

    /// All that every consumer knows, in a form in which equal knowledge is equal: the pieces of a
    /// snapshot, and the memory of duplicates in the order of its identities.
    pub fn dumps(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut dumps = Vec::new();
        for station in self.metering.stations() {
            let mut dump = whole(station);
            for Entry { identity, content, offset, index, day } in station.remembered()? {
                dump.extend(identity.high.to_le_bytes());
                dump.extend(identity.low.to_le_bytes());
                dump.extend(content.to_le_bytes());
                dump.extend(offset.to_le_bytes());
                dump.extend(index.to_le_bytes());
                dump.extend(day.to_le_bytes());
            }
            dumps.push(dump);
        }
        dumps.extend(self.registry.stations().map(whole));
        dumps.extend(self.balance.stations().map(whole));
        dumps.extend(self.payments.stations().map(whole));
        dumps.extend(self.alerts.stations().map(whole));
        Ok(dumps)
    }

    /// Lets everything happen that follows from what is in the log.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLES_WITHIN;
        for round in 0.. {
            let worked = [
                turn(&mut self.metering)?,
                turn(&mut self.registry)?,
                turn(&mut self.balance)?,
                turn(&mut self.payments)?,
                turn(&mut self.alerts)?,
            ];
            if worked == [Turn::Idle; 5] && self.has_read_all()? {
                return Ok(());
            }
            // A log with a broker needs the processor for itself.
            if round > ROUNDS_AT_ONCE {
                std::thread::sleep(A_MOMENT);
            }
            if Instant::now() > deadline {
                break;
            }
        }
        bail!("the pipeline does not come to rest")
    }

    fn has_read_all(&mut self) -> anyhow::Result<bool> {
        Ok(self.metering.has_read_all()?
            && self.registry.has_read_all()?
            && self.balance.has_read_all()?
            && self.payments.has_read_all()?
            && self.alerts.has_read_all()?)
    }

    /// Lets time go on to `to`, from one due timer to the next.
    pub fn advance(&mut self, to: Timestamp) -> anyhow::Result<()> {
        while let Some(due) = self.next_timer().filter(|due| *due <= to) {
            if due <= self.installation.clock.now() {
                bail!("a timer that was due at {due} does not fire");
            }
            self.tick(due)?;
        }
        self.tick(to)
    }

    fn tick(&mut self, at: Timestamp) -> anyhow::Result<()> {
        self.installation.clock.set(at);
        let usage = self.topics().name(Topic::Usage);
        let tick = schemas::USAGE_CONTROL.message(&UsageControl::Tick(Tick { at }));
        let tick = self.installation.secret.sign(usage, tick);
        for partition in 0..self.topics().usage_partitions {
            self.log().append(usage, partition, at, &[&tick])?;
        }
        let commands = self.topics().name(Topic::Commands);
        let tick = schemas::COMMAND_CONTROL.message(&CommandControl::Tick(Tick { at }));
        let tick = self.installation.secret.sign(commands, tick);
        self.log().append(commands, 0, at, &[&tick])?;
        self.settle()?;
        let tick = schemas::LEDGER.message(&LedgerMessage { at, input: TimeOnly {}.into() });
        for partition in 0..self.topics().ledger_partitions {
            self.log().append(self.topics().name(Topic::Ledger), partition, at, &[&tick])?;
        }
        self.settle()
    }

    fn next_timer(&self) -> Option<Timestamp> {
        let payments = self.payments.stations().filter_map(Errands::next_try);
        let tries = payments.chain(self.alerts.stations().filter_map(Errands::next_try));
        self.ledgers().filter_map(|ledger| ledger.next_timer()).chain(tries).min()
    }

    pub fn ledgers(&self) -> impl Iterator<Item = &Ledger> {
        self.balance.stations().map(Balance::ledger)
    }

    /// What is unique over all enterprises.
    pub fn registries(&self) -> impl Iterator<Item = &drawdown_domain::registry::Registry> {
        self.registry.stations().map(Registry::state)
    }

    pub fn meterings(&self) -> impl Iterator<Item = &Metering> {
        self.metering.stations()
    }

    /// Makes the key that a command asks for, as the console does. Nobody here uses it.
    pub fn make_key(&self, command: &mut CreateKey, asker: &PrincipalId, asked_under: &str) {
        keys::make(command, &self.installation.secret, asker, asked_under);
    }

    /// Asks for a command, lets it happen, and returns its place among the commands.
    pub fn command(&mut self, at: Timestamp, command: CommandMessage) -> anyhow::Result<u64> {
        let message = schemas::COMMAND.message(&command);
        let next = self.log().append(self.topics().name(Topic::Commands), 0, at, &[&message])?;
        self.settle()?;
        Ok(u64::try_from(next.0.saturating_sub(1))?)
    }

    /// A gateway says something of its own accord, and it happens.
    pub fn gateway_says(&mut self, at: Timestamp, answered: PaymentAnswered) -> anyhow::Result<()> {
        let wallet = &answered.billing_account;
        let ledger = self.ledgers().position(|ledger| ledger.wallet_named(wallet).is_some());
        let partition = u32::try_from(ledger.context("an unknown billing account")?)?;
        let message = schemas::LEDGER.message(&LedgerMessage { at, input: answered.into() });
        self.log().append(self.topics().name(Topic::Ledger), partition, at, &[&message])?;
        self.settle()
    }

    /// Sends a usage message of an account, and lets it happen.
    pub fn usage(&mut self, at: Timestamp, account: &str, message: &[u8]) -> anyhow::Result<()> {
        let partition = partition_of(account.as_bytes(), self.topics().usage_partitions);
        self.log().append(self.topics().name(Topic::Usage), partition, at, &[message])?;
        self.settle()
    }
}

/// PAYMENTS, whose gateway answers at once.
fn payments(installation: &Installation, outside: &OutsideWorld) -> Worker<Errands<Payments>> {
    let gateway = Arc::new(outside.gateway.clone());
    let payments = Payments::new(installation.topics.clone(), gateway);
    installation.payments(Outside::at_once(payments, "payments"))
}

/// ALERTS, whose mail is taken at once.
fn alerts(installation: &Installation, outside: &OutsideWorld) -> Worker<Errands<Post<Alerts>>> {
    let options = PostOptions {
        topics: installation.topics.clone(),
        mailer: Arc::new(outside.mail.clone()),
        domain: "drawdown.example".to_owned(),
        give_up_after: Span::days(4),
    };
    installation.alerts(Outside::at_once(Post::new(Alerts, options), "alerts"))
}

/// The whole state of a station.
fn whole(station: &impl Station) -> Vec<u8> {
    let (mut dump, mut place) = station.piece(&[], usize::MAX);
    while let Some(at) = place {
        let (piece, after) = station.piece(&at, usize::MAX);
        dump.extend(piece);
        place = after;
    }
    dump
}

/// Far longer than a step should take, on any log.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
/// More than a log without a broker ever takes.
const ROUNDS_AT_ONCE: u32 = 20;
const A_MOMENT: Duration = Duration::from_micros(500);

fn turn<S: Station>(worker: &mut Worker<S>) -> anyhow::Result<Turn> {
    Ok(worker.turn(Duration::ZERO)?)
}

/// Who acts when a step names nobody.
pub(super) fn operator() -> PrincipalId {
    PrincipalId::operator()
}
