//! What can happen to a ledger. Deciding makes facts; applying them makes the state; nothing else
//! does either.

use crate::commands::{Asked, DelayedSuspension, LowBalanceAlert, Recipients};
use crate::ids::{
    AuthorizationId, BenefitId, EnterpriseId, MethodId, OrderId, PrincipalId, RegionId, RequestId,
    Text,
};
use crate::invoices::{Invoice, InvoiceDraft, Settled};
use crate::ledger::benefits::Benefit;
use crate::ledger::converting::SettlementChange;
use crate::ledger::coverage::CoveredHour;
use crate::ledger::plans::Plan;
use crate::ledger::runs::RunKey;
use crate::ledger::sharing::{Organisation, Served, Sharing, SharingRule};
use crate::ledger::spending::{AllocatedCredit, CapTold, MonthlyCap};
use crate::ledger::state::{
    Account, AccountNumber, BadDebt, Bill, Burned, Coupon, CycleChange, Enterprise,
    EnterpriseNumber, Fall, Grant, InFlight, Linking, Lot, Membership, Order, PendingOrder,
    ProductNumber, Recharge, RegionNumber, RunwayAlert, Series, Services, SharedCouponLot, Tab,
    Wallet, WalletNumber, WalletState,
};
use crate::ledger::values::SeriesKey;
use crate::money::Amount;
use crate::notices::{CapReached, NoticeKind};
use crate::payments::{MethodState, Payment, PaymentAnswer};
use crate::rating::{Change, MeterNumber, Value, ValueCount};
use crate::refusal::Refusal;
use crate::requests::{Crossing, Direction, PaymentRequest, Request, RequestStatus};
use crate::rights::Role;
use crate::settings::Schedule;
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
    /// An account shares in its enterprise, or does so no more (R4.6).
    pub struct MembershipChanged {
        pub account: AccountNumber,
        pub membership: Membership,
    }
}

record! {
    /// An enterprise has another tax number.
    pub struct TaxIdChanged {
        pub enterprise: EnterpriseNumber,
        pub tax_id: Text,
    }
}

record! {
    /// Top-ups are stopped under an enterprise, or allowed again (R11.3).
    pub struct RechargeFrozen {
        pub enterprise: EnterpriseNumber,
        pub frozen: bool,
    }
}

record! {
    /// Somebody has a role; what he had before of the same role at the same place is replaced.
    pub struct RoleGranted {
        pub enterprise: EnterpriseNumber,
        pub grant: Grant,
    }
}

record! {
    pub struct RoleRevoked {
        pub enterprise: EnterpriseNumber,
        pub principal: PrincipalId,
        pub role: Role,
        pub wallet: Option<WalletNumber>,
    }
}

record! {
    /// A wallet is shown by another name.
    pub struct WalletRenamed {
        pub wallet: WalletNumber,
        pub name: Text,
    }
}

record! {
    /// A wallet is frozen, works again, or is closed for good (R4.5).
    pub struct WalletStateChanged {
        pub wallet: WalletNumber,
        pub state: WalletState,
        /// Who froze it.
        pub frozen_by: Option<PrincipalId>,
    }
}

record! {
    /// The regular administrators of a wallet, in the order of their numbers (R9.5).
    pub struct AdministratorsChanged {
        pub wallet: WalletNumber,
        pub administrators: Vec<AccountNumber>,
    }
}

record! {
    /// Bad debt arose, or was forgiven (R9.1).
    pub struct BadDebtChanged {
        pub wallet: WalletNumber,
        pub bad_debt: BadDebt,
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
        TooManyValues = "too_many_values",
    }
}

record! {
    /// A counted line could not be priced. It is kept aside as a difference that `audit` names.
    pub struct SetAside {
        pub account: AccountNumber,
        pub used: Minute,
        pub quantity: Amount,
        pub records: i64,
        pub why: Unpriced,
    }
}

record! {
    /// Records were counted whose values make their month's quantity, not their sum (R3.3).
    pub struct ValuesCounted {
        pub series: SeriesKey,
        pub values: Vec<ValueCount>,
    }
}

record! {
    /// A usage record is to be taken back (R2.5): metering is asked which it was.
    pub struct VoidAsked {
        pub account: AccountNumber,
        pub source: String,
        pub id: String,
        /// Who waits for the answer.
        pub asked: Asked,
    }
}

record! {
    /// A record was taken back whose value made its month's quantity, not its sum with others (R2.5).
    pub struct ValueTakenBack {
        pub series: SeriesKey,
        pub value: Value,
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
    pub(super) fn of(wallet: WalletNumber, bill: Bill, exact: Amount, ends: Minute) -> BillIssued {
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
    /// A negative bill has so much yet to undo, as long as a payment of the bills of which that is is in flight;
    /// over 0: nothing any more (R5.7).
    pub struct CorrectionWaits {
        pub wallet: WalletNumber,
        pub bill: Bill,
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
    /// A benefit was bought (R9.8).
    pub struct BenefitBought {
        pub wallet: WalletNumber,
        pub benefit: Benefit,
    }
}

record! {
    /// A benefit covers no usage from then on: its order was given back.
    pub struct BenefitEnded {
        pub wallet: WalletNumber,
        pub benefit: BenefitId,
        pub until: Minute,
    }
}

record! {
    /// With whom a benefit or coupon is shared from now on (R9.7).
    pub struct SharingChanged {
        pub wallet: WalletNumber,
        pub benefit: BenefitId,
        pub sharing: Sharing,
    }
}

record! {
    /// With whom what a wallet buys from now on is shared.
    pub struct SharingRuleChanged {
        pub wallet: WalletNumber,
        pub rule: SharingRule,
    }
}

record! {
    /// Who makes an organisation from now on; nobody: there is none.
    pub struct OrganisationChanged {
        pub enterprise: EnterpriseNumber,
        pub organisation: Organisation,
    }
}

record! {
    /// In which minutes of use another wallet's benefit or coupon serves an account; one that had begun in
    /// the same minute is replaced.
    pub struct ServedChanged {
        pub account: AccountNumber,
        pub served: Served,
    }
}

record! {
    /// Usage was covered, or could have been (R9.8).
    pub struct Covered {
        /// Who pays for the rest.
        pub payer: WalletNumber,
        pub used: Minute,
        /// What this adds to its hour of use.
        pub hour: CoveredHour,
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
        pub auto_pay_threshold: Option<Amount>,
        pub delayed_suspension: Option<DelayedSuspension>,
    }
}

record! {
    /// Whom a wallet's owner wants told.
    pub struct TellingConfigured {
        pub wallet: WalletNumber,
        pub low_balance_alert: Option<LowBalanceAlert>,
        pub billing_email: Option<Text>,
        pub recipients: Vec<Recipients>,
        /// Available credit now, if the alert is another than before.
        pub set_with: Option<Amount> = None,
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
    /// A method is to be linked: the gateway is asked to hold something.
    pub struct LinkBegun {
        pub wallet: WalletNumber,
        pub linking: Linking,
    }
}

record! {
    /// The gateway has answered whether a method can pay.
    pub struct LinkEnded {
        pub wallet: WalletNumber,
        pub linking: Linking,
        /// None: it can.
        pub refused: Option<Refusal>,
        /// What the gateway said; or where the owner has to go on.
        pub reason: Option<Text>,
        /// What it is from now on, if it can pay.
        pub state: MethodState,
    }
}

record! {
    /// A method is taken away.
    pub struct MethodUnlinked {
        pub wallet: WalletNumber,
        pub method: MethodId,
    }
}

record! {
    /// This method is charged from now on.
    pub struct MethodPreferred {
        pub wallet: WalletNumber,
        pub method: Option<MethodId>,
    }
}

record! {
    /// A method can pay from now on, or can do so no longer.
    pub struct MethodChanged {
        pub wallet: WalletNumber,
        pub method: MethodId,
        pub state: MethodState,
    }
}

record! {
    /// The first use of a product: whether the method could pay for it is asked once (R7.6).
    pub struct ProductChecked {
        pub wallet: WalletNumber,
        pub method: MethodId,
        pub product: ProductNumber,
    }
}

record! {
    /// How a wallet tops itself up, as it stands from now on; none: not (R6.7).
    pub struct RechargeChanged {
        pub wallet: WalletNumber,
        pub recharge: Option<Recharge>,
    }
}

record! {
    /// Whose results a settlement of an enterprise waits for; nobody's: there is none (R5.6).
    pub struct SettlementChanged {
        pub enterprise: EnterpriseNumber,
        pub awaits: Vec<WalletNumber>,
    }
}

record! {
    /// A gateway is to charge a method.
    pub struct PaymentBegun {
        pub wallet: WalletNumber,
        pub payment: InFlight,
    }
}

record! {
    /// A payment's outcome has not been known for long.
    pub struct PaymentDelayed {
        pub wallet: WalletNumber,
        pub payment: u64,
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

record! {
    /// What became of a payment.
    pub struct PaymentEnded {
        pub wallet: WalletNumber,
        pub payment: InFlight,
        pub answer: PaymentAnswer,
        pub reason: Option<Text>,
        /// When it is tried again; none: not, or it succeeded.
        pub retry_at: Option<Minute>,
    }
}

record! {
    /// A declined payment could not be tried again, because no method can pay (R6.5).
    pub struct RetryPassed {
        pub wallet: WalletNumber,
        pub retry_at: Option<Minute>,
    }
}

record! {
    /// What was declined is paid (R6.5).
    pub struct Cured {
        pub wallet: WalletNumber,
    }
}

record! {
    /// What was owed at the end of a month is charged; the next time is this (R6.2).
    pub struct MonthSwept {
        pub wallet: WalletNumber,
        pub next: Minute,
        /// It cannot be charged now: something is in flight, or was declined.
        pub waits: bool,
    }
}

record! {
    /// Services of an account are to stop, or may go on (R8.2, R8.4).
    pub struct ServiceChanged {
        pub account: AccountNumber,
        /// The payer by whose figures that was judged.
        pub wallet: WalletNumber,
        pub services: Services,
    }
}

record! {
    /// Services of an account would have stopped then, and run on for a while; none: it is over (R8.3).
    pub struct SuspensionDelayed {
        pub wallet: WalletNumber,
        pub account: AccountNumber,
        pub since: Option<Timestamp>,
    }
}

record! {
    /// What was told of a runway that is too short (R8.6).
    pub struct RunwayChanged {
        pub wallet: WalletNumber,
        pub alert: RunwayAlert,
    }
}

record! {
    /// At a cycle's end available credit would not cover the next ones, or would again (R8.8).
    pub struct NearDueChanged {
        pub wallet: WalletNumber,
        pub near: bool,
    }
}

record! {
    /// A fall below the owner's threshold, as it stands from now on; none: it is over (R8.5).
    pub struct FallChanged {
        pub wallet: WalletNumber,
        pub fall: Option<Fall>,
        /// Available credit when the alert was set, while it is still so much.
        pub set_with: Option<Amount> = None,
    }
}

record! {
    /// A wallet became overdue, or is not so any more (R8.1).
    pub struct OverdueChanged {
        pub wallet: WalletNumber,
        pub overdue: bool,
    }
}

record! {
    /// Somebody is told something.
    pub struct Noticed {
        pub wallet: WalletNumber,
        /// Counts the notices of a wallet, from one on.
        pub number: u64,
        pub kind: NoticeKind,
        pub account: Option<AccountNumber>,
        pub payment: Option<Payment>,
        /// Which of a series it is, from one on.
        pub of_series: Option<u32>,
        pub request: Option<Box<PaymentRequest>>,
        /// The plan that is not renewed.
        pub plan: Option<OrderId>,
        pub cap: Option<Box<CapReached>>,
    }
}

record! {
    /// What an account may spend from now on, with what has been charged to its credit so far (R11.2).
    pub struct SpendAllocated {
        pub account: AccountNumber,
        pub credit: Option<AllocatedCredit>,
        pub monthly_cap: Option<MonthlyCap>,
    }
}

record! {
    /// An account may spend so much, which is set aside until it is used or lapses.
    pub struct Authorized {
        pub account: AccountNumber,
        pub authorization: AuthorizationId,
        pub amount: Amount,
        pub lapses_at: Minute,
    }
}

record! {
    /// That an account's charges have come near its cap, or to it, is told.
    pub struct CapNeared {
        pub account: AccountNumber,
        pub told: CapTold,
    }
}

record! {
    /// A wallet asks somebody to pay, or is asked (R10.1).
    pub struct RequestOpened {
        pub wallet: WalletNumber,
        pub direction: Direction,
        pub request: Box<Request>,
    }
}

record! {
    /// How a request stands from now on.
    pub struct RequestChanged {
        pub wallet: WalletNumber,
        pub direction: Direction,
        pub request: RequestId,
        pub status: RequestStatus,
        pub reason: Option<Text>,
        pub in_flight: Amount,
        /// The payment by which the payer's method pays its part.
        pub payment: Option<u64>,
    }
}

record! {
    /// The payer's method has paid its part of a request.
    pub struct RequestFunded {
        pub wallet: WalletNumber,
        pub request: RequestId,
        pub amount: Amount,
    }
}

record! {
    /// Something is said to the ledger of another enterprise, or of this one.
    pub struct SaidAcross {
        pub to: EnterpriseId,
        pub crossing: Box<Crossing>,
    }
}

record! {
    /// A period is over, and what its invoice will say is decided for good. It wants a number.
    pub struct PeriodClosed {
        pub wallet: WalletNumber,
        /// The last half-month it covers.
        pub last: HalfMonth,
        pub draft: Box<InvoiceDraft>,
        /// The run that it belongs to.
        pub run: RunKey,
    }
}

record! {
    /// Part of an issued invoice is taken back, and what its credit note will say is decided for good. It
    /// wants a number (R12.2).
    pub struct CreditDrafted {
        pub wallet: WalletNumber,
        /// What that invoice was known by as a draft.
        pub invoice: u64,
        pub taken: Vec<LineTaken>,
        pub draft: Box<InvoiceDraft>,
    }
}

record! {
    /// So much of a line of an invoice.
    #[derive(Copy)]
    pub struct LineTaken {
        /// Its place on the invoice, counted from one.
        pub line: u32,
        pub amount: Amount,
    }
}

record! {
    /// Invoices are monthly: the first half is shown with the second.
    pub struct PeriodJoined {
        pub wallet: WalletNumber,
        pub half: HalfMonth,
    }
}

record! {
    /// How a wallet's owner wants invoices.
    pub struct InvoicingConfigured {
        pub wallet: WalletNumber,
        /// None: as it was.
        pub settlement: Option<SettlementChange>,
        pub schedule: Option<Schedule>,
    }
}

record! {
    /// The rate at which a draft is settled was stated, and it is converted (R12.6).
    pub struct DraftSettled {
        pub wallet: WalletNumber,
        pub draft: u64,
        pub settled: Settled,
        pub run: RunKey,
        /// It waits for something else.
        pub still_held: bool,
    }
}

record! {
    /// A run has come to more than is issued without approval (R12.1).
    #[derive(Copy)]
    pub struct RunHeld {
        pub run: RunKey,
    }
}

record! {
    /// What a run has come to is approved.
    #[derive(Copy)]
    pub struct RunApproved {
        pub run: RunKey,
    }
}

record! {
    /// A draft waits for its run no more: that may be issued as it is, or was approved.
    #[derive(Copy)]
    pub struct DraftReleased {
        pub wallet: WalletNumber,
        pub draft: u64,
        pub run: RunKey,
        /// It waits for something else.
        pub still_held: bool,
    }
}

record! {
    /// A draft has its number: it is an invoice.
    pub struct InvoiceIssued {
        pub wallet: WalletNumber,
        pub draft: u64,
        pub invoice: Box<Invoice>,
        /// The run that it belongs to; none: somebody asked for this credit note.
        pub run: Option<RunKey>,
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
        TellingConfigured,
        LinkBegun,
        LinkEnded,
        MethodUnlinked,
        MethodPreferred,
        MethodChanged,
        ProductChecked,
        RechargeChanged,
        SettlementChanged,
        PaymentBegun,
        PaymentDelayed,
        BillPaid,
        PaymentEnded,
        RetryPassed,
        Cured,
        MonthSwept,
        ServiceChanged,
        SuspensionDelayed,
        RunwayChanged,
        NearDueChanged,
        FallChanged,
        OverdueChanged,
        Noticed,
        PeriodJoined,
        PeriodClosed,
        InvoiceIssued,
        CreditDrafted,
        InvoicingConfigured,
        DraftSettled,
        RunHeld,
        RunApproved,
        DraftReleased,
        ValuesCounted,
        MembershipChanged,
        TaxIdChanged,
        RechargeFrozen,
        RoleGranted,
        RoleRevoked,
        WalletRenamed,
        WalletStateChanged,
        AdministratorsChanged,
        BadDebtChanged,
        VoidAsked,
        ValueTakenBack,
        CorrectionWaits,
        RequestOpened,
        RequestChanged,
        RequestFunded,
        SaidAcross,
        SharedCouponPaid,
        SharedCouponReturned,
        BenefitBought,
        BenefitEnded,
        SharingChanged,
        SharingRuleChanged,
        OrganisationChanged,
        ServedChanged,
        Covered,
        OrderBegun,
        HeldPaid,
        OrderEnded,
        PlanChanged,
        SpendAllocated,
        Authorized,
        CapNeared,
    }
}

impl Fact {
    /// The wallet whose balance this changes.
    pub fn changes_balance_of(&self) -> Option<WalletNumber> {
        match self {
            Fact::Moved(fact) => Some(fact.wallet),
            Fact::BillIssued(fact) => Some(fact.wallet),
            Fact::BillReduced(fact) => Some(fact.wallet),
            Fact::BillPaid(fact) => Some(fact.wallet),
            Fact::CorrectionWaits(fact) => Some(fact.wallet),
            Fact::LimitChanged(fact) => Some(fact.wallet),
            Fact::CouponOpened(fact) => Some(fact.wallet),
            Fact::OverdueChanged(fact) => Some(fact.wallet),
            Fact::WalletOpened(fact) => Some(fact.number),
            Fact::WalletStateChanged(fact) => Some(fact.wallet),
            Fact::RequestChanged(fact) => Some(fact.wallet),
            Fact::RequestFunded(fact) => Some(fact.wallet),
            Fact::SharedCouponPaid(fact) => Some(fact.wallet),
            Fact::HeldPaid(fact) => Some(fact.wallet),
            Fact::TimePassed(_)
            | Fact::Marked(_)
            | Fact::SettingsChanged(_)
            | Fact::PricesArrived(_)
            | Fact::PricesInForce(_)
            | Fact::EnterpriseOpened(_)
            | Fact::AccountOpened(_)
            | Fact::AccountClosed(_)
            | Fact::PayerChanged(_)
            | Fact::RegionNamed(_)
            | Fact::SeriesOpened(_)
            | Fact::TabOpened(_)
            | Fact::TabCut(_)
            | Fact::SetAside(_)
            | Fact::CycleBilled(_)
            | Fact::PaymentUndone(_)
            | Fact::Configured(_)
            | Fact::OrderPlaced(_)
            | Fact::OrderRefunded(_)
            | Fact::TellingConfigured(_)
            | Fact::LinkBegun(_)
            | Fact::LinkEnded(_)
            | Fact::MethodUnlinked(_)
            | Fact::MethodPreferred(_)
            | Fact::MethodChanged(_)
            | Fact::ProductChecked(_)
            | Fact::RechargeChanged(_)
            | Fact::SettlementChanged(_)
            | Fact::PaymentBegun(_)
            | Fact::PaymentDelayed(_)
            | Fact::PaymentEnded(_)
            | Fact::RetryPassed(_)
            | Fact::Cured(_)
            | Fact::MonthSwept(_)
            | Fact::ServiceChanged(_)
            | Fact::SuspensionDelayed(_)
            | Fact::RunwayChanged(_)
            | Fact::NearDueChanged(_)
            | Fact::FallChanged(_)
            | Fact::Noticed(_)
            | Fact::PeriodJoined(_)
            | Fact::PeriodClosed(_)
            | Fact::InvoiceIssued(_)
            | Fact::CreditDrafted(_)
            | Fact::InvoicingConfigured(_)
            | Fact::DraftSettled(_)
            | Fact::RunHeld(_)
            | Fact::RunApproved(_)
            | Fact::DraftReleased(_)
            | Fact::ValuesCounted(_)
            | Fact::MembershipChanged(_)
            | Fact::TaxIdChanged(_)
            | Fact::RechargeFrozen(_)
            | Fact::RoleGranted(_)
            | Fact::RoleRevoked(_)
            | Fact::WalletRenamed(_)
            | Fact::AdministratorsChanged(_)
            | Fact::BadDebtChanged(_)
            | Fact::VoidAsked(_)
            | Fact::ValueTakenBack(_)
            | Fact::RequestOpened(_)
            | Fact::SaidAcross(_)
            | Fact::SharedCouponReturned(_)
            | Fact::BenefitBought(_)
            | Fact::BenefitEnded(_)
            | Fact::SharingChanged(_)
            | Fact::SharingRuleChanged(_)
            | Fact::OrganisationChanged(_)
            | Fact::ServedChanged(_)
            | Fact::Covered(_)
            | Fact::OrderBegun(_)
            | Fact::OrderEnded(_)
            | Fact::PlanChanged(_)
            | Fact::SpendAllocated(_)
            | Fact::Authorized(_)
            | Fact::CapNeared(_) => None,
        }
    }

    /// The wallet that is to be judged after this. Its opening changes nothing yet (R8.2).
    pub(super) fn calls_for_judgement_of(&self) -> Option<WalletNumber> {
        match self {
            Fact::WalletOpened(_) | Fact::OverdueChanged(_) => None,
            Fact::Configured(fact) => Some(fact.wallet),
            Fact::PayerChanged(fact) => Some(fact.wallet),
            Fact::LinkEnded(fact) => Some(fact.wallet),
            Fact::MethodUnlinked(fact) => Some(fact.wallet),
            Fact::MethodPreferred(fact) => Some(fact.wallet),
            Fact::MethodChanged(fact) => Some(fact.wallet),
            Fact::RechargeChanged(fact) => Some(fact.wallet),
            Fact::PaymentBegun(fact) => Some(fact.wallet),
            Fact::PaymentEnded(fact) => Some(fact.wallet),
            Fact::RetryPassed(fact) => Some(fact.wallet),
            Fact::Cured(fact) => Some(fact.wallet),
            fact => fact.changes_balance_of(),
        }
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
