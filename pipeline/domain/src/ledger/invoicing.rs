//! Invoices: a period is closed once its last bill is out, its figures are decided for good, and with the
//! registry's number it is issued (R12.1 to R12.5).

use super::fact::{BillIssued, Cause, InvoiceIssued, Journal, PeriodClosed, PeriodJoined};
use super::periods::{Period, PeriodLine, PeriodOrder};
use super::reversal::Correction;
use super::state::{AccountNumber, Bill, Enterprise, ProductNumber, Wallet, WalletNumber};
use super::{Broken, Ledger, Undecided};
use crate::ids::AccountId;
use crate::invoices::{Invoice, InvoiceDraft, InvoiceLine, InvoiceTopUp, LineKind, TaxNote};
use crate::money::{Amount, Overflow};
use crate::notices::NoticeKind;
use crate::settings::Schedule;
use crate::tax_ids::TaxId;
use crate::time::{Day, HalfMonth, Minute, Span, Timestamp};

/// An invoice that is not issued yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// Its period is closed: its figures are those it will be issued with.
    Decided(InvoiceDraft),
    /// Its period is open, or some of its bills are not out: these are the figures so far.
    Open(InvoiceDraft),
}

/// The half-months that one invoice covers.
struct Covered {
    first: HalfMonth,
    last: HalfMonth,
}

/// The tax on a net amount.
struct Tax {
    rate: Amount,
    note: TaxNote,
    amount: Amount,
}

impl Ledger {
    /// A period ends at `ends`: it is closed, or waits for the next half if invoices are monthly.
    pub(super) fn end_period(
        &mut self,
        number: WalletNumber,
        ends: Minute,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let last = wallet.zone.half_month_of(ends.starts().minus(Span::micros(1)));
        if last.is_first() && self.schedule_of(wallet) == Schedule::Monthly {
            return self.record(journal, PeriodJoined { wallet: number, half: last });
        }
        let covered = self.covered_until(wallet, last).ok_or(Broken("an invoice over nothing"))?;
        let draft = self.draft(number, wallet, &covered)?;
        let run = wallet.run_of(&draft);
        let draft = Box::new(InvoiceDraft { awaits_approval: self.may_be_held(run), ..draft });
        self.record(journal, PeriodClosed { wallet: number, last, draft, run })
    }

    /// What the invoices say that a run at the beginning of `day` issues for a wallet, as things stand: the
    /// same figures, and nothing is issued (R12.1). First those that are decided and wait for their numbers.
    pub fn preview_invoices(&self, number: WalletNumber, day: Day) -> Result<Vec<Preview>, Broken> {
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let mut last = HalfMonth::over_by(day);
        if last.is_first() && self.schedule_of(wallet) == Schedule::Monthly {
            last = last.previous();
        }
        let until = wallet.zone.bounds_of_half(last).1;
        let decided = wallet.drafts().iter().filter(|draft| draft.until <= until);
        let mut found: Vec<Preview> = decided.cloned().map(Preview::Decided).collect();
        if let Some(covered) = self.covered_until(wallet, last) {
            found.push(Preview::Open(self.draft(number, wallet, &covered)?));
        }
        Ok(found)
    }

    /// How often a wallet gets an invoice.
    pub(super) fn schedule_of(&self, wallet: &Wallet) -> Schedule {
        let own = wallet.invoicing.as_ref().and_then(|invoicing| invoicing.schedule);
        own.unwrap_or(self.settings.invoices.schedule)
    }

    /// What the invoice covers that ends with `last`: also what an earlier schedule left, and nothing that
    /// was invoiced under it.
    fn covered_until(&self, wallet: &Wallet, last: HalfMonth) -> Option<Covered> {
        let begins = match self.schedule_of(wallet) {
            Schedule::SemiMonthly => last,
            Schedule::Monthly => HalfMonth::first_of(last.month()),
        };
        let oldest = wallet.periods().first().filter(|period| period.half <= last)?;
        let closed = wallet.invoicing.as_ref().and_then(|invoicing| invoicing.closed);
        let begins = closed.map_or(begins, |closed| begins.max(closed.next()));
        Some(Covered { first: begins.min(oldest.half), last })
    }

    fn draft(
        &self,
        number: WalletNumber,
        wallet: &Wallet,
        covered: &Covered,
    ) -> Result<InvoiceDraft, Broken> {
        let enterprise = self.enterprise(wallet.enterprise);
        let enterprise = enterprise.ok_or(Broken("a wallet without an enterprise"))?;
        let issuer = &self.settings.tax;
        let mut periods = wallet.periods().iter().filter(|period| period.half <= covered.last);
        let mut shown = periods.next().cloned().ok_or(Broken("an invoice over nothing"))?;
        periods.try_for_each(|period| shown.join(period))?;

        let until = wallet.zone.bounds_of_half(covered.last).1;
        let lines = self.lines_of(&shown, wallet)?;
        let net = Amount::sum(lines.iter().map(|line| line.amount))?;
        let tax = self.tax_on(net, wallet, enterprise, until)?;
        let top_up = |top_up: &super::PeriodTopUp| InvoiceTopUp {
            at: top_up.at,
            amount: top_up.amount,
            method: top_up.method.clone(),
        };
        let drafted = wallet.invoicing.as_ref().map_or(0, |invoicing| invoicing.drafted);
        let month = covered.last.month();
        let settlement_currency = wallet.settled_otherwise(month);
        let settled = self.settled(wallet, month, net, tax.amount)?;
        Ok(InvoiceDraft {
            draft: draft_name(number, drafted),
            corrects: None,
            reason: None,
            billing_account: wallet.id.clone(),
            enterprise: enterprise.id.clone(),
            enterprise_name: enterprise.name.clone(),
            country: enterprise.country,
            tax_id: enterprise.tax_id.clone(),
            language: enterprise.language.clone(),
            recipients: self.recipients(wallet, NoticeKind::Invoice),
            time_zone: wallet.zone,
            from: wallet.zone.bounds_of_half(covered.first).0,
            until,
            issuer_country: issuer.issuer_country,
            issuer_name: issuer.issuer_name.clone(),
            issuer_address: issuer.issuer_address.clone(),
            issuer_tax_id: issuer.issuer_tax_id.clone(),
            currency: wallet.currency,
            lines,
            top_ups: shown.top_ups.iter().map(top_up).collect(),
            net,
            tax_rate: tax.rate,
            tax_note: tax.note,
            tax: tax.amount,
            total: net.plus(tax.amount)?,
            settlement_currency,
            settled,
            awaits_approval: false,
        })
    }

    /// The lines of an invoice, which add up to its net: each is rounded, and what that makes of the bills
    /// is a line of its own. By account and product, then coupons and rounding.
    fn lines_of(&self, shown: &Period, wallet: &Wallet) -> Result<Vec<InvoiceLine>, Broken> {
        let mut lines = Vec::with_capacity(shown.lines.len().saturating_add(2));
        let mut rounding = shown.billed;
        for line in &shown.lines {
            let amount = line.exact.rounded_half_away(wallet.currency)?;
            rounding = rounding.minus(amount)?;
            lines.push(self.usage_line(line, amount)?);
        }
        for order in &shown.orders {
            lines.push(self.order_line(order)?);
        }
        lines.sort_by(|a, b| order_of(a).cmp(&order_of(b)));
        let coupons = shown.coupons.negated()?;
        for (kind, amount) in [(LineKind::Coupons, coupons), (LineKind::Rounding, rounding)] {
            if !amount.is_zero() {
                lines.push(InvoiceLine { amount, ..line_of(kind) });
            }
        }
        Ok(lines)
    }

    fn usage_line(&self, line: &PeriodLine, amount: Amount) -> Result<InvoiceLine, Broken> {
        let names = self.book.names(line.meter);
        let (product, meter) = names.ok_or(Broken("a bill over an unknown meter"))?;
        let kind = if line.adjustment { LineKind::Adjustment } else { LineKind::Usage };
        Ok(InvoiceLine {
            account: Some(self.named(line.account)?),
            product: Some(product.clone()),
            meter: Some(meter.clone()),
            region: self.region(line.region).cloned(),
            tier: line.tier.shown(),
            quantity: Some(line.quantity),
            amount,
            ..line_of(kind)
        })
    }

    fn order_line(&self, order: &PeriodOrder) -> Result<InvoiceLine, Broken> {
        let product = order.product.and_then(|product| self.book.product(product));
        Ok(InvoiceLine {
            account: Some(self.named(order.account)?),
            product: product.cloned(),
            amount: order.amount,
            order: Some(order.order.clone()),
            ..line_of(LineKind::Order)
        })
    }

    fn named(&self, account: AccountNumber) -> Result<AccountId, Broken> {
        let account = self.account(account).ok_or(Broken("a bill of an unknown account"))?;
        Ok(account.id.clone())
    }

    /// At the rate that the registered country had on the last day of the period; none for whoever pays it
    /// where he is registered (R12.4).
    fn tax_on(
        &self,
        net: Amount,
        wallet: &Wallet,
        enterprise: &Enterprise,
        until: Timestamp,
    ) -> Result<Tax, Overflow> {
        let untaxed = |note| Tax { rate: Amount::ZERO, note, amount: Amount::ZERO };
        let issuer = self.settings.tax.issuer_country;
        let tax_id = enterprise.tax_id.as_ref();
        let tax_id = tax_id.and_then(|id| TaxId::read(enterprise.country, id.as_str()).ok());
        if tax_id.is_some_and(|id| id.is_charged_in_reverse(issuer)) {
            return Ok(untaxed(TaxNote::ReverseCharge));
        }
        let last_day = wallet.zone.date_of(until.minus(Span::micros(1)));
        let Some(rate) = self.settings.tax.rates.on(enterprise.country, last_day) else {
            return Ok(untaxed(TaxNote::NotListed));
        };
        // Nothing is lost before it is rounded to the currency: a rate has few places.
        let exact = net.times(rate)?.rounded_half_even()?;
        let amount = exact.rounded_half_away(wallet.currency)?;
        Ok(Tax { rate, note: TaxNote::Rated, amount })
    }

    /// The registry has numbered a draft, and that is its issue: its tax is billed (R12.5), and what a
    /// credit note takes back (R12.2).
    pub fn number_invoice(
        &mut self,
        draft: u64,
        invoice_number: &str,
        issued_at: Timestamp,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let number = wallet_of_draft(draft);
        let wallet = self.wallet(number).ok_or(Broken("a number for an unknown wallet"))?;
        let drafted = wallet.drafts().iter().find(|drafted| drafted.draft == draft);
        let drafted = drafted.cloned().ok_or(Broken("a number for what was not drafted"))?;
        let last = wallet.invoicing.as_ref().and_then(|invoicing| invoicing.last_invoice.clone());
        let by_command = drafted.corrects.is_some();
        let run = (!by_command).then(|| wallet.run_of(&drafted));
        let invoice = drafted.issued(invoice_number.to_owned(), issued_at, last);
        let issued =
            InvoiceIssued { wallet: number, draft, invoice: Box::new(invoice.clone()), run };
        self.record(journal, issued)?;
        if by_command {
            self.take_invoice_back(number, &invoice, journal).map_err(super::timers::broken)?;
        }
        if invoice.tax.is_zero() && !by_command {
            return Ok(());
        }
        self.settle_tax(number, &invoice, journal).map_err(super::timers::broken)
    }

    /// The bill over a tax belongs to the month of its invoice's period (R3.5).
    fn tax_bill(&self, wallet: &Wallet, invoice: &Invoice) -> Bill {
        let half = wallet.zone.half_month_of(invoice.until.minus(Span::micros(1)));
        Bill {
            number: wallet.bills_issued.saturating_add(1),
            account: wallet.owner,
            product: Some(ProductNumber::TAX),
            month: half.month(),
            amount: invoice.tax,
            paid: Amount::ZERO,
            issued_at: self.clock.now(),
            order: None,
            half,
        }
    }

    /// Bills the tax of an invoice. It is paid like any other bill, but not by coupons. A negative one undoes what paid earlier
    /// taxes; where no such payment is known any more, it becomes own cash.
    fn settle_tax(
        &mut self,
        number: WalletNumber,
        invoice: &Invoice,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        if !invoice.tax.is_zero() {
            let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
            let tax = self.tax_bill(wallet, invoice);
            let ends = self.clock.now().full_minute();
            let billed = BillIssued::of(number, tax.clone(), tax.amount, ends);
            self.record(journal, BillIssued { invoice: Some(invoice.number.clone()), ..billed })?;
            if tax.amount.is_negative() {
                let correction = Correction { bill: tax, rest: Some(Cause::TaxReturned) };
                self.correct(number, &correction, journal)?;
            }
        }
        self.write_off_issued(number, journal)?;
        self.judge_touched(journal)
    }
}

/// A draft is known by its wallet and its place among that one's.
pub(super) fn draft_name(wallet: WalletNumber, place: u32) -> u64 {
    u64::from(wallet.0).rotate_left(u32::BITS) | u64::from(place)
}

/// The wallet whose draft this is.
pub fn wallet_of_draft(draft: u64) -> WalletNumber {
    let [a, b, c, d, ..] = draft.to_be_bytes();
    WalletNumber(u32::from_be_bytes([a, b, c, d]))
}

/// A line that says nothing but what it is about.
fn line_of(kind: LineKind) -> InvoiceLine {
    InvoiceLine {
        kind,
        account: None,
        product: None,
        meter: None,
        region: None,
        tier: None,
        quantity: None,
        amount: Amount::ZERO,
        order: None,
    }
}

/// Lines stand by account and product: usage by meter, region and tier, then adjustments, then orders.
fn order_of(line: &InvoiceLine) -> impl Ord + use<'_> {
    let InvoiceLine { account, product, kind, meter, region, tier, order, .. } = line;
    (account, product, kind, meter, region, tier, order)
}

#[cfg(test)]
#[path = "invoicing_tests.rs"]
mod tests;
