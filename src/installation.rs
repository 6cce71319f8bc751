//! The consumers, put together for one log: the same in production, in rehearsals and in tests.

use std::sync::Arc;
use std::time::Duration;

use drawdown_alerts::Alerts;
use drawdown_balance::{Balance, BalanceOptions};
use drawdown_domain::ledger::RULES_VERSION;
use drawdown_domain::time::Span;
use drawdown_invoices::Invoices;
use drawdown_log::{Log, Membership};
use drawdown_metering::identities::{IdentityOptions, Shelves};
use drawdown_metering::{Metering, MeteringOptions, SchemaRegistry, identity_key};
use drawdown_payments::Payments;
use drawdown_post::Post;
use drawdown_registry::{Registry, RegistryOptions};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::errands::{Errand, Errands, Outside};
use drawdown_runtime::{Worker, WorkerOptions};
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{Topic, Topics};

/// What all consumers of an installation share.
#[derive(Clone, Debug)]
pub struct Installation {
    pub log: Arc<dyn Log>,
    pub topics: Topics,
    pub secret: Secret,
    pub clock: Clock,
    /// Precedes the names of the consumers' groups.
    pub group_prefix: String,
    /// Names this process among those that share the work; stable over restarts.
    pub instance: String,
    pub commit_interval: Duration,
    pub snapshot_after_bytes: u64,
    pub identities: IdentityOptions,
    /// Where the schemas are that usage names by number.
    pub schemas: Option<Arc<dyn SchemaRegistry>>,
    pub timers_per_message_max: usize,
    pub balances_per_step_max: usize,
}

/// A step is committed at once when it has come to this.
const STEP_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Installation {
    /// An installation with the usual limits.
    pub fn new(log: Arc<dyn Log>, topics: Topics, secret: Secret, clock: Clock) -> Installation {
        Installation {
            log,
            topics,
            secret,
            clock,
            group_prefix: String::new(),
            instance: "1".to_owned(),
            commit_interval: Duration::from_millis(40),
            snapshot_after_bytes: 4 * 1024 * 1024,
            identities: IdentityOptions::default(),
            schemas: None,
            timers_per_message_max: 100,
            balances_per_step_max: 256,
        }
    }

    pub fn metering(&self) -> Worker<Metering> {
        let worker = self.worker("metering", Topic::Usage, Topic::MeteringState);
        Worker::new(worker, self.log.clone(), self.clock.clone(), self.metering_station())
    }

    /// What the metering consumer does with a partition.
    pub fn metering_station(&self) -> impl Fn(u32) -> Metering + Send + Sync + use<> {
        let options = MeteringOptions {
            topics: self.topics.clone(),
            secret: self.secret.clone(),
            log: self.log.clone(),
            shelves: Arc::new(Shelves::new(self.identities.clone(), &identity_key(&self.secret))),
            registry: self.schemas.clone(),
            tick_every: self.clock.tick_every(),
        };
        move |partition| Metering::new(options.clone(), partition)
    }

    pub fn registry(&self) -> Worker<Registry> {
        let worker = self.worker("registry", Topic::Commands, Topic::RegistryState);
        Worker::new(worker, self.log.clone(), self.clock.clone(), self.registry_station())
    }

    /// What the registry does with its partition.
    pub fn registry_station(&self) -> impl Fn(u32) -> Registry + Send + Sync + use<> {
        let options = RegistryOptions {
            topics: self.topics.clone(),
            secret: self.secret.clone(),
            tick_every: self.clock.tick_every(),
        };
        move |_| Registry::new(options.clone())
    }

    pub fn balance(&self) -> Worker<Balance> {
        let worker = self.worker("balance", Topic::Ledger, Topic::BalanceState);
        Worker::new(worker, self.log.clone(), self.clock.clone(), self.balance_station())
    }

    /// What the balance consumer does with a partition.
    pub fn balance_station(&self) -> impl Fn(u32) -> Balance + Send + Sync + use<> {
        let options = BalanceOptions {
            topics: self.topics.clone(),
            secret: self.secret.clone(),
            timers_per_message_max: self.timers_per_message_max,
            balances_per_step_max: self.balances_per_step_max,
            tick_every: self.clock.tick_every(),
        };
        move |partition| Balance::new(options.clone(), partition)
    }

    pub fn payments(&self, outside: Arc<Outside<Payments>>) -> Worker<Errands<Payments>> {
        self.errands("payments", Topic::PaymentWishes, Topic::PaymentsState, outside)
    }

    pub fn alerts(&self, outside: Arc<Outside<Post<Alerts>>>) -> Worker<Errands<Post<Alerts>>> {
        self.errands("alerts", Topic::Notices, Topic::AlertsState, outside)
    }

    pub fn invoices(
        &self,
        outside: Arc<Outside<Post<Invoices>>>,
    ) -> Worker<Errands<Post<Invoices>>> {
        self.errands("invoices", Topic::Invoices, Topic::InvoicesState, outside)
    }

    fn errands<E: Errand>(
        &self,
        name: &str,
        input: Topic,
        state: Topic,
        outside: Arc<Outside<E>>,
    ) -> Worker<Errands<E>> {
        // What the outside said cannot be decided again, so older state is of use to nobody.
        let state_kept_for = Some(Span::ZERO);
        let worker = WorkerOptions { state_kept_for, ..self.worker(name, input, state) };
        let station = move |partition| Errands::new(outside.clone(), partition);
        Worker::new(worker, self.log.clone(), self.clock.clone(), station)
    }

    fn worker(&self, name: &str, input: Topic, state: Topic) -> WorkerOptions {
        WorkerOptions {
            membership: Membership {
                group: format!("{}{name}", self.group_prefix),
                topic: self.topics.name(input).to_owned(),
                instance: self.instance.clone(),
            },
            state_topic: self.topics.name(state).to_owned(),
            rules_version: RULES_VERSION,
            commit_interval: self.commit_interval,
            step_bytes_max: STEP_BYTES_MAX,
            snapshot_after_bytes: self.snapshot_after_bytes,
            // As long as its input: then every step can be decided again that has one.
            state_kept_for: self.topics.kept_for(input),
        }
    }
}
