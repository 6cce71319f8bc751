//! Every schema: what it is called, what it describes, and its fingerprint.

use std::borrow::Cow;
use std::sync::LazyLock;

use drawdown_domain::vocabulary::{Described, Shape};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::avro::{self, Fingerprint, NotDecodable, NotResolved, Plan, Symbols, schema_of};
use crate::released::{self, Plans};
use crate::{messages, state, usage};

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
    older: LazyLock<Plans, fn() -> Plans>,
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("not one of our messages")]
    Foreign,
    #[error("not a {name} of this version or a released one (its schema is {fingerprint:?})")]
    UnknownSchema { name: &'static str, fingerprint: Fingerprint },
    #[error(transparent)]
    NotResolved(#[from] NotResolved),
    #[error(transparent)]
    NotDecodable(#[from] NotDecodable),
}

macro_rules! schemas {
    ($($constant:ident = $name:literal for $audience:ident: $shape:expr;)*) => {
        $(pub static $constant: Schema = Schema::new(
            $name,
            Audience::$audience,
            $shape,
            || avro::fingerprint(&$constant.json()),
            || released::plans($name, &$constant.json()),
        );)*

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
    PAYMENT_WISHES = "PaymentWishes" for Ours: messages::PaymentWishes::shape;
    PAYMENTS = "Payments" for Readers: messages::Payments::shape;
    PAYMENT_REQUESTS = "PaymentRequests" for Readers: messages::PaymentRequests::shape;
    NOTICES = "Notices" for Readers: messages::Notices::shape;
    SERVICES = "Services" for Readers: messages::Services::shape;
    PERIODS_CLOSED = "PeriodsClosed" for Ours: messages::PeriodsClosed::shape;
    INVOICE_RUNS = "InvoiceRuns" for Readers: messages::InvoiceRuns::shape;
    INVOICES = "Invoices" for Readers: messages::Invoices::shape;
    MAILS = "Mails" for Readers: messages::Mails::shape;
    FRAME = "Frame" for Ours: state::Frame::shape;
    METERING_DELTA = "MeteringDelta" for Ours: state::MeteringDelta::shape;
    METERING_PIECE = "MeteringPiece" for Ours: state::MeteringPiece::shape;
    REGISTRY_DELTA = "RegistryDelta" for Ours: state::RegistryDelta::shape;
    REGISTRY_PIECE = "RegistryPart" for Ours: state::RegistryPart::shape;
    BALANCE_DELTA = "BalanceDelta" for Ours: state::BalanceDelta::shape;
    BALANCE_PIECE = "BalancePiece" for Ours: state::BalancePiece::shape;
    ERRANDS_DELTA = "ErrandsDelta" for Ours: state::ErrandsDelta::shape;
    ERRANDS_PIECE = "ErrandsPiece" for Ours: state::ErrandsPiece::shape;
}

/// A choice stands in a record of one field, so that the schema has a name.
fn one<T: Described>() -> Shape {
    use drawdown_domain::vocabulary::{Field, Record};
    Shape::Record(Record {
        name: "Control",
        doc: String::new(),
        fields: vec![Field::new("control", "", T::shape())],
    })
}

impl Schema {
    /// A schema; its fingerprint and the plans for its older forms are made when they are asked for.
    pub const fn new(
        name: &'static str,
        audience: Audience,
        shape: fn() -> Shape,
        fingerprint: fn() -> Fingerprint,
        older: fn() -> Plans,
    ) -> Schema {
        Schema {
            name,
            audience,
            shape,
            fingerprint: LazyLock::new(fingerprint),
            older: LazyLock::new(older),
        }
    }

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

    /// The value of a message as the present schema has it, whichever version wrote the message.
    #[inline]
    pub fn value<'a>(&self, message: &'a [u8]) -> Result<Cow<'a, [u8]>, Unreadable> {
        match avro::split_header(message) {
            Some((fingerprint, value)) if fingerprint == self.fingerprint() => {
                Ok(Cow::Borrowed(value))
            }
            Some((fingerprint, value)) => self.older_value(fingerprint, value).map(Cow::Owned),
            None => Err(Unreadable::Foreign),
        }
    }

    #[cold]
    fn older_value(&self, fingerprint: Fingerprint, value: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let plan = self.older(fingerprint);
        let plan = plan.ok_or(Unreadable::UnknownSchema { name: self.name, fingerprint })?;
        let mut present = Vec::with_capacity(value.len());
        plan.rewrite(value, &mut present)?;
        Ok(present)
    }

    /// How messages of an older form of this schema are read, if that form was released.
    pub fn older(&self, fingerprint: Fingerprint) -> Option<&Plan> {
        self.older.get(&fingerprint)
    }

    /// What a message says.
    pub fn read<T: DeserializeOwned>(&self, message: &[u8]) -> Result<T, Unreadable> {
        Ok(avro::decode(&self.value(message)?)?)
    }
}
