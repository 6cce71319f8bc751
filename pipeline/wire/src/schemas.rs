//! Every schema: what it is called, what it describes, and its fingerprint.

use std::sync::LazyLock;

use drawdown_domain::vocabulary::{Described, Shape};
use serde_json::Value;

use crate::avro::{self, Fingerprint, Symbols, schema_of};
use crate::{messages, usage};

/// Who has to do with the messages of a schema, beside our own consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Nobody.
    Ours,
    /// Others write them, perhaps still with the schema of an older version.
    Writers,
    /// Others read them, perhaps still with the schema of an older version.
    Readers,
}

impl Audience {
    const fn symbols(self) -> Symbols {
        match self {
            Audience::Ours | Audience::Writers => Symbols::Closed,
            Audience::Readers => Symbols::Open,
        }
    }
}

/// A schema that messages on a topic have.
#[derive(Debug)]
pub struct Schema {
    pub name: &'static str,
    pub audience: Audience,
    shape: fn() -> Shape,
    fingerprint: LazyLock<Fingerprint, fn() -> Fingerprint>,
}

macro_rules! schemas {
    ($($constant:ident = $name:literal for $audience:ident: $shape:expr;)*) => {
        $(pub static $constant: Schema = Schema {
            name: $name,
            audience: Audience::$audience,
            shape: $shape,
            fingerprint: LazyLock::new(|| avro::fingerprint(&$constant.json())),
        };)*

        /// Every schema there is.
        pub static ALL: &[&Schema] = &[$(&$constant),*];
    };
}

schemas! {
    USAGE_RECORD = "UsageRecord" for Writers: usage::record_shape;
    USAGE_BATCH = "UsageBatch" for Writers: usage::packed_shape;
    USAGE_CONTROL = "UsageControl" for Ours: one::<messages::UsageControl>;
    COMMAND = "Command" for Writers: messages::CommandMessage::shape;
    COMMAND_CONTROL = "CommandControl" for Ours: one::<messages::CommandControl>;
    SIGNED = "Signed" for Ours: messages::Signed::shape;
    LEDGER = "LedgerMessage" for Ours: messages::LedgerMessage::shape;
    OUTCOMES = "Outcomes" for Readers: messages::Outcomes::shape;
    CHARGES = "Charges" for Readers: messages::Charges::shape;
    ENTRIES = "Entries" for Readers: messages::Entries::shape;
    BILLS = "Bills" for Readers: messages::Bills::shape;
    BALANCES = "Balances" for Readers: messages::Balances::shape;
    REJECTS = "Rejects" for Readers: messages::Rejects::shape;
    DECIDED = "Decided" for Ours: messages::Decided::shape;
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
        schema_of(self.name, &self.shape(), self.audience.symbols())
    }

    /// A message of this schema.
    pub fn message<T: serde::Serialize>(&self, value: &T) -> Vec<u8> {
        let mut message = Vec::with_capacity(128);
        avro::put_header(&mut message, self.fingerprint());
        avro::encode_into(&mut message, value);
        message
    }
}
