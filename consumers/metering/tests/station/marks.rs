//! Marks: what a bill waits for.

use drawdown_domain::time::Timestamp;
use drawdown_wire::messages::LedgerInput;

use super::rig::{Rig, used};

/// R5.1: behind the mark of a quarter no ledger finds usage that came before it, however many messages a step takes: it
/// would be late for the bills that the mark lets out.
#[test]
fn r5_1_what_came_before_a_quarter_ends_is_said_before_its_mark() {
    let mut rig = Rig::new();
    let used = |id: &str, time: &str| (time.parse::<Timestamp>().unwrap(), used(id, time));
    let came = [
        used("1", "2026-03-01T00:14:58Z"),
        used("2", "2026-03-01T00:14:59.999999Z"),
        used("3", "2026-03-01T00:15:00Z"),
        used("4", "2026-03-01T00:46:00Z"),
    ];
    rig.said.clear();
    let messages: Vec<_> = came.iter().map(|(at, value)| (*at, value.as_slice())).collect();
    assert!(rig.step(&messages).unwrap().is_empty());
    let said: Vec<String> = rig
        .said
        .iter()
        .map(|input| match input {
            LedgerInput::Lines(lines) => format!("{} lines", lines.lines.len()),
            LedgerInput::Mark(mark) => format!("mark {}", mark.until),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        said,
        ["1 lines", "mark 2026-03-01T00:15:00Z", "1 lines", "mark 2026-03-01T00:45:00Z", "1 lines"]
    );
}
