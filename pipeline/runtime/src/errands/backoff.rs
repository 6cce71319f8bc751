//! How long to wait before the next try.

use std::hash::{DefaultHasher, Hash, Hasher};

use drawdown_domain::time::{MICROS_PER_SECOND, Span};

const FIRST: Span = Span::micros(MICROS_PER_SECOND);
pub(super) const LONGEST: Span = Span::minutes(5);

/// Doubles with each try that came to nothing, and lies between half of that and the whole. Where in
/// between follows from the key: wishes that failed together are not tried together, and the same
/// history gives the same times.
pub(super) fn backoff(key: &str, tries: u32) -> Span {
    backoff_up_to(LONGEST, key, tries)
}

/// The same, where nobody waits longer than `longest`.
pub(super) fn backoff_up_to(longest: Span, key: &str, tries: u32) -> Span {
    let doublings = tries.saturating_sub(1).min(16);
    let whole = FIRST.as_micros().saturating_mul(1 << doublings).min(longest.as_micros());
    let half = whole.div_euclid(2).max(1);
    let mut hasher = DefaultHasher::new();
    (key, tries).hash(&mut hasher);
    let within = i64::try_from(hasher.finish() >> 1).unwrap_or(0).rem_euclid(half);
    Span::micros(half.saturating_add(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_five_minutes_and_differs_from_key_to_key() {
        for (tries, seconds) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (u32::MAX, 300)] {
            let waits: Vec<i64> =
                (0..100).map(|key| backoff(&format!("key-{key}"), tries).as_micros()).collect();
            let whole = seconds * MICROS_PER_SECOND;
            assert!(
                waits.iter().all(|wait| (whole / 2..=whole).contains(wait)),
                "{tries}: {waits:?}"
            );
            let mut different = waits.clone();
            different.sort_unstable();
            different.dedup();
            assert!(different.len() > 95, "{different:?}");
        }
        assert_eq!(backoff("a", 3), backoff("a", 3));
    }
}
