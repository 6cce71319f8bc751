//! Named points at which a test may end or freeze the process, to prove that it does not matter.
//!
//! `DRAWDOWN_KILL_AT=name:3` kills the process with SIGKILL the third time it reaches the point;
//! `DRAWDOWN_FREEZE_AT=name:3` stops it there until somebody sends SIGCONT. A point is reached a few
//! times a commit, never per record.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

macro_rules! points {
    ($($(#[doc = $doc:literal])* $point:ident = $name:literal,)*) => {
        /// Where a test may intervene.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point {
            $($(#[doc = $doc])* $point,)*
        }

        impl Point {
            pub const ALL: &[Point] = &[$(Point::$point),*];

            pub const fn name(self) -> &'static str {
                match self { $(Point::$point => $name,)* }
            }
        }
    };
}

points! {
    /// Messages were read, nothing is decided.
    Read = "read",
    /// A step is decided, nothing of it is sent.
    Decided = "decided",
    /// Kafka: the transaction has begun, nothing is sent.
    Begun = "begun",
    /// Kafka: the messages are sent.
    Sent = "sent",
    /// Kafka: the offsets are sent, the transaction is not ended.
    OffsetsSent = "offsets_sent",
    /// The commit took place, nobody was told.
    Committed = "committed",
    /// Embedded: a frame is half written.
    FrameTorn = "frame_torn",
    /// Embedded: a frame is written, not synced.
    FrameWritten = "frame_written",
    /// Embedded: a frame is synced, nobody was told.
    FrameSynced = "frame_synced",
    /// Embedded: a new segment exists, nothing is in it.
    SegmentBegun = "segment_begun",
    /// Embedded: old segments are being deleted.
    SegmentDropped = "segment_dropped",
    /// A snapshot chunk went out.
    SnapshotChunk = "snapshot_chunk",
    /// A local checkpoint is about to be written.
    CheckpointBegun = "checkpoint_begun",
    /// A local checkpoint is half written.
    CheckpointTorn = "checkpoint_torn",
    /// A local checkpoint is complete under its temporary name.
    CheckpointWritten = "checkpoint_written",
    /// Partitions were assigned, the state is being restored.
    Restoring = "restoring",
    /// A run of remembered identities is half written.
    RunTorn = "run_torn",
    /// A run of remembered identities is complete under its name, and not in use yet.
    RunSealed = "run_sealed",
    /// Runs of remembered identities were merged, the old ones still exist.
    RunsMerged = "runs_merged",
    /// A wish is committed and about to be performed outside.
    Performing = "performing",
    /// A wish was performed outside, nobody here knows what came of it.
    Performed = "performed",
    /// A block of rows is written down in ClickHouse, none of its rows is there.
    BlockClaimed = "block_claimed",
    /// Rows are about to be inserted into ClickHouse.
    Inserting = "inserting",
    /// Rows were inserted into ClickHouse, perhaps others of their block are still to come.
    Inserted = "inserted",
    /// All rows of a block are in ClickHouse, the position is not committed.
    BlockFilled = "block_filled",
}

struct Armed {
    name: String,
    left: AtomicU64,
    signal: Signal,
}

static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
    let parsed = |variable: &str, signal| {
        let text = std::env::var(variable).ok()?;
        let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
        let left = AtomicU64::new(count.parse().ok()?);
        Some(Armed { name: name.to_owned(), left, signal })
    };
    parsed("DRAWDOWN_KILL_AT", Signal::KILL).or_else(|| parsed("DRAWDOWN_FREEZE_AT", Signal::STOP))
});

/// The process is at `point`; if a test armed it, here it ends or freezes.
#[inline]
pub fn reach(point: Point) {
    let Some(armed) = ARMED.as_ref() else { return };
    if armed.name == point.name() && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        // If the signal cannot be sent the process goes on, and the test finds that nothing happened.
        kill_process(getpid(), armed.signal).ok();
    }
}
