//! Money that moves inside an enterprise (R9.1, R9.2).

use crate::BookKeeper;
use crate::exact::Exact;
use crate::fields::{CURRENCY_MISMATCH, Fields, MALFORMED, NOT_FOUND, Refusal};
use crate::ledger::{Lot, Place};
use crate::rights::Right;

impl BookKeeper {
    /// Own cash of one billing account becomes cash from that sender at another.
    pub(crate) fn transfer(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let (from, to) = self.two_wallets(fields, |from, _| from)?;
        let remark = fields.optional_text("remark")?.unwrap_or("").to_string();
        let (sender, receiver) = (&self.wallets[from], &self.wallets[to]);
        let amount = fields.amount("amount", sender.currency)?;
        if sender.currency != receiver.currency {
            return Err(CURRENCY_MISMATCH);
        }
        if self.is_overdue(from) {
            return Err("overdue");
        }
        if sender.partner_pays || receiver.partner_pays {
            return Err("partner_pays");
        }
        if sender.bad_debt {
            return Err("credit_not_available");
        }
        if amount > sender.transferable() {
            return Err("exceeds_transferable");
        }
        let lot = Lot::CashFrom(sender.name.clone());
        self.change_asset(from, &Lot::OwnCash, &-&amount, Place::InFlight, "transfer", &remark);
        self.change_asset(to, &lot, &amount, Place::InFlight, "transfer", &remark);
        self.count_as_sent(from, to, &amount);
        self.write_off(to);
        Ok(())
    }

    /// The sender takes back what the receiver has not spent of it; it is the sender's own cash again.
    pub(crate) fn revoke_transfer(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let (from, to) = self.two_wallets(fields, |_, to| to)?;
        let remark = fields.optional_text("remark")?.unwrap_or("").to_string();
        let (sender, receiver) = (&self.wallets[from], &self.wallets[to]);
        let amount = fields.amount("amount", receiver.currency)?;
        let received = receiver.received_from(&sender.name).ok_or("nothing_to_revoke")?;
        let revocable = received
            .balance
            .clone()
            .min(received.sent_less_revoked.clone())
            .min(receiver.available());
        if amount > revocable.at_least_zero() {
            return Err("exceeds_revocable");
        }
        let lot = Lot::CashFrom(sender.name.clone());
        self.change_asset(to, &lot, &-&amount, Place::InFlight, "revocation", &remark);
        self.change_asset(from, &Lot::OwnCash, &amount, Place::InFlight, "revocation", &remark);
        self.count_as_sent(from, to, &-&amount);
        self.write_off(from);
        Ok(())
    }

    /// Keeps what was sent less what was revoked between the two (R9.2).
    fn count_as_sent(&mut self, from: usize, to: usize, amount: &Exact) {
        let sender = self.wallets[from].name.clone();
        if let Some(received) =
            self.wallets[to].received.iter_mut().find(|received| received.sender == sender)
        {
            received.sent_less_revoked += amount;
        }
    }

    /// The sender and the receiver. Nothing goes out of a frozen billing account (R4.5).
    fn two_wallets(
        &self,
        fields: &Fields,
        goes_out_of: fn(usize, usize) -> usize,
    ) -> Result<(usize, usize), Refusal> {
        let (from_name, to_name) = (fields.text("from")?, fields.text("to")?);
        // How a billing account of another enterprise stands is nobody's business.
        let number = |name: &str| self.wallet_numbers.get(name).copied();
        let (Some(from), Some(to)) = (number(from_name), number(to_name)) else {
            return Err(NOT_FOUND);
        };
        self.may(Right::Pay, from)?;
        if self.wallets[from].enterprise != self.wallets[to].enterprise {
            self.wallet_number(from_name)?;
            if goes_out_of(from, to) == from {
                self.not_frozen(from)?;
            }
            self.direct_wallet(from_name)?;
            return Err("different_enterprise");
        }
        self.wallet_number(from_name)?;
        self.wallet_number(to_name)?;
        self.not_frozen(goes_out_of(from, to))?;
        self.direct_wallet(from_name)?;
        if from == to {
            return Err(MALFORMED);
        }
        if !self.is_with(from, &self.wallets[to].owner) {
            return Err("different_enterprise");
        }
        Ok((from, self.direct_wallet(to_name)?))
    }
}
