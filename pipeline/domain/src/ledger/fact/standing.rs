//! How a billing account stands, and who is told.

use crate::ids::OrderId;
use crate::ledger::state::{AccountNumber, Fall, RunwayAlert, Services, WalletNumber};
use crate::money::Amount;
use crate::notices::{CapReached, NoticeKind};
use crate::payments::Payment;
use crate::record;
use crate::requests::PaymentRequest;
use crate::time::{Minute, Timestamp};

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
        /// The cycle's end of which that is judged once a payment that has begun by then is answered.
        pub waits: Option<Minute> = None,
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
