//! What a wallet's next invoices will show: collected by half-month as bills are issued, coupons pay and
//! money comes in (R3.5, R12.1). When a period is closed, and what its invoice then says, is decided in
//! `invoicing`.

use super::converting::SettlementChange;
use super::crediting::IssuedInvoice;
use super::fact::{BilledLine, InvoiceIssued, Moved, PeriodClosed, PeriodJoined};
use super::state::{AccountNumber, Bill, ProductNumber, RegionNumber, Wallet, WalletNumber};
use super::timers::Timer;
use super::{Broken, Ledger};
use crate::ids::{MethodId, OrderId};
use crate::invoices::{InvoiceDraft, InvoiceType};
use crate::money::{Amount, Overflow};
use crate::rating::{MeterNumber, TierNumber};
use crate::record;
use crate::settings::Schedule;
use crate::time::{HalfMonth, Minute, Timestamp};

record! {
    /// The invoices of a wallet, as far as they are still to come.
    pub struct Invoicing {
        /// Half-months that have something to show and are not invoiced, the oldest first.
        pub periods: Vec<Period>,
        /// Invoices that wait for their number.
        pub drafts: Vec<InvoiceDraft>,
        /// How many drafts there were, which names them.
        pub drafted: u32,
        /// The last half-month that was invoiced.
        pub closed: Option<HalfMonth>,
        /// The number of the last invoice that was no credit note.
        pub last_invoice: Option<String>,
        /// Issued invoices that can still be taken back, the oldest first.
        pub issued: Vec<IssuedInvoice>,
        /// The currencies its invoices are settled in, the oldest first; before the first its own.
        pub settlements: Vec<SettlementChange> = Vec::new(),
        /// How often its invoices come; none: as the settings say.
        pub schedule: Option<Schedule>,
    }
}

record! {
    /// What a half-month's invoice will show, so far.
    pub struct Period {
        pub half: HalfMonth,
        /// It is shown on one invoice with the next half.
        pub joins_next: bool,
        /// Usage, in the order of account, meter, region; adjustments behind the rest; then by tier.
        pub lines: Vec<PeriodLine>,
        pub orders: Vec<PeriodOrder>,
        /// What the bills over usage come to, each rounded.
        pub billed: Amount,
        /// What coupons paid of bills and orders.
        pub coupons: Amount,
        pub top_ups: Vec<PeriodTopUp>,
    }
}

record! {
    /// What was used of a meter, and what that costs, exact.
    #[derive(Copy)]
    pub struct PeriodLine {
        pub account: AccountNumber,
        pub meter: MeterNumber,
        pub region: RegionNumber,
        pub adjustment: bool,
        pub quantity: Amount,
        pub exact: Amount,
        /// The tier it is, where a price is split by tier (R12.3).
        pub tier: TierNumber = TierNumber::NONE,
    }
}

record! {
    /// What was ordered.
    pub struct PeriodOrder {
        pub account: AccountNumber,
        pub product: Option<ProductNumber>,
        pub order: OrderId,
        pub amount: Amount,
    }
}

record! {
    /// Money that was paid in.
    pub struct PeriodTopUp {
        pub at: Timestamp,
        pub amount: Amount,
        pub method: Option<MethodId>,
    }
}

impl PeriodLine {
    /// By this lines of a period are told apart.
    pub(super) fn key(&self) -> (AccountNumber, MeterNumber, RegionNumber, bool, TierNumber) {
        (self.account, self.meter, self.region, self.adjustment, self.tier)
    }

    fn of(account: AccountNumber, line: &BilledLine) -> PeriodLine {
        let BilledLine { meter, region, adjustment, quantity, exact, tier } = *line;
        PeriodLine { account, meter, region, adjustment, quantity, exact, tier }
    }
}

impl BilledLine {
    /// By this lines of a bill are told apart.
    pub(super) fn key(&self) -> (MeterNumber, RegionNumber, bool, TierNumber) {
        (self.meter, self.region, self.adjustment, self.tier)
    }

    pub(super) fn add(&mut self, more: &BilledLine) -> Result<(), Overflow> {
        self.quantity = self.quantity.plus(more.quantity)?;
        self.exact = self.exact.plus(more.exact)?;
        Ok(())
    }
}

impl Period {
    fn new(half: HalfMonth) -> Period {
        Period {
            half,
            joins_next: false,
            lines: Vec::new(),
            orders: Vec::new(),
            billed: Amount::ZERO,
            coupons: Amount::ZERO,
            top_ups: Vec::new(),
        }
    }

    pub(super) fn add_line(&mut self, line: PeriodLine) -> Result<(), Overflow> {
        match self.lines.binary_search_by_key(&line.key(), PeriodLine::key) {
            Ok(place) => {
                let known = &mut self.lines[place];
                known.quantity = known.quantity.plus(line.quantity)?;
                known.exact = known.exact.plus(line.exact)?;
            }
            Err(place) => self.lines.insert(place, line),
        }
        Ok(())
    }

    /// Adds what another half of the same invoice shows.
    pub(super) fn join(&mut self, other: &Period) -> Result<(), Overflow> {
        other.lines.iter().try_for_each(|line| self.add_line(*line))?;
        self.orders.extend_from_slice(&other.orders);
        self.billed = self.billed.plus(other.billed)?;
        self.coupons = self.coupons.plus(other.coupons)?;
        self.top_ups.extend_from_slice(&other.top_ups);
        Ok(())
    }
}

impl Invoicing {
    fn new() -> Invoicing {
        Invoicing {
            periods: Vec::new(),
            drafts: Vec::new(),
            drafted: 0,
            closed: None,
            last_invoice: None,
            issued: Vec::new(),
            settlements: Vec::new(),
            schedule: None,
        }
    }
}

impl Wallet {
    /// Half-months that have something to show and are not invoiced, the oldest first.
    pub fn periods(&self) -> &[Period] {
        self.invoicing.as_ref().map(|invoicing| invoicing.periods.as_slice()).unwrap_or_default()
    }

    /// Invoices that wait for their number.
    pub fn drafts(&self) -> &[InvoiceDraft] {
        self.invoicing.as_ref().map(|invoicing| invoicing.drafts.as_slice()).unwrap_or_default()
    }

    pub(super) fn invoicing_mut(&mut self) -> &mut Invoicing {
        self.invoicing.get_or_insert_with(|| Box::new(Invoicing::new()))
    }

    /// What a half-month shows so far, to be added to.
    fn period_mut(&mut self, half: HalfMonth) -> &mut Period {
        let periods = &mut self.invoicing_mut().periods;
        let place = match periods.binary_search_by_key(&half, |period| period.half) {
            Ok(place) => place,
            Err(place) => {
                periods.insert(place, Period::new(half));
                place
            }
        };
        &mut periods[place]
    }

    /// When the invoice over a period is due.
    pub(super) fn period_ends(&self, period: &Period) -> Minute {
        let last = if period.joins_next { period.half.next() } else { period.half };
        self.zone.bounds_of_half(last).1.full_minute()
    }

    /// A bill belongs on an invoice. A partner's wallet gets none by us, and a tax stands on its own.
    pub(super) fn note_bill(&mut self, bill: &Bill, lines: &[BilledLine]) -> Result<(), Overflow> {
        if self.is_ecosystem() || bill.is_tax() {
            return Ok(());
        }
        let (account, product, amount) = (bill.account, bill.product, bill.amount);
        let period = self.period_mut(bill.half);
        match bill.order.clone() {
            Some(order) => period.orders.push(PeriodOrder { account, product, order, amount }),
            None => period.billed = period.billed.plus(amount)?,
        }
        lines.iter().try_for_each(|line| period.add_line(PeriodLine::of(account, line)))
    }

    /// A coupon paid so much of a bill of that half-month, or with a negative amount is paid back for it.
    pub(super) fn note_coupon(&mut self, half: HalfMonth, paid: Amount) -> Result<(), Overflow> {
        let period = self.period_mut(half);
        period.coupons = period.coupons.plus(paid)?;
        Ok(())
    }

    /// Money was paid in.
    pub(super) fn note_top_up(&mut self, half: HalfMonth, at: Timestamp, moved: &Moved) {
        let Moved { amount, method, .. } = moved.clone();
        self.period_mut(half).top_ups.push(PeriodTopUp { at, amount, method });
    }
}

impl Ledger {
    /// Lets a wallet note something for the invoice of a half-month, whose end it waits for from then on.
    pub(super) fn note(
        &mut self,
        number: WalletNumber,
        half: HalfMonth,
        note: impl FnOnce(&mut Wallet) -> Result<(), Overflow>,
    ) -> Result<(), Broken> {
        let Some(wallet) = self.wallet_mut(number)? else { return Ok(()) };
        let known = wallet.periods().len();
        note(wallet)?;
        if wallet.periods().len() > known {
            let new = wallet.periods().iter().find(|period| period.half == half);
            let at = new.map(|period| wallet.period_ends(period));
            at.into_iter().for_each(|at| self.due.insert(at, Timer::PeriodEnds, number));
        }
        Ok(())
    }

    pub(super) fn apply_joined(&mut self, fact: &PeriodJoined) -> Result<(), Broken> {
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        let periods = &mut wallet.invoicing_mut().periods;
        let place = periods.iter().position(|period| period.half == fact.half);
        let place = place.ok_or(Broken("a period that shows nothing"))?;
        periods[place].joins_next = true;
        let joined = &wallet.periods()[place];
        let (was, is) = (wallet.zone.bounds_of_half(fact.half).1, wallet.period_ends(joined));
        self.due.remove(was.full_minute(), Timer::PeriodEnds, fact.wallet);
        self.due.insert(is, Timer::PeriodEnds, fact.wallet);
        Ok(())
    }

    pub(super) fn apply_closed(&mut self, fact: &PeriodClosed) -> Result<(), Broken> {
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        let invoicing = wallet.invoicing_mut();
        invoicing.drafted = invoicing.drafted.saturating_add(1);
        invoicing.drafts.push((*fact.draft).clone());
        invoicing.closed = Some(fact.last);
        let open = invoicing.periods.iter().position(|period| period.half > fact.last);
        let open = open.unwrap_or(invoicing.periods.len());
        let closed: Vec<Period> = invoicing.periods.drain(..open).collect();
        let ended: Vec<Minute> = closed.iter().map(|period| wallet.period_ends(period)).collect();
        for at in ended {
            self.due.remove(at, Timer::PeriodEnds, fact.wallet);
        }
        if fact.draft.awaits_approval {
            self.due.insert(fact.draft.until.full_minute(), Timer::RunJudged, fact.wallet);
        }
        Ok(())
    }

    pub(super) fn apply_invoice(&mut self, fact: &InvoiceIssued) -> Result<(), Broken> {
        let within = self.settings.invoices.credit_within;
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        let invoicing = wallet.invoicing_mut();
        let place = invoicing.drafts.iter().position(|draft| draft.draft == fact.draft);
        invoicing.drafts.remove(place.ok_or(Broken("an invoice that was not drafted"))?);
        if fact.invoice.r#type == InvoiceType::Invoice {
            invoicing.last_invoice = Some(fact.invoice.number.clone());
            invoicing.issued.retain(|old| old.issued_at.plus(within) >= fact.invoice.issued_at);
            invoicing.issued.push(IssuedInvoice::of(fact.draft, &fact.invoice));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "periods_tests.rs"]
mod tests;
