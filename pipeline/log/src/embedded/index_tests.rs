use super::*;
use crate::embedded::Topic;

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let topics = [("a", 2), ("b", 1)].map(|(name, partitions)| Topic {
        name: name.to_owned(),
        partitions,
        keep: None,
    });
    catalogue.configure(&topics).unwrap();
    catalogue
}

/// Lane 0 holds runs of 1, 2, 3 ... messages, lane 2 one run.
fn growing(runs: u32) -> Growing {
    let mut growing = Growing::default();
    let mut first = 100;
    for run in 0..runs {
        let entry = Entry { first, position: 64 + run * 1_000, length: 500, count: run % 5 + 1 };
        growing.push(Lane(0), entry, i64::from(run));
        first = entry.next();
    }
    growing.push(Lane(2), Entry { first: 0, position: 7, length: 9, count: 1 }, -5);
    growing
}

struct OnDisk {
    file: File,
    filed: Option<Filed>,
}

fn on_disk(bytes: &[u8], salt: u32) -> OnDisk {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    let filed = Filed::open(&file, PathBuf::from("index"), salt, &catalogue()).unwrap();
    OnDisk { file, filed }
}

#[test]
fn a_filed_index_finds_what_the_growing_one_finds() {
    let growing = growing(3_000);
    let OnDisk { file, filed } = on_disk(&growing.encode(&catalogue(), 7, 12_345), 7);
    let filed = filed.unwrap();
    assert_eq!(filed.segment_bytes, 12_345);
    let summary = filed.summary(Lane(0)).unwrap();
    assert_eq!((summary.first, summary.next, summary.at_max), (100, 9_100, 2_999));
    assert_eq!(filed.summary(Lane(1)), None);
    assert_eq!(filed.summary(Lane(2)).unwrap().at_max, -5);
    let mut hint = 0;
    for offset in summary.first..summary.next {
        let expected = growing.find(Lane(0), offset);
        for hint in [0, hint, 3_000] {
            let (number, entries) = filed.find(&file, Lane(0), offset, hint).unwrap();
            assert_eq!((number, entries[0]), (expected.0, expected.1[0]), "{offset} {hint}");
        }
        assert!(expected.1[0].first <= offset && offset < expected.1[0].next());
        hint = expected.0;
    }
}

#[test]
fn a_damaged_index_is_no_index_or_is_found_out_when_it_is_read() {
    let bytes = growing(20).encode(&catalogue(), 7, 12_345);
    assert!(on_disk(&bytes, 8).filed.is_none(), "the index of another segment");
    for byte in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[byte] ^= 4;
        let OnDisk { file, filed: Some(filed) } = on_disk(&changed, 7) else { continue };
        let found = filed.find(&file, Lane(0), 100, 0).and(filed.find(&file, Lane(2), 0, 0));
        assert!(found.is_err(), "byte {byte}");
    }
    for end in 0..bytes.len() {
        assert!(on_disk(&bytes[..end], 7).filed.is_none(), "cut at {end}");
    }
}
