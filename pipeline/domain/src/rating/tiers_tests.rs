use proptest::prelude::*;

use super::*;
use crate::rating::{Flat, Package, PerUnit, Volume};

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn tiers(rows: &[(&str, &str, &str)]) -> Vec<Tier> {
    let tier = |(up_to, unit_price, flat): &(&str, &str, &str)| Tier {
        up_to: (!up_to.is_empty()).then(|| amount(up_to)),
        unit_price: amount(unit_price),
        flat: amount(flat),
    };
    rows.iter().map(tier).collect()
}

const CASE: &[(&str, &str, &str)] = &[("100", "0", "0"), ("1000", "0.10", "0"), ("", "0.05", "0")];
const ENTERED: &[(&str, &str, &str)] = &[("10", "1", "5"), ("20", "0", "2"), ("", "0.5", "0.25")];
/// The first three tiers come to 0.0000000000004, 0.0000000000008 and 0.0000000000012.
const TINY: &[(&str, &str, &str)] =
    &[("0.4", "0.000000000001", "0"), ("0.8", "0.000000000001", "0"), ("", "0.000000000001", "0")];

/// From one quantity to another: tier, quantity, charge.
fn check(rows: &[(&str, &str, &str)], from: &str, to: &str, expected: &[(u8, &str, &str)]) {
    let model = Model::Graduated(Graduated { tiers: tiers(rows) });
    let parts = model.split(amount(from), amount(to)).unwrap();
    let expected: Vec<TierPart> = expected
        .iter()
        .map(|(tier, quantity, charge)| TierPart {
            tier: TierNumber(*tier),
            quantity: amount(quantity),
            charge: amount(charge),
        })
        .collect();
    assert_eq!(parts.as_slice(), expected, "from {from} to {to}");
}

#[test]
fn r12_3_what_a_change_costs_is_split_by_tier() {
    // The case of R3.4: 50, 150 and 1,200 cost 0, 5 and 100.
    check(CASE, "0", "50", &[(1, "50", "0")]);
    check(CASE, "50", "150", &[(1, "50", "0"), (2, "50", "5")]);
    check(CASE, "150", "1200", &[(2, "850", "85"), (3, "200", "10")]);
    check(CASE, "0", "1200", &[(1, "100", "0"), (2, "900", "90"), (3, "200", "10")]);
    // `up_to` is inclusive: what begins or ends on it has nothing of the other tier.
    check(CASE, "50", "100", &[(1, "50", "0")]);
    check(CASE, "100", "150", &[(2, "50", "5")]);
    check(CASE, "100", "100", &[]);
    // A tier's flat amount is its own, once it is entered.
    check(ENTERED, "0", "10", &[(1, "10", "15")]);
    check(ENTERED, "10", "11", &[(2, "1", "2")]);
    check(ENTERED, "9", "21", &[(1, "1", "1"), (2, "10", "2"), (3, "1", "0.75")]);
    // What is taken back is the same, negative.
    check(ENTERED, "21", "9", &[(1, "-1", "-1"), (2, "-10", "-2"), (3, "-1", "-0.75")]);
    check(ENTERED, "11", "10", &[(2, "-1", "-2")]);
    check(CASE, "1200", "0", &[(1, "-100", "0"), (2, "-900", "-90"), (3, "-200", "-10")]);
    // Half a trillionth is rounded once, in the tier that reaches it: all of 1.2 trillionths cost one.
    check(TINY, "0", "0.4", &[(1, "0.4", "0")]);
    check(TINY, "0.4", "0.8", &[(2, "0.4", "0.000000000001")]);
    check(TINY, "0", "1.2", &[(1, "0.4", "0"), (2, "0.4", "0.000000000001"), (3, "0.4", "0")]);
}

#[test]
fn r12_3_what_is_priced_as_a_whole_has_no_tiers() {
    let (zero, many) = (Amount::ZERO, amount("5000"));
    for model in [
        Model::PerUnit(PerUnit { unit_price: amount("1") }),
        Model::Volume(Volume { tiers: tiers(CASE) }),
        Model::Package(Package { size: amount("100"), amount: amount("7") }),
        Model::Flat(Flat { amount: amount("9.99") }),
        Model::Graduated(Graduated { tiers: tiers(&[("", "1", "5")]) }),
    ] {
        assert_eq!(model.tiers_reached(zero, many), (TierNumber::NONE, TierNumber::NONE));
        assert!(model.split(zero, many).unwrap().is_empty(), "{model:?}");
    }
    assert_eq!((TierNumber::NONE.shown(), TierNumber(2).shown()), (None, Some(2)));
    let graduated = Model::Graduated(Graduated { tiers: tiers(CASE) });
    for (quantity, tier) in
        [("0", 1), ("100", 1), ("100.000000000001", 2), ("1000", 2), ("1001", 3)]
    {
        let reached = graduated.tiers_reached(amount(quantity), many);
        assert_eq!(reached, (TierNumber(tier), TierNumber(3)), "{quantity}");
    }
}

/// As many as there may be, each of one unit at 1.
#[test]
fn r12_3_a_price_of_as_many_tiers_as_there_may_be_is_split() {
    let last = i64::try_from(TIERS_MAX).unwrap();
    let tier = |number: i64| Tier {
        up_to: (number < last).then(|| Amount::whole(number)),
        unit_price: Amount::ONE,
        flat: Amount::ZERO,
    };
    let model = Model::Graduated(Graduated { tiers: (1..=last).map(tier).collect() });
    let parts = model.split(Amount::ZERO, Amount::whole(last)).unwrap();
    let expected = (1..=u8::MAX).map(|tier| (TierNumber(tier), Amount::ONE, Amount::ONE));
    assert!(parts.iter().map(|part| (part.tier, part.quantity, part.charge)).eq(expected));
}

/// A price of some tiers. Small and large numbers, so that rounding matters.
fn price() -> impl Strategy<Value = Model> {
    let figure = || prop_oneof![Just(0), 1..20i128, 1..2_000_000_000_000i128];
    let tier = (1..5_000_000_000_000i128, figure(), figure());
    prop::collection::vec(tier, 2..7).prop_map(|rows| {
        let (mut ends, last) = (Amount::ZERO, rows.len() - 1);
        let tier = |(place, (long, unit_price, flat)): (usize, (i128, i128, i128))| {
            ends = ends.plus(Amount::from_raw(long)).unwrap();
            Tier {
                up_to: (place < last).then_some(ends),
                unit_price: Amount::from_raw(unit_price),
                flat: Amount::from_raw(flat),
            }
        };
        Model::Graduated(Graduated { tiers: rows.into_iter().enumerate().map(tier).collect() })
    })
}

fn quantities() -> impl Strategy<Value = Vec<Amount>> {
    let quantity = prop_oneof![Just(0), 0..30i128, 0..25_000_000_000_000i128];
    prop::collection::vec(quantity.prop_map(Amount::from_raw), 2..12)
}

/// By tier, what parts come to; those that come to nothing left out.
fn by_tier(parts: impl IntoIterator<Item = TierPart>) -> Vec<TierPart> {
    let mut sums: Vec<TierPart> = Vec::new();
    for part in parts {
        match sums.iter_mut().find(|sum| sum.tier == part.tier) {
            Some(sum) => {
                sum.quantity = sum.quantity.plus(part.quantity).unwrap();
                sum.charge = sum.charge.plus(part.charge).unwrap();
            }
            None => sums.push(part),
        }
    }
    sums.retain(|sum| !sum.quantity.is_zero() || !sum.charge.is_zero());
    sums.sort_by_key(|sum| sum.tier);
    sums
}

proptest! {
    /// R12.3, R3.2: whatever way a quantity takes, up and down, the parts of each step are the change of P, and
    /// all steps together are split as the whole way at once.
    #[test]
    fn r12_3_parts_by_tier_come_to_the_change_of_the_price(model in price(), path in quantities()) {
        let mut all = Vec::new();
        for step in path.windows(2) {
            let (from, to) = (step[0], step[1]);
            let parts = model.split(from, to).unwrap();
            let change = model.price(to).unwrap().minus(model.price(from).unwrap()).unwrap();
            let charges = Amount::sum(parts.iter().map(|part| part.charge)).unwrap();
            let sum = Amount::sum(parts.iter().map(|part| part.quantity)).unwrap();
            prop_assert_eq!((charges, sum), (change, to.minus(from).unwrap()));
            prop_assert_eq!(model.change(from, to), Ok(change));
            let falls = |part: &TierPart| part.charge.is_negative() || part.quantity.is_negative();
            let rises = |part: &TierPart| part.charge.is_positive() || part.quantity.is_positive();
            prop_assert!(to < from || !parts.iter().any(falls), "{:?}", parts);
            prop_assert!(from < to || !parts.iter().any(rises), "{:?}", parts);
            // Within a tier all of it is that tier's: nothing has to be worked out.
            let (one, other) = model.tiers_reached(from, to);
            let inside = one != other || parts.iter().all(|part| part.tier == one);
            prop_assert!(inside && parts.is_sorted_by_key(|part| part.tier), "{:?}", parts);
            all.extend(parts);
        }
        let (first, last) = (path[0], path[path.len() - 1]);
        prop_assert_eq!(by_tier(all), by_tier(model.split(first, last).unwrap()));
    }
}
