//! Methods, payments, and who pays for whom.

use crate::ids::{EnterpriseId, MethodId, RequestId, Text};
use crate::ledger::state::{InFlight, Linking, ProductNumber, Recharge, WalletNumber};
use crate::money::Amount;
use crate::payments::{MethodState, PaymentAnswer};
use crate::record;
use crate::refusal::Refusal;
use crate::requests::{Crossing, Direction, Request, RequestStatus};
use crate::time::Minute;

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
