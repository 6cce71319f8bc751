//! The console as its operator starts it: a process beside others, on Kafka and on the embedded log.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use drawdown_components::{Broker, BrokerOptions, free_port};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use super::client::Client;
use super::rig::WITHIN;
use crate::end_to_end::turn;

/// A process that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(folder: &Path, config: &Path, names: &[&str], port: u16, more: &[String]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg("worker").args(names).arg("--config").arg(config);
        command.args(["--set", &format!("worker.http=127.0.0.1:{port}")]);
        for set in more {
            command.args(["--set", set]);
        }
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        Running(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Asked to end, it does, in order.
    fn ends(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success(), "{said}");
        assert!(!said.contains("cut off") && !said.contains("cannot be followed"), "{said}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already need not be ended.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn await_health(client: Client) {
    let deadline = Instant::now() + WITHIN;
    while std::net::TcpStream::connect(("127.0.0.1", client.port)).is_err()
        || client.get("/healthz").status != 200
    {
        assert!(Instant::now() < deadline, "no health at {}", client.port);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Commands, rows and usage by the API, until the usage is charged.
fn billed(client: Client) {
    let done = |name: &str, fields: serde_json::Value| {
        let mut answer = client.command(name, name, &fields);
        // Workers that join their group just now may take longer than the console waits.
        let deadline = Instant::now() + 4 * WITHIN;
        if let Some(place) = answer.header("location").map(str::to_owned) {
            while answer.status != 200 {
                assert!(Instant::now() < deadline, "{name}: {}", answer.body);
                std::thread::sleep(std::time::Duration::from_millis(50));
                answer = client.get(&place);
            }
        }
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        assert!(answer.json()["refused"].is_null(), "{name}: {}", answer.body);
    };
    let book = "[[price]]\nproduct = \"compute\"\nmeter = \"vcpu_hours\"\ncurrency = \"USD\"\nmodel = \"per_unit\"\nunit_price = \"0.50\"\n";
    done("load_prices", json!({ "document": book }));
    done("open_enterprise", json!({ "enterprise": "acme", "name": "Acme", "country": "SG" }));
    done(
        "open_account",
        json!({ "account": "acme", "enterprise": "acme", "email": "a@b.example",
        "currency": "USD", "mode": "prepaid" }),
    );
    done(
        "top_up",
        json!({ "billing_account": "ba-acme", "amount": "100.00", "currency": "USD",
        "method": "bank_transfer" }),
    );
    let row = client.get("/v1/show/balance/ba-acme");
    assert_eq!((row.status, &row.json()["cash"]), (200, &json!("100")), "{}", row.body);
    let clock = drawdown_runtime::clock::Clock::Real;
    let record = json!({ "source": "test", "id": "1", "account": "acme", "product": "compute",
        "meter": "vcpu_hours", "quantity": "10", "time": clock.now() });
    let kind = [("content-type", "application/x-ndjson")];
    let sent = client.post("/v1/usage", &kind, &record.to_string());
    assert_eq!((sent.status, &sent.json()["accepted"]), (200, &json!(1)), "{}", sent.body);
    let deadline = Instant::now() + WITHIN;
    loop {
        let row = client.get("/v1/show/balance/ba-acme");
        if row.json()["available"] == "95" {
            break;
        }
        assert!(Instant::now() < deadline, "{}", row.body);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // Nobody fills lists here: that is said, and nothing is made up.
    let list = client.get("/v1/show/entries/ba-acme");
    assert_eq!(list.status, 503, "{}", list.body);
    assert!(list.body.contains("ClickHouse") && list.header("retry-after").is_some());
    assert_eq!(client.send("GET", "/v1/show/balance/ba-acme", &[], b"").status, 401);
}

/// Makes a key, which opens at once.
fn keyed(client: Client) -> String {
    let fields = json!({ "principal": "ci", "role": "billing_viewer", "scope": "ba-acme" });
    let made = client.command("create_key", "create", &fields);
    assert_eq!(made.status, 200, "{}", made.body);
    let key = made.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(opens(client, &key), 200);
    key
}

fn revoked(client: Client) {
    let fields = json!({ "principal": "ci", "role": "billing_viewer", "scope": "ba-acme" });
    let revoked = client.command("revoke_key", "revoke", &fields);
    assert_eq!(revoked.status, 200, "{}", revoked.body);
}

/// What the console answers to whoever comes with a key.
fn opens(client: Client, key: &str) -> u16 {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str())];
    client.send("GET", "/v1/show/balance/ba-acme", &headers, b"").status
}

fn config(folder: &Path, log: &str) -> std::path::PathBuf {
    let unused = free_port().unwrap();
    let config = format!(
        "[installation]\nsecret = \"{}\"\n{log}\n[console]\ndemo_key = \"demo\"\n[clickhouse]\nurl = \"http://127.0.0.1:{unused}\"\n",
        "5a".repeat(32),
    );
    let path = folder.join("drawdown.toml");
    fs::write(&path, config).unwrap();
    path
}

#[test]
fn a_console_shares_a_process_with_the_ledgers() {
    let folder = TempDir::with_prefix("drawdown-console-").unwrap();
    let config =
        config(folder.path(), "[log]\nengine = \"embedded\"\n[embedded]\ndirectory = \"log\"");
    let client = Client { port: free_port().unwrap() };
    let names = ["metering", "registry", "balance", "console"];
    let running = Running::start(folder.path(), &config, &names, client.port, &[]);
    await_health(client);
    billed(client);
    assert!(client.get("/metrics").body.contains("drawdown_http_requests_total"));
    let key = keyed(client);
    running.ends();
    // Keys outlive the process, and so does that they are revoked.
    let running = Running::start(folder.path(), &config, &names, client.port, &[]);
    await_health(client);
    assert_eq!(opens(client, &key), 200);
    revoked(client);
    assert_eq!(opens(client, &key), 401);
    running.ends();
    let running = Running::start(folder.path(), &config, &names, client.port, &[]);
    await_health(client);
    assert_eq!(opens(client, &key), 401);
    running.ends();
}

#[test]
fn a_console_by_itself_asks_the_workers_that_own_ledgers_on_kafka() {
    let _turn = turn::take();
    let folder = TempDir::with_prefix("drawdown-console-").unwrap();
    let broker = Broker::start(BrokerOptions::default()).unwrap();
    let plan = drawdown_wire::topics::DEFAULT_PLAN
        .replace("usage_partitions = 16", "usage_partitions = 2")
        .replace("ledger_partitions = 16", "ledger_partitions = 2");
    fs::write(folder.path().join("topics.toml"), plan).unwrap();
    let log = format!("topics = \"topics.toml\"\n[kafka]\nbootstrap = \"{}\"", broker.bootstrap());
    let config = config(folder.path(), &log);
    let made = Command::new(env!("CARGO_BIN_EXE_drawdown"))
        .args(["topics", "apply", "--config"])
        .arg(&config)
        .current_dir(folder.path())
        .status();
    assert!(made.unwrap().success());
    let [ledgers, console, other] = [(); 3].map(|()| Client { port: free_port().unwrap() });
    let names = ["metering", "registry", "balance"];
    let workers = Running::start(folder.path(), &config, &names, ledgers.port, &[]);
    let console_at = |client: Client, instance: &str| {
        let more = [
            format!("console.workers=127.0.0.1:{}", ledgers.port),
            format!("installation.instance={instance}"),
        ];
        Running::start(folder.path(), &config, &["console"], client.port, &more)
    };
    let (own, beside) = (console_at(console, "console"), console_at(other, "other"));
    await_health(ledgers);
    await_health(console);
    await_health(other);
    billed(console);
    // A key is one for every console; that it is revoked the other one hears of a little later.
    let key = keyed(console);
    assert_eq!(opens(other, &key), 200);
    revoked(console);
    assert_eq!(opens(console, &key), 401);
    let deadline = Instant::now() + WITHIN;
    while opens(other, &key) != 401 {
        assert!(Instant::now() < deadline, "a key that was revoked still opens");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    beside.ends();
    own.ends();
    workers.ends();
}
