//! The views: what each is called, what its rows hold, and where they come from. Adding one is one line.

use drawdown_domain::invoices::Invoice;
use drawdown_domain::ledger::{
    AccountRow, Balance, BenefitsRow, BillingAccount, Due, EnterpriseRow, RunwayRow,
};
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::notices::{Notice, Service};
use drawdown_domain::payments::Payment;
use drawdown_domain::record;
use drawdown_domain::requests::{Direction, PaymentRequest, RequestStatus};
use drawdown_domain::runs::InvoiceRun;
use drawdown_domain::time::{Month, Timestamp};
use drawdown_domain::vocabulary::{DescribedRecord, Record};
use drawdown_wire::messages::{Charge, Coverage, Entry, Mail, Outcome, Rejected};
use drawdown_wire::topics::Topic;

/// Where the rows of a view come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the ledger that decides about the thing: one row, as it is now.
    Ledger,
    /// From ClickHouse.
    List(List),
}

/// How a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    /// What stands behind FROM.
    pub from: &'static str,
    /// The field that `/{id}` means.
    pub of: &'static str,
    /// The fields that order its rows; together they name one row.
    pub order: &'static [&'static str],
    /// Whether the greatest comes first.
    pub descending: bool,
    /// The topic whose messages become its rows.
    pub topic: Topic,
}

/// A view.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub name: &'static str,
    pub doc: &'static str,
    pub source: Source,
    pub record: fn() -> Record,
}

record! {
    /// A row of the view `bills`.
    pub struct Bill {
        pub bill: String,
        pub billing_account: drawdown_domain::ids::WalletId,
        pub account: drawdown_domain::ids::AccountId,
        pub product: Option<drawdown_domain::ids::ProductId>,
        pub month: Month,
        pub amount: Amount,
        pub currency: Currency,
        pub paid: Amount,
        pub issued_at: Timestamp,
        /// `unpaid`, `partly_paid` or `paid`.
        pub status: String,
    }
}

record! {
    /// A row of the view `money_by_month`: what came in and went out (R4.4).
    pub struct MoneyOfMonth {
        pub billing_account: drawdown_domain::ids::WalletId,
        pub month: Month,
        pub money_in: Amount,
        pub money_out: Amount,
    }
}

record! {
    /// A row of the view `spend_by_day`.
    pub struct SpendOfDay {
        pub billing_account: drawdown_domain::ids::WalletId,
        /// The day, as `2026-03-01`.
        pub day: String,
        pub charge: Amount,
        pub records: u64,
    }
}

record! {
    /// A row of the view `usage_by_day`.
    pub struct UsageOfDay {
        /// The day, as `2026-03-01`.
        pub day: String,
        /// How many usage records were priced.
        pub records: u64,
    }
}

record! {
    /// A row of the view `payment_request_totals`.
    pub struct RequestTotal {
        pub billing_account: drawdown_domain::ids::WalletId,
        pub direction: Direction,
        pub status: RequestStatus,
        pub currency: Currency,
        /// How many there are.
        pub requests: u64,
        pub total: Amount,
        /// What has left the payers and not reached the requesters.
        pub total_in_flight: Amount,
    }
}

const fn list(
    from: &'static str,
    of: &'static str,
    order: &'static [&'static str],
    topic: Topic,
) -> Source {
    Source::List(List { from, of, order, descending: true, topic })
}

const BY_BILLING_ACCOUNT: &str = "billing_account";

macro_rules! views {
    ($($name:literal: $record:ty = $source:expr, $doc:literal;)*) => {
        /// Every view there is.
        pub const ALL: &[View] = &[$(View {
            name: $name,
            doc: $doc,
            source: $source,
            record: <$record as DescribedRecord>::record,
        }),*];
    };
}

views! {
    "account": AccountRow = Source::Ledger, "An account: who pays for it, and what it may do.";
    "enterprise": EnterpriseRow = Source::Ledger, "An enterprise: its members, administrators and roles.";
    "balance": Balance = Source::Ledger, "How a billing account stands.";
    "billing_account": BillingAccount = Source::Ledger, "A billing account and its settings.";
    "benefits": BenefitsRow = Source::Ledger, "The benefits of a billing account, and with whom they are shared.";
    "due": Due = Source::Ledger, "What is owed, and what the balance covers.";
    "runway": RunwayRow = Source::Ledger, "How long what is available lasts.";
    "service": Service = Source::Ledger, "Whether an account's services run.";
    "balances": Balance = Source::List(List {
        from: "(SELECT * FROM balance ORDER BY at DESC LIMIT 1 BY billing_account)",
        of: BY_BILLING_ACCOUNT,
        order: &["available", "billing_account"],
        descending: false,
        topic: Topic::Balances,
    }), "How all billing accounts stand, the lowest first.";
    "entries": Entry = list("entries", BY_BILLING_ACCOUNT, &["at", "billing_account", "number"],
        Topic::Entries), "Changes of assets.";
    "bills": Bill = list("bills", BY_BILLING_ACCOUNT, &["issued_at", "bill"], Topic::Bills),
        "Bills as they stand.";
    "charges": Charge = list("charges", BY_BILLING_ACCOUNT,
        &["used", "billing_account", "account", "product", "meter"], Topic::Charges),
        "Priced usage.";
    "covered": Coverage = list("covered", BY_BILLING_ACCOUNT,
        &["used", "billing_account", "account", "product", "meter", "benefit"], Topic::Charges),
        "Usage that benefits covered.";
    "payments": Payment = list("(SELECT * FROM payments ORDER BY at DESC LIMIT 1 BY payment)",
        BY_BILLING_ACCOUNT, &["begun_at", "payment"], Topic::Payments), "Payments as they stand.";
    "payment_requests": PaymentRequest = list("payment_requests_now", BY_BILLING_ACCOUNT,
        &["asked_at", "request", "billing_account"], Topic::PaymentRequests),
        "Requests to pay, asked and to pay, as they stand.";
    "payment_request_history": PaymentRequest = list("payment_requests", BY_BILLING_ACCOUNT,
        &["at", "request", "billing_account", "status", "in_flight"], Topic::PaymentRequests),
        "Every status that requests to pay came to.";
    "payment_request_totals": RequestTotal = list("payment_request_totals", BY_BILLING_ACCOUNT,
        &["billing_account", "direction", "status", "currency"], Topic::PaymentRequests),
        "What requests to pay come to, by side and status.";
    "notices": Notice = list("notices", BY_BILLING_ACCOUNT, &["at", "notice"], Topic::Notices),
        "What people were told.";
    "invoice_runs": InvoiceRun = list("invoice_runs_now", "enterprise", &["day", "run"],
        Topic::InvoiceRuns), "Invoice runs: how far each is, and what it waits for.";
    "invoices": Invoice = list("invoices", BY_BILLING_ACCOUNT, &["issued_at", "number"],
        Topic::Invoices), "Issued invoices.";
    "mail": Mail = list("(SELECT * FROM mail ORDER BY at DESC LIMIT 1 BY mail, to)",
        BY_BILLING_ACCOUNT, &["at", "mail", "to"], Topic::Mails), "Mails and what became of them.";
    "commands": Outcome = list("commands", "command", &["command"], Topic::Outcomes),
        "The audit trail: every command and what became of it.";
    "rejects": Rejected = list("rejects", "account", &["at", "usage_partition", "offset", "index"],
        Topic::Rejects), "Usage that could not be used.";
    "money_by_month": MoneyOfMonth = list("money_by_month", BY_BILLING_ACCOUNT,
        &["month", "billing_account"], Topic::Entries), "Money in and out by month.";
    "spend_by_day": SpendOfDay = list("spend_by_day", BY_BILLING_ACCOUNT,
        &["day", "billing_account"], Topic::Charges), "Charges by day of use.";
    "usage_by_day": UsageOfDay = list("(SELECT day, sum(records) AS records FROM spend_by_day GROUP BY day)",
        "day", &["day"], Topic::Charges), "Priced records by day of use, over all billing accounts.";
}

/// The view of that name.
pub(crate) fn named(name: &str) -> Option<&'static View> {
    ALL.iter().find(|view| view.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_ordered_and_asked_by_fields_it_has() {
        for view in ALL {
            let Source::List(list) = view.source else { continue };
            let record = (view.record)();
            for field in list.order.iter().chain([&list.of]) {
                assert!(
                    record.fields.iter().any(|has| has.name == *field),
                    "{} {field}",
                    view.name
                );
            }
        }
    }
}
