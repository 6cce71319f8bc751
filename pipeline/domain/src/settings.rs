//! What an operator may set, by the names of CONTRACT.md. Settings travel through the log, so that
//! a replay decides under the settings that were in force.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fx::FxRates;
use crate::ids::{Country, Text};
use crate::money::{Amount, Currency};
use crate::runs::HoldAbove;
use crate::symbols;
use crate::tax::TaxRates;
use crate::time::{Cycle, Span, Zone};

/// Every setting, each with its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub usage: UsageSettings,
    pub rejects: RejectSettings,
    pub bills: BillSettings,
    pub topup: TopUpSettings,
    pub recharge: RechargeSettings,
    pub methods: MethodSettings,
    pub payments: PaymentSettings,
    pub overdue: OverdueSettings,
    pub suspension: SuspensionSettings,
    pub alerts: AlertSettings,
    pub runway: RunwaySettings,
    pub requests: RequestSettings,
    pub authorizations: AuthorizationSettings,
    pub invoices: InvoiceSettings,
    pub tax: TaxSettings,
    /// At which rates invoices are settled in another currency, by month (R12.6).
    pub fx: FxRates,
}

/// R2.3 and R2.4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageSettings {
    /// Older usage is `too_old`.
    pub max_age: Span,
    /// Usage further ahead of the clock is `in_the_future`.
    pub max_ahead: Span,
}

impl Default for UsageSettings {
    fn default() -> Self {
        UsageSettings { max_age: Span::days(35), max_ahead: Span::minutes(5) }
    }
}

/// R2.3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RejectSettings {
    /// How long after its first arrival a rejected record can be sent again.
    pub replay_for: Span,
}

impl Default for RejectSettings {
    fn default() -> Self {
        RejectSettings { replay_for: Span::days(7) }
    }
}

/// R2.4 and R5.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BillSettings {
    /// The bill cycle of a billing account that has not chosen its own.
    pub cycle: Cycle,
    /// How long after its cycle's end usage still belongs to it.
    pub grace: Span,
    /// How long a cycle's bill waits for metering that lags.
    pub wait: Span,
}

impl Default for BillSettings {
    fn default() -> Self {
        BillSettings { cycle: Cycle::Hour, grace: Span::ZERO, wait: Span::minutes(6 * 60) }
    }
}

/// R7.1 and R7.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopUpSettings {
    pub minimum: BTreeMap<Currency, Amount>,
    /// Larger top-ups come by bank transfer only.
    pub bank_only_above: BTreeMap<Currency, Amount>,
    /// The brands of cards that are taken.
    pub card_brands: Vec<String>,
    /// How often the method of an automatic recharge is tested.
    pub test_every: Span,
}

impl Default for TopUpSettings {
    fn default() -> Self {
        let minimum =
            [(Currency::Cny, 100), (Currency::Usd, 20), (Currency::Eur, 15), (Currency::Aed, 75)];
        TopUpSettings {
            minimum: minimum
                .into_iter()
                .map(|(currency, units)| (currency, Amount::whole(units)))
                .collect(),
            bank_only_above: BTreeMap::from([(Currency::Cny, Amount::whole(50_000))]),
            card_brands: ["visa", "mastercard"].map(str::to_owned).to_vec(),
            test_every: Span::days(90),
        }
    }
}

/// R6.7.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RechargeSettings {
    /// At these percents of what a month usually costs it is topped up.
    pub percents: Vec<Amount>,
}

impl Default for RechargeSettings {
    fn default() -> Self {
        RechargeSettings { percents: [20, 5].map(Amount::whole).to_vec() }
    }
}

/// R7.4 and R7.5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MethodSettings {
    /// How long the method of a closed billing account serves no other one.
    pub cool_down: Span,
    /// Where cards are linked only if their owner has proven who he is.
    pub strong_authentication: Vec<Country>,
}

impl Default for MethodSettings {
    fn default() -> Self {
        let malaysia = Country::MALAYSIA;
        let countries = Country::EUROPEAN_UNION.into_iter().chain([malaysia]);
        MethodSettings { cool_down: Span::days(30), strong_authentication: countries.collect() }
    }
}

/// R6.1, R6.4 and R6.5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaymentSettings {
    /// What is owed is charged to a card from here on.
    pub card_threshold: BTreeMap<Currency, Amount>,
    /// The least and the most that a billing account may set for PayPal; unset, it is the most.
    pub paypal_threshold: BTreeMap<Currency, (Amount, Amount)>,
    /// A payment whose outcome is not known for so long is shown as delayed.
    pub pending_for: Span,
    /// How long after the first decline it is tried again, each time for all that is owed.
    pub retry_after: Vec<Span>,
}

impl Default for PaymentSettings {
    fn default() -> Self {
        PaymentSettings {
            card_threshold: BTreeMap::from([(Currency::Usd, Amount::whole(1_000))]),
            paypal_threshold: BTreeMap::from([(
                Currency::Usd,
                (Amount::whole(8), Amount::whole(500)),
            )]),
            pending_for: Span::minutes(30),
            retry_after: [1, 3, 5].map(Span::days).to_vec(),
        }
    }
}

/// R8.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuspensionSettings {
    /// By region or currency: services of a postpaid account without limit and method stop below this. What is named
    /// here leaves the defaults of other currencies as they are.
    pub buffer: BTreeMap<String, Amount>,
}

impl SuspensionSettings {
    /// What holds where neither the region nor its currency is named.
    pub fn buffer_of_unnamed(currency: Currency) -> Amount {
        match currency {
            Currency::Cny => Amount::whole(100),
            _ => Amount::ZERO,
        }
    }
}

impl Default for SuspensionSettings {
    fn default() -> Self {
        let cny = Currency::Cny;
        let buffer = (cny.code().to_owned(), SuspensionSettings::buffer_of_unnamed(cny));
        SuspensionSettings { buffer: BTreeMap::from([buffer]) }
    }
}

/// R8.5 and R8.8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    /// On how many days in a row a low balance is told.
    pub low_balance_days: u32,
    /// How many cycles available credit should cover when one ends.
    pub near_due_cycles: u32,
}

impl Default for AlertSettings {
    fn default() -> Self {
        AlertSettings { low_balance_days: 5, near_due_cycles: 3 }
    }
}

/// R8.6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunwaySettings {
    /// When available credit lasts fewer days its owner is warned.
    pub alert_days: u32,
}

impl Default for RunwaySettings {
    fn default() -> Self {
        RunwaySettings { alert_days: 5 }
    }
}

/// R8.1 and R9.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OverdueSettings {
    /// How long after its month a bill may stay unpaid; whole days are days of the calendar.
    pub after: Span,
    /// How long after its month a bill that is still unpaid becomes bad debt.
    pub bad_debt_after: Span,
}

impl Default for OverdueSettings {
    fn default() -> Self {
        OverdueSettings { after: Span::days(15), bad_debt_after: Span::days(90) }
    }
}

/// R10.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestSettings {
    /// How long somebody who is asked to pay has to say so.
    pub expire_after: Span,
}

impl Default for RequestSettings {
    fn default() -> Self {
        RequestSettings { expire_after: Span::days(30) }
    }
}

/// R11.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthorizationSettings {
    /// How long after an authorization what was not used of it lapses.
    pub expire_after: Span,
}

impl Default for AuthorizationSettings {
    fn default() -> Self {
        AuthorizationSettings { expire_after: Span::minutes(24 * 60) }
    }
}

/// R12.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InvoiceSettings {
    /// That of a billing account that has not chosen its own.
    pub schedule: Schedule,
    /// Runs that come to more wait for approval; none: no run does.
    pub hold_above: Option<HoldAbove>,
    /// For so long after its issue an invoice is remembered, and can be taken back by a credit note.
    pub credit_within: Span,
}

impl Default for InvoiceSettings {
    fn default() -> Self {
        InvoiceSettings {
            schedule: Schedule::SemiMonthly,
            hold_above: None,
            credit_within: Span::days(400),
        }
    }
}

symbols! {
    /// How often a billing account gets an invoice (R12.1).
    pub enum Schedule {
        /// On the 1st and on the 16th.
        SemiMonthly = "semi_monthly",
        /// On the 1st.
        Monthly = "monthly",
    }
}

/// R12.2 and R12.4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaxSettings {
    /// Where the entity is registered that issues the invoices.
    pub issuer_country: Country,
    /// By this zone's year invoices are numbered.
    pub issuer_zone: Zone,
    /// What stands on invoices of who issues them.
    pub issuer_name: Option<Text>,
    pub issuer_address: Option<Text>,
    pub issuer_tax_id: Option<Text>,
    pub rates: TaxRates,
}

impl Default for TaxSettings {
    fn default() -> Self {
        TaxSettings {
            issuer_country: Country::SINGAPORE,
            issuer_zone: Zone::UTC,
            issuer_name: None,
            issuer_address: None,
            issuer_tax_id: None,
            rates: TaxRates::default(),
        }
    }
}

impl Settings {
    /// Reads the `[settings]` of a configuration or scenario file.
    pub fn parse(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_contract() {
        let defaults = Settings::parse("").unwrap();
        assert_eq!(defaults.usage.max_age.to_string(), "35d");
        assert_eq!(defaults.usage.max_ahead.to_string(), "5m");
        assert_eq!(defaults.rejects.replay_for.to_string(), "7d");
        assert_eq!(defaults.bills.wait.to_string(), "6h");
        assert_eq!(defaults.bills.grace, Span::ZERO);
        assert_eq!(defaults.topup.minimum[&Currency::Cny], Amount::whole(100));
        assert_eq!(defaults.topup.bank_only_above[&Currency::Cny], Amount::whole(50_000));
        assert_eq!(defaults.topup.test_every.to_string(), "90d");
        assert_eq!(defaults.recharge.percents, [20, 5].map(Amount::whole));
        assert_eq!(defaults.methods.cool_down.to_string(), "30d");
        assert_eq!(defaults.methods.strong_authentication.len(), 28);
        assert_eq!((defaults.runway.alert_days, defaults.alerts.near_due_cycles), (5, 3));
        assert_eq!(defaults.requests.expire_after.to_string(), "30d");
        assert_eq!(defaults.authorizations.expire_after, Span::days(1));
        assert_eq!(defaults.invoices.schedule, Schedule::SemiMonthly);
        assert_eq!(defaults.tax.issuer_country.as_str(), "SG");
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(Settings::parse("usage.max_aeg = \"35d\"").is_err());
        assert_eq!(
            Settings::parse("usage.max_age = \"40d\"").unwrap().usage.max_age,
            Span::days(40)
        );
    }
}
