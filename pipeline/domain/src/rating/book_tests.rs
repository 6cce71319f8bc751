use super::super::parse;
use super::*;

fn minute(text: &str) -> Minute {
    text.parse::<Timestamp>().unwrap().minute()
}

fn book(text: &str) -> PriceBook {
    let mut book = PriceBook::default();
    load(&mut book, text, "2026-01-01T00:00:00Z").unwrap();
    book
}

fn load(book: &mut PriceBook, text: &str, at: &str) -> Result<(), String> {
    let entries = parse(text).map_err(|error| error.to_string())?;
    let changes = book.changes(entries, at.parse().unwrap()).map_err(|error| error.to_string())?;
    book.apply(&changes);
    Ok(())
}

const BASE: &str = r#"
[[price]]
product = "compute"
meter = "hours"
currency = "USD"
model = "per_unit"
unit_price = "0.50"

[[price]]
product = "compute"
meter = "hours"
region = "eu"
currency = "USD"
model = "per_unit"
unit_price = "0.60"
effective_from = "2026-02-01T00:00:30Z"
"#;

fn find(book: &PriceBook, region: Option<&str>, at: &str) -> Option<String> {
    let meter = book.meter(&"compute".parse().unwrap(), &"hours".parse().unwrap())?;
    let region = region.map(|region| region.parse().unwrap());
    let found = book.find(meter, region.as_ref(), Currency::Usd, minute(at))?;
    assert!(found.same.contains(minute(at)));
    match &book.price(found.price)?.model {
        Model::PerUnit(price) => Some(price.unit_price.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn r3_1_a_price_for_the_region_beats_one_for_any_region() {
    let book = book(BASE);
    assert_eq!(find(&book, None, "2026-03-01T00:00:00Z").as_deref(), Some("0.5"));
    assert_eq!(find(&book, Some("us"), "2026-03-01T00:00:00Z").as_deref(), Some("0.5"));
    assert_eq!(find(&book, Some("eu"), "2026-03-01T00:00:00Z").as_deref(), Some("0.6"));
    // A time in between means the next full minute.
    assert_eq!(find(&book, Some("eu"), "2026-02-01T00:00:00Z").as_deref(), Some("0.5"));
    assert_eq!(find(&book, Some("eu"), "2026-02-01T00:01:00Z").as_deref(), Some("0.6"));
}

#[test]
fn r3_1_a_price_change_is_by_time_of_use() {
    let mut book = book(BASE);
    let change = r#"
[[price]]
product = "compute"
meter = "hours"
currency = "USD"
model = "per_unit"
unit_price = "0.70"
effective_from = "2026-03-01T00:10:00Z"
"#;
    load(&mut book, change, "2026-03-01T00:00:00Z").unwrap();
    assert_eq!(find(&book, None, "2026-03-01T00:09:59Z").as_deref(), Some("0.5"));
    assert_eq!(find(&book, None, "2026-03-01T00:10:00Z").as_deref(), Some("0.7"));
    assert_eq!(find(&book, Some("eu"), "2026-03-01T00:10:00Z").as_deref(), Some("0.6"));
}

#[test]
fn r3_1_after_the_first_load_a_price_holds_at_the_earliest_ten_minutes_later() {
    let mut loaded = book(BASE);
    let change = |price: &str, from: &str| {
        format!(
            "[[price]]\nproduct = \"compute\"\nmeter = \"hours\"\ncurrency = \"USD\"\n\
             model = \"per_unit\"\nunit_price = \"{price}\"\neffective_from = \"{from}\"\n"
        )
    };
    let early = load(&mut loaded, &change("0.70", "2026-03-01T00:09:00Z"), "2026-03-01T00:00:00Z");
    let early = early.unwrap_err();
    assert!(early.contains("line 1") && early.contains("in_the_past"), "{early}");
    // What the book says already may be said again, and what does not hold yet may be corrected.
    load(&mut loaded, BASE, "2026-03-01T00:00:00Z").unwrap();
    load(&mut loaded, &change("0.70", "2026-03-01T00:30:00Z"), "2026-03-01T00:00:00Z").unwrap();
    load(&mut loaded, &change("0.80", "2026-03-01T00:30:00Z"), "2026-03-01T00:05:00Z").unwrap();
    assert_eq!(find(&loaded, None, "2026-03-01T00:30:00Z").as_deref(), Some("0.8"));
    let late = load(&mut loaded, &change("0.90", "2026-03-01T00:30:00Z"), "2026-03-01T00:25:00Z");
    assert!(late.unwrap_err().contains("in_the_past"));
}

#[test]
fn r3_1_contradictions_are_refused_with_both_lines_named() {
    let twice = format!("{BASE}{}", BASE.split("\n\n").next().unwrap());
    let error = load(&mut PriceBook::default(), &twice, "2026-01-01T00:00:00Z").unwrap_err();
    assert!(error.contains("line 18") && error.contains("line 2"), "{error}");
    let differ = BASE.replacen("model =", "aggregate = \"count\"\nmodel =", 1);
    let error = load(&mut PriceBook::default(), &differ, "2026-01-01T00:00:00Z").unwrap_err();
    assert!(error.contains("line 10") && error.contains("line 2"), "{error}");
}

#[test]
fn r3_1_a_bad_price_is_refused_with_its_line() {
    let check = |line: &str, reason: &str| {
        let text =
            format!("[[price]]\nproduct = \"p\"\nmeter = \"m\"\ncurrency = \"USD\"\n{line}\n");
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(reason), "{line}: {error}");
    };
    check("model = \"per_unit\"", "unit_price is missing");
    check("model = \"per_unit\"\nunit_price = \"1000000\"", "below 1000000");
    check("model = \"per_unit\"\nunit_price = \"-1\"", "negative");
    check("model = \"per_unit\"\nunit_price = 1.5", "invalid type");
    check("model = \"flat\"\namount = \"1\"\nunit_price = \"1\"", "does not belong");
    check("model = \"package\"\npackage = \"0\"\namount = \"1\"", "above zero");
    check("model = \"volume\"\ntiers = []", "empty");
    check("model = \"volume\"\ntiers = [{ up_to = \"1\", unit_price = \"1\" }]", "last tier");
    check(
        "model = \"volume\"\ntiers = [{ up_to = \"1\", unit_price = \"1\" }, { up_to = \"1\", unit_price = \"1\" }, { unit_price = \"1\" }]",
        "does not lie above",
    );
    let steps = |count: u32| {
        let steps =
            (1..count).map(|step| format!("{{ up_to = \"{step}\", unit_price = \"1\" }}, "));
        format!(
            "model = \"graduated\"\ntiers = [{}{{ unit_price = \"1\" }}]",
            steps.collect::<String>()
        )
    };
    check(&steps(256), "more than 255 tiers");
    let most =
        format!("[[price]]\nproduct = \"p\"\nmeter = \"m\"\ncurrency = \"USD\"\n{}", steps(255));
    parse(&most).unwrap();
    check("model = \"per_unit\"\nunit_prise = \"1\"", "unknown field");
}

/// R3.3: only `unique` counts the values of a tag, and it has to say which.
#[test]
fn r3_3_how_records_make_the_quantity_is_said_once_for_a_meter() {
    let text = |aggregate: &str, region: &str| {
        format!(
            "[[price]]\nproduct = \"p\"\nmeter = \"m\"\ncurrency = \"USD\"\nregion = \"{region}\"\n\
             model = \"per_unit\"\nunit_price = \"1\"\n{aggregate}\n"
        )
    };
    let check = |aggregate: &str, reason: &str| {
        let error = parse(&text(aggregate, "eu")).unwrap_err().to_string();
        assert!(error.starts_with("line 1: ") && error.contains(reason), "{aggregate}: {error}");
    };
    check("aggregate = \"unique\"", "tag is missing");
    check("aggregate = \"unique\"\ntag = \"\"", "tag is empty");
    check("aggregate = \"max\"\ntag = \"user\"", "tag does not belong to max");
    check("tag = \"user\"", "tag does not belong to sum");
    for aggregate in ["max", "last", "count", "sum"] {
        let one = text(&format!("aggregate = \"{aggregate}\""), "eu");
        load(&mut PriceBook::default(), &one, "2026-01-01T00:00:00Z").unwrap();
    }
    // Two tags of one meter are as different as two aggregates, in one document and in two.
    let (user, team) =
        ("aggregate = \"unique\"\ntag = \"user\"", "aggregate = \"unique\"\ntag = \"team\"");
    let both = text(user, "eu") + &text(team, "us");
    let error = load(&mut PriceBook::default(), &both, "2026-01-01T00:00:00Z").unwrap_err();
    assert!(error.contains("line 10") && error.contains("line 1;"), "{error}");
    let mut loaded = book(&text(user, "eu"));
    let error = load(&mut loaded, &text(team, "us"), "2026-01-01T00:00:00Z").unwrap_err();
    assert!(error.contains("changes the aggregate"), "{error}");
}

#[test]
fn an_inserted_price_ends_where_a_later_one_begins() {
    let mut loaded = book(BASE);
    let price = |value: &str, from: &str| {
        format!(
            "[[price]]\nproduct = \"compute\"\nmeter = \"hours\"\ncurrency = \"USD\"\n\
             model = \"per_unit\"\nunit_price = \"{value}\"\neffective_from = \"{from}\"\n"
        )
    };
    load(&mut loaded, &price("0.9", "2026-05-01T00:00:00Z"), "2026-03-01T00:00:00Z").unwrap();
    load(&mut loaded, &price("0.8", "2026-04-01T00:00:00Z"), "2026-03-01T00:00:00Z").unwrap();
    for (at, expected) in [
        ("2026-03-31T23:59:00Z", "0.5"),
        ("2026-04-30T23:59:00Z", "0.8"),
        ("2026-05-01T00:00:00Z", "0.9"),
    ] {
        assert_eq!(find(&loaded, None, at).as_deref(), Some(expected), "{at}");
    }
}

#[test]
fn a_book_that_was_kept_and_read_back_finds_the_same() {
    let loaded = book(BASE);
    assert_eq!(PriceBook::from(loaded.prices().clone()), loaded);
}
