//! What only Kafka can do to a log: go away under its members, and hold its readers up.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use drawdown_components::{Broker, BrokerOptions};
use drawdown_log::kafka::{Kafka, KafkaConfig, LeftOpen, TopicDetails};
use drawdown_log::{Append, Change, Commit, Error, Log, Member, Membership, Message, Next};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const PATIENCE: Duration = Duration::from_secs(60);

/// `timeout` is that of transactions and sessions.
fn start(broker: &Broker, timeout: Duration) -> Kafka {
    let topics = [("in", 1), ("out", 2)];
    let kafka = Kafka::new(KafkaConfig {
        transaction_timeout: timeout,
        session_timeout: timeout,
        call_timeout: Duration::from_secs(10),
        topics: topics.iter().map(|(name, _)| (*name).to_owned()).collect(),
        ..KafkaConfig::new(&broker.bootstrap())
    });
    let kafka = kafka.unwrap();
    let details = topics.map(|(name, partitions)| TopicDetails {
        name: name.to_owned(),
        partitions,
        keep: None,
        dated_by_log: false,
        message_bytes_max: 1_048_576,
    });
    kafka.create(&details, 1).unwrap();
    kafka
}

/// Joins until that succeeds, and waits for the partition.
fn join(kafka: &Kafka) -> Box<dyn Member> {
    let membership =
        Membership { group: "g".to_owned(), topic: "in".to_owned(), instance: "a".to_owned() };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let joined = kafka.join(&membership);
        let Ok(mut member) = joined else {
            assert!(Instant::now() < deadline, "{joined:?}");
            continue;
        };
        while Instant::now() < deadline {
            let change = member.poll(Duration::from_millis(20), &mut |_| ()).unwrap();
            if let Some(Change::Assigned(partitions)) = change {
                assert_eq!(partitions, [0]);
                return member;
            }
        }
    }
}

fn commit(member: &mut dyn Member, next: i64) -> Result<(), Error> {
    let append = Append { topic: "out".to_owned(), partition: 0, value: vec![b'x'; 10] };
    let read = BTreeMap::from([(0, Next(next))]);
    member.commit(Commit { read, appends: vec![append] })?;
    loop {
        if let Some(outcome) = member.outcome(Duration::from_millis(20)) {
            return outcome;
        }
    }
}

/// What was said of the last commit may not hold after all, so nothing is built on it.
#[test]
fn a_member_whose_broker_went_away_has_to_join_again() {
    let mut broker = Broker::start(BrokerOptions::default()).unwrap();
    // So long that the broker would take another commit once it is back.
    let kafka = start(&broker, PATIENCE);
    let mut member = join(&kafka);
    for next in 1..=3 {
        commit(&mut *member, next).unwrap();
    }
    broker.restart().unwrap();
    let outcome = commit(&mut *member, 4);
    assert!(
        matches!(&outcome, Err(Error::Uncommitted(why)) if why.contains("went away")),
        "{outcome:?}"
    );
    drop(member);
    let mut member = join(&kafka);
    let found = kafka.committed("g", "in", 0).unwrap().unwrap();
    commit(&mut *member, 5).unwrap();
    let messages = || {
        let mut messages = 0;
        let count = &mut |_: Message<'_>| {
            messages += 1;
            true
        };
        kafka.scan("out", 0, Next::START, Next(i64::MAX), count).unwrap();
        messages
    };
    // Readers see a commit a moment after it is one.
    let deadline = Instant::now() + PATIENCE;
    while messages() < found.0 + 1 && Instant::now() < deadline {}
    assert_eq!(messages(), found.0 + 1, "as many messages as positions");
}

/// A transaction that is over for everybody but the readers of its partition.
#[test]
fn a_transaction_that_nobody_ends_is_named() {
    let broker = Broker::start(BrokerOptions::default()).unwrap();
    let kafka = start(&broker, Duration::from_secs(3));
    let mut producer = ClientConfig::new();
    producer.set("bootstrap.servers", broker.bootstrap());
    producer.set("transactional.id", "gone").set("transaction.timeout.ms", "60000");
    let producer: BaseProducer = producer.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<(), str>::to("out").partition(1).payload("x")).unwrap();
    producer.flush(PATIENCE).unwrap();
    let found = LeftOpen { topic: "out".to_owned(), partition: 1, at: Next(0) };
    assert_eq!(kafka.left_open().unwrap(), [found]);
    producer.abort_transaction(PATIENCE).unwrap();
    assert_eq!(kafka.left_open().unwrap(), []);
}
