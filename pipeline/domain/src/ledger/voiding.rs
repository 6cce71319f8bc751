//! A usage record is taken back (R2.5): its month's quantity becomes what it would be without it, and the
//! month's price is again P(Q).
//!
//! Only metering knows records, and only the ledger knows who may ask. So the ledger permits a void and asks
//! metering, which finds the record, remembers that it is taken back, and says what it was; then its quantity
//! is taken back here, and nobody can refuse that any more.

use super::accrue::Change;
use super::fact::{Covered, Journal, ValueTakenBack, VoidAsked};
use super::state::{Series, WalletNumber};
use super::values::SeriesKey;
use super::{Answer, Broken, Ledger, Line, Undecided};
use crate::commands::{Asked, VoidUsage};
use crate::money::Amount;
use crate::rating::{Aggregate, Value};
use crate::refusal::Refusal;

/// What a record is of its month's quantity.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// So much of a sum.
    Quantity(Amount),
    /// One of the values of which the largest or last counts, or their number.
    Value(&'a Value),
}

/// Where a record was counted.
struct Counted<'a> {
    /// The series.
    place: usize,
    part: Part<'a>,
    /// The month's quantity without it.
    left: Amount,
    /// What of it benefits had covered.
    given_back: Option<Covered>,
}

impl Ledger {
    pub(super) fn ask_for_void(
        &mut self,
        asked: &Asked,
        command: &VoidUsage,
        journal: &mut dyn Journal,
    ) -> Result<Answer, Undecided> {
        let VoidUsage { account, source, id } = command.clone();
        let account = self.account_named(&account).ok_or(Refusal::NotFound)?;

        self.record(journal, VoidAsked { account, source, id, asked: asked.clone() })?;
        Ok(Answer::Later)
    }

    /// Takes back a record that was counted as this line, and said this where values count. One that could
    /// not be priced was set aside: it is in no quantity.
    pub fn take_back(
        &mut self,
        line: &Line,
        value: Option<&Value>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let found = self.counted_in(line, value)?.ok_or(Refusal::NotFound)?;
        let Counted { place, part, left: quantity, given_back } = found;
        let account = self.account(line.account).ok_or(Refusal::NotFound)?;
        let found = account.series.get(place).ok_or(Broken("a series out of place"))?;
        let (series, payer) = (SeriesKey::of(line.account, found), (found.wallet, found.price));
        let (model, aggregate) = self.priced(found.meter, found.price)?;
        let change = quantity.minus(found.quantity)?;
        // What its charge showed as used.
        let used = match aggregate {
            Aggregate::Sum | Aggregate::Count if given_back.is_none() => line.quantity.negated()?,
            Aggregate::Sum | Aggregate::Count => change,
            Aggregate::Max | Aggregate::Last | Aggregate::Unique => change,
        };
        let change = Change::by(change, found, model)?;

        if let Part::Value(value) = part {
            self.record(journal, ValueTakenBack { series, value: value.clone() })?;
        }
        if let Some(given_back) = given_back {
            self.record(journal, given_back)?;
        }
        let line = Line { quantity: used, records: -1, ..*line };
        Ok(self.charge(&line, payer, place, change, journal)?)
    }

    /// The series in which a record was counted.
    fn counted_in<'a>(
        &self,
        line: &Line,
        value: Option<&'a Value>,
    ) -> Result<Option<Counted<'a>>, Undecided> {
        let Some(account) = self.account(line.account) else { return Ok(None) };
        let (payer, paid_by) = account.payer_at(line.used);
        // Who begins to pay in the very minute of a record may have been named after it had come.
        let begins = paid_by.from == line.used;
        let former = account.payer_before(paid_by.from).filter(|_| begins);
        for payer in [Some(payer), former].into_iter().flatten() {
            let Some((place, series)) = self.series_under(line, payer) else { continue };
            let part = self.part_of(line, value, series)?;
            let (left, given_back) = match part {
                Part::Quantity(quantity) => {
                    let (entered, given_back) =
                        self.uncovering(line, payer, quantity, series.quantity)?;
                    (Some(series.quantity.minus(entered)?), given_back)
                }
                Part::Value(value) => {
                    let key = SeriesKey::of(line.account, series);
                    (self.values.quantity_without(&key, value), None)
                }
            };
            if let Some(left) = left.filter(|left| !left.is_negative()) {
                return Ok(Some(Counted { place, part, left, given_back }));
            }
        }
        Ok(None)
    }

    fn series_under(&self, line: &Line, payer: WalletNumber) -> Option<(usize, &Series)> {
        let wallet = self.wallet(payer)?;
        let region = self.region(line.region);
        // What has held for a minute of use holds for it for good (R3.1).
        let price = self.book.find(line.meter, region, wallet.currency, line.used)?.price;
        let month = wallet.zone.month_of(line.used.starts());
        let key = (payer, line.meter, line.region, price, month);
        let mut all = self.account(line.account)?.series.iter().enumerate();
        all.find(|(_, series)| series.key() == key)
    }

    fn part_of<'a>(
        &self,
        line: &Line,
        value: Option<&'a Value>,
        series: &Series,
    ) -> Result<Part<'a>, Broken> {
        let (model, aggregate) = self.priced(series.meter, series.price)?;
        Ok(match (aggregate, value) {
            _ if model.counts_records() => Part::Quantity(Amount::ONE),
            (Aggregate::Count, _) => Part::Quantity(Amount::ONE),
            (Aggregate::Sum, _) => Part::Quantity(line.quantity),
            (Aggregate::Max | Aggregate::Last | Aggregate::Unique, Some(value)) => {
                Part::Value(value)
            }
            // It lacked the tag.
            (Aggregate::Max | Aggregate::Last | Aggregate::Unique, None) => {
                Part::Quantity(Amount::ZERO)
            }
        })
    }
}

#[cfg(test)]
#[path = "voiding_tests.rs"]
mod tests;
