//! Charges, by far the most of what the ledgers say: written by hand, equal to the declared
//! [`crate::messages::Charges`] byte for byte.

use drawdown_domain::money::Amount;
use drawdown_domain::time::{Minute, Timestamp};
use hashbrown::HashMap;

use crate::avro::{put_decimal, put_long, put_text};

/// What the lines of a group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    /// Numbers that stand for product and meter, and for the region.
    pub meter: u32,
    pub region: u32,
    pub price: u32,
    pub adjustment: bool,
    pub cycle_end: Timestamp,
}

/// The names in a group, as others know them.
#[derive(Clone, Copy, Debug)]
pub struct GroupNames<'a> {
    pub product: &'a str,
    pub meter: &'a str,
    pub region: Option<&'a str>,
}

/// A [`crate::messages::ChargedLine`] whose names are borrowed.
#[derive(Clone, Copy, Debug)]
pub struct ChargedRow<'a> {
    pub account: &'a str,
    pub billing_account: &'a str,
    pub used: Minute,
    pub quantity: Amount,
    pub charge: Amount,
    pub records: i64,
}

#[derive(Debug)]
struct Group {
    key: GroupKey,
    /// All before the lines.
    head: Vec<u8>,
    count: i64,
    lines: Vec<u8>,
}

/// Collects the charges for lines of one usage partition.
#[derive(Debug, Default)]
pub struct ChargesBuilder {
    groups: Vec<Group>,
    places: HashMap<GroupKey, usize, foldhash::fast::RandomState>,
    /// Memory of lines that were put out, for those to come.
    spare: Vec<Vec<u8>>,
    /// The group of the last line.
    last: usize,
    bytes: usize,
}

/// Charges are mostly in a few groups.
const SPARE_MAX: usize = 8;

impl ChargesBuilder {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// What has been collected so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a line; `names` are asked for where its group is new.
    #[inline]
    pub fn push<'a>(
        &mut self,
        key: GroupKey,
        names: impl FnOnce() -> Option<GroupNames<'a>>,
        row: &ChargedRow<'_>,
    ) {
        if self.groups.get(self.last).is_none_or(|last| last.key != key) {
            let Some(place) = self.place(key, names) else { return };
            self.last = place;
        }
        let Some(group) = self.groups.get_mut(self.last) else { return };
        let to = &mut group.lines;
        let before = to.len();
        put_text(to, row.account);
        put_text(to, row.billing_account);
        put_long(to, row.used.number().into());
        put_decimal(to, row.quantity);
        put_decimal(to, row.charge);
        put_long(to, row.records);
        group.count += 1;
        self.bytes += to.len() - before;
    }

    fn place<'a>(
        &mut self,
        key: GroupKey,
        names: impl FnOnce() -> Option<GroupNames<'a>>,
    ) -> Option<usize> {
        if let Some(place) = self.places.get(&key) {
            return Some(*place);
        }
        let names = names()?;
        let mut head = Vec::with_capacity(64);
        put_text(&mut head, names.product);
        put_text(&mut head, names.meter);
        put_long(&mut head, names.region.is_some().into());
        names.region.into_iter().for_each(|region| put_text(&mut head, region));
        put_long(&mut head, key.price.into());
        head.push(u8::from(key.adjustment));
        put_long(&mut head, key.cycle_end.as_micros());
        self.bytes += head.len();
        self.places.insert(key, self.groups.len());
        let lines = self.spare.pop().unwrap_or_default();
        self.groups.push(Group { key, head, count: 0, lines });
        Some(self.groups.len() - 1)
    }

    /// The message, without its header; the builder is empty afterwards. `voids` is the place in its message of
    /// the record that is taken back by it.
    pub fn finish(
        &mut self,
        to: &mut Vec<u8>,
        at: Timestamp,
        usage_partition: u32,
        (first, last): (i64, i64),
        voids: Option<u32>,
    ) {
        put_long(to, at.as_micros());
        put_long(to, usage_partition.into());
        put_long(to, first);
        put_long(to, last);
        if !self.groups.is_empty() {
            put_long(to, i64::try_from(self.groups.len()).unwrap_or(i64::MAX));
        }
        for mut group in self.groups.drain(..) {
            to.extend_from_slice(&group.head);
            put_long(to, group.count);
            to.append(&mut group.lines);
            put_long(to, 0);
            if self.spare.len() < SPARE_MAX {
                self.spare.push(group.lines);
            }
        }
        put_long(to, 0);
        put_long(to, voids.is_some().into());
        voids.into_iter().for_each(|index| put_long(to, index.into()));
        self.places.clear();
        (self.last, self.bytes) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::avro::{decode, encode};
    use crate::messages::{ChargeGroup, ChargedLine, Charges};

    proptest! {
        /// Written by hand is written by declaration.
        #[test]
        fn charges_are_as_declared(
            rows in proptest::collection::vec((0u32..3, any::<u32>(), any::<i128>(), any::<bool>(), any::<bool>()), 0..20),
            at in any::<i64>(), first in any::<i64>(), last in any::<i64>(), voids in any::<Option<u32>>(),
        ) {
            let mut builder = ChargesBuilder::default();
            let mut groups: Vec<(GroupKey, ChargeGroup)> = Vec::new();
            for (price, number, amount, with_region, adjustment) in rows {
                let key = GroupKey {
                    meter: 1, region: u32::from(with_region), price, adjustment,
                    cycle_end: Timestamp::from_micros(i64::from(price) * 1_000),
                };
                let region = with_region.then_some("eu");
                let names = GroupNames { product: "compute", meter: "hours", region };
                let row = ChargedRow {
                    account: "e1.a7", billing_account: "ba-e1.a7",
                    used: Minute::from_number(number), quantity: Amount::from_raw(amount),
                    charge: Amount::from_raw(amount >> 70), records: i64::from(number) - 7,
                };
                builder.push(key, || Some(names), &row);
                let line = ChargedLine {
                    account: row.account.parse().unwrap(),
                    billing_account: row.billing_account.parse().unwrap(),
                    used: row.used, quantity: row.quantity, charge: row.charge, records: row.records,
                };
                match groups.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, group)) => group.lines.push(line),
                    None => groups.push((key, ChargeGroup {
                        product: "compute".parse().unwrap(), meter: "hours".parse().unwrap(),
                        region: region.map(str::to_owned), price, adjustment,
                        cycle_end: key.cycle_end, lines: vec![line],
                    })),
                }
            }
            let at = Timestamp::from_micros(at);
            let groups = groups.into_iter().map(|(_, group)| group).collect();
            let declared = Charges { at, usage_partition: 7, first_offset: first, last_offset: last, groups, voids };
            let mut bytes = Vec::new();
            builder.finish(&mut bytes, at, 7, (first, last), voids);
            prop_assert_eq!(&bytes, &encode(&declared));
            prop_assert_eq!(decode::<Charges>(&bytes).unwrap(), declared);
            prop_assert!(builder.is_empty() && builder.bytes() == 0);
        }
    }
}
