//! Every input that a fuzzer ever found worth keeping, through its decoder again.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use drawdown_fuzz::TARGETS;

/// No few bytes keep a decoder busy for so long, on a busy machine either.
const WITHIN: Duration = Duration::from_secs(10);

#[test]
fn every_decoder_stands_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in TARGETS {
        let folder = corpus.join(target.name);
        let mut inputs = (target.seeds)();
        if folder.exists() {
            let files = fs::read_dir(&folder).unwrap();
            inputs.extend(files.map(|file| fs::read(file.unwrap().path()).unwrap()));
        }
        assert!(!inputs.is_empty(), "{} has no inputs", target.name);
        for input in inputs {
            let began = Instant::now();
            let ended = std::panic::catch_unwind(|| (target.run)(&input));
            assert!(ended.is_ok(), "{}: {:?}", target.name, String::from_utf8_lossy(&input));
            assert!(began.elapsed() < WITHIN, "{} took long over a few bytes", target.name);
        }
    }
    let known = |name: &str| TARGETS.iter().any(|target| target.name == name);
    for folder in fs::read_dir(&corpus).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(known(&name), "corpus/{name} belongs to no decoder");
    }
}

/// `SEEDS_TO=folder` writes what a fuzzer begins with.
#[test]
#[ignore = "writes files: make fuzz calls it"]
fn write_the_seeds() {
    let to = std::env::var("SEEDS_TO").expect("SEEDS_TO names a folder");
    for target in TARGETS {
        let folder = Path::new(&to).join(target.name);
        fs::create_dir_all(&folder).unwrap();
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
        }
    }
}
