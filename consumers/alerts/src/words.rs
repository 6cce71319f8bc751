//! What each kind of notice is called. What it says stands in `templates`.

use drawdown_domain::notices::NoticeKind;

use crate::figures::Figures;

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
    match figures.kind {
        Kind::LowBalance => format!("Low balance: {available} left"),
        Kind::Recovered => format!("Balance recovered: {available}"),
        Kind::NearDue => "Credit may not last three more billing cycles".to_owned(),
        Kind::Runway => match &figures.days_left {
            Some(days) => format!("Credit lasts {days} more days"),
            None => "Credit is running out".to_owned(),
        },
        Kind::Overdue => format!("Overdue: {} unpaid", figures.owed),
        Kind::Suspended => format!("Services of {account} have stopped"),
        Kind::Resumed => format!("Services of {account} are running again"),
        Kind::PaymentSucceeded => format!("Payment received: {to_pay}"),
        Kind::PaymentFailed => format!("Payment failed: {to_pay}"),
        Kind::PaymentDelayed => format!("Payment delayed: {to_pay}"),
        Kind::RechargeFailed => "Automatic recharge failed".to_owned(),
        Kind::AuthenticationRequired => format!("Please confirm your payment of {to_pay}"),
        Kind::Invoice => "Your invoice".to_owned(),
        Kind::CreditLimit => "Your credit limit".to_owned(),
        Kind::SpendCap => "Spending cap".to_owned(),
        Kind::TestTopUpFailed => "Test of your payment method failed".to_owned(),
        Kind::PaymentRequestNew => "You are asked to pay".to_owned(),
        Kind::PaymentRequestApproved => "Payment request approved".to_owned(),
        Kind::PaymentRequestRejected => "Payment request rejected".to_owned(),
        Kind::PaymentRequestCancelled => "Payment request cancelled".to_owned(),
        Kind::PaymentRequestExpired => "Payment request expired".to_owned(),
        Kind::PaymentRequestPaid => "Payment request paid".to_owned(),
        Kind::PaymentRequestFailed => "Payment request failed".to_owned(),
    }
}

pub(crate) fn subject(figures: &Figures<'_>) -> String {
    format!("{} ({})", figures.heading, figures.billing_account)
}
