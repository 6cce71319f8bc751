//! What people are told: the kinds of notices, and what each has to say (R8).

use crate::ids::{AccountId, Country, MeterId, OrderId, ProductId, Text, WalletId};
use crate::money::{Amount, Currency};
use crate::payments::Payment;
use crate::requests::PaymentRequest;
use crate::time::{Timestamp, Zone};
use crate::{record, symbols};

symbols! {
    /// Why somebody is told something. Each kind is a kind of mail.
    pub enum NoticeKind {
        LowBalance = "low_balance",
        Recovered = "recovered",
        NearDue = "near_due",
        Runway = "runway",
        Overdue = "overdue",
        Suspended = "suspended",
        Resumed = "resumed",
        PaymentSucceeded = "payment_succeeded",
        PaymentFailed = "payment_failed",
        PaymentDelayed = "payment_delayed",
        RechargeFailed = "recharge_failed",
        AuthenticationRequired = "authentication_required",
        Invoice = "invoice",
        CreditLimit = "credit_limit",
        SpendCap = "spend_cap",
        TestTopUpFailed = "test_top_up_failed",
        PaymentRequestNew = "payment_request_new",
        PaymentRequestApproved = "payment_request_approved",
        PaymentRequestRejected = "payment_request_rejected",
        PaymentRequestCancelled = "payment_request_cancelled",
        PaymentRequestExpired = "payment_request_expired",
        PaymentRequestPaid = "payment_request_paid",
        PaymentRequestFailed = "payment_request_failed",
    }
}

symbols! {
    /// Whether an account's services run.
    pub enum ServiceState {
        Running = "running",
        Suspended = "suspended",
    }
}

symbols! {
    /// Why services stopped (R8.2).
    pub enum ServiceCause {
        /// A prepaid account's payer has nothing left.
        NoCredit = "no_credit",
        /// A partner's quota is used up.
        QuotaUsed = "quota_used",
        /// Below what the region allows without limit and method.
        BelowBuffer = "below_buffer",
        Overdue = "overdue",
    }
}

record! {
    /// A row of the view `service`.
    pub struct Service {
        pub account: AccountId,
        pub billing_account: WalletId,
        pub state: ServiceState,
        pub since: Timestamp,
        /// None while services run.
        pub cause: Option<ServiceCause>,
    }
}

record! {
    /// What a meter has cost this month.
    pub struct MeterCost {
        pub account: AccountId,
        pub product: ProductId,
        pub meter: MeterId,
        pub charge: Amount,
    }
}

record! {
    /// How a billing account stood when somebody was told.
    pub struct Standing {
        pub available: Amount,
        /// Unpaid parts of issued bills.
        pub owed: Amount,
        /// Charges a day, by use in the last seven days (R8.6).
        pub burn_per_day: Amount,
        /// How long what is available lasts, in days; none without burn.
        pub days_left: Option<Amount>,
        pub empty_on: Option<Timestamp>,
        /// The month's three costliest meters.
        pub costliest: Vec<MeterCost>,
    }
}

record! {
    /// Something that somebody is told.
    pub struct Notice {
        /// Its name, unique for ever: a mail about it keeps it however often it is sent.
        pub notice: String,
        pub kind: NoticeKind,
        pub at: Timestamp,
        pub billing_account: WalletId,
        pub enterprise_name: Text,
        pub country: Country,
        /// The language asked for; none: the country's.
        pub language: Option<Text>,
        pub time_zone: Zone,
        pub currency: Currency,
        /// Who gets it, as mail addresses.
        pub recipients: Vec<Text>,
        pub standing: Standing,
        /// What the owner asked to be warned below.
        pub threshold: Option<Amount>,
        /// Which mail of a series it is, from one on.
        pub of_series: Option<u32>,
        /// The account whose services stopped or go on.
        pub service: Option<Service>,
        /// The payment it is about.
        pub payment: Option<Payment>,
        /// The request to pay that it is about.
        pub request: Option<PaymentRequest>,
        /// The plan that could not be renewed.
        pub plan: Option<OrderId>,
    }
}
