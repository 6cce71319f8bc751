//! The price book: reading it, refusing contradictions, finding a price (R3.1).

use crate::calendar::{full_minute_from, read_time};
use crate::exact::Exact;
use std::collections::HashMap;
use toml::{Table, Value};

/// One tier of a tiered price. The last tier has no upper end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    pub up_to: Option<Exact>,
    pub unit_price: Exact,
    pub flat: Exact,
}

/// How a month's quantity is priced (R3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    PerUnit(Exact),
    Graduated(Vec<Tier>),
    Volume(Vec<Tier>),
    Package { size: Exact, amount: Exact },
    Flat(Exact),
}

/// How records make the month's quantity (R3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    Sum,
    Count,
    /// The largest record.
    Max,
    /// The last record by time of use, ties by id.
    Last,
    /// How many different values of a tag there are.
    Unique,
}

impl Aggregate {
    /// Whether each record adds its own part to the quantity.
    pub fn has_parts(self) -> bool {
        matches!(self, Aggregate::Sum | Aggregate::Count)
    }
}

/// One version of one price.
#[derive(Clone, Debug)]
pub struct Price {
    pub currency: String,
    pub region: Option<String>,
    /// The full minute from which it holds; without one it has always held.
    pub from: Option<i64>,
    pub aggregate: Aggregate,
    /// The tag whose values are counted.
    pub tag: Option<String>,
    pub model: Model,
}

/// All prices, in the order of the file.
#[derive(Debug, Default)]
pub struct PriceBook {
    prices: Vec<Price>,
    by_meter: HashMap<String, HashMap<String, Vec<usize>>>,
}

const KEYS: [&str; 12] = [
    "product",
    "meter",
    "currency",
    "model",
    "unit_price",
    "tiers",
    "package",
    "amount",
    "region",
    "aggregate",
    "tag",
    "effective_from",
];

impl PriceBook {
    pub fn read(text: &str) -> Result<PriceBook, String> {
        let table = text
            .parse::<Table>()
            .map_err(|error| format!("the price book is not TOML: {error}"))?;
        if let Some(other) = table.keys().find(|key| *key != "price") {
            return Err(format!("the price book has tables `price` only, not `{other}`"));
        }
        let mut book = PriceBook::default();
        let tables = match table.get("price") {
            None => return Ok(book),
            Some(Value::Array(tables)) => tables,
            Some(_) => return Err("`price` is a list of tables".to_string()),
        };
        for (position, entry) in tables.iter().enumerate() {
            let named = format!("price {}", position + 1);
            let entry = entry.as_table().ok_or_else(|| format!("{named} is not a table"))?;
            book.add(entry).map_err(|reason| format!("{named}: {reason}"))?;
        }
        Ok(book)
    }

    fn add(&mut self, entry: &Table) -> Result<(), String> {
        if let Some(other) = entry.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("there is no field `{other}`"));
        }
        let product = required_text(entry, "product")?;
        let meter = required_text(entry, "meter")?;
        let price = read_price(entry)?;
        let position = self.prices.len();
        let others = self.by_meter.entry(product).or_default().entry(meter).or_default();
        for other in others.iter() {
            let known = &self.prices[*other];
            if known.aggregate != price.aggregate || known.tag != price.tag {
                return Err(format!("its meter has another aggregate in price {}", other + 1));
            }
            if known.currency == price.currency
                && known.region == price.region
                && known.from == price.from
            {
                return Err(format!(
                    "it contradicts price {}, which holds from the same time on",
                    other + 1
                ));
            }
        }
        others.push(position);
        self.prices.push(price);
        Ok(())
    }

    pub fn price(&self, position: usize) -> &Price {
        &self.prices[position]
    }

    pub fn has_product(&self, product: &str) -> bool {
        self.by_meter.contains_key(product)
    }

    /// All prices of this meter. None means that it stands nowhere in the book.
    pub fn of_meter(&self, product: &str, meter: &str) -> Option<&[usize]> {
        self.by_meter.get(product)?.get(meter).map(Vec::as_slice)
    }

    /// The price among these that holds for this region and currency at this time. A price for the region beats one
    /// for any region; of several versions the latest that has begun holds.
    pub fn find(
        &self,
        of_meter: &[usize],
        region: Option<&str>,
        currency: &str,
        time: i64,
    ) -> Option<usize> {
        let holds = |wanted: Option<&str>| {
            of_meter
                .iter()
                .copied()
                .filter(|position| {
                    let price = &self.prices[*position];
                    let begun = price.from.is_none_or(|from| from <= time);
                    price.currency == currency && price.region.as_deref() == wanted && begun
                })
                .max_by_key(|position| self.prices[*position].from)
        };
        region.and_then(|region| holds(Some(region))).or_else(|| holds(None))
    }
}

fn read_price(entry: &Table) -> Result<Price, String> {
    let from = match entry.get("effective_from") {
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Datetime(time)) => Some(time.to_string()),
        Some(_) => return Err("`effective_from` is a time".to_string()),
    };
    let from = match from {
        None => None,
        Some(text) => Some(read_time(&text).ok_or("`effective_from` is an RFC 3339 time")?),
    };
    let aggregate = match optional_text(entry, "aggregate")?.as_deref() {
        None | Some("sum") => Aggregate::Sum,
        Some("count") => Aggregate::Count,
        Some("max") => Aggregate::Max,
        Some("last") => Aggregate::Last,
        Some("unique") => Aggregate::Unique,
        Some(other) => return Err(format!("there is no aggregate `{other}`")),
    };
    let tag = optional_text(entry, "tag")?;
    if tag.is_some() != (aggregate == Aggregate::Unique) {
        return Err("`unique`, and nothing else, has a `tag`".to_string());
    }
    Ok(Price {
        currency: required_text(entry, "currency")?,
        region: optional_text(entry, "region")?,
        from: from.map(full_minute_from),
        aggregate,
        tag,
        model: read_model(entry)?,
    })
}

fn read_model(entry: &Table) -> Result<Model, String> {
    let model = required_text(entry, "model")?;
    match model.as_str() {
        "per_unit" => Ok(Model::PerUnit(unit_price(entry)?)),
        "graduated" => Ok(Model::Graduated(read_tiers(entry)?)),
        "volume" => Ok(Model::Volume(read_tiers(entry)?)),
        "package" => {
            let size = not_negative(entry, "package")?;
            if size.is_zero() {
                return Err("a `package` holds something".to_string());
            }
            Ok(Model::Package { size, amount: not_negative(entry, "amount")? })
        }
        "flat" => Ok(Model::Flat(not_negative(entry, "amount")?)),
        other => Err(format!("there is no model `{other}`")),
    }
}

fn read_tiers(entry: &Table) -> Result<Vec<Tier>, String> {
    let tiers = entry.get("tiers").and_then(Value::as_array).ok_or("`tiers` is a list of tiers")?;
    let mut read = Vec::new();
    let mut reached = Exact::zero();
    for (position, tier) in tiers.iter().enumerate() {
        let tier = tier.as_table().ok_or("a tier is a table")?;
        let last = position + 1 == tiers.len();
        let up_to = match (tier.contains_key("up_to"), last) {
            (true, false) => Some(not_negative(tier, "up_to")?),
            (false, true) => None,
            (true, true) => {
                return Err(
                    "the last tier has no `up_to`, else nothing prices what lies above".to_string()
                );
            }
            (false, false) => return Err("every tier but the last has an `up_to`".to_string()),
        };
        if let Some(end) = &up_to {
            if *end <= reached {
                return Err("each `up_to` is above the one before".to_string());
            }
            reached = end.clone();
        }
        let flat =
            if tier.contains_key("flat") { not_negative(tier, "flat")? } else { Exact::zero() };
        read.push(Tier { up_to, unit_price: unit_price(tier)?, flat });
    }
    if read.is_empty() {
        return Err("a tiered price has at least one tier".to_string());
    }
    Ok(read)
}

fn unit_price(table: &Table) -> Result<Exact, String> {
    let price = not_negative(table, "unit_price")?;
    if price >= Exact::whole(1_000_000) {
        return Err("a unit price is below 10^6".to_string());
    }
    Ok(price)
}

fn not_negative(table: &Table, name: &str) -> Result<Exact, String> {
    let number = table.get(name).and_then(Value::as_str).and_then(Exact::read);
    match number {
        Some((number, _)) if !number.is_negative() => Ok(number),
        _ => Err(format!("`{name}` is a decimal in quotes, not negative, with up to 12 places")),
    }
}

fn optional_text(table: &Table, name: &str) -> Result<Option<String>, String> {
    match table.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{name}` is a text")),
    }
}

fn required_text(table: &Table, name: &str) -> Result<String, String> {
    optional_text(table, name)?.ok_or_else(|| format!("`{name}` is missing"))
}
