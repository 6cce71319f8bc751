//! Tax: at which rate an invoice is taxed (R12.4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::Country;
use crate::money::Amount;
use crate::time::Day;

/// By country, the rates of its value added tax, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Country, Written>", into = "BTreeMap<Country, Written>")]
pub struct TaxRates(BTreeMap<Country, Vec<DatedRate>>);

/// A rate, and the day from which on it holds; none: it has always held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatedRate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Day>,
    rate: Amount,
}

/// A country's entry as it stands in the settings.
#[derive(Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a rate such as \"0.09\", or a list of { from = \"2024-01-01\", rate = \"0.09\" }"
)]
enum Written {
    Always(Amount),
    Dated(Vec<DatedRate>),
}

/// Why a table of rates is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaxRates {
    #[error("the rate {1} of {0} is not a fraction from 0 to 1 with at most {RATE_PLACES} places")]
    NotARate(Country, Amount),
    #[error("two rates of {0} begin on the same day")]
    Contradiction(Country),
}

/// A rate has so few places that the tax on what bills come to is exact before it is rounded.
const RATE_PLACES: u32 = 6;
/// One in the last of these places, in trillionths.
const RATE_GRAIN: i128 = 1_000_000;

impl TaxRates {
    /// The rate of a country on a day; none if it is not listed.
    pub fn on(&self, country: Country, day: Day) -> Option<Amount> {
        let rates = self.0.get(&country)?;
        let begun = rates.iter().rev().find(|dated| dated.from.is_none_or(|from| from <= day));
        begun.map(|dated| dated.rate)
    }
}

impl TryFrom<BTreeMap<Country, Written>> for TaxRates {
    type Error = NotTaxRates;

    fn try_from(written: BTreeMap<Country, Written>) -> Result<TaxRates, NotTaxRates> {
        let mut table = BTreeMap::new();
        for (country, written) in written {
            let mut rates = match written {
                Written::Always(rate) => vec![DatedRate { from: None, rate }],
                Written::Dated(rates) => rates,
            };
            let is_a_rate = |rate: Amount| {
                !rate.is_negative() && rate <= Amount::ONE && rate.raw().rem_euclid(RATE_GRAIN) == 0
            };
            if let Some(wrong) = rates.iter().find(|dated| !is_a_rate(dated.rate)) {
                return Err(NotTaxRates::NotARate(country, wrong.rate));
            }
            rates.sort_by_key(|dated| dated.from);
            if rates.windows(2).any(|pair| matches!(pair, [a, b] if a.from == b.from)) {
                return Err(NotTaxRates::Contradiction(country));
            }
            table.insert(country, rates);
        }
        Ok(TaxRates(table))
    }
}

impl From<TaxRates> for BTreeMap<Country, Written> {
    fn from(TaxRates(table): TaxRates) -> BTreeMap<Country, Written> {
        let written = |rates: Vec<DatedRate>| match rates.as_slice() {
            [DatedRate { from: None, rate }] => Written::Always(*rate),
            _ => Written::Dated(rates),
        };
        table.into_iter().map(|(country, rates)| (country, written(rates))).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    fn rate(document: &str, country: &str, day: &str) -> Option<String> {
        let settings = Settings::parse(document).unwrap();
        let rate = settings.tax.rates.on(country.parse().unwrap(), day.parse().unwrap());
        rate.map(|rate| rate.to_string())
    }

    #[test]
    fn r12_4_a_dated_rate_holds_from_its_day_on() {
        let dated = r#"tax.rates = { SG = [{ from = "2024-01-01", rate = "0.09" }, { from = "2023-01-01", rate = "0.08" }], DE = "0.19" }"#;
        for (country, day, expected) in [
            ("SG", "2022-12-31", None),
            ("SG", "2023-01-01", Some("0.08")),
            ("SG", "2023-12-31", Some("0.08")),
            ("SG", "2024-01-01", Some("0.09")),
            ("DE", "1999-01-01", Some("0.19")),
            ("FR", "2026-01-01", None),
        ] {
            assert_eq!(rate(dated, country, day).as_deref(), expected, "{country} {day}");
        }
    }

    #[test]
    fn a_table_that_makes_no_sense_is_refused() {
        for (document, expected) in [
            (r#"tax.rates = { SG = "1.5" }"#, "not a fraction"),
            (r#"tax.rates = { SG = "-0.1" }"#, "not a fraction"),
            (r#"tax.rates = { SG = "0.1234567" }"#, "not a fraction"),
            (r#"tax.rates = { SG = 0.09 }"#, "a rate such as"),
            (r#"tax.rates = { Singapore = "0.09" }"#, "two capital letters"),
            (r#"tax.rates = { SG = [{ rate = "0.09", until = "2024-01-01" }] }"#, "a rate such as"),
            (r#"tax.rates = { SG = [{ rate = "0.08" }, { rate = "0.09" }] }"#, "the same day"),
            (r#"tax.issuer_zone = "Singapore/Asia""#, "time zone"),
        ] {
            let error = Settings::parse(document).unwrap_err().to_string();
            assert!(error.contains(expected), "{document}: {error}");
        }
    }

    #[test]
    fn a_table_is_written_as_it_is_read() {
        let document = r#"tax.rates = { DE = "0.19", SG = [{ from = "2023-01-01", rate = "0.08" }, { from = "2024-01-01", rate = "0.09" }] }"#;
        let settings = Settings::parse(document).unwrap();
        let written = toml::to_string(&settings).unwrap();
        assert_eq!(Settings::parse(&written).unwrap(), settings);
        // A rate that has always held is written without a list.
        assert!(written.contains("DE = \"0.19\""), "{written}");
    }
}
