//! Where usage comes from: a file or standard input, packed or not, in one of the formats.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{columns, container, lines};

const BUFFER_BYTES: usize = 256 * 1024;

/// Shown each record in its canonical form, or why it is none, with its line or number.
pub(super) type Visit<'a> = &'a mut dyn FnMut(u64, Result<&[u8], String>) -> Result<(), NotRead>;

/// Why a file is not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRead {
    /// It is not of its format.
    #[error("{0}")]
    Refused(String),
    #[error("it cannot be read: {0}")]
    Input(#[from] std::io::Error),
    /// Whoever is shown the records wants no more of them.
    #[error("{0:#}")]
    Stopped(anyhow::Error),
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A JSON object a line, plain or a CloudEvent.
    Ndjson,
    /// A header, and a record a line; tags as columns `tag.NAME`.
    Csv,
    /// An object container file of `UsageRecord` (schemas/avro).
    Avro,
}

impl Format {
    /// What a record's place in its file is called.
    pub(super) fn place(self) -> &'static str {
        match self {
            Format::Ndjson | Format::Csv => "line",
            Format::Avro => "record",
        }
    }

    pub(super) fn read(self, input: &mut dyn BufRead, visit: Visit<'_>) -> Result<(), NotRead> {
        match self {
            Format::Ndjson => lines::read(input, visit),
            Format::Csv => columns::read(input, visit),
            Format::Avro => container::read(input, visit),
        }
    }
}

/// An open source.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) input: Box<dyn BufRead>,
    /// How long the file is, where that is known.
    pub(super) bytes: Option<u64>,
    /// How much of it was read.
    pub(super) read: Arc<AtomicU64>,
}

impl Source {
    pub(super) fn open(path: &Path, format: Option<Format>) -> Result<Source, NotRead> {
        let is_standard = path == Path::new("-");
        let (input, bytes): (Box<dyn Read>, _) = match is_standard {
            true => (Box::new(std::io::stdin()), None),
            false => {
                let file = File::open(path)?;
                let about = file.metadata()?;
                if about.is_dir() {
                    let why = "it is a folder; name the files in it";
                    return Err(NotRead::Refused(why.to_owned()));
                }
                // A pipe has no length.
                (Box::new(file), about.is_file().then_some(about.len()))
            }
        };
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { input, read: read.clone() };
        let input = unpacked(BufReader::with_capacity(BUFFER_BYTES, Box::new(counted)))?;
        let name =
            if is_standard { "standard input".to_owned() } else { path.display().to_string() };
        Source::told(name, path, format, input, bytes, read)
    }

    fn told(
        name: String,
        path: &Path,
        format: Option<Format>,
        mut input: Box<dyn BufRead>,
        bytes: Option<u64>,
        read: Arc<AtomicU64>,
    ) -> Result<Source, NotRead> {
        let format = match format {
            Some(format) => format,
            None => told_by(path, input.fill_buf()?)?,
        };
        Ok(Source { name, format, input, bytes, read })
    }
}

/// The format by the name of a file, else by its first bytes.
fn told_by(path: &Path, first: &[u8]) -> Result<Format, NotRead> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".ndjson", ".jsonl", ".json"]) {
        return Ok(Format::Ndjson);
    }
    if ends(&[".csv", ".tsv"]) {
        return Ok(Format::Csv);
    }
    if ends(&[".avro"]) || first.starts_with(&container::MAGIC) {
        return Ok(Format::Avro);
    }
    if ends(&[".parquet"]) {
        let why = "Parquet is not read yet; write it as Avro, CSV or NDJSON";
        return Err(NotRead::Refused(why.to_owned()));
    }
    match first.trim_ascii_start().first() {
        Some(b'{') | None => Ok(Format::Ndjson),
        Some(_) => {
            let why = "its format cannot be told; say --format ndjson, csv or avro";
            Err(NotRead::Refused(why.to_owned()))
        }
    }
}

/// What gzip and zstd have packed is unpacked; they are known by their first bytes.
fn unpacked(mut input: BufReader<Box<dyn Read>>) -> Result<Box<dyn BufRead>, NotRead> {
    let first = input.fill_buf()?;
    let buffered = |input: Box<dyn Read>| Box::new(BufReader::with_capacity(BUFFER_BYTES, input));
    if first.starts_with(&[0x1F, 0x8B]) {
        return Ok(buffered(Box::new(flate2::bufread::MultiGzDecoder::new(input))));
    }
    if first.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) {
        return Ok(buffered(Box::new(zstd::stream::read::Decoder::with_buffer(input)?)));
    }
    Ok(Box::new(input))
}

/// Counts what is read.
struct Counted {
    input: Box<dyn Read>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(to)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
