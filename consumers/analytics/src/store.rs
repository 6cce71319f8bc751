//! ClickHouse as ANALYTICS meets it: every call ends by a deadline, every setting that matters is said, and
//! what went wrong is told apart by ClickHouse's own code.

use std::time::{Duration, Instant};

use bytes::Bytes;
use clickhouse::error::Error;
use clickhouse::{Client, Compression, RowOwned, RowRead};
use metrics::{counter, histogram};

/// Where ClickHouse is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Such as `http://127.0.0.1:8123`.
    pub url: String,
    pub user: String,
    pub password: String,
    pub database: String,
    /// A call that takes longer is given up, by ClickHouse and by us.
    pub deadline: Duration,
}

/// Why ClickHouse did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It may do so later. Whether it has done it is not known.
    #[error("ClickHouse is away or busy: {0}")]
    Passing(String),
    /// Somebody has to look: trying again changes nothing.
    #[error("{0}")]
    Permanent(String),
    /// Another worker has gone on with a partition that this one held for its own.
    #[error("another worker fills {0} by now")]
    Overtaken(String),
}

impl Trouble {
    pub fn is_passing(&self) -> bool {
        matches!(self, Trouble::Passing(_))
    }
}

/// ClickHouse's codes for what passes: time-outs, limits, a full disk, a restart, a broken connection.
const PASSING: &[u32] = &[
    3, 32, 33, 74, 75, 76, 159, 198, 201, 202, 203, 209, 210, 225, 236, 241, 242, 243, 252, 285,
    286, 290, 297, 319, 394, 425, 439, 473, 499, 745, 999, 1000, 1001, 1002,
];

/// One insert is one block, so that it is there whole or not at all.
const BLOCK_ROWS_MAX: &str = "1000000000";
/// For the way there and back.
const DEADLINE_BEYOND: Duration = Duration::from_secs(2);

/// ClickHouse, with a database of ours.
#[derive(Clone)]
pub struct Store {
    client: Client,
    options: StoreOptions,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({}, {})", self.options.url, self.options.database)
    }
}

impl Store {
    pub fn new(options: StoreOptions) -> Store {
        let seconds = options.deadline.as_secs().max(1).to_string();
        let client = Client::default()
            .with_url(&options.url)
            .with_user(&options.user)
            .with_password(&options.password)
            .with_compression(Compression::None)
            .with_setting("max_execution_time", seconds)
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplicate", "1")
            .with_setting("deduplicate_insert", "enable")
            .with_setting("deduplicate_insert_select", "force_enable");
        Store { client, options }
    }

    pub fn database(&self) -> &str {
        &self.options.database
    }

    fn ours(&self) -> Client {
        self.client.clone().with_database(&self.options.database)
    }

    /// Makes the database if it is not there.
    pub(crate) async fn make_database(&self) -> Result<(), Trouble> {
        let statement = format!("CREATE DATABASE IF NOT EXISTS `{}`", self.options.database);
        self.ends("database", self.client.query_raw(&statement).execute()).await
    }

    /// Runs a statement that gives no rows.
    pub(crate) async fn run(&self, statement: &str) -> Result<(), Trouble> {
        // Tables have columns that are either a record or nothing.
        let client = self.ours().with_setting("enable_nullable_tuple_type", "1");
        self.ends("statement", client.query_raw(statement).execute()).await
    }

    /// Runs an `INSERT ... SELECT` that counts once under its token.
    pub(crate) async fn insert_selected(
        &self,
        statement: &str,
        token: &str,
    ) -> Result<(), Trouble> {
        let client = self.ours().with_setting("insert_deduplication_token", token);
        self.ends("claim", client.query_raw(statement).execute()).await
    }

    /// The rows of a query.
    pub async fn rows<T: RowOwned + RowRead>(&self, query: &str) -> Result<Vec<T>, Trouble> {
        self.ends("query", self.ours().query_raw(query).fetch_all::<T>()).await
    }

    /// Inserts rows that are formatted already, as one block, which counts once under its token.
    pub(crate) async fn insert(
        &self,
        table: &str,
        format: &str,
        token: &str,
        rows: Vec<Bytes>,
    ) -> Result<(), Trouble> {
        let client = self
            .ours()
            .with_setting("insert_deduplication_token", token)
            .with_setting("max_insert_block_size", BLOCK_ROWS_MAX)
            .with_setting("min_insert_block_size_rows", BLOCK_ROWS_MAX)
            .with_setting("min_insert_block_size_bytes", "0")
            .with_setting("input_format_parallel_parsing", "0")
            .with_setting("date_time_input_format", "best_effort");
        let mut insert =
            client.insert_formatted_with(format!("INSERT INTO `{table}` FORMAT {format}"));
        let inserting = async move {
            for piece in rows {
                insert.send(piece).await?;
            }
            insert.end().await
        };
        self.ends("insert", inserting).await
    }

    async fn ends<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Trouble> {
        let began = Instant::now();
        let within = self.options.deadline + DEADLINE_BEYOND;
        let outcome = match tokio::time::timeout(within, call).await {
            Ok(outcome) => outcome.map_err(|error| told(&error)),
            Err(_) => {
                let seconds = within.as_secs();
                Err(Trouble::Passing(format!("there was no answer within {seconds} s")))
            }
        };
        let outcome_name = match &outcome {
            Ok(_) => "done",
            Err(Trouble::Passing(_)) => "passing",
            Err(Trouble::Permanent(_) | Trouble::Overtaken(_)) => "permanent",
        };
        let labels = [("call", what), ("outcome", outcome_name)];
        counter!("drawdown_clickhouse_calls_total", &labels).increment(1);
        histogram!("drawdown_clickhouse_seconds", &labels).record(began.elapsed());
        outcome
    }
}

/// What an error of the client's means.
fn told(error: &Error) -> Trouble {
    match error {
        Error::BadResponse(said) => told_by_code(said),
        Error::Network(_) | Error::TimedOut | Error::Decompression(_) | Error::NotEnoughData => {
            Trouble::Passing(whole(error))
        }
        other => Trouble::Permanent(whole(other)),
    }
}

/// An error with what caused it.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn told_by_code(said: &str) -> Trouble {
    let line = said.lines().next().unwrap_or_default().to_owned();
    let code = line
        .strip_prefix("Code: ")
        .and_then(|rest| rest.split('.').next())
        .and_then(|code| code.parse::<u32>().ok());
    match code {
        Some(code) if !PASSING.contains(&code) => {
            Trouble::Permanent(format!("ClickHouse refuses: {line}"))
        }
        // An answer without a code is not ClickHouse's: a proxy's, or one that was cut off.
        Some(_) | None => Trouble::Passing(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_and_what_does_not_are_told_apart_by_the_code() {
        for passing in [
            "Code: 241. DB::Exception: Memory limit exceeded (MEMORY_LIMIT_EXCEEDED)",
            "Code: 252. DB::Exception: Too many parts",
            "Code: 243. DB::Exception: Cannot reserve 1 MiB, not enough space",
            "<html>502 Bad Gateway</html>",
            "",
        ] {
            assert!(told_by_code(passing).is_passing(), "{passing}");
        }
        for permanent in [
            "Code: 60. DB::Exception: Table drawdown.entries does not exist. (UNKNOWN_TABLE)",
            "Code: 516. DB::Exception: default: Authentication failed",
            "Code: 115. DB::Exception: Unknown setting",
        ] {
            assert!(!told_by_code(permanent).is_passing(), "{permanent}");
        }
    }
}
