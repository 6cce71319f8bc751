//! What a billing account has, for whoever looks: methods, coupons, orders. Computed from the state, never stored.

use super::Ledger;
use super::state::{Coupon, Method, Order, Wallet, WalletNumber};
use crate::ids::{CouponId, MethodId, OrderId, ProductId, Text, WalletId};
use crate::money::Amount;
use crate::payments::{MethodKind, MethodState};
use crate::record;
use crate::time::{Month, Timestamp};

record! {
    /// The view `payment_methods`.
    pub struct MethodsRow {
        pub billing_account: WalletId,
        /// In the order of linking.
        pub payment_methods: Vec<MethodRow>,
    }
}

record! {
    /// A payment method.
    pub struct MethodRow {
        pub method: MethodId,
        pub kind: MethodKind,
        pub brand: Option<Text>,
        pub expires: Option<Month>,
        pub state: MethodState,
        pub preferred: bool,
        pub linked_at: Timestamp,
    }
}

record! {
    /// The view `coupons`.
    pub struct CouponsRow {
        pub billing_account: WalletId,
        /// In the order in which they were granted.
        pub coupons: Vec<CouponRow>,
    }
}

record! {
    /// A coupon or cash coupon. One that has expired still pays for what was used before.
    pub struct CouponRow {
        pub coupon: CouponId,
        pub cash: bool,
        pub amount: Amount,
        pub left: Amount,
        /// None: all products.
        pub products: Vec<ProductId>,
        /// What a month's charges in scope must reach before it pays.
        pub minimum: Amount,
        pub valid_from: Timestamp,
        pub valid_until: Timestamp,
    }
}

record! {
    /// The view `orders`.
    pub struct OrdersRow {
        pub billing_account: WalletId,
        /// In the order in which they were placed.
        pub orders: Vec<OrderRow>,
    }
}

record! {
    /// An order that was bought.
    pub struct OrderRow {
        pub order: OrderId,
        pub bill: String,
        pub amount: Amount,
        /// What stayed unpaid on the credit limit when it was bought.
        pub on_credit: Amount,
        /// What was given back of it.
        pub refunded: Amount,
        /// When its next period is bought; none unless it is the running one of a plan.
        pub renews_at: Option<Timestamp>,
    }
}

impl Ledger {
    pub fn methods(&self, number: WalletNumber) -> Option<MethodsRow> {
        let wallet = self.wallet(number)?;
        let paying = wallet.paying.as_deref();
        let preferred = paying.and_then(|paying| paying.preferred.as_ref());
        let linking = paying.into_iter().flat_map(|paying| &paying.linking);
        let linked = paying.into_iter().flat_map(|paying| &paying.methods);
        let methods = linked.chain(linking.map(|linking| &linking.method));
        let billing_account = wallet.id.clone();
        let row = |method| method_row(method, preferred);
        Some(MethodsRow { billing_account, payment_methods: methods.map(row).collect() })
    }

    pub fn coupons(&self, number: WalletNumber) -> Option<CouponsRow> {
        let wallet = self.wallet(number)?;
        let coupons = wallet.coupons.iter().map(coupon_row).collect();
        Some(CouponsRow { billing_account: wallet.id.clone(), coupons })
    }

    pub fn orders(&self, number: WalletNumber) -> Option<OrdersRow> {
        let wallet = self.wallet(number)?;
        let orders = wallet.orders.iter().map(|order| order_row(wallet, order)).collect();
        Some(OrdersRow { billing_account: wallet.id.clone(), orders })
    }
}

fn method_row(method: &Method, preferred: Option<&MethodId>) -> MethodRow {
    MethodRow {
        method: method.method.clone(),
        kind: method.kind,
        brand: method.brand.clone(),
        expires: method.expires,
        state: method.state,
        preferred: preferred == Some(&method.method),
        linked_at: method.linked_at,
    }
}

fn coupon_row(coupon: &Coupon) -> CouponRow {
    CouponRow {
        coupon: coupon.coupon.clone(),
        cash: coupon.cash,
        amount: coupon.amount,
        left: coupon.left,
        products: coupon.products.clone(),
        minimum: coupon.minimum,
        valid_from: coupon.valid.from.starts(),
        valid_until: coupon.valid.until.starts(),
    }
}

fn order_row(wallet: &Wallet, order: &Order) -> OrderRow {
    OrderRow {
        order: order.order.clone(),
        bill: wallet.bill_name(order.bill),
        amount: order.amount,
        on_credit: order.on_credit,
        refunded: order.refunded,
        renews_at: wallet.plan_of(&order.order).map(|plan| plan.renews_at.starts()),
    }
}

#[cfg(test)]
#[path = "holdings_tests.rs"]
mod tests;
