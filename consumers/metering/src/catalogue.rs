//! What is for sale: enough of the price book to tell `unknown_meter` and `no_price` (R2.3).

use drawdown_domain::ids::{RegionId, Text};
use drawdown_domain::money::Currency;
use drawdown_domain::rating::{Aggregate, Offer};
use drawdown_domain::time::Minute;
use drawdown_domain::usage::Reject;
use drawdown_wire::messages::MeterOffered;
use hashbrown::HashMap;

/// What of a record counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Max,
    Last,
    /// The value of this tag.
    Unique(Text),
}

type NamedMeter = (Box<str>, u32);

#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// Meters and their numbers, by product.
    meters: HashMap<Box<str>, Vec<NamedMeter>, foldhash::fast::RandomState>,
    offers: Vec<Vec<Offer>>,
    /// What of a meter's records counts where it is not their sum; empty if that is so of none.
    measures: Vec<Option<Measure>>,
    listed: Vec<MeterOffered>,
}

impl Catalogue {
    pub(crate) fn new(listed: Vec<MeterOffered>) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (meter, number) in listed.iter().zip(0u32..) {
            let meters = catalogue.meters.entry(meter.product.as_str().into()).or_default();
            meters.push((meter.meter.as_str().into(), number));
            catalogue.offers.push(meter.offers.clone());
        }
        if listed.iter().any(|meter| measure_of(meter).is_some()) {
            catalogue.measures = listed.iter().map(measure_of).collect();
        }
        catalogue.listed = listed;
        catalogue
    }

    pub(crate) fn listed(&self) -> &[MeterOffered] {
        &self.listed
    }

    /// The number of a meter.
    #[inline]
    pub(crate) fn meter(&self, product: &str, meter: &str) -> Result<u32, Reject> {
        let meters = self.meters.get(product).ok_or(Reject::UnknownMeter)?;
        let found = meters.iter().find(|(name, _)| &**name == meter);
        found.map(|(_, number)| *number).ok_or(Reject::UnknownMeter)
    }

    /// What of a meter's records counts, where they are not added up.
    #[inline]
    pub(crate) fn measure(&self, meter: u32) -> Option<&Measure> {
        self.measures.get(meter as usize)?.as_ref()
    }

    /// Whether a meter has a price for a region, currency and minute of use. What no price book can name as
    /// a region has none, or the ledgers would be told of something that they cannot know.
    #[inline]
    pub(crate) fn has_price(
        &self,
        meter: u32,
        region: Option<&str>,
        currency: Currency,
        used: Minute,
    ) -> bool {
        if region.is_some_and(|region| !RegionId::is_one(region)) {
            return false;
        }
        let offers = self.offers.get(meter as usize).map(Vec::as_slice).unwrap_or_default();
        offers.iter().any(|offer| offer.covers(region, currency, used))
    }
}

fn measure_of(meter: &MeterOffered) -> Option<Measure> {
    match meter.aggregate {
        Aggregate::Sum | Aggregate::Count => None,
        Aggregate::Max => Some(Measure::Max),
        Aggregate::Last => Some(Measure::Last),
        Aggregate::Unique => Some(Measure::Unique(meter.tag.clone().unwrap_or_default())),
    }
}
