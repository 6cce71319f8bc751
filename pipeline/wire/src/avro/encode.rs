//! Values to Avro, through serde.

use std::fmt::Display;

use serde::ser::{self, Impossible, Serialize};

use super::primitive::{put_bytes, put_long, put_text};

/// A value that Avro, as it is used here, cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("not encodable: {0}")]
pub(super) struct NotEncodable(String);

impl ser::Error for NotEncodable {
    fn custom<T: Display>(message: T) -> Self {
        NotEncodable(message.to_string())
    }
}

/// Encodes a value that the vocabulary declares.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, value);
    bytes
}

/// Appends a value that the vocabulary declares.
///
/// Every declared type is encodable, which a test proves for each of them.
///
/// # Panics
/// If it is not: a worker had better end than commit what nobody can read.
pub fn encode_into<T: Serialize>(to: &mut Vec<u8>, value: &T) {
    if let Err(error) = value.serialize(Encoder(to)) {
        panic!("a declared type is {error}");
    }
}

struct Encoder<'a>(&'a mut Vec<u8>);

/// Items of an array or map: one block, then the end.
struct Items<'a> {
    to: &'a mut Vec<u8>,
}

fn unsupported<T>(what: &str) -> Result<T, NotEncodable> {
    Err(NotEncodable(format!("{what} is not part of the vocabulary")))
}

impl<'a> ser::Serializer for Encoder<'a> {
    type Ok = ();
    type Error = NotEncodable;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Encoder<'a>;
    type SerializeTupleStruct = Encoder<'a>;
    type SerializeTupleVariant = Impossible<(), NotEncodable>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Encoder<'a>;
    type SerializeStructVariant = Impossible<(), NotEncodable>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), NotEncodable> {
        self.0.push(u8::from(value));
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), NotEncodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), NotEncodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), NotEncodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), NotEncodable> {
        put_long(self.0, value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), NotEncodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), NotEncodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), NotEncodable> {
        self.serialize_i64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), NotEncodable> {
        // Two's complement: what is beyond i64 comes back as it was.
        self.serialize_i64(value as i64)
    }

    fn serialize_f32(self, _: f32) -> Result<(), NotEncodable> {
        unsupported("a float")
    }

    fn serialize_f64(self, _: f64) -> Result<(), NotEncodable> {
        unsupported("a float")
    }

    fn serialize_char(self, _: char) -> Result<(), NotEncodable> {
        unsupported("a character")
    }

    fn serialize_str(self, value: &str) -> Result<(), NotEncodable> {
        put_text(self.0, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), NotEncodable> {
        put_bytes(self.0, value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), NotEncodable> {
        self.serialize_i64(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotEncodable> {
        put_long(self.0, 1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotEncodable> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotEncodable> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), NotEncodable> {
        self.serialize_i64(index.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotEncodable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotEncodable> {
        put_long(self.0, index.into());
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'a>, NotEncodable> {
        let Some(len) = len else { return unsupported("a list of unknown length") };
        if len > 0 {
            put_long(self.0, i64::try_from(len).unwrap_or(i64::MAX));
        }
        Ok(Items { to: self.0 })
    }

    fn serialize_tuple(self, _: usize) -> Result<Encoder<'a>, NotEncodable> {
        Ok(self)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Encoder<'a>, NotEncodable> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NotEncodable> {
        unsupported("an enum with fields")
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Items<'a>, NotEncodable> {
        self.serialize_seq(len)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Encoder<'a>, NotEncodable> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, NotEncodable> {
        unsupported("an enum with fields")
    }
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = NotEncodable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotEncodable> {
        value.serialize(Encoder(self.to))
    }

    fn end(self) -> Result<(), NotEncodable> {
        put_long(self.to, 0);
        Ok(())
    }
}

impl ser::SerializeMap for Items<'_> {
    type Ok = ();
    type Error = NotEncodable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotEncodable> {
        key.serialize(Encoder(self.to))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotEncodable> {
        value.serialize(Encoder(self.to))
    }

    fn end(self) -> Result<(), NotEncodable> {
        put_long(self.to, 0);
        Ok(())
    }
}

impl ser::SerializeTuple for Encoder<'_> {
    type Ok = ();
    type Error = NotEncodable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotEncodable> {
        value.serialize(Encoder(self.0))
    }

    fn end(self) -> Result<(), NotEncodable> {
        Ok(())
    }
}

impl ser::SerializeTupleStruct for Encoder<'_> {
    type Ok = ();
    type Error = NotEncodable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotEncodable> {
        value.serialize(Encoder(self.0))
    }

    fn end(self) -> Result<(), NotEncodable> {
        Ok(())
    }
}

impl ser::SerializeStruct for Encoder<'_> {
    type Ok = ();
    type Error = NotEncodable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotEncodable> {
        value.serialize(Encoder(self.0))
    }

    fn end(self) -> Result<(), NotEncodable> {
        Ok(())
    }
}
