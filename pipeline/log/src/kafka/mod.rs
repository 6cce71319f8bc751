//! The log on Apache Kafka: one transactional producer for each member, offsets in every transaction,
//! readers that see committed messages only.

mod member;
mod native;
mod topics;
mod undecided;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, Offset as KafkaOffset, TopicPartitionList};

pub use topics::{Difference, TopicDetails};
pub use undecided::LeftOpen;

use crate::{Bounds, Error, Log, Member, Membership, Message, Next, Offset};
use drawdown_domain::time::Timestamp;

/// How to reach the brokers.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// Host and port of some brokers, separated by commas.
    pub bootstrap: String,
    /// Anything else for the client: TLS, SASL, limits.
    pub properties: BTreeMap<String, String>,
    /// After which the broker aborts what a frozen worker left open; readers wait for it that long.
    pub transaction_timeout: Duration,
    /// After which a silent worker's partitions go to others.
    pub session_timeout: Duration,
    /// How long a call may take that should take milliseconds.
    pub call_timeout: Duration,
    /// The topics that commits append to.
    pub topics: Vec<String>,
    /// Those among them whose messages are sent without compressing them.
    pub uncompressed: Vec<String>,
}

impl KafkaConfig {
    pub fn new(bootstrap: &str) -> KafkaConfig {
        KafkaConfig {
            bootstrap: bootstrap.to_owned(),
            properties: BTreeMap::new(),
            transaction_timeout: Duration::from_secs(10),
            session_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(30),
            topics: Vec::new(),
            uncompressed: Vec::new(),
        }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config.set("client.id", "drawdown");
        config.set("log_level", "4");
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
    }

    fn reader(&self) -> ClientConfig {
        let mut config = self.client();
        config.set("isolation.level", "read_committed");
        config.set("enable.auto.commit", "false");
        config.set("auto.offset.reset", "error");
        config.set("fetch.wait.max.ms", "10");
        config.set("fetch.queue.backoff.ms", "2");
        config.set("fetch.message.max.bytes", "4194304");
        config.set("fetch.max.bytes", "16777216");
        config.set("queued.max.messages.kbytes", "131072");
        config.set("queued.min.messages", "400000");
        config.set("check.crcs", "true");
        config
    }
}

/// The log on Kafka.
pub struct Kafka {
    config: KafkaConfig,
    appender: ThreadedProducer<Deliveries>,
    /// Readers for scans that are not in use: as many as there ever were scans at a time.
    scanners: Mutex<Vec<BaseConsumer>>,
    /// Asks for ends, open transactions included.
    asker: BaseConsumer,
    /// Asks how far all is decided.
    stable_asker: BaseConsumer,
    /// How many partitions topics have that were asked for.
    known: Mutex<BTreeMap<String, u32>>,
    /// Ask how far their groups have read. They never join them.
    group_askers: Mutex<BTreeMap<String, Arc<BaseConsumer>>>,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kafka({})", self.config.bootstrap)
    }
}

fn passing(what: &str, error: &KafkaError) -> Error {
    Error::Passing(format!("{what}: {error}"))
}

/// What became of the messages of one append.
struct Delivery {
    waiting: usize,
    next: Next,
    failed: Option<String>,
}

type Deliver = Arc<(Mutex<Delivery>, Condvar)>;

struct Deliveries;

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Deliver>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Box<Deliver>) {
        let (delivery, told) = &**waiting;
        let mut delivery = delivery.lock().unwrap_or_else(PoisonError::into_inner);
        delivery.waiting = delivery.waiting.saturating_sub(1);
        match result {
            Ok(message) => delivery.next = delivery.next.max(Offset(message.offset()).next()),
            Err((error, _)) => delivery.failed = Some(error.to_string()),
        }
        told.notify_all();
    }
}

impl Kafka {
    /// Prepares to talk to the brokers; they need not be there yet.
    pub fn new(config: KafkaConfig) -> Result<Kafka, Error> {
        let fatal =
            |error: KafkaError| Error::Fatal(format!("the Kafka client cannot start: {error}"));
        let mut appender = config.client();
        appender.set("enable.idempotence", "true").set("acks", "all");
        appender.set("linger.ms", "1").set("batch.size", "1000000").set("compression.type", "lz4");
        appender.set("message.max.bytes", "10485760");
        // Whoever waits is told in time what became of the message, and none of them comes later.
        appender.set("message.timeout.ms", config.call_timeout.as_millis().to_string());
        let asker = |level: &str| {
            let mut asker = config.client();
            asker.set("group.id", "drawdown.ask").set("isolation.level", level);
            asker.create().map_err(fatal)
        };
        Ok(Kafka {
            appender: appender.create_with_context(Deliveries).map_err(fatal)?,
            scanners: Mutex::default(),
            asker: asker("read_uncommitted")?,
            stable_asker: asker("read_committed")?,
            known: Mutex::default(),
            group_askers: Mutex::default(),
            config,
        })
    }

    fn idle_scanners(&self) -> MutexGuard<'_, Vec<BaseConsumer>> {
        self.scanners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scanner(&self) -> Result<BaseConsumer, KafkaError> {
        if let Some(idle) = self.idle_scanners().pop() {
            return Ok(idle);
        }
        let mut scanner = self.config.reader();
        scanner.set("group.id", "drawdown.scan").set("enable.partition.eof", "true");
        // A scan ends when the broker has nothing more: it is not to wait for more to come.
        scanner.set("fetch.wait.max.ms", "1");
        scanner.create()
    }

    fn partition(partition: u32) -> i32 {
        i32::try_from(partition).unwrap_or(i32::MAX)
    }

    /// Whether a partition exists: a client left to itself waits long for one that does not.
    fn check_partition(&self, topic: &str, partition: u32) -> Result<(), Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(topic).is_some_and(|count| partition < *count) {
            return Ok(());
        }
        let count = self.partitions(topic)?;
        if count == 0 {
            return Err(Error::Fatal(format!("there is no topic {topic} on the broker")));
        }
        known.insert(topic.to_owned(), count);
        if partition >= count {
            return Err(Error::Fatal(format!("there is no partition {partition} of {topic}")));
        }
        Ok(())
    }

    /// A partition's first offset and its last, at the isolation level of who asks.
    fn ends(&self, asker: &BaseConsumer, topic: &str, partition: u32) -> Result<(i64, i64), Error> {
        let timeout = self.config.call_timeout;
        let ask = || asker.fetch_watermarks(topic, Self::partition(partition), timeout);
        let asked = ask().or_else(|error| match error.rdkafka_error_code() {
            // A client that happened to hear of the topic while the partition had no leader believes
            // this, and asks nobody again by itself: it calls the partition unknown for minutes.
            Some(
                RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition,
            ) => {
                asker.fetch_metadata(Some(topic), timeout)?;
                ask()
            }
            _ => Err(error),
        });
        let what = format!("cannot ask for the ends of {topic} {partition}");
        asked.map_err(|error| passing(&what, &error))
    }

    fn group_asker(&self, group: &str) -> Result<Arc<BaseConsumer>, KafkaError> {
        let mut askers = self.group_askers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = askers.get(group) {
            return Ok(known.clone());
        }
        let mut config = self.config.client();
        config.set("group.id", group).set("isolation.level", "read_committed");
        let asker: Arc<BaseConsumer> = Arc::new(config.create()?);
        askers.insert(group.to_owned(), asker.clone());
        Ok(asker)
    }
}

impl Log for Kafka {
    fn join(&self, membership: &Membership) -> Result<Box<dyn Member>, Error> {
        self.check_partition(&membership.topic, 0)?;
        let undecided = || Ok(self.undecided()?.into_keys().collect());
        Ok(Box::new(member::KafkaMember::join(&self.config, membership, undecided)?))
    }

    fn append(
        &self,
        topic: &str,
        partition: u32,
        at: Timestamp,
        values: &[&[u8]],
    ) -> Result<Next, Error> {
        self.check_partition(topic, partition)?;
        if values.is_empty() {
            return Ok(self.bounds(topic, partition)?.end);
        }
        let delivery = Delivery { waiting: values.len(), next: Next::START, failed: None };
        let waiting: Deliver = Arc::new((Mutex::new(delivery), Condvar::new()));
        // The messages' own time-out comes first.
        let deadline = Instant::now() + self.config.call_timeout + Duration::from_secs(1);
        for value in values {
            let mut record = BaseRecord::<[u8], [u8], Box<Deliver>>::with_opaque_to(
                topic,
                Box::new(waiting.clone()),
            )
            .partition(Self::partition(partition))
            .payload(value);
            if at > Timestamp::from_micros(0) {
                record = record.timestamp(at.as_micros().div_euclid(1_000));
            }
            while let Err((error, again)) = self.appender.send(record) {
                let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                if !full || Instant::now() >= deadline {
                    return Err(passing(&format!("cannot write to {topic}"), &error));
                }
                self.appender.poll(Duration::from_millis(5));
                record = again;
            }
        }
        let (delivery, told) = &*waiting;
        let mut delivery = delivery.lock().unwrap_or_else(PoisonError::into_inner);
        while delivery.waiting > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Passing(format!(
                    "{topic} {partition} takes no messages in time"
                )));
            }
            delivery = told.wait_timeout(delivery, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        match &delivery.failed {
            Some(why) => Err(Error::Passing(format!("cannot write to {topic} {partition}: {why}"))),
            None => Ok(delivery.next),
        }
    }

    fn scan(
        &self,
        topic: &str,
        partition: u32,
        from: Next,
        until: Next,
        visit: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<Next, Error> {
        let bounds = self.bounds(topic, partition)?;
        let mut next = from.max(bounds.first);
        let until = until.min(bounds.stable);
        if next >= until {
            return Ok(next);
        }
        let what = format!("cannot read {topic} {partition}");
        let scanner = self.scanner().map_err(|error| passing(&what, &error))?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, Self::partition(partition), KafkaOffset::Offset(next.0))
            .and_then(|()| scanner.assign(&list))
            .map_err(|error| passing(&what, &error))?;
        let mut heard = Instant::now();
        while next < until {
            match scanner.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let offset = Offset(message.offset());
                    if offset.0 >= until.0 {
                        next = until;
                        break;
                    }
                    next = offset.next();
                    let at =
                        message.timestamp().to_millis().unwrap_or_default().saturating_mul(1_000);
                    let value = message.payload().unwrap_or_default();
                    let at = Timestamp::from_micros(at);
                    if !visit(Message { partition, offset, at, value }) {
                        break;
                    }
                }
                // The end of what is decided: markers may stand behind the last message.
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    next = until;
                }
                // Told while a broker is away, and still once it is back; the client goes on by itself.
                Some(Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure,
                ))) if heard.elapsed() <= self.config.call_timeout => {}
                Some(Err(error)) => return Err(passing(&what, &error)),
                None if heard.elapsed() > self.config.call_timeout => {
                    return Err(Error::Passing(format!("{what}: nothing comes")));
                }
                None => {}
            }
        }
        scanner.unassign().map_err(|error| passing(&what, &error))?;
        self.idle_scanners().push(scanner);
        Ok(next)
    }

    fn bounds(&self, topic: &str, partition: u32) -> Result<Bounds, Error> {
        let (_, end) = self.ends(&self.asker, topic, partition)?;
        let (first, stable) = self.ends(&self.stable_asker, topic, partition)?;
        Ok(Bounds { first: Next(first), stable: Next(stable), end: Next(end.max(stable)) })
    }

    fn committed(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Next>, Error> {
        let what = format!("cannot ask how far {group} has read {topic} {partition}");
        let asker = self.group_asker(group).map_err(|error| passing(&what, &error))?;
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, Self::partition(partition));
        // The broker answers once no commit of the group is pending: that may take a transaction's
        // whole timeout.
        let timeout = self.config.transaction_timeout * 3 + self.config.call_timeout;
        let found = asker.committed_offsets(list, timeout).map_err(|error| {
            // The next one asks with a fresh client.
            self.group_askers.lock().unwrap_or_else(PoisonError::into_inner).remove(group);
            passing(&what, &error)
        })?;
        let Some(element) = found.find_partition(topic, Self::partition(partition)) else {
            return Err(Error::Passing(format!("{what}: no answer for the partition")));
        };
        element.error().map_err(|error| passing(&what, &error))?;
        match element.offset() {
            KafkaOffset::Offset(next) => Ok(Some(Next(next))),
            KafkaOffset::Invalid => Ok(None),
            other => Err(Error::Passing(format!("{what}: the answer is {other:?}"))),
        }
    }

    fn truncate(&self, topic: &str, partition: u32, before: Next) -> Result<(), Error> {
        topics::delete_records(&self.config, topic, partition, before)
    }

    fn partitions(&self, topic: &str) -> Result<u32, Error> {
        let metadata = self
            .asker
            .fetch_metadata(Some(topic), self.config.call_timeout)
            .map_err(|error| passing(&format!("cannot ask for {topic}"), &error))?;
        let count = metadata.topics().first().map_or(0, |found| found.partitions().len());
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// A producer that commits more often waits for the markers of its last transaction.
    fn commits_pay_after(&self) -> Duration {
        Duration::from_millis(25)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // What was appended has been waited for; nothing is left to lose.
        self.appender.purge(rdkafka::producer::PurgeConfig::default().queue());
    }
}
