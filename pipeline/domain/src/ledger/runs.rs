//! Invoice runs (R12.1): how far each is, and which are held until somebody approves them.
//!
//! A run is the invoices of one enterprise in one currency that are due on one day; each wallet joins it when
//! its own day begins. Where a run may be held, what is decided waits until all that is due with it is decided
//! as well: then they are judged together. What comes to more than may be issued without approval stays.

use super::fact::{
    DraftReleased, DraftSettled, InvoiceIssued, Journal, PeriodClosed, RunApproved, RunHeld,
};
use super::state::{EnterpriseNumber, Wallet, WalletNumber};
use super::timers::Timer;
use super::{Broken, Ledger, Undecided};
use crate::commands::ApproveInvoiceRun;
use crate::invoices::{HeldFor, InvoiceDraft};
use crate::money::{Amount, Currency};
use crate::record;
use crate::refusal::Refusal;
use crate::runs::{InvoiceRun, RunId, RunStatus};
use crate::time::{Day, Minute};

record! {
    /// Which run.
    #[derive(Copy, PartialOrd, Ord)]
    pub struct RunKey {
        pub enterprise: EnterpriseNumber,
        pub day: Day,
        pub currency: Currency,
    }
}

/// A draft that waits to be judged, or approved.
struct Waiting {
    wallet: WalletNumber,
    draft: u64,
    until: Minute,
    lacks_rate: bool,
}

record! {
    /// How far a run of an enterprise is.
    pub struct RunProgress {
        pub day: Day,
        pub currency: Currency,
        /// How many of its invoices are decided.
        pub decided: u32,
        pub issued: u32,
        /// How many wait for more than their numbers, and how many of those lack a rate.
        pub held: u32,
        pub lacking_rate: u32,
        pub net: Amount,
        pub tax: Amount,
        pub total: Amount,
        /// What its invoices that nobody has approved come to, credit notes as if they were owed.
        pub unapproved: Amount,
        /// It waits for somebody to approve it.
        pub awaits_approval: bool,
    }
}

impl RunProgress {
    fn new(key: RunKey) -> RunProgress {
        RunProgress {
            day: key.day,
            currency: key.currency,
            decided: 0,
            issued: 0,
            held: 0,
            lacking_rate: 0,
            net: Amount::ZERO,
            tax: Amount::ZERO,
            total: Amount::ZERO,
            unapproved: Amount::ZERO,
            awaits_approval: false,
        }
    }

    fn is(&self, key: RunKey) -> bool {
        (self.day, self.currency) == (key.day, key.currency)
    }

    fn is_issued(&self) -> bool {
        self.issued >= self.decided
    }

    fn held_for(&self) -> Option<HeldFor> {
        match (self.awaits_approval, self.lacking_rate) {
            (true, _) => Some(HeldFor::Approval),
            (false, 0) => None,
            (false, _) => Some(HeldFor::NoRate),
        }
    }

    fn decide(&mut self, draft: &InvoiceDraft) -> Result<(), Broken> {
        self.decided = self.decided.saturating_add(1);
        self.net = self.net.plus(draft.net)?;
        self.tax = self.tax.plus(draft.tax)?;
        self.total = self.total.plus(draft.total)?;
        self.unapproved = self.unapproved.plus(draft.total.max(draft.total.negated()?))?;
        self.held = self.held.saturating_add(u32::from(draft.held_for().is_some()));
        self.lacking_rate = self.lacking_rate.saturating_add(u32::from(draft.lacks_rate()));
        Ok(())
    }

    fn let_go(&mut self, still_held: bool) {
        self.held = self.held.saturating_sub(u32::from(!still_held));
    }
}

impl Wallet {
    /// The run that an invoice belongs to.
    pub(super) fn run_of(&self, draft: &InvoiceDraft) -> RunKey {
        let day = self.zone.date_of(draft.until);
        RunKey { enterprise: self.enterprise, day, currency: self.currency }
    }

    /// Drafts that wait to be judged or approved, each by the end of its period.
    pub(super) fn unapproved_drafts(&self) -> impl Iterator<Item = Minute> {
        let drafts = self.drafts().iter().filter(|draft| draft.awaits_approval);
        drafts.map(|draft| draft.until.full_minute())
    }
}

impl Ledger {
    fn run(&self, key: RunKey) -> Option<&RunProgress> {
        self.enterprise(key.enterprise)?.runs.iter().find(|run| run.is(key))
    }

    /// How far a run is.
    pub fn invoice_run(&self, key: RunKey) -> Option<InvoiceRun> {
        let (enterprise, run) = (&self.enterprise(key.enterprise)?.id, self.run(key)?);
        let held_for = run.held_for();
        Some(InvoiceRun {
            run: RunId { day: key.day, currency: key.currency, enterprise: enterprise.clone() },
            enterprise: enterprise.clone(),
            day: key.day,
            currency: key.currency,
            status: match held_for {
                Some(_) => RunStatus::Held,
                None if run.is_issued() => RunStatus::Issued,
                None => RunStatus::Issuing,
            },
            held_for,
            invoices: run.decided,
            issued: run.issued,
            held: run.held,
            net: run.net,
            tax: run.tax,
            total: run.total,
            at: self.clock.now(),
        })
    }

    /// Whether an invoice of a run that is decided now waits to be judged with the others, or with them to be
    /// approved.
    pub(super) fn may_be_held(&self, key: RunKey) -> bool {
        let above = self.settings.invoices.hold_above.as_ref();
        let is_held = self.run(key).is_some_and(|run| run.awaits_approval);
        is_held || above.is_some_and(|above| above.of(key.currency).is_some())
    }

    /// All that is due with an invoice is decided: what waits of its run is issued, or held.
    pub(super) fn judge_run(
        &mut self,
        number: WalletNumber,
        at: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        self.due.remove(at, Timer::RunJudged, number);
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let mut drafts = wallet.drafts().iter().filter(|draft| draft.awaits_approval);
        let of_then = drafts.find(|draft| draft.until.full_minute() == at);
        let Some(key) = of_then.map(|draft| wallet.run_of(draft)) else { return Ok(()) };
        // One that is held already stays so, whoever asks again.
        if self.run(key).is_some_and(|run| run.awaits_approval) {
            return Ok(());
        }
        self.decide_before(key.enterprise, at, journal)?;
        let above = self.settings.invoices.hold_above.as_ref();
        let above = above.and_then(|above| above.of(key.currency));
        let unapproved = self.run(key).ok_or(Broken("an unknown run"))?.unapproved;
        let waiting = self.unapproved_of(key);
        for draft in &waiting {
            self.due.remove(draft.until, Timer::RunJudged, draft.wallet);
        }
        match above.is_some_and(|above| unapproved > above) {
            true => self.record(journal, RunHeld { run: key }),
            false => self.release_drafts(key, waiting, journal),
        }
    }

    /// Whoever asks before others have come to their periods' ends has them close those first, so that it makes no
    /// difference which wallet is looked at first.
    fn decide_before(
        &mut self,
        enterprise: EnterpriseNumber,
        at: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let wallets = self.enterprise(enterprise).map(|it| it.wallets.clone());
        for wallet in wallets.unwrap_or_default() {
            let before = |due: &(Minute, Timer)| *due <= (at, Timer::PeriodEnds);
            while let Some((at, timer)) = self.first_due_of(wallet).filter(before) {
                self.fire_one(at, timer, wallet, journal)?;
            }
        }
        Ok(())
    }

    /// What waits of a run to be judged, or approved.
    fn unapproved_of(&self, key: RunKey) -> Vec<Waiting> {
        let wallets = self.enterprise(key.enterprise).map(|it| it.wallets.as_slice());
        let mut found = Vec::new();
        for number in wallets.unwrap_or_default() {
            let Some(wallet) = self.wallet(*number) else { continue };
            let waits =
                |draft: &&InvoiceDraft| draft.awaits_approval && wallet.run_of(draft) == key;
            found.extend(wallet.drafts().iter().filter(waits).map(|draft| Waiting {
                wallet: *number,
                draft: draft.draft,
                until: draft.until.full_minute(),
                lacks_rate: draft.lacks_rate(),
            }));
        }
        found
    }

    fn release_drafts(
        &mut self,
        run: RunKey,
        waiting: Vec<Waiting>,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        for Waiting { wallet, draft, lacks_rate: still_held, .. } in waiting {
            self.record(journal, DraftReleased { wallet, draft, run, still_held })?;
        }
        Ok(())
    }

    /// Approves what a run has come to by now. What joins it later is judged anew.
    pub(super) fn approve_run(
        &mut self,
        command: &ApproveInvoiceRun,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let RunId { day, currency, enterprise } = &command.run;
        let enterprise = self.enterprise_named(enterprise).ok_or(Refusal::NotFound)?;
        let key = RunKey { enterprise, day: *day, currency: *currency };
        if !self.run(key).is_some_and(|run| run.awaits_approval) {
            return Err(Refusal::NotFound.into());
        }
        self.record(journal, RunApproved { run: key })?;
        let waiting = self.unapproved_of(key);
        Ok(self.release_drafts(key, waiting, journal)?)
    }

    fn run_mut(&mut self, key: RunKey) -> Result<Option<&mut RunProgress>, Broken> {
        let loading = self.loading;
        match self.enterprises.get_mut(key.enterprise.index()) {
            Some(enterprise) => {
                let run = enterprise.runs.iter_mut().find(|run| run.is(key));
                run.map(Some).ok_or(Broken("an unknown run"))
            }
            None if loading => Ok(None),
            None => Err(Broken("an unknown enterprise")),
        }
    }

    /// An invoice of a run is decided. Runs of earlier days that are issued are forgotten: their rows stay with
    /// whoever keeps those.
    pub(super) fn count_decided(&mut self, fact: &PeriodClosed) -> Result<(), Broken> {
        let key = fact.run;
        if let Some(enterprise) = self.enterprises.get_mut(key.enterprise.index()) {
            enterprise.runs.retain(|run| run.day >= key.day || !run.is_issued());
            if !enterprise.runs.iter().any(|run| run.is(key)) {
                enterprise.runs.push(RunProgress::new(key));
            }
        }
        self.run_mut(key)?.map_or(Ok(()), |run| run.decide(&fact.draft))
    }

    pub(super) fn count_settled(&mut self, fact: &DraftSettled) -> Result<(), Broken> {
        let Some(run) = self.run_mut(fact.run)? else { return Ok(()) };
        run.lacking_rate = run.lacking_rate.saturating_sub(1);
        run.let_go(fact.still_held);
        Ok(())
    }

    pub(super) fn count_issued(&mut self, fact: &InvoiceIssued) -> Result<(), Broken> {
        let Some(key) = fact.run else { return Ok(()) };
        let Some(run) = self.run_mut(key)? else { return Ok(()) };
        run.issued = run.issued.saturating_add(1);
        Ok(())
    }

    pub(super) fn apply_run_held(&mut self, fact: &RunHeld) -> Result<(), Broken> {
        let Some(run) = self.run_mut(fact.run)? else { return Ok(()) };
        run.awaits_approval = true;
        Ok(())
    }

    pub(super) fn apply_run_approved(&mut self, fact: &RunApproved) -> Result<(), Broken> {
        let Some(run) = self.run_mut(fact.run)? else { return Ok(()) };
        (run.awaits_approval, run.unapproved) = (false, Amount::ZERO);
        Ok(())
    }

    pub(super) fn apply_released(&mut self, fact: &DraftReleased) -> Result<(), Broken> {
        if let Some(run) = self.run_mut(fact.run)? {
            run.let_go(fact.still_held);
        }
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        let mut drafts = wallet.invoicing_mut().drafts.iter_mut();
        let draft = drafts.find(|draft| draft.draft == fact.draft);
        draft.ok_or(Broken("an unknown draft is released"))?.awaits_approval = false;
        Ok(())
    }
}

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;
