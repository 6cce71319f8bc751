//! A member of a group on Kafka: a consumer for reading, and a thread that owns the transactional
//! producer, so that the next step is prepared while the last one is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::KafkaConfig;
use super::native::{Consumer, Group, Producer, Rebalance};
use crate::{Change, Commit, Error, Member, Membership, Message, Next, Point, reach};

pub(super) struct KafkaMember {
    name: String,
    consumer: Consumer,
    /// Partitions and places that are read.
    reading: BTreeMap<u32, Next>,
    /// Assigned, and not resumed yet.
    assigned: BTreeSet<u32>,
    commits: SyncSender<Commit>,
    outcomes: Receiver<Result<(), Error>>,
    /// When the commit under way began.
    committing: Option<Instant>,
    session_timeout: Duration,
    call_timeout: Duration,
    /// A commit that takes longer is given up: the call that does it may never return.
    patience: Duration,
}

/// For what a commit does beside its two calls that wait.
const PATIENCE_BEYOND: Duration = Duration::from_secs(2);

const ASK_EVERY: Duration = Duration::from_millis(100);

impl fmt::Debug for KafkaMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaMember({})", self.name)
    }
}

impl KafkaMember {
    /// Joins a group; `undecided` tells where transactions are open.
    pub(super) fn join(
        config: &KafkaConfig,
        membership: &Membership,
        undecided: impl FnOnce() -> Result<Vec<(String, u32)>, Error>,
    ) -> Result<KafkaMember, Error> {
        let name = format!("{}.{}", membership.group, membership.instance);
        let mut producer = Producer::new(&producer_config(config, &name), &config.uncompressed)?;
        // Fencing comes before reading: from here on no former self can commit.
        producer.init(config.call_timeout + config.transaction_timeout)?;
        let consumer =
            Consumer::subscribe(&consumer_config(config, membership), &membership.topic)?;
        let (commits, to_commit) = sync_channel(1);
        let (tell, outcomes) = sync_channel(1);
        let group = consumer.group();
        // No call can succeed any more once the broker has given the transaction up.
        let wait = config.transaction_timeout;
        end_what_is_open(&mut producer, &group, &undecided()?, wait)?;
        std::thread::Builder::new()
            .name(format!("commit {name}"))
            .spawn(move || commit_all(producer, &group, &to_commit, &tell, wait))
            .map_err(|error| Error::Fatal(format!("no thread to commit in: {error}")))?;
        Ok(KafkaMember {
            name,
            consumer,
            reading: BTreeMap::new(),
            assigned: BTreeSet::new(),
            commits,
            outcomes,
            committing: None,
            session_timeout: config.session_timeout,
            call_timeout: config.call_timeout,
            patience: config.transaction_timeout * 2 + PATIENCE_BEYOND,
        })
    }

    /// A producer is fenced by its successor, but also by a broker that gave its transaction up. A
    /// successor joins the group under the same name, of which the broker tells within a session.
    fn who_fenced(&mut self, error: Error) -> Error {
        let Error::Fenced(why) = error else { return error };
        let deadline = Instant::now() + self.session_timeout;
        while Instant::now() < deadline {
            if let Some(Rebalance::Trouble(Error::Fenced(by))) = self.consumer.event(ASK_EVERY) {
                return Error::Fenced(by);
            }
        }
        Error::Uncommitted(format!("the broker gave the transaction up: {why}"))
    }

    fn change(&mut self, rebalance: Rebalance) -> Result<Option<Change>, Error> {
        match rebalance {
            Rebalance::Assign(partitions) => {
                if partitions.is_empty() {
                    self.consumer.assign(std::iter::empty())?;
                    return Ok(None);
                }
                self.assigned.extend(&partitions);
                Ok(Some(Change::Assigned(partitions)))
            }
            Rebalance::Revoke(partitions) => Ok(Some(Change::Revoked(partitions))),
            Rebalance::Trouble(error) => Err(error),
        }
    }
}

impl Member for KafkaMember {
    fn poll(
        &mut self,
        wait: Duration,
        visit: &mut dyn FnMut(&[Message<'_>]),
    ) -> Result<Option<Change>, Error> {
        let idle = self.reading.is_empty();
        let event_wait = if idle { wait } else { Duration::ZERO };
        if let Some(rebalance) = self.consumer.event(event_wait) {
            return self.change(rebalance);
        }
        if !idle {
            let reading = &mut self.reading;
            self.consumer.messages(wait, &mut |messages| {
                for message in messages {
                    if let Some(next) = reading.get_mut(&message.partition) {
                        *next = message.offset.next();
                    }
                }
                visit(messages);
            })?;
        }
        Ok(None)
    }

    fn resume(&mut self, from: &BTreeMap<u32, Next>) -> Result<(), Error> {
        let places = from.iter().map(|(partition, next)| (*partition, *next));
        if self.reading.is_empty() {
            self.consumer.assign(places.clone())?;
        } else if from.keys().all(|partition| self.reading.contains_key(partition)) {
            self.consumer.seek(places.clone(), self.call_timeout)?;
        } else {
            // The group deals all partitions out at once, so nobody asks for this.
            return Err(Error::Uncommitted(
                "more partitions beside those that are read".to_owned(),
            ));
        }
        self.assigned.retain(|partition| !from.contains_key(partition));
        self.reading.extend(places);
        Ok(())
    }

    fn release(&mut self, partitions: &[u32]) -> Result<(), Error> {
        // The group takes all partitions back before it deals them out again.
        self.reading.retain(|partition, _| !partitions.contains(partition));
        self.assigned.clear();
        self.consumer.unassign()
    }

    fn commit(&mut self, commit: Commit) -> Result<(), Error> {
        if self.committing.is_some() {
            return Err(Error::Fatal("a commit of this member is under way already".to_owned()));
        }
        self.committing = Some(Instant::now());
        let gone = |_| Error::Uncommitted("the thread that commits has ended".to_owned());
        self.commits.try_send(commit).map_err(gone)
    }

    fn outcome(&mut self, wait: Duration) -> Option<Result<(), Error>> {
        let began = self.committing?;
        match self.outcomes.recv_timeout(wait) {
            Ok(outcome) => {
                self.committing = None;
                Some(outcome.map_err(|error| self.who_fenced(error)))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Some(Err(Error::Uncommitted("the thread that commits has ended".to_owned())))
            }
            Err(RecvTimeoutError::Timeout) if began.elapsed() > self.patience => Some(Err(
                Error::Uncommitted(format!("no answer for {} seconds", self.patience.as_secs())),
            )),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }
}

/// Ends whatever a former self may have left undecided, among the group's positions and in `places`.
///
/// A broker that comes back while none of its partitions has a leader takes these for deleted: it ends
/// transactions without telling the partitions, whose readers then wait for ever (KAFKA-20734). A
/// partition forgets such a transaction once the same producer ends another one there. So this one
/// begins one that touches all of them and aborts it, before anybody asks. Nobody has seen anything of
/// what is aborted so: it was undecided, and here it becomes as if it had never been.
fn end_what_is_open(
    producer: &mut Producer,
    group: &Group,
    places: &[(String, u32)],
    wait: Duration,
) -> Result<(), Error> {
    producer.begin()?;
    for (topic, partition) in places {
        producer.send(topic, *partition, &mut [])?;
    }
    // What is not taken when the transaction ends is dropped, and its partition not told.
    producer.flush(wait)?;
    // Whether the position is taken does not matter: that it was announced makes the broker end it.
    if let Err(error) = producer.send_offsets(group, std::iter::once((0, Next::START)), wait) {
        tracing::debug!(%error, "a position that was to be aborted was not even taken");
    }
    producer.abort(wait)
}

/// Commits one step after the other until the member is dropped or a commit fails.
fn commit_all(
    mut producer: Producer,
    group: &Group,
    commits: &Receiver<Commit>,
    tell: &SyncSender<Result<(), Error>>,
    wait: Duration,
) {
    while let Ok(commit) = commits.recv() {
        let outcome = commit_one(&mut producer, group, commit, wait);
        let failed = outcome.is_err();
        if failed && let Err(error) = producer.abort(Duration::from_secs(5)) {
            tracing::debug!(%error, "the failed transaction could not be aborted; the broker will");
        }
        // Nobody listens when the member was dropped meanwhile; then nobody needs to know.
        if tell.send(outcome).is_err() || failed {
            return;
        }
    }
}

fn commit_one(
    producer: &mut Producer,
    group: &Group,
    commit: Commit,
    wait: Duration,
) -> Result<(), Error> {
    producer.begin()?;
    reach(Point::Begun);
    for mut append in commit.appends {
        producer.send(&append.topic, append.partition, &mut append.value)?;
    }
    reach(Point::Sent);
    producer.send_offsets(group, commit.read.into_iter(), wait)?;
    reach(Point::OffsetsSent);
    // A commit of which the broker forgot to tell the partitions would be held for open by them, and be
    // torn by what comes next. So nothing comes next: what really took place is looked up.
    believe(producer)?;
    producer.commit(wait)?;
    believe(producer)?;
    reach(Point::Committed);
    Ok(())
}

/// What was said of this commit and the last one holds if no broker went away meanwhile.
fn believe(producer: &Producer) -> Result<(), Error> {
    if !producer.was_cut_off() {
        return Ok(());
    }
    Err(Error::Uncommitted(
        "a broker went away, perhaps before it had told all partitions".to_owned(),
    ))
}

fn producer_config(config: &KafkaConfig, name: &str) -> rdkafka::ClientConfig {
    let mut producer = config.client();
    let timeout = config.transaction_timeout.as_millis().to_string();
    producer.set("transactional.id", name);
    producer.set("transaction.timeout.ms", &timeout);
    producer.set("message.timeout.ms", &timeout);
    producer.set("acks", "all");
    producer.set("linger.ms", "0");
    producer.set("batch.size", "1000000");
    producer.set("message.max.bytes", "10485760");
    producer.set("compression.type", "lz4");
    producer.set("delivery.report.only.error", "true");
    producer.set("queue.buffering.max.messages", "1000000");
    producer.set("queue.buffering.max.kbytes", "262144");
    producer.set("retry.backoff.ms", "5");
    // From here on a client tells that a connection broke.
    producer.set("log_level", "6");
    producer
}

fn consumer_config(config: &KafkaConfig, membership: &Membership) -> rdkafka::ClientConfig {
    let mut consumer = config.reader();
    consumer.set("group.id", &membership.group);
    consumer.set("group.instance.id", &membership.instance);
    consumer.set("session.timeout.ms", config.session_timeout.as_millis().to_string());
    consumer.set("heartbeat.interval.ms", (config.session_timeout.as_millis() / 4).to_string());
    // Restoring a large state must not cost the partition.
    consumer.set("max.poll.interval.ms", "900000");
    consumer.set("partition.assignment.strategy", "range");
    consumer
}
