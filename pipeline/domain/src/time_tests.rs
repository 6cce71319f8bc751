use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

#[test]
fn an_instant_is_shown_as_people_of_the_zone_read_it() {
    let at: Timestamp = "2026-03-01T00:05:59Z".parse().unwrap();
    let shown = |zone: &str| zone.parse::<Zone>().unwrap().shown(at);
    assert_eq!(shown("UTC"), "1 March 2026, 00:05");
    assert_eq!(shown("Asia/Singapore"), "1 March 2026, 08:05");
    assert_eq!(shown("America/New_York"), "28 February 2026, 19:05");
}

#[test]
fn spans_are_numbers_with_a_unit() {
    for text in ["35d", "5m", "0s", "90s", "1500ms", "7us", "25h"] {
        assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
    }
    assert_eq!("24h".parse::<Span>().unwrap().to_string(), "1d");
    for text in ["", "d", "5", "-5d", "5 d", "5w", "1.5h", "99999999999999d"] {
        assert_eq!(text.parse::<Span>(), Err(NotASpan), "{text}");
    }
}

#[test]
fn r3_1_dated_things_hold_from_a_full_minute_on() {
    assert_eq!(at("2026-03-01T10:00:00Z").full_minute(), at("2026-03-01T10:00:00Z").minute());
    assert_eq!(
        at("2026-03-01T10:00:00.000001Z").full_minute(),
        at("2026-03-01T10:01:00Z").minute()
    );
    assert_eq!(at("2026-03-01T10:00:59Z").minute().starts(), at("2026-03-01T10:00:00Z"));
}

#[test]
fn r3_5_months_are_those_of_the_zone() {
    let check = |name: &str, instant: &str, month: &str| {
        assert_eq!(zone(name).month_of(at(instant)).to_string(), month, "R3.5: {name} {instant}");
    };
    check("UTC", "2026-02-28T23:59:59.999999Z", "2026-02");
    check("UTC", "2026-03-01T00:00:00Z", "2026-03");
    check("Asia/Singapore", "2026-02-28T16:00:00Z", "2026-03");
    check("America/New_York", "2026-03-01T04:59:59Z", "2026-02");
    check("Asia/Kolkata", "2028-02-29T18:30:00Z", "2028-03");
    // At a minute past midnight this clock was set back by an hour.
    check("America/St_Johns", "2009-11-20T12:00:00Z", "2009-11");
    check("America/St_Johns", "2009-11-01T02:30:30Z", "2009-11");
    check("America/St_Johns", "2009-11-01T02:31:00Z", "2009-10");
    check("America/St_Johns", "2009-11-01T03:30:00Z", "2009-11");
}

#[test]
fn r3_5_cycles_follow_daylight_saving() {
    let check = |name: &str, cycle, instant: &str, from: &str, until: &str| {
        let found = zone(name).cycle_of(cycle, at(instant));
        assert_eq!(found, (at(from), at(until)), "R3.5: {name} {instant}");
    };
    check(
        "UTC",
        Cycle::Hour,
        "2026-03-01T01:00:00Z",
        "2026-03-01T01:00:00Z",
        "2026-03-01T02:00:00Z",
    );
    check(
        "Asia/Kolkata",
        Cycle::Hour,
        "2026-03-01T01:00:00Z",
        "2026-03-01T00:30:00Z",
        "2026-03-01T01:30:00Z",
    );
    // The day on which clocks go forward has 23 hours, the one on which they go back 25.
    check(
        "Europe/Berlin",
        Cycle::Day,
        "2026-03-29T12:00:00Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z",
    );
    check(
        "Europe/Berlin",
        Cycle::Day,
        "2026-10-25T12:00:00Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
    );
    check(
        "Europe/Berlin",
        Cycle::Hour,
        "2026-10-25T00:59:59Z",
        "2026-10-25T00:00:00Z",
        "2026-10-25T01:00:00Z",
    );
    check(
        "Europe/Berlin",
        Cycle::Hour,
        "2026-10-25T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-10-25T02:00:00Z",
    );
    // Lord Howe moves its clocks by half an hour, at 15:30 and 15:00 UTC.
    check(
        "Australia/Lord_Howe",
        Cycle::Hour,
        "2026-04-04T14:45:00Z",
        "2026-04-04T14:00:00Z",
        "2026-04-04T15:00:00Z",
    );
    check(
        "Australia/Lord_Howe",
        Cycle::Hour,
        "2026-04-04T15:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-04-04T15:30:00Z",
    );
    check(
        "Australia/Lord_Howe",
        Cycle::Hour,
        "2026-10-03T15:30:00Z",
        "2026-10-03T15:30:00Z",
        "2026-10-03T16:00:00Z",
    );
    check(
        "Asia/Kathmandu",
        Cycle::Month,
        "2026-02-28T18:15:00Z",
        "2026-02-28T18:15:00Z",
        "2026-03-31T18:15:00Z",
    );
}

/// Bills wait for marks at quarters of an hour, so every cycle must end on one.
#[test]
fn every_cycle_of_every_zone_ends_on_a_quarter_of_an_hour() {
    let mut seen = 0;
    for name in jiff::tz::db().available() {
        let Ok(zone) = name.as_str().parse::<Zone>() else { continue };
        seen += 1;
        let (mut instant, end) = (at("2024-01-01T00:00:00Z"), at("2024-12-31T00:00:00Z"));
        while instant < end {
            for cycle in [Cycle::Hour, Cycle::Day, Cycle::Month] {
                let (from, until) = zone.cycle_of(cycle, instant);
                assert!(from <= instant && instant < until, "{name} {cycle:?} {instant}");
                assert_eq!(until.quarter(), until, "{name} {cycle:?} {instant}");
                assert_eq!(zone.cycle_of(cycle, until).0, until, "{name} {cycle:?} {instant}");
            }
            instant = instant.plus("31h".parse().unwrap());
        }
    }
    assert!(seen > 300, "the zone database is compiled in: {seen} zones");
}

#[test]
fn months_follow_each_other() {
    let december: Month = "2026-12".parse().unwrap();
    assert_eq!(december.next().to_string(), "2027-01");
    assert_eq!(december.next().previous(), december);
    assert_eq!("2026-13".parse::<Month>(), Err(NotAMonth));
}

#[test]
fn a_zone_is_read_by_name_and_shown_by_name() {
    assert_eq!(zone("Europe/Berlin").name(), "Europe/Berlin");
    assert_eq!(zone("Europe/Berlin"), zone("Europe/Berlin"));
    assert_eq!(zone("UTC"), Zone::UTC);
    assert_eq!("Mars/Olympus".parse::<Zone>(), Err(NotAZone));
}

/// A month that is remembered is the one the calendar says, whatever was asked before: also where a clock
/// that is set back on the first of a month makes it the month before again.
#[test]
fn r3_5_a_month_does_not_depend_on_what_was_asked_before() {
    let zones = ["UTC", "America/St_Johns", "Pacific/Apia", "Asia/Kolkata"].map(zone);
    let half_hours = 366 * 48;
    for number in (0..half_hours).step_by(5) {
        // From both ends, so that time goes back at every step.
        for half_hour in [number, half_hours - number] {
            let instant = at("2009-01-01T02:01:30Z").plus(Span::minutes(half_hour * 30));
            for zone in zones {
                let (year, month) = zone.year_and_month(instant);
                assert_eq!(zone.month_of(instant), Month::new(year, month), "{zone:?} {instant}");
            }
        }
    }
}

#[test]
fn spans_and_instants_are_counted_in_microseconds() {
    for (span, micros) in [
        (Span::micros(7), 7),
        (Span::minutes(90), 5_400_000_000),
        (Span::minutes(-1), -60_000_000),
        (Span::days(2), 172_800_000_000),
        (Span::days(1).plus(Span::minutes(1)), 86_460_000_000),
        ("3h".parse().unwrap(), 10_800_000_000),
        (at("2026-03-01T00:00:02Z").since(at("2026-03-01T00:00:00.5Z")), 1_500_000),
    ] {
        assert_eq!(span.as_micros(), micros, "{span}");
    }
    assert_eq!(at("1970-01-01T00:00:01.000002Z").as_micros(), 1_000_002);
    assert_eq!(at("1970-01-02T01:01:59Z").minute().number(), 1_501);
    assert_eq!(at("1969-12-31T23:59:59Z").minute(), Minute::START);
    for (instant, quarter) in [
        ("2026-03-01T10:14:59.999999Z", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:15:00Z", "2026-03-01T10:15:00Z"),
        ("2026-03-01T10:59:59Z", "2026-03-01T10:45:00Z"),
    ] {
        assert_eq!(at(instant).quarter(), at(quarter), "{instant}");
    }
}

#[test]
fn times_are_shown_as_they_are_read() {
    let instant = at("2026-03-01T10:00:00.5Z");
    assert_eq!(instant.to_string(), "2026-03-01T10:00:00.5Z");
    assert_eq!(format!("{instant:?}"), "2026-03-01T10:00:00.5Z");
    assert_eq!(format!("{:?}", instant.minute()), "2026-03-01T10:00:00Z");
    // No calendar reaches as far.
    assert_eq!(Timestamp::END.to_string(), "9223372036854775807us");
    let json = "\"2026-03-01T10:00:00.5Z\"";
    assert_eq!(serde_json::to_string(&instant).unwrap(), json);
    assert_eq!(serde_json::from_str::<Timestamp>(json).unwrap(), instant);
    assert_eq!(serde_json::from_str::<Span>("\"36h\"").unwrap(), Span::minutes(36 * 60));
    assert_eq!(serde_json::to_string(&Span::minutes(36 * 60)).unwrap(), "\"36h\"");
    assert_eq!("2026-03-01".parse::<Timestamp>(), Err(NotATime));
}

fn window(from: u32, until: u32) -> Window {
    Window { from: Minute::from_number(from), until: Minute::from_number(until) }
}

#[test]
fn a_window_holds_its_first_minute_and_not_the_one_behind_its_last() {
    for (minute, expected) in
        [(9, false), (10, true), (11, true), (19, true), (20, false), (21, false)]
    {
        let found = window(10, 20).contains(Minute::from_number(minute));
        assert_eq!(found, expected, "{minute}");
    }
    assert_eq!(window(10, 20).overlap(window(15, 25)), window(15, 20));
    assert_eq!(window(10, 20).overlap(window(5, 15)), window(10, 15));
}

/// What is left around a minute ends at the next edge of the other span on either side.
#[test]
fn a_window_is_divided_where_another_begins_and_ends() {
    for (other, around, expected) in [
        ((5, 15), 12, (10, 15)),
        ((5, 15), 15, (15, 20)),
        ((5, 15), 14, (10, 15)),
        ((12, 18), 11, (10, 12)),
        ((12, 18), 12, (12, 18)),
        ((12, 18), 18, (18, 20)),
        ((0, 30), 10, (10, 20)),
    ] {
        let left =
            window(10, 20).undivided_by(window(other.0, other.1), Minute::from_number(around));
        assert_eq!(left, window(expected.0, expected.1), "{other:?} around {around}");
    }
}
