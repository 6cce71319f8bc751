//! Records that name their schema by its number in a registry (Confluent's wire format). METERING alone asks the
//! registry: such a record is passed on in its canonical form, and counts where that arrives.
//!
//! A registry never gives a number to another schema, so what one says is the same whenever it is asked.

use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt::Debug;
use std::sync::Arc;

use drawdown_domain::usage::Arrival;
use drawdown_log::Message;
use drawdown_runtime::{Output, Stop};
use drawdown_wire::usage::{Writer, split_registered};

use crate::station::Metering;

/// Where schemas are asked for.
pub trait SchemaRegistry: Debug + Send + Sync {
    /// The schema of a number, as JSON; none if it knows none. An error is why it does not answer, which may pass.
    fn schema(&self, number: u32) -> Result<Option<String>, String>;
}

/// Schemas that were asked for.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Arc<dyn SchemaRegistry>,
    known: BTreeMap<u32, Result<Writer, String>>,
}

impl Registered {
    pub(crate) fn new(registry: Arc<dyn SchemaRegistry>) -> Registered {
        Registered { registry, known: BTreeMap::new() }
    }

    /// How records of a schema are read, or why they are none.
    fn writer(&mut self, number: u32) -> Result<&Result<Writer, String>, Stop> {
        match self.known.entry(number) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let schema = self.registry.schema(number).map_err(Stop::Away)?;
                Ok(unknown.insert(read(number, schema)))
            }
        }
    }

    /// A number that nobody has yet may be somebody's at the next step.
    pub(crate) fn forget_unknown(&mut self) {
        self.known.retain(|_, writer| writer.is_ok());
    }
}

fn read(number: u32, schema: Option<String>) -> Result<Writer, String> {
    let schema = schema.ok_or_else(|| format!("the registry knows no schema {number}"))?;
    let named = |why: &dyn std::fmt::Display| format!("the schema {number} of the registry: {why}");
    let schema = serde_json::from_str(&schema).map_err(|error| named(&error))?;
    Writer::new(&schema).map_err(|why| named(&why))
}

impl Metering {
    /// Passes the record of such a message on, if this is one; false if it is not.
    pub(crate) fn translate(
        &mut self,
        value: &[u8],
        message: &Message<'_>,
        arrival: Arrival,
        output: &mut Output,
    ) -> Result<bool, Stop> {
        let (Some((number, record)), Some(registered)) =
            (split_registered(value), &mut self.registered)
        else {
            return Ok(false);
        };
        let read = match registered.writer(number)? {
            Ok(writer) => writer.read(record),
            Err(why) => {
                let why = why.clone();
                self.reject_message(message, value, arrival, why);
                return Ok(true);
            }
        };
        match read.usage() {
            Ok(record) => {
                let home = self.home_of(record.account);
                self.pass_on(&record, home, arrival, output);
            }
            Err(why) => self.reject_malformed(value, message, 0, arrival, &why),
        }
        Ok(true)
    }
}
