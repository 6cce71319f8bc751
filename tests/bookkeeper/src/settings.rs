//! The settings the book-keeper knows, read from the text under `[settings]` of a scenario file.

use crate::calendar::{Cycle, DAY, Delay, HOUR, MINUTE, SECOND, read_zone};
use crate::exact::Exact;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Every name of the contract. Those that are not used here are only checked to exist.
const NAMES: [&str; 34] = [
    "usage.max_age",
    "usage.max_ahead",
    "rejects.replay_for",
    "bills.cycle",
    "bills.grace",
    "bills.wait",
    "payments.card_threshold",
    "payments.paypal_threshold",
    "payments.pending_for",
    "payments.retry_after",
    "recharge.percents",
    "topup.minimum",
    "topup.bank_only_above",
    "topup.card_brands",
    "topup.test_every",
    "methods.cool_down",
    "methods.strong_authentication",
    "overdue.after",
    "overdue.bad_debt_after",
    "suspension.buffer",
    "alerts.low_balance_days",
    "runway.alert_days",
    "alerts.near_due_cycles",
    "requests.expire_after",
    "authorizations.expire_after",
    "invoices.schedule",
    "invoices.hold_above",
    "tax.issuer_country",
    "tax.rates",
    "tax.issuer_zone",
    "tax.issuer_name",
    "invoices.credit_within",
    "fx",
    "topics.prefix",
];

/// The rates of tax by country, each from a day on or for all time (R12.4).
pub type TaxRates = BTreeMap<String, Vec<(Option<String>, Exact)>>;

/// What is in force; the defaults are those of the contract.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How old a usage record may be, in microseconds (R2.4).
    pub max_age: i64,
    /// How far ahead of the clock a usage record may be, in microseconds (R2.4).
    pub max_ahead: i64,
    /// For how long rejected usage can be sent again, in microseconds (R2.3).
    pub replay_for: i64,
    /// The bill cycle of a billing account that sets none itself (R5.1).
    pub cycle: Cycle,
    /// How long after the end of a cycle its usage may still join it, in microseconds (R2.4).
    pub grace: i64,
    /// The smallest top-up by currency (R7.1).
    pub minimum_top_up: BTreeMap<String, Exact>,
    /// Above which amount a top-up comes by bank transfer only, by currency (R7.1).
    pub bank_only_above: BTreeMap<String, Exact>,
    /// The brands of cards that are taken (R7.1).
    pub card_brands: Vec<String>,
    /// At which amount owed a card is charged, by currency (R6.1).
    pub card_threshold: BTreeMap<String, Exact>,
    /// Between which amounts the threshold of PayPal can be set, by currency (R6.1).
    pub paypal_threshold: BTreeMap<String, (Exact, Exact)>,
    /// After how long a payment whose outcome is unknown is shown as delayed, in microseconds (R6.4).
    pub pending_for: i64,
    /// Below which available credit services of a postpaid account stop, by region or currency (R8.2).
    pub buffer: BTreeMap<String, Exact>,
    /// On how many days a low balance is told (R8.5).
    pub low_balance_days: u32,
    /// Below how many days left that is told (R8.6), and how many cycles are to be covered (R8.8).
    pub runway_days: i64,
    pub near_due_cycles: i64,
    /// How long a request to pay waits for its answer, in microseconds (R10.1).
    pub expire_after: i64,
    /// After how long an authorization lapses, in microseconds (R11.2).
    pub authorizations_expire: i64,
    /// Whether invoices are monthly where the billing account says nothing (R12.1).
    pub monthly_invoices: bool,
    /// Who issues invoices, and in which zone its years are (R12.2).
    pub issuer_country: String,
    pub issuer_zone: TimeZone,
    /// The rates by country, each from a day on or for all time (R12.4).
    pub tax_rates: TaxRates,
    /// For how long an invoice can be credited by command, if there is an end to it, in microseconds (R12.2).
    pub credit_within: Option<i64>,
    /// How long the card of a closed billing account serves no other one, in microseconds (R7.5).
    pub cool_down: i64,
    /// How often automatic recharge is tested, in microseconds (R7.2).
    pub test_every: i64,
    /// At which percents of the usual cost automatic recharge happens (R6.7).
    pub recharge_percents: Vec<Exact>,
    /// When a declined payment is tried again, in microseconds after the first decline (R6.5).
    pub retry_after: Vec<i64>,
    /// How long after its month an unpaid bill makes overdue (R8.1).
    pub overdue_after: Delay,
    /// How long after its month an unpaid bill makes bad debt (R9.1).
    pub bad_debt_after: Delay,
}

impl Default for Settings {
    fn default() -> Settings {
        let minimum = [("CNY", 100), ("USD", 20), ("EUR", 15), ("AED", 75)];
        Settings {
            max_age: 35 * DAY,
            max_ahead: 5 * MINUTE,
            replay_for: 7 * DAY,
            cycle: Cycle::Hour,
            grace: 0,
            minimum_top_up: minimum
                .into_iter()
                .map(|(code, least)| (code.to_string(), Exact::whole(least)))
                .collect(),
            bank_only_above: [("CNY".to_string(), Exact::whole(50_000))].into(),
            card_brands: vec!["visa".to_string(), "mastercard".to_string()],
            card_threshold: [("USD".to_string(), Exact::whole(1_000))].into(),
            paypal_threshold: [("USD".to_string(), (Exact::whole(8), Exact::whole(500)))].into(),
            pending_for: 30 * MINUTE,
            buffer: [("CNY".to_string(), Exact::whole(100))].into(),
            low_balance_days: 5,
            runway_days: 5,
            near_due_cycles: 3,
            expire_after: 30 * DAY,
            authorizations_expire: DAY,
            monthly_invoices: false,
            issuer_country: "SG".to_string(),
            issuer_zone: TimeZone::UTC,
            tax_rates: BTreeMap::new(),
            credit_within: None,
            cool_down: 30 * DAY,
            test_every: 90 * DAY,
            recharge_percents: vec![Exact::whole(20), Exact::whole(5)],
            retry_after: vec![DAY, 3 * DAY, 5 * DAY],
            overdue_after: Delay { days: 15, micros: 0 },
            bad_debt_after: Delay { days: 90, micros: 0 },
        }
    }
}

impl Settings {
    pub fn read(text: &str) -> Result<Settings, String> {
        let table =
            text.parse::<Table>().map_err(|error| format!("the settings are not TOML: {error}"))?;
        let mut given = BTreeMap::new();
        collect("", &table, &mut given)?;
        let mut settings = Settings::default();
        for (name, value) in &given {
            match name.as_str() {
                "usage.max_age" => settings.max_age = delay(name, value)?.exact(),
                "rejects.replay_for" => settings.replay_for = delay(name, value)?.exact(),
                "usage.max_ahead" => settings.max_ahead = delay(name, value)?.exact(),
                "bills.cycle" => {
                    let cycle = value.as_str().and_then(Cycle::read);
                    settings.cycle =
                        cycle.ok_or_else(|| format!("`{name}` is hour, day or month"))?;
                }
                "bills.grace" => settings.grace = delay(name, value)?.exact(),
                "topup.minimum" => settings.minimum_top_up = amounts(name, value)?,
                "topup.bank_only_above" => settings.bank_only_above = amounts(name, value)?,
                "topup.card_brands" => settings.card_brands = texts(name, value)?,
                "payments.card_threshold" => settings.card_threshold = amounts(name, value)?,
                "payments.paypal_threshold" => settings.paypal_threshold = ranges(name, value)?,
                "payments.pending_for" => settings.pending_for = delay(name, value)?.exact(),
                "suspension.buffer" => settings.buffer = amounts(name, value)?,
                "alerts.low_balance_days" => {
                    let days = value.as_integer().and_then(|days| u32::try_from(days).ok());
                    settings.low_balance_days =
                        days.ok_or_else(|| format!("`{name}` is a number of days"))?;
                }
                "runway.alert_days" => settings.runway_days = count(name, value)?,
                "alerts.near_due_cycles" => settings.near_due_cycles = count(name, value)?,
                "requests.expire_after" => settings.expire_after = delay(name, value)?.exact(),
                "authorizations.expire_after" => {
                    settings.authorizations_expire = delay(name, value)?.exact();
                }
                "invoices.schedule" => {
                    settings.monthly_invoices = value.as_str() == Some("monthly")
                }
                "tax.issuer_country" => {
                    let country = value.as_str().ok_or(format!("`{name}` is a country"))?;
                    settings.issuer_country = country.to_string();
                }
                "tax.issuer_zone" => {
                    let zone = value.as_str().and_then(read_zone);
                    settings.issuer_zone = zone.ok_or(format!("`{name}` is a time zone"))?;
                }
                "tax.rates" => settings.tax_rates = rates(name, value)?,
                "invoices.credit_within" => {
                    settings.credit_within = Some(delay(name, value)?.exact());
                }
                "methods.cool_down" => settings.cool_down = delay(name, value)?.exact(),
                "topup.test_every" => settings.test_every = delay(name, value)?.exact(),
                "recharge.percents" => {
                    let read = |text: &String| {
                        let percent = Exact::read(text).map(|(percent, _)| percent);
                        percent.ok_or(format!("`{name}` is a list of percents"))
                    };
                    let percents = texts(name, value)?;
                    settings.recharge_percents =
                        percents.iter().map(read).collect::<Result<_, _>>()?;
                }
                "payments.retry_after" => {
                    let delays = value.as_array().ok_or(format!("`{name}` is a list"))?;
                    let read = |value| delay(name, value).map(Delay::exact);
                    settings.retry_after = delays.iter().map(read).collect::<Result<_, _>>()?;
                }
                "overdue.after" => settings.overdue_after = delay(name, value)?,
                "overdue.bad_debt_after" => settings.bad_debt_after = delay(name, value)?,
                _ => {}
            }
        }
        Ok(settings)
    }
}

/// Walks down the tables until a name of the contract is reached.
fn collect(path: &str, table: &Table, given: &mut BTreeMap<String, Value>) -> Result<(), String> {
    for (key, value) in table {
        let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if NAMES.contains(&name.as_str()) {
            given.insert(name, value.clone());
            continue;
        }
        match value {
            Value::Table(inner) => collect(&name, inner, given)?,
            _ => return Err(format!("there is no setting `{name}`")),
        }
    }
    Ok(())
}

/// Reads `"35d"`, `"6h"`, `"5m"` or `"0s"`.
fn delay(name: &str, value: &Value) -> Result<Delay, String> {
    let wrong = || format!("`{name}` is a duration such as \"35d\", \"6h\", \"5m\" or \"0s\"");
    let text = value.as_str().ok_or_else(wrong)?;
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number =
        text.strip_suffix(unit).and_then(|digits| digits.parse::<u32>().ok()).ok_or_else(wrong)?;
    let number = i64::from(number);
    match unit {
        'd' => Ok(Delay { days: number, micros: 0 }),
        'h' => Ok(Delay { days: 0, micros: number.saturating_mul(HOUR) }),
        'm' => Ok(Delay { days: 0, micros: number.saturating_mul(MINUTE) }),
        's' => Ok(Delay { days: 0, micros: number.saturating_mul(SECOND) }),
        _ => Err(wrong()),
    }
}

fn count(name: &str, value: &Value) -> Result<i64, String> {
    value.as_integer().ok_or_else(|| format!("`{name}` is a whole number"))
}

fn amounts(name: &str, value: &Value) -> Result<BTreeMap<String, Exact>, String> {
    let wrong = || format!("`{name}` is a table of amounts by currency");
    let table = value.as_table().ok_or_else(wrong)?;
    let mut amounts = BTreeMap::new();
    for (code, amount) in table {
        let (amount, _) = amount.as_str().and_then(Exact::read).ok_or_else(wrong)?;
        amounts.insert(code.clone(), amount);
    }
    Ok(amounts)
}

/// A least and a most amount by currency.
fn ranges(name: &str, value: &Value) -> Result<BTreeMap<String, (Exact, Exact)>, String> {
    let wrong = || format!("`{name}` is a table of two amounts by currency");
    let mut ranges = BTreeMap::new();
    for (code, range) in value.as_table().ok_or_else(wrong)? {
        let range = range.as_array().map(Vec::as_slice).ok_or_else(wrong)?;
        let [least, most] = range else { return Err(wrong()) };
        let read = |amount: &Value| {
            amount.as_str().and_then(Exact::read).map(|(amount, _)| amount).ok_or_else(wrong)
        };
        ranges.insert(code.clone(), (read(least)?, read(most)?));
    }
    Ok(ranges)
}

/// The rates of tax by country: one for all time, or a list of dated ones.
fn rates(name: &str, value: &Value) -> Result<TaxRates, String> {
    let wrong = || format!("`{name}` is a table of rates by country");
    let read = |rate: Option<&Value>| {
        let rate = rate.and_then(Value::as_str).and_then(Exact::read);
        rate.map(|(rate, _)| rate).ok_or_else(wrong)
    };
    let mut rates = BTreeMap::new();
    for (country, given) in value.as_table().ok_or_else(wrong)? {
        let mut of_country = Vec::new();
        match given.as_array() {
            None => of_country.push((None, read(Some(given))?)),
            Some(list) => {
                for dated in list {
                    let from = dated.get("from").and_then(Value::as_str).map(str::to_string);
                    of_country.push((from, read(dated.get("rate"))?));
                }
            }
        }
        rates.insert(country.clone(), of_country);
    }
    Ok(rates)
}

fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let wrong = || format!("`{name}` is a list of texts");
    let list = value.as_array().ok_or_else(wrong)?;
    list.iter().map(|text| text.as_str().map(str::to_string).ok_or_else(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_with_dots_and_refuses_others() {
        let settings =
            Settings::read("usage.max_age = \"10d\"\n[topup]\nminimum = { JPY = \"500\" }")
                .unwrap();
        assert_eq!(settings.max_age, 10 * DAY);
        assert_eq!(settings.minimum_top_up.len(), 1);
        assert!(Settings::read("usage.maximum_age = \"10d\"").is_err());
        assert!(Settings::read("usage.max_age = \"10\"").is_err());
        assert!(Settings::read("bills.cycle = \"week\"").is_err());
        assert!(Settings::read("tax.rates = { SG = \"0.09\" }").is_ok());
    }
}
