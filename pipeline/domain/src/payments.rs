//! Money that moves through a gateway: how methods, payments and their answers are called (R6, R7).

use crate::ids::{MethodId, Text, WalletId};
use crate::money::{Amount, Currency};
use crate::time::Timestamp;
use crate::{record, symbols};

/// The method of a top-up that needs no linked one.
pub const BANK_TRANSFER: &str = "bank_transfer";

symbols! {
    /// What kind of payment method it is.
    pub enum MethodKind {
        Card = "card",
        Paypal = "paypal",
        Alipay = "alipay",
        Unionpay = "unionpay",
    }
}

symbols! {
    /// Whether a payment method can pay.
    pub enum MethodState {
        /// The gateway has yet to say.
        Pending = "pending",
        Active = "active",
        Inactive = "inactive",
    }
}

symbols! {
    /// Why a payment was begun.
    pub enum PaymentCause {
        /// What is owed reached the threshold (R6.1).
        Threshold = "threshold",
        /// The month ended (R6.2).
        MonthEnd = "month_end",
        /// An earlier one was declined (R6.5).
        Retry = "retry",
        Manual = "manual",
        Recharge = "recharge",
        TopUp = "top_up",
        Test = "test",
        /// Held and given back, to see whether a method can pay (R7.4).
        Preauthorisation = "preauthorisation",
        Order = "order",
        PaymentRequest = "payment_request",
    }
}

/// What becomes of the money of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It pays bills, which are set aside meanwhile (R6.3).
    Bills,
    /// It becomes own cash (R7.1).
    Cash,
    /// It pays somebody else's bills (R10.2). Whatever pays bills is charged one at a time (R6.3).
    Request,
    /// It goes back, and has shown that the method works (R7.2, R7.4).
    Proof,
}

impl PaymentCause {
    pub const fn purpose(self) -> Purpose {
        match self {
            PaymentCause::Threshold
            | PaymentCause::MonthEnd
            | PaymentCause::Retry
            | PaymentCause::Manual
            | PaymentCause::Order => Purpose::Bills,
            PaymentCause::PaymentRequest => Purpose::Request,
            PaymentCause::Recharge | PaymentCause::TopUp => Purpose::Cash,
            PaymentCause::Test | PaymentCause::Preauthorisation => Purpose::Proof,
        }
    }
}

symbols! {
    /// What is known of a payment.
    pub enum PaymentStatus {
        Pending = "pending",
        /// Its outcome is not known for so long that somebody should look (R6.4).
        Delayed = "delayed",
        Succeeded = "succeeded",
        Declined = "declined",
    }
}

symbols! {
    /// What a gateway said in the end. That it is not known is no answer: it is asked again.
    pub enum PaymentAnswer {
        Succeeded = "succeeded",
        Declined = "declined",
        /// Its owner must prove to the gateway who he is; the answer says where.
        AuthenticationRequired = "authentication_required",
        /// Held, but its owner was not asked who he is, which some countries demand (R7.4).
        Unauthenticated = "unauthenticated",
        /// Held, but its owner has yet to approve that it is charged later (R7.4).
        AwaitsApproval = "awaits_approval",
    }
}

record! {
    /// A row of the view `payments`.
    pub struct Payment {
        /// Its name, unique for ever; the gateway knows it by this name too.
        pub payment: String,
        pub billing_account: WalletId,
        pub status: PaymentStatus,
        pub cause: PaymentCause,
        pub amount: Amount,
        pub currency: Currency,
        pub method: MethodId,
        pub begun_at: Timestamp,
        /// When its status was last decided.
        pub at: Timestamp,
        /// Why it was declined, or where its owner has to go on.
        pub reason: Option<Text>,
        /// The bills it is for.
        pub bills: Vec<String>,
    }
}
