//! Records that are read ahead of what is decided about them.
//!
//! What a record asks for lies anywhere in memory: its account, its identity. One after the other the
//! processor would wait for each; a window's worth of them it fetches together. Nothing is decided here.

use drawdown_log::Message;
use drawdown_wire::usage::Read;

use crate::identities::Told;

/// What they ask for stays in the nearest caches until it is used.
const RECORDS: usize = 64;

/// A record, and what is to be worked out of it alone.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) index: u32,
    pub(crate) read: Read<'a>,
    /// Of its account's name.
    pub(crate) hash: u64,
    pub(crate) told: Told,
}

/// Some messages and their records, in order.
#[derive(Debug, Default)]
pub(crate) struct Window<'a> {
    messages: Vec<(&'a Message<'a>, usize)>,
    pub(crate) records: Vec<Seen<'a>>,
    /// The last message goes on behind this window.
    is_cut: bool,
}

/// A message of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) message: &'a Message<'a>,
    /// The place behind its last record.
    pub(crate) until: usize,
    /// No records of it follow.
    pub(crate) is_whole: bool,
}

impl<'a> Window<'a> {
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= RECORDS
    }

    pub(crate) fn begin(&mut self, message: &'a Message<'a>) {
        self.messages.push((message, self.records.len()));
        self.is_cut = true;
    }

    pub(crate) fn see(&mut self, seen: Seen<'a>) {
        self.records.push(seen);
        if let Some((_, until)) = self.messages.last_mut() {
            *until = self.records.len();
        }
    }

    /// No more records of the last message follow.
    pub(crate) fn end(&mut self) {
        self.is_cut = false;
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        let cut = self.messages.len().checked_sub(1).filter(|_| self.is_cut);
        self.messages.iter().enumerate().map(move |(place, (message, until))| Part {
            message,
            until: *until,
            is_whole: cut != Some(place),
        })
    }

    /// Empties the window. A message that is cut goes on in it.
    pub(crate) fn clear(&mut self) {
        let cut = self.messages.last().filter(|_| self.is_cut).map(|(message, _)| *message);
        self.messages.clear();
        self.records.clear();
        self.messages.extend(cut.map(|message| (message, 0)));
    }
}
