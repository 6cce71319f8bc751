//! The topics: what each is called, and whose partitions it shares. Numbers that an operator may want
//! to change stand in `schemas/topics.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use drawdown_domain::time::Span;

macro_rules! topics {
    ($($(#[doc = $doc:literal])* $topic:ident = $name:literal,)*) => {
        /// A topic of ours.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Topic {
            $($(#[doc = $doc])* $topic,)*
        }

        impl Topic {
            pub const ALL: &[Topic] = &[$(Topic::$topic),*];

            /// Its name without the installation's prefix.
            pub const fn name(self) -> &'static str {
                match self { $(Topic::$topic => $name,)* }
            }

            pub fn doc(self) -> &'static str {
                match self { $(Topic::$topic => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

topics! {
    /// Usage records, for others to write; by account.
    Usage = "usage",
    /// Commands, for others to write; one partition.
    Commands = "commands",
    /// What the ledgers read; by enterprise.
    Ledger = "ledger",
    /// What became of each command.
    Outcomes = "outcomes",
    /// Usage turned into money, packed.
    Charges = "charges",
    /// Changes of assets.
    Entries = "entries",
    /// Bills as they stand.
    Bills = "bills",
    /// Balances, at most one a second for each billing account.
    Balances = "balances",
    /// What gateways are asked to do.
    PaymentWishes = "payment_wishes",
    /// Payments as they stand.
    Payments = "payments",
    /// Requests to pay as they stand.
    PaymentRequests = "payment_requests",
    /// What people are told.
    Notices = "notices",
    /// Services that are to stop, or may go on.
    Services = "services",
    /// Periods whose last bill is out.
    PeriodClosed = "period_closed",
    /// Invoice runs as they stand.
    InvoiceRuns = "invoice_runs",
    /// Invoices as they were issued.
    Invoices = "invoices",
    /// Mails that were sent, or could not be.
    Mails = "mails",
    /// Usage that could not be used.
    Rejects = "rejects",
    /// Identities of counted records, from which the memory of duplicates is rebuilt.
    Identities = "identities",
    /// State of the metering consumer.
    MeteringState = "metering_state",
    /// State of the registry.
    RegistryState = "registry_state",
    /// State of the balance consumer.
    BalanceState = "balance_state",
    /// State of the payments consumer.
    PaymentsState = "payments_state",
    /// State of the alerts consumer.
    AlertsState = "alerts_state",
    /// State of the invoices consumer.
    InvoicesState = "invoices_state",
}

impl Topic {
    /// Sent to a broker without compressing it. Hashes become no smaller. The others are what only we read, and most of what
    /// a record costs: to compress them, and to undo it at the broker and at whoever reads, takes a tenth of all work.
    pub const UNCOMPRESSED: [Topic; 4] =
        [Topic::Identities, Topic::Ledger, Topic::MeteringState, Topic::BalanceState];
}

/// The topics as an installation has them: `schemas/topics.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicPlan {
    /// Partitions of `usage` and what goes with it.
    pub usage_partitions: u32,
    /// Partitions of `ledger` and what goes with it.
    pub ledger_partitions: u32,
    pub topics: BTreeMap<String, TopicSettings>,
}

/// How a topic is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSettings {
    /// None: for ever.
    pub keep: Option<Span>,
    /// The broker dates its messages.
    #[serde(default)]
    pub dated_by_log: bool,
    #[serde(default = "message_bytes_max")]
    pub message_bytes_max: u32,
}

fn message_bytes_max() -> u32 {
    4 * 1024 * 1024
}

/// The plan that comes with this version.
pub const DEFAULT_PLAN: &str = include_str!("../../../schemas/topics.toml");

impl TopicPlan {
    pub fn parse(text: &str) -> Result<TopicPlan, String> {
        let plan: TopicPlan = toml::from_str(text).map_err(|error| error.to_string())?;
        for topic in Topic::ALL {
            if !plan.topics.contains_key(topic.name()) {
                return Err(format!("topics.{} is missing", topic.name()));
            }
        }
        let known = |name: &String| Topic::ALL.iter().any(|topic| topic.name() == name);
        if let Some(unknown) = plan.topics.keys().find(|name| !known(name)) {
            return Err(format!("topics.{unknown} is no topic of ours"));
        }
        if plan.usage_partitions == 0 || plan.ledger_partitions == 0 {
            return Err("a topic has at least one partition".to_owned());
        }
        Ok(plan)
    }

    /// How many partitions a topic has.
    pub fn partitions(&self, topic: Topic) -> u32 {
        match topic {
            Topic::Usage | Topic::Rejects | Topic::Identities | Topic::MeteringState => {
                self.usage_partitions
            }
            Topic::Commands | Topic::RegistryState => 1,
            Topic::Ledger
            | Topic::Outcomes
            | Topic::Charges
            | Topic::Entries
            | Topic::Bills
            | Topic::Balances
            | Topic::PaymentWishes
            | Topic::Payments
            | Topic::PaymentRequests
            | Topic::Notices
            | Topic::Services
            | Topic::PeriodClosed
            | Topic::InvoiceRuns
            | Topic::Invoices
            | Topic::Mails
            | Topic::BalanceState
            | Topic::PaymentsState
            | Topic::AlertsState
            | Topic::InvoicesState => self.ledger_partitions,
        }
    }

    pub fn settings(&self, topic: Topic) -> Option<&TopicSettings> {
        self.topics.get(topic.name())
    }
}

/// The names of the topics under an installation's prefix, and their partitions.
#[derive(Clone, Debug)]
pub struct Topics {
    names: BTreeMap<Topic, String>,
    kept_for: BTreeMap<Topic, Span>,
    pub usage_partitions: u32,
    pub ledger_partitions: u32,
}

impl Topics {
    pub fn new(prefix: &str, plan: &TopicPlan) -> Topics {
        let names = Topic::ALL.iter().map(|topic| (*topic, format!("{prefix}{}", topic.name())));
        let kept_for = Topic::ALL.iter().filter_map(|topic| {
            plan.settings(*topic).and_then(|settings| settings.keep).map(|keep| (*topic, keep))
        });
        Topics {
            names: names.collect(),
            kept_for: kept_for.collect(),
            usage_partitions: plan.usage_partitions,
            ledger_partitions: plan.ledger_partitions,
        }
    }

    pub fn name(&self, topic: Topic) -> &str {
        self.names.get(&topic).map(String::as_str).unwrap_or_default()
    }

    /// How long its messages are kept; none: for ever.
    pub fn kept_for(&self, topic: Topic) -> Option<Span> {
        self.kept_for.get(&topic).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_that_comes_with_this_version_names_every_topic() {
        let plan = TopicPlan::parse(DEFAULT_PLAN).unwrap();
        assert_eq!(plan.partitions(Topic::Commands), 1);
        let usage = plan.settings(Topic::Usage).unwrap();
        assert!(usage.dated_by_log && usage.keep == Some("42d".parse().unwrap()));
        assert_eq!(plan.settings(Topic::Entries).unwrap().keep, None);
    }

    #[test]
    fn a_plan_with_unknown_or_missing_topics_is_refused() {
        let error = TopicPlan::parse(&format!("{DEFAULT_PLAN}\n[topics.extra]\n")).unwrap_err();
        assert!(error.contains("extra"), "{error}");
        let error =
            TopicPlan::parse(&DEFAULT_PLAN.replace("[topics.bills]", "[topics.bill]")).unwrap_err();
        assert!(error.contains("bill"), "{error}");
    }
}
