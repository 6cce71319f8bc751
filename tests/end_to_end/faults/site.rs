//! An installation as its log shows it: asked, awaited, looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown::cli::Setup;
use drawdown_domain::commands::Command as Asked;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Error, Log, Message, Next};
use drawdown_runtime::clock::Clock;
use drawdown_wire::messages::{CommandMessage, LedgerInput, LedgerMessage, Outcomes};
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use serde_json::{Value, json};

use super::check::decoded;

pub const STARTS_AT: &str = "2026-03-01T00:00:00Z";
pub const ENTERPRISES: usize = 12;
pub const ACCOUNTS: usize = 120;
pub const ZONES: [&str; 3] = ["UTC", "Asia/Kolkata", "America/New_York"];

pub const PRICES: &str = r#"
price = [
  { product = "compute", meter = "hours", currency = "USD", model = "per_unit", unit_price = "0.0004" },
  { product = "compute", meter = "calls", currency = "USD", model = "graduated", aggregate = "count", tiers = [{ up_to = "500", unit_price = "0.001" }, { up_to = "2000", unit_price = "0.0007" }, { unit_price = "0.0003" }] },
  { product = "storage", meter = "gigabytes", currency = "USD", region = "eu", model = "volume", tiers = [{ up_to = "2000", unit_price = "0.002" }, { unit_price = "0.001" }] },
  { product = "storage", meter = "gigabytes", currency = "USD", model = "package", package = "100", amount = "0.07" },
]
"#;

/// What is asked of the log, whoever works on it.
pub struct Site {
    pub setup: Setup,
    pub log: Arc<dyn Log>,
    pub clock: Clock,
}

impl Site {
    /// Asks for commands, and waits until all are decided.
    fn ask(&self, commands: Vec<(&str, Value)>) {
        let mut undecided = BTreeMap::new();
        for (name, fields) in commands {
            let command = Asked::read(name, fields.clone()).unwrap().unwrap();
            let message = CommandMessage {
                principal: PrincipalId::operator(),
                key: None,
                origin: None,
                command,
            };
            let message = schemas::COMMAND.message(&message);
            let topic = self.setup.topics.name(Topic::Commands);
            let next = self.log.append(topic, 0, self.clock.now(), &[&message]).unwrap();
            undecided.insert(next.0 as u64 - 1, (name, fields));
        }
        let outcomes = self.setup.topics.name(Topic::Outcomes);
        let mut places = vec![Next::START; self.setup.plan.partitions(Topic::Outcomes) as usize];
        await_that("the decision of all commands", Duration::from_secs(120), || {
            for (place, partition) in places.iter_mut().zip(0u32..) {
                let visit = &mut |message: Message<'_>| {
                    for outcome in decoded::<Outcomes>(&message).outcomes {
                        let asked = undecided.remove(&outcome.command);
                        assert_eq!(outcome.refused, None, "{asked:?}");
                    }
                    true
                };
                let until = Next(i64::MAX);
                *place = self.log.scan(outcomes, partition, *place, until, visit).unwrap();
            }
            undecided.is_empty()
        });
    }

    /// Each wave of commands builds on what the one before has opened.
    pub fn open_accounts(&self) {
        let mut commands = vec![
            ("load_prices", json!({ "document": PRICES })),
            ("load_settings", json!({ "document": PATIENT })),
        ];
        for enterprise in 0..ENTERPRISES {
            let enterprise = format!("e{enterprise}");
            let fields = json!({ "enterprise": enterprise, "name": "E", "country": "SG" });
            commands.push(("open_enterprise", fields));
        }
        self.ask(commands);
        let open = |account| {
            (
                "open_account",
                json!({ "account": format!("a{account}"), "enterprise": format!("e{}", account % ENTERPRISES),
                "email": "x@y.example", "currency": "USD", "mode": "postpaid", "time_zone": ZONES[account % 3] }),
            )
        };
        self.ask((0..ACCOUNTS).map(open).collect());
        let top_up = |account| {
            (
                "top_up",
                json!({ "billing_account": format!("ba-a{account}"), "amount": "40", "currency": "USD",
                "method": "bank_transfer" }),
            )
        };
        self.ask((0..ACCOUNTS).filter(|account| account % 4 != 0).map(top_up).collect());
    }

    /// How far each consumer has read each partition of its input.
    pub fn positions(&self) -> Result<BTreeMap<(String, u32), Next>, Error> {
        let mut positions = BTreeMap::new();
        for (group, topic) in GROUPS {
            let name = self.setup.topics.name(topic);
            let group = format!("{}{group}", self.setup.config.installation().prefix);
            for partition in 0..self.setup.plan.partitions(topic) {
                let next = self.log.committed(&group, name, partition)?;
                positions.insert((group.clone(), partition), next.unwrap_or(Next::START));
            }
        }
        Ok(positions)
    }

    /// Lets so many minutes of the installation's time pass.
    pub fn let_pass(&self, minutes: i32) {
        let until = self.clock.now().plus(Span::minutes(minutes));
        while self.clock.now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until all usage that was sent has been billed and everything is at rest.
    pub fn wait_for_rest(&self) {
        // What was sent to another's partition arrives once metering has passed it on, and may be late
        // by then and stand on the next bill.
        self.wait_until_read(&GROUPS[..1]);
        let arrived_before = self.clock.now();
        self.let_pass(75);
        self.wait_until_marked(arrived_before.plus(Span::minutes(60)));
        self.wait_until_read(&GROUPS);
    }

    /// Waits until every partition of usage has told every ledger that it is past this time.
    fn wait_until_marked(&self, time: Timestamp) {
        let topic = self.setup.topics.name(Topic::Ledger);
        let usage_partitions = self.setup.plan.partitions(Topic::Usage) as usize;
        for partition in 0..self.setup.plan.partitions(Topic::Ledger) {
            let (mut next, mut past) = (Next::START, BTreeSet::new());
            let what = format!("all usage past {time} for ledger {partition}");
            await_that(&what, Duration::from_secs(120), || {
                let visit = &mut |message: Message<'_>| {
                    if let LedgerInput::Mark(mark) = decoded::<LedgerMessage>(&message).input
                        && mark.until >= time
                    {
                        past.insert(mark.usage_partition);
                    }
                    true
                };
                next = self.log.scan(topic, partition, next, Next(i64::MAX), visit).unwrap();
                past.len() == usage_partitions
            });
        }
    }

    /// Waits until these consumers have read and committed everything that stands on their topics now.
    fn wait_until_read(&self, groups: &[(&str, Topic)]) {
        let deadline = Instant::now() + Duration::from_secs(120);
        for (group, topic) in groups {
            let name = self.setup.topics.name(*topic);
            let group = format!("{}{group}", self.setup.config.installation().prefix);
            for partition in 0..self.setup.plan.partitions(*topic) {
                let target = self.log.bounds(name, partition).unwrap().stable;
                while !self.has_read(&group, name, partition, target) {
                    assert!(
                        Instant::now() < deadline,
                        "{name} {partition} is read to {:?} and not to {target:?}; there is {:?}",
                        self.log.committed(&group, name, partition),
                        self.log.bounds(name, partition)
                    );
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }

    fn has_read(&self, group: &str, topic: &str, partition: u32, target: Next) -> bool {
        let committed = self.log.committed(group, topic, partition).unwrap().unwrap_or(Next::START);
        let mut unread = false;
        self.log
            .scan(topic, partition, committed, target, &mut |_| {
                unread = true;
                false
            })
            .unwrap();
        !unread
    }
}

/// Each consumer and its input.
/// Hours pass in seconds here, and a worker that is killed again and again may not meter for a minute. The book-keeper,
/// who has no worker to wait for, knows no bill that goes out without its usage.
pub const PATIENT: &str = "bills.wait = \"30d\"";

const GROUPS: [(&str, Topic); 3] =
    [("metering", Topic::Usage), ("registry", Topic::Commands), ("balance", Topic::Ledger)];

/// Waits for a condition, up to a deadline.
pub fn await_that(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "there never was: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
