//! Invoices to a real mail server that is slow, refuses, loses its answers or is away, with a worker that
//! is killed: what all letters must stand (tests/post), and that each brings its PDF.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

#[path = "../../../pipeline/documents/tests/invoices/mod.rs"]
mod invoices;

use std::path::PathBuf;
use std::sync::LazyLock;

use drawdown_documents::{FOLDERS, Fonts, Press, e_invoice};
use drawdown_domain::invoices::Invoice;
use drawdown_invoices::{Documents, Invoices, letter};
use drawdown_post_tests::Sends;
use drawdown_wire::messages::Invoices as Issued;
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;

static PRESS: LazyLock<Press> =
    LazyLock::new(|| Press::new(Fonts::find(&FOLDERS.map(PathBuf::from)).unwrap()));

/// Issued when the clocks of those tests begin.
fn issued(number: &str) -> Invoice {
    Invoice {
        number: number.to_owned(),
        issued_at: "2026-03-01T00:00:00Z".parse().unwrap(),
        ..invoices::invoice("Acme Söhne", "GB")
    }
}

struct Told;

impl Sends for Told {
    type Letters = Invoices;
    const CONSUMER: &'static str = "invoices";
    const INPUT: Topic = Topic::Invoices;
    const STATE: Topic = Topic::InvoicesState;

    fn letters() -> Invoices {
        Invoices::new(PRESS.clone())
    }

    fn wish(number: usize, recipients: &[&str]) -> (String, Vec<u8>) {
        let name = format!("SG-2026-{number:06}");
        let invoice = Invoice {
            recipients: recipients.iter().map(|to| to.parse().unwrap()).collect(),
            ..issued(&name)
        };
        (name, schemas::INVOICES.message(&Issued { invoices: vec![invoice] }))
    }
}

#[test]
#[ignore = "is started by the other tests"]
fn child() {
    drawdown_post_tests::child::<Told>();
}

#[test]
fn r12_7_every_billing_contact_gets_one_mail_with_the_pdf_and_the_e_invoice() {
    let accepted =
        drawdown_post_tests::every_recipient_gets_one_mail_and_what_was_sent_is_listed::<Told>();
    assert!(!accepted.is_empty());
    for mail in accepted {
        let number = mail.message_id.split('.').next().unwrap();
        assert_eq!(mail.subject, format!("Invoice {number} (ba-acme)"));
        assert!(mail.text.as_ref().unwrap().contains("Total: USD 16,527.66"), "{mail:?}");
        let pdf = mail.parts.iter().find(|part| part.r#type == "application/pdf").unwrap();
        assert_eq!(pdf.name.as_deref(), Some(format!("{number}.pdf").as_str()));
        let xml = mail.parts.iter().find(|part| part.r#type == "application/xml").unwrap();
        assert_eq!(xml.name.as_deref(), Some(format!("{number}.xml").as_str()));
        assert_eq!(xml.bytes, e_invoice(&issued(number)).unwrap().len());
        assert_eq!(pdf.bytes, PRESS.invoice(&issued(number)).unwrap().len());
    }
}

#[test]
fn a_server_that_asks_to_be_asked_later_or_is_away_loses_nothing() {
    drawdown_post_tests::a_server_that_asks_to_be_asked_later_or_is_away_loses_nothing::<Told>();
}

#[test]
fn what_a_server_refuses_is_listed_as_refused_and_not_tried_again() {
    drawdown_post_tests::what_a_server_refuses_is_listed_as_refused_and_not_tried_again::<Told>();
}

#[test]
fn a_lost_250_repeats_that_mail_and_no_other() {
    drawdown_post_tests::a_lost_250_repeats_that_mail_and_no_other::<Told>();
}

#[test]
fn r12_2_a_kill_repeats_at_most_what_was_under_way() {
    drawdown_post_tests::a_kill_repeats_at_most_what_was_under_way::<Told>();
}

#[test]
fn r12_3_the_mail_speaks_the_invoices_language() {
    for (country, subject, says) in [
        ("GB", "Invoice SG-2026-000042", "of billing account ba-acme for 1 March 2026"),
        ("DE", "Rechnung SG-2026-000042", "Gesamtbetrag: USD 16.527,66"),
        ("FR", "Facture SG-2026-000042", "joint au format PDF"),
        ("ES", "Factura SG-2026-000042", "Base imponible: USD 13.888,79"),
        ("CN", "发票 SG-2026-000042", "2026年3月1日"),
        ("JP", "請求書 SG-2026-000042", "合計: USD 16,527.66"),
        ("SA", "فاتورة SG-2026-000042", "الإجمالي: USD 16,527.66"),
    ] {
        let invoice = invoices::invoice("Acme <&> Söhne", country);
        let documents = Documents { pdf: Vec::new(), xml: e_invoice(&invoice).unwrap() };
        let letter = letter(&invoice, documents, "m@x".to_owned()).unwrap();
        assert_eq!(letter.subject, format!("{subject} (ba-acme)"));
        assert!(letter.text.contains(says), "{country}: {}", letter.text);
        for figure in ["finance@acme.example", "ba-acme", "SG-2026-000042"] {
            assert!(letter.text.contains(figure) && letter.html.contains(figure), "{figure}");
        }
        assert!(letter.html.contains("Acme &#60;&#38;&#62; Söhne"), "{}", letter.html);
        assert_eq!(letter.html.contains("dir=\"rtl\""), country == "SA");
        if let Some(folder) = std::env::var_os("DRAWDOWN_TEST_LETTERS") {
            let file = PathBuf::from(folder).join(format!("invoice-{country}.html"));
            std::fs::write(file, &letter.html).unwrap();
        }
    }
}

#[test]
fn r12_6_the_mail_says_both_amounts() {
    let invoice = invoices::settled("Acme", "GB");
    let documents = Documents { pdf: Vec::new(), xml: e_invoice(&invoice).unwrap() };
    let letter = letter(&invoice, documents, "m@x".to_owned()).unwrap();
    for says in ["USD 16,527.66", "1 USD = 0.9012 EUR", "EUR 12,516.58", "EUR 14,894.73"] {
        assert!(letter.text.contains(says) && letter.html.contains(says), "{}", letter.text);
    }
}
