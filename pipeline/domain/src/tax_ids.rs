//! Tax numbers, and the rules by which their digits check each other (R12.4).
//!
//! A number is judged by the country of its enterprise. Where no public rule is known for a country,
//! whatever is entered is taken as it is.

mod european;

use crate::ids::Country;

/// A tax number that is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaxId {
    /// A VAT number of that member state of the European Union.
    European(Country),
    /// An Australian business number.
    Australian,
    /// Any other.
    Other,
}

/// The digits of a tax number do not fit its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no tax number of that country: its digits do not check each other")]
pub struct NotATaxId;

impl TaxId {
    /// Reads the number that an enterprise of that country has entered.
    pub fn read(country: Country, number: &str) -> Result<TaxId, NotATaxId> {
        let number = plain(number);
        if Country::EUROPEAN_UNION.contains(&country) {
            return european::read(country, &number).map(TaxId::European).ok_or(NotATaxId);
        }
        let (holds, read) = match country.as_str() {
            "GB" => (is_british(&number), TaxId::Other),
            "AU" => (is_australian(&number), TaxId::Australian),
            "NZ" => (is_of_new_zealand(&number), TaxId::Other),
            "CH" | "LI" => (is_swiss(&number), TaxId::Other),
            "NO" => (is_norwegian(&number), TaxId::Other),
            _ => (true, TaxId::Other),
        };
        if holds { Ok(read) } else { Err(NotATaxId) }
    }

    /// Whether its holder pays the tax itself on what an issuer of that country sells.
    pub fn is_charged_in_reverse(self, issuer: Country) -> bool {
        match self {
            TaxId::European(state) => state != issuer,
            TaxId::Australian => issuer.as_str() != "AU",
            TaxId::Other => false,
        }
    }
}

/// Without what is put between the digits, in capital letters.
fn plain(number: &str) -> String {
    let written = |sign: &char| !sign.is_whitespace() && !matches!(sign, '.' | '-' | '/');
    number.chars().filter(written).map(|sign| sign.to_ascii_uppercase()).collect()
}

/// Without the letters that may stand before or behind it.
fn without<'a>(number: &'a str, before: &[&str], behind: &[&str]) -> &'a str {
    let begun = before.iter().find_map(|letters| number.strip_prefix(letters)).unwrap_or(number);
    behind.iter().find_map(|letters| begun.strip_suffix(letters)).unwrap_or(begun)
}

/// The digits of a text that has so many and nothing else.
fn digits<const N: usize>(text: &str) -> Option<[u64; N]> {
    let digits: Option<Vec<u64>> =
        text.chars().map(|sign| sign.to_digit(10).map(u64::from)).collect();
    digits?.try_into().ok()
}

/// Each digit by its weight; what has no weight does not count.
fn weighted(digits: &[u64], weights: &[u64]) -> u64 {
    let products = digits.iter().zip(weights).map(|(digit, weight)| digit.saturating_mul(*weight));
    products.fold(0, u64::saturating_add)
}

/// What is missing from a sum to the next multiple of a modulus: never nothing.
fn missing(modulus: u64, sum: u64) -> u64 {
    modulus.saturating_sub(sum.rem_euclid(modulus))
}

/// The number that digits make.
fn value(digits: &[u64]) -> u64 {
    digits.iter().fold(0, |sum, digit| sum.saturating_mul(10).saturating_add(*digit))
}

/// Every second digit counts double, from the last but one on.
fn is_luhn(digits: &[u64]) -> bool {
    let doubled = |digit: u64| match digit.saturating_mul(2) {
        above @ 10.. => above.saturating_sub(9),
        doubled => doubled,
    };
    let counted = digits.iter().rev().zip([false, true].into_iter().cycle());
    let sum = counted.map(|(digit, twice)| if twice { doubled(*digit) } else { *digit });
    sum.fold(0, u64::saturating_add).rem_euclid(10) == 0
}

/// ISO 7064, modulus 11 and 10.
fn is_iso_11_10(digits: &[u64]) -> bool {
    let Some((check, rest)) = digits.split_last() else { return false };
    let product = rest.iter().fold(10, |product: u64, digit| {
        let sum = match product.saturating_add(*digit).rem_euclid(10) {
            0 => 10,
            sum => sum,
        };
        sum.saturating_mul(2).rem_euclid(11)
    });
    product.saturating_add(*check).rem_euclid(10) == 1
}

fn is_british(number: &str) -> bool {
    let number = without(number, &["GB"], &[]);
    // Departments and health authorities have numbers of their own, which nothing checks.
    if let Some(department) = number.strip_prefix("GD").and_then(digits::<3>) {
        return value(&department) < 500;
    }
    if let Some(authority) = number.strip_prefix("HA").and_then(digits::<3>) {
        return value(&authority) >= 500;
    }
    // A branch has three digits more.
    let first = if number.len() == 12 && digits::<12>(number).is_some() {
        number.get(..9).unwrap_or_default()
    } else {
        number
    };
    digits::<9>(first).is_some_and(|digits| {
        let sum = weighted(&digits, &[8, 7, 6, 5, 4, 3, 2, 10, 1]).rem_euclid(97);
        // Numbers given since 2010 are 55 further.
        sum == 0 || sum == 42
    })
}

fn is_australian(number: &str) -> bool {
    digits::<11>(without(number, &["ABN", "AU"], &[])).is_some_and(|mut digits| {
        if digits[0] == 0 {
            return false;
        }
        digits[0] = digits[0].saturating_sub(1);
        let weights = [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19];
        weighted(&digits, &weights).rem_euclid(89) == 0
    })
}

/// The number of the Inland Revenue, which is that of the goods and services tax.
fn is_of_new_zealand(number: &str) -> bool {
    let number = without(number, &["NZ", "GST"], &[]);
    let number = if number.len() == 8 { format!("0{number}") } else { number.to_owned() };
    digits::<9>(&number).is_some_and(|digits| {
        let check = |weights: &[u64]| missing(11, weighted(&digits, weights)).rem_euclid(11);
        let check = match check(&[3, 2, 7, 6, 5, 4, 3, 2]) {
            10 => check(&[7, 4, 3, 2, 5, 2, 7, 6]),
            other => other,
        };
        (10_000_000..200_000_000).contains(&value(&digits)) && check == digits[8]
    })
}

fn is_swiss(number: &str) -> bool {
    let number = without(number, &["CHE"], &["MWST", "TVA", "IVA", "TPV", "VAT"]);
    digits::<9>(number).is_some_and(|digits| {
        let sum = weighted(&digits, &[5, 4, 3, 2, 7, 6, 5, 4]);
        missing(11, sum).rem_euclid(11) == digits[8]
    })
}

fn is_norwegian(number: &str) -> bool {
    digits::<9>(without(number, &["NO"], &["MVA"]))
        .is_some_and(|digits| weighted(&digits, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).rem_euclid(11) == 0)
}

#[cfg(test)]
#[path = "tax_ids_tests.rs"]
mod tests;
