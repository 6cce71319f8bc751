use drawdown_wire::avro;

use super::*;

/// Frames of `steps` deltas, and after the steps named in `pieces` a piece each.
fn frames(steps: u64, pieces: &[(u64, u64, Option<u64>)]) -> Vec<Frame> {
    let mut chain = Chain::default();
    let mut frames = Vec::new();
    for step in 1..=steps {
        let delta = vec![step as u8; if step == 3 { STATE_DELTA_BYTES_MAX + 10 } else { 4 }];
        let next = Next(step as i64 * 10);
        frames.extend(chain.extend(0, next, 1, Fingerprint(7), &delta));
        for (_, place, after) in pieces.iter().filter(|(at, _, _)| *at == step) {
            let name = |place: u64| if place == 0 { Vec::new() } else { vec![place as u8] };
            let piece = vec![*place as u8];
            frames.push(chain.piece(0, 1, name(*place), piece, after.map(name)));
        }
    }
    frames
}

/// What the frames ask for, a letter each: the first byte of what is applied or loaded.
fn asks(frames: Vec<Frame>) -> Result<String, NotChained> {
    let mut assembler = Assembler::default();
    let mut asks = String::new();
    for frame in frames {
        let frame = avro::encode(&frame);
        match assembler.take(avro::decode(&frame).unwrap())? {
            Ask::Nothing => {}
            Ask::Apply(delta) => asks.push_str(&format!("a{} ", delta[SINGLE_OBJECT_HEADER_BYTES])),
            Ask::Begin(piece) => asks.push_str(&format!("begin{} ", piece[0])),
            Ask::Load(piece) => asks.push_str(&format!("load{} ", piece[0])),
            Ask::Complete(piece) => asks.push_str(&format!("last{} ", piece[0])),
        }
    }
    asks.push_str(if assembler.complete().is_some() { "complete" } else { "incomplete" });
    Ok(asks)
}

#[test]
fn from_the_first_step_on_no_snapshot_is_needed() {
    let all = frames(4, &[(2, 0, Some(5)), (3, 5, None)]);
    assert_eq!(asks(all).unwrap(), "a1 a2 a3 a4 complete");
}

#[test]
fn what_stands_before_a_snapshot_is_only_followed() {
    let all = frames(6, &[(3, 0, Some(5)), (4, 5, Some(9)), (5, 9, None)]);
    for gone in 1..=3 {
        let kept = all.iter().skip(gone).cloned().collect();
        assert_eq!(asks(kept).unwrap(), "begin0 a4 load5 a5 last9 a6 complete", "{gone}");
    }
    let kept = all.iter().skip(6).cloned().collect();
    assert_eq!(asks(kept).unwrap(), "incomplete");
}

#[test]
fn a_snapshot_that_was_given_up_gives_way_to_the_next() {
    let all = frames(7, &[(2, 0, Some(5)), (4, 0, Some(6)), (5, 6, None), (6, 0, None)]);
    let kept = all.into_iter().skip(1).collect();
    assert_eq!(asks(kept).unwrap(), "begin0 a3 a4 begin0 a5 last6 a6 a7 complete");
}

#[test]
fn gaps_repeats_and_flipped_bits_are_found() {
    let all = frames(5, &[]);
    for lost in 1..all.len() - 1 {
        let mut kept = all.clone();
        kept.remove(lost);
        assert!(matches!(asks(kept), Err(NotChained::Gap { .. })), "{lost}");
        let mut twice = all.clone();
        twice.insert(lost, all[lost].clone());
        assert!(matches!(asks(twice), Err(NotChained::Gap { .. })), "{lost}");
    }
    let mut all = all;
    all.push(frames(5, &[(5, 0, None)]).pop().unwrap());
    for place in 0..all.len() {
        let mut flipped = all.clone();
        flipped[place].payload.0[0] ^= 1;
        assert!(matches!(asks(flipped), Err(NotChained::Damaged { .. })), "{place}");
    }
}
