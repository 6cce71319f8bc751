//! Time as data: instants, spans, minutes, and the calendar of a billing account. Nothing here reads a
//! clock.

mod calendar;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use calendar::{Cycle, Day, HalfMonth, Month, NotADay, NotAMonth, NotAZone, Zone};

pub const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
const MICROS_PER_QUARTER: i64 = 15 * MICROS_PER_MINUTE;

/// An instant, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A span of time in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Span(i64);

impl Span {
    pub const ZERO: Span = Span(0);

    pub const fn micros(micros: i64) -> Span {
        Span(micros)
    }

    pub const fn minutes(minutes: i32) -> Span {
        #[allow(clippy::arithmetic_side_effects)] // an i32 of minutes fits an i64 of microseconds
        Span(minutes as i64 * MICROS_PER_MINUTE)
    }

    pub const fn days(days: u16) -> Span {
        #[allow(clippy::arithmetic_side_effects)] // 65,535 days fit
        Span(days as i64 * 24 * 60 * MICROS_PER_MINUTE)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    pub fn plus(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

/// Why a text is no span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a span is a number with a unit of us, ms, s, m, h or d, such as \"35d\"")]
pub struct NotASpan;

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Span, NotASpan> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(NotASpan)?;
        let (number, unit) = text.split_at_checked(digits).ok_or(NotASpan)?;
        let unit: i64 = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => MICROS_PER_SECOND,
            "m" => MICROS_PER_MINUTE,
            "h" => 3_600 * MICROS_PER_SECOND,
            "d" => 86_400 * MICROS_PER_SECOND,
            _ => return Err(NotASpan),
        };
        let number: i64 = number.parse().map_err(|_| NotASpan)?;
        number.checked_mul(unit).map(Span).ok_or(NotASpan)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (86_400 * MICROS_PER_SECOND, "d"),
            (3_600 * MICROS_PER_SECOND, "h"),
            (MICROS_PER_MINUTE, "m"),
            (MICROS_PER_SECOND, "s"),
            (1_000, "ms"),
        ];
        let whole =
            units.into_iter().find(|(unit, _)| self.0 != 0 && self.0.rem_euclid(*unit) == 0);
        let (unit, name) =
            whole.unwrap_or(if self.0 == 0 { (MICROS_PER_SECOND, "s") } else { (1, "us") });
        write!(f, "{}{name}", self.0.div_euclid(unit))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| de::Error::custom(format_args!("\"{text}\": {why}")))
    }
}

impl Timestamp {
    pub const START: Timestamp = Timestamp(i64::MIN);
    pub const END: Timestamp = Timestamp(i64::MAX);

    #[inline]
    pub const fn from_micros(micros: i64) -> Timestamp {
        Timestamp(micros)
    }

    #[inline]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    #[inline]
    pub fn plus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }

    #[inline]
    pub fn minus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }

    /// How long after `earlier` this is; negative if it is before.
    #[inline]
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The minute this instant lies in.
    #[inline]
    pub fn minute(self) -> Minute {
        let minutes = self.0.div_euclid(MICROS_PER_MINUTE);
        Minute(u32::try_from(minutes.max(0)).unwrap_or(u32::MAX))
    }

    /// The first full minute at or after this instant, from which dated things hold (R3.1).
    pub fn full_minute(self) -> Minute {
        Timestamp(self.0.saturating_add(MICROS_PER_MINUTE.saturating_sub(1))).minute()
    }

    /// The quarter of an hour that began last, at or before this instant.
    #[inline]
    pub fn quarter(self) -> Timestamp {
        Timestamp(self.0.saturating_sub(self.0.rem_euclid(MICROS_PER_QUARTER)))
    }

    fn jiff(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_microsecond(self.0).ok()
    }
}

/// Why a text is no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-03-01T00:00:00Z")]
pub struct NotATime;

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Timestamp, NotATime> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| NotATime)?;
        Ok(Timestamp(instant.as_microsecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.jiff() {
            Some(instant) => fmt::Display::fmt(&instant, f),
            None => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// RFC 3339 where people read it, microseconds where machines do.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Timestamp);
        }
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| de::Error::custom(format_args!("\"{text}\": {why}")))
    }
}

/// A minute, counted from 1970-01-01T00:00Z: the grain at which usage is dated and prices change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minute(u32);

impl Minute {
    pub const START: Minute = Minute(0);
    pub const END: Minute = Minute(u32::MAX);

    #[inline]
    pub const fn from_number(number: u32) -> Minute {
        Minute(number)
    }

    #[inline]
    pub const fn number(self) -> u32 {
        self.0
    }

    #[inline]
    pub fn starts(self) -> Timestamp {
        Timestamp(i64::from(self.0).saturating_mul(MICROS_PER_MINUTE))
    }
}

impl fmt::Debug for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.starts(), f)
    }
}

/// A span of minutes: from the first up to, not including, the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
pub struct Window {
    pub from: Minute,
    pub until: Minute,
}

impl Window {
    pub const ALWAYS: Window = Window { from: Minute::START, until: Minute::END };

    #[inline]
    pub fn contains(self, minute: Minute) -> bool {
        self.from <= minute && minute < self.until
    }

    pub fn overlap(self, other: Window) -> Window {
        Window { from: self.from.max(other.from), until: self.until.min(other.until) }
    }

    /// As much of this span, around a minute in it, as another one's begin or end does not divide.
    pub fn undivided_by(self, other: Window, around: Minute) -> Window {
        [other.from, other.until].into_iter().fold(self, |window, edge| match edge <= around {
            true => Window { from: window.from.max(edge), ..window },
            false => Window { until: window.until.min(edge), ..window },
        })
    }
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
