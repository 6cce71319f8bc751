//! The one place where a clock is read. Everywhere else time is an argument.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use drawdown_domain::time::{Span, Timestamp};

/// Where a process gets its time from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    Real,
    /// Some times faster than the machine's clock, for demonstrations and tests.
    Fast(Fast),
    /// Time stands still until it is set: for rehearsals, whose inputs bring the time.
    Manual(Arc<AtomicI64>),
}

/// Time that runs `factor` times as fast, and showed `shown` when the machine's clock showed `real`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fast {
    pub factor: u32,
    pub shown: Timestamp,
    pub real: Timestamp,
}

#[allow(clippy::disallowed_methods)] // this is the place
fn machine() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl Clock {
    pub fn manual(at: Timestamp) -> Clock {
        Clock::Manual(Arc::new(AtomicI64::new(at.as_micros())))
    }

    /// A clock that shows `shown` now and runs `factor` times as fast as the machine's.
    pub fn fast(factor: u32, shown: Timestamp) -> Clock {
        Clock::Fast(Fast { factor, shown, real: machine() })
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::Real => machine(),
            Clock::Fast(Fast { factor, shown, real }) => {
                let passed = machine().since(*real).as_micros().saturating_mul(i64::from(*factor));
                Timestamp::from_micros(shown.as_micros().saturating_add(passed))
            }
            Clock::Manual(at) => Timestamp::from_micros(at.load(Ordering::Acquire)),
        }
    }

    /// How often consumers tick by it when nothing else tells them the time: once a second, of a fast
    /// clock ten times a second of the machine's. None: somebody else drives the time.
    pub fn tick_every(&self) -> Option<Span> {
        const SECOND: i64 = 1_000_000;
        const TENTH: i64 = SECOND / 10;
        match self {
            Clock::Real => Some(Span::micros(SECOND)),
            Clock::Fast(fast) => {
                Some(Span::micros(i64::from(fast.factor).saturating_mul(TENTH).max(SECOND)))
            }
            Clock::Manual(_) => None,
        }
    }

    /// Whether the log's own dates are the time.
    pub fn is_real(&self) -> bool {
        matches!(self, Clock::Real)
    }

    /// Sets a manual clock forward; others go by themselves.
    pub fn set(&self, to: Timestamp) {
        if let Clock::Manual(at) = self {
            at.fetch_max(to.as_micros(), Ordering::AcqRel);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a clock is `real`, or a factor, what it shows and when, such as `600 2026-03-01T00:00:00Z 2026-11-20T10:00:00Z`"
)]
pub struct NotAClock;

impl FromStr for Clock {
    type Err = NotAClock;

    fn from_str(text: &str) -> Result<Clock, NotAClock> {
        if text == "real" {
            return Ok(Clock::Real);
        }
        let mut words = text.split_whitespace();
        let factor = words.next().and_then(|word| word.parse().ok()).ok_or(NotAClock)?;
        let shown = words.next().and_then(|word| word.parse().ok()).ok_or(NotAClock)?;
        let real = words.next().and_then(|word| word.parse().ok()).ok_or(NotAClock)?;
        if words.next().is_some() || factor == 0 {
            return Err(NotAClock);
        }
        Ok(Clock::Fast(Fast { factor, shown, real }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_runs_from_what_it_showed() {
        let shown: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let clock = Clock::fast(1_000_000, shown);
        let first = clock.now();
        while clock.now() == first {}
        assert!(first >= shown && clock.now() > first);
        assert!("600 2026-03-01T00:00:00Z 2026-11-20T10:00:00Z".parse::<Clock>().is_ok());
        for wrong in
            ["", "fast", "600", "0 2026-03-01T00:00:00Z 2026-03-01T00:00:00Z", "600 now then"]
        {
            assert!(wrong.parse::<Clock>().is_err(), "{wrong}");
        }
    }
}
