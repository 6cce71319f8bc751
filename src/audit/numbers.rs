//! Whether invoices are numbered without a gap, over all ledgers (R12.2).

use std::collections::BTreeMap;

use drawdown_domain::invoices::{Invoice, invoice_number};
use drawdown_domain::time::Timestamp;

/// The numbers that stand on invoices.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    /// By all but its last part: the places that were given, each with the time of issue.
    series: BTreeMap<String, BTreeMap<u64, Timestamp>>,
    /// Drafts that wait for their number, or whose number is under way.
    waiting: u64,
    /// Some ledger was read no further than this.
    read_until: Option<Timestamp>,
    /// Some invoices are no longer kept.
    some_gone: bool,
}

impl Numbers {
    /// Takes an invoice's number; says what is wrong with it.
    pub(super) fn take(&mut self, invoice: &Invoice) -> Option<String> {
        let number = &invoice.number;
        let parts = number.rsplit_once('-').and_then(|(series, count)| {
            let (_, year) = series.rsplit_once('-')?;
            Some((series.to_owned(), year.parse::<u32>().ok()?, count.parse::<u64>().ok()?))
        });
        let Some((series, year, count)) = parts else {
            return Some(format!("{number} is no number of an invoice"));
        };
        let expected = invoice_number(invoice.issuer_country, year, invoice.r#type, count);
        if *number != expected {
            return Some(format!("{number} should be {expected}"));
        }
        let known = self.series.entry(series).or_default().insert(count, invoice.issued_at);
        known.map(|_| format!("{number} was given twice"))
    }

    /// A ledger was read this far.
    pub(super) fn read(&mut self, until: Timestamp, waiting: usize, whole: bool) {
        let earliest = self.read_until.map_or(until, |known| known.min(until));
        self.read_until = Some(earliest);
        self.waiting += waiting as u64;
        self.some_gone |= !whole;
    }

    /// Adds the numbers of another ledger's invoices; names those that both have.
    pub(super) fn add(&mut self, other: Numbers) -> Vec<String> {
        let mut twice = Vec::new();
        for (series, numbers) in other.series {
            let known = self.series.entry(series.clone()).or_default();
            for (count, at) in numbers {
                if known.insert(count, at).is_some() {
                    twice.push(format!("{series}-{count:06} was given twice"));
                }
            }
        }
        if let Some(until) = other.read_until {
            self.read(until, 0, !other.some_gone);
        }
        self.waiting += other.waiting;
        twice
    }

    pub(super) fn count(&self) -> u64 {
        self.series.values().map(|numbers| numbers.len() as u64).sum()
    }

    /// The numbers that are missing, as far as every ledger was read: more than there are drafts that
    /// wait for theirs.
    pub(super) fn gaps(&self) -> Vec<String> {
        let Some(until) = self.read_until else { return Vec::new() };
        let mut missing = Vec::new();
        for (series, numbers) in &self.series {
            let last = numbers.iter().rev().find(|(_, at)| **at <= until).map_or(0, |(n, _)| *n);
            let first = match self.some_gone {
                true => numbers.first_key_value().map_or(1, |(first, _)| *first),
                false => 1,
            };
            let gone = (first..=last).filter(|count| !numbers.contains_key(count));
            missing.extend(gone.map(|count| format!("{series}-{count:06} is nowhere")));
        }
        if missing.len() as u64 <= self.waiting { Vec::new() } else { missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    /// Numbers that stand on invoices of one ledger, each issued in the second it names.
    fn ledger(given: &[u64], until: i64, waiting: usize) -> Numbers {
        let places = given.iter().map(|count| (*count, second(*count as i64))).collect();
        let series = BTreeMap::from([("SG-2026".to_owned(), places)]);
        let mut numbers = Numbers { series, ..Numbers::default() };
        numbers.read(second(until), waiting, true);
        numbers
    }

    fn gaps(ledgers: &[Numbers]) -> Vec<String> {
        let mut all = Numbers::default();
        ledgers.iter().for_each(|ledger| assert!(all.add(ledger.clone()).is_empty()));
        all.gaps()
    }

    #[test]
    fn r12_2_a_number_is_missing_only_while_its_draft_waits() {
        let nothing: [&str; 0] = [];
        assert_eq!(gaps(&[ledger(&[1, 3], 9, 0), ledger(&[2, 4], 9, 0)]), nothing);
        assert_eq!(
            gaps(&[ledger(&[1, 4], 9, 0), ledger(&[3], 9, 0)]),
            ["SG-2026-000002 is nowhere"]
        );
        assert_eq!(gaps(&[ledger(&[1, 4], 9, 0), ledger(&[3], 9, 1)]), nothing);
        assert_eq!(gaps(&[ledger(&[2, 3], 9, 0)]), ["SG-2026-000001 is nowhere"]);
        // The second ledger was read when 4 had not been given yet, and 3 may have come to it since.
        assert_eq!(gaps(&[ledger(&[1, 4], 9, 0), ledger(&[2], 3, 0)]), nothing);
    }

    #[test]
    fn r12_2_a_number_stands_on_one_invoice() {
        let mut all = ledger(&[1, 2], 9, 0);
        assert_eq!(all.add(ledger(&[2], 9, 0)), ["SG-2026-000002 was given twice"]);
    }
}
