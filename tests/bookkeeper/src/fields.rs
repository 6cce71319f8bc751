//! Reading the fields of a command.

use crate::calendar::read_time;
use crate::currency::Currency;
use crate::exact::Exact;
use serde_json::{Map, Value};

/// The code with which a command is refused.
pub type Refusal = &'static str;

/// A field is missing, is of the wrong kind or is none of this command's.
pub const MALFORMED: Refusal = "malformed";
/// Something named does not exist.
pub const NOT_FOUND: Refusal = "not_found";
/// An amount that cannot be used (R1.5).
pub const INVALID_AMOUNT: Refusal = "invalid_amount";
/// Another currency than the billing account's (R1.5).
pub const CURRENCY_MISMATCH: Refusal = "currency_mismatch";

/// Whether this is a name: 1 to 64 of `a-z 0-9 . _ -`.
pub fn is_id(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// The fields of one command.
pub struct Fields<'a> {
    values: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// A field the command does not know is refused: a misspelt condition that is silently ignored costs money.
    pub fn new(value: &'a Value, known: &[&str]) -> Result<Fields<'a>, Refusal> {
        let values = value.as_object().ok_or(MALFORMED)?;
        if values.keys().any(|name| !known.contains(&name.as_str())) {
            return Err(MALFORMED);
        }
        Ok(Fields { values })
    }

    /// A field that is null is a field that is not there.
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    pub fn has(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    pub fn optional_text(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        self.given(name).map(|value| value.as_str().ok_or(MALFORMED)).transpose()
    }

    pub fn text(&self, name: &str) -> Result<&'a str, Refusal> {
        self.optional_text(name)?.filter(|text| !text.is_empty()).ok_or(MALFORMED)
    }

    /// The name of something new: 1 to 64 of `a-z 0-9 . _ -`.
    pub fn new_id(&self, name: &str) -> Result<&'a str, Refusal> {
        let id = self.text(name)?;
        if is_id(id) { Ok(id) } else { Err(MALFORMED) }
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.given(name).map(|value| value.as_bool().ok_or(MALFORMED)).transpose()
    }

    pub fn optional_time(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.optional_text(name)?.map(|text| read_time(text).ok_or(MALFORMED)).transpose()
    }

    pub fn time(&self, name: &str) -> Result<i64, Refusal> {
        self.optional_time(name)?.ok_or(MALFORMED)
    }

    pub fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let Some(value) = self.given(name) else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or(MALFORMED)?;
        list.iter().map(|text| text.as_str().map(str::to_string).ok_or(MALFORMED)).collect()
    }

    pub fn whole(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.given(name).map(|value| value.as_i64().ok_or(MALFORMED)).transpose()
    }

    /// A list of whole numbers.
    pub fn wholes(&self, name: &str) -> Result<Option<Vec<i64>>, Refusal> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let list = value.as_array().ok_or(MALFORMED)?;
        list.iter().map(|value| value.as_i64().ok_or(MALFORMED)).collect::<Result<_, _>>().map(Some)
    }

    /// A field that has fields itself.
    pub fn inner(&self, name: &str, known: &[&str]) -> Result<Option<Fields<'a>>, Refusal> {
        self.given(name).map(|value| Fields::new(value, known)).transpose()
    }

    /// An amount that may lie below zero.
    pub fn signed_amount(&self, name: &str, currency: Currency) -> Result<Exact, Refusal> {
        let value = self.given(name).ok_or(MALFORMED)?;
        let (amount, places) = value.as_str().and_then(Exact::read).ok_or(INVALID_AMOUNT)?;
        if places > currency.places {
            return Err(INVALID_AMOUNT);
        }
        Ok(amount)
    }

    pub fn amount_or_zero(&self, name: &str, currency: Currency) -> Result<Exact, Refusal> {
        let amount = self.signed_amount(name, currency)?;
        if amount.is_negative() { Err(INVALID_AMOUNT) } else { Ok(amount) }
    }

    /// An amount that moves something: above zero.
    pub fn amount(&self, name: &str, currency: Currency) -> Result<Exact, Refusal> {
        let amount = self.signed_amount(name, currency)?;
        if amount.is_positive() { Ok(amount) } else { Err(INVALID_AMOUNT) }
    }
}
