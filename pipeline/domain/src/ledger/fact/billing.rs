//! Bills, what pays them, and what else moves an asset.

use crate::ids::{MethodId, OrderId, Text};
use crate::ledger::plans::Plan;
use crate::ledger::reversal::Correction;
use crate::ledger::state::{
    AccountNumber, Bill, Burned, Coupon, Lot, Order, PendingOrder, ProductNumber, RegionNumber,
    SharedCouponLot, WalletNumber,
};
use crate::money::Amount;
use crate::rating::{MeterNumber, TierNumber};
use crate::time::{HalfMonth, Minute, Month};
use crate::{record, symbols};

record! {
    /// A bill was issued over `exact` new charges, over an order, or over the tax of an invoice.
    pub struct BillIssued {
        pub wallet: WalletNumber,
        pub bill: Bill,
        pub exact: Amount,
        /// The end of the cycle it bills; its issue for an order or a tax.
        pub ends: Minute,
        /// The charges by their hour of use; none for an order.
        pub burned: Vec<Burned>,
        /// The charges by what was used, as its invoice will show them.
        pub lines: Vec<BilledLine>,
        /// The number of the invoice whose tax it bills.
        pub invoice: Option<String>,
        /// The number of the credit note by command whose net it takes back.
        pub credit_note: Option<String>,
    }
}

impl BillIssued {
    /// A bill without a word on what it is made of.
    pub(in crate::ledger) fn of(
        wallet: WalletNumber,
        bill: Bill,
        exact: Amount,
        ends: Minute,
    ) -> BillIssued {
        let (burned, lines) = (Vec::new(), Vec::new());
        BillIssued { wallet, bill, exact, ends, burned, lines, invoice: None, credit_note: None }
    }
}

record! {
    /// Part of a bill's charges.
    #[derive(Copy)]
    pub struct BilledLine {
        pub meter: MeterNumber,
        pub region: RegionNumber,
        /// It came after the bills of its own cycle (R2.4).
        pub adjustment: bool,
        pub quantity: Amount,
        pub exact: Amount,
        /// The tier it is, where a price is split by tier (R12.3).
        pub tier: TierNumber = TierNumber::NONE,
    }
}

record! {
    /// Every bill of a wallet's cycle has been issued.
    pub struct CycleBilled {
        pub wallet: WalletNumber,
        pub ends: Minute,
    }
}

symbols! {
    /// What moved an asset.
    pub enum Cause {
        TopUp = "top_up",
        Adjustment = "adjustment",
        Transfer = "transfer",
        Revocation = "revocation",
        Grant = "grant",
        QuotaSet = "quota_set",
        Bill = "bill",
        BillReversed = "bill_reversed",
        Refund = "refund",
        /// What a payment by method brought beyond the bills it was for.
        Payment = "payment",
        /// Tax of a negative invoice, where no payment of tax is known that it could undo.
        TaxReturned = "tax_returned",
        /// What a credit note takes back, where no payment is known that it could undo.
        CreditNote = "credit_note",
        /// Own cash was paid out (R7.7).
        Withdrawal = "withdrawal",
        /// A bank transfer that had named nobody was claimed (R7.3).
        Remittance = "remittance",
        /// Money on its way to somebody who asked for it, or back (R10.2).
        PaymentRequest = "payment_request",
        /// A shared coupon paid a bill of another wallet, or has that back (R9.7).
        Shared = "shared",
        /// Set aside for an order while its payment is in flight, or free again (R5.8).
        Held = "held",
    }
}

record! {
    /// An asset changed: what entries show (R4.4).
    pub struct Moved {
        pub wallet: WalletNumber,
        pub lot: Lot,
        /// Negative when it went out.
        pub amount: Amount,
        pub cause: Cause,
        /// The bill it paid, was paid back for, or undoes.
        pub bill: Option<u64>,
        pub remark: Option<Text>,
        /// What it paid, if it paid a bill.
        pub paid: Option<PaidBill>,
        /// How a top-up was paid in.
        pub method: Option<MethodId>,
    }
}

impl Moved {
    /// A movement of a lot that concerns no bill.
    pub(in crate::ledger) fn of(
        wallet: WalletNumber,
        lot: Lot,
        amount: Amount,
        cause: Cause,
    ) -> Moved {
        Moved { wallet, lot, amount, cause, bill: None, remark: None, paid: None, method: None }
    }
}

record! {
    /// What a payment was for, as far as the account must remember it.
    pub struct PaidBill {
        pub account: AccountNumber,
        pub product: Option<ProductNumber>,
        pub month: Month,
        pub order: Option<OrderId>,
    }
}

record! {
    /// An unpaid bill is owed less by so much, because a later bill of its account and product was
    /// negative (R5.7).
    pub struct BillReduced {
        pub wallet: WalletNumber,
        pub bill: u64,
        pub by: u64,
        pub amount: Amount,
    }
}

record! {
    /// A negative bill has so much yet to undo, as long as a payment of the bills of which that is is in flight;
    /// over 0: nothing any more (R5.7).
    pub struct CorrectionWaits {
        pub wallet: WalletNumber,
        pub correction: Correction,
    }
}

record! {
    /// So much of what paid the bills of a month was undone, latest first (R5.7).
    pub struct PaymentUndone {
        pub wallet: WalletNumber,
        pub account: AccountNumber,
        pub product: ProductNumber,
        pub month: Month,
        pub amount: Amount,
        /// What paid, and has its money back unless it has expired.
        pub lot: Lot,
        /// The invoice period of the bill that undid it.
        pub half: HalfMonth,
    }
}

record! {
    /// A shared coupon of another wallet paid so much of a bill (R9.7).
    pub struct SharedCouponPaid {
        pub wallet: WalletNumber,
        pub bill: u64,
        pub lot: SharedCouponLot,
        pub amount: Amount,
        pub paid: PaidBill,
    }
}

record! {
    /// What a shared coupon had paid was undone, and goes back to it.
    pub struct SharedCouponReturned {
        pub wallet: WalletNumber,
        pub lot: SharedCouponLot,
        pub amount: Amount,
    }
}

record! {
    pub struct CouponOpened {
        pub wallet: WalletNumber,
        pub coupon: Coupon,
    }
}

record! {
    pub struct OrderPlaced {
        pub wallet: WalletNumber,
        pub order: Order,
    }
}

record! {
    /// An order waits for its payment; what else pays it is set aside by entries before.
    pub struct OrderBegun {
        pub wallet: WalletNumber,
        pub order: PendingOrder,
    }
}

record! {
    /// What was set aside for an order has paid so much of its bill.
    pub struct HeldPaid {
        pub wallet: WalletNumber,
        pub bill: u64,
        pub lot: Lot,
        pub amount: Amount,
        pub paid: PaidBill,
    }
}

record! {
    /// An order waits no more: it is bought, or its payment was declined.
    pub struct OrderEnded {
        pub wallet: WalletNumber,
        pub order: OrderId,
    }
}

record! {
    /// An order is renewed when its period ends, or is not any more.
    pub struct PlanChanged {
        pub wallet: WalletNumber,
        /// The order of its first period.
        pub name: OrderId,
        pub plan: Option<Plan>,
    }
}

record! {
    /// So much of an order was given back.
    pub struct OrderRefunded {
        pub wallet: WalletNumber,
        pub order: OrderId,
        pub amount: Amount,
    }
}

record! {
    /// So much of a bill was paid by method.
    pub struct BillPaid {
        pub wallet: WalletNumber,
        pub bill: u64,
        pub payment: u64,
        pub amount: Amount,
        pub paid: PaidBill,
    }
}
