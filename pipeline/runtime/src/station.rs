//! What a consumer has to bring: decisions for one partition of its input, and its state as bytes.

use drawdown_domain::time::Timestamp;
use drawdown_log::Message;
use drawdown_wire::schemas::Schema;

use crate::Output;

/// Why a station takes nothing at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It waits for somebody, who may be away for hours.
    Waits(String),
    /// It stands still until somebody makes room. Its process is red.
    Stands(String),
}

/// One consumer's business with one partition of its input.
///
/// **Invariant:** the same messages and times in the same steps give the same output and state. A
/// station reads no clock and no other topic.
pub trait Station: Send {
    /// What a delta and a piece of its state are values of. Both go out as messages of these schemas,
    /// and what comes back is as the present ones have it, whichever version wrote it.
    const DELTA: &'static Schema;
    const PIECE: &'static Schema;
    /// Whether pieces lie in an order that goes by the state alone, so that whoever restores goes on with the snapshot of
    /// its former self. That may be of an earlier version: the order changes only along with the schema of pieces.
    const PIECES_KEEP_THEIR_ORDER: bool;

    /// Decides messages in their order.
    fn take(&mut self, input: Input<'_>, output: &mut Output) -> Result<(), Stop>;

    /// Called between messages with the present time: to tick, and to go on with what is due in
    /// slices. True if there is more to do at once.
    fn idle(&mut self, now: Timestamp, output: &mut Output) -> Result<bool, Stop>;

    /// The largest time that has been read.
    fn time(&self) -> Timestamp;

    /// Called once before a step is committed: what was collected goes out.
    fn finish(&mut self, output: &mut Output) -> Result<(), Stop>;

    /// About how much [`Station::finish`] would put out.
    fn unsaid_bytes(&self) -> usize {
        0
    }

    /// What the last call of [`Station::finish`] put out is committed.
    fn committed(&mut self) -> Result<(), Stop> {
        Ok(())
    }

    /// Why nothing can be taken at present; none if it can. Messages wait on the log meanwhile, and
    /// time and ticks go on.
    fn holds(&self) -> Option<Held> {
        None
    }

    /// The partition is about to be given up: nothing new is begun outside. True while something is
    /// still under way there, which is waited for a while, so that whoever comes next does not do it
    /// again.
    fn leaves(&mut self) -> bool {
        false
    }

    /// Decides a whole step again: the messages it took, and between them whatever else its delta says
    /// was decided. The same delta must come out.
    fn decide_again(
        &mut self,
        input: Input<'_>,
        _delta: &[u8],
        output: &mut Output,
    ) -> Result<(), Stop> {
        self.take(input, output)?;
        self.finish(output)
    }

    /// Applies a delta that a former self put out.
    fn apply(&mut self, delta: &[u8]) -> Result<(), Stop>;

    /// The same for one of many: what it does may wait until [`Station::loaded`] or [`Station::restored`].
    fn catch_up(&mut self, delta: &[u8]) -> Result<(), Stop> {
        self.apply(delta)
    }

    /// The piece of the state at `place`, at most about `bytes_max` long, and the place after it; none
    /// behind the last. The first is at the empty place; others are what this has returned.
    fn piece(&self, place: &[u8], bytes_max: usize) -> (Vec<u8>, Option<Vec<u8>>);

    /// Puts a piece in its place. Deltas come between pieces, and may concern what is still to come.
    fn load(&mut self, piece: &[u8]) -> Result<(), Stop>;

    /// The last piece is in its place; nothing waits.
    fn loaded(&mut self) -> Result<(), Stop> {
        Ok(())
    }

    /// Whatever was decided before this cannot be decided again, though its input is kept: something
    /// else that it takes is not.
    fn decided_again_from(&self) -> Result<Timestamp, Stop> {
        Ok(Timestamp::START)
    }

    /// All pieces and deltas have come.
    fn restored(&mut self) -> Result<(), Stop>;
}

/// Messages of one partition.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub messages: &'a [Message<'a>],
}

/// A station or its worker cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// State and log do not fit together, or a rule of the machine is broken. Somebody has to look.
    #[error("{0}")]
    Broken(String),
    /// Something that can be rebuilt from the log is gone: the station is dropped and restored.
    #[error("{0}")]
    Restore(String),
    /// Somebody other than the log, who is needed, is away. The station is restored and asks again.
    #[error("{0}")]
    Away(String),
    #[error(transparent)]
    Log(#[from] drawdown_log::Error),
}
