//! Snapshots, which go out in pieces beside the daily business, and what they make needless.

use drawdown_domain::time::Timestamp;
use drawdown_log::{Error, Log, Next, Point, reach};
use drawdown_wire::avro;
use drawdown_wire::state::{Frame, Generation};

use super::{Owned, Worker, WorkerOptions};
use crate::generations::Generations;
use crate::replay::{Begun, Snapshots};
use crate::{Station, Stop};

/// A snapshot begins when so many times as much has changed as the last one had.
const CHANGES: u64 = 2;
/// A snapshot gets on so many times as fast as what it holds changes, and by so much with a step in which little does. The
/// partitions of a worker come to theirs at about the same time, and their steps are not to become long by it.
pub(super) const FASTER: usize = 2;
pub(super) const BYTES_OF_STEP_MIN: usize = 8 * 1024;
/// A message of the log holds about so much of it.
const PIECE_BYTES_MAX: usize = 128 * 1024;

/// How far a partition's state has been put out whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// The place of the next piece, and where and when the first one came.
    under_way: Option<(Vec<u8>, Generation)>,
    /// Those that are whole, one that is in the step being committed among them.
    pub(super) whole: Generations,
    /// The last piece is in the step that is being committed: what stands before this is needless once
    /// a later one is committed too, as a broker that dies may take the last one back.
    needless_soon_before: Option<Next>,
    needless_before: Option<Next>,
    bytes: u64,
    last_bytes: u64,
    pub(super) delta_bytes: u64,
}

impl Snapshot {
    /// As it stands behind the snapshots that were met on the log. One that is not whole yet goes on: else a worker that
    /// ends again and again before it comes to the end of one would leave more and more to be read behind the last.
    pub(super) fn after<S: Station>(met: Snapshots, now: Timestamp) -> Snapshot {
        let goes_on = |begun: &Begun| {
            S::PIECES_KEEP_THEIR_ORDER && begun.schema == Some(S::PIECE.fingerprint())
        };
        let (whole, last_bytes) = (met.whole, met.bytes);
        match met.begun.filter(goes_on) {
            Some(Begun { begins, place, bytes, delta_bytes, .. }) => {
                // When it began is not known: that much longer what stands behind it is kept.
                let under_way = Some((place, Generation { begins: begins.0, at: now }));
                Snapshot { under_way, whole, bytes, last_bytes, delta_bytes, ..Snapshot::default() }
            }
            None => {
                let delta_bytes = met.delta_bytes;
                Snapshot { whole, last_bytes, delta_bytes, ..Snapshot::default() }
            }
        }
    }
}

impl<S: Station> Worker<S> {
    /// Deletes state that nobody needs any more. That can wait until the log is to be had.
    pub(super) fn forget_needless(&mut self) -> Result<(), Stop> {
        for (partition, owned) in &mut self.owned {
            let snapshot = &mut owned.snapshot;
            if let Some(before) = snapshot.needless_before {
                match self.log.truncate(&self.options.state_topic, *partition, before) {
                    Err(Error::Passing(why)) => {
                        tracing::warn!(partition, why, "needless state is not deleted yet");
                    }
                    truncated => {
                        truncated?;
                        snapshot.needless_before = None;
                    }
                }
            }
            let soon = snapshot.needless_soon_before.take();
            snapshot.needless_before = soon.or(snapshot.needless_before);
        }
        Ok(())
    }
}

/// A piece of a snapshot of up to about so many bytes, if one is under way or due.
pub(super) fn next_piece<S: Station>(
    log: &dyn Log,
    options: &WorkerOptions,
    partition: u32,
    now: Timestamp,
    bytes_max: usize,
    owned: &mut Owned<S>,
) -> Result<Option<Frame>, Stop> {
    let snapshot = &mut owned.snapshot;
    let due = options.snapshot_after_bytes.max(snapshot.last_bytes.saturating_mul(CHANGES));
    let (place, began) = match snapshot.under_way.take() {
        Some(under_way) => under_way,
        None if snapshot.delta_bytes < due => return Ok(None),
        None => {
            snapshot.delta_bytes = 0;
            let begins = log.bounds(&options.state_topic, partition)?.end.0;
            (Vec::new(), Generation { begins, at: now })
        }
    };
    let (piece, after) = owned.station.piece(&place, bytes_max.min(PIECE_BYTES_MAX));
    snapshot.bytes += piece.len() as u64;
    snapshot.under_way = after.clone().map(|after| (after, began));
    if after.is_none() {
        let keep = options.state_kept_for;
        snapshot.whole.push(began, keep);
        snapshot.needless_soon_before = snapshot.whole.forget(now, keep);
        snapshot.last_bytes = std::mem::take(&mut snapshot.bytes);
    }
    reach(Point::SnapshotChunk);
    let mut message =
        Vec::with_capacity(piece.len().saturating_add(avro::SINGLE_OBJECT_HEADER_BYTES));
    avro::put_header(&mut message, S::PIECE.fingerprint());
    message.extend_from_slice(&piece);
    let mut frame = owned.chain.piece(partition, options.rules_version, place, message, after);
    if frame.last {
        frame.snapshots = snapshot.whole.to_tell();
    }
    Ok(Some(frame))
}
