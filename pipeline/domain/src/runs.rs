//! Invoice runs (R12.1): the invoices of one enterprise in one currency that are due on one day.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use std::collections::BTreeMap;

use crate::ids::EnterpriseId;
use crate::invoices::HeldFor;
use crate::money::{Amount, Currency};
use crate::time::{Day, Timestamp};
use crate::{record, symbols};

/// The name of a run: its day, currency and enterprise, as `2026-04-01.usd.acme`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId {
    pub day: Day,
    pub currency: Currency,
    pub enterprise: EnterpriseId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an invoice run is called by day, currency and enterprise, as 2026-04-01.usd.acme is")]
pub struct NotARun;

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let currency = self.currency.code().to_ascii_lowercase();
        write!(f, "{}.{currency}.{}", self.day, self.enterprise)
    }
}

impl FromStr for RunId {
    type Err = NotARun;

    fn from_str(text: &str) -> Result<RunId, NotARun> {
        let (day, rest) = text.split_once('.').ok_or(NotARun)?;
        let (currency, enterprise) = rest.split_once('.').ok_or(NotARun)?;
        let run = RunId {
            day: day.parse().map_err(|_| NotARun)?,
            currency: currency.to_ascii_uppercase().parse().map_err(|_| NotARun)?,
            enterprise: enterprise.parse().map_err(|_| NotARun)?,
        };
        // Each name is written in one way only.
        if run.to_string() == text { Ok(run) } else { Err(NotARun) }
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RunId, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| de::Error::custom(format_args!("\"{text}\": {why}")))
    }
}

symbols! {
    /// How far a run is.
    pub enum RunStatus {
        /// Some of its invoices wait for their numbers.
        Issuing = "issuing",
        /// Some of its invoices wait for something else.
        Held = "held",
        /// All of its invoices that are decided are issued.
        Issued = "issued",
    }
}

record! {
    /// A row of the view `invoice_runs`: how far a run was when something about it changed.
    pub struct InvoiceRun {
        pub run: RunId,
        pub enterprise: EnterpriseId,
        /// The day behind the last one that its invoices cover.
        pub day: Day,
        pub currency: Currency,
        pub status: RunStatus,
        /// What those of its invoices wait for that are held.
        pub held_for: Option<HeldFor>,
        /// How many of its invoices are decided, and how many of those are issued, or held.
        pub invoices: u32,
        pub issued: u32,
        pub held: u32,
        /// What all that are decided come to.
        pub net: Amount,
        pub tax: Amount,
        pub total: Amount,
        pub at: Timestamp,
    }
}

/// From what amount on a run is held: one for all currencies, or one for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct HoldAbove(Written);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "an amount such as \"10000\", or { USD = \"10000\", EUR = \"9000\" }"
)]
enum Written {
    Always(Amount),
    ByCurrency(BTreeMap<Currency, Amount>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is below zero: runs above an amount are held")]
pub struct BelowZero(Amount);

impl HoldAbove {
    /// None: runs in that currency are not held.
    pub fn of(&self, currency: Currency) -> Option<Amount> {
        match &self.0 {
            Written::Always(amount) => Some(*amount),
            Written::ByCurrency(amounts) => amounts.get(&currency).copied(),
        }
    }
}

impl TryFrom<Written> for HoldAbove {
    type Error = BelowZero;

    fn try_from(written: Written) -> Result<HoldAbove, BelowZero> {
        let wrong = match &written {
            Written::Always(amount) => Some(*amount).filter(|amount| amount.is_negative()),
            Written::ByCurrency(amounts) => {
                amounts.values().copied().find(|amount| amount.is_negative())
            }
        };
        wrong.map_or(Ok(HoldAbove(written)), |amount| Err(BelowZero(amount)))
    }
}

impl From<HoldAbove> for Written {
    fn from(HoldAbove(written): HoldAbove) -> Written {
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn r12_1_a_run_is_called_by_day_currency_and_enterprise() {
        for (text, read) in [
            ("2026-04-01.usd.acme", true),
            ("2026-04-16.jpy.a.b-c_d", true),
            ("2026-04-01.USD.acme", false),
            ("2026-04-01.gbp.acme", false),
            ("2026-4-1.usd.acme", false),
            ("2026-04-31.usd.acme", false),
            ("2026-04-01.usd.", false),
            ("2026-04-01.usd", false),
            ("acme", false),
            ("", false),
        ] {
            let run = text.parse::<RunId>();
            assert_eq!(run.is_ok(), read, "{text}");
            assert!(run.map_or(true, |run| run.to_string() == text), "{text}");
        }
    }

    #[test]
    fn r12_1_what_is_held_is_said_for_all_currencies_or_for_each() {
        let above = |document: &str, currency| {
            let settings = Settings::parse(document).unwrap();
            let above = settings.invoices.hold_above.and_then(|above| above.of(currency));
            above.map(|amount| amount.to_string())
        };
        assert_eq!(above("", Currency::Usd), None);
        assert_eq!(above("invoices.hold_above = \"10.5\"", Currency::Jpy).as_deref(), Some("10.5"));
        let by_currency = "invoices.hold_above = { USD = \"0\" }";
        assert_eq!(above(by_currency, Currency::Usd).as_deref(), Some("0"));
        assert_eq!(above(by_currency, Currency::Eur), None);
        for wrong in ["\"-1\"", "{ USD = \"-1\" }", "{ GBP = \"1\" }", "1000"] {
            assert!(Settings::parse(&format!("invoices.hold_above = {wrong}")).is_err(), "{wrong}");
        }
    }
}
