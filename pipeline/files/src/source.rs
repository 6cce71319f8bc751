//! Where usage comes from: a file or standard input, packed or not, in one of the formats.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::parquet::Blocks;
use crate::{NotRead, Visit, avro, csv, ndjson, parquet};

const BUFFER_BYTES: usize = 256 * 1024;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A JSON object a line, plain or a CloudEvent.
    Ndjson,
    /// A header, and a record a line; tags as columns `tag.NAME`.
    Csv,
    /// An object container file of `UsageRecord` (schemas/avro).
    Avro,
    /// A column for each field; tags as columns `tag.NAME`, or as a map called `tags`.
    Parquet,
}

/// An open source.
#[derive(Debug)]
pub struct Source {
    pub name: String,
    /// How long the file is, where that is known.
    pub bytes: Option<u64>,
    /// How much of it was read.
    pub read: Arc<AtomicU64>,
    format: Format,
    input: Input,
}

enum Input {
    Stream(Box<dyn BufRead>),
    Blocks(Blocks),
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Input::Stream(_) => "Stream",
            Input::Blocks(_) => "Blocks",
        })
    }
}

impl Source {
    /// A file, or standard input for `-`; its format is told by its name or its first bytes unless given.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Source, NotRead> {
        let read = Arc::new(AtomicU64::new(0));
        if path == Path::new("-") {
            let input = Counted { input: Box::new(std::io::stdin()), read: read.clone() };
            let (format, input) = stream(input, format, "")?;
            return Ok(Source {
                name: "standard input".to_owned(),
                bytes: None,
                read,
                format,
                input,
            });
        }
        let file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            let why = "it is a folder; name the files in it";
            return Err(NotRead::Refused(why.to_owned()));
        }
        // A pipe has no length.
        let bytes = about.is_file().then_some(about.len());
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_parquet = match format {
            Some(format) => format == Format::Parquet,
            None => {
                let is_named_so = name.ends_with(".parquet");
                is_named_so || (bytes.is_some() && begins_with(&file, &parquet::MAGIC)?)
            }
        };
        let (format, input) = match bytes {
            Some(bytes) if is_parquet => {
                (Format::Parquet, Input::Blocks(Blocks::new(file, bytes, read.clone())))
            }
            _ => stream(Counted { input: Box::new(file), read: read.clone() }, format, &name)?,
        };
        Ok(Source { name: path.display().to_string(), bytes, read, format, input })
    }

    /// What a record's place is called.
    pub fn place(&self) -> &'static str {
        match self.format {
            Format::Ndjson | Format::Csv => "line",
            Format::Avro | Format::Parquet => "record",
        }
    }

    /// Shows every record.
    pub fn read(self, visit: Visit<'_>) -> Result<(), NotRead> {
        match (self.input, self.format) {
            (Input::Blocks(blocks), _) => parquet::read(blocks, visit),
            (Input::Stream(mut input), Format::Csv) => csv::read(&mut *input, visit),
            (Input::Stream(mut input), Format::Avro) => avro::read(&mut *input, visit),
            (Input::Stream(mut input), _) => ndjson::read(&mut *input, visit),
        }
    }
}

/// Looks at the first bytes, and goes back.
fn begins_with(mut file: &File, magic: &[u8]) -> Result<bool, NotRead> {
    use std::io::{Seek, SeekFrom};

    let mut first = Vec::with_capacity(magic.len());
    file.take(magic.len() as u64).read_to_end(&mut first)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(first == magic)
}

/// What is read from its beginning to its end, once.
fn stream(input: Counted, format: Option<Format>, name: &str) -> Result<(Format, Input), NotRead> {
    let mut input = unpacked(BufReader::with_capacity(BUFFER_BYTES, Box::new(input)))?;
    let format = match format {
        Some(format) => format,
        None => told_by(name, input.fill_buf()?)?,
    };
    if format == Format::Parquet {
        let why = "Parquet is read from its end: it must be a file that is neither a pipe nor packed as a whole";
        return Err(NotRead::Refused(why.to_owned()));
    }
    Ok((format, Input::Stream(input)))
}

/// The format by the name of a file, else by its first bytes.
fn told_by(name: &str, first: &[u8]) -> Result<Format, NotRead> {
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".ndjson", ".jsonl", ".json"]) {
        return Ok(Format::Ndjson);
    }
    if ends(&[".csv", ".tsv"]) {
        return Ok(Format::Csv);
    }
    if ends(&[".avro"]) || first.starts_with(&avro::MAGIC) {
        return Ok(Format::Avro);
    }
    if name.ends_with(".parquet") || first.starts_with(&parquet::MAGIC) {
        return Ok(Format::Parquet);
    }
    match first.trim_ascii_start().first() {
        Some(b'{') | None => Ok(Format::Ndjson),
        Some(_) => {
            let why = "its format cannot be told; say --format ndjson, csv, avro or parquet";
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
