//! R12.7: the structured invoice, read back by a parser: every figure is there, and EN 16931's sums hold.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

mod invoices;

use drawdown_documents::e_invoice;
use drawdown_domain::invoices::{Invoice, InvoiceType, LineKind, TaxNote};
use drawdown_domain::money::Amount;
use invoices::{amount, invoice, settled, tiered};
use roxmltree::{Document, Node};

/// The elements at the end of a path of names.
fn all<'a, 'i>(from: Node<'a, 'i>, path: &str) -> Vec<Node<'a, 'i>> {
    path.split('/').fold(vec![from], |found, name| {
        let children = found.iter().flat_map(|node| node.children());
        children.filter(|node| node.tag_name().name() == name).collect()
    })
}

fn text<'a>(from: Node<'a, '_>, path: &str) -> &'a str {
    let found = all(from, path);
    assert_eq!(found.len(), 1, "{path}");
    found[0].text().unwrap_or("")
}

fn figure(from: Node<'_, '_>, path: &str) -> Amount {
    amount(text(from, path))
}

fn figures(from: Node<'_, '_>, path: &str) -> Amount {
    Amount::sum(all(from, path).into_iter().map(|node| amount(node.text().unwrap()))).unwrap()
}

fn optional(from: Node<'_, '_>, path: &str) -> Amount {
    if all(from, path).is_empty() { amount("0") } else { figure(from, path) }
}

/// Reads it back and holds it against the invoice, and against the rules of the standard.
fn check(invoice: &Invoice) {
    let xml = e_invoice(invoice).unwrap();
    let document = Document::parse(&xml).unwrap_or_else(|error| panic!("{error}\n{xml}"));
    let root = document.root_element();
    let (name, line_name) = match invoice.r#type {
        InvoiceType::Invoice => ("Invoice", "InvoiceLine"),
        InvoiceType::CreditNote => ("CreditNote", "CreditNoteLine"),
    };
    assert_eq!(root.tag_name().name(), name);
    let of = |amount: Amount| match invoice.r#type {
        InvoiceType::Invoice => amount,
        InvoiceType::CreditNote => amount.negated().unwrap(),
    };

    assert_eq!(text(root, "CustomizationID"), "urn:cen.eu:en16931:2017");
    assert_eq!(text(root, "ID"), invoice.number);
    assert_eq!(text(root, "DocumentCurrencyCode"), invoice.currency.code());
    assert_eq!(text(root, "BuyerReference"), invoice.billing_account.as_str());
    let buyer = "AccountingCustomerParty/Party/PartyLegalEntity/RegistrationName";
    assert_eq!(text(root, buyer), invoice.enterprise_name.as_str());
    // BR-53: if the tax is accounted for in another currency, it is there in that one, and only there.
    let settled = invoice.settlement_currency.map(|settlement| settlement.code());
    assert_eq!(all(root, "TaxCurrencyCode").first().and_then(Node::text), settled);
    let of_tax = |node: &Node<'_, '_>| all(*node, "TaxSubtotal").is_empty();
    let accounted: Vec<_> = all(root, "TaxTotal").into_iter().filter(of_tax).collect();
    assert_eq!(accounted.len(), usize::from(settled.is_some()));
    for node in &accounted {
        let tax = all(*node, "TaxAmount")[0];
        assert_eq!(tax.attribute("currencyID"), settled, "BT-111");
        assert_eq!(figure(*node, "TaxAmount"), of(invoice.settled_tax.unwrap()), "BT-111");
    }
    let elsewhere = |node: &Node<'_, '_>| {
        node.has_attribute("currencyID") && !accounted.contains(&node.parent().unwrap())
    };
    for element in root.descendants().filter(elsewhere) {
        assert_eq!(element.attribute("currencyID"), Some(invoice.currency.code()));
    }

    // Every line is there, with its amount.
    let of_lines = |line: &&drawdown_domain::invoices::InvoiceLine| {
        !matches!(line.kind, LineKind::Coupons | LineKind::Rounding)
    };
    let written = all(root, line_name);
    let lines: Vec<_> = invoice.lines.iter().filter(of_lines).collect();
    assert_eq!(written.len(), lines.len());
    for (node, line) in written.iter().zip(&lines) {
        assert_eq!(figure(*node, "LineExtensionAmount"), of(line.amount));
        let price = figure(*node, "Price/PriceAmount");
        assert!(!price.is_negative(), "BR-27: {price}");
        let values: Vec<_> =
            all(*node, "Item/AdditionalItemProperty/Value").iter().map(|it| it.text()).collect();
        if let Some(quantity) = line.quantity {
            assert!(values.contains(&Some(quantity.to_string().as_str())), "{values:?}");
        }
        if let Some(tier) = line.tier {
            assert!(values.contains(&Some(tier.to_string().as_str())), "{values:?}");
        }
        if let Some(account) = &line.account {
            assert!(values.contains(&Some(account.as_str())), "{values:?}");
        }
    }

    // BR-CO-10: the lines.
    let totals = all(root, "LegalMonetaryTotal")[0];
    let lines_sum = figure(totals, "LineExtensionAmount");
    assert_eq!(lines_sum, figures(root, &format!("{line_name}/LineExtensionAmount")), "BR-CO-10");
    // BR-CO-11 and BR-CO-12: allowances and charges of the document.
    let (mut allowances, mut charges) = (amount("0"), amount("0"));
    for node in all(root, "AllowanceCharge") {
        let sum = match text(node, "ChargeIndicator") {
            "true" => &mut charges,
            _ => &mut allowances,
        };
        let part = figure(node, "Amount");
        assert!(part.is_positive());
        *sum = sum.plus(part).unwrap();
    }
    assert_eq!(optional(totals, "AllowanceTotalAmount"), allowances, "BR-CO-11");
    assert_eq!(optional(totals, "ChargeTotalAmount"), charges, "BR-CO-12");
    // BR-CO-13: without tax.
    let net = figure(totals, "TaxExclusiveAmount");
    let expected = lines_sum.minus(allowances).unwrap().plus(charges).unwrap();
    assert_eq!((net, net), (expected, of(invoice.net)), "BR-CO-13");
    // BR-CO-14: the tax is that of its categories.
    let totals_of_tax = all(root, "TaxTotal");
    let tax = figure(totals_of_tax[0], "TaxAmount");
    assert_eq!(tax, figures(root, "TaxTotal/TaxSubtotal/TaxAmount"), "BR-CO-14");
    assert_eq!(tax, of(invoice.tax));
    // BR-CO-15: with tax.
    let total = figure(totals, "TaxInclusiveAmount");
    assert_eq!((total, total), (net.plus(tax).unwrap(), of(invoice.total)), "BR-CO-15");
    // BR-CO-16: nothing is prepaid or rounded.
    assert_eq!(figure(totals, "PayableAmount"), total, "BR-CO-16");
    // BR-CO-17: each category at its rate.
    for category in all(root, "TaxTotal/TaxSubtotal") {
        let percent = optional(category, "TaxCategory/Percent");
        let rate = percent.times(amount("0.01")).unwrap().rounded_half_even().unwrap();
        let exact = figure(category, "TaxableAmount").times(rate).unwrap();
        let exact = exact.rounded_half_even().unwrap();
        let rounded = exact.rounded_half_away(invoice.currency).unwrap();
        assert_eq!(figure(category, "TaxAmount"), rounded, "BR-CO-17");
        assert_eq!(rate, invoice.tax_rate);
    }
    // Amounts have no more places than the currency.
    for element in root.descendants().filter(|node| node.has_attribute("currencyID")) {
        assert!(amount(element.text().unwrap()).fits(invoice.currency), "BR-DEC: {element:?}");
    }
}

fn credit_note() -> Invoice {
    let mut note = invoice("Acme", "DE");
    note.number = "CN-SG-2026-000003".to_owned();
    note.r#type = InvoiceType::CreditNote;
    note.corrects = Some("SG-2026-000041".to_owned());
    note.lines.retain(|line| line.amount.is_negative());
    (note.net, note.tax, note.total) = (amount("-172.5"), amount("-32.78"), amount("-205.28"));
    note
}

#[test]
fn r12_7_every_figure_of_an_invoice_is_read_back_and_adds_up() {
    check(&invoice("Acme", "DE"));
    check(&invoice("Müller & Söhne <GmbH> \"株式会社\" ]]>", "JP"));
    check(&credit_note());
    let mut long = invoices::long("Acme", "US", 300);
    (long.net, long.tax, long.total) = (amount("14188.79"), amount("2695.87"), amount("16884.66"));
    check(&long);
}

#[test]
fn r12_3_a_line_is_called_by_its_tier() {
    check(&tiered("Acme", "DE"));
    let xml = e_invoice(&tiered("Acme", "DE")).unwrap();
    let document = Document::parse(&xml).unwrap();
    let names = all(document.root_element(), "InvoiceLine/Item/Name");
    let names: Vec<&str> = names.iter().map(|name| name.text().unwrap()).collect();
    let expected = [
        "ai / tokens_out",
        "compute / vcpu_hours (Preisstaffel 1)",
        "compute / vcpu_hours (Preisstaffel 2)",
        "compute / vcpu_hours (Preisstaffel 12, Nachtrag oder Korrektur)",
        "compute / vcpu_hours",
    ];
    assert_eq!(names[..5], expected);
}

#[test]
fn r12_6_the_e_invoice_says_what_is_settled_in_another_currency() {
    let note = Invoice {
        settlement_currency: settled("Acme", "DE").settlement_currency,
        settlement_rate: Some(amount("0.9012")),
        settled_net: Some(amount("-155.46")),
        settled_tax: Some(amount("-29.54")),
        settled_total: Some(amount("-185.00")),
        ..credit_note()
    };
    for (invoice, says) in [
        (
            settled("Acme", "DE"),
            "Wechselkurs: 1 USD = 0,9012 EUR; Nettobetrag: EUR 12.516,58; Umsatzsteuer: EUR 2.378,15; Gesamtbetrag: EUR 14.894,73",
        ),
        (
            note,
            "Wechselkurs: 1 USD = 0,9012 EUR; Nettobetrag: EUR -155,46; Umsatzsteuer: EUR -29,54; Gesamtbetrag: EUR -185,00",
        ),
    ] {
        check(&invoice);
        let xml = e_invoice(&invoice).unwrap();
        let document = Document::parse(&xml).unwrap();
        assert_eq!(text(document.root_element(), "Note"), says);
        assert_eq!(text(document.root_element(), "TaxCurrencyCode"), "EUR");
    }
}

#[test]
fn r12_7_the_tax_is_categorised_and_a_tax_of_nothing_says_why() {
    let untaxed = |tax_note| Invoice {
        tax_rate: amount("0"),
        tax_note,
        tax: amount("0"),
        total: amount("13888.79"),
        ..invoice("Acme", "IE")
    };
    for (invoice, code, reason) in [
        (invoice("Acme", "DE"), "S", None),
        (untaxed(TaxNote::Rated), "Z", None),
        (untaxed(TaxNote::ReverseCharge), "AE", Some("Reverse charge")),
        (untaxed(TaxNote::NotListed), "O", Some("No tax rate is listed for Ireland")),
    ] {
        check(&invoice);
        let xml = e_invoice(&invoice).unwrap();
        let document = Document::parse(&xml).unwrap();
        let category = all(document.root_element(), "TaxTotal/TaxSubtotal/TaxCategory")[0];
        assert_eq!(text(category, "ID"), code);
        let found = all(category, "TaxExemptionReason");
        assert_eq!(found.len(), usize::from(reason.is_some()));
        assert!(found.iter().all(|it| it.text().unwrap().starts_with(reason.unwrap())));
        // Lines, allowances and charges are of the same category.
        for name in ["ClassifiedTaxCategory", "TaxCategory"] {
            let of_name = |node: &Node<'_, '_>| node.tag_name().name() == name;
            for node in document.descendants().filter(of_name) {
                assert_eq!(text(node, "ID"), code);
            }
        }
    }
}

#[test]
fn r12_7_a_credit_note_names_its_invoice_and_why() {
    let mut note = credit_note();
    note.reason = Some("Doppelt <berechnet>".parse().unwrap());
    check(&note);
    let xml = e_invoice(&note).unwrap();
    let document = Document::parse(&xml).unwrap();
    let root = document.root_element();
    assert_eq!(text(root, "CreditNoteTypeCode"), "381");
    assert_eq!(text(root, "BillingReference/InvoiceDocumentReference/ID"), "SG-2026-000041");
    assert_eq!(text(root, "Note"), "Doppelt <berechnet>");
}

#[test]
fn r12_7_parties_and_days_are_those_of_the_invoice() {
    let xml = e_invoice(&invoice("Acme", "DE")).unwrap();
    let document = Document::parse(&xml).unwrap();
    let root = document.root_element();
    for (path, says) in [
        // Days of the billing account's zone, which is Singapore's.
        ("IssueDate", "2026-03-16"),
        ("InvoicePeriod/StartDate", "2026-03-01"),
        ("InvoicePeriod/EndDate", "2026-03-15"),
        ("InvoiceTypeCode", "380"),
        (
            "AccountingSupplierParty/Party/PartyLegalEntity/RegistrationName",
            "Drawdown Cloud Pte. Ltd.",
        ),
        ("AccountingSupplierParty/Party/PostalAddress/Country/IdentificationCode", "SG"),
        // It is no VAT number of a country: a registration for tax.
        ("AccountingSupplierParty/Party/PartyTaxScheme/CompanyID", "GST200000000A"),
        ("AccountingSupplierParty/Party/PartyTaxScheme/TaxScheme/ID", "TAX"),
        ("AccountingCustomerParty/Party/PartyTaxScheme/CompanyID", "DE136695976"),
        ("AccountingCustomerParty/Party/PartyTaxScheme/TaxScheme/ID", "VAT"),
        ("AccountingCustomerParty/Party/PostalAddress/Country/IdentificationCode", "DE"),
    ] {
        assert_eq!(text(root, path), says, "{path}");
    }
}
