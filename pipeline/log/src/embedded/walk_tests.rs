use std::io::Write;

use super::super::catalogue::Lane;
use super::super::layout::{Draft, Note, SegmentKind};
use super::*;

/// A segment of frames with one message each, every one with how many of the frames before it were
/// synced when it was written.
struct Written {
    header: SegmentHeader,
    bytes: Vec<u8>,
    /// Where each frame begins, and where the last one ends.
    places: Vec<usize>,
}

fn written(salt: u32, synced: &[usize]) -> Written {
    let kind = SegmentKind::Journal;
    let header = SegmentHeader { kind, salt, first: 1, last: 1, sequence: 5, begun_at: 0 };
    let (mut bytes, mut places) = (header.encode().to_vec(), vec![SEGMENT_HEADER_BYTES]);
    for (sequence, synced) in (5..).zip(synced) {
        let note = Note::First { topic: 0, partition: 0, first: 1 };
        let mut draft = Draft::new(&[note], 100);
        draft.add(Lane(0), (0, 0), [b"value".as_slice(), b"", b"other"].into_iter());
        draft.seal(salt, sequence, places[*synced] as u64);
        bytes.extend_from_slice(&draft.bytes);
        places.push(bytes.len());
    }
    Written { header, bytes, places }
}

fn walked(header: &SegmentHeader, bytes: &[u8]) -> (usize, Walk) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let mut frames = 0;
    let walk = walk(&file, Path::new("segment"), header, &mut |_, frame| {
        assert_eq!(frame.runs.len(), 1);
        frames += 1;
        Ok(())
    });
    (frames, walk.unwrap())
}

#[test]
fn a_whole_segment_is_walked_to_its_end() {
    let Written { header, bytes, places } = written(7, &[0, 1, 1, 1, 4]);
    let (frames, walk) = walked(&header, &bytes);
    assert_eq!(frames, 5);
    assert!(walk.is_whole());
    assert_eq!((walk.end, walk.sequence), (bytes.len() as u64, 10));
    assert_eq!(walk.synced, places[4] as u64);
}

/// The frames 1 to 3 were written as one group, so any of them may be missing while a later one is
/// there.
#[test]
fn a_group_that_was_not_synced_may_be_torn_in_its_middle() {
    let Written { header, bytes, places } = written(7, &[0, 1, 1, 1]);
    for byte in places[1]..places[2] {
        let mut torn = bytes.clone();
        torn[byte] ^= 1;
        let (frames, walk) = walked(&header, &torn);
        assert_eq!((frames, walk.end), (1, places[1] as u64));
        assert_eq!(walk.synced, places[1] as u64, "what lies behind proves nothing: {byte}");
    }
    let mut torn = bytes.clone();
    torn[places[1]..places[3]].fill(0);
    assert_eq!(walked(&header, &torn).1.synced, places[1] as u64);
}

#[test]
fn a_frame_of_a_later_group_proves_that_what_lies_before_was_synced() {
    let Written { header, bytes, places } = written(7, &[0, 1, 1, 3]);
    for byte in places[1]..places[3] {
        let mut damaged = bytes.clone();
        damaged[byte] ^= 1;
        let (_, walk) = walked(&header, &damaged);
        assert_eq!(walk.synced, places[3] as u64);
        assert!(walk.end < walk.synced, "damage: {byte}");
    }
    let mut damaged = bytes.clone();
    damaged[SEGMENT_HEADER_BYTES..places[3]].fill(0);
    assert_eq!(walked(&header, &damaged).1.synced, places[3] as u64);
    // Only its header is needed for the proof.
    damaged.truncate(places[3] + FRAME_HEADER_BYTES);
    assert_eq!(walked(&header, &damaged).1.synced, places[3] as u64);
}

#[test]
fn what_only_looks_like_a_frame_proves_nothing() {
    let Written { header, bytes, places } = written(7, &[0, 1]);
    // Frames of another segment in the blocks behind, or inside of a value.
    let other = written(8, &[0, 1, 2, 3, 4, 5]).bytes;
    let mut torn = bytes[..places[2] - 1].to_vec();
    torn.extend_from_slice(&other);
    let (frames, walk) = walked(&header, &torn);
    assert_eq!((frames, walk.synced), (1, places[1] as u64));
}

#[test]
fn a_frame_out_of_its_order_ends_the_walk() {
    let Written { header, bytes, places } = written(7, &[0, 1, 2]);
    let mut swapped = bytes[..places[1]].to_vec();
    swapped.extend_from_slice(&bytes[places[2]..]);
    let (frames, walk) = walked(&header, &swapped);
    assert_eq!((frames, walk.end), (1, places[1] as u64));
}

#[test]
fn a_fault_across_the_edge_of_what_is_read_at_once_is_found() {
    let Written { header, bytes, places } = written(7, &[0, 1]);
    let later = &bytes[places[1]..];
    for shift in 0..FRAME_HEADER_BYTES + 2 {
        let mut damaged = bytes[..places[1]].to_vec();
        damaged.resize(places[1] + CHUNK_BYTES - shift, 0xEE);
        damaged.extend_from_slice(later);
        assert_eq!(walked(&header, &damaged).1.synced, places[1] as u64, "{shift}");
    }
}
