//! Usage records that are taken back (R2.5).

use crate::BookKeeper;
use crate::fields::{Fields, NOT_FOUND, Refusal};

impl BookKeeper {
    /// The quantity becomes what it would be without the record, and what that changes is charged like anything else
    /// that comes now. Its identity stays taken.
    pub(crate) fn void_usage(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let text = |name| fields.text(name).map(str::to_string);
        let (account, source, id) = (text("account")?, text("source")?, text("id")?);
        if !self.accounts.contains_key(&account) {
            return Err(NOT_FOUND);
        }
        let record_of = (account, source, id);
        let counted = self.identities.get_mut(&record_of).ok_or(NOT_FOUND)?;
        if counted.voided {
            return Err("already_exists");
        }
        if self.now.saturating_sub(counted.record.time) > self.settings.max_age {
            return Err("too_old");
        }
        if self.covered_accounts.contains(&record_of.0) {
            return Err("covered");
        }
        counted.voided = true;

        let (record, judged) = (counted.record.clone(), counted.judged.clone());
        let key = self.quantity_key(&record, &judged);
        let price = self.prices.price(judged.price);
        let charge = self.quantities.entry(key).or_default().remove(
            &judged.quantity,
            price.aggregate,
            &price.model,
        );
        self.charge(&record, &judged, charge);
        Ok(())
    }
}
