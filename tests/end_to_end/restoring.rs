//! Consumers that ended come back byte for byte as they were, from the log alone and with what the local
//! disk kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drawdown::rehearse::{Pipeline, Stage};
use drawdown_components::{Broker, BrokerOptions};
use drawdown_domain::commands::Command;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::ledger::ProductNumber;
use drawdown_domain::money::Amount;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::Log;
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::kafka::{Kafka, KafkaConfig};
use drawdown_metering::Metering;
use drawdown_wire::messages::{CommandMessage, Rejects};
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas;
use drawdown_wire::topics::{Topic, Topics};
use drawdown_wire::usage::{NewUsage, packed_message, put_record};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::end_to_end::scenarios::create_topics;
use crate::end_to_end::turn;

const PRICES: &str = r#"
price = [
  { product = "compute", meter = "hours", currency = "USD", model = "graduated", tiers = [{ up_to = "40", unit_price = "0.5" }, { unit_price = "0.3" }] },
  { product = "storage", meter = "gigabytes", currency = "USD", region = "eu", model = "per_unit", unit_price = "0.0137" },
]
"#;
const ACCOUNTS: u64 = 24;
const RECORDS: u64 = 900;
/// So many records come every ten minutes, and so many once more.
const A_TIME: u64 = 100;
const REPEATS_A_TIME: u64 = 11;

fn start() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn topics() -> Topics {
    Topics::new("restoring.", &Stage::plan().unwrap())
}

/// A pipeline whose process ends and comes back.
struct Process<'a> {
    open: &'a dyn Fn() -> Arc<dyn Log>,
    folder: TempDir,
    now: Timestamp,
    log: Option<Arc<dyn Log>>,
    pipeline: Option<Pipeline>,
}

impl Process<'_> {
    fn start(open: &dyn Fn() -> Arc<dyn Log>) -> Process<'_> {
        let folder = TempDir::with_prefix("drawdown-restoring-").unwrap();
        let mut process = Process { open, folder, now: start(), log: None, pipeline: None };
        process.come_back();
        process
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn end(&mut self) {
        self.pipeline = None;
        self.log = None;
    }

    fn come_back(&mut self) {
        self.end();
        let log = (self.open)();
        self.log = Some(log.clone());
        let stage = Stage {
            log,
            topics: topics(),
            data: Some(self.data()),
            // Not done here, but it makes snapshots small and many.
            restarts: true,
            timers_per_message_max: usize::MAX,
        };
        let mut pipeline = Pipeline::new(&stage, self.now);
        pipeline.settle().unwrap();
        self.pipeline = Some(pipeline);
    }

    fn pipeline(&mut self) -> &mut Pipeline {
        self.pipeline.as_mut().unwrap()
    }

    fn command(&mut self, name: &str, fields: Value) {
        let command = Command::read(name, fields).unwrap().unwrap();
        let message =
            CommandMessage { principal: PrincipalId::operator(), key: None, origin: None, command };
        let now = self.now;
        self.pipeline().command(now, message).unwrap();
    }

    fn let_pass(&mut self, minutes: i32) {
        self.let_pass_until(self.now.plus(Span::minutes(minutes)));
    }

    fn let_pass_until(&mut self, now: Timestamp) {
        self.now = now;
        self.pipeline().advance(now).unwrap();
    }

    /// Sends records, all at once; the same number is the same record.
    fn usage(&mut self, numbers: impl Iterator<Item = u64>) {
        let mut packs = vec![(String::new(), 0, Vec::new()); 2];
        for number in numbers {
            let account = format!("a{}", number % ACCOUNTS);
            let (product, meter, region) = match number % 3 {
                0 => ("compute", "hours", None),
                _ => ("storage", "gigabytes", Some("eu")),
            };
            let record = NewUsage {
                source: "s",
                id: &number.to_string(),
                account: &account,
                product,
                meter,
                quantity: Amount::from_raw(i128::from(number % 11) * 250_000_000_000),
                time: start().plus(Span::minutes((number / A_TIME) as i32 * 10)),
                region,
                unit: None,
                tags: &[],
            };
            let (of, count, pack) = &mut packs[partition_of(account.as_bytes(), 2) as usize];
            put_record(pack, &record);
            (*of, *count) = (account, *count + 1);
        }
        let now = self.now;
        for (account, count, pack) in packs.into_iter().filter(|(_, count, _)| *count > 0) {
            let message = packed_message(count, &pack);
            self.pipeline().usage(now, &account, &message).unwrap();
        }
    }

    /// Accounts with money and coupons, a cycle that is billed and one that is open, and records
    /// of which some came twice.
    fn live(&mut self) {
        self.command("load_prices", json!({ "document": PRICES }));
        for enterprise in ["e", "f", "g"] {
            let fields = json!({ "enterprise": enterprise, "name": "E", "country": "SG" });
            self.command("open_enterprise", fields);
        }
        for account in 0..ACCOUNTS {
            let enterprise = ["e", "f", "g"][account as usize % 3];
            let mode = if account % 2 == 0 { "prepaid" } else { "postpaid" };
            self.command(
                "open_account",
                json!({ "account": format!("a{account}"), "enterprise": enterprise,
                    "email": "x@y.example", "currency": "USD", "mode": mode }),
            );
            let wallet = format!("ba-a{account}");
            if account % 3 == 0 {
                self.command(
                    "top_up",
                    json!({ "billing_account": wallet, "amount": "20",
                    "currency": "USD", "method": "bank_transfer" }),
                );
            }
            if account % 4 == 1 {
                self.command(
                    "grant_coupon",
                    json!({ "billing_account": wallet,
                    "coupon": format!("k{account}"), "amount": "7", "cash": account % 8 == 1,
                    "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2026-05-01T00:00:00Z" }),
                );
            }
        }
        for first in (0..RECORDS).step_by(A_TIME as usize) {
            self.usage(first..first + A_TIME);
            self.usage((first / 2..first / 2 + REPEATS_A_TIME).rev());
            self.let_pass(10);
        }
    }

    /// Comes back as on another machine.
    fn come_back_without_its_disk(&mut self) {
        self.end();
        fs::remove_dir_all(self.data()).unwrap();
        self.come_back();
    }

    /// How many records were rejected for a reason.
    fn rejected(&self, reason: &str) -> usize {
        let (log, topics) = (self.log.as_ref().unwrap(), topics());
        let (name, mut rejected) = (topics.name(Topic::Rejects), 0);
        for partition in 0..Stage::plan().unwrap().partitions(Topic::Rejects) {
            let bounds = log.bounds(name, partition).unwrap();
            log.scan(name, partition, bounds.first, bounds.stable, &mut |message| {
                let Rejects { rejects } = schemas::REJECTS.read(message.value).unwrap();
                rejected += rejects.iter().filter(|reject| reject.reason.code() == reason).count();
                true
            })
            .unwrap();
        }
        rejected
    }

    fn dumps(&mut self) -> Vec<Vec<u8>> {
        self.pipeline().dumps().unwrap()
    }

    fn remembered(&mut self) -> usize {
        self.pipeline().meterings().map(|station| station.remembered().unwrap().len()).sum()
    }

    fn duplicates(&mut self) -> u64 {
        self.pipeline().meterings().map(Metering::duplicates).sum()
    }

    fn charged(&mut self) -> Amount {
        let accounts = self.pipeline().ledgers().flat_map(|ledger| ledger.accounts());
        let charged = accounts.flat_map(|account| {
            let open = account.tabs.iter().map(|tab| tab.exact);
            let billed = account.months.iter().filter(|it| it.product != ProductNumber::TAX);
            open.chain(billed.map(|months| months.exact))
        });
        Amount::sum(charged).unwrap()
    }
}

/// The first byte in which two dumps differ, if any.
fn difference(before: &[Vec<u8>], after: &[Vec<u8>]) -> Option<String> {
    if before.len() != after.len() {
        return Some(format!("{} stations became {}", before.len(), after.len()));
    }
    before.iter().zip(after).enumerate().find(|(_, (a, b))| a != b).map(|(station, (a, b))| {
        let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        format!("station {station} differs from byte {same} on: {} and {} bytes", a.len(), b.len())
    })
}

/// R2.2: whatever is left of the local disk, nothing is forgotten and nothing is counted again.
fn check(open: &dyn Fn() -> Arc<dyn Log>) {
    let mut process = Process::start(open);
    process.live();
    let (before, remembered) = (process.dumps(), process.remembered());
    assert_eq!(remembered, RECORDS as usize);
    assert_eq!(process.duplicates(), RECORDS / A_TIME * REPEATS_A_TIME);
    let ledgers: Vec<_> = process.pipeline().ledgers().collect();
    assert!(ledgers.iter().all(|ledger| {
        let tabs = ledger.accounts().iter().any(|account| !account.tabs.is_empty());
        let months = ledger.accounts().iter().any(|account| !account.months.is_empty());
        tabs && months && ledger.wallets().iter().any(|wallet| !wallet.coupons.is_empty())
    }));
    assert!(before.iter().map(Vec::len).sum::<usize>() > 30_000, "next to nothing is known");
    assert!(holds_files(&process.data()), "nothing is on the local disk");

    process.come_back();
    assert_eq!(difference(&before, &process.dumps()), None, "with the local disk");
    process.come_back_without_its_disk();
    assert_eq!(difference(&before, &process.dumps()), None, "from the log alone");

    let charged = process.charged();
    process.usage((0..RECORDS).step_by(7));
    assert_eq!(process.duplicates(), RECORDS.div_ceil(7));
    assert_eq!((process.charged(), process.remembered()), (charged, remembered));
    process.usage(std::iter::once(RECORDS + 1));
    assert_eq!(process.remembered(), remembered + 1);
    assert_ne!(process.charged(), charged);
    sent_again_later(&mut process);
}

/// R2.2, R2.4: a record that comes again after 34 days is known, whether the process has ended in between, with its disk
/// or without; after 36 it is too old, and does not count either.
fn sent_again_later(process: &mut Process<'_>) {
    let again = || (0..RECORDS).step_by(7);
    let at = start().plus(Span::days(34));
    process.let_pass_until(at);
    for come_back in [Process::come_back, Process::come_back_without_its_disk] {
        come_back(process);
        let charged = process.charged();
        process.usage(again());
        assert_eq!(process.duplicates(), RECORDS.div_ceil(7), "R2.2: after 34 days");
        assert_eq!(process.charged(), charged, "R2.2");
    }
    assert_eq!(process.rejected("too_old"), 0, "R2.4: after 34 days");
    process.let_pass_until(at.plus(Span::days(2)));
    process.come_back_without_its_disk();
    let charged = process.charged();
    process.usage(again());
    let rejected = process.rejected("too_old");
    assert_eq!((process.duplicates(), rejected), (0, again().count()), "R2.4: after 36 days");
    assert_eq!(process.charged(), charged, "R2.4");
}

fn holds_files(folder: &Path) -> bool {
    let mut found = fs::read_dir(folder).unwrap().flatten();
    found.any(|entry| entry.path().is_dir() && holds_files(&entry.path()) || entry.path().is_file())
}

#[test]
fn r2_2_what_ended_on_kafka_comes_back_byte_for_byte_from_its_topics() {
    let _turn = turn::take();
    let broker = Broker::start(BrokerOptions::default()).unwrap();
    let (plan, topics) = (Stage::plan().unwrap(), topics());
    let kafka = || Kafka::new(KafkaConfig::new(&broker.bootstrap())).unwrap();
    create_topics(&kafka(), &topics, &plan);
    check(&|| Arc::new(kafka()));
}

#[test]
fn r2_2_what_ended_on_the_embedded_log_comes_back_byte_for_byte_from_its_topics() {
    let folder = TempDir::with_prefix("drawdown-restoring-").unwrap();
    let (plan, topics) = (Stage::plan().unwrap(), topics());
    check(&|| {
        let all = Topic::ALL.iter().map(|topic| embedded::Topic {
            name: topics.name(*topic).to_owned(),
            partitions: plan.partitions(*topic),
            keep: None,
        });
        let config = EmbeddedConfig::new(folder.path(), all, Arc::new(|| Timestamp::START));
        Arc::new(Embedded::open(config).unwrap())
    });
}
