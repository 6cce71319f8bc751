//! Invoices as figures (R12.1 to R12.5): what belongs to a period, its net and its tax, and the bill over the tax.

use crate::BookKeeper;
use crate::bills::{IssuedBill, PaidBy};
use crate::calendar::{
    half_month_end, half_month_start, month_of, read_date, start_of_month, year_of,
};
use crate::exact::Exact;
use crate::fields::{Fields, MALFORMED, Refusal};
use crate::ledger::{Lot, Place};
use crate::passing::Due;
use crate::wallet::Kind;

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
    pub tax: Exact,
}

impl IssuedInvoice {
    pub fn total(&self) -> Exact {
        &self.net + &self.tax
    }
}

impl IssuedBill {
    /// Its amount less what coupons paid of it. What a negative bill undid of that counts again with it (R12.3).
    fn net(&self) -> Exact {
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
        let is_first = !self.invoices.iter().any(|invoice| invoice.wallet == wallet);
        let from = match is_first && is_monthly {
            true => {
                let month = month_of(&zone, end.saturating_sub(1));
                owner.invoiced_until.min(start_of_month(&zone, month))
            }
            false => owner.invoiced_until,
        };
        let bills: Vec<usize> = owner
            .issued
            .iter()
            .copied()
            .filter(|bill| {
                let bill = &self.bills[*bill];
                !bill.is_tax && !bill.invoiced && bill.last_covered() < end
            })
            .collect();
        let has_top_ups = self.entries.iter().any(|entry| {
            entry.billing_account == owner.name
                && from <= entry.at
                && entry.at < end
                && ["top_up", "remittance"].contains(&entry.cause.as_str())
        });
        self.wallets[wallet].invoiced_until = end;
        if bills.is_empty() && !has_top_ups {
            return;
        }
        let mut net = Exact::zero();
        for bill in bills {
            net += &self.bills[bill].net();
            self.bills[bill].invoiced = true;
        }
        let tax = self.tax_on(wallet, &net, end);
        let number = self.next_number((&net + &tax).is_negative());
        let issued_at = self.now;
        self.invoices.push(IssuedInvoice {
            wallet,
            number,
            from,
            until: end,
            issued_at,
            net,
            tax: tax.clone(),
        });
        self.bill_tax(wallet, tax, end);
    }

    /// Numbers are gapless by issuer and year of issue; credit notes have their own (R12.2).
    fn next_number(&self, is_credit_note: bool) -> String {
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

    /// At the rate that the registered country had on the last day of the period, rounded once (R12.4).
    fn tax_on(&self, wallet: usize, net: &Exact, end: i64) -> Exact {
        let owner = &self.wallets[wallet];
        let country = self.enterprises.get(&owner.enterprise).map(|known| known.country.as_str());
        let last_day = read_date(&owner.zone, end.saturating_sub(1));
        let rates = country.and_then(|country| self.settings.tax_rates.get(country));
        let rate = rates
            .into_iter()
            .flatten()
            .filter(|(from, _)| from.as_ref().is_none_or(|from| *from <= last_day))
            .max_by_key(|(from, _)| from.clone())
            .map(|(_, rate)| rate.clone())
            .unwrap_or_default();
        net.times(&rate).round_half_even().round_half_away(owner.currency.places)
    }

    /// The bill over the tax is paid like any other, but by no coupon, and never invoiced (R12.5). It belongs to the
    /// month of its invoice's period. A negative one undoes earlier ones; what it finds nothing to undo for becomes
    /// own cash.
    fn bill_tax(&mut self, wallet: usize, tax: Exact, end: i64) {
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
