//! What a station has done, read back from its state topic: to rebuild it, and to decide its steps
//! again.

use std::fmt;

use drawdown_log::{Message, Next, Offset};
use drawdown_wire::avro;

use crate::state::{Ask, Assembler, Chain, Frame};
use crate::{Station, Stop};

/// A step as it stands on the state topic.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where its delta begins on the state topic.
    pub offset: Offset,
    /// Counts the steps of the partition, from one on.
    pub sequence: u64,
    /// Its input: from here up to `next`.
    pub from: Next,
    pub next: Next,
    /// The rules that decided it.
    pub rules_version: u32,
    pub delta: Vec<u8>,
}

/// A station put together from its state topic, message by message.
pub struct Replay<'a, S> {
    make: &'a dyn Fn(u32) -> S,
    pub station: S,
    assembler: Assembler,
    began: Offset,
}

impl<S> fmt::Debug for Replay<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({:?})", self.assembler.complete())
    }
}

impl<'a, S: Station> Replay<'a, S> {
    pub fn new(make: &'a dyn Fn(u32) -> S, partition: u32) -> Replay<'a, S> {
        let assembler = Assembler::default();
        Replay { make, station: make(partition), assembler, began: Offset(0) }
    }

    /// Takes the next message of the state topic. A step that begins where the station stands is
    /// returned, and whoever asks applies it or decides it again; what merely completes a snapshot is
    /// taken in here.
    pub fn take(&mut self, message: Message<'_>) -> Result<Option<Step>, Stop> {
        let at = |error: &dyn fmt::Display| {
            Stop::Broken(format!("{error} (state offset {})", message.offset.0))
        };
        let frame: Frame = avro::decode(message.value).map_err(|error| at(&error))?;
        if frame.part == 0 {
            self.began = message.offset;
        }
        let step = Step {
            offset: self.began,
            sequence: frame.sequence,
            from: Next(frame.from),
            next: Next(frame.next),
            rules_version: frame.rules_version,
            delta: Vec::new(),
        };
        match self.assembler.take(frame).map_err(|error| at(&error))? {
            Ask::Nothing => {}
            Ask::Apply(delta) if self.assembler.complete().is_some() => {
                return Ok(Some(Step { delta, ..step }));
            }
            Ask::Apply(delta) => self.station.apply(&delta)?,
            Ask::Begin(piece) => {
                self.station = (self.make)(message.partition);
                self.station.load(&piece)?;
                if self.assembler.complete().is_some() {
                    self.station.loaded();
                }
            }
            Ask::Load(piece) => self.station.load(&piece)?,
            Ask::Complete(piece) => {
                self.station.load(&piece)?;
                self.station.loaded();
            }
        }
        Ok(None)
    }

    /// Whether the station is whole: it began with its first step, or with a snapshot.
    pub fn is_whole(&self) -> bool {
        self.assembler.complete().is_some()
    }

    pub(crate) fn complete(&self) -> Option<Chain> {
        self.assembler.complete()
    }

    /// Whether any state was met.
    pub fn has_begun(&self) -> bool {
        self.assembler.has_begun()
    }
}
