//! Invoices: what stands on one (R12). Which bills it covers is decided in `ledger/invoicing.rs`.

use crate::ids::{AccountId, Country, EnterpriseId, MeterId, ProductId, RegionId, Text, WalletId};
use crate::money::{Amount, Currency};
use crate::time::{Timestamp, Zone};
use crate::{record, symbols};

symbols! {
    /// What kind of tax document it is.
    pub enum InvoiceType {
        Invoice = "invoice",
        CreditNote = "credit_note",
    }
}

symbols! {
    /// Why tax is what it is.
    pub enum TaxNote {
        /// At the rate of the registered country.
        Rated = "rated",
        /// The registered country is in no table of rates: no tax.
        NotListed = "not_listed",
        /// The receiver pays the tax where it is registered.
        ReverseCharge = "reverse_charge",
    }
}

symbols! {
    /// What a line of an invoice is about.
    pub enum LineKind {
        /// Usage of a meter.
        Usage = "usage",
        /// Usage of an earlier period that came late, or corrections of it.
        Adjustment = "adjustment",
        Order = "order",
        /// What coupons took off; negative.
        Coupons = "coupons",
        /// What rounding bills to the currency made of exact charges.
        Rounding = "rounding",
    }
}

record! {
    /// One line of an invoice.
    pub struct InvoiceLine {
        pub kind: LineKind,
        pub account: Option<AccountId>,
        pub product: Option<ProductId>,
        pub meter: Option<MeterId>,
        pub region: Option<RegionId>,
        pub quantity: Option<Amount>,
        /// In the billing currency, to its minor unit.
        pub amount: Amount,
    }
}

record! {
    /// Money paid in during the period: listed, never added (R12.3).
    pub struct InvoiceTopUp {
        pub at: Timestamp,
        pub amount: Amount,
        pub method: Text,
    }
}

record! {
    /// An issued invoice, which never changes.
    pub struct Invoice {
        /// Gapless for its issuer and year.
        pub number: String,
        pub r#type: InvoiceType,
        /// The invoice that a credit note corrects.
        pub corrects: Option<String>,
        pub billing_account: WalletId,
        pub enterprise: EnterpriseId,
        pub enterprise_name: Text,
        pub country: Country,
        pub tax_id: Option<Text>,
        /// The language asked for; none: the country's.
        pub language: Option<Text>,
        /// Who gets it, as mail addresses.
        pub recipients: Vec<Text>,
        pub time_zone: Zone,
        /// The period, from its first instant up to, not including, the last.
        pub from: Timestamp,
        pub until: Timestamp,
        pub issued_at: Timestamp,
        pub issuer_country: Country,
        pub currency: Currency,
        pub lines: Vec<InvoiceLine>,
        pub top_ups: Vec<InvoiceTopUp>,
        /// The sum of the lines.
        pub net: Amount,
        /// A fraction, such as 0.09.
        pub tax_rate: Amount,
        pub tax_note: TaxNote,
        pub tax: Amount,
        pub total: Amount,
    }
}
