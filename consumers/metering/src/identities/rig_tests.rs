//! One partition's memory beside a naive map, on a log in memory, through crashes and restarts.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use drawdown_domain::time::Timestamp;
use drawdown_log::{Faults, Log, Memory};
use drawdown_runtime::Stop;
use tempfile::TempDir;

use super::*;

pub(super) const TOPIC: &str = "identities";
pub(super) const KEY: [u8; 16] = [7; 16];
pub(super) const TABLE_MAX: usize = 8;

/// What is remembered under each identity, and from which day on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Naive {
    entries: BTreeMap<u64, (u64, i32, i64)>,
    kept_from: i32,
}

impl Naive {
    fn find(&self, number: u64) -> Option<&(u64, i32, i64)> {
        self.entries.get(&number).filter(|(_, day, _)| *day >= self.kept_from)
    }

    fn look(&self, number: u64, content: u64) -> Known {
        match self.find(number) {
            None => Known::New,
            Some((known, _, _)) if *known == content => Known::Duplicate,
            Some(_) => Known::Conflict,
        }
    }
}

pub(super) struct Rig {
    pub(super) log: Memory,
    pub(super) folder: TempDir,
    in_memory: bool,
    pub(super) identities: Identities,
    naive: Naive,
    /// What the last commit made certain: the state.
    pub(super) committed: (Naive, Position),
    offset: i64,
}

/// A keyed hash is spread evenly; so is this, and some share their upper half.
pub(super) fn told(number: u64, content: u64) -> Told {
    let mix = |number: u64| (number ^ (number >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let high = mix(mix(number.div_euclid(2)).rotate_left(17));
    Told { identity: Identity { high, low: mix(number + 1) }, content }
}

pub(super) fn noon(day: i32) -> Timestamp {
    Timestamp::from_micros(i64::from(day) * 86_400_000_000 + 43_200_000_000)
}

pub(super) fn options(directory: Option<PathBuf>) -> IdentityOptions {
    IdentityOptions { directory, table_max: TABLE_MAX, ..IdentityOptions::default() }
}

impl Rig {
    pub(super) fn new(in_memory: bool) -> Rig {
        let shelves = Arc::new(Shelves::new(options(None), &KEY));
        let naive = Naive { kept_from: 100, ..Naive::default() };
        let mut rig = Rig {
            log: Memory::new([(TOPIC, 2)], Faults::default()),
            folder: tempfile::tempdir().unwrap(),
            in_memory,
            identities: Identities::new(shelves, 1),
            naive: naive.clone(),
            committed: (naive, Position::default()),
            offset: 0,
        };
        rig.restart().unwrap();
        rig
    }

    pub(super) fn files(&self) -> PathBuf {
        self.folder.path().join("1")
    }

    /// The process dies, and its successor restores what the last commit left.
    pub(super) fn restart(&mut self) -> Result<(), Stop> {
        let (naive, position) = self.committed.clone();
        // The directory is let go by the one before it is taken by the next.
        self.identities = Identities::new(Arc::new(Shelves::new(options(None), &KEY)), 1);
        let directory = (!self.in_memory).then(|| self.folder.path().to_owned());
        let shelves = Arc::new(Shelves::new(options(directory), &KEY));
        self.identities = Identities::new(shelves, 1);
        self.identities.forget_before(naive.kept_from);
        self.naive = naive;
        self.identities.restore(&self.log, TOPIC, position)
    }

    /// What the worker does about damage: it drops everything and restores.
    fn sound<T>(&mut self, answer: Result<T, Trouble>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(Trouble::Damaged(_) | Trouble::Abandoned) => {
                self.restart().unwrap();
                None
            }
            Err(other) => panic!("{other}"),
        }
    }

    pub(super) fn record(&mut self, number: u64, content: u64, day: i32) {
        let answer = self.identities.look(told(number, content));
        let Some(known) = self.sound(answer) else { return };
        assert_eq!(known, self.naive.look(number, content), "{number}");
        if known == Known::New {
            self.offset += 1;
            self.identities.remember(told(number, content), noon(day), self.offset, 3);
            let day = day.max(self.naive.kept_from);
            self.naive.entries.insert(number, (content, day, self.offset));
        }
    }

    pub(super) fn forget_before(&mut self, day: i32) {
        self.naive.kept_from = self.naive.kept_from.max(day);
        self.identities.forget_before(day);
    }

    /// A step, which is committed or lost.
    pub(super) fn step(&mut self, is_lost: bool) {
        let packed = self.identities.take_packed();
        if is_lost {
            return self.restart().unwrap();
        }
        let values: Vec<&[u8]> = packed.iter().map(Vec::as_slice).collect();
        self.log.append(TOPIC, 1, Timestamp::START, &values).unwrap();
        self.committed = (self.naive.clone(), self.identities.reached());
        self.identities.committed(|| Some(self.log.bounds(TOPIC, 1).unwrap().end));
        let settled = self.identities.settle();
        self.sound(settled);
    }

    /// Lets the thread do everything there is to do.
    pub(super) fn rest(&mut self) {
        loop {
            if let Some(asked) = self.identities.asked.take() {
                let answer = asked.answer.recv().unwrap();
                let (tell, answered) = sync_channel(1);
                tell.send(answer).unwrap();
                self.identities.asked = Some(Asked { answer: answered, ..asked });
            }
            let settled = self.identities.settle();
            if self.sound(settled).is_some() && self.identities.asked.is_none() {
                return;
            }
        }
    }

    /// Every identity there ever was, and some that never were.
    pub(super) fn check(&mut self) {
        let most = self.naive.entries.keys().max().copied().unwrap_or(0);
        for number in 0..most + 20 {
            let answer = self.identities.find(told(number, 0).identity);
            let Some(found) = self.sound(answer) else { return self.check() };
            let found = found.map(|entry| (entry.content, entry.day, entry.offset, entry.index));
            let expected =
                self.naive.find(number).map(|(content, day, offset)| (*content, *day, *offset, 3));
            assert_eq!(found, expected, "{number}");
        }
    }

    pub(super) fn file_names(&self) -> Vec<PathBuf> {
        let Ok(found) = fs::read_dir(self.files()) else { return Vec::new() };
        let mut names: Vec<PathBuf> = found.map(|file| file.unwrap().path()).collect();
        names.sort();
        names
    }

    pub(super) fn copy(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.file_names().into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// The files are as they were once.
    pub(super) fn put_back(&mut self, files: &[(PathBuf, Vec<u8>)]) {
        self.rest();
        for path in self.file_names() {
            fs::remove_file(path).unwrap();
        }
        fs::create_dir_all(self.files()).unwrap();
        for (path, contents) in files {
            fs::write(path, contents).unwrap();
        }
    }

    /// Some steps of new records, ten a day.
    pub(super) fn fill(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.record(number, number % 3, 100 + number as i32 / 10);
            if number % 3 == 0 {
                self.step(false);
            }
            if number % 5 == 0 {
                self.rest();
            }
        }
        self.step(false);
        self.rest();
    }
}
