//! How bodies are compressed: codings of HTTP, and ClickHouse's own blocks.

use std::io::{self, Read, Write};

use super::blocks::{BlockReader, block};

/// A coding of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Zstd,
    Lz4,
    Gzip,
    Deflate,
}

/// From the best to the least wanted.
const CODINGS: [(Coding, &str); 4] = [
    (Coding::Zstd, "zstd"),
    (Coding::Lz4, "lz4"),
    (Coding::Gzip, "gzip"),
    (Coding::Deflate, "deflate"),
];

impl Coding {
    pub(super) fn name(self) -> &'static str {
        CODINGS.iter().find(|(coding, _)| *coding == self).map_or("", |(_, name)| name)
    }

    pub(super) fn named(name: &str) -> Option<Coding> {
        let name = name.trim();
        let known = CODINGS.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        known.map(|(coding, _)| *coding)
    }

    /// The best one that is accepted.
    pub(super) fn accepted(header: &str) -> Option<Coding> {
        let accepts = |wanted: &str| {
            header.split(',').any(|part| {
                let mut parts = part.split(';').map(str::trim);
                let is_wanted = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
                is_wanted && parts.all(|quality| !matches!(quality, "q=0" | "q=0.0" | "q=0.00"))
            })
        };
        CODINGS.iter().find(|(_, name)| accepts(name)).map(|(coding, _)| *coding)
    }

    /// What stands in a body of this coding.
    pub(super) fn reader(self, body: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Coding::Zstd => Box::new(zstd::stream::read::Decoder::new(body)?),
            Coding::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(body)),
            Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(body)),
            Coding::Deflate => Box::new(flate2::read::ZlibDecoder::new(body)),
        })
    }
}

/// What stands in a body of ClickHouse's blocks.
pub(super) fn block_reader(body: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    Box::new(BlockReader::new(body))
}

/// Compresses a body as it goes out.
pub(super) enum Encoder {
    Plain,
    Blocks,
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Lz4(Box<lz4_flex::frame::FrameEncoder<Vec<u8>>>),
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Deflate(flate2::write::ZlibEncoder<Vec<u8>>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

impl Encoder {
    pub(super) fn new(coding: Option<Coding>, in_blocks: bool) -> io::Result<Encoder> {
        let fast = flate2::Compression::fast();
        Ok(match coding {
            None if in_blocks => Encoder::Blocks,
            None => Encoder::Plain,
            Some(Coding::Zstd) => Encoder::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 1)?),
            Some(Coding::Lz4) => {
                Encoder::Lz4(Box::new(lz4_flex::frame::FrameEncoder::new(Vec::new())))
            }
            Some(Coding::Gzip) => Encoder::Gzip(flate2::write::GzEncoder::new(Vec::new(), fast)),
            Some(Coding::Deflate) => {
                Encoder::Deflate(flate2::write::ZlibEncoder::new(Vec::new(), fast))
            }
        })
    }

    /// Compresses data, and returns all that can go out.
    pub(super) fn encode(&mut self, data: &[u8]) -> io::Result<Vec<u8>> {
        fn through<W: Write>(
            encoder: &mut W,
            data: &[u8],
            out: impl Fn(&mut W) -> &mut Vec<u8>,
        ) -> io::Result<Vec<u8>> {
            encoder.write_all(data)?;
            encoder.flush()?;
            Ok(std::mem::take(out(encoder)))
        }
        match self {
            Encoder::Plain => Ok(data.to_vec()),
            Encoder::Blocks => block(data),
            Encoder::Zstd(encoder) => through(encoder, data, |encoder| encoder.get_mut()),
            Encoder::Lz4(encoder) => through(&mut **encoder, data, |encoder| encoder.get_mut()),
            Encoder::Gzip(encoder) => through(encoder, data, |encoder| encoder.get_mut()),
            Encoder::Deflate(encoder) => through(encoder, data, |encoder| encoder.get_mut()),
        }
    }

    /// What has to follow the last data.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Plain | Encoder::Blocks => Ok(Vec::new()),
            Encoder::Zstd(encoder) => encoder.finish(),
            Encoder::Lz4(encoder) => encoder.finish().map_err(io::Error::other),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Deflate(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_out_in_a_coding_comes_back() {
        for (coding, name) in CODINGS {
            let mut encoder = Encoder::new(Some(coding), false).unwrap();
            let mut sent = encoder.encode(b"one, ").unwrap();
            assert!(!sent.is_empty(), "{name} keeps back what it has");
            sent.extend(encoder.encode(&[10; 100_000]).unwrap());
            sent.extend(encoder.finish().unwrap());
            let mut back = Vec::new();
            let body: Box<dyn Read + Send> = Box::new(io::Cursor::new(sent));
            coding.reader(body).unwrap().read_to_end(&mut back).unwrap();
            assert_eq!(back, [b"one, ".as_slice(), &[10; 100_000]].concat(), "{name}");
        }
    }

    #[test]
    fn the_best_accepted_coding_is_taken() {
        assert_eq!(Coding::accepted("gzip, deflate, br"), Some(Coding::Gzip));
        assert_eq!(Coding::accepted("gzip, ZSTD;q=0.5"), Some(Coding::Zstd));
        assert_eq!(Coding::accepted("zstd;q=0, lz4"), Some(Coding::Lz4));
        assert_eq!(Coding::accepted("br, identity"), None);
    }
}
