//! `drawdown up`: everything in one process tree, on the embedded log.

use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use drawdown_domain::ids::WalletId;
use drawdown_domain::invoices::Invoice;
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::notices::{Notice, NoticeKind};
use drawdown_domain::time::Timestamp;
use drawdown_log::{Log, Next};
use drawdown_runtime::clock::Clock;
use drawdown_wire::messages::{Balances, Invoices, Notices};
use drawdown_wire::schemas;
use drawdown_wire::topics::{Topic, TopicPlan, Topics};
use sha2::{Digest, Sha256};

use super::engine::{engine_library, free_port, run_engine};
use super::folder::DataFolder;
use super::table::with_places;
use super::{Forgets, Setup};
use crate::demo::{self, Traffic};

/// What `drawdown up` is told.
#[derive(Clone, Debug)]
pub struct UpOptions {
    pub data: PathBuf,
    pub port: u16,
    /// Where ClickHouse answers, if that is free.
    pub sql_port: u16,
    /// `real`, or how many times faster than the machine's clock.
    pub clock: String,
    pub demo: bool,
}

/// One machine needs few partitions; they are chosen once, for good.
const PARTITIONS: u32 = 4;
/// Opens the demonstration to everybody on this machine.
const DEMO_KEY: &str = "demo";
/// Where the ClickHouse engine keeps its data.
const ENGINE: &str = "clickhouse";
const ENGINE_STARTS_WITHIN: Duration = Duration::from_secs(60);
const TRAFFIC_EVERY: Duration = Duration::from_millis(100);

/// Runs everything until the process is asked to end.
pub fn up(
    file: Option<&Path>,
    flags: &[String],
    options: &UpOptions,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    // First, so that a port that is taken leaves no folder behind.
    let address = format!("127.0.0.1:{}", options.port);
    let listener = TcpListener::bind(&address).with_context(|| {
        format!("{address} cannot be used, perhaps by another drawdown; choose another --port")
    })?;
    let folder = DataFolder::open_or_make(&options.data)?;
    let mut given = settings(&folder)?;
    given.push(format!("worker.http={address}"));
    let sql = format!("127.0.0.1:{}", free_port(options.sql_port)?);
    given.push(format!("clickhouse.url=http://{sql}"));
    let key = if options.demo { DEMO_KEY.to_owned() } else { folder.key()? };
    given.push(match options.demo {
        true => format!("console.demo_key={key}"),
        false => format!("console.keys.operator={:x}", Sha256::digest(&key)),
    });
    given.extend_from_slice(flags);

    // The log is dated by the clock, and the clock goes on from what the log has seen.
    let known: Arc<std::sync::OnceLock<Clock>> = Arc::default();
    let (setup, dates) = (setup(file, &given)?, known.clone());
    let now = move || dates.get().map_or(Timestamp::START, Clock::now);
    let log = Arc::new(setup.embedded_dated_by(Arc::new(now), Forgets::WhatIsOld)?);
    let clock = clock(options, &*log, &setup.topics)?;
    given.push(format!("worker.clock={clock}"));
    let setup = self::setup(file, &given)?;
    let clock: Clock = clock.parse()?;
    known.get_or_init(|| clock.clone());

    let end = super::end_when_asked()?;
    let engine = match engine_library(&setup) {
        Ok(library) => {
            let port = sql.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0);
            Some(run_engine(library, &folder.at(ENGINE), port, end.clone())?)
        }
        Err(why) => {
            tracing::warn!("lists cannot be read: {why}");
            None
        }
    };
    let demo = match options.demo {
        true => Some(show_demo(log.clone(), &setup.topics, clock, end.clone())?),
        false => None,
    };
    let names = ["metering", "registry", "balance", "payments", "alerts", "invoices", "console"];
    let analytics = engine.is_some().then_some("analytics");
    let names: Vec<String> = names.into_iter().chain(analytics).map(str::to_owned).collect();
    let mut begun = || -> anyhow::Result<()> {
        writeln!(
            out,
            "\ndrawdown is up; Ctrl-C ends it, and a second start goes on where it stopped\n"
        )?;
        writeln!(out, "  console   http://{address}")?;
        writeln!(out, "  API       http://{address}/docs, with the key {key}")?;
        if engine.is_some() {
            writeln!(
                out,
                "  SQL       http://{sql}, ClickHouse's HTTP interface, database drawdown"
            )?;
        }
        writeln!(out, "  data      {}", options.data.display())?;
        if let Some(now) = known.get().filter(|clock| !clock.is_real()).map(Clock::now) {
            let (now, times) = (when(now), &options.clock);
            writeln!(out, "  clock     {now}, {times} times as fast as the day's")?;
        }
        writeln!(out)?;
        Ok(out.flush()?)
    };
    let listener = Some(listener);
    let ran = super::run_workers_on(&setup, log, &names, listener, end.clone(), &mut begun);
    end.store(true, Ordering::Release);
    let shown =
        demo.map(|demo| demo.join().unwrap_or_else(|_| bail!("the demonstration panicked")));
    if let Some(engine) = engine {
        engine.join().map_err(|_| anyhow!("the thread of the ClickHouse engine panicked"))?;
    }
    ran.and(shown.unwrap_or(Ok(())))?;
    let told = writeln!(out, "drawdown has ended; the same command goes on where it stopped");
    // It has ended in order, also where nobody reads on.
    Ok(told.or_else(|why| if why.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(why) })?)
}

/// Does something with the installation of a folder while it is down; its ClickHouse runs meanwhile.
pub fn with_folder(
    file: Option<&Path>,
    flags: &[String],
    data: &Path,
    what: impl FnOnce(&Setup) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = DataFolder::open(data)?;
    let port = free_port(0)?;
    let mut given = settings(&folder)?;
    given.push(format!("clickhouse.url=http://127.0.0.1:{port}"));
    given.extend_from_slice(flags);
    let setup = setup(file, &given)?;
    if !folder.at(ENGINE).exists() {
        return what(&setup);
    }
    let end = Arc::new(AtomicBool::new(false));
    let engine = run_engine(engine_library(&setup)?, &folder.at(ENGINE), port, end.clone())?;
    let done = await_engine(port).and_then(|()| what(&setup));
    end.store(true, Ordering::Release);
    engine.join().map_err(|_| anyhow!("the thread of the ClickHouse engine panicked"))?;
    done
}

fn await_engine(port: u16) -> anyhow::Result<()> {
    let deadline = Instant::now() + ENGINE_STARTS_WITHIN;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < deadline, "the ClickHouse engine of the folder does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// What a folder says of its installation: where its parts are, and its secret.
fn settings(folder: &DataFolder) -> anyhow::Result<Vec<String>> {
    Ok(vec![
        "log.engine=embedded".to_owned(),
        format!("embedded.directory={}", folder.at("log").display()),
        format!("worker.data={}", folder.at("state").display()),
        format!("installation.secret={}", folder.secret()?),
        format!("payments.sandbox_book={}", folder.at("sandbox/book.ndjson").display()),
        format!("mail.folder={}", folder.at("mail").display()),
        format!("console.mails={}", folder.at("mail").display()),
    ])
}

fn setup(file: Option<&Path>, flags: &[String]) -> anyhow::Result<Setup> {
    let Setup { config, plan, .. } = Setup::read(file, flags)?;
    let plan = TopicPlan { usage_partitions: PARTITIONS, ledger_partitions: PARTITIONS, ..plan };
    Ok(Setup::planned(config, plan))
}

/// The clock as the configuration has it. A fast one goes on from the latest time on the log.
fn clock(options: &UpOptions, log: &dyn Log, topics: &Topics) -> anyhow::Result<String> {
    if options.clock == "real" {
        return Ok(options.clock.clone());
    }
    let factor: u32 =
        options.clock.parse().ok().filter(|factor| *factor > 0).with_context(|| {
            format!("--clock is {}; it can be real, or how many times faster: 600", options.clock)
        })?;
    let real = Clock::Real.now();
    let begins = if options.demo { demo::BEGINS.parse()? } else { real };
    let shown = latest(log, topics)?.unwrap_or(begins);
    Ok(format!("{factor} {shown} {real}"))
}

/// The latest time that stands on what the consumers read.
fn latest(log: &dyn Log, topics: &Topics) -> anyhow::Result<Option<Timestamp>> {
    let mut latest = None;
    for topic in [Topic::Usage, Topic::Commands, Topic::Ledger] {
        let topic = topics.name(topic);
        for partition in 0..log.partitions(topic)? {
            let bounds = log.bounds(topic, partition)?;
            let last = Next(bounds.end.0.saturating_sub(1)).max(bounds.first);
            log.scan(topic, partition, last, bounds.end, &mut |message| {
                latest = latest.max(Some(message.at));
                true
            })?;
        }
    }
    Ok(latest)
}

/// Brings the demonstration to life on a thread of its own.
fn show_demo(
    log: Arc<dyn Log>,
    topics: &Topics,
    clock: Clock,
    end: Arc<AtomicBool>,
) -> anyhow::Result<std::thread::JoinHandle<anyhow::Result<()>>> {
    let asked = match demo::is_new(&*log, topics)? {
        true => demo::prepare(&*log, topics, clock.now())?,
        false => 0,
    };
    let topics = topics.clone();
    let thread = std::thread::Builder::new().name("demo".to_owned());
    Ok(thread.spawn(move || {
        let lived = live(&log, &topics, &clock, asked, &end);
        // A demonstration in which nothing is used any more shows nothing.
        end.store(true, Ordering::Release);
        lived.context("the demonstration cannot go on")
    })?)
}

/// Waits until the first commands are decided, then makes usage and pays until the process ends.
fn live(
    log: &Arc<dyn Log>,
    topics: &Topics,
    clock: &Clock,
    asked: usize,
    end: &AtomicBool,
) -> anyhow::Result<()> {
    while asked > 0 && demo::decided(&**log, topics)? < asked && !end.load(Ordering::Acquire) {
        std::thread::sleep(TRAFFIC_EVERY);
    }
    let mut traffic = Traffic::new(log.clone(), topics.clone(), clock.now())?;
    let mut told = Told::new(&**log, topics)?;
    while !end.load(Ordering::Acquire) {
        std::thread::sleep(TRAFFIC_EVERY);
        let now = clock.now();
        traffic.send(now)?;
        told.read(&**log, topics)?;
        traffic.pay(now, |wallet| told.available.get(wallet).copied())?;
    }
    Ok(())
}

/// Balances as they were told last; what people are told from now on is said here, too.
struct Told {
    balances: Vec<Next>,
    notices: Vec<Next>,
    invoices: Vec<Next>,
    available: std::collections::BTreeMap<WalletId, Amount>,
}

impl Told {
    fn new(log: &dyn Log, topics: &Topics) -> anyhow::Result<Told> {
        let first = |partition| Ok(log.bounds(topics.name(Topic::Balances), partition)?.first);
        let partitions = 0..topics.ledger_partitions;
        let ends = |topic| {
            let end = |partition| Ok(log.bounds(topics.name(topic), partition)?.stable);
            partitions.clone().map(end).collect::<anyhow::Result<_>>()
        };
        Ok(Told {
            balances: partitions.clone().map(first).collect::<anyhow::Result<_>>()?,
            notices: ends(Topic::Notices)?,
            invoices: ends(Topic::Invoices)?,
            available: Default::default(),
        })
    }

    fn read(&mut self, log: &dyn Log, topics: &Topics) -> anyhow::Result<()> {
        let available = &mut self.available;
        read_on(log, topics.name(Topic::Balances), &mut self.balances, &mut |message| {
            if let Ok(Balances { balances, .. }) = schemas::BALANCES.read(message) {
                let told = balances.into_iter();
                available.extend(told.map(|told| (told.billing_account, told.available)));
            }
        })?;
        let mut said = Vec::new();
        read_on(log, topics.name(Topic::Notices), &mut self.notices, &mut |message| {
            if let Ok(Notices { notices }) = schemas::NOTICES.read(message) {
                said.extend(notices.iter().map(event));
            }
        })?;
        read_on(log, topics.name(Topic::Invoices), &mut self.invoices, &mut |message| {
            if let Ok(Invoices { invoices }) = schemas::INVOICES.read(message) {
                said.extend(invoices.iter().map(issued));
            }
        })?;
        let mut out = std::io::stdout();
        // Nobody may be listening any more; the demonstration goes on.
        said.iter().for_each(|line| drop(writeln!(out, "  {line}")));
        Ok(())
    }
}

/// What somebody is told of by mail, in a line.
fn event(notice: &Notice) -> String {
    let Notice { kind, at, billing_account, currency, standing, payment, .. } = notice;
    let what = kind.text().replace('_', " ");
    let more = match (kind, payment) {
        (_, Some(payment)) => format!(": {}", money(payment.amount, payment.currency)),
        (NoticeKind::LowBalance, None) => {
            format!(": {} left", money(standing.available, *currency))
        }
        (NoticeKind::Runway, None) => {
            standing.days_left.map(|days| format!(": {days} days left")).unwrap_or_default()
        }
        _ => String::new(),
    };
    format!("{}  {billing_account}  {what}{more}", when(*at))
}

/// An invoice, in a line.
fn issued(invoice: &Invoice) -> String {
    let Invoice { number, billing_account, total, currency, issued_at, .. } = invoice;
    let total = money(*total, *currency);
    format!("{}  {billing_account}  invoice {number}: {total}", when(*issued_at))
}

/// To the minute.
fn when(at: Timestamp) -> String {
    let at = at.to_string();
    at.get(..16).unwrap_or(&at).replace('T', " ")
}

fn money(amount: Amount, currency: Currency) -> String {
    let amount = amount.rounded_down(currency).unwrap_or(amount);
    format!("{} {currency}", with_places(amount.to_string(), currency))
}

/// Reads each partition of a topic on from its place.
fn read_on(
    log: &dyn Log,
    topic: &str,
    places: &mut [Next],
    visit: &mut dyn FnMut(&[u8]),
) -> anyhow::Result<()> {
    for (place, partition) in places.iter_mut().zip(0_u32..) {
        let stable = log.bounds(topic, partition)?.stable;
        log.scan(topic, partition, *place, stable, &mut |message| {
            visit(message.value);
            true
        })?;
        *place = stable;
    }
    Ok(())
}
