//! The process: how it starts, ends, and what it keeps.

use std::path::Path;
use std::process::Command;

use clickhouse::Client;
use drawdown_components::ClickHouse;

use crate::{PROGRAM, block_on};

async fn count(client: &Client) -> Result<u64, clickhouse::error::Error> {
    client.query("SELECT count() FROM kept").fetch_one().await
}

#[test]
fn what_was_inserted_is_there_after_a_kill_and_after_a_stop() {
    let mut clickhouse = ClickHouse::start(Path::new(PROGRAM)).unwrap();
    let client = Client::default().with_url(clickhouse.url());
    let insert = |rows: u64, token: &str| {
        let client = client.clone().with_setting("insert_deduplication_token", token);
        let insert = async {
            let mut insert = client.insert_formatted_with("INSERT INTO kept FORMAT RowBinary");
            for number in 0..rows {
                insert.send(number.to_le_bytes().to_vec().into()).await?;
            }
            insert.end().await
        };
        block_on(insert).unwrap();
    };
    let make = "CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a
        SETTINGS non_replicated_deduplication_window = 10";
    block_on(client.query(make).execute()).unwrap();
    insert(10, "one");
    clickhouse.kill().unwrap();
    assert!(block_on(count(&client)).is_err());
    clickhouse.resume().unwrap();
    assert_eq!(block_on(count(&client)).unwrap(), 10);
    // The memory of tokens is kept too.
    insert(10, "one");
    assert_eq!(block_on(count(&client)).unwrap(), 10);
    insert(5, "two");
    assert!(clickhouse.stop().unwrap(), "it did not end well");
    clickhouse.resume().unwrap();
    assert_eq!(block_on(count(&client)).unwrap(), 15);
}

#[test]
fn who_has_not_the_password_learns_nothing() {
    let clickhouse = ClickHouse::start_with(Path::new(PROGRAM), Some("open sesame")).unwrap();
    let client = Client::default().with_url(clickhouse.url());
    let ask = |client: Client| block_on(client.query("SELECT 1").fetch_one::<u8>());
    let refused = ask(client.clone()).unwrap_err().to_string();
    assert!(refused.contains("Code: 516. "), "{refused}");
    assert!(ask(client.clone().with_user("default").with_password("open")).is_err());
    assert!(ask(client.clone().with_user("admin").with_password("open sesame")).is_err());
    assert_eq!(ask(client.with_user("default").with_password("open sesame")).unwrap(), 1);
}

#[test]
fn a_missing_library_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let start = |library: &str| {
        Command::new(PROGRAM)
            .args(["clickhouse", "--listen", "127.0.0.1:0", "--set", library, "--data"])
            .arg(folder.path())
            .output()
            .unwrap()
    };
    let missing = start("clickhouse.library=/nowhere/libchdb.so");
    let said = String::from_utf8_lossy(&missing.stderr);
    assert!(!missing.status.success());
    assert!(
        said.contains("/nowhere/libchdb.so is missing") && said.contains("make prepare"),
        "{said}"
    );
}
