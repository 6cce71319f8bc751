//! ClickHouse's own compressed blocks, as `compress=1` and `decompress=1` have them: a checksum of 16
//! bytes, the method, both lengths, and the data.

use std::io::{self, ErrorKind, Read};

const CHECKSUM: usize = 16;
const HEADER: usize = 9;
const LZ4: u8 = 0x82;
const ZSTD: u8 = 0x90;
const NONE: u8 = 0x02;
/// A block holds no more, either way.
const BLOCK_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The halves of the hash stand the other way round than the function has them.
fn checksum(block: &[u8]) -> [u8; CHECKSUM] {
    cityhash_rs::cityhash_102_128(block).rotate_right(64).to_le_bytes()
}

/// Data as one block of LZ4.
pub(super) fn block(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut block =
        vec![0; CHECKSUM + HEADER + lz4_flex::block::get_maximum_output_size(data.len())];
    let compressed = lz4_flex::block::compress_into(data, &mut block[CHECKSUM + HEADER..])
        .map_err(io::Error::other)?;
    block.truncate(CHECKSUM + HEADER + compressed);
    let length = |bytes: usize| u32::try_from(bytes).map_err(io::Error::other);
    block[CHECKSUM] = LZ4;
    block[CHECKSUM + 1..][..4].copy_from_slice(&length(HEADER + compressed)?.to_le_bytes());
    block[CHECKSUM + 5..][..4].copy_from_slice(&length(data.len())?.to_le_bytes());
    let sum = checksum(&block[CHECKSUM..]);
    block[..CHECKSUM].copy_from_slice(&sum);
    Ok(block)
}

/// What blocks hold, one after the other.
#[derive(Debug)]
pub(super) struct BlockReader<R> {
    inner: R,
    data: Vec<u8>,
    taken: usize,
}

impl<R: Read> BlockReader<R> {
    pub(super) fn new(inner: R) -> BlockReader<R> {
        BlockReader { inner, data: Vec::new(), taken: 0 }
    }

    /// Reads the next block; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        let mut head = [0; CHECKSUM + HEADER];
        let mut filled = 0;
        while filled < head.len() {
            match self.inner.read(&mut head[filled..])? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        let (sum, header) = head.split_at(CHECKSUM);
        let length = |from: usize| -> usize {
            let bytes = header[from..from + 4].try_into().unwrap_or_default();
            usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let (compressed, original) = (length(1), length(5));
        if !(HEADER..=BLOCK_BYTES_MAX).contains(&compressed) || original > BLOCK_BYTES_MAX {
            return Err(invalid("a compressed block has an impossible length"));
        }
        let mut block = vec![0; compressed];
        block[..HEADER].copy_from_slice(header);
        self.inner.read_exact(&mut block[HEADER..])?;
        if checksum(&block) != *sum {
            return Err(invalid("a compressed block does not match its checksum"));
        }
        let data = &block[HEADER..];
        self.data = match header[0] {
            LZ4 => lz4_flex::block::decompress(data, original).map_err(invalid)?,
            ZSTD => zstd::bulk::decompress(data, original)?,
            NONE => data.to_vec(),
            other => return Err(invalid(format!("compression method {other:#x} is not known"))),
        };
        if self.data.len() != original {
            return Err(invalid("a compressed block has another length than it says"));
        }
        self.taken = 0;
        Ok(true)
    }
}

impl<R: Read> Read for BlockReader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.data.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let read = (&self.data[self.taken..]).read(to)?;
        self.taken += read;
        Ok(read)
    }
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(blocks: &[u8]) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        BlockReader::new(blocks).read_to_end(&mut data).map(|_| data)
    }

    #[test]
    fn blocks_come_back_as_they_were() {
        let long: Vec<u8> =
            (0..200_000u32).flat_map(|number| (number % 977).to_le_bytes()).collect();
        let mut blocks = block(&long).unwrap();
        blocks.extend(block(b"").unwrap());
        blocks.extend(block(b"\n\n").unwrap());
        assert_eq!(read(&blocks).unwrap(), [long.as_slice(), b"\n\n"].concat());
        assert_eq!(read(b"").unwrap(), b"");
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let good = block(b"some rows, some rows, some rows").unwrap();
        for place in 0..good.len() {
            let mut flipped = good.clone();
            flipped[place] ^= 1;
            assert!(read(&flipped).is_err(), "{place}");
        }
        for length in 1..good.len() {
            assert!(read(&good[..length]).is_err(), "{length}");
        }
    }
}
