//! Usage messages that have the schema of an older version: rewritten into the present one, and then
//! read like all others, so that the same record has the same canonical bytes.

use super::{Malformed, Usage};
use crate::avro::Plan;

type Visit<'a> = &'a mut dyn FnMut(u32, Result<Usage<'_>, Malformed>);

pub(super) fn each_single(plan: &Plan, value: &[u8], visit: Visit<'_>) {
    let mut present = Vec::with_capacity(value.len());
    match plan.rewrite(value, &mut present) {
        Ok(()) => super::each_single(&present, visit),
        Err(why) => visit(0, Err(why.into())),
    }
}

/// What is rewritten before an error ends with the last whole record, so that those before a cut count
/// here as they count in a message of the present schema.
pub(super) fn each_packed(plan: &Plan, value: &[u8], visit: Visit<'_>) {
    let mut present = Vec::with_capacity(value.len());
    let rewritten = plan.rewrite(value, &mut present);
    let mut next = 0u32;
    let mut cut_off = false;
    super::each_packed(&present, &mut |index, record| {
        next = index.saturating_add(1);
        cut_off = matches!(record, Err(Malformed::Truncated(_)));
        visit(index, record);
    });
    if let (Err(why), false) = (rewritten, cut_off) {
        visit(next, Err(why.into()));
    }
}

#[cfg(test)]
#[path = "older_tests.rs"]
mod tests;
