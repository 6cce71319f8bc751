//! From the configuration to a log and an installation.

use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};
use drawdown_analytics::{Analytics, AnalyticsOptions, Store, StoreOptions};
use drawdown_console::{
    ClickHouse, Console, ConsoleOptions, Form, Keys, OwnLists, PaidSoFar, Printer, Question, Rows,
};
use drawdown_documents::{NoDocument, Press, e_invoice};
use drawdown_domain::invoices::Invoice;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::Log;
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::kafka::{Kafka, KafkaConfig, TopicDetails};
use drawdown_metering::SchemaRegistry;
use drawdown_metering::identities::IdentityOptions;
use drawdown_runtime::clock::Clock;
use drawdown_runtime::config::{Config, SchemaRegistrySection};
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{DEFAULT_PLAN, Topic, TopicPlan, Topics};

use super::registry::HttpRegistry;
use crate::installation::Installation;

/// A list that takes longer is given up.
const LIST_WITHIN: Duration = Duration::from_secs(10);

/// What a log of this machine that is open lets go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgets {
    Nothing,
    /// What stands there for longer than its topic keeps it, by the clock of whoever has opened it.
    WhatIsOld,
}

/// The configuration, and what follows from it.
#[derive(Debug)]
pub struct Setup {
    pub config: Config,
    pub plan: TopicPlan,
    pub topics: Topics,
    /// What makes PDFs, once it is asked for.
    pub(super) press: OnceLock<Press>,
}

impl Setup {
    /// Reads the configuration from a file, the environment and flags.
    pub fn read(file: Option<&Path>, flags: &[String]) -> anyhow::Result<Setup> {
        let config = Config::read(file, std::env::vars(), flags)?;
        let plan = match &config.installation().topics {
            None => TopicPlan::parse(DEFAULT_PLAN).map_err(anyhow::Error::msg)?,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("{path} cannot be read"))?;
                TopicPlan::parse(&text).map_err(|error| anyhow::anyhow!("{path}: {error}"))?
            }
        };
        Ok(Setup::planned(config, plan))
    }

    /// A configuration with a plan of its own for the topics.
    pub fn planned(config: Config, plan: TopicPlan) -> Setup {
        let topics = Topics::new(&config.installation().prefix, &plan);
        Setup { config, plan, topics, press: OnceLock::new() }
    }

    /// The log of the configured engine; of brokers, without a look at what is on them. Nothing on it is forgotten,
    /// however old: that is for workers, whose clock the messages go by.
    pub fn log(&self) -> anyhow::Result<Arc<dyn Log>> {
        self.log_that(Forgets::Nothing)
    }

    /// The same for workers.
    pub fn log_of_workers(&self) -> anyhow::Result<Arc<dyn Log>> {
        self.log_that(Forgets::WhatIsOld)
    }

    fn log_that(&self, forgets: Forgets) -> anyhow::Result<Arc<dyn Log>> {
        match self.config.log().engine.as_str() {
            "kafka" => Ok(Arc::new(self.kafka()?)),
            "embedded" => {
                let clock = self.clock()?;
                Ok(Arc::new(self.embedded_dated_by(Arc::new(move || clock.now()), forgets)?))
            }
            other => bail!("log.engine is {other}; it can be kafka or embedded"),
        }
    }

    pub fn is_on_kafka(&self) -> bool {
        self.config.log().engine == "kafka"
    }

    /// The log in a directory of this machine, which is made if it is not there.
    pub fn embedded_dated_by(
        &self,
        now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        forgets: Forgets,
    ) -> anyhow::Result<Embedded> {
        let topics = Topic::ALL.iter().map(|topic| embedded::Topic {
            name: self.topics.name(*topic).to_owned(),
            partitions: self.plan.partitions(*topic),
            keep: match forgets {
                Forgets::WhatIsOld => self.plan.settings(*topic).and_then(|settings| settings.keep),
                Forgets::Nothing => None,
            },
        });
        let directory = &self.config.embedded().directory;
        let config = EmbeddedConfig::new(directory, topics, now);
        Embedded::open(config).with_context(|| format!("embedded.directory {directory}"))
    }

    /// The brokers, without a look at what is on them.
    pub fn kafka(&self) -> anyhow::Result<Kafka> {
        Ok(Kafka::new(self.kafka_config())?)
    }

    /// A log whose calls are given up soon.
    pub fn kafka_answering_within(&self, call_timeout: Duration) -> anyhow::Result<Kafka> {
        Ok(Kafka::new(KafkaConfig { call_timeout, ..self.kafka_config() })?)
    }

    fn kafka_config(&self) -> KafkaConfig {
        let section = self.config.kafka();
        KafkaConfig {
            properties: section.properties.clone(),
            transaction_timeout: duration(section.transaction_timeout),
            session_timeout: duration(section.session_timeout),
            topics: Topic::ALL.iter().map(|topic| self.topics.name(*topic).to_owned()).collect(),
            uncompressed: Topic::UNCOMPRESSED
                .map(|topic| self.topics.name(topic).to_owned())
                .into(),
            ..KafkaConfig::new(&section.bootstrap)
        }
    }

    pub fn clock(&self) -> anyhow::Result<Clock> {
        self.config.worker().clock.parse().context("worker.clock")
    }

    /// The topics as the broker should have them. Where time is not the machine's, messages are dated
    /// by whoever writes them, and none is deleted for its age, which the broker would judge by its own
    /// clock.
    pub fn details(&self) -> anyhow::Result<Vec<TopicDetails>> {
        let real = self.clock()?.is_real();
        let details = Topic::ALL.iter().filter_map(|topic| {
            let settings = self.plan.settings(*topic)?;
            Some(TopicDetails {
                name: self.topics.name(*topic).to_owned(),
                partitions: self.plan.partitions(*topic),
                keep: settings.keep.filter(|_| real).map(duration),
                dated_by_log: settings.dated_by_log && real,
                message_bytes_max: settings.message_bytes_max,
            })
        });
        Ok(details.collect())
    }

    pub fn secret(&self) -> anyhow::Result<Secret> {
        let text = &self.config.installation().secret;
        if text.is_empty() {
            bail!(
                "installation.secret is not set; give all workers the same 64 hexadecimal digits, for example from `openssl rand -hex 32`"
            );
        }
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            bail!("installation.secret must have 64 hexadecimal digits");
        }
        for (byte, place) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let digits = text.get(place..place + 2).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16)
                .context("installation.secret must have 64 hexadecimal digits")?;
        }
        Ok(Secret::new(bytes))
    }

    pub fn installation(&self, log: Arc<dyn Log>) -> anyhow::Result<Installation> {
        let (section, worker) = (self.config.installation(), self.config.worker());
        let own = Path::new(&worker.data).join(&section.instance).join("identities");
        let identities = IdentityOptions {
            directory: (!worker.data.is_empty()).then_some(own),
            identities_max: self.config.metering().identities_max,
            table_max: self.config.metering().identities_table_max,
        };
        let SchemaRegistrySection { url, user, password } = self.config.schema_registry();
        let schemas: Option<Arc<dyn SchemaRegistry>> = match url.as_str() {
            "" => None,
            url => Some(Arc::new(HttpRegistry::new(url, user, password)?)),
        };
        Ok(Installation {
            identities,
            schemas,
            group_prefix: section.prefix.clone(),
            instance: section.instance.clone(),
            commit_interval: duration(worker.commit_interval),
            snapshot_after_bytes: worker.snapshot_after_bytes,
            ..Installation::new(log, self.topics.clone(), self.secret()?, self.clock()?)
        })
    }

    /// The console: who asks, and where rows and lists come from. `ledgers` and `registry` are those of this process.
    pub fn console(
        &self,
        log: Arc<dyn Log>,
        ledgers: Option<SyncSender<Question>>,
        registry: Option<SyncSender<Question>>,
    ) -> anyhow::Result<Console> {
        let (section, installation) = (self.config.console(), self.config.installation());
        let demo_key = (!section.demo_key.is_empty()).then_some(section.demo_key.as_str());
        let keys = Keys::new(&section.keys, demo_key)?;
        let workers = section.workers.split(',').map(str::trim).filter(|name| !name.is_empty());
        let elsewhere = workers.map(str::to_owned).collect();
        let rows = Rows { here: ledgers, registry, elsewhere };
        let press = self.press()?;
        let folder = |name: &str| (!name.is_empty()).then(|| name.into());
        let options = ConsoleOptions {
            printer: Some(Printer::new(move |invoice, form, paid| match form {
                Form::Pdf => printed(&press, invoice, paid).map_err(|error| error.to_string()),
                Form::Xml => {
                    e_invoice(invoice).map(String::into_bytes).map_err(|error| error.to_string())
                }
            })),
            mails: folder(&section.mails),
            secret: Some(self.secret()?),
            command_answered_within: duration(section.command_answered_within),
            usage_queue_bytes_max: section.usage_queue_bytes_max,
            lists_group: Some(format!("{}analytics", installation.prefix)),
            ..ConsoleOptions::new(keys, &installation.prefix, &installation.instance)
        };
        let lists = Arc::new(self.lists()?);
        Ok(Console::start(log, self.topics.clone(), self.clock()?, rows, lists, options)?)
    }

    /// What fills ClickHouse from a log.
    pub fn analytics(&self, log: Arc<dyn Log>) -> anyhow::Result<Arc<Analytics>> {
        let (section, installation) = (self.config.analytics(), self.config.installation());
        let options = AnalyticsOptions {
            installation: Some(self.owner()?),
            group_prefix: installation.prefix.clone(),
            instance: installation.instance.clone(),
            insert_after: duration(section.insert_after),
            block_bytes_max: section.block_bytes_max,
            kept_bytes_max: section.kept_bytes_max,
            ..AnalyticsOptions::new(self.store_options())
        };
        Ok(Analytics::new(options, log, self.topics.clone()))
    }

    /// What ClickHouse's database says whose it is: the same for all workers of an installation, and no secret.
    fn owner(&self) -> anyhow::Result<String> {
        let purpose = format!("clickhouse {}", self.config.installation().prefix);
        let name = self.secret()?.derived(&purpose);
        Ok(name.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// ClickHouse, to be asked about what stands there.
    pub fn store(&self) -> Store {
        Store::new(self.store_options())
    }

    fn store_options(&self) -> StoreOptions {
        let section = self.config.clickhouse();
        StoreOptions {
            url: section.url.clone(),
            user: section.user.clone(),
            password: section.password.clone(),
            database: section.database.clone(),
            deadline: duration(self.config.analytics().deadline),
        }
    }

    fn lists(&self) -> anyhow::Result<OwnLists> {
        let section = self.config.clickhouse();
        let address = section.url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let address = address.filter(|address| address.contains(':') && !address.contains('/'));
        let address = address.with_context(|| {
            format!("clickhouse.url is {}; it looks like http://127.0.0.1:8123", section.url)
        })?;
        let clickhouse = ClickHouse {
            address: address.to_owned(),
            database: section.database.clone(),
            user: section.user.clone(),
            password: section.password.clone(),
            deadline: LIST_WITHIN,
        };
        Ok(OwnLists::new(clickhouse, self.owner()?))
    }
}

/// A PDF of an invoice, with what is paid of it.
pub fn printed(
    press: &Press,
    invoice: &Invoice,
    paid: Option<PaidSoFar>,
) -> Result<Vec<u8>, NoDocument> {
    match paid {
        Some(PaidSoFar { paid, open, at }) => {
            press.invoice_with(invoice, drawdown_documents::PaidSoFar { paid, open, at })
        }
        None => press.invoice(invoice),
    }
}

pub(super) fn duration(span: Span) -> Duration {
    Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(0))
}
