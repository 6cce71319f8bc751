//! Rates at which invoices are settled in another currency, as the settings state them by month (R12.6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::money::{Amount, Currency, Overflow};
use crate::time::Month;

/// The currencies that invoices can be settled in.
pub const SETTLEMENT: [Currency; 4] = [Currency::Usd, Currency::Eur, Currency::Sgd, Currency::Hkd];

type Written = BTreeMap<Month, BTreeMap<String, Amount>>;

/// What one of a currency is in another, by month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct FxRates(BTreeMap<(Month, Currency, Currency), Amount>);

/// Why a table of rates is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFxRates {
    #[error(
        "{0} is no pair of currencies such as \"USD/EUR\", of which the second is one that invoices are settled in: USD, EUR, SGD or HKD"
    )]
    NotAPair(String),
    #[error(
        "the rate {1} of {0} is not above zero and below a million with at most {RATE_PLACES} places"
    )]
    NotARate(String, Amount),
}

/// A rate has so few places that what invoices come to is converted exactly before it is rounded.
const RATE_PLACES: u32 = 10;
/// One in the last of these places, in trillionths.
const RATE_GRAIN: i128 = 100;
const RATES_BELOW: Amount = Amount::whole(1_000_000);

impl FxRates {
    /// What one of a currency is in another in a month; none: nobody has said so. That somebody has stated the
    /// rate of the other direction says nothing.
    pub fn stated(&self, month: Month, from: Currency, to: Currency) -> Option<Amount> {
        self.0.get(&(month, from, to)).copied()
    }
}

/// What an amount is in another currency, rounded once.
pub fn converted(amount: Amount, rate: Amount, to: Currency) -> Result<Amount, Overflow> {
    amount.times(rate)?.rounded_half_even()?.rounded_half_away(to)
}

impl TryFrom<Written> for FxRates {
    type Error = NotFxRates;

    fn try_from(written: Written) -> Result<FxRates, NotFxRates> {
        let mut table = BTreeMap::new();
        for (month, pairs) in written {
            for (pair, rate) in pairs {
                let currencies = pair.split_once('/').and_then(|(from, to)| {
                    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
                    (from != to && SETTLEMENT.contains(&to)).then_some((from, to))
                });
                let Some((from, to)) = currencies else { return Err(NotFxRates::NotAPair(pair)) };
                let exact = rate.raw().rem_euclid(RATE_GRAIN) == 0;
                if !rate.is_positive() || rate >= RATES_BELOW || !exact {
                    return Err(NotFxRates::NotARate(pair, rate));
                }
                table.insert((month, from, to), rate);
            }
        }
        Ok(FxRates(table))
    }
}

impl From<FxRates> for Written {
    fn from(FxRates(table): FxRates) -> Written {
        let mut written = Written::new();
        for ((month, from, to), rate) in table {
            written.entry(month).or_default().insert(format!("{from}/{to}"), rate);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn r12_6_a_rate_is_stated_for_a_month_and_one_direction() {
        let settings = Settings::parse(
            r#"fx = { "2026-04" = { "USD/EUR" = "0.90", "JPY/SGD" = "0.0087654321" }, "2026-05" = { "USD/EUR" = "0.91" } }"#,
        )
        .unwrap();
        let stated = |month: &str, from, to| {
            let rate = settings.fx.stated(month.parse().unwrap(), from, to);
            rate.map(|rate| rate.to_string())
        };
        assert_eq!(stated("2026-04", Currency::Usd, Currency::Eur).as_deref(), Some("0.9"));
        assert_eq!(stated("2026-05", Currency::Usd, Currency::Eur).as_deref(), Some("0.91"));
        assert_eq!(
            stated("2026-04", Currency::Jpy, Currency::Sgd).as_deref(),
            Some("0.0087654321")
        );
        assert_eq!(stated("2026-06", Currency::Usd, Currency::Eur), None);
        assert_eq!(stated("2026-04", Currency::Eur, Currency::Usd), None);
        let written = Written::from(settings.fx.clone());
        assert_eq!(FxRates::try_from(written).unwrap(), settings.fx);
    }

    #[test]
    fn r12_6_what_is_no_rate_is_refused_by_name() {
        for (rates, says) in [
            (r#""2026-13" = { "USD/EUR" = "0.9" }"#, "not a month"),
            (r#""2026-04" = { "USD" = "0.9" }"#, "USD is no pair"),
            (r#""2026-04" = { "USD/GBP" = "0.9" }"#, "USD/GBP is no pair"),
            (r#""2026-04" = { "USD/CNY" = "7" }"#, "USD/CNY is no pair"),
            (r#""2026-04" = { "EUR/EUR" = "1" }"#, "EUR/EUR is no pair"),
            (r#""2026-04" = { "USD/EUR" = "0" }"#, "the rate 0 of USD/EUR"),
            (r#""2026-04" = { "USD/EUR" = "-0.9" }"#, "the rate -0.9"),
            (r#""2026-04" = { "USD/EUR" = "0.12345678901" }"#, "at most 10 places"),
            (r#""2026-04" = { "USD/EUR" = "1000000" }"#, "below a million"),
            (r#""2026-04" = { "USD/EUR" = 0.9 }"#, "a decimal number as text"),
        ] {
            let error = Settings::parse(&format!("fx = {{ {rates} }}")).unwrap_err().to_string();
            assert!(error.contains(says), "{rates}: {error}");
        }
    }

    #[test]
    fn r12_6_an_amount_is_converted_exactly_and_rounded_once() {
        for (amount, rate, to, is) in [
            ("100.00", "0.90", Currency::Eur, "90"),
            ("0.05", "0.9", Currency::Eur, "0.05"),
            ("-0.05", "0.9", Currency::Eur, "-0.05"),
            // Below the half by the twelfth place, and not rounded up to it first.
            ("0.01", "0.4999999999", Currency::Usd, "0"),
            ("0.01", "0.5", Currency::Usd, "0.01"),
            ("12345", "0.0067", Currency::Usd, "82.71"),
        ] {
            let (amount, rate): (Amount, Amount) = (amount.parse().unwrap(), rate.parse().unwrap());
            assert_eq!(converted(amount, rate, to).unwrap().to_string(), is, "{amount} x {rate}");
        }
    }
}
