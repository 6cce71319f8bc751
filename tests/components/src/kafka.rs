//! The real Apache Kafka broker (KRaft) on the loopback interface.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::tally::{self, Component, Counts, Shared};
use crate::{cache, free_port};

const VERSION: &str = "4.3.0";
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// A broker that is asked what it counted and does not answer by then is not asked again.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// How a broker is started.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// Where it listens; on a free port unless given.
    pub port: Option<u16>,
    pub heap_megabytes: u32,
    /// How often the broker looks for transactions whose time is up.
    pub abort_check: Duration,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        BrokerOptions { port: None, heap_megabytes: 1_024, abort_check: Duration::from_secs(1) }
    }
}

/// A running broker, stopped when dropped.
#[derive(Debug)]
pub struct Broker {
    folder: TempDir,
    port: u16,
    /// Where it and those that stand in for it vote, and which of them it is.
    controllers: Vec<u16>,
    number: usize,
    options: BrokerOptions,
    process: Option<Running>,
}

/// The broker's process, and another that ends it should this one end without doing so. Ctrl-C at a terminal
/// reaches neither: who has started them ends them.
#[derive(Debug)]
struct Running {
    broker: Child,
    watcher: Child,
}

/// Waits until its input closes, which happens when the process that holds the other end is gone,
/// however it went.
const WATCHER: &str = "read -r _; kill -9 \"$0\"; rm -rf \"$1\"";

impl Broker {
    pub fn start(options: BrokerOptions) -> anyhow::Result<Broker> {
        let mut broker = Broker::new(options, vec![free_port()?], 0)?;
        broker.resume()?;
        Ok(broker)
    }

    fn new(options: BrokerOptions, controllers: Vec<u16>, number: usize) -> anyhow::Result<Broker> {
        let folder = TempDir::with_prefix("drawdown-kafka-")?;
        let port = options.port.map_or_else(free_port, Ok)?;
        let broker = Broker { folder, port, controllers, number, options, process: None };
        broker.configure()?;
        Ok(broker)
    }

    /// Where clients find it. Whoever asks has met it.
    pub fn bootstrap(&self) -> String {
        tally::met(Component::Kafka, &self.port.to_string());
        self.address()
    }

    /// The same for somebody who is no test.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whether it has not ended by itself.
    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        let ended = self.process.as_mut().map(|running| running.broker.try_wait()).transpose()?;
        Ok(matches!(ended, Some(None)))
    }

    /// For a broker that several tests share, which nobody stops.
    pub fn shared(&'static self) -> &'static Broker {
        tally::ask_at_end(self);
        self
    }

    /// How many messages its topics ever had, by its offsets.
    fn messages(&self) -> anyhow::Result<Counts> {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", self.address()).create()?;
        let metadata = consumer.fetch_metadata(None, ANSWERS_WITHIN)?;
        let mut ends = TopicPartitionList::new();
        // Its own topics, for offsets and transactions, are nobody's messages.
        let topics = metadata.topics().iter().filter(|topic| !topic.name().starts_with("__"));
        for (topic, partition) in
            topics.flat_map(|topic| topic.partitions().iter().map(move |part| (topic, part.id())))
        {
            ends.add_partition_offset(topic.name(), partition, Offset::End)?;
        }
        let mut messages = 0_u64;
        if ends.count() > 0 {
            for found in consumer.offsets_for_times(ends, ANSWERS_WITHIN)?.elements() {
                found.error()?;
                let Offset::Offset(end) = found.offset() else {
                    bail!("{} {} has no end", found.topic(), found.partition());
                };
                messages = messages.saturating_add(u64::try_from(end)?);
            }
        }
        Ok(Counts::from([("messages".to_owned(), messages)]))
    }

    /// The broker's process id, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(|running| running.broker.id())
    }

    fn configure(&self) -> anyhow::Result<()> {
        let (port, controller) = (self.port, self.controllers[self.number]);
        let (node, copies) = (self.number + 1, self.controllers.len());
        // Of three any two are enough.
        let in_sync = copies.div_ceil(2);
        let voters: Vec<String> = (1..)
            .zip(&self.controllers)
            .map(|(node, controller)| format!("{node}@127.0.0.1:{controller}"))
            .collect();
        let voters = voters.join(",");
        let data = self.folder.path().join("data");
        let check = self.options.abort_check.as_millis();
        let properties = format!(
            "process.roles=broker,controller\n\
             node.id={node}\n\
             controller.quorum.voters={voters}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             inter.broker.listener.name=PLAINTEXT\n\
             log.dirs={}\n\
             min.insync.replicas={in_sync}\n\
             offsets.topic.replication.factor={copies}\n\
             offsets.topic.num.partitions=4\n\
             transaction.state.log.replication.factor={copies}\n\
             transaction.state.log.min.isr={in_sync}\n\
             transaction.state.log.num.partitions=4\n\
             transaction.abort.timed.out.transaction.cleanup.interval.ms={check}\n\
             group.initial.rebalance.delay.ms=0\n\
             group.min.session.timeout.ms=1000\n\
             auto.create.topics.enable=false\n",
            data.display()
        );
        fs::write(self.properties(), properties)?;
        let formatted = java(&["-Xmx256m"], "kafka.tools.StorageTool")?
            .args(["format", "-t", "XE6izaCjToyxTm9_ZNfbsg", "-c"])
            .arg(self.properties())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !formatted.success() {
            bail!("Kafka's storage cannot be formatted in {}", self.folder.path().display());
        }
        Ok(())
    }

    fn properties(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    /// Starts the broker again after [`Broker::kill`] or [`Broker::stop`].
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        self.wait_until_up()
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let output = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("output.log"))?;
        let heap = format!("-Xmx{}m", self.options.heap_megabytes);
        // What it unpacks goes with its folder, also when it is killed.
        let temporary = format!("-Djava.io.tmpdir={}", self.folder.path().display());
        let child = java(&[heap.as_str(), &temporary, "-XX:+UseG1GC"], "kafka.Kafka")?
            .arg(self.properties())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()?;
        let watcher = Command::new("sh")
            .args(["-c", WATCHER, &child.id().to_string()])
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        self.process = Some(Running { broker: child, watcher });
        Ok(())
    }

    fn wait_until_up(&mut self) -> anyhow::Result<()> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let deadline = Instant::now() + STARTS_WITHIN;
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            let running = self.process.as_mut();
            let ended = running.map(|running| running.broker.try_wait()).transpose()?.flatten();
            if ended.is_some() || Instant::now() > deadline {
                let said =
                    fs::read_to_string(self.folder.path().join("output.log")).unwrap_or_default();
                bail!("Kafka {VERSION} does not start: {said}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Ends the broker as a power cut would, and starts it again with the same data on the same port.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.resume()
    }

    /// Ends the broker as a power cut would.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.end(Signal::KILL)
    }

    /// Ends the broker in order.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.end(Signal::TERM)
    }

    fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        let Some(Running { mut broker, mut watcher }) = self.process.take() else { return Ok(()) };
        // First the watcher, which would otherwise end whoever gets the broker's number next.
        watcher.kill()?;
        watcher.wait()?;
        let pid = Pid::from_raw(i32::try_from(broker.id())?).context("no process id")?;
        kill_process(pid, signal)?;
        broker.wait()?;
        Ok(())
    }
}

impl Shared for Broker {
    fn count(&self) {
        // The first of several counts for all.
        if tally::is_kept() && self.process.is_some() && self.number == 0 {
            // A broker that has just come back does not lead all partitions yet.
            let deadline = Instant::now() + ANSWERS_WITHIN;
            let mut messages = self.messages();
            while messages.is_err() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(100));
                messages = self.messages();
            }
            tally::counted(Component::Kafka, &self.port.to_string(), messages);
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.count();
        // A broker that has ended already need not be ended.
        drop(self.kill());
    }
}

/// Brokers that stand in for each other: each has a copy of everything.
#[derive(Debug)]
pub struct Cluster(Vec<Broker>);

impl Cluster {
    pub fn start(size: usize) -> anyhow::Result<Cluster> {
        let controllers = (0..size).map(|_| free_port()).collect::<anyhow::Result<Vec<u16>>>()?;
        let options = BrokerOptions { heap_megabytes: 512, ..BrokerOptions::default() };
        let new = |number| Broker::new(options.clone(), controllers.clone(), number);
        let mut brokers = (0..size).map(new).collect::<anyhow::Result<Vec<Broker>>>()?;
        // None is up before most are.
        brokers.iter_mut().try_for_each(Broker::spawn)?;
        brokers.iter_mut().try_for_each(Broker::wait_until_up)?;
        Ok(Cluster(brokers))
    }

    /// Where clients find it.
    pub fn bootstrap(&self) -> String {
        let mut addresses: Vec<String> = self.0.iter().map(Broker::address).collect();
        if let (Some(address), Some(first)) = (addresses.first_mut(), self.0.first()) {
            *address = first.bootstrap();
        }
        addresses.join(",")
    }

    pub fn size(&self) -> usize {
        self.0.len()
    }

    pub fn broker(&mut self, number: usize) -> &mut Broker {
        &mut self.0[number]
    }
}

fn java(options: &[&str], class: &str) -> anyhow::Result<Command> {
    let jars = jars()?;
    let mut java = Command::new("java");
    java.args(options).arg("-cp").arg(format!("{}/*", jars.display())).arg(class);
    Ok(java)
}

/// The broker's jars, resolved once.
fn jars() -> anyhow::Result<PathBuf> {
    let jars = cache()?.join(format!("kafka-{VERSION}"));
    let complete = jars.join("complete");
    if complete.exists() {
        return Ok(jars);
    }
    writeln!(std::io::stderr(), "fetching Kafka {VERSION} with Maven, once (44 MB)")?;
    let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/pom.xml");
    let resolved = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", jars.display()))
        // What reads this process's output is no reader of Maven's.
        .stdout(std::io::stderr())
        .status()
        .context("Maven (mvn) is missing; it fetches the Kafka broker")?;
    if !resolved.success() {
        bail!("Maven cannot resolve the Kafka broker {VERSION}");
    }
    fs::write(complete, "")?;
    Ok(jars)
}
