//! A station by itself: an account, a meter, and a log for its identities.

use std::sync::Arc;

use drawdown_domain::money::Currency;
use drawdown_domain::rating::{Aggregate, Offer};
use drawdown_domain::time::{Timestamp, Window};
use drawdown_log::{Faults, Log as _, Memory, Message, Offset};
use drawdown_metering::identities::{IdentityOptions, Shelves};
use drawdown_metering::{Metering, MeteringOptions, SchemaRegistry, identity_key};
use drawdown_runtime::{Input, Output, Station, Stop};
use drawdown_wire::avro;
use drawdown_wire::messages::{
    AccountRouted, Catalogue, LedgerInput, LedgerMessage, MeterOffered, Rejected, Rejects,
    UsageControl,
};
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{DEFAULT_PLAN, TopicPlan, Topics};
use drawdown_wire::usage::from_json;

pub(super) const BEGINS: &str = "2026-03-01T00:00:00Z";

/// A partition in which the account `a` uses the one meter there is.
pub(super) struct Rig {
    pub(super) metering: Metering,
    log: Arc<Memory>,
    secret: Secret,
    registry: Option<Arc<dyn SchemaRegistry>>,
    offset: i64,
    /// What it put onto `usage`.
    pub(super) passed_on: Vec<Vec<u8>>,
    /// What it said to the ledgers.
    pub(super) said: Vec<LedgerInput>,
}

impl Rig {
    pub(super) fn new() -> Rig {
        Rig::with(None)
    }

    pub(super) fn with(registry: Option<Arc<dyn SchemaRegistry>>) -> Rig {
        let secret = Secret::new([7; 32]);
        let log = Arc::new(Memory::new([("identities", 1)], Faults::default()));
        let metering = metering(&log, &secret, registry.clone());
        let (passed_on, said) = (Vec::new(), Vec::new());
        let mut rig = Rig { metering, log, secret, registry, offset: 0, passed_on, said };
        let at = BEGINS.parse().unwrap();
        let offer = Offer { region: None, currency: Currency::Usd, holds: Window::ALWAYS };
        let meter = MeterOffered {
            product: "p".parse().unwrap(),
            meter: "m".parse().unwrap(),
            offers: vec![offer],
            aggregate: Aggregate::Sum,
            tag: None,
        };
        rig.control(at, Catalogue { at, meters: vec![meter] });
        let (account, currency) = ("a".parse().unwrap(), Currency::Usd);
        rig.control(at, AccountRouted { at, account, ledger: 0, number: 0, currency });
        rig
    }

    /// Takes a message; says what was rejected.
    pub(super) fn take(&mut self, at: Timestamp, value: &[u8]) -> Vec<Rejected> {
        self.try_take(at, value).unwrap()
    }

    pub(super) fn try_take(&mut self, at: Timestamp, value: &[u8]) -> Result<Vec<Rejected>, Stop> {
        self.step(&[(at, value)])
    }

    /// Takes messages in one step.
    pub(super) fn step(&mut self, messages: &[(Timestamp, &[u8])]) -> Result<Vec<Rejected>, Stop> {
        let messages = messages.iter().zip(self.offset..);
        let messages: Vec<_> = messages
            .map(|((at, value), offset)| Message {
                partition: 0,
                offset: Offset(offset),
                at: *at,
                value,
            })
            .collect();
        self.offset += messages.len() as i64;
        let mut output = Output::default();
        self.metering.take(Input { messages: &messages }, &mut output)?;
        self.metering.finish(&mut output).unwrap();
        let (appends, _) = output.into_parts();
        for append in appends.iter().filter(|append| append.topic == "identities") {
            self.log.append("identities", 0, messages[0].at, &[&append.value]).unwrap();
        }
        self.metering.committed().unwrap();
        let to_ledgers =
            appends.iter().filter(|append| append.topic == "ledger" && append.partition == 0);
        self.said.extend(
            to_ledgers
                .map(|append| schemas::LEDGER.read::<LedgerMessage>(&append.value).unwrap().input),
        );
        let passed_on = appends.iter().filter(|append| append.topic == "usage");
        self.passed_on.extend(passed_on.map(|append| append.value.clone()));
        let rejects = appends.iter().filter(|append| append.topic == "rejects");
        Ok(rejects
            .flat_map(|append| schemas::REJECTS.read::<Rejects>(&append.value).unwrap().rejects)
            .collect())
    }

    /// Loses the partition and its disk, and takes it again from a snapshot and the log.
    pub(super) fn restart(&mut self) {
        let mut again = metering(&self.log, &self.secret, self.registry.clone());
        let mut place = Some(Vec::new());
        while let Some(at) = place {
            let (piece, after) = self.metering.piece(&at, usize::MAX);
            again.load(&piece).unwrap();
            place = after;
        }
        again.restored().unwrap();
        self.metering = again;
    }

    pub(super) fn control(
        &mut self,
        at: Timestamp,
        control: impl Into<UsageControl>,
    ) -> Vec<Rejected> {
        let payload = schemas::USAGE_CONTROL.message(&control.into());
        let signed = self.secret.sign("usage", payload);
        self.take(at, &signed)
    }
}

fn metering(
    log: &Arc<Memory>,
    secret: &Secret,
    registry: Option<Arc<dyn SchemaRegistry>>,
) -> Metering {
    let options = MeteringOptions {
        topics: Topics::new("", &TopicPlan::parse(DEFAULT_PLAN).unwrap()),
        secret: secret.clone(),
        log: log.clone(),
        shelves: Arc::new(Shelves::new(IdentityOptions::default(), &identity_key(secret))),
        registry,
        tick_every: None,
    };
    Metering::new(options, 0)
}

pub(super) fn used_at(time: &str) -> Vec<u8> {
    used("u", time)
}

pub(super) fn used(id: &str, time: &str) -> Vec<u8> {
    let record = format!(
        r#"{{ "source": "s", "id": "{id}", "account": "a", "product": "p", "meter": "m", "quantity": "2", "time": "{time}" }}"#
    );
    let mut message = Vec::new();
    avro::put_header(&mut message, schemas::USAGE_RECORD.fingerprint());
    message.extend(from_json(record.as_bytes()).unwrap());
    message
}
