//! What the records of a month said, where a month's quantity is the largest, the last, or how many
//! different ones there are (R3.3). Few meters are counted so: all of it stands in one table beside the
//! accounts, which grows with what is different and forgets whole months.
//!
//! Every value is kept with how many records said it, because a record can be taken back (R2.5).

use std::collections::BTreeMap;
use std::ops::Bound;

use super::fact::{Journal, Unpriced, ValueTakenBack, ValuesCounted};
use super::state::{AccountNumber, RegionNumber, Series, WalletNumber};
use super::{Broken, Ledger};
use crate::money::Amount;
use crate::rating::{MeterNumber, PriceNumber, Value, ValueCount};
use crate::record;
use crate::time::Month;

/// So many different values one month's quantity is made of at most. What goes beyond is set aside.
pub const VALUES_MAX: usize = 1_000_000;

record! {
    /// A month's quantity under one price (R3.2). Months come first: they are forgotten in that order.
    #[derive(Copy, PartialOrd, Ord)]
    pub struct SeriesKey {
        pub month: Month,
        pub account: AccountNumber,
        pub wallet: WalletNumber,
        pub meter: MeterNumber,
        pub region: RegionNumber,
        pub price: PriceNumber,
    }
}

record! {
    /// Some of the values of a month's quantity.
    pub struct SeriesValues {
        pub series: SeriesKey,
        pub values: Vec<ValueCount>,
    }
}

record! {
    /// A value of a month's quantity: a place in the table.
    #[derive(PartialOrd, Ord)]
    pub struct ValuePlace {
        pub series: SeriesKey,
        pub value: Value,
    }
}

/// How far the table has been loaded.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    /// Up to this place.
    Until(Option<ValuePlace>),
    All,
}

#[derive(Debug)]
pub(super) struct Values {
    table: BTreeMap<SeriesKey, BTreeMap<Value, u32>>,
    reach: Reach,
}

impl Default for Values {
    fn default() -> Values {
        Values { table: BTreeMap::new(), reach: Reach::All }
    }
}

impl SeriesKey {
    pub(super) fn of(account: AccountNumber, series: &Series) -> SeriesKey {
        let (wallet, meter, region, price, month) = series.key();
        SeriesKey { month, account, wallet, meter, region, price }
    }
}

/// The quantity of values of which this is the last, where so many are different.
fn quantity_of(last: Option<&Value>, different: usize) -> Amount {
    match last {
        None => Amount::ZERO,
        Some(Value::Largest(value)) => value.quantity,
        Some(Value::Latest(value)) => value.quantity,
        Some(Value::Distinct(_)) => Amount::whole(i64::try_from(different).unwrap_or(i64::MAX)),
    }
}

impl Values {
    /// What the month's quantity becomes with these values, each of which stands there once.
    pub(super) fn quantity_with(
        &self,
        series: &SeriesKey,
        more: &[ValueCount],
    ) -> Result<Amount, Unpriced> {
        let known = self.table.get(series);
        let is_new = |value| known.is_none_or(|known| !known.contains_key(value));
        let new = more.iter().filter(|more| is_new(&more.value)).count();
        let different = known.map_or(0, BTreeMap::len).saturating_add(new);
        if different > VALUES_MAX {
            return Err(Unpriced::TooManyValues);
        }
        let last_known = known.and_then(|known| Some(known.last_key_value()?.0));
        let last = last_known.max(more.iter().map(|more| &more.value).max());
        Ok(quantity_of(last, different))
    }

    /// What the month's quantity becomes without one record that said this; none if no record did.
    pub(super) fn quantity_without(&self, series: &SeriesKey, value: &Value) -> Option<Amount> {
        let known = self.table.get(series)?;
        let stays = *known.get(value)? > 1;
        let last = known.keys().rev().find(|known| stays || *known != value);
        Some(quantity_of(last, known.len().saturating_sub(usize::from(!stays))))
    }

    /// Whether a piece that is still to come brings this place, as it is by then.
    fn comes_later(&self, series: &SeriesKey, value: &Value) -> bool {
        match &self.reach {
            Reach::All => false,
            Reach::Until(None) => true,
            Reach::Until(Some(until)) => (series, value) > (&until.series, &until.value),
        }
    }

    fn add(&mut self, series: SeriesKey, more: &ValueCount) -> Result<(), Broken> {
        if self.comes_later(&series, &more.value) {
            return Ok(());
        }
        let values = self.table.entry(series).or_default();
        let records = match values.get_mut(&more.value) {
            Some(records) => records,
            None => values.entry(more.value.clone()).or_default(),
        };
        *records =
            records.checked_add(more.records).ok_or(Broken("more records than there are"))?;
        Ok(())
    }

    fn take_back(&mut self, series: SeriesKey, value: &Value) -> Result<(), Broken> {
        if self.comes_later(&series, value) {
            return Ok(());
        }
        let absent = Broken("a value is taken back that no record said");
        let values = self.table.get_mut(&series).ok_or_else(|| absent.clone())?;
        let records = values.get_mut(value).ok_or(absent)?;
        *records = records.saturating_sub(1);
        if *records == 0 {
            values.remove(value);
        }
        if values.is_empty() {
            self.table.remove(&series);
        }
        Ok(())
    }

    /// Earlier months are of no use: no record that is still accepted lies there.
    fn forget_before(&mut self, month: Month) {
        while let Some(oldest) = self.table.first_entry()
            && oldest.key().month < month
        {
            oldest.remove();
        }
    }

    pub(super) fn begin_load(&mut self) {
        self.reach = Reach::Until(None);
    }

    pub(super) fn loaded(&mut self) {
        self.reach = Reach::All;
    }

    /// Up to `most` values behind a place, and the last of their places; none if there are no more.
    pub(super) fn part(
        &self,
        after: Option<&ValuePlace>,
        most: usize,
    ) -> (Vec<SeriesValues>, Option<ValuePlace>) {
        let (mut part, mut left): (Vec<SeriesValues>, usize) = (Vec::new(), most);
        let begin = after.map_or(Bound::Unbounded, |after| Bound::Included(after.series));
        for (series, values) in self.table.range((begin, Bound::Unbounded)) {
            let begun = after.filter(|after| after.series == *series);
            let begin = begun.map_or(Bound::Unbounded, |after| Bound::Excluded(&after.value));
            let mut rest = values.range((begin, Bound::Unbounded)).peekable();
            let counts = rest.by_ref().take(left);
            let values: Vec<ValueCount> = counts
                .map(|(value, records)| ValueCount { value: value.clone(), records: *records })
                .collect();
            left = left.saturating_sub(values.len());
            let is_cut = rest.peek().is_some();
            if !values.is_empty() {
                part.push(SeriesValues { series: *series, values });
            }
            if is_cut {
                let last = part.last().and_then(|some| {
                    let value = some.values.last()?.value.clone();
                    Some(ValuePlace { series: some.series, value })
                });
                return (part, last);
            }
        }
        (part, None)
    }

    /// Puts a part in its place.
    pub(super) fn load(&mut self, part: Vec<SeriesValues>, until: Option<ValuePlace>) {
        for SeriesValues { series, values } in part {
            let counts = values.into_iter().map(|count| (count.value, count.records));
            self.table.entry(series).or_default().extend(counts);
        }
        self.reach = until.map_or(Reach::All, |until| Reach::Until(Some(until)));
    }
}

impl Ledger {
    /// What a month's quantity is made of, where its records are not added up.
    pub(super) fn count_values(
        &mut self,
        series: SeriesKey,
        values: &[ValueCount],
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        match values.is_empty() {
            true => Ok(()),
            false => self.record(journal, ValuesCounted { series, values: values.to_vec() }),
        }
    }

    pub(super) fn apply_values(&mut self, fact: &ValuesCounted) -> Result<(), Broken> {
        let oldest = self.oldest_month_kept();
        self.values.forget_before(oldest);
        fact.values.iter().try_for_each(|more| self.values.add(fact.series, more))
    }

    pub(super) fn apply_value_taken_back(&mut self, fact: &ValueTakenBack) -> Result<(), Broken> {
        self.values.take_back(fact.series, &fact.value)
    }
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
