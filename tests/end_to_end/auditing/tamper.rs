//! A short history on a log in memory, and copies of that log in which something was changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use drawdown::audit::{Report, audit};
use drawdown::installation::Installation;
use drawdown::rehearse::{Pipeline, Stage};
use drawdown_domain::commands::{Command, LoadPrices, LoadSettings};
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Faults, Log, Memory, Next};
use drawdown_wire::avro::SINGLE_OBJECT_HEADER_BYTES;
use drawdown_wire::messages::CommandMessage;
use drawdown_wire::schemas;
use drawdown_wire::state::{Frame, FrameKind};
use drawdown_wire::topics::{Topic, Topics};
use serde_json::{Value, json};

const PRICES: &str = r#"
price = [
  { product = "compute", meter = "hours", currency = "USD", model = "per_unit", unit_price = "0.333" },
  { product = "storage", meter = "gigabytes", currency = "USD", model = "per_unit", unit_price = "2" },
]
"#;

/// What becomes of a message.
pub enum Change {
    Keep,
    To(Vec<u8>),
    /// It stands there twice.
    Twice(Vec<u8>),
    Lose,
}

/// Says what becomes of a message, by its topic, partition and offset.
pub type Changes<'a> = &'a mut dyn FnMut(Topic, u32, i64, &[u8]) -> Change;
type Visit<'a> = &'a mut dyn FnMut(u32, i64, Timestamp, &[u8]);

pub struct History {
    stage: Stage,
    pipeline: Pipeline,
    now: Timestamp,
}

impl History {
    /// Wallets in two ledgers: money comes in, goes over, usage is billed, paid, invoiced, taxed and taken back.
    pub fn told() -> History {
        History::on(Stage::memory().unwrap())
    }

    pub fn on(stage: Stage) -> History {
        let now: Timestamp = "2026-03-15T22:00:00Z".parse().unwrap();
        let mut history = History { pipeline: Pipeline::new(&stage, now), stage, now };
        history.pipeline.advance(now).unwrap();
        history.ask(LoadSettings { document: "tax.rates = { SG = \"0.09\" }".to_owned() }.into());
        let prices = LoadPrices { document: PRICES.to_owned() }.into();
        history.ask(prices);
        for enterprise in ["e", "f", "g"] {
            history.command("open_enterprise", json!({ "enterprise": enterprise, "name": "E", "country": "SG", "account_center": true }));
            for account in ["a", "b"] {
                let account = format!("{enterprise}{account}");
                history.command("open_account", json!({ "account": account, "enterprise": enterprise, "email": "x@y.example", "currency": "USD", "mode": "postpaid" }));
                history.command("top_up", json!({ "billing_account": format!("ba-{account}"), "amount": "100", "currency": "USD", "method": "bank_transfer" }));
            }
            let (from, to) = (format!("ba-{enterprise}a"), format!("ba-{enterprise}b"));
            history.command("transfer", json!({ "from": from, "to": to, "amount": "30" }));
        }
        for minute in 0..30 {
            for (account, product, meter) in [
                ("ea", "compute", "hours"),
                ("fb", "storage", "gigabytes"),
                ("ga", "compute", "hours"),
            ] {
                history.usage(minute, account, product, meter);
            }
            history.now = history.now.plus(Span::minutes(7));
            history.pipeline.advance(history.now).unwrap();
        }
        history.command("void_usage", json!({ "account": "ea", "source": "s", "id": "hours29" }));
        history
    }

    fn ask(&mut self, command: Command) {
        let message =
            CommandMessage { principal: PrincipalId::operator(), key: None, origin: None, command };
        self.pipeline.command(self.now, message).unwrap();
    }

    fn command(&mut self, name: &str, fields: Value) {
        self.ask(Command::read(name, fields).unwrap().unwrap());
    }

    fn usage(&mut self, number: u32, account: &str, product: &str, meter: &str) {
        let record = json!({ "source": "s", "id": format!("{meter}{number}"), "account": account,
            "product": product, "meter": meter, "quantity": "1.5", "time": self.now.to_string() });
        self.pipeline.usage(self.now, account, record.to_string().as_bytes()).unwrap();
    }

    pub fn topics(&self) -> &Topics {
        &self.stage.topics
    }

    fn each(&self, topic: Topic, visit: Visit<'_>) {
        let plan = Stage::plan().unwrap();
        for partition in 0..plan.partitions(topic) {
            let scan = self.stage.log.scan(
                topic.name(),
                partition,
                Next::START,
                Next(i64::MAX),
                &mut |message| {
                    visit(partition, message.offset.0, message.at, message.value);
                    true
                },
            );
            scan.unwrap();
        }
    }

    /// Where the last balances stand that were told.
    pub fn last_balances(&self) -> (u32, i64) {
        let mut last = None;
        self.each(Topic::Balances, &mut |partition, offset, _, _| last = Some((partition, offset)));
        last.unwrap()
    }

    /// How many steps were cut between messages.
    pub fn cuts(&self) -> usize {
        let mut cuts = 0;
        self.each(Topic::BalanceState, &mut |_, _, _, value| {
            cuts += usize::from(is_cut(&schemas::FRAME.read(value).unwrap()));
        });
        cuts
    }

    /// The frames of a state topic, changed and chained anew.
    pub fn frames(
        &self,
        topic: Topic,
        change: &mut dyn FnMut(u32, i64, &mut Frame),
    ) -> BTreeMap<(u32, i64), Vec<u8>> {
        let mut partitions = BTreeMap::<u32, Vec<(i64, Frame)>>::new();
        self.each(topic, &mut |partition, offset, _, value| {
            let mut frame: Frame = schemas::FRAME.read(value).unwrap();
            change(partition, offset, &mut frame);
            partitions.entry(partition).or_default().push((offset, frame));
        });
        let mut chained_anew = BTreeMap::new();
        for (partition, mut frames) in partitions {
            chain(&mut frames);
            for (offset, frame) in frames {
                chained_anew.insert((partition, offset), schemas::FRAME.message(&frame));
            }
        }
        chained_anew
    }

    /// The log with every message changed as told.
    pub fn copy(&self, change: Changes<'_>) -> Memory {
        let plan = Stage::plan().unwrap();
        let names = Topic::ALL.iter().map(|topic| (topic.name(), plan.partitions(*topic)));
        let copy = Memory::new(names, Faults::default());
        for topic in Topic::ALL {
            self.each(*topic, &mut |partition, offset, at, value| {
                let values = match change(*topic, partition, offset, value) {
                    Change::Keep => vec![value.to_vec()],
                    Change::To(changed) => vec![changed],
                    Change::Twice(message) => vec![message.clone(), message],
                    Change::Lose => vec![],
                };
                for value in values {
                    copy.append(topic.name(), partition, at, &[&value]).unwrap();
                }
            });
        }
        copy
    }

    pub fn audit_with(&self, change: Changes<'_>) -> Report {
        self.audit(self.copy(change))
    }

    pub fn audit(&self, log: Memory) -> Report {
        let installation =
            Installation { log: Arc::new(log), ..self.pipeline.installation().clone() };
        audit(&installation, &|_, _, _| ()).unwrap()
    }
}

/// Whether timers fired between messages of a step of BALANCE with one timer at a time: that stands
/// first in its delta, and then how many cuts follow.
pub fn is_cut(frame: &Frame) -> bool {
    let delta = frame.payload.0.get(SINGLE_OBJECT_HEADER_BYTES..);
    matches!(delta, Some([2, cuts, ..]) if *cuts > 0)
}

/// Chains frames anew, as the log does: each checksum covers all payloads before it.
fn chain(frames: &mut [(i64, Frame)]) {
    let mut checksum = 0;
    for (_, frame) in frames.iter_mut().filter(|(_, frame)| frame.kind == FrameKind::Delta) {
        checksum = crc32c::crc32c_append(checksum, &frame.payload.0);
        frame.checksum = checksum;
    }
}
