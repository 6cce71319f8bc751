//! The program as `make run` starts it, with a real mail server where its mails go.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use drawdown_components::{MailServer, ask, free_port};
use rust_decimal::Decimal;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const KEY: &str = "demo";
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const ENDS_WITHIN: Duration = Duration::from_secs(30);
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// What a list is asked for at once; the API gives no more.
const PAGE: usize = 1_000;

pub(crate) struct Site {
    program: PathBuf,
    pub(crate) folder: TempDir,
    pub(crate) mails: MailServer,
    port: u16,
    /// Where it says that SQL is answered.
    sql: Option<u16>,
    started: Instant,
    process: Option<Child>,
}

impl Site {
    pub(crate) fn start(program: &Path) -> anyhow::Result<Site> {
        let mut site = Site {
            program: program.to_owned(),
            folder: TempDir::with_prefix("drawdown-smoke-")?,
            mails: MailServer::start()?,
            port: free_port()?,
            sql: None,
            started: Instant::now(),
            process: None,
        };
        site.resume()?;
        Ok(site)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it, and reads where it says one is to look.
    pub(crate) fn resume(&mut self) -> anyhow::Result<()> {
        self.started = Instant::now();
        let said = File::options().create(true).append(true).open(self.output())?;
        let mut child = Command::new(&self.program)
            .args(["up", "--demo", "--clock", "600", "--port", &self.port.to_string(), "--data"])
            .arg(self.data())
            .args(["--set", "mail.delivery=smtp", "--set", "mail.security=none"])
            .args(["--set", &format!("mail.port={}", self.mails.port())])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .with_context(|| self.program.display().to_string())?;
        let lines = child.stdout.take().context("no output")?;
        self.process = Some(child);
        self.sql = None;
        // An empty line ends the places where to look; events follow, which somebody must take from it.
        let (mut lines, mut is_told) = (BufReader::new(lines).lines(), false);
        for line in &mut lines {
            let line = line?;
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["console", ..] => is_told = true,
                ["SQL", url, ..] => {
                    let port = url.trim_end_matches(',').rsplit(':').next().unwrap_or_default();
                    self.sql = Some(port.parse().with_context(|| line.clone())?);
                }
                [] if is_told => {
                    std::thread::spawn(move || lines.for_each(drop));
                    return Ok(());
                }
                _ => {}
            }
            if self.up_for() > STARTS_WITHIN {
                break;
            }
        }
        bail!("it did not say where to look: {}", self.said()?)
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("output.log")
    }

    /// The last that it said.
    pub(crate) fn said(&self) -> anyhow::Result<String> {
        let said = fs::read_to_string(self.output())?;
        let lines: Vec<&str> = said.lines().collect();
        Ok(lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    pub(crate) fn up_for(&self) -> Duration {
        self.started.elapsed()
    }

    /// Asks it to end, which it must do in order.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let pid = Pid::from_raw(i32::try_from(process.id())?).context("no process id")?;
        kill_process(pid, Signal::INT)?;
        let asked = Instant::now();
        loop {
            match process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("it ended with {status}: {}", self.said()?),
                None if asked.elapsed() > ENDS_WITHIN => {
                    self.process = Some(process);
                    bail!("it does not end: {}", self.said()?);
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// What the API answers.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let key = format!("Bearer {KEY}");
        let headers = [("authorization", key.as_str())];
        let (status, body) = ask(self.port, "GET", path, &headers, b"", ANSWERS_WITHIN)?;
        if status != 200 {
            bail!("GET {path}: {status} {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// A row of a view, by the API.
    pub(crate) fn row(&self, view: &str, of: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.get(&format!("/v1/show/{view}/{of}"))?)?)
    }

    /// All rows of a list, by the API.
    pub(crate) fn rows(&self, view: &str, of: &str, filter: &str) -> anyhow::Result<Vec<Value>> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        let of = if of.is_empty() { String::new() } else { format!("/{of}") };
        loop {
            let path = format!("/v1/show/{view}{of}?limit={PAGE}&{filter}{cursor}");
            let mut page: Value = serde_json::from_slice(&self.get(&path)?)?;
            let Some(Value::Array(more)) = page.get_mut("rows").map(Value::take) else {
                bail!("{path}: no rows");
            };
            rows.extend(more);
            let Some(next) = page["next"].as_str() else { return Ok(rows) };
            cursor = format!("&cursor={next}");
        }
    }

    /// What ClickHouse answers, as lines of values.
    pub(crate) fn sql(&self, query: &str) -> anyhow::Result<Vec<Vec<String>>> {
        let port = self.sql.context("it said nothing of SQL")?;
        let body = format!("{query} FORMAT TSV");
        let path = "/?database=drawdown";
        let (status, said) = ask(port, "POST", path, &[], body.as_bytes(), ANSWERS_WITHIN)?;
        let said = String::from_utf8(said)?;
        if status != 200 {
            bail!("{query}: {said}");
        }
        Ok(said.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// A single number by SQL.
    pub(crate) fn number(&self, query: &str) -> anyhow::Result<Decimal> {
        let rows = self.sql(query)?;
        let value = rows.first().and_then(|row| row.first()).context("no row")?;
        value.parse().with_context(|| format!("{query}: {value}"))
    }

    /// What the command line shows of a view, as JSON.
    pub(crate) fn shown(&self, view: &str, of: &str) -> anyhow::Result<Value> {
        let server = format!("http://127.0.0.1:{}", self.port);
        let output = Command::new(&self.program)
            .args(["show", view, of, "--server", &server, "--key", KEY, "--json"])
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!("show {view} {of}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // One that has ended already need not be ended.
            process.kill().ok();
            process.wait().ok();
        }
    }
}
