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
