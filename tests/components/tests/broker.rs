//! `make kafka`.

#![allow(clippy::unwrap_used)] // tests, all of it

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use drawdown_components::free_port;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn a_broker_runs_until_it_is_asked_to_end() {
    let port = free_port().unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown-components"));
        command.args(["kafka", &port.to_string()]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let mut broker = start().spawn().unwrap();
    let said = BufReader::new(broker.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(said.contains(&format!("127.0.0.1:{port}; Ctrl-C ends it")), "{said}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    let second = start().output().unwrap();
    let why = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && why.contains("perhaps by another broker"), "{why}");
    let pid = Pid::from_raw(i32::try_from(broker.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(broker.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}
