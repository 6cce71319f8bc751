//! Exact decimal arithmetic (R1.1).
//!
//! Every amount and every quantity is a whole number of units of 10^-12, held in an integer of any size, so that
//! nothing can overflow and nothing is ever approximated. A product of two such numbers is held in units of 10^-24
//! until it is rounded, once.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, Zero};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// How many decimal places an exact number carries.
pub const PLACES: u32 = 12;
/// How many digits a number read from outside may have before the point (R2.1).
pub const WHOLE_DIGITS: usize = 15;

/// A decimal number with exactly twelve places.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact(BigInt);

/// The exact product of two decimal numbers, with twenty-four places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wide(BigInt);

fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

impl Exact {
    pub fn zero() -> Exact {
        Exact::default()
    }

    /// A whole number.
    pub fn whole(number: impl Into<BigInt>) -> Exact {
        Exact(number.into() * power_of_ten(PLACES))
    }

    /// Reads a plain decimal such as `12`, `-0.5` or `007.25` that comes from outside, and says how many places were
    /// written. Anything else, including exponents, signs other than a leading minus, more than twelve places or more
    /// than fifteen digits before the point, is nothing.
    pub fn read(text: &str) -> Option<(Exact, u32)> {
        let whole = text.trim_start_matches('-').split('.').next().unwrap_or_default();
        if whole.len() > WHOLE_DIGITS { None } else { Exact::read_any(text) }
    }

    /// Reads a plain decimal of any size.
    pub fn read_any(text: &str) -> Option<(Exact, u32)> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, places) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, places)) => (whole, places),
            None => (digits, ""),
        };
        let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || places.len() > PLACES as usize {
            return None;
        }
        if !only_digits(whole) || !only_digits(places) {
            return None;
        }
        let units = format!("{whole}{places:0<12}").parse::<BigInt>().ok()?;
        let value = if negative { -units } else { units };
        Some((Exact(value), places.len() as u32))
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    pub fn is_positive(&self) -> bool {
        self.0.is_positive()
    }

    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    pub fn at_least_zero(self) -> Exact {
        self.max(Exact::zero())
    }

    /// Rounds to this many places, half away from zero: the rounding of a bill (R1.1).
    pub fn round_half_away(&self, places: u32) -> Exact {
        let unit = power_of_ten(PLACES - places);
        let (count, rest): (BigInt, BigInt) = self.0.abs().div_rem(&unit);
        let up = rest * 2 >= unit;
        let magnitude = (if up { count + 1 } else { count }) * unit;
        Exact(if self.0.is_negative() { -magnitude } else { magnitude })
    }

    /// Rounds to this many places, down.
    pub fn round_down(&self, places: u32) -> Exact {
        let unit = power_of_ten(PLACES - places);
        Exact(self.0.div_floor(&unit) * unit)
    }

    pub fn times(&self, other: &Exact) -> Wide {
        Wide(&self.0 * &other.0)
    }

    pub fn widen(&self) -> Wide {
        Wide(&self.0 * power_of_ten(PLACES))
    }

    /// This many parts of so many, half to even.
    pub fn share(&self, parts: i64, of: i64) -> Exact {
        let (below, rest): (BigInt, BigInt) = (&self.0 * parts).div_mod_floor(&BigInt::from(of));
        let twice: BigInt = rest * 2;
        let up = match twice.cmp(&BigInt::from(of)) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => below.is_odd(),
            std::cmp::Ordering::Greater => true,
        };
        Exact(if up { below + 1 } else { below })
    }

    /// As much of this as one number is of another, rounded down. The other is above zero.
    pub fn part_of(&self, part: &Exact, whole: &Exact) -> Exact {
        Exact((&self.0 * &part.0).div_floor(&whole.0))
    }

    /// How many blocks of this size have been started. The size is above zero.
    pub fn started_blocks(&self, size: &Exact) -> Exact {
        Exact::whole(self.0.div_ceil(&size.0))
    }
}

impl Wide {
    /// Rounds to twelve places, half to even: the rounding of a charge (R1.1).
    pub fn round_half_even(&self) -> Exact {
        let unit = power_of_ten(PLACES);
        let (below, rest): (BigInt, BigInt) = self.0.div_mod_floor(&unit);
        let twice: BigInt = rest * 2;
        let up = match twice.cmp(&unit) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => below.is_odd(),
            std::cmp::Ordering::Greater => true,
        };
        Exact(if up { below + 1 } else { below })
    }
}

impl fmt::Display for Exact {
    /// A plain decimal without superfluous zeros.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, places) = self.0.abs().div_rem(&power_of_ten(PLACES));
        let sign = if self.0.is_negative() { "-" } else { "" };
        if places.is_zero() {
            return write!(formatter, "{sign}{whole}");
        }
        let places = format!("{:0>12}", places.to_string());
        write!(formatter, "{sign}{whole}.{}", places.trim_end_matches('0'))
    }
}

impl Add<&Exact> for &Exact {
    type Output = Exact;
    fn add(self, other: &Exact) -> Exact {
        Exact(&self.0 + &other.0)
    }
}

impl Sub<&Exact> for &Exact {
    type Output = Exact;
    fn sub(self, other: &Exact) -> Exact {
        Exact(&self.0 - &other.0)
    }
}

impl Neg for &Exact {
    type Output = Exact;
    fn neg(self) -> Exact {
        Exact(-&self.0)
    }
}

impl AddAssign<&Exact> for Exact {
    fn add_assign(&mut self, other: &Exact) {
        self.0 += &other.0;
    }
}

impl SubAssign<&Exact> for Exact {
    fn sub_assign(&mut self, other: &Exact) {
        self.0 -= &other.0;
    }
}

impl AddAssign<Wide> for Wide {
    fn add_assign(&mut self, other: Wide) {
        self.0 += other.0;
    }
}

impl<'a> Sum<&'a Exact> for Exact {
    fn sum<I: Iterator<Item = &'a Exact>>(numbers: I) -> Exact {
        let mut total = Exact::zero();
        for number in numbers {
            total += number;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::read(text).unwrap().0
    }

    #[test]
    fn reads_plain_decimals_only() {
        // R1.1, R1.5, R2.1
        for text in ["0", "-0", "5", "007", "0.000000000001", "999999999999999.999999999999"] {
            assert!(Exact::read(text).is_some(), "{text}");
        }
        for text in [
            "",
            "-",
            ".5",
            "5.",
            "+5",
            "1e3",
            "NaN",
            "inf",
            " 1",
            "1 ",
            "1,0",
            "--1",
            "1.2.3",
            "0x1",
            "٣",
            "1000000000000000",
            "0.0000000000001",
        ] {
            assert!(Exact::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn shows_what_it_read() {
        for text in ["0", "5", "-5", "0.5", "-0.000000000001", "123.45"] {
            assert_eq!(exact(text).to_string(), text);
        }
    }

    #[test]
    fn a_bill_rounds_half_away_from_zero() {
        // R1.1
        for (from, to) in [
            ("0.004", "0"),
            ("0.005", "0.01"),
            ("-0.005", "-0.01"),
            ("-0.004", "0"),
            ("1.015", "1.02"),
        ] {
            assert_eq!(exact(from).round_half_away(2), exact(to), "{from}");
        }
        assert_eq!(exact("2.5").round_half_away(0), exact("3"));
    }

    #[test]
    fn a_charge_rounds_half_to_even() {
        // R1.1
        let half = exact("0.5");
        for (units, rounded) in [(1, 0), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2)] {
            let smallest = Exact(BigInt::from(units));
            assert_eq!(
                smallest.times(&half).round_half_even(),
                Exact(BigInt::from(rounded)),
                "{units}"
            );
        }
    }

    #[test]
    fn rounds_down_and_counts_started_blocks() {
        assert_eq!(exact("1.999").round_down(2), exact("1.99"));
        assert_eq!(exact("100").started_blocks(&exact("100")), exact("1"));
        assert_eq!(exact("100.1").started_blocks(&exact("100")), exact("2"));
    }
}
