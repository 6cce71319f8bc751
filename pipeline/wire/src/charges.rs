//! Charges, by far the most of what the ledgers say: written by hand, equal to the declared
//! [`crate::messages::Charges`] byte for byte.

use drawdown_domain::money::{Amount, shortest};
use drawdown_domain::time::Timestamp;

use crate::avro::{put_bytes, put_long, put_text};

/// A [`crate::messages::Charge`] whose names are borrowed.
#[derive(Clone, Copy, Debug)]
pub struct ChargeRow<'a> {
    pub account: &'a str,
    pub billing_account: &'a str,
    pub product: &'a str,
    pub meter: &'a str,
    pub region: Option<&'a str>,
    pub price: u32,
    pub used: Timestamp,
    pub quantity: Amount,
    pub charge: Amount,
    pub records: u32,
    pub adjustment: bool,
    pub cycle_end: Timestamp,
}

/// Collects the charges for lines of one usage partition.
#[derive(Debug, Default)]
pub struct ChargesBuilder {
    count: i64,
    bytes: Vec<u8>,
}

impl ChargesBuilder {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What has been collected so far.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub fn push(&mut self, row: &ChargeRow<'_>) {
        let to = &mut self.bytes;
        for name in [row.account, row.billing_account, row.product, row.meter] {
            put_text(to, name);
        }
        match row.region {
            None => put_long(to, 0),
            Some(region) => {
                put_long(to, 1);
                put_text(to, region);
            }
        }
        put_long(to, row.price.into());
        put_long(to, row.used.as_micros());
        put_bytes(to, shortest(&row.quantity.raw().to_be_bytes()));
        put_bytes(to, shortest(&row.charge.raw().to_be_bytes()));
        put_long(to, row.records.into());
        to.push(u8::from(row.adjustment));
        put_long(to, row.cycle_end.as_micros());
        self.count += 1;
    }

    /// The message, without its header; the builder is empty afterwards.
    pub fn finish(
        &mut self,
        to: &mut Vec<u8>,
        at: Timestamp,
        usage_partition: u32,
        first: i64,
        last: i64,
    ) {
        put_long(to, at.as_micros());
        put_long(to, usage_partition.into());
        put_long(to, first);
        put_long(to, last);
        if self.count > 0 {
            put_long(to, self.count);
            to.extend_from_slice(&self.bytes);
        }
        put_long(to, 0);
        self.count = 0;
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::avro::{decode, encode};
    use crate::messages::{Charge, Charges};

    fn charge(row: &ChargeRow<'_>) -> Charge {
        Charge {
            account: row.account.parse().unwrap(),
            billing_account: row.billing_account.parse().unwrap(),
            product: row.product.parse().unwrap(),
            meter: row.meter.parse().unwrap(),
            region: row.region.map(str::to_owned),
            price: row.price,
            used: row.used,
            quantity: row.quantity,
            charge: row.charge,
            records: row.records,
            adjustment: row.adjustment,
            cycle_end: row.cycle_end,
        }
    }

    proptest! {
        /// Written by hand is written by declaration.
        #[test]
        fn charges_are_as_declared(
            rows in proptest::collection::vec((any::<u32>(), any::<i64>(), any::<i128>(), any::<bool>(), any::<bool>()), 0..20),
            at in any::<i64>(), first in any::<i64>(), last in any::<i64>(),
        ) {
            let mut builder = ChargesBuilder::default();
            let mut charges = Vec::new();
            for (number, time, amount, with_region, adjustment) in rows {
                let row = ChargeRow {
                    account: "e1.a7", billing_account: "ba-e1.a7", product: "compute", meter: "hours",
                    region: with_region.then_some("eu"), price: number,
                    used: Timestamp::from_micros(time), quantity: Amount::from_raw(amount),
                    charge: Amount::from_raw(amount >> 70), records: number >> 1, adjustment,
                    cycle_end: Timestamp::from_micros(time >> 1),
                };
                builder.push(&row);
                charges.push(charge(&row));
            }
            let at = Timestamp::from_micros(at);
            let declared = Charges { at, usage_partition: 7, first_offset: first, last_offset: last, charges };
            let mut bytes = Vec::new();
            builder.finish(&mut bytes, at, 7, first, last);
            prop_assert_eq!(&bytes, &encode(&declared));
            prop_assert_eq!(decode::<Charges>(&bytes).unwrap(), declared);
        }
    }
}
