//! What is remembered of one record, and places in the order in which a partition remembers.
//!
//! Nothing here knows where entries are kept.

use drawdown_domain::time::Timestamp;
pub use drawdown_wire::identities::{Entry, Identity, Position};
use siphasher::sip128::SipHasher24;

/// A record's identity and content, each as a hash under the installation's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub identity: Identity,
    pub content: u64,
}

/// Hashes under the installation's key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teller {
    key: [u8; 16],
}

impl Teller {
    pub(crate) fn new(key: [u8; 16]) -> Teller {
        Teller { key }
    }

    #[inline]
    pub(crate) fn tell(&self, identity: &[u8], content: &[u8]) -> Told {
        let hasher = SipHasher24::new_with_key(&self.key);
        let hashed = hasher.hash(identity);
        let identity = Identity { high: hashed.h2, low: hashed.h1 };
        Told { identity, content: hasher.hash(content).h1 }
    }
}

/// Days since 1970 in UTC.
pub(crate) fn day_of(at: Timestamp) -> i32 {
    const DAY: i64 = 86_400_000_000;
    // The days of all timestamps there are fit.
    i32::try_from(at.as_micros().div_euclid(DAY)).unwrap_or(i32::MIN)
}
