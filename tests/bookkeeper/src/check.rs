//! The proof that nothing was made or lost (R1.2, R1.3): every figure is worked out again another way.

use crate::BookKeeper;
use crate::bills::{IssuedBill, PaidBy};
use crate::currency::Currency;
use crate::exact::Exact;
use crate::invoices::IssuedInvoice;
use crate::ledger::{Lot, Place};
use crate::payments::Purpose;
use crate::rating::price_of;
use crate::usage::QuantityKey;
use crate::wallet::{Kind, Wallet};
use std::collections::BTreeMap;

fn agree(what: impl Fn() -> String, found: &Exact, expected: &Exact) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{} is {found} and should be {expected}", what()))
    }
}

impl BookKeeper {
    /// Checks every total against the ledger and against what it is made of. Err says the first difference.
    pub fn check(&self) -> Result<(), String> {
        self.check_ledger_is_balanced()?;
        self.check_entries()?;
        self.check_bills()?;
        self.check_quantities()?;
        self.check_invoices()?;
        let mut charged = vec![Exact::zero(); self.wallets.len()];
        for (key, month) in &self.quantities {
            charged[key.wallet] += &month.charged;
        }
        self.check_parts(&charged)?;
        for (number, wallet) in self.wallets.iter().enumerate() {
            self.check_lots(number, wallet)?;
            self.check_charges(number, wallet, &charged[number])?;
            self.check_payments(number, wallet)?;
        }
        Ok(())
    }

    /// Debits equal credits per currency, and nothing is left between two wallets.
    fn check_ledger_is_balanced(&self) -> Result<(), String> {
        let mut totals: BTreeMap<&str, Exact> = BTreeMap::new();
        for ((currency, place), balance) in self.ledger.balances() {
            *totals.entry(currency.code).or_default() += balance;
            if *place == Place::InFlight {
                agree(|| format!("money in flight in {}", currency.code), balance, &Exact::zero())?;
            }
        }
        self.check_remittances()?;
        for (currency, total) in totals {
            agree(|| format!("the sum of all places in {currency}"), &total, &Exact::zero())?;
        }
        Ok(())
    }

    /// What waits to be claimed is what has come and has not been claimed (R7.3).
    fn check_remittances(&self) -> Result<(), String> {
        let mut waits: BTreeMap<Currency, Exact> = BTreeMap::new();
        for remittance in self.remittances.values() {
            let sum = waits.entry(remittance.currency).or_default();
            if !remittance.claimed {
                *sum += &remittance.amount;
            }
        }
        for (currency, sum) in waits {
            let balance = self.ledger.balance(currency, Place::Unclaimed);
            agree(|| format!("what is unclaimed in {}", currency.code), &balance, &sum)?;
        }
        Ok(())
    }

    /// Each entry begins where the one before it in the same lot ended, and the last one ends at what the lot holds.
    fn check_entries(&self) -> Result<(), String> {
        let read = |text: &str| {
            Exact::read_any(text).map(|(value, _)| value).ok_or(format!("`{text}` is no amount"))
        };
        let mut held: BTreeMap<(&str, &str, &str), Exact> = BTreeMap::new();
        for entry in &self.entries {
            let lot = held.entry((&entry.billing_account, &entry.asset, &entry.lot)).or_default();
            agree(|| format!("`before` of entry {}", entry.number), &read(&entry.before)?, lot)?;
            *lot += &read(&entry.amount)?;
            agree(|| format!("`after` of entry {}", entry.number), &read(&entry.after)?, lot)?;
        }
        for wallet in &self.wallets {
            for lot in lots_of(wallet) {
                let key = (wallet.name.as_str(), lot.asset(), lot.name());
                let by_entries =
                    held.get(&(key.0, key.1, key.2.as_str())).cloned().unwrap_or_default();
                agree(|| format!("{key:?} by its entries"), &by_entries, &wallet.held(&lot))?;
            }
        }
        Ok(())
    }

    fn check_lots(&self, number: usize, wallet: &Wallet) -> Result<(), String> {
        for lot in lots_of(wallet) {
            let what = || format!("{} {} of {}", lot.asset(), lot.name(), wallet.name);
            let held = wallet.held(&lot);
            agree(
                what,
                &self.ledger.balance(wallet.currency, Place::Lot(number, lot.clone())),
                &held,
            )?;
            if held.is_negative() && lot != Lot::Quota {
                return Err(format!("{} is below zero", what()));
            }
        }
        for received in &wallet.received {
            if received.balance > received.sent_less_revoked {
                return Err(format!(
                    "{} holds more of {} than was sent",
                    wallet.name, received.sender
                ));
            }
        }
        Ok(())
    }

    /// Every bill's payments make up what is paid of it, and the wallet's unpaid parts are those of its bills.
    fn check_bills(&self) -> Result<(), String> {
        let mut unpaid: BTreeMap<(usize, _), Exact> = BTreeMap::new();
        for (position, bill) in self.bills.iter().enumerate() {
            let name = || format!("what is paid of bill {}", position + 1);
            if bill.amount.is_negative() {
                agree(name, &bill.paid, &bill.amount)?;
            } else {
                let mut payments = Exact::zero();
                for payment in &bill.payments {
                    payments += &(&payment.amount - &payment.returned);
                }
                agree(name, &payments, &bill.paid)?;
                if bill.paid.is_negative() || bill.unpaid().is_negative() {
                    return Err(format!("{} is {} of {}", name(), bill.paid, bill.amount));
                }
                self.check_correction_is_negative(bill)?;
            }
            *unpaid.entry((bill.wallet, bill.month)).or_default() += &bill.unpaid();
            let currency = self.wallets[bill.wallet].currency;
            let waits = self.wallets[bill.wallet].waiting.get(&position);
            let mut balance = -&bill.unpaid();
            balance += &waits.map(|(_, rest)| rest.clone()).unwrap_or_default();
            agree(name, &self.ledger.balance(currency, Place::Bill(position)), &balance)?;
            if self.wallets[bill.wallet].unpaid.contains(&position) == bill.unpaid().is_zero() {
                return Err(format!("bill {} is wrongly listed as unpaid or paid", position + 1));
            }
        }
        for (number, wallet) in self.wallets.iter().enumerate() {
            for (month, amount) in &wallet.unpaid_by_month {
                let of_bills = unpaid.get(&(number, *month)).cloned().unwrap_or_default();
                agree(|| format!("unpaid of {} in {month}", wallet.name), amount, &of_bills)?;
            }
        }
        Ok(())
    }

    /// One payment of bills is in flight at most, and what is held is held for it.
    fn check_payments(&self, number: usize, wallet: &Wallet) -> Result<(), String> {
        let mut held = Exact::zero();
        let mut on_the_way = Exact::zero();
        for (position, payment) in self.payments.iter().enumerate() {
            if payment.wallet != number || !payment.is_under_way() {
                continue;
            }
            let is_of_bills = match &payment.purpose {
                Purpose::Bills(parts) => {
                    let parts: Exact = parts.iter().map(|(_, part)| part).sum();
                    agree(|| format!("payment {}", position + 1), &payment.amount, &parts)?;
                    true
                }
                Purpose::Order(order) => {
                    for (_, part) in &order.held {
                        held += part;
                    }
                    true
                }
                Purpose::Request { by_balance, .. } => {
                    on_the_way += by_balance;
                    true
                }
                Purpose::TopUp(_) | Purpose::NoMoney => false,
            };
            if is_of_bills && wallet.in_flight != Some(position) {
                return Err(format!("payment {} is in flight beside another", position + 1));
            }
        }
        if wallet.in_flight.is_none() && !(wallet.waiting.is_empty() && wallet.set_aside.is_empty())
        {
            return Err(format!("{} waits for the result of no payment", wallet.name));
        }
        let way = self.ledger.balance(wallet.currency, Place::OnTheWay(number));
        agree(|| format!("what {} has on its way", wallet.name), &way, &on_the_way)?;
        let balance = self.ledger.balance(wallet.currency, Place::Held(number));
        agree(|| format!("what {} holds for orders", wallet.name), &balance, &held)
    }

    fn check_correction_is_negative(&self, bill: &IssuedBill) -> Result<(), String> {
        for payment in &bill.payments {
            if let PaidBy::Correction(negative) = payment.by
                && !self.bills[negative].amount.is_negative()
            {
                return Err(format!(
                    "bill {} corrects another without being negative",
                    negative + 1
                ));
            }
        }
        Ok(())
    }

    /// What was charged is P(Q) for every month's quantity, and the charges of all accounts are the sum of it.
    fn check_quantities(&self) -> Result<(), String> {
        let mut by_account: BTreeMap<&str, Exact> = BTreeMap::new();
        for (key, month) in &self.quantities {
            let QuantityKey { account, product, meter, .. } = key;
            let costs =
                price_of(&self.prices.price(key.price).model, &month.quantity, month.records);
            agree(
                || format!("the charge of {account} for {product} {meter} in {}", key.month),
                &month.charged,
                &costs,
            )?;
            *by_account.entry(account).or_default() += &costs;
        }
        for (account, total) in &self.charged_by_account {
            let costs = by_account.get(account.as_str()).cloned().unwrap_or_default();
            agree(|| format!("the charges of {account}"), total, &costs)?;
        }
        Ok(())
    }

    /// The parts that lines are made of come to all that was charged (R12.3).
    fn check_parts(&self, charged: &[Exact]) -> Result<(), String> {
        let mut parts = vec![Exact::zero(); self.wallets.len()];
        for ((wallet, ..), open) in &self.open_parts {
            parts[*wallet] += &open.values().map(|part| &part.amount).sum::<Exact>();
        }
        for (bill, billed) in &self.bill_parts {
            let sum: Exact = billed.values().map(|part| &part.amount).sum();
            parts[self.bills[*bill].wallet] += &sum;
        }
        for (number, charged) in charged.iter().enumerate() {
            let what = || format!("the parts of the charges of {}", self.wallets[number].name);
            agree(what, &parts[number], charged)?;
        }
        Ok(())
    }

    /// Lines come to the net, bills over tax to the taxes, and no more is taken back than there was (R12.2 to R12.5).
    fn check_invoices(&self) -> Result<(), String> {
        let mut taxes = vec![Exact::zero(); self.wallets.len()];
        for invoice in &self.invoices {
            let shown: Exact = invoice.lines.iter().map(|line| &line.amount).sum();
            agree(|| format!("the sum of the lines of {}", invoice.number), &shown, &invoice.net)?;
            let is_credit = |note: &&IssuedInvoice| {
                note.reason.is_some() && note.corrects.as_ref() == Some(&invoice.number)
            };
            let back: Exact = self.invoices.iter().filter(is_credit).map(|note| &note.net).sum();
            let what = || format!("what is taken back of {}", invoice.number);
            agree(what, &invoice.credited.net, &-&back)?;
            if invoice.credited.net > invoice.net.clone().at_least_zero() {
                return Err(format!("{} is more than there was", what()));
            }
            taxes[invoice.wallet] += &invoice.tax;
        }
        for bill in self.bills.iter().filter(|bill| bill.is_tax) {
            taxes[bill.wallet] -= &bill.amount;
        }
        for (number, tax) in taxes.iter().enumerate() {
            let what = || format!("tax of {} that is not billed", self.wallets[number].name);
            agree(what, tax, &Exact::zero())?;
        }
        Ok(())
    }

    /// Bills are the rounded sum of the exact charges of each month (R1.2); what is open is not yet billed.
    fn check_charges(&self, number: usize, wallet: &Wallet, charged: &Exact) -> Result<(), String> {
        let mut billed: BTreeMap<(&str, &str, _), Exact> = BTreeMap::new();
        for bill in wallet.usage_bills.values().flatten().map(|position| &self.bills[*position]) {
            *billed.entry((&bill.account, &bill.product, bill.month)).or_default() += &bill.amount;
        }
        let mut exact = wallet.unbilled();
        for ((account, product, month), so_far) in &wallet.months {
            let what =
                || format!("what {} was billed for {account}, {product} in {month}", wallet.name);
            agree(what, &so_far.billed, &so_far.exact.round_half_away(wallet.currency.places))?;
            let of_bills = billed
                .get(&(account.as_str(), product.as_str(), *month))
                .cloned()
                .unwrap_or_default();
            agree(what, &of_bills, &so_far.billed)?;
            exact += &so_far.exact;
        }
        agree(|| format!("the charges of {}", wallet.name), &exact, charged)?;
        let open = self.ledger.balance(wallet.currency, Place::OpenCharges(number));
        agree(|| format!("the open charges of {}", wallet.name), &open, &-&wallet.unbilled())
    }
}

/// Every lot this wallet has ever had.
fn lots_of(wallet: &Wallet) -> Vec<Lot> {
    if wallet.kind == Kind::Ecosystem {
        return vec![Lot::Quota];
    }
    let mut lots = vec![Lot::OwnCash];
    lots.extend(wallet.received.iter().map(|received| Lot::CashFrom(received.sender.clone())));
    lots.extend(wallet.credit_refunds.keys().map(|month| Lot::CreditRefund(*month)));
    lots.extend(wallet.coupons.iter().map(|(id, coupon)| match coupon.cash {
        true => Lot::CashCoupon(id.clone()),
        false => Lot::Coupon(id.clone()),
    }));
    lots
}
