//! Orders: something is bought for a price that is known beforehand (R5.8).

use super::coupons::Precision;
use super::fact::{BillIssued, Cause, Journal, Moved, OrderPlaced};
use super::plans::can_renew;
use super::state::{
    AccountNumber, Bill, Lot, Order, PaidFrom, ProductNumber, Wallet, WalletNumber,
};
use super::{Ledger, Undecided};
use crate::commands::PlaceOrder;
use crate::ids::{MethodId, OrderId};
use crate::money::{Amount, Overflow};
use crate::refusal::Refusal;
use crate::time::{Minute, Window};

/// What somebody wants to buy.
#[derive(Clone)]
pub(super) struct Purchase {
    pub(super) order: OrderId,
    pub(super) amount: Amount,
    pub(super) account: AccountNumber,
    pub(super) product: Option<ProductNumber>,
}

/// How an order's bill would be paid.
pub(super) struct Planned {
    /// The wallet as it would be then.
    after: Box<Wallet>,
    pub(super) payments: Vec<PaidFrom>,
    /// What coupons and wallet do not cover.
    pub(super) left: Amount,
}

impl Ledger {
    pub(super) fn place_order(
        &mut self,
        command: &PlaceOrder,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let renews = command.renews.unwrap_or_default();
        if renews && !can_renew(&command.order) {
            return Err(Refusal::Malformed.into());
        }
        let (number, wallet) = self.wallet_of(&command.billing_account)?;
        if command.method.is_some() && wallet.is_ecosystem() {
            return Err(Refusal::NotForEcosystem.into());
        }
        if wallet.has_order(&command.order) {
            return Err(Refusal::AlreadyExists.into());
        }
        let account = match &command.account {
            // The registry knows it, so it is one of another ledger, and of another enterprise.
            Some(named) => self.account_named(named).ok_or(Refusal::DifferentEnterprise)?,
            None => wallet.owner,
        };
        let buyer = self.account(account).ok_or(Refusal::NotFound)?;
        if buyer.enterprise != wallet.enterprise {
            return Err(Refusal::DifferentEnterprise.into());
        }
        if buyer.closed_at.is_some() {
            return Err(Refusal::AccountClosed.into());
        }
        if !command.amount.is_positive() || !command.amount.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        let product = command.product.as_ref().and_then(|product| self.book.product_named(product));
        let (order, amount) = (command.order.clone(), command.amount);
        let purchase = Purchase { order, amount, account, product };
        let again = renews.then(|| purchase.clone());

        self.buy_by(number, purchase, command.method.as_ref(), journal)?;
        match again {
            Some(again) => Ok(self.begin_plan(number, again, command.method.clone(), journal)?),
            None => Ok(()),
        }
    }

    /// Buys something, or begins the payment for it.
    pub(super) fn buy_by(
        &mut self,
        number: WalletNumber,
        purchase: Purchase,
        method: Option<&MethodId>,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        if let Some(method) = method {
            return self.order_by_method(number, purchase, method, journal);
        }
        let order = self.order_of(number, purchase)?;
        self.buy(number, order, journal)
    }

    /// The order and the bill of a purchase that can be paid for.
    pub(super) fn order_of(
        &self,
        number: WalletNumber,
        purchase: Purchase,
    ) -> Result<(Order, Bill), Undecided> {
        let wallet = self.wallet(number).ok_or(Refusal::NotFound)?;
        if self.is_overdue(number)? {
            return Err(Refusal::Overdue.into());
        }
        let bill = self.bill_of(wallet, &purchase);
        let Purchase { order, amount, .. } = purchase;
        let Some(on_credit) = self.left_on_credit(wallet, number, &bill)? else {
            return Err(Refusal::InsufficientFunds.into());
        };
        let order = Order {
            order,
            bill: bill.number,
            amount,
            on_credit,
            refunded: Amount::ZERO,
            credited: Amount::ZERO,
            payments: Vec::new(),
        };
        Ok((order, bill))
    }

    /// The bill of an order that is bought now.
    pub(super) fn bill_of(&self, wallet: &Wallet, purchase: &Purchase) -> Bill {
        let now = self.clock.now();
        Bill {
            number: wallet.bills_issued.saturating_add(1),
            account: purchase.account,
            product: purchase.product,
            month: wallet.zone.month_of(now),
            amount: purchase.amount,
            paid: Amount::ZERO,
            issued_at: now,
            order: Some(purchase.order.clone()),
            half: wallet.zone.half_month_of(now),
        }
    }

    /// Buys something: its bill is issued and paid at once.
    pub(super) fn buy(
        &mut self,
        number: WalletNumber,
        (order, bill): (Order, Bill),
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let now = self.clock.now();
        self.record(journal, OrderPlaced { wallet: number, order })?;
        let issued = BillIssued::of(number, bill.clone(), bill.amount, now.full_minute());
        self.record(journal, issued)?;
        let parts = parts_of(now.minute(), bill.amount);
        self.pay_with_coupons(number, &bill, &parts, journal)?;
        self.pay_at_once(number, bill.number, journal)?;
        self.write_off_issued(number, journal)
    }

    /// What of an order would stay unpaid once coupons and wallet have paid; none if the credit limit
    /// cannot carry it.
    fn left_on_credit(
        &self,
        wallet: &Wallet,
        number: WalletNumber,
        bill: &Bill,
    ) -> Result<Option<Amount>, Overflow> {
        if wallet.is_ecosystem() {
            let enough = self.available(wallet, number)? >= bill.amount;
            return Ok(enough.then_some(Amount::ZERO));
        }
        let Planned { after, left, .. } = self.plan_order(wallet, number, bill)?;
        if !left.is_positive() {
            return Ok(Some(Amount::ZERO));
        }
        let carried = !self.available(&after, number)?.minus(left)?.is_negative();
        Ok((wallet.limit.is_positive() && carried).then_some(left))
    }

    /// What coupons and wallet would pay of an order's bill, in write-off order.
    pub(super) fn plan_order(
        &self,
        wallet: &Wallet,
        number: WalletNumber,
        bill: &Bill,
    ) -> Result<Planned, Overflow> {
        let mut after = wallet.clone();
        after.note_spent(bill)?;
        let parts = parts_of(bill.issued_at.minute(), bill.amount);
        let (mut left, mut payments) = (bill.amount, Vec::new());
        for payment in self.coupons_for(&after, bill, &parts, Precision::Payable)? {
            left = left.minus(payment.amount)?;
            let lot: Lot = super::CouponLot { coupon: payment.coupon }.into();
            spend(&mut after, number, lot.clone(), payment.amount)?;
            payments.push(PaidFrom { lot, amount: payment.amount });
        }
        while left.is_positive() {
            let Some((lot, available)) = self.next_lot(&after, bill) else { break };
            let amount = left.min(available);
            left = left.minus(amount)?;
            spend(&mut after, number, lot.clone(), amount)?;
            payments.push(PaidFrom { lot, amount });
        }
        Ok(Planned { after: Box::new(after), payments, left })
    }

    /// Pays an order's bill in write-off order, whatever the switch says: it is bought now.
    fn pay_at_once(
        &mut self,
        payer: WalletNumber,
        bill: u64,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        loop {
            let Some(wallet) = self.wallet(payer) else { return Ok(()) };
            let Some(owed) = wallet.unpaid.iter().find(|known| known.number == bill) else {
                return Ok(());
            };
            let Some((lot, available)) = self.next_lot(wallet, owed) else { return Ok(()) };
            let amount = owed.owed().min(available);
            self.pay(payer, bill, lot, amount, journal)?;
        }
    }
}

/// Spends from a copy of a wallet, to see what would be left.
pub(super) fn spend(
    wallet: &mut Wallet,
    number: WalletNumber,
    lot: Lot,
    amount: Amount,
) -> Result<(), Overflow> {
    let spent = Moved::of(number, lot, amount.negated()?, Cause::Bill);
    wallet.add_to(&spent).map_err(|_| Overflow)
}

/// An order's charge lies in the minute of its issue.
fn parts_of(minute: Minute, amount: Amount) -> Vec<(Window, Amount)> {
    let until = Minute::from_number(minute.number().saturating_add(1));
    vec![(Window { from: minute, until }, amount)]
}

#[cfg(test)]
#[path = "orders_tests.rs"]
mod tests;
