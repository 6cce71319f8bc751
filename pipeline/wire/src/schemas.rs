//! Every schema: what it is called, what it describes, and its fingerprint.

use std::sync::LazyLock;

use drawdown_domain::vocabulary::{Described, Shape};
use serde_json::Value;

use crate::avro::{self, Fingerprint, schema_of};
use crate::{messages, usage};

/// A schema that messages on a topic have.
#[derive(Debug)]
pub struct Schema {
    pub name: &'static str,
    shape: fn() -> Shape,
    fingerprint: LazyLock<Fingerprint, fn() -> Fingerprint>,
}

macro_rules! schemas {
    ($($constant:ident = $name:literal: $shape:expr;)*) => {
        $(pub static $constant: Schema = Schema {
            name: $name,
            shape: $shape,
            fingerprint: LazyLock::new(|| avro::fingerprint(&schema_of($name, &($shape)()))),
        };)*

        /// Every schema there is.
        pub static ALL: &[&Schema] = &[$(&$constant),*];
    };
}

schemas! {
    USAGE_RECORD = "UsageRecord": usage::record_shape;
    USAGE_BATCH = "UsageBatch": usage::packed_shape;
    USAGE_CONTROL = "UsageControl": one::<messages::UsageControl>;
    COMMAND = "Command": messages::CommandMessage::shape;
    COMMAND_CONTROL = "CommandControl": one::<messages::CommandControl>;
    SIGNED = "Signed": messages::Signed::shape;
    LEDGER = "LedgerMessage": messages::LedgerMessage::shape;
    OUTCOMES = "Outcomes": messages::Outcomes::shape;
    CHARGES = "Charges": messages::Charges::shape;
    ENTRIES = "Entries": messages::Entries::shape;
    BILLS = "Bills": messages::Bills::shape;
    BALANCES = "Balances": messages::Balances::shape;
    REJECTS = "Rejects": messages::Rejects::shape;
    DECIDED = "Decided": messages::Decided::shape;
}

/// A choice stands in a record of one field, so that the schema has a name.
fn one<T: Described>() -> Shape {
    use drawdown_domain::vocabulary::{Field, Record};
    Shape::Record(Record {
        name: "Control",
        doc: String::new(),
        fields: vec![Field { name: "control", doc: String::new(), shape: T::shape() }],
    })
}

impl Schema {
    pub fn shape(&self) -> Shape {
        (self.shape)()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        *self.fingerprint
    }

    /// The schema as it stands in `schemas/avro`.
    pub fn json(&self) -> Value {
        schema_of(self.name, &self.shape())
    }

    /// A message of this schema.
    pub fn message<T: serde::Serialize>(&self, value: &T) -> Vec<u8> {
        let mut message = Vec::with_capacity(128);
        avro::put_header(&mut message, self.fingerprint());
        avro::encode_into(&mut message, value);
        message
    }
}
