//! Avro's binary encoding.
//!
//! Everything that is declared in the domain's vocabulary is encoded through serde, field by field in
//! the order of its declaration; the schemas in `schemas/avro` are made from the same declarations
//! and a test holds them together. What must be fast is written by hand on the same primitives.

mod decode;
mod encode;
mod primitive;
mod resolve;
mod schema;
mod types;

pub use decode::{NotDecodable, decode, decode_prefix};
pub use encode::{encode, encode_into};
pub use primitive::{Cursor, Truncated, put_bytes, put_decimal, put_long, put_text};
pub use resolve::{NotResolved, Plan};
pub use schema::{Fingerprint, LATER_SYMBOL, Symbols, fingerprint, schema_of};
pub use types::NotASchema;

/// The first bytes of Avro's single-object encoding, before the schema's fingerprint.
pub const SINGLE_OBJECT: [u8; 2] = [0xC3, 0x01];
/// Their length together with the fingerprint.
pub const SINGLE_OBJECT_HEADER_BYTES: usize = 10;

/// Begins a single object: what follows is the value itself.
pub fn put_header(to: &mut Vec<u8>, fingerprint: Fingerprint) {
    to.extend_from_slice(&SINGLE_OBJECT);
    to.extend_from_slice(&fingerprint.0.to_le_bytes());
}

/// Splits a single object into its schema's fingerprint and its value.
pub fn split_header(bytes: &[u8]) -> Option<(Fingerprint, &[u8])> {
    let rest = bytes.strip_prefix(&SINGLE_OBJECT)?;
    let (fingerprint, value) = rest.split_first_chunk::<8>()?;
    Some((Fingerprint(u64::from_le_bytes(*fingerprint)), value))
}
