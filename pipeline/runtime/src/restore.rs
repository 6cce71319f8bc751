//! Reading a topic to its end, to rebuild what stands on it.

use std::time::{Duration, Instant};

use drawdown_log::{Error, Log, Message, Next};

use crate::Stop;

/// Longer than any transaction may stay undecided.
const DECIDED_WITHIN: Duration = Duration::from_secs(120);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Shows every committed message of a partition from `from` up to its end as it is now, and returns
/// where to go on.
///
/// What a former owner committed may become visible a little later than its offsets did, but it lies
/// before the end that is there now: so this waits until all of that is decided.
pub fn read_to_end(
    log: &dyn Log,
    topic: &str,
    partition: u32,
    from: Next,
    visit: &mut dyn FnMut(Message<'_>) -> Result<(), Stop>,
) -> Result<Next, Stop> {
    let end = log.bounds(topic, partition)?.end;
    let deadline = Instant::now() + DECIDED_WITHIN;
    let (mut at, mut failed) = (from, None);
    loop {
        at = log.scan(topic, partition, at, end, &mut |message| {
            failed = visit(message).err();
            failed.is_none()
        })?;
        if let Some(stop) = failed {
            return Err(stop);
        }
        if at >= end {
            return Ok(at);
        }
        if Instant::now() > deadline {
            let why = format!(
                "{topic} {partition} is undecided between {} and {}; `drawdown topics check` tells more",
                at.0, end.0
            );
            return Err(Error::Passing(why).into());
        }
        std::thread::sleep(LOOK_AGAIN_AFTER);
    }
}
