//! The calendar of a billing account: months, bill cycles, time zones. The zone database is compiled in,
//! so that a replay on another machine finds the same months (R3.5).

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;
use std::sync::{OnceLock, RwLock};

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{MICROS_PER_MINUTE, MICROS_PER_SECOND, Span, Timestamp, Window};

/// A calendar month.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(u16);

impl Month {
    pub fn new(year: i16, month: i8) -> Month {
        let months = i32::from(year).saturating_sub(1970).saturating_mul(12);
        let months = months.saturating_add(i32::from(month)).saturating_sub(1);
        Month(u16::try_from(months.max(0)).unwrap_or(u16::MAX))
    }

    pub const fn number(self) -> u16 {
        self.0
    }

    pub const fn from_number(number: u16) -> Month {
        Month(number)
    }

    pub fn year(self) -> u32 {
        u32::from(self.0.div_euclid(12)).saturating_add(1970)
    }

    pub fn next(self) -> Month {
        Month(self.0.saturating_add(1))
    }

    pub fn previous(self) -> Month {
        Month(self.0.saturating_sub(1))
    }

    fn first_day(self) -> Option<civil::Date> {
        let year = i16::try_from(self.0.div_euclid(12)).ok()?.checked_add(1970)?;
        let month = i8::try_from(self.0.rem_euclid(12)).ok()?.checked_add(1)?;
        civil::Date::new(year, month, 1).ok()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = self.0.rem_euclid(12).saturating_add(1);
        write!(f, "{:04}-{month:02}", self.year())
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a month such as 2026-03")]
pub struct NotAMonth;

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Month, NotAMonth> {
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        let year: i16 = year.parse().map_err(|_| NotAMonth)?;
        let month: i8 = month.parse().map_err(|_| NotAMonth)?;
        if !(1970..=4000).contains(&year) || !(1..=12).contains(&month) {
            return Err(NotAMonth);
        }
        Ok(Month::new(year, month))
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u16(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Month, D::Error> {
        if !deserializer.is_human_readable() {
            return u16::deserialize(deserializer).map(Month);
        }
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Half a calendar month, from its 1st or its 16th day on: what an invoice covers (R12.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HalfMonth(u32);

impl HalfMonth {
    pub fn first_of(month: Month) -> HalfMonth {
        HalfMonth(u32::from(month.0).saturating_mul(2))
    }

    pub const fn number(self) -> u32 {
        self.0
    }

    pub const fn from_number(number: u32) -> HalfMonth {
        HalfMonth(number)
    }

    pub fn month(self) -> Month {
        Month(u16::try_from(self.0.div_euclid(2)).unwrap_or(u16::MAX))
    }

    pub fn is_first(self) -> bool {
        self.0.rem_euclid(2) == 0
    }

    /// The last one that is over when a day begins.
    pub fn over_by(day: Day) -> HalfMonth {
        let first = HalfMonth::first_of(Month::new(day.0.year(), day.0.month()));
        let is_second = day.0.day() >= SECOND_HALF_BEGINS;
        HalfMonth(if is_second { first.0 } else { first.0.saturating_sub(1) })
    }

    pub fn previous(self) -> HalfMonth {
        HalfMonth(self.0.saturating_sub(1))
    }

    pub fn next(self) -> HalfMonth {
        HalfMonth(self.0.saturating_add(1))
    }

    fn first_day(self) -> Option<civil::Date> {
        let first = self.month().first_day()?;
        if self.is_first() {
            Some(first)
        } else {
            first.with().day(SECOND_HALF_BEGINS).build().ok()
        }
    }
}

/// The day of the month on which its second half begins.
const SECOND_HALF_BEGINS: i8 = 16;

impl fmt::Debug for HalfMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.month(), if self.is_first() { 1 } else { 2 })
    }
}

/// A day of the calendar, wherever it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(civil::Date);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a day such as 2026-03-01")]
pub struct NotADay;

impl Day {
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// From one on, as are days of the month.
    pub fn month(self) -> u8 {
        self.0.month().unsigned_abs()
    }

    pub fn of_month(self) -> u8 {
        self.0.day().unsigned_abs()
    }
}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Day, NotADay> {
        // Nothing but the plain form: the calendar itself would also read times and zones.
        if text.len() != "2026-03-01".len() {
            return Err(NotADay);
        }
        text.parse().map(Day).map_err(|_| NotADay)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| de::Error::custom(format_args!("\"{text}\": {why}")))
    }
}

/// How long the charges of one bill are collected (R5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cycle {
    Hour,
    Day,
    Month,
}

/// A time zone by its name in the zone database. Equal names are the same small number, so that a
/// billing account carries two bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(u16);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time zone of the IANA database, such as Europe/Berlin")]
pub struct NotAZone;

/// Every zone met so far in this process: a memo of the compiled-in database, never state.
static ZONES: OnceLock<RwLock<Vec<&'static TimeZone>>> = OnceLock::new();

/// A month that was asked for, and the instants that surely lie in it: not those of its first and last day,
/// where a clock that is set back may change the month twice.
#[derive(Clone, Copy)]
struct KnownMonth {
    zone: Zone,
    from: Timestamp,
    until: Timestamp,
    month: Month,
}

/// Days that are neither the first nor the last of any month.
const SURELY_WITHIN: std::ops::RangeInclusive<i8> = 3..=26;
/// Zones whose last month and hour are known. A power of two.
const ZONES_KNOWN: usize = 8;

/// An hour that was asked for, from its first instant to the first after it.
type KnownHour = (Zone, Timestamp, Timestamp);

thread_local! {
    /// Nearly all that is asked lies in one month, and one hour. A memo of the compiled-in database, never state.
    static MONTHS: [Cell<Option<KnownMonth>>; ZONES_KNOWN] =
        const { [const { Cell::new(None) }; ZONES_KNOWN] };
    static HOURS: [Cell<Option<KnownHour>>; ZONES_KNOWN] =
        const { [const { Cell::new(None) }; ZONES_KNOWN] };
}

impl Zone {
    pub const UTC: Zone = Zone(0);

    fn known() -> &'static RwLock<Vec<&'static TimeZone>> {
        ZONES.get_or_init(|| RwLock::new(vec![Box::leak(Box::new(TimeZone::UTC))]))
    }

    fn rules(self) -> &'static TimeZone {
        static FALLBACK: TimeZone = TimeZone::UTC;
        let known = Self::known().read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.get(usize::from(self.0)).copied().unwrap_or(&FALLBACK)
    }

    pub fn name(self) -> &'static str {
        self.rules().iana_name().unwrap_or("UTC")
    }

    /// An instant as people of this zone read it: `1 March 2026, 08:05`.
    pub fn shown(self, at: Timestamp) -> String {
        let shown = |local: jiff::Zoned| local.strftime("%-d %B %Y, %H:%M").to_string();
        self.local(at).map_or_else(|| at.to_string(), shown)
    }

    fn local(self, at: Timestamp) -> Option<jiff::Zoned> {
        at.jiff().map(|instant| instant.to_zoned(self.rules().clone()))
    }

    /// Year and month by the calendar alone.
    #[cfg(test)]
    pub(super) fn year_and_month(self, at: Timestamp) -> (i16, i8) {
        self.local(at).map(|local| (local.year(), local.month())).unwrap()
    }

    fn start_of(self, date: civil::Date) -> Option<Timestamp> {
        let start = date.to_zoned(self.rules().clone()).ok()?;
        Some(Timestamp(start.timestamp().as_microsecond()))
    }

    /// The calendar month `at` lies in.
    pub fn month_of(self, at: Timestamp) -> Month {
        let place = usize::from(self.0) & (ZONES_KNOWN - 1);
        let known = MONTHS.with(|months| months.get(place).and_then(Cell::get));
        if let Some(known) = known
            && known.zone == self
            && known.from <= at
            && at < known.until
        {
            return known.month;
        }
        let Some(local) = self.local(at) else { return Month(0) };
        let month = Month::new(local.year(), local.month());
        if SURELY_WITHIN.contains(&local.day()) {
            let (starts, ends) = self.bounds_of(month);
            let (from, until) = (starts.plus(Span::days(1)), ends.minus(Span::days(1)));
            let known = KnownMonth { zone: self, from, until, month };
            MONTHS.with(|months| {
                if let Some(place) = months.get(place) {
                    place.set(Some(known));
                }
            });
        }
        month
    }

    /// From the first instant of `month` to the first of the next.
    pub fn bounds_of(self, month: Month) -> (Timestamp, Timestamp) {
        let start = month.first_day().and_then(|day| self.start_of(day));
        let end = month.next().first_day().and_then(|day| self.start_of(day));
        (start.unwrap_or(Timestamp::START), end.unwrap_or(Timestamp::END))
    }

    /// The half of a month `at` lies in.
    pub fn half_month_of(self, at: Timestamp) -> HalfMonth {
        let Some(local) = self.local(at) else { return HalfMonth(0) };
        let first = HalfMonth::first_of(Month::new(local.year(), local.month()));
        if local.day() < SECOND_HALF_BEGINS { first } else { first.next() }
    }

    /// From the first instant of half a month to the first of the next half.
    pub fn bounds_of_half(self, half: HalfMonth) -> (Timestamp, Timestamp) {
        let start = half.first_day().and_then(|day| self.start_of(day));
        let end = half.next().first_day().and_then(|day| self.start_of(day));
        (start.unwrap_or(Timestamp::START), end.unwrap_or(Timestamp::END))
    }

    /// The calendar day that `at` lies in, as people call it.
    pub fn date_of(self, at: Timestamp) -> Day {
        Day(self.local(at).map_or(civil::Date::ZERO, |local| local.date()))
    }

    pub fn window_of(self, month: Month) -> Window {
        let (start, end) = self.bounds_of(month);
        Window { from: start.full_minute(), until: end.full_minute() }
    }

    /// The instant so long after the end of `month`: whole days are days of the calendar, which
    /// daylight saving makes shorter or longer.
    pub fn days_after(self, month: Month, span: Span) -> Timestamp {
        const DAY: i64 = 24 * 60 * MICROS_PER_MINUTE;
        let (_, ends) = self.bounds_of(month);
        let (days, rest) = (span.0.div_euclid(DAY), Span(span.0.rem_euclid(DAY)));
        let date = month.next().first_day();
        let date =
            date.and_then(|day| day.checked_add(jiff::Span::new().try_days(days).ok()?).ok());
        date.and_then(|day| self.start_of(day)).map_or(ends.plus(span), |start| start.plus(rest))
    }

    /// The bill cycle `at` lies in: from its first instant to the first after it.
    ///
    /// An hour ends at the next full local hour, or where daylight saving changes the clock if that
    /// comes first, so that no cycle spans two offsets from UTC.
    pub fn cycle_of(self, cycle: Cycle, at: Timestamp) -> (Timestamp, Timestamp) {
        match cycle {
            Cycle::Hour => self.hour_of(at),
            Cycle::Day => self.day_of(at),
            Cycle::Month => self.bounds_of(self.month_of(at)),
        }
    }

    /// The hour of the day `at` lies in, as bill cycles know it.
    pub fn hour_around(self, at: Timestamp) -> Window {
        let (begins, ends) = self.hour_of(at);
        Window { from: begins.full_minute(), until: ends.full_minute() }
    }

    fn hour_of(self, at: Timestamp) -> (Timestamp, Timestamp) {
        let place = usize::from(self.0) & (ZONES_KNOWN - 1);
        let known = HOURS.with(|hours| hours.get(place).and_then(Cell::get));
        if let Some((zone, begins, ends)) = known
            && zone == self
            && (begins..ends).contains(&at)
        {
            return (begins, ends);
        }
        let (begins, ends) = self.looked_up_hour_of(at);
        HOURS.with(|hours| {
            if let Some(place) = hours.get(place) {
                place.set(Some((self, begins, ends)));
            }
        });
        (begins, ends)
    }

    fn looked_up_hour_of(self, at: Timestamp) -> (Timestamp, Timestamp) {
        const HOUR: i64 = 60 * MICROS_PER_MINUTE;
        let Some(instant) = at.jiff() else { return (Timestamp::START, Timestamp::END) };
        let offset = i64::from(self.rules().to_offset(instant).seconds());
        let local = at.0.saturating_add(offset.saturating_mul(MICROS_PER_SECOND));
        let start = at.0.saturating_sub(local.rem_euclid(HOUR));
        let end = start.saturating_add(HOUR);
        let changed_before =
            self.rules().preceding(instant).next().map(|t| t.timestamp().as_microsecond());
        // `preceding` excludes a change at `instant` itself; that one begins the cycle.
        let changes_at =
            self.rules().following(before(instant)).next().map(|t| t.timestamp().as_microsecond());
        let begins = match changes_at {
            Some(change) if change == at.0 => change,
            _ => changed_before.map_or(start, |change| change.max(start)),
        };
        let ends = self.rules().following(instant).next().map(|t| t.timestamp().as_microsecond());
        (Timestamp(begins.max(start)), Timestamp(ends.map_or(end, |change| change.min(end))))
    }

    /// The same local time on the next day; where daylight saving leaves it out, the next there is.
    pub fn same_time_next_day(self, at: Timestamp) -> Timestamp {
        let next = self.local(at).and_then(|local| local.tomorrow().ok());
        next.map_or(at.plus(Span::days(1)), |next| Timestamp(next.timestamp().as_microsecond()))
    }

    /// The same local time so many months later: on the month's last day where it has no such day.
    pub fn months_after(self, at: Timestamp, months: u32) -> Timestamp {
        let span = jiff::Span::new().try_months(months);
        let after = self.local(at).zip(span.ok()).and_then(|(at, span)| at.checked_add(span).ok());
        after.map_or(Timestamp::END, |after| Timestamp(after.timestamp().as_microsecond()))
    }

    /// The calendar day `at` lies in.
    pub fn day_of(self, at: Timestamp) -> (Timestamp, Timestamp) {
        let Some(local) = self.local(at) else { return (Timestamp::START, Timestamp::END) };
        let start = self.start_of(local.date());
        let end = local.date().tomorrow().ok().and_then(|day| self.start_of(day));
        (start.unwrap_or(Timestamp::START), end.unwrap_or(Timestamp::END))
    }
}

fn before(instant: jiff::Timestamp) -> jiff::Timestamp {
    let micros = instant.as_microsecond().saturating_sub(1);
    jiff::Timestamp::from_microsecond(micros).unwrap_or(instant)
}

impl FromStr for Zone {
    type Err = NotAZone;

    fn from_str(name: &str) -> Result<Zone, NotAZone> {
        if name == "UTC" {
            return Ok(Zone::UTC);
        }
        let rules = TimeZone::get(name).map_err(|_| NotAZone)?;
        let mut known = Self::known().write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = known.iter().position(|zone| zone.iana_name() == rules.iana_name());
        let place = place.unwrap_or_else(|| {
            known.push(Box::leak(Box::new(rules)));
            known.len().saturating_sub(1)
        });
        u16::try_from(place).map(Zone).map_err(|_| NotAZone)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|why| de::Error::custom(format_args!("\"{name}\": {why}")))
    }
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
