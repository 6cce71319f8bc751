//! How amounts look: to the currency's minor unit, and so that what stands side by side adds up.

use drawdown_domain::money::{Amount, Currency, Overflow};

use crate::numbers::count;

/// How an amount is brought to its currency's minor unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    /// To the nearest.
    Half,
    /// What is left: never more than there is.
    Down,
    /// What is spent and not billed yet: with what is left, rounded down, it adds up.
    Up,
}

impl Rounding {
    fn of(self, amount: Amount, currency: Currency) -> Result<Amount, Overflow> {
        match self {
            Rounding::Half => amount.rounded_half_away(currency),
            Rounding::Down => amount.rounded_down(currency),
            Rounding::Up => amount.negated()?.rounded_down(currency)?.negated(),
        }
    }
}

/// How many decimals a currency has.
pub(super) fn decimals(currency: Currency) -> usize {
    if currency.minor_unit() == Amount::ONE { 0 } else { 2 }
}

/// An amount to the currency's minor unit, its thousands apart; without a currency to the cent.
pub(super) fn money(text: &str, currency: Option<Currency>) -> String {
    text.parse()
        .map_or_else(|_| text.to_owned(), |amount| rounded(amount, currency, Rounding::Half))
}

pub(super) fn rounded(amount: Amount, currency: Option<Currency>, rounding: Rounding) -> String {
    let currency = currency.unwrap_or(Currency::Usd);
    let amount = rounding.of(amount, currency).unwrap_or(amount);
    number(&amount.to_string(), decimals(currency))
}

/// A number with all its places, and so many at least, its thousands apart.
pub(super) fn number(text: &str, places_min: usize) -> String {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let point = if places.is_empty() && places_min == 0 { "" } else { "." };
    format!("{}{point}{places:0<places_min$}", count(whole))
}

/// Whether an amount that is shown is below zero.
pub(super) fn is_negative(shown: &str) -> bool {
    shown.starts_with('\u{2212}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_to_its_minor_unit() {
        assert_eq!(money("1234567.5", Some(Currency::Usd)), "1,234,567.50");
        assert_eq!(money("-0.005", Some(Currency::Usd)), "\u{2212}0.01");
        assert_eq!(money("999", None), "999.00");
        assert_eq!(money("1234.6", Some(Currency::Jpy)), "1,235");
        assert_eq!(money("n/a", None), "n/a");
        assert_eq!(number("-1234567.0003", 2), "\u{2212}1,234,567.0003");
        assert_eq!(number("1200", 2), "1,200.00");
        assert_eq!(number("1200.5", 0), "1,200.5");
        assert_eq!(number("1200", 0), "1,200");
    }

    /// Whatever is held and unsettled: as it is shown, what is held less what is unsettled is what is left.
    #[test]
    fn what_is_shown_adds_up() {
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        let figure = |amount, currency, rounding| -> Amount {
            let shown = rounded(amount, Some(currency), rounding);
            shown.replace(',', "").replace('\u{2212}', "-").parse().unwrap()
        };
        let check = |currency, held: &str, unsettled: &str, left: &str| {
            let (held, unsettled) = (amount(held), amount(unsettled));
            let available = figure(held.minus(unsettled).unwrap(), currency, Rounding::Down);
            assert_eq!(available, amount(left));
            let unsettled = figure(unsettled, currency, Rounding::Up);
            assert_eq!(figure(held, currency, Rounding::Half).minus(unsettled).unwrap(), available);
        };
        check(Currency::Usd, "67.19", "6.645", "60.54");
        check(Currency::Usd, "53.84", "3.814999999999", "50.02");
        check(Currency::Usd, "0", "0.960000000001", "-0.97");
        check(Currency::Usd, "100", "0", "100");
        check(Currency::Jpy, "46317", "0.2", "46316");
    }
}
