//! Values from Avro, through serde.

use std::fmt::Display;

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::primitive::{Cursor, Truncated};

/// The bytes are no value of the expected kind. It is in a box, as every field of every record returns one or a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct NotDecodable(Box<Why>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Truncated(Truncated),
    #[error("{0}")]
    Invalid(String),
    #[error("{0} bytes are left over")]
    LeftOver(usize),
}

impl From<Why> for NotDecodable {
    #[cold]
    fn from(why: Why) -> NotDecodable {
        NotDecodable(Box::new(why))
    }
}

impl From<Truncated> for NotDecodable {
    #[cold]
    fn from(truncated: Truncated) -> NotDecodable {
        Why::Truncated(truncated).into()
    }
}

impl de::Error for NotDecodable {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Why::Invalid(message.to_string()).into()
    }
}

/// Decodes a value that takes all of `bytes`.
pub fn decode<'de, T: de::Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, NotDecodable> {
    let (value, rest) = decode_prefix(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(Why::LeftOver(rest.len()).into()) }
}

/// Decodes a value from the front of `bytes`, and returns what follows it.
pub fn decode_prefix<'de, T: de::Deserialize<'de>>(
    bytes: &'de [u8],
) -> Result<(T, &'de [u8]), NotDecodable> {
    let mut cursor = Cursor::new(bytes);
    let value = T::deserialize(Decoder(&mut cursor))?;
    Ok((value, cursor.rest()))
}

struct Decoder<'a, 'de>(&'a mut Cursor<'de>);

macro_rules! numbers {
    ($($method:ident => $visit:ident as $type:ty),*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
            let value = self.0.long_mostly_a_byte()?;
            let value = <$type>::try_from(value).map_err(|_| Truncated)?;
            visitor.$visit(value)
        }
    )*};
}

macro_rules! unsupported {
    ($($method:ident($($argument:ident: $type:ty),*)),*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* _: V) -> Result<V::Value, NotDecodable> {
            Err(de::Error::custom(concat!(stringify!($method), " is not part of the vocabulary")))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Decoder<'_, 'de> {
    type Error = NotDecodable;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        deserialize_i8 => visit_i8 as i8, deserialize_i16 => visit_i16 as i16,
        deserialize_i32 => visit_i32 as i32, deserialize_i64 => visit_i64 as i64,
        deserialize_u8 => visit_u8 as u8, deserialize_u16 => visit_u16 as u16,
        deserialize_u32 => visit_u32 as u32
    }

    unsupported! {
        deserialize_any(), deserialize_f32(), deserialize_f64(), deserialize_char(),
        deserialize_ignored_any()
    }

    #[inline]
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        visitor.visit_u64(self.0.long_mostly_a_byte()? as u64)
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        match self.0.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(Truncated.into()),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        visitor.visit_borrowed_str(self.0.text()?)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        visitor.visit_borrowed_bytes(self.0.bytes()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        match self.0.long_mostly_a_byte()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(Truncated.into()),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NotDecodable> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NotDecodable> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        visitor.visit_seq(Blocks::begin(self.0)?)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        visitor.visit_map(Blocks::begin(self.0)?)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NotDecodable> {
        visitor.visit_seq(Fields { cursor: self.0, left: fields.len() })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, NotDecodable> {
        visitor.visit_seq(Fields { cursor: self.0, left: len })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, NotDecodable> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NotDecodable> {
        visitor.visit_enum(Case(self.0))
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotDecodable> {
        self.deserialize_u32(visitor)
    }
}

/// The fields of a record, in the order of their declaration.
struct Fields<'a, 'de> {
    cursor: &'a mut Cursor<'de>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Fields<'_, 'de> {
    type Error = NotDecodable;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NotDecodable> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(Decoder(self.cursor)).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The items of an array or map, block by block.
struct Blocks<'a, 'de> {
    cursor: &'a mut Cursor<'de>,
    left: u64,
    done: bool,
}

/// Whoever makes room for a list takes its word for so many items.
const ROOM_MAX: u64 = 1024;

impl<'a, 'de> Blocks<'a, 'de> {
    /// Reads how many items the first block has: a list made from it is given that much room and no more.
    #[inline]
    fn begin(cursor: &'a mut Cursor<'de>) -> Result<Blocks<'a, 'de>, NotDecodable> {
        let left = cursor.block()?;
        Ok(Blocks { cursor, left, done: left == 0 })
    }

    #[inline]
    fn room(&self) -> usize {
        usize::try_from(self.left.min(ROOM_MAX)).unwrap_or(0)
    }

    #[inline]
    fn advance(&mut self) -> Result<bool, NotDecodable> {
        if self.left == 0 && !self.done {
            self.left = self.cursor.block()?;
            self.done = self.left == 0;
        }
        if self.done {
            return Ok(false);
        }
        self.left -= 1;
        Ok(true)
    }
}

impl<'de> de::SeqAccess<'de> for Blocks<'_, 'de> {
    type Error = NotDecodable;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NotDecodable> {
        if !self.advance()? {
            return Ok(None);
        }
        seed.deserialize(Decoder(self.cursor)).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.room())
    }
}

impl<'de> de::MapAccess<'de> for Blocks<'_, 'de> {
    type Error = NotDecodable;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, NotDecodable> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, NotDecodable> {
        seed.deserialize(Decoder(self.cursor))
    }
}

/// Which case of an enum it is, and what the case holds.
struct Case<'a, 'de>(&'a mut Cursor<'de>);

impl<'de> de::EnumAccess<'de> for Case<'_, 'de> {
    type Error = NotDecodable;
    type Variant = Self;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), NotDecodable> {
        let index = u32::try_from(self.0.long_mostly_a_byte()?).map_err(|_| Truncated)?;
        let case = seed.deserialize(IntoDeserializer::<NotDecodable>::into_deserializer(index))?;
        Ok((case, self))
    }
}

impl<'de> de::VariantAccess<'de> for Case<'_, 'de> {
    type Error = NotDecodable;

    #[inline]
    fn unit_variant(self) -> Result<(), NotDecodable> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, NotDecodable> {
        seed.deserialize(Decoder(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, NotDecodable> {
        Err(de::Error::custom("an enum with fields is not part of the vocabulary"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NotDecodable> {
        Err(de::Error::custom("an enum with fields is not part of the vocabulary"))
    }
}
