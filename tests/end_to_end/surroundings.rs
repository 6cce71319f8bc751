//! Bad surroundings: the binary says what is wrong and what to do, and ends with 1, or 2 if it was
//! called wrongly.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drawdown_components::{Broker, BrokerOptions};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn drawdown(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // Tests run beside each other, and the usual address is for one.
    command.env("DRAWDOWN_WORKER_HTTP", "");
    command
}

/// Runs the binary to its end, which must come with this code and say all of this.
fn check(arguments: &[&str], code: i32, says: &[&str]) {
    let output = drawdown(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?} said: {said}");
    for text in says {
        assert!(said.contains(text), "{arguments:?} should say {text:?}, but said: {said}");
    }
}

/// A file of the test, by its path.
fn file(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

#[test]
fn wrong_calls_end_with_two() {
    check(&["worker"], 2, &["<NAMES>", "Usage"]);
    check(&["nonsense"], 2, &["nonsense"]);
    check(&["config", "--sett", "a=b"], 2, &["--sett", "--set"]);
}

#[test]
fn a_configuration_that_cannot_be_used_is_named() {
    let folder = TempDir::new().unwrap();
    let away = folder.path().join("away.toml").display().to_string();
    check(&["config", "--config", &away], 1, &[&away, "cannot be read", "No such file"]);
    let unknown = file(&folder, "unknown.toml", "[kafka]\nbootstrp = \"a:1\"\n");
    check(&["config", "--config", &unknown], 1, &[&unknown, "bootstrp", "--reference"]);
    let broken = file(&folder, "broken.toml", "[kafka\n");
    check(&["config", "--config", &broken], 1, &[&broken, "line 1"]);
    let flag = ["config", "--set", "kafka.bootstrp=a:1"];
    check(&flag, 1, &["kafka.bootstrp", "drawdown config --reference"]);
    let secret = ["worker", "metering", "--set", "installation.secret=12"];
    check(&secret, 1, &["installation.secret", "64 hexadecimal digits"]);
    let name = ["worker", "meterin"];
    check(&name, 1, &["meterin", "metering, registry, balance, payments, alerts, invoices"]);
}

#[test]
fn broken_settings_are_named_with_their_place() {
    let folder = TempDir::new().unwrap();
    let good = file(&folder, "good.toml", "usage.max_age = \"40d\"\n");
    check(&["settings", "check", &good], 0, &[]);
    let broken = file(&folder, "broken.toml", "usage.max_aeg = \"40d\"\n");
    check(&["settings", "check", &broken], 1, &[&broken, "max_aeg", "line 1"]);
    check(&["settings", "load", &broken], 1, &[&broken, "max_aeg"]);
}

#[test]
fn a_broken_price_book_is_named_with_its_place() {
    let folder = TempDir::new().unwrap();
    let away = folder.path().join("away.toml").display().to_string();
    check(&["prices", "check", &away], 1, &[&away, "cannot be read"]);
    let broken = file(&folder, "broken.toml", "[[price]]\nproduct = \"compute\"\nmeter = 7\n");
    check(&["prices", "check", &broken], 1, &[&broken, "meter"]);
    let row = "[[price]]\nproduct = \"a\"\nmeter = \"b\"\ncurrency = \"USD\"\nmodel = \"per_unit\"\nunit_price = \"1\"\n";
    let twice = file(&folder, "twice.toml", &format!("{row}{row}"));
    check(&["prices", "check", &twice], 1, &[&twice, "line 1", "line 7"]);
}

/// A worker need not be started after its broker: it says what it waits for, and ends when it is asked.
#[test]
fn a_worker_without_a_broker_keeps_trying_and_says_so() {
    let folder = TempDir::new().unwrap();
    let said = folder.path().join("said");
    let secret = format!("installation.secret={}", "5a".repeat(32));
    let mut worker = drawdown(&["worker", "metering", "--set", "kafka.bootstrap=127.0.0.1:1"])
        .args(["--set", &secret])
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let tries = || {
        let said = fs::read_to_string(&said).unwrap();
        let says = |line: &&str| {
            line.contains("127.0.0.1:1")
                && line.contains("kafka.bootstrap")
                && line.contains("trying again")
        };
        said.lines().filter(says).count()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while tries() < 2 {
        assert!(worker.try_wait().unwrap().is_none(), "{}", fs::read_to_string(&said).unwrap());
        assert!(Instant::now() < deadline, "{}", fs::read_to_string(&said).unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = Pid::from_raw(i32::try_from(worker.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(0));
}

#[test]
fn topics_that_differ_from_the_plan_are_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(BrokerOptions::default()).unwrap();
    let config = |name: &str, usage_partitions: u32| {
        let plan = drawdown_wire::topics::DEFAULT_PLAN
            .replace("usage_partitions = 16", &format!("usage_partitions = {usage_partitions}"))
            .replace("ledger_partitions = 16", "ledger_partitions = 2");
        let plan = file(&folder, &format!("{name}-topics.toml"), &plan);
        let (secret, bootstrap) = ("5a".repeat(32), broker.bootstrap());
        let config = format!(
            "[installation]\nsecret = \"{secret}\"\ntopics = \"{plan}\"\n[kafka]\nbootstrap = \"{bootstrap}\"\n"
        );
        file(&folder, name, &config)
    };
    let made = config("made.toml", 2);
    let worker = |config: &str, says: &[&str]| {
        assert!(Path::new(config).exists());
        check(&["worker", "metering", "--config", config], 1, says);
    };
    worker(&made, &["drawdown.usage", "missing", "drawdown topics apply"]);
    check(&["topics", "apply", "--config", &made], 0, &[]);
    let other = config("other.toml", 3);
    worker(&other, &["drawdown.usage", "partitions should be 3, is 2", "drawdown topics"]);
    check(&["topics", "check", "--config", &other], 1, &["drawdown topics apply"]);
}
