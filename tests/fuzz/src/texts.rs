//! What people write: price books, settings, numbers, times, names.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use drawdown_domain::ids::{AccountId, Country, Text};
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::rating;
use drawdown_domain::settings::Settings;
use drawdown_domain::tax_ids::TaxId;
use drawdown_domain::time::{Span, Timestamp};

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

pub(crate) fn price_books(bytes: &[u8]) {
    if let Err(why) = rating::parse(text(bytes)) {
        assert!(!why.to_string().is_empty());
    }
}

pub(crate) fn settings(bytes: &[u8]) {
    if let Err(why) = Settings::parse(text(bytes)) {
        assert!(!why.to_string().is_empty());
    }
}

/// What is read is written so that it is read as the same.
fn comes_back<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    let Ok(read) = text.parse::<T>() else { return };
    assert_eq!(read.to_string().parse::<T>().ok(), Some(read));
}

/// A letter for what it is, and the text: amounts, times, spans, names, tax numbers of a country.
pub(crate) fn plain(bytes: &[u8]) {
    let Some((kind, text)) = text(bytes).split_at_checked(1) else { return };
    match kind {
        "a" => comes_back::<Amount>(text),
        "t" => comes_back::<Timestamp>(text),
        "s" => comes_back::<Span>(text),
        "i" => comes_back::<AccountId>(text),
        "x" => comes_back::<Text>(text),
        "c" => comes_back::<Currency>(text),
        _ => {
            let Some((country, number)) = text.split_at_checked(2) else { return };
            if let Ok(country) = country.parse::<Country>() {
                TaxId::read(country, number).ok();
            }
        }
    }
}

pub(crate) mod seeds {
    fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    pub(crate) fn price_books() -> Vec<Vec<u8>> {
        texts(&[include_str!("../../../src/demo/prices.toml")])
    }

    pub(crate) fn settings() -> Vec<Vec<u8>> {
        texts(&["usage.max_age = \"40d\"\n\n[tax]\nissuer_name = \"A\"\n"])
    }

    pub(crate) fn plain() -> Vec<Vec<u8>> {
        texts(&[
            "a-12.500000000001",
            "t2026-03-01T00:00:00.000001+08:00",
            "s35d",
            "iacme-1",
            "xK\u{f6}ln",
            "cEUR",
            "nDE136695976",
            "nGB980780684",
            "nAU51824753556",
            "nCHCHE-116.281.710",
            "nFR40303265045",
        ])
    }
}
