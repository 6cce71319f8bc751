//! What makes documents of invoices. The console is told how, so that it need not be built with all that
//! this takes.

use std::fmt;
use std::sync::Arc;

use drawdown_domain::invoices::Invoice;
use drawdown_domain::money::Amount;
use drawdown_domain::time::Timestamp;

type Print = dyn Fn(&Invoice, Form, Option<PaidSoFar>) -> Result<Vec<u8>, String> + Send + Sync;

/// What of an invoice is paid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidSoFar {
    pub paid: Amount,
    pub open: Amount,
    pub at: Timestamp,
}

/// What an invoice is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Pdf,
    /// The e-invoice.
    Xml,
}

impl Form {
    pub(crate) const ALL: [Form; 2] = [Form::Pdf, Form::Xml];

    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Form::Pdf => ".pdf",
            Form::Xml => ".xml",
        }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Form::Pdf => "application/pdf",
            Form::Xml => "application/xml",
        }
    }
}

/// Makes a document of an invoice, or says why it cannot.
#[derive(Clone)]
pub struct Printer(Arc<Print>);

impl Printer {
    pub fn new(
        print: impl Fn(&Invoice, Form, Option<PaidSoFar>) -> Result<Vec<u8>, String>
        + Send
        + Sync
        + 'static,
    ) -> Printer {
        Printer(Arc::new(print))
    }

    pub(crate) fn print(
        &self,
        invoice: &Invoice,
        form: Form,
        paid: Option<PaidSoFar>,
    ) -> Result<Vec<u8>, String> {
        (self.0)(invoice, form, paid)
    }
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Printer")
    }
}
