//! `drawdown invoices`: what a run will issue, and how far it is (R12.1). The ledgers are read from the log as
//! they stand, so nobody is asked and nothing is held up.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use drawdown_balance::Balance;
use drawdown_documents::Language;
use drawdown_domain::invoices::{HeldFor, InvoiceDraft};
use drawdown_domain::ledger::{Preview, WalletNumber};
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::time::{Day, Span};
use drawdown_log::{Log, Next};
use drawdown_runtime::{Replay, Station, Stop, read_to_end};
use drawdown_wire::topics::{Topic, Topics};

use super::Setup;

const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Prints the figures that a run on that day issues, as things stand.
pub fn preview_invoices(setup: &Setup, as_of: Day, out: &mut dyn Write) -> anyhow::Result<()> {
    let log = setup.log().context("an embedded log is read while no worker holds it")?;
    let make = setup.installation(log.clone())?.balance_station();
    let mut ledgers = Ledgers::new(log, setup.topics.clone(), &make)?;
    ledgers.follow()?;
    print(&ledgers.not_issued(as_of)?, out)
}

/// Says how far the run of that day is until all of it is issued. What is due issues itself, so this only
/// waits.
pub fn await_invoices(setup: &Setup, as_of: Day, out: &mut dyn Write) -> anyhow::Result<()> {
    if !setup.is_on_kafka() {
        bail!(
            "an embedded log is read by nobody but its workers, which issue what is due by themselves; `drawdown invoices preview`, while they are down, lists what is not issued yet"
        );
    }
    let log = setup.log()?;
    let make = setup.installation(log.clone())?.balance_station();
    let mut ledgers = Ledgers::new(log, setup.topics.clone(), &make)?;
    let mut told = None;
    loop {
        ledgers.follow()?;
        if !ledgers.has_come(as_of) {
            bail!("{as_of} has not come: `drawdown invoices preview` shows what it will issue");
        }
        let progress = Progress::of(&ledgers.not_issued(as_of)?);
        if told.as_ref() != Some(&progress) {
            writeln!(out, "{progress}")?;
            out.flush()?;
        }
        if progress.left == 0 {
            return Ok(());
        }
        let held = progress.held.values().sum::<usize>();
        if held == progress.left {
            bail!(
                "all that is left is held: `drawdown invoices preview --as-of {as_of}` says what for"
            );
        }
        told = Some(progress);
        std::thread::sleep(LOOK_AGAIN_AFTER);
    }
}

/// What is left of a run.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    left: usize,
    /// How many of these are held, by what for.
    held: BTreeMap<&'static str, usize>,
}

impl Progress {
    fn of(left: &[Preview]) -> Progress {
        let mut held = BTreeMap::new();
        for cause in left.iter().filter_map(|preview| of(preview).held_for()) {
            *held.entry(cause.text()).or_default() += 1;
        }
        Progress { left: left.len(), held }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invoices to come: {}", self.left)?;
        self.held.iter().try_for_each(|(cause, count)| write!(f, ", held ({cause}): {count}"))
    }
}

/// All ledgers, as their state topics say.
struct Ledgers<'a> {
    log: Arc<dyn Log>,
    topics: Topics,
    replays: Vec<(Replay<'a, Balance>, Next)>,
}

impl<'a> Ledgers<'a> {
    fn new(
        log: Arc<dyn Log>,
        topics: Topics,
        make: &'a dyn Fn(u32) -> Balance,
    ) -> anyhow::Result<Ledgers<'a>> {
        let mut replays = Vec::new();
        for partition in 0..topics.ledger_partitions {
            let first = log.bounds(topics.name(Topic::BalanceState), partition)?.first;
            replays.push((Replay::new(make, partition), first));
        }
        Ok(Ledgers { log, topics, replays })
    }

    /// Takes in what has happened since.
    fn follow(&mut self) -> Result<(), Stop> {
        let topic = self.topics.name(Topic::BalanceState);
        for ((replay, next), partition) in self.replays.iter_mut().zip(0..) {
            *next = read_to_end(&*self.log, topic, partition, *next, &mut |message| match replay
                .take(message)?
            {
                Some(step) => replay.station.apply(&step.delta),
                None => Ok(()),
            })?;
        }
        Ok(())
    }

    /// Whether that day has begun for all ledgers, wherever on earth.
    fn has_come(&self, day: Day) -> bool {
        let mut ledgers = self.replays.iter().map(|(replay, _)| replay.station.ledger());
        ledgers.all(|ledger| {
            ledger.wallets().iter().all(|wallet| wallet.zone.date_of(ledger.clock().now()) >= day)
        })
    }

    fn not_issued(&self, as_of: Day) -> anyhow::Result<Vec<Preview>> {
        let mut found = Vec::new();
        for (replay, _) in &self.replays {
            let ledger = replay.station.ledger();
            for number in (0..).map(WalletNumber).take(ledger.wallets().len()) {
                found.extend(ledger.preview_invoices(number, as_of)?);
            }
        }
        found.sort_by(|a, b| of(a).billing_account.cmp(&of(b).billing_account));
        Ok(found)
    }
}

fn of(preview: &Preview) -> &InvoiceDraft {
    match preview {
        Preview::Decided(draft) | Preview::Open(draft) => draft,
    }
}

/// What is lacking, in the words of the settings.
fn no_rate(draft: &InvoiceDraft) -> String {
    let last = draft.time_zone.month_of(draft.until.minus(Span::micros(1)));
    let to = draft.settlement_currency.map(Currency::code).unwrap_or_default();
    format!("no_rate: the settings' `fx` states no \"{}/{to}\" for {last}", draft.currency)
}

/// A line for each invoice, and what they come to by currency.
fn print(previews: &[Preview], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut sums: BTreeMap<Currency, [Amount; 3]> = BTreeMap::new();
    writeln!(
        out,
        "{:<32} {:<21} {:>16} {:>14} {:>16}",
        "billing account", "period", "net", "tax", "total"
    )?;
    for preview in previews {
        let draft = of(preview);
        let InvoiceDraft { time_zone, currency, .. } = *draft;
        let last = time_zone.date_of(draft.until.minus(Span::micros(1)));
        let period = format!("{}/{last}", time_zone.date_of(draft.from));
        let state = match (preview, draft.held_for()) {
            (_, Some(HeldFor::NoRate)) => no_rate(draft),
            (_, Some(HeldFor::Approval)) => "its run waits for approval".to_owned(),
            (Preview::Decided(_), None) => "decided, waits for its number".to_owned(),
            (Preview::Open(_), None) => "so far".to_owned(),
        };
        let figures = [draft.net, draft.tax, draft.total];
        let [net, tax, total] = figures.map(|figure| Language::English.money(figure, currency));
        writeln!(
            out,
            "{:<32} {period:<21} {net:>16} {tax:>14} {total:>16} {currency}  {state}",
            draft.billing_account.as_str()
        )?;
        let sum = sums.entry(currency).or_default();
        for (sum, figure) in sum.iter_mut().zip(figures) {
            *sum = sum.plus(figure)?;
        }
    }
    for (currency, sums) in sums {
        let [net, tax, total] = sums.map(|sum| Language::English.money(sum, currency));
        writeln!(out, "{:<54} {net:>16} {tax:>14} {total:>16} {currency}", "all")?;
    }
    writeln!(out, "invoices to come: {}; nothing was issued", previews.len())?;
    Ok(())
}
