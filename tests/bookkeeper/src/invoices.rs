//! Invoices as figures (R12.1 to R12.5): what belongs to a period, its net and its tax, and the bill over the tax.

use crate::BookKeeper;
use crate::bills::{IssuedBill, PaidBy};
use crate::calendar::{
    half_month_end, half_month_start, month_of, read_date, start_of_month, year_of,
};
use crate::credit_notes::Credited;
use crate::currency::Currency;
use crate::exact::Exact;
use crate::fields::{Fields, MALFORMED, Refusal};
use crate::ledger::{Lot, Place};
use crate::lines::InvoiceLine;
use crate::passing::Due;
use crate::tax_ids;
use crate::views::Entry;
use crate::wallet::Kind;
use std::collections::BTreeMap;

/// The product of a bill over tax.
pub const TAX: &str = "tax";

/// An invoice, or a credit note if its total is negative.
#[derive(Clone, Debug)]
pub struct IssuedInvoice {
    pub wallet: usize,
    pub number: String,
    pub from: i64,
    pub until: i64,
    pub issued_at: i64,
    pub net: Exact,
    pub tax_rate: Exact,
    pub tax: Exact,
    /// Why the tax is what it is (R12.4).
    pub tax_note: TaxNote,
    pub lines: Vec<InvoiceLine>,
    /// The invoice that a credit note names (R12.2).
    pub corrects: Option<String>,
    pub reason: Option<String>,
    /// The net by account and product, and what has been taken back of it by credit notes.
    pub nets: BTreeMap<(String, String), Exact>,
    pub credited: Credited,
}

/// Why an invoice has the tax that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaxNote {
    /// At the rate of the registered country.
    Rated,
    /// The country is not listed, so there is no tax.
    NotListed,
    /// The tax is the customer's own affair.
    ReverseCharge,
}

impl TaxNote {
    pub fn name(self) -> &'static str {
        match self {
            TaxNote::Rated => "rated",
            TaxNote::NotListed => "not_listed",
            TaxNote::ReverseCharge => "reverse_charge",
        }
    }
}

impl IssuedInvoice {
    pub fn total(&self) -> Exact {
        &self.net + &self.tax
    }
}

impl IssuedBill {
    /// Its amount less what coupons paid of it. What a negative bill undid of that counts again with it (R12.3).
    pub fn net(&self) -> Exact {
        let mut net = &self.amount + &self.coupons_undone;
        for payment in &self.payments {
            if let PaidBy::Lot(Lot::Coupon(_)) | PaidBy::Shared(..) = payment.by {
                net -= &payment.amount;
            }
        }
        net
    }
}

impl BookKeeper {
    /// Reads the setting `invoice_schedule`: whether it is monthly.
    pub(crate) fn wanted_schedule(&self, fields: &Fields) -> Result<Option<bool>, Refusal> {
        match fields.optional_text("invoice_schedule")? {
            None => Ok(None),
            Some("monthly") => Ok(Some(true)),
            Some("semi_monthly") => Ok(Some(false)),
            Some(_) => Err(MALFORMED),
        }
    }

    /// The period of a billing account's first invoice begins with the half-month in which it was opened, or, where
    /// invoices are monthly when it ends, with the month.
    pub(crate) fn begin_invoices(&mut self, wallet: usize) {
        let owner = &mut self.wallets[wallet];
        owner.invoiced_until = half_month_start(&owner.zone, self.now);
        let end = half_month_end(&owner.zone, self.now);
        self.falls_due(end.saturating_add(self.settings.grace), Due::Invoice { wallet, end });
    }

    /// A half-month has ended at this instant, and the bills of its cycles have been issued (R12.1).
    pub(crate) fn invoice(&mut self, wallet: usize, end: i64) {
        let owner = &self.wallets[wallet];
        let zone = owner.zone.clone();
        let next = half_month_end(&zone, end);
        if next > end {
            let due = Due::Invoice { wallet, end: next };
            self.falls_due(next.saturating_add(self.settings.grace), due);
        }
        let owner = &self.wallets[wallet];
        let is_monthly = owner.monthly_invoices.unwrap_or(self.settings.monthly_invoices);
        let ends_a_month = month_of(&zone, end) != month_of(&zone, end.saturating_sub(1));
        if owner.kind == Kind::Ecosystem || (is_monthly && !ends_a_month) {
            return;
        }
        let start_of_half = half_month_start(&zone, end.saturating_sub(1));
        // What a monthly schedule had left of the half-month before is on it as well.
        let from = match is_monthly || self.has_something_to_show(wallet, start_of_half) {
            true => start_of_month(&zone, month_of(&zone, end.saturating_sub(1))),
            false => start_of_half,
        };
        let issued = self.invoices.iter().filter(|invoice| invoice.wallet == wallet);
        let from = issued.map(|invoice| invoice.until).fold(from, i64::max);
        let shows_something = self.has_something_to_show(wallet, end);
        self.wallets[wallet].invoiced_until = end;
        if !shows_something {
            return;
        }
        let bills = self.bills_to_invoice(wallet, end);
        let mut net = Exact::zero();
        let mut nets: BTreeMap<(String, String), Exact> = BTreeMap::new();
        for bill in &bills {
            let bill = &mut self.bills[*bill];
            bill.invoiced = true;
            net += &bill.net();
            *nets.entry((bill.account.clone(), bill.product.clone())).or_default() += &bill.net();
        }
        let lines = self.lines_of(&bills, &net, self.wallets[wallet].currency);
        let (tax_rate, tax_note) = self.tax_rate(wallet, end);
        let tax = tax_at(&tax_rate, &net, self.wallets[wallet].currency);
        let is_credit_note = (&net + &tax).is_negative();
        let number = self.next_number(is_credit_note);
        // A negative total names the invoice before it.
        let is_before =
            |earlier: &&IssuedInvoice| earlier.wallet == wallet && !earlier.total().is_negative();
        let before = self.invoices.iter().rev().find(is_before);
        let corrects = before.map(|earlier| earlier.number.clone()).filter(|_| is_credit_note);
        let issued_at = self.now;
        self.invoices.push(IssuedInvoice {
            wallet,
            number,
            from,
            until: end,
            issued_at,
            net,
            tax_rate,
            tax: tax.clone(),
            tax_note,
            lines,
            corrects,
            reason: None,
            nets,
            credited: Credited::default(),
        });
        self.bill_tax(wallet, tax, end);
    }

    /// Bills over what was used or ordered before this instant, which are on no invoice yet.
    fn bills_to_invoice(&self, wallet: usize, until: i64) -> Vec<usize> {
        let is_meant = |bill: &usize| {
            let bill = &self.bills[*bill];
            !bill.is_tax && !bill.invoiced && bill.last_covered() < until
        };
        self.wallets[wallet].issued.iter().copied().filter(is_meant).collect()
    }

    /// Whether there are such bills, or top-ups since the last run.
    fn has_something_to_show(&self, wallet: usize, until: i64) -> bool {
        let owner = &self.wallets[wallet];
        let is_top_up = |entry: &Entry| {
            entry.billing_account == owner.name
                && owner.invoiced_until <= entry.at
                && entry.at < until
                && ["top_up", "remittance"].contains(&entry.cause.as_str())
        };
        !self.bills_to_invoice(wallet, until).is_empty() || self.entries.iter().any(is_top_up)
    }

    /// Numbers are gapless by issuer and year of issue; credit notes have their own (R12.2).
    pub(crate) fn next_number(&self, is_credit_note: bool) -> String {
        let year = year_of(&self.settings.issuer_zone, self.now);
        let country = &self.settings.issuer_country;
        let series = match is_credit_note {
            true => format!("CN-{country}-{year}"),
            false => format!("{country}-{year}"),
        };
        let mut number = 1;
        for invoice in &self.invoices {
            if invoice.number.rsplit_once('-').is_some_and(|(before, _)| before == series) {
                number += 1;
            }
        }
        format!("{series}-{number:06}")
    }

    /// The rate that the registered country had on the last day of the period. Who has a valid tax number of another
    /// country than the issuer's pays the tax there (R12.4).
    fn tax_rate(&self, wallet: usize, end: i64) -> (Exact, TaxNote) {
        let owner = &self.wallets[wallet];
        let Some(enterprise) = self.enterprises.get(&owner.enterprise) else {
            return (Exact::zero(), TaxNote::NotListed);
        };
        let country = enterprise.country.as_str();
        let issuer = &self.settings.issuer_country;
        if tax_ids::is_reverse_charged(country, enterprise.tax_id.as_deref(), issuer) {
            return (Exact::zero(), TaxNote::ReverseCharge);
        }
        let last_day = read_date(&owner.zone, end.saturating_sub(1));
        let rate = self
            .settings
            .tax_rates
            .get(country)
            .into_iter()
            .flatten()
            .filter(|(from, _)| from.as_ref().is_none_or(|from| *from <= last_day))
            .max_by_key(|(from, _)| from.clone());
        match rate {
            Some((_, rate)) => (rate.clone(), TaxNote::Rated),
            None => (Exact::zero(), TaxNote::NotListed),
        }
    }

    /// The bill over the tax is paid like any other, but by no coupon, and never invoiced (R12.5). It belongs to the
    /// month of its invoice's period. A negative one undoes earlier ones; what it finds nothing to undo for becomes
    /// own cash.
    pub(crate) fn bill_tax(&mut self, wallet: usize, tax: Exact, end: i64) {
        if tax.is_zero() {
            return;
        }
        let owner = &self.wallets[wallet];
        let month = owner.month_of(end.saturating_sub(1));
        let (account, product) = (owner.owner.clone(), TAX.to_string());
        let currency = owner.currency;
        let bill = self.enter_bill(IssuedBill {
            wallet,
            account: account.clone(),
            product: product.clone(),
            month,
            cycle_end: self.now,
            issued_at: self.now,
            order: None,
            is_tax: true,
            is_credit: false,
            invoiced: true,
            coupons_undone: Exact::zero(),
            amount: tax.clone(),
            paid: Exact::zero(),
            payments: Vec::new(),
        });
        self.ledger.move_money(currency, Place::Bill(bill), Place::World, &tax);
        self.wallets[wallet].usage_bills.entry((account, product)).or_default().push(bill);
        if tax.is_negative() {
            self.undo_payments(bill);
        }
        self.write_off_after_issue(wallet);
    }
}

/// Tax on a net amount, rounded once (R12.4).
pub fn tax_at(rate: &Exact, net: &Exact, currency: Currency) -> Exact {
    net.times(rate).round_half_even().round_half_away(currency.places)
}
