//! A ledger's partition: every step decided again, booked, and held against what was said.

use drawdown_balance::{Balance, Part, each_part};
use drawdown_domain::ledger::{Ledger, WalletNumber};
use drawdown_log::{Append, Offset};
use drawdown_runtime::{Output, Step, Stop};
use drawdown_wire::topics::Topic;

use super::Job;
use super::again::{Again, Came, Verdict, copy_of};
use super::books::{Books, wallets_of};
use super::follow::Follower;
use super::report::{Figure, Report};
use super::sources::{Heard, Sayings, Source};
use super::views::Views;

/// What is proven of one ledger.
struct Proof<'a> {
    job: &'a Job<'a>,
    partition: u32,
    report: Report,
    /// Takes every delta as it was decided, and says what follows from it.
    told: Option<Balance>,
    books: Books,
    followers: Vec<(Topic, Follower)>,
    views: Views,
}

/// What follows from deltas alone.
const TOLD: [Topic; 6] = [
    Topic::Entries,
    Topic::Bills,
    Topic::PeriodClosed,
    Topic::InvoiceRuns,
    Topic::Invoices,
    Topic::PaymentRequests,
];

/// Proves one ledger. Names the sources that said something else to it than was decided again.
pub(super) fn audit_ledger(
    job: &Job<'_>,
    partition: u32,
    sayings: &Sayings,
) -> anyhow::Result<(Report, Vec<Source>)> {
    let make = job.installation.balance_station();
    // What stands on the topics before their ends are asked for was decided before the state's end.
    let mut followers = Vec::with_capacity(TOLD.len() + 1);
    for topic in TOLD.into_iter().chain([Topic::Charges]) {
        followers.push((topic, Follower::new(topic, job.reader(topic, partition)?)));
    }
    let mut views = Views::default();
    let mut report = Report::default();
    views.read_balances(job, partition, &mut report)?;
    let mut proof =
        Proof { job, partition, report, told: None, books: Books::default(), followers, views };
    let (state, mut input) =
        (job.reader(Topic::BalanceState, partition)?, job.reader(Topic::Ledger, partition)?);
    input.heard = Some(Heard::new(partition, sayings));
    let mut again = Again::new(&make, state, input);
    loop {
        let came = again.next(&mut |station, sequence| proof.open(&make, station, sequence))?;
        match came {
            Came::End => break,
            Came::Broken(offset, why) => {
                proof.differs(offset, why);
                proof.report.count(Figure::BalanceBefore, again.before);
                return Ok((proof.report, Vec::new()));
            }
            Came::Step(step, verdict) => {
                let agrees = proof.step(&step, verdict)?;
                if let (false, Some(told)) = (agrees, &proof.told) {
                    // The log's own decision stands; what comes is judged from there.
                    *again.station() = copy_of(told, partition, &make)?;
                }
                job.tell(Topic::BalanceState, partition, &step);
            }
        }
    }
    proof.report.count(Figure::BalanceBefore, again.before);
    proof.finish(again.station())?;
    while again.input.pop()?.is_some() {}
    let (compared, unlike) =
        again.input.heard.take().map(|heard| heard.finish()).unwrap_or_default();
    proof.report.count(Figure::SaidToLedgers, compared);
    Ok((proof.report, unlike))
}

impl Proof<'_> {
    fn differs(&mut self, offset: Offset, what: impl std::fmt::Display) {
        let topic = self.job.installation.topics.name(Topic::BalanceState);
        self.report.differs(topic, self.partition, Some(offset), what);
    }

    /// The first step that is known: the books begin with what the ledger is before it.
    fn open(
        &mut self,
        make: &dyn Fn(u32) -> Balance,
        station: &Balance,
        sequence: u64,
    ) -> anyhow::Result<()> {
        let told = copy_of(station, self.partition, make)?;
        self.books.open(told.ledger())?;
        self.report.remittances.read(sequence == 1);
        self.report.crossings.read(sequence == 1);
        if sequence == 1 {
            self.followers.iter_mut().for_each(|(_, follower)| follower.begin_at_the_start());
        }
        self.told = Some(told);
        Ok(())
    }

    /// Whether a step was decided as it should have been.
    fn step(&mut self, step: &Step<'_>, verdict: Verdict) -> anyhow::Result<bool> {
        let (mut agrees, mut charges) = (true, None);
        match verdict {
            Verdict::OtherRules => self.report.count(Figure::BalanceOtherRules, 1),
            Verdict::InputGone => self.report.count(Figure::BalanceInputGone, 1),
            Verdict::Failed(why) => {
                agrees = false;
                self.differs(
                    step.offset,
                    format!("step {} cannot be decided again: {why}", step.sequence),
                );
            }
            Verdict::Decided { appends, delta, messages } => {
                self.report.count(Figure::LedgerMessages, messages as u64);
                agrees = delta == *step.delta;
                if agrees {
                    self.report.count(Figure::BalanceSteps, 1);
                    charges = Some(appends);
                } else {
                    let why = self.unlike(step, &delta);
                    self.differs(step.offset, why);
                }
            }
        }
        let told = self.tell(step)?;
        let Some(told) = told else { return Ok(agrees) };
        for topic in TOLD {
            self.follow(topic, &told)?;
        }
        // They need the lines as well.
        match charges {
            Some(said) => self.follow(Topic::Charges, &said)?,
            None => self.follower(Topic::Charges).into_iter().for_each(Follower::lose_place),
        }
        Ok(agrees)
    }

    /// Applies and books a step, and says what follows from it. None if its facts contradict the state.
    fn tell(&mut self, step: &Step<'_>) -> anyhow::Result<Option<Vec<Append>>> {
        let Some(told) = self.told.as_mut() else { return Ok(None) };
        let (books, views, mut wrong) = (&mut self.books, &mut self.views, Vec::new());
        let (remittances, crossings) = (&mut self.report.remittances, &mut self.report.crossings);
        let mut output = Output::default();
        let applied = told.tell_again(&step.delta, &mut output, &mut |ledger, part| {
            views.note(ledger, part);
            if let Part::Fact(fact) = part {
                wrong.extend(remittances.take(ledger, fact));
                wrong.extend(crossings.take(ledger, fact));
            }
            let unbalanced = books.take(ledger, part);
            wrong.extend(unbalanced.map_err(|error| Stop::Broken(error.to_string()))?);
            Ok(())
        });
        if let Err(stop) = applied {
            wrong.push(format!("step {} contradicts the ledger: {stop}", step.sequence));
        }
        wrong.extend(self.books.after_step(told.ledger())?);
        for what in wrong {
            self.differs(step.offset, what);
        }
        Ok(Some(output.into_parts().0))
    }

    fn follower(&mut self, topic: Topic) -> Option<&mut Follower> {
        let found = self.followers.iter_mut().find(|(followed, _)| *followed == topic);
        found.map(|(_, follower)| follower)
    }

    /// Holds what was decided to be said on a topic against it.
    fn follow(&mut self, topic: Topic, said: &[Append]) -> anyhow::Result<()> {
        let name = self.job.installation.topics.name(topic);
        let follower = self.followers.iter_mut().find(|(followed, _)| *followed == topic);
        let (Some((_, follower)), Some(told)) = (follower, &self.told) else { return Ok(()) };
        let views = &mut self.views;
        for append in said.iter().filter(|append| append.topic == name) {
            follower.expect(&append.value, &mut self.report, &mut |held, report| {
                views.take(topic, told.ledger(), name, append.partition, held, report)
            })?;
        }
        Ok(())
    }

    /// Where a step's delta and what was decided again differ, in words.
    fn unlike(&self, step: &Step<'_>, again: &[u8]) -> String {
        let (logged, decided) = (parts(&step.delta), parts(again));
        let longest = logged.len().max(decided.len());
        let place = (0..longest).find(|place| logged.get(*place) != decided.get(*place));
        let Some(place) = place else {
            return format!("step {} is cut otherwise than it was decided", step.sequence);
        };
        let ledger = self.told.as_ref().map(Balance::ledger);
        format!(
            "step {} says {}, decided again it is {}",
            step.sequence,
            shown(ledger, logged.get(place)),
            shown(ledger, decided.get(place))
        )
    }

    /// All steps have been taken: what they add up to.
    fn finish(&mut self, decided: &Balance) -> anyhow::Result<()> {
        let topics = &self.job.installation.topics;
        let Some(told) = self.told.take() else { return Ok(()) };
        for (topic, follower) in &mut self.followers {
            let (views, name) = (&mut self.views, topics.name(*topic));
            follower.finish(&mut self.report, &mut |held, report| {
                views.take(*topic, told.ledger(), name, self.partition, held, report)
            })?;
        }
        let ledger = told.ledger();
        self.report.crossings.close(ledger);
        let state = topics.name(Topic::BalanceState);
        let mut wrong = Vec::new();
        for number in wallets_of(ledger) {
            wrong.extend(self.books.compare(ledger, number)?);
        }
        if pieces(&told) != pieces(decided) {
            wrong.push("the ledger that its facts make is not the one that decided".to_owned());
        }
        self.report.count(Figure::FactsBooked, self.books.booked);
        wrong.extend(std::mem::take(&mut self.books).close(&mut self.report)?);
        for what in wrong {
            self.report.differs(state, self.partition, None, what);
        }
        let whole = self.followers.iter().filter(|(_, follower)| follower.is_whole());
        let whole: Vec<Topic> = whole.map(|(topic, _)| *topic).collect();
        let waiting = ledger.wallets().iter().map(|wallet| wallet.drafts().len()).sum();
        let all_invoices = whole.contains(&Topic::Invoices);
        self.report.numbers.read(ledger.clock().now(), waiting, all_invoices);
        self.views.finish(self.job, self.partition, ledger, &whole, &mut self.report)
    }
}

/// The parts of a delta, as far as they can be read.
fn parts(delta: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let read = each_part(delta, &mut |part| {
        parts.push(part);
        Ok(())
    });
    drop(read);
    parts
}

fn shown(ledger: Option<&Ledger>, part: Option<&Part>) -> String {
    let wallet = |number: Option<WalletNumber>| {
        let wallet = ledger.zip(number).and_then(|(ledger, number)| ledger.wallet(number));
        wallet.map_or(String::new(), |wallet| format!("{}: ", wallet.id))
    };
    match part {
        None => "nothing more".to_owned(),
        Some(Part::Fact(fact)) => {
            let text = serde_json::to_string(fact).unwrap_or_default();
            format!("{}{text}", wallet(fact.changes_balance_of()))
        }
        Some(Part::Accrued(accrued)) => {
            let account = ledger.and_then(|ledger| ledger.account(accrued.account));
            let account = account.map_or(String::new(), |account| format!("{}: ", account.id));
            format!("{account}{}", serde_json::to_string(accrued).unwrap_or_default())
        }
    }
}

/// A ledger's whole state, without what has to be told.
fn pieces(station: &Balance) -> Vec<drawdown_domain::ledger::Piece> {
    let (mut pieces, mut place) = (Vec::new(), Some(drawdown_domain::ledger::Place::Shared));
    while let Some(at) = place {
        let (piece, after) = station.ledger().piece(at, usize::MAX);
        pieces.push(piece);
        place = after;
    }
    pieces
}
