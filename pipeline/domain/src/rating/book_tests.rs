use super::super::{Flat, Graduated, Package, PerUnit, Tier, Volume, parse};
use super::*;
use crate::money::Amount;

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

/// One price at 0.50 for a place, from a time on.
fn priced(meter: &str, region: &str, currency: &str, from: &str) -> String {
    let line = |name: &str, value: &str| match value {
        "" => String::new(),
        value => format!("{name} = \"{value}\"\n"),
    };
    let place = [("meter", meter), ("region", region), ("currency", currency)];
    let place: String = place.map(|(name, value)| line(name, value)).concat();
    let from = line("effective_from", from);
    format!(
        "[[price]]\nproduct = \"compute\"\n{place}model = \"per_unit\"\nunit_price = \"0.50\"\n{from}"
    )
}

/// R3.1: what was found stays right from the price's first minute on, until it ends or a price for the region
/// begins.
#[test]
fn r3_1_what_is_found_holds_until_another_price_does() {
    let later = priced("hours", "", "USD", "2026-06-01T00:00:00Z");
    let early = priced("hours", "asia", "USD", "2025-06-01T00:00:00Z");
    let book = book(&format!("{BASE}{later}{early}"));
    let meter = book.meter(&"compute".parse().unwrap(), &"hours".parse().unwrap()).unwrap();
    let (january, february) = ("2026-01-01T00:00:00Z", "2026-02-01T00:01:00Z");
    let june = "2026-06-01T00:00:00Z";
    for (region, used, price, from, until) in [
        (None, january, 0, None, Some(june)),
        (None, june, 2, Some(june), None),
        (Some("us"), january, 0, None, Some(june)),
        (Some("us"), june, 2, Some(june), None),
        (Some("eu"), january, 0, None, Some(february)),
        (Some("eu"), "2026-02-01T00:00:00Z", 0, None, Some(february)),
        (Some("eu"), february, 1, Some(february), None),
        (Some("eu"), june, 1, Some(february), None),
        (Some("asia"), june, 3, Some("2025-06-01T00:00:00Z"), None),
    ] {
        let named = region.map(|region| region.parse().unwrap());
        let found = book.find(meter, named.as_ref(), Currency::Usd, minute(used));
        let same = Window {
            from: from.map_or(Minute::START, minute),
            until: until.map_or(Minute::END, minute),
        };
        let expected = Some(Found { price: PriceNumber(price), same });
        assert_eq!(found, expected, "R3.1: {region:?} {used}");
    }
    assert_eq!(book.find(meter, None, Currency::Eur, minute(june)), None, "R3.1");
}

/// R3.1: only the same price of the same place from the same time on is said already.
#[test]
fn r3_1_a_price_of_another_place_or_time_is_a_change() {
    let (may, june) = ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z");
    let loaded = book(&priced("hours", "", "USD", may));
    let changes = |text: &str| {
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        loaded.changes(parse(text).unwrap(), now).unwrap().len()
    };
    for (meter, region, currency, from, expected) in [
        ("hours", "", "USD", may, 0),
        ("hours", "", "USD", june, 1),
        ("hours", "", "EUR", may, 1),
        ("hours", "eu", "USD", may, 1),
        ("bytes", "", "USD", may, 1),
    ] {
        let found = changes(&priced(meter, region, currency, from));
        assert_eq!(found, expected, "R3.1: {meter} {region} {currency} {from}");
    }
    assert_eq!(changes(&priced("hours", "", "USD", may).replace("0.50", "0.51")), 1, "R3.1");
}

/// Names and numbers lead to each other, and every meter says what it is offered for.
#[test]
fn a_book_knows_its_meters_and_products_by_name_and_by_number() {
    let gigabytes = priced("bytes", "", "EUR", "").replace("compute", "storage");
    let counted = priced("calls", "", "USD", "") + "aggregate = \"count\"\n";
    let book = book(&format!("{BASE}{gigabytes}{counted}"));
    assert_eq!((PriceBook::default().loads(), book.loads()), (0, 1));
    let products = ["compute", "storage"].map(|name| name.parse::<ProductId>().unwrap());
    for (number, (product, meter, aggregate, of)) in (0..).zip([
        ("compute", "hours", Aggregate::Sum, 0),
        ("storage", "bytes", Aggregate::Sum, 1),
        ("compute", "calls", Aggregate::Count, 0),
    ]) {
        let number = MeterNumber(number);
        let (product, meter) = (product.parse().unwrap(), meter.parse().unwrap());
        assert_eq!(book.meter(&product, &meter), Some(number), "{meter}");
        assert_eq!(book.names(number), Some((&product, &meter)), "{meter}");
        assert_eq!(book.aggregate(number), Some(&aggregate), "{meter}");
        assert_eq!(book.product_of(number), Some(ProductNumber(of)), "{meter}");
        assert_eq!(book.product_named(&product), Some(ProductNumber(of)), "{meter}");
        assert_eq!(book.product(ProductNumber(of)), Some(&products[of as usize]), "{meter}");
    }
    let none = MeterNumber(3);
    assert_eq!((book.names(none), book.aggregate(none), book.product_of(none)), (None, None, None));
    assert_eq!(book.product_named(&"other".parse().unwrap()), None);
    assert_eq!(book.meter(&products[1], &"hours".parse().unwrap()), None);
    let offers: Vec<_> = book.offers().map(|(meter, offers)| (&meter.meter, offers)).collect();
    let offer = |region: &str, currency, from| Offer {
        region: region.parse().ok(),
        currency,
        holds: Window { from, until: Minute::END },
    };
    let february = minute("2026-02-01T00:01:00Z");
    let hours = vec![offer("", Currency::Usd, Minute::START), offer("eu", Currency::Usd, february)];
    let bytes = vec![offer("", Currency::Eur, Minute::START)];
    let calls = vec![offer("", Currency::Usd, Minute::START)];
    let meters = ["hours", "bytes", "calls"].map(|name| name.parse::<MeterId>().unwrap());
    assert_eq!(offers, meters.iter().zip([hours, bytes, calls]).collect::<Vec<_>>());
}

#[test]
fn r3_1_an_offer_covers_its_region_currency_and_time_together() {
    let holds = Window { from: Minute::from_number(10), until: Minute::from_number(20) };
    let anywhere = Offer { region: None, currency: Currency::Usd, holds };
    let european = Offer { region: "eu".parse().ok(), ..anywhere.clone() };
    for (region, currency, used, everywhere, in_europe) in [
        (None, Currency::Usd, 10, true, false),
        (Some("eu"), Currency::Usd, 10, true, true),
        (Some("us"), Currency::Usd, 10, true, false),
        (Some("eu"), Currency::Eur, 10, false, false),
        (Some("eu"), Currency::Usd, 9, false, false),
        (Some("eu"), Currency::Usd, 19, true, true),
        (Some("eu"), Currency::Usd, 20, false, false),
    ] {
        let used = Minute::from_number(used);
        let covers = |offer: &Offer| offer.covers(region, currency, used);
        let found = (covers(&anywhere), covers(&european));
        assert_eq!(found, (everywhere, in_europe), "R3.1: {region:?} {currency} {used:?}");
    }
}

/// R3.2: each model as it is written, with its bounds: a price may be 0 and has to be below a million.
#[test]
fn r3_2_every_model_is_read_as_it_is_written() {
    let check = |written: &str, model: Model| {
        let text =
            format!("[[price]]\nproduct = \"p\"\nmeter = \"m\"\ncurrency = \"USD\"\n{written}\n");
        let entries = parse(&text).unwrap();
        let models: Vec<_> = entries.iter().map(|entry| (entry.line, &entry.model)).collect();
        assert_eq!(models, [(1, &model)], "R3.2: {written}");
    };
    let amount = |text: &str| text.parse::<Amount>().unwrap();
    for price in ["0", "0.5", "999999.999999999999"] {
        let written = format!("model = \"per_unit\"\nunit_price = \"{price}\"");
        check(&written, PerUnit { unit_price: amount(price) }.into());
    }
    let tier = |up_to: &str, unit_price: &str, flat: &str| Tier {
        up_to: up_to.parse().ok(),
        unit_price: amount(unit_price),
        flat: amount(flat),
    };
    let tiers = vec![tier("10", "1", "5"), tier("20", "0", "0"), tier("", "0.5", "0")];
    let written = "tiers = [{ up_to = \"10\", unit_price = \"1\", flat = \"5\" }, \
                   { up_to = \"20\", unit_price = \"0\" }, { unit_price = \"0.5\" }]";
    let model = |name: &str| format!("model = \"{name}\"\n{written}");
    check(&model("graduated"), Graduated { tiers: tiers.clone() }.into());
    check(&model("volume"), Volume { tiers }.into());
    check(
        "model = \"package\"\npackage = \"100\"\namount = \"7\"",
        Package { size: amount("100"), amount: amount("7") }.into(),
    );
    check("model = \"flat\"\namount = \"9.99\"", Flat { amount: amount("9.99") }.into());
}
