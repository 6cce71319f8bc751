//! Metering and the registry: their steps decided again, and what they say held against the topics.

use drawdown_metering::Metering;
use drawdown_registry::Registry;
use drawdown_runtime::{Station, Step};
use drawdown_wire::avro;
use drawdown_wire::state::RegistryDelta;
use drawdown_wire::topics::Topic;

use super::Job;
use super::again::{Again, Came, Verdict};
use super::follow::Follower;
use super::remittances::Remittances;
use super::report::{Figure, Report};
use super::sources::{Saying, Sayings, Search, Source};

/// How a consumer's proof is counted.
struct Figures {
    steps: Figure,
    other_rules: Figure,
    input_gone: Figure,
    unproven: Figure,
    before: Figure,
    messages: Figure,
}

const METERING: Figures = Figures {
    steps: Figure::MeteringSteps,
    other_rules: Figure::MeteringOtherRules,
    input_gone: Figure::MeteringInputGone,
    unproven: Figure::MeteringUnproven,
    before: Figure::MeteringBefore,
    messages: Figure::UsageMessages,
};

const REGISTRY: Figures = Figures {
    steps: Figure::RegistrySteps,
    other_rules: Figure::RegistryOtherRules,
    input_gone: Figure::RegistryInputGone,
    unproven: Figure::RegistryUnproven,
    before: Figure::RegistryBefore,
    messages: Figure::CommandMessages,
};

/// A consumer's partition whose steps are decided again.
struct Speaker<'a> {
    job: &'a Job<'a>,
    state: Topic,
    partition: u32,
    figures: Figures,
    followers: Vec<(Topic, Follower)>,
    report: Report,
    /// What each fact of a delta says.
    facts: fn(&[u8]) -> Vec<String>,
}

/// Hears what is decided to be said to a ledger; none: a step whose sayings are not known.
type Say<'a> = &'a mut dyn FnMut(Heard<'_>) -> anyhow::Result<()>;

/// What happens to what a source says.
enum Heard<'a> {
    /// Everything will be decided again, from its first step on.
    Whole,
    Said(u32, &'a [u8]),
    /// What a step said is not known.
    Lost,
    Reached(&'a Step<'a>),
}

/// Decides all steps of a source again, and notes what it says to the ledgers.
pub(super) fn audit_source(
    job: &Job<'_>,
    source: Source,
    kept_from: &[Option<i64>],
) -> anyhow::Result<(Saying, Report)> {
    let mut saying = Saying::new(kept_from);
    let report = decide_source(job, source, &mut |heard| {
        note(&mut saying, heard);
        Ok(())
    })?;
    Ok((saying, report))
}

fn note(saying: &mut Saying, heard: Heard<'_>) -> bool {
    match heard {
        Heard::Whole => saying.begin_at_the_start(),
        Heard::Said(ledger, message) => return saying.say(ledger, message),
        Heard::Lost => saying.lose_place(),
        Heard::Reached(step) => saying.reach(step.next),
    }
    false
}

/// Finds where a ledger first differs from what a source was decided to say, and reports it.
pub(super) fn locate(
    job: &Job<'_>,
    source: Source,
    ledger: u32,
    kept_from: &[Option<i64>],
    sayings: &Sayings,
    report: &mut Report,
) -> anyhow::Result<()> {
    let reader = job.reader(Topic::Ledger, ledger)?;
    let mut saying = Saying::new(kept_from);
    let mut search = Search::new(reader, source, sayings);
    decide_source(job, source, &mut |heard| {
        let message = match &heard {
            Heard::Said(to, message) if *to == ledger => Some(*message),
            _ => None,
        };
        match (note(&mut saying, heard), message) {
            (true, Some(message)) => search.expect(message),
            _ => Ok(()),
        }
    })?;
    let name = job.installation.topics.name(Topic::Ledger);
    let (offset, what) = search
        .finish()?
        .unwrap_or((None, format!("{source:?} said something else than was decided again")));
    report.differs(name, ledger, offset, what);
    Ok(())
}

fn decide_source(job: &Job<'_>, source: Source, say: Say<'_>) -> anyhow::Result<Report> {
    match source {
        Source::Registry => {
            let speaker = Speaker {
                job,
                state: Topic::RegistryState,
                partition: 0,
                figures: REGISTRY,
                followers: Vec::new(),
                report: Report::default(),
                facts: registry_facts,
            };
            let close = &|station: &Registry, report: &mut Report| {
                Ok(Remittances::close_registry(station.state(), report)?)
            };
            speaker.decide(Topic::Commands, &job.installation.registry_station(), say, close)
        }
        Source::Metering(partition) => {
            let mut followers = Vec::new();
            for topic in [Topic::Rejects, Topic::Identities] {
                followers.push((topic, Follower::new(topic, job.reader(topic, partition)?)));
            }
            let speaker = Speaker {
                job,
                state: Topic::MeteringState,
                partition,
                figures: METERING,
                followers,
                report: Report::default(),
                facts: |_| Vec::new(),
            };
            let close = &|_: &Metering, _: &mut Report| Ok(());
            speaker.decide(Topic::Usage, &job.installation.metering_station(), say, close)
        }
    }
}

impl Speaker<'_> {
    fn decide<S: Station>(
        mut self,
        input: Topic,
        make: &dyn Fn(u32) -> S,
        say: Say<'_>,
        close: &dyn Fn(&S, &mut Report) -> anyhow::Result<()>,
    ) -> anyhow::Result<Report> {
        let state = self.job.reader(self.state, self.partition)?;
        let input = self.job.reader(input, self.partition)?;
        let mut again = Again::new(make, state, input);
        let mut proven = true;
        loop {
            let followers = &mut self.followers;
            let came = again.next(&mut |_, sequence| {
                if sequence == 1 {
                    followers.iter_mut().for_each(|(_, follower)| follower.begin_at_the_start());
                    say(Heard::Whole)?;
                }
                Ok(())
            })?;
            match came {
                Came::End => break,
                Came::Broken(offset, why) => {
                    self.differs(Some(offset), why);
                    proven = false;
                    break;
                }
                Came::Step(step, verdict) if proven => {
                    proven = self.step(&step, verdict, say)?;
                    self.job.tell(self.state, self.partition, &step);
                }
                // The station is not what the log says it was, so nothing more is decided with it.
                Came::Step(..) => self.report.count(self.figures.unproven, 1),
            }
        }
        self.report.count(self.figures.before, again.before);
        if proven {
            let Speaker { followers, report, .. } = &mut self;
            for (_, follower) in followers {
                follower.finish(report, &mut |_, _| Ok(()))?;
            }
            close(again.station(), report)?;
        }
        Ok(self.report)
    }

    fn differs(&mut self, offset: Option<drawdown_log::Offset>, what: String) {
        let topic = self.job.installation.topics.name(self.state);
        self.report.differs(topic, self.partition, offset, what);
    }

    fn step(&mut self, step: &Step<'_>, verdict: Verdict, say: Say<'_>) -> anyhow::Result<bool> {
        let (appends, delta) = match verdict {
            Verdict::Decided { appends, delta, messages } => {
                self.report.count(self.figures.messages, messages as u64);
                (appends, delta)
            }
            Verdict::OtherRules | Verdict::InputGone => {
                let figure = match verdict {
                    Verdict::OtherRules => self.figures.other_rules,
                    _ => self.figures.input_gone,
                };
                self.report.count(figure, 1);
                self.followers.iter_mut().for_each(|(_, follower)| follower.lose_place());
                say(Heard::Lost)?;
                return Ok(true);
            }
            Verdict::Failed(why) => {
                let what = format!("step {} cannot be decided again: {why}", step.sequence);
                self.differs(Some(step.offset), what);
                return Ok(false);
            }
        };
        if delta != *step.delta {
            let what = unlike(self.facts, step, &delta);
            self.differs(Some(step.offset), what);
            return Ok(false);
        }
        self.report.count(self.figures.steps, 1);
        let topics = &self.job.installation.topics;
        for append in appends {
            if append.topic == topics.name(Topic::Ledger) {
                say(Heard::Said(append.partition, &append.value))?;
            }
            let followed =
                self.followers.iter_mut().find(|(topic, _)| topics.name(*topic) == append.topic);
            if let Some((_, follower)) = followed {
                follower.expect(&append.value, &mut self.report, &mut |_, _| Ok(()))?;
            }
        }
        say(Heard::Reached(step))?;
        Ok(true)
    }
}

/// Where a step's delta and what was decided again differ, in words.
fn unlike(facts: fn(&[u8]) -> Vec<String>, step: &Step<'_>, again: &[u8]) -> String {
    let (logged, decided) = (facts(&step.delta), facts(again));
    let longest = logged.len().max(decided.len());
    match (0..longest).find(|place| logged.get(*place) != decided.get(*place)) {
        Some(place) => {
            let nothing = "nothing more".to_owned();
            format!(
                "step {} says {}, decided again it is {}",
                step.sequence,
                logged.get(place).unwrap_or(&nothing),
                decided.get(place).unwrap_or(&nothing)
            )
        }
        None => format!(
            "step {} has a delta of {} bytes, decided again another one of {}",
            step.sequence,
            step.delta.len(),
            again.len()
        ),
    }
}

fn registry_facts(delta: &[u8]) -> Vec<String> {
    let facts = avro::decode(delta).map(|RegistryDelta { facts }| facts).unwrap_or_default();
    facts.iter().map(|fact| serde_json::to_string(fact).unwrap_or_default()).collect()
}
