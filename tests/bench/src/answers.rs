//! How long a command takes from being sent to its answer being visible to others.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use drawdown_log::{Change, Membership, Next};
use drawdown_wire::messages::{Bills, Outcomes};
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;

use crate::site::{Site, command, top_up};
use crate::table::{Row, Table};
use crate::{SETTLES, latency};

const MEASURED_FOR: Duration = Duration::from_secs(20);
const SENT_EVERY: Duration = Duration::from_millis(10);

/// How many commands are sent every ten milliseconds, and to how many billing accounts in turn.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at_once: u32,
    accounts: u32,
}

/// Times commands on an idle installation, and at a thousand commands a second beside usage at `rate`.
pub(crate) fn measure(
    site: &Site,
    accounts: u32,
    rate: f64,
    engine: &str,
    reach: &str,
    table: &mut Table,
) -> anyhow::Result<()> {
    let idle = Asked { at_once: 1, accounts };
    let nothing = |_: &AtomicBool| Ok(());
    let found = ask(site, idle, MEASURED_FOR, nothing)?.found();
    let what = format!("{engine}, command to answer visible, 100 a second");
    table.push(Row::new("g11", &what, found, &format!("{reach} p99")));
    let busy = Asked { at_once: 10, accounts };
    let load = |end: &AtomicBool| latency::load(site, rate, end);
    let found = ask(site, busy, MEASURED_FOR, load)?.found();
    let what = format!("  1,000 a second beside usage at {:.0} k/s", rate / 1e3);
    table.push(Row::new("", &what, found, &format!("{reach} p99")));
    Ok(())
}

/// Lets the hour of all accounts end beside commands: how long the longest waited, and in which time all bills are out.
pub(crate) fn at_the_end_of_an_hour(
    site: &Site,
    accounts: u32,
    bills: u64,
    table: &mut Table,
) -> anyhow::Result<()> {
    let asked = Asked { at_once: 1, accounts };
    let answers = ask(site, asked, Duration::from_secs(120), |_| Ok(()))?;
    let (found, issued) = (answers.found(), answers.bills_in);
    anyhow::ensure!(answers.bills == bills, "{} bills instead of {bills} are out", answers.bills);
    let what = format!("the hour of {accounts} accounts ends, all in memory: commands meanwhile");
    table.push(Row::new("g12", &what, found, "200 ms at most"));
    let found = format!("{:.1} s", issued.as_secs_f64());
    table.push(Row::new("", &format!("  from the first to the last of {bills} bills"), found, "-"));
    Ok(())
}

/// What was seen from outside.
#[derive(Debug, Default)]
struct Answers {
    took: Vec<Duration>,
    bills: u64,
    bills_in: Duration,
}

impl Answers {
    fn found(&self) -> String {
        let at = |share: f64| {
            let place = (self.took.len() as f64 * share) as usize;
            self.took.get(place).or(self.took.last()).copied().unwrap_or_default()
        };
        let (half, most, longest) = (at(0.5), at(0.99), at(1.0));
        format!("{half:.1?} p50, {most:.1?} p99, {longest:.1?} at most, of {}", self.took.len())
    }
}

/// Sends commands beside `load` and all consumers that decide them.
fn ask(
    site: &Site,
    asked: Asked,
    measured_for: Duration,
    load: impl FnOnce(&AtomicBool) -> anyhow::Result<()> + Send,
) -> anyhow::Result<Answers> {
    let end = AtomicBool::new(false);
    let sent: Mutex<BTreeMap<u64, Instant>> = Mutex::default();
    let mut answers = Answers::default();
    site.beside(|| {
        std::thread::scope(|scope| {
            let load = scope.spawn(|| load(&end));
            let sender = scope.spawn(|| send(site, asked, &sent, &end));
            let watched = watch(site, measured_for, &sent, &mut answers);
            end.store(true, Ordering::Release);
            load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
            sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
            watched
        })
    })?;
    anyhow::ensure!(!answers.took.is_empty(), "no answer was seen");
    answers.took.sort();
    Ok(answers)
}

fn send(
    site: &Site,
    asked: Asked,
    sent: &Mutex<BTreeMap<u64, Instant>>,
    end: &AtomicBool,
) -> anyhow::Result<()> {
    let (began, mut number) = (Instant::now(), 0_u32);
    for round in 0.. {
        if end.load(Ordering::Acquire) {
            break;
        }
        if let Some(early) = (SENT_EVERY * round).checked_sub(began.elapsed()) {
            std::thread::sleep(early);
        }
        let mut messages = Vec::new();
        for _ in 0..asked.at_once {
            messages.push(command("top_up", top_up(number, asked.accounts))?);
            number += 1;
        }
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let mut sent = sent.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
        let now = Instant::now();
        let next = site.log.append(site.name(Topic::Commands), 0, site.now(), &messages)?;
        let next = u64::try_from(next.0)?;
        let first = next.saturating_sub(messages.len() as u64);
        sent.extend((first..next).map(|command| (command, now)));
    }
    Ok(())
}

/// Reads answers, and how many bills are out, as any other reader would.
fn watch(
    site: &Site,
    measured_for: Duration,
    sent: &Mutex<BTreeMap<u64, Instant>>,
    answers: &mut Answers,
) -> anyhow::Result<()> {
    let mut outcomes = Watch::new(site, Topic::Outcomes)?;
    let mut bills = Watch::new(site, Topic::Bills)?;
    let (began, mut first_bill) = (Instant::now(), None);
    while began.elapsed() < measured_for {
        for (at, message) in outcomes.poll(site, Duration::from_millis(2))? {
            let found: Outcomes = schemas::OUTCOMES.read(&message)?;
            let sent = sent.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
            for outcome in found.outcomes {
                anyhow::ensure!(outcome.refused.is_none(), "refused: {:?}", outcome.detail);
                let sent = sent.get(&outcome.command).filter(|_| began.elapsed() > SETTLES);
                answers.took.extend(sent.map(|sent| at.duration_since(*sent)));
            }
        }
        for (at, message) in bills.poll(site, Duration::ZERO)? {
            let found: Bills = schemas::BILLS.read(&message)?;
            answers.bills += found.issued.len() as u64;
            answers.bills_in = at.duration_since(*first_bill.get_or_insert(at));
        }
    }
    Ok(())
}

/// Reads what comes on a topic from now on.
pub(crate) struct Watch {
    topic: String,
    member: Box<dyn drawdown_log::Member>,
}

impl Watch {
    pub(crate) fn new(site: &Site, topic: Topic) -> anyhow::Result<Watch> {
        let topic = site.name(topic).to_owned();
        let membership = Membership {
            group: format!("bench-watch-{topic}"),
            topic: topic.clone(),
            instance: "1".to_owned(),
        };
        Ok(Watch { member: site.log.join(&membership)?, topic })
    }

    /// The messages that came, with the time at which each was seen.
    pub(crate) fn poll(
        &mut self,
        site: &Site,
        wait: Duration,
    ) -> anyhow::Result<Vec<(Instant, Vec<u8>)>> {
        let mut messages = Vec::new();
        let change = self.member.poll(wait, &mut |some| {
            messages.extend(some.iter().map(|message| (Instant::now(), message.value.to_vec())));
        })?;
        match change {
            Some(Change::Assigned(partitions)) => {
                let mut places = BTreeMap::<u32, Next>::new();
                for partition in partitions {
                    places.insert(partition, site.log.bounds(&self.topic, partition)?.stable);
                }
                self.member.resume(&places)?;
            }
            Some(Change::Revoked(partitions)) => self.member.release(&partitions)?,
            None => {}
        }
        Ok(messages)
    }
}
