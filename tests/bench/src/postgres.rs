//! PostgreSQL doing the same job: batches of records into a table with a unique key, what was new into sums by account
//! and meter with their price, and the position beside it in the same transaction, so that each counts once.
//!
//! Set up as its documentation advises for bulk loads: binary `COPY` into a temporary table, one statement for a batch, a
//! session for each core with partitions of its own, memory for the tables, and few checkpoints. Nothing is synced before
//! it counts, as on the broker beside it.

use std::io::Write;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use drawdown_components::free_port;
use drawdown_domain::money::Amount;
use drawdown_log::{Log, Next};
use drawdown_wire::usage::each_record;
use postgres::{Client, NoTls};

pub(crate) const NAME: &str = "PostgreSQL 15, batches of 20,000, 2 sessions";

const SESSIONS: u32 = 2;
const BATCH: usize = 20_000;
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// The user that Debian's package makes: the server does not run as root.
const USER: &str = "postgres";

const SETTINGS: [(&str, &str); 8] = [
    ("shared_buffers", "4GB"),
    ("synchronous_commit", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("work_mem", "256MB"),
    ("listen_addresses", "127.0.0.1"),
];

const TABLES: &str = "
    CREATE TABLE seen (
        account text COLLATE \"C\", source text COLLATE \"C\", id text COLLATE \"C\",
        meter text COLLATE \"C\" NOT NULL, quantity bigint NOT NULL,
        PRIMARY KEY (account, source, id));
    CREATE TABLE used (
        account text COLLATE \"C\", meter text COLLATE \"C\", quantity bigint NOT NULL, charged numeric NOT NULL,
        PRIMARY KEY (account, meter)) WITH (fillfactor = 70);
    CREATE TABLE positions (partition int PRIMARY KEY, next bigint NOT NULL);
    -- The price of a month's quantity in thousandths: 100 for nothing, 0.10 up to 1,000, then 0.05.
    CREATE FUNCTION price(quantity bigint) RETURNS numeric IMMUTABLE LANGUAGE sql AS
        'SELECT (least(greatest(quantity, 100000), 1000000) - 100000) * 0.0001
              + (greatest(quantity, 1000000) - 1000000) * 0.00005';
";

const TAKE: &str = "
    WITH fresh AS (
        INSERT INTO seen SELECT account, source, id, meter, quantity FROM batch
        ON CONFLICT DO NOTHING RETURNING account, meter, quantity),
    sums AS (SELECT account, meter, sum(quantity)::bigint AS quantity FROM fresh GROUP BY account, meter)
    INSERT INTO used AS known SELECT account, meter, quantity, price(quantity) FROM sums
    ON CONFLICT (account, meter) DO UPDATE SET
        quantity = known.quantity + excluded.quantity,
        charged = price(known.quantity + excluded.quantity)";

const MOVE: &str = "INSERT INTO positions VALUES ($1, $2)
    ON CONFLICT (partition) DO UPDATE SET next = excluded.next";

/// What came of it.
pub(crate) struct Said {
    pub(crate) seconds: f64,
    /// Of the server and of those that fill it.
    pub(crate) cpu_seconds: f64,
    pub(crate) charged: Amount,
}

/// Does the job for a filled topic.
pub(crate) fn run(log: &dyn Log, topic: &str, partitions: u32) -> anyhow::Result<Said> {
    let server = Server::start()?;
    server.client()?.batch_execute(TABLES)?;
    let (began, own) = (Instant::now(), crate::site::cpu_seconds());
    let session = |number: u32| -> anyhow::Result<()> {
        let mut session = Session::open(server.client()?)?;
        for partition in (0..partitions).filter(|partition| partition % SESSIONS == number) {
            session.take_all(log, topic, partition)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let sessions: Vec<_> =
            (0..SESSIONS).map(|number| scope.spawn(move || session(number))).collect();
        sessions.into_iter().try_for_each(|session| {
            session.join().map_err(|_| anyhow::anyhow!("a session panicked"))?
        })
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = crate::site::cpu_seconds() - own + server.cpu_seconds()?;
    let charged = server.client()?.query_one("SELECT sum(charged)::text FROM used", &[])?;
    Ok(Said { seconds, cpu_seconds, charged: charged.get::<_, String>(0).parse()? })
}

struct Session {
    client: Client,
    take: postgres::Statement,
    move_on: postgres::Statement,
}

impl Session {
    fn open(mut client: Client) -> anyhow::Result<Session> {
        client.batch_execute(
            "CREATE TEMPORARY TABLE batch (account text COLLATE \"C\", source text COLLATE \"C\",
                 id text COLLATE \"C\", meter text COLLATE \"C\", quantity bigint) ON COMMIT DELETE ROWS",
        )?;
        let (take, move_on) = (client.prepare(TAKE)?, client.prepare(MOVE)?);
        Ok(Session { client, take, move_on })
    }

    fn take_all(&mut self, log: &dyn Log, topic: &str, partition: u32) -> anyhow::Result<()> {
        let end = log.bounds(topic, partition)?.stable;
        let (mut rows, mut count, mut failed) = (begun(), 0, Ok(()));
        log.scan(topic, partition, Next::START, end, &mut |message| {
            each_record(message.value, |_, read| match read.usage() {
                Ok(usage) => {
                    let quantity = (usage.quantity.raw() / 1_000_000_000) as i64;
                    row(&mut rows, [usage.account, usage.source, usage.id, usage.meter], quantity);
                    count += 1;
                }
                Err(why) => failed = Err(anyhow::anyhow!("{why}")),
            });
            if count >= BATCH && failed.is_ok() {
                failed = self.take(
                    &std::mem::replace(&mut rows, begun()),
                    partition,
                    message.offset.next(),
                );
                count = 0;
            }
            failed.is_ok()
        })?;
        failed?;
        self.take(&rows, partition, end)
    }

    /// Takes a batch, with where to go on.
    fn take(&mut self, rows: &[u8], partition: u32, next: Next) -> anyhow::Result<()> {
        let mut transaction = self.client.transaction()?;
        let mut copy = transaction.copy_in("COPY batch FROM STDIN (FORMAT binary)")?;
        copy.write_all(rows)?;
        copy.write_all(&(-1_i16).to_be_bytes())?;
        copy.finish()?;
        transaction.execute(&self.take, &[])?;
        transaction.execute(&self.move_on, &[&(partition as i32), &next.0])?;
        Ok(transaction.commit()?)
    }
}

/// The head of PostgreSQL's binary format.
fn begun() -> Vec<u8> {
    let mut rows = b"PGCOPY\n\xff\r\n\0".to_vec();
    rows.extend([0; 8]);
    rows
}

fn row(rows: &mut Vec<u8>, texts: [&str; 4], quantity: i64) {
    rows.extend(5_i16.to_be_bytes());
    for text in texts {
        rows.extend((text.len() as i32).to_be_bytes());
        rows.extend(text.as_bytes());
    }
    rows.extend(8_i32.to_be_bytes());
    rows.extend(quantity.to_be_bytes());
}

/// A server with a database of its own, ended when dropped.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Server {
    fn start() -> anyhow::Result<Server> {
        let programs = programs()?;
        let folder = tempfile::tempdir()?;
        let (user, group) = owner()?;
        chown(folder.path(), Some(user), Some(group))?;
        let data = folder.path().join("data");
        let made = as_user(&programs.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--no-locale", "--encoding=UTF8", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()?;
        ensure!(made.success(), "initdb has failed");
        let port = free_port()?;
        let mut server = as_user(&programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-p", &port.to_string()]);
        for (name, value) in SETTINGS {
            server.args(["-c", &format!("{name}={value}")]);
        }
        let process = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Server { folder, port, process };
        let deadline = Instant::now() + STARTS_WITHIN;
        while server.client().is_err() {
            if let Some(ended) = server.process.try_wait()? {
                bail!("PostgreSQL has ended with {ended}");
            }
            ensure!(Instant::now() < deadline, "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    fn client(&self) -> anyhow::Result<Client> {
        let config = format!("host=127.0.0.1 port={} user={USER} dbname={USER}", self.port);
        Ok(Client::connect(&config, NoTls)?)
    }

    /// What its processes have used of the processors, those included that have ended.
    fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let pid_file = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid"))?;
        let postmaster: u32 = pid_file.lines().next().context("no process")?.trim().parse()?;
        let mut seconds = crate::site::cpu_seconds_of(postmaster) + ended_children(postmaster);
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(process) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if parent_of(process) == Some(postmaster) {
                seconds += crate::site::cpu_seconds_of(process);
            }
        }
        Ok(seconds)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its postmaster ends with its data, should it still be there: all of it is thrown away.
        let stopped = programs().map(|programs| {
            let mut stop = as_user(&programs.join("pg_ctl"));
            stop.args(["stop", "-m", "immediate", "-D"]).arg(self.folder.path().join("data"));
            stop.stdout(Stdio::null()).status()
        });
        if !matches!(stopped, Ok(Ok(status)) if status.success()) {
            drop(self.process.kill());
        }
        drop(self.process.wait());
    }
}

/// A field of `/proc/PID/stat`, counted behind the name.
fn stat(process: u32, field: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_whitespace().nth(field).map(str::to_owned)
}

fn parent_of(process: u32) -> Option<u32> {
    stat(process, 1)?.parse().ok()
}

fn ended_children(process: u32) -> f64 {
    let ticks = |field| stat(process, field).and_then(|text| text.parse::<f64>().ok());
    (ticks(13).unwrap_or_default() + ticks(14).unwrap_or_default()) / 100.0
}

fn programs() -> anyhow::Result<PathBuf> {
    let folder = Path::new("/usr/lib/postgresql/15/bin");
    ensure!(folder.exists(), "PostgreSQL 15 is missing; `make prepare-bench` installs it");
    Ok(folder.to_owned())
}

fn as_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program);
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn owner() -> anyhow::Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let fields = users.lines().find_map(|line| line.strip_prefix("postgres:"));
    let mut numbers = fields.context("there is no user postgres")?.split(':').skip(1);
    let mut next = || -> anyhow::Result<u32> { Ok(numbers.next().context("no number")?.parse()?) };
    Ok((next()?, next()?))
}
