//! Invoices that are settled in another currency (R12.6): what they come to there is decided with the rest of
//! their figures if the rate of their month is stated by then, and else as soon as it is. Until then they are
//! held. Wallet, bills and payments know nothing of it.

use super::fact::{DraftSettled, InvoicingConfigured, Journal};
use super::state::{Wallet, WalletNumber};
use super::timers::Timer;
use super::{Broken, Ledger};
use crate::invoices::{InvoiceDraft, Settled, Settlement};
use crate::money::{Amount, Currency, Overflow};
use crate::record;
use crate::time::{Minute, Month, Span};

record! {
    /// From a month on invoices are settled in this currency.
    #[derive(Copy)]
    pub struct SettlementChange {
        pub from: Month,
        pub currency: Currency,
    }
}

impl Wallet {
    /// The currency in which a month's invoices are settled.
    pub fn settled_in(&self, month: Month) -> Currency {
        let changes = self.invoicing.as_ref().map(|invoicing| invoicing.settlements.as_slice());
        let changes = changes.unwrap_or_default().iter().rev();
        let holds = changes.copied().find(|change| change.from <= month);
        holds.map_or(self.currency, |change| change.currency)
    }

    /// The same, if it is another one than the wallet's own.
    pub(super) fn settled_otherwise(&self, month: Month) -> Option<Currency> {
        Some(self.settled_in(month)).filter(|currency| *currency != self.currency)
    }

    /// The month of a draft's period.
    fn month_of(&self, draft: &InvoiceDraft) -> Month {
        self.zone.month_of(draft.until.minus(Span::micros(1)))
    }

    /// Drafts that lack a rate, each by the end of its period.
    pub(super) fn held_drafts(&self) -> impl Iterator<Item = Minute> {
        let held = self.drafts().iter().filter(|draft| draft.lacks_rate());
        held.map(|draft| draft.until.full_minute())
    }
}

impl Ledger {
    /// What an invoice of a month comes to where it is settled; none if it is not settled elsewhere, or the
    /// month's rate is not stated.
    pub(super) fn settled(
        &self,
        wallet: &Wallet,
        month: Month,
        net: Amount,
        tax: Amount,
    ) -> Result<Option<Settled>, Overflow> {
        let Some(currency) = wallet.settled_otherwise(month) else { return Ok(None) };
        let Some(rate) = self.settings.fx.stated(month, wallet.currency, currency) else {
            return Ok(None);
        };
        let settlement = Settlement { currency, rate };
        Settled::of(settlement, settlement.of(net)?, settlement.of(tax)?).map(Some)
    }

    /// Settings were loaded, and may state the rate that a draft waits for.
    pub(super) fn watch_held(&mut self, number: WalletNumber) {
        let held: Vec<Minute> =
            self.wallet(number).into_iter().flat_map(Wallet::held_drafts).collect();
        held.into_iter().for_each(|at| self.due.insert(at, Timer::HeldInvoice, number));
    }

    /// Drafts of the period that ended then are settled, if the rate that they wait for is stated by now.
    pub(super) fn settle_held(
        &mut self,
        number: WalletNumber,
        at: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let held = wallet.drafts().iter().filter(|draft| draft.lacks_rate());
        let mut settled = Vec::new();
        for draft in held.filter(|draft| draft.until.full_minute() == at) {
            let found = self.settled(wallet, wallet.month_of(draft), draft.net, draft.tax)?;
            settled.extend(found.map(|settled| DraftSettled {
                wallet: number,
                draft: draft.draft,
                settled,
                run: wallet.run_of(draft),
                still_held: draft.awaits_approval,
            }));
        }
        for settled in settled {
            self.record(journal, settled)?;
        }
        Ok(())
    }

    pub(super) fn apply_invoicing_configured(
        &mut self,
        fact: &InvoicingConfigured,
    ) -> Result<(), Broken> {
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        let invoicing = wallet.invoicing_mut();
        invoicing.schedule = fact.schedule.or(invoicing.schedule);
        if let Some(change) = fact.settlement {
            invoicing.settlements.retain(|known| known.from < change.from);
            invoicing.settlements.push(change);
        }
        Ok(())
    }

    pub(super) fn apply_draft_settled(&mut self, fact: &DraftSettled) -> Result<(), Broken> {
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        let mut drafts = wallet.invoicing_mut().drafts.iter_mut();
        let draft = drafts.find(|draft| draft.draft == fact.draft);
        draft.ok_or(Broken("an unknown draft is settled"))?.settled = Some(fact.settled);
        Ok(())
    }
}

#[cfg(test)]
#[path = "converting_tests.rs"]
mod tests;
