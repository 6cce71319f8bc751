//! Random histories: whatever happens to the process and to its files, every answer is that of a naive
//! map (R2.2).

use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;

use super::rig_tests::Rig;

#[derive(Clone, Debug)]
enum Act {
    /// A record: which one, its content, and how many days old it is.
    Record(u8, u8, u8),
    Step,
    /// The step's outcome is unknown, and it did not take place.
    LoseStep,
    Days(u8),
    Crash,
    Rest,
    LoseDisk,
    /// The files are kept, to be put back later as those of an earlier owner.
    Keep,
    PutBack,
    Flip(u8, u32),
    Cut(u8, u32),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        60 => (any::<u8>(), 0..3_u8, 0..6_u8).prop_map(|(number, content, age)| Act::Record(number, content, age)),
        12 => Just(Act::Step),
        2 => Just(Act::LoseStep),
        3 => (1..3_u8).prop_map(Act::Days),
        3 => Just(Act::Crash),
        6 => Just(Act::Rest),
        1 => Just(Act::LoseDisk),
        1 => Just(Act::Keep),
        1 => Just(Act::PutBack),
        1 => (any::<u8>(), any::<u32>()).prop_map(|(file, place)| Act::Flip(file, place)),
        1 => (any::<u8>(), any::<u32>()).prop_map(|(file, place)| Act::Cut(file, place)),
    ]
}

fn play(acts: &[Act], in_memory: bool) {
    let mut rig = Rig::new(in_memory);
    let (mut today, mut kept) = (110, Vec::new());
    for act in acts {
        match *act {
            Act::Record(number, content, age) => {
                rig.record(number.into(), content.into(), today - i32::from(age));
            }
            Act::Step => rig.step(false),
            Act::LoseStep => rig.step(true),
            Act::Days(days) => {
                today += i32::from(days);
                rig.forget_before(today - 8);
            }
            Act::Crash => rig.restart().unwrap(),
            Act::Rest => rig.rest(),
            Act::LoseDisk => {
                rig.rest();
                fs::remove_dir_all(rig.files()).ok();
                rig.restart().unwrap();
            }
            Act::Keep => {
                rig.rest();
                kept = rig.copy();
            }
            Act::PutBack => {
                rig.rest();
                rig.put_back(&kept);
                rig.restart().unwrap();
            }
            Act::Flip(file, place) | Act::Cut(file, place) => {
                rig.rest();
                let files = rig.file_names();
                if let Some(path) =
                    files.get(usize::from(file).checked_rem(files.len()).unwrap_or(0))
                {
                    let mut bytes = fs::read(path).unwrap();
                    let place = (place as usize).checked_rem(bytes.len()).unwrap_or(0);
                    match act {
                        Act::Cut(..) => bytes.truncate(place),
                        _ => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 8),
                    }
                    fs::write(path, bytes).unwrap();
                    rig.restart().unwrap();
                }
            }
        }
    }
    rig.check();
    rig.step(false);
    rig.restart().unwrap();
    rig.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r2_2_every_answer_is_that_of_a_naive_map(acts in vec(act(), 0..400)) {
        play(&acts, false);
    }

    #[test]
    fn r2_2_without_a_directory_too(acts in vec(act(), 0..400)) {
        play(&acts, true);
    }
}
