use super::*;
use proptest::prelude::*;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

#[test]
fn r1_1_amounts_are_plain_decimals_with_at_most_twelve_places() {
    for (text, shown) in [
        ("0", "0"),
        ("1.10", "1.1"),
        ("-0.000000000001", "-0.000000000001"),
        ("123456789012345.123456789012", "123456789012345.123456789012"),
        ("1.1000000000000000", "1.1"),
        ("-0", "0"),
    ] {
        assert_eq!(amount(text).to_string(), shown, "R1.1: {text}");
    }
    for (text, why) in [
        ("", NotAnAmount::NotADecimal),
        (".5", NotAnAmount::NotADecimal),
        ("5.", NotAnAmount::NotADecimal),
        ("1e3", NotAnAmount::NotADecimal),
        ("+1", NotAnAmount::NotADecimal),
        (" 1", NotAnAmount::NotADecimal),
        ("NaN", NotAnAmount::NotADecimal),
        ("1,5", NotAnAmount::NotADecimal),
        ("--1", NotAnAmount::NotADecimal),
        ("0.0000000000001", NotAnAmount::TooManyPlaces),
        ("999999999999999999999999999999999999999", NotAnAmount::TooLarge),
    ] {
        assert_eq!(text.parse::<Amount>(), Err(why), "R1.1: {text}");
    }
}

#[test]
fn r1_1_a_bill_rounds_half_away_from_zero_to_the_minor_unit() {
    let check = |text: &str, currency, expected: &str| {
        let rounded = amount(text).rounded_half_away(currency).unwrap();
        assert_eq!(rounded, amount(expected), "R1.1: {text} {currency}");
    };
    check("0.005", Currency::Usd, "0.01");
    check("-0.005", Currency::Usd, "-0.01");
    check("0.004999999999", Currency::Usd, "0");
    check("-0.004999999999", Currency::Usd, "0");
    check("0.5", Currency::Jpy, "1");
    check("1.49", Currency::Jpy, "1");
    check("2.675", Currency::Eur, "2.68");
}

#[test]
fn r1_1_a_product_rounds_half_to_even_at_twelve_places() {
    let check = |left: &str, right: &str, expected: &str| {
        assert_eq!(
            amount(left).times(amount(right)).unwrap().rounded_half_even().unwrap(),
            amount(expected)
        );
    };
    check("0.000000000001", "0.5", "0");
    check("0.000000000003", "0.5", "0.000000000002");
    check("-0.000000000003", "0.5", "-0.000000000002");
    check("0.000000000005", "0.5", "0.000000000002");
    check("999999999999999", "999999", "999998999999999000001");
}

#[test]
fn r1_5_overflow_is_refused_not_wrapped() {
    assert_eq!(Amount::MAX.plus(amount("1")), Err(Overflow));
    assert_eq!(Amount::MAX.times(amount("2")), Err(Overflow));
    assert_eq!(Amount::from_raw(i128::MIN).negated(), Err(Overflow));
    assert_eq!(Amount::MAX.times(amount("1")), Ok(Amount::MAX.into()));
}

#[test]
fn started_blocks_count_whole() {
    let blocks = |q: &str| amount(q).blocks_of(amount("100")).unwrap();
    assert_eq!(blocks("0"), amount("0"));
    assert_eq!(blocks("0.1"), amount("1"));
    assert_eq!(blocks("100"), amount("1"));
    assert_eq!(blocks("100.000000000001"), amount("2"));
}

#[test]
fn a_sign_is_told_at_zero_and_beside_it() {
    for (raw, zero, negative, positive) in
        [(-1, false, true, false), (0, true, false, false), (1, false, false, true)]
    {
        let value = Amount::from_raw(raw);
        let told = (value.is_zero(), value.is_negative(), value.is_positive());
        assert_eq!(told, (zero, negative, positive), "{value}");
    }
}

#[test]
fn amounts_are_added_taken_away_and_multiplied_exactly() {
    assert_eq!(Amount::whole(-3).raw(), -3_000_000_000_000);
    assert_eq!(Amount::whole(i64::MAX).to_string(), i64::MAX.to_string());
    assert_eq!(amount("5").minus(amount("7.5")), Ok(amount("-2.5")));
    assert_eq!(Amount::from_raw(i128::MIN).minus(Amount::SMALLEST), Err(Overflow));
    assert_eq!(Amount::sum(["1", "2.5", "-0.25"].map(amount)), Ok(amount("3.25")));
    assert_eq!(Amount::sum([Amount::MAX, Amount::SMALLEST]), Err(Overflow));
    assert_eq!(amount("0.25").many(3), Ok(amount("0.75")));
    assert_eq!(Amount::MAX.many(2), Err(Overflow));
    for (text, whole, cents) in [
        ("12.999", 12, "12.99"),
        ("12.99", 12, "12.99"),
        ("0.001", 0, "0"),
        ("-0.001", -1, "-0.01"),
        ("-1", -1, "-1"),
    ] {
        assert_eq!(amount(text).whole_part(), whole, "{text}");
        assert_eq!(amount(text).two_places_down(), amount(cents), "{text}");
    }
}

/// R1.5: no more decimals than the currency has, and fewer than sixteen digits before the point.
#[test]
fn r1_5_what_somebody_may_name_has_bounds() {
    for (text, currency, fits, payable) in [
        ("0.01", Currency::Usd, true, true),
        ("0.001", Currency::Usd, false, false),
        ("0.000000000001", Currency::Usd, false, false),
        ("1", Currency::Jpy, true, true),
        ("0.5", Currency::Jpy, false, false),
        ("999999999999999.99", Currency::Usd, true, true),
        ("1000000000000000", Currency::Usd, true, false),
        ("1000000000000000.01", Currency::Usd, true, false),
        ("-999999999999999.99", Currency::Usd, true, true),
        ("-1000000000000000", Currency::Usd, true, false),
    ] {
        let found = (amount(text).fits(currency), amount(text).is_payable(currency));
        assert_eq!(found, (fits, payable), "R1.5: {text} {currency}");
    }
}

/// What lies half-way between two trillionths goes to the even one, on both sides of zero.
#[test]
fn r1_1_a_share_rounds_half_to_even_at_twelve_places() {
    for (raw, part, whole, expected) in [
        (1, 1, 3, 0),
        (2, 1, 3, 1),
        (4, 1, 3, 1),
        (5, 1, 3, 2),
        (1, 1, 2, 0),
        (3, 1, 2, 2),
        (5, 1, 2, 2),
        (-1, 1, 2, 0),
        (-3, 1, 2, -2),
        (-5, 1, 3, -2),
        (6, 2, 3, 4),
    ] {
        let share = Amount::from_raw(raw).share(part, whole);
        assert_eq!(share, Ok(Amount::from_raw(expected)), "R1.1: {raw} times {part} over {whole}");
    }
    assert_eq!(Amount::ONE.share(1, 0), Err(Overflow));
    assert_eq!(Amount::MAX.share(2, 2), Err(Overflow));
}

#[test]
fn a_ratio_and_a_portion_are_rounded_down() {
    assert_eq!(amount("1").ratio(amount("3")), Ok(amount("0.333333333333")));
    assert_eq!(amount("-1").ratio(amount("3")), Ok(amount("-0.333333333334")));
    assert_eq!(amount("1").ratio(Amount::ZERO), Err(Overflow));
    let portion = |of: &str, part: &str, whole: &str| {
        amount(of).portion(amount(part), amount(whole)).map(|portion| portion.to_string())
    };
    assert_eq!(portion("10", "1", "3").as_deref(), Ok("3.333333333333"));
    assert_eq!(portion("10", "1", "0"), Err(Overflow));
    // Their product has no room, so the quotient is rounded first.
    assert_eq!(
        portion("100000000000000", "100000000000000", "300000000000000").as_deref(),
        Ok("33333333333300")
    );
}

/// Beyond 128 bits nothing is cut off, and a negative product that comes out even stays exact.
#[test]
fn r1_5_a_wide_product_is_exact_or_refused() {
    let large = 1i128 << 126;
    assert_eq!(wide_times(-large, ONE), Ok(Amount::from_raw(-large).into()));
    assert_eq!(wide_times(-large, -ONE), Ok(Amount::from_raw(large).into()));
    // Of both results the lowest 128 bits are zero.
    assert_eq!(wide_times(large, 16 * ONE), Err(Overflow));
    assert_eq!(wide_times(large, ONE << 66), Err(Overflow));
}

#[test]
fn amounts_are_read_as_text_by_people_and_as_bytes_by_machines() {
    assert_eq!(format!("{:?}", amount("1.50")), "1.5");
    assert_eq!(serde_json::to_string(&amount("1.50")).unwrap(), "\"1.5\"");
    let read = |text: &str| serde_json::from_str::<Amount>(text).map_err(|error| error.to_string());
    assert_eq!(read("\"12.50\""), Ok(amount("12.5")));
    let number = read("12.5").unwrap_err();
    assert!(number.contains("expected a decimal number as text, such as \"12.50\""), "{number}");
    let none = read("\"1e3\"").unwrap_err();
    assert!(none.starts_with("\"1e3\": not a plain decimal number"), "{none}");

    let read = |bytes: &[u8]| {
        let bytes = de::value::BytesDeserializer::<de::value::Error>::new(bytes);
        Amount::deserialize(bytes).map(Amount::raw).map_err(|error| error.to_string())
    };
    let none = Err("not a decimal of 1 to 16 bytes".to_owned());
    for (bytes, expected) in [
        (vec![], none.clone()),
        (vec![0x01, 0xF4], Ok(500)),
        (vec![0xFF], Ok(-1)),
        (vec![0x80, 0, 0, 0, 0, 0, 0, 0], Ok(i64::MIN.into())),
        (vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0], Ok(i128::from(i64::MIN) << 8)),
        (vec![0x7F; 9], Ok(0x7F_7F7F_7F7F_7F7F_7F7F)),
        ([vec![0x80], vec![0; 15]].concat(), Ok(i128::MIN)),
        (vec![0; 17], none.clone()),
    ] {
        assert_eq!(read(&bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn r1_4_a_currency_is_read_and_shown_by_its_code() {
    let codes = ["USD", "EUR", "SGD", "HKD", "CNY", "AED", "AUD", "JPY"];
    for (currency, code) in Currency::ALL.into_iter().zip(codes) {
        assert_eq!((currency.code(), currency.to_string().as_str()), (code, code), "R1.4");
        assert_eq!(code.parse(), Ok(currency), "R1.4: {code}");
        let unit = if code == "JPY" { "1" } else { "0.01" };
        assert_eq!(currency.minor_unit(), amount(unit), "R1.4: {code}");
    }
    for text in ["", "usd", "GBP", "USDX"] {
        assert_eq!(text.parse::<Currency>(), Err(NotACurrency), "R1.4: {text}");
    }
}

proptest! {
    #[test]
    fn text_round_trips(raw in any::<i128>().prop_filter("has a negation", |r| *r != i128::MIN)) {
        let value = Amount::from_raw(raw);
        prop_assert_eq!(value.to_string().parse::<Amount>().unwrap(), value);
    }

    #[test]
    fn bytes_round_trip_and_are_shortest(raw in any::<i128>(), shift in 0u32..127) {
        let value = Amount::from_raw(raw >> shift);
        let bytes = value.raw().to_be_bytes();
        let short = shortest(&bytes);
        prop_assert_eq!(from_twos_complement(short), Some(value));
        prop_assert!(short.len() == 1 || from_twos_complement(&short[1..]) != Some(value));
    }

    /// The fixed point product agrees with rust_decimal wherever both can hold it.
    #[test]
    fn products_agree_with_rust_decimal(a in -(1i64 << 46)..(1i64 << 46), b in -(1i64 << 46)..(1i64 << 46)) {
        let (x, y) = (Amount::from_raw(a.into()), Amount::from_raw(b.into()));
        let (dx, dy) = (Decimal::try_from(x).unwrap(), Decimal::try_from(y).unwrap());
        let exact = dx.checked_mul(dy).unwrap();
        prop_assume!(exact.scale() <= 28 && exact.mantissa() == dx.mantissa() * dy.mantissa());
        let rounded = exact.round_dp_with_strategy(12, rust_decimal::RoundingStrategy::MidpointNearestEven);
        prop_assert_eq!(x.times(y).unwrap().rounded_half_even().unwrap(), Amount::try_from(rounded).unwrap());
    }

    /// The wide product is the narrow one wherever the narrow one exists.
    #[test]
    fn wide_products_agree_with_narrow_ones(a in any::<i64>(), b in any::<i64>()) {
        let (x, y) = (Amount::from_raw(a.into()), Amount::from_raw(b.into()));
        prop_assert_eq!(wide_times(a.into(), b.into()), x.times(y));
    }

    /// Products may be summed in any grouping before the one rounding (R3.2).
    #[test]
    fn products_distribute_over_sums(a in -(1i128 << 80)..(1i128 << 80), b in -(1i128 << 80)..(1i128 << 80), p in 0i128..(1i128 << 60)) {
        let (x, y, price) = (Amount::from_raw(a), Amount::from_raw(b), Amount::from_raw(p));
        let apart = x.times(price).unwrap().plus(y.times(price).unwrap()).unwrap();
        prop_assert_eq!(apart, x.plus(y).unwrap().times(price).unwrap());
    }

    #[test]
    fn rounding_moves_by_at_most_half_a_unit(raw in -(1i128 << 100)..(1i128 << 100), which in 0usize..8) {
        let (value, currency) = (Amount::from_raw(raw), Currency::ALL[which]);
        let rounded = value.rounded_half_away(currency).unwrap();
        prop_assert!(rounded.fits(currency));
        let distance = rounded.minus(value).unwrap().raw().abs();
        prop_assert!(distance * 2 <= currency.minor_unit().raw());
        let down = value.rounded_down(currency).unwrap();
        prop_assert!(down.fits(currency) && down <= value);
        prop_assert!(value.minus(down).unwrap() < currency.minor_unit());
    }
}
