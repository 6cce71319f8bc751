//! What can happen to a ledger. Deciding makes facts; applying them makes the state; nothing else
//! does either.

use crate::ids::{MethodId, OrderId, RegionId, Text};
use crate::invoices::{Invoice, InvoiceDraft};
use crate::ledger::state::{
    Account, AccountNumber, Bill, Coupon, CycleChange, Enterprise, EnterpriseNumber, Lot, Order,
    ProductNumber, RegionNumber, Series, Tab, Wallet, WalletNumber,
};
use crate::money::Amount;
use crate::rating::{Change, MeterNumber};
use crate::time::{HalfMonth, Minute, Month, Timestamp, Window};
use crate::{one_of, record, symbols};

record! {
    /// The ledger's time went on.
    pub struct TimePassed {
        pub at: Timestamp,
    }
}

record! {
    /// A usage partition has been metered up to here: of its usage that arrived before `until`,
    /// everything has come.
    pub struct Marked {
        pub usage_partition: u32,
        pub until: Timestamp,
    }
}

record! {
    /// New settings are in force.
    pub struct SettingsChanged {
        pub document: String,
    }
}

record! {
    /// Part of a price book has come; it is not in force yet.
    pub struct PricesArrived {
        pub changes: Vec<Change>,
    }
}

record! {
    /// What has come of the price book is in force.
    pub struct PricesInForce {
        pub loads: u32,
    }
}

record! {
    pub struct EnterpriseOpened {
        pub number: EnterpriseNumber,
        pub enterprise: Enterprise,
    }
}

record! {
    pub struct WalletOpened {
        pub number: WalletNumber,
        pub wallet: Box<Wallet>,
    }
}

record! {
    pub struct AccountOpened {
        pub number: AccountNumber,
        pub account: Box<Account>,
    }
}

record! {
    pub struct AccountClosed {
        pub account: AccountNumber,
        pub at: Timestamp,
    }
}

record! {
    pub struct PayerChanged {
        pub account: AccountNumber,
        pub wallet: WalletNumber,
        pub from: Minute,
    }
}

record! {
    /// Usage named a region for the first time.
    pub struct RegionNamed {
        pub region: RegionId,
    }
}

record! {
    /// A month's quantity begins, or is found again under another span of minutes.
    pub struct SeriesOpened {
        pub account: AccountNumber,
        pub series: Series,
    }
}

record! {
    pub struct TabOpened {
        pub account: AccountNumber,
        pub tab: Tab,
    }
}

record! {
    /// A tab takes no more usage from `until` on: a coupon begins or ends there.
    pub struct TabCut {
        pub account: AccountNumber,
        pub tab: u32,
        pub until: Minute,
    }
}

record! {
    /// Usage turned into money, exact.
    #[derive(Copy)]
    pub struct Accrued {
        pub account: AccountNumber,
        pub series: u32,
        pub tab: u32,
        pub quantity: Amount,
        pub charge: Amount,
    }
}

symbols! {
    /// Why a line could not be priced.
    pub enum Unpriced {
        NoAccount = "no_account",
        NoPrice = "no_price",
        TooLarge = "too_large",
    }
}

record! {
    /// A counted line could not be priced. It is kept aside as a difference that `audit` names.
    pub struct SetAside {
        pub account: AccountNumber,
        pub used: Minute,
        pub quantity: Amount,
        pub records: u32,
        pub why: Unpriced,
    }
}

record! {
    /// A bill was issued over `exact` new charges, over an order, or over the tax of an invoice.
    pub struct BillIssued {
        pub wallet: WalletNumber,
        pub bill: Bill,
        pub exact: Amount,
        /// The end of the cycle it bills; its issue for an order or a tax.
        pub ends: Minute,
        /// The charges by what was used, as its invoice will show them.
        pub lines: Vec<BilledLine>,
        /// The number of the invoice whose tax it bills.
        pub invoice: Option<String>,
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
        Lapse = "lapse",
        QuotaSet = "quota_set",
        Bill = "bill",
        BillReversed = "bill_reversed",
        Refund = "refund",
        /// Tax of a negative invoice, where no payment of tax is known that it could undo.
        TaxReturned = "tax_returned",
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
    pub(super) fn of(wallet: WalletNumber, lot: Lot, amount: Amount, cause: Cause) -> Moved {
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
    pub struct CouponOpened {
        pub wallet: WalletNumber,
        pub coupon: Coupon,
    }
}

record! {
    pub struct LimitChanged {
        pub wallet: WalletNumber,
        pub limit: Amount,
        pub pending: Option<Amount>,
    }
}

record! {
    pub struct Configured {
        pub wallet: WalletNumber,
        pub auto_write_off: bool,
        pub write_off_previous: bool,
        pub cycle: Option<CycleChange>,
    }
}

record! {
    pub struct OrderPlaced {
        pub wallet: WalletNumber,
        pub order: Order,
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
    /// A period is over, and what its invoice will say is decided for good. It wants a number.
    pub struct PeriodClosed {
        pub wallet: WalletNumber,
        /// The last half-month it covers.
        pub last: HalfMonth,
        pub draft: Box<InvoiceDraft>,
    }
}

record! {
    /// A draft has its number: it is an invoice.
    pub struct InvoiceIssued {
        pub wallet: WalletNumber,
        pub draft: u64,
        pub invoice: Box<Invoice>,
    }
}

one_of! {
    /// What can happen to a ledger.
    pub enum Fact {
        TimePassed,
        Marked,
        SettingsChanged,
        PricesArrived,
        PricesInForce,
        EnterpriseOpened,
        WalletOpened,
        AccountOpened,
        AccountClosed,
        PayerChanged,
        RegionNamed,
        SeriesOpened,
        TabOpened,
        TabCut,
        SetAside,
        BillIssued,
        CycleBilled,
        Moved,
        BillReduced,
        PaymentUndone,
        CouponOpened,
        LimitChanged,
        Configured,
        OrderPlaced,
        OrderRefunded,
        PeriodClosed,
        InvoiceIssued,
    }
}

/// Whoever is told what a ledger decides, in order, each with the ledger as it then is.
pub trait Journal {
    fn fact(&mut self, ledger: &super::Ledger, fact: &Fact);

    /// A line was priced. By far the most frequent fact, so it has a way of its own.
    fn accrued(&mut self, ledger: &super::Ledger, accrued: &Accrued, line: &super::Line);
}

/// The span a series surely covers, when that is not known.
pub(super) const NOWHERE: Window = Window { from: Minute::END, until: Minute::START };
