//! What is remembered of one record, and places in the order in which a partition remembers.
//!
//! Nothing here knows where entries are kept.

use drawdown_domain::time::Timestamp;
use siphasher::sip128::SipHasher24;

/// The 128 bit keyed hash of (account, source, id). Runs are sorted by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub high: u64,
    pub low: u64,
}

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

/// A remembered identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub identity: Identity,
    pub content: u64,
    /// Where the record stands on the usage topic: a void rereads it from there.
    pub offset: i64,
    pub index: u32,
    /// The day of use, from which follows how long it is kept.
    pub day: i32,
}

/// Days since 1970 in UTC.
pub(crate) fn day_of(at: Timestamp) -> i32 {
    const DAY: i64 = 86_400_000_000;
    // The days of all timestamps there are fit.
    i32::try_from(at.as_micros().div_euclid(DAY)).unwrap_or(i32::MIN)
}

/// A place in the chain of everything a partition has ever remembered: how many identities lie before
/// it, and a checksum over them. Two histories that differ have different places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub total: u64,
    pub checksum: u32,
}
