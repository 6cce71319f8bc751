//! The snapshots of a partition that are kept on its state topic: the newest to restore from, older
//! ones for audits, which decide again whatever their input is still kept for.

use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::{Log, Next};
use drawdown_wire::schemas;
use drawdown_wire::state::{Frame, Generation};

use crate::Stop;

/// Of snapshots that are closer to each other than this part of the time that state is kept for, some are
/// forgotten, so that there are never many.
const APART: i64 = 32;

/// The snapshots of a partition that are whole, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generations(Vec<Generation>);

impl Generations {
    /// As the last piece of a snapshot tells.
    pub(crate) fn told(snapshots: Vec<Generation>) -> Generations {
        Generations(snapshots)
    }

    pub(crate) fn to_tell(&self) -> Vec<Generation> {
        self.0.clone()
    }

    /// Where restoring begins.
    pub(crate) fn newest(&self) -> Next {
        self.0.last().map_or(Next::START, |newest| Next(newest.begins))
    }

    /// A snapshot is whole.
    pub(crate) fn push(&mut self, whole: Generation, keep: Option<Span>) {
        let apart = keep.map_or(0, |keep| keep.as_micros().div_euclid(APART));
        if let [.., before, newest] = self.0[..]
            && newest.at < before.at.plus(Span::micros(apart))
        {
            self.0.pop();
        }
        self.0.push(whole);
    }

    /// Forgets snapshots that nobody needs any more, and says before which place the state topic may be
    /// deleted. The newest snapshot from before the time that state is kept for stays, so that all of
    /// that time can be decided again.
    pub(crate) fn forget(&mut self, now: Timestamp, keep: Option<Span>) -> Option<Next> {
        let keep = keep?;
        let old = |generation: &Generation| generation.at.plus(keep) <= now;
        let needed = self.0.iter().rposition(old)?;
        self.0.drain(..needed);
        self.0.first().map(|oldest| Next(oldest.begins))
    }
}

/// So many messages are looked at first to find the last one.
const LOOK_BACK: i64 = 8;

/// Where the newest snapshot begins that is known to be whole, as the last message of the state topic
/// says; the start if there is none.
pub(crate) fn newest_snapshot(log: &dyn Log, topic: &str, partition: u32) -> Result<Next, Stop> {
    let bounds = log.bounds(topic, partition)?;
    let mut back = LOOK_BACK;
    loop {
        // Between messages there may be places without any.
        let from = Next(bounds.stable.0.saturating_sub(back)).max(bounds.first);
        let mut last = Vec::new();
        log.scan(topic, partition, from, bounds.stable, &mut |message| {
            last.clear();
            last.extend_from_slice(message.value);
            true
        })?;
        if !last.is_empty() {
            // What cannot be read is refused where it is restored, with its place.
            let frame = schemas::FRAME.read::<Frame>(&last);
            return Ok(frame.map_or(bounds.first, |frame| Next(frame.snapshot)));
        }
        if from == bounds.first {
            return Ok(from);
        }
        back = back.saturating_mul(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u16) -> Timestamp {
        Timestamp::START.plus(Span::days(day))
    }

    /// Snapshots on these days, each pushed and then what is needless forgotten.
    fn after(days: &[u16], keep: Option<Span>) -> (Generations, Option<Next>) {
        let (mut generations, mut before) = (Generations::default(), None);
        for number in days {
            let whole = Generation { begins: i64::from(*number), at: day(*number) };
            generations.push(whole, keep);
            before = generations.forget(day(*number), keep).or(before);
        }
        (generations, before)
    }

    #[test]
    fn the_newest_snapshot_from_before_the_kept_time_stays() {
        let keep = Some(Span::days(32));
        let (generations, before) = after(&[10, 20, 30, 40, 50], keep);
        assert_eq!((generations.newest(), before), (Next(50), Some(Next(10))));
        let (_, before) = after(&[10, 20, 30, 40, 52], keep);
        assert_eq!(before, Some(Next(20)));
        let (_, before) = after(&[10, 20, 300], keep);
        assert_eq!(before, Some(Next(20)));
        let (_, before) = after(&[10], keep);
        assert_eq!(before, None);
    }

    #[test]
    fn for_ever_means_that_nothing_is_deleted() {
        let (generations, before) = after(&[10, 20, 3_000], None);
        assert_eq!((generations.newest(), before), (Next(3_000), None));
    }

    #[test]
    fn many_snapshots_are_a_short_list() {
        let keep = Some(Span::days(32));
        let mut generations = Generations::default();
        for hour in 0..24 * 365 {
            let at = Timestamp::START.plus(Span::minutes(hour * 60));
            let begins = i64::from(hour);
            generations.push(Generation { begins, at }, keep);
            let before = generations.forget(at, keep).unwrap_or(Next::START);
            assert_eq!(generations.newest(), Next(begins));
            assert!(generations.0.len() <= 36, "{}", generations.0.len());
            let kept_hours = begins - before.0;
            assert!(kept_hours <= 34 * 24, "{kept_hours}");
        }
    }
}
