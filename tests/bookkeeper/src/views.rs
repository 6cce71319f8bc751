//! What can be looked at.

use crate::BookKeeper;
use crate::exact::Exact;
use crate::ledger::Place;
use crate::wallet::Kind;
use std::collections::BTreeMap;

/// A bill as issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Its name: the billing account's, and its number among that one's bills.
    pub bill: String,
    pub billing_account: String,
    pub account: String,
    pub product: String,
    /// The month it belongs to, as `2026-03`.
    pub month: String,
    /// The end of its cycle; for an order the time of its issue.
    pub cycle_end: i64,
    pub issued_at: i64,
    /// The order, if it is the bill of one.
    pub order: Option<String>,
    pub amount: String,
    pub paid: String,
}

/// An order as bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub order: String,
    pub bill: String,
    pub amount: String,
    pub refunded: String,
    /// When its plan renews next, if it is the last of one that goes on.
    pub renews_at: Option<i64>,
}

/// A payment by a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub billing_account: String,
    pub cause: String,
    pub method: String,
    pub amount: String,
    pub currency: String,
    /// `pending`, `delayed`, `succeeded` or `declined`.
    pub status: String,
    /// When the gateway was first asked.
    pub at: i64,
}

/// A request to pay (R10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRequest {
    pub request: String,
    /// The billing accounts that ask and that are asked.
    pub requester: String,
    pub payer: String,
    pub amount: String,
    pub status: String,
    pub in_flight: String,
}

/// An invoice as figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    pub billing_account: String,
    pub number: String,
    pub is_credit_note: bool,
    /// The invoice that a credit note names.
    pub corrects: Option<String>,
    pub reason: Option<String>,
    /// The first instant of its period, and the first after it.
    pub from: i64,
    pub until: i64,
    pub issued_at: i64,
    pub net: String,
    pub tax_rate: String,
    pub tax: String,
    /// `rated`, `not_listed` or `reverse_charge`.
    pub tax_note: String,
    pub total: String,
    pub lines: Vec<Line>,
}

/// A line of an invoice (R12.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `usage`, `adjustment`, `order`, `coupons` or `rounding`.
    pub kind: String,
    pub account: Option<String>,
    pub product: Option<String>,
    pub meter: Option<String>,
    pub region: Option<String>,
    pub tier: Option<usize>,
    pub order: Option<String>,
    pub quantity: Option<String>,
    pub amount: String,
}

/// What the owner of a billing account was told, once however many recipients there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub billing_account: String,
    pub kind: String,
    pub at: i64,
}

/// A change of an asset (R4.4). Before and after are those of the lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub number: u64,
    pub at: i64,
    pub billing_account: String,
    pub asset: String,
    pub lot: String,
    pub before: String,
    pub amount: String,
    pub after: String,
    pub cause: String,
    pub remark: String,
    /// The bill that it concerns.
    pub bill: Option<String>,
}

impl BookKeeper {
    /// The view `balance`, as of the instant up to which time has passed.
    pub fn balance(&self, billing_account: &str) -> Option<BTreeMap<String, String>> {
        let wallet = *self.wallet_numbers.get(billing_account)?;
        let owner = &self.wallets[wallet];
        let mut view = BTreeMap::new();
        let mut show = |name: &str, value: String| {
            view.insert(name.to_string(), value);
        };
        show("currency", owner.currency.code.to_string());
        let state = match owner.deregistered_at {
            Some(_) => "deregistered",
            None if owner.frozen => "frozen",
            None => "valid",
        };
        show("state", state.to_string());
        show("available", owner.available().to_string());
        show("overdue", self.is_overdue(wallet).to_string());
        match owner.kind {
            Kind::Ecosystem => {
                show("quota", owner.quota.to_string());
                show("quota_consumed", owner.quota_consumed.to_string());
                show("unbilled", owner.unbilled().to_string());
            }
            Kind::Direct => {
                let this_month = owner.month_of(self.dated);
                let (mut current, mut previous) = (Exact::zero(), Exact::zero());
                for (month, unsettled) in owner.unsettled() {
                    let sum = if month < this_month { &mut previous } else { &mut current };
                    *sum += &unsettled;
                }
                show("cash", owner.cash().to_string());
                show("cash_transferred_in", owner.cash_transferred_in().to_string());
                show("credit_limit", owner.credit_limit.to_string());
                show(
                    "credit_limit_pending",
                    owner.pending_limit.clone().unwrap_or_default().to_string(),
                );
                show("credit_refund", owner.credit_refund().to_string());
                show("unsettled_current", current.to_string());
                show("unsettled_previous", previous.to_string());
                show("transferable", owner.transferable().to_string());
                let held = self.ledger.balance(owner.currency, Place::Held(wallet));
                let on_the_way = self.ledger.balance(owner.currency, Place::OnTheWay(wallet));
                show("in_flight", (&held + &on_the_way).to_string());
            }
        }
        Some(view)
    }

    /// The view `due`: what is owed of issued bills, and what the balance covers of it.
    pub fn due(&self, billing_account: &str) -> Option<BTreeMap<String, String>> {
        let wallet = *self.wallet_numbers.get(billing_account)?;
        let (owed, covered) = self.due_now(wallet);
        let remainder = &owed - &covered;
        let figures = [("owed", owed), ("covered_by_balance", covered), ("remainder", remainder)];
        Some(
            figures
                .into_iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        )
    }

    /// Every payment by a method, in order.
    pub fn payments(&self) -> Vec<Payment> {
        let show = |payment: &crate::payments::MethodPayment| Payment {
            billing_account: self.wallets[payment.wallet].name.clone(),
            cause: payment.cause.to_string(),
            method: payment.method.clone(),
            amount: payment.amount.to_string(),
            currency: payment.currency.code.to_string(),
            status: payment.status.name().to_string(),
            at: payment.at,
        };
        self.payments.iter().map(show).collect()
    }

    /// The methods of a billing account, the longest linked first: name, state, and whether it is preferred.
    pub fn payment_methods(&self, billing_account: &str) -> Vec<(String, String, bool)> {
        let Some(wallet) = self.wallet_numbers.get(billing_account) else { return Vec::new() };
        let owner = &self.wallets[*wallet];
        let show = |method: &crate::methods::Method| {
            let state = if owner.is_active(method, self.dated) { "active" } else { "inactive" };
            let preferred = owner.preferred.as_ref() == Some(&method.name);
            (method.name.clone(), state.to_string(), preferred)
        };
        owner.methods.iter().map(show).collect()
    }

    /// The view `service` of an account: its state, and since when.
    pub fn service(&self, account: &str) -> Option<(String, i64)> {
        let service = &self.accounts.get(account)?.service;
        let state = if service.suspended { "suspended" } else { "running" };
        Some((state.to_string(), service.since))
    }

    /// The requests to pay, by name.
    pub fn payment_requests(&self) -> Vec<PaymentRequest> {
        let show = |(id, request): (&String, &crate::requests::Request)| PaymentRequest {
            request: id.clone(),
            requester: self.wallets[request.requester].name.clone(),
            payer: self.wallets[request.payer].name.clone(),
            amount: request.amount.to_string(),
            status: request.state.name().to_string(),
            in_flight: request.on_the_way.to_string(),
        };
        self.requests.iter().map(show).collect()
    }

    /// The bank transfers that named no account, by reference, and whether they are claimed.
    pub fn remittances(&self) -> Vec<(String, String, bool)> {
        let all = self.remittances.iter();
        all.map(|(reference, known)| (reference.clone(), known.amount.to_string(), known.claimed))
            .collect()
    }

    /// The benefits of a billing account in the order of buying: name, what was covered and drawn in all, and what is
    /// left (of this hour).
    pub fn benefits(&self, billing_account: &str) -> Vec<[String; 4]> {
        let Some(wallet) = self.wallet_numbers.get(billing_account) else { return Vec::new() };
        let hour = crate::calendar::hour_of(&self.wallets[*wallet].zone, self.now);
        let own = self.benefits.iter().filter(|benefit| benefit.wallet == *wallet);
        own.map(|benefit| {
            let figures =
                [&benefit.covered, &benefit.drawn, &benefit.left(hour)].map(Exact::to_string);
            let [covered, drawn, left] = figures;
            [benefit.name.clone(), covered, drawn, left]
        })
        .collect()
    }

    /// Every invoice, in the order of issue.
    pub fn invoices(&self) -> Vec<Invoice> {
        let show_line = |line: &crate::lines::InvoiceLine| Line {
            kind: line.kind.name().to_string(),
            account: line.account.clone(),
            product: line.product.clone(),
            meter: line.meter.clone(),
            region: line.region.clone(),
            tier: line.tier,
            order: line.order.clone(),
            quantity: line.quantity.as_ref().map(Exact::to_string),
            amount: line.amount.to_string(),
        };
        let show = |invoice: &crate::invoices::IssuedInvoice| Invoice {
            billing_account: self.wallets[invoice.wallet].name.clone(),
            number: invoice.number.clone(),
            is_credit_note: invoice.total().is_negative(),
            corrects: invoice.corrects.clone(),
            reason: invoice.reason.clone(),
            from: invoice.from,
            until: invoice.until,
            issued_at: invoice.issued_at,
            net: invoice.net.to_string(),
            tax_rate: invoice.tax_rate.to_string(),
            tax: invoice.tax.to_string(),
            tax_note: invoice.tax_note.name().to_string(),
            total: invoice.total().to_string(),
            lines: invoice.lines.iter().map(show_line).collect(),
        };
        self.invoices.iter().map(show).collect()
    }

    /// The orders of a billing account in the order of their bills.
    pub fn orders(&self, billing_account: &str) -> Vec<Order> {
        let Some(wallet) = self.wallet_numbers.get(billing_account) else { return Vec::new() };
        let mut orders: Vec<_> = self.orders.iter().filter(|((of, _), _)| of == wallet).collect();
        orders.sort_by_key(|(_, order)| order.bill);
        let renews_at = |id: &String| {
            let mut plans = self.plans.iter().filter(|((of, _), plan)| of == wallet && !plan.ended);
            plans.find(|(_, plan)| plan.running == *id).map(|(_, plan)| plan.renews_at)
        };
        let show = |((_, id), order): (&(usize, String), &crate::orders::Order)| Order {
            order: id.clone(),
            bill: self.bill_name(order.bill),
            amount: self.bills[order.bill].amount.to_string(),
            refunded: order.refunded.to_string(),
            renews_at: renews_at(id),
        };
        orders.into_iter().map(show).collect()
    }

    /// Whether top-ups are stopped under an enterprise (R11.3).
    pub fn recharge_frozen(&self, enterprise: &str) -> Option<bool> {
        self.enterprises.get(enterprise).map(|enterprise| enterprise.recharge_frozen)
    }

    /// What owners were told, in order.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.clone()
    }

    /// Every bill issued, in the order of issue.
    pub fn bills(&self) -> Vec<Bill> {
        let mut numbers = vec![0; self.wallets.len()];
        let mut name = |wallet: usize| {
            numbers[wallet] += 1;
            format!("{}.{}", self.wallets[wallet].name, numbers[wallet])
        };
        let show = |bill: &crate::bills::IssuedBill| Bill {
            bill: name(bill.wallet),
            billing_account: self.wallets[bill.wallet].name.clone(),
            account: bill.account.clone(),
            product: bill.product.clone(),
            month: bill.month.to_string(),
            cycle_end: bill.cycle_end,
            issued_at: bill.issued_at,
            order: bill.order.clone(),
            amount: bill.amount.to_string(),
            paid: bill.paid.to_string(),
        };
        self.bills.iter().map(show).collect()
    }

    /// Every change of an asset, in order.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.clone()
    }

    /// The exact charges of each account so far.
    pub fn charges_total(&self) -> BTreeMap<String, String> {
        self.charged_by_account
            .iter()
            .map(|(account, total)| (account.clone(), total.to_string()))
            .collect()
    }

    /// The coupons and cash coupons of a billing account by id, with what is left of each.
    pub fn coupons(&self, billing_account: &str) -> Vec<(String, String)> {
        let Some(wallet) = self.wallet_numbers.get(billing_account) else { return Vec::new() };
        self.wallets[*wallet]
            .coupons
            .iter()
            .map(|(id, coupon)| (id.clone(), coupon.left.to_string()))
            .collect()
    }
}
