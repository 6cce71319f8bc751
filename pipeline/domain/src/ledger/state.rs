//! What a ledger knows: enterprises, accounts and wallets (billing accounts), each under a small
//! number that is given once and never again.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::apply::insert_tightly;
use super::benefits::Benefits;
use super::periods::Invoicing;
use super::plans::Plans;
use super::reversal::Correction;
use super::runs::RunProgress;
use super::sharing::{Organisation, Served, Sharing};
use super::spending::Spending;
use crate::commands::{Asked, DelayedSuspension, Kind, LowBalanceAlert, Mode, Recipients};
use crate::ids::{
    AccountId, Country, CouponId, EnterpriseId, MethodId, OrderId, PrincipalId, ProductId,
    RegionId, Text, WalletId,
};
use crate::money::{Amount, Currency};
use crate::notices::ServiceCause;
use crate::payments::{MethodKind, MethodState, PaymentCause};
use crate::rating::{MeterNumber, PriceNumber, TierNumber};
use crate::requests::{Direction, Request};
use crate::rights::Role;
use crate::time::{Cycle, HalfMonth, Minute, Month, Span, Timestamp, Window, Zone};
use crate::vocabulary::{Described, Shape};
use crate::{one_of, record, symbols};

macro_rules! numbers {
    ($($(#[doc = $doc:literal])* $name:ident($inner:ty)),* $(,)?) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl Described for $name {
            fn shape() -> Shape {
                Shape::Number("number")
            }
        }
    )*};
}

numbers! {
    /// An enterprise, within its ledger.
    EnterpriseNumber(u32),
    /// An account, within its ledger; metering names accounts by it.
    AccountNumber(u32),
    /// A wallet, within its ledger.
    WalletNumber(u32),
    /// A product, in the order in which the price book first named it.
    ProductNumber(u32),
    /// A region, in the order in which usage first named it; 0 stands for none.
    RegionNumber(u16),
}

impl RegionNumber {
    pub const NONE: RegionNumber = RegionNumber(0);
}

impl ProductNumber {
    /// What bills over the tax of an invoice are for: no price book has it.
    pub const TAX: ProductNumber = ProductNumber(u32::MAX);
}

impl Described for Window {
    fn shape() -> Shape {
        Shape::Record(crate::vocabulary::Record {
            name: "Window",
            doc: "A span of minutes: from the first up to, not including, the last.".to_owned(),
            fields: ["from", "until"]
                .map(|name| crate::vocabulary::Field::new(name, "", Shape::Number("minute")))
                .to_vec(),
        })
    }
}

record! {
    /// An enterprise: everything that shares money lies inside one.
    pub struct Enterprise {
        pub id: EnterpriseId,
        pub name: Text,
        pub country: Country,
        pub tax_id: Option<Text>,
        pub language: Option<Text>,
        pub account_center: bool,
        pub management_account: Option<AccountId>,
        pub credit_total: Option<Amount>,
        pub wallets: Vec<WalletNumber>,
        /// Its bills are being settled, and the results of these wallets are still to come (R5.6).
        pub settling: Vec<WalletNumber>,
        /// Who was granted which role here, by principal, role and place.
        pub grants: Vec<Grant> = Vec::new(),
        /// Keys that were made here, the revoked ones too, in their order.
        pub keys: Vec<ApiKey> = Vec::new(),
        /// Nobody may top up (R11.3).
        pub recharge_frozen: bool = false,
        /// In the order of their names (R9.7).
        pub organisations: Vec<Organisation> = Vec::new(),
        /// Its invoice runs: those of the latest day, and those that are not issued (R12.1).
        pub runs: Vec<RunProgress> = Vec::new(),
    }
}

record! {
    /// Somebody has a role (R11.1).
    pub struct Grant {
        pub principal: PrincipalId,
        pub role: Role,
        /// The billing account it is for; none: all of the enterprise.
        pub wallet: Option<WalletNumber>,
        /// The most that may be topped up at once under it.
        pub top_up_limit: Option<Amount>,
    }
}

record! {
    /// A key for the API. What it was is never known here, only its hash.
    pub struct ApiKey {
        /// Whom its holder acts as.
        pub principal: PrincipalId,
        pub role: Role,
        /// The billing account it was made for; none: all of the enterprise.
        pub wallet: Option<WalletNumber>,
        pub hash: Text,
        pub created_at: Timestamp,
        pub revoked_at: Option<Timestamp>,
    }
}

symbols! {
    /// Whether an account shares in its enterprise (R4.6).
    pub enum Membership {
        Active = "active",
        Invited = "invited",
        Ended = "ended",
    }
}

record! {
    /// An account, and what its usage has come to.
    pub struct Account {
        pub id: AccountId,
        pub enterprise: EnterpriseNumber,
        pub email: Text,
        pub mode: Mode,
        pub region: Option<RegionId>,
        pub currency: Currency,
        pub membership: Membership = Membership::Active,
        pub closed_at: Option<Timestamp>,
        /// Who pays from which minute on, oldest first; never empty.
        pub payers: SmallVec<[Payer; 1]>,
        pub series: Vec<Series>,
        pub tabs: Vec<Tab>,
        pub months: ThinVec<MonthBills>,
        /// Its services as they were last told; none: they run, as they have from the beginning.
        pub services: Option<Services>,
        /// What other wallets share with it (R9.7).
        pub served: ThinVec<Served> = ThinVec::new(),
        /// None until something is allocated or authorized (R11.2).
        pub spending: Option<Box<Spending>>,
    }
}

record! {
    /// Services were told to stop, or that they may go on (R8.2, R8.4).
    #[derive(Copy)]
    pub struct Services {
        pub since: Timestamp,
        /// None: they may go on.
        pub stopped: Option<ServiceCause>,
    }
}

record! {
    /// From `from` on, `wallet` pays.
    #[derive(Copy)]
    pub struct Payer {
        pub from: Minute,
        pub wallet: WalletNumber,
    }
}

record! {
    /// The month's quantity under one price, which says what it has cost so far (R3.2).
    pub struct Series {
        pub wallet: WalletNumber,
        pub meter: MeterNumber,
        pub region: RegionNumber,
        pub price: PriceNumber,
        pub month: Month,
        /// The minutes of use that surely belong here, as long as the price book is at `loads`.
        pub same: Window,
        pub loads: u32,
        pub quantity: Amount,
    }
}

record! {
    /// Exact charges under one price, or one tier of it, that the next bill of a (wallet, account, product) will hold.
    ///
    /// A tab holds charges whose time of use lies in `used`: at most an hour of the wallet's day (R8.6),
    /// which no coupon's begin or end divides (R5.2).
    pub struct Tab {
        pub wallet: WalletNumber,
        pub ends: Minute,
        pub used: Window,
        pub exact: Amount,
        pub quantity: Amount,
        pub meter: MeterNumber,
        pub price: PriceNumber,
        pub region: RegionNumber,
        /// Its usage came after the bills of its own cycle (R2.4).
        pub adjustment: bool,
        /// The tier that its charges are of, where a price is split by tier (R12.3).
        pub tier: TierNumber = TierNumber::NONE,
    }
}

record! {
    /// What a (wallet, account, product, month) has been billed (R1.2).
    pub struct MonthBills {
        pub wallet: WalletNumber,
        pub product: ProductNumber,
        pub month: Month,
        pub exact: Amount,
        pub billed: Amount,
        /// What paid these bills, in the order of the bills, and of one in that of its payments.
        pub payments: ThinVec<BillsPaid>,
    }
}

record! {
    /// So much came out of that lot for bills in a row, between which no other is unpaid.
    pub struct BillsPaid {
        /// The latest of them.
        pub bill: u64,
        pub lot: Lot,
        pub amount: Amount,
    }
}

record! {
    /// So much came out of that lot.
    pub struct PaidFrom {
        pub lot: Lot,
        pub amount: Amount,
    }
}

record! {
    /// A wallet's own cash.
    pub struct OwnCash {}
}

record! {
    /// Cash another wallet sent.
    pub struct TransferredCash {
        pub sender: WalletNumber,
    }
}

record! {
    /// What was refunded on credit in a month.
    pub struct RefundedCredit {
        pub month: Month,
    }
}

record! {
    /// What is left of a coupon.
    pub struct CouponLot {
        pub coupon: CouponId,
    }
}

record! {
    /// What is left of a cash coupon.
    pub struct CashCouponLot {
        pub coupon: CouponId,
    }
}

record! {
    /// The quota of a wallet that settles with a partner.
    pub struct QuotaLot {}
}

record! {
    /// What is left of a coupon that another wallet shares. The paying wallet never held it.
    pub struct SharedCouponLot {
        pub holder: WalletNumber,
        pub coupon: CouponId,
    }
}

record! {
    /// Money that a payment method paid straight to bills. The wallet never held it.
    pub struct MethodPaid {
        /// The payment's number.
        pub payment: u64,
    }
}

one_of! {
    /// Something in a wallet that can pay, down to the arrival it came from.
    pub enum Lot {
        OwnCash,
        TransferredCash,
        RefundedCredit,
        CouponLot,
        CashCouponLot,
        QuotaLot,
        MethodPaid,
        SharedCouponLot,
    }
}

impl Lot {
    pub const OWN_CASH: Lot = Lot::OwnCash(OwnCash {});
    pub const QUOTA: Lot = Lot::QuotaLot(QuotaLot {});

    /// The asset this is a lot of, as entries show it.
    pub const fn asset(&self) -> &'static str {
        match self {
            Lot::OwnCash(_) | Lot::TransferredCash(_) => "cash",
            Lot::RefundedCredit(_) => "credit_refund",
            Lot::CouponLot(_) | Lot::SharedCouponLot(_) => "coupon",
            Lot::CashCouponLot(_) => "cash_coupon",
            Lot::QuotaLot(_) => "quota",
            Lot::MethodPaid(_) => "method",
        }
    }
}

record! {
    /// A billing account: the wallet that pays.
    pub struct Wallet {
        pub id: WalletId,
        pub enterprise: EnterpriseNumber,
        pub owner: AccountNumber,
        pub kind: Kind,
        pub partner: Option<Text>,
        pub partner_pays: bool,
        pub currency: Currency,
        pub zone: Zone,
        pub opened_at: Timestamp,
        /// Its bill cycles, each from an instant on; before the first, the default.
        pub cycles: SmallVec<[CycleChange; 1]>,
        pub auto_write_off: bool,
        pub write_off_previous: bool,
        pub own_cash: Amount,
        /// Cash other wallets sent, the oldest first; one lot a sender.
        pub transferred: ThinVec<Transferred>,
        pub refunds: ThinVec<Refund>,
        pub coupons: ThinVec<Coupon>,
        pub limit: Amount,
        /// A first limit that waits for its contract (R9.3).
        pub limit_pending: Option<Amount>,
        pub contract_confirmed: bool,
        pub quota: Amount,
        pub quota_consumed: Amount,
        /// The first to end comes first.
        pub open_cycles: SmallVec<[OpenCycle; 1]>,
        /// Issued bills that are not paid in full, in the order of issue.
        pub unpaid: VecDeque<Bill>,
        pub orders: ThinVec<Order>,
        /// What each product's bills have come to, this month and the one before.
        pub spent: ThinVec<Spent>,
        pub bills_issued: u64,
        pub entries_made: u64,
        /// From what owed amount on it is charged; none: what its method's kind says (R6.1).
        pub auto_pay_threshold: Option<Amount>,
        /// Charges by the hour of use, of the last seven days, oldest first (R8.6).
        pub burn: ThinVec<Burned>,
        /// The hour of the first charge ever.
        pub first_charge: Option<Minute>,
        /// Something was billed that is not 0, whatever of it was taken back since (R8.2).
        pub was_charged: bool,
        /// None until a payment method is linked.
        pub paying: Option<Box<Paying>>,
        /// None until it has settings of its own, or somebody is told something.
        pub telling: Option<Box<Telling>>,
        /// None until there is something to invoice.
        pub invoicing: Option<Box<Invoicing>>,
        /// Charges by the month of use, of this month and the three before, oldest first (R6.7).
        pub burned_months: ThinVec<BurnedMonth>,
        /// None until it is switched on.
        pub recharge: Option<Box<Recharge>>,
        pub delayed_suspension: Option<DelayedSuspension>,
        /// Accounts whose services run on though they would have stopped (R8.3).
        pub delays: ThinVec<SuspensionDelay>,
        /// The command that opened it: no other billing account has this number.
        pub number: u64 = 0,
        /// None until somebody names it, stops it, administers it or there is bad debt.
        pub governing: Option<Box<Governing>>,
        /// Negative bills over what they have yet to undo: the bills of which that is are in flight (R5.7).
        pub corrections: ThinVec<Correction> = ThinVec::new(),
        /// None until it asks somebody to pay, or is asked.
        pub requests: Option<Box<Requests>>,
        /// None until one is bought, or a rule is made for those to come (R9.7, R9.8).
        pub benefits: Option<Box<Benefits>>,
        /// None unless an order is renewed when its period ends (R5.8).
        pub plans: Option<Box<Plans>>,
    }
}

record! {
    /// Pay for me, in the order in which it was asked (R10.1). They stay: both lists show their history.
    pub struct Requests {
        /// What it has asked for.
        pub asked: Vec<Request>,
        /// What it is asked for.
        pub to_pay: Vec<Request>,
    }
}

symbols! {
    /// Whether a billing account works (R4.5).
    pub enum WalletState {
        Valid = "valid",
        /// Nothing goes out.
        Frozen = "frozen",
        /// For good.
        Deregistered = "deregistered",
    }
}

record! {
    /// What was said about a wallet, beside its settings.
    pub struct Governing {
        /// What it is shown by; none: its id.
        pub name: Option<Text>,
        pub state: WalletState,
        /// Who froze it, while it is frozen.
        pub frozen_by: Option<PrincipalId>,
        /// In the order of their numbers. The super administrator is not among them (R9.5).
        pub administrators: Vec<AccountNumber>,
        pub bad_debt: Option<BadDebt>,
    }
}

record! {
    /// A bill was unpaid for so long that there is no credit any more (R9.1).
    #[derive(Copy)]
    pub struct BadDebt {
        /// The last month whose bills were.
        pub month: Month,
        /// The operator has forgiven it.
        pub lifted: bool,
    }
}

record! {
    /// What was used in an hour has cost so much.
    #[derive(Copy)]
    pub struct Burned {
        pub hour: Minute,
        pub charge: Amount,
    }
}

record! {
    /// What was used in a month has cost so much.
    #[derive(Copy)]
    pub struct BurnedMonth {
        pub month: Month,
        pub charge: Amount,
    }
}

record! {
    /// How a wallet tops itself up (R6.7).
    pub struct Recharge {
        pub percents: Vec<Amount>,
        pub amount: Amount,
        /// What a month usually costs, as it was at the last midnight.
        pub typical: Amount,
        /// The midnight at which that is found anew.
        pub fixed_until: Minute,
        /// Percents that were reached, and are not armed until available credit is above them.
        pub spent: Vec<Amount>,
        /// When its method is tested next (R7.2).
        pub test_at: Minute,
    }
}

record! {
    /// Since then services of an account would have stopped.
    #[derive(Copy)]
    pub struct SuspensionDelay {
        pub account: AccountNumber,
        pub since: Timestamp,
    }
}

record! {
    /// A payment method: a token of the gateway, never card data (R7.4).
    pub struct Method {
        pub method: MethodId,
        pub kind: MethodKind,
        pub token: Text,
        pub brand: Option<Text>,
        /// The last month in which a card can pay.
        pub expires: Option<Month>,
        pub state: MethodState,
        pub linked_at: Timestamp,
        /// The payment that showed that it can pay.
        pub payment: u64,
        /// Products at whose first use it was checked (R7.6).
        pub checked: Vec<ProductNumber>,
    }
}

record! {
    /// A method that is being linked: the gateway is asked to hold something.
    pub struct Linking {
        pub payment: u64,
        pub method: Method,
        pub begun_at: Timestamp,
        /// Who waits for the answer.
        pub asked: Asked,
        /// Its owner says that he has proven to the gateway who he is.
        pub authenticated: bool,
    }
}

record! {
    /// The part of a bill that a payment is for.
    #[derive(Copy)]
    pub struct Share {
        pub bill: u64,
        pub amount: Amount,
    }
}

record! {
    /// A payment whose outcome is not known. If it is for bills they are set aside (R6.3).
    pub struct InFlight {
        pub payment: u64,
        pub cause: PaymentCause,
        pub method: MethodId,
        pub amount: Amount,
        pub begun_at: Timestamp,
        /// When it will have taken so long that it is shown as delayed; none once it is.
        pub late_at: Option<Minute>,
        pub shares: Vec<Share>,
        /// Somebody asked for it: it is not tried again, and begins no series of tries (R6.5).
        pub by_hand: bool,
        /// The remark of a top-up.
        pub remark: Option<Text>,
    }
}

record! {
    /// Payments were declined since, and nothing has cured it (R6.5).
    pub struct Declined {
        pub first_at: Timestamp,
        /// How often it was tried again.
        pub retries: u32,
        /// The bills of the last one that was declined.
        pub bills: Vec<u64>,
        /// When it is tried again; none after the last try.
        pub retry_at: Option<Minute>,
    }
}

record! {
    /// An order that is bought once its payment succeeds (R5.8).
    pub struct PendingOrder {
        pub order: OrderId,
        pub amount: Amount,
        pub account: AccountNumber,
        pub product: Option<ProductNumber>,
        /// The payment of what coupons and wallet do not cover.
        pub payment: u64,
        /// What they cover, set aside until its result is known.
        pub held: Vec<PaidFrom>,
    }
}

record! {
    /// How a wallet pays by methods of its own.
    pub struct Paying {
        /// In the order in which they were linked.
        pub methods: Vec<Method>,
        pub preferred: Option<MethodId>,
        pub linking: Vec<Linking>,
        /// Methods whose owner has to prove who he is before they are linked, the latest last.
        pub authenticating: Vec<Method>,
        /// How many payments were begun, which names them.
        pub begun: u64,
        /// The one payment of bills whose outcome is not known.
        pub in_flight: Option<InFlight>,
        /// Payments for no bills whose outcome is not known: top-ups, tests, checks.
        pub others: Vec<InFlight>,
        pub declined: Option<Declined>,
        /// Declined payments: if one turns out to have been paid after all, it is booked (R6.4).
        pub turned_down: Vec<InFlight>,
        /// The end of the month at which all that is owed is charged next (R6.2).
        pub sweep_at: Minute,
        /// A month ended while nothing could be charged: that is made good as soon as it can.
        pub sweep_waits: bool,
        /// The order that the payment in flight is for.
        pub order: Option<PendingOrder>,
    }
}

record! {
    /// A fall below the owner's threshold, and what was told of it (R8.5).
    pub struct Fall {
        /// How many mails of the series are out.
        pub told: u32,
        /// When the last was.
        pub told_at: Option<Timestamp>,
        /// When the next one is due; none after the last.
        pub next_at: Option<Minute>,
        /// Available credit is at or above the threshold again.
        pub recovered: bool,
    }
}

record! {
    /// What was told of a runway that is too short (R8.6).
    #[derive(Copy)]
    pub struct RunwayAlert {
        pub told_at: Timestamp,
        /// It is long enough again.
        pub recovered: bool,
    }
}

record! {
    /// Whom a wallet's owner wants told, and what was told.
    pub struct Telling {
        pub low_balance_alert: Option<LowBalanceAlert>,
        /// Available credit when that was set, until it is another: only then being below counts (R8.5).
        pub set_with: Option<Amount> = None,
        /// Where mails go that no other recipients are named for; by default the owner's address.
        pub billing_email: Option<Text>,
        pub recipients: Vec<Recipients>,
        pub fall: Option<Fall>,
        /// Its being overdue was told.
        pub overdue: bool,
        /// How many notices there were, which names them.
        pub notices: u64,
        pub runway: Option<RunwayAlert>,
        /// That credit may not cover the next cycles was told (R8.8).
        pub near_due: bool,
        /// The cycle's end of which that is judged once a payment that has begun by then is answered.
        pub near_due_waits: Option<Minute> = None,
    }
}

record! {
    /// From `from` on, bills cover this.
    #[derive(Copy)]
    pub struct CycleChange {
        pub from: Minute,
        pub cycle: Cycle,
    }
}

record! {
    /// What remains of the cash one sender sent, and what it has sent in all less what it took back.
    pub struct Transferred {
        pub sender: WalletNumber,
        pub left: Amount,
        pub net_sent: Amount,
    }
}

record! {
    /// What remains of a month's credit refunds.
    pub struct Refund {
        pub month: Month,
        pub left: Amount,
    }
}

record! {
    /// A coupon, or a cash coupon.
    pub struct Coupon {
        pub coupon: CouponId,
        pub cash: bool,
        pub amount: Amount,
        pub left: Amount,
        /// Empty: all products.
        pub products: Vec<ProductId>,
        pub minimum: Amount,
        pub valid: Window,
        /// None until it is shared (R9.7).
        pub sharing: Option<Box<Sharing>>,
    }
}

record! {
    /// A cycle that has charges and no bill yet.
    pub struct OpenCycle {
        pub ends: Minute,
        /// Those that have charges, in the order of their numbers.
        pub accounts: SmallVec<[AccountNumber; 4]>,
    }
}

record! {
    /// An issued bill that is not paid in full.
    pub struct Bill {
        pub number: u64,
        pub account: AccountNumber,
        pub product: Option<ProductNumber>,
        pub month: Month,
        pub amount: Amount,
        pub paid: Amount,
        pub issued_at: Timestamp,
        /// The order it bills, if any.
        pub order: Option<OrderId>,
        /// The invoice period it belongs to (R3.5).
        pub half: HalfMonth,
    }
}

record! {
    /// An order that was placed.
    pub struct Order {
        pub order: OrderId,
        pub bill: u64,
        pub amount: Amount,
        /// What stayed unpaid when it was placed.
        pub on_credit: Amount,
        /// What was given back of it, also by credit notes.
        pub refunded: Amount,
        /// What credit notes took back of it.
        pub credited: Amount,
        /// What paid it, in order.
        pub payments: Vec<PaidFrom>,
    }
}

record! {
    /// The bills of a product in a month, before coupons.
    pub struct Spent {
        pub month: Month,
        pub product: Option<ProductNumber>,
        pub amount: Amount,
    }
}

impl Series {
    /// What a month's quantity is kept by (R3.2).
    pub fn key(&self) -> (WalletNumber, MeterNumber, RegionNumber, PriceNumber, Month) {
        (self.wallet, self.meter, self.region, self.price, self.month)
    }
}

// There may be one for every account, meter and hour, beside one for its month.
const _: () = assert!(size_of::<Tab>() <= 60 && size_of::<Series>() <= 44);

impl Tab {
    /// What its charges have in common.
    pub(super) fn key(&self) -> impl PartialEq + use<> {
        let series = (self.wallet, self.meter, self.region, self.price);
        (series, self.ends, self.used, self.tier)
    }
}

impl Bill {
    /// Whether it is over the tax of an invoice (R12.5).
    pub fn is_tax(&self) -> bool {
        self.product == Some(ProductNumber::TAX)
    }

    pub fn owed(&self) -> Amount {
        // Never paid beyond its amount, so this cannot overflow.
        self.amount.minus(self.paid).unwrap_or_default()
    }
}

impl Account {
    /// Who pays until the payer begins that begins in this minute; none if there is none before.
    pub(super) fn payer_before(&self, from: Minute) -> Option<WalletNumber> {
        let earlier = self.payers.iter().rev().find(|payer| payer.from < from);
        earlier.map(|payer| payer.wallet)
    }

    /// Who pays for usage of that minute, and for which minutes that answer stays right.
    pub fn payer_at(&self, used: Minute) -> (WalletNumber, Window) {
        let later =
            self.payers.iter().position(|payer| payer.from > used).unwrap_or(self.payers.len());
        let current = later.saturating_sub(1);
        let wallet = self.payers.get(current).map_or(WalletNumber(0), |payer| payer.wallet);
        // Before the first payer the first pays.
        let from = if current == 0 {
            Minute::START
        } else {
            self.payers.get(current).map_or(Minute::START, |p| p.from)
        };
        let until = self.payers.get(later.max(1)).map_or(Minute::END, |payer| payer.from);
        (wallet, Window { from, until })
    }
}

impl Wallet {
    pub fn is_ecosystem(&self) -> bool {
        self.kind == Kind::Ecosystem
    }

    pub fn state(&self) -> WalletState {
        self.governing.as_deref().map_or(WalletState::Valid, |governing| governing.state)
    }

    /// Nothing goes out of it (R4.5).
    pub fn is_frozen(&self) -> bool {
        self.state() == WalletState::Frozen
    }

    /// Its regular administrators.
    pub fn administrators(&self) -> &[AccountNumber] {
        let governing = self.governing.as_deref();
        governing.map(|governing| governing.administrators.as_slice()).unwrap_or_default()
    }

    /// There was bad debt that was not forgiven (R9.1).
    pub fn has_bad_debt(&self) -> bool {
        let bad_debt = self.governing.as_deref().and_then(|governing| governing.bad_debt);
        bad_debt.is_some_and(|bad_debt| !bad_debt.lifted)
    }

    /// Its requests on one side.
    pub fn requests(&self, direction: Direction) -> &[Request] {
        match (self.requests.as_deref(), direction) {
            (None, _) => &[],
            (Some(requests), Direction::Asked) => &requests.asked,
            (Some(requests), Direction::ToPay) => &requests.to_pay,
        }
    }

    pub(super) fn requests_mut(&mut self, direction: Direction) -> &mut Vec<Request> {
        let none = || Box::new(Requests { asked: Vec::new(), to_pay: Vec::new() });
        let requests = self.requests.get_or_insert_with(none);
        match direction {
            Direction::Asked => &mut requests.asked,
            Direction::ToPay => &mut requests.to_pay,
        }
    }

    /// What has left it for others and not reached them (R10.4).
    pub fn in_flight(&self) -> Amount {
        let to_pay = self.requests(Direction::ToPay).iter();
        Amount::sum(to_pay.map(|request| request.in_flight)).unwrap_or_default()
    }

    pub(super) fn governing_mut(&mut self) -> &mut Governing {
        self.governing.get_or_insert_with(|| {
            Box::new(Governing {
                name: None,
                state: WalletState::Valid,
                frozen_by: None,
                administrators: Vec::new(),
                bad_debt: None,
            })
        })
    }

    pub fn transferred_in(&self) -> Amount {
        Amount::sum(self.transferred.iter().map(|lot| lot.left)).unwrap_or_default()
    }

    /// All cash: own and transferred in.
    pub fn cash(&self) -> Amount {
        self.own_cash.plus(self.transferred_in()).unwrap_or_default()
    }

    pub fn credit_refunds(&self) -> Amount {
        Amount::sum(self.refunds.iter().map(|refund| refund.left)).unwrap_or_default()
    }

    /// What a lot holds.
    pub fn lot_total(&self, lot: &Lot) -> Amount {
        match lot {
            Lot::OwnCash(_) => self.own_cash,
            Lot::TransferredCash(lot) => {
                let found = self.transferred.iter().find(|known| known.sender == lot.sender);
                found.map_or(Amount::ZERO, |known| known.left)
            }
            Lot::RefundedCredit(lot) => {
                let found = self.refunds.iter().find(|known| known.month == lot.month);
                found.map_or(Amount::ZERO, |known| known.left)
            }
            Lot::CouponLot(CouponLot { coupon }) | Lot::CashCouponLot(CashCouponLot { coupon }) => {
                let found = self.coupons.iter().find(|known| known.coupon == *coupon);
                found.map_or(Amount::ZERO, |known| known.left)
            }
            Lot::QuotaLot(_) => self.quota.minus(self.quota_consumed).unwrap_or_default(),
            Lot::MethodPaid(_) | Lot::SharedCouponLot(_) => Amount::ZERO,
        }
    }

    /// Unpaid parts of issued bills.
    pub fn owed(&self) -> Amount {
        Amount::sum(self.unpaid.iter().map(Bill::owed)).unwrap_or_default()
    }

    /// The length of its bill cycle at an instant.
    pub fn cycle_length(&self, at: Timestamp, default: Cycle) -> Cycle {
        let known = self.cycles.iter().rev().find(|change| change.from.starts() <= at);
        known.map_or(default, |change| change.cycle)
    }

    /// The month that a bill over a cycle belongs to: that of its last instant (R3.5).
    pub(super) fn month_billed(&self, ends: Minute) -> Month {
        self.zone.month_of(ends.starts().minus(Span::micros(1)))
    }

    /// The bill cycle that an instant lies in. One that was open when the length was changed ends as it
    /// would have.
    pub fn cycle_at(&self, at: Timestamp, default: Cycle) -> Window {
        let (begins, ends) = self.zone.cycle_of(self.cycle_length(at, default), at);
        let edges = self.cycles.iter().map(|change| change.from);
        let begun = edges.clone().filter(|edge| edge.starts() <= at).max().unwrap_or(Minute::START);
        let next = edges.filter(|edge| edge.starts() > at).min().unwrap_or(Minute::END);
        Window { from: begins.full_minute().max(begun), until: ends.full_minute().min(next) }
    }

    /// Counts an issued bill towards what its product has come to this month. Tax is no spending (R12.5).
    pub(super) fn note_spent(&mut self, bill: &Bill) -> Result<(), crate::money::Overflow> {
        if bill.is_tax() {
            return Ok(());
        }
        let known =
            self.spent.iter_mut().find(|s| s.month == bill.month && s.product == bill.product);
        match known {
            Some(spent) => spent.amount = spent.amount.plus(bill.amount)?,
            None => {
                let kept = bill.month.previous();
                self.spent.retain(|spent| spent.month >= kept);
                let Bill { month, product, amount, .. } = *bill;
                let place = self.spent.len();
                insert_tightly(&mut self.spent, place, Spent { month, product, amount });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
