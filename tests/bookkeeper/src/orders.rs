//! Orders: bought with a bill that is issued and paid at once (R5.8).

use crate::BookKeeper;
use crate::bills::{IssuedBill, PaidBy};
use crate::coupons::{Payable, plan_coupons};
use crate::exact::Exact;
use crate::fields::{Fields, MALFORMED, Refusal};
use crate::ledger::{Lot, Place};
use crate::payments::Purpose;
use crate::plans::{Renewal, Terms};
use crate::rights::Right;
use crate::wallet::Kind;
use std::collections::BTreeMap;

/// An order that was bought.
pub struct Order {
    pub bill: usize,
    /// What has been refunded of it so far.
    pub refunded: Exact,
    /// Whether a part of it was left unpaid on the credit limit when it was bought.
    pub on_credit: bool,
}

/// An order whose payment is in flight, and what is set aside for it.
#[derive(Clone, Debug)]
pub struct PendingOrder {
    pub id: String,
    account: String,
    product: String,
    amount: Exact,
    pub held: Vec<(Lot, Exact)>,
    pub renewal: Renewal,
}

/// What buying would come to.
struct Trial {
    payments: Vec<(Lot, Exact)>,
    /// What neither coupons nor the wallet would pay.
    rest: Exact,
    /// Available credit with the order bought and the rest unpaid.
    available: Exact,
}

impl BookKeeper {
    pub(crate) fn place_order(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let wallet_name = fields.text("billing_account")?;
        let id = fields.new_id("order")?.to_string();
        let named_account = fields.optional_text("account")?;
        let product = fields.optional_text("product")?.unwrap_or("").to_string();
        let method = fields.optional_text("method")?;
        // Later periods are called after the first order.
        let renewal = match fields.flag("renews")? {
            Some(true) if id.len() > 58 => return Err(MALFORMED),
            Some(true) => Renewal::First,
            _ => Renewal::None,
        };
        if let Some(account) = named_account {
            self.account(account)?;
        }
        let wallet = self.asked_wallet(wallet_name, Right::Pay)?;
        self.not_frozen(wallet)?;
        if method.is_some() {
            self.direct_wallet(wallet_name)?;
        }
        let owner = &self.wallets[wallet];
        let account_id = named_account.unwrap_or(&owner.owner).to_string();
        let account = self.account(&account_id)?;
        if self.orders.contains_key(&(wallet, id.clone())) || self.is_pending(wallet, &id) {
            return Err("already_exists");
        }
        if account.enterprise != owner.enterprise {
            return Err("different_enterprise");
        }
        if account.closed_at.is_some() {
            return Err("account_closed");
        }
        let amount = fields.amount("amount", owner.currency)?;
        self.buy(wallet, id, account_id, product, amount, method, renewal)
    }

    /// Buys, or refuses for what the billing account is or has.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn buy(
        &mut self,
        wallet: usize,
        id: String,
        account_id: String,
        product: String,
        amount: Exact,
        method: Option<&str>,
        renewal: Renewal,
    ) -> Result<(), Refusal> {
        let owner = &self.wallets[wallet];
        if let Some(name) = method {
            let linked = owner.method(name).ok_or("method_not_allowed")?;
            if !owner.is_active(linked, self.dated) {
                return Err("no_method");
            }
        }
        if self.is_overdue(wallet) {
            return Err("overdue");
        }
        if method.is_some() && owner.in_flight.is_some() {
            return Err("payment_in_progress");
        }
        let terms = Terms {
            account: account_id.clone(),
            product: product.clone(),
            amount: amount.clone(),
            method: method.map(str::to_string),
        };
        match self.wallets[wallet].kind {
            Kind::Ecosystem => {
                if self.wallets[wallet].available() < amount {
                    return Err("insufficient_funds");
                }
                let bill = self.issue_order(wallet, &id, account_id, product, amount);
                self.consume_quota(bill);
                self.orders.insert(
                    (wallet, id.clone()),
                    Order { bill, refunded: Exact::zero(), on_credit: false },
                );
                self.plan_goes_on(wallet, &id, renewal, terms);
            }
            Kind::Direct => {
                let trial = self.try_purchase(wallet, &product, &amount);
                if let Some(method) = method
                    && trial.rest.is_positive()
                {
                    let order = PendingOrder {
                        id,
                        account: account_id,
                        product,
                        amount,
                        held: trial.payments,
                        renewal,
                    };
                    self.charge_for_order(wallet, method, trial.rest, order);
                    return Ok(());
                }
                let on_credit = trial.rest.is_positive();
                let limit_carries = self.wallets[wallet].credit_limit.is_positive()
                    && !trial.available.is_negative();
                if on_credit && !limit_carries {
                    return Err("insufficient_funds");
                }
                let bill = self.issue_order(wallet, &id, account_id, product, amount);
                for (lot, part) in trial.payments {
                    self.pay_from_lot(bill, &lot, &part, "bill");
                }
                let order = Order { bill, refunded: Exact::zero(), on_credit };
                self.orders.insert((wallet, id.clone()), order);
                self.plan_goes_on(wallet, &id, renewal, terms);
                self.write_off_after_issue(wallet);
                self.charge_what_is_due(wallet, true);
            }
        }
        Ok(())
    }

    /// Whether an order of this name waits for its payment.
    fn is_pending(&self, wallet: usize, id: &str) -> bool {
        let in_flight = self.wallets[wallet].in_flight.map(|payment| &self.payments[payment]);
        in_flight.is_some_and(|payment| match &payment.purpose {
            Purpose::Order(order) => order.id == id,
            _ => false,
        })
    }

    /// What coupons and the wallet cover is set aside, and the method is charged the rest.
    fn charge_for_order(&mut self, wallet: usize, method: &str, rest: Exact, order: PendingOrder) {
        for (lot, part) in &order.held {
            self.change_asset(wallet, lot, &-part, Place::Held(wallet), "held", &order.id);
        }
        self.charge_method(wallet, "order", method, rest, Purpose::Order(order));
    }

    /// The payment of an order has succeeded: now it is bought.
    pub(crate) fn buy_with_method(&mut self, wallet: usize, payment: usize, order: PendingOrder) {
        let PendingOrder { id, account, product, amount, held, renewal } = order;
        let terms = Terms {
            account: account.clone(),
            product: product.clone(),
            amount: amount.clone(),
            method: Some(self.payments[payment].method.clone()),
        };
        let bill = self.issue_order(wallet, &id, account, product, amount);
        let currency = self.wallets[wallet].currency;
        for (lot, part) in held {
            self.ledger.move_money(currency, Place::Held(wallet), Place::Bill(bill), &part);
            self.mark_paid(bill, PaidBy::Lot(lot), &part);
        }
        let rest = self.bills[bill].unpaid();
        self.pay_by_method(bill, payment, &rest);
        let bought = Order { bill, refunded: Exact::zero(), on_credit: false };
        self.orders.insert((wallet, id.clone()), bought);
        self.plan_goes_on(wallet, &id, renewal, terms);
    }

    /// An order's bill is issued at once; it belongs to the month of its issue (R3.5).
    fn issue_order(
        &mut self,
        wallet: usize,
        id: &str,
        account: String,
        product: String,
        amount: Exact,
    ) -> usize {
        let month = self.wallets[wallet].month_of(self.now);
        self.count_as_billed(wallet, month, &product, &amount);
        let currency = self.wallets[wallet].currency;
        let bill = self.enter_bill(IssuedBill {
            wallet,
            account,
            product,
            month,
            cycle_end: self.now,
            issued_at: self.now,
            order: Some(id.to_string()),
            amount,
            is_tax: false,
            is_credit: false,
            invoiced: false,
            coupons_undone: Exact::zero(),
            paid: Exact::zero(),
            payments: Vec::new(),
        });
        self.ledger.move_money(currency, Place::Bill(bill), Place::World, &self.bills[bill].amount);
        bill
    }

    /// Tries on a copy of the wallet what buying would do.
    fn try_purchase(&self, wallet: usize, product: &str, amount: &Exact) -> Trial {
        let mut copy = self.wallets[wallet].clone();
        let month = copy.month_of(self.now);
        *copy.billed.entry(month).or_default().entry(product.to_string()).or_default() += amount;

        let by_time = BTreeMap::from([(self.now, amount.clone())]);
        let places = Some(copy.currency.places);
        let payable = Payable { product, amount: amount.clone(), by_time: &by_time, places };
        let by_coupons = plan_coupons(&copy.coupons, &payable, copy.billed.get(&month));
        let mut payments: Vec<(Lot, Exact)> =
            by_coupons.into_iter().map(|(id, pays)| (Lot::Coupon(id), pays)).collect();
        let covered: Exact = payments.iter().map(|(_, pays)| pays).sum();
        payments.extend(copy.plan_payment(product, month, &(amount - &covered), self.dated));

        let mut rest = amount.clone();
        for (lot, pays) in &payments {
            copy.change(lot, &-pays);
            rest -= pays;
        }
        let available = &copy.available() - &rest;
        Trial { payments, rest, available }
    }
}
