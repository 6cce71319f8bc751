//! The price book and the settings, as whoever looks is shown them.

use super::super::asking::Asking;

const PRICES: &str = r#"price = [
    { product = "q", meter = "m", currency = "USD", model = "flat", amount = "5" },
    { product = "p", meter = "v", currency = "USD", model = "volume", tiers = [{ up_to = "10", unit_price = "1", flat = "2" }, { unit_price = "0.5" }] },
    { product = "p", meter = "g", currency = "USD", model = "graduated", tiers = [{ up_to = "100", unit_price = "0" }, { unit_price = "0.05", flat = "3" }] },
    { product = "p", meter = "k", currency = "USD", model = "package", package = "100", amount = "7" },
    { product = "p", meter = "m", currency = "USD", aggregate = "max", model = "per_unit", unit_price = "2", effective_from = "2026-03-01T00:10:00Z" },
    { product = "p", meter = "m", currency = "USD", aggregate = "max", model = "per_unit", unit_price = "1" },
    { product = "p", meter = "m", currency = "EUR", aggregate = "max", model = "per_unit", unit_price = "1" },
    { product = "p", meter = "m", region = "eu", currency = "USD", aggregate = "max", model = "per_unit", unit_price = "3" },
]"#;

/// R3.1: prices that hold or will, by product, meter, region and currency, until the first instant at which they no
/// longer hold.
#[test]
fn r3_1_prices_that_hold_or_will_are_shown_in_words() {
    let mut asking = Asking::with_prices(PRICES);
    let shown = |asking: &Asking| -> Vec<String> {
        let rows = asking.ledger.price_rows().into_iter();
        let row = |row: super::PriceRow| {
            let region = row.region.map(|region| format!(" in {region}")).unwrap_or_default();
            let time = |name: &str, time: Option<super::Timestamp>| {
                time.map(|time| format!(" {name} {time}")).unwrap_or_default()
            };
            let holds = [time("from", row.holds_from), time("until", row.holds_until)].concat();
            let what = format!("{} {}{region}", row.product, row.meter);
            format!(
                "{what}, {} {} {}: {}{holds}",
                row.aggregate, row.model, row.currency, row.price
            )
        };
        rows.map(row).collect()
    };
    let mut expected = vec![
        "p g, sum graduated USD: to 100 0 each, above 0.05 each and 3",
        "p k, sum package USD: 7 for each 100 begun",
        "p m, max per_unit USD: 1 each until 2026-03-01T00:10:00Z",
        "p m, max per_unit USD: 2 each from 2026-03-01T00:10:00Z",
        "p m, max per_unit EUR: 1 each",
        "p m in eu, max per_unit USD: 3 each",
        "p v, sum volume USD: to 10 1 each and 2, above 0.5 each",
        "q m, sum flat USD: 5 a month",
    ];
    assert_eq!(shown(&asking), expected);
    asking.table("at | 2026-03-01T00:09:59Z");
    assert_eq!(shown(&asking), expected);
    asking.table("at | 2026-03-01T00:10:00Z");
    expected.remove(2);
    assert_eq!(shown(&asking), expected);
}

#[test]
fn settings_are_shown_as_they_would_be_written() {
    let mut asking = Asking::new();
    let shown = |asking: &Asking, setting: &str| {
        let rows = asking.ledger.setting_rows();
        let row = rows.into_iter().find(|row| row.setting == setting).unwrap();
        (row.value, row.is_default)
    };
    let check = |asking: &Asking, cases: &[(&str, &str, bool)]| {
        for (setting, value, is_default) in cases {
            assert_eq!(shown(asking, setting), ((*value).to_owned(), *is_default), "{setting}");
        }
    };
    check(
        &asking,
        &[
            ("topup.minimum", "AED 75, CNY 100, EUR 15, USD 20", true),
            ("topup.card_brands", "visa, mastercard", true),
            ("alerts.low_balance_days", "5", true),
            ("bills.cycle", "hour", true),
        ],
    );
    asking.settings("topup.minimum = {}\ntopup.card_brands = [\"visa\"]\nbills.cycle = \"hour\"");
    check(
        &asking,
        &[
            ("topup.minimum", "none", false),
            ("topup.card_brands", "visa", false),
            ("topup.bank_only_above", "CNY 50000", true),
            ("bills.cycle", "hour", true),
        ],
    );
}
