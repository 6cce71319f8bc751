//! Numbers of invoices: gapless by issuer and year (R12.2), and who has the invoice of a number.

use serde::{Deserialize, Serialize};

use super::{Admission, NumberGiven, Place, Registry, RegistryFact};
use crate::ids::{Country, Text};
use crate::invoices::{InvoiceType, invoice_number};
use crate::record;
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// An invoice that wants a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numberless {
    pub ledger: u32,
    pub invoice: u64,
    pub issuer_country: Country,
    pub kind: InvoiceType,
}

/// What is numbered without a gap: by issuer, year and kind.
pub(super) type SeriesName = (Country, u32, InvoiceType);

/// The number of an invoice, as it is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NumberKey(pub Country, pub u32, pub u64);

record! {
    /// An invoice that can still be taken back, and who knows it.
    #[derive(Copy)]
    pub struct NumberedInvoice {
        pub issuer_country: Country,
        pub year: u32,
        pub count: u64,
        pub ledger: u32,
        /// What that ledger knew it by as a draft.
        pub invoice: u64,
        pub issued_at: Timestamp,
    }
}

impl NumberedInvoice {
    pub(super) fn key(&self) -> NumberKey {
        NumberKey(self.issuer_country, self.year, self.count)
    }
}

impl NumberKey {
    /// Reads what [`invoice_number`] writes; credit notes have none.
    fn of(number: &str) -> Option<NumberKey> {
        let [issuer, year, count] = number.split('-').collect::<Vec<_>>().try_into().ok()?;
        let key = NumberKey(issuer.parse().ok()?, year.parse().ok()?, count.parse().ok()?);
        // Each number is written in one way only.
        (invoice_number(key.0, key.1, InvoiceType::Invoice, key.2) == number).then_some(key)
    }
}

impl Registry {
    /// Numbers an invoice: the next one of its series, by the issuer's year.
    pub fn number(&mut self, asks: Numberless, facts: &mut dyn FnMut(&RegistryFact)) -> String {
        let Numberless { ledger, invoice, issuer_country, kind } = asks;
        let year = self.settings.tax.issuer_zone.month_of(self.now).year();
        let given = self.numbered.get(&(issuer_country, year, kind)).copied().unwrap_or(0);
        let count = given.saturating_add(1);
        self.record(NumberGiven { issuer_country, year, kind, count, ledger, invoice }, facts);
        invoice_number(issuer_country, year, kind, count)
    }

    /// The ledger that has the invoice of a number, while that can be taken back.
    pub(super) fn find_invoice(&self, number: &Text) -> Admission {
        let within = self.settings.invoices.credit_within;
        let known = NumberKey::of(number.as_str()).and_then(|key| self.invoices.get(&key));
        match known.filter(|known| known.issued_at.plus(within) >= self.now) {
            Some(known) => Admission::Invoice { ledger: known.ledger, invoice: known.invoice },
            None => Admission::Refused(Refusal::NotFound, None),
        }
    }

    pub(super) fn put_number(&mut self, fact: &NumberGiven) {
        let NumberGiven { issuer_country, year, kind, count, ledger, invoice } = *fact;
        self.numbered.insert((issuer_country, year, kind), count);
        if kind != InvoiceType::Invoice {
            return;
        }
        self.forget_old_invoices(issuer_country);
        let issued_at = self.now;
        let known = NumberedInvoice { issuer_country, year, count, ledger, invoice, issued_at };
        if self.has(&Place::Invoices(Some(known.key()))) {
            self.invoices.insert(known.key(), known);
        }
    }

    /// The oldest have the lowest numbers.
    fn forget_old_invoices(&mut self, issuer: Country) {
        let within = self.settings.invoices.credit_within;
        let first = NumberKey(issuer, 0, 0);
        while let Some((key, oldest)) = self.invoices.range(first..).next() {
            let key = *key;
            if key.0 != issuer || oldest.issued_at.plus(within) >= self.now {
                break;
            }
            self.invoices.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r12_2_a_number_is_read_as_it_is_written() {
        for (number, read) in [
            ("SG-2026-000001", true),
            ("DE-2026-1234567", true),
            ("SG-2026-1", false),
            ("SG-2026-0000001", false),
            ("SG-026-000001", false),
            ("CN-SG-2026-000001", false),
            ("sg-2026-000001", false),
            ("SG-2026-00000x", false),
            ("SG-2026-+00001", false),
            ("", false),
        ] {
            assert_eq!(NumberKey::of(number).is_some(), read, "{number}");
        }
    }
}
