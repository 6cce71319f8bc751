//! Steps decided again: the same input, the same cuts, the same code, and the same delta.

use drawdown_domain::ledger::RULES_VERSION;
use drawdown_domain::time::Timestamp;
use drawdown_log::{Append, Message, Next, Offset};
use drawdown_runtime::{Input, Output, Replay, Station, Step};

use super::reader::Reader;

/// What became of a step.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It was decided again, and said this.
    Decided { appends: Vec<Append>, delta: Vec<u8>, messages: usize },
    /// It cannot be decided again, though all that is needed is there.
    Failed(String),
    /// Other rules decided it. The station has taken it as it was decided.
    OtherRules,
    /// Its input is no longer kept, or something else that it takes. The station has taken it as it was
    /// decided.
    InputGone,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Came {
    Step(Step<'static>, Verdict),
    /// The state cannot be followed beyond this.
    Broken(Offset, String),
    End,
}

/// A partition's steps, one after the other.
pub(super) struct Again<'a, S> {
    replay: Replay<'a, S>,
    pub(super) state: Reader,
    pub(super) input: Reader,
    /// Where the last step ended.
    last: Option<Next>,
    /// State messages that led to the oldest whole snapshot.
    pub(super) before: u64,
    /// What the station remembers outside its state has to be read again.
    unrestored: bool,
    /// Earlier steps cannot be decided again.
    from: Timestamp,
}

impl<'a, S: Station> Again<'a, S> {
    pub(super) fn new(make: &'a dyn Fn(u32) -> S, state: Reader, input: Reader) -> Again<'a, S> {
        let replay = Replay::new(make, state.partition);
        Again {
            replay,
            state,
            input,
            last: None,
            before: 0,
            unrestored: false,
            from: Timestamp::START,
        }
    }

    /// The station, as the last step left it.
    pub(super) fn station(&mut self) -> &mut S {
        &mut self.replay.station
    }

    /// The next message of the state topic: nothing unless it completes a step.
    pub(super) fn next(
        &mut self,
        opened: &mut dyn FnMut(&S, u64) -> anyhow::Result<()>,
    ) -> anyhow::Result<Came> {
        loop {
            let Some(held) = self.state.pop()? else { return Ok(Came::End) };
            let step = match self.replay.take(held.message(self.state.partition)) {
                Err(stop) => return Ok(Came::Broken(held.offset, stop.to_string())),
                Ok(None) => {
                    self.before += u64::from(!self.replay.is_whole());
                    continue;
                }
                Ok(Some(step)) => step.into_owned(),
            };
            if self.last.is_none() {
                self.unrestored = step.sequence != 1;
                self.from = self.replay.station.decided_again_from()?;
                opened(&self.replay.station, step.sequence)?;
            }
            if let Some(last) = self.last.filter(|last| *last != step.from) {
                let why = format!(
                    "step {} reads from {}, but the one before it ended at {}",
                    step.sequence, step.from.0, last.0
                );
                return Ok(Came::Broken(step.offset, why));
            }
            self.last = Some(step.next);
            let verdict = self.decide(&step)?;
            return Ok(Came::Step(step, verdict));
        }
    }

    fn decide(&mut self, step: &Step<'_>) -> anyhow::Result<Verdict> {
        let station = &mut self.replay.station;
        let input = self.input.between(step.from, step.next)?;
        let taken_as_decided = match &input {
            _ if step.rules_version != RULES_VERSION => Some(Verdict::OtherRules),
            None => Some(Verdict::InputGone),
            Some(_) if station.time() < self.from => Some(Verdict::InputGone),
            Some(_) => None,
        };
        if let Some(verdict) = taken_as_decided {
            self.unrestored = true;
            return Ok(match station.apply(&step.delta) {
                Ok(()) => verdict,
                Err(stop) => Verdict::Failed(stop.to_string()),
            });
        }
        if std::mem::take(&mut self.unrestored) {
            station.restored()?;
        }
        let input = input.unwrap_or_default();
        let messages: Vec<Message<'_>> =
            input.iter().map(|held| held.message(self.input.partition)).collect();
        let mut output = Output::default();
        let again = Input { messages: &messages };
        if let Err(stop) = station.decide_again(again, &step.delta, &mut output) {
            return Ok(Verdict::Failed(stop.to_string()));
        }
        let (appends, delta) = output.into_parts();
        Ok(Verdict::Decided { appends, delta, messages: messages.len() })
    }
}

/// The same station once more, taken apart and put together.
pub(super) fn copy_of<S: Station>(
    station: &S,
    partition: u32,
    make: &dyn Fn(u32) -> S,
) -> anyhow::Result<S> {
    let mut copy = make(partition);
    let mut place = Some(Vec::new());
    while let Some(at) = place {
        let (piece, after) = station.piece(&at, PIECE_BYTES);
        copy.load(&piece)?;
        place = after;
    }
    copy.loaded()?;
    Ok(copy)
}

/// Pieces of this size are copied at a time.
const PIECE_BYTES: usize = 1 << 20;
