//! What was read of a partition and is not in ClickHouse yet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use drawdown_domain::time::Timestamp;
use drawdown_log::{Message, Next};

use crate::blocks::{Claim, Sure};
use crate::counting::Counting;
use crate::projecting::{self, Project};
use crate::rows::{Place, Rows};
use crate::store::Trouble;

/// Messages that become no rows are kept together for so many times as long as others.
const WITHOUT_ROWS: u32 = 60;

/// A message that was read.
#[derive(Clone, Debug)]
struct Kept {
    offset: i64,
    at: Timestamp,
    value: Vec<u8>,
}

/// What a message takes in memory, about.
fn weight(value: &[u8]) -> usize {
    value.len() + 64
}

/// What a partition's messages become.
#[derive(Debug)]
pub(crate) enum Kind {
    Plain(Project),
    /// Only counted records, which are listed elsewhere.
    Usage(Counting),
}

/// A partition that is read.
#[derive(Debug)]
pub(crate) struct Held {
    partition: u32,
    pub(crate) kind: Kind,
    /// Where reading has come to.
    pub(crate) next: Next,
    kept: VecDeque<Kept>,
    pub(crate) bytes: usize,
    /// When the oldest message was read that waits.
    since: Option<Instant>,
    /// When a block was last filled.
    filled_at: Option<Instant>,
    /// The block that is being filled, once it is written down.
    pub(crate) block: Option<(Claim, Sure)>,
    /// Messages were passed over for want of room; they are read again from `next` on.
    pub(crate) passed_over: bool,
}

impl Held {
    pub(crate) fn new(partition: u32, kind: Kind, next: Next, block: Option<Claim>) -> Held {
        Held {
            partition,
            kind,
            next,
            kept: VecDeque::new(),
            bytes: 0,
            since: None,
            filled_at: None,
            block: block.map(|claim| (claim, None)),
            passed_over: false,
        }
    }

    /// Takes a message, if there is room.
    pub(crate) fn take(&mut self, message: &Message<'_>, has_room: bool) {
        if self.passed_over || message.offset.0 < self.next.0 {
            return;
        }
        if !has_room {
            self.passed_over = true;
            return;
        }
        self.since.get_or_insert_with(Instant::now);
        self.bytes += weight(message.value);
        self.next = message.offset.next();
        let Message { offset, at, value, .. } = message;
        self.kept.push_back(Kept { offset: offset.0, at: *at, value: value.to_vec() });
    }

    /// Whether nothing of it waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether rows wait longer than they should. What METERING has not come to is not theirs to insert.
    pub(crate) fn waits_too_long(&self, bytes_max: usize, patience: Duration) -> bool {
        let is_late = self.since.is_some_and(|since| since.elapsed() > patience);
        is_late && self.cut(bytes_max).is_some_and(|(claim, _)| self.has_rows(claim))
    }

    /// Whether a block may have rows. Most of what comes by an idle partition of usage is the time.
    fn has_rows(&self, claim: Claim) -> bool {
        match &self.kind {
            Kind::Plain(_) => true,
            Kind::Usage(counting) => !counting.listed(claim).is_empty(),
        }
    }

    /// Whether a block is worth an insert: one without rows only says now and then how far it is.
    pub(crate) fn is_worth(&self, claim: Claim, bytes_max: usize, after: Duration) -> bool {
        let after = after.saturating_mul(WITHOUT_ROWS);
        let is_long = self.since.is_some_and(|since| since.elapsed() >= after);
        self.bytes >= bytes_max || is_long || self.has_rows(claim)
    }

    /// Whether there is enough for a block, or the last one is long enough ago: what comes by itself is
    /// inserted at once, and where much comes ClickHouse gets it in few parts.
    pub(crate) fn is_due(&self, bytes_max: usize, after: Duration) -> bool {
        let is_quiet = self.filled_at.is_none_or(|at| at.elapsed() >= after);
        self.bytes >= bytes_max || (self.since.is_some() && is_quiet)
    }

    /// The block that could be filled now, and when the log took its last message. Of usage, only what METERING
    /// has come to is ready.
    pub(crate) fn cut(&self, bytes_max: usize) -> Option<(Claim, Timestamp)> {
        let limit = match &self.kind {
            Kind::Plain(_) => i64::MAX,
            Kind::Usage(counting) => counting.limit(),
        };
        let (mut bytes, mut last) = (0, None);
        for kept in self.kept.iter().take_while(|kept| kept.offset < limit) {
            last = Some(kept);
            bytes += weight(&kept.value);
            if bytes >= bytes_max {
                break;
            }
        }
        let beside = match &self.kind {
            Kind::Plain(_) => 0,
            Kind::Usage(counting) => counting.beside(),
        };
        let (first, last) = (self.kept.front()?, last?);
        Some((Claim { first: first.offset, last: last.offset, beside }, last.at))
    }

    /// Whether all messages of a block are here, and ready.
    pub(crate) fn has(&self, claim: Claim) -> bool {
        let is_ready = match &self.kind {
            Kind::Plain(_) => true,
            Kind::Usage(counting) => counting.limit() > claim.last,
        };
        is_ready && self.next.0 > claim.last
    }

    /// The rows of a block.
    pub(crate) fn rows(&self, claim: Claim) -> Result<Rows, Trouble> {
        let mut rows = Rows::default();
        let mut listed = match &self.kind {
            Kind::Plain(_) => VecDeque::new(),
            Kind::Usage(counting) => counting.listed(claim),
        };
        for kept in self.kept.iter().take_while(|kept| kept.offset <= claim.last) {
            let place = Place { partition: self.partition, offset: kept.offset };
            let projected = match &self.kind {
                Kind::Plain(project) => {
                    project(&kept.value, place, &mut rows).map_err(|error| error.to_string())
                }
                Kind::Usage(_) => projecting::counted(&kept.value, place, &mut listed, &mut rows)
                    .map_err(|missing| format!("a counted record is not there: {missing:?}")),
            };
            projected.map_err(|why| {
                Trouble::Permanent(format!(
                    "the message at {} of partition {} cannot become rows: {why}",
                    kept.offset, self.partition
                ))
            })?;
        }
        match listed.front() {
            None => Ok(rows),
            Some(missing) => Err(Trouble::Permanent(format!(
                "partition {} has no message at {} any more, of which a record was counted",
                self.partition, missing.offset
            ))),
        }
    }

    /// A block is in.
    pub(crate) fn filled(&mut self, claim: Claim) {
        while let Some(kept) = self.kept.front().filter(|kept| kept.offset <= claim.last) {
            self.bytes = self.bytes.saturating_sub(weight(&kept.value));
            self.kept.pop_front();
        }
        if let Kind::Usage(counting) = &mut self.kind {
            counting.forget(claim.last);
        }
        self.since = (!self.kept.is_empty()).then(Instant::now);
        self.filled_at = Some(Instant::now());
        self.block = None;
    }
}
