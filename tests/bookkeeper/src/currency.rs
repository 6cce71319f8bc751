//! The currencies a billing account can have (R1.1, R1.4).

/// A currency and the places of its minor unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Currency {
    pub code: &'static str,
    pub places: u32,
}

const fn currency(code: &'static str, places: u32) -> Currency {
    Currency { code, places }
}

const CURRENCIES: [Currency; 8] = [
    currency("USD", 2),
    currency("EUR", 2),
    currency("SGD", 2),
    currency("HKD", 2),
    currency("CNY", 2),
    currency("AED", 2),
    currency("AUD", 2),
    currency("JPY", 0),
];

const EURO_COUNTRIES: [&str; 21] = [
    "AT", "BE", "BG", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PT", "SI", "SK",
];

impl Currency {
    pub fn find(code: &str) -> Option<Currency> {
        CURRENCIES.into_iter().find(|currency| currency.code == code)
    }

    /// The currency a billing account gets when none is named (R1.4). A country whose currency is not among ours
    /// gets USD.
    pub fn of_country(country: &str) -> Currency {
        let code = match country {
            "SG" => "SGD",
            "HK" => "HKD",
            "CN" => "CNY",
            "AE" => "AED",
            "AU" => "AUD",
            "JP" => "JPY",
            country if EURO_COUNTRIES.contains(&country) => "EUR",
            _ => "USD",
        };
        Currency::find(code).unwrap_or(CURRENCIES[0])
    }
}
