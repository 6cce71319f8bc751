//! The data folder of a released version, as `drawdown up` left it: this version opens it, shows what it
//! shows, and goes on.
//!
//! `make kept-data` makes it anew. A version that is out keeps its own for good.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use drawdown_components::free_port;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::console::client::Client;
use super::console::rig::WITHIN;

/// The rows that the folder's last process showed.
const SHOWN: &str = "shown.json";
const WALLETS: [&str; 2] = ["ba-acme", "ba-beta"];
const BYTES_MAX: u64 = 300_000;

fn kept() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    folder.join(concat!("data-", env!("CARGO_PKG_VERSION"), ".tar.zst"))
}

/// `drawdown up` on a data folder, at its own time.
struct Up {
    process: Child,
    client: Client,
    key: String,
}

impl Up {
    fn start(data: &Path, clock: &str) -> Up {
        let port = free_port().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg("up").arg("--data").arg(data).args(["--port", &port.to_string()]);
        command.args(["--clock", clock]).current_dir(data.parent().unwrap());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        if !lines.any(|line| line.unwrap().contains("with the key")) {
            panic!("{:?}", process.wait_with_output().unwrap());
        }
        let key = fs::read_to_string(data.join("key")).unwrap();
        let up = Up { process, client: Client { port }, key: key.trim().to_owned() };
        up.until("/healthz", |_| true);
        up
    }

    fn ask(&self, path: &str) -> (u16, Value) {
        let key = format!("Bearer {}", self.key);
        let answer = self.client.send("GET", path, &[("authorization", &key)], b"");
        (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
    }

    /// Asks until the answer is as expected.
    fn until(&self, path: &str, expected: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + WITHIN;
        loop {
            let listens = std::net::TcpStream::connect(("127.0.0.1", self.client.port)).is_ok();
            let (status, found) = if listens { self.ask(path) } else { (0, Value::Null) };
            if status == 200 && expected(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "{path}: {status} {found}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn does(&self, line: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg("do").args(line.split(' ')).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
        command.env("DRAWDOWN_SERVER", format!("http://127.0.0.1:{}", self.client.port));
        let done = command.env("DRAWDOWN_KEY", &self.key).output().unwrap();
        assert!(done.status.success(), "{line}: {done:?}");
    }

    fn uses(&self, id: &str, account: &str, time: &str) {
        let record = json!({ "source": "kept", "id": id, "account": account, "product": "compute",
            "meter": "vcpu_hours", "quantity": "20", "time": time, "tags": { "team": "red" } });
        let key = format!("Bearer {}", self.key);
        let headers = [("authorization", key.as_str()), ("content-type", "application/x-ndjson")];
        let taken = self.client.send("POST", "/v1/usage", &headers, record.to_string().as_bytes());
        assert_eq!(taken.status, 200, "{}", taken.body);
    }

    fn shown(&self) -> Value {
        let row = |view: &str, id: &str| self.until(&format!("/v1/show/{view}/{id}"), |_| true);
        let rows = WALLETS.iter().flat_map(|id| {
            ["balance", "billing_account", "due"]
                .map(|view| json!({ "view": view, "id": id, "row": row(view, id) }))
        });
        rows.collect()
    }

    /// Asked to end, it does, in order.
    fn ends(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // One that has ended already need not be ended.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn tar(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new("tar");
    command.args(arguments).current_dir(folder);
    command
}

/// The time on the clock of an installation: that of a command it has just decided.
fn now(up: &Up) -> String {
    let key = format!("Bearer {}", up.key);
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    let fields = json!({ "billing_account": "ba-acme", "auto_write_off": true }).to_string();
    let done = up.client.send("POST", "/v1/do/configure", &headers, fields.as_bytes());
    done.json()["at"].as_str().unwrap().to_owned()
}

#[test]
fn remake_the_kept_data() {
    if std::env::var_os("REMAKE_KEPT_DATA").is_none() {
        assert!(kept().exists(), "{} is missing; see above how it is made", kept().display());
        return;
    }
    let folder = TempDir::with_prefix("drawdown-kept-").unwrap();
    let data = folder.path().join("data");
    // Twenty minutes a second: a cycle of an hour ends soon.
    let up = Up::start(&data, "1200");
    let prices = folder.path().join("prices.toml");
    fs::write(&prices, "[[price]]\nproduct = \"compute\"\nmeter = \"vcpu_hours\"\ncurrency = \"USD\"\nmodel = \"graduated\"\ntiers = [{ up_to = \"10\", unit_price = \"0\" }, { unit_price = \"0.50\" }]\n").unwrap();
    up.does(&format!("load_prices --document @{}", prices.display()));
    for (name, country, mode) in [("acme", "SG", "prepaid"), ("beta", "US", "postpaid")] {
        up.does(&format!("open_enterprise --enterprise {name} --name {name} --country {country}"));
        up.does(&format!("open_account --account {name} --enterprise {name} --email a@{name}.example --currency USD --mode {mode}"));
    }
    up.does(
        "top_up --billing_account ba-acme --amount 100.00 --currency USD --method bank_transfer",
    );
    up.does("configure --billing_account ba-acme --low_balance_alert.enabled --low_balance_alert.threshold 99");
    up.does("link_payment_method --billing_account ba-beta --method visa-1 --kind card --token tok_ok --brand visa --expires 2099-12");
    up.does("set_credit_limit --billing_account ba-beta --limit 50");
    up.does("confirm_contract --billing_account ba-beta");
    let time = now(&up);
    for account in ["acme", "beta"] {
        up.uses("1", account, &time);
        up.uses("2", account, &time);
    }
    up.until("/v1/show/balance/ba-acme", |row| row["cash"] == "85");
    up.until("/v1/show/balance/ba-beta", |row| row["unsettled_current"] == "15");
    fs::write(data.join(SHOWN), up.shown().to_string()).unwrap();
    up.ends();
    // Whole files of nothing are kept as what they are.
    let packed = tar(&["--sparse", "-c", "data"], folder.path()).output().unwrap();
    assert!(packed.status.success(), "{packed:?}");
    fs::create_dir_all(kept().parent().unwrap()).unwrap();
    fs::write(kept(), zstd::encode_all(&*packed.stdout, 19).unwrap()).unwrap();
    println!("{} has {} bytes", kept().display(), fs::metadata(kept()).unwrap().len());
}

/// The kept folder, unpacked.
fn unpacked(folder: &TempDir) -> PathBuf {
    let packed = fs::read(kept()).unwrap();
    assert!(packed.len() as u64 <= BYTES_MAX, "{} bytes", packed.len());
    let archive = folder.path().join("data.tar");
    fs::write(&archive, zstd::decode_all(&*packed).unwrap()).unwrap();
    assert!(tar(&["-x", "-f", "data.tar"], folder.path()).status().unwrap().success());
    folder.path().join("data")
}

#[test]
fn a_folder_of_this_version_is_opened_shows_what_it_showed_and_goes_on() {
    let folder = TempDir::with_prefix("drawdown-kept-").unwrap();
    let data = unpacked(&folder);
    // The time of the folder goes on, whatever the time is here.
    let up = Up::start(&data, "1");
    let expected: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(data.join(SHOWN)).unwrap()).unwrap();
    assert_eq!(expected.len(), WALLETS.len() * 3);
    for shown in &expected {
        let (view, id) = (shown["view"].as_str().unwrap(), shown["id"].as_str().unwrap());
        let path = format!("/v1/show/{view}/{id}");
        // Fields may join; what was there says what it said.
        let was = shown["row"].as_object().unwrap();
        let row = up.until(&path, |_| true);
        for (field, value) in was {
            assert_eq!(&row[field], value, "{view} {id} {field}");
        }
    }
    assert_eq!(up.ask("/v1/show/balance/ba-acme").1["cash"], "85");
    // R2.2: what was counted is known, in the prices of then.
    let time = now(&up);
    up.uses("1", "acme", &time);
    up.uses("3", "acme", &time);
    up.does("top_up --billing_account ba-acme --amount 50 --currency USD --method bank_transfer");
    up.until("/v1/show/balance/ba-acme", |row| row["cash"] == "135" && row["available"] == "125");
    up.ends();
    let again = Up::start(&data, "1");
    again.until("/v1/show/balance/ba-acme", |row| row["available"] == "125");
    again.ends();
}

#[test]
fn a_folder_of_a_later_layout_is_refused_by_name() {
    let folder = TempDir::with_prefix("drawdown-kept-").unwrap();
    let data = unpacked(&folder);
    let layout: u32 = fs::read_to_string(data.join("format")).unwrap().trim().parse().unwrap();
    fs::write(data.join("format"), (layout + 1).to_string()).unwrap();
    let before = listed(&data);
    for verb in ["up", "backup"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg(verb).arg("--data").arg(&data).stdin(Stdio::null());
        if verb == "backup" {
            command.arg("--to").arg(folder.path().join("backup"));
        }
        let refused = command.output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        let name = data.display().to_string();
        let later =
            format!("has the layout {}, and this version knows layout {layout}", layout + 1);
        assert!(said.contains(&name) && said.contains(&later), "{said}");
        assert!(said.contains("take the version that wrote it, or another folder"), "{said}");
    }
    assert_eq!(listed(&data), before, "nothing in it was touched");
}

/// The files of a folder with their sizes.
fn listed(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.metadata().unwrap() {
            about if about.is_dir() => files.extend(listed(&entry.path())),
            about => files.push((entry.path(), about.len())),
        }
    }
    files.sort();
    files
}
