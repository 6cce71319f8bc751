//! Usage over HTTP: how fast it is taken, each answer a promise that it is on the disk of the log.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use drawdown::serve::{Shown, listen, serve};
use drawdown_console::{ClickHouse, ConsoleOptions, Keys, Rows};
use drawdown_domain::time::Timestamp;
use drawdown_wire::usage::{each_record, put_json};
use tokio::sync::oneshot;

use crate::site::{STARTS_AT, Site};
use crate::table::{Row, Table};
use crate::usage::{Made, Maker, Plan};
use crate::{Quantities, Scale};

const RECORDS_MAX: u64 = 2_000_000;
const RECORDS_IN_A_REQUEST: usize = 100;
/// Each waits for one answer at a time.
const CLIENTS: usize = 32;
const KEY: &str = "bench";

pub(crate) fn measure(
    scale: &Scale,
    site: &Site,
    quantities: &mut Quantities,
    engine: &str,
    reach: &str,
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut rates = Vec::new();
    for run in 0..scale.runs {
        let records = scale.records.min(RECORDS_MAX);
        let plan = Plan { records, packed: 100, ..scale.usage("g10", 1_000 + run as u64) };
        let (requests, made) = requests(&plan, quantities)?;
        let rate = Gateway::start(site)?.take(&requests, made.records)?;
        eprintln!("g10 {engine} {}/{}: {:.0} k/s", run + 1, scale.runs, rate / 1e3);
        rates.push(rate);
        site.run(&made)?;
    }
    let what = format!("{engine}, over HTTP, {RECORDS_IN_A_REQUEST} records a request, on the log");
    table.push(Row::rate("g10", &what, reach, rates));
    Ok(())
}

/// Requests of records as clients send them: of any accounts, each on a line.
fn requests(plan: &Plan, quantities: &mut Quantities) -> anyhow::Result<(Vec<Vec<u8>>, Made)> {
    let from: Timestamp = STARTS_AT.parse().context("a time")?;
    let mut maker = Maker::new(*plan, from, std::mem::take(quantities));
    let mut lines: Vec<Vec<u8>> = Vec::new();
    // The same for all would be partitions of their own, one after the other.
    let made = maker.make(1, |batch| {
        for message in &batch.messages {
            let mut canonical = Vec::new();
            each_record(message, |_, record| {
                canonical.clear();
                let mut line = Vec::with_capacity(400);
                if record.put_canonical(&mut canonical).is_ok()
                    && put_json(&mut line, &canonical).is_ok()
                {
                    line.push(b'\n');
                    lines.push(line);
                }
            });
        }
        Ok(())
    })?;
    *quantities = maker.into_quantities();
    ensure!(lines.len() as u64 == made.records, "{} lines of {made:?}", lines.len());
    let requests = lines.chunks(RECORDS_IN_A_REQUEST).map(|lines| request(&lines.concat()));
    Ok((requests.collect(), made))
}

fn request(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/usage HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The API of an installation, on a thread of its own.
struct Gateway {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Gateway {
    fn start(site: &Site) -> anyhow::Result<Gateway> {
        // A process records its metrics once.
        static SHOWN: Mutex<Option<Shown>> = Mutex::new(None);
        let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = match &*shown {
            Some(shown) => shown.clone(),
            None => shown.insert(Shown::new()?).clone(),
        };
        let rows = Rows { here: None, registry: None, elsewhere: Vec::new() };
        // No list is asked for.
        let lists = ClickHouse {
            address: "127.0.0.1:9".to_owned(),
            database: String::new(),
            user: String::new(),
            password: String::new(),
            deadline: Duration::from_secs(1),
        };
        let options = ConsoleOptions::new(Keys::new(&Default::default(), Some(KEY))?, "", "bench");
        let console = site.console(rows, Arc::new(lists), options)?;
        let listener = listen("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (end, ended) = oneshot::channel();
        shown.console = Some(Arc::new(console));
        Ok(Gateway { address, end, thread: serve(listener, shown, ended)? })
    }

    /// Records a second, until the last of all requests is answered.
    fn take(self, requests: &[Vec<u8>], records: u64) -> anyhow::Result<f64> {
        let (next, began) = (AtomicUsize::new(0), Instant::now());
        let client = || -> anyhow::Result<u64> {
            let mut connection = BufReader::new(TcpStream::connect(self.address)?);
            connection.get_ref().set_nodelay(true)?;
            let mut accepted = 0;
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                connection.get_mut().write_all(request)?;
                accepted += answer(&mut connection)?;
            }
            Ok(accepted)
        };
        let accepted = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients.into_iter().try_fold(0, |all, client| {
                let accepted =
                    client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
                anyhow::Ok(all + accepted)
            })
        })?;
        let seconds = began.elapsed().as_secs_f64();
        let told = self.end.send(());
        ensure!(told.is_ok(), "the API has ended");
        self.thread.join().map_err(|_| anyhow::anyhow!("the API panicked"))?;
        ensure!(accepted == records, "{accepted} of {records} records were accepted");
        Ok(records as f64 / seconds)
    }
}

/// How many records an answer says were accepted.
fn answer(connection: &mut impl BufRead) -> anyhow::Result<u64> {
    let (mut line, mut length) = (String::new(), 0);
    connection.read_line(&mut line)?;
    let status = line.trim_end().to_owned();
    loop {
        line.clear();
        ensure!(connection.read_line(&mut line)? > 0, "no answer: {status}");
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(bytes) = header.strip_prefix("content-length:") {
            length = bytes.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    if status != "HTTP/1.1 200 OK" {
        bail!("{status}: {}", String::from_utf8_lossy(&body));
    }
    let body: serde_json::Value = serde_json::from_slice(&body)?;
    body.get("accepted").and_then(serde_json::Value::as_u64).context("accepted")
}
