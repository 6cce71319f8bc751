//! What time it is for a ledger, how far metering has come, and which cycles' bills may be issued.

use std::collections::VecDeque;

use crate::record;
use crate::time::{Span, Timestamp};

/// Bills wait for marks at every quarter of an hour.
const QUARTER: Span = Span::minutes(15);
/// A longer gap between two inputs counts as a stop, during which no bill's patience runs out.
const GAP_COUNTED_MAX: Span = Span::minutes(1);

record! {
    /// A ledger's time.
    pub struct Clock {
        pub now: Timestamp,
        /// How long the ledger has run, stops left out.
        pub ran: Span,
        /// For each usage partition: all usage that arrived before this has come.
        pub marks: Vec<Timestamp>,
        /// Quarters whose bills wait, each with how long the ledger had run when it ended.
        pub waiting: VecDeque<Waiting>,
        /// Bills of cycles that end at or before this may be issued.
        pub gate: Timestamp,
    }
}

record! {
    /// A quarter of an hour whose bills wait for metering.
    pub struct Waiting {
        pub ends: Timestamp,
        pub since: Span,
    }
}

impl Clock {
    pub(super) fn new(usage_partitions: u32) -> Clock {
        Clock {
            now: Timestamp::START,
            ran: Span::ZERO,
            marks: vec![Timestamp::START; usage_partitions as usize],
            waiting: VecDeque::new(),
            gate: Timestamp::START,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Bills of cycles that end at or before this may be issued.
    pub fn gate(&self) -> Timestamp {
        self.gate
    }

    /// What falls due up to here may happen; the rest waits for bills that go before it.
    pub(super) fn timers_fire_until(&self) -> Timestamp {
        let quarter_ends = self.gate.plus(QUARTER);
        if self.now < quarter_ends { self.now } else { quarter_ends.plus(Span::micros(-1)) }
    }

    /// Up to where a usage partition has been metered.
    #[inline]
    pub fn mark(&self, usage_partition: u32) -> Timestamp {
        self.marks.get(usage_partition as usize).copied().unwrap_or(Timestamp::END)
    }

    pub(super) fn pass(&mut self, at: Timestamp, patience: Span) {
        if at <= self.now {
            return;
        }
        if self.now == Timestamp::START {
            // Nothing can have been used before the first input.
            self.now = at;
            self.gate = at.quarter();
            return;
        }
        self.ran = self.ran.plus(at.since(self.now).min(GAP_COUNTED_MAX));
        let mut ends = self.now.quarter().plus(QUARTER);
        while ends <= at {
            self.waiting.push_back(Waiting { ends, since: self.ran });
            ends = ends.plus(QUARTER);
        }
        self.now = at;
        self.open_gate(patience);
    }

    pub(super) fn mark_until(&mut self, usage_partition: u32, until: Timestamp, patience: Span) {
        if let Some(mark) = self.marks.get_mut(usage_partition as usize) {
            *mark = until.max(*mark);
        }
        self.open_gate(patience);
    }

    fn open_gate(&mut self, patience: Span) {
        let metered = self.marks.iter().min().copied().unwrap_or(Timestamp::END);
        while let Some(next) = self.waiting.front() {
            let waited = Span::micros(self.ran.as_micros().saturating_sub(next.since.as_micros()));
            if next.ends > metered && waited < patience {
                break;
            }
            self.gate = self.gate.max(next.ends);
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const PATIENCE: Span = Span::minutes(360);

    #[test]
    fn r5_1_the_gate_opens_when_every_usage_partition_is_marked() {
        let mut clock = Clock::new(2);
        clock.pass(at("2026-03-01T00:10:00Z"), PATIENCE);
        clock.pass(at("2026-03-01T01:00:10Z"), PATIENCE);
        assert_eq!(clock.gate(), at("2026-03-01T00:00:00Z"));
        clock.mark_until(0, at("2026-03-01T01:00:00Z"), PATIENCE);
        assert_eq!(clock.gate(), at("2026-03-01T00:00:00Z"));
        clock.mark_until(1, at("2026-03-01T00:45:00Z"), PATIENCE);
        assert_eq!(clock.gate(), at("2026-03-01T00:45:00Z"));
        clock.mark_until(1, at("2026-03-01T01:00:00Z"), PATIENCE);
        assert_eq!(clock.gate(), at("2026-03-01T01:00:00Z"));
    }

    #[test]
    fn r5_1_a_partition_that_lags_is_waited_for_until_the_patience_ends() {
        let mut clock = Clock::new(1);
        clock.pass(at("2026-03-01T00:59:00Z"), PATIENCE);
        for minute in 0..=359 {
            clock.pass(at("2026-03-01T01:00:00Z").plus(Span::minutes(minute)), PATIENCE);
        }
        assert_eq!(clock.gate(), at("2026-03-01T00:45:00Z"));
        clock.pass(at("2026-03-01T07:00:00Z"), PATIENCE);
        assert_eq!(clock.gate(), at("2026-03-01T01:00:00Z"));
    }

    /// R3.6: nothing falls due beyond the quarter of an hour whose bills wait.
    #[test]
    fn r3_6_timers_fire_up_to_the_quarter_that_waits() {
        let mut clock = Clock::new(1);
        assert_eq!((clock.mark(0), clock.mark(1)), (Timestamp::START, Timestamp::END));
        clock.pass(at("2026-03-01T00:10:00Z"), PATIENCE);
        let last = at("2026-03-01T00:15:00Z").minus(Span::micros(1));
        for (now, until) in [
            ("2026-03-01T00:10:00Z", at("2026-03-01T00:10:00Z")),
            ("2026-03-01T00:14:59Z", at("2026-03-01T00:14:59Z")),
            ("2026-03-01T00:15:00Z", last),
            ("2026-03-01T00:20:00Z", last),
            // Time does not go back.
            ("2026-03-01T00:12:00Z", last),
        ] {
            clock.pass(at(now), PATIENCE);
            assert_eq!(clock.timers_fire_until(), until, "{now}");
        }
        assert_eq!(clock.now(), at("2026-03-01T00:20:00Z"));
        for (until, mark, gate) in [
            ("2026-03-01T00:14:59Z", "2026-03-01T00:14:59Z", "2026-03-01T00:00:00Z"),
            ("2026-03-01T00:15:00Z", "2026-03-01T00:15:00Z", "2026-03-01T00:15:00Z"),
            ("2026-03-01T00:02:00Z", "2026-03-01T00:15:00Z", "2026-03-01T00:15:00Z"),
        ] {
            clock.mark_until(0, at(until), PATIENCE);
            assert_eq!((clock.mark(0), clock.gate()), (at(mark), at(gate)), "{until}");
        }
        assert_eq!(clock.timers_fire_until(), at("2026-03-01T00:20:00Z"));
    }

    #[test]
    fn r5_1_a_stop_uses_up_no_patience() {
        let mut clock = Clock::new(1);
        clock.pass(at("2026-03-01T00:59:00Z"), PATIENCE);
        clock.pass(at("2026-03-02T00:00:00Z"), PATIENCE);
        assert_eq!(clock.gate(), at("2026-03-01T00:45:00Z"));
        clock.mark_until(0, at("2026-03-02T00:00:00Z"), PATIENCE);
        assert_eq!(clock.gate(), at("2026-03-02T00:00:00Z"));
    }
}
