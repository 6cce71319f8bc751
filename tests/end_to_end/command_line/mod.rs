//! The command line that asks the API: the binary as people call it.

mod approving;
mod asking;
mod canned;
mod explaining;
mod ingesting;
mod showing;

use std::process::{Command, Output, Stdio};

use super::console::rig::Rig;

/// The binary, told of a server by its environment.
fn drawdown(port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Whoever runs tests has a state of his own, and every server its port.
    command.env("XDG_STATE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
    command.env("DRAWDOWN_SERVER", format!("http://127.0.0.1:{port}")).env("DRAWDOWN_KEY", "demo");
    command
}

/// What it said, when it ended with this code: on standard output, and for people.
fn said(output: &Output, code: i32) -> (String, String) {
    let (out, err) = (&output.stdout, &output.stderr);
    let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out.into_owned(), err.into_owned())
}

/// What is printed by a call that goes well. Words stand apart by one space.
fn well(rig: &Rig, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    said(&drawdown(rig.client.port, &words).output().unwrap(), 0).0
}

/// What people are told by a call that ends with this code.
fn told(rig: &Rig, line: &str, code: i32) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    said(&drawdown(rig.client.port, &words).output().unwrap(), code).1
}

/// An account with cash, opened by the command line itself.
fn opened(rig: &Rig) {
    well(rig, "do open_enterprise --enterprise acme --name Acme --country SG");
    well(
        rig,
        "do open_account --account acme --enterprise acme --email a@b.example --currency USD --mode prepaid",
    );
    well(
        rig,
        "do top_up --billing_account ba-acme --amount 100.00 --currency USD --method bank_transfer",
    );
}
