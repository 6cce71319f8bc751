//! Months, days, hours and minutes in a billing account's time zone (R3.5).
//!
//! An instant is a number of microseconds since the epoch. Instants that no calendar knows are taken as the ends of
//! the calendar, so that no input can make these functions fail.

use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use std::fmt;

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// A calendar month; in which zone, the billing account says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month before this one.
    pub fn before(self) -> Month {
        match self.month {
            1 => Month { year: self.year.saturating_sub(1), month: 12 },
            month => Month { year: self.year, month: month - 1 },
        }
    }

    /// Reads a month such as `2026-03`.
    pub fn read(text: &str) -> Option<Month> {
        let (year, month) = text.split_once('-')?;
        let is_plain = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_plain(year, 4) || !is_plain(month, 2) {
            return None;
        }
        let month = month.parse().ok().filter(|month| (1..=12).contains(month))?;
        Some(Month { year: year.parse().ok()?, month })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

/// How long a bill cycle is (R5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    Hour,
    Day,
    Month,
}

impl Cycle {
    pub fn read(text: &str) -> Option<Cycle> {
        match text {
            "hour" => Some(Cycle::Hour),
            "day" => Some(Cycle::Day),
            "month" => Some(Cycle::Month),
            _ => None,
        }
    }
}

/// A delay counted in whole local days, then in exact time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    pub days: i64,
    pub micros: i64,
}

impl Delay {
    /// The delay with every day counted as twenty-four hours.
    pub fn exact(self) -> i64 {
        self.days.saturating_mul(DAY).saturating_add(self.micros)
    }
}

fn stamp(instant: i64) -> Timestamp {
    let end = if instant < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(instant).unwrap_or(end)
}

/// The last instant the calendar knows.
pub fn latest() -> i64 {
    Timestamp::MAX.as_microsecond()
}

/// Whether the calendar knows this instant.
pub fn is_known(instant: i64) -> bool {
    Timestamp::from_microsecond(instant).is_ok()
}

/// Reads an RFC 3339 time.
pub fn read_time(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// The time zone of this name.
pub fn read_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// The full minute this instant lies in.
pub fn minute_of(instant: i64) -> i64 {
    instant - instant.rem_euclid(MINUTE)
}

/// The first full minute at or after this instant: from when on something dated holds (R3.1).
pub fn full_minute_from(instant: i64) -> i64 {
    let minute = minute_of(instant);
    if minute == instant { instant } else { minute.saturating_add(MINUTE) }
}

/// The beginning of the hour on the wall that this instant lies in.
pub fn hour_of(zone: &TimeZone, instant: i64) -> i64 {
    let offset = i64::from(zone.to_offset(stamp(instant)).seconds()) * SECOND;
    instant - (instant + offset).rem_euclid(HOUR)
}

/// The first instant of this month.
pub fn start_of_month(zone: &TimeZone, month: Month) -> i64 {
    start_of_day(zone, Date::new(month.year, month.month, 1).unwrap_or(civil::Date::MIN))
}

/// The beginning of the half of a month that this instant lies in.
pub fn half_month_start(zone: &TimeZone, instant: i64) -> i64 {
    let date = stamp(instant).to_zoned(zone.clone()).date();
    let day = if date.day() < 16 { 1 } else { 16 };
    start_of_day(zone, Date::new(date.year(), date.month(), day).unwrap_or(civil::Date::MIN))
}

/// The local day, as `2026-03-15`.
pub fn read_date(zone: &TimeZone, instant: i64) -> String {
    stamp(instant).to_zoned(zone.clone()).date().to_string()
}

pub fn year_of(zone: &TimeZone, instant: i64) -> i16 {
    stamp(instant).to_zoned(zone.clone()).year()
}

/// The end of the half of a month that this instant lies in: the 16th, or the 1st of the next (R12.1).
pub fn half_month_end(zone: &TimeZone, instant: i64) -> i64 {
    let date = stamp(instant).to_zoned(zone.clone()).date();
    let next = match date.day() {
        1..16 => Date::new(date.year(), date.month(), 16).unwrap_or(civil::Date::MAX),
        _ => first_of_next_month(month_of(zone, instant)),
    };
    start_of_day(zone, next)
}

/// The beginning of the local day that this instant lies in.
pub fn day_of(zone: &TimeZone, instant: i64) -> i64 {
    start_of_day(zone, stamp(instant).to_zoned(zone.clone()).date())
}

/// The same local time so many months later, or on the last day of a month that has no such day.
pub fn months_later(zone: &TimeZone, instant: i64, months: i64) -> i64 {
    let local = stamp(instant).to_zoned(zone.clone()).datetime();
    let later = Span::new()
        .try_months(months)
        .and_then(|months| local.checked_add(months))
        .and_then(|later| later.to_zoned(zone.clone()));
    later.map_or(latest(), |later| later.timestamp().as_microsecond())
}

/// The same time of day on the next local day.
pub fn same_time_tomorrow(zone: &TimeZone, instant: i64) -> i64 {
    let local = stamp(instant).to_zoned(zone.clone()).datetime();
    let tomorrow =
        local.checked_add(Span::new().days(1)).and_then(|next| next.to_zoned(zone.clone()));
    tomorrow.map_or(latest(), |next| next.timestamp().as_microsecond())
}

pub fn month_of(zone: &TimeZone, instant: i64) -> Month {
    let date = stamp(instant).to_zoned(zone.clone()).date();
    Month { year: date.year(), month: date.month() }
}

fn start_of_day(zone: &TimeZone, date: Date) -> i64 {
    match date.to_zoned(zone.clone()) {
        Ok(start) => start.timestamp().as_microsecond(),
        Err(_) => Timestamp::MAX.as_microsecond(),
    }
}

fn first_of_next_month(month: Month) -> Date {
    let (year, next) = if month.month == 12 {
        (month.year.saturating_add(1), 1)
    } else {
        (month.year, month.month + 1)
    };
    Date::new(year, next, 1).unwrap_or(civil::Date::MAX)
}

/// The first instant after this month, later by this delay.
pub fn after_month(zone: &TimeZone, month: Month, delay: Delay) -> i64 {
    let first = first_of_next_month(month);
    let day = Span::new()
        .try_days(delay.days)
        .and_then(|days| first.checked_add(days))
        .unwrap_or(civil::Date::MAX);
    start_of_day(zone, day).saturating_add(delay.micros)
}

fn next_day(zone: &TimeZone, instant: i64) -> i64 {
    let date = stamp(instant).to_zoned(zone.clone()).date();
    start_of_day(zone, date.tomorrow().unwrap_or(civil::Date::MAX))
}

/// The next instant at which the clock on the wall shows a full hour, read with the offset of just before that
/// instant or of just after it. No hour is therefore longer than an hour, also where a clock is shifted by half of
/// one.
fn next_hour(zone: &TimeZone, instant: i64) -> i64 {
    let mut from = instant;
    loop {
        let offset = i64::from(zone.to_offset(stamp(from)).seconds()) * SECOND;
        let by_this_offset = from + HOUR - (from + offset).rem_euclid(HOUR);
        let Some(shift) = zone.following(stamp(from)).next() else { return by_this_offset };
        let shifted_at = shift.timestamp().as_microsecond();
        if shifted_at >= by_this_offset {
            return by_this_offset;
        }
        let offset_after = i64::from(shift.offset().seconds()) * SECOND;
        if (shifted_at + offset_after).rem_euclid(HOUR) == 0 && offset_after != offset {
            return shifted_at;
        }
        from = shifted_at;
    }
}

/// The end of the cycle in which this instant lies. The end itself belongs to the next cycle.
pub fn end_of_cycle(zone: &TimeZone, cycle: Cycle, instant: i64) -> i64 {
    match cycle {
        Cycle::Hour => next_hour(zone, instant),
        Cycle::Day => next_day(zone, instant),
        Cycle::Month => after_month(zone, month_of(zone, instant), Delay { days: 0, micros: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(zone: &str, cycle: Cycle, from: &str, count: usize) -> Vec<String> {
        let zone = read_zone(zone).unwrap();
        let mut instant = read_time(from).unwrap();
        let mut found = Vec::new();
        for _ in 0..count {
            instant = end_of_cycle(&zone, cycle, instant);
            found.push(stamp(instant).to_string());
        }
        found
    }

    #[test]
    fn hours_follow_the_wall_clock() {
        // R3.5
        assert_eq!(
            ends("UTC", Cycle::Hour, "2026-03-01T01:30:00Z", 2),
            ["2026-03-01T02:00:00Z", "2026-03-01T03:00:00Z"]
        );
        assert_eq!(
            ends("Asia/Kolkata", Cycle::Hour, "2026-03-01T01:00:00Z", 1),
            ["2026-03-01T01:30:00Z"]
        );
    }

    #[test]
    fn daylight_saving_lengthens_and_shortens_days_but_not_hours() {
        // R3.5: on 2026-11-01 New York has twenty-five hours, on 2026-03-08 twenty-three.
        assert_eq!(
            ends("America/New_York", Cycle::Hour, "2026-11-01T05:00:00Z", 3),
            ["2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z", "2026-11-01T08:00:00Z"]
        );
        assert_eq!(
            ends("America/New_York", Cycle::Day, "2026-11-01T04:00:00Z", 1),
            ["2026-11-02T05:00:00Z"]
        );
        assert_eq!(
            ends("America/New_York", Cycle::Day, "2026-03-08T05:00:00Z", 1),
            ["2026-03-09T04:00:00Z"]
        );
        assert_eq!(
            ends("America/New_York", Cycle::Month, "2026-03-08T05:00:00Z", 1),
            ["2026-04-01T04:00:00Z"]
        );
    }

    #[test]
    fn a_shift_by_half_an_hour_makes_a_half_hour() {
        // R3.5: Lord Howe Island shifts at 02:00 by thirty minutes, back on 2026-04-05 and forth on 2026-10-04.
        assert_eq!(
            ends("Australia/Lord_Howe", Cycle::Hour, "2026-04-04T14:00:00Z", 3),
            ["2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z"]
        );
        assert_eq!(
            ends("Australia/Lord_Howe", Cycle::Hour, "2026-10-03T14:30:00Z", 3),
            ["2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"]
        );
    }

    #[test]
    fn a_time_in_between_means_the_next_minute() {
        // R3.1
        let at = |text| read_time(text).unwrap();
        assert_eq!(full_minute_from(at("2026-03-01T00:00:00Z")), at("2026-03-01T00:00:00Z"));
        assert_eq!(full_minute_from(at("2026-03-01T00:00:00.000001Z")), at("2026-03-01T00:01:00Z"));
        assert_eq!(minute_of(at("2026-03-01T00:00:59Z")), at("2026-03-01T00:00:00Z"));
    }

    #[test]
    fn a_delay_after_a_month_counts_local_days() {
        let zone = read_zone("America/New_York").unwrap();
        let february = month_of(&zone, read_time("2026-02-10T00:00:00Z").unwrap());
        let end = after_month(&zone, february, Delay { days: 15, micros: 0 });
        assert_eq!(stamp(end).to_string(), "2026-03-16T04:00:00Z");
    }

    #[test]
    fn no_instant_makes_the_calendar_fail() {
        let zone = read_zone("America/New_York").unwrap();
        for instant in
            [i64::MIN, i64::MAX, Timestamp::MAX.as_microsecond(), Timestamp::MIN.as_microsecond()]
        {
            let _ = month_of(&zone, instant);
            let _ = minute_of(instant.saturating_add(MINUTE));
        }
    }
}
