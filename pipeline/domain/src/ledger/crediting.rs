//! Credit notes by command (R12.2): an issued invoice, or part of it, is taken back. What the note says is
//! decided at once and lowers what is left of the invoice; with the registry's number it is issued, as an
//! invoice is, and its net and tax become negative bills.

use super::fact::{BillIssued, Cause, CreditDrafted, Journal, LineTaken, OrderRefunded};
use super::invoicing::{draft_name, wallet_of_draft};
use super::reversal::Correction;
use super::state::{Bill, Lot, Order, PaidFrom, Wallet, WalletNumber, WalletState};
use super::{Broken, Ledger, Undecided};
use crate::commands::{Asked, Command, CreditInvoice, RefundOrder, RefundTo};
use crate::ids::{AccountId, Country, OrderId, ProductId};
use crate::invoices::{Invoice, InvoiceDraft, InvoiceLine, LineKind, Settled, Settlement, TaxNote};
use crate::money::{Amount, Currency, Overflow};
use crate::notices::NoticeKind;
use crate::record;
use crate::refusal::Refusal;
use crate::time::{Span, Timestamp};

record! {
    /// An issued invoice, as far as a credit note needs it.
    pub struct IssuedInvoice {
        /// What it was known by as a draft.
        pub draft: u64,
        pub number: String,
        pub issued_at: Timestamp,
        pub from: Timestamp,
        pub until: Timestamp,
        pub issuer_country: Country,
        pub tax_rate: Amount,
        pub tax_note: TaxNote,
        /// Its lines, each with what is left of it.
        pub lines: Vec<InvoiceLine>,
        pub net: Amount,
        /// What credit notes have taken back of its net, and of its tax.
        pub net_credited: Amount,
        pub tax_credited: Amount,
        /// How it was settled in another currency, in which its credit notes are as well (R12.6).
        pub settlement: Option<Settlement>,
    }
}

impl IssuedInvoice {
    pub(super) fn of(draft: u64, invoice: &Invoice) -> IssuedInvoice {
        IssuedInvoice {
            draft,
            number: invoice.number.clone(),
            issued_at: invoice.issued_at,
            from: invoice.from,
            until: invoice.until,
            issuer_country: invoice.issuer_country,
            tax_rate: invoice.tax_rate,
            tax_note: invoice.tax_note,
            lines: invoice.lines.clone(),
            net: invoice.net,
            net_credited: Amount::ZERO,
            tax_credited: Amount::ZERO,
            settlement: invoice.settlement(),
        }
    }

    fn line(&self, line: u32) -> Option<&InvoiceLine> {
        self.lines.get(usize::try_from(line.checked_sub(1)?).ok()?)
    }

    /// The tax on what is taken back: all parts together come to the tax of the whole, so that rounding
    /// never drifts.
    fn tax_on(&self, net: Amount, currency: Currency) -> Result<Amount, Overflow> {
        let exact = self.net_credited.plus(net)?.times(self.tax_rate)?.rounded_half_even()?;
        exact.rounded_half_away(currency)?.minus(self.tax_credited)
    }

    /// What is taken back comes, in the currency of settlement, with all that was before to what the invoice
    /// came to there.
    fn settled(&self, net: Amount, tax: Amount) -> Result<Option<Settled>, Overflow> {
        let Some(settlement) = self.settlement else { return Ok(None) };
        let part = |credited: Amount, more: Amount| {
            let until_now = settlement.of(credited)?;
            until_now.minus(settlement.of(credited.plus(more)?)?)
        };
        let (net, tax) = (part(self.net_credited, net)?, part(self.tax_credited, tax)?);
        Settled::of(settlement, net, tax).map(Some)
    }

    fn take(&mut self, taken: &LineTaken) -> Result<(), Broken> {
        let place = usize::try_from(taken.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let line = self.lines.get_mut(place).ok_or(Broken("a credit of no line"))?;
        line.amount = line.amount.minus(taken.amount)?;
        Ok(())
    }
}

/// What a credit note takes back of one account's product, or of one order.
struct Part {
    account: Option<AccountId>,
    product: Option<ProductId>,
    order: Option<OrderId>,
    /// Negative.
    amount: Amount,
}

impl Ledger {
    /// Decides whether an invoice is taken back that the registry found under its number, and knows by what
    /// it was called as a draft.
    pub fn credited(
        &mut self,
        asked: &Asked,
        command: &Command,
        invoice: Option<u64>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        self.permit(asked, command)?;
        let Command::CreditInvoice(command) = command else {
            return Err(Refusal::Malformed.into());
        };
        self.credit_invoice(command, invoice.ok_or(Refusal::NotFound)?, journal)
    }

    fn credit_invoice(
        &mut self,
        command: &CreditInvoice,
        invoice: u64,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let number = wallet_of_draft(invoice);
        let wallet = self.wallet(number).ok_or(Refusal::NotFound)?;
        let issued = self.issued_invoice(wallet, invoice).ok_or(Refusal::NotFound)?;
        if wallet.state() == WalletState::Deregistered {
            return Err(Refusal::Deregistered.into());
        }
        if command.reason.as_str().is_empty() {
            return Err(Refusal::Malformed.into());
        }
        let taken = match (&command.lines, command.amount) {
            (Some(lines), None) => lines_taken(wallet, issued, lines)?,
            (None, Some(amount)) => amount_taken(wallet, issued, amount)?,
            _ => return Err(Refusal::Malformed.into()),
        };
        let net = Amount::sum(taken.iter().map(|taken| taken.amount))?;
        if net > issued.net.minus(issued.net_credited)? {
            return Err(Refusal::InvalidAmount.into());
        }

        let draft = Box::new(self.credit_draft(number, command, &taken, invoice)?);
        self.record(journal, CreditDrafted { wallet: number, invoice, taken, draft })?;
        Ok(())
    }

    /// An invoice that can still be taken back.
    fn issued_invoice<'a>(&self, wallet: &'a Wallet, draft: u64) -> Option<&'a IssuedInvoice> {
        let within = self.settings.invoices.credit_within;
        let issued = wallet.invoicing.as_ref()?.issued.iter().find(|known| known.draft == draft)?;
        (issued.issued_at.plus(within) >= self.clock.now()).then_some(issued)
    }

    /// The credit note is taxed as its invoice was, and comes from whoever issued that.
    fn credit_draft(
        &self,
        number: WalletNumber,
        command: &CreditInvoice,
        taken: &[LineTaken],
        invoice: u64,
    ) -> Result<InvoiceDraft, Broken> {
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let issued = self.issued_invoice(wallet, invoice).ok_or(Broken("an unknown invoice"))?;
        let enterprise = self.enterprise(wallet.enterprise);
        let enterprise = enterprise.ok_or(Broken("a wallet without an enterprise"))?;
        let drafted = wallet.invoicing.as_ref().map_or(0, |invoicing| invoicing.drafted);
        // Another issuer's name does not belong on it.
        let issuer = Some(&self.settings.tax)
            .filter(|issuer| issuer.issuer_country == issued.issuer_country);

        let mut lines = Vec::with_capacity(taken.len());
        for part in taken {
            let line = issued.line(part.line).ok_or(Broken("a credit of no line"))?;
            let amount = part.amount.negated()?;
            lines.push(InvoiceLine { quantity: None, amount, ..line.clone() });
        }
        let taken = Amount::sum(taken.iter().map(|taken| taken.amount))?;
        let tax_taken = issued.tax_on(taken, wallet.currency)?;
        let (net, tax) = (taken.negated()?, tax_taken.negated()?);
        Ok(InvoiceDraft {
            draft: draft_name(number, drafted),
            corrects: Some(issued.number.clone()),
            reason: Some(command.reason.clone()),
            billing_account: wallet.id.clone(),
            enterprise: enterprise.id.clone(),
            enterprise_name: enterprise.name.clone(),
            country: enterprise.country,
            tax_id: enterprise.tax_id.clone(),
            language: enterprise.language.clone(),
            recipients: self.recipients(wallet, NoticeKind::Invoice),
            time_zone: wallet.zone,
            from: issued.from,
            until: issued.until,
            issuer_country: issued.issuer_country,
            issuer_name: issuer.and_then(|issuer| issuer.issuer_name.clone()),
            issuer_address: issuer.and_then(|issuer| issuer.issuer_address.clone()),
            issuer_tax_id: issuer.and_then(|issuer| issuer.issuer_tax_id.clone()),
            currency: wallet.currency,
            lines,
            top_ups: Vec::new(),
            net,
            tax_rate: issued.tax_rate,
            tax_note: issued.tax_note,
            tax,
            total: net.plus(tax)?,
            settlement_currency: issued.settlement.map(|settlement| settlement.currency),
            settled: issued.settled(taken, tax_taken)?,
            awaits_approval: false,
        })
    }

    pub(super) fn apply_credit(&mut self, fact: &CreditDrafted) -> Result<(), Broken> {
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        let invoicing = wallet.invoicing_mut();
        invoicing.drafted = invoicing.drafted.saturating_add(1);
        invoicing.drafts.push((*fact.draft).clone());
        let issued = invoicing.issued.iter_mut().find(|known| known.draft == fact.invoice);
        let issued = issued.ok_or(Broken("a credit of an unknown invoice"))?;
        fact.taken.iter().try_for_each(|taken| issued.take(taken))?;
        issued.net_credited = issued.net_credited.minus(fact.draft.net)?;
        issued.tax_credited = issued.tax_credited.minus(fact.draft.tax)?;
        Ok(())
    }

    /// A credit note is issued: what it takes back of each account's product becomes a negative bill, which
    /// is on no invoice again.
    pub(super) fn take_invoice_back(
        &mut self,
        number: WalletNumber,
        invoice: &Invoice,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        for part in parts_of(&invoice.lines)? {
            let bill = self.credit_bill(number, invoice, &part)?;
            let ends = self.clock.now().full_minute();
            let billed = BillIssued::of(number, bill.clone(), bill.amount, ends);
            let credit_note = Some(invoice.number.clone());
            let order = part.order.as_ref().and_then(|order| {
                self.wallet(number)?.orders.iter().find(|known| known.order == *order).cloned()
            });
            self.record(journal, BillIssued { credit_note, ..billed })?;
            match order {
                Some(order) => self.take_order_back(number, &order, part.amount, journal)?,
                None => {
                    let correction = Correction { bill, rest: Some(Cause::CreditNote) };
                    self.correct(number, &correction, journal)?;
                }
            }
        }
        Ok(())
    }

    fn credit_bill(
        &self,
        number: WalletNumber,
        invoice: &Invoice,
        part: &Part,
    ) -> Result<Bill, Broken> {
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let account = part.account.as_ref().and_then(|account| self.account_named(account));
        let product = part.product.as_ref().and_then(|name| self.book.product_named(name));
        let now = self.clock.now();
        Ok(Bill {
            number: wallet.bills_issued.saturating_add(1),
            account: account.unwrap_or(wallet.owner),
            product,
            month: wallet.zone.month_of(invoice.until.minus(Span::micros(1))),
            amount: part.amount,
            paid: Amount::ZERO,
            issued_at: now,
            order: part.order.clone(),
            // A coupon whose payment is undone counts on the invoice that comes next.
            half: wallet.zone.half_month_of(now),
        })
    }

    pub(super) fn apply_credit_bill(&mut self, fact: &BillIssued) -> Result<(), Broken> {
        let Some(wallet) = self.wallet_mut(fact.wallet)? else { return Ok(()) };
        wallet.bills_issued = fact.bill.number;
        let Some(order) = &fact.bill.order else { return Ok(()) };
        let placed = wallet.orders.iter_mut().find(|placed| placed.order == *order);
        let placed = placed.ok_or(Broken("an order that was not placed"))?;
        placed.credited = placed.credited.minus(fact.bill.amount)?;
        Ok(())
    }

    /// What was given back of an order before, its credit note only says. The order is as it was before.
    fn take_order_back(
        &mut self,
        number: WalletNumber,
        order: &Order,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let credited = order.credited.minus(amount)?;
        let amount = credited.minus(order.refunded)?.min(order.amount.minus(order.refunded)?);
        if !amount.is_positive() {
            return Ok(());
        }
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let (billing_account, name, to) = (wallet.id.clone(), order.order.clone(), RefundTo::Cash);
        let refund = RefundOrder { billing_account, order: name.clone(), amount, to };
        self.record(journal, OrderRefunded { wallet: number, order: name, amount })?;
        self.give_back_order(number, order, &refund, journal)
    }
}

/// All that is left of some lines.
fn lines_taken(
    wallet: &Wallet,
    issued: &IssuedInvoice,
    lines: &[u32],
) -> Result<Vec<LineTaken>, Refusal> {
    let mut taken: Vec<LineTaken> = Vec::with_capacity(lines.len());
    for line in lines {
        let found = issued.line(*line).ok_or(Refusal::NotFound)?;
        if taken.iter().any(|known| known.line == *line) {
            return Err(Refusal::Malformed);
        }
        let amount = left_of(wallet, found)?;
        if !amount.is_positive() {
            return Err(Refusal::InvalidAmount);
        }
        taken.push(LineTaken { line: *line, amount });
    }
    if taken.is_empty() { Err(Refusal::Malformed) } else { Ok(taken) }
}

/// So much of the lines, in their order.
fn amount_taken(
    wallet: &Wallet,
    issued: &IssuedInvoice,
    amount: Amount,
) -> Result<Vec<LineTaken>, Refusal> {
    if !amount.is_positive() || !amount.is_payable(wallet.currency) {
        return Err(Refusal::InvalidAmount);
    }
    let (mut taken, mut left) = (Vec::new(), amount);
    for (line, found) in (1..).zip(&issued.lines) {
        let amount = left_of(wallet, found)?.min(left);
        if amount.is_positive() {
            left = left.minus(amount)?;
            taken.push(LineTaken { line, amount });
        }
    }
    if left.is_positive() { Err(Refusal::InvalidAmount) } else { Ok(taken) }
}

/// What is left of a line. What coupons paid of an order has lowered the net of its invoice: nobody gets that
/// back as money.
fn left_of(wallet: &Wallet, line: &InvoiceLine) -> Result<Amount, Overflow> {
    let order = line.order.as_ref().filter(|_| line.kind == LineKind::Order);
    let Some(order) = order else { return Ok(line.amount) };
    let Some(order) = wallet.orders.iter().find(|known| known.order == *order) else {
        return Ok(line.amount);
    };
    let by_coupon = |paid: &&PaidFrom| matches!(paid.lot, Lot::CouponLot(_));
    let coupons = Amount::sum(order.payments.iter().filter(by_coupon).map(|paid| paid.amount))?;
    Ok(line.amount.min(order.amount.minus(coupons)?.minus(order.credited)?))
}

/// What lines come to by account and product, and by order, in their order.
fn parts_of(lines: &[InvoiceLine]) -> Result<Vec<Part>, Overflow> {
    let mut parts: Vec<Part> = Vec::new();
    for line in lines {
        let same = |part: &&mut Part| {
            (&part.account, &part.product, &part.order)
                == (&line.account, &line.product, &line.order)
        };
        match parts.iter_mut().find(same) {
            Some(part) => part.amount = part.amount.plus(line.amount)?,
            None => parts.push(Part {
                account: line.account.clone(),
                product: line.product.clone(),
                order: line.order.clone(),
                amount: line.amount,
            }),
        }
    }
    Ok(parts)
}

#[cfg(test)]
#[path = "crediting_tests.rs"]
mod tests;
