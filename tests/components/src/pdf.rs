//! What a PDF says, as poppler reads it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::tally::{self, Component, Counts};

/// The text of a PDF, laid out as its pages are.
pub fn pdf_text(file: &Path) -> anyhow::Result<String> {
    let instance = file.display().to_string();
    tally::met(Component::Pdf, &instance);
    let output = Command::new("pdftotext")
        .args(["-layout", "-enc", "UTF-8"])
        .arg(file)
        .arg("-")
        .output()
        .context("pdftotext is missing; `make prepare` installs it")?;
    if !output.status.success() {
        bail!("{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    // It ends each page with a form feed.
    let pages = text.matches('\u{c}').count() as u64;
    tally::counted(Component::Pdf, &instance, Ok(Counts::from([("pages".to_owned(), pages)])));
    Ok(text)
}
