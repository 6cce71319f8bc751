//! What makes documents of invoices. The console is told how, so that it need not be built with all that
//! this takes.

use std::fmt;
use std::sync::Arc;

use drawdown_domain::invoices::Invoice;

type Print = dyn Fn(&Invoice, Form) -> Result<Vec<u8>, String> + Send + Sync;

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
        print: impl Fn(&Invoice, Form) -> Result<Vec<u8>, String> + Send + Sync + 'static,
    ) -> Printer {
        Printer(Arc::new(print))
    }

    pub(crate) fn print(&self, invoice: &Invoice, form: Form) -> Result<Vec<u8>, String> {
        (self.0)(invoice, form)
    }
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Printer")
    }
}
