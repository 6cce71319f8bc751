//! Invoices as BALANCE makes them.

#![allow(dead_code)] // each test takes what it needs

use drawdown_domain::invoices::{
    Invoice, InvoiceLine, InvoiceTopUp, InvoiceType, LineKind, TaxNote,
};
use drawdown_domain::money::{Amount, Currency};

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn line(kind: LineKind, names: [&str; 4], quantity: &str, cost: &str) -> InvoiceLine {
    let [account, product, meter, region] = names;
    InvoiceLine {
        kind,
        account: account.parse().ok(),
        product: product.parse().ok(),
        meter: meter.parse().ok(),
        region: region.parse().ok(),
        tier: None,
        quantity: quantity.parse().ok(),
        amount: amount(cost),
        order: (kind == LineKind::Order).then(|| "ord-7".parse().unwrap()),
    }
}

/// An invoice for a customer of that name and country, at 19%.
pub(crate) fn invoice(name: &str, country: &str) -> Invoice {
    let usage = LineKind::Usage;
    Invoice {
        number: "SG-2026-000042".to_owned(),
        r#type: InvoiceType::Invoice,
        corrects: None,
        reason: None,
        billing_account: "ba-acme".parse().unwrap(),
        enterprise: "acme".parse().unwrap(),
        enterprise_name: name.parse().unwrap(),
        country: country.parse().unwrap(),
        tax_id: Some("DE136695976".parse().unwrap()),
        language: None,
        recipients: vec!["finance@acme.example".parse().unwrap()],
        time_zone: "Asia/Singapore".parse().unwrap(),
        from: "2026-02-28T16:00:00Z".parse().unwrap(),
        until: "2026-03-15T16:00:00Z".parse().unwrap(),
        issued_at: "2026-03-15T16:05:00Z".parse().unwrap(),
        issuer_country: "SG".parse().unwrap(),
        issuer_name: Some("Drawdown Cloud Pte. Ltd.".parse().unwrap()),
        issuer_address: Some("1 Example Quay, Singapore 018000".parse().unwrap()),
        issuer_tax_id: Some("GST 200000000A".parse().unwrap()),
        currency: Currency::Usd,
        lines: vec![
            line(usage, ["acme", "ai", "tokens_out", ""], "12345678", "617.28"),
            line(usage, ["acme", "compute", "vcpu_hours", "ap-1"], "1234.5", "12345.00"),
            line(usage, ["acme", "compute", "vcpu_hours", "eu-1"], "0.000000000001", "0.00"),
            line(
                LineKind::Adjustment,
                ["acme", "compute", "vcpu_hours", "eu-1"],
                "-12.25",
                "-122.50",
            ),
            line(LineKind::Order, ["acme", "compute", "", ""], "", "99.00"),
            line(usage, ["acme-research", "storage", "gib_hours", "eu-1"], "88412.75", "1000.00"),
            line(LineKind::Coupons, ["", "", "", ""], "", "-50.00"),
            line(LineKind::Rounding, ["", "", "", ""], "", "0.01"),
        ],
        top_ups: vec![
            InvoiceTopUp {
                at: "2026-03-01T16:30:00Z".parse().unwrap(),
                amount: amount("5000"),
                method: Some("visa-1".parse().unwrap()),
            },
            InvoiceTopUp {
                at: "2026-03-10T08:00:00Z".parse().unwrap(),
                amount: amount("250.5"),
                method: Some("bank_transfer".parse().unwrap()),
            },
        ],
        net: amount("13888.79"),
        tax_rate: amount("0.19"),
        tax_note: TaxNote::Rated,
        tax: amount("2638.87"),
        total: amount("16527.66"),
        settlement_currency: None,
        settlement_rate: None,
        settled_net: None,
        settled_tax: None,
        settled_total: None,
    }
}

/// The same with a meter that is priced by tier, also late.
pub(crate) fn tiered(name: &str, country: &str) -> Invoice {
    let mut invoice = invoice(name, country);
    let hours = ["acme", "compute", "vcpu_hours", "ap-1"];
    let tier = |kind, tier, quantity, cost| InvoiceLine {
        tier: Some(tier),
        ..line(kind, hours, quantity, cost)
    };
    let lines = [
        tier(LineKind::Usage, 1, "1000", "10000.00"),
        tier(LineKind::Usage, 2, "234.5", "2345.00"),
        tier(LineKind::Adjustment, 12, "1", "0.00"),
    ];
    invoice.lines.splice(1..2, lines);
    invoice
}

/// The same, settled in euros.
pub(crate) fn settled(name: &str, country: &str) -> Invoice {
    Invoice {
        settlement_currency: Some(Currency::Eur),
        settlement_rate: Some(amount("0.9012")),
        settled_net: Some(amount("12516.58")),
        settled_tax: Some(amount("2378.15")),
        settled_total: Some(amount("14894.73")),
        ..invoice(name, country)
    }
}

/// The same with so many lines more.
pub(crate) fn long(name: &str, country: &str, lines: usize) -> Invoice {
    let mut invoice = invoice(name, country);
    let more = (0..lines).map(|number| {
        let account = format!("acme-{:02}", number / 60);
        let meter = format!("meter_{number:04}");
        line(LineKind::Usage, [&account, "compute", &meter, "eu-1"], "1.5", "1.00")
    });
    let at = invoice.lines.len() - 2;
    invoice.lines.splice(at..at, more);
    invoice
}
