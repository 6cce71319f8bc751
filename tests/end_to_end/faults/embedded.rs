//! One process on the embedded log, with producers and consumers in it, killed at every named point and
//! at random; afterwards the books must be those of the book-keeper, and what was acknowledged there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown::cli::{self, Setup};
use drawdown_log::Point;
use drawdown_runtime::clock::Clock;
use tempfile::TempDir;

use super::check;
use super::kills::{Kills, TABLE_MAX, kills_wanted, seed, tally};
use super::load::{Load, Sent};
use super::site::{STARTS_AT, Site};

/// Points that a process on the embedded log reaches in so short a life.
const POINTS: [Point; 14] = [
    Point::Read,
    Point::Decided,
    Point::FrameTorn,
    Point::FrameWritten,
    Point::FrameSynced,
    Point::Committed,
    Point::SnapshotChunk,
    Point::Restoring,
    Point::RunTorn,
    Point::RunSealed,
    Point::RunsMerged,
    Point::CheckpointBegun,
    Point::CheckpointTorn,
    Point::CheckpointWritten,
];

/// An hour of the installation's time passes in so many seconds.
const HOUR_SECONDS: u32 = 10;
const PART: &str = "FAULTS_PART";
const FOLDER: &str = "FAULTS_FOLDER";
const SEED: &str = "FAULTS_SEED";

/// The process that is killed: this test binary again, told by the environment which part to play. In
/// an ordinary run it does nothing.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let site = site(&folder);
    let (setup, log) = (setup(&folder), site.log.clone());
    std::thread::spawn(move || {
        let names = ["metering", "registry", "balance"].map(str::to_owned);
        let ended = cli::run_workers_on(&setup, log, &names, None, Arc::default(), &mut || Ok(()));
        panic!("the consumers have ended: {ended:?}");
    });
    match part.as_str() {
        "open" => site.open_accounts(),
        "work" => {
            let seed = std::env::var(SEED).unwrap().parse().unwrap();
            let _load = Load::counted(&site, seed, &folder.join("acknowledged"));
            std::thread::park();
        }
        "rest" => site.wait_for_rest(),
        other => panic!("there is no part {other}"),
    }
    std::process::exit(0);
}

fn setup(folder: &Path) -> Setup {
    Setup::read(Some(&folder.join("drawdown.toml")), &[]).unwrap()
}

fn site(folder: &Path) -> Site {
    let setup = setup(folder);
    let (log, clock) = (setup.log().unwrap(), setup.clock().unwrap());
    Site { setup, log, clock }
}

fn configure(folder: &Path) {
    let clock = Clock::fast(3_600 / HOUR_SECONDS, STARTS_AT.parse().unwrap());
    let Clock::Fast(fast) = &clock else { unreachable!() };
    let plan = drawdown_wire::topics::DEFAULT_PLAN.replace("_partitions = 16", "_partitions = 4");
    fs::write(folder.join("topics.toml"), plan).unwrap();
    let config = format!(
        "[installation]\nsecret = \"{}\"\ntopics = \"{}\"\n[log]\nengine = \"embedded\"\n[embedded]\ndirectory = \"{}\"\n\
         [worker]\nclock = \"{} {} {}\"\nsnapshot_after_bytes = 10000\nhttp = \"\"\ndata = \"{}\"\n\
         [metering]\nidentities_table_max = {TABLE_MAX}\n",
        "5a".repeat(32),
        folder.join("topics.toml").display(),
        folder.join("log").display(),
        fast.factor,
        fast.shown,
        fast.real,
        folder.join("local").display()
    );
    fs::write(folder.join("drawdown.toml"), config).unwrap();
}

/// Starts the process.
fn start(folder: &Path, part: &str, seed: u64, armed: Option<String>) -> Child {
    let output = File::options().create(true).append(true).open(folder.join("output")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "end_to_end::faults::embedded::part", "--nocapture"]);
    command.env(PART, part).env(FOLDER, folder).env(SEED, seed.to_string());
    command.envs(armed.map(|armed| ("DRAWDOWN_KILL_AT", armed)));
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    command.spawn().unwrap()
}

/// Lets the process play a part to its end.
fn play(folder: &Path, part: &str) {
    let ended = start(folder, part, 0, None).wait().unwrap();
    let said = || fs::read_to_string(folder.join("output")).unwrap();
    assert!(
        ended.success(),
        "{part}: {}",
        said().lines().rev().take(30).collect::<Vec<_>>().join("\n")
    );
}

/// R1.3, R2.2, R5.1: nothing is lost and nothing counted twice, whenever the process is killed.
#[test]
fn a_killed_process_on_the_embedded_log_loses_and_doubles_nothing() {
    let began = Instant::now();
    let folder = TempDir::with_prefix("drawdown-faults-").unwrap();
    let folder = folder.path();
    configure(folder);
    play(folder, "open");
    let mut kills = Kills::new(&POINTS);
    for kill in 0..kills_wanted() {
        let (point, times) = kills.next_point(kill);
        let armed = point.map(|point| format!("{}:{times}", point.name()));
        let mut child = start(folder, "work", seed() * 10_000 + kill as u64, armed);
        let patience = match point {
            Some(_) => Duration::from_secs(10),
            None => kills.some_time(),
        };
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let met = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        kills.count(point.filter(|_| met));
    }
    play(folder, "rest");
    let acknowledged = fs::read(folder.join("acknowledged")).unwrap();
    let counts =
        acknowledged.chunks_exact(8).map(|count| u64::from_le_bytes(count.try_into().unwrap()));
    let sent = Sent { records: counts.sum(), ..Sent::default() };
    let books = check::compare(&site(folder), &sent);
    println!("{kills}\n{books}\nseed {}, {:.0} s", seed(), began.elapsed().as_secs_f64());
    assert!(books.records_on_the_log() >= sent.records, "acknowledged records are lost");
    tally("embedded-kills", kills_wanted(), &books);
    kills.check();
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
}
