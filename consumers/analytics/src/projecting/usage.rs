//! Usage records that were counted, and those that could not be.

use std::collections::VecDeque;

use base64::prelude::{BASE64_STANDARD, Engine};
use drawdown_domain::time::Timestamp;
use drawdown_domain::usage::Reject;
use drawdown_wire::avro;
use drawdown_wire::messages::{Rejects, Signed, UsageControl};
use drawdown_wire::schemas::{self, Unreadable};
use drawdown_wire::usage::{each_record, tags_of};
use serde::Serialize;

use crate::native::Kind::{Decimal, Instant, Map, Number32, Number64, OptionalText, Text};
use crate::rows::{Columns, Lines, Place, Rows};

const REJECTS: Lines = Lines { table: "rejects", by: "at" };
const USAGE: Columns = Columns {
    table: "usage",
    by: "time",
    layout: &[
        ("account", Text),
        ("source", Text),
        ("id", Text),
        ("product", Text),
        ("meter", Text),
        ("quantity", Decimal),
        ("time", Instant),
        ("region", OptionalText),
        ("unit", OptionalText),
        ("tags", Map),
        ("_partition", Number32),
        ("_offset", Number64),
        ("_index", Number32),
    ],
};

/// A counted record's place on its partition of usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) offset: i64,
    pub(crate) index: u32,
}

/// The records of a message that were counted. `listed` holds counted ones in their order, those of this
/// message first; they are taken from it. What is listed and not there is returned.
pub(crate) fn counted(
    message: &[u8],
    place: Place,
    listed: &mut VecDeque<Listed>,
    rows: &mut Rows,
) -> Result<(), Listed> {
    let here = |listed: &VecDeque<Listed>| {
        listed.front().copied().filter(|listed| listed.offset == place.offset)
    };
    if here(listed).is_none() {
        return Ok(());
    }
    let passed_on = match control_of(message) {
        None => None,
        Some(UsageControl::PassedOn(passed)) => Some(passed.message.0),
        // That a record was taken back is listed as well, and is no record.
        Some(UsageControl::VoidAsked(_)) => {
            listed.pop_front();
            return here(listed).map_or(Ok(()), Err);
        }
        Some(_) => return here(listed).map_or(Ok(()), Err),
    };
    each_record(passed_on.as_deref().unwrap_or(message), |index, read| {
        if here(listed).is_none_or(|listed| listed.index != index) {
            return;
        }
        let Ok(usage) = read.usage() else { return };
        let Ok(tags) = tags_of(&usage) else { return };
        listed.pop_front();
        let Some(mut row) = rows.row(USAGE, usage.time) else { return };
        row.text(usage.account).text(usage.source).text(usage.id);
        row.text(usage.product).text(usage.meter).decimal(usage.quantity).instant(usage.time);
        row.optional(usage.region).optional(usage.unit).map(&tags);
        row.number32(place.partition).number64(place.offset).number32(index);
    });
    here(listed).map_or(Ok(()), Err)
}

/// What a message of our own consumers says: a record that METERING passed on or that was sent again from the
/// rejects, or a void. That it is ours follows from its being listed.
fn control_of(message: &[u8]) -> Option<UsageControl> {
    let (fingerprint, _) = avro::split_header(message)?;
    if fingerprint != schemas::SIGNED.fingerprint() {
        return None;
    }
    let Signed { payload, .. } = schemas::SIGNED.read(message).ok()?;
    schemas::USAGE_CONTROL.read(&payload.0).ok()
}

/// A rejected record, its message in base64.
#[derive(Serialize)]
struct RejectedRow<'a> {
    usage_partition: u32,
    offset: i64,
    index: u32,
    at: Timestamp,
    first_arrival: Timestamp,
    reason: Reject,
    detail: Option<&'a str>,
    account: Option<&'a str>,
    source: Option<&'a str>,
    id: Option<&'a str>,
    message: String,
}

pub(super) fn rejects(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Rejects { rejects } = schemas::REJECTS.read(message)?;
    for (reject, index) in rejects.iter().zip(0..) {
        let row = RejectedRow {
            usage_partition: reject.usage_partition,
            offset: reject.offset,
            index: reject.index,
            at: reject.at,
            first_arrival: reject.first_arrival,
            reason: reject.reason,
            detail: reject.detail.as_deref(),
            account: reject.account.as_deref(),
            source: reject.source.as_deref(),
            id: reject.id.as_deref(),
            message: BASE64_STANDARD.encode(&reject.message.0),
        };
        rows.line(REJECTS, reject.at, place, index, &row);
    }
    Ok(())
}
