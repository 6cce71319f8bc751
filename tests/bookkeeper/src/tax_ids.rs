//! Tax numbers and their checksum rules (R12.4).
//!
//! A number is that of the registered country. Those of the member states of the EU and of Australia are checked;
//! those of other countries are taken as they are, and change nothing of the tax.

/// The member states of the EU, and what their VAT numbers begin with.
const MEMBER_STATES: [(&str, &str); 27] = [
    ("AT", "AT"),
    ("BE", "BE"),
    ("BG", "BG"),
    ("CY", "CY"),
    ("CZ", "CZ"),
    ("DE", "DE"),
    ("DK", "DK"),
    ("EE", "EE"),
    ("ES", "ES"),
    ("FI", "FI"),
    ("FR", "FR"),
    ("GR", "EL"),
    ("HR", "HR"),
    ("HU", "HU"),
    ("IE", "IE"),
    ("IT", "IT"),
    ("LT", "LT"),
    ("LU", "LU"),
    ("LV", "LV"),
    ("MT", "MT"),
    ("NL", "NL"),
    ("PL", "PL"),
    ("PT", "PT"),
    ("RO", "RO"),
    ("SE", "SE"),
    ("SI", "SI"),
    ("SK", "SK"),
];

const AUSTRALIA: &str = "AU";

/// Whether an entity of this country can have this number. Blanks, points and hyphens do not count.
pub fn is_valid(country: &str, number: &str) -> bool {
    let plain: String = number
        .chars()
        .filter(|sign| !matches!(sign, ' ' | '.' | '-'))
        .map(|sign| sign.to_ascii_uppercase())
        .collect();
    if country == AUSTRALIA {
        return is_abn(&plain);
    }
    match MEMBER_STATES.iter().find(|(state, _)| *state == country) {
        Some((_, prefix)) => plain.strip_prefix(prefix).is_some_and(|rest| is_vat(country, rest)),
        None => true,
    }
}

/// Whether the tax of an entity of this country that has this number is its own affair: a number of another member
/// state or country than the issuer's.
pub fn is_reverse_charged(country: &str, number: Option<&str>, issuer: &str) -> bool {
    let is_checked =
        country == AUSTRALIA || MEMBER_STATES.iter().any(|(state, _)| *state == country);
    is_checked && country != issuer && number.is_some_and(|number| is_valid(country, number))
}

/// The digits, if there is nothing else.
fn digits(text: &str) -> Option<Vec<u64>> {
    text.chars().map(|sign| sign.to_digit(10).map(u64::from)).collect()
}

/// So many digits.
fn exactly(text: &str, length: usize) -> Option<Vec<u64>> {
    digits(text).filter(|digits| digits.len() == length)
}

fn weighed(digits: &[u64], weights: &[u64]) -> u64 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

fn number(digits: &[u64]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + digit)
}

/// What Luhn's rule adds up to, the last digit being counted once.
fn luhn(digits: &[u64]) -> u64 {
    let counts = |(place, digit): (usize, &u64)| match place % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    };
    digits.iter().rev().enumerate().map(counts).sum()
}

/// ISO 7064, modulus 11, 10.
fn mod_11_10(digits: &[u64]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let mut product = 10;
    for digit in body {
        let sum = (digit + product) % 10;
        product = (if sum == 0 { 10 } else { sum }) * 2 % 11;
    }
    (11 - product) % 10 == *check
}

fn is_abn(text: &str) -> bool {
    let Some(mut digits) = exactly(text, 11) else { return false };
    if digits[0] == 0 {
        return false;
    }
    digits[0] -= 1;
    weighed(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89)
}

/// A VAT number of a member state, without what it begins with.
fn is_vat(state: &str, text: &str) -> bool {
    let found = match state {
        "AT" => text.strip_prefix('U').and_then(|rest| exactly(rest, 8)).map(austria),
        "BE" => exactly(text, 10)
            .map(|digits| digits[0] <= 1 && 97 - number(&digits[..8]) % 97 == number(&digits[8..])),
        "BG" => bulgaria(text),
        "CY" => cyprus(text),
        "CZ" => czechia(text),
        "DE" => exactly(text, 9).map(|digits| digits[0] > 0 && mod_11_10(&digits)),
        "DK" => exactly(text, 8).map(|digits| {
            digits[0] > 0 && weighed(&digits, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
        }),
        "EE" => exactly(text, 9).map(|digits| {
            (10 - weighed(&digits, &[3, 7, 1, 3, 7, 1, 3, 7]) % 10) % 10 == digits[8]
        }),
        "ES" => Some(spain(text)),
        "FI" => exactly(text, 8).map(|digits| {
            let check = 11 - weighed(&digits, &[7, 9, 10, 5, 8, 4, 2]) % 11;
            check != 10 && check % 11 == digits[7]
        }),
        "FR" => Some(france(text)),
        "GR" => exactly(text, 9).map(|digits| {
            weighed(&digits, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == digits[8]
        }),
        "HR" => exactly(text, 11).map(|digits| mod_11_10(&digits)),
        "HU" => exactly(text, 8)
            .map(|digits| (10 - weighed(&digits, &[9, 7, 3, 1, 9, 7, 3]) % 10) % 10 == digits[7]),
        "IE" => Some(ireland(text)),
        "IT" => {
            exactly(text, 11).map(|digits| number(&digits) > 0 && luhn(&digits).is_multiple_of(10))
        }
        "LT" => lithuania(text),
        "LU" => exactly(text, 8).map(|digits| number(&digits[..6]) % 89 == number(&digits[6..])),
        "LV" => exactly(text, 11).map(latvia),
        "MT" => exactly(text, 8)
            .map(|digits| weighed(&digits, &[3, 4, 6, 7, 8, 9, 10, 1]).is_multiple_of(37)),
        "NL" => Some(netherlands(text)),
        "PL" => exactly(text, 10)
            .map(|digits| weighed(&digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == digits[9]),
        "PT" => exactly(text, 9).map(|digits| {
            let check = 11 - weighed(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
            digits[0] > 0 && (if check > 9 { 0 } else { check }) == digits[8]
        }),
        "RO" => romania(text),
        "SE" => exactly(text, 12).map(|digits| luhn(&digits[..10]).is_multiple_of(10)),
        "SI" => exactly(text, 8).map(|digits| {
            let check = 11 - weighed(&digits, &[8, 7, 6, 5, 4, 3, 2]) % 11;
            digits[0] > 0 && check != 11 && check % 10 == digits[7]
        }),
        "SK" => exactly(text, 10).map(|digits| digits[0] > 0 && number(&digits).is_multiple_of(11)),
        _ => None,
    };
    found.unwrap_or(false)
}

fn austria(digits: Vec<u64>) -> bool {
    let sum = luhn(&digits[..7]);
    (10 - (sum + 4) % 10) % 10 == digits[7]
}

/// Nine digits for a company; ten for a person, a foreigner, or anybody else.
fn bulgaria(text: &str) -> Option<bool> {
    let digits = digits(text)?;
    match digits.len() {
        9 => {
            let first = weighed(&digits[..8], &[1, 2, 3, 4, 5, 6, 7, 8]) % 11;
            let second = weighed(&digits[..8], &[3, 4, 5, 6, 7, 8, 9, 10]) % 11;
            let check = if first == 10 { second % 10 } else { first };
            Some(check == digits[8])
        }
        10 => {
            let (body, check) = (&digits[..9], digits[9]);
            let person = weighed(body, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
            let foreigner = weighed(body, &[21, 19, 17, 13, 11, 9, 7, 3, 1]) % 10;
            let other = 11 - weighed(body, &[4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
            Some(check == person || check == foreigner || (other != 10 && check == other % 11))
        }
        _ => None,
    }
}

fn cyprus(text: &str) -> Option<bool> {
    let letter = text.chars().last()?;
    let digits = exactly(text.strip_suffix(letter)?, 8)?;
    let odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let counts = |(place, digit): (usize, &u64)| match place % 2 {
        0 => odd[*digit as usize],
        _ => *digit,
    };
    let sum: u64 = digits.iter().enumerate().map(counts).sum();
    Some(letter_of(sum % 26) == Some(letter) && digits[..2] != [1, 2])
}

/// The letter of this number, from A for 0.
fn letter_of(number: u64) -> Option<char> {
    char::from_u32(u32::from('A') + number as u32)
}

/// Eight digits for a company; nine or ten for a person. Those of nine had no check digit before 1954.
fn czechia(text: &str) -> Option<bool> {
    let digits = digits(text)?;
    match digits.len() {
        8 => {
            let check = (11 - weighed(&digits, &[8, 7, 6, 5, 4, 3, 2]) % 11) % 10;
            Some(digits[0] < 9 && check == digits[7])
        }
        9 if digits[0] == 6 => {
            let rest = weighed(&digits[1..], &[8, 7, 6, 5, 4, 3, 2]) % 11;
            let missing = if rest == 0 { 11 } else { 11 - rest };
            let check = [8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 8][(missing - 1) as usize];
            Some(check == digits[8])
        }
        9 => Some(true),
        10 => Some(
            number(&digits).is_multiple_of(11) || number(&digits[..9]) % 11 == 10 && digits[9] == 0,
        ),
        _ => None,
    }
}

/// A person's eight digits and letter, a foreigner's X, Y or Z with seven digits and a letter, or an entity's letter
/// with seven digits and a digit or a letter.
fn spain(text: &str) -> bool {
    const LETTERS: &str = "TRWAGMYFPDXBNJZSQVHLCKE";
    let signs: Vec<char> = text.chars().collect();
    if signs.len() != 9 {
        return false;
    }
    let (first, last) = (signs[0], signs[8]);
    let body: String = signs[1..8].iter().collect();
    let Some(body) = exactly(&body, 7) else { return false };
    let has_letter = |before: u64| {
        LETTERS.chars().nth(((before * 10_000_000 + number(&body)) % 23) as usize) == Some(last)
    };
    let check = (10 - luhn_of_body(&body) % 10) % 10;
    let as_digit = char::from_digit(check as u32, 10) == Some(last);
    let as_letter = "JABCDEFGHI".chars().nth(check as usize) == Some(last);
    match first {
        '0'..='9' => first.to_digit(10).is_some_and(|digit| has_letter(u64::from(digit))),
        'K' | 'L' | 'M' | 'X' => has_letter(0),
        'Y' => has_letter(1),
        'Z' => has_letter(2),
        'A' | 'B' | 'E' | 'H' => as_digit,
        'N' | 'P' | 'Q' | 'R' | 'S' | 'W' => as_letter,
        'C' | 'D' | 'F' | 'G' | 'J' | 'U' | 'V' => as_digit || as_letter,
        _ => false,
    }
}

/// What Luhn's rule adds up to for digits before a check digit: the last is doubled.
fn luhn_of_body(body: &[u64]) -> u64 {
    let mut with_check = body.to_vec();
    with_check.push(0);
    luhn(&with_check)
}

/// A key of two signs before the nine digits of the company, which have a check digit themselves but in Monaco.
fn france(text: &str) -> bool {
    const SIGNS: &str = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let (Some(key), Some(company)) = (text.get(..2), text.get(2..)) else { return false };
    let Some(digits) = exactly(company, 9) else { return false };
    if digits[..3] != [0, 0, 0] && !luhn(&digits).is_multiple_of(10) {
        return false;
    }
    let company = number(&digits);
    if let Some(key) = exactly(key, 2) {
        return (12 + 3 * (company % 97)) % 97 == number(&key);
    }
    let places: Option<Vec<usize>> = key.chars().map(|sign| SIGNS.find(sign)).collect();
    let Some(places) = places else { return false };
    let (first, second) = (places[0] as u64, places[1] as u64);
    let check = match first < 10 {
        true => first * 24 + second - 10,
        false => first * 34 + second - 100,
    };
    (company + 1 + check / 11) % 11 == check % 11
}

/// Seven digits and a letter, since 2013 with another letter; before, the second sign was no digit.
fn ireland(text: &str) -> bool {
    let signs: Vec<char> = text.chars().collect();
    if signs.len() != 8 && signs.len() != 9 {
        return false;
    }
    let body: String = match signs[1].is_ascii_digit() {
        true => signs[..7].iter().collect(),
        false if signs[1].is_ascii_uppercase() || matches!(signs[1], '+' | '*') => {
            let moved: String = signs[2..7].iter().collect();
            format!("0{moved}{}", signs[0])
        }
        false => return false,
    };
    let Some(digits) = exactly(&body, 7) else { return false };
    let mut sum = weighed(&digits, &[8, 7, 6, 5, 4, 3, 2]);
    match signs.get(8) {
        None | Some('W') => {}
        Some(letter @ 'A'..='I') => sum += 9 * (u64::from(*letter as u32 - 'A' as u32) + 1),
        Some(_) => return false,
    }
    "WABCDEFGHIJKLMNOPQRSTUV".chars().nth((sum % 23) as usize) == Some(signs[7])
}

fn lithuania(text: &str) -> Option<bool> {
    let digits = digits(text)?;
    let one = match digits.len() {
        9 => 7,
        12 => 10,
        _ => return None,
    };
    let (check, body) = digits.split_last()?;
    let with = |shift: u64| -> u64 {
        (0..).zip(body).map(|(place, digit): (u64, _)| digit * (1 + (place + shift) % 9)).sum()
    };
    let first = with(0) % 11;
    let found = if first == 10 { with(2) % 11 % 10 } else { first };
    Some(digits[one] == 1 && found == *check)
}

/// Companies begin with 4 or more, persons with a day.
fn latvia(digits: Vec<u64>) -> bool {
    if digits[0] > 3 {
        return weighed(&digits, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]) % 11 == 3;
    }
    let check = (1 + weighed(&digits, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9])) % 11 % 10;
    check == digits[10]
}

/// Nine digits, a B and two digits: a company's number has a check digit, a sole trader's is checked as a whole.
fn netherlands(text: &str) -> bool {
    let Some((before, after)) = text.split_once('B') else { return false };
    let (Some(before), Some(after)) = (exactly(before, 9), exactly(after, 2)) else {
        return false;
    };
    let check = weighed(&before, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    // As letters, N, L and B are 23, 21 and 11.
    let mut rest = 2321;
    for digit in &before {
        rest = (rest * 10 + digit) % 97;
    }
    rest = (rest * 100 + 11) % 97;
    for digit in &after {
        rest = (rest * 10 + digit) % 97;
    }
    check == before[8] || rest == 1
}

fn romania(text: &str) -> Option<bool> {
    let digits = digits(text).filter(|digits| (2..=10).contains(&digits.len()))?;
    let (check, body) = digits.split_last()?;
    let weights = [2, 3, 5, 7, 1, 2, 3, 5, 7];
    let reversed: Vec<u64> = body.iter().rev().copied().collect();
    Some(digits[0] > 0 && weighed(&reversed, &weights) * 10 % 11 % 10 == *check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_checked_by_their_checksum_rules() {
        // R12.4: of each country one that is valid, and the same with another check digit.
        let table = [
            ("AT", "ATU13585627", "ATU13585626"),
            ("AU", "51 824 753 556", "51 824 753 557"),
            ("BE", "BE 0428.759.497", "BE 0428.759.498"),
            ("BG", "BG175074752", "BG175074753"),
            ("CY", "CY10259033P", "CY10259033Q"),
            ("CZ", "CZ25123891", "CZ25123890"),
            ("DE", "DE 136 695 976", "DE 136 695 978"),
            ("DK", "DK13585628", "DK13585627"),
            ("EE", "EE100931558", "EE100931559"),
            ("ES", "ESB58378431", "ESB58378432"),
            ("ES", "ES54362315K", "ES54362315L"),
            ("ES", "ESX2482300W", "ESX2482300A"),
            ("FI", "FI20774740", "FI20774741"),
            ("FR", "FR40303265045", "FR41303265045"),
            ("FR", "FRK7399859412", "FRK8399859412"),
            ("GR", "EL094259216", "EL094259217"),
            ("HR", "HR33392005961", "HR33392005962"),
            ("HU", "HU12892312", "HU12892313"),
            ("IE", "IE6433435F", "IE6433435E"),
            ("IE", "IE6433435OA", "IE6433435PA"),
            ("IT", "IT00743110157", "IT00743110158"),
            ("LT", "LT119511515", "LT119511514"),
            ("LT", "LT100001919017", "LT100001919018"),
            ("LU", "LU15027442", "LU15027443"),
            ("LV", "LV40003521600", "LV40003521601"),
            ("MT", "MT11679112", "MT11679113"),
            ("NL", "NL004495445B01", "NL004495446B01"),
            ("NL", "NL123456789B13", "NL123456788B14"),
            ("PL", "PL8567346215", "PL8567346216"),
            ("PT", "PT501964843", "PT501964844"),
            ("RO", "RO14399840", "RO14399841"),
            ("SE", "SE123456789701", "SE123456789601"),
            ("SI", "SI50223054", "SI50223055"),
            ("SK", "SK2022749619", "SK2022749618"),
        ];
        for (country, good, bad) in table {
            assert!(is_valid(country, good), "{good}");
            assert!(is_valid(country, &good.to_lowercase()), "{good} in small letters");
            assert!(!is_valid(country, bad), "{bad}");
            let shorter: String = good.chars().take(good.len() - 1).collect();
            assert!(!is_valid(country, &shorter), "{shorter}");
        }
        for (state, _) in MEMBER_STATES {
            assert!(table.iter().any(|(country, ..)| *country == state), "no number of {state}");
        }
    }

    #[test]
    fn a_number_is_that_of_the_registered_country() {
        // R12.4
        for number in ["", "136695976", "ATU13585627", "DE", "DE13669597X", "DE٣36695976"] {
            assert!(!is_valid("DE", number), "{number}");
        }
        // Where there is no rule, there is no wrong number.
        assert!(is_valid("US", "SG-1"));
    }
}
