//! Rejects that are sent again: by then an identity may have been counted long ago.

use drawdown_domain::time::{Span, Timestamp};
use drawdown_wire::messages::{Bytes, PassedOn, SettingsInForce};

use super::rig::{BEGINS, Rig, used as used_as, used_at};

/// R2.2, R2.3: what is sent again from the rejects is accepted for seven days more than other usage, so for so long
/// it is known that its identity was counted.
#[test]
fn r2_2_an_identity_counts_once_for_as_long_as_a_reject_of_it_may_come_again() {
    let used: Timestamp = BEGINS.parse().unwrap();
    let record = used_at(BEGINS);
    let mut rig = Rig::new();
    // It came first, and was rejected, on its last day; mended by its sender it counts the day after.
    let (first, mended) = (used.plus(Span::days(34)), used.plus(Span::days(35)));
    assert!(rig.take(mended, &record).is_empty());
    assert_eq!((rig.metering.duplicates(), rig.metering.remembered().unwrap().len()), (0, 1));
    for (days, duplicates) in [(36, 1), (38, 2), (41, 3)] {
        let at = used.plus(Span::days(days));
        let message = Bytes(record.clone());
        let rejected = rig.control(at, PassedOn { at, first_arrival: first, message });
        assert!(rejected.is_empty(), "R2.2: {days} days: {rejected:?}");
        assert_eq!(rig.metering.duplicates(), duplicates, "R2.2: {days} days");
    }
    // A moment later it may not be sent again any more.
    let at = first.plus(Span::days(7)).plus(Span::micros(1));
    let message = Bytes(record);
    let rejected = rig.control(at, PassedOn { at, first_arrival: first, message });
    assert_eq!(rejected.len(), 1, "R2.3: {rejected:?}");
    assert_eq!(rejected[0].reason.code(), "too_old", "R2.3");
}

/// R2.2: a snapshot that says how old usage may be forgets no identity that is of use by that, though by the usual
/// settings it would be.
#[test]
fn r2_2_identities_are_kept_for_as_long_as_the_settings_say_through_a_restart() {
    let used: Timestamp = BEGINS.parse().unwrap();
    let mut rig = Rig::new();
    let document = "usage.max_age = \"60d\"\n".to_owned();
    rig.control(used, SettingsInForce { at: used, document });
    let record = used_at(BEGINS);
    assert!(rig.take(used, &record).is_empty());
    let at = used.plus(Span::days(50));
    assert!(rig.take(at, &record).is_empty());
    assert_eq!(rig.metering.duplicates(), 1, "R2.2");
    rig.restart();
    assert_eq!(rig.metering.remembered().unwrap().len(), 1, "R2.2");
    assert!(rig.take(at.plus(Span::days(9)), &record).is_empty());
    assert_eq!((rig.metering.duplicates(), rig.metering.remembered().unwrap().len()), (1, 1));
}

/// R2.2: what was passed on, or sent again, before its day was forgotten and arrives behind that cannot be told from a new
/// one: it is refused, however young it was then.
#[test]
fn r2_2_what_arrives_behind_the_forgetting_of_its_day_is_not_counted_again() {
    let used: Timestamp = BEGINS.parse().unwrap();
    let (passed, now) = (used.plus(Span::days(10)), used.plus(Span::days(45)));
    let mut rig = Rig::new();
    let record = used_at(BEGINS);
    assert!(rig.take(used, &record).is_empty());
    assert!(rig.take(now, &used_as("later", &now.to_string())).is_empty());
    assert_eq!(rig.metering.remembered().unwrap().len(), 1, "R2.2: the first is not forgotten");
    let rejected =
        rig.control(now, PassedOn { at: passed, first_arrival: passed, message: Bytes(record) });
    assert_eq!(rejected.len(), 1, "R2.2: it was counted twice");
    assert_eq!(rejected[0].reason.code(), "too_old", "R2.2");
}
