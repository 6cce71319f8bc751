//! A notice as people read it: amounts with their currency, times in their zone.

use drawdown_domain::ids::OrderId;
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::notices::{CapReached, MeterCost, Notice, NoticeKind, Service, ServiceCause};
use drawdown_domain::payments::{Payment, PaymentCause};
use drawdown_domain::requests::PaymentRequest;

use crate::words::{self, Tone};

/// All that a mail shows.
pub(crate) struct Figures<'a> {
    pub(crate) kind: NoticeKind,
    pub(crate) tone: Tone,
    pub(crate) heading: String,
    pub(crate) recipient: &'a str,
    pub(crate) billing_account: &'a str,
    pub(crate) enterprise: &'a str,
    pub(crate) at: String,
    pub(crate) zone: &'static str,
    pub(crate) available: String,
    pub(crate) owed: String,
    /// Whether anything of its bills is owed; if not, being overdue is about what no bill holds yet.
    pub(crate) is_unpaid: bool,
    pub(crate) burn: String,
    pub(crate) days_left: Option<String>,
    pub(crate) empty_on: Option<String>,
    pub(crate) threshold: Option<String>,
    pub(crate) of_series: Option<u32>,
    pub(crate) costliest: Vec<Costly<'a>>,
    pub(crate) service: Option<Stopped<'a>>,
    pub(crate) payment: Option<Paid<'a>>,
    pub(crate) request: Option<Requested<'a>>,
    /// The plan that was not renewed.
    pub(crate) plan: Option<&'a str>,
    pub(crate) cap: Option<Capped<'a>>,
    pub(crate) credit_limit: Option<Limit>,
}

/// What a credit limit is, and will be.
pub(crate) struct Limit {
    /// None: there is none.
    pub(crate) in_effect: Option<String>,
    pub(crate) waits: Option<String>,
}

/// A meter and what it has cost this month.
pub(crate) struct Costly<'a> {
    pub(crate) meter: &'a str,
    pub(crate) product: &'a str,
    pub(crate) account: &'a str,
    pub(crate) charge: String,
}

/// The account whose services stopped or go on.
pub(crate) struct Stopped<'a> {
    pub(crate) account: &'a str,
    pub(crate) since: String,
    pub(crate) because: &'static str,
}

/// The payment it is about.
pub(crate) struct Paid<'a> {
    pub(crate) name: &'a str,
    pub(crate) amount: String,
    pub(crate) method: &'a str,
    pub(crate) begun_at: String,
    pub(crate) occasion: &'static str,
    pub(crate) reason: Option<String>,
    /// Where to go on, if the reason is a place.
    pub(crate) link: Option<&'a str>,
    pub(crate) bills: usize,
}

/// The request to pay it is about.
pub(crate) struct Requested<'a> {
    pub(crate) name: &'a str,
    pub(crate) requester: &'a str,
    pub(crate) payer: &'a str,
    pub(crate) service: &'a str,
    pub(crate) amount: String,
    pub(crate) asked_at: String,
    pub(crate) note: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
}

/// The cap it is about.
pub(crate) struct Capped<'a> {
    pub(crate) account: &'a str,
    pub(crate) month: String,
    pub(crate) percent: u32,
    pub(crate) monthly_cap: String,
    pub(crate) charged: String,
}

impl Capped<'_> {
    /// Nothing more is authorized this month.
    pub(crate) fn is_reached(&self) -> bool {
        self.percent >= 100
    }
}

impl<'a> Figures<'a> {
    pub(crate) fn of(notice: &'a Notice, recipient: &'a str) -> Figures<'a> {
        let (zone, currency, standing) = (notice.time_zone, notice.currency, &notice.standing);
        let costly = |cost: &'a MeterCost| Costly {
            meter: cost.meter.as_str(),
            product: cost.product.as_str(),
            account: cost.account.as_str(),
            charge: money(cost.charge, currency),
        };
        let stopped = |service: &'a Service| Stopped {
            account: service.account.as_str(),
            since: zone.shown(service.since),
            because: service.cause.map_or("", because),
        };
        let paid = |payment: &'a Payment| {
            let reason = payment.reason.as_ref().map(|reason| reason.as_str());
            let link = reason.filter(|reason| reason.starts_with("https://"));
            Paid {
                name: &payment.payment,
                amount: money(payment.amount, payment.currency),
                method: payment.method.as_str(),
                begun_at: zone.shown(payment.begun_at),
                occasion: occasion(payment.cause),
                reason: reason.filter(|_| link.is_none()).map(|reason| reason.replace('_', " ")),
                link,
                bills: payment.bills.len(),
            }
        };
        let requested = |request: &'a PaymentRequest| Requested {
            name: request.request.as_str(),
            requester: request.requester.as_str(),
            payer: request.payer.as_str(),
            service: request.service.as_str(),
            amount: money(request.amount, request.currency),
            asked_at: zone.shown(request.asked_at),
            note: request.note.as_ref().map(|note| note.as_str()),
            reason: request.reason.as_ref().map(|reason| reason.as_str()),
        };
        let capped = |cap: &'a CapReached| Capped {
            account: cap.account.as_str(),
            month: cap.month.to_string(),
            percent: cap.percent,
            monthly_cap: money(cap.monthly_cap, currency),
            charged: money(cap.charged, currency),
        };
        let mut figures = Figures {
            kind: notice.kind,
            tone: words::tone(notice.kind),
            heading: String::new(),
            recipient,
            billing_account: notice.billing_account.as_str(),
            enterprise: notice.enterprise_name.as_str(),
            at: zone.shown(notice.at),
            zone: zone.name(),
            available: money(standing.available, currency),
            owed: money(standing.owed, currency),
            is_unpaid: standing.owed.is_positive(),
            burn: money(standing.burn_per_day, currency),
            days_left: standing.days_left.map(|days| grouped(&days.to_string())),
            empty_on: standing.empty_on.map(|at| zone.shown(at)),
            threshold: notice.threshold.map(|threshold| money(threshold, currency)),
            of_series: notice.of_series,
            costliest: standing.costliest.iter().map(costly).collect(),
            service: notice.service.as_ref().map(stopped),
            payment: notice.payment.as_ref().map(paid),
            request: notice.request.as_ref().map(requested),
            plan: notice.plan.as_ref().map(OrderId::as_str),
            cap: notice.cap.as_ref().map(capped),
            credit_limit: notice.credit_limit.map(|told| Limit {
                in_effect: Some(told.limit)
                    .filter(|limit| !limit.is_zero())
                    .map(|limit| money(limit, currency)),
                waits: told.pending.map(|pending| money(pending, currency)),
            }),
        };
        figures.heading = words::heading(&figures);
        figures
    }

    /// Whose services it is about.
    pub(crate) fn account(&self) -> &str {
        self.service.as_ref().map_or(self.billing_account, |service| service.account)
    }

    /// What somebody is asked to pay.
    pub(crate) fn asked_for(&self) -> &str {
        self.request.as_ref().map_or("", |request| &request.amount)
    }

    /// What was to be paid.
    pub(crate) fn to_pay(&self) -> &str {
        self.payment.as_ref().map_or("", |payment| &payment.amount)
    }
}

fn because(cause: ServiceCause) -> &'static str {
    match cause {
        ServiceCause::NoCredit => "there is no credit left",
        ServiceCause::QuotaUsed => "the quota is used up",
        ServiceCause::BelowBuffer => "the balance is below what the region allows",
        ServiceCause::Overdue => "bills are overdue",
    }
}

fn occasion(cause: PaymentCause) -> &'static str {
    match cause {
        PaymentCause::Threshold => "what is owed reached the charging threshold",
        PaymentCause::MonthEnd => "the month ended",
        PaymentCause::Retry => "an earlier charge was declined",
        PaymentCause::Manual => "it was asked for",
        PaymentCause::Recharge => "the automatic recharge was due",
        PaymentCause::TopUp => "a top-up was asked for",
        PaymentCause::Test => "the payment method was tested",
        PaymentCause::Preauthorisation => "the payment method was checked",
        PaymentCause::Order => "an order was placed",
        PaymentCause::PaymentRequest => "a payment request was approved",
    }
}

/// An amount to the currency's minor unit, in groups of three: `1,234.50 USD`.
pub(crate) fn money(amount: Amount, currency: Currency) -> String {
    // What is too large to be rounded is shown exactly.
    let amount = amount.rounded_half_away(currency).unwrap_or(amount);
    let unit = currency.minor_unit().to_string();
    let places = unit.split_once('.').map_or(0, |(_, places)| places.len());
    let text = amount.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let point = if places == 0 { "" } else { "." };
    format!("{}{point}{fraction:0<places$} {currency}", grouped(whole))
}

/// A number with its digits before the point in groups of three.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let digits = whole.trim_start_matches('-');
    let mut grouped = if digits.len() < whole.len() { "-".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).rem_euclid(3) == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_to_the_minor_unit_with_their_currency() {
        let shown = |amount: &str, currency| money(amount.parse().unwrap(), currency);
        assert_eq!(shown("1234567.5", Currency::Usd), "1,234,567.50 USD");
        assert_eq!(shown("-1000.005", Currency::Eur), "-1,000.01 EUR");
        assert_eq!(shown("0", Currency::Sgd), "0.00 SGD");
        assert_eq!(shown("999", Currency::Jpy), "999 JPY");
        assert_eq!(shown("-100000", Currency::Jpy), "-100,000 JPY");
        assert_eq!(grouped("1234.25"), "1,234.25");
    }
}
