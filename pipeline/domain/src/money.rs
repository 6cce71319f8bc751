//! Amounts: exact decimals with twelve places, for money, quantities and prices alike.
//!
//! Arithmetic on the raw number lives here and nowhere else; everything is checked, no result wraps
//! and nothing is clamped (R1.1, R1.5).

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Decimal places an amount carries.
pub const PLACES: u32 = 12;
const ONE: i128 = 1_000_000_000_000;

/// An exact decimal with twelve places. There are millions of them in memory, beside smaller things: so it lies at any
/// four bytes.
#[repr(Rust, packed(4))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

/// A result left the range an [`Amount`] can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the result is too large to hold exactly")]
pub struct Overflow;

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    #[error("not a plain decimal number such as \"12.50\"")]
    NotADecimal,
    #[error("more than {PLACES} decimal places")]
    TooManyPlaces,
    #[error("the number is too large")]
    TooLarge,
}

impl Amount {
    pub const ZERO: Amount = Amount(0);
    pub const ONE: Amount = Amount(ONE);
    pub const MAX: Amount = Amount(i128::MAX);
    /// The least there is above zero.
    pub const SMALLEST: Amount = Amount(1);

    /// The amount that is `raw` trillionths.
    #[inline]
    pub const fn from_raw(raw: i128) -> Amount {
        Amount(raw)
    }

    /// How many trillionths this is.
    #[inline]
    pub const fn raw(self) -> i128 {
        self.0
    }

    #[inline]
    pub const fn whole(units: i64) -> Amount {
        #[allow(clippy::arithmetic_side_effects)] // 2^63 * 10^12 is below 2^127
        Amount(units as i128 * ONE)
    }

    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    #[inline]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    #[inline]
    pub fn plus(self, other: Amount) -> Result<Amount, Overflow> {
        self.0.checked_add(other.0).map(Amount).ok_or(Overflow)
    }

    #[inline]
    pub fn minus(self, other: Amount) -> Result<Amount, Overflow> {
        self.0.checked_sub(other.0).map(Amount).ok_or(Overflow)
    }

    #[inline]
    pub fn negated(self) -> Result<Amount, Overflow> {
        self.0.checked_neg().map(Amount).ok_or(Overflow)
    }

    /// The exact product, with all of its twenty-four places.
    #[inline]
    pub fn times(self, factor: Amount) -> Result<Product, Overflow> {
        match self.0.checked_mul(factor.0) {
            Some(product) => {
                let whole = product.div_euclid(ONE);
                // Below 10^12, whatever their product wraps to. To divide once more takes longer than to multiply.
                let rest = product.wrapping_sub(whole.wrapping_mul(ONE)) as u64;
                Ok(Product { whole, rest })
            }
            None => wide_times(self.0, factor.0),
        }
    }

    /// The sum of `amounts`.
    pub fn sum(amounts: impl IntoIterator<Item = Amount>) -> Result<Amount, Overflow> {
        amounts.into_iter().try_fold(Amount::ZERO, Amount::plus)
    }

    /// The amount rounded to the minor unit of `currency`, half away from zero, as R1.1 asks of a bill.
    pub fn rounded_half_away(self, currency: Currency) -> Result<Amount, Overflow> {
        let unit = currency.minor_unit().0;
        let half = unit.checked_div(2).ok_or(Overflow)?;
        let rest = self.0.checked_rem(unit).ok_or(Overflow)?;
        let down = self.0.checked_sub(rest).ok_or(Overflow)?;
        let step = match rest {
            r if r >= half => unit,
            r if r <= half.checked_neg().ok_or(Overflow)? => unit.checked_neg().ok_or(Overflow)?,
            _ => 0,
        };
        down.checked_add(step).map(Amount).ok_or(Overflow)
    }

    /// The amount rounded to the minor unit of `currency`, towards minus infinity.
    pub fn rounded_down(self, currency: Currency) -> Result<Amount, Overflow> {
        let unit = currency.minor_unit().0;
        let rest = self.0.checked_rem_euclid(unit).ok_or(Overflow)?;
        self.0.checked_sub(rest).map(Amount).ok_or(Overflow)
    }

    /// Whether the amount has no more decimals than `currency` (R1.5).
    pub fn fits(self, currency: Currency) -> bool {
        self.0.checked_rem(currency.minor_unit().0) == Some(0)
    }

    /// Whether somebody may name this amount in a command (R1.5): no more decimals than the currency
    /// has, and fewer than sixteen digits before the point.
    pub fn is_payable(self, currency: Currency) -> bool {
        const LIMIT: u128 = Amount::whole(1_000_000_000_000_000).0.unsigned_abs();
        self.fits(currency) && self.0.unsigned_abs() < LIMIT
    }

    /// This times `part` over `whole`, to twelve places, half to even.
    pub fn share(self, part: i64, whole: i64) -> Result<Amount, Overflow> {
        let product = self.0.checked_mul(part.into()).ok_or(Overflow)?;
        let whole = i128::from(whole);
        let down = product.checked_div_euclid(whole).ok_or(Overflow)?;
        let rest = product.checked_rem_euclid(whole).ok_or(Overflow)?;
        let twice = rest.checked_mul(2).ok_or(Overflow)?;
        let up = twice > whole || (twice == whole && down.rem_euclid(2) == 1);
        down.checked_add(i128::from(up)).map(Amount).ok_or(Overflow)
    }

    /// How many times `other` goes into this, to twelve places, rounded down.
    pub fn ratio(self, other: Amount) -> Result<Amount, Overflow> {
        self.0
            .checked_mul(ONE)
            .and_then(|wide| wide.checked_div_euclid(other.0))
            .map(Amount)
            .ok_or(Overflow)
    }

    /// This times `part` over `whole`, to twelve places, rounded down. Where the product of both leaves its
    /// range, `part` over `whole` is rounded first.
    pub fn portion(self, part: Amount, whole: Amount) -> Result<Amount, Overflow> {
        match self.0.checked_mul(part.0) {
            Some(product) => product.checked_div_euclid(whole.0).map(Amount).ok_or(Overflow),
            None => Ok(Amount(self.times(part.ratio(whole)?)?.whole)),
        }
    }

    /// So many of it.
    pub fn many(self, times: usize) -> Result<Amount, Overflow> {
        let times = i128::try_from(times).map_err(|_| Overflow)?;
        self.0.checked_mul(times).map(Amount).ok_or(Overflow)
    }

    /// What stands before the point.
    pub fn whole_part(self) -> i128 {
        self.0.div_euclid(ONE)
    }

    /// Two places, towards minus infinity.
    pub fn two_places_down(self) -> Amount {
        const CENT: i128 = ONE.div_euclid(100);
        Amount(self.0.saturating_sub(self.0.rem_euclid(CENT)))
    }

    /// How many blocks of `size` cover this quantity; a started block counts whole.
    pub fn blocks_of(self, size: Amount) -> Result<Amount, Overflow> {
        let whole = self.0.checked_div_euclid(size.0).ok_or(Overflow)?;
        let started = self.0.checked_rem_euclid(size.0).ok_or(Overflow)? > 0;
        let blocks = whole.checked_add(i128::from(started)).ok_or(Overflow)?;
        blocks.checked_mul(ONE).map(Amount).ok_or(Overflow)
    }
}

/// An exact product of two amounts: `whole` trillionths and `rest` trillionths of one more.
///
/// A price is a sum of products that is rounded once (R3.2), so the places below the twelfth are
/// kept until the sum is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    whole: i128,
    rest: u64,
}

impl Product {
    pub const ZERO: Product = Product { whole: 0, rest: 0 };

    #[inline]
    pub fn plus(self, other: Product) -> Result<Product, Overflow> {
        let rest = self.rest.checked_add(other.rest).ok_or(Overflow)?;
        let (carry, rest) = match rest.checked_sub(ONE as u64) {
            Some(rest) => (1, rest),
            None => (0, rest),
        };
        let whole = self.whole.checked_add(other.whole).and_then(|sum| sum.checked_add(carry));
        Ok(Product { whole: whole.ok_or(Overflow)?, rest })
    }

    /// Twelve places, half to even, as R1.1 asks of an exact charge.
    #[inline]
    pub fn rounded_half_even(self) -> Result<Amount, Overflow> {
        const HALF: u64 = (ONE as u64).div_euclid(2);
        let up = self.rest > HALF || (self.rest == HALF && self.whole.rem_euclid(2) == 1);
        self.whole.checked_add(i128::from(up)).map(Amount).ok_or(Overflow)
    }
}

impl From<Amount> for Product {
    fn from(amount: Amount) -> Product {
        Product { whole: amount.0, rest: 0 }
    }
}

/// The same product with a 256 bit intermediate, for factors that do not fit 128 bits together.
#[cold]
fn wide_times(left: i128, right: i128) -> Result<Product, Overflow> {
    let negative = (left < 0) != (right < 0);
    let (a, b) = (limbs(left.unsigned_abs()), limbs(right.unsigned_abs()));
    // Schoolbook multiplication on 64 bit limbs, then long division by 10^12. Every intermediate
    // is at most (2^64 - 1)^2 + 2 (2^64 - 1), which is below 2^128.
    #[allow(clippy::arithmetic_side_effects)]
    {
        let mut product = [0u64; 4];
        for (i, x) in a.iter().enumerate() {
            let mut carry = 0u128;
            for (j, y) in b.iter().enumerate() {
                let cell = u128::from(*x) * u128::from(*y) + u128::from(product[i + j]) + carry;
                product[i + j] = cell as u64;
                carry = cell >> 64;
            }
            product[i + 2] = carry as u64;
        }
        let one = ONE as u128;
        let mut rest = 0u128;
        for limb in product.iter_mut().rev() {
            let cell = (rest << 64) | u128::from(*limb);
            *limb = (cell / one) as u64;
            rest = cell % one;
        }
        if product[3] != 0 || product[2] != 0 {
            return Err(Overflow);
        }
        let magnitude = (u128::from(product[1]) << 64) | u128::from(product[0]);
        let magnitude = i128::try_from(magnitude).map_err(|_| Overflow)?;
        Ok(match (negative, rest) {
            (false, rest) => Product { whole: magnitude, rest: rest as u64 },
            (true, 0) => Product { whole: -magnitude, rest: 0 },
            // The rest counts upwards from the next lower trillionth.
            (true, rest) => Product { whole: -magnitude - 1, rest: (one - rest) as u64 },
        })
    }
}

fn limbs(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Amount, NotAnAmount> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return Err(NotAnAmount::NotADecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > PLACES as usize {
            return Err(NotAnAmount::TooManyPlaces);
        }
        let whole: i128 = whole.parse().map_err(|_| NotAnAmount::TooLarge)?;
        let fraction: i128 =
            format!("{fraction:0<12}").parse().map_err(|_| NotAnAmount::TooLarge)?;
        let raw = whole
            .checked_mul(ONE)
            .and_then(|scaled| scaled.checked_add(fraction))
            .ok_or(NotAnAmount::TooLarge)?;
        // Negating cannot overflow: the magnitude of a parsed number is at most i128::MAX.
        Ok(Amount(if text.starts_with('-') { raw.saturating_neg() } else { raw }))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let one = ONE as u128;
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (magnitude.div_euclid(one), magnitude.rem_euclid(one));
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{fraction:012}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<Decimal> for Amount {
    type Error = Overflow;

    fn try_from(decimal: Decimal) -> Result<Amount, Overflow> {
        let decimal = decimal.normalize();
        let missing = PLACES.checked_sub(decimal.scale()).ok_or(Overflow)?;
        let factor = 10i128.checked_pow(missing).ok_or(Overflow)?;
        decimal.mantissa().checked_mul(factor).map(Amount).ok_or(Overflow)
    }
}

impl TryFrom<Amount> for Decimal {
    type Error = Overflow;

    fn try_from(amount: Amount) -> Result<Decimal, Overflow> {
        let decimal = Decimal::try_from_i128_with_scale(amount.0, PLACES).map_err(|_| Overflow)?;
        Ok(decimal.normalize())
    }
}

/// Text where people read it, the shortest big-endian two's complement where machines do: that is
/// Avro's `decimal` with scale 12.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        let bytes = self.0.to_be_bytes();
        serializer.serialize_bytes(shortest(&bytes))
    }
}

/// The shortest suffix of a big-endian two's complement number that still means the same.
#[inline]
pub fn shortest(bytes: &[u8; 16]) -> &[u8] {
    let number = i128::from_be_bytes(*bytes);
    // Bits that only repeat the sign, the sign itself not counted.
    let repeated = (number ^ (number >> 127)).leading_zeros().saturating_sub(1);
    bytes.get((repeated >> 3) as usize..).unwrap_or_default()
}

/// The number that big-endian two's complement `bytes` mean; `None` beyond sixteen bytes or for none.
#[inline]
pub fn from_twos_complement(bytes: &[u8]) -> Option<Amount> {
    let first = *bytes.first()?;
    if bytes.len() <= 8 {
        let sign = i64::from(first.cast_signed() >> 7);
        let number = bytes.iter().fold(sign, |number, byte| (number << 8) | i64::from(*byte));
        return Some(Amount(number.into()));
    }
    let start = 16usize.checked_sub(bytes.len())?;
    let mut full = if first & 0x80 != 0 { [0xFF; 16] } else { [0x00; 16] };
    full[start..].copy_from_slice(bytes);
    Some(Amount(i128::from_be_bytes(full)))
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number as text, such as \"12.50\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(|why| E::custom(format_args!("\"{text}\": {why}")))
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Amount, E> {
                from_twos_complement(bytes)
                    .ok_or_else(|| E::custom("not a decimal of 1 to 16 bytes"))
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_bytes(Visitor)
        }
    }
}

/// The currencies a billing account can be kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    Usd,
    Eur,
    Sgd,
    Hkd,
    Cny,
    Aed,
    Aud,
    Jpy,
}

impl Currency {
    pub const ALL: [Currency; 8] = [
        Currency::Usd,
        Currency::Eur,
        Currency::Sgd,
        Currency::Hkd,
        Currency::Cny,
        Currency::Aed,
        Currency::Aud,
        Currency::Jpy,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Currency::Usd => "USD",
            Currency::Eur => "EUR",
            Currency::Sgd => "SGD",
            Currency::Hkd => "HKD",
            Currency::Cny => "CNY",
            Currency::Aed => "AED",
            Currency::Aud => "AUD",
            Currency::Jpy => "JPY",
        }
    }

    /// The smallest amount that can be paid in this currency.
    pub const fn minor_unit(self) -> Amount {
        match self {
            Currency::Jpy => Amount(ONE),
            Currency::Usd
            | Currency::Eur
            | Currency::Sgd
            | Currency::Hkd
            | Currency::Cny
            | Currency::Aed
            | Currency::Aud => Amount(10_000_000_000),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Currency, NotACurrency> {
        Currency::ALL.into_iter().find(|currency| currency.code() == text).ok_or(NotACurrency)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of USD, EUR, SGD, HKD, CNY, AED, AUD, JPY")]
pub struct NotACurrency;

#[cfg(test)]
#[path = "money_tests.rs"]
mod tests;
