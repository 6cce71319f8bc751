//! What holds for everybody: the price book and the settings in force, as rows.

use super::Ledger;
use crate::ids::{MeterId, ProductId, RegionId};
use crate::money::Currency;
use crate::rating::{Aggregate, Model};
use crate::record;
use crate::settings::Settings;
use crate::time::{Minute, Timestamp};

record! {
    /// A row of the view `prices`: a price that holds, or will.
    pub struct PriceRow {
        pub product: ProductId,
        pub meter: MeterId,
        /// None: any region that has no price of its own.
        pub region: Option<RegionId>,
        pub currency: Currency,
        /// How records make the month's quantity.
        pub aggregate: Aggregate,
        /// `per_unit`, `graduated`, `volume`, `package` or `flat`.
        pub model: String,
        /// The price in words.
        pub price: String,
        /// None: from the beginning.
        pub holds_from: Option<Timestamp>,
        /// None: until another one does.
        pub holds_until: Option<Timestamp>,
    }
}

record! {
    /// A row of the view `settings`.
    pub struct SettingRow {
        /// As in the configuration file.
        pub setting: String,
        pub value: String,
        /// Whether it is what it is without being set.
        pub is_default: bool,
    }
}

impl Ledger {
    /// The prices that hold at the ledger's time or later, by product and meter.
    pub fn price_rows(&self) -> Vec<PriceRow> {
        let (now, book) = (self.clock.now().minute(), &self.book);
        let prices = book.offers().flat_map(|(meter, _)| {
            let prices = meter.prices.iter().filter_map(|number| book.price(*number));
            prices.map(move |price| (meter, price))
        });
        let current = prices.filter(|(_, price)| price.holds.until > now);
        let mut rows: Vec<PriceRow> = current
            .map(|(meter, price)| PriceRow {
                product: meter.product.clone(),
                meter: meter.meter.clone(),
                region: price.region.clone(),
                currency: price.currency,
                aggregate: meter.aggregate,
                model: price.model.name().to_owned(),
                price: price.model.in_words(),
                holds_from: Some(price.holds.from)
                    .filter(|from| *from > Minute::START)
                    .map(Minute::starts),
                holds_until: Some(price.holds.until)
                    .filter(|until| *until < Minute::END)
                    .map(Minute::starts),
            })
            .collect();
        rows.sort_by(|one, other| {
            let key = |row: &PriceRow| {
                let place = (row.product.clone(), row.meter.clone(), row.region.clone());
                (place, row.currency, row.holds_from)
            };
            key(one).cmp(&key(other))
        });
        rows
    }

    /// Every setting with its value.
    pub fn setting_rows(&self) -> Vec<SettingRow> {
        let values = |settings: &Settings| {
            let mut rows = Vec::new();
            if let Ok(toml::Value::Table(sections)) = toml::Value::try_from(settings) {
                for (section, values) in sections {
                    let toml::Value::Table(values) = values else { continue };
                    let named = |(name, value)| (format!("{section}.{name}"), value);
                    rows.extend(values.into_iter().map(named));
                }
            }
            rows
        };
        let usual = values(&Settings::default());
        let in_force = values(&self.settings).into_iter();
        let rows = in_force.map(|(setting, value): (String, toml::Value)| {
            let is_default = usual.contains(&(setting.clone(), value.clone()));
            SettingRow { setting, value: plain(&value), is_default }
        });
        rows.collect()
    }
}

/// A value as it would be written, texts without quotes.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        toml::Value::Table(entries) if entries.is_empty() => "none".to_owned(),
        toml::Value::Table(entries) => {
            let entries = entries.iter().map(|(name, value)| format!("{name} {}", plain(value)));
            entries.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

impl Model {
    /// As price books call it.
    pub fn name(&self) -> &'static str {
        match self {
            Model::PerUnit(_) => "per_unit",
            Model::Graduated(_) => "graduated",
            Model::Volume(_) => "volume",
            Model::Package(_) => "package",
            Model::Flat(_) => "flat",
        }
    }

    /// `0.10 each`, `to 100 0 each, above 0.05 each`, `7 for each 100 begun`.
    pub fn in_words(&self) -> String {
        let tiers = match self {
            Model::PerUnit(price) => return format!("{} each", price.unit_price),
            Model::Package(price) => {
                return format!("{} for each {} begun", price.amount, price.size);
            }
            Model::Flat(price) => return format!("{} a month", price.amount),
            Model::Graduated(price) => &price.tiers,
            Model::Volume(price) => &price.tiers,
        };
        let tiers = tiers.iter().map(|tier| {
            let reach = tier.up_to.map_or("above".to_owned(), |up_to| format!("to {up_to}"));
            let flat = match tier.flat.is_zero() {
                true => String::new(),
                false => format!(" and {}", tier.flat),
            };
            format!("{reach} {} each{flat}", tier.unit_price)
        });
        tiers.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
#[path = "in_force_tests.rs"]
mod tests;
