//! Invoices: what stands on one (R12). Which bills it covers is decided in `ledger/invoicing.rs`.

use crate::fx;
use crate::ids::{
    AccountId, Country, EnterpriseId, MeterId, MethodId, OrderId, ProductId, RegionId, Text,
    WalletId,
};
use crate::money::{Amount, Currency, Overflow};
use crate::time::{Span, Timestamp, Zone};
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
        /// The tier of a `graduated` price with several, from 1 on: what it came to, with its flat amount if
        /// it was entered in this period. None: the price is not split by tier.
        pub tier: Option<u8>,
        pub quantity: Option<Amount>,
        /// In the billing currency, to its minor unit.
        pub amount: Amount,
        /// The order it is about, if it is one's price.
        pub order: Option<OrderId>,
    }
}

record! {
    /// Money paid in during the period: listed, never added (R12.3).
    pub struct InvoiceTopUp {
        pub at: Timestamp,
        pub amount: Amount,
        /// None if it is not known.
        pub method: Option<MethodId>,
    }
}

record! {
    /// In which currency an invoice is settled, and at which rate (R12.6).
    #[derive(Copy)]
    pub struct Settlement {
        pub currency: Currency,
        /// What one of the billing currency is in it.
        pub rate: Amount,
    }
}

impl Settled {
    pub(crate) fn of(
        settlement: Settlement,
        net: Amount,
        tax: Amount,
    ) -> Result<Settled, Overflow> {
        Ok(Settled { settlement, net, tax, total: net.plus(tax)? })
    }
}

impl Settlement {
    pub(crate) fn of(&self, amount: Amount) -> Result<Amount, Overflow> {
        fx::converted(amount, self.rate, self.currency)
    }
}

record! {
    /// What an invoice comes to in the currency it is settled in, each figure converted once (R12.6).
    #[derive(Copy)]
    pub struct Settled {
        pub settlement: Settlement,
        pub net: Amount,
        pub tax: Amount,
        pub total: Amount,
    }
}

symbols! {
    /// Why a decided invoice is not issued.
    pub enum HeldFor {
        /// Nobody has stated the rate at which it is settled (R12.6).
        NoRate = "no_rate",
        /// Its run comes to more than is issued without approval (R12.1).
        Approval = "approval",
    }
}

record! {
    /// An invoice whose figures are decided, and which waits for its number. It is issued with that.
    pub struct InvoiceDraft {
        /// What its ledger knows it by.
        pub draft: u64,
        /// The invoice that a credit note by command takes back, or part of it.
        pub corrects: Option<String>,
        /// Why, in the words of whoever asked for that.
        pub reason: Option<Text>,
        pub billing_account: WalletId,
        pub enterprise: EnterpriseId,
        pub enterprise_name: Text,
        pub country: Country,
        pub tax_id: Option<Text>,
        pub language: Option<Text>,
        pub recipients: Vec<Text>,
        pub time_zone: Zone,
        pub from: Timestamp,
        pub until: Timestamp,
        pub issuer_country: Country,
        /// Who issues it, as settings say; none: they do not.
        pub issuer_name: Option<Text>,
        pub issuer_address: Option<Text>,
        pub issuer_tax_id: Option<Text>,
        pub currency: Currency,
        pub lines: Vec<InvoiceLine>,
        pub top_ups: Vec<InvoiceTopUp>,
        pub net: Amount,
        pub tax_rate: Amount,
        pub tax_note: TaxNote,
        pub tax: Amount,
        pub total: Amount,
        /// The currency it is settled in, if that is another one.
        pub settlement_currency: Option<Currency>,
        /// What it comes to there; none until the rate is stated.
        pub settled: Option<Settled>,
        /// It waits for the others of its run, or with them to be approved.
        pub awaits_approval: bool,
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
        /// Why, if it was asked for.
        pub reason: Option<Text>,
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
        /// Who issues it, as settings say; none: they do not.
        pub issuer_name: Option<Text>,
        pub issuer_address: Option<Text>,
        pub issuer_tax_id: Option<Text>,
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
        /// The currency it is settled in, if that is another one; it is paid in its own.
        pub settlement_currency: Option<Currency>,
        /// What one of its currency was stated to be in that one, for the month of its period.
        pub settlement_rate: Option<Amount>,
        /// Its net and its tax in that currency, each converted once.
        pub settled_net: Option<Amount>,
        pub settled_tax: Option<Amount>,
        /// The sum of the two.
        pub settled_total: Option<Amount>,
    }
}

impl InvoiceDraft {
    /// Why it is not issued yet, if it waits for more than its number.
    pub fn held_for(&self) -> Option<HeldFor> {
        match (self.awaits_approval, self.lacks_rate()) {
            (true, _) => Some(HeldFor::Approval),
            (false, true) => Some(HeldFor::NoRate),
            (false, false) => None,
        }
    }

    /// Whether the rate is not stated at which it is settled.
    pub fn lacks_rate(&self) -> bool {
        self.settlement_currency.is_some() && self.settled.is_none()
    }

    /// What it will be: a negative total is a credit note (R12.3).
    pub fn kind(&self) -> InvoiceType {
        if self.total.is_negative() { InvoiceType::CreditNote } else { InvoiceType::Invoice }
    }

    /// The invoice that a draft becomes with its number. `last` is the one before it, which a credit note
    /// corrects that nobody asked for.
    pub fn issued(self, number: String, issued_at: Timestamp, last: Option<String>) -> Invoice {
        let kind = self.kind();
        Invoice {
            number,
            r#type: kind,
            corrects: self.corrects.or(last.filter(|_| kind == InvoiceType::CreditNote)),
            reason: self.reason,
            billing_account: self.billing_account,
            enterprise: self.enterprise,
            enterprise_name: self.enterprise_name,
            country: self.country,
            tax_id: self.tax_id,
            language: self.language,
            recipients: self.recipients,
            time_zone: self.time_zone,
            from: self.from,
            until: self.until,
            issued_at,
            issuer_country: self.issuer_country,
            issuer_name: self.issuer_name,
            issuer_address: self.issuer_address,
            issuer_tax_id: self.issuer_tax_id,
            currency: self.currency,
            lines: self.lines,
            top_ups: self.top_ups,
            net: self.net,
            tax_rate: self.tax_rate,
            tax_note: self.tax_note,
            tax: self.tax,
            total: self.total,
            settlement_currency: self.settlement_currency,
            settlement_rate: self.settled.map(|settled| settled.settlement.rate),
            settled_net: self.settled.map(|settled| settled.net),
            settled_tax: self.settled.map(|settled| settled.tax),
            settled_total: self.settled.map(|settled| settled.total),
        }
    }
}

impl Invoice {
    /// Its period: the first and the last day, both included.
    pub fn period(&self) -> String {
        let last = self.until.minus(Span::micros(1));
        format!("{}/{}", self.time_zone.date_of(self.from), self.time_zone.date_of(last))
    }

    /// How it is settled in another currency.
    pub fn settlement(&self) -> Option<Settlement> {
        let (currency, rate) = (self.settlement_currency?, self.settlement_rate?);
        Some(Settlement { currency, rate })
    }
}

/// The number of the `count`th invoice or credit note that an issuer issues in a year (R12.2):
/// `SG-2026-000001`, `CN-SG-2026-000001`.
pub fn invoice_number(issuer: Country, year: u32, kind: InvoiceType, count: u64) -> String {
    let series = match kind {
        InvoiceType::Invoice => "",
        InvoiceType::CreditNote => "CN-",
    };
    format!("{series}{issuer}-{year:04}-{count:06}")
}

#[cfg(test)]
#[path = "invoices_tests.rs"]
mod tests;
