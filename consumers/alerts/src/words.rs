//! What each kind of notice is called. What it says stands in `templates`.

use drawdown_domain::notices::NoticeKind;

use crate::figures::{Figures, Limit};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    News,
    Soon,
    Bad,
}

impl Tone {
    /// The class of a page's head.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::News => "news",
            Tone::Soon => "soon",
            Tone::Bad => "bad",
        }
    }
}

pub(crate) fn tone(kind: NoticeKind) -> Tone {
    use NoticeKind as Kind;
    match kind {
        Kind::Recovered | Kind::Resumed | Kind::PaymentSucceeded | Kind::PaymentRequestPaid => {
            Tone::Good
        }
        Kind::LowBalance
        | Kind::NearDue
        | Kind::Runway
        | Kind::PaymentDelayed
        | Kind::AuthenticationRequired
        | Kind::SpendCap => Tone::Soon,
        Kind::Overdue
        | Kind::Suspended
        | Kind::PaymentFailed
        | Kind::RechargeFailed
        | Kind::TestTopUpFailed
        | Kind::PaymentRequestFailed => Tone::Bad,
        Kind::Invoice
        | Kind::CreditLimit
        | Kind::PaymentRequestNew
        | Kind::PaymentRequestApproved
        | Kind::PaymentRequestRejected
        | Kind::PaymentRequestCancelled
        | Kind::PaymentRequestExpired => Tone::News,
    }
}

/// The line above everything else.
pub(crate) fn heading(figures: &Figures<'_>) -> String {
    use NoticeKind as Kind;
    let (available, to_pay, account) = (&figures.available, figures.to_pay(), figures.account());
    let asked_for = figures.asked_for();
    match figures.kind {
        Kind::LowBalance => format!("Low balance: {available} left"),
        Kind::Recovered => format!("Balance recovered: {available}"),
        Kind::NearDue => "Credit may not last three more billing cycles".to_owned(),
        Kind::Runway => match &figures.days_left {
            Some(days) => format!("Credit lasts {days} more days"),
            None => "Credit is running out".to_owned(),
        },
        Kind::Overdue if figures.is_unpaid => format!("Overdue: {} unpaid", figures.owed),
        Kind::Overdue => format!("Overdue: available credit is {available}"),
        Kind::Suspended => format!("Services of {account} have stopped"),
        Kind::Resumed => format!("Services of {account} are running again"),
        Kind::PaymentSucceeded => format!("Payment received: {to_pay}"),
        Kind::PaymentFailed => match figures.plan {
            Some(plan) => format!("{plan} was not renewed"),
            None => format!("Payment failed: {to_pay}"),
        },
        Kind::PaymentDelayed => format!("Payment delayed: {to_pay}"),
        Kind::RechargeFailed => "Automatic recharge failed".to_owned(),
        Kind::AuthenticationRequired => format!("Please confirm your payment of {to_pay}"),
        Kind::Invoice => "Your invoice".to_owned(),
        Kind::CreditLimit => match &figures.credit_limit {
            Some(Limit { waits: Some(limit), .. }) => {
                format!("Credit limit of {limit}: please confirm the contract")
            }
            Some(Limit { in_effect: Some(limit), .. }) => {
                format!("Credit limit of {limit} is in effect")
            }
            Some(Limit { in_effect: None, waits: None }) => "No credit limit any more".to_owned(),
            None => "Your credit limit".to_owned(),
        },
        Kind::SpendCap => match &figures.cap {
            Some(cap) => format!("{} has used {}% of its monthly cap", cap.account, cap.percent),
            None => "Spending cap".to_owned(),
        },
        Kind::TestTopUpFailed => "Test of your payment method failed".to_owned(),
        Kind::PaymentRequestNew => format!("You are asked to pay {asked_for}"),
        Kind::PaymentRequestApproved => format!("Payment request approved: {asked_for}"),
        Kind::PaymentRequestRejected => format!("Payment request rejected: {asked_for}"),
        Kind::PaymentRequestCancelled => format!("Payment request cancelled: {asked_for}"),
        Kind::PaymentRequestExpired => format!("Payment request expired: {asked_for}"),
        Kind::PaymentRequestPaid => format!("Payment request paid: {asked_for}"),
        Kind::PaymentRequestFailed => format!("Payment request failed: {asked_for}"),
    }
}

pub(crate) fn subject(figures: &Figures<'_>) -> String {
    format!("{} ({})", figures.heading, figures.billing_account)
}
