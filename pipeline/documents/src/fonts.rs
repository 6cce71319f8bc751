//! The fonts: Noto, which has a sign for every script, as files of the machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use typst::foundations::Bytes;
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;

/// Where Debian's packages put them.
pub const FOLDERS: [&str; 2] = ["/usr/share/fonts/truetype/noto", "/usr/share/fonts/opentype/noto"];

/// What every invoice needs, and which package of Debian has it. Other scripts come from whatever fonts
/// lie beside these.
const NEEDED: [(&str, &str); 5] = [
    ("Noto Sans", "fonts-noto-core"),
    ("Noto Sans Arabic", "fonts-noto-core"),
    ("Noto Sans CJK SC", "fonts-noto-cjk"),
    ("Noto Sans CJK TC", "fonts-noto-cjk"),
    ("Noto Sans CJK JP", "fonts-noto-cjk"),
];

/// Fonts of a machine, in an order that only their names decide.
pub struct Fonts {
    pub(crate) book: LazyHash<FontBook>,
    pub(crate) fonts: Vec<Font>,
}

/// There are no fonts to write with.
#[derive(Debug, thiserror::Error)]
pub enum NoFonts {
    #[error(
        "the font {family} is in none of {folders}; Debian's package {package} has it (`make prepare` installs it), or set documents.fonts to where it is"
    )]
    Missing { family: &'static str, package: &'static str, folders: String },
    #[error("{}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fonts({})", self.fonts.len())
    }
}

impl Fonts {
    /// Reads all that is of use in some folders and those in them.
    pub fn find(folders: &[PathBuf]) -> Result<Fonts, NoFonts> {
        let mut files = BTreeSet::new();
        for folder in folders {
            collect(folder, &mut files)?;
        }
        let mut fonts = Vec::new();
        for (_, path) in files {
            let read = fs::read(&path);
            let bytes = read.map_err(|error| NoFonts::Unreadable { path, error })?;
            let of_use = |font: &Font| !font.info().family.contains("Mono");
            fonts.extend(Font::iter(Bytes::new(bytes)).filter(of_use));
        }
        let book = FontBook::from_fonts(&fonts);
        for (family, package) in NEEDED {
            if !book.contains_family(&family.to_lowercase()) {
                let folders: Vec<String> =
                    folders.iter().map(|folder| folder.display().to_string()).collect();
                return Err(NoFonts::Missing { family, package, folders: folders.join(", ") });
            }
        }
        Ok(Fonts { book: LazyHash::new(book), fonts })
    }
}

/// The files of a folder and those in it, by their names. A folder that is not there has none.
fn collect(folder: &Path, files: &mut BTreeSet<(String, PathBuf)>) -> Result<(), NoFonts> {
    let unreadable = |error| NoFonts::Unreadable { path: folder.to_owned(), error };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(unreadable)?,
    };
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && is_of_use(name)
        {
            files.insert((name.to_owned(), path));
        }
    }
    Ok(())
}

/// Sans, regular and bold; a script of which there is only a serif is written in that.
fn is_of_use(file: &str) -> bool {
    let Some((name, extension)) = file.rsplit_once('.') else { return false };
    let Some((family, weight)) = name.rsplit_once('-') else { return false };
    let is_sans = family.starts_with("NotoSans") || family == "NotoSerifTibetan";
    is_sans
        && matches!(weight, "Regular" | "Bold")
        && matches!(extension, "ttf" | "ttc" | "otf")
        && !family.starts_with("NotoSansTifinagh")
        && !family.ends_with("Display")
}
