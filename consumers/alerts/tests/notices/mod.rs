//! Notices as BALANCE words them.

use drawdown_domain::ids::Text;
use drawdown_domain::money::Currency;
use drawdown_domain::notices::{
    MeterCost, Notice, NoticeKind, Service, ServiceCause, ServiceState, Standing,
};
use drawdown_domain::payments::{Payment, PaymentCause, PaymentStatus};
use drawdown_domain::requests::{Direction, PaymentRequest, RequestStatus};
use drawdown_domain::time::Timestamp;

pub(crate) fn at() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn notice(name: &str, kind: NoticeKind, recipients: &[&str]) -> Notice {
    let cost = |account: &str, product: &str, meter: &str, charge: &str| MeterCost {
        account: account.parse().unwrap(),
        product: product.parse().unwrap(),
        meter: meter.parse().unwrap(),
        charge: charge.parse().unwrap(),
    };
    Notice {
        notice: name.to_owned(),
        kind,
        at: at(),
        billing_account: "ba-acme".parse().unwrap(),
        enterprise_name: "Acme <&> Söhne".parse().unwrap(),
        country: "SG".parse().unwrap(),
        language: None,
        time_zone: "Asia/Singapore".parse().unwrap(),
        currency: Currency::Usd,
        recipients: recipients.iter().map(|to| to.parse::<Text>().unwrap()).collect(),
        standing: Standing {
            available: "1099.5".parse().unwrap(),
            owed: "12".parse().unwrap(),
            burn_per_day: "250.0000001".parse().unwrap(),
            days_left: Some("4.39".parse().unwrap()),
            empty_on: Some("2026-03-05T09:33:00Z".parse().unwrap()),
            costliest: vec![
                cost("acme", "compute", "vcpu_hours", "1234.567"),
                cost("acme-2", "storage", "gigabytes", "88"),
            ],
        },
        threshold: Some("2000".parse().unwrap()),
        of_series: Some(2),
        service: matches!(kind, NoticeKind::Suspended | NoticeKind::Resumed).then(|| Service {
            account: "acme".parse().unwrap(),
            billing_account: "ba-acme".parse().unwrap(),
            state: ServiceState::Suspended,
            since: at(),
            cause: (kind == NoticeKind::Suspended).then_some(ServiceCause::NoCredit),
        }),
        payment: payment(kind),
        plan: None,
        request: kind.text().starts_with("payment_request").then(request),
    }
}

fn request() -> PaymentRequest {
    PaymentRequest {
        request: "march".parse().unwrap(),
        billing_account: "ba-acme".parse().unwrap(),
        direction: Direction::ToPay,
        requester: "ba-bolt".parse().unwrap(),
        payer: "acme".parse().unwrap(),
        service: "compute".parse().unwrap(),
        amount: "1234.5".parse().unwrap(),
        currency: Currency::Usd,
        note: Some("for the <trial>".parse().unwrap()),
        resends: None,
        status: RequestStatus::Rejected,
        reason: Some("not ours".parse().unwrap()),
        in_flight: "0".parse().unwrap(),
        asked_at: at(),
        at: at(),
    }
}

fn payment(kind: NoticeKind) -> Option<Payment> {
    let (status, reason) = match kind {
        NoticeKind::PaymentSucceeded => (PaymentStatus::Succeeded, None),
        NoticeKind::PaymentFailed => (PaymentStatus::Declined, Some("card_declined")),
        NoticeKind::PaymentDelayed => (PaymentStatus::Delayed, None),
        NoticeKind::AuthenticationRequired => {
            (PaymentStatus::Declined, Some("https://sandbox.invalid/authenticate/7"))
        }
        _ => return None,
    };
    Some(Payment {
        payment: "p-0-17".to_owned(),
        billing_account: "ba-acme".parse().unwrap(),
        status,
        cause: PaymentCause::Threshold,
        amount: "1000".parse().unwrap(),
        currency: Currency::Usd,
        method: "visa-1".parse().unwrap(),
        begun_at: at(),
        at: at(),
        reason: reason.map(|reason| reason.parse().unwrap()),
        bills: vec!["ba-acme.1".to_owned(), "ba-acme.2".to_owned()],
    })
}
