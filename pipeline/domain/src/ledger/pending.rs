//! An order by a chosen method is bought once its payment succeeds (R5.8). What coupons and wallet cover of it
//! is set aside meanwhile by entries, so nothing else spends it; declined, it is free again.

use super::fact::{
    BillIssued, BillPaid, Cause, HeldPaid, Journal, Moved, OrderBegun, OrderEnded, OrderPlaced,
};
use super::orders::{Planned, Purchase};
use super::payments::{Charge, paid_bill};
use super::state::{Lot, Order, PaidFrom, PendingOrder, Wallet, WalletNumber};
use super::{Broken, Ledger, Undecided};
use crate::ids::{MethodId, OrderId, Text};
use crate::money::{Amount, Overflow};
use crate::payments::PaymentCause;
use crate::refusal::Refusal;

impl Ledger {
    /// What coupons and wallet do not cover is charged to a method. If they cover all of it, nothing is.
    pub(super) fn order_by_method(
        &mut self,
        number: WalletNumber,
        purchase: Purchase,
        method: &MethodId,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let wallet = self.wallet(number).ok_or(Refusal::NotFound)?;
        let known = wallet.method(method).ok_or(Refusal::MethodNotAllowed)?;
        if !self.takes_brand(known.kind, known.brand.as_ref()) {
            return Err(Refusal::MethodNotAllowed.into());
        }
        if !known.is_active() {
            return Err(Refusal::NoMethod.into());
        }
        if self.is_overdue(number)? {
            return Err(Refusal::Overdue.into());
        }
        let bill = self.bill_of(wallet, &purchase);
        let Planned { payments: held, left, .. } = self.plan_order(wallet, number, &bill)?;
        if !left.is_positive() {
            let order = self.order_of(number, purchase)?;
            return self.buy(number, order, journal);
        }
        let paying = wallet.paying.as_deref();
        if paying.is_some_and(|paying| paying.in_flight.is_some()) {
            return Err(Refusal::PaymentInProgress.into());
        }

        let payment = paying.map_or(0, |paying| paying.begun).saturating_add(1);
        let Purchase { order, amount, account, product } = purchase;
        for PaidFrom { lot, amount } in &held {
            self.hold(number, &order, lot.clone(), amount.negated()?, journal)?;
        }
        let order = PendingOrder { order, amount, account, product, payment, held };
        self.record(journal, OrderBegun { wallet: number, order })?;
        let charge = Charge::of(PaymentCause::Order, method.clone(), left);
        self.begin_charge(number, Charge { by_hand: true, ..charge }, journal)
    }

    /// The order that a payment is for, as long as it waits.
    pub(super) fn order_waiting_for(
        &self,
        number: WalletNumber,
        payment: u64,
    ) -> Option<PendingOrder> {
        let order = self.wallet(number)?.paying.as_deref()?.order.as_ref()?;
        (order.payment == payment).then(|| order.clone())
    }

    /// The payment got through: the order is bought now.
    pub(super) fn buy_held(
        &mut self,
        number: WalletNumber,
        pending: PendingOrder,
        by_method: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let wallet = self.wallet(number).ok_or(Broken("an unknown wallet"))?;
        let PendingOrder { order, amount, account, product, payment, held } = pending;
        let purchase = Purchase { order: order.clone(), amount, account, product };
        let bill = self.bill_of(wallet, &purchase);
        let (on_credit, refunded, payments) = (Amount::ZERO, Amount::ZERO, Vec::new());
        let placed = Order {
            order: order.clone(),
            bill: bill.number,
            amount,
            on_credit,
            refunded,
            payments,
            credited: Amount::ZERO,
        };
        self.record(journal, OrderPlaced { wallet: number, order: placed })?;
        let ends = self.clock.now().full_minute();
        self.record(journal, BillIssued::of(number, bill.clone(), amount, ends))?;
        let (wallet, paid, bill) = (number, paid_bill(&bill), bill.number);
        for PaidFrom { lot, amount } in held {
            self.record(journal, HeldPaid { wallet, bill, lot, amount, paid: paid.clone() })?;
        }
        self.record(journal, BillPaid { wallet, bill, payment, amount: by_method, paid })?;
        self.record(journal, OrderEnded { wallet, order: order.clone() })?;
        Ok(self.begin_bought_plan(number, &order, journal)?)
    }

    /// The payment was declined: nothing is bought, and what was set aside is free again.
    pub(super) fn release(
        &mut self,
        number: WalletNumber,
        pending: &PendingOrder,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let order = pending.order.clone();
        self.record(journal, OrderEnded { wallet: number, order })?;
        self.end_plan(number, &pending.order, journal)?;
        for PaidFrom { lot, amount } in pending.held.iter().rev() {
            self.hold(number, &pending.order, lot.clone(), *amount, journal)?;
        }
        Ok(())
    }

    fn hold(
        &mut self,
        number: WalletNumber,
        order: &OrderId,
        lot: Lot,
        amount: Amount,
        journal: &mut dyn Journal,
    ) -> Result<(), Broken> {
        let remark = Some(Text::fitting(order.as_str()));
        let moved = Moved::of(number, lot, amount, Cause::Held);
        self.record(journal, Moved { remark, ..moved })
    }

    pub(super) fn apply_held(&mut self, fact: &HeldPaid) -> Result<(), Broken> {
        let HeldPaid { wallet: number, bill, lot, amount, paid } = fact;
        let Some(wallet) = self.wallet_mut(*number)? else { return Ok(()) };
        let half = wallet.pay(*bill, lot, *amount, paid)?;
        let pending = wallet.paying.as_deref_mut().and_then(|paying| paying.order.as_mut());
        let pending = pending.ok_or(Broken("nothing is held for an order"))?;
        let place = pending.held.iter().position(|held| held.lot == *lot);
        pending.held.remove(place.ok_or(Broken("something else is held for an order"))?);
        if let Lot::CouponLot(_) = lot {
            self.note(*number, half, |wallet| wallet.note_coupon(half, *amount))?;
        }
        Ok(())
    }
}

impl Wallet {
    /// Whether something was ordered under this name, or is being ordered.
    pub(super) fn has_order(&self, id: &OrderId) -> bool {
        let pending = self.paying.as_deref().and_then(|paying| paying.order.as_ref());
        pending.is_some_and(|pending| pending.order == *id)
            || self.orders.iter().any(|order| order.order == *id)
    }

    /// What is set aside for an order.
    pub(super) fn held(&self) -> Result<Amount, Overflow> {
        let pending = self.paying.as_deref().and_then(|paying| paying.order.as_ref());
        Amount::sum(pending.into_iter().flat_map(|it| it.held.iter().map(|held| held.amount)))
    }
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
