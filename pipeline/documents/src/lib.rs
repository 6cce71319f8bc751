//! Invoices as people and programs read them: an issued invoice and fonts in, a PDF out, and the same bytes
//! each time; without fonts, an e-invoice (R12.3, R12.7).
//!
//! What stands on it is decided here, in `figures`; where it stands, in `invoice.typ`. Nothing is read but
//! the fonts, and those once.

mod e_invoice;
mod figures;
mod fonts;
mod labels;
mod language;
mod world;

use std::sync::Arc;

use drawdown_domain::invoices::Invoice;
use drawdown_domain::money::Overflow;

pub use e_invoice::e_invoice;
pub use figures::{PaidSoFar, Settled};
pub use fonts::{FOLDERS, Fonts, NoFonts};
pub use labels::Labels;
pub use language::Language;

use figures::Figures;

/// Makes documents. Clones share the fonts.
#[derive(Clone, Debug)]
pub struct Press(Arc<world::Shared>);

/// A document cannot be made: an error of ours, as any invoice can be.
#[derive(Debug, thiserror::Error)]
pub enum NoDocument {
    #[error("what stands on it adds up to too much")]
    Overflow(#[from] Overflow),
    #[error("what stands on it cannot be written: {0}")]
    Unwritten(#[from] serde_json::Error),
    #[error("it cannot be set: {0}")]
    Unset(String),
}

impl Press {
    pub fn new(fonts: Fonts) -> Press {
        Press(Arc::new(world::Shared::new(fonts)))
    }

    /// An invoice as a PDF, as it was issued: the same each time.
    pub fn invoice(&self, invoice: &Invoice) -> Result<Vec<u8>, NoDocument> {
        self.set(invoice, None)
    }

    /// The same, and what is paid of it.
    pub fn invoice_with(&self, invoice: &Invoice, paid: PaidSoFar) -> Result<Vec<u8>, NoDocument> {
        self.set(invoice, Some(paid))
    }

    fn set(&self, invoice: &Invoice, paid: Option<PaidSoFar>) -> Result<Vec<u8>, NoDocument> {
        let figures = serde_json::to_vec(&Figures::of(invoice, paid)?)?;
        self.0.set(figures, &invoice.number)
    }
}

/// What an invoice is called in its language: an invoice or a credit note.
pub fn title(invoice: &Invoice) -> &'static str {
    figures::title(invoice, Language::of(invoice))
}

/// The period of an invoice, from its first day to its last.
pub fn period(invoice: &Invoice) -> String {
    figures::period(invoice, Language::of(invoice))
}

/// What an invoice comes to in the currency it is settled in, if that is another one.
pub fn settled(invoice: &Invoice) -> Option<Settled> {
    figures::settled(invoice, Language::of(invoice))
}
