//! Pay for me: how requests, what becomes of them, and what two ledgers say to each other about them are
//! called (R10).

use crate::commands::Asked;
use crate::ids::{AccountId, EnterpriseId, RequestId, Text, WalletId};
use crate::money::{Amount, Currency};
use crate::time::{Minute, Timestamp};
use crate::{one_of, record, symbols};

symbols! {
    /// What became of a request (R10.1).
    pub enum RequestStatus {
        /// Whoever may pay has not said.
        Pending = "pending",
        /// It is being paid.
        Approved = "approved",
        Rejected = "rejected",
        Cancelled = "cancelled",
        Expired = "expired",
        Paid = "paid",
        /// It was approved, and could not be paid.
        Failed = "failed",
    }
}

symbols! {
    /// On which side of a request a billing account stands.
    pub enum Direction {
        /// It has asked.
        Asked = "asked",
        /// It is to pay.
        ToPay = "to_pay",
    }
}

record! {
    /// Whom a request goes to: an account, and the billing account that was opened with it.
    pub struct Addressee {
        pub account: AccountId,
        pub billing_account: WalletId,
        pub enterprise: EnterpriseId,
        pub currency: Currency,
    }
}

record! {
    /// What is asked for, by whom and of whom: it never changes.
    pub struct RequestTerms {
        pub request: RequestId,
        /// The billing account whose bills are to be paid.
        pub requester: WalletId,
        pub requester_enterprise: EnterpriseId,
        pub payer: Addressee,
        pub service: Text,
        pub amount: Amount,
        pub note: Option<Text>,
        /// The rejected one that it repeats.
        pub resends: Option<RequestId>,
        pub asked_at: Timestamp,
    }
}

record! {
    /// A request as one of its two sides knows it.
    pub struct Request {
        pub terms: RequestTerms,
        pub status: RequestStatus,
        /// Why it was rejected, cancelled, or failed.
        pub reason: Option<Text>,
        pub changed_at: Timestamp,
        /// What has left the payer and not reached the requester (R10.4).
        pub in_flight: Amount,
        /// When it expires; none on the requester's side, and once it is not pending.
        pub expires_at: Option<Minute>,
        /// The payment by which the payer's method pays its part.
        pub payment: Option<u64>,
    }
}

impl Request {
    /// One that was just made.
    pub(crate) fn of(terms: RequestTerms, expires_at: Option<Minute>) -> Request {
        Request {
            status: RequestStatus::Pending,
            reason: None,
            changed_at: terms.asked_at,
            in_flight: Amount::ZERO,
            expires_at,
            payment: None,
            terms,
        }
    }

    pub fn is_pending(&self) -> bool {
        self.status == RequestStatus::Pending
    }
}

record! {
    /// A row of the view `payment_requests`. A request has one for each of its two sides.
    pub struct PaymentRequest {
        pub request: RequestId,
        /// Whose row it is.
        pub billing_account: WalletId,
        pub direction: Direction,
        /// The billing account whose bills are to be paid.
        pub requester: WalletId,
        /// The account that is asked.
        pub payer: AccountId,
        pub service: Text,
        pub amount: Amount,
        pub currency: Currency,
        pub note: Option<Text>,
        /// The rejected one that it repeats.
        pub resends: Option<RequestId>,
        pub status: RequestStatus,
        /// Why it was rejected, cancelled, or failed.
        pub reason: Option<Text>,
        /// What has left the payer and not reached the requester.
        pub in_flight: Amount,
        pub asked_at: Timestamp,
        /// When its status was last decided.
        pub at: Timestamp,
    }
}

record! {
    /// To the payer: somebody asks.
    pub struct RequestMade {
        pub terms: Box<RequestTerms>,
    }
}

record! {
    /// To the payer: whoever asked wants to take it back.
    pub struct CancelWanted {
        /// Who waits for the answer.
        pub asked: Asked,
        pub reason: Option<Text>,
    }
}

record! {
    /// To the requester: it is taken back, or it was too late for that.
    pub struct CancelAnswered {
        pub asked: Asked,
        pub cancelled: bool,
        pub reason: Option<Text>,
    }
}

record! {
    /// To the requester: what became of it.
    pub struct RequestTold {
        pub status: RequestStatus,
        pub reason: Option<Text>,
        pub in_flight: Amount,
    }
}

record! {
    /// To the requester: here is the money, all that was asked for.
    pub struct MoneySent {
        pub amount: Amount,
    }
}

record! {
    /// To the payer: the money has arrived, or comes back.
    pub struct MoneyAnswered {
        pub taken: bool,
        /// Why it comes back.
        pub reason: Option<Text>,
    }
}

one_of! {
    /// What one ledger says to another about a request.
    pub enum Word {
        RequestMade,
        CancelWanted,
        CancelAnswered,
        RequestTold,
        MoneySent,
        MoneyAnswered,
    }
}

record! {
    /// Something that leaves one ledger and enters another, once.
    pub struct Crossing {
        /// The billing account there that it concerns.
        pub billing_account: WalletId,
        pub request: RequestId,
        pub word: Word,
    }
}
