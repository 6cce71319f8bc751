//! What is in force for everybody: prices and settings.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use askama::Template;

use drawdown_domain::money::Amount;

use super::money::number;
use super::table::{Column, Kind, Table, column, extra, text};
use super::{NoPage, everywhere, look, shown};
use crate::api::Shared;

const PRICES: &[Column] = &[
    column("product", "Product", Kind::Text),
    column("meter", "Meter", Kind::Text),
    extra("region", "Region", Kind::Text),
    column("currency", "Currency", Kind::Text),
    extra("model", "Model", Kind::Words),
    column("price", "Price", Kind::Phrase),
    extra("holds_from", "From", Kind::Time),
    extra("holds_until", "Until", Kind::Time),
];

const SETTINGS: &[Column] = &[
    column("setting", "Setting", Kind::Long),
    column("value", "Value", Kind::Long),
    extra("is_default", "Source", Kind::Words),
];

#[derive(Template)]
#[template(path = "prices.html")]
struct InForce {
    here: &'static str,
    prices: Table,
    settings: Table,
}

pub(super) async fn in_force(
    State(site): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look(&site, &headers, "prices").await?;
    let (prices, settings) =
        tokio::join!(everywhere(&site, "prices"), everywhere(&site, "settings"));
    let prices = prices.map(|mut rows| {
        for row in &mut rows {
            let words = in_plain_words(&text(row, "price"), &text(row, "model"));
            row.insert("price".to_owned(), words.into());
        }
        rows
    });
    let settings = settings.map(|mut rows| {
        for row in &mut rows {
            let is_default = row.get("is_default") == Some(&true.into());
            let word = if is_default { "default" } else { "set" };
            row.insert("is_default".to_owned(), word.into());
        }
        rows
    });
    let empty = "No price book was loaded yet: drawdown prices load FILE.";
    Ok(shown(&InForce {
        here: "prices",
        prices: Table::new("prices", "Prices in force and to come", empty, PRICES, prices),
        settings: Table::new("settings", "Settings in force", "", SETTINGS, settings),
    }))
}

/// Below this a price is said for a million.
const TINY: Amount = Amount::from_raw(10_000_000_000);
const MILLION: usize = 1_000_000;

/// A price as the book says it, `to 10 0 each, above 0.05 each`, in the words of whoever pays it: `first 10 free;
/// beyond: 0.05 each`. What is said otherwise stays as it is.
fn in_plain_words(price: &str, model: &str) -> String {
    let first = if model == "volume" { "to" } else { "first" };
    let tiers: Vec<&str> = price.split(", ").collect();
    let words = match tiers.as_slice() {
        [one] => simple(one),
        [.., last] => {
            let said = tiers.iter().enumerate().map(|(place, words)| {
                let reach = if place == 0 { first } else { "to" };
                tier(words, reach).map(|tier| match *words == *last {
                    true => format!("{tier} each"),
                    false => tier,
                })
            });
            said.collect::<Option<Vec<_>>>().map(|tiers| tiers.join("; "))
        }
        [] => None,
    };
    words.unwrap_or_else(|| price.to_owned())
}

/// `0.000003 each`, `0.4 for each 10000 begun`, `7 a month`.
fn simple(price: &str) -> Option<String> {
    match price.split(' ').collect::<Vec<_>>().as_slice() {
        [each, "each"] => {
            let amount: Amount = each.parse().ok()?;
            if amount.is_positive() && amount < TINY {
                return Some(format!(
                    "{} a million",
                    number(&amount.many(MILLION).ok()?.to_string(), 0)
                ));
            }
            Some(format!("{} each", number(each, 0)))
        }
        [price, "for", "each", size, "begun"] => {
            Some(format!("{} for each {} begun", number(price, 0), number(size, 0)))
        }
        [price, "a", "month"] => Some(format!("{} a month", number(price, 0))),
        _ => None,
    }
}

/// `to 5000 0.09 each` and `above 0.05 each`, and what a tier costs once, `to 10 0 each and 5`.
fn tier(words: &str, reach: &str) -> Option<String> {
    let words: Vec<&str> = words.split(' ').collect();
    let (upto, rest) = match words.as_slice() {
        ["to", upto, rest @ ..] => (Some(number(upto, 0)), rest),
        ["above", rest @ ..] => (None, rest),
        _ => return None,
    };
    let price = match rest {
        ["0", "each"] => None,
        [each, "each"] => Some(number(each, 0)),
        ["0", "each", "and", once] => Some(format!("{} once", number(once, 0))),
        [each, "each", "and", once] => {
            Some(format!("{} and {} once", number(each, 0), number(once, 0)))
        }
        _ => return None,
    };
    Some(match (upto, price) {
        (Some(upto), None) => format!("{reach} {upto} free"),
        (Some(upto), Some(price)) => format!("{reach} {upto}: {price}"),
        (None, None) => "beyond: 0".to_owned(),
        (None, Some(price)) => format!("beyond: {price}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_said_in_plain_words() {
        let check = |price: &str, expected: &str| {
            assert_eq!(in_plain_words(price, "graduated"), expected);
        };
        check(
            "to 10 0 each, to 5000 0.09 each, above 0.05 each",
            "first 10 free; to 5,000: 0.09; beyond: 0.05 each",
        );
        check("to 10 0.1 each and 5, above 0 each", "first 10: 0.1 and 5 once; beyond: 0 each");
        check("0.000003 each", "3 a million");
        check("0.00045 each", "450 a million");
        check("0.048 each", "0.048 each");
        check("0.4 for each 10000 begun", "0.4 for each 10,000 begun");
        check("1200 a month", "1,200 a month");
        check("by agreement, as ever", "by agreement, as ever");
        let volume = in_plain_words("to 100 0.2 each, above 0.1 each", "volume");
        assert_eq!(volume, "to 100: 0.2; beyond: 0.1 each");
    }
}
