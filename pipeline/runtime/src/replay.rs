//! What a station has done, read back from its state topic: to rebuild it, and to decide its steps
//! again.

use std::borrow::Cow;
use std::fmt;

use drawdown_log::{Message, Next, Offset};
use drawdown_wire::avro::{self, Fingerprint, SINGLE_OBJECT_HEADER_BYTES};
use drawdown_wire::schemas::{self, Schema, Unreadable};
use drawdown_wire::state::{FrameInPlace, FrameKind};

use crate::generations::Generations;
use crate::state::{Ask, Assembler, Chain};
use crate::{Station, Stop};

/// A step as it stands on the state topic.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// Where its delta begins on the state topic.
    pub offset: Offset,
    /// Counts the steps of the partition, from one on.
    pub sequence: u64,
    /// Its input: from here up to `next`.
    pub from: Next,
    pub next: Next,
    /// The rules that decided it.
    pub rules_version: u32,
    pub delta: Cow<'a, [u8]>,
}

impl Step<'_> {
    /// The same, kept longer than its message.
    pub fn into_owned(self) -> Step<'static> {
        let Step { offset, sequence, from, next, rules_version, delta } = self;
        let delta = Cow::Owned(delta.into_owned());
        Step { offset, sequence, from, next, rules_version, delta }
    }
}

/// A station put together from its state topic, message by message.
pub struct Replay<'a, S> {
    make: &'a dyn Fn(u32) -> S,
    pub station: S,
    assembler: Assembler,
    began: Offset,
    pub(crate) snapshots: Snapshots,
}

/// What was met of snapshots.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    pub(crate) whole: Generations,
    /// So much the newest one takes, and so much has changed since.
    pub(crate) bytes: u64,
    pub(crate) delta_bytes: u64,
    /// One that is not whole yet.
    pub(crate) begun: Option<Begun>,
}

/// A snapshot of which some pieces were met.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) begins: Offset,
    /// The schema of all its pieces.
    pub(crate) schema: Option<Fingerprint>,
    /// Where it goes on.
    pub(crate) place: Vec<u8>,
    /// So much it takes so far, and so much has changed since it began.
    pub(crate) bytes: u64,
    pub(crate) delta_bytes: u64,
}

impl Snapshots {
    fn meet(&mut self, offset: Offset, frame: &FrameInPlace<'_>) {
        let bytes = frame.payload.len() as u64;
        if frame.kind == FrameKind::Delta {
            self.delta_bytes = self.delta_bytes.saturating_add(bytes);
            if let Some(begun) = &mut self.begun {
                begun.delta_bytes = begun.delta_bytes.saturating_add(bytes);
            }
            return;
        }
        let schema = avro::split_header(frame.payload).map(|(schema, _)| schema);
        let begins = Begun { begins: offset, schema, place: Vec::new(), bytes: 0, delta_bytes: 0 };
        let begun = match frame.place.is_empty() {
            true => Some(begins),
            false => self.begun.take().filter(|begun| begun.place == frame.place),
        };
        self.begun = begun.map(|begun| Begun {
            schema: begun.schema.filter(|all| Some(*all) == schema),
            place: frame.place_after.to_vec(),
            bytes: begun.bytes.saturating_add(bytes),
            ..begun
        });
        if frame.last {
            self.whole = Generations::told(frame.snapshots.clone());
            if let Some(begun) = self.begun.take() {
                (self.bytes, self.delta_bytes) = (begun.bytes, begun.delta_bytes);
            }
        }
    }
}

impl<S> fmt::Debug for Replay<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({:?})", self.assembler.complete())
    }
}

impl<'a, S: Station> Replay<'a, S> {
    pub fn new(make: &'a dyn Fn(u32) -> S, partition: u32) -> Replay<'a, S> {
        let assembler = Assembler::default();
        let (began, snapshots) = (Offset(0), Snapshots::default());
        Replay { make, station: make(partition), assembler, began, snapshots }
    }

    /// Takes the next message of the state topic. A step that begins where the station stands is
    /// returned, and whoever asks applies it or decides it again; what merely completes a snapshot is
    /// taken in here.
    pub fn take<'m>(&mut self, message: Message<'m>) -> Result<Option<Step<'m>>, Stop> {
        let Message { partition, offset, value, .. } = message;
        match schemas::FRAME.value(value).map_err(|error| unread(error, offset))? {
            Cow::Borrowed(value) => self.frame(partition, offset, value),
            Cow::Owned(value) => Ok(self.frame(partition, offset, &value)?.map(Step::into_owned)),
        }
    }

    fn frame<'m>(
        &mut self,
        partition: u32,
        offset: Offset,
        frame: &'m [u8],
    ) -> Result<Option<Step<'m>>, Stop> {
        let unread = |error| unread(error, offset);
        let frame: FrameInPlace<'m> = avro::decode(frame).map_err(|error| unread(error.into()))?;
        self.snapshots.meet(offset, &frame);
        if frame.part == 0 {
            self.began = offset;
        }
        let (sequence, rules_version) = (frame.sequence, frame.rules_version);
        let (from, next) = (Next(frame.from), Next(frame.next));
        let ask = self.assembler.take(frame).map_err(|error| broken(&error, offset))?;
        match ask {
            Ask::Nothing => {}
            Ask::Apply(delta) => {
                let delta = value(S::DELTA, delta).map_err(unread)?;
                if self.is_whole() {
                    let offset = self.began;
                    return Ok(Some(Step { offset, sequence, from, next, rules_version, delta }));
                }
                self.station.catch_up(&delta)?;
            }
            Ask::Begin(piece) => {
                self.station = (self.make)(partition);
                self.station.load(&value(S::PIECE, piece.into()).map_err(unread)?)?;
                if self.is_whole() {
                    self.station.loaded()?;
                }
            }
            Ask::Load(piece) => {
                self.station.load(&value(S::PIECE, piece.into()).map_err(unread)?)?;
            }
            Ask::Complete(piece) => {
                self.station.load(&value(S::PIECE, piece.into()).map_err(unread)?)?;
                self.station.loaded()?;
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

/// What to do about state that this version does not know.
const OTHER_VERSION: &str = "another version wrote this state: start that one again, or one that is later \
                             and has its schemas among its released ones";

fn broken(error: &dyn fmt::Display, at: Offset) -> Stop {
    Stop::Broken(format!("{error} (state offset {})", at.0))
}

fn unread(error: Unreadable, at: Offset) -> Stop {
    match error {
        Unreadable::UnknownSchema { .. } => broken(&format!("{error}; {OTHER_VERSION}"), at),
        error => broken(&error, at),
    }
}

/// What a message says, as the present schema has it. One that says nothing is nothing.
fn value<'a>(schema: &Schema, message: Cow<'a, [u8]>) -> Result<Cow<'a, [u8]>, Unreadable> {
    if message.is_empty() {
        return Ok(message);
    }
    match message {
        Cow::Borrowed(message) => schema.value(message),
        Cow::Owned(mut message) => {
            if let Cow::Owned(present) = schema.value(&message)? {
                return Ok(present.into());
            }
            message.drain(..SINGLE_OBJECT_HEADER_BYTES);
            Ok(message.into())
        }
    }
}
