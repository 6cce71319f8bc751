//! All consumers in one thread, each of which can be stopped, lag behind, and cut its steps anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drawdown::installation::Installation;
use drawdown_balance::Balance;
use drawdown_domain::commands::Command;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;
use drawdown_log::{Faults, Log, Memory, Message, Next};
use drawdown_metering::Metering;
use drawdown_registry::Registry;
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Station, Turn, Worker, read_to_end};
use drawdown_wire::avro;
use drawdown_wire::messages::{
    Bills, Charge, Charges, CommandControl, CommandMessage, LedgerMessage, Outcomes, Rejected,
    Rejects, Tick, TimeOnly, UsageControl,
};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{DEFAULT_PLAN, Topic, TopicPlan, Topics};
use serde_json::Value;

pub const PARTITIONS: u32 = 2;

/// Who works: metering of each usage partition by a worker of its own, and the others.
pub const METERING: [usize; PARTITIONS as usize] = [0, 1];
pub const REGISTRY: usize = 2;
pub const BALANCE: usize = 3;
pub const ALL: [usize; 4] = [0, 1, REGISTRY, BALANCE];

pub struct Plant {
    pub log: Arc<dyn Log>,
    topics: Topics,
    clock: Clock,
    secret: Secret,
    metering: Vec<Worker<Metering>>,
    registry: Worker<Registry>,
    balance: Worker<Balance>,
}

impl Plant {
    pub fn new(start: Timestamp) -> Plant {
        let plan = TopicPlan::parse(DEFAULT_PLAN).unwrap();
        let plan =
            TopicPlan { usage_partitions: PARTITIONS, ledger_partitions: PARTITIONS, ..plan };
        let names = Topic::ALL.iter().map(|topic| (topic.name(), plan.partitions(*topic)));
        let log: Arc<dyn Log> = Arc::new(Memory::new(names, Faults::default()));
        let (clock, secret) = (Clock::manual(start), Secret::new([7; 32]));
        let topics = Topics::new("", &plan);
        let installation = Installation {
            commit_interval: Duration::ZERO,
            snapshot_after_bytes: 1 << 12,
            ..Installation::new(log.clone(), topics.clone(), secret.clone(), clock.clone())
        };
        let metering = METERING.map(|own| {
            let instance = own.to_string();
            Installation { instance, ..installation.clone() }.metering()
        });
        let mut plant = Plant {
            log,
            topics,
            clock,
            secret,
            metering: metering.into(),
            registry: installation.registry(),
            balance: installation.balance(),
        };
        plant.tick(start, &ALL);
        for own in METERING {
            assert!(plant.metering[own].station(own as u32).is_some(), "each has its partition");
        }
        plant
    }

    fn name(&self, topic: Topic) -> &str {
        self.topics.name(topic)
    }

    pub fn partition_of(account: &str) -> u32 {
        partition_of(account.as_bytes(), PARTITIONS)
    }

    pub fn station(&self, partition: u32) -> &Metering {
        self.metering[partition as usize].station(partition).unwrap()
    }

    /// One turn of a worker; whether it had anything to do.
    pub fn turn(&mut self, worker: usize) -> bool {
        fn turn<S: Station>(worker: &mut Worker<S>) -> bool {
            worker.turn(Duration::ZERO).unwrap() == Turn::Worked
        }
        match worker {
            REGISTRY => turn(&mut self.registry),
            BALANCE => turn(&mut self.balance),
            metering => turn(&mut self.metering[metering]),
        }
    }

    /// Lets these work until they have nothing left to do.
    pub fn settle(&mut self, working: &[usize]) {
        let mut idle_rounds = 0;
        while idle_rounds < 2 {
            let worked = working.iter().filter(|worker| self.turn(**worker)).count();
            idle_rounds = if worked == 0 { idle_rounds + 1 } else { 0 };
        }
    }

    /// It is that time, and these workers learn it as soon as they look.
    pub fn tell_time(&mut self, at: Timestamp, working: &[usize]) {
        self.clock.set(at);
        let usage = self.name(Topic::Usage);
        let tick = schemas::USAGE_CONTROL.message(&UsageControl::Tick(Tick { at }));
        let tick = self.secret.sign(usage, tick);
        for partition in METERING.into_iter().filter(|own| working.contains(own)) {
            self.log.append(usage, partition as u32, at, &[&tick]).unwrap();
        }
        if working.contains(&REGISTRY) {
            let commands = self.name(Topic::Commands);
            let tick = schemas::COMMAND_CONTROL.message(&CommandControl::Tick(Tick { at }));
            self.log.append(commands, 0, at, &[&self.secret.sign(commands, tick)]).unwrap();
        }
        if working.contains(&BALANCE) {
            let tick = schemas::LEDGER.message(&LedgerMessage { at, input: TimeOnly {}.into() });
            for partition in 0..PARTITIONS {
                self.log.append(self.name(Topic::Ledger), partition, at, &[&tick]).unwrap();
            }
        }
    }

    pub fn tick(&mut self, at: Timestamp, working: &[usize]) {
        self.tell_time(at, working);
        self.settle(working);
    }

    /// Asks for a command, which must be accepted.
    pub fn command(&mut self, at: Timestamp, name: &str, fields: Value) {
        let command = Command::read(name, fields).unwrap().unwrap();
        let message =
            CommandMessage { principal: PrincipalId::operator(), key: None, origin: None, command };
        let message = schemas::COMMAND.message(&message);
        let next = self.log.append(self.name(Topic::Commands), 0, at, &[&message]).unwrap();
        self.settle(&ALL);
        let mut outcome = None;
        self.each(Topic::Outcomes, |outcomes: Outcomes| {
            outcome = outcome.take().or_else(|| {
                outcomes.outcomes.into_iter().find(|outcome| outcome.command as i64 == next.0 - 1)
            });
        });
        let outcome = outcome.expect("an outcome");
        assert_eq!(outcome.refused, None, "{name}: {:?}", outcome.detail);
    }

    pub fn usage(&self, at: Timestamp, partition: u32, message: &[u8]) {
        self.log.append(self.name(Topic::Usage), partition, at, &[message]).unwrap();
    }

    fn each<T: serde::de::DeserializeOwned>(&self, topic: Topic, mut visit: impl FnMut(T)) {
        let partitions = self.log.partitions(self.name(topic)).unwrap();
        for partition in 0..partitions {
            let take = &mut |message: Message<'_>| {
                let (_, value) = avro::split_header(message.value).unwrap();
                visit(avro::decode(value).unwrap());
                Ok(())
            };
            read_to_end(&*self.log, self.name(topic), partition, Next::START, take).unwrap();
        }
    }

    pub fn rejects(&self) -> Vec<Rejected> {
        let mut all = Vec::new();
        self.each(Topic::Rejects, |rejects: Rejects| all.extend(rejects.rejects));
        all
    }

    pub fn charges(&self) -> Vec<Charge> {
        let mut all = Vec::new();
        self.each(Topic::Charges, |charges: Charges| all.extend(charges.rows()));
        all
    }

    /// Every bill: whose, for what, and its amount and what of it is paid.
    pub fn bills(&self) -> BTreeMap<BillOf, (Amount, Amount)> {
        let mut all = BTreeMap::new();
        let (mut issued, mut payments) = (BTreeMap::new(), Vec::new());
        self.each(Topic::Bills, |bills: Bills| {
            for bill in bills.issued {
                let product = bill.product.as_ref().map(ToString::to_string).unwrap_or_default();
                let account = bill.account.to_string();
                let of = BillOf { account, product, cycle_end: bill.cycle_end };
                assert!(all.insert(of.clone(), (bill.amount, Amount::ZERO)).is_none(), "{of:?}");
                issued.insert(bill.bill, of);
            }
            payments.extend(bills.payments);
        });
        for payment in payments {
            let (_, paid) = all.get_mut(&issued[&payment.bill]).unwrap();
            *paid = paid.plus(payment.amount).unwrap();
        }
        all
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BillOf {
    pub account: String,
    pub product: String,
    pub cycle_end: Timestamp,
}
