//! Months, their halves and days as they are read, shown and counted.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

#[test]
fn a_month_is_counted_from_1970_and_shown_as_it_is_read() {
    for (text, number) in [("1970-01", 0), ("1970-12", 11), ("2026-03", 674), ("4000-12", 24_371)] {
        let month: Month = text.parse().unwrap();
        assert_eq!((month.number(), Month::from_number(number)), (number, month), "{text}");
        assert_eq!((month.to_string(), format!("{month:?}")), (text.into(), text.into()));
        let json = format!("\"{text}\"");
        assert_eq!(serde_json::to_string(&month).unwrap(), json);
        assert_eq!(serde_json::from_str::<Month>(&json).unwrap(), month);
    }
    for text in ["", "2026", "1969-12", "4001-01", "2026-00", "2026-13", "2026-x"] {
        assert_eq!(text.parse::<Month>(), Err(NotAMonth), "{text}");
    }
}

#[test]
fn a_day_is_read_in_its_plain_form_only() {
    let day: Day = "2026-11-23".parse().unwrap();
    assert_eq!((day.year(), day.month(), day.of_month()), (2026, 11, 23));
    assert_eq!((day.to_string(), format!("{day:?}")), ("2026-11-23".into(), "2026-11-23".into()));
    assert_eq!(serde_json::to_string(&day).unwrap(), "\"2026-11-23\"");
    assert_eq!(serde_json::from_str::<Day>("\"2026-11-23\"").unwrap(), day);
    for text in ["", "2026-11-31", "2026-11-23T00:00", "2026-11-23T00:00:00Z", "20261123"] {
        assert_eq!(text.parse::<Day>(), Err(NotADay), "{text}");
    }
    assert_eq!(zone("Asia/Singapore").date_of(at("2026-11-22T16:00:00Z")), day);
    assert_eq!(zone("Asia/Singapore").date_of(at("2026-11-23T15:59:59Z")), day);
}

/// R12.1: an invoice covers half a month, of which the second begins with the 16th day.
#[test]
fn r12_1_the_second_half_of_a_month_begins_with_its_16th_day() {
    for (instant, half, from, until) in [
        ("2026-02-28T23:59:59.999999Z", "2026-02/2", "2026-02-16", "2026-03-01"),
        ("2026-03-01T00:00:00Z", "2026-03/1", "2026-03-01", "2026-03-16"),
        ("2026-03-15T23:59:59.999999Z", "2026-03/1", "2026-03-01", "2026-03-16"),
        ("2026-03-16T00:00:00Z", "2026-03/2", "2026-03-16", "2026-04-01"),
        ("2026-03-17T00:00:00Z", "2026-03/2", "2026-03-16", "2026-04-01"),
    ] {
        let found = Zone::UTC.half_month_of(at(instant));
        assert_eq!(format!("{found:?}"), half, "R12.1: {instant}");
        let midnight = |day: &str| at(&format!("{day}T00:00:00Z"));
        let bounds = (midnight(from), midnight(until));
        assert_eq!(Zone::UTC.bounds_of_half(found), bounds, "R12.1: {instant}");
        assert_eq!(found.is_first(), half.ends_with("/1"), "R12.1: {instant}");
        assert_eq!(found.next().previous(), found, "R12.1: {instant}");
    }
    let march: Month = "2026-03".parse().unwrap();
    let first = HalfMonth::first_of(march);
    assert_eq!((first.number(), first.next().number()), (1_348, 1_349));
    assert_eq!((first.month(), first.next().month()), (march, march));
    assert_eq!(HalfMonth::from_number(1_349), first.next());
    for (day, over) in [
        ("2026-03-01", "2026-02/2"),
        ("2026-03-15", "2026-02/2"),
        ("2026-03-16", "2026-03/1"),
        ("2026-03-31", "2026-03/1"),
    ] {
        let found = HalfMonth::over_by(day.parse().unwrap());
        assert_eq!(format!("{found:?}"), over, "R12.1: {day}");
    }
}

/// Whole days are those of the calendar: one of these has 23 hours.
#[test]
fn days_after_a_month_are_days_of_the_calendar() {
    let february: Month = "2026-02".parse().unwrap();
    for (span, utc, berlin) in [
        ("0s", "2026-03-01T00:00:00Z", "2026-02-28T23:00:00Z"),
        ("1d", "2026-03-02T00:00:00Z", "2026-03-01T23:00:00Z"),
        ("23h", "2026-03-01T23:00:00Z", "2026-03-01T22:00:00Z"),
        ("35d", "2026-04-05T00:00:00Z", "2026-04-04T22:00:00Z"),
        ("845h", "2026-04-05T05:00:00Z", "2026-04-05T03:00:00Z"),
    ] {
        let span = span.parse().unwrap();
        assert_eq!(Zone::UTC.days_after(february, span), at(utc), "{span}");
        assert_eq!(zone("Europe/Berlin").days_after(february, span), at(berlin), "{span}");
    }
}

#[test]
fn a_zone_is_shown_by_its_name() {
    for name in ["UTC", "Asia/Kolkata"] {
        let zone = zone(name);
        assert_eq!((zone.to_string(), format!("{zone:?}")), (name.into(), name.into()));
        let json = format!("\"{name}\"");
        assert_eq!(serde_json::to_string(&zone).unwrap(), json);
        assert_eq!(serde_json::from_str::<Zone>(&json).unwrap(), zone);
    }
}

/// R3.5: zones share the few places where a month and an hour are remembered, and what is remembered of one
/// says nothing about another.
#[test]
fn r3_5_what_is_remembered_of_a_zone_is_not_taken_for_another() {
    let (instant, other) = (at("2026-03-10T10:10:00Z"), Zone(u16::MAX));
    let (from, until) = (at("2026-03-10T09:30:00Z"), at("2026-03-10T10:30:00Z"));
    let wrong = KnownMonth { zone: other, from, until, month: "2020-01".parse().unwrap() };
    MONTHS.with(|months| months[0].set(Some(wrong)));
    HOURS.with(|hours| hours[0].set(Some((other, from, until))));
    assert_eq!(Zone::UTC.month_of(instant).to_string(), "2026-03", "R3.5");
    let hour = (at("2026-03-10T10:00:00Z"), at("2026-03-10T11:00:00Z"));
    assert_eq!(Zone::UTC.cycle_of(Cycle::Hour, instant), hour, "R3.5");
    // Its own it finds again.
    assert_eq!(Zone::UTC.cycle_of(Cycle::Hour, instant), hour, "R3.5");
}
