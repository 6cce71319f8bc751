//! Usage messages that have the schema of an older version: rewritten into the present one, and then
//! read like all others, so that the same record has the same canonical bytes.

use super::{Malformed, Read};
use crate::avro::Plan;

pub(super) fn read_single<'a>(plan: &Plan, value: &[u8]) -> Read<'a> {
    let mut present = Vec::with_capacity(value.len());
    match plan.rewrite(value, &mut present) {
        Ok(()) => super::read_single(&present).owned(),
        Err(why) => Read::Malformed(why.into()),
    }
}

/// What is rewritten before an error ends with the last whole record, so that those before a cut count
/// here as they count in a message of the present schema.
pub(super) fn each_packed<'a>(plan: &Plan, value: &[u8], visit: &mut dyn FnMut(u32, Read<'a>)) {
    let mut present = Vec::with_capacity(value.len());
    let rewritten = plan.rewrite(value, &mut present);
    let mut next = 0u32;
    let mut cut_off = false;
    super::each_packed(&present, |index, read| {
        next = index.saturating_add(1);
        cut_off = read.is_truncated();
        visit(index, read.owned());
    });
    if let (Err(why), false) = (rewritten, cut_off) {
        visit(next, Read::Malformed(Malformed::from(why)));
    }
}

#[cfg(test)]
#[path = "older_tests.rs"]
mod tests;
