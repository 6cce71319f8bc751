//! What cannot be used goes to the rejects, whole and with its reason (R2.3).

use drawdown_domain::usage::{Arrival, Reject};
use drawdown_log::Message;
use drawdown_wire::avro;
use drawdown_wire::messages::{Bytes, Rejected};
use drawdown_wire::schemas;
use drawdown_wire::usage::{Malformed, Usage};

use crate::station::Metering;

impl Metering {
    pub(crate) fn reject(
        &mut self,
        record: &Usage<'_>,
        index: u32,
        message: &Message<'_>,
        arrival: Arrival,
        reason: Reject,
    ) {
        self.rejects.push(Rejected {
            usage_partition: self.partition,
            offset: message.offset.0,
            index,
            at: self.now,
            first_arrival: arrival.first,
            reason,
            detail: None,
            account: Some(record.account.to_owned()),
            source: Some(record.source.to_owned()),
            id: Some(record.id.to_owned()),
            message: Bytes(message_of(record)),
        });
    }

    pub(crate) fn reject_malformed(
        &mut self,
        value: &[u8],
        message: &Message<'_>,
        index: u32,
        arrival: Arrival,
        why: &Malformed,
    ) {
        self.rejects.push(Rejected {
            usage_partition: self.partition,
            offset: message.offset.0,
            index,
            at: self.now,
            first_arrival: arrival.first,
            reason: Reject::Malformed,
            detail: Some(why.to_string()),
            account: None,
            source: None,
            id: None,
            message: Bytes(value.to_vec()),
        });
    }

    pub(crate) fn reject_message(
        &mut self,
        message: &Message<'_>,
        value: &[u8],
        arrival: Arrival,
        why: String,
    ) {
        self.rejects.push(Rejected {
            usage_partition: self.partition,
            offset: message.offset.0,
            index: 0,
            at: self.now,
            first_arrival: arrival.first,
            reason: Reject::Malformed,
            detail: Some(why),
            account: None,
            source: None,
            id: None,
            message: Bytes(value.to_vec()),
        });
    }
}

/// A message that holds one record in its canonical form.
pub(crate) fn message_of(record: &Usage<'_>) -> Vec<u8> {
    let mut message = Vec::with_capacity(record.identity.len() + record.content.len() + 10);
    avro::put_header(&mut message, schemas::USAGE_RECORD.fingerprint());
    message.extend_from_slice(record.identity);
    message.extend_from_slice(record.content);
    message
}
