//! Credit notes by command (R12.2): a part of an invoice is taken back, with its tax, by negative bills.

use crate::BookKeeper;
use crate::bills::IssuedBill;
use crate::exact::Exact;
use crate::fields::{Fields, INVALID_AMOUNT, MALFORMED, NOT_FOUND, Refusal};
use crate::invoices::{IssuedInvoice, tax_at};
use crate::ledger::Place;
use crate::lines::{InvoiceLine, LineKind};
use std::collections::{BTreeMap, BTreeSet};

/// An account and a product.
type Group = (String, String);

/// What has been taken back of an invoice.
#[derive(Clone, Debug, Default)]
pub struct Credited {
    pub net: Exact,
    tax: Exact,
    by_product: BTreeMap<Group, Exact>,
    /// The lines, from 0, that were named.
    lines: BTreeSet<usize>,
}

/// What a credit note takes back, and what it shows of that.
struct Credit {
    parts: BTreeMap<Group, Exact>,
    lines: Vec<InvoiceLine>,
    /// The lines of the invoice, from 0.
    named: BTreeSet<usize>,
}

impl IssuedInvoice {
    /// What has not been taken back of its net. Of a credit note nothing can be.
    fn left(&self) -> Exact {
        &self.net - &self.credited.net
    }

    fn left_of(&self, group: &Group) -> Exact {
        let net = self.nets.get(group).cloned().unwrap_or_default();
        &net - &self.credited.by_product.get(group).cloned().unwrap_or_default()
    }

    /// Takes back whole lines of what was used or ordered, each once, and not more than coupons have left of it.
    fn credit_lines(&self, numbers: &[i64]) -> Result<Credit, Refusal> {
        let mut credit =
            Credit { parts: BTreeMap::new(), lines: Vec::new(), named: BTreeSet::new() };
        for number in numbers {
            let position = usize::try_from(number.saturating_sub(1)).map_err(|_| NOT_FOUND)?;
            if position >= self.lines.len() {
                return Err(NOT_FOUND);
            }
            credit.named.insert(position);
        }
        let mut sum = Exact::zero();
        for position in &credit.named {
            let line = &self.lines[*position];
            let (Some(account), Some(product)) = (&line.account, &line.product) else {
                return Err(INVALID_AMOUNT);
            };
            if self.credited.lines.contains(position) || !line.amount.is_positive() {
                return Err(INVALID_AMOUNT);
            }
            sum += &line.amount;
            let group = (account.clone(), product.clone());
            *credit.parts.entry(group).or_default() += &line.amount;
            credit.lines.push(InvoiceLine {
                amount: -&line.amount,
                quantity: line.quantity.as_ref().map(|quantity| -quantity),
                ..line.clone()
            });
        }
        let is_too_much = |(group, part): (&Group, &Exact)| *part > self.left_of(group);
        if sum > self.left() || credit.parts.iter().any(is_too_much) {
            return Err(INVALID_AMOUNT);
        }
        Ok(credit)
    }

    /// Takes back an amount, of each account and product in proportion to what is left of it.
    fn credit_amount(&self, amount: &Exact, places: u32) -> Result<Credit, Refusal> {
        if *amount > self.left() {
            return Err(INVALID_AMOUNT);
        }
        let groups: Vec<(&Group, Exact)> = self
            .nets
            .keys()
            .map(|group| (group, self.left_of(group)))
            .filter(|(_, left)| left.is_positive())
            .collect();
        let all: Exact = groups.iter().map(|(_, left)| left).sum();
        let mut credit =
            Credit { parts: BTreeMap::new(), lines: Vec::new(), named: BTreeSet::new() };
        let (mut reached, mut given) = (Exact::zero(), Exact::zero());
        for (group, left) in groups {
            reached += &left;
            let by_then = amount.part_of(&reached, &all).round_half_away(places);
            let part = &by_then - &given;
            if !part.is_positive() {
                continue;
            }
            given = by_then;
            credit.lines.push(InvoiceLine {
                account: Some(group.0.clone()),
                product: Some(group.1.clone()),
                ..InvoiceLine::new(LineKind::Adjustment, -&part)
            });
            credit.parts.insert(group.clone(), part);
        }
        Ok(credit)
    }
}

impl BookKeeper {
    /// Negative bills over net and tax, which undo what paid and are on no invoice again. Charges and what later bills
    /// come to stay as they are.
    pub(crate) fn credit_invoice(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let number = fields.text("invoice")?;
        let reason = fields.text("reason")?.to_string();
        let wanted = fields.wholes("lines")?;
        let is_meant = |invoice: &IssuedInvoice| {
            let age = self.now.saturating_sub(invoice.issued_at);
            invoice.number == number && self.settings.credit_within.is_none_or(|most| age <= most)
        };
        let position = self.invoices.iter().position(is_meant).ok_or(NOT_FOUND)?;
        let corrected = &self.invoices[position];
        let wallet = corrected.wallet;
        self.wallet_number(&self.wallets[wallet].name)?;
        let currency = self.wallets[wallet].currency;
        let credit = match (wanted, fields.has("amount")) {
            (Some(lines), false) if !lines.is_empty() => corrected.credit_lines(&lines)?,
            (None, true) => {
                let amount = fields.amount("amount", currency)?;
                corrected.credit_amount(&amount, currency.places)?
            }
            _ => return Err(MALFORMED),
        };

        let net: Exact = credit.parts.values().sum();
        // Together the taxes come to that of the invoice.
        let so_far = tax_at(&corrected.tax_rate, &(&corrected.credited.net + &net), currency);
        let tax = &so_far - &corrected.credited.tax;
        let note = IssuedInvoice {
            number: self.next_number(true),
            issued_at: self.now,
            net: -&net,
            tax: -&tax,
            lines: credit.lines,
            corrects: Some(corrected.number.clone()),
            reason: Some(reason),
            nets: BTreeMap::new(),
            credited: Credited::default(),
            ..corrected.clone()
        };
        let until = corrected.until;
        self.invoices.push(note);
        let credited = &mut self.invoices[position].credited;
        credited.net += &net;
        credited.tax += &tax;
        credited.lines.extend(credit.named);
        for (group, part) in &credit.parts {
            *credited.by_product.entry(group.clone()).or_default() += part;
        }
        for ((account, product), part) in credit.parts {
            self.bill_credit(wallet, account, product, -&part, until);
        }
        self.bill_tax(wallet, -&tax, until);
        self.write_off_after_issue(wallet);
        self.charge_what_is_due(wallet, true);
        Ok(())
    }

    /// A negative bill over what is taken back. It belongs to the month of the invoice's period.
    fn bill_credit(
        &mut self,
        wallet: usize,
        account: String,
        product: String,
        amount: Exact,
        until: i64,
    ) {
        let month = self.wallets[wallet].month_of(until.saturating_sub(1));
        let currency = self.wallets[wallet].currency;
        let bill = self.enter_bill(IssuedBill {
            wallet,
            account,
            product,
            month,
            cycle_end: self.now,
            issued_at: self.now,
            order: None,
            amount: amount.clone(),
            is_tax: false,
            is_credit: true,
            invoiced: true,
            coupons_undone: Exact::zero(),
            paid: Exact::zero(),
            payments: Vec::new(),
        });
        self.ledger.move_money(currency, Place::Bill(bill), Place::World, &amount);
        self.undo_payments(bill);
    }
}
