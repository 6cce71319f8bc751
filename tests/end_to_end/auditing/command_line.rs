//! `drawdown audit` as an operator meets it.

use std::fs;
use std::sync::Arc;

use drawdown::cli::{Forgets, Setup, audit_log};
use drawdown::rehearse::Stage;
use drawdown_log::Log;
use drawdown_log::embedded::Embedded;
use drawdown_wire::topics::{DEFAULT_PLAN, Topics};
use tempfile::TempDir;

use super::tamper::History;

/// The configuration of an embedded log in a folder, on which a rehearsal can take place.
fn setup(folder: &TempDir) -> Setup {
    let plan = DEFAULT_PLAN.replace("_partitions = 16", "_partitions = 2");
    fs::write(folder.path().join("topics.toml"), plan).unwrap();
    let config = format!(
        "[installation]\nsecret = \"{}\"\nprefix = \"\"\ntopics = \"{}\"\n[log]\nengine = \"embedded\"\n\
         [embedded]\ndirectory = \"{}\"\n",
        "07".repeat(32),
        folder.path().join("topics.toml").display(),
        folder.path().join("log").display(),
    );
    let path = folder.path().join("drawdown.toml");
    fs::write(&path, config).unwrap();
    Setup::read(Some(&path), &[]).unwrap()
}

fn audited(setup: &Setup) -> (String, Option<String>) {
    let mut out = Vec::new();
    let failed = audit_log(setup, &mut out, &mut std::io::sink()).err();
    (String::from_utf8(out).unwrap(), failed.map(|error| format!("{error:#}")))
}

fn embedded(setup: &Setup, forgets: Forgets) -> Embedded {
    let clock = setup.clock().unwrap();
    setup.embedded_dated_by(Arc::new(move || clock.now()), forgets).unwrap()
}

/// Whoever looks at a log leaves it as it is, however old it is by his clock: what is old the workers forget.
#[test]
fn a_log_that_is_looked_at_is_left_whole() {
    let folder = TempDir::new().unwrap();
    let setup = setup(&folder);
    let long_ago = "2020-03-01T00:00:00Z".parse().unwrap();
    let log = setup.embedded_dated_by(Arc::new(move || long_ago), Forgets::Nothing).unwrap();
    for _ in 0..3 {
        log.append("usage", 0, long_ago, &[b"a record"]).unwrap();
    }
    drop(log);
    let first = |log: &Embedded| {
        log.tidy().unwrap();
        log.bounds("usage", 0).unwrap().first.0
    };
    assert_eq!(first(&embedded(&setup, Forgets::Nothing)), 0);
    assert_eq!(first(&embedded(&setup, Forgets::WhatIsOld)), 3);
}

/// R1.3: the proof is printed; what is wrong makes the command fail; a log that a worker holds is not
/// audited.
#[test]
fn r1_3_an_embedded_log_is_audited_by_the_command_line() {
    let folder = TempDir::new().unwrap();
    let setup = setup(&folder);
    let (_, nothing_there) = audited(&setup);
    assert!(nothing_there.unwrap().contains("nothing to audit"));

    let log: Arc<Embedded> = Arc::new(embedded(&setup, Forgets::Nothing));
    let topics = Topics::new("", &setup.plan);
    let (data, restarts, timers_per_message_max) = (None, false, usize::MAX);
    let stage = Stage { log: log.clone(), topics, data, restarts, timers_per_message_max };
    let history = History::on(stage);
    let (_, held) = audited(&setup);
    assert!(held.unwrap().contains("while no worker holds it"));

    drop((history, log));
    let (proof, failed) = audited(&setup);
    assert_eq!(failed, None, "{proof}");
    assert!(proof.contains("balance: steps decided again"), "{proof}");
    assert!(proof.contains("\ndifferences: 0\n"), "{proof}");
    assert!(proof.contains("\nClickHouse: this installation has put nothing there\n"), "{proof}");
    assert!(proof.ends_with("\n\nThe books are right: the log differs nowhere.\n"), "{proof}");

    // Somebody else writes to a topic of ours.
    let log = setup.log().unwrap();
    let now = setup.clock().unwrap().now();
    log.append("entries", 0, now, &[b"not an entry"]).unwrap();
    drop(log);
    let (proof, failed) = audited(&setup);
    assert!(failed.unwrap().contains("the books differ in"), "{proof}");
    assert!(proof.contains("difference: entries 0 at "), "{proof}");
}
