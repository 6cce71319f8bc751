use std::sync::Arc;

use drawdown_domain::time::Timestamp;
use drawdown_log::{Bounds, Error, Faults, Log, Member, Membership, Memory, Message, Next};
use drawdown_wire::topics::{DEFAULT_PLAN, TopicPlan};

use super::*;

/// A log that takes messages only while its gate is open.
#[derive(Debug)]
struct Gated {
    inner: Memory,
    gate: Mutex<()>,
}

impl Log for Gated {
    fn append(
        &self,
        topic: &str,
        partition: u32,
        at: Timestamp,
        values: &[&[u8]],
    ) -> Result<Next, Error> {
        let _open = self.gate.lock().unwrap();
        self.inner.append(topic, partition, at, values)
    }

    fn join(&self, membership: &Membership) -> Result<Box<dyn Member>, Error> {
        self.inner.join(membership)
    }

    fn scan(
        &self,
        topic: &str,
        partition: u32,
        from: Next,
        until: Next,
        visit: &mut dyn FnMut(Message<'_>) -> bool,
    ) -> Result<Next, Error> {
        self.inner.scan(topic, partition, from, until, visit)
    }

    fn bounds(&self, topic: &str, partition: u32) -> Result<Bounds, Error> {
        self.inner.bounds(topic, partition)
    }

    fn committed(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Next>, Error> {
        self.inner.committed(group, topic, partition)
    }

    fn truncate(&self, topic: &str, partition: u32, before: Next) -> Result<(), Error> {
        self.inner.truncate(topic, partition, before)
    }

    fn partitions(&self, topic: &str) -> Result<u32, Error> {
        self.inner.partitions(topic)
    }

    fn commits_pay_after(&self) -> std::time::Duration {
        self.inner.commits_pay_after()
    }
}

fn pack(id: usize) -> Pack {
    let json = format!(
        r#"{{"source":"s","id":"{id}","account":"a","product":"p","meter":"m","quantity":"1","time":"2026-03-01T00:00:00Z"}}"#
    );
    let mut pack = Pack::default();
    pack.push(&drawdown_wire::usage::from_json(json.as_bytes()).unwrap());
    pack
}

#[test]
fn a_full_queue_takes_nothing_and_what_waits_is_carried_together() {
    let topics = Topics::new("", &TopicPlan::parse(DEFAULT_PLAN).unwrap());
    let inner = Memory::new([("usage", topics.usage_partitions)], Faults::default());
    let log = Arc::new(Gated { inner: inner.clone(), gate: Mutex::default() });
    let shut = log.gate.lock().unwrap();
    let as_log: Arc<dyn Log> = log.clone();
    // Room for ten records.
    let room = pack(10).bytes() * 10;
    let clock = Clock::manual(Timestamp::START);
    let (intake, threads) = Intake::start(&as_log, &topics, &clock, room).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (intake, log) = (Arc::new(intake), log.clone());
    runtime.block_on(async {
        let mut under_way = Vec::new();
        for id in 10..20 {
            let intake = intake.clone();
            let own = async move { intake.take(vec![(1, pack(id))]).await };
            let mut own = Box::pin(own);
            // Begins: the records are in the queue, and the answer waits.
            assert!(futures_util::poll!(&mut own).is_pending());
            under_way.push(own);
        }
        assert_eq!(intake.take(vec![(1, pack(20))]).await, Err(NotTaken::Full));
        assert_eq!(inner.bounds("usage", 1).unwrap().end, Next(0), "nothing was taken");
        drop(shut);
        for own in under_way {
            assert_eq!(own.await, Ok(()));
        }
        assert_eq!(intake.take(vec![(1, pack(20)), (2, pack(21))]).await, Ok(()));
    });
    let mut records = 0;
    let end = log.scan("usage", 1, Next::START, Next(i64::MAX), &mut |message| {
        drawdown_wire::usage::each_record(message.value, |_, read| {
            read.usage().unwrap();
            records += 1;
        });
        true
    });
    assert_eq!(records, 11);
    assert!(end.unwrap() <= Next(4), "what waited went in one message");
    drop(intake);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
