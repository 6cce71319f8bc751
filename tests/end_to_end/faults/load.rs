//! Usage in flight: two producers with different partitioners, repeats, late and broken records.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use drawdown_domain::commands::Command;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Span;
use drawdown_log::Log;
use drawdown_runtime::clock::Clock;
use drawdown_wire::messages::CommandMessage;
use drawdown_wire::partition::partition_of;
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use drawdown_wire::usage::{NewUsage, packed_message, put_record, single_message};
use serde_json::json;

use super::site::{ACCOUNTS, Site};
use crate::end_to_end::random::Random;

/// What a producer has sent and the log has acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub records: u64,
    pub repeats: u64,
    pub late: u64,
    pub broken: u64,
    /// Records that were taken back.
    pub voids: u64,
}

pub struct Load {
    end: Arc<AtomicBool>,
    producers: Vec<JoinHandle<Sent>>,
}

struct Producer {
    log: Arc<dyn Log>,
    clock: Clock,
    topic: String,
    commands: String,
    partitions: u32,
    source: String,
    /// Whether it sends many records a message, or one.
    packs: bool,
    /// Gets the number of records of each append that was acknowledged.
    acknowledged: Option<File>,
    random: Random,
    sent: Sent,
    /// The last records, to be sent again.
    recent: Vec<Record>,
    /// Those that were taken back.
    voided: BTreeSet<String>,
}

#[derive(Clone)]
struct Record {
    id: String,
    account: String,
    product: &'static str,
    meter: &'static str,
    quantity: Amount,
    time: drawdown_domain::time::Timestamp,
    region: Option<&'static str>,
}

impl Record {
    fn usage<'a>(&'a self, source: &'a str) -> NewUsage<'a> {
        NewUsage {
            source,
            id: &self.id,
            account: &self.account,
            product: self.product,
            meter: self.meter,
            quantity: self.quantity,
            time: self.time,
            region: self.region,
            unit: None,
            tags: &[("team", "search")],
        }
    }

    fn json(&self, source: &str) -> String {
        let mut record = serde_json::json!({ "tags": { "team": "search" }, "id": self.id, "source": source,
            "account": self.account, "product": self.product, "meter": self.meter,
            "quantity": format!("{}.0", self.quantity).replace(".5.0", ".50"), "time": self.time.to_string() });
        if let Some(region) = self.region {
            record["region"] = region.into();
        }
        record.to_string()
    }
}

impl Load {
    pub fn start(site: &Site, seed: u64) -> Load {
        Load::by(site, seed, &["packing", "careless"], None)
    }

    /// As [`Load::start`], from sources of their own, and with a file that counts what was acknowledged.
    pub fn counted(site: &Site, seed: u64, acknowledged: &Path) -> Load {
        Load::by(site, seed, &["packing", "careless"], Some(acknowledged))
    }

    /// From a producer that knows whose partition is whose, so that nobody has to pass a record on.
    pub fn well_partitioned(site: &Site, seed: u64) -> Load {
        Load::by(site, seed, &["packing"], None)
    }

    fn by(site: &Site, seed: u64, sources: &[&str], acknowledged: Option<&Path>) -> Load {
        let end = Arc::new(AtomicBool::new(false));
        let producers = sources.iter().zip(1u64..).map(|(source, number)| {
            let mut producer = Producer {
                log: site.log.clone(),
                clock: site.clock.clone(),
                topic: site.setup.topics.name(Topic::Usage).to_owned(),
                commands: site.setup.topics.name(Topic::Commands).to_owned(),
                partitions: site.setup.topics.usage_partitions,
                packs: *source == "packing",
                source: match acknowledged {
                    Some(_) => format!("{source}-{seed}"),
                    None => (*source).to_owned(),
                },
                acknowledged: acknowledged
                    .map(|path| File::options().create(true).append(true).open(path).unwrap()),
                random: Random(seed.wrapping_mul(1_000).wrapping_add(number)),
                sent: Sent::default(),
                recent: Vec::new(),
                voided: BTreeSet::new(),
            };
            let end = end.clone();
            std::thread::spawn(move || {
                while !end.load(Ordering::Acquire) {
                    if producer.packs {
                        producer.pack();
                        producer.void();
                    } else {
                        producer.scatter()
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                producer.sent
            })
        });
        Load { producers: producers.collect(), end }
    }

    /// Ends the producers; every record they sent is acknowledged.
    pub fn stop(self) -> Sent {
        self.end.store(true, Ordering::Release);
        let sent = self.producers.into_iter().map(|producer| producer.join().unwrap());
        sent.fold(Sent::default(), |total, sent| Sent {
            records: total.records + sent.records,
            repeats: total.repeats + sent.repeats,
            late: total.late + sent.late,
            broken: total.broken + sent.broken,
            voids: total.voids + sent.voids,
        })
    }
}

impl Producer {
    fn record(&mut self) -> Record {
        self.sent.records += 1;
        if !self.recent.is_empty() && self.random.one_in(20) {
            self.sent.repeats += 1;
            return self.random.pick(&self.recent).clone();
        }
        let meters = [
            ("compute", "hours", None),
            ("compute", "calls", None),
            ("storage", "gigabytes", Some("eu")),
            ("storage", "gigabytes", None),
        ];
        let (product, meter, region) = *self.random.pick(&meters);
        let mut time = self.clock.now();
        if self.random.one_in(100) {
            self.sent.late += 1;
            time = time.minus(Span::minutes(10 + self.random.below(200) as i32));
        }
        let record = Record {
            id: format!("{}", self.sent.records),
            account: format!("a{}", self.random.below(ACCOUNTS as u64)),
            product,
            meter,
            quantity: Amount::from_raw(500_000_000_000 * (1 + self.random.below(40) as i128)),
            time,
            region,
        };
        if self.recent.len() < 500 {
            self.recent.push(record.clone());
        } else {
            let place = self.random.below(500) as usize;
            self.recent[place] = record.clone();
        }
        record
    }

    /// Many records a message, to the partition they belong to.
    fn pack(&mut self) {
        let mut packs: Vec<(usize, Vec<u8>)> = vec![(0, Vec::new()); self.partitions as usize];
        for _ in 0..80 {
            let record = self.record();
            let partition = partition_of(record.account.as_bytes(), self.partitions) as usize;
            packs[partition].0 += 1;
            put_record(&mut packs[partition].1, &record.usage(&self.source));
        }
        for ((count, records), partition) in packs.iter().zip(0u32..) {
            if *count > 0 {
                self.append(partition, &[&packed_message(*count, records)], *count as u64);
            }
        }
    }

    /// Now and then one that is on the log where it belongs is taken back, once. Who may be killed cannot say what
    /// he has taken back.
    fn void(&mut self) {
        if self.acknowledged.is_some() || !self.random.one_in(10) {
            return;
        }
        let Record { id, account, .. } = self.random.pick(&self.recent).clone();
        if !self.voided.insert(id.clone()) {
            return;
        }
        let fields = json!({ "account": account, "source": self.source, "id": id });
        let command = Command::read("void_usage", fields).unwrap().unwrap();
        let message =
            CommandMessage { principal: PrincipalId::operator(), key: None, origin: None, command };
        let message = schemas::COMMAND.message(&message);
        while let Err(error) = self.log.append(&self.commands, 0, self.clock.now(), &[&message]) {
            assert!(error.is_passing(), "{error}");
        }
        self.sent.voids += 1;
    }

    /// One record a message, to any partition, in any form.
    fn scatter(&mut self) {
        for _ in 0..10 {
            let record = self.record();
            let message = match self.random.below(100) {
                0 => {
                    self.sent.broken += 1;
                    b"not a usage record".to_vec()
                }
                1..=30 => record.json(&self.source).into_bytes(),
                _ => single_message(&record.usage(&self.source)),
            };
            let partition = self.random.below(self.partitions.into()) as u32;
            self.append(partition, &[&message], 1);
        }
    }

    fn append(&mut self, partition: u32, values: &[&[u8]], records: u64) {
        while let Err(error) = self.log.append(&self.topic, partition, self.clock.now(), values) {
            assert!(error.is_passing(), "{error}");
        }
        if let Some(file) = &mut self.acknowledged {
            file.write_all(&records.to_le_bytes()).unwrap();
        }
    }
}
