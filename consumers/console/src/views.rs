//! The views: what each is called, what its rows hold, and where they come from. Adding one is one line.

use drawdown_domain::invoices::Invoice;
use drawdown_domain::ledger::{
    AccountRow, Balance, BenefitsRow, BillingAccount, CouponsRow, Due, EnterpriseRow, MethodsRow,
    OrdersRow, PriceRow, RunwayRow, SettingRow,
};
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::notices::{Notice, Service};
use drawdown_domain::payments::Payment;
use drawdown_domain::record;
use drawdown_domain::registry::RemittanceRow;
use drawdown_domain::requests::{Direction, PaymentRequest, RequestStatus};
use drawdown_domain::runs::InvoiceRun;
use drawdown_domain::symbols;
use drawdown_domain::time::{Month, Timestamp};
use drawdown_domain::vocabulary::{DescribedRecord, Field, Record, Shape};
use drawdown_wire::messages::{Charge, Coverage, Entry, Mail, Outcome, Rejected};
use drawdown_wire::topics::Topic;

/// Where the rows of a view come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the ledger that decides about the thing: one row, as it is now.
    Ledger,
    /// From whoever has all of it, any ledger or the registry: all rows at once, and no id.
    Everywhere,
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

symbols! {
    /// How much of a bill is paid.
    pub enum BillStatus {
        Unpaid = "unpaid",
        PartlyPaid = "partly_paid",
        Paid = "paid",
    }
}

record! {
    /// A row of the view `bills`.
    pub struct Bill {
        pub bill: String,
        pub billing_account: drawdown_domain::ids::WalletId,
        pub account: drawdown_domain::ids::AccountId,
        pub product: Option<drawdown_domain::ids::ProductId>,
        pub order: Option<drawdown_domain::ids::OrderId>,
        pub month: Month,
        pub amount: Amount,
        pub currency: Currency,
        pub paid: Amount,
        pub issued_at: Timestamp,
        pub status: BillStatus,
    }
}

record! {
    /// A row of the view `money_by_month`: what came in and went out (R4.4), also by payment methods past the wallet.
    pub struct MoneyOfMonth {
        pub billing_account: drawdown_domain::ids::WalletId,
        pub month: Month,
        pub money_in: Amount,
        pub money_out: Amount,
    }
}

record! {
    /// A row of the view `refunds`.
    pub struct Refund {
        pub billing_account: drawdown_domain::ids::WalletId,
        /// That of its entry.
        pub number: u64,
        pub at: Timestamp,
        pub order: Option<drawdown_domain::ids::Text>,
        /// Where it went: `cash`, `credit_refund`, `coupon`, `cash_coupon`.
        pub asset: String,
        pub lot: String,
        pub amount: Amount,
        /// `done`: whatever is given back is booked at once.
        pub status: String,
    }
}

record! {
    /// A row of the view `spend`.
    pub struct SpendOfMonth {
        pub billing_account: drawdown_domain::ids::WalletId,
        pub month: Month,
        pub currency: Currency,
        pub net: Amount,
        /// That of the invoices of its periods.
        pub tax: Amount,
        pub total: Amount,
        /// What of it is unpaid.
        pub due: Amount,
    }
}

record! {
    /// A row of the view `spend_by`.
    pub struct SpendBy {
        pub billing_account: drawdown_domain::ids::WalletId,
        /// The month of use.
        pub month: Month,
        pub account: drawdown_domain::ids::AccountId,
        pub product: drawdown_domain::ids::ProductId,
        /// Empty where the usage names none.
        pub region: String,
        pub charge: Amount,
        pub records: i64,
    }
}

record! {
    /// A row of the view `spend_by_day`.
    pub struct SpendOfDay {
        pub billing_account: drawdown_domain::ids::WalletId,
        pub currency: Currency,
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

/// A row of the view `payments`: the payment, and what it moved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PaymentNow {}

impl DescribedRecord for PaymentNow {
    fn record() -> Record {
        let moved = "What it moved: nothing until it succeeds, and nothing if it only showed that a method can pay.";
        let fields = vec![Field::new("moved", moved, Shape::Decimal)];
        followed("PaymentNow", Payment::record(), fields)
    }
}

/// A row of the view `invoices`: the invoice, and what of it is paid.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InvoiceNow {}

impl DescribedRecord for InvoiceNow {
    fn record() -> Record {
        let status = Shape::Symbol { name: "InvoiceStatus", symbols: INVOICE_STATUSES.to_vec() };
        let fields = vec![
            Field::new("period", "Its first and last day.", Shape::Text("text")),
            Field::new("paid", "What of it is paid, as things stand.", Shape::Decimal),
            Field::new("open", "What its bills still owe, as things stand.", Shape::Decimal),
            Field::new("status", "Whether it is paid; a credit note is `credited`.", status),
        ];
        followed("InvoiceNow", Invoice::record(), fields)
    }
}

const INVOICE_STATUSES: [&str; 4] = ["open", "partly_paid", "paid", "credited"];

/// A record that says more: what ClickHouse adds up beside it.
fn followed(name: &'static str, record: Record, more: Vec<Field>) -> Record {
    let Record { doc, mut fields, .. } = record;
    fields.extend(more);
    Record { name, doc, fields }
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
    "account": AccountRow = Source::Ledger, "An account: who pays for it, what it may do, and what it may spend.";
    "enterprise": EnterpriseRow = Source::Ledger, "An enterprise: its members, administrators and roles.";
    "balance": Balance = Source::Ledger, "How a billing account stands.";
    "billing_account": BillingAccount = Source::Ledger, "A billing account and its settings.";
    "benefits": BenefitsRow = Source::Ledger, "The benefits of a billing account, and with whom they are shared.";
    "coupons": CouponsRow = Source::Ledger, "The coupons and cash coupons of a billing account.";
    "orders": OrdersRow = Source::Ledger, "What a billing account has ordered, and what renews.";
    "payment_methods": MethodsRow = Source::Ledger, "The payment methods of a billing account.";
    "due": Due = Source::Ledger, "What is owed, and what the balance covers.";
    "runway": RunwayRow = Source::Ledger, "How long what is available lasts.";
    "service": Service = Source::Ledger, "Whether an account's services run.";
    "prices": PriceRow = Source::Everywhere, "The price book in force, and what is to come.";
    "settings": SettingRow = Source::Everywhere, "The settings in force.";
    "remittances": RemittanceRow = Source::Everywhere,
        "Bank transfers that named nobody, and who has claimed them.";
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
    "payments": PaymentNow = list("payments_now", BY_BILLING_ACCOUNT, &["begun_at", "payment"],
        Topic::Payments), "Payments as they stand, and checks of methods, which move nothing.";
    "payment_requests": PaymentRequest = list("payment_requests_now", BY_BILLING_ACCOUNT,
        &["asked_at", "request", "billing_account"], Topic::PaymentRequests),
        "Requests to pay, asked and to pay, as they stand.";
    "payment_request_history": PaymentRequest = list("payment_requests", BY_BILLING_ACCOUNT,
        &["at", "request", "billing_account", "status", "in_flight"], Topic::PaymentRequests),
        "Every status that requests to pay came to.";
    "payment_request_totals": RequestTotal = list("payment_request_totals", BY_BILLING_ACCOUNT,
        &["billing_account", "direction", "status", "currency"], Topic::PaymentRequests),
        "What requests to pay come to, by side and status.";
    "messages": Notice = list("messages", BY_BILLING_ACCOUNT, &["at", "notice"], Topic::Notices),
        "What people were told, in the application as well as by mail.";
    "invoice_runs": InvoiceRun = list("invoice_runs_now", "enterprise", &["day", "run"],
        Topic::InvoiceRuns), "Invoice runs: how far each is, and what it waits for.";
    "invoices": InvoiceNow = list("invoices_now", BY_BILLING_ACCOUNT, &["issued_at", "number"],
        Topic::Invoices), "Issued invoices, and what of them is paid.";
    "mail": Mail = list("(SELECT * FROM mail ORDER BY at DESC LIMIT 1 BY mail, to)",
        BY_BILLING_ACCOUNT, &["at", "mail", "to"], Topic::Mails), "Mails and what became of them.";
    "commands": Outcome = list("commands", "command", &["command"], Topic::Outcomes),
        "The audit trail: every command and what became of it.";
    "rejects": Rejected = list("rejects", "account", &["at", "usage_partition", "offset", "index"],
        Topic::Rejects), "Usage that could not be used.";
    "money_by_month": MoneyOfMonth = list("money_by_month", BY_BILLING_ACCOUNT,
        &["month", "billing_account"], Topic::Entries), "Money in and out by month.";
    "refunds": Refund = list("refunds", BY_BILLING_ACCOUNT, &["at", "billing_account", "number"],
        Topic::Entries), "What was given back of orders, and where it went.";
    "spend": SpendOfMonth = list("spend", BY_BILLING_ACCOUNT, &["month", "billing_account"],
        Topic::Bills), "What each month came to, net and with tax, and what of it is due.";
    "spend_by": SpendBy = list("spend_by", BY_BILLING_ACCOUNT,
        &["month", "billing_account", "account", "product", "region"], Topic::Charges),
        "Charges by month, account, product and region.";
    "spend_by_day": SpendOfDay = list("spend_by_day", BY_BILLING_ACCOUNT,
        &["day", "billing_account"], Topic::Charges), "Charges by day of use.";
    "usage_by_day": UsageOfDay = list("(SELECT toString(toDate(used)) AS day, sum(records) AS records FROM charges GROUP BY day)",
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
