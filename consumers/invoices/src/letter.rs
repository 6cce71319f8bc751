//! What the mail says that brings an invoice: in the invoice's language, and the figures that people look
//! for first.

use askama::Template;
use drawdown_documents::{Labels, Language};
use drawdown_domain::invoices::Invoice;
use drawdown_domain::money::Amount;
use drawdown_ports::mail::{Attachment, Letter};

/// All that the mail shows.
struct Words {
    language: Language,
    labels: &'static Labels,
    /// `Invoice SG-2026-000001`.
    heading: String,
    billing_account: String,
    customer: String,
    intro: String,
    /// Words and figures, in the order of the invoice.
    rows: Vec<(&'static str, String)>,
    total: String,
    why: String,
}

/// A mail as a text.
#[derive(Template)]
#[template(path = "invoice.txt")]
struct Text<'a> {
    words: &'a Words,
}

/// A mail as a page.
#[derive(Template)]
#[template(path = "invoice.html")]
struct Html<'a> {
    words: &'a Words,
}

/// An invoice as it is attached.
#[derive(Clone, Debug)]
pub struct Documents {
    pub pdf: Vec<u8>,
    pub xml: String,
}

/// The letter that brings an invoice to its one recipient.
pub fn letter(
    invoice: &Invoice,
    documents: Documents,
    message_id: String,
) -> askama::Result<Letter> {
    let attachment = |ending: &str, media_type: &str, content: Vec<u8>| Attachment {
        name: format!("{}.{ending}", invoice.number),
        media_type: media_type.to_owned(),
        content,
    };
    let recipient = invoice.recipients.first().map_or("", |recipient| recipient.as_str());
    let words = Words::of(invoice, recipient);
    Ok(Letter {
        message_id,
        to: recipient.to_owned(),
        subject: format!("{} ({})", words.heading, words.billing_account),
        text: Text { words: &words }.render()?,
        html: Html { words: &words }.render()?,
        at: invoice.issued_at,
        attachments: vec![
            attachment("pdf", "application/pdf", documents.pdf),
            attachment("xml", "application/xml", documents.xml.into_bytes()),
        ],
    })
}

impl Words {
    fn of(invoice: &Invoice, recipient: &str) -> Words {
        let language = Language::of(invoice);
        let (labels, account) = (Labels::of(language), invoice.billing_account.as_str());
        let (document, period) =
            (drawdown_documents::title(invoice), drawdown_documents::period(invoice));
        let money = |amount: Amount| {
            format!("{} {}", invoice.currency, language.money(amount, invoice.currency))
        };
        let mut rows = vec![
            (labels.period, period.clone()),
            (labels.net, money(invoice.net)),
            (labels.tax, money(invoice.tax)),
        ];
        if let Some(settled) = drawdown_documents::settled(invoice) {
            rows.extend([
                (labels.exchange_rate, settled.rate),
                (labels.net, settled.net),
                (labels.tax, settled.tax),
                (labels.total, settled.total),
            ]);
        }
        let intro = labels.letter.replace("{document}", document).replace("{account}", account);
        Words {
            language,
            labels,
            heading: format!("{document} {}", invoice.number),
            billing_account: account.to_owned(),
            customer: invoice.enterprise_name.to_string(),
            intro: intro.replace("{period}", &period),
            rows,
            total: money(invoice.total),
            why: labels.letter_why.replace("{recipient}", recipient).replace("{account}", account),
        }
    }

    fn direction(&self) -> &'static str {
        if self.language.is_right_to_left() { "rtl" } else { "ltr" }
    }
}
