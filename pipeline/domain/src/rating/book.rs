//! The price book in force: every price that ever held, found by (product, meter, region, currency)
//! and the time of use (R3.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Entry, NotAPriceBook, Place};
use super::model::{Aggregate, Model};
use crate::ids::{MeterId, ProductId, RegionId, Text};
use crate::ledger::ProductNumber;
use crate::money::Currency;
use crate::record;
use crate::time::{Minute, Span, Timestamp, Window};

/// A price that is loaded later than the first must not hold earlier than this after its load (R3.1).
const NOTICE: Span = Span::minutes(10);

/// A price for good: one (product, meter, region, currency) from one minute on. Quantities are kept
/// per price number, so a new version begins its own (R3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriceNumber(pub u32);

/// A (product, meter), in the order in which the book first named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeterNumber(pub u32);

record! {
    /// A price function, what it is for, and when it holds.
    pub struct Price {
        pub meter: MeterNumber,
        pub region: Option<RegionId>,
        pub currency: Currency,
        pub holds: Window,
        pub model: Model,
    }
}

record! {
    /// Something that is measured of a product.
    pub struct Meter {
        pub product: ProductId,
        pub meter: MeterId,
        pub aggregate: Aggregate,
        /// Whose values are counted by `unique`.
        pub tag: Option<Text>,
        pub prices: Vec<PriceNumber>,
    }
}

record! {
    /// Where and when a meter is sold at all: what metering knows of prices.
    pub struct Offer {
        pub region: Option<RegionId>,
        pub currency: Currency,
        pub holds: Window,
    }
}

/// The price found for a minute of use, and how long the same answer stays right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub price: PriceNumber,
    pub same: Window,
}

record! {
    /// One line of a load that changes the book.
    pub struct Change {
        pub entry: Entry,
        pub from: Minute,
    }
}

record! {
    /// Every price that ever held.
    #[derive(Default)]
    pub struct Prices {
        pub prices: Vec<Price>,
        pub meters: Vec<Meter>,
        /// The products that have meters, in the order in which they were named.
        pub products: Vec<ProductId>,
        /// How many documents have been loaded.
        pub loads: u32,
    }
}

/// How a meter's records make its quantity: by which aggregate, and of which tag.
type Counting = (Aggregate, Option<Text>);

/// The price book, with what is needed to search it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceBook {
    prices: Prices,
    by_name: BTreeMap<(ProductId, MeterId), MeterNumber>,
    product_of: Vec<ProductNumber>,
}

impl PriceBook {
    /// How many documents have been loaded.
    pub fn loads(&self) -> u32 {
        self.prices.loads
    }

    pub fn price(&self, number: PriceNumber) -> Option<&Price> {
        self.prices.prices.get(number.0 as usize)
    }

    pub fn meter(&self, product: &ProductId, meter: &MeterId) -> Option<MeterNumber> {
        self.by_name.get(&(product.clone(), meter.clone())).copied()
    }

    /// The names behind a meter's number.
    pub fn names(&self, number: MeterNumber) -> Option<(&ProductId, &MeterId)> {
        self.prices.meters.get(number.0 as usize).map(|meter| (&meter.product, &meter.meter))
    }

    pub fn aggregate(&self, number: MeterNumber) -> Option<&Aggregate> {
        self.prices.meters.get(number.0 as usize).map(|meter| &meter.aggregate)
    }

    fn counting(&self, number: MeterNumber) -> Option<Counting> {
        let meter = self.prices.meters.get(number.0 as usize)?;
        Some((meter.aggregate, meter.tag.clone()))
    }

    /// Every meter with all that it is offered for, in the order of their numbers.
    pub fn offers(&self) -> impl Iterator<Item = (&Meter, Vec<Offer>)> {
        self.prices.meters.iter().map(|meter| {
            let offers =
                meter.prices.iter().filter_map(|number| self.price(*number)).map(Offer::of);
            (meter, offers.collect())
        })
    }

    /// The price of a meter for a region, a currency and a minute of use: one for the region beats
    /// one for any region.
    pub fn find(
        &self,
        meter: MeterNumber,
        region: Option<&RegionId>,
        currency: Currency,
        used: Minute,
    ) -> Option<Found> {
        let meter = self.prices.meters.get(meter.0 as usize)?;
        let candidates = || {
            let numbers = meter.prices.iter().copied();
            let priced = numbers.filter_map(|number| Some((number, self.price(number)?)));
            priced.filter(move |(_, price)| price.currency == currency)
        };
        let regional = candidates().find(|(_, p)| {
            p.region.is_some() && p.region.as_ref() == region && p.holds.contains(used)
        });
        if let Some((price, found)) = regional {
            return Some(Found { price, same: found.holds });
        }
        let (price, found) =
            candidates().find(|(_, p)| p.region.is_none() && p.holds.contains(used))?;
        // A price for the region that begins later ends the answer.
        let begins = candidates()
            .filter(|(_, p)| {
                p.region.is_some() && p.region.as_ref() == region && p.holds.from > used
            })
            .map(|(_, p)| p.holds.from)
            .min();
        let until = begins.map_or(found.holds.until, |begins| begins.min(found.holds.until));
        Some(Found { price, same: Window { from: found.holds.from, until } })
    }

    /// What loading `entries` at `now` would change, or which lines forbid it.
    pub fn changes(
        &self,
        entries: Vec<Entry>,
        now: Timestamp,
    ) -> Result<Vec<Change>, NotAPriceBook> {
        let earliest =
            if self.prices.loads == 0 { Minute::START } else { now.plus(NOTICE).full_minute() };
        let mut seen: BTreeMap<(Place, Minute), u32> = BTreeMap::new();
        let mut aggregates: BTreeMap<(ProductId, MeterId), (Counting, u32)> = BTreeMap::new();
        let mut changes = Vec::new();
        for entry in entries {
            let from = entry.effective_from.map_or(Minute::START, Timestamp::full_minute);
            let line = entry.line;
            if let Some(other) = seen.insert((entry.place.clone(), from), line) {
                return Err(NotAPriceBook::Twice { line, other });
            }
            let name = (entry.place.product.clone(), entry.place.meter.clone());
            let counting = (entry.aggregate, entry.tag.clone());
            if let Some(meter) = self.meter(&name.0, &name.1)
                && self.counting(meter) != Some(counting.clone())
            {
                return Err(NotAPriceBook::AggregateChanged { line });
            }
            match aggregates.get(&name) {
                Some((known, other)) if *known != counting => {
                    return Err(NotAPriceBook::AggregatesDiffer { line, other: *other });
                }
                Some(_) => {}
                None => {
                    aggregates.insert(name, (counting, line));
                }
            }
            if self.states(&entry, from) {
                continue;
            }
            if from < earliest {
                return Err(NotAPriceBook::InThePast { line, earliest: earliest.starts() });
            }
            changes.push(Change { entry, from });
        }
        Ok(changes)
    }

    /// Whether the book says exactly this already.
    fn states(&self, entry: &Entry, from: Minute) -> bool {
        self.at(&entry.place, from).is_some_and(|price| price.model == entry.model)
    }

    fn at(&self, place: &Place, from: Minute) -> Option<&Price> {
        let meter = self.prices.meters.get(self.meter(&place.product, &place.meter)?.0 as usize)?;
        let prices = meter.prices.iter().filter_map(|number| self.price(*number));
        prices.into_iter().find(|p| {
            p.region == place.region && p.currency == place.currency && p.holds.from == from
        })
    }

    /// Takes changes that [`PriceBook::changes`] has passed.
    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            self.take(change);
        }
        self.prices.loads = self.prices.loads.saturating_add(1);
    }

    fn take(&mut self, Change { entry, from }: &Change) {
        let place = &entry.place;
        let meter = self.meter_or_new(entry);
        let Some(known) = self.prices.meters.get(meter.0 as usize) else { return };
        let numbers = known.prices.clone();
        let mut until = Minute::END;
        for number in numbers {
            let Some(price) = self.prices.prices.get_mut(number.0 as usize) else { continue };
            if price.region != place.region || price.currency != place.currency {
                continue;
            }
            if price.holds.from == *from {
                // A price that does not hold yet is corrected in place; nothing was counted under it.
                price.model = entry.model.clone();
                return;
            }
            if price.holds.from < *from {
                price.holds.until = price.holds.until.min(*from);
            } else {
                until = until.min(price.holds.from);
            }
        }
        let number = PriceNumber(u32::try_from(self.prices.prices.len()).unwrap_or(u32::MAX));
        self.prices.prices.push(Price {
            meter,
            region: place.region.clone(),
            currency: place.currency,
            holds: Window { from: *from, until },
            model: entry.model.clone(),
        });
        if let Some(known) = self.prices.meters.get_mut(meter.0 as usize) {
            known.prices.push(number);
        }
    }

    fn meter_or_new(&mut self, Entry { place, aggregate, tag, .. }: &Entry) -> MeterNumber {
        if let Some(known) = self.meter(&place.product, &place.meter) {
            return known;
        }
        let number = MeterNumber(u32::try_from(self.prices.meters.len()).unwrap_or(u32::MAX));
        let (product, meter) = (place.product.clone(), place.meter.clone());
        let product_number = self.product_or_new(&product);
        self.product_of.push(product_number);
        self.by_name.insert((product.clone(), meter.clone()), number);
        self.prices.meters.push(Meter {
            product,
            meter,
            aggregate: *aggregate,
            tag: tag.clone(),
            prices: Vec::new(),
        });
        number
    }

    /// The product a meter belongs to.
    #[inline]
    pub fn product_of(&self, number: MeterNumber) -> Option<ProductNumber> {
        self.product_of.get(number.0 as usize).copied()
    }

    pub fn product(&self, number: ProductNumber) -> Option<&ProductId> {
        self.prices.products.get(number.index())
    }

    pub fn product_named(&self, product: &ProductId) -> Option<ProductNumber> {
        let place = self.prices.products.iter().position(|known| known == product)?;
        u32::try_from(place).ok().map(ProductNumber)
    }

    /// All there is to keep of the book.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    fn product_or_new(&mut self, product: &ProductId) -> ProductNumber {
        let place = self.prices.products.iter().position(|known| known == product);
        let place = place.unwrap_or_else(|| {
            self.prices.products.push(product.clone());
            self.prices.products.len().saturating_sub(1)
        });
        ProductNumber(u32::try_from(place).unwrap_or(u32::MAX))
    }
}

impl From<Prices> for PriceBook {
    fn from(prices: Prices) -> PriceBook {
        let mut book = PriceBook { prices, ..PriceBook::default() };
        for (place, number) in (0u32..).enumerate() {
            let Some(meter) = book.prices.meters.get(place) else { break };
            let (product, name) = (meter.product.clone(), meter.meter.clone());
            let product_number = book.product_or_new(&product);
            book.product_of.push(product_number);
            book.by_name.insert((product, name), MeterNumber(number));
        }
        book
    }
}

impl Offer {
    fn of(price: &Price) -> Offer {
        Offer { region: price.region.clone(), currency: price.currency, holds: price.holds }
    }

    /// Whether this offer covers the region, currency and minute of a record.
    #[inline]
    pub fn covers(&self, region: Option<&str>, currency: Currency, used: Minute) -> bool {
        self.currency == currency
            && self.region.as_ref().is_none_or(|own| Some(own.as_str()) == region)
            && self.holds.contains(used)
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
