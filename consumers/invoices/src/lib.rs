//! INVOICES: brings issued invoices to people by mail, as PDFs and e-invoices (R12.7).
//!
//! It decides nothing: an invoice on the topic is issued, and says who gets it. It is one mail for each of
//! its recipients, whose Message-ID follows from its number, and the same PDF however often it is made.

mod letter;

use drawdown_documents::{Press, e_invoice};
use drawdown_domain::invoices::Invoice;
use drawdown_domain::notices::NoticeKind;
use drawdown_ports::mail::Letter;
use drawdown_post::{Addressed, Letters, each_once};
use drawdown_runtime::errands::Wanted;
use drawdown_wire::messages::Invoices as Issued;
use drawdown_wire::schemas::{self, Unreadable};

pub use letter::{Documents, letter};

/// What invoices are made with.
#[derive(Clone, Debug)]
pub struct Invoices {
    press: Press,
}

impl Invoices {
    pub fn new(press: Press) -> Invoices {
        Invoices { press }
    }
}

impl Letters for Invoices {
    /// An invoice with one recipient.
    type Wish = Invoice;

    fn wishes(&self, message: &[u8]) -> Result<Vec<Wanted<Invoice>>, Unreadable> {
        let Issued { invoices } = schemas::INVOICES.read(message)?;
        let mut wanted = Vec::new();
        for invoice in invoices {
            for (place, recipient) in each_once(&invoice.recipients) {
                let wish = Invoice { recipients: vec![recipient.clone()], ..invoice.clone() };
                wanted.push(Wanted {
                    key: format!("{}.{place}", invoice.number),
                    at: invoice.issued_at,
                    message: schemas::INVOICES.message(&Issued { invoices: vec![wish.clone()] }),
                    wish,
                });
            }
        }
        Ok(wanted)
    }

    fn addressed(&self, invoice: &Invoice) -> Addressed {
        Addressed {
            to: invoice.recipients.first().cloned().unwrap_or_default(),
            kind: NoticeKind::Invoice,
            billing_account: invoice.billing_account.clone(),
        }
    }

    /// Making a PDF takes a processor for some milliseconds, so it is made beside: letters that are on
    /// their way do not wait for it.
    async fn write(&self, invoice: &Invoice, message_id: String) -> Result<Letter, String> {
        let (press, invoice) = (self.press.clone(), invoice.clone());
        let written = tokio::task::spawn_blocking(move || {
            let pdf = press.invoice(&invoice).map_err(|error| error.to_string())?;
            let xml = e_invoice(&invoice).map_err(|error| error.to_string())?;
            letter(&invoice, Documents { pdf, xml }, message_id).map_err(|error| error.to_string())
        });
        written.await.map_err(|error| error.to_string())?
    }
}
