//! What counts as usage: the record, and the reasons for which one is set aside (R2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::Amount;
use crate::settings::Settings;
use crate::time::{Minute, Timestamp};

/// A quantity has up to fifteen digits before the point (R2.1).
pub const QUANTITY_LIMIT: Amount = Amount::whole(1_000_000_000_000_000);
/// Bounds on what foreigners may send; anything larger is `malformed`.
pub const SOURCE_BYTES_MAX: usize = 256;
pub const RECORD_ID_BYTES_MAX: usize = 256;
pub const NAME_BYTES_MAX: usize = 64;
pub const TAGS_MAX: usize = 64;
pub const TAG_BYTES_MAX: usize = 256;

/// Why a record went to the rejects: the first reason that holds, in this order (R2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reject {
    Malformed,
    UnknownAccount,
    AccountClosed,
    UnknownMeter,
    NoPrice,
    NegativeQuantity,
    TooOld,
    InTheFuture,
    ConflictingDuplicate,
}

impl Reject {
    pub const ALL: [Reject; 9] = [
        Reject::Malformed,
        Reject::UnknownAccount,
        Reject::AccountClosed,
        Reject::UnknownMeter,
        Reject::NoPrice,
        Reject::NegativeQuantity,
        Reject::TooOld,
        Reject::InTheFuture,
        Reject::ConflictingDuplicate,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Reject::Malformed => "malformed",
            Reject::UnknownAccount => "unknown_account",
            Reject::AccountClosed => "account_closed",
            Reject::UnknownMeter => "unknown_meter",
            Reject::NoPrice => "no_price",
            Reject::NegativeQuantity => "negative_quantity",
            Reject::TooOld => "too_old",
            Reject::InTheFuture => "in_the_future",
            Reject::ConflictingDuplicate => "conflicting_duplicate",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// When a record arrived: now, and when it was first seen if it is sent again from the rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub now: Timestamp,
    /// At which its age is judged (R2.3).
    pub first: Timestamp,
}

impl Arrival {
    pub fn fresh(now: Timestamp) -> Arrival {
        Arrival { now, first: now }
    }
}

/// The minute of use under which a record counts: its own, or that of its arrival if it is a little
/// ahead of the clock (R2.4). What is sent again after its time may have been counted under an identity
/// that is forgotten, so it is refused, too (R2.3).
#[inline]
pub fn dated(
    time: Timestamp,
    quantity: Amount,
    arrival: Arrival,
    settings: &Settings,
) -> Result<Minute, Reject> {
    let Settings { usage, rejects, .. } = settings;
    if quantity.is_negative() {
        return Err(Reject::NegativeQuantity);
    }
    if time < arrival.first.minus(usage.max_age)
        || arrival.now > arrival.first.plus(rejects.replay_for)
    {
        return Err(Reject::TooOld);
    }
    if time > arrival.now.plus(usage.max_ahead) {
        return Err(Reject::InTheFuture);
    }
    Ok(time.min(arrival.now).minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_3_and_r2_4_the_first_reason_that_holds() {
        let settings = Settings::default();
        let now: Timestamp = "2026-03-10T12:00:30Z".parse().unwrap();
        let check = |time: &str, quantity: &str, expected: Result<&str, Reject>| {
            let found = dated(
                time.parse().unwrap(),
                quantity.parse().unwrap(),
                Arrival::fresh(now),
                &settings,
            );
            let expected = expected.map(|minute| minute.parse::<Timestamp>().unwrap().minute());
            assert_eq!(found, expected, "R2.4: {time}");
        };
        check("2026-03-10T12:00:00Z", "1", Ok("2026-03-10T12:00:00Z"));
        check("2026-03-10T12:05:30Z", "1", Ok("2026-03-10T12:00:00Z"));
        check("2026-03-10T12:05:30.000001Z", "1", Err(Reject::InTheFuture));
        check("2026-02-03T12:00:30Z", "1", Ok("2026-02-03T12:00:00Z"));
        check("2026-02-03T12:00:29.999999Z", "1", Err(Reject::TooOld));
        check("2020-01-01T00:00:00Z", "-1", Err(Reject::NegativeQuantity));
    }

    #[test]
    fn r2_3_the_age_of_a_record_sent_again_is_that_of_its_first_arrival() {
        let settings = Settings::default();
        let first: Timestamp = "2026-03-10T00:00:00Z".parse().unwrap();
        let again = Arrival { now: first.plus(crate::time::Span::days(7)), first };
        let used = first.minus(settings.usage.max_age);
        assert_eq!(dated(used, Amount::ONE, again, &settings), Ok(used.minute()), "R2.3");
        let moment = crate::time::Span::micros(1);
        let ahead = again.now.plus(settings.usage.max_ahead).plus(moment);
        assert_eq!(dated(ahead, Amount::ONE, again, &settings), Err(Reject::InTheFuture), "R2.3");
        let late = Arrival { now: again.now.plus(moment), first };
        assert_eq!(dated(first, Amount::ONE, late, &settings), Err(Reject::TooOld), "R2.3");
    }

    #[test]
    fn r2_3_a_reason_is_shown_by_its_code() {
        let codes = Reject::ALL.map(|reject| reject.to_string()).join(" ");
        assert_eq!(
            codes,
            "malformed unknown_account account_closed unknown_meter no_price negative_quantity too_old \
             in_the_future conflicting_duplicate"
        );
        for reject in Reject::ALL {
            assert_eq!(serde_json::to_value(reject).unwrap(), reject.code(), "R2.3");
        }
    }
}
