//! The structured invoice beside the PDF (R12.7): EN 16931 in the syntax of UBL 2.1, a pure function of an
//! issued invoice.
//!
//! A line of ours is one piece at its amount: what blocks, flat amounts, the tier reached and rounding make of
//! a quantity is no price times a number. Quantity and tier stand beside, as properties. Coupons and what
//! rounding took off are allowances of the whole document, what rounding added is a charge. A credit note says
//! what it takes back, so its figures are positive.

use drawdown_domain::ids::Country;
use drawdown_domain::invoices::{Invoice, InvoiceLine, InvoiceType, LineKind, TaxNote};
use drawdown_domain::money::{Amount, Overflow};
use drawdown_domain::time::{Span, Timestamp};

use crate::figures::{self, tier_in_words};
use crate::labels::Labels;
use crate::language::{Language, country};

/// An issued invoice as XML.
pub fn e_invoice(invoice: &Invoice) -> Result<String, Overflow> {
    let kind = match invoice.r#type {
        InvoiceType::Invoice => Kind::INVOICE,
        InvoiceType::CreditNote => Kind::CREDIT_NOTE,
    };
    let figures = Figures::of(invoice)?;
    let mut xml = Xml::begin(kind.root);
    head(&mut xml, invoice, &kind);
    seller(&mut xml, invoice);
    buyer(&mut xml, invoice);
    // It is settled from the billing account, whose terms both sides know.
    xml.part("PaymentTerms", |xml| xml.text("Note", invoice.billing_account.as_str()));
    for line in &figures.of_document {
        allowance(&mut xml, invoice, &figures, line);
    }
    totals(&mut xml, invoice, &figures);
    for (number, line) in (1..).zip(&figures.lines) {
        item(&mut xml, invoice, &figures, &kind, number, line);
    }
    Ok(xml.end(kind.root))
}

/// What the two kinds of document call their parts.
struct Kind {
    root: &'static str,
    code_name: &'static str,
    code: &'static str,
    line: &'static str,
    quantity: &'static str,
}

impl Kind {
    const INVOICE: Kind = Kind {
        root: "Invoice",
        code_name: "InvoiceTypeCode",
        code: "380",
        line: "InvoiceLine",
        quantity: "InvoicedQuantity",
    };
    const CREDIT_NOTE: Kind = Kind {
        root: "CreditNote",
        code_name: "CreditNoteTypeCode",
        code: "381",
        line: "CreditNoteLine",
        quantity: "CreditedQuantity",
    };
}

/// What belongs on the document as a whole, and what on lines.
struct Figures<'a> {
    /// Amounts are what this makes of those of the invoice: a credit note's have the other sign.
    negated: bool,
    lines: Vec<(&'a InvoiceLine, Amount)>,
    of_document: Vec<(&'a InvoiceLine, Amount)>,
    lines_sum: Amount,
    allowances: Amount,
    charges: Amount,
    category: Category,
}

impl<'a> Figures<'a> {
    fn of(invoice: &'a Invoice) -> Result<Figures<'a>, Overflow> {
        let mut figures = Figures {
            negated: invoice.r#type == InvoiceType::CreditNote,
            lines: Vec::with_capacity(invoice.lines.len()),
            of_document: Vec::new(),
            lines_sum: Amount::ZERO,
            allowances: Amount::ZERO,
            charges: Amount::ZERO,
            category: Category::of(invoice),
        };
        for line in &invoice.lines {
            let amount = figures.signed(line.amount)?;
            match line.kind {
                LineKind::Usage | LineKind::Adjustment | LineKind::Order => {
                    figures.lines_sum = figures.lines_sum.plus(amount)?;
                    figures.lines.push((line, amount));
                }
                LineKind::Coupons | LineKind::Rounding => {
                    let sum = match amount.is_negative() {
                        true => &mut figures.allowances,
                        false => &mut figures.charges,
                    };
                    *sum = sum.plus(amount.max(amount.negated()?))?;
                    figures.of_document.push((line, amount));
                }
            }
        }
        Ok(figures)
    }

    fn signed(&self, amount: Amount) -> Result<Amount, Overflow> {
        if self.negated { amount.negated() } else { Ok(amount) }
    }
}

/// How the tax is categorised (UNCL5305).
struct Category {
    code: &'static str,
    /// None where nothing is subject to tax.
    percent: Option<String>,
    /// Why there is none.
    exemption: Option<(Option<&'static str>, String)>,
}

impl Category {
    fn of(invoice: &Invoice) -> Category {
        let language = Language::of(invoice);
        let labels = Labels::of(language);
        match invoice.tax_note {
            TaxNote::Rated if invoice.tax_rate.is_zero() => {
                Category { code: "Z", percent: Some("0".to_owned()), exemption: None }
            }
            TaxNote::Rated => {
                Category { code: "S", percent: Some(percent(invoice.tax_rate)), exemption: None }
            }
            TaxNote::ReverseCharge => Category {
                code: "AE",
                percent: Some("0".to_owned()),
                exemption: Some((Some("VATEX-EU-AE"), labels.reverse_charge.to_owned())),
            },
            TaxNote::NotListed => {
                let registered = country(invoice.country, language);
                let reason = labels.not_listed.replace("{country}", &registered);
                Category { code: "O", percent: None, exemption: Some((None, reason)) }
            }
        }
    }
}

/// A fraction in hundredths: it has six places at most.
fn percent(rate: Amount) -> String {
    rate.many(100).map(|percent| percent.to_string()).unwrap_or_default()
}

fn head(xml: &mut Xml, invoice: &Invoice, kind: &Kind) {
    let day = |at: Timestamp| invoice.time_zone.date_of(at).to_string();
    xml.text("CustomizationID", "urn:cen.eu:en16931:2017");
    xml.text("ID", &invoice.number);
    xml.text("IssueDate", &day(invoice.issued_at));
    xml.text(kind.code_name, kind.code);
    if let Some(reason) = &invoice.reason {
        xml.text("Note", reason.as_str());
    }
    if let Some(note) = settled_note(invoice) {
        xml.text("Note", &note);
    }
    xml.text("DocumentCurrencyCode", invoice.currency.code());
    // The currency of settlement is that in which the tax is accounted for (BT-6).
    if let Some(settlement) = invoice.settlement_currency {
        xml.text("TaxCurrencyCode", settlement.code());
    }
    xml.text("BuyerReference", invoice.billing_account.as_str());
    xml.part("InvoicePeriod", |xml| {
        xml.text("StartDate", &day(invoice.from));
        xml.text("EndDate", &day(invoice.until.minus(Span::micros(1))));
    });
    if let Some(corrects) = &invoice.corrects {
        xml.part("BillingReference", |xml| {
            xml.part("InvoiceDocumentReference", |xml| xml.text("ID", corrects));
        });
    }
}

/// The standard has a place for the tax in another currency, and none for the rest.
fn settled_note(invoice: &Invoice) -> Option<String> {
    let language = Language::of(invoice);
    let (labels, settled) = (Labels::of(language), figures::settled(invoice, language)?);
    Some(format!(
        "{}: {}; {}: {}; {}: {}; {}: {}",
        labels.exchange_rate,
        settled.rate,
        labels.net,
        settled.net,
        labels.tax,
        settled.tax,
        labels.total,
        settled.total
    ))
}

fn seller(xml: &mut Xml, invoice: &Invoice) {
    let registered = country(invoice.issuer_country, Language::of(invoice));
    let name = invoice.issuer_name.as_ref().map_or(registered.as_str(), |name| name.as_str());
    let tax_id = invoice.issuer_tax_id.as_ref().map(|id| id.as_str());
    let outside = invoice.tax_note == TaxNote::NotListed;
    xml.part("AccountingSupplierParty", |xml| {
        xml.part("Party", |xml| {
            // Whoever has no tax number is known by his name.
            if tax_id.is_none() {
                xml.part("PartyIdentification", |xml| xml.text("ID", name));
            }
            let address = invoice.issuer_address.as_ref().map(|address| address.as_str());
            place(xml, address, invoice.issuer_country);
            if let Some(tax_id) = tax_id {
                // What is no VAT number of the European kind is a tax registration; where nothing is subject
                // to tax no VAT number may stand at all.
                let is_vat = is_vat_number(tax_id, invoice.issuer_country) && !outside;
                tax_scheme_of(xml, tax_id, if is_vat { "VAT" } else { "TAX" });
            }
            xml.part("PartyLegalEntity", |xml| xml.text("RegistrationName", name));
        });
    });
}

fn buyer(xml: &mut Xml, invoice: &Invoice) {
    let tax_id = invoice.tax_id.as_ref().map(|id| id.as_str());
    let outside = invoice.tax_note == TaxNote::NotListed;
    let is_vat = tax_id.filter(|id| is_vat_number(id, invoice.country) && !outside);
    xml.part("AccountingCustomerParty", |xml| {
        xml.part("Party", |xml| {
            xml.part("PartyIdentification", |xml| xml.text("ID", invoice.enterprise.as_str()));
            place(xml, None, invoice.country);
            if let Some(tax_id) = is_vat {
                tax_scheme_of(xml, tax_id, "VAT");
            }
            xml.part("PartyLegalEntity", |xml| {
                xml.text("RegistrationName", invoice.enterprise_name.as_str());
                if let Some(tax_id) = tax_id.filter(|_| is_vat.is_none()) {
                    xml.text("CompanyID", tax_id);
                }
            });
        });
    });
}

fn place(xml: &mut Xml, street: Option<&str>, country: Country) {
    xml.part("PostalAddress", |xml| {
        if let Some(street) = street {
            xml.text("StreetName", street);
        }
        xml.part("Country", |xml| xml.text("IdentificationCode", country.as_str()));
    });
}

fn tax_scheme_of(xml: &mut Xml, tax_id: &str, scheme: &str) {
    xml.part("PartyTaxScheme", |xml| {
        xml.text("CompanyID", &tax_id.replace(' ', ""));
        xml.part("TaxScheme", |xml| xml.text("ID", scheme));
    });
}

/// A VAT number begins with the letters of its country (BR-CO-9); Greece has letters of its own.
fn is_vat_number(tax_id: &str, country: Country) -> bool {
    let letters = if country.as_str() == "GR" { "EL" } else { country.as_str() };
    tax_id
        .strip_prefix(letters)
        .is_some_and(|rest| rest.contains(|sign: char| sign.is_ascii_digit()))
}

/// Coupons and rounding are of the whole document.
fn allowance(
    xml: &mut Xml,
    invoice: &Invoice,
    figures: &Figures<'_>,
    (line, amount): &(&InvoiceLine, Amount),
) {
    let labels = Labels::of(Language::of(invoice));
    let (reason, code) = match line.kind {
        LineKind::Coupons => (labels.coupons, Some("95")),
        _ => (labels.rounding, None),
    };
    let charged = !amount.is_negative();
    xml.part("AllowanceCharge", |xml| {
        xml.text("ChargeIndicator", if charged { "true" } else { "false" });
        if let Some(code) = code.filter(|_| !charged) {
            xml.text("AllowanceChargeReasonCode", code);
        }
        xml.text("AllowanceChargeReason", reason);
        xml.money("Amount", invoice, (*amount).max(amount.negated().unwrap_or(*amount)));
        category(xml, "TaxCategory", &figures.category, false);
    });
}

fn category(xml: &mut Xml, name: &str, category: &Category, with_reason: bool) {
    xml.part(name, |xml| {
        xml.text("ID", category.code);
        if let Some(percent) = &category.percent {
            xml.text("Percent", percent);
        }
        if let Some((code, reason)) = category.exemption.as_ref().filter(|_| with_reason) {
            if let Some(code) = code {
                xml.text("TaxExemptionReasonCode", code);
            }
            xml.text("TaxExemptionReason", reason);
        }
        xml.part("TaxScheme", |xml| xml.text("ID", "VAT"));
    });
}

fn totals(xml: &mut Xml, invoice: &Invoice, figures: &Figures<'_>) {
    let of = |amount: Amount| figures.signed(amount).unwrap_or(amount);
    xml.part("TaxTotal", |xml| {
        xml.money("TaxAmount", invoice, of(invoice.tax));
        xml.part("TaxSubtotal", |xml| {
            xml.money("TaxableAmount", invoice, of(invoice.net));
            xml.money("TaxAmount", invoice, of(invoice.tax));
            category(xml, "TaxCategory", &figures.category, true);
        });
    });
    // BT-111.
    if let (Some(currency), Some(tax)) = (invoice.settlement_currency, invoice.settled_tax) {
        let tax = of(tax).to_string();
        xml.part("TaxTotal", |xml| {
            xml.with("TaxAmount", &[("currencyID", currency.code())], &tax);
        });
    }
    xml.part("LegalMonetaryTotal", |xml| {
        xml.money("LineExtensionAmount", invoice, figures.lines_sum);
        xml.money("TaxExclusiveAmount", invoice, of(invoice.net));
        xml.money("TaxInclusiveAmount", invoice, of(invoice.total));
        if !figures.allowances.is_zero() {
            xml.money("AllowanceTotalAmount", invoice, figures.allowances);
        }
        if !figures.charges.is_zero() {
            xml.money("ChargeTotalAmount", invoice, figures.charges);
        }
        xml.money("PayableAmount", invoice, of(invoice.total));
    });
}

fn item(
    xml: &mut Xml,
    invoice: &Invoice,
    figures: &Figures<'_>,
    kind: &Kind,
    number: usize,
    (line, amount): &(&InvoiceLine, Amount),
) {
    // A price is never negative: a line that takes something off is one piece less.
    let (pieces, price) = match amount.is_negative() {
        true => ("-1", amount.negated().unwrap_or(*amount)),
        false => ("1", *amount),
    };
    xml.part(kind.line, |xml| {
        xml.text("ID", &number.to_string());
        xml.with(kind.quantity, &[("unitCode", "C62")], pieces);
        xml.money("LineExtensionAmount", invoice, *amount);
        xml.part("Item", |xml| {
            xml.text("Name", &name_of(invoice, line));
            category(xml, "ClassifiedTaxCategory", &figures.category, false);
            for (name, value) in properties_of(invoice, line) {
                xml.part("AdditionalItemProperty", |xml| {
                    xml.text("Name", name);
                    xml.text("Value", &value);
                });
            }
        });
        xml.part("Price", |xml| xml.money("PriceAmount", invoice, price));
    });
}

fn name_of(invoice: &Invoice, line: &InvoiceLine) -> String {
    let names = [
        line.product.as_ref().map(|name| name.as_str()),
        line.meter.as_ref().map(|name| name.as_str()),
        line.order.as_ref().map(|name| name.as_str()),
    ];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    let labels = Labels::of(Language::of(invoice));
    let remark = match line.kind {
        LineKind::Adjustment => Some(labels.adjustment),
        LineKind::Order => Some(labels.order),
        LineKind::Usage | LineKind::Coupons | LineKind::Rounding => None,
    };
    let tier = line.tier.map(|tier| tier_in_words(tier, labels));
    let remarks: Vec<&str> = tier.as_deref().into_iter().chain(remark).collect();
    match remarks.is_empty() {
        true => names.join(" / "),
        false => format!("{} ({})", names.join(" / "), remarks.join(", ")),
    }
}

fn properties_of(invoice: &Invoice, line: &InvoiceLine) -> Vec<(&'static str, String)> {
    let labels = Labels::of(Language::of(invoice));
    let account = line.account.as_ref().map(|account| (labels.account, account.to_string()));
    let region = line.region.as_ref().map(|region| ("Region", region.to_string()));
    let tier = line.tier.map(|tier| ("Tier", tier.to_string()));
    let quantity = line.quantity.map(|quantity| (labels.quantity, quantity.to_string()));
    [account, region, tier, quantity].into_iter().flatten().collect()
}

/// XML that is written from its begin to its end.
struct Xml {
    text: String,
    depth: usize,
}

/// Parts have parts, and other elements text.
const PARTS: &str = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2";
const TEXTS: &str = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2";
const DOCUMENTS: &str = "urn:oasis:names:specification:ubl:schema:xsd:";

impl Xml {
    fn begin(root: &str) -> Xml {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{DOCUMENTS}{root}-2\" xmlns:cac=\"{PARTS}\" xmlns:cbc=\"{TEXTS}\">\n"
        );
        Xml { text, depth: 1 }
    }

    fn end(mut self, root: &str) -> String {
        self.text.push_str(&format!("</{root}>\n"));
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn part(&mut self, name: &str, inside: impl FnOnce(&mut Xml)) {
        self.line(&format!("<cac:{name}>"));
        self.depth = self.depth.saturating_add(1);
        inside(self);
        self.depth = self.depth.saturating_sub(1);
        self.line(&format!("</cac:{name}>"));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.with(name, &[], text);
    }

    fn money(&mut self, name: &str, invoice: &Invoice, amount: Amount) {
        self.with(name, &[("currencyID", invoice.currency.code())], &amount.to_string());
    }

    fn with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        let attributes: String =
            attributes.iter().map(|(name, value)| format!(" {name}=\"{value}\"")).collect();
        let text = escaped(text);
        self.line(&format!("<cbc:{name}{attributes}>{text}</cbc:{name}>"));
    }
}

/// What others named, with what XML would read as its own put otherwise; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_xml_reads_as_its_own_is_put_otherwise() {
        assert_eq!(escaped("a<b>&\"c\"\u{7}\u{fffe}\nd"), "a&lt;b&gt;&amp;\"c\" d");
    }
}
