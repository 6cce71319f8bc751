//! The price book as people write it: a TOML file of `[[price]]` tables.

use serde::Deserialize;
use toml::Spanned;

use super::model::{Aggregate, Flat, Graduated, Model, Package, PerUnit, Tier, Volume};
use super::tiers::TIERS_MAX;
use crate::ids::{MeterId, ProductId, RegionId, Text};
use crate::money::{Amount, Currency};
use crate::record;
use crate::time::Timestamp;

/// Unit prices are below this (R3.1).
const UNIT_PRICE_LIMIT: Amount = Amount::whole(1_000_000);

record! {
    /// What a price is for.
    #[derive(PartialOrd, Ord)]
    pub struct Place {
        pub product: ProductId,
        pub meter: MeterId,
        pub region: Option<RegionId>,
        pub currency: Currency,
    }
}

record! {
    /// One `[[price]]`, and the line it begins on.
    pub struct Entry {
        pub line: u32,
        pub place: Place,
        pub aggregate: Aggregate,
        /// Whose values are counted by `unique`.
        pub tag: Option<Text>,
        pub model: Model,
        pub effective_from: Option<Timestamp>,
    }
}

/// Why a document is no price book, with the lines to look at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPriceBook {
    #[error("{0}")]
    Syntax(String),
    #[error("line {line}: {reason}")]
    Invalid { line: u32, reason: String },
    #[error("line {line} prices what line {other} prices from the same time on; keep one of them")]
    Twice { line: u32, other: u32 },
    #[error(
        "line {line} aggregates its meter otherwise than line {other}; a meter has one aggregate"
    )]
    AggregatesDiffer { line: u32, other: u32 },
    #[error("line {line} changes the aggregate of a meter that is in use; take a new meter name")]
    AggregateChanged { line: u32 },
    #[error(
        "line {line} would hold in the past (in_the_past); give it an effective_from of {earliest} or later"
    )]
    InThePast { line: u32, earliest: Timestamp },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    price: Vec<Spanned<Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    product: ProductId,
    meter: MeterId,
    region: Option<RegionId>,
    currency: Currency,
    model: WrittenModel,
    unit_price: Option<Amount>,
    tiers: Option<Vec<WrittenTier>>,
    package: Option<Amount>,
    amount: Option<Amount>,
    aggregate: Option<Aggregate>,
    tag: Option<Text>,
    effective_from: Option<Timestamp>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum WrittenModel {
    PerUnit,
    Graduated,
    Volume,
    Package,
    Flat,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTier {
    up_to: Option<Amount>,
    unit_price: Amount,
    flat: Option<Amount>,
}

/// Reads a price book; each problem names its line.
pub fn parse(text: &str) -> Result<Vec<Entry>, NotAPriceBook> {
    let document: Document = toml::from_str(text)
        .map_err(|error| NotAPriceBook::Syntax(error.to_string().trim_end().to_owned()))?;
    let line_of = |offset: usize| {
        let before = text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    };
    document
        .price
        .into_iter()
        .map(|written| {
            let line = line_of(written.span().start);
            let entry = entry(line, written.into_inner());
            entry.map_err(|reason| NotAPriceBook::Invalid { line, reason })
        })
        .collect()
}

fn entry(line: u32, written: Written) -> Result<Entry, String> {
    let model = model(&written)?;
    let aggregate = written.aggregate.unwrap_or(Aggregate::Sum);
    let tag = checked_tag(aggregate, written.tag)?;
    let place = Place {
        product: written.product,
        meter: written.meter,
        region: written.region,
        currency: written.currency,
    };
    Ok(Entry { line, place, aggregate, tag, model, effective_from: written.effective_from })
}

fn model(written: &Written) -> Result<Model, String> {
    let unwanted = |fields: &[(&str, bool)]| match fields.iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(format!("{field} does not belong to this model")),
        None => Ok(()),
    };
    let unit_price = ("unit_price", written.unit_price.is_some());
    let tiers = ("tiers", written.tiers.is_some());
    let package = ("package", written.package.is_some());
    let amount = ("amount", written.amount.is_some());
    match written.model {
        WrittenModel::PerUnit => {
            unwanted(&[tiers, package, amount])?;
            let unit_price = checked_unit_price(needed(written.unit_price, "unit_price")?)?;
            Ok(PerUnit { unit_price }.into())
        }
        WrittenModel::Graduated => {
            unwanted(&[unit_price, package, amount])?;
            Ok(Graduated { tiers: checked_tiers(written.tiers.as_deref())? }.into())
        }
        WrittenModel::Volume => {
            unwanted(&[unit_price, package, amount])?;
            Ok(Volume { tiers: checked_tiers(written.tiers.as_deref())? }.into())
        }
        WrittenModel::Package => {
            unwanted(&[unit_price, tiers])?;
            let size = needed(written.package, "package")?;
            if !size.is_positive() {
                return Err("package must be above zero".to_owned());
            }
            let amount = checked_amount(needed(written.amount, "amount")?, "amount")?;
            Ok(Package { size, amount }.into())
        }
        WrittenModel::Flat => {
            unwanted(&[unit_price, tiers, package])?;
            Ok(Flat { amount: checked_amount(needed(written.amount, "amount")?, "amount")? }.into())
        }
    }
}

fn checked_tag(aggregate: Aggregate, tag: Option<Text>) -> Result<Option<Text>, String> {
    match (aggregate, tag) {
        (Aggregate::Unique, None) => {
            Err("tag is missing: unique counts the values of one".to_owned())
        }
        (Aggregate::Unique, Some(tag)) if tag.as_str().is_empty() => Err("tag is empty".to_owned()),
        (Aggregate::Unique, tag) => Ok(tag),
        (Aggregate::Sum | Aggregate::Count | Aggregate::Max | Aggregate::Last, None) => Ok(None),
        (aggregate, Some(_)) => Err(format!("tag does not belong to {aggregate}")),
    }
}

fn needed<T>(value: Option<T>, field: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("{field} is missing"))
}

fn checked_amount(amount: Amount, field: &str) -> Result<Amount, String> {
    if amount.is_negative() {
        return Err(format!("{field} is negative"));
    }
    if amount >= UNIT_PRICE_LIMIT {
        return Err(format!("{field} must be below {UNIT_PRICE_LIMIT}"));
    }
    Ok(amount)
}

fn checked_unit_price(unit_price: Amount) -> Result<Amount, String> {
    checked_amount(unit_price, "unit_price")
}

fn checked_tiers(tiers: Option<&[WrittenTier]>) -> Result<Vec<Tier>, String> {
    let tiers = needed(tiers, "tiers")?;
    let Some((last, bounded)) = tiers.split_last() else { return Err("tiers is empty".to_owned()) };
    if last.up_to.is_some() {
        return Err(
            "the last tier must have no up_to, or larger quantities would have no price".to_owned()
        );
    }
    if tiers.len() > TIERS_MAX {
        return Err(format!("there are more than {TIERS_MAX} tiers"));
    }
    let mut from = Amount::ZERO;
    for tier in bounded {
        let up_to = needed(tier.up_to, "up_to of a tier before the last")?;
        if up_to <= from {
            return Err(format!("up_to {up_to} does not lie above {from}"));
        }
        from = up_to;
    }
    tiers
        .iter()
        .map(|tier| {
            let flat = checked_amount(tier.flat.unwrap_or_default(), "flat")?;
            Ok(Tier { up_to: tier.up_to, unit_price: checked_unit_price(tier.unit_price)?, flat })
        })
        .collect()
}
