//! How many rows a second get into ClickHouse, exactly once: charges and usage from an embedded log.
//!
//!     drawdown clickhouse --data /tmp/engine --listen 127.0.0.1:8123
//!     cargo run --release -p drawdown-analytics --example filling_speed -- http://127.0.0.1:8123 4000000

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a measurement

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown_analytics::{Analytics, AnalyticsOptions, Filler, Store, StoreOptions};
use drawdown_domain::money::Amount;
use drawdown_domain::time::{Minute, Timestamp};
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::{Commit, Log, Membership, Next};
use drawdown_wire::avro;
use drawdown_wire::charges::{ChargedRow, ChargesBuilder, GroupKey, GroupNames};
use drawdown_wire::identities::{Entry, Identity, Position, pack};
use drawdown_wire::schemas;
use drawdown_wire::topics::{DEFAULT_PLAN, Topic, TopicPlan, Topics};
use drawdown_wire::usage::{NewUsage, packed_message, put_record};

const PARTITIONS: u32 = 4;
const ROWS_A_MESSAGE: u64 = 2_000;
const DAY: &str = "2026-03-10T00:00:00Z";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8123".to_owned());
    let rows: u64 = arguments.next().map_or(2_000_000, |rows| rows.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let plan = TopicPlan::parse(DEFAULT_PLAN).unwrap();
    let plan = TopicPlan { usage_partitions: PARTITIONS, ledger_partitions: PARTITIONS, ..plan };
    let topics = Topics::new("", &plan);
    let all = Topic::ALL.iter().map(|topic| embedded::Topic {
        name: topics.name(*topic).to_owned(),
        partitions: plan.partitions(*topic),
        keep: None,
    });
    let config =
        EmbeddedConfig::new(folder.path().join("log"), all, Arc::new(|| DAY.parse().unwrap()));
    let log: Arc<dyn Log> = Arc::new(Embedded::open(config).unwrap());
    charge(&*log, rows);
    use_and_count(&*log, rows);
    let database = format!("speed_{}", std::process::id());
    let options = StoreOptions {
        url,
        user: "default".to_owned(),
        password: String::new(),
        database,
        deadline: Duration::from_secs(60),
    };
    let store = Store::new(options.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let analytics = Analytics::new(AnalyticsOptions::new(options), log, topics);
    for (topic, table, sum) in
        [(Topic::Charges, "charges", "charge"), (Topic::Usage, "usage", "quantity")]
    {
        let fillers = analytics.fillers().unwrap();
        let mut filler: Filler = fillers.into_iter().find(|it| it.topic() == topic).unwrap();
        let query = format!(
            "SELECT count(), uniqExact(_partition, _offset, _index), toUInt64(sum({sum})) FROM {table}"
        );
        let began = Instant::now();
        loop {
            filler.turn(Duration::from_millis(1)).unwrap();
            // Asked seldom, and only by the loop that works.
            if filler.progress().why().is_some() {
                println!("{:?}", filler.progress().why());
            }
            if filler.is_idle() && began.elapsed() > Duration::from_millis(200) {
                break;
            }
        }
        let took = began.elapsed().as_secs_f64();
        let found = runtime.block_on(store.rows::<(u64, u64, u64)>(&query)).unwrap();
        assert_eq!(found, [(rows, rows, rows)], "{table}");
        println!("{table}: {rows} rows in {took:.2} s, {:.2} M rows/s", rows as f64 / took / 1e6);
    }
}

fn append(log: &dyn Log, topic: &str, partition: u64, message: &[u8]) -> Next {
    let at = Timestamp::START;
    log.append(topic, partition as u32, at, &[message]).unwrap()
}

fn account(number: u64) -> String {
    format!("account-{}", number.wrapping_mul(0x9E37_79B9) % 1_000_000)
}

fn charge(log: &dyn Log, rows: u64) {
    let at: Timestamp = DAY.parse().unwrap();
    for message in 0..rows.div_ceil(ROWS_A_MESSAGE) {
        let mut charges = ChargesBuilder::default();
        for row in 0..ROWS_A_MESSAGE {
            let key = GroupKey {
                meter: row as u32 % 5,
                region: 1,
                price: 3,
                adjustment: false,
                cycle_end: at,
            };
            let names = || {
                Some(GroupNames { product: "compute", meter: "vcpu_hours", region: Some("eu-1") })
            };
            let account = account(message * ROWS_A_MESSAGE + row);
            let row = ChargedRow {
                account: &account,
                billing_account: &format!("ba-{account}"),
                used: Minute::from_number(at.minute().number() + row as u32 % 60),
                quantity: Amount::from_raw(1_500_000_000_000),
                charge: Amount::from_raw(1_000_000_000_000),
                records: 1,
            };
            charges.push(key, names, &row);
        }
        let mut bytes = Vec::new();
        avro::put_header(&mut bytes, schemas::CHARGES.fingerprint());
        charges.finish(&mut bytes, at, 0, (0, 0), None);
        append(log, "charges", message % u64::from(PARTITIONS), &bytes);
    }
}

/// Usage, and METERING's list of it: everything is counted.
fn use_and_count(log: &dyn Log, rows: u64) {
    let time: Timestamp = DAY.parse().unwrap();
    let mut positions = vec![Position::default(); PARTITIONS as usize];
    let mut ends = BTreeMap::new();
    for message in 0..rows.div_ceil(ROWS_A_MESSAGE) {
        let partition = message % u64::from(PARTITIONS);
        let mut records = Vec::new();
        for row in 0..ROWS_A_MESSAGE {
            let record = NewUsage {
                source: "bench",
                id: &format!("{message}-{row}"),
                account: &account(message * ROWS_A_MESSAGE + row),
                product: "compute",
                meter: "vcpu_hours",
                quantity: Amount::from_raw(1_000_000_000_000),
                time,
                region: Some("eu-1"),
                unit: None,
                tags: &[("team", "search")],
            };
            put_record(&mut records, &record);
        }
        let next =
            append(log, "usage", partition, &packed_message(ROWS_A_MESSAGE as usize, &records));
        let entries: Vec<Entry> = (0..ROWS_A_MESSAGE)
            .map(|row| Entry {
                identity: Identity { high: message, low: row },
                content: 0,
                offset: next.0 - 1,
                index: row as u32,
                day: 0,
            })
            .collect();
        for packed in pack(&entries, &mut positions[partition as usize]) {
            append(log, "identities", partition, &packed);
        }
        ends.insert(partition as u32, next);
    }
    let membership = Membership {
        group: "metering".to_owned(),
        topic: "usage".to_owned(),
        instance: "1".to_owned(),
    };
    let mut member = log.join(&membership).unwrap();
    member.poll(Duration::from_secs(5), &mut |_| ()).unwrap();
    member.commit(Commit { read: ends, appends: Vec::new() }).unwrap();
    member.outcome(Duration::from_secs(5)).unwrap().unwrap();
}
