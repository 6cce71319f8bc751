//! The broker's topics: described, compared, made.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};

use super::{KafkaConfig, passing};
use crate::{Error, Next};

/// A topic as it should be, or as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDetails {
    pub name: String,
    pub partitions: u32,
    /// None: for ever.
    pub keep: Option<Duration>,
    pub dated_by_log: bool,
    pub message_bytes_max: u32,
}

/// Where a broker's topic is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub topic: String,
    pub what: String,
    pub expected: String,
    pub found: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} should be {}, is {}", self.topic, self.what, self.expected, self.found)
    }
}

impl super::Kafka {
    /// Fails if no broker lists its topics in time.
    pub fn answers(&self) -> Result<(), Error> {
        self.listed().map(|_| ())
    }

    /// How the broker's topics differ from `plan`.
    pub fn differences(&self, plan: &[TopicDetails]) -> Result<Vec<Difference>, Error> {
        let existing = self.listed()?;
        let mut differences = Vec::new();
        let mut present = Vec::new();
        for topic in plan {
            let mut differs = |what: &str, expected: String, found: String| {
                if expected != found {
                    let what = what.to_owned();
                    differences.push(Difference {
                        topic: topic.name.clone(),
                        what,
                        expected,
                        found,
                    });
                }
            };
            match existing.get(&topic.name) {
                None => differs("the topic", "there".to_owned(), "missing".to_owned()),
                Some(partitions) => {
                    differs(
                        "the number of partitions",
                        topic.partitions.to_string(),
                        partitions.to_string(),
                    );
                    present.push(topic);
                }
            }
        }
        differences.extend(self.setting_differences(&present)?);
        Ok(differences)
    }

    fn setting_differences(&self, topics: &[&TopicDetails]) -> Result<Vec<Difference>, Error> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let admin = admin(&self.config)?;
        let specifiers: Vec<_> = topics.iter().map(|t| ResourceSpecifier::Topic(&t.name)).collect();
        let described = wait_for(admin.describe_configs(specifiers.iter(), &options(&self.config)))
            .map_err(|error| {
                Error::Passing(format!("the broker does not describe its topics: {error}"))
            })?;
        let mut differences = Vec::new();
        for (topic, described) in topics.iter().zip(described) {
            let described = described.map_err(|error| {
                Error::Fatal(format!("{} cannot be described: {error}", topic.name))
            })?;
            for (key, expected) in settings(topic) {
                let found =
                    described.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
                if found != expected {
                    let topic = topic.name.clone();
                    differences.push(Difference { topic, what: key.to_owned(), expected, found });
                }
            }
        }
        Ok(differences)
    }

    /// Makes the topics of `plan` that are missing, and waits until they can be used. What exists is
    /// left as it is.
    pub fn create(&self, plan: &[TopicDetails], replication: i32) -> Result<Vec<String>, Error> {
        let existing = self.listed()?;
        let missing: Vec<&TopicDetails> =
            plan.iter().filter(|topic| !existing.contains_key(&topic.name)).collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let admin = admin(&self.config)?;
        let all: Vec<_> = missing.iter().map(|topic| (topic, settings(topic))).collect();
        let new = all.iter().map(|(topic, settings)| {
            let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
            let new = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(replication));
            settings.iter().fold(new, |new, (key, value)| new.set(key, value))
        });
        let new: Vec<NewTopic<'_>> = new.collect();
        let created = wait_for(admin.create_topics(new.iter(), &options(&self.config)))
            .map_err(|error| Error::Passing(format!("the broker makes no topics: {error}")))?;
        let created: Result<Vec<String>, Error> = created
            .into_iter()
            .map(|created| {
                created.map_err(|(topic, code)| {
                    Error::Fatal(format!("{topic} cannot be made: {code}"))
                })
            })
            .collect();
        let deadline = Instant::now() + self.config.call_timeout;
        // The client remembers for a while that a partition was not there, so it is asked for those
        // that the broker lists only.
        while !self.lists(&missing)? {
            if Instant::now() >= deadline {
                return Err(Error::Passing("the broker does not list what it made".to_owned()));
            }
            std::thread::sleep(LOOK_AGAIN_AFTER);
        }
        missing.iter().try_for_each(|topic| self.wait_until_led(topic, deadline))?;
        created
    }

    /// All topics of the broker with the numbers of their partitions.
    fn listed(&self) -> Result<BTreeMap<String, u32>, Error> {
        let metadata = self.asker.fetch_metadata(None, self.config.call_timeout);
        let metadata =
            metadata.map_err(|error| passing("the broker does not list its topics", &error))?;
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let topics = metadata.topics().iter();
        Ok(topics.map(|t| (t.name().to_owned(), count(t.partitions().len()))).collect())
    }

    fn lists(&self, topics: &[&TopicDetails]) -> Result<bool, Error> {
        let listed = self.listed()?;
        Ok(topics.iter().all(|topic| listed.get(&topic.name) == Some(&topic.partitions)))
    }

    /// A broker lists its new partitions before it leads them.
    fn wait_until_led(&self, topic: &TopicDetails, deadline: Instant) -> Result<(), Error> {
        for partition in 0..topic.partitions {
            loop {
                match crate::Log::bounds(self, &topic.name, partition) {
                    Err(Error::Passing(_)) if Instant::now() < deadline => {
                        std::thread::sleep(LOOK_AGAIN_AFTER);
                    }
                    looked => break looked.map(|_| ())?,
                }
            }
        }
        Ok(())
    }
}

const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// A topic's settings by their names on the broker.
fn settings(topic: &TopicDetails) -> Vec<(&'static str, String)> {
    let keep = topic.keep.map_or("-1".to_owned(), |keep| keep.as_millis().to_string());
    let dated = if topic.dated_by_log { "LogAppendTime" } else { "CreateTime" };
    let mut settings = vec![
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", keep),
        ("retention.bytes", "-1".to_owned()),
        ("message.timestamp.type", dated.to_owned()),
        ("max.message.bytes", topic.message_bytes_max.to_string()),
    ];
    if !topic.dated_by_log {
        // Whoever writes says what time it is, however far that is from the broker's clock.
        settings.push(("message.timestamp.after.max.ms", i64::MAX.to_string()));
    }
    settings
}

pub(super) fn delete_records(
    config: &KafkaConfig,
    topic: &str,
    partition: u32,
    before: Next,
) -> Result<(), Error> {
    let what = |error: &dyn std::fmt::Display| {
        Error::Passing(format!("cannot truncate {topic} {partition}: {error}"))
    };
    let mut list = TopicPartitionList::new();
    let partition = i32::try_from(partition).unwrap_or(i32::MAX);
    list.add_partition_offset(topic, partition, KafkaOffset::Offset(before.0))
        .map_err(|error| what(&error))?;
    let admin = admin(config)?;
    wait_for(admin.delete_records(&list, &options(config))).map_err(|error| what(&error))?;
    Ok(())
}

fn admin(config: &KafkaConfig) -> Result<AdminClient<DefaultClientContext>, Error> {
    config
        .client()
        .create()
        .map_err(|error| Error::Fatal(format!("the Kafka client cannot start: {error}")))
}

fn options(config: &KafkaConfig) -> AdminOptions {
    let timeout = Some(config.call_timeout);
    AdminOptions::new().request_timeout(timeout).operation_timeout(timeout)
}

/// Waits for a future on this thread. The admin client's futures are completed by its own thread.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake};

    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
