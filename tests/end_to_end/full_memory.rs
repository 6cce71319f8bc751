//! As many identities as metering may remember.

use std::sync::Arc;
use std::time::Duration;

use drawdown::audit::audit;
use drawdown::installation::Installation;
use drawdown::rehearse::Stage;
use drawdown_balance::Balance;
use drawdown_domain::commands::Command;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Faults, Log, Memory, Next};
use drawdown_metering::Metering;
use drawdown_metering::identities::IdentityOptions;
use drawdown_registry::Registry;
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Turn, Worker};
use drawdown_wire::messages::{CommandMessage, LedgerInput, LedgerMessage, Rejects};
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{Topic, TopicPlan, Topics};
use serde_json::{Value, json};

const PRICES: &str = r#"
price = [{ product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" }]
"#;
const MAX: u64 = 40;

fn day(day: u16) -> Timestamp {
    "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap().plus(Span::days(day))
}

/// One account on one partition.
struct Site {
    log: Memory,
    installation: Installation,
    registry: Worker<Registry>,
    metering: Worker<Metering>,
    balance: Worker<Balance>,
}

impl Site {
    fn start() -> Site {
        let plan =
            TopicPlan { usage_partitions: 1, ledger_partitions: 1, ..Stage::plan().unwrap() };
        let names = Topic::ALL.iter().map(|topic| (topic.name(), plan.partitions(*topic)));
        let log = Memory::new(names, Faults::default());
        let (topics, clock) = (Topics::new("", &plan), Clock::manual(day(0)));
        let usual = Installation::new(Arc::new(log.clone()), topics, Secret::new([7; 32]), clock);
        let identities = IdentityOptions { directory: None, identities_max: MAX, table_max: 10 };
        let commit_interval = Duration::ZERO;
        let installation = Installation { identities, commit_interval, ..usual };
        let (registry, balance) = (installation.registry(), installation.balance());
        let metering = installation.metering();
        let mut site = Site { log, installation, registry, metering, balance };
        site.command("load_prices", &json!({ "document": PRICES }));
        site.command(
            "open_enterprise",
            &json!({ "enterprise": "e", "name": "E", "country": "SG" }),
        );
        site.command(
            "open_account",
            &json!({ "account": "a", "enterprise": "e", "email": "a@e.example", "currency": "USD",
                "mode": "postpaid" }),
        );
        site
    }

    fn command(&mut self, name: &str, fields: &Value) {
        let command = Command::read(name, fields.clone()).unwrap().unwrap();
        let principal = PrincipalId::operator();
        let message = CommandMessage { principal, key: None, origin: None, command };
        let message = schemas::COMMAND.message(&message);
        self.log.append("commands", 0, self.installation.clock.now(), &[&message]).unwrap();
        self.settle();
    }

    fn settle(&mut self) {
        let mut is_busy = true;
        while is_busy {
            is_busy = false;
            is_busy |= self.registry.turn(Duration::ZERO).unwrap() == Turn::Worked;
            is_busy |= self.metering.turn(Duration::ZERO).unwrap() == Turn::Worked;
            is_busy |= self.balance.turn(Duration::ZERO).unwrap() == Turn::Worked;
        }
    }

    /// Records used and sent on a day.
    fn usage(&mut self, used: u16, ids: std::ops::Range<u32>) {
        let now = self.installation.clock.now();
        for id in ids {
            let record = json!({ "source": "s", "id": id.to_string(), "account": "a", "product": "p",
                "meter": "m", "quantity": "1", "time": day(used).to_string() });
            self.log.append("usage", 0, now, &[record.to_string().as_bytes()]).unwrap();
            self.settle();
        }
    }

    fn let_pass(&mut self, until: Timestamp) {
        self.installation.clock.set(until);
        self.settle();
    }

    fn each(&self, topic: &str, visit: &mut dyn FnMut(&[u8])) {
        let end = self.log.bounds(topic, 0).unwrap().stable;
        let seen = &mut |message: drawdown_log::Message<'_>| {
            visit(message.value);
            true
        };
        self.log.scan(topic, 0, Next::START, end, seen).unwrap();
    }

    /// How many records the ledger was told of.
    fn counted(&self) -> u32 {
        let mut counted = 0;
        self.each("ledger", &mut |message| {
            if let LedgerInput::Lines(lines) =
                schemas::LEDGER.read::<LedgerMessage>(message).unwrap().input
            {
                counted += lines.lines.iter().map(|line| line.records).sum::<u32>();
            }
        });
        counted
    }

    fn rejected(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        self.each("rejects", &mut |message| {
            let rejects = schemas::REJECTS.read::<Rejects>(message).unwrap().rejects;
            reasons.extend(rejects.iter().map(|reject| reject.reason.code().to_owned()));
        });
        reasons
    }

    fn duplicates(&self) -> u64 {
        self.metering.stations().map(Metering::duplicates).sum()
    }
}

/// R2.2: nothing is forgotten before its time to make room. Metering stands still and says why, through restarts, and goes
/// on by itself once time lets identities be forgotten; nothing is lost, nothing counted twice, and an audit decides the
/// same again.
#[test]
fn r2_2_a_full_memory_stands_still_and_goes_on_once_the_oldest_are_forgotten() {
    let mut site = Site::start();
    site.usage(0, 0..20);
    site.let_pass(day(10));
    site.usage(10, 20..40);
    assert_eq!(site.counted(), 40);
    // New ones, and some of each day once more.
    site.usage(10, 40..50);
    site.usage(10, 20..25);
    site.usage(0, 0..5);
    assert_eq!(site.counted(), 40, "R2.2: more was remembered than may be");
    let why = site.metering.progress().why().unwrap_or_default();
    assert!(why.starts_with("identities_full: 40") && why.contains("raise it"), "R2.2: {why}");

    site.metering = site.installation.metering();
    site.settle();
    site.let_pass(day(43).plus(Span::minutes(11 * 60)));
    assert_eq!(
        (site.counted(), site.duplicates()),
        (40, 0),
        "R2.2: something was forgotten before its time"
    );
    assert!(site.metering.progress().why().is_some());

    // Nobody does anything, and the first day is over.
    site.let_pass(day(43).plus(Span::minutes(12 * 60)));
    assert_eq!(site.counted(), 50, "R2.2: what waited was not counted, or more was");
    assert_eq!(site.duplicates(), 5, "R2.2");
    assert_eq!(
        site.rejected(),
        ["too_old"; 5],
        "R2.2: by now these could not be told from new ones"
    );
    assert_eq!(site.metering.progress().why(), None);
    site.usage(43, 50..55);
    assert_eq!(site.counted(), 55);
    let report = audit(&site.installation, &|_, _, _| ()).unwrap();
    assert_eq!(report.differences(), 0, "{report}");

    site.metering = site.installation.metering();
    site.settle();
    site.usage(43, 40..55);
    assert_eq!(site.counted(), 55, "R2.2: after a restart");
}
