//! The shell blocks of the README, each run in an empty folder as a reader would, or named below with
//! the reason why not.
//!
//! A block is indented by four spaces, or fenced as `sh`. A comment right before it says against what it
//! is run: `<!-- run: checkout -->`, `<!-- run: up -->`, `<!-- run: rest -->` (once what is up has ended), `<!-- run:
//! scenario -->`, `<!-- run: scenario, fails -->` (after those, and it must), `<!-- run: kafka -->`. All blocks of one
//! kind are one story, in one folder and one shell.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use drawdown_components::{Broker, BrokerOptions, free_port};
use tempfile::TempDir;

use super::console::client::Client;
use super::console::rig::WITHIN;
use super::turn;

/// Blocks that are not run here: how they begin, and why.
const NOT_RUN: [(&str, &str); 3] = [
    ("make run", "`make smoke` runs it, and asserts what it promises"),
    ("make kafka", "it runs until it is ended; a test of tests/components does that"),
    ("make check", "these run all tests, this one among them"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    /// Its first line in the README, from one.
    line: usize,
    against: Option<String>,
    text: String,
}

/// The shell blocks of a text in Markdown.
fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut against, mut fenced) = (Vec::<Block>::new(), None, None::<bool>);
    let mut is_open = false;
    for (number, line) in text.lines().enumerate() {
        let mut add = |line: &str| {
            match blocks.last_mut().filter(|_| is_open) {
                Some(block) => block.text.push_str(line),
                None => blocks.push(Block {
                    line: number + 1,
                    against: against.take(),
                    text: line.to_owned(),
                }),
            }
            blocks.last_mut().unwrap().text.push('\n');
            is_open = true;
        };
        match (fenced, line.strip_prefix("```")) {
            (Some(_), Some(_)) => (fenced, is_open) = (None, false),
            (Some(true), None) => add(line),
            (Some(false), None) => {}
            (None, Some(kind)) => {
                (fenced, is_open) = (Some(matches!(kind, "sh" | "console")), false)
            }
            (None, None) => match line.strip_prefix("    ") {
                Some(line) => add(line),
                None if line.trim().is_empty() => {}
                None => {
                    is_open = false;
                    let mark = line.strip_prefix("<!-- run: ");
                    let mark = mark.and_then(|mark| mark.strip_suffix(" -->"));
                    against = mark.map(str::to_owned);
                }
            },
        }
    }
    blocks
}

/// The blocks of the README that are run against something, as one script.
fn script(against: &str) -> String {
    let chosen = blocks(include_str!("../../README.md"));
    let chosen = chosen.into_iter().filter(|block| block.against.as_deref() == Some(against));
    chosen.map(|block| format!("# README.md line {}\n{}", block.line, block.text)).collect()
}

#[test]
fn every_block_is_run_or_named_with_a_reason() {
    let mut named = Vec::new();
    for block in blocks(include_str!("../../README.md")) {
        match block.against.as_deref() {
            Some("checkout" | "up" | "rest" | "scenario" | "scenario, fails" | "kafka") => {}
            Some(other) => panic!("line {}: nothing is run against {other}", block.line),
            None => {
                let known = NOT_RUN.iter().position(|(begins, _)| block.text.starts_with(begins));
                named.push(known.unwrap_or_else(|| {
                    panic!("line {}: say what it is run against:\n{}", block.line, block.text)
                }));
            }
        }
    }
    assert_eq!(named, (0..NOT_RUN.len()).collect::<Vec<_>>(), "each of NOT_RUN stands there once");
}

#[test]
fn blocks_are_found_as_they_are_written() {
    let text = "Words.\n\n    make run\n\n<!-- run: up -->\n```sh\na\n\nb\n```\n\n```toml\nx = 1\n```\n<!-- run: kafka -->\n\n    c\n    d\n\nWords.\n    e\n";
    let block = |line, against: Option<&str>, text: &str| Block {
        line,
        against: against.map(str::to_owned),
        text: text.to_owned(),
    };
    let expected = [
        block(3, None, "make run\n"),
        block(7, Some("up"), "a\n\nb\n"),
        block(17, Some("kafka"), "c\nd\n"),
        block(21, None, "e\n"),
    ];
    assert_eq!(blocks(text), expected);
}

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already need not be ended.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A folder, and a shell in it that knows the binary.
struct Reader {
    folder: TempDir,
    port: u16,
    sql_port: u16,
    /// What README says, and what stands for it here.
    instead: Vec<(String, String)>,
    variables: Vec<(&'static str, String)>,
    running: Vec<Running>,
}

impl Reader {
    fn new() -> Reader {
        let folder = TempDir::with_prefix("drawdown-readme-").unwrap();
        let (port, sql_port) = (free_port().unwrap(), free_port().unwrap());
        // Where `up` listens, and where workers do.
        let instead = ["127.0.0.1:8080", "127.0.0.1:9464"];
        let mut instead =
            instead.map(|usual| (usual.to_owned(), format!("127.0.0.1:{port}"))).to_vec();
        instead.push(("/tmp/tour".to_owned(), folder.path().display().to_string()));
        let variables = vec![
            ("DRAWDOWN_SERVER", format!("http://127.0.0.1:{port}")),
            ("DRAWDOWN_WORKER_HTTP", format!("127.0.0.1:{port}")),
            ("DRAWDOWN_CLICKHOUSE_URL", format!("http://127.0.0.1:{sql_port}")),
            ("XDG_STATE_HOME", folder.path().join(".state").display().to_string()),
        ];
        Reader { folder, port, sql_port, instead, variables, running: Vec::new() }
    }

    fn shell(&self, program: &str) -> Command {
        let built = Path::new(env!("CARGO_BIN_EXE_drawdown")).parent().unwrap();
        let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env("PATH", path).stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a script line by line, as somebody does who stops at the first error. What serves until it is
    /// ended is started beside it, and waited for.
    fn reads(&mut self, script: &str) {
        let mut before = String::new();
        for line in script.split_inclusive('\n') {
            let serving = ["drawdown up", "drawdown worker", "drawdown clickhouse"];
            if serving.iter().any(|serves| line.starts_with(serves)) {
                self.runs(&before);
                before.clear();
                self.serves(line.trim());
            } else {
                before.push_str(line);
            }
        }
        self.runs(&before);
    }

    fn here(&self, script: &str) -> String {
        let replaced = |text: String, (from, to): &(String, String)| text.replace(from, to);
        self.instead.iter().fold(script.to_owned(), replaced)
    }

    fn ran(&self, script: &str) -> Output {
        // Loops that wait for something would wait for ever.
        let mut shell = self.shell("timeout");
        shell.args(["180", "bash", "-euxo", "pipefail", "-c", &self.here(script)]);
        shell.output().unwrap()
    }

    fn runs(&self, script: &str) {
        let output = self.ran(script);
        let (out, err) = (&output.stdout, &output.stderr);
        assert!(
            output.status.success(),
            "{script}\n{}\n{}",
            String::from_utf8_lossy(out),
            String::from_utf8_lossy(err)
        );
    }

    fn serves(&mut self, line: &str) {
        let (port, sql_port) = (self.port, self.sql_port);
        let (line, port, alive) = match line.split(' ').nth(1) {
            Some("up") => (format!("{line} --port {port} --sql-port {sql_port}"), port, "/healthz"),
            Some("clickhouse") => {
                (format!("{line} --listen 127.0.0.1:{sql_port}"), sql_port, "/ping")
            }
            _ => (line.to_owned(), port, "/healthz"),
        };
        let said = self.folder.path().join("said-by-the-server");
        let mut shell = self.shell("bash");
        shell.args(["-c", &format!("exec {}", self.here(&line))]);
        shell.stdout(Stdio::null()).stderr(fs::File::create(&said).unwrap());
        let mut running = Running(shell.spawn().unwrap());
        let (deadline, client) = (Instant::now() + WITHIN, Client { port });
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
            || client.send("GET", alive, &[], b"").status != 200
        {
            let said = || fs::read_to_string(&said).unwrap();
            assert!(running.0.try_wait().unwrap().is_none(), "{line} ended: {}", said());
            assert!(Instant::now() < deadline, "{line} has no health: {}", said());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        self.running.push(running);
    }

    /// Ends what serves, as Ctrl-C does.
    fn ends(&mut self) {
        for mut running in self.running.drain(..) {
            let id = rustix::process::Pid::from_child(&running.0);
            rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
            assert!(running.0.wait().unwrap().success());
        }
    }
}

#[test]
fn what_is_run_in_the_checkout_goes_well() {
    let mut reader = Reader::new();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::os::unix::fs::symlink(checkout.join("tests"), reader.folder.path().join("tests")).unwrap();
    reader.reads(&script("checkout"));
}

#[test]
fn a_scenario_goes_well_until_its_price_is_another() {
    let mut reader = Reader::new();
    reader.reads(&script("scenario"));
    let output = reader.ran(&script("scenario, fails"));
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}\n{err}");
    assert!(out.contains("available: expected \"-0.96\", found \"-1\""), "{out}\n{err}");
}

#[test]
fn what_is_run_on_kafka_goes_well() {
    let _turn = turn::take();
    let broker = Broker::start(BrokerOptions::default()).unwrap();
    let mut reader = Reader::new();
    // The reader's broker has the usual address, which need not be said.
    reader.instead.push(("127.0.0.1:9092".to_owned(), broker.bootstrap()));
    reader.variables.push(("DRAWDOWN_KAFKA_BOOTSTRAP", broker.bootstrap()));
    let script = script("kafka");
    assert!(script.contains("drawdown worker"), "{script}");
    reader.reads(&script);
}

/// The tour, on a clock that is ten times faster, and the audit of all it left.
#[test]
fn the_tour_goes_well() {
    let _turn = turn::take();
    let mut reader = Reader::new();
    reader.instead.push(("--clock 60".to_owned(), "--clock 600".to_owned()));
    reader.instead.push(("127.0.0.1:8123".to_owned(), format!("127.0.0.1:{}", reader.sql_port)));
    reader.reads(&script("up"));
    reader.ends();
    let rest = script("rest");
    assert!(rest.contains("drawdown audit"), "{rest}");
    reader.reads(&rest);
}
