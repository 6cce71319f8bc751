//! What makes PDFs. The console is told how, so that it need not be built with all that this takes.

use std::fmt;
use std::sync::Arc;

use drawdown_domain::invoices::Invoice;

type Print = dyn Fn(&Invoice) -> Result<Vec<u8>, String> + Send + Sync;

/// Makes a PDF of an invoice, or says why it cannot.
#[derive(Clone)]
pub struct Printer(Arc<Print>);

impl Printer {
    pub fn new(
        print: impl Fn(&Invoice) -> Result<Vec<u8>, String> + Send + Sync + 'static,
    ) -> Printer {
        Printer(Arc::new(print))
    }

    pub(crate) fn print(&self, invoice: &Invoice) -> Result<Vec<u8>, String> {
        (self.0)(invoice)
    }
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Printer")
    }
}
