//! All that typesetting may know: one template, the figures of one invoice, and fonts. There are no
//! packages, no files and no clock.

use std::fmt;

use typst::comemo;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::syntax::{FileId, Source};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, pdf};

use crate::NoDocument;
use crate::fonts::Fonts;

const TEMPLATE: &str = include_str!("invoice.typ");
/// What the template calls the figures.
const FIGURES: &str = "figures.json";
/// What typesetting remembers and so many documents have not asked for again is forgotten.
const REMEMBERED_FOR: usize = 8;

/// What all documents share.
pub(crate) struct Shared {
    library: LazyHash<Library>,
    fonts: Fonts,
    template: Source,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({:?})", self.fonts)
    }
}

/// One document's world.
struct OneInvoice<'a> {
    shared: &'a Shared,
    figures: Bytes,
}

impl Shared {
    pub(crate) fn new(fonts: Fonts) -> Shared {
        let library = LazyHash::new(Library::default());
        Shared { library, fonts, template: Source::detached(TEMPLATE) }
    }

    /// Sets figures as pages, and writes those as a PDF that is the same wherever and whenever it is made.
    pub(crate) fn set(&self, figures: Vec<u8>, name: &str) -> Result<Vec<u8>, NoDocument> {
        let world = OneInvoice { shared: self, figures: Bytes::new(figures) };
        // Kept for decades (PDF/A), and readable by whoever cannot see it, as its parts are marked. A name
        // with a sign that no font has is no reason to have no invoice: it is then an ordinary PDF.
        let (archival, ordinary) = (options(name, &[PdfStandard::A_3a])?, options(name, &[])?);
        let set = typst::compile::<PagedDocument>(&world).output;
        let written = set
            .and_then(|document| pdf(&document, &archival).or_else(|_| pdf(&document, &ordinary)));
        comemo::evict(REMEMBERED_FOR);
        written.map_err(|errors| NoDocument::Unset(said(&errors)))
    }
}

fn options(name: &str, standards: &[PdfStandard]) -> Result<PdfOptions, NoDocument> {
    let standards = PdfStandards::new(standards);
    Ok(PdfOptions {
        ident: Smart::Custom(name.to_owned()),
        creator: Smart::Custom(Some("drawdown".to_owned())),
        standards: standards.map_err(|error| NoDocument::Unset(error.message().to_string()))?,
        ..PdfOptions::default()
    })
}

fn said(errors: &[SourceDiagnostic]) -> String {
    let said: Vec<String> = errors.iter().map(|error| error.message.to_string()).collect();
    said.join("; ")
}

impl World for OneInvoice<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &self.shared.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.shared.fonts.book
    }

    fn main(&self) -> FileId {
        self.shared.template.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main() { Ok(self.shared.template.clone()) } else { Err(missing(id)) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        match id.vpath().get_without_slash() {
            FIGURES => Ok(self.figures.clone()),
            _ => Err(missing(id)),
        }
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.shared.fonts.fonts.get(index).cloned()
    }

    /// Every day that is written stands in the figures.
    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

fn missing(id: FileId) -> FileError {
    FileError::NotFound(id.vpath().get_without_slash().into())
}
