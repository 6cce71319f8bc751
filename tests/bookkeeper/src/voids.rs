//! Usage records that are taken back (R2.5).

use crate::BookKeeper;
use crate::fields::{Fields, NOT_FOUND, Refusal};
use crate::rating::{Says, by_tier};

impl BookKeeper {
    /// The quantity becomes what it would be without the record, and what that changes is charged like anything else
    /// that comes now. Its identity stays taken.
    pub(crate) fn void_usage(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let text = |name| fields.text(name).map(str::to_string);
        let (account, source, id) = (text("account")?, text("source")?, text("id")?);
        self.may_send_usage(&account)?;
        let record_of = (account, source, id);
        let counted = self.identities.get_mut(&record_of).ok_or(NOT_FOUND)?;
        // By then nothing can come any more for which it must be remembered.
        let kept = self.settings.max_age.saturating_add(self.settings.replay_for);
        if self.now.saturating_sub(counted.record.time) > kept {
            return Err(NOT_FOUND);
        }
        if counted.voided {
            return Err("already_exists");
        }
        if self.now.saturating_sub(counted.record.time) > self.settings.max_age {
            return Err("too_old");
        }
        counted.voided = true;

        let (record, judged) = (counted.record.clone(), counted.judged.clone());
        let key = self.quantity_key(&record, &judged);
        let mut says = self.says(&record, &judged);
        if let Says::More(quantity) = says {
            says = Says::More(self.take_out_of_hour(&key, judged.time, &quantity));
        }
        let price = self.prices.price(judged.price);
        let month = self.quantities.entry(key).or_default();
        let before = month.quantity.clone();
        let charge = month.remove(says, &price.model);
        let parts = by_tier(&price.model, &before, &month.quantity, &charge);
        self.charge(&record, &judged, charge, parts);
        self.judge_runway(judged.wallet, true);
        Ok(())
    }
}
