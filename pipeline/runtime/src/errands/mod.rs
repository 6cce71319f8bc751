//! Wishes that are performed outside, in three recorded steps: the wish is on the log; it is performed
//! under a key that it carries; what came of it is on the log.
//!
//! [`Errands`] is the station that PAYMENTS, ALERTS and INVOICES share. What each of them does outside it
//! brings as an [`Errand`]; when, how often and how many at a time is decided here.
//!
//! **Invariant:** a wish is performed only once its arrival is committed, and again only once what came
//! of the last try is. So a key is performed by two at the same time only if a process lost its partition
//! without being asked to give it up.

mod backoff;
mod circuit;
mod outside;
mod station;

use drawdown_domain::time::{Span, Timestamp};
use drawdown_wire::schemas::Unreadable;

pub use circuit::Circuit;
pub use outside::{Outside, OutsideOptions};
pub use station::Errands;

use crate::Output;

/// What a consumer does outside.
pub trait Errand: Send + Sync + 'static {
    type Wish: Clone + Send + Sync + 'static;
    /// What the outside said in the end.
    type Answer: Clone + Send + 'static;

    /// The wishes that a message of the input holds.
    fn wishes(&self, message: &[u8]) -> Result<Vec<Wanted<Self::Wish>>, Unreadable>;

    /// Tries once. It is dropped at the deadline; whatever it may have caused is asked for again.
    fn perform(
        &self,
        attempt: &Attempt<Self::Wish>,
    ) -> impl Future<Output = Tried<Self::Answer>> + Send;

    /// Says what came of wishes of a partition.
    fn tell(
        &self,
        partition: u32,
        at: Timestamp,
        ended: &[Ended<Self::Wish, Self::Answer>],
        output: &mut Output,
    );
}

/// A wish as it came.
#[derive(Clone, Debug)]
pub struct Wanted<W> {
    /// Unique for ever. The same key again while it is open is the same wish.
    pub key: String,
    pub at: Timestamp,
    pub wish: W,
    /// A message of the input's schema that holds this wish alone.
    pub message: Vec<u8>,
}

/// One try of a wish.
#[derive(Clone, Debug)]
pub struct Attempt<W> {
    pub key: String,
    pub wish: W,
    /// Counts the tries, from one on.
    pub number: u32,
    /// When the wish came, and when this try begins.
    pub since: Timestamp,
    pub at: Timestamp,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried<A> {
    Done(A),
    /// It is not decided, or not known: to be asked again under the same key, after so long if the
    /// outside said so.
    Again {
        why: String,
        after: Option<Span>,
    },
    /// The outside as a whole is not to be had.
    Away {
        why: String,
    },
}

/// A wish that is answered.
#[derive(Clone, Debug)]
pub struct Ended<W, A> {
    pub key: String,
    pub wish: W,
    pub answer: A,
    pub tries: u32,
}
