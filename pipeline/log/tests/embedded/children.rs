//! Processes of their own: this test binary again, told by the environment which part to play.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const PART: &str = "DRAWDOWN_TEST_PART";
const DIRECTORY: &str = "DRAWDOWN_TEST_DIRECTORY";

/// The test that plays the part in the child; in an ordinary run it does nothing.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let directory = std::env::var(DIRECTORY).unwrap();
    let path = Path::new(&directory);
    match part.as_str() {
        "hold" => super::kills::hold(path),
        "commit" => super::kills::commit_for_ever(path),
        "forget" => super::kills::forget_for_ever(path),
        "fill" => super::full::fill(path),
        "lag" => super::bounded::lag(path),
        other => panic!("{other}"),
    }
}

pub(crate) struct Child {
    child: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Child {
    pub(crate) fn start(part: &str, path: &Path, environment: &[(&str, &str)]) -> Child {
        Child::start_through(&[], part, path, environment)
    }

    /// Starts the child by another program, which gets the test's command line behind its own.
    pub(crate) fn start_through(
        program: &[&str],
        part: &str,
        path: &Path,
        environment: &[(&str, &str)],
    ) -> Child {
        let own = std::env::current_exe().unwrap();
        let mut words = program.iter().map(std::ffi::OsStr::new).chain([own.as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(["--exact", "embedded::children::part", "--nocapture"]);
        command.env(PART, part).env(DIRECTORY, path).envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Child { child, lines }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line it says, without those of the test harness; none once it has ended.
    pub(crate) fn line(&mut self) -> Option<String> {
        let own = |line: String| line.strip_prefix("says ").map(str::to_owned);
        self.lines.by_ref().map_while(Result::ok).find_map(own)
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it, and returns what it had said before and nobody had heard yet.
    pub(crate) fn kill_and_hear(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.end().0
    }

    /// What it said until it ended, and whether it ended well.
    pub(crate) fn end(mut self) -> (Vec<String>, bool) {
        let mut said = Vec::new();
        while let Some(line) = self.line() {
            said.push(line);
        }
        (said, self.child.wait().unwrap().success())
    }
}

/// Says something to the parent. The line begins anew, whatever the harness has written.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    // If nobody listens any more, the parent is done with this child.
    if out.write_all(format!("\nsays {text}\n").as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
