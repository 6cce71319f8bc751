//! Usage as it might be: by the minute, with days and nights, never quite the same; and top-ups by those who
//! have run out.

use std::collections::BTreeMap;
use std::sync::Arc;

use drawdown_domain::ids::WalletId;
use drawdown_domain::money::Amount;
use drawdown_domain::time::{Minute, Timestamp};
use drawdown_log::Log;
use drawdown_wire::partition::partition_of;
use drawdown_wire::topics::{Topic, Topics};
use drawdown_wire::usage::{NewUsage, packed_message, put_record};

use super::plan::{COMPANIES, METERS, Metered, REGIONS};
use super::{BEGINS, ask, read};

/// How busy the hours of a day are, in percent.
const DAY: [u64; 24] = [
    55, 45, 40, 38, 40, 48, 62, 85, 110, 128, 138, 140, 132, 136, 142, 140, 134, 126, 118, 112,
    104, 92, 78, 65,
];
/// Somebody who has run out pays after so many minutes.
const PAYS_AFTER: u32 = 240;
/// Who sends late keeps the usage of each tenth minute back for so many minutes.
const LATE_BY: u32 = 180;
const LATE_EVERY: u32 = 10;

/// Makes usage, minute after minute of the clock.
#[derive(Debug)]
pub struct Traffic {
    log: Arc<dyn Log>,
    topics: Topics,
    /// Nothing was used before.
    first: Minute,
    /// The next minute that is made.
    next: Minute,
    /// Since when billing accounts have nothing left.
    empty_since: BTreeMap<String, Minute>,
}

impl Traffic {
    pub fn new(log: Arc<dyn Log>, topics: Topics, now: Timestamp) -> anyhow::Result<Traffic> {
        let first = BEGINS.parse::<Timestamp>()?.minute();
        Ok(Traffic { log, topics, first, next: now.minute(), empty_since: BTreeMap::new() })
    }

    /// Sends the usage of all minutes that are over by `now`; how many records those were. After a stop it
    /// goes on with the present.
    pub fn send(&mut self, now: Timestamp) -> anyhow::Result<u64> {
        const BEHIND_MAX: u32 = 60;
        let until = now.minute();
        let oldest = Minute::from_number(until.number().saturating_sub(BEHIND_MAX));
        let (mut minute, mut records) = (self.next.max(oldest), 0);
        let mut packs: BTreeMap<u32, (usize, Vec<u8>)> = BTreeMap::new();
        while minute < until {
            records += self.put_minute(minute, &mut packs);
            minute = Minute::from_number(minute.number().saturating_add(1));
        }
        self.next = minute;
        for (partition, (count, records)) in packs {
            let message = packed_message(count, &records);
            self.log.append(self.topics.name(Topic::Usage), partition, now, &[&message])?;
        }
        Ok(records)
    }

    fn put_minute(&self, minute: Minute, packs: &mut BTreeMap<u32, (usize, Vec<u8>)>) -> u64 {
        let mut records = 0;
        for customer in COMPANIES.iter().flat_map(|company| company.accounts) {
            let partition = partition_of(customer.id.as_bytes(), self.topics.usage_partitions);
            let minute = match customer.is_late && minute.number().is_multiple_of(LATE_EVERY) {
                true => Minute::from_number(minute.number().saturating_sub(LATE_BY)),
                false => minute,
            };
            if minute < self.first {
                continue;
            }
            for (place, percent) in customer.uses {
                let Some(metered) = METERS.get(*place) else { continue };
                let chance = chance(customer.id, *place, minute);
                let quantity = quantity(metered, *percent, minute, chance);
                let id = format!("{}-{}-{}", customer.id, metered.meter, minute.number());
                let region = REGIONS.get((chance % 3) as usize).copied();
                let usage = NewUsage {
                    source: "meters",
                    id: &id,
                    account: customer.id,
                    product: metered.product,
                    meter: metered.meter,
                    quantity,
                    time: minute.starts(),
                    region,
                    unit: Some(metered.unit),
                    tags: &[],
                };
                let (count, bytes) = packs.entry(partition).or_default();
                put_record(bytes, &usage);
                *count += 1;
                records += 1;
            }
        }
        records
    }

    /// Those whose available credit is used up for a while pay in again.
    pub fn pay(
        &mut self,
        now: Timestamp,
        available: impl Fn(&WalletId) -> Option<Amount>,
    ) -> anyhow::Result<()> {
        let minute = now.minute();
        for company in COMPANIES {
            for customer in company.accounts.iter().filter(|customer| customer.cash > 0) {
                let wallet = customer.wallet();
                if available(&wallet.parse()?).is_none_or(Amount::is_positive) {
                    self.empty_since.remove(&wallet);
                    continue;
                }
                let since = *self.empty_since.entry(wallet.clone()).or_insert(minute);
                if minute.number().saturating_sub(since.number()) < PAYS_AFTER {
                    continue;
                }
                self.empty_since.remove(&wallet);
                let (name, fields) = customer.top_up(company);
                let key = format!("demo-{wallet}-{}", minute.number());
                ask(&*self.log, &self.topics, now, read(name, fields)?, &key)?;
            }
        }
        Ok(())
    }
}

/// The usual amount, more by day than by night, give or take a half.
fn quantity(metered: &Metered, percent: u32, minute: Minute, chance: u64) -> Amount {
    let hour = (minute.number() / 60 % 24) as usize;
    let busy = DAY.get(hour).copied().unwrap_or(100);
    let noise = 50 + chance % 101;
    let millionths =
        u128::from(metered.millionths) * u128::from(percent) * u128::from(busy) * u128::from(noise)
            / 1_000_000;
    let millionths = match metered.is_whole {
        true => millionths.saturating_sub(millionths % 1_000_000),
        false => millionths,
    };
    Amount::from_raw(i128::try_from(millionths).unwrap_or_default().saturating_mul(1_000_000))
}

/// The same number for the same minute, whoever asks.
fn chance(account: &str, meter: usize, minute: Minute) -> u64 {
    let seed = account.bytes().fold(meter as u64 + 1, |seed, byte| {
        seed.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(byte))
    });
    let mut mixed =
        seed.wrapping_add(u64::from(minute.number()).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_whole() {
        for (metered, chance) in METERS.iter().zip([0_u64, 7, 33, 50, 77, 100].iter().cycle()) {
            let shown = quantity(metered, 130, Minute::from_number(59), *chance).to_string();
            assert_eq!(metered.is_whole, !shown.contains('.'), "{}: {shown}", metered.meter);
        }
    }
}
