//! A worker as its operator meets it: one process, its HTTP, its end.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use drawdown::cli::Setup;
use drawdown_components::{CREDENTIALS, MailServer, Security, free_port};
use drawdown_domain::commands::Command as Asked;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::time::{Timestamp, Zone};
use drawdown_wire::messages::CommandMessage;
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;
use serde_json::{Value, json};
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(30);
const NAMES: [&str; 6] = ["metering", "registry", "balance", "payments", "alerts", "invoices"];

/// An installation on the embedded log in a folder of its own.
struct Site {
    folder: TempDir,
    port: u16,
}

impl Site {
    fn new() -> Site {
        let folder = TempDir::with_prefix("drawdown-worker-").unwrap();
        let port = free_port().unwrap();
        let config = format!(
            "[installation]\nsecret = \"{}\"\n[log]\nengine = \"embedded\"\n[embedded]\ndirectory = \"{}\"\n\
             [worker]\nhttp = \"127.0.0.1:{port}\"\n",
            "5a".repeat(32),
            folder.path().join("log").display()
        );
        fs::write(folder.path().join("drawdown.toml"), config).unwrap();
        Site { folder, port }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("drawdown.toml")
    }

    fn worker(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg("worker").args(NAMES).arg("--config").arg(self.config());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self) -> Running {
        Running(Some(self.worker().spawn().unwrap()))
    }

    /// Puts commands on the log while no worker holds it.
    fn ask(&self, commands: &[(&str, Value)]) {
        let setup = Setup::read(Some(&self.config()), &[]).unwrap();
        let (log, clock) = (setup.log().unwrap(), setup.clock().unwrap());
        for (name, fields) in commands {
            let command = Asked::read(name, fields.clone()).unwrap().unwrap();
            let message = CommandMessage {
                principal: PrincipalId::operator(),
                key: None,
                origin: None,
                command,
            };
            let message = schemas::COMMAND.message(&message);
            log.append(setup.topics.name(Topic::Commands), 0, clock.now(), &[&message]).unwrap();
        }
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split_whitespace().nth(1)?.parse().ok()?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        Some((status, body))
    }

    /// Asks until there is the status that is waited for.
    fn await_status(&self, path: &str, status: u16) -> String {
        let deadline = Instant::now() + WITHIN;
        loop {
            match self.get(path) {
                Some((found, body)) if found == status => return body,
                other => assert!(Instant::now() < deadline, "{path}: {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A process that does not outlive its test.
struct Running(Option<Child>);

impl Running {
    fn terminate(&mut self) -> Output {
        let child = self.0.take().unwrap();
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        child.wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

#[test]
fn a_worker_shows_health_metrics_and_committed_rows_and_ends_in_order() {
    let site = Site::new();
    site.ask(&[
        ("open_enterprise", json!({ "enterprise": "acme", "name": "Acme", "country": "SG" })),
        ("open_account", json!({ "account": "acme", "enterprise": "acme", "email": "a@b.example", "currency": "USD", "mode": "prepaid" })),
        ("top_up", json!({ "billing_account": "ba-acme", "amount": "120.50", "currency": "USD", "method": "bank_transfer" })),
    ]);
    let mut worker = site.start();
    let row: Value =
        serde_json::from_str(&site.await_status("/v1/show/balance/ba-acme", 200)).unwrap();
    let deadline = Instant::now() + WITHIN;
    let mut row = row;
    while row["cash"] != "120.5" {
        assert!(Instant::now() < deadline, "{row}");
        row = serde_json::from_str(&site.await_status("/v1/show/balance/ba-acme", 200)).unwrap();
    }
    assert_eq!(row["available"], "120.5");
    let health: Value = serde_json::from_str(&site.await_status("/healthz", 200)).unwrap();
    assert_eq!(health["status"], "healthy");
    for consumer in NAMES {
        assert!(health["consumers"][consumer].is_object(), "{health}");
    }
    let metrics = site.await_status("/metrics", 200);
    for name in ["drawdown_steps_total", "drawdown_commit_seconds", "drawdown_partitions_owned"] {
        assert!(metrics.contains(name), "{name} is missing:\n{metrics}");
    }
    assert!(site.await_status("/v1/show/balance/nobody", 404).contains("not_found"));
    assert!(site.await_status("/v1/show/nothing/ba-acme", 404).contains("there is no view"));
    let ended = worker.terminate();
    assert!(ended.status.success(), "{ended:?}");
}

fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_port_or_a_folder_that_is_taken_is_named() {
    let site = Site::new();
    let _taken = TcpListener::bind(("127.0.0.1", site.port)).unwrap();
    let said = refused(site.worker());
    assert!(said.contains("worker.http") && said.contains("set another one"), "{said}");
    drop(_taken);
    let _first = site.start();
    site.await_status("/healthz", 200);
    let mut second = site.worker();
    second.args(["--set", "worker.http="]);
    let said = refused(second);
    assert!(said.contains("embedded.directory") && said.contains("log"), "{said}");
    assert!(Path::new(&site.folder.path().join("log")).exists());
}

/// R2.3: what was rejected is listed, mended and sent again.
#[test]
fn r2_3_rejects_are_listed_mended_and_sent_again() {
    let site = Site::new();
    let run = |arguments: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.args(arguments).arg("--config").arg(site.config());
        command.current_dir(site.folder.path()).output().unwrap()
    };
    let says = |arguments: &[&str]| -> String {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let work_until = |cash: &str| {
        let mut worker = site.start();
        let deadline = Instant::now() + WITHIN;
        while !site.get("/v1/show/balance/ba-acme").is_some_and(|(_, row)| row.contains(cash)) {
            assert!(Instant::now() < deadline, "never {cash}");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(worker.terminate().status.success());
    };
    let prices = r#"price = [{ product = "p", meter = "m", currency = "USD", model = "per_unit", unit_price = "1" }]"#;
    let now = drawdown_runtime::clock::Clock::Real.now().to_string();
    let record = |id: &str, account: &str, quantity: &str| {
        json!({ "source": "s", "id": id, "account": account, "product": "p", "meter": "m",
            "quantity": quantity, "time": now })
        .to_string()
    };
    site.ask(&[
        ("load_prices", json!({ "document": prices })),
        ("open_enterprise", json!({ "enterprise": "acme", "name": "Acme", "country": "US" })),
        ("open_account", json!({ "account": "acme", "enterprise": "acme", "email": "a@b.example", "mode": "prepaid" })),
        ("top_up", json!({ "billing_account": "ba-acme", "amount": "120", "currency": "USD", "method": "bank_transfer" })),
    ]);
    work_until("\"available\":\"120\"");
    let usage = [record("a", "acme", "20"), record("b", "acme", "-5"), record("c", "unknown", "7")];
    fs::write(site.folder.path().join("usage.ndjson"), usage.join("\n")).unwrap();
    says(&["ingest", "usage.ndjson"]);
    work_until("\"available\":\"100\"");

    let listed = says(&["rejects", "list"]);
    assert!(listed.contains("negative_quantity") && listed.contains("unknown_account"), "{listed}");
    assert!(listed.ends_with("2 rejects\n"), "{listed}");
    let negative = says(&["rejects", "list", "--reason", "negative_quantity", "--json"]);
    let negative: Value = serde_json::from_str(&negative).unwrap();
    assert_eq!((&negative["record"]["quantity"], &negative["id"]), (&json!("-5"), &json!("b")));
    says(&["rejects", "mend", negative["reject"].as_str().unwrap(), "--field", "quantity=5"]);
    says(&["rejects", "replay", "--account", "unknown"]);
    work_until("\"available\":\"95\"");

    let listed = says(&["rejects", "list", "--account", "unknown"]);
    assert!(listed.ends_with("2 rejects\n"), "rejected again: {listed}");
    let unknown = run(&["rejects", "mend", "0-99999-0", "--field", "quantity=5"]);
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(!unknown.status.success() && said.contains("no reject 0-99999-0"), "{said}");
}

/// From a command to the gateway's own book and to a mail server that lets nobody in unknown or unseen.
#[test]
fn r8_5_what_a_ledger_wishes_happens_outside() {
    let server = MailServer::start_with(Security::StartTls, true).unwrap();
    let site = Site::new();
    let mail = format!(
        "[mail]\ndelivery = \"smtp\"\nhost = \"localhost\"\nport = {}\nuser = \"{}\"\npassword = \"{}\"\n\
         certificate = \"{}\"\nfrom = \"Billing <billing@acme.example>\"\n",
        server.port(),
        CREDENTIALS.0,
        CREDENTIALS.1,
        server.certificate().display()
    );
    let config = fs::read_to_string(site.config()).unwrap() + &mail;
    fs::write(site.config(), config).unwrap();
    site.ask(&[
        ("open_enterprise", json!({ "enterprise": "acme", "name": "Acme", "country": "SG" })),
        ("open_account", json!({ "account": "acme", "enterprise": "acme", "email": "ann@acme.example", "currency": "USD", "mode": "prepaid" })),
        ("link_payment_method", json!({ "billing_account": "ba-acme", "method": "visa-1", "kind": "card", "token": "tok_ok", "brand": "visa", "expires": "2099-12" })),
        ("top_up", json!({ "billing_account": "ba-acme", "amount": "120.50", "currency": "USD", "method": "bank_transfer" })),
        ("configure", json!({ "billing_account": "ba-acme", "low_balance_alert": { "enabled": true, "threshold": "100" } })),
        ("adjust", json!({ "billing_account": "ba-acme", "amount": "-50", "reason": "a test" })),
    ]);
    let mut worker = site.start();
    let deadline = Instant::now() + WITHIN;
    while server.accepted().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "{}", site.await_status("/metrics", 200));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(worker.terminate().status.success());
    let accepted = server.accepted().unwrap();
    let [mail] = accepted.as_slice() else { panic!("{accepted:?}") };
    assert_eq!(mail.subject, "Low balance: 70.50 USD left (ba-acme)");
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("billing@acme.example", &["ann@acme.example".to_owned()][..])
    );
    assert!(mail.message_id.ends_with("@acme.example") && mail.encrypted && mail.authenticated);
    let book = fs::read_to_string(site.folder.path().join("sandbox.jsonl")).unwrap();
    let kinds: Vec<Value> = book
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone())
        .collect();
    assert_eq!(kinds, ["hold", "release"], "{book}");
}

#[test]
fn an_outside_that_cannot_be_used_is_named() {
    for (set, says) in [
        ("mail.delivery=pigeon", "it can be smtp or captured"),
        ("mail.from=nobody", "mail.from"),
        ("mail.security=secret", "it can be starttls, tls or none"),
        ("mail.certificate=away.pem", "mail.certificate away.pem"),
        ("payments.gateway=bank", "it can be sandbox"),
        ("payments.sandbox_book=/", "payments.sandbox_book /"),
    ] {
        let site = Site::new();
        let mut worker = site.worker();
        worker.args(["--set", "mail.delivery=smtp", "--set", set]);
        let said = refused(worker);
        assert!(said.contains(says), "{set}: {said}");
    }
}

/// R12.1: a run is previewed with its figures, and nothing is issued by that.
#[test]
fn r12_1_a_run_is_previewed() {
    let site = Site::new();
    site.ask(&[
        ("open_enterprise", json!({ "enterprise": "acme", "name": "Acme", "country": "SG" })),
        ("open_account", json!({ "account": "acme", "enterprise": "acme", "email": "a@b.example", "currency": "USD", "mode": "prepaid" })),
        ("top_up", json!({ "billing_account": "ba-acme", "amount": "2120.50", "currency": "USD", "method": "bank_transfer" })),
        ("place_order", json!({ "billing_account": "ba-acme", "order": "plan", "amount": "1040.00" })),
    ]);
    let mut worker = site.start();
    let deadline = Instant::now() + WITHIN;
    while !site.get("/v1/show/balance/ba-acme").is_some_and(|(_, row)| row.contains("1080.5")) {
        assert!(Instant::now() < deadline, "the order is not paid");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(worker.terminate().status.success());
    let run = |verb: &str, as_of: &str| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.args(["invoices", verb, "--as-of", as_of, "--config"]).arg(site.config());
        command.current_dir(site.folder.path()).output().unwrap()
    };
    let preview = |as_of: Timestamp| -> Vec<String> {
        let output = run("preview", &Zone::UTC.date_of(as_of).to_string());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    let now = drawdown_runtime::clock::Clock::Real.now();
    let (began, ends) = Zone::UTC.bounds_of_half(Zone::UTC.half_month_of(now));
    for _ in 0..2 {
        let lines = preview(ends);
        let of = lines.iter().find(|line| line.starts_with("ba-acme ")).unwrap();
        for said in ["1,040.00", " 0.00 ", "USD", "so far"] {
            assert!(of.contains(said), "{said} is not in {lines:?}");
        }
        assert_eq!(lines.last().unwrap(), "invoices to come: 1; nothing was issued");
    }
    assert_eq!(preview(began).last().unwrap(), "invoices to come: 0; nothing was issued");
    let waited = run("run", &Zone::UTC.date_of(ends).to_string());
    let said = String::from_utf8(waited.stderr).unwrap();
    assert!(waited.status.code() == Some(1) && said.contains("by themselves"), "{said}");
}
