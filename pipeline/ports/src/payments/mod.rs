//! Payment gateways: what they are asked, and what they can say.

mod book;
mod sandbox;

use std::fmt;
use std::pin::Pin;

use drawdown_domain::ids::{MethodId, Text};
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::payments::MethodKind;
use drawdown_domain::time::{Span, Timestamp};

pub use book::{Booked, BookedAnswer, BookedKind};
pub use sandbox::Sandbox;

/// What a gateway is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// By this the gateway knows it again: whatever is asked twice under one key is done once.
    pub key: String,
    pub method: MethodId,
    pub kind: MethodKind,
    /// What the gateway knows the method by.
    pub token: Text,
    pub amount: Amount,
    pub currency: Currency,
    /// The owner says that he has proven who he is, where the gateway had sent him.
    pub authenticated: bool,
    /// When it was asked for first. A gateway that forgets its keys after a while looks for the payment
    /// by our name of it before it is asked under an old one.
    pub since: Timestamp,
    /// When it is asked now.
    pub at: Timestamp,
}

/// What a gateway says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Succeeded {
        /// What the gateway knows the payment by.
        reference: String,
    },
    /// It is held, but the method's owner was not asked who he is. Only of what is held.
    Unauthenticated {
        reference: String,
    },
    /// It is held, and the method's owner has yet to approve that it is charged later: the gateway says by
    /// itself when he has. Only of what is held.
    AwaitsApproval {
        approve_at: String,
        reference: String,
    },
    Declined {
        reason: String,
        reference: Option<String>,
    },
    /// The method's owner must prove who he is.
    AuthenticationRequired {
        go_on_at: String,
        reference: Option<String>,
    },
    /// It may have been done or not: to be asked again under the same key.
    Unknown {
        why: String,
        /// When it may be known; none: the gateway did not say.
        again_after: Option<Span>,
    },
    /// Nobody was there to be asked.
    Away {
        why: String,
    },
}

pub type Asking<'a> = Pin<Box<dyn Future<Output = Said> + Send + 'a>>;

/// A payment gateway.
pub trait Gateway: Send + Sync + fmt::Debug {
    /// Takes the amount from the method.
    fn charge<'a>(&'a self, order: &'a Order) -> Asking<'a>;

    /// Takes the amount from the method and gives it back: whether the method pays.
    fn charge_and_return<'a>(&'a self, order: &'a Order) -> Asking<'a>;

    /// Holds the amount and gives it back: whether the method could pay.
    fn preauthorise<'a>(&'a self, order: &'a Order) -> Asking<'a>;
}
