//! VAT numbers of the member states of the European Union: a state's letters, which may be left out in that
//! state, and behind them what its own rule checks.

use super::{digits, is_iso_11_10, is_luhn, missing, value, weighted};
use crate::ids::Country;

/// The member state whose VAT number this is, if it is one: that which its letters name, else that of its
/// enterprise.
pub(super) fn read(country: Country, number: &str) -> Option<Country> {
    let named = Country::EUROPEAN_UNION.into_iter().find_map(|state| {
        let rest = number.strip_prefix(letters(state))?;
        holds(state, rest).then_some(state)
    });
    named.or_else(|| holds(country, number).then_some(country))
}

/// Greece has letters of its own.
fn letters(state: Country) -> &'static str {
    let place = Country::EUROPEAN_UNION.iter().position(|known| *known == state);
    place.and_then(|place| LETTERS.get(place)).copied().unwrap_or("")
}

/// In the order of [`Country::EUROPEAN_UNION`].
const LETTERS: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "EL", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

fn holds(state: Country, number: &str) -> bool {
    match state.as_str() {
        "AT" => is_austrian(number),
        "BE" => is_belgian(number),
        "BG" => is_bulgarian(number),
        "CY" => is_cypriot(number),
        "CZ" => is_czech(number),
        "DE" => digits::<9>(number).is_some_and(|d| d[0] != 0 && is_iso_11_10(&d)),
        "DK" => digits::<8>(number).is_some_and(|d| {
            d[0] != 0 && weighted(&d, &[2, 7, 6, 5, 4, 3, 2, 1]).rem_euclid(11) == 0
        }),
        "EE" => digits::<9>(number)
            .is_some_and(|d| weighted(&d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).rem_euclid(10) == 0),
        "ES" => is_spanish(number),
        "FI" => digits::<8>(number)
            .is_some_and(|d| weighted(&d, &[7, 9, 10, 5, 8, 4, 2, 1]).rem_euclid(11) == 0),
        "FR" => is_french(number),
        "GR" => digits::<9>(number).is_some_and(|d| {
            let sum = weighted(&d, &[256, 128, 64, 32, 16, 8, 4, 2]);
            sum.rem_euclid(11).rem_euclid(10) == d[8]
        }),
        "HR" => digits::<11>(number).is_some_and(|d| is_iso_11_10(&d)),
        "HU" => digits::<8>(number)
            .is_some_and(|d| weighted(&d, &[9, 7, 3, 1, 9, 7, 3, 1]).rem_euclid(10) == 0),
        "IE" => is_irish(number),
        "IT" => is_italian(number),
        "LT" => is_lithuanian(number),
        "LU" => {
            digits::<8>(number).is_some_and(|d| value(&d[..6]).rem_euclid(89) == value(&d[6..]))
        }
        "LV" => is_latvian(number),
        "MT" => digits::<8>(number).is_some_and(|d| {
            d[0] != 0 && weighted(&d, &[3, 4, 6, 7, 8, 9, 10, 1]).rem_euclid(37) == 0
        }),
        "NL" => is_dutch(number),
        "PL" => digits::<10>(number)
            .is_some_and(|d| weighted(&d, &[6, 5, 7, 2, 3, 4, 5, 6, 7]).rem_euclid(11) == d[9]),
        "PT" => digits::<9>(number).is_some_and(|d| {
            let sum = weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2]);
            d[0] != 0 && missing(11, sum).rem_euclid(11).rem_euclid(10) == d[8]
        }),
        "RO" => is_romanian(number),
        "SE" => digits::<12>(number).is_some_and(|d| is_luhn(&d[..10]) && value(&d[10..]) > 0),
        "SI" => digits::<8>(number).is_some_and(|d| {
            let check = missing(11, weighted(&d, &[8, 7, 6, 5, 4, 3, 2]));
            // Ten stands as 0; numbers that would need an eleven are not given.
            d[0] != 0 && check != 11 && check.rem_euclid(10) == d[7]
        }),
        "SK" => digits::<10>(number).is_some_and(|d| {
            d[0] != 0 && !matches!(d[2], 0 | 1 | 5 | 6) && value(&d).rem_euclid(11) == 0
        }),
        _ => false,
    }
}

fn is_austrian(number: &str) -> bool {
    number.strip_prefix('U').and_then(digits::<8>).is_some_and(|d| {
        let doubled = |digit: u64| {
            let twice = digit.saturating_mul(2);
            twice.div_euclid(10).saturating_add(twice.rem_euclid(10))
        };
        let odd = weighted(&[d[0], d[2], d[4], d[6]], &[1; 4]);
        let even = weighted(&[doubled(d[1]), doubled(d[3]), doubled(d[5])], &[1; 3]);
        let sum = odd.saturating_add(even).saturating_add(4);
        missing(10, sum).rem_euclid(10) == d[7]
    })
}

fn is_belgian(number: &str) -> bool {
    let number = if number.len() == 9 { format!("0{number}") } else { number.to_owned() };
    digits::<10>(&number)
        .is_some_and(|d| d[0] <= 1 && missing(97, value(&d[..8])) == value(&d[8..]))
}

fn is_bulgarian(number: &str) -> bool {
    if let Some(d) = digits::<9>(number) {
        let check = match weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8]).rem_euclid(11) {
            10 => weighted(&d, &[3, 4, 5, 6, 7, 8, 9, 10]).rem_euclid(11),
            check => check,
        };
        return check.rem_euclid(10) == d[8];
    }
    // Of persons, of foreigners, of others.
    digits::<10>(number).is_some_and(|d| {
        let person = weighted(&d, &[2, 4, 8, 5, 10, 9, 7, 3, 6]).rem_euclid(11).rem_euclid(10);
        let foreigner = weighted(&d, &[21, 19, 17, 13, 11, 9, 7, 3, 1]).rem_euclid(10);
        let other = missing(11, weighted(&d, &[4, 3, 2, 7, 6, 5, 4, 3, 2])).rem_euclid(11);
        [person, foreigner, other].contains(&d[9])
    })
}

fn is_cypriot(number: &str) -> bool {
    /// What a digit in an odd place counts.
    const COUNTS: [u64; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let Some((first, check)) = number.split_at_checked(8) else { return false };
    digits::<8>(first).is_some_and(|d| {
        let odd = [d[0], d[2], d[4], d[6]].map(|digit| {
            let place = usize::try_from(digit).unwrap_or_default();
            COUNTS.get(place).copied().unwrap_or_default()
        });
        let even = weighted(&[d[1], d[3], d[5], d[7]], &[1; 4]);
        let sum = weighted(&odd, &[1; 4]).saturating_add(even);
        !first.starts_with("12") && is_letter(check, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", sum)
    })
}

fn is_czech(number: &str) -> bool {
    if let Some(d) = digits::<8>(number) {
        let sum = weighted(&d, &[8, 7, 6, 5, 4, 3, 2]);
        let check = match missing(11, sum).rem_euclid(11) {
            0 => 1,
            check => check,
        };
        return d[0] != 9 && check.rem_euclid(10) == d[7];
    }
    if let Some(d) = digits::<9>(number) {
        if d[0] != 6 {
            // Persons born before 1954: nothing checks their numbers but the months and days in them.
            let (month, day) = (value(&d[2..4]).rem_euclid(50), value(&d[4..6]));
            return value(&d[..2]) < 54 && (1..=12).contains(&month) && (1..=31).contains(&day);
        }
        let sum = weighted(&d[1..], &[8, 7, 6, 5, 4, 3, 2]).rem_euclid(11);
        return sum.checked_sub(2) == Some(d[8]);
    }
    digits::<10>(number).is_some_and(|d| value(&d[..9]).rem_euclid(11).rem_euclid(10) == d[9])
}

fn is_spanish(number: &str) -> bool {
    const OF_PERSONS: &str = "TRWAGMYFPDXBNJZSQVHLCKE";
    let Some((first, rest)) = number.split_at_checked(1) else { return false };
    let Some((middle, check)) = rest.split_at_checked(7) else { return false };
    let Some(d) = digits::<7>(middle) else { return false };
    match first {
        "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" => {
            let all = number.get(..8).and_then(digits::<8>);
            all.is_some_and(|all| is_letter(check, OF_PERSONS, value(&all)))
        }
        // Foreigners.
        "X" | "K" | "L" | "M" => is_letter(check, OF_PERSONS, value(&d)),
        "Y" => is_letter(check, OF_PERSONS, value(&d).saturating_add(10_000_000)),
        "Z" => is_letter(check, OF_PERSONS, value(&d).saturating_add(20_000_000)),
        // Organisations: the check is a digit or the letter that stands for it.
        "A" | "B" | "C" | "D" | "E" | "F" | "G" | "H" | "J" | "N" | "P" | "Q" | "R" | "S" | "U"
        | "V" | "W" => (0..10_u64).any(|digit| {
            let fits = is_luhn(&[d.as_slice(), &[digit]].concat());
            fits && (check == digit.to_string() || is_letter(check, "JABCDEFGHI", digit))
        }),
        _ => false,
    }
}

fn is_french(number: &str) -> bool {
    /// Letters in keys: neither I nor O.
    const SIGNS: &str = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let Some((key, siren)) = number.split_at_checked(2) else { return false };
    let Some(d) = digits::<9>(siren) else { return false };
    // Companies of Monaco have no number in France.
    if !is_luhn(&d) && !siren.starts_with("000") {
        return false;
    }
    let siren = value(&d);
    if let Some(key) = digits::<2>(key) {
        return siren.saturating_mul(100).saturating_add(12).rem_euclid(97) == value(&key);
    }
    let place = |sign: char| SIGNS.find(sign).and_then(|place| u64::try_from(place).ok());
    let mut signs = key.chars().map(place);
    let (Some(Some(first)), Some(Some(second))) = (signs.next(), signs.next()) else {
        return false;
    };
    let check = if first < 10 {
        first.saturating_mul(24).saturating_add(second).saturating_sub(10)
    } else {
        first.saturating_mul(34).saturating_add(second).saturating_sub(100)
    };
    let expected = siren.saturating_add(1).saturating_add(check.div_euclid(11));
    expected.rem_euclid(11) == check.rem_euclid(11)
}

fn is_irish(number: &str) -> bool {
    const LETTERS: &str = "WABCDEFGHIJKLMNOPQRSTUV";
    let Some((first, letters)) = number.split_at_checked(7) else { return false };
    let Some((check, second)) = letters.split_at_checked(1) else { return false };
    let weights = [8, 7, 6, 5, 4, 3, 2];
    if let Some(d) = digits::<7>(first) {
        // A second letter counts by its place.
        let extra = match second {
            "" => Some(0),
            letter if letter.len() == 1 => LETTERS.find(letter),
            _ => None,
        };
        return extra.and_then(|extra| u64::try_from(extra).ok()).is_some_and(|extra| {
            let sum = weighted(&d, &weights).saturating_add(extra.saturating_mul(9));
            is_letter(check, LETTERS, sum)
        });
    }
    // The older kind has a letter or a sign in the second place.
    let mut signs = first.chars();
    let (Some(begins), Some(sign)) = (signs.next(), signs.next()) else { return false };
    let rest = digits::<5>(signs.as_str());
    let Some((begins, rest)) = begins.to_digit(10).zip(rest) else { return false };
    let known = sign.is_ascii_uppercase() || matches!(sign, '+' | '*');
    let shifted = [[0].as_slice(), &rest, &[u64::from(begins)]].concat();
    let sum = weighted(&shifted, &weights);
    known && second.is_empty() && is_letter(check, LETTERS, sum)
}

fn is_italian(number: &str) -> bool {
    digits::<11>(number).is_some_and(|d| {
        // Three digits name the province.
        let province = matches!(value(&d[7..10]), 1..=100 | 120 | 121 | 888 | 999);
        value(&d[..7]) > 0 && province && is_luhn(&d)
    })
}

fn is_lithuanian(number: &str) -> bool {
    let check = |d: &[u64]| match weighted(d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2]).rem_euclid(11) {
        10 => weighted(d, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4]).rem_euclid(11).rem_euclid(10),
        check => check,
    };
    let of_company = digits::<9>(number).is_some_and(|d| d[7] == 1 && check(&d[..8]) == d[8]);
    let of_other = digits::<12>(number).is_some_and(|d| d[10] == 1 && check(&d[..11]) == d[11]);
    of_company || of_other
}

fn is_latvian(number: &str) -> bool {
    digits::<11>(number).is_some_and(|d| {
        if d[0] > 3 {
            return weighted(&d, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]).rem_euclid(11) == 3;
        }
        // Personal numbers given since 2017 are not checked.
        let sum = weighted(&d, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]).saturating_add(1);
        number.starts_with("32") || sum.rem_euclid(11).rem_euclid(10) == d[10]
    })
}

fn is_dutch(number: &str) -> bool {
    let Some((first, suffix)) = number.split_at_checked(9) else { return false };
    let (Some(d), Some(suffix)) =
        (digits::<9>(first), suffix.strip_prefix('B').and_then(digits::<2>))
    else {
        return false;
    };
    if value(&suffix) == 0 {
        return false;
    }
    let by_eleven = weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2]).rem_euclid(11) == d[8];
    // Since 2020 all of it, with letters as numbers from ten on, is one more than a multiple of 97.
    let [n, l, b] = [[2, 3], [2, 1], [1, 1]];
    let all = [&n[..], &l, &d, &b, &suffix].concat();
    by_eleven || value(&all).rem_euclid(97) == 1
}

fn is_romanian(number: &str) -> bool {
    if !(2..=10).contains(&number.len()) || number.starts_with('0') {
        return false;
    }
    digits::<10>(&format!("{number:0>10}")).is_some_and(|d| {
        let sum = weighted(&d, &[7, 5, 3, 2, 1, 7, 5, 3, 2]).saturating_mul(10);
        sum.rem_euclid(11).rem_euclid(10) == d[9]
    })
}

/// Whether a letter is that for a number.
fn is_letter(letter: &str, of: &str, number: u64) -> bool {
    let count = u64::try_from(of.len()).unwrap_or(u64::MAX);
    let place = usize::try_from(number.rem_euclid(count.max(1))).unwrap_or_default();
    of.get(place..).and_then(|rest| rest.get(..1)) == Some(letter)
}
