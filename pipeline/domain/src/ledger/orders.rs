//! Orders: something is bought for a price that is known beforehand (R5.8).

use super::coupons::Precision;
use super::fact::{BillIssued, Cause, Journal, Moved, OrderPlaced};
use super::state::{Bill, Lot, Order, Wallet, WalletNumber};
use super::{Ledger, Undecided};
use crate::commands::PlaceOrder;
use crate::money::{Amount, Overflow};
use crate::refusal::Refusal;
use crate::time::{Minute, Window};

impl Ledger {
    pub(super) fn place_order(
        &mut self,
        command: &PlaceOrder,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (number, wallet) = self.wallet_of(&command.billing_account)?;
        if wallet.orders.iter().any(|order| order.order == command.order) {
            return Err(Refusal::AlreadyExists.into());
        }
        let account = match &command.account {
            Some(named) => self.account_named(named).ok_or(Refusal::NotFound)?,
            None => wallet.owner,
        };
        let buyer = self.account(account).ok_or(Refusal::NotFound)?;
        if buyer.closed_at.is_some() {
            return Err(Refusal::AccountClosed.into());
        }
        if buyer.enterprise != wallet.enterprise {
            return Err(Refusal::DifferentEnterprise.into());
        }
        if !command.amount.is_positive() || !command.amount.is_payable(wallet.currency) {
            return Err(Refusal::InvalidAmount.into());
        }
        if command.method.is_some() {
            return Err(Refusal::MethodNotAllowed.into());
        }
        if self.is_overdue(number)? {
            return Err(Refusal::Overdue.into());
        }
        let now = self.clock.now();
        let product = command.product.as_ref().and_then(|product| self.book.product_named(product));
        let bill = Bill {
            number: wallet.bills_issued.saturating_add(1),
            account,
            product,
            month: wallet.zone.month_of(now),
            amount: command.amount,
            paid: Amount::ZERO,
            issued_at: now,
            order: Some(command.order.clone()),
            half: wallet.zone.half_month_of(now),
        };
        let Some(on_credit) = self.left_on_credit(wallet, number, &bill)? else {
            return Err(Refusal::InsufficientFunds.into());
        };

        let order = Order {
            order: command.order.clone(),
            bill: bill.number,
            amount: command.amount,
            on_credit,
            refunded: Amount::ZERO,
            credited: Amount::ZERO,
            payments: Vec::new(),
        };
        self.record(journal, OrderPlaced { wallet: number, order })?;
        let (exact, ends) = (command.amount, now.full_minute());
        let issued = BillIssued::of(number, bill.clone(), exact, ends);
        self.record(journal, issued)?;
        let parts = parts_of(now.minute(), command.amount);
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
        let mut after = wallet.clone();
        after.note_spent(bill)?;
        let parts = parts_of(bill.issued_at.minute(), bill.amount);
        let mut left = bill.amount;
        for payment in self.coupons_for(&after, bill, &parts, Precision::Payable)? {
            left = left.minus(payment.amount)?;
            let lot = super::CouponLot { coupon: payment.coupon }.into();
            spend(&mut after, number, lot, payment.amount)?;
        }
        while left.is_positive() {
            let Some((lot, available)) = self.next_lot(&after, bill) else { break };
            let amount = left.min(available);
            left = left.minus(amount)?;
            spend(&mut after, number, lot, amount)?;
        }
        if !left.is_positive() {
            return Ok(Some(Amount::ZERO));
        }
        let carried = !self.available(&after, number)?.minus(left)?.is_negative();
        Ok((wallet.limit.is_positive() && carried).then_some(left))
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
