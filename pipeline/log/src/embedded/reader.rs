//! Reading committed messages from where a reader is: from memory if they are recent, else from the
//! segments. What is taken at a time is bounded, so memory stays bounded however far a reader lags.

use std::sync::Arc;

use super::Shared;
use super::catalogue::Lane;
use super::segment::{Budget, Opened, Run, Segment};
use crate::{Error, Message, Next};

/// So many messages are shown at a time.
const BATCH_MESSAGES_MAX: usize = 1_024;

/// Where a reader is in one partition.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) partition: u32,
    pub(super) lane: Lane,
    /// The offset to go on at.
    pub(super) next: i64,
    /// The segment it read last, if it reads from disk.
    opened: Option<Opened>,
}

impl Cursor {
    pub(super) fn new(partition: u32, lane: Lane, next: Next) -> Cursor {
        Cursor { partition, lane, next: next.0, opened: None }
    }
}

/// Runs that were taken for one cursor, and how much of them it may use.
#[derive(Debug)]
pub(super) struct Taken {
    /// The number of the cursor.
    cursor: usize,
    runs: Vec<Run>,
    budget: Budget,
}

impl Shared {
    /// Takes what there is for the cursors, beginning with number `turn`. Each of those that have
    /// something to read gets an equal part of the budget.
    pub(super) fn gather(
        &self,
        cursors: &mut [Cursor],
        turn: usize,
        budget: Budget,
    ) -> Result<Vec<Taken>, Error> {
        let mut taken = Vec::new();
        let mut lagging = Vec::new();
        {
            let published = self.published();
            let mut ready = Vec::new();
            for (number, cursor) in cursors.iter_mut().enumerate() {
                let shown = published.lane(cursor.lane);
                cursor.next = self.kept(cursor, shown.first)?;
                if cursor.next < shown.next {
                    ready.push(number);
                }
            }
            let split = ready.partition_point(|number| *number < turn);
            ready.rotate_left(split);
            let parts = ready.len().max(1);
            let budget = Budget {
                messages: budget.messages.div_ceil(parts),
                bytes: budget.bytes.div_ceil(parts),
            };
            for cursor in ready {
                let own = &mut cursors[cursor];
                let shown = published.lane(own.lane);
                let runs = shown.recent(own.next, budget);
                if runs.is_empty() {
                    lagging.push((taken.len(), shown.next));
                } else {
                    own.opened = None;
                }
                taken.push(Taken { cursor, runs, budget });
            }
        }
        for (number, until) in lagging {
            let Taken { cursor, runs, budget } = &mut taken[number];
            *runs = self.read_segments(&mut cursors[*cursor], until, *budget)?;
        }
        Ok(taken)
    }

    /// A reader at the very start begins with the oldest message that is kept. One that was
    /// overtaken by forgetting must not skip messages in silence.
    fn kept(&self, cursor: &Cursor, first: i64) -> Result<i64, Error> {
        if cursor.next >= first {
            return Ok(cursor.next);
        }
        if cursor.next == Next::START.0 {
            return Ok(first);
        }
        Err(Error::Fatal(format!(
            "the messages of {} before {first} are forgotten, and a reader would go on at {}",
            self.catalogue.describe(cursor.lane),
            cursor.next
        )))
    }

    fn read_segments(
        &self,
        cursor: &mut Cursor,
        until: i64,
        budget: Budget,
    ) -> Result<Vec<Run>, Error> {
        let (lane, from) = (cursor.lane, cursor.next);
        let mut opened = match cursor.opened.take().filter(|opened| opened.holds(lane, from)) {
            Some(opened) => opened,
            None => self.open_holder(lane, from)?,
        };
        let mut runs = opened.read(&self.catalogue, lane, (from, until), budget);
        if runs.is_err() && !Arc::ptr_eq(opened.segment(), &self.holder(lane, from)?) {
            opened = self.open_holder(lane, from)?;
            runs = opened.read(&self.catalogue, lane, (from, until), budget);
        }
        cursor.opened = Some(opened);
        runs
    }

    /// Opens the segment that holds message `from` of a lane. The keeper may delete it in the very
    /// moment; then the message is in another one.
    fn open_holder(&self, lane: Lane, from: i64) -> Result<Opened, Error> {
        loop {
            let segment = self.holder(lane, from)?;
            match Opened::new(segment.clone()) {
                Err(_) if !Arc::ptr_eq(&segment, &self.holder(lane, from)?) => {}
                opened => return opened,
            }
        }
    }

    fn holder(&self, lane: Lane, from: i64) -> Result<Arc<Segment>, Error> {
        let segments = self.published().segments();
        let holds = |segment: &&Arc<Segment>| {
            segment.summary(lane).is_some_and(|summary| from < summary.next)
        };
        segments.iter().find(holds).cloned().ok_or_else(|| {
            Error::Fatal(format!(
                "message {from} of {} is in no segment",
                self.catalogue.describe(lane)
            ))
        })
    }
}

/// Shows what was taken, moves the cursors on, and returns the number of the cursor whose turn is
/// next.
pub(super) fn show(
    cursors: &mut [Cursor],
    taken: &[Taken],
    visit: &mut dyn FnMut(&[Message<'_>]),
) -> usize {
    let messages: usize =
        taken.iter().flat_map(|own| &own.runs).map(|run| run.count as usize).sum();
    let mut batch = Vec::with_capacity(messages.min(BATCH_MESSAGES_MAX));
    for Taken { cursor, runs, budget } in taken {
        let own = &mut cursors[*cursor];
        let mut left = *budget;
        let from = own.next;
        for message in runs.iter().flat_map(|run| run.messages(own.partition, from)) {
            if left.is_spent() {
                break;
            }
            left.spend(1, message.value.len());
            own.next = message.offset.next().0;
            batch.push(message);
            if batch.len() == BATCH_MESSAGES_MAX {
                visit(&batch);
                batch.clear();
            }
        }
    }
    if !batch.is_empty() {
        visit(&batch);
    }
    taken.first().map_or(0, |first| first.cursor + 1)
}

/// Shows messages one by one until the visitor has enough or `until` is reached, and returns where
/// it stopped, and whether it may go on.
pub(super) fn show_until(
    cursor: &mut Cursor,
    taken: &[Taken],
    until: i64,
    visit: &mut dyn FnMut(Message<'_>) -> bool,
) -> bool {
    let from = cursor.next;
    let runs = taken.iter().flat_map(|own| &own.runs);
    for message in runs.flat_map(|run| run.messages(cursor.partition, from)) {
        if message.offset.0 >= until {
            return false;
        }
        cursor.next = message.offset.next().0;
        if !visit(message) {
            return false;
        }
    }
    true
}
