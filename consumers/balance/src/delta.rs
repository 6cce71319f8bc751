//! The delta of a step: facts and accruals in the order in which they were decided.
//!
//! A run of facts alternates with a run of accruals. Accruals are by far the most frequent, so they
//! are written without names or tags: five numbers each.

use drawdown_domain::ledger::{AccountNumber, Accrued, Fact, Ledger};
use drawdown_domain::money::{from_twos_complement, shortest};
use drawdown_runtime::Stop;
use drawdown_wire::avro::{self, Cursor, Truncated, put_bytes, put_long};

use crate::changed::Changed;

/// Collects a delta.
#[derive(Debug, Default)]
pub(crate) struct DeltaWriter {
    bytes: Vec<u8>,
    accruals: Vec<u8>,
    accrual_count: i64,
}

impl DeltaWriter {
    pub(crate) fn fact(&mut self, fact: &Fact) {
        self.close_accruals();
        put_long(&mut self.bytes, 0);
        avro::encode_into(&mut self.bytes, fact);
    }

    #[inline]
    pub(crate) fn accrued(&mut self, accrued: &Accrued) {
        let to = &mut self.accruals;
        put_long(to, accrued.account.0.into());
        put_long(to, accrued.series.into());
        put_long(to, accrued.tab.into());
        put_bytes(to, shortest(&accrued.quantity.raw().to_be_bytes()));
        put_bytes(to, shortest(&accrued.charge.raw().to_be_bytes()));
        self.accrual_count += 1;
    }

    fn close_accruals(&mut self) {
        if self.accrual_count > 0 {
            put_long(&mut self.bytes, self.accrual_count);
            self.bytes.append(&mut self.accruals);
            self.accrual_count = 0;
        }
    }

    /// Moves what was collected behind `to`.
    pub(crate) fn finish(&mut self, to: &mut Vec<u8>) {
        self.close_accruals();
        to.append(&mut self.bytes);
    }
}

/// Applies a delta to a ledger, and notes whose balance it changed.
pub(crate) fn apply(ledger: &mut Ledger, changed: &mut Changed, delta: &[u8]) -> Result<(), Stop> {
    let unreadable = |_: Truncated| Stop::Broken("a delta of the ledger cannot be read".to_owned());
    let broken = |error: drawdown_domain::ledger::Broken| Stop::Broken(error.to_string());
    let mut rest = delta;
    while !rest.is_empty() {
        let mut cursor = Cursor::new(rest);
        let accruals = cursor.long().map_err(unreadable)?;
        if accruals == 0 {
            let (fact, after): (Fact, &[u8]) =
                avro::decode_prefix(cursor.rest()).map_err(|error| {
                    Stop::Broken(format!("a fact of the ledger cannot be read: {error}"))
                })?;
            ledger.apply(&fact).map_err(broken)?;
            changed.touch_by(&fact);
            rest = after;
            continue;
        }
        for _ in 0..accruals {
            let accrued = read_accrued(&mut cursor).map_err(unreadable)?;
            ledger.apply_accrued(&accrued).map_err(broken)?;
            changed.touch_by_accrual(ledger, &accrued);
        }
        rest = cursor.rest();
    }
    Ok(())
}

#[inline]
fn read_accrued(cursor: &mut Cursor<'_>) -> Result<Accrued, Truncated> {
    let small = |value: i64| u32::try_from(value).map_err(|_| Truncated);
    Ok(Accrued {
        account: AccountNumber(small(cursor.long()?)?),
        series: small(cursor.long()?)?,
        tab: small(cursor.long()?)?,
        quantity: from_twos_complement(cursor.bytes()?).ok_or(Truncated)?,
        charge: from_twos_complement(cursor.bytes()?).ok_or(Truncated)?,
    })
}
